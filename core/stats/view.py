"""What the statistics look at: the tally through the lead's options.

All arrays of a view are aligned: one entry per selected item, in the same order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.records import Choice, Combined, combine
from core.stats.options import Options
from core.stats.tally import BOTH_BAD, CHOICES, FAILED, TIE, Tally

Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]
Ints = NDArray[np.int32]

T = TypeVar("T")

KINDS: tuple[Combined, ...] = tuple(Combined)
"""What a kind code in :class:`Outcomes` stands for; :data:`NO_VERDICT` stands for nothing."""

NO_VERDICT = -1

_CHOICE = (None, *Choice)
_CODES = CHOICES + 2


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What one judge says per item, its orders combined.

    Attributes:
        choice: 1–4, or 0 where there is nothing to use.
        kind: index into :data:`KINDS`, or :data:`NO_VERDICT`.
        one_order: the judge never gave both orders of any item, so its single verdicts stand
            as they are (kind ``REPORTED``) instead of waiting for the other order.
    """

    choice: Codes
    kind: Codes
    one_order: bool

    def is_kind(self, kind: Combined) -> Bools:
        """Which items have this kind."""
        return np.asarray(self.kind == KINDS.index(kind))


def _combined(reported: int, first: int, second: int, one_order: bool) -> tuple[int, int]:
    """Kind and choice codes for one item's three cells (see :meth:`Tally.judge_cells`)."""
    orders = [cell for cell in (first, second) if cell]
    if len(orders) == 2:
        said = [None if cell == FAILED else _CHOICE[cell - 1] for cell in orders]
        kind, choice = combine(said[0], said[1])
        return KINDS.index(kind), _CHOICE.index(choice)
    single = reported or (orders[0] if orders and one_order else 0)
    if FAILED in (single, *orders):
        return KINDS.index(Combined.FAILURE), 0
    if single:
        return KINDS.index(Combined.REPORTED), single - 1
    return (KINDS.index(Combined.PENDING) if orders else NO_VERDICT), 0


@cache
def _combinations(one_order: bool) -> NDArray[np.int8]:
    """Kind and choice for every triple of cells, shape (216, 2)."""
    cells = range(_CODES)
    table = [_combined(a, b, c, one_order) for a in cells for b in cells for c in cells]
    return np.array(table, np.int8)


def _check_known(what: str, wanted: str | None, known: Collection[str | None]) -> None:
    if wanted is not None and wanted not in known:
        names = ", ".join(sorted({each for each in known if each})) or "none"
        raise UsageError(f"no {what} is called {wanted!r}", f"There are: {names}.")


