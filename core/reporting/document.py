"""What a report holds, before it is anything's markup.

All text is as it came from a study; whoever writes it out makes it safe to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.numbers import span, value_text
from core.reporting.charts import Chart, charts_of
from core.stats.results import Estimate, Result

NAME = 120
"""Cells that a name takes at most in a table: one that is longer ends in an ellipsis."""

_PLAIN = ("count", "points")
"""Units of numbers that have no interval by their nature, which their result says once."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table.

    Attributes:
        labels: one for each label column of the table; "" where a column does not apply.
        cells: one for each number column; all empty where ``why`` says why there is no number.
        why: why there is no number, or no interval; "" otherwise.
    """

    labels: tuple[str, ...]
    cells: tuple[str, ...]
    why: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is no number."""
        return not any(self.cells)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings: label columns first, then number columns."""

    caption: str
    labels: tuple[str, ...]
    numbers: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One question a lead asks, and its answer.

    Attributes:
        methods: how the numbers came about, each way once.
        limits: what the numbers do not mean.
    """

    id: str
    title: str
    description: str
    table: Table | None
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    limits: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A study's numbers as of one moment.

    Attributes:
        facts: what the study is and what was chosen, as (name, text).
        findings: what the numbers say, a sentence each, the most asked for first.
        general: assumptions that every section shares.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    findings: tuple[str, ...]
    sections: tuple[Section, ...]
    general: tuple[str, ...] = field(default=())


def section_of(result: Result, limits: str = "") -> Section:
    """One statistic as a section: its table, its charts and what to know of it."""
    estimates = result.estimates
    has_interval = any(each.level is not None for each in estimates)
    has_worst = any(each.lowest is not None for each in estimates)
    level = next((each.level for each in estimates if each.level is not None), 0.95)
    numbers = (
        "value",
        *([f"{level:.0%} interval"] if has_interval else []),
        *(["failures allow"] if has_worst else []),
        "k / n",
    )
    lines = tuple(_line(result.columns, each, has_interval, has_worst) for each in estimates)
    table = Table(result.title, result.columns, numbers, lines) if lines else None
    return Section(
        result.id,
        result.title,
        result.description,
        table,
        charts_of(result),
        result.notes,
        result.assumptions,
        _methods(estimates),
        limits,
    )


def without_shared(sections: Sequence[Section]) -> tuple[tuple[str, ...], tuple[Section, ...]]:
    """Assumptions that all sections share, and the sections without them."""
    from dataclasses import replace

    stated = [each for each in sections if each.assumptions]
    if not stated:
        return (), tuple(sections)
    shared = [
        one for one in stated[0].assumptions if all(one in each.assumptions for each in stated)
    ]
    rest = tuple(
        replace(each, assumptions=tuple(one for one in each.assumptions if one not in shared))
        for each in sections
    )
    return tuple(shared), rest


def _methods(estimates: Sequence[Estimate]) -> tuple[str, ...]:
    """Each way a number came about once, the most frequent first."""
    counted: dict[str, int] = {}
    for each in estimates:
        if each.method and each.value is not None:
            counted[each.method] = counted.get(each.method, 0) + 1
    return tuple(sorted(counted, key=lambda method: -counted[method]))


def _line(columns: Sequence[str], estimate: Estimate, has_interval: bool, has_worst: bool) -> Line:
    labels = label_texts(columns, estimate.labels)
    width = 2 + has_interval + has_worst
    if estimate.value is None:
        return Line(labels, ("",) * width, estimate.reason)
    unit, why, interval, worst = estimate.unit, "", "", ""
    if estimate.low is not None and estimate.high is not None:
        interval = span(estimate.low, estimate.high, unit)
    elif unit not in _PLAIN:
        why = estimate.method  # which says why there is no interval
    if estimate.lowest is not None and estimate.highest is not None:
        worst = span(estimate.lowest, estimate.highest, unit)
    counted = ""
    if unit != "count":
        counted = f"{estimate.n:,}" if estimate.k is None else f"{estimate.k:,} / {estimate.n:,}"
    cells = [value_text(estimate.value, unit)]
    cells += [interval] if has_interval else []
    cells += [worst] if has_worst else []
    return Line(labels, (*cells, counted), why)


def label_texts(columns: Sequence[str], labels: Mapping[str, str | int]) -> tuple[str, ...]:
    """A row's labels in the order of its columns, "" where one does not apply."""
    return tuple(str(labels.get(name, "")) for name in columns)
