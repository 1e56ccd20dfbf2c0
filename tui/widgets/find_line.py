"""A line to type what is searched for. Keys that vote elsewhere are letters here."""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.widgets import Static

from core.text import cell_width, displayable
from tui.widgets.lines import put

_LONGEST = 200
"""Characters of a needle; a pasted page is cut here."""


class FindLine(Static, can_focus=True):
    """Edits a needle at its end; what is typed or pasted is shown inert.

    While it has the focus it takes every key, so that nothing is voted by typing.
    """

    DEFAULT_CSS = """
    FindLine { display: none; height: 1; padding: 0 1; background: $panel; }
    """

    class Changed(Message):
        """Another needle stands in the line."""

        def __init__(self, value: str) -> None:
            super().__init__()
            self.value = value

    class Submitted(Message):
        """The needle is complete."""

    class Left(Message):
        """Nothing is to be searched for after all."""

    def __init__(self) -> None:
        super().__init__(markup=False)
        self.value = ""
        self._count = ""

    def open(self) -> None:
        """Show the line, empty, and take the keys."""
        self.value = self._count = ""
        self.display = True
        self._show()
        self.focus()

    def close(self) -> None:
        """Hide the line and give the keys back."""
        self.display = False
        self.screen.set_focus(None)

    def tell(self, count: str) -> None:
        """Say how many matches there are."""
        self._count = count
        self._show()

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        match event.key:
            case "escape":
                self.post_message(self.Left())
            case "enter":
                self.post_message(self.Submitted())
            case "backspace":
                self._change(self.value[:-1])
            case "ctrl+u":
                self._change("")
            case "ctrl+w":
                self._change(self.value.rstrip().rpartition(" ")[0])
            case _ if event.character and event.is_printable:
                self._change(self.value + event.character)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self._change(self.value + event.text.partition("\n")[0])

    def on_resize(self) -> None:
        self._show()

    def _change(self, value: str) -> None:
        value = value[:_LONGEST]
        if value != self.value:
            self.value = value
            self._count = ""
            self._show()
            self.post_message(self.Changed(value))

    def _show(self) -> None:
        after = f"▏  {self._count or 'Enter finds it, Esc leaves'}"
        put(self, "/ " + _tail(self.value, self.size.width - len(after) - 4) + after)


def _tail(text: str, width: int) -> str:
    """The end of a text, displayable, in at most so many cells."""
    shown = displayable(text).replace("\t", " ").replace("\n", "⏎")
    begin, cells = len(shown), 0
    while begin and cells + cell_width(shown[begin - 1]) <= max(width, 1):
        begin -= 1
        cells += cell_width(shown[begin])
    return f"…{shown[begin + 1 :]}" if begin else shown
