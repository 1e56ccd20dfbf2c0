"""Who is best where ties count as ties, and both bad apart: Davidson's ratings and their fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.stats.both_bad import Bad, BadFit, fit_bad, sums_of_bad
from core.stats.bradley_terry import Games, reach
from core.stats.collapsed import (
    MODELS,
    choices,
    collapsed_pairs,
    derived,
    raters_in,
    unless_changed,
)
from core.stats.davidson import DavidsonFit, Matches, chances, davidson, has_maximum
from core.stats.intervals import (
    clustered_wilson,
    effective_sizes,
    normal_quantile,
    student_quantile,
)
from core.stats.question_sums import question_sums
from core.stats.ranking import in_several_pairs, rated, tiers, why_unrated
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.sandwich import Clustered
from core.stats.tally import BOTH_BAD, TIE
from core.stats.view import View

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

_SHOWN = 15
"""Matches listed per rater where predicted and observed are compared; the worst come first."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One rater's matches and what was fitted to them.

    Attributes:
        matches: without both bad, all models.
        table: points of row against column, as Bradley–Terry counts them, all models.
        scale: the models on one scale, None if there is none.
        members: those of them that can be rated.
        fit: of the members.
    """

    matches: Matches
    table: Floats
    scale: Longs | None
    members: Longs | None
    fit: DavidsonFit | None


def _matches(view: View, rater: str) -> Matches:
    (pairs, counts), times = collapsed_pairs(view, MODELS, choices(view, rater))
    seen = counts[:, : BOTH_BAD - 1].any(axis=1)
    wins, ties = counts[seen, :2].astype(np.float64), counts[seen, TIE - 1].astype(np.float64)
    models = len(view.tally.models)
    return Matches(pairs[seen, 0], pairs[seen, 1], wins, ties, models, times[seen])


def _field(view: View, rater: str) -> _Field:
    _, times = collapsed_pairs(view, MODELS, choices(view, rater))
    made = partial(_fitted, view, rater)
    return unless_changed(view, ("davidson", rater), times, made)


def _fitted(view: View, rater: str) -> _Field:
    matches = _matches(view, rater)
    points = matches.wins[:, 0] + matches.ties / 2
    games = Games(matches.one, matches.two, points, matches.total, matches.models, matches.times)
    table = games.table()
    seen = np.flatnonzero((table + table.T).any(axis=1))
    small = table[np.ix_(seen, seen)]
    scale = rated(reach(small)) if seen.size else None
    if scale is None or not matches.wins.any():
        return _Field(matches, table, None, None, None)
    members = in_several_pairs(games, seen[scale])
    inside = matches.among(members)
    if not members.size or not has_maximum(inside):
        return _Field(matches, table, seen[scale], members, None)
    questions = question_sums(view, choices(view, rater))
    found = davidson(inside, questions, members)
    return _Field(matches, table, seen[scale], members, found)


def _ratings(view: View, rater: str, field: _Field) -> list[Estimate]:
    models = view.tally.models
    rows: list[Estimate] = []
    if field.fit is not None and field.members is not None:
        rows = _rated_rows(view, rater, field.members, field.fit, field.table)
    placed = {row.labels["model"] for row in rows}
    together = set() if field.members is None else set(field.members.tolist())
    met = (field.table + field.table.T).sum(axis=1)
    seen = np.flatnonzero(met)
    small = field.table[np.ix_(seen, seen)]
    scale = None if field.scale is None else np.searchsorted(seen, np.sort(field.scale))
    for place, model in enumerate(seen.tolist()):
        if models[model] in placed:
            continue
        reason = "every comparison is a tie, which ranks nobody"
        if field.matches.wins.any() and model in together:
            reason = "nobody ever won back: wins run one way, so that gaps and ties have no end"
        elif field.matches.wins.any():
            reason = why_unrated(place, small, scale, [models[each] for each in seen])
        labels: dict[str, Label] = {"raters": rater, "model": models[model], "measure": "rating"}
        rows.append(Estimate(labels, None, n=int(met[model]), unit="log-odds", reason=reason))
    return rows


def _rated_rows(
    view: View, rater: str, members: Longs, found: DavidsonFit, table: Floats
) -> list[Estimate]:
    """The rated models, best first."""
    models, level = view.tally.models, view.options.level
    met = (table + table.T)[np.ix_(members, members)].sum(axis=1)
    half: Sequence[float] | Floats = [0.0] * len(members)
    placed = [0] * len(members)
    if found.errors is not None:
        half = student_quantile(level, found.freedom) * found.errors
        low, high = found.ratings - half, found.ratings + half
        placed = tiers(low.tolist(), high.tolist())
    rows = []
    for place in np.argsort(-found.ratings, kind="stable"):
        labels: dict[str, Label] = {
            "raters": rater,
            "tier": placed[place] or "",
            "model": models[int(members[place])],
            "measure": "rating",
        }
        value, n = float(found.ratings[place]), int(met[place])
        if found.errors is None:
            method = "Davidson by Newton; no interval, the pairs are too few or too much alike"
            rows.append(Estimate(labels, value, n=n, unit="log-odds", method=method))
            continue
        ends = value - float(half[place]), value + float(half[place])
        method = f"Davidson by Newton; sandwich {found.clustered.value}"
        rows.append(Estimate(labels, value, *ends, level, n=n, unit="log-odds", method=method))
    return rows


def _tie_row(view: View, rater: str, found: DavidsonFit, matches: Matches) -> Estimate:
    """How often two equal models tie: ν / (2 + ν)."""
    labels: dict[str, Label] = {"raters": rater, "measure": "ties"}
    n, k = (int(matches.weights @ each) for each in (matches.total, matches.ties))
    if not k:
        return Estimate(labels, None, n=n, k=k, reason="nothing is a tie, so ν has no lower end")

    def share(log_nu: float) -> float:
        return float(1 / (1 + 2 * np.exp(-log_nu)))

    value = share(found.log_nu)
    if found.log_nu_error is None:
        method = "Davidson; no interval, the pairs are too few or too much alike"
        return Estimate(labels, value, n=n, k=k, method=method)
    half = student_quantile(view.options.level, found.freedom) * found.log_nu_error
    ends = share(found.log_nu - half), share(found.log_nu + half)
    method = f"ν / (2 + ν), ν = {np.exp(found.log_nu):.3g}; sandwich {found.clustered.value}"
    return Estimate(labels, value, *ends, view.options.level, n=n, k=k, method=method)


def _bad_rows(view: View, rater: str) -> list[Estimate]:
    """How often a model would get both bad against its like: 1 / (1 + e^(−2β))."""
    (pairs, counts), times = collapsed_pairs(view, MODELS, choices(view, rater))
    bad, total = counts[:, BOTH_BAD - 1].astype(np.float64), counts.sum(axis=1).astype(np.float64)
    if not bad.any():
        return []
    seen = total > 0
    models = view.tally.models
    columns = (bad[seen], total[seen], len(models), times[seen])
    games = Bad(pairs[seen, 0], pairs[seen, 1], *columns)
    had, met = games.of_models(games.bad), games.of_models(games.total)
    sums = derived(choices(view, rater), "sums of bad", 3, sums_of_bad)
    found = fit_bad(games, question_sums(view, sums, is_against=False))
    rows = []
    place = {int(model): number for number, model in enumerate(found.members)}
    for model in sorted(np.flatnonzero(met).tolist(), key=lambda each: (-had[each], models[each])):
        labels: dict[str, Label] = {"raters": rater, "model": models[model], "measure": "both bad"}
        n, k = int(met[model]), int(had[model])
        if model in place:
            ends = _ends(view, found, place[model])
            rows.append(_bad_row(view, labels, n, k, *ends, found.clustered))
            continue
        reason = found.reason or "among the models that have a part in it, it has none or all"
        if k in (0, n):
            reason = "no comparison of it says both bad" if k == 0 else "all of its say both bad"
        rows.append(Estimate(labels, None, n=n, k=k, reason=reason))
    return rows


def _ends(view: View, found: BadFit, place: int) -> tuple[float, float | None]:
    """A model's part, and half of its interval."""
    if found.errors is None:
        return float(found.parts[place]), None
    quantile = student_quantile(view.options.level, found.freedom)
    return float(found.parts[place]), float(quantile * found.errors[place])


