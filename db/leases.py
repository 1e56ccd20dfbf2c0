"""Whose jobs may be given to another. Leases are short, and renewed while their owner lives.

A process on this host is known to live or not. One on another host is taken for gone only once
this process, itself awake all the while, saw no sign of life from it for as long as a lease lasts
(by its own clock: hosts' clocks differ, and who waited for a busy disk was not dead), or once
its lease ended so long ago that no call can be under way any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from db.processes import is_gone, is_here

LEASE = 60.0
"""Seconds that a lease lasts if nobody renews it; a worker does each second."""

_GAP = 10.0
"""Seconds between two looks after which what was seen before counts no more: this process slept."""


class Silence:
    """What one worker has heard of the others.

    Args:
        patience: seconds for which a lapsed lease is left to an owner who may be at work still,
            such as one that hangs: longer than any call.
    """

    def __init__(
        self,
        patience: float,
        *,
        lease: float = LEASE,
        gone: Callable[[str], bool] = is_gone,
        here: Callable[[str], bool] = is_here,
    ) -> None:
        self._patience = patience
        self._lease = lease
        self._gone = gone
        self._here = here
        self._looked: datetime | None = None
        self._heard: dict[str, tuple[str, datetime]] = {}

    def listen(self, signs: Iterable[tuple[str, str]], now: datetime) -> None:
        """Take note of the last sign of life of each other worker: (owner, seen_at)."""
        if self._looked is None or not 0 <= (now - self._looked).total_seconds() <= _GAP:
            self._heard.clear()
        self._looked = now
        before, self._heard = self._heard, {}
        for owner, seen_at in signs:
            known = before.get(owner)
            is_same = known is not None and known[0] == seen_at
            self._heard[owner] = known if known and is_same else (seen_at, now)

    def is_over(self, owner: str, lease_until: str, now: datetime) -> bool:
        """Whether the jobs of a lapsed lease may be given to another."""
        if (now - datetime.fromisoformat(lease_until)).total_seconds() > self._patience:
            return True
        if self._here(owner):
            return self._gone(owner)
        if owner not in self._heard:
            return False
        return (now - self._heard[owner][1]).total_seconds() >= self._lease
