"""Intervals for numbers whose observations come in clusters.

The votes on one item are not independent, so items are what is resampled. Items with the
same counts are exchangeable: they are collapsed into patterns, and all the resamples are one
multinomial draw over the patterns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.text import many

Floats = NDArray[np.float64]
Counts = NDArray[Any]

_MANY_PATTERNS = 4096
"""Above this the multinomial is drawn by its normal limit, which has long set in by then."""

_DENSE_KEYS = 1 << 16


@dataclass(frozen=True, slots=True)
class Interval:
    """A point with its interval; without ends where ``method`` says why."""

    value: float
    low: float | None
    high: float | None
    method: str


def normal_quantile(level: float) -> float:
    """Half width of a two-sided normal interval, in standard errors."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson(k: float, n: float, level: float) -> tuple[float, float]:
    """Wilson's score interval for a share of ``k`` in ``n`` (Wilson 1927).

    Raises:
        ValueError: if ``n`` is not positive.
    """
    if n <= 0:
        raise ValueError("a share of nothing has no interval")
    z = normal_quantile(level)
    share = k / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At the ends rounding would leave out the share itself.
    low = middle - half if k > 0 else 0.0
    high = middle + half if k < n else 1.0
    return max(0.0, low), min(1.0, high)


def collapse(
    rows: Counts, times: NDArray[np.int64] | None = None
) -> tuple[Counts, NDArray[np.int64]]:
    """Distinct rows of non-negative whole numbers, and how often each occurs.

    Args:
        rows: shape (items, columns).
        times: how many items each row stands for; one if left out.

    Returns:
        Patterns of shape (patterns, columns), and their weights.
    """
    radix = [int(rows[:, column].max(initial=0)) + 1 for column in range(rows.shape[1])]
    size = math.prod(radix)
    if size >= 1 << 62:
        patterns, place = np.unique(rows, axis=0, return_inverse=True)
        return patterns, np.bincount(place, times).astype(np.int64)
    keys = np.zeros(len(rows), np.int64)
    for column, base in enumerate(radix):
        keys *= base
        keys += rows[:, column]
    if size <= max(_DENSE_KEYS, len(rows)):
        table = np.bincount(keys, times, minlength=1)
        distinct = np.flatnonzero(table)
        weights = table[distinct]
    elif times is None:
        distinct, weights = np.unique(keys, return_counts=True)
    else:
        distinct, place = np.unique(keys, return_inverse=True)
        weights = np.bincount(place, times)
    columns = []
    rest = distinct
    for base in reversed(radix):
        rest, digit = np.divmod(rest, base)
        columns.append(digit)
    return np.stack(columns[::-1], axis=1), weights.astype(np.int64)


def resampled_sums(
    features: Counts, weights: NDArray[np.int64], replicates: int, rng: np.random.Generator
) -> Floats:
    """Sums of the features over items drawn with replacement, once per replicate.

    Args:
        features: per pattern, shape (patterns, features).
        weights: items per pattern.

    Returns:
        Shape (replicates, features).
    """
    values = features.astype(np.float64)
    items = int(weights.sum())
    shares = weights / items
    if len(weights) > _MANY_PATTERNS:
        mean = shares @ values
        spread = values - mean
        covariance = (spread * shares[:, None]).T @ spread
        return rng.multivariate_normal(
            items * mean, items * covariance, size=replicates, method="svd"
        )
    draws = rng.multinomial(items, shares, size=replicates)
    return np.asarray(draws @ values)


