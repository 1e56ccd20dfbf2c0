"""A judge's queue: leased by one at a time, settled once, whatever happens between."""

from __future__ import annotations

import socket
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from core.records import Choice, Judge, Seen, Verdict, VerdictStatus
from db.judge_control import JudgeControl
from db.judge_left import Scope
from db.judge_queue import JudgeQueue
from db.judge_work import GONE, NO_ROOM, Begin, End, Job, Work
from db.processes import is_gone, process_name
from db.store import Store
from tests.studies import FakeClock, make_study, serve, vote

JUDGE = Judge("j", "baseline", "coin")


def names(pair: str, turn: int, left: int, repeat: int) -> str:
    return f"{pair[:8]}.{turn}.{left}.{repeat}"


def study(path: Path, clock: FakeClock, **given: int) -> Store:
    make_study(path, clock=clock, **given)
    store = Store(path, clock=clock)
    store.judging.add(JUDGE)
    return store


def fill(queue: JudgeQueue, scope: Scope | None = None) -> int:
    return sum(queue.fill(one) for one in queue.frontier(scope or Scope(), names).portions())


def verdict(queue: JudgeQueue, job: Job) -> Verdict:
    (asked,) = queue.asked([job])
    return Verdict(
        job.key, asked.pair, job.turn, "j", VerdictStatus.OK, Choice.TIE, job.left, job.repeat,
        supersedes=job.supersedes,
    )  # fmt: skip


def one_each(leased: list[Job], **tokens: int) -> list[Begin]:
    return [Begin(job.call, (job.id,), **tokens) for job in leased]


@pytest.fixture
def queue(tmp_path: Path) -> JudgeQueue:
    store = study(tmp_path / "study.db", FakeClock(), questions=4, turns=2)
    made = JudgeQueue(store, "j", "host/1/1/a", lease=60)
    made.enter()
    return made


def test_filling_twice_makes_each_job_once(queue: JudgeQueue) -> None:
    assert fill(queue) == 4 * 2 * 2
    assert fill(queue) == 0
    assert fill(queue, Scope(repeats=3)) == 2 * 4 * 2 * 2
    assert queue.counts() == (48, 0)


def test_what_has_its_verdict_is_not_filled_again(queue: JudgeQueue) -> None:
    fill(queue)
    leased = queue.turn(Work(want=3)).leased
    begun = queue.turn(Work(begins=one_each(leased))).begun
    done = [verdict(queue, job) for job in leased]
    turned = queue.turn(Work(verdicts=done, ends=[End(one, "ok") for one in begun]))
    assert turned.recorded == 3
    assert fill(queue) == 0
    assert queue.counts() == (13, 0)
    assert queue.turn(Work(verdicts=done)).recorded == 0, "a verdict is recorded once"
    assert queue.store.verify() == []


