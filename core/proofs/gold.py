"""Proofs of gold by votes: Dawid and Skene's EM once more, vote by vote, in plain arrays.

Here a vote is a row and an item is a row, nothing is collapsed, and every side is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from core.gold import GoldRule
from core.proofs import reading
from core.proofs.reading import SECOND
from core.proofs.registry import Compared, Oracle, Proof, Rows, register
from core.proofs.rulings import probabilities, ruled_blind, settled
from core.proofs.world import ANNOTATORS, JUDGES, Study
from core.stats.dawid_skene import PRIOR_VOTES

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

_CLASSES = 4
_SEEN = ("left", "right", "tie", "both bad")
_STILL = 1e-12
"""What a step moves no probability by, once EM has come to its fixed point."""

_PARTS = 5
_FOLDS = 10
_EM = "EM vote by vote"


def _turned(table: Floats, left: Longs) -> Floats:
    """From models to sides or back: rows where model_2 stood left, first two columns exchanged."""
    return np.where((left == SECOND)[:, None], table[:, [1, 0, 2, 3]], table)


@dataclass(frozen=True, slots=True)
class _Said:
    """Choices as they were seen, one row each.

    Attributes:
        pair, rater, left: of each, 0 … − 1 the first two.
        seen: 1 where it was said, shape (choices, 4): left, right, tie, both bad.
    """

    pair: Longs
    rater: Longs
    left: Longs
    seen: Floats

    def posterior(self, before: Floats, confusion: Floats, fixed: Mapping[int, int]) -> Floats:
        """Logarithm of each class's joint probability by pair; −∞ for what a ruling excludes."""
        joint = np.log(np.maximum(before, 1e-10)) + np.zeros((len(before), 1))
        likely = np.einsum("vs,vts->vt", self.seen, np.log(confusion[self.rater]))
        np.add.at(joint, self.pair, _turned(likely, self.left))
        for pair, choice in fixed.items():
            joint[pair - 1, np.arange(_CLASSES) != choice - 1] = -np.inf
        return joint

    def table(self, posterior: Floats) -> Floats:
        """Expected choices by rater, true and said class, as seen."""
        true = _turned(posterior[self.pair], self.left)
        found = np.zeros((int(self.rater.max()) + 1, _CLASSES, _CLASSES))
        np.add.at(found, self.rater, np.einsum("vt,vs->vts", true, self.seen))
        return found


def _said(rows: list[tuple[int, int, int, int]]) -> _Said:
    """Of (pair, rater, choice, left)."""
    pair, rater, choice, left = np.array(rows, np.int64).T
    return _Said(pair - 1, rater, left, _turned(np.eye(_CLASSES)[choice - 1], left))


def _votes(study: Study) -> _Said:
    names = [name for name, _ in ANNOTATORS]
    votes = reading.votes(study)
    return _said([(v.pair, names.index(v.annotator), v.choice, v.left) for v in votes])


def _em(
    said: _Said,
    start: Floats,
    fixed: Mapping[int, int],
    given: Floats | None = None,
) -> Floats:
    """Posterior of each pair's classes, shape (pairs, 4).

    Args:
        start: of the posterior.
        fixed: what leads ruled by pair.
        given: of each pair before anything is said; without, one prior for all is fitted.
    """
    made_up = PRIOR_VOTES / 2 * (np.eye(_CLASSES) + 1 / _CLASSES)
    posterior = start
    while True:
        confusion = said.table(posterior) + made_up
        confusion /= confusion.sum(axis=2, keepdims=True)
        prior = posterior.mean(axis=0)
        prior[:2] = prior[:2].sum() / 2
        before = np.tile(prior, (len(start), 1)) if given is None else given
        joint = said.posterior(before, confusion, fixed)
        total = np.logaddexp.reduce(joint, axis=1, keepdims=True)
        before_it, posterior = posterior, np.exp(joint - total)
        if np.abs(posterior - before_it).max() < _STILL:
            return posterior


def _counts(study: Study) -> Floats:
    """Votes by pair and outcome."""
    found = np.zeros((len(study.pairs), _CLASSES))
    for vote in reading.votes(study):
        found[vote.pair - 1, vote.choice - 1] += 1
    return found


def _fitted(study: Study, fixed: Mapping[int, int]) -> Floats:
    counts = _counts(study)
    total = counts.sum(axis=1, keepdims=True)
    start = np.where(total > 0, counts / np.maximum(total, 1), 1 / _CLASSES)
    for pair, choice in fixed.items():
        start[pair - 1] = np.eye(_CLASSES)[choice - 1]
    return _em(_votes(study), start, fixed)


def _majority(votes: Floats) -> int:
    """The outcome with more than half of some votes; 0 if there is none."""
    return int(votes.argmax()) + 1 if votes.max() > votes.sum() / 2 else 0


