"""Means of differences whose observations come in clusters, for many raters at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.stats.intervals import Interval, normal_quantile, student_quantile, wilson
from core.stats.ledger import from_units, in_units
from core.stats.sorting import summed_by

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

FEWEST_CLUSTERS = 20
"""Pairs of answers below which no interval is told: Student's is too far off there."""

FALSE_DISCOVERIES = 0.05

_NO_SPREAD = 1e-12


@dataclass(frozen=True, slots=True)
class Clusters:
    """Sums per cluster.

    Attributes:
        total: of the values, shape (clusters,).
        size: how many values.
    """

    total: Floats
    size: Floats

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return len(self.size)

    @property
    def n(self) -> int:
        """How many values there are in all."""
        return int(self.size.sum())

    @property
    def mean(self) -> float:
        """Of all values."""
        return float(self.total.sum() / self.size.sum())

    def with_two(self, one: float, other: float) -> Clusters:
        """With two made-up clusters of one value each.

        They keep an interval apart from its point where all values agree, and mend its coverage
        for shares near their ends (Agresti & Caffo 2000; for paired ones Bonett & Price 2012).
        """
        return Clusters(np.append(self.total, [one, other]), np.append(self.size, [1.0, 1.0]))

    @property
    def variance(self) -> float:
        """Of the mean: a ratio's linearised residuals, summed by cluster."""
        count = len(self.size)
        residual = self.total - self.mean * self.size
        spread = float(residual @ residual) / float(self.size.sum()) ** 2
        return spread * count / max(count - 1, 1)


@dataclass(frozen=True, slots=True)
class Moments:
    """Of clusters, all that their mean and its variance rest on.

    Attributes:
        count: clusters.
        size: values in all.
        total: their sum.
        size_size: Σ over clusters of the square of the number of values.
        total_total: Σ of the square of the sum of values.
        total_size: Σ of the product of both.
    """

    count: int
    size: float
    total: float
    size_size: float
    total_total: float
    total_size: float

    @property
    def n(self) -> int:
        """How many values there are in all."""
        return int(self.size)

    @property
    def mean(self) -> float:
        """Of all values."""
        return self.total / self.size

    def with_two(self, one: float, other: float) -> Moments:
        """As :meth:`Clusters.with_two`."""
        both = one + other
        return Moments(
            self.count + 2,
            self.size + 2,
            self.total + both,
            self.size_size + 2,
            self.total_total + one**2 + other**2,
            self.total_size + both,
        )

    @property
    def squares(self) -> float:
        """Σ over clusters of the square of what each moves the mean by."""
        mean = self.mean
        squares = self.total_total - 2 * mean * self.total_size + mean**2 * self.size_size
        return max(squares, 0.0) / self.size**2

    @property
    def variance(self) -> float:
        """As :attr:`Clusters.variance`."""
        return self.squares * self.count / max(self.count - 1, 1)


@dataclass(frozen=True, slots=True)
class Both:
    """Two shares over the same clusters.

    Attributes:
        one, two: of either alone.
        count: clusters with anything of one or the other.
        products: Σ over clusters of total × total, total × size, size × total and size × size of
            one and the other.
    """

    one: Moments
    two: Moments
    count: int
    products: tuple[float, float, float, float]

    @property
    def crossed(self) -> float:
        """Σ over clusters of the product of what each moves either mean by."""
        of_one, of_two = self.one.mean, self.two.mean
        totals, total_size, size_total, sizes = self.products
        found = totals - of_two * total_size - of_one * size_total + of_one * of_two * sizes
        return found / (self.one.size * self.two.size)


BOTH = 17
"""Sums behind one :class:`Both` of whole numbers."""


def both_terms(one: tuple[Longs, Longs], two: tuple[Longs, Longs]) -> Longs:
    """What clusters add to the sums that :func:`both_of` reads, shape (clusters, 17).

    Args:
        one, two: what was found and what was looked at, by cluster.
    """
    columns = []
    for total, size in (one, two):
        columns += [size > 0, size, total, size**2, total**2, total * size]
    (a, b), (c, d) = one, two
    columns += [(b > 0) | (d > 0), a * c, a * d, b * c, b * d]
    return np.stack([each.astype(np.int64) for each in columns], axis=1)


def both_of(sums: Longs) -> Both:
    """From the sums of one cell."""
    told = sums.tolist()
    return Both(Moments(*told[:6]), Moments(*told[6:12]), told[12], (*told[13:17],))


MOMENTS = 9
"""Sums behind one :class:`Moments`."""


def moment_terms(total: Floats, size: Floats) -> Longs:
    """What clusters add to the sums that :func:`moments_of` reads, shape (clusters, 9)."""
    sizes = size.astype(np.int64)
    columns = [(sizes > 0).astype(np.int64), sizes, sizes**2]
    for each in (total, total**2, total * size):
        columns += in_units(each)
    return np.stack(columns, axis=1)


