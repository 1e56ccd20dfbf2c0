"""Marks on laid-out text: what was searched for, and what the other answer has not.

Marks are found in the source, as displayable lines; what is painted are rows, from which layout
has taken markup away and to which it has added bars and bullets. Layout keeps the order of all
that it does not take away, so walking along both brings each character of a row back to the
source. That is done for the blocks on screen only, when they are painted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tui.rendering_source import Line
from tui.rendering_wrap import Row, Run

MARKS = ("found", "current", "differs")
"""Names of styles that marks add to a run."""

_FOUND, _CURRENT, _DIFFERS = 1, 2, 4
_STYLES = {
    bits: "".join(
        f" {name}" for bit, name in ((_DIFFERS, "differs"), (_FOUND, "found")) if bits & bit
    )
    + (" current" if bits & _CURRENT else "")
    for bits in range(8)
}
_GUTTER = (("current", "▸"), ("found", "›"), ("differs", "+"))
_TAKEN_AWAY = frozenset(" \n*_`~#>|\\-+=:")
_BETWEEN_CELLS: Run = (" │ ", "label")
_PIPE = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Marks:
    """What is marked in one text.

    Attributes:
        find: what is searched for.
        current: the match one is at: the offset of its line, and its number in that line.
        differs: offset of a line → for each of its words, 1 if the other text has it not.
    """

    find: re.Pattern[str] | None = None
    current: tuple[int, int] | None = None
    differs: Mapping[int, bytes] | None = None

    def __bool__(self) -> bool:
        return self.find is not None or self.differs is not None

    def flags(self, lines: Sequence[Line]) -> bytearray:
        """What marks each character of some lines carries, joined by newlines."""
        flags = bytearray(sum(len(line) + 1 for _, line in lines))
        begin = 0
        for _, same in groupby(lines, key=lambda line: line[0]):
            found = word = 0  # a line with a lone CR in it is shown as several
            for offset, line in same:
                if self.find is not None:
                    for match in self.find.finditer(line):
                        bits = _FOUND | (_CURRENT if (offset, found) == self.current else 0)
                        _set(flags, begin + match.start(), begin + match.end(), bits)
                        found += 1
                if self.differs is not None:
                    differs = self.differs.get(offset, b"")
                    for start, end in _words(line):
                        if word < len(differs) and differs[word]:
                            _set(flags, begin + start, begin + end, _DIFFERS)
                        word += 1
                begin += len(line) + 1
        return flags


def _words(line: str) -> Iterator[tuple[int, int]]:
    # Not loaded before somebody compares.
    from core.differences import words

    return words(line)


def _set(flags: bytearray, start: int, end: int, bits: int) -> None:
    for index in range(start, end):
        flags[index] |= bits


def gutter(row: Row) -> str:
    """The character that says which marks a row carries; a space for none."""
    for name, character in _GUTTER:
        if any(name in style.split() for _, style in row):
            return character
    return " "


def marked(
    rows: Sequence[Row], offsets: Sequence[int], lines: Sequence[Line], marks: Marks
) -> list[Row]:
    """Add marks to the rows of one block.

    Args:
        offsets: where in the source each row begins.
        lines: the block's source.
    """
    flags = marks.flags(lines)
    if not any(flags):
        return list(rows)
    way = _Way(lines)
    return [
        tuple(_split(row, _flags_of(row, way.sources(row, offset), flags)))
        for row, offset in zip(rows, offsets, strict=True)
    ]


class _Way:
    """Walks along a block's source while its rows are read in order."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._source = "\n".join(line for _, line in lines)
        self._at = 0
        self._cells: dict[int, list[tuple[int, int]]] = {}
        self._begins: dict[int, int] = {}
        begin = 0
        for offset, line in lines:
            self._begins.setdefault(offset, begin)
            begin += len(line) + 1

    def sources(self, row: Row, offset: int) -> list[int]:
        """For each character of a row, its index in the source; -1 for what layout added."""
        if _BETWEEN_CELLS in row and offset in self._begins:
            return self._table(row, self._begins[offset])
        found: list[int] = []
        for text, style in row:
            if style.endswith("bar"):
                found += [-1] * len(text)
            else:
                indices, self._at = self._follow(text, self._at, len(self._source))
                found += indices
        return found

    def _table(self, row: Row, begin: int) -> list[int]:
        """A row of a table: the lines of one cell go on below each other."""
        cells = self._cells.get(begin)
        end = self._source.find("\n", begin)
        end = len(self._source) if end < 0 else end
        if cells is None:
            line = self._source[begin:end]
            first = len(line) - len(line.lstrip(" >"))
            edges = [begin + first - (not line[first:].startswith("|"))]
            edges += [begin + match.start() for match in _PIPE.finditer(line, first)]
            edges = [edge for index, edge in enumerate(edges) if index == 0 or edge > edges[0]]
            cells = list(zip([edge + 1 for edge in edges], [*edges[1:], end], strict=True))
            self._cells[begin] = cells
        self._at = max(self._at, end)
        found: list[int] = []
        column = 0
        for run in row:
            if run == _BETWEEN_CELLS:
                column += 1
                found += [-1] * len(run[0])
            elif column < len(cells):
                indices, at = self._follow(run[0], *cells[column])
                cells[column] = (at, cells[column][1])
                found += indices
            else:
                found += [-1] * len(run[0])
        return found

    def _follow(self, text: str, at: int, end: int) -> tuple[list[int], int]:
        source = self._source
        found: list[int] = []
        for character in text:
            if character == " ":
                found.append(-1)
                continue
            index = at
            while index < end and source[index] != character and source[index] in _TAKEN_AWAY:
                index += 1
            if index < end and source[index] == character:
                found.append(index)
                at = index + 1
            else:
                found.append(-1)
        return found, at


def _flags_of(row: Row, sources: Sequence[int], flags: bytearray) -> list[int]:
    """The marks of each character of a row; a space between two has what both of them have."""
    bits = [flags[index] if index >= 0 else -1 for index in sources]
    text = "".join(text for text, _ in row)
    before = 0
    for index, character in enumerate(text):
        if bits[index] >= 0:
            before = bits[index]
        elif character == " ":
            after = next((bit for bit in bits[index + 1 :] if bit >= 0), 0)
            source = next((at for at in reversed(sources[:index]) if at >= 0), -1)
            gap = flags[source + 1] if 0 <= source < len(flags) - 1 else 0
            bits[index] = before & after & gap
        else:
            bits[index] = before = 0
    return bits


def _split(row: Row, bits: Sequence[int]) -> Iterator[Run]:
    begin = 0
    for text, style in row:
        start = 0
        while start < len(text):
            end = start + 1
            while end < len(text) and bits[begin + end] == bits[begin + start]:
                end += 1
            yield text[start:end], style + _STYLES[bits[begin + start]]
            start = end
        if not text:
            yield text, style
        begin += len(text)
