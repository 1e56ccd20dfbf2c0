"""From a foreign text to blocks that can each be laid out in a few milliseconds.

Reading is lazy from the first character on: lines are made displayable one by one as they are
asked for, and blocks are cut at places where Markdown would cut too, so that the first screen
of a megabyte costs what the first screen of a page costs. What is too large to be parsed at
once is passed on as it is written.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from core.text import displayable
from tui.rendering_wrap import expand_tabs

LARGEST_LINE = 8192
"""Characters of one line that are read at a time; the rest follows as a line of its own."""

LARGEST_BLOCK = 8192
"""Characters of a block that are parsed as Markdown; a larger one shows as its source."""

LARGEST_HIGHLIGHT = 16384
"""Characters of a fence that are highlighted; a larger one shows plain."""

_ENOUGH = 1024
"""A list this long is cut at its next item: the parts look the same as the whole."""

_MOST_BLANKS = 8
"""Blank lines looked past for the continuation of a list."""

_DESERT = re.compile(r"(?:[ \t\n]++|(?:\r\n)++)*+")
_HEADING = re.compile(r" {0,3}#{1,6}(?: |$)")
_FENCE = re.compile(r"( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)")
_NESTED_FENCE = re.compile(r"(?:[-*+>]|\d{1,9}[.)]| )*(`{3,}(?=[^`]*$)|~{3,})")
_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])(?: |$)")
_MATH = re.compile(r" {0,3}(?:(\$\$)|(\\\[)|(\\begin\{[^}]*\}))")

Line = tuple[int, str]
"""A displayable line and the offset in the source at which it begins."""


class Kind(Enum):
    """How a block is to be laid out."""

    MARKDOWN = "markdown"
    PLAIN = "plain"
    MATH = "math"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive lines that are laid out together.

    Attributes:
        info: a fence's opening line for CODE that begins one, None for a further part of it.
        whole: whether all of a fence is here, so that it can be highlighted.
        gap: whether blank lines stand before it in the source.
    """

    kind: Kind
    lines: list[Line]
    gap: bool = False
    info: Line | None = None
    whole: bool = False


class Lines:
    """Reads a text line by line, displayable and with tabs expanded, however long it is.

    Args:
        begin: the offset of the line to begin with.
    """

    def __init__(self, text: str, begin: int = 0) -> None:
        self._text = text
        self._position = begin
        self._ahead: deque[Line] = deque()

    def __iter__(self) -> Iterator[Line]:
        while self.peek() is not None:
            yield self.pop()

    def peek(self, distance: int = 0) -> Line | None:
        """A line that comes, without taking it; None beyond the last."""
        while len(self._ahead) <= distance:
            if self._position >= len(self._text):
                return None
            self._read()
        return self._ahead[distance]

    def pop(self) -> Line:
        """Take the next line; :meth:`peek` has shown that there is one."""
        return self._ahead.popleft()

    def skip_blank(self) -> bool:
        """Pass over all blank lines that come next; whether there were any."""
        skipped = False
        while (line := self.peek()) is not None and not line[1].strip():
            self.pop()
            skipped = True
            if not self._ahead and (desert := _DESERT.match(self._text, self._position)):
                last = self._text.rfind("\n", self._position, desert.end())
                self._position = max(self._position, last + 1)
        return skipped

    def _read(self) -> None:
        begin = self._position
        following = self._text.find("\n", begin, begin + LARGEST_LINE)
        if following >= 0:
            line = self._text[begin:following].removesuffix("\r")
            following += 1
        else:
            following = begin + LARGEST_LINE
            if following < len(self._text):
                following = self._text.rfind(" ", following - 512, following) + 1 or following
            line = self._text[begin:following]
        self._position = following
        for shown in displayable(line).split("\n"):
            self._ahead.append((begin, expand_tabs(shown)))


def landmarks(text: str, begin: int = 0) -> Iterator[tuple[Line, str]]:
    """Each line of a source, and what begins with it: ``heading``, ``code`` or nothing."""
    closing: re.Pattern[str] | None = None
    for line in Lines(text, begin):
        kind = ""
        if closing is not None:
            closing = None if closing.match(line[1]) else closing
        elif fence := _FENCE.match(line[1]):
            kind, closing = "code", _closing(fence[2])
        elif _HEADING.match(line[1]):
            kind = "heading"
        yield line, kind


