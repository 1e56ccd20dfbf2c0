"""How often and how long to try before a task, an endpoint or a run is given up."""

from __future__ import annotations

import random
from dataclasses import dataclass

AGAIN = "verdicts had so far are kept; check the server, then start the judge again"
"""What to do when a run had to stop."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how long to try, by class of error. Times are in seconds.

    Attributes:
        transient: attempts at a task whose calls end in 5xx or a lost connection.
        timed_out: attempts at a task whose calls end in a time-out.
        garbled: attempts at a task whose answers are no chat completions.
        unread: attempts at a task whose replies hold no verdict.
        room: times as many tokens, once, for a task whose reply reached its limit; 1 for none.
        unreachable: attempts to connect, one after another, before an endpoint is given up.
        rate_limited: pauses in a row, with no reply between them, before it is given up.
        first_delay: the back-off after a first failure; it doubles each time.
        longest_delay: the longest back-off.
        longest_pause: a server that asks for more than this is given up.
        trips: failures in a row after which an endpoint is left alone for a while.
        rests: times in a row that it is left alone, without a reply between them, before it is
            given up: about two minutes.
        hopeless_at_start: tasks given up in a row, before any reply at all, that stop the run.
        hopeless: tasks given up in a row, later on, that stop the run.
    """

    transient: int = 6
    timed_out: int = 3
    garbled: int = 2
    unread: int = 1
    room: int = 2
    unreachable: int = 6
    rate_limited: int = 20
    first_delay: float = 0.5
    longest_delay: float = 30.0
    longest_pause: float = 900.0
    trips: int = 8
    rests: int = 9
    hopeless_at_start: int = 10
    hopeless: int = 50

    def back_off(self, tries: int, chance: random.Random) -> float:
        """Doubling waits, each cut by up to half so that calls do not return in step."""
        longest = min(self.longest_delay, self.first_delay * 2.0 ** min(tries - 1, 30))
        return longest * (0.5 + chance.random() / 2)
