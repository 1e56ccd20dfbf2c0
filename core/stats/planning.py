"""How many pairs a study needs before it begins: for a win rate, an agreement, a ranking.

One crowd stands behind all three: each pair of answers has its own leaning, votes on it are drawn
from that, and ties fall in at a rate of their own. So votes on one pair depend on each other, and
a second vote on a pair is worth less than a vote on a second pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.stats.intervals import normal_quantile
from core.text import many

Floats = NDArray[np.float64]

_NO_SPREAD = 1e-9

_MOST = 10_000_000
"""Pairs above which a plan is no plan."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who will vote, as far as one can tell before.

    Attributes:
        overlap: votes on each pair.
        ties: share of votes that prefer neither (ties, or ties and both bad), between equals.
        agreement: how often two people agree who both prefer a model, between equals; the
            human–human row of S2. ½ is a coin, 1 means that each pair has one right outcome.
    """

    overlap: int = 1
    ties: float = 0.25
    agreement: float = 0.8

    def __post_init__(self) -> None:
        if self.overlap < 1:
            raise UsageError(f"overlap is {self.overlap}, below 1")
        if not 0 <= self.ties < 1:
            raise UsageError(f"ties is {self.ties:g}; a share from 0, below 1, is needed")
        if not 0.5 <= self.agreement <= 1:
            raise UsageError(f"agreement is {self.agreement:g}, not between 0.5 and 1")

    def score_variance(self, points: float) -> float:
        """Variance of a pair's mean points (win 1, tie ½) where ``points`` is their mean.

        Between models that differ, ties are rarer, as 4 p (1 − p).
        """
        lead = points - 0.5
        decisive = 1 - self.ties * 4 * points * (1 - points)
        leaning = min(max(0.5 + lead / decisive, 0.0), 1.0)
        single = max(decisive / 4 - lead**2, 0.0)
        shared = decisive**2 * max((self.agreement - 1 + 2 * leaning) / 2 - leaning**2, 0.0)
        return single / self.overlap + min(shared, single) * (1 - 1 / self.overlap)

    def said(self) -> tuple[str, ...]:
        """The crowd in words."""
        return (
            f"{many(self.overlap, 'vote')} on each pair; {self.ties:.0%} of votes prefer "
            "neither where "
            "models are equal, fewer where they differ",
            f"two people who both prefer a model agree {self.agreement:.0%} of the time, so that "
            "votes on one pair depend on each other",
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a study needs.

    Attributes:
        goal: in words.
        pairs: pairs of answers to vote on.
        votes: all votes on them.
        questions: questions whose answers are all paired; None where that means nothing.
        power: the chance to reach the goal; None where the goal is a width.
        width: of the interval; None where the goal is a difference.
        assumptions: what the plan rests on.
    """

    goal: str
    pairs: int
    votes: int
    questions: int | None
    power: float | None
    width: float | None
    assumptions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; the keys are stable."""
        return {
            "goal": self.goal,
            "pairs": self.pairs,
            "votes": self.votes,
            "questions": self.questions,
            "power": self.power,
            "width": self.width,
            "assumptions": list(self.assumptions),
        }


def _pairs(number: float, least: int = 10) -> int:
    """Round up, to no fewer than a normal approximation can be trusted with.

    Raises:
        UsageError: if nobody could vote on so many.
    """
    if number > _MOST:
        raise UsageError(
            f"that needs more than {_MOST:,} pairs", "ask for a larger difference or width"
        )
    return max(least, math.ceil(number - 1e-9))


def _power(steps: float) -> float:
    return NormalDist().cdf(steps)


def _check_points(points: float) -> None:
    if not 0.5 < points < 1:
        raise UsageError(
            f"the win rate to find is {points:g}",
            "say a share between 0.5 (no difference) and 1, ties counted as half",
        )


def plan_win_rate(
    points: float, crowd: Crowd, power: float = 0.8, level: float = 0.95, pairs: int | None = None
) -> Plan:
    """Pairs to tell that one model takes ``points`` of another, and not half.

    n = (z_α/2 + z_β)² σ² / (points − ½)² + z²_α/2 / 2, with σ² of a pair's mean points; the last
    term is what estimating σ² costs (Guenther 1981).

    Args:
        pairs: say the power that so many give instead.
    """
    _check_points(points)
    variance, lead, z = crowd.score_variance(points), points - 0.5, normal_quantile(level)
    is_planned = False
    if pairs is None:
        wanted = (z + NormalDist().inv_cdf(power)) ** 2 * variance / lead**2 + z * z / 2
        pairs = _pairs(wanted)
        is_planned = pairs - wanted < 1  # fewer would do, were it not for the least number
    if not is_planned:
        effective = max(pairs - z * z / 2, 0.0)
        power = _power(lead * math.sqrt(effective / variance) - z) if variance > 0 else 1.0
    return Plan(
        f"tell that one of two models takes {points:.1%} of the points, and not half",
        pairs,
        pairs * crowd.overlap,
        None,
        power,
        None,
        (
            *crowd.said(),
            "pairs are drawn at random, one question gives one pair",
            f"a {level:.0%} interval clustered by pair, looked at once, at the end; stopping "
            "early wants the sequence of 'stats stopping', which takes more",
        ),
    )


def plan_agreement(
    crowd: Crowd, width: float | None, level: float = 0.95, pairs: int | None = None
) -> Plan:
    """Pairs until the interval of S2 agreement between people is as narrow as ``width``.

    Leanings are Beta(a, a) with a / (2a + 1) = 1 − agreement. The variance is that of the ratio
    Σ agreeing / Σ compared, linearised, over all ways the votes on a pair can fall.
    """
    return _by_width(
        f"S2 agreement between people of {crowd.agreement:.0%}",
        _agreement_variance(crowd),
        (crowd, width, level, pairs),
        (
            *crowd.said(),
            "agreement is pooled over all pairs of votes within an item, as in 'stats agreement'",
        ),
    )


def plan_kappa(
    kappa: float, crowd: Crowd, width: float | None, level: float = 0.95, pairs: int | None = None
) -> Plan:
    """Pairs shared by two annotators until the interval of their κ is as narrow as ``width``.

    The variance is that of Fleiss, Cohen & Everitt (1969), with κ of the votes equal by
    consent and the others by chance, in classes (1 − ties)/2, (1 − ties)/2 and ties.
    """
    if not 0 <= kappa < 1:
        raise UsageError(f"κ is {kappa:g}; a number from 0, below 1, is needed")
    return _by_width(
        f"Cohen's κ of {kappa:g} between two annotators",
        _kappa_variance(kappa, crowd.ties),
        (crowd, width, level, pairs),
        (
            f"{many(crowd.overlap, 'vote')} on each pair; each two annotators share all "
            "these pairs",
            f"κ is expected at {kappa:g}, with {crowd.ties:.0%} ties and as many votes for either "
            "model",
        ),
    )


def _by_width(
    goal: str,
    variance: float,
    wanted: tuple[Crowd, float | None, float, int | None],
    assumptions: tuple[str, ...],
) -> Plan:
    crowd, width, level, pairs = wanted
    if crowd.overlap < 2:
        raise UsageError(
            "agreement between people takes two votes on a pair", "say --overlap 2 or more"
        )
    if variance <= 0:
        raise UsageError(
            "where people always agree, nothing varies that a plan could go by",
            "say an agreement below 1",
        )
    double = 2 * normal_quantile(level)
    if pairs is None:
        if width is None or not 0 < width < 2:
            raise UsageError("a width between 0 and 2 is needed", "for example --width 0.1")
        pairs = _pairs((double / width) ** 2 * variance)
    width = double * math.sqrt(variance / pairs)
    return Plan(
        f"{goal}, {level:.0%} interval {width:.3f} wide from end to end",
        pairs,
        pairs * crowd.overlap,
        None,
        None,
        width,
        (*assumptions, "normal approximation, intervals clustered by pair"),
    )


def _agreement_variance(crowd: Crowd) -> float:
    """Variance that one pair adds to pooled S2 agreement."""
    overlap, agreement = crowd.overlap, crowd.agreement
    compared = agreeing = squares = 0.0
    fallen = []
    for decisive in range(2, overlap + 1):
        share = float(math.comb(overlap, decisive))
        share *= (1 - crowd.ties) ** decisive * crowd.ties ** (overlap - decisive)
        couples = math.comb(decisive, 2)
        for first, chance in enumerate(_leanings(decisive, agreement)):
            same = math.comb(first, 2) + math.comb(decisive - first, 2)
            fallen.append((share * chance, same, couples))
            compared += share * chance * couples
            agreeing += share * chance * same
    if not compared:
        return 0.0
    mean = agreeing / compared
    for chance, same, couples in fallen:
        squares += chance * (same - mean * couples) ** 2
    return squares / compared**2


def _leanings(votes: int, agreement: float) -> list[float]:
    """P(k of the votes go to the first model), k = 0 … votes, over Beta(a, a) leanings."""
    if agreement >= 1:
        return [0.5, *([0.0] * (votes - 1)), 0.5]
    if agreement <= 0.5:
        return [math.comb(votes, k) / 2**votes for k in range(votes + 1)]
    a = (1 - agreement) / (2 * agreement - 1)
    logs = [
        math.lgamma(k + a)
        + math.lgamma(votes - k + a)
        - math.lgamma(votes + 2 * a)
        + math.lgamma(2 * a)
        - 2 * math.lgamma(a)
        for k in range(votes + 1)
    ]
    return [math.comb(votes, k) * math.exp(each) for k, each in enumerate(logs)]


def _kappa_variance(kappa: float, ties: float) -> float:
    margin = np.array([(1 - ties) / 2, (1 - ties) / 2, ties])
    joint = kappa * np.diag(margin) + (1 - kappa) * np.outer(margin, margin)
    expected = float(margin @ margin)
    observed = float(np.trace(joint))
    pull = margin[None, :] + margin[:, None]
    influence = (np.eye(3) * (1 - expected) - (1 - observed) * pull) / (1 - expected) ** 2
    mean = float((joint * influence).sum())
    return float((joint * (influence - mean) ** 2).sum())


def plan_ranking(
    models: int,
    points: float,
    crowd: Crowd,
    power: float = 0.8,
    level: float = 0.95,
    questions: int | None = None,
) -> Plan:
    """Questions until neighbours in a ranking fall into different tiers.

    The models form a ladder on which each takes ``points`` of the next; all pairs of each
    question are voted on. The errors are those of the clustered sandwich of Bradley–Terry with
    a tie as half a point, at these ratings; the two closest neighbours decide. Tiers part when
    their intervals no longer overlap.

    Args:
        questions: say the power that so many give instead.
    """
    _check_points(points)
    if models < 2:
        raise UsageError(f"{many(models, 'model')} cannot be ranked", "say --models 2 or more")
    gap = math.log(points / (1 - points))
    single, between = _ladder_errors(models, gap, crowd)
    z = normal_quantile(level)
    overlap = single[:-1] + single[1:]
    is_planned = False
    if questions is None:
        steps = z * overlap + NormalDist().inv_cdf(power) * between
        wanted = float((steps.max() / gap) ** 2)
        questions = _pairs(wanted, least=5)
        is_planned = questions - wanted < 1
    if not is_planned:
        lead = gap * math.sqrt(questions) - z * overlap
        power = min(map(_power, lead / np.maximum(between, _NO_SPREAD)))
    pairs = _pairs(questions * models * (models - 1) / 2)
    return Plan(
        f"part neighbours of {models} models, each taking {points:.1%} of the next one's points, "
        "into tiers",
        pairs,
        pairs * crowd.overlap,
        questions,
        power,
        None,
        (
            *crowd.said(),
            "every question has answers of all models, and all pairs of them are voted on",
            "power is that of the two neighbours that are hardest to part; all of them at once "
            "are rarer",
            f"tiers are those of 'stats ranking', with {level:.0%} intervals clustered by pair",
        ),
    )


def _ladder_errors(models: int, gap: float, crowd: Crowd) -> tuple[Floats, Floats]:
    """Errors from one question: of each rating, and of each two neighbours' difference."""
    steps = np.arange(models)
    gaps = np.clip(gap * (steps[:, None] - steps[None, :]), -500, 500)
    won = 1 / (1 + np.exp(gaps))
    curved = won * (1 - won)
    spread = np.array([[crowd.score_variance(float(each)) for each in row] for row in won])
    np.fill_diagonal(curved, 0)
    np.fill_diagonal(spread, 0)
    flat = np.full((models, models), 1 / models)
    bread = np.linalg.inv(np.diag(curved.sum(axis=1)) - curved + flat) - flat
    covariance = bread @ (np.diag(spread.sum(axis=1)) - spread) @ bread
    variance = np.diag(covariance)
    between = variance[:-1] + variance[1:] - 2 * np.diag(covariance, 1)
    return np.sqrt(variance), np.sqrt(np.maximum(between, 0))
