"""When a lead may stop: win rates with intervals that hold however often one looks.

A confidence sequence holds at every moment at once, so that looking after each vote and stopping
when it pleases keeps its promise. The one here bets against each value of the win rate; its
boundary is Ville's: the stake of a fair game grows to 1/α with probability α at most. Source:
Waudby-Smith & Ramdas 2024, Estimating means of bounded random variables by betting, JRSS B 86
(arXiv:2010.09686), the hedged capital of section 4.3 with predictable plug-in bets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats.cast_order import ORDER
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import MODEL_1, MODEL_2
from core.stats.view import View
from core.text import many

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

_SAFE = 0.5
"""Share of the stake that one observation may cost at most."""

_HALVINGS = 30
"""Of the search for each end: 2⁻³⁰ of the scale."""

_LATE = (
    "votes came in after others that were cast later, and stand where they were cast: who looked "
    "before they came looked at other streams, for which the promise is one of its own"
)

NOT_YET, THIS_ONE, ALL = "not yet", "alone", "with all"


@dataclass(frozen=True, slots=True)
class Streams:
    """Observations in 0–1, one stream after the other, each in order of time.

    Attributes:
        values: shape (observations,).
        start: where each stream begins, shape (streams,); none is empty.
    """

    values: Floats
    start: Longs

    @property
    def sizes(self) -> Longs:
        """Observations of each stream."""
        return np.diff(np.append(self.start, len(self.values)))

    def parts(self) -> list[Floats]:
        """Each stream's observations."""
        return np.split(self.values, self.start[1:])


def bets(values: Floats, is_there: Bools, alpha: float) -> Floats:
    """How much to stake on each observation, from those before it alone.

    λ_t = √(2 log(2/α) / (σ²_{t−1} t log(1 + t))), with σ² the running variance that starts at ¼
    (equation 26 of the paper).

    Args:
        values: a row for each stream, filled up at its end; shape (streams, longest).
        is_there: which of them are observations.
    """
    place = np.arange(values.shape[1]) + 1
    mean = (0.5 + _running(values, is_there)) / (place + 1)
    variance = (0.25 + _running((values - mean) ** 2, is_there)) / (place + 1)
    before = np.concatenate([np.full((len(values), 1), 0.25), variance[:, :-1]], axis=1)
    return np.asarray(np.sqrt(2 * math.log(2 / alpha) / (before * place * np.log1p(place))))


def _running(values: Floats, is_there: Bools) -> Floats:
    """Sums from each row's beginning up to each observation; a row knows of no other."""
    return np.asarray(np.cumsum(np.where(is_there, values, 0.0), axis=1))


def sequence(streams: Streams, alpha: float) -> tuple[Floats, Floats]:
    """Both ends of each stream's confidence sequence, intersected over all moments so far.

    The stake against a win rate of m or less falls as m rises, so that each end is found by
    halving, for all streams at once. If the ends cross, no one win rate fits all of a stream.
    The ends of a stream do not depend on which others are looked at beside it.
    """
    sizes = streams.sizes
    low, high = np.zeros(len(sizes)), np.ones(len(sizes))
    # Streams of like length share a table, so that little of it is filled up.
    length = np.ceil(np.log2(sizes)).astype(np.int64)
    for each in np.unique(length).tolist():
        mine = np.flatnonzero(length == each)
        place = np.arange(int(sizes[mine].max()))
        is_there = place < sizes[mine][:, None]
        at = np.minimum(streams.start[mine][:, None] + place, len(streams.values) - 1)
        values = streams.values[at]
        low[mine] = _end(values, is_there, alpha)
        high[mine] = 1 - _end(1 - values, is_there, alpha)
    return low, high


def _end(values: Floats, is_there: Bools, alpha: float) -> Floats:
    """The largest m that the bets on more than m have broken; 0 if there is none."""
    stakes = bets(values, is_there, alpha)
    bar = math.log(2 / alpha)
    low, high = np.zeros(len(values)), np.ones(len(values))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        m = middle[:, None]
        staked = np.minimum(stakes, _SAFE / m)
        won = _running(np.log1p(staked * (values - m)), is_there)
        broken = won.max(axis=1) >= bar
        low, high = np.where(broken, middle, low), np.where(broken, high, middle)
    return low


def _known(view: View, streams: Streams, alpha: float) -> tuple[Floats, Floats]:
    """:func:`sequence`, where a stream that was worked out before is only looked up."""
    memo = view.tally.memo
    keys = [("sequence", alpha, each.tobytes()) for each in streams.parts()]
    told = [memo.get(key) for key in keys]
    fresh = [place for place, ends in enumerate(told) if ends is None]
    if fresh:
        parts = [streams.parts()[place] for place in fresh]
        start = np.cumsum([0, *map(len, parts)])[:-1]
        found = sequence(Streams(np.concatenate(parts), start), alpha)
        for place, *ends in zip(fresh, *(each.tolist() for each in found), strict=True):
            told[place] = (ends[0], ends[1])
            memo.keep(keys[place], told[place])
    low, high = np.array(told).T
    return low, high


