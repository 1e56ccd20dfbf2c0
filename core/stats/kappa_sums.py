"""What every two annotators said of the same items, as sums that a vote moves.

A comparison adds to κ's deviation by how its cell of the confusion table departs from the rest of
that table (first-order). All comparisons in one cell add the same, so that the square of what a
cluster adds, summed over clusters, follows from how often any two cells occur in one cluster. These
are whole numbers, and a vote changes those of its own cluster. What a cell adds moves with every
vote on its table, and is worked out when somebody asks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.stats.ledger import Ledger
from core.stats.sorting import every_two, grouped
from core.stats.tally import CHOICES

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

_BITS: Final = 21
_SAID: Final = CHOICES**2
_HALF: Final = 32

_NOISE: Final = 1e-13
"""What a sum of parts that cancel out is left at by rounding, as a share of the parts."""


@dataclass(frozen=True, slots=True)
class Tables:
    """κ = (p_o − p_e) / (1 − p_e) of pairs of raters, from their confusion tables.

    Attributes:
        shared: how many items both rated, shape (pairs,).
        equal: on how many of them they said the same.
        kappa: κ; NaN where both gave one same label throughout.
        influence: what a comparison in each cell adds to κ's deviation (first-order), shape
            (pairs, 4, 4).
    """

    shared: Longs
    equal: Longs
    kappa: Floats
    influence: Floats


def tables_of(table: Longs) -> Tables:
    """From how often the first rater said one class (0–3) and the second another.

    Args:
        table: shape (pairs, 4, 4).
    """
    shared = table.sum(axis=(1, 2))
    equal = np.trace(table, axis1=1, axis2=2)
    whole = np.maximum(shared, 1)
    rows, columns = (table.sum(axis=axis) / whole[:, None] for axis in (2, 1))
    observed, expected = equal / whole, (rows * columns).sum(axis=1)
    constant = (table.max(axis=(1, 2), initial=0) == shared) & (equal == shared)
    room = np.where(constant, 1.0, 1 - expected)
    kappa = np.where(constant, np.nan, (observed - expected) / room)
    # A comparison (a, b) changes κ by its own agreement and by its pull on the margins, p_e moving
    # by columns[a] + rows[b] − 2 p_e.
    agreed = np.eye(CHOICES) - observed[:, None, None]
    pull = columns[:, :, None] + rows[:, None, :] - 2 * expected[:, None, None]
    slope = agreed * room[:, None, None] - (1 - observed)[:, None, None] * pull
    return Tables(shared, equal, kappa, slope / (room**2 * whole)[:, None, None])


def in_any_order(values: Floats) -> float:
    """Their sum, which does not depend on their order: in units of a power of two."""
    values = values[values != 0]
    if not len(values):
        return 0.0
    top = int(np.frexp(np.abs(values).max())[1]) + len(values).bit_length()
    return float(
        np.ldexp(float(np.rint(np.ldexp(values, 62 - top)).astype(np.int64).sum()), top - 62)
    )


class _Products:
    """How often two cells occur in one cluster, by their places."""

    def __init__(self) -> None:
        self.keys = np.zeros(0, np.int64)
        self.times = np.zeros(0, np.int64)

    def add(self, owner: Longs, place: Longs, times: Longs, by: int) -> None:
        """Count some clusters, or with ``by`` −1 take them out.

        Args:
            owner: of each part its cluster; rising.
            place: of its cell.
            times: how often the cluster has that cell.
        """
        one, two = every_two(owner)
        low, high = np.minimum(place[one], place[two]), np.maximum(place[one], place[two])
        keys = np.append(place << _HALF | place, low << _HALF | high)
        found, _, which = grouped(keys)
        sums = np.zeros(len(found), np.int64)
        # What is off the diagonal stands for both of its halves.
        np.add.at(sums, which, by * np.append(times**2, 2 * times[one] * times[two]))
        at = np.searchsorted(self.keys, found)
        is_known = np.append(self.keys, -1)[at] == found
        self.times[at[is_known]] += sums[is_known]
        if not is_known.all():
            fresh = ~is_known
            self.keys = np.insert(self.keys, at[fresh], found[fresh])
            self.times = np.insert(self.times, at[fresh], sums[fresh])


class KappaSums:
    """Comparisons of annotators by cluster.

    Attributes:
        size: how many clusters have a comparison.
    """

    def __init__(self) -> None:
        self._parts = Ledger(1, lambda values: values.astype(np.int64), np.int16)
        self._products = _Products()
        self._clusters: Counter[int] = Counter()  # by two annotators
        self.size = 0
        self._used = np.zeros(0, np.int64)  # pairs of annotators, and the clusters they are in
        self._held = 0

    def put(self, clusters: Longs, owner: Longs, raters: tuple[Longs, Longs], said: Longs) -> None:
        """Let these clusters, each named once, have these comparisons from now on.

        Args:
            owner: of each comparison, the place of its cluster among these.
            raters: the annotators' numbers, of which the first is lower.
            said: the first's class (0–3) × 4 + the second's.
        """
        cells = (raters[0] << _BITS | raters[1]) * _SAID + said
        keys, first, which = grouped(owner << _HALF | self._parts.places(cells))
        times = np.bincount(which, minlength=len(keys))
        mine, before, counted = self._parts.parts(clusters)
        order = np.argsort(mine, kind="stable")
        before, counted = before[order], counted[order, 0].astype(np.int64)
        self._count(mine[order], before, counted, -1)
        self._parts.put(clusters, owner[first], cells[first], times[:, None].astype(np.float64))
        self._count(owner[first], cells[first], times, 1)

    def _count(self, owner: Longs, cells: Longs, times: Longs, by: int) -> None:
        self._products.add(owner, self._parts.places(cells), times, by)
        couple = cells // _SAID
        self.size += by * len(np.unique(owner))
        self._held += by * len(np.unique(owner[np.isin(couple, self._used)]))
        order = np.lexsort((couple, owner))
        owner, couple = owner[order], couple[order]
        is_new = np.append(True, (owner[1:] != owner[:-1]) | (couple[1:] != couple[:-1]))
        found, sizes = np.unique(couple[is_new[: len(couple)]], return_counts=True)
        for each, size in zip(found.tolist(), sizes.tolist(), strict=True):
            self._clusters[each] += by * size

    def clusters_with(self, couples: Longs) -> int:
        """How many clusters compare one of these pairs of annotators.

        Takes a look at every comparison where they are others than the last time.
        """
        if not np.array_equal(couples, self._used):
            keys = self._parts.by_place()[0]
            wanted = keys[np.isin(keys // _SAID, couples)]
            self._used, self._held = couples, len(self._parts.clusters_with(wanted))
        return self._held

    def told(self) -> KappaPairs:
        """What there is now."""
        keys, sums = self._parts.by_place()
        place = np.flatnonzero(sums[:, 0])
        place = place[np.argsort(keys[place], kind="stable")]
        couples, row = np.unique(keys[place] // _SAID, return_inverse=True)
        table = np.zeros((len(couples), _SAID), np.int64)
        table[row, keys[place] % _SAID] = sums[place, 0]
        cell = np.full(len(keys), -1)
        cell[place] = row * _SAID + keys[place] % _SAID
        products = self._products
        low, high = cell[products.keys >> _HALF], cell[products.keys & (1 << _HALF) - 1]
        clusters = np.array([self._clusters[each] for each in couples.tolist()], np.int64)
        tables = tables_of(table.reshape(-1, CHOICES, CHOICES))
        return KappaPairs(self, couples, tables, clusters, (low, high, products.times.copy()))


@dataclass(frozen=True, slots=True)
class KappaPairs:
    """κ of every pair of annotators that shares an item.

    Attributes:
        sums: which it is told by.
        couples: numbers of pairs of annotators, rising; shape (pairs,).
        tables: what they come to.
        clusters: in how many clusters each pair is compared.
        products: how often two cells of the tables occur in one cluster: the cells, and the times.
    """

    sums: KappaSums
    couples: Longs
    tables: Tables
    clusters: Longs
    products: tuple[Longs, Longs, Longs]

    @property
    def first(self) -> Longs:
        """Annotator numbers, shape (pairs,); always below those of the second."""
        return np.asarray(self.couples >> _BITS)

    @property
    def second(self) -> Longs:
        """Annotator numbers."""
        return np.asarray(self.couples & (1 << _BITS) - 1)

    def error_of_mean(self, used: Bools) -> tuple[float, int]:
        """Standard error of the mean κ over the used pairs, clustered.

        Returns:
            The error, and the number of clusters it rests on.
        """
        moved = (self.tables.influence * used[:, None, None]).ravel() / used.sum()
        low, high, times = self.products
        parts = times * (moved[low] * moved[high])
        spread = in_any_order(parts)
        if spread <= _NOISE * np.abs(parts).sum():
            spread = 0.0
        sums = self.sums
        clusters = sums.size if used.all() else sums.clusters_with(self.couples[used])
        return float(np.sqrt(spread * clusters / max(clusters - 1, 1))), clusters

    def errors(self) -> Floats:
        """Standard error of each pair's κ, clustered alike, shape (pairs,); 0 if unknown."""
        low, high, times = self.products
        same = np.flatnonzero((low // _SAID == high // _SAID) & (times > 0))
        one, two = np.minimum(low[same], high[same]), np.maximum(low[same], high[same])
        order = np.argsort(one * _SAID + two % _SAID, kind="stable")
        one, two, times = one[order], two[order], times[same][order]
        moved, size = self.tables.influence.ravel(), len(self.couples)
        parts, pair = times * (moved[one] * moved[two]), one // _SAID
        spread = np.bincount(pair, weights=parts, minlength=size)
        noise = _NOISE * np.bincount(pair, weights=np.abs(parts), minlength=size)
        spread[spread <= noise] = 0
        return np.asarray(np.sqrt(spread * self.clusters / np.maximum(self.clusters - 1, 1)))
