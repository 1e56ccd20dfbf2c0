"""What a lead sees of a case: opinions without names, and a list to choose from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.blinding import as_seen
from core.records import Choice, RulingChoice, Seen

SAMPLE_EVERY = 5
"""Of so many cases that a lead rules on in order of their effect, one is of the random sample."""


def is_sample_due(since: int) -> bool:
    """Whether the next case is to be of the random sample.

    Args:
        since: how many cases this lead ruled on after the last one of it.
    """
    return since >= SAMPLE_EVERY - 1


class Reason(StrEnum):
    """Why a pair and turn is in the queue, most telling first."""

    SECOND_OPINION = "second_opinion"
    HUMAN_SPLIT = "human_split"
    HUMAN_JUDGE = "human_judge"
    BOTH_BAD_OR_WIN = "both_bad_or_win"
    JUDGE_JUDGE = "judge_judge"
    JUDGE_FLIP = "judge_flip"
    FLAGGED = "flagged"
    CANNOT_JUDGE = "cannot_judge"
    LOW_CONFIDENCE = "low_confidence"
    AGREEMENT_SAMPLE = "agreement_sample"
    BY_HAND = "by_hand"


REASON_WORDS: Mapping[Reason, str] = {
    Reason.SECOND_OPINION: "a second opinion was asked for",
    Reason.HUMAN_SPLIT: "people gave different outcomes",
    Reason.HUMAN_JUDGE: "a judge says otherwise than people",
    Reason.BOTH_BAD_OR_WIN: "one says both are bad, another that one wins",
    Reason.JUDGE_JUDGE: "judges contradict each other",
    Reason.JUDGE_FLIP: "a judge's verdict followed the position",
    Reason.FLAGGED: "an annotator flagged it",
    Reason.CANNOT_JUDGE: "an annotator could not judge it",
    Reason.LOW_CONFIDENCE: "a vote was cast with the lowest confidence",
    Reason.AGREEMENT_SAMPLE: "drawn at random",
    Reason.BY_HAND: "chosen by hand",
}
"""Each reason in words, for lists and exports."""


class State(StrEnum):
    """What became of a case, as one lead sees it.

    ``MINE`` is open on this lead's screen, ``TAKEN`` on another's. ``RULED`` is settled for this
    lead. ``MORE_VOTES`` waits for the votes that a ruling asked for; once they are in, the case
    waits for a ruling again. ``REFUSED`` is closed to this lead by the study's rule on conflicts
    of interest.
    """

    WAITING = "waiting"
    MINE = "mine"
    TAKEN = "taken"
    RULED = "ruled"
    MORE_VOTES = "more_votes"
    REFUSED = "refused"


OPEN_TO_RULE = frozenset({State.WAITING, State.MINE})
"""What a lead can rule on now."""


class Order(StrEnum):
    """By what the queue is sorted.

    ``RANKING``: the expected effect of a ruling on the ranking, largest first, with the random
    sample mixed in. ``AGREEMENT``: its expected effect on the agreement of judges with the gold
    labels. The others are columns of the list.
    """

    RANKING = "ranking"
    AGREEMENT = "agreement"
    REASON = "reason"
    QUESTION = "question"
    CATEGORY = "category"
    TURN = "turn"
    OPINIONS = "opinions"
    SPREAD = "spread"
    RANDOM = "random"

    @property
    def is_mixed(self) -> bool:
        """Whether the random sample stands at places of its own in it."""
        return self in (Order.RANKING, Order.AGREEMENT)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cases a list shows.

    Attributes:
        reasons: any of these; all where empty.
        states: any of these.
        category, turn: only these; all where None.
        disputed: those alone on which leads disagree, as far as this lead may know.
    """

    reasons: frozenset[Reason] = frozenset()
    states: frozenset[State] = OPEN_TO_RULE
    category: str | None = None
    turn: int | None = None
    disputed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One case in the list, without a name.

    Attributes:
        key: names the case: pair key and turn; names no model.
        reasons: all that hold, the most telling first.
        spread: how many opinions each outcome has, largest first; which one is not said.
        effect: how far a ruling is expected to move the models' ratings, in log-odds (root mean
            square over the models).
        agreement_effect: expected change of the judges' agreement with gold, in shares, added up.
        probability: with which it was drawn for the random sample; None where it is in the queue
            for what it is.
        rulings: how many leads' rulings stand on it.
        is_blank: whether it is of the random sample and waits for this lead: why it is there, how
            opinions fall and what a ruling would change are not said, since what nobody disputes
            would be told by them.
        is_disputed: whether these differ and none is final; said to who has seen its names.
    """

    key: str
    question: str
    category: str | None
    turn: int
    reasons: tuple[Reason, ...]
    state: State
    spread: tuple[int, ...]
    effect: float
    agreement_effect: float
    probability: float | None
    rulings: int
    is_disputed: bool = False
    is_blank: bool = False

    @property
    def opinions(self) -> int:
        """How many outcomes were given."""
        return sum(self.spread)


@dataclass(frozen=True, slots=True)
class Opinion:
    """One vote or verdict, without who gave it.

    Attributes:
        number: from 1, in the shuffled order shown: "opinion 2".
        seen: the outcome, as the answers stand now; None where none was given.
        cannot_judge: why an annotator gave none.
        text: the note or explanation, with names hidden (see :mod:`core.adjudication.masking`).
        hidden: how many names were hidden in it.
        is_turned: the text was written with the two answers on the other sides: its left, or its
            A, is what stands right now.
        is_unsided: nobody recorded on which sides they stood for who wrote the text.
        is_own: this lead's own earlier vote.
        kind: ``person`` or ``judge`` where the study shows it to leads who rule; empty otherwise.
    """

    number: int
    seen: Seen | None
    cannot_judge: str = ""
    tags: tuple[str, ...] = ()
    criteria: Mapping[str, Seen] = field(default_factory=dict)
    confidence: int | None = None
    text: str = ""
    flag: str = ""
    hidden: int = 0
    is_turned: bool = False
    is_own: bool = False
    kind: str = ""
    is_unsided: bool = False

    @property
    def label(self) -> str:
        """What it is called on the screen."""
        return f"opinion {self.number}"


@dataclass(frozen=True, slots=True)
class Case:
    """One pair and turn as a lead rules on it: texts as shown, opinions unnamed.

    Attributes:
        key: names the case for :class:`db.ruling_queue.RulingQueue`.
        turn: the turn to rule on; 0 is the whole conversation.
        question, references, left, right: as in :class:`db.serving.Served`, all turns.
        opinions: in an order that follows from the study's seed alone.
        reasons: why it is in the queue; empty where that would tell a judge from a person.
        draft: what was typed before a line dropped: (choice or "", reason).
        ruling: the id of this lead's standing ruling; empty before it.
        earlier: what that says, and why: (choice or "", reason).
        is_final: whether it settles what leads disagree about.
        is_unmasked: whether this lead has seen who is who.
        asked: why a second opinion was asked for; empty where none was.
        lease_until: until when no other lead gets it.
    """

    key: str
    turn: int
    category: str | None
    question: tuple[str, ...]
    references: tuple[str | None, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]
    opinions: tuple[Opinion, ...]
    reasons: tuple[Reason, ...] = ()
    draft: tuple[str, str] = ("", "")
    ruling: str = ""
    earlier: tuple[str, str] = ("", "")
    is_final: bool = False
    is_unmasked: bool = False
    asked: str = ""
    lease_until: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """Who gave an opinion, after unmasking.

    Attributes:
        kind: ``person`` or ``judge``.
        detail: what a judge is: its model and prompt; an annotator's group.
    """

    opinion: Opinion
    name: str
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LeadSaid:
    """What another lead ruled on a case, after unmasking."""

    name: str
    seen: RulingSeen
    reason: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class Unmasked:
    """A case with its names: told once it is ruled on.

    Attributes:
        left, right: the models, as their answers stand.
        blind: what this lead ruled before seeing this.
        stands: what this lead's ruling says now.
        others: what other leads ruled.
    """

    key: str
    left: str
    right: str
    opinions: tuple[Named, ...]
    blind: RulingSeen
    stands: RulingSeen
    reason: str
    reasons: tuple[Reason, ...] = ()
    others: tuple[LeadSaid, ...] = ()


class RulingSeen(StrEnum):
    """A lead's decision as the answers stand on the screen."""

    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"
    BOTH_BAD = "both_bad"
    NOT_DECIDABLE = "not_decidable"
    MORE_VOTES = "more_votes"


_WITHOUT_OUTCOME = (RulingChoice.NOT_DECIDABLE, RulingChoice.MORE_VOTES)


def ruled(seen: RulingSeen, left: int) -> RulingChoice:
    """A decision as cast in model space.

    Args:
        left: 1 or 2, which model stands left.
    """
    if seen in (RulingSeen.LEFT, RulingSeen.RIGHT):
        is_first = (seen is RulingSeen.LEFT) == (left == 1)
        return RulingChoice.MODEL_1 if is_first else RulingChoice.MODEL_2
    return RulingChoice(seen.value)


def ruling_as_seen(choice: RulingChoice, left: int) -> RulingSeen:
    """A decision in model space as it looked on the screen."""
    if choice in _WITHOUT_OUTCOME:
        return RulingSeen(choice.value)
    return RulingSeen(as_seen(Choice(choice.value), left).value)


def shuffled(keys: list[str], *material: str) -> list[int]:
    """An order of things that follows from a secret and says nothing about them.

    Args:
        keys: a name of each.
        material: the study's seed, and what the order is for.

    Returns:
        Their indices.
    """

    def coin(index: int) -> bytes:
        text = "\x1f".join((*material, keys[index]))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    return sorted(range(len(keys)), key=coin)
