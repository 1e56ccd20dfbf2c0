"""The judges as they work, read where it holds nobody up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from db.store import Clock, Store
from tui.background import Following

if TYPE_CHECKING:
    from db.judge_watch import Watch

LOOK_EVERY = 1.0
"""Seconds between two looks while judges are at work: rates and ages move by themselves."""

_AT_LEAST_EVERY = 10.0
"""Seconds between two looks while nothing is committed."""


class LiveJudges(Following["Watch"]):
    """Follows a study's judges on a connection of its own, and hands over what changed."""

    def __init__(
        self, study: Path, tell: Callable[[Watch | Exception], None], clock: Clock
    ) -> None:
        super().__init__(study, "live judges", tell, clock)

    def work(self, store: Store) -> None:
        """Look, then look again until :meth:`end`."""
        from db.judge_watch import JudgeFeed

        store.clock = self._clock
        feed = JudgeFeed(store)
        while not self.ended.is_set():
            watch = feed.look()
            self._tell(watch)
            told = time.monotonic()
            rest = LOOK_EVERY if watch.is_busy else _AT_LEAST_EVERY
            while not self.ended.wait(LOOK_EVERY):
                if feed.stale() or time.monotonic() - told >= rest:
                    break
