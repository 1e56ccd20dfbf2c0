"""In what order votes were cast: the log of votes, with what came in late at its place.

Votes that are cast in a study stand in its log as they were cast. Imported and merged ones stand
there as they came in, and carry when they were cast. One order of all: by time; where two were
cast at the same one, by the log; and a vote whose time is not on record comes after all that stand
before it in the log, as if it had been cast with the latest of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.stats.growing import Growing
from core.stats.log import IntArray, Log
from core.stats.vote_times import UNKNOWN, VoteTimes

ORDER = (
    "in the order in which votes were cast, to the millisecond, and in that of this study's log "
    "where that leaves two alike; a vote without a time comes after all before it in the log"
)
"""What statistics that go by the order of votes go by, in words."""


class CastOrder:
    """Rows of the log of votes in the order in which they were cast, every row in its place.

    A vote that comes in order is put at the end, whatever there was; one that comes late moves
    those after it. Rows whose time was not told yet stand as if it were not on record, and are
    put in order anew should it be told.

    Attributes:
        is_log_order: whether the order is that of the log.
    """

    def __init__(self, log: Log, times: VoteTimes) -> None:
        self._log, self._times = log, times
        self._moved = Growing(np.int64)
        self._begin()

    def _begin(self) -> None:
        self.is_log_order = True
        self._moment = Growing(np.int64)  # by row of the log
        self._rows = Growing(np.int64)  # in order
        self._latest = UNKNOWN
        self._untold: int | None = None  # the seq of the first row whose time was not told

    @property
    def moves(self) -> int:
        """How often rows came in before others; for :meth:`first_moved`."""
        return len(self._moved)

    def first_moved(self, since: int) -> int | None:
        """The lowest place at which rows came in since so many moves; None if none did."""
        moved = self._moved.rows[since:]
        return int(moved.min()) if len(moved) else None

    def rows_from(self, place: int) -> IntArray:
        """The rows of the log from a place on, in order; valid until the log grows."""
        return self._rows.rows[place:]

    def first_place(self, rows: NDArray[np.int64]) -> int:
        """The place of the earliest of some rows of the log, of which there is at least one."""
        moments, order = self._moment.rows, self._rows.rows
        moment = moments[rows].min()
        row = rows[moments[rows] == moment].min()
        alike = [np.searchsorted(moments, moment, each, sorter=order) for each in ("left", "right")]
        return int(alike[0] + np.searchsorted(order[alike[0] : alike[1]], row))

    def catch_up(self) -> None:
        """Put rows in their places that the log has got since."""
        if self._untold is not None and self._times.last_seq >= self._untold:
            self._begin()
            self._moved.extend(np.zeros(1, np.int64))
        start = len(self._moment)
        seq = self._log.seq.rows[start:]
        if not seq.size:
            return
        if self._untold is None and seq[-1] > self._times.last_seq:
            self._untold = int(seq[np.searchsorted(seq, self._times.last_seq, "right")])
        moment = self._moments_of(seq)
        rows = start + np.argsort(moment, kind="stable")
        place, before, order = start, self._moment.rows, self._rows.rows
        first = moment[rows[0] - start]
        if start and first < before[order[-1]]:
            place = int(np.searchsorted(before, first, "right", sorter=order))
        self._moment.extend(moment)
        self._put(place, start, rows)

    def _moments_of(self, seq: IntArray) -> IntArray:
        """When new rows were cast, or the latest before them was."""
        at = self._times.milliseconds(seq)
        is_known = at > UNKNOWN
        told = np.append(self._latest, np.where(is_known, at, UNKNOWN))
        latest = np.maximum.accumulate(told)[1:]
        self._latest = int(latest[-1])
        moments: IntArray = np.where(is_known, at, latest)
        return moments

    def _put(self, place: int, start: int, rows: IntArray) -> None:
        """Merge new rows, in order, into those from a place on.

        Args:
            start: how many rows there were.
        """
        if place < start:
            tail = np.concatenate([self._rows.rows[place:], rows])
            # Where moments are alike, rows of before come first: they stand first in the log.
            rows = tail[np.argsort(self._moment.rows[tail], kind="stable")]
            self._moved.extend(np.array([place], np.int64))
        self._rows.grow_to(len(self._moment))
        self._rows.rows[place:] = rows
        if self.is_log_order:
            self.is_log_order = bool(np.all(rows == np.arange(place, len(self._moment))))
