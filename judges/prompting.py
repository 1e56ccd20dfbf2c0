"""One prompt: filling it in, reading its replies, and the hash that is stored with a verdict."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from core.records import WHOLE_CONVERSATION, Seen
from judges.parsing import Failure, Grammar, Parsed, compare_grades, parse
from judges.tasks import Shown, Task
from judges.templates import Message, Template

__all__ = ["Message", "Prompt", "Template"]

NAMES = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""What answers are called unless a judge renames them."""

EXPLAIN = ("first", "after", "none")
"""Whether a judge gives its reasons before the verdict, after it, or not at all."""

FORMS = ("pair", "single", "list")
"""Both answers of a pair in one call, each in a call of its own, or all of a question's answers."""

NUMBERED = re.compile(r"(question|answer_a|answer_b|answer|ref_answer)_(\d{1,3})")
"""A field that names its turn: ``{answer_a_2}``."""
_LIST_LABEL = re.compile(r"(\w+) ([>=<?|]) (\w+) of (\d+)")


@dataclass(frozen=True)
class Prompt:
    """One wording for one situation.

    Attributes:
        family: what a judge names; its variants share it.
        form: one of :data:`FORMS`.
        multi: whether it shows a conversation rather than one turn.
        reference: whether it shows a reference answer.
        turn: for a conversation, how one turn of it is written.
        focus: for a conversation, what is to be judged: ``turn`` or ``whole``.
        each: for a list, how one of its answers is written.
        turns: how many turns it has room for; 0 for any number.
        structured: what a server can be asked to enforce: ``choice``, ``json`` or nothing.
        explain: one of :data:`EXPLAIN`; what it asks for, and how examples are written.
        examples: requests and replies that come before the real one.
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
    each: str = ""
    turns: int = 0
    structured: str = ""
    explain: str = "first"
    examples: tuple[Message, ...] = ()

    @cached_property
    def hash(self) -> str:
        """A name for what is sent: SHA-256 over all wording and the limit, 64 hex digits."""
        material: list[Any] = [
            self.form,
            self.multi,
            self.reference,
            self.system,
            self.user,
            self.turn,
            dict(self.focus),
            self.max_tokens,
        ]
        # What came later counts only where there is any, so that older hashes stay as they were.
        if self.form == "list":
            material.append([self.each, self.grammar.names])
        if self.structured:
            material.append([self.choices, self.schema])
        if self.examples:
            material.append(self.examples)
        return digest(material)

    @property
    def sides(self) -> tuple[Seen, ...]:
        """The calls that one task takes: one for a pair, one per answer where graded singly."""
        return (Seen.LEFT, Seen.RIGHT) if self.form == "single" else (Seen.LEFT,)

    @property
    def choices(self) -> tuple[str, ...]:
        """The replies that are allowed, where a server can be asked to allow no other."""
        return tuple(self.grammar.labels) if self.structured == "choice" else ()

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema of the reply, where a server can be asked to keep to one."""
        if self.structured != "json":
            return None
        verdict = {"verdict": {"type": "string", "enum": list(self.grammar.labels)}}
        why = {} if self.explain == "none" else {"why": {"type": "string"}}
        keys = {**verdict, **why} if self.explain == "after" else {**why, **verdict}
        return {
            "type": "object",
            "properties": keys,
            "required": list(keys),
            "additionalProperties": False,
        }

    # ── what is sent ─────────────────────────────────────────────────────────────────────────

    def render(self, task: Task | Shown, side: Seen = Seen.LEFT) -> list[Message]:
        """The messages to send for a task.

        Args:
            side: whose answer is graded, where answers are graded one by one.
        """
        shown = task.shown if isinstance(task, Task) else task
        system = [Message("system", self.system)] if self.system else []
        return [*system, *self.examples, self.asked(shown, side)]

    def asked(self, shown: Shown, side: Seen = Seen.LEFT) -> Message:
        """The last message of a request: what is to be judged."""
        return Message("user", self._user.fill(self._values(shown, side)))

    @cached_property
    def _user(self) -> Template:
        return Template(self.user)

    @cached_property
    def _numbered_fields(self) -> list[tuple[str, str, str]]:
        """The fields that name their turns: each whole, its kind, and the turn's number."""
        found = [NUMBERED.fullmatch(name) for name in self._user.fields]
        return [(one[0], one[1], one[2]) for one in found if one is not None]

    @cached_property
    def _turn(self) -> Template:
        return Template(self.turn)

    @cached_property
    def _each(self) -> Template:
        return Template(self.each)

    def _values(self, shown: Shown, side: Seen) -> dict[str, str]:
        own = shown.answers[1 if side is Seen.RIGHT else 0]
        sides = {"_a": shown.answers[0], "_b": shown.answers[1], "": own}
        values = {
            name: _numbered(shown, sides, kind, number)
            for name, kind, number in self._numbered_fields
        }
        write: Callable[[Shown, Sequence[str | None]], str]
        if self.multi:
            write = self._conversation
            focus = self.focus.get("whole" if shown.turn == WHOLE_CONVERSATION else "turn", "")
            values["focus"] = Template(focus).fill({"number": str(shown.last_turn)})
            values["reference"] = write(shown, shown.question.references)
            kind = "conversation"
        else:
            write = _last_turn
            values["question"] = shown.question.turns[shown.last_turn - 1]
            values["reference"] = (
                write(shown, shown.question.references) if shown.has_reference else ""
            )
            kind = "answer"
        values |= {kind + end: write(shown, answer) for end, answer in sides.items()}
        if self.form == "list":
            names = self.grammar.names[: len(shown.answers)]
            values["names"] = _listed(names)
            values[f"{kind}s"] = "\n\n".join(
                self._each.fill(
                    {"name": name, "tag": name.lower(), "text": write(shown, answer)}
                ).strip()
                for name, answer in zip(names, shown.answers, strict=True)
            )
        return values

    def _conversation(self, shown: Shown, answers: Sequence[str | None]) -> str:
        turns = zip(shown.question.turns[: shown.last_turn], answers, strict=False)
        return "".join(
            self._turn.fill({"number": str(number), "question": question, "answer": answer})
            for number, (question, answer) in enumerate(turns, 1)
            if answer is not None
        )

    # ── what comes back ──────────────────────────────────────────────────────────────────────

    def read(self, raw: str) -> Parsed:
        """Read what :meth:`pack` kept: a verdict, or why there is none."""
        replies = self.unpack(raw)
        parsed = [parse(self.parser, reply, self.grammar) for reply in replies]
        return compare_grades(*parsed) if self.form == "single" else parsed[0]

    def read_list(self, raw: str, count: int, left: str, right: str) -> Parsed:
        """What a ranking of several answers says of two of them.

        Args:
            count: how many answers were shown.
            left, right: what the two were called.
        """
        names = self.grammar.names[:count]
        parsed = parse(self.parser, raw, Grammar(self.grammar.labels, names=names))
        if parsed.ranking is None:
            return Parsed(label=parsed.label, failure=parsed.failure)
        seen = parsed.ranking.between(left, right)
        return Parsed(seen=seen, label=list_label(left, right, count, seen))

    def read_again(self, raw: str, label: str) -> Parsed:
        """Read a stored reply with today's parser.

        Args:
            label: the stored verdict's label, which says for a list which answers it is about.

        Raises:
            ValueError: what is stored cannot be read like this.
        """
        if self.form != "list":
            return self.read(raw)
        about = list_of(label)
        if about is None or not set(about[:2]) <= set(self.grammar.names[: about[2]]):
            raise ValueError(f"the label {label!r} does not say which answers it is about")
        left, right, count = about
        return self.read_list(raw, count, left, right)

    def pack(self, replies: Sequence[str]) -> str:
        """The raw replies to a task as one text: as it came, or a JSON list of two."""
        return json.dumps(replies, ensure_ascii=False) if self.form == "single" else replies[0]

    def unpack(self, raw: str) -> list[str]:
        """The replies as they came.

        Raises:
            ValueError: two replies were expected and the text is not a list of two.
        """
        if self.form != "single":
            return [raw]
        replies = json.loads(raw)
        if not isinstance(replies, list) or [type(reply) for reply in replies] != [str, str]:
            raise ValueError("expected a JSON list of two replies")
        return replies


