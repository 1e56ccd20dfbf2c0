"""What was said about each pair, pair by pair, as it stood at any moment: gold is made of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from core.items import Item, Texts
from core.records import Pair
from db.reading import Part, rulings_in, verdicts_in, votes_in
from db.texts import answers_turns, questions_of

BATCH = 500
"""Pairs that are held at a time: memory stays the same however large the study is."""


@dataclass(frozen=True, slots=True)
class Only:
    """Which pairs are wanted; None for all.

    Attributes:
        model: pairs with this model.
        against: pairs with this one too, or with it alone where ``model`` is None.
    """

    category: str | None = None
    model: str | None = None
    against: str | None = None

    def where(self) -> str:
        """SQL: the condition on ``question q`` and ``pair p``, its values by attribute."""
        found = ["1"]
        if self.category is not None:
            found.append("q.category = :category")
        for name in ("model", "against"):
            if getattr(self, name) is not None:
                found.append(f":{name} IN (p.model_1, p.model_2)")
        return " AND ".join(found)


class _Row(NamedTuple):
    """A pair as it is stored."""

    id: int
    question: str
    model_1: str
    model_2: str
    category: str | None
    question_id: int
    answer_1: int
    answer_2: int


def items_in(
    connection: sqlite3.Connection,
    *,
    last: Mapping[str, int] | None = None,
    only: Only | None = None,
    texts: bool = False,
    verdict_texts: bool = True,
    history: bool = False,
) -> Iterator[tuple[Item, Texts | None]]:
    """Every pair and turn that somebody said something about, by question, models and turn.

    Args:
        last: log → the number of its last row that counts, as if none had come since.
        texts: with what the people had before them.
        verdict_texts: verdicts with their raw replies.
        history: with every ruling, those that no longer stand too.
    """
    wanted = only or Only()
    found = connection.execute(
        "SELECT p.id, q.key, p.model_1, p.model_2, q.category, q.id, p.answer_1, p.answer_2 "
        "FROM pair p JOIN question q ON q.id = p.question_id "
        f"WHERE {wanted.where()} ORDER BY q.key, p.model_1, p.model_2",
        {"category": wanted.category, "model": wanted.model, "against": wanted.against},
    )
    while batch := [_Row(*row) for row in found.fetchmany(BATCH)]:
        part = Part(last=last, pairs=[row.id for row in batch], texts=verdict_texts)
        shown = _texts(connection, batch) if texts else {}
        said = _said(connection, part, batch, history=history)
        for pair, items in groupby(said, key=lambda item: item.pair):
            for item in items:
                yield item, shown.get(pair)


def _said(
    connection: sqlite3.Connection, part: Part, batch: Sequence[_Row], *, history: bool
) -> list[Item]:
    categories = {(row.question, row.model_1, row.model_2): row.category for row in batch}
    found: dict[tuple[Pair, int], Item] = {}

    def item(pair: Pair, turn: int) -> Item:
        if (pair, turn) not in found:
            category = categories[pair.question, pair.model_1, pair.model_2]
            found[pair, turn] = Item(pair, turn, category)
        return found[pair, turn]

    for vote, served in votes_in(connection, part):
        if vote.repeat:
            continue
        one = item(vote.pair, vote.turn)
        if vote.choice is None:
            one.cannot_judge.append(vote)
        else:
            one.votes.append((vote, served))
    for verdict in verdicts_in(connection, part):
        item(verdict.pair, verdict.turn).verdicts.append(verdict)
    for ruling in rulings_in(connection, part):
        item(ruling.pair, ruling.turn).rulings.append(ruling)
    if history:
        for ruling in rulings_in(connection, replace(part, standing=False)):
            item(ruling.pair, ruling.turn).ruled.append(ruling)
    return [found[key] for key in sorted(found)]


def _texts(connection: sqlite3.Connection, batch: Sequence[_Row]) -> dict[Pair, Texts]:
    questions = questions_of(connection, {row.question_id for row in batch})
    answers = answers_turns(connection, {a for row in batch for a in (row.answer_1, row.answer_2)})
    return {
        Pair(row.question, row.model_1, row.model_2): Texts(
            questions[row.question_id], (answers[row.answer_1], answers[row.answer_2])
        )
        for row in batch
    }
