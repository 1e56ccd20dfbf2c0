"""Numbers that keep up with a study and with what a lead looks at, where they hold nobody up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TiebreakError, UsageError
from db.store import Clock, Store
from tui.background import Following
from tui.live import LOOK_EVERY, options_of

if TYPE_CHECKING:
    from core.stats.behind import Behind
    from core.stats.registry import Statistic
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
        waiting: statistics that this round has yet to compute; none once it is done.
        at_work: the statistic that is being computed.
        is_cancelled: whether the rest of the round was cancelled.
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


@dataclass(slots=True)
class _Wanted:
    """What the lead looks at; changed by the screen, read by the thread."""

    chosen: Mapping[str, Any] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    is_cancelled: bool = False
    opened: tuple[Mapping[str, Label], Callable[[Behind | Exception], None]] | None = None
    version: int = 0


class LiveBoard(Following["Board"]):
    """Follows a study, computes what is looked at first, and begins anew where that changes."""

    def __init__(
        self, study: Path, tell: Callable[[Board | Exception], None], clock: Clock
    ) -> None:
        super().__init__(study, "live board", tell, clock)
        self._wanted = _Wanted()
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._results: dict[str, Result] = {}
        self._took: dict[str, float] = {}
        self._queued: dict[str, int] = {}
        self._next_queued = 0.0

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
        """Leave out the rest of this round; the next change, or :meth:`choose`, begins another."""
        with self._lock:
            self._wanted.is_cancelled = True

    def open(self, labels: Mapping[str, Label], tell: Callable[[Behind | Exception], None]) -> None:
        """Have the items behind a number handed to ``tell``, in this thread."""
        with self._lock:
            self._wanted.opened = labels, tell
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
        feed = Feed(store, Tally())
        while not self.ended.is_set():
            version = self._wanted.version
            feed.catch_up(times=True)
            try:
                self._round(store, feed, version)
            except UsageError as error:
                self._tell(error)  # a filter that fits nothing: the lead chooses another
            while not (self.ended.is_set() or feed.stale() or self._wanted.version != version):
                self._answer(store, feed)
                self._woken.wait(LOOK_EVERY)
                self._woken.clear()

    def _round(self, store: Store, feed: Feed, version: int) -> None:
        from core.stats.registry import registered
        from core.stats.view import View

        with self._lock:
            chosen = self._wanted.chosen
            self._wanted.is_cancelled = False
        options = options_of(store, **chosen)
        view = View(feed.tally, options)
        counts, days = self._counted(store, feed), _days(feed)
        choices = _choices(feed)
        left = list(registered())
        told = 0.0

        def board(at_work: str, *, is_cancelled: bool = False) -> Board:
            waiting = tuple(each.id for each in left)
            results = {
                each.id: self._results[each.id] for each in registered() if each.id in self._results
            }
            return Board(
                results, waiting, at_work, is_cancelled, counts, days, options.people, choices
            )

        while left:
            if self.ended.is_set() or self._wanted.version != version:
                return
            if self._wanted.is_cancelled:
                self._tell(board("", is_cancelled=True))
                return
            following = self._following(left)
            begun = time.monotonic()
            # What takes long is named before it begins; how long is known from the last time.
            took = self._took.get(following.id, _TELL_EVERY)
            if begun + took - told > _TELL_EVERY:
                self._tell(board(following.id))
                told = begun
            self._results[following.id] = following.run(view)
            self._took[following.id] = time.monotonic() - begun
            left.remove(following)
            self._answer(store, feed)
        self._tell(board(""))

    def _counted(self, store: Store, feed: Feed) -> dict[str, int]:
        """What the study holds; the queue is counted after a rest only, as that reads all of it."""
        from core.stats.tally import CHOICES

        begun = time.monotonic()
        if begun >= self._next_queued:
            self._queued = store.reading.queued()
            self._next_queued = begun + _REST * (time.monotonic() - begun)
        tally = feed.tally
        verdicts = (sum(tally.verdict_calls(judge)) for judge in range(len(tally.judges)))
        return {
            "votes": int(tally.vote_counts()[:, :CHOICES].sum()),
            "verdicts": sum(verdicts),
            "rulings": len(tally.rulings),
            "simulated_annotators": len(store.reading.simulated()),
            **self._queued,
        }

    def _following(self, left: Sequence[Statistic]) -> Statistic:
        """The next statistic: of those looked at, otherwise in their own order."""
        first = self._wanted.first
        return next((each for each in left if each.id in first), left[0])

    def _answer(self, store: Store, feed: Feed) -> None:
        """Look up what is behind a number, if somebody opened one."""
        from core.stats.behind import behind
        from core.stats.view import View

        with self._lock:
            opened, self._wanted.opened = self._wanted.opened, None
            chosen = self._wanted.chosen
        if opened is None:
            return
        labels, tell = opened
        try:
            tell(behind(View(feed.tally, options_of(store, **chosen)), labels))
        except TiebreakError as error:
            tell(error)


def _days(feed: Feed) -> list[tuple[str, int]]:
    """How many votes were cast on each day (UTC), as far as their times are known."""
    from datetime import UTC, datetime

    found = feed.tally.times.days()
    return [
        (datetime.fromtimestamp(day * 86400, UTC).date().isoformat(), count) for day, count in found
    ]


def _choices(feed: Feed) -> dict[str, list[str]]:
    tally = feed.tally
    panels = [f"panel: {panel.name}" for panel in tally.panels]
    return {
        "category": sorted({each for each in tally.categories if each}),
        "turn": sorted({str(turn) for turn in set(tally.item_turn.tolist())}),
        "model": sorted(tally.models),
        "annotator": sorted(tally.annotators),
        "group": sorted(set(tally.annotator_groups)),
        "judge": sorted(tally.judges) + panels,
    }
