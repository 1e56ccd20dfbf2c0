"""Reports as documents: what stands in them, and that foreign text stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.reporting.charts import Heat, Intervals, Shares, charts_of
from core.reporting.comparing import changes, compared_sections
from core.reporting.document import NAME, Report, section_of, without_shared
from core.reporting.findings import findings
from core.reporting.html import html
from core.reporting.markdown import markdown
from core.reporting.svg import drawn
from core.stats.registry import registered
from core.stats.results import Estimate, Result
from core.text import displayable, one_line

VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = st.text(
    st.sampled_from(list("<>&\"'`|*_[]()#-\\\x1b\x07\u202e\u200b\ud800\x00\n\t é字a1")),
    max_size=12,
)


def result(*estimates: Estimate, id: str = "made_up", notes: tuple[str, ...] = ()) -> Result:
    columns = tuple(dict.fromkeys(name for each in estimates for name in each.labels))
    return Result(id, "A table", "What it says.", columns or ("model",), estimates, notes, ("all",))


def share(name: str, value: float, low: float, high: float, **more: Any) -> Estimate:
    return Estimate({"model": name}, value, low, high, 0.95, n=100, method="made up", **more)


def report(*results: Result) -> Report:
    shared, sections = without_shared([section_of(one, "not quality") for one in results])
    return Report("A study", (("Votes", "12"),), ("It is so.",), sections, shared)


class Page(HTMLParser):
    """What a browser would make of a page: its tags, attributes and text by tag."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


@given(names=st.lists(HOSTILE, min_size=2, max_size=4, unique=True), why=HOSTILE)
def test_no_text_of_a_study_becomes_markup(names: list[str], why: str) -> None:
    rows = [share(name, 0.5, 0.4, 0.6) for name in names]
    rows.append(Estimate({"model": why}, None, reason=why or "none", n=0))
    page = Page(html(report(result(*rows, notes=(why,)))))
    plain = Page(html(report(result(share("a", 0.5, 0.4, 0.6), share("b", 0.5, 0.4, 0.6)))))
    assert set(page.tags) == set(plain.tags) | ({"ul", "li"} & set(page.tags))
    assert {name for _, name, _ in page.attributes} <= {n for _, n, _ in plain.attributes} | {
        "colspan"
    }
    for name in names:
        assert (one_line(name, NAME) or "all") in page.cells


def test_names_of_any_length_leave_a_page_that_can_be_read() -> None:
    names = ["N" * 10_000, "wide 字" * 5_000]
    made = report(result(*(share(name, 0.5, 0.4, 0.6) for name in names), notes=(names[0],)))
    cells = Page(html(made)).cells
    assert [one_line(name, NAME) in cells for name in names] == [True, True]
    assert len(html(made)) < 20_000
    assert len(markdown(made)) < 10_000


