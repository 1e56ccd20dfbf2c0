"""How alike two rankings are, with an interval that carries the uncertainty of the rankings.

A ranking by votes is a Bradley–Terry fit with the pull of each question on each rating, so that
two rankings from the same questions are drawn together, and what they share cancels out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.stats.bradley_terry import Games, influences, ratings, reach
from core.stats.intervals import Interval
from core.stats.ranking import in_several_pairs, rated, why_unrated
from core.stats.tally import BOTH_BAD, TIE
from core.stats.view import View
from core.text import many

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

SPEARMAN, KENDALL = "Spearman ρ", "Kendall τ-b"
FEWEST_MODELS: Final = 4
"""Models below which a rank correlation says nothing: of three, any order at all gives one of
four values, and one in six orders agrees by chance."""

_FEWEST_FREE = 5
"""Questions beyond the free ratings below which no interval is told."""


@dataclass(frozen=True, slots=True)
class Scale:
    """One ranking of some models.

    Attributes:
        values: a rating by model name; higher is better.
        pulls: of each question on each rating, in the order of ``values``, so that the sum of
            their outer products is the ratings' covariance; shape (all questions, models). None
            where no question stands behind the values, or too few to show a spread.
        freedom: degrees of freedom of that covariance.
        errors: standard errors of values that no question stands behind; None if not known.
        reason: why there are no values, in words.
        unrated: models that were compared and have no value, and why, in words.
    """

    values: Mapping[str, float]
    pulls: Floats | None = None
    freedom: int = 0
    errors: Floats | None = None
    reason: str = ""
    unrated: Mapping[str, str] = field(default_factory=dict)

    def only(self, names: Sequence[str]) -> Scale:
        """The same of some models, in the order given."""
        place = [list(self.values).index(name) for name in names]
        return Scale(
            {name: self.values[name] for name in names},
            None if self.pulls is None else self.pulls[:, place],
            self.freedom,
            None if self.errors is None else self.errors[place],
        )


def scale_of_votes(view: View, counts: NDArray[Any], chosen: Bools | None = None) -> Scale:
    """The ranking that some choices per item give, both bad left out.

    Args:
        counts: choices, shape (items, 4).
        chosen: which items count, shape (items,); all if left out.
    """
    if chosen is not None:
        counts = np.where(chosen[:, None], counts, 0)
    whole = view.pair_sums(counts[:, : BOTH_BAD - 1].sum(axis=1)).astype(np.float64)
    points = view.pair_sums(2 * counts[:, 0] + counts[:, TIE - 1]) / 2
    seen = whole > 0
    if not seen.any():
        return Scale({}, reason="no comparison is left that prefers a model or is a tie")
    pairs = view.tally.pair_table[seen].astype(np.int64)
    present = np.unique(pairs[:, :2])
    games = Games(pairs[:, 0], pairs[:, 1], points[seen], whole[seen], len(view.tally.models))
    inside = games.among(present)
    group = rated(reach(inside.table()))
    members = None if group is None else in_several_pairs(inside, group)
    names = view.tally.models
    local = [names[model] for model in present.tolist()]
    unrated = {
        name: why_unrated(model, inside.table(), group, local)
        for model, name in enumerate(local)
        if members is None or model not in members
    }
    if members is None or not members.size:
        reason = "its models have no common scale"
        return Scale({}, reason=reason, unrated=unrated)
    kept = np.isin(inside.one, members) & np.isin(inside.two, members)
    among = inside.among(members)
    theta = ratings(among.table())
    values = {names[int(present[model])]: float(theta[n]) for n, model in enumerate(members)}
    question = pairs[kept, 3]
    questions = len(np.unique(question))
    freedom = questions - (len(members) - 1)
    if freedom < _FEWEST_FREE:
        return Scale(values, unrated=unrated)
    pulls = np.zeros((len(view.tally.questions), len(members)))
    np.add.at(pulls, question, influences(among, theta))
    return Scale(values, pulls * np.sqrt(questions / freedom), freedom, unrated=unrated)


def draws(scales: Sequence[Scale], replicates: int, rng: np.random.Generator) -> list[Floats]:
    """Ratings as they could have come out, all rankings drawn together.

    Args:
        scales: those without pulls are drawn by their errors, or stay as they are.

    Returns:
        Shape (replicates, models) for each.
    """
    joint = [scale.pulls for scale in scales if scale.pulls is not None]
    drawn = np.zeros((replicates, 0))
    if joint:
        stacked = np.concatenate(joint, axis=1)
        values, vectors = np.linalg.eigh(stacked.T @ stacked)
        normal = rng.standard_normal((replicates, len(values)))
        drawn = normal @ (vectors * np.sqrt(np.maximum(values, 0))).T
        freedom = min(scale.freedom for scale in scales if scale.pulls is not None)
        drawn *= np.sqrt(freedom / rng.chisquare(freedom, replicates))[:, None]
    found, start = [], 0
    for scale in scales:
        size = len(scale.values)
        point = np.array(list(scale.values.values()))
        if scale.pulls is not None:
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


def correlation(
    measure: str, one: Scale, two: Scale, level: float, replicates: int, rng: np.random.Generator
) -> Interval | str:
    """A rank correlation of two rankings over the models that both rate, or why there is none.

    Noise makes two orders less alike than they are, in the draws once more than in the point. So
    the interval reaches from the lower percentile of the draws to what the correlation would be
    if no two models were ordered otherwise than those that nearly all draws order otherwise.

    Args:
        one, two: on the same models in the same order, see :meth:`Scale.only`.
    """
    size = len(one.values)
    if size < FEWEST_MODELS:
        return (
            f"{many(size, 'model')} in both rankings; a rank correlation wants {FEWEST_MODELS}, "
            "because fewer agree by chance too easily"
        )
    points = [np.array(list(scale.values.values())) for scale in (one, two)]
    value = float(MEASURES[measure](*points))
    if np.isnan(value):
        return "one of the two gives all models the same value, which orders nobody"
    over = f"over {size} models"
    if one.pulls is None and two.pulls is None and one.errors is None and two.errors is None:
        return Interval(
            value, None, None, f"{over}; no interval, too few questions to show a spread"
        )
    first, second = draws((one, two), replicates, rng)
    drawn = MEASURES[measure](first, second)
    drawn = drawn[~np.isnan(drawn)]
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    best = _best_case(measure, points, (first, second), 0.5 + level / 2)
    ends = min(low, value), max(high, best, value)
    method = f"{over}; {replicates} draws of the ratings, clustered by question"
    return Interval(value, float(ends[0]), float(ends[1]), method)


def _best_case(
    measure: str, points: Sequence[Floats], drawn: tuple[Floats, Floats], sure: float
) -> float:
    """The correlation if only those couples of models differ in order of which that is sure.

    Each such couple costs τ twice its share of all couples; it costs ρ twelve times its distance
    in ranks over n (n² − 1), because half the sum of squared differences of ranks is the sum of
    these distances.

    Args:
        drawn: both rankings' ratings, shape (draws, models) each.
        sure: the share of draws that has to order a couple otherwise.
    """
    size = len(points[0])
    place = np.triu_indices(size, 1)
    signs = [np.sign(each[:, place[0]] - each[:, place[1]]) for each in drawn]
    otherwise = (signs[0] * signs[1] < 0).mean(axis=0) >= sure
    if measure == KENDALL:
        return 1 - 2 * float(otherwise.mean())
    apart = [np.abs(rank[place[0]] - rank[place[1]]) for rank in map(ranks, points)]
    cost = min(float((each * otherwise).sum()) for each in apart)
    return max(-1.0, 1 - 12 * cost / (size * (size**2 - 1)))
