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
Items with a ruling are clamped to it.
"""

from __future__ import annotations

from dataclasses import dataclass
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

_CLOSE: Final = 1e-9
"""Rise of the penalised log-likelihood per vote below which a fit is done."""

_LEAST: Final = 1e-10
"""What no probability falls below, so that logarithms exist."""

_SIDES: Final = 3  # unknown, model_1 left, model_2 left


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
        close: rise of the objective per vote at which to stop; negative: take every step.
    """

    prior_votes: float = PRIOR_VOTES
    is_symmetric: bool = True
    steps: int = STEPS
    close: float = _CLOSE


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


class _Problem:
    """Ballots with alike items collapsed, as one sparse table of items against cells.

    A cell is a rater, what stood left, and what was said.
    """

    def __init__(self, ballots: Ballots, given: Floats | None) -> None:
        from scipy.sparse import csr_array

        self.ballots = ballots
        self.given = given
        classes = ballots.classes
        cell = (ballots.rater * _SIDES + ballots.left) * classes + ballots.said
        self.cells = ballots.raters * _SIDES * classes
        every = np.arange(ballots.items)
        pattern, self.place = self._alike(cell) if given is None else (every, every)
        self.times = np.bincount(self.place, minlength=len(pattern)).astype(np.float64)
        self.truth = ballots.truth[pattern]
        row = np.full(ballots.items, -1, np.int64)
        row[pattern] = np.arange(len(pattern))
        kept = row[ballots.item] >= 0
        table = csr_array(
            (np.ones(int(kept.sum())), (row[ballots.item[kept]], cell[kept])),
            shape=(len(pattern), self.cells),
        )
        self.table, self.turned = table, table.T.tocsr()

    def _alike(self, cell: Longs) -> tuple[Longs, Longs]:
        """One item of each kind, and each item's place among those.

        Items are alike with the same ballots and the same truth. A sum of random 64-bit numbers
        stands for the ballots: of a million items, two that differ have one sum with a probability
        of 3 in 10⁸.
        """
        ballots = self.ballots
        rng = np.random.default_rng(0)
        marks = rng.integers(0, 1 << 64, self.cells, dtype=np.uint64)
        truths = rng.integers(0, 1 << 64, ballots.classes + 1, dtype=np.uint64)
        key = truths[ballots.truth + 1]
        np.add.at(key, ballots.item, marks[cell])
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
        return first, place

    def posterior(self, confusion: Floats, prior: Floats) -> tuple[Floats, float]:
        """Probabilities of each pattern's classes, and the log-likelihood of all ballots."""
        classes = self.ballots.classes
        seen = np.log(as_seen(confusion))
        by_cell = seen.transpose(0, 1, 3, 2).reshape(self.cells, classes)
        before = prior if self.given is None else self.given
        joint = self.table @ by_cell + np.log(np.maximum(before, _LEAST))
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
        return np.asarray(found.reshape(-1, _SIDES, classes, classes).transpose(0, 1, 3, 2))

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


def _as_shown(counts: Floats, confusion: Floats) -> Floats:
    """Expected ballots by rater, true and said class as they were shown.

    A ballot without a side was cast either way round, each as likely as it makes what was said.
    """
    either = counts[:, 0] + exchanged(counts[:, 0])
    total = confusion + exchanged(confusion)
    share = np.where(total > 0, confusion / np.maximum(total, _LEAST), 0.5)
    return np.asarray(share * either + counts[:, 1] + exchanged(counts[:, 2]))


def _normalised(counts: Floats) -> Floats:
    floored = np.maximum(counts, _LEAST)
    return np.asarray(floored / floored.sum(axis=-1, keepdims=True))


def fit(
    ballots: Ballots,
    rules: Rules | None = None,
    *,
    given: Floats | None = None,
) -> Fit:
    """Fit by EM from each item's shares of votes.

    The likelihood does not change if the classes change names throughout, so that it alone does
    not say which is which. The start does: a class is what those who voted for it called it. EM
    climbs from there and exchanges nothing; the made-up votes and the clamped items make every
    other naming worse, too.

    Args:
        given: what each item is taken for before these ballots, shape (items, classes), in
            place of one prior for all: so raters can be measured by what others say.
    """
    rules = rules or Rules()
    problem = _Problem(ballots, given)
    classes = ballots.classes
    extra = made_up(classes, rules.prior_votes)
    posterior = problem.start()
    confusion = np.full((ballots.raters, classes, classes), 1 / classes)
    climbed: list[float] = []
    converged = False
    size = max(len(ballots.item), 1)
    prior = np.full(classes, 1 / classes)
    steps = 0
    while steps < rules.steps and not converged and ballots.items:
        counts = problem.counts(posterior)
        confusion = _normalised(_as_shown(counts, confusion) + extra)
        prior = problem.times @ posterior / ballots.items
        if rules.is_symmetric:
            prior[:2] = prior[:2].mean()
        posterior, likelihood = problem.posterior(confusion, prior)
        penalty = float((extra * np.log(confusion)).sum()) if rules.prior_votes else 0.0
        climbed.append(likelihood + penalty)
        steps += 1
        converged = steps > 1 and climbed[-1] - climbed[-2] < rules.close * size
    return Fit(posterior[problem.place], confusion, prior, steps, converged, tuple(climbed))


@dataclass(frozen=True, slots=True)
class Shown:
    """What raters said of what is true, as they saw it.

    Attributes:
        votes: expected votes by rater, true and said class, shape (raters, classes, classes).
        certain: by rater and true class, how sure the truth of these votes is: Σ q² / Σ q with q
            the probability that the class is true; 1 where all is certain, 0 where nothing is.
    """

    votes: Floats
    certain: Floats


def shown(ballots: Ballots, posterior: Floats) -> Shown:
    """Expected votes as shown, without any that were made up.

    A vote without a side counts half for either.
    """
    classes = ballots.classes
    upright = posterior[ballots.item]
    order = [1, 0, *range(2, classes)]
    votes = np.zeros((ballots.raters, classes, classes))
    squares = np.zeros((ballots.raters, classes))
    said = ballots.said
    turned = np.where(said < 2, 1 - said, said)
    for share, each, label in (
        (np.array([0.5, 1.0, 0.0])[ballots.left], upright, said),
        (np.array([0.5, 0.0, 1.0])[ballots.left], upright[:, order], turned),
    ):
        cell = ballots.rater * classes + label
        size = ballots.raters * classes
        for true in range(classes):
            weight = share * each[:, true]
            votes[:, true] += np.bincount(cell, weight, size).reshape(-1, classes)
            squares[:, true] += np.bincount(ballots.rater, weight * each[:, true], ballots.raters)
    total = votes.sum(axis=2)
    certain = np.divide(squares, total, out=np.zeros_like(total), where=total > 0)
    return Shown(votes, certain)
