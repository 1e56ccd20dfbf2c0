"""When a study will be finished if it goes on as it does now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WINDOW = 3600.0
"""Seconds that are looked back upon."""

LEAST = 10
"""Finished pairs in the window below which nothing is said."""

_BINS = 12
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Finish:
    """How many hours are left, or why nobody can say.

    Attributes:
        per_hour: pairs finished in an hour; None if and only if ``reason`` is not empty.
        hours: until the last vote that is wanted.
        low: lower end of the 95% range of ``hours``.
        high: its upper end.
        n: pairs finished that it rests on.
        span: seconds in which they were finished.
    """

    per_hour: float | None = None
    hours: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    span: float = 0.0
    reason: str = ""


def finish(left: int, finished: Sequence[float], now: float) -> Finish:
    """The time that is left at the pace of the last hour.

    The pace counts from the first pair of the window on, which itself is not counted. Its range
    is the exact one of a Poisson count (Garwood 1936) at the effective count n/φ, where φ ≥ 1 is
    how much more the counts in twelve parts of the time differ than those of a Poisson process:
    people come and go, and take pairs of different length.

    Args:
        left: votes on pairs that are wanted yet.
        finished: when pairs were finished within :data:`WINDOW` before now, oldest first, in
            seconds on the clock of ``now``.
    """
    if left <= 0:
        return Finish(n=len(finished), reason="every vote that is wanted is there")
    n = len(finished) - 1
    if n < LEAST:
        return Finish(
            n=len(finished),
            reason=f"fewer than {LEAST + 1} pairs were finished within the last hour",
        )
    from scipy.special import gammaincinv

    span = max(now - finished[0], 1.0)
    counts, _ = np.histogram(finished[1:], _BINS, (finished[0], finished[0] + span))
    spread = max(1.0, float(counts.var(ddof=1) / counts.mean()))
    worth = n / spread
    tail = (1 - _LEVEL) / 2
    slowest = float(gammaincinv(worth, tail)) * spread
    fastest = float(gammaincinv(worth + 1, 1 - tail)) * spread
    # What is still to come varies by itself, too, in the same measure.
    extra = 1.96 * (left * spread) ** 0.5
    hours = span / 3600
    return Finish(
        n / hours,
        left / n * hours,
        max(0.0, left - extra) / fastest * hours,
        (left + extra) / slowest * hours,
        n,
        span,
    )
