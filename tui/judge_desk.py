"""One worker's place at a judge's queue, where the queue and the judge meet.

SQLite is written in a thread of its own, in short transactions, so that the loop that talks to
servers never waits for the disk and people who vote never wait for a judge.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from core.records import Verdict
from db.judge_control import Control
from db.judge_left import Scope, Wanted
from db.judge_queue import JudgeQueue
from db.judge_work import NO_ROOM, Begin, End, Job, Work
from db.judging import Asked
from db.leases import Silence
from db.processes import process_name
from db.store import Store
from judges.calls import Call, Ended, Given, Got
from judges.client import TIMEOUT
from judges.tasks import JudgeLike, Task, verdict_names
from tui.giving_way import start

TURN = 0.015
"""Seconds between two transactions at the least: what comes meanwhile is written together."""

_BEAT = 1.0
"""Seconds between two signs of life, which renew leases and look for new votes."""

_FILL = 0.05
"""Seconds that finding more work takes at a time, while verdicts wait to be written."""

_MARGIN = 120.0
"""Seconds beyond the longest call for which a process that hangs keeps its jobs."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is to do.

    Attributes:
        concurrency: calls under way at once, at most.
        limit: at most this many verdicts.
        repeats: how often each question is put.
        orders: both orders of each pair, or only as people were shown it.
        retry_failed: once more, first, what failed in an earlier run.
        unread: attempts at a task whose replies hold no verdict.
        pace: seconds between the calls of each worker; for showing the work, not for doing it.
        turn: seconds between two transactions at the least; more leaves the disk to those who vote.
    """

    concurrency: int = 8
    limit: int | None = None
    repeats: int = 1
    orders: Literal["both", "as-shown"] = "both"
    retry_failed: bool = False
    unread: int = 1
    pace: float = 0.0
    turn: float = TURN


@dataclass(slots=True)
class _Place:
    """What the desk knows of a call: its jobs, and its attempt while it is under way."""

    jobs: list[Job]
    attempt: int = 0


class Desk:
    """A keeper, see :class:`judges.calls.Keeper`.

    Args:
        study: the study file; it is opened in the desk's own thread.
        judge: whose work it is; asked for how much its calls send.
        on_note: told that another process holds the study, and that it does no more.

    Attributes:
        recorded: how many verdicts this worker has recorded.
        control: how the work is to go on, as it was read last.
    """

    def __init__(
        self,
        study: Path,
        judge: JudgeLike,
        order: Order,
        on_note: Callable[[str], None] | None = None,
    ) -> None:
        self.recorded = 0
        self.control = Control()
        self._study = study
        self._judge = judge
        self._order = order
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="judge-queue")
        self._store: Store | None = None
        self._on_note = on_note
        self._waits = self._hurries = False
        self._turned = self._beaten = 0.0
        self._taken = 0
        self._is_dry = self._is_in = False

    async def open(self) -> None:
        """Open the study and take a place.

        Raises:
            TiebreakError: if the study cannot be opened.
        """
        start(self._thread)
        await self._in_thread(self._open)

    async def exchange(self, given: Given) -> Got:
        """Write down what is given, and hand out more."""
        return await self._in_thread(lambda: self._exchange(given))

    async def close(self, note: str = "") -> None:
        """Give back whatever is left, and leave.

        Args:
            note: why the work stopped, where it was not for want of it.
        """
        try:
            await self._in_thread(lambda: self._close(note))
        finally:
            self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        self._loop = asyncio.get_running_loop()
        try:
            return await self._loop.run_in_executor(self._thread, work)
        except asyncio.CancelledError:
            self._hurries = True  # somebody wants to be gone
            raise

    # ── in the thread ───────────────────────────────────────────────────────

    def _open(self) -> None:
        record = self._judge.record
        self._store = Store(self._study)
        self._store.on_busy = self._wait_for_others
        silence = Silence(float(record.parameters.get("timeout", TIMEOUT)) + _MARGIN)
        self._queue = JudgeQueue(self._store, record.name, process_name(), silence=silence)
        self._queue.return_lost()
        self._look_at_servers()
        self.control = self._queue.control()
        self._cancels = self.control.cancels
        if self._queue.counts()[0]:
            self._enter()
        self._frontier = self._queue.frontier(
            scope_of(self._judge, self._order), verdict_names(record)
        )
        for portion in self._frontier.failed():  # ahead of what waits in the queue already
            self._enter()
            self._queue.fill(portion)
        self._portions: Iterator[list[Wanted]] = self._frontier.portions()

    def _look_at_servers(self) -> None:
        assert self._store is not None
        servers = self._store.endpoints.of(self._judge.record.name)
        # Which of several takes a call is known once it is sent.
        self._address = servers[0].address if len(servers) == 1 else ""

    def _enter(self) -> None:
        """Take the place, once there is work: who only looks leaves no trace in the study."""
        if not self._is_in:
            self._queue.enter()
            self._is_in = True

    def _close(self, note: str) -> None:
        if self._store is not None:
            try:
                if self._is_in:
                    self._queue.leave(note)
            finally:
                self._store.close()

    def _wait_for_others(self) -> bool:
        """Wait for a process that holds the study; what servers replied is kept until then."""
        if not self._waits:
            self._waits = True
            self._say("another process holds the study; waits for it, and keeps what comes")
        return not self._hurries

    def _say(self, words: str) -> None:
        if self._on_note is not None:
            self._loop.call_soon_threadsafe(self._on_note, words)

    def _exchange(self, given: Given) -> Got:
        time.sleep(max(0.0, self._turned + self._order.turn - time.monotonic()))
        self._turned = time.monotonic()
        if self._is_in and self._turned - self._beaten > _BEAT:
            self._beat(given)
        work = self._work(given)
        turned = self._queue.turn(work if self._is_in else replace(work, want=0))
        if self._waits:
            self._waits = False
            self._say("the study is free again")
        self.control = turned.control
        self.recorded += turned.recorded
        begun, refused = [], []
        for call, attempt in zip(given.begins, turned.begun, strict=True):
            if attempt > 0:
                call.place.attempt = attempt
                begun.append(call)
            elif attempt == NO_ROOM:
                refused.append(call)
        leased = turned.leased
        if len(leased) < work.want and not self.control.paused:
            leased = leased + self._find(work.want - len(leased))
        elif work.want:
            self._is_dry = False
        self._taken += len(leased)
        control = self.control
        has_held = control.held_tokens or control.held_cost or control.held_unknown
        prices = (control.price_in, control.price_out)
        return Got(
            begun,
            refused,
            self._calls(leased),
            is_dry=self._is_dry or self._has_enough,
            is_paused=control.paused,
            is_cancelled=control.cancels != self._cancels,
            is_spent=bool(refused) and not begun and not has_held and not control.paused,
            prices=None if prices[0] is None or prices[1] is None else (prices[0], prices[1]),
        )

    @property
    def _has_enough(self) -> bool:
        return self._order.limit is not None and self._taken >= self._order.limit

    def _work(self, given: Given) -> Work:
        work = Work()
        for ended in given.ended:
            place: _Place = ended.call.place
            work.ends.append(self._end(ended))
            work.verdicts += _named(place, ended.verdicts)
            if ended.is_back:
                work.returned += [(job.id, ended.wait) for job in place.jobs]
        work.returned += [(job.id, 0.0) for call in given.back for job in call.place.jobs]
        self._taken -= len(work.returned)
        work.begins = [self._begin(call) for call in given.begins]
        limit = self._order.limit
        work.want = given.want if limit is None else min(given.want, max(0, limit - self._taken))
        return work

    def _end(self, ended: Ended) -> End:
        place: _Place = ended.call.place
        end = End(
            place.attempt,
            ended.outcome,
            ended.detail,
            ended.endpoint,
            ended.requests,
            ended.tokens_in,
            ended.tokens_out,
            ended.latency,
            ended.may_be_charged,
            ended.is_reply,
        )
        if not (end.counts_in_full and ended.requests):
            return end
        size = self._judge.size(ended.call.tasks)
        return replace(end, at_most=(size.at_most, size.max_tokens * ended.call.room))

    def _begin(self, call: Call) -> Begin:
        jobs = tuple(job.id for job in call.place.jobs)
        if not self.control.has_budget:
            return Begin(call.name, jobs, self._address)
        size = self._judge.size(call.tasks)
        most = size.max_tokens * call.room
        return Begin(call.name, jobs, self._address, size.requests, size.at_most, most)

    def _find(self, want: int) -> list[Job]:
        """Make jobs of what is left to judge, and take them up; a few, if it takes long."""
        leased: list[Job] = []
        until = time.monotonic() + _FILL
        for portion in self._portions:
            if portion:
                self._enter()
            if self._queue.fill(portion):
                leased += self._queue.turn(Work(want=want - len(leased))).leased
            if len(leased) >= want or time.monotonic() > until:
                self._is_dry = False
                return leased
        # From here on only what is new: votes cast and pairs made meanwhile.
        self._portions = self._frontier.portions()
        self._queue.return_lost()
        waiting = self._queue.counts()[0]
        if waiting:
            self._enter()
        self._is_dry = not leased and not waiting
        return leased

    def _beat(self, given: Given) -> None:
        self._beaten = self._turned
        self.control = self._queue.beat(
            window=given.window, under_way=given.under_way, verdicts=self.recorded
        )
        self._look_at_servers()
        until = time.monotonic() + _FILL
        for portion in self._frontier.voted():
            self._queue.fill(portion)
            if time.monotonic() > until:
                break

    def _calls(self, jobs: Sequence[Job]) -> list[Call]:
        """Leased jobs as calls, with their texts."""
        together: dict[str, list[tuple[Job, Asked]]] = {}
        for job, asked in zip(jobs, self._queue.asked(jobs), strict=True):
            together.setdefault(job.call, []).append((job, asked))
        return [
            Call(
                name,
                tuple(task_of(asked, job.repeat) for job, asked in several),
                max(job.attempts for job, _ in several),
                place=_Place([job for job, _ in several]),
            )
            for name, several in together.items()
        ]


def scope_of(judge: JudgeLike, order: Order) -> Scope:
    """What verdicts an order wants of a judge."""
    calls_by: Literal["pair", "question"] = "pair"
    if getattr(judge, "calls_by", "pair") == "question":
        calls_by = "question"
    return Scope(order.repeats, order.orders, calls_by, order.retry_failed)


def task_of(asked: Asked, repeat: int) -> Task:
    """What the study asks, as judges take it."""
    return Task(
        asked.pair,
        asked.turn,
        asked.left,
        repeat,
        asked.question,
        asked.left_turns,
        asked.right_turns,
    )


def _named(place: _Place, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts under the names of their jobs: one that takes a failure's place has its own."""
    job = place.jobs[0]
    if job.supersedes is None:
        return list(verdicts)
    return [replace(verdict, id=job.key, supersedes=job.supersedes) for verdict in verdicts]
