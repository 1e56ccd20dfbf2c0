"""Whether leads defer: what they rule blind, and what they change once they see who said what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.stats.collapsed import word
from core.stats.intervals import clustered_wilson
from core.stats.registry import statistic
from core.stats.results import Estimate, Result
from core.stats.rulings import MORE_VOTES, UNMASKED
from core.stats.tally import CHOICES
from core.stats.view import View
from core.text import many

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAJORITY = "the majority"


def blind_rulings(view: View) -> tuple[Longs, Longs, Longs, Bools]:
    """Rulings that stand on items of the view and were first made blind.

    Returns:
        Item of the tally, what was ruled blind, what stands, and whether names were seen since.
    """
    rulings, tally = view.tally.rulings, view.tally
    first, stands = rulings.first_choice, rulings.choice
    seen = np.array(
        [place in tally.unmasked for place in zip(rulings.item, rulings.lead, strict=True)],
        np.bool_,
    ) | (rulings.stage == UNMASKED)
    kept = (first > 0) & (first != MORE_VOTES) & view.selects(rulings.item)
    return rulings.item[kept], first[kept], stands[kept], seen[kept]


def majority_on(view: View, items: Longs) -> Longs:
    """The one most frequent outcome among people's votes on items of the tally, 1–4; 0: none."""
    counts = view.votes_on(view.people, items)[:, :CHOICES]
    most = counts.max(axis=1, initial=0)
    is_one = (counts == most[:, None]).sum(axis=1) == 1
    return np.where((most > 0) & is_one, counts.argmax(axis=1) + 1, 0)


def labels_beside(view: View, items: Longs) -> dict[str, Longs]:
    """What leads are compared with on some items of the tally, 1–4 or 0.

    The majority of votes, then each judge and panel.
    """
    return {MAJORITY: majority_on(view, items)} | {
        name: word(view, name).rows(items)[:, 0].astype(np.int64)
        for name in (*view.present, *view.panels())
    }


def share(
    view: View, labels: dict[str, str | int], items: Longs, found: Bools, nothing: str
) -> Estimate:
    """A share of some rulings, clustered by pair of answers.

    Args:
        items: of the tally, on which each was made.
        nothing: why there is no share where there are no rulings.
    """
    n = len(items)
    if not n:
        return Estimate(labels, None, reason=nothing)
    _, pair = np.unique(view.tally.item_pair[items], return_inverse=True)
    whole = np.bincount(pair)
    part = np.bincount(pair, weights=found).astype(np.int64)
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
    follows=True,
)
def deference(view: View) -> Result:
    """Blind rulings beside the votes and judges, and their revisions after unmasking."""
    items, first, stands, seen = blind_rulings(view)
    revised = first != stands
    estimates = [
        share(
            view,
            {"what": "revised after unmasking", "of": "all"},
            items[seen],
            revised[seen],
            "no blind ruling was unmasked",
        )
    ]
    for name, said in labels_beside(view, items).items():
        given = (said > 0) & (first <= CHOICES)
        estimates.append(
            share(
                view,
                {"what": "blind ruling agrees", "of": name},
                items[given],
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
            estimates.append(share(view, labels, items[among], turned[among], nothing))
    return Result(
        "deference",
        "Do leads defer to the majority or to judges?",
        "What leads ruled blind beside votes and verdicts, and what they changed on seeing names.",
        ("what", "of"),
        tuple(estimates),
        _notes(items, seen),
        view.assumptions(
            "towards: of unmasked rulings that first said otherwise, those that now say the same; "
            "away: of those that first said the same, those that now say otherwise",
            "a lead who defers to nobody revises towards and away alike, but for chance",
            "what was taken back by an undo counts in nothing",
        ),
    )


def _notes(items: Longs, seen: Bools) -> tuple[str, ...]:
    if not len(items):
        return ("no rulings yet",)
    unseen = int(np.count_nonzero(~seen))
    blind = f"never unmasked, so never revised: {unseen} of {many(len(items), 'blind ruling')}"
    chosen = "cases in the queue are chosen for being disputed: agreement on all items is higher"
    return (blind, chosen)
