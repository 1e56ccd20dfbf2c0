"""Cohen's κ between every two annotators who voted on the same items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats.intervals import normal_quantile
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.sorting import last_of_each
from core.stats.tally import BOTH_BAD, CHOICES, TIE
from core.stats.view import View
from core.text import many

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

_SHOWN = 100
"""Pairs of annotators listed one by one; those that share most items come first."""


@dataclass(frozen=True, slots=True)
class KappaPairs:
    """κ of every pair of annotators that shares an item, or of annotators with themselves.

    Attributes:
        first: annotator numbers, shape (pairs,); never above ``second``.
        second: annotator numbers.
        shared: how many items both voted on.
        equal: on how many of them they said the same.
        kappa: κ; NaN where both gave one same label throughout.
        cluster: of every shared item of every pair, its pair of answers; shape (comparisons,).
        pair: of the same, the position in the arrays above.
        influence: of the same, what it adds to κ's deviation (first-order).
    """

    first: Longs
    second: Longs
    shared: Longs
    equal: Longs
    kappa: Floats
    cluster: Longs
    pair: Longs
    influence: Floats

    def error_of_mean(self, used: NDArray[np.bool_]) -> tuple[float, int]:
        """Standard error of the mean κ over the used pairs, clustered by pair of answers.

        Returns:
            The error, and the number of clusters it rests on.
        """
        mine = used[self.pair]
        moved = np.bincount(self.cluster[mine], weights=self.influence[mine]) / used.sum()
        clusters = np.unique(self.cluster[mine]).size
        return float(np.sqrt((moved**2).sum() * clusters / max(clusters - 1, 1))), clusters

    def errors(self) -> Floats:
        """Standard error of each pair's κ, clustered alike, shape (pairs,); 0 if unknown."""
        width = int(self.cluster.max(initial=0)) + 1
        both, group = np.unique(self.pair * width + self.cluster, return_inverse=True)
        moved = np.bincount(group, weights=self.influence, minlength=len(both))
        size = len(self.kappa)
        squares = np.bincount(both // width, weights=moved**2, minlength=size)
        clusters = np.bincount(both // width, minlength=size)
        return np.asarray(np.sqrt(squares * clusters / np.maximum(clusters - 1, 1)))


def last_votes(view: View, population: str) -> tuple[Longs, Longs, Longs]:
    """Item, annotator and class (0–3) of each annotator's last vote on each selected item."""
    return view.once(("last votes", population), lambda: _last_votes(view, population))


def _last_votes(view: View, population: str) -> tuple[Longs, Longs, Longs]:
    item, annotator, choice, _ = view.votes
    keep = np.ones(len(item), np.bool_)
    if not view.all_items:
        selected = np.zeros(len(view.tally.item_turn), np.bool_)
        selected[view.items] = True
        keep &= selected[item]
    keep &= view.members(population)[annotator]
    item, annotator = item[keep].astype(np.int64), annotator[keep].astype(np.int64)
    choice = choice[keep].astype(np.int64) - 1
    if view.options.merge_both_bad:
        choice[choice == BOTH_BAD - 1] = TIE - 1
    key = item * max(len(view.tally.annotators), 1) + annotator
    last = last_of_each(key)
    return item[last], annotator[last], choice[last]


def _shared(item: Longs) -> tuple[Longs, Longs]:
    """Positions of every two entries with the same item; ``item`` is sorted.

    The gap between the two grows until no item is long enough for it.
    """
    left, right = [], []
    start = np.arange(len(item))
    gap = 1
    while start.size:
        start = start[start + gap < len(item)]
        start = start[item[start + gap] == item[start]]
        left.append(start)
        right.append(start + gap)
        gap += 1
    return np.concatenate([[], *left]).astype(np.int64), np.concatenate([[], *right]).astype(
        np.int64
    )


def kappa_pairs(view: View, population: str) -> KappaPairs:
    """κ = (p_o − p_e) / (1 − p_e) of every pair of annotators, from their confusion tables."""
    return view.once(("kappa", population), lambda: _kappa_pairs(view, population))


def _kappa_pairs(view: View, population: str) -> KappaPairs:
    item, annotator, choice = last_votes(view, population)
    one, two = _shared(item)
    people = max(len(view.tally.annotators), 1)
    keys, pair = np.unique(annotator[one] * people + annotator[two], return_inverse=True)
    cluster = view.tally.item_pair[item[one]].astype(np.int64)
    return kappas((keys // people, keys % people), pair, choice[one], choice[two], cluster)


def kappas(
    names: tuple[Longs, Longs], pair: Longs, one: Longs, two: Longs, cluster: Longs
) -> KappaPairs:
    """κ of several pairs of raters from their comparisons.

    Args:
        names: what the two raters of each pair are called, shape (pairs,) each.
        pair: of each comparison, its place in those; shape (comparisons,).
        one: of the same, the first rater's class (0–3).
        two: of the same, the second's.
        cluster: of the same, what the standard errors are clustered by.
    """
    cells = (pair * CHOICES + one) * CHOICES + two
    table = np.bincount(cells, minlength=len(names[0]) * CHOICES**2).reshape(-1, CHOICES, CHOICES)
    shared = table.sum(axis=(1, 2))
    equal = np.trace(table, axis1=1, axis2=2)
    rows = table.sum(axis=2) / np.maximum(shared, 1)[:, None]
    columns = table.sum(axis=1) / np.maximum(shared, 1)[:, None]
    observed = equal / np.maximum(shared, 1)
    expected = (rows * columns).sum(axis=1)
    constant = (table.max(axis=(1, 2)) == shared) & (equal == shared)
    room = np.where(constant, 1.0, 1 - expected)
    kappa = np.where(constant, np.nan, (observed - expected) / room)
    # First-order change of κ by one comparison (a, b): its own agreement and its pull on the
    # margins, p_e moving by columns[a] + rows[b] − 2 p_e.
    agreed = (one == two) - observed[pair]
    pull = columns[pair, one] + rows[pair, two] - 2 * expected[pair]
    slope = agreed * room[pair] - (1 - observed[pair]) * pull
    influence = slope / room[pair] ** 2 / shared[pair]
    return KappaPairs(*names, shared, equal, kappa, cluster, pair, influence)


def _pair_estimate(view: View, pairs: KappaPairs, error: float, place: int) -> Estimate:
    names = view.tally.annotators
    labels: dict[str, Label] = {
        "annotator_1": names[int(pairs.first[place])],
        "annotator_2": names[int(pairs.second[place])],
    }
    n, k, value = int(pairs.shared[place]), int(pairs.equal[place]), float(pairs.kappa[place])
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
)
def annotator_kappa(view: View) -> Result:
    """Cohen's κ of each pair of annotators that shares enough items."""
    population = next(iter(view.populations))
    pairs = kappa_pairs(view, population)
    enough = np.flatnonzero(pairs.shared >= view.options.min_shared)
    ranked = enough[np.argsort(-pairs.shared[enough], kind="stable")][:_SHOWN]
    errors = pairs.errors()
    notes = []
    if len(pairs.shared) > len(enough):
        notes.append(
            f"left out, for they share fewer than {many(view.options.min_shared, 'item')}: "
            f"{many(len(pairs.shared) - len(enough), 'pair')} of annotators"
        )
    if len(enough) > len(ranked):
        notes.append(
            f"of {len(enough)} pairs with enough items, the {_SHOWN} that share most are listed"
        )
    if not pairs.shared.size:
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
