"""How panels vote: what they decide, where nobody wins, and what each member weighs."""

from __future__ import annotations

import numpy as np

from core.panels import PanelRule
from core.records import Combined
from core.stats.intervals import clustered_wilson
from core.stats.outcomes import Outcomes
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result, count
from core.stats.view import View

UNDECIDED = "undecided"
UNANIMOUS = "unanimous"


def _rows(view: View, name: str, outcomes: Outcomes) -> list[Estimate]:
    def labels(measure: str, member: str = "") -> dict[str, Label]:
        about: dict[str, Label] = {"panel": name, "measure": measure}
        return {**about, "member": member} if member else about

    rows = []
    for kind in (Combined.DECIDED, Combined.UNDECIDED, Combined.FAILURE, Combined.PENDING):
        rows.append(count(labels(f"items: {kind}"), int(outcomes.is_kind(kind).sum())))
    decided = outcomes.is_kind(Combined.DECIDED)
    voted = decided | outcomes.is_kind(Combined.UNDECIDED)
    members, numbers = view.panel_members(name)
    words = np.array([view.outcomes(number).choice for number in numbers])
    alike = decided & np.all((words == outcomes.choice) | (words == 0), axis=0)
    for measure, part in ((UNANIMOUS, alike), (UNDECIDED, voted & ~decided)):
        found, whole = (view.pair_sums(each) for each in (part, voted))
        level = view.options.level
        share = clustered_wilson(found, whole, level, "items", "pairs")
        if share is None:
            reason = "no item has a word of every member yet"
            rows.append(Estimate(labels(measure), None, reason=reason))
            continue
        ends = share.low, share.high
        n, k = int(whole.sum()), int(found.sum())
        rows.append(
            Estimate(labels(measure), share.value, *ends, level, n=n, k=k, method=share.method)
        )
    if view.panel_labels[name].rule is PanelRule.MAJORITY:
        return rows
    weights = view.panel_weights(name)
    fitted = view.panel_labels[name].is_fitted
    for member, mine in zip(members, weights.T, strict=True):
        method = "as given; no interval, nothing was estimated"
        if fitted:
            method = (
                f"log-odds, mean over {len(mine)} parts from {mine.min():.3f} to {mine.max():.3f}; "
                "no interval"
            )
        weight = float(mine.mean())
        rows.append(Estimate(labels("weight", member), weight, unit="coefficient", method=method))
    return rows


@statistic(
    "panels",
    "Panels of judges",
    order=24,
    limits=(
        "A panel is not better than its best member by necessity, and members that share their "
        "errors are counted twice."
    ),
)
def panels(view: View) -> Result:
    """What panels decided, where their votes have no winner, and their members' weights."""
    every = view.panels()
    return Result(
        "panels",
        "Panels of judges",
        "What judges that vote together decide, and how often they cannot.",
        ("panel", "measure", "member"),
        tuple(row for name, outcomes in every.items() for row in _rows(view, name, outcomes)),
        () if every else ("there is no panel with a verdict",),
        view.assumptions(
            "a member votes with its word on the item, both orders joined: a flip is a tie",
            "the outcome with most weight wins; where two have as much the panel is undecided, "
            "which is no tie and is left out",
            "a panel waits until every member has a word or has failed; a failed member has no "
            "vote, and where half of the weight or more failed the panel fails",
            *view.panel_assumptions(),
        ),
    )
