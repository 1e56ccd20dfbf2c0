"""How often two raters agree, question by question, kept for many couples of raters at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.stats.by_question import kept_by_question, near_questions, summed
from core.stats.clustered import Moments
from core.stats.collapsed import Columns
from core.stats.comparing import CLASSES, Voice
from core.stats.ledger import Floats
from core.stats.nearby import Parts
from core.stats.view import View

Longs = NDArray[np.int64]

_SUMS = 6
"""Of one couple in one setup: questions, comparisons, what agrees, and the three products."""

Couple = tuple[Voice, Voice]
Named = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ByQuestion:
    """Sums over questions of what agrees and what is compared.

    Attributes:
        cells: what the rows of ``sums`` are of, a turn or a category.
        sums: shape (cells, couples × setups × 6).
        place: of each couple, by the names of its raters.
    """

    cells: Longs
    sums: Longs
    place: Mapping[Named, int]

    def moments(self, one: str, two: str, setup: str, cell: int) -> Moments:
        """Of one couple in one setup, over the questions of a cell."""
        start = (self.place[one, two] * len(CLASSES) + list(CLASSES).index(setup)) * _SUMS
        row = self.sums[self.cells == cell, start : start + _SUMS].sum(axis=0)
        count, size, total, size_size, total_total, total_size = row.tolist()
        return Moments(count, size, total, size_size, total_total, total_size)


def _terms(values: Floats) -> Longs:
    whole, part = values[:, ::2].astype(np.int64), values[:, 1::2].astype(np.int64)
    columns = [(whole > 0).astype(np.int64), whole, part, whole**2, part**2, part * whole]
    return np.stack(columns, axis=2).reshape(len(values), whole.shape[1] * _SUMS)


def _counted(couples: Sequence[Couple], items: Longs) -> Longs:
    """Comparisons, and what agrees, of every couple and setup; shape (items, couples × 4)."""
    voices = {voice.name: voice for couple in couples for voice in couple}
    number = {name: place for place, name in enumerate(voices)}
    heard = [voice.heard(voice.columns.rows(items)).classes for voice in voices.values()]
    said = np.stack(heard).astype(np.int64)
    one, two = ([number[couple[side].name] for couple in couples] for side in (0, 1))
    alone = np.equal(one, two)[:, None]
    found = []
    for classes in CLASSES.values():
        first, second = said[one][:, classes], said[two][:, classes]
        votes = first.sum(axis=1)
        compared = np.where(alone, votes * (votes - 1) // 2, votes * second.sum(axis=1))
        agreeing = np.where(alone, (first * (first - 1)).sum(axis=1) // 2, (first * second).sum(1))
        found.append(np.stack([compared, agreeing], axis=2))
    return (
        np.stack(found, axis=2)
        .transpose(1, 0, 2, 3)
        .reshape(len(items), len(couples) * len(CLASSES) * 2)
    )


def _parts(view: View, couples: Sequence[Couple], cell: Columns, questions: Longs) -> Parts:
    here = near_questions(view, questions)
    width = max(len(questions), 1)
    keys = cell.rows(here.items)[:, 0].astype(np.int64) * width + here.pair
    keys, values = summed(keys, _counted(couples, here.items))
    return keys % width, keys // width, values.astype(np.float64)


def agreeing_by_question(view: View, couples: Sequence[Couple], cell: Columns) -> list[ByQuestion]:
    """What couples of raters agree on, by question, within each turn or category.

    Those that can be kept stand together, and so do those that have to be looked at anew.

    Args:
        cell: one number of each item: what it is counted under.
    """
    tables = []
    for follows in (True, False):
        mine = [
            couple
            for couple in couples
            if follows == all(voice.columns.follows for voice in couple)
        ]
        if not mine:
            continue
        keys = tuple((v.sort, v.name, v.columns.key) for couple in mine for v in couple)
        width = len(mine) * len(CLASSES) * 2
        parts = partial(_parts, view, mine, cell)
        name = "agreeing", cell.key, keys
        kept = kept_by_question(view, name, width, _terms, parts, follows, np.int32)
        place = {(one.name, two.name): number for number, (one, two) in enumerate(mine)}
        tables.append(ByQuestion(*kept.sums(), place))
    return tables


def moments_of_couple(
    tables: Sequence[ByQuestion], couple: Named, setup: str, cell: int
) -> Moments:
    """One couple's sums, wherever they stand."""
    (table,) = (each for each in tables if couple in each.place)
    return table.moments(*couple, setup, cell)
