"""Judge against annotator, item by item, the remaining annotators deciding: as sums that are kept.

What the alternative annotator test reads follows from sums over pairs of answers: of each annotator
in each category, and of every two annotators who voted on the same pair of answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.stats.collapsed import word
from core.stats.ledger import Floats, Ledger
from core.stats.nearby import Longs, counts_near, kept, near, votes_near
from core.stats.sorting import every_two, grouped
from core.stats.view import View

Bools = NDArray[np.bool_]

TERMS: Final = (
    "clusters",
    "size",
    "lag",
    "ahead",
    "lag_lag",
    "lag_size",
    "ahead_ahead",
    "ahead_size",
    "size_size",
    "votes",
)
"""Sums of an annotator: pairs of answers; duels; behind − ahead; ahead; Σ of products; votes."""

_BITS: Final = 21
_ANYBODY: Final = (1 << _BITS) - 1
FEWEST_ITEMS: Final = 30
"""Duels below which nothing is tested."""

_CROWD: Final = 40
"""Annotators on one pair of answers beyond which not every two of them are looked at beforehand."""


@dataclass(frozen=True, slots=True)
class Fought:
    """Sums of some annotators, each with a judge's duels against them.

    Attributes:
        annotator: shape (annotators,).
        sums: :data:`TERMS` of each, whole numbers; shape (annotators, 10).
    """

    annotator: Longs
    sums: Longs

    def __getitem__(self, term: str) -> Longs:
        found: Longs = self.sums[:, TERMS.index(term)]
        return found

    def only(self, mine: Bools | Longs) -> Fought:
        """Some of them."""
        return Fought(self.annotator[mine], self.sums[mine])

    def squares(self, of: str) -> Floats:
        """Σ over clusters of (what the cluster has − mean × its size)², per annotator; exact."""
        n, total, square, cross, size = (
            self[term].astype(object)  # whole numbers of any length
            for term in ("size", of, f"{of}_{of}", f"{of}_size", "size_size")
        )
        found = (n * n * square - 2 * n * total * cross + total * total * size) / (n * n)
        return np.asarray(found, np.float64)


def added_up(annotator: Longs, sums: Longs) -> Fought:
    """Sums by annotator, of those who have a duel."""
    found, place = np.unique(annotator, return_inverse=True)
    total = np.zeros((len(found), len(TERMS)), np.int64)
    np.add.at(total, place, sums)
    fought = Fought(found, total)
    return fought.only(fought["size"] > 0)


def terms(values: Floats) -> Longs:
    """What clusters add to :data:`TERMS`.

    Args:
        values: behind − ahead, ahead, duels and votes of one annotator on one pair of answers;
            shape (clusters, 4).
    """
    lag, ahead, size, votes = values.astype(np.int64).T
    columns = [size > 0, size, lag, ahead, lag**2, lag * size, ahead**2, ahead * size, size**2]
    return np.stack([*(each.astype(np.int64) for each in columns), votes], axis=1)


def _products(values: Floats) -> Longs:
    return values.astype(np.int64)


class Duels:
    """The sums of one judge."""

    def __init__(self) -> None:
        self._alone = Ledger(4, terms, np.int32)
        self._couples = Ledger(4, _products, np.int32)
        self._crowded: set[int] = set()

    def put(self, pairs: Longs, owner: Longs, category: Longs, annotator: Longs, v: Floats) -> None:
        """Let some pairs of answers have these parts from now on.

        Args:
            owner: of each part, the place of its pair among these.
            category: of each, the pair's category.
            v: of each, see :func:`terms`.
        """
        fought = np.flatnonzero(v[:, 2] > 0)
        any_of, first = np.unique(owner[fought], return_index=True)
        cells = category << _BITS | annotator
        anybody = category[fought][first] << _BITS | _ANYBODY
        values = np.concatenate([v, np.tile([0.0, 0.0, 1.0, 0.0], (len(any_of), 1))])
        self._alone.put(pairs, np.append(owner, any_of), np.append(cells, anybody), values)
        size = np.bincount(owner[fought], minlength=len(pairs))
        self._crowded -= set(pairs.tolist())
        self._crowded |= set(pairs[size > _CROWD].tolist())
        mine = fought[size[owner[fought]] <= _CROWD]
        mine = mine[np.lexsort((annotator[mine], owner[mine]))]
        one, two = (mine[each] for each in every_two(owner[mine]))
        places = cells[one] << _BITS | annotator[two]
        products = [v[one, a] * v[two, b] for a in (1, 2) for b in (1, 2)]
        self._couples.put(pairs, owner[one], places, np.stack(products, axis=1))

    def told(self) -> Told:
        """What they are now."""
        cells, sums = self._alone.sums()
        couples, products = self._couples.sums()
        few = cells[(sums[:, TERMS.index("size")] < FEWEST_ITEMS) & (cells & _ANYBODY < _ANYBODY)]
        beside = np.array(sorted({*self._crowded, *self._alone.clusters_with(few).tolist()}), int)
        owner, cell, values = self._alone.parts(beside)
        real = (values[:, 2] > 0) & (cell & _ANYBODY < _ANYBODY)
        owner, cell, values = owner[real], cell[real], values[real]
        is_crowded = np.isin(beside, list(self._crowded))
        parts = owner, cell >> _BITS, cell & _ANYBODY, values
        return Told(cells >> _BITS, cells & _ANYBODY, sums, couples, products, parts, is_crowded)


@dataclass(frozen=True, slots=True)
class Told:
    """The sums of one judge at one moment.

    Attributes:
        category, annotator: of each row of ``sums``.
        couples: of each row of ``products``, its category and two annotators.
        beside: of pairs of answers that have to be looked at one by one, the parts: the pair, the
            category, the annotator, the numbers.
        is_crowded: which of these pairs are in no product.
    """

    category: Longs
    annotator: Longs
    sums: Longs
    couples: Longs
    products: Longs
    beside: tuple[Longs, Longs, Longs, Floats]
    is_crowded: Bools

    @property
    def people(self) -> int:
        """Annotators with a vote."""
        return len(np.unique(self.annotator[self.annotator < _ANYBODY]))

    @property
    def categories(self) -> Longs:
        """Those with a duel."""
        return np.unique(self.category[self.annotator == _ANYBODY])

    def fought(self, category: int | None) -> Fought:
        """The sums of everybody with a duel in a category, or in all."""
        mine = self.annotator < _ANYBODY
        if category is not None:
            mine &= self.category == category
        return added_up(self.annotator[mine], self.sums[mine])

    def spread(self, category: int | None, annotator: Longs, ahead: Floats) -> tuple[int, float]:
        """How far the mean of some annotators' shares varies.

        Args:
            annotator: who they are.
            ahead: the share of duels in which the judge is ahead, by annotator.

        Returns:
            How many pairs of answers have a duel against them; and the sum over these of the
            squares of what each moves the mean by.
        """
        fought = self.fought(category)
        place = np.full(_top(self.annotator), -1, np.int64)
        place[annotator] = np.arange(len(annotator))
        mine = fought.only(place[fought.annotator] >= 0)
        order = place[mine.annotator]
        weight = np.zeros(len(annotator))
        weight[order] = 1 / mine["size"] / len(annotator)
        total = float((weight[order] ** 2 * mine.squares("ahead")).sum())

        key = self.couples
        one, two = place[key >> _BITS & _ANYBODY], place[key & _ANYBODY]
        here = (one >= 0) & (two >= 0)
        if category is not None:
            here &= key >> 2 * _BITS == category
        one, two, products = one[here], two[here], self.products[here]
        crossed = products[:, 0] - ahead[two] * products[:, 1] - ahead[one] * products[:, 2]
        crossed += ahead[one] * ahead[two] * products[:, 3]
        total += 2 * float((weight[one] * weight[two] * crossed).sum())

        owner, of, who, values = self.beside
        here = np.ones(len(of), np.bool_) if category is None else of == category
        owner, who, values = owner[here], place[who[here]], values[here]
        size = len(self.is_crowded)
        seen = np.bincount(owner, minlength=size) > 0
        held = np.bincount(owner, weights=who >= 0, minlength=size) > 0
        moved = weight[who] * (values[:, 1] - ahead[who] * values[:, 2]) * (who >= 0)
        summed = np.bincount(owner, weights=moved, minlength=size)
        apart = np.bincount(owner, weights=moved**2, minlength=size)
        total += float((summed**2 - apart)[self.is_crowded].sum())

        anybody = self.annotator == _ANYBODY
        if category is not None:
            anybody &= self.category == category
        clusters = int(self.sums[anybody, 0].sum()) - int((seen & ~held).sum())
        return clusters, max(total, 0.0)


def _top(numbers: Longs) -> int:
    return int(numbers[numbers < _ANYBODY].max(initial=0)) + 1


def duels(view: View, population: str, judge: str) -> Told:
    """The duels of a judge with the annotators of a population."""
    said = word(view, judge)
    take = partial(_take, view, population, judge)
    name = "duels", view.vote_key(population), said.key
    found: Duels = kept(view, name, Duels, take, said.follows)
    return found.told()


def _take(view: View, population: str, judge: str, kept: Duels, items: Longs | None) -> None:
    tally = view.tally
    pairs = np.arange(len(tally.pair_table))
    if items is not None:
        pairs = np.unique(tally.item_pair[items]).astype(np.int64)
    here = near(view, pairs)
    people, _ = votes_near(view, here, population)
    counts, choice = counts_near(here, people), people.choice - 1
    said = word(view, judge).rows(here.items)[:, 0].astype(np.int64)[people.item] - 1
    fights = (said >= 0) & (counts.sum(axis=1)[people.item] > 1)
    # Of the remaining annotators, as many as the item has but for the one who is set aside.
    like_annotator = counts[people.item, choice] - 1
    like_judge = counts[people.item, said] - (choice == said)
    ahead = fights & (like_judge >= like_annotator)
    behind = fights & (like_annotator >= like_judge)
    width = max(len(pairs), 1)
    keys, _, place = grouped(people.rater * width + here.pair[people.item])
    owner = keys % width
    columns = [
        np.bincount(place, weights=each, minlength=len(keys))
        for each in (behind.astype(np.int64) - ahead, ahead, fights, np.ones(len(place)))
    ]
    category = tally.pair_table[pairs, 2].astype(np.int64)[owner]
    kept.put(pairs, owner, category, keys // width, np.stack(columns, axis=1))
