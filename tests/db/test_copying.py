"""A backup is of one moment, whole or absent, and holds nobody up."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import StudyBroken, StudyUnavailable
from core.records import Question, Seen
from db.backups import let_go, timestamped
from db.copying import back_up
from db.store import Store
from tests.db.workers import vote_until_told
from tests.studies import dump, full_study, located, make_study, rows, serve, vote
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def full(tmp_path: Path) -> Path:
    return full_study(tmp_path / "study.db")


def test_a_backup_is_the_study_and_leaves_nothing_beside_itself(full: Path) -> None:
    target = full.with_name("copy.db")
    with Store(full) as store:
        copied = back_up(store, target)
        assert copied.heads == store.heads()
        assert sorted(path.name for path in full.parent.iterdir()) == [
            "copy.db", "study.db", "study.db-shm", "study.db-wal",
        ]  # fmt: skip
    assert dump(target) == dump(full)
    assert copied.size == target.stat().st_size
    with Store(target) as again:
        assert again.verify() == []
        assert again.heads() == copied.heads
        assert again.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_backup_has_what_is_only_in_the_log_and_not_what_is_uncommitted(full: Path) -> None:
    with Store(full) as store, Store(full) as other:
        other.annotator("late")
        other.connection.execute("BEGIN IMMEDIATE")
        other.connection.execute("UPDATE annotator SET name = 'later' WHERE name = 'late'")
        back_up(store, full.with_name("copy.db"))  # and does not wait for the writer either
        other.connection.execute("ROLLBACK")
    names = {name for (name,) in rows(full.with_name("copy.db"), "SELECT name FROM annotator")}
    assert "late" in names
    assert "later" not in names


def test_a_file_of_that_name_is_replaced_only_when_told_to(full: Path) -> None:
    target = full.with_name("copy.db")
    target.write_text("a letter")
    with Store(full) as store:
        with pytest.raises(StudyUnavailable, match="there is a file of this name already"):
            back_up(store, target)
        assert target.read_text() == "a letter"
        back_up(store, target, overwrite=True)
        with pytest.raises(StudyUnavailable, match="the study itself"):
            back_up(store, full, overwrite=True)
    assert dump(target) == dump(full)


def test_a_log_that_lies_beside_the_target_is_not_made_a_part_of_it(full: Path) -> None:
    target = full.with_name("copy.db")
    target.with_name("copy.db-wal").write_bytes(b"another's")
    with Store(full) as store, pytest.raises(StudyUnavailable, match=r"copy\.db-wal: somebody"):
        back_up(store, target)
    assert not target.exists()


def test_what_a_killed_backup_left_is_used_again_and_a_running_one_is_not_disturbed(
    full: Path,
) -> None:
    target, left = full.with_name("copy.db"), full.with_name(".copy.db.unfinished")
    left.write_bytes(b"half of it")
    left.with_name(left.name + "-wal").write_bytes(b"and its log")
    with Store(full) as store:
        back_up(store, target)
        assert not list(full.parent.glob("*unfinished*"))
        holder = subprocess.Popen(
            [sys.executable, "-c", "import fcntl, sys; f = open(sys.argv[1], 'w'); "
             "fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()", left],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        with holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            with pytest.raises(StudyUnavailable, match="another process is writing it"):
                back_up(store, target, overwrite=True)
            assert left.exists()
    assert dump(target) == dump(full)


def test_a_disk_that_is_too_full_is_told_of_before_anything_is_written(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 1000))  # type: ignore[attr-defined]
    with (
        Store(full) as store,
        pytest.raises(StudyUnavailable, match=r"needs \d+\.\d MiB, and 0\.0 MiB are free"),
    ):
        back_up(store, full.with_name("copy.db"))
    assert not list(full.parent.glob("*copy*"))


def test_a_folder_that_is_not_there_is_named(full: Path) -> None:
    with Store(full) as store, pytest.raises(StudyUnavailable, match="No such file"):
        back_up(store, full.parent / "nowhere" / "copy.db")


@pytest.mark.parametrize("end", ["vote", "text"])
def test_a_damaged_study_is_not_backed_up_over_a_whole_one(full: Path, end: str) -> None:
    target = full.with_name("copy.db")
    with Store(full) as store:
        back_up(store, target)
    whole = target.read_bytes()
    with closing(sqlite3.connect(full)) as raw:
        if end == "vote":
            raw.execute("UPDATE chain_head SET seq = seq + 1 WHERE log = 'vote'")
        else:
            raw.execute("PRAGMA writable_schema = ON")
            raw.execute("UPDATE sqlite_master SET rootpage = rootpage + 1 WHERE name = 'text'")
        raw.commit()
    with Store(full) as store, pytest.raises(StudyBroken):
        back_up(store, target, overwrite=True)
    assert target.read_bytes() == whole


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o400])
def test_nobody_may_read_a_backup_who_may_not_read_the_study(full: Path, mode: int) -> None:
    full.chmod(mode)
    before = os.umask(0o027)
    try:
        with Store(full, reading=True) as store:
            back_up(store, full.with_name("copy.db"))
    finally:
        os.umask(before)
    assert full.with_name("copy.db").stat().st_mode & 0o777 == mode & 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to others")
def test_the_rights_of_a_group_stay_with_that_group(full: Path) -> None:
    os.chown(full, -1, 12345)
    full.chmod(0o660)
    with Store(full) as store:
        back_up(store, full.with_name("copy.db"))
    copy = full.with_name("copy.db").stat()
    assert (copy.st_gid, copy.st_mode & 0o777) == (12345, 0o640)


# ── by the time ─────────────────────────────────────────────────────────────


def test_the_oldest_are_let_go_and_nothing_else(full: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    begin = datetime(2024, 3, 1, 23, 59, 59, 999_000, tzinfo=UTC)
    other = make_study(tmp_path / "other.db")
    with Store(other) as store:
        store.connection.execute("""UPDATE study SET value = '"another"' WHERE key = 'seed'""")
        stranger = timestamped(full, folder, begin - timedelta(days=9))
        back_up(store, stranger)
    bystanders = [folder / "study-notes.db", folder / "study-20240101T000000.000Z.db.txt"]
    for path in bystanders:
        path.write_text("mine")
    garbage = timestamped(full, folder, begin - timedelta(days=8))
    garbage.write_text("of that name, but no study")
    with Store(full) as store:
        made = []
        for hour in range(5):
            made.append(timestamped(full, folder, begin + timedelta(hours=hour)))
            back_up(store, made[-1])
            gone = let_go(store, folder, 3, made[-1])
            assert gone == ([made[hour - 3]] if hour >= 3 else [])
        assert sorted(folder.iterdir()) == sorted([*made[2:], *bystanders, garbage, stranger])
        # A clock that went back must not cost the backup that was just made.
        early = timestamped(full, folder, begin - timedelta(days=1))
        back_up(store, early)
        assert let_go(store, folder, 1, early) == made[2:]
    assert early.exists()


# ── while others vote ───────────────────────────────────────────────────────


def large_study(path: Path, megabytes: int) -> Path:
    """A study with long texts, so that a copy takes a while."""
    make_study(path, questions=300, overlap=4)
    body = "many words " * 10_000
    with Store(path) as store:
        store.ingest.take(
            located(Question(f"long {n}", (f"{n} {body}",)) for n in range(megabytes * 9))
        )
    return path


_BACK_UP_FOR_EVER = """
import sys
from pathlib import Path
from db.copying import back_up
from db.store import Store
print(flush=True)
with Store(Path(sys.argv[1])) as store:
    while True:
        back_up(store, Path(sys.argv[2]), overwrite=True)
