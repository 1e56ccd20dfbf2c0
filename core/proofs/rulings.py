"""Proofs of what rests on leads' rulings: read from the log, one ruling after the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from core.proofs import reading
from core.proofs.registry import Compared, Oracle, Proof, Rows, register
from core.proofs.world import ANNOTATORS, JUDGES, LEADS, UNDISPUTED, Study

_OUTCOMES = (1, 2, 3, 4)
_MORE_VOTES = 6
_COUNTED = "counted one by one"


class Ruling(NamedTuple):
    """A ruling that stands.

    Attributes:
        blind: what the lead ruled before seeing a name; 0 if nothing.
        seen: whether the lead has seen the names since.
    """

    pair: int
    lead: str
    choice: int
    blind: int
    seen: bool
    probability: float | None
    reason: str
    final: bool


def standing(study: Study) -> list[Ruling]:
    """Rulings that nothing supersedes, oldest first."""
    names = [name for name, _ in ANNOTATORS + LEADS]
    by_seq = {row[0]: row for row in study.rulings}
    gone = {row[10] for row in study.rulings}
    unmasked = set(study.unmasked)
    found = []
    for row in study.rulings:
        if row[0] in gone or not row[5]:
            continue
        first = row
        while first[4] != 0 and first[10]:
            first = by_seq[first[10]]
        found.append(
            Ruling(
                row[1], names[row[3] - 1], row[5], first[5] if first[4] == 0 else 0,
                row[4] == 1 or (row[1], row[2], row[3]) in unmasked, row[7], row[8], bool(row[11]),
            )
        )  # fmt: skip
    return found


def _by_pair(rulings: list[Ruling]) -> Mapping[int, list[Ruling]]:
    found: dict[int, list[Ruling]] = defaultdict(list)
    for ruling in rulings:
        found[ruling.pair].append(ruling)
    return found


def settled(study: Study) -> dict[int, int]:
    """The outcome that leads ruled, by pair: the last final one, or what all of them say."""
    found = {}
    for pair, mine in _by_pair(standing(study)).items():
        finals = [ruling.choice for ruling in mine if ruling.final]
        said = set({ruling.lead: ruling.choice for ruling in mine}.values())
        choice = finals[-1] if finals else said.pop() if len(said) == 1 else 0
        if choice in _OUTCOMES:
            found[pair] = choice
    return found


def ruled_blind(study: Study) -> dict[int, int]:
    """The outcome that all leads who ruled on a pair ruled blind, by pair."""
    found = {}
    for pair, mine in _by_pair(standing(study)).items():
        said = {ruling.blind for ruling in mine}
        if len(said) == 1 and said <= set(_OUTCOMES):
            found[pair] = said.pop()
    return found


def probabilities(study: Study) -> dict[int, float]:
    """With what probability each pair that was drawn was drawn."""
    return {
        ruling.pair: ruling.probability
        for ruling in standing(study)
        if ruling.probability is not None
    }


def _most(study: Study) -> dict[int, int]:
    """The one most frequent outcome among a pair's votes."""
    found = {}
    for pair, votes in reading.by_pair(study).items():
        counts = Counter(vote.choice for vote in votes)
        top = [choice for choice, count in counts.items() if count == max(counts.values())]
        if len(top) == 1:
            found[pair] = top[0]
    return found


def _deference(study: Study, rows: Rows) -> Compared:
    rulings = [r for r in standing(study) if r.blind and r.blind != _MORE_VOTES]
    seen = [r for r in rulings if r.seen]
    yield (
        rows.value(what="revised after unmasking", of="all"),
        sum(r.choice != r.blind for r in seen) / len(seen),
    )
    beside: dict[str, Mapping[int, int]] = {"the majority": _most(study)}
    beside |= {judge.name: reading.words(study, judge.name) for judge in JUDGES}
    panel = {pair: word for pair, word in reading.panel_words(study).items() if word is not None}
    beside["panel: three"] = panel
    for name, label in beside.items():
        both = [(r, label[r.pair]) for r in rulings if r.pair in label]
        differs = [(r, said) for r, said in both if r.seen and r.blind != said]
        agrees = [(r, said) for r, said in both if r.seen and r.blind == said]
        told = {
            "blind ruling agrees": [r.blind == said for r, said in both if r.blind in _OUTCOMES],
            "revised towards": [r.choice == said for r, said in differs],
            "revised away from": [r.choice != said for r, said in agrees],
        }
        for what, each in told.items():
            if each:
                yield rows.value(what=what, of=name), sum(each) / len(each)


def _gold_error(study: Study, rows: Rows) -> Compared:
    most, right, drawn = _most(study), settled(study), probabilities(study)
    reason = {ruling.pair: ruling.reason for ruling in standing(study)}
    parts = {reason[pair] == UNDISPUTED for pair in drawn if pair in right}
    for name, reasons in (
        ("all items", set(reason.values())),
        ("undisputed", {UNDISPUTED}),
        ("disputed", set(reason.values()) - {UNDISPUTED}),
    ):
        pairs = [p for p in drawn if p in most and p in right and reason[p] in reasons]
        if pairs and (name != "all items" or len(parts) == 2):
            wrong = sum((most[pair] != right[pair]) / drawn[pair] for pair in pairs)
            yield rows.value(of=name), wrong / sum(1 / drawn[pair] for pair in pairs)


def _leads(study: Study, rows: Rows) -> Compared:
    said: dict[str, dict[int, int]] = {name: {} for name, _ in LEADS}
    for ruling in standing(study):
        if 0 < ruling.blind < _MORE_VOTES:
            said[ruling.lead][ruling.pair] = ruling.blind
    (lead_1, one), (lead_2, two) = sorted(said.items())
    both = [(one[pair], two[pair]) for pair in one.keys() & two.keys()]
    seen = sum(a == b for a, b in both) / len(both)
    first, second = Counter(a for a, _ in both), Counter(b for _, b in both)
    chance = sum(first[choice] * second[choice] for choice in first) / len(both) ** 2
    labels = {"lead_1": lead_1, "lead_2": lead_2}
    yield rows.value(**labels, what="agreement"), seen
    yield rows.value(**labels, what="kappa"), (seen - chance) / (1 - chance)


register(
    Proof("deference", (Oracle(_COUNTED, _deference),)),
    Proof("gold_error", (Oracle("ruling by ruling, each by 1 / probability", _gold_error),)),
    Proof("leads", (Oracle("from the definition", _leads),)),
)
