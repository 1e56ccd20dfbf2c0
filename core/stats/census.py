"""Items or pairs that are alike in what a statistic looks at, counted once and kept up to date.

What a statistic reads of an item is a row of whole numbers: its votes by choice, a judge's word.
Items with the same row are exchangeable, so that the distinct rows and how often each occurs say
all there is to say. They are few, whatever the number of votes. A vote changes one row: the old
one loses an item and the new one gains it. The counts are whole numbers, so that a census that was
kept up to date is the very same as one taken anew, and so is every number made from it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.stats.growing import Growing
from core.stats.journal import Journal

Longs = NDArray[np.int64]

T = TypeVar("T")

NOWHERE: Final = -1
"""The place of a cluster that is not counted."""

MANY: Final = 512
"""Censuses kept at once; the one that nobody asked for longest makes room."""

FEW: Final = 64
"""The same of sums by pair of answers, which take more room."""

_FEW = 64
"""New patterns that are sorted in one by one; more of them are sorted together."""

_DENSE_KEYS = 1 << 16


@dataclass(frozen=True, slots=True)
class Patterns:
    """Distinct rows in rising order, and how many clusters have each.

    Attributes:
        rows: shape (patterns, columns).
        times: shape (patterns,), none of them 0.
    """

    rows: Longs
    times: Longs


def distinct(rows: NDArray[Any]) -> tuple[Longs, Longs]:
    """Distinct rows in rising order, and which of them each row is.

    Args:
        rows: whole numbers, none below 0; shape (clusters, columns).
    """
    radix = [int(rows[:, column].max(initial=0)) + 1 for column in range(rows.shape[1])]
    size = math.prod(radix)
    if size >= 1 << 62:
        found, place = np.unique(rows, axis=0, return_inverse=True)
        return found.astype(np.int64), place.reshape(-1)
    keys = np.zeros(len(rows), np.int64)
    for column, base in enumerate(radix):
        keys *= base
        keys += rows[:, column]
    if size <= max(_DENSE_KEYS, len(rows)):
        is_there = np.zeros(size, np.bool_)
        is_there[keys] = True
        every = np.flatnonzero(is_there)
        place = (np.cumsum(is_there) - 1)[keys]
    else:
        every, place = np.unique(keys, return_inverse=True)
    columns, rest = [], every
    for base in reversed(radix):
        rest, digit = np.divmod(rest, base)
        columns.append(digit)
    return np.stack(columns[::-1], axis=1), place


def patterns_of(rows: NDArray[Any]) -> Patterns:
    """A census taken once, of one row for each cluster."""
    found, place = distinct(rows)
    return Patterns(found, np.bincount(place, minlength=len(found)))


class Census:
    """Clusters by their rows.

    Args:
        columns: how many numbers a row has.
    """

    def __init__(self, columns: int) -> None:
        self._rows = Growing(np.int64, columns)
        self._times = Growing(np.int64)
        self._where = Growing(np.int32)  # by cluster, its pattern + 1; 0: not counted
        self._place: dict[bytes, int] = {}
        self._sorted: list[bytes] = []
        self._order = np.zeros(0, np.int64)
        self._told: Patterns | None = None

    def put(self, clusters: Longs, rows: NDArray[Any], counted: NDArray[np.bool_]) -> None:
        """Let these clusters, each named once, have these rows from now on.

        Args:
            rows: whole numbers from 0 to 2³¹ − 1, shape (clusters, columns).
            counted: which of the clusters are to be counted at all.
        """
        if not clusters.size:
            return
        self._where.grow_to(int(clusters.max()) + 1)
        places = np.full(len(clusters), NOWHERE)
        if counted.any():
            found, which = distinct(rows[counted])
            places[counted] = self._places(found)[which]
        before = self._where.rows[clusters] - 1
        if np.array_equal(before, places):
            return
        times = self._times.rows
        np.subtract.at(times, before[before >= 0], 1)
        np.add.at(times, places[places >= 0], 1)
        self._where.rows[clusters] = places + 1
        self._told = None

    def patterns(self) -> Patterns:
        """What there is now."""
        if self._told is None:
            times = self._times.rows[self._order]
            has = times > 0
            self._told = Patterns(self._rows.rows[self._order[has]], times[has])
        return self._told

    def _places(self, found: Longs) -> Longs:
        """Where each pattern stands; new ones are taken in."""
        # Big-endian bytes sort as the numbers do.
        flat = found.astype(">i4").tobytes()
        width = 4 * found.shape[1]
        keys = [flat[start : start + width] for start in range(0, len(flat), width)]
        fresh = [number for number, key in enumerate(keys) if key not in self._place]
        if fresh:
            start = len(self._rows)
            self._rows.extend(found[fresh])
            self._times.grow_to(start + len(fresh))
            for place, number in enumerate(fresh, start):
                self._place[keys[number]] = place
            self._sort_in([keys[number] for number in fresh], start)
        return np.array([self._place[key] for key in keys], np.int64)

    def _sort_in(self, keys: list[bytes], start: int) -> None:
        if len(keys) > _FEW:
            self._sorted = sorted(self._place)
            self._order = np.array([self._place[key] for key in self._sorted], np.int64)
            return
        for place, key in enumerate(keys, start):
            at = bisect_left(self._sorted, key)
            self._sorted.insert(at, key)
            self._order = np.insert(self._order, at, place)


@dataclass(slots=True)
class _Kept:
    """What is kept, and the moment it is of."""

    thing: Any
    epoch: int
    mark: int


class Censuses:
    """What is kept of one tally, brought up to date when somebody asks.

    Args:
        journal: which items changed.
        most: how much is kept at once.
    """

    def __init__(self, journal: Journal, most: int = MANY) -> None:
        self._journal = journal
        self._most = most
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def followed(
        self, key: Hashable, make: Callable[[], T], take: Callable[[T, Longs | None], None]
    ) -> T:
        """Anything that follows the items.

        Args:
            key: the same for what is made of the same, and for nothing else.
            make: makes it, empty.
            take: brings it up to date with these items that changed; with all, where it is None.
        """
        journal = self._journal
        known = self._kept.get(key)
        changed = None
        if known is not None and known.epoch == journal.epoch:
            changed = journal.since(known.mark)
        if known is None or changed is None:
            known = _Kept(make(), journal.epoch, journal.mark)
            take(known.thing, None)
            self._kept[key] = known
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        elif changed.size:
            take(known.thing, changed)
            known.mark = journal.mark
        self._kept.move_to_end(key)
        thing: T = known.thing
        return thing

    def patterns(
        self,
        key: Hashable,
        everything: Callable[[], Longs],
        clusters_of: Callable[[Longs], Longs],
        rows_of: Callable[[Longs], tuple[NDArray[Any], NDArray[np.bool_]]],
        columns: int,
    ) -> Patterns:
        """What a census says now.

        Args:
            key: the same for the same rows of the same clusters, and for nothing else.
            everything: all clusters there are.
            clusters_of: the clusters of some items, each once.
            rows_of: the rows of some clusters as they are now, and which of them count.
            columns: how many numbers a row has.
        """

        def take(census: Census, items: Longs | None) -> None:
            clusters = everything() if items is None else clusters_of(items)
            census.put(clusters, *rows_of(clusters))

        return self.followed(key, lambda: Census(columns), take).patterns()


class Followed:
    """All that is kept of some votes.

    Attributes:
        items: what statistics keep of items, so that a vote costs them what it changes.
        pairs: what they keep of pairs of answers.
    """

    def __init__(self, journal: Journal) -> None:
        self.items, self.pairs = Censuses(journal), Censuses(journal, FEW)


class FollowedByFilter:
    """What is kept of all votes, and of those that a filter chooses.

    A filter that leaves few votes out takes nearly as much room again, so that only the one that
    was asked for last is kept.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._all = Followed(journal)
        self._chosen: tuple[Hashable, Followed] | None = None

    def of(self, chosen: Hashable) -> Followed:
        """What is kept of the votes that a filter chooses; of all where it is None."""
        if chosen is None:
            return self._all
        if self._chosen is None or self._chosen[0] != chosen:
            self._chosen = chosen, Followed(self._journal)
        return self._chosen[1]