def blocks(text: str, begin: int = 0) -> Iterator[Block]:
    """Cut a text into blocks, reading only as far as the blocks that are asked for."""
    reader = Lines(text, begin)
    gap = reader.skip_blank()
    while (line := reader.peek()) is not None:
        if fence := _FENCE.match(line[1]):
            yield from _fence(reader, fence, gap)
        elif math := _MATH.match(line[1]):
            yield from _math(reader, math, gap)
        else:
            yield from _prose(reader, gap)
        gap = reader.skip_blank()


def _fence(reader: Lines, opening: re.Match[str], gap: bool) -> Iterator[Block]:
    """A fence and what it holds, up to its end or that of the text."""
    info: Line | None = reader.pop()
    indent, marks = len(opening[1]), opening[2]
    closing = _closing(marks)
    lines: list[Line] = []
    size, limit = 0, LARGEST_HIGHLIGHT
    while (line := reader.peek()) is not None:
        reader.pop()
        if closing.match(line[1]):
            break
        text = line[1]
        blank = len(text) - len(text.lstrip(" "))
        lines.append((line[0], text[min(indent, blank) :]))
        size += len(text) + 1
        if size > limit:
            yield Block(Kind.CODE, lines, gap and info is not None, info)
            lines, info = [], None
            size, limit = 0, LARGEST_BLOCK
    if info is not None or lines:
        yield Block(Kind.CODE, lines, gap and info is not None, info, info is not None)


def _closing(marks: str) -> re.Pattern[str]:
    """What ends a fence that was opened with these marks."""
    return re.compile(rf" {{0,3}}{re.escape(marks)}{re.escape(marks[0])}* *$")


def _math(reader: Lines, opening: re.Match[str], gap: bool) -> Iterator[Block]:
    """A displayed formula, as it is written: Markdown would eat its backslashes."""
    begin = reader.pop()
    closing = "$$" if opening[1] else r"\]" if opening[2] else r"\end{"
    lines = [begin]
    done = closing in begin[1][opening.end() :]
    size = len(begin[1])
    while not done and (line := reader.peek()) is not None and line[1].strip():
        lines.append(reader.pop())
        size += len(line[1])
        done = closing in line[1] or size > LARGEST_BLOCK
    yield Block(Kind.MATH, lines, gap)


def _prose(reader: Lines, gap: bool) -> Iterator[Block]:
    """Anything else: up to the blank line, or the end of the list, that closes it."""
    lines: list[Line] = []
    size = 0
    listing = False
    fence = ""  # what closes a fence inside the list
    while (line := reader.peek()) is not None:
        text = line[1]
        blank = not text.strip()
        if not fence and lines:
            if _interrupts(text, listing, size):
                break
            if blank and not (listing and _continues(reader, size)):
                break
        elif fence and not blank and not text.startswith("  "):
            break
        lines.append(reader.pop())
        size += len(text) + 1
        if len(lines) == 1 and _HEADING.match(text):
            break
        listing = listing or _ITEM.match(text) is not None or text.startswith("    ")
        fence = _nested(fence, text) if listing else ""
        if size > LARGEST_BLOCK:
            yield from _oversized(reader, lines, gap)
            return
    yield Block(Kind.MARKDOWN, lines, gap)


def _continues(reader: Lines, size: int) -> bool:
    """Whether a list goes on after the blank lines that come next."""
    for distance in range(1, _MOST_BLANKS):
        line = reader.peek(distance)
        if line is None:
            return False
        if line[1].strip():
            if _ITEM.match(line[1]):
                return size < _ENOUGH
            return line[1].startswith("  ")
    return False


def _interrupts(text: str, listing: bool, size: int) -> bool:
    """Whether a line begins a block of its own."""
    if listing and text.startswith("  "):
        return False
    if _FENCE.match(text) or _MATH.match(text) or _HEADING.match(text):
        return True
    return listing and size >= _ENOUGH and _ITEM.match(text) is not None


def _nested(fence: str, text: str) -> str:
    """What closes the fence inside a list after this line, or nothing."""
    if fence:
        stripped = text.strip()
        closed = stripped.startswith(fence) and not stripped.strip(fence[0])
        return "" if closed else fence
    opening = _NESTED_FENCE.match(text)
    return opening[1] if opening else ""


def _oversized(reader: Lines, lines: list[Line], gap: bool) -> Iterator[Block]:
    """The rest of a block too large to be parsed, up to the next blank line, in parts."""
    size = LARGEST_BLOCK
    while (line := reader.peek()) is not None and line[1].strip():
        if size >= LARGEST_BLOCK:
            yield Block(Kind.PLAIN, lines, gap)
            lines, gap, size = [], False, 0
        lines.append(reader.pop())
        size += len(line[1]) + 1
    yield Block(Kind.PLAIN, lines, gap)
