"""What a ruling on each item would change: the expected effect on the ranking and on agreement.

Every quantity here is aligned with the items of a view. An outcome's code is 1–4 as everywhere;
0 is a gold label that is not decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.stats.bradley_terry import ratings
from core.stats.tally import CHOICES, MODEL_1, MODEL_2, TIE

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Codes = NDArray[np.int8]
Longs = NDArray[np.int64]

_ROUNDS = 8
_PRIOR_VOTES = 8.0
"""Items that the outcomes of all pairs count among those of one pair of models."""

_FIRST = 0.7
_LEAST, _MOST = 0.3, 0.97
"""A rater is believed to be right no less and no more often than this: few items prove nothing."""

_LINK = 0.1
"""Ties between any two models that keep the ratings finite and on one scale."""


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What the opinions so far make one expect of a ruling.

    Items of which the same was said are believed the same, and counted together.

    Attributes:
        patterns: how likely each outcome is, shape (patterns, 4); rows add up to 1.
        of: each item's pattern, shape (items,).
        first: an item of each pattern.
        times: how many items each pattern has.
        accuracy: how often people, and then each judge, name the likeliest outcome.
    """

    patterns: Floats
    of: Longs
    first: Longs
    times: Longs
    accuracy: Floats

    @property
    def shares(self) -> Floats:
        """How likely each outcome is, shape (items, 4)."""
        return np.asarray(self.patterns[self.of])


def believe(
    counts: Ints, words: Sequence[Codes], block: Longs, ruled: Codes | None = None
) -> Beliefs:
    """How likely each outcome of a ruling is, by what people and judges said.

    One accuracy for people and one for each judge, errors alike over the other three outcomes,
    and outcomes whose shares depend on the two models: Dawid and Skene's model (1979) with one
    number for each confusion matrix, fitted by expectation and maximisation.

    Args:
        counts: people's votes, shape (items, 4).
        words: each judge's word, 1–4, 0 where there is none; shape (items,) each.
        block: a number for the two models of each item.
        ruled: 1–4 where a ruling settled the outcome already.
    """
    settled = np.zeros(len(counts), np.int8) if ruled is None else ruled
    first, of, times = _alike([*counts.T, *words, block, settled])
    votes = counts[first].astype(np.float64)
    raters = [votes, *(_one_each(word[first]) for word in words)]
    block, settled = block[first], settled[first]
    fixed = np.flatnonzero(settled)
    outcome = _one_each(settled)[fixed]
    shares = sum(raters[1:], votes) + 0.25
    shares /= shares.sum(axis=1, keepdims=True)
    shares[fixed] = outcome
    accuracy = np.zeros(len(raters))
    for _ in range(_ROUNDS):
        weighed = shares * times[:, None]
        accuracy = np.array([_accuracy(weighed, said, times) for said in raters])
        logits = np.log(_prior(weighed, block))[block]
        for right, said in zip(accuracy, raters, strict=True):
            logits += said * np.log(right * (CHOICES - 1) / (1 - right))
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        shares /= shares.sum(axis=1, keepdims=True)
        shares[fixed] = outcome
    return Beliefs(shares, of, first, times, accuracy)


def _alike(columns: Sequence[NDArray[Any]]) -> tuple[Longs, Longs, Longs]:
    """Rows that are the same in every column of whole numbers from 0.

    Returns:
        The first of each kind, each row's kind, and how many there are of each.
    """
    key = np.zeros(len(columns[0]), np.int64)
    room = 1
    for column in columns:
        radix = int(column.max(initial=0)) + 1
        if room * radix >= 1 << 62:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
            room = int(key.max(initial=0)) + 1
        key = key * radix + column
        room *= radix
    _, first, of, times = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    return first.astype(np.int64), of.astype(np.int64), times.astype(np.int64)


def _one_each(word: Codes) -> Floats:
    table = np.zeros((len(word), CHOICES + 1))
    table[np.arange(len(word)), word] = 1
    return table[:, 1:]


def _accuracy(weighed: Floats, said: Floats, times: Longs) -> float:
    total = float(times @ said.sum(axis=1))
    right = float((weighed * said).sum() / total) if total else _FIRST
    return min(max(right, _LEAST), _MOST)


