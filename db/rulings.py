"""Rulings as they are written: made, revised after unmasking, and taken back.

The log only grows. What counts are the rows that nothing supersedes and that have a choice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.records import Pair, RulingChoice, RulingStage
from db import chain
from db.ruling_cases import Place

STANDS = "NOT EXISTS (SELECT 1 FROM ruling w WHERE w.supersedes = v.id)"
"""SQL: whether ``ruling v`` is not superseded."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A ruling that stands.

    Attributes:
        shown: what was before the lead, and what the ruling set off.
    """

    seq: int
    id: str
    pair_id: int
    turn: int
    lead_id: int
    stage: RulingStage
    left: int | None
    choice: RulingChoice
    reason: str
    is_final: bool
    shown: Mapping[str, Any]
    queue_reason: str
    queue_probability: float | None
    at: str


_COLUMNS = (
    "v.seq, v.id, v.pair_id, v.turn, v.lead_id, v.stage, v.left, v.choice, v.reason, v.final, "
    "v.shown, v.queue_reason, v.queue_probability, v.at"
)


def standing(
    connection: sqlite3.Connection, where: str = "1", *values: object
) -> Iterator[Standing]:
    """The rulings that stand, oldest first.

    Args:
        where: SQL about ``ruling v``.
    """
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM ruling v WHERE v.choice IS NOT NULL AND {where} AND {STANDS} "
        "ORDER BY v.seq",
        values,
    )
    for (
        seq,
        key,
        pair_id,
        turn,
        lead_id,
        stage,
        left,
        choice,
        reason,
        final,
        shown,
        why,
        probability,
        at,
    ) in rows:
        yield Standing(
            seq,
            key,
            pair_id,
            turn,
            lead_id,
            RulingStage(stage),
            left,
            RulingChoice(choice),
            reason,
            bool(final),
            json.loads(shown),
            why,
            probability,
            at,
        )


def on_place(connection: sqlite3.Connection, place: Place) -> list[Standing]:
    """The rulings that stand on one pair and turn."""
    return [*standing(connection, "v.pair_id = ? AND v.turn = ?", place.pair_id, place.turn)]


def is_recorded(connection: sqlite3.Connection, key: str) -> bool:
    """Whether a row of this id is in the log."""
    return connection.execute("SELECT 1 FROM ruling WHERE id = ?", (key,)).fetchone() is not None


def append(
    connection: sqlite3.Connection, place: Place, lead: tuple[int, str], now: str, **row: Any
) -> None:
    """Add a row to the ruling log; within the caller's transaction.

    Args:
        lead: row and name of whose ruling it is.
        row: ``id``, ``identity``, ``stage``, ``choice``, ``reason``, and of the others what is
            said.
    """
    given: dict[str, Any] = {
        "left": place.left,
        "final": 0,
        "queue_reason": "",
        "queue_probability": None,
        "supersedes": None,
    }
    given |= row
    given["shown"] = json.dumps(dict(row.get("shown", {})), sort_keys=True)
    given |= {
        "pair": place.pair,
        "pair_id": place.pair_id,
        "turn": place.turn,
        "lead": lead[1],
        "lead_id": lead[0],
        "at": now,
        "source": None,
        "source_id": None,
    }
    chain.append(connection, "ruling", [given])


def last_of(connection: sqlite3.Connection, lead_id: int) -> Standing | None:
    """The standing ruling that this lead made last.

    One that stands again because its revision was taken back keeps the place in which it was
    made, however late its row.
    """
    last, order = None, 0
    for one in sorted(standing(connection, "v.lead_id = ?", lead_id), key=lambda each: -each.seq):
        if one.seq < order:
            break
        made = _made(connection, one)
        if made > order:
            last, order = one, made
    return last


def _made(connection: sqlite3.Connection, ruling: Standing) -> int:
    """The place in the log in which a ruling was first made."""
    row = connection.execute(
        "SELECT seq FROM ruling WHERE id = ?", (ruling.shown.get("stands_again", ruling.id),)
    ).fetchone()
    return int(row[0]) if row else ruling.seq


def since_sample(connection: sqlite3.Connection, lead_id: int) -> int:
    """How many cases a lead ruled on after the last one of the random sample.

    A revision is no case more, and what was taken back counts no longer.
    """
    ruled: dict[str, bool] = {}  # by id, in order: whether it was drawn
    first_made: dict[str, str] = {}  # of what stands again
    own: set[str] = set()
    rows = connection.execute(
        "SELECT id, stage, choice, supersedes, queue_probability IS NOT NULL, "
        "json_extract(shown, '$.stands_again') FROM ruling WHERE lead_id = ? ORDER BY seq",
        (lead_id,),
    )
    for key, stage, choice, supersedes, is_drawn, made in rows:
        if choice is None:
            ruled.pop(first_made.get(supersedes, supersedes), None)
            continue
        if made is not None:
            first_made[key] = made
        elif stage == RulingStage.BLIND or supersedes not in own:
            ruled[key] = bool(is_drawn)
        own.add(key)
    latest = [*reversed(ruled.values())]
    return latest.index(True) if True in latest else len(latest)


def blind_of(connection: sqlite3.Connection, ruling: Standing) -> RulingChoice:
    """What was ruled before unmasking, where a ruling is a revision; else what it says itself."""
    row: tuple[str, str | None, str, str | None] = (
        ruling.stage,
        ruling.choice,
        ruling.id,
        None,
    )
    while row[0] != RulingStage.BLIND or row[1] is None:
        earlier = connection.execute(
            "SELECT v.stage, v.choice, v.id, v.supersedes FROM ruling v "
            "JOIN ruling w ON w.supersedes = v.id WHERE w.id = ?",
            (row[2],),
        ).fetchone()
        if earlier is None:
            return ruling.choice
        row = earlier
    return RulingChoice(row[1])


def stand_again(
    connection: sqlite3.Connection,
    place: Place,
    undone: Standing,
    withdrawal: str,
    identity: str,
    now: str,
) -> None:
    """Let what an undone ruling had replaced stand again, behind its withdrawal."""
    row = connection.execute(
        "SELECT v.id, v.lead_id, a.name, v.stage, v.left, v.choice, v.final, v.reason, v.shown, "
        "v.queue_reason, v.queue_probability FROM ruling v JOIN annotator a ON a.id = v.lead_id "
        "JOIN ruling w ON w.supersedes = v.id WHERE w.id = ?",
        (undone.shown.get("stands_again", undone.id),),
    ).fetchone()
    if row is None or row[5] is None:
        return
    earlier, lead_id, lead, stage, left, choice, final, reason, shown, why, probability = row
    append(
        connection,
        place,
        (lead_id, lead),
        now,
        id=f"{withdrawal}-restored",
        identity=identity,
        stage=stage,
        left=left,
        choice=choice,
        final=final,
        reason=reason,
        supersedes=withdrawal,
        queue_reason=why,
        queue_probability=probability,
        shown={**json.loads(shown), "stands_again": json.loads(shown).get("stands_again", earlier)},
    )


def withdrawn_by(connection: sqlite3.Connection, key: str) -> tuple[int, int] | None:
    """The pair and turn on which a row of this id withdrew a ruling; None if none did."""
    row = connection.execute(
        "SELECT pair_id, turn FROM ruling WHERE id = ? AND choice IS NULL", (key,)
    ).fetchone()
    return None if row is None else (int(row[0]), int(row[1]))


def others(connection: sqlite3.Connection, place: Place, lead_id: int) -> int:
    """How many other leads could rule on a pair and turn and have not."""
    (count,) = connection.execute(
        "SELECT count(*) FROM annotator a WHERE a.role = 'lead' AND a.id <> ?1 "
        "AND coalesce(a.retired_at, a.paused_at) IS NULL AND NOT EXISTS (SELECT 1 "
        "FROM ruling v WHERE v.pair_id = ?2 AND v.turn = ?3 AND v.lead_id = a.id "
        f"AND v.choice IS NOT NULL AND {STANDS})",
        (lead_id, place.pair_id, place.turn),
    ).fetchone()
    return int(count)


def name_of(connection: sqlite3.Connection, lead_id: int) -> str:
    """A lead's name."""
    row = connection.execute("SELECT name FROM annotator WHERE id = ?", (lead_id,)).fetchone()
    return str(row[0])


def pair_of(connection: sqlite3.Connection, place: Place) -> Pair:
    """The pair with its models' names."""
    question, model_1, model_2 = connection.execute(
        "SELECT q.key, p.model_1, p.model_2 FROM pair p JOIN question q ON q.id = p.question_id "
        "WHERE p.id = ?",
        (place.pair_id,),
    ).fetchone()
    return Pair(question, model_1, model_2)
