"""A floor that keeps up with a study, read where it holds nobody up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from db.store import Clock, Store
from tui.background import Following
from tui.live import LOOK_EVERY

if TYPE_CHECKING:
    from db.floor import Floor

_AT_LEAST_EVERY = 10.0
"""Seconds after which the floor is told again though nothing happened: time goes on."""


class LiveFloor(Following["Floor"]):
    """Follows a study on a connection of its own and hands over the floor as it changes."""

    def __init__(
        self, study: Path, tell: Callable[[Floor | Exception], None], clock: Clock
    ) -> None:
        super().__init__(study, "live floor", tell, clock)

    def work(self, store: Store) -> None:
        """Look, then look again until :meth:`end`."""
        from db.floor import FloorFeed

        store.clock = self._clock
        feed = FloorFeed(store)
        try:
            while not self.ended.is_set():
                self._tell(feed.look())
                told = time.monotonic()
                while not (feed.stale() or time.monotonic() - told > _AT_LEAST_EVERY):
                    if self.ended.wait(LOOK_EVERY):
                        return
                # However fast votes come: nobody reads faster than this.
                self.ended.wait(max(0.0, told + LOOK_EVERY - time.monotonic()))
        finally:
            feed.close()
