"""The list of cases as one lead sees it: filtered, in order, with what became of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.adjudication.case import OPEN_TO_RULE, Filter, Order, Reason, Row, State
from core.adjudication.table import BIT, Bools, Cases, Floats, Longs, reasons_of


class Listing:
    """What waits for one lead.

    Args:
        states: by item, for those that anybody opened or ruled on; the others wait.
        rulings: by item, how many rulings stand.
        own_models: models that this lead may not rule on.
        disputed: items on which leads disagree, as far as this lead may know.
        since_sample: how many cases this lead ruled on after the last one of the random sample.
    """

    def __init__(
        self,
        cases: Cases,
        states: Mapping[int, State],
        rulings: Mapping[int, int],
        own_models: Collection[str],
        disputed: Collection[int] = (),
        since_sample: int = 0,
    ) -> None:
        self.cases = cases
        self._states = states
        self._rulings = rulings
        self._own_models = own_models
        self._disputed = frozenset(disputed)
        self._since_sample = since_sample

    @cached_property
    def _questions(self) -> tuple[str, ...]:
        return self.cases.view.tally.questions

    @cached_property
    def _refused(self) -> Bools:
        """Which items have an answer of a model that is not for this lead."""
        view = self.cases.view
        own = np.array([name in self._own_models for name in view.tally.models], np.bool_)
        return np.asarray(own[view.model_1] | own[view.model_2])

    @cached_property
    def _blank(self) -> Bools:
        """Which items are of the random sample and wait for this lead.

        Those that nobody disputes are in the queue for their draw alone. To say so, or how their
        opinions fall, would tell a lead that all agree before they have read the answers; so the
        disputed ones of the sample are listed like them.
        """
        blank = self.cases.is_drawn & (self.cases.reasons > 0)
        ruled = [item for item, state in self._states.items() if state is State.RULED]
        blank[[item for item in ruled if item < len(blank)]] = False
        return blank

    @cached_property
    def _open(self) -> Bools:
        """Which items this lead could rule on now, in the queue or not."""
        is_open = ~self._refused
        closed = [item for item, state in self._states.items() if state not in OPEN_TO_RULE]
        is_open[[item for item in closed if item < len(is_open)]] = False
        return is_open

    @cached_property
    def _told(self) -> Longs:
        """The reasons of each item, as far as the list says them."""
        wish = self.cases.reasons & BIT[Reason.SECOND_OPINION]
        return np.where(self._blank, wish | BIT[Reason.AGREEMENT_SAMPLE], self.cases.reasons)

    def items(
        self, wanted: Filter, order: Order, *, limit: int | None = None, backwards: bool = False
    ) -> list[int]:
        """The items that a filter lets through, in order."""
        return [int(item) for item in self.ordered(wanted, order, backwards=backwards)[:limit]]

    def ordered(self, wanted: Filter, order: Order, *, backwards: bool = False) -> Longs:
        """The same as an array."""
        found = self._ordered(self._selected(wanted), order)
        return found[::-1] if backwards else found

    def state(self, item: int) -> State:
        """What became of an item."""
        return State.REFUSED if self._refused[item] else self._states.get(item, State.WAITING)

    def size(self, wanted: Filter) -> int:
        """How many items a filter lets through."""
        return len(self._selected(wanted))

    def counts(self) -> dict[Reason, int]:
        """How many cases wait, by reason."""
        bits = self._told[self._selected(Filter())]
        return {
            reason: int(np.count_nonzero(bits & bit))
            for reason, bit in BIT.items()
            if reason is not Reason.BY_HAND
        }

    def reasons(self, item: int) -> tuple[Reason, ...]:
        """All reasons for which an item is in the queue; none where it is not."""
        known = 0 <= item < len(self.cases.reasons)
        return reasons_of(int(self.cases.reasons[item])) if known else ()

    def queued(self, item: int) -> tuple[Reason, float | None]:
        """Why an item is in the queue, and the probability of its draw where it was drawn."""
        reasons = self.reasons(item)
        if not reasons:
            return Reason.BY_HAND, None
        return reasons[0], self._probability(item)

    def _probability(self, item: int) -> float | None:
        cases = self.cases
        return float(cases.probability[item]) if cases.is_drawn[item] else None

    def row(self, item: int, key: str) -> Row:
        """One item as the list shows it."""
        cases, tally = self.cases, self.cases.view.tally
        _, _, category, question = tally.pair_table[tally.item_pair[item]].tolist()
        is_blank = bool(self._blank[item])
        spread = sorted((n for n in cases.opinions[item].tolist() if n), reverse=True)
        return Row(
            key,
            self._questions[question],
            tally.categories[category],
            int(tally.item_turn[item]),
            reasons_of(int(self._told[item])),
            self.state(item),
            () if is_blank else tuple(spread),
            0.0 if is_blank else float(cases.on_ranking[item]),
            0.0 if is_blank else float(cases.on_agreement[item]),
            None if is_blank else self._probability(item),
            self._rulings.get(item, 0),
            item in self._disputed,
            is_blank,
        )

    def _selected(self, wanted: Filter) -> Longs:
        cases, view = self.cases, self.cases.view
        keep = cases.reasons > 0
        if wanted.disputed:
            # One that was opened by its key is in no queue, and to be settled as well.
            keep = np.zeros(len(keep), np.bool_)
            keep[[item for item in self._disputed if item < len(keep)]] = True
        if wanted.reasons:
            keep &= (self._told & sum(BIT[each] for each in wanted.reasons)) > 0
        if wanted.turn is not None:
            keep &= view.turn == wanted.turn
        if wanted.category is not None:
            named = [each == wanted.category for each in view.tally.categories]
            keep &= np.array(named, np.bool_)[view.category]
        touched = [item for item in self._states if item < len(keep)]
        inside = keep & self._refused
        were_in = keep[touched].tolist()
        if State.WAITING not in wanted.states:
            keep[:] = False
        for item, was_in in zip(touched, were_in, strict=True):
            keep[item] = was_in and self._states[item] in wanted.states
        keep[self._refused] = False
        if State.REFUSED in wanted.states:
            keep |= inside
        return np.flatnonzero(keep)

    def _ordered(self, items: Longs, order: Order) -> Longs:
        cases = self.cases
        if order.is_mixed:
            by = cases.on_ranking if order is Order.RANKING else cases.on_agreement
            return cases.mixed(items, by, self._open, self._since_sample)
        return np.asarray(items[np.argsort(self._column(items, order), kind="stable")])

    def _column(self, items: Longs, order: Order) -> NDArray[np.int64] | Floats:
        """What to sort by, smallest first."""
        cases, view = self.cases, self.cases.view
        if order is Order.RANDOM:
            return cases.chance[items]
        if order is Order.TURN:
            return np.asarray(view.turn[items], np.int64)
        if order is Order.OPINIONS:
            return np.asarray(-cases.opinions[items].sum(axis=1))
        if order is Order.SPREAD:
            return np.where(self._blank[items], 0.0, -_entropy(cases.opinions[items]))
        if order is Order.REASON:
            bits = self._told[items]
            return np.asarray(bits & -bits)
        tally = view.tally
        if order is Order.CATEGORY:
            rank = _ranked([each or "" for each in tally.categories])
            return np.asarray(rank[view.category[items]])
        return np.asarray(_ranked(list(tally.questions))[tally.pair_table[view.pair[items], 3]])


def _ranked(names: list[str]) -> NDArray[np.int64]:
    """Each name's place among all when sorted."""
    rank = np.empty(len(names), np.int64)
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return rank


def _entropy(counts: NDArray[np.int64]) -> Floats:
    """How evenly opinions spread over the outcomes, in bits, shape (items,)."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.asarray(-(share * np.log2(np.where(share > 0, share, 1))).sum(axis=1))
