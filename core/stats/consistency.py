"""Whether annotators say the same when they meet a pair again without knowing it.

A marked repeat is compared with the same annotator's first vote on the same pair and turn, in
model space.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from core.stats.cohen import kappa_estimate, kappa_of
from core.stats.intervals import clustered_wilson
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD, CHOICES, MODEL_2, TIE
from core.stats.view import View
from core.text import many

Bools = NDArray[np.bool_]
Longs = NDArray[np.int64]

SAME = "same choice"
SAME_SIDE = "changed: same side"
OTHERWISE = "changed: otherwise"
LEFT_AGAIN = "same side: left"
KAPPA = "Cohen κ"
IN_FLIPPED_ORDER = "same choice, sides exchanged"
IN_SAME_ORDER = "same choice, sides as before"

_SHOWN = 100
"""Annotators listed one by one; those with most repeats come first."""

_NONE_YET = "no repeat has been voted on yet"


@dataclass(frozen=True, slots=True)
class Repeated:
    """Marked repeats with the first votes that they repeat, one entry each.

    Attributes:
        annotator: annotator numbers, shape (repeats,).
        question: question numbers, which are the clusters.
        first: the choice (1–4) of the first vote; 0 where none counts.
        again: the choice of the repeat.
        first_left: which model stood left (1 or 2); 0 where nobody recorded it.
        again_left: the same in the repeat.
    """

    annotator: Longs
    question: Longs
    first: Longs
    again: Longs
    first_left: Longs
    again_left: Longs

    def only(self, mine: Bools | Longs) -> Repeated:
        """Some of them: those of a mask, or of a list of places."""
        return Repeated(*(getattr(self, each.name)[mine] for each in fields(self)))

    def with_three_classes(self) -> Repeated:
        """The same with both bad counted as a tie."""
        first, again = (np.where(each == BOTH_BAD, TIE, each) for each in (self.first, self.again))
        return replace(self, first=first, again=again)

    @property
    def has_sides(self) -> Bools:
        """Where both sides were recorded."""
        return np.asarray((self.first_left > 0) & (self.again_left > 0))

    @property
    def flipped(self) -> Bools:
        """Where the sides are known to have been exchanged."""
        return np.asarray(self.has_sides & (self.first_left != self.again_left))


def repeated(view: View) -> Repeated:
    """The marked repeats on the view's items, each with its annotator's first vote.

    Of several first votes the last that counts is taken, as elsewhere.
    """
    tally = view.tally
    selected = np.zeros(len(tally.item_turn), np.bool_)
    selected[view.items] = True
    item, annotator, again, again_left = (
        column[selected[view.marked_repeats[0]]].astype(np.int64) for column in view.marked_repeats
    )
    people = max(len(tally.annotators), 1)
    # Two cheap looks leave few of a million votes to be sorted.
    is_item, is_rater = np.zeros(len(selected), np.bool_), np.zeros(people, np.bool_)
    is_item[item] = is_rater[annotator] = True
    votes = (*tally.votes, tally.vote_sides)
    near = is_item[votes[0]] & is_rater[votes[1]]
    its_item, its_rater, choice, left = (column[near].astype(np.int64) for column in votes)
    keys, entry = np.unique(item * people + annotator, return_inverse=True)
    its_key = its_item * people + its_rater
    place = np.searchsorted(keys, its_key)
    inside = np.append(keys, -1)[place] == its_key
    # Where several land in one place, numpy keeps the last: the later vote.
    found = np.zeros((2, len(keys)), np.int64)
    found[:, place[inside]] = choice[inside], left[inside]
    first, first_left = found[:, entry]
    question = tally.pair_table[tally.item_pair[item], 3].astype(np.int64)
    return Repeated(annotator, question, first, again, first_left, again_left)


def _share(
    view: View, labels: dict[str, Label], data: Repeated, part: Bools, whole: Bools, reason: str
) -> Estimate:
    """A share of repeats, clustered by question; the reason where there are none."""
    level = view.options.level
    _, question = np.unique(data.question[whole], return_inverse=True)
    looked = np.bincount(question)
    found = np.bincount(question[part[whole]], minlength=len(looked))
    share = clustered_wilson(found, looked, level, "repeats", "questions")
    if share is None:
        return Estimate(labels, None, reason=reason)
    return Estimate(
        labels,
        share.value,
        share.low,
        share.high,
        level,
        n=int(looked.sum()),
        k=int(found.sum()),
        method=share.method,
        chance=1 / 2 if labels["measure"] == LEFT_AGAIN else None,
    )


def _kappa(view: View, labels: dict[str, Label], data: Repeated) -> Estimate:
    n, least = len(data.first), view.options.min_shared
    k = int((data.first == data.again).sum())

    def without(reason: str) -> Estimate:
        return Estimate(labels, None, n=n, k=k, unit="coefficient", reason=reason)

    if n < least:
        return without(f"κ is given from {least} repeats on" if n else _NONE_YET)
    value, error = kappa_of(data.first - 1, data.again - 1, data.question)
    if np.isnan(value):
        return without("one same choice throughout, so nothing tells steadiness from habit")
    method = "κ from the table of first vote and repeat"
    if error == 0:
        method += "; no interval, no repeat departs from it"
        return Estimate(labels, value, n=n, k=k, unit="coefficient", method=method)
    method += "; delta method, clustered by question"
    return kappa_estimate(view, labels, value, error, n=n, k=k, method=method)


def _rows(view: View, about: dict[str, Label], data: Repeated) -> list[Estimate]:
    """The measures of one annotator, or of several taken together."""
    merged = view.options.merge_both_bad
    three = data.with_three_classes()
    data = three if merged else data
    every = {CHOICES - 1: three} | ({} if merged else {CHOICES: data})
    classes = max(every)

    def labels(measure: str, number: int = classes) -> dict[str, Label]:
        return {**about, "measure": measure, "classes": number}

    anything = np.ones(len(data.first), np.bool_)
    changed = data.first != data.again
    decisive = (data.first <= MODEL_2) & (data.again <= MODEL_2)
    same_side = changed & data.flipped & decisive
    on_the_left = data.again == data.again_left
    unchanged = "no choice changed" if len(data.first) else _NONE_YET
    unsided = "nobody recorded the sides, or they were not exchanged"
    why = unsided if (changed & ~data.flipped).any() else unchanged
    stayed = "no repeat that changed chose the same side again"
    rows = [
        _share(view, labels(SAME, number), each, each.first == each.again, anything, _NONE_YET)
        for number, each in sorted(every.items(), reverse=True)
    ]
    rows += [
        _share(view, labels(SAME_SIDE), data, same_side, changed & data.flipped, why),
        _share(view, labels(OTHERWISE), data, ~same_side, changed & data.flipped, why),
        _share(view, labels(LEFT_AGAIN), data, on_the_left, same_side, stayed),
    ]
    if (data.has_sides & ~data.flipped).any():
        for measure, order in (
            (IN_FLIPPED_ORDER, data.flipped),
            (IN_SAME_ORDER, data.has_sides & ~data.flipped),
        ):
            reason = "no repeat stood this way"
            rows.append(_share(view, labels(measure), data, ~changed, order, reason))
    rows += [
        _kappa(view, labels(KAPPA, number), each)
        for number, each in sorted(every.items(), reverse=True)
    ]
    return rows


@statistic(
    "consistency",
    "Annotators' consistency with themselves",
    order=38,
    limits=(
        "Being steady is not being right: a constant bias is perfectly consistent. A change of "
        "side is not a lean by itself."
    ),
)
def consistency(view: View) -> Result:
    """How often a marked repeat says what its annotator's first vote said, and what if not."""
    everything = repeated(view)
    has_first = everything.first > 0
    estimates = []
    for population in view.populations:
        members = view.members(population)[everything.annotator]
        estimates += _rows(view, {"raters": population}, everything.only(members & has_first))
    main = next(iter(view.populations))
    told = everything.only(view.members(main)[everything.annotator])
    mine = told.only(told.first > 0)
    names = view.tally.annotators
    places = np.argsort(mine.annotator, kind="stable")
    numbers, starts, repeats = np.unique(
        mine.annotator[places], return_index=True, return_counts=True
    )
    for place in np.argsort(-repeats, kind="stable")[:_SHOWN].tolist():
        about: dict[str, Label] = {"raters": main, "annotator": names[numbers[place]]}
        start = starts[place]
        estimates += _rows(view, about, mine.only(places[start : start + repeats[place]]))
    return Result(
        "consistency",
        "Annotators' consistency with themselves",
        "How often an annotator who met a pair again, unknowingly, made the same choice.",
        ("raters", "annotator", "measure", "classes"),
        tuple(estimates),
        _notes(told, len(numbers)),
        view.assumptions(
            "a marked repeat is compared with its annotator's first vote, in model space; of "
            "several first votes the last counts",
            "repeats are in no other number",
            "changed: of repeats with the sides exchanged; a change between the two models is "
            "then always the same side again, whatever the cause: left again against right again "
            "is what tells a lean from noise",
            "rows without an annotator: these annotators, on other questions like these",
            *([] if view.options.merge_both_bad else ["3 classes: both bad is counted as a tie"]),
        ),
    )


def _notes(told: Repeated, annotators: int) -> tuple[str, ...]:
    alone, data = int((told.first == 0).sum()), told.only(told.first > 0)
    unknown, same = (int(each.sum()) for each in (~data.has_sides, data.has_sides & ~data.flipped))
    notes = []
    if alone:
        notes.append(f"{many(alone, 'repeat')} left out: the first vote is withdrawn or not here")
    if unknown:
        notes.append(f"{many(unknown, 'repeat')} without recorded sides: in {SAME} and κ only")
    if same:
        notes.append(
            f"{many(same, 'repeat')} stood as the first vote did: not in the rows of changes"
        )
    if annotators > _SHOWN:
        notes.append(f"of {annotators} annotators with repeats, the {_SHOWN} with most are listed")
    return tuple(notes)
