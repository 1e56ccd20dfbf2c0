"""Dawid–Skene on a study: votes of the people who count, with leads' rulings clamped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.records import Choice, Pair
from core.stats.dawid_skene import Ballots, Bools, Fit, Longs, fit
from core.stats.observed import Observed, votes_of
from core.stats.options import Options
from core.stats.tally import BOTH_BAD, CHOICES, TIE, Tally
from core.stats.view import View

CHOICE_OF = tuple(Choice)
"""The outcome of each class."""

OPEN = -1
"""Stands for an item that no ruling decides."""


@dataclass(frozen=True, slots=True)
class GoldFit:
    """A fit on a view's items.

    Attributes:
        votes: the votes it rests on; ``votes.item`` is a place among the view's items.
        raters: annotator number of each rater of the fit.
        rater: of each vote, its place among those.
        ruled: class that a ruling fixed by item of the view, :data:`OPEN` where none did.
        voted: which items of the view have a vote.
        fitted: what EM found; its items are those of the view.
    """

    votes: Observed
    raters: Longs
    rater: Longs
    ruled: Longs
    voted: Bools
    ballots: Ballots
    fitted: Fit


def classes_of(view: View) -> int:
    """How many classes there are: three where both bad counts as a tie."""
    return CHOICES - view.options.merge_both_bad


def ruled_classes(view: View) -> Longs:
    """What leads ruled on each item of the view, as a class; :data:`OPEN` where nothing is fixed.

    Rulings that no outcome can be given, or that more votes are wanted, fix nothing; nor do leads
    who disagree, unless one of them made theirs final (see :func:`core.gold.decide`).
    """
    rulings = view.tally.rulings
    return agreed_on(view, rulings.choice, rulings.final > 0)


def agreed_on(view: View, choice: Longs, final: Bools) -> Longs:
    """What standing rulings come to on each item of the view; see :func:`ruled_classes`.

    Args:
        choice: of each standing ruling; 0 for one that is to be left out.
        final: which of them settle what leads disagree about.
    """
    rulings = view.tally.rulings
    if view.options.merge_both_bad:
        choice = np.where(choice == BOTH_BAD, TIE, choice)
    size = len(view.tally.item_turn)
    held = _last_by_lead(rulings.item, rulings.lead) & (choice > 0)
    lowest, highest = np.full(size, CHOICES + 9), np.zeros(size, np.int64)
    np.minimum.at(lowest, rulings.item[held], choice[held])
    np.maximum.at(highest, rulings.item[held], choice[held])
    # Of several assignments to one place numpy keeps the last.
    settling = final & (choice > 0)
    lowest[rulings.item[settling]] = highest[rulings.item[settling]] = choice[settling]
    is_fixed = (lowest == highest) & (highest <= CHOICES)
    return np.where(is_fixed, highest - 1, OPEN)[view.items]


def _last_by_lead(item: Longs, lead: Longs) -> Bools:
    """Which of some rulings are the last that their lead made on their item."""
    key = item * (int(lead.max(initial=0)) + 1) + lead
    _, last = np.unique(key[::-1], return_index=True)
    is_last = np.zeros(len(key), np.bool_)
    is_last[len(key) - 1 - last] = True
    return is_last


def fit_view(view: View) -> GoldFit:
    """Fit the votes of everybody who counts, with what leads ruled clamped."""
    return view.once(("gold fit",), lambda: _fit_view(view))


def _fit_view(view: View) -> GoldFit:
    truth = ruled_classes(view)
    votes = votes_of(view, next(iter(view.populations)))
    raters, rater = np.unique(votes.rater, return_inverse=True)
    items = len(view.items)
    ballots = Ballots(
        votes.item,
        rater.astype(np.int64),
        votes.choice - 1,
        votes.left,
        items,
        len(raters),
        classes_of(view),
        truth,
    )
    voted = np.zeros(items, np.bool_)
    voted[votes.item] = True
    return GoldFit(votes, raters, ballots.rater, truth, voted, ballots, fit(ballots))


def posteriors(
    source: View | Tally, options: Options | None = None
) -> Mapping[tuple[Pair, int], dict[Choice, float]]:
    """How likely each outcome is on every item with a vote, by pair and turn.

    On an item with a ruling it is the ruling. With ``merge_both_bad`` there are three outcomes.

    Args:
        source: a view, or a tally and the options to look at it with; the defaults if left out.
    """
    view = source if isinstance(source, View) else View(source, options or Options())
    found = fit_view(view)
    tally = view.tally
    names, keys = tally.models, tally.questions
    told = {}
    choices = CHOICE_OF[: classes_of(view)]
    places = np.flatnonzero(found.voted)
    rows = found.fitted.posterior[places].tolist()
    questions = tally.pair_table[view.pair[places], 3].tolist()
    of = zip(
        questions,
        view.model_1[places].tolist(),
        view.model_2[places].tolist(),
        view.turn[places].tolist(),
        rows,
        strict=True,
    )
    for question, one, two, turn, row in of:
        told[Pair(keys[question], names[one], names[two]), turn] = dict(
            zip(choices, row, strict=True)
        )
    return told
