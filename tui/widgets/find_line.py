"""A line to type what is searched for. Keys that vote elsewhere are letters here."""

from __future__ import annotations

from textual import events
from textual.widgets import Static

from core.text import cell_width, displayable, one_line
from tui.widgets.lines import put

_LONGEST = 200
"""Characters of a needle; a pasted page is cut here."""

_NEEDLE = 24
"""Characters of a needle that are shown in any case."""


class FindLine(Static):
    """Edits a needle at its end; what is typed or pasted is shown inert.

    Its screen hands it every key while it is open. It never has the focus: that changes a few
    messages late, and of a word typed fast or pasted the first letters would vote.
    """

    DEFAULT_CSS = """
    FindLine { display: none; height: 1; padding: 0 1; background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self.value = ""
        self._count = ""

    def open(self) -> None:
        """Show the line, empty."""
        self.value = self._count = ""
        self.display = True
        self._show()

    def tell(self, count: str) -> None:
        """Say how many matches there are."""
        self._count = count
        self._show()

    def type(self, key: events.Key) -> bool:
        """Do what a key does in a line; whether the needle is another one now."""
        match key.key:
            case "backspace":
                return self._change(self.value[:-1])
            case "ctrl+u":
                return self._change("")
            case "ctrl+w":
                return self._change(self.value.rstrip().rpartition(" ")[0])
            case _ if key.character and key.is_printable:
                return self._change(self.value + key.character)
        return False

    def paste(self, text: str) -> bool:
        """Take the first line of a text; whether the needle is another one now."""
        return self._change(self.value + text.partition("\n")[0])

    def on_resize(self) -> None:
        self._show()

    def _change(self, value: str) -> bool:
        value = value[:_LONGEST]
        if value == self.value:
            return False
        self.value = value
        self._count = ""
        self._show()
        return True

    def _show(self) -> None:
        said = self._count or "Enter finds it, Esc leaves"
        kept = min(len(self.value), _NEEDLE)  # of a long count less is shown, so that this much is
        after = f"▏  {one_line(said, self.size.width - kept - 7)}"
        put(self, "/ " + _tail(self.value, self.size.width - len(after) - 4) + after)


def _tail(text: str, width: int) -> str:
    """The end of a text, displayable, in at most so many cells."""
    shown = displayable(text).replace("\t", " ").replace("\n", "⏎")
    begin, cells = len(shown), 0
    while begin and cells + cell_width(shown[begin - 1]) <= max(width, 1):
        begin -= 1
        cells += cell_width(shown[begin])
    return f"…{shown[begin + 1 :]}" if begin else shown
