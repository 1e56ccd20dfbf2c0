"""What the true outcome of each item is likely to be, given who voted what: Dawid & Skene 1979.

Every annotator has a confusion matrix: how often they say each outcome where each outcome is
true. The truth of an item is one of the outcomes in model space; what an annotator says is
looked at as they saw it. Where the answer of model_1 stood left, a true ``model_1`` is a true
``left`` to them, and otherwise a true ``right``. So somebody who leans to the left shows it in
the confusion, where "right is true, left is said" then is more frequent than the reverse, and
the model allows for it. A vote whose side nobody recorded may have been cast either way; both are
taken as equally likely.

The classes model_1 and model_2 have one common prior: which name comes first in the alphabet
says nothing, and a model's fame must not decide items that votes leave open.

Maximum a posteriori by EM (Dawid & Skene 1979, Applied Statistics 28; MAP as in Paun et al.
2018, TACL 6): each annotator starts with :data:`PRIOR_VOTES` made-up votes for each true class.
Items with a ruling are clamped to it. EM crawls where votes hardly tell annotators apart; every
third step is therefore a leap along the way that the last two took (SQUAREM: Varadhan & Roland
2008, Scandinavian Journal of Statistics 35), which is taken only where it climbs.
"""

from __future__ import annotations

from collections.abc import Generator
from copy import copy
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

PRIOR_VOTES: Final = 4.0
"""Made-up votes of every annotator for each true class: half of them right, the rest on any."""

STEPS: Final = 2000
"""EM steps after which a fit that still moves is given up on."""

CLOSE: Final = 1e-11
"""What one more EM step moves no probability of an annotator's by, once a fit is done."""

_LEAP, _FURTHER = 4.0, 4.0
"""How long a leap is at most at first, in steps, and how much longer after one that was."""

_NOISE: Final = 1e-13
"""What two sums over all items differ by where nothing does, as a share."""

LEAST: Final = 1e-10
"""What no probability falls below, so that logarithms exist."""

_TINY: Final = 1e-300

SIDES: Final = 3  # unknown, model_1 left, model_2 left


@dataclass(frozen=True, slots=True)
class Ballots:
    """Votes as the model takes them, aligned.

    Attributes:
        item: 0 … items − 1.
        rater: 0 … raters − 1.
        said: class in model space, 0 … classes − 1; 0 and 1 are the models.
        left: which model stood left (1 or 2); 0 where it is not known.
        items: how many there are, with votes or without.
        raters: how many there are.
        classes: 4, or 3 without both bad.
        truth: class that a ruling fixed by item, −1 where none did; shape (items,).
    """

    item: Longs
    rater: Longs
    said: Longs
    left: Longs
    items: int
    raters: int
    classes: int
    truth: Longs


@dataclass(frozen=True, slots=True)
class Fit:
    """What EM found.

    Attributes:
        posterior: probability of each class in model space by item, shape (items, classes).
        confusion: by rater, true class and said class as shown (left, right, tie, both bad),
            shape (raters, classes, classes); rows sum to 1.
        prior: of the classes, shape (classes,).
        steps: of EM.
        converged: whether the last step was small enough.
        objective: penalised log-likelihood after each step; it never falls.
    """

    posterior: Floats
    confusion: Floats
    prior: Floats
    steps: int
    converged: bool
    objective: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """How to fit.

    Attributes:
        prior_votes: see :data:`PRIOR_VOTES`; 0 is maximum likelihood, as Dawid and Skene have it.
        is_symmetric: whether model_1 and model_2 have one prior.
        steps: see :data:`STEPS`.
        close: see :data:`CLOSE`; negative: take every step, and no leaps, as the original does.
    """

    prior_votes: float = PRIOR_VOTES
    is_symmetric: bool = True
    steps: int = STEPS
    close: float = CLOSE


def exchanged(matrices: NDArray[Any]) -> NDArray[Any]:
    """The same with the first two classes exchanged, in the last two axes."""
    order = np.arange(matrices.shape[-1])
    order[[0, 1]] = 1, 0
    return matrices[..., order[:, None], order]


def as_seen(confusion: Floats) -> Floats:
    """P(said | true) in model space by what stood left.

    Returns:
        Shape (raters, 3, classes, classes): side unknown, model_1 left, model_2 left.
    """
    flipped = exchanged(confusion)
    return np.stack([(confusion + flipped) / 2, confusion, flipped], axis=1)