def _first_votes(view: View) -> tuple[Longs, Floats]:
    """Pairs in order of their first vote, and what it gives to model_1: 1, ½ or 0."""
    item, annotator, choice = view.votes_as_cast
    keep = view.members(next(iter(view.populations)))[annotator]
    if not view.all_items:
        selected = np.zeros(len(view.tally.item_turn), np.bool_)
        selected[view.items] = True
        keep &= selected[item]
    if not keep.all():
        item, choice = item[keep], choice[keep]
    pair = view.tally.item_pair[item]
    # Where several land in one place, numpy keeps the last: backwards, the first vote.
    first_of = np.full(len(view.tally.pair_table), -1)
    first_of[pair[::-1]] = np.arange(len(pair))[::-1]
    is_first = np.zeros(len(pair), np.bool_)
    is_first[first_of[first_of >= 0]] = True
    first = np.flatnonzero(is_first)
    pair = pair.astype(np.int64)
    points = np.where(choice[first] == MODEL_1, 1.0, np.where(choice[first] == MODEL_2, 0.0, 0.5))
    return pair[first], points


def _matches(view: View) -> int:
    """How many match-ups of models there are to settle: all that have pairs, voted on or not.

    Those that have votes become more on the way, which would let the first stop too easily.
    """
    models = len(view.tally.models)
    one, two = view.tally.pair_table[:, :2].astype(np.int64).T
    return int(np.count_nonzero(np.bincount(one * models + two, minlength=1)))


def _with_mean(streams: Streams, ends: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Ends that hold the mean of each stream as well, crossed ones as they are.

    Where the win rate falls on the way, a sequence may lie above all that was won so far. What is
    printed, and what settles, is the wider of the two: it is on the safe side.
    """
    low, high = ends
    mean = np.array([each.mean() for each in streams.parts()])
    crossed = low > high
    low = np.where(crossed, low, np.minimum(low, mean))
    return low, np.where(crossed, high, np.maximum(high, mean))


def _row(
    view: View, labels: dict[str, Label], values: Floats, ends: tuple[float, float]
) -> Estimate:
    n, value = len(values), float(values.mean())
    low, high = ends
    if low > high:
        reason = (
            "no one win rate fits the first votes and the last ones, so that what is voted on, "
            "or who votes, has changed on the way"
        )
        return Estimate(labels, None, n=n, reason=reason)
    method = f"hedged betting over {many(n, 'pair')}"
    return Estimate(labels, value, low, high, view.options.level, n=n, method=method)


@statistic(
    "stopping",
    "When to stop: win rates that survive peeking",
    order=56,
    by_time=True,
    limits=(
        "Not a reason to stop looking at other numbers, whose intervals hold at one look only."
    ),
)
def stopping(view: View) -> Result:
    """A confidence sequence of each two models' win rate, and whether it settles who is better."""
    pair, points = _first_votes(view)
    late = () if view.tally.cast.is_log_order else (_LATE,)
    models = view.tally.models
    estimates: list[Estimate] = []
    matches = _matches(view)
    if pair.size:
        played = view.tally.pair_table[pair, :2].astype(np.int64)
        match = played[:, 0] * len(models) + played[:, 1]
        # Few models make small numbers, which numpy sorts by counting.
        small = match.astype(np.uint16) if len(models) < 256 else match
        order = np.argsort(small, kind="stable")
        start = np.flatnonzero(np.diff(match[order], prepend=-1))
        streams = Streams(points[order], start)
        alpha = 1 - view.options.level
        low, high = _with_mean(streams, _known(view, streams, alpha))
        low_all, high_all = low, high
        if matches > 1:
            low_all, high_all = _with_mean(streams, _known(view, streams, alpha / matches))
        parts = streams.parts()
        rows = []
        for place, (values, one) in enumerate(zip(parts, played[order[start]], strict=True)):
            settled = NOT_YET
            if low[place] > 0.5 or high[place] < 0.5:
                settled = THIS_ONE
            if low_all[place] > 0.5 or high_all[place] < 0.5:
                settled = ALL
            labels: dict[str, Label] = {
                "model_1": models[one[0]],
                "model_2": models[one[1]],
                "settled": settled,
            }
            rows.append(_row(view, labels, values, (float(low[place]), float(high[place]))))
        estimates = sorted(rows, key=lambda row: (row.labels["model_1"], row.labels["model_2"]))
    notes = [view.none_of("votes")] if not estimates else []
    if any(row.value is None for row in estimates):
        notes.append("where the win rate drifted, stop for another reason than these numbers")
    return Result(
        "stopping",
        "When to stop: win rates that survive peeking",
        "Points that model_1 takes from model_2; look as often as you like, and stop when settled.",
        ("model_1", "model_2", "settled"),
        tuple(estimates),
        tuple(notes),
        view.assumptions(
            "a win is one point, a tie or both bad half a point for each",
            "one observation a pair of answers: its first vote; further votes on it tell of the "
            "same pair, and are not in here",
            f"pairs come {ORDER}",
            *late,
            "pairs come as if drawn at random from those that could come, whatever was voted so "
            "far",
            f"settled: '{THIS_ONE}' errs once in {1 / (1 - view.options.level):.0f} studies for "
            f"these two models; '{ALL}' errs as rarely for all {matches} match-ups at once",
            "the interval is that of these two models alone, at every moment so far at once",
        ),
    )
