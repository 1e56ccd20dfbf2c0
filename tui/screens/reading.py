"""Reading two answers, as actions of a screen: what the keys of that group do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual import events
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from core.text import one_line
from tui.widgets.blank import Blank
from tui.widgets.find_line import FindLine
from tui.widgets.lines import put
from tui.widgets.reader import Reader
from tui.widgets.reading_panes import ReadingPanes

if TYPE_CHECKING:
    from tui.actions import Action
    from tui.app import TiebreakApp


class ReadingScreen(Blank, Screen[None]):
    """A screen with :class:`ReadingPanes` on it. Reading keys do nothing while they are hidden."""

    AUTO_FOCUS = ""

    @property
    def panes(self) -> ReadingPanes:
        """The question and the two answers."""
        return self.query_one(ReadingPanes)

    @property
    def is_reading(self) -> bool:
        """Whether there is something to be read."""
        return self.panes.display

    def compose_said(self) -> Iterator[Widget]:
        """The line that says what happened, and in its place the one to search by."""
        yield FindLine()
        yield Static(classes="said", id="said", markup=False)

    def say(self, message: str, *, warning: bool = False) -> None:
        """Tell the reader something in one line; a warning gets as many as it needs."""
        line = self.query_one("#said", Static)
        line.set_class(warning, "-warning")
        if warning:
            line.update(one_line(message, 400))
        else:
            put(line, one_line(message, 200))

    def open_reference(self, references: Sequence[str | None]) -> None:
        """Show the reference answer for the turn that is looked at, if there is one."""
        looking = self.panes.looking
        text = references[looking - 1] if looking <= len(references) else None
        if text is None:
            self.say("There is no reference answer for this turn.")
        else:
            self.app.push_screen(Reader("Reference answer", text))

    def open_guidelines(self, text: str) -> None:
        """Show what the study asks to judge by."""
        if text:
            self.app.push_screen(Reader("What to judge by", text))
        else:
            self.say("This study has no guidelines.")

    def open_help(self, table: Sequence[Action], settings: Mapping[str, Any]) -> None:
        """Show the keys, and the guidelines.

        Args:
            table: the keys in effect.
            settings: the study's, as far as they hold for who reads.
        """
        from tui.help import help_text

        app: TiebreakApp = self.app  # type: ignore[assignment]
        text = help_text(table, app.offered(), settings, app.preferences.notices)
        self.app.push_screen(Reader("Help", text))

    @property
    def is_warning(self) -> bool:
        """Whether the last thing said was a warning."""
        return self.query_one("#said").has_class("-warning")

    def on_reading_panes_said(self, message: ReadingPanes.Said) -> None:
        message.stop()
        line = self.query_one(FindLine)
        if line.display:
            line.tell(message.text)
        else:
            self.say(message.text)

    def action_scroll(self, lines: int) -> None:
        """Scroll what is aimed at."""
        if self.is_reading:
            self.panes.scroll(lines)

    def action_page(self, direction: int) -> None:
        """Page what is aimed at."""
        if self.is_reading:
            self.panes.page(direction)

    def action_ends(self, direction: int) -> None:
        """Go to the start or the end of what is aimed at."""
        if self.is_reading:
            self.panes.ends(direction)

    def action_aim(self) -> None:
        """Aim the scrolling at the next pane."""
        if self.is_reading:
            self.panes.aim()

    def action_zoom(self) -> None:
        """Show one answer at full width, the other, or both."""
        if self.is_reading:
            self.panes.zoom()

    def action_raw(self) -> None:
        """Switch between rendered text and source."""
        if self.is_reading:
            self.panes.raw()

    def action_turn(self, step: int) -> None:
        """Look at another turn; the vote stays on its own."""
        if self.is_reading:
            self.panes.turn(step)

    def action_jump(self, kind: str, direction: int) -> None:
        """Go to the next or the previous heading or code."""
        if self.is_reading:
            self.panes.jump(kind, direction)

    def action_lock(self) -> None:
        """Scroll both answers together, or each alone."""
        if self.is_reading:
            self.panes.toggle_lock()

    def action_arrange(self) -> None:
        """Lay the answers out in another way."""
        if self.is_reading:
            self.panes.rearrange()

    def action_differences(self) -> None:
        """Mark the words that the other answer has not, or no longer."""
        if self.is_reading:
            self.panes.differences()

    def action_find(self) -> None:
        """Open the line to search by."""
        if self.is_reading:
            self.query_one("#said").display = False
            self.query_one(FindLine).open()

    def action_match(self, direction: int) -> None:
        """Go to the next or the previous match."""
        if self.is_reading:
            self.panes.next_match(direction)

    def action_end_find(self) -> None:
        """Go back to where was read before something was searched for."""
        self._end_find()

    def _end_find(self) -> None:
        if self.is_reading and self.panes.end_find():
            self.say("Back where you were.")

    def on_key(self, event: events.Key) -> None:
        """Hand every key to the line to search by while it is open.

        What opens it is done here too: as an action it would come after keys typed behind it.
        """
        line = self.query_one(FindLine)
        if line.display:
            event.stop()
            event.prevent_default()
            if event.key in ("enter", "escape"):
                self._close_find(event.key == "enter")
            elif line.type(event):
                self.panes.find(line.value)
        elif self.opens_find(event.key):
            event.stop()
            event.prevent_default()
            self.action_find()

    def opens_find(self, key: str) -> bool:
        """Whether a key opens the line to search by."""
        return any(b.action == "find" for b in self._bindings.key_to_bindings.get(key, ()))

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        line = self.query_one(FindLine)
        if line.display and line.paste(event.text):
            self.panes.find(line.value)

    def put_find_away(self) -> None:
        """Close the line to search by, if it is open; what is found stays marked."""
        self.query_one(FindLine).display = False
        self.query_one("#said").display = True

    def _close_find(self, wanted: bool) -> None:
        self.put_find_away()
        if wanted:
            self.panes.next_match(1)
        else:
            self.say("")
            self._end_find()
