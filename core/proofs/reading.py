"""A slow reading of a made-up study, one row after the other, straight from the definitions.

Nothing here uses what it is to prove: no tally, no view, no shared helper.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import NamedTuple

from core.proofs.world import ANNOTATORS, JUDGES, Study

FIRST, SECOND, TIE, BAD = 1, 2, 3, 4


class Vote(NamedTuple):
    """A first vote, or (``repeat`` above 0) a marked repeat."""

    pair: int
    annotator: str
    group: str
    choice: int
    left: int
    repeat: int


class Said(NamedTuple):
    """One call to a judge; choice 0 failed."""

    pair: int
    judge: str
    choice: int
    left: int
    repeat: int


def votes(study: Study, *, repeats: bool = False) -> list[Vote]:
    """First votes in the order cast, or the repeats."""
    found = []
    for _, pair, _, annotator, code, left, _ in study.votes:
        repeat, choice = divmod(code, 10)
        if bool(repeat) is repeats:
            found.append(Vote(pair, *ANNOTATORS[annotator - 1], choice, left, repeat))
    return found


def calls(study: Study) -> list[Said]:
    """Every call to a judge."""
    return [
        Said(pair, JUDGES[judge - 1].name, choice, left, repeat)
        for _, pair, _, judge, choice, left, repeat, _ in study.verdicts
    ]


def by_order(study: Study, judge: str) -> dict[int, dict[int, int]]:
    """A judge's first word in each order by pair; 0 failed."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for said in calls(study):
        if said.judge == judge and not said.repeat:
            found[said.pair][said.left] = said.choice
    return found


def words(study: Study, judge: str) -> dict[int, int]:
    """What a judge says of each pair, both orders joined; pairs where a call failed are out."""
    return {
        pair: orders[1] if orders[1] == orders[2] else TIE
        for pair, orders in by_order(study, judge).items()
        if 0 not in orders.values()
    }


def panel_words(study: Study) -> dict[int, int | None]:
    """The majority of the judges by pair: None if nobody wins, no entry if half of it failed."""
    every = {judge.name: words(study, judge.name) for judge in JUDGES}
    found: dict[int, int | None] = {}
    for pair, *_ in study.pairs:
        said = [mine[pair] for mine in every.values() if pair in mine]
        if 2 * (len(every) - len(said)) >= len(every):
            continue
        most = max(said.count(choice) for choice in said)
        winners = {choice for choice in said if said.count(choice) == most}
        found[pair] = winners.pop() if len(winners) == 1 else None
    return found


def by_pair(study: Study) -> dict[int, list[Vote]]:
    """First votes by pair."""
    found: dict[int, list[Vote]] = defaultdict(list)
    for vote in votes(study):
        found[vote.pair].append(vote)
    return found


def models_of(study: Study) -> dict[int, tuple[str, str]]:
    """The two models of each pair."""
    return {pair: (one, two) for pair, _, _, one, two in study.pairs}


def share_agreeing(couples: list[tuple[int, int]], setup: str) -> float:
    """Of couples of choices, those that are the same; S2 keeps those that both prefer a model."""
    kept = [(a, b) for a, b in couples if setup == "S1" or max(a, b) <= SECOND]
    return sum(a == b for a, b in kept) / len(kept)


def judge_couples(study: Study, judge: str) -> list[tuple[int, int]]:
    """Every vote with the judge's word on its pair."""
    said = words(study, judge)
    return [(vote.choice, said[vote.pair]) for vote in votes(study) if vote.pair in said]


def people_couples(study: Study) -> list[tuple[int, int]]:
    """All couples of votes on one pair."""
    return [
        (a.choice, b.choice) for said in by_pair(study).values() for a, b in combinations(said, 2)
    ]
