"""What a ranking rests on: pairs of two poor answers, of two acceptable ones, or one of each.

Lambert (2023): votes on poor–poor, acceptable–poor and acceptable–acceptable pairs carry different
signal. Whether an answer is acceptable is never read off the comparison that is being counted.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.settings import BY_MODELS, BY_VOTES
from core.stats.intervals import clustered_wilson
from core.stats.rank_correlation import MEASURES, Scale, correlation, scale_of_votes
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD, CHOICES, MODEL_2, TIE
from core.stats.view import View

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Codes = NDArray[np.int8]

UNKNOWN, POOR, ACCEPTABLE = 0, 1, 2
BOTH, ONE, NEITHER, UNTOLD = (
    "acceptable–acceptable",
    "acceptable–poor",
    "poor–poor",
    "not told",
)
QUADRANTS: Final = (BOTH, ONE, NEITHER, UNTOLD)
_TURN_BITS = 16


def _numbered(*keys: Longs) -> tuple[Longs, Longs]:
    """Numbers for the keys of both sides of every item, the same key the same number."""
    _, place = np.unique(np.concatenate(keys), return_inverse=True)
    return place[: len(keys[0])], place[len(keys[0]) :]


def _elsewhere(sides: tuple[Longs, Longs], values: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """What each side's key has in all, less what it has in this item."""
    size = max((int(each.max(initial=-1)) for each in sides), default=-1) + 1
    total = sum(
        np.bincount(side, weights=value, minlength=size)
        for side, value in zip(sides, values, strict=True)
    )
    total = np.asarray(total, np.float64)
    first, second = (total[side] - value for side, value in zip(sides, values, strict=True))
    return np.asarray(first), np.asarray(second)


def by_votes(view: View, counts: NDArray[np.int32]) -> tuple[Codes, Codes]:
    """Whether each item's two answers are acceptable, by the votes on their other pairs.

    A win says that the winner is acceptable, a tie that both are, and both bad that both are
    poor; a loss says nothing. What more votes say holds; as many, or none, tell nothing.
    """
    question = view.tally.pair_table[view.pair, 3].astype(np.int64)
    of = (question << _TURN_BITS) | view.turn.astype(np.int64)
    width = len(view.tally.models)
    sides = _numbered(of * width + view.model_1, of * width + view.model_2)
    told = counts.astype(np.float64)
    good = _elsewhere(sides, (told[:, 0] + told[:, TIE - 1], told[:, 1] + told[:, TIE - 1]))
    bad = _elsewhere(sides, (told[:, BOTH_BAD - 1], told[:, BOTH_BAD - 1]))
    first, second = (
        np.where(more > less, ACCEPTABLE, np.where(more < less, POOR, UNKNOWN)).astype(np.int8)
        for more, less in zip(good, bad, strict=True)
    )
    return first, second


def by_models(view: View, counts: NDArray[np.int32]) -> tuple[Codes, Codes]:
    """Whether each item's two models take half of the points or more on all other questions.

    A win is a point, a tie half a point, both bad none for either.
    """
    question = view.tally.pair_table[view.pair, 3].astype(np.int64)
    width = len(view.tally.models)
    models = view.model_1.astype(np.int64), view.model_2.astype(np.int64)
    told = counts.astype(np.float64)
    games = told.sum(axis=1)
    points = told[:, 0] + told[:, TIE - 1] / 2, told[:, 1] + told[:, TIE - 1] / 2
    here = _numbered(*(question * width + model for model in models))
    found = []
    for place, model in enumerate(models):
        taken, met = (
            _sums(models, values, width)[model] - _sums(here, values, None)[here[place]]
            for values in (points, (games, games))
        )
        enough = np.where(2 * taken >= met, ACCEPTABLE, POOR)
        found.append(np.where(met > 0, enough, UNKNOWN).astype(np.int8))
    return found[0], found[1]


def _sums(keys: tuple[Longs, Longs], values: tuple[Floats, Floats], size: int | None) -> Floats:
    weights = np.concatenate(values)
    summed = np.bincount(np.concatenate(keys), weights=weights, minlength=size or 0)
    return summed.astype(np.float64)


def quadrant_of(view: View, counts: NDArray[np.int32]) -> Longs:
    """For each item, its place in :data:`QUADRANTS`."""
    rule = by_models if view.options.acceptable_by == BY_MODELS else by_votes
    first, second = rule(view, counts)
    known = (first != UNKNOWN) & (second != UNKNOWN)
    good = (first == ACCEPTABLE).astype(np.int64) + (second == ACCEPTABLE)
    return np.where(known, 2 - good, QUADRANTS.index(UNTOLD))


