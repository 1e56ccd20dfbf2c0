"""A list of which each line is about something that has a name, and one is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip

from core.text import cell_width, one_line
from tui.widgets.cursor_list import CursorList


class NamedList(CursorList, inherit_bindings=False):
    """Shows lines by the name that each is about; the chosen name stays chosen where it goes.

    Attributes:
        aimed: whether keys go here; the chosen line of a list that has no keys is only marked.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.aimed = True
        self._names: list[str] = []
        self._lines: list[str] = []
        self._painted: list[tuple[str, bool]] = []

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._names)

    @property
    def chosen(self) -> str | None:
        """The chosen name; None in an empty list."""
        return self._names[self._cursor] if self._names else None

    def show(self, lines: Sequence[tuple[str, str]]) -> None:
        """Show these lines, each after the name that it is about."""
        chosen = self.chosen
        self._names = [name for name, _ in lines]
        self._lines = [line for _, line in lines]
        self._cursor = self._names.index(chosen) if chosen in self._names else 0
        self._show()

    def aim(self, aimed: bool) -> None:
        """Have the keys, or have them no longer."""
        self.aimed = aimed
        self._show()

    def _paint(self) -> None:
        """Paint what looks otherwise than before: a line that moves costs no more than itself."""
        size = self.size
        before, self._painted = self._painted, [self._look(y) for y in range(size.height)]
        if len(before) != len(self._painted):
            self.refresh()
            return
        changed = [y for y, look in enumerate(self._painted) if look != before[y]]
        if changed:
            self.refresh(*(Region(0, y, size.width, 1) for y in changed))

    def _look(self, y: int) -> tuple[str, bool]:
        """A row's text, and whether it is the chosen one that has the keys."""
        width, place = self.size.width, self._top + y
        if place >= len(self._lines):
            return "", False
        is_chosen = place == self._cursor
        text = one_line(("▸" if is_chosen else " ") + self._lines[place], width)
        return text + " " * (width - sum(map(cell_width, text))), is_chosen and self.aimed

    def render_line(self, y: int) -> Strip:
        """One line, or a blank one."""
        text, is_aimed = self._look(y)
        if not text:
            return Strip.blank(self.size.width, self.palette.base)
        return Strip([Segment(text, self.palette["found" if is_aimed else ""])], self.size.width)
