"""Prompts: filling them in, reading the replies, and the hash that is stored with a verdict.

A judge names a *family* of prompts, such as ``pairwise``. Its variants take one turn or a
whole conversation, with or without a reference answer; each task gets the variant that fits.
"""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from core.errors import TiebreakError
from core.records import WHOLE_CONVERSATION, Judge, Seen
from judges.parsing import Grammar, Parsed, compare_grades, parse
from judges.tasks import Task


class Message(NamedTuple):
    """One message of a request."""

    role: str
    content: str


class Template:
    """A text with named fields in braces, split once.

    What is filled in is never looked at again, so an answer that itself holds ``{answer_b}``
    or a lone brace arrives as it is. ``{{`` and ``}}`` stand for braces.

    Raises:
        ValueError: the braces do not match, or a field is more than a name.
    """

    def __init__(self, text: str) -> None:
        self._parts: list[tuple[str, str | None]] = []
        for literal, name, spec, conversion in string.Formatter().parse(text):
            if name is not None and (spec or conversion or not name.isidentifier()):
                raise ValueError(f"{{{name}}} is not a plain field name")
            self._parts.append((literal, name))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields, in the order in which they first stand."""
        return tuple(dict.fromkeys(name for _, name in self._parts if name is not None))

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with each field replaced."""
        return "".join(
            literal + ("" if name is None else values[name]) for literal, name in self._parts
        )


@dataclass(frozen=True)
class Prompt:
    """One prompt file.

    Attributes:
        family: what a judge names; its variants share it.
        form: ``pair`` shows both answers at once, ``single`` grades them one by one.
        multi: whether it shows a conversation rather than one turn.
        reference: whether it shows a reference answer.
        turn: for a conversation, how one turn of it is written.
        focus: for a conversation, what is to be judged: ``turn`` or ``whole``.
    """

    id: str
    family: str
    title: str
    form: str
    multi: bool
    reference: bool
    parser: str
    grammar: Grammar
    max_tokens: int
    system: str
    user: str
    turn: str = ""
    focus: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def hash(self) -> str:
        """A name for what is sent: SHA-256 over all wording and the limit, 64 hex digits."""
        material = [
            self.form,
            self.multi,
            self.reference,
            self.system,
            self.user,
            self.turn,
            dict(self.focus),
            self.max_tokens,
        ]
        return _digest(material)

    @property
    def sides(self) -> tuple[Seen, ...]:
        """The calls that one task takes: one for a pair, one per answer where graded singly."""
        return (Seen.LEFT,) if self.form == "pair" else (Seen.LEFT, Seen.RIGHT)

    def render(self, task: Task, side: Seen = Seen.LEFT) -> list[Message]:
        """The messages to send for a task.

        Args:
            side: whose answer is graded, where answers are graded one by one.
        """
        user = self._user.fill(self._values(task, side))
        system = [Message("system", self.system)] if self.system else []
        return [*system, Message("user", user)]

    def read(self, raw: str) -> Parsed:
        """Read what :meth:`pack` kept: a verdict, or why there is none."""
        replies = self.unpack(raw)
        parsed = [parse(self.parser, reply, self.grammar) for reply in replies]
        return parsed[0] if self.form == "pair" else compare_grades(*parsed)

    def pack(self, replies: Sequence[str]) -> str:
        """The raw replies to a task as one text: as it came, or a JSON list of two."""
        return replies[0] if self.form == "pair" else json.dumps(replies, ensure_ascii=False)

    def unpack(self, raw: str) -> list[str]:
        """The replies as they came.

        Raises:
            ValueError: two replies were expected and the text is not a list of two.
        """
        if self.form == "pair":
            return [raw]
        replies = json.loads(raw)
        if not isinstance(replies, list) or [type(reply) for reply in replies] != [str, str]:
            raise ValueError("expected a JSON list of two replies")
        return replies

    @cached_property
    def _user(self) -> Template:
        return Template(self.user)

    @cached_property
    def _turn(self) -> Template:
        return Template(self.turn)

    def _values(self, task: Task, side: Seen) -> dict[str, str]:
        answers = {"a": task.left_answer, "b": task.right_answer}
        own = task.left_answer if side is Seen.LEFT else task.right_answer
        if not self.multi:
            last = task.last_turn - 1
            return {
                "question": task.question.turns[last],
                "answer_a": answers["a"][last],
                "answer_b": answers["b"][last],
                "answer": own[last],
                "reference": task.question.references[last] or "" if task.has_reference else "",
            }
        focus = self.focus["whole" if task.turn == WHOLE_CONVERSATION else "turn"]
        return {
            "conversation_a": self._conversation(task, answers["a"]),
            "conversation_b": self._conversation(task, answers["b"]),
            "conversation": self._conversation(task, own),
            "reference": self._conversation(task, task.question.references),
            "focus": Template(focus).fill({"number": str(task.last_turn)}),
        }

    def _conversation(self, task: Task, answers: Sequence[str | None]) -> str:
        turns = zip(task.question.turns[: task.last_turn], answers, strict=False)
        return "".join(
            self._turn.fill({"number": str(number), "question": question, "answer": answer})
            for number, (question, answer) in enumerate(turns, 1)
            if answer is not None
        )


