"""The demo: the main job without a person, and what it says of itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from core.records import Seen
from db.store import Store
from tests.studies import rows
from tests.terminal import ROOT, terminal
from tests.waiting import PATIENCE, until
from tui.background_judges import BackgroundJudges
from tui.demo import (
    OVERLAP,
    BackgroundAnnotators,
    SimulatedAnnotator,
    prepare,
    simulated_annotators,
)


def test_without_a_terminal_it_says_so_runs_the_job_and_prints_the_report(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", "demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE,
        check=True,
    )
    assert "needs a terminal" in done.stderr
    assert "headless, with simulated annotators" in done.stderr
    report = done.stdout
    assert "The annotators are SIMULATED" in report
    assert "simulated-1 48, simulated-2 48, simulated-3 48" in report
    assert "chain      intact" in report
    assert "majority" in report
    for title in ("Judge–human and human–human agreement", "Ranking", "Win rates"):
        assert title in report
    assert list(tmp_path.iterdir()) == [], "the headless demo leaves nothing behind"


def test_in_a_terminal_a_newcomer_votes_at_once_and_sees_agreement_move(tmp_path: Path) -> None:
    study = tmp_path / "demo" / "sample.db"
    with terminal(["demo", "--study", str(study)], columns=120, rows=40) as seat:
        seat.shows("SAMPLE STUDY")
        seat.shows("1 A is better")
        seat.shows("0 done")
        time.sleep(0.5)
        seat.decides("1", "✓ Saved: A is better")
        seat.send("\x1bOR")
        seat.shows("[Overview]")
        seat.shows("annotators SIMULATED")
        before = seat.text()
        seat.until(lambda: seat.text() != before)
        seat.until(lambda: rows(study, "SELECT count(*) FROM verdict") != [(0,)])
        seat.send("\x11")
        assert seat.wait() == 0
    with Store(study) as store:
        names = {vote.annotator for vote, _ in store.reading.votes()}
        assert "you" in names
        assert names - {"you"} <= {one.name for one in simulated_annotators(OVERLAP)}
        assert store.verify() == []
        assert store.reading.counts()["verdicts"] > 0


def test_simulated_annotators_follow_the_stated_quality(tmp_path: Path) -> None:
    study = tmp_path / "study.db"
    prepare(study)
    careful = SimulatedAnnotator("simulated-1", 0.0)
    quality = careful._quality
    with Store(study) as store:
        row = store.annotator("x")
        seen = set()
        for _ in range(20):
            served = store.serving.serve(row)
            assert served is not None
            left, right = quality[served.left[0]], quality[served.right[0]]
            choice = careful.choose(served, 1)
            seen.add(choice)
            if choice is Seen.LEFT:
                assert left > right
            elif choice is Seen.RIGHT:
                assert right > left
            elif choice is Seen.BOTH_BAD:
                assert max(left, right) <= 4
            else:
                assert abs(left - right) < 1
            store.voting.skip(row, served.assignment)
    assert len(seen) >= 3


def test_background_work_ends_when_told(tmp_path: Path) -> None:
    study = tmp_path / "study.db"
    prepare(study)
    working = (
        BackgroundJudges(study, concurrency=1, pace=0.01),
        BackgroundAnnotators(study, pace=0.01),
    )
    for thread in working:
        thread.start()
    with Store(study) as store:

        def are_at_work() -> bool:
            counts = store.reading.counts()
            return counts["verdicts"] > 5 and counts["votes"] > 5

        until(are_at_work)
    for thread in working:
        thread.end()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert thread.refusal is None
    with Store(study) as store:
        assert store.reading.counts()["votes"] > 5
        assert store.reading.counts()["verdicts"] > 5
        assert store.verify() == []
