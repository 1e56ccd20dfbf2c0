"""Bradley–Terry ratings by Newton's method, with a sandwich covariance over clusters.

P(i beats j) = 1 / (1 + exp(θ_j − θ_i)) (Bradley & Terry 1952), Σ θ = 0. The estimate exists if
and only if the graph of "took points from" is strongly connected (Ford 1957).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats.sandwich import Clustered, Questions, Spread, over_questions

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

_MAX_STEPS = 100
_CLOSE = 1e-9
"""A last step this small, in log-odds: Newton's error is by then about its square."""

_LONGEST = 2.0
"""The curvature of a logistic likelihood cannot be trusted further than this, in log-odds."""

_DECIDES_ALONE = 1 - 1e-6

_QUADRATIC = 1e-4
"""Below this, steps shrink at least by half until rounding is all that is left of them."""


@dataclass(frozen=True, slots=True)
class Games:
    """Points per cluster (here: per pair of answers); clusters that are alike may stand together.

    Attributes:
        one: first model of each cluster, numbered 0 … models − 1; shape (clusters,).
        two: second model.
        points: what the first took: wins plus half the ties.
        total: comparisons; the second took the rest.
        models: how many models there are.
        times: how many clusters each entry stands for; one each if left out.
    """

    one: Longs
    two: Longs
    points: Floats
    total: Floats
    models: int
    times: Longs | None = None

    @property
    def weights(self) -> Longs:
        """How many clusters each entry stands for."""
        return np.ones(len(self.one), np.int64) if self.times is None else self.times

    def table(self) -> Floats:
        """Points that the row's model took from the column's, shape (models, models)."""
        size = self.models
        cells = np.concatenate([self.one * size + self.two, self.two * size + self.one])
        weights = np.concatenate([self.points, self.total - self.points]) * np.tile(self.weights, 2)
        return _square(cells, weights, size)

    def among(self, members: Longs) -> Games:
        """The games among some models, which are numbered anew in the order given."""
        place = np.full(self.models, -1, np.int64)
        place[members] = np.arange(len(members))
        one, two = place[self.one], place[self.two]
        inside = (one >= 0) & (two >= 0)
        columns = (self.points[inside], self.total[inside], len(members), self.weights[inside])
        return Games(one[inside], two[inside], *columns)


@dataclass(frozen=True, slots=True)
class Fit:
    """Ratings in log-odds with mean 0.

    ``errors`` is None where the clusters are too few, or too much alike, to show a spread, or
    where one cluster alone links some models to the rest: it is fitted perfectly then, and its
    residual of 0 would pass for certainty.
    ``freedom`` is that of Student's t.
    """

    ratings: Floats
    errors: Floats | None
    freedom: int
    clustered: Clustered = Clustered.PAIR


def _square(cells: Longs, weights: Floats, size: int) -> Floats:
    """Sum weights into a matrix of shape (size, size); a cell is row × size + column."""
    summed = np.bincount(cells, weights=weights, minlength=size * size).astype(np.float64)
    return summed.reshape(size, size)


def reach(table: Floats) -> NDArray[np.bool_]:
    """Which model took points, directly or through others, from which; each reaches itself."""
    reached = (table > 0) | np.eye(len(table), dtype=np.bool_)
    while True:
        further = (reached.astype(np.float64) @ reached.astype(np.float64)) > 0
        if np.array_equal(further, reached):
            return reached
        reached = further


def _expected(ratings: Floats) -> Floats:
    """P(row beats column)."""
    gaps = ratings[:, None] - ratings[None, :]
    return np.asarray(1 / (1 + np.exp(-np.clip(gaps, -700, 700))))


def _log_likelihood(table: Floats, ratings: Floats) -> float:
    gaps = ratings[:, None] - ratings[None, :]
    return -float((table * np.logaddexp(0, -gaps)).sum())


def _laplacian(weights: Floats) -> Floats:
    """Σ w_ij (e_i − e_j)(e_i − e_j)ᵀ over unordered pairs; weights are symmetric."""
    return np.asarray(np.diag(weights.sum(axis=1)) - weights)


