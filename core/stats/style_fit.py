"""Bradley–Terry with covariates, by Newton, with influences that add up over clusters.

P(one beats two) = 1 / (1 + exp(−(θ_one − θ_two + β·x))), where x changes its sign when the
sides are exchanged. Source: Bradley & Terry 1952; with covariates as in "style control" (Li,
Angelopoulos & Chiang 2024). Sandwich by clusters: Liang & Zeger 1986.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.stats.bradley_terry import reach

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

_MAX_STEPS = 60
_CLOSE = 1e-9
_LONGEST = 2.0
"""The curvature cannot be trusted further than this, in log-odds."""

_FURTHEST = 30.0
"""Log-odds beyond which no vote moves anything: the likelihood has no maximum then."""

_CERTAIN = 15.0
"""Log-odds of rows that are on their way there."""

_ONE_WAY = "no two models won from each other, so nothing is left that style could explain"
_NOTHING = "nothing that differs between the answers can be told apart from the models"
_ENDLESS = "the choices follow the answers' style so closely that no finite number fits"

_COLLINEAR = 1e-8
_UNVARIED = 1e-6
"""Clustered over model-based standard error below which no cluster moves a coefficient: with
rounding, sums that cancel leave about 1e-8 of it."""

_FEWEST_TOLD = 0.05
"""Share of the choices that must not be certain, for those to say what a coefficient is."""

FEWEST_CARRIERS = 5.0
"""Clusters that must carry a coefficient, for its residuals to show how far it varies."""


@dataclass(frozen=True, slots=True)
class Trials:
    """Decisive choices, those that are alike added up.

    Attributes:
        one, two: models, numbered 0 … models − 1; shape (rows,).
        cluster: of each row, any whole number.
        won: how often the first model was chosen.
        total: how often either was.
        x: covariates, shape (rows, covariates).
        models: how many models there are.
        times: of each row, how many clusters alike its cluster stands for; one if left out.
        kind: of each row, a whole number that is the same where models and covariates are; if
            given, the maximum is sought with the rows of one kind added up.
    """

    one: Longs
    two: Longs
    cluster: Longs
    won: Floats
    total: Floats
    x: Floats
    models: int
    times: Floats | None = None
    kind: Longs | None = None

    def only(self, mine: Bools | Longs) -> Trials:
        """Some of the rows."""
        one, two, cluster = self.one[mine], self.two[mine], self.cluster[mine]
        won, total, x = self.won[mine], self.total[mine], self.x[mine]
        times = None if self.times is None else self.times[mine]
        kind = None if self.kind is None else self.kind[mine]
        return Trials(one, two, cluster, won, total, x, self.models, times, kind)

    def collapsed(self) -> Trials:
        """The rows of each kind added up, times and all; the same rows where no kinds are told."""
        if self.kind is None or self.times is None:
            return self
        _, first, place = np.unique(self.kind, return_index=True, return_inverse=True)
        won, total = (
            np.bincount(place, weights=self.times * each).astype(np.float64)
            for each in (self.won, self.total)
        )
        one, two = self.one[first], self.two[first]
        return Trials(one, two, np.arange(len(first)), won, total, self.x[first], self.models)


@dataclass(frozen=True, slots=True)
class StyleFit:
    """What was fitted.

    Attributes:
        columns: the covariates that could be fitted, as columns of the trials.
        beta: their coefficients, in log-odds per unit.
        clusters: the clusters' own numbers, rising.
        influence: how far each cluster moves each coefficient, shape (clusters, columns), scaled
            so that their squares add up to the variance.
        carriers: how many clusters carry each coefficient, in effect.
        n: choices used.
        freedom: clusters less parameters.
        endless: covariates that always won, or always lost: no finite coefficient fits.
        times: how many clusters each of these stands for; one if left out.
        kinds: the kinds of the rows that were used, where kinds were told.
        pulls: what a residual of a row adds to the coefficients, by model and by covariate; scaled
            as the influence is.
        parameters: ratings, then coefficients.
        always: those of ``endless`` that won, or lost, each time.
        given: choices that there were, those that are predicted with certainty included.
        unvaried: by coefficient, whether no cluster moves it; see :func:`unvaried`.
    """

    columns: tuple[int, ...]
    beta: Floats
    clusters: Longs
    influence: Floats
    carriers: Floats
    n: int
    freedom: int
    endless: tuple[int, ...] = ()
    times: Floats | None = None
    kinds: Longs | None = None
    pulls: Floats | None = None
    parameters: Floats | None = None
    always: tuple[int, ...] = ()
    given: int = 0
    unvaried: tuple[bool, ...] = ()

    @property
    def errors(self) -> Floats:
        """Standard errors of the coefficients."""
        squares = self.influence**2
        if self.times is not None:
            squares = self.times[:, None] * squares
        return np.asarray(np.sqrt(squares.sum(axis=0)))

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return len(self.clusters) if self.times is None else int(self.times.sum())

    def moves(self, rows: Trials, column: int) -> tuple[Floats, Floats]:
        """How far a choice for the first model, and one for the second, move a coefficient.

        Args:
            rows: one of each kind; where a kind was not used, nothing is moved.
            column: the covariate.
        """
        assert rows.kind is not None
        assert self.kinds is not None
        assert self.pulls is not None
        assert self.parameters is not None
        size, x = rows.models, rows.x[:, self.columns]
        theta, beta = self.parameters[:size], self.parameters[size:]
        chance = 1 / (1 + np.exp(-(theta[rows.one] - theta[rows.two] + x @ beta)))
        mine = self.pulls[self.columns.index(column)]
        pull = (mine[rows.one] - mine[rows.two] + x @ mine[size:]) * np.isin(rows.kind, self.kinds)
        return np.asarray(pull * (1 - chance)), np.asarray(-pull * chance)


class _Endless(Exception):
    """The likelihood has no maximum; carries which rows are predicted with certainty."""

    def __init__(self, certain: Bools) -> None:
        super().__init__()
        self.certain = certain


def comparable(trials: Trials) -> tuple[Trials, Longs, Bools]:
    """The rows between models that won from each other, directly or through others.

    Any other row is predicted with certainty by a gap without end, so it tells nothing of the
    covariates; which is what the likelihood makes of it in the limit.

    Returns:
        The rows, by model the number of its group, and which rows these are.
    """
    size = trials.models
    cells = np.concatenate([trials.one * size + trials.two, trials.two * size + trials.one])
    points = np.concatenate([trials.won, trials.total - trials.won])
    if trials.times is not None:
        points = points * np.tile(trials.times, 2)
    table = np.bincount(cells, weights=points, minlength=size * size).reshape(size, size)
    group = groups(table.astype(np.float64))
    kept = group[trials.one] == group[trials.two]
    return trials.only(kept), group, kept


def groups(table: Floats) -> Longs:
    """By model the number of its group: the models that won from each other.

    Args:
        table: choices of row against column.
    """
    reached = reach(table)
    return np.asarray(np.argmax(reached & reached.T, axis=1))


@dataclass(frozen=True, slots=True)
class Anchor:
    """A maximum of the likelihood.

    Attributes:
        columns: the covariates that could be fitted.
        parameters: ratings, then coefficients.
        inverse: of their information.
        group: by model the number of its group, see :func:`comparable`.
        lost: covariates without a finite coefficient.
        used: which of the rows that were given tell anything.
        always: those of ``lost`` that won, or lost, each time.
    """

    columns: tuple[int, ...]
    parameters: Floats
    inverse: Floats
    group: Longs
    lost: tuple[int, ...]
    used: Longs
    always: tuple[int, ...] = ()


def fit(trials: Trials) -> StyleFit | str:
    """Fit models and covariates together; why not, in words, where that cannot be done."""
    work = fitting(trials)
    while True:
        try:
            next(work)
        except StopIteration as done:
            fitted: tuple[Anchor, _Problem] | str = done.value
            break
    if isinstance(fitted, str):
        return fitted
    anchor, problem = fitted
    rows = trials.only(anchor.used)
    found = problem.result(rows, anchor.parameters, anchor.inverse, anchor.lost)
    times = 1 if trials.times is None else trials.times
    given = int((times * trials.total).sum())
    flat = unvaried(found.errors, anchor.inverse, trials.models)
    return replace(found, always=anchor.always, given=given, unvaried=flat)


def unvaried(errors: Floats, inverse: Floats, models: int) -> tuple[bool, ...]:
    """By coefficient, whether its clustered error is none beside that of the model.

    It is where each cluster's choices cancel: of a rater that says the same of both orders, on the
    side. That is no exact knowledge; residuals that are always 0 show no spread.
    """
    least = _UNVARIED * np.sqrt(np.diag(inverse)[models:])
    return tuple((errors <= least).tolist())


def is_told(n: int, given: int) -> bool:
    """Whether enough choices are left once those predicted with certainty are out."""
    return n >= _FEWEST_TOLD * given


def fitting(trials: Trials) -> Generator[None, None, tuple[Anchor, _Problem] | str]:
    """Fit models and covariates together, with a pause after each step.

    Where a covariate tells all choices on some rows, its coefficient grows without end. Those
    rows are predicted with certainty in the limit and tell nothing of the others (Albert &
    Anderson 1984): they are left out, and the covariate with them.
    """
    used = np.arange(len(trials.total))
    lost: set[int] = set()
    before: tuple[int, ...] | None = None
    endless = _one_sided(trials) or _ENDLESS
    one_way = _always(trials)
    while True:
        trials, group, kept = comparable(trials)
        used = used[kept]
        if not trials.total.sum():
            return endless if before else _ONE_WAY
        problem = _Problem(trials.collapsed(), group)
        lost |= set(before or ()) - set(problem.columns)
        if not problem.columns:
            return endless if before else _NOTHING
        try:
            solved = yield from problem.solving()
            always = tuple(sorted(lost & one_way))
            anchor = Anchor(problem.columns, *solved, group, tuple(sorted(lost)), used, always)
            return anchor, problem
        except _Endless as found:
            before = problem.columns
            kept = ~found.certain
            if trials.kind is not None:
                kept = np.isin(trials.kind, np.unique(trials.kind)[kept])
            trials, used = trials.only(kept), used[kept]


def _one_sided(trials: Trials) -> str:
    """That all choices are for the answer on one side, in words; empty where they are not."""
    side = trials.x[:, 0]
    times = np.ones(len(side)) if trials.times is None else trials.times
    lost = trials.total - trials.won
    left = float(times @ np.where(side > 0, trials.won, np.where(side < 0, lost, 0)))
    right = float(times @ np.where(side > 0, lost, np.where(side < 0, trials.won, 0)))
    total = float(times @ trials.total)
    for name, found in (("first", left), ("second", right)):
        if found == total:
            return f"every choice is for the answer shown {name}, so that no finite number fits"
    return ""


def _always(trials: Trials) -> set[int]:
    """The covariates of which more won each time, or lost each time."""
    lost = trials.total - trials.won
    more = np.where(trials.x > 0, trials.won[:, None], np.where(trials.x < 0, lost[:, None], 0))
    less = np.where(trials.x > 0, lost[:, None], np.where(trials.x < 0, trials.won[:, None], 0))
    return set(np.flatnonzero(~more.any(axis=0) | ~less.any(axis=0)).tolist())


def gauge_of(met: Bools, group: Longs) -> tuple[Floats, int]:
    """What fixes the mean of each group's ratings, and those that nobody met, at 0.

    Returns:
        What to add to the information of the ratings; and how many of these are free.
    """
    together = (group[:, None] == group[None, :]) & met[:, None] & met[None, :]
    gauge = together / np.maximum(together.sum(axis=1), 1)[:, None]
    return gauge + np.diag(~met), int(met.sum()) - len(np.unique(group[met]))


def separable(whole: Floats, models: int) -> tuple[int, ...]:
    """The covariates that models and the covariates before them do not determine.

    Args:
        whole: Σ w z zᵀ of the rows' designs, with the gauge on the ratings.
    """
    kept: list[int] = []
    for column in range(len(whole) - models):
        place = models + column
        others = [*range(models), *(models + each for each in kept)]
        own = whole[place, place]
        cross = whole[np.ix_(others, [place])][:, 0]
        told = cross @ np.linalg.solve(whole[np.ix_(others, others)], cross)
        if own > 0 and own - told > _COLLINEAR * own:
            kept.append(column)
    return tuple(kept)


class _Problem:
    """The likelihood of trials, with the parameters: ratings, then kept covariates."""

    def __init__(self, trials: Trials, group: Longs) -> None:
        self.trials = trials
        met = np.zeros(trials.models, np.bool_)
        met[trials.one] = met[trials.two] = True
        self.gauge, self.ratings = gauge_of(met, group)
        self.columns: tuple[int, ...] = ()
        self.x = trials.x
        self.columns = self._separable()
        self.x = trials.x[:, self.columns]

    def _separable(self) -> tuple[int, ...]:
        """The covariates that models and the covariates before them do not determine."""
        return separable(self._information(self.trials.total / 4), self.trials.models)

    def _information(self, weights: Floats) -> Floats:
        """Σ w z zᵀ of the rows' designs z, with the gauge on the ratings."""
        one, two, size = self.trials.one, self.trials.two, self.trials.models
        cells = np.concatenate([one * size + two, two * size + one])
        games = np.bincount(cells, weights=np.tile(weights, 2), minlength=size * size)
        games = games.reshape(size, size)
        wide = weights[:, None] * self.x
        cross = np.stack([self._spread(column) for column in wide.T], axis=1)
        ratings = np.diag(games.sum(axis=1)) - games + self.gauge
        return np.block([[ratings, cross], [cross.T, self.x.T @ wide]])

    def _spread(self, values: Floats) -> Floats:
        """Σ values (e_one − e_two), shape (models,)."""
        size = self.trials.models
        one = np.bincount(self.trials.one, weights=values, minlength=size)
        return np.asarray(one - np.bincount(self.trials.two, weights=values, minlength=size))

    def _predictor(self, parameters: Floats) -> Floats:
        theta, beta = parameters[: self.trials.models], parameters[self.trials.models :]
        return np.asarray(theta[self.trials.one] - theta[self.trials.two] + self.x @ beta)

    def _log_likelihood(self, parameters: Floats) -> float:
        eta, trials = self._predictor(parameters), self.trials
        return float(trials.won @ eta - trials.total @ np.logaddexp(0, eta))

    def _chance(self, parameters: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(-np.clip(self._predictor(parameters), -700, 700))))

    def solving(self) -> Generator[None, None, tuple[Floats, Floats]]:
        """Parameters and the inverse of their information, with a pause after each step.

        Raises:
            _Endless: if there is no maximum.
            ArithmeticError: if it does not converge (it does where there is one).
        """
        trials = self.trials
        parameters = np.zeros(trials.models + len(self.columns))
        reached = self._log_likelihood(parameters)
        for _ in range(_MAX_STEPS):
            chance = self._chance(parameters)
            residual = trials.won - trials.total * chance
            slope = np.concatenate([self._spread(residual), self.x.T @ residual])
            information = self._information(trials.total * chance * (1 - chance))
            inverse = np.asarray(np.linalg.inv(information), np.float64)
            step = inverse @ slope
            moved = float(np.abs(self._predictor(step)).max())
            if moved <= _CLOSE:
                return np.asarray(parameters + step), inverse
            step = step * min(1.0, _LONGEST / moved)
            gain = self._log_likelihood(parameters + step)
            while gain < reached - 1e-12 * abs(reached):
                step = step / 2
                gain = self._log_likelihood(parameters + step)
            parameters, reached = parameters + step, gain
            certain = np.abs(self._predictor(parameters))
            if float(certain.max()) > _FURTHEST:
                raise _Endless(certain > _CERTAIN)
            yield
        raise ArithmeticError("the style model did not converge")

    def result(
        self, trials: Trials, parameters: Floats, inverse: Floats, endless: tuple[int, ...]
    ) -> StyleFit:
        """Coefficients and the influence of each cluster on them.

        Args:
            trials: the rows that were fitted, cluster by cluster.
        """
        size = trials.models
        x = trials.x[:, self.columns]
        theta, beta = parameters[:size], parameters[size:]
        eta = theta[trials.one] - theta[trials.two] + x @ beta
        chance = 1 / (1 + np.exp(-np.clip(eta, -700, 700)))
        rows = inverse[size:]
        pull = (rows[:, trials.one] - rows[:, trials.two]).T + x @ inverse[size:, size:]
        clusters, first, place = np.unique(trials.cluster, return_index=True, return_inverse=True)
        times = None if trials.times is None else trials.times[first]
        each = np.ones(len(clusters)) if times is None else times
        residual = trials.won - trials.total * chance
        influence = _summed(pull * residual[:, None], place, len(clusters))
        weight = (trials.total * chance * (1 - chance))[:, None]
        carried = _summed(weight * pull**2, place, len(clusters))
        carried = carried / np.diag(inverse)[size:]
        count = int(each.sum())
        freedom = count - self.ratings - len(self.columns)
        scale = np.sqrt(count / max(freedom, 1))
        return StyleFit(
            self.columns,
            parameters[size:],
            clusters,
            influence * scale,
            1 / (each @ carried**2),
            int(self.trials.total.sum()),
            freedom,
            endless,
            times,
            None if trials.kind is None else np.unique(trials.kind),
            rows * scale,
            parameters,
        )


def _summed(rows: Floats, place: Longs, size: int) -> Floats:
    columns = [np.bincount(place, weights=column, minlength=size) for column in rows.T]
    return np.stack(columns, axis=1)
