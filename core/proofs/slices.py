"""Proofs of agreement within parts of a study: categories, and match-ups of two models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations

from core.proofs import reading
from core.proofs.registry import Compared, Oracle, Proof, Rows, register
from core.proofs.world import ANNOTATORS, JUDGES, Study

_HUMAN = "human"


def _sliced(study: Study, rows: Rows, part_of: Mapping[int, Mapping[str, str]]) -> Compared:
    """Rows of every part that is told, counted couple by couple.

    Args:
        part_of: the labels of each pair's part.
    """
    voted, group_of = reading.by_pair(study), dict(ANNOTATORS)
    words = {judge.name: reading.words(study, judge.name) for judge in JUDGES}
    pairs: dict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
    for pair, labels in part_of.items():
        pairs[tuple(labels.items())].append(pair)
    for labels_of, mine in pairs.items():
        couples: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for vote in (vote for pair in mine for vote in voted.get(pair, [])):
            for name, said in words.items():
                if vote.pair in said:
                    couples[name, _HUMAN].append((vote.choice, said[vote.pair]))
        for one, two in (c for pair in mine for c in combinations(voted.get(pair, []), 2)):
            both = (one.choice, two.choice)
            couples[_HUMAN, _HUMAN].append(both)
            first, second = sorted((group_of[one.annotator], group_of[two.annotator]))
            couples[f"{_HUMAN}: {first}", f"{_HUMAN}: {second}"].append(both)
        for (rater_1, rater_2), each in couples.items():
            for setup in ("S1", "S2"):
                labels = {**dict(labels_of), "setup": setup, "rater_1": rater_1, "rater_2": rater_2}
                for row in rows.every(**labels):
                    assert row.value is not None
                    yield row.value, reading.share_agreeing(each, setup)


def _by_category(study: Study, rows: Rows) -> Compared:
    return _sliced(study, rows, {pair: {"category": name} for pair, _, name, *_ in study.pairs})


def _by_pair(study: Study, rows: Rows) -> Compared:
    parts = {pair: {"model_1": a, "model_2": b} for pair, _, _, a, b in study.pairs}
    return _sliced(study, rows, parts)


_COUNTED = "counted one by one"
register(
    Proof("agreement_by_category", (Oracle(_COUNTED, _by_category),), weighs={}),
    Proof("agreement_by_pair", (Oracle(_COUNTED, _by_pair),), weighs={}),
)
