"""Whether a judge favours models of its own family over what people make of them."""

from __future__ import annotations

import numpy as np

from core.families import family_of
from core.records import Judge
from core.stats.clustered import FEWEST_CLUSTERS, Clusters, clusters_of
from core.stats.intervals import student_quantile
from core.stats.observed import Bools, Floats, Longs, present_judges
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import TIE
from core.stats.view import View, one_each
from core.text import many

OWN, OTHER = "own", ""
_NO_SPREAD = 1e-12


def _points(counts: Longs) -> Floats:
    """What model_1 takes per item: wins plus half of ties and both bad, as a share."""
    total = counts.sum(axis=1)
    return np.asarray((counts[:, 0] + counts[:, TIE - 1 :].sum(axis=1) / 2) / np.maximum(total, 1))


def _families(view: View) -> list[str]:
    return [family_of(model, view.options.families) for model in view.tally.models]


def family_of_judge(view: View, name: str) -> str:
    """The family of a judge's model; empty for one that needs no model or is not described."""
    told: Judge | None = view.tally.background.judges.get(name)
    if told is None or told.kind == "baseline":
        return ""
    return family_of(told.model or told.name, view.options.families)


def _differences(
    view: View, family: Bools, judge: Longs, people: Longs, both: Bools
) -> tuple[Clusters, Clusters, int] | None:
    """Judge − people and people alone: points of a family, summed by question; how many pairs.

    Args:
        family: by model, whether it is of the family.
        judge: choices per item, shape (items, 4).
        people: the same.
        both: items with a word of both.
    """
    first, second = family[view.model_1], family[view.model_2]
    used = both & (first != second)
    if not used.any():
        return None
    sign = np.where(first, 1.0, -1.0)[used]
    ours, theirs = _points(judge[used]), _points(people[used])
    pair = view.pair[used].astype(np.int64)
    question = view.tally.pair_table[pair, 3].astype(np.int64)
    of_family = np.where(sign > 0, theirs, 1 - theirs)
    both_sums = clusters_of(sign * (ours - theirs), question), clusters_of(of_family, question)
    return *both_sums, len(np.unique(pair))


def _row(view: View, labels: dict[str, Label], found: tuple[Clusters, Clusters, int]) -> Estimate:
    data, alone, pairs = found
    clusters = len(data.size)
    if pairs < FEWEST_CLUSTERS:
        there = f"{many(pairs, 'pair')} against other families with both"
        reason = f"{there}; {FEWEST_CLUSTERS} are needed"
        return Estimate(labels, None, n=data.n, unit="difference", reason=reason)
    error = data.variance**0.5
    if error < _NO_SPREAD:
        method = "no interval: the judge differs from people by the same on every question"
        return Estimate(labels, data.mean, n=data.n, unit="difference", method=method)
    from scipy.special import stdtr

    level = view.options.level
    half = student_quantile(level, clusters - 1) * error
    p = 2 * float(stdtr(clusters - 1, -abs(data.mean) / error))
    method = f"people give it {alone.mean:.1%}; paired t over {many(pairs, 'pair')}"
    method += f" in {clusters} questions, p = {p:.2g}" if clusters < pairs else f", p = {p:.2g}"
    low, high = max(-1.0, data.mean - half), min(1.0, data.mean + half)
    return Estimate(labels, data.mean, low, high, level, n=data.n, unit="difference", method=method)


@statistic(
    "self_enhancement",
    "Do judges favour their own family?",
    order=65,
    limits=(
        "Not proof of favour: a judge may share its family's strengths with the people's blind "
        "spots. Families are told by names."
    ),
)
def self_enhancement(view: View) -> Result:
    """Judge − people in what each family wins against others, per judge; its own is marked."""
    people_name = next(iter(view.populations))
    people = view.counts(people_name).astype(np.int64)
    is_voted_on = np.any([column > 0 for column in people.T], axis=0)
    families = _families(view)
    known = sorted({each for each in families if each})
    estimates: list[Estimate] = []
    unknown: list[str] = []
    for name, judge in present_judges(view).items():
        own = family_of_judge(view, name)
        if own not in known:
            unknown.append(name)
        choice = view.outcomes(judge).choice
        words = one_each(choice).astype(np.int64)
        both = (choice > 0) & is_voted_on
        for family in sorted(known, key=lambda each: (each != own, each)):
            members = np.array([each == family for each in families], np.bool_)
            found = _differences(view, members, words, people, both)
            labels: dict[str, Label] = {
                "judge": name,
                "family": family,
                "is": OWN if family == own else OTHER,
            }
            estimates += [_row(view, labels, found)] if found else []
    return Result(
        "self_enhancement",
        "Do judges favour their own family?",
        "What a family's models take from a judge, less what they take from people.",
        ("judge", "family", "is"),
        tuple(estimates),
        _notes(view, estimates, unknown, known),
        view.assumptions(
            _rule(view),
            "on items where one of the two models is of the family and both people and the judge "
            "have a word; each item's difference is one observation, clustered by question",
            "a win is 1, a tie, a flip and both bad are ½; of several votes on an item the mean",
            "set the own family beside the others: a judge that is unsure pulls every strong "
            "family down and every weak one up",
        ),
    )


def _rule(view: View) -> str:
    told = ", ".join(f"{start}… is {family}" for start, family in view.options.families.items())
    first = "a model's family is the first word of its name, a judge's that of its model's"
    return f"{first}; as told: {told}" if told else first


def _notes(
    view: View, estimates: list[Estimate], unknown: list[str], known: list[str]
) -> tuple[str, ...]:
    notes = [
        f"{name}: no model here is of its family, as far as names tell (option --family)"
        for name in unknown
    ]
    if not estimates:
        few = "all models are of one family" if len(known) < 2 else "no item has both of them"
        notes = [f"nothing to compare: {few}" if present_judges(view) else "no verdicts yet"]
    return (*notes, *view.judge_notes())
