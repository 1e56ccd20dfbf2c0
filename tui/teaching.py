"""Teaching back: a ruling goes, with its reason, to those who practise or want to be let in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from core.errors import TiebreakError
from core.records import LessonUse
from tui.actions import TEACH
from tui.ruling_desk import Desk
from tui.screens import take_keys
from tui.widgets.key_bar import KeyBar
from tui.widgets.once import Once

_QUESTION = (
    "What is this ruling to teach? Annotators read your reason with it: it should name neither "
    "A and B nor left and right, since each of them gets another order."
)
_SAID = {
    LessonUse.PRACTICE: "practice lesson",
    LessonUse.QUALIFICATION: "check that lets people in",
}


class Teaching(ModalScreen[LessonUse | None], Once[LessonUse | None]):
    """Asks what a ruling is to teach; closes with the use, or with None."""

    DEFAULT_CSS = """
    Teaching {
        align: center middle;
        background: $background 60%;
        Vertical { width: 64; max-width: 100%; height: auto; background: $surface; padding: 1 2; }
        #teaching-question { height: auto; margin-bottom: 1; }
    }
    """

    def compose(self) -> ComposeResult:
        table = take_keys(self, TEACH)
        with Vertical():
            yield Static(_QUESTION, id="teaching-question", markup=False)
            yield KeyBar(table)

    def action_choose(self, use: str) -> None:
        """Close with a use."""
        self.dismiss(LessonUse(use))

    def action_close(self) -> None:
        """Close with none."""
        self.dismiss(None)


def teach(
    screen: Screen[Any],
    desk: Desk,
    key: str,
    say: Callable[[str], None],
    refused: Callable[[TiebreakError], None],
) -> None:
    """Ask what a ruling is to teach, and have it taught.

    Args:
        key: the case's; this lead has ruled on it.
        say: told what came of it.
        refused: told why it cannot be taught.
    """

    def chosen(use: LessonUse | None) -> None:
        if use is None:
            say("Nothing was taught.")
            return

        def taught(is_new: bool) -> None:
            say(f"✓ A {_SAID[use]} now." if is_new else f"It is a {_SAID[use]} already.")

        desk.teach(key, use, taught, refused)

    screen.app.push_screen(Teaching(), chosen)
