"""Families of prompts: what a judge names, in which style, and which variant fits a task."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from core.errors import TiebreakError
from core.records import Judge, Seen
from judges.examples import Example, load_examples, shots
from judges.parsing import Grammar
from judges.prompting import EXPLAIN, NAMES, Prompt, digest
from judges.tasks import Shown, Task
from judges.templates import Message

OWN_EXAMPLES = "own"
"""What the examples that come with Tiebreak are called."""

_NAME = re.compile(r"[^\W_]{1,20}")
_WORD = re.compile(r" (explain|examples|names)=(\S+)$")


@dataclass(frozen=True, slots=True)
class Style:
    """A family of prompts and how a judge wants it worded: what a judge's record names.

    Written as ``pairwise explain=none examples=own names=Kim,Robin``; what is left out is as
    the family has it.

    Attributes:
        explain: one of :data:`judges.prompting.EXPLAIN`, or empty.
        examples: ``own``, the name of a file of examples, or empty for none.
        names: what the answers are called; empty for A, B and so on.

    Raises:
        TiebreakError: a name cannot be one, or two are the same.
    """

    family: str
    explain: str = ""
    examples: str = ""
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.explain and self.explain not in EXPLAIN:
            raise TiebreakError(
                f"explain is {self.explain!r}", f"choose one of: {', '.join(EXPLAIN)}"
            )
        for name in self.names:
            if not _NAME.fullmatch(name):
                raise TiebreakError(
                    f"{name!r} cannot be what an answer is called",
                    "a name is one word of at most 20 letters and digits",
                )
        folded = {name.casefold() for name in self.names}
        if self.names and (len(self.names) < 2 or len(folded) < len(self.names)):
            raise TiebreakError("names need at least two that differ", "such as --names Kim,Robin")

    def __str__(self) -> str:
        words = {
            "explain": self.explain,
            "examples": self.examples,
            "names": ",".join(self.names),
        }
        return " ".join([self.family, *(f"{key}={value}" for key, value in words.items() if value)])

    @classmethod
    def read(cls, text: str) -> Style:
        """A style as :meth:`__str__` writes it."""
        words: dict[str, str] = {}
        while found := _WORD.search(text):
            words[found[1]] = found[2]
            text = text[: found.start()]
        names = tuple(words["names"].split(",")) if "names" in words else ()
        return cls(text, words.get("explain", ""), words.get("examples", ""), names)


class Source(Protocol):
    """What makes the variants of a family in a style."""

    def variants(self, style: Style) -> Sequence[Prompt]:
        """The variants, examples left out.

        Raises:
            TiebreakError: the family cannot be worded like this.
        """


class Written:
    """A family whose variants are written out, one file each."""

    def __init__(self, prompts: Iterable[Prompt] = ()) -> None:
        self.prompts = list(prompts)

    def variants(self, style: Style) -> Sequence[Prompt]:
        """The variants as they are written; only examples can be added."""
        asked = "names" if style.names else "explain" if style.explain else ""
        if asked:
            raise TiebreakError(
                f"the prompt {style.family!r} is written out and takes no {asked}",
                "change its file, or choose a prompt that is composed: tiebreak judge prompts list",
            )
        return self.prompts


class Family:
    """The variants of a family in one style: all that a judge may be asked with.

    Raises:
        TiebreakError: two variants claim one place.
    """

    def __init__(self, name: str, prompts: Iterable[Prompt]) -> None:
        self.name = name
        self._places: dict[tuple[bool, bool, int], Prompt] = {}
        for prompt in prompts:
            place = (prompt.multi, prompt.reference, prompt.turns)
            if place in self._places:
                raise TiebreakError(
                    f"prompts {self._places[place].id!r} and {prompt.id!r} do the same in the "
                    f"family {prompt.family!r}",
                    "they must differ in turns or reference, or belong to two families",
                )
            self._places[place] = prompt

    @cached_property
    def variants(self) -> tuple[Prompt, ...]:
        """Single turn first, without reference first."""
        return tuple(prompt for _, prompt in sorted(self._places.items()))

    @cached_property
    def form(self) -> str:
        """One of :data:`judges.prompting.FORMS`."""
        return self.variants[0].form

    @property
    def hash(self) -> str:
        """One hash for all variants: what a judge's record carries."""
        return digest([[v.multi, v.reference, v.hash] for v in self.variants])

    def pick(self, task: Task | Shown) -> Prompt:
        """The variant that fits a task: with the reference where there is one.

        Raises:
            TiebreakError: there is no variant for a conversation, or for one turn.
        """
        multi = task.last_turn > 1
        order = (True, False) if task.has_reference else (False,)
        for reference in order:
            for turns in (task.last_turn, 0):
                if found := self._places.get((multi, reference, turns)):
                    return found
        rooms = {prompt.turns for prompt in self.variants if prompt.multi}
        needs = "conversations of several turns" if multi else "single turns"
        if multi and rooms and 0 not in rooms:
            needs = f"conversations of {task.last_turn} turns"
        without = "" if task.has_reference else " without a reference answer"
        family = self.variants[0].family
        raise TiebreakError(
            f"the prompt {family!r} has no variant for {needs}{without}",
            f"add a file with family = {family!r} and turns = {'multi' if multi else 'single'!r}",
        )

    def owner(self, prompt_id: str) -> Prompt:
        """The variant with an id, to read a stored reply again.

        Raises:
            TiebreakError: none has it.
        """
        for prompt in self.variants:
            if prompt.id == prompt_id:
                return prompt
        raise TiebreakError(f"the prompt {self.name!r} has no variant with the id {prompt_id!r}")

    def dump(self) -> str:
        """All of it as JSON, to be kept with a judge."""
        variants = [dataclasses.asdict(_frozen(prompt)) for prompt in self.variants]
        return json.dumps({"family": self.name, "variants": variants}, ensure_ascii=False)

    @classmethod
    def load(cls, text: str) -> Family:
        """What :meth:`dump` wrote.

        Raises:
            TiebreakError: it is not that.
        """
        try:
            data = json.loads(text)
            return cls(data["family"], [_thawed(one) for one in data["variants"]])
        except (ValueError, KeyError, TypeError) as error:
            raise TiebreakError(f"a stored prompt cannot be read: {error!r}") from None


