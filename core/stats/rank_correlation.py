"""How alike two rankings are, with an interval that carries the uncertainty of the rankings.

A ranking by votes is a Bradley–Terry fit with its covariance over questions, so that two rankings
from the same questions are drawn together, and what they share cancels out. Both follow from sums
over questions (:mod:`core.stats.question_sums`), whatever their number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.stats.bradley_terry import Games, expectation, ratings, reach
from core.stats.intervals import Interval
from core.stats.question_counts import Blocks
from core.stats.question_sums import QuestionSums, Slopes, between
from core.stats.ranking import in_several_pairs, rated, why_unrated
from core.stats.view import View
from core.text import many

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

SPEARMAN, KENDALL = "Spearman ρ", "Kendall τ-b"
FEWEST_MODELS: Final = 4
"""Models below which a rank correlation says nothing: of three, any order at all gives one of
four values, and one in six orders agrees by chance."""

_FEWEST_FREE = 5
"""Questions beyond the free ratings below which no interval is told."""


@dataclass(frozen=True, slots=True)
class Pulls:
    """A question's pull on the ratings: ``bread`` × the score that its counts make.

    The counts are twice the points of the lower model of each couple, and the comparisons.
    """

    slopes: Slopes
    bread: Floats


@dataclass(frozen=True, slots=True)
class Scale:
    """One ranking of some models.

    Attributes:
        values: a rating by model name; higher is better.
        spread: covariance of the ratings, in the order of ``values``. None where no question
            stands behind the values, or too few to show a spread.
        freedom: degrees of freedom of that covariance.
        errors: standard errors of values that no question stands behind; None if not known.
        reason: why there are no values, in words.
        unrated: models that were compared and have no value, and why, in words.
        pulls: how counts by question pull the ratings; given where ``spread`` is.
    """

    values: Mapping[str, float]
    spread: Floats | None = None
    freedom: int = 0
    errors: Floats | None = None
    reason: str = ""
    unrated: Mapping[str, str] = field(default_factory=dict)
    pulls: Pulls | None = None

    def only(self, names: Sequence[str]) -> Scale:
        """The same of some models, in the order given."""
        place = self.places(names)
        return Scale(
            {name: self.values[name] for name in names},
            None if self.spread is None else self.spread[np.ix_(place, place)],
            self.freedom,
            None if self.errors is None else self.errors[place],
        )

    def places(self, names: Sequence[str]) -> list[int]:
        """Where some models stand in ``values``."""
        return [list(self.values).index(name) for name in names]


def scale_of(view: View, said: QuestionSums) -> Scale:
    """The Bradley–Terry ranking of what was said, both bad left out.

    Args:
        said: with wins of either model and ties of each couple, or with twice the points of the
            lower model and comparisons.
    """
    one, two = said.models
    if not len(one):
        return Scale({}, reason="no comparison is left that prefers a model or is a tie")
    points, whole = _points(said.totals)
    present = np.unique(np.append(one, two))
    inside = Games(one, two, points, whole, len(view.tally.models)).among(present)
    table = inside.table()
    group = rated(reach(table))
    by_pair = Games(inside.one, inside.two, points, whole, len(present), said.pairs)
    members = None if group is None else in_several_pairs(by_pair, group)
    names = view.tally.models
    local = [names[model] for model in present.tolist()]
    unrated = {
        name: why_unrated(model, table, group, local)
        for model, name in enumerate(local)
        if members is None or model not in members
    }
    if members is None or not members.size:
        reason = "its models have no common scale"
        return Scale({}, reason=reason, unrated=unrated)
    theta = ratings(inside.among(members).table())
    values = {names[int(present[model])]: float(theta[n]) for n, model in enumerate(members)}
    questions = said.questions(present[members])
    freedom = questions - (len(members) - 1)
    if freedom < _FEWEST_FREE:
        return Scale(values, unrated=unrated)
    chance, bread = expectation(inside.among(members), theta)

    def slopes(lower: Longs, higher: Longs) -> Floats:
        expected = chance[lower, higher]
        return np.stack([np.full(len(lower), 0.5), -expected], axis=1)[:, :, None]

    def by_choice(lower: Longs, higher: Longs) -> Floats:
        expected = chance[lower, higher]
        return np.stack([1 - expected, -expected, 0.5 - expected], axis=1)[:, :, None]

    mine = said.slopes(present[members], slopes)
    own = mine if said.totals.shape[1] == 2 else said.slopes(present[members], by_choice)
    pulls = Pulls(mine, bread * np.sqrt(questions / freedom))
    spread = pulls.bread @ between(said.blocks, own, own) @ pulls.bread
    return Scale(values, spread, freedom, unrated=unrated, pulls=pulls)


def _points(totals: NDArray[Any]) -> tuple[Floats, Floats]:
    """Points of the lower models of couples, and comparisons."""
    if totals.shape[1] == 2:
        return totals[:, 0] / 2, totals[:, 1].astype(np.float64)
    return totals[:, 0] + totals[:, 2] / 2, totals.sum(axis=1).astype(np.float64)


def shared_spread(one: Scale, other: Scale, blocks: Blocks, names: Sequence[str]) -> Floats | None:
    """Covariance of two rankings from the same questions, of some models; None where one has none.

    Args:
        blocks: products of the counts behind the two, as :class:`Pulls` has them.
    """
    if one.pulls is None or other.pulls is None:
        return None
    meat = between(blocks, one.pulls.slopes, other.pulls.slopes)
    whole = one.pulls.bread @ meat @ other.pulls.bread
    return np.asarray(whole[np.ix_(one.places(names), other.places(names))])


def draws(
    scales: Sequence[Scale],
    replicates: int,
    rng: np.random.Generator,
    shared: Floats | None = None,
) -> list[Floats]:
    """Ratings as they could have come out, all rankings drawn together.

    Args:
        scales: one or two; those without spread are drawn by their errors, or stay as they are.
        shared: the covariance of two; none if left out.

    Returns:
        Shape (replicates, models) for each.
    """
    joint = [scale.spread for scale in scales if scale.spread is not None]
    drawn = np.zeros((replicates, 0))
    if joint:
        if len(joint) == 2:
            both = np.zeros((len(joint[0]), len(joint[1]))) if shared is None else shared
            covariance = np.block([[joint[0], both], [both.T, joint[1]]])
        else:
            (covariance,) = joint
        values, vectors = np.linalg.eigh(covariance)
        normal = rng.standard_normal((replicates, len(values)))
        drawn = normal @ (vectors * np.sqrt(np.maximum(values, 0))).T
        freedom = min(scale.freedom for scale in scales if scale.spread is not None)
        drawn *= np.sqrt(freedom / rng.chisquare(freedom, replicates))[:, None]
    found, start = [], 0
    for scale in scales:
        size = len(scale.values)
        point = np.array(list(scale.values.values()))
        if scale.spread is not None:
            found.append(point + drawn[:, start : start + size])
            start += size
        elif scale.errors is not None:
            found.append(point + scale.errors * rng.standard_normal((replicates, size)))
        else:
            found.append(np.tile(point, (replicates, 1)))
    return found


def ranks(values: Floats) -> Floats:
    """Mean ranks along the last axis, 1 the lowest."""
    below = (values[..., None] > values[..., None, :]).sum(axis=-1)
    equal = (values[..., None] == values[..., None, :]).sum(axis=-1)
    return np.asarray(below + (equal + 1) / 2)


def spearman(one: Floats, two: Floats) -> Floats:
    """Pearson's correlation of mean ranks along the last axis; nan where one has no order."""
    first, second = (each - each.mean(axis=-1, keepdims=True) for each in map(ranks, (one, two)))
    return _ratio((first * second).sum(-1), (first**2).sum(-1), (second**2).sum(-1))


