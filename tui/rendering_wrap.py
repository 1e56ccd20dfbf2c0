"""Breaking text into rows of cells: the measure that all layout of answers stands on.

A row is a tuple of runs, a run is a text and the name of its style. Plain tuples of strings
keep a row of a long answer at a few hundred bytes and out of the garbage collector's way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, get_character_cell_size

Run = tuple[str, str]
Row = tuple[Run, ...]
Placed = tuple[int, Row]
"""A row with the offset in the source that it begins at."""

TAB = 4
_NEVER_FIRST = frozenset(
    "、。，．・：；？！）］｝〕〉》」』】’”…—ー々゛゜ぁぃぅぇぉっゃゅょァィゥェォッャュョ)]},.!?:;%"
)
_HANGS = re.compile(r" *+(?:\d++ {2})?+")
_NEVER_LAST = frozenset("（［｛〔〈《「『【‘“([{")


def expand_tabs(line: str) -> str:
    """Replace tabs by spaces up to the next multiple of :data:`TAB` cells."""
    if "\t" not in line:
        return line
    if line.isascii():
        return line.expandtabs(TAB)
    parts: list[str] = []
    column = 0
    for piece in line.split("\t"):
        if parts:
            fill = TAB - column % TAB
            parts.append(" " * fill)
            column += fill
        parts.append(piece)
        column += cell_len(piece)
    return "".join(parts)


def spans(text: str, width: int, words: bool = True) -> Iterator[tuple[int, int]]:
    """Where to break one line of text so that each part fits.

    Breaks stand at spaces and beside wide characters (with the simplest rules of Chinese and
    Japanese typesetting); a word wider than the line is cut. The spaces at a break belong to
    no part. At least one part comes, empty if the text is blank.

    Args:
        text: no newlines, tabs or control characters.
        width: cells, at least 2.
        words: False is for code: every space is kept, and a part ends behind a space only
            if one stands near the end of the row.

    Yields:
        Start and end of each part, as indices into the text.
    """
    start, length = 0, len(text)
    while True:
        end = _fitting(text, start, width)
        if end >= length:
            yield start, length
            return
        if not words:
            space = text.rfind(" ", start + width * 2 // 3, end) + 1
            yield start, space or end
            start = space or end
            continue
        cut = _break(text, start, end)
        yield start, start + len(text[start:cut].rstrip(" "))
        while cut < length and text[cut] == " ":
            cut += 1
        if cut == length:
            return
        start = cut


def _fitting(text: str, start: int, width: int) -> int:
    """The end of the longest part from ``start`` that fits; one character at least."""
    end = start + width
    if text[start:end].isascii():
        if text.isascii():
            return end
    else:
        end, cells = start, 0
        for character in text[start : start + 8 * width]:
            cells += get_character_cell_size(character)
            if cells > width and end > start:
                break
            end += 1
        return end
    while end < len(text) and get_character_cell_size(text[end]) == 0:
        end += 1
    return end


def _break(text: str, start: int, end: int) -> int:
    """The best place to break at or before ``end``, after ``start``."""
    if text[end] == " ":
        return end
    if text[start:end].isascii() and text[end].isascii():
        cut = text.rfind(" ", start, end) + 1
    else:
        cut = end
        while cut > start and not _may_break(text[cut - 1], text[cut]):
            cut -= 1
    if cut <= start or text[start:cut].isspace():
        return end
    return cut


def _may_break(before: str, after: str) -> bool:
    if before == " ":
        return True
    if get_character_cell_size(before) != 2 and get_character_cell_size(after) != 2:
        return False
    if get_character_cell_size(after) == 0:
        return False
    return after not in _NEVER_FIRST and before not in _NEVER_LAST


def wrap(runs: Sequence[Run], width: int, words: bool = True) -> Iterator[tuple[int, Row]]:
    """Break a line of styled runs into rows.

    Yields:
        The index in the line's text that each row begins at, and the row.
    """
    if len(runs) == 1:
        text, style = runs[0]
        for start, end in spans(text, width, words):
            yield start, ((text[start:end], style),)
        return
    line = "".join(text for text, _ in runs)
    index = begins = 0
    for start, end in spans(line, width, words):
        row: list[Run] = []
        while index < len(runs):
            text, style = runs[index]
            piece = text[max(start - begins, 0) : end - begins]
            if piece:
                row.append((piece, style))
            if begins + len(text) > end:
                break
            begins += len(text)
            index += 1
        yield start, tuple(row)


def hang(line: str, style: str, width: int) -> Iterator[tuple[int, Row]]:
    """The same for a line whose further rows stand below its first word, as in a list.

    A number before it hangs out. An indent over half of the width is given up.
    """
    found = _HANGS.match(line)
    indent = found.end() if found is not None else 0
    if not 0 < indent <= width // 2:
        yield from wrap([(line, style)], width)
        return
    for index, row in wrap([(line[indent:], style)], width - indent):
        before = " " * indent if index else line[:indent]
        yield indent + index if index else 0, ((before, style), *row)


def cells_of(runs: Sequence[Run]) -> int:
    """The width of some runs in cells."""
    return sum(cell_len(text) for text, _ in runs)
