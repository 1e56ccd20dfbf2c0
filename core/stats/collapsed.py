"""The selected items, or pairs, with those alike in what a statistic looks at taken together.

Where the tally can say which items changed, the patterns are kept from one computation to the next
and cost what changed (:mod:`core.stats.census`). Where it cannot (panels, which vote by weights
fitted to everything; a majority over repeats), they are taken anew from every item. The patterns
are the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.stats.beside import TEXT_UNKNOWN
from core.stats.census import Patterns, patterns_of
from core.stats.outcomes import CELL_CODES, Outcomes, combined
from core.stats.tally import CHOICES
from core.stats.view import View, one_each

Longs = NDArray[np.int64]
Rows = NDArray[Any]

T = TypeVar("T")

MODELS: Final = (0, 1)
"""Columns of a pair that :func:`collapsed_pairs` puts first: its models."""

MODELS_AND_CATEGORY: Final = (0, 1, 2)

_WORD = CHOICES + 3


@dataclass(frozen=True, slots=True)
class Columns:
    """What is looked at of each item.

    Attributes:
        key: the same for the same numbers of the same items, and for nothing else.
        width: how many numbers these are.
        rows: whole numbers, none below 0, of some items of the tally; shape (items, width).
        follows: whether the tally knows of every item for which they change.
    """

    key: Hashable
    width: int
    rows: Callable[[Longs], Rows]
    follows: bool = True


def turns(view: View) -> Columns:
    """The turn."""
    return Columns(("turn",), 1, lambda items: view.tally.item_turn[items][:, None])


def votes(view: View, population: str, sides: bool = False) -> Columns:
    """Votes by choice; with ``sides`` then decisive left and right."""
    width = CHOICES + 2 * sides
    key = ("votes", view.vote_key(population), view.options.merge_both_bad, width)

    def rows(items: Longs) -> Rows:
        return view.votes_on(population, items)[:, :width]

    return Columns(key, width, rows)


def word(view: View, name: str) -> Columns:
    """A judge's or panel's word: choice, kind + 1, and what failures leave open (see Outcomes)."""
    if name in view.panel_labels:
        return Columns(("panel", name), _WORD, partial(_panel_rows, view, name), follows=False)
    judge = view.judge_number(name)
    one_order = not view.gave_both_orders(judge)
    merged = view.options.merge_both_bad
    key = ("word", judge, view.options.repeats, one_order, merged)

    def rows(items: Longs) -> Rows:
        cells = view.cells(judge)[items].astype(np.int64)
        table = _word_table(one_order, merged)
        found: Rows = table[(cells[:, 0] * CELL_CODES + cells[:, 1]) * CELL_CODES + cells[:, 2]]
        return found

    return Columns(key, _WORD, rows, view.follows(judge))


def votes_by_turn(view: View, population: str) -> Columns:
    """Votes by choice, for each turn of the view apart."""
    turns = tuple(view.turns)
    key = ("votes by turn", turns, votes(view, population).key)

    def rows(items: Longs) -> Rows:
        wide = np.zeros((len(items), max(len(turns), 1), CHOICES), np.int64)
        # What is of another turn is not selected, and goes where it does no harm.
        slot = np.minimum(np.searchsorted(turns, view.tally.item_turn[items]), wide.shape[1] - 1)
        wide[np.arange(len(items)), slot] = view.votes_on(population, items)[:, :CHOICES]
        return wide.reshape(len(items), wide.shape[1] * CHOICES)

    return Columns(key, max(len(turns), 1) * CHOICES, rows)


def choices(view: View, rater: str) -> Columns:
    """A population's votes by choice, or the choice of a judge or panel counted as one."""
    if rater in view.populations:
        return votes(view, rater)
    said = word(view, rater)
    return derived(said, "choices", CHOICES, lambda rows: one_each(rows[:, 0]))


def derived(columns: Columns, name: str, width: int, of: Callable[[Rows], Rows]) -> Columns:
    """Numbers that follow from others.

    Args:
        name: what tells these from others that follow from the same.
    """
    rows = columns.rows
    return Columns((name, columns.key), width, lambda items: of(rows(items)), columns.follows)


