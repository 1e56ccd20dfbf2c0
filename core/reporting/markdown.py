"""A report as Markdown: the same words and tables, without pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from core.reporting.document import NAME, Report, Section, Table
from core.text import displayable, one_line

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~&])")
"""What Markdown gives a meaning to in the middle of a line."""

_STARTS = re.compile(r"^(\s*)([-+=]|\d+[.)])(?=\s|$)")
"""What it gives a meaning to at the start of one."""


def markdown(report: Report) -> str:
    """The document, complete with a last line feed."""
    return "\n".join(_document(report)) + "\n"


def escaped(text: str) -> str:
    """Foreign text as Markdown that shows it as it is, on one line."""
    line = one_line(displayable(text), 4000)
    return _STARTS.sub(r"\1\\\2", _MARKS.sub(r"\\\1", line))


def _document(report: Report) -> Iterator[str]:
    yield f"# {escaped(report.title)}"
    yield ""
    yield from _rows([(name, text) for name, text in report.facts], ("", ""), 2)
    yield ""
    yield "## In short"
    yield ""
    yield from _listed(report.findings)
    if report.general:
        yield "What all numbers rest on:"
        yield ""
        yield from _listed(report.general)
    for section in report.sections:
        yield from _section(section)


def _listed(words: Sequence[str]) -> Iterator[str]:
    if words:
        yield from (f"- {escaped(each)}" for each in words)
        yield ""


def _section(section: Section) -> Iterator[str]:
    yield f"## {escaped(section.title)}"
    yield ""
    yield escaped(section.description)
    yield ""
    if section.table is None:
        yield "Nothing to show yet."
    else:
        yield from _table(section.table)
    yield ""
    yield from _listed(section.notes)
    for title, words in (("Rests on", section.assumptions), ("How it came about", section.methods)):
        if words:
            yield f"{title}:"
            yield ""
            yield from _listed(words)
    if section.limits:
        yield f"**What it does not mean:** {escaped(section.limits)}"
        yield ""


def _table(table: Table) -> Iterator[str]:
    has_why = any(line.why for line in table.lines)
    head = (*table.labels, *table.numbers, *(["why"] if has_why else []))
    rows = [
        (
            *(one_line(label, NAME) for label in line.labels),
            *(line.cells if not line.is_empty else ("—", *line.cells[1:])),
            *((line.why,) if has_why else ()),
        )
        for line in table.lines
    ]
    yield from _rows(rows, head, len(table.labels))


def _rows(rows: Sequence[Sequence[str]], head: Sequence[str], left: int) -> Iterator[str]:
    yield _row(head)
    yield _row(["---" if place < left else "---:" for place in range(len(head))], is_raw=True)
    yield from map(_row, rows)


def _row(cells: Sequence[str], is_raw: bool = False) -> str:
    return "| " + " | ".join(cell if is_raw else escaped(cell) for cell in cells) + " |"
