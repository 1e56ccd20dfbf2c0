"""How often each model wins, as in the MT-bench paper's table 7.

Per opponent, the share of comparisons that the model wins (ties and both bad are not wins),
over all turns; then the plain mean over the opponents, so that no opponent weighs more because
it was voted on more often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.records import Combined
from core.stats.collapsed import (
    MODELS_AND_CATEGORY,
    Columns,
    collapsed_pairs,
    derived,
    every_pair,
    outcomes_of,
    raters_in,
    unless_changed,
    votes,
    word,
)
from core.stats.mean_shares import MeanShares, mean_shares
from core.stats.opponents import Opponents, opponents
from core.stats.outcomes import NOTHING, Bools
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import CHOICES
from core.stats.view import View, one_each

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

ALL = "all"
NO_CATEGORY = "no category"


def _with_failures(rows: NDArray[Any]) -> Longs:
    """What a judge's or panel's word adds, as :func:`core.stats.collapsed.word` tells it."""
    outcomes = outcomes_of(rows)
    counts = one_each(outcomes.choice).astype(np.int64)
    own = np.column_stack([counts[:, 0], counts[:, 1], counts.sum(axis=1)])
    extremes = own[:, [0, 2, 0, 2, 1, 2, 1, 2]]
    for place in range(2):
        for number, ends in enumerate(_extremes(outcomes.options, place)):
            start = 4 * place + 2 * number
            extremes[outcomes.open, start : start + 2] = np.column_stack(ends)
    failed = np.zeros(len(rows), np.int64)
    failed[outcomes.open] = 1
    return np.column_stack([own, failed, outcomes.is_kind(Combined.PENDING), extremes])


def _of_votes(rows: NDArray[Any]) -> Longs:
    """The same of votes by choice, in which nothing failed."""
    return np.column_stack([rows[:, 0], rows[:, 1], rows.sum(axis=1)]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Clusters:
    """One rater's counts per pair of answers, alike ones together.

    Attributes:
        columns: what is looked at of each item; wins and comparisons come first.
        pairs: models and category, shape (patterns, 3).
        own: wins of either model, and comparisons, shape (patterns, 3).
        failed: items that failed, by pattern; None where nothing can.
        pending: items that wait.
        extremes: what failures could make of it, shape (patterns, 8).
        times: how many pairs each pattern stands for.
        weights: what the comparisons on each pair weigh, where patterns are single pairs; None
            where all weigh 1.
    """

    columns: Columns
    pairs: Longs
    own: Longs
    failed: Longs | None
    pending: Longs | None
    extremes: Longs | None
    times: Longs
    weights: Floats | None = None


def _clusters(view: View, rater: str) -> _Clusters:
    if rater in view.populations:
        columns = derived(votes(view, rater), "wins", 3, _of_votes)
        weights = view.design.weights
        if weights is not None:
            pairs, own, number = every_pair(view, MODELS_AND_CATEGORY, columns)
            alone = np.ones(len(number), np.int64)
            return _Clusters(columns, pairs, own, None, None, None, alone, weights[number])
        (pairs, own), times = collapsed_pairs(view, MODELS_AND_CATEGORY, columns)
        return _Clusters(columns, pairs, own, None, None, None, times)
    columns = derived(word(view, rater), "wins", 5 + 8, _with_failures)
    (pairs, rows), times = collapsed_pairs(view, MODELS_AND_CATEGORY, columns)
    return _Clusters(columns, pairs, rows[:, :3], rows[:, 3], rows[:, 4], rows[:, 5:], times)


def _extremes(options: Bools, model: int) -> list[tuple[Longs, Longs]]:
    """Wins and comparisons that each open item adds for a model at worst, and at best."""
    can_win = options[:, model]
    can_not = np.delete(options[:, :CHOICES], model, axis=1).any(axis=1)
    may_be_out = options[:, NOTHING]
    at_worst = ~can_not & ~may_be_out  # a win is all it could be
    compared_at_worst = can_not | at_worst
    compared_at_best = can_win | ~may_be_out
    return [
        (at_worst.astype(np.int64), compared_at_worst.astype(np.int64)),
        (can_win.astype(np.int64), compared_at_best.astype(np.int64)),
    ]


@dataclass(frozen=True, slots=True)
class _Table:
    """One rater's numbers by slice of the categories and model, shape (slices, models) each.

    Attributes:
        shares: mean over opponents, its clusters and strata; see :func:`mean_shares`.
        ends: the same shares if failures went against the model, and for it; NaN where nothing
            was left to compare. None where nothing can fail.
        n: comparisons.
        k: wins.
        failed: items.
        pending: items.
    """

    shares: MeanShares
    ends: tuple[Floats, Floats] | None
    n: Longs
    k: Longs
    failed: Longs
    pending: Longs


def _table(
    view: View, clusters: _Clusters, sliced: Longs, slices: int, shared: Opponents
) -> _Table:
    """The numbers of some patterns.

    Args:
        sliced: the slice that each pattern belongs to.
        shared: what pairs of one question have in common, each slice being a lane.
    """
    models = len(view.tally.models)
    one, two = clusters.pairs[:, 0], clusters.pairs[:, 1]
    place = np.concatenate([sliced * models + one, sliced * models + two])
    opponent = np.concatenate([two, one])
    times, cells = np.tile(clusters.times, 2), slices * models

    def of_sides(table: Longs, first: int, second: int) -> Longs:
        return np.concatenate([table[:, first], table[:, second]])

    def summed(values: Longs) -> Longs:
        total = np.bincount(place, weights=times * values, minlength=cells)
        return total.reshape(slices, models).astype(np.int64)

    wins, total = of_sides(clusters.own, 0, 1), of_sides(clusters.own, 2, 2)
    weight = 1.0 if clusters.weights is None else np.tile(clusters.weights, 2)
    strata = place * models + opponent
    is_weighed = clusters.weights is not None
    sums = wins * weight, total * weight, strata, times, cells, models
    shares = mean_shares(*sums, is_weighed=is_weighed)
    shares = shares.by_question((lane * models + own, of) for lane, own, of in shared.blocks())
    nothing = np.zeros((slices, models), np.int64)
    failed = pending = nothing
    ends = None
    if clusters.failed is not None and clusters.pending is not None:
        failed, pending = (summed(np.tile(each, 2)) for each in (clusters.failed, clusters.pending))
    if clusters.extremes is not None and failed.any():
        at = [
            mean_shares(
                of_sides(clusters.extremes, start, start + 4),
                of_sides(clusters.extremes, start + 1, start + 5),
                strata,
                times,
                cells,
                models,
            ).value
            for start in (0, 2)
        ]
        ends = at[0], at[1]
    return _Table(shares, ends, summed(total), summed(wins), failed, pending)


def _estimate(
    labels: dict[str, Label], level: float, table: _Table, at: tuple[int, int]
) -> Estimate | None:
    cell = at[0] * table.n.shape[1] + at[1]
    share = table.shares.at(cell)
    if share is None:
        return None
    low, high, method = share.interval(level)
    ends: list[float | None] = [None, None]
    if table.failed[at] and table.ends is not None:
        told = [float(each[cell]) for each in table.ends]
        if not any(map(math.isnan, told)):
            ends = [told[0], told[1]]
    return Estimate(
        labels,
        share.value,
        low,
        high,
        level,
        n=int(table.n[at]),
        k=int(table.k[at]),
        method=f"mean over {share.strata} opponents; {method}",
        lowest=ends[0],
        highest=ends[1],
        failed=int(table.failed[at]),
        pending=int(table.pending[at]),
    )


def _rows(view: View, rater: str, slices: list[tuple[str, int | None]]) -> list[Estimate]:
    clusters = _clusters(view, rater)
    made = partial(_rows_of, view, rater, clusters, slices)
    if clusters.weights is not None:
        return made()
    return unless_changed(view, ("win_rate", rater), clusters.times, made)


def _rows_of(
    view: View, rater: str, clusters: _Clusters, slices: list[tuple[str, int | None]]
) -> list[Estimate]:
    models = view.tally.models
    by_name = sorted(range(len(models)), key=lambda model: models[model])
    nothing = np.zeros(len(clusters.times), np.int64)
    shared = partial(opponents, view, clusters.columns, weights=view.design.weights)
    if rater not in view.populations:
        shared = partial(opponents, view, clusters.columns)
    whole = _table(view, clusters, nothing, 1, shared(apart=False))
    parts = whole
    if len(slices) > 1:
        by = clusters.pairs[:, 2], len(view.tally.categories)
        parts = _table(view, clusters, *by, shared(apart=True))
    estimates = []
    for category, number in slices:
        for model in by_name:
            labels: dict[str, Label] = {
                "raters": rater,
                "category": category,
                "model": models[model],
            }
            table, at = (whole, (0, model)) if number is None else (parts, (number, model))
            estimate = _estimate(labels, view.options.level, table, at)
            estimates += [estimate] if estimate else []
    return estimates


@statistic(
    "win_rate",
    "Win rates by category",
    order=50,
    limits=(
        "Not comparable between models that met different opponents. A judge's rate is lower "
        "where it flips often, because flips are ties."
    ),
    follows=True,
)
def win_rate(view: View) -> Result:
    """Win rate per model, overall and by category, for people and each judge."""
    slices: list[tuple[str, int | None]] = [(ALL, None)]
    named = [(name or NO_CATEGORY, number) for number, name in enumerate(view.tally.categories)]
    if len(named) > 1:
        slices += sorted(named)
    estimates = [row for rater in raters_in(view) for row in _rows(view, rater, slices)]
    notes = view.judge_notes()
    if not estimates:
        notes = (view.none_of("votes and no verdicts"), *notes)
    return Result(
        "win_rate",
        "Win rates by category",
        "Share of comparisons that a model wins, averaged over its opponents.",
        ("raters", "category", "model"),
        tuple(estimates),
        notes,
        view.assumptions(
            "ties and both bad are comparisons that nobody wins",
            "rate per opponent, then the plain mean over the opponents that were met",
            "k of n is the pooled count; the value weighs opponents equally",
            "turns are pooled; intervals are clustered by question: its pairs share answers",
            "a judge whose two orders differ says tie; its failures are left out",
            "failures could make it: the value if every failed verdict had gone against the model, "
            "or for it",
            *view.panel_assumptions(),
        ),
    )
