"""Numbers that keep up with a study: what a vote changes comes at once, what takes long after."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from db.store import Store

if TYPE_CHECKING:
    from core.stats.options import Options
    from core.stats.registry import Statistic
    from core.stats.results import Result
    from core.stats.view import View
    from db.feed import Feed

LOOK_EVERY = 0.5
"""Seconds between two looks at whether anything was committed; a look costs microseconds."""

_AT_A_TIME = 0.1
"""Seconds of long work between two looks; a part that was begun is brought to its end."""


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
    """What somebody who follows a study reads.

    Attributes:
        results: in their order; those that take long may be missing at first.
        now: the last moment of which any of it is.
        as_of: the moment of each result by its id; one that lags behind comes again soon.
        changed: the ids of the results that were computed since the numbers before these.
    """

    results: list[Result]
    now: Moment
    as_of: dict[str, Moment]
    changed: tuple[str, ...]


class Refresher:
    """The statistics of one study, brought up to date a step at a time.

    Those of which a vote changes little come first; the others after, one by one, and whoever
    takes the steps may look for new votes in between. So nothing waits for a statistic. One that
    rests on long work (a full fit) is told as it was kept up to date, comes again after the others
    once the work is due, and is then worked on in parts: it goes on where it was, whatever comes.

    Args:
        options: what the lead chose, asked each time.
        only: ids of the statistics wanted; none for all.
        times: read when votes were cast even where no option asks for it.

    Attributes:
        first: ids of the statistics that somebody looks at: they go before their like.
        results: by statistic; those that are due are of before.
        view: the study as of the last look; None before the first, and where no options fit.
    """

    def __init__(
        self,
        feed: Feed,
        options: Callable[[], Options],
        only: Collection[str] = (),
        *,
        times: bool = False,
    ) -> None:
        from core.stats.registry import chosen

        self.feed = feed
        self.first: Collection[str] = ()
        self.results: dict[str, Result] = {}
        self.view: View | None = None
        self._ask = options
        self._statistics = chosen(only)
        self._times = times or any(each.by_time for each in self._statistics)
        self._as_of: dict[str, Moment] = {}
        self._due: list[Statistic] = []
        self._late: set[str] = set()
        self._options: Options | None = None
        self._now = Moment(0, 0)
        self._looks = 0
        self._computed: dict[str, int] = {}

    @property
    def due(self) -> tuple[str, ...]:
        """The ids of the statistics that are yet to be computed."""
        return tuple(each.id for each in self._due)

    @property
    def following(self) -> Statistic | None:
        """The statistic to be computed next; None if none is due."""

        def place(each: Statistic) -> tuple[bool, int, bool]:
            # What waits longest goes first, so that a steady stream of votes starves nothing.
            is_quick = self.is_quick(each)
            waited_since = 0 if is_quick else self._computed.get(each.id, 0)
            return not is_quick, waited_since, each.id not in self.first

        return min(self._due, key=place, default=None)

    def is_quick(self, statistic: Statistic) -> bool:
        """Whether it can be computed at once."""
        return statistic.follows and statistic.id not in self._late

    def look(self) -> bool:
        """Read what is new; whether all statistics are due because of it.

        Raises:
            UsageError: if the options fit nothing in the study; nothing is due then.
        """
        from core.stats.view import View

        options = self._ask()
        news = self.feed.catch_up(times=self._times or options.is_timed)
        if self.view is not None and not news and options == self._options:
            return False
        if options != self._options:
            self._computed.clear()
        self._options, self.view, self._due = options, None, []
        tally = self.feed.tally
        self.view = View(tally, options)
        self._now = Moment(tally.last_vote_seq, tally.last_verdict_seq)
        self._looks += 1
        self._due = list(self._statistics)
        self._late = {each.id for each in self._due if self._is_needed(each, self.view)}
        return True

    @staticmethod
    def _is_needed(statistic: Statistic, view: View) -> bool:
        """Whether nothing can be told before its long work is done."""
        work = statistic.work(view) if statistic.work is not None else None
        return work is not None and work.is_needed

    def advance(self) -> str | None:
        """Compute the statistic that is next, of those that are due, or work on what it needs.

        Returns:
            Its id; None where there is more to be done before it can be told.
        """
        following, view = self.following, self.view
        assert following is not None
        assert view is not None
        is_late = following.id in self._late
        if is_late and not self._worked(following, view):
            return None
        self._due.remove(following)
        self.results[following.id] = following.run(view)
        self._as_of[following.id] = self._now
        # What was kept up to date has waited since it was last made anew.
        if is_late or following.work is None:
            self._computed[following.id] = self._looks
        if not is_late and following.work is not None and following.work(view) is not None:
            self._late.add(following.id)
            self._due.append(following)
        return following.id

    @staticmethod
    def _worked(statistic: Statistic, view: View) -> bool:
        """Work for a while on what a statistic rests on; whether all of it is done."""
        until = time.monotonic() + _AT_A_TIME
        while statistic.work is not None and (work := statistic.work(view)) is not None:
            while not work.go_on():
                if time.monotonic() >= until:
                    return False
        return True

    def catch_up(self) -> Numbers:
        """Read what is new, and compute what does not take long."""
        changed = []
        if self.look():
            while (following := self.following) is not None and self.is_quick(following):
                changed.append(self.advance())
        return self._told(*changed)

    def step(self) -> Numbers:
        """Compute one statistic that is due, or a part of it."""
        return self._told(self.advance())

    def _told(self, *computed: str | None) -> Numbers:
        changed = tuple(each for each in computed if each is not None)
        results = [self.results[each.id] for each in self._statistics if each.id in self.results]
        return Numbers(results, self._now, dict(self._as_of), changed)


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
        elif refresher.due:
            told = refresher.step()
        elif wait(LOOK_EVERY):
            return
        else:
            continue
        if told.changed:
            tell(told)


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
