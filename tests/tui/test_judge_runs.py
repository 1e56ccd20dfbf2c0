"""Judges at work in processes of their own: killed, paused, short of money, badly served."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from db.store import Store
from judges.models import new_judge
from tests.judges.stub_process import StubProcess
from tests.studies import make_study, rows
from tests.terminal import ROOT

JUDGE = "stub"
VERDICTS = "SELECT id, choice, status, sent_hash, pair_id, turn, left, repeat FROM verdict"


def study_at(path: Path, url: str, questions: int = 10, models: int = 3, **parameters: Any) -> Path:
    """A study with a judge, ``questions`` × pairs × 2 orders to judge."""
    names = [f"model-{number}" for number in range(models)]
    make_study(path, questions=questions, models=names)
    with Store(path) as store:
        given = {"temperature": 0, **parameters}
        record = new_judge(JUDGE, "openai", "stub", endpoint=url, parameters=given)
        store.judging.add(record)
    return path


def command(study: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "tui", "--db", str(study), "judge", *words]


@contextmanager
def running(study: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command(study, "run", JUDGE, *options),
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def tiebreak(study: Path, *words: str, code: int = 0) -> str:
    """Run a judge command to its end; what it said."""
    done = subprocess.run(
        command(study, *words), cwd=ROOT, text=True, capture_output=True, timeout=300, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def one(study: Path, query: str, *values: Any) -> Any:
    with closing(sqlite3.connect(study, timeout=20)) as connection:
        return connection.execute(query, values).fetchone()[0]


def until(true: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait until something is true; for how many seconds."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it never came true"
        time.sleep(0.01)
    return time.monotonic() - began


def verdicts(study: Path) -> int:
    return int(one(study, "SELECT count(*) FROM verdict"))


def check_books(study: Path, served: dict[str, Any], wanted: int) -> None:
    """Every verdict once, every call that the server saw written down, the chain whole."""
    found = rows(study, VERDICTS)
    assert len(found) == wanted
    assert len({row[4:] for row in found}) == wanted, "a pair, turn and order was judged twice"
    assert one(study, "SELECT count(*) FROM job") == 0
    assert one(study, "SELECT count(*) FROM attempt WHERE outcome IS NULL") == 0
    attempts = Counter(dict(rows(study, "SELECT call, count(*) FROM attempt GROUP BY call")))
    ok = rows(study, "SELECT call FROM attempt WHERE outcome = 'ok'")
    settled = Counter(call for (call,) in ok)
    assert set(settled.values()) <= {1}
    for key, _, status, sent, *_ in found:
        if status == "ok":
            assert 1 <= served["seen"][sent] <= attempts[key], "a call that is not in the books"
    assert served["requests"] <= sum(attempts.values())
    with Store(study) as store:
        assert store.verify() == []


def killed_once(study: Path, chance: random.Random) -> None:
    """Start a run and kill it: as it takes its place, or somewhere in its work."""
    workers, before = one(study, "SELECT count(*) FROM judge_worker"), verdicts(study)
    is_early = chance.random() < 0.25
    with running(study, "--concurrency", "4") as process:

        def is_there() -> bool:
            assert process.poll() is None, "the job was done before it was killed often enough"
            if is_early:
                return bool(one(study, "SELECT count(*) FROM judge_worker") > workers)
            return verdicts(study) > before

        until(is_there)
        time.sleep(chance.uniform(0.0, 0.1))
        process.kill()


def killed_again_and_again(tmp_path: Path, times: int, questions: int) -> None:
    wanted = questions * 3 * 2
    with StubProcess(delay=0.03) as stub:
        calm = study_at(tmp_path / "calm.db", stub.url, questions)
        tiebreak(calm, "run", JUDGE, "--concurrency", "32")
        check_books(calm, stub.counts(), wanted)
    chance = random.Random(times)
    with StubProcess(delay=0.03) as stub:
        study = study_at(tmp_path / "killed.db", stub.url, questions)
        with Store(study) as store:  # the same judge, though it is asked elsewhere
            store.connection.execute("UPDATE judge SET endpoint = ?", (stub.url,))
        for _ in range(times):
            killed_once(study, chance)
        assert 0 < verdicts(study) < wanted
        tiebreak(study, "run", JUDGE, "--concurrency", "32")
        check_books(study, stub.counts(), wanted)
        died = one(study, "SELECT count(*) FROM judge_worker WHERE note = 'died'")
        assert died == times
    compare = "SELECT id, choice, status, sent_hash FROM verdict ORDER BY id"
    assert rows(study, compare) == rows(calm, compare)


def test_a_killed_run_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, 3, 40)


@pytest.mark.slow
def test_a_run_killed_a_hundred_times_ends_as_one_that_was_left_alone(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, 100, 700)
