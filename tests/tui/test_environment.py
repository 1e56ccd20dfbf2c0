"""What a session keeps of its environment, and how it ends when its terminal does."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from textual.geometry import Size

from core.ssh_keys import read_keys
from db.store import Store
from tests.core.test_ssh_keys import GOOD
from tests.studies import make_study, rows
from tests.terminal import ROOT, Terminal, in_pty
from tests.waiting import PATIENCE, until
from tui.driver import LARGEST, bounded
from tui.environment import clean

OURS = {"PATH": "/usr/bin:/bin", "HOME": "/", "TEXTUAL_ANIMATIONS": "none"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"TERM": "xterm-256color"}, {"TERM": "xterm-256color"}),
        ({"TERM": "tmux-direct.2+x"}, {"TERM": "tmux-direct.2+x"}),
        ({"TERM": "xterm;id"}, {}),
        ({"TERM": "../xterm"}, {}),
        ({"TERM": "x" * 41}, {}),
        ({"TERM": "xterm\n"}, {}),
        ({"COLORTERM": "truecolor"}, {"COLORTERM": "truecolor"}),
        ({"COLORTERM": "anything"}, {}),
        ({"NO_COLOR": "$(id)"}, {"NO_COLOR": ""}),
        ({"LANG": "de_DE.UTF-8@euro"}, {"LANG": "de_DE.UTF-8@euro"}),
        ({"LC_ALL": "../../etc", "LC_CTYPE": "C.UTF-8"}, {"LC_CTYPE": "C.UTF-8"}),
        ({"LC_OWN": "C"}, {}),
        ({"PATH": "/evil", "HOME": "/evil", "TEXTUAL_ANIMATIONS": "full"}, {}),
        ({"LD_PRELOAD": "x", "PYTHONPATH": "x", "TIEBREAK_DB": "x", "XDG_STATE_HOME": "x"}, {}),
        ({"COLUMNS": "9", "LINES": "9", "SHELL": "/bin/sh", "BROWSER": "x", "TZ": "x"}, {}),
    ],
)
def test_only_the_terminal_and_its_language_are_kept(
    given: dict[str, str], kept: dict[str, str]
) -> None:
    environ = dict(given)
    assert clean(environ) is False
    assert environ == {**OURS, **kept}


def test_that_a_command_was_wanted_is_told_once() -> None:
    environ = {"SSH_ORIGINAL_COMMAND": "id"}
    assert clean(environ) is True
    assert clean(environ) is False


@pytest.mark.parametrize(
    ("claimed", "drawn"),
    [
        (Size(80, 24), Size(80, 24)),
        (LARGEST, LARGEST),
        (Size(2000, 50), Size(LARGEST.width, 50)),
        (Size(80, 65535), Size(80, LARGEST.height)),
        (Size(0, 0), Size(0, 0)),
    ],
)
def test_a_window_is_drawn_up_to_a_bound(claimed: Size, drawn: Size) -> None:
    assert bounded(claimed) == drawn


(KEY,) = read_keys(GOOD.encode(), "ann.pub")
_RUN = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); {{first}}"
    "from tui.cli import main; main(sys.argv[1:])"
)


VARIABLES = {"PATH": os.environ["PATH"], "TERM": "xterm"}


def words(study: Path, first: str = "") -> list[str]:
    session = ["--db", str(study), "session", "--key", KEY.fingerprint]
    return [sys.executable, "-I", "-c", _RUN.format(first=first), *session]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    from core.records import Annotator

    path = make_study(tmp_path / "study.db", dwell_ms=0)
    with Store(path) as store:
        store.people.add(Annotator("ann"), [KEY])
    return path


# ── how it begins ───────────────────────────────────────────────────────────


def test_a_login_while_another_process_writes_waits_and_says_so(study: Path) -> None:
    impatient = "import db.connection as c; c.BUSY_SECONDS = 0.25; "
    with closing(sqlite3.connect(study, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with in_pty(words(study, impatient), VARIABLES, 80, 24) as seat:
            seat.shows("Another process is writing to the study.")
            assert b"\x1b[?1049h" not in seat.raw, "no screen that only comes and goes"
            other.execute("ROLLBACK")
            seat.shows("0 done")


def test_a_login_to_what_cannot_be_opened_names_no_place_on_the_host(study: Path) -> None:
    study.write_bytes(b"nothing that anybody could vote on\n" * 200)
    with in_pty(words(study), VARIABLES, 200, 24) as seat:
        assert seat.wait() == 1
        seat.drain()
        said = seat.text()
    assert "the study could not be opened: the file is not a study" in said
    assert "tell a lead" in said
    assert str(study.parent) not in said
    assert "--db" not in said


def test_guidelines_are_there_in_the_first_paint(study: Path) -> None:
    with Store(study) as store:
        store.set({"guidelines": "Judge *kindly*."})
    with in_pty(words(study), VARIABLES, 80, 24) as seat:
        seat.shows("Judge kindly.")
        assert b"(empty)" not in seat.raw


@pytest.mark.parametrize(
    ("term", "named"), [("dumb", "TERM is dumb"), ("x;id", "TERM is not set to a kind of terminal")]
)
def test_a_login_from_what_cannot_place_text_is_told_what_can(
    study: Path, term: str, named: str
) -> None:
    with in_pty(words(study), {**VARIABLES, "TERM": term}, 200, 24) as seat:
        assert seat.wait() == 1
        seat.drain()
        said = seat.text()
    assert named in said
    assert "TERM=xterm ssh" in said
    assert "without a command" not in said


# ── how it ends ─────────────────────────────────────────────────────────────


def running(study: Path) -> list[int]:
    """The sessions on a study, whoever started them; those that have ended are not among them."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if str(study).encode() in line and line.split(b"\0")[1:2] == [b"-I"]:
            found.append(int(entry.name))
    return found


