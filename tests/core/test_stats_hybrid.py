"""Rankings side by side: what is alike, what is planted, and what few models cannot say."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from core.panels import Panel, PanelRule
from core.records import Score
from core.stats import Tally
from core.stats.rank_correlation import (
    FEWEST_MODELS,
    KENDALL,
    SPEARMAN,
    Scale,
    correlations,
    kendall,
    spearman,
)
from core.stats.results import Result
from tests.core.stats_oracle import Rows, find, result_of

NAMES = "abcdefgh"


def study(strength: list[float], judge: list[float], questions: int, seed: int = 0) -> Tally:
    """Everybody meets everybody; one person and one judge per pair."""
    rng, rows = np.random.default_rng(seed), Rows()
    for question in range(questions):
        for i, j in combinations(range(len(strength)), 2):
            pair = rows.pair(f"q{question}", NAMES[i], NAMES[j])
            lean = rng.normal(0, 0.5)
            for values in (strength, judge):
                chance = 1 / (1 + np.exp(values[j] - values[i] - lean))
                choice = 1 if rng.random() < chance else 2
                if values is strength:
                    rows.vote(pair, "ann", choice)
                else:
                    rows.verdict(pair, "judge", choice)
    return rows.tally()


@st.composite
def two_rankings(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    """Values of as many models, with ties."""
    size = draw(st.integers(2, 9))
    values = st.lists(st.sampled_from((0.0, 1.0, 2.0, 2.5)), min_size=size, max_size=size)
    return draw(values), draw(values)


@given(two_rankings())
def test_the_correlations_are_scipys(both: tuple[list[float], list[float]]) -> None:
    one, two = (np.array(each) for each in both)
    if len(set(both[0])) == 1 or len(set(both[1])) == 1:
        assert np.isnan(spearman(one, two))
        assert np.isnan(kendall(one, two))
        return
    assert float(spearman(one, two)) == pytest.approx(spearmanr(one, two).statistic, abs=1e-12)
    assert float(kendall(one, two)) == pytest.approx(kendalltau(one, two).statistic, abs=1e-12)


def test_a_judge_that_ranks_the_other_way_round_is_found() -> None:
    strength = [3.0, 1.5, 0.0, -1.5, -3.0]
    rows = result_of(study(strength, [-each for each in strength], 120), "hybrid").estimates
    for measure in (SPEARMAN, KENDALL):
        found = find(rows, ranking="judge", measure=measure)
        assert found.value == pytest.approx(-1)
        assert found.low is not None
        assert found.high is not None
        assert found.low == pytest.approx(-1)
        assert found.high < -0.5
    assert find(rows, ranking="judge", measure="rank", model="a").labels["by people"] == "1"
    assert find(rows, ranking="judge", measure="rank", model="a").value == 5


def ranked(result: Result, ranking: str) -> dict[object, tuple[object, object, object]]:
    return {
        row.labels["model"]: (row.value, row.low, row.high)
        for row in result.estimates
        if row.labels["measure"] == "rank" and row.labels["ranking"] == ranking
    }


def test_benchmarks_stand_beside_people_with_their_own_intervals() -> None:
    tally = study([1.5, 0.7, 0.0, -0.7, -1.5], [0.0] * 5, 60)
    exact = [
        Score("exact", name, value) for name, value in zip("abcde", (9, 8, 7, 5, 6), strict=True)
    ]
    wide = [Score("wide", one.model, one.score, one.score - 9, one.score + 9) for one in exact]
    tally.scores = (*exact, *wide, Score("exact", "stranger", 99.0))
    result = result_of(tally, "hybrid")
    sharp, blurred = (
        find(result.estimates, ranking=f"{name} (benchmark)", measure=KENDALL)
        for name in ("exact", "wide")
    )
    assert sharp.value == blurred.value == pytest.approx(0.8)
    assert sharp.low is not None
    assert blurred.low is not None
    assert blurred.low < sharp.low - 0.2
    assert any("stranger" in note for note in result.notes)
    assert ranked(result, "exact (benchmark)")["a"] == (2, None, None)
    assert ranked(result, "wide (benchmark)")["a"] == (1, 1, 5)


def test_with_few_models_the_reason_is_in_words() -> None:
    for models in (2, 3):
        tally = study([0.5, 0.0, -0.5][:models], [0.4, 0.0, -0.4][:models], 30)
        row = find(result_of(tally, "hybrid").estimates, ranking="judge", measure=SPEARMAN)
        assert row.value is None
        assert f"{models} models in both rankings" in row.reason
        assert str(FEWEST_MODELS) in row.reason
    found = correlations(
        Scale(dict.fromkeys("abcd", 1.0)), Scale(dict(zip("abcd", range(4), strict=True))),
        0.95, 100, np.random.default_rng(0),
    )[KENDALL]  # fmt: skip
    assert isinstance(found, str)
    assert "same value" in found


def test_a_model_that_cannot_be_ranked_is_named_with_its_reason() -> None:
    rows, rng = Rows(), np.random.default_rng(3)
    for question in range(40):
        rows.vote(rows.pair(f"q{question}", "a", "b"), "ann", 1)
        rows.vote(rows.pair(f"q{question}", "a", "c"), "ann", 1)
        rows.vote(rows.pair(f"q{question}", "b", "c"), "ann", int(rng.integers(1, 3)))
    tally = rows.tally()
    found = result_of(tally, "hybrid").estimates
    best = find(found, measure="rank", model="a")
    assert best.value is None
    assert best.reason == find(result_of(tally, "ranking").estimates, model="a").reason
    assert {find(found, measure="rank", model=each).value for each in "bc"} == {1, 2}


def test_few_questions_give_a_number_without_an_interval() -> None:
    rows = Rows()
    for question in range(2):
        for n, (one, two) in enumerate(combinations("abcd", 2)):
            for choice in (1 + (n + question) % 2, 1):
                rows.vote(rows.pair(f"q{question}", one, two), f"ann{choice}{n}", choice)
    tally = rows.tally()
    tally.scores = tuple(Score("exam", name, n) for n, name in enumerate("abcd"))
    row = find(result_of(tally, "hybrid").estimates, ranking="exam (benchmark)", measure=KENDALL)
    assert row.value is not None
    assert row.low is None
    assert "too few questions" in row.method


def test_a_judge_called_like_a_benchmark_is_kept_apart() -> None:
    tally = study([1.0, 0.3, -0.3, -1.0], [1.0, 0.3, -0.3, -1.0], 20)
    tally.add_judges([(1, "exam (benchmark)", "llm")])
    tally.scores = tuple(Score("exam", name, n) for n, name in enumerate("abcd"))
    tally.panels = (Panel("p", PanelRule.MAJORITY, {"exam (benchmark)": 1.0}),)
    rows = result_of(tally, "hybrid").estimates
    assert {str(row.labels["ranking"]) for row in rows} == {
        "human", "exam (benchmark)", "panel: p", "exam (benchmark) (scores)",
    }  # fmt: skip


@pytest.mark.slow
def test_the_interval_holds_also_where_models_are_hardly_apart() -> None:
    """Gaps near the noise, where percentiles of the draws alone fall to .88."""
    hits, studies = 0, 300
    for seed in range(studies):
        rng = np.random.default_rng(seed)
        strength = np.sort(rng.normal(0, 0.15, 6))
        judge = strength + rng.normal(0, 0.09, 6)
        truth = float(kendall(strength, judge))
        tally = study(strength.tolist(), judge.tolist(), 40, seed)
        rows = result_of(tally, "hybrid", replicates=400).estimates
        row = find(rows, ranking="judge", measure=KENDALL)
        assert row.low is not None
        assert row.high is not None
        hits += row.low - 1e-9 <= truth <= row.high + 1e-9
    assert hits / studies >= 0.95
