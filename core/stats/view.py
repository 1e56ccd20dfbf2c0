"""What the statistics look at: the tally through the lead's options.

All arrays of a view are aligned: one entry per selected item, in the same order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.panels import Panel
from core.records import Combined
from core.stats.census import Followed
from core.stats.design import ALIKE, Design, design_of
from core.stats.filters import (
    check_judge,
    check_names,
    in_words,
    none_of,
    selected_items,
    selected_votes,
    vote_filter,
)
from core.stats.options import AUTO, FIRST, MAJORITY, Options
from core.stats.outcomes import NO_VERDICT, Outcomes, combined
from core.stats.repeats import Repeats, repeats_of
from core.stats.tally import (
    BOTH_BAD,
    CHOICES,
    COUNTED_LEFT,
    COUNTED_RIGHT,
    MODEL_2,
    TIE,
    Tally,
)
from core.stats.voting import FOLDS, Floats, fitted_weights, folds_of, vote
from core.text import many

Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]
Ints = NDArray[np.int32]

T = TypeVar("T")
Columns = TypeVar("Columns", bound=tuple[NDArray[Any], ...])

_FEW_ITEMS: Final = 1 << 12
"""Items up to which their votes are found one by one sooner than in the whole log."""


class View:
    """Selected items with what people and judges say about them.

    Raises:
        UsageError: if the options name a group, category, model, annotator or judge that does
            not exist.
    """

    def __init__(self, tally: Tally, options: Options) -> None:
        self.tally = tally
        self.options = options
        check_names(tally, options)
        self._kept: dict[tuple[object, ...], Any] = {}
        if options.judge is not None:
            check_judge(options, {*tally.judges, *self.panel_labels})

    def selects(self, items: NDArray[Any]) -> Bools:
        """Which of these item numbers of the tally are selected."""
        return selected_items(self.tally, self.options, items)

    @property
    def selection(self) -> tuple[object, ...]:
        """The options that :meth:`selects` looks at."""
        options = self.options
        return options.turn, options.category, options.model, options.models

    @cached_property
    def items(self) -> NDArray[np.int64]:
        """The selected items, in rising order."""
        every = np.arange(len(self.tally.item_turn))
        if self.selects_all:
            return every
        return every[self.selects(every)]

    def none_of(self, what: str) -> str:
        """That there are none to reckon with, in words; see :func:`core.stats.filters.none_of`."""
        return none_of(what, self.options, self.tally)

    @property
    def selects_all(self) -> bool:
        """Whether no option leaves items out."""
        return all(each is None for each in self.selection)

    @cached_property
    def all_items(self) -> bool:
        """Whether every item is selected."""
        return self.selects_all or len(self.items) == len(self.tally.item_turn)

    @cached_property
    def turn(self) -> Ints:
        """Turn by selected item."""
        return np.asarray(self.tally.item_turn[self.items])

    @cached_property
    def pair(self) -> Ints:
        """Pair number by selected item."""
        return np.asarray(self.tally.item_pair[self.items])

    @cached_property
    def _pairs(self) -> Ints:
        return np.asarray(self.tally.pair_table[self.pair])

    @property
    def model_1(self) -> Ints:
        """First model by selected item."""
        return self._pairs[:, 0]

    @property
    def model_2(self) -> Ints:
        """Second model by selected item."""
        return self._pairs[:, 1]

    @property
    def category(self) -> Ints:
        """Category by selected item."""
        return self._pairs[:, 2]

    def once(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What ``make`` gives, made the first time and shared by the statistics after that."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept

    @property
    def turns(self) -> list[int]:
        """The turns that occur, in order."""
        from core.stats.collapsed import collapsed, turns

        (told,), _ = collapsed(self, turns(self))
        return [int(turn) for turn in told[:, 0]]

    @property
    def people(self) -> str:
        """The rater label of people; a group among several is ``human: GROUP``."""
        return self.options.people

    @cached_property
    def populations(self) -> dict[str, tuple[str, ...] | None]:
        """Rater labels of people with their groups (None: everybody).

        All who count come first, then each group where there are several.
        """
        if self.options.annotator is not None:
            return {self.people: None}
        if self.options.group is not None:
            return {self.people: (self.options.group,)}
        groups = sorted(set(self.tally.annotator_groups))
        voted = [group for group in groups if self.tally.has_votes(group)]
        counted = [group for group in voted if group not in self.options.exclude_groups]
        several = counted if len(counted) > 1 else []
        everybody = None if counted == voted else tuple(counted)
        people = self.people
        groups_of = {f"{people}: {each or 'no group'}": (each,) for each in several}
        return {people: everybody} | groups_of

    def members(self, population: str) -> Bools:
        """Which annotators belong to a population, shape (annotators,)."""
        return self._in_groups(self.populations[population])

    @cached_property
    def votes(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Item, annotator, choice and side of the votes looked at, on all items of the tally.

        In order of seq. Which annotators belong to a population is left to :meth:`members`.
        """
        tally = self.tally
        return self._looked_at((*tally.votes, tally.vote_sides), lambda: tally.vote_seqs)

    @cached_property
    def votes_as_cast(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Item, annotator and choice of :attr:`votes`, in the order in which they were cast."""
        if self.tally.cast.is_log_order:
            return self.votes[:3]
        votes, _ = self.tally.votes_cast()
        return self._looked_at((votes.item, votes.annotator, votes.choice), lambda: votes.seq)

    @cached_property
    def cannot_judge(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Item and annotator of the words of :attr:`Tally.cannot_judge`; the same."""
        words = self.tally.cannot_judge
        return self._looked_at((words.item, words.annotator), lambda: words.seq)

    @cached_property
    def marked_repeats(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """The same of :attr:`Tally.repeats`."""
        return self._looked_at(self.tally.repeats, lambda: self.tally.repeat_seqs)

    @cached_property
    def followed(self) -> Followed:
        """What is kept of these votes."""
        return self.tally.followed(self.vote_filter)

    def _looked_at(self, columns: Columns, seqs: Callable[[], NDArray[np.int64]]) -> Columns:
        """Rows of columns that begin with item and annotator, by who cast them when.

        Args:
            seqs: of the rows.
        """
        if self.vote_filter is None:
            return columns
        keep = selected_votes(self.tally, self.options, columns[1], seqs())
        return tuple(column[keep] for column in columns)  # type: ignore[return-value]

    def sided_counts(self, population: str | None = None) -> Ints:
        """Votes of one population, shape (items, 6); see :meth:`Tally.vote_counts`.

        Args:
            population: a label of :attr:`populations`; None for all who count.
        """
        groups = self.populations[population or self.people]
        return self.once(("counts", groups), lambda: self._sided_counts(groups))

    def _sided_counts(self, groups: tuple[str, ...] | None) -> Ints:
        return self._votes_at(groups, slice(None) if self.all_items else self.items)

    def _votes_at(self, groups: tuple[str, ...] | None, items: NDArray[Any] | slice) -> Ints:
        if self.vote_filter is not None:
            counts = self._chosen_at(groups, items)
        elif groups is not None and len(groups) == 1:
            counts = self.tally.vote_counts(groups[0])[items]
        else:
            counts = self.tally.vote_counts()[items]
            for each in self._left_out(groups):
                counts = counts - self.tally.vote_counts(each)[items]
        if self.options.merge_both_bad:
            counts = counts.copy()
            counts[:, TIE - 1] += counts[:, BOTH_BAD - 1]
            counts[:, BOTH_BAD - 1] = 0
        return counts

    def _left_out(self, groups: tuple[str, ...] | None) -> tuple[str, ...]:
        """The groups that several others leave, in order."""
        every = set() if groups is None else set(self.tally.annotator_groups) - set(groups)
        return tuple(sorted(every))

    def vote_key(self, population: str) -> tuple[object, ...]:
        """What tells a population's votes from those of others."""
        groups = self.populations[population]
        is_one = groups is not None and len(groups) == 1
        return groups, () if is_one else self._left_out(groups), self.vote_filter

    def votes_on(self, population: str, items: NDArray[Any]) -> Ints:
        """Votes of one population on items of the tally, selected or not, shape (items, 6)."""
        return self._votes_at(self.populations[population], items)

    @cached_property
    def vote_filter(self) -> tuple[object, ...] | None:
        """What tells votes that are chosen one by one from others; None where all are looked at."""
        return vote_filter(self.tally, self.options)

    @cached_property
    def _judge_numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.tally.judges)}

    def judge_number(self, name: str) -> int:
        """A judge's number."""
        return self._judge_numbers[name]

    def _chosen_at(self, groups: tuple[str, ...] | None, items: NDArray[Any] | slice) -> Ints:
        """What :meth:`Tally.vote_counts` would hold there of the votes that are chosen.

        Of few items their own votes are read, of many the whole log is.
        """
        if isinstance(items, slice) or len(items) > _FEW_ITEMS:
            return self.once(("chosen", groups), lambda: self._counted(groups))[items]
        found = self.tally.votes_on(items)
        keep = selected_votes(self.tally, self.options, found["rater"], found["seq"])
        if groups is not None:
            keep &= self._in_groups(groups)[found["rater"]]
        place, choice, left = (found[name][keep] for name in ("place", "choice", "left"))
        return _counts_of(place, choice, left, len(items))

    def _counted(self, groups: tuple[str, ...] | None) -> Ints:
        item, annotator, choice, left = self.votes
        mine = self._in_groups(groups)[annotator]
        return _counts_of(item[mine], choice[mine], left[mine], len(self.tally.item_turn))

    def _in_groups(self, groups: tuple[str, ...] | None) -> Bools:
        every = self.tally.annotator_groups
        return np.array([groups is None or each in groups for each in every], np.bool_)

    def counts(self, population: str | None = None) -> Ints:
        """Votes of one population by choice, shape (items, 4)."""
        return self.sided_counts(population)[:, :CHOICES]

    def outcomes(self, judge: int) -> Outcomes:
        """One judge's combined word on each item."""
        return self.once(("outcomes", judge), lambda: self._combine(judge))

    def _combine(self, judge: int) -> Outcomes:
        cells = self.cells(judge)
        one_order = not self.gave_both_orders(judge)
        cells = cells if self.all_items else cells[self.items]
        return combined(cells, one_order=one_order, merged=self.options.merge_both_bad)

    def gave_both_orders(self, judge: int) -> bool:
        """Whether a judge has a word in both orders of some item, selected or not."""
        if self.follows(judge):
            return self.tally.gave_both_orders(judge)
        cells = self.cells(judge)
        return bool(np.any((cells[:, 1] > 0) & (cells[:, 2] > 0)))

    def follows(self, judge: int) -> bool:
        """Whether a judge's words are those of the tally, in which a change is known."""
        return self.options.repeats == FIRST or not self.tally.was_asked_again(judge)

    def cells(self, judge: int) -> Codes:
        """One judge's words in each order, shape (all items, 3); see :meth:`Tally.judge_cells`.

        Where the lead chose the majority over repeats, it is what most of them say.
        """
        return self.once(("cells", judge), lambda: self._cells(judge))

    def _cells(self, judge: int) -> Codes:
        cells = self.tally.judge_cells(judge)
        if self.options.repeats == MAJORITY:
            again = self.repeats(judge)
            if again.item.size:
                cells = cells.copy()
                cells[again.item, again.left] = again.cells()
        return cells

    @cached_property
    def verdicts(self) -> dict[str, NDArray[Any]]:
        """See :attr:`Tally.verdicts`; on all items."""
        return self.tally.verdicts

    def repeats(self, judge: int) -> Repeats:
        """What one judge was asked more than once, on all items of the tally."""

        def find() -> Repeats:
            found = repeats_of(self.verdicts, judge)
            return found.merged() if self.options.merge_both_bad else found

        return self.once(("repeats", judge), find)

    @cached_property
    def present(self) -> dict[str, int]:
        """The judges that gave a verdict on a selected item with their numbers, by name."""
        from core.stats.collapsed import said_by

        names = self.tally.judges
        return {
            names[j]: j
            for j in sorted(range(len(names)), key=names.__getitem__)
            if self._is_wanted(names[j]) and np.any(said_by(self, names[j])[0].kind != NO_VERDICT)
        }

    def judges(self) -> dict[str, Outcomes]:
        """The judges that gave a verdict on a selected item, in order of their names."""
        return {name: self.outcomes(number) for name, number in self.present.items()}

    @cached_property
    def panel_labels(self) -> dict[str, Panel]:
        """The study's panels by what reports call them, which no judge is called."""
        judges = set(self.tally.judges)
        return {_apart(f"panel: {each.name}", judges): each for each in self.tally.panels}

    def panels(self) -> dict[str, Outcomes]:
        """The panels of which a member gave a verdict on a selected item."""
        every = {name: self.panel(name) for name in self.panel_labels if self._is_wanted(name)}
        return {name: each for name, each in every.items() if np.any(each.kind != NO_VERDICT)}

    def _is_wanted(self, rater: str) -> bool:
        return self.options.judge in (None, rater)

    def panel(self, label: str) -> Outcomes:
        """One panel's words; they do not depend on which category or turn was chosen."""
        return self.once(("panel", label), lambda: self._vote(label))

    def _vote(self, label: str) -> Outcomes:
        if not self.all_items:
            kept = np.zeros(len(self.tally.item_turn), np.bool_)
            kept[self.items] = True
            return self._everything.panel(label).only(kept)
        weights = self.panel_weights(label)
        _, numbers = self.panel_members(label)
        fold = folds_of(self.tally.pair_table[self.pair, 3])
        return vote([self.outcomes(number) for number in numbers], weights[fold].T)

    def panel_members(self, label: str) -> tuple[list[str], list[int]]:
        """The names and numbers of a panel's members that are among the study's judges."""
        known = self.tally.judges
        names = [name for name in self.panel_labels[label].members if name in known]
        return names, [known.index(name) for name in names]

    def panel_weights(self, label: str) -> Floats:
        """A panel's weights for each part of the questions, shape (parts, members)."""
        return self.once(("weights", label), lambda: self._weights(label))

    def _weights(self, label: str) -> Floats:
        if not self.all_items:
            return self._everything.panel_weights(label)
        panel = self.panel_labels[label]
        names, numbers = self.panel_members(label)
        fold = folds_of(self.tally.pair_table[self.pair, 3])
        if panel.is_fitted:
            choices = [self.outcomes(number).choice for number in numbers]
            return fitted_weights(choices, self.counts(), fold)
        given = np.array([panel.members[name] or 1.0 for name in names])
        return np.tile(given, (FOLDS, 1))

    @cached_property
    def _everything(self) -> View:
        """The same options on all items."""
        return View(
            self.tally, replace(self.options, category=None, turn=None, model=None, models=None)
        )

    def panel_assumptions(self) -> tuple[str, ...]:
        """Where the fitted panels' weights come from."""
        fitted = [name for name in self.panels() if self.panel_labels[name].is_fitted]
        return tuple(
            f"{name}: weights are fitted to {self.people} votes, for each tenth of the questions "
            "from the other nine, so that no item's votes weigh in its own decision"
            for name in fitted
        )

    def words(self) -> dict[str, Outcomes]:
        """Judges, then panels."""
        return self.judges() | self.panels()

    def raters(self) -> dict[str, Ints]:
        """Choices per item of every population, judge and panel, shape (items, 4) each."""
        counted: dict[str, Ints] = {name: self.counts(name) for name in self.populations}
        for name, outcomes in self.words().items():
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
        said = in_words(chosen, self.tally)
        if chosen.people != "human":
            said.append(f"what is called {chosen.people!r} is not, or not only, people's votes")
        if chosen.repeats != FIRST:
            said.append("a judge's word in an order is what most of its repeats say")
        if chosen.merge_both_bad:
            said.append("both bad is counted as a tie (three classes)")
        if self.design.said:
            said.append(self.design.said)
        return (*said, *more)

    @cached_property
    def design(self) -> Design:
        """What people's votes weigh, by how their pairs came into the queue."""
        if not self.tally.sampled_unequally:
            return ALIKE
        voted = self.pair_sums(self.counts().sum(axis=1)) > 0
        wanted = self.options.weights == AUTO
        return design_of(self.tally.pair_probability, voted, is_wanted=wanted)

    def judge_notes(self) -> tuple[str, ...]:
        """What of each judge's work is not in the numbers, and how its words came about."""
        from core.stats.collapsed import said_by

        notes = []
        for name in (*self.present, *self.panels()):
            outcomes, times = said_by(self, name)
            failed, pending, undecided = (
                int(times[outcomes.is_kind(kind)].sum())
                for kind in (Combined.FAILURE, Combined.PENDING, Combined.UNDECIDED)
            )
            panel = name in self.panel_labels
            if failed:
                why = "members with half of its weight or more failed" if panel else "a call failed"
                notes.append(f"{name}: {many(failed, 'item')} left out, {why} (never a tie)")
            if pending:
                why = "a member has no word yet" if panel else "one of two orders is not in yet"
                notes.append(f"{name}: {many(pending, 'item')} left out, {why}")
            if undecided:
                whose = "its members' vote" if panel else "the vote of its repeats"
                notes.append(
                    f"{name}: {many(undecided, 'item')} left out, {whose} has no winner (no tie)"
                )
            if outcomes.one_order:
                notes.append(
                    f"{name}: gave one order of each item only; its verdicts stand as given, "
                    "position bias included"
                )
        return (*notes, *self._repeat_notes())

    def _repeat_notes(self) -> tuple[str, ...]:
        """Which judges were asked again, and what their word is then."""
        asked = [name for name, judge in self.present.items() if self.tally.was_asked_again(judge)]
        if not asked:
            return ()
        word = (
            "its word in an order is what most repeats say"
            if self.options.repeats == MAJORITY
            else "its word in an order is the first verdict; further ones are in self_consistency"
        )
        return tuple(f"{name}: was asked repeatedly; {word}" for name in asked)


def _apart(name: str, taken: Collection[str]) -> str:
    """A name that nobody has."""
    while name in taken:
        name += " (panel)"
    return name


def _counts_of(place: NDArray[Any], choice: NDArray[Any], left: NDArray[Any], places: int) -> Ints:
    """Votes by place, choice and side; see :meth:`Tally.vote_counts`."""
    base = place.astype(np.int64) * (CHOICES + 2)
    sided = (left > 0) & (choice <= MODEL_2)
    side = np.where(choice[sided] == left[sided], COUNTED_LEFT, COUNTED_RIGHT)
    cells = np.concatenate([base + choice - 1, base[sided] + side])
    size = places * (CHOICES + 2)
    return np.bincount(cells, minlength=size).reshape(-1, CHOICES + 2).astype(np.int32)


def one_each(choice: Codes) -> Ints:
    """Choices 0–4 as a count table, shape (items, 4); 0 becomes a row of zeros."""
    table = np.zeros((len(choice), CHOICES + 1), np.int32)
    table[np.arange(len(choice)), choice] = 1
    return table[:, 1:]