def hang_up(seat: Terminal) -> None:
    """Close the terminal's other side, and let nobody else hold it."""
    os.close(seat.master)
    seat.master = os.open(os.devnull, os.O_RDONLY)


def gone(study: Path) -> None:
    until(lambda: not running(study), "it still runs without a terminal")


_WRAPPED = {
    "SIGHUP is ignored by what starts it": (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    ),
    "SIGHUP is blocked by what starts it": (
        "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP]); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    ),
    "the terminal is not its own, so no SIGHUP comes": (
        "import os, sys; pid = os.fork(); os.waitpid(pid, 0) if pid else "
        "(os.setsid(), os.execv(sys.argv[1], sys.argv[1:]))"
    ),
}


@pytest.mark.parametrize("how", _WRAPPED)
def test_a_terminal_that_is_gone_ends_it_whatever_became_of_the_signal(
    study: Path, how: str
) -> None:
    with in_pty([sys.executable, "-c", _WRAPPED[how], *words(study)], VARIABLES, 80, 24) as seat:
        seat.shows("0 done")
        assert running(study)
        hang_up(seat)
        gone(study)


@pytest.mark.parametrize("command", ["session", "annotate"])
def test_openssl_is_loaded_by_no_way_to_a_vote(study: Path, command: str) -> None:
    """It costs each session memory; whatever imports ``hashlib`` too early loads it."""
    started = words(study)
    if command == "annotate":
        started[-3:] = ["annotate"]
    with in_pty(started, VARIABLES, 80, 24) as seat:
        seat.shows("0 done")
        mapped = Path(f"/proc/{seat.pid}/maps").read_text()
        assert "libsqlite3" in mapped or "_sqlite3" in mapped
        assert not {name for name in ("libcrypto", "libssl", "_hashlib", "_ssl") if name in mapped}


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 0.15, 0.3, 0.45])
@pytest.mark.parametrize("command", ["session", "annotate"])
def test_a_terminal_that_is_gone_before_the_screen_is_there_ends_it_too(
    study: Path, command: str, after: float
) -> None:
    ignored = _WRAPPED["SIGHUP is ignored by what starts it"]
    started = words(study)
    if command == "annotate":
        started[-3:] = ["annotate"]
    with in_pty([sys.executable, "-c", ignored, *started], VARIABLES, 80, 24) as seat:
        seat.until(lambda: bool(running(study)))
        time.sleep(after)
        hang_up(seat)
        gone(study)


