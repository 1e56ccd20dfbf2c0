"""When a pair is looked at: the clock without idle time, and whether a vote comes too soon."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

IDLE_AFTER = 60.0
"""Seconds without a key after which time no longer counts as active."""


class ActiveTime:
    """Seconds spent on a pair.

    Time without a key counts for ``IDLE_AFTER`` at most, and time while stopped not at all.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.restart()

    def restart(self) -> None:
        """Start from nothing, running."""
        self._seconds = 0.0
        self._is_stopped = False
        self._last = self._monotonic()

    def touch(self) -> None:
        """Something was pressed: the time since the last touch was active, up to the limit."""
        now = self._monotonic()
        if not self._is_stopped:
            self._seconds += min(now - self._last, IDLE_AFTER)
        self._last = now

    def stop(self) -> None:
        """Count nothing from now on."""
        self.touch()
        self._is_stopped = True

    def go_on(self) -> None:
        """Count again from now on."""
        self.touch()
        self._is_stopped = False

    def seconds(self) -> float:
        """Active seconds until now."""
        self.touch()
        return round(self._seconds, 3)


class Attentive:
    """What knows when a pair is looked at: the clock, and whether a vote comes too soon.

    Args:
        settings: the study's, as they were when this began.
        monotonic: seconds that never go back; tests hand in their own.
    """

    def __init__(self, settings: Mapping[str, Any], monotonic: Callable[[], float]) -> None:
        self.settings = settings
        self.active = ActiveTime(monotonic)
        self._monotonic = monotonic
        self._quiet_until = 0.0

    def begin(self) -> None:
        """A pair is taken. Keys that arrive before it is painted were meant for the one before."""
        self.active.restart()
        self._quiet_until = math.inf

    def pause(self) -> None:
        """Stop the clock."""
        self.active.stop()

    def go_on(self) -> None:
        """Let the clock run again. Keys that come before the pair is painted do not vote."""
        self.active.go_on()
        self._quiet_until = math.inf

    def shown(self) -> None:
        """The pair, or a question about a hasty vote, has just been painted."""
        self._quiet_until = self._monotonic() + int(self.settings["dwell_ms"]) / 1000

    def is_hasty(self) -> bool:
        """Whether a vote now would come before anybody could have looked."""
        return self._monotonic() < self._quiet_until