def _share(view: View, labels: dict[str, Label], part: Floats, whole: Floats) -> Estimate:
    """A share of comparisons, clustered by question because the rule looks at whole questions."""
    question = view.tally.pair_table[view.pair, 3]
    size = len(view.tally.questions)
    of_part, of_whole = (
        np.bincount(question, weights=each, minlength=size).astype(np.int64)
        for each in (part, whole)
    )
    level = view.options.level
    found = clustered_wilson(of_part, of_whole, level, "comparisons", "questions")
    if found is None:
        return Estimate(labels, None, reason="there are no votes here")
    k, n = int(of_part.sum()), int(of_whole.sum())
    return Estimate(
        labels, found.value, found.low, found.high, level, n=n, k=k, method=found.method
    )


def _likeness(view: View, name: str, whole: Scale, part: Scale) -> list[Estimate]:
    shared = [model for model in whole.values if model in part.values]
    rows = []
    for measure in MEASURES:
        labels: dict[str, Label] = {"pair of answers": name, "measure": f"{measure} with all"}
        found = (
            whole.reason
            or part.reason
            or correlation(
                measure,
                whole.only(shared),
                part.only(shared),
                view.options.level,
                view.options.replicates,
                view.rng("quadrants", name),
            )
        )
        if isinstance(found, str):
            rows.append(Estimate(labels, None, n=len(shared), unit="coefficient", reason=found))
            continue
        level = None if found.low is None else view.options.level
        ends = found.low, found.high, level
        rows.append(
            Estimate(
                labels, found.value, *ends, len(shared), unit="coefficient", method=found.method
            )
        )
    return rows


def _why_not(view: View, counts: NDArray[np.int32]) -> str:
    """Why the rule tells nothing here; empty where it does."""
    if not counts.any():
        return "there are no votes yet"
    if view.options.acceptable_by == BY_VOTES and not counts[:, BOTH_BAD - 1].any():
        if view.options.merge_both_bad:
            return "both bad is counted as a tie, so no vote calls an answer poor"
        return (
            "nobody ever called both bad, so no vote calls an answer poor; the setting "
            f"acceptable_by {BY_MODELS} goes by models' points instead"
        )
    return ""


_RULES = {
    BY_VOTES: "an answer is acceptable if more of the votes on its other pairs say so (it won or "
    "tied) than call it poor (both bad); a loss tells nothing (setting acceptable_by)",
    BY_MODELS: "an answer is acceptable if its model takes half of the points or more on all "
    "other questions, both bad being none for either (setting acceptable_by)",
}


@statistic(
    "quadrants",
    "What the ranking rests on",
    order=45,
    limits=(
        "What is acceptable follows from a rule, not from a reading of the answers; another "
        "rule deals the pairs otherwise."
    ),
)
def quadrants(view: View) -> Result:
    """Shares of comparisons by how good the two answers are, and the ranking each gives."""
    counts = view.counts()
    rows: list[Estimate] = []
    why = _why_not(view, counts)
    where = quadrant_of(view, counts)
    every = counts[:, :CHOICES].sum(axis=1).astype(np.float64)
    decisive = counts[:, :MODEL_2].sum(axis=1).astype(np.float64)
    whole = scale_of_votes(view, counts)
    if why:
        rows.append(Estimate({"measure": "comparisons"}, None, n=int(every.sum()), reason=why))
    for place, name in enumerate(() if why else QUADRANTS):
        here = where == place
        labels: dict[str, Label] = {"pair of answers": name}
        rows.append(_share(view, {**labels, "measure": "comparisons"}, every * here, every))
        if not (every * here).any():
            continue
        prefer = {**labels, "measure": "prefer a model"}
        rows.append(_share(view, prefer, decisive * here, every * here))
        if place != QUADRANTS.index(UNTOLD):
            rows += _likeness(view, name, whole, scale_of_votes(view, counts, here))
    return Result(
        "quadrants",
        "What the ranking rests on",
        "Comparisons of acceptable and poor answers: how many, and what ranking each kind gives.",
        ("pair of answers", "measure"),
        tuple(rows),
        (),
        view.assumptions(
            f"votes of {view.people} only",
            _RULES[view.options.acceptable_by],
            "the votes on a pair never decide what kind of pair it is",
            "the ranking of a kind is a part of the ranking of all, so the two are alike the more "
            "the larger the part is",
            "intervals are clustered by question",
        ),
    )
