"""What is said about some pairs of answers, read without a look at any other pair."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.stats.background import COUNTED
from core.stats.collapsed import Columns, collapsed
from core.stats.filters import selected_votes
from core.stats.ledger import Floats, Ledger
from core.stats.observed import LONGER_BY, NO_TEXTS, Observed
from core.stats.outcomes import has_choice
from core.stats.sorting import last_of_each
from core.stats.tally import BOTH_BAD, CHOICES, TIE
from core.stats.view import View

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

T = TypeVar("T")

Parts = tuple[Longs, Longs, Floats]
"""Of each part of a ledger its cluster's place, its cell, its numbers; see :meth:`Ledger.put`."""


@dataclass(frozen=True, slots=True)
class Near:
    """The selected items of some pairs of answers.

    Attributes:
        items: their numbers in the tally, shape (items,).
        pair: of each, the place of its pair among those asked about.
    """

    items: Longs
    pair: Longs


def near(view: View, pairs: Longs) -> Near:
    """The selected items of some pair numbers."""
    items, place = view.tally.items_of_pairs(pairs)
    if not view.selects_all:
        kept = view.selects(items)
        items, place = items[kept], place[kept]
    return Near(items, place)


def votes_near(view: View, here: Near, population: str) -> tuple[Observed, Longs]:
    """A population's votes there, as :func:`core.stats.observed.votes_of` tells all of them.

    Returns:
        The votes, by place among the items, and their seqs.
    """
    found = view.tally.votes_on(here.items)
    kept = view.members(population)[found["rater"]]
    if view.vote_filter is not None:
        kept = kept & selected_votes(view.tally, view.options, found["rater"], found["seq"])
    rows = np.flatnonzero(kept)
    key = found["rater"][rows] * max(len(here.items), 1) + found["place"][rows]
    rows = np.sort(rows[last_of_each(key)])
    return _observed(view, found, rows)


def verdicts_near(view: View, here: Near, judge: int) -> Observed:
    """A judge's words there, as :func:`core.stats.observed.verdicts_of` tells all of them."""
    cells = view.cells(judge)[here.items]
    place, left = np.nonzero(has_choice(cells))
    choice = _merged(view, cells[place, left].astype(np.int64) - 1)
    return Observed(place, np.full(len(place), judge), choice, left)


def verdicts_in_time_near(view: View, here: Near, judge: int) -> tuple[Observed, Longs]:
    """A judge's verdicts there in the order in which they came, and their seqs."""
    found = view.tally.verdicts_on(here.items)
    used = (found["rater"] == judge) & (found["repeat"] == 0) & (found["choice"] > 0)
    return _observed(view, found, np.flatnonzero(used))


def _observed(view: View, found: dict[str, NDArray[Any]], rows: Longs) -> tuple[Observed, Longs]:
    choice = _merged(view, found["choice"][rows])
    said = Observed(found["place"][rows], found["rater"][rows], choice, found["left"][rows])
    return said, found["seq"][rows]


def _merged(view: View, choice: Longs) -> Longs:
    return np.where(choice == BOTH_BAD, TIE, choice) if view.options.merge_both_bad else choice


def counts_near(here: Near, people: Observed) -> Longs:
    """People's choices on each of the items, shape (items, 4)."""
    cells = people.item * CHOICES + people.choice - 1
    found = np.bincount(cells, minlength=len(here.items) * CHOICES)
    return found.reshape(-1, CHOICES).astype(np.int64)


def gaps_on(view: View, items: Longs) -> tuple[Longs, Bools]:
    """As :func:`core.stats.observed.gaps`, of some items of the tally."""
    tally = view.tally
    about = tally.pair_table[tally.item_pair[items]].astype(np.int64)
    turn, names = tally.item_turn[items].astype(np.int64), (tally.questions, tally.models)
    one, two = (
        tally.background.counts(*names, (about[:, 3], about[:, model], turn)) for model in (0, 1)
    )
    known = one[1] & two[1]
    return np.where(known[:, None], one[0] - two[0], 0), known


def longer_on(view: View, items: Longs) -> Longs:
    """Which model's answer is longer by more than :data:`LONGER_BY`: 1, 2, or 0; by item."""
    difference, known = gaps_on(view, items)
    more = difference[:, COUNTED.index("characters")]
    return np.where(known, (more > LONGER_BY) + 2 * (more < -LONGER_BY), 0)


def _texts(view: View) -> tuple[Longs, Longs]:
    """Whether both texts of items are known, and the longer model; alike ones together."""

    def rows(items: Longs) -> NDArray[Any]:
        return np.column_stack([gaps_on(view, items)[1], longer_on(view, items)])

    version = view.tally.background.version
    (found,), times = collapsed(view, Columns(("texts", version), 2, rows))
    return found, times


def has_texts(view: View) -> bool:
    """Whether both answers of some selected item are known."""
    return bool(_texts(view)[0][:, 0].any())


def without_texts(view: View) -> int:
    """How many selected items miss an answer's text."""
    found, times = _texts(view)
    return int(times[found[:, 0] == 0].sum())


def without_lengths(view: View) -> str:
    """Why lengths cannot be compared at all; empty where they can."""
    if not has_texts(view):
        return NO_TEXTS
    if not _texts(view)[0][:, 1].any():
        return f"no answer is more than {LONGER_BY} characters longer than the other"
    return ""


def kept_by_pair(
    view: View,
    name: Hashable,
    columns: int,
    terms: Callable[[Floats], Longs],
    parts_of: Callable[[Longs], Parts],
    follows: bool = True,
) -> Ledger:
    """Sums over pairs of answers, of which a vote changes what one pair adds.

    Args:
        name: the same for the same parts under the same options of what to look at.
        columns, terms: see :class:`Ledger`.
        parts_of: the parts of some pair numbers, as they are now.
        follows: whether the tally knows of every item for which parts change.
    """
    tally = view.tally

    def take(ledger: Ledger, items: Longs | None) -> None:
        pairs = np.arange(len(tally.pair_table))
        if items is not None:
            pairs = np.unique(tally.item_pair[items]).astype(np.int64)
        ledger.put(pairs, *parts_of(pairs))

    def make() -> Ledger:
        return Ledger(columns, terms)

    return kept(view, ("by pair", name), make, take, follows)


def kept(
    view: View,
    name: Hashable,
    make: Callable[[], T],
    take: Callable[[T, Longs | None], None],
    follows: bool = True,
) -> T:
    """What ``make`` makes, kept for as long as ``take`` can bring it up to date.

    Args:
        name: as for :func:`kept_by_pair`.
        make, take: see :meth:`core.stats.census.Censuses.followed`.
        follows: whether the tally knows of every item for which it changes.
    """
    options = view.vote_filter, view.options.merge_both_bad
    key = ("kept", name, view.selection, options, view.tally.background.version)

    def find() -> T:
        if follows:
            return view.followed.pairs.followed(key, make, take)
        anew = make()
        take(anew, None)
        return anew

    return view.once(key, find)
