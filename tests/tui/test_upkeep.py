"""backup, restore and doctor as people and cron call them; reading what is read-only."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from core.records import Seen
from db.store import Store
from tests.studies import dump, make_study, serve, vote
from tui.cli import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = make_study(tmp_path / "study.db", questions=4)
    with Store(path) as store:
        ann = store.annotator("ann")
        vote(store, ann, serve(store, ann), Seen.LEFT)
    return path


Tiebreak = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tiebreak(study: Path, capsys: pytest.CaptureFixture[str]) -> Tiebreak:
    def call(*arguments: object, db: Path = study) -> tuple[int, str, str]:
        code = run(["--db", str(db), *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_backup_and_restore_end_where_verify_does(tiebreak: Tiebreak, study: Path) -> None:
    copy, again = study.with_name("copy.db"), study.with_name("again.db")
    code, heads, said = tiebreak("backup", copy)
    assert code == 0
    assert re.match(re.escape(f"{copy}: ") + r"0\.\d MiB, verified", said)
    assert tiebreak("verify") == (0, heads, "intact\n")
    code, restored, said = tiebreak("restore", copy, db=again)
    assert (code, restored) == (0, heads)
    assert re.search(
        re.escape(f"{again}: ") + r"0\.\d MiB, " + re.escape(f"restored from {copy}, verified"),
        said,
    )
    assert dump(again) == dump(study)


def test_what_a_file_has_that_the_backup_has_not_is_told_before_and_after(
    tiebreak: Tiebreak, study: Path
) -> None:
    copy = study.with_name("copy.db")
    assert tiebreak("backup", copy)[0] == 0
    with Store(study) as store:
        ann = store.annotator("ann")
        vote(store, ann, serve(store, ann), Seen.LEFT)
    code, out, said = tiebreak("restore", copy)
    assert (code, out) == (1, "")
    assert "it has 1 vote that the backup has not" in said
    assert "--replace" in said
    code, out, said = tiebreak("restore", copy, "--replace", "--json")
    assert code == 0
    done = json.loads(out)
    assert done["only_in_aside"] == {"vote": 1, "verdict": 0, "ruling": 0}
    assert done["heads"]["vote"]["rows"] == 1
    assert tiebreak("verify", db=Path(done["aside"]))[0] == 0


def test_a_rotation_for_cron(tiebreak: Tiebreak, study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "backups"
    made = []
    for turn in range(4):
        code, out, _ = tiebreak("backup", folder, "--keep", 2, "--json")
        assert code == 0
        done = json.loads(out)
        made.append(Path(done["file"]))
        assert done["removed"] == ([str(made[turn - 2])] if turn >= 2 else [])
    assert sorted(folder.iterdir()) == made[2:]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "1 older backup let go" in tiebreak("backup", folder, "--keep", 2)[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["backup", "folder"], "is a folder"),
        (["backup", "file", "--keep", "3"], "--keep takes a folder"),
        (["backup", "x", "--keep", "0"], "--keep"),
        (["restore", "nowhere.db"], "does not exist"),
        (["restore", "folder"], "is a directory"),
    ],
)
def test_what_makes_no_sense_is_a_wrong_call(
    tiebreak: Tiebreak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str],
    words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    code, _, said = tiebreak(*arguments)
    assert code == 2
    assert words in said


@pytest.mark.parametrize("command", ["backup", "doctor"])
def test_where_there_is_no_study_none_is_made(
    tiebreak: Tiebreak, tmp_path: Path, command: str
) -> None:
    arguments = [tmp_path / "copy.db"] if command == "backup" else []
    code, _, said = tiebreak(command, *arguments, db=tmp_path / "none.db")
    assert code == 1
    assert "there is no study here" in said
    assert not (tmp_path / "none.db").exists()
    assert not (tmp_path / "copy.db").exists()


def test_doctor_says_each_check_on_its_line_and_the_way_out_below(
    tiebreak: Tiebreak, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    study.parent.chmod(0o755)
    study.chmod(0o644)
    with closing(sqlite3.connect(study)) as raw:
        raw.execute("UPDATE queue SET load = 7")
        raw.commit()
    code, out, said = tiebreak("doctor")
    assert code == 1
    lines = out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    at = next(n for n, line in enumerate(lines) if line.startswith("problem  queue"))
    assert lines[at + 2].strip().startswith("→ --mend counts anew")
    assert "tiebreak: 1 problem: queue" in said
    code, out, said = tiebreak("doctor", "--mend", "--json")
    assert code == 0
    looked: dict[str, Any] = json.loads(out)
    assert looked["healthy"] is True
    states = {check["name"]: check["state"] for check in looked["checks"]}
    assert (states["queue"], states["rights"]) == ("ok", "warning")
    assert list(states) == [
        "folder", "rights", "owner", "file system", "disk", "write-ahead log", "sqlite",
        "journal", "schema", "integrity", "chain", "leases", "queue", "texts", "clock",
    ]  # fmt: skip


@pytest.fixture
def public(study: Path) -> Iterator[Path]:
    """A study where every user of this host may read it; pytest's own folders are closed."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        copy = Path(folder, "study.db")
        copy.write_bytes(study.read_bytes())
        copy.chmod(0o644)
        yield copy


def test_a_study_that_another_user_owns_can_be_read_and_not_written(public: Path) -> None:
    """As the nobody of this host, who may read the file and write nothing."""
    if os.geteuid():
        pytest.skip("only root may become another user")
    before = dump(public)

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-B", "-m", "tui", "--db", public, *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False, user=65534, group=65534,
            extra_groups=[], env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        )  # fmt: skip

    try:
        may_run = call("--version").returncode == 0
    except PermissionError:  # already the interpreter lies where only its owner may go
        may_run = False
    if not may_run:
        pytest.skip("nobody may not run this checkout")
    for command in (
        ["status"], ["stats", "coverage"], ["export", "votes"], ["export", "gold"], ["verify"],
        ["study", "show"], ["doctor", "--deep"],
    ):  # fmt: skip
        done = call(*command)
        assert done.returncode == 0, done.stderr
        assert done.stdout
    refused = call("study", "set", "overlap", "2")
    assert refused.returncode == 1
    assert "the file or its folder is read-only" in refused.stderr
    assert "nothing can be mended" in call("doctor", "--mend").stderr
    assert dump(public) == before
    assert [path.name for path in public.parent.iterdir()] == ["study.db"]
