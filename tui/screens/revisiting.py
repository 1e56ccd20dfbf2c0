"""Coming back to an earlier pair, as actions of a screen, and from there to where one was."""

from __future__ import annotations

from collections.abc import Callable

from core.asked import Details
from core.records import Seen
from core.saying import SAID, said_of
from core.times import ago
from db.history import Past
from tui.screens.history import HistoryScreen
from tui.screens.reading import ReadingScreen
from tui.seat import Seat
from tui.session import Saved, Session
from tui.widgets.conversation import Bookmark


class RevisitingScreen(ReadingScreen):
    """A reading screen of a session's, from which an earlier pair can be reopened."""

    session: Seat

    @property
    def voting(self) -> Session:
        """The session, where votes count; only there something is reopened or declined."""
        assert isinstance(self.session, Session), "a lesson is no vote"
        return self.session

    _bookmark: Bookmark | None = None  # where one read before a pair was reopened

    def _show(self, said: str, *, warning: bool = False, at: Bookmark | None = None) -> None:
        """Show the session's pair, at a bookmark or from its beginning; the screen says how."""
        raise NotImplementedError

    def _does(self, act: Callable[[], object], refused: str, *, votes: bool = False) -> bool:
        """Do something to the study, or say why not; the screen says how."""
        raise NotImplementedError

    def _key(self, action: str) -> str:
        """The key that does something, as messages name it."""
        raise NotImplementedError

    def action_history(self) -> None:
        """List one's own votes; the clock stands meanwhile."""
        if not self.session.counts:
            self.say("Your own votes are listed once you vote: this is not counted.")
            return
        self.put_find_away()
        self.session.pause()
        history = HistoryScreen(self.voting.store, self.voting.annotator_id)
        self.app.push_screen(history, self._history_closed)

    def _history_closed(self, past: Past | None) -> None:
        if past is None or not self._reopen(past):
            self.session.go_on()
            self.call_after_refresh(self.session.shown)

    def _reopen(self, past: Past) -> bool:
        bookmark = self._bookmark
        if self.session.reopened is None:
            bookmark = self.panes.bookmark() if self.session.current is not None else None
        if not self._does(lambda: self.voting.reopen(past.assignment, past.turn), "Not opened"):
            if self.session.reopened is None and bookmark is not None:
                self.panes.return_to(bookmark)
            return False
        self._bookmark = bookmark
        reopened = self.session.reopened
        assert reopened is not None, "it was reopened just now"
        was = reopened.was
        voted = f"You voted: {said_of(was.seen)}, {ago(was.at, self.session.store.clock())}."
        self._show(f"{voted} Vote to change it; {self._leaves()} leaves it as it was.")
        return True

    def _leaves(self) -> str:
        return self._key("read.end_find")

    def _vote_again(self, was: Past, seen: Seen, details: Details | None = None) -> bool:
        """Change a reopened pair's vote, or what was said with it, and go back."""
        if seen is was.seen and self.voting.is_as_it_was and self.voting.said_before(details):
            self._leave_reopened()
            return True
        saved: list[Saved] = []
        if not self._does(
            lambda: saved.append(self.voting.vote(seen, details)), "Not saved", votes=True
        ):
            return False
        undo = f"{self._key('pair.undo')} takes it back."
        if saved[0].elsewhere:
            self._show_back(said_elsewhere(saved[0].was, seen), warning=True)
        elif seen is was.seen:
            self._show_back(f"✓ Saved: still {SAID[seen]}, with what you changed.  {undo}")
        else:
            self._show_back(f"✓ Changed: {said_of(was.seen)} → {SAID[seen]}.  {undo}")
        return True

    def _leave_reopened(self) -> None:
        """Go back to where one was; the vote stays."""
        reopened = self.session.reopened
        if reopened is not None and self._does(self.voting.leave_reopened, "Still here"):
            self._show_back(f"Left as it was: {said_of(reopened.was.seen)}.")

    def _show_back(self, said: str, *, warning: bool = False) -> None:
        bookmark, self._bookmark = self._bookmark, None
        self._show(said, warning=warning, at=bookmark)

    def _remind(self) -> bool:
        """Say how a change of note or flag alone is saved; whether there is one."""
        reopened = self.session.reopened
        if reopened is None or self.voting.is_as_it_was:
            return False
        same = f", {SAID[reopened.was.seen]} too" if reopened.was.seen is not None else ""
        self.say(f"Not saved yet: vote again{same}; {self._leaves()} leaves all as it was.")
        return True

    def action_end_find(self) -> None:
        """End a search; where there is none, leave a reopened pair."""
        if self.session.reopened is not None and not self.panes.is_finding:
            self._leave_reopened()
        else:
            super().action_end_find()


def said_elsewhere(was: Seen | None, now: Seen | None) -> str:
    """What to say of a vote that took the place of one from another window; None cannot judge."""
    return (
        f"This pair had your vote “{said_of(was)}” from another window; "
        f"it now says “{said_of(now)}”."
    )
