"""Texts with named fields, and the messages that are made of them."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import NamedTuple


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
        self.parts: list[tuple[str, str | None]] = []
        for literal, name, spec, conversion in string.Formatter().parse(text):
            if name is not None and (spec or conversion or not name.isidentifier()):
                raise ValueError(f"{{{name}}} is not a plain field name")
            self.parts.append((literal, name))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields, in the order in which they first stand."""
        return tuple(dict.fromkeys(name for _, name in self.parts if name is not None))

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with each field replaced."""
        return "".join(
            literal + ("" if name is None else values[name]) for literal, name in self.parts
        )
