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

from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import MODEL_1, MODEL_2
from core.stats.view import View

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

_SAFE = 0.5
"""Share of the stake that one observation may cost at most."""

_HALVINGS = 30
"""Of the search for each end: 2⁻³⁰ of the scale."""

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

    def running(self, values: Floats) -> Floats:
        """Sums from each stream's beginning up to each observation."""
        total = np.cumsum(values)
        before = total[self.start] - values[self.start]
        return total - np.repeat(before, self.sizes)


def bets(streams: Streams, alpha: float) -> Floats:
    """How much to stake on each observation, from those before it alone.

    λ_t = √(2 log(2/α) / (σ²_{t−1} t log(1 + t))), with σ² the running variance that starts at ¼
    (equation 26 of the paper).
    """
    place = np.arange(len(streams.values)) - np.repeat(streams.start, streams.sizes) + 1
    mean = (0.5 + streams.running(streams.values)) / (place + 1)
    variance = (0.25 + streams.running((streams.values - mean) ** 2)) / (place + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    before[streams.start] = 0.25
    return np.asarray(np.sqrt(2 * math.log(2 / alpha) / (before * place * np.log1p(place))))


def sequence(streams: Streams, alpha: float) -> tuple[Floats, Floats]:
    """Both ends of each stream's confidence sequence, intersected over all moments so far.

    The stake against a win rate of m or less falls as m rises, so that each end is found by
    halving, for all streams at once. If the ends cross, no one win rate fits all of a stream.
    """
    low = _end(streams, alpha)
    high = 1 - _end(Streams(1 - streams.values, streams.start), alpha)
    return low, high


def _end(streams: Streams, alpha: float) -> Floats:
    """The largest m that the bets on more than m have broken; 0 if there is none."""
    stakes, sizes = bets(streams, alpha), streams.sizes
    bar = math.log(2 / alpha)
    low, high = np.zeros(len(sizes)), np.ones(len(sizes))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        m = np.repeat(middle, sizes)
        staked = np.minimum(stakes, _SAFE / m)
        won = streams.running(np.log1p(staked * (streams.values - m)))
        broken = np.maximum.reduceat(won, streams.start) >= bar
        low, high = np.where(broken, middle, low), np.where(broken, high, middle)
    return low


def _first_votes(view: View) -> tuple[Longs, Floats]:
    """Pairs in order of their first vote, and what it gives to model_1: 1, ½ or 0."""
    item, annotator, choice, _ = view.votes
    selected = np.zeros(len(view.tally.item_turn), np.bool_)
    selected[view.items] = True
    keep = selected[item] & view.members(next(iter(view.populations)))[annotator]
    pair = view.tally.item_pair[item[keep]].astype(np.int64)
    choice = choice[keep]
    _, first = np.unique(pair, return_index=True)
    first.sort()
    points = np.where(choice[first] == MODEL_1, 1.0, np.where(choice[first] == MODEL_2, 0.0, 0.5))
    return pair[first], points


def _matches(view: View) -> int:
    """How many match-ups of models there are to settle: all that have pairs, voted on or not.

    Those that have votes become more on the way, which would let the first stop too easily.
    """
    one, two = view.tally.pair_table[:, :2].astype(np.int64).T
    return len(np.unique(one * len(view.tally.models) + two))


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
    method = f"hedged betting over {n} pairs"
    return Estimate(
        labels, value, min(low, value), max(high, value), view.options.level, n=n, method=method
    )


@statistic("stopping", "When to stop: win rates that survive peeking", order=56)
def stopping(view: View) -> Result:
    """A confidence sequence of each two models' win rate, and whether it settles who is better."""
    pair, points = _first_votes(view)
    models = view.tally.models
    estimates: list[Estimate] = []
    matches = _matches(view)
    if pair.size:
        played = view.tally.pair_table[pair, :2].astype(np.int64)
        match = played[:, 0] * len(models) + played[:, 1]
        order = np.argsort(match, kind="stable")
        start = np.flatnonzero(np.diff(match[order], prepend=-1))
        streams = Streams(points[order], start)
        alpha = 1 - view.options.level
        low, high = sequence(streams, alpha)
        low_all, high_all = (low, high) if matches == 1 else sequence(streams, alpha / matches)
        parts = np.split(streams.values, start[1:])
        rows = []
        for place, (values, one) in enumerate(zip(parts, played[order][start], strict=True)):
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
    notes = ["there are no votes yet"] if not estimates else []
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
            "one observation a pair of answers: its first vote, in the order votes were cast; "
            "further votes on it tell of the same pair, and are not in here",
            "pairs come as if drawn at random from those that could come, whatever was voted so "
            "far",
            f"settled: '{THIS_ONE}' errs once in {1 / (1 - view.options.level):.0f} studies for "
            f"these two models; '{ALL}' errs as rarely for all {matches} match-ups at once",
            "the interval is that of these two models alone, at every moment so far at once",
        ),
    )
