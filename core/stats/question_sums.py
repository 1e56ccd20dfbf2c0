"""Sandwiches clustered by question, from products of counts that are kept up to date.

A poor answer loses to everybody, on all pairs of its question that it stands in. The score of a
question is a linear map of its counts (wins, losses, ties by couple of models), whose coefficients
the fit decides, so that Σ s sᵀ over questions follows from Σ x xᵀ of the counts x
(:mod:`core.stats.question_counts`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.stats.collapsed import MODELS, Columns, pair_rows
from core.stats.question_counts import (
    Blocks,
    QuestionCounts,
    by_question,
    compared,
    couples_of,
    models_of,
    question_index,
)
from core.stats.tally import TIE
from core.stats.view import View

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

T = TypeVar("T")

COUNTS = 3
"""Numbers of a pair: wins of the model with the lower number, of the other, ties."""


@dataclass(frozen=True, slots=True)
class Slopes:
    """How counts make the score of a fit.

    Attributes:
        couples: those between fitted models, by rising number.
        ends: the places of the lower and the other model among the fitted, shape (couples, 2).
        along: what one of each count adds to the score along the gap of the two, then along each
            further parameter; shape (couples, counts, 1 + further).
        models: how many were fitted.
        is_against: whether one model's gain is the other's loss; otherwise both gain alike.
    """

    couples: Longs
    ends: Longs
    along: Floats
    models: int
    is_against: bool = True

    @property
    def size(self) -> int:
        """Parameters."""
        return self.models + int(self.along.shape[2]) - 1

    def places(self, couples: Longs) -> Longs:
        """Of some couples their places here; −1 where they are not."""
        top = max(int(couples.max(initial=-1)), int(self.couples.max(initial=-1))) + 1
        place = np.full(top, -1)
        place[self.couples] = np.arange(len(self.couples))
        return np.asarray(place[couples])

    def cells(self, along: int, place: Longs) -> list[tuple[Longs | int, float]]:
        """The parameters that a direction of some couples moves, and with which sign."""
        if along:
            return [(self.models + along - 1, 1.0)]
        return [(self.ends[place, 0], 1.0), (self.ends[place, 1], -1.0 if self.is_against else 1.0)]


def between(blocks: Blocks, one: Slopes, other: Slopes) -> Floats:
    """Σ s tᵀ over questions, of the scores s of one fit and t of another; (size, size).

    Args:
        blocks: products of their counts.
    """
    i, j = one.places(blocks.left), other.places(blocks.right)
    inside = (i >= 0) & (j >= 0)
    values = blocks.values
    if not inside.all():
        i, j, values = i[inside], j[inside], values[:, :, inside]
    found = _summed(values, i, j, one, other)
    if not blocks.half:
        return found
    same = i == j
    return found + found.T - _summed(values[:, :, same], i[same], j[same], one, other)


def _summed(values: Floats, i: Longs, j: Longs, one: Slopes, other: Slopes) -> Floats:
    x, y = (np.ascontiguousarray(each.along.T) for each in (one, other))
    found = np.zeros(one.size * other.size)
    for f, g in product(range(len(x)), range(len(y))):
        told = [y[g, n][j] for n in range(y.shape[1])]
        moved = np.zeros(len(i))
        for k in range(x.shape[1]):
            part = sum(values[k, n] * each for n, each in enumerate(told))
            moved += x[f, k][i] * part
        for row, first in one.cells(f, i):
            for column, second in other.cells(g, j):
                cell = np.broadcast_to(row * other.size + column, moved.shape)
                found += first * second * np.bincount(cell, moved, len(found))
    return found.reshape(one.size, other.size)


@dataclass(frozen=True, slots=True)
class QuestionSums:
    """What one rater said, ready for a sandwich over questions; good until a vote comes.

    Attributes:
        couples: those that were compared, by rising number.
        totals: their counts in all, shape (couples, counts).
        pairs: on how many pairs of answers each was compared.
        blocks: products of the counts.
        count: questions with a comparison.
        by_model: questions on which each model was compared, by its number.
        compared: question and couple number of every pair with a comparison.
        is_against: see :class:`Slopes`.
    """

    couples: Longs
    totals: NDArray[Any]
    pairs: Longs
    blocks: Blocks
    count: int
    by_model: Longs
    compared: Callable[[], tuple[Longs, Longs]]
    is_against: bool = True

    @property
    def models(self) -> tuple[Longs, Longs]:
        """Lower and higher model of each couple."""
        return models_of(self.couples)

    def questions(self, members: Longs) -> int:
        """How many questions compare two of these models."""
        inside = np.logical_and(*(np.isin(each, members) for each in self.models))
        if inside.all():
            return self.count
        question, couple = self.compared()
        return len(np.unique(question[np.isin(couple, self.couples[inside])]))

    def fewest(self, members: Longs) -> int:
        """Of the questions on which each of these models was compared, the smallest number."""
        return int(self.by_model[members].min())

    def slopes(self, members: Longs, slopes: Callable[[Longs, Longs], Floats]) -> Slopes:
        """How the counts make the scores of a fit.

        Args:
            members: the models that were fitted, in the order of their parameters.
            slopes: :attr:`Slopes.along` of couples of these models, by their places.
        """
        one, two = self.models
        place = np.full(max(int(two.max(initial=0)), int(members.max())) + 1, -1)
        place[members] = np.arange(len(members))
        ends = np.stack([place[one], place[two]], axis=1)
        inside = (ends >= 0).all(axis=1)
        along = slopes(*ends[inside].T)
        of = self.couples[inside], ends[inside], along, len(members)
        return Slopes(*of, is_against=self.is_against)

    def meat(self, members: Longs, slopes: Callable[[Longs, Longs], Floats]) -> Floats:
        """Σ s sᵀ over the questions' scores, shape (members + further, members + further).

        Args:
            members, slopes: as for :meth:`slopes`.
        """
        mine = self.slopes(members, slopes)
        return between(self.blocks, mine, mine)


def sums_of(kept: QuestionCounts, group: int = 0) -> QuestionSums:
    """What one group of counts says now."""
    totals, questions = kept.totals(group), kept.questions(group)
    return QuestionSums(
        *totals, kept.blocks[group, group], *questions, partial(kept.compared, group)
    )


def turned(view: View, columns: Columns, pairs: Longs, is_against: bool = True) -> Longs:
    """Wins of the model with the lower number, of the other, and ties, of some pairs.

    Args:
        is_against: if not, they are numbers that are of neither model, and change no places.
    """
    rows, has_items = pair_rows(view, MODELS, (columns,), pairs)
    counts = rows[:, len(MODELS) :][:, :TIE] * has_items[:, None]
    is_turned = is_against & (rows[:, 0] > rows[:, 1])
    counts[is_turned, :2] = counts[is_turned, 1::-1]
    return np.asarray(counts, np.int64)


def touched_pairs(view: View, items: Longs | None) -> Longs:
    """The pairs of some items, each once; all where it is None."""
    if items is None:
        return np.arange(len(view.tally.pair_table))
    return np.unique(view.tally.item_pair[items]).astype(np.int64)


def question_sums(
    view: View, columns: Columns, weights: Floats | None = None, *, is_against: bool = True
) -> QuestionSums:
    """What one rater said, by question.

    Args:
        columns: the rater's choices, see :func:`core.stats.collapsed.choices`; or three numbers of
            a pair that are not of either of its models.
        weights: what each pair weighs, by pair number; alike if left out.
        is_against: whether they are choices, of which the first two are of either model.
    """
    tally = view.tally

    def make() -> QuestionCounts:
        return QuestionCounts(question_index(tally), (COUNTS,), ((0, 0),))

    def take(kept: QuestionCounts, items: Longs | None) -> None:
        question_index(tally)
        pairs = touched_pairs(view, items)
        kept.put(pairs, turned(view, columns, pairs, is_against))

    if weights is not None:
        counts = turned(view, columns, np.arange(len(weights)), is_against)
        return replace(_weighed(view, counts * weights[:, None]), is_against=is_against)
    key = ("questions", view.selection, columns.key)
    found = sums_of(followed(view, key, make, take, columns.follows))
    return replace(found, is_against=is_against)


def points_of(counts: NDArray[Any]) -> Longs:
    """Twice the points of the lower model, and comparisons, of wins of either model and ties."""
    return np.stack([2 * counts[:, 0] + counts[:, 2], counts.sum(axis=1)], axis=1)


def products_of_two(view: View, one: Columns, other: Columns) -> Blocks:
    """Products of what two raters said, as :func:`points_of` tells it."""
    tally = view.tally

    def make() -> QuestionCounts:
        return QuestionCounts(question_index(tally), (2, 2), ((0, 1),))

    def take(kept: QuestionCounts, items: Longs | None) -> None:
        question_index(tally)
        pairs = touched_pairs(view, items)
        counts = [points_of(turned(view, each, pairs)) for each in (one, other)]
        kept.put(pairs, np.concatenate(counts, axis=1))

    key = ("questions of two", view.selection, one.key, other.key)
    return followed(view, key, make, take, one.follows and other.follows).blocks[0, 1]


def followed(
    view: View,
    key: Hashable,
    make: Callable[[], T],
    take: Callable[[T, Longs | None], None],
    follows: bool,
) -> T:
    """What is kept under a key, or made anew where the tally does not know what changed."""
    if follows:
        return view.followed.items.followed(key, make, take)
    anew = make()
    take(anew, None)
    return anew


def _weighed(view: View, counts: Floats) -> QuestionSums:
    """Counts that are not whole numbers, worked out anew."""
    table = view.tally.pair_table
    question, couple = table[:, 3].astype(np.int64), couples_of(table[:, 0], table[:, 1])
    size = int(couple.max(initial=-1)) + 1
    has_any = counts.any(axis=1)
    said = by_question(question, couple, counts, size)
    blocks = Blocks((COUNTS, COUNTS), half=True)
    blocks.add_products(said.T @ said)
    pairs = np.bincount(couple[has_any], minlength=size)
    couples = np.flatnonzero(pairs)
    totals = np.zeros((size, COUNTS))
    np.add.at(totals, couple, counts)
    found = question[has_any], couple[has_any]
    return QuestionSums(
        couples, totals[couples], pairs[couples], blocks, *compared(*found), lambda: found
    )