def _likeliest(shares: Floats) -> int:
    return int(shares.argmax()) + 1 if shares.max() >= GoldRule().threshold else 0


def _gold_models(study: Study, rows: Rows) -> Compared:
    fixed, counts = settled(study), _counts(study)
    posterior = _fitted(study, fixed)
    free = [n for n in range(len(counts)) if counts[n].any() and n + 1 not in fixed]
    both = [(_majority(counts[n]), _likeliest(posterior[n])) for n in free]
    shares = {
        "majority decides": [a > 0 for a, _ in both],
        "dawid-skene decides": [b > 0 for _, b in both],
        "agree": [a == b for a, b in both if a and b],
        "only majority": [a > 0 and not b for a, b in both],
        "only dawid-skene": [b > 0 and not a for a, b in both],
        "neither": [not a and not b for a, b in both],
        "entropy": [-sum(q * log(q, _CLASSES) for q in posterior[n] if q > 0) for n in free],
        "expected error": [1 - max(posterior[n]) for n in free],
    }
    yield rows.value(measure="ruled"), len(fixed)
    for measure, each in shares.items():
        if each:
            yield rows.value(measure=measure), float(sum(each) / len(each))


def _confused(rows: Rows, name: str, table: Floats) -> Compared:
    for true, label in enumerate(_SEEN):
        for row in rows.every(rater=name, true=label):
            assert row.value is not None
            yield row.value, float(table[true, true] / table[true].sum())


def _confusion(study: Study, rows: Rows) -> Compared:
    fixed, counts = settled(study), _counts(study)
    posterior = _fitted(study, fixed)
    for (name, _), table in zip(ANNOTATORS, _votes(study).table(posterior), strict=True):
        yield from _confused(rows, name, table)
    known = {n + 1 for n in range(len(counts)) if counts[n].any()} | fixed.keys()
    for judge in JUDGES:
        said = _said([
            (call.pair, 0, call.choice, call.left)
            for call in reading.calls(study)
            if call.judge == judge.name and call.choice and not call.repeat and call.pair in known
        ])  # fmt: skip
        told = _em(said, posterior, {}, given=posterior)
        yield from _confused(rows, judge.name, said.table(told)[0])


def _without_own(study: Study, gold: Mapping[int, int]) -> dict[int, int]:
    """What the fit that knows the rulings on other parts of the questions only says of each."""
    voted = reading.by_pair(study)
    found: dict[int, int] = {}
    part_of = {pair: int(q[1:]) % _FOLDS % _PARTS for pair, q, *_ in study.pairs}
    fixed = settled(study)
    for part in sorted({part_of[pair] for pair in gold}):
        mine = [pair for pair in gold if part_of[pair] == part]
        posterior = _fitted(study, {p: c for p, c in fixed.items() if p not in mine})
        found |= {pair: _likeliest(posterior[pair - 1]) for pair in mine if pair in voted}
    return {pair: choice for pair, choice in found.items() if choice}


def _raters(study: Study, gold: Mapping[int, int]) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Everybody's words as (pair, choice)."""
    votes, counts = reading.votes(study), _counts(study)
    yield "human", [(v.pair, v.choice) for v in votes]
    for name, group in ANNOTATORS:
        yield name, [(v.pair, v.choice) for v in votes if v.annotator == name]
        mine = [(v.pair, v.choice) for v in votes if v.group == group]
        yield f"human: {group}", mine
    for judge in JUDGES:
        yield judge.name, list(reading.words(study, judge.name).items())
    panel = reading.panel_words(study)
    yield "panel: three", [(pair, word) for pair, word in panel.items() if word is not None]
    by_votes = {pair: _majority(counts[pair - 1]) for pair in gold}
    yield "(majority)", [(pair, choice) for pair, choice in by_votes.items() if choice]
    yield "(dawid-skene)", list(_without_own(study, gold).items())


def _gold_agreement(study: Study, rows: Rows) -> Compared:
    gold, drawn = ruled_blind(study), probabilities(study)
    for name, said in _raters(study, gold):
        for over, weight in (
            ("all ruled", dict.fromkeys(gold, 1.0)),
            ("drawn", {pair: 1 / chance for pair, chance in drawn.items()}),
        ):
            used = [(p, choice) for p, choice in said if p in gold and p in weight]
            if used:
                same = sum(weight[pair] * (choice == gold[pair]) for pair, choice in used)
                total = sum(weight[pair] for pair, _ in used)
                yield rows.value(rater=name, over=over), same / total


register(
    Proof("gold_models", (Oracle(_EM, _gold_models),)),
    Proof(
        "confusion",
        (Oracle(_EM, _confusion),),
        at_least="votes whose truth is uncertain are taken for less than they are worth",
    ),
    Proof(
        "gold_agreement",
        (Oracle(f"counted one by one, {_EM}", _gold_agreement),),
        weighs={"over": "drawn", "is": "judge"},
    ),
)
