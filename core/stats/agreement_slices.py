"""Agreement within each category of questions, and within each match-up of two models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from core.baselines import COIN
from core.stats.agreement import voices_on
from core.stats.agreement_sums import ByQuestion, agreeing_by_question, moments_of_couple
from core.stats.clustered import Moments, wilson_over
from core.stats.collapsed import (
    MODELS_AND_CATEGORY,
    Columns,
    choices,
    collapsed,
    collapsed_pairs,
    every_pair,
    raters_in,
)
from core.stats.comparing import (
    BASELINE,
    CLASSES,
    HUMAN,
    IN_REPORTS,
    S1,
    S2,
    Voice,
    agreeing_and_compared,
)
from core.stats.intervals import Interval, clustered_wilson
from core.stats.observed import Bools, Floats, Longs
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD
from core.stats.view import View
from core.stats.weighted import weighted_share
from core.stats.win_rate import NO_CATEGORY
from core.text import many

FEWEST = 5
"""Pairs of answers below which a slice says too little to be told."""

_MATCHES = 45
"""Match-ups listed; those with most comparisons come first."""


_SAME = (
    "compared as in agreement: a judge with each vote on its item, people with each other, S1 "
    "with ties and S2 without; the human–human row of a slice is its ceiling",
    f"below {FEWEST} pairs of answers nothing is told",
    "turns are pooled; intervals are clustered by question (Wilson at the effective size)",
)


@dataclass(frozen=True, slots=True)
class _Compared:
    """One comparison by pair of answers, alike ones together.

    Attributes:
        about: models and category, shape (patterns, 3).
        agreeing: by pattern, what agrees.
        compared: of so many.
        times: how many pairs each pattern stands for.
        weights: of pairs, where patterns are single pairs; None where all weigh 1.
        question: of the same.
    """

    labels: dict[str, Label]
    about: Longs
    agreeing: Longs
    compared: Longs
    times: Longs
    weights: Floats | None
    question: Longs | None


def _couples(view: View, *, baselines: bool) -> list[tuple[str, Voice, Voice]]:
    """Kind of comparison, and the two who are compared."""
    voices = [each for each in voices_on(view) if each.name != IN_REPORTS[COIN]]
    people = [each for each in voices if each.sort == HUMAN]
    others = [each for each in voices if each.sort != HUMAN]
    others = [each for each in others if baselines or each.sort != BASELINE]
    named = view.people
    sides: list[tuple[str, Voice, Voice]] = []
    sides += [(f"{each.sort}-{named}", each, human) for each in others for human in people[:1]]
    sides += [(f"{named}-{named}", human, human) for human in people]
    sides += [(f"{named}-{named}", one, two) for one, two in combinations(people[1:], 2)]
    return sides


def _comparisons(view: View, *, baselines: bool) -> Iterator[_Compared]:
    for setup in CLASSES:
        for kind, one, two in _couples(view, baselines=baselines):
            labels: dict[str, Label] = {
                "setup": setup,
                "kind": kind,
                "rater_1": one.name,
                "rater_2": two.name,
            }
            yield _Compared(labels, *_by_pair(view, _both(setup, one, two)))


def _both(setup: str, one: Voice, two: Voice) -> Columns:
    """How many comparisons of two voices agree on an item, and how many there are."""
    classes = CLASSES[setup]

    def rows(items: Longs) -> Longs:
        first = one.heard(one.columns.rows(items)).classes[classes]
        second = None if two is one else two.heard(two.columns.rows(items)).classes[classes]
        return np.stack(agreeing_and_compared(first, second), axis=1).astype(np.int64)

    names = tuple((each.sort, each.name, each.columns.key) for each in (one, two))
    follows = one.columns.follows and two.columns.follows
    return Columns(("compared", setup, names), 2, rows, follows)


def _by_pair(
    view: View, columns: Columns
) -> tuple[Longs, Longs, Longs, Longs, Floats | None, Longs | None]:
    if view.design.weights is not None:
        about, sums, number = every_pair(view, MODELS_AND_CATEGORY, columns)
        weights, question = view.design.on(number), view.tally.pair_table[number, 3]
        alone = np.ones(len(number), np.int64)
        return about, sums[:, 0], sums[:, 1], alone, weights, question.astype(np.int64)
    (about, sums), times = collapsed_pairs(view, MODELS_AND_CATEGORY, columns)
    return about, sums[:, 0], sums[:, 1], times, None, None


def _estimate(
    view: View,
    labels: dict[str, Label],
    found: _Compared,
    mine: Bools,
    chance: float,
    shared: Callable[[], Moments] | None,
) -> Estimate:
    agreeing, compared, times = found.agreeing[mine], found.compared[mine], found.times[mine]
    sums = agreeing, compared, times
    if found.weights is not None and found.question is not None:
        level, of = view.options.level, "questions"
        by = found.weights[mine], level, of, int(compared.sum()), found.question[mine]
        return _told(view, labels, sums, chance, lambda: weighted_share(agreeing, compared, *by))
    of_questions = None if shared is None else shared()
    # A vote changes one slice: the others are told as before.
    data = np.stack(sums).tobytes(), of_questions
    key = ("slice", tuple(labels.items()), view.selection, view.options.level, chance)

    def make() -> Estimate:
        return _told(view, labels, sums, chance, partial(_share, view, sums, of_questions))

    return view.tally.memo.unless_same(key, data, make)


def _share(
    view: View, sums: tuple[Longs, Longs, Longs], of_questions: Moments | None
) -> Interval | None:
    """Clustered by question; within a match-up, each question has one pair."""
    agreeing, compared, times = sums
    level, pairs = view.options.level, int(times[compared > 0].sum())
    if of_questions is None or of_questions.count == pairs:
        return clustered_wilson(agreeing, compared, level, "comparisons", "pairs", times)
    return wilson_over(of_questions, level, "comparisons", "questions")


def _told(
    view: View,
    labels: dict[str, Label],
    sums: tuple[Longs, Longs, Longs],
    chance: float,
    told: Callable[[], Interval | None],
) -> Estimate:
    agreeing, compared, times = sums
    clusters, n = int(times[compared > 0].sum()), int(times @ compared)
    if clusters < FEWEST:
        reason = (
            f"{many(clusters, 'pair')} of answers with something to compare; {FEWEST} are needed"
        )
        return Estimate(labels, None, n=n, reason=reason)
    share = told()
    assert share is not None
    return Estimate(
        labels,
        share.value,
        share.low,
        share.high,
        view.options.level,
        n=n,
        k=int(times @ agreeing),
        method=share.method,
        chance=chance,
    )


def _chance(view: View, setup: Label) -> float:
    if setup == S2:
        return 1 / 2

    def occurs() -> bool:
        raters = (collapsed(view, choices(view, rater))[0][0] for rater in raters_in(view))
        return any(bool(rows[:, BOTH_BAD - 1].any()) for rows in raters)

    return 1 / 4 if view.once(("both bad occurs",), occurs) else 1 / 3


def _rows(
    view: View,
    slices: list[tuple[dict[str, Label], Callable[[Longs], Bools], int | None]],
    *,
    baselines: bool,
) -> list[Estimate]:
    """The rows of some slices: their labels, the pairs in them, and their category's number."""
    rows = []
    compared = list(_comparisons(view, baselines=baselines))
    couples = [(one, two) for _, one, two in _couples(view, baselines=baselines)]
    tables: list[ByQuestion] = []
    if view.design.weights is None and any(number is not None for *_, number in slices):
        tables = agreeing_by_question(view, couples, _categories(view))
    for names, is_of, number in slices:
        for each in compared:
            mine, setup = is_of(each.about), str(each.labels["setup"])
            if setup == S1 or each.compared[mine].any():
                shared = None
                if tables and number is not None:
                    couple = str(each.labels["rater_1"]), str(each.labels["rater_2"])
                    shared = partial(moments_of_couple, tables, couple, setup, number)
                labels = {**names, **each.labels}
                rows.append(_estimate(view, labels, each, mine, _chance(view, setup), shared))
    return rows


