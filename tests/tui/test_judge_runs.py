"""Judges at work in processes of their own: killed, paused, short of money, badly served."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from db.judge_control import JudgeControl
from db.store import Store
from judges.models import new_judge
from tests.judges.stub_process import StubProcess
from tests.studies import make_study, rows
from tests.terminal import ROOT
from tests.waiting import PATIENCE, until
from tui.cli import run as tiebreak_here

JUDGE = "stub"
UNANSWERED = "SELECT count(*) FROM attempt WHERE outcome IS NULL OR outcome = 'lost'"
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
    """Run a judge command to its end; what it printed, and else what it said."""
    done = subprocess.run(
        command(study, *words),
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout or done.stderr


def one(study: Path, query: str, *values: Any) -> Any:
    with closing(sqlite3.connect(study, timeout=PATIENCE)) as connection:
        return connection.execute(query, values).fetchone()[0]


def verdicts(study: Path) -> int:
    return int(one(study, "SELECT count(*) FROM verdict"))


def is_quiet(study: Path, stub: StubProcess, seconds: float) -> bool:
    """Whether for so long nothing was asked or recorded."""
    before = verdicts(study), stub.counts()["requests"]
    time.sleep(seconds)
    return (verdicts(study), stub.counts()["requests"]) == before


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
        killed = 0
        # So often, and until a call was under way when its run was killed.
        while killed < times or not one(study, UNANSWERED):
            killed_once(study, chance)
            killed += 1
        assert 0 < verdicts(study) < wanted
        tiebreak(study, "run", JUDGE, "--concurrency", "32")
        check_books(study, stub.counts(), wanted)
        lost = "SELECT DISTINCT endpoint FROM attempt WHERE outcome = 'lost'"
        assert rows(study, lost) == [(stub.url,)]
        died = one(study, "SELECT count(*) FROM judge_worker WHERE note = 'died'")
        assert died == killed
    compare = "SELECT id, choice, status, sent_hash FROM verdict ORDER BY id"
    assert rows(study, compare) == rows(calm, compare)


def test_a_killed_run_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, 3, 40)


@pytest.mark.slow
def test_a_run_killed_a_hundred_times_ends_as_one_that_was_left_alone(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, 100, 700)


@pytest.mark.parametrize("workers", [2, 4])
def test_several_processes_share_one_queue(tmp_path: Path, workers: int) -> None:
    questions = 60
    with StubProcess(delay=0.05) as stub:
        study = study_at(tmp_path / "study.db", stub.url, questions)
        # So few at once that the first has not done it all before the slowest comes.
        words = command(study, "run", JUDGE, "--concurrency", "3")
        started = [subprocess.Popen(words, cwd=ROOT) for _ in range(workers)]
        try:
            assert [process.wait(PATIENCE) for process in started] == [0] * workers
        finally:
            for process in started:
                process.kill()
                process.wait()
        served = stub.counts()
    check_books(study, served, questions * 6)
    assert served["requests"] == questions * 6, "a call was made by two"
    shares = [count for (count,) in rows(study, "SELECT verdicts FROM judge_worker")]
    assert len(shares) >= 2
    owners = rows(study, "SELECT count(*) FROM attempt GROUP BY owner")
    assert len(owners) >= 2
    assert sum(count for (count,) in owners) == questions * 6


FAULTS = {
    "429": 0.05, "429 seconds": 0.05, "429 date": 0.002, "500": 0.05, "503": 0.03, "slow": 0.01,
    "cut": 0.05, "cut at once": 0.02, "garbage": 0.03, "HTML": 0.02, "error as 200": 0.02,
    "empty": 0.05, "empty body": 0.02, "wrong model": 0.02, "context overflow": 0.03,
    "content filter": 0.03, "refusal": 0.03, "reasoning only": 0.03, "truncated": 0.03,
}  # fmt: skip


@pytest.mark.parametrize("questions", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_a_misbehaving_server_leaves_every_job_accounted_for(
    tmp_path: Path, questions: int
) -> None:
    with StubProcess(delay=0.01, faults=FAULTS, seed=3) as stub:
        study = study_at(tmp_path / "study.db", stub.url, questions, timeout=2)
        told = json.loads(tiebreak(study, "run", JUDGE, "--concurrency", "24", "--json"))
        served = stub.counts()
    check_books(study, served, questions * 6)
    assert sum(told[0]["verdicts"].values()) == questions * 6
    good = served["met"]["fine"] + served["met"].get("wrong model", 0)
    assert told[0]["verdicts"]["ok"] <= good, "a verdict that nobody gave"
    ok = rows(study, "SELECT choice, left FROM verdict WHERE status = 'ok'")
    assert all(choice == f"model_{left}" for choice, left in ok)
    assert rows(study, "SELECT 1 FROM verdict WHERE status <> 'ok' AND failure IS NULL") == []
    outcomes = dict(rows(study, "SELECT outcome, count(*) FROM attempt GROUP BY outcome"))
    assert outcomes["rate limited"] <= sum(
        count for name, count in served["met"].items() if name.startswith("429")
    )
    assert {"ok", "rate limited", "server error", "garbled"} <= set(outcomes)
    # What is slow on purpose is timed out, and came to the server. Beyond that a busy machine may
    # let a call time out before it is sent or read, and whether it comes later nobody can tell.
    in_doubt = outcomes.get("timed out", 0) - served["met"].get("slow", 0)
    assert 0 <= one(study, "SELECT sum(requests) FROM attempt") - served["requests"] <= in_doubt
    charged = one(study, "SELECT count(*) FROM attempt WHERE may_be_charged")
    assert charged >= outcomes.get("timed out", 0)


def test_a_pause_a_resume_and_a_cancel_from_another_process(tmp_path: Path) -> None:
    with StubProcess(delay=0.02) as stub:
        study = study_at(tmp_path / "study.db", stub.url, 400)
        with running(study, "--concurrency", "4") as process, Store(study) as store:
            control = JudgeControl(store)
            until(lambda: verdicts(study) > 20)
            control.pause(JUDGE)
            until(lambda: is_quiet(study, stub, 1.5))
            before = verdicts(study)
            assert process.poll() is None
            control.resume(JUDGE)
            until(lambda: verdicts(study) > before)
            control.cancel(JUDGE)
            assert process.wait(PATIENCE) == 0
            assert process.stderr is not None
            assert "; cancelled" in process.stderr.read()
            check = one(study, "SELECT count(*) FROM job WHERE state = 'leased'")
            assert check == 0
        assert 20 < verdicts(study) < 2400
        assert one(study, "SELECT count(*) FROM attempt WHERE outcome IS NULL") == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_finishes_what_is_under_way(tmp_path: Path, how: signal.Signals) -> None:
    with StubProcess(delay=0.3) as stub:
        study = study_at(tmp_path / "study.db", stub.url, 100)
        with running(study, "--concurrency", "8") as process:
            until(lambda: verdicts(study) > 0)
            process.send_signal(how)
            assert process.wait(PATIENCE) == 130
            assert process.stderr is not None
            assert "interrupted" in process.stderr.read()
        served = stub.counts()
    assert served["requests"] == verdicts(study), "what was under way is recorded"
    outcomes = dict(rows(study, "SELECT outcome, count(*) FROM attempt GROUP BY outcome"))
    assert set(outcomes) <= {"ok", "unsent"}
    assert outcomes["ok"] == verdicts(study)
    assert one(study, "SELECT count(*) FROM job WHERE state = 'leased'") == 0
    assert one(study, "SELECT count(*) FROM judge_worker WHERE ended_at IS NULL") == 0


def test_a_budget_in_tokens_stops_before_it_is_exceeded(tmp_path: Path) -> None:
    with StubProcess(delay=0.01) as stub:
        study = study_at(tmp_path / "study.db", stub.url, 40, max_tokens=50)
        tiebreak(study, "budget", JUDGE, "--tokens", "2500")
        said = tiebreak(study, "run", JUDGE, "--concurrency", "16", code=1)
        assert "the budget is used up" in said
        used = one(study, "SELECT sum(tokens_in + tokens_out) FROM verdict")
        assert used == one(study, "SELECT spent_tokens FROM judge_control")
        assert 0 < used <= 2500
        assert one(study, "SELECT count(*) FROM attempt WHERE outcome = 'ok'") == verdicts(study)
        # A call takes more at most than is left; the rest of the queue is as it was.
        assert verdicts(study) < 240
        tiebreak(study, "budget", JUDGE, "--unlimited")
        tiebreak(study, "run", JUDGE)
        check_books(study, stub.counts(), 240)


def test_a_budget_sets_twice_as_much_aside_for_a_reply_that_was_cut_off(tmp_path: Path) -> None:
    with StubProcess(faults={"truncated": 1.0}) as stub:
        study = study_at(tmp_path / "study.db", stub.url, 1, models=2, max_tokens=1000)
        (told,) = json.loads(tiebreak(study, "run", JUDGE, "--dry-run", "--json"))
        most = 500 + told["tokens_in_most"] // told["verdicts"]
        tiebreak(study, "budget", JUDGE, "--tokens", str(1000 + most))
        said = tiebreak(study, "run", JUDGE, "--concurrency", "1", code=1)
        assert "the budget is used up" in said
        assert verdicts(study) == 0
        assert set(rows(study, "SELECT outcome, detail FROM attempt")) == {
            ("truncated", "the reply reached max_tokens")
        }
        tiebreak(study, "budget", JUDGE, "--tokens", "20000")
        before = stub.counts()["requests"]
        tiebreak(study, "run", JUDGE, code=1)
        assert stub.counts()["requests"] - before == 4
    assert one(study, "SELECT group_concat(DISTINCT failure) FROM verdict") == "truncated"
    raised = "2 times max_tokens: the reply reached max_tokens"
    assert one(study, "SELECT count(*) FROM attempt WHERE detail = ?", raised) == 2


@pytest.mark.parametrize("fault", ["usage below 0", "usage beyond all"])
def test_a_server_that_miscounts_does_not_undo_a_budget(tmp_path: Path, fault: str) -> None:
    with StubProcess(faults={fault: 1.0}) as stub:
        study = study_at(tmp_path / "study.db", stub.url, 20, max_tokens=50)
        (told,) = json.loads(tiebreak(study, "run", JUDGE, "--dry-run", "--json"))
        most = (told["tokens_in_most"] + told["tokens_out_most"]) // told["verdicts"] + 1
        tiebreak(study, "budget", JUDGE, "--tokens", str(10 * most))
        said = tiebreak(study, "run", JUDGE, code=1)
        assert "the budget is used up" in said
        assert 9 <= stub.counts()["requests"] == verdicts(study) <= 10
    spent = one(study, "SELECT spent_tokens FROM judge_control")
    assert 9 * (most - 1) <= spent <= 10 * most
    assert one(study, "SELECT count(*) FROM verdict WHERE status = 'ok'") == verdicts(study)


def test_what_nobody_counted_counts_in_full_though_there_was_no_budget_yet(tmp_path: Path) -> None:
    with StubProcess(faults={"usage below 0": 0.5, "garbage": 0.5}, seed=1) as stub:
        study = study_at(tmp_path / "study.db", stub.url, 4, max_tokens=50)
        (told,) = json.loads(tiebreak(study, "run", JUDGE, "--dry-run", "--json"))
        most = (told["tokens_in_most"] + told["tokens_out_most"]) / told["verdicts"]
        tiebreak(study, "run", JUDGE)
        calls = stub.counts()["requests"]
    (told,) = json.loads(tiebreak(study, "status", "--json"))
    assert told["uncounted"] == told["verdicts"]["ok"] > 0
    assert told["control"]["spent_tokens"] == pytest.approx(calls * most, rel=0.05)


def test_a_killed_run_has_lost_what_was_sent_and_nothing_else(tmp_path: Path) -> None:
    with StubProcess(delay=30.0) as stub:
        study = study_at(tmp_path / "study.db", stub.url, 20)
        with running(study, "--concurrency", "2") as process:
            until(lambda: stub.counts()["requests"] == 2)
            (told,) = json.loads(tiebreak(study, "status", "--json"))
            assert told["attempts_open"] == 2
            process.kill()
            process.wait()
        assert one(study, "SELECT count(*) FROM attempt") == 2
        (told,) = json.loads(tiebreak(study, "status", "--json"))
        assert told["attempts_open"] == 0, "nobody is there who waits for them"


def test_a_study_that_is_locked_is_waited_for_and_no_reply_is_lost(tmp_path: Path) -> None:
    with StubProcess(delay=0.05) as stub:
        study = study_at(tmp_path / "study.db", stub.url, 40)
        with running(study, "--concurrency", "4") as process:
            until(lambda: verdicts(study) > 8)
            with closing(sqlite3.connect(study, timeout=PATIENCE, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                assert process.stderr is not None
                until(lambda: "another process holds the study" in process.stderr.readline())
                other.execute("ROLLBACK")
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said
            assert "the study is free again" in said
        check_books(study, stub.counts(), 240)
        assert stub.counts()["requests"] == 240
        assert rows(study, "SELECT DISTINCT outcome FROM attempt") == [("ok",)]


def test_what_failed_is_tried_before_what_waits_in_the_queue(tmp_path: Path) -> None:
    with StubProcess(script='["500", "empty", "empty"]') as stub:
        study = study_at(tmp_path / "study.db", stub.url, 20)
        told = tiebreak(study, "run", JUDGE, "--concurrency", "1", "--limit", "2", code=1)
        assert one(study, "SELECT count(*) FROM verdict WHERE status <> 'ok'") == 2, told
        assert one(study, "SELECT count(*) FROM job WHERE state = 'waiting'") > 50
        tiebreak(study, "run", JUDGE, "--retry-failed", "--limit", "2")
    assert one(study, "SELECT count(*) FROM verdict WHERE supersedes IS NOT NULL") == 2
    assert verdicts(study) == 4


def test_a_run_that_cannot_begin_speaks_of_no_failures(tmp_path: Path) -> None:
    study = study_at(tmp_path / "study.db", "http://127.0.0.1:9/v1", 2, api_key_env="NO_SUCH_KEY")
    said = tiebreak(study, "run", JUDGE, code=1)
    assert "export NO_SUCH_KEY" in said
    assert "retry-failed" not in said


def test_a_judge_that_cannot_go_on_does_not_hold_up_the_next(tmp_path: Path) -> None:
    study = study_at(tmp_path / "study.db", "http://127.0.0.1:9/v1", 2, models=2)
    tiebreak(study, "budget", JUDGE, "--tokens", "0")
    tiebreak(study, "add", "longer", "--baseline", "longer-answer")
    said = tiebreak(study, "run", "--json", code=1)
    assert [told["judge"] for told in json.loads(said)] == ["longer"]
    assert verdicts(study) == 4
    said = tiebreak(study, "run", code=1)
    assert "the budget is used up" in said
    assert "--retry-failed" not in said, "nothing has failed"


def test_a_limit_that_is_not_named_stays(tmp_path: Path) -> None:
    study = study_at(tmp_path / "study.db", "http://127.0.0.1:9/v1", 2)
    tiebreak(study, "price", JUDGE, "--price-in", "1", "--price-out", "1")
    tiebreak(study, "budget", JUDGE, "--tokens", "5000")
    told = json.loads(tiebreak(study, "budget", JUDGE, "--cost", "2", "--json"))
    assert (told["budget_cost"], told["budget_tokens"]) == (2.0, 5000)
    tiebreak(study, "budget", JUDGE, "--unlimited", "--cost", "2", code=2)
    told = json.loads(tiebreak(study, "budget", JUDGE, "--unlimited", "--json"))
    assert (told["budget_cost"], told["budget_tokens"]) == (None, None)


def test_a_budget_in_money_holds_for_all_processes_together(tmp_path: Path) -> None:
    with StubProcess(delay=0.02) as stub:
        study = study_at(tmp_path / "study.db", stub.url, 60, max_tokens=50)
        tiebreak(study, "budget", JUDGE, "--cost", "1", code=2)  # there are no prices yet
        tiebreak(study, "price", JUDGE, "--price-in", "1000", "--price-out", "3000")
        tiebreak(study, "budget", JUDGE, "--cost", "4")
        started = [
            subprocess.Popen(command(study, "run", JUDGE), cwd=ROOT, stderr=subprocess.DEVNULL)
            for _ in range(3)
        ]
        assert [process.wait(PATIENCE) for process in started] == [1, 1, 1]
        spent = one(study, "SELECT sum(cost) FROM verdict")
        assert 0 < spent <= 4
        # 11 tokens in and 7 out for each reply of the stub.
        assert spent == pytest.approx(verdicts(study) * 0.032)
        assert one(study, "SELECT spent_cost FROM judge_control") == pytest.approx(spent)
        assert stub.counts()["requests"] == verdicts(study)


def test_a_dry_run_prices_the_job_and_calls_nobody(tmp_path: Path) -> None:
    with StubProcess() as stub:
        study = study_at(tmp_path / "study.db", stub.url, 5, max_tokens=100)
        words = ("run", JUDGE, "--dry-run", "--repeats", "2", "--json")
        (told,) = json.loads(tiebreak(study, *words, "--price-in", "2", "--price-out", "10"))
        assert (told["verdicts"], told["requests"]) == (60, 60)
        assert told["tokens_out_most"] == told["tokens_out"] == 6000
        assert 60 * 100 < told["tokens_in"] < told["tokens_in_most"]
        cost = (2 * told["tokens_in"] + 10 * told["tokens_out"]) / 1e6
        assert told["cost"] == pytest.approx(cost)
        assert stub.counts()["requests"] == 0
        assert one(study, "SELECT count(*) FROM job") == 0
        tiebreak(study, "run", JUDGE, "--repeats", "2")
        (told,) = json.loads(tiebreak(study, *words))
        assert (told["verdicts"], told["tokens_in"], told["cost"]) == (0, 0, None)


def test_status_says_in_numbers_how_the_work_stands(tmp_path: Path) -> None:
    # More than is done before the slowest command has looked.
    with StubProcess(delay=0.05, faults={"500": 0.3}, seed=1) as stub:
        study = study_at(tmp_path / "study.db", stub.url, 300)
        with running(study, "--concurrency", "4"):
            until(lambda: verdicts(study) > 10)
            told: dict[str, Any] = {"attempts_open": 0}

            def has_looked() -> bool:  # between two calls, none may be open
                (found,) = json.loads(tiebreak(study, "status", "--json"))
                told.update(found)
                return bool(told["attempts_open"])

            until(has_looked)
            assert told["verdicts"]["ok"] >= 10
            assert told["failures"]["server error"] > 0
            assert told["leased"] >= told["attempts_open"]
            (worker,) = told["workers"]
            assert worker["window"] >= 1
    tiebreak(study, "pause", JUDGE)
    said = tiebreak(study, "status")
    assert "paused" in said
    assert "server error" in said


def test_several_endpoints_share_the_load(tmp_path: Path) -> None:
    # Each takes longer than a process waits for its turn, so that the one is not done first.
    with StubProcess(delay=0.1) as good, StubProcess(delay=0.1) as other:
        study = study_at(tmp_path / "study.db", good.url, 30)
        with Store(study) as store:
            store.endpoints.add(JUDGE, other.url)
        tiebreak(study, "run", JUDGE, "--concurrency", "16")
        shares = dict(rows(study, "SELECT endpoint, count(*) FROM attempt GROUP BY endpoint"))
        assert set(shares) == {good.url, other.url}
        assert min(shares.values()) >= 8, "half of all that is under way at first"
        assert verdicts(study) == 180


def test_endpoints_that_come_and_go_take_effect_in_a_run(tmp_path: Path) -> None:
    def sent(address: str) -> int:
        return int(one(study, "SELECT count(*) FROM attempt WHERE endpoint = ?", address))

    with StubProcess(delay=0.1) as first, StubProcess(delay=0.1) as second:
        study = study_at(tmp_path / "study.db", first.url, 60)
        with running(study, "--concurrency", "4") as run:
            until(lambda: verdicts(study) > 8)
            # Within this process: one that starts might come when all is done.
            endpoint = ["--db", str(study), "judge", "endpoint"]
            assert tiebreak_here([*endpoint, "add", JUDGE, second.url, "--no-check"]) == 0
            until(lambda: second.counts()["requests"] > 2)
            assert tiebreak_here([*endpoint, "remove", JUDGE, first.url]) == 0
            assert run.stderr is not None
            said = ""
            while f"{first.url} gets no more calls" not in said:
                line = run.stderr.readline()
                assert line, said
                said += line
            before = sent(first.url)
            said += "".join(run.communicate())
        # What was under way then, or had ended and was not written down yet.
        assert sent(first.url) - before <= 20
        assert f"{second.url} takes part" in said
        assert f"{first.url} gets no more calls" in said
        assert sent(first.url) + sent(second.url) == verdicts(study) == 360
