"""The lead's eye on the judges: what they have done, how fast, at what cost, and what failed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from core.errors import TiebreakError
from core.text import many, one_line
from tui.actions import JUDGES, Action
from tui.background_judges import BackgroundJudges
from tui.judge_lines import FACTS, details, facts, header, judge_line, status_parts
from tui.judge_live import LiveJudges
from tui.screens import take_keys
from tui.verdicts_screen import VerdictsScreen
from tui.widgets.confirm import Confirm
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import put
from tui.widgets.named_list import NamedList
from tui.widgets.reader import Reader

if TYPE_CHECKING:
    from db.judge_watch import Watch, Watched
    from tui.app import TiebreakApp

_LEAST_DETAILS = 4
"""Lines that the details of the chosen judge keep, however many judges there are."""

_ELSEWHERE = {"read.page_down", "quit"}
"""Keys that help names and a narrow footer does not."""

_MIND_EVERY = 1.0
"""Seconds between two looks whether the judges in the background are still there."""

_NOBODY = (
    "No judge has been added yet. One that needs no model:\n\n"
    "  tiebreak judge add longer --baseline longer-answer\n"
    "  tiebreak judge run longer"
)

_QUESTIONS = {
    "pause": "Pause {name}? No call begins until it is resumed; calls under way are recorded.",
    "resume": "Let {name} go on?",
    "cancel": "Cancel the work of {name}? Its queue is emptied and its workers end; what is "
    "recorded stays, and a later run begins anew.",
    "retry": "Try {failed} of {name} once more? Each costs another call; both stay in the log.",
    "work": "Let the judges judge {left} in the background while this app is open? Budgets hold, "
    "and whoever is paused stays so.",
    "rest": "Let the judges in the background end? What they have under way is recorded.",
}


class JudgeList(NamedList, inherit_bindings=False):
    """Every judge, by name."""

    class Moved(NamedList.Moved):
        """Another judge is the chosen one."""

    class Picked(NamedList.Picked):
        """The chosen judge was clicked."""


class DetailList(NamedList, inherit_bindings=False):
    """What the chosen judge's numbers are made of."""

    class Moved(NamedList.Moved):
        """Another line is the chosen one."""

    class Picked(NamedList.Picked):
        """The chosen line was clicked."""


