"""From votes, verdicts and rulings to one gold label for each pair and turn, with its trail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.records import Choice, Ruling, RulingChoice, Vote
from core.text import many


class DecidedBy(StrEnum):
    """What a gold label rests on."""

    RULING = "ruling"
    DAWID_SKENE = "dawid_skene"
    MAJORITY = "majority"
    UNRESOLVED = "unresolved"


class GoldModel(StrEnum):
    """How votes decide where no lead has ruled."""

    MAJORITY = "majority"
    DAWID_SKENE = "dawid-skene"


@dataclass(frozen=True, slots=True)
class GoldRule:
    """When votes alone decide.

    Attributes:
        share: by majority, the label needs more than this share of the votes, in [0, 1).
        min_votes: with fewer votes nothing is decided.
        model: how votes decide.
        threshold: by Dawid–Skene, the label needs at least this probability, in (0, 1].
    """

    share: float = 0.5
    min_votes: int = 1
    model: GoldModel = GoldModel.MAJORITY
    threshold: float = 0.8


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


def decide(
    votes: Sequence[Vote],
    rulings: Sequence[Ruling],
    rule: GoldRule,
    posterior: Mapping[Choice, float] | None = None,
) -> Gold:
    """The gold label of one pair and turn.

    A lead's ruling goes before votes; of several by one lead the last counts. Leads who disagree
    leave it unresolved, unless one of them marked theirs as final: the last of these settles it.
    Without rulings ``rule.model`` says how votes decide. By majority, the one most frequent
    outcome does if it has more than ``rule.share`` of at least ``rule.min_votes`` votes; by
    Dawid–Skene, the one most likely outcome if its probability reaches ``rule.threshold``.
    Judges' verdicts decide nothing: they stand in the trail.

    Args:
        votes: those that stand: neither withdrawn nor superseded.
        rulings: those that stand, oldest first.
        posterior: how likely each outcome is, from
            :func:`core.stats.gold_kept.posteriors` over the whole study; needed by Dawid–Skene
            wherever there are votes.

    Raises:
        ValueError: if it is needed and not there.
    """
    counts = {choice: 0 for choice in Choice}
    counts.update(Counter(vote.choice for vote in votes if vote.choice is not None))
    if rulings:
        return _ruled(rulings, counts)
    total = sum(counts.values())
    if total < rule.min_votes or total == 0:
        wanted = max(rule.min_votes, 1)
        why = f"{total} of {many(wanted, 'vote')} needed"
        return Gold(None, DecidedBy.UNRESOLVED, why, counts)
    if rule.model is GoldModel.MAJORITY:
        return _by_majority(counts, total, rule)
    if posterior is None:
        raise ValueError("Dawid–Skene needs the probabilities of the item's outcomes")
    return _by_probability(posterior, counts, total, rule)


def _ruled(rulings: Sequence[Ruling], counts: dict[Choice, int]) -> Gold:
    by_lead = {ruling.lead: ruling for ruling in rulings}
    finals = [ruling for ruling in rulings if ruling.final]
    said = {ruling.choice for ruling in by_lead.values()}
    if len(said) > 1 and not finals:
        return Gold(None, DecidedBy.UNRESOLVED, "leads disagree", counts)
    last = (finals or rulings)[-1]
    if last.choice is None or last.choice in (RulingChoice.NOT_DECIDABLE, RulingChoice.MORE_VOTES):
        return Gold(None, DecidedBy.UNRESOLVED, f"ruled {last.choice}", counts)
    return Gold(Choice(last.choice), DecidedBy.RULING, f"ruled {last.stage}", counts)


def _by_majority(counts: dict[Choice, int], total: int, rule: GoldRule) -> Gold:
    label = max(counts, key=lambda choice: counts[choice])
    why = f"{counts[label]} of {many(total, 'vote')}"
    if list(counts.values()).count(counts[label]) > 1:
        return Gold(None, DecidedBy.UNRESOLVED, f"two outcomes have {why} each", counts)
    if counts[label] / total > rule.share:
        return Gold(label, DecidedBy.MAJORITY, why, counts)
    return Gold(None, DecidedBy.UNRESOLVED, f"no outcome has more than {rule.share:.0%}", counts)


def _by_probability(
    posterior: Mapping[Choice, float], counts: dict[Choice, int], total: int, rule: GoldRule
) -> Gold:
    label = max(posterior, key=lambda choice: posterior[choice])
    top = posterior[label]
    why = f"probability {top:.3f} after {counts[label]} of {many(total, 'vote')}"
    if list(posterior.values()).count(top) > 1:
        return Gold(None, DecidedBy.UNRESOLVED, f"two outcomes have probability {top:.3f}", counts)
    if top >= rule.threshold:
        return Gold(label, DecidedBy.DAWID_SKENE, why, counts)
    return Gold(None, DecidedBy.UNRESOLVED, f"no outcome reaches {rule.threshold:g}; {why}", counts)
