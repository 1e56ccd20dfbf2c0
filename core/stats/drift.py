"""Whether annotators and judges change as they go on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from core.stats.clustered import (
    FEWEST_CLUSTERS,
    MOMENTS,
    Told,
    change,
    moment_terms,
    moments_of,
)
from core.stats.ledger import Ledger
from core.stats.nearby import (
    counts_near,
    kept,
    longer_on,
    near,
    verdicts_in_time_near,
    votes_near,
)
from core.stats.observed import LONGER_BY, Floats, Longs, Observed, present_judges
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
from core.stats.sorting import grouped
from core.stats.tally import BOTH_BAD
from core.stats.view import View
from core.text import many

AGREES = "with others"
PEOPLE = "people"
MEASURES = (AGREES, LEFT, LONGER, BAD)

_Found = tuple[dict[str, Label], Told | None, tuple[int, int], int]


_COLUMNS = 2 * len(MEASURES) + 1
"""Of one rater on one pair of answers: sum and number of each measure; when it was first met."""

_NEVER = np.iinfo(np.int64).max


def _terms(values: Floats) -> Longs:
    of = [moment_terms(values[:, 2 * n], values[:, 2 * n + 1]) for n in range(len(MEASURES))]
    return np.concatenate(of, axis=1)


class Halves:
    """What raters said in the first and in the second half of their pairs.

    All that a rater said of one pair stays together, in the order in which pairs were first met.
    A vote moves the middle by one pair at most, so that little is counted otherwise after it.
    """

    def __init__(self) -> None:
        self.alone = Ledger(_COLUMNS, _terms)
        self.together = Ledger(_COLUMNS, _terms)
        self._met: dict[int, tuple[Longs, Longs]] = {}
        self._middle: dict[int, int] = {}

    def put(self, pairs: Longs, owner: Longs, rater: Longs, values: Floats) -> None:
        """Let some pairs of answers have these parts from now on.

        Args:
            owner: of each part, the place of its pair among these.
            values: of each, see :data:`_COLUMNS`.
        """
        before, cells, gone = self.alone.parts(pairs)
        was = cells >> 1, pairs[before], gone[:, -1].astype(np.int64)
        now = rater, pairs[owner], values[:, -1].astype(np.int64)
        others = self._move(was, now)
        others = others[~np.isin(others, pairs)]
        kept, cells, same = self.alone.parts(others)
        every = np.concatenate([pairs, others])
        owner = np.concatenate([owner, len(pairs) + kept])
        rater = np.concatenate([rater, cells >> 1])
        values = np.concatenate([values, same])
        middle = np.array([self._middle[each] for each in rater.tolist()], np.int64)
        late = values[:, -1].astype(np.int64) >= middle
        self.alone.put(every, owner, rater << 1 | late, values)
        keys, _, place = grouped(owner << 1 | late)
        sums = [np.bincount(place, each, len(keys)) for each in values.T]
        self.together.put(every, keys >> 1, keys & 1, np.stack(sums, axis=1))

    def _move(self, was: _Met, now: _Met) -> Longs:
        """Take when pairs were first met in place of when they had been before.

        Returns:
            The pairs that come into another half by it.
        """
        moved = [np.zeros(0, np.int64)]
        lost, new = _by_rater(was), _by_rater(now)
        for rater in {*lost, *new}:
            met, pair = self._met.get(rater, (moved[0], moved[0]))
            if rater in lost:
                left = np.searchsorted(met, lost[rater][0])
                met, pair = np.delete(met, left), np.delete(pair, left)
            if rater in new:
                at = np.searchsorted(met, new[rater][0])
                met = np.insert(met, at, new[rater][0])
                pair = np.insert(pair, at, new[rater][1])
            half = (len(met) + 1) // 2
            middle = int(met[half]) if half < len(met) else _NEVER
            ends = sorted((middle, self._middle.get(rater, _NEVER)))
            low, high = np.searchsorted(met, ends)
            moved.append(pair[low:high])
            self._met[rater], self._middle[rater] = (met, pair), middle
        return grouped(np.concatenate(moved))[0]


_Met = tuple[Longs, Longs, Longs]
"""Of each rater and pair: the rater, the pair, when it was first met."""


def _by_rater(told: _Met) -> dict[int, tuple[Longs, Longs]]:
    """By rater, when pairs were first met, rising, and which."""
    order = np.lexsort((told[2], told[0]))
    rater, pair, met = (each[order] for each in told)
    raters, starts = np.unique(rater, return_index=True)
    ends = np.append(starts, len(rater))[1:]
    return {
        int(number): (met[start:end], pair[start:end])
        for number, start, end in zip(raters, starts, ends, strict=True)
    }


def _measured(
    said: Observed, people: Longs, longer: Longs, own: bool
) -> Iterator[tuple[Longs, Floats]]:
    """For each measure, the choices it is taken of and what each counts, between 0 and 1."""
    everything = np.arange(len(said.item))
    counts = people[said.item]
    others = counts.sum(axis=1) - own
    same = counts[everything, said.choice - 1] - own
    held = others > 0
    yield everything[held], same[held] / others[held]
    sided = said.sided
    yield everything[sided], (said.choice == said.left)[sided].astype(np.float64)
    longer = longer[said.item]
    uneven = said.decisive & (longer > 0)
    yield everything[uneven], (said.choice == longer)[uneven].astype(np.float64)
    yield everything, (said.choice == BOTH_BAD).astype(np.float64)


def _take(
    view: View, population: str, judge: int | None, halves: Halves, items: Longs | None
) -> None:
    tally = view.tally
    pairs = np.arange(len(tally.pair_table))
    if items is not None:
        pairs = np.unique(tally.item_pair[items]).astype(np.int64)
    here = near(view, pairs)
    people, seq = votes_near(view, here, population)
    said = people
    if judge is not None:
        said, seq = verdicts_in_time_near(view, here, judge)
    counts, longer = counts_near(here, people), longer_on(view, here.items)
    width = max(len(pairs), 1)
    keys = said.rater * width + here.pair[said.item]
    # Choices come in order of seq: the first of each rater on a pair is when it was first met.
    keys, first, place = grouped(keys)
    columns = []
    for rows, values in _measured(said, counts, longer, own=judge is None):
        columns.append(np.bincount(place[rows], weights=values, minlength=len(keys)))
        columns.append(np.bincount(place[rows], minlength=len(keys)).astype(np.float64))
    columns.append(seq[first].astype(np.float64))
    halves.put(pairs, keys % width, keys // width, np.stack(columns, axis=1))


def _halves(view: View, population: str, judge: int | None = None) -> Halves:
    name = "drift", view.vote_key(population), judge
    found: Halves = kept(view, name, Halves, partial(_take, view, population, judge))
    return found


def _tests(view: View, kind: str, name: str, halves: list[Longs], heard: bool) -> list[_Found]:
    """A rater's change from the first half to the second."""
    level = view.options.level
    data = np.concatenate(halves).tobytes()

    def make() -> list[_Found]:
        return _changes(kind, name, halves, heard, level)

    return view.tally.memo.unless_same(("drift", kind, name, level), (data, heard), make)


