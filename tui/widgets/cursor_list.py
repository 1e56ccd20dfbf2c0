"""A list painted line by line, of which one line is chosen."""

from __future__ import annotations

from textual import events
from textual.message import Message

from tui.widgets.inked import Inked


class CursorList(Inked, inherit_bindings=False):
    """Keeps the chosen line in sight; what the lines are and say is for its subclasses.

    Each subclass has messages of its own, so that a screen can tell two lists apart.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    CursorList { width: 1fr; height: 1fr; overflow: hidden hidden; }
    """

    class Moved(Message):
        """Another line may be the chosen one."""

    class Picked(Message):
        """The chosen line was clicked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._top = 0
        self._cursor = 0

    @property
    def count(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def go(self, steps: int) -> None:
        """Choose another line, so many further down."""
        self._cursor = max(0, min(self.count - 1, self._cursor + steps))
        self._show()

    def page(self, direction: int) -> None:
        """Choose the line a page further."""
        self.go(direction * max(1, self.size.height - 1))

    def on_resize(self) -> None:
        self._show()

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked; a click on what is chosen picks it."""
        event.stop()
        place = self._top + event.y
        if place == self._cursor and self.count:
            self.post_message(self.Picked())
        elif place < self.count:
            self.go(place - self._cursor)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.go(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.go(-3)

    def _show(self) -> None:
        """Bring the chosen line in sight, paint, and say so."""
        height = max(1, self.size.height)
        self._top = min(max(self._top, self._cursor - height + 1), self._cursor)
        self._top = max(0, min(self._top, self.count - height))
        self._paint()
        self.post_message(self.Moved())

    def _paint(self) -> None:
        self.refresh()