def kendall(one: Floats, two: Floats) -> Floats:
    """τ-b along the last axis (Kendall 1945), which allows for ties; nan where all are tied."""
    place = np.triu_indices(one.shape[-1], 1)
    first, second = (np.sign(each[..., place[0]] - each[..., place[1]]) for each in (one, two))
    return _ratio((first * second).sum(-1), (first**2).sum(-1), (second**2).sum(-1))


def _ratio(shared: Floats, one: Floats, two: Floats) -> Floats:
    both = np.sqrt(one * two)
    return np.asarray(np.divide(shared, both, out=np.full(np.shape(both), np.nan), where=both > 0))


MEASURES: Mapping[str, Callable[[Floats, Floats], Floats]] = {SPEARMAN: spearman, KENDALL: kendall}


def correlations(
    one: Scale,
    two: Scale,
    level: float,
    replicates: int,
    rng: np.random.Generator,
    shared: Floats | None = None,
) -> dict[str, Interval | str]:
    """By measure how alike two rankings are over the models that both rate, or why none says it.

    Noise makes two orders less alike than they are, in the draws once more than in the point. So
    the interval reaches from the lower percentile of the draws to what the correlation would be
    if no two models were ordered otherwise than those that nearly all draws order otherwise.

    Args:
        one, two: on the same models in the same order, see :meth:`Scale.only`.
        shared: their covariance, see :func:`shared_spread`.
    """
    size = len(one.values)
    if size < FEWEST_MODELS:
        why = (
            f"{many(size, 'model')} in both rankings; a rank correlation wants {FEWEST_MODELS}, "
            "because fewer agree by chance too easily"
        )
        return dict.fromkeys(MEASURES, why)
    points = [np.array(list(scale.values.values())) for scale in (one, two)]
    values = {measure: float(of(*points)) for measure, of in MEASURES.items()}
    if any(np.isnan(value) for value in values.values()):
        why = "one of the two gives all models the same value, which orders nobody"
        return dict.fromkeys(MEASURES, why)
    over = f"over {size} models"
    if one.spread is None and two.spread is None and one.errors is None and two.errors is None:
        method = f"{over}; no interval, too few questions to show a spread"
        return {each: Interval(value, None, None, method) for each, value in values.items()}
    drawn = draws((one, two), replicates, rng, shared)
    method = f"{over}; {replicates} draws of the ratings, clustered by question"
    otherwise = _ordered_otherwise(drawn, 0.5 + level / 2)
    found: dict[str, Interval | str] = {}
    for measure, value in values.items():
        told = MEASURES[measure](*drawn)
        low, high = np.quantile(told[~np.isnan(told)], [0.5 - level / 2, 0.5 + level / 2])
        best = _best_case(measure, points, otherwise)
        ends = min(low, value), max(high, best, value)
        found[measure] = Interval(value, float(ends[0]), float(ends[1]), method)
    return found


