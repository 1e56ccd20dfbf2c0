"""Reading what others said beside the two answers, as actions of a screen."""

from __future__ import annotations

from textual import events
from textual.css.scalar import Unit

from tui.screens.reading import ReadingScreen
from tui.widgets.opinions import Opinions


class OpinionScreen(ReadingScreen):
    """A reading screen with :class:`Opinions`, which keys scroll and enlarge too.

    Both stand in a container called ``case``; its class ``-beside`` sets them side by side.

    Attributes:
        share: below the answers, the opinions take one row in so many at most.
    """

    share = 5

    @property
    def opinions(self) -> Opinions:
        """What others said."""
        return self.query_one(Opinions)

    def fit_opinions(self) -> None:
        """Below the answers, give the opinions the rows that they need, up to a share of all."""
        case, opinions = self.query_one("#case"), self.opinions
        is_column = case.has_class("-beside") or case.has_class("-opinions")
        rows = None if is_column else opinions.rows(max(3, self.size.height // self.share))
        height = opinions.view.styles.height
        if rows is None:
            opinions.view.styles.height = "1fr"
        elif height is None or height.value != rows or height.unit is not Unit.CELLS:
            opinions.view.styles.height = rows

    def action_aim(self) -> None:
        """Aim the scrolling at the next pane; the opinions come after the question."""
        if not self.is_reading:
            return
        if self.opinions.aimed:
            self.aim_at_opinions(False)
            self.panes.aim()
        elif self.panes.aims_at_question:
            self.aim_at_opinions(True)
            self.say("Scrolling: the opinions.")
        else:
            self.panes.aim()

    def aim_at_opinions(self, aimed: bool) -> None:
        self.opinions.aim(aimed)
        self.panes.aim_elsewhere(aimed)
        if not aimed:
            self._enlarge(False)

    def action_zoom(self) -> None:
        """Show one answer at full width, the other, or both; the opinions where they are aimed."""
        if self.opinions.aimed:
            self._enlarge(not self.query_one("#case").has_class("-opinions"))
        else:
            super().action_zoom()

    def _enlarge(self, is_large: bool) -> None:
        """Give the opinions the place of the answers, or no longer."""
        if self.query_one("#case").has_class("-opinions") != is_large:
            self.query_one("#case").set_class(is_large, "-opinions")
            self.call_after_refresh(self.fit_opinions)

    def action_scroll(self, lines: int) -> None:
        """Scroll what is aimed at."""
        if self.opinions.aimed:
            self.opinions.view.scroll_by(lines)
        else:
            super().action_scroll(lines)

    def action_page(self, direction: int) -> None:
        """Page what is aimed at."""
        if self.opinions.aimed:
            self.opinions.view.page(direction)
        else:
            super().action_page(direction)

    def action_ends(self, direction: int) -> None:
        """Go to the start or the end of what is aimed at."""
        if not self.opinions.aimed:
            super().action_ends(direction)
        elif direction < 0:
            self.opinions.view.to_start()
        else:
            self.opinions.view.to_end()

    def on_click(self, event: events.Click) -> None:
        """Aim at the opinions where they were clicked."""
        clicked = event.widget.id if event.widget is not None else None
        if clicked in ("opinions-text", "opinions-title"):
            self.aim_at_opinions(not self.opinions.aimed)
        elif self.opinions.aimed:
            self.aim_at_opinions(False)
