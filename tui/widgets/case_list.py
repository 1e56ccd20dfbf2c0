"""A list of cases, one a line, painted line by line: as fast with 300,000 as with 20."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip

from core.adjudication.case import Order
from core.text import cell_width, one_line
from tui.ruling_lines import row_line
from tui.widgets.cursor_list import CursorList

if TYPE_CHECKING:
    from core.adjudication.case import Row

Fetched = tuple[Sequence["Row"], Mapping[tuple[str, int], str]]
"""Cases, and how each question begins, by its key and the turn."""


class CaseList(CursorList, inherit_bindings=False):
    """Shows cases by their place; only those in sight are ever fetched.

    Args:
        fetch: looks up the cases from one place up to another.

    Attributes:
        order: by what they are listed, whose column is always shown.
    """

    class Moved(CursorList.Moved):
        """Another case may be the chosen one."""

    class Picked(CursorList.Picked):
        """The chosen case was clicked."""

    def __init__(self, fetch: Callable[[int, int], Fetched], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.order = Order.RANKING
        self._fetch = fetch
        self._count = 0
        self._start = 0
        self._rows: Sequence[Row] = ()
        self._questions: Mapping[tuple[str, int], str] = {}

    @property
    def count(self) -> int:
        """How many cases are listed."""
        return self._count

    @property
    def cursor(self) -> int:
        """The place of the chosen case, from 0."""
        return self._cursor

    @property
    def chosen(self) -> Row | None:
        """The chosen case; None in an empty list."""
        return self._row(self._cursor)

    def replace(self, count: int, cursor: int, *, anew: bool = False) -> None:
        """List others, of which one is chosen.

        Args:
            anew: begin with the first; else the chosen one stays in its line where it can.
        """
        line = 0 if anew else self._cursor - self._top
        self._count, self._rows = count, ()
        self._cursor = max(0, min(cursor, count - 1))
        self._top = 0 if anew else max(0, self._cursor - line)
        self._show()

    def question(self, row: Row) -> str:
        """How a case's question begins; its key where the text is not known."""
        return self._questions.get((row.question, row.turn), row.question)

    def ends(self, direction: int) -> None:
        """Choose the first case or the last."""
        self.go(direction * self._count)

    def _show(self) -> None:
        """Fetch what is in sight as well."""
        super()._show()
        start, stop = self._top, min(self._count, self._top + max(1, self.size.height))
        if start < self._start or stop > self._start + len(self._rows):
            # A screenful on either side: going line by line fetches once a screen.
            margin = stop - start
            start, stop = max(0, start - margin), min(self._count, stop + margin)
            self._start, (self._rows, self._questions) = start, self._fetch(start, stop)

    def _row(self, place: int) -> Row | None:
        place -= self._start
        return self._rows[place] if 0 <= place < len(self._rows) else None

    def render_line(self, y: int) -> Strip:
        """One case, or a blank line."""
        width, place = self.size.width, self._top + y
        row = self._row(place)
        if row is None:
            return Strip.blank(width, self.palette.base)
        is_chosen = place == self._cursor
        line = row_line(row, self.question(row), self.order, width - 2)
        text = one_line(("▸" if is_chosen else " ") + line, width)
        text += " " * (width - sum(map(cell_width, text)))
        return Strip([Segment(text, self.palette["found" if is_chosen else ""])], width)