def _changes(kind: str, name: str, halves: list[Longs], heard: bool, level: float) -> list[_Found]:
    found: list[_Found] = []
    for number, measure in enumerate(MEASURES):
        part = slice(MOMENTS * number, MOMENTS * (number + 1))
        silent = measure == BAD and not heard
        both = [moments_of(sums[part] * (not silent)) for sums in halves]
        told = None
        if min(each.count for each in both) >= FEWEST_CLUSTERS:
            told = change(both[0], both[1], level)
        labels: dict[str, Label] = {"rater": name, "is": kind, "measure": measure}
        n = sum(each.n for each in both)
        found.append((labels, told, (both[0].count, both[1].count), n))
    return found


def _by_half(ledger: Ledger) -> dict[int, list[Longs]]:
    """By rater, the sums of both halves."""
    found: dict[int, list[Longs]] = {}
    for cell, sums in zip(*ledger.sums(), strict=True):
        found.setdefault(int(cell) >> 1, [np.zeros_like(sums)] * 2)[int(cell) & 1] = sums
    return found


def _all_tests(view: View) -> list[_Found]:
    population = next(iter(view.populations))
    people = _halves(view, population)
    tests: list[_Found] = []
    for halves in _by_half(people.together).values():
        tests += _tests(view, PEOPLE, population, halves, _is_heard(halves))
    heard = bool(tests) and _is_heard(_by_half(people.together)[0])
    each = _by_half(people.alone)
    votes = {number: int(sum(sums[_CHOICES] for sums in each[number])) for number in each}
    for number in sorted(each, key=lambda number: (-votes[number], number)):
        name = view.tally.annotators[number]
        tests += _tests(view, ANNOTATOR, name, each[number], heard)
    for name, judge in present_judges(view).items():
        told = _by_half(_halves(view, population, judge).alone)
        halves = told.get(judge, [_NOTHING, _NOTHING])
        tests += _tests(view, JUDGE, name, halves, _is_heard(halves))
    return tests


_NOTHING = np.zeros(MOMENTS * len(MEASURES), np.int64)
_CHOICES = MOMENTS * MEASURES.index(BAD) + 1
"""Where the number of all choices stands: each is both bad or not."""


def _is_heard(halves: list[Longs]) -> bool:
    """Whether somebody ever said both bad: where nobody did, there is nothing to test."""
    return any(moments_of(sums[MOMENTS * MEASURES.index(BAD) :][:MOMENTS]).total for sums in halves)


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
    follows=True,
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
        notes = (view.none_of("votes and no verdicts"),)
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
