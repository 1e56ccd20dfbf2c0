"""How often each model wins, as in the MT-bench paper's table 7.

Per opponent, the share of comparisons that the model wins (ties and both bad are not wins),
over all turns; then the plain mean over the opponents, so that no opponent weighs more because
it was voted on more often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.records import Combined
from core.stats.intervals import student_quantile, wilson
from core.stats.outcomes import NOTHING, Bools, Outcomes
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import CHOICES
from core.stats.view import View

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Counts = NDArray[Any]

ALL = "all"
NO_CATEGORY = "no category"


@dataclass(frozen=True, slots=True)
class MeanShare:
    """A plain mean of shares over strata, with its clustered variance.

    ``error`` is None where the clusters show no spread at all. ``freedom`` is the clusters
    less the strata.
    """

    value: float
    error: float | None
    clusters: int
    strata: int

    def interval(self, level: float) -> tuple[float, float, str]:
        """Low, high and how they came about."""
        if self.error is None:
            low, high = wilson(self.value * self.clusters, self.clusters, level)
            return low, high, f"Wilson over {self.clusters} pairs, because the pairs do not vary"
        half = student_quantile(level, max(self.clusters - self.strata, 1)) * self.error
        low, high = max(0.0, self.value - half), min(1.0, self.value + half)
        return low, high, f"delta method over {self.clusters} pairs"


def mean_share(wins: Counts, total: Counts, stratum: Longs) -> MeanShare | None:
    """Mean over strata of Σ wins / Σ total, its variance from clusters within strata.

    A ratio's linearised residuals wins − share × total give the variance of each stratum's
    share; a stratum with one cluster shows no spread and is given that of a single draw.

    Args:
        wins: per cluster, times the cluster's weight where it has one.
        total: per cluster, the same; those with 0 are left out.
        stratum: per cluster, whole numbers.

    Returns:
        None if nothing was compared.
    """
    used = total > 0
    wins, total = wins[used], total[used]
    if not total.size:
        return None
    strata, place = np.unique(stratum[used], return_inverse=True)
    size = np.bincount(place)
    looked = np.bincount(place, weights=total)
    shares = np.bincount(place, weights=wins) / looked
    value = float(shares.mean())
    residual = wins - shares[place] * total
    squares = np.bincount(place, weights=residual**2)
    spread = squares / looked**2 * size / np.maximum(size - 1, 1)
    variance = np.where(size > 1, spread, value * (1 - value))
    error = math.sqrt(variance.sum()) / len(strata)
    return MeanShare(value, error if error > 1e-12 else None, len(total), len(strata))


@dataclass(frozen=True, slots=True)
class _Clusters:
    """One rater's counts per pair of answers: the models, the category, wins and comparisons.

    ``weight`` is what the pair's comparisons weigh. ``failed`` and ``pending`` count items.
    ``extremes`` are what failures could make of it, shape
    (pairs, 8): for either model wins and comparisons at worst, then at best.
    """

    model_1: Longs
    model_2: Longs
    category: Longs
    wins_1: Longs
    wins_2: Longs
    total: Longs
    failed: Longs
    pending: Longs
    extremes: Longs
    weight: Floats


def _clusters(view: View, counts: NDArray[np.int32], outcomes: Outcomes | None) -> _Clusters:
    wins_1, wins_2 = view.pair_sums(counts[:, 0]), view.pair_sums(counts[:, 1])
    total = view.pair_sums(counts.sum(axis=1))
    nothing = np.zeros_like(total)
    failed = pending = nothing
    extremes = np.stack([wins_1, total, wins_1, total, wins_2, total, wins_2, total], axis=1)
    if outcomes is not None:
        pending = view.pair_sums(outcomes.is_kind(Combined.PENDING))
        pairs = view.pair[outcomes.open]
        failed = np.bincount(pairs, minlength=len(total))
        said = counts[outcomes.open]
        for place in range(2):
            own = said[:, place], said.sum(axis=1)
            for number, ends in enumerate(_extremes(outcomes.options, place)):
                for column, (end, now) in enumerate(zip(ends, own, strict=True)):
                    target = extremes[:, 4 * place + 2 * number + column]
                    target += np.bincount(pairs, end - now, len(target)).astype(np.int64)
    seen = (total > 0) | (failed > 0) | (pending > 0)
    model_1, model_2, category, _ = view.tally.pair_table[seen].astype(np.int64).T
    weight = view.design.weights if outcomes is None else None
    weight = np.ones(len(total)) if weight is None else weight
    counted = (wins_1, wins_2, total, failed, pending, extremes)
    one, two, whole, lost, waiting, open_ended = (each[seen] for each in counted)
    of = model_1, model_2, category
    return _Clusters(*of, one, two, whole, lost, waiting, open_ended, weight[seen])


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


def _of_category(clusters: _Clusters, category: int) -> _Clusters:
    here = clusters.category == category
    return _Clusters(*(getattr(clusters, each.name)[here] for each in fields(_Clusters)))


@dataclass(frozen=True, slots=True)
class _Games:
    """One model's clusters: wins, comparisons, opponents, and what failures could make."""

    wins: Longs
    total: Longs
    opponent: Longs
    extremes: Longs
    weight: Floats
    failed: int
    pending: int


