"""The voting screen: question above, two answers side by side, four votes on single keys."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Static

from core.asked import Details
from core.errors import StudyUnavailable, TiebreakError
from core.records import Seen
from core.saying import SAID, said_of
from core.text import one_line
from db.history import Superseded
from db.serving import Served
from db.undoing import Undone
from tui import collector
from tui.actions import ANNOTATE, PAIR, READ, VOTE, Action
from tui.asking import Asking
from tui.keeping import Held, Keeping
from tui.lesson import LessonSession, seat_for
from tui.plainly import plainly
from tui.screens import ScreenSpec, take_keys
from tui.screens.asking import AskingScreen
from tui.screens.revisiting import RevisitingScreen, said_elsewhere
from tui.seat import Page, Seat
from tui.session import Saved, Session
from tui.status import status_line
from tui.widgets.answer_view import AnswerView
from tui.widgets.conversation import Bookmark, Conversation
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import put
from tui.widgets.pause import Paused
from tui.widgets.reader import Reader
from tui.widgets.reading_panes import ReadingPanes

if TYPE_CHECKING:
    from tui.app import TiebreakApp, Who
    from tui.rendering import Rendered
    from tui.widgets.note import NoteModal

_LOOK_AGAIN = 5.0
"""Seconds between two looks for new pairs, once nothing is left."""

_PREPARE_AFTER = 0.05
"""Seconds after a pair is painted before the next one is fetched: reading comes first."""


class AnnotateScreen(AskingScreen, RevisitingScreen):
    """Shows a :class:`tui.seat.Seat`; every vote is on the disk before the next pair is.

    Args:
        greets: whether the study's guidelines are opened first.
    """

    CSS_PATH = "annotate.tcss"

    class PairLost(Message):
        """The pair on the screen went to others when its lease had run out."""

        def __init__(self, assignment: int) -> None:
            super().__init__()
            self.assignment = assignment

    def __init__(self, session: Seat, who: Who, banner: str, *, greets: bool = False) -> None:
        super().__init__(session)
        self._greets = greets
        self._who = who
        self._banner = banner
        self._coming: dict[str, Rendered] = {}
        self._begun = False
        self._table: tuple[Action, ...] = ()
        self._note: NoteModal | None = None
        self._is_told_to_stay = False
        self._parting: Page | None = None

    def compose(self) -> ComposeResult:
        has_reasons = bool(self.session.store.voting.asked.cannot_judge_reasons)
        actions = [a for a in ANNOTATE if has_reasons or a.id != "pair.cannot_judge"]
        self._table = take_keys(self, actions)
        yield Static(classes="status", id="status", markup=False)
        yield ReadingPanes(self._key)
        yield Static(id="finished", markup=False)
        yield from self.compose_said()
        yield self.compose_strip(self._table)
        yield KeyBar(*self._footers(), id="keys")

    def _footers(self) -> Iterator[list[Action]]:
        """What else the keys do, the fullest line first; what is left out is in the help."""
        refused = self.session.refuses if isinstance(self.session, LessonSession) else ()
        shown = [a for a in self._table if a.label and a.group != VOTE and a.id not in refused]
        # What one can do without goes first: reading by hand, then what is rarely wanted.
        dispensable = [a for a in shown if a.group == PAIR and a.id != "pair.undo"]
        dispensable += [a for a in shown if a.group == READ]
        yield list(shown)
        while dispensable:
            shown.remove(dispensable.pop())
            yield list(shown)

    def _key(self, action: str) -> str:
        """The key that does something, as messages name it."""
        app: TiebreakApp = self.app  # type: ignore[assignment]
        return app.preferences.keymap.first(action)

    @property
    def lesson(self) -> LessonSession:
        """The session, where votes do not count."""
        assert isinstance(self.session, LessonSession), "this is no lesson"
        return self.session

    # ── showing ─────────────────────────────────────────────────────────────

    def _compositor_refresh(self) -> None:
        # Textual would render each step of the opening, and then show none of them.
        app: TiebreakApp = self.app  # type: ignore[assignment]
        if app.is_open:
            super()._compositor_refresh()

    def _begin(self) -> None:
        app: TiebreakApp = self.app  # type: ignore[assignment]
        self.set_timer(0.005, app.opened)  # once the widgets know their size too
        try:
            self.session.open()
        except TiebreakError as error:
            app.refuse(error)
            return
        said, is_warning = app.opening(self.session.greeting(self._key))
        guidelines = self.session.settings["guidelines"]
        if self._greets and guidelines:
            page = Page("What to judge by", guidelines)
            self._read(page, lambda: self._proceed(said, warning=is_warning))
        else:
            self._proceed(said, warning=is_warning)

    def _proceed(self, said: str, *, warning: bool = False) -> None:
        """Show what is to be read first, then the next pair, where this annotator now sits."""
        page, self._parting = self._parting or self.session.page(), None
        if page is not None:
            self._read(page, lambda: self._proceed(said, warning=warning))
            return
        before = self.session
        if not self._does(self._sit_down, "Not opened"):
            return
        if self.session is before:
            self._show(said, warning=warning)
        else:
            self._proceed(self.session.greeting(self._key))

    def _sit_down(self) -> None:
        """Go where this annotator belongs from now on."""
        following = self.session.following()
        if following is not self.session:
            following.open()
            if isinstance(self.session, LessonSession):
                self._parting = self.session.parting(following)
            self.session = following
            self.query_one("#keys", KeyBar).offer(*self._footers())

    def _read(self, page: Page, then: Callable[[], None]) -> None:
        """Show a text that stands between two pairs; the clock stops meanwhile."""

        def go_on(_: object) -> None:
            self.session.go_on()
            then()

        self.session.pause()
        self.app.push_screen(Reader(page.title, page.text, leads_on=True), go_on)

    def _show(self, said: str, *, warning: bool = False, at: Bookmark | None = None) -> None:
        """Show the session's pair and turn, and say something about what led here."""
        self.put_find_away()
        served = self.session.current
        is_open = served is not None
        self.panes.display = is_open
        self.query_one("#finished").display = not is_open
        if served is None:
            self._show_finished()
        else:
            turn = self.session.turn
            if at is None:
                self.panes.open(_conversation(served), max(turn, 1), turn, self._coming)
            else:
                self.panes.return_to(at)
            self.set_timer(_PREPARE_AFTER, self._prepare)
        self._coming = {}
        self._is_told_to_stay = False
        self.end_failed()
        self._show_status()
        self.show_question()
        self.say(said, warning=warning)
        self.call_after_refresh(self.session.shown)

    def _show_status(self) -> None:
        line = status_line(self.session, self._who, self._banner, self.size.width - 2)
        put(self.query_one("#status", Static), line)

    def _show_finished(self) -> None:
        lines = self.session.nothing_left(self._key)
        self.query_one("#finished", Static).update("\n\n".join(lines))

    def _prepare(self) -> None:
        """Fetch and begin to lay out the next pair while this one is read."""
        collector.tidy()
        try:
            following = self.session.prepare()
        except StudyUnavailable as error:
            if not self.is_warning:  # what became of a vote is what one has to know
                self.say(self._why(error), warning=True)
            return
        if following is None or not self.is_attached:
            return
        turn = max(following.next_turn or 1, 1)
        self._coming = dict(self.panes.prepare(_conversation(following), turn))

    def on_resize(self) -> None:
        if not self._begun:
            # Now that the panes know their size, and before anything is painted at all.
            self._begun = True
            self._begin()
        elif self.session.current is not None:
            self._show_status()

    def on_key(self, event: events.Key) -> None:
        self._is_told_to_stay = False  # Ctrl+Q itself never comes here
        self.session.active.touch()

    def on_click(self) -> None:
        self._is_told_to_stay = False
        self.session.active.touch()

    def on_answer_view_wheeled(self, message: AnswerView.Wheeled) -> None:
        message.stop()
        self.session.active.touch()  # whoever turns the wheel is reading

    @property
    def held(self) -> Held | None:
        """What a sign of life keeps; None where votes do not count."""
        return self.voting.held if self.session.counts else None

    def on_annotate_screen_pair_lost(self, message: PairLost) -> None:
        if self.held is not None and self.held.assignment == message.assignment:
            self.say(
                "This pair went to somebody else meanwhile; your vote is kept beside theirs.",
                warning=True,
            )

    def on_mount(self) -> None:
        self.set_interval(_LOOK_AGAIN, self._look_for_more)

    def _look_for_more(self) -> None:
        """Go on by itself where nothing was left and a lead has queued more since."""
        # Not is_current: that also holds beneath a page, which is to be read to its end first.
        if not self._begun or self.session.current is not None or self.app.screen is not self:
            return
        before = self.session
        try:
            self._sit_down()
            self.session.open()
        except TiebreakError as error:
            self.say(self._why(error), warning=True)
            return
        if self.session is not before:
            self._proceed(self.session.greeting(self._key))
        elif self.session.current is not None:
            self._show("There are new pairs.")

    # ── voting ──────────────────────────────────────────────────────────────

    def action_vote(self, choice: str) -> None:
        """Cast a vote and show what comes next, in that order."""
        if self.session.current is None:
            return
        self.put_find_away()  # a click may vote while it is open
        seen = Seen(choice)
        if self.takes_vote(seen):
            return
        if self.session.is_hasty():
            self.say(
                f"Not saved: that was at once after the screen changed. Again for “{SAID[seen]}”?",
                warning=True,
            )
            self.call_after_refresh(self.session.shown)
            return
        if self.session.ask(seen) is not None:
            self.show_question()
        else:
            self._vote(seen)

    def _vote(self, seen: Seen, details: Details | None = None) -> bool:
        """Save a vote and show what comes next; whether it was saved."""
        if self.session.reopened is not None:
            return self._vote_again(self.session.reopened.was, seen, details)
        saved: list[Saved | None] = []
        if not self._does(
            lambda: saved.append(self.session.vote(seen, details)), "Not saved", votes=True
        ):
            return False
        cast = saved[0]
        if cast is None:
            self._proceed(self.lesson.said(seen))
        elif cast.elsewhere:
            self._proceed(said_elsewhere(cast.was, seen), warning=True)
        else:
            more = ", one vote more than wanted" if cast.is_beyond else ""
            undo = self._key("pair.undo")
            self._proceed(f"✓ Saved: {SAID[seen]}{more}.  {undo} takes it back.")
        return True

    def cast_vote(self, asking: Asking) -> bool:
        """Cast a vote whose every detail is said, and show what comes next."""
        return self._vote(asking.seen, asking.details())

    def decline(self, reason: str) -> None:
        """Close the pair to this annotator and show what comes next."""
        reopened = self.session.reopened
        elsewhere: list[Superseded | None] = []
        if not self._does(
            lambda: elsewhere.append(self.voting.decline(reason)), "Not declined", votes=True
        ):
            return
        undo = self._key("pair.undo")
        said = f"✓ You cannot judge it: {one_line(reason, 40)}.  {undo} takes that back."
        over = elsewhere[0]
        if over is not None:
            said = said_elsewhere(over.seen, None)
        if reopened is not None and self.session.current is reopened.waiting.served:
            self._show_back(said, warning=over is not None)
        else:
            self._show(said, warning=over is not None)

    def action_skip(self) -> None:
        """Put the pair aside, or go through those that were; leave a reopened one as it was."""
        if self.session.reopened is not None:
            self._leave_reopened()
            return
        if self.session.current is None:
            if self.session.counts and self._does(self.session.take_skipped, "Not opened"):
                self._show("Put aside earlier; vote, or skip it again.")
            return
        if self._does(self.session.skip, "Not skipped"):
            undo = self._key("pair.undo")
            said = f"Put aside: it comes back at the end.  {undo} takes it back now."
            self._proceed(said if self.session.counts else self.lesson.said(None))

    def action_undo(self) -> None:
        """Take back what was done last; a vote that is on its way is only withdrawn."""
        if self.session.asking is not None:
            self.withdraw_vote()
            return
        if self.session.reopened is not None:
            self.say(f"Nothing is taken back from here: {self._leaves()} goes back first.")
            return
        undone: list[Undone | None] = []
        if not self._does(lambda: undone.append(self.session.undo()), "Not taken back"):
            return
        last = undone[0]
        if last is None:
            self.say("There is nothing to take back.")
        elif last.restored is not None:
            self._show_status()
            self.set_timer(_PREPARE_AFTER, self._prepare)
            change = f"“{SAID[last.restored]}” → “{said_of(last.seen)}”"
            self.say(f"↶ Taken back: {change}. “{SAID[last.restored]}” stands again.")
        elif last.seen is not None:
            self._show(f"↶ Taken back: “{SAID[last.seen]}”. Vote again.")
        elif last.cannot_judge:
            self._show("↶ Taken back: that you cannot judge this pair.")
        else:
            self._show("↶ Taken back: the skip.")

    def _does(self, act: Callable[[], object], refused: str, *, votes: bool = False) -> bool:
        """Do something to the study; say so and stay where we are if it is refused.

        Args:
            votes: whether this is about a vote: that it is not saved is said until it is.
        """
        if votes:
            self.end_failed()
        try:
            act()
        except TiebreakError as error:
            told = f"{refused}: {self._why(error)}"
            if votes:
                self.say_failed(told)
            else:
                self.say(told, warning=True)
            self.app.bell()
            # It may have taken seconds: keys from before it was told answer nothing.
            self.session.go_on()
            self.call_after_refresh(self.session.shown)
            return False
        return True

    def _why(self, error: TiebreakError) -> str:
        """Why something was refused, and what an annotator can do: no paths, no processes."""
        message, hint = plainly(error, self.session.store.path)
        return f"{message}. {hint}." if hint else f"{message}."

    def _is_counted(self, what: str) -> bool:
        """Whether there is a vote for something to go with; says so if it is only a lesson."""
        if self.session.current is not None and not self.session.counts:
            self.say(f"There is no vote here for a {what} to go with: this is not counted.")
        return self.session.current is not None and self.session.counts

    def action_flag(self) -> None:
        """Flag the pair to the lead, or take the flag away."""
        if not self._is_counted("flag"):
            return
        flag = "" if self.session.draft.flag else "flagged"
        if self._does(lambda: self.session.keep(flag=flag), "Not saved"):
            self._show_status()
            if not self._remind():
                self.say("Flagged to the lead." if flag else "No longer flagged.")

    def action_note(self) -> None:
        """Write a note; what is typed is kept as it is typed."""
        if not self._is_counted("note"):
            # Who did not look types on: that was meant for the note, and is no vote.
            self.session.go_on()
            self.call_after_refresh(self.session.shown)
            return
        # A text area takes a while to import: nobody waits for it before the first note.
        from tui.widgets.note import NoteModal

        def keep(note: str) -> str:
            if self._does(lambda: self.session.keep(note=note), "Note not saved"):
                self._is_told_to_stay = False
                if self.is_warning:
                    self.say("")
                return ""
            return "Not saved yet; it is tried again with your vote, and when you leave."

        def typed(note: str) -> None:
            self._is_told_to_stay = False
            self.session.typed(note)

        def closed(_: object) -> None:
            self._note = None
            self._show_status()
            self._remind()

        self._note = NoteModal(self.session.draft.note, typed, keep)
        self.app.push_screen(self._note, closed)

    def may_quit(self) -> bool:
        """Whether nothing is lost by leaving; where a note would be, that is said once before."""
        if self._is_told_to_stay:
            return True
        try:
            self.session.save_draft()
        except TiebreakError as error:
            self._is_told_to_stay = True
            leave = "Ctrl+Q again leaves without your note."
            self.say(f"Not left: {self._why(error)} {leave}", warning=True)
            if self._note is not None:
                self._note.tell(f"The note cannot be saved now. {leave}")
            self.app.bell()
            return False
        return True

    # ── reading ─────────────────────────────────────────────────────────────

    def action_reference(self) -> None:
        """Show the reference answer, if the study has and shows one."""
        served = self.session.current
        if served is None:
            return
        self.open_reference(served.references if self.session.settings["show_reference"] else ())

    def action_guidelines(self) -> None:
        """Show what the study asks to judge by."""
        self.open_guidelines(self.session.settings["guidelines"])

    def action_help(self) -> None:
        """Show keys and guidelines."""
        self.open_help(self._table, self.session.settings)

    def action_pause(self) -> None:
        """Stop the clock and hide the pair until a key is pressed."""
        if self.session.current is None:
            return

        def go_on(_: object) -> None:
            self.session.go_on()
            self.say("The clock runs again.")
            self.call_after_refresh(self.session.shown)

        self.session.pause()
        self.app.push_screen(Paused(), go_on)

    def on_unmount(self) -> None:
        app: TiebreakApp = self.app  # type: ignore[assignment]
        # A slot that was prepared and is not given back comes back when its lease ends.
        with contextlib.suppress(TiebreakError):
            self.session.close()
        app.unsaved_note = self.session.unsaved_note


def _conversation(served: Served) -> Conversation:
    return Conversation(served.question, served.left, served.right)


def _make(app: TiebreakApp) -> AnnotateScreen:
    session: Seat
    greets = False
    if app.onboards:
        greets = app.store.practising.is_new(app.annotator_id)
        session = seat_for(app.store, app.annotator_id, app.who.identity, practise=app.practises)
    else:
        session = Session(app.store, app.annotator_id, app.who.identity)
    screen = AnnotateScreen(session, app.who, app.banner, greets=greets)
    app.before_leaving.append(lambda: screen.session.drop())
    app.before_quitting.append(screen.may_quit)
    keeping = Keeping(
        app.study,
        app.annotator_id,
        60.0 * int(session.settings["lease_minutes"]),
        lambda: screen.held,
        lambda assignment: screen.post_message(AnnotateScreen.PairLost(assignment)),
    )
    app.signs_of_life.append(keeping.alive)
    return screen


SCREEN = ScreenSpec("annotate", "Vote", "f2", leads_only=False, make=_make)
