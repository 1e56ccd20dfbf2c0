"""Judges behind the screen: a process of its own that ends with whoever started it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from core.records import Judge
from db.judge_control import JudgeControl
from db.pairs import make
from db.seats import BehindTheScreens
from db.store import Store
from judges.models import new_judge
from tests.judges.stub_process import StubProcess
from tests.studies import located, make_study, questions_and_answers, rows
from tests.terminal import ROOT
from tests.waiting import PATIENCE, until
from tui.background_judges import BackgroundJudges
from tui.cli import run


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = make_study(tmp_path / "study.db", questions=10)
    with Store(path) as store:
        store.judging.add(Judge("longer", "baseline", "longer-answer"))
    return path


@contextmanager
def at_work(study: Path, pace: float = 0.0) -> Iterator[BackgroundJudges]:
    work = BackgroundJudges(study, pace=pace)
    work.start()
    try:
        yield work
    finally:
        work.end()
        work.join(PATIENCE)


def verdicts(study: Path) -> int:
    with Store(study) as store:
        return store.reading.counts()["verdicts"]


def at_a_queue(study: Path) -> int:
    return int(rows(study, "SELECT count(*) FROM judge_worker WHERE ended_at IS NULL")[0][0])


def on_disk(study: Path) -> bytes:
    """What changes with every commit: the study's bytes, and those not yet in their place."""
    return study.read_bytes() + study.with_name(f"{study.name}-wal").read_bytes()


def is_left_alone(study: Path) -> bool:
    """Whether nothing is written for longer than between two looks."""
    before = on_disk(study)
    time.sleep(2.5)
    return on_disk(study) == before


def test_it_judges_what_is_left_then_what_comes(study: Path) -> None:
    with at_work(study) as work, Store(study):  # which keeps the log that is written ahead
        until(lambda: verdicts(study) == 20)
        with Store(study) as store:
            store.ingest.take(located(questions_and_answers(15, ("ant", "bee"))))
            make(store)
        until(lambda: verdicts(study) == 30)
        with Store(study) as store:
            store.judging.add(Judge("coin", "baseline", "coin"))
        until(lambda: verdicts(study) == 60)
        assert work.is_alive()
        until(lambda: not at_a_queue(study))
        until(lambda: is_left_alone(study), "it writes while nothing is left")
    assert work.refusal is None
    with Store(study) as store:
        assert store.verify() == []


def priorities(pid: int) -> list[int]:
    """Of each thread of a process, its first one first."""
    found = []
    for thread in sorted(int(one.name) for one in Path(f"/proc/{pid}/task").iterdir()):
        with suppress(ProcessLookupError):  # it has just ended
            found.append(os.getpriority(os.PRIO_PROCESS, thread))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_judges_give_way_but_not_while_they_write(study: Path) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    with at_work(study, pace=0.2) as work:
        assert work.pid is not None
        until(lambda: at_a_queue(study) == 1)
        until(lambda: priorities(work.pid)[0] == min(19, ours + 10))
        # What writes, and what started it.
        until(lambda: priorities(work.pid)[1:].count(ours) >= 2)
    arguments = ["--db", str(study), "judge", "run", "longer", "--follow"]
    with subprocess.Popen([sys.executable, "-m", "tui", *arguments], cwd=ROOT) as run_alone:
        until(lambda: priorities(run_alone.pid)[0] == min(19, ours + 5))
        run_alone.terminate()


def test_it_has_the_lower_priority_and_a_session_of_its_own(study: Path) -> None:
    with at_work(study) as work:
        pid = work.pid
        assert pid is not None
        until(lambda: verdicts(study) > 0)
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, ours + 10)
        assert os.getsid(pid) != os.getsid(0)


def test_there_is_one_for_each_study(study: Path, tmp_path: Path) -> None:
    other = make_study(tmp_path / "other.db")
    with at_work(study, pace=0.05) as first:
        until(lambda: verdicts(study) > 0)
        with at_work(study) as second, at_work(other) as elsewhere:
            until(lambda: not second.is_alive())
            assert second.is_second
            assert second.refusal is None
            assert first.is_alive()
            assert elsewhere.is_alive()
    assert not first.is_second
    with at_work(study) as third:
        until(lambda: verdicts(study) == 20)
        assert third.is_alive()


