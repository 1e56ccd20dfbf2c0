"""Every task that is taken up ends in one verdict; what a failure means is decided once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

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
from judges.policy import Policy
from judges.runner import POLL
from judges.tasks import NOTHING, Size, Task, verdict, verdict_id
from tests.judges.running import MemoryKeeper, at_once, judge_all
from tests.judges.samples import many

DOWN = Transient("503")


class Scripted:
    """A judge whose calls end as they are told to, by the number of the call.

    Attributes:
        takes: seconds that each call takes.
    """

    def __init__(
        self, outcome: Callable[[int, Task], Exception | None], takes: float = 0.0
    ) -> None:
        self.record = Judge("scripted", "baseline", "x")
        self.outcome = outcome
        self.takes = takes
        self.calls: list[tuple[float, Task]] = []
        self.under_way = self.most_under_way = 0

    async def judge(self, task: Task) -> Verdict:
        self.calls.append((asyncio.get_running_loop().time(), task))
        number = len(self.calls)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(self.takes)
        self.under_way -= 1
        if (error := self.outcome(number, task)) is not None:
            raise error
        return verdict(self.record, task, VerdictStatus.OK, Seen.LEFT)

    def failed(self, task: Task, error: str) -> Verdict:
        return verdict(self.record, task, VerdictStatus.FAILED, error=error)

    def size(self, tasks: Sequence[Task]) -> Size:
        return NOTHING

    async def close(self) -> None: ...


class Run:
    """One run with a scripted judge, in virtual time, collected."""

    def __init__(
        self, outcome: Callable[[int, Task], Exception | None], takes: float = 0.0
    ) -> None:
        self.judge = Scripted(outcome, takes)
        self.keeper = MemoryKeeper([])
        self.pauses: list[tuple[float, str]] = []
        self.error: TiebreakError | None = None

    def of(
        self,
        tasks: Iterable[Task],
        concurrency: int = 1,
        policy: Policy | None = None,
        stop: asyncio.Event | None = None,
        took: Callable[[Verdict], None] | None = None,
    ) -> Run:
        self.keeper = MemoryKeeper(tasks, took)
        try:
            at_once(
                judge_all(
                    self.judge,
                    [],
                    concurrency=concurrency,
                    policy=policy or Policy(),
                    stop=stop,
                    on_pause=lambda wait, why: self.pauses.append((wait, why)),
                    keeper=self.keeper,
                )
            )
        except TiebreakError as error:
            self.error = error
        assert not self.keeper.open, "a call was written down whose end was not"
        return self

    @property
    def verdicts(self) -> list[Verdict]:
        return self.keeper.verdicts

    @property
    def statuses(self) -> Counter[VerdictStatus]:
        return Counter(one.status for one in self.verdicts)

    @property
    def waits(self) -> list[float]:
        """The seconds between calls."""
        times = [time for time, _ in self.judge.calls]
        return [late - early for early, late in pairwise(times)]


def first_calls(*errors: Exception) -> Callable[[int, Task], Exception | None]:
    return lambda number, _task: errors[number - 1] if number <= len(errors) else None


@pytest.mark.parametrize("concurrency", [1, 7, 64])
def test_each_task_is_judged_once_and_no_more_at_once_than_allowed(concurrency: int) -> None:
    tasks = many(200)
    done = Run(lambda *_: None).of(tasks, concurrency)
    assert {v.id for v in done.verdicts} == {verdict_id(done.judge.record, t) for t in tasks}
    assert len(done.verdicts) == len(done.judge.calls) == 200
    assert done.judge.most_under_way == concurrency
    assert {(v.attempts, v.at) for v in done.verdicts} == {(1, "2026-01-01T12:00:00.000Z")}
    assert done.error is None


@pytest.mark.parametrize("takes", [0.0, 0.05])
@pytest.mark.parametrize("concurrency", [1, 4, 64])
def test_tasks_are_taken_up_not_far_ahead_of_verdicts(concurrency: int, takes: float) -> None:
    """Not where calls end faster than verdicts can be written, either."""
    most = 0
    done = Run(lambda *_: None, takes)

    def look(_: Verdict) -> None:
        nonlocal most
        most = max(most, done.keeper.drawn - len(done.verdicts))

    done.of(many(1000), concurrency, took=look)
    assert len(done.verdicts) == 1000
    assert min(concurrency, 32) <= most <= 4 * concurrency + 32


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
def test_how_often_each_class_is_tried(error: CallError, attempts: int) -> None:
    tasks = many(2)
    done = Run(lambda _, task: error if task is tasks[0] else None).of(tasks)
    failed, fine = sorted(done.verdicts, key=lambda one: one.status is VerdictStatus.OK)
    assert (failed.status, failed.attempts, failed.choice) == (
        VerdictStatus.FAILED,
        attempts,
        None,
    )
    assert failed.error == str(error)
    assert fine.status is VerdictStatus.OK
    assert len(done.judge.calls) == attempts + 1
    almost = Run(first_calls(*[error] * (attempts - 1))).of(many(1))
    assert [(v.status, v.attempts) for v in almost.verdicts] == [(VerdictStatus.OK, attempts)]


def test_back_off_doubles_with_jitter_up_to_its_longest() -> None:
    policy = Policy(transient=9, first_delay=1.0, longest_delay=20.0, trips=99)
    done = Run(lambda *_: DOWN).of(many(1), policy=policy)
    assert len(done.waits) == 8
    for wait, longest in zip(done.waits, [1, 2, 4, 8, 16, 20, 20, 20], strict=True):
        assert longest / 2 <= wait <= longest + POLL
    assert len(set(done.waits)) == 8


def test_a_rate_limit_pauses_the_endpoint_and_not_the_call() -> None:
    """While one call is told to wait, no other begins; all are judged in the end."""
    done = Run(first_calls(RateLimited("slow down", 30.0))).of(many(40), concurrency=8)
    assert done.statuses == {VerdictStatus.OK: 40}
    assert done.pauses == [(30.0, "slow down")]
    times = [time for time, _ in done.judge.calls]
    assert sum(time == 0 for time in times) <= 2 * 8
    assert all(time >= 30 for time in times if time > 0)
    assert sorted(v.attempts for v in done.verdicts) == [1] * 39 + [2]


def test_one_burst_of_refusals_is_one_pause() -> None:
    burst = [RateLimited("busy", None)] * 16
    done = Run(first_calls(*burst)).of(many(40), 16, Policy(rate_limited=3))
    assert done.error is None
    assert done.statuses == {VerdictStatus.OK: 40}
    assert len(done.pauses) == 1


def test_a_server_that_only_limits_is_given_up() -> None:
    done = Run(lambda *_: RateLimited("quota of the minute", 5.0)).of(many(40), 4)
    assert done.error is not None
    assert done.error.message == "gave up after 20 tries: quota of the minute"
    assert done.verdicts == [], "no task is marked as failed for it"
    assert len(done.pauses) == 19


def test_a_pause_that_is_too_long_stops_the_run() -> None:
    done = Run(first_calls(RateLimited("tomorrow", 86_400.0))).of(many(4))
    assert done.error is not None
    assert "asks to wait 86400 s" in done.error.message
    assert max(time for time, _ in done.judge.calls) == 0


def test_a_server_that_comes_up_late_is_waited_for() -> None:
    done = Run(first_calls(*[Unreachable("refused")] * 5)).of(many(3))
    assert done.error is None
    assert done.statuses == {VerdictStatus.OK: 3}


def test_a_server_that_never_comes_up_stops_the_run() -> None:
    done = Run(lambda *_: Unreachable("cannot reach http://x")).of(many(100), 16)
    assert done.error is not None
    assert "gave up after 6 tries: cannot reach http://x" in done.error.message
    assert done.verdicts == []


def test_a_refused_key_stops_the_run_and_keeps_what_was_had() -> None:
    def outcome(number: int, _task: Task) -> Exception | None:
        return JobFatal("401: no", "check MY_KEY") if number > 10 else None

    done = Run(outcome).of(many(50), 4)
    assert done.error is not None
    assert (done.error.message, done.error.hint) == ("401: no", "check MY_KEY")
    assert done.statuses == {VerdictStatus.OK: 10}
    assert len(done.judge.calls) <= 10 + 4


def test_a_judge_that_cannot_take_the_task_stops_the_run() -> None:
    done = Run(first_calls(TiebreakError("no variant"))).of(many(3))
    assert done.error is not None
    assert done.error.message == "no variant"
    assert done.verdicts == []


def test_an_odd_task_does_not_end_the_run() -> None:
    done = Run(first_calls(ZeroDivisionError("odd"))).of(many(3))
    assert done.error is None
    assert [v.status for v in done.verdicts] == [VerdictStatus.FAILED] + [VerdictStatus.OK] * 2
    assert done.verdicts[0].error == "ZeroDivisionError: odd"


def test_a_hopeless_start_is_cut_short() -> None:
    done = Run(lambda *_: Rejected("400: bad parameter")).of(many(100), 2)
    assert done.error is not None
    assert "10 tasks in a row failed, the last with: 400: bad parameter" in done.error.message
    assert 10 <= done.statuses[VerdictStatus.FAILED] <= 11


def test_many_failures_between_replies_are_no_reason_to_stop() -> None:
    done = Run(lambda n, _: Rejected("400") if n % 10 else None).of(many(300))
    assert done.error is None
    assert done.statuses == {VerdictStatus.FAILED: 270, VerdictStatus.OK: 30}


def test_long_questions_in_a_row_are_no_reason_to_stop() -> None:
    done = Run(lambda *_: TooLong("4097 > 4096")).of(many(120))
    assert done.error is None
    assert done.statuses == {VerdictStatus.FAILED: 120}


def test_stop_lets_calls_under_way_finish_and_begins_none() -> None:
    stop = asyncio.Event()

    def outcome(number: int, _task: Task) -> None:
        if number == 5:
            stop.set()

    done = Run(outcome).of(many(100), 4, stop=stop)
    assert done.error is None
    assert len(done.verdicts) == len(done.judge.calls) < 10


def test_stop_ends_a_long_pause_and_leaves_the_task() -> None:
    keeper = MemoryKeeper(many(3))

    async def stopped() -> float:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        loop.call_later(5, stop.set)
        judge = Scripted(lambda *_: RateLimited("wait", 600.0))
        assert await judge_all(judge, [], stop=stop, keeper=keeper) == []
        assert len(asyncio.all_tasks()) == 1
        return loop.time()

    assert 5 <= at_once(stopped()) < 6
    assert {call.name for call in keeper.back} == {task.pair.key for task in many(3)}
    assert keeper.open == set()


def test_a_run_that_is_dropped_gives_everything_back() -> None:
    keeper = MemoryKeeper(many(100))

    async def dropped() -> None:
        judge = Scripted(lambda *_: None, takes=1.0)
        running = asyncio.create_task(judge_all(judge, [], concurrency=8, keeper=keeper))
        await asyncio.sleep(2.5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    at_once(dropped())
    assert len(keeper.verdicts) == 16
    dropped_calls = [one for one in keeper.ended if one.outcome == "dropped"]
    assert len(dropped_calls) == 8
    assert all(one.may_be_charged and one.is_back for one in dropped_calls)
    assert len(keeper.verdicts) + len(keeper.back) == keeper.drawn
    assert keeper.open == set()


def test_a_queue_that_breaks_is_the_caller_s_error() -> None:
    def tasks() -> Iterator[Task]:
        yield from many(2)
        raise OSError("the study went away")

    with pytest.raises(OSError, match="went away"):
        Run(lambda *_: None).of(tasks())


def test_every_task_is_accounted_for_under_mixed_failures() -> None:
    chance = random.Random(7)
    kinds = [DOWN, TimedOut("t"), Garbled("g"), Rejected("r"), RateLimited("l", 1.0), None, None]

    def outcome(*_: object) -> Exception | None:
        return chance.choice(kinds)

    tasks = many(500)
    done = Run(outcome).of(tasks, 32)
    assert done.error is None
    assert Counter(v.id for v in done.verdicts) == Counter(
        verdict_id(done.judge.record, task) for task in tasks
    )
    assert sum(v.attempts for v in done.verdicts) == len(done.judge.calls)
    assert done.statuses[VerdictStatus.OK] > 0
    assert done.statuses[VerdictStatus.FAILED] > 0
    assert {v.choice for v in done.verdicts} == {None, Choice.MODEL_1}


@pytest.mark.parametrize("error", [DOWN, TimedOut("slow")])
def test_a_server_that_only_fails_is_given_up_and_no_task_is_failed_for_it(
    error: CallError,
) -> None:
    done = Run(lambda *_: error, takes=0.1).of(many(240), 8)
    assert done.error is not None
    assert "calls in a row failed" in done.error.message
    assert done.verdicts == []
    assert len(done.judge.calls) < 40, "it was hammered"
    assert max(time for time, _ in done.judge.calls) < 180


def test_requests_that_always_fail_hold_up_no_others() -> None:
    tasks = many(240)
    bad = {id(task) for task in tasks[::2]}
    done = Run(lambda _, task: DOWN if id(task) in bad else None, takes=0.1).of(tasks, 8)
    assert done.error is None
    assert done.statuses == {VerdictStatus.OK: 120, VerdictStatus.FAILED: 120}
    last = max(time for time, task in done.judge.calls if id(task) not in bad)
    assert last < 60
    assert {v.attempts for v in done.verdicts if v.status is not VerdictStatus.OK} == {6}


@pytest.mark.parametrize(("takes", "most"), [(20.0, 16), (0.05, 40)])
def test_what_is_taken_up_is_about_to_be_begun(takes: float, most: int) -> None:
    """A vote cast now comes before what nobody has taken up, and after what somebody has."""
    done = Run(lambda *_: None, takes)
    ahead = []

    def look(_: Verdict) -> None:
        ahead.append(keeper.drawn - len(keeper.verdicts) - done.judge.under_way)

    keeper = MemoryKeeper(many(240), look)
    at_once(judge_all(done.judge, [], concurrency=8, keeper=keeper))
    assert len(keeper.verdicts) == 240
    assert 0 < max(ahead) <= most


@pytest.mark.parametrize("takes", [20.0, 1.0])
def test_what_is_written_down_is_about_to_be_sent(takes: float) -> None:
    """Whoever is killed has lost what was sent, not what was to be sent much later."""
    most = 0
    done = Run(lambda *_: None, takes)

    def look(_: Verdict) -> None:
        nonlocal most
        most = max(most, len(done.keeper.open) - done.judge.under_way)

    done.of(many(100), 8, took=look)
    assert done.statuses == {VerdictStatus.OK: 100}
    assert most <= 8, "the calls that ended and are being recorded, and no others"


def test_nothing_is_written_down_ahead_of_a_pause() -> None:
    done = Run(lambda n, _: RateLimited("wait", 30.0) if n % 20 == 0 else None, takes=0.01)
    keeper = MemoryKeeper(many(60))
    seen = []

    async def watched() -> None:
        running = asyncio.create_task(judge_all(done.judge, [], concurrency=4, keeper=keeper))
        while not running.done():
            await asyncio.sleep(5)
            seen.append((done.judge.under_way, len(keeper.open)))
        await running

    at_once(watched())
    waiting = [count for under_way, count in seen if not under_way]
    assert len(waiting) > 3
    assert max(waiting) <= 12