def test_pairs_with_votes_come_first_then_those_before_somebody_then_the_queue(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    store = study(tmp_path / "study.db", clock, questions=6)
    queue = JudgeQueue(store, "j", "host/1/1/a")
    queue.enter()
    ann, bob = store.annotator("ann"), store.annotator("bob")
    first = serve(store, ann)
    vote(store, ann, first, Seen.TIE)
    second = serve(store, bob)
    fill(queue)
    leased = queue.turn(Work(want=100)).leased
    questions = [one.question.turns for one in queue.asked(leased)]
    assert questions[:2] == [first.question] * 2
    assert questions[2:4] == [second.question] * 2
    assert [job.rank for job in leased] == [1, 1, 2, 2] + [3] * 8


def test_votes_cast_meanwhile_come_first(queue: JudgeQueue) -> None:
    frontier = queue.frontier(Scope(), names)
    for portion in frontier.portions():
        queue.fill(portion[:0])  # looked at, and left
    assert list(frontier.voted()) == []
    store = queue.store
    ann = store.annotator("ann")
    served = serve(store, ann)
    vote(store, ann, served, Seen.TIE)
    (portion,) = frontier.voted()
    assert {one.rank for one in portion} == {1}
    assert len({one.pair_id for one in portion}) == 1
    assert list(frontier.voted()) == []


def test_as_shown_asks_in_the_orders_that_people_saw(queue: JudgeQueue) -> None:
    store = queue.store
    ann = store.annotator("ann")
    served = serve(store, ann)
    vote(store, ann, served, Seen.TIE)
    left = store.connection.execute("SELECT DISTINCT left, pair_id FROM vote").fetchall()
    assert fill(queue, Scope(orders="as-shown")) == 4 * 2
    rows = store.connection.execute("SELECT DISTINCT left, pair_id FROM job").fetchall()
    assert len(rows) == 4
    assert set(left) <= set(rows)


def test_a_question_s_pairs_go_together_where_one_call_settles_them(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=3, models=("ant", "bee", "cow", "dog"))
    with Store(path) as store:
        store.judging.add(JUDGE)
        queue = JudgeQueue(store, "j", "host/1/1/a")
        queue.enter()
        assert fill(queue, Scope(calls_by="question")) == 3 * 6 * 2
        leased = queue.turn(Work(want=1)).leased
        assert len(leased) == 6
        assert len({job.call for job in leased}) == 1
        asked = queue.asked(leased)
        assert len({(one.question.key, one.turn, one.left) for one in asked}) == 1


def test_shared_calls_are_taken_up_whole_and_no_more_than_are_wanted(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=3, turns=2, models=("ant", "bee", "cow", "dog"))
    with Store(path) as store:
        store.judging.add(JUDGE)
        queue = JudgeQueue(store, "j", "host/1/1/a")
        queue.enter()
        count = fill(queue, Scope(calls_by="question"))
        leased = queue.turn(Work(want=6)).leased
        assert len({job.call for job in leased}) == 1, "the first six jobs belong to four calls"
        assert len(leased) == 6
        assert queue.counts() == (count - 6, 6)
        assert len(queue.turn(Work(want=7)).leased) == 12
        assert queue.counts() == (count - 18, 18)


def test_a_vote_on_what_waits_already_brings_it_forward(queue: JudgeQueue) -> None:
    frontier = queue.frontier(Scope(), names)
    for portion in frontier.portions():
        queue.fill(portion)
    store = queue.store
    for name in ("ann", "bob"):
        annotator = store.annotator(name)
        vote(store, annotator, serve(store, annotator), Seen.TIE)
    voted = {row[0] for row in store.connection.execute("SELECT pair_id FROM vote")}
    assert len(voted) == 2
    assert sum(queue.fill(portion) for portion in frontier.voted()) >= 4
    first = queue.turn(Work(want=8)).leased
    assert {job.pair_id for job in first} == voted
    assert {job.rank for job in first} == {1}
    assert fill(queue) == 0


def test_why_it_stopped_is_forgotten_once_it_goes_on(queue: JudgeQueue) -> None:
    fill(queue)
    queue.leave("the budget is used up")
    assert queue.control().note == "the budget is used up"
    other = JudgeQueue(queue.store, "j", "host/2/1/b", lease=60)
    other.enter()
    assert other.control().note == ""
    third = JudgeQueue(queue.store, "j", "host/3/1/c", lease=60)
    third.enter()
    third.leave("the key is refused")
    other.leave()
    assert other.control().note == "the key is refused", "something is left, and nobody works"
    queue.store.connection.execute("DELETE FROM job")
    last = JudgeQueue(queue.store, "j", "host/4/1/d", lease=60)
    last.enter()
    third.leave("the key is refused")
    last.leave()
    assert last.control().note == "", "nothing is left"


def test_a_failure_is_tried_again_once_for_each_run(queue: JudgeQueue) -> None:
    fill(queue)
    (job,) = queue.turn(Work(want=1)).leased
    (asked,) = queue.asked([job])
    failed = Verdict(job.key, asked.pair, job.turn, "j", VerdictStatus.FAILED, left=job.left)
    queue.turn(Work(verdicts=[failed]))
    assert fill(queue) == 0
    assert fill(queue, Scope(retry_failed=True)) == 1
    (again,) = queue.turn(Work(want=1)).leased
    assert (again.supersedes, again.rank) == (job.key, 0)
    retried = verdict(queue, again)
    assert queue.turn(Work(verdicts=[retried])).recorded == 1
    other = Verdict(
        "elsewhere", asked.pair, job.turn, "j", VerdictStatus.OK, Choice.TIE, job.left,
        supersedes=job.key,
    )  # fmt: skip
    assert queue.turn(Work(verdicts=[other])).recorded == 0, "a failure is replaced once"
    assert fill(queue, Scope(retry_failed=True)) == 0
    assert queue.store.verify() == []


def test_attempts_end_once_and_are_history(queue: JudgeQueue) -> None:
    fill(queue)
    leased = queue.turn(Work(want=1)).leased
    (attempt,) = queue.turn(Work(begins=one_each(leased))).begun
    queue.turn(Work(ends=[End(attempt, "rate limited", "429: \x00")]))
    queue.turn(Work(ends=[End(attempt, "ok")]))
    found = queue.store.connection.execute("SELECT outcome, detail FROM attempt").fetchall()
    assert found == [("rate limited", "429: \ufffd")]
    for change in ("UPDATE attempt SET outcome = 'ok'", "DELETE FROM attempt"):
        with pytest.raises(Exception, match=r"ends once|history"):
            queue.store.connection.execute(change)


def test_a_process_that_died_is_known_by_its_start(tmp_path: Path) -> None:
    own = process_name()
    assert not is_gone(own)
    host, pid, started, chance = own.rsplit("/", 3)
    assert is_gone(f"{host}/{pid}/{int(started) - 5}/{chance}"), "the number is another's now"
    assert is_gone(f"{socket.gethostname()}/{2**22 - 3}/1/x")
    assert not is_gone(f"another-host/{2**22 - 3}/1/x")


def test_a_turn_is_short(tmp_path: Path) -> None:
    """People vote between two of these: it takes some 40 times what bare rows take to write."""
    store = study(tmp_path / "study.db", FakeClock(), questions=200)
    queue = JudgeQueue(store, "j", "host/1/1/a")
    queue.enter()
    fill(queue)
    times = []
    leased = queue.turn(Work(want=64)).leased
    while leased:
        begun = queue.turn(Work(begins=one_each(leased))).begun
        done = [verdict(queue, job) for job in leased]
        work = Work(done, [End(one, "ok") for one in begun], want=64)
        began = time.thread_time()
        leased = queue.turn(work).leased
        times.append(time.thread_time() - began)
    assert sorted(times)[len(times) // 2] < 250 * bare_write()


def bare_write() -> float:
    """Seconds of the CPU, here and now, for 64 rows of text in a table with one index."""
    times = []
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, key TEXT UNIQUE, text TEXT)")
        for number in range(50):
            texts = [(f"{number} {row}", "a reply of some words " * 5) for row in range(64)]
            began = time.thread_time()
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO one (key, text) VALUES (?, ?)", texts)
            connection.execute("COMMIT")
            times.append(time.thread_time() - began)
    return sorted(times)[len(times) // 2]


Made = tuple[int, str, list[tuple[Job, int]]]


class Machine(RuleBasedStateMachine):
    """Three workers and a lead at one queue, against books kept by hand."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(
            dir=Path("/dev/shm") if Path("/dev/shm").is_dir() else None
        )
        self.clock = FakeClock()
        self.store = study(Path(self.folder.name) / "s.db", self.clock, questions=4)
        self.wanted = 8
        self.control = JudgeControl(self.store)
        self.born = 0
        self.workers = [self._worker() for _ in range(3)]
        self.recorded: set[str] = set()
        self.open: dict[int, int] = {}
        self.budget: int | None = None
        self.spent = 0
        self.is_paused = False

    def _worker(self) -> JudgeQueue:
        self.born += 1
        queue = JudgeQueue(self.store, "j", f"host/{self.born}/1/w", lease=60)
        queue.enter()
        return queue

    def teardown(self) -> None:
        """Whatever happened: what is left is judged, and each thing once."""
        self.clock.forward(seconds=10)
        self.control.set_budget("j")
        self.control.resume("j")
        for worker in self.workers:
            worker.leave()
        last = self._worker()
        fill(last)
        while leased := last.turn(Work(want=5)).leased:
            begun = last.turn(Work(begins=one_each(leased))).begun
            assert all(one > 0 for one in begun)
            done = [verdict(last, job) for job in leased]
            last.turn(Work(verdicts=done, ends=[End(one, "ok") for one in begun]))
            self.recorded |= {job.key for job in leased}
        rows = self.store.connection.execute("SELECT id FROM verdict").fetchall()
        assert {row[0] for row in rows} == self.recorded
        assert len(rows) == self.wanted
        assert self.store.verify() == []
        self.store.close()
        self.folder.cleanup()

    @rule(target=calls, worker=st.integers(0, 2), want=st.integers(1, 4), tokens=st.integers(1, 50))
    def takes(self, worker: int, want: int, tokens: int) -> Made | MultipleResults[Made]:
        """A worker leases jobs, and writes their calls down as far as it may."""
        queue = self.workers[worker]
        if not queue.counts()[0]:
            fill(queue)
        leased = queue.turn(Work(want=want)).leased
        assert len(leased) <= want
        assert not (self.is_paused and leased)
        assert not {job.key for job in leased} & self.recorded
        made = self._begun(queue, leased, tokens)
        return (worker, queue.owner, made) if made else multiple()

    @rule(target=calls, some=calls, tokens=st.integers(1, 50))
    def takes_again(self, some: Made, tokens: int) -> Made | MultipleResults[Made]:
        """Calls are begun again for jobs that may be others' by now."""
        worker, owner, made = some
        queue = self.workers[worker]
        jobs = [job for job, _ in made] if queue.owner == owner else []
        begun = self._begun(queue, jobs, tokens)
        return (worker, owner, begun) if begun else multiple()

    def _begun(self, queue: JudgeQueue, jobs: list[Job], tokens: int) -> list[tuple[Job, int]]:
        before = self.spent + sum(self.open.values())
        holders = dict(self.store.connection.execute("SELECT id, owner FROM job"))
        begun = queue.turn(Work(begins=one_each(jobs, tokens_in=tokens, tokens_out=0))).begun
        made = []
        for job, number in zip(jobs, begun, strict=True):
            has_room = self.budget is None or before + tokens <= self.budget
            is_held = holders.get(job.id) == queue.owner
            expected = NO_ROOM if self.is_paused or not has_room else number if is_held else GONE
            assert number == expected
            if number > 0:
                assert job.key not in self.recorded
                before += tokens
                self.open[number] = tokens
                made.append((job, number))
        return made

    @rule(some=calls, used=st.none() | st.integers(0, 1))
    def finishes(self, some: Made, used: int | None) -> None:
        """Calls end with a verdict; also where the worker's lease lapsed meanwhile."""
        worker, owner, made = some
        queue = self.workers[worker]
        if queue.owner != owner:
            return
        ends, done = [], []
        for job, number in made:
            held = self.open.pop(number, None)
            if held is not None:
                self.spent += held if used is None else used
            ends.append(End(number, "ok", tokens_in=used, tokens_out=None if used is None else 0))
            done.append(verdict(queue, job))
        new = {one.id for one in done} - self.recorded
        assert queue.turn(Work(done, ends)).recorded == len(new)
        self.recorded |= new

    @rule(some=calls, charged=st.booleans(), is_back=st.booleans())
    def fails(self, some: Made, charged: bool, is_back: bool) -> None:
        worker, owner, made = some
        queue = self.workers[worker]
        if queue.owner != owner:
            return
        work = Work()
        for job, number in made:
            held = self.open.pop(number, None)
            if held is not None and charged:
                self.spent += held
            work.ends.append(End(number, "timed out", may_be_charged=charged))
            if is_back:
                work.returned.append((job.id, 5.0))
        queue.turn(work)

    @rule(worker=st.integers(0, 2), seconds=st.sampled_from([1, 30, 61]))
    def time_passes(self, worker: int, seconds: int) -> None:
        """A worker goes on; leases of the others may lapse."""
        self.clock.forward(seconds=seconds)
        lapsed = self._lapsing(self.workers[worker].owner)
        self.workers[worker].beat(window=1, under_way=0, verdicts=0)
        self._lose(lapsed)

    @rule(worker=st.integers(0, 2))
    def dies(self, worker: int) -> None:
        dead = self.workers[worker].owner
        self.workers[worker] = self._worker()
        lost = self.store.connection.execute(
            "SELECT id FROM attempt WHERE owner = ? AND outcome IS NULL", (dead,)
        ).fetchall()
        self.workers[worker].return_lost(lambda owner: owner == dead)
        self._lose([number for (number,) in lost])

    @rule(is_paused=st.sampled_from([False, False, True]))
    def pauses(self, is_paused: bool) -> None:
        (self.control.pause if is_paused else self.control.resume)("j")
        self.is_paused = is_paused

    @rule()
    def cancels(self) -> None:
        self.control.cancel("j")
        assert self.workers[0].counts()[0] == 0

    @rule(budget=st.none() | st.integers(0, 2000))
    def budgets(self, budget: int | None) -> None:
        self.control.set_budget("j", tokens=budget)
        self.budget = budget

    def _lapsing(self, owner: str) -> list[int]:
        rows = self.store.connection.execute(
            "SELECT a.id FROM attempt a JOIN job j ON j.call = a.call AND j.owner = a.owner "
            "WHERE a.outcome IS NULL AND j.lease_until < ? AND j.owner <> ?",
            (self.store.now(), owner),
        )
        return [number for (number,) in rows]

    def _lose(self, numbers: list[int]) -> None:
        for number in numbers:
            self.spent += self.open.pop(number)

    @invariant()
    def the_books_agree(self) -> None:
        connection = self.store.connection
        rows = connection.execute("SELECT id FROM verdict").fetchall()
        assert len(rows) == len(self.recorded)
        assert {row[0] for row in rows} == self.recorded
        jobs = {row[0] for row in connection.execute("SELECT key FROM job")}
        assert not jobs & self.recorded, "a job outlived its verdict"
        control = self.control.read("j")
        assert control.spent_tokens == self.spent
        assert control.held_tokens == sum(self.open.values())
        found = connection.execute("SELECT id FROM attempt WHERE outcome IS NULL").fetchall()
        assert {row[0] for row in found} == set(self.open)


def test_any_schedule_ends_with_each_verdict_once() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
def test_any_of_many_schedules_ends_with_each_verdict_once() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=1500,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
