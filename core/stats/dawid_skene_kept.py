"""A fit of Dawid and Skene's that ballots are stepped into, at a cost of what they change.

EM needs of all ballots only sums: the expected ballots by rater, side, said and true class, and of
all items the expected classes. When an item changes, what it had in the sums is taken out, its
probabilities are worked out again with the raters as they are now, and put in; then the raters who
have a ballot on it, and the prior, are made of the sums again. That is EM with an E-step of one
item (Neal & Hinton 1998, "A view of the EM algorithm that justifies incremental, sparse, and other
variants"), of which no step goes down. What it leaves undone is to look again at all the other
items with the raters as they have become: that is what a full fit does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.stats.dawid_skene import (
    LEAST,
    SIDES,
    Bools,
    Climbed,
    Floats,
    Longs,
    Problem,
    Rules,
    as_seen,
    as_shown,
    exchanged,
    made_up,
    normalised,
)
from core.stats.growing import Growing

NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Shown:
    """What raters said of what is true, as they saw it.

    Attributes:
        votes: expected votes by rater, true and said class, shape (raters, classes, classes). A
            vote without a side counts half for either; none is made up.
        certain: by rater and true class, how sure the truth of these votes is: Σ q² / Σ q with q
            the probability that the class is true; 1 where all is certain, 0 where nothing is.
    """

    votes: Floats
    certain: Floats


@dataclass(frozen=True, slots=True)
class Changed:
    """Some items as they are now.

    Attributes:
        item: their numbers, each once.
        counts: which of them are in the fit at all.
        truth: class that a ruling fixed, −1 where none did.
        owner: of each of their ballots, the place of its item among these; rising.
        rater: of each ballot, any number that tells its rater.
        left: which model stood left (1 or 2); 0 where it is not known.
        said: class in model space.
        given: what each item is taken for before these ballots, shape (items, classes); None
            where one prior stands for all.
    """

    item: Longs
    counts: Bools
    truth: Longs
    owner: Longs
    rater: Longs
    left: Longs
    said: Longs
    given: Floats | None = None

    @property
    def bounds(self) -> Longs:
        """Where each item's ballots begin, and the last one's end."""
        return _bounds(self.owner, len(self.item))

    def only(self, wanted: Bools) -> Changed:
        """Some of the items."""
        mine = wanted[self.owner]
        place = np.cumsum(wanted) - 1
        return Changed(
            self.item[wanted],
            self.counts[wanted],
            self.truth[wanted],
            place[self.owner[mine]],
            self.rater[mine],
            self.left[mine],
            self.said[mine],
            None if self.given is None else self.given[wanted],
        )


def _bounds(owner: Longs, items: int) -> Longs:
    return np.asarray(np.searchsorted(owner, np.arange(items + 1)))


class Kept:
    """A full fit, and what was stepped in since.

    Args:
        problem: that was fitted.
        found: the fit.
        items: numbers of the problem's items; rising.
        raters: numbers of the problem's raters.

    Attributes:
        raters: numbers of the raters, in the order of all arrays.
        steps: of EM, that the full fit took.
        converged: whether it came to its end.
    """

    def __init__(
        self, problem: Problem, found: Climbed, items: Longs, raters: Longs, rules: Rules
    ) -> None:
        classes = self._classes = problem.ballots.classes
        self._rules = rules
        self._extra = made_up(classes, rules.prior_votes)
        self.raters: list[int] = raters.tolist()
        self._place = {number: place for place, number in enumerate(self.raters)}
        self.steps, self.converged = found.steps, found.converged
        self._confusion = Growing(np.float64, classes * classes)
        self._confusion.extend(found.confusion.reshape(len(raters), classes * classes))
        # By rater, side and said: expected ballots by true class.
        self._expected = Growing(np.float64, classes)
        self._expected.extend(problem.turned @ (found.posterior * problem.times[:, None]))
        self._squares = Growing(np.float64, classes)  # the same by rater and side, of squares
        squares = problem.turned @ (found.posterior**2 * problem.times[:, None])
        self._squares.extend(squares.reshape(-1, classes, classes).sum(axis=1))
        self._prior = found.prior
        self._mass = problem.times @ found.posterior
        self._size = problem.ballots.items
        self._table = problem.table
        self._own: dict[int, Longs] = {}  # cells of the rows that are of one item
        self._row = Growing(np.int32)  # by item, its row + 1; 0: not in the fit
        if len(items):
            self._row.grow_to(int(items[-1]) + 1)
            self._row.rows[items] = problem.place + 1
        self._posterior = Growing(np.float64, classes)
        self._posterior.extend(found.posterior)
        self._posterior.grow_to(1)

    @property
    def items(self) -> int:
        """How many items are in the fit."""
        return self._size

    def posterior(self, items: NDArray[Any]) -> tuple[Floats, Bools]:
        """What some items are taken for, shape (items, classes), and which are in the fit."""
        self._row.grow_to(int(items.max(initial=-1)) + 1)
        row = self._row.rows[items] - 1
        return np.asarray(self._posterior.rows[np.maximum(row, 0)]), row > NOWHERE

    @property
    def kinds(self) -> Floats:
        """What items are taken for, by the numbers that :meth:`kind` tells."""
        return np.array(self._posterior.rows)

    def kind(self, items: Longs) -> Longs:
        """Numbers that are the same for items that are alike; none of them of items outside."""
        return np.asarray(self._row.rows[items].astype(np.int64) - 1)

    @property
    def ballots(self) -> Longs:
        """How many ballots there are, by rater, side and said class."""
        by_cell = self._expected.rows.sum(axis=1).reshape(-1, SIDES, self._classes)
        return np.asarray(np.rint(by_cell).astype(np.int64))

    def shown(self) -> Shown:
        """What raters said of what is true."""
        classes = self._classes
        expected = self._expected.rows.reshape(-1, SIDES, classes, classes).transpose(0, 1, 3, 2)
        either = expected[:, 0] + exchanged(expected[:, 0])
        votes = either / 2 + expected[:, 1] + exchanged(expected[:, 2])
        squares = self._squares.rows.reshape(-1, SIDES, classes)
        turned = squares[..., [1, 0, *range(2, classes)]]
        sure = (squares[:, 0] + turned[:, 0]) / 2 + squares[:, 1] + turned[:, 2]
        votes, sure = np.maximum(votes, 0), np.maximum(sure, 0)
        total = votes.sum(axis=2)
        return Shown(votes, np.divide(sure, total, out=np.zeros_like(total), where=total > 0))

    def differs(self, changed: Changed) -> Bools:
        """Which items have other ballots than those that are in the fit, or are new in it."""
        self._row.grow_to(int(changed.item.max(initial=-1)) + 1)
        rows = (self._row.rows[changed.item] - 1).tolist()
        cell, bounds = self._cell(changed), changed.bounds
        found = np.zeros(len(rows), np.bool_)
        for place, row in enumerate(rows):
            now = cell[bounds[place] : bounds[place + 1]]
            if row == NOWHERE or not changed.counts[place]:
                found[place] = (row == NOWHERE) == changed.counts[place]
            else:
                found[place] = not np.array_equal(np.sort(now), np.sort(self._cells(row)))
        return found

    def _cell(self, changed: Changed) -> Longs:
        cell = self._numbered(changed.rater) * SIDES + changed.left
        return np.asarray(cell * self._classes + changed.said)

    def step(self, changed: Changed) -> None:
        """Take some items as they are now in place of what they were."""
        self._take_out(changed.item)
        cell = self._cell(changed)
        posterior = self._worked_out(changed, cell)
        kept = changed.counts
        inside = kept[changed.owner]
        cell, owner = cell[inside], changed.owner[inside]
        self._put(cell, posterior[owner], 1)
        self._mass = self._mass + posterior[kept].sum(axis=0)
        self._size += int(kept.sum())
        self._remember(changed, posterior, cell, owner)
        self._learn(np.unique(cell // (SIDES * self._classes)))

    def _numbered(self, raters: Longs) -> Longs:
        """Places of some raters; new ones begin with what is made up."""
        for number in np.unique(raters).tolist():
            if number not in self._place:
                self._place[number] = len(self.raters)
                self.raters.append(number)
                self._confusion.extend(normalised(self._extra).reshape(1, -1))
                self._expected.grow_to(len(self.raters) * SIDES * self._classes)
                self._squares.grow_to(len(self.raters) * SIDES)
        return np.array([self._place[number] for number in raters.tolist()], np.int64)

    def _take_out(self, items: Longs) -> None:
        posterior, was_in = self.posterior(items)
        rows = self._row.rows[items[was_in]] - 1
        cells = [self._cells(row) for row in rows.tolist()]
        owner = np.repeat(np.flatnonzero(was_in), [len(each) for each in cells])
        self._put(np.concatenate([np.zeros(0, np.int64), *cells]), posterior[owner], -1)
        self._mass = self._mass - posterior[was_in].sum(axis=0)
        self._size -= len(rows)

    def _cells(self, row: int) -> Longs:
        """The ballots that a row rests on."""
        own = self._own.get(row)
        if own is not None:
            return own
        start, end = self._table.indptr[row : row + 2]
        cells, times = self._table.indices[start:end], self._table.data[start:end]
        return np.asarray(np.repeat(cells.astype(np.int64), times.astype(np.int64)))

    def _put(self, cell: Longs, posterior: Floats, by: int) -> None:
        np.add.at(self._expected.rows, cell, by * posterior)
        np.add.at(self._squares.rows, cell // self._classes, by * posterior**2)

    def _worked_out(self, changed: Changed, cell: Longs) -> Floats:
        """What the items are taken for with the raters as they are."""
        classes = self._classes
        rater = cell // (SIDES * classes)
        confusion = self._confusion.rows[rater].reshape(-1, classes, classes)
        each = np.arange(len(cell))
        seen = as_seen(confusion)[each, changed.left, :, changed.said]
        before = self._prior if changed.given is None else changed.given
        joint = np.zeros((len(changed.item), classes)) + np.log(np.maximum(before, LEAST))
        np.add.at(joint, changed.owner, np.log(seen))
        fixed = changed.truth > NOWHERE
        joint[fixed[:, None] & (changed.truth[:, None] != np.arange(classes))] = -np.inf
        likelihood = np.exp(joint - joint.max(axis=1, initial=-np.inf, keepdims=True))
        return np.asarray(likelihood / likelihood.sum(axis=1, keepdims=True))

    def _remember(self, changed: Changed, posterior: Floats, cell: Longs, owner: Longs) -> None:
        self._row.grow_to(int(changed.item.max(initial=-1)) + 1)
        bounds = _bounds(owner, len(changed.item))
        for place, item in enumerate(changed.item.tolist()):
            row = int(self._row.rows[item]) - 1
            if not changed.counts[place]:
                self._own.pop(row, None)
                self._row.rows[item] = 0
                continue
            if row not in self._own:
                row = len(self._posterior)
                self._posterior.grow_to(row + 1)
                self._row.rows[item] = row + 1
            self._own[row] = cell[bounds[place] : bounds[place + 1]]
            self._posterior.rows[row] = posterior[place]

    def _learn(self, raters: Longs) -> None:
        """Make some raters, and the prior, of the sums."""
        classes = self._classes
        shape = len(self.raters), SIDES, classes, classes
        expected = self._expected.rows.reshape(shape)[raters].transpose(0, 1, 3, 2)
        before = self._confusion.rows[raters].reshape(-1, classes, classes)
        # What was put in and taken out again may leave less than nothing by rounding.
        counts = as_shown(np.maximum(expected, 0), before) + self._extra
        self._confusion.rows[raters] = normalised(counts).reshape(-1, classes * classes)
        if self._size:
            self._prior = np.maximum(self._mass, 0) / self._size
            if self._rules.is_symmetric:
                self._prior[:2] = self._prior[:2].mean()
