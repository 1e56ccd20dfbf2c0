"""Foreign text as strips, laid out as far as somebody reads and no further.

The way of a text: :mod:`tui.rendering_source` makes its lines displayable and cuts them into
blocks, :mod:`tui.rendering_markdown` and :mod:`tui.rendering_code` turn a block into rows, and
:class:`Rendered` keeps the rows and makes a strip of each when it is painted. All of it is
driven by :meth:`Rendered.advance`, which stops within a few milliseconds of its budget however
large a block is. Markup of Rich or Textual is never interpreted: a row is plain text and names
of styles.
"""

from __future__ import annotations

import re
import weakref
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from time import perf_counter

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.marking import MARKS, Marks, gutter, marked
from tui.rendering_source import Block, Kind, Lines, blocks, landmarks
from tui.rendering_wrap import Placed, Row, cells_of, hang, wrap

STYLES = (
    "heading",
    "strong",
    "emphasis",
    "strike",
    "code",
    "math",
    "link",
    "label",
    "bullet",
    "quote",
    "bar",
    "block",
    "keyword",
    "string",
    "comment",
    "number",
    "name",
    *MARKS,
)
"""Names of styles that a row may carry, one or several to a run; ``text`` carries none."""

LANDMARKS = ("heading", "code")
"""What one may jump to in a text."""

NARROWEST = 10
"""Cells; a narrower view shows the left part of rows laid out this wide."""

_MOST_STRIPS = 400

_PROSE = re.compile(r"""[A-Za-z](?:[A-Za-z0-9,.;:'"?!()%/-]| (?! |$))*""")
"""A line in which Markdown sees no mark: it is shown as it stands, and nothing has to parse it."""


class Palette:
    """What the names of styles look like.

    Args:
        base: the pane's own style, under every run.
        styles: partial styles by the names in :data:`STYLES`.
    """

    def __init__(self, base: Style, styles: Mapping[str, Style]) -> None:
        self.base = base
        self._styles = styles
        self._known: dict[str, Style] = {}

    def __getitem__(self, names: str) -> Style:
        """The style of a run that carries these names, separated by spaces."""
        style = self._known.get(names)
        if style is None:
            parts = (self._styles[name] for name in names.split() if name in self._styles)
            style = self._known[names] = Style.combine([self.base, *parts])
        return style


