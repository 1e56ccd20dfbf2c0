"""Which of a question's answers are acceptable, and what of each kind a ranking rests on.

What kind a pair of answers is follows from the votes on the other pairs of its question, so that a
vote moves its own question; by models' points, and those questions too where a model then stands on
the other side of a half.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.settings import BY_MODELS
from core.stats.intervals import ShareSums
from core.stats.ledger import Ledger
from core.stats.nearby import near
from core.stats.question_counts import QuestionCounts, question_index
from core.stats.question_sums import followed, points_of
from core.stats.tally import BOTH_BAD, CHOICES, MODEL_2, TIE
from core.stats.view import View

Bools = NDArray[np.bool_]
Longs = NDArray[np.int64]
Codes = NDArray[np.int8]

UNKNOWN, POOR, ACCEPTABLE = 0, 1, 2
BOTH, ONE, NEITHER, UNTOLD = (
    "acceptable–acceptable",
    "acceptable–poor",
    "poor–poor",
    "not told",
)
QUADRANTS: Final = (BOTH, ONE, NEITHER, UNTOLD)
_KINDS: Final = len(QUADRANTS)
_TURN_BITS = 16
_MIDDLE: Final = 1 << 31
_MARGIN_BITS: Final = 32


class Said:
    """People's votes on some items.

    Attributes:
        pair: of each item, its pair number.
        question, turn: of each item.
        models: of each item, shape (items, 2).
        counts: votes by choice, shape (items, 4).
    """

    def __init__(self, view: View, items: Longs) -> None:
        tally = view.tally
        self.pair = tally.item_pair[items].astype(np.int64)
        about = tally.pair_table[self.pair].astype(np.int64)
        self.models, self.question = about[:, :2], about[:, 3]
        self.turn = tally.item_turn[items].astype(np.int64)
        self.counts = view.votes_on(view.people, items)[:, :CHOICES].astype(np.int64)

    def decided(self) -> Longs:
        """Votes that say of either model's answer that it is acceptable, shape (items, 2)."""
        return np.asarray(self.counts[:, :MODEL_2] + self.counts[:, TIE - 1, None])

    def doubled(self) -> Longs:
        """Twice the points of either model, shape (items, 2)."""
        return np.asarray(2 * self.counts[:, :MODEL_2] + self.counts[:, TIE - 1, None])


def _summed_by(keys: Longs, values: Longs) -> tuple[Longs, Longs]:
    """Values summed by key, shape of the keys each; and which of the distinct keys each is."""
    found, place = np.unique(keys, return_inverse=True)
    summed = np.bincount(place.ravel(), values.ravel(), len(found)).astype(np.int64)
    return summed, place.reshape(keys.shape)


def by_votes(said: Said) -> Codes:
    """Whether each item's two answers are acceptable, by the votes on their other pairs.

    A win says that the winner is acceptable, a tie that both are, and both bad that both are
    poor; a loss says nothing. What more votes say holds; as many, or none, tell nothing.

    Args:
        said: all votes on some questions.

    Returns:
        Shape (items, 2).
    """
    of = said.question << _TURN_BITS | said.turn
    answer = of[:, None] * (int(said.models.max(initial=0)) + 1) + said.models
    more = said.decided() - said.counts[:, BOTH_BAD - 1, None]
    summed, place = _summed_by(answer, more)
    others = summed[place] - more
    found = np.where(others > 0, ACCEPTABLE, np.where(others < 0, POOR, UNKNOWN))
    return np.asarray(found, np.int8)


