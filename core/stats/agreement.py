"""How often two raters say the same about the same item (the MT-bench paper's S1 and S2).

Judge–human: every vote is compared with the judge's outcome on its item. Human–human: all
pairs of votes within an item, pooled, so that k votes give k(k−1)/2 comparisons.
Judge–judge: one comparison per item. Source: Zheng et al. 2023, section 4, in the convention
that reproduces its table 5. Panels are compared like judges, though never with their own members;
baselines that need no model stand beside them, on the items that judges judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from core.stats.agreement_sums import (
    ByQuestion,
    Couple,
    agreeing_by_question,
    moments_of_couple,
)
from core.stats.clustered import wilson_over
from core.stats.collapsed import collapsed, turns, unless_changed
from core.stats.comparing import (
    BASELINE,
    CLASSES,
    HUMAN,
    PANEL,
    S1,
    S2,
    Voice,
    agreeing_and_compared,
    apart,
    baselines_in,
    is_model,
    judges_in,
    people_in,
    together,
    worst_cases,
)
from core.stats.intervals import Interval, clustered_share
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD
from core.stats.view import View
from core.stats.weighted import weighted_share


def voices_on(view: View) -> list[Voice]:
    """Who has a word on some selected item."""
    return _voices(view, None)


def _voices(view: View, turn: int | None) -> list[Voice]:
    """Who has a word on an item of a turn, or any: people, judges, panels, baselines beside."""
    judges = judges_in(view)
    models = [judge for judge in judges if is_model(view, judge.name)]
    everyone = [*people_in(view), *judges]
    if models:
        everyone += baselines_in(view, models)
    return [voice for voice in everyone if together(view, turn, voice)[0][0].rated.any()]


def _comparisons(people_are: str, voices: list[Voice]) -> list[tuple[str, Voice, Voice]]:
    """Judge–human, human–human within a population and between groups, judge–judge."""
    people = [each for each in voices if each.sort == HUMAN]
    judges = [each for each in voices if each.sort not in (HUMAN, BASELINE)]
    beside = [each for each in voices if each.sort == BASELINE]
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


def _couples(view: View) -> list[Couple]:
    """Every two voices that are compared at some turn."""
    return [(one, two) for _, one, two in _comparisons(view.people, voices_on(view))]


def share_by_question(
    view: View, labels: Mapping[str, Label], items: int, words: int = 1
) -> Interval | None:
    """How often two raters agree at a turn, clustered by question.

    Args:
        labels: ``turn``, ``setup``, ``rater_1`` and ``rater_2``, as in this table.
        items: on which anything is compared.
        words: how many words of a rater stand for one.

    Returns:
        None where each of these items is on a question of its own.
    """

    def find() -> list[ByQuestion]:
        return agreeing_by_question(view, _couples(view), turns(view))

    tables = view.once(("agreeing by question",), find)
    couple = str(labels["rater_1"]), str(labels["rater_2"])
    turn, setup = int(labels["turn"]), str(labels["setup"])
    found = moments_of_couple(tables, couple, setup, turn)
    if found.count == items:
        return None
    return wilson_over(found, view.options.level, "comparisons", "questions", words)


def _missing(is_within: bool, setup: str, both: bool) -> str:
    if is_within:
        return (
            "no item has two votes" if setup == S1 else "no item has two votes that prefer a model"
        )
    if not both:
        return "no item was rated by both"
    return "wherever both rated an item, one of them preferred neither model"


def _estimate(view: View, turn: int, setup: str, kind: str, voice: Voice, other: Voice) -> Estimate:
    voices = (voice,) if voice is other else (voice, other)
    made = partial(_estimated, view, turn, setup, kind, voices)
    if _is_weighed(view, other):
        return made()
    _, times = collapsed(view, turns(view), *(each.columns for each in voices))
    about = ("agreement", turn, setup, kind, voice.name, other.name)
    return unless_changed(view, about, times, made)


def _is_weighed(view: View, other: Voice) -> bool:
    """Whether comparisons with these votes weigh what their pairs do."""
    return other.sort == HUMAN and view.design.weights is not None


def _estimated(view: View, turn: int, setup: str, kind: str, voices: tuple[Voice, ...]) -> Estimate:
    weights = None
    question = None
    if _is_weighed(view, voices[-1]):
        here = view.turn == turn
        weights = view.design.on(view.pair[here])
        question = view.tally.pair_table[view.pair[here], 3]
        raters, times = [each.only(here) for each in apart(view, *voices)], np.ones(here.sum(), int)
    else:
        raters, times = together(view, turn, *voices)
    one, two = raters[0], raters[-1]
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
    worst = worst_cases(setup, one, two, times, (agreeing, compared))
    if weights is None:
        items = int(times[compared > 0].sum())
        found = share_by_question(view, labels, items, one.words)
        if found is None:
            rng = view.rng("agreement", *labels.values())
            level, replicates = options.level, options.replicates
            found = clustered_share(agreeing, compared, level, replicates, rng, times)
    else:
        n = max(int(compared.sum()) // one.words, 1)  # S2 drops half of what a coin says
        level, of = options.level, "questions"
        found = weighted_share(agreeing, compared, weights, level, of, n, question)
        # What failures could make of it is worked out for votes that weigh alike only.
        worst = replace(worst, lowest=None, highest=None)
    if found is None:
        reason = _missing(one is two, setup, bool(shared.any()))
        return Estimate(labels, None, reason=reason, failed=worst.failed, pending=worst.pending)
    if one.words > 1 and setup == S2:
        exact = "exact, over all tosses; nothing is estimated"
        return Estimate(labels, 1 / 2, n=int(times @ compared) // 2, method=exact, chance=1 / 2)
    both_bad = any(np.any(each.classes[BOTH_BAD - 1][shared]) for each in (one, two))
    return Estimate(
        labels,
        found.value,
        found.low,
        found.high,
        options.level,
        n=int(times @ compared) // one.words,
        k=int(times @ agreeing) if one.words == 1 else None,
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
    follows=True,
)
def agreement(view: View) -> Result:
    """Raw agreement per turn and setup, for every pair of raters."""
    estimates = []
    panels = False
    for turn in view.turns:
        voices = _voices(view, turn)
        panels = panels or any(voice.sort == PANEL for voice in voices)
        comparisons = _comparisons(view.people, voices)
        estimates += [
            _estimate(view, turn, setup, *compared)
            for setup in (S1, S2)
            for compared in comparisons
        ]
    notes = view.judge_notes()
    if not estimates:
        notes = (view.none_of("votes and no verdicts to compare"), *notes)
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
            "intervals are clustered by question: the pairs of a question share answers",
            *(["a panel is not compared with its own members"] if panels else []),
            *view.panel_assumptions(),
        ),
    )
