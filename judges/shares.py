"""A soft preference: what a judge's own token probabilities say of the four outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from judges.readings import Labels
from judges.structured import label_shares

MOST_LEFT_OVER = 0.5
"""If more of the probability than this falls on no label, it says nothing about the labels."""


def outcome_shares(token_logprobs: Mapping[str, float] | None, labels: Labels) -> dict[str, float]:
    """The share of each outcome, as the judge saw it, in what falls on labels at all.

    Args:
        token_logprobs: natural log-probability of each token where the label begins.
        labels: each label and what it means.

    Returns:
        Shares that sum to 1, by outcome; empty if there are none, or more than
        :data:`MOST_LEFT_OVER` is :func:`left_over`.
    """
    if not token_logprobs or left_over(token_logprobs, labels) > MOST_LEFT_OVER:
        return {}
    shares: dict[str, float] = {}
    for label, share in label_shares(token_logprobs, list(labels)).items():
        outcome = labels[label].value
        shares[outcome] = shares.get(outcome, 0.0) + share
    return shares


def left_over(token_logprobs: Mapping[str, float], labels: Labels) -> float:
    """How much of the probability, 0 to 1, falls on no label or on tokens that are not listed."""
    on_labels = sum(
        math.exp(min(0.0, logprob))
        for token, logprob in token_logprobs.items()
        if label_shares({token: logprob}, list(labels))
    )
    return max(0.0, 1.0 - on_labels)
