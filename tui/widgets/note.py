"""A modal to write a note in. Keys that vote elsewhere are letters here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Static, TextArea

if TYPE_CHECKING:
    from tui.app import TiebreakApp

_KEEP_AFTER = 0.5
"""Seconds of silence after which what is typed is kept, so that a dropped line loses little."""


class NoteModal(ModalScreen[None]):
    """Lets an annotator write; Esc keeps what is there and goes back.

    Args:
        keep: stores the note as it stands.
    """

    BINDINGS = [Binding("escape", "close", "keep and go back", show=False, priority=True)]
    DEFAULT_CSS = """
    NoteModal {
        align: center middle;
        #note-title { width: 80%; height: 1; padding: 0 1; background: $panel; text-style: bold; }
        #note-text { width: 80%; height: 60%; border: none; }
        #note-keys { width: 80%; height: 1; padding: 0 1; background: $panel; color: $text-muted; }
    }
    """

    def __init__(self, note: str, keep: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note
        self._keep = keep
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static("Note on this pair", id="note-title", markup=False)
        yield TextArea(self._note, id="note-text", show_line_numbers=False, soft_wrap=True)
        yield Static("Esc keeps the note and goes back", id="note-keys", markup=False)

    def on_mount(self) -> None:
        self._timer = self.set_timer(_KEEP_AFTER, self._keep_now, pause=True)
        app: TiebreakApp = self.app  # type: ignore[assignment]
        app.before_leaving.insert(0, self._keep_now)
        area = self.query_one("#note-text", TextArea)
        area.move_cursor(area.document.end)
        area.focus()

    def on_unmount(self) -> None:
        app: TiebreakApp = self.app  # type: ignore[assignment]
        app.before_leaving.remove(self._keep_now)

    def on_text_area_changed(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_KEEP_AFTER, self._keep_now)

    def _keep_now(self) -> None:
        note = self.query_one("#note-text", TextArea).text
        if note != self._note:
            self._note = note
            self._keep(note)

    def action_close(self) -> None:
        """Keep the note and go back."""
        self._keep_now()
        self.dismiss(None)
