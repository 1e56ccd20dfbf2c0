"""When votes were cast: kept beside the log of votes, for spans of time and the order of votes.

Most numbers need no times, so that they are told only where somebody asks for some that do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from core.stats.growing import Growing
from core.stats.log import blocks

UNKNOWN = 0
"""Stands for a time that is not on record."""

_SECOND = 1000
_DAY = 86_400 * _SECOND


class VoteTimes:
    """Milliseconds since the epoch by seq of the vote's row."""

    def __init__(self) -> None:
        self._seq = Growing(np.int64)
        self._at = Growing(np.int64)
        self._days: Counter[int] = Counter()

    @property
    def last_seq(self) -> int:
        """Watermark: the seq of the last row whose time was told; 0 before the first."""
        return int(self._seq.rows[-1]) if len(self._seq) else 0

    def add(self, rows: Iterable[tuple[int, int]]) -> None:
        """Take times in rising order of seq: (seq, milliseconds), :data:`UNKNOWN` for none.

        Raises:
            ValueError: if rows come out of order.
        """
        for seq, at in blocks(rows, 2):
            if seq[0] <= self.last_seq or np.any(np.diff(seq) <= 0):
                raise ValueError(f"times must come in rising order of seq, after {self.last_seq}")
            self._seq.extend(seq)
            self._at.extend(at)
            days, counts = np.unique(at[at != UNKNOWN] // _DAY, return_counts=True)
            self._days.update(dict(zip(days.tolist(), counts.tolist(), strict=True)))

    def of(self, seq: NDArray[np.int64]) -> NDArray[np.int64]:
        """When the votes with these seqs were cast, in whole seconds, shape (seqs,).

        Raises:
            ValueError: if one of them was not told.
        """
        places = np.searchsorted(self._seq.rows, seq)
        known = len(self._seq)
        if seq.size and (places.max() >= known or np.any(self._seq.rows[places] != seq)):
            raise ValueError(
                "the times of votes were not told: catch up with them (Feed.catch_up(times=True))"
            )
        at: NDArray[np.int64] = self._at.rows[places] // _SECOND
        return at

    def milliseconds(self, seq: NDArray[np.int64]) -> NDArray[np.int64]:
        """When votes were cast, shape (seqs,); :data:`UNKNOWN` of those that were not told."""
        at = np.full(len(seq), UNKNOWN, np.int64)
        places = np.searchsorted(self._seq.rows, seq)
        inside = np.flatnonzero(places < len(self._seq))
        told = inside[self._seq.rows[places[inside]] == seq[inside]]
        at[told] = self._at.rows[places[told]]
        return at

    def days(self) -> list[tuple[int, int]]:
        """Days since the epoch (UTC) with how many rows of the log are of that day, in order."""
        return sorted(self._days.items())
