"""The lead's view: what the votes and verdicts say, as they come in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from core.errors import TiebreakError
from core.text import many, one_line
from tui.actions import LEAD, Action
from tui.live import LiveNumbers, Numbers
from tui.screens import ScreenSpec, take_keys
from tui.tables import result_lines
from tui.widgets.answer_view import AnswerView
from tui.widgets.key_bar import KeyBar
from tui.widgets.reader import Reader

if TYPE_CHECKING:
    from tui.app import TiebreakApp


class LeadScreen(Screen[None]):
    """Shows one statistic at a time; each refreshes by itself within a second of a commit."""

    class NumbersChanged(Message):
        """New numbers, or the refusal that ended them, came from the thread."""

        def __init__(self, numbers: Numbers | TiebreakError) -> None:
            super().__init__()
            self.numbers = numbers

    def __init__(self, banner: str) -> None:
        super().__init__()
        self._banner = banner
        self._live: LiveNumbers | None = None
        self._numbers: Numbers | None = None
        self._chosen = "agreement"
        self._table: tuple[Action, ...] = ()

    def compose(self) -> ComposeResult:
        self._table = take_keys(self, LEAD)
        yield Static(classes="status", id="status", markup=False)
        yield Static(classes="keys", id="statistics", markup=False)
        yield AnswerView(id="numbers")
        yield Static(classes="said", id="said", markup=False)
        yield KeyBar(self._table)

    def on_mount(self) -> None:
        self._view().raw = True
        self._say("Counting …")
        app: TiebreakApp = self.app  # type: ignore[assignment]
        self._live = LiveNumbers(app.study, self._tell)
        self._live.start()

    def on_unmount(self) -> None:
        if self._live is not None:
            self._live.end()

    def _tell(self, numbers: Numbers | TiebreakError) -> None:
        self.post_message(self.NumbersChanged(numbers))

    def on_lead_screen_numbers_changed(self, message: NumbersChanged) -> None:
        if isinstance(message.numbers, TiebreakError):
            error = message.numbers
            self._say(f"{error.message}. {error.hint}.", warning=True)
            return
        self._numbers = message.numbers
        self._show(keep_place=True)

    def on_resize(self) -> None:
        app: TiebreakApp = self.app  # type: ignore[assignment]
        app.call_later(app.opened)
        self._show(keep_place=True)

    def _show(self, *, keep_place: bool) -> None:
        if self._numbers is None:
            return
        counts, chosen = self._numbers.counts, self._numbers.every[self._place()]
        result = next((each for each in self._numbers.results if each.id == chosen), None)
        view = self._view()
        top = view.top
        lines = ["Counting …"] if result is None else result_lines(result, self.size.width - 4)
        view.show("\n".join(lines))
        if keep_place:
            view.scroll_by(top)
        names = (f"[{id}]" if id == chosen else f" {id} " for id in self._numbers.every)
        self.query_one("#statistics", Static).update(" ".join(names))
        parts = [many(counts["votes"], "vote"), many(counts["verdicts"], "verdict")]
        moment = self._numbers.as_of.get(chosen)
        if moment is not None and moment.vote:
            later = "" if moment == self._numbers.now else ", more soon"
            parts.append(f"as of vote {moment.vote:,}{later}")
        if counts["simulated_annotators"]:
            parts.append(f"{many(counts['simulated_annotators'], 'annotator')} SIMULATED")
        if self._banner:
            parts.append(self._banner)
        self.query_one("#status", Static).update("Lead  │  " + "  │  ".join(parts))
        app: TiebreakApp = self.app  # type: ignore[assignment]
        said, is_warning = app.opening("Live: moves within a second of a vote or verdict.")
        self._say(said, warning=is_warning)

    def _place(self) -> int:
        """Where the chosen statistic stands among all of them."""
        every = () if self._numbers is None else self._numbers.every
        return every.index(self._chosen) if self._chosen in every else 0

    def _view(self) -> AnswerView:
        return self.query_one("#numbers", AnswerView)

    def _say(self, message: str, *, warning: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.update(one_line(message, 200))
        line.set_class(warning, "-warning")

    def action_next(self, step: int) -> None:
        """Show another statistic."""
        if self._numbers is None:
            return
        every = self._numbers.every
        self._chosen = every[(self._place() + step) % len(every)]
        self._show(keep_place=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll the numbers."""
        self._view().scroll_by(lines)

    def action_page(self, direction: int) -> None:
        """Page the numbers."""
        self._view().page(direction)

    def action_help(self) -> None:
        """Show the keys."""
        from tui.help import help_text

        app: TiebreakApp = self.app  # type: ignore[assignment]
        notices = app.preferences.notices
        app.push_screen(Reader("Help", help_text(self._table, app.offered(), notices=notices)))


def _make(app: TiebreakApp) -> LeadScreen:
    return LeadScreen(app.banner)


SCREEN = ScreenSpec("lead", "Watch the numbers", "f3", leads_only=True, make=_make)
