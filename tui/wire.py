"""The same picture in fewer bytes: what a screen sends over a slow link.

Textual writes each run of text with its whole style before it and a reset behind it, which is
half of all bytes of a page of text. A terminal keeps a style until it is told another, so only
what changes from run to run has to be said.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from tui.driver import Terminal

_SGR = re.compile("\x1b\\[([0-9;]*)m")
_MOVE = re.compile("\x1b\\[[0-9;]*H|[\r\n]")
"""What leaves no trace where it happens, unlike erasing, which takes the ground of the moment."""

_BARE_GROUND = frozenset("1235")
"""Attributes that do not show on a space: bold, dim, italic, blink."""


class _Look(NamedTuple):
    """What a terminal paints with: codes of the colours, empty for its own, and attributes."""

    ink: str = ""
    ground: str = ""
    attributes: frozenset[str] = frozenset()


_PLAIN = _Look()


def frugal(data: str) -> str:
    """Rewrite what a terminal is sent so that it says only changes of style.

    Args:
        data: text and control sequences that begin and end with no style set, which is how
            Textual writes a frame.

    Returns:
        What paints the same picture; it begins and ends with no style set too.
    """
    pieces = _SGR.split(data)
    if len(pieces) == 1:
        return data
    have = want = _PLAIN
    parts = [pieces[0]]
    for codes, text in zip(pieces[1::2], pieces[2::2], strict=True):
        want = _told(want, codes)
        if shown := _MOVE.sub("", text):
            said, have = _change(have, want, not shown.strip(" "))
            parts.append(said)
        parts.append(text)
    parts.append(_change(have, want, False)[0])
    return "".join(parts)


@lru_cache(maxsize=4096)
def _told(look: _Look, codes: str) -> _Look:
    """The look after a sequence of codes."""
    ink, ground, attributes = look
    left = iter(codes.split(";"))
    for code in left:
        if code in ("", "0"):
            ink, ground, attributes = _PLAIN
        elif code in ("38", "48"):
            kind = next(left, "")
            values = [next(left, "") for _ in range(1 if kind == "5" else 3)]
            colour = ";".join((code, kind, *values))
            ink, ground = (colour, ground) if code == "38" else (ink, colour)
        elif len(code) > 1 and code[:-1] in ("3", "9"):
            ink = "" if code == "39" else code
        elif len(code) > 1 and code[:-1] in ("4", "10"):
            ground = "" if code == "49" else code
        else:
            attributes |= {code}
    return _Look(ink, ground, attributes)


@lru_cache(maxsize=4096)
def _change(have: _Look, want: _Look, blank: bool) -> tuple[str, _Look]:
    """What tells a terminal to paint otherwise, and how it paints then.

    Args:
        blank: whether only spaces are painted, so that a colour nobody sees may stay.
    """
    if blank and (have.attributes | want.attributes) <= _BARE_GROUND:
        want = want._replace(ink=have.ink, attributes=have.attributes)
    if have == want:
        return "", have
    whole = [*sorted(want.attributes), want.ink, want.ground]
    codes = ["0", *filter(None, whole)]
    if have.attributes <= want.attributes:
        changed = sorted(want.attributes - have.attributes)
        if want.ink != have.ink:
            changed.append(want.ink or "39")
        if want.ground != have.ground:
            changed.append(want.ground or "49")
        codes = min(codes, changed, key=lambda some: len(";".join(some)))
    return f"\x1b[{';'.join(codes)}m", want


class FrugalDriver(Terminal):
    """The terminal, with :func:`frugal` before it."""

    def write(self, data: str) -> None:
        """Write a frame, or a control sequence, in fewer bytes."""
        super().write(frugal(data))