def raters_in(view: View) -> list[str]:
    """Populations, judges and panels with a vote or word that can be used."""

    def find() -> list[str]:
        every = (*view.populations, *view.present, *view.panels())
        return [each for each in every if collapsed(view, choices(view, each))[0][0].any()]

    return view.once(("raters in",), find)


def cells(view: View, judge: int) -> Columns:
    """A judge's words in each order."""
    key = ("cells", judge, view.options.repeats)
    return Columns(key, 3, lambda items: view.cells(judge)[items], view.follows(judge))


def baseline(view: View, place: int, judged: tuple[Columns, ...]) -> Columns:
    """The choice of a baseline where one of some judges has a word; 0 elsewhere.

    Args:
        place: of the baseline, among those that the tally knows; beyond, 1 stands everywhere.
        judged: the judges' words.
    """

    def rows(items: Longs) -> Rows:
        known = view.tally.baselines.rows(len(view.tally.item_turn))
        said = np.ones(len(items), np.int64)
        if place < known.shape[1]:
            said = known[items, place].astype(np.int64)
        said[said == TEXT_UNKNOWN] = 0
        has_word = np.zeros(len(items), np.bool_)
        for each in judged:
            has_word |= each.rows(items)[:, 0] > 0
        return (said * has_word)[:, None]

    key = ("baseline", place, *(each.key for each in judged))
    return Columns(key, 1, rows, all(each.follows for each in judged))


def outcomes_of(rows: Rows) -> Outcomes:
    """The words that :func:`word` looks at."""
    is_open = np.flatnonzero(rows[:, 2:].any(axis=1))
    codes = rows[:, :2].astype(np.int8)
    return Outcomes(codes[:, 0], codes[:, 1] - 1, False, is_open, rows[is_open, 2:] > 0)


def said_by(view: View, name: str) -> tuple[Outcomes, Longs]:
    """A judge's or panel's words on all selected items, alike ones together, and how often."""

    def find() -> tuple[Outcomes, Longs]:
        if name in view.panel_labels:
            (rows,), times = collapsed(view, word(view, name))
            return outcomes_of(rows), times
        judge = view.judge_number(name)
        (rows,), times = collapsed(view, cells(view, judge))
        one_order = not view.gave_both_orders(judge)
        merged = view.options.merge_both_bad
        return combined(rows, one_order=one_order, merged=merged), times

    return view.once(("said by", name), find)


def collapsed(view: View, *columns: Columns) -> tuple[list[Longs], Longs]:
    """The selected items by these columns.

    Returns:
        The patterns, apart for each of the columns, shape (patterns, width); in rising order.
        How many items have each.
    """
    tally = view.tally

    def rows_of(items: Longs) -> tuple[Rows, NDArray[np.bool_]]:
        return _beside(columns, items), view.selects(items)

    def everything() -> Longs:
        return np.arange(len(tally.item_turn))

    key = ("items", view.selection, *(each.key for each in columns))
    widths = [each.width for each in columns]
    found = _patterns(view, key, columns, sum(widths), everything, lambda items: items, rows_of)
    return _apart(found, widths)


def collapsed_pairs(
    view: View, about: tuple[int, ...], *columns: Columns
) -> tuple[list[Longs], Longs]:
    """The pairs with a selected item by these columns, summed over their selected items.

    Args:
        about: columns of :attr:`Tally.pair_table` that come first.

    Returns:
        As for :func:`collapsed`; the columns of the pair first.
    """
    tally = view.tally

    def pairs_of(items: Longs) -> Longs:
        return np.unique(tally.item_pair[items]).astype(np.int64)

    def everything() -> Longs:
        return np.arange(len(tally.pair_table))

    key = ("pairs", about, view.selection, *(each.key for each in columns))
    rows_of = partial(pair_rows, view, about, columns)
    widths = [len(about), *(each.width for each in columns)]
    found = _patterns(view, key, columns, sum(widths), everything, pairs_of, rows_of)
    return _apart(found, widths)


