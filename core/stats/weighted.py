"""Shares of pairs that were not all equally likely to be voted on.

A pair that came into the queue with probability p stands for 1/p pairs (Hájek 1971): every count
on it weighs 1/p, in what is found and in what was looked at alike.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.stats.intervals import Interval, normal_quantile, student_quantile, wilson

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[Any]

_NO_SPREAD = 1e-12

_LEAST_CLUSTERS = 2


def weights_of(probability: Floats) -> tuple[Floats | None, str]:
    """Weights for voted pairs, or why there can be none.

    Args:
        probability: of each, with which it came into the queue; 0 where none is on record, below
            0 where nobody can work it out.

    Returns:
        Weights, None where all weigh alike; and the reason, empty where there is none.
    """
    lost = int((probability < 0).sum())
    if lost:
        return None, (
            f"{lost} of the voted pairs came into the queue by draws that cannot be retraced, or "
            "by hand beside a draw, so that nobody knows with what probability; the numbers are "
            "about the pairs as they were voted on"
        )
    known = probability[probability > 0]
    if not known.size or float(known.max()) == float(known.min()):
        return None, ""
    if known.size < probability.size:
        return None, (
            f"{probability.size - known.size} of the voted pairs came in with no probability on "
            "record while the others were sampled unequally, so that nothing can weigh them"
        )
    return 1 / probability, ""


def effective_size(weights: Floats) -> float:
    """How many equally likely units would tell as much: (Σw)² / Σw² (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def _error(residual: Floats, total: float) -> float:
    count = len(residual)
    return math.sqrt(float(residual @ residual) * count / max(count - 1, 1)) / total


def weighted_share(
    part: Counts,
    whole: Counts,
    weights: Floats,
    level: float,
    clusters_of: str,
    n: int,
    cluster: Counts | None = None,
) -> Interval | None:
    """Σ w part / Σ w whole, by Wilson at the effective size that clusters and weights leave.

    The variance is that of the ratio's linearised residuals w (part − share × whole). Where they
    show no spread, every cluster counts as one observation, as its weight allows.

    Args:
        part: what is found in each unit, 0 ≤ part ≤ whole.
        whole: what was looked at in each; those with 0 are left out.
        weights: of each unit, above 0.
        clusters_of: what the clusters are called, for the method in words.
        n: how many observations there are; more than that they are not worth.
        cluster: of each unit, a whole number from 0; each is one of its own if left out.

    Returns:
        None if nothing was looked at.
    """
    used = whole > 0
    part, whole, weights = (each[used].astype(np.float64) for each in (part, whole, weights))
    if not len(whole):
        return None
    total = float(weights @ whole)
    share = float(weights @ part) / total
    residual = weights * (part - share * whole)
    if cluster is not None:
        _, place = np.unique(cluster[used], return_inverse=True)
        residual = np.bincount(place, weights=residual).astype(np.float64)
    clusters, error = len(residual), _error(residual, total)
    size = min(effective_size(weights * whole), n)
    if clusters >= _LEAST_CLUSTERS and error**2 > _NO_SPREAD:
        few = normal_quantile(level) / student_quantile(level, clusters - 1)
        size = max(1.0, min(share * (1 - share) / error**2, n) * few**2)
    low, high = wilson(share * size, size, level)
    method = f"Wilson over {clusters} {clusters_of}, worth {size:.1f}"
    return Interval(share, min(low, share), max(high, share), method)
