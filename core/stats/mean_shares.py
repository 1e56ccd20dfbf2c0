"""Plain means of shares over strata, such as a model's win rate over its opponents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.stats.intervals import student_quantile, wilson
from core.stats.opponents import Block
from core.stats.sandwich import FEW_QUESTIONS
from core.text import many

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Counts = NDArray[Any]

_LEAST = 0.5
"""Of two clusters one of which weighs next to nothing, there are no fewer degrees of freedom."""


@dataclass(frozen=True, slots=True)
class MeanShare:
    """A plain mean of shares over strata, with its clustered variance.

    ``error`` is None where the clusters show no spread at all. ``questions`` are those that the
    clusters are on, where the error allows for what they share; None where it does not. ``worth``
    is the part of them that would tell as much if all weighed alike.
    """

    value: float
    error: float | None
    clusters: int
    strata: int
    questions: int | None = None
    worth: float = 1.0

    def interval(self, level: float) -> tuple[float, float, str]:
        """Low, high and how they came about."""
        units, called = self.clusters, many(self.clusters, "pair")
        freedom = self.clusters * self.worth - self.strata
        if self.questions is not None and self.questions < self.clusters:
            units, freedom = self.questions, min(freedom, self.questions * self.worth - 1)
            called += f", clustered by {many(units, 'question')}"
        if self.error is None:
            low, high = wilson(self.value * units, units, level)
            return low, high, f"Wilson over {called}, because the pairs do not vary"
        half = student_quantile(level, max(freedom, 1)) * self.error
        low, high = max(0.0, self.value - half), min(1.0, self.value + half)
        return low, high, f"delta method over {called}"


@dataclass(frozen=True, slots=True)
class MeanShares:
    """Several means of shares, side by side.

    Attributes:
        value: NaN where nothing was compared.
        error: their standard errors.
        clusters: behind each.
        strata: that each is a mean over.
        shares: of each stratum, shape (means, strata); 0 where nothing was compared.
        looked: comparisons of each stratum.
        worth: by mean, the part of its clusters that would tell as much if all weighed alike.
        questions: behind each; None where clusters are taken as independent.
    """

    value: Floats
    error: Floats
    clusters: Longs
    strata: Longs
    shares: Floats
    looked: Floats
    worth: Floats
    questions: Longs | None = None

    def at(self, place: int) -> MeanShare | None:
        """One of them; None if nothing was compared."""
        if not self.strata[place]:
            return None
        error = float(self.error[place])
        sizes = int(self.clusters[place]), int(self.strata[place])
        questions = None if self.questions is None else int(self.questions[place])
        value = float(self.value[place])
        told = error if error > 1e-12 else None
        return MeanShare(value, told, *sizes, questions, float(self.worth[place]))

    def by_question(self, found: Iterable[tuple[int, Block]]) -> MeanShares:
        """The same with errors that allow for what the pairs of one question share.

        The variance of clusters within strata stays as it is; added is what different strata have
        in common on a question, times G / (G − 1) for G questions. On few of them the spread may
        look smaller by that than it is, and what lessens it is left out.

        Args:
            found: products of some of the means, by the place of the mean.
        """
        variance, questions = self.error**2, self.clusters.copy()
        won = 1 / np.where(self.looked > 0, self.looked, np.inf)
        won = won / np.maximum(self.strata, 1)[:, None]
        compared = -won * self.shares
        for place, block in found:
            questions[place] = count = block.questions
            crossed = block.crossed(won[place], compared[place])
            if crossed < 0 and count < FEW_QUESTIONS:
                continue
            alike = count * self.worth[place]
            variance[place] += crossed * alike / max(alike - 1, 1)
        return replace(self, error=np.sqrt(np.maximum(variance, 0)), questions=questions)


def mean_shares(
    wins: Counts,
    total: Counts,
    stratum: Longs,
    times: Longs,
    means: int,
    strata: int,
    *,
    is_weighed: bool = False,
) -> MeanShares:
    """Means over strata of Σ wins / Σ total, their variances from clusters within strata.

    A ratio's linearised residuals wins − share × total give the variance of each stratum's
    share; a stratum with one cluster shows no spread and is given that of a single draw.

    Args:
        wins: per pattern of clusters, times the cluster's weight where it has one.
        total: per pattern, the same; those with 0 are left out.
        stratum: per pattern, the number of its mean times ``strata``, plus its stratum there.
        times: how many clusters each pattern stands for.
        means: how many means there are.
        strata: how many strata each may have.
        is_weighed: whether clusters weigh differently. They are worth fewer then (Kish 1965), which
            is what small samples are corrected by.
    """
    used = total > 0
    wins, total, stratum, times = (each[used] for each in (wins, total, stratum, times))
    cells = means * strata

    def summed(values: NDArray[Any]) -> Floats:
        return np.bincount(stratum, weights=values, minlength=cells).astype(np.float64)

    size, looked = summed(times), summed(times * total)
    has = looked > 0
    shares = summed(times * wins) / np.where(has, looked, 1)
    squares = summed(times * (wins - shares[stratum] * total) ** 2)

    def over(values: Floats) -> Floats:
        return np.asarray(values.reshape(means, strata).sum(axis=1))

    count = over(has.astype(np.float64))
    value = np.where(count > 0, over(shares) / np.maximum(count, 1), np.nan)
    alike = size
    if is_weighed:
        alike = looked**2 / np.where(has, summed(times * total**2), 1)
    freedom = np.where(size > 1, np.maximum(alike - 1, _LEAST), 1)
    spread = squares / np.where(has, looked, 1) ** 2 * alike / freedom
    alone = np.repeat(value * (1 - value), strata)
    variance = np.where(size > 1, spread, np.where(has, alone, 0.0))
    error = np.sqrt(over(variance)) / np.maximum(count, 1)
    sizes = over(size).astype(np.int64), count.astype(np.int64)
    shape = means, strata
    worth = over(alike) / np.maximum(over(size), 1)
    of_strata = shares.reshape(shape), looked.reshape(shape)
    return MeanShares(value, error, *sizes, *of_strata, worth if is_weighed else np.ones(means))


def mean_share(wins: Counts, total: Counts, stratum: Longs) -> MeanShare | None:
    """One of :func:`mean_shares`, of single clusters.

    Returns:
        None if nothing was compared.
    """
    times = np.ones(len(wins), np.int64)
    strata = int(stratum.max(initial=0)) + 1
    return mean_shares(wins, total, stratum, times, 1, strata).at(0)
