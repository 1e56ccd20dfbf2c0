"""Puts tasks to a judge, many at once, and yields verdicts as they come.

Every task that was taken up ends in one verdict, or is left for another run where the run
itself was stopped. What one call's failure means for the next is decided here and only here.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from core.errors import TiebreakError
from core.records import Verdict
from core.times import stamp
from judges.models import make_judge, new_judge
from judges.outcomes import (
    CallError,
    Garbled,
    JobFatal,
    RateLimited,
    Rejected,
    TimedOut,
    TooLong,
    Unreachable,
)
from judges.tasks import JudgeLike, Task, both_orders, verdict_id

__all__ = [
    "JudgeLike",
    "Policy",
    "Task",
    "both_orders",
    "make_judge",
    "new_judge",
    "run",
    "verdict_id",
]


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how long to try, by class of error. Times are in seconds.

    Attributes:
        transient: attempts at a task whose calls end in 5xx or a lost connection.
        timed_out: attempts at a task whose calls end in a time-out.
        garbled: attempts at a task whose answers are no chat completions.
        unreachable: attempts to connect, one after another, before the run stops.
        rate_limited: pauses in a row, with no reply between them, before the run stops.
        first_delay: the back-off after a first failure; it doubles each time.
        longest_delay: the longest back-off.
        longest_pause: a server that asks for more than this stops the run.
        hopeless_at_start: tasks given up in a row, before any reply at all, that stop the run.
        hopeless: tasks given up in a row, later on, that stop the run.
    """

    transient: int = 6
    timed_out: int = 3
    garbled: int = 2
    unreachable: int = 6
    rate_limited: int = 20
    first_delay: float = 0.5
    longest_delay: float = 30.0
    longest_pause: float = 900.0
    hopeless_at_start: int = 10
    hopeless: int = 50

    def attempts(self, error: CallError) -> int:
        """How many attempts a task gets that ends in this error."""
        if isinstance(error, Rejected):
            return 1
        if isinstance(error, Garbled):
            return self.garbled
        return self.timed_out if isinstance(error, TimedOut) else self.transient


def _utc() -> datetime:
    return datetime.now(UTC)


