"""How far votes alone make gold: by majority, and by Dawid–Skene with leads' rulings clamped."""

from __future__ import annotations

import numpy as np

from core.gold import GoldRule
from core.stats.dawid_skene import Bools, Floats, Longs
from core.stats.gold_fit import OPEN, GoldFit, classes_of, fit_view
from core.stats.intervals import clustered_wilson
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result, count
from core.stats.view import View

_ENOUGH = 3.0
"""Votes per item below which Dawid–Skene is known to be too sure of itself."""

_NO_ITEM = "no item has a vote and no ruling"
_NOT_BOTH = "there is no item that both decide"


def majority(counts: Longs) -> Longs:
    """The class with more than half of the votes by item; :data:`OPEN` where none has."""
    total = counts.sum(axis=1)
    top = counts.max(axis=1, initial=0)
    return np.where(2 * top > total, counts.argmax(axis=1), OPEN)


def likeliest(posterior: Floats, threshold: float) -> Longs:
    """The one most likely class by item; :data:`OPEN` where none reaches the threshold."""
    top = posterior.max(axis=1, initial=0)
    alone = (posterior == top[:, None]).sum(axis=1) == 1
    return np.where(alone & (top >= threshold), posterior.argmax(axis=1), OPEN)


def entropy(posterior: Floats) -> Floats:
    """What is left open by item, 0 (certain) to 1 (all classes alike)."""
    logs = np.log(np.maximum(posterior, 1e-300))
    return np.asarray(-(posterior * logs).sum(axis=1) / np.log(posterior.shape[1]))


_NO_INTERVAL = "no interval: with other votes Dawid–Skene would weigh everybody anew"
"""Items do not show by how much that moves what rests on the fit: intervals that resample them
alone hold the value of a large study in half of small ones."""


def _by_majority(view: View, part: Bools, whole: Bools) -> Estimate:
    """The share that a majority decides; each item stands for itself."""
    labels: dict[str, Label] = {"measure": "majority decides"}
    level = view.options.level
    sums = view.pair_sums(part & whole), view.pair_sums(whole)
    found = clustered_wilson(*sums, level, "items", "pairs")
    if found is None:
        return Estimate(labels, None, reason=_NO_ITEM)
    n, k = int(whole.sum()), int((part & whole).sum())
    return Estimate(
        labels, found.value, found.low, found.high, level, n=n, k=k, method=found.method
    )


def _share(measure: str, part: Bools, whole: Bools, nothing: str = _NO_ITEM) -> Estimate:
    n, k = int(whole.sum()), int((part & whole).sum())
    if not n:
        return Estimate({"measure": measure}, None, reason=nothing)
    return Estimate({"measure": measure}, k / n, n=n, k=k, method=_NO_INTERVAL)


def _mean(measure: str, values: Floats, whole: Bools, unit: str) -> Estimate:
    n = int(whole.sum())
    if not n:
        return Estimate({"measure": measure}, None, unit=unit, reason=_NO_ITEM)
    value = float(values[whole].mean())
    return Estimate({"measure": measure}, value, n=n, unit=unit, method=_NO_INTERVAL)


def _rows(view: View, found: GoldFit, rule: GoldRule) -> list[Estimate]:
    posterior = found.fitted.posterior
    ruled = found.ruled != OPEN
    undecided = found.voted & ~ruled
    counts = view.counts(next(iter(view.populations)))[:, : classes_of(view)].astype(np.int64)
    by_votes, by_model = majority(counts), likeliest(posterior, rule.threshold)
    first, second = by_votes != OPEN, by_model != OPEN
    return [
        count({"measure": "items with votes"}, int(found.voted.sum())),
        count({"measure": "ruled"}, int(ruled.sum())),
        _by_majority(view, first, undecided),
        _share("dawid-skene decides", second, undecided),
        _share("agree", by_votes == by_model, undecided & first & second, _NOT_BOTH),
        _share("only majority", first & ~second, undecided),
        _share("only dawid-skene", second & ~first, undecided),
        _share("neither", ~first & ~second, undecided),
        _mean("entropy", entropy(posterior), undecided, "coefficient"),
        _mean("expected error", 1 - posterior.max(axis=1, initial=0), undecided, "share"),
    ]


def _notes(found: GoldFit) -> list[str]:
    if not found.voted.any():
        return ["there are no votes yet"]
    notes = []
    per_item = len(found.votes.item) / int(found.voted.sum())
    if per_item < _ENOUGH:
        notes.append(
            f"{per_item:.1f} votes per item: with fewer than {_ENOUGH:g} Dawid–Skene is too sure "
            "of itself; gold_agreement says how often rulings bear it out"
        )
    if not found.fitted.converged:
        notes.append(f"the fit still moved after {found.fitted.steps} steps")
    return notes


@statistic(
    "gold_models",
    "Gold by votes: majority and Dawid–Skene",
    order=36,
    limits=(
        "Not calibrated with few votes: Dawid–Skene then is too sure of itself. A mistake "
        "that annotators share is taken for the truth, by either way."
    ),
)
def gold_models(view: View) -> Result:
    """How often either way decides, where they agree, and what is left open."""
    found, rule = fit_view(view), GoldRule()
    return Result(
        "gold_models",
        "Gold by votes: majority and Dawid–Skene",
        "On items with votes that no lead has ruled on: who decides, and whether alike.",
        ("measure",),
        tuple(_rows(view, found, rule)),
        tuple(_notes(found)),
        view.assumptions(
            "majority: an outcome with more than half of the votes",
            f"dawid-skene: the likeliest outcome, from {rule.threshold:g} on; each annotator has "
            "a confusion as shown (left, right, tie, both bad); the models have one common prior",
            "items with a ruling are clamped to it, which teaches about those who voted there",
            "annotators err independently, given the truth: where they share a mistake, "
            "Dawid–Skene is as sure of it as of the truth",
            "of several votes by one annotator on an item the last counts in Dawid–Skene",
            "entropy: 0 is certain, 1 is all outcomes alike; expected error: 1 less the likeliest "
            "outcome's probability, if the model is right",
            "turns are pooled; majority's interval is clustered by pair; what rests on Dawid–Skene "
            "has none: with other votes it would weigh everybody anew",
        ),
    )
