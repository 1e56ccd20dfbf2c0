"""Panels and repeats from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.records import Choice, Judge, Pair, Verdict, VerdictStatus, Vote
from db.store import Store
from tests.docs import said
from tests.studies import located


@pytest.fixture
def study(tmp_path: Path) -> str:
    path = tmp_path / "s.db"
    with Store(path, create=True) as store:
        pair = Pair("q1", "ant", "bee")
        store.ingest.take(
            located(
                [
                    *(Judge(name, "imported") for name in ("a", "b", "odd=name")),
                    Vote("v1", pair, 1, "ann", Choice.MODEL_1),
                    Verdict("w1", pair, 1, "a", VerdictStatus.OK, Choice.MODEL_1),
                    Verdict("w2", pair, 1, "b", VerdictStatus.OK, Choice.MODEL_2),
                    Verdict("w3", pair, 1, "b", VerdictStatus.OK, Choice.MODEL_1, repeat=1),
                    Verdict("w4", pair, 1, "b", VerdictStatus.OK, Choice.MODEL_1, repeat=2),
                ]
            )
        )
    return str(path)


def panel(study: str, *words: str) -> tuple[int, str]:
    return said(["--db", study, "judge", "panel", *words])


def test_a_panel_is_added_listed_and_removed(study: str) -> None:
    code, output = panel(study, "add", "two", "--member", "a", "--member", "odd=name")
    assert (code, "panel 'two' of 2 judges added" in output) == (0, True)
    assert (
        "is there already" in panel(study, "add", "two", "--member", "a", "--member", "odd=name")[1]
    )
    weighted = ["--rule", "weighted", "--member", "a=2", "--member", "odd=name=0.5"]
    assert panel(study, "add", "heavy", *weighted)[0] == 0
    assert panel(study, "add", "fit", "--fit", "--member", "a", "--member", "b")[0] == 0
    listed = json.loads(panel(study, "list", "--json")[1])
    assert listed == [
        {
            "name": "two",
            "rule": "majority",
            "fitted": False,
            "members": {"a": 1.0, "odd=name": 1.0},
        },
        {
            "name": "heavy",
            "rule": "weighted",
            "fitted": False,
            "members": {"a": 2.0, "odd=name": 0.5},
        },
        {"name": "fit", "rule": "weighted", "fitted": True, "members": {"a": None, "b": None}},
    ]
    assert "heavy                   weighted  a=2, odd=name=0.5" in panel(study, "list")[1]
    assert panel(study, "remove", "heavy")[0] == 0
    assert "heavy" not in panel(study, "list")[1]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--member", "nobody"], "no judge is called 'nobody'"),
        (["--member", "a=2"], "every member counts alike"),
        (["--member", "a=much"], "JUDGE=WEIGHT"),
        (["--member", "a", "--member", "a"], "a member twice"),
        (["--rule", "weighted", "--member", "a"], "has no weight"),
        (["--rule", "weighted", "--member", "a=-1"], "a number above 0"),
        (["--rule", "weighted", "--member", "a=nan"], "a number above 0"),
        (["--fit", "--member", "a=1"], "weights are fitted"),
        (["--fit", "--rule", "majority", "--member", "a"], "--fit is for"),
        ([], "Missing option"),
    ],
)
def test_what_is_no_panel_is_refused_in_words(study: str, words: list[str], reason: str) -> None:
    code, output = panel(study, "add", "p", *words)
    assert code
    assert reason in output
    assert panel(study, "list", "--json")[1].strip() == "[]"


def test_removing_what_is_not_there_names_what_is(study: str) -> None:
    code, output = panel(study, "remove", "p")
    assert code
    assert "none yet" in output


def test_the_word_of_a_judge_that_was_asked_repeatedly_is_a_choice(study: str) -> None:
    def agreement(*words: str) -> float:
        output = said(["--db", study, "stats", "agreement", "--json", *words])[1]
        rows = json.loads(output)["statistics"][0]["estimates"]
        (row,) = (
            row
            for row in rows
            if row["labels"]["rater_1"] == "b"
            and row["labels"]["setup"] == "S1"
            and row["labels"]["kind"] == "judge-human"
        )
        return float(row["value"])

    assert agreement() == 0
    assert agreement("--repeats", "majority") == 1
    assert said(["--db", study, "study", "set", "judge_repeats", "majority"])[0] == 0
    assert agreement() == 1
    assert agreement("--repeats", "first") == 0


def test_a_table_shows_what_failures_allow_only_where_something_failed(study: str) -> None:
    assert "failures allow" not in said(["--db", study, "stats", "agreement"])[1]
    with Store(Path(study)) as store:
        pair = Pair("q2", "ant", "bee")
        store.ingest.take(
            located(
                [
                    Vote("v2", pair, 1, "ann", Choice.TIE),
                    Verdict("w5", pair, 1, "a", VerdictStatus.FAILED, failure="timed out"),
                ]
            )
        )
    output = said(["--db", study, "stats", "agreement"])[1]
    assert "failures allow" in output
    assert "50.0% – 100.0%" in output
    assert "timed out" in said(["--db", study, "stats", "failures"])[1]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_what_failures_allow_is_readable_at_every_width(width: int) -> None:
    from core.stats.results import Estimate, Result
    from tui.tables import result_lines

    labels = {"turn": 1, "kind": "judge-human", "rater_1": "a-long-judge", "rater_2": "human"}
    row = Estimate(labels, 0.6, 0.5, 0.7, 0.95, n=9, k=5, lowest=0.4, highest=0.8, failed=2)
    plain = Estimate(labels, 0.6, 0.5, 0.7, 0.95, n=9, k=5)
    lines = result_lines(Result("x", "X", "Y.", tuple(labels), (row, plain)), width)
    assert all(len(line) <= width for line in lines)
    said_once = [line for line in lines if "40.0% – 80.0%" in line]
    assert len(said_once) == 1
    heads = [line for line in lines if line.startswith("turn")]
    assert ("failures allow" in heads[0]) == (width == 140)
    assert ("↳ failures allow" in said_once[0]) == (width < 140)
