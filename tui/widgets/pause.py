"""A modal that hides everything while the clock is stopped."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.widgets.once import Once


class Paused(ModalScreen[None], Once[None]):
    """Hides the pair; any key or click goes back to it."""

    DEFAULT_CSS = """
    Paused {
        align: center middle;
        background: $background;
        Static { width: auto; height: auto; text-align: center; text-style: bold; }
    }
    """

    def compose(self) -> ComposeResult:
        yield Static("Paused: the clock is stopped.\n\nAny key goes on.", markup=False)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.dismiss(None)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.dismiss(None)
