"""Votes among words: a panel's members on an item, or one judge's repeats in one order.

The outcome with most weight wins. Where two have as much, nobody wins: that is no tie, and it is
kept apart from one. Weights that are fitted are those of Nitzan & Paroush 1982 ("Optimal decision
rules in uncertain dichotomous choice situations"), for classes whose errors are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.records import Combined
from core.stats.outcomes import KINDS, NO_VERDICT, NOTHING, Bools, Codes, Outcomes
from core.stats.tally import CHOICES

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

FOLDS: Final = 10
"""Parts that questions are dealt into, so that weights never come from the items they decide."""

_TRIED: Final = 3
"""Failed members on one item whose words are all tried out, 5³ votes."""

_ALIKE = 1e-9
"""Sums of weights that differ by less are equal: 0.1 + 0.2 against 0.3."""


def winners(cast: NDArray[Any]) -> Codes:
    """The choice (1–4) with most weight in each row, shape (items,); 0 where nobody wins.

    Args:
        cast: weight by choice, shape (items, 4).
    """
    top = cast.max(axis=1)
    level = cast >= (top - _ALIKE * np.maximum(top, 1))[:, None]
    is_won = (level.sum(axis=1) == 1) & (top > 0)
    return np.where(is_won, level.argmax(axis=1) + 1, 0).astype(np.int8)


def vote(members: Sequence[Outcomes], weights: Floats) -> Outcomes:
    """A panel's words.

    Every member must have a word on an item, or have failed there; until then it is pending.
    A member that failed has no vote. Where members with half of the weight or more failed, the
    panel fails.

    Args:
        members: their words on the same items.
        weights: shape (members, items), none below 0.
    """
    items = weights.shape[1]
    cast = np.zeros((items, CHOICES))
    lost, total = np.zeros(items), weights.sum(axis=0)
    is_waiting, is_known = np.zeros(items, np.bool_), np.zeros(items, np.bool_)
    for member, weight in zip(members, weights, strict=True):
        voted = np.flatnonzero(member.choice)
        cast[voted, member.choice[voted] - 1] += weight[voted]
        lost += np.where(member.is_kind(Combined.FAILURE), weight, 0.0)
        is_waiting |= member.is_kind(Combined.PENDING) | (member.kind == NO_VERDICT)
        is_known |= member.kind != NO_VERDICT
    choice = winners(cast)
    has_failed = (lost > 0) & (2 * lost >= total * (1 - _ALIKE))
    kind = np.full(items, KINDS.index(Combined.DECIDED), np.int8)
    kind[choice == 0] = KINDS.index(Combined.UNDECIDED)
    kind[has_failed] = KINDS.index(Combined.FAILURE)
    kind[is_waiting] = KINDS.index(Combined.PENDING)
    kind[~is_known] = NO_VERDICT
    choice[has_failed | is_waiting] = 0
    places = np.flatnonzero((lost > 0) & ~is_waiting)
    options = _reachable(members, weights, cast, places)
    sure = np.zeros_like(options)
    said = choice[places]
    sure[np.arange(len(places)), np.where(said > 0, said - 1, NOTHING)] = True
    turns = (options != sure).any(axis=1) | has_failed[places]
    return Outcomes(choice, kind, False, places[turns], options[turns])


def _reachable(members: Sequence[Outcomes], weights: Floats, cast: Floats, places: Longs) -> Bools:
    """What the vote could have come to had the failed members had a word.

    Exact where up to :data:`_TRIED` members failed; never too narrow where more did.

    Returns:
        Shape (places, 5), see :attr:`Outcomes.options`.
    """
    rows = np.full(int(places.max(initial=-1)) + 1, -1)
    rows[places] = np.arange(len(places))
    settled = cast[places]
    failed = np.zeros(len(places), np.int64)
    slots = np.zeros((_TRIED, len(places)))
    words = np.zeros((_TRIED, len(places), CHOICES + 1), np.bool_)
    reach = settled.copy()
    for member, weight in zip(members, weights, strict=True):
        row = rows[member.open[member.open < len(rows)]]
        mine, options = row[row >= 0], member.options[: len(row)][row >= 0]
        weighs = weight[places[mine]]
        reach[mine] += options[:, :CHOICES] * weighs[:, None]
        early = failed[mine] < _TRIED
        slot, mine_early = failed[mine][early], mine[early]
        slots[slot, mine_early], words[slot, mine_early] = weighs[early], options[early]
        failed[mine] += 1
    others = np.stack(
        [np.delete(settled, choice, axis=1).max(axis=1) for choice in range(CHOICES)], axis=1
    )
    slack = _ALIKE * np.maximum(others, 1)
    found = np.zeros((len(places), CHOICES + 1), np.bool_)
    found[:, :CHOICES] = reach > others + slack
    found[:, NOTHING] = True
    for number in range(1, _TRIED + 1):
        few = np.flatnonzero(failed == number)
        if few.size:
            tried = slots[:number, few], words[:number, few]
            found[few] = _every_outcome(settled[few], *tried)
    return found


def _every_outcome(settled: Floats, weights: Floats, options: Bools) -> Bools:
    """All that a vote could come to, by trying every word of every failed member.

    Args:
        settled: weight by choice, shape (items, 4).
        weights: of the failed members, shape (failed, items).
        options: what they could have said, shape (failed, items, 5).
    """
    rows = np.arange(len(settled))
    found = np.zeros((len(settled), CHOICES + 1), np.bool_)
    for said in product(range(CHOICES + 1), repeat=len(weights)):
        cast, possible = settled.copy(), np.ones(len(settled), np.bool_)
        for word, weight, option in zip(said, weights, options, strict=True):
            possible &= option[:, word]
            if word != NOTHING:
                cast[:, word] += weight
        choice = winners(cast)
        found[rows[possible], np.where(choice > 0, choice - 1, NOTHING)[possible]] = True
    return found


def folds_of(question: NDArray[Any]) -> Longs:
    """Which part each question number belongs to."""
    return np.asarray(question % FOLDS, np.int64)


def fitted_weights(members: Sequence[Codes], counts: NDArray[Any], fold: Longs) -> Floats:
    """Log-odds weights from agreement with people, each part's from all other parts.

    With p the share of votes that a member agrees with and K classes, ln(p (K − 1) / (1 − p)); a
    member no better than chance gets 0. p is drawn to chance by one vote for each class. Where
    no member is better than chance, or nobody voted, all weigh alike.

    Args:
        members: choices (0: none) on the same items.
        counts: people's votes by choice, shape (items, 4).
        fold: which part each item belongs to.

    Returns:
        Shape (FOLDS, members).
    """
    classes = CHOICES if counts[:, CHOICES - 1].any() else CHOICES - 1
    total = counts.sum(axis=1)
    weights = np.zeros((FOLDS, len(members)))
    for number, choice in enumerate(members):
        has = np.flatnonzero(choice)
        same = np.bincount(fold[has], counts[has, choice[has] - 1], FOLDS)
        compared = np.bincount(fold[has], total[has], FOLDS)
        share = (same.sum() - same + 1) / (compared.sum() - compared + classes)
        # One vote more than all of them keeps the share below 1.
        weights[:, number] = np.log(share * (classes - 1) / (1 - share))
    weights = np.maximum(weights, 0)
    weights[weights.max(axis=1, initial=0.0) < _ALIKE] = 1.0
    return weights