def _bad_row(
    view: View,
    labels: dict[str, Label],
    n: int,
    k: int,
    part: float,
    half: float | None,
    clustered: Clustered,
) -> Estimate:
    def share(part: float) -> float:
        return float(1 / (1 + np.exp(-2 * part)))

    if half is None:
        method = "logit of both bad; no interval, the pairs are too few"
        return Estimate(labels, share(part), n=n, k=k, method=method)
    method = f"logit of both bad, against its like; sandwich {clustered.value}"
    ends = share(part - half), share(part + half)
    return Estimate(labels, share(part), *ends, view.options.level, n=n, k=k, method=method)


@statistic(
    "ranking_ties",
    "Ranking with ties as ties (Davidson)",
    order=42,
    limits=(
        "Not a better ranking by itself: one tie parameter for all match-ups is an assumption."
    ),
    follows=True,
)
def ranking_ties(view: View) -> Result:
    """Davidson ratings with tiers, how often equals tie, and each model's part in both bad."""
    estimates: list[Estimate] = []
    notes = []
    for rater in raters_in(view):
        field = _field(view, rater)
        if not field.matches.total.size:
            notes.append(f"{rater}: every comparison says both bad, which ranks nobody")
            continue
        estimates += _ratings(view, rater, field)
        if field.fit is not None and field.members is not None:
            inside = field.matches.among(field.members)
            estimates.append(_tie_row(view, rater, field.fit, inside))
        _, times = collapsed_pairs(view, MODELS, choices(view, rater))
        made = partial(_bad_rows, view, rater)
        estimates += unless_changed(view, ("both bad", rater), times, made)
    if not estimates and not notes:
        notes.append(view.none_of("votes and no verdicts"))
    return Result(
        "ranking_ties",
        "Ranking with ties as ties (Davidson)",
        "Ratings in log-odds of a win where nobody ties; and how often ties and both bad come.",
        ("raters", "tier", "model", "measure"),
        tuple(estimates),
        (*notes, *view.judge_notes()),
        view.assumptions(
            "ties: how often two equal models tie, by one ν for all of them",
            "both bad has a logit of its own and moves no rating; its share is that of a model "
            "against one like itself",
            "ratings have mean 0 among the models that are rated; n counts comparisons",
            "tiers: models whose intervals overlap share one, and pass it on",
            "turns are pooled; intervals are clustered by question",
            "a judge whose two orders differ says tie; its failures are left out",
        ),
    )


