"""A question that is answered with yes or no before anything is done."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import CONFIRM
from tui.screens import take_keys
from tui.widgets.key_bar import KeyBar
from tui.widgets.once import Once


class Confirm(ModalScreen[bool], Once[bool]):
    """Asks; closes with whether the answer was yes."""

    DEFAULT_CSS = """
    Confirm {
        align: center middle;
        background: $background 60%;
        Vertical { width: 64; max-width: 100%; height: auto; background: $surface; padding: 1 2; }
        #confirm-question { height: auto; margin-bottom: 1; }
    }
    """

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        table = take_keys(self, CONFIRM)
        with Vertical():
            yield Static(self._question, id="confirm-question", markup=False)
            yield KeyBar(table)

    def action_answer(self, is_yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(is_yes)
