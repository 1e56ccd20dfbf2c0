"""Whether annotators and judges change as they go on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.stats.clustered import FEWEST_CLUSTERS, Told, by_rater, change
from core.stats.observed import (
    LONGER_BY,
    Floats,
    Longs,
    Observed,
    item_counts,
    longer_model,
    present_judges,
    verdicts_in_time,
    votes_of,
)
from core.stats.rater_bias import (
    ANNOTATOR,
    BAD,
    CORRECTED,
    JUDGE,
    LEFT,
    LONGER,
    left_out,
    listed,
    stands_out,
)
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD
from core.stats.view import View
from core.text import many

AGREES = "with others"
PEOPLE = "people"
MEASURES = (AGREES, LEFT, LONGER, BAD)

_Found = tuple[dict[str, Label], Told | None, tuple[int, int], int]


def late(rater: Longs, pair: Longs) -> Longs:
    """1 for what a rater said in the second half of their pairs, by when they first met each.

    Args:
        rater: of each choice, in the order in which they were made.
        pair: of each, its pair of answers: all that was said of one stays together.
    """
    width = int(pair.max(initial=0)) + 1
    _, first, place = np.unique(rater * width + pair, return_index=True, return_inverse=True)
    order = np.lexsort((first, rater[first]))
    ranked = np.empty(len(first), np.int64)
    _, starts, sizes = np.unique(rater[first][order], return_index=True, return_counts=True)
    within = np.arange(len(first)) - np.repeat(starts, sizes)
    ranked[order] = 2 * within >= np.repeat(sizes, sizes)
    return np.asarray(ranked[place])


def _measured(
    view: View, said: Observed, people: Longs, own: bool
) -> Iterator[tuple[str, Longs, Floats]]:
    """For each measure, the choices it is taken of and what each counts, between 0 and 1."""
    everything = np.arange(len(said.item))
    counts = people[said.item]
    others = counts.sum(axis=1) - own
    same = counts[everything, said.choice - 1] - own
    held = others > 0
    yield AGREES, everything[held], same[held] / others[held]
    sided = said.sided
    yield LEFT, everything[sided], (said.choice == said.left)[sided].astype(np.float64)
    longer = longer_model(view)[said.item]
    uneven = said.decisive & (longer > 0)
    yield LONGER, everything[uneven], (said.choice == longer)[uneven].astype(np.float64)
    bad = said.choice == BOTH_BAD
    heard = np.full(len(bad), bool(bad.any()))
    yield BAD, everything[heard], bad[heard].astype(np.float64)


def _tests(
    view: View, kind: str, names: dict[int, str], said: Observed, people: Longs
) -> Iterator[_Found]:
    """Each rater's change from the first half to the second."""
    pair = view.pair.astype(np.int64)[said.item]
    half = late(said.rater, pair)
    whose = np.zeros_like(said.rater) if kind == PEOPLE else said.rater
    for measure, rows, values in _measured(view, said, people, own=kind != JUDGE):
        data = by_rater(whose[rows] * 2 + half[rows], pair[rows], values)
        for number, name in names.items():
            halves = data.get(2 * number), data.get(2 * number + 1)
            sizes = [0 if each is None else len(each.size) for each in halves]
            told = None
            if halves[0] and halves[1] and min(sizes) >= FEWEST_CLUSTERS:
                told = change(halves[0], halves[1], view.options.level)
            labels: dict[str, Label] = {"rater": name, "is": kind, "measure": measure}
            n = sum(each.n for each in halves if each)
            yield labels, told, (sizes[0], sizes[1]), n


def _all_tests(view: View) -> list[_Found]:
    population = next(iter(view.populations))
    people = votes_of(view, population)
    counts = item_counts(view, people)
    votes = np.bincount(people.rater, minlength=len(view.tally.annotators))
    order = sorted(np.flatnonzero(votes).tolist(), key=lambda each: (-votes[each], each))
    tests: list[_Found] = []
    if order:
        tests += _tests(view, PEOPLE, {0: population}, people, counts)
        names = {number: view.tally.annotators[number] for number in order}
        each = list(_tests(view, ANNOTATOR, names, people, counts))
        tests += [each[place] for start in range(len(names)) for place in _rows(start, len(names))]
    for name, judge in present_judges(view).items():
        tests += _tests(view, JUDGE, {judge: name}, verdicts_in_time(view, judge), counts)
    return tests


def _rows(start: int, names: int) -> range:
    return range(start, names * len(MEASURES), names)


def _estimate(view: View, found: _Found, word: str) -> Estimate:
    labels, told, sizes, n = found
    labels = {**labels, "stands out": word}
    if told is None:
        reason = (
            f"{sizes[0]} and {sizes[1]} pairs in the two halves that say something of this; "
            f"{FEWEST_CLUSTERS} in each are needed"
        )
        return Estimate(labels, None, n=n, unit="difference", reason=reason)
    method = (
        f"Welch's t over {sizes[0]} and {sizes[1]} pairs, p = {told.p:.2g} before the correction"
    )
    level = view.options.level
    return Estimate(
        labels, told.value, told.low, told.high, level, n=n, unit="difference", method=method
    )


@statistic(
    "drift",
    "Change over time",
    order=68,
    limits="A change over time may be the pairs that came later and not the rater.",
)
def drift(view: View) -> Result:
    """Second half less first half of each rater's work: agreement, left, longer, both bad."""
    tests = _all_tests(view)
    words = stands_out([told.p if told else None for _, told, _, _ in tests])
    shown, hidden = listed((test[0], test[1] is not None) for test in tests)
    rows = zip(tests, words, shown, strict=True)
    done = sum(test[1] is not None for test in tests)
    notes = (
        f"{many(done, 'test')}; {words.count(CORRECTED)} stand out after the correction",
        *left_out(hidden),
    )
    if not tests:
        notes = ("there are no votes and no verdicts yet",)
    return Result(
        "drift",
        "Change over time",
        "What the second half of each rater's pairs shows, less what the first half shows.",
        ("rater", "is", "measure", "stands out"),
        tuple(_estimate(view, test, word) for test, word, fits in rows if fits),
        notes,
        view.assumptions(
            "halves of each rater's own pairs, in the order in which they were first met; imported "
            "votes and verdicts come in the order of their file",
            f"{AGREES}: the share of other people on the same item who say the same; {LEFT} and "
            f"{LONGER}: of choices that prefer a model, for the left one and for the one that is "
            f"longer by {LONGER_BY} characters; {BAD}: of all choices",
            f"{PEOPLE}: all of them together, each at their own first and second half",
            "pairs come at random; where easy ones came first, that is a change, too",
            "stands out: as in rater_bias, over all tests of this table (Benjamini–Yekutieli)",
        ),
    )