class Problem:
    """Ballots with alike items collapsed, as one sparse table of items against cells.

    A cell is a rater, what stood left, and what was said.
    """

    def __init__(
        self, ballots: Ballots, given: Floats | None = None, kind: Longs | None = None
    ) -> None:
        """Collapse.

        Args:
            given: what items are taken for before the ballots; shape (kinds, classes).
            kind: which row of that is each item's; its own if left out. Items of different kinds
                are not alike, also where nothing is given.
        """
        from scipy.sparse import csr_array

        self.ballots = ballots
        classes = ballots.classes
        cell = (ballots.rater * SIDES + ballots.left) * classes + ballots.said
        self.cells = ballots.raters * SIDES * classes
        if given is not None and kind is None:
            kind = np.arange(ballots.items)
        pattern, self.place = self._alike(cell, kind)
        self.given = None if given is None or kind is None else given[kind[pattern]]
        self.times = np.bincount(self.place, minlength=len(pattern)).astype(np.float64)
        self._pattern, self.truth = pattern, ballots.truth[pattern]
        row = np.full(ballots.items, -1, np.int64)
        row[pattern] = np.arange(len(pattern))
        kept = row[ballots.item] >= 0
        table = csr_array(
            (np.ones(int(kept.sum())), (row[ballots.item[kept]], cell[kept])),
            shape=(len(pattern), self.cells),
        )
        self.table, self.turned = table, table.T.tocsr()

    def with_truth(self, truth: Longs) -> Problem:
        """The same ballots with other rulings, which must not tell items apart that are alike.

        Args:
            truth: as :attr:`Ballots.truth`.
        """
        other = copy(self)
        other.ballots, other.truth = replace(self.ballots, truth=truth), truth[self._pattern]
        return other

    def _alike(self, cell: Longs, kind: Longs | None) -> tuple[Longs, Longs]:
        """One item of each pattern, and each item's place among those.

        Items are alike with the same ballots, the same truth and the same kind. A sum of random
        64-bit numbers stands for the ballots: of a million items, two that differ have one sum
        with a probability of 3 in 10⁸.
        """
        ballots = self.ballots
        rng = np.random.default_rng(0)
        marks = rng.integers(0, 1 << 64, self.cells, dtype=np.uint64)
        truths = rng.integers(0, 1 << 64, ballots.classes + 1, dtype=np.uint64)
        key = truths[ballots.truth + 1]
        if kind is not None:
            kinds = rng.integers(0, 1 << 64, int(kind.max(initial=-1)) + 1, dtype=np.uint64)
            key = key + kinds[kind]
        np.add.at(key, ballots.item, marks[cell])
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
        return first, place

    def posterior(self, confusion: Floats, prior: Floats) -> tuple[Floats, float]:
        """Probabilities of each pattern's classes, and the log-likelihood of all ballots."""
        classes = self.ballots.classes
        seen = np.log(as_seen(confusion))
        by_cell = seen.transpose(0, 1, 3, 2).reshape(self.cells, classes)
        before = prior if self.given is None else self.given
        joint = self.table @ by_cell + np.log(np.maximum(before, LEAST))
        clamped = np.flatnonzero(self.truth >= 0)
        kept = joint[clamped, self.truth[clamped]]
        joint[clamped] = -np.inf
        joint[clamped, self.truth[clamped]] = kept
        # Column by column: numpy is slow to reduce rows of four.
        top = reduce(np.maximum, joint.T)[:, None]
        likelihood = np.exp(joint - top)
        total = reduce(np.add, likelihood.T)[:, None]
        return likelihood / total, float(self.times @ (np.log(total) + top)[:, 0])

    def counts(self, posterior: Floats) -> Floats:
        """Expected ballots by rater, side, true class and said class, in model space."""
        classes = self.ballots.classes
        found = self.turned @ (posterior * self.times[:, None])
        return np.asarray(found.reshape(-1, SIDES, classes, classes).transpose(0, 1, 3, 2))

    def start(self) -> Floats:
        """Each pattern's shares of votes: what a majority would go by."""
        if self.given is not None:
            return self.given
        classes = self.ballots.classes
        said = np.tile(np.arange(classes), self.cells // classes)
        votes = self.table @ np.eye(classes)[said]
        total = votes.sum(axis=1, keepdims=True)
        shares = np.where(total > 0, votes / np.maximum(total, 1), 1 / classes)
        clamped = np.flatnonzero(self.truth >= 0)
        shares[clamped] = np.eye(classes)[self.truth[clamped]]
        return np.asarray(shares)


def made_up(classes: int, votes: float) -> Floats:
    """The votes that an annotator starts with, by true and said class."""
    right, anywhere = votes / 2, votes / 2 / classes
    return np.asarray(right * np.eye(classes) + anywhere)


def as_shown(counts: Floats, confusion: Floats) -> Floats:
    """Expected ballots by rater, true and said class as they were shown.

    A ballot without a side was cast either way round, each as likely as it makes what was said.
    """
    either = counts[:, 0] + exchanged(counts[:, 0])
    total = confusion + exchanged(confusion)
    share = np.where(total > 0, confusion / np.maximum(total, LEAST), 0.5)
    return np.asarray(share * either + counts[:, 1] + exchanged(counts[:, 2]))


def normalised(counts: Floats) -> Floats:
    """Probabilities along the last axis in proportion to some counts, none of them 0."""
    floored = np.maximum(counts, LEAST)
    return np.asarray(floored / floored.sum(axis=-1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Climbed:
    """A fit of a problem: as :class:`Fit`, but for the posterior, which is by pattern."""

    posterior: Floats
    confusion: Floats
    prior: Floats
    steps: int
    converged: bool
    objective: tuple[float, ...]


_Point = tuple[Floats, Floats]
"""Confusion and prior."""


class _Climb:
    """EM on a problem, and how far it came."""

    def __init__(self, problem: Problem, rules: Rules) -> None:
        self._problem, self._rules = problem, rules
        self._extra = made_up(problem.ballots.classes, rules.prior_votes)
        self.objective: list[float] = []
        self.posterior = problem.start()
        self.steps = 0

    def begin(self) -> _Point:
        """What the start makes of the raters."""
        ballots = self._problem.ballots
        classes = ballots.classes
        return self._point(np.full((ballots.raters, classes, classes), 1 / classes))

    def step(self, point: _Point) -> tuple[_Point, float]:
        """One step of EM: where it leads, and the objective of where it began."""
        confusion, prior = point
        self.posterior, likelihood = self._problem.posterior(confusion, prior)
        self.steps += 1
        penalty = 0.0
        if self._rules.prior_votes:
            penalty = float((self._extra * np.log(confusion)).sum())
        return self._point(confusion), likelihood + penalty

    def _point(self, confusion: Floats) -> _Point:
        problem = self._problem
        counts = problem.counts(self.posterior)
        prior = problem.times @ self.posterior / problem.ballots.items
        if self._rules.is_symmetric:
            prior[:2] = prior[:2].mean()
        return normalised(as_shown(counts, confusion) + self._extra), prior

    def told(self, point: _Point, converged: bool) -> Climbed:
        """What a point is, which was stepped from last."""
        return Climbed(self.posterior, *point, self.steps, converged, tuple(self.objective))


def _apart(one: _Point, two: _Point) -> float:
    """The largest difference of two points' probabilities."""
    return max(float(np.abs(a - b).max(initial=0)) for a, b in zip(one, two, strict=True))


def _leapt(start: _Point, first: _Point, second: _Point, furthest: float) -> tuple[_Point, float]:
    """Where two steps seem to lead to, in logarithms, and how many steps that is."""
    parts, moved, bent = [], 0.0, 0.0
    for each in zip(start, first, second, strict=True):
        zero, one, two = (np.log(np.maximum(values, _TINY)) for values in each)
        step, turn = one - zero, two - 2 * one + zero
        parts.append((zero, step, turn))
        moved, bent = moved + float((step**2).sum()), bent + float((turn**2).sum())
    length = min(max(np.sqrt(moved / bent) if bent > 0 else furthest, 1.0), furthest)
    found = [np.exp(zero + 2 * length * step + length**2 * turn) for zero, step, turn in parts]
    # A class that dies out may have less than the least; to lift it would be a step back.
    return (normalised(found[0]), found[1] / found[1].sum()), float(length)


def climbing(problem: Problem, rules: Rules) -> Generator[None, None, Climbed]:
    """Fit by EM from each item's shares of votes, and pause after every step.

    The likelihood does not change if the classes change names throughout, so that it alone does
    not say which is which. The start does: a class is what those who voted for it called it. EM
    climbs from there and exchanges nothing; the made-up votes and the clamped items make every
    other naming worse, too.
    """
    climb = _Climb(problem, rules)
    ballots = problem.ballots
    if not ballots.items:
        classes = ballots.classes
        confusion = np.full((ballots.raters, classes, classes), 1 / classes)
        return climb.told((confusion, np.full(classes, 1 / classes)), False)
    point, furthest = climb.begin(), _LEAP
    behind: list[_Point] = []
    while True:
        after, height = climb.step(point)
        climb.objective.append(height)
        converged = _apart(point, after) < rules.close
        if converged or climb.steps >= rules.steps:
            return climb.told(point, converged)
        yield
        behind.append(point)
        point = after
        if rules.close < 0 or len(behind) < 2:
            continue
        leapt, length = _leapt(behind[0], behind[1], point, furthest)
        behind = []
        climbs = length <= 1
        if not climbs:
            beyond, reached = climb.step(leapt)
            yield
            climbs = reached >= height - _NOISE * abs(height)
            if climbs:
                climb.objective.append(reached)
                point = beyond
        if length == furthest:
            furthest = furthest * _FURTHER if climbs else max(furthest / _FURTHER, 1.0)


def finished(work: Generator[None, None, Climbed]) -> Climbed:
    """The same without pauses."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            found: Climbed = done.value
            return found


def fit(
    ballots: Ballots,
    rules: Rules | None = None,
    *,
    given: Floats | None = None,
) -> Fit:
    """Fit at once; see :func:`climbing`.

    Args:
        given: what each item is taken for before these ballots, shape (items, classes), in
            place of one prior for all: so raters can be measured by what others say.
    """
    problem = Problem(ballots, given)
    found = finished(climbing(problem, rules or Rules()))
    return Fit(
        found.posterior[problem.place],
        found.confusion,
        found.prior,
        found.steps,
        found.converged,
        found.objective,
    )
