"""Means of differences whose observations come in clusters, for many raters at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats.intervals import student_quantile
from core.stats.ledger import from_units, in_units
from core.stats.sorting import summed_by

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

FEWEST_CLUSTERS = 20
"""Pairs of answers below which no interval is told: Student's is too far off there."""

FALSE_DISCOVERIES = 0.05


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
    def variance(self) -> float:
        """As :attr:`Clusters.variance`."""
        mean = self.mean
        squares = self.total_total - 2 * mean * self.total_size + mean**2 * self.size_size
        return max(squares, 0.0) / self.size**2 * self.count / max(self.count - 1, 1)


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


def _told(value: float, middle: float, variance: float, freedom: float, level: float) -> Told:
    from scipy.special import stdtr

    error = variance**0.5
    half = student_quantile(level, freedom) * error
    p = 2 * float(stdtr(freedom, -abs(middle) / error))
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    return Told(value, min(low, value), max(high, value), p, freedom)
