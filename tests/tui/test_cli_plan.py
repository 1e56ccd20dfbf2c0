"""``tiebreak plan`` needs no study; ``tiebreak stats`` finds the new statistics and weights."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from core.stats import Tally
from db.feed import Feed
from db.store import Store
from tests.docs import ROOT
from tui.cli import run
from tui.live import Refresher, options_of


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(words)
    done = capsys.readouterr()
    return code, done.out, done.err


def test_a_plan_in_words_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = said(capsys, "plan", "win-rate", "0.6", "--overlap", "3")
    assert code == 0
    plan = json.loads(said(capsys, "plan", "win-rate", "0.6", "--overlap", "3", "--json")[1])
    assert plan["format"] == 1
    assert f"  {plan['plan']['pairs']} pairs, {plan['plan']['votes']} votes" in text
    assert "power 80%" in text
    assert all(f"· {each}" in text for each in plan["plan"]["assumptions"])


def test_every_plan_can_be_asked_for_and_turned_round(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words, back in (
        (["win-rate", "0.6"], "--pairs"),
        (["agreement", "--width", "0.1"], "--pairs"),
        (["agreement", "--kappa", "0.4", "--width", "0.1"], "--pairs"),
        (["ranking", "0.6", "--models", "5"], "--questions"),
    ):
        one = json.loads(said(capsys, "plan", *words, "--json")[1])["plan"]
        size = one["questions" if back == "--questions" else "pairs"]
        two = json.loads(said(capsys, "plan", *words, back, str(size), "--json")[1])["plan"]
        assert two["pairs"] == one["pairs"]
        measured = "width" if one["power"] is None else "power"
        assert two[measured] == pytest.approx(one[measured], abs=0.02)


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "win-rate", "0.5"],
        ["plan", "win-rate", "most"],
        ["plan", "agreement"],
        ["plan", "ranking", "0.6", "--models", "1"],
        ["plan", "win-rate", "0.6", "--ties", "1"],
    ],
)
def test_a_plan_that_makes_no_sense_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, out, err = said(capsys, *words)
    assert (code, out) == (2, "")
    assert err


def test_the_tables_fit_eighty_columns(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    data = ROOT / "../shared/data/mt_bench"
    if not data.exists():
        pytest.skip("published data not there: mt_bench")
    study = str(tmp_path / "mt.db")
    assert said(capsys, "--db", study, "import", str(data))[0] == 0
    ids = ("alt_test", "ranking_ties", "ranking_fit", "elo", "ppi", "stopping")
    code, text, _ = said(capsys, "--db", study, "stats", *ids)
    assert code == 0
    rows = [line for line in text.splitlines() if line and not line.startswith("·")]
    wide = [line for line in rows if len(line) > 80]
    assert not [line for line in wide if "  " in line.strip()], "a row of a table is wider"
    assert "NaN" not in text
    assert "nan" not in text.replace("annotator", "")


def test_settings_move_elo_and_the_alt_test(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = str(tmp_path / "study.db")
    assert said(capsys, "--db", study, "import", str(ROOT / "sample_data"))[0] == 0
    assert said(capsys, "--db", study, "study", "set", "elo_k", "32")[0] == 0
    assert said(capsys, "--db", study, "study", "set", "annotator_kind", "crowd")[0] == 0
    text = said(capsys, "--db", study, "stats", "elo", "alt_test")[1]
    assert "K = 32, start 1000" in text
    assert "annotators are crowd: ε = 0.1" in text
    assert said(capsys, "--db", study, "study", "set", "elo_k", "nan")[0] == 2
    assert said(capsys, "--db", study, "study", "set", "annotator_kind", "robot")[0] == 2


def imported(
    capsys: pytest.CaptureFixture[str], study: Path, votes: list[dict[str, object]]
) -> str:
    file = study.with_suffix(".jsonl")
    file.write_text("".join(json.dumps(each) + "\n" for each in votes), encoding="utf-8")
    assert said(capsys, "--db", str(study), "import", str(file))[0] == 0
    return str(study)


def test_a_file_in_any_order_gives_what_goes_by_the_order_of_votes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whoever asks: the table, the report, and who follows the study."""
    votes: list[dict[str, object]] = [
        {
            "type": "vote",
            "id": f"v{number}",
            "question": f"q{number // 2}",
            "model_1": "ant",
            "model_2": "bee" if number // 2 % 3 else "cat",
            "turn": 1,
            "annotator": f"p{number % 2}",
            "choice": ("model_1", "model_1", "model_2", "tie", "model_1")[number % 5],
            "at": f"2026-03-01T00:00:00.{number:03}Z",
        }
        for number in range(40)
    ]
    ids = {"elo", "stopping"}
    # The first vote keeps its line, so that the models are numbered alike.
    shuffled = [votes[0], *sorted(votes[1:], key=lambda each: str(each["id"])[::-1])]
    told: list[object] = []
    for name, lines in (("one", votes), ("other", shuffled)):
        study = imported(capsys, tmp_path / f"{name}.db", lines)
        only = [word for id in sorted(ids) for word in ("--only", id)]
        report = said(capsys, "--db", study, "report", "-", *only)[1]
        rows = [line for line in report.splitlines() if line.startswith("| human")]
        with Store(Path(study)) as store:
            refresher = Refresher(Feed(store, Tally()), partial(options_of, store), ids)
            assert refresher.look()
            while refresher.due:
                refresher.advance()
            followed = [refresher.results[id].to_json()["estimates"] for id in sorted(ids)]
        shown = json.loads(said(capsys, "--db", study, "stats", *sorted(ids), "--json")[1])
        assert [each["estimates"] for each in shown["statistics"]] == followed
        assert len(rows) >= 3, report
        told.append((followed, rows))
    assert told[0] == told[1]
    without = [{**each, "at": None} for each in shuffled]
    study = imported(capsys, tmp_path / "without.db", without)
    shown = json.loads(said(capsys, "--db", study, "stats", "elo", "--json")[1])
    assert shown["statistics"][0]["estimates"] != told[0][0][0]  # type: ignore[index]
