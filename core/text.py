"""What a terminal may be shown of a foreign text, and what can be counted in an answer.

Foreign text is whatever this program did not write: answers, questions, notes, names, titles.
A terminal obeys some of its characters (escape sequences, C1 controls) and hides others
(zero-width, bidirectional overrides), so every screen shows :func:`displayable` text: each such
character stands there as something visible and inert. The text itself is stored and exported
verbatim; only what is shown passes through here.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MOST_MARKS = 5
"""Combining marks shown on one base character; more would paint over the lines around it."""

_VARIATION = "\ufe0e\ufe0f"
_SKIN = "\U0001f3fb-\U0001f3ff"
_JOINER = "\u200d"
_PICTURE = "\u203c-\u205f\u2070-\u3163\u3165-\u3299\U0001f000-\U0001f3fa\U0001f400-\U0001faff"
"""What emoji sequences are made of, generously; none of it is itself a stand-in's cause."""

_UNSHOWN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero-width, line separators, bidi controls
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"  # filler, variation selectors, BOM, specials
    "\ufdd0-\ufdef\ufffe\uffff"  # noncharacters
    "\ud800-\udfff"  # lone surrogates: a terminal's encoder refuses them
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # format controls
    f"{_SKIN}\U000e0000-\U000e0fff"  # skin tones, tags, further variation selectors
)
_SUSPECT = re.compile(f"[{_UNSHOWN}]")
_NONCHARACTER = re.compile(
    "["
    + "".join(f"{chr(end - 2)}{chr(end - 1)}" for end in range(0x20000, 0x120000, 0x10000))
    + "]"
)
"""The others: apart, since they are rare and every range makes the search above slower."""

_SHOWN_AS = re.compile(
    f"(?P<emoji>[{_PICTURE}][{_VARIATION}{_SKIN}]?"
    f"(?:{_JOINER}[{_PICTURE}][{_VARIATION}{_SKIN}]?)+"
    f"|[{_PICTURE}][{_VARIATION}{_SKIN}]"
    f"|[#*0-9\xa9\xae][{_VARIATION}])"
    f"|(?P<one>[{_UNSHOWN}])(?P<again>(?P=one)*)"
)
_PLAIN = bytes([0x09, 0x0A, *range(0x20, 0x7F)])
_DROPPED = dict.fromkeys([0x200D, 0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)])
_JAMO = "\u1161-\u11ff\ud7b0-\ud7ff"
"""Korean vowels and finals, which a terminal paints onto the consonant before them."""

_MAYBE_MARKS = re.compile(rf"[^\x00-\x7f\w\s]{{{MOST_MARKS + 1},}}")
"""Runs that could be combining marks: no mark is a word character, and few runs are this long."""

_MAYBE_JAMO = re.compile(rf"(?:[^\x00-\x7f\w\s]|[{_JAMO}]){{{MOST_MARKS + 1},}}")
_ANY_JAMO = re.compile(f"[{_JAMO}]")

_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
_PICTURES[0x7F] = "␡"
_PICTURES[0x0D] = "␍\n"  # alone it sends a terminal back to overwrite the line


def displayable(text: str) -> str:
    r"""Make a text inert and its hidden parts visible.

    C0 controls become their pictures (``␛``), except newline and tab; CR LF is a newline and
    a lone CR is ``␍`` and a newline. C1 controls, bidirectional controls, zero-width and other
    invisible characters become their number, ``⟨202E⟩``, or ``⟨200B×40⟩`` for a run of one.
    Lone surrogates become U+FFFD. Inside an emoji sequence, variation selectors, skin tones and
    joiners are dropped: terminals disagree about their width. Of combining marks on one base
    :data:`MOST_MARKS` are kept and the others counted, ``⟨+12⟩``.

    Returns:
        Text whose only control characters are ``\n`` and ``\t``; applying this function to
        it again changes nothing.
    """
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    if text.isascii():
        return text.translate(_PICTURES)
    # Most text is mostly ASCII: looking only at the rest is four times as fast.
    rest = text.encode("utf-8", "surrogatepass").translate(None, _PLAIN)
    unusual = rest.decode("utf-8", "surrogatepass")
    kinds = "".join(set(unusual))
    if _SUSPECT.search(kinds):
        text = _SHOWN_AS.sub(_show, text)
    if _NONCHARACTER.search(kinds):
        text = _NONCHARACTER.sub(lambda match: f"⟨{ord(match[0]):04X}⟩", text)
    if any(map(_combines, kinds)):
        text = _runs(kinds).sub(_cap_marks, text)
    return text


