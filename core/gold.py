"""From votes, verdicts and rulings to one gold label for each pair and turn, with its trail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.records import Choice, Ruling, RulingChoice, Vote


class DecidedBy(StrEnum):
    """What a gold label rests on."""

    RULING = "ruling"
    MAJORITY = "majority"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True, slots=True)
class GoldRule:
    """When votes alone decide.

    Attributes:
        share: the label needs more than this share of the votes, in [0, 1).
        min_votes: with fewer votes nothing is decided.
    """

    share: float = 0.5
    min_votes: int = 1


@dataclass(frozen=True, slots=True)
class Gold:
    """The label that counts, and what it rests on.

    Attributes:
        label: None where ``decided_by`` is unresolved.
        why: in words, for the row's reader.
        counts: votes by outcome; verdicts never enter.
    """

    label: Choice | None
    decided_by: DecidedBy
    why: str
    counts: dict[Choice, int]


def decide(votes: Sequence[Vote], rulings: Sequence[Ruling], rule: GoldRule) -> Gold:
    """The gold label of one pair and turn.

    A lead's ruling goes before votes. Otherwise the one most frequent outcome decides if it has
    more than ``rule.share`` of at least ``rule.min_votes`` votes. Judges' verdicts decide
    nothing: they stand in the trail.

    Args:
        votes: those that stand: neither withdrawn nor superseded.
        rulings: those that stand, oldest first; the last one counts.
    """
    counts = {choice: 0 for choice in Choice}
    counts.update(Counter(vote.choice for vote in votes if vote.choice is not None))
    if rulings:
        last = rulings[-1]
        if last.choice is None or last.choice in (
            RulingChoice.NOT_DECIDABLE,
            RulingChoice.MORE_VOTES,
        ):
            return Gold(None, DecidedBy.UNRESOLVED, f"ruled {last.choice}", counts)
        return Gold(Choice(last.choice), DecidedBy.RULING, f"ruled {last.stage}", counts)
    total = sum(counts.values())
    if total < rule.min_votes or total == 0:
        wanted = max(rule.min_votes, 1)
        why = f"{total} of the {wanted} votes that are needed"
        return Gold(None, DecidedBy.UNRESOLVED, why, counts)
    label = max(counts, key=lambda choice: counts[choice])
    why = f"{counts[label]} of {total} votes"
    if list(counts.values()).count(counts[label]) > 1:
        return Gold(None, DecidedBy.UNRESOLVED, f"two outcomes have {why} each", counts)
    if counts[label] / total > rule.share:
        return Gold(label, DecidedBy.MAJORITY, why, counts)
    return Gold(None, DecidedBy.UNRESOLVED, f"no outcome has more than {rule.share:.0%}", counts)
