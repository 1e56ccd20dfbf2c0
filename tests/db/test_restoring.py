"""A backup in the study's place: verified first, nothing lost, and nobody cut off unawares."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import Conflict, StudyBroken, StudyUnavailable
from core.records import Question, Seen
from db.copying import back_up
from db.restoring import Restored, restore
from db.store import Store
from tests.studies import dump, located, make_study, rows, serve, vote
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
NOW = datetime(2024, 3, 1, 9, tzinfo=UTC)
ASIDE = "study.replaced-20240301T090000.000Z.db"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study with two votes, the first of which is in the backup beside it."""
    path = make_study(tmp_path / "study.db", questions=5)
    with Store(path) as store:
        ann = store.annotator("ann")
        vote(store, ann, serve(store, ann), Seen.LEFT, id="in both")
        back_up(store, tmp_path / "copy.db")
        vote(store, ann, serve(store, ann), Seen.RIGHT, id="only here")
    return path


@pytest.fixture
def backup(study: Path) -> Path:
    return study.with_name("copy.db")


def put_back(backup: Path, study: Path, *, replace: bool = True) -> Restored:
    return restore(backup, study, replace=replace, now=NOW)


def ids(path: Path) -> list[str]:
    return [key for (key,) in rows(path, "SELECT id FROM vote ORDER BY seq")]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_into_a_new_file(study: Path, backup: Path) -> None:
    before = backup.read_bytes()
    done = put_back(backup, study.with_name("new.db"), replace=False)
    assert (done.aside, done.only_there) == (None, {})
    assert dump(done.path) == dump(backup)
    assert backup.read_bytes() == before
    assert names(study.parent) == {"study.db", "copy.db", "new.db"}
    with Store(done.path) as store:
        assert store.verify() == []
        assert store.heads() == done.heads
        ann = store.annotator("ann")
        assert vote(store, ann, serve(store, ann), Seen.TIE, id="goes on")


def test_over_a_study_only_when_asked_which_is_kept_and_told_of(study: Path, backup: Path) -> None:
    before = dump(study)
    with pytest.raises(StudyUnavailable, match="1 vote that the backup has not"):
        put_back(backup, study, replace=False)
    assert dump(study) == before
    done = put_back(backup, study)
    assert done.only_there == {"vote": 1, "verdict": 0, "ruling": 0}
    assert done.aside == study.with_name(ASIDE)
    assert ids(study) == ["in both"]
    assert dump(done.aside) == before
    assert dump(study) == dump(backup)
    with Store(study) as store:
        assert store.verify() == []
    assert names(study.parent) == {"study.db", "copy.db", ASIDE}


def test_votes_that_are_only_in_the_log_of_a_crashed_session_are_kept_aside(
    study: Path, backup: Path
) -> None:
    crash = "import os; from pathlib import Path; from db.store import Store\n"
    crash += "s = Store(Path(os.sys.argv[1])); s.annotator('crashed'); os._exit(9)"
    subprocess.run([sys.executable, "-c", crash, study], cwd=ROOT, check=False)
    assert study.with_name("study.db-wal").stat().st_size
    put_back(backup, study)
    said = {name for (name,) in rows(study.with_name(ASIDE), "SELECT name FROM annotator")}
    assert "crashed" in said


def test_a_log_left_by_a_study_that_is_gone_does_not_get_into_the_new_one(
    study: Path, backup: Path
) -> None:
    with Store(study) as store:
        store.annotator("of before")
        stale = study.with_name("study.db-wal").read_bytes()
    study.unlink()
    study.with_name("study.db-wal").write_bytes(stale)
    done = put_back(backup, study, replace=False)
    assert dump(study) == dump(backup)
    assert done.aside == study.with_name(ASIDE)
    assert study.with_name(ASIDE + "-wal").read_bytes() == stale


@pytest.mark.parametrize("doing", ["nothing", "reading", "writing"])
def test_a_study_that_others_have_open_is_left_alone(
    study: Path, backup: Path, doing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.restoring._PATIENCE", 0.05)
    before = dump(study)
    with Store(study) as other:
        if doing == "reading":
            other.connection.execute("BEGIN")
            other.connection.execute("SELECT * FROM vote").fetchone()
        elif doing == "writing":
            other.connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StudyUnavailable, match="others have this study open"):
            put_back(backup, study)
        if doing != "nothing":
            other.connection.execute("ROLLBACK")
        other.annotator("and goes on")
    assert dump(study).replace("and goes on", "") != before
    assert names(study.parent) == {"study.db", "copy.db"}


