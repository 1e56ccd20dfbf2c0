"""Who is best: Bradley–Terry ratings by people and by each judge, and the tiers they form."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.stats.bradley_terry import Fit, Floats, Games, Longs, fit, reach
from core.stats.collapsed import (
    MODELS,
    choices,
    collapsed_pairs,
    every_pair,
    raters_in,
    unless_changed,
)
from core.stats.intervals import student_quantile
from core.stats.question_sums import question_sums
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD, TIE
from core.stats.view import View
from core.text import many

Bools = NDArray[np.bool_]

_UNIT = "log-odds"


def games_of(view: View, rater: str, weights: Floats | None = None) -> Games:
    """One rater's points per pair of answers; a tie is half a point each, both bad is none.

    Args:
        weights: what the games on each pair weigh, by pair number; alike if left out.
    """
    if weights is None:
        (pairs, counts), times = collapsed_pairs(view, MODELS, choices(view, rater))
        weight = np.ones(len(times))
    else:
        pairs, counts, number = every_pair(view, MODELS, choices(view, rater))
        times, weight = np.ones(len(number), np.int64), weights[number]
    whole = counts[:, : BOTH_BAD - 1].sum(axis=1) * weight
    points = (2 * counts[:, 0] + counts[:, TIE - 1]) / 2 * weight
    seen = whole > 0
    columns = (points[seen], whole[seen], len(view.tally.models), times[seen])
    return Games(pairs[seen, 0], pairs[seen, 1], *columns)


def said_both_bad(view: View, rater: str) -> int:
    """How many of a rater's comparisons say both bad."""
    (_, counts), times = collapsed_pairs(view, MODELS, choices(view, rater))
    return int(times @ counts[:, BOTH_BAD - 1])


def rated(reached: Bools) -> Longs | None:
    """The models that can be rated against each other: the one group that took from itself.

    A model that only wins or only loses against the rest is left out, which is what the
    likelihood does with it in the limit. Where there are several groups of two or more, or
    models that never met, no common scale exists.
    """
    mutual = reached & reached.T
    groups = {tuple(np.flatnonzero(row).tolist()) for row in mutual}
    large = [group for group in groups if len(group) > 1]
    linked = reached | reached.T
    while len(linked) and not linked.all():
        further = (linked.astype(np.float64) @ linked.astype(np.float64)) > 0
        if np.array_equal(further, linked):
            return None
        linked = further
    return np.array(large[0], np.int64) if len(large) == 1 else None


def in_several_pairs(games: Games, members: Longs) -> Longs:
    """The members that meet in two pairs of answers or more, after those that do not are gone.

    A model that hangs on one pair is fitted perfectly by it, which says nothing about how far
    its games vary; leaving it out moves no other rating.
    """
    while True:
        inside = games.among(members)
        ends, times = np.concatenate([inside.one, inside.two]), np.tile(inside.weights, 2)
        pairs = np.bincount(ends, weights=times, minlength=len(members))
        if (pairs > 1).all():
            return members
        members = members[pairs > 1]


def why_unrated(model: int, table: Floats, members: Longs | None, names: Sequence[str]) -> str:
    """Why a model cannot be rated, in words.

    Args:
        members: the models on one scale, see :func:`rated`; None if there is no one scale.
    """
    if not table[model].any():
        return "it never took a point, so its rating has no lower end"
    if not table[:, model].any():
        return "it never lost a point, so its rating has no upper end"
    reached = reach(table)
    if members is not None:
        if model in members:
            return "too few pairs of answers link it to the others to show how far its games vary"
        above, below = reached[model, members].any(), reached[members, model].any()
        if not above and not below:
            return "no chain of points links it to the models that are rated"
        side = "never lost a point to" if above else "never took a point from"
        return f"it {side} the models that are rated, so the gap has no end"
    linked = reach(table + table.T)[model]
    if not linked.all():
        apart = names[int(np.flatnonzero(~linked)[0])]
        return f"it was never compared, directly or through others, with {apart}"
    cut = np.flatnonzero(~(reached[model] & reached[:, model]))
    other = names[int(cut[0])]
    direction = "never lost" if reached[model, cut[0]] else "never took"
    return (
        f"its group {direction} a point in games with the group of {other}, so the gap has no end"
    )


def tiers(low: Sequence[float], high: Sequence[float]) -> list[int]:
    """Tier by model, 1 the best: models whose intervals overlap share one.

    Sharing is passed on: if a overlaps b and b overlaps c, all three are one tier.
    """
    order = sorted(range(len(low)), key=lambda model: -high[model])
    placed = [0] * len(low)
    tier, floor = 0, float("inf")
    for model in order:
        if high[model] < floor:
            tier += 1
            floor = low[model]
        placed[model] = tier
        floor = min(floor, low[model])
    return placed


