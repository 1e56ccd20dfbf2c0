"""Numbers that keep up with a study and with what a lead looks at, where they hold nobody up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TiebreakError, UsageError
from db.store import Clock, Store
from tui.background import Following
from tui.live import LOOK_EVERY, Refresher, options_of

if TYPE_CHECKING:
    from core.stats.behind import Behind
    from core.stats.results import Label, Result
    from db.feed import Feed

_TELL_EVERY = 0.2
"""Seconds between two reports of a round that is still at work."""

_REST = 20
"""The queue is counted anew only after so many times what the last count took."""


@dataclass(frozen=True, slots=True)
class Board:
    """Everything a lead reads, as of one moment.

    Attributes:
        results: by statistic; those in ``waiting`` are of an earlier moment.
        waiting: statistics that are yet to be computed; none once all are of this moment.
        at_work: the statistic that is being computed.
        is_cancelled: whether the rest was cancelled.
        counts: what the study holds, by kind.
        days: votes cast on each day.
        people: what the rows of votes are called.
        choices: what can be chosen for each filter.
    """

    results: Mapping[str, Result]
    waiting: tuple[str, ...]
    at_work: str
    is_cancelled: bool
    counts: Mapping[str, int]
    days: Sequence[tuple[str, int]]
    people: str
    choices: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A number whose items are to be handed to ``tell``."""

    labels: Mapping[str, Label]
    told: Collection[tuple[int, int]]
    tell: Callable[[Behind | Exception], None]


@dataclass(slots=True)
class _Wanted:
    """What the lead looks at; changed by the screen, read by the thread."""

    chosen: Mapping[str, Any] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    is_cancelled: bool = False
    opened: _Opened | None = None
    version: int = 0


