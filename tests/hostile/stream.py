"""What a terminal was sent, byte by byte: an allow-list, and the screen that comes of it.

Whatever is not on the list is a finding. The list is what this program needs of a terminal and no
more; no payload's sequence is on it.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

from rich.cells import get_character_cell_size

_COLOUR = r"[34]8;(?:2;\d{1,3};\d{1,3}|5);\d{1,3}|[34]9"
_STYLE = rf"(?:[0-4]|7|9|{_COLOUR})"
_ALLOWED = re.compile(
    rf"\x1b\[(?:{_STYLE}(?:;{_STYLE})*)?m"  # true colours and plain styles: no ESC [31m
    r"|\x1b\[(?P<row>\d{1,3});(?P<column>\d{1,3})H"
    r"|\x1b\[\?(?:7|25|1000|1003|1004|1006|1015|1049|2004)[hl]"  # modes, taken and given back
    r"|\x1b\[\?20(?:26|48)\$p"  # two questions about what the terminal can do
    r"|\x1b\[>25u|\x1b\[<u"  # its keyboard
    r"|\x1b\]22;(?:default|pointer|text)\x07"  # the mouse pointer's shape
)
_UNFINISHED = re.compile(r"\x1b(?:\[[?<>=\d;$]{0,40}|\](?:[\d;a-z]{0,12})|)$")
_PRINTED = re.compile(r"[^\x00-\x1f\x7f]+")

_SEEN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
"""Format characters that have a glyph."""

_IGNORABLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point of the Unicode Character Database, and the line separators."""

_MOST_MARKS = 6


def is_hidden(character: str) -> bool:
    """Whether a terminal obeys a character or shows nothing for it."""
    category = unicodedata.category(character)
    if category in ("Cc", "Cs", "Zl", "Zp") or _IGNORABLE.match(character):
        return True
    if category == "Cf":
        return character not in _SEEN_FORMATS
    return ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"


class Stream:
    """Reads what a terminal is sent.

    Attributes:
        findings: what was not allowed, each once.

    Args:
        escapes: whether the program may send any sequence at all.
    """

    def __init__(self, columns: int, rows: int, *, escapes: bool = True) -> None:
        self.findings: dict[str, None] = {}
        self._plain: list[str] = []
        self._escapes = escapes
        self._cells = [[" "] * columns for _ in range(rows)]
        self._row = self._column = 0
        self._rest = ""
        self._marks = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> None:
        """Take some more of it."""
        text = self._rest + self._decode.decode(data)
        at, self._rest = 0, ""
        while at < len(text):
            if printed := _PRINTED.match(text, at):
                self._print(printed[0])
                at = printed.end()
            elif text[at] == "\t" and not self._escapes:
                self._plain.append(" ")
                at += 1
            elif text[at] in "\r\n":
                self._end_line(text[at])
                at += 1
            elif self._escapes and (allowed := _ALLOWED.match(text, at)):
                if allowed["row"]:
                    self._row, self._column = int(allowed["row"]) - 1, int(allowed["column"]) - 1
                at = allowed.end()
            elif self._escapes and _UNFINISHED.match(text, at):
                self._rest = text[at:]
                return
            else:
                self._find(f"{text[at : at + 12]!r} after {text[max(at - 20, 0) : at]!r}")
                at += 1

    @property
    def plain(self) -> str:
        """All that was printed, without where: for commands that print lines."""
        return "".join(self._plain)

    def rows(self) -> list[str]:
        """The screen's lines."""
        return ["".join(row) for row in self._cells]

    def cells(self, row: int) -> list[str]:
        """A line's cells; the second half of a wide character is empty."""
        return self._cells[row]

    def _end_line(self, character: str) -> None:
        if character == "\n":
            self._row += 1
            self._plain.append("\n")
        else:
            self._column = 0

    def _print(self, text: str) -> None:
        self._plain.append(text)
        for character in text:
            if character != "\ufffd" and is_hidden(character):
                self._find(f"U+{ord(character):04X}")
            width = get_character_cell_size(character)
            self._marks = 0 if width else self._marks + 1
            if self._marks == _MOST_MARKS:
                self._find("marks piled up")
            self._put(character, width)

    def _put(self, character: str, width: int) -> None:
        if not 0 <= self._row < len(self._cells):
            return
        row = self._cells[self._row]
        if not width:
            row[min(max(self._column - 1, 0), len(row) - 1)] += character
        elif self._column < len(row):
            row[self._column] = character
            if width == 2 and self._column + 1 < len(row):
                row[self._column + 1] = ""
        self._column += width

    def _find(self, what: str) -> None:
        if len(self.findings) < 50:
            self.findings[what] = None
