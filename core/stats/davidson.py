"""Davidson's model of wins and ties by Newton's method, with a sandwich over clusters.

P(i wins) : P(j wins) : P(tie) = e^(d/2) : e^(−d/2) : ν with d = θ_i − θ_j (Davidson 1970), Σ θ = 0.
Unlike half points for each, it lets ties say how often people cannot tell the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.stats.sandwich import Clustered, Questions, Spread, over_questions

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

_MAX_STEPS = 100
_CLOSE = 1e-9
_LONGEST = 2.0
"""The curvature cannot be trusted further than this, in log-odds."""

_QUADRATIC = 1e-4
"""Below this, steps shrink at least by half until rounding is all that is left of them."""

_ALONE = 1 - 1e-6


@dataclass(frozen=True, slots=True)
class Matches:
    """Outcomes per cluster (here: per pair of answers); those that are alike may stand together.

    Attributes:
        one: first model of each cluster, numbered 0 … models − 1; shape (clusters,).
        two: second model.
        wins: wins of the first and of the second, shape (clusters, 2).
        ties: shape (clusters,).
        models: how many models there are.
        times: how many clusters each entry stands for; one each if left out.
    """

    one: Longs
    two: Longs
    wins: Floats
    ties: Floats
    models: int
    times: Longs | None = None

    @property
    def weights(self) -> Longs:
        """How many clusters each entry stands for."""
        return np.ones(len(self.one), np.int64) if self.times is None else self.times

    @property
    def total(self) -> Floats:
        """Comparisons of each single cluster."""
        return np.asarray(self.wins.sum(axis=1) + self.ties)

    def among(self, members: Longs) -> Matches:
        """The matches among some models, which are numbered anew in the order given."""
        place = np.full(self.models, -1, np.int64)
        place[members] = np.arange(len(members))
        one, two = place[self.one], place[self.two]
        inside = (one >= 0) & (two >= 0)
        columns = (self.wins[inside], self.ties[inside], len(members), self.weights[inside])
        return Matches(one[inside], two[inside], *columns)

    def collapsed(self) -> Matches:
        """One cluster for every two models, in the order of the first's number."""
        keys, place = np.unique(self.one * self.models + self.two, return_inverse=True)
        first, second, ties = (
            np.bincount(place, weights=self.weights * each, minlength=len(keys)).astype(np.float64)
            for each in (self.wins[:, 0], self.wins[:, 1], self.ties)
        )
        wins = np.stack([first, second], axis=1)
        return Matches(keys // self.models, keys % self.models, wins, ties, self.models)


@dataclass(frozen=True, slots=True)
class DavidsonFit:
    """Ratings in log-odds with mean 0, and the log of ν.

    Attributes:
        ratings: shape (models,).
        log_nu: −inf where there is no tie: the model is Bradley–Terry's then.
        errors: of the ratings; None where the clusters show no spread.
        log_nu_error: of ``log_nu``; None without a tie or a spread.
        freedom: of Student's t.
        clustered: over what the errors are.
    """

    ratings: Floats
    log_nu: float
    errors: Floats | None
    log_nu_error: float | None
    freedom: int
    clustered: Clustered = Clustered.PAIR


def chances(gap: Floats, log_nu: float) -> tuple[Floats, Floats, Floats]:
    """P(first wins), P(second wins), P(tie) by θ_first − θ_second."""
    logs = np.stack([gap / 2, -gap / 2, np.full_like(gap, log_nu)])
    rising = np.exp(logs - logs.max(axis=0))
    shares = rising / rising.sum(axis=0)
    return shares[0], shares[1], shares[2]


def _likelihood(table: Matches, theta: Floats, log_nu: float) -> float:
    from scipy.special import xlogy

    won, lost, tied = chances(theta[table.one] - theta[table.two], log_nu)
    parts = xlogy(table.wins[:, 0], won), xlogy(table.wins[:, 1], lost), xlogy(table.ties, tied)
    return float(sum(part.sum() for part in parts))


def _scores(table: Matches, theta: Floats, log_nu: float) -> tuple[Floats, Floats]:
    """Each cluster's slope by the gap of its models, and by log ν."""
    won, lost, tied = chances(theta[table.one] - theta[table.two], log_nu)
    total = table.total
    by_gap = (table.wins[:, 0] - table.wins[:, 1] - total * (won - lost)) / 2
    return by_gap, table.ties - total * tied


def _gather(table: Matches, by_gap: Floats, by_nu: Floats) -> Floats:
    """Sum slopes into one vector: a slope for each model, then that of log ν."""
    size = table.models
    up = np.bincount(table.one, weights=by_gap, minlength=size)
    down = np.bincount(table.two, weights=by_gap, minlength=size)
    return np.append(up - down, by_nu.sum())


def _square(table: Matches, gap_gap: Floats, gap_nu: Floats, nu_nu: float) -> Floats:
    """Sum products of slopes into a symmetric matrix, shape (models + 1, models + 1)."""
    size = table.models
    cells = np.concatenate([table.one * size + table.two, table.two * size + table.one])
    off = np.bincount(cells, weights=np.tile(gap_gap, 2), minlength=size * size)
    off = off.reshape(size, size)
    matrix = np.zeros((size + 1, size + 1))
    matrix[:size, :size] = np.diag(off.sum(axis=1)) - off
    column = _gather(table, gap_nu, np.zeros(0))[:size]
    matrix[:size, size] = matrix[size, :size] = column
    matrix[size, size] = nu_nu
    return matrix


def _curvature(table: Matches, theta: Floats, log_nu: float) -> Floats:
    won, lost, tied = chances(theta[table.one] - theta[table.two], log_nu)
    total, lead = table.total, won - lost
    gap_gap = total * (won + lost - lead**2) / 4
    return _square(
        table, gap_gap, -total * tied * lead / 2, float((total * tied * (1 - tied)).sum())
    )


def _inverse(matrix: Floats, has_ties: bool) -> Floats:
    """Inverse in the gauge mean 0; without ties log ν is no parameter."""
    size = len(matrix) - 1
    flat = np.zeros_like(matrix)
    flat[:size, :size] = 1 / size
    kept = matrix + flat
    if not has_ties:
        kept = kept.copy()
        kept[size] = kept[:, size] = 0
        kept[size, size] = 1
        flat[size, size] = 1
    return np.asarray(np.linalg.inv(kept) - flat)


def has_maximum(matches: Matches) -> bool:
    """Whether ratings and ν have finite estimates, where the points link all models both ways.

    Ties alone do not hold the ratings together: where wins run one way, gaps and ν can grow in
    step and lose no likelihood. That takes gaps of 2 or more along each win and 2 at most along
    each tie (the recession cone of the likelihood), which Bellman & Ford's method finds or refutes.
    """
    if not matches.ties.any() or not matches.wins.any():
        return bool(matches.wins.any())
    table = matches.collapsed()
    room = np.full((table.models, table.models), np.inf)
    for one, two in ((table.one, table.two), (table.two, table.one)):
        tied = table.ties > 0
        room[one[tied], two[tied]] = 2.0
    for one, two, wins in (
        (table.one, table.two, table.wins[:, 0]),
        (table.two, table.one, table.wins[:, 1]),
    ):
        room[one[wins > 0], two[wins > 0]] = -2.0
    depth = np.zeros(table.models)
    for _ in range(table.models + 1):
        deeper = np.minimum(depth, (depth[:, None] + room).min(axis=0))
        if np.array_equal(deeper, depth):
            return False
        depth = deeper
    return True


def davidson(
    matches: Matches, questions: Questions | None = None, members: Longs | None = None
) -> DavidsonFit:
    """Maximum likelihood with cluster-robust errors, over questions where these are given.

    The estimate exists if the graph of "won or tied against" is strongly connected and
    :func:`has_maximum` says so.

    Args:
        questions: the same comparisons by question.
        members: the numbers that the models of ``matches`` have there.

    Raises:
        ArithmeticError: if it does not converge (it does where the estimate exists).
    """
    table = matches.collapsed()
    has_ties = bool(table.ties.any())
    theta, log_nu = np.zeros(table.models), -np.inf
    if has_ties:
        log_nu = float(np.log(2 * table.ties.sum() / table.wins.sum()))
    reached, last = _likelihood(table, theta, log_nu), np.inf
    for _ in range(_MAX_STEPS):
        inverse = _inverse(_curvature(table, theta, log_nu), has_ties)
        step = inverse @ _gather(table, *_scores(table, theta, log_nu))
        longest = float(np.abs(step).max())
        step *= min(1.0, _LONGEST / max(longest, _CLOSE))
        gain = _likelihood(table, theta + step[:-1], log_nu + step[-1])
        while gain < reached - 1e-11 * abs(reached):
            step = step / 2
            gain = _likelihood(table, theta + step[:-1], log_nu + step[-1])
        theta, log_nu, reached = theta + step[:-1], log_nu + step[-1], gain
        if longest <= _CLOSE or last / 2 <= longest < _QUADRATIC:
            break
        last = longest
    else:
        raise ArithmeticError("Davidson's model did not converge")
    theta = theta - theta.mean()
    bread = _inverse(_curvature(table, theta, float(log_nu)), has_ties)
    over_pairs = _over_pairs(matches, theta, float(log_nu), bread, has_ties)
    if over_pairs is None:
        return DavidsonFit(theta, float(log_nu), None, None, 0)
    if questions is None or members is None:
        told = over_pairs
    else:
        slopes = partial(_slopes, theta, float(log_nu))
        told = over_questions(questions, members, slopes, bread, over_pairs)
    errors = np.sqrt(np.maximum(told.variance, 0))
    if errors[:-1].min() <= 1e-9:
        return DavidsonFit(theta, float(log_nu), None, None, told.freedom)
    of_nu = float(errors[-1]) if has_ties else None
    return DavidsonFit(theta, float(log_nu), errors[:-1], of_nu, told.freedom, told.clustered)


def _slopes(theta: Floats, log_nu: float, one: Longs, two: Longs) -> Floats:
    """What a win of either and a tie add to the score, shape (couples, 3, 2)."""
    won, lost, tied = chances(theta[one] - theta[two], log_nu)
    lead = (won - lost)[:, None]
    by_gap = (np.array([1.0, -1.0, 0.0]) - lead) / 2
    by_nu = np.array([0.0, 0.0, 1.0]) - tied[:, None]
    return np.stack([by_gap, by_nu], axis=2)


def _over_pairs(
    matches: Matches, theta: Floats, log_nu: float, bread: Floats, has_ties: bool
) -> Spread | None:
    """The sandwich over pairs; None where these cannot show a spread."""
    by_gap, by_nu = _scores(matches, theta, log_nu)
    times = matches.weights
    squares = times * by_gap**2, times * by_gap * by_nu, float(times @ by_nu**2)
    meat = _square(matches, *squares)
    clusters = int(times.sum())
    freedom = clusters - (matches.models - 1) - has_ties
    if freedom < 1 or _decides_alone(matches, theta, log_nu, bread):
        return None
    variance = np.diag(bread @ meat @ bread) * clusters / freedom
    return Spread(variance, freedom, Clustered.PAIR)


def _decides_alone(matches: Matches, theta: Floats, log_nu: float, bread: Floats) -> bool:
    """Whether one cluster alone links some models to the rest, and so is fitted perfectly."""
    won, lost, _ = chances(theta[matches.one] - theta[matches.two], log_nu)
    one, two = matches.one, matches.two
    resistance = bread[one, one] + bread[two, two] - 2 * bread[one, two]
    leverage = matches.total * (won + lost - (won - lost) ** 2) / 4 * resistance
    return bool(leverage.max() > _ALONE)