class Points:
    """Twice the points less the comparisons of each model on each question.

    Half of the points or more on all other questions are taken where what a model has above a half
    in all is no less than what it has on this one.
    """

    def __init__(self) -> None:
        self._ledger = Ledger(1, lambda values: np.ones((len(values), 1), np.int64), np.int32)

    def put(self, questions: Longs, said: Said) -> Longs:
        """Take these questions' votes as they are now.

        Returns:
            The questions on which it may be told otherwise now whether a model is acceptable.
        """
        before = self._told()
        games = said.counts.sum(axis=1)
        used = games > 0
        models, question = said.models[used], said.question[used]
        size = int(models.max(initial=0)) + 1
        keys, place = np.unique(question[:, None] * size + models, return_inverse=True)
        above = (said.doubled() - games[:, None])[used]
        sums = np.bincount(place.ravel(), above.ravel(), len(keys)).astype(np.int64)
        owner, model = np.searchsorted(questions, keys // size), keys % size
        cells = model << _MARGIN_BITS | (sums + _MIDDLE)
        self._ledger.put(questions, owner, cells, sums[:, None].astype(np.float64))
        after = self._told()
        width = max(len(before[0]), len(after[0]))
        (was, were), (now, are) = (
            [np.pad(each, (0, width - len(each))) for each in told] for told in (before, after)
        )
        cells, _ = self._ledger.sums()
        model, margin = cells >> _MARGIN_BITS, (cells & ((1 << _MARGIN_BITS) - 1)) - _MIDDLE
        moved = (was[model] >= margin) != (now[model] >= margin)
        moved |= (were[model] == 1) != (are[model] == 1)
        return np.union1d(questions, self._ledger.clusters_with(cells[moved]))

    def acceptable(self, said: Said) -> Codes:
        """Whether each item's two models take half of the points or more on all other questions.

        A win is a point, a tie half a point, both bad none for either.
        """
        margin, questions = self._told()
        games = said.counts.sum(axis=1)
        above = said.doubled() - games[:, None]
        size = int(said.models.max(initial=0)) + 1
        summed, place = _summed_by(said.question[:, None] * size + said.models, above)
        here = summed[place]
        top = len(margin)
        known = said.models < top
        model = np.minimum(said.models, max(top - 1, 0))
        if not top:
            return np.zeros(said.models.shape, np.int8)
        enough = np.where(margin[model] >= here, ACCEPTABLE, POOR)
        # Where there are no votes nothing is counted, so that it does not matter what is told.
        told = known & (questions[model] > 1)
        return np.where(told, enough, UNKNOWN).astype(np.int8)

    def _told(self) -> tuple[Longs, Longs]:
        """By model what it has above a half in all, and on how many questions it was compared."""
        cells, sums = self._ledger.sums()
        model, margin = cells >> _MARGIN_BITS, (cells & ((1 << _MARGIN_BITS) - 1)) - _MIDDLE
        size = int(model.max(initial=-1)) + 1
        times = sums[:, 0]
        return (
            np.bincount(model, times * margin, size).astype(np.int64),
            np.bincount(model, times, size).astype(np.int64),
        )


def kinds_of(acceptable: Codes) -> Longs:
    """For each item, its place in :data:`QUADRANTS`.

    Args:
        acceptable: of its two answers, shape (items, 2).
    """
    known = (acceptable != UNKNOWN).all(axis=1)
    good = (acceptable == ACCEPTABLE).sum(axis=1)
    return np.where(known, 2 - good, QUADRANTS.index(UNTOLD))


class Kinds:
    """What people said, by kind of pair.

    Attributes:
        counts: twice the points and the comparisons of each kind of pair, but those not told; and
            of all, by question (see :class:`QuestionCounts`).
    """

    def __init__(self, view: View) -> None:
        index = question_index(view.tally)
        told = _KINDS - 1
        self.whole = told
        products = [(kind, kind) for kind in range(told)] + [(told, kind) for kind in range(told)]
        self.counts = QuestionCounts(index, (2,) * (told + 1), tuple(products))
        self._shares = Ledger(2 * _KINDS, _share_terms, np.int32)
        self._both_bad = Ledger(1, lambda values: values.astype(np.int64), np.int32)
        self._points = Points()
        self._by_models = view.options.acceptable_by == BY_MODELS

    def take(self, view: View, items: Longs | None) -> None:
        """Take some items, and what their votes change, as they are now."""
        index = question_index(view.tally)
        if items is None:
            questions = np.unique(index.question).astype(np.int64)
        else:
            questions = np.unique(index.question[view.tally.item_pair[items]]).astype(np.int64)
        pairs, said = self._said(view, questions)
        if self._by_models:
            every = self._points.put(questions, said)
            if len(every) > len(questions):
                questions = every
                pairs, said = self._said(view, questions)
            acceptable = self._points.acceptable(said)
        else:
            acceptable = by_votes(said)
        self._put(questions, pairs, said, kinds_of(acceptable))

    def _said(self, view: View, questions: Longs) -> tuple[Longs, Said]:
        pairs = question_index(view.tally).of_all(questions)
        return pairs, Said(view, near(view, pairs).items)

    def _put(self, questions: Longs, pairs: Longs, said: Said, kind: Longs) -> None:
        pairs = np.sort(pairs)
        place = np.searchsorted(pairs, said.pair)
        turned = said.models[:, 0] > said.models[:, 1]
        counts = said.counts[:, : BOTH_BAD - 1].copy()
        counts[turned, :2] = counts[turned, 1::-1]
        points = points_of(counts)
        table = np.zeros((len(pairs), _KINDS + 1, 2), np.int64)
        np.add.at(table, (place, kind), points)
        table[:, _KINDS] = table.sum(axis=1)
        kept = [*range(_KINDS - 1), _KINDS]
        self.counts.put(pairs, table[:, kept].reshape(len(pairs), 2 * len(kept)))

        owner = np.searchsorted(questions, said.question)
        sums = np.zeros((len(questions), 2, _KINDS))
        np.add.at(sums[:, 0], (owner, kind), said.counts.sum(axis=1))
        np.add.at(sums[:, 1], (owner, kind), said.counts[:, :MODEL_2].sum(axis=1))
        both_bad = np.bincount(owner, said.counts[:, BOTH_BAD - 1], len(questions))
        one_each, cell = np.arange(len(questions)), np.zeros(len(questions), np.int64)
        self._shares.put(questions, one_each, cell, sums.reshape(len(questions), 2 * _KINDS))
        self._both_bad.put(questions, one_each, cell, both_bad[:, None].astype(np.float64))

    @property
    def both_bad(self) -> int:
        """How many votes say both bad."""
        return int(self._both_bad.sums()[1].sum())

    def shares(self) -> list[tuple[ShareSums, ShareSums]]:
        """By kind: its share of all comparisons, and the share of these that prefer a model."""
        _, sums = self._shares.sums()
        told = sums.sum(axis=0).reshape(_KINDS, 2, -1)
        return [tuple(ShareSums(*row) for row in each) for each in told.tolist()]  # type: ignore[misc]


def _share_terms(values: NDArray[Any]) -> Longs:
    """What questions add to :class:`ShareSums`, for each kind its two shares."""
    counts = values.astype(np.int64).reshape(-1, 2, _KINDS)
    every = counts[:, 0].sum(axis=1)
    terms = []
    for kind in range(_KINDS):
        here, decisive = counts[:, 0, kind], counts[:, 1, kind]
        for part, whole in ((here, every), (decisive, here)):
            each = [whole > 0, part, whole, part * part, part * whole, whole * whole]
            terms += [column.astype(np.int64) for column in each]
    return np.stack(terms, axis=1)


def kinds(view: View) -> Kinds:
    """What people said by kind of pair, up to date."""

    def take(kept: Kinds, items: Longs | None) -> None:
        kept.take(view, items)

    options = view.options
    votes = view.vote_key(view.people)
    key = ("quadrants", view.selection, votes, options.merge_both_bad, options.acceptable_by)
    return followed(view, key, lambda: Kinds(view), take, follows=True)
