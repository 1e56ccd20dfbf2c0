"""The numbers that were published come out of the raw files exactly."""

from __future__ import annotations

import pytest

from core.stats import Tally
from tests.core.stats_oracle import find, llmfao, mt_bench, pandalm, result_of

EXPERT = "human: expert"


@pytest.fixture(scope="module")
def mt() -> Tally:
    return mt_bench().tally()


@pytest.fixture(scope="module")
def fao() -> Tally:
    return llmfao().tally()


@pytest.mark.parametrize(
    ("kind", "rater", "turn", "setup", "agreeing", "compared"),
    [
        ("judge-human", "gpt-4", 1, "S1", 886, 1343),
        ("judge-human", "gpt-4", 1, "S2", 727, 859),
        ("judge-human", "gpt-4", 2, "S1", 871, 1325),
        ("judge-human", "gpt-4", 2, "S2", 731, 864),
        ("human-human", EXPERT, 1, "S1", 454, 721),
        ("human-human", EXPERT, 1, "S2", 388, 479),
        ("human-human", EXPERT, 2, "S1", 471, 707),
        ("human-human", EXPERT, 2, "S2", 388, 474),
        ("judge-human", "llama-2-70b", 1, "S1", 745, 1295),
        ("judge-human", "llama-2-70b", 1, "S2", 574, 674),
        ("judge-human", "llama-2-70b", 2, "S1", 545, 963),
        ("judge-human", "llama-2-70b", 2, "S2", 433, 507),
    ],
)
def test_mt_bench_agreement(
    mt: Tally, kind: str, rater: str, turn: int, setup: str, agreeing: int, compared: int
) -> None:
    rows = result_of(mt, "agreement", turn=turn, replicates=100).estimates
    found = find(rows, kind=kind, rater_1=rater, rater_2=EXPERT, turn=turn, setup=setup)
    assert (found.k, found.n) == (agreeing, compared)
    assert found.value == agreeing / compared
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found.chance == (1 / 3 if setup == "S1" else 1 / 2)


def test_choosing_the_experts_gives_the_same_as_their_rows(mt: Tally) -> None:
    rows = result_of(mt, "agreement", group="expert", replicates=100).estimates
    found = find(rows, kind="human-human", turn=1, setup="S1", rater_1="human")
    assert (found.k, found.n) == (454, 721)


def test_mt_bench_win_rates_of_gpt_4(mt: Tally) -> None:
    published = {
        "writing": 61.2,
        "roleplay": 67.9,
        "reasoning": 49.3,
        "math": 66.1,
        "coding": 56.3,
        "extraction": 66.2,
        "stem": 76.6,
        "humanities": 72.2,
    }
    rows = result_of(mt, "win_rate").estimates
    for category, percent in published.items():
        found = find(rows, raters=EXPERT, category=category, model="gpt-4")
        assert found.value is not None
        assert round(100 * found.value, 1) == percent


def test_mt_bench_position_table_of_llama(mt: Tally) -> None:
    rows = result_of(mt, "position").estimates
    published = {
        1: (1200, (69.1, 18.2, 9.3, 3.3)),
        "all": (2400, (59.0, 14.5, 10.9, 15.5)),
    }
    for turn, (n, percents) in published.items():
        for outcome, percent in zip(
            ("consistent", "first", "second", "error"), percents, strict=True
        ):
            found = find(rows, rater="llama-2-70b", turn=turn, outcome=outcome)
            assert found.value is not None
            assert found.n == n
            assert abs(100 * found.value - percent) <= 0.05 + 1e-9
    gpt_4 = find(rows, rater="gpt-4")
    assert gpt_4.value is None
    assert "order" in gpt_4.reason
    assert "nobody recorded" in find(rows, rater=EXPERT).reason


def test_llmfao_alpha(fao: Tally) -> None:
    """The published α is over the labels left and right, so left is called model_1 for it.

    α's chance term depends on which model of a pair is called model_1. In a study's order, by
    name, the same votes give 0.290: close, and not the published number.
    """
    values = [
        find(
            result_of(tally, "reliability", replicates=100).estimates, measure="Krippendorff α"
        ).value
        for tally in (llmfao(canonical=False).tally(), fao)
    ]
    assert [round(value or 0, 3) for value in values] == [0.291, 0.290]


def test_llmfao_agreement(fao: Tally) -> None:
    rows = result_of(fao, "agreement", replicates=100).estimates
    crowd = find(rows, kind="human-human", setup="S1")
    assert crowd.n == 15_112
    shares = [
        find(rows, kind=kind, setup=setup).value
        for kind in ("human-human", "judge-human")
        for setup in ("S1", "S2")
    ]
    assert [round(100 * (share or 0), 1) for share in shares] == [53.2, 70.1, 41.5, 66.2]


def test_a_judge_that_ran_in_one_order_is_used_and_named(fao: Tally) -> None:
    notes = result_of(fao, "agreement", replicates=100).notes
    assert any("one order of each item only" in note for note in notes)


def test_pandalm_kappas() -> None:
    rows = result_of(pandalm().tally(), "annotator_kappa").estimates
    kappas = {
        (row.labels["annotator_1"], row.labels["annotator_2"]): round(row.value or 0, 3)
        for row in rows
    }
    assert kappas == {
        ("annotator1", "annotator2"): 0.852,
        ("annotator1", "annotator3"): 0.879,
        ("annotator2", "annotator3"): 0.862,
    }
