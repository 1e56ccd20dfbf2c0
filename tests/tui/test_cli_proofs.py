"""``tiebreak proofs`` and ``tiebreak scores``, as a lead calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.proofs import coverage, registry
from core.proofs.registry import Oracle, Proof
from core.stats import registered
from tests.docs import ROOT
from tests.waiting import PATIENCE
from tui import selftest
from tui.cli import run

DATA = ROOT / "../shared/data"


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = run([str(word) for word in words])
    done = capsys.readouterr()
    return code, done.out, done.err


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = selftest.run
    monkeypatch.setattr(coverage, "LARGE", 300)
    monkeypatch.setattr(selftest, "run", lambda runs, seed: plant(1, seed))


def test_the_table_has_every_statistic_and_says_what_is_skipped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = said(capsys, "proofs", "--studies", 2, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["format"], told["studies"], told["kept"]) == (1, 2, True)
    rows = told["proofs"]
    ids = [each.id for each in registered()]
    assert list(dict.fromkeys(row["statistic"] for row in rows)) == ids
    for proof in ("oracle", "coverage"):
        assert {row["statistic"] for row in rows if row["proof"] == proof} == set(ids)
    for row in rows:
        assert list(row) == ["statistic", "proof", "against", "found", "outcome", "numbers"]
        if row["proof"] == "published":
            assert row["outcome"] == "skipped"
            assert "--data says where" in row["found"]
    assert {row["statistic"] for row in rows if row["proof"] == "planted"} >= {"style", "win_rate"}


def test_chosen_statistics_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "proofs", "elo", "annotator_kappa", "--studies", 2)
    assert code == 0
    assert "vote by vote" in out
    assert "scikit-learn" in out
    assert "agreement" not in out
    code, _, err = said(capsys, "proofs", "nothing", "--studies", 2)
    assert code == 2
    assert "no statistic is called 'nothing'" in err


def test_published_numbers_come_out_of_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    if not (DATA / "mt_bench").is_dir():
        pytest.skip("published data not there")
    words = ("agreement", "win_rate", "position", "style", "annotator_kappa", "reliability")
    code, out, _ = said(capsys, "proofs", *words, "--studies", 2, "--data", DATA, "--json")
    assert code == 0
    published = [row for row in json.loads(out)["proofs"] if row["proof"] == "published"]
    assert {row["statistic"] for row in published} == set(words)
    assert {row["outcome"] for row in published} == {"kept"}
    assert sum(len(row["numbers"]["values"]) for row in published) == 12 + 8 + 8 + 2 + 3 + 1 + 4


def test_data_that_are_others_are_refused_or_found_wrong(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "pandalm").mkdir()
    (tmp_path / "pandalm/testset-v1.json").write_text("[]", "utf-8")
    words = ("proofs", "annotator_kappa", "--studies", 2, "--data", tmp_path)
    code, out, err = said(capsys, *words)
    assert code == 1
    assert "0 of 3 numbers come out" in " ".join(out.split())
    assert "broken: annotator_kappa" in err
    (tmp_path / "pandalm/testset-v1.json").write_text("{", "utf-8")
    code, _, err = said(capsys, *words)
    assert code == 1
    assert "these are not the published data" in err


def test_a_broken_proof_ends_with_1_and_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.proofs()
    wrong = Proof("elo", (Oracle("a wrong one", lambda study, rows: [(1.0, 1.5)]),))
    monkeypatch.setitem(registry._found, "elo", wrong)
    code, out, err = said(capsys, "proofs", "elo", "--studies", 2)
    assert code == 1
    assert "BROKEN" in out
    assert "2 proofs broken: elo" in err  # its coverage no longer says why it has none


def test_it_runs_where_only_tiebreak_is(tmp_path: Path) -> None:
    """Without the tests' folder, the data, or what only developers install."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "for name in ('krippendorff', 'sklearn', 'statsmodels', 'hypothesis', 'pytest', 'tests'):\n"
        "    sys.modules[name] = None\n",
        "utf-8",
    )
    for room in ("core", "db", "judges", "tui", "sample_data"):
        (tmp_path / room).symlink_to(ROOT / room)
    done = subprocess.run(
        [sys.executable, "-m", "tui", "proofs", "reliability", "ranking", "--studies", "2"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
        timeout=5 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "krippendorff is not here" in " ".join(done.stdout.split())


def test_scores_are_imported_shown_and_removed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study, table = tmp_path / "study.db", tmp_path / "scores.csv"
    table.write_text("model,benchmark,score,low,high\na\x1b[2J,M,2,1,3\nb,M,5,,\n", "utf-8")
    code, _, err = said(capsys, "--db", study, "import", table)
    assert code == 1
    assert "scores.csv:2, field 'model'" in err
    assert not study.exists()
    table.write_text("model,benchmark,score,low,high\na,M,2,1,3\nb,M,5,,\n", "utf-8")
    assert said(capsys, "--db", study, "import", table)[0] == 0
    code, out, _ = said(capsys, "--db", study, "scores", "show")
    assert [line.split() for line in out.splitlines()] == [
        ["M", "b", "5"], ["M", "a", "2", "1", "–", "3"],
    ]  # fmt: skip
    told = json.loads(said(capsys, "--db", study, "scores", "show", "--json")[1])
    assert told[0] == {
        "benchmark": "M", "model": "b", "score": 5.0, "low": None, "high": None,
        "source": "scores.csv",
    }  # fmt: skip
    copy = tmp_path / "copy.jsonl"
    assert said(capsys, "--db", study, "export", "study", "-o", copy)[0] == 0
    assert said(capsys, "--db", tmp_path / "two.db", "import", copy)[0] == 0
    again = json.loads(said(capsys, "--db", tmp_path / "two.db", "scores", "show", "--json")[1])
    assert again == told
    assert said(capsys, "--db", study, "scores", "remove", "M")[0] == 0
    code, _, err = said(capsys, "--db", study, "scores", "remove", "M")
    assert code == 1
    assert "no scores on 'M'" in err