class JudgesScreen(Screen[None]):
    """Lists the judges and follows them; shows what is behind one, and acts after a question."""

    DEFAULT_CSS = """
    JudgesScreen {
        #judges-head { height: 1; padding: 0 1 0 2; color: $text-muted; background: $panel; }
        #judges-list { height: 3; padding: 0 1; }
        #judges-empty { display: none; height: 1fr; padding: 1 2; }
        .judges-fact { height: 1; padding: 0 1 0 2; background: $surface; }
        #judges-details { padding: 0 1; background: $surface; }
    }
    """

    class JudgesChanged(Message):
        """The judges, or why they cannot be read, came from the thread."""

        def __init__(self, watch: Watch | Exception) -> None:
            super().__init__()
            self.watch = watch

    def __init__(self, banner: str) -> None:
        super().__init__()
        self._banner = banner
        self._live: LiveJudges | None = None
        self._watch: Watch | None = None
        self._is_away = True
        self._background: BackgroundJudges | None = None
        self._shown: str | None = None  # the judge whose details are shown
        self._table: tuple[Action, ...] = ()

    def compose(self) -> ComposeResult:
        self._table = take_keys(self, JUDGES)
        yield Static(classes="status", id="status", markup=False)
        yield Static(id="judges-head", markup=False)
        yield JudgeList(id="judges-list")
        yield Static(_NOBODY, id="judges-empty", markup=False)
        for number in range(FACTS):
            yield Static(id=f"judges-fact-{number}", classes="judges-fact", markup=False)
        yield DetailList(id="judges-details")
        yield Static(classes="said", id="said", markup=False)
        # Where the screen is narrow, one line is worth more than the keys that every screen has.
        yield KeyBar(self._table, [one for one in self._table if one.id not in _ELSEWHERE])

    @property
    def judges(self) -> JudgeList:
        """The judges."""
        return self.query_one(JudgeList)

    @property
    def details(self) -> DetailList:
        """What the chosen judge's numbers are made of."""
        return self.query_one(DetailList)

    @property
    def aimed(self) -> NamedList:
        """The list that has the keys."""
        return self.judges if self.judges.aimed else self.details

    def on_mount(self) -> None:
        self._say("Reading the verdicts …")
        self.details.aim(False)
        app: TiebreakApp = self.app  # type: ignore[assignment]
        self._live = LiveJudges(app.study, self._tell, app.store.clock)
        self._live.start()
        self.set_interval(_MIND_EVERY, self._mind_the_background)

    def on_unmount(self) -> None:
        if self._live is not None:
            self._live.end()
        if self._background is not None:
            self._background.end()

    def _tell(self, watch: Watch | Exception) -> None:
        self.post_message(self.JudgesChanged(watch))

    def on_judges_screen_judges_changed(self, message: JudgesChanged) -> None:
        if isinstance(message.watch, TiebreakError):
            self._is_away = True
            self._refuse(message.watch)
            return
        if isinstance(message.watch, Exception):
            raise message.watch
        is_back, self._is_away = self._is_away, False
        self._watch = message.watch
        self._show()
        if is_back:
            app: TiebreakApp = self.app  # type: ignore[assignment]
            said, is_warning = app.opening("Live: moves every second while a judge is at work.")
            self._say(said, warning=is_warning)

    def _mind_the_background(self) -> None:
        """Say what the judges in the background say, and what became of them once they ended."""
        work = self._background
        if work is None:
            return
        if work.is_alive():
            if news := work.news():
                self._say(f"{news}.", warning=True)
            return
        self._background = None
        if work.refusal is not None:
            self._refuse(work.refusal)
        elif work.is_second:
            self._say("Judges work behind another screen of this host already.")
        elif work.is_ending:
            self._say("The judges in the background have ended.")
        else:
            self._say("The judges in the background died; what they held is in the queue again.")

    def on_resize(self) -> None:
        app: TiebreakApp = self.app  # type: ignore[assignment]
        app.call_later(app.opened)
        self._show()

    # ── showing ─────────────────────────────────────────────────────────────

    def _show(self) -> None:
        watch = self._watch
        if watch is None:
            return
        width = self.size.width - 3
        put(self.query_one("#judges-head", Static), header(width))
        parts = status_parts(watch)
        if self._banner:
            parts.append(self._banner)
        put(self.query_one("#status", Static), "  │  ".join(parts))
        self._share_room(len(watch.judges))
        self.judges.show([(judge.name, judge_line(judge, width)) for judge in watch.judges])
        self._show_details()

    def _share_room(self, judges: int) -> None:
        """Give the judges the lines that they need, as far as their details keep enough."""
        taken = FACTS + 4 + _LEAST_DETAILS  # the status line, the head, what is said, the keys
        height = max(2, min(judges, self.size.height - taken))
        if self.judges.styles.height is None or self.judges.styles.height.value != height:
            self.judges.styles.height = height
        self.query_one("#judges-empty").display = not judges
        self.judges.display = self.details.display = bool(judges)

    def _show_details(self) -> None:
        judge, width = self._chosen(), self.size.width - 3
        lines = (
            [""] * FACTS if judge is None or self._watch is None else facts(judge, self._watch.at)
        )
        for number, line in enumerate(lines):
            put(self.query_one(f"#judges-fact-{number}", Static), one_line(line, width))
        found = [] if judge is None or self._watch is None else details(judge, self._watch.at)
        self.details.show(found)

    def _chosen(self) -> Watched | None:
        if self._watch is None:
            return None
        name = self.judges.chosen
        return next((judge for judge in self._watch.judges if judge.name == name), None)

    def on_judge_list_moved(self, message: JudgeList.Moved) -> None:
        message.stop()
        if self.judges.chosen != self._shown:
            self._shown = self.judges.chosen
            self.details.show([])  # what was chosen there was another judge's
            self._show_details()

    def on_detail_list_moved(self, message: DetailList.Moved) -> None:
        message.stop()

    def _say(self, message: str, *, warning: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.update(one_line(message, 400 if warning else 200))
        line.set_class(warning, "-warning")

    def _refuse(self, error: TiebreakError) -> None:
        self._say(f"{error.message}. {error.hint}.", warning=True)

    # ── keys ────────────────────────────────────────────────────────────────

    def action_scroll(self, lines: int) -> None:
        """Choose the next line of the list that has the keys, or the one before."""
        self.aimed.go(lines)

    def action_page(self, direction: int) -> None:
        """Choose the line a page further."""
        self.aimed.page(direction)

    def action_other(self) -> None:
        """Give the keys to the other list."""
        to_details = self.judges.aimed
        self.judges.aim(not to_details)
        self.details.aim(to_details)

    def on_judge_list_picked(self, message: JudgeList.Picked) -> None:
        message.stop()
        self.action_open()

    def on_detail_list_picked(self, message: DetailList.Picked) -> None:
        message.stop()
        if not self.details.aimed:
            self.action_other()
        self.action_open()

    def action_open(self) -> None:
        """Go from a judge to what its numbers are made of, and from there to the verdicts."""
        judge = self._chosen()
        if judge is None:
            return
        if self.judges.aimed:
            self.action_other()
            return
        what, _, name = (self.details.chosen or "").partition(":")
        if what != "class":
            self._say("There are verdicts behind the lines above only.")
            return
        self.app.push_screen(VerdictsScreen(judge.name, name))

    def action_ask(self, deed: str) -> None:
        """Ask whether something is to be done about the chosen judge, then do it."""
        judge = self._chosen()
        if judge is None or self._watch is None:
            return
        if deed == "work":
            self._ask_for_work(self._watch)
            return
        if judge.kind == "imported":
            self._say("Its verdicts were imported: it does no work here.")
            return
        if deed == "retry" and not judge.told.failed:
            self._say("Nothing of it has failed.")
            return
        question = _QUESTIONS[deed].format(
            name=one_line(judge.name, 40), failed=many(judge.told.failed, "failure")
        )
        self.app.push_screen(Confirm(question), partial(self._answered, deed, judge.name))

    def _ask_for_work(self, watch: Watch) -> None:
        """Ask whether judges are to work in the background, or to work there no longer."""
        left = sum(judge.left for judge in watch.judges if not judge.control.paused)
        question = _QUESTIONS["work" if self._background is None else "rest"]
        question = question.format(left=f"what is left, {many(left, 'verdict')},")
        self.app.push_screen(Confirm(question), self._work)

    def _work(self, is_yes: bool | None) -> None:
        if not is_yes:
            self._say("Nothing was done.")
        elif self._background is None:
            app: TiebreakApp = self.app  # type: ignore[assignment]
            self._background = BackgroundJudges(app.study)
            self._background.start()
            self._say("Judges begin in the background; they end with this app.")
        else:
            self._background.end()
            self._say("The judges in the background record what is under way, and end.")

    def _answered(self, deed: str, name: str, is_yes: bool | None) -> None:
        if not is_yes:
            self._say("Nothing was done.")
            return
        try:
            said = self._do(deed, name)
        except TiebreakError as error:
            self._refuse(error)
            return
        self._say(f"{one_line(name, 60)}: {said}.")

    def _do(self, deed: str, name: str) -> str:
        """Do something about a judge; what came of it, in words.

        Raises:
            TiebreakError: if it cannot be done.
        """
        from db.judge_control import JudgeControl
        from db.judge_watch import queue_failed

        app: TiebreakApp = self.app  # type: ignore[assignment]
        control = JudgeControl(app.store)
        if deed == "pause":
            control.pause(name)
            return "paused"
        if deed == "resume":
            control.resume(name)
            return "may go on"
        if deed == "cancel":
            return f"cancelled, {many(control.cancel(name), 'job')} taken out of the queue"
        return f"{many(queue_failed(app.store, name), 'failure')} put in the queue"

    def action_help(self) -> None:
        """Show the keys."""
        from tui.help import help_text

        app: TiebreakApp = self.app  # type: ignore[assignment]
        notices = app.preferences.notices
        app.push_screen(Reader("Help", help_text(self._table, app.offered(), notices=notices)))
