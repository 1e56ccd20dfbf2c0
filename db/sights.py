"""What leads have seen of who wrote and who said what: what they rule there is not blind."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.records import Pair
    from db.store import Store

UNSEEN = (
    "NOT EXISTS (SELECT 1 FROM unmasking u JOIN annotator l ON l.id = u.lead_id "
    "WHERE u.pair_id = v.pair_id AND u.turn = v.turn AND l.name = :hidden_from)"
)
"""Whether the lead ``:hidden_from`` may still rule blind where a vote or verdict ``v`` is."""


def seen_names(store: Store, lead: str) -> frozenset[tuple[int, int]]:
    """The pairs and turns, as (pair_id, turn), on which a lead rules blind no more."""
    with store.read() as connection:
        rows = connection.execute(
            "SELECT u.pair_id, u.turn FROM unmasking u JOIN annotator a ON a.id = u.lead_id "
            "WHERE a.name = ?",
            (lead,),
        ).fetchall()
    return frozenset((int(pair), int(turn)) for pair, turn in rows)


def readers(store: Store, login: str, identity: str) -> tuple[str, ...]:
    """The leads that whoever sits here rules as: of that login, or by that identity before."""
    with store.read() as connection:
        rows = connection.execute(
            "SELECT name FROM annotator WHERE role = 'lead' AND (name = ? "
            "OR id IN (SELECT lead_id FROM ruling WHERE identity = ?)) ORDER BY name",
            (login, identity),
        ).fetchall()
    return tuple(str(name) for (name,) in rows)


def know_names(store: Store, pair_id: int, turn: int, lead: str) -> None:
    """Record that a lead may know whose answers these are: what they rule later is not blind."""
    with store.write() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO unmasking SELECT ?, ?, id, ? FROM annotator WHERE name = ?",
            (pair_id, turn, store.now(), lead),
        )


def know_pairs(store: Store, pairs: Iterable[tuple[Pair, int]], lead: str) -> None:
    """Record that a lead has read the names of pairs, each with its turn."""
    with store.write() as connection:
        connection.executemany(
            "INSERT OR IGNORE INTO unmasking SELECT p.id, ?, a.id, ? FROM pair p "
            "JOIN question q ON q.id = p.question_id, annotator a "
            "WHERE q.key = ? AND p.model_1 = ? AND p.model_2 = ? AND a.name = ?",
            [
                (turn, store.now(), pair.question, pair.model_1, pair.model_2, lead)
                for pair, turn in pairs
            ],
        )


def ranking_judges(connection: sqlite3.Connection) -> set[int]:
    """The judges one call of which settles all pairs of a question."""
    kept = connection.execute(
        "SELECT p.judge_id FROM judge_prompt p JOIN text t ON t.hash = p.text_hash "
        "WHERE t.body ->> '$.variants[0].form' = 'list' "
        # Those without wording of their own have one of those that come with Tiebreak.
        "UNION SELECT id FROM judge WHERE prompt = 'ranking' OR prompt LIKE 'ranking %'"
    )
    return {judge for (judge,) in kept}


def know_reply(store: Store, verdict: str, lead: str) -> None:
    """Record that a lead read what a judge said: what they rule there later is not blind.

    One reply of a judge that ranks settles all pairs of its question.
    """
    with store.write() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO unmasking SELECT v.pair_id, v.turn, a.id, ? "
            "FROM verdict v, annotator a WHERE v.id = ? AND a.name = ?",
            (store.now(), verdict, lead),
        )
        (judge,) = connection.execute(
            "SELECT judge_id FROM verdict WHERE id = ?", (verdict,)
        ).fetchone() or (None,)
        if judge in ranking_judges(connection):
            connection.execute(
                "INSERT OR IGNORE INTO unmasking SELECT DISTINCT w.pair_id, w.turn, a.id, ? "
                "FROM verdict v JOIN pair p ON p.id = v.pair_id "
                "JOIN pair o ON o.question_id = p.question_id "
                "JOIN verdict w ON w.pair_id = o.id AND w.turn = v.turn "
                "AND w.judge_id = v.judge_id AND w.raw_hash = v.raw_hash, annotator a "
                "WHERE v.id = ? AND a.name = ?",
                (store.now(), verdict, lead),
            )
