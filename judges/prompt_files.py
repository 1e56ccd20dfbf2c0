"""Prompt files: one prompt per ``*.toml``, read and checked key by key."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.errors import BadInput, TiebreakError, Where
from core.records import Seen
from judges.parsing import PARSERS, Grammar
from judges.prompting import Prompt, Prompts, Template

FOLDER = Path(__file__).parent / "prompts"
"""The prompts that come with Tiebreak."""

_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "family": str,
    "title": str,
    "form": str,
    "turns": str,
    "reference": bool,
    "fields": list,
    "parser": str,
    "choices": dict,
    "scale": list,
    "max_tokens": int,
    "system": str,
    "user": str,
    "turn": str,
    "focus": dict,
}
_NEEDED = ("id", "title", "form", "turns", "reference", "fields", "parser", "max_tokens", "user")
_NUMERIC = ("score_pair", "single_grade")
_FIELDS = {
    ("pair", "single"): {"question", "answer_a", "answer_b"},
    ("single", "single"): {"question", "answer"},
    ("pair", "multi"): {"conversation_a", "conversation_b", "focus"},
    ("single", "multi"): {"conversation", "focus"},
}
_TURN_FIELDS = ("number", "question", "answer")


def load_prompts(*folders: Path) -> Prompts:
    """The prompts that come with Tiebreak, and those of the given folders.

    Raises:
        BadInput: a file is not a prompt; the error names file, key and remedy.
        TiebreakError: a folder holds no prompt, or two files clash.
    """
    return Prompts(prompt for folder in (FOLDER, *folders) for prompt in _folder(folder))


def _folder(folder: Path) -> Iterator[Prompt]:
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise TiebreakError(f"{folder} holds no prompt (*.toml)", "see docs/judges.md")
    for file in files:
        yield read_prompt(file)


def read_prompt(path: Path) -> Prompt:
    """Read and check one prompt file.

    Raises:
        BadInput: naming the file, the key and how to mend it.
    """
    where = Where(str(path))
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInput(where, "", f"cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(where, "", f"not TOML in UTF-8: {error}") from None
    return _Checked(where, data).prompt()


class _Checked:
    """A prompt file's keys, checked one after another."""

    def __init__(self, where: Where, data: dict[str, Any]) -> None:
        self.where = where
        self.data = data

    def refuse(self, key: str, problem: str, hint: str = "see docs/judges.md") -> BadInput:
        return BadInput(self.where, key, problem, hint)

    def prompt(self) -> Prompt:
        self._shape()
        get = self.data.get
        multi, form = self.data["turns"] == "multi", self.data["form"]
        self._templates(form, self.data["turns"])
        return Prompt(
            id=self.data["id"],
            family=get("family", self.data["id"]),
            title=self.data["title"],
            form=form,
            multi=multi,
            reference=self.data["reference"],
            parser=self.data["parser"],
            grammar=Grammar(self._choices(), self._scale()),
            max_tokens=self.data["max_tokens"],
            system=get("system", "").strip(),
            user=self.data["user"].strip(),
            turn=get("turn", ""),
            focus=MappingProxyType(dict(get("focus", {}))),
        )

    def _shape(self) -> None:
        """Keys and their types, and the values that are one of a few."""
        data = self.data
        for key, value in data.items():
            if key not in _KEYS:
                raise self.refuse(key, "no such key", f"known keys: {', '.join(_KEYS)}")
            if not isinstance(value, _KEYS[key]) or (key == "max_tokens" and value is True):
                raise self.refuse(key, f"{value!r} is of the wrong type")
        for key in _NEEDED:
            if data.get(key, "") == "":
                raise self.refuse(key, "missing or empty")
        allowed = {"form": ("pair", "single"), "turns": ("single", "multi"), "parser": PARSERS}
        for key, values in allowed.items():
            if data[key] not in values:
                raise self.refuse(key, f"{data[key]!r} is not known", f"use {', '.join(values)}")
        if data["max_tokens"] < 1:
            raise self.refuse("max_tokens", "must be at least 1")
        if (data["parser"] == "single_grade") != (data["form"] == "single"):
            raise self.refuse("parser", "single_grade and form 'single' go together")

    def _templates(self, form: str, turns: str) -> None:
        used = self._fields_of("user", self.data["user"])
        if list(used) != self.data["fields"]:
            raise self.refuse(
                "fields", f"the template holds, in this order: {', '.join(used) or 'nothing'}"
            )
        wanted = set(_FIELDS[form, turns])
        if self.data["reference"]:
            wanted.add("reference")
        if odd := wanted ^ set(used):
            problem = "lacks" if odd & wanted else "has no use for"
            raise self.refuse("user", f"the template {problem} {{{min(odd & wanted or odd)}}}")
        if turns == "single":
            for key in ("turn", "focus"):
                if key in self.data:
                    raise self.refuse(key, "belongs to prompts with turns = 'multi'")
            return
        turn = self._fields_of("turn", self.data.get("turn", ""))
        if not {"question", "answer"} <= set(turn) <= set(_TURN_FIELDS):
            raise self.refuse("turn", f"takes the fields {', '.join(_TURN_FIELDS)}")
        focus = self.data.get("focus", {})
        if set(focus) != {"turn", "whole"} or not all(isinstance(v, str) for v in focus.values()):
            raise self.refuse("focus", "needs the texts 'turn' and 'whole', and no other")
        if any(set(self._fields_of("focus", text)) - {"number"} for text in focus.values()):
            raise self.refuse("focus", "takes the field number only")

    def _fields_of(self, key: str, text: str) -> tuple[str, ...]:
        try:
            return Template(text).fields
        except ValueError as error:
            raise self.refuse(key, str(error), "write {{ and }} for braces") from None

    def _choices(self) -> Mapping[str, Seen]:
        choices = self.data.get("choices", {})
        if self.data["parser"] in _NUMERIC:
            if choices:
                raise self.refuse("choices", "has no use with a parser that reads scores")
            return MappingProxyType({})
        for label, seen in choices.items():
            if seen not in list(Seen):
                raise self.refuse("choices", f"{label} = {seen!r}", f"use {', '.join(Seen)}")
        if not {Seen.LEFT, Seen.RIGHT} <= set(choices.values()):
            raise self.refuse("choices", "needs a label for left and one for right")
        return MappingProxyType({label: Seen(seen) for label, seen in choices.items()})

    def _scale(self) -> tuple[float, float]:
        scale = self.data.get("scale", [1, 10])
        numbers = [n for n in scale if isinstance(n, int | float) and not isinstance(n, bool)]
        if len(scale) != 2 or len(numbers) != 2 or not 0 <= numbers[0] < numbers[1]:
            raise self.refuse("scale", f"{scale!r} is not [lowest, highest]")
        return float(numbers[0]), float(numbers[1])
