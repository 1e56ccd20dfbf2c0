"""Every task that is taken up ends in one verdict; what a failure means is decided once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from core.errors import TiebreakError
from core.records import Choice, Judge, Seen, Verdict, VerdictStatus
from judges.outcomes import (
    CallError,
    Garbled,
    JobFatal,
    RateLimited,
    Rejected,
    TimedOut,
    TooLong,
    Transient,
    Unreachable,
)
from judges.runner import Policy, Task, run, verdict_id
from judges.tasks import verdict
from tests.judges.samples import many

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DOWN = Transient("503")


class Clock:
    """Time that passes only while somebody sleeps, and for all sleepers together."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.time + seconds
        await asyncio.sleep(0)
        self.time = max(self.time, until)


class Scripted:
    """A judge whose calls end as they are told to, by the number of the call."""

    def __init__(self, outcome: Callable[[int, Task], Exception | None], clock: Clock) -> None:
        self.record = Judge("scripted", "baseline", "x")
        self.outcome = outcome
        self.clock = clock
        self.calls: list[tuple[float, Task]] = []
        self.under_way = self.most_under_way = 0

    async def judge(self, task: Task) -> Verdict:
        self.calls.append((self.clock(), task))
        number = len(self.calls)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if (error := self.outcome(number, task)) is not None:
            raise error
        return verdict(self.record, task, VerdictStatus.OK, Seen.LEFT)

    def failed(self, task: Task, error: str) -> Verdict:
        return verdict(self.record, task, VerdictStatus.FAILED, error=error)

    async def close(self) -> None: ...


class Run:
    """One run with a scripted judge, collected."""

    def __init__(self, outcome: Callable[[int, Task], Exception | None]) -> None:
        self.clock = Clock()
        self.judge = Scripted(outcome, self.clock)
        self.verdicts: list[Verdict] = []
        self.pauses: list[tuple[float, str]] = []
        self.error: TiebreakError | None = None

    async def of(
        self,
        tasks: list[Task],
        concurrency: int = 1,
        policy: Policy | None = None,
        stop: asyncio.Event | None = None,
    ) -> Run:
        try:
            async for one in run(
                self.judge,
                tasks,
                concurrency=concurrency,
                policy=policy or Policy(),
                stop=stop,
                on_pause=lambda wait, why: self.pauses.append((wait, why)),
                sleep=self.clock.sleep,
                clock=self.clock,
                now=lambda: NOON,
                chance=random.Random(1),
            ):
                self.verdicts.append(one)
        except TiebreakError as error:
            self.error = error
        return self

    @property
    def statuses(self) -> Counter[VerdictStatus]:
        return Counter(one.status for one in self.verdicts)


def first_calls(*errors: Exception) -> Callable[[int, Task], Exception | None]:
    return lambda number, _task: errors[number - 1] if number <= len(errors) else None


@pytest.mark.parametrize("concurrency", [1, 7, 64])
async def test_each_task_is_judged_once_and_no_more_at_once_than_allowed(concurrency: int) -> None:
    tasks = many(200)
    done = await Run(lambda *_: None).of(tasks, concurrency)
    assert {v.id for v in done.verdicts} == {verdict_id(done.judge.record, t) for t in tasks}
    assert len(done.verdicts) == len(done.judge.calls) == 200
    assert done.judge.most_under_way == concurrency
    assert {(v.attempts, v.at) for v in done.verdicts} == {(1, "2026-01-01T12:00:00.000Z")}
    assert done.error is None


