"""A judge's verdicts on one item in one order, asked again and again."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.stats.cells import FAILED
from core.stats.outcomes import UNDECIDED_CELL, Bools, Codes
from core.stats.tally import BOTH_BAD, CHOICES, TIE
from core.stats.voting import winners

Longs = NDArray[np.int64]

_ORDERS = 3  # reported without its order, model_1 left, model_2 left
NO_FIRST: Final = -1


@dataclass(frozen=True, slots=True)
class Repeats:
    """The orders of items that one judge was asked about more than once, one entry each.

    Attributes:
        item: item numbers of the tally, shape (entries,).
        left: 1 or 2; 0 for verdicts reported without their order.
        failed: how many of the verdicts are failures.
        counts: the others by choice, shape (entries, 4).
        first: the choice of repeat 0; 0 if it failed, :data:`NO_FIRST` if there is none.
    """

    item: Longs
    left: Longs
    failed: Longs
    counts: Longs
    first: Codes

    def only(self, selected: Bools) -> Repeats:
        """The entries of selected items, by item number."""
        mine = selected[self.item]
        return Repeats(*(getattr(self, each.name)[mine] for each in fields(self)))

    def merged(self) -> Repeats:
        """The same with both bad counted as a tie."""
        counts, first = self.counts.copy(), self.first.copy()
        counts[:, TIE - 1] += counts[:, BOTH_BAD - 1]
        counts[:, BOTH_BAD - 1] = 0
        first[first == BOTH_BAD] = TIE
        return Repeats(self.item, self.left, self.failed, counts, first)

    def cells(self) -> Codes:
        """What most repeats say, as cell codes; failures count where there is nothing else."""
        won = winners(self.counts)
        cells = np.where(won > 0, won + 1, UNDECIDED_CELL)
        return np.where(self.counts.any(axis=1), cells, FAILED).astype(np.int8)


def repeats_of(verdicts: dict[str, NDArray[Any]], judge: int) -> Repeats:
    """What was said more than once.

    Args:
        verdicts: see :attr:`Tally.verdicts`.
    """
    again = (verdicts["rater"] == judge) & (verdicts["repeat"] > 0)
    key = verdicts["item"].astype(np.int64) * _ORDERS + verdicts["left"]
    keys = np.unique(key[again])
    near = np.flatnonzero(verdicts["rater"] == judge) if keys.size else np.zeros(0, np.int64)
    place = np.searchsorted(keys, key[near])
    inside = np.append(keys, -1)[place] == key[near]
    rows, entry = near[inside], place[inside]
    # Of several verdicts with one number the last stands, as it does in the cells.
    repeat = verdicts["repeat"][rows].astype(np.int64)
    order = np.lexsort((rows, repeat, entry))
    rows, entry, repeat = rows[order], entry[order], repeat[order]
    same = (entry[1:] == entry[:-1]) & (repeat[1:] == repeat[:-1])
    last = np.append(~same, True) if rows.size else np.zeros(0, np.bool_)
    rows, entry, repeat = rows[last], entry[last], repeat[last]
    choice = verdicts["choice"][rows].astype(np.int64)
    table = np.bincount(entry * (CHOICES + 1) + choice, minlength=len(keys) * (CHOICES + 1))
    table = table.reshape(-1, CHOICES + 1)
    first = np.full(len(keys), NO_FIRST, np.int8)
    first[entry[repeat == 0]] = choice[repeat == 0]
    return Repeats(keys // _ORDERS, keys % _ORDERS, table[:, 0], table[:, 1:], first)
