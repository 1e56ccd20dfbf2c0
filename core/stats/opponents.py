"""What a model's pairs of one question have in common: products of its results by opponent.

A model's answer to a question meets several others. Its win rate is a mean over opponents, so that
the error of the mean rests on how its shares against them move together from question to question.
The score of a question is a linear map of its wins and comparisons by opponent, whose coefficients
follow from the rates, so that all of it follows from sums of products, which are whole numbers: a
vote replaces what one question adds for two models.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.stats.by_question import pairs_of, questions_of
from core.stats.collapsed import Columns, pair_rows
from core.stats.growing import Growing
from core.stats.nearby import kept
from core.stats.sorting import grouped
from core.stats.view import View

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

_BITS = 24
_CHUNK = 1 << 12
"""Questions whose products are added up in one go."""

_ITEMS = 1 << 18
"""Items that are looked at together where all of them are."""

ANY = 0
"""The lane of everything where categories are not kept apart."""


class Block:
    """One model's products in one lane.

    Attributes:
        questions: with a comparison.
    """

    def __init__(self) -> None:
        self.questions = 0
        self._place: dict[int, int] = {}
        self._products = np.zeros((0, 0))
        self._told: tuple[Longs, Floats] | None = None

    def add(self, row: Longs, opponent: Longs, counts: Floats, sign: int) -> None:
        """Add what questions have, or take it away.

        Args:
            row: the question of each entry, rising.
            opponent: of each entry.
            counts: wins and comparisons of each, shape (entries, 2).
        """
        met = counts[:, 1] > 0
        if not met.any():
            return
        self._told = None
        row, opponent, counts = row[met], opponent[met], counts[met]
        is_first = np.append(True, row[1:] != row[:-1])
        self.questions += sign * int(is_first.sum())
        number = np.cumsum(is_first) - 1
        several = (np.bincount(number) > 1)[number]
        if not several.any():
            return
        number, opponent, counts = number[several], opponent[several], counts[several]
        place, size = self._places(opponent), len(self._products)
        for start in range(0, int(number[-1]) + 1, _CHUNK):
            here = slice(*np.searchsorted(number, (start, start + _CHUNK)))
            table = np.zeros((min(_CHUNK, int(number[-1]) + 1 - start), size))
            table[number[here] - start, place[here]] = counts[here, 0]
            table[number[here] - start, place[here] + 1] = counts[here, 1]
            found = table.T @ table
            one = np.arange(0, size, 2)
            for a in (0, 1):
                for b in (0, 1):
                    found[one + a, one + b] = 0
            self._products += sign * found

    def crossed(self, wins: Floats, comparisons: Floats) -> float:
        """Σ over questions of what different opponents' scores have in common.

        Args:
            wins, comparisons: what one of them adds to a score, by model number of the opponent.
        """
        if self._told is None:
            self._told = self._sorted()
        met, products = self._told
        if not met.size:
            return 0.0
        along = np.stack([wins[met], comparisons[met]], axis=1).ravel()
        return float(along @ products @ along)

    def _places(self, opponents: Longs) -> Longs:
        """Where the wins against opponents stand, comparisons next; room is made for new ones."""
        met, which = np.unique(opponents, return_inverse=True)
        places = [self._place.setdefault(each, 2 * len(self._place)) for each in met.tolist()]
        grown = 2 * len(self._place) - len(self._products)
        if grown:
            self._products = np.pad(self._products, (0, grown))
        return np.array(places, np.int64)[which]

    def _sorted(self) -> tuple[Longs, Floats]:
        """Opponents by rising number, and Σ x xᵀ of wins and comparisons in that order.

        What one opponent has with itself is not in it, nor is who shares no question with another.
        """
        met = np.fromiter(self._place, np.int64, len(self._place))
        place = np.fromiter(self._place.values(), np.int64, len(self._place))
        shares = np.abs(self._products[place + 1]).sum(axis=1) > 0
        order = np.argsort(met)
        order = order[shares[order]]
        cells = (place[order][:, None] + np.arange(2)).ravel()
        return met[order], np.ascontiguousarray(self._products[np.ix_(cells, cells)])


class Opponents:
    """One rater's products of every model, by lane.

    Args:
        apart: whether each category is a lane of its own.
    """

    def __init__(self, apart: bool) -> None:
        self._apart = apart
        self._counts = Growing(np.float64, 3)
        self._blocks: dict[int, Block] = {}

    def put(
        self, table: NDArray[np.int32], pairs: Longs, owner: Longs, changed: Longs, counts: Floats
    ) -> None:
        """Let some pairs have other counts.

        Args:
            table: models, category and question of every pair there is.
            pairs: all pairs of the questions concerned.
            owner: of each of these, the place of its question.
            changed: pairs, each named once.
            counts: of each of them its models' wins and the comparisons.
        """
        self._counts.grow_to(len(table))
        rows = table[pairs].astype(np.int64)
        is_moved = np.isin(pairs, changed)
        lane = rows[:, 2] if self._apart else np.full(len(rows), ANY)
        key = np.concatenate([lane << _BITS | rows[:, 0], lane << _BITS | rows[:, 1]])
        owner = np.tile(owner, 2)
        size = int(owner.max(initial=-1)) + 1
        cells, _, cell = grouped(key * max(size, 1) + owner)
        touched = np.zeros(len(cells), np.bool_)
        touched[cell[np.tile(is_moved, 2)]] = True
        mine = np.flatnonzero(touched[cell])
        mine = mine[np.argsort(cell[mine], kind="stable")]
        of, key, row = pairs[mine % len(pairs)], key[mine], cell[mine]
        is_second = mine >= len(pairs)
        opponent = np.where(is_second, rows[mine % len(pairs), 0], rows[mine % len(pairs), 1])
        entries = key, row, opponent
        before = _sided(self._counts.rows[of], is_second)
        if before.any():
            self._add(*entries, before, -1)
        self._counts.rows[changed] = counts
        self._add(*entries, _sided(self._counts.rows[of], is_second), 1)

    def _add(self, key: Longs, row: Longs, opponent: Longs, counts: Floats, sign: int) -> None:
        cuts = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
        for start, end in zip(cuts, np.append(cuts[1:], len(key)), strict=True):
            block = self._blocks.setdefault(int(key[start]), Block())
            part = slice(start, end)
            block.add(row[part], opponent[part], counts[part], sign)

    def blocks(self) -> Iterator[tuple[int, int, Block]]:
        """Lane, model and products, of all models with a comparison."""
        for key, block in self._blocks.items():
            if block.questions:
                yield key >> _BITS, key & ((1 << _BITS) - 1), block


def _sided(counts: Floats, is_second: NDArray[np.bool_]) -> Floats:
    """Wins of the model that each entry is about, and comparisons."""
    return np.stack([np.where(is_second, counts[:, 1], counts[:, 0]), counts[:, 2]], axis=1)


def opponents(
    view: View, columns: Columns, apart: bool, weights: Floats | None = None
) -> Opponents:
    """One rater's results by opponent, as questions have them.

    Args:
        columns: of each item the wins of either model and the comparisons come first.
        apart: whether each category is a lane of its own.
        weights: what each pair weighs, by pair number; alike if left out.
    """
    tally = view.tally

    def take(found: Opponents, items: Longs | None) -> None:
        for questions in questions_of(view, items, _ITEMS):
            pairs, owner = pairs_of(view, questions)
            changed = pairs
            if items is not None:
                changed = np.unique(tally.item_pair[items]).astype(np.int64)
                changed = changed[np.isin(changed, pairs)]
            rows, has_items = pair_rows(view, (), (columns,), changed)
            counts = (rows[:, :3] * has_items[:, None]).astype(np.float64)
            if weights is not None:
                counts *= weights[changed][:, None]
            found.put(tally.pair_table, pairs, owner, changed, counts)

    make = partial(Opponents, apart)
    if weights is not None:
        anew = make()
        take(anew, None)
        return anew
    return kept(view, ("opponents", columns.key, apart), make, take, columns.follows)