async def test_tasks_are_drawn_no_further_ahead_than_verdicts_are_taken() -> None:
    drawn = 0

    def endless() -> Iterator[Task]:
        nonlocal drawn
        while True:
            drawn += 1
            yield many(1)[0]

    judge = Scripted(lambda *_: None, Clock())
    async with aclosing(run(judge, endless(), concurrency=4)) as verdicts:
        async for _ in verdicts:
            await asyncio.sleep(0.01)
            break
    assert drawn <= 1 + 4 + 4 + 1, "one taken, a queue of four, four workers"
    assert len([t for t in asyncio.all_tasks() if t is not asyncio.current_task()]) == 0


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (Transient("503"), 6),
        (TimedOut("slow"), 3),
        (Garbled("html"), 2),
        (Rejected("400"), 1),
        (TooLong("4097 > 4096"), 1),
    ],
)
async def test_how_often_each_class_is_tried(error: CallError, attempts: int) -> None:
    tasks = many(2)
    done = await Run(lambda _, task: error if task is tasks[0] else None).of(tasks)
    failed, fine = done.verdicts
    assert (failed.status, failed.attempts, failed.choice) == (
        VerdictStatus.FAILED,
        attempts,
        None,
    )
    assert failed.error == str(error)
    assert fine.status is VerdictStatus.OK
    assert len(done.judge.calls) == attempts + 1
    almost = await Run(first_calls(*[error] * (attempts - 1))).of(many(1))
    assert [(v.status, v.attempts) for v in almost.verdicts] == [(VerdictStatus.OK, attempts)]


async def test_back_off_doubles_with_jitter_up_to_its_longest() -> None:
    policy = Policy(transient=9, first_delay=1.0, longest_delay=20.0)
    done = await Run(lambda *_: DOWN).of(many(1), policy=policy)
    assert len(done.clock.slept) == 8
    for wait, longest in zip(done.clock.slept, [1, 2, 4, 8, 16, 20, 20, 20], strict=True):
        assert longest / 2 <= wait <= longest
    assert len(set(done.clock.slept)) == 8


async def test_a_rate_limit_pauses_the_endpoint_and_not_the_call() -> None:
    """While one call is told to wait, no other begins; all are judged in the end."""
    done = await Run(first_calls(RateLimited("slow down", 30.0))).of(many(40), concurrency=8)
    assert done.statuses == {VerdictStatus.OK: 40}
    assert done.pauses == [(30.0, "slow down")]
    times = [time for time, _ in done.judge.calls]
    assert sum(time == 0 for time in times) <= 2 * 8
    assert all(time >= 30 for time in times if time > 0)
    assert sorted(v.attempts for v in done.verdicts) == [1] * 39 + [2]


async def test_one_burst_of_refusals_is_one_pause() -> None:
    burst = [RateLimited("busy", None)] * 16
    done = await Run(first_calls(*burst)).of(many(40), 16, Policy(rate_limited=3))
    assert done.error is None
    assert done.statuses == {VerdictStatus.OK: 40}
    assert len(done.pauses) == 1


async def test_a_server_that_only_limits_is_given_up() -> None:
    done = await Run(lambda *_: RateLimited("quota of the minute", 5.0)).of(many(40), 4)
    assert done.error is not None
    assert done.error.message == "gave up after 20 tries: quota of the minute"
    assert done.verdicts == [], "no task is marked as failed for it"
    assert len(done.pauses) == 19


async def test_a_pause_that_is_too_long_stops_the_run() -> None:
    done = await Run(first_calls(RateLimited("tomorrow", 86_400.0))).of(many(4))
    assert done.error is not None
    assert "asks to wait 86400 s" in done.error.message
    assert done.clock.slept == []


async def test_a_server_that_comes_up_late_is_waited_for() -> None:
    done = await Run(first_calls(*[Unreachable("refused")] * 5)).of(many(3))
    assert done.error is None
    assert done.statuses == {VerdictStatus.OK: 3}


async def test_a_server_that_never_comes_up_stops_the_run() -> None:
    done = await Run(lambda *_: Unreachable("cannot reach http://x")).of(many(100), 16)
    assert done.error is not None
    assert "gave up after 6 tries: cannot reach http://x" in done.error.message
    assert done.verdicts == []


async def test_a_refused_key_stops_the_run_and_keeps_what_was_had() -> None:
    def outcome(number: int, _task: Task) -> Exception | None:
        return JobFatal("401: no", "check MY_KEY") if number > 10 else None

    done = await Run(outcome).of(many(50), 4)
    assert done.error is not None
    assert (done.error.message, done.error.hint) == ("401: no", "check MY_KEY")
    assert done.statuses == {VerdictStatus.OK: 10}
    assert len(done.judge.calls) <= 10 + 4


