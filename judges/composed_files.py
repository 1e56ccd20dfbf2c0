"""Reading a prompt file that is made of parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.errors import Where
from judges.composing import AXES, CONSTANTS, Composed
from judges.families import Style
from judges.parsing import PARSERS
from judges.prompt_checks import Checked
from judges.prompting import EXPLAIN, FORMS

_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "title": str,
    "form": str,
    "parser": str,
    "choices": dict,
    "scale": list,
    "structured": str,
    "explain": str,
    "max_tokens": (int, dict),
    "system": str,
    "user": str,
    "turn": str,
    "focus": dict,
    "each": str,
    "parts": dict,
}
_NEEDED = ("id", "title", "form", "parser", "explain", "max_tokens", "user", "focus", "parts")
_OF_FORM = {"single": ("single_grade",), "list": ("ranking",)}
_FIELDS = {
    ("pair", False): {"question", "answer_a", "answer_b"},
    ("pair", True): {"conversation_a", "conversation_b", "focus"},
    ("single", False): {"question", "answer"},
    ("single", True): {"conversation", "focus"},
    ("list", False): {"question", "answers", "names"},
    ("list", True): {"conversations", "names", "focus"},
}


def checked_composed(path: Path, data: dict[str, Any], shared: Mapping[str, Any]) -> Composed:
    """A family of parts out of a file's keys.

    Args:
        shared: parts and ``turn`` that hold unless the file has its own.

    Raises:
        BadInput: naming the file, the key and how to mend it.
    """
    return _Parts(Where(str(path)), data, shared).composed()


class _Parts(Checked):
    """A composed prompt's keys, checked one after another."""

    def __init__(self, where: Where, data: dict[str, Any], shared: Mapping[str, Any]) -> None:
        super().__init__(where, data)
        self.shared = shared

    def composed(self) -> Composed:
        self.keys(_KEYS, _NEEDED)
        data = self.data
        self.one_of("form", FORMS)
        self.one_of("explain", EXPLAIN)
        form, parsers = data["form"], _OF_FORM
        taken = {parser for others in parsers.values() for parser in others}
        self.one_of("parser", parsers.get(form, [p for p in PARSERS if p not in taken]))
        turn = data.get("turn", self.shared.get("turn", ""))
        self.turn_and_focus({"turn": turn, "focus": data["focus"]})
        parts = {**self.shared["parts"], **data["parts"]}
        composed = Composed(
            id=data["id"],
            title=data["title"],
            form=form,
            parser=data["parser"],
            labels=self.choices(),
            scale=self.scale(),
            max_tokens=self._limits(),
            system=data.get("system", ""),
            user=data["user"],
            turn=turn,
            focus=MappingProxyType(dict(data["focus"])),
            each=self._each(form),
            structured=self.structured(),
            explain=data["explain"],
            parts={name: self._part(name, part) for name, part in parts.items()},
        )
        if not composed.explains or data["explain"] not in composed.explains:
            raise self.refuse("parts", f"needs a part 'ask' with a text for {data['explain']!r}")
        self._variants(composed)
        return composed

    def _limits(self) -> dict[str, int]:
        limits = self.data["max_tokens"]
        if isinstance(limits, int):
            limits = dict.fromkeys(EXPLAIN, limits)
        if set(limits) != set(EXPLAIN) or not all(type(n) is int for n in limits.values()):
            raise self.refuse("max_tokens", f"takes a number, or one for each of {EXPLAIN}")
        self.at_least_one("max_tokens", min(limits.values()))
        return dict(limits)

    def _each(self, form: str) -> str:
        if form != "list":
            return ""
        each = str(self.data.get("each", self.shared.get("each", "")))
        used = set(self.fields_of("each", each))
        if "text" not in used or not used - {"text"} or not used <= {"name", "tag", "text"}:
            raise self.refuse("each", "takes the field text, with name or tag")
        return each

    def _part(self, name: str, part: Any) -> dict[str, str]:
        texts = {"text": part} if isinstance(part, str) else part
        if not isinstance(texts, dict) or not all(isinstance(t, str) for t in texts.values()):
            raise self.refuse(f"parts.{name}", "takes a text, or texts by what they are for")
        keys = set(texts) - {"when"}
        if not any(keys <= {"text", *axis} for axis in AXES) or not keys:
            raise self.refuse(
                f"parts.{name}",
                f"its texts are for {', '.join(sorted(keys))}",
                f"use {' and '.join(AXES[0])}, or {', '.join(AXES[1])}, or text",
            )
        if texts.get("when", "reference") != "reference":
            raise self.refuse(f"parts.{name}", f"when = {texts['when']!r}", "use reference")
        for text in texts.values():
            self.fields_of(f"parts.{name}", text)
        return texts

    def _variants(self, composed: Composed) -> None:
        """Every variant shows what it must, and asks for nothing that is not there."""
        for key in ("system", "user"):
            self.fields_of(key, self.data.get(key, ""))
        odd = set(self.fields_of("system", composed.system)) - {*composed.parts, *CONSTANTS}
        if odd:
            raise self.refuse("system", f"there is no part {min(odd)!r}")
        for explain in composed.explains:
            try:
                variants = composed.variants(Style(composed.id, explain))
            except KeyError as error:
                raise self.refuse("system", f"there is no part {error}") from None
            except RecursionError:
                raise self.refuse("parts", "a part holds itself") from None
            for variant in variants:
                wanted = set(_FIELDS[composed.form, variant.multi])
                if variant.reference:
                    wanted.add("reference")
                if wrong := wanted ^ set(self.fields_of("user", variant.user)):
                    problem = "lacks" if wrong & wanted else "has no use for"
                    raise self.refuse(
                        "user", f"{variant.id} {problem} {{{min(wrong & wanted or wrong)}}}"
                    )