def test_it_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", questions=300)
    with Store(study) as store:
        store.judging.add(Judge("longer", "baseline", "longer-answer"))
    code = (
        "import time\nfrom pathlib import Path\n"
        "from tui.background_judges import BackgroundJudges\n"
        f"work = BackgroundJudges(Path({str(study)!r}), pace=0.3)\n"
        "work.start()\nprint(work.pid, flush=True)\ntime.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        until(lambda: verdicts(study) > 2)
        parent.kill()
        parent.wait()
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert BehindTheScreens(study).take()
    with Store(study) as store:
        assert store.verify() == []
        assert store.reading.counts()["verdicts"] < 600


def test_a_study_that_cannot_be_opened_is_said_once_it_has_ended(tmp_path: Path) -> None:
    with at_work(tmp_path / "missing.db") as work:
        until(lambda: not work.is_alive())
        assert work.refusal is not None
        assert "no study here" in work.refusal.message


def test_a_run_that_follows_judges_what_comes_until_it_is_interrupted(study: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tui", "--db", str(study), "judge", "run", "--follow", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        until(lambda: verdicts(study) == 20)
        with Store(study) as store:
            store.ingest.take(located(questions_and_answers(15, ("ant", "bee"))))
            make(store)
        until(lambda: verdicts(study) == 30)
        following.send_signal(signal.SIGINT)
        out, err = following.communicate(timeout=PATIENCE)
    assert following.returncode == 0
    assert json.loads(out) == [{"judge": "longer", "verdicts": {"ok": 30}}]
    assert "30 verdicts given" in err


@contextmanager
def held(study: Path) -> Iterator[None]:
    """Another process that writes for long, as an import does."""
    with closing(sqlite3.connect(study, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.slow
def test_who_waits_for_the_study_says_so(study: Path) -> None:
    def is_news(words: str) -> bool:
        return words in work.news()

    with at_work(study, pace=0.3) as work:
        until(lambda: verdicts(study) > 0)
        with held(study):
            until(lambda: is_news("longer: another process holds the study; waits for it"), 60)
        until(lambda: is_news("longer: the study is free again"), 60)
        assert work.is_alive()


@pytest.mark.slow
def test_a_run_that_follows_says_that_it_waits_for_the_study(study: Path) -> None:
    with StubProcess(delay=0.3) as stub:
        with Store(study) as store:
            store.judging.add(new_judge("slow", "openai", "m", endpoint=stub.url))
        arguments = ["--db", str(study), "judge", "run", "slow", "--follow", "--concurrency", "1"]
        with subprocess.Popen(
            [sys.executable, "-m", "tui", *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True
        ) as following:
            assert following.stderr is not None
            until(lambda: verdicts(study) > 0)
            with held(study):
                words = "slow: another process holds the study; waits for it"
                while words not in following.stderr.readline():
                    assert following.poll() is None
            following.send_signal(signal.SIGINT)
            assert "slow: the study is free again" in following.communicate(timeout=60)[1]


def test_work_that_is_cancelled_is_not_taken_up_again(study: Path) -> None:
    with at_work(study, pace=0.3):
        until(lambda: verdicts(study) > 0)
        with Store(study) as store:
            JudgeControl(store).cancel("longer")
        until(lambda: not at_a_queue(study))
        given = verdicts(study)
        with Store(study) as store:
            store.ingest.take(located(questions_and_answers(15, ("ant", "bee"))))
            make(store)
        time.sleep(2.5)
        assert verdicts(study) == given


@pytest.mark.parametrize("beside", [["--limit", "3"], ["--dry-run"]])
def test_to_follow_has_no_end(study: Path, beside: list[str]) -> None:
    assert run(["--db", str(study), "judge", "run", "--follow", *beside]) == 2


def test_a_place_that_is_left_is_free(study: Path) -> None:
    first, second = BehindTheScreens(study), BehindTheScreens(study)
    assert first.take()
    assert not second.take()
    first.leave()
    assert second.take()
    second.leave()
