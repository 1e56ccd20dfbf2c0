"""How far votes alone make gold: by majority, and by Dawid–Skene with leads' rulings clamped."""

from __future__ import annotations

import numpy as np

from core.gold import GoldRule
from core.stats.collapsed import Columns, Longs, Rows, collapsed_pairs
from core.stats.collapsed import votes as votes_columns
from core.stats.gold_fit import ruled_on
from core.stats.gold_kept import ONLY_RULED, RULED, UNDECIDED, Gold, gold_of, gold_work
from core.stats.gold_labels import OPEN, majority
from core.stats.intervals import clustered_wilson
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result, count
from core.stats.view import View

_ENOUGH = 3.0
"""Votes per item below which Dawid–Skene is known to be too sure of itself."""

_NO_ITEM = "no item has a vote and no ruling"
_NOT_BOTH = "there is no item that both decide"


_NO_INTERVAL = "no interval: with other votes Dawid–Skene would weigh everybody anew"
"""Items do not show by how much that moves what rests on the fit: intervals that resample them
alone hold the value of a large study in half of small ones."""


def _undecided(view: View) -> Columns:
    """Of each item whether a vote and no ruling is on it, and whether a majority decides it."""
    people = next(iter(view.populations))
    votes = votes_columns(view, people)

    def rows(items: Longs) -> Rows:
        counts = votes.rows(items)
        whole = counts.any(axis=1) & (ruled_on(view, items) == OPEN)
        return np.stack([whole & (majority(counts.astype(np.int64)) != OPEN), whole], axis=1)

    return Columns(("undecided", votes.key), 2, rows, votes.follows)


def _by_majority(view: View) -> Estimate:
    """The share that a majority decides; each item stands for itself."""
    labels: dict[str, Label] = {"measure": "majority decides"}
    level = view.options.level
    (_, sums), times = collapsed_pairs(view, (), _undecided(view))
    part, whole = sums.T
    found = clustered_wilson(part, whole, level, "items", "pairs", times)
    if found is None:
        return Estimate(labels, None, reason=_NO_ITEM)
    n, k = int(times @ whole), int(times @ part)
    return Estimate(
        labels, found.value, found.low, found.high, level, n=n, k=k, method=found.method
    )


def _share(measure: str, k: int, n: int, nothing: str = _NO_ITEM) -> Estimate:
    if not n:
        return Estimate({"measure": measure}, None, reason=nothing)
    return Estimate({"measure": measure}, k / n, n=n, k=k, method=_NO_INTERVAL)


def _mean(measure: str, total: float, n: int, unit: str) -> Estimate:
    if not n:
        return Estimate({"measure": measure}, None, unit=unit, reason=_NO_ITEM)
    # What was taken out of a sum again may leave less than nothing by rounding.
    value = max(total, 0.0) / n
    return Estimate({"measure": measure}, value, n=n, unit=unit, method=_NO_INTERVAL)


def _rows(view: View, found: Gold) -> list[Estimate]:
    labels, undecided = found.labels, found.labels[UNDECIDED:]
    n = int(undecided.sum())
    both = undecided[1:, 1:]
    neither, only_model = int(undecided[0, 0]), int(undecided[0, 1:].sum())
    only_majority = int(undecided[1:, 0].sum())
    return [
        count({"measure": "items with votes"}, found.voted),
        count({"measure": "ruled"}, int(labels[ONLY_RULED : RULED + 1].sum())),
        _by_majority(view),
        _share("dawid-skene decides", only_model + int(both.sum()), n),
        _share("agree", int(np.trace(both)), int(both.sum()), _NOT_BOTH),
        _share("only majority", only_majority, n),
        _share("only dawid-skene", only_model, n),
        _share("neither", neither, n),
        _mean("entropy", found.entropy, n, "coefficient"),
        _mean("expected error", found.error, n, "share"),
    ]


def _notes(view: View, found: Gold) -> list[str]:
    if not found.voted:
        return [view.none_of("votes")]
    notes = []
    per_item = int(found.kept.ballots.sum()) / found.voted
    if per_item < _ENOUGH:
        notes.append(
            f"{per_item:.1f} votes per item: with fewer than {_ENOUGH:g} Dawid–Skene is too sure "
            "of itself; gold_agreement says how often rulings bear it out"
        )
    if not found.kept.converged:
        notes.append(f"the fit still moved after {found.kept.steps} steps")
    return notes


@statistic(
    "gold_models",
    "Gold by votes: majority and Dawid–Skene",
    order=36,
    limits=(
        "Not calibrated with few votes: Dawid–Skene then is too sure of itself. A mistake "
        "that annotators share is taken for the truth, by either way."
    ),
    follows=True,
    work=gold_work,
)
def gold_models(view: View) -> Result:
    """How often either way decides, where they agree, and what is left open."""
    found, rule = gold_of(view), GoldRule()
    return Result(
        "gold_models",
        "Gold by votes: majority and Dawid–Skene",
        "On items with votes that no lead has ruled on: who decides, and whether alike.",
        ("measure",),
        tuple(_rows(view, found)),
        tuple(_notes(view, found)),
        view.assumptions(
            "majority: an outcome with more than half of the votes",
            f"dawid-skene: the likeliest outcome, from {rule.threshold:g} on; each annotator has "
            "a confusion as shown (left, right, tie, both bad); the models have one common prior",
            "items with a ruling are clamped to it, which teaches about those who voted there",
            "annotators err independently, given the truth: where they share a mistake, "
            "Dawid–Skene is as sure of it as of the truth",
            "of several votes by one annotator on an item the last counts in Dawid–Skene",
            f"dawid-skene: {found.said()}",
            "entropy: 0 is certain, 1 is all outcomes alike; expected error: 1 less the likeliest "
            "outcome's probability, if the model is right",
            "turns are pooled; majority's interval is clustered by pair; what rests on Dawid–Skene "
            "has none: with other votes it would weigh everybody anew",
        ),
    )