def _prior(weighed: Floats, block: Longs) -> Floats:
    """Shares of the outcomes for each two models, drawn towards those of all; (blocks, 4)."""
    blocks = int(block.max(initial=-1)) + 1
    sums = np.stack(
        [np.bincount(block, weighed[:, choice], blocks) for choice in range(CHOICES)], axis=1
    )
    everywhere = (sums.sum(axis=0) + 1) / (sums.sum() + CHOICES)
    counted = sums + _PRIOR_VOTES * everywhere
    return np.asarray(counted / counted.sum(axis=1, keepdims=True))


def majority(counts: Ints, share: float = 0.5) -> Codes:
    """The gold label that votes alone give, 0 where none has more than ``share`` of them."""
    total = counts.sum(axis=1)
    most = counts.argmax(axis=1)
    top = counts[np.arange(len(counts)), most]
    return np.where((total > 0) & (top > share * total), most + 1, 0).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Standing:
    """Ratings as the beliefs have them, and how far a point moves them.

    Attributes:
        ratings: log-odds, shape (models,).
        spread: pseudo-inverse of the curvature, shape (models, models).
    """

    ratings: Floats
    spread: Floats


def standing(shares: Floats, one: Ints, two: Ints, models: int) -> Standing:
    """Bradley–Terry ratings on expected points; both bad gives none.

    Args:
        shares: of the outcomes, by item, or added up over several; shape (rows, 4).
        one, two: the two models of each row.
    """
    cell = one.astype(np.int64) * models + two

    def points(won: int) -> Floats:
        each = shares[:, won - 1] + shares[:, TIE - 1] / 2
        summed = np.bincount(cell, each, models * models).astype(np.float64)
        return summed.reshape(models, models)

    table = points(MODEL_1) + points(MODEL_2).T
    table = table + _LINK / 2 * (1 - np.eye(models))
    theta = ratings(table)
    chance = 1 / (1 + np.exp(theta[None, :] - theta[:, None]))
    weights = (table + table.T) * chance * (1 - chance)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    flat = np.full_like(laplacian, 1 / models)
    return Standing(theta, np.asarray(np.linalg.inv(laplacian + flat) - flat))


def on_ranking(beliefs: Beliefs, one: Ints, two: Ints, models: int) -> Floats:
    """How far a ruling on each item is expected to move the ratings.

    Ratings rest on the points that the beliefs expect. A ruling k moves them by
    H⁺(e_a − e_b)(s_k − E s), the influence function of the Bradley–Terry estimate, with s_k the
    item's score: its points for model_1 less those that the ratings foretell, 0 for both bad.
    Items are independent given the ratings, so the squares add up: ruling on the items with the
    largest ones leaves the ratings with the least variance that so many rulings can leave them.

    Returns:
        Root mean square of that move over the models, expected under the beliefs, in log-odds;
        shape (items,).
    """
    if models < 2 or not len(one):
        return np.zeros(len(one))
    one, two = one[beliefs.first], two[beliefs.first]
    shares = beliefs.patterns
    stands = standing(shares * beliefs.times[:, None], one, two, models)
    chance = 1 / (1 + np.exp(stands.ratings[two] - stands.ratings[one]))
    score = np.stack([1 - chance, -chance, 0.5 - chance, np.zeros_like(chance)], axis=1)
    mean = (shares * score).sum(axis=1)
    variance = (shares * (score - mean[:, None]) ** 2).sum(axis=1)
    spread = stands.spread
    moved = ((spread[:, None, :] - spread[None, :, :]) ** 2).mean(axis=2)
    return np.asarray(np.sqrt(variance * moved[one, two])[beliefs.of])


def on_agreement(beliefs: Beliefs, gold: Codes, words: Sequence[Codes]) -> Floats:
    """Expected change of the judges' agreement with gold by a ruling on each item.

    Returns:
        In shares, added up over the judges; shape (items,).
    """
    change, shares = np.zeros(len(gold)), beliefs.shares
    for word in words:
        said = np.flatnonzero(word)
        if not len(said):
            continue
        likely = shares[said, word[said] - 1]
        decided = gold[said] > 0
        agrees = gold[said] == word[said]
        share = float(np.mean(agrees[decided])) if decided.any() else 0.5
        moved = np.where(agrees, 1 - likely, likely)
        fresh = likely * (1 - share) + (1 - likely) * share
        change[said] += np.where(decided, moved, fresh) / len(said)
    return change
