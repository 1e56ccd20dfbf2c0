"""Puts calls to a judge, many at once; every task taken up ends in one verdict or goes back.

The keeper hands out calls and writes everything down: each call before it is sent, each verdict
before anybody is told of it. What one call's failure means for the next is decided here, for
the task, and in :mod:`judges.endpoints`, for the server.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from core.errors import TiebreakError
from core.records import Verdict, VerdictStatus
from core.times import stamp
from judges.calls import Call, Ended, Given, Got, Keeper, without_reply
from judges.endpoints import Closed, EndpointPool, Trip
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
from judges.policy import AGAIN
from judges.tasks import JudgeLike, verdict_id

POLL = 0.25
"""Seconds after which the keeper is asked at the latest how the work is to go on."""

_LOT = 32
"""Ends of calls handed over at a time: people vote between two lots."""

_PUT_OFF = 1000
"""Calls that may wait to be tried again while others are taken up."""

_AT_HAND = 2
"""Calls taken up beyond those that may begin at this moment, or within a second."""

_READ = 8
"""Replies read before the loop looks again for what came: to look costs as much as to read one."""


def _utc() -> datetime:
    return datetime.now(UTC)


Read = Callable[[], Sequence[Verdict]]
"""Reads what replied to a call."""


@dataclass(frozen=True, slots=True)
class _Came:
    """A call whose replies came and are to be read.

    Attributes:
        latency: seconds.
    """

    call: Call
    read: Read
    trip: Trip
    latency: float


class Runner:
    """Lets one judge work until nothing is left for it, or it is told to end.

    Args:
        pool: where the judge asks; it says how many calls may be under way.
        stop: once set, no call begins any more; calls under way are waited for.
        on_ended: told of each call that ended, once it is on the disk.
        pace: seconds between the calls of each of its workers; for showing the work.
        now: the time of day, for :attr:`core.records.Verdict.at`.
        chance: jitters the waits.
    """

    def __init__(
        self,
        judge: JudgeLike,
        keeper: Keeper,
        pool: EndpointPool,
        *,
        stop: asyncio.Event | None = None,
        on_ended: Callable[[Sequence[Ended]], None] | None = None,
        pace: float = 0.0,
        now: Callable[[], datetime] = _utc,
        chance: random.Random | None = None,
    ) -> None:
        self._judge = judge
        self._keeper = keeper
        self._pool = pool
        self._policy = pool.policy
        self._stop = stop or asyncio.Event()
        self._on_ended = on_ended
        self._pace = pace
        self._now = now
        self._chance = chance or random.Random()
        self._stock: deque[Call] = deque()
        self._ready: deque[Call] = deque()
        self._later: list[tuple[float, int, Call]] = []
        self._ended: list[Ended] = []
        self._idle: deque[asyncio.Future[Call | None]] = deque()
        self._unread: deque[_Came] = deque()
        self._has_unread = asyncio.Event()
        self._changed = asyncio.Event()
        self._under_way: set[Call] = set()
        self._queued = 0
        self._given_up = 0
        self._heard = False
        self._got = Got()
        self._broken: Exception | None = None
        self._over = False

    async def run(self) -> None:
        """Work to the end.

        Raises:
            TiebreakError: nothing further can be judged: the key is refused, the model is
                unknown, the server cannot be reached, the budget is used up. What was had
                until then is recorded, and what was not is in the queue as before.
        """
        workers = [asyncio.create_task(self._work()) for _ in range(self._pool.most)]
        others = [*workers, asyncio.create_task(self._watch()), asyncio.create_task(self._read())]
        try:
            await self._keep()
        finally:
            self._end()
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            while self._unread:
                self._read_next()
            await self._give_back()
        if self._broken is not None:
            raise self._broken

    # ── the queue ───────────────────────────────────────────────────────────

    async def _keep(self) -> None:
        while True:
            self._come_due()
            if self._is_done():
                return
            given = self._gather()
            if given.is_empty and not self._changed.is_set():
                await self._wait_a_little()
                if self._changed.is_set():
                    continue
                # Asked all the same: how to go on, and whether others gave work back.
                given.want = 0 if self._is_ending or self._stock else 1
            self._changed.clear()
            await self._exchange(given)

    async def _exchange(self, given: Given) -> None:
        got = self._got = await self._keeper.exchange(given)
        if self._on_ended is not None and given.ended:
            self._on_ended(given.ended)
        self._pool.hold(got.is_paused)
        self._stock.extendleft(reversed(got.refused))
        self._stock.extend(got.taken)
        for call in got.begun:
            call.attempts += 1
            self._send(call)
        if got.is_cancelled:
            self._end()
        if got.is_spent and not (self._under_way or self._ready):
            self._break(TiebreakError("the budget is used up", "raise it: tiebreak judge budget"))
        is_moving = got.begun or got.taken or given.ended or given.back
        if not is_moving and (got.refused or not got.is_dry):
            await self._wait_a_little()  # there is nothing to be had at this moment

    def _gather(self) -> Given:
        """What to hand over: what ended, what can be sent next, what more to take up."""
        given = Given(window=self._pool.window, under_way=self._pool.under_way)
        given.ended, self._ended = self._ended[:_LOT], self._ended[_LOT:]
        if self._is_ending:
            given.back = [*self._stock, *(call for _, _, call in self._later)]
            self._stock.clear()
            self._later.clear()
            return given
        spare = 8 + self._pool.window
        if not self._got.is_paused:
            # What waits to be read and written counts once it is much: no faster than the disk.
            late = max(0, self._unwritten - spare)
            ahead = min(spare, self._pool.ahead) - self._unsent
            room = self._pool.room + ahead - late
            while self._stock and len(given.begins) < min(room, 2 * _LOT):
                given.begins.append(self._stock.popleft())
        # No more than will be begun soon: what is taken up no longer follows where people vote.
        most = min(self._pool.window + spare, max(self._pool.room, _AT_HAND + self._pool.soon))
        # What waits to be tried again does not keep others from being tried, unless it is much.
        later = max(0, len(self._later) - _PUT_OFF)
        held = len(self._stock) + len(given.begins) + later + self._unwritten
        if held < most and not (self._got.is_paused or self._got.is_dry):
            given.want = min(most - held, 2 * _LOT)
        return given

    def _is_done(self) -> bool:
        if self._under_way or self._ended or self._ready:
            return False
        if self._is_ending:
            return not (self._stock or self._later)
        return self._got.is_dry and not (self._stock or self._later)

    async def _wait_a_little(self) -> None:
        try:
            async with asyncio.timeout(self._patience()):
                await self._changed.wait()
        except TimeoutError:
            return

    @property
    def _unsent(self) -> int:
        """Calls that are written down and wait for a slot."""
        handed = len(self._under_way) - len(self._unread) - self._pool.under_way
        return len(self._ready) + handed

    @property
    def _unwritten(self) -> int:
        return len(self._ended) + len(self._unread)

    @property
    def _is_ending(self) -> bool:
        return self._over or self._stop.is_set()

    def _patience(self) -> float:
        """Seconds until the keeper is to be asked again though nothing happened here."""
        if not self._later:
            return POLL
        return min(POLL, max(0.0, self._later[0][0] - _clock()))

    def _come_due(self) -> None:
        now = _clock()
        while self._later and self._later[0][0] <= now:
            call = heapq.heappop(self._later)[2]
            if call.failed_at is None:
                self._stock.appendleft(call)
            else:  # what was not tried yet goes first: it may fail each time
                self._stock.append(call)

    async def _watch(self) -> None:
        await self._stop.wait()
        self._end()

    def _end(self) -> None:
        """Begin no call any more; what was written down and not sent goes back."""
        self._over = True
        self._pool.shut()
        while self._ready:
            self._ended.append(Ended(self._ready.popleft(), "unsent", is_back=True))
        while self._idle:
            if not (future := self._idle.popleft()).done():
                future.set_result(None)
        self._changed.set()

    def _break(self, error: Exception) -> None:
        self._broken = self._broken or error
        self._end()

    async def _give_back(self) -> None:
        """After all workers have ended: nothing stays with this runner."""
        for call in self._under_way:
            self._ended.append(
                Ended(call, "dropped", "the run was ended", may_be_charged=True, is_back=True)
            )
        self._under_way.clear()
        while self._ended or self._stock or self._later:
            given = self._gather()
            await self._keeper.exchange(given)
            if self._on_ended is not None and given.ended:
                self._on_ended(given.ended)

    # ── the calls ───────────────────────────────────────────────────────────

    def _send(self, call: Call) -> None:
        if self._is_ending:
            self._ended.append(Ended(call, "unsent", is_back=True))
            return
        while self._idle:
            if not (future := self._idle.popleft()).done():
                future.set_result(call)
                self._under_way.add(call)
                return
        self._ready.append(call)

    async def _work(self) -> None:
        while (call := await self._next()) is not None:
            await self._settle(call)
            if self._pace:
                await asyncio.sleep(self._pace)

    async def _next(self) -> Call | None:
        if self._is_ending:
            return None
        if self._ready:
            call = self._ready.popleft()
            self._under_way.add(call)
            return call
        future: asyncio.Future[Call | None] = asyncio.get_running_loop().create_future()
        self._idle.append(future)
        return await future

    async def _settle(self, call: Call) -> None:
        """Send one call, and say what became of it, or leave its reply to be read."""
        trip: Trip | None = None
        try:
            async with self._pool.slot() as trip:
                trip.failed_at = call.failed_at
                if self._is_ending:
                    raise Closed
                read = await self._ask(call)
        except Closed:
            ended = Ended(call, "unsent", is_back=True)
        except CallError as error:
            ended = self._failed(call, error, trip)
        except TiebreakError as error:
            self._break(error)
            ended = Ended(call, "unsent" if trip is None else "stopped", is_back=True)
        except Exception as error:  # noqa: BLE001 - one odd task must not end the run
            ended = self._gave_up(call, error, trip, "error")
        else:
            assert trip is not None
            self._unread.append(_Came(call, read, trip, _clock() - trip.begun))
            self._has_unread.set()
            return
        self._note(ended)

    def _note(self, ended: Ended) -> None:
        self._under_way.discard(ended.call)
        self._ended.append(ended)
        self._changed.set()

    async def _ask(self, call: Call) -> Read:
        raised = {"room": call.room} if call.room > 1 else {}
        if (ask := getattr(self._judge, "ask_call", None)) is not None:
            read: Read = await ask(call.tasks, **raised)
            return read
        if (judge_call := getattr(self._judge, "judge_call", None)) is not None:
            verdicts: Sequence[Verdict] = await judge_call(call.tasks, **raised)
        else:
            verdicts = [await self._judge.judge(task) for task in call.tasks]
        return lambda: verdicts

    # ── the replies ─────────────────────────────────────────────────────────

    async def _read(self) -> None:
        """Read what replies say, a few between two rounds of the loop.

        A server that could have the next call does not wait until all that came is read.
        """
        while True:
            await self._has_unread.wait()
            self._has_unread.clear()
            while self._unread:
                for _ in range(min(_READ, len(self._unread))):
                    self._read_next()
                await asyncio.sleep(0)

    def _read_next(self) -> None:
        came = self._unread.popleft()
        try:
            ended = self._replied(came, came.read())
        except Exception as error:  # noqa: BLE001 - one odd reply must not end the run
            ended = self._gave_up(came.call, error, came.trip, "error")
        self._note(ended)

    def _replied(self, came: _Came, verdicts: Sequence[Verdict]) -> Ended:
        call = came.call
        self._heard = True
        self._given_up = 0
        whole = tuple(verdicts)
        if len(whole) < len(call.tasks):
            told = {verdict.id for verdict in whole}
            whole += tuple(
                self._judge.failed(task, "the reply said nothing of this pair")
                for task in call.tasks
                if verdict_id(self._judge.record, task) not in told
            )
        unread = next((v for v in whole if v.status is not VerdictStatus.OK), None)
        ended = self._told(came, "ok", whole)
        if unread is None:
            return ended
        name = unread.failure or unread.status.value
        if name == "truncated" and call.room < self._policy.room:
            ended = replace(ended, outcome=name, detail=unread.error, verdicts=())
            call.cut, call.room = whole, self._policy.room
            self._put_off(call, 0.0)
            return ended
        call.tried[Exception] += 1
        again = call.tried[Exception] < self._policy.unread
        if again:
            self._put_off(call, self._policy.back_off(call.tried[Exception], self._chance))
        return replace(
            ended,
            outcome=name,
            detail=": ".join(filter(None, (call.told_room, unread.error))),
            verdicts=() if again else ended.verdicts,
        )

    def _told(self, came: _Came, outcome: str, verdicts: tuple[Verdict, ...]) -> Ended:
        """A call that ended in verdicts, with what it took."""
        call, trip = came.call, came.trip
        tokens_in = _sum([verdict.tokens_in for verdict in verdicts])
        tokens_out = _sum([verdict.tokens_out for verdict in verdicts])
        return Ended(
            call,
            outcome,
            call.told_room,
            endpoint=trip.endpoint.address,
            requests=trip.requests,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            latency=came.latency,
            verdicts=tuple(self._stamped(verdict, call) for verdict in verdicts),
            is_reply=True,
        )

    def _failed(self, call: Call, error: CallError, trip: Trip | None) -> Ended:
        """A call without a reply: again, or the end of its tasks, or of the run."""
        call.tried[type(error)] += 1
        tries = call.tried[type(error)]
        if (stopped := self._pool.stopped) is not None:
            self._break(stopped)
            return self._lost(call, error, trip, is_back=True)
        if isinstance(error, RateLimited | Unreachable | JobFatal):
            self._put_off(call, 0.0)  # it is the endpoint that waits
            return self._lost(call, error, trip)
        call.failed_at = _clock() if call.failed_at is None else call.failed_at
        if tries >= self._attempts(error):
            return self._gave_up(call, error, trip, error.failure)
        self._put_off(call, self._policy.back_off(tries, self._chance))
        return self._lost(call, error, trip)

    def _attempts(self, error: CallError) -> int:
        """How many attempts a task gets that ends in this error."""
        if isinstance(error, Rejected):
            return 1
        if isinstance(error, Garbled):
            return self._policy.garbled
        return self._policy.timed_out if isinstance(error, TimedOut) else self._policy.transient

    def _gave_up(self, call: Call, error: Exception, trip: Trip | None, outcome: str) -> Ended:
        """Let a call's tasks fail; end the run if it has become hopeless."""
        words = str(error) if isinstance(error, CallError) else f"{type(error).__name__}: {error}"
        if not (isinstance(error, TooLong) or (trip is not None and trip.is_odd)):
            self._given_up += 1
        most = self._policy.hopeless if self._heard else self._policy.hopeless_at_start
        if self._given_up >= most:
            message = f"{self._given_up} tasks in a row failed, the last with: {words}"
            self._break(TiebreakError(message, AGAIN))
        raw = error.body if isinstance(error, Garbled) else None
        failed = call.cut or tuple(
            replace(self._judge.failed(task, words), failure=outcome, raw=raw)
            for task in call.tasks
        )
        verdicts = tuple(self._stamped(verdict, call) for verdict in failed)
        return replace(self._lost(call, error, trip, outcome=outcome), verdicts=verdicts)

    def _lost(self, call: Call, error: Exception, trip: Trip | None, **more: Any) -> Ended:
        if trip is None:  # then there was no request either
            return without_reply(call, error, **more)
        at, latency = trip.endpoint.address, _clock() - trip.begun
        return without_reply(call, error, at, trip.requests, latency, **more)

    def _put_off(self, call: Call, wait: float) -> None:
        if self._over:
            self._stock.append(call)  # goes back with all others
            return
        self._queued += 1
        heapq.heappush(self._later, (_clock() + wait, self._queued, call))

    def _stamped(self, verdict: Verdict, call: Call) -> Verdict:
        return replace(
            verdict, attempts=call.attempts, at=stamp(self._now()), cost=self._cost(verdict)
        )

    def _cost(self, verdict: Verdict) -> float | None:
        prices = self._got.prices
        if prices is None or verdict.tokens_in is None or verdict.tokens_out is None:
            return verdict.cost
        return (verdict.tokens_in * prices[0] + verdict.tokens_out * prices[1]) / 1_000_000


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _clock() -> float:
    return asyncio.get_running_loop().time()
