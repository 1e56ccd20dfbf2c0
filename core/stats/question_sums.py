"""Products of counts summed over questions: what a sandwich clustered by question rests on.

Two pairs of one question may share an answer, so what raters say of them is not independent: a
poor answer loses to everybody. The score of a question is a linear map of its counts (wins, losses,
ties by couple of models), whose coefficients the fit decides, so that Σ s sᵀ over questions follows
from Σ x xᵀ of the counts x. That sum is of whole numbers, and a vote replaces one question's part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.stats.collapsed import MODELS, Columns, pair_rows
from core.stats.growing import Growing
from core.stats.standing import ItemsOfPairs
from core.stats.tally import TIE
from core.stats.view import View

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

COUNTS = 3
"""Numbers of a pair: wins of the model with the lower number, of the other, ties."""


def _couples(one: NDArray[Any], two: NDArray[Any]) -> Longs:
    """One number for each two models, whichever comes first, however many models there will be."""
    low, high = np.minimum(one, two).astype(np.int64), np.maximum(one, two).astype(np.int64)
    return np.asarray(high * (high - 1) // 2 + low)


def _models(couples: Longs) -> tuple[Longs, Longs]:
    """Lower and higher model of couples."""
    high = ((1 + np.sqrt(1 + 8.0 * couples)) / 2).astype(np.int64)
    return couples - high * (high - 1) // 2, high


def _table(question: Longs, couple: Longs, counts: NDArray[Any], size: int) -> csr_array:
    """The counts x of each question, shape (questions, size × 3); pairs stand in any order."""
    from scipy.sparse import csr_array

    _, row = np.unique(question, return_inverse=True)
    rows = np.repeat(row, COUNTS)
    columns = (couple[:, None] * COUNTS + np.arange(COUNTS)).ravel()
    shape = (int(row.max(initial=-1)) + 1, size * COUNTS)
    table = csr_array((counts.ravel().astype(np.float64), (rows, columns)), shape=shape)
    table.eliminate_zeros()
    return table


@dataclass(frozen=True, slots=True)
class QuestionSums:
    """What one rater said, ready for a sandwich over questions.

    Attributes:
        one: lower model of each couple that was compared; shape (couples,), by rising number.
        two: the other.
        products: Σ over questions of the products of their counts, (couples × 3, couples × 3).
        count: questions with a comparison.
        by_model: questions on which each model was compared, by its number.
        compared: question and couple number of every pair with a comparison.
    """

    one: Longs
    two: Longs
    products: csr_array
    count: int
    by_model: Longs
    compared: Callable[[], tuple[Longs, Longs]]

    def questions(self, members: Longs) -> int:
        """How many questions compare two of these models."""
        inside = np.isin(self.one, members) & np.isin(self.two, members)
        if inside.all():
            return self.count
        question, couple = self.compared()
        wanted = _couples(self.one[inside], self.two[inside])
        return len(np.unique(question[np.isin(couple, wanted)]))

    def fewest(self, members: Longs) -> int:
        """Of the questions on which each of these models was compared, the smallest number."""
        return int(self.by_model[members].min())

    def meat(
        self,
        members: Longs,
        slopes: Callable[[Longs, Longs], Floats],
    ) -> Floats:
        """Σ s sᵀ over the questions' scores.

        Args:
            members: the models that were fitted, in the order of their parameters.
            slopes: what one win, loss or tie of couples of these models (by their places) adds to
                the score: along the gap of the two, then along each further parameter; shape
                (couples, 3, 1 + further).

        Returns:
            Shape (members + further, members + further).
        """
        from scipy.sparse import csr_array

        place = np.full(max(int(self.two.max()), int(self.one.max()), int(members.max())) + 1, -1)
        place[members] = np.arange(len(members))
        one, two = place[self.one], place[self.two]
        inside = np.flatnonzero((one >= 0) & (two >= 0))
        cells = _cells(inside)
        products = _of_cells(self.products, cells)
        along = slopes(one[inside], two[inside])
        further = along.shape[2] - 1
        gap, row = along[:, :, 0].ravel(), np.arange(len(cells))
        columns = [np.repeat(one[inside], COUNTS), np.repeat(two[inside], COUNTS)]
        values = [gap, -gap]
        for number in range(further):
            columns.append(np.full(len(cells), len(members) + number))
            values.append(along[:, :, 1 + number].ravel())
        scores = csr_array(
            (np.concatenate(values), (np.tile(row, 2 + further), np.concatenate(columns))),
            shape=(len(cells), len(members) + further),
        )
        return np.asarray((scores.T @ (products @ scores)).toarray())


class _Kept:
    """Counts by pair, and their products summed over questions, brought up to date by pair."""

    def __init__(self) -> None:
        from scipy.sparse import csr_array

        self._of_question = ItemsOfPairs()
        self._known = 0
        self._counts = Growing(np.float64, COUNTS)
        self._question = Growing(np.int64)
        self._couple = Growing(np.int64)
        self._count = 0
        self._by_model = Growing(np.int64)
        self._products = csr_array((0, 0), dtype=np.float64)

    def put(self, table: NDArray[Any], pairs: Longs, counts: Floats) -> None:
        """Let these pairs, each named once, have these counts from now on.

        Args:
            table: models, category and question of every pair there is.
        """
        if fresh := len(table) - self._known:
            new = table[-fresh:]
            self._of_question.add(new[:, 3].astype(np.int64))
            self._question.extend(new[:, 3])
            self._couple.extend(_couples(new[:, 0], new[:, 1]))
            self._counts.grow_to(len(table))
            self._known = len(table)
        if np.array_equal(self._counts.rows[pairs], counts):
            return
        from scipy.sparse import csr_array

        touched, _ = self._of_question.of(np.unique(self._question.rows[pairs]))
        question, couple = self._question.rows[touched], self._couple.rows[touched]
        size = int(couple.max()) + 1
        if size * COUNTS > self._products.shape[0]:
            self._products = self._products.copy()  # somebody may have been told of it
            self._products.resize((size * COUNTS, size * COUNTS))
        size = self._products.shape[0] // COUNTS
        before = self._counts.rows[touched]
        self._counts.rows[pairs] = counts
        after = self._counts.rows[touched]
        for counted, sign in ((before, -1), (after, 1)):
            count, by_model = _compared(question, couple, counted)
            self._count += sign * count
            self._by_model.grow_to(len(by_model))
            self._by_model.rows[: len(by_model)] += sign * by_model
        # (x + d)(x + d)ᵀ − x xᵀ, with little in d: a vote moves one pair of its question.
        was = _table(question, couple, before, size)
        moved = _table(question, couple, after - before, size)
        crossed = was.T @ moved
        change = csr_array(crossed + crossed.T + moved.T @ moved)
        self._products = csr_array(self._products + change)
        self._products.eliminate_zeros()

    def told(self) -> QuestionSums:
        """What there is now."""
        by_model = self._by_model.rows.copy()
        return _told(self._products, self._count, by_model, self._pairs_compared)

    def _pairs_compared(self) -> tuple[Longs, Longs]:
        has_any = self._counts.rows.any(axis=1)
        return self._question.rows[has_any], self._couple.rows[has_any]


def _compared(question: Longs, couple: Longs, counts: Floats) -> tuple[int, Longs]:
    """How many questions have a comparison, in all and by the models in it."""
    has_any = counts.any(axis=1)
    question, couple = question[has_any], couple[has_any]
    low, high = _models(couple)
    size = int(high.max(initial=-1)) + 1
    each = np.unique(np.append(question, question) * max(size, 1) + np.append(low, high))
    return len(np.unique(question)), np.bincount(each % max(size, 1), minlength=size)


def _told(
    products: csr_array,
    count: int,
    by_model: Longs,
    compared: Callable[[], tuple[Longs, Longs]],
) -> QuestionSums:
    present = np.flatnonzero(products.diagonal().reshape(-1, COUNTS).any(axis=1))
    cells = _cells(present)
    inside = _of_cells(products, cells)
    inside.sort_indices()
    return QuestionSums(*_models(present), inside, count, by_model, compared)


def _of_cells(products: csr_array, cells: Longs) -> csr_array:
    """Rows and columns of some cells in rising order; the very table where these are all."""
    if len(cells) == products.shape[0]:
        return products
    return products[cells][:, cells]


def _cells(couples: Longs) -> Longs:
    """Rows of :attr:`QuestionSums.products` that are of these couples."""
    return np.asarray((couples[:, None] * COUNTS + np.arange(COUNTS)).ravel())


def question_sums(view: View, columns: Columns, weights: Floats | None = None) -> QuestionSums:
    """What one rater said, by question.

    Args:
        columns: the rater's choices, see :func:`core.stats.collapsed.choices`.
        weights: what each pair weighs, by pair number; alike if left out.
    """
    tally = view.tally

    def counted(pairs: Longs) -> Floats:
        rows, has_items = pair_rows(view, MODELS, (columns,), pairs)
        counts = rows[:, len(MODELS) :][:, :TIE] * has_items[:, None]
        turned = rows[:, 0] > rows[:, 1]
        counts[turned, :2] = counts[turned, 1::-1]
        return counts.astype(np.float64)

    def take(kept: _Kept, items: Longs | None) -> None:
        touched = (
            np.arange(len(tally.pair_table)) if items is None else np.unique(tally.item_pair[items])
        )
        pairs = np.asarray(touched, np.int64)
        kept.put(tally.pair_table, pairs, counted(pairs))

    if weights is not None:
        table = tally.pair_table
        counts = counted(np.arange(len(table))) * weights[:, None]
        question, couple = table[:, 3].astype(np.int64), _couples(table[:, 0], table[:, 1])
        each = _table(question, couple, counts, int(couple.max(initial=-1)) + 1)
        products = csr_array(each.T @ each)
        has_any = counts.any(axis=1)
        compared = question[has_any], couple[has_any]
        return _told(products, *_compared(question, couple, counts), lambda: compared)
    if columns.follows:
        key = ("questions", view.selection, columns.key)
        return view.followed.items.followed(key, _Kept, take).told()
    kept = _Kept()
    take(kept, None)
    return kept.told()
