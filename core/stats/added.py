"""What judges add over baselines that need no model, and what they lack of the people's ceiling.

A judge and what it is set against are compared on the same votes, item by item. The difference of
their agreement is the number that says whether the judge was worth its calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.stats.agreement import share_by_question
from core.stats.by_question import kept_by_question, near_questions, summed
from core.stats.clustered import BOTH, Both, both_of, both_terms, difference_over, wilson_over
from core.stats.comparing import (
    CLASSES,
    S1,
    S2,
    Rater,
    Voice,
    agreeing_and_compared,
    baselines_in,
    is_model,
    judges_in,
    people_in,
    together,
)
from core.stats.intervals import Interval, clustered_share, difference_of_shares
from core.stats.nearby import Parts
from core.stats.outcomes import Longs
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD
from core.stats.view import View

Floats = NDArray[np.float64]

AGREEMENT = "agreement"
THEIRS = "theirs"
DIFFERENCE = "difference"
BEST = "best baseline"
PEOPLE = "each other"

_COUNTS = 4
"""Of a set: what agrees of the judge, of how many; the same of the other."""


@dataclass(frozen=True, slots=True)
class _Set:
    """A judge and another on the same items: what agrees and what is compared, per item.

    ``words`` of the other stand for one of its comparisons; see :class:`Rater`.
    """

    judge: tuple[Floats, Floats]
    other: tuple[Floats, Floats]
    words: int = 1


def _against_baseline(setup: str, judge: Rater, human: Rater, baseline: Rater) -> _Set:
    """Every vote on an item where both have a word; in S2 where both prefer a model."""
    mine, votes, theirs = (
        each.classes[CLASSES[setup]].astype(np.float64) for each in (judge, human, baseline)
    )
    words = theirs.sum(axis=0)
    compared = votes.sum(axis=0) * (mine.sum(axis=0) > 0) * (words > 0)
    agreeing = (mine * votes).sum(axis=0) * (words > 0)
    # A baseline that tosses has several words, each of which counts as its share.
    by_word = (theirs * votes).sum(axis=0) / np.maximum(words, 1)
    by_word *= mine.sum(axis=0) > 0
    return _Set((agreeing, compared), (by_word, compared), baseline.words)


def _against_people(setup: str, judge: Rater, human: Rater) -> _Set:
    """The judge on the items where two votes can be compared, and these votes' own agreement."""
    mine, votes = (each.classes[CLASSES[setup]] for each in (judge, human))
    among, pairs = (each * (mine.sum(axis=0) > 0) for each in agreeing_and_compared(votes, None))
    agreeing, compared = (each * (pairs > 0) for each in agreeing_and_compared(mine, votes))
    judge_on = agreeing.astype(np.float64), compared.astype(np.float64)
    return _Set(judge_on, (among.astype(np.float64), pairs.astype(np.float64)))


def _sets(setup: str, judge: Rater, human: Rater, beside: Sequence[Rater]) -> dict[str, _Set]:
    """A judge and each of the others, by their names."""
    found = {each.name: _against_baseline(setup, judge, human, each) for each in beside}
    return {**found, PEOPLE: _against_people(setup, judge, human)}