async def test_a_judge_that_cannot_take_the_task_stops_the_run() -> None:
    done = await Run(first_calls(TiebreakError("no variant"))).of(many(3))
    assert done.error is not None
    assert done.error.message == "no variant"
    assert done.verdicts == []


async def test_an_odd_task_does_not_end_the_run() -> None:
    done = await Run(first_calls(ZeroDivisionError("odd"))).of(many(3))
    assert done.error is None
    assert [v.status for v in done.verdicts] == [VerdictStatus.FAILED] + [VerdictStatus.OK] * 2
    assert done.verdicts[0].error == "ZeroDivisionError: odd"


async def test_a_hopeless_start_is_cut_short() -> None:
    done = await Run(lambda *_: Rejected("400: bad parameter")).of(many(100), 2)
    assert done.error is not None
    assert "10 tasks in a row failed, the last with: 400: bad parameter" in done.error.message
    assert 10 <= done.statuses[VerdictStatus.FAILED] <= 11


async def test_many_failures_between_replies_are_no_reason_to_stop() -> None:
    done = await Run(lambda n, _: Rejected("400") if n % 10 else None).of(many(300))
    assert done.error is None
    assert done.statuses == {VerdictStatus.FAILED: 270, VerdictStatus.OK: 30}


async def test_long_questions_in_a_row_are_no_reason_to_stop() -> None:
    done = await Run(lambda *_: TooLong("4097 > 4096")).of(many(120))
    assert done.error is None
    assert done.statuses == {VerdictStatus.FAILED: 120}


async def test_stop_lets_calls_under_way_finish_and_begins_none() -> None:
    stop = asyncio.Event()

    def outcome(number: int, _task: Task) -> None:
        if number == 5:
            stop.set()

    done = await Run(outcome).of(many(100), 4, stop=stop)
    assert done.error is None
    assert len(done.verdicts) == len(done.judge.calls) < 10


async def test_stop_ends_a_long_pause_and_leaves_the_task() -> None:
    stop = asyncio.Event()
    judge = Scripted(lambda *_: RateLimited("wait", 600.0), Clock())
    asyncio.get_running_loop().call_later(0.05, stop.set)
    async with asyncio.timeout(5):
        assert [v async for v in run(judge, many(3), stop=stop)] == []


async def test_leaving_early_leaves_nothing_behind() -> None:
    judge = Scripted(lambda *_: None, Clock())
    async with aclosing(run(judge, many(100), concurrency=8)) as verdicts:
        async for _ in verdicts:
            break
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_callers_broken_tasks_are_the_callers_error() -> None:
    def tasks() -> Iterator[Task]:
        yield from many(2)
        raise OSError("the study went away")

    got = []

    async def collect() -> None:
        async for one in run(Scripted(lambda *_: None, Clock()), tasks(), concurrency=1):
            got.append(one)

    with pytest.raises(OSError, match="went away"):
        await collect()
    assert len(got) == 2, "what came before the error is kept"


async def test_every_task_is_accounted_for_under_mixed_failures() -> None:
    chance = random.Random(7)
    kinds = [DOWN, TimedOut("t"), Garbled("g"), Rejected("r"), RateLimited("l", 1.0), None, None]

    def outcome(*_: object) -> Exception | None:
        return chance.choice(kinds)

    tasks = many(500)
    done = await Run(outcome).of(tasks, 32)
    assert done.error is None
    assert Counter(v.id for v in done.verdicts) == Counter(
        verdict_id(done.judge.record, task) for task in tasks
    )
    assert sum(v.attempts for v in done.verdicts) == len(done.judge.calls)
    assert done.statuses[VerdictStatus.OK] > 0
    assert done.statuses[VerdictStatus.FAILED] > 0
    assert {v.choice for v in done.verdicts} == {None, Choice.MODEL_1}


async def test_no_concurrency_is_refused() -> None:
    with pytest.raises(ValueError, match="concurrency"):
        await anext(run(Scripted(lambda *_: None, Clock()), [], concurrency=0))
