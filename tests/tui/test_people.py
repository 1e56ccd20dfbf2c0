"""People from the command line: what is taken, refused and listed, and who may be whom."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from core.records import Seen
from core.ssh_keys import read_keys
from db.store import Store, local_identity
from tests.core.test_ssh_keys import GOOD
from tests.sshd import interpreter
from tests.studies import make_study, rows, serve, vote
from tests.terminal import Terminal, terminal
from tests.tui.test_cli import Done
from tui.cli import run
from tui.cli.people import need_owner

(KEY,) = read_keys(GOOD.encode(), "ann.pub")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "a study.db", questions=3, overlap=2)


@pytest.fixture
def tiebreak(capsys: pytest.CaptureFixture[str], study: Path) -> Any:
    def call(*arguments: object) -> Done:
        code = run(["--db", str(study), *map(str, arguments)])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "ann.pub"
    file.write_text(GOOD + "\n")
    return file


def test_a_person_from_adding_to_retiring(tiebreak: Any, study: Path, key: Path) -> None:
    added = tiebreak(
        "annotator", "add", "ann", "--key", key, "--group", "expert", "--attribute", "years=3"
    )
    assert (added.code, added.out) == (0, "")
    assert "1 new key" in added.err
    assert tiebreak("annotator", "add", "lea", "--role", "lead").code == 0
    ann, lea = tiebreak("annotator", "list", "--json").json
    assert (ann["name"], ann["role"], ann["group"], ann["state"]) == (
        "ann",
        "annotator",
        "expert",
        "active",
    )
    assert ann["attributes"] == {"years": "3"}
    assert ann["keys"] == [
        {"fingerprint": KEY.fingerprint, "type": "ssh-ed25519", "comment": "ann@laptop"}
    ]
    assert (lea["role"], lea["keys"]) == ("lead", [])
    with Store(study) as store:
        me = store.annotator("ann")
        vote(store, me, serve(store, me), "left")
        serve(store, me)
    for word, state in (("pause", "paused"), ("resume", "active"), ("retire", "retired")):
        assert tiebreak("annotator", word, "ann").code == 0
        listed = tiebreak("annotator", "list", "--json").json[0]
        assert (listed["state"], listed["votes"]) == (state, 1)
        assert (listed["retired_at"] is not None) == (state == "retired")
    shown = tiebreak("annotator", "list").out
    assert "retired" in shown
    assert KEY.fingerprint in shown
    assert rows(study, "SELECT count(*) FROM assignment WHERE state = 'open'") == [(0,)]
    (voted,) = tiebreak("export", "gold").out.splitlines()
    assert '"retired": true' in voted
    first, *_ = tiebreak("export", "votes").out.splitlines()
    assert '"retired": true' in first
    assert "ann" not in first.replace("annotator", "")


def test_a_key_is_given_and_taken_away(tiebreak: Any, key: Path) -> None:
    tiebreak("annotator", "add", "ann")
    assert "1 new key" in tiebreak("annotator", "add-key", "ann", key).err
    assert "no new key" in tiebreak("annotator", "add-key", "ann", key).err
    assert tiebreak("annotator", "remove-key", "ann", "SHA256:short").code == 2
    assert tiebreak("annotator", "remove-key", "ann", KEY.fingerprint).code == 0
    assert tiebreak("annotator", "list", "--json").json[0]["keys"] == []
    again = tiebreak("annotator", "remove-key", "ann", KEY.fingerprint)
    assert (again.code, again.out) == (1, "")
    assert "has no key" in again.err


def test_keys_from_standard_input(tiebreak: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert "1 new key" in tiebreak("annotator", "add", "ann", "--key", "-").err


def test_a_private_key_given_by_mistake_is_refused_and_not_repeated(
    tiebreak: Any, tmp_path: Path
) -> None:
    file = tmp_path / "id_ed25519"
    file.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n")
    refused = tiebreak("annotator", "add", "ann", "--key", file)
    assert refused.code == 1
    assert "private key" in refused.err
    assert "b3BlbnNz" not in refused.err + refused.out
    assert tiebreak("annotator", "list", "--json").json == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "new\nline"),
        ("add", ""),
        ("add", "ann", "--group", "a\x1bb"),
        ("add", "ann", "--attribute", "novalue"),
        ("add", "ann", "--attribute", "=x"),
        ("add", "ann", "--attribute", "x=1", "--attribute", "x=2"),
        ("add", "ann", "--role", "owner"),
    ],
)
def test_what_is_no_person_is_a_usage_error(tiebreak: Any, arguments: tuple[str, ...]) -> None:
    refused = tiebreak("annotator", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert "\x1b" not in refused.err
    assert tiebreak("annotator", "list", "--json").json == []


# ── the lines for sshd ──────────────────────────────────────────────────────


@pytest.fixture
def python(tmp_path: Path) -> str:
    return str(interpreter(tmp_path / "own venv"))


def test_the_lines_that_sshd_gets(tiebreak: Any, study: Path, key: Path, python: str) -> None:
    lines = ("ssh", "authorized-keys", "--python", python)
    assert "nobody has a key" in tiebreak(*lines).err
    tiebreak("annotator", "add", "Ann O’Neil", "--key", key)
    (line,) = tiebreak(*lines).out.splitlines()
    command, rest = line.removeprefix('restrict,pty,command="exec ').split('" ', 1)
    assert rest == f"{KEY.type} {KEY.body} Ann O?Neil"
    words = [python, "-I", "-m", "tui", "--db", str(study), "session", "--key", KEY.fingerprint]
    assert shlex.split(command) == words
    of_one = tiebreak(*lines, "--fingerprint", KEY.fingerprint)
    assert of_one.out == line + "\n"
    nobody = tiebreak(*lines, "--fingerprint", "SHA256:" + "x" * 43)
    assert (nobody.code, nobody.out, nobody.err) == (0, "", "")
    tiebreak("annotator", "retire", "Ann O’Neil")
    assert tiebreak(*lines).out == ""


def test_a_study_named_from_here_is_named_whole(
    study: Path,
    key: Path,
    python: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(study.parent)
    assert run(["--db", study.name, "annotator", "add", "ann", "--key", str(key)]) == 0
    assert run(["--db", study.name, "ssh", "authorized-keys", "--python", python]) == 0
    assert f"--db '{study}' session" in capsys.readouterr().out


def test_an_interpreter_that_could_start_no_session_is_refused(
    tiebreak: Any, key: Path, tmp_path: Path
) -> None:
    tiebreak("annotator", "add", "ann", "--key", key)
    for python, code, why in (
        ("python3", 2, "whole path"),
        ("/bin/false", 1, "does not find Tiebreak"),
        (str(tmp_path / "none"), 1, "does not find Tiebreak"),
    ):
        refused = tiebreak("ssh", "authorized-keys", "--python", python)
        assert (refused.code, refused.out) == (code, "")
        assert why in refused.err


# ── who may be whom ─────────────────────────────────────────────────────────


def test_only_the_owner_of_the_file_names_somebody_else(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = study.stat().st_uid
    for uid, may in ((owner, True), (0, True), (owner + 4_000, False)):
        monkeypatch.setattr("os.geteuid", lambda uid=uid: uid)
        if may:
            need_owner(study, "no")
        else:
            with pytest.raises(Exception, match="only this, and that is not you"):
                need_owner(study, "only this")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_as_is_refused_for_anybody_else_and_in_a_terminal() -> None:
    """A process without root's rights on another's file, which it may read and write."""
    for needed in (Path(__file__), Path(sys.executable), Path(sys.executable).resolve()):
        if not all(parent.stat().st_mode & 0o005 == 0o005 for parent in needed.parents):
            pytest.skip(f"{needed} is closed to others")
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(Path(folder) / "study.db")
        for path in (study, study.parent):
            os.chown(path, 4_000, 4_000)
            path.chmod(0o777)
        _as_somebody_else(study)


def _as_somebody_else(study: Path) -> None:
    drop = "import os, sys; os.setuid(4_001); from tui.cli import main; main(sys.argv[1:])"

    def call(*arguments: str) -> list[str]:
        return ["-c", drop, "--db", str(study), *arguments]

    with terminal(python=call("annotate", "--as", "ann")) as seat:
        assert seat.wait() == 1
        seat.drain()
        assert "only the owner of the study's file may say --as" in seat.text()
    with terminal(python=call("session", "--key", KEY.fingerprint)) as seat:
        assert seat.wait() == 1
        seat.drain()
        assert "session is run for the account that owns" in seat.text()
    with terminal(python=call("annotate"), environment={"SUDO_USER": "ann"}) as seat:
        seat.shows("0 done")
    assert rows(study, "SELECT name FROM annotator") == [("uid4001",)]


def test_whoever_set_a_variable_is_not_whom_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ann")
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    assert local_identity() == ("uid4000000000", "local:uid4000000000")


@pytest.mark.parametrize(
    ("word", "why"), [("pause", "paused your voting"), ("retire", "has ended")]
)
def test_a_paused_or_retired_person_is_told_so_and_gets_no_pair(
    tiebreak: Any, study: Path, word: str, why: str
) -> None:
    tiebreak("annotator", "add", "ann")
    command = ["--db", str(study), "annotate", "--as", "ann"]
    with terminal(command) as seat:
        seat.shows("0 done")
        assert tiebreak("annotator", word, "ann").code == 0
        assert seat.wait() == 1, "the open screen ends by itself"
        seat.drain()
        assert why in seat.text()
    with terminal(command) as seat:
        assert seat.wait() == 1
        seat.drain()
        assert why in seat.text()
        assert b"0 done" not in seat.raw
    assert rows(study, "SELECT count(*) FROM vote") == [(0,)]


def test_an_open_session_ends_with_its_key_and_keeps_the_note(
    tiebreak: Any, study: Path, key: Path
) -> None:
    tiebreak("annotator", "add", "ann", "--key", key)
    command = ["--db", str(study), "session", "--key", KEY.fingerprint]
    with terminal(command) as seat:
        seat.shows("0 done")
        seat.send("n")
        seat.shows("Note on this pair")
        seat.send("half a thought")
        seat.shows("half a thought")
        assert tiebreak("annotator", "remove-key", "ann", KEY.fingerprint).code == 0
        assert seat.wait() == 1
        seat.drain()
        assert "this key opens nothing here any more; every vote that you cast is kept" in _said(
            seat
        )
    assert rows(study, "SELECT note FROM draft") == [("half a thought",)]
    assert tiebreak("annotator", "add-key", "ann", key).code == 0
    with terminal(command) as seat:
        seat.shows("✎ note")
        time.sleep(2.5)  # longer than between two looks
        seat.decides("1", "1 done")


def test_a_leads_session_ends_when_they_are_lead_no_more(
    tiebreak: Any, study: Path, key: Path
) -> None:
    tiebreak("annotator", "add", "lea", "--role", "lead", "--key", key)
    command = ["--db", str(study), "session", "--key", KEY.fingerprint]
    with terminal(command, columns=120) as seat:
        seat.shows("Lead  │")
        said = tiebreak("annotator", "change", "lea", "--role", "annotator").err
        assert "role: lead → annotator" in said
        assert "nobody is lead now" in said
        assert seat.wait() == 1
        seat.drain()
        assert "you are no lead of this study any more" in _said(seat)
    with terminal(command) as seat:
        seat.shows("0 done")
        assert "F3" not in seat.text()


def test_preferences_are_kept_from_login_to_login(
    tiebreak: Any, study: Path, key: Path, tmp_path: Path
) -> None:
    tiebreak("annotator", "add", "ann", "--key", key)
    file = tmp_path / "ann.toml"
    file.write_text('layout = "left-hand"\n[keys]\npair.note = "o"\n')
    told = tiebreak("annotator", "settings", "ann", file)
    assert (told.code, told.err) == (
        0,
        "ann: layout, keys kept; in effect from the next login on\n",
    )
    command = ["--db", str(study), "session", "--key", KEY.fingerprint]
    with terminal(command, columns=120) as seat:
        seat.shows("q A is better")
        seat.shows("o note")
        seat.send("5")
        seat.shows("Theme: light. Kept for your next login.")
        seat.send("\x11")
        assert seat.wait() == 0
    ((chosen,),) = rows(study, "SELECT chosen FROM preference")
    assert json.loads(chosen) == {
        "layout": "left-hand",
        "keys": {"pair": {"note": "o"}},
        "theme": "light",
    }
    with terminal(command, columns=120) as seat:
        seat.shows("q A is better")
        seat.send("5")
        seat.shows("Theme: ansi.")  # which follows light
    assert tiebreak("annotator", "settings", "ann", "--none").code == 0
    with terminal(command, columns=120) as seat:
        seat.shows("1 A is better")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'theme = "pink"', "bad.toml: no theme is called 'pink'"),
        (b"theme = 2024-01-01", "bad.toml: no theme is called"),
        (b'[keys]\nvote.z = "o"', "[keys] vote.z: no such action"),
        (b"a\x1bb", "cannot be read as TOML"),
        (b"\xff", "is no text in UTF-8"),
        (b"#" * 100_000, "has more than"),
    ],
)
def test_settings_of_which_something_cannot_be_taken_are_refused(
    tiebreak: Any, study: Path, tmp_path: Path, text: bytes, why: str
) -> None:
    tiebreak("annotator", "add", "ann")
    file = tmp_path / "bad.toml"
    file.write_bytes(text)
    refused = tiebreak("annotator", "settings", "ann", file)
    assert (refused.code, refused.out) == (1, "")
    assert why in refused.err
    assert "\x1b" not in refused.err
    assert tiebreak("annotator", "settings", "ann").code == 2
    assert tiebreak("annotator", "settings", "ann", file, "--none").code == 2
    assert tiebreak("annotator", "settings", "zoe", "--none").code == 1
    assert rows(study, "SELECT * FROM preference") == []


def _said(seat: Terminal) -> str:
    """What the command says once its screen is gone, as if lines had no end."""
    after = bytes(seat.raw).rpartition(b"\x1b[?1049l")[2]
    return " ".join(after.decode().split())


def test_a_person_is_changed_and_told_what_that_changes(tiebreak: Any, study: Path) -> None:
    tiebreak("annotator", "add", "ann", "--group", "expert", "--attribute", "city=Ulm")
    with Store(study) as store:
        me = store.annotator("ann")
        vote(store, me, serve(store, me), Seen.LEFT)
    done = tiebreak(
        "annotator", "change", "ann",
        "--role", "lead", "--no-group", "--attribute", "language=de", "--no-attribute", "city",
    )  # fmt: skip
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == [
        "ann: role: annotator → lead",
        "ann: group: expert → none",
        "ann: attribute city: Ulm → none",
        "ann: attribute language: none → de",
        "  their votes stay, and statistics count them with the new group from now on",
        "  their next login opens the lead's screen",
    ]
    (ann,) = tiebreak("annotator", "list", "--json").json
    assert (ann["role"], ann["group"], ann["attributes"], ann["votes"]) == (
        "lead",
        "",
        {"language": "de"},
        1,
    )
    again = tiebreak("annotator", "change", "ann", "--attribute", "language=de")
    assert (again.code, again.err) == (0, "ann: nothing to change\n")


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ((), 2, "say what to change"),
        (("--group", "a", "--no-group"), 2, "contradict"),
        (("--attribute", "a=1", "--no-attribute", "a"), 2, "set and taken away"),
        (("--no-attribute", "height"), 1, "'ann' has no attribute 'height'"),
        (("--attribute", "onboarding=yes"), 2, "practice let-in"),
        (("--role", "owner"), 2, "owner"),
        (("--group", "a\x1bb"), 2, "group"),
    ],
)
def test_a_change_that_cannot_be_is_refused_whole(
    tiebreak: Any, arguments: tuple[str, ...], code: int, why: str
) -> None:
    tiebreak("annotator", "add", "ann")
    before = tiebreak("annotator", "list", "--json").out
    refused = tiebreak("annotator", "change", "ann", *arguments)
    assert (refused.code, refused.out) == (code, "")
    assert why in refused.err
    assert "\x1b" not in refused.err
    assert tiebreak("annotator", "list", "--json").out == before
    assert tiebreak("annotator", "change", "zoe", "--role", "lead").code == 1


def test_session_takes_its_study_from_the_command_line_alone(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tui", "session", "--key", KEY.fingerprint],
        env={"TIEBREAK_DB": str(study), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert said.returncode == 2
    assert "from the command line alone" in said.stderr
