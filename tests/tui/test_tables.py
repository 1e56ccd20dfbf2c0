"""Results as lines of text: what repeats is said once, and what is empty takes a line."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from core.reporting.findings import findings
from core.stats.results import Estimate, Result
from core.text import cell_width
from tui.tables import report_lines, result_lines, table_lines

REASONS = ("too few pairs", "one annotator only", "no path between the models")


def result(*estimates: Estimate, id: str = "agreement", notes: tuple[str, ...] = ()) -> Result:
    return Result(id, "A title", "What it is.", ("rater",), estimates, notes)


def missing(rater: str, reason: str) -> Estimate:
    return Estimate({"rater": rater}, None, n=3, reason=reason)


def there(rater: str, value: float = 0.5) -> Estimate:
    return Estimate({"rater": rater}, value, 0.4, 0.6, 0.95, n=9, method="Wilson")


@given(st.lists(st.sampled_from((*REASONS, "")), min_size=1, max_size=12))
def test_each_row_without_a_value_leads_to_its_reason_which_is_there_once(said: list[str]) -> None:
    rows = [
        missing(f"r{place}", reason) if reason else there(f"r{place}")
        for place, reason in enumerate(said)
    ]
    lines = table_lines(result(*rows), 80)
    text = [line for line, _ in lines]
    for reason in set(said) - {""}:
        assert sum(reason in line for line in text) == 1
    for at, (line, place) in enumerate(lines):
        if place is None or not said[place]:
            continue
        mark = re.search(r"\[\d+\]", line)
        explained = f"{mark[0]} {said[place]}" if mark else f"    ↳ {said[place]}"
        assert explained in (text if mark else text[at + 1 : at + 2])


def test_the_mark_stands_where_the_interval_is_missing_if_there_is_a_value() -> None:
    bare = [
        Estimate({"rater": name}, 0.5, n=9, method="no interval: counted") for name in ("a", "b")
    ]
    first, *_ = (line for line, place in table_lines(result(*bare), 80) if place == 0)
    assert re.search(r"50\.0%\s+\[1\]", first)


def test_an_empty_result_is_one_line_of_the_whole_report_and_whole_when_asked_for() -> None:
    full, empty = result(there("a")), result(missing("a", REASONS[0]), id="ranking")
    rowless = result(id="panels", notes=("there is no panel",))
    lines = report_lines([full, empty, rowless], "human", 80)
    assert lines[0] == "What it comes to"
    assert [line for line in lines if line.startswith(("· ranking", "· panels"))] == [
        f"· ranking: {REASONS[0]}",
        "· panels: there is no panel",
    ]
    assert lines.count("A title") == 1
    assert f"    ↳ {REASONS[0]}" in result_lines(empty, 80)


def _compared(width: int) -> list[tuple[str, int | None]]:
    rows = [
        Estimate(
            {"turn": turn, "judge": judge, "against": against, "measure": "difference"},
            0.5, 0.4, 0.6, 0.95, n=9_999, k=5_000, method="Wilson",
        )
        for turn in (1, 2)
        for judge in ("first-judge", "other-judge")
        for against in ("(longer answer)", "best baseline", "each other")
    ]  # fmt: skip
    columns = ("turn", "judge", "against", "measure")
    return table_lines(Result("added", "A title", "What.", columns, tuple(rows)), width)


def test_what_neighbours_share_stands_above_them_where_labels_would_be_stumps() -> None:
    wide, narrow = _compared(120), _compared(76)
    assert wide[0][0].startswith("turn  judge")
    assert [place for _, place in wide[1:]] == list(range(12))
    assert max(sum(map(cell_width, line)) for line, _ in narrow) <= 76
    against = ("(longer a", "best base", "each othe")
    told = [(line, place) for line, place in narrow if place is not None]
    assert all(against[place % 3] in line for line, place in told)
    assert [place for _, place in told] == list(range(12))
    shared = ""
    for line, place in narrow[1:]:
        shared = line if place is None else shared
        if place is not None:
            turn, judge = 1 + place // 6, ("first-judge", "other-judge")[place // 3 % 2]
            assert f"turn {turn}" in shared
            assert judge in shared + line


def test_notes_are_no_wider_than_the_screen() -> None:
    notes = ("words " * 60, "more " * 60)
    lines = result_lines(result(there("a"), notes=notes), 80)
    assert max(sum(map(cell_width, line)) for line in lines) <= 80
    assert " ".join(lines).count("words") == 60


def rated(model: str, low: float, high: float) -> Estimate:
    labels = {"raters": "human", "tier": 1, "model": model}
    return Estimate(labels, (low + high) / 2, low, high, 0.95, n=9, unit="coefficient")


def test_a_tier_that_is_a_chain_says_who_differs_clearly_within_it() -> None:
    columns = ("raters", "tier", "model")
    chain = (rated("best", 1.0, 2.0), rated("middle", 0.0, 1.1), rated("last", -1.0, 0.1))
    said = findings([Result("ranking", "Ranking", "…", columns, chain)], "human")
    assert any("of last lies below that of best" in sentence for sentence in said)
    alike = findings([Result("ranking", "Ranking", "…", columns, chain[:2])], "human")
    assert not any("chain" in sentence for sentence in alike)
