"""Each annotator and each judge by the same three measures, corrected for how many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from core.stats.alt_test import rejected
from core.stats.clustered import (
    FALSE_DISCOVERIES,
    FEWEST_CLUSTERS,
    Clusters,
    Told,
    by_rater,
    mean_difference,
)
from core.stats.observed import (
    LONGER_BY,
    NO_TEXTS,
    Floats,
    Longs,
    Observed,
    by_rater_and_pair,
    gaps,
    item_counts,
    longer_model,
    present_judges,
    verdicts_of,
    votes_of,
)
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD
from core.stats.view import View
from core.text import many

LEFT, LONGER, BAD = "left", "longer", "both bad"
MEASURES = (LEFT, LONGER, BAD)
ANNOTATOR, JUDGE = "annotator", "judge"
SHOWN = 100
"""Annotators listed at most. All are tested."""

NO, ALONE, CORRECTED = "no", "alone", "corrected"


@dataclass(frozen=True, slots=True)
class Deviations:
    """How each of some choices deviates from what it is measured by.

    Attributes:
        measure: one of :data:`MEASURES`.
        rater: of each choice.
        cluster: of each, its pair of answers.
        values: of each, between −1 and 1.
    """

    measure: str
    rater: Longs
    cluster: Longs
    values: Floats


def deviations(view: View, said: Observed, people: Longs, own: bool) -> Iterator[Deviations]:
    """What each choice says of its rater's leaning, against the middle or against people.

    Args:
        people: people's choices per item, see :func:`item_counts`.
        own: whether these choices are among people's and have to be set aside.
    """
    pair = view.pair.astype(np.int64)
    sided = said.only(said.sided)
    leaning = (sided.choice == sided.left) - 0.5
    yield Deviations(LEFT, sided.rater, pair[sided.item], leaning)

    longer = longer_model(view)
    used = said.only(said.decisive & (longer[said.item] > 0))
    chose = (used.choice == longer[used.item]).astype(np.float64)
    counts = people[used.item]
    for_longer = counts[np.arange(len(counts)), longer[used.item] - 1] - own * chose
    others = counts[:, 0] + counts[:, 1] - own
    yield _against(LONGER, used, pair, chose, for_longer, others)

    bad = (said.choice == BOTH_BAD).astype(np.float64)
    counts = people[said.item]
    # Where nobody ever says so, there is nothing to test, and no room to take from other tests.
    heard = bool(bad.any() or people[:, BOTH_BAD - 1].any())
    others = (counts.sum(axis=1) - own) * heard
    yield _against(BAD, said, pair, bad, counts[:, BOTH_BAD - 1] - own * bad, others)


def _against(
    measure: str, said: Observed, pair: Longs, mine: Floats, theirs: Floats, others: Longs
) -> Deviations:
    """A choice less the others' share on the same item, where there are others."""
    held = others > 0
    values = mine[held] - theirs[held] / others[held]
    return Deviations(measure, said.rater[held], pair[said.item[held]], values)


@dataclass(frozen=True, slots=True)
class _Tested:
    labels: dict[str, Label]
    data: Clusters | None
    told: Told | None


def _tests(view: View, kind: str, names: dict[int, str], found: Deviations) -> list[_Tested]:
    data = by_rater(found.rater, found.cluster, found.values)
    tests = []
    for number, name in names.items():
        mine = data.get(number)
        labels: dict[str, Label] = {"rater": name, "is": kind, "measure": found.measure}
        enough = mine is not None and len(mine.size) >= FEWEST_CLUSTERS
        told = mean_difference(mine, view.options.level) if mine and enough else None
        tests.append(_Tested(labels, mine, told))
    return tests


def _estimate(view: View, test: _Tested, stands_out: str) -> Estimate:
    labels = {**test.labels, "stands out": stands_out}
    data, told = test.data, test.told
    if data is None or told is None:
        clusters = 0 if data is None else len(data.size)
        reason = _why(view, str(test.labels["measure"]), clusters)
        n = 0 if data is None else data.n
        return Estimate(labels, None, n=n, unit="difference", reason=reason)
    method = f"t over {len(data.size)} pairs, p = {told.p:.2g} before the correction"
    level = view.options.level
    return Estimate(
        labels, told.value, told.low, told.high, level, n=data.n, unit="difference", method=method
    )


