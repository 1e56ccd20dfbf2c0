"""One's own votes, newest first: to look through, to search, and to reopen one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Static

from core.errors import TiebreakError
from core.saying import said_of
from core.text import many, one_line
from db.history import STANDS, TAKEN_BACK, Past
from db.store import Store
from tui.actions import HISTORY, Action
from tui.screens import take_keys
from tui.sifting import Sifted, Sifting
from tui.widgets.find_line import FindLine
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import put
from tui.widgets.once import Once
from tui.widgets.reader import Reader
from tui.widgets.vote_list import VoteList

if TYPE_CHECKING:
    from tui.app import TiebreakApp

_SEARCH_AFTER = 0.15
"""Seconds without a key after which what is typed is searched for."""


class HistoryScreen(ModalScreen[Past | None], Once[Past | None]):
    """Lists an annotator's own votes; closes with the one to be reopened, or with None.

    Votes are looked through in a thread, on a connection of its own: nothing here waits for it.
    """

    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    HistoryScreen {
        background: $background;
        #history-empty { display: none; height: 1fr; padding: 1 2; }
        #history-detail { height: 3; padding: 0 1; background: $surface; }
    }
    """

    class Found(Message):
        """The thread that looks through the votes has something to tell."""

        def __init__(self, sifted: Sifted) -> None:
            super().__init__()
            self.sifted = sifted

    def __init__(self, store: Store, annotator_id: int) -> None:
        super().__init__()
        self._store = store
        self._annotator_id = annotator_id
        self._typed = ""
        self._every = False
        self._looked = 0
        self._sifting: Sifting | None = None  # None once there is nothing to wait for
        self._is_stopped = False
        self._is_fresh = True  # what is listed is still the list before this one
        self._timer: Timer | None = None
        self._table: tuple[Action, ...] = ()

    def compose(self) -> ComposeResult:
        self._table = take_keys(self, HISTORY)
        yield Static(classes="status", id="history-status", markup=False)
        yield VoteList(self._fetch, self._store.clock, id="history-votes")
        yield Static(id="history-empty", markup=False)
        yield Static(id="history-detail", markup=False)
        yield FindLine()
        yield Static(classes="said", id="said", markup=False)
        yield KeyBar([action for action in self._table if action.label], id="keys")

    @property
    def votes(self) -> VoteList:
        """The list."""
        return self.query_one(VoteList)

    # ── looking through the votes ───────────────────────────────────────────

    def on_mount(self) -> None:
        self._look("")

    def on_unmount(self) -> None:
        self._stop()

    def _look(self, typed: str) -> None:
        """List the votes that hold all words of what was typed, from the beginning."""
        self._stop()
        self._typed, self._looked, self._is_stopped = typed, 0, False
        self._is_fresh = True
        app: TiebreakApp = self.app  # type: ignore[assignment]
        self._sifting = Sifting(app.study, self._annotator_id, typed, self._tell, every=self._every)
        self._sifting.start()
        self._show_state()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        if self._sifting is not None:
            self._sifting.end()
            self._sifting = None

    def _tell(self, sifted: Sifted) -> None:
        self.post_message(self.Found(sifted))

    def on_history_screen_found(self, message: Found) -> None:
        sifted = message.sifted
        if sifted.by is not self._sifting:
            return  # a search that nobody waits for any more
        self._looked = sifted.looked
        if sifted.is_done:
            self._sifting = None
        if sifted.refusal is not None:
            self._say(f"{sifted.refusal.message}. {sifted.refusal.hint}.", warning=True)
        if self._is_fresh:
            self._is_fresh = False
            self.votes.every = self._every
            self.votes.replace(sifted.found)
        else:
            self.votes.extend(sifted.found)
        self._show_state()

    def _fetch(self, seqs: Sequence[int]) -> Mapping[int, Past]:
        try:
            return self._store.history.look_up(self._annotator_id, seqs)
        except TiebreakError as error:
            self._say(f"{error.message}. {error.hint}.", warning=True)
            return {}

    # ── showing ─────────────────────────────────────────────────────────────

    def _show_state(self) -> None:
        """Say how many there are, and what there is to say where there are none."""
        found, looking = 0 if self._is_fresh else self.votes.count, self._sifting is not None
        parts = ["Your votes, the changed too" if self._every else "Your votes, newest first"]
        more = "…" if looking else " so far" if self._is_stopped else ""
        if self._typed:
            parts.append(f"{found:,} of {self._looked:,}{more}")
            parts.append(f"“{one_line(self._typed, 30)}”")
        else:
            parts.append(f"{many(found, 'vote')}{more}")
        put(self.query_one("#history-status", Static), "  │  ".join(parts))
        empty = self.query_one("#history-empty", Static)
        if not self._is_fresh or not self.votes.count:
            empty.display = not found
            self.votes.display = bool(found)
        if empty.display:
            empty.update(self._why_empty())
        self._show_detail()

    def _why_empty(self) -> str:
        if self._sifting is not None:
            return "Looking …"
        back = self._key("back")
        if self._typed:
            where = "question, answers, note, flag, category or vote"
            return (
                f"None of {many(self._looked, 'vote')} has “{one_line(self._typed, 60)}” in its "
                f"{where}.\n\n{back} lists all again."
            )
        if self._looked or self._every:
            return f"There is no vote of yours here.\n\n{back} goes back."
        return (
            "No vote of yours stands here yet. Votes that were imported are not listed: how "
            f"their pairs were shown is not known.\n\n{back} goes back."
        )

    def on_vote_list_moved(self, message: VoteList.Moved) -> None:
        message.stop()
        self._show_detail()

    def _show_detail(self) -> None:
        """What the list has no room for, of the vote that is chosen."""
        past = self.votes.chosen
        lines = ["", "", ""]
        if past is not None:
            room = max(10, self.size.width - 2)
            facts = [f"You voted: {said_of(past.seen)}", past.at[:16].replace("T", " ") + " UTC"]
            if past.turn and past.turns > 1:
                facts.append(f"turn {past.turn} of {past.turns}")
            facts.append(f"{self.votes.cursor + 1:,} of {self.votes.count:,}")
            if past.became != STANDS:
                facts.append(past.became)
            if past.draft.flag:
                facts.append(f"⚑ {past.draft.flag}")
            said = past.draft.note or past.cannot_judge
            lines = [past.question, "  │  ".join(facts), f"✎ {said}" if said else ""]
            lines = [one_line(line.strip(), room) for line in lines]
        put(self.query_one("#history-detail", Static), "\n".join(lines))

    def _say(self, message: str, *, warning: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.set_class(warning, "-warning")
        line.update(one_line(message, 400 if warning else 200))

    def _key(self, action: str) -> str:
        app: TiebreakApp = self.app  # type: ignore[assignment]
        return app.preferences.keymap.first(action)

    # ── keys ────────────────────────────────────────────────────────────────

    def action_scroll(self, lines: int) -> None:
        """Choose the next vote or the one before."""
        self.votes.go(lines)

    def action_page(self, direction: int) -> None:
        """Choose the vote a page further."""
        self.votes.page(direction)

    def action_ends(self, direction: int) -> None:
        """Choose the newest or the oldest vote."""
        self.votes.ends(direction)

    def action_every(self) -> None:
        """List votes that no longer stand, too, or no longer."""
        self._every = not self._every
        self._look(self._typed)
        self._say("Also votes that you changed or took back." if self._every else "As they stand.")

    def action_open(self) -> None:
        """Reopen the chosen vote's pair."""
        past = self.votes.chosen
        if past is None:
            return
        if past.became == TAKEN_BACK and self._stands_not(past):
            self._say("That vote was taken back: the pair comes to you again by itself.")
            return
        self.dismiss(past)

    def _stands_not(self, past: Past) -> bool:
        try:
            there = self._store.history.standing(self._annotator_id, past.assignment, past.turn)
        except TiebreakError:
            return False  # whoever opens it says what is wrong
        return there is None

    def on_vote_list_picked(self, message: VoteList.Picked) -> None:
        message.stop()
        self.action_open()

    def action_close(self) -> None:
        """Stop a search; end it; go back."""
        if self._typed and self._sifting is not None:
            self._stop()
            self._is_stopped = True
            self._show_state()
            self._say(f"Stopped. {self._key('back')} lists all again.")
        elif self._typed:
            self._look("")
            self._say("")
        else:
            self.dismiss(None)

    def action_help(self) -> None:
        """Show the keys."""
        from tui.help import help_text

        app: TiebreakApp = self.app  # type: ignore[assignment]
        notices = app.preferences.notices
        app.push_screen(Reader("Help", help_text(self._table, app.offered(), notices=notices)))

    # ── the line to search by ───────────────────────────────────────────────

    def action_find(self) -> None:
        """Open the line to search by."""
        self.query_one("#said").display = False
        self.query_one(FindLine).open()

    def on_key(self, event: events.Key) -> None:
        """Hand every key to the line to search by while it is open."""
        line = self.query_one(FindLine)
        if line.display:
            event.stop()
            event.prevent_default()
            if event.key in ("enter", "escape"):
                self._close_find(line.value if event.key == "enter" else "")
            elif line.type(event):
                self._search_soon()
        elif any(b.action == "find" for b in self._bindings.key_to_bindings.get(event.key, ())):
            # As an action it would come after keys typed behind it.
            event.stop()
            event.prevent_default()
            self.action_find()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        line = self.query_one(FindLine)
        if line.display and line.paste(event.text):
            self._search_soon()

    def _search_soon(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_SEARCH_AFTER, self._search_now)

    def _search_now(self) -> None:
        typed = self.query_one(FindLine).value
        if typed != self._typed:
            self._look(typed)

    def _close_find(self, typed: str) -> None:
        self.query_one(FindLine).display = False
        self.query_one("#said").display = True
        if self._timer is not None:
            self._timer.stop()
        if typed.strip() != self._typed.strip():
            self._look(typed)
