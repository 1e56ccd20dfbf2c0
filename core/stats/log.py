"""The parts of a tally: rows read in blocks, logs kept in columns, names numbered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.stats.growing import Growing

IntArray = NDArray[np.int64]

_BLOCK = 1 << 18
"""Rows taken at once: enough for numpy to be fast, few enough to fit in the cache's reach."""


def blocks(rows: Iterable[tuple[int, ...]], width: int) -> Iterator[IntArray]:
    """Cut rows of integers into blocks of shape (width, rows in the block)."""
    source = iter(rows)
    while True:
        flat = np.fromiter(chain.from_iterable(islice(source, _BLOCK)), np.int64)
        if not flat.size:
            return
        if flat.size % width:
            raise ValueError(f"rows must hold {width} numbers each")
        yield np.ascontiguousarray(flat.reshape(-1, width).T)


def check_range(name: str, values: IntArray, low: int, high: int) -> None:
    """Refuse values out of range.

    Raises:
        ValueError: if one is.
    """
    if values.min() < low or values.max() > high:
        raise ValueError(f"{name} must lie between {low} and {high}")


class Names:
    """Texts numbered in order of appearance."""

    def __init__(self) -> None:
        self.texts: list[str | None] = []
        self._number: dict[str | None, int] = {}

    def number(self, text: str | None) -> int:
        """The text's number, a new one if it was not seen before."""
        found = self._number.get(text)
        if found is None:
            found = self._number[text] = len(self.texts)
            self.texts.append(text)
        return found


class Log:
    """The columns of one append-only log, sorted by seq, with a mark on rows that still count."""

    def __init__(self) -> None:
        self.seq = Growing(np.int64)
        self.item = Growing(np.int32)
        self.rater = Growing(np.int32)
        self.choice = Growing(np.int8)
        self.left = Growing(np.int8)
        self.repeat = Growing(np.int32)
        self.counts = Growing(np.bool_)

    @property
    def last_seq(self) -> int:
        """The seq of the last row; 0 before the first."""
        return int(self.seq.rows[-1]) if len(self.seq) else 0

    def superseded(self, seq: IntArray, targets: IntArray) -> IntArray:
        """Row numbers, as they will stand once ``seq`` is appended, of the rows in ``targets``.

        Raises:
            ValueError: if the rows do not come in rising order of seq, or a target is no
                earlier row.
        """
        if seq[0] <= self.last_seq or np.any(np.diff(seq) <= 0):
            raise ValueError(f"rows must come in rising order of seq, after {self.last_seq}")
        naming = np.flatnonzero(targets)
        named = targets[naming]
        rows = np.searchsorted(self.seq.rows, named)
        fresh = named > self.last_seq
        rows[fresh] = len(self.seq) + np.searchsorted(seq, named[fresh])
        known = np.concatenate([self.seq.rows, seq]) if fresh.any() else self.seq.rows
        if named.size and (
            np.any(named >= seq[naming])
            or rows.max(initial=-1) >= len(known)
            or np.any(known[rows] != named)
        ):
            raise ValueError("a row supersedes a seq that is no earlier row")
        return np.unique(rows)

    def append(self, **columns: NDArray[Any]) -> None:
        """Append rows by column; a column that is left out stays as it is."""
        for name, values in columns.items():
            getattr(self, name).extend(values)


class Raters:
    """Annotators or judges: an outside id, a name, and a word that sorts them."""

    def __init__(self) -> None:
        self.number: dict[int, int] = {}
        self.names: list[str] = []
        self.words: list[str] = []

    def numbers(self, ids: IntArray, what: str) -> IntArray:
        """Dense numbers of outside ids.

        Raises:
            ValueError: if an id was never told.
        """
        distinct, inverse = np.unique(ids, return_inverse=True)
        try:
            dense = [self.number[each] for each in distinct.tolist()]
        except KeyError as unknown:
            raise ValueError(f"{what} {unknown.args[0]} is not known to the tally") from None
        return np.array(dense, np.int64)[inverse]
