"""The vocabulary: what a study holds, as frozen values.

Records name each other by natural keys (a question's key, a model's name), never by a
database's row numbers, so that the same record means the same on every host.
A pair is always canonical here: ``model_1 < model_2`` by code point.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from core.beside_logs import Queued, SecondOpinion, Unmasking
from core.panels import Panel

WHOLE_CONVERSATION = 0
"""The turn number of a vote that judges the whole conversation; turns count from 1."""


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


class Choice(StrEnum):
    """An outcome as stored, in model space. There is no fifth: a failure is not an outcome."""

    MODEL_1 = "model_1"
    MODEL_2 = "model_2"
    TIE = "tie"
    BOTH_BAD = "both_bad"

    def exchanged(self) -> Choice:
        """The same choice about a pair whose two models are named the other way round."""
        other = {Choice.MODEL_1: Choice.MODEL_2, Choice.MODEL_2: Choice.MODEL_1}
        return other.get(self, self)


class Seen(StrEnum):
    """A choice as cast, in screen space."""

    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"
    BOTH_BAD = "both_bad"


class VerdictStatus(StrEnum):
    """What became of one call to a judge. Only ``OK`` carries a choice."""

    OK = "ok"
    UNPARSED = "unparsed"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    FILTERED = "filtered"
    FAILED = "failed"


class Combined(StrEnum):
    """What a judge's two orders say together; derived each time, never stored.

    ``REPORTED`` is a verdict that was imported without its orders. ``PENDING`` has one
    order so far. ``FLIP`` is a win for the same side both times; ``HALF_FLIP`` is any other
    disagreement of the two orders, such as a tie in one and a win in the other. ``DECIDED`` and
    ``UNDECIDED`` are of votes: a panel's, or the repeats of one judge; a vote without a winner is
    no tie.
    """

    CONSISTENT = "consistent"
    FLIP = "flip"
    HALF_FLIP = "half_flip"
    FAILURE = "failure"
    PENDING = "pending"
    REPORTED = "reported"
    DECIDED = "decided"
    UNDECIDED = "undecided"


class RulingStage(StrEnum):
    """Whether a lead ruled before or after seeing who wrote and who voted what."""

    BLIND = "blind"
    UNMASKED = "unmasked"


class RulingChoice(StrEnum):
    """A lead's decision: the four outcomes, or that none can be given."""

    MODEL_1 = "model_1"
    MODEL_2 = "model_2"
    TIE = "tie"
    BOTH_BAD = "both_bad"
    NOT_DECIDABLE = "not_decidable"
    MORE_VOTES = "more_votes"


class Role(StrEnum):
    """What a person may do in a study."""

    ANNOTATOR = "annotator"
    LEAD = "lead"