def _inverse(laplacian: Floats) -> Floats:
    """Pseudo-inverse of a connected graph's Laplacian: the gauge mean 0."""
    flat = np.full_like(laplacian, 1 / len(laplacian))
    return np.asarray(np.linalg.inv(laplacian + flat) - flat)


def ratings(table: Floats) -> Floats:
    """Maximum likelihood by Newton, a step shortened while it would lose likelihood.

    Args:
        table: points of row against column; strongly connected.

    Raises:
        ArithmeticError: if it does not converge (it does where the estimate exists).
    """
    games = table + table.T
    theta = np.zeros(len(table))
    reached = _log_likelihood(table, theta)
    last = np.inf
    for _ in range(_MAX_STEPS):
        expected = _expected(theta)
        slope = (table - games * expected).sum(axis=1)
        step = _inverse(_laplacian(games * expected * expected.T)) @ slope
        size = float(np.abs(step).max())
        if size <= _CLOSE or last / 2 <= size < _QUADRATIC:
            theta = theta + step
            return np.asarray(theta - theta.mean())
        step = step * min(1.0, _LONGEST / size)
        gain = _log_likelihood(table, theta + step)
        while gain < reached - 1e-12 * abs(reached):
            step = step / 2
            gain = _log_likelihood(table, theta + step)
        theta, reached, last = theta + step, gain, size
    raise ArithmeticError("Bradley–Terry did not converge")


def expectation(games: Games, ratings: Floats) -> tuple[Floats, Floats]:
    """P(row beats column), and the inverse curvature H⁺ that turns a score into what it moves."""
    expected = _expected(ratings)
    table = games.table()
    return expected, _inverse(_laplacian((table + table.T) * expected * expected.T))


def _leverage(games: Games, expected: Floats, bread: Floats) -> Floats:
    """How much of its own fitted value each cluster decides, 0–1."""
    one, two = games.one, games.two
    chance = expected[one, two]
    resistance = bread[one, one] + bread[two, two] - 2 * bread[one, two]
    return np.asarray(games.total * chance * (1 - chance) * resistance)


def fit(games: Games, questions: Questions | None = None, members: Longs | None = None) -> Fit:
    """Ratings and their cluster-robust standard errors.

    The sandwich H⁺ M H⁺ has H from the curvature and M from each cluster's summed score
    (points − total × P) (Liang & Zeger 1986). The clusters are the questions, whose pairs share
    answers, times G / (G − 1) for G questions. A model on few of them is fitted so closely that
    their scores hide it: then the sandwich over pairs, times G / (G − free ratings), is taken too,
    and of either error the larger. Without ``questions`` it is that over pairs.

    Args:
        questions: the games by question.
        members: the numbers that the models of ``games`` have there.
    """
    table = games.table()
    theta = ratings(table)
    expected = _expected(theta)
    bread = _inverse(_laplacian((table + table.T) * expected * expected.T))
    size = games.models
    residual = games.points - games.total * expected[games.one, games.two]
    cells = np.concatenate([games.one * size + games.two, games.two * size + games.one])
    meat = _laplacian(_square(cells, np.tile(games.weights * residual**2, 2), size))
    clusters = int(games.weights.sum())
    freedom = clusters - (size - 1)
    if freedom < 1 or _leverage(games, expected, bread).max() > _DECIDES_ALONE:
        return Fit(theta, None, freedom)
    variance = np.diag(bread @ meat @ bread) * clusters / freedom
    clustered = Clustered.PAIR
    if questions is not None and members is not None:

        def slopes(one: Longs, two: Longs) -> Floats:
            chance = expected[one, two]
            return np.stack([1 - chance, -chance, 0.5 - chance], axis=1)[:, :, None]

        over_pairs = Spread(variance, freedom, clustered)
        told = over_questions(questions, members, slopes, bread, over_pairs)
        variance, freedom, clustered = told.variance, told.freedom, told.clustered
    errors = np.sqrt(np.maximum(variance, 0))
    return Fit(theta, errors if errors.min() > 1e-9 else None, freedom, clustered)