def test_a_page_asks_for_nothing_and_runs_nothing() -> None:
    text = html(report(result(share("a", 0.5, 0.4, 0.6), share("b", 0.2, 0.1, 0.3))))
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "form", "input"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert all(
        value and value.startswith("#") for _, name, value in page.attributes if name == "href"
    )
    assert "://" not in text
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_what_a_screen_reader_and_a_keyboard_need_is_there() -> None:
    page = Page(html(report(result(share("a", 0.5, 0.4, 0.6), share("b", 0.2, 0.1, 0.3)))))
    known = {value for _, name, value in page.attributes if name == "id"}
    assert ("html", "lang", "en") in page.attributes
    for tag, name, value in page.attributes:
        if name == "href":
            assert str(value)[1:] in known
        if name == "aria-labelledby":
            assert set(str(value).split()) <= known, tag
    assert ("svg", "role", "img") in page.attributes
    assert ("th", "scope", "col") in page.attributes
    assert ("th", "scope", "row") in page.attributes
    assert page.tags.count("main") == page.tags.count("h1") == 1
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_every_number_stands_in_the_table_with_interval_and_count() -> None:
    rows = [
        share("a", 0.5, 0.4, 0.6, k=50, lowest=0.3, highest=0.7),
        Estimate({"model": "b"}, None, reason="nobody voted"),
        Estimate({"model": "c"}, -0.02, -0.1, 0.06, 0.95, n=7, unit="difference"),
        Estimate({"model": "d"}, 12.0, n=12, unit="count", method="count"),
        Estimate({"model": "e"}, 0.25, n=4, method="no interval: one item"),
    ]
    made = section_of(result(*rows), "")
    assert made.table is not None
    cells = [line.cells for line in made.table.lines]
    assert cells[0] == ("50.0%", "40.0% – 60.0%", "30.0% – 70.0%", "50 / 100")
    assert (made.table.lines[1].is_empty, made.table.lines[1].why) == (True, "nobody voted")
    assert cells[2] == ("-2.0 pts", "-10.0 – +6.0", "", "7")
    assert cells[3] == ("12", "", "", "")
    assert made.table.lines[4].why == "no interval: one item"
    assert made.table.numbers == ("value", "95% interval", "failures allow", "k / n")
    text = html(report(result(*rows)))
    for words in ("50.0%", "40.0% – 60.0%", "nobody voted", "no interval: one item"):
        assert words in text


@given(
    values=st.lists(st.floats(-3, 3), min_size=2, max_size=8),
    unit=st.sampled_from(["share", "log-odds", "points", "coefficient"]),
)
def test_a_dot_is_where_its_value_is(values: list[float], unit: str) -> None:
    if unit == "share":
        values = [abs(value) / 3 for value in values]
    rows = [
        Estimate({"model": str(place)}, value, value - 0.1, value + 0.1, 0.95, unit=unit)
        for place, value in enumerate(values)
    ]
    (chart,) = charts_of(result(*rows))
    assert isinstance(chart, Intervals)
    svg = drawn(chart, "x")
    at = [float(dot.attrib["cx"]) for dot in svg.iter("circle")]
    # The scale as a reader takes it: from the first and the last number under the chart.
    ticks = [
        (float(one.attrib["x"]), _read(str(one.text), unit))
        for one in svg.iter("text")
        if one.get("text-anchor") == "middle"
    ]
    (x1, first), (x2, last) = ticks[0], ticks[-1]
    assert 2 <= len(ticks) <= 12
    a_cell = (x2 - x1) / (last - first)
    for value, x in zip(values, at, strict=True):
        assert x == pytest.approx(
            x1 + (value - first) * a_cell, abs=0.2 + 0.06 * a_cell * ROUNDED[unit]
        )


ROUNDED = {"share": 0.01, "log-odds": 0.01, "coefficient": 0.01, "points": 1.0}
"""How far a printed number may be from what it stands for, in sixteenths."""


def _read(text: str, unit: str) -> float:
    return float(text.strip("%").replace(",", "")) / (100 if unit == "share" else 1)


def test_a_matrix_has_each_value_in_its_row_and_column() -> None:
    rows = [
        Estimate({"raters": "human", "model": model, "category": category}, value)
        for (model, category), value in {("m", "a"): 0.1, ("m", "b"): 0.9, ("n", "b"): 0.5}.items()
    ]
    (chart,) = charts_of(result(*rows, id="win_rate"))
    assert isinstance(chart, Heat)
    assert (chart.rows, chart.columns) == (("m", "n"), ("a", "b"))
    assert [[cell.text for cell in line] for line in chart.cells] == [
        ["10.0%", "90.0%"],
        ["", "50.0%"],
    ]
    svg = drawn(chart, "x")
    shown = [text.text for text in svg.iter("text") if "value" in (text.get("class") or "")]
    assert shown == ["10.0%", "90.0%", "50.0%"]


