"""Who says what about the items of one turn, and how often two of them say the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.baselines import COIN
from core.records import Combined
from core.stats.bounds import extreme_shares
from core.stats.collapsed import (
    Columns,
    baseline,
    collapsed,
    every_item,
    outcomes_of,
    turns,
    votes,
    word,
)
from core.stats.intervals import collapse
from core.stats.outcomes import Bools, Longs, Outcomes
from core.stats.tally import CHOICES
from core.stats.view import View, one_each

Ints = NDArray[np.int32]

S1, S2 = "S1", "S2"
CLASSES: Final = {S1: slice(0, CHOICES), S2: slice(0, 2)}
"""The classes a setup compares: all of them, or wins for one of the models only."""

HUMAN, JUDGE, PANEL, BASELINE = "human", "judge", "panel", "baseline"

IN_REPORTS: Final = {
    "longer-answer": "(longer)",
    "most-headings": "(headings)",
    COIN: "(coin)",
}
"""What reports call the baselines that they add: short, and not as anybody calls a judge."""

_TOSSES = (1, 1, 2, 0)
"""What a coin says of four pairs of tosses, one for each order: two of them contradict each
other, which is a tie. All that is said of the coin is thus exact, over all tosses."""


@dataclass(frozen=True, slots=True)
class Rater:
    """One rater on items, those alike taken together.

    Attributes:
        sort: people, a judge, a panel, or a baseline that the report adds.
        classes: votes by class, shape (4, patterns); a judge has one at most.
        rated: where it has a word, shape (patterns,).
        outcomes: of a judge or panel; None for others.
        words: how many words stand for one (a coin's tosses); 1 for all others.
        members: of a panel.
    """

    name: str
    sort: str
    classes: Ints
    rated: Bools
    outcomes: Outcomes | None = None
    words: int = 1
    members: frozenset[str] = frozenset()

    def only(self, kept: Bools) -> Rater:
        """The same on some of the patterns."""
        outcomes = None if self.outcomes is None else self.outcomes.only(kept)
        classes = np.ascontiguousarray(self.classes[:, kept])
        return replace(self, classes=classes, rated=self.rated[kept], outcomes=outcomes)

    @property
    def pending(self) -> Bools:
        """Where it waits for a verdict."""
        if self.outcomes is None:
            return np.zeros(len(self.rated), np.bool_)
        return self.outcomes.is_kind(Combined.PENDING)


@dataclass(frozen=True, slots=True)
class Voice:
    """Somebody who may have a word, and where it is read from.

    Attributes:
        columns: what is looked at of each item.
        members: of a panel; a judge is its own.
    """

    name: str
    sort: str
    columns: Columns
    members: frozenset[str] = frozenset()

    def heard(self, rows: NDArray[Any]) -> Rater:
        """The rater that its columns tell of, shape (patterns, width)."""
        outcomes, words = None, 1
        if self.sort == HUMAN:
            counts = rows
        elif self.sort == BASELINE:
            counts = one_each(rows[:, 0])
            if self.name == IN_REPORTS[COIN]:
                counts = rows[:, :1] * np.array(_TOSSES, np.int32)
                words = sum(_TOSSES)
        else:
            outcomes = outcomes_of(rows)
            counts = one_each(outcomes.choice)
        classes = np.ascontiguousarray(counts.T)
        rated = classes.sum(axis=0) > 0
        return Rater(self.name, self.sort, classes, rated, outcomes, words, self.members)


def people_in(view: View) -> list[Voice]:
    """The populations of people."""
    return [Voice(name, HUMAN, votes(view, name)) for name in view.populations]


def judges_in(view: View) -> list[Voice]:
    """Judges, then panels, that have a verdict on a selected item."""
    found = []
    for name in (*view.present, *view.panels()):
        panel = name in view.panel_labels
        members = frozenset(view.panel_members(name)[0]) if panel else frozenset({name})
        found.append(Voice(name, PANEL if panel else JUDGE, word(view, name), members))
    return found


def is_model(view: View, name: str) -> bool:
    """Whether a judge or panel is more than a baseline, and is to be set beside the baselines."""
    tally = view.tally
    members = view.panel_members(name)[0] if name in view.panel_labels else [name]
    kinds = dict(zip(tally.judges, tally.judge_kinds, strict=True))
    return any(kinds[member] != BASELINE for member in members)


def baselines_in(view: View, judges: list[Voice]) -> list[Voice]:
    """Judges that need no model, on the items that one of these judges has a word on; the coin."""
    judged = tuple(each.columns for each in judges)
    names = (*view.tally.baselines.names, COIN)
    return [
        Voice(IN_REPORTS[name], BASELINE, baseline(view, place, judged))
        for place, name in enumerate(names)
    ]


def apart(view: View, *voices: Voice) -> list[Rater]:
    """Some raters on every selected item, in the order of :attr:`View.items`."""
    rows = every_item(view, *(each.columns for each in voices))
    return [voice.heard(each) for voice, each in zip(voices, rows, strict=True)]


def together(view: View, turn: int | None, *voices: Voice) -> tuple[list[Rater], Longs]:
    """Some raters on the items of a turn, those alike in all that they say taken together.

    Args:
        turn: None for all turns.

    Returns:
        The raters, and how many items each pattern stands for.
    """
    (turn_of, *rows), times = collapsed(view, turns(view), *(each.columns for each in voices))
    here = np.ones(len(times), np.bool_) if turn is None else turn_of[:, 0] == turn
    raters = [voice.heard(each[here]) for voice, each in zip(voices, rows, strict=True)]
    return raters, times[here]


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


@dataclass(frozen=True, slots=True)
class WorstCases:
    """What failures could make of an agreement; see :class:`core.stats.results.Estimate`."""

    lowest: float | None
    highest: float | None
    failed: int
    pending: int


def worst_cases(
    setup: str, one: Rater, two: Rater, times: Longs, settled: tuple[Ints, Ints]
) -> WorstCases:
    """What two raters' agreement comes to at worst and at best, whatever the failures hide.

    Args:
        times: how many items each pattern stands for.
        settled: what agrees and what is compared per item, as things are.
    """
    waiting = (one.pending & (two.rated | two.pending)) | (two.pending & one.rated)
    pending = int(times[waiting].sum())
    places = np.union1d(_open(one), _open(two)).astype(np.int64)
    if not places.size:
        return WorstCases(None, None, 0, pending)
    classes = CLASSES[setup]
    told = [_words(each, places) for each in (one, two)]
    patterns, alike = collapse(np.concatenate(told, axis=1), times[places])
    width = told[0].shape[1]
    parts, wholes, allowed = [], [], []
    for mine, is_mine in _options(patterns[:, :width]):
        for theirs, is_theirs in _options(patterns[:, width:]):
            agree, compared = agreeing_and_compared(mine[classes], theirs[classes])
            parts.append(agree * alike)
            wholes.append(compared * alike)
            allowed.append(is_mine & is_theirs)
    part, whole = (np.array(each, np.float64).T for each in (parts, wholes))
    possible = np.array(allowed).T
    matters = np.where(possible, whole, 0).max(axis=1) > 0
    failed = int(alike[matters].sum())
    agree, compared = settled
    ends = extreme_shares(
        float(times @ agree - times[places] @ agree[places]),
        float(times @ compared - times[places] @ compared[places]),
        part[matters],
        whole[matters],
        possible[matters],
    )
    if ends is None or not failed:
        return WorstCases(None, None, failed, pending)
    return WorstCases(*ends, failed=failed, pending=pending)


def _open(rater: Rater) -> Longs:
    return np.zeros(0, np.int64) if rater.outcomes is None else rater.outcomes.open


def _words(rater: Rater, places: Longs) -> NDArray[np.int64]:
    """What a rater says about some items, and what else it could have said; (places, 9)."""
    said = np.zeros((len(places), 2 * CHOICES + 1), np.int64)
    said[:, :CHOICES] = rater.classes[:, places].T
    if rater.outcomes is not None and rater.outcomes.open.size:
        mine = np.searchsorted(places, rater.outcomes.open)
        said[mine, CHOICES:] = rater.outcomes.options
    return said


def _options(words: NDArray[Any]) -> list[tuple[Ints, Bools]]:
    """Votes by class that a rater could have given, and on which items that is possible."""
    options: Bools = words[:, CHOICES:] > 0
    is_settled = np.asarray(~options.any(axis=1), np.bool_)
    found = [(words[:, :CHOICES].T.astype(np.int32), is_settled)]
    for choice in range(CHOICES + 1):
        if options[:, choice].any():
            said = np.zeros((CHOICES, len(words)), np.int32)
            said[choice : choice + 1] = 1 if choice < CHOICES else 0
            found.append((said, options[:, choice]))
    return found