def list_label(left: str, right: str, count: int, seen: Seen | None) -> str:
    """A verdict out of a ranking as it is stored: ``B > D of 6``, ``B ? D of 6`` for none."""
    signs = {Seen.LEFT: ">", Seen.RIGHT: "<", Seen.TIE: "=", Seen.BOTH_BAD: "|", None: "?"}
    return f"{left} {signs[seen]} {right} of {count}"


def list_of(label: str) -> tuple[str, str, int] | None:
    """What :func:`list_label` was made of: left, right and how many there were."""
    found = _LIST_LABEL.fullmatch(label)
    return (found[1], found[3], int(found[4])) if found else None


def is_failure_of_parser(error: str) -> bool:
    """Whether a stored verdict's error says that a reply was there and could not be read."""
    return any(error.startswith(f"{failure}: ") for failure in Failure)


def digest(material: Any) -> str:
    """SHA-256 of something as JSON, 64 hex digits."""
    packed = json.dumps(material, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(packed.encode("ascii")).hexdigest()


def _last_turn(shown: Shown, texts: Sequence[str | None]) -> str:
    return texts[shown.last_turn - 1] or ""


def _numbered(shown: Shown, sides: Mapping[str, Sequence[str]], kind: str, number: str) -> str:
    """The text of one turn, for templates that name their turns: ``{answer_a_2}``."""
    texts: Sequence[str | None]
    if kind == "question":
        texts = shown.question.turns
    elif kind == "ref_answer":
        texts = shown.question.references
    else:
        texts = sides[kind.removeprefix("answer")]
    place = int(number) - 1
    return (texts[place] or "") if 0 <= place < len(texts) else ""


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