async def run(
    judge: JudgeLike,
    tasks: Iterable[Task],
    *,
    concurrency: int = 8,
    policy: Policy = Policy(),
    stop: asyncio.Event | None = None,
    on_pause: Callable[[float, str], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = _utc,
    chance: random.Random | None = None,
) -> AsyncGenerator[Verdict, None]:
    """Judge tasks, with at most ``concurrency`` of them under way at once.

    Tasks are drawn as slots become free, and no further ahead than verdicts are taken. A task
    that fails becomes a verdict with its status and error. Leave the iteration early through
    ``contextlib.aclosing``: calls under way are then dropped, unrecorded.

    Args:
        stop: once set, no call begins any more; calls under way still give their verdicts.
        on_pause: told when the endpoint pauses: for how many seconds, and why.
        sleep: waits some seconds.
        clock: monotonic seconds.
        now: the time of day, for :attr:`core.records.Verdict.at`.
        chance: jitters the waits.

    Yields:
        Verdicts, in the order in which they come. ``attempts`` counts all calls of the task.

    Raises:
        TiebreakError: nothing further can be judged: the key is refused, the model is unknown,
            the server cannot be reached. Verdicts had until then have been yielded, and tasks
            without one are left as they were.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}, not at least 1")
    job = _Job(
        judge,
        iter(tasks),
        policy,
        stop,
        on_pause,
        sleep,
        clock,
        now,
        chance or random.Random(),
        asyncio.Queue(concurrency),
        resume_at=clock(),
    )
    working = asyncio.create_task(job.work_all(concurrency))
    try:
        while (verdict := await job.results.get()) is not None:
            yield verdict
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    if job.broken is not None:
        raise job.broken


@dataclass
class _Job:
    """One run: its tasks, its results, and how its endpoint is doing.

    Attributes:
        resume_at: no call begins before this time of the clock.
        pauses: pauses in a row without a reply between them, by class of error.
        given_up: tasks in a row for which there was no reply.
        heard: whether there has been any reply at all.
        broken: why nothing further can be judged.
    """

    judge: JudgeLike
    tasks: Iterator[Task]
    policy: Policy
    stop: asyncio.Event | None
    on_pause: Callable[[float, str], None] | None
    sleep: Callable[[float], Awaitable[None]]
    clock: Callable[[], float]
    now: Callable[[], datetime]
    chance: random.Random
    results: asyncio.Queue[Verdict | None]
    resume_at: float
    pauses: Counter[type[CallError]] = field(default_factory=Counter)
    given_up: int = 0
    heard: bool = False
    broken: Exception | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def work_all(self, concurrency: int) -> None:
        """Work until the tasks or the hope are used up, then say so with a last None."""
        watching = asyncio.create_task(self._watch())
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(concurrency):
                    workers.create_task(self._work())
        except ExceptionGroup as errors:
            self.broken = errors.exceptions[0]  # drawing a task failed: the caller's own error
        finally:
            watching.cancel()
        await self.results.put(None)

    async def _watch(self) -> None:
        if self.stop is not None:
            await self.stop.wait()
            self.ended.set()

    async def _work(self) -> None:
        while not self._over() and (task := next(self.tasks, None)) is not None:
            if (verdict := await self._settle(task)) is not None:
                await self.results.put(verdict)

    async def _settle(self, task: Task) -> Verdict | None:
        """Judge one task with as many attempts as it may have; None if the run ended first."""
        attempts = 0
        tried: Counter[type[CallError]] = Counter()
        while await self._may_call():
            attempts += 1
            try:
                verdict = await self.judge.judge(task)
            except TiebreakError as error:
                self._end(error)
            except CallError as error:
                tried[type(error)] += 1
                wait = self._wait(error, tried[type(error)])
                if wait is None:
                    return self._give_up(task, error, attempts)
                await self._nap(wait)
            except Exception as error:  # noqa: BLE001 - one odd task must not end the run
                return self._give_up(task, error, attempts)
            else:
                self.heard = True
                self.given_up = 0
                self.pauses.clear()
                return self._stamped(verdict, attempts)
        return None

    def _wait(self, error: CallError, tries: int) -> float | None:
        """Seconds until the task's next attempt; None if it has had all it gets."""
        if isinstance(error, JobFatal):
            self._end(TiebreakError(str(error), error.hint))
        elif isinstance(error, RateLimited):
            self._pause(error, error.wait, self.policy.rate_limited)
        elif isinstance(error, Unreachable):
            self._pause(error, None, self.policy.unreachable)
        elif tries >= self.policy.attempts(error):
            return None
        else:
            return self._back_off(tries)
        return 0.0

    def _pause(self, error: CallError, asked: float | None, most: int) -> None:
        """Let no call begin for a while; end the run if pausing has not helped."""
        kind, paused = type(error), self.clock() < self.resume_at
        # Calls that were under way together fail together: that is one pause, not many.
        if not paused:
            self.pauses[kind] += 1
        if self.pauses[kind] >= most:
            self._end(TiebreakError(f"gave up after {most} tries: {error}", _AGAIN))
            return
        wait = self._back_off(max(1, self.pauses[kind])) if asked is None else asked
        if wait > self.policy.longest_pause:
            self._end(TiebreakError(f"the server asks to wait {wait:.0f} s: {error}", _AGAIN))
            return
        if paused and asked is None:
            return
        self.resume_at = max(self.resume_at, self.clock() + wait)
        if self.on_pause is not None and not paused:
            self.on_pause(wait, str(error))

    def _back_off(self, tries: int) -> float:
        """Doubling waits, each cut by up to half so that calls do not return in step."""
        longest = min(
            self.policy.longest_delay, self.policy.first_delay * 2.0 ** min(tries - 1, 30)
        )
        return longest * (0.5 + self.chance.random() / 2)

    def _give_up(self, task: Task, error: Exception, attempts: int) -> Verdict:
        """Record a task as failed; end the run if it has become hopeless."""
        words = str(error) if isinstance(error, CallError) else f"{type(error).__name__}: {error}"
        if not isinstance(error, TooLong):
            self.given_up += 1
        most = self.policy.hopeless if self.heard else self.policy.hopeless_at_start
        if self.given_up >= most:
            message = f"{self.given_up} tasks in a row failed, the last with: {words}"
            self._end(TiebreakError(message, _AGAIN))
        return self._stamped(self.judge.failed(task, words), attempts)

    def _stamped(self, verdict: Verdict, attempts: int) -> Verdict:
        return replace(verdict, attempts=attempts, at=stamp(self.now()))

    def _end(self, error: TiebreakError) -> None:
        self.broken = self.broken or error
        self.ended.set()

    def _over(self) -> bool:
        return self.ended.is_set() or (self.stop is not None and self.stop.is_set())

    async def _may_call(self) -> bool:
        """Wait while the endpoint pauses; False once the run has ended."""
        while not self._over():
            wait = self.resume_at - self.clock()
            if wait <= 0:
                return True
            await self._nap(wait * (1 + self.chance.random() / 10))
        return False

    async def _nap(self, seconds: float) -> None:
        """Sleep, or until the run ends."""
        if seconds <= 0:
            return
        sleeping = asyncio.ensure_future(self.sleep(seconds))
        ending = asyncio.ensure_future(self.ended.wait())
        try:
            await asyncio.wait({sleeping, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            ending.cancel()


_AGAIN = "verdicts had so far are kept; check the server, then start the judge again"
