"""A list of cases, one a line, painted line by line: as fast with 20,000 as with 20."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip

from core.text import cell_width, one_line
from tui.ruling_lines import WAITS, row_line
from tui.widgets.cursor_list import CursorList

if TYPE_CHECKING:
    from core.adjudication.case import Row


class CaseList(CursorList, inherit_bindings=False):
    """Shows cases; the chosen one stays chosen where it goes."""

    class Moved(CursorList.Moved):
        """Another case may be the chosen one."""

    class Picked(CursorList.Picked):
        """The chosen case was clicked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: Sequence[Row] = ()
        self._questions: Mapping[tuple[str, int], str] = {}

    @property
    def count(self) -> int:
        """How many cases are listed."""
        return len(self._rows)

    @property
    def cursor(self) -> int:
        """The place of the chosen case, from 0."""
        return self._cursor

    @property
    def chosen(self) -> Row | None:
        """The chosen case; None in an empty list."""
        return self._rows[self._cursor] if self._cursor < len(self._rows) else None

    def show(
        self,
        rows: Sequence[Row],
        questions: Mapping[tuple[str, int], str],
        *,
        anew: bool = False,
    ) -> None:
        """List these.

        Args:
            questions: how each question begins, by its key and the turn.
            anew: choose the one that this lead left open, or the first that waits; else the
                chosen case stays chosen, or what took its place.
        """
        chosen = self.chosen
        self._rows, self._questions = rows, questions
        if anew or chosen is None:
            states = [row.state for row in rows]
            places = (states.index(state) for state in WAITS if state in states)
            self._cursor, self._top = next(places, 0), 0
        else:
            place = (n for n, row in enumerate(rows) if row.key == chosen.key)
            self._cursor = next(place, min(self._cursor, max(0, len(rows) - 1)))
        self._show()

    def question(self, row: Row) -> str:
        """How a case's question begins; its key where the text is not known."""
        return self._questions.get((row.question, row.turn), row.question)

    def ends(self, direction: int) -> None:
        """Choose the first case or the last."""
        self.go(direction * len(self._rows))

    def render_line(self, y: int) -> Strip:
        """One case, or a blank line."""
        width, place = self.size.width, self._top + y
        if place >= len(self._rows):
            return Strip.blank(width, self.palette.base)
        is_chosen = place == self._cursor
        row = self._rows[place]
        line = row_line(row, self.question(row), width - 2)
        text = one_line(("▸" if is_chosen else " ") + line, width)
        text += " " * (width - sum(map(cell_width, text)))
        return Strip([Segment(text, self.palette["found" if is_chosen else ""])], width)
