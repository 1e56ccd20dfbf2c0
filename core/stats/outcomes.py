"""What one judge says per item: its orders combined, and what failed verdicts leave open."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.records import Choice, Combined, combine
from core.stats.cells import FAILED
from core.stats.tally import BOTH_BAD, CHOICES, TIE

Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]
Longs = NDArray[np.int64]

KINDS: tuple[Combined, ...] = tuple(Combined)
"""What a kind code in :class:`Outcomes` stands for; :data:`NO_VERDICT` stands for nothing."""

NO_VERDICT: Final = -1

NOTHING: Final = CHOICES
"""The column of :attr:`Outcomes.options` after the four choices: it could stay without a word."""

UNDECIDED_CELL: Final = CHOICES + 2
"""Cell code of an order whose repeats have no majority, after those of the tally."""

CELL_CODES: Final = CHOICES + 3
"""How many codes a cell can have."""

_CHOICE = (None, *Choice)


def has_choice(cells: NDArray[Any]) -> Bools:
    """Which cells hold a choice: no failure, and no repeats without a majority."""
    return np.asarray((cells > FAILED) & (cells < UNDECIDED_CELL))


def _none() -> Longs:
    return np.zeros(0, np.int64)


def _no_options() -> Bools:
    return np.zeros((0, CHOICES + 1), np.bool_)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What one judge or panel says per item.

    Attributes:
        choice: 1–4, or 0 where there is nothing to use.
        kind: index into :data:`KINDS`, or :data:`NO_VERDICT`.
        one_order: the judge never gave both orders of any item, so its single verdicts stand
            as they are (kind ``REPORTED``) instead of waiting for the other order.
        open: places of the items whose word a failed verdict withholds or could turn.
        options: for each of those, which of the four choices it could be, and whether it could
            be none (:data:`NOTHING`); shape (open, 5).
    """

    choice: Codes
    kind: Codes
    one_order: bool = False
    open: Longs = field(default_factory=_none)
    options: Bools = field(default_factory=_no_options)

    def is_kind(self, kind: Combined) -> Bools:
        """Which items have this kind."""
        return np.asarray(self.kind == KINDS.index(kind))

    def only(self, kept: Bools) -> Outcomes:
        """The same on the items of a mask."""
        inside = kept[self.open]
        place = np.cumsum(kept) - 1
        return Outcomes(
            self.choice[kept],
            self.kind[kept],
            self.one_order,
            place[self.open[inside]].astype(np.int64),
            self.options[inside],
        )


def _combined(reported: int, first: int, second: int, one_order: bool) -> tuple[int, int]:
    """Kind and choice codes for one item's three cells (see :meth:`Tally.judge_cells`)."""
    orders = [cell for cell in (first, second) if cell]
    single = reported or (orders[0] if orders and one_order else 0)
    if FAILED in ((*orders,) if len(orders) == 2 else (single, *orders)):
        return KINDS.index(Combined.FAILURE), 0
    if UNDECIDED_CELL in ((*orders,) if len(orders) == 2 else (single, *orders)):
        return KINDS.index(Combined.UNDECIDED), 0
    if len(orders) == 2:
        kind, choice = combine(_CHOICE[orders[0] - 1], _CHOICE[orders[1] - 1])
        return KINDS.index(kind), _CHOICE.index(choice)
    if single:
        return KINDS.index(Combined.REPORTED), single - 1
    return (KINDS.index(Combined.PENDING) if orders else NO_VERDICT), 0


def _left_open(reported: int, first: int, second: int, one_order: bool, classes: int) -> list[bool]:
    """What a failed item could have said: each failed call, and each not made, could say any."""
    found = [False] * (CHOICES + 1)
    kind, _ = _combined(reported, first, second, one_order)
    if kind != KINDS.index(Combined.FAILURE):
        return found
    anything = range(FAILED + 1, FAILED + 1 + classes)

    def could_be(cell: int) -> range:
        return anything if cell in (0, FAILED) else range(cell, cell + 1)

    if not (first or second) or (one_order and not (first and second)):
        for cell in could_be(reported or first or second):
            found[cell - 2] = True
        return found
    for one, two in product(could_be(first), could_be(second)):
        if UNDECIDED_CELL in (one, two):
            found[NOTHING] = True
        else:
            choice = combine(_CHOICE[one - 1], _CHOICE[two - 1])[1]
            found[_CHOICE.index(choice) - 1] = True
    return found


@cache
def _tables(one_order: bool, classes: int) -> tuple[NDArray[np.int8], Bools]:
    """For every triple of cells: kind and choice, and what is left open."""
    triples = list(product(range(CELL_CODES), repeat=3))
    words = [_combined(a, b, c, one_order) for a, b, c in triples]
    options = [_left_open(a, b, c, one_order, classes) for a, b, c in triples]
    return np.array(words, np.int8), np.array(options, np.bool_)


def combined(cells: NDArray[Any], *, one_order: bool, merged: bool) -> Outcomes:
    """One judge's cells on some items as words.

    Args:
        cells: shape (items, 3), see :meth:`Tally.judge_cells`; an order may hold
            :data:`UNDECIDED_CELL`.
        merged: both bad counts as a tie.
    """
    cells = cells.astype(np.int16)
    if merged:
        cells[cells == BOTH_BAD + 1] = TIE + 1
    codes = (cells[:, 0] * CELL_CODES + cells[:, 1]) * CELL_CODES + cells[:, 2]
    words, options = _tables(one_order, CHOICES - merged)
    kind, choice = words[codes].T
    failed = np.flatnonzero(kind == KINDS.index(Combined.FAILURE))
    was_one_order = one_order and bool(cells[:, 1:].any())
    return Outcomes(choice, kind, was_one_order, failed, options[codes[failed]])
