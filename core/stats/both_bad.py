"""Which models' answers are bad: a logit of both bad, apart from who is better.

P(both bad when i meets j) = 1 / (1 + exp(−(β_i + β_j))): both answers have to be bad, so that each
model carries its own part. Fitted by Newton, errors by the sandwich over questions, or over pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.stats.sandwich import Clustered, Questions, Spread, over_questions
from core.stats.tally import BOTH_BAD

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

_MAX_STEPS = 60
_CLOSE = 1e-9
_FAR = 15.0
"""A part this large means that the likelihood has no maximum."""


@dataclass(frozen=True, slots=True)
class Bad:
    """Both bad per cluster; clusters that are alike may stand together.

    Attributes:
        one: first model of each cluster; shape (clusters,).
        two: second model.
        bad: how many comparisons say both bad.
        total: comparisons.
        models: how many models there are.
        times: how many clusters each entry stands for; one each if left out.
    """

    one: Longs
    two: Longs
    bad: Floats
    total: Floats
    models: int
    times: Longs | None = None

    @property
    def weights(self) -> Longs:
        """How many clusters each entry stands for."""
        return np.ones(len(self.one), np.int64) if self.times is None else self.times

    def of_models(self, values: Floats) -> Floats:
        """Sum what each cluster has over both of its models, shape (models,)."""
        values = self.weights * values
        first = np.bincount(self.one, weights=values, minlength=self.models)
        return np.asarray(first + np.bincount(self.two, weights=values, minlength=self.models))

    def among(self, members: Longs) -> Bad:
        """The clusters among some models, which are numbered anew in the order given."""
        place = np.full(self.models, -1, np.int64)
        place[members] = np.arange(len(members))
        one, two = place[self.one], place[self.two]
        inside = (one >= 0) & (two >= 0)
        columns = (self.bad[inside], self.total[inside], len(members), self.weights[inside])
        return Bad(one[inside], two[inside], *columns)

    def collapsed(self) -> Bad:
        """One entry for every two models: sums, which all but the errors come from."""
        keys, place = np.unique(self.one * self.models + self.two, return_inverse=True)
        bad, total = (
            np.bincount(place, weights=self.weights * each, minlength=len(keys)).astype(np.float64)
            for each in (self.bad, self.total)
        )
        return Bad(keys // self.models, keys % self.models, bad, total, self.models)

    def square(self, weights: Floats) -> Floats:
        """Σ w (e_i + e_j)(e_i + e_j)ᵀ."""
        size = self.models
        cells = np.concatenate([self.one * size + self.two, self.two * size + self.one])
        weights = np.tile(self.weights * weights, 2)
        off = np.bincount(cells, weights=weights, minlength=size * size)
        off = off.reshape(size, size)
        return np.asarray(np.diag(off.sum(axis=1)) + off)


@dataclass(frozen=True, slots=True)
class BadFit:
    """Parts in both bad, in log-odds, of the models that have one.

    Attributes:
        members: which models these are.
        parts: β by member.
        errors: None where the clusters are too few to show a spread.
        freedom: of Student's t.
        reason: why there are no members, in words; empty if there are some.
        clustered: over what the scores were summed.
    """

    members: Longs
    parts: Floats
    errors: Floats | None
    freedom: int
    reason: str
    clustered: Clustered = Clustered.PAIR


def fit_bad(games: Bad, questions: Questions | None = None) -> BadFit:
    """Fit the models that took part in both bad, but not in nothing else.

    Args:
        questions: both bad and comparisons by question, see :func:`sums_of_bad`; without them
            errors come from the sandwich over pairs.
    """
    members = np.arange(games.models)
    table = games.collapsed()
    while True:
        inside = table.among(members)
        bad, total = inside.of_models(inside.bad), inside.of_models(inside.total)
        finite = (bad > 0) & (bad < total)
        if finite.all():
            break
        members = members[finite]
    nothing = np.zeros(0)
    if len(members) < 3 or np.linalg.eigvalsh(inside.square(inside.total)).min() < 1e-9:
        reason = "too few models met in a ring to tell one's part in both bad from another's"
        return BadFit(members[:0], nothing, None, 0, reason)
    parts = np.zeros(len(members))
    for _ in range(_MAX_STEPS):
        expected = _expected(inside, parts)
        bread = np.linalg.inv(inside.square(inside.total * expected * (1 - expected)))
        step = bread @ inside.of_models(inside.bad - inside.total * expected)
        size = float(np.abs(step).max())
        parts = parts + step * min(1.0, 1 / max(size, _CLOSE))
        if size <= _CLOSE:
            break
        if np.abs(parts).max() > _FAR:
            reason = "which pairs are both bad follows from their models without exception"
            return BadFit(members[:0], nothing, None, 0, reason)
    inside = games.among(members)
    residual = inside.bad - inside.total * _expected(inside, parts)
    clusters = int(inside.weights.sum())
    freedom = clusters - len(members)
    if freedom < 1:
        return BadFit(members, parts, None, freedom, "")
    variance = np.diag(bread @ inside.square(residual**2) @ bread) * clusters / freedom
    spread = Spread(np.asarray(variance), freedom, Clustered.PAIR)
    if questions is not None:
        spread = over_questions(
            questions, members, partial(_slopes, parts), np.asarray(bread, np.float64), spread
        )
    errors = np.sqrt(np.maximum(spread.variance, 0))
    return BadFit(members, parts, errors, spread.freedom, "", spread.clustered)


def _slopes(parts: Floats, one: Longs, two: Longs) -> Floats:
    """What a both bad and a comparison of two models add to the score of either."""
    expected = 1 / (1 + np.exp(-(parts[one] + parts[two])))
    return np.stack([np.ones_like(expected), -expected, 0 * expected], axis=1)[:, :, None]


def sums_of_bad(choices: NDArray[np.int64]) -> NDArray[np.int64]:
    """The three numbers that ``questions`` are made of: both bad, comparisons, nothing."""
    columns = choices[:, BOTH_BAD - 1], choices.sum(axis=1), np.zeros(len(choices))
    return np.stack(columns, axis=1).astype(np.int64)


def _expected(games: Bad, parts: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(parts[games.one] + parts[games.two]))))
