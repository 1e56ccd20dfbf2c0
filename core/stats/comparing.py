"""Who says what about the items of one turn, and how often two of them say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.baselines import COIN
from core.records import Combined
from core.stats.beside import TEXT_UNKNOWN
from core.stats.bounds import extreme_shares
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
    """One rater on the items of one turn.

    Attributes:
        sort: people, a judge, a panel, or a baseline that the report adds.
        classes: votes by class, shape (4, items); a judge has one at most.
        rated: which items it has a word on, shape (items,).
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

    @property
    def pending(self) -> Bools:
        """Which items wait for a verdict."""
        if self.outcomes is None:
            return np.zeros(len(self.rated), np.bool_)
        return self.outcomes.is_kind(Combined.PENDING)


def _rater(name: str, sort: str, counts: Ints, **more: Any) -> Rater:
    classes = np.ascontiguousarray(counts.T)
    return Rater(name, sort, classes, classes.sum(axis=0) > 0, **more)


def people_on(view: View, here: Bools) -> list[Rater]:
    """The populations of people."""
    return [_rater(name, HUMAN, view.counts(name)[here]) for name in view.populations]


def judges_on(view: View, here: Bools) -> list[Rater]:
    """Judges, then panels."""
    found = []
    for name, outcomes in view.words().items():
        mine = outcomes.only(here)
        panel = name in view.panel_labels
        members = frozenset(view.panel_members(name)[0]) if panel else frozenset({name})
        counts = one_each(mine.choice)
        found.append(
            _rater(name, PANEL if panel else JUDGE, counts, outcomes=mine, members=members)
        )
    return found


def is_model(view: View, name: str) -> bool:
    """Whether a judge or panel is more than a baseline, and is to be set beside the baselines."""
    tally = view.tally
    members = view.panel_members(name)[0] if name in view.panel_labels else [name]
    kinds = dict(zip(tally.judges, tally.judge_kinds, strict=True))
    return any(kinds[member] != BASELINE for member in members)


def baselines_on(view: View, here: Bools) -> list[Rater]:
    """Judges that need no model, on every item whose answers the study holds; then the coin."""
    tally = view.tally
    words = tally.baselines.rows(len(tally.item_turn))[view.items[here]]
    found = [
        _rater(IN_REPORTS[name], BASELINE, one_each(np.where(said == TEXT_UNKNOWN, 0, said)))
        for name, said in zip(tally.baselines.names, words.T, strict=True)
    ]
    tosses = np.tile(np.array(_TOSSES, np.int32), (len(words), 1))
    return [*found, _rater(IN_REPORTS[COIN], BASELINE, tosses, words=sum(_TOSSES))]


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


def worst_cases(setup: str, one: Rater, two: Rater, settled: tuple[Ints, Ints]) -> WorstCases:
    """What two raters' agreement comes to at worst and at best, whatever the failures hide.

    Args:
        settled: what agrees and what is compared per item, as things are.
    """
    pending = int(((one.pending & (two.rated | two.pending)) | (two.pending & one.rated)).sum())
    places = np.union1d(_open(one), _open(two)).astype(np.int64)
    if not places.size:
        return WorstCases(None, None, 0, pending)
    classes = CLASSES[setup]
    told = [_words(each, places) for each in (one, two)]
    # Items alike in all of it do alike: few patterns stand for many items.
    patterns, times = collapse(np.concatenate(told, axis=1))
    width = told[0].shape[1]
    parts, wholes, allowed = [], [], []
    for mine, is_mine in _options(patterns[:, :width]):
        for theirs, is_theirs in _options(patterns[:, width:]):
            agree, compared = agreeing_and_compared(mine[classes], theirs[classes])
            parts.append(agree * times)
            wholes.append(compared * times)
            allowed.append(is_mine & is_theirs)
    part, whole = (np.array(each, np.float64).T for each in (parts, wholes))
    possible = np.array(allowed).T
    matters = np.where(possible, whole, 0).max(axis=1) > 0
    failed = int(times[matters].sum())
    agree, compared = settled
    ends = extreme_shares(
        float(agree.sum() - agree[places].sum()),
        float(compared.sum() - compared[places].sum()),
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