def percentiles(replicates: Floats, level: float) -> tuple[float, float]:
    """The middle ``level`` of the replicates."""
    low, high = np.quantile(replicates, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def clustered_share(
    part: Counts,
    whole: Counts,
    level: float,
    replicates: int,
    rng: np.random.Generator,
    times: NDArray[np.int64] | None = None,
) -> Interval | None:
    """A share pooled over items, Σ part / Σ whole, by resampling items.

    Where every resample gives the same share, resampling knows nothing about the spread, and
    a Wilson interval that takes each item as one observation stands in.

    Args:
        part: what is found in each item, 0 ≤ part ≤ whole.
        whole: what was looked at in each item; items with 0 are left out.
        times: how many items each entry stands for; one if left out.

    Returns:
        None if nothing was looked at.
    """
    patterns, weights = collapse(np.stack([whole, part], axis=1), times)
    used = patterns[:, 0] > 0
    patterns, weights = patterns[used], weights[used]
    if not weights.size:
        return None
    items = int(weights.sum())
    looked, found = (int(total) for total in weights @ patterns)
    value = found / looked
    same = bool(np.all(patterns[:, 1] * looked == patterns[:, 0] * found))
    if same:
        low, high = wilson(value * items, items, level)
        method = f"Wilson over {many(items, 'item')}, because every item has the same share"
        return Interval(value, low, high, method)
    sums = resampled_sums(patterns, weights, replicates, rng)
    low, high = percentiles(sums[:, 1] / sums[:, 0], level)
    return Interval(value, low, high, f"bootstrap of {many(items, 'item')}, {replicates} resamples")


def clustered_wilson(
    part: Counts,
    whole: Counts,
    level: float,
    what: str,
    clusters_of: str,
    times: NDArray[np.int64] | None = None,
) -> Interval | None:
    """A share pooled over clusters, Σ part / Σ whole, by Wilson at the effective sample size.

    The effective size is what the design effect of the clusters leaves of n (Kish 1965), less
    what their small number costs (Korn & Graubard 1998). It holds for few observations and for
    shares near 0 or 1, where a bootstrap falls short.

    Args:
        part: what is found in each cluster, 0 ≤ part ≤ whole.
        whole: what was looked at in each cluster; clusters with 0 are left out.
        what: the name of what is counted, for the method in words.
        clusters_of: the same of the clusters.
        times: how many clusters each entry stands for; one if left out.

    Returns:
        None if nothing was looked at.
    """
    times = (np.ones(len(whole), np.int64) if times is None else times)[whole > 0]
    part, whole = part[whole > 0], whole[whole > 0]
    clusters, n = int(times.sum()), int(times @ whole)
    if not clusters:
        return None
    together = np.zeros(len(whole), np.int64)
    shares, sizes = effective_sizes(part, whole, together, level, times)
    size = float(sizes[0])
    return _share(
        float(shares[0]), int(times @ part), (n, clusters, size), level, what, clusters_of
    )


def _share(
    share: float,
    found: int,
    looked: tuple[int, int, float],
    level: float,
    what: str,
    clusters_of: str,
) -> Interval:
    """Wilson's interval of a share.

    Args:
        looked: at how many, in how many clusters, and what they are worth.
    """
    n, clusters, size = looked
    if clusters == n:
        return Interval(share, *wilson(found, n, level), f"Wilson over {n} {what}")
    low, high = wilson(share * size, size, level)
    method = f"Wilson over {n} {what} in {clusters} {clusters_of}, worth {size:.1f} in as many"
    return Interval(share, low, high, method)


@dataclass(frozen=True, slots=True)
class ShareSums:
    """Sums over the clusters with something to look at, which a pooled share rests on.

    Attributes:
        clusters: how many there are.
        part, whole: Σ of what was found, and of what was looked at.
        part_part, part_whole, whole_whole: Σ of their products.
    """

    clusters: int
    part: int
    whole: int
    part_part: int
    part_whole: int
    whole_whole: int

    @property
    def residual_squares(self) -> float:
        """Σ (part − share × whole)², exact but for its last digit."""
        n, k = self.whole, self.part
        exact = n * n * self.part_part - 2 * n * k * self.part_whole + k * k * self.whole_whole
        return exact / (n * n)


def wilson_of_sums(sums: ShareSums, level: float, what: str, clusters_of: str) -> Interval | None:
    """:func:`clustered_wilson` from sums that were kept.

    Returns:
        None if nothing was looked at.
    """
    if not sums.whole:
        return None
    share = sums.part / sums.whole
    clusters, n, squares = np.array([[sums.clusters], [sums.whole], [sums.residual_squares]])
    size = float(_worth(np.array([share]), clusters, n, squares, level)[0])
    looked = sums.whole, sums.clusters, size
    return _share(share, sums.part, looked, level, what, clusters_of)


def effective_sizes(
    part: Counts,
    whole: Counts,
    group: NDArray[np.int64],
    level: float,
    times: NDArray[np.int64] | None = None,
) -> tuple[Floats, Floats]:
    """Shares pooled over clusters, and what their observations are worth (see above).

    Args:
        part: what is found in each cluster, 0 ≤ part ≤ whole.
        whole: what was looked at in each cluster, never 0.
        group: which share each cluster belongs to, 0 … groups − 1, none left out.
        times: how many clusters each entry stands for; one if left out.

    Returns:
        Share and effective size of each group.
    """
    times = np.ones(len(whole), np.int64) if times is None else times
    clusters = np.bincount(group, weights=times)
    n = np.bincount(group, weights=times * whole)
    share = np.bincount(group, weights=times * part) / n
    residual = part - share[group] * whole
    squares = np.bincount(group, weights=times * residual**2)
    return share, _worth(share, clusters, n, squares, level)


def _worth(share: Floats, clusters: Counts, n: Counts, squares: Counts, level: float) -> Floats:
    """Effective sizes of shares, by what the squares of their clusters' residuals sum up to."""
    from scipy.special import stdtrit

    others = np.maximum(clusters - 1, 1)
    variance = squares / n**2 * clusters / others
    few = normal_quantile(level) / stdtrit(others, 0.5 + level / 2)
    told = (clusters > 1) & (variance > 1e-12)
    worth = np.minimum(n, share * (1 - share) / np.where(told, variance, 1)) * few**2
    size = np.where(told, np.maximum(1.0, worth), clusters)
    return np.asarray(np.where(clusters == n, n, size))


def difference_of_shares(
    one: tuple[Counts, Counts],
    two: tuple[Counts, Counts],
    level: float,
    times: NDArray[np.int64] | None = None,
) -> Interval | None:
    """Σ part / Σ whole of one less that of another, over the same clusters.

    The variance is that of the linearised residuals (part − share × whole) / Σ whole, the second's
    taken from the first's within each cluster, so that what both have in common cancels out.

    Args:
        one: part and whole per cluster.
        two: the same of the other, on the same clusters.
        times: how many clusters each entry stands for; one if left out.

    Returns:
        None if one of them has looked at nothing; without ends where no cluster departs.
    """
    shares, residuals = [], []
    weights = np.ones(len(one[1]), np.int64) if times is None else times
    for part, whole in (one, two):
        total = float(weights @ whole)
        if total <= 0:
            return None
        share = float(weights @ part) / total
        shares.append(share)
        residuals.append((part - share * whole) / total)
    used = (one[1] > 0) | (two[1] > 0)
    clusters = int(weights[used].sum())
    value = shares[0] - shares[1]
    variance = float(weights @ np.square(residuals[0] - residuals[1]))
    if clusters < 2 or variance < 1e-18:
        why = "there is one item" if clusters < 2 else "every item has the same difference"
        return Interval(value, None, None, f"no interval, {why}")
    error = math.sqrt(variance * clusters / (clusters - 1))
    half = student_quantile(level, clusters - 1) * error
    low, high = max(-1.0, value - half), min(1.0, value + half)
    return Interval(value, low, high, f"paired over {many(clusters, 'item')}, delta method")


@lru_cache(maxsize=4096)
def student_quantile(level: float, freedom: float) -> float:
    """Half width of a two-sided Student interval with ``freedom`` degrees, in standard errors."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2))
