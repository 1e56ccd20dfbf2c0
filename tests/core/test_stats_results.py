"""The seam for statistics, the shape of results, coverage, position, and empty studies."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings

import core.stats
from core.errors import UsageError
from core.stats import Estimate, Options, Result, Tally, compute, registered, registry
from tests.core.stats_oracle import Rows, find, result_of, studies

IDS = [
    "coverage",
    "agreement",
    "agreement_by_category",
    "agreement_by_pair",
    "added",
    "panels",
    "alt_test",
    "reliability",
    "annotator_kappa",
    "gold_models",
    "confusion",
    "gold_agreement",
    "consistency",
    "ranking",
    "ranking_ties",
    "ranking_fit",
    "elo",
    "hybrid",
    "quadrants",
    "win_rate",
    "ppi",
    "stopping",
    "position",
    "position_lean",
    "self_consistency",
    "failures",
    "style",
    "self_enhancement",
    "audits",
    "rater_bias",
    "drift",
    "both_bad_use",
    "gold_error",
    "deference",
    "leads",
]


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, float):
        yield value


def test_the_statistics_come_in_a_stable_order() -> None:
    assert [each.id for each in registered()] == IDS
    assert all(each.title for each in registered())


def test_a_new_file_in_the_folder_is_a_new_statistic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zz_new.py").write_text(
        "from core.stats.registry import statistic\n"
        "from core.stats.results import Result, count\n"
        "@statistic('zz_new', 'New')\n"
        "def new(view):\n"
        "    row = count({'what': 'items'}, len(view.items))\n"
        "    return Result('zz_new', 'New', 'One number.', ('what',), (row,))\n",
        "utf-8",
    )
    monkeypatch.setattr(core.stats, "__path__", [*core.stats.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "_found", dict(registry._found))
    registry._discover.cache_clear()
    try:
        assert [each.id for each in registered()] == [*IDS, "zz_new"]
        assert result_of(Tally(), "zz_new").estimates[0].value == 0
    finally:
        sys.modules.pop("core.stats.zz_new", None)
        registry._discover.cache_clear()


def test_two_statistics_cannot_share_an_id() -> None:
    def other(view: object) -> Result:
        return Result("agreement", "", "", (), ())

    with pytest.raises(ValueError, match="two statistics are called 'agreement'"):
        registered() and registry.statistic("agreement", "Mine")(other)


def test_unknown_names_are_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError) as refused:
        compute(Tally(), only={"agrement"})
    assert "agreement" in refused.value.hint
    rows = Rows()
    rows.vote(rows.pair("q", "a", "b"), "ann", 1, group="expert")
    with pytest.raises(UsageError) as refused:
        compute(rows.tally(), Options(group="experts"))
    assert "expert" in refused.value.hint
    with pytest.raises(UsageError, match="category"):
        compute(rows.tally(), Options(category="maths"))


@pytest.mark.parametrize(
    "options", [{"level": 1.0}, {"replicates": 5}, {"seed": -1}, {"min_shared": 0}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Options(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"value": math.nan},
        {"value": 0.5, "low": 0.1},
        {"value": 0.5, "reason": "why"},
        {"value": None},
        {"value": None, "reason": "why", "low": 0.1, "high": 0.2, "level": 0.9},
    ],
)
def test_an_estimate_is_a_value_or_a_reason(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"finite|reason|ends"):
        Estimate({}, **fields)  # type: ignore[arg-type]


def test_a_result_names_its_labels() -> None:
    with pytest.raises(ValueError, match="columns"):
        Result("x", "", "", ("turn",), (Estimate({"judge": "g"}, 1.0),))


def test_an_empty_study_is_explained_and_never_fails() -> None:
    results = compute(Tally())
    assert [each.id for each in results] == IDS
    for result in results:
        assert result.notes or result.estimates
        for row in result.estimates:
            assert row.reason or row.unit == "count"


@settings(max_examples=25, deadline=None)
@given(studies())
def test_every_number_is_finite_and_every_gap_has_its_reason(rows: Rows) -> None:
    for result in compute(rows.tally(), Options(replicates=100)):
        document = result.to_json()
        assert json.loads(json.dumps(document, allow_nan=False)) == document
        assert all(math.isfinite(number) for number in numbers(document))
        for row in result.estimates:
            if row.value is not None and row.low is not None and row.high is not None:
                assert row.low <= row.value + 1e-9
                assert row.value <= row.high + 1e-9


def test_json_has_every_key_always() -> None:
    rows = Rows()
    rows.vote(rows.pair("q", "a", "b"), "ann", 1)
    for result in compute(rows.tally()):
        document = result.to_json()
        assert list(document) == [
            "id", "title", "description", "columns", "estimates", "notes", "assumptions",
        ]  # fmt: skip
        for estimate in document["estimates"]:
            assert list(estimate) == [
                "labels", "value", "low", "high", "level", "n", "k", "unit", "chance", "lowest",
                "highest", "failed", "pending", "method", "reason",
            ]  # fmt: skip


def test_coverage_counts_votes_and_calls() -> None:
    rows = Rows()
    pairs = [rows.pair(f"q{n}", "a", "b") for n in range(4)]
    for pair, choice in zip(pairs[:2] * 2, (1, 4, 4, 4), strict=True):
        rows.vote(pair, f"ann{choice}{pair}{len(rows.votes)}", choice)
    for left, choice in ((1, 1), (2, 2)):
        rows.verdict(pairs[0], "gpt", choice, left=left)
    failed = rows.verdict(pairs[1], "gpt", 0, left=1)
    rows.verdict(pairs[1], "gpt", 0, left=1, supersedes=failed)
    rows.verdict(pairs[2], "gpt", 3, left=2)
    estimates = result_of(rows.tally(), "coverage").estimates
    found = {(row.labels["rater"], row.labels["measure"]): row.value for row in estimates}
    assert found == {
        ("human", "votes"): 4,
        ("human", "items voted on"): 2,
        ("human", "annotators"): 4,
        ("human", "cannot judge"): 0,
        ("human", "votes per item"): 2,
        ("human", "both bad"): 0.75,
        ("gpt", "verdicts: ok"): 3,
        ("gpt", "verdicts: failure"): 1,
        ("gpt", "items: flip"): 1,
        ("gpt", "items: failure"): 1,
        ("gpt", "items: pending"): 1,
    }


def test_the_position_table_codes_each_pair_of_orders() -> None:
    """(word with model_1 left, word with model_2 left) → outcome in the table, and flip."""
    expected = {
        (1, 1): ("consistent",),
        (3, 3): ("consistent",),
        (1, 2): ("first", "flip"),
        (2, 1): ("second", "flip"),
        (1, 3): ("first", "half_flip"),
        (4, 2): ("first", "half_flip"),
        (2, 3): ("second", "half_flip"),
        (3, 1): ("second", "half_flip"),
        (3, 4): ("consistent", "half_flip"),
        (0, 1): ("error",),
        (0, 0): ("error",),
    }
    for words, outcomes in expected.items():
        rows = Rows()
        pair = rows.pair("q", "a", "b")
        for left, choice in zip((1, 2), words, strict=True):
            rows.verdict(pair, "gpt", choice, left=left)
        estimates = result_of(rows.tally(), "position").estimates
        judged = [row for row in estimates if row.labels["rater"] == "gpt"]
        assert tuple(row.labels["outcome"] for row in judged if row.k) == outcomes, words
        assert len(judged) == 6


def test_the_left_share_is_over_votes_whose_side_is_known() -> None:
    rows = Rows()
    for number, (choice, left) in enumerate(
        [(1, 1), (2, 2), (1, 2), (1, 0), (3, 1), (4, 1), (2, 2)]
    ):
        rows.vote(rows.pair(f"q{number}", "a", "b"), "ann", choice, left=left)
    found = find(result_of(rows.tally(), "position").estimates, rater="human")
    assert (found.k, found.n, found.chance) == (3, 4, 0.5)


def test_position_without_orders_is_a_reason() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    rows.verdict(pair, "reported", 1)
    rows.verdict(pair, "half", 1, left=1)
    estimates = result_of(rows.tally(), "position").estimates
    assert "without the order" in find(estimates, rater="reported").reason
    assert "both of its orders" in find(estimates, rater="half").reason
    assert "no vote prefers" in find(estimates, rater="human").reason


def test_filters_select_and_are_named() -> None:
    rows = Rows()
    rows.categories = {"q1": "maths", "q2": None}
    rows.vote(rows.pair("q1", "a", "b"), "ann", 1, turn=1, group="expert")
    rows.vote(rows.pair("q1", "a", "b"), "ann", 2, turn=2, group="expert")
    rows.vote(rows.pair("q2", "a", "b"), "bob", 3, turn=1, group="crowd")
    tally = rows.tally()
    for chosen, votes in (
        ({}, 3),
        ({"turn": 1}, 2),
        ({"category": "maths"}, 2),
        ({"group": "crowd"}, 1),
        ({"turn": 2, "group": "crowd"}, 0),
    ):
        result = result_of(tally, "coverage", **chosen)
        assert find(result.estimates, rater="human", measure="votes").value == votes
        for each in chosen.values():
            assert any(str(each) in said for said in result.assumptions)