def _frozen(prompt: Prompt) -> Prompt:
    """A prompt of plain dicts, which dataclasses can copy."""
    grammar = dataclasses.replace(prompt.grammar, labels=dict(prompt.grammar.labels))
    return dataclasses.replace(prompt, grammar=grammar, focus=dict(prompt.focus))


def _thawed(data: dict[str, Any]) -> Prompt:
    grammar = dict(data["grammar"])
    labels = {label: Seen(seen) for label, seen in grammar["labels"].items()}
    low, high = grammar["scale"]
    return Prompt(
        **{
            **data,
            "grammar": Grammar(
                MappingProxyType(labels),
                (low, high),
                grammar["scores_last"],
                tuple(grammar["names"]),
            ),
            "examples": tuple(Message(*message) for message in data["examples"]),
        }
    )


class Prompts:
    """The families of one or more folders.

    Raises:
        TiebreakError: two files claim one id, or one place in a family.
    """

    def __init__(self, prompts: Iterable[Prompt]) -> None:
        self.by_id: dict[str, Prompt] = {}
        self._sources: dict[str, Source] = {}
        self._examples: dict[str, tuple[Example, ...]] = {}
        for prompt in prompts:
            source = self._sources.setdefault(prompt.family, Written())
            if not isinstance(source, Written):
                raise TiebreakError(
                    f"there are two prompts {prompt.family!r}", "give one of them another id"
                )
            self._name(prompt)
            source.prompts.append(prompt)
        for name in self._sources:
            self.family(name)

    def add(self, name: str, source: Source) -> None:
        """Add a family that makes its own variants.

        Raises:
            TiebreakError: if there is one of that name, or a variant's id is taken.
        """
        if name in self._sources:
            raise TiebreakError(f"there are two prompts {name!r}", "give one of them another id")
        self._sources[name] = source
        for prompt in self.family(name).variants:
            self._name(prompt)

    def add_examples(self, path: Path) -> str:
        """Read a file of examples; the name that it goes by in a style.

        Raises:
            BadInput: if it cannot be read as examples.
            TiebreakError: if its name is that of our own.
        """
        name = path.stem
        if name == OWN_EXAMPLES or not re.fullmatch(r"[^\s=]{1,60}", name):
            raise TiebreakError(
                f"a file of examples cannot be called {path.name!r}", "rename it: one plain word"
            )
        self._examples[name] = load_examples(path)
        return name

    def _name(self, prompt: Prompt) -> None:
        if prompt.id in self.by_id:
            raise TiebreakError(
                f"two prompts have the id {prompt.id!r}", "give one of the files another id"
            )
        self.by_id[prompt.id] = prompt

    @property
    def families(self) -> tuple[str, ...]:
        """The families, sorted."""
        return tuple(sorted(self._sources))

    def family(self, prompt: str) -> Family:
        """A family in the style that a judge names.

        Raises:
            TiebreakError: there is no such family, or it cannot be worded like this.
        """
        style = Style.read(prompt)
        if style.family not in self._sources:
            raise TiebreakError(
                f"there is no prompt {style.family!r}", f"choose one of: {', '.join(self.families)}"
            )
        variants = self._sources[style.family].variants(style)
        if style.examples:
            variants = [self._with_examples(one, style) for one in variants]
        return Family(prompt, variants)

    def _with_examples(self, prompt: Prompt, style: Style) -> Prompt:
        if style.examples == OWN_EXAMPLES:
            examples = load_examples()
        elif style.examples in self._examples:
            examples = self._examples[style.examples]
        else:
            raise TiebreakError(
                f"the examples {style.examples!r} are not at hand", "name their file: --examples"
            )
        told = shots(prompt, examples, style.names or NAMES)
        return dataclasses.replace(prompt, id=f"{prompt.id}-examples", examples=tuple(told))

    def variants(self, prompt: str) -> tuple[Prompt, ...]:
        """The variants of :meth:`family`."""
        return self.family(prompt).variants

    def hash(self, prompt: str) -> str:
        """The hash of :meth:`family`."""
        return self.family(prompt).hash

    def pick(self, prompt: str, task: Task | Shown) -> Prompt:
        """The variant of :meth:`family` that fits a task."""
        return self.family(prompt).pick(task)

    def owner(self, prompt_id: str) -> Prompt:
        """The prompt with an id.

        Raises:
            TiebreakError: no file has it.
        """
        if prompt_id not in self.by_id:
            raise TiebreakError(f"there is no prompt file with the id {prompt_id!r}")
        return self.by_id[prompt_id]


def family_of(record: Judge, prompts: Prompts | Family) -> Family:
    """The prompts that a judge was added with.

    Raises:
        TiebreakError: the wording is no longer the one in the judge's record.
    """
    family = prompts if isinstance(prompts, Family) else prompts.family(record.prompt)
    if record.prompt_hash != family.hash:
        raise TiebreakError(
            f"the prompt {record.prompt!r} has changed since the judge {record.name!r} was added",
            "add it under a new name, so that old and new verdicts stay apart",
        )
    return family
