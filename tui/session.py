"""One annotator at work: what is on the screen, what a key means for the study.

Screens show a session and call it; all that is kept between two keys is kept here, and all that
must not be lost is in the store before a method returns.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.records import Seen
from db.serving import Draft, Progress, Served
from db.store import Store
from db.voting import Cast, Undone

IDLE_AFTER = 60.0
"""Seconds without a key after which time no longer counts as active."""


class ActiveTime:
    """Seconds spent on a pair.

    Time without a key counts for ``IDLE_AFTER`` at most, and time while stopped not at all.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.restart()

    def restart(self) -> None:
        """Start from nothing, running."""
        self._seconds = 0.0
        self._is_stopped = False
        self._last = self._monotonic()

    def touch(self) -> None:
        """Something was pressed: the time since the last touch was active, up to the limit."""
        now = self._monotonic()
        if not self._is_stopped:
            self._seconds += min(now - self._last, IDLE_AFTER)
        self._last = now

    def stop(self) -> None:
        """Count nothing from now on."""
        self.touch()
        self._is_stopped = True

    def go_on(self) -> None:
        """Count again from now on."""
        self.touch()
        self._is_stopped = False

    def seconds(self) -> float:
        """Active seconds until now."""
        self.touch()
        return round(self._seconds, 3)


@dataclass(frozen=True, slots=True)
class Saved:
    """A vote that is on the disk."""

    seen: Seen
    turn: int
    pair_done: bool


def new_id() -> str:
    """An id for a vote, made on this side so that sending it twice records it once."""
    return uuid.uuid4().hex


class Session:
    """One annotator in one study.

    Args:
        identity: how this person proved who they are; stored with each vote.
        monotonic: seconds that never go back; tests hand in their own.
    """

    def __init__(
        self,
        store: Store,
        annotator_id: int,
        identity: str,
        *,
        make_id: Callable[[], str] = new_id,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.annotator_id = annotator_id
        self.identity = identity
        self.settings = store.settings()
        self.current: Served | None = None
        self.turn = 0
        self.draft = Draft()
        self.active = ActiveTime(monotonic)
        self._pace: float | None = None
        self._prepared: Served | None = None
        self._make_id = make_id
        self._monotonic = monotonic
        self._quiet_until = 0.0
        self._attempt: tuple[tuple[int, int, Seen], str] | None = None
        self._withdrawal: str | None = None

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

    def pause(self) -> None:
        """Stop the clock."""
        self.active.stop()

    def go_on(self) -> None:
        """Let the clock run again. Keys that come before the pair is painted do not vote."""
        self.active.go_on()
        self._quiet_until = math.inf

    def prepare(self) -> Served | None:
        """Fetch the pair after this one, so that it is there when it is wanted."""
        if self.current is not None and self._prepared is None:
            self._prepared = self.store.serving.serve(
                self.annotator_id, beyond=self.current.assignment
            )
        return self._prepared

    def shown(self) -> None:
        """The pair, or a question about a hasty vote, has just been painted."""
        self._quiet_until = self._monotonic() + int(self.settings["dwell_ms"]) / 1000

    def is_hasty(self) -> bool:
        """Whether a vote now would come before anybody could have looked."""
        return self._monotonic() < self._quiet_until

    def _take(self, served: Served | None, turn: int | None = None) -> Served | None:
        self.current = served
        if served is not None:
            self.turn = turn if turn is not None else _next_turn(served)
            self.draft = served.drafts.get(self.turn, Draft())
        self._attempt = self._withdrawal = None
        self._pace = self.store.serving.pace(self.annotator_id)
        self.active.restart()
        # Keys that arrive before this is painted were meant for what was there before.
        self._quiet_until = math.inf
        return served

    # ── what a key does ─────────────────────────────────────────────────────

    def vote(self, seen: Seen) -> Saved:
        """Cast a vote on the turn on screen; it is on the disk when this returns.

        After it, :attr:`current` and :attr:`turn` are what comes next.

        Raises:
            StudyUnavailable: if it could not be written. Nothing has moved then, and voting
                again is safe: the same vote is never recorded twice.
        """
        served = self._present()
        # A write that failed may have reached the disk all the same: its retry keeps its id.
        what = (served.assignment, self.turn, seen)
        if self._attempt is None or self._attempt[0] != what:
            self._attempt = (what, self._make_id())
        self.store.voting.cast(
            self.annotator_id,
            self.identity,
            Cast(
                self._attempt[1],
                served.assignment,
                self.turn,
                seen,
                self.draft.note,
                self.draft.flag,
                active_seconds=self.active.seconds(),
            ),
        )
        voted = replace(served, voted={**served.voted, self.turn: seen})
        saved = Saved(seen, self.turn, voted.next_turn is None)
        if saved.pair_done:
            self._advance()
        else:
            self._take(voted)
        return saved

    def skip(self) -> None:
        """Put the pair aside; it comes back at the end."""
        served = self._present()
        self.store.voting.skip(self.annotator_id, served.assignment, self.draft.flag)
        self._advance()

    def take_skipped(self) -> Served | None:
        """Go through the pairs that were put aside."""
        return self._take(self.store.serving.serve_skipped(self.annotator_id))

    def undo(self) -> Undone | None:
        """Take back the last vote or skip and show its pair again."""
        # What was prepared would keep its slot unseen: it is given back, and drawn again later.
        self.close()
        if self._withdrawal is None:
            self._withdrawal = self._make_id()
        undone = self.store.voting.undo(self.annotator_id, self.identity, self._withdrawal)
        if undone is not None:
            self._take(self.store.serving.look_again(undone.assignment), undone.turn)
        return undone

    def keep(self, *, note: str | None = None, flag: str | None = None) -> None:
        """Keep what is typed or marked on this turn, in the store as well."""
        served = self._present()
        self.draft = Draft(
            self.draft.note if note is None else note, self.draft.flag if flag is None else flag
        )
        self.store.serving.keep_draft(served.assignment, self.turn, self.draft)
        drafts = {**served.drafts, self.turn: self.draft}
        self.current = replace(served, drafts=drafts)

    def close(self) -> None:
        """Give back what was prepared but never seen; what is on the screen stays open."""
        if self._prepared is not None:
            self.store.serving.release(self.annotator_id, self._prepared.assignment)
            self._prepared = None

    def drop(self) -> None:
        """Leave because the line is gone: also the pair on the screen goes back to the others.

        Unless there is a note, a flag or a vote on it: then it waits for its annotator.
        """
        self.close()
        if self.current is not None:
            self.store.serving.release(self.annotator_id, self.current.assignment)

    def _advance(self) -> None:
        prepared, self._prepared = self._prepared, None
        self._take(prepared or self.store.serving.serve(self.annotator_id))

    def _present(self) -> Served:
        assert self.current is not None, "no pair is on the screen"
        return self.current


def _next_turn(served: Served) -> int:
    turn = served.next_turn
    return served.turns[-1] if turn is None else turn