class Rendered:
    """One text at one width.

    Attributes:
        text: the source, verbatim.
        width: cells.
        raw: whether the source is shown as it is, or as Markdown.
        hanging: whether further rows of a line of the source are indented as its first.
        begin: the offset in the source at which the first row begins.
        blocks: how many blocks (in raw mode, lines) were laid out so far: a measure of work.
        complete: whether all of the text is laid out, so that ``height`` is final.
        landmarks: the rows at which a heading or code begins, as far as there are rows.
    """

    def __init__(
        self,
        text: str,
        width: int,
        *,
        raw: bool = False,
        hanging: bool = False,
        palette: Palette | None = None,
        begin: int = 0,
    ) -> None:
        self.text = text
        self.begin = begin
        self.width = max(width, NARROWEST)
        self.raw = raw
        self.hanging = hanging
        self.blocks = 0
        self.complete = False
        self._palette = palette or Palette(Style.null(), {})
        self._rows: list[Row] = []
        self._offsets = array("Q")
        self._starts = array("Q")  # the first row of each block, and where its source begins
        self._sources = array("Q")
        self.landmarks = {kind: array("Q") for kind in LANDMARKS}
        self._marks = Marks()
        self._marked: dict[int, list[Row]] = {}  # the rows of each block painted with marks
        self._strips: dict[int, Strip] = {}
        # A generator that held this object would keep both alive, and with them the text, until
        # the collector comes round; between two votes it has no time to.
        layout = Rendered._lay_out_raw if raw else Rendered._lay_out
        self._feed = layout(weakref.proxy(self))

    @property
    def height(self) -> int:
        """Rows laid out so far."""
        return len(self._rows)

    def advance(self, budget: float) -> bool:
        """Lay out more rows.

        Args:
            budget: seconds; overrun by one block at most, a few milliseconds.

        Returns:
            Whether the text is complete.
        """
        deadline = perf_counter() + budget
        while not self.complete and perf_counter() < deadline:
            self._step()
        return self.complete

    def ensure(self, rows: int) -> None:
        """Lay out at least this many rows, if the text has them."""
        while not self.complete and len(self._rows) < rows:
            self._step()

    def line(self, y: int) -> Strip:
        """The strip of a row, at most ``width`` cells; blank if there is no such row."""
        self.ensure(y + 1)
        if not 0 <= y < len(self._rows):
            return Strip.blank(0)
        strip = self._strips.get(y)
        if strip is None:
            if len(self._strips) >= _MOST_STRIPS:
                self._strips.clear()
            strip = self._strips[y] = self._strip(self._row(y))
        return strip

    def gutter(self, y: int) -> str:
        """One character for the pane's edge: what marks a row carries, readable anywhere."""
        return gutter(self._row(y)) if self._marks and y < len(self._rows) else " "

    def mark(self, marks: Marks) -> None:
        """Take other marks; the layout stays."""
        if marks != self._marks:
            self._marks = marks
            self._marked.clear()
            self._strips.clear()

    def restyle(self, palette: Palette) -> None:
        """Take another palette; the layout stays."""
        if palette is not self._palette:
            self._palette = palette
            self._strips.clear()

    def offset_of(self, y: int) -> int:
        """Where in the source a row begins; the text's length beyond the last row."""
        self.ensure(y + 1)
        return self._offsets[y] if 0 <= y < len(self._rows) else len(self.text)

    def reached(self, offset: int) -> bool:
        """Whether the row that shows this offset of the source is laid out."""
        return self.complete or bool(self._rows and self._offsets[-1] > offset)

    def seek(self, offset: int, budget: float) -> bool:
        """Lay out up to an offset of the source, within so many seconds; whether it is reached."""
        deadline = perf_counter() + budget
        while not self.reached(offset) and perf_counter() < deadline:
            self._step()
        return self.reached(offset)

    def row_of_current(self, line: int, offset: int) -> int:
        """The row that carries the current match.

        Args:
            line: where in the source its line begins.
            offset: about where the match does.
        """
        block = max(bisect_right(self._sources, line) - 1, 0)
        rows = self._rows_of(block)
        begin = self._starts[block]
        for number, row in enumerate(rows):
            if any("current" in style for _, style in row):
                return begin + number
        return self.row_of(offset)

    def row_of(self, offset: int) -> int:
        """The row, among those laid out, that shows an offset of the source."""
        after = bisect_right(self._offsets, offset)
        return bisect_left(self._offsets, self._offsets[after - 1]) if after else 0

    def _step(self) -> None:
        """Take one row."""
        try:
            offset, row = next(self._feed)
        except StopIteration:
            if not self._rows:
                self._rows.append((("(empty)", "label"),))
                self._offsets.append(0)
            self.complete = True
            return
        # Styled text may be longer than its source: a row never begins before the last.
        floor = self._offsets[-1] if self._offsets else 0
        self._offsets.append(max(floor, min(offset, len(self.text))))
        self._rows.append(row)

    def _row(self, y: int) -> Row:
        """A row, with its marks if there are any."""
        if not self._marks:
            return self._rows[y]
        block = bisect_right(self._starts, y) - 1
        return self._rows_of(block)[y - self._starts[block]] if block >= 0 else self._rows[y]

    def _rows_of(self, block: int) -> Sequence[Row]:
        """The rows of one block, marked."""
        rows = self._marked.get(block)
        if rows is None:
            while not self.complete and block == len(self._starts) - 1:
                self._step()
            is_last = block == len(self._starts) - 1
            begin = self._starts[block]
            end = len(self._rows) if is_last else self._starts[block + 1]
            until = len(self.text) if is_last else self._sources[block + 1]
            reader = iter(Lines(self.text, self._sources[block]))
            lines = list(takewhile(lambda line: line[0] < until, reader))
            rows = marked(self._rows[begin:end], self._offsets[begin:end], lines, self._marks)
            if len(self._marked) >= _MOST_STRIPS:
                self._marked.clear()
            self._marked[block] = rows
        return rows

    def _begins(self, offset: int) -> None:
        """A block begins with the next row; what a lone CR divides stays together."""
        if not self._sources or offset > self._sources[-1]:
            self._starts.append(len(self._rows))
            self._sources.append(offset)

    def _strip(self, row: Row) -> Strip:
        palette = self._palette
        segments = [Segment(text, palette[style]) for text, style in row if text]
        last = row[-1][1] if row else ""
        if last.startswith("block"):  # code stands on its ground up to the edge
            spare = self.width - cells_of(row)
            if spare > 0:
                segments.append(Segment(" " * spare, palette["block"]))
        return Strip(segments)

    def _lay_out_raw(self) -> Iterator[Placed]:
        for (offset, line), kind in landmarks(self.text, self.begin):
            self.blocks += 1
            self._begins(offset)
            if kind:
                self.landmarks[kind].append(len(self._rows))
            rows = wrap([(line, "text")], self.width)
            if self.hanging:
                rows = hang(line, "text", self.width)
            for index, row in rows:
                yield offset + index, row

    def _lay_out(self) -> Iterator[Placed]:
        apart = False  # whether the block before wants a blank row after it
        before = ""
        for block in blocks(self.text, self.begin):
            self.blocks += 1
            first = block.info or (block.lines[0] if block.lines else (len(self.text), ""))
            self._begins(first[0])
            begins = block.kind is not Kind.CODE or block.info is not None
            stands_apart = block.kind is Kind.CODE or _is_heading(block)
            if self._rows and begins and (block.gap or apart or stands_apart):
                yield max(block.lines[0][0] - 1, 0) if block.lines else len(self.text), ()
                before = ""
            for offset, row in _rows(block, self.width):
                kind = _landmark(row)
                if kind and kind != before:
                    self.landmarks[kind].append(len(self._rows))
                before = kind
                yield offset, row
            apart = stands_apart