def _ordered_otherwise(drawn: Sequence[Floats], sure: float) -> NDArray[np.bool_]:
    """The couples of models that the two rankings order otherwise, for all that draws say.

    Args:
        drawn: both rankings' ratings, shape (draws, models) each.
        sure: the share of draws that has to order a couple otherwise.
    """
    place = np.triu_indices(drawn[0].shape[1], 1)
    signs = [np.sign(each[:, place[0]] - each[:, place[1]]) for each in drawn]
    return np.asarray((signs[0] * signs[1] < 0).mean(axis=0) >= sure)


def _best_case(measure: str, points: Sequence[Floats], otherwise: NDArray[np.bool_]) -> float:
    """The correlation if only these couples of models differ in order.

    Each such couple costs τ twice its share of all couples; it costs ρ twelve times its distance
    in ranks over n (n² − 1), because half the sum of squared differences of ranks is the sum of
    these distances.
    """
    size = len(points[0])
    if measure == KENDALL:
        return 1 - 2 * float(otherwise.mean())
    place = np.triu_indices(size, 1)
    apart = [np.abs(rank[place[0]] - rank[place[1]]) for rank in map(ranks, points)]
    cost = min(float((each * otherwise).sum()) for each in apart)
    return max(-1.0, 1 - 12 * cost / (size * (size**2 - 1)))
