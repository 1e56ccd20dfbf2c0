"""A modal that shows one text to be read: help, guidelines, a reference answer."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import MODAL
from tui.screens import take_keys
from tui.widgets.answer_view import AnswerView
from tui.widgets.key_bar import KeyBar
from tui.widgets.once import Once


class Reader(ModalScreen[None], Once[None]):
    """Shows a text over the whole screen, and leaves what is below where it was.

    Args:
        leads_on: whether something new comes after it, which its footer then says.
        is_raw: whether the text stands as it is; Markdown otherwise.
    """

    DEFAULT_CSS = """
    Reader {
        align: center middle;
        background: $background;
        #reader-title { height: 1; padding: 0 1; background: $panel; text-style: bold; }
        #reader-text { width: 100%; max-width: 110; height: 1fr; background: $surface; }
    }
    """

    def __init__(
        self, title: str, text: str, *, leads_on: bool = False, is_raw: bool = False
    ) -> None:
        super().__init__()
        self._is_raw = is_raw
        self._leads_on = leads_on
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        yield Static(self._title, id="reader-title", markup=False)
        yield AnswerView(self._text, id="reader-text")  # it is there in the first paint already
        table = take_keys(self, MODAL)
        if self._leads_on:
            table = tuple(replace(a, label="go on") if a.id == "back" else a for a in table)
        yield KeyBar(table)

    def on_mount(self) -> None:
        self._view().raw = self._is_raw

    def _view(self) -> AnswerView:
        return self.query_one("#reader-text", AnswerView)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Scroll the text."""
        self._view().scroll_by(lines)

    def action_page(self, direction: int) -> None:
        """Page the text."""
        self._view().page(direction)
