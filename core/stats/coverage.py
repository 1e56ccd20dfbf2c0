"""What the study holds: how many votes and verdicts, and how they spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.stats.both_bad_use import share_of_all
from core.stats.collapsed import collapsed, said_by, votes
from core.stats.filters import selected_votes
from core.stats.outcomes import KINDS
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result, count
from core.stats.standing_votes import standing_by_rater
from core.stats.tally import BOTH_BAD, CHOICES, Votes
from core.stats.view import View


def _people(view: View, population: str) -> list[Estimate]:
    (counts,), times = collapsed(view, votes(view, population))
    per_item = counts.sum(axis=1)
    voted = per_item[per_item > 0]
    items, cast = int(times[per_item > 0].sum()), int(times @ per_item)

    def labels(measure: str) -> dict[str, Label]:
        return {"rater": population, "measure": measure}

    rows = [
        count(labels("votes"), cast),
        count(labels("items voted on"), items, n=int(times.sum())),
        count(labels("annotators"), _annotators(view, population)),
        count(labels("cannot judge"), _declined(view, population)),
    ]
    if not cast:
        nothing = "there are no votes"
        return [
            *rows,
            Estimate(labels("votes per item"), None, unit="count", reason=nothing),
            Estimate(labels("both bad"), None, reason=nothing),
        ]
    mean = cast / items
    spread = f"mean over items voted on; from {voted.min()} to {voted.max()}; "
    spread += "no interval: a mean of what there is"
    rows.append(Estimate(labels("votes per item"), mean, n=items, unit="count", method=spread))
    # The very interval that both_bad_use has: it is the same number.
    share = share_of_all(view, population)
    if share:
        rows.append(
            Estimate(
                labels("both bad"),
                share.value,
                share.low,
                share.high,
                view.options.level,
                n=cast,
                k=int(times @ counts[:, BOTH_BAD - 1]),
                method=share.method,
            )
        )
    return rows


def _annotators(view: View, population: str) -> int:
    """How many annotators have a vote that counts on a selected item."""
    if view.selects_all and view.vote_filter is None:
        return int(view.members(population)[view.tally.votes_standing > 0].sum())

    def is_wanted(votes: Votes) -> NDArray[np.bool_]:
        wanted = view.selects(votes.item)
        if view.vote_filter is not None:
            wanted &= selected_votes(view.tally, view.options, votes.annotator, votes.seq)
        return wanted

    voters = standing_by_rater(view.tally, (view.selection, view.vote_filter), is_wanted)
    return int(view.members(population)[voters > 0].sum())


def _declined(view: View, population: str) -> int:
    """How often somebody could not judge a selected item; no vote, and in no other number."""
    standing = view.tally.declined_standing
    if not standing.any() or (view.selects_all and view.vote_filter is None):
        return int(standing[view.members(population)].sum())
    item, annotator = view.cannot_judge
    here = view.selects(item) & view.members(population)[annotator]
    return int(here.sum())


def _judges(view: View) -> list[Estimate]:
    rows = []
    numbers = {name: number for number, name in enumerate(view.tally.judges)}
    for name in view.present:
        ok, failed = view.tally.verdict_calls(numbers[name])
        rows.append(count({"rater": name, "measure": "verdicts: ok"}, ok, n=ok + failed))
        rows.append(count({"rater": name, "measure": "verdicts: failure"}, failed, n=ok + failed))
        rows += _items(view, name)
    for name in view.panels():
        rows += _items(view, name)
    return rows


def _items(view: View, name: str) -> list[Estimate]:
    """How many items a judge or panel has a word on, by how it came about."""
    outcomes, times = said_by(view, name)
    kinds = np.bincount(outcomes.kind + 1, times, len(KINDS) + 1)[1:].astype(np.int64)
    return [
        count({"rater": name, "measure": f"items: {kind}"}, int(number), n=int(kinds.sum()))
        for kind, number in zip(KINDS, kinds, strict=True)
        if number
    ]


@statistic(
    "coverage",
    "Votes and verdicts so far",
    order=10,
    limits="Not a sign of quality: many votes on few items narrow no interval by much.",
    follows=True,
)
def coverage(view: View) -> Result:
    """Votes, items, annotators, the both-bad share, and what came of each judge's calls."""
    estimates = [row for population in view.populations for row in _people(view, population)]
    return Result(
        "coverage",
        "Votes and verdicts so far",
        "How much there is to go on, and how it spreads.",
        ("rater", "measure"),
        (*estimates, *_judges(view)),
        (),
        view.assumptions(
            "withdrawn and superseded votes and verdicts are not counted",
            "who cannot judge an item gives it no vote: that is counted apart",
            "verdict counts are calls and ignore the choice of category and turn",
            f"an item is a pair and a turn; a vote has one of {CHOICES} choices",
        ),
    )