def _runs(text: str) -> re.Pattern[str]:
    """What finds runs that could be combining, in a text of these characters."""
    return _MAYBE_JAMO if _ANY_JAMO.search(text) else _MAYBE_MARKS


@lru_cache(maxsize=4096)
def _combines(character: str) -> bool:
    """Whether a terminal may paint a character onto the one before it.

    What this Python's tables do not know yet may be a mark of a newer Unicode.
    """
    category = unicodedata.category(character)
    if category == "Cn":
        return character < "\U0001f000"
    return (
        category[0] == "M" or "\u1161" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7ff"
    )


def hidden(text: str) -> Iterator[int]:
    r"""Where a text has characters that a terminal would obey or not show, in no order.

    These are the characters that :func:`displayable` replaces, but for newline and tab, and the
    combining marks beyond :data:`MOST_MARKS`.

    Yields:
        Indices into the text.
    """
    for unshown in (_SUSPECT, _NONCHARACTER):
        for match in unshown.finditer(text):
            yield match.start()
    for match in _runs(text).finditer(text):
        run = 0
        for index, character in enumerate(match[0], match.start()):
            run = run + 1 if _combines(character) else 0
            if run > MOST_MARKS and not _SUSPECT.match(character):
                yield index


def inert_json(text: str) -> str:
    """JSON that says the same and that a terminal may be shown: what is hidden is escaped."""
    if text.isascii() and text.isprintable():
        return text
    characters = list(text)
    for index in hidden(text):
        characters[index] = json.dumps(characters[index])[1:-1]
    return "".join(characters)


def _show(match: re.Match[str]) -> str:
    if match["emoji"]:
        return match["emoji"].translate(_DROPPED)
    character, count = match["one"], 1 + len(match["again"])
    code = ord(character)
    if picture := _PICTURES.get(code):
        return picture * count
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd" * count
    stand_in = f"⟨{code:04X}⟩"
    return stand_in * count if count < 4 else f"⟨{code:04X}×{count}⟩"


def _cap_marks(match: re.Match[str]) -> str:
    parts: list[str] = []
    run = 0
    for character in match[0]:
        if _combines(character):
            run += 1
        else:
            parts.append(_excess(run))
            run = 0
        if run <= MOST_MARKS:
            parts.append(character)
    parts.append(_excess(run))
    return "".join(parts)


def _excess(run: int) -> str:
    return f"⟨+{run - MOST_MARKS}⟩" if run > MOST_MARKS else ""


@lru_cache(maxsize=4096)
def cell_width(character: str) -> int:
    """How many cells a terminal gives to one character: 0, 1 or 2.

    Where terminals differ this is the larger number, so that what is measured by it fits.
    """
    category = unicodedata.category(character)
    if category in ("Mn", "Me"):
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    # Symbols that Unicode 16 widened, later than some Pythons' tables.
    wide = "\u2630" <= character <= "\u268f" or "\u4dc0" <= character <= "\u4dff"
    return 2 if wide or "\U0001d300" <= character <= "\U0001d37f" else 1


