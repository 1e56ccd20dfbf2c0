"""A report as one page of HTML that needs nothing else: no script, no network, no other file.

The page is built as a tree and never as text, so that nothing in a study can become markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from core.reporting.document import NAME, Line, Report, Section, Table
from core.reporting.style import STYLE
from core.reporting.svg import drawn
from core.text import displayable, many, one_line

_LONG = 60
"""Rows from which on a table can be folded away."""

_SENTENCE = 2000
"""Cells of a sentence, in which there may be names, that are shown at most."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a browser may load for this page: nothing."""


def html(report: Report) -> str:
    """The page, complete from its doctype on."""
    page = Element("html", {"lang": "en"})
    head = SubElement(page, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    viewport = {"name": "viewport", "content": "width=device-width, initial-scale=1"}
    SubElement(head, "meta", viewport)
    SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    SubElement(head, "title").text = one_line(report.title, 200)
    SubElement(head, "style").text = STYLE
    body = SubElement(page, "body")
    skip = SubElement(body, "a", {"class": "skip", "href": "#content"})
    skip.text = "Skip to the numbers"
    top = SubElement(body, "header")
    SubElement(top, "h1").text = one_line(report.title, 200)
    _facts(top, report)
    _contents(body, report.sections)
    main = SubElement(body, "main", {"id": "content"})
    _findings(main, report)
    for section in report.sections:
        _section(main, section)
    text = tostring(page, encoding="unicode", method="html", short_empty_elements=False)
    return f"<!DOCTYPE html>\n{text}\n"


def _p(parent: Element, words: str, kind: str = "") -> Element:
    element = SubElement(parent, "p", {"class": kind} if kind else {})
    element.text = displayable(words)
    return element


def _facts(parent: Element, report: Report) -> None:
    facts = SubElement(parent, "dl", {"class": "facts"})
    for name, text in report.facts:
        pair = SubElement(facts, "div")
        SubElement(pair, "dt").text = name
        SubElement(pair, "dd").text = displayable(text)


def _contents(parent: Element, sections: Sequence[Section]) -> None:
    nav = SubElement(parent, "nav", {"aria-label": "Contents"})
    rows = SubElement(nav, "ol")
    for section in sections:
        link = SubElement(SubElement(rows, "li"), "a", {"href": f"#{section.id}"})
        link.text = displayable(section.title)


def _findings(parent: Element, report: Report) -> None:
    section = SubElement(parent, "section", {"aria-labelledby": "findings"})
    SubElement(section, "h2", {"id": "findings"}).text = "In short"
    _listed(section, report.findings)
    if report.general:
        SubElement(section, "h3").text = "What all numbers rest on"
        _listed(section, report.general)


def _listed(parent: Element, words: Sequence[str], kind: str = "") -> None:
    if words:
        rows = SubElement(parent, "ul", {"class": kind} if kind else {})
        for each in words:
            SubElement(rows, "li").text = one_line(each, _SENTENCE)


def _section(parent: Element, section: Section) -> None:
    name = section.id
    body = SubElement(parent, "section", {"aria-labelledby": name})
    SubElement(body, "h2", {"id": name}).text = displayable(section.title)
    _p(body, section.description, "what")
    for place, chart in enumerate(section.charts):
        figure = SubElement(body, "figure")
        if chart.title:
            SubElement(figure, "figcaption").text = one_line(chart.title, 200)
        figure.append(drawn(chart, f"{name}-{place}"))
    if section.table is None:
        _p(body, "Nothing to show yet.", "none")
    else:
        _folded(body, section.table)
    _listed(body, section.notes, "notes")
    _small(body, "Rests on", section.assumptions)
    _small(body, "How it came about", section.methods)
    if section.limits:
        limits = SubElement(body, "p", {"class": "limits"})
        SubElement(limits, "strong").text = "What it does not mean: "
        limits[0].tail = displayable(section.limits)


def _small(parent: Element, title: str, words: Sequence[str]) -> None:
    if words:
        SubElement(parent, "h3").text = title
        _listed(parent, words)


def _folded(parent: Element, table: Table) -> None:
    """A table; a long one can be folded away and is open at first, so that it prints."""
    if len(table.lines) <= _LONG:
        _table(parent, table)
        return
    details = SubElement(parent, "details", {"open": "open"})
    SubElement(details, "summary").text = many(len(table.lines), "row")
    _table(details, table)


def _table(parent: Element, table: Table) -> None:
    around = {"class": "wide", "tabindex": "0", "role": "region", "aria-label": table.caption}
    element = SubElement(SubElement(parent, "div", around), "table")
    SubElement(element, "caption").text = displayable(table.caption)
    head = SubElement(SubElement(element, "thead"), "tr")
    for name in table.labels:
        SubElement(head, "th", {"scope": "col"}).text = displayable(name)
    for name in table.numbers:
        SubElement(head, "th", {"scope": "col", "class": "number"}).text = name
    body = SubElement(element, "tbody")
    for line in table.lines:
        _row(SubElement(body, "tr"), line, len(table.numbers))


def _row(row: Element, line: Line, numbers: int) -> None:
    for place, label in enumerate(line.labels):
        cell = SubElement(row, "td" if place else "th", {} if place else {"scope": "row"})
        # The name of a row is never empty: a screen reader says it before each number.
        cell.text = one_line(label, NAME) or ("" if place else "all")
    if line.is_empty:
        cell = SubElement(row, "td", {"colspan": str(numbers), "class": "why"})
        cell.text = "— " + displayable(line.why)
        return
    for place, number in enumerate(line.cells):
        cell = SubElement(row, "td", {"class": "number"})
        cell.text = displayable(number)
        if place == 1 and line.why and not number:
            cell.set("class", "why")
            cell.text = displayable(line.why)
