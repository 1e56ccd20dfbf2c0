"""What the keys of a prompt file must be, whether it is written out or composed."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.errors import BadInput, Where
from core.records import Seen
from judges.templates import Template

SHARED = "_shared.toml"
"""The file whose parts all composed prompts of its folder have."""

_NUMERIC = ("score_pair", "score_brackets", "single_grade", "ranking")
_TURN_FIELDS = ("number", "question", "answer")
_STRUCTURED = {"choice": "choice", "json": "json"}
_LEFT_ALONE = "none"


def text_of(path: Path) -> str:
    """A file's text.

    Raises:
        BadInput: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text("utf-8")
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        hint = "give the path of a file that this user may read"
    except UnicodeDecodeError as error:
        problem, hint = f"not UTF-8: {error}", "save it as UTF-8"
    raise BadInput(Where(str(path)), "", problem, hint)


def toml_of(path: Path) -> dict[str, Any]:
    """A file's TOML.

    Raises:
        BadInput: it cannot be read, or is none.
    """
    try:
        return tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(Where(str(path)), "", f"not TOML: {error}", "see docs/judges.md") from None


class Checked:
    """A prompt file's keys, checked one after another."""

    def __init__(self, where: Where, data: dict[str, Any]) -> None:
        self.where = where
        self.data = data

    def refuse(self, key: str, problem: str, hint: str = "see docs/judges.md") -> BadInput:
        """What to raise about a key."""
        return BadInput(self.where, key, problem, hint)

    def keys(self, known: Mapping[str, type | tuple[type, ...]], needed: Collection[str]) -> None:
        """All keys are known, those needed are there, and each value is of its type."""
        for key, value in self.data.items():
            if key not in known:
                raise self.refuse(key, "no such key", f"known keys: {', '.join(known)}")
            if not isinstance(value, known[key]) or (key == "max_tokens" and value is True):
                raise self.refuse(key, f"{value!r} is of the wrong type")
        for key in needed:
            if self.data.get(key, "") == "":
                raise self.refuse(key, "missing or empty")

    def one_of(self, key: str, values: Collection[str]) -> None:
        """A value is one of a few."""
        if self.data[key] not in values:
            raise self.refuse(key, f"{self.data[key]!r} is not known", f"use {', '.join(values)}")

    def at_least_one(self, key: str, value: int) -> None:
        """A limit leaves room for a reply."""
        if value < 1:
            raise self.refuse(key, "must be at least 1")

    def fields_of(self, key: str, text: str) -> tuple[str, ...]:
        """The fields of a template."""
        try:
            return Template(text).fields
        except ValueError as error:
            raise self.refuse(key, str(error), "write {{ and }} for braces") from None

    def turn_and_focus(self, data: Mapping[str, Any]) -> None:
        """How a turn of a conversation is written, and what is to be judged of it."""
        turn = self.fields_of("turn", data.get("turn", ""))
        if not {"question", "answer"} <= set(turn) <= set(_TURN_FIELDS):
            raise self.refuse("turn", f"takes the fields {', '.join(_TURN_FIELDS)}")
        focus = data.get("focus", {})
        if set(focus) != {"turn", "whole"} or not all(isinstance(v, str) for v in focus.values()):
            raise self.refuse("focus", "needs the texts 'turn' and 'whole', and no other")
        if any(set(self.fields_of("focus", text)) - {"number"} for text in focus.values()):
            raise self.refuse("focus", "takes the field number only")

    def choices(self) -> Mapping[str, Seen]:
        """The labels and what they mean."""
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

    def scale(self) -> tuple[float, float]:
        """The lowest score and the highest."""
        scale = self.data.get("scale", [1, 10])
        numbers = [n for n in scale if isinstance(n, int | float) and not isinstance(n, bool)]
        if len(scale) != 2 or len(numbers) != 2 or not 0 <= numbers[0] < numbers[1]:
            raise self.refuse("scale", f"{scale!r} is not [lowest, highest]")
        return float(numbers[0]), float(numbers[1])

    def structured(self) -> str:
        """What a server is asked to enforce: only what the parser then reads, or nothing."""
        structured = str(self.data.get("structured", ""))
        if (
            structured not in ("", _LEFT_ALONE)
            and _STRUCTURED.get(structured) != self.data["parser"]
        ):
            raise self.refuse(
                "structured",
                f"{structured!r} does not go with the parser {self.data['parser']!r}",
                "use choice with the parser choice, json with the parser json, none with any",
            )
        return structured
