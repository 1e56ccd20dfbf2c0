"""How many votes of some kind stand, by annotator, in step with the log.

A vote that came is counted once, and one that stands no more is taken out again: nothing looks
through the log twice.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.stats.standing import PerRater
from core.stats.tally import Tally, Votes

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(slots=True)
class _Counted:
    """What was counted, and up to where in the log."""

    epoch: int
    revocations: int
    seq: int = 0
    by_rater: PerRater = field(default_factory=PerRater)


def standing_by_rater(tally: Tally, name: Hashable, is_wanted: Callable[[Votes], Bools]) -> Longs:
    """Votes that stand by annotator number, shape (annotators,).

    Args:
        name: the same for the same votes, and for nothing else.
        is_wanted: which of some votes are counted; the same for the same vote in one epoch.
    """
    key = "standing", name
    known: _Counted | None = tally.memo.get(key)
    if known is None or known.epoch != tally.epoch:
        known = _Counted(tally.epoch, tally.revocations)
    lost = tally.votes_lost(known.revocations, known.seq)
    came = tally.votes_from(known.seq)
    wanted = [votes.annotator[is_wanted(votes)] for votes in (lost, came)]
    for raters, by in zip(wanted, (-1, 1), strict=True):
        known.by_rater.add(raters, by)
    known.revocations, known.seq = tally.revocations, tally.last_vote_seq
    tally.memo.keep(key, known)
    return known.by_rater.rows(len(tally.annotators))


def without_times(tally: Tally) -> int:
    """How many votes stand of which nobody knows when they were cast."""

    def is_wanted(votes: Votes) -> Bools:
        return np.asarray(tally.times.of(votes.seq) <= 0)

    return int(standing_by_rater(tally, "without times", is_wanted).sum())
