"""Rankings side by side: people, each judge, each panel, and imported benchmark scores.

The hybrid evaluation that Zheng et al. (2023, section 5) conclude with: what people prefer beside
what automatic benchmarks measure, because neither says all.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np
from numpy.typing import NDArray

from core.stats.collapsed import MODELS, choices, collapsed_pairs, raters_in, unless_changed
from core.stats.intervals import Interval, normal_quantile
from core.stats.question_sums import products_of_two, question_sums
from core.stats.rank_correlation import (
    MEASURES,
    Scale,
    correlations,
    draws,
    scale_of,
    shared_spread,
)
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.view import View
from core.text import many

Floats = NDArray[np.float64]

RANK = "rank"
_BENCHMARK_LEVEL = 0.95
"""Nominal coverage of the intervals that benchmarks come with."""


Places = list[tuple[str, float, tuple[int, int] | None]]


def scales(view: View) -> dict[str, tuple[Scale, Places]]:
    """Every ranking by name with its ranks: people, then judges, panels and benchmarks."""
    found = {view.people: _ranked(view, view.people)}
    for name in raters_in(view):
        if name not in view.populations:
            found[name] = _ranked(view, name)
    for name, scale in _benchmarks(view).items():
        apart = _apart(f"{name} (benchmark)", found)
        found[apart] = scale, places(view, apart, scale)
    return found


def _ranked(view: View, name: str) -> tuple[Scale, Places]:
    """The ranking by people, a judge or a panel, made again once what they said changes."""
    said = choices(view, name)
    _, times = collapsed_pairs(view, MODELS, said)

    def make() -> tuple[Scale, Places]:
        scale = scale_of(view, question_sums(view, said))
        return scale, places(view, name, scale)

    return unless_changed(view, ("ranked", name), times, make)


def _apart(name: str, taken: Container[str]) -> str:
    """A name that nobody has."""
    while name in taken:
        name += " (scores)"
    return name


def _benchmarks(view: View) -> dict[str, Scale]:
    found = {}
    for name in dict.fromkeys(each.benchmark for each in view.tally.scores):
        mine = [each for each in view.tally.scores if each.benchmark == name]
        wide = 2 * normal_quantile(_BENCHMARK_LEVEL)
        errors = [
            0.0 if each.low is None or each.high is None else (each.high - each.low) / wide
            for each in mine
        ]
        values = {each.model: each.score for each in mine}
        found[name] = Scale(values, errors=np.array(errors) if any(errors) else None)
    return found


def _correlations(view: View, name: str, people: Scale, other: Scale) -> list[Estimate]:
    shared = [model for model in people.values if model in other.values]
    together = None
    if other.pulls is not None:
        blocks = products_of_two(view, choices(view, view.people), choices(view, name))
        together = shared_spread(people, other, blocks, shared)
    why = (people.reason and f"people rank nobody: {people.reason}") or other.reason
    told: Mapping[str, Interval | str] = dict.fromkeys(MEASURES, why)
    if not why:
        told = correlations(
            people.only(shared),
            other.only(shared),
            view.options.level,
            view.options.replicates,
            view.rng("hybrid", name),
            together,
        )
    rows = []
    for measure, found in told.items():
        labels: dict[str, Label] = {"ranking": name, "measure": measure}
        n = len(shared)
        if isinstance(found, str):
            rows.append(Estimate(labels, None, n=n, unit="coefficient", reason=found))
            continue
        level = None if found.low is None else view.options.level
        rows.append(
            Estimate(
                labels,
                found.value,
                found.low,
                found.high,
                level,
                n=n,
                unit="coefficient",
                method=found.method,
            )
        )
    return rows


def places(view: View, name: str, scale: Scale) -> Places:
    """Each model's rank, 1 the best, and the ranks that its interval allows; best first.

    A model may stand as high as one more than the models that are clearly above it. Clearly is
    by the largest studentised difference from it, so that the interval holds its rank among all
    models at the level (Mogstad, Romano, Shaikh & Wilhelm 2024).
    """
    point = np.array(list(scale.values.values()))
    rank = (point[None, :] > point[:, None]).sum(axis=1) + 1
    models = list(scale.values)
    order = sorted(range(len(models)), key=lambda each: (rank[each], models[each]))
    if len(models) < 2 or (scale.spread is None and scale.errors is None):
        return [(models[each], float(rank[each]), None) for each in order]
    (drawn,) = draws([scale], view.options.replicates, view.rng("ranks", name))
    found: Places = []
    for each in order:
        gap = np.delete(point - point[each], each)
        noise = np.delete(drawn - drawn[:, each : each + 1], each, axis=1) - gap
        error = np.sqrt((noise**2).mean(axis=0))
        sure = error > 0
        largest = np.abs(noise[:, sure] / error[sure]).max(axis=1, initial=0.0)
        far = float(np.quantile(largest, view.options.level)) * error
        above, below = int((gap > far).sum()), int((gap < -far).sum())
        found.append((models[each], float(rank[each]), (1 + above, len(models) - below)))
    return found


def _ranks(
    view: View, name: str, people: Mapping[str, float], scale: Scale, ranked: Places
) -> list[Estimate]:
    rows = []
    for model, rank, ends in ranked:
        labels: dict[str, Label] = {"ranking": name, "measure": RANK, "model": model}
        if name != view.people:
            labels["by people"] = f"{people[model]:g}" if model in people else "—"
        if ends is None:
            method = "no interval: the benchmark gives none, or the questions are too few"
            rows.append(Estimate(labels, rank, n=len(scale.values), unit="count", method=method))
            continue
        method = "ranks among all models that the intervals of the differences allow"
        rows.append(
            Estimate(
                labels,
                rank,
                float(ends[0]),
                float(ends[1]),
                view.options.level,
                n=len(scale.values),
                unit="count",
                method=method,
            )
        )
    for model, reason in scale.unrated.items():
        labels = {"ranking": name, "measure": RANK, "model": model}
        rows.append(Estimate(labels, None, unit="count", reason=reason))
    return rows


@statistic(
    "hybrid",
    "Rankings side by side",
    order=44,
    limits=(
        "A correlation over a handful of models says little, and an automatic benchmark that "
        "ranks models alike may still measure something else. Its direction is taken as "
        "higher is better."
    ),
    follows=True,
)
def hybrid(view: View) -> Result:
    """People's ranking beside those of judges, panels and benchmarks, and how alike they are."""
    every = scales(view)
    people, ranked = every[view.people]
    rank = {model: value for model, value, _ in ranked}
    correlations: list[Estimate] = []
    rows: list[Estimate] = []
    notes = []
    for name, (scale, ranked) in every.items():
        if name != view.people:
            correlations += _correlations(view, name, people, scale)
        if scale.reason:
            notes.append(f"{name}: ranks nobody; {scale.reason}")
        rows += _ranks(view, name, rank, scale, ranked)
        strange = [model for model in scale.values if model not in rank]
        if rank and strange:
            notes.append(
                f"{name}: ranks {many(len(strange), 'model')} that people do not: "
                f"{', '.join(strange[:5])}{' …' if len(strange) > 5 else ''}"
            )
    if len(every) == 1:
        notes.append(
            "nothing stands beside people's ranking yet: judge, or import a table of benchmark "
            "scores (tiebreak import)"
        )
    return Result(
        "hybrid",
        "Rankings side by side",
        "How alike the rankings by judges, panels and benchmarks are to people's; then all ranks.",
        ("ranking", "measure", "model", "by people"),
        (*correlations, *rows),
        tuple(notes),
        view.assumptions(
            "rankings by votes and verdicts are those of ranking; models it cannot rate stand "
            "there with the reason, and in no correlation",
            "rank correlations are over the models that both rank; from 4 models on",
            "intervals draw all ratings together, clustered by question; a benchmark's score "
            "moves by its own interval, taken as 95%, and is exact where it has none",
            "higher scores are better; models are told apart by their exact names",
        ),
    )