def _categories(view: View) -> Columns:
    """The category of an item's question."""
    tally = view.tally

    def rows(items: Longs) -> Longs:
        return np.asarray(tally.pair_table[tally.item_pair[items], 2:3])

    return Columns(("category",), 1, rows)


def _notes(rows: tuple[Estimate, ...]) -> tuple[str, ...]:
    """Why there are no rows, where there are none."""
    return () if rows else ("there are no votes yet that anything could be compared with",)


def _seen(view: View) -> tuple[Longs, Longs]:
    """Pairs on which somebody said something: models and category, and how many are alike."""
    every = [choices(view, rater) for rater in raters_in(view)]

    def rows(items: Longs) -> Longs:
        said = [each.rows(items).any(axis=1) for each in every]
        found = np.any([np.zeros(len(items), np.bool_), *said], axis=0)
        return np.asarray(found[:, None], np.int64)

    key = ("said", *(each.key for each in every))
    columns = Columns(key, 1, rows, all(each.follows for each in every))
    (about, said), times = collapsed_pairs(view, MODELS_AND_CATEGORY, columns)
    seen = said[:, 0] > 0
    return about[seen], times[seen]


def _of_category(number: int) -> Callable[[Longs], Bools]:
    return lambda about: about[:, 2] == number


def _of_match(first: int, second: int) -> Callable[[Longs], Bools]:
    return lambda about: (about[:, 0] == first) & (about[:, 1] == second)


