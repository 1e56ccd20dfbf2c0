"""A statistic's result as lines of text, for the command line, the lead's screen and reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING

from core.numbers import span, value_text
from core.reporting.findings import findings
from core.text import cell_width, one_line

if TYPE_CHECKING:
    from core.stats.results import Estimate, Result

_WIDEST_LABEL = 28
_NARROWEST_LABEL = 5
_GAP = "  "
_PLAIN = ("count", "points")
"""Units of numbers that have no interval by their nature, which their result says once."""

_NO_VALUE = "—"
_WORST = -2
"""Where a row has what failures could make of its number."""

_ALLOW = "failures allow"
_READABLE = 10
"""Cells of a label that tell it from others well enough."""

_MOST_REASONS = 3
"""Reasons that the line of an empty result gives."""

_BAR = 21
"""Cells of the bar that draws an interval on the scale from 0 to 1."""


def result_lines(result: Result, width: int = 100, *, notes: bool = True) -> list[str]:
    """A result as aligned lines: title, one row for each estimate, then what to know of it.

    Args:
        width: cells; bars are left out where they do not fit.
        notes: whether notes and assumptions follow.
    """
    lines = [result.title, result.description, ""]
    lines += [line for line, _ in table_lines(result, width)]
    if notes:
        said = [*result.notes, *result.assumptions]
        lines += ["", *_listed(said, width)] if said else []
    return lines


def report_lines(results: Sequence[Result], people: str, width: int = 100) -> list[str]:
    """All results: what they come to, the tables, and last a line for each that is empty so far.

    Args:
        people: what the rows of votes are called, see :class:`core.stats.options.Options`.
    """
    lines = ["What it comes to", "", *_listed(findings(results, people), width)]
    empty: list[str] = []
    for result in results:
        if any(estimate.value is not None for estimate in result.estimates):
            lines += ["", "", *result_lines(result, width)]
        else:
            empty.append(f"{result.id}: {_why_empty(result)}")
    if empty:
        lines += ["", "", "Nothing to show yet", "", *_listed(empty, width)]
    return lines


def _listed(sentences: Iterable[str], width: int) -> list[str]:
    lines: list[str] = []
    for sentence in sentences:
        text = one_line(sentence, 2000)
        lines += wrap(text, width, initial_indent="· ", subsequent_indent="  ")
    return lines


def _why_empty(result: Result) -> str:
    """The reasons of its rows, the most frequent first; of no row, its first note."""
    reasons = Counter(estimate.reason for estimate in result.estimates)
    if reasons:
        return "; ".join(reason for reason, _ in reasons.most_common(_MOST_REASONS))
    return result.notes[0] if result.notes else "no rows"


def table_lines(result: Result, width: int) -> list[tuple[str, int | None]]:
    """Header and rows, no wider than ``width`` where shortening labels can bring that about.

    Where that would leave stumps, what neighbouring rows share stands in a line above them.

    Returns:
        Each line with the place of the estimate that it is the row of; None for other lines.
    """
    if not result.estimates:
        return [("nothing to show yet", None)]
    rows = [_row(result.columns, estimate) for estimate in result.estimates]
    labels = len(result.columns)
    header = [*result.columns, "", "95% interval" if _levels(result) else "", _ALLOW, "k / n"]
    if not _has_room([header, *(row.cells for row in rows)], labels, width):
        # A column that nobody needs, or a narrow screen: what there is of it gets lines.
        del header[_WORST]
        for row in rows:
            if worst := row.cells.pop(_WORST):
                row.reason = f"{_ALLOW} {worst}"
    shared = _shared(rows, labels)
    if fold := _folded([header, *(row.cells for row in rows)], labels, width):
        labels -= fold
        header, titles = header[fold:], header[:fold]
        for row in rows:
            row.group = " · ".join(
                f"{title} {cell}" for title, cell in zip(titles, row.cells, strict=False) if cell
            )
            del row.cells[:fold]
    widths = _widths([header, *(row.cells for row in rows)], labels, width)
    total = sum(widths) + len(_GAP) * (len(widths) - 1)
    fits = total + len(_GAP) + _BAR <= width
    lines: list[tuple[str, int | None]] = [(_aligned(header, widths, labels), None)]
    before = ""
    for place, row in enumerate(rows):
        if row.group != before:
            lines.append((one_line(row.group, width), None))
            before = row.group
        line = _aligned(row.cells, widths, labels)
        lines.append((f"{line}{_GAP}{row.bar}" if row.bar and fits else line, place))
        # A reason is a sentence: it gets lines of its own, under the row that it explains.
        why = wrap(row.reason, width, initial_indent="    ↳ ", subsequent_indent="      ")
        lines += [(line, None) for line in why]
    for mark, reason in shared.items():
        indent = " " * (len(mark) + 1)
        said = wrap(reason, width, initial_indent=f"{mark} ", subsequent_indent=indent)
        lines += [(line, None) for line in said]
    return [(line.rstrip(), place) for line, place in lines]


def _shared(rows: Sequence[_Row], labels: int) -> dict[str, str]:
    """Move what several rows say under the table, once, and put its mark where it is missing."""
    often = Counter(row.reason for row in rows if row.reason)
    marks: dict[str, str] = {}
    for row in rows:
        if often[row.reason] > 1:
            mark = marks.setdefault(row.reason, f"[{len(marks) + 1}]")
            # In the place of the interval if there is a value, else in that of the value.
            row.cells[labels + (row.cells[labels] != _NO_VALUE)] = mark
            row.reason = ""
    return {mark: reason for reason, mark in marks.items()}


def _folded(lines: Sequence[Sequence[str]], labels: int, width: int) -> int:
    """How many columns of labels, from the first, are to be said above the rows that share them.

    None where all labels can be read as they are, or where nearly every row would have its own.
    """

    def readable(fold: int) -> bool:
        left = [line[fold:] for line in lines]
        full, given = _widths(left, labels - fold, 10**6), _widths(left, labels - fold, width)
        pairs = zip(given[: labels - fold], full, strict=False)
        return all(cells >= min(wanted, _READABLE) for cells, wanted in pairs)

    fold = next((each for each in range(labels) if readable(each)), labels - 1)
    said = [tuple(line[:fold]) for line in lines[1:]]
    groups = 1 + sum(one != other for one, other in pairwise(said))
    return fold if 2 * groups <= len(said) else 0


def _has_room(lines: Sequence[Sequence[str]], labels: int, width: int) -> bool:
    """Whether what failures allow is wanted, and fits with labels that one can still read."""
    if not any(line[_WORST] for line in lines[1:]):
        return False
    wide, given = _widths(lines, labels, 10**6), _widths(lines, labels, width)
    readable = all(cells >= min(full, _READABLE) for cells, full in zip(given, wide, strict=True))
    return readable and sum(given) + len(_GAP) * (len(given) - 1) <= width


def _widths(lines: Sequence[Sequence[str]], labels: int, width: int) -> list[int]:
    """Cells of each column: its widest, the widest labels shortened until all fit."""
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    while sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        widest = max(range(labels), key=widths.__getitem__)
        if widths[widest] <= _NARROWEST_LABEL:
            break
        widths[widest] -= 1
    return widths


class _Row:
    def __init__(self, cells: list[str], bar: str, reason: str) -> None:
        self.cells = cells
        self.bar = bar
        self.reason = reason
        self.group = ""


def _row(columns: Sequence[str], estimate: Estimate) -> _Row:
    labels = [one_line(str(estimate.labels.get(name, "")), _WIDEST_LABEL) for name in columns]
    if estimate.value is None:
        return _Row(
            [*labels, _NO_VALUE, "", "", str(estimate.n)], "", one_line(estimate.reason, 300)
        )
    interval, reason = "", ""
    if estimate.low is not None and estimate.high is not None:
        interval = span(estimate.low, estimate.high, estimate.unit)
    elif estimate.unit not in _PLAIN:
        reason = one_line(estimate.method, 300)  # which says why there is no interval
    worst = ""
    if estimate.lowest is not None and estimate.highest is not None:
        worst = span(estimate.lowest, estimate.highest, estimate.unit)
    counted = ""
    if estimate.unit != "count":
        counted = f"{estimate.n:,}" if estimate.k is None else f"{estimate.k:,} / {estimate.n:,}"
    bar = _bar(estimate) if estimate.unit == "share" else ""
    value = value_text(estimate.value, estimate.unit)
    return _Row([*labels, value, interval, worst, counted], bar, reason)


def _bar(estimate: Estimate) -> str:
    """The interval on a scale from 0 to 1: ``·····├──●─┤·······``, readable without colour."""
    if estimate.value is None:
        return ""
    cells = ["·"] * _BAR
    if estimate.low is not None and estimate.high is not None:
        low, high = _place(estimate.low), _place(estimate.high)
        cells[low : high + 1] = ["─"] * (high + 1 - low)
        cells[low], cells[high] = "├", "┤"
    cells[_place(estimate.value)] = "●"
    return "".join(cells)


def _place(share: float) -> int:
    return round(min(max(share, 0.0), 1.0) * (_BAR - 1))


def _levels(result: Result) -> bool:
    return any(estimate.level is not None for estimate in result.estimates)


def _width(text: str) -> int:
    return sum(cell_width(character) for character in text)


def _aligned(cells: Sequence[str], widths: Sequence[int], left: int) -> str:
    """Labels to the left, numbers to the right."""
    padded = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        if place < left and _width(cell) > width:
            cell = one_line(cell, width)
        space = " " * (width - _width(cell))
        padded.append(cell + space if place < left else space + cell)
    return _GAP.join(padded)
