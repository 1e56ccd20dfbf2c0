"""How often two raters say the same about the same item (the MT-bench paper's S1 and S2).

Judge–human: every vote is compared with the judge's outcome on its item. Human–human: all
pairs of votes within an item, pooled, so that k votes give k(k−1)/2 comparisons.
Judge–judge: one comparison per item. Source: Zheng et al. 2023, section 4, in the convention
that reproduces its table 5. Panels are compared like judges, though never with their own members;
baselines that need no model stand beside them, on the items that judges judged.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from core.stats.comparing import (
    BASELINE,
    CLASSES,
    HUMAN,
    PANEL,
    S1,
    S2,
    Rater,
    agreeing_and_compared,
    baselines_on,
    is_model,
    judges_on,
    people_on,
    worst_cases,
)
from core.stats.intervals import clustered_share
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD
from core.stats.view import Bools, View
from core.stats.weighted import weighted_share


def raters_on(view: View, here: Bools) -> list[Rater]:
    """Who has a word on some of these items: people, judges, panels, baselines beside these."""
    judges = judges_on(view, here)
    models = [judge.rated for judge in judges if is_model(view, judge.name)]
    beside = []
    if models:
        judged = np.any(models, axis=0)
        for each in baselines_on(view, here):
            beside.append(replace(each, classes=each.classes * judged, rated=each.rated & judged))
    everyone = [*people_on(view, here), *judges, *beside]
    return [rater for rater in everyone if rater.rated.any()]


def _comparisons(people_are: str, raters: list[Rater]) -> list[tuple[str, Rater, Rater]]:
    """Judge–human, human–human within a population and between groups, judge–judge."""
    people = [each for each in raters if each.sort == HUMAN]
    judges = [each for each in raters if each.sort not in (HUMAN, BASELINE)]
    beside = [each for each in raters if each.sort == BASELINE]
    crossed = [
        (f"{each.sort}-{people_are}", each, human) for each in judges + beside for human in people
    ]
    within = [(f"{people_are}-{people_are}", human, human) for human in people]
    # Everybody comes first; the groups after that share nobody.
    within += [(f"{people_are}-{people_are}", *both) for both in combinations(people[1:], 2)]
    between = [
        # A judge first, so that the kinds are judge-judge, judge-panel and panel-panel.
        (f"{one.sort}-{two.sort}", one, two)
        for one, two in combinations(judges, 2)
        if not one.members & two.members
    ]
    return crossed + within + between


def _missing(is_within: bool, setup: str, both: bool) -> str:
    if is_within:
        return (
            "no item has two votes" if setup == S1 else "no item has two votes that prefer a model"
        )
    if not both:
        return "no item was rated by both"
    return "wherever both rated an item, one of them preferred neither model"


def _estimate(view: View, turn: int, setup: str, kind: str, one: Rater, two: Rater) -> Estimate:
    labels: dict[str, Label] = {
        "turn": turn,
        "setup": setup,
        "kind": kind,
        "rater_1": one.name,
        "rater_2": two.name,
    }
    first, second = one.classes[CLASSES[setup]], two.classes[CLASSES[setup]]
    agreeing, compared = agreeing_and_compared(first, None if one is two else second)
    options = view.options
    shared = one.rated & two.rated
    worst = worst_cases(setup, one, two, (agreeing, compared))
    weights = view.design.on(view.pair[view.turn == turn]) if two.sort == HUMAN else None
    if weights is None:
        rng = view.rng("agreement", *labels.values())
        found = clustered_share(agreeing, compared, options.level, options.replicates, rng)
    else:
        n = int(compared.sum()) // one.words
        found = weighted_share(agreeing, compared, weights, options.level, "items", n)
        # What failures could make of it is worked out for votes that weigh alike only.
        worst = replace(worst, lowest=None, highest=None)
    if found is None:
        reason = _missing(one is two, setup, bool(shared.any()))
        return Estimate(labels, None, reason=reason, failed=worst.failed, pending=worst.pending)
    if one.words > 1 and setup == S2:
        exact = "exact, over all tosses; nothing is estimated"
        return Estimate(labels, 1 / 2, n=int(compared.sum()) // 2, method=exact, chance=1 / 2)
    both_bad = any(np.any(each.classes[BOTH_BAD - 1][shared]) for each in (one, two))
    return Estimate(
        labels,
        found.value,
        found.low,
        found.high,
        options.level,
        n=int(compared.sum()) // one.words,
        k=int(agreeing.sum()) if one.words == 1 else None,
        method=found.method if one.words == 1 else f"{found.method}; over all tosses",
        chance=1 / 2 if setup == S2 else 1 / 4 if both_bad else 1 / 3,
        lowest=worst.lowest,
        highest=worst.highest,
        failed=worst.failed,
        pending=worst.pending,
    )


@statistic(
    "agreement",
    "Judge–human and human–human agreement",
    order=20,
    limits=(
        "Agreement is not validity: two raters who share a bias agree. S2 is conditional on "
        "both preferring a model and cannot be set against S1, and chance here assumes that all"
        " classes are equally likely."
    ),
)
def agreement(view: View) -> Result:
    """Raw agreement per turn and setup, for every pair of raters."""
    estimates = []
    panels = False
    for turn in view.turns:
        raters = raters_on(view, view.turn == turn)
        panels = panels or any(rater.sort == PANEL for rater in raters)
        comparisons = _comparisons(view.people, raters)
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
            "in brackets: baselines that need no model, on the items that a judge has a word on; "
            "the coin is tossed in each order and taken over all tosses",
            "failures could make it: the value if every failed verdict had gone against it, or for "
            "it; what is pending is in neither",
            "intervals are clustered by item",
            *(["a panel is not compared with its own members"] if panels else []),
            *view.panel_assumptions(),
        ),
    )
