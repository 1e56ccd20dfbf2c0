"""Reading two answers, as actions of a screen: what the keys of that group do."""

from __future__ import annotations

from textual.screen import Screen

from tui.widgets.reading_panes import ReadingPanes


class ReadingScreen(Screen[None]):
    """A screen with :class:`ReadingPanes` on it. Reading keys do nothing while they are hidden."""

    @property
    def panes(self) -> ReadingPanes:
        """The question and the two answers."""
        return self.query_one(ReadingPanes)

    @property
    def is_reading(self) -> bool:
        """Whether there is something to be read."""
        return self.panes.display

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
