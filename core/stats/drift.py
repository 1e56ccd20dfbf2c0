"""Whether annotators and judges change as they go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.stats.clustered import FEWEST_CLUSTERS, Told, by_rater, change
from core.stats.observed import (
    LONGER_BY,
    Floats,
    Longs,
    Observed,
    by_rater_and_pair,
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
from core.stats.sorting import order_of
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
    keys = rater * (int(pair.max(initial=0)) + 1) + pair
    order = order_of(keys)
    ranked = keys[order]
    is_new = np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)]
    met = np.empty(len(keys), np.int64)
    met[order] = np.cumsum(is_new) - 1
    is_first = np.zeros(len(keys), np.bool_)
    is_first[order[is_new]] = True
    first = np.flatnonzero(is_first)
    by_rater_then_time = first[order_of(rater[first])]
    whose = rater[by_rater_then_time]
    starts = np.flatnonzero(np.append(True, whose[1:] != whose[:-1])[: len(whose)])
    sizes = np.diff(np.append(starts, len(whose)))
    within = np.arange(len(whose)) - np.repeat(starts, sizes)
    is_late = np.empty(len(whose), np.int64)
    is_late[met[by_rater_then_time]] = 2 * within >= np.repeat(sizes, sizes)
    return np.asarray(is_late[met])


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


@dataclass(frozen=True, slots=True)
class _Halves:
    """What one kind of rater said: the pair and the half of each choice, and each measure."""

    rater: Longs
    pair: Longs
    half: Longs
    measures: list[tuple[str, Longs, Floats]]


def _halves(view: View, said: Observed, half: Longs, people: Longs, own: bool) -> _Halves:
    pair = view.pair.astype(np.int64)[said.item]
    return _Halves(said.rater, pair, half, list(_measured(view, said, people, own)))


def _tests(view: View, kind: str, names: dict[int, str], halves: _Halves) -> Iterator[_Found]:
    """Each rater's change from the first half to the second."""
    whose = np.zeros_like(halves.rater) if kind == PEOPLE else halves.rater
    for measure, rows, values in halves.measures:
        data = by_rater(whose[rows] * 2 + halves.half[rows], halves.pair[rows], values)
        for number, name in names.items():
            both = data.get(2 * number), data.get(2 * number + 1)
            sizes = [0 if each is None else len(each.size) for each in both]
            told = None
            if both[0] and both[1] and min(sizes) >= FEWEST_CLUSTERS:
                told = change(both[0], both[1], view.options.level)
            labels: dict[str, Label] = {"rater": name, "is": kind, "measure": measure}
            n = sum(each.n for each in both if each)
            yield labels, told, (sizes[0], sizes[1]), n


def _all_tests(view: View) -> list[_Found]:
    population = next(iter(view.populations))
    people = votes_of(view, population)
    counts = item_counts(view, people)
    votes = np.bincount(people.rater, minlength=len(view.tally.annotators))
    order = sorted(np.flatnonzero(votes).tolist(), key=lambda each: (-votes[each], each))
    tests: list[_Found] = []
    if order:
        pair = view.pair.astype(np.int64)
        half = late(people.rater, pair[people.item])
        # Brought together by rater and half, so that nothing has to be sorted for a measure.
        first = by_rater_and_pair(view, population)
        order_of_halves = first[order_of(people.rater[first] * 2 + half[first])]
        ordered = people.only(order_of_halves)
        halves = _halves(view, ordered, half[order_of_halves], counts, own=True)
        tests += _tests(view, PEOPLE, {0: population}, halves)
        names = {number: view.tally.annotators[number] for number in order}
        each = list(_tests(view, ANNOTATOR, names, halves))
        tests += [each[place] for start in range(len(names)) for place in _rows(start, len(names))]
    for name, judge in present_judges(view).items():
        said = verdicts_in_time(view, judge)
        half = late(said.rater, view.pair.astype(np.int64)[said.item])
        tests += _tests(view, JUDGE, {judge: name}, _halves(view, said, half, counts, own=False))
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
