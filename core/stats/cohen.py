"""Cohen's κ between every two annotators who voted on the same items."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.stats.intervals import normal_quantile
from core.stats.kappa_sums import KappaPairs, KappaSums, tables_of
from core.stats.nearby import kept, near, votes_near
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.sorting import every_two
from core.stats.tally import CHOICES
from core.stats.view import View
from core.text import many

Longs = NDArray[np.int64]

_PORTION: Final = 1 << 15
"""Pairs of answers read at once."""

_SHOWN = 100
"""Pairs of annotators listed one by one; those that share most items come first."""


def kappa_pairs(view: View, population: str) -> KappaPairs:
    """κ of every two annotators of a population, clustered by pair of answers.

    An annotator's last vote on an item counts.
    """

    def find() -> KappaPairs:
        take = partial(_take, view, population)
        sums: KappaSums = kept(view, ("kappa", view.vote_key(population)), KappaSums, take)
        return sums.told()

    return view.once(("kappa", population), find)


def _take(view: View, population: str, sums: KappaSums, items: Longs | None) -> None:
    tally = view.tally
    pairs = np.arange(len(tally.pair_table))
    if items is not None:
        pairs = np.unique(tally.item_pair[items]).astype(np.int64)
    for start in range(0, len(pairs), _PORTION):
        mine = pairs[start : start + _PORTION]
        here = near(view, mine)
        people, _ = votes_near(view, here, population)
        people = people.only(np.lexsort((people.rater, people.item)))
        one, two = every_two(people.item)
        said = (people.choice[one] - 1) * CHOICES + people.choice[two] - 1
        owner = here.pair[people.item[one]]
        sums.put(mine, owner, (people.rater[one], people.rater[two]), said)


def kappa_of(one: Longs, two: Longs, cluster: Longs) -> tuple[float, float]:
    """κ of one pair of raters, NaN where it has none, and its standard error.

    Args:
        one: the first rater's class (0–3) in each comparison.
        two: the second's.
        cluster: what the standard error is clustered by.
    """
    table = np.bincount(one * CHOICES + two, minlength=CHOICES**2).reshape(1, CHOICES, CHOICES)
    found = tables_of(table)
    clusters, place = np.unique(cluster, return_inverse=True)
    moved = np.bincount(place, weights=found.influence[0, one, two])
    spread = float((moved**2).sum()) * len(clusters) / max(len(clusters) - 1, 1)
    return float(found.kappa[0]), spread**0.5


def _pair_estimate(view: View, pairs: KappaPairs, error: float, place: int) -> Estimate:
    names = view.tally.annotators
    labels: dict[str, Label] = {
        "annotator_1": names[int(pairs.first[place])],
        "annotator_2": names[int(pairs.second[place])],
    }
    found = pairs.tables
    n, k, value = int(found.shared[place]), int(found.equal[place]), float(found.kappa[place])
    if np.isnan(value):
        reason = "both gave one same label throughout, so nothing tells agreement from habit"
        return Estimate(labels, None, n=n, k=k, unit="coefficient", reason=reason)
    if error == 0 or n < 2:
        method = "κ from the confusion table; no interval, no item departs from it"
        return Estimate(labels, value, n=n, k=k, unit="coefficient", method=method)
    method = f"κ from the confusion table; delta method over {many(n, 'item')}"
    return kappa_estimate(view, labels, value, error, n=n, k=k, method=method)


def kappa_estimate(
    view: View,
    labels: dict[str, Label],
    value: float,
    error: float,
    *,
    n: int,
    k: int,
    method: str,
) -> Estimate:
    """A κ with the normal interval of its standard error, within [-1, 1]."""
    half = normal_quantile(view.options.level) * error
    return Estimate(
        labels,
        value,
        max(-1.0, value - half),
        min(1.0, value + half),
        view.options.level,
        n=n,
        k=k,
        unit="coefficient",
        method=method,
    )


@statistic(
    "annotator_kappa",
    "Cohen's κ between annotators",
    order=35,
    limits="A low κ names a couple, not a culprit; with few shared items it says little.",
    follows=True,
)
def annotator_kappa(view: View) -> Result:
    """Cohen's κ of each pair of annotators that shares enough items."""
    population = next(iter(view.populations))
    pairs = kappa_pairs(view, population)
    shared = pairs.tables.shared
    enough = np.flatnonzero(shared >= view.options.min_shared)
    ranked = enough[np.argsort(-shared[enough], kind="stable")][:_SHOWN]
    errors = pairs.errors()
    notes = []
    if len(shared) > len(enough):
        notes.append(
            f"left out, for they share fewer than {many(view.options.min_shared, 'item')}: "
            f"{many(len(shared) - len(enough), 'pair')} of annotators"
        )
    if len(enough) > len(ranked):
        notes.append(
            f"of {len(enough)} pairs with enough items, the {_SHOWN} that share most are listed"
        )
    if not shared.size:
        notes.append("no two annotators voted on the same item")
    return Result(
        "annotator_kappa",
        "Cohen's κ between annotators",
        "Agreement of two annotators beyond chance on the n items both voted on.",
        ("annotator_1", "annotator_2"),
        tuple(_pair_estimate(view, pairs, float(errors[place]), int(place)) for place in ranked),
        tuple(notes),
        view.assumptions(
            "an annotator's last vote on an item counts",
            "classes are nominal; turns are pooled",
        ),
    )
