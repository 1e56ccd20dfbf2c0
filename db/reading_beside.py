"""What a study holds beside its logs, as records: the queue, unmaskings, second opinions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from core.beside_logs import Queued, SecondOpinion, Unmasking
from core.records import Pair
from db.inclusion import probabilities

_PAIR = "q.key, p.model_1, p.model_2"
_OF = "JOIN pair p ON p.id = x.pair_id JOIN question q ON q.id = p.question_id"
_LEAD = "JOIN annotator a ON a.id = x."


def beside_in(
    connection: sqlite3.Connection, *, rulings: int | None = None, until: str | None = None
) -> Iterator[Queued | Unmasking | SecondOpinion]:
    """Everything that stands beside the logs, but for drafts and leases, which nobody said yet.

    Args:
        rulings: the number of the last ruling that counts, as if none had come since.
        until: the moment (ISO 8601) up to which pairs were queued and leads did something.
    """
    values = {"until": until, "last": rulings}
    by_then = "(:until IS NULL OR {0} <= :until)"
    chances = dict(probabilities(connection, until))
    for question, model_1, model_2, pair_id, *rest in connection.execute(
        f"SELECT {_PAIR}, x.pair_id, x.overlap, x.extra FROM queue x {_OF} "
        f"JOIN design d ON d.id = x.design_id WHERE {by_then.format('d.made_at')} "
        "ORDER BY x.pair_id",
        values,
    ):
        chance = chances[pair_id]
        known = chance if chance > 0 else None
        yield Queued(Pair(question, model_1, model_2), known, *rest)
    for question, model_1, model_2, *rest in connection.execute(
        f"SELECT {_PAIR}, x.turn, a.name, x.at FROM unmasking x {_OF} {_LEAD}lead_id "
        f"WHERE {by_then.format('x.at')} ORDER BY x.pair_id, x.turn, x.lead_id",
        values,
    ):
        yield Unmasking(Pair(question, model_1, model_2), *rest)
    for key, question, model_1, model_2, *rest in connection.execute(
        f"SELECT x.uid, {_PAIR}, x.turn, a.name, x.why, x.asked_at, (SELECT v.id FROM ruling v "
        "WHERE v.id = x.answered_by AND (:last IS NULL OR v.seq <= :last)) "
        f"FROM second_opinion x {_OF} {_LEAD}asked_by "
        f"WHERE {by_then.format('x.asked_at')} ORDER BY x.id",
        values,
    ):
        yield SecondOpinion(key, Pair(question, model_1, model_2), *rest)