def moments_of(sums: Longs) -> Moments:
    """From the sums of one cell."""
    count, size, size_size = sums[:3].tolist()
    total, total_total, total_size = from_units(sums[3::2], sums[4::2]).tolist()
    return Moments(count, size, total, size_size, total_total, total_size)


@dataclass(frozen=True, slots=True)
class Told:
    """A mean or a difference of means with its interval and its two-sided p of being 0."""

    value: float
    low: float
    high: float
    p: float
    freedom: float


def wilson_over(
    data: Moments, level: float, what: str, clusters_of: str, words: int = 1
) -> Interval:
    """A share pooled over clusters by Wilson at the effective sample size, from their sums alone.

    It is :func:`core.stats.intervals.clustered_wilson`, for clusters whose counts are not at hand.

    Args:
        data: of at least one cluster; ``total`` is what was found, ``size`` what was looked at.
        what, clusters_of: the names of what is counted and of the clusters, for the method.
        words: how many of what was looked at stand for one observation; their mean varies less than
            one word would, so that it may be worth more.
    """
    n, share, variance = data.n // words, data.mean, data.variance
    if data.count == n and words == 1:
        return Interval(share, *wilson(share * n, n, level), f"Wilson over {n} {what}")
    size = float(data.count)
    if data.count > 1 and variance > _NO_SPREAD:
        few = normal_quantile(level) / student_quantile(level, data.count - 1)
        most = n if words == 1 else math.inf
        size = max(1.0, min(most, share * (1 - share) / variance) * few**2)
    low, high = wilson(share * size, size, level)
    method = f"Wilson over {n} {what} in {data.count} {clusters_of}, worth {size:.1f} in as many"
    return Interval(share, low, high, method)


def difference_over(data: Both, level: float, clusters_of: str) -> Interval | None:
    """:func:`core.stats.intervals.difference_of_shares` from sums alone.

    Returns:
        None if one of them has looked at nothing; without ends where no cluster departs.
    """
    if not data.one.size or not data.two.size:
        return None
    value = data.one.mean - data.two.mean
    alone = data.one.squares + data.two.squares
    variance = alone - 2 * data.crossed
    if data.count < 2 or variance <= _NO_SPREAD * max(alone, 1.0):
        why = "there is one" if data.count < 2 else "all have the same difference"
        return Interval(value, None, None, f"no interval: of {clusters_of}, {why}")
    half = student_quantile(level, data.count - 1)
    half *= math.sqrt(variance * data.count / (data.count - 1))
    low, high = max(-1.0, value - half), min(1.0, value + half)
    return Interval(value, low, high, f"paired over {data.count} {clusters_of}, delta method")


def clusters_of(values: Floats, cluster: Longs) -> Clusters:
    """Sum values up by cluster.

    Args:
        cluster: of each value, a whole number from 0.
    """
    _, total, size = summed_by(cluster, values)
    return Clusters(total, size)


def mean_difference(data: Clusters | Moments, level: float) -> Told:
    """A mean of differences between −1 and 1 against 0, by Student's t over clusters.

    Interval and p come from the data with a +1 and a −1 more, the point does not.
    """
    more = data.with_two(1.0, -1.0)
    return _told(data.mean, more.mean, more.variance, more.count - 1.0, level)


def change(before: Clusters | Moments, after: Clusters | Moments, level: float) -> Told:
    """The difference of two means of values between 0 and 1, by Welch's t over clusters.

    Interval and p come from the data with a 0 and a 1 more on either side (Agresti & Caffo 2000).
    """
    halves = [each.with_two(0.0, 1.0) for each in (before, after)]
    variances = [each.variance for each in halves]
    freedom = sum(variances) ** 2 / sum(
        variance**2 / (each.count - 1) for variance, each in zip(variances, halves, strict=True)
    )
    middle = halves[1].mean - halves[0].mean
    return _told(after.mean - before.mean, middle, sum(variances), freedom, level)


def change_over(data: Both, level: float) -> Told:
    """:func:`change` from one to the other, where both may have something of the same clusters."""
    more = data.one.with_two(0.0, 1.0), data.two.with_two(0.0, 1.0)
    both = replace(data, one=more[0], two=more[1])
    apart = [each.variance for each in more]
    freedom = sum(apart) ** 2 / sum(
        variance**2 / (each.count - 1) for variance, each in zip(apart, more, strict=True)
    )
    crossed = both.crossed * data.count / max(data.count - 1, 1)
    variance = max(sum(apart) - 2 * crossed, _NO_SPREAD)
    middle = more[1].mean - more[0].mean
    return _told(data.two.mean - data.one.mean, middle, variance, freedom, level)


def _told(value: float, middle: float, variance: float, freedom: float, level: float) -> Told:
    from scipy.special import stdtr

    error = variance**0.5
    half = student_quantile(level, freedom) * error
    p = 2 * float(stdtr(freedom, -abs(middle) / error))
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    return Told(value, min(low, value), max(high, value), p, freedom)
