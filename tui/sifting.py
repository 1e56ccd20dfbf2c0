"""Looking through one's own votes while the screen goes on."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import TiebreakError
from core.seeking import Wanted
from db.store import Store
from tui.background import Background

_TELL_EVERY = 0.1
"""Seconds between two reports, so that a flood of finds does not become a flood of paints."""

_FIRST = 64
"""Finds after which the first report is made: more than a screen of them."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """What was found since the last report.

    Attributes:
        by: who looked.
        found: the ``seq`` of each vote, the newest first.
        looked: votes looked at, from the beginning.
        is_done: whether there are no more.
        refusal: what ended it before its time, if anything did.
    """

    by: Sifting
    found: array[int]
    looked: int
    is_done: bool
    refusal: TiebreakError | None = None


class Sifting(Background):
    """Finds an annotator's votes that hold all of some words.

    Args:
        every: votes that were changed or taken back, too.
        tell: called in this thread.
    """

    def __init__(
        self,
        study: Path,
        annotator_id: int,
        typed: str,
        tell: Callable[[Sifted], None],
        *,
        every: bool = False,
    ) -> None:
        super().__init__(study, "own votes")
        self._annotator_id = annotator_id
        self._wanted = Wanted(typed)
        self._every = every
        self._tell = tell
        self._found: array[int] = array("Q")
        self._looked = 0

    def run(self) -> None:
        """Look through all votes, and tell what was found."""
        super().run()
        if not self.ended.is_set():
            self._report(is_done=True)

    def work(self, store: Store) -> None:
        """Look until there is nothing more, or nobody waits for it."""
        due, is_first = time.monotonic() + _TELL_EVERY, True
        votes = store.history.sift(
            self._annotator_id, self._wanted, every=self._every, is_ended=self.ended.is_set
        )
        for seq, fits in votes:
            self._looked += 1
            if fits:
                self._found.append(seq)
            if time.monotonic() >= due or (is_first and len(self._found) == _FIRST):
                self._report()
                due, is_first = time.monotonic() + _TELL_EVERY, False

    def _report(self, *, is_done: bool = False) -> None:
        found, self._found = self._found, array("Q")
        self._tell(Sifted(self, found, self._looked, is_done, self.refusal))