def _landmark(row: Row) -> str:
    """Whether a row is part of a heading or of code."""
    if not row:
        return ""
    if row[-1][1].startswith("block"):
        return "code"
    return "heading" if any(style.startswith("heading") for _, style in row) else ""


def _is_heading(block: Block) -> bool:
    return block.kind is Kind.MARKDOWN and block.lines[0][1].startswith("#")


def _rows(block: Block, width: int) -> Iterator[Placed]:
    if block.kind is Kind.MARKDOWN and not _is_prose(block):
        from tui.rendering_markdown import markdown_rows

        placed = markdown_rows(block, width)
        if placed is not None:
            yield from placed
            return
    if block.kind is Kind.CODE:
        yield from _code(block, width)
        return
    style = "math" if block.kind is Kind.MATH else "text"
    for offset, line in block.lines:
        for index, row in wrap([(line, style)], width):
            yield offset + index, row


def _is_prose(block: Block) -> bool:
    """Whether a block is one line without marks, which is what most paragraphs are."""
    return len(block.lines) == 1 and _PROSE.fullmatch(block.lines[0][1]) is not None


def _code(block: Block, width: int) -> Iterator[Placed]:
    from tui.rendering_code import fence_rows

    lines = [line for _, line in block.lines]
    offsets = [offset for offset, _ in block.lines]
    info = None
    if block.info is not None:
        offsets.insert(0, block.info[0])
        info = block.info[1].strip(" `~")
    for number, index, row in fence_rows(lines, info, width, block.whole):
        yield offsets[number] + index, row