def _terms(values: Floats) -> Longs:
    told = values.astype(np.int64)
    found = [
        both_terms((each[:, 0], each[:, 1]), (each[:, 2], each[:, 3]))
        for each in np.split(told, told.shape[1] // _COUNTS, axis=1)
    ]
    return np.concatenate(found, axis=1)


def _parts(view: View, voices: tuple[Voice, ...], questions: Longs) -> Parts:
    """What questions have of each set in either setup, by turn."""
    here = near_questions(view, questions)
    judge, human, *beside = (each.heard(each.columns.rows(here.items)) for each in voices)
    columns = []
    for setup in CLASSES:
        for one in _sets(setup, judge, human, beside).values():
            # A coin's shares are of its tosses: times their number, all are whole numbers.
            columns += [each * one.words for each in (*one.judge, *one.other)]
    width = max(len(questions), 1)
    keys = view.tally.item_turn[here.items].astype(np.int64) * width + here.pair
    keys, values = summed(keys, np.rint(np.stack(columns, axis=1)))
    return keys % width, keys // width, values


def _by_question(view: View, voices: tuple[Voice, ...]) -> dict[int, Longs]:
    """By turn, the sums of :func:`_terms` over questions."""
    name = "added", tuple((each.sort, each.name, each.columns.key) for each in voices)
    width = _COUNTS * len(CLASSES) * (len(voices) - 1)
    follows = all(each.columns.follows for each in voices)
    parts = partial(_parts, view, voices)
    found = kept_by_question(view, name, width, _terms, parts, follows, np.int32)
    return {int(turn): sums for turn, sums in zip(*found.sums(), strict=True)}


@dataclass(frozen=True, slots=True)
class _About:
    """What a row is about: one judge at one turn in one setup, against people's votes.

    Attributes:
        shared: what each of the sets has in common on a question, by name.
    """

    view: View
    turn: int
    setup: str
    judge: Rater
    human: Rater
    times: Longs
    shared: dict[str, Both]

    @property
    def level(self) -> float:
        return self.view.options.level

    def labels(self, against: str, measure: str) -> dict[str, Label]:
        labels: dict[str, Label] = {
            "turn": self.turn,
            "setup": self.setup,
            "rater": self.judge.name,
        }
        return {**labels, **({"against": against} if against else {}), "measure": measure}

    def without(self, against: str, reason: str) -> Estimate:
        labels = self.labels(against, DIFFERENCE)
        return Estimate(labels, None, unit="difference", reason=reason)

    def over(self, name: str, one: _Set) -> Interval | None:
        """How much more the judge agrees with people than another does."""
        used = (one.judge[1] > 0) | (one.other[1] > 0)
        shared = self.shared[name]
        if shared.count == int(self.times[used].sum()):
            return difference_of_shares(one.judge, one.other, self.level, self.times)
        return difference_over(shared, self.level, "questions")

    def share(self, labels: dict[str, Label], one: tuple[Floats, Floats], words: int) -> Estimate:
        """An agreement of its own, where there is anything to compare."""
        part, whole = (np.rint(each * words).astype(np.int64) for each in one)
        n = int(self.times @ whole) // words
        value = float(self.times @ part) / float(self.times @ whole)
        both_bad = self.human.classes[BOTH_BAD - 1][self.judge.rated].any()
        chance = 1 / 2 if self.setup == S2 else 1 / 4 if both_bad else 1 / 3
        if words > 1 and self.setup == S2:
            exact = "exact, over all tosses; nothing is estimated"
            return Estimate(labels, value, n=n, method=exact, chance=chance)
        found = self._interval(labels, part, whole, words)
        ends = found.low, found.high, self.level
        k = int(self.times @ part) if words == 1 else None
        return Estimate(labels, value, *ends, n=n, k=k, method=found.method, chance=chance)

    def _interval(
        self, labels: dict[str, Label], part: Longs, whole: Longs, words: int
    ) -> Interval:
        options, items = self.view.options, int(self.times[whole > 0].sum())
        seeded_by: tuple[object, ...] = ("added", *labels.values())
        if labels["measure"] == AGREEMENT:  # the very number of the table of agreement
            kind, names = (
                f"{self.judge.sort}-{self.view.people}",
                (self.judge.name, self.human.name),
            )
            seeded_by = ("agreement", self.turn, self.setup, kind, *names)
            about: dict[str, Label] = {"turn": self.turn, "setup": self.setup}
            about |= {"rater_1": self.judge.name, "rater_2": self.human.name}
            found = share_by_question(self.view, about, items)
        else:
            data, found = self.shared[str(labels["against"])].two, None
            if data.count < items:
                found = wilson_over(data, self.level, "comparisons", "questions", words)
        if found is None:
            rng = self.view.rng(*seeded_by)
            found = clustered_share(part, whole, self.level, options.replicates, rng, self.times)
        assert found is not None
        return found

    def measured(self, against: str, one: _Set, over: Interval) -> list[Estimate]:
        """The other's agreement on the same votes, and how much more the judge's is."""
        theirs = self.share(self.labels(against, THEIRS), one.other, one.words)
        return [theirs, self.difference(against, over, int(self.times @ one.judge[1]))]

    def difference(self, against: str, over: Interval, n: int) -> Estimate:
        has_ends = over.low is not None
        return Estimate(
            self.labels(against, DIFFERENCE),
            over.value,
            over.low,
            over.high,
            self.level if has_ends else None,
            n=n,
            unit="difference",
            method=over.method,
        )


def _told(sums: Longs | None, names: list[str], setup: int) -> dict[str, Both]:
    """What each set has in common on a question; nothing where nothing was compared."""
    width = len(names) * BOTH
    if sums is None:
        sums = np.zeros(width * len(CLASSES), np.int64)
    mine = sums[setup * width : (setup + 1) * width].reshape(len(names), BOTH)
    return {name: both_of(each) for name, each in zip(names, mine, strict=True)}


def _on_its_items(raters: list[Rater], times: Longs) -> tuple[list[Rater], Longs]:
    """The raters where the first of them has a word."""
    has_word = raters[0].rated
    found = []
    for rater in raters:
        classes = np.ascontiguousarray(rater.classes[:, has_word])
        rated = rater.rated[has_word]
        found.append(replace(rater, classes=classes, rated=rated, outcomes=None))
    return found, times[has_word]


def _rows(about: _About, beside: list[Rater]) -> list[Estimate]:
    judge, human = about.judge, about.human
    rows: list[Estimate] = []
    known: dict[str, tuple[_Set, Interval]] = {}
    classes = CLASSES[about.setup]
    own = agreeing_and_compared(judge.classes[classes], human.classes[classes])
    if own[1].any():
        labels = about.labels("", AGREEMENT)
        rows.append(about.share(labels, (own[0].astype(float), own[1].astype(float)), 1))
    sets = _sets(about.setup, judge, human, beside)
    for each in beside:
        name = each.name
        one = sets[name]
        over = about.over(name, one)
        if over is None:
            rows.append(about.without(name, _why_not(judge, human, each)))
        else:
            known[name] = one, over
            rows += about.measured(name, one, over)
    if known:
        rows.append(_over_best(about, known))
    ceiling = sets[PEOPLE]
    over = about.over(PEOPLE, ceiling)
    if over is None:
        reason = "no item that it has a word on has two votes that can be compared"
        return [*rows, about.without(PEOPLE, reason)]
    return rows + about.measured(PEOPLE, ceiling, over)


def _over_best(about: _About, known: dict[str, tuple[_Set, Interval]]) -> Estimate:
    """The least that the judge adds over any baseline.

    The lower end is the least of the lower ends, which holds for whichever baseline is really the
    best; the upper end is the least of the upper ends.
    """
    name = min(known, key=lambda each: known[each][1].value)
    one, over = known[name]
    ends = [each for _, each in known.values() if each.low is not None and each.high is not None]
    n = int(about.times @ one.judge[1])
    method = f"over {name}, the best of {len(known)} on these items; {over.method}"
    if over.low is None or over.high is None:
        return about.difference(BEST, Interval(over.value, None, None, method), n)
    low, high = (min(getattr(each, end) for each in ends) for end in ("low", "high"))
    # The end of another baseline cannot pass the difference that is shown.
    return about.difference(BEST, Interval(over.value, low, max(high, over.value), method), n)


def _why_not(judge: Rater, human: Rater, baseline: Rater) -> str:
    both = judge.rated & human.rated
    if not both.any():
        return "no item was rated by both the judge and people"
    if not (both & baseline.rated).any():
        return "the study does not hold the answers' texts"
    return "wherever all three have a word, one of them prefers neither model"


@statistic(
    "added",
    "What judges add over baselines",
    order=22,
    limits=(
        "A judge that beats every baseline may still like something shallow that no baseline "
        "looks at. The best baseline is picked on the same items, so the difference to it is "
        "rather too small."
    ),
    follows=True,
)
def added(view: View) -> Result:
    """Each judge's agreement with people less that of baselines on the same votes."""
    estimates: list[Estimate] = []
    human = people_in(view)[0]
    judges = [each for each in judges_in(view) if is_model(view, each.name)]
    for turn in view.turns:
        for judge in judges:
            voices = judge, human, *baselines_in(view, [judge])
            raters, times = _on_its_items(*together(view, turn, *voices))
            if not times.size:
                continue
            sums, names = _by_question(view, voices).get(turn), [each.name for each in voices[2:]]
            for number, setup in enumerate((S1, S2)):
                shared = _told(sums, [*names, PEOPLE], number)
                about = _About(view, turn, setup, raters[0], raters[1], times, shared)
                estimates += _rows(about, raters[2:])
    notes = view.judge_notes()
    if not estimates:
        notes = ("there is no judge with a verdict, apart from baselines", *notes)
    return Result(
        "added",
        "What judges add over baselines",
        "Agreement with people less that of a judge that needs no model, on the same votes.",
        ("turn", "setup", "rater", "against", "measure"),
        tuple(estimates),
        notes,
        view.assumptions(
            "S1 keeps ties, S2 drops a vote unless all three prefer a model",
            "the coin is tossed in each order and taken over all tosses: two tosses that "
            "contradict each other are a tie",
            f"{BEST}: the baseline over which the judge adds least; it was picked on these "
            "items, so the difference is rather too small than too large",
            f"{PEOPLE}: the votes of one item among themselves, the ceiling; the judge's own share "
            "is then that on items with two votes",
            f"{THEIRS}: the other's agreement on the votes that the difference compares",
            "intervals are paired and clustered by question, whose pairs share answers",
            "failures and pending items are left out",
            *view.panel_assumptions(),
        ),
    )
