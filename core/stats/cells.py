"""What each judge says per item in each order, kept as verdicts come and are superseded."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.stats.growing import Growing
from core.stats.journal import Journal
from core.stats.log import IntArray, Log

ABSENT: Final = 0
FAILED: Final = 1
"""Cell codes of a judge's word; a choice c is stored as c + 1."""

_ORDERS = 3  # reported without its order, model_1 left, model_2 left


class Cells:
    """One table for each judge: items by order.

    Args:
        log: the verdicts. Repeat 0 is the judge's word; others are not in here.
        journal: told which items change.
    """

    def __init__(self, log: Log, journal: Journal) -> None:
        self._log = log
        self._journal = journal
        self._tables: list[Growing] = []
        self._in_both: list[int] = []

    def add_judge(self) -> None:
        """Make room for one more judge."""
        self._tables.append(Growing(np.int8, _ORDERS))
        self._in_both.append(0)

    def has_both_orders(self, judge: int) -> bool:
        """Whether a judge has a word, or a failure, in both orders of some item."""
        return self._in_both[judge] > 0

    def of(self, judge: int, items: int) -> NDArray[np.int8]:
        """One judge's cells, shape (items, 3) at least."""
        self._tables[judge].grow_to(items)
        return self._tables[judge].rows

    def write(self, rows: IntArray, clear: bool = False) -> None:
        """Let these verdict rows, in order, be their judges' words; or empty their cells."""
        log = self._log
        rows = rows[log.repeat.rows[rows] == 0]
        raters = log.rater.rows[rows]
        for judge in np.unique(raters).tolist():
            mine = rows[raters == judge]
            items = log.item.rows[mine]
            word = np.full(len(mine), ABSENT) if clear else log.choice.rows[mine] + 1
            table = self.of(judge, int(items.max()) + 1)
            touched = np.unique(items)
            self._in_both[judge] -= _in_both(table[touched])
            table[items, log.left.rows[mine]] = word
            self._in_both[judge] += _in_both(table[touched])
            self._journal.note(touched)

    def restore(self, gone: IntArray) -> None:
        """Give an emptied cell back to an older verdict that still counts, if there is one.

        A verdict nearly always supersedes one of its own cell and has filled it by now, so
        that the log is searched for the rare ones that wrote elsewhere.
        """
        log = self._log
        for row in gone[log.repeat.rows[gone] == 0].tolist():
            judge, item, left = (int(c.rows[row]) for c in (log.rater, log.item, log.left))
            if self.of(judge, item + 1)[item, left] != ABSENT:
                continue
            same = (log.item.rows == item) & (log.rater.rows == judge) & (log.left.rows == left)
            self.write(np.flatnonzero(same & log.counts.rows & (log.repeat.rows == 0))[-1:])


def _in_both(cells: NDArray[np.int8]) -> int:
    return int(np.count_nonzero((cells[:, 1] != ABSENT) & (cells[:, 2] != ABSENT)))
