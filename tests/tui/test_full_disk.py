"""A disk that fills up, a study that is read-only, a lock that stays: in a real terminal."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.errors import StudyUnavailable
from db.store import Store
from tests.studies import make_study, rows
from tests.terminal import Terminal, terminal


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB of its own, where this machine lets us have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root; a limit on files' sizes stands in for it")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def annotate(study: Path) -> list[str]:
    return ["--db", str(study), "annotate", "--as", "ann"]


def fill(folder: Path) -> Path:
    """Take all the room that is left."""
    stuffing = folder / "stuffing"
    with stuffing.open("wb", buffering=0) as stream:
        for size in (2**16, 2**12, 1):
            try:
                while stream.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return stuffing


def votes_of(study: Path) -> int:
    return int(rows(study, "SELECT count(*) FROM vote")[0][0])


def text_of(seat: Terminal) -> str:
    return " ".join(seat.text().split())


def is_refused(seat: Terminal) -> bool:
    """Whether a vote could not be saved, and did not only come too soon."""
    return "Not saved: " in text_of(seat) and "at once" not in text_of(seat)


def vote_until_refused(seat: Terminal, study: Path) -> int:
    """Vote until one is refused; how many were acknowledged, by the screen and by the file."""
    for done in range(votes_of(study), 80):
        following = f"{done + 1} done"
        seat.decides("1", lambda said=following: said in seat.text() or is_refused(seat))  # type: ignore[misc]
        if is_refused(seat):
            assert f"{done} done" in seat.text()
            assert votes_of(study) == done
            return done
    raise AssertionError("there was always room")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_full_disk_stops_the_votes_and_not_the_app(
    small_disk: Path, size: tuple[int, int]
) -> None:
    study = make_study(small_disk / "study.db", questions=80, dwell_ms=0)
    columns, lines = size
    with terminal(annotate(study), columns=columns, rows=lines) as seat:
        seat.shows("0 done")
        seat.decides("1", "1 done")
        stuffing = fill(small_disk)
        # What the log had reserved is still its own, so a few votes go in.
        done = vote_until_refused(seat, study)
        for words in ("the disk is full, so nothing more can be saved", "tell a lead"):
            seat.until(lambda words=words: words in text_of(seat))  # type: ignore[misc]
        seat.send("n")
        seat.shows("Note on this pair")
        seat.send("no room for this")
        seat.shows("Not saved yet")
        seat.send("\x1b")
        seat.shows("✎ note")
        stuffing.unlink()
        seat.decides("1", f"{done + 1} done")
        seat.send("\x11")
        assert seat.wait() == 0
    assert votes_of(study) == done + 1
    assert rows(study, "SELECT note FROM vote ORDER BY seq DESC LIMIT 1") == [("no room for this",)]
    with Store(study) as store:
        assert store.verify() == []


@pytest.mark.parametrize("reading", [False, True])
def test_a_disk_that_was_full_before_is_called_full(small_disk: Path, reading: bool) -> None:
    """A study needs some room to be opened at all, and SQLite calls that an I/O error."""
    study = make_study(small_disk / "study.db", questions=3)
    stuffing = fill(small_disk)
    with pytest.raises(StudyUnavailable, match="the disk is full"):
        Store(study, reading=reading)
    stuffing.unlink()
    Store(study, reading=reading).close()


def test_a_limit_on_the_size_of_files_stops_the_votes_and_not_the_app(tmp_path: Path) -> None:
    """What a quota does, without one: nothing may grow beyond where it is."""
    study = make_study(tmp_path / "study.db", questions=80, dwell_ms=0)
    with terminal(annotate(study)) as seat:
        seat.shows("0 done")
        seat.decides("1", "1 done")
        _, hard = resource.prlimit(seat.pid, resource.RLIMIT_FSIZE)
        # Less than the log has already, which is overwritten from its start at some time.
        resource.prlimit(seat.pid, resource.RLIMIT_FSIZE, (2**14, hard))
        done = vote_until_refused(seat, study)
        assert "the disk reports an error" in text_of(seat)
        resource.prlimit(seat.pid, resource.RLIMIT_FSIZE, (hard, hard))
        seat.decides("1", f"{done + 1} done")
        seat.send("\x11")
        assert seat.wait() == 0
    assert votes_of(study) == done + 1
    with Store(study) as store:
        assert store.verify() == []


def test_a_read_only_disk_refuses_the_voter_in_one_line(small_disk: Path) -> None:
    study = make_study(small_disk / "study.db", questions=3)
    before = study.read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with terminal(annotate(study), columns=240) as seat:
        assert seat.wait() == 1
        seat.drain()
        assert "the file or its folder is read-only" in text_of(seat)
        assert "Traceback" not in seat.text()
    with terminal(["--db", str(study), "status"], columns=240) as seat:
        assert seat.wait() == 0
        seat.drain()
        assert "size on disk" in seat.text()
    assert study.read_bytes() == before


def test_the_log_of_a_crashed_session_on_a_read_only_disk_is_not_passed_over(
    tmp_path: Path, small_disk: Path
) -> None:
    """Read without its log the study would look whole, and lack its newest votes."""
    study = make_study(tmp_path / "study.db", questions=3)
    with Store(study) as store:
        store.annotator("newest")
        for suffix in ("", "-wal"):
            shutil.copy(f"{study}{suffix}", small_disk / f"study.db{suffix}")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with terminal(["--db", str(small_disk / "study.db"), "status"], columns=240) as seat:
        assert seat.wait() == 1
        seat.drain()
        assert "its newest votes are in study.db-wal, which cannot be read" in text_of(seat)
        assert "copy study.db and study.db-wal together" in text_of(seat)


# ── a note while the file is locked ─────────────────────────────────────────


_OPEN = "SELECT count(*) FROM assignment WHERE state = 'open'"


@contextmanager
def locked(study: Path) -> Iterator[None]:
    with closing(sqlite3.connect(study, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@contextmanager
def impatient(study: Path) -> Iterator[Terminal]:
    """A voter whose writes wait for a quarter of a second instead of five."""
    code = "import db.connection as c; c.BUSY_SECONDS = 0.25; import tui.cli; tui.cli.main({})"
    with terminal(python=["-c", code.format(annotate(study))]) as seat:
        seat.shows("0 done")
        # Until the pair after this one has been fetched.
        seat.until(lambda: rows(study, _OPEN) == [(2,)])
        yield seat


def write_note(seat: Terminal, note: str) -> None:
    seat.send("n")
    seat.shows("Note on this pair")
    seat.send(note)
    seat.shows("Not saved yet")
    seat.send("\x1b")
    seat.shows("Note not saved")


def drafts(study: Path) -> list[str]:
    return [row[0] for row in rows(study, "SELECT note FROM draft")]


def test_a_note_typed_while_the_file_was_locked_is_saved_at_leaving(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", questions=3)
    with impatient(study) as seat:
        with locked(study):
            write_note(seat, "half a thought")
            assert drafts(study) == []
        seat.send("\x11")
        assert seat.wait() == 0
    assert drafts(study) == ["half a thought"]


def test_a_note_that_cannot_be_saved_is_told_of_before_and_after_leaving(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", questions=3)
    with impatient(study) as seat, locked(study):
        write_note(seat, "half a thought")
        seat.send("\x11")
        seat.until(lambda: "Ctrl+Q again leaves without your note" in text_of(seat))
        assert not seat.ended()
        seat.send("\x11")
        assert seat.wait() == 0
        seat.drain()
        assert "Your last note could not be saved. It was:" in seat.text()
        assert "half a thought" in seat.text().split("It was:")[1]
    assert drafts(study) == []


@pytest.mark.parametrize("way", ["Ctrl+Q", "hang-up"])
def test_what_was_typed_at_the_last_moment_is_kept(tmp_path: Path, way: str) -> None:
    study = make_study(tmp_path / "study.db", questions=3)
    with impatient(study) as seat:
        seat.send("n")
        seat.shows("Note on this pair")
        seat.send("at once")
        seat.shows("at once")
        if way == "Ctrl+Q":
            seat.send("\x11")
        else:
            seat.kill(1)
        seat.wait()
    assert drafts(study) == ["at once"]


@pytest.mark.slow
def test_a_note_outlives_its_terminal_while_the_file_is_locked(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", questions=3)
    with impatient(study) as seat:
        with locked(study):
            seat.send("n")
            seat.shows("Note on this pair")
            seat.send("half a thought")
            seat.shows("half a thought")
            # A pty goes with its master: a pipe that stays silent takes its number.
            silent, _ = os.pipe()
            os.dup2(silent, seat.master)
            time.sleep(4)  # twice as long as it waits for a loop that does nothing any more
            assert not seat.ended()
            assert drafts(study) == []
        seat.wait()
    assert drafts(study) == ["half a thought"]