class LiveBoard(Following["Board"]):
    """Follows a study, and computes what is quick or looked at first.

    One tally is kept for good, and watched: a vote costs most statistics what it changes. They are
    computed one by one. Whatever is committed in between is read at once, and what is quick goes
    before what takes long again.
    """

    def __init__(
        self, study: Path, tell: Callable[[Board | Exception], None], clock: Clock
    ) -> None:
        super().__init__(study, "live board", tell, clock)
        self._wanted = _Wanted()
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._took: dict[str, float] = {}
        self._told = 0.0
        self._said_cancelled = False
        self._queued: dict[str, int] = {}
        self._next_queued = 0.0
        self._is_queue_of_before = True
        self._turns: set[int] = set()
        self._items = 0
        self._counts: dict[str, int] = {}
        self._days: list[tuple[str, int]] = []
        self._choices: dict[str, list[str]] = {}

    # ── what the screen says, in its own thread ─────────────────────────────

    def choose(self, chosen: Mapping[str, Any]) -> None:
        """Compute with these options from now on: fields of ``core.stats.options.Options``."""
        with self._lock:
            self._wanted.chosen = dict(chosen)
            self._wanted.is_cancelled = False
            self._wanted.version += 1
        self._woken.set()

    def look_at(self, ids: tuple[str, ...]) -> None:
        """Compute these statistics before the others."""
        with self._lock:
            self._wanted.first = ids

    def cancel(self) -> None:
        """Leave out the rest; the next change, or :meth:`choose`, begins anew."""
        with self._lock:
            self._wanted.is_cancelled = True

    def open(
        self,
        labels: Mapping[str, Label],
        told: Collection[tuple[int, int]],
        tell: Callable[[Behind | Exception], None],
    ) -> None:
        """Have the items behind a number handed to ``tell``, in this thread.

        Args:
            told: the items, as (pair_id, turn), whose agreement may be told.
        """
        with self._lock:
            self._wanted.opened = _Opened(labels, told, tell)
        self._woken.set()

    def end(self) -> None:
        """Stop soon."""
        super().end()
        self._woken.set()

    # ── the thread ──────────────────────────────────────────────────────────

    def work(self, store: Store) -> None:
        """Compute, then look again until :meth:`end`."""
        from core.stats.tally import Tally
        from db.feed import Feed

        store.clock = self._clock
        refresher = Refresher(
            Feed(store, Tally()), lambda: options_of(store, **self._wanted.chosen), times=True
        )
        version: int | None = None
        while not self.ended.is_set():
            try:
                wanted = self._wanted.version
                if wanted != version or refresher.feed.stale():
                    self._look(store, refresher, is_asked=wanted != version)
                    version = wanted
                elif refresher.due and not self._wanted.is_cancelled:
                    self._step(refresher)
                elif refresher.due and not self._said_cancelled:
                    self._report(refresher)
                elif not self._rest(store, refresher):
                    self._woken.wait(LOOK_EVERY)
                    self._woken.clear()
            except UsageError as error:
                version = wanted
                self._tell(error)  # a filter that fits nothing: the lead chooses another
            self._answer(refresher)

    def _look(self, store: Store, refresher: Refresher, *, is_asked: bool) -> None:
        """Read what is new, and begin anew where anything is."""
        refresher.first = self._wanted.first
        is_new = refresher.look()
        before, self._is_queue_of_before = self._counts, True
        self._counts = self._counted(store, refresher.feed)
        if is_new:
            with self._lock:
                self._wanted.is_cancelled = False
            self._days, self._choices = _days(refresher.feed), self._offered(refresher.feed)
            self._told = time.monotonic()
        elif is_asked or self._counts != before:
            self._report(refresher)

    def _step(self, refresher: Refresher) -> None:
        """Compute the next statistic; those that are looked at go before their like."""
        refresher.first = self._wanted.first
        following = refresher.following
        assert following is not None
        begun = time.monotonic()
        # What takes long is named before it begins; how long is known from the last time.
        if begun + self._took.get(following.id, _TELL_EVERY) - self._told > _TELL_EVERY:
            self._report(refresher)
        is_quick = refresher.is_quick(following)
        refresher.advance()
        self._took[following.id] = time.monotonic() - begun
        then = refresher.following
        # What is quick is shown together, and not kept back for what takes long.
        if then is None or self._wanted.is_cancelled or (is_quick and not refresher.is_quick(then)):
            self._report(refresher)

    def _rest(self, store: Store, refresher: Refresher) -> bool:
        """Count the queue where that was put off; whether there is anything to tell."""
        if not self._is_queue_of_before or time.monotonic() < self._next_queued:
            return False
        before, self._counts = self._counts, self._counted(store, refresher.feed)
        if self._counts == before:
            return False
        self._report(refresher)
        return True

    def _report(self, refresher: Refresher) -> None:
        from core.stats.registry import registered

        results = refresher.results
        following, is_cancelled = refresher.following, self._wanted.is_cancelled
        view = refresher.view
        self._tell(
            Board(
                {each.id: results[each.id] for each in registered() if each.id in results},
                refresher.due,
                following.id if following is not None and not is_cancelled else "",
                is_cancelled and following is not None,
                self._counts,
                self._days,
                "" if view is None else view.people,
                self._choices,
            )
        )
        self._told, self._said_cancelled = time.monotonic(), is_cancelled

    def _counted(self, store: Store, feed: Feed) -> dict[str, int]:
        """What the study holds; the queue is counted after a rest only, as that reads all of it."""
        begun = time.monotonic()
        if begun >= self._next_queued:
            self._queued = store.reading.queued()
            self._next_queued = begun + _REST * (time.monotonic() - begun)
            self._is_queue_of_before = False
        tally = feed.tally
        return {
            "votes": int(tally.votes_standing.sum()),
            "verdicts": tally.verdicts_standing,
            "rulings": len(tally.rulings),
            "simulated_annotators": len(store.reading.simulated()),
            **self._queued,
        }

    def _offered(self, feed: Feed) -> dict[str, list[str]]:
        """What can be chosen for each filter."""
        tally = feed.tally
        self._turns.update(set(tally.item_turn[self._items :].tolist()))
        self._items = len(tally.item_turn)
        panels = [f"panel: {panel.name}" for panel in tally.panels]
        return {
            "category": sorted({each for each in tally.categories if each}),
            "turn": sorted(map(str, self._turns)),
            "model": sorted(tally.models),
            "annotator": sorted(tally.annotators),
            "group": sorted(set(tally.annotator_groups)),
            "judge": sorted(tally.judges) + panels,
        }

    def _answer(self, refresher: Refresher) -> None:
        """Look up what is behind a number, if somebody opened one."""
        from core.stats.behind import behind

        with self._lock:
            opened, self._wanted.opened = self._wanted.opened, None
        if opened is None:
            return
        tell = opened.tell
        try:
            if refresher.view is None:
                raise UsageError("there are no numbers with these filters", "Choose others.")
            tell(behind(refresher.view, opened.labels, told=opened.told))
        except TiebreakError as error:
            tell(error)


def _days(feed: Feed) -> list[tuple[str, int]]:
    """How many votes were cast on each day (UTC), as far as their times are known."""
    from datetime import UTC, datetime

    found = feed.tally.times.days()
    return [
        (datetime.fromtimestamp(day * 86400, UTC).date().isoformat(), count) for day, count in found
    ]
