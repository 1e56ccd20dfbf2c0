"""One lead at work: the case on the screen, the reason as it is typed, and what a key does."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from core.adjudication.case import Case, RulingSeen, Unmasked
from core.errors import Conflict, TiebreakError
from core.records import LessonUse
from tui.attention import Attentive
from tui.ruling_clerk import Clerk, Listed
from tui.ruling_lines import WAITS

if TYPE_CHECKING:
    from db.more_votes import Asked
    from db.ruling_queue import RulingQueue

_Made = TypeVar("_Made")

_TRY = 200
"""Cases of the list that are tried before it is said that none is left."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a lead ruled on a case before.

    Attributes:
        seen: a :class:`RulingSeen`, or empty where nothing was ruled.
        is_taken_back: whether it stands no more, so that the same may be ruled again.
    """

    seen: str = ""
    reason: str = ""
    is_taken_back: bool = False


_NOTHING = Earlier()


@dataclass(frozen=True, slots=True)
class OnDesk:
    """A case, and its names where this lead may see them by now."""

    case: Case
    unmasked: Unmasked | None = None


@dataclass(frozen=True, slots=True)
class Ruled:
    """A ruling that is on the disk.

    Attributes:
        asked: what annotators are asked for, where more votes are.
        following: the case that comes next; None where none is left.
        refusal: why none could be fetched, where that is so.
    """

    asked: Asked | None
    following: OnDesk | None
    refusal: TiebreakError | None = None


class Desk(Attentive):
    """What a lead has before them. What takes time is done by the clerk, and told later.

    Attributes:
        on_desk: what is on the screen; None where nothing is.
        waiting: the case that waits while a ruled one is looked at.
        reason: as it is typed.
        earlier: what this lead ruled on the case before, and why; a reason is taken over only
            where they say so, or rule the same again that they took back.
        is_final: whether the next ruling is to settle what leads disagree about.
        last: the case that was ruled on last.
        listed_now: the list as it was read last.
        is_busy: whether something is under way, so that no other deed begins.

    Args:
        light: the queue on the screen's own connection, for what takes no time.
        call: has the screen call something, from any thread.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        clerk: Clerk,
        light: Callable[[], RulingQueue],
        call: Callable[[Callable[[], None]], None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(settings, monotonic)
        self._clerk = clerk
        self._light = light
        self._call = call
        self.on_desk: OnDesk | None = None
        self.waiting: Case | None = None
        self.reason = ""
        self.earlier = _NOTHING
        self.is_final = False
        self.last = ""
        self.is_busy = False
        self.listed_now: Listed | None = None
        self._place = 0
        self._left: set[str] = set()  # ruled on or put aside since the list was read
        self._attempt: tuple[tuple[object, ...], str] | None = None
        self._is_kept = True

    @property
    def case(self) -> Case | None:
        """The case on the screen."""
        return self.on_desk.case if self.on_desk is not None else None

    @property
    def unmasked(self) -> Unmasked | None:
        """Its names, where they are shown."""
        return self.on_desk.unmasked if self.on_desk is not None else None

    def take_list(self, listed: Listed) -> None:
        """Take over the list as it is now."""
        self.listed_now = listed

    # ── what takes time ─────────────────────────────────────────────────────

    def _do(
        self,
        work: Callable[[RulingQueue], _Made],
        then: Callable[[_Made], None],
        refused: Callable[[TiebreakError], None],
        *,
        moves: bool = True,
    ) -> None:
        """Have the clerk do something; ``then`` or ``refused`` is called by the screen.

        Args:
            moves: whether another case will be on the screen: keys before it is are not for it.
        """
        self.is_busy = True
        if moves:
            self.begin()

        def told(made: _Made | TiebreakError) -> None:
            def tell() -> None:
                self.is_busy = False
                if isinstance(made, TiebreakError):
                    refused(made)
                else:
                    then(made)

            self._call(tell)

        self._clerk.do(work, told)

    def open(
        self, key: str, then: Callable[[], None], refused: Callable[[TiebreakError], None]
    ) -> None:
        """Take the case of this key, or look at it where this lead has ruled on it."""

        def opened(on_desk: OnDesk) -> None:
            self._take(on_desk)
            then()

        self._do(lambda queue: _open(queue, key), opened, refused)

    def rule(
        self,
        seen: RulingSeen,
        then: Callable[[Ruled], None],
        refused: Callable[[TiebreakError], None],
    ) -> None:
        """Rule on the case on the screen, or revise the ruling once its names are shown."""
        on_desk = self._present()
        case, is_revision, final = on_desk.case, on_desk.unmasked is not None, self.is_final
        is_again = not self.reason.strip() and self.takes_over(seen)
        reason = self.earlier.reason if is_again else self.reason
        id = self._id_for(case.key, seen, reason, is_revision, final)
        following = self._following(case.key, is_served=True)

        def work(queue: RulingQueue) -> Ruled:
            asked = None
            if is_revision:
                queue.revise(case.key, seen, reason, id=id, final=final)
            else:
                asked = queue.rule(case.key, seen, reason, id=id, final=final)
            try:
                return Ruled(asked, _first(queue, following(queue)))
            except TiebreakError as error:
                return Ruled(asked, None, error)

        def done(ruled: Ruled) -> None:
            self.last = case.key
            self._left.add(case.key)
            self._take(ruled.following)
            then(ruled)

        self._do(work, done, refused)

    def skip(self, then: Callable[[], None], refused: Callable[[TiebreakError], None]) -> None:
        """Give the case back, what was typed kept, and take the next."""
        self.keep()
        case = self._present().case
        following = self._following(case.key, is_served=False)
        is_open = self.unmasked is None and not case.ruling

        def work(queue: RulingQueue) -> OnDesk | None:
            if is_open:
                queue.release(case.key)
            return _first(queue, following(queue))

        def done(on_desk: OnDesk | None) -> None:
            self._left.add(case.key)
            self._take(on_desk)
            then()

        self._do(work, done, refused)

    def unmask(self, then: Callable[[], None], refused: Callable[[TiebreakError], None]) -> None:
        """Show who is who in the case on the screen if it is ruled on, else in the one before."""
        self.keep()
        case = self.case
        key = case.key if case is not None and case.ruling else self.last

        def work(queue: RulingQueue) -> OnDesk:
            unmasked = queue.unmask(key)
            return OnDesk(queue.look(key), unmasked)

        def done(on_desk: OnDesk) -> None:
            waiting = case if case is not None and not case.ruling else None
            if waiting is not None:
                kept = ("", self.reason) if self.reason.strip() else waiting.draft
                waiting = replace(waiting, draft=kept, is_final=self.is_final)
            self._take(on_desk)
            self.waiting = waiting
            then()

        if not key:
            refused(Conflict("you have ruled on nothing since you came", "rule first"))
            return
        self._do(work, done, refused)

    def undo(self, then: Callable[[bool], None], refused: Callable[[TiebreakError], None]) -> None:
        """Take back the last ruling or revision, and show its case; whether there was one."""
        self.keep()
        id = self._id_for("undo")
        before = self.case if self.unmasked is None else self.waiting

        def work(queue: RulingQueue) -> OnDesk | None:
            key = queue.undo(id=id)
            return None if key is None else _open(queue, key)

        def done(on_desk: OnDesk | None) -> None:
            self._attempt = None
            if on_desk is not None:
                self._left.discard(on_desk.case.key)
                self._take(on_desk)
                if before is not None and before.key != on_desk.case.key and not before.ruling:
                    self.waiting = before
            then(on_desk is not None)

        self._do(work, done, refused)

    def ask_second(
        self, why: str, then: Callable[[], None], refused: Callable[[TiebreakError], None]
    ) -> None:
        """Ask another lead to rule on this case too."""
        key = self._present().case.key
        id = self._id_for(key, "second", why)
        self._do(
            lambda queue: queue.ask_second(key, why, id=id), lambda _: then(), refused, moves=False
        )

    def teach(
        self,
        key: str,
        use: LessonUse,
        then: Callable[[bool], None],
        refused: Callable[[TiebreakError], None],
    ) -> None:
        """Make a lesson of a ruling; whether it is new."""
        self._do(lambda queue: queue.teach(key, use), then, refused, moves=False)

    def come_back(self) -> None:
        """Show the case that waits, once a ruled one was looked at."""
        self._take(OnDesk(self.waiting) if self.waiting is not None else None)

    def _take(self, on_desk: OnDesk | None) -> None:
        if on_desk is None and self.waiting is not None:
            on_desk = OnDesk(self.waiting)
        self.on_desk = on_desk
        self.waiting = None
        self.reason, self._is_kept, self.earlier, self.is_final = "", True, _NOTHING, False
        if on_desk is not None:
            case = on_desk.case
            chosen, typed = case.draft
            self.earlier = Earlier(*((chosen, typed) if chosen else case.earlier), bool(chosen))
            self.reason = "" if chosen else typed
            self.is_final = case.is_final
        self.begin()

    def _present(self) -> OnDesk:
        assert self.on_desk is not None, "no case is on the screen"
        return self.on_desk

    def _id_for(self, *what: object) -> str:
        """The id for something to be recorded; a retry of what failed keeps its own."""
        if self._attempt is None or self._attempt[0] != what:
            self._attempt = (what, uuid.uuid4().hex)
        return self._attempt[1]

    def _following(self, key: str, *, is_served: bool) -> Callable[[RulingQueue], Iterator[str]]:
        """What comes after a case: one that waits on the desk, then the list from there on.

        In an order that the random sample is mixed into, the first of it comes once it is due,
        wherever the list was entered and however rulings have moved its rows since.

        Args:
            is_served: whether the case is ruled on by then, not put aside.
        """
        listed_now = self.listed_now
        roll = listed_now.roll if listed_now is not None else None
        is_mixed = (
            listed_now is not None
            and listed_now.wanted.order.is_mixed
            and not listed_now.wanted.is_turned
        )
        if roll is not None:
            place = roll.place(self._light().store, key)
            self._place = min(self._place, len(roll)) if place is None else place
        waiting, start, past = self.waiting, self._place, {key, *self._left}

        def keys(queue: RulingQueue) -> Iterator[str]:
            if waiting is not None:
                yield waiting.key
            if roll is None:
                return
            places = roll.in_state(WAITS, start)
            if is_mixed:
                is_due = is_served and queue.is_sample_due()
                places = chain(
                    roll.in_state(WAITS, 0 if is_due else start, drawn=is_due),
                    roll.in_state(WAITS, start, drawn=not is_due),
                )
            listed = (roll.key(queue.store, at) for at in places)
            yield from islice((one for one in listed if one not in past), _TRY)

        return keys

    # ── what takes no time ──────────────────────────────────────────────────

    def typed(self, reason: str) -> None:
        """Take over the reason as it is typed; what comes next stores it."""
        if reason != self.reason:
            self.reason, self._is_kept = reason, False

    def takes_over(self, seen: RulingSeen) -> bool:
        """Whether a ruling needs no other reason: one is typed, or this was just taken back."""
        if self.unmasked is not None:
            return False
        is_again = self.earlier.is_taken_back and self.earlier.seen == seen
        return bool(self.reason.strip()) or is_again

    def mark_final(self) -> None:
        """Have the next ruling on this case settle what leads disagree about, or no longer."""
        self.is_final = not self.is_final

    def keep(self) -> None:
        """Store the reason as a draft, where it is not stored yet.

        Raises:
            StudyUnavailable: if it cannot be written.
        """
        if not self._is_kept and self.case is not None:
            self._light().keep_draft(self.case.key, None, self.reason)
            self._is_kept = True

    def renew(self) -> bool:
        """Keep the case for another lease; False where another lead has it by now."""
        case = self.case
        if case is None or case.ruling or self.unmasked is not None:
            return True
        return self._light().renew(case.key)

    def drop(self) -> None:
        """Leave: the reason is kept as a draft, and what is not ruled on goes back to the others.

        Raises:
            StudyUnavailable: if it cannot be written.
        """
        try:
            self.keep()
        finally:
            for case in (self.case, self.waiting):
                if case is not None and not case.ruling:
                    self._light().release(case.key)
            self.on_desk = self.waiting = None


def _open(queue: RulingQueue, key: str) -> OnDesk:
    """A case to rule on; one that this lead has ruled on, with its names if they were seen."""
    try:
        case = queue.look(key)
    except Conflict:
        return OnDesk(queue.take(key))
    return OnDesk(case, queue.unmask(key) if case.is_unmasked else None)


def _first(queue: RulingQueue, keys: Iterable[str]) -> OnDesk | None:
    """The first of these cases that can be taken."""
    for key in keys:
        try:
            return _open(queue, key)
        except Conflict:
            continue
    return None