@statistic(
    "ranking_fit",
    "Predicted and observed win rates",
    order=43,
    limits=(
        "Not a test with new votes: the prediction has seen these games and looks a little "
        "better than it is."
    ),
    follows=True,
)
def ranking_fit(view: View) -> Result:
    """What Davidson's ratings say of each two models, beside what was voted."""
    estimates: list[Estimate] = []
    notes = []
    for rater in raters_in(view):
        field = _field(view, rater)
        if field.fit is None or field.members is None:
            notes.append(f"{rater}: nobody is rated, so nothing is predicted (see ranking_ties)")
            continue
        _, times = collapsed_pairs(view, MODELS, choices(view, rater))
        made = partial(_fit_rows, view, rater, field.members, field.fit, field.matches)
        rows, missed, count = unless_changed(view, ("ranking_fit", rater), times, made)
        estimates += rows
        notes.append(
            f"{rater}: of {count} predictions, {missed} lie outside the interval of what was "
            f"observed; about {(1 - view.options.level) * count:.1f} would by chance"
        )
        if count > _SHOWN:
            notes.append(f"{rater}: the {_SHOWN} that fit worst are listed")
    if not notes:
        notes.append(view.none_of("votes and no verdicts"))
    return Result(
        "ranking_fit",
        "Predicted and observed win rates",
        "How often model_1 wins against model_2, beside what the ratings predict; worst fit first.",
        ("raters", "model_1", "model_2", "predicted"),
        tuple(estimates),
        tuple(notes),
        view.assumptions(
            "predicted by ranking_ties from all games, those of these two models included",
            "both bad is left out; a tie is a comparison that nobody wins",
            "turns are pooled; intervals are clustered by pair",
        ),
    )


def _fit_rows(
    view: View, rater: str, members: Longs, found: DavidsonFit, matches: Matches
) -> tuple[list[Estimate], int, int]:
    """The rows that fit worst; how many intervals miss their prediction, and of how many.

    A prediction lies outside Wilson's interval if and only if the score test rejects it, so that
    only the rows that are shown need their ends.
    """
    inside, level = matches.among(members), view.options.level
    key, group = np.unique(inside.one * inside.models + inside.two, return_inverse=True)
    one, two = key // inside.models, key % inside.models
    predicted = chances(found.ratings[one] - found.ratings[two], found.log_nu)[0]
    wins, whole, times = inside.wins[:, 0], inside.total, inside.weights
    share, size = effective_sizes(wins, whole, group, level, times)
    room = np.sqrt(np.maximum(predicted * (1 - predicted), 1e-12) / size)
    gap = np.abs(predicted - share) / (normal_quantile(level) * room)
    models = view.tally.models
    rows = []
    for place in np.argsort(-gap, kind="stable")[:_SHOWN].tolist():
        mine = group == place
        part, all_of = wins[mine].astype(np.int64), whole[mine].astype(np.int64)
        interval = clustered_wilson(part, all_of, level, "comparisons", "pairs", times[mine])
        assert interval is not None
        labels: dict[str, Label] = {
            "raters": rater,
            "model_1": models[int(members[one[place]])],
            "model_2": models[int(members[two[place]])],
            "predicted": f"{predicted[place]:.3f}",
        }
        row = Estimate(
            labels,
            interval.value,
            interval.low,
            interval.high,
            level,
            n=int(times[mine] @ all_of),
            k=int(times[mine] @ part),
            method=interval.method,
        )
        rows.append(row)
    return rows, int((gap > 1).sum()), len(key)
