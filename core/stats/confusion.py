"""Who mistakes what for what: each annotator's confusion by Dawid–Skene, and each judge's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.stats.dawid_skene import Ballots, Longs, Shown, fit, shown
from core.stats.gold_fit import OPEN, GoldFit, classes_of, fit_view
from core.stats.intervals import wilson
from core.stats.observed import present_judges, verdicts_of
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.view import View

ANNOTATOR, JUDGE = "annotator", "judge"
CLASSES = ("left", "right", "tie", "both bad")

FEWEST = 10.0
"""Expected votes where a class is true, below which nothing is told."""

_SHOWN = 100
"""Raters listed; those with most votes come first."""


def _row(view: View, labels: dict[str, Label], found: Shown, place: int, true: int) -> Estimate:
    votes = found.votes[place, true]
    expected = float(votes.sum())
    n = round(expected)
    if expected < FEWEST:
        reason = f"{CLASSES[true]} is likely true on {expected:.1f} of the votes; {FEWEST:g} needed"
        return Estimate(labels, None, n=n, reason=reason)
    right = float(votes[true] / expected)
    wrong = votes.copy()
    wrong[true] = 0
    if wrong.any():
        labels = {**labels, "mistaken for": CLASSES[int(wrong.argmax())]}
    size = max(1.0, expected * float(found.certain[place, true]) ** 3)
    low, high = wilson(right * size, size, view.options.level)
    method = f"expected votes by Dawid–Skene; Wilson over {n} votes, worth {size:.1f} certain ones"
    ends = min(low, right), max(high, right)
    return Estimate(labels, right, *ends, view.options.level, n=n, method=method)


def _occurring(found: GoldFit) -> list[int]:
    """Outcomes that some vote or ruling has; nothing can be said of others."""
    said = np.concatenate([found.ballots.said, found.ruled[found.ruled != OPEN]])
    models = said < 2  # who saw one of them on the left saw the other on the right
    others = [int(each) for each in np.unique(said[~models])]
    return [0, 1, *others] if models.any() else others


def _annotators(view: View, found: GoldFit) -> Iterator[Estimate]:
    ballots = found.ballots
    told = shown(ballots, found.fitted.posterior)
    votes = np.bincount(ballots.rater, minlength=ballots.raters)
    names = view.tally.annotators
    order = sorted(range(ballots.raters), key=lambda each: (-votes[each], each))
    for place in order[:_SHOWN]:
        name = names[int(found.raters[place])]
        for true in _occurring(found):
            labels: dict[str, Label] = {"rater": name, "is": ANNOTATOR, "true": CLASSES[true]}
            yield _row(view, labels, told, place, true)


def _judges(view: View, found: GoldFit) -> Iterator[Estimate]:
    """Judges, measured by what the votes and rulings say: they have no say in it themselves."""
    classes = classes_of(view)
    known = found.voted | (found.ruled != OPEN)
    places: Longs = np.cumsum(known) - 1
    given = found.fitted.posterior[known]
    for name, judge in present_judges(view).items():
        said = verdicts_of(view, judge)
        said = said.only(known[said.item])
        if not len(said.item):
            continue
        ballots = Ballots(
            places[said.item],
            np.zeros(len(said.item), np.int64),
            said.choice - 1,
            said.left,
            len(given),
            1,
            classes,
            np.full(len(given), OPEN),
        )
        told = shown(ballots, fit(ballots, given=given).posterior)
        for true in _occurring(found):
            labels: dict[str, Label] = {"rater": name, "is": JUDGE, "true": CLASSES[true]}
            yield _row(view, labels, told, 0, true)


@statistic(
    "confusion",
    "Who mistakes what for what",
    order=37,
    limits=(
        "Not skill beyond doubt: the truth is made of the same votes, so that where most "
        "annotators share a mistake, who does not make it looks wrong."
    ),
)
def confusion(view: View) -> Result:
    """How often each annotator and judge says what is true, by what is true."""
    found = fit_view(view)
    estimates = [*_annotators(view, found), *_judges(view, found)] if found.voted.any() else []
    notes = [] if estimates else ["there are no votes yet"]
    if found.ballots.raters > _SHOWN:
        notes.append(f"of {found.ballots.raters} annotators, the {_SHOWN} with most votes are told")
    sides = found.votes.left > 0
    if estimates and not sides.all():
        notes.append(
            f"{int((~sides).sum())} votes have no side on record: they count half as cast from "
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
        ),
    )
