"""How the settings that say who gets which pairs are written, and checked.

Each is an object in a file, and may be typed in short: ``maths=2, writing=1``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from core.text import name_problem

MOST = 99
"""The largest number of parts, or of votes wanted."""


def shares(value: Any) -> dict[str, int]:
    """Names with a whole number each, such as ``maths=2, writing=1``; nothing switches it off.

    Raises:
        ValueError: with what it accepts.
    """
    pairs = _object(value)
    if pairs is None:
        if not isinstance(value, str):
            raise ValueError(_SHARES)
        pairs = _once(part.rpartition("=") for part in value.split(",") if part.strip())
    checked = {_name(name): _number(number) for name, number in pairs.items()}
    if len(checked) < len(pairs):
        raise ValueError("takes each name once")
    return checked


_SHARES = f"takes names with a whole number from 1 to {MOST} each, such as maths=2, writing=1"


def _number(value: Any) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if not 1 <= number <= MOST:
        raise ValueError(_SHARES)
    return number


def limited_to(value: Any) -> dict[str, dict[str, list[str]]]:
    """Categories with the attributes that they ask for; nothing switches it off.

    Typed: rules with semicolons between them, each a category, a colon, and what an annotator must
    be, with commas between: ``medicine: expertise=medicine; german: language=de|at, years=3``.

    Returns:
        category → attribute → values of which one is enough.

    Raises:
        ValueError: with what it accepts.
    """
    rules = _object(value)
    if rules is None:
        if not isinstance(value, str):
            raise ValueError(_LIMITS)
        rules = _once(part.partition(":") for part in value.split(";") if part.strip())
    checked = {_name(category): _rule(rule) for category, rule in rules.items()}
    if len(checked) < len(rules):
        raise ValueError("takes each name once")
    return checked


_LIMITS = (
    "takes categories with attributes, such as medicine: expertise=medicine; german: language=de|at"
)


def _rule(rule: Any) -> dict[str, list[str]]:
    if isinstance(rule, str):
        rule = _once(part.partition("=") for part in rule.split(",") if part.strip())
    if not isinstance(rule, dict) or not rule:
        raise ValueError(_LIMITS)
    return {_name(name): _choices(values) for name, values in rule.items()}


def _choices(values: Any) -> list[str]:
    if isinstance(values, str):
        values = values.split("|")
    if not isinstance(values, list) or not values:
        raise ValueError(_LIMITS)
    return [_name(value) for value in values]


def _object(value: Any) -> dict[str, Any] | None:
    """An object, or the JSON text of one; None for any other text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError("takes a JSON object, or its short form") from error
    return value if isinstance(value, dict) else None


def _once(parts: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, sign, said in parts:
        if not sign:
            raise ValueError("takes a name, a sign and what it is to be, each time")
        if name.strip() in found:
            raise ValueError("takes each name once")
        found[name.strip()] = said
    return found


def _name(name: Any) -> str:
    stripped = name.strip() if isinstance(name, str) else ""
    if problem := name_problem(stripped):
        raise ValueError(f"takes names of one line each; one {problem}")
    return stripped
