"""Whether annotators measure the same thing: agreement corrected for chance.

Krippendorff's α for nominal data (Krippendorff 2011, "Computing Krippendorff's
Alpha-Reliability") and Fleiss' κ (Fleiss 1971; Fleiss & Cuzick 1979) from the counts per item,
and the mean of Cohen's κ (Cohen 1960) over pairs of annotators.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats.cohen import kappa_pairs
from core.stats.collapsed import collapsed_pairs, votes_by_turn
from core.stats.intervals import normal_quantile, student_quantile
from core.stats.kappa_sums import KappaPairs
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import CHOICES
from core.stats.view import View
from core.text import many

Floats = NDArray[np.float64]

_COINCIDENCES = CHOICES


def alpha_features(counts: NDArray[np.int64]) -> Floats:
    """What α needs of a cluster: pairable votes by class, then coincidences of equal votes.

    Args:
        counts: votes by class of each item of each cluster, shape (clusters, items, 4).

    Returns:
        Shape (clusters, 5), summed over the items of a cluster; an item with fewer than two
        votes adds nothing.
    """
    votes = counts.sum(axis=2)
    pairable = np.where((votes >= 2)[:, :, None], counts, 0)
    equal = (pairable * (pairable - 1)).sum(axis=2) / np.maximum(votes - 1, 1)
    return np.column_stack([pairable.sum(axis=1), equal.sum(axis=1)])


def _by_pair(view: View, population: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct pairs by their votes, shape (patterns, turns, 4), and how often each occurs."""
    (_, flat), weights = collapsed_pairs(view, (), votes_by_turn(view, population))
    patterns = flat.reshape(len(flat), flat.shape[1] // CHOICES, CHOICES)
    used = (patterns.sum(axis=2) >= 2).any(axis=1)
    return patterns[used], weights[used]


def alpha(sums: Floats) -> Floats:
    """Krippendorff's nominal α = 1 − (n − 1)(n − Σ o_cc) / (n² − Σ n_c²).

    Args:
        sums: features summed over items, shape (..., 5).

    Returns:
        Shape (...); NaN where all votes are the same.
    """
    by_class, equal = sums[..., :_COINCIDENCES], sums[..., _COINCIDENCES]
    votes = by_class.sum(axis=-1)
    expected = votes**2 - (by_class**2).sum(axis=-1)
    observed = (votes - 1) * (votes - equal)
    undefined = np.full_like(expected, np.nan)
    return np.asarray(1 - np.divide(observed, expected, out=undefined, where=expected > 0))


def fleiss_features(counts: NDArray[np.int64]) -> Floats:
    """What Fleiss' κ needs of a cluster: pairable votes by class, items, and Σ x² / m.

    Args:
        counts: as for :func:`alpha_features`; m are an item's votes, x those of one class.

    Returns:
        Shape (clusters, 6), summed over the items of a cluster with two votes or more.
    """
    votes = counts.sum(axis=2)
    pairable = np.where((votes >= 2)[:, :, None], counts, 0)
    squares = (pairable**2).sum(axis=2) / np.maximum(votes, 1)
    items = (votes >= 2).sum(axis=1)
    return np.column_stack([pairable.sum(axis=1), items, squares.sum(axis=1)])


def fleiss(sums: Floats) -> Floats:
    """Fleiss' κ = 1 − (N − Σ x²/m) / ((N − k) (1 − Σ p²)), for k items with N votes.

    It is the mean of the classes' κ = 1 − Σ x (m − x)/m / (k (m̄ − 1) p (1 − p)), each weighed by
    p (1 − p), for items with unequal numbers of votes (Fleiss & Cuzick 1979; Fleiss, Levin & Paik
    2003, 18.3). With m the same on all items it is the κ of Fleiss 1971.

    Args:
        sums: features summed over items, shape (..., 6).

    Returns:
        Shape (...); NaN where all votes are the same.
    """
    by_class, items, squares = sums[..., :CHOICES], sums[..., CHOICES], sums[..., CHOICES + 1]
    votes = by_class.sum(axis=-1)
    # Whole numbers as long as they can be, so that one class alone is exactly no chance to differ.
    unlike = votes**2 - (by_class**2).sum(axis=-1)
    expected = (votes - items) * unlike
    undefined = np.full_like(expected, np.nan)
    observed = (votes - squares) * votes**2
    return np.asarray(1 - np.divide(observed, expected, out=undefined, where=expected > 0))


@dataclass(frozen=True, slots=True)
class _Coefficient:
    """A coefficient from the counts per item.

    Attributes:
        features: what it needs of clusters of items; the first four columns are votes by class.
        value: the coefficient, from their sums.
    """

    name: str
    features: Callable[[NDArray[np.int64]], Floats]
    value: Callable[[Floats], Floats]


_NO_SPREAD = 1e-12

_ALPHA = _Coefficient("Krippendorff α", alpha_features, alpha)
_FLEISS = _Coefficient("Fleiss κ", fleiss_features, fleiss)


def _estimate(view: View, population: str, measure: _Coefficient) -> Estimate:
    classes = 3 if view.options.merge_both_bad else 4
    labels: dict[str, Label] = {
        "raters": population,
        "measure": measure.name,
        "classes": classes,
    }
    patterns, weights = _by_pair(view, population)
    if not weights.size:
        return Estimate(labels, None, unit="coefficient", reason="no item has two votes")
    features = measure.features(patterns)
    sums = weights @ features
    n = int(sums[:CHOICES].sum())
    value = float(measure.value(sums))
    if np.isnan(value):
        reason = "all votes are the same, so nothing tells agreement from habit"
        return Estimate(labels, None, n=n, unit="coefficient", reason=reason)
    level, pairs = view.options.level, int(weights.sum())
    error = _jackknife(measure, features, weights)
    method = f"from the counts of {many(pairs, 'pair')}; "
    if not error:
        why = "it is the same" if error == 0 else "there is none"
        method += f"no interval, without one of them {why}"
        return Estimate(labels, value, n=n, unit="coefficient", method=method)
    half = student_quantile(level, pairs - 1) * error
    low, high = max(-1.0, value - half), min(1.0, value + half)
    method += "jackknife of pairs"
    return Estimate(labels, value, low, high, level, n=n, unit="coefficient", method=method)


def _jackknife(measure: _Coefficient, features: Floats, weights: NDArray[np.int64]) -> float | None:
    """The standard error from leaving out each pair in turn (Tukey 1958; Miller 1974).

    Args:
        features: by pattern of pairs.
        weights: how many pairs have each.

    Returns:
        None if there is one pair, or one without which nothing is left to differ.
    """
    pairs = int(weights.sum())
    without = measure.value(weights @ features - features)
    if pairs < 2 or bool(np.isnan(without).any()):
        return None
    spread = float(weights @ (without - weights @ without / pairs) ** 2)
    error = float(np.sqrt(spread * (pairs - 1) / pairs))
    return error if error > _NO_SPREAD else 0.0


def _kappa_estimate(view: View, population: str, pairs: KappaPairs) -> Estimate:
    """The plain mean of κ over annotator pairs, with its item-clustered delta interval."""
    options = view.options
    labels: dict[str, Label] = {
        "raters": population,
        "measure": "mean Cohen κ",
        "classes": 3 if options.merge_both_bad else 4,
    }
    found = pairs.tables
    used = (found.shared >= options.min_shared) & ~np.isnan(found.kappa)
    if not used.any():
        if not found.shared.size:
            reason = "no two annotators voted on the same item"
        elif found.shared.max() < options.min_shared:
            reason = (
                f"no two annotators share {many(options.min_shared, 'item')}; "
                f"the most is {int(found.shared.max())}"
            )
        else:
            reason = "every two annotators with enough shared items gave one same label throughout"
        return Estimate(labels, None, unit="coefficient", reason=reason)
    value = float(found.kappa[used].mean())
    n = int(found.shared[used].sum())
    error, clusters = pairs.error_of_mean(used)
    method = (
        f"mean over {many(int(used.sum()), 'annotator pair')} with {options.min_shared} or "
        "more items"
    )
    if clusters < 2 or error == 0:
        method += "; no interval, nothing departs from the mean"
        return Estimate(labels, value, n=n, unit="coefficient", method=method)
    half = normal_quantile(options.level) * error
    method += f"; delta method over {clusters} answer pairs"
    low, high = max(-1.0, value - half), min(1.0, value + half)
    return Estimate(labels, value, low, high, options.level, n=n, unit="coefficient", method=method)


def alpha_rows(view: View) -> list[Estimate]:
    """Krippendorff's α of each population."""
    return [_estimate(view, population, _ALPHA) for population in view.populations]


@statistic(
    "reliability",
    "Reliability of the votes",
    order=30,
    limits=(
        "Reliable is not right. The coefficients depend on how frequent the classes are, so "
        "they cannot be compared between three and four classes or between studies."
    ),
    follows=True,
)
def reliability(view: View) -> Result:
    """Krippendorff's α, Fleiss' κ and mean pairwise Cohen's κ, per population of annotators."""
    estimates = []
    for population, alpha_row in zip(view.populations, alpha_rows(view), strict=True):
        estimates += [alpha_row, _estimate(view, population, _FLEISS)]
        estimates.append(_kappa_estimate(view, population, kappa_pairs(view, population)))
    return Result(
        "reliability",
        "Reliability of the votes",
        "Agreement among annotators beyond chance: 1 is perfect, 0 is what chance gives.",
        ("raters", "measure", "classes"),
        tuple(estimates),
        (),
        view.assumptions(
            "classes are nominal: any two different choices disagree alike",
            "α and Fleiss κ: n counts the votes on items with two or more",
            "Fleiss κ: who voted does not matter, and items may have unequal numbers of votes",
            "Cohen κ: an annotator's last vote on an item counts; n counts shared items over all "
            "pairs",
            "turns are pooled; an item is a pair and a turn",
            "intervals are clustered by pair: the turns of one pair travel together",
        ),
    )
