"""The lead's list of cases: what to rule on, why, and what a ruling would change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from core.adjudication.case import REASON_WORDS, Order, State
from core.errors import TiebreakError
from core.text import cell_width, many, one_line
from tui.actions import QUEUE, Action
from tui.ruling_clerk import Clerk, Listed, Wanted
from tui.ruling_desk import Desk
from tui.ruling_lines import ORDER_WORDS, SHORT_ORDER, SHORT_REASON, header, row_facts
from tui.ruling_screen import RulingScreen
from tui.screens import take_keys
from tui.teaching import teach
from tui.widgets.case_list import CaseList, Fetched
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import put
from tui.widgets.reader import Reader

if TYPE_CHECKING:
    from db.ruling_queue import RulingQueue
    from tui.app import TiebreakApp

_ORDERS = tuple(Order)

_One = TypeVar("_One")

_OPENED = "Blind: no names before your ruling. Votes and verdicts are shuffled."


class AdjudicateScreen(Screen[None]):
    """Lists cases and follows the study; opens one of them to be ruled on."""

    DEFAULT_CSS = """
    AdjudicateScreen {
        #cases-head { height: 1; padding: 0 1 0 2; color: $text-muted; background: $panel; }
        #cases { padding: 0 1; }
        #cases-empty { display: none; height: 1fr; padding: 1 2; }
        #cases-detail { height: 4; padding: 0 1; background: $surface; }
    }
    """

    class ListChanged(Message):
        """The list, or why it cannot be read, came from the clerk."""

        def __init__(self, listed: Listed | Exception) -> None:
            super().__init__()
            self.listed = listed

    class Answered(Message):
        """The clerk has done a job; ``tell`` says what came of it."""

        def __init__(self, tell: Callable[[], None]) -> None:
            super().__init__()
            self.tell = tell

    def __init__(self, banner: str) -> None:
        super().__init__()
        self._banner = banner
        self._wanted = Wanted()
        self._listed: Listed | None = None
        self._is_away = True
        self._table: tuple[Action, ...] = ()
        self._desk: Desk | None = None
        self._clerk: Clerk | None = None
        self._is_told_to_stay = False

    def compose(self) -> ComposeResult:
        self._table = take_keys(self, QUEUE)
        yield Static(classes="status", id="status", markup=False)
        yield Static(id="cases-head", markup=False)
        yield CaseList(self._fetch, id="cases")
        yield Static(id="cases-empty", markup=False)
        yield Static(id="cases-detail", markup=False)
        yield Static(classes="said", id="said", markup=False)
        yield KeyBar(
            self._table, [one for one in self._table if one.id not in ("read.page_down", "quit")]
        )

    @property
    def cases(self) -> CaseList:
        """The list."""
        return self.query_one(CaseList)

    @cached_property
    def _light(self) -> RulingQueue:
        """The queue on the screen's own connection: for drafts and leases, never for the list."""
        from db.ruling_queue import RulingQueue

        app: TiebreakApp = self.app  # type: ignore[assignment]
        return RulingQueue(app.store, app.who.annotator, app.who.identity)

    def on_mount(self) -> None:
        self._say("Reading the votes and verdicts …")
        app: TiebreakApp = self.app  # type: ignore[assignment]
        self._clerk = Clerk(app.study, app.who, self._tell, app.store.clock)
        settings = app.store.settings()
        self._desk = Desk(settings, self._clerk, lambda: self._light, self._call)
        self._clerk.start()
        app.before_leaving.append(self._desk.drop)
        app.before_quitting.append(self._may_quit)
        self.set_interval(int(settings["ruling_lease_minutes"]) * 20.0, self._renew)

    def on_unmount(self) -> None:
        if self._clerk is not None:
            self._clerk.end()

    def _tell(self, listed: Listed | Exception) -> None:
        self.post_message(self.ListChanged(listed))

    def _call(self, tell: Callable[[], None]) -> None:
        self.post_message(self.Answered(tell))

    def on_adjudicate_screen_answered(self, message: Answered) -> None:
        message.tell()

    def on_adjudicate_screen_list_changed(self, message: ListChanged) -> None:
        if isinstance(message.listed, TiebreakError):
            self._is_away = True
            self._refuse(message.listed)
            return
        if isinstance(message.listed, Exception):
            raise message.listed
        is_back, self._is_away = self._is_away, False
        self._list(message.listed)
        self._show()
        if isinstance(self.app.screen, RulingScreen):
            self.app.screen.listed()
        if is_back:
            app: TiebreakApp = self.app  # type: ignore[assignment]
            said, is_warning = app.opening("Live. Cases open blind: without names.")
            self._say(said, warning=is_warning)

    @property
    def desk(self) -> Desk:
        """What this lead works on."""
        assert self._desk is not None, "the screen is not mounted"
        return self._desk

    def on_resize(self) -> None:
        app: TiebreakApp = self.app  # type: ignore[assignment]
        app.call_later(app.opened)
        self._show()

    # ── showing ─────────────────────────────────────────────────────────────

    def _list(self, listed: Listed) -> None:
        """Take over another list; the chosen case stays chosen, or what took its place is."""
        before, self._listed = self._listed, listed
        self.desk.take_list(listed)
        is_other = before is None or before.wanted != listed.wanted
        chosen, place = self.cases.chosen, None
        if chosen is not None and not is_other:
            app: TiebreakApp = self.app  # type: ignore[assignment]
            place = listed.roll.place(app.store, chosen.key)
            place = self.cases.cursor if place is None else place
        first = listed.first if place is None else place
        self.cases.order = listed.wanted.order
        self.cases.replace(len(listed.roll), first, anew=place is None)

    def _fetch(self, start: int, stop: int) -> Fetched:
        """The cases from one place up to another, read on the screen's own connection."""
        from db.question_lines import first_lines

        app: TiebreakApp = self.app  # type: ignore[assignment]
        if self._listed is None:
            return (), {}
        try:
            rows = self._listed.roll.rows(app.store, start, stop)
            return rows, first_lines(app.store, {(row.question, row.turn) for row in rows})
        except TiebreakError as error:
            self._refuse(error)
            return (), {}

    def _show(self) -> None:
        listed = self._listed
        if listed is None:
            return
        width = self.size.width - 4
        put(self.query_one("#cases-head", Static), header(listed.wanted.order, width))
        status = self._status(listed)
        if sum(map(cell_width, status)) > width + 2:
            status = self._status(listed, is_short=True)
        put(self.query_one("#status", Static), one_line(status, width + 2))
        empty = self.query_one("#cases-empty", Static)
        empty.display = not len(listed.roll)
        self.cases.display = not empty.display
        if empty.display:
            empty.update(self._why_empty(listed))

    def _status(self, listed: Listed, *, is_short: bool = False) -> str:
        wanted = listed.wanted
        order, reasons = ORDER_WORDS[wanted.order], REASON_WORDS
        if is_short:
            order, reasons = SHORT_ORDER.get(wanted.order, order), SHORT_REASON
        parts = [
            "Adjudicate",
            f"{listed.ruled:,} ruled, {listed.waiting:,} left",
            f"{len(listed.roll):,}{' listed' * (not is_short)} by {order}"
            + ", turned" * wanted.is_turned,
        ][is_short:]
        if wanted.reason is not None:
            parts.append(reasons[wanted.reason])
        if wanted.category is not None:
            parts.append(one_line(wanted.category, 20))
        if wanted.every:
            parts.append("also ruled")
        if wanted.disputed:
            parts.append("leads disagree")
        if self._banner:
            parts.append(self._banner)
        return "  │  ".join(parts)

    def _why_empty(self, listed: Listed) -> str:
        wanted = listed.wanted
        if wanted.reason is not None or wanted.category is not None:
            return "No case of this kind waits: another key press lists the next kind, or all."
        if listed.ruled and not wanted.every:
            return f"Nothing waits; ruled on: {many(listed.ruled, 'case')}."
        return (
            "Nothing waits. A case comes here when people disagree, when a judge says otherwise "
            "than people or than another judge, when somebody flags a pair or cannot judge it, and "
            "by a random draw among what nobody disputes."
        )

    def on_case_list_moved(self, message: CaseList.Moved) -> None:
        message.stop()
        row = self.cases.chosen
        lines: list[str] = []
        if row is not None:
            place = f"{self.cases.cursor + 1:,} of {self.cases.count:,}"
            facts, *more = row_facts(row)
            lines = [self.cases.question(row), f"{facts}  │  {place}", *more]
        room = max(10, self.size.width - 2)
        put(
            self.query_one("#cases-detail", Static),
            "\n".join(one_line(line, room) for line in lines),
        )

    def _say(self, message: str, *, warning: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.update(one_line(message, 400 if warning else 200))
        line.set_class(warning, "-warning")

    def _refuse(self, error: TiebreakError) -> None:
        self._say(f"{error.message}. {error.hint[:1].upper()}{error.hint[1:]}.", warning=True)

    # ── keys ────────────────────────────────────────────────────────────────

    def action_scroll(self, lines: int) -> None:
        """Choose the next case or the one before."""
        self.cases.go(lines)

    def action_page(self, direction: int) -> None:
        """Choose the case a page further."""
        self.cases.page(direction)

    def action_ends(self, direction: int) -> None:
        """Choose the first case or the last."""
        self.cases.ends(direction)

    def action_order(self, step: int) -> None:
        """Order by the next column."""
        order = _next(_ORDERS, self._wanted.order, step)
        self._want(replace(self._wanted, order=order, is_turned=False))

    def action_turn_round(self) -> None:
        """Turn the order round."""
        self._want(replace(self._wanted, is_turned=not self._wanted.is_turned))

    def action_sift(self, by: str) -> None:
        """List the cases of the next reason or category that has any, or all of them."""
        listed = self._listed
        if listed is None:
            return
        if by == "category":
            category = _next((None, *listed.categories), self._wanted.category)
            self._want(replace(self._wanted, category=category))
            return
        reasons = [reason for reason, count in listed.reasons.items() if count]
        reason = self._wanted.reason
        self._want(replace(self._wanted, reason=_next((None, *reasons), reason)))

    def action_every(self) -> None:
        """List cases that are ruled on, too; then those on which leads disagree; then neither."""
        wanted, listed = self._wanted, self._listed
        is_next = wanted.every and listed is not None and listed.disputed > 0
        every = not wanted.every and not wanted.disputed
        self._want(replace(wanted, every=every, disputed=is_next))

    def _want(self, wanted: Wanted) -> None:
        self._wanted = wanted
        if self._clerk is not None:
            self._clerk.want(wanted)
        reason = REASON_WORDS[wanted.reason] if wanted.reason is not None else "any reason"
        category = one_line(wanted.category, 30) if wanted.category is not None else "any category"
        which = " Also what is ruled on." if wanted.every else ""
        which = (
            " Only where leads disagree and nobody's ruling is final." * wanted.disputed or which
        )
        self._say(f"By {ORDER_WORDS[wanted.order]}; {reason}; {category}.{which}")

    def on_case_list_picked(self, message: CaseList.Picked) -> None:
        message.stop()
        self.action_open()

    def action_open(self) -> None:
        """Open the chosen case."""
        row = self.cases.chosen
        if row is None or self.desk.is_busy:
            return
        self.desk.open(row.key, self._opened, self._refuse)

    def _opened(self) -> None:
        said = _OPENED
        case = self.desk.case
        app: TiebreakApp = self.app  # type: ignore[assignment]
        if case is not None and case.ruling and self.desk.unmasked is None:
            unmask = app.preferences.keymap.first("rule.unmask")
            said = f"You have ruled on this: a vote key rules anew, {unmask} shows its names."
        elif self.desk.reason and self.desk.unmasked is None:
            said = "The reason that you began is here; nothing is ruled yet."
        self.app.push_screen(RulingScreen(self.desk, self._banner, said), self._back)

    def _back(self, _: object) -> None:
        self._say("Back in the list; nothing is open on your screen.")

    def action_teach(self) -> None:
        """Teach with the chosen case, which this lead has ruled on."""
        row = self.cases.chosen
        if row is None or self.desk.is_busy:
            return
        if row.state is not State.RULED:
            self._say("Only what is ruled on can teach: rule on it first.")
            return
        teach(self, self.desk, row.key, self._say, self._refuse)

    def action_help(self) -> None:
        """Show the keys."""
        from tui.help import help_text

        app: TiebreakApp = self.app  # type: ignore[assignment]
        notices = app.preferences.notices
        app.push_screen(Reader("Help", help_text(self._table, app.offered(), notices=notices)))

    # ── leases and leaving ──────────────────────────────────────────────────

    def _renew(self) -> None:
        """Keep the case on the screen for another lease; say so where it is lost."""
        try:
            is_kept = self.desk.renew()
        except TiebreakError as error:
            self._refuse(error)
            return
        if not is_kept and isinstance(self.app.screen, RulingScreen):
            self.app.screen.say(
                "Another lead has this case open by now: skip it; your reason stays yours.",
                warning=True,
            )

    def _may_quit(self) -> bool:
        """Give back what is open; where a reason cannot be kept, that is said once before."""
        try:
            self.desk.drop()
        except TiebreakError as error:
            if not self._is_told_to_stay:
                self._is_told_to_stay = True
                told = f"Not left: {error.message}. Ctrl+Q again leaves without your reason."
                for line in self.app.screen.query("#said").results(Static):
                    line.update(one_line(told, 400))
                    line.set_class(True, "-warning")
                return False
        return True


def _next(all_: tuple[_One, ...], one: _One, step: int = 1) -> _One:
    """What comes after one of several, the first after the last."""
    return all_[(all_.index(one) + step) % len(all_)] if one in all_ else all_[0]
