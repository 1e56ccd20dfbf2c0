"""A look at one place of a long text, before all that stands above it is laid out."""

from __future__ import annotations

import re

from tui.rendering import Rendered

_BEFORE = 4096
"""Characters looked at before a place; doubled until they fill the rows that are asked for."""

_MOST = 1 << 16
"""Characters that may be laid out before a place: more would be waited for."""

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$", re.MULTILINE)
_BEGINNING = re.compile(r"\n[ \t\r]*\n(?=[A-Za-z#])")
"""A blank line behind which a paragraph or a heading begins, whatever stood before it."""


def glimpse(text: str, width: int, place: int, above: int, *, raw: bool = False) -> Rendered | None:
    """Lay out a text around one place of it.

    Args:
        width: cells.
        place: the offset in the source.
        above: rows wanted before the place; there are fewer near the beginning only.

    Returns:
        A rendering that begins at ``begin`` and reaches the place. None if no block begins near
        enough before it: the text then has to be laid out from its beginning.
    """
    before = _BEFORE
    while before <= _MOST:
        begin = _beginning(text, place - before, place) if place > before else 0
        if begin is not None:
            rendered = Rendered(text, width, raw=raw, begin=begin)
            while not rendered.reached(place):
                rendered.ensure(rendered.height + 1)
            if not begin or rendered.row_of(place) >= above:
                return rendered
        before *= 2
    return None


def _beginning(text: str, least: int, most: int) -> int | None:
    """Where the first block begins between two offsets, outside of any fence; None if nowhere."""
    fences: list[tuple[int, int]] = []  # those that end behind the first offset
    opening: re.Match[str] | None = None
    for found in _FENCE.finditer(text, 0, most):
        marks, info = found.groups()
        if opening is None:
            opening = found if "`" not in info or marks[0] == "~" else None
        elif marks.startswith(opening[1]) and not info.strip():
            if found.end() > least:
                fences.append((opening.start(), found.end()))
            opening = None
    if opening is not None:
        fences.append((opening.start(), most))
    for found in _BEGINNING.finditer(text, least, most):
        if not any(begin < found.end() <= end for begin, end in fences):
            return found.end()
    return None
