"""Rows of numbers of which one is chosen, by row and within it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color
from textual.message import Message
from textual.strip import Strip

from core.text import cell_width
from tui.widgets.inked import Inked

if TYPE_CHECKING:
    from tui.dashboard.rows import Key, Row

_DEEPEST = 0.55
"""How much of the theme's colour the highest number's ground takes on: text stays readable."""


class SpotList(Inked, inherit_bindings=False):
    """Shows rows; the chosen number stays chosen, and in sight, where it goes."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    SpotList { width: 1fr; height: 1fr; overflow: hidden hidden; padding: 0 1; }
    """

    class Moved(Message):
        """Another number may be the chosen one."""

    class Picked(Message):
        """The chosen number was clicked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._rows: Sequence[Row] = ()
        self._places: list[tuple[int, int]] = []  # row and spot of each number, in reading order
        self._chosen = 0
        self._top = 0

    @property
    def chosen(self) -> Key | None:
        """The chosen number's name; None where there is none."""
        if not self._places:
            return None
        row, spot = self._places[self._chosen]
        return self._rows[row].spots[spot].key

    @property
    def place(self) -> str:
        """Which rows are in sight, where not all are: ``rows 1–17 of 42``."""
        bottom = self._top + self.size.height
        if self._top == 0 and bottom >= len(self._rows):
            return ""
        return f"rows {self._top + 1:,}–{min(bottom, len(self._rows)):,} of {len(self._rows):,}"

    @property
    def text(self) -> str:
        """All rows, whether in sight or not."""
        return "\n".join(row.text for row in self._rows)

    def show(self, rows: Sequence[Row], *, keep: bool = True) -> None:
        """Show these rows.

        Args:
            keep: whether the chosen number and the place stay, as far as they are still there.
        """
        chosen = self.chosen if keep else None
        self._rows = rows
        self._places = [
            (number, spot) for number, row in enumerate(rows) for spot in range(len(row.spots))
        ]
        self._chosen = 0
        for place, (number, spot) in enumerate(self._places):
            if rows[number].spots[spot].key == chosen:
                self._chosen = place
                break
        if not keep:
            self._top = 0
        self._settle(follow=keep and chosen is not None)

    def go(self, steps: int) -> None:
        """Choose the number so many rows further, as near as may be to the same column."""
        if not self._places:
            self.scroll_rows(steps)
            return
        row, spot = self._places[self._chosen]
        column = self._rows[row].spots[spot].start
        rows = sorted({number for number, _ in self._places})
        at = rows.index(row) + steps
        if at < 0:
            self._top = 0  # what stands above the first number is in sight again
        wanted = rows[max(0, min(len(rows) - 1, at))]
        if wanted == row:
            self.scroll_rows(steps)
            return
        spots = self._rows[wanted].spots
        nearest = min(range(len(spots)), key=lambda place: abs(spots[place].start - column))
        self._chosen = self._places.index((wanted, nearest))
        self._settle(follow=True)

    def across(self, steps: int) -> None:
        """Choose the number so many further, in reading order."""
        if self._places:
            self._chosen = max(0, min(len(self._places) - 1, self._chosen + steps))
            self._settle(follow=True)

    def page(self, direction: int) -> None:
        """Go a page further, and choose the first number in sight there."""
        self.scroll_rows(direction * max(1, self.size.height - 1))
        in_sight = [
            place
            for place, (row, _) in enumerate(self._places)
            if self._top <= row < self._top + self.size.height
        ]
        if in_sight and self._chosen not in in_sight:
            self._chosen = in_sight[0] if direction > 0 else in_sight[-1]
            self._settle(follow=False)

    def scroll_rows(self, steps: int) -> None:
        """Move what is in sight."""
        self._top += steps
        self._settle(follow=False)

    def on_resize(self) -> None:
        self._settle(follow=True)

    def on_click(self, event: events.Click) -> None:
        """Choose the number that was clicked; a click on the chosen one picks it."""
        event.stop()
        row, column = self._top + event.y, event.x - 1
        for place, (number, spot) in enumerate(self._places):
            where = self._rows[number].spots[spot]
            if number == row and where.start <= column < where.end:
                if place == self._chosen:
                    self.post_message(self.Picked())
                self._chosen = place
                self._settle(follow=False)
                return

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(-3)

    def _settle(self, *, follow: bool) -> None:
        """Keep within what there is, the chosen number in sight if asked, and paint."""
        height = max(1, self.size.height)
        if follow and self._places:
            row = self._places[self._chosen][0]
            if self._chosen == 0 and row < height:
                self._top = 0  # the headings above the first number belong to it
            self._top = min(max(self._top, row - height + 1), row)
        self._top = max(0, min(self._top, len(self._rows) - height))
        self.refresh()
        self.post_message(self.Moved())

    def render_line(self, y: int) -> Strip:
        """One row, its shades and the chosen number marked."""
        width, number = self.size.width, self._top + y
        base = self.palette.base
        if number >= len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[number]
        styles = [self._look(row.look)] * len(row.text)
        starts = _columns(row.text)
        for shade in row.shades:
            self._lay(styles, starts, shade.start, shade.end, self._shade(shade.depth))
        if self._places and self._places[self._chosen][0] == number:
            spot = row.spots[self._places[self._chosen][1]]
            self._lay(styles, starts, spot.start, spot.end, Style(reverse=True, bold=True))
        segments = _runs(row.text, styles)
        return Strip(segments).adjust_cell_length(width, base)

    def _look(self, look: str) -> Style:
        return self.palette[{"head": "heading", "quiet": "label"}.get(look, "")]

    @staticmethod
    def _lay(styles: list[Style], starts: list[int], start: int, end: int, more: Style) -> None:
        for place, column in enumerate(starts):
            if start <= column < end:
                styles[place] = styles[place] + more

    def _shade(self, depth: float) -> Style:
        """A ground that takes on more of the theme's colour the higher a number is."""
        if self.app.ansi_color:
            return Style.null()  # 16 colours cannot be mixed: the number and its word say it
        ground = self.background_colors[1]
        mixed = ground + Color.parse(self.app.theme_variables["primary"]).with_alpha(
            _DEEPEST * max(0.0, min(1.0, depth))
        )
        return Style(bgcolor=mixed.rich_color)


def _columns(text: str) -> list[int]:
    """The cell that each character begins in."""
    columns, at = [], 0
    for character in text:
        columns.append(at)
        at += cell_width(character)
    return columns


def _runs(text: str, styles: Sequence[Style]) -> list[Segment]:
    """The text as runs of one style each."""
    runs: list[Segment] = []
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or styles[place] != styles[start]:
            runs.append(Segment(text[start:place], styles[start]))
            start = place
    return runs
