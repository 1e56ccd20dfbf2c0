"""Numbers that keep up with a study, computed where they hold nobody up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TiebreakError
from db.store import Store

if TYPE_CHECKING:
    from core.stats.options import Options
    from core.stats.registry import Statistic
    from core.stats.results import Result
    from core.stats.view import View
    from db.feed import Feed

LOOK_EVERY = 0.5
"""Seconds between two looks at whether anything was committed; a look costs microseconds."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a number is as of: the last rows of the logs that are in it.

    Attributes:
        vote: the seq of the last vote.
        verdict: of the last verdict.
    """

    vote: int
    verdict: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a lead reads.

    Attributes:
        results: in their order; those that take long may be missing at first.
        counts: what the study holds, by kind.
        now: the last moment of which any of it is.
        as_of: the moment of each result by its id; one that lags behind comes again soon.
        every: the ids of all statistics that are wanted, in their order.
        changed: the ids of the results that were computed since the numbers before these.
        follows: whether a vote costs what it changes; filters of who voted when count anew.
    """

    results: list[Result]
    counts: dict[str, int]
    now: Moment
    as_of: dict[str, Moment]
    every: tuple[str, ...]
    changed: tuple[str, ...]
    follows: bool = True


class Refresher:
    """The statistics of one study, brought up to date a step at a time.

    Those of which a vote changes little are computed at once; the others after, one by one, and
    whoever takes the steps may look for new votes in between. So nothing waits for a statistic.

    Args:
        options: what the lead chose, asked each time.
        only: ids of the statistics wanted; none for all.
    """

    def __init__(
        self, feed: Feed, options: Callable[[], Options], only: Collection[str] = ()
    ) -> None:
        from core.stats.registry import chosen

        self.feed = feed
        self._ask = options
        self._statistics = chosen(only)
        self._results: dict[str, Result] = {}
        self._as_of: dict[str, Moment] = {}
        self._due: list[Statistic] = []
        self._options: Options | None = None
        self._view: View | None = None
        self._now = Moment(0, 0)

    @property
    def is_due(self) -> bool:
        """Whether a statistic is yet to be computed."""
        return bool(self._due)

    def catch_up(self) -> Numbers:
        """Read what is new, and compute what does not take long."""
        from core.stats.view import View

        options = self._ask()
        news = self.feed.catch_up(times=options.is_timed)
        tally = self.feed.tally
        if self._view is not None and not news and options == self._options:
            return self._told(())
        self._options, self._view = options, View(tally, options)
        self._now = Moment(tally.last_vote_seq, tally.last_verdict_seq)
        quick = [each for each in self._statistics if each.follows]
        slow = [each for each in self._statistics if not each.follows]
        # What waits longest goes first, so that a steady stream of votes starves nothing.
        self._due = sorted(slow, key=lambda each: self._moment(each.id).vote)
        return self._told(self._compute(quick))

    def step(self) -> Numbers:
        """Compute one statistic that is due."""
        return self._told(self._compute([self._due.pop(0)]))

    def _moment(self, id: str) -> Moment:
        return self._as_of.get(id, Moment(0, 0))

    def _compute(self, statistics: Iterable[Statistic]) -> tuple[str, ...]:
        assert self._view is not None
        done = []
        for each in statistics:
            self._results[each.id] = each.run(self._view)
            self._as_of[each.id] = self._now
            done.append(each.id)
        return tuple(done)

    def _told(self, changed: tuple[str, ...]) -> Numbers:
        results = [self._results[each.id] for each in self._statistics if each.id in self._results]
        tally = self.feed.tally
        counts = {
            "votes": int(tally.votes_standing.sum()),
            "verdicts": tally.verdicts_standing,
            "simulated_annotators": len(self.feed.store.reading.simulated()),
        }
        follows = self._view is None or self._view.follows_votes
        every = tuple(each.id for each in self._statistics)
        return Numbers(results, counts, self._now, dict(self._as_of), every, changed, follows)


def follow(
    refresher: Refresher, tell: Callable[[Numbers], None], wait: Callable[[float], bool]
) -> None:
    """Hand over numbers as they come, until told to end.

    Args:
        wait: waits so many seconds; whether to end.
    """
    tell(refresher.catch_up())
    while not wait(0):
        if refresher.feed.stale():
            told = refresher.catch_up()
        elif refresher.is_due:
            told = refresher.step()
        elif wait(LOOK_EVERY):
            return
        else:
            continue
        if told.changed:
            tell(told)


class LiveNumbers(threading.Thread):
    """Follows a study on a connection of its own and hands over new numbers as they come.

    Args:
        tell: called in this thread with new numbers, or with the refusal that ended it.
        chosen: fields of :class:`core.stats.options.Options`.
    """

    def __init__(
        self, study: Path, tell: Callable[[Numbers | TiebreakError], None], **chosen: Any
    ) -> None:
        super().__init__(name="live numbers", daemon=True)
        self._study = study
        self._tell = tell
        self._chosen = chosen
        self._ended = threading.Event()

    def end(self) -> None:
        """Stop soon."""
        self._ended.set()

    def run(self) -> None:
        """Compute, then look again until :meth:`end`."""
        from core.stats.tally import Tally
        from db.feed import Feed

        try:
            with Store(self._study) as store:
                feed = Feed(store, Tally())
                refresher = Refresher(feed, lambda: options_of(store, **self._chosen))
                follow(refresher, self._tell, self._ended.wait)
        except TiebreakError as error:
            self._tell(error)


def options_of(store: Store, **chosen: Any) -> Options:
    """The options for a study's numbers: its own settings, and what was chosen for this time.

    Args:
        chosen: fields of :class:`core.stats.options.Options`.
    """
    from core.stats.options import Elo, Options

    settings = store.settings()
    excluded = tuple(settings["exclude_groups"])
    chosen.setdefault("repeats", settings["judge_repeats"])
    people = _people(store, chosen.get("group"), excluded)
    if (annotator := chosen.get("annotator")) is not None:
        people = "simulated" if annotator in store.reading.simulated() else "human"
    return Options(
        people=people,
        exclude_groups=excluded,
        annotator_kind=settings["annotator_kind"],
        elo=Elo(*(settings[f"elo_{name}"] for name in ("k", "start", "scale", "tie"))),
        policy=settings["policy"],
        acceptable_by=settings["acceptable_by"],
        **chosen,
    )


def _people(store: Store, group: str | None, excluded: tuple[str, ...]) -> str:
    """What those who voted are called: simulated annotators are never called human."""
    kinds = {
        simulated
        for simulated, belongs in store.reading.voters()
        if (belongs == group if group is not None else belongs not in excluded)
    }
    return {(True,): "simulated", (False, True): "human + simulated"}.get(
        tuple(sorted(kinds)), "human"
    )


def numbers(store: Store, feed: Feed, options: Options) -> Numbers:
    """Every registered statistic, on what the feed has read."""
    from core.stats import compute

    tally = feed.tally
    results = compute(tally, options)
    now = Moment(tally.last_vote_seq, tally.last_verdict_seq)
    ids = tuple(result.id for result in results)
    return Numbers(results, store.reading.counts(), now, dict.fromkeys(ids, now), ids, ids)
