"""Which charts a statistic gets: pictures as values, drawn elsewhere.

A chart never says more than the table under it; it says it faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.numbers import number, span, value_text
from core.stats.results import Estimate, Result

MOST_ROWS = 40
"""Rows of one chart: more are read in the table."""

_MOST_CHARTS = 12
"""Charts of one statistic."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A value on a scale, with its interval.

    Attributes:
        mark: what blind choice would reach, drawn as a tick; None where there is nothing.
        text: value and interval in words.
    """

    label: str
    value: float
    low: float | None
    high: float | None
    mark: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Intervals:
    """Values with intervals, a row each, on one scale.

    Attributes:
        low, high: ends of the scale.
        zero: a value worth a line, as 0 of a difference is; None without one.
    """

    title: str
    unit: str
    low: float
    high: float
    zero: float | None
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a matrix: where it lies between the least and the most, 0 to 1, and its text."""

    text: str
    depth: float | None


@dataclass(frozen=True, slots=True)
class Heat:
    """A matrix of values; an empty cell has no depth."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a whole."""

    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Shares:
    """Wholes that are divided into parts, a row each."""

    title: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Part, ...]], ...]


Chart = Intervals | Heat | Shares

_FACETS = {
    "agreement": ("turn", "setup"),
    "ranking": ("raters",),
    "ranking_ties": ("raters", "measure"),
    "elo": ("raters",),
    "ppi": ("judge", "measure"),
    "added": ("turn", "setup", "measure"),
    "position_lean": ("measure",),
    "style": ("effect",),
    "self_enhancement": ("judge",),
    "rater_bias": ("measure",),
    "drift": ("measure",),
    "audits": ("audit", "measure"),
    "consistency": ("measure",),
}
"""Label columns that a statistic's charts are taken apart by; the others name the rows."""

_OBVIOUS = frozenset({"kind", "is", "classes"})
"""Label columns that the other names of a row say already, or that the table is there for."""

_MATRICES = {
    "win_rate": ("raters", "model", "category"),
    "annotator_kappa": (None, "annotator_1", "annotator_2"),
}
"""Statistics that are read as a matrix: what each chart is about, its rows and its columns."""

_PARTS = ("consistent", "first", "second", "error")
"""Outcomes of ``position`` that add up to all items."""


def charts_of(result: Result) -> tuple[Chart, ...]:
    """The charts of a statistic, none where a table alone is clearer."""
    if result.id == "position":
        return _shares(result)
    if result.id in _MATRICES:
        return _matrices(result, *_MATRICES[result.id])
    return _intervals(result, _FACETS.get(result.id, ()))


def _intervals(result: Result, facets: Sequence[str]) -> tuple[Chart, ...]:
    groups: dict[tuple[str, ...], list[Estimate]] = {}
    for each in result.estimates:
        if each.value is None or each.low is None:
            continue
        key = (*(str(each.labels.get(name, "")) for name in facets), each.unit)
        groups.setdefault(key, []).append(each)
    names = [name for name in result.columns if name not in facets and name not in _OBVIOUS]
    charts = [
        _interval_chart(names, _said(facets, key), key[-1], group)
        for key, group in groups.items()
        if 2 <= len(group) <= MOST_ROWS
    ]
    return tuple(charts[:_MOST_CHARTS])


def _said(names: Sequence[str], key: Sequence[str]) -> str:
    said = (_worded(name, word) for name, word in zip(names, key, strict=False))
    return ", ".join(filter(None, said))


def _worded(name: str, label: str | int) -> str:
    """A label that can stand without its column: a bare number says what it counts."""
    word = str(label)
    return f"{name} {word}" if word.isdigit() else word


def _interval_chart(
    names: Sequence[str], title: str, unit: str, group: Sequence[Estimate]
) -> Intervals:
    dots = tuple(_dot(names, each) for each in group)
    ends = [end for dot in dots for end in (dot.value, dot.low, dot.high) if end is not None]
    zero = 0.0 if unit in ("difference", "log-odds") else None
    if unit == "share":
        low, high = 0.0, 1.0
    else:
        if zero is not None:
            ends.append(zero)
        low, high = min(ends), max(ends)
        room = (high - low or 1.0) * 0.04
        low, high = low - room, high + room
    return Intervals(title, unit, low, high, zero, dots)


def _dot(names: Sequence[str], each: Estimate) -> Dot:
    assert each.value is not None
    words = (_worded(name, each.labels.get(name, "")) for name in names)
    label = " · ".join(filter(None, words))
    text = value_text(each.value, each.unit)
    if each.low is not None and each.high is not None:
        text += f" ({span(each.low, each.high, each.unit)})"
    return Dot(label, each.value, each.low, each.high, each.chance, text)


def _matrices(result: Result, about: str | None, down: str, across: str) -> tuple[Chart, ...]:
    groups: dict[str, list[Estimate]] = {}
    for each in result.estimates:
        if each.value is not None:
            groups.setdefault(str(each.labels.get(about, "")) if about else "", []).append(each)
    charts = []
    for title, group in groups.items():
        rows = _words(group, down)
        columns = _words(group, across)
        if len(rows) <= MOST_ROWS and 1 < len(columns) <= 12:
            charts.append(_matrix(title, rows, columns, group, down, across))
    return tuple(charts[:_MOST_CHARTS])


def _words(group: Sequence[Estimate], name: str) -> list[str]:
    return list(dict.fromkeys(str(each.labels.get(name, "")) for each in group))


def _matrix(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    group: Sequence[Estimate],
    down: str,
    across: str,
) -> Heat:
    least = min(each.value for each in group if each.value is not None)
    most = max(each.value for each in group if each.value is not None)
    known: dict[tuple[str, str], Cell] = {}
    for each in group:
        assert each.value is not None
        depth = (each.value - least) / (most - least) if most > least else 0.5
        place = (str(each.labels.get(down, "")), str(each.labels.get(across, "")))
        known[place] = Cell(number(each.value, each.unit), depth)
    empty = Cell("", None)
    return Heat(
        title,
        tuple(row or "all" for row in rows),
        tuple(column or "all" for column in columns),
        tuple(tuple(known.get((row, column), empty) for column in columns) for row in rows),
    )


def _shares(result: Result) -> tuple[Chart, ...]:
    parts: dict[str, dict[str, float]] = {}
    for each in result.estimates:
        outcome = str(each.labels.get("outcome", ""))
        if each.value is None or outcome not in _PARTS:
            continue
        words = (_worded(name, each.labels.get(name, "")) for name in ("rater", "turn"))
        parts.setdefault(" · ".join(filter(None, words)), {})[outcome] = each.value
    rows = tuple(
        (whose, tuple(Part(name, shares.get(name, 0.0)) for name in _PARTS))
        for whose, shares in parts.items()
        if sum(shares.values()) > 0
    )
    if not rows or len(rows) > MOST_ROWS:
        return ()
    return (Shares("", _PARTS, rows),)
