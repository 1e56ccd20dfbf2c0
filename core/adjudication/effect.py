"""What a ruling on each item would change: the expected effect on the ranking and on agreement.

Every quantity here is aligned with the items of a view. An outcome's code is 1–4 as everywhere;
0 is a gold label that is not decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats.bradley_terry import ratings
from core.stats.tally import CHOICES, MODEL_1, MODEL_2, TIE

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Codes = NDArray[np.int8]

_ROUNDS = 8
_PRIOR_VOTES = 8.0
"""Items that the outcomes of all pairs count among those of one pair of models."""

_LEAST, _MOST = 0.3, 0.97
"""A rater is believed to be right no less and no more often than this: few items prove nothing."""

_LINK = 0.1
"""Ties between any two models that keep the ratings finite and on one scale."""


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What the opinions so far make one expect of a ruling.

    Attributes:
        shares: how likely each outcome is, shape (items, 4); rows add up to 1.
        accuracy: how often people, and then each judge, name the likeliest outcome.
    """

    shares: Floats
    accuracy: Floats


def believe(
    counts: Ints, words: Sequence[Codes], block: NDArray[np.int64], ruled: Codes | None = None
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
    votes = counts.astype(np.float64)
    given = [_one_each(word) for word in words]
    shares = votes + sum(given, np.zeros_like(votes)) + 0.25
    shares /= shares.sum(axis=1, keepdims=True)
    fixed = np.flatnonzero(ruled) if ruled is not None else np.zeros(0, np.int64)
    settled = _one_each(ruled)[fixed] if ruled is not None else np.zeros((0, CHOICES))
    shares[fixed] = settled
    blocks = int(block.max(initial=-1)) + 1
    raters = [votes, *given]
    accuracy = np.full(len(raters), 0.7)
    for _ in range(_ROUNDS):
        accuracy = np.array([_accuracy(shares, said) for said in raters])
        logits = np.log(_prior(shares, block, blocks))[block]
        for right, said in zip(accuracy, raters, strict=True):
            logits += said * np.log(right * (CHOICES - 1) / (1 - right))
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        shares /= shares.sum(axis=1, keepdims=True)
        shares[fixed] = settled
    return Beliefs(shares, accuracy)


def _one_each(word: Codes) -> Floats:
    table = np.zeros((len(word), CHOICES + 1))
    table[np.arange(len(word)), word] = 1
    return table[:, 1:]


def _accuracy(shares: Floats, said: Floats) -> float:
    total = said.sum()
    right = float((shares * said).sum() / total) if total else 0.7
    return min(max(right, _LEAST), _MOST)


def _prior(shares: Floats, block: NDArray[np.int64], blocks: int) -> Floats:
    """Shares of the outcomes for each two models, drawn towards those of all; (blocks, 4)."""
    sums = np.stack(
        [np.bincount(block, shares[:, choice], blocks) for choice in range(CHOICES)], axis=1
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
        one, two: the two models of each item.
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
    stands = standing(beliefs.shares, one, two, models)
    chance = 1 / (1 + np.exp(stands.ratings[two] - stands.ratings[one]))
    score = np.stack([1 - chance, -chance, 0.5 - chance, np.zeros_like(chance)], axis=1)
    mean = (beliefs.shares * score).sum(axis=1)
    variance = (beliefs.shares * (score - mean[:, None]) ** 2).sum(axis=1)
    spread = stands.spread
    moved = ((spread[:, None, :] - spread[None, :, :]) ** 2).mean(axis=2)
    return np.asarray(np.sqrt(variance * moved[one, two]))


def on_agreement(beliefs: Beliefs, gold: Codes, words: Sequence[Codes]) -> Floats:
    """Expected change of the judges' agreement with gold by a ruling on each item.

    Returns:
        In shares, added up over the judges; shape (items,).
    """
    change = np.zeros(len(gold))
    for word in words:
        said = np.flatnonzero(word)
        if not len(said):
            continue
        likely = beliefs.shares[said, word[said] - 1]
        decided = gold[said] > 0
        agrees = gold[said] == word[said]
        share = float(np.mean(agrees[decided])) if decided.any() else 0.5
        moved = np.where(agrees, 1 - likely, likely)
        fresh = likely * (1 - share) + (1 - likely) * share
        change[said] += np.where(decided, moved, fresh) / len(said)
    return change
