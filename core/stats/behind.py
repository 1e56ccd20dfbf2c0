"""What a number is made of: the items behind it, and what was said about each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats.outcomes import NO_VERDICT
from core.stats.results import Label
from core.stats.tally import MODEL_2
from core.stats.view import View

Bools = NDArray[np.bool_]

RATERS = frozenset(
    {
        *("rater", "rater_1", "rater_2", "raters", "judge", "panel", "member"),
        *("annotator", "annotator_1", "annotator_2"),
    }
)
"""Labels that name who said something."""

_MODELS = frozenset({"model", "model_1", "model_2"})


@dataclass(frozen=True, slots=True)
class ItemBehind:
    """One item behind a number; neither the models nor who said what is named.

    Attributes:
        pair_id: the row of the pair.
        wins: votes for each of the two models, the more frequent first.
        ties, both_bad: votes that say so.
        agreement: where two raters are compared, the share of the comparisons on this item
            that agree; None where there are none.
    """

    pair_id: int
    question: str
    category: str
    turn: int
    wins: tuple[int, int]
    ties: int
    both_bad: int
    agreement: float | None


@dataclass(frozen=True, slots=True)
class Behind:
    """All of them.

    Attributes:
        items: the first of them: those whose agreement may be told and is known first, the least
            agreed before the others; then by question.
        total: how many there are.
        constraints: in words, what they have in common.
        names: the models, judges, panels and people that the number is of.
    """

    items: tuple[ItemBehind, ...]
    total: int
    constraints: tuple[str, ...]
    names: frozenset[str] = frozenset()


def behind(
    view: View,
    labels: Mapping[str, Label],
    most: int = 500,
    *,
    told: Collection[tuple[int, int]] | None = None,
) -> Behind:
    """The items that a number with these labels rests on.

    Args:
        labels: of an estimate; those that name no turn, category, model or rater restrict nothing.
        most: how many items to give.
        told: the items, as (pair_id, turn), whose agreement may be told; None for all. That of the
            others is left out, and neither their place nor whether they are given goes by it.
    """
    keep, words = _common(view, labels)
    raters = [str(labels[name]) for name in labels if name in RATERS and labels[name] != ""]
    said = [_said(view, rater) for rater in raters]
    if labels.get("setup") == "S2":  # only what prefers a model is compared
        said = [None if one is None else one[:, :MODEL_2] for one in said]
        words.append("both prefer a model")
    known = [(rater, one) for rater, one in zip(raters, said, strict=True) if one is not None]
    for rater, one in known:
        keep &= one.sum(axis=1) > 0
        words.append(f"{rater} said something")
    share = np.full(len(keep), np.nan)
    if len(known) == 2:
        share = _agreement(known[0][1], known[1][1], is_same=known[0][0] == known[1][0])
        keep &= ~np.isnan(share)
        words.append("both can be compared")
    rows = np.flatnonzero(keep)
    if told is not None:
        pair_ids = view.tally.pair_ids(view.items[rows]).tolist()
        items_of = zip(pair_ids, view.turn[rows].tolist(), strict=True)
        is_told = np.fromiter((each in told for each in items_of), np.bool_, len(rows))
        share[rows[~is_told]] = np.nan
    order = np.lexsort((view.turn[rows], view.pair[rows], np.nan_to_num(share[rows], nan=2.0)))
    chosen = rows[order[:most]]
    items = tuple(_items(view, chosen, share))
    return Behind(items, len(rows), tuple(words), _named(view, labels))


def _named(view: View, labels: Mapping[str, Label]) -> frozenset[str]:
    """Whom the labels name; all who vote, or a group of them, are nobody."""
    tally = view.tally
    known = {*tally.models, *tally.judges, *tally.annotators, *view.words()}
    return frozenset(map(str, labels.values())) & (known - {*view.populations})


def _common(view: View, labels: Mapping[str, Label]) -> tuple[Bools, list[str]]:
    """Which items are of the turn, category and models that the labels name."""
    tally = view.tally
    keep = np.ones(len(view.items), np.bool_)
    words: list[str] = []
    turn, category = labels.get("turn"), labels.get("category")
    if isinstance(turn, int):
        keep &= view.turn == turn
        words.append(f"turn {turn}" if turn else "whole conversations")
    if category is not None and category in tally.categories:
        keep &= view.category == tally.categories.index(str(category))
        words.append(f"category {category}")
    for name in sorted(_MODELS & labels.keys()):
        if labels[name] in tally.models:
            number = tally.models.index(str(labels[name]))
            keep &= (view.model_1 == number) | (view.model_2 == number)
            words.append(f"an answer of {labels[name]}")
    return keep, words


def _said(view: View, rater: str) -> NDArray[np.int32] | None:
    """What one rater said of each item by choice, shape (items, 4); None if nobody is called so."""
    if rater in view.populations:
        return view.counts(rater)
    words = view.words()
    if rater in words:
        outcomes = words[rater]
        said = np.zeros((len(view.items), 4), np.int32)
        has_word = np.flatnonzero((outcomes.kind != NO_VERDICT) & (outcomes.choice > 0))
        said[has_word, outcomes.choice[has_word] - 1] = 1
        return said
    if rater in view.tally.annotators:
        return _of_annotator(view, view.tally.annotators.index(rater))
    return None


def _of_annotator(view: View, number: int) -> NDArray[np.int32]:
    item, annotator, choice, _ = view.votes
    mine = annotator == number
    every = np.zeros((len(view.tally.item_turn), 4), np.int32)
    np.add.at(every, (item[mine], choice[mine] - 1), 1)
    return every[view.items]


def _agreement(
    one: NDArray[np.int32], other: NDArray[np.int32], *, is_same: bool
) -> NDArray[np.float64]:
    """The share of comparisons on each item that agree; NaN where there are none."""
    if is_same:
        agreeing = (one * (one - 1)).sum(axis=1) / 2
        total = one.sum(axis=1) * (one.sum(axis=1) - 1) / 2
    else:
        agreeing = (one * other).sum(axis=1).astype(float)
        total = (one.sum(axis=1) * other.sum(axis=1)).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: NDArray[np.float64] = np.where(total > 0, agreeing / total, np.nan)
    return share


def _items(view: View, rows: NDArray[np.intp], share: NDArray[np.float64]) -> Iterator[ItemBehind]:
    tally, counts = view.tally, view.counts()
    pair_ids = tally.pair_ids(view.items[rows])
    for row, pair_id in zip(rows.tolist(), pair_ids.tolist(), strict=True):
        _, _, category, question = tally.pair_table[view.pair[row]].tolist()
        votes = counts[row].tolist()
        wins = sorted(votes[:MODEL_2], reverse=True)
        yield ItemBehind(
            pair_id,
            tally.questions[question],
            tally.categories[category] or "",
            int(view.turn[row]),
            (wins[0], wins[1]),
            votes[2],
            votes[3],
            None if np.isnan(share[row]) else float(share[row]),
        )
