"""Dawid–Skene of a selection's votes, and each judge beside it, kept up to date."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.gold import GoldRule
from core.records import Choice, Pair
from core.stats.dawid_skene import Ballots, Bools, Floats, Longs, Problem, Rules, climbing
from core.stats.dawid_skene_kept import Changed, Kept
from core.stats.filters import selected_votes
from core.stats.gold_fit import ballots_of, classes_of, ruled_on
from core.stats.gold_labels import OPEN, entropy, likeliest, majority
from core.stats.gold_line import FURTHEST, STEPPED, Line, LineWork, Making, line_of
from core.stats.growing import Growing
from core.stats.observed import verdicts_of
from core.stats.options import Options
from core.stats.outcomes import has_choice
from core.stats.sorting import last_of_each
from core.stats.tally import BOTH_BAD, TIE, Tally
from core.stats.view import View

OUTSIDE, ONLY_RULED, RULED, UNDECIDED = range(4)
"""What is the matter with an item: neither vote nor ruling, no vote, a ruling, a vote and no
ruling. To the last is added one more than the class of the majority plus 1."""

_RULE: Final = GoldRule()


def _known_as(voted: Bools, truth: Longs, counts: NDArray[Any]) -> Longs:
    """The code of some items."""
    code = np.where(truth != OPEN, np.where(voted, RULED, ONLY_RULED), OUTSIDE)
    undecided = UNDECIDED + 1 + majority(counts.astype(np.int64))
    return np.where(voted & (truth == OPEN), undecided, code)


class Stepped:
    """What gold and judges have in common: a kept fit, and since when.

    Attributes:
        kept: the fit.
        vote: the seq of the last vote as of which the full fit is.
        stepped: items that were stepped in since.
    """

    def __init__(self, view: View) -> None:
        self.kept: Kept
        self.vote = view.tally.last_vote_seq
        self.stepped = 0
        self._mark = view.tally.mark

    def _changed(self, view: View) -> Longs | None:
        """The selected items that changed; None if that is not known, or they are too many."""
        changed = view.tally.changed_since(self._mark)
        if changed is None or len(changed) > FURTHEST:
            return None
        self._mark = view.tally.mark
        return changed[view.selects(changed)]

    def _took(self, view: View, items: int) -> None:
        self.stepped += items
        if not self.stepped:
            self.vote = view.tally.last_vote_seq

    def _is_worn(self) -> bool:
        return self.stepped >= max(1, self.kept.items // STEPPED)

    def said(self) -> str:
        """Of which moment it is, in words."""
        since = "item has" if self.stepped == 1 else "items have"
        stepped = f"; {self.stepped:,} {since} been stepped in since" if self.stepped else ""
        return f"full fit at vote {self.vote:,}{stepped}"


def votes_now(view: View, items: Longs) -> Changed:
    """Votes and rulings on some selected items; of several by one annotator the last vote."""
    found = view.tally.votes_on(items)
    mine = view.members(next(iter(view.populations)))[found["rater"]]
    if view.vote_filter is not None:
        mine = mine & selected_votes(view.tally, view.options, found["rater"], found["seq"])
    votes = {name: column[mine] for name, column in found.items()}
    key = votes["place"] * max(len(view.tally.annotators), 1) + votes["rater"]
    last = last_of_each(key)
    owner, rater, left = (votes[name][last] for name in ("place", "rater", "left"))
    said = votes["choice"][last] - 1
    if view.options.merge_both_bad:
        said = np.where(said == BOTH_BAD - 1, TIE - 1, said)
    truth = ruled_on(view, items)
    voted = np.bincount(owner, minlength=len(items)) > 0
    return Changed(items, voted | (truth != OPEN), truth, owner, rater, left, said)


class Gold(Stepped):
    """What votes alone make of a selection's items.

    Attributes:
        labels: how many items there are, by code and likeliest class + 1.
        entropy: summed over the undecided items.
        error: 1 less the probability of the likeliest class; the same.
        log: items that were stepped in, in order.
    """

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.log: list[Longs] = []
        self.entropy = self.error = 0.0
        classes = classes_of(view)
        self.labels = np.zeros((UNDECIDED + classes + 1, classes + 1), np.int64)
        self._code = Growing(np.int8)  # by item
        self._ruled: dict[int, int] = {}

    @staticmethod
    def made(view: View) -> Making[Gold]:
        """Fit everything, with a pause after each step."""
        gold, tally = Gold(view), view.tally
        tally.votes_on(np.zeros(0, np.int64))
        every = ballots_of(view)
        ballots = every.ballots
        voted = np.zeros(ballots.items, np.bool_)
        voted[ballots.item] = True
        # Items that nobody said anything about follow the prior, and it does not follow them.
        place = np.flatnonzero(voted | (ballots.truth != OPEN))
        items, truth = view.items[place], ballots.truth[place]
        code = _known_as(voted[place], truth, gold._counts(view, items))
        ruled = truth != OPEN
        gold._ruled = dict(zip(items[ruled].tolist(), truth[ruled].tolist(), strict=True))
        yield
        number = np.cumsum(voted | (ballots.truth != OPEN)) - 1
        inside = replace(ballots, item=number[ballots.item], items=len(place), truth=truth)
        problem = Problem(inside)
        yield
        rules = Rules()
        found = yield from climbing(problem, rules)
        gold.kept = Kept(problem, found, items, every.raters, rules)
        gold._code.grow_to(int(items.max(initial=-1)) + 1)
        gold._code.rows[items] = code
        gold._count(code, found.posterior[problem.place], 1)
        return gold

    def follow(self, view: View) -> bool:
        """Step in what changed; see :class:`core.stats.gold_line.Following`."""
        items = self._changed(view)
        if items is None:
            return False
        if items.size:
            changed = votes_now(view, items)
            before = [self._ruled.get(item, OPEN) for item in items.tolist()]
            is_new = self.kept.differs(changed) | (changed.truth != np.array(before))
            # A majority counts each vote, and the fit the last of an annotator's on an item.
            self._code.grow_to(int(items.max()) + 1)
            is_new |= self._code.rows[items] != self._codes(view, changed)
            self._step(view, changed.only(is_new))
        self._took(view, 0)
        return True

    def is_worn(self, view: View) -> bool:
        """Whether a full fit is due."""
        return self._is_worn()

    def _counts(self, view: View, items: Longs) -> Longs:
        people = next(iter(view.populations))
        return view.votes_on(people, items)[:, : classes_of(view)].astype(np.int64)

    def _codes(self, view: View, changed: Changed) -> Longs:
        voted = np.bincount(changed.owner, minlength=len(changed.item)) > 0
        return _known_as(voted, changed.truth, self._counts(view, changed.item))

    def _step(self, view: View, changed: Changed) -> None:
        items = changed.item
        if not items.size:
            return
        self._count(self._code.rows[items].astype(np.int64), self.kept.posterior(items)[0], -1)
        self.kept.step(changed)
        code = self._codes(view, changed)
        self._code.rows[items] = code
        self._count(code, self.kept.posterior(items)[0], 1)
        for item, truth in zip(items.tolist(), changed.truth.tolist(), strict=True):
            self._ruled.pop(item, None)
            if truth != OPEN:
                self._ruled[item] = truth
        self.log.append(items)
        self._took(view, len(items))

    def _count(self, code: Longs, posterior: Floats, by: int) -> None:
        inside = code != OUTSIDE
        label = likeliest(posterior, _RULE.threshold) + 1
        np.add.at(self.labels, (code[inside], label[inside]), by)
        undecided = posterior[code >= UNDECIDED]
        self.entropy += by * float(entropy(undecided).sum())
        self.error += by * float((1 - undecided.max(axis=1, initial=0)).sum())

    @property
    def voted(self) -> int:
        """How many items have a vote."""
        return int(self.labels[RULED:].sum())

    @property
    def ruled_classes(self) -> set[int]:
        """The classes that rulings fixed somewhere."""
        return set(self._ruled.values())


class Judged(Stepped):
    """One judge's words beside what gold takes the items for; it has no say in that."""

    def __init__(self, view: View, gold: Gold, judge: int) -> None:
        super().__init__(view)
        self._gold, self._seen, self._judge = gold, len(gold.log), judge

    @staticmethod
    def made(view: View, judge: int) -> Making[Judged]:
        """Fit everything, with a pause after each step."""
        gold = gold_of(view)
        found = Judged(view, gold, judge)
        said = verdicts_of(view, judge)
        inside = gold.kept.posterior(view.items)[1]
        said = said.only(inside[said.item])
        places, item = np.unique(said.item, return_inverse=True)
        items = view.items[places]
        kind = gold.kept.kind(items)
        kinds = gold.kept.kinds
        yield
        nobody, size = np.zeros(len(item), np.int64), len(items)
        truth = np.full(size, OPEN)
        words = item, nobody, said.choice - 1, said.left
        problem = Problem(Ballots(*words, size, 1, classes_of(view), truth), kinds, kind)
        yield
        rules = Rules()
        climbed = yield from climbing(problem, rules)
        found.kept = Kept(problem, climbed, items, np.zeros(1, np.int64), rules)
        return found

    def follow(self, view: View) -> bool:
        """Step in what changed; see :class:`core.stats.gold_line.Following`."""
        gold = gold_of(view)
        items = self._changed(view)
        if items is None:
            return False
        if items.size:
            changed = self._now(view, gold, items)
            is_new = self.kept.differs(changed)
            if gold is self._gold:
                told = gold.log[self._seen :]
                is_new |= changed.counts & np.isin(items, np.concatenate([items[:0], *told]))
            else:
                is_new |= changed.counts
            if is_new.any():
                self.kept.step(changed.only(is_new))
            self._took(view, int(is_new.sum()))
        if gold is self._gold:
            self._seen = len(gold.log)
        self._took(view, 0)
        return True

    def is_worn(self, view: View) -> bool:
        """Whether a full fit is due: also where gold was made anew since."""
        return self._is_worn() or gold_of(view) is not self._gold

    def _now(self, view: View, gold: Gold, items: Longs) -> Changed:
        cells = view.cells(self._judge)[items]
        owner, left = np.nonzero(has_choice(cells))
        said = cells[owner, left].astype(np.int64) - 2
        if view.options.merge_both_bad:
            said = np.where(said == BOTH_BAD - 1, TIE - 1, said)
        given, inside = gold.kept.posterior(items)
        counts = inside & (np.bincount(owner, minlength=len(items)) > 0)
        nobody, open_ = np.zeros(len(owner), np.int64), np.full(len(items), OPEN)
        return Changed(items, counts, open_, owner, nobody, left, said, given)


