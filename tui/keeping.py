"""Keeping the pair on the screen its annotator's for as long as there are signs of life."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from db.store import Store
from tui.background import Background

_PART = 8
"""Renewals that a lease has room for: who reads on after the last key keeps most of it."""


@dataclass(frozen=True, slots=True)
class Held:
    """The pair that its annotator is at.

    Attributes:
        since: when it was taken, in monotonic seconds.
    """

    assignment: int
    since: float


class Keeping:
    """Renews the lease of the pair that is held, in a thread: no key waits for the study.

    Args:
        lease: seconds that one lasts.
        held: tells what is held now.
        lost: called in a thread with the assignment whose pair is others' by now.
        monotonic: seconds that never go back; tests hand in their own.
    """

    def __init__(
        self,
        study: Path,
        annotator_id: int,
        lease: float,
        held: Callable[[], Held | None],
        lost: Callable[[int], object],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._study = study
        self._annotator_id = annotator_id
        self._every = lease / _PART
        self._held = held
        self._lost = lost
        self._monotonic = monotonic
        self._renewed: Held | None = None
        self.renewing: _Renewing | None = None

    def alive(self) -> None:
        """Somebody is there: renew the lease, unless that was done a moment ago."""
        held = self._held()
        if held is None or (self.renewing is not None and self.renewing.is_alive()):
            return
        now, since = self._monotonic(), held.since
        if self._renewed is not None and self._renewed.assignment == held.assignment:
            since = max(since, self._renewed.since)
        if now - since < self._every:
            return
        self._renewed = Held(held.assignment, now)
        self.renewing = _Renewing(self._study, self._annotator_id, held.assignment, self._lost)
        self.renewing.start()


class _Renewing(Background):
    """One renewal. Where the study is locked for long it is left to a later sign of life."""

    def __init__(
        self, study: Path, annotator_id: int, assignment: int, lost: Callable[[int], object]
    ) -> None:
        super().__init__(study, "lease")
        self._annotator_id = annotator_id
        self._assignment = assignment
        self._lost = lost

    def work(self, store: Store) -> None:
        """Renew the lease, and tell if that cannot be."""
        if not store.serving.renew(self._annotator_id, self._assignment):
            self._lost(self._assignment)
