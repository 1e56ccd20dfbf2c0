"""Whether leads defer: what they rule blind, and what they change once they see who said what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.stats.intervals import clustered_wilson
from core.stats.registry import statistic
from core.stats.results import Estimate, Result
from core.stats.rulings import MORE_VOTES, UNMASKED
from core.stats.tally import CHOICES
from core.stats.view import View

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAJORITY = "the majority"


def blind_rulings(view: View) -> tuple[Longs, Longs, Longs, Bools]:
    """Rulings that stand on items of the view and were first made blind.

    Returns:
        Row of the view, what was ruled blind, what stands, and whether names were seen since.
    """
    rulings, tally = view.tally.rulings, view.tally
    row = np.full(len(tally.item_turn), -1)
    row[view.items] = np.arange(len(view.items))
    first, stands = rulings.first_choice, rulings.choice
    seen = np.array(
        [place in tally.unmasked for place in zip(rulings.item, rulings.lead, strict=True)],
        np.bool_,
    ) | (rulings.stage == UNMASKED)
    kept = (first > 0) & (first != MORE_VOTES) & (row[rulings.item] >= 0)
    return row[rulings.item][kept], first[kept], stands[kept], seen[kept]


def labels_beside(view: View) -> dict[str, Longs]:
    """What leads are compared with, 1–4 or 0 by item: the majority of votes, and each judge."""
    counts = view.counts()
    most = counts.max(axis=1, initial=0)
    is_one = (counts == most[:, None]).sum(axis=1) == 1
    majority = np.where((most > 0) & is_one, counts.argmax(axis=1) + 1, 0)
    return {MAJORITY: majority} | {
        name: outcomes.choice.astype(np.int64) for name, outcomes in view.words().items()
    }


def share(
    view: View, labels: dict[str, str | int], rows: Longs, found: Bools, nothing: str
) -> Estimate:
    """A share of some rulings, clustered by pair of answers.

    Args:
        rows: the rulings' rows of the view.
        nothing: why there is no share where there are no rulings.
    """
    n = len(rows)
    if not n:
        return Estimate(labels, None, reason=nothing)
    pair = view.pair[rows]
    size = len(view.tally.pair_table)
    whole = np.bincount(pair, minlength=size)
    part = np.bincount(pair, weights=found, minlength=size).astype(np.int64)
    k = int(found.sum())
    interval = clustered_wilson(part, whole, view.options.level, "rulings", "pairs")
    if interval is None:
        return Estimate(labels, k / n, n=n, k=k, method="too few pairs for an interval")
    ends = interval.low, interval.high, view.options.level
    return Estimate(labels, k / n, *ends, n=n, k=k, method=interval.method)


@statistic(
    "deference",
    "Do leads defer to the majority or to judges?",
    order=72,
    limits=(
        "Changing one's mind after the names were seen may be deference or a reason that one "
        "had overlooked; the reasons given tell more than the share."
    ),
)
def deference(view: View) -> Result:
    """Blind rulings beside the votes and judges, and their revisions after unmasking."""
    rows, first, stands, seen = blind_rulings(view)
    revised = first != stands
    estimates = [
        share(
            view,
            {"what": "revised after unmasking", "of": "all"},
            rows[seen],
            revised[seen],
            "no blind ruling was unmasked",
        )
    ]
    for name, label in labels_beside(view).items():
        said = label[rows]
        given = (said > 0) & (first <= CHOICES)
        estimates.append(
            share(
                view,
                {"what": "blind ruling agrees", "of": name},
                rows[given],
                first[given] == said[given],
                "no blind ruling with an outcome on an item where it has one",
            )
        )
        differs, agrees = seen & (said > 0) & (first != said), seen & (said > 0) & (first == said)
        for what, among, turned in (
            ("revised towards", differs, stands == said),
            ("revised away from", agrees, stands != said),
        ):
            nothing = "no unmasked ruling that first said " + (
                "otherwise" if among is differs else "the same"
            )
            labels: dict[str, str | int] = {"what": what, "of": name}
            estimates.append(share(view, labels, rows[among], turned[among], nothing))
    return Result(
        "deference",
        "Do leads defer to the majority or to judges?",
        "What leads ruled blind beside votes and verdicts, and what they changed on seeing names.",
        ("what", "of"),
        tuple(estimates),
        _notes(rows, seen),
        view.assumptions(
            "towards: of unmasked rulings that first said otherwise, those that now say the same; "
            "away: of those that first said the same, those that now say otherwise",
            "a lead who defers to nobody revises towards and away alike, but for chance",
            "what was taken back by an undo counts in nothing",
        ),
    )


def _notes(rows: Longs, seen: Bools) -> tuple[str, ...]:
    if not len(rows):
        return ("no rulings yet",)
    unseen = int(np.count_nonzero(~seen))
    blind = f"{unseen} of {len(rows)} blind rulings were never unmasked: they could not be revised"
    chosen = "cases in the queue are chosen for being disputed: agreement on all items is higher"
    return (blind, chosen)
