"""Whether a judge may stand in for annotators: the alternative annotator test.

Each annotator in turn is set against the judge: who of the two says more often what the
remaining annotators say? Source: Calderon, Reichart & Dror 2025 (arXiv:2501.10970), with
Benjamini & Yekutieli 2001 over the annotators.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats.cohen import last_votes
from core.stats.intervals import normal_quantile, student_quantile, wilson
from core.stats.options import EPSILON
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.sorting import order_of, summed_by
from core.stats.tally import CHOICES
from core.stats.view import View
from core.text import many

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEWEST_ITEMS = 30
FEWEST_ANNOTATORS = 3
POWER = 0.8
FALSE_DISCOVERIES = 0.05
PASSED = 0.5
"""Share of annotators over whom the judge must hold its own (the paper's ω)."""

ALL = "all"
NO_CATEGORY = "no category"
_SHOWN = 20
"""Annotators listed one by one; those with most items come first."""

_NONE = 1e-12


@dataclass(frozen=True, slots=True)
class Duels:
    """Judge against annotator on items, the remaining annotators deciding.

    Attributes:
        annotator: of each duel, shape (duels,).
        cluster: of each, its pair of answers.
        category: of each, its category.
        ahead: of each, 1 where the judge says what at least as many of the others say.
        behind: of each, 1 where the annotator does; both are 1 in a draw.
    """

    annotator: Longs
    cluster: Longs
    category: Longs
    ahead: Longs
    behind: Longs

    def of(self, mine: Bools | Longs | slice) -> Duels:
        """Some of the duels: those of a mask, of a list of places, or of a stretch."""
        return Duels(*(getattr(self, name)[mine] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Tested:
    """The duels of one annotator.

    Attributes:
        n: items.
        lag: mean of behind − ahead, what the test is about: below ε is wanted.
        spread: standard deviation of one item's part in it, clusters allowed for.
        p: one-sided, of a lag of ε or more.
        advantage: share of items on which the judge is ahead or draws.
    """

    annotator: int
    n: int
    lag: float
    spread: float
    p: float
    advantage: float


def duels(item: Longs, annotator: Longs, choice: Longs, judge: Longs, table: Longs) -> Duels:
    """Set a judge against each vote on an item that has other votes.

    Args:
        item: of each vote, one of an annotator on an item; shape (votes,).
        annotator: of each vote.
        choice: of each vote, 0–3.
        judge: by item, the judge's choice 1–4; 0 where it has none.
        table: by item, its pair of answers and its category; shape (items, 2).
    """
    counts = np.bincount(item * CHOICES + choice, minlength=len(judge) * CHOICES)
    said = judge[item] - 1
    others = counts.reshape(-1, CHOICES).sum(axis=1)[item] - 1
    held = (said >= 0) & (others > 0)
    item, annotator, choice, said = (each[held] for each in (item, annotator, choice, said))
    # Of the remaining annotators, as many as the item has but for the one who is set aside.
    like_annotator = counts[item * CHOICES + choice] - 1
    like_judge = counts[item * CHOICES + said] - (choice == said)
    return Duels(
        annotator,
        table[item, 0],
        table[item, 1],
        (like_judge >= like_annotator).astype(np.int64),
        (like_annotator >= like_judge).astype(np.int64),
    )


def tested(fought: Duels, epsilon: float) -> list[Tested]:
    """The one-sided t-test of each annotator, on means clustered by pair of answers.

    With one item a pair it is Student's t-test. Where all items say the same, nothing is known
    of the spread: then a lag of ε would have shown a difference on each item with probability
    ε at least, so that p is (1 − ε)ⁿ.
    """
    from scipy.special import stdtr

    if not fought.annotator.size:
        return []
    difference = fought.behind - fought.ahead
    people, place = np.unique(fought.annotator, return_inverse=True)
    n = np.bincount(place)
    lag = np.bincount(place, weights=difference) / n
    advantage = np.bincount(place, weights=fought.ahead) / n
    width = int(fought.cluster.max()) + 1
    both, moved, _ = summed_by(place * width + fought.cluster, difference - lag[place])
    clusters = np.bincount(both // width)
    squares = np.bincount(both // width, weights=moved**2)
    error = np.sqrt(squares * clusters / np.maximum(clusters - 1, 1)) / n
    known = error > _NONE
    steps = (lag - epsilon) / np.where(known, error, 1)
    p = np.where(lag < epsilon, (1 - epsilon) ** clusters, 1.0)
    p[known] = stdtr(np.maximum(clusters - 1, 1)[known], steps[known])
    spread = np.where(known, error * np.sqrt(n), 0.0)
    rows = zip(people, n, lag, spread, p, advantage, strict=True)
    return [Tested(int(a), int(b), *map(float, rest)) for a, b, *rest in rows]


def rejected(p: Floats, rate: float) -> Bools:
    """Which hypotheses Benjamini & Yekutieli (2001) reject at a false-discovery rate."""
    count = len(p)
    if not count:
        return np.zeros(0, np.bool_)
    order = np.argsort(p, kind="stable")
    bar = rate * np.arange(1, count + 1) / (count * _harmonic(count))
    below = np.flatnonzero(p[order] <= bar)
    found = np.zeros(count, np.bool_)
    found[order[: below[-1] + 1 if below.size else 0]] = True
    return found


def _harmonic(count: int) -> float:
    return float((1 / np.arange(1, count + 1)).sum())


def more_items(each: Tested, epsilon: float, count: int) -> float:
    """Items that an annotator must still vote on for 80% power; infinite where none suffice.

    Normal approximation at the bar that half of ``count`` annotators have to pass together. Lag
    and spread stand for those of the items to come; a spread of 0 is taken as that of one item
    in n that differs.
    """
    from scipy.special import ndtri

    room = epsilon - each.lag
    if room <= 0:
        return math.inf
    half = math.ceil(count * PASSED)
    bar = FALSE_DISCOVERIES * half / (count * _harmonic(count))
    spread = each.spread or math.sqrt(1 / each.n)
    wanted = ((ndtri(1 - bar) + ndtri(POWER)) * spread / room) ** 2
    return max(0.0, math.ceil(max(float(wanted), FEWEST_ITEMS)) - each.n)


@dataclass(frozen=True, slots=True)
class _Slice:
    judge: str
    category: str
    fought: Duels


def _summary(view: View, part: _Slice, people: int) -> list[Estimate]:
    """ω, ρ and the items needed, of one judge in one category."""
    epsilon = EPSILON[view.options.annotator_kind]

    def labels(measure: str, annotator: str = "") -> dict[str, Label]:
        given: dict[str, Label] = {"judge": part.judge, "category": part.category}
        return {**given, "annotator": annotator, "measure": measure}

    every = tested(part.fought, epsilon)
    enough = [each for each in every if each.n >= FEWEST_ITEMS]
    if len(every) < FEWEST_ANNOTATORS:
        reason = (
            f"{len(every)} of {people} annotators share items with another and with the judge; "
            f"{FEWEST_ANNOTATORS} are needed"
        )
        return [Estimate(labels("ω"), None, n=len(every), reason=reason)]
    if len(enough) < FEWEST_ANNOTATORS:
        reason = (
            f"{len(enough)} of {len(every)} annotators have {FEWEST_ITEMS} items with another "
            f"and with the judge; {FEWEST_ANNOTATORS} are needed"
        )
        rows = [Estimate(labels("ω"), None, n=len(enough), reason=reason)]
    else:
        rows = _of_judge(view, labels("ω"), labels("ρ"), part.fought, enough)
    if rows[0].value is not None and rows[0].value >= PASSED:
        method = "none: the judge passes with the items there are"
        more = Estimate(labels("more items"), 0, n=len(every), unit="count", method=method)
    else:
        more = _needed(labels("more items"), every, epsilon)
    rows.append(more)
    if part.category == ALL:
        by_annotator = part.fought.of(order_of(part.fought.annotator))
        for each in sorted(every, key=lambda one: -one.n)[:_SHOWN]:
            name = view.tally.annotators[each.annotator]
            rows.append(_of_annotator(view, labels("ρ", name), by_annotator, each, epsilon))
    return rows


def _of_judge(
    view: View,
    omega: dict[str, Label],
    rho: dict[str, Label],
    fought: Duels,
    enough: list[Tested],
) -> list[Estimate]:
    found = rejected(np.array([each.p for each in enough]), FALSE_DISCOVERIES)
    won, count = int(found.sum()), len(enough)
    word = "passes" if won / count >= PASSED else "does not pass"
    method = (
        f"no interval, ω is a tally of tests: {word} at {PASSED:.0%}; one-sided t-tests, "
        f"Benjamini–Yekutieli at {FALSE_DISCOVERIES:.0%}"
    )
    value = float(np.mean([each.advantage for each in enough]))
    known = {each.annotator: each for each in enough}
    inside = fought.of(np.isin(fought.annotator, list(known)))
    center = np.zeros(int(inside.annotator.max()) + 1)
    size = np.ones(len(center))
    for number, each in known.items():
        center[number], size[number] = each.advantage, each.n
    moved = (inside.ahead - center[inside.annotator]) / size[inside.annotator] / count
    rows = [Estimate(omega, won / count, n=count, k=won, method=method)]
    how = f"mean over {count} annotators; "
    return [*rows, _advantage(view, rho, value, moved, inside.cluster, how)]


def _advantage(
    view: View, labels: dict[str, Label], value: float, moved: Floats, cluster: Longs, how: str
) -> Estimate:
    """A ρ with Wilson's interval at the effective size that clustering by pair leaves.

    Args:
        moved: what each item moves ρ by.
        cluster: of each item, its pair of answers.
    """
    _, summed, _ = summed_by(cluster, moved)
    clusters, level = len(summed), view.options.level
    variance = float(summed @ summed) * clusters / max(clusters - 1, 1)
    size = float(clusters)
    if clusters > 1 and variance > _NONE:
        few = normal_quantile(level) / student_quantile(level, clusters - 1)
        size = max(1.0, value * (1 - value) / variance * few**2)
    low, high = wilson(value * size, size, level)
    method = f"{how}Wilson, clustered by {clusters} pairs, worth {size:.1f} in as many"
    return Estimate(labels, value, low, high, level, n=len(moved), method=method)


def _of_annotator(
    view: View, labels: dict[str, Label], fought: Duels, each: Tested, epsilon: float
) -> Estimate:
    """One annotator's ρ; the duels are in order of annotator."""
    if each.n < FEWEST_ITEMS:
        further = FEWEST_ITEMS - each.n
        reason = (
            f"{many(each.n, 'item')} with another annotator and with the judge; to be tested, "
            f"{further} more {'is' if further == 1 else 'are'} needed"
        )
        return Estimate(labels, None, n=each.n, reason=reason)
    start = int(np.searchsorted(fought.annotator, each.annotator))
    mine = fought.of(slice(start, start + each.n))
    moved = (mine.ahead - each.advantage) / each.n
    how = f"p = {each.p:.2g} that the judge is {epsilon:g} or more behind; "
    return _advantage(view, labels, each.advantage, moved, mine.cluster, how)


def _needed(labels: dict[str, Label], every: list[Tested], epsilon: float) -> Estimate:
    """The items that each of half of the annotators must still vote on, at most."""
    wanted = sorted(more_items(each, epsilon, len(every)) for each in every)
    at_half = wanted[math.ceil(len(every) * PASSED) - 1]
    if math.isinf(at_half):
        reason = (
            f"the judge is {epsilon:g} or more behind more than half of the annotators, so that "
            "more items would not change the answer"
        )
        return Estimate(labels, None, n=len(every), unit="count", reason=reason)
    method = (
        f"per annotator, for half of {len(every)} annotators; {POWER:.0%} power at the bar that "
        "half have to pass, if items to come are like those so far"
    )
    return Estimate(labels, at_half, n=len(every), unit="count", method=method)


def _slices(view: View, judge: str, fought: Duels) -> list[_Slice]:
    parts = [_Slice(judge, ALL, fought)]
    present = np.unique(fought.category).tolist()
    if len(present) < 2:
        return parts
    names = {number: view.tally.categories[number] or NO_CATEGORY for number in present}
    order = np.argsort(fought.category, kind="stable")
    ends = np.searchsorted(fought.category[order], present, side="right")
    starts = [0, *ends.tolist()]
    by_name = sorted(range(len(present)), key=lambda place: names[present[place]])
    for place in by_name:
        rows = order[starts[place] : starts[place + 1]]
        part = Duels(*(getattr(fought, name)[rows] for name in Duels.__slots__))
        parts.append(_Slice(judge, names[present[place]], part))
    return parts


@statistic(
    "alt_test",
    "May a judge stand in for annotators? (alt-test)",
    order=25,
    limits=(
        "A judge that passes says what the other annotators say about as often as one of them "
        "does; that is easy where they agree poorly. Failing is not being worse: with few items"
        " nothing can be shown."
    ),
)
def alt_test(view: View) -> Result:
    """ω, ρ and the items still needed, per judge and category."""
    item, annotator, choice = last_votes(view, next(iter(view.populations)))
    people = len(np.unique(annotator))
    epsilon = EPSILON[view.options.annotator_kind]
    size = len(view.tally.item_turn)
    table = np.zeros((size, 2), np.int64)
    table[view.items] = np.stack([view.pair, view.category], axis=1)
    estimates: list[Estimate] = []
    for judge, outcomes in view.judges().items():
        words = np.zeros(size, np.int64)
        words[view.items] = outcomes.choice
        fought = duels(item, annotator, choice, words, table)
        for part in _slices(view, judge, fought):
            estimates += _summary(view, part, people)
    notes = view.judge_notes()
    if people > _SHOWN:
        notes = (*notes, f"annotators: the {_SHOWN} with most items are listed, all are counted")
    if not estimates:
        notes = ("there is no verdict yet that could stand for a vote", *notes)
    return Result(
        "alt_test",
        "May a judge stand in for annotators? (alt-test)",
        "ω: share of annotators to whom a judge is not inferior. ρ: how often it is no worse.",
        ("judge", "category", "annotator", "measure"),
        tuple(estimates),
        notes,
        view.assumptions(
            f"annotators are {view.options.annotator_kind}: ε = {epsilon:g} (setting "
            "annotator_kind)",
            "each annotator is set aside in turn and the judge put in their place; who of the two "
            "says what more of the remaining annotators say is ahead, a draw counts for both",
            f"annotators with fewer than {FEWEST_ITEMS} items are not tested; a judge passes "
            f"with ω of {PASSED:.0%} or more, of {FEWEST_ANNOTATORS} annotators at least",
            "an annotator's last vote on an item counts; four classes unless merged",
            "tests and intervals are clustered by pair of answers",
        ),
    )
