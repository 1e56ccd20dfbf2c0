"""Blind rulings, and what Dawid–Skene makes of each item that was ruled on without its ruling.

Ruled items are dealt into parts by question, and each part is predicted by a fit of its own, which
knows the rulings of the other parts only. The fits are followed as gold is (:mod:`gold_line`).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from core.gold import GoldRule
from core.stats.dawid_skene import Bools, Floats, Longs, Problem, Rules, climbing
from core.stats.dawid_skene_kept import Kept
from core.stats.gold_fit import agreed_on, ballots_of
from core.stats.gold_kept import Stepped, gold_key, votes_now
from core.stats.gold_labels import OPEN, likeliest
from core.stats.gold_line import Line, LineWork, Making, line_of
from core.stats.view import View
from core.stats.voting import folds_of

PARTS: Final = 5
"""Parts that ruled items are dealt into; each is predicted by a fit that its rulings are not in."""

_CLOSE: Final = 1e-6
"""What one more step moves nothing by where these fits are done: labels want less precision than
probabilities."""

_NOT_RULED: Final = (OPEN, False)

_LINE: Final[Hashable] = "without own rulings"


@dataclass(frozen=True, slots=True)
class Reference:
    """What leads ruled without having seen a name; aligned, one entry per ruled item.

    Attributes:
        item: selected items of the tally, rising.
        label: class that was ruled.
        probability: with what probability the item was drawn for ruling; NaN where it was not.
    """

    item: Longs
    label: Longs
    probability: Floats

    @property
    def drawn(self) -> Bools:
        """Which were drawn at random."""
        return ~np.isnan(self.probability)


def reference(view: View) -> Reference:
    """Blind rulings, also where the lead revised them later; of disagreeing leads none."""

    def find() -> Reference:
        rulings = view.tally.rulings
        nobody = np.zeros(len(rulings), np.bool_)
        ruled, labels = agreed_on(view, rulings.first_choice, nobody)
        kept = (labels != OPEN) & view.selects(ruled)
        item, label = ruled[kept], labels[kept]
        probability = np.full(len(ruled), np.nan)
        drawn = ~np.isnan(rulings.probability)
        probability[np.searchsorted(ruled, rulings.item[drawn])] = rulings.probability[drawn]
        return Reference(item, label, probability[kept])

    return view.once(("reference",), find)


def _parts(view: View, items: Longs) -> Longs:
    """The part that each of some items is dealt into."""
    return np.asarray(
        folds_of(view.tally.pair_table[view.tally.item_pair[items], 3]) % PARTS, np.int64
    )


class Blind(Stepped):
    """A fit for each part that has rulings; all of the same votes."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._fits: dict[int, Kept] = {}
        self._ruled: dict[int, tuple[int, bool]] = {}  # by item: as what, and whether blind

    @staticmethod
    def made(view: View) -> Making[Blind]:
        """Fit everything, with a pause after each step."""
        found, tally = Blind(view), view.tally
        tally.votes_on(np.zeros(0, np.int64))
        every = ballots_of(view)
        ballots, truth = every.ballots, every.ballots.truth
        inside = every.voted | (truth != OPEN)
        items = view.items[inside]
        blind = reference(view).item
        parts = np.unique(_parts(view, blind)).tolist()
        part = np.where(np.isin(items, blind), _parts(view, items), OPEN)
        number = np.cumsum(inside) - 1
        ballots = replace(ballots, item=number[ballots.item], items=len(items), truth=truth[inside])
        found._remember(items, ballots.truth, part != OPEN)
        yield
        # No two items that are ruled on blind are alike, so that one table does for all fits.
        kind = np.zeros(len(items), np.int64)
        mine = np.flatnonzero(part != OPEN)
        kind[mine] = 1 + np.arange(len(mine))
        problem = Problem(ballots, kind=kind)
        yield
        rules = Rules(close=_CLOSE)
        for each in parts:
            # From the votes anew: the fit with all rulings would bring these rulings along.
            without = problem.with_truth(np.where(part == each, OPEN, ballots.truth))
            climbed = yield from climbing(without, rules)
            found.kept = found._fits[each] = Kept(without, climbed, items, every.raters, rules)
        return found

    def follow(self, view: View) -> bool:
        """Step in what changed; see :class:`core.stats.gold_line.Following`."""
        items = self._changed(view)
        if items is None:
            return False
        if items.size:
            now = votes_now(view, items)
            is_blind = np.isin(items, reference(view).item)
            part = np.where(is_blind, _parts(view, items), OPEN)
            if not set(part[is_blind].tolist()) <= set(self._fits):
                return False
            before = [self._ruled.get(item, _NOT_RULED) for item in items.tolist()]
            was, was_blind = np.array(before, np.int64).T
            is_new = self.kept.differs(now) | (was != now.truth) | (was_blind != is_blind)
            if is_new.any():
                for each, fit in self._fits.items():
                    truth = np.where(part == each, OPEN, now.truth)
                    fit.step(replace(now, truth=truth).only(is_new))
                self._remember(items, now.truth, is_blind)
            self._took(view, int(is_new.sum()))
        self._took(view, 0)
        return True

    def _remember(self, items: Longs, truth: Longs, is_blind: Bools) -> None:
        for item in items.tolist():
            self._ruled.pop(item, None)
        held = np.flatnonzero((truth != OPEN) | is_blind)
        told = zip(truth[held].tolist(), is_blind[held].tolist(), strict=True)
        self._ruled |= dict(zip(items[held].tolist(), told, strict=True))

    def is_worn(self, view: View) -> bool:
        """Whether full fits are due."""
        return self._is_worn()

    def posterior(self, view: View, items: Longs) -> Floats:
        """What the votes, and rulings on other questions, take some ruled items for."""
        part = _parts(view, items)
        found = np.zeros((len(items), self.kept.kinds.shape[1]))
        for each in np.unique(part).tolist():
            mine = part == each
            found[mine] = self._fits[each].posterior(items[mine])[0]
        return found


def _line(view: View) -> Line[Blind]:
    return line_of(view, gold_key(view), _LINE, Blind.made)


def blind_work(view: View) -> LineWork[Blind] | None:
    """The full fits that are to be made, if some are."""
    if not reference(view).item.size:
        return None
    line = _line(view)
    is_due = line.is_due(view)
    return None if is_due is None else LineWork(line, view, is_due)


def fits_of(view: View) -> Blind:
    """The fits, up to date."""
    return _line(view).current(view)


def labels_without_own_rulings(view: View) -> tuple[Longs, str]:
    """What Dawid–Skene makes of each ruled item where its ruling is not known to it.

    Returns:
        A class for each item of the reference, :data:`OPEN` where none is likely enough or nobody
        voted; and of which moment the fits are, in words.
    """
    items, fits = reference(view).item, fits_of(view)
    said = likeliest(fits.posterior(view, items), GoldRule().threshold)
    voted = view.votes_on(next(iter(view.populations)), items).any(axis=1)
    return np.where(voted, said, OPEN), fits.said()
