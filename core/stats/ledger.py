"""What each cluster adds to some sums, kept so that a vote replaces one cluster's part.

Sums of whole numbers do not depend on their order. Fractions are added up in units of 2⁻⁴⁰, so
that sums that were kept up to date are the very same as sums taken anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from core.stats.growing import Growing
from core.stats.sorting import grouped

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

_UNITS: Final = float(1 << 40)
_BLOCK: Final = 1 << 15


def in_units(values: Floats) -> tuple[Longs, Longs]:
    """Whole numbers and what is above them in units of 2⁻⁴⁰, rounded."""
    whole = np.floor(values)
    return whole.astype(np.int64), np.rint((values - whole) * _UNITS).astype(np.int64)


def from_units(whole: NDArray[Any], part: NDArray[Any]) -> Floats:
    """Sums of what :func:`in_units` gave, as numbers again."""
    return np.asarray(whole + part / _UNITS)


class Ledger:
    """Sums by cell, over the parts of clusters.

    Args:
        columns: numbers of a part.
        terms: what a part adds to the sums of its cell, shape (parts, sums); of its numbers only.
        dtype: what the numbers of a part are kept as, which must hold them without loss.
    """

    def __init__(
        self, columns: int, terms: Callable[[Floats], Longs], dtype: DTypeLike = np.float64
    ) -> None:
        self._terms = terms
        self._place: dict[int, int] = {}
        self._keys = Growing(np.int64)
        self._sums = Growing(np.int64, terms(np.zeros((0, columns))).shape[1])
        self._last = Growing(np.int32)  # by cluster, its last part + 1
        self._before = Growing(np.int32)  # by part, the one before + 1
        self._cells = Growing(np.int32)  # by part, the place of its cell
        self._owners = Growing(np.int32)  # by part, its cluster + 1; 0: it is free
        self._values = Growing(dtype, columns)
        self._free: list[int] = []

    def put(self, clusters: Longs, owner: Longs, cells: Longs, values: Floats) -> None:
        """Let these clusters, each named once, have these parts from now on, and no others.

        Args:
            owner: of each part, the place of its cluster among these.
            cells: of each part, any whole number from 0.
            values: of each part, shape (parts, columns).
        """
        if not clusters.size:
            return
        self._last.grow_to(int(clusters.max()) + 1)
        self._take_out(clusters)
        if not len(cells):
            return
        places = self.places(cells)
        self._add(places, values, 1)
        slots = self._slots(len(cells))
        self._cells.rows[slots], self._values.rows[slots] = places, values
        order = np.argsort(owner, kind="stable")
        mine, slot = clusters[owner[order]], slots[order]
        self._owners.rows[slot] = mine + 1
        is_first = np.append(True, mine[1:] != mine[:-1])
        self._before.rows[slot] = np.where(is_first, 0, np.append(0, slot[:-1] + 1))
        is_last = np.append(is_first[1:], True)
        self._last.rows[mine[is_last]] = slot[is_last] + 1

    def parts(self, clusters: Longs) -> tuple[Longs, Longs, Floats]:
        """What some clusters have: of each part the cluster's place, its cell, its numbers."""
        self._last.grow_to(int(clusters.max(initial=-1)) + 1)
        slots, owner = self._of(clusters)
        return owner, self._keys.rows[self._cells.rows[slots]], self._values.rows[slots]

    def sums(self) -> tuple[Longs, Longs]:
        """Every cell whose sums are not all 0, in rising order, and these."""
        order = np.argsort(self._keys.rows, kind="stable")
        sums = self._sums.rows[order]
        has = sums.any(axis=1)
        return self._keys.rows[order[has]], sums[has]

    def by_place(self) -> tuple[Longs, Longs]:
        """Every cell that ever was, by its place, and its sums; valid until the next change."""
        return self._keys.rows, self._sums.rows

    def places(self, cells: Longs) -> Longs:
        """Numbers of some cells by which :meth:`by_place` tells of them; new ones get one."""
        found, _, which = grouped(cells)
        places = np.empty(len(found), np.int64)
        for number, cell in enumerate(found.tolist()):
            places[number] = self._place.setdefault(cell, len(self._place))
        start = len(self._keys)
        fresh = places >= start
        self._keys.grow_to(len(self._place))
        self._sums.grow_to(len(self._place))
        self._keys.rows[places[fresh]] = found[fresh]
        return places[which]

    def clusters_with(self, cells: Longs) -> Longs:
        """The clusters with a part in some of these cells; takes one look at every part."""
        if not len(cells):
            return cells
        wanted = np.zeros(len(self._keys), np.bool_)
        wanted[[self._place[cell] for cell in cells.tolist()]] = True
        owners = self._owners.rows[wanted[self._cells.rows]].astype(np.int64)
        return np.unique(owners[owners > 0]) - 1

    def _take_out(self, clusters: Longs) -> None:
        slots, _ = self._of(clusters)
        if len(slots):
            self._add(self._cells.rows[slots].astype(np.int64), self._values.rows[slots], -1)
            self._free += slots.tolist()
            self._owners.rows[slots] = 0
        self._last.rows[clusters] = 0

    def _of(self, clusters: Longs) -> tuple[Longs, Longs]:
        place, slot = np.arange(len(clusters)), self._last.rows[clusters].astype(np.int64)
        slots, owners = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        while (is_there := slot > 0).any():
            place, slot = place[is_there], slot[is_there] - 1
            slots.append(slot)
            owners.append(place)
            slot = self._before.rows[slot].astype(np.int64)
        return np.concatenate(slots), np.concatenate(owners)

    def _slots(self, size: int) -> Longs:
        used = self._free[len(self._free) - size :] if len(self._free) > size else self._free
        self._free = self._free[: len(self._free) - len(used)]
        start = len(self._cells)
        end = start + size - len(used)
        for column in (self._before, self._cells, self._owners, self._values):
            column.grow_to(end)
        return np.concatenate([np.array(used, np.int64), np.arange(start, end)])

    def _add(self, places: Longs, values: Floats, sign: int) -> None:
        for start in range(0, len(places), _BLOCK):
            mine = places[start : start + _BLOCK]
            order = np.argsort(mine, kind="stable")
            terms = self._terms(values[start : start + _BLOCK])[order]
            starts = np.flatnonzero(np.append(True, mine[order][1:] != mine[order][:-1]))
            self._sums.rows[mine[order][starts]] += sign * np.add.reduceat(terms, starts)
