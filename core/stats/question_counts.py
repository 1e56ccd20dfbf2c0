"""What raters said by question, and products of it summed over questions, kept up to date.

Two pairs of one question may share an answer, so what raters say of them is not independent. What
a sandwich over questions needs of all votes is Σ x yᵀ, with x and y the counts of a question by
couple of models, of one rater or of two. It is a sum of whole numbers. A vote on a pair moves the
products of that pair's couple with the couples of its own question, and no others.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from core.stats.growing import Growing
from core.stats.tally import Tally

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

_SHIFT: Final = 32
_MANY: Final = 64
"""Questions beyond which the products of all of them are worked out together."""

_FRESH: Final = 256


def couples_of(one: NDArray[Any], two: NDArray[Any]) -> Longs:
    """One number for each two models, whichever comes first, however many models there will be."""
    low, high = np.minimum(one, two).astype(np.int64), np.maximum(one, two).astype(np.int64)
    return np.asarray(high * (high - 1) // 2 + low)


def models_of(couples: Longs) -> tuple[Longs, Longs]:
    """Lower and higher model of couples."""
    high = ((1 + np.sqrt(1 + 8.0 * couples)) / 2).astype(np.int64)
    return couples - high * (high - 1) // 2, high


class QuestionIndex:
    """The pairs of each question, and the couple of each pair."""

    def __init__(self) -> None:
        self._question = Growing(np.int32)
        self._couple = Growing(np.int32)
        self._order = np.zeros(0, np.int64)
        self._start = np.zeros(1, np.int64)
        self._fresh: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._question)

    @property
    def question(self) -> NDArray[np.int32]:
        """Question by pair number."""
        return self._question.rows

    @property
    def couple(self) -> NDArray[np.int32]:
        """Couple by pair number."""
        return self._couple.rows

    def take(self, table: NDArray[Any]) -> None:
        """Take the pairs of a table that are new: models, category, question."""
        known = len(self)
        new = table[known:]
        if not len(new):
            return
        self._question.extend(new[:, 3])
        self._couple.extend(couples_of(new[:, 0], new[:, 1]))
        if len(self) - len(self._order) > max(_FRESH, len(self._order) // 8):
            self._order = np.argsort(self.question, kind="stable")
            counts = np.bincount(self.question)
            self._start = np.concatenate([[0], np.cumsum(counts)])
            self._fresh = {}
            return
        for pair, question in enumerate(new[:, 3].tolist(), known):
            self._fresh.setdefault(question, []).append(pair)

    def of(self, question: int) -> Longs:
        """The pairs of a question, rising."""
        fresh = np.array(self._fresh.get(question, ()), np.int64)
        if question + 1 >= len(self._start):
            return fresh
        return np.append(self._order[self._start[question] : self._start[question + 1]], fresh)

    def of_all(self, questions: Longs) -> Longs:
        """The pairs of some questions."""
        if len(questions) <= _MANY:
            every = [self.of(question) for question in questions.tolist()]
            return np.concatenate([np.zeros(0, np.int64), *every])
        wanted = np.zeros(int(self.question.max(initial=0)) + 1, np.bool_)
        wanted[questions] = True
        return np.flatnonzero(wanted[self.question])


def question_index(tally: Tally) -> QuestionIndex:
    """The index of a tally's pairs, shared by all that is kept by question."""
    key = ("pairs of questions",)
    known: tuple[int, QuestionIndex] | None = tally.memo.get(key)
    if known is None or known[0] != tally.epoch:
        known = tally.epoch, QuestionIndex()
        tally.memo.keep(key, known)
    known[1].take(tally.pair_table)
    return known[1]


