"""A modal to write a note in. Keys that vote elsewhere are letters here."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Static

from core.text import displayable
from tui.widgets.lines import put
from tui.widgets.once import Once
from tui.widgets.verbatim_area import HIDDEN, VerbatimArea

_KEEP_AFTER = 0.5
"""Seconds of silence after which what is typed is kept, so that a dropped line loses little."""

_TITLE = "Note on this pair"
_KEYS = "Esc keeps the note and goes back"
_BEFORE = "Your reason before (Ctrl+T takes it again):"


class NoteModal(ModalScreen[None], Once[None]):
    """Lets an annotator write; Esc keeps what is there and goes back.

    Args:
        typed: takes over the note as it stands, at each key.
        keep: stores it; returns what is in the way, in words, or nothing.
        title: what is written here, and on what.
        keys: what its key does.
        before: what was written at another time; it is shown above, and a key takes it again.
    """

    BINDINGS = [
        Binding("escape", "close", "keep and go back", show=False, priority=True),
        Binding("ctrl+t", "take", "take the text above", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    NoteModal {
        align: center middle;
        #note-title { width: 80%; height: 1; padding: 0 1; background: $panel; text-style: bold; }
        #note-before {
            width: 80%; height: auto; max-height: 30%; padding: 0 1;
            background: $surface; color: $text-muted;
        }
        #note-text { width: 80%; height: 60%; border: none; }
        #note-keys {
            width: 80%; height: auto; padding: 0 1; background: $panel; color: $text-muted;
        }
    }
    """

    def __init__(
        self,
        note: str,
        typed: Callable[[str], None],
        keep: Callable[[str], str],
        *,
        title: str = _TITLE,
        keys: str = _KEYS,
        before: str = "",
    ) -> None:
        super().__init__()
        self._title = title
        self._keys = keys
        self._note = note
        self._before = before
        self._typed = typed
        self._keep = keep
        self._timer: Timer | None = None
        self._refused = ""

    def compose(self) -> ComposeResult:
        yield Static(self._title, id="note-title", markup=False)
        if self._before:
            shown = displayable(self._before)
            yield Static(f"{_BEFORE}\n{shown}", id="note-before", markup=False)
        yield VerbatimArea(self._note, id="note-text")
        yield Static(self._keys, id="note-keys", markup=False)

    def on_mount(self) -> None:
        self._timer = self.set_timer(_KEEP_AFTER, self._keep_now, pause=True)
        area = self._area()
        area.move_cursor(area.document.end)
        area.focus()
        self._tell_hidden()

    def on_text_area_changed(self) -> None:
        self._typed(self._area().verbatim)
        if not self._refused:
            self._tell_hidden()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_KEEP_AFTER, self._keep_now)

    def _area(self) -> VerbatimArea:
        return self.query_one("#note-text", VerbatimArea)

    def _tell_hidden(self) -> None:
        """Say what a box stands for, where there is one."""
        more = f"   {HIDDEN} a hidden character, kept as it is" if self._area().hides else ""
        put(self.query_one("#note-keys", Static), self._keys + more)

    def _keep_now(self) -> None:
        note = self._area().verbatim
        if note != self._note or self._refused:
            self._note = note
            self._refused = self._keep(note)
            if self._refused:
                self.tell(self._refused)
            else:
                self._tell_hidden()

    def tell(self, message: str) -> None:
        """Say something below the note."""
        put(self.query_one("#note-keys", Static), message)

    def action_take(self) -> None:
        """Write what was written before where the cursor is."""
        if self._before:
            self._area().insert(self._before)

    def action_close(self) -> None:
        """Keep the note and go back."""
        self._keep_now()
        self.dismiss(None)
