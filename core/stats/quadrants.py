"""What a ranking rests on: pairs of two poor answers, of two acceptable ones, or one of each.

Lambert (2023): votes on poor–poor, acceptable–poor and acceptable–acceptable pairs carry different
signal. Whether an answer is acceptable is never read off the comparison that is being counted.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.settings import BY_MODELS, BY_VOTES
from core.stats.collapsed import choices
from core.stats.intervals import Interval, ShareSums, wilson_of_sums
from core.stats.quadrants_kept import QUADRANTS, UNTOLD, Kinds, kinds
from core.stats.question_sums import question_sums, sums_of
from core.stats.rank_correlation import MEASURES, Scale, correlations, scale_of, shared_spread
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.view import View


def _share(view: View, labels: dict[str, Label], sums: ShareSums) -> Estimate:
    """A share of comparisons, clustered by question because the rule looks at whole questions."""
    level = view.options.level
    found = wilson_of_sums(sums, level, "comparisons", "questions")
    if found is None:
        return Estimate(labels, None, reason="there are no votes here")
    n, k = sums.whole, sums.part
    return Estimate(
        labels, found.value, found.low, found.high, level, n=n, k=k, method=found.method
    )


def _likeness(view: View, kind: int, whole: Scale, kept: Kinds) -> list[Estimate]:
    name, part = QUADRANTS[kind], scale_of(view, sums_of(kept.counts, kind))
    shared = [model for model in whole.values if model in part.values]
    together = shared_spread(whole, part, kept.counts.blocks[kept.whole, kind], shared)
    why = whole.reason or part.reason
    told: Mapping[str, Interval | str] = dict.fromkeys(MEASURES, why)
    if not why:
        told = correlations(
            whole.only(shared),
            part.only(shared),
            view.options.level,
            view.options.replicates,
            view.rng("quadrants", name),
            together,
        )
    rows = []
    for measure, found in told.items():
        labels: dict[str, Label] = {"pair of answers": name, "measure": f"{measure} with all"}
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


def _why_not(view: View, votes: int, both_bad: int) -> str:
    """Why the rule tells nothing here; empty where it does."""
    if not votes:
        return view.none_of("votes")
    if view.options.acceptable_by == BY_VOTES and not both_bad:
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
    follows=True,
)
def quadrants(view: View) -> Result:
    """Shares of comparisons by how good the two answers are, and the ranking each gives."""
    kept = kinds(view)
    shares = kept.shares()
    votes = shares[0][0].whole if shares else 0
    why = _why_not(view, votes, kept.both_bad)
    rows: list[Estimate] = []
    if why:
        rows.append(Estimate({"measure": "comparisons"}, None, n=votes, reason=why))
    whole = Scale({}) if why else scale_of(view, question_sums(view, choices(view, view.people)))
    for kind, name in enumerate(() if why else QUADRANTS):
        labels: dict[str, Label] = {"pair of answers": name}
        of_all, decisive = shares[kind]
        rows.append(_share(view, {**labels, "measure": "comparisons"}, of_all))
        if not of_all.part:
            continue
        rows.append(_share(view, {**labels, "measure": "prefer a model"}, decisive))
        if name != UNTOLD:
            rows += _likeness(view, kind, whole, kept)
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