class Blocks:
    """Σ over questions of x yᵀ, by couple of x and couple of y.

    Args:
        wide: numbers of x, and of y, by couple.
        half: whether x and y are the same, so that of each two couples one block is kept.
    """

    def __init__(self, wide: tuple[int, int], half: bool) -> None:
        self.wide, self.half = wide, half
        self._keys = np.zeros(0, np.int64)
        self._values = np.zeros((wide[0] * wide[1], 0))  # columns are read one by one

    @property
    def left(self) -> Longs:
        """Couple of x by block, in rising order with :attr:`right`."""
        return np.asarray(self._keys >> _SHIFT)

    @property
    def right(self) -> Longs:
        """Couple of y by block."""
        return np.asarray(self._keys & ((1 << _SHIFT) - 1))

    @property
    def values(self) -> Floats:
        """Shape (numbers of x, numbers of y, blocks)."""
        return self._values.reshape(*self.wide, -1)

    def _add(self, keys: Longs, values: Floats) -> None:
        """Add to some blocks, each named once.

        Args:
            values: shape (numbers of x × numbers of y, blocks).
        """
        place = np.searchsorted(self._keys, keys)
        known = place < len(self._keys)
        known[known] = self._keys[place[known]] == keys[known]
        if not known.all():
            every = np.concatenate([self._keys, keys[~known]])
            order = np.argsort(every, kind="stable")
            fresh = np.zeros((len(self._values), int((~known).sum())))
            self._keys = every[order]
            self._values = np.concatenate([self._values, fresh], axis=1)[:, order]
            place = np.searchsorted(self._keys, keys)
        self._values[:, place] += values

    def move(self, couples: Longs, x: tuple[Floats, Floats], y: tuple[Floats, Floats]) -> None:
        """Take one question's counts as they are now in place of what they were.

        Args:
            couples: of the question, rising; shape (couples,).
            x: before and after, shape (couples, numbers).
            y: the same of the other.
        """
        rows, columns = ((each[0] != each[1]).any(axis=1) for each in (x, y))
        if not rows.any() and not columns.any():
            return
        there = [(each[0] != 0).any(axis=1) | (each[1] != 0).any(axis=1) for each in (x, y)]
        cells = (rows[:, None] & there[1]) | (there[0][:, None] & columns)
        i, j = np.nonzero(np.triu(cells) if self.half else cells)
        before, after = (x[when][i][:, :, None] * y[when][j][:, None, :] for when in (0, 1))
        keys = couples[i] << _SHIFT | couples[j]
        self._add(keys, (after - before).reshape(len(i), len(self._values)).T)

    def add_products(self, products: csr_array) -> None:
        """Add products by couple × number."""
        table = products.tocoo()
        row, column = table.coords
        (i, k), (j, n) = np.divmod(row, self.wide[0]), np.divmod(column, self.wide[1])
        keys = i.astype(np.int64) << _SHIFT | j.astype(np.int64)
        kept = (i <= j) & (table.data != 0) if self.half else table.data != 0
        found, place = np.unique(keys[kept], return_inverse=True)
        values = np.zeros((len(self._values), len(found)))
        values[(k * self.wide[1] + n)[kept], place] = table.data[kept]
        self._add(found, values)


def by_question(question: Longs, couple: Longs, counts: NDArray[Any], size: int) -> csr_array:
    """Counts by question and couple × number; pairs stand in any order.

    Args:
        counts: of each pair, shape (pairs, numbers).
        size: how many couples there are.
    """
    from scipy.sparse import csr_array

    wide = counts.shape[1]
    _, row = np.unique(question, return_inverse=True)
    columns = (couple.astype(np.int64)[:, None] * wide + np.arange(wide)).ravel()
    shape = (int(row.max(initial=-1)) + 1, size * wide)
    cells = (np.repeat(row, wide), columns)
    table = csr_array((counts.ravel().astype(np.float64), cells), shape=shape)
    table.eliminate_zeros()
    return table


def compared(question: Longs, couple: Longs) -> tuple[int, Longs]:
    """How many questions some pairs with a comparison are on, in all and by the models in it."""
    low, high = models_of(couple)
    size = int(high.max(initial=-1)) + 1
    each = np.unique(np.append(question, question) * max(size, 1) + np.append(low, high))
    return len(np.unique(question)), np.bincount(each % max(size, 1), minlength=size)


