"""What about an annotator's votes a lead should look at, with the evidence.

Each warning is a one-sided test. What is expected is taken from the others or from how pairs are
shown, and a margin is granted on top, because honest people differ: a warning says that somebody
is further away than the margin, and not that they differ at all. All tests of all annotators are
one family, corrected by Benjamini & Hochberg (1995).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from core.stats.floor_log import Agreed, Counts
from core.stats.intervals import student_quantile, wilson

LEVEL = 0.05
"""Of the warnings that are shown, the share expected to be of chance."""

LEAST = 20
"""Pairs below which nothing is tested."""
LEAST_REPEATS = 10
LEAST_OF_OTHERS = 30
"""Of the others' votes, repeats or comparisons: below it there is nothing to compare with."""

ONE_CHOICE, RUNS, QUICK, SIDE, SELF, OTHERS = (
    "one choice",
    "long stretches",
    "fast",
    "one side",
    "repeats",
    "others",
)

CHOICE_MARGIN = 0.20
"""How much more often than the others somebody may make one choice."""
FEWER_RUNS = 0.80
"""Of the stretches that a random order has, the share that is let pass."""
QUICK_SHARE = 0.25
"""Of the pairs, the share that may be quick: where one answer is broken nobody reads on."""
SIDE_SHARE = 0.60
"""Of the pairs with a winner, the share that may go to one side."""
SELF_MARGIN = 0.10
"""How much less often than the others somebody may say the same again."""
OTHERS_MARGIN = 0.05
"""How much less often than the others among each other somebody may agree with them."""

_CHOSEN = ("", "A", "B", "tie", "both bad")
_INTERVAL = 0.95
_FASTEST_SAID = 9999
"""Words a minute above which a number says no more."""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something to look at.

    Attributes:
        kind: which test: :data:`ONE_CHOICE` and the like.
        figure: what was found, over ``n``; a share unless ``kind`` is :data:`RUNS`.
        expected: what the test starts from.
        allowed: up to where (or down to where) nothing is said: the test's null value.
        low: lower end of the figure's 95% interval; None where there is none.
        high: its upper end.
        p: one-sided, of this test alone.
        says: what was found and what is expected, in words.
        adjusted: ``p`` after the correction for all tests of all annotators.
    """

    kind: str
    n: int
    figure: float
    expected: float
    allowed: float
    low: float | None
    high: float | None
    p: float
    says: str
    adjusted: float = 1.0


def warnings_of(
    people: Mapping[int, Counts], words_per_minute: float, strangers: frozenset[int] = frozenset()
) -> dict[int, tuple[Warned, ...]]:
    """The warnings of each annotator, the clearest first.

    Args:
        words_per_minute: the speed by which ``quick`` was counted, for the words.
        strangers: annotators whom nobody is compared with, and who are compared with nobody.
    """
    peers = _Peers([one for number, one in people.items() if number not in strangers])
    found: list[tuple[int, Warned]] = []
    for number, one in people.items():
        if number not in strangers:
            found += [(number, test) for test in _tests(one, peers, words_per_minute)]
    adjusted = benjamini_hochberg([test.p for _, test in found])
    warned: dict[int, list[Warned]] = {}
    for (number, test), corrected in zip(found, adjusted, strict=True):
        if corrected <= LEVEL:
            warned.setdefault(number, []).append(replace(test, adjusted=corrected))
    return {number: tuple(sorted(each, key=lambda w: w.p)) for number, each in warned.items()}


class _Peers:
    """Everybody together, from whom one can be taken away."""

    def __init__(self, people: Sequence[Counts]) -> None:
        self._seen = [sum(one.seen[code] for one in people) for code in range(4)]
        self._repeats = sum(one.repeats for one in people)
        self._same_again = sum(one.same for one in people)
        self._same = sum(one.agreed.same for one in people)
        self._compared = sum(one.agreed.compared for one in people)

    def mix(self, one: Counts) -> list[float] | None:
        """The others' shares of each choice as seen."""
        rest = [total - mine for total, mine in zip(self._seen, one.seen, strict=True)]
        total = sum(rest)
        return [each / total for each in rest] if total >= LEAST_OF_OTHERS else None

    def steadiness(self, one: Counts) -> float | None:
        """The others' share of repeats that say the same."""
        n = self._repeats - one.repeats
        return (self._same_again - one.same) / n if n >= LEAST_OF_OTHERS else None

    def agreement(self, agreed: Agreed) -> float | None:
        """How often two of the others say the same of one pair."""
        # Each comparison is in the sums of both who are compared.
        n = self._compared - 2 * agreed.compared
        return (self._same - 2 * agreed.same) / n if n >= 2 * LEAST_OF_OTHERS else None


def _tests(one: Counts, peers: _Peers, words_per_minute: float) -> list[Warned]:
    tests = (
        _one_choice(one, peers),
        _runs(one),
        _quick(one, words_per_minute),
        _side(one),
        _self(one, peers),
        _others(one.agreed, peers),
    )
    return [test for test in tests if test is not None]


