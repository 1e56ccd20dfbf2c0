"""The command line: exit codes, what goes to which stream, and the words of a refusal."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.records import Seen
from db.store import Store
from tests import studies
from tests.waiting import PATIENCE
from tui.cli import COMMANDS, run

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data"


class Done:
    """What a command left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def tiebreak(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    def call(*arguments: str, db: Path | None = tmp_path / "study.db") -> Done:
        before = ["--db", str(db)] if db else []
        code = run([*before, *arguments])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


@pytest.fixture
def study(tiebreak: Any, tmp_path: Path) -> Path:
    assert tiebreak("import", str(SAMPLE)).code == 0
    assert tiebreak("pairs", "make", "--overlap", "2").code == 0
    return tmp_path / "study.db"


def test_import_says_what_is_new_on_stderr_and_keeps_stdout_for_data(tiebreak: Any) -> None:
    done = tiebreak("import", str(SAMPLE))
    assert (done.code, done.out) == (0, "")
    assert "14 questions" in done.err
    assert "56 answers" in done.err


def test_import_again_changes_nothing(tiebreak: Any, tmp_path: Path) -> None:
    def dump() -> list[str]:
        with Store(tmp_path / "study.db") as store:
            return list(store.connection.iterdump())

    tiebreak("import", str(SAMPLE))
    before = dump()
    done = tiebreak("import", str(SAMPLE), "--json")
    assert done.json["new"] == {} or not any(done.json["new"].values())
    assert done.json["unchanged"]["answers"] == 56
    assert dump() == before


def test_a_bad_line_is_named_and_nothing_stays(tiebreak: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    good = '{"type":"question","id":"q1","turns":["Why?"]}'
    bad.write_text(
        f'{good}\n{{"type":"answer","question":"q1","model":"m","turns":"x"}}\n'
        '{"type":"vote","question":"q1","model_1":"m","model_2":"n","turn":1,'
        '"annotator":"ann","choice":"best"}\n'
    )
    done = tiebreak("import", str(bad))
    assert done.code == 1
    assert f"{bad}:3, field 'choice'" in done.err
    assert "'best'" in done.err
    assert "it takes: model_1, model_2, tie, both_bad" in done.err
    assert not (tmp_path / "study.db").exists()
    assert not list(tmp_path.glob("study.db*"))


def test_a_bad_line_leaves_an_old_study_as_it_was(
    tiebreak: Any, study: Path, tmp_path: Path
) -> None:
    with Store(study) as store:
        before = list(store.connection.iterdump())
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"type":"question","id":"new","turns":["Why?"]}\n{"type":"question"}\n')
    assert tiebreak("import", str(bad)).code == 1
    with Store(study) as store:
        assert list(store.connection.iterdump()) == before


def test_an_unknown_format_is_refused_with_the_known_ones(tiebreak: Any, tmp_path: Path) -> None:
    odd = tmp_path / "odd.jsonl"
    odd.write_text('{"something": "else"}\n')
    done = tiebreak("import", str(odd))
    assert done.code == 1
    assert "no format that Tiebreak knows" in done.err
    for name in ("csv", "mt_bench", "native"):
        assert name in done.err
    assert tiebreak("import", str(odd), "--format", "nope").code == 2
    assert tiebreak("import", str(tmp_path / "absent")).code == 1


def test_what_a_file_says_never_reaches_the_terminal_as_it_is(
    tiebreak: Any, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jsonl"
    line = {"type": "vote", "question": "q", "model_1": "a", "model_2": "b", "annotator": "x"}
    bad.write_text(json.dumps(line | {"choice": "\x1b]52;c;aGk=\x07\u202e[bold]"}) + "\n")
    done = tiebreak("import", str(bad))
    assert done.code == 1
    assert not [c for c in done.err if (ord(c) < 32 and c != "\n") or c == "\u202e"]


def test_no_study_named_is_a_usage_error(
    tiebreak: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TIEBREAK_DB", raising=False)
    done = tiebreak("status", db=None)
    assert done.code == 2
    assert "TIEBREAK_DB" in done.err
    monkeypatch.setenv("TIEBREAK_DB", str(tmp_path / "study.db"))
    done = tiebreak("status", db=None)
    assert done.code == 1
    assert "there is no study here" in done.err


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look at" * 99])
def test_what_is_no_study_is_refused(tiebreak: Any, tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(content)
    done = tiebreak("status", db=other)
    assert done.code == 1
    assert "is not a study" in done.err
    assert other.read_bytes() == content
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()
    before = foreign.read_bytes()
    done = tiebreak("import", str(SAMPLE), db=foreign)
    assert done.code == 1
    assert "not a study of Tiebreak's" in done.err
    assert foreign.read_bytes() == before


def test_pairs_make_all_against_one_and_a_sample(tiebreak: Any, tmp_path: Path) -> None:
    assert tiebreak("import", str(SAMPLE)).code == 0
    made = tiebreak("pairs", "make", "--against", "godwit-l", "--sample", "10", "--json").json
    assert made == {
        "population": 42,
        "queued": 10,
        "already_queued": 0,
        "overlap": 1,
        "probability": pytest.approx(10 / 42),
        "unknown": 0,
    }
    made = tiebreak("pairs", "make", "--against", "godwit-l", "--json").json
    assert (made["queued"], made["already_queued"]) == (32, 10)
    made = tiebreak("pairs", "make", "--json").json
    assert (made["population"], made["queued"]) == (84, 42)
    refused = tiebreak("pairs", "make", "--against", "nobody")
    assert refused.code == 1
    assert "godwit-l" in refused.err
    assert tiebreak("pairs", "make", "--sample", "1000").code == 1
    assert tiebreak("pairs", "make", "--sample", "0").code == 2


def test_pairs_of_nothing_are_refused(tiebreak: Any, tmp_path: Path) -> None:
    only = tmp_path / "only.jsonl"
    only.write_text('{"type":"question","id":"q1","turns":["Why?"]}\n')
    assert tiebreak("import", str(only)).code == 0
    done = tiebreak("pairs", "make")
    assert done.code == 1
    assert "nothing to pair" in done.err


def test_status_counts(tiebreak: Any, study: Path) -> None:
    counts = tiebreak("status", "--json").json
    assert counts["questions"] == 14
    assert counts["pairs_queued"] == 84
    assert counts["name"] == "Sample study"
    assert "questions" in tiebreak("status").out


def test_study_settings(tiebreak: Any, study: Path, tmp_path: Path) -> None:
    assert tiebreak("study", "set", "overlap", "3").code == 0
    assert tiebreak("study", "show", "--json").json["overlap"] == 3
    assert tiebreak("study", "set", "overlap", "0").code == 2
    assert tiebreak("study", "set", "colour", "red").code == 2
    guide = tmp_path / "guide.md"
    guide.write_text("# Judge by this")
    assert tiebreak("study", "set", "guidelines", f"@{guide}").code == 0
    assert tiebreak("study", "show", "--json").json["guidelines"] == "# Judge by this"
    assert "one vote for each turn" in tiebreak("study", "show").out


def test_baseline_judges_judge_everything_once(tiebreak: Any, study: Path) -> None:
    assert tiebreak("judge", "run").code == 1
    assert tiebreak("judge", "add", "longer", "--baseline", "longer-answer").code == 0
    assert tiebreak("judge", "add", "longer", "--baseline", "longer-answer").code == 0
    assert tiebreak("judge", "add", "longer", "--baseline", "coin").code == 1
    assert tiebreak("judge", "add", "x").code == 2
    assert tiebreak("judge", "run", "nobody").code == 1
    done = tiebreak("judge", "run", "longer", "--json").json
    assert done[0]["verdicts"] == {"ok": 240}
    assert tiebreak("judge", "run", "--json").json[0]["verdicts"] == {}
    (listed,) = tiebreak("judge", "list", "--json").json
    assert (listed["name"], listed["kind"], listed["model"]) == (
        "longer",
        "baseline",
        "longer-answer",
    )
    counts = tiebreak("status", "--json").json
    assert (counts["verdicts"], counts["verdict_failures"]) == (240, 0)


def vote(study: Path, annotator: str, count: int, choice: str = "left") -> None:
    from core.records import Seen
    from db.voting import Cast

    with Store(study) as store:
        row = store.annotator(annotator)
        for number in range(count):
            served = store.serving.serve(row)
            assert served is not None
            turn = served.next_turn
            assert turn is not None
            cast = Cast(
                f"{hash(annotator)}-{number}",
                served.assignment,
                turn,
                Seen(choice),
                note="secret note",
            )
            store.voting.cast(row, f"local:{annotator}", cast)


def test_stats_as_text_and_as_json(tiebreak: Any, study: Path) -> None:
    vote(study, "ann", 20)
    tiebreak("judge", "add", "longer", "--baseline", "longer-answer")
    tiebreak("judge", "run")
    text = tiebreak("stats", "agreement")
    assert text.code == 0
    assert "S1" in text.out
    assert text.err == ""
    found = tiebreak("stats", "--json").json
    ids = {one["id"] for one in found["statistics"]}
    assert {"coverage", "agreement", "reliability", "win_rate", "position", "ranking"} <= ids
    assert "NaN" not in json.dumps(found)
    assert tiebreak("stats", "nonsense").code == 2
    assert tiebreak("stats", "--group", "nobody").code == 2


def test_stats_of_a_span_of_time_and_of_one_annotator(tiebreak: Any, study: Path) -> None:
    vote(study, "ann", 3)
    vote(study, "bob", 2)

    def votes(*filters: str) -> object:
        found = tiebreak("stats", "coverage", "--json", *filters).json["statistics"][0]
        return next(
            one["value"] for one in found["estimates"] if one["labels"]["measure"] == "votes"
        )

    assert votes() == 5
    assert votes("--annotator", "bob") == 2
    assert votes("--since", "2000-01-01") == 5
    assert votes("--until", "2000-01-01T00:00Z") == 0
    refused = tiebreak("stats", "--since", "soon")
    assert refused.code == 2
    assert "'soon' is no time" in refused.err
    assert tiebreak("stats", "--annotator", "zoe").code == 2


def test_stats_of_an_empty_study_explain_themselves(tiebreak: Any, study: Path) -> None:
    done = tiebreak("stats")
    assert done.code == 0
    assert "nan" not in done.out.lower().replace("annotator", "")


def test_gold_hides_names_and_notes_unless_asked(tiebreak: Any, study: Path) -> None:
    vote(study, "ann@example.org", 6)
    vote(study, "bob", 6, "right")
    plain = tiebreak("export", "gold")
    rows = [json.loads(line) for line in plain.out.splitlines()]
    assert rows
    for word in ("ann@example.org", "bob", "secret note", "local:"):
        assert word not in plain.out
    trail = rows[0]["votes"][0]
    assert trail["annotator"].startswith("annotator-")
    assert trail["policy"] == "least-voted/2"
    assert 0 < trail["probability"] <= 1
    assert trail["left"] in ("model_1", "model_2")
    assert "bob" in tiebreak("export", "gold", "--names").out
    assert "secret note" in tiebreak("export", "gold", "--notes").out
    table = list(csv.DictReader(io.StringIO(tiebreak("export", "gold", "--format", "csv").out)))
    assert [row["label"] for row in table] == [row["label"] or "" for row in rows]
    strict = tiebreak("export", "gold", "--min-votes", "2").out
    assert all(json.loads(line)["decided_by"] == "unresolved" for line in strict.splitlines())


def test_a_study_survives_the_way_out_and_in(tiebreak: Any, study: Path, tmp_path: Path) -> None:
    vote(study, "ann", 9)
    tiebreak("judge", "add", "longer", "--baseline", "longer-answer")
    tiebreak("judge", "run", "--limit", "30")
    out = tmp_path / "out.jsonl"
    assert tiebreak("export", "study", "-o", str(out)).code == 0
    other = tmp_path / "other.db"
    assert tiebreak("import", str(out), db=other).code == 0
    again = tmp_path / "again.jsonl"
    assert tiebreak("export", "study", "-o", str(again), db=other).code == 0
    assert again.read_text() == out.read_text()
    assert tiebreak("export", "study", "--format", "csv").code == 2


def test_votes_leave_as_a_table_too(tiebreak: Any, study: Path, tmp_path: Path) -> None:
    vote(study, "ann", 5)
    out = tmp_path / "votes.csv"
    assert tiebreak("export", "votes", "--format", "csv", "--names", "-o", str(out)).code == 0
    assert stat.S_ISREG(out.stat().st_mode)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    other = tmp_path / "other.db"
    assert tiebreak("import", str(out), db=other).code == 0
    assert tiebreak("status", "--json", db=other).json["votes"] == 5


def test_an_output_that_cannot_be_written_is_refused(tiebreak: Any, study: Path) -> None:
    done = tiebreak("export", "votes", "-o", "/nonexistent/folder/votes.jsonl")
    assert done.code == 1
    assert "/nonexistent/folder" in done.err
    assert "Traceback" not in done.err


def test_verify_finds_a_tampered_vote(tiebreak: Any, study: Path) -> None:
    vote(study, "ann", 5)
    intact = tiebreak("verify", "--json")
    assert intact.code == 0
    head = intact.json["heads"]["vote"]["hash"]
    vote(study, "bob", 1)
    assert tiebreak("verify", "--head", f"vote={head}").code == 0
    assert tiebreak("verify", "--head", f"vote={'0' * 64}").code == 1
    assert tiebreak("verify", "--head", "nothing=1").code == 2
    with sqlite3.connect(study) as connection:
        (made_by,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'vote_no_update'"
        ).fetchone()
        connection.execute("DROP TRIGGER vote_no_update")
        connection.execute("UPDATE vote SET choice = 'tie', seen = 'tie' WHERE seq = 3")
        connection.execute(made_by)
    connection.close()
    done = tiebreak("verify", "--json")
    assert done.code == 1
    assert [(f["log"], f["row"]) for f in done.json["findings"]] == [("vote", 3)]


def test_screens_are_refused_without_a_terminal(study: Path) -> None:
    for command in ("annotate", "lead"):
        done = subprocess.run(
            [sys.executable, "-m", "tui", "--db", str(study), command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 1
        assert "needs a terminal" in done.stderr
        assert done.stdout == ""


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(study: Path) -> None:
    vote(study, "ann", 5)
    done = subprocess.run(
        f"{sys.executable} -m tui --db {study} export study | head -n 1",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stderr.strip() in ("", "tiebreak: interrupted") or "written" in done.stderr
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_keys_shows_what_a_settings_file_comes_to(tiebreak: Any, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('theme = "light"\n[keys]\nvote.a = ["o", ";"]\nvote.b = "n"\n')
    done = tiebreak("keys", "--settings", str(settings), db=None)
    assert done.code == 0
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert f"o ;         {settings}  A is the better answer." in lines["vote.a"]
    assert "2 b         default" in lines["vote.b"]
    assert lines["theme:"] == f"theme: light ({settings})"
    assert "vote.b: 'n' is pair.note's key too; move pair.note as well" in done.err
    found = tiebreak("keys", "--json", "--settings", str(settings), db=None).json
    assert found["theme"] == {"is": "light", "from": str(settings)}
    assert found["layout"] == {"is": "default", "from": "default"}
    by_action = {row["action"]: row for row in found["keys"]}
    assert by_action["vote.a"]["keys"] == ["o", "semicolon"]
    assert by_action["vote.a"]["from"] == str(settings)
    assert by_action["vote.b"] == {
        "action": "vote.b",
        "keys": ["2", "b"],
        "from": "default",
        "does": "B is the better answer.",
    }
    assert len(found["not_taken"]) == 1


def test_keys_example_is_a_settings_file(tiebreak: Any, tmp_path: Path) -> None:
    done = tiebreak("keys", "--example", db=None)
    assert "settings.toml" in done.err
    settings = tmp_path / "settings.toml"
    settings.write_text(done.out.replace('# theme = "dark"', 'theme = "ansi"'))
    again = tiebreak("keys", "--settings", str(settings), db=None)
    assert again.err == ""
    assert f"theme: ansi ({settings})" in again.out


def test_a_settings_file_or_theme_that_is_not_there_is_a_wrong_call(tiebreak: Any) -> None:
    assert tiebreak("annotate", "--settings", "no-such.toml").code == 2
    assert tiebreak("annotate", "--theme", "blue").code == 2
    assert tiebreak("lead", "--theme", "blue").code == 2
    assert tiebreak("demo", "--theme", "blue").code == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, tiebreak: Any) -> None:
    done = tiebreak(command, "--help", db=None)
    assert done.code == 0
    assert "Usage: tiebreak" in done.out


def test_the_published_table_comes_out_of_import_and_stats(tiebreak: Any) -> None:
    data = ROOT.parent / "shared" / "data" / "mt_bench"
    if not data.exists():
        pytest.skip("shared/data/mt_bench is not here")
    assert tiebreak("import", str(data)).code == 0
    found = tiebreak("stats", "agreement", "--json").json
    (agreement,) = found["statistics"]
    table = {
        (e["labels"]["rater_1"], e["labels"]["turn"], e["labels"]["setup"]): (e["k"], e["n"])
        for e in agreement["estimates"]
        if e["labels"]["rater_2"] == "human" and e["labels"]["kind"] != "baseline-human"
    }
    assert table == {
        ("gpt4_pair", 1, "S1"): (886, 1343),
        ("gpt4_pair", 1, "S2"): (727, 859),
        ("gpt4_pair", 2, "S1"): (871, 1325),
        ("gpt4_pair", 2, "S2"): (731, 864),
        ("human", 1, "S1"): (454, 721),
        ("human", 1, "S2"): (388, 479),
        ("human", 2, "S1"): (471, 707),
        ("human", 2, "S2"): (388, 474),
        ("llama2_70b", 1, "S1"): (745, 1295),
        ("llama2_70b", 1, "S2"): (574, 674),
        ("llama2_70b", 2, "S1"): (545, 963),
        ("llama2_70b", 2, "S2"): (433, 507),
    }
    for estimate in agreement["estimates"]:
        if estimate["labels"]["kind"] != "baseline-human":  # a coin's is exact
            assert estimate["low"] < estimate["value"] < estimate["high"]


def test_the_environment_names_a_study(study: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", "status", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
        env={**os.environ, "TIEBREAK_DB": str(study)},
    )
    assert json.loads(done.stdout)["questions"] == 14


def test_merge_says_what_it_did_and_refuses_conflicts(
    tiebreak: Any, study: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(study) as source, sqlite3.connect(other) as copy:
        source.backup(copy)
    for path, seen in ((study, Seen.LEFT), (other, Seen.TIE)):
        with Store(path) as store:
            who = store.annotator("ann")
            studies.vote(store, who, studies.serve(store, who), seen, id=path.stem)
    looked = tiebreak("merge", str(other), "--dry-run", "--json")
    assert (looked.code, looked.json["merged"], len(looked.json["conflicts"])) == (0, False, 1)
    refused = tiebreak("merge", str(other))
    assert refused.code == 1
    assert "'ann' voted on one pair on both hosts" in refused.err
    assert "--leave-out-conflicts" in refused.err
    done = tiebreak("merge", str(other), "--leave-out-conflicts", "--json")
    assert (done.code, done.json["merged"], done.json["left_out"]) == (0, True, {"votes": 1})
    with Store(study) as store:
        assert [cast.id for cast, _ in store.reading.votes()] == ["study"]