def test_the_signals_of_keys_neither_stop_nor_end_it(study: Path) -> None:
    with in_pty(words(study), VARIABLES, 80, 24) as seat:
        seat.shows("0 done")
        for number in (signal.SIGTSTP, signal.SIGQUIT):
            os.kill(seat.pid, number)
            time.sleep(0.3)
            state = Path(f"/proc/{seat.pid}/stat").read_text().rpartition(") ")[2][0]
            assert state not in "TtZX", number
        seat.send("?")
        seat.shows("Help")


@pytest.mark.slow
def test_it_ends_though_its_terminal_was_full_and_nobody_read(study: Path) -> None:
    """The loop waits in a write; only a signal that does not need the loop gets through."""
    with in_pty(words(study), VARIABLES, 120, 40) as seat:
        seat.shows("0 done")
        (pid,) = running(study)
        if Path(f"/proc/{pid}/wchan").read_text() in ("", "0"):
            pytest.skip("this kernel does not say what a process waits for")
        blocked = 0
        deadline = time.monotonic() + PATIENCE
        while blocked < 5:
            assert time.monotonic() < deadline, "the loop never waited for its writer"
            seat.send("z")
            time.sleep(0.05)
            waits = "futex" in Path(f"/proc/{pid}/task/{pid}/wchan").read_text()
            blocked = blocked + 1 if waits else 0
        hang_up(seat)
        gone(study)
    with Store(study) as store:
        assert store.verify() == []


def test_told_to_end_by_the_terminal_it_frees_what_it_held(study: Path) -> None:
    with in_pty(words(study), VARIABLES, 80, 24) as seat, Store(study) as store:
        seat.shows("0 done")
        assert store.reading.counts()["open_assignments"] >= 1
        os.kill(seat.pid, signal.SIGHUP)
        assert seat.wait() == 129
        assert store.reading.counts()["open_assignments"] == 0


def test_an_open_note_sends_nothing_while_nobody_types(study: Path) -> None:
    """What is sent all the time keeps sshd from asking whether the client is still there."""
    with in_pty(words(study), VARIABLES, 80, 24) as seat:
        seat.shows("0 done")
        seat.send("n")
        seat.shows("Note on this pair")
        seat.send("half a thought")
        seat.shows("half a thought")
        seat.until(lambda: rows(study, "SELECT note FROM draft") == [("half a thought",)])
        # What is painted of that may still come. What blinks, or counts, never lets this be so.
        seat.until(lambda: not seat.read(3))


def woken(pid: int) -> int:
    """How often any of a process's threads went to sleep so far."""
    lines = [
        line
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
    ]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))


def woken_within(seconds: float, pid: int) -> int:
    before = woken(pid)
    time.sleep(seconds)
    return woken(pid) - before


def test_it_sleeps_while_nobody_presses_a_key(study: Path) -> None:
    """Fifty people who read cost a host what their sessions do meanwhile."""
    with in_pty(words(study), VARIABLES, 80, 24) as seat:
        seat.shows("0 done")
        deadline = time.monotonic() + PATIENCE
        while woken_within(4, seat.pid) >= 4 * 5:  # what is done once, behind the first screen
            assert time.monotonic() < deadline, "it never sleeps"
        seat.send("?")
        seat.shows("Help")


def test_a_lone_escape_and_a_sequence_that_breaks_off_are_not_waited_for_for_ever(
    study: Path,
) -> None:
    with in_pty(words(study), VARIABLES, 80, 24) as seat:
        seat.shows("0 done")
        seat.send("?")
        seat.shows("Help")
        seat.send("\x1b")
        seat.until(lambda: "Help" not in seat.text())
        for pause in (0.5, 2, 8, 32):
            # A machine that is busy for all of the pause gives it the next key with what it waits
            # for, and the one after that then flags the pair.
            seat.send("\x1b[1;")
            time.sleep(pause)
            seat.send("nf")
            seat.until(lambda: "Note on this pair" in seat.text() or "flagged" in seat.text())
            if "Note on this pair" in seat.text():
                break
            seat.send("f")
            seat.until(lambda: "flagged" not in seat.text())
        seat.shows("Note on this pair")
        os.write(seat.master, "ä".encode()[:1])
        time.sleep(0.5)
        os.write(seat.master, "ä".encode()[1:])
        seat.shows("ä")
