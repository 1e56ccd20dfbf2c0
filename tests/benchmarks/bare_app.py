"""The baseline screen: a bare Textual app with header, footer and two plain panes.

Each holds 2 KB, or as many characters as the command line says.
"""

from __future__ import annotations

import sys
from random import Random
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Footer, Header, Static

WORDS = "the answer goes on about what was asked and then says a little more of it".split()


class BareApp(App[None]):
    """Swaps both panes at the press of 1."""

    CSS = "Static { width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [("1", "swap", "swap"), ("ctrl+q", "quit", "quit")]

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = length
        self._count = 0

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal():
            yield Static(self._text(), id="left")
            yield Static(self._text(), id="right")
        yield Footer()

    def _text(self) -> str:
        """Another text each time, as the next pair's is."""
        self._count += 1
        random = Random(self._count)
        return " ".join(random.choices(WORDS, k=self._length // 4))[: self._length]

    def action_swap(self) -> None:
        self.query_one("#left", Static).update(self._text())
        self.query_one("#right", Static).update(self._text())


if __name__ == "__main__":
    BareApp(int(sys.argv[1]) if len(sys.argv) > 1 else 2000).run()