@dataclass(frozen=True, slots=True)
class Setting:
    """One of the study's own settings, such as whether votes are per turn."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Question:
    """A question of one or more turns.

    ``turns`` is empty where only the references are known yet. ``references`` is empty, or
    holds a text or None for each turn.
    """

    key: str
    turns: tuple[str, ...]
    category: str | None = None
    references: tuple[str | None, ...] = ()
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One model's answer to one question, turn by turn; no turns where the text is unknown."""

    question: str
    model: str
    turns: tuple[str, ...]
    system_prompt: str | None = None
    settings: Mapping[str, Any] = field(default_factory=_nothing)
    source: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Two models' answers to one question, in canonical order.

    Raises:
        ValueError: if the models are equal or not in canonical order; use :meth:`of` to sort.
    """

    question: str
    model_1: str
    model_2: str

    def __post_init__(self) -> None:
        if self.model_1 >= self.model_2:
            raise ValueError(f"not canonical: {self.model_1!r} >= {self.model_2!r}")

    @classmethod
    def of(cls, question: str, model_a: str, model_b: str) -> tuple[Pair, bool]:
        """Sort two models into a pair; the flag says whether they were swapped."""
        if model_a > model_b:
            return cls(question, model_b, model_a), True
        return cls(question, model_a, model_b), False

    @property
    def key(self) -> str:
        """An opaque name of the pair, equal on every host: 32 hex digits.

        Votes are chained and merged by this key, so that the process an annotator votes in
        never needs to read a model's name.
        """
        joined = "\x1f".join((self.question, self.model_1, self.model_2))
        return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Annotator:
    """A person who votes, or a lead, or a simulated annotator, which is always called so.

    ``retired`` says that they vote no more; what they voted stays.
    """

    name: str
    role: Role = Role.ANNOTATOR
    group: str = ""
    simulated: bool = False
    attributes: Mapping[str, Any] = field(default_factory=_nothing)
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Vote:
    """A human's vote, the withdrawal of one, or the word that this person cannot judge.

    Attributes:
        id: made by the client; casting the same id twice records it once.
        left: 1 or 2, which model of the pair stood left; None where nobody recorded it.
        choice: None where ``cannot_judge`` says why; None without it means that the vote named
            by ``supersedes`` is withdrawn.
        repeat: 0 for the first time, 1 for the marked repeat of the same pair, and so on.
        confidence: as the study's levels count, lowest first, from 1.
        tags: reasons out of the study's list.
        criteria: criterion → outcome, for the criteria that the study asks about.
        active_seconds: time spent on the pair without idle time, in seconds.
        at: ISO 8601, UTC; empty where unknown.
    """

    id: str
    pair: Pair
    turn: int
    annotator: str
    choice: Choice | None
    identity: str = ""
    left: int | None = None
    supersedes: str | None = None
    confidence: int | None = None
    note: str = ""
    flag: str = ""
    active_seconds: float | None = None
    at: str = ""
    source: str | None = None
    repeat: int = 0
    cannot_judge: str = ""
    tags: tuple[str, ...] = ()
    criteria: Mapping[str, Choice] = field(default_factory=_nothing)


class LessonUse(StrEnum):
    """What a lesson is for: to learn from, or to be let in by."""

    PRACTICE = "practice"
    QUALIFICATION = "qualification"


@dataclass(frozen=True, slots=True)
class Lesson:
    """A pair whose right outcome the leads have settled, and why it is the right one."""

    pair: Pair
    turn: int
    choice: Choice
    why: str = ""
    use: LessonUse = LessonUse.PRACTICE
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """A judge in one exact configuration; another prompt or parameter is another judge row."""

    name: str
    kind: str
    model: str = ""
    endpoint: str = ""
    prompt: str = ""
    prompt_hash: str = ""
    parameters: Mapping[str, Any] = field(default_factory=_nothing)
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judge's word on one pair in one order.

    ``label`` is the verdict in the judge's own words, ``prompt`` and ``prompt_hash`` name what
    it was asked with. ``left`` is 1 or 2, or None for a verdict that was reported without its
    orders. ``scores`` are (left, right) as the judge gave them. ``latency`` is in seconds,
    ``cost`` in the judge's own currency unit. ``supersedes`` names the verdict that a retry
    replaces. ``failure`` is the kind of a failure in a word or two and ``error`` the sentence.
    ``sent_hash`` covers the messages and parameters as they were sent, ``probabilities`` are
    the shares of the outcomes as the judge saw them (see :class:`Seen`), ``endpoint`` is where
    it was asked and ``served_model`` what the server said it is.
    """

    id: str
    pair: Pair
    turn: int
    judge: str
    status: VerdictStatus
    choice: Choice | None = None
    left: int | None = None
    repeat: int = 0
    scores: tuple[float, float] | None = None
    preference: float | None = None
    prompt: str = ""
    prompt_hash: str = ""
    label: str = ""
    raw: str | None = None
    reasoning: str | None = None
    error: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    latency: float | None = None
    cost: float | None = None
    attempts: int = 1
    supersedes: str | None = None
    at: str = ""
    source: str | None = None
    failure: str = ""
    sent_hash: str = ""
    probabilities: Mapping[str, float] = field(default_factory=_nothing)
    endpoint: str = ""
    served_model: str = ""

    def __post_init__(self) -> None:
        if (self.choice is None) == (self.status is VerdictStatus.OK):
            raise ValueError("a verdict carries a choice if and only if its status is ok")


@dataclass(frozen=True, slots=True)
class Ruling:
    """A lead's decision on one pair and turn, or the withdrawal of one.

    Attributes:
        choice: None means that the ruling named by ``supersedes`` is withdrawn.
        queue_reason: why the lead had it before them, see :class:`core.adjudication.case.Reason`.
        queue_probability: of being drawn, where it was drawn at random.
        final: it settles what leads disagree about.
    """

    id: str
    pair: Pair
    turn: int
    lead: str
    stage: RulingStage
    choice: RulingChoice | None
    reason: str
    left: int | None = None
    shown: Mapping[str, Any] = field(default_factory=_nothing)
    queue_reason: str = ""
    queue_probability: float | None = None
    supersedes: str | None = None
    identity: str = ""
    at: str = ""
    source: str | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Wording:
    """The prompts that a judge was added with, all of their wording.

    Attributes:
        judge: its name.
        text: JSON, as :meth:`judges.families.Family.dump` writes it.
    """

    judge: str
    text: str


@dataclass(frozen=True, slots=True)
class Score:
    """What a model has on an automatic benchmark; higher is better.

    Attributes:
        low: lower end of the benchmark's own 95% interval; None with ``high`` where it has none.
        source: where it is from, if that is known.

    Raises:
        ValueError: if the interval has one end, or does not hold the score.
    """

    benchmark: str
    model: str
    score: float
    low: float | None = None
    high: float | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two ends")
        ends = () if self.low is None or self.high is None else (self.low, self.score, self.high)
        if list(ends) != sorted(ends):
            raise ValueError("an interval holds its score")


Record = (
    Setting
    | Question
    | Answer
    | Pair
    | Annotator
    | Lesson
    | Vote
    | Judge
    | Wording
    | Panel
    | Verdict
    | Ruling
    | Score
    | Queued
    | Unmasking
    | SecondOpinion
)
"""Anything a format reads and the store takes."""


def combine(first: Choice | None, second: Choice | None) -> tuple[Combined, Choice | None]:
    """What two orders of one judge say together, both in model space.

    A None stands for a failed call. A flip or half-flip is not a preference: the combined
    choice is a tie (as MT-bench scores it), and the kind keeps it apart from a said tie.

    Returns:
        The kind, and the choice it counts as; None for a failure.
    """
    if first is None or second is None:
        return Combined.FAILURE, None
    if first is second:
        return Combined.CONSISTENT, first
    wins = {Choice.MODEL_1, Choice.MODEL_2}
    if first in wins and second in wins:
        return Combined.FLIP, Choice.TIE
    return Combined.HALF_FLIP, Choice.TIE
