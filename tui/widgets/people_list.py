"""A list of people, one a line, of which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip

from core.text import cell_width, one_line
from tui.widgets.cursor_list import CursorList


class PeopleList(CursorList, inherit_bindings=False):
    """Shows lines by the name that each is about; the chosen name stays chosen where it goes."""

    class Moved(CursorList.Moved):
        """Another person is the chosen one."""

    class Picked(CursorList.Picked):
        """The chosen person was clicked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names: list[str] = []
        self._lines: list[str] = []

    @property
    def count(self) -> int:
        """How many people are listed."""
        return len(self._names)

    @property
    def chosen(self) -> str | None:
        """The chosen name; None in an empty list."""
        return self._names[self._cursor] if self._names else None

    def show(self, people: Sequence[tuple[str, str]]) -> None:
        """Show these lines, each after the name that it is about."""
        chosen = self.chosen
        self._names = [name for name, _ in people]
        self._lines = [line for _, line in people]
        self._cursor = self._names.index(chosen) if chosen in self._names else 0
        self._show()

    def render_line(self, y: int) -> Strip:
        """One person, or a blank line."""
        width, place = self.size.width, self._top + y
        if place >= len(self._lines):
            return Strip.blank(width, self.palette.base)
        is_chosen = place == self._cursor
        text = one_line(("▸" if is_chosen else " ") + self._lines[place], width)
        text += " " * (width - sum(map(cell_width, text)))
        return Strip([Segment(text, self.palette["found" if is_chosen else ""])], width)
