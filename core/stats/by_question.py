"""Which pairs of answers are of one question, and sums over questions that a vote keeps up.

The pairs of a question share answers: a poor answer loses to everybody, and whoever misreads it
does so in all of its pairs. What is said about them is therefore not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from core.stats.ledger import Floats, Ledger
from core.stats.nearby import Near, Parts, kept, near
from core.stats.question_counts import question_index
from core.stats.sorting import grouped
from core.stats.view import View

Longs = NDArray[np.int64]
Rows = NDArray[Any]

_ITEMS = 1 << 14
"""Items that are looked at together where all of them are, on average."""


def pairs_of(view: View, questions: Longs) -> tuple[Longs, Longs]:
    """Every pair of some questions, and the place of its question among these, which rise."""
    index = question_index(view.tally)
    pairs = index.of_all(questions)
    return pairs, np.searchsorted(questions, index.question[pairs])


def questions_of(view: View, items: Longs | None, at_once: int = _ITEMS) -> list[Longs]:
    """The questions that some items are on, rising, in blocks of about so many items.

    All questions there are, where ``items`` is None.
    """
    tally = view.tally
    if items is None:
        questions = np.arange(len(tally.questions))
    else:
        questions = np.unique(tally.pair_table[tally.item_pair[items], 3]).astype(np.int64)
    block = max(at_once * len(tally.questions) // max(len(tally.item_turn), 1), 1)
    return [questions[start : start + block] for start in range(0, len(questions), block)]


def summed(keys: Longs, values: Rows) -> tuple[Longs, Rows]:
    """The distinct keys in rising order, and the sums of rows with the same key."""
    found, _, place = grouped(keys)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.append(True, place[order][1:] != place[order][:-1])[: len(keys)])
    if not len(starts):
        return found, values
    return found, np.add.reduceat(values[order], starts, axis=0)


def near_questions(view: View, questions: Longs) -> Near:
    """The selected items of some questions, and of each the place of its question."""
    pairs, owner = pairs_of(view, questions)
    here = near(view, pairs)
    return Near(here.items, owner[here.pair])


def kept_by_question(
    view: View,
    name: Hashable,
    columns: int,
    terms: Callable[[Floats], Longs],
    parts_of: Callable[[Longs], Parts],
    follows: bool = True,
    dtype: DTypeLike = np.float64,
) -> Ledger:
    """Sums over questions, of which a vote changes what one question adds.

    Args:
        name: the same for the same parts under the same options of what to look at.
        columns, terms, dtype: see :class:`Ledger`.
        parts_of: the parts of some questions, as they are now.
        follows: whether the tally knows of every item for which parts change.
    """

    def take(ledger: Ledger, items: Longs | None) -> None:
        for questions in questions_of(view, items):
            ledger.put(questions, *parts_of(questions))

    def make() -> Ledger:
        return Ledger(columns, terms, dtype)

    return kept(view, ("by question", name), make, take, follows)