def _one_choice(one: Counts, peers: _Peers) -> Warned | None:
    n, mix = sum(one.seen), peers.mix(one)
    if n < LEAST or mix is None:
        return None
    best: Warned | None = None
    for code, k in enumerate(one.seen):
        allowed = min(mix[code] + CHOICE_MARGIN, 1.0)
        # Whichever of the four stands out was not chosen beforehand: Bonferroni.
        p = min(1.0, 4 * at_least(k, n, allowed))
        if best is None or p < best.p:
            says = (
                f"{_CHOSEN[code + 1]} in {k} of {n} pairs, {k / n:.0%}; "
                f"the others {mix[code]:.0%}, up to {allowed:.0%} is let pass"
            )
            ends = wilson(k, n, _INTERVAL)
            best = Warned(ONE_CHOICE, n, k / n, mix[code], allowed, *ends, p, says)
    return best


def expected_runs(counts: Sequence[int]) -> tuple[float, float]:
    """Mean and standard deviation of the number of runs in a random order (Barton & David 1957).

    Args:
        counts: how often each value occurs; at least two values in all.
    """
    n = sum(counts)
    squares, cubes = sum(k**2 for k in counts), sum(k**3 for k in counts)
    mean = n + 1 - squares / n
    variance = (squares * (squares + n * (n + 1)) - 2 * n * cubes - n**3) / (n**2 * (n - 1))
    return mean, math.sqrt(max(variance, 0.0))


def _runs(one: Counts) -> Warned | None:
    n = sum(one.seen)
    # Near one single choice the normal approximation fails, and ONE_CHOICE sees it.
    if n < LEAST or max(one.seen) > 0.9 * n:
        return None
    mean, deviation = expected_runs(one.seen)
    allowed = FEWER_RUNS * mean
    p = NormalDist().cdf((one.runs + 0.5 - allowed) / deviation)
    says = (
        f"{one.runs} stretches of one and the same choice in {n} pairs, the longest "
        f"{one.longest} × {_CHOSEN[one.longest_of]}; a random order of the same choices has "
        f"{mean:.0f}, down to {allowed:.0f} is let pass"
    )
    return Warned(RUNS, n, one.runs, mean, allowed, None, None, p, says)


def _quick(one: Counts, words_per_minute: float) -> Warned | None:
    n, k = one.timed, one.quick
    if n < LEAST or one.speed is None:
        return None
    says = (
        f"{k} of {n} pairs, {k / n:.0%}, in less time than both answers take at "
        f"{words_per_minute:,.0f} words a minute; {QUICK_SHARE:.0%} is let pass, where one need "
        "not read to the end; half of the pairs above "
        f"{min(one.speed, _FASTEST_SAID):,.0f} words a minute"
    )
    p = at_least(k, n, QUICK_SHARE)
    return Warned(QUICK, n, k / n, 0.0, QUICK_SHARE, *wilson(k, n, _INTERVAL), p, says)


def _side(one: Counts) -> Warned | None:
    left, right = one.seen[:2]
    n, k = left + right, max(left, right)
    if n < LEAST:
        return None
    name = "left" if left >= right else "right"
    says = (
        f"the {name} answer in {k} of {n} pairs that had a winner, {k / n:.0%}; sides are tossed, "
        f"so 50% is expected, up to {SIDE_SHARE:.0%} is let pass"
    )
    p = min(1.0, 2 * at_least(k, n, SIDE_SHARE))
    return Warned(SIDE, n, k / n, 0.5, SIDE_SHARE, *wilson(k, n, _INTERVAL), p, says)


def _self(one: Counts, peers: _Peers) -> Warned | None:
    n, k, usual = one.repeats, one.same, peers.steadiness(one)
    if n < LEAST_REPEATS or usual is None:
        return None
    allowed = max(0.0, usual - SELF_MARGIN)
    says = (
        f"the same as before in {k} of {n} hidden repeats, {k / n:.0%}; the others {usual:.0%}, "
        f"down to {allowed:.0%} is let pass"
    )
    p = at_least(n - k, n, 1 - allowed)
    return Warned(SELF, n, k / n, usual, allowed, *wilson(k, n, _INTERVAL), p, says)


def _others(agreed: Agreed, peers: _Peers) -> Warned | None:
    n, usual = agreed.items, peers.agreement(agreed)
    if n < LEAST or usual is None:
        return None
    mean = agreed.share / n
    variance = max(0.0, (agreed.squares - n * mean * mean) / (n - 1))
    # All alike says little about the spread: no less than one pair the other way would give.
    error = math.sqrt(max(variance, 1 / n) / n)
    allowed = max(0.0, usual - OTHERS_MARGIN)
    half = student_quantile(_INTERVAL, n - 1) * error
    says = (
        f"with the others on {n} pairs {mean:.0%} agreement; the others among each other "
        f"{usual:.0%}, down to {allowed:.0%} is let pass"
    )
    ends = max(0.0, mean - half), min(1.0, mean + half)
    p = _student_below((mean - allowed) / error, n - 1)
    return Warned(OTHERS, n, mean, usual, allowed, *ends, p, says)


def at_least(k: int, n: int, share: float) -> float:
    """The chance of ``k`` or more of ``n`` where each comes with this chance: exact binomial."""
    from scipy.special import betainc

    if k <= 0 or share >= 1:
        return 1.0
    return float(betainc(k, n - k + 1, share)) if share > 0 else 0.0


def _student_below(t: float, freedom: int) -> float:
    from scipy.special import stdtr

    return float(stdtr(freedom, t))


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given (Benjamini & Hochberg 1995)."""
    order = sorted(range(len(p)), key=p.__getitem__, reverse=True)
    adjusted, least = [1.0] * len(p), 1.0
    for place, index in enumerate(order):
        least = min(least, p[index] * len(p) / (len(p) - place))
        adjusted[index] = least
    return adjusted
