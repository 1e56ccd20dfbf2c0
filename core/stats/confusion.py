"""Who mistakes what for what: each annotator's confusion by Dawid–Skene, and each judge's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from core.stats.dawid_skene_kept import Shown
from core.stats.gold_kept import Gold, confusion_work, gold_of, judged_by
from core.stats.intervals import wilson
from core.stats.observed import present_judges
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.view import View
from core.text import many

ANNOTATOR, JUDGE = "annotator", "judge"
CLASSES = ("left", "right", "tie", "both bad")

FEWEST = 10.0
"""Expected votes where a class is true, below which nothing is told."""

_SHOWN = 100
"""Raters listed; those with most votes come first."""


Rows = Iterator[Estimate]


@lru_cache(maxsize=1 << 12)
def _row(
    rater: str, sort: str, true: int, votes: tuple[float, ...], certain: float, level: float
) -> Estimate:
    """One row; kept, as a vote changes those of who cast it only."""
    labels: dict[str, Label] = {"rater": rater, "is": sort, "true": CLASSES[true]}
    expected = sum(votes)
    n = round(expected)
    if expected < FEWEST:
        reason = f"{CLASSES[true]} is likely true on {expected:.1f} of the votes; {FEWEST:g} needed"
        return Estimate(labels, None, n=n, reason=reason)
    right = votes[true] / expected
    wrong = [0.0 if said == true else each for said, each in enumerate(votes)]
    if any(wrong):
        labels["mistaken for"] = CLASSES[wrong.index(max(wrong))]
    size = max(1.0, expected * certain**3)
    low, high = wilson(right * size, size, level)
    method = (
        f"expected votes by Dawid–Skene; Wilson over {many(n, 'vote')}, worth {size:.1f} "
        "certain ones"
    )
    return Estimate(labels, right, min(low, right), max(high, right), level, n=n, method=method)


def _rows(view: View, name: str, sort: str, told: Shown, place: int, of: list[int]) -> Rows:
    votes, certain = told.votes[place].tolist(), told.certain[place].tolist()
    for true in of:
        yield _row(name, sort, true, tuple(votes[true]), certain[true], view.options.level)


def _occurring(found: Gold) -> list[int]:
    """Outcomes that some vote or ruling has; nothing can be said of others."""
    told = np.flatnonzero(found.kept.ballots.sum(axis=(0, 1)))
    said = found.ruled_classes | set(told.tolist())
    others = sorted(said - {0, 1})
    # Who saw one of the models on the left saw the other on the right.
    return [0, 1, *others] if said & {0, 1} else others


def _annotators(view: View, found: Gold) -> Rows:
    told, occurring = found.kept.shown(), _occurring(found)
    raters = found.kept.raters
    votes = found.kept.ballots.sum(axis=(1, 2)).tolist()
    names = view.tally.annotators
    order = sorted(np.flatnonzero(votes).tolist(), key=lambda each: (-votes[each], raters[each]))
    for place in order[:_SHOWN]:
        yield from _rows(view, names[raters[place]], ANNOTATOR, told, place, occurring)


def _judges(view: View, found: Gold) -> Rows:
    """Judges, measured by what the votes and rulings say: they have no say in it themselves."""
    for name, judge in present_judges(view).items():
        kept = judged_by(view, judge).kept
        if not kept.items:
            continue
        yield from _rows(view, name, JUDGE, kept.shown(), 0, _occurring(found))


def _as_of(view: View, found: Gold) -> Iterator[str]:
    """Of which moment the fits are."""
    yield f"dawid-skene: {found.said()}"
    for name, judge in present_judges(view).items():
        if (each := judged_by(view, judge)).stepped:
            yield f"{name}: {each.said()}"


@statistic(
    "confusion",
    "Who mistakes what for what",
    order=37,
    limits=(
        "Not skill beyond doubt: the truth is made of the same votes, so that where most "
        "annotators share a mistake, who does not make it looks wrong."
    ),
    follows=True,
    work=confusion_work,
)
def confusion(view: View) -> Result:
    """How often each annotator and judge says what is true, by what is true."""
    found = gold_of(view)
    estimates = [*_annotators(view, found), *_judges(view, found)] if found.voted else []
    notes = [] if estimates else [view.none_of("votes")]
    cast = found.kept.ballots
    voters = int(np.count_nonzero(cast.sum(axis=(1, 2))))
    if voters > _SHOWN:
        notes.append(f"of {voters} annotators, the {_SHOWN} with most votes are told")
    without = int(cast[:, 0].sum())
    if estimates and without:
        notes.append(
            f"{many(without, 'vote')} without a side on record count half as cast from "
            "either, so that no lean to one side shows in them"
        )
    return Result(
        "confusion",
        "Who mistakes what for what",
        "Of the votes where an outcome is true, the share that says so, and what else is said.",
        ("rater", "is", "true", "mistaken for"),
        tuple(estimates),
        tuple(notes),
        view.assumptions(
            "what is true is what Dawid–Skene makes of all votes and rulings (gold_models)",
            "as shown: a true left is the left answer being better; who leans to the left takes "
            "right for left more often than left for right",
            "judges: each order is a verdict of its own; they have no say in what is true",
            f"where fewer than {FEWEST:g} votes have an outcome as their truth, nothing is told",
            *_as_of(view, found),
        ),
    )