"""


def time_to_back_up(study: Path, target: Path) -> float:
    with Store(study) as store:
        began = time.monotonic()
        back_up(store, target)
        return time.monotonic() - began


def kill_backups(tmp_path: Path, times: int, megabytes: int) -> None:
    study = large_study(tmp_path / "study.db", megabytes)
    target = tmp_path / "copy.db"
    chance = random.Random(5)
    context = multiprocessing.get_context("spawn")
    ended, acknowledged = context.Event(), context.Queue()
    voters = [
        context.Process(target=vote_until_told, args=(number, study, ended, acknowledged))
        for number in range(4)
    ]
    for voter in voters:
        voter.start()
    whole, unfinished = 0, 0
    try:
        # How long one takes beside these voters, so that about every other kill comes too early.
        takes = time_to_back_up(study, tmp_path / "timed.db")
        for turn in itertools.count():
            if turn >= times:  # on until some were killed in the middle and some were not
                if whole and unfinished:
                    break
                assert turn < times + 100, f"{whole} whole, {unfinished} killed in the middle"
                takes *= 0.8 if whole else 1.5
            process = subprocess.Popen(
                [sys.executable, "-c", _BACK_UP_FOR_EVER, study, target],
                cwd=ROOT,
                stdout=subprocess.PIPE,
            )
            with process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(chance.uniform(0, 2 * takes))
                process.send_signal(signal.SIGKILL)
            unfinished += (tmp_path / ".copy.db.unfinished").exists()
            if target.exists():
                whole += 1
                with Store(target) as copy:
                    assert copy.verify() == []
                if chance.random() < 0.5:
                    target.unlink()
    finally:
        ended.set()
        votes = [key for _ in voters for key in acknowledged.get(timeout=PATIENCE)]
        for voter in voters:
            voter.join(timeout=PATIENCE)
        acknowledged.close()
    with Store(study) as store:
        assert store.verify() == []
        recorded = {key for (key,) in rows(study, "SELECT id FROM vote")}
        assert len(recorded) == len(votes)
        assert recorded == set(votes)
        back_up(store, target, overwrite=True)
    assert dump(target) == dump(study)


def test_kill_9_of_a_backup_while_four_vote(tmp_path: Path) -> None:
    kill_backups(tmp_path, 6, megabytes=8)


@pytest.mark.slow
def test_kill_9_of_a_backup_while_four_vote_sixty_times(tmp_path: Path) -> None:
    kill_backups(tmp_path, 60, megabytes=24)


def test_a_vote_goes_on_between_the_steps_of_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of the copy somebody votes at once, and the copy is of before."""
    study = make_study(tmp_path / "study.db", questions=30)
    monkeypatch.setattr("db.copying._PAGES_AT_ONCE", 4)
    monkeypatch.setattr("db.connection.BUSY_SECONDS", 0.0)
    with Store(study) as voting, Store(study) as store:
        ann = voting.annotator("ann")
        cast = []

        def vote_now(descriptor: int) -> None:
            served = serve(voting, ann)
            assert vote(voting, ann, served, Seen.LEFT)
            cast.append(served.assignment)

        monkeypatch.setattr(os, "fdatasync", vote_now)
        copied = back_up(store, tmp_path / "copy.db")
        assert len(cast) > 5
        assert copied.heads["vote"] == (0, "")
        assert voting.heads()["vote"][0] == len(cast)
    assert rows(tmp_path / "copy.db", "SELECT count(*) FROM vote") == [(0,)]
