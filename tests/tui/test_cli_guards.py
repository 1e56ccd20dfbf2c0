"""What a study must be protected from, tried from the command line."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from core.errors import StudyUnavailable
from core.records import Seen
from db.store import Store
from db.voting import Cast
from tests.studies import make_study
from tests.tui.test_cli import Done
from tui.cli import run
from tui.cli.demo import _interactive
from tui.demo import prepare


@pytest.fixture
def tiebreak(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: object) -> Done:
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study.db", questions=4, overlap=2)


def vote(study: Path, name: str, *, simulated: bool = False) -> None:
    with Store(study) as store:
        me = store.annotator(name, simulated=simulated)
        for _ in range(3):
            served = store.serving.serve(me)
            assert served is not None
            turn = served.next_turn
            assert turn is not None
            cast = Cast(f"{name} {served.assignment} {turn}", served.assignment, turn, Seen.LEFT)
            store.voting.cast(me, "local:x", cast)


def test_simulated_votes_are_never_called_human(tiebreak: Any, study: Path) -> None:
    vote(study, "robot", simulated=True)
    text = tiebreak("--db", study, "stats", "coverage", "agreement").out
    assert "simulated" in text
    assert "human" not in text.replace("Judge–human and human–human", "").replace(
        "human–human compares", ""
    )
    rows = [json.loads(x) for x in tiebreak("--db", study, "export", "gold").out.splitlines()]
    assert {v["simulated"] for row in rows for v in row["votes"]} == {True}
    lines = tiebreak("--db", study, "export", "votes").out.splitlines()
    assert json.loads(lines[0])["simulated"] is True
    vote(study, "ann")
    text = tiebreak("--db", study, "stats", "coverage").out
    assert "human + simulated" in text
    rows = [json.loads(x) for x in tiebreak("--db", study, "export", "gold").out.splitlines()]
    assert sum(row["simulated_votes"] for row in rows) == 3


def test_the_demo_takes_no_study_but_its_own(tmp_path: Path, study: Path) -> None:
    before = study.read_bytes()
    with pytest.raises(Exception, match="was not made by the demo"):
        _interactive(study, None, None)
    assert study.read_bytes() == before
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(StudyUnavailable, match="the file is empty"):
        _interactive(empty, None, None)
    assert empty.stat().st_size == 0
    prepare(tmp_path / "own.db")


@pytest.mark.parametrize("what", ["removed", "replaced"])
def test_no_vote_is_acknowledged_into_a_file_that_is_gone(
    what: str, study: Path, tmp_path: Path
) -> None:
    with Store(study) as store:
        me = store.annotator("ann")
        served = store.serving.serve(me)
        assert served is not None
        study.rename(tmp_path / "elsewhere.db")
        if what == "replaced":
            study.write_bytes(b"another file")
        with pytest.raises(StudyUnavailable, match="moved or removed"):
            store.voting.cast(me, "local:x", Cast("v", served.assignment, 1, Seen.LEFT))


def test_verify_finds_an_altered_schema_without_a_traceback(tiebreak: Any, study: Path) -> None:
    with sqlite3.connect(study) as connection:
        connection.execute("DROP TRIGGER vote_no_update")
    connection.close()
    done = tiebreak("--db", study, "verify")
    assert done.code == 1
    assert "schema: the trigger vote_no_update is missing" in done.out
    with sqlite3.connect(study) as connection:
        connection.execute("DROP TABLE ruling")
    connection.close()
    for command in (["verify"], ["status"], ["export", "study"]):
        done = tiebreak("--db", study, *command)
        assert done.code == 1
        assert "Traceback" not in done.err
        assert "ruling" in done.out + done.err


def test_exchanged_answers_are_found_once_somebody_judged_them(tiebreak: Any, study: Path) -> None:
    tiebreak("--db", study, "judge", "add", "coin", "--baseline", "coin")
    tiebreak("--db", study, "judge", "run")
    assert tiebreak("--db", study, "verify").code == 0
    with sqlite3.connect(study) as connection:
        one, two = connection.execute("SELECT answer_id, text_hash FROM answer_turn LIMIT 2")
        connection.execute(
            "UPDATE answer_turn SET text_hash = ? WHERE answer_id = ?", (two[1], one[0])
        )
        connection.execute(
            "UPDATE answer_turn SET text_hash = ? WHERE answer_id = ?", (one[1], two[0])
        )
    connection.close()
    done = tiebreak("--db", study, "verify")
    assert done.code == 1
    assert "does not fit the chain" in done.out


@pytest.mark.parametrize("name", ["e\x1b[31m", " ", "two\nlines", "half \ud800"])
def test_names_that_no_file_could_hold_are_refused(tiebreak: Any, study: Path, name: str) -> None:
    assert tiebreak("--db", study, "judge", "add", name, "--baseline", "coin").code == 2
    assert tiebreak("--db", study, "annotate", "--as", name).code == 2
    assert tiebreak("--db", study, "judge", "list", "--json").json == []


def test_a_number_that_is_none_is_no_parameter(tiebreak: Any, study: Path) -> None:
    add = ("--db", study, "judge", "add", "s", "--baseline", "coin", "--set")
    assert tiebreak(*add, "seed=NaN").code == 2
    assert tiebreak(*add, "seed=7").code == 0


def test_a_secret_does_not_enter_by_a_file(tiebreak: Any, study: Path, tmp_path: Path) -> None:
    source = tmp_path / "judge.jsonl"
    source.write_text('{"type":"judge","name":"j","parameters":{"api_key":"sk-x"}}\n')
    done = tiebreak("--db", study, "import", source)
    assert done.code == 1
    assert f"{source}:1, field 'parameters'" in done.err
    assert "sk-x" not in done.err
    source.write_text('{"type":"judge","name":"j","parameters":{"api_key_env":"KEY"}}\n')
    assert tiebreak("--db", study, "import", source).code == 0


def test_a_folder_of_two_formats_is_not_read_by_halves(
    tiebreak: Any, study: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"type":"question","id":"new","turns":["?"]}\n')
    (folder / "b.csv").write_text("question_id,model_a,model_b\nq,m,n\n")
    done = tiebreak("--db", study, "import", folder)
    assert done.code == 1
    assert "several formats: csv, native" in done.err


def test_a_nearly_right_file_is_named_by_its_field(
    tiebreak: Any, study: Path, tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("question_id,model_a,answer_a\nq,m,n\n")
    assert "field 'model_b'" in tiebreak("--db", study, "import", table).err
    lines = tmp_path / "t.jsonl"
    lines.write_text('{"type":"qestion","id":"q","turns":["?"]}\n')
    assert "'qestion', which is no known label" in tiebreak("--db", study, "import", lines).err
    nothing = tmp_path / "nothing.csv"
    nothing.write_text("question_id,model_a,model_b\n")
    done = tiebreak("--db", study, "import", nothing)
    assert done.code == 1
    assert "nothing in it to import" in done.err


def test_a_file_whose_name_is_no_utf8_is_imported(
    tiebreak: Any, study: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "caf\udce9.jsonl"
    odd.write_text('{"type":"question","id":"new","turns":["?"]}\n')
    assert tiebreak("--db", study, "import", odd).code == 0
    assert tiebreak("--db", study, "verify").code == 0


def test_vote_per_is_chosen_before_the_first_pair_is_served(tiebreak: Any, study: Path) -> None:
    assert tiebreak("--db", study, "study", "set", "vote_per", "conversation").code == 0
    assert tiebreak("--db", study, "study", "set", "vote_per", "turn").code == 0
    vote(study, "ann")
    assert tiebreak("--db", study, "study", "set", "vote_per", "turn").code == 0
    done = tiebreak("--db", study, "study", "set", "vote_per", "conversation")
    assert done.code == 1
    assert "served already" in done.err


def test_complete_means_voted_not_served(tiebreak: Any, study: Path) -> None:
    with Store(study) as store:
        for name in ("a", "b"):
            me = store.annotator(name)
            store.serving.serve(me)
    assert tiebreak("--db", study, "status", "--json").json["pairs_complete"] == 0


def test_what_failed_is_tried_again_when_asked_for_and_both_stay(
    tiebreak: Any, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judges.baselines import BaselineJudge
    from judges.outcomes import Garbled
    from judges.tasks import Task

    tiebreak("--db", study, "judge", "add", "c", "--baseline", "coin")
    judge = BaselineJudge.judge

    async def broken(self: BaselineJudge, task: Task) -> Any:
        if task.left == 2:
            raise Garbled("no idea")
        return await judge(self, task)

    with monkeypatch.context() as patch:
        patch.setattr(BaselineJudge, "judge", broken)
        done = tiebreak("--db", study, "judge", "run", "c", "--limit", "4", "--json")
    assert done.json[0]["verdicts"] == {"ok": 2, "failed": 2}
    assert "--retry-failed" in done.err
    tiebreak("--db", study, "judge", "run", "c")
    counts = tiebreak("--db", study, "status", "--json").json
    assert counts["verdict_failures"] == 2
    done = tiebreak("--db", study, "judge", "run", "c", "--retry-failed", "--json")
    assert done.json[0]["verdicts"] == {"ok": 2}
    after = tiebreak("--db", study, "status", "--json").json
    assert (after["verdict_failures"], after["verdicts"]) == (0, counts["verdicts"])
    assert tiebreak("--db", study, "judge", "run", "c", "--retry-failed").code == 0
    assert tiebreak("--db", study, "verify").code == 0
