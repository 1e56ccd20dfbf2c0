"""How often two raters say the same about the same item (the MT-bench paper's S1 and S2).

Judge–human: every vote is compared with the judge's outcome on its item. Human–human: all
pairs of votes within an item, pooled, so that k votes give k(k−1)/2 comparisons.
Judge–judge: one comparison per item. Source: Zheng et al. 2023, section 4, in the convention
that reproduces its table 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.stats.intervals import clustered_share
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD, CHOICES
from core.stats.view import View, one_each

Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]

S1, S2 = "S1", "S2"
_CLASSES = {S1: slice(0, CHOICES), S2: slice(0, 2)}
"""The classes a setup compares: all of them, or wins for one of the models only."""


@dataclass(frozen=True, slots=True)
class _Rater:
    """One rater on the items of one turn.

    Attributes:
        classes: votes by class, shape (4, items); a judge has one at most.
        rated: which items it has a word on, shape (items,).
    """

    name: str
    is_judge: bool
    classes: Ints
    rated: Bools


def _raters(view: View, turn: int) -> list[_Rater]:
    """Who has a word on some item of a turn: populations of people first, then judges."""
    here = view.turn == turn
    people = [(name, False, view.counts(name)[here]) for name in view.populations]
    judges = [(name, True, one_each(each.choice[here])) for name, each in view.judges().items()]
    raters = []
    for name, is_judge, counts in people + judges:
        classes = np.ascontiguousarray(counts.T)
        raters.append(_Rater(name, is_judge, classes, classes.sum(axis=0) > 0))
    return [rater for rater in raters if rater.rated.any()]


def _comparisons(people_are: str, raters: list[_Rater]) -> list[tuple[str, _Rater, _Rater]]:
    """Judge–human, human–human within one population, judge–judge."""
    people = [each for each in raters if not each.is_judge]
    judges = [each for each in raters if each.is_judge]
    crossed = [(f"judge-{people_are}", judge, human) for judge in judges for human in people]
    within = [(f"{people_are}-{people_are}", human, human) for human in people]
    return crossed + within + [("judge-judge", a, b) for a, b in combinations(judges, 2)]


def agreeing_and_compared(first: Ints, second: Ints | None) -> tuple[Ints, Ints]:
    """Per item, how many comparisons agree and how many there are.

    Args:
        first: counts of one rater by class, shape (classes, items).
        second: counts of the other; None to compare the votes of the first among themselves.
    """
    total = first.sum(axis=0)
    if second is None:
        return (first * (first - 1)).sum(axis=0) // 2, total * (total - 1) // 2
    return (first * second).sum(axis=0), total * second.sum(axis=0)


def _missing(is_within: bool, setup: str, both: bool) -> str:
    if is_within:
        return (
            "no item has two votes" if setup == S1 else "no item has two votes that prefer a model"
        )
    if not both:
        return "no item was rated by both"
    return "wherever both rated an item, one of them preferred neither model"


def _estimate(view: View, turn: int, setup: str, kind: str, one: _Rater, two: _Rater) -> Estimate:
    labels: dict[str, Label] = {
        "turn": turn,
        "setup": setup,
        "kind": kind,
        "rater_1": one.name,
        "rater_2": two.name,
    }
    first, second = one.classes[_CLASSES[setup]], two.classes[_CLASSES[setup]]
    agreeing, compared = agreeing_and_compared(first, None if one is two else second)
    options = view.options
    rng = view.rng("agreement", *labels.values())
    found = clustered_share(agreeing, compared, options.level, options.replicates, rng)
    shared = one.rated & two.rated
    if found is None:
        return Estimate(labels, None, reason=_missing(one is two, setup, bool(shared.any())))
    both_bad = any(np.any(each.classes[BOTH_BAD - 1][shared]) for each in (one, two))
    return Estimate(
        labels,
        found.value,
        found.low,
        found.high,
        options.level,
        n=int(compared.sum()),
        k=int(agreeing.sum()),
        method=found.method,
        chance=1 / 2 if setup == S2 else 1 / 4 if both_bad else 1 / 3,
    )


@statistic("agreement", "Judge–human and human–human agreement", order=20)
def agreement(view: View) -> Result:
    """Raw agreement per turn and setup, for every pair of raters."""
    estimates = []
    for turn in view.turns:
        comparisons = _comparisons(view.people, _raters(view, turn))
        estimates += [
            _estimate(view, turn, setup, *compared)
            for setup in (S1, S2)
            for compared in comparisons
        ]
    notes = view.judge_notes()
    if not estimates:
        notes = ("there are no votes and no verdicts to compare yet", *notes)
    return Result(
        "agreement",
        "Judge–human and human–human agreement",
        "How often two raters of one item say the same; k of n comparisons agree.",
        ("turn", "setup", "kind", "rater_1", "rater_2"),
        tuple(estimates),
        notes,
        view.assumptions(
            "S1 keeps ties: two ties agree; both bad is a class of its own",
            "S2 drops a comparison unless both sides prefer a model",
            "a judge whose two orders differ says tie",
            "every vote counts once; human–human compares all pairs of votes within an item",
            "chance is 1/3 in S1, 1/4 where both bad occurs, 1/2 in S2",
            "intervals are clustered by item",
        ),
    )
