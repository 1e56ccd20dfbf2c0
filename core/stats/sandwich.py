"""Cluster-robust variances of ratings: over pairs, over questions, and which of them to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

FEW_QUESTIONS = 10
"""On fewer of them a model's questions alone do not show how far its games vary."""


class Clustered(Enum):
    """What the clusters of a sandwich are, in words."""

    PAIR = "clustered by pair"
    QUESTION = "clustered by question"
    WIDER = f"clustered by question or by pair, whichever is wider: under {FEW_QUESTIONS} questions"


class Questions(Protocol):
    """The same games by the question that they are on, see :mod:`core.stats.question_sums`."""

    def questions(self, members: Longs) -> int:
        """How many questions compare two of these models."""
        ...

    def fewest(self, members: Longs) -> int:
        """Of the questions on which each of these models was compared, the smallest number."""
        ...

    def meat(self, members: Longs, slopes: Callable[[Longs, Longs], Floats]) -> Floats:
        """Σ s sᵀ over their scores."""
        ...


@dataclass(frozen=True, slots=True)
class Spread:
    """Variances by parameter, and what they rest on.

    Attributes:
        variance: shape (parameters,).
        freedom: of Student's t.
        clustered: over what the scores were summed.
    """

    variance: Floats
    freedom: int
    clustered: Clustered


def over_questions(
    questions: Questions,
    members: Longs,
    slopes: Callable[[Longs, Longs], Floats],
    bread: Floats,
    over_pairs: Spread,
) -> Spread:
    """The sandwich H⁺ M H⁺ with the scores summed by question (Liang & Zeger 1986).

    It is taken times G / (G − 1) for G questions. The pairs of a question share answers. A model on
    few questions is fitted so closely that their scores hide how far its games vary: then the
    larger of either variance is told. On one question there is only the sandwich over pairs.

    Args:
        members: the numbers that the fitted models have in ``questions``.
        slopes: see :meth:`Questions.meat`.
        bread: H⁺, shape (parameters, parameters).
    """
    count = questions.questions(members)
    if count < 2:
        return over_pairs
    shared = bread @ questions.meat(members, slopes) @ bread
    variance = np.diag(shared) * count / (count - 1)
    if questions.fewest(members) >= FEW_QUESTIONS:
        return Spread(variance, count - 1, Clustered.QUESTION)
    wider = np.maximum(variance, over_pairs.variance)
    return Spread(wider, min(count - 1, over_pairs.freedom), Clustered.WIDER)