class Prompts:
    """The prompts of one or more folders, by family.

    Raises:
        TiebreakError: two files claim one id, or one place in a family.
    """

    def __init__(self, prompts: Iterable[Prompt]) -> None:
        self.by_id: dict[str, Prompt] = {}
        self._families: dict[str, dict[tuple[bool, bool], Prompt]] = {}
        for prompt in prompts:
            if prompt.id in self.by_id:
                raise TiebreakError(
                    f"two prompts have the id {prompt.id!r}", "give one of the files another id"
                )
            self.by_id[prompt.id] = prompt
            family = self._families.setdefault(prompt.family, {})
            place = (prompt.multi, prompt.reference)
            if place in family:
                raise TiebreakError(
                    f"prompts {family[place].id!r} and {prompt.id!r} do the same in the family "
                    f"{prompt.family!r}",
                    "they must differ in turns or reference, or belong to two families",
                )
            family[place] = prompt

    @property
    def families(self) -> tuple[str, ...]:
        """The families, sorted."""
        return tuple(sorted(self._families))

    def variants(self, family: str) -> tuple[Prompt, ...]:
        """The prompts of a family, single turn first, without reference first.

        Raises:
            TiebreakError: there is no such family.
        """
        if family not in self._families:
            raise TiebreakError(
                f"there is no prompt {family!r}", f"choose one of: {', '.join(self.families)}"
            )
        return tuple(prompt for _, prompt in sorted(self._families[family].items()))

    def hash(self, family: str) -> str:
        """One hash for all variants of a family: what a judge's record carries."""
        return _digest([[v.multi, v.reference, v.hash] for v in self.variants(family)])

    def pick(self, family: str, task: Task) -> Prompt:
        """The variant that fits a task: with the reference where there is one.

        Raises:
            TiebreakError: the family has no variant for a conversation, or for one turn.
        """
        variants = {(prompt.multi, prompt.reference): prompt for prompt in self.variants(family)}
        multi = task.last_turn > 1
        order = (True, False) if task.has_reference else (False,)
        for reference in order:
            if found := variants.get((multi, reference)):
                return found
        needs = "conversations of several turns" if multi else "single turns"
        without = "" if task.has_reference else " without a reference answer"
        raise TiebreakError(
            f"the prompt {family!r} has no variant for {needs}{without}",
            f"add a file with family = {family!r} and turns = {'multi' if multi else 'single'!r}",
        )

    def owner(self, prompt_id: str) -> Prompt:
        """The prompt with an id, to read a stored reply again.

        Raises:
            TiebreakError: no file has it.
        """
        if prompt_id not in self.by_id:
            raise TiebreakError(f"there is no prompt file with the id {prompt_id!r}")
        return self.by_id[prompt_id]


def check_unchanged(prompts: Prompts, record: Judge) -> None:
    """Refuse a judge whose prompt has changed since it was added.

    Raises:
        TiebreakError: the wording is no longer the one in the judge's record.
    """
    if record.prompt_hash != prompts.hash(record.prompt):
        raise TiebreakError(
            f"the prompt {record.prompt!r} has changed since the judge {record.name!r} was added",
            "add it under a new name, so that old and new verdicts stay apart",
        )


def _digest(material: Any) -> str:
    packed = json.dumps(material, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(packed.encode("ascii")).hexdigest()
