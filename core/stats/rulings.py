"""Leads' rulings as the statistics read them: a log beside those of votes and verdicts."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.stats.growing import Growing
from core.stats.log import Names
from core.times import epoch

BLIND, UNMASKED = 0, 1
"""Stage codes."""

NOT_DECIDABLE: Final = 5
MORE_VOTES: Final = 6
"""Choice codes after the four outcomes; 0 takes back the ruling it supersedes."""

Row = tuple[int, int, int, int, int, int, float | None, str, str, int, int]
"""seq, item, lead, stage, choice, left, probability (None: not drawn), reason, at, the seq that it
supersedes (0: none), and whether it is final (0 or 1)."""

_WHOLE = ("seq", "item", "lead", "stage", "choice", "left", "reason", "blind_choice", "final")
_REAL = ("probability", "at")


class Rulings:
    """Rulings in the order in which they were made; what is superseded stands no more.

    The arrays are aligned, one entry per standing ruling. Two leads' rulings on one item both
    stand, and so do two by one lead of which neither supersedes the other.
    """

    def __init__(self) -> None:
        self._columns = {name: Growing(np.int64) for name in _WHOLE}
        self._columns |= {name: Growing(np.float64) for name in _REAL}
        self._stands = Growing(np.bool_)
        self._row: dict[int, int] = {}
        self._blind: dict[tuple[int, int], int] = {}
        self._reasons = Names()

    def __len__(self) -> int:
        return int(np.count_nonzero(self._stands.rows))

    @property
    def last_seq(self) -> int:
        """Watermark: the seq of the last row taken; 0 before the first."""
        return next(reversed(self._row), 0)

    @property
    def item(self) -> NDArray[np.int64]:
        """Item of the tally that was ruled on."""
        return self._standing("item")

    @property
    def lead(self) -> NDArray[np.int64]:
        """Annotator number of the lead who ruled."""
        return self._standing("lead")

    @property
    def stage(self) -> NDArray[np.int64]:
        """:data:`BLIND` or :data:`UNMASKED`."""
        return self._standing("stage")

    @property
    def choice(self) -> NDArray[np.int64]:
        """1–4 as votes have them, :data:`NOT_DECIDABLE` or :data:`MORE_VOTES`."""
        return self._standing("choice")

    @property
    def left(self) -> NDArray[np.int64]:
        """Which model stood left (1 or 2); 0 where it is not known."""
        return self._standing("left")

    @property
    def blind_choice(self) -> NDArray[np.int64]:
        """What was ruled blind where an unmasked revision stands in its place; otherwise 0."""
        return self._standing("blind_choice")

    @property
    def final(self) -> NDArray[np.int64]:
        """1 where the ruling settles what leads disagree about, otherwise 0."""
        return self._standing("final")

    @property
    def reason(self) -> NDArray[np.int64]:
        """Why the item was in the queue, as an index into :attr:`reasons`."""
        return self._standing("reason")

    @property
    def reasons(self) -> list[str]:
        """The queue's reasons by number."""
        return [text or "" for text in self._reasons.texts]

    @property
    def probability(self) -> NDArray[np.float64]:
        """With what probability the item came into the queue; NaN where it was not drawn."""
        return self._standing("probability")

    @property
    def at(self) -> NDArray[np.float64]:
        """When it was ruled, in seconds since the epoch; NaN where that is not known."""
        return self._standing("at")

    @property
    def seq(self) -> NDArray[np.int64]:
        """The ruling's seq in its log."""
        return self._standing("seq")

    @property
    def first_choice(self) -> NDArray[np.int64]:
        """What was ruled blind: of the choice that stands, or of the one that it revised.

        0 where nobody ruled blind. Nothing that was shown can have led it.
        """
        return np.where(self.stage == BLIND, self.choice, self.blind_choice)

    def _standing(self, name: str) -> NDArray[Any]:
        values: NDArray[Any] = self._columns[name].rows[self._stands.rows]
        return values

    def add(self, row: Row) -> None:
        """Take the next row of the log.

        Raises:
            ValueError: if it comes out of order, or supersedes what is no earlier row.
        """
        seq, item, lead, stage, choice, left, probability, reason, at, superseded, final = row
        if seq <= self.last_seq:
            raise ValueError(f"rulings must come in rising order of seq, after {self.last_seq}")
        blind_choice = 0
        if superseded:
            if superseded not in self._row:
                raise ValueError("a ruling supersedes a seq that is no earlier row")
            before = self._row[superseded]
            self._stands.rows[before] = False
            if stage == UNMASKED:
                blind_choice = self._ruled_blind(before)
        if stage == BLIND and choice > 0:
            self._blind[item, lead] = choice
        elif stage == UNMASKED and not blind_choice:
            # Taken back after the names were seen, and ruled anew: it was ruled blind all the same.
            blind_choice = self._blind.get((item, lead), 0)
        self._row[seq] = len(self._stands)
        values = {
            "seq": seq,
            "item": item,
            "lead": lead,
            "stage": stage,
            "choice": choice,
            "left": left,
            "reason": self._reasons.number(reason),
            "blind_choice": blind_choice,
            "final": final,
            "probability": np.nan if probability is None else probability,
            "at": _epoch(at),
        }
        for name, value in values.items():
            self._columns[name].extend(np.array([value]))
        self._stands.extend(np.array([choice > 0]))

    def _ruled_blind(self, row: int) -> int:
        """What stood as ruled blind in a row or in what it revised; 0 if nothing was."""
        column = self._columns
        if column["stage"].rows[row] == BLIND:
            return int(column["choice"].rows[row])
        return int(column["blind_choice"].rows[row])


def _epoch(at: str) -> float:
    """Seconds; NaN for what an import may have written there besides times."""
    try:
        return epoch(at)
    except ValueError:
        return float("nan")
