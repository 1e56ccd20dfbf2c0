"""What failures could change is exactly what trying every choice for each of them gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.stats import Estimate, Options, Tally, compute
from core.stats.bounds import extreme_shares
from tests.core.judged import completions, judged, with_panels
from tests.core.stats_oracle import Rows, find, result_of

Key = tuple[object, ...]
IDS = {"agreement", "win_rate", "position"}


def values(tally: Tally, merge: bool) -> dict[Key, Estimate]:
    """Every number by what it is about, but baselines': theirs are of whatever judges judged."""
    found = {}
    for result in compute(tally, Options(replicates=100, merge_both_bad=merge), IDS):
        for row in result.estimates:
            labels = row.labels.get("outcome"), row.labels.get("kind")
            if labels != ("error", None) and labels != (None, "baseline-human"):
                found[result.id, *sorted(row.labels.items())] = row
    return found


def bounds_are_extremes(rows: Rows, merge: bool) -> None:
    now = values(rows.tally(), merge)
    could = [values(each.tally(), merge) for each in completions(rows)]
    for key, row in now.items():
        if row.lowest is None or row.highest is None:
            reached = {each[key].value for each in could if key in each}
            if row.value is not None:
                assert reached <= {row.value}, key
            continue
        reached = {each[key].value for each in could} - {None}
        assert row.lowest == pytest.approx(min(reached)), key
        assert row.highest == pytest.approx(max(reached)), key
        assert row.failed > 0


@pytest.mark.parametrize("merge", [False, True])
@settings(max_examples=20, deadline=None)
@given(rows=judged(2, complete=True))
def test_bounds_are_the_extremes_over_all_that_the_failed_verdicts_could_have_been(
    merge: bool, rows: Rows
) -> None:
    bounds_are_extremes(rows, merge)


@pytest.mark.slow
@pytest.mark.parametrize("merge", [False, True])
@settings(max_examples=60, deadline=None)
@given(rows=judged(3, complete=True))
def test_bounds_are_the_extremes_with_more_failures_too(merge: bool, rows: Rows) -> None:
    bounds_are_extremes(rows, merge)


WEIGHTS = st.lists(st.sampled_from([1.0, 1.5, 2.0]), min_size=4, max_size=4)


@settings(max_examples=20, deadline=None)
@given(judged(2, complete=True), WEIGHTS)
def test_a_panels_bounds_are_the_extremes_over_its_failed_members_words(
    rows: Rows, weights: list[float]
) -> None:
    panels_bounds_are_extremes(rows, weights)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(judged(3, complete=True), WEIGHTS)
def test_a_panels_bounds_are_the_extremes_with_more_failures_too(
    rows: Rows, weights: list[float]
) -> None:
    panels_bounds_are_extremes(rows, weights)


def panels_bounds_are_extremes(rows: Rows, weights: list[float]) -> None:
    members = dict(zip(rows.judges, weights, strict=False))
    if not members:
        return
    panels = {"p": members}
    now = values(with_panels(rows, panels), merge=False)
    could = [values(with_panels(each, panels), merge=False) for each in completions(rows)]
    for key, row in now.items():
        reached = {each[key].value for each in could if key in each} - {None}
        if row.lowest is not None and row.highest is not None:
            assert (row.lowest, row.highest) == pytest.approx((min(reached), max(reached))), key
        elif row.value is not None:
            assert reached <= {row.value}, key