def _why(view: View, measure: str, clusters: int) -> str:
    if measure == LONGER and not gaps(view)[1].any():
        return NO_TEXTS
    if measure == BAD and not clusters:
        return "nobody called both bad, or nobody else voted on the same pairs"
    what = {
        LEFT: "pairs with a choice that prefers a model and a side on record",
        LONGER: "pairs of unequal length on which somebody else preferred a model, too",
        BAD: "pairs that somebody else voted on, too",
    }[measure]
    return f"{clusters} {what}; {FEWEST_CLUSTERS} are needed"


def _all_tests(view: View) -> list[_Tested]:
    """Every test, annotators with most votes first, then judges."""
    population = next(iter(view.populations))
    people = votes_of(view, population).only(by_rater_and_pair(view, population))
    counts = item_counts(view, people)
    votes = np.bincount(people.rater, minlength=len(view.tally.annotators))
    order = sorted(np.flatnonzero(votes).tolist(), key=lambda each: (-votes[each], each))
    annotators = {number: view.tally.annotators[number] for number in order}
    groups = [(ANNOTATOR, annotators, deviations(view, people, counts, own=True))]
    for name, judge in present_judges(view).items():
        said = verdicts_of(view, judge)
        groups.append((JUDGE, {judge: name}, deviations(view, said, counts, own=False)))
    tests = []
    for kind, names, found in groups:
        by_measure = [_tests(view, kind, names, each) for each in found]
        tests += [test for row in zip(*by_measure, strict=True) for test in row]
    return tests


def stands_out(p: list[float | None]) -> list[str]:
    """For each test whether it rejects, alone and among all; empty where nothing was tested.

    Benjamini & Yekutieli (2001), which holds however the tests depend on each other.
    """
    tested = [each for each in p if each is not None]
    found = iter(rejected(np.array(tested), FALSE_DISCOVERIES).tolist())
    said = []
    for each in p:
        if each is None:
            said.append("")
        elif next(found):
            said.append(CORRECTED)
        else:
            said.append(ALONE if each <= FALSE_DISCOVERIES else NO)
    return said


def listed(rows: Iterable[tuple[Mapping[str, Label], bool]]) -> tuple[list[bool], int]:
    """Which tests are shown, and how many annotators are not: most would drown the others.

    Args:
        rows: each test's labels and whether it could be done, those with most votes first.
    """
    shown: list[bool] = []
    names: set[Label] = set()
    every: set[Label] = set()
    for labels, done in rows:
        if labels["is"] != ANNOTATOR:
            shown.append(True)
            continue
        every.add(labels["rater"])
        fits = done and (labels["rater"] in names or len(names) < SHOWN)
        names |= {labels["rater"]} if fits else set()
        shown.append(fits)
    return shown, len(every - names)


def left_out(number: int) -> tuple[str, ...]:
    """A note on annotators that are not listed."""
    if not number:
        return ()
    why = f"too few pairs, or beyond the {SHOWN} with most votes"
    return (f"{many(number, 'annotator')} not listed: {why}",)


@statistic(
    "rater_bias",
    "Leanings of each annotator and judge",
    order=67,
    limits=(
        "Standing out from the others is not being wrong, and nobody stands out where there are"
        " too few votes to tell."
    ),
)
def rater_bias(view: View) -> Result:
    """Left, longer and both bad of each rater, with what stands out among all of them."""
    tests = _all_tests(view)
    words = stands_out([test.told.p if test.told else None for test in tests])
    shown, hidden = listed((test.labels, test.told is not None) for test in tests)
    rows = zip(tests, words, shown, strict=True)
    done = sum(test.told is not None for test in tests)
    notes = (
        f"{many(done, 'test')}; {words.count(CORRECTED)} stand out after the correction",
        *left_out(hidden),
    )
    if not tests:
        notes = ("there are no votes and no verdicts yet",)
    return Result(
        "rater_bias",
        "Leanings of each annotator and judge",
        "How far each deviates from the middle, or from people on the same items.",
        ("rater", "is", "measure", "stands out"),
        tuple(_estimate(view, test, word) for test, word, fits in rows if fits),
        notes,
        view.assumptions(
            f"{LEFT}: share of choices that prefer the left answer, less ½; sides at random",
            f"{LONGER}: how often the longer answer wins where one is longer by more than "
            f"{LONGER_BY} characters, less how often it does with other people on the same items",
            f"{BAD}: how often both are called bad, less how often other people do on the same",
            "an annotator is set against the others, a judge against all people",
            f"stands out: {CORRECTED} is a false-discovery rate of {FALSE_DISCOVERIES:.0%} over "
            "the whole table (Benjamini–Yekutieli, because being measured by each other makes "
            f"tests depend on each other both ways); {ALONE}: only taken by itself",
            "intervals are clustered by pair of answers and not widened for their number",
        ),
    )
