"""What failed verdicts could change: the lowest and highest value of a share (Manski 1989).

A failed verdict is no missing tie and says nothing: it could have been any of the choices. A share
that leaves it out is joined by the two values it would have had if every failure had gone against
it, and for it. No assumption about why calls fail is in these; votes' own spread is not either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.stats.outcomes import Bools

Floats = NDArray[np.float64]

_STEPS = 60


def extreme_shares(
    part: float, whole: float, parts: Floats, wholes: Floats, allowed: Bools
) -> tuple[float, float] | None:
    """The least and the greatest of (part + Σ parts) / (whole + Σ wholes).

    Each open item takes one of its options. A ratio of two sums is extreme where every item takes
    the option that is best at that ratio (Dinkelbach 1967), so that a few rounds find it.

    Args:
        part: of what is settled, how much is found.
        whole: of what is settled, how much was looked at.
        parts: the same of each open item by option, shape (open, options), 0 ≤ parts ≤ wholes.
        wholes: shape (open, options).
        allowed: which options an item has; at least one each.

    Returns:
        None where no choice of options leaves anything to look at.
    """
    if whole + np.where(allowed, wholes, 0.0).max(axis=1, initial=0.0).sum() <= 0:
        return None
    lowest = _least(part, whole, parts, wholes, allowed)
    highest = 1 - _least(whole - part, whole, wholes - parts, wholes, allowed)
    # The two are worked out apart; rounding must not turn them round.
    return max(0.0, min(lowest, highest)), min(1.0, max(lowest, highest))


def _least(part: float, whole: float, parts: Floats, wholes: Floats, allowed: Bools) -> float:
    rows = np.arange(len(parts))
    taken = np.where(allowed, wholes, -1.0).argmax(axis=1)
    share = (part + parts[rows, taken].sum()) / (whole + wholes[rows, taken].sum())
    for _ in range(_STEPS):
        taken = np.where(allowed, parts - share * wholes, np.inf).argmin(axis=1)
        found = part + parts[rows, taken].sum()
        looked = whole + wholes[rows, taken].sum()
        if found - share * looked >= -1e-12 * max(looked, 1.0):
            break
        share = found / looked
    return float(share)
