"""What a judge is asked, what it must be able to do, and how its verdict is named."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from core.blinding import meant
from core.records import (
    WHOLE_CONVERSATION,
    Answer,
    Judge,
    Pair,
    Question,
    Seen,
    Verdict,
    VerdictStatus,
)

KINDS = ("baseline", "openai", "decision")
"""What a judge can be: one that needs no model, or a model behind an OpenAI-compatible server,
which writes, or decides by a decision endpoint."""

CLIENT_ONLY: Mapping[str, str] = MappingProxyType(
    {
        "api_key_env": "the name of the environment variable that holds the key",
        "timeout": "seconds until a call is given up",
    }
)
"""Parameters that steer the client here and are not sent: they change no verdict."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What one request puts before a judge: a question, and its answers in order.

    Attributes:
        turn: from 1, or 0 for the whole conversation.
        answers: each answer turn by turn.
    """

    question: Question
    turn: int
    answers: tuple[tuple[str, ...], ...]

    @property
    def last_turn(self) -> int:
        """The last turn that is shown: the judged one, or the question's last."""
        return len(self.question.turns) if self.turn == WHOLE_CONVERSATION else self.turn

    @property
    def has_reference(self) -> bool:
        """Whether the question has a reference answer to what is judged."""
        first = 0 if self.turn == WHOLE_CONVERSATION else self.turn - 1
        return any(r is not None for r in self.question.references[first : self.last_turn])


@dataclass(frozen=True, slots=True)
class Task:
    """One question to a judge: a pair, a turn, and which answer stands left.

    ``pair`` is there to name the verdict; nothing of it is ever sent, so a judge reads no
    model's name.

    Attributes:
        turn: from 1, or 0 for the whole conversation.
        left: 1 or 2, which model of the pair stands left and is shown first.
        repeat: 0 for the first time, 1 for a second verdict on the same, and so on.
        left_answer: the left model's answer, turn by turn.
        right_answer: the right model's answer, turn by turn.
    """

    pair: Pair
    turn: int
    left: int
    repeat: int
    question: Question
    left_answer: tuple[str, ...]
    right_answer: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.left not in (1, 2):
            raise ValueError(f"left is {self.left!r}, not 1 or 2")

    @property
    def shown(self) -> Shown:
        """What a judge of pairs sees."""
        return Shown(self.question, self.turn, (self.left_answer, self.right_answer))

    @property
    def last_turn(self) -> int:
        """The last turn that is shown: the judged one, or the question's last."""
        return self.shown.last_turn

    @property
    def has_reference(self) -> bool:
        """Whether the question has a reference answer to what is judged."""
        return self.shown.has_reference

    def judged(self, answer: tuple[str, ...]) -> str:
        """The text of an answer that the verdict is about: the turn's, or all of it."""
        if self.turn == WHOLE_CONVERSATION:
            return "\n\n".join(answer)
        return answer[self.turn - 1]

    def problem(self) -> str:
        """Why the task cannot be put to any judge; empty if it can."""
        wanted = self.last_turn
        if not 1 <= wanted <= len(self.question.turns):
            return f"the question has no turn {self.turn}"
        for side, answer in (("left", self.left_answer), ("right", self.right_answer)):
            if len(answer) < wanted:
                return f"the {side} answer has no turn {wanted}"
        return ""


def both_orders(
    pair: Pair,
    turn: int,
    question: Question,
    answer_1: Answer | tuple[str, ...],
    answer_2: Answer | tuple[str, ...],
    *,
    repeat: int = 0,
) -> tuple[Task, Task]:
    """The two tasks of a pair and turn: model 1 left, then model 2 left."""
    first = answer_1.turns if isinstance(answer_1, Answer) else answer_1
    second = answer_2.turns if isinstance(answer_2, Answer) else answer_2
    return (
        Task(pair, turn, 1, repeat, question, first, second),
        Task(pair, turn, 2, repeat, question, second, first),
    )


@dataclass(frozen=True, slots=True)
class Size:
    """How much one call sends, and may get back.

    Tokens are told from bytes by rule, since each model cuts texts in its own way: about one
    for four bytes of UTF-8 (English prose), and never more than one for two.

    Attributes:
        requests: how many requests the call takes.
        sent: bytes of UTF-8, over all requests.
        max_tokens: how many tokens may come back, over all requests.
    """

    requests: int = 1
    sent: int = 0
    max_tokens: int = 0

    @property
    def about(self) -> int:
        """How many tokens are sent, about."""
        return -(-self.sent // 4)

    @property
    def at_most(self) -> int:
        """How many tokens are sent at most; a message costs some beside its text."""
        return -(-self.sent // 2) + 16 * self.requests if self.sent else 0


NOTHING = Size(requests=0)
"""The size of a call that asks nobody."""


class JudgeLike(Protocol):
    """Anything that gives verdicts: a model behind a server, or a baseline."""

    @property
    def record(self) -> Judge:
        """The judge in its exact configuration, as the study stores it."""

    async def judge(self, task: Task) -> Verdict:
        """Give one verdict, in one attempt.

        Raises:
            judges.outcomes.CallError: the attempt gave no reply; what to do about it stands in
                the error's class.
            TiebreakError: no task can be judged like this.
        """

    def failed(self, task: Task, error: str) -> Verdict:
        """What is recorded of a task for which no attempt gave a reply."""

    def size(self, tasks: Sequence[Task]) -> Size:
        """How much the call sends that settles these tasks, without sending it."""

    async def close(self) -> None:
        """Let go of connections."""


def sent_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are part of the request."""
    return {key: value for key, value in parameters.items() if key not in CLIENT_ONLY}


def verdict_id(judge: Judge, task: Task) -> str:
    """The name of the verdict that a judge gives on a task: 32 hex digits.

    It follows from the judge's configuration and the task alone, so a verdict recorded twice
    is recorded once, and what is still to do can be told without calling anyone.
    """
    return verdict_names(judge)(task.pair.key, task.turn, task.left, task.repeat)


def verdict_names(judge: Judge) -> Callable[[str, int, int, int], str]:
    """What names a judge's verdicts: a function of (pair's key, turn, left, repeat)."""
    known, names = _NAMED[-1] if _NAMED else (None, None)
    if names is not None and known is judge:
        return names
    who = [
        judge.name,
        judge.kind,
        judge.model,
        judge.prompt_hash,
        sent_parameters(judge.parameters),
    ]
    packed = json.dumps(who, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    begun = packed[:-1].encode("ascii")

    def name(pair: str, turn: int, left: int, repeat: int) -> str:
        # As json.dumps writes the list whole; a pair's key is of hex digits.
        return hashlib.sha256(
            b'%s,"%s",%d,%d,%d]' % (begun, pair.encode(), turn, left, repeat)
        ).hexdigest()[:32]

    _NAMED.append((judge, name))
    return name


_NAMED: deque[tuple[Judge, Callable[[str, int, int, int], str]]] = deque(maxlen=1)
"""The judge whose verdicts were named last: a process works on one for hours."""


def verdict(
    judge: Judge,
    task: Task,
    status: VerdictStatus,
    seen: Seen | None = None,
    **fields: Any,
) -> Verdict:
    """A verdict on a task, its choice turned from what the judge saw into models.

    Args:
        seen: the choice as the judge saw it; given if and only if the status is ok.
        fields: any other field of :class:`core.records.Verdict`.
    """
    return Verdict(
        id=verdict_id(judge, task),
        pair=task.pair,
        turn=task.turn,
        judge=judge.name,
        status=status,
        choice=None if seen is None else meant(seen, task.left),
        left=task.left,
        repeat=task.repeat,
        **fields,
    )
