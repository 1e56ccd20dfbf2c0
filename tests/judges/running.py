"""Running a judge without a study: a keeper in memory, and time that passes at once."""

from __future__ import annotations

import asyncio
import itertools
import random
import selectors
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from core.records import Verdict
from judges.calls import Call, Ended, Given, Got
from judges.endpoints import EndpointPool
from judges.policy import Policy
from judges.runner import Runner
from judges.tasks import JudgeLike, Task, verdict_id

T = TypeVar("T")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class _Skipping(selectors.DefaultSelector):
    """A selector that never waits: the loop's time goes on instead."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everything waits for something that will never come")
        if not ready and timeout:
            self.skipped += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock starts at 0 and jumps to the next thing that is due."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.skipped


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


class MemoryKeeper:
    """A queue in memory, with its own books.

    Attributes:
        verdicts: what was recorded, in order.
        ended: every call's end.
        open: calls written down and not ended.
        back: tasks that were given back.
    """

    def __init__(
        self, tasks: Iterable[Task], took: Callable[[Verdict], None] | None = None
    ) -> None:
        self._tasks: Iterator[Task] = iter(tasks)
        self._took = took
        self.verdicts: list[Verdict] = []
        self.ended: list[Ended] = []
        self.open: set[Call] = set()
        self.back: list[Call] = []
        self.drawn = 0
        self.is_paused = self.is_cancelled = False

    async def exchange(self, given: Given) -> Got:
        await asyncio.sleep(0)
        for ended in given.ended:
            assert ended.call in self.open, "a call ended that was not written down, or twice"
            self.open.remove(ended.call)
            self.ended.append(ended)
            if ended.is_back:
                self.back.append(ended.call)
            for verdict in ended.verdicts:
                self.verdicts.append(verdict)
                if self._took is not None:
                    self._took(verdict)
        self.back += given.back
        if self.is_paused:
            return Got(refused=given.begins, is_paused=True)
        self.open |= set(given.begins)
        taken = [Call(task.pair.key, (task,)) for task in itertools.islice(self._tasks, given.want)]
        self.drawn += len(taken)
        return Got(
            given.begins, (), taken, is_dry=len(taken) < given.want, is_cancelled=self.is_cancelled
        )


async def judge_all(
    judge: JudgeLike,
    tasks: Iterable[Task],
    *,
    concurrency: int = 8,
    policy: Policy | None = None,
    pool: EndpointPool | None = None,
    stop: asyncio.Event | None = None,
    on_pause: Callable[[float, str], None] | None = None,
    keeper: MemoryKeeper | None = None,
) -> list[Verdict]:
    """Every verdict on the tasks, in the order in which they came."""
    keeper = keeper or MemoryKeeper(tasks)
    if pool is None:
        policy = policy or Policy()
        pool = EndpointPool({}, concurrency, policy, random.Random(1), on_pause)
    runner = Runner(judge, keeper, pool, stop=stop, now=lambda: NOON, chance=random.Random(1))
    await runner.run()
    return keeper.verdicts


def keys(judge: JudgeLike, tasks: Iterable[Task]) -> list[str]:
    """The ids of the verdicts that are wanted."""
    return [verdict_id(judge.record, task) for task in tasks]