def _of_model(clusters: _Clusters, model: int) -> _Games:
    first, second = clusters.model_1 == model, clusters.model_2 == model
    either = first | second
    return _Games(
        np.concatenate([clusters.wins_1[first], clusters.wins_2[second]]),
        np.concatenate([clusters.total[first], clusters.total[second]]),
        np.concatenate([clusters.model_2[first], clusters.model_1[second]]),
        np.concatenate([clusters.extremes[first, :4], clusters.extremes[second, 4:]]),
        np.concatenate([clusters.weight[first], clusters.weight[second]]),
        int(clusters.failed[either].sum()),
        int(clusters.pending[either].sum()),
    )


def _estimate(labels: dict[str, Label], level: float, games: _Games) -> Estimate | None:
    weight = games.weight
    share = mean_share(games.wins * weight, games.total * weight, games.opponent)
    if share is None:
        return None
    low, high, method = share.interval(level)
    ends: list[float | None] = [None, None]
    if games.failed:
        for number in range(2):
            wins, total = games.extremes[:, 2 * number : 2 * number + 2].T
            end = mean_share(wins * weight, total * weight, games.opponent)
            ends[number] = None if end is None else end.value
    bounded = None not in ends
    return Estimate(
        labels,
        share.value,
        low,
        high,
        level,
        n=int(games.total.sum()),
        k=int(games.wins.sum()),
        method=f"mean over {share.strata} opponents; {method}",
        lowest=ends[0] if bounded else None,
        highest=ends[1] if bounded else None,
        failed=games.failed,
        pending=games.pending,
    )


@statistic(
    "win_rate",
    "Win rates by category",
    order=50,
    limits=(
        "Not comparable between models that met different opponents. A judge's rate is lower "
        "where it flips often, because flips are ties."
    ),
)
def win_rate(view: View) -> Result:
    """Win rate per model, overall and by category, for people and each judge."""
    models, categories = view.tally.models, view.tally.categories
    by_name = sorted(range(len(models)), key=lambda model: models[model])
    slices: list[tuple[str, int | None]] = [(ALL, None)]
    named = [(name or NO_CATEGORY, number) for number, name in enumerate(categories)]
    if len(named) > 1:
        slices += sorted(named)
    estimates = []
    words = view.words()
    for rater, counts in view.raters().items():
        clusters = _clusters(view, counts, words.get(rater))
        for category, number in slices:
            sliced = clusters if number is None else _of_category(clusters, number)
            for model in by_name:
                labels: dict[str, Label] = {
                    "raters": rater,
                    "category": category,
                    "model": models[model],
                }
                estimate = _estimate(labels, view.options.level, _of_model(sliced, model))
                estimates += [estimate] if estimate else []
    notes = view.judge_notes()
    if not estimates:
        notes = ("there are no votes and no verdicts yet", *notes)
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
            "turns are pooled; intervals are clustered by pair, within opponents",
            "a judge whose two orders differ says tie; its failures are left out",
            "failures could make it: the value if every failed verdict had gone against the model, "
            "or for it",
            *view.panel_assumptions(),
        ),
    )