def every_item(view: View, *columns: Columns) -> list[Rows]:
    """The same as :func:`collapsed`, item by item in the order of :attr:`View.items`.

    Where items weigh differently, those with the same row are not alike.
    """
    return [each.rows(view.items) for each in columns]


def every_pair(view: View, about: tuple[int, ...], columns: Columns) -> tuple[Longs, Longs, Longs]:
    """The same as :func:`collapsed_pairs`, pair by pair.

    Returns:
        What is about the pair, the sums of the columns, and the pair's number.
    """
    pairs = np.arange(len(view.tally.pair_table))
    rows, counted = pair_rows(view, about, (columns,), pairs)
    rows = rows[counted].astype(np.int64)
    return rows[:, : len(about)], rows[:, len(about) :], pairs[counted]


def unless_changed(view: View, name: tuple[object, ...], times: Longs, make: Callable[[], T]) -> T:
    """What ``make`` makes of some patterns and the view's options, made again once they change.

    Args:
        name: what is made, of whom.
        times: of the patterns, as :func:`collapsed` or :func:`collapsed_pairs` told them: as long
            as nothing changed, they tell the very same array.
    """
    tally = view.tally
    besides = view.options, tally.models, tally.categories
    known = tally.memo.get(("made", name, view.selection))
    if known is not None and known[0] is times and known[1] == besides:
        found: T = known[2]
        return found
    made = make()
    tally.memo.keep(("made", name, view.selection), (times, besides, made))
    return made


def pair_rows(
    view: View, about: tuple[int, ...], columns: tuple[Columns, ...], pairs: Longs
) -> tuple[Rows, NDArray[np.bool_]]:
    """The rows of some pairs, and which of them have a selected item."""
    tally = view.tally
    items, place = tally.items_of_pairs(pairs)
    if not view.selects_all:
        kept = view.selects(items)
        items, place = items[kept], place[kept]
    rows = _beside(columns, items)
    summed = [np.bincount(place, each, len(pairs)).astype(np.int64) for each in rows.T]
    known = tally.pair_table[pairs][:, about]
    has_items = np.bincount(place, minlength=len(pairs)) > 0
    return np.column_stack([known, *summed]), has_items


def _beside(columns: tuple[Columns, ...], items: Longs) -> Rows:
    return np.concatenate([each.rows(items) for each in columns], axis=1)


def _patterns(
    view: View,
    key: Hashable,
    columns: tuple[Columns, ...],
    width: int,
    everything: Callable[[], Longs],
    clusters_of: Callable[[Longs], Longs],
    rows_of: Callable[[Longs], tuple[Rows, NDArray[np.bool_]]],
) -> Patterns:
    def find() -> Patterns:
        if all(each.follows for each in columns):
            return view.followed.items.patterns(key, everything, clusters_of, rows_of, width)
        rows, counted = rows_of(everything())
        return patterns_of(rows[counted])

    return view.once(("patterns", key), find)


def _apart(found: Patterns, widths: list[int]) -> tuple[list[Longs], Longs]:
    return np.split(found.rows, np.cumsum(widths)[:-1], axis=1), found.times


@cache
def _word_table(one_order: bool, merged: bool) -> NDArray[np.int64]:
    """For every triple of cells what :func:`word` looks at."""
    triples = np.array(list(product(range(CELL_CODES), repeat=3)), np.int16)
    return _word_rows(combined(triples, one_order=one_order, merged=merged))


def _word_rows(said: Outcomes) -> NDArray[np.int64]:
    rows = np.zeros((len(said.choice), _WORD), np.int64)
    rows[:, 0], rows[:, 1] = said.choice, said.kind.astype(np.int64) + 1
    rows[said.open, 2:] = said.options
    return rows


def _panel_rows(view: View, name: str, items: Longs) -> Rows:
    rows = view.once(("panel rows", name), lambda: _word_rows(view.panel(name)))
    if view.selects_all:
        return rows[items]
    # What is not selected is asked for, too, and not counted.
    whole = np.zeros((len(view.tally.item_turn), _WORD), np.int64)
    whole[view.items] = rows
    return whole[items]
