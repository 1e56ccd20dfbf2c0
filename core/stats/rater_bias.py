"""Each annotator and each judge by the same three measures, corrected for how many there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from core.stats.alt_test import rejected
from core.stats.clustered import (
    FALSE_DISCOVERIES,
    FEWEST_CLUSTERS,
    MOMENTS,
    Moments,
    Told,
    mean_difference,
    moment_terms,
    moments_of,
)
from core.stats.nearby import (
    Parts,
    counts_near,
    has_texts,
    kept_by_pair,
    longer_on,
    near,
    verdicts_near,
    votes_near,
)
from core.stats.observed import (
    LONGER_BY,
    NO_TEXTS,
    Floats,
    Longs,
    Observed,
    present_judges,
)
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.sorting import grouped
from core.stats.tally import BOTH_BAD, MODEL_2
from core.stats.view import View
from core.text import many

LEFT, LONGER, BAD = "left", "longer", "both bad"
MEASURES = (LEFT, LONGER, BAD)
ANNOTATOR, JUDGE = "annotator", "judge"
SHOWN = 100
"""Annotators listed at most. All are tested."""

NO, ALONE, CORRECTED = "no", "alone", "corrected"

_NOTHING = np.zeros(MOMENTS * len(MEASURES) + 2, np.int64)


@dataclass(frozen=True, slots=True)
class Deviations:
    """How each of some choices deviates from what it is measured by.

    Attributes:
        places: of these choices among all.
        values: of each, between −1 and 1.
    """

    places: Longs
    values: Floats


def deviations(said: Observed, people: Longs, longer: Longs, own: bool) -> list[Deviations]:
    """What each choice says of its rater's leaning, against the middle or against people.

    Args:
        people: people's choices per item, shape (items, 4).
        longer: the longer model per item, 0 where there is none.
        own: whether these choices are among people's and have to be set aside.

    Returns:
        One for each of :data:`MEASURES`.
    """
    sided = np.flatnonzero(said.sided)
    found = [Deviations(sided, (said.choice == said.left)[sided] - 0.5)]

    uneven = np.flatnonzero(said.decisive & (longer[said.item] > 0))
    item = said.item[uneven]
    chose = (said.choice[uneven] == longer[item]).astype(np.float64)
    for_longer = people[item, longer[item] - 1] - own * chose
    found.append(_against(uneven, chose, for_longer, people[item, :MODEL_2].sum(axis=1) - own))

    bad = (said.choice == BOTH_BAD).astype(np.float64)
    counts = people[said.item]
    theirs, others = counts[:, BOTH_BAD - 1] - own * bad, counts.sum(axis=1) - own
    return [*found, _against(np.arange(len(bad)), bad, theirs, others)]


def _against(places: Longs, mine: Floats, theirs: Floats, others: Longs) -> Deviations:
    """A choice less the others' share on the same item, where there are others."""
    held = others > 0
    return Deviations(places[held], mine[held] - theirs[held] / others[held])


def _terms(values: Floats) -> Longs:
    """What parts add: moments of each measure, then both bad, and choices."""
    of = [moment_terms(values[:, 2 * n], values[:, 2 * n + 1]) for n in range(len(MEASURES))]
    return np.concatenate([*of, values[:, -2:].astype(np.int64)], axis=1)


def _parts(view: View, population: str, judge: int | None, pairs: Longs) -> Parts:
    """Of each rater and pair of answers the sum and number of deviations; both bad; choices."""
    here = near(view, pairs)
    people, _ = votes_near(view, here, population)
    said = people if judge is None else verdicts_near(view, here, judge)
    counts, longer = counts_near(here, people), longer_on(view, here.items)
    width = max(len(pairs), 1)
    keys, _, place = grouped(said.rater * width + here.pair[said.item])
    columns = []
    for each in deviations(said, counts, longer, own=judge is None):
        mine = place[each.places]
        columns.append(np.bincount(mine, weights=each.values, minlength=len(keys)))
        columns.append(np.bincount(mine, minlength=len(keys)).astype(np.float64))
    columns.append(np.bincount(place, weights=said.choice == BOTH_BAD, minlength=len(keys)))
    columns.append(np.bincount(place, minlength=len(keys)).astype(np.float64))
    return keys % width, keys // width, np.stack(columns, axis=1)


def _sums(view: View, population: str, judge: int | None = None) -> dict[int, Longs]:
    """By rater, the sums of :func:`_terms` over pairs of answers."""
    name = "rater_bias", view.vote_key(population), judge, view.options.repeats
    of, width = partial(_parts, view, population, judge), 2 * len(MEASURES) + 2
    follows = judge is None or view.follows(judge)
    cells, sums = kept_by_pair(view, name, width, _terms, of, follows).sums()
    return {int(cell): each for cell, each in zip(cells, sums, strict=True) if each[-1]}


@dataclass(frozen=True, slots=True)
class _Tested:
    labels: dict[str, Label]
    data: Moments
    told: Told | None


def _tests(view: View, kind: str, name: str, sums: Longs, heard: bool) -> list[_Tested]:
    key, level = ("rater_bias", kind, name, view.options.level), view.options.level

    def make() -> list[_Tested]:
        return _tested(kind, name, sums, heard, level)

    return view.tally.memo.unless_same(key, (sums.tobytes(), heard), make)


def _tested(kind: str, name: str, sums: Longs, heard: bool, level: float) -> list[_Tested]:
    tests = []
    for number, measure in enumerate(MEASURES):
        # Where nobody ever says both bad, there is nothing to test, and no room to take from
        # other tests.
        silent = measure == BAD and not heard
        mine = moments_of(sums[MOMENTS * number :][:MOMENTS] * (not silent))
        labels: dict[str, Label] = {"rater": name, "is": kind, "measure": measure}
        enough = mine.count >= FEWEST_CLUSTERS
        told = mean_difference(mine, level) if enough else None
        tests.append(_Tested(labels, mine, told))
    return tests


def _estimate(view: View, test: _Tested, stands_out: str) -> Estimate:
    labels = {**test.labels, "stands out": stands_out}
    data, told = test.data, test.told
    if told is None:
        reason = _why(view, str(test.labels["measure"]), data.count)
        return Estimate(labels, None, n=data.n, unit="difference", reason=reason)
    method = f"t over {many(data.count, 'pair')}, p = {told.p:.2g} before the correction"
    level = view.options.level
    return Estimate(
        labels, told.value, told.low, told.high, level, n=data.n, unit="difference", method=method
    )


def _why(view: View, measure: str, clusters: int) -> str:
    if measure == LONGER and not has_texts(view):
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
    people = _sums(view, population)
    heard = any(bool(each[-2]) for each in people.values())
    order = sorted(people, key=lambda each: (-people[each][-1], each))
    names = view.tally.annotators
    tests = [
        test
        for number in order
        for test in _tests(view, ANNOTATOR, names[number], people[number], heard)
    ]
    for name, judge in present_judges(view).items():
        (sums,) = _sums(view, population, judge).values() or (_NOTHING,)
        tests += _tests(view, JUDGE, name, sums, heard or bool(sums[-2]))
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
    follows=True,
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
        notes = (view.none_of("votes and no verdicts"),)
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