def gold_key(view: View) -> tuple[Hashable, ...]:
    """Which items and votes gold rests on."""
    people = next(iter(view.populations))
    return view.selection, view.vote_key(people), view.options.merge_both_bad


def _gold_line(view: View) -> Line[Gold]:
    return line_of(view, gold_key(view), "gold", Gold.made)


def gold_of(view: View) -> Gold:
    """Dawid–Skene of everybody who counts, with what leads ruled clamped; up to date."""
    return _gold_line(view).current(view)


def gold_work(view: View) -> LineWork[Gold] | None:
    """The full fit that is to be made, if one is."""
    line = _gold_line(view)
    is_due = line.is_due(view)
    return None if is_due is None else LineWork(line, view, is_due)


def _judged_line(view: View, judge: int) -> Line[Judged]:
    make = partial(Judged.made, judge=judge)
    if not view.follows(judge):
        return view.once(("line", judge), lambda: Line(make))
    return line_of(view, gold_key(view), judge, make)


def judged_by(view: View, judge: int) -> Judged:
    """One judge beside gold, up to date."""
    return _judged_line(view, judge).current(view)


def confusion_work(view: View) -> LineWork[Any] | None:
    """The next full fit that is to be made, if one is: what nothing can be told without first."""
    worn: LineWork[Any] | None = None
    lines: tuple[Line[Any], ...] = (
        _gold_line(view),
        *(_judged_line(view, judge) for judge in view.present.values()),
    )
    for line in lines:
        is_due = line.is_due(view)
        if is_due:
            return LineWork(line, view, is_needed=True)
        if is_due is not None and worn is None:
            worn = LineWork(line, view, is_needed=False)
    return worn


def posteriors(
    source: View | Tally, options: Options | None = None
) -> Mapping[tuple[Pair, int], dict[Choice, float]]:
    """How likely each outcome is on every item with a vote, by pair and turn.

    On an item with a ruling it is the ruling. With ``merge_both_bad`` there are three outcomes.

    Args:
        source: a view, or a tally and the options to look at it with; the defaults if left out.
    """
    view = source if isinstance(source, View) else View(source, options or Options())
    tally = view.tally
    voted = view.sided_counts(next(iter(view.populations))).any(axis=1)
    items = view.items[voted]
    names, keys, choices = tally.models, tally.questions, tuple(Choice)[: classes_of(view)]
    pairs = tally.pair_table[tally.item_pair[items]].tolist()
    rows = gold_of(view).kept.posterior(items)[0].tolist()
    return {
        (Pair(keys[question], names[one], names[two]), turn): dict(zip(choices, row, strict=True))
        for (one, two, _, question), turn, row in zip(
            pairs, tally.item_turn[items].tolist(), rows, strict=True
        )
    }
