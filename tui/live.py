"""Numbers that keep up with a study, computed where they hold nobody up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TiebreakError
from db.store import Store

if TYPE_CHECKING:
    from core.stats.options import Options
    from core.stats.results import Result
    from db.feed import Feed

LOOK_EVERY = 0.5
"""Seconds between two looks at whether anything was committed; a look costs microseconds."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Everything a lead reads, as of one moment.

    Attributes:
        counts: what the study holds, by kind.
    """

    results: list[Result]
    counts: dict[str, int]


class LiveNumbers(threading.Thread):
    """Follows a study on a connection of its own and hands over new numbers as they come.

    Args:
        tell: called in this thread with new numbers, or with the refusal that ended it.
    """

    def __init__(self, study: Path, tell: Callable[[Numbers | TiebreakError], None]) -> None:
        super().__init__(name="live numbers", daemon=True)
        self._study = study
        self._tell = tell
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
                while True:
                    feed.catch_up()
                    self._tell(numbers(store, feed, options_of(store)))
                    while not feed.stale():
                        if self._ended.wait(LOOK_EVERY):
                            return
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

    return Numbers(compute(feed.tally, options), store.reading.counts())
