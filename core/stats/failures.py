"""Why judges' calls failed: each class of failure with its share of the calls."""

from __future__ import annotations

import numpy as np

from core.stats.intervals import clustered_wilson
from core.stats.outcomes import Bools, Longs
from core.stats.registry import statistic
from core.stats.results import Estimate, Result
from core.stats.view import View

ANY = "any"
UNNAMED = "unnamed"


def _share(view: View, name: str, failure: str, pair: Longs, failed: Bools) -> Estimate:
    """The share of a judge's calls that failed in one way, clustered by pair."""
    _, cluster = np.unique(pair, return_inverse=True)
    calls = np.bincount(cluster)
    lost = np.bincount(cluster[failed], minlength=len(calls))
    level = view.options.level
    labels = {"rater": name, "failure": failure}
    share = clustered_wilson(lost, calls, level, "calls", "pairs")
    assert share is not None  # a judge without a call is not listed
    return Estimate(
        labels,
        share.value,
        share.low,
        share.high,
        level,
        n=int(calls.sum()),
        k=int(lost.sum()),
        method=share.method,
    )


@statistic(
    "failures",
    "Failures by class",
    order=64,
    limits="Not an error rate of the judge's verdicts: it counts words that could not be had.",
)
def failures(view: View) -> Result:
    """How many of each judge's calls failed, in all and by what went wrong."""
    tally = view.tally
    verdicts = view.verdicts
    here = np.ones(len(verdicts["seq"]), np.bool_)
    if not view.all_items:
        selected = np.zeros(len(tally.item_turn), np.bool_)
        selected[view.items] = True
        here = selected[verdicts["item"]]
    estimates = []
    for name in view.judges():
        mine = np.flatnonzero(here & (verdicts["rater"] == tally.judges.index(name)))
        pair = tally.item_pair[verdicts["item"][mine]].astype(np.int64)
        failed = verdicts["choice"][mine] == 0
        estimates.append(_share(view, name, ANY, pair, failed))
        named = np.full(len(mine), -2)
        named[failed] = tally.failures.of(verdicts["seq"][mine[failed]])
        numbers, counts = np.unique(named[failed], return_counts=True)
        for number in numbers[np.argsort(-counts, kind="stable")].tolist():
            failure = tally.failures.names[number] if number >= 0 else UNNAMED
            estimates.append(_share(view, name, failure, pair, named == number))
    return Result(
        "failures",
        "Failures by class",
        "The share of a judge's calls that gave no verdict, and what went wrong.",
        ("rater", "failure"),
        tuple(estimates),
        () if estimates else (view.none_of("verdicts"),),
        view.assumptions(
            "a failure is never a tie and is left out of every estimate; what it could change "
            "stands beside agreement, win rates and position",
            "calls are verdicts that stand, in both orders and all repeats; a failure that a "
            "later try replaced is not counted",
            "intervals are clustered by pair",
        ),
    )
