"""How often a judge that is asked the same again, in the same order, says the same again.

That is noise of its own, apart from what the order of the answers does to it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.stats.intervals import Interval, clustered_wilson, difference_of_shares
from core.stats.options import FIRST
from core.stats.outcomes import Longs
from core.stats.registry import statistic
from core.stats.repeats import Repeats
from core.stats.results import Estimate, Label, Result
from core.stats.view import View
from core.stats.voting import winners

SAME_ORDER = "same order"
OTHER_ORDER = "other order"
BY_POSITION = "same less other order"
WORD_CHANGES = "majority says otherwise"
NO_MAJORITY = "no majority"

_NONE_YET = "no order of an item was judged twice"


def _within(counts: Longs) -> tuple[Longs, Longs]:
    """Of the couples of verdicts in each entry, how many agree and how many there are."""
    total = np.asarray(counts.sum(axis=1), np.int64)
    agree = np.asarray((counts * (counts - 1)).sum(axis=1), np.int64)
    return agree // 2, total * (total - 1) // 2


def _across(again: Repeats) -> tuple[Longs, Longs, Longs]:
    """The same for couples of one verdict in each order, by item: items, agreeing, compared."""
    first, second = (again.left == left for left in (1, 2))
    items, one, two = np.intersect1d(again.item[first], again.item[second], return_indices=True)
    a, b = again.counts[first][one], again.counts[second][two]
    ones, twos = np.asarray(a.sum(axis=1), np.int64), np.asarray(b.sum(axis=1), np.int64)
    return items, np.asarray((a * b).sum(axis=1), np.int64), ones * twos


def _with_failures(again: Repeats) -> tuple[float, float]:
    """The least and the greatest share of agreeing couples, had every failed repeat a choice.

    Verdicts agree most if all that failed joined the most frequent choice, and least if each
    joined the rarest one.
    """
    most, least = again.counts.copy(), again.counts.copy()
    rows = np.arange(len(most))
    most[rows, most.argmax(axis=1)] += again.failed
    for number in range(int(again.failed.max(initial=0))):
        left = again.failed > number
        least[rows[left], least[left].argmin(axis=1)] += 1
    ends = []
    for counts in (least, most):
        agree, couples = _within(counts)
        ends.append(float(agree.sum()) / float(max(couples.sum(), 1)))
    return ends[0], ends[1]


def _by_pair(view: View, items: Longs, *columns: NDArray[np.int64]) -> list[Longs]:
    pairs = view.tally.item_pair[items]
    _, cluster = np.unique(pairs, return_inverse=True)
    return [np.bincount(cluster, each).astype(np.int64) for each in columns]


def _share(
    view: View,
    labels: dict[str, Label],
    items: Longs,
    found: tuple[Longs, Longs],
    what: str,
    reason: str,
) -> Estimate:
    level = view.options.level
    part, whole = _by_pair(view, items, *found)
    share = clustered_wilson(part, whole, level, what, "pairs")
    if share is None:
        return Estimate(labels, None, reason=reason)
    ends = share.low, share.high
    n, k = int(whole.sum()), int(part.sum())
    return Estimate(labels, share.value, *ends, level, n=n, k=k, method=share.method)


def _rows(view: View, name: str, again: Repeats) -> list[Estimate]:
    def labels(measure: str) -> dict[str, Label]:
        return {"rater": name, "measure": measure}

    same = _within(again.counts)
    row = _share(view, labels(SAME_ORDER), again.item, same, "couples of verdicts", _NONE_YET)
    if again.failed.any() and row.value is not None:
        lowest, highest = _with_failures(again)
        failed = int(again.failed.sum())
        row = replace(row, lowest=lowest, highest=highest, failed=failed)
    items, agree, compared = _across(again)
    flipped = "no item was judged repeatedly in both orders"
    rows = [
        row,
        _share(view, labels(OTHER_ORDER), items, (agree, compared), "couples of verdicts", flipped),
        _difference(view, labels(BY_POSITION), again, (items, agree, compared), flipped),
    ]
    has_first = again.first > 0
    majority = winners(again.counts)
    decided = has_first & (majority > 0)
    changed = decided & (majority != again.first)
    anything = again.counts.any(axis=1)
    no_first = "no order that was judged again has a first verdict"
    for measure, part, whole in (
        (WORD_CHANGES, changed, decided),
        (NO_MAJORITY, anything & (majority == 0), anything),
    ):
        found = np.asarray(part, np.int64), np.asarray(whole, np.int64)
        rows.append(_share(view, labels(measure), again.item, found, "orders", no_first))
    return rows


def _difference(
    view: View,
    labels: dict[str, Label],
    again: Repeats,
    across: tuple[Longs, Longs, Longs],
    reason: str,
) -> Estimate:
    """Agreement in the same order less that over both, on items judged repeatedly in both."""
    items, agree, compared = across
    both = np.isin(again.item, items) & (again.left > 0)
    mine = again.item[both]
    same, couples = _within(again.counts[both])
    pairs, cluster = np.unique(
        view.tally.item_pair[np.concatenate([mine, items])], return_inverse=True
    )
    size = len(pairs)
    one = [np.bincount(cluster[: len(mine)], each, size) for each in (same, couples)]
    two = [np.bincount(cluster[len(mine) :], each, size) for each in (agree, compared)]
    level = view.options.level
    over: Interval | None = difference_of_shares((one[0], one[1]), (two[0], two[1]), level)
    if over is None:
        return Estimate(labels, None, unit="difference", reason=reason)
    return Estimate(
        labels,
        over.value,
        over.low,
        over.high,
        None if over.low is None else level,
        n=len(items),
        unit="difference",
        method=over.method.replace("item", "pair"),
    )


@statistic(
    "self_consistency",
    "Judges' consistency with themselves",
    order=62,
    limits=(
        "A judge that repeats itself is not right more often; at temperature 0 it says little "
        "at all."
    ),
)
def self_consistency(view: View) -> Result:
    """Agreement of a judge's repeats, in the same order and over both, and what a vote changes."""
    selected = np.zeros(len(view.tally.item_turn), np.bool_)
    selected[view.items] = True
    estimates = []
    names = view.tally.judges
    for name in view.judges():
        again = view.repeats(names.index(name)).only(selected)
        if again.item.size:
            estimates += _rows(view, name, again)
    word = (
        "a judge's word everywhere else is its first verdict; repeats are in this table only"
        if view.options.repeats == FIRST
        else "a judge's word everywhere else is what most of its repeats say"
    )
    return Result(
        "self_consistency",
        "Judges' consistency with themselves",
        "How often a judge that is asked the same again, in the same order, says the same.",
        ("rater", "measure"),
        tuple(estimates),
        () if estimates else ("no judge was asked the same twice",),
        view.assumptions(
            f"{SAME_ORDER}: k verdicts on an item in one order are k(k−1)/2 couples; "
            f"{OTHER_ORDER}: a verdict in one order with one in the other, in model space",
            f"{BY_POSITION}: what the order adds to the judge's own noise",
            f"{WORD_CHANGES}: of orders judged again, how often most repeats say something else "
            f"than the first verdict; {NO_MAJORITY}: the vote has no winner, which is no tie",
            word,
            "failures are left out; intervals are clustered by pair",
        ),
    )
