"""A list of people, one a line, of which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from core.text import cell_width, one_line
from tui.widgets.inked import Inked


class PeopleList(Inked, inherit_bindings=False):
    """Shows lines by the name that each is about; the chosen name stays chosen where it goes."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    PeopleList { width: 1fr; height: 1fr; overflow: hidden hidden; }
    """

    class Moved(Message):
        """Another person is the chosen one."""

    class Picked(Message):
        """The chosen person was clicked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._names: list[str] = []
        self._lines: list[str] = []
        self._top = 0
        self._cursor = 0

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

    def go(self, steps: int) -> None:
        """Choose another person, so many further down."""
        self._cursor = max(0, min(len(self._names) - 1, self._cursor + steps))
        self._show()
        self.post_message(self.Moved())

    def page(self, direction: int) -> None:
        """Choose the person a page further."""
        self.go(direction * max(1, self.size.height - 1))

    def on_resize(self) -> None:
        self._show()

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked; a click on what is chosen picks it."""
        event.stop()
        place = self._top + event.y
        if place == self._cursor and self._names:
            self.post_message(self.Picked())
        elif place < len(self._names):
            self.go(place - self._cursor)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.go(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.go(-3)

    def _show(self) -> None:
        """Bring the chosen person in sight and paint."""
        height = max(1, self.size.height)
        self._top = min(max(self._top, self._cursor - height + 1), self._cursor)
        self._top = max(0, min(self._top, len(self._names) - height))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One person, or a blank line."""
        width, place = self.size.width, self._top + y
        if place >= len(self._lines):
            return Strip.blank(width, self.palette.base)
        is_chosen = place == self._cursor
        text = one_line(("▸" if is_chosen else " ") + self._lines[place], width)
        text += " " * (width - sum(map(cell_width, text)))
        return Strip([Segment(text, self.palette["found" if is_chosen else ""])], width)
