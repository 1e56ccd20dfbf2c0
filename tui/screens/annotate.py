"""The voting screen: question above, two answers side by side, four votes on single keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from core.errors import StudyUnavailable, TiebreakError
from core.records import Seen
from core.text import many, one_line
from db.serving import Served
from tui.actions import ANNOTATE, PAIR, READ, VOTE, Action
from tui.screens import ScreenSpec, take_keys
from tui.session import Session
from tui.status import status_line
from tui.widgets.answer_view import AnswerView
from tui.widgets.key_bar import KeyBar
from tui.widgets.pause import Paused
from tui.widgets.reader import Reader

if TYPE_CHECKING:
    from tui.app import TiebreakApp, Who
    from tui.rendering import Rendered

SAID = {
    Seen.LEFT: "A is better",
    Seen.RIGHT: "B is better",
    Seen.TIE: "tie",
    Seen.BOTH_BAD: "both bad",
}
_AIMS = ("A and B", "A", "B", "question")
_ZOOMS = ("both", "A", "B")
_PREPARE_AFTER = 0.05
"""Seconds after a pair is painted before the next one is fetched: reading comes first."""


class AnnotateScreen(Screen[None]):
    """Shows a :class:`tui.session.Session`; every vote is on the disk before the next pair is."""

    CSS_PATH = "annotate.tcss"

    def __init__(self, session: Session, who: Who, banner: str) -> None:
        super().__init__()
        self.session = session
        self._who = who
        self._banner = banner
        self._looking = 1
        self._aim = 0
        self._zoom = 0
        self._coming: dict[str, Rendered] = {}
        self._begun = False
        self._table: tuple[Action, ...] = ()

    def compose(self) -> ComposeResult:
        self._table = take_keys(self, ANNOTATE)
        yield Static(classes="status", id="status", markup=False)
        yield Static(classes="pane-title", id="question-title", markup=False)
        yield AnswerView(id="question")
        with Horizontal(id="answers"):
            for side in ("left", "right"):
                with Vertical(classes="side", id=f"{side}-side"):
                    yield Static(classes="pane-title", id=f"{side}-title", markup=False)
                    yield AnswerView(id=side)
        yield Static(id="finished", markup=False)
        yield Static(classes="said", id="said", markup=False)
        yield KeyBar([a for a in self._table if a.group == VOTE], gap="   ", id="votes")
        # What a narrow screen has no room for is in the help.
        hidden = ((VOTE,), (VOTE, READ), (VOTE, READ, PAIR))
        lines = ([a for a in self._table if a.group not in groups] for groups in hidden)
        yield KeyBar(*lines, id="keys")

    def _key(self, action: str) -> str:
        """The key that does something, as messages name it."""
        app: TiebreakApp = self.app  # type: ignore[assignment]
        return app.preferences.keymap.first(action)

    @property
    def _panes(self) -> dict[str, AnswerView]:
        return {name: self.query_one(f"#{name}", AnswerView) for name in _TEXTS}

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
        served = self.session.current
        is_open = served is not None
        self.query_one("#answers").display = is_open
        self.query_one("#question").display = is_open
        self.query_one("#question-title").display = is_open
        self.query_one("#finished").display = not is_open
        self._show_zoomed(0)
        if served is None:
            self._show_finished()
        else:
            self._look_at(served, max(self.session.turn, 1), prepared=self._coming)
            self.set_timer(_PREPARE_AFTER, self._prepare)
        self._coming = {}
        self._show_status()
        self._say(said, warning=warning)
        self.call_after_refresh(self.session.shown)

    def _look_at(
        self, served: Served, turn: int, prepared: dict[str, Rendered] | None = None
    ) -> None:
        self._looking = turn
        texts = _texts(served, turn)
        for name, pane in self._panes.items():
            ready = (prepared or {}).get(name)
            pane.show(ready if ready is not None and ready.text == texts[name] else texts[name])
        self._fit_question(texts["question"])
        self._show_titles()

    def _fit_question(self, text: str) -> None:
        """Give the question as many rows as it has, up to a quarter of the screen."""
        pane = self._panes["question"]
        most = max(3, self.size.height // 4)
        rendered = pane.prepare(text)
        rendered.ensure(most)
        rows = max(1, min(most, rendered.height))
        if pane.styles.height is None or pane.styles.height.value != rows:
            pane.styles.height = rows

    def _show_titles(self) -> None:
        served = self.session.current
        if served is None:
            return
        turns = len(served.question)
        where = f" · turn {self._looking} of {turns}" if turns > 1 else ""
        if self.session.turn not in (0, self._looking):
            where += f" (you are voting on turn {self.session.turn})"
        panes = self._panes
        names = {"question": f"Question{where}", "left": "A", "right": "B"}
        aimed = (("left", "right"), ("left",), ("right",), ("question",))[self._aim]
        for name, title in names.items():
            label = self.query_one(f"#{name}-title", Static)
            pointer = "▸ " if name in aimed else "  "
            pane = panes[name]
            place = "" if pane.top == 0 and pane.at_end else f"  {pane.position}"
            _put(label, pointer + title + place)
            label.set_class(name in aimed, "-aimed")

    def _show_status(self) -> None:
        line = status_line(self.session, self._who, self._banner, self.size.width - 2)
        _put(self.query_one("#status", Static), line)

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

    def _say(self, message: str, *, warning: bool = False) -> None:
        line = self.query_one("#said", Static)
        _put(line, one_line(message, 200))
        line.set_class(warning, "-warning")

    def _prepare(self) -> None:
        """Fetch and begin to lay out the next pair while this one is read."""
        try:
            following = self.session.prepare()
        except StudyUnavailable as error:
            self._say(error.message, warning=True)
            return
        if following is None or not self.is_attached:
            return
        texts = _texts(following, max(following.next_turn or 1, 1))
        for name, pane in self._panes.items():
            self._coming[name] = pane.prepare(texts[name])
            self._coming[name].ensure(pane.size.height + 1)

    def on_answer_view_scrolled(self, message: AnswerView.Scrolled) -> None:
        message.stop()
        self.session.active.touch()  # whoever turns the wheel is reading
        self._show_titles()

    def on_resize(self) -> None:
        if not self._begun:
            # Now that the panes know their size, and before anything is painted at all.
            self._begun = True
            self._begin()
        elif self.session.current is not None:
            self._show_status()
            self._fit_question(_texts(self.session.current, self._looking)["question"])

    def on_key(self) -> None:
        self.session.active.touch()

    def on_click(self, event: events.Click) -> None:
        """Aim at the pane that was clicked, or at both answers again."""
        self.session.active.touch()
        clicked = (event.widget.id or "") if event.widget is not None else ""
        aim = {"left": 1, "right": 2, "question": 3}.get(clicked.removesuffix("-title"))
        if aim is not None:
            self._aim_at(0 if aim == self._aim else aim)

    # ── voting ──────────────────────────────────────────────────────────────

    def action_vote(self, choice: str) -> None:
        """Cast a vote and show what comes next, in that order."""
        if self.session.current is None:
            return
        seen = Seen(choice)
        if self.session.is_hasty():
            self._say(
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
            self._say("There is nothing to take back.")
        elif last.seen is None:
            self._show("↶ Taken back: the skip.")
        else:
            self._show(f"↶ Taken back: “{SAID[last.seen]}”. Vote again.")

    def _does(self, act: Callable[[], object], refused: str) -> bool:
        """Do something to the study; say so and stay where we are if it is refused."""
        try:
            act()
        except TiebreakError as error:
            self._say(f"{refused}: {error.message}. {error.hint}.", warning=True)
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
            self._say("Flagged to the lead." if flag else "No longer flagged.")

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

    def _aimed(self) -> Sequence[AnswerView]:
        panes = self._panes
        both = (panes["left"], panes["right"])
        return (both, (panes["left"],), (panes["right"],), (panes["question"],))[self._aim]

    def action_scroll(self, lines: int) -> None:
        """Scroll what is aimed at."""
        for pane in self._aimed():
            pane.scroll_by(lines)

    def action_page(self, direction: int) -> None:
        """Page what is aimed at."""
        for pane in self._aimed():
            pane.page(direction)

    def action_ends(self, direction: int) -> None:
        """Go to the start or the end of what is aimed at."""
        for pane in self._aimed():
            if direction < 0:
                pane.to_start()
            else:
                pane.to_end()

    def action_aim(self) -> None:
        """Aim the scrolling at the next pane."""
        self._aim_at((self._aim + 1) % len(_AIMS))

    def _aim_at(self, aim: int) -> None:
        self._aim = aim
        self._show_titles()
        self._say(f"Scrolling: {_AIMS[self._aim]}.")

    def action_zoom(self) -> None:
        """Show one answer at full width, the other, or both."""
        self._show_zoomed((self._zoom + 1) % len(_ZOOMS))
        self._say(f"Shown: {_ZOOMS[self._zoom]}.")

    def _show_zoomed(self, zoom: int) -> None:
        self._zoom = zoom
        self.query_one("#left-side").display = zoom != 2
        self.query_one("#right-side").display = zoom != 1

    def action_raw(self) -> None:
        """Switch between rendered text and source."""
        for pane in self._panes.values():
            pane.toggle_raw()
        self._say("The source, as it is." if self._panes["left"].raw else "Rendered.")

    def action_turn(self, step: int) -> None:
        """Look at another turn; the vote stays on its own."""
        served = self.session.current
        if served is None:
            return
        turn = self._looking + step
        if not 1 <= turn <= len(served.question):
            self._say("There is no turn there.")
            return
        if self.session.turn and turn > self.session.turn:
            self._say("The next turn comes after your vote on this one.")
            return
        self._look_at(served, turn)

    def action_reference(self) -> None:
        """Show the reference answer, if the study has and shows one."""
        served = self.session.current
        if served is None:
            return
        references = served.references if self.session.settings["show_reference"] else ()
        text = references[self._looking - 1] if self._looking <= len(references) else None
        if text is None:
            self._say("There is no reference answer for this turn.")
            return
        self.app.push_screen(Reader("Reference answer", text))

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
            self._say("The clock runs again.")
            self.call_after_refresh(self.session.shown)

        self.session.pause()
        self.app.push_screen(Paused(), go_on)

    def on_unmount(self) -> None:
        try:
            self.session.close()
        except StudyUnavailable:
            # The slot that was prepared comes back by itself when its lease ends.
            return


def _put(line: Static, text: str) -> None:
    """Change one line in place, painting nothing where it says the same already."""
    if line.content != text:
        line.update(text, layout=False)


_TEXTS = ("question", "left", "right")


def _texts(served: Served, turn: int) -> dict[str, str]:
    """What each pane shows of a turn; an answer that is shorter than the question ends early."""
    by_pane = {"question": served.question, "left": served.left, "right": served.right}
    return {name: turns[turn - 1] if turn <= len(turns) else "" for name, turns in by_pane.items()}


def _make(app: TiebreakApp) -> AnnotateScreen:
    session = Session(app.store, app.annotator_id, app.who.identity)
    return AnnotateScreen(session, app.who, app.banner)


SCREEN = ScreenSpec("annotate", "Vote", "f2", leads_only=False, make=_make)
