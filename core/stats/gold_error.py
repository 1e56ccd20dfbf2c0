"""How often the majority of votes is wrong, by rulings on a random sample of known probability."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from core.stats.deference import majority_on
from core.stats.gold_fit import ruled_on
from core.stats.gold_labels import OPEN
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.view import View
from core.stats.weighted import weighted_share
from core.text import many

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEWEST = 5
"""Pairs of answers below which a sample shows no spread."""

EVERY, UNDISPUTED, DISPUTED = "all items", "undisputed", "disputed"


def drawn_share(
    labels: Mapping[str, Label], wrong: Bools, weight: Floats, pair: Longs, level: float
) -> Estimate:
    """Hájek's estimate of a share (1971), by the interval of :mod:`core.stats.weighted`.

    Args:
        wrong: by sampled item.
        weight: 1 / the probability of its draw.
        pair: which items are of one pair of answers.
    """
    n, k = len(wrong), int(wrong.sum())
    # Weights belong to items, clusters are pairs: both are summed up before the share is taken.
    pairs, cluster = np.unique(pair, return_inverse=True)
    clusters = len(pairs)
    whole, part = np.bincount(cluster, weight), np.bincount(cluster, weight * wrong)
    if clusters < FEWEST:
        value = float(part.sum() / whole.sum())
        few = f"no interval: {many(clusters, 'pair')} in the sample, {FEWEST} are needed"
        return Estimate(labels, value, n=n, k=k, method=few)
    found = weighted_share(part, whole, np.ones(clusters), level, "pairs", n)
    assert found is not None
    method = f"Hájek; {found.method}"
    return Estimate(labels, found.value, found.low, found.high, level, n=n, k=k, method=method)


def _sample(view: View) -> tuple[Longs, Floats, Bools]:
    """Items of the tally that were drawn and ruled on, probability, and whether undisputed."""
    rulings = view.tally.rulings
    drawn = ~np.isnan(rulings.probability)
    item, first = np.unique(rulings.item[drawn], return_index=True)
    probability = rulings.probability[drawn][first]
    reasons = rulings.reasons
    is_sample = np.array([each == "agreement_sample" for each in reasons], np.bool_)
    undisputed = is_sample[rulings.reason[drawn][first]] if len(reasons) else np.zeros(0, np.bool_)
    kept = view.selects(item)
    return item[kept], probability[kept], undisputed[kept]


def _missing(told: Bools, undisputed: Bools) -> str:
    """The part of the random sample that no ruling tells anything of; empty where both are known.

    The parts are drawn each by itself, so that one says nothing of the other. A part whose rulings
    are all on items without a label by majority is known: it has nothing to be wrong.
    """
    if not (told & undisputed).any():
        return UNDISPUTED
    return "" if (told & ~undisputed).any() else DISPUTED


@statistic(
    "gold_error",
    "How often is the majority wrong?",
    order=70,
    limits=(
        "It is an error against what the leads ruled, who can be wrong as well, and it wants "
        "rulings on a random sample of the items that nobody disputes."
    ),
    follows=True,
)
def gold_error(view: View) -> Result:
    """Labels by majority that rulings overturn, estimated for all items from the random sample."""
    items, probability, undisputed = _sample(view)
    majority, ruled = majority_on(view, items), ruled_on(view, items)
    decided = (ruled != OPEN) & (majority > 0)
    wrong = (ruled + 1) != majority
    missing = _missing(ruled != OPEN, undisputed)
    level = view.options.level
    estimates = []
    for name, among in (
        (EVERY, np.ones(len(items), np.bool_)),
        (UNDISPUTED, undisputed),
        (DISPUTED, ~undisputed),
    ):
        used = decided & among
        if not used.any():
            reason = "no case of the random sample was ruled on with an outcome"
            estimates.append(Estimate({"of": name}, None, reason=reason))
            continue
        if missing and name == EVERY:
            reason = (
                f"no {missing} case of the random sample was ruled on with an outcome, so that "
                f"the {int(used.sum())} that were do not stand for all items"
            )
            estimates.append(Estimate({"of": name}, None, n=int(used.sum()), reason=reason))
            continue
        pair = view.tally.item_pair[items[used]].astype(np.int64)
        weight = 1 / probability[used]
        estimates.append(drawn_share({"of": name}, wrong[used], weight, pair, level))
    return Result(
        "gold_error",
        "How often is the majority wrong?",
        "Share of labels by majority that a lead overturns, of all items with such a label.",
        ("of",),
        tuple(estimates),
        _notes(view, items, ruled, majority),
        view.assumptions(
            "rulings are taken to be right; see deference and leads for how far that holds",
            "only cases of the random sample count, each by 1 / the probability of its draw; what "
            "leads chose, or had before them for its effect, says nothing about the rest",
            "the label is the one most frequent outcome among votes; judges have no part in it",
        ),
    )


def _notes(view: View, items: Longs, ruled: Longs, majority: Longs) -> tuple[str, ...]:
    if not len(items):
        return ("no ruling on a case of the random sample yet",)
    rulings = view.tally.rulings
    others = int(np.count_nonzero(~np.isin(rulings.item, items)))
    notes = [f"{many(others, 'ruling')} on cases that were not drawn left out"]
    without = int(np.count_nonzero(majority == 0))
    open_ = int(np.count_nonzero((ruled == OPEN) & (majority > 0)))
    if without:
        notes.append(f"{without} sampled items have no label by majority: nothing to be wrong")
    if open_:
        notes.append(
            f"{open_} sampled items were ruled on without an outcome that counts, and are left out"
        )
    return tuple(notes)
