"""The lead's dashboard: what the votes and verdicts say, as they come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from core.errors import TiebreakError
from core.text import cell_width, many, one_line
from tui.actions import LEAD, Action, key_name
from tui.live_board import Board, LiveBoard
from tui.screens import ScreenSpec, take_keys
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import put
from tui.widgets.reader import Reader
from tui.widgets.spot_list import SpotList

if TYPE_CHECKING:
    from tui.app import TiebreakApp
    from tui.dashboard.pages import Laid, Page

_ELSEWHERE = {"read.page_down", "quit"}
"""Keys that help names and a narrow footer does not."""


class LeadScreen(Screen[None]):
    """Shows one page at a time; each refreshes by itself within a second of a commit.

    Attributes:
        board: the numbers that are shown; None before the first.
    """

    DEFAULT_CSS = """
    LeadScreen {
        #filters { height: 1; padding: 0 1; color: $text-muted; background: $panel; }
        #filters.-chosen { color: $text-warning; text-style: bold; }
    }
    """

    class BoardChanged(Message):
        """New numbers, or why there are none, came from the thread."""

        def __init__(self, board: Board | Exception) -> None:
            super().__init__()
            self.board = board

    def __init__(self, banner: str) -> None:
        super().__init__()
        self._banner = banner
        self._live: LiveBoard | None = None
        self.board: Board | None = None
        self._page = 0
        self._chosen: dict[str, Any] = {}
        self._was_away = True
        self._laid: dict[str, Laid] = {}
        self._latest: Board | Exception | None = None
        self._table: tuple[Action, ...] = ()

    def compose(self) -> ComposeResult:
        self._table = take_keys(self, LEAD)
        yield Static(classes="status", id="status", markup=False)
        yield Static(classes="keys", id="pages", markup=False)
        yield Static(id="filters", markup=False)
        yield SpotList(id="numbers")
        yield Static(classes="said", id="said", markup=False)
        yield KeyBar(self._table, [one for one in self._table if one.id not in _ELSEWHERE])

    @property
    def page(self) -> Page:
        """The page that is shown."""
        from tui.dashboard.pages import PAGES

        return PAGES[self._page]

    @property
    def numbers(self) -> SpotList:
        """The rows of the page."""
        return self.query_one("#numbers", SpotList)

    def on_mount(self) -> None:
        self._say("Counting …")
        self._show_filters()
        app: TiebreakApp = self.app  # type: ignore[assignment]
        self._live = LiveBoard(app.study, self._tell, app.store.clock)
        self._live.look_at(self.page.ids)
        self._live.start()

    def on_unmount(self) -> None:
        if self._live is not None:
            self._live.end()

    def _tell(self, board: Board | Exception) -> None:
        self._latest = board
        self.post_message(self.BoardChanged(board))

    def on_lead_screen_board_changed(self, message: BoardChanged) -> None:
        if message.board is not self._latest and isinstance(message.board, Board):
            return  # a later one is on its way: what nobody will see is not laid out
        if isinstance(message.board, TiebreakError):
            self._was_away = True
            self._say(f"{message.board.message}. {message.board.hint}.", warning=True)
            return
        if isinstance(message.board, Exception):
            raise message.board
        self.board = message.board
        self._show(keep=True)
        self._say_progress(message.board)

    def on_resize(self) -> None:
        app: TiebreakApp = self.app  # type: ignore[assignment]
        app.call_later(app.opened)
        self._show(keep=True)

    # ── showing ─────────────────────────────────────────────────────────────

    def _show(self, *, keep: bool) -> None:
        from tui.dashboard.pages import PAGES, Seen
        from tui.dashboard.rows import Numbers

        names = (f"[{p.title}]" if p is self.page else f" {p.title} " for p in PAGES)
        put(self.query_one("#pages", Static), one_line("".join(names), self.size.width - 2))
        board = self.board
        if board is None:
            return
        seen = Seen(
            Numbers(list(board.results.values())),
            board.people,
            board.counts,
            board.days,
            frozenset(board.waiting),
            self._laid,
        )
        self.numbers.show(self.page.rows(seen, max(40, self.size.width - 4)), keep=keep)
        self._show_status(board)

    def _show_status(self, board: Board) -> None:
        counts = board.counts
        parts = ["Lead", many(counts["votes"], "vote"), many(counts["verdicts"], "verdict")]
        if counts["rulings"]:
            parts.append(many(counts["rulings"], "ruling"))
        if counts["simulated_annotators"]:
            parts.append(f"{many(counts['simulated_annotators'], 'annotator')} SIMULATED")
        if self._banner:
            parts.append(self._banner)
        put(self.query_one("#status", Static), "  │  ".join(parts))

    def _show_filters(self) -> None:
        from tui.dashboard.filters import in_words

        line = self.query_one("#filters", Static)
        place = self.numbers.place
        room = max(10, self.size.width - 2 - len(place))
        words = one_line(in_words(self._chosen), room - 2)
        put(line, words + " " * (room - sum(map(cell_width, words))) + place)
        line.set_class(bool(self._chosen), "-chosen")

    def on_spot_list_moved(self, message: SpotList.Moved) -> None:
        message.stop()
        self._show_filters()

    def _say_progress(self, board: Board) -> None:
        if board.is_cancelled:
            self._say(
                f"Left out: {many(len(board.waiting), 'statistic')}; the numbers of these are of "
                "before. The next vote begins anew.",
                warning=True,
            )
            self._was_away = True
        elif board.waiting:
            done = len(board.results) - len(set(board.waiting) & board.results.keys())
            total = done + len(board.waiting)
            key = key_name(next(one.keys[0] for one in self._table if one.id == "lead.cancel"))
            self._say(f"Computing {board.at_work}: {done + 1} of {total}. {key} cancels the rest.")
            self._was_away = True
        elif self._was_away:
            self._was_away = False
            app: TiebreakApp = self.app  # type: ignore[assignment]
            said, is_warning = app.opening("Live: moves within a second of a vote or verdict.")
            self._say(said, warning=is_warning)

    def _say(self, message: str, *, warning: bool = False) -> None:
        line = self.query_one("#said", Static)
        put(line, one_line(message, 200))
        line.set_class(warning, "-warning")

    # ── keys ────────────────────────────────────────────────────────────────

    def action_next(self, step: int) -> None:
        """Show another page."""
        from tui.dashboard.pages import PAGES

        self._page = (self._page + step) % len(PAGES)
        if self._live is not None:
            self._live.look_at(self.page.ids)
        self._show(keep=False)

    def action_scroll(self, lines: int) -> None:
        """Choose a number further down or up."""
        self.numbers.go(lines)

    def action_across(self, steps: int) -> None:
        """Choose the number after or before."""
        self.numbers.across(steps)

    def action_page(self, direction: int) -> None:
        """Page the numbers."""
        self.numbers.page(direction)

    def on_spot_list_picked(self, message: SpotList.Picked) -> None:
        message.stop()
        self.action_open()

    def action_open(self) -> None:
        """Show what the chosen number is made of."""
        from tui.dashboard.rows import Numbers
        from tui.number_screen import NumberScreen

        key, board = self.numbers.chosen, self.board
        if key is None or board is None or self._live is None:
            return
        found = Numbers(list(board.results.values())).find(key)
        if found is not None:
            self.app.push_screen(NumberScreen(*found, self._live, self._chosen))

    def action_filter(self) -> None:
        """Choose what the numbers are about."""
        from tui.filter_screen import FilterScreen

        choices = self.board.choices if self.board is not None else {}
        self.app.push_screen(FilterScreen(self._chosen, choices), self._filtered)

    def _filtered(self, chosen: Mapping[str, Any] | None) -> None:
        if chosen is None or dict(chosen) == self._chosen or self._live is None:
            return
        self._chosen = dict(chosen)
        self._show_filters()
        self._say("Counting …")
        self._was_away = True
        self._live.choose(self._chosen)

    def action_cancel(self) -> None:
        """Leave out what is not computed yet."""
        if self._live is not None and self.board is not None and self.board.waiting:
            self._live.cancel()
            self._say("Ending with the statistic at work …")

    def action_help(self) -> None:
        """Show the keys."""
        from tui.help import help_text

        app: TiebreakApp = self.app  # type: ignore[assignment]
        notices = app.preferences.notices
        app.push_screen(Reader("Help", help_text(self._table, app.offered(), notices=notices)))


def _make(app: TiebreakApp) -> LeadScreen:
    return LeadScreen(app.banner)


SCREEN = ScreenSpec("lead", "Watch the numbers", "f3", leads_only=True, make=_make)