def _rows(
    view: View, rater: str, games: Games, plain: Games, weights: Floats | None
) -> list[Estimate]:
    """One rater's ratings.

    Args:
        plain: the games as they were counted, where ``games`` are weighed.
        weights: by which they are, by pair number.
    """
    table = plain.table()
    names = view.tally.models
    seen = np.flatnonzero((table + table.T).any(axis=1))
    inside = games.among(seen)
    small = plain.among(seen).table()
    local = [names[model] for model in seen]
    scale = rated(reach(small))
    members = None if scale is None else in_several_pairs(inside, scale)
    rows: list[Estimate] = []
    if members is not None and members.size:
        questions = question_sums(view, choices(view, rater), weights)
        found = fit(inside.among(members), questions, seen[members])
        rows = _rated_rows(view, rater, local, members, found, small)
    for model in range(len(local)):
        if members is not None and model in members:
            continue
        n = int((small + small.T)[model].sum())
        reason = why_unrated(model, small, scale, local)
        labels: dict[str, Label] = {"raters": rater, "model": local[model]}
        rows.append(Estimate(labels, None, n=n, unit=_UNIT, reason=reason))
    return rows


def _rated_rows(
    view: View,
    rater: str,
    names: Sequence[str],
    members: Longs,
    found: Fit,
    table: Floats,
) -> list[Estimate]:
    """The rated models, best first."""
    level = view.options.level
    met = (table + table.T)[members][:, members].sum(axis=1)
    best_first = np.argsort(-found.ratings, kind="stable")
    method = "Bradley–Terry by Newton"
    if found.errors is None:
        method += "; no interval, the pairs are too few or too much alike to show a spread"
        return [
            Estimate(
                {"raters": rater, "model": names[int(members[place])]},
                float(found.ratings[place]),
                n=int(met[place]),
                unit=_UNIT,
                method=method,
            )
            for place in best_first
        ]
    half = student_quantile(level, found.freedom) * found.errors
    low, high = found.ratings - half, found.ratings + half
    placed = tiers(low.tolist(), high.tolist())
    return [
        Estimate(
            {"raters": rater, "model": names[int(members[place])], "tier": placed[place]},
            float(found.ratings[place]),
            float(low[place]),
            float(high[place]),
            level,
            n=int(met[place]),
            unit=_UNIT,
            method=f"{method}; sandwich {found.clustered.value}",
        )
        for place in best_first
    ]


@statistic(
    "ranking",
    "Ranking",
    order=40,
    limits=(
        "Not a scale of quality: it says who is preferred on these questions by these raters. "
        "Overlapping intervals do not mean that two models are equal."
    ),
    follows=True,
)
def ranking(view: View) -> Result:
    """Bradley–Terry ratings with clustered intervals and tiers."""
    estimates: list[Estimate] = []
    notes = []
    for rater in raters_in(view):
        plain = games_of(view, rater)
        if not plain.total.size:
            notes.append(f"{rater}: every comparison says both bad, which ranks nobody")
            continue
        weights = view.design.weights if rater in view.populations else None
        if weights is None:
            _, times = collapsed_pairs(view, MODELS, choices(view, rater))
            made = partial(_rows, view, rater, plain, plain, None)
            rows = unless_changed(view, ("ranking", rater), times, made)
        else:
            rows = _rows(view, rater, games_of(view, rater, weights), plain, weights)
        estimates += rows
        missing = [str(row.labels["model"]) for row in rows if row.value is None]
        if missing and len(missing) < len(rows):
            notes.append(f"{rater}: rated without {', '.join(missing)}; the mean is over the rest")
        bad = said_both_bad(view, rater)
        if bad:
            notes.append(f"{rater}: {many(bad, 'comparison')} left out, both bad")
    if not estimates and not notes:
        notes.append(view.none_of("votes and no verdicts"))
    return Result(
        "ranking",
        "Ranking",
        "Ratings in log-odds: a model 1 above another takes 73% of the points between them.",
        ("raters", "tier", "model"),
        tuple(estimates),
        (*notes, *view.judge_notes()),
        view.assumptions(
            "a tie is half a win for each; both bad is left out",
            "ratings have mean 0 among the models that are rated; n counts games among these",
            "tiers: models whose intervals overlap share one, and pass it on",
            "turns are pooled; intervals are clustered by question: its pairs share answers",
            "a judge whose two orders differ says tie; its failures are left out",
            *view.panel_assumptions(),
        ),
    )
