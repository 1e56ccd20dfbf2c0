"""The queue as arrays: which items of a tally are in it, why, and what a ruling would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.adjudication import effect
from core.adjudication.case import SAMPLE_EVERY, Reason
from core.records import Combined
from core.stats.tally import BOTH_BAD, CHOICES, MODEL_2

if TYPE_CHECKING:
    from core.stats.view import View

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Codes = NDArray[np.int8]
Bools = NDArray[np.bool_]

REASONS: tuple[Reason, ...] = tuple(Reason)
BIT: Mapping[Reason, int] = {reason: 1 << place for place, reason in enumerate(REASONS)}
"""Each reason's bit in :attr:`Cases.reasons`; the most telling one has the lowest."""


def chances(seed: int, pairs: Longs, turns: Longs) -> Floats:
    """A number from 0 to 1 for each item, which follows from the seed and looks like chance.

    The same item has the same number for ever, so that a larger sample holds the smaller one.
    The mixing is that of SplitMix64 (Steele et al. 2014).
    """
    with np.errstate(over="ignore"):
        state = pairs.astype(np.uint64) << np.uint64(16) | turns.astype(np.uint64)
        state ^= np.uint64(seed & 0xFFFF_FFFF_FFFF_FFFF)
        for _ in range(2):
            state += np.uint64(0x9E37_79B9_7F4A_7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
            state ^= state >> np.uint64(31)
    return np.asarray((state >> np.uint64(11)).astype(np.float64) / 2.0**53)


@dataclass(frozen=True, slots=True)
class Marks:
    """What is in the log and in no count, as item numbers of the tally.

    Attributes:
        flagged: items with a standing flag.
        doubtful: items with a standing vote of the lowest confidence.
        second: items on which a second opinion is wanted.
        settled: items with a ruling that stands, oldest first, and what it says (1–4; 5 and 6
            where it gives no outcome).
    """

    flagged: Sequence[int] = ()
    doubtful: Sequence[int] = ()
    second: Sequence[int] = ()
    settled: Sequence[tuple[int, int]] = ()


class Cases:
    """What is in the queue, by item of a view over everything.

    Args:
        agreements, conflicts: shares of either kind that the random sample takes.
        seed: of the random sample.
    """

    def __init__(
        self, view: View, marks: Marks, *, agreements: float, conflicts: float, seed: int
    ) -> None:
        self.view = view
        self.marks = marks
        self._counts = view.counts()
        self._outcomes = list(view.judges().values())
        self._words = [each.choice for each in self._outcomes]
        self._disputes = self._find_disputes()
        self.is_disputed: Bools = self._disputes > 0
        self._share = np.where(self.is_disputed, conflicts, agreements)
        voted = self._counts.sum(axis=1) > 0
        pairs = view.tally.pair_ids(view.items)
        self.chance = chances(seed, pairs, view.turn.astype(np.int64))
        self.is_drawn: Bools = (self.chance < self._share) & voted
        self.probability = np.where(self.is_drawn, self._share, np.nan)
        self.reasons = self._all_reasons()

    def ruled_on(self, marks: Marks) -> Cases:
        """The same after other rulings, or other wishes for second opinions."""
        after = copy(self)
        after.marks = marks
        for name in ("ruled", "gold", "beliefs", "on_ranking", "on_agreement"):
            after.__dict__.pop(name, None)
        after.reasons = after._all_reasons()
        return after

    def _all_reasons(self) -> Longs:
        reasons = self._disputes.copy()
        reasons[self.is_drawn & ~self.is_disputed] |= BIT[Reason.AGREEMENT_SAMPLE]
        reasons[np.array(self.marks.second, np.int64)] |= BIT[Reason.SECOND_OPINION]
        return reasons

    def _find_disputes(self) -> Longs:
        counts, size = self._counts, len(self._counts)
        reasons = np.zeros(size, np.int64)
        given = counts > 0
        people = given.sum(axis=1)
        most = counts.max(axis=1)
        reasons[people > 1] |= BIT[Reason.HUMAN_SPLIT]
        every = given.copy()
        said: Bools = np.zeros((size, CHOICES), np.bool_)
        rows = np.arange(size)
        for outcomes in self._outcomes:
            flips = outcomes.is_kind(Combined.FLIP) | outcomes.is_kind(Combined.HALF_FLIP)
            reasons[flips] |= BIT[Reason.JUDGE_FLIP]
            word = np.where(flips, 0, outcomes.choice)
            clear = word > 0
            column = np.maximum(word - 1, 0)
            # Against people: none of the outcomes that most of them gave is the judge's.
            against = clear & (most > 0) & (counts[rows, column] < most)
            reasons[against] |= BIT[Reason.HUMAN_JUDGE]
            said[rows[clear], column[clear]] = True
        reasons[said.sum(axis=1) > 1] |= BIT[Reason.JUDGE_JUDGE]
        every |= said
        wins = every[:, :MODEL_2].any(axis=1)
        reasons[every[:, BOTH_BAD - 1] & wins] |= BIT[Reason.BOTH_BAD_OR_WIN]
        declined = self.view.tally.cannot_judge.item
        for reason, items in (
            (Reason.CANNOT_JUDGE, declined),
            (Reason.FLAGGED, self.marks.flagged),
            (Reason.LOW_CONFIDENCE, self.marks.doubtful),
        ):
            reasons[np.array(items, np.int64)] |= BIT[reason]
        return reasons

    # ── what a ruling would change ──────────────────────────────────────────

    @cached_property
    def ruled(self) -> Codes:
        """What rulings settled, 1–4, by item."""
        settled = np.zeros(len(self._counts), np.int8)
        for item, code in self.marks.settled:
            settled[item] = code if code <= CHOICES else 0
        return settled

    @cached_property
    def gold(self) -> Codes:
        """The label that counts now: a ruling's, or the majority's; 0 where there is none."""
        return np.where(self.ruled > 0, self.ruled, effect.majority(self._counts)).astype(np.int8)

    @cached_property
    def beliefs(self) -> effect.Beliefs:
        """How likely each outcome of a ruling is."""
        models = len(self.view.tally.models)
        block = self.view.model_1.astype(np.int64) * models + self.view.model_2
        return effect.believe(self._counts, self._words, block, self.ruled)

    @cached_property
    def on_ranking(self) -> Floats:
        """See :func:`core.adjudication.effect.on_ranking`."""
        view = self.view
        models = len(view.tally.models)
        return effect.on_ranking(self.beliefs, view.model_1, view.model_2, models)

    @cached_property
    def on_agreement(self) -> Floats:
        """See :func:`core.adjudication.effect.on_agreement`."""
        return effect.on_agreement(self.beliefs, self.gold, self._words)

    @cached_property
    def opinions(self) -> NDArray[Any]:
        """Opinions by outcome, people's and judges', shape (items, 4)."""
        total = self._counts.astype(np.int64)
        rows = np.arange(len(total))
        for word in self._words:
            said = word > 0
            total[rows[said], word[said] - 1] += 1
        return total

    def mixed(self, items: Longs, by: Floats, is_open: Bools, since: int) -> Longs:
        """Items in order of an effect, largest first, the random sample mixed in.

        One in five of what a lead rules on is to be of it. So the first of it stands behind as
        many others as are still to come before it, not always at the same place: the list is made
        anew after each ruling.

        The sample comes in an order of its own that knows nothing of the effect, and takes both
        kinds in step: as much of it as was ruled on is a random sample too, in which the shares
        stand to each other as they should.

        Args:
            is_open: which items this lead can rule on now; the others take no place.
            since: how many cases this lead ruled on after the last one of the sample.
        """
        drawn = items[self.is_drawn[items]]
        drawn = drawn[np.argsort(self.chance[drawn] / self._share[drawn], kind="stable")]
        others = items[~self.is_drawn[items]]
        others = others[np.argsort(-by[others], kind="stable")]
        between = SAMPLE_EVERY - 1
        first = max(0, between - since)

        def before(of: Longs) -> Longs:
            """How many of these that are open stand before each."""
            return np.asarray(np.cumsum(is_open[of]) - is_open[of])

        ahead = before(others)
        behind = np.where(ahead < first, 0, 1 + (ahead - first) // between)
        place = np.concatenate(
            [
                ahead + behind - np.where(is_open[others], 0.0, 0.5),
                first + before(drawn) * SAMPLE_EVERY - np.where(is_open[drawn], 0.0, 0.5),
            ]
        )
        return np.asarray(np.concatenate([others, drawn])[np.argsort(place, kind="stable")])


def reasons_of(bits: int) -> tuple[Reason, ...]:
    """The reasons of one item, the most telling first."""
    return tuple(reason for reason in REASONS if bits & BIT[reason])