class View:
    """Selected items with what people and judges say about them.

    Raises:
        UsageError: if the options name a group or a category that does not exist.
    """

    def __init__(self, tally: Tally, options: Options) -> None:
        self.tally = tally
        self.options = options
        _check_known("annotator group", options.group, tally.annotator_groups)
        _check_known("category", options.category, tally.categories)
        keep = np.ones(len(tally.item_turn), np.bool_)
        if options.turn is not None:
            keep &= tally.item_turn == options.turn
        if options.category is not None:
            wanted = [each == options.category for each in tally.categories]
            keep &= np.array(wanted, np.bool_)[tally.pair_table[tally.item_pair, 2]]
        self.all_items = bool(keep.all())
        self.items = np.flatnonzero(keep)
        self.turn: Ints = tally.item_turn[self.items]
        self.pair: Ints = tally.item_pair[self.items]
        pairs = tally.pair_table[self.pair]
        self.model_1: Ints = pairs[:, 0]
        self.model_2: Ints = pairs[:, 1]
        self.category: Ints = pairs[:, 2]
        self._kept: dict[tuple[object, ...], Any] = {}

    def once(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What ``make`` gives, made the first time and shared by the statistics after that."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept

    @property
    def turns(self) -> list[int]:
        """The turns that occur, in order."""
        return [int(turn) for turn in np.unique(self.turn)]

    @property
    def people(self) -> str:
        """The rater label of people; a group among several is ``human: GROUP``."""
        return self.options.people

    @cached_property
    def populations(self) -> dict[str, tuple[str, ...] | None]:
        """Rater labels of people with their groups (None: everybody).

        All who count come first, then each group where there are several.
        """
        if self.options.group is not None:
            return {self.people: (self.options.group,)}
        groups = sorted(set(self.tally.annotator_groups))
        voted = [group for group in groups if self.tally.vote_counts(group).any()]
        counted = [group for group in voted if group not in self.options.exclude_groups]
        several = counted if len(counted) > 1 else []
        everybody = None if counted == voted else tuple(counted)
        people = self.people
        groups_of = {f"{people}: {each or 'no group'}": (each,) for each in several}
        return {people: everybody} | groups_of

    def members(self, population: str) -> Bools:
        """Which annotators belong to a population, shape (annotators,)."""
        groups = self.populations[population]
        every = self.tally.annotator_groups
        return np.array([groups is None or each in groups for each in every], np.bool_)

    def sided_counts(self, population: str | None = None) -> Ints:
        """Votes of one population, shape (items, 6); see :meth:`Tally.vote_counts`.

        Args:
            population: a label of :attr:`populations`; None for all who count.
        """
        groups = self.populations[population or self.people]
        return self.once(("counts", groups), lambda: self._sided_counts(groups))

    def _sided_counts(self, groups: tuple[str, ...] | None) -> Ints:
        if groups is not None and len(groups) == 1:
            counts = self.tally.vote_counts(groups[0])
        else:
            counts = self.tally.vote_counts()
            if groups is not None:
                left_out = set(self.tally.annotator_groups) - set(groups)
                counts = counts - sum(self.tally.vote_counts(each) for each in left_out)
        if not self.all_items:
            counts = counts[self.items]
        if self.options.merge_both_bad:
            counts = counts.copy()
            counts[:, TIE - 1] += counts[:, BOTH_BAD - 1]
            counts[:, BOTH_BAD - 1] = 0
        return counts

    def counts(self, population: str | None = None) -> Ints:
        """Votes of one population by choice, shape (items, 4)."""
        return self.sided_counts(population)[:, :CHOICES]

    def outcomes(self, judge: int) -> Outcomes:
        """One judge's combined word on each item."""
        return self.once(("outcomes", judge), lambda: self._combine(judge))

    def _combine(self, judge: int) -> Outcomes:
        cells = self.tally.judge_cells(judge).astype(np.int16)
        one_order = not np.any((cells[:, 1] > 0) & (cells[:, 2] > 0))
        cells = cells if self.all_items else cells[self.items]
        if self.options.merge_both_bad:
            cells[cells == BOTH_BAD + 1] = TIE + 1
        codes = (cells[:, 0] * _CODES + cells[:, 1]) * _CODES + cells[:, 2]
        kind, choice = _combinations(one_order)[codes].T
        return Outcomes(choice, kind, one_order and bool(cells[:, 1:].any()))

    def judges(self) -> dict[str, Outcomes]:
        """The judges that gave a verdict on a selected item, in order of their names."""
        names = self.tally.judges
        every = {
            names[j]: self.outcomes(j) for j in sorted(range(len(names)), key=names.__getitem__)
        }
        return {name: each for name, each in every.items() if np.any(each.kind != NO_VERDICT)}

    def raters(self) -> dict[str, Ints]:
        """Choices per item of every population and judge, shape (items, 4) each."""
        counted: dict[str, Ints] = {name: self.counts(name) for name in self.populations}
        for name, outcomes in self.judges().items():
            counted[name] = one_each(outcomes.choice)
        return {name: counts for name, counts in counted.items() if counts.any()}

    def pair_sums(self, per_item: NDArray[Any]) -> NDArray[np.int64]:
        """Add up whole numbers per item over the turns of each pair, shape (pairs,).

        Where turns are pooled, pairs are the clusters: votes on both turns of one pair are
        about the same two answers.
        """
        size = len(self.tally.pair_table)
        return np.bincount(self.pair, weights=per_item, minlength=size).astype(np.int64)

    def rng(self, *words: object) -> np.random.Generator:
        """A generator of its own for each number, so that one number never moves another's."""
        text = "\x1f".join([str(self.options.seed), *map(str, words)])
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return np.random.default_rng(np.frombuffer(digest, np.uint32))

    def assumptions(self, *more: str) -> tuple[str, ...]:
        """What the lead chose, in words, and what a statistic adds to it."""
        chosen = self.options
        said = []
        if chosen.group is not None:
            said.append(f"{self.people} votes: only annotators of the group {chosen.group!r}")
        elif left_out := set(chosen.exclude_groups) & set(self.tally.annotator_groups):
            names = ", ".join(repr(name) for name in sorted(left_out))
            said.append(f"{self.people} votes: annotators of the group {names} are left out")
        if chosen.category is not None:
            said.append(f"only questions of the category {chosen.category!r}")
        if chosen.turn is not None:
            said.append(f"only turn {chosen.turn}")
        if chosen.people != "human":
            said.append(f"what is called {chosen.people!r} is not, or not only, people's votes")
        if chosen.merge_both_bad:
            said.append("both bad is counted as a tie (three classes)")
        if self.once(("unequal",), self._sampled_unequally):
            said.append("pairs came into the queue with unequal probability: only ppi weighs them")
        return (*said, *more)

    def _sampled_unequally(self) -> bool:
        known = self.tally.pair_probability
        known = known[known > 0]
        return bool(known.size) and float(known.min()) != float(known.max())

    def judge_notes(self) -> tuple[str, ...]:
        """What of each judge's work is not in the numbers, and how its words came about."""
        notes = []
        for name, outcomes in self.judges().items():
            failed = int(outcomes.is_kind(Combined.FAILURE).sum())
            pending = int(outcomes.is_kind(Combined.PENDING).sum())
            if failed:
                notes.append(f"{name}: {failed} items left out, a call failed (never a tie)")
            if pending:
                notes.append(f"{name}: {pending} items left out, one of two orders is not in yet")
            if outcomes.one_order:
                notes.append(
                    f"{name}: gave one order of each item only; its verdicts stand as given, "
                    "position bias included"
                )
        return tuple(notes)


def one_each(choice: Codes) -> Ints:
    """Choices 0–4 as a count table, shape (items, 4); 0 becomes a row of zeros."""
    table = np.zeros((len(choice), CHOICES + 1), np.int32)
    table[np.arange(len(choice)), choice] = 1
    return table[:, 1:]
