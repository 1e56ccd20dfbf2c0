"""What is asked after the key for the overall outcome, one step after another.

Nothing here is saved: a vote is written once, when all of it is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from core.asked import Asked, Details
from core.records import Seen
from core.saying import SAID


class Kind(StrEnum):
    """How a step is answered."""

    CRITERION = "criterion"  # with a vote key
    CONFIDENCE = "confidence"  # with a digit
    TAGS = "tags"  # digits add and take away, then a key goes on


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is asked.

    Attributes:
        name: the criterion; else what people call this.
        options: what the digits stand for, from 1; empty where vote keys answer.
    """

    kind: Kind
    name: str
    options: tuple[str, ...] = ()


def steps_of(asked: Asked) -> tuple[Step, ...]:
    """What a study asks after the overall outcome, in order."""
    return tuple(_steps(asked))


def _steps(asked: Asked) -> Iterator[Step]:
    for criterion in asked.criteria:
        yield Step(Kind.CRITERION, criterion)
    if asked.confidence:
        yield Step(Kind.CONFIDENCE, "How sure", asked.confidence)
    if asked.tags:
        yield Step(Kind.TAGS, "Reasons", asked.tags)


class Asking:
    """A vote on its way: its outcome is said, and the rest is being asked.

    Attributes:
        at: the step that is asked now; past the last one where all is said.

    Args:
        steps: at least one.
        seen: the overall outcome.
        before: what was said with an earlier vote on this turn, offered again step by step.
    """

    def __init__(self, steps: tuple[Step, ...], seen: Seen, before: Details | None = None) -> None:
        self.steps = steps
        self.seen = seen
        self.at = 0
        said = before or Details()
        self._criteria = dict(said.criteria)
        self._confidence = said.confidence
        self._tags = set(said.tags)

    @property
    def step(self) -> Step | None:
        """What is asked now; None where all is said."""
        return self.steps[self.at] if self.at < len(self.steps) else None

    @property
    def takes_digits(self) -> bool:
        """Whether the step is answered with digits."""
        return self.step is not None and self.step.kind is not Kind.CRITERION

    @property
    def has_answer(self) -> bool:
        """Whether :meth:`confirm` would go on: what is marked is an answer already."""
        step = self.step
        return step is not None and (step.kind is Kind.TAGS or bool(self.marked()))

    def marked(self) -> set[Seen] | set[int]:
        """What the step has been answered with so far: a vote, or digits."""
        step = self.step
        if step is None:
            return set[int]()
        if step.kind is Kind.CRITERION:
            said = self._criteria.get(step.name)
            return set[Seen]() if said is None else {said}
        if step.kind is Kind.TAGS:
            return {n for n, tag in enumerate(step.options, 1) if tag in self._tags}
        level = self._confidence or 0
        return {level} if 1 <= level <= len(step.options) else set[int]()

    def vote(self, seen: Seen) -> bool:
        """Answer with a vote key; whether the step takes one."""
        step = self.step
        if step is None or step.kind is not Kind.CRITERION:
            return False
        self._criteria[step.name] = seen
        self.at += 1
        return True

    def digit(self, number: int) -> bool:
        """Answer with a digit; whether the step has such an option."""
        step = self.step
        if step is None or not 1 <= number <= len(step.options):
            return False
        if step.kind is Kind.TAGS:
            self._tags ^= {step.options[number - 1]}
        else:
            self._confidence = number
            self.at += 1
        return True

    def confirm(self) -> bool:
        """Go on with what is marked; whether there is an answer to go on with."""
        if not self.has_answer:
            return False
        self.at += 1
        return True

    def back(self) -> bool:
        """Go a step back, its answer still marked; False at the first: the vote is withdrawn."""
        if not self.at:
            return False
        self.at -= 1
        return True

    def answered(self) -> list[str]:
        """What was said so far in words, the overall outcome first."""
        details = self.details()
        words = [SAID[self.seen]]
        for step in self.steps[: self.at]:
            if step.kind is Kind.CRITERION:
                words.append(f"{step.name}: {SAID[details.criteria[step.name]]}")
            elif details.confidence is not None and step.kind is Kind.CONFIDENCE:
                words.append(f"{step.name}: {step.options[details.confidence - 1]}")
            else:
                words.append(f"{step.name}: {', '.join(details.tags) or 'none'}")
        return words

    def details(self) -> Details:
        """All that was said beyond the outcome; only what is asked is in it."""
        criteria: dict[str, Seen] = {}
        confidence: int | None = None
        tags: tuple[str, ...] = ()
        for step in self.steps[: self.at]:
            if step.kind is Kind.CRITERION:
                criteria[step.name] = self._criteria[step.name]
            elif step.kind is Kind.CONFIDENCE:
                confidence = self._confidence
            else:
                tags = tuple(tag for tag in step.options if tag in self._tags)
        return Details(criteria, confidence, tags)
