"""Texts that may be, written as a regular expression and as a grammar of llama.cpp (GBNF).

A pattern is a row of parts. Each part is told in both ways, and the ways allow the same texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_TEXT = 2000
"""Characters of a free text: a reason has room, and what never ends is ended."""

_MOST_INTEGERS = 200
_RUN = 50
"""Repetitions that one rule counts: llama.cpp refuses grammars with large ones."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a reply.

    Attributes:
        regex: what it may be, with no groups around it where it needs none.
        gbnf: the same, as what stands behind ``::=``.
        rules: rules that ``gbnf`` names, each on a line of its own.
    """

    regex: str
    gbnf: str
    rules: tuple[str, ...] = ()


def one_of(values: Sequence[str]) -> Part:
    """One of some texts."""
    regex = "|".join(map(literal, values))
    gbnf = " | ".join(map(quoted, values))
    return Part(regex, gbnf) if len(values) == 1 else Part(f"({regex})", f"({gbnf})")


def repeated(part: Part, least: int, most: int) -> Part:
    """A part so many times."""
    inner = part.gbnf if part.gbnf.isalnum() or part.gbnf.startswith("[") else f"({part.gbnf})"
    runs, rest = divmod(most, _RUN)
    if runs < 2:
        gbnf = f"{inner}{{{least},{most}}}"
    else:
        # Whole runs first, so that there are two ways to go on at the most.
        first = f"{inner}{{{least}}} " if least else ""
        gbnf = f"{first}({inner}{{{_RUN}}}){{0,{runs - 1}}} {inner}{{0,{_RUN - least + rest}}}"
    return Part(f"({part.regex}){{{least},{most}}}", gbnf, part.rules)


def maybe(part: Part) -> Part:
    """A part, or nothing."""
    return Part(f"({part.regex})?", f"({part.gbnf})?", part.rules)


def row(*parts: Part) -> Part:
    """Parts one after another."""
    rules = tuple(dict.fromkeys(rule for part in parts for rule in part.rules))
    return Part("".join(p.regex for p in parts), " ".join(p.gbnf for p in parts), rules)


def grammar(part: Part) -> str:
    """A part as a whole grammar."""
    return "\n".join([f"root ::= {part.gbnf}", *part.rules])


def literal(text: str) -> str:
    """A text as a pattern; servers' engines know fewer escapes than Python's writes."""
    return re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", text).replace("\n", "\\n")


def quoted(text: str) -> str:
    """A text as a grammar has it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


# ── a plain schema ───────────────────────────────────────────────────────────


def flat(schema: Mapping[str, Any]) -> Part | None:
    """A schema of plain values, all in their order, without spaces to spare; None if it is not."""
    members = _members(schema)
    if members is None:
        return None
    text = Part(
        rf'"[^"\\\x00-\x1f]{{0,{LONGEST_TEXT}}}"',
        "text",
        (f'text ::= "\\"" [^"\\\\\\x00-\\x1F]{{0,{LONGEST_TEXT}}} "\\""',),
    )
    parts = [one_of(["{"])]
    for number, (name, values) in enumerate(members):
        parts.append(one_of([f"{', ' if number else ''}{json.dumps(name)}: "]))
        parts.append(text if values is None else one_of(values))
    return row(*parts, one_of(["}"]))


def _members(schema: Mapping[str, Any]) -> list[tuple[str, list[str] | None]] | None:
    """Each property with the JSON of what it may be, None for a free text; None if not plain."""
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, Mapping) or not properties:
        return None
    members: list[tuple[str, list[str] | None]] = []
    for name, one in properties.items():
        low, high = one.get("minimum"), one.get("maximum")
        if "enum" in one:
            members.append((name, [json.dumps(v, ensure_ascii=False) for v in one["enum"]]))
        elif one.get("type") == "boolean":
            members.append((name, ["true", "false"]))
        elif one.get("type") == "string":
            members.append((name, None))
        elif (
            one.get("type") == "integer"
            and isinstance(low, int)
            and isinstance(high, int)
            and 0 <= high - low < _MOST_INTEGERS
        ):
            members.append((name, [str(number) for number in range(low, high + 1)]))
        else:
            return None
    return members
