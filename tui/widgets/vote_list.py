"""A list of votes, one a line, painted line by line: as fast with 20,000 as with 20."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from core.saying import said_of
from core.text import cell_width, one_line
from core.times import ago
from db.history import STANDS, Past
from tui.widgets.inked import Inked

_WHEN = 11
_VOTE = 12
_VOTE_AND_FATE = 25
_GAP = "  "
_WIDE = 100
_MOST_KEPT = 1000
"""Votes kept in memory; those beyond are fetched again when they come into sight."""


class VoteList(Inked, inherit_bindings=False):
    """Shows votes by their ``seq``; only those in sight are ever fetched.

    Args:
        fetch: looks votes up; one that it does not find is shown as a blank line.
        clock: tells the time, for how long ago each was.

    Attributes:
        every: whether votes that no longer stand are among them: there is room to say so then.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    VoteList { width: 1fr; height: 1fr; overflow: hidden hidden; }
    """

    class Moved(Message):
        """Another vote is the chosen one."""

    class Picked(Message):
        """The chosen vote was clicked."""

    def __init__(
        self,
        fetch: Callable[[Sequence[int]], Mapping[int, Past]],
        clock: Callable[[], datetime],
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id, markup=False)
        self._fetch = fetch
        self._clock = clock
        self.every = False
        self._seqs: array[int] = array("Q")
        self._past: dict[int, Past] = {}
        self._top = 0
        self._cursor = 0

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

    def go(self, steps: int) -> None:
        """Choose another vote, so many further down."""
        self._cursor = max(0, min(len(self._seqs) - 1, self._cursor + steps))
        self._show()

    def page(self, direction: int) -> None:
        """Choose the vote a page further."""
        self.go(direction * max(1, self.size.height - 1))

    def ends(self, direction: int) -> None:
        """Choose the first vote, or the last of those that are found."""
        self.go(direction * len(self._seqs))

    def on_resize(self) -> None:
        self._show()

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked; a click on what is chosen picks it."""
        event.stop()
        place = self._top + event.y
        if place == self._cursor and self._seqs:
            self.post_message(self.Picked())
        elif place < len(self._seqs):
            self.go(place - self._cursor)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.go(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.go(-3)

    def _show(self) -> None:
        """Bring the chosen vote in sight, fetch what is, and paint it."""
        height = max(1, self.size.height)
        self._top = min(max(self._top, self._cursor - height + 1), self._cursor)
        self._top = max(0, min(self._top, len(self._seqs) - height))
        in_sight = self._seqs[self._top : self._top + height]
        if missing := [seq for seq in in_sight if seq not in self._past]:
            if len(self._past) > _MOST_KEPT:
                self._past.clear()
                missing = list(in_sight)
            self._past.update(self._fetch(missing))
        self.refresh()
        self.post_message(self.Moved())

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
