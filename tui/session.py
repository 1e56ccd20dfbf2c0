"""One annotator at work: what is on the screen, what a key means for the study.

Screens show a session and call it; all that is kept between two keys is kept here, and all that
must not be lost is in the store before a method returns.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from core.asked import Details
from core.errors import Conflict, TiebreakError
from core.records import Seen
from core.text import many
from db.history import Past, Superseded
from db.serving import Draft, Progress, Served
from db.store import Store
from db.undoing import Undone
from db.voting import Cast, Declined
from tui.asking import Asking, steps_of
from tui.attention import ActiveTime, Attentive
from tui.keeping import Held
from tui.reopening import Reopened, Waiting
from tui.seat import KeyOf, Page, Seat
from tui.status import forms_of

LAST_CHANCE = 240.0
"""Seconds for which a note waits for a locked study once the line is gone."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A vote that is on the disk.

    Attributes:
        was: what the vote was that it took the place of, if there was one; None too where that
            was the word that one cannot judge.
        elsewhere: whether that one was cast in another window, unseen in this session.
        is_beyond: whether it is a first vote, and others have given all that the pair wants.
    """

    seen: Seen
    turn: int
    pair_done: bool
    was: Seen | None = None
    elsewhere: bool = False
    is_beyond: bool = False


def new_id() -> str:
    """An id for a vote, made on this side so that sending it twice records it once."""
    return uuid.uuid4().hex


class Session(Attentive):
    """One annotator in one study, voting: a :class:`tui.seat.Seat` whose votes count.

    Args:
        identity: how this person proved who they are; stored with each vote.
        monotonic: seconds that never go back; tests hand in their own.
    """

    counts = True

    def __init__(
        self,
        store: Store,
        annotator_id: int,
        identity: str,
        *,
        make_id: Callable[[], str] = new_id,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(store.settings(), monotonic)
        self.store = store
        self.annotator_id = annotator_id
        self.identity = identity
        self.asked = store.voting.asked
        self.asking: Asking | None = None
        self.is_declining = False
        self.current: Served | None = None
        self.turn = 0
        self.draft = Draft()
        self.reopened: Reopened | None = None
        self._pace: float | None = None
        self._taken = 0.0
        self._prepared: Served | None = None
        self._make_id = make_id
        self._attempt: tuple[tuple[object, ...], str] | None = None
        self._steps = steps_of(self.asked)
        self._withdrawal: str | None = None
        self._is_draft_saved = True
        self._window = store.voting.window()
        self._tried: set[str] = set()  # ids of votes on this pair, of which each may be on the disk

    # ── what is on the screen ───────────────────────────────────────────────

    def open(self) -> Served | None:
        """The pair to vote on: the one left open last time, or the next."""
        return self._take(self.store.serving.serve(self.annotator_id))

    def progress(self) -> Progress:
        """How far this annotator is."""
        return self.store.serving.progress(self.annotator_id)

    def pace(self) -> float | None:
        """Active seconds that this annotator usually takes for a pair; None while too few tell.

        It is read when a pair is taken, and stays while that pair is on the screen.
        """
        return self._pace

    def how_far(self) -> Sequence[str]:
        """How far this annotator is, the fullest form first."""
        return forms_of(self.progress(), self.pace())

    def greeting(self, key: KeyOf) -> str:
        """What is said first."""
        return f"Press {key('help')} for help. Votes are saved as you cast them."

    def nothing_left(self, key: KeyOf) -> list[str]:
        """What is said, a paragraph each, where no pair is left."""
        progress = self.progress()
        if not (progress.done or progress.skipped or progress.declined):
            lines = ["No pair waits for you. A lead queues them with: tiebreak pairs make"]
            if self.store.serving.is_queued():
                lines = ["No pair is free for you now. This goes on by itself once one is."]
        else:
            done = f"{many(progress.done, 'pair')} done"
            if progress.declined:
                done += f", {progress.declined:,} you could not judge"
            lines = [f"Nothing is left for you here: {done}. Thank you."]
        if progress.skipped:
            skip = key("pair.skip")
            lines.append(f"{progress.skipped} put aside: press {skip} to go through them.")
        return [*lines, f"{key('pair.undo')} takes back your last vote. Ctrl+Q leaves."]

    def page(self) -> Page | None:
        """Nothing comes between two votes."""
        return None

    def following(self) -> Seat:
        """Here: voting ends when the annotator leaves."""
        return self

    def prepare(self) -> Served | None:
        """Fetch the pair after this one, so that it is there when it is wanted."""
        if self.current is not None and self._prepared is None and self.reopened is None:
            self._prepared = self.store.serving.serve(
                self.annotator_id, beyond=self.current.assignment
            )
        return self._prepared

    def _take(self, served: Served | None, turn: int | None = None) -> Served | None:
        self.current = served
        if served is not None:
            self.turn = turn if turn is not None else _next_turn(served)
            self.draft = served.drafts.get(self.turn, Draft())
        self._attempt = self._withdrawal = self.reopened = None
        self.asking, self.is_declining = None, False
        self._tried.clear()
        self._is_draft_saved = True
        self._pace = self.store.serving.pace(self.annotator_id)
        self.begin()
        self._taken = self._monotonic()
        return served

    @property
    def held(self) -> Held | None:
        """The pair that is to be this annotator's until it is voted on; None where none is."""
        served = self.reopened.waiting.served if self.reopened is not None else self.current
        return None if served is None else Held(served.assignment, self._taken)

    # ── what a key does ─────────────────────────────────────────────────────

    def ask(self, seen: Seen) -> Asking | None:
        """Begin to ask what the study wants to know with a vote; None where that is nothing.

        Nothing is saved by it. What was said with an earlier vote on this turn is offered again.
        """
        served = self._present()
        if self._steps:
            self.asking = Asking(self._steps, seen, served.said.get(self.turn))
        return self.asking

    def withdraw(self) -> None:
        """Forget the vote that is on its way, and that a reason not to judge was asked for."""
        self.asking, self.is_declining = None, False

    def vote(self, seen: Seen, details: Details | None = None) -> Saved:
        """Cast a vote on the turn on screen; it is on the disk when this returns.

        After it, :attr:`current` and :attr:`turn` are what comes next.

        Raises:
            StudyUnavailable: if it could not be written. Nothing has moved then, and voting
                again is safe: the same vote is never recorded twice.
        """
        served = self._present()
        details = details or Details()
        vote_id = self._id_for(served.assignment, self.turn, seen, details)
        self.store.voting.cast(
            self.annotator_id,
            self.identity,
            Cast(
                vote_id,
                served.assignment,
                self.turn,
                seen,
                self.draft.note,
                self.draft.flag,
                details.confidence,
                self.active.seconds(),
                details.tags,
                details.criteria,
            ),
        )
        voted = replace(served, voted={**served.voted, self.turn: seen})
        saved = self._saved(vote_id, seen, is_done=voted.next_turn is None)
        if self.reopened is not None:
            self._go_back(self.reopened.waiting.after(served.assignment, self.turn, seen))
        elif saved.pair_done:
            self._advance()
        else:
            self._take(voted)
        return saved

    def _saved(self, vote_id: str, seen: Seen, *, is_done: bool) -> Saved:
        over = self._took_the_place_of(vote_id)
        if over is None:
            beyond = self.store.serving.is_beyond(self._present().assignment)
            return Saved(seen, self.turn, is_done, is_beyond=beyond)
        return Saved(seen, self.turn, is_done, over.seen, self._is_from_elsewhere(over))

    def _took_the_place_of(self, id: str) -> Superseded | None:
        """What was said before on this turn, where something recorded now replaced it."""
        over = self.store.history.superseded_by(id)
        return None if over is None or over.id in self._tried else over

    def _is_from_elsewhere(self, over: Superseded) -> bool:
        return self.reopened is None or over.id != self.reopened.was.id

    def decline(self, reason: str) -> Superseded | None:
        """Say that this annotator cannot judge the pair; it is closed to them then.

        Returns:
            What it took the place of, where that was said in another window, unseen here.

        Raises:
            StudyUnavailable: as for :meth:`vote`.
        """
        served = self._present()
        id = self._id_for(served.assignment, self.turn, reason)
        self.store.voting.decline(
            self.annotator_id,
            self.identity,
            Declined(
                id,
                served.assignment,
                self.turn,
                reason,
                self.draft.note,
                self.draft.flag,
                self.active.seconds(),
            ),
        )
        over = self._took_the_place_of(id)
        elsewhere = over if over is not None and self._is_from_elsewhere(over) else None
        waiting = self.reopened.waiting.served if self.reopened is not None else None
        if waiting is not None and waiting.assignment != served.assignment:
            self._go_back(waiting)
        else:
            self._advance()
        return elsewhere

    def _id_for(self, *what: object) -> str:
        """The id for something to be recorded.

        A write that failed may have reached the disk all the same: its retry keeps its id.
        """
        if self._attempt is None or self._attempt[0] != what:
            self._attempt = (what, self._make_id())
            self._tried.add(self._attempt[1])
            self._window.votes.add(self._attempt[1])
        return self._attempt[1]

    def skip(self) -> None:
        """Put the pair aside; it comes back at the end."""
        self.save_draft()
        served = self._present()
        self._window.skips.add(served.assignment)
        self.store.voting.skip(self.annotator_id, served.assignment, self.draft.flag)
        self._advance()

    def take_skipped(self) -> Served | None:
        """Go through the pairs that were put aside."""
        return self._take(self.store.serving.serve_skipped(self.annotator_id))

    def undo(self) -> Undone | None:
        """Take back what was done last and show its pair again.

        Raises:
            Conflict: if that was done in another window while this one was open.
        """
        # What was prepared would keep its slot unseen: it is given back, and drawn again later.
        self.close()  # which keeps the note on this pair as well
        if self._withdrawal is None:
            self._withdrawal = self._make_id()
        undone = self.store.voting.undo(
            self.annotator_id, self.identity, self._withdrawal, self._window
        )
        if undone is not None and undone.restored is not None:
            self._withdrawal = None
            here = Waiting(self.current, self.turn, self.draft, self.active)
            self.current = here.after(undone.assignment, undone.turn, undone.restored)
        elif undone is not None:
            self._take(self.store.serving.look_again(undone.assignment), undone.turn)
        return undone

    # ── an earlier pair, once more ──────────────────────────────────────────

    def reopen(self, assignment: int, turn: int) -> Past:
        """Show an earlier pair of this annotator's as it was shown then, to change its vote.

        Nothing is written until a vote is cast. What is typed is kept as a draft all the same.

        Returns:
            The vote that stands on it.

        Raises:
            Conflict: if no vote of this annotator's stands there.
        """
        was = self.store.history.standing(self.annotator_id, assignment, turn)
        if was is None:
            raise Conflict("no vote of yours stands there any more", "look at the history again")
        served = self.store.serving.look_again(assignment)
        self.leave_reopened()
        if self.current is not None:
            self.save_draft()
        self.active.stop()
        waiting = Waiting(self.current, self.turn, self.draft, self.active)
        self.active = ActiveTime(self._monotonic)
        self._take(served, turn)
        self.draft = served.drafts.get(turn, was.draft)
        self.reopened = Reopened(was, waiting)
        return was

    @property
    def is_as_it_was(self) -> bool:
        """Whether neither note nor flag of a reopened pair was changed."""
        return self.reopened is not None and self.draft == self.reopened.was.draft

    def said_before(self, details: Details | None) -> bool:
        """Whether these details are what was said with the vote that stands on this turn."""
        return details is None or details == self._present().said.get(self.turn, Details())

    def leave_reopened(self) -> None:
        """Go back to the pair that waits; the vote on the reopened one stays as it was."""
        if self.reopened is not None:
            served = self._present()
            if self.turn in served.drafts:
                self.store.serving.keep_draft(served.assignment, self.turn, Draft())
            self._go_back(self.reopened.waiting.served)

    def _go_back(self, served: Served | None) -> None:
        assert self.reopened is not None, "nothing was reopened"
        waiting = self.reopened.waiting
        self._take(served, waiting.turn)
        self.draft, self.active = waiting.draft, waiting.active
        self.active.go_on()

    def keep(self, *, note: str | None = None, flag: str | None = None) -> None:
        """Keep what is typed or marked on this turn, in the store as well.

        Raises:
            StudyUnavailable: if it cannot be written. A note is kept here all the same, and tried
                again; a flag is as it was, so that the same key sets it later.
        """
        before, was_saved = self.draft.flag, self._is_draft_saved
        if note is not None:
            self.draft, was_saved = replace(self.draft, note=note), False
        if flag is not None:
            self.draft = replace(self.draft, flag=flag)
        self._is_draft_saved = False
        try:
            self.save_draft()
        except TiebreakError:
            self.draft, self._is_draft_saved = replace(self.draft, flag=before), was_saved
            raise

    def typed(self, note: str) -> None:
        """Take over a note as it is typed; what comes next, a vote or leaving, stores it."""
        if note != self.draft.note:
            self.draft = replace(self.draft, note=note)
            self._is_draft_saved = False

    @property
    def unsaved_note(self) -> str:
        """The note on this pair, if the store does not have it as it stands."""
        return "" if self._is_draft_saved else self.draft.note

    def save_draft(self) -> None:
        """Store what is typed and marked, where it is not stored yet.

        Raises:
            StudyUnavailable: if it cannot be written; it is kept here, and tried again when the
                pair or the session is left.
        """
        if self._is_draft_saved:
            return
        served = self._present()
        known = served.drafts.get(self.turn, Draft())
        self.draft = self.store.serving.keep_draft(served.assignment, self.turn, self.draft, known)
        self.current = replace(served, drafts={**served.drafts, self.turn: self.draft})
        self._is_draft_saved = True

    def close(self) -> None:
        """Store what is not stored yet, and give back what was prepared but never seen.

        What is on the screen stays open.

        Raises:
            StudyUnavailable: if it cannot be written.
        """
        self.save_draft()
        if self._prepared is not None:
            self.store.serving.release(self.annotator_id, self._prepared.assignment)
            self._prepared = None

    def drop(self) -> None:
        """Leave because the line is gone: also the pair on the screen goes back to the others.

        Unless there is a note, a flag or a vote on it: then it waits for its annotator. Nobody can
        be told of a note that is lost, so it waits for a locked study, though not for ever.
        """
        until = self._monotonic() + LAST_CHANCE
        self.store.on_busy = lambda: bool(self.unsaved_note) and self._monotonic() < until
        self.close()
        if self.current is not None:
            self.store.serving.release(self.annotator_id, self.current.assignment)

    def _advance(self) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is None or not self.store.serving.holds(prepared.assignment):
            prepared = self.store.serving.serve(self.annotator_id)
        self._take(prepared)

    def _present(self) -> Served:
        assert self.current is not None, "no pair is on the screen"
        return self.current


def _next_turn(served: Served) -> int:
    turn = served.next_turn
    return served.turns[-1] if turn is None else turn
