"""When the app breaks, it says so without the values: no answer, no name, no path."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.errors import StudyBroken, TiebreakError
from tests.terminal import ROOT
from tests.tui.test_annotate import MODELS, make_study
from tests.waiting import comes
from tui.app import TiebreakApp, Who
from tui.cli.people import run_app
from tui.screens.annotate import AnnotateScreen


def headless(study: Path) -> TiebreakApp:
    """The app without a terminal, pressing a key by itself."""
    app = TiebreakApp(study, Who("ann", "local:ann"))

    async def press(pilot: Pilot[None]) -> None:
        await comes(pilot, lambda: app._exit or (app.is_open and is_open(app)))
        await pilot.press("f")

    app.run = partial(app.run, headless=True, size=(80, 24), auto_pilot=press)  # type: ignore[method-assign]
    return app


def is_open(app: TiebreakApp) -> bool:
    """Whether there is a pair to press a key at."""
    return isinstance(app.screen, AnnotateScreen) and app.screen.session.current is not None


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return make_study(tmp_path / "study.db")


def test_a_crash_leaves_one_line_and_a_log_without_values(
    study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(self: AnnotateScreen) -> None:
        secret = f"{MODELS[0]} wrote this answer"
        raise RuntimeError(secret)

    monkeypatch.setattr(AnnotateScreen, "action_flag", broken)
    with pytest.raises(TiebreakError) as refused:
        run_app(headless(study))
    printed = capfd.readouterr()
    logs = list((tmp_path / "state").rglob("crash.log"))
    assert len(logs) == 1
    log = logs[0].read_text()
    assert "RuntimeError" in log
    assert "in broken" in log
    assert "RuntimeError" in refused.value.message
    assert str(logs[0]) in refused.value.hint
    for text in (printed.out, printed.err, log, refused.value.message):
        assert MODELS[0] not in text
        assert "Paragraph" not in text


def test_a_session_over_ssh_logs_a_crash_where_it_is_told(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: AnnotateScreen) -> None:
        raise RuntimeError

    monkeypatch.setattr(AnnotateScreen, "action_flag", broken)
    log = tmp_path / "study.db-crash.log"
    with pytest.raises(TiebreakError, match="RuntimeError") as refused:
        run_app(headless(study), log)
    assert "in broken" in log.read_text()
    assert log.name in refused.value.hint
    assert str(tmp_path) not in refused.value.hint
    assert not (tmp_path / "state").exists()


def test_a_refusal_at_the_start_leaves_with_its_words(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: object) -> None:
        raise StudyBroken("the study is damaged", "restore it")

    monkeypatch.setattr("tui.session.Session.open", refused)
    with pytest.raises(StudyBroken, match="damaged"):
        run_app(headless(study))


_ENDS = """
import atexit, threading, time
import tui.cli

atexit.register(print, " and taken down", end="")

def run(arguments, is_alone=False):
    for word in arguments:
        threading.Thread(target=time.sleep, args=(float(word),), daemon={daemon}).start()
    print("done", end="")
    return 3

tui.cli.run = run
tui.cli.main({seconds})
"""


@pytest.mark.parametrize(
    ("daemon", "seconds", "said"),
    [
        (True, ["60"], "done"),
        (True, [], "done and taken down"),
        (False, ["0.2"], "done and taken down"),
    ],
)
def test_python_is_not_taken_down_beneath_a_thread_that_works(
    daemon: bool, seconds: list[str], said: str
) -> None:
    """A statistic under way when a lead quits would have numpy abort the process now and then."""
    code = _ENDS.format(daemon=daemon, seconds=seconds)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, said, "")