def test_where_many_members_failed_the_bounds_are_never_too_narrow() -> None:
    rng = np.random.default_rng(8)
    for _ in range(4):
        rows = Rows()
        for number in range(2):
            pair = rows.pair(f"q{number}", "a", "b")
            rows.vote(pair, "ann", int(rng.integers(1, 3)))
        broken = int(rng.integers(4, 6))
        for judge in range(7):
            rows.verdict(1, f"j{judge}", 0 if judge < broken else int(rng.integers(1, 4)))
            rows.verdict(2, f"j{judge}", int(rng.integers(1, 4)))
        weights = {f"j{judge}": float(w) for judge, w in enumerate(rng.uniform(0.2, 1, 7))}
        weights |= {f"j{judge}": 3.0 for judge in range(broken, 7)}
        panels = {"p": weights}
        key = {"kind": "panel-human", "setup": "S1"}
        now = find(result_of(with_panels(rows, panels), "agreement").estimates, **key)
        assert now.failed == 1
        for each in completions(rows)[::29]:
            row = find(
                result_of(with_panels(each, panels), "agreement", replicates=100).estimates, **key
            )
            assert now.lowest is not None
            assert now.highest is not None
            assert row.value is None or now.lowest <= row.value <= now.highest


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_ratio_is_extreme_where_a_search_says(data: st.DataObject) -> None:
    options, items = 3, data.draw(st.integers(0, 4))
    small = st.integers(0, 3)
    wholes = np.array(
        [[data.draw(small) for _ in range(options)] for _ in range(items)], float
    ).reshape(items, options)
    parts = np.array(
        [[data.draw(st.integers(0, int(w))) for w in row] for row in wholes], float
    ).reshape(items, options)
    allowed = np.array(
        [[True, *(data.draw(st.booleans()) for _ in range(options - 1))] for _ in range(items)],
        bool,
    ).reshape(items, options)
    whole = data.draw(small)
    part = data.draw(st.integers(0, whole))
    reached = []
    for picked in np.ndindex(*[options] * items):
        if all(allowed[row, column] for row, column in enumerate(picked)):
            looked = whole + sum(wholes[row, column] for row, column in enumerate(picked))
            found = part + sum(parts[row, column] for row, column in enumerate(picked))
            if looked:
                reached.append(found / looked)
    ends = extreme_shares(part, whole, parts, wholes, allowed)
    assert ends == (pytest.approx((min(reached), max(reached))) if reached else None)


def test_failures_and_pending_are_counted_apart() -> None:
    rows = Rows()
    for number, words in enumerate([(1, 1), (1, 1), (0, 1), (0, 0), (1, None), (None, 2)]):
        pair = rows.pair(f"q{number}", "a", "b")
        rows.vote(pair, "ann", 1)
        rows.vote(pair, "bob", 1)
        for left, word in zip((1, 2), words, strict=True):
            if word is not None:
                rows.verdict(pair, "x", word, left=left)
    row = find(result_of(rows.tally(), "agreement").estimates, kind="judge-human", setup="S1")
    assert (row.value, row.n, row.failed, row.pending) == (1, 4, 2, 2)
    # Of the two that failed, one could be a win of model 1 or a tie, the other anything.
    assert (row.lowest, row.highest) == (0.5, 1.0)
    rate = find(result_of(rows.tally(), "win_rate").estimates, raters="x", model="a")
    assert (rate.value, rate.lowest, rate.highest) == (1, 0.5, 1.0)
    assert (rate.failed, rate.pending) == (2, 2)
    place = find(result_of(rows.tally(), "position").estimates, rater="x", outcome="consistent")
    assert (place.value, place.lowest, place.highest) == (0.5, 0.5, 1.0)
    assert (place.failed, place.pending) == (2, 2)


def test_without_failures_nothing_is_said_of_them() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    rows.vote(pair, "ann", 1)
    rows.verdict(pair, "x", 1)
    for row in values(rows.tally(), merge=False).values():
        assert (row.lowest, row.highest, row.failed, row.pending) == (None, None, 0, 0)


def test_a_judge_that_always_failed_has_a_reason_and_its_failures() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    rows.vote(pair, "ann", 1)
    rows.verdict(pair, "x", 0, left=1)
    rows.verdict(pair, "x", 0, left=2)
    estimates = result_of(rows.tally(), "agreement").estimates
    assert not [row for row in estimates if row.labels["kind"] == "judge-human"]
    assert "x: 1 item left out, a call failed (never a tie)" in (
        result_of(rows.tally(), "agreement").notes
    )
