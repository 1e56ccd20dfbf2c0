"""The voting screen: question above, two answers side by side, four votes on single keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.widgets import Static

from core.errors import StudyUnavailable, TiebreakError
from core.records import Seen
from core.text import many
from db.serving import Served
from tui.actions import ANNOTATE, READ, REST, VOTE, Action
from tui.screens import ScreenSpec, take_keys
from tui.screens.reading import ReadingScreen
from tui.session import Session
from tui.status import status_line
from tui.widgets.answer_view import AnswerView
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import put
from tui.widgets.pause import Paused
from tui.widgets.reader import Reader
from tui.widgets.reading_panes import Conversation, ReadingPanes

if TYPE_CHECKING:
    from tui.app import TiebreakApp, Who
    from tui.rendering import Rendered

SAID = {
    Seen.LEFT: "A is better",
    Seen.RIGHT: "B is better",
    Seen.TIE: "tie",
    Seen.BOTH_BAD: "both bad",
}
_LOOK_AGAIN = 5.0
"""Seconds between two looks for new pairs, once nothing is left."""

_PREPARE_AFTER = 0.05
"""Seconds after a pair is painted before the next one is fetched: reading comes first."""


class AnnotateScreen(ReadingScreen):
    """Shows a :class:`tui.session.Session`; every vote is on the disk before the next pair is."""

    CSS_PATH = "annotate.tcss"

    def __init__(self, session: Session, who: Who, banner: str) -> None:
        super().__init__()
        self.session = session
        self._who = who
        self._banner = banner
        self._coming: dict[str, Rendered] = {}
        self._begun = False
        self._table: tuple[Action, ...] = ()

    def compose(self) -> ComposeResult:
        self._table = take_keys(self, ANNOTATE)
        yield Static(classes="status", id="status", markup=False)
        yield ReadingPanes(self._key)
        yield Static(id="finished", markup=False)
        yield from self.compose_said()
        yield KeyBar([a for a in self._table if a.group == VOTE], gap="   ", id="votes")
        yield KeyBar(*self._footers(), id="keys")

    def _footers(self) -> Iterator[list[Action]]:
        """What else the keys do, the fullest line first; what is left out is in the help."""
        shown = [a for a in self._table if a.label and a.group != VOTE]
        reading = [a for a in shown if a.group == READ]
        yield list(shown)
        while reading:
            shown.remove(reading.pop())
            yield list(shown)
        yield [a for a in shown if a.group == REST]

    def _key(self, action: str) -> str:
        """The key that does something, as messages name it."""
        app: TiebreakApp = self.app  # type: ignore[assignment]
        return app.preferences.keymap.first(action)

    # ── showing ─────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        app: TiebreakApp = self.app  # type: ignore[assignment]
        try:
            self.session.open()
        except TiebreakError as error:
            app.refuse(error)
            return
        greeting = f"Press {self._key('help')} for help. Votes are saved as you cast them."
        said, is_warning = app.opening(greeting)
        self._show(said, warning=is_warning)

    def _show(self, said: str, *, warning: bool = False) -> None:
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
            self.panes.open(_conversation(served), max(turn, 1), turn, self._coming)
            self.set_timer(_PREPARE_AFTER, self._prepare)
        self._coming = {}
        self._show_status()
        self.say(said, warning=warning)
        self.call_after_refresh(self.session.shown)

    def _show_status(self) -> None:
        line = status_line(self.session, self._who, self._banner, self.size.width - 2)
        put(self.query_one("#status", Static), line)

    def _show_finished(self) -> None:
        progress = self.session.progress()
        if not (progress.done or progress.skipped):
            lines = ["No pair waits for you. A lead queues them with: tiebreak pairs make"]
        else:
            done = many(progress.done, "pair")
            lines = [f"Nothing is left for you here: {done} done. Thank you."]
        if progress.skipped:
            skip = self._key("pair.skip")
            lines.append(f"{progress.skipped} put aside: press {skip} to go through them.")
        lines.append(f"{self._key('pair.undo')} takes back your last vote. Ctrl+Q leaves.")
        self.query_one("#finished", Static).update("\n\n".join(lines))

    def _prepare(self) -> None:
        """Fetch and begin to lay out the next pair while this one is read."""
        try:
            following = self.session.prepare()
        except StudyUnavailable as error:
            self.say(error.message, warning=True)
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
        self.session.active.touch()

    def on_click(self) -> None:
        self.session.active.touch()

    def on_answer_view_wheeled(self, message: AnswerView.Wheeled) -> None:
        message.stop()
        self.session.active.touch()  # whoever turns the wheel is reading

    def on_mount(self) -> None:
        self.set_interval(_LOOK_AGAIN, self._look_for_more)

    def _look_for_more(self) -> None:
        """Go on by itself where nothing was left and a lead has queued more since."""
        if not self._begun or self.session.current is not None:
            return
        try:
            self.session.open()
        except TiebreakError as error:
            self.say(error.message, warning=True)
            return
        if self.session.current is not None:
            self._show("There are new pairs.")

    # ── voting ──────────────────────────────────────────────────────────────

    def action_vote(self, choice: str) -> None:
        """Cast a vote and show what comes next, in that order."""
        if self.session.current is None:
            return
        self.put_find_away()  # a click may vote while it is open
        seen = Seen(choice)
        if self.session.is_hasty():
            self.say(
                f"Not saved: that was at once after the pair appeared. Again for “{SAID[seen]}”?",
                warning=True,
            )
            self.call_after_refresh(self.session.shown)
            return
        if not self._does(lambda: self.session.vote(seen), "Not saved"):
            return
        self._show(f"✓ Saved: {SAID[seen]}.  {self._key('pair.undo')} takes it back.")

    def action_skip(self) -> None:
        """Put the pair aside, or go through those that were."""
        if self.session.current is None:
            if self._does(self.session.take_skipped, "Not opened"):
                self._show("Put aside earlier; vote, or skip it again.")
            return
        if self._does(self.session.skip, "Not skipped"):
            undo = self._key("pair.undo")
            self._show(f"Put aside: it comes back at the end.  {undo} takes it back now.")

    def action_undo(self) -> None:
        """Take back the last vote or skip."""
        undone = []
        if not self._does(lambda: undone.append(self.session.undo()), "Not taken back"):
            return
        last = undone[0]
        if last is None:
            self.say("There is nothing to take back.")
        elif last.seen is None:
            self._show("↶ Taken back: the skip.")
        else:
            self._show(f"↶ Taken back: “{SAID[last.seen]}”. Vote again.")

    def _does(self, act: Callable[[], object], refused: str) -> bool:
        """Do something to the study; say so and stay where we are if it is refused."""
        try:
            act()
        except TiebreakError as error:
            self.say(f"{refused}: {error.message}. {error.hint}.", warning=True)
            self.app.bell()
            return False
        return True

    def action_flag(self) -> None:
        """Flag the pair to the lead, or take the flag away."""
        if self.session.current is None:
            return
        flag = "" if self.session.draft.flag else "flagged"
        if self._does(lambda: self.session.keep(flag=flag), "Not saved"):
            self._show_status()
            self.say("Flagged to the lead." if flag else "No longer flagged.")

    def action_note(self) -> None:
        """Write a note; what is typed is kept as it is typed."""
        if self.session.current is None:
            return
        # A text area takes a while to import: nobody waits for it before the first note.
        from tui.widgets.note import NoteModal

        def keep(note: str) -> None:
            self._does(lambda: self.session.keep(note=note), "Note not saved")

        def closed(_: object) -> None:
            self._show_status()

        self.app.push_screen(NoteModal(self.session.draft.note, keep), closed)

    # ── reading ─────────────────────────────────────────────────────────────

    def action_reference(self) -> None:
        """Show the reference answer, if the study has and shows one."""
        served = self.session.current
        if served is None:
            return
        looking = self.panes.looking
        references = served.references if self.session.settings["show_reference"] else ()
        text = references[looking - 1] if looking <= len(references) else None
        if text is None:
            self.say("There is no reference answer for this turn.")
            return
        self.app.push_screen(Reader("Reference answer", text))

    def action_guidelines(self) -> None:
        """Show what the study asks to judge by."""
        text = self.session.settings["guidelines"]
        if text:
            self.app.push_screen(Reader("What to judge by", text))
        else:
            self.say("This study has no guidelines.")

    def action_help(self) -> None:
        """Show keys and guidelines."""
        from tui.help import help_text

        app: TiebreakApp = self.app  # type: ignore[assignment]
        text = help_text(self._table, app.offered(), self.session.settings, app.preferences.notices)
        app.push_screen(Reader("Help", text))

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
        try:
            self.session.close()
        except TiebreakError:
            # The slot that was prepared comes back by itself when its lease ends.
            return


def _conversation(served: Served) -> Conversation:
    return Conversation(served.question, served.left, served.right)


def _make(app: TiebreakApp) -> AnnotateScreen:
    session = Session(app.store, app.annotator_id, app.who.identity)
    app.before_leaving.append(session.drop)
    return AnnotateScreen(session, app.who, app.banner)


SCREEN = ScreenSpec("annotate", "Vote", "f2", leads_only=False, make=_make)