def one_line(text: str, width: int) -> str:
    """A name, title or note as one line of at most ``width`` cells.

    Newlines show as ``⏎``, tabs as a space, and a text that does not fit ends in ``…``.

    Args:
        text: foreign text of any length; only as much of it as can be seen is looked at.
        width: cells; nothing is shown in less than one.
    """
    if width < 1:
        return ""
    enough = 64 * width + 64
    shown = displayable(text[:enough]).replace("\n", "⏎").replace("\t", " ")
    cells = 0
    kept = 0  # characters that leave a cell for the ellipsis
    for index, character in enumerate(shown):
        cells += cell_width(character)
        if cells > width:
            return shown[:kept] + "…"
        if cells < width:
            kept = index + 1
    return shown[:kept] + "…" if len(text) > enough else shown


def name_problem(name: str) -> str:
    """Why a text cannot name an annotator, a judge, a model or a question; empty if it can."""
    if not name.strip():
        return "is empty"
    if control := _CONTROL.search(name):
        return f"holds the control character U+{ord(control.group()):04X}"
    if half := _HALF.search(name):
        return f"has half a surrogate pair, U+{ord(half.group()):04X}, which is no character"
    return ""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HALF = re.compile("[\ud800-\udfff]")


def many(count: int, noun: str) -> str:
    """A count with its noun: ``1 pair``, ``2,000 pairs``, ``0 replies``."""
    several = f"{noun[:-1]}ies" if noun.endswith("ly") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else several}"


def sentences(*parts: str) -> str:
    """Parts of a message as sentences: capital first, full stop last, empty ones left out."""
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in parts if part)


COUNTED_BY = 1
"""Version of what :func:`length_features` counts; to be raised with it, as counts are kept."""


@dataclass(frozen=True, slots=True)
class LengthFeatures:
    """How long an answer is and how much it is dressed, for bias statistics.

    Attributes:
        characters: code points of the text.
        words: runs of anything but white space.
        tokens: approximate, a quarter of the UTF-8 bytes rounded up; models' own tokenizers
            differ from each other by more than this does from them.
        headers: Markdown headings written with ``#``.
        list_items: lines that begin with a bullet or a number.
        bold: spans in ``**`` or ``__``.
        code_blocks: fenced blocks, closed or not.
    """

    characters: int
    words: int
    tokens: int
    headers: int
    list_items: int
    bold: int
    code_blocks: int


_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_HEADER = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_BOLD = re.compile(r"(\*\*|__)(?=\S)(?:(?!\1).)+(?<=\S)\1")
_CODE_SPAN = re.compile(r"(?<!`)(`{1,3})(?!`)[^`\n]*\1(?!`)")


def length_features(text: str) -> LengthFeatures:
    """Count what :class:`LengthFeatures` holds; marks inside code are not counted."""
    prose, code_blocks = _outside_code(text)
    lines = [_CODE_SPAN.sub("", line) for line in prose]
    return LengthFeatures(
        characters=len(text),
        words=len(text.split()),
        tokens=-(-len(text.encode("utf-8", "surrogatepass")) // 4),
        headers=sum(_HEADER.match(line) is not None for line in lines),
        list_items=sum(_LIST_ITEM.match(line) is not None for line in lines),
        bold=sum(len(_BOLD.findall(line)) for line in lines),
        code_blocks=code_blocks,
    )


def headings(text: str) -> int:
    """:attr:`LengthFeatures.headers` alone, where a whole study's answers are to be counted."""
    if "#" not in text:
        return 0
    is_fenced = "```" in text or "~~~" in text
    lines = _outside_code(text)[0] if is_fenced else _lines(text)
    marked = (_CODE_SPAN.sub("", line) for line in lines if "#" in line)
    return sum(_HEADER.match(line) is not None for line in marked)


def _outside_code(text: str) -> tuple[list[str], int]:
    """The lines outside fenced code, and how many fences there are."""
    prose: list[str] = []
    fences = 0
    closing = ""
    for line in _lines(text):
        stripped = line.strip()
        if closing:
            if stripped.startswith(closing) and not stripped.strip(closing[0]):
                closing = ""
        elif opening := _FENCE.match(line):
            closing = opening[1]
            fences += 1
        else:
            prose.append(line)
    return prose, fences


def _lines(text: str) -> Iterator[str]:
    return iter(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
