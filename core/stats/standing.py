"""What stands of each rater's work, counted as it comes: no log has to be gone through for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.stats.growing import Growing
from core.stats.log import IntArray


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


class Members:
    """The members of each group, say the items of each pair: each knows the one before it."""

    def __init__(self) -> None:
        self._last = Growing(np.int32)  # by group, its last member + 1
        self._before = Growing(np.int32)  # by member, the one before + 1

    def __len__(self) -> int:
        return len(self._before)

    def add(self, groups: NDArray[Any]) -> None:
        """Take new members by their groups; they are numbered on from those there are."""
        start = len(self._before)
        self._before.grow_to(start + len(groups))
        self._last.grow_to(int(groups.max()) + 1)
        order = np.argsort(groups, kind="stable")
        group, member = groups[order], start + order
        again = np.append(False, group[1:] == group[:-1])
        self._before.rows[member] = np.where(
            again, np.append(0, member[:-1] + 1), self._last.rows[group]
        )
        is_last = np.append(~again[1:], True)
        self._last.rows[group[is_last]] = member[is_last] + 1

    def of(self, groups: IntArray) -> tuple[IntArray, IntArray]:
        """Every member of some groups, and the place of its group among these."""
        self._last.grow_to(int(groups.max(initial=-1)) + 1)
        place, member = np.arange(len(groups)), self._last.rows[groups].astype(np.int64)
        places, members = [], []
        while True:
            is_there = member > 0
            if not is_there.any():
                break
            place, member = place[is_there], member[is_there]
            places.append(place)
            members.append(member - 1)
            member = self._before.rows[member - 1].astype(np.int64)
        nothing = np.zeros(0, np.int64)
        return np.concatenate([nothing, *members]), np.concatenate([nothing, *places])
