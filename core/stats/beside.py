"""What a tally knows beside votes and verdicts: why calls failed, and what baselines would say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.baselines import COUNTED, Counts
from core.stats.growing import Growing
from core.stats.journal import Journal
from core.stats.log import Names

TEXT_UNKNOWN: Final = -1
"""A baseline's word on an item whose answers are not in the study."""


class FailureNames:
    """The names of failures, by the seq of the verdict."""

    def __init__(self) -> None:
        self._names = Names()
        self._seq, self._name = Growing(np.int64), Growing(np.int32)

    @property
    def names(self) -> tuple[str, ...]:
        """Failures by number."""
        return tuple(name or "" for name in self._names.texts)

    def add(self, rows: Iterable[tuple[int, str]]) -> None:
        """Take (seq, name) of failed verdicts, in rising order of seq."""
        told = [(seq, self._names.number(name)) for seq, name in rows]
        if told:
            seq, name = np.array(told, np.int64).T
            self._seq.extend(seq)
            self._name.extend(name)

    def of(self, seq: NDArray[Any]) -> NDArray[np.int64]:
        """The numbers of these verdicts' failures; -1 where nothing was told."""
        place = np.searchsorted(self._seq.rows, seq)
        known = np.append(self._seq.rows, -1)[place] == seq
        found: NDArray[np.int64] = np.append(self._name.rows, -1)[place].astype(np.int64)
        found[~known] = -1
        return found


class BaselineWords:
    """What each baseline of :data:`core.baselines.COUNTED` says per item, looked up once.

    A word is a choice (1–3), 0 where nobody looked yet, or :data:`TEXT_UNKNOWN`.

    Args:
        journal: told which items change.
    """

    names = tuple(COUNTED)

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._words = Growing(np.int8, len(COUNTED))
        self._unknown = np.zeros(0, np.int64)

    def rows(self, items: int) -> NDArray[np.int8]:
        """Words, shape (items, baselines)."""
        self._words.grow_to(items)
        return self._words.rows

    def wanted(self, items: NDArray[Any]) -> NDArray[np.int64]:
        """Which of these items nobody looked at yet."""
        if not items.size:
            return np.zeros(0, np.int64)
        items = np.unique(items).astype(np.int64)
        fresh: NDArray[np.int64] = items[self.rows(int(items[-1]) + 1)[items, 0] == 0]
        return fresh

    def look_again(self) -> NDArray[np.int64]:
        """The items whose answers were unknown when they were looked at."""
        return self._unknown

    def compare(
        self,
        items: NDArray[np.int64],
        on: tuple[NDArray[Any], NDArray[Any]],
        answers: Sequence[tuple[int, int, int]],
        counts: Mapping[int, Counts],
    ) -> None:
        """Work out the words on some items.

        Args:
            items: item numbers.
            on: their pairs' ids and their turns.
            answers: (pair_id, answer to model 1, answer to model 2) of these pairs.
            counts: of each answer.
        """
        numbers = np.array(sorted(counts), np.int64)
        table = np.full((len(numbers), int(on[1].max()) + 1, len(COUNTED)), -1, np.int64)
        for row, number in enumerate(numbers.tolist()):
            for turn, counted in counts[number].items():
                if turn < table.shape[1]:
                    table[row, turn] = counted
        pairs = np.array(sorted(answers), np.int64)
        sides = pairs[np.searchsorted(pairs[:, 0], on[0]), 1:].T
        one, two = (table[np.searchsorted(numbers, side), on[1]] for side in sides)
        words = np.where(one > two, 1, np.where(one < two, 2, 3))
        self.tell(items, np.where((one < 0) | (two < 0), TEXT_UNKNOWN, words).astype(np.int8))

    def tell(self, items: NDArray[np.int64], words: NDArray[np.int8]) -> None:
        """Take the words on these items, shape (items, baselines)."""
        if not items.size:
            return
        self.rows(int(items.max()) + 1)[items] = words
        self._journal.note(items)
        known = words[:, 0] != TEXT_UNKNOWN
        left = np.setdiff1d(self._unknown, items[known])
        self._unknown = np.union1d(left, items[~known]).astype(np.int64)