def test_whoever_opens_it_meanwhile_finds_the_restored_study(
    study: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have the file open before it is replaced, and wait for their first look."""
    script = (
        "import sys; from pathlib import Path; from db.store import Store\n"
        "print(flush=True); store = Store(Path(sys.argv[1]))\n"
        "store.annotator('came meanwhile'); print(store.verify())"
    )
    waiting: list[subprocess.Popen[str]] = []
    real = sqlite3.connect

    def connect(path: object, **how: object) -> sqlite3.Connection:
        if "replaced" in str(path):  # what was there is being kept aside: the lock is held
            command = [sys.executable, "-c", script, str(study)]
            waiting.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
            assert waiting[0].stdout is not None
            waiting[0].stdout.readline()
            time.sleep(0.1)
        return real(path, **how)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr("db.restoring.sqlite3.connect", connect)
    put_back(backup, study)
    (other,) = waiting
    with other:
        assert other.stdout is not None
        assert other.stdout.read().strip() == "[]"
    assert ids(study) == ["in both"]
    assert ("came meanwhile",) in rows(study, "SELECT name FROM annotator")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:8192])


def scribble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 * 5 : 4096 * 6] = b"\xa5" * 4096
    path.write_bytes(data)


def garbage(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, scribble, garbage, empty])
def test_a_damaged_study_is_replaced_and_kept(
    study: Path, backup: Path, damage: Callable[[Path], None]
) -> None:
    study.chmod(0o640)
    damage(study)
    if damage is not empty:
        with pytest.raises(StudyUnavailable, match="already"):
            put_back(backup, study, replace=False)
    done = put_back(backup, study, replace=damage is not empty)
    assert dump(study) == dump(backup)
    assert study.with_name(ASIDE).exists()
    assert done.aside == study.with_name(ASIDE)
    if damage is garbage:
        assert done.only_there is None
        assert study.with_name(ASIDE).read_bytes().startswith(b"no database")
        assert study.stat().st_mode & 0o777 == 0o640
    with Store(study) as store:
        assert store.verify() == []


@pytest.mark.parametrize("damage", [truncate, scribble, garbage])
def test_a_damaged_backup_is_refused_before_anything_is_touched(
    study: Path, backup: Path, damage: Callable[[Path], None]
) -> None:
    before = dump(study)
    damage(backup)
    with pytest.raises(StudyBroken):
        put_back(backup, study)
    with pytest.raises(StudyBroken):
        put_back(backup, study.with_name("new.db"))
    assert dump(study) == before
    assert names(study.parent) == {"study.db", "copy.db"}


def test_a_backup_that_was_tampered_with_is_refused(study: Path, backup: Path) -> None:
    with closing(sqlite3.connect(backup)) as raw:
        raw.execute("DROP TRIGGER vote_no_update")
        raw.execute("UPDATE vote SET choice = 'tie'")
        raw.commit()
    with pytest.raises(StudyBroken, match="not as Tiebreak wrote it"):
        put_back(backup, study)
    assert ids(study) == ["in both", "only here"]


def test_another_program_s_database_is_neither_taken_nor_replaced(
    study: Path, backup: Path, tmp_path: Path
) -> None:
    other = tmp_path / "cookies.db"
    with closing(sqlite3.connect(other)) as raw:
        raw.execute("CREATE TABLE cookie (name)")
        raw.commit()
    before = other.read_bytes()
    with pytest.raises(StudyBroken, match="not a study"):
        put_back(other, study)
    with pytest.raises(Conflict, match="not a study"):
        put_back(backup, other)
    assert other.read_bytes() == before
    with pytest.raises(StudyUnavailable, match="this is the study itself"):
        put_back(study, study)


def test_a_study_in_use_can_be_restored_from_elsewhere(study: Path) -> None:
    with Store(study) as voting:
        voting.annotator("just now")
        done = put_back(study, study.with_name("new.db"))
    assert dump(done.path) == dump(study)


_RESTORE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from db.restoring import restore
print(flush=True)
for number in range(1000):
    backup = Path(sys.argv[1 + number % 2])
    restore(backup, Path(sys.argv[3]), replace=True, now=datetime.now(UTC))
"""


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true of the files."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(FileNotFoundError):  # gone between two looks
            if true():
                return
        assert time.monotonic() < deadline, "it never came so far"


def kill_restores(tmp_path: Path, times: int) -> None:
    body = "many words " * 10_000
    studies = []
    for name in ("one", "two"):
        path = make_study(tmp_path / f"{name}.db", questions=3)
        with Store(path) as store:
            store.annotator(name)
            store.ingest.take(located(Question(f"{name} {n}", (f"{n} {body}",)) for n in range(30)))
        studies.append(path)
    dumps = {dump(path) for path in studies}
    target, log = tmp_path / "study.db", tmp_path / "study.db-wal"
    shutil.copy(studies[0], target)
    chance, found, replaced, unfinished = random.Random(3), set(), set(), 0
    for turn in itertools.count():
        # So often, and on until a restore was killed in the middle and others came to their end.
        if turn >= times and unfinished and replaced == dumps:
            break
        assert turn < times + 100, f"{unfinished} unfinished, {len(replaced)} ended"
        process = subprocess.Popen(
            [sys.executable, "-c", _RESTORE, *studies, target], cwd=ROOT, stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            if turn % 2:
                # Two restores are whole by then, and the third has begun.
                until(lambda: len(list(tmp_path.glob("study.replaced-*.db"))) >= 3)
                time.sleep(chance.uniform(0, 0.05))
            else:
                size = chance.randrange(2**21)
                until(lambda size=size: log.exists() and log.stat().st_size > size)  # type: ignore[misc]
            os.kill(process.pid, signal.SIGKILL)
        unfinished += log.exists()
        found.add(dump(target))
        assert found <= dumps
        for aside in tmp_path.glob("study.replaced-*.db"):
            replaced.add(dump(aside))
            aside.unlink()
        assert replaced <= dumps


def test_kill_9_of_a_restore_leaves_the_one_study_or_the_other(tmp_path: Path) -> None:
    kill_restores(tmp_path, 2)


@pytest.mark.slow
def test_kill_9_of_a_restore_twenty_times(tmp_path: Path) -> None:
    kill_restores(tmp_path, 20)
