"""Agreement within each category of questions, and within each match-up of two models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from core.stats.agreement import raters_on
from core.stats.comparing import BASELINE, CLASSES, HUMAN, S1, S2, Rater, agreeing_and_compared
from core.stats.intervals import Interval, clustered_wilson
from core.stats.observed import Longs
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD
from core.stats.view import View
from core.stats.weighted import weighted_share
from core.stats.win_rate import NO_CATEGORY
from core.text import many

FEWEST = 5
"""Pairs of answers below which a slice says too little to be told."""

_MATCHES = 45
"""Match-ups listed; those with most comparisons come first."""


_SAME = (
    "compared as in agreement: a judge with each vote on its item, people with each other, S1 "
    "with ties and S2 without; the human–human row of a slice is its ceiling",
    f"below {FEWEST} pairs of answers nothing is told",
    "turns are pooled; intervals are clustered by pair (Wilson at the effective size)",
)


@dataclass(frozen=True, slots=True)
class _Compared:
    """One comparison: its labels, and per pair of answers what agrees of what is compared."""

    labels: dict[str, Label]
    agreeing: Longs
    compared: Longs


def _comparisons(view: View, *, baselines: bool) -> Iterator[_Compared]:
    raters = raters_on(view)
    people = [each for each in raters if each.sort == HUMAN]
    others = [each for each in raters if each.sort != HUMAN and each.words == 1]
    others = [each for each in others if baselines or each.sort != BASELINE]
    named = view.people
    sides: list[tuple[str, Rater, Rater]] = []
    sides += [(f"{each.sort}-{named}", each, human) for each in others for human in people[:1]]
    sides += [(f"{named}-{named}", human, human) for human in people]
    sides += [(f"{named}-{named}", one, two) for one, two in combinations(people[1:], 2)]
    for setup, classes in CLASSES.items():
        for kind, one, two in sides:
            second = None if one is two else two.classes[classes]
            agreeing, compared = agreeing_and_compared(one.classes[classes], second)
            labels: dict[str, Label] = {
                "setup": setup,
                "kind": kind,
                "rater_1": one.name,
                "rater_2": two.name,
            }
            sums = view.pair_sums(agreeing), view.pair_sums(compared)
            yield _Compared(labels, *sums)


def _estimate(
    view: View, labels: dict[str, Label], found: _Compared, pairs: Longs, chance: float
) -> Estimate:
    agreeing, compared = found.agreeing[pairs], found.compared[pairs]
    clusters, n = int((compared > 0).sum()), int(compared.sum())
    if clusters < FEWEST:
        reason = (
            f"{many(clusters, 'pair')} of answers with something to compare; {FEWEST} are needed"
        )
        return Estimate(labels, None, n=n, reason=reason)
    level, weights = view.options.level, view.design.on(pairs)
    share: Interval | None
    if weights is None:
        share = clustered_wilson(agreeing, compared, level, "comparisons", "pairs")
    else:
        share = weighted_share(agreeing, compared, weights, level, "pairs", n)
    assert share is not None
    return Estimate(
        labels,
        share.value,
        share.low,
        share.high,
        level,
        n=n,
        k=int(agreeing.sum()),
        method=share.method,
        chance=chance,
    )


def _chance(view: View, setup: Label) -> float:
    if setup == S2:
        return 1 / 2
    bad = view.once(
        ("both bad occurs",),
        lambda: any(bool(each[:, BOTH_BAD - 1].any()) for each in view.raters().values()),
    )
    return 1 / 4 if bad else 1 / 3


def _rows(
    view: View, slices: list[tuple[dict[str, Label], Longs]], *, baselines: bool
) -> list[Estimate]:
    compared = list(_comparisons(view, baselines=baselines))
    return [
        _estimate(view, {**names, **each.labels}, each, pairs, _chance(view, each.labels["setup"]))
        for names, pairs in slices
        for each in compared
        if each.compared[pairs].any() or each.labels["setup"] == S1
    ]


def _notes(rows: tuple[Estimate, ...]) -> tuple[str, ...]:
    """Why there are no rows, where there are none."""
    return () if rows else ("there are no votes yet that anything could be compared with",)


def _seen(view: View) -> Longs:
    """The pairs on which somebody said something, by number."""
    said = sum(view.pair_sums(each.sum(axis=1)) for each in view.raters().values())
    return np.flatnonzero(said) if view.raters() else np.zeros(0, np.int64)


@statistic(
    "agreement_by_category",
    "Agreement by category",
    order=21,
    limits=(
        "Not a test that categories differ: with many of them one looks odd by chance. Where "
        "people agree poorly with each other, no judge can agree well."
    ),
)
def agreement_by_category(view: View) -> Result:
    """Agreement of people, judges and baselines within each category of questions."""
    seen = _seen(view)
    category = view.tally.pair_table[seen, 2]
    names = [each or NO_CATEGORY for each in view.tally.categories]
    order = sorted(np.unique(category).tolist(), key=lambda number: names[number])
    slices: list[tuple[dict[str, Label], Longs]] = [
        ({"category": names[number]}, seen[category == number]) for number in order
    ]
    rows = tuple(_rows(view, slices, baselines=True))
    return Result(
        "agreement_by_category",
        "Agreement by category",
        "How often two raters of one item say the same, within each category of questions.",
        ("category", "setup", "kind", "rater_1", "rater_2"),
        rows,
        _notes(rows),
        view.assumptions(*_SAME),
    )


@statistic(
    "agreement_by_pair",
    "Agreement by match-up",
    order=21,
    limits=(
        "Not a test of the raters: models of one strength give more ties and less agreement, "
        "whoever compares them."
    ),
)
def agreement_by_pair(view: View) -> Result:
    """Agreement of people and judges within each match-up of two models."""
    seen = _seen(view)
    models = view.tally.models
    one, two = view.tally.pair_table[seen, :2].astype(np.int64).T
    matches, match, size = np.unique(
        one * len(models) + two, return_inverse=True, return_counts=True
    )
    most = sorted(np.argsort(-size, kind="stable")[:_MATCHES].tolist())
    slices: list[tuple[dict[str, Label], Longs]] = []
    for number in most:
        first, second = divmod(int(matches[number]), len(models))
        labels: dict[str, Label] = {"model_1": models[first], "model_2": models[second]}
        slices.append((labels, seen[match == number]))
    slices.sort(key=lambda each: (each[0]["model_1"], each[0]["model_2"]))
    rows = tuple(_rows(view, slices, baselines=False))
    notes = [*_notes(rows)]
    if len(matches) > len(most):
        notes.append(f"of {len(matches)} match-ups, the {_MATCHES} with most pairs are told")
    return Result(
        "agreement_by_pair",
        "Agreement by match-up",
        "How often two raters of one item say the same, within each match-up of two models.",
        ("model_1", "model_2", "setup", "kind", "rater_1", "rater_2"),
        rows,
        tuple(notes),
        view.assumptions(*_SAME),
    )
