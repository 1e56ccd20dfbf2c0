"""Who keeps the list of cases and carries out what a lead does, where it holds nobody up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from core.adjudication.case import Filter, Order, Reason, State
from core.errors import TiebreakError
from core.records import Role
from db.store import Clock, Store
from tui.background import Following
from tui.live import LOOK_EVERY
from tui.ruling_lines import WAITS

if TYPE_CHECKING:
    from db.ruling_list import Roll
    from db.ruling_queue import RulingQueue
    from tui.app import Who

_Made = TypeVar("_Made")

_SHARE = 10
"""The list is made anew for no more than a tenth of the time, however fast votes come."""

OPEN = frozenset({State.WAITING, State.MINE, State.TAKEN, State.REFUSED})
"""What is listed unless what is ruled on is asked for too."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases a lead wants to see, and in which order."""

    order: Order = Order.RANKING
    is_turned: bool = False
    reason: Reason | None = None
    category: str | None = None
    every: bool = False
    disputed: bool = False

    @property
    def filter(self) -> Filter:
        """The same as the queue takes it."""
        return Filter(
            frozenset() if self.reason is None else frozenset({self.reason}),
            frozenset(State) if self.every or self.disputed else OPEN,
            self.category,
            disputed=self.disputed,
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """The cases as of one moment.

    Attributes:
        roll: all that the filter lets through, in order.
        first: the place of the one that this lead left open, or else of the first that waits.
        waiting: how many of all wait for this lead.
        ruled: how many are ruled on.
        disputed: on how many leads disagree, as far as this lead may know.
        reasons: how many wait for each reason.
        categories: that the study has, in order.
    """

    wanted: Wanted
    roll: Roll
    first: int
    waiting: int
    ruled: int
    disputed: int
    reasons: dict[Reason, int]
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """Something to be done on the queue, and who is told what came of it."""

    do: Callable[[RulingQueue], Any]
    tell: Callable[[Any], None]


class Clerk(Following[Listed]):
    """Works on a connection of its own: keeps the list, and does one job at a time.

    A job goes before the next look. What it did is on the disk before anybody is told.
    """

    def __init__(
        self, study: Path, who: Who, tell: Callable[[Listed | Exception], None], clock: Clock
    ) -> None:
        super().__init__(study, "ruling clerk", tell, clock)
        self._who = who
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._wanted = Wanted()

    def do(
        self, work: Callable[[RulingQueue], _Made], tell: Callable[[_Made | TiebreakError], None]
    ) -> None:
        """Have something done soon.

        Args:
            tell: called in the clerk's thread with what came of it, or why it was refused.
        """
        self._jobs.put(_Job(work, tell))

    def want(self, wanted: Wanted) -> None:
        """List other cases from now on."""
        self._wanted = wanted
        self._jobs.put(None)

    def end(self) -> None:
        """Stop soon."""
        super().end()
        self._jobs.put(None)

    def work(self, store: Store) -> None:
        """Look, then work and look again until :meth:`end`."""
        from db.ruling_queue import RulingQueue

        store.clock = self._clock
        store.annotator(self._who.annotator, role=Role.LEAD)
        queue = RulingQueue(store, self._who.annotator, self._who.identity)
        listed: Listed | None = None
        version, rest = 0, 0.0
        while not self.ended.is_set():
            wanted, now = self._wanted, time.monotonic()
            is_old = version != store.data_version() and now >= rest
            if listed is None or is_old or listed.wanted != wanted:
                version = store.data_version()
                listed = self._look(queue, wanted)
                self._tell(listed)
                took = time.monotonic() - now
                rest = time.monotonic() + max(LOOK_EVERY, took * _SHARE)
            if self._does_a_job(queue):
                version = 0  # one's own commits are not in the version

    def _does_a_job(self, queue: RulingQueue) -> bool:
        """Wait a while for a job and do it; whether there was one."""
        try:
            job = self._jobs.get(timeout=LOOK_EVERY)
        except Empty:
            return False
        if job is None:
            return False
        try:
            made = job.do(queue)
        except TiebreakError as error:
            made = error
        job.tell(made)
        return True

    def _look(self, queue: RulingQueue, wanted: Wanted) -> Listed:
        from db.question_lines import categories

        roll = queue.roll(wanted.filter, wanted.order, backwards=wanted.is_turned)
        roll.rows(queue.store, 0, 1)  # what all rows rest on is computed here, not on the screen
        firsts = (next(roll.in_state({state}), None) for state in WAITS)
        return Listed(
            wanted,
            roll,
            next((place for place in firsts if place is not None), 0),
            queue.size(Filter()),
            queue.size(Filter(states=frozenset({State.RULED}))),
            queue.size(Filter(states=frozenset(State), disputed=True)),
            queue.counts(),
            categories(queue.store),
        )
