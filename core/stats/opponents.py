"""What a model's pairs of one question have in common: products of its results by opponent.

A model's answer to a question meets several others. Its win rate is a mean over opponents, so that
the error of the mean rests on how its shares against them move together from question to question.
The score of a question is a linear map of its wins and comparisons by opponent, whose coefficients
follow from the rates, so that all of it follows from sums of products, which are whole numbers: a
vote replaces what one question adds for two models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.stats.by_question import pairs_of_questions, questions_of
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

ANY = 0
"""The lane of everything where categories are not kept apart."""


@dataclass(slots=True)
class Block:
    """One model's products in one lane.

    Attributes:
        place: of each opponent, by model number.
        products: Σ over questions of x xᵀ without what one opponent has with itself, x being wins
            and comparisons by opponent; shape (opponents, 2, opponents, 2).
        questions: with a comparison.
    """

    place: dict[int, int] = field(default_factory=dict)
    products: Floats = field(default_factory=lambda: np.zeros((0, 2, 0, 2)))
    questions: int = 0

    def places(self, opponents: Longs) -> Longs:
        """Where opponents stand; room is made for new ones."""
        for each in np.unique(opponents).tolist():
            self.place.setdefault(each, len(self.place))
        grown = len(self.place) - len(self.products)
        if grown:
            self.products = np.pad(self.products, ((0, grown), (0, 0)) * 2)
        return np.array([self.place[each] for each in opponents.tolist()], np.int64)

    def add(self, row: Longs, opponent: Longs, counts: Floats, sign: int) -> None:
        """Add what questions have, or take it away.

        Args:
            row: the question of each entry, rising.
            opponent: of each entry.
            counts: wins and comparisons of each, shape (entries, 2).
        """
        met = counts[:, 1] > 0
        row, opponent, counts = row[met], opponent[met], counts[met]
        is_first = np.append(True, row[1:] != row[:-1])[: len(row)]
        self.questions += sign * int(is_first.sum())
        number = np.cumsum(is_first) - 1
        several = (np.bincount(number) > 1)[number]
        number, opponent, counts = number[several], opponent[several], counts[several]
        place = self.places(opponent)
        for start in range(0, int(number.max(initial=-1)) + 1, _CHUNK):
            here = (number >= start) & (number < start + _CHUNK)
            _, which = np.unique(number[here], return_inverse=True)
            table = np.zeros((int(which.max(initial=-1)) + 1, len(self.products), 2))
            np.add.at(table, (which, place[here]), counts[here])
            found = np.einsum("qai,qbj->aibj", table, table, optimize=True)
            each = np.arange(len(found))
            found[each, :, each, :] = 0
            self.products += sign * found

    def crossed(self, wins: Floats, comparisons: Floats) -> float:
        """Σ over questions of what different opponents' scores have in common.

        Args:
            wins, comparisons: what one of them adds to a score, by model number of the opponent.
        """
        met = np.fromiter(self.place, np.int64, len(self.place))
        order = np.argsort(met)
        has = np.abs(self.products).sum(axis=(1, 2, 3)) > 0
        order = order[has[order]]
        if not order.size:
            return 0.0
        along = np.stack([wins[met[order]], comparisons[met[order]]], axis=1)
        inside = self.products[order][:, :, order]
        return float(np.einsum("ai,aibj,bj->", along, inside, along, optimize=True))


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
        self._add(*entries, _sided(self._counts.rows[of], is_second), -1)
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
    pairs_of = pairs_of_questions(view)

    def take(found: Opponents, items: Longs | None) -> None:
        for questions in questions_of(view, items):
            pairs, owner = pairs_of.of(questions)
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
