"""Markdown as rows, with nothing hidden.

A Markdown renderer drops much of what an answer says: tags and comments, link targets,
reference definitions, cells too many. Whoever votes must see what a judge is given, so here
all of it stays in sight, and a guard holds it: if any letter, digit or symbol of a block's
source is missing from what would be shown, the block is shown as its source instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from tui.rendering_code import fence_rows
from tui.rendering_source import Block
from tui.rendering_table import table_rows
from tui.rendering_wrap import Placed, Run, cells_of, wrap

_MARKUP = re.compile(r"[\s*_`~#>|\\\-+=:]+")
"""What rendering may take away: white space and the marks of Markdown."""

_DEEPEST = 40
"""Levels of nesting that the parser follows; it drops what stands deeper."""

_PIPE = re.compile(r"(?<!\\)\|")

_MOST_MARKS = (("[", 300), ("*_~`\\$<", 1000), ("|", 1200))
"""In one block; the parser's time grows with the square of most of them."""

_BULLETS = "•◦▪"
_LEAST_ROOM = 16
"""Cells left for text however deep it is nested, or half of the width if that is less."""

_MATH_ENDS = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"))
_DOLLARS = re.compile(r"\$(?![\s$])[^$\n]{0,198}[^$\s\\]\$(?!\d)|\$[^$\s\\]\$(?!\d)")


def _math(state: StateInline, silent: bool) -> bool:
    """Inline rule: formulas keep their backslashes, stars and underscores."""
    source, begin = state.src, state.pos
    if source[begin] not in "$\\":
        return False
    end = -1
    for opening, closing in _MATH_ENDS:
        if source.startswith(opening, begin):
            found = source.find(closing, begin + 2, begin + 1000)
            end = found + 2 if found >= 0 else -1
            break
    else:
        if dollars := _DOLLARS.match(source, begin):
            end = dollars.end()
    if end < 0:
        return False
    if not silent:
        state.push("math", "", 0).content = source[begin:end]
    state.pos = end
    return True


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST})
    parser.enable(["table", "strikethrough"])
    # Each of these would take something out of sight, or turn it into something else.
    parser.disable(["reference", "entity", "autolink", "html_block", "html_inline"])
    parser.inline.ruler.before("escape", "math", _math)
    parser.normalizeLink = str  # type: ignore[method-assign, assignment]
    parser.validateLink = bool  # type: ignore[method-assign, assignment]
    return parser


@dataclass(slots=True)
class _Container:
    """A quote or a list item: what stands before each of its rows."""

    first: str
    rest: str
    style: str
    line: int = 0
    begun: bool = False


@dataclass(slots=True)
class _Unit:
    """A leaf of the document: a paragraph, a heading, some code, a table or a rule."""

    kind: str
    begin: int
    end: int
    lines: list[list[Run]] = field(default_factory=list)
    first: list[Run] = field(default_factory=list)
    rest: list[Run] = field(default_factory=list)
    containers: tuple[_Container, ...] = ()
    code: list[str] = field(default_factory=list)
    info: str | None = None
    table: list[list[list[Run]]] = field(default_factory=list)
    aligns: list[str] = field(default_factory=list)


def markdown_rows(block: Block, width: int) -> Iterator[Placed] | None:
    """Lay out a block of Markdown.

    Args:
        width: cells, at least 10.

    Returns:
        The rows; None if something of the source would be missing from them, or if it holds
        so many marks that parsing them would take too long.
    """
    source = "\n".join(line for _, line in block.lines)
    if any(sum(map(source.count, marks)) > most for marks, most in _MOST_MARKS):
        return None
    reading = _Reading([line for _, line in block.lines])
    tokens = _parser().parse(source)
    reading.read(tokens)
    if (
        not reading.whole
        or not reading.units
        or any(token.level > _DEEPEST - 3 for token in tokens)
    ):
        return None
    if _MARKUP.sub("", source) != _MARKUP.sub("", "".join(reading.said)):
        return None
    return _place(reading.units, block, width)


