"""A list of votes, one a line, painted line by line: as fast with 20,000 as with 20."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from rich.segment import Segment
from textual.strip import Strip

from core.saying import said_of
from core.text import cell_width, one_line
from core.times import ago
from db.history import STANDS, Past
from tui.widgets.cursor_list import CursorList

_WHEN = 11
_VOTE = 12
_VOTE_AND_FATE = 25
_GAP = "  "
_WIDE = 100
_MOST_KEPT = 1000
"""Votes kept in memory; those beyond are fetched again when they come into sight."""


class VoteList(CursorList, inherit_bindings=False):
    """Shows votes by their ``seq``; only those in sight are ever fetched.

    Args:
        fetch: looks votes up; one that it does not find is shown as a blank line.
        clock: tells the time, for how long ago each was.

    Attributes:
        every: whether votes that no longer stand are among them: there is room to say so then.
    """

    class Moved(CursorList.Moved):
        """Another vote may be the chosen one, or others are in sight."""

    class Picked(CursorList.Picked):
        """The chosen vote was clicked."""

    def __init__(
        self,
        fetch: Callable[[Sequence[int]], Mapping[int, Past]],
        clock: Callable[[], datetime],
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._fetch = fetch
        self._clock = clock
        self.every = False
        self._seqs: array[int] = array("Q")
        self._past: dict[int, Past] = {}

    @property
    def count(self) -> int:
        """How many votes are listed."""
        return len(self._seqs)

    @property
    def cursor(self) -> int:
        """The place of the chosen vote, from 0."""
        return self._cursor

    @property
    def chosen(self) -> Past | None:
        """The chosen vote; None in an empty list."""
        return self._past.get(self._seqs[self._cursor]) if self._seqs else None

    def replace(self, seqs: array[int]) -> None:
        """Show others, from the first, as they are now."""
        self._seqs = array("Q", seqs)
        self._past.clear()
        self._top = self._cursor = 0
        self._show()

    def extend(self, seqs: array[int]) -> None:
        """Show more at the end; what is chosen stays."""
        in_sight = len(self._seqs) < self._top + self.size.height
        self._seqs.extend(seqs)
        if in_sight:
            self._show()

    def ends(self, direction: int) -> None:
        """Choose the first vote, or the last of those that are found."""
        self.go(direction * len(self._seqs))

    def _show(self) -> None:
        """Fetch what is in sight as well."""
        super()._show()
        in_sight = self._seqs[self._top : self._top + max(1, self.size.height)]
        if missing := [seq for seq in in_sight if seq not in self._past]:
            if len(self._past) > _MOST_KEPT:
                self._past.clear()
                missing = list(in_sight)
            self._past.update(self._fetch(missing))

    def render_line(self, y: int) -> Strip:
        """One vote, or a blank line."""
        width, place = self.size.width, self._top + y
        past = self._past.get(self._seqs[place]) if place < len(self._seqs) else None
        if past is None:
            return Strip.blank(width, self.palette.base)
        is_chosen = place == self._cursor
        text = ("▸ " if is_chosen else "  ") + self._line(past, width - 3)
        style = self.palette["found" if is_chosen else ""]
        return Strip([Segment(_padded(text, width), style)], width)

    def _line(self, past: Past, width: int) -> str:
        fate = "" if past.became == STANDS else f" ({past.became})"
        marks = f"{'⚑' if past.draft.flag else ' '}{'✎' if past.draft.note else ' '}"
        turn = f"turn {past.turn}: " if past.turn and past.turns > 1 else ""
        cells = [
            _padded(ago(past.at, self._clock()), _WHEN),
            _padded(said_of(past.seen) + fate, _VOTE_AND_FATE if self.every else _VOTE),
            marks,
        ]
        if width >= _WIDE or not self.every:
            size = 14 if width >= _WIDE else 10
            cells.append(_padded(one_line(past.category or "", size), size))
        before = _GAP.join(cells) + _GAP
        first = past.question.lstrip().partition("\n")[0]
        return before + one_line(turn + first, max(1, width - _cells(before)))


def _cells(text: str) -> int:
    return sum(map(cell_width, text))


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _cells(text))
