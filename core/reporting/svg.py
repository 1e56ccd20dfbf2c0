"""Charts as SVG: text that stays text, shapes that do not need colour, no script."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

from core.numbers import number
from core.reporting.charts import Chart, Heat, Intervals, Shares
from core.text import one_line

WIDTH = 760
_ROW = 22
_LABEL = 250
_PLOT = 300
_TEXT_AT = _LABEL + _PLOT + 24
_LABEL_CELLS = 31


def drawn(chart: Chart, number_of: str) -> Element:
    """A chart as an ``svg`` element with a title and a description for those who hear it.

    Args:
        number_of: makes the ids of this chart its own among all of a page.
    """
    if isinstance(chart, Intervals):
        return _intervals(chart, number_of)
    if isinstance(chart, Heat):
        return _heat(chart, number_of)
    return _shares(chart, number_of)


def _canvas(height: float, title: str, said: str, number_of: str, width: float = WIDTH) -> Element:
    svg = Element(
        "svg",
        {
            "viewBox": f"0 0 {_n(width)} {_n(height)}",
            "role": "img",
            "aria-labelledby": f"{number_of}-t {number_of}-d",
            "preserveAspectRatio": "xMinYMin meet",
        },
    )
    SubElement(svg, "title", {"id": f"{number_of}-t"}).text = title
    SubElement(svg, "desc", {"id": f"{number_of}-d"}).text = said
    return svg


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _text(
    svg: Element, x: float, y: float, words: str, kind: str = "", anchor: str = ""
) -> Element:
    named = {"x": _n(x), "y": _n(y)}
    if kind:
        named["class"] = kind
    if anchor:
        named["text-anchor"] = anchor
    element = SubElement(svg, "text", named)
    element.text = words
    return element


def _line(svg: Element, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
    ends = {"x1": _n(x1), "y1": _n(y1), "x2": _n(x2), "y2": _n(y2), "class": kind}
    SubElement(svg, "line", ends)


def _box(svg: Element, x: float, y: float, wide: float, high: float, kind: str) -> Element:
    size = {"x": _n(x), "y": _n(y), "width": _n(wide), "height": _n(high), "class": kind}
    return SubElement(svg, "rect", size)


def _label(svg: Element, y: float, words: str) -> None:
    short = one_line(words, _LABEL_CELLS)
    element = _text(svg, _LABEL - 12, y, short, anchor="end")
    if short != words:
        whole = SubElement(element, "title")
        whole.text = one_line(words, 400)


def _intervals(chart: Intervals, number_of: str) -> Element:
    rows = chart.dots
    height = _ROW * len(rows) + 34
    said = "; ".join(f"{one_line(dot.label, 120)}: {dot.text}" for dot in rows)
    svg = _canvas(height, f"Values and intervals: {one_line(chart.title, 120)}", said, number_of)

    def place(value: float) -> float:
        share = (value - chart.low) / (chart.high - chart.low)
        return _LABEL + _PLOT * min(max(share, 0.0), 1.0)

    floor = _ROW * len(rows) + 6
    for tick in _ticks(chart):
        _line(svg, place(tick), 4, place(tick), floor, "grid")
        _text(svg, place(tick), floor + 16, number(tick, chart.unit), "small", "middle")
    if chart.zero is not None:
        _line(svg, place(chart.zero), 2, place(chart.zero), floor, "zero")
    for row, dot in enumerate(rows):
        y = _ROW * row + _ROW / 2 + 4
        _label(svg, y + 4, dot.label)
        if dot.low is not None and dot.high is not None:
            _line(svg, place(dot.low), y, place(dot.high), y, "whisker")
            for end in (dot.low, dot.high):
                _line(svg, place(end), y - 4, place(end), y + 4, "whisker")
        if dot.mark is not None:
            _line(svg, place(dot.mark), y - 7, place(dot.mark), y + 7, "mark")
        at = {"cx": _n(place(dot.value)), "cy": _n(y), "r": "4", "class": "dot"}
        SubElement(svg, "circle", at)
        _text(svg, _TEXT_AT, y + 4, dot.text, "small")
    return svg


def _ticks(chart: Intervals) -> Iterator[float]:
    """Three to seven round places on the scale."""
    size = chart.high - chart.low
    tenth = 10.0 ** (_exponent(size) - 1)
    step = next(tenth * factor for factor in (1, 2, 5, 10, 20) if size / (tenth * factor) <= 6)
    first = int(chart.low / step) - 1
    for count in range(first, first + 20):
        if chart.low - step * 1e-9 <= count * step <= chart.high + step * 1e-9:
            yield count * step


def _exponent(size: float) -> int:
    exponent = 0
    while size / 10.0**exponent >= 10:
        exponent += 1
    while size / 10.0**exponent < 1:
        exponent -= 1
    return exponent


def _heat(chart: Heat, number_of: str) -> Element:
    wide = max(44.0, min(132.0, (WIDTH - _LABEL) / max(1, len(chart.columns))))
    high = 30.0
    width = _LABEL + wide * len(chart.columns)
    said = "; ".join(
        f"{one_line(row, 60)}, {one_line(column, 60)}: {cell.text}"
        for row, cells in zip(chart.rows, chart.cells, strict=True)
        for column, cell in zip(chart.columns, cells, strict=True)
        if cell.text
    )
    title = f"Matrix: {one_line(chart.title, 120)}"
    svg = _canvas(high * len(chart.rows) + 40, title, said, number_of, max(width, WIDTH))
    letters = max(4, int(wide / 7.2))
    for place, column in enumerate(chart.columns):
        middle = _LABEL + wide * (place + 0.5)
        head = _text(svg, middle, 20, one_line(column, letters), "small", "middle")
        SubElement(head, "title").text = one_line(column, 200)
    for number_, (row, cells) in enumerate(zip(chart.rows, chart.cells, strict=True)):
        y = 30 + high * number_
        _label(svg, y + high / 2 + 4, row)
        for place, cell in enumerate(cells):
            x = _LABEL + wide * place
            box = _box(svg, x + 1, y + 1, wide - 2, high - 2, "cell")
            if cell.depth is None:
                continue
            box.set("fill-opacity", f"{0.08 + 0.62 * cell.depth:.2f}")
            box.set("class", "cell full")
            _text(svg, x + wide / 2, y + high / 2 + 4, cell.text, "small value", "middle")
    return svg


def _shares(chart: Shares, number_of: str) -> Element:
    legend = 26
    height = legend + _ROW * len(chart.rows) + 6
    said = "; ".join(
        f"{one_line(label, 120)}: " + ", ".join(f"{part.name} {part.share:.1%}" for part in parts)
        for label, parts in chart.rows
    )
    svg = _canvas(height, "Shares: " + ", ".join(chart.names), said, number_of)
    wide = WIDTH - _LABEL - 10
    for place, name in enumerate(chart.names):
        x = _LABEL + place * wide / len(chart.names)
        _box(svg, x, 4, 14, 14, f"part part-{place}")
        _text(svg, x + 20, 16, name, "small")
    for row, (label, parts) in enumerate(chart.rows):
        y = legend + _ROW * row
        _label(svg, y + 15, label)
        x = float(_LABEL)
        for place, part in enumerate(parts):
            share = wide * part.share
            if share <= 0:
                continue
            _box(svg, x, y + 2, max(share - 1, 0.5), _ROW - 4, f"part part-{place}")
            if share > 46:
                _text(svg, x + share / 2, y + 15, f"{part.share:.1%}", "small value", "middle")
            x += share
    return svg
