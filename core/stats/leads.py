"""How far leads agree with each other, where two ruled on one item, each blind."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.stats.deference import share
from core.stats.intervals import percentiles
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.rulings import MORE_VOTES, NOT_DECIDABLE
from core.stats.view import View
from core.text import many

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]


def _first_words(view: View) -> dict[int, dict[int, int]]:
    """By lead, row of the view → what that lead ruled blind."""
    rulings = view.tally.rulings
    row = np.full(len(view.tally.item_turn), -1)
    row[view.items] = np.arange(len(view.items))
    said: dict[int, dict[int, int]] = {}
    columns = rulings.lead, row[rulings.item], rulings.first_choice
    for lead, place, choice in zip(*(each.tolist() for each in columns), strict=True):
        if place >= 0 and 0 < choice < MORE_VOTES:
            said.setdefault(lead, {})[place] = choice
    return said


def _kappa(table: Floats) -> Floats:
    """Cohen's κ of tables of shape (…, outcomes, outcomes); NaN where it is undefined."""
    total = table.sum(axis=(-1, -2))
    observed = np.trace(table, axis1=-2, axis2=-1) / total
    chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / total**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(chance < 1, (observed - chance) / (1 - chance), np.nan))


def _kappa_row(view: View, labels: dict[str, Label], one: Longs, two: Longs) -> Estimate:
    table = np.zeros((NOT_DECIDABLE, NOT_DECIDABLE))
    np.add.at(table, (one - 1, two - 1), 1)
    n = len(one)
    if n < view.options.min_shared:
        reason = f"{many(n, 'item')}, {view.options.min_shared} are needed"
        return Estimate(labels, None, n=n, unit="coefficient", reason=reason)
    value = float(_kappa(table))
    if np.isnan(value):
        reason = "both leads always ruled the same one outcome, so κ is undefined"
        return Estimate(labels, None, n=n, unit="coefficient", reason=reason)
    rng = view.rng("leads", *labels.values())
    drawn = rng.multinomial(n, (table / n).ravel(), view.options.replicates)
    values = _kappa(drawn.reshape(-1, NOT_DECIDABLE, NOT_DECIDABLE).astype(np.float64))
    values = values[~np.isnan(values)]
    if len(values) < view.options.replicates // 2:
        few = "no interval: most resamples have one outcome alone, of which κ is undefined"
        return Estimate(labels, value, n=n, unit="coefficient", method=few)
    low, high = percentiles(values, view.options.level)
    method = f"Cohen's κ; bootstrap over items, {len(values)} resamples"
    ends = min(low, value), max(high, value), view.options.level
    return Estimate(labels, value, *ends, n=n, unit="coefficient", method=method)


@statistic(
    "leads",
    "Do leads agree with each other?",
    order=74,
    limits=(
        "Two leads who agree may share a bias, and second opinions are asked where the first "
        "lead was unsure."
    ),
)
def leads(view: View) -> Result:
    """Agreement and κ of every two leads on the items that both ruled on."""
    said, names = _first_words(view), view.tally.annotators
    estimates: list[Estimate] = []
    for a, b in combinations(sorted(said, key=lambda lead: names[lead]), 2):
        both = sorted(said[a].keys() & said[b].keys())
        if not both:
            continue
        rows = np.array(both, np.int64)
        one, two = (np.array([said[each][place] for place in both], np.int64) for each in (a, b))
        labels: dict[str, Label] = {"lead_1": names[a], "lead_2": names[b]}
        estimates.append(share(view, {**labels, "what": "agreement"}, rows, one == two, ""))
        estimates.append(_kappa_row(view, {**labels, "what": "kappa"}, one, two))
    notes = [
        "second opinions are asked for where a lead is in doubt: on other items they agree more"
    ]
    return Result(
        "leads",
        "Do leads agree with each other?",
        "Blind rulings of two leads on the same items: how many agree, and Cohen's κ.",
        ("lead_1", "lead_2", "what"),
        tuple(estimates),
        tuple(notes if estimates else ["no item has rulings of two leads"]),
        view.assumptions(
            "what each ruled blind counts, also where it was revised; not decidable is an outcome "
            "of its own, more votes is none"
        ),
    )