def test_shares_of_position_fill_their_row() -> None:
    rows = [
        Estimate({"rater": "j", "turn": 1, "outcome": name}, value)
        for name, value in {"consistent": 0.6, "first": 0.2, "second": 0.1, "error": 0.1}.items()
    ]
    (chart,) = charts_of(result(*rows, id="position"))
    assert isinstance(chart, Shares)
    boxes = [box for box in drawn(chart, "x").iter("rect") if box.get("height") == "18"]
    assert sum(float(box.attrib["width"]) + 1 for box in boxes) == pytest.approx(500, abs=1)


@given(name=HOSTILE)
def test_markdown_shows_a_name_as_it_is(name: str) -> None:
    text = markdown(report(result(share(f"a{name}z", 0.5, 0.4, 0.6))))
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    cells = [
        "".join(part.content for part in token.children or [])
        for before, token in pairwise(tokens)
        if before.type == "td_open"
    ]
    kinds = {part.type for token in tokens for part in token.children or []}
    assert kinds <= {"text", "strong_open", "strong_close", "text_special"}
    shown = one_line(displayable(f"a{name}z"), 4000)
    assert re.sub(r"\s+", " ", shown) in [re.sub(r"\s+", " ", cell) for cell in cells]


def test_the_same_numbers_beside_each_other_differ_in_nothing() -> None:
    one = [result(share("a", 0.5, 0.4, 0.6), share("b", 0.2, 0.1, 0.3))]
    found = changes(one, one, independent=True)["made_up"]
    assert [change.difference for change in found] == [0, 0]
    assert [change.size for change in found] == [0, 0]


def test_a_difference_of_two_studies_is_measured_in_its_error() -> None:
    here = [result(share("a", 0.6, 0.502, 0.698), share("gone", 0.2, 0.1, 0.3))]
    there = [result(share("a", 0.5, 0.402, 0.598), share("new", 0.2, 0.1, 0.3))]
    found = {c.labels: c for c in changes(here, there, independent=True)["made_up"]}
    # Both errors are .05: .1 / (.05 √2)
    assert found["a",].size == pytest.approx(2**0.5, abs=1e-3)
    assert found["gone",].there is None
    assert found["new",].here is None
    first, table = compared_sections(here, there, ("here", "there"), independent=True)
    assert first.table is not None
    assert first.table.lines[0].labels == ("A table", "a")
    assert table.table is not None
    assert table.table.lines[0].cells == (
        "60.0% (50.2% – 69.8%)",
        "50.0% (40.2% – 59.8%)",
        "+10.0 pts",
        "+1.4",
    )


def test_two_dates_of_one_study_share_votes_and_get_no_error() -> None:
    here, there = [result(share("a", 0.6, 0.5, 0.7))], [result(share("a", 0.5, 0.3, 0.7))]
    assert [c.size for c in changes(here, there, independent=False)["made_up"]] == [None]
    first, _ = compared_sections(here, there, ("here", "then"), independent=False)
    assert first.table is not None
    assert "in errors" not in first.table.numbers


def test_labels_that_say_what_came_out_do_not_part_a_number_from_itself() -> None:
    def tiers(tier: int) -> Result:
        labels = {"raters": "human", "tier": tier, "model": "m"}
        return result(Estimate(labels, 0.1, 0.0, 0.2, 0.95, unit="log-odds"), id="ranking")

    (change,) = changes([tiers(1)], [tiers(2)], independent=True)["ranking"]
    assert change.difference == 0


def test_findings_of_nothing_say_so_and_no_ranking_says_why() -> None:
    assert "nothing to say yet" in findings([], "human")[0]
    labels = {"raters": "human", "tier": "", "model": "m"}
    none = result(Estimate(labels, None, reason="it never lost"), id="ranking")
    assert findings([none], "human") == ("No ranking by human votes. Of m: it never lost.",)


def test_every_statistic_says_what_it_does_not_mean() -> None:
    assert [each.id for each in registered() if len(each.limits) < 40] == []
