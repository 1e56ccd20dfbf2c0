"""Single votes and verdicts with the side they were cast from: one shape for people and judges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats.outcomes import has_choice
from core.stats.sorting import last_of_each
from core.stats.tally import BOTH_BAD, CHOICES, MODEL_2, TIE
from core.stats.view import View

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_TEXTS = "the texts of the answers are not in the study"

LONGER_BY = 50
"""Characters by which an answer must be longer to count as the longer one."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Choices one by one, in the order in which they were made where that is known.

    Attributes:
        item: of each, its place among the items of the view; shape (choices,).
        rater: of each, the annotator's or judge's number.
        choice: of each, 1–4.
        left: of each, which model stood left (1 or 2); 0 where it is not known.
    """

    item: Longs
    rater: Longs
    choice: Longs
    left: Longs

    def only(self, mine: Bools | Longs) -> Observed:
        """Some of the choices: those of a mask, or of a list of places."""
        return Observed(self.item[mine], self.rater[mine], self.choice[mine], self.left[mine])

    @property
    def decisive(self) -> Bools:
        """Which choices prefer a model."""
        return np.asarray(self.choice <= MODEL_2)

    @property
    def sided(self) -> Bools:
        """Which prefer a model and have their side on record."""
        return np.asarray(self.decisive & (self.left > 0))


def _placed(view: View, item: Longs, rater: Longs, choice: Longs, left: Longs) -> Observed:
    places = np.full(len(view.tally.item_turn), -1, np.int64)
    places[view.items] = np.arange(len(view.items))
    place = places[item]
    kept = place >= 0
    choice = choice.astype(np.int64)
    if view.options.merge_both_bad:
        choice[choice == BOTH_BAD] = TIE
    columns = (place, rater, choice, left)
    return Observed(*(column[kept].astype(np.int64) for column in columns))


def votes_of(view: View, population: str) -> Observed:
    """A population's votes, in the order cast; of several by one annotator on an item the last."""

    def find() -> Observed:
        every = view.votes
        mine = view.members(population)[every[1]]
        said = _placed(view, *(column[mine] for column in every))
        keys = said.rater * max(len(view.items), 1) + said.item
        last = np.zeros(len(keys), np.bool_)
        last[last_of_each(keys)] = True
        if last.all():
            return said
        rows = np.flatnonzero(last)
        return Observed(said.item[rows], said.rater[rows], said.choice[rows], said.left[rows])

    return view.once(("observed votes", population), find)


def item_counts(view: View, people: Observed) -> Longs:
    """People's choices per item, shape (items, 4)."""
    size = len(view.items)
    cells = people.item * CHOICES + people.choice - 1
    return np.bincount(cells, minlength=size * CHOICES).reshape(size, CHOICES).astype(np.int64)


def verdicts_of(view: View, judge: int) -> Observed:
    """A judge's standing words, one for each order; failures and repeats are left out."""

    def find() -> Observed:
        cells = view.cells(judge)[view.items]
        place, left = np.nonzero(has_choice(cells))
        choice = cells[place, left].astype(np.int64) - 1
        return _placed(view, view.items[place], np.full(len(place), judge), choice, left)

    return view.once(("observed verdicts", judge), find)


def present_judges(view: View) -> dict[str, int]:
    """Number of each judge with a verdict on a selected item, in order of their names."""
    return view.present


def gaps(view: View) -> tuple[Longs, Bools]:
    """How much more of each of :data:`COUNTED` model_1's answer has than model_2's.

    Returns:
        Differences, shape (items, COUNTED), and whether both answers are known.
    """

    def find() -> tuple[Longs, Bools]:
        tally = view.tally
        question = tally.pair_table[view.pair, 3].astype(np.int64)
        turn = view.turn.astype(np.int64)
        names = tally.questions, tally.models
        one, two = (
            tally.background.counts(*names, (question, model.astype(np.int64), turn))
            for model in (view.model_1, view.model_2)
        )
        known = one[1] & two[1]
        return np.where(known[:, None], one[0] - two[0], 0), known

    return view.once(("gaps",), find)
