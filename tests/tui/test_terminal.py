"""The app in a real pty: from the first screen to the vote in the file, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from random import Random

import pytest

from core.errors import Where
from core.records import Answer, Question, Record, Setting
from db.pairs import make
from db.store import Store
from tests.terminal import Terminal, terminal
from tests.waiting import PATIENCE

MODELS = ("alpha-model", "beta-model", "gamma-model", "delta-model")


def make_study(path: Path, questions: int, dwell_ms: int = 0) -> Path:
    records: list[Record] = [Setting("dwell_ms", dwell_ms), Setting("name", "Pty study")]
    for number in range(questions):
        records.append(Question(f"q{number}", (f"Question number {number}?",), "general"))
        records += [
            Answer(f"q{number}", model, (f"Answer {number} of somebody, {len(model)} words.",))
            for model in MODELS
        ]
    with Store(path, create=True) as store:
        store.ingest.take((Where("test", n), record) for n, record in enumerate(records))
        make(store)
    return path


def annotate(study: Path, name: str = "ann") -> list[str]:
    return ["--db", str(study), "annotate", "--as", name]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_from_the_first_screen_to_the_vote_in_the_file(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    study = make_study(tmp_path / "study.db", 3, dwell_ms=300)
    with terminal(annotate(study), columns=size[0], rows=size[1]) as seat:
        seat.shows("0 done, 18 left")
        seat.shows("4 both bad")
        time.sleep(0.4)
        seat.decides("4", "✓ Saved: both bad")
        seat.shows("1 done, 17 left")
        seat.send("n")
        seat.shows("Note on this pair")
        seat.send("too short")
        seat.shows("too short")
        seat.send("\x1b")
        seat.shows("✎ note")
        time.sleep(0.4)
        seat.decides("2", "2 done, 16 left")
        seat.send("u")
        seat.shows("Taken back")
        seat.send("\x11")
        assert seat.wait() == 0
        seat.drain()
        said = seat.raw.decode("utf-8", "replace")
    assert not [model for model in MODELS if model in said]
    with Store(study) as store:
        votes = list(store.reading.votes())
        assert [vote.choice for vote, _ in votes] == ["both_bad"]
        assert votes[0][0].annotator == "ann"
        assert votes[0][0].identity.startswith("local:")
        assert store.reading.counts()["vote_log_rows"] == 3
        assert store.verify() == []


def test_a_dumb_terminal_is_refused_with_what_works_instead(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", 1)
    with terminal(annotate(study), term="dumb") as seat:
        assert seat.wait() == 1
        seat.drain()
        assert "TERM is dumb" in seat.text()
        assert "tiebreak import" in seat.text()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_own_settings_no_colour_and_the_mouse_in_a_real_terminal(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    study = make_study(tmp_path / "study.db", 3)
    settings = tmp_path / "settings.toml"
    settings.write_text('layout = "left-hand"\n[keys]\npair.skip = "ctrl+m"\n')
    command = [*annotate(study), "--settings", str(settings), "--theme", "light"]
    columns, rows = size
    with terminal(command, columns=columns, rows=rows, environment={"NO_COLOR": ""}) as seat:
        seat.shows("w B is better")
        seat.shows("shows all")
        seat.decides("r", "1 done")
        line = next(n for n, text in enumerate(seat.screen.display) if "q A is better" in text)
        column = seat.screen.display[line].index("e tie")
        at = f"{column + 2};{line + 1}"
        seat.decides(f"\x1b[<0;{at}M\x1b[<0;{at}m", "✓ Saved: tie")
        seat.send("\x11")
        assert seat.wait() == 0
        seat.drain()
        coloured = re.findall(
            rb"\x1b\[(?:[\d;]*;)?(?:3[0-8]|4[0-8]|9\d|10\d)(?:;[\d;]*)?m", seat.raw
        )
        assert coloured == []
    with Store(study) as store:
        assert [vote.choice for vote, _ in store.reading.votes()] == ["both_bad", "tie"]


def test_a_terminal_that_goes_away_ends_the_process_and_keeps_the_note(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", 2)
    with terminal(annotate(study)) as seat:
        seat.shows("0 done")
        seat.send("n")
        seat.shows("Note on this pair")
        seat.send("half a tho")
        seat.shows("half a tho")
        seat.kill(signal.SIGHUP)
        seat.wait()
    with terminal(annotate(study)) as seat:
        seat.shows("✎ note")
        seat.send("n")
        seat.shows("half a tho")


@pytest.mark.parametrize("noted", [False, True], ids=["nothing noted", "a note"])
def test_a_dropped_line_keeps_only_a_pair_with_something_on_it(tmp_path: Path, noted: bool) -> None:
    study = make_study(tmp_path / "study.db", 2)
    with Store(study) as store, terminal(annotate(study)) as seat:
        seat.shows("0 done")
        seat.until(lambda: store.reading.counts()["open_assignments"] == 2)
        seat.shows("Question number ")
        question = re.search(r"Question number \d", seat.text())
        if noted:
            seat.send("n")
            seat.shows("Note on this pair")
            seat.send("half a thought")
            seat.shows("half a thought")
        seat.kill(signal.SIGHUP)
        seat.wait()
        assert store.reading.counts()["open_assignments"] == int(noted)
        if noted:
            (note,) = store.connection.execute("SELECT note FROM draft").fetchone()
            assert note == "half a thought", "to the last letter"
    with terminal(annotate(study)) as seat:
        seat.shows("0 done")
        assert question
        seat.shows(question[0])


def test_told_to_stop_it_gives_the_terminal_back(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", 2)
    with terminal(annotate(study)) as seat:
        seat.shows("0 done")
        seat.kill(signal.SIGTERM)
        assert seat.wait() == 0
        seat.drain()
        assert b"\x1b[?1049l" in seat.raw, "the alternate screen is left"
        assert b"\x1b[?25h" in seat.raw, "the cursor is shown again"


def burst(study: Path, random: Random) -> int:
    """Press 1 as fast as it goes, kill -9 in between; the highest count that was shown."""
    with terminal(annotate(study)) as seat:
        seat.until(lambda: re.search(rb"(\d+) done", bytes(seat.raw)) is not None)
        wanted, rest = shown(seat) + random.randint(2, 12), random.randint(0, 20)
        deadline = time.monotonic() + PATIENCE
        while rest >= 0:
            assert time.monotonic() < deadline, seat.text()
            rest -= shown(seat) >= wanted
            seat.send("1")
            seat.read(0.002)
        os.kill(seat.pid, signal.SIGKILL)
        seat.drain()
        return shown(seat)


def shown(seat: Terminal) -> int:
    """The highest number of pairs that the screen ever said were done."""
    counts = re.findall(rb"(\d+) done", bytes(seat.raw))
    return max(int(count) for count in counts)


def killed_again_and_again(study: Path, times: int, seed: int) -> None:
    random = Random(seed)
    acknowledged = 0
    for _ in range(times):
        acknowledged = max(acknowledged, burst(study, random))
        with Store(study) as store:
            votes = [vote for vote, _ in store.reading.votes()]
            rows = store.reading.counts()["vote_log_rows"]
            assert len(votes) >= acknowledged, "an acknowledged vote is gone"
            assert len({(vote.pair, vote.turn) for vote in votes}) == len(votes) == rows
            assert store.verify() == []
    assert acknowledged > times, "the burst cast too few votes to prove anything"


def test_kill_9_during_a_burst_loses_no_acknowledged_vote(tmp_path: Path) -> None:
    killed_again_and_again(make_study(tmp_path / "study.db", 100), 4, seed=1)


@pytest.mark.slow
def test_kill_9_fifty_times(tmp_path: Path) -> None:
    killed_again_and_again(make_study(tmp_path / "study.db", 400), 50, seed=2)
