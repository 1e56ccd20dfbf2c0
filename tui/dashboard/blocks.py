"""What pages are made of: tables, matrices, interval bars. Each number in them can be opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap

from core.numbers import number, span, value_text
from core.stats.results import Estimate, Result
from core.text import cell_width, one_line
from tui.dashboard.rows import Row, Shade, Spot, blank, head, key_of, quiet
from tui.tables import table_lines

_LABEL = 22
"""Cells of a row's label, where there is room."""

Word = Callable[[Estimate], str]
"""Says a number in a word or two."""


def table(result: Result, width: int) -> list[Row]:
    """A statistic as its table, with what to know of it below."""
    rows = [head(result.title), *told(result.description, width), blank()]
    for line, place in table_lines(result, width):
        spots: tuple[Spot, ...] = ()
        if place is not None:
            spots = (Spot(0, max(1, wide(line)), key_of(result, result.estimates[place])),)
        rows.append(Row(line, "", spots))
    said = [*result.notes, *result.assumptions]
    rows += [blank()] if said else []
    for note in said:
        rows += told(note, width, "· ")
    return rows


def told(text: str, width: int, mark: str = "") -> list[Row]:
    """A sentence as quiet lines."""
    lines = wrap(one_line(text, 2000), max(20, width - len(mark)))
    return [
        quiet((mark if not place else " " * len(mark)) + line) for place, line in enumerate(lines)
    ]


def bars(
    title: str,
    result: Result,
    estimates: Sequence[Estimate],
    width: int,
    label: Callable[[Estimate], str],
) -> list[Row]:
    """Values as bars on one scale: ``├──●──┤``, an open end where an interval leaves the scale."""
    shown = [each for each in estimates if each.value is not None]
    rows = [head(title)]
    if not shown:
        reasons = dict.fromkeys(each.reason for each in estimates if each.reason)
        return [*rows, *(row for reason in reasons for row in told(reason, width, "— "))]
    names = {id(each): one_line(label(each), _LABEL) for each in shown}
    texts = {id(each): _with_interval(each) for each in shown}
    label_room = max(wide(name) for name in names.values())
    text_room = max(wide(text) for text in texts.values())
    room = width - label_room - text_room - 4
    low, high = _scale(shown)
    for each in shown:
        name, text = names[id(each)], texts[id(each)]
        line = name + " " * (label_room - wide(name))
        if room >= 12:
            line += "  " + _bar(each, low, high, min(room, 60))
        line += "  " + " " * (text_room - wide(text)) + text
        rows.append(Row(line, "", (Spot(0, wide(line), key_of(result, each)),)))
    if room >= 12:
        rows.append(quiet(" " * (label_room + 2) + _axis(shown[0].unit, low, high, min(room, 60))))
    return rows


def _with_interval(each: Estimate) -> str:
    assert each.value is not None
    text = value_text(each.value, each.unit)
    if each.low is not None and each.high is not None:
        text += f"  {span(each.low, each.high, each.unit)}"
    return text


def _scale(shown: Sequence[Estimate]) -> tuple[float, float]:
    if shown[0].unit == "share":
        return 0.0, 1.0
    ends = [end for e in shown for end in (e.value, e.low, e.high) if end is not None]
    low, high = min(ends), max(ends)
    return (low, high) if high > low else (low - 1, high + 1)


def _bar(each: Estimate, low: float, high: float, cells: int) -> str:
    def place(value: float) -> int:
        return round(max(0.0, min(1.0, (value - low) / (high - low))) * (cells - 1))

    drawn = ["·"] * cells
    if low < 0 < high and each.unit != "share":
        drawn[place(0.0)] = "┊"
    if each.low is not None and each.high is not None:
        start, end = place(each.low), place(each.high)
        drawn[start : end + 1] = ["─"] * (end + 1 - start)
        drawn[start], drawn[end] = "├", "┤"
    assert each.value is not None
    drawn[place(each.value)] = "●"
    return "".join(drawn)


def _axis(unit: str, low: float, high: float, cells: int) -> str:
    first, last = number(low, unit), number(high, unit)
    return first + " " * max(1, cells - wide(first) - wide(last)) + last


def matrix(
    title: str,
    result: Result,
    cells: Sequence[tuple[str, str, Estimate]],
    width: int,
    word: Word | None = None,
) -> list[Row]:
    """A matrix of numbers, shaded by how high they are, with a word for each if there is one.

    Args:
        cells: row, column and estimate; what is not there stays empty. Where the columns do not
            fit beside each other the matrix goes on below.
    """
    rows = [head(title)]
    known = {(down, across): each for down, across, each in cells}
    downs = list(dict.fromkeys(down for down, _, _ in cells))
    acrosses = list(dict.fromkeys(across for _, across, _ in cells))
    if not cells:
        return [*rows, quiet("nothing to show yet")]
    label = min(_LABEL, max(wide(one_line(down, _LABEL)) for down in downs))
    texts = {key: _cell(each, word) for key, each in known.items()}
    each_wide = max(8, min(18, max(wide(text) for text in texts.values()) + 2))
    fits = max(1, (width - label - 1) // each_wide)
    values = [each.value for each in known.values() if each.value is not None]
    least, most = (min(values), max(values)) if values else (0.0, 1.0)
    for first in range(0, len(acrosses), fits):
        part = acrosses[first : first + fits]
        names = (one_line(across, each_wide - 1).rjust(each_wide) for across in part)
        rows.append(quiet(" " * label + "".join(names)))
        # What stands alone in the other columns is not said again as an empty row.
        filled = [down for down in downs if any((down, across) in known for across in part)]
        for down in filled:
            line = one_line(down, label)
            line += " " * (label - wide(line))
            spots, shades = [], []
            for across in part:
                each = known.get((down, across))
                start = wide(line)
                text = texts.get((down, across), "")
                line += " " * (each_wide - wide(text)) + text
                if each is None:
                    continue
                spots.append(Spot(start + 1, wide(line), key_of(result, each)))
                if each.value is not None:
                    depth = (each.value - least) / (most - least) if most > least else 0.5
                    shades.append(Shade(start + 1, wide(line), depth))
            rows.append(Row(line, "", tuple(spots), tuple(shades)))
    return rows


def _cell(each: Estimate, word: Word | None) -> str:
    if each.value is None:
        return "—"
    said = word(each) if word is not None else ""
    return f"{number(each.value, each.unit)} {said}".strip()


def wide(text: str) -> int:
    """Cells that a text takes."""
    return sum(map(cell_width, text))
