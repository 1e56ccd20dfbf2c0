"""What came of rulings: a lead's own, and what people disagree about by tag and by reason."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from core.adjudication.case import RulingSeen, ruling_as_seen
from core.records import RulingStage
from db import rulings
from db.ruling_lead import Lead, models_of


@dataclass(frozen=True, slots=True)
class Made:
    """A ruling of one lead's that stands.

    Attributes:
        models: as their answers stand on this lead's screen; None until they have unmasked it.
        rulings: how many leads' rulings stand on the case.
        disagree: whether these differ, which only a final one settles; told once it is unmasked.
    """

    key: str
    id: str
    question: str
    turn: int
    stage: RulingStage
    choice: RulingSeen
    reason: str
    is_final: bool
    at: str
    queue_reason: str
    models: tuple[str, str] | None
    rulings: int
    disagree: bool | None


def made_by(connection: sqlite3.Connection, lead: Lead) -> list[Made]:
    """A lead's rulings that stand, oldest first."""
    found = []
    for one in rulings.standing(connection, "v.lead_id = ?", lead.id):
        place = lead.place_of(connection, one.pair_id, one.turn)
        (question,) = connection.execute(
            "SELECT q.key FROM pair p JOIN question q ON q.id = p.question_id WHERE p.id = ?",
            (one.pair_id,),
        ).fetchone()
        stand = rulings.on_place(connection, place)
        has_seen = lead.has_seen(connection, place)
        found.append(
            Made(
                place.key,
                one.id,
                question,
                one.turn,
                one.stage,
                ruling_as_seen(one.choice, place.left),
                one.reason,
                one.is_final,
                one.at,
                one.queue_reason,
                models_of(connection, place) if has_seen else None,
                len(stand),
                len({each.choice for each in stand}) > 1 if has_seen else None,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Theme:
    """What one tag, or one reason of the queue, has to do with disagreement.

    Attributes:
        votes: votes that carry the tag; rulings on cases with the reason.
        disputed: of these votes, those on items where people gave different outcomes; of these
            rulings, those that overturned every vote.
    """

    kind: str
    name: str
    votes: int
    disputed: int


def themes(connection: sqlite3.Connection) -> list[Theme]:
    """Tags by how often people disagree where they are given, and reasons by what came of them."""
    tags = connection.execute(_TAGS).fetchall()
    reasons = connection.execute(_REASONS).fetchall()
    return [Theme("tag", *row) for row in tags] + [Theme("reason", *row) for row in reasons]


def all_tagged(connection: sqlite3.Connection) -> Mapping[str, int]:
    """Votes with a tag, and how many of them are on items with different outcomes."""
    votes, disputed = connection.execute(_ALL_TAGGED).fetchone()
    return {"votes": int(votes), "disputed": int(disputed or 0)}


_STANDING = (
    "v.choice IS NOT NULL AND v.repeat = 0 "
    "AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)"
)
_DIFFERS = (
    "EXISTS (SELECT 1 FROM standing_vote o WHERE o.pair_id = v.pair_id AND o.turn = v.turn "
    "AND o.choice <> v.choice)"
)
_TAGS = f"""
    SELECT t.value, count(*), sum({_DIFFERS}) FROM vote v, json_each(v.tags) t
    WHERE v.tags IS NOT NULL AND {_STANDING} GROUP BY t.value
    ORDER BY 1.0 * sum({_DIFFERS}) / count(*) DESC, count(*) DESC, t.value
"""
_ALL_TAGGED = (
    f"SELECT count(*), sum({_DIFFERS}) FROM vote v WHERE v.tags IS NOT NULL AND {_STANDING}"
)
_REASONS = f"""
    SELECT v.queue_reason, count(*), sum(EXISTS (SELECT 1 FROM standing_vote o
        WHERE o.pair_id = v.pair_id AND o.turn = v.turn) AND NOT EXISTS (
        SELECT 1 FROM standing_vote o WHERE o.pair_id = v.pair_id AND o.turn = v.turn
        AND o.choice = v.choice))
    FROM ruling v WHERE v.choice IN ('model_1', 'model_2', 'tie', 'both_bad') AND {rulings.STANDS}
    GROUP BY v.queue_reason ORDER BY count(*) DESC, v.queue_reason
"""
