"""A modal for a window in which nothing can be read."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

SMALLEST = Size(40, 12)
"""Columns and rows in which the screens still work."""


def is_too_small(size: Size) -> bool:
    """Whether a window of that size shows too little to vote on."""
    return size.width < SMALLEST.width or size.height < SMALLEST.height


class TooSmall(ModalScreen[None]):
    """Says so, and takes no key: nobody votes on what cannot be seen."""

    DEFAULT_CSS = """
    TooSmall {
        align: center middle;
        background: $background;
        Static { width: 100%; height: auto; text-align: center; }
    }
    """

    def compose(self) -> ComposeResult:
        yield Static(id="too-small", markup=False)

    def on_resize(self) -> None:
        size = self.size
        self.query_one("#too-small", Static).update(
            f"Too small: {size.width}×{size.height}. "
            f"Make it {SMALLEST.width}×{SMALLEST.height} or more. Ctrl+Q quits."
        )
