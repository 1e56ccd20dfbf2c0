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

from core.stats.duels import FEWEST_ITEMS, Fought, Told, duels
from core.stats.intervals import normal_quantile, student_quantile, wilson
from core.stats.options import EPSILON
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.view import View
from core.text import many

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

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


def tested(fought: Fought, epsilon: float) -> list[Tested]:
    """The one-sided t-test of each annotator, on means clustered by pair of answers.

    With one item a pair it is Student's t-test. Where all items say the same, nothing is known
    of the spread: then a lag of ε would have shown a difference on each item with probability
    ε at least, so that p is (1 − ε)ⁿ.
    """
    from scipy.special import stdtr

    n, clusters = fought["size"], fought["clusters"]
    lag, advantage = fought["lag"] / n, fought["ahead"] / n
    error = np.sqrt(fought.squares("lag") * clusters / np.maximum(clusters - 1, 1)) / n
    known = error > _NONE
    steps = (lag - epsilon) / np.where(known, error, 1)
    p = np.where(lag < epsilon, (1 - epsilon) ** clusters, 1.0)
    p[known] = stdtr(np.maximum(clusters - 1, 1)[known], steps[known])
    spread = np.where(known, error * np.sqrt(n), 0.0)
    rows = zip(fought.annotator, n, lag, spread, p, advantage, strict=True)
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
    number: int | None
    told: Told


def _summary(view: View, part: _Slice, people: int) -> list[Estimate]:
    """ω, ρ and the items needed, of one judge in one category."""
    epsilon = EPSILON[view.options.annotator_kind]

    def labels(measure: str, annotator: str = "") -> dict[str, Label]:
        given: dict[str, Label] = {"judge": part.judge, "category": part.category}
        return {**given, "annotator": annotator, "measure": measure}

    fought = part.told.fought(part.number)
    every = tested(fought, epsilon)
    enough = [each for each in every if each.n >= FEWEST_ITEMS]
    if len(every) < FEWEST_ANNOTATORS:
        reason = (
            "items shared with another and the judge: "
            f"{len(every)} of {many(people, 'annotator')}; "
            f"{FEWEST_ANNOTATORS} are needed"
        )
        return [Estimate(labels("ω"), None, n=len(every), reason=reason)]
    if len(enough) < FEWEST_ANNOTATORS:
        reason = (
            f"{FEWEST_ITEMS} items with another and the judge: "
            f"{len(enough)} of {many(len(every), 'annotator')}; {FEWEST_ANNOTATORS} are needed"
        )
        rows = [Estimate(labels("ω"), None, n=len(enough), reason=reason)]
    else:
        rows = _of_judge(view, labels("ω"), labels("ρ"), part, enough)
    if rows[0].value is not None and rows[0].value >= PASSED:
        method = "none: the judge passes with the items there are; no interval: a plan"
        more = Estimate(labels("more items"), 0, n=len(every), unit="count", method=method)
    else:
        more = _needed(labels("more items"), every, epsilon)
    rows.append(more)
    if part.category == ALL:
        for each in sorted(every, key=lambda one: -one.n)[:_SHOWN]:
            name = view.tally.annotators[each.annotator]
            rows.append(_of_annotator(view, labels("ρ", name), fought, each, epsilon))
    return rows


def _of_judge(
    view: View,
    omega: dict[str, Label],
    rho: dict[str, Label],
    part: _Slice,
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
    people = np.array([each.annotator for each in enough])
    shares = np.array([each.advantage for each in enough])
    clusters, squares = part.told.spread(part.number, people, shares)
    rows = [Estimate(omega, won / count, n=count, k=won, method=method)]
    how = f"mean over {many(count, 'annotator')}; "
    n = sum(each.n for each in enough)
    return [*rows, _advantage(view, rho, value, n, clusters, squares, how)]


def _advantage(
    view: View,
    labels: dict[str, Label],
    value: float,
    n: int,
    clusters: int,
    squares: float,
    how: str,
) -> Estimate:
    """A ρ with Wilson's interval at the effective size that clustering by pair leaves.

    Args:
        n: duels.
        clusters: pairs of answers that they are on.
        squares: Σ over these of the squares of what each moves ρ by.
    """
    level = view.options.level
    variance = squares * clusters / max(clusters - 1, 1)
    size = float(clusters)
    if clusters > 1 and variance > _NONE:
        few = normal_quantile(level) / student_quantile(level, clusters - 1)
        size = max(1.0, value * (1 - value) / variance * few**2)
    low, high = wilson(value * size, size, level)
    method = f"{how}Wilson, clustered by {many(clusters, 'pair')}, worth {size:.1f} in as many"
    return Estimate(labels, value, low, high, level, n=n, method=method)


def _of_annotator(
    view: View, labels: dict[str, Label], fought: Fought, each: Tested, epsilon: float
) -> Estimate:
    """One annotator's ρ."""
    if each.n < FEWEST_ITEMS:
        further = FEWEST_ITEMS - each.n
        reason = (
            f"{many(each.n, 'item')} with another annotator and with the judge; to be tested, "
            f"{further} more {'is' if further == 1 else 'are'} needed"
        )
        return Estimate(labels, None, n=each.n, reason=reason)
    mine = fought.only(np.flatnonzero(fought.annotator == each.annotator))
    squares = float(mine.squares("ahead")[0]) / each.n**2
    how = f"p = {each.p:.2g} that the judge is {epsilon:g} or more behind; "
    clusters = int(mine["clusters"][0])
    return _advantage(view, labels, each.advantage, each.n, clusters, squares, how)


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
        f"per annotator, for half of {many(len(every), 'annotator')}; {POWER:.0%} power "
        "at the bar that "
        "half have to pass, if items to come are like those so far; no interval: a plan"
    )
    return Estimate(labels, at_half, n=len(every), unit="count", method=method)


def _slices(view: View, judge: str, told: Told) -> list[_Slice]:
    parts = [_Slice(judge, ALL, None, told)]
    present = told.categories.tolist()
    if len(present) < 2:
        return parts
    names = {number: view.tally.categories[number] or NO_CATEGORY for number in present}
    by_name = sorted(present, key=names.__getitem__)
    return parts + [_Slice(judge, names[number], number, told) for number in by_name]


@statistic(
    "alt_test",
    "May a judge stand in for annotators? (alt-test)",
    order=25,
    follows=True,
    limits=(
        "A judge that passes says what the other annotators say about as often as one of them "
        "does; that is easy where they agree poorly. Failing is not being worse: with few items"
        " nothing can be shown."
    ),
)
def alt_test(view: View) -> Result:
    """ω, ρ and the items still needed, per judge and category."""
    population = next(iter(view.populations))
    epsilon = EPSILON[view.options.annotator_kind]
    estimates: list[Estimate] = []
    people = 0
    for judge in view.present:
        told = duels(view, population, judge)
        people = told.people
        for part in _slices(view, judge, told):
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