@statistic(
    "agreement_by_category",
    "Agreement by category",
    order=21,
    follows=True,
    limits=(
        "Not a test that categories differ: with many of them one looks odd by chance. Where "
        "people agree poorly with each other, no judge can agree well."
    ),
)
def agreement_by_category(view: View) -> Result:
    """Agreement of people, judges and baselines within each category of questions."""
    about, _ = _seen(view)
    names = [each or NO_CATEGORY for each in view.tally.categories]
    order = sorted(np.unique(about[:, 2]).tolist(), key=lambda number: names[number])
    slices: list[tuple[dict[str, Label], Callable[[Longs], Bools], int | None]] = [
        ({"category": names[number]}, _of_category(number), number) for number in order
    ]
    rows = tuple(_rows(view, slices, baselines=True))
    return Result(
        "agreement_by_category",
        "Agreement by category",
        "How often two raters of one item say the same, within each category of questions.",
        ("category", "setup", "kind", "rater_1", "rater_2"),
        rows,
        _notes(rows),
        view.assumptions(*_SAME),
    )


@statistic(
    "agreement_by_pair",
    "Agreement by match-up",
    order=21,
    follows=True,
    limits=(
        "Not a test of the raters: models of one strength give more ties and less agreement, "
        "whoever compares them."
    ),
)
def agreement_by_pair(view: View) -> Result:
    """Agreement of people and judges within each match-up of two models."""
    about, times = _seen(view)
    models = view.tally.models
    matches, match = np.unique(about[:, 0] * len(models) + about[:, 1], return_inverse=True)
    size = np.bincount(match, weights=times, minlength=len(matches))
    most = sorted(np.argsort(-size, kind="stable")[:_MATCHES].tolist())
    slices: list[tuple[dict[str, Label], Callable[[Longs], Bools], int | None]] = []
    for number in most:
        first, second = divmod(int(matches[number]), len(models))
        labels: dict[str, Label] = {"model_1": models[first], "model_2": models[second]}
        slices.append((labels, _of_match(first, second), None))
    slices.sort(key=lambda each: (each[0]["model_1"], each[0]["model_2"]))
    rows = tuple(_rows(view, slices, baselines=False))
    notes = [*_notes(rows)]
    if len(matches) > len(most):
        notes.append(f"of {len(matches)} match-ups, the {_MATCHES} with most pairs are told")
    return Result(
        "agreement_by_pair",
        "Agreement by match-up",
        "How often two raters of one item say the same, within each match-up of two models.",
        ("model_1", "model_2", "setup", "kind", "rater_1", "rater_2"),
        rows,
        tuple(notes),
        view.assumptions(*_SAME),
    )
