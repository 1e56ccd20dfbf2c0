"""What stands of each rater's work, counted as it comes: no log has to be gone through for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.stats.growing import Growing
from core.stats.log import IntArray, Log
from core.stats.sorting import order_of


class PerRater:
    """Whole numbers by rater number."""

    def __init__(self) -> None:
        self._counts = Growing(np.int64)

    def add(self, raters: NDArray[Any], by: int) -> None:
        """Count so many more, once for each time that a rater is named."""
        if raters.size:
            self._counts.grow_to(int(raters.max()) + 1)
            np.add.at(self._counts.rows, raters, by)

    def rows(self, raters: int) -> IntArray:
        """All counts, shape (raters,)."""
        self._counts.grow_to(raters)
        return self._counts.rows[:raters]


class Standing:
    """Counts of what stands.

    Attributes:
        votes: that count, by annotator.
        declined: words that somebody cannot judge, by annotator.
        verdicts: that have a choice, by judge, repeats included.
        failures: by judge, repeats included.
        repeats: verdicts and failures beyond the first, by judge.
        groups: votes by group of annotators.
    """

    def __init__(self) -> None:
        self.votes, self.declined = PerRater(), PerRater()
        self.verdicts, self.failures, self.repeats = PerRater(), PerRater(), PerRater()
        self.groups: dict[str, int] = {}

    def judged(self, raters: NDArray[Any], choice: NDArray[Any], repeat: IntArray, by: int) -> None:
        """Count verdicts, or with ``by`` −1 take them out again."""
        self.verdicts.add(raters[choice > 0], by)
        self.failures.add(raters[choice == 0], by)
        self.repeats.add(raters[repeat > 0], by)


class ItemsOfPairs:
    """The items of each pair: each item knows the one before it."""

    def __init__(self) -> None:
        self._last = Growing(np.int32)  # by pair, its last item + 1
        self._before = Growing(np.int32)  # by item, the one before + 1

    def add(self, pairs: NDArray[Any]) -> None:
        """Take new items by their pairs; they are numbered on from those there are."""
        start = len(self._before)
        self._before.grow_to(start + len(pairs))
        self._last.grow_to(int(pairs.max()) + 1)
        order = np.argsort(pairs, kind="stable")
        pair, item = pairs[order], start + order
        again = np.append(False, pair[1:] == pair[:-1])
        self._before.rows[item] = np.where(
            again, np.append(0, item[:-1] + 1), self._last.rows[pair]
        )
        is_last = np.append(~again[1:], True)
        self._last.rows[pair[is_last]] = item[is_last] + 1

    def of(self, pairs: IntArray) -> tuple[IntArray, IntArray]:
        """Every item of some pairs, and the place of its pair among these."""
        self._last.grow_to(int(pairs.max(initial=-1)) + 1)
        place, item = np.arange(len(pairs)), self._last.rows[pairs].astype(np.int64)
        places, items = [], []
        while True:
            is_there = item > 0
            if not is_there.any():
                break
            place, item = place[is_there], item[is_there]
            places.append(place)
            items.append(item - 1)
            item = self._before.rows[item - 1].astype(np.int64)
        nothing = np.zeros(0, np.int64)
        return np.concatenate([nothing, *items]), np.concatenate([nothing, *places])


class ByItem:
    """The rows of a log by item, for whoever asks about a few items.

    Rows are taken in when somebody asks, so that a log that nobody asks about costs nothing.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._rows = ItemsOfPairs()
        self._taken = 0

    def on(self, items: IntArray) -> dict[str, NDArray[Any]]:
        """Columns of the rows that count on some items, in the log's order, and ``place``."""
        log = self._log
        if len(log.item) > self._taken:
            self._rows.add(log.item.rows[self._taken :])
            self._taken = len(log.item)
        rows, place = self._rows.of(items)
        counts = log.counts.rows[rows]
        rows, place = rows[counts], place[counts]
        order = order_of(rows)
        rows = rows[order]
        columns = {"seq": log.seq, "rater": log.rater, "choice": log.choice, "left": log.left}
        if len(log.repeat):  # of verdicts only
            columns["repeat"] = log.repeat
        found = {name: each.rows[rows].astype(np.int64) for name, each in columns.items()}
        return {"place": place[order], **found}