class _Reading:
    """One pass over the tokens: gathers the leaves, and all that they say."""

    def __init__(self, lines: list[str]) -> None:
        self.units: list[_Unit] = []
        self.said: list[str] = []
        self.whole = True
        self._lines = lines
        self._stack: list[_Container] = []
        self._open: _Unit | None = None

    def read(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            match token.type:
                case "blockquote_open":
                    self._stack.append(_Container("▌ ", "▌ ", "quote"))
                case "list_item_open":
                    self._item(token)
                case "list_item_close":
                    self._close_item()
                case "blockquote_close":
                    self._stack.pop()
                case "heading_open":
                    unit = self._unit("heading", token)
                    marks = "#" * int(token.tag[1]) + " "
                    unit.first.append((marks, "label"))
                    unit.rest.append((" " * len(marks), "label"))
                case "paragraph_open":
                    self._unit("text", token)
                case "fence" | "code_block":
                    self._code(token)
                case "hr":
                    self._unit("rule", token)
                case "inline":
                    self._inline(token)
                case _ if token.type in _TABLE_PARTS:
                    self._table(token)

    def _item(self, token: Token) -> None:
        level = sum(container.style == "bullet" for container in self._stack)
        if token.info:  # an ordinal, as it is written: Markdown would count anew
            mark = f"{token.info}{token.markup} "
            self.said.append(mark)
        else:
            mark = f"{_BULLETS[level % len(_BULLETS)]} "
        begin = (token.map or [0, 0])[0]
        self._stack.append(_Container(mark, " " * len(mark), "bullet", begin))

    def _close_item(self) -> None:
        item = self._stack[-1]
        if not item.begun:
            self._leaf("text", item.line, item.line + 1).lines.append([])
        self._stack.pop()

    def _unit(self, kind: str, token: Token) -> _Unit:
        begin, end = token.map or [0, 0]
        self._open = self._leaf(kind, begin, end)
        return self._open

    def _leaf(self, kind: str, begin: int, end: int) -> _Unit:
        unit = _Unit(kind, begin, end, containers=tuple(self._stack))
        for container in self._stack:
            unit.first.append(
                (container.rest if container.begun else container.first, container.style)
            )
            unit.rest.append((container.rest, container.style))
            container.begun = True
        self.units.append(unit)
        return unit

    def _code(self, token: Token) -> None:
        unit = self._unit("code", token)
        self.said.append(token.info)
        self.said.append(token.content)
        unit.info = token.info.strip() if token.type == "fence" else None
        unit.code = token.content.removesuffix("\n").split("\n")

    def _inline(self, token: Token) -> None:
        if self._open is None:
            raise ValueError("inline text outside of any block")
        style = {"heading": "heading", "table": "strong"}.get(self._open.kind)
        if len(self._open.table) > 1:
            style = None
        inline = _Inline(style)
        for child in token.children or []:
            inline.read(child)
        lines = inline.lines
        for line in lines:
            self.said.extend(text for text, _ in line)
        if self._open.table:
            self._open.table[-1].append(lines[0])
        else:
            self._open.lines.extend(lines)

    def _table(self, token: Token) -> None:
        if token.type == "table_open":
            self._unit("table", token)
        elif self._open is not None and token.type == "tr_open":
            self._open.table.append([])
            line = self._lines[(token.map or [0])[0]].strip(" >")
            cells = 1 + len(_PIPE.findall(line)) - line.startswith("|") - line.endswith("|")
            if self._open.aligns and cells > len(self._open.aligns):
                self.whole = False  # the parser drops the cells that have no column
        elif self._open is not None and token.type == "th_open":
            self._open.aligns.append(str(token.attrs.get("style", "")).rpartition(":")[2])


_TABLE_PARTS = frozenset({"table_open", "tr_open", "th_open"})
_STYLES = {"em": "emphasis", "strong": "strong", "s": "strike", "link": "link"}


class _Inline:
    """Inline tokens as runs, a list of them for each line of the source.

    Marks whose loss would change the meaning in a terminal without that style stay: the
    backticks of code and the tildes of struck text. A link is shown as it is written.
    """

    def __init__(self, style: str | None) -> None:
        self.lines: list[list[Run]] = [[]]
        self._styles = [style] if style else []
        self._targets: list[str] = []

    def read(self, token: Token) -> None:
        name, _, edge = token.type.rpartition("_")
        if token.type in ("softbreak", "hardbreak"):
            self.lines.append([])
        elif token.type == "math":
            self._math(token)
        elif token.type == "code_inline":
            self._say(f"{token.markup}{token.content}{token.markup}", "code")
        elif token.type == "image":
            self._say(f"![{token.content}]({_target(token, 'src')})", "label")
        elif edge == "open":
            self._begin(name, token)
        elif edge == "close":
            self._end(name)
        else:
            self._say(token.content)

    def _say(self, text: str, *extra: str) -> None:
        if text:
            self.lines[-1].append((text, " ".join((*self._styles, *extra)) or "text"))

    def _math(self, token: Token) -> None:
        first, *others = token.content.split("\n")
        self._say(first, "math")
        for other in others:
            self.lines.append([])
            self._say(other.strip(), "math")

    def _begin(self, name: str, token: Token) -> None:
        if name == "link":
            self._say("[", "label")
            self._targets.append(_target(token, "href"))
        self._styles.append(_STYLES[name])
        if name == "s":
            self._say("~~")

    def _end(self, name: str) -> None:
        if name == "s":
            self._say("~~")
        self._styles.pop()
        if name == "link":
            self._say(f"]({self._targets.pop()})", "label")


def _target(token: Token, attribute: str) -> str:
    title = token.attrs.get("title")
    target = str(token.attrs.get(attribute, ""))
    return f'{target} "{title}"' if title else target


def _place(units: Sequence[_Unit], block: Block, width: int) -> Iterator[Placed]:
    """The units as rows, with blank rows between them where the source has blank lines."""
    offsets = [offset for offset, _ in block.lines]
    previous: _Unit | None = None
    for unit in units:
        begin = min(unit.begin, len(offsets) - 1)
        if previous is not None and _gap(previous, unit, block):
            common = [
                (container.rest, container.style)
                for container, other in zip(unit.containers, previous.containers, strict=False)
                if container is other
            ]
            yield offsets[begin] - 1, tuple(common)
        yield from _unit_rows(unit, offsets[begin:], width)
        previous = unit


def _gap(previous: _Unit, unit: _Unit, block: Block) -> bool:
    between = block.lines[previous.end : unit.begin]
    apart = {"heading", "table", "rule"} & {previous.kind, unit.kind}
    return bool(apart) or any(not line.strip(" >") for _, line in between)


def _unit_rows(unit: _Unit, offsets: Sequence[int], width: int) -> Iterator[Placed]:
    first, rest = unit.first, unit.rest
    while cells_of(rest) > width - min(_LEAST_ROOM, width // 2):
        first, rest = first[1:], rest[1:]
    room = width - cells_of(rest)
    if unit.kind == "rule":
        yield offsets[0], (*first, ("─" * room, "label"))
        return
    if unit.kind == "table":
        for index, row in table_rows(unit.table, unit.aligns, room):
            yield offsets[min(index, len(offsets) - 1)], (*first, *row)
            first = rest
        return
    if unit.kind == "code":
        rows = fence_rows(unit.code, unit.info, room)
    else:
        rows = (
            (number, index, row)
            for number, line in enumerate(unit.lines)
            for index, row in wrap(line or [("", "text")], room)
        )
    for number, index, row in rows:
        yield offsets[min(number, len(offsets) - 1)] + index, (*first, *row)
        first = rest