class QuestionCounts:
    """Counts by pair in some groups (a rater's, or part of them), and sums over questions.

    Args:
        index: of the tally.
        wide: how many numbers each group has of a pair; none but 0 is no comparison.
        products: groups whose products are summed; a group with itself is kept by halves.
    """

    def __init__(
        self, index: QuestionIndex, wide: tuple[int, ...], products: tuple[tuple[int, int], ...]
    ) -> None:
        self._index = index
        ends = np.cumsum((0, *wide)).tolist()
        self._groups = [slice(*each) for each in pairwise(ends)]
        self.blocks = {(x, y): Blocks((wide[x], wide[y]), half=x == y) for x, y in products}
        self._counts = Growing(np.int32, ends[-1])
        self._totals = Growing(np.int64, ends[-1])
        self._pairs = Growing(np.int64, len(wide))
        self._questions = np.zeros(len(wide), np.int64)
        self._by_model = Growing(np.int64, len(wide))

    def put(self, pairs: Longs, counts: NDArray[Any]) -> None:
        """Let these pairs, each named once, have these counts from now on.

        Args:
            counts: whole numbers, shape (pairs, numbers of all groups).
        """
        if not len(pairs):
            return
        self._counts.grow_to(len(self._index))
        questions = np.unique(self._index.question[pairs]).astype(np.int64)
        touched = self._index.of_all(questions)
        before = self._counts.rows[touched].astype(np.float64)
        self._counts.rows[pairs] = counts
        after = self._counts.rows[touched].astype(np.float64)
        couple = self._index.couple[touched].astype(np.int64)
        question = self._index.question[touched].astype(np.int64)
        self._count(question, couple, before, after)
        if len(questions) > _MANY:
            self._multiply(question, couple, before, after)
            return
        for each in questions.tolist():
            mine = question == each
            self._move(couple[mine], before[mine], after[mine])

    def totals(self, group: int) -> tuple[Longs, Longs, Longs]:
        """The couples that a group compares, rising; their counts in all; on how many pairs."""
        pairs = self._pairs.rows[:, group]
        couples = np.flatnonzero(pairs)
        return couples, self._totals.rows[couples, self._groups[group]], pairs[couples]

    def questions(self, group: int) -> tuple[int, Longs]:
        """On how many questions a group compares, in all and by model."""
        return int(self._questions[group]), self._by_model.rows[:, group].copy()

    def compared(self, group: int) -> tuple[Longs, Longs]:
        """Question and couple of every pair that a group compares; takes a look at every pair."""
        has_any = np.flatnonzero(self._counts.rows[:, self._groups[group]].any(axis=1))
        index = self._index
        return index.question[has_any].astype(np.int64), index.couple[has_any].astype(np.int64)

    def _count(self, question: Longs, couple: Longs, before: Floats, after: Floats) -> None:
        size = int(couple.max()) + 1
        self._totals.grow_to(size)
        self._pairs.grow_to(size)
        np.add.at(self._totals.rows, couple, (after - before).astype(np.int64))
        for group, columns in enumerate(self._groups):
            was, has = ((each[:, columns] != 0).any(axis=1) for each in (before, after))
            if np.array_equal(was, has):
                continue
            np.add.at(self._pairs.rows[:, group], couple, has.astype(np.int64) - was)
            for mine, sign in ((was, -1), (has, 1)):
                count, by_model = compared(question[mine], couple[mine])
                self._questions[group] += sign * count
                self._by_model.grow_to(len(by_model))
                self._by_model.rows[: len(by_model), group] += sign * by_model

    def _move(self, couple: Longs, before: Floats, after: Floats) -> None:
        couples, place = np.unique(couple, return_inverse=True)
        told = np.zeros((2, len(couples), before.shape[1]))
        for each, counts in zip(told, (before, after), strict=True):
            np.add.at(each, place, counts)
        for (one, two), blocks in self.blocks.items():
            x, y = (
                (told[0, :, at], told[1, :, at]) for at in (self._groups[one], self._groups[two])
            )
            blocks.move(couples, x, y)

    def _multiply(self, question: Longs, couple: Longs, before: Floats, after: Floats) -> None:
        size = int(couple.max()) + 1
        for counts, sign in ((before, -1.0), (after, 1.0)):
            if not counts.any():
                continue
            tables = [by_question(question, couple, counts[:, at], size) for at in self._groups]
            for (one, two), blocks in self.blocks.items():
                blocks.add_products(sign * (tables[one].T @ tables[two]))
