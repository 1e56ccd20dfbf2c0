"""What a study gives Dawid–Skene: votes of the people who count, and what leads ruled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.stats.dawid_skene import Ballots, Bools, Longs
from core.stats.gold_labels import OPEN
from core.stats.observed import votes_of
from core.stats.tally import BOTH_BAD, CHOICES, TIE
from core.stats.view import View


@dataclass(frozen=True, slots=True)
class Cast:
    """The votes on a view's items.

    Attributes:
        raters: annotator number of each rater of the ballots.
        voted: which items of the view have a vote.
        ballots: their items are those of the view.
    """

    raters: Longs
    voted: Bools
    ballots: Ballots


def classes_of(view: View) -> int:
    """How many classes there are: three where both bad counts as a tie."""
    return CHOICES - view.options.merge_both_bad


def ruled_classes(view: View) -> Longs:
    """What leads ruled on each item of the view, as a class; :data:`OPEN` where nothing is fixed.

    Rulings that no outcome can be given, or that more votes are wanted, fix nothing; nor do leads
    who disagree, unless one of them made theirs final (see :func:`core.gold.decide`).
    """
    return ruled_on(view, view.items)


def ruled_on(view: View, items: Longs) -> Longs:
    """The same of some items of the tally; costs what was ruled, not what was voted."""

    def find() -> tuple[Longs, Longs]:
        rulings = view.tally.rulings
        return agreed_on(view, rulings.choice, rulings.final > 0)

    ruled, label = view.once(("ruled",), find)
    if not ruled.size:
        return np.full(len(items), OPEN)
    place = np.minimum(np.searchsorted(ruled, items), len(ruled) - 1)
    return np.where(ruled[place] == items, label[place], OPEN)


def agreed_on(view: View, choice: Longs, final: Bools) -> tuple[Longs, Longs]:
    """What standing rulings come to; see :func:`ruled_classes`.

    Args:
        choice: of each standing ruling; 0 for one that is to be left out.
        final: which of them settle what leads disagree about.

    Returns:
        The items of the tally that were ruled on, rising; what the rulings on each come to.
    """
    rulings = view.tally.rulings
    if view.options.merge_both_bad:
        choice = np.where(choice == BOTH_BAD, TIE, choice)
    items, place = np.unique(rulings.item, return_inverse=True)
    held = _last_by_lead(rulings.item, rulings.lead) & (choice > 0)
    lowest, highest = np.full(len(items), CHOICES + 9), np.zeros(len(items), np.int64)
    np.minimum.at(lowest, place[held], choice[held])
    np.maximum.at(highest, place[held], choice[held])
    # Of several assignments to one place numpy keeps the last.
    settling = final & (choice > 0)
    lowest[place[settling]] = highest[place[settling]] = choice[settling]
    is_fixed = (lowest == highest) & (highest <= CHOICES)
    return items, np.where(is_fixed, highest - 1, OPEN)


def _last_by_lead(item: Longs, lead: Longs) -> Bools:
    """Which of some rulings are the last that their lead made on their item."""
    key = item * (int(lead.max(initial=0)) + 1) + lead
    _, last = np.unique(key[::-1], return_index=True)
    is_last = np.zeros(len(key), np.bool_)
    is_last[len(key) - 1 - last] = True
    return is_last


def ballots_of(view: View) -> Cast:
    """The votes of everybody who counts, with what leads ruled as the truth."""
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
        ruled_classes(view),
    )
    voted = np.zeros(items, np.bool_)
    voted[votes.item] = True
    return Cast(raters, voted, ballots)
