"""A case as a lead reads it: opinions without names, and who is who once it is ruled on."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Any

from core.adjudication.case import Named, Opinion, shuffled
from core.adjudication.masking import Mask
from core.blinding import as_seen, left_side
from core.records import Choice
from db.details import criteria_of, tags_of


@dataclass(frozen=True, slots=True)
class Place:
    """One pair and turn of the study, as one lead has it before them.

    Attributes:
        pair: the pair's key, which follows from its models' names: not for who is to be blind.
        name: what the pair is called instead.
        left: which model stands left, 1 or 2; the same whenever this lead looks.
        is_by_pair: whether it was asked for by the pair's key, so that the names may be known.
    """

    pair_id: int
    pair: str
    name: str
    turn: int
    left: int
    is_by_pair: bool = False

    @property
    def key(self) -> str:
        """The case's name."""
        return f"{self.name}/{self.turn}"


@dataclass(frozen=True, slots=True)
class Told:
    """An opinion with who gave it and the row that it comes from.

    Attributes:
        event: the vote's or verdict's id.
    """

    named: Named
    event: str

    @property
    def is_vote(self) -> bool:
        """Whether a person gave an outcome."""
        return self.named.kind == "person" and self.named.opinion.seen is not None


def side(seed: str, pair: str, lead: str) -> int:
    """Which model of a pair stands left for a lead who rules on it."""
    return left_side(seed, pair, f"ruling\x1f{lead}")


def mask_of(connection: sqlite3.Connection) -> Mask:
    """What hides the names of this study's models, judges and people."""
    models = {
        name
        for query in (
            "SELECT name FROM model",
            "SELECT family FROM model",
            "SELECT model FROM judge WHERE kind <> 'baseline'",
        )
        for (name,) in connection.execute(query)
    }
    others = {
        name
        for query in ("SELECT name FROM judge", "SELECT name FROM annotator")
        for (name,) in connection.execute(query)
        if len(name) > 1
    }
    return Mask(sorted(models), sorted(others))


def opinions_of(
    connection: sqlite3.Connection, place: Place, lead_id: int, seed: str, mask: Mask
) -> list[Told]:
    """All that was said of a case, shuffled and numbered.

    A judge whose two orders agree has one opinion, otherwise one for each: a verdict that follows
    the position looks like two people who differ.
    """
    told = [*_votes(connection, place, lead_id), *_verdicts(connection, place)]
    where = f"{place.pair}/{place.turn}"
    order = shuffled([one.event for one in told], seed, "opinions", where, str(lead_id))
    return [_numbered(told[index], number, mask) for number, index in enumerate(order, 1)]


def _numbered(told: Told, number: int, mask: Mask) -> Told:
    opinion = told.named.opinion
    text, in_text = mask.hide(opinion.text)
    flag, in_flag = mask.hide(opinion.flag)
    why, in_why = mask.hide(opinion.cannot_judge)
    tags = tuple(mask.hide(tag)[0] for tag in opinion.tags)
    shown = replace(
        opinion,
        number=number,
        text=text,
        flag=flag,
        cannot_judge=why,
        tags=tags,
        hidden=in_text + in_flag + in_why,
    )
    return replace(told, named=replace(told.named, opinion=shown))


def _votes(connection: sqlite3.Connection, place: Place, lead_id: int) -> list[Told]:
    rows = connection.execute(
        'SELECT v.id, a.id, a.name, a."group", v.left, v.choice, v.cannot_judge, v.tags, '
        "v.criteria, v.confidence, v.note, v.flag FROM vote v "
        "JOIN annotator a ON a.id = v.annotator_id WHERE v.pair_id = ? AND v.turn = ? "
        "AND v.repeat = 0 AND coalesce(v.choice, v.cannot_judge) IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id) ORDER BY v.seq",
        (place.pair_id, place.turn),
    )
    return [_vote(place, lead_id, *row) for row in rows]


def _vote(place: Place, lead_id: int, *row: Any) -> Told:
    event, who, name, group, left, choice, why, tags, criteria, confidence, note, flag = row
    opinion = Opinion(
        0,
        None if choice is None else as_seen(Choice(choice), place.left),
        why or "",
        tags_of(tags),
        {each: as_seen(said, place.left) for each, said in criteria_of(criteria).items()},
        confidence,
        note,
        flag,
        is_turned=bool(note or flag) and left is not None and left != place.left,
        is_own=who == lead_id,
        kind="person",
        is_unsided=bool(note or flag) and left is None,
    )
    return Told(Named(opinion, name, "person", group), event)


def _verdicts(connection: sqlite3.Connection, place: Place) -> list[Told]:
    rows = connection.execute(
        "SELECT j.id, v.id, j.name, j.model, v.prompt, v.left, v.choice, "
        "coalesce(why.body, raw.body, '') FROM judge j JOIN verdict v ON v.judge_id = j.id "
        "LEFT JOIN text raw ON raw.hash = v.raw_hash "
        "LEFT JOIN text why ON why.hash = v.reasoning_hash "
        "WHERE v.pair_id = ? AND v.turn = ? AND v.repeat = 0 AND v.status = 'ok' "
        "AND NOT EXISTS (SELECT 1 FROM verdict w WHERE w.supersedes = v.id) ORDER BY v.seq",
        (place.pair_id, place.turn),
    )
    # Where an order was said twice and neither row supersedes the other, the later one stands.
    by_judge: dict[int, dict[int | None, tuple[Any, ...]]] = {}
    for judge, *row in rows:
        by_judge.setdefault(judge, {})[row[4]] = tuple(row)
    told = []
    for said in by_judge.values():
        orders = {left: row for left, row in said.items() if left is not None} or said
        if len({row[5] for row in orders.values()}) == 1:
            orders = {0: orders.get(place.left) or next(iter(orders.values()))}
        told += [_verdict(place, *row) for row in orders.values()]
    return told


def _verdict(place: Place, *row: Any) -> Told:
    event, name, model, prompt, left, choice, text = row
    opinion = Opinion(
        0,
        as_seen(Choice(choice), place.left),
        text=text,
        is_turned=bool(text) and left is not None and left != place.left,
        kind="judge",
        is_unsided=bool(text) and left is None,
    )
    detail = " ".join(part for part in (model, prompt) if part)
    return Told(Named(opinion, name, "judge", detail), event)
