"""The endpoints of one judge: which of them takes the next call, and how many at once.

Each endpoint has a window: how many calls it has under way at most. It shrinks by half when the
server is overrun (429, 5xx, time-outs) and grows back with each reply. A server that asks for a
pause gets it; one that fails again and again is left alone for a while, then tried with a single
call, and given up where that does not help; one that refuses its key, does not know the model or
has no quota left gets no more calls.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.errors import TiebreakError
from judges.asking import Asks
from judges.outcomes import (
    Answer,
    CallError,
    JobFatal,
    RateLimited,
    Rejected,
    Reply,
    TimedOut,
    Transient,
    Unreachable,
)
from judges.policy import AGAIN, Policy

_AHEAD = 0.1
"""Seconds within which a call that is written down ahead of its turn is sent."""

_MOST_AHEAD = 2.0
"""And no more than so many times what is under way."""

_LEAST = 0.05
"""Seconds that a pause lasts at least: a server may ask to be tried again after 0 s."""

if TYPE_CHECKING:
    from types import TracebackType

    from judges.templates import Message


@dataclass(slots=True, eq=False)
class Endpoint:
    """One address and how it is doing.

    Attributes:
        window: how many calls it may have under way, a fraction counts once it is whole.
        paused_until: no call begins before, by the loop's clock.
        failing: failures in a row.
        pauses: pauses in a row, without a reply between them.
        rests: how often in a row it was left alone because it failed.
        replied_at: when it last replied, by the loop's clock.
        takes: seconds that a call takes, about; None until there was a reply.
        shrunk_at: when the window shrank, or a pause began, last: calls that were under way
            by then and fail together are one failure.
        stopped: why it gets no more calls.
        is_leaving: whether it was removed; its client is closed with its last call.
    """

    address: str
    client: Asks | None
    most: int
    window: float
    under_way: int = 0
    paused_until: float = 0.0
    failing: int = 0
    pauses: int = 0
    rests: int = 0
    replied_at: float = -1.0
    takes: float | None = None
    shrunk_at: float = -1.0
    replies: int = 0
    failures: int = 0
    stopped: TiebreakError | None = None
    is_leaving: bool = False

    def room(self, now: float) -> int:
        """How many calls may begin at this moment."""
        if self.stopped is not None or self.is_leaving or now < self.paused_until:
            return 0
        return max(0, int(self.window) - self.under_way)


@dataclass(slots=True, eq=False)
class Trip:
    """One call on its way.

    Attributes:
        endpoint: where it goes.
        begun: when it began, by the loop's clock.
        requests: how many it has sent.
        failed_at: when the same call first failed; None if it did not.
    """

    endpoint: Endpoint
    begun: float
    requests: int = 0
    failed_at: float | None = None

    @property
    def is_odd(self) -> bool:
        """Whether others got replies since the call failed: it is not the server."""
        return self.failed_at is not None and self.endpoint.replied_at > self.failed_at


_TRIP: ContextVar[Trip | None] = ContextVar("trip", default=None)


class Closed(Exception):
    """The pool gives out no more slots."""


class Slot:
    """A slot of a pool, as ``async with`` takes it: see :meth:`EndpointPool.slot`."""

    __slots__ = ("_pool", "_token", "_trip")

    def __init__(self, pool: EndpointPool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Trip:
        self._trip = self._pool.take() or await self._pool.wait()
        self._token = _TRIP.set(self._trip)
        return self._trip

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _TRIP.reset(self._token)
        self._pool.give(self._trip, error)


@dataclass(eq=False)
class EndpointPool:
    """The endpoints of one judge, asked as if they were one.

    Args:
        clients: address → client; an empty pool stands for a judge that asks nobody.
        most: how many calls may be under way at once, over all endpoints together.
        on_pause: told when an endpoint pauses: for how many seconds, and why.
        on_stop: told of an endpoint that gets no more calls while others do: where, and why.
    """

    clients: Mapping[str, Asks]
    most: int
    policy: Policy = field(default_factory=Policy)
    chance: random.Random = field(default_factory=random.Random)
    on_pause: Any = None
    on_stop: Any = None

    def __post_init__(self) -> None:
        given: Mapping[str, Asks | None] = self.clients or {"": None}
        self.endpoints = [
            Endpoint(address, client, self.most, max(1.0, self.most / len(given)))
            for address, client in given.items()
        ]
        self._left: list[Endpoint] = []
        self.under_way = 0
        self._held = False
        self._closed = False
        self._waiting: deque[asyncio.Future[Trip]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    # ── asking ──────────────────────────────────────────────────────────────

    async def ask(
        self, messages: Sequence[Message], parameters: Mapping[str, Any], *, wanted: Any = None
    ) -> Reply:
        """Ask where there is room; within a slot, ask there.

        Raises:
            CallError: no reply, see :class:`judges.client.ChatClient`.
            TiebreakError: no endpoint takes calls any more.
        """
        if (trip := _TRIP.get()) is not None:
            return await _client_of(trip).ask(messages, parameters, wanted=wanted)
        async with self.slot() as trip:
            return await _client_of(trip).ask(messages, parameters, wanted=wanted)

    async def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Send any other request, just so."""
        if (trip := _TRIP.get()) is not None:
            return await _client_of(trip).post(path, body)
        async with self.slot() as trip:
            return await _client_of(trip).post(path, body)

    def slot(self) -> Slot:
        """A slot at an endpoint, waited for; what comes of it is noted when it is left.

        Entering it raises:
            TiebreakError: no endpoint takes calls any more.
            Closed: the pool was closed meanwhile.
        """
        return Slot(self)

    async def close(self) -> None:
        """Close the connections of all."""
        for endpoint in [*self.endpoints, *self._left]:
            if endpoint.client is not None:
                await endpoint.client.close()

    async def change(self, new: Mapping[str, Asks], gone: Collection[str]) -> None:
        """Ask at further addresses from now on, and begin no more calls at some.

        Calls under way are waited for, wherever they are. The last address stays.

        Args:
            new: address → client.
            gone: addresses.
        """
        for address, client in new.items():
            share = max(1.0, self.most / (len(self.endpoints) + 1))
            self.endpoints.append(Endpoint(address, client, self.most, share))
        leaving = [one for one in self.endpoints if one.address in gone and one.address not in new]
        if len(leaving) < len(self.endpoints):
            for endpoint in leaving:
                endpoint.is_leaving = True
                self.endpoints.remove(endpoint)
                self._left.append(endpoint)
        for endpoint in [one for one in self._left if one.under_way == 0]:
            self._left.remove(endpoint)
            if endpoint.client is not None:
                await endpoint.client.close()
        self._wake()

    # ── slots ───────────────────────────────────────────────────────────────

    @property
    def window(self) -> int:
        """How many calls may be under way right now, pauses aside."""
        whole = sum(int(one.window) for one in self.endpoints if one.stopped is None)
        return min(self.most, whole)

    @property
    def room(self) -> int:
        """How many calls may begin at this moment."""
        if self._held or self._closed:
            return 0
        now = _now()
        free = sum(one.room(now) for one in self.endpoints)
        return min(free, self.most - self.under_way)

    @property
    def ahead(self) -> int:
        """How many calls may be written down ahead of their turn.

        Where replies come fast, a call that is written down only once there is a slot for it
        waits for the disk. Where they do not there is no hurry, and what is written down and
        never sent would count as lost when the process dies.
        """
        if self._held or self._closed:
            return 0
        soon = _now() + _AHEAD
        return int(
            sum(
                one.window * min(_MOST_AHEAD, _AHEAD / max(one.takes, 1e-6))
                for one in self.endpoints
                if one.takes is not None and one.stopped is None and one.paused_until <= soon
            )
        )

    @property
    def soon(self) -> int:
        """How many calls may end within a second, as replies come; none before the first."""
        return int(
            sum(
                one.window / max(one.takes, 1e-6)
                for one in self.endpoints
                if one.takes is not None and one.stopped is None
            )
        )

    @property
    def stopped(self) -> TiebreakError | None:
        """Why no endpoint takes calls any more; None while one does."""
        if any(one.stopped is None for one in self.endpoints):
            return None
        return self.endpoints[-1].stopped

    def hold(self, is_held: bool) -> None:
        """Give out no slots for a while; or give them out again."""
        if self._held and not is_held:
            self._held = False
            self._wake()
        self._held = is_held

    def shut(self) -> None:
        """Give out no more slots, for good; whoever waits for one is told."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(self.stopped or Closed())

    def take(self) -> Trip | None:
        """A slot at the endpoint with the most room, if there is any at this moment.

        Raises:
            TiebreakError: no endpoint takes calls any more.
            Closed: the pool was closed.
        """
        if self._closed:
            raise self.stopped or Closed()
        if (stopped := self.stopped) is not None:
            raise stopped
        if self._held or self.under_way >= self.most:
            return None
        now = _now()
        if len(self.endpoints) == 1:
            best = self.endpoints[0]
        else:
            best = min(self.endpoints, key=lambda one: _load(one, now))
        if best.room(now) == 0:
            return None
        best.under_way += 1
        self.under_way += 1
        return Trip(best, now)

    def give(self, trip: Trip, error: BaseException | None) -> None:
        """Give a slot back and note what came of the call."""
        trip.endpoint.under_way -= 1
        self.under_way -= 1
        if error is None or isinstance(error, Rejected):
            self._went_well(trip)
        elif isinstance(error, CallError):
            self._went_wrong(trip, error)
        self._wake()

    async def wait(self) -> Trip:
        """A slot, as soon as there is one.

        Raises:
            TiebreakError: no endpoint takes calls any more.
            Closed: the pool was closed meanwhile.
        """
        future: asyncio.Future[Trip] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._wake()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                trip = future.result()
                trip.endpoint.under_way -= 1
                self.under_way -= 1
            raise

    def _wake(self) -> None:
        """Hand out slots to those who wait; else look again when a pause is over."""
        while self._waiting:
            if self._waiting[0].done():
                self._waiting.popleft()
                continue
            try:
                trip = self.take()
            except (TiebreakError, Closed):
                self.shut()
                return
            if trip is None:
                break
            self._waiting.popleft().set_result(trip)
        if self._waiting and not self._held:
            self._look_again()

    def _look_again(self) -> None:
        now = _now()
        pauses = [
            one.paused_until
            for one in self.endpoints
            if one.stopped is None and one.paused_until > now
        ]
        if pauses:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(min(pauses), self._wake)

    # ── how an endpoint is doing ────────────────────────────────────────────

    def _went_well(self, trip: Trip) -> None:
        endpoint, now = trip.endpoint, _now()
        endpoint.failing = endpoint.pauses = endpoint.rests = 0
        endpoint.replies += 1
        endpoint.replied_at = now
        took, before = now - trip.begun, endpoint.takes
        endpoint.takes = took if before is None else before + (took - before) / 8
        if endpoint.window < endpoint.most:
            # One more call for each window of replies; faster where windows are large.
            step = max(1.0, endpoint.most / 64)
            endpoint.window = min(float(endpoint.most), endpoint.window + step / endpoint.window)

    def _went_wrong(self, trip: Trip, error: CallError) -> None:
        endpoint = trip.endpoint
        endpoint.failures += 1
        if isinstance(error, JobFatal):
            self._stop(endpoint, TiebreakError(str(error), error.hint))
            return
        is_new = trip.begun > endpoint.shrunk_at
        if isinstance(error, RateLimited):
            self._shrink(endpoint, is_new)
            self._pause(endpoint, error, error.wait, self.policy.rate_limited, is_new)
        elif isinstance(error, Unreachable):
            self._shrink(endpoint, is_new)
            self._pause(endpoint, error, None, self.policy.unreachable, is_new)
        elif isinstance(error, Transient | TimedOut) and not trip.is_odd:
            self._shrink(endpoint, is_new)
            endpoint.failing += 1
            if endpoint.failing >= self.policy.trips and is_new:
                self._trip(endpoint, error)

    def _trip(self, endpoint: Endpoint, error: CallError) -> None:
        """Leave an endpoint alone for a while; give it up where that has not helped."""
        # It is tried again with one call; the window grows from there.
        endpoint.window = 1.0
        endpoint.rests += 1
        if endpoint.rests > self.policy.rests:
            words = f"gave up after {endpoint.failing} calls in a row failed: {error}"
            self._stop(endpoint, TiebreakError(words, AGAIN))
            return
        self._rest(endpoint, self.policy.back_off(endpoint.rests, self.chance), str(error))

    def _shrink(self, endpoint: Endpoint, is_new: bool) -> None:
        if is_new:
            endpoint.window = max(1.0, endpoint.window / 2)
            endpoint.shrunk_at = _now()

    def _pause(
        self, endpoint: Endpoint, error: CallError, asked: float | None, most: int, is_new: bool
    ) -> None:
        """Let no call begin there for a while; give it up if pausing has not helped."""
        if is_new:
            endpoint.pauses += 1
        if endpoint.pauses >= most:
            self._stop(endpoint, TiebreakError(f"gave up after {most} tries: {error}", AGAIN))
            return
        if asked is None and not is_new:
            return
        wait = (
            self.policy.back_off(max(1, endpoint.pauses), self.chance) if asked is None else asked
        )
        if wait > self.policy.longest_pause:
            message = f"the server asks to wait {wait:.0f} s: {error}"
            self._stop(endpoint, TiebreakError(message, AGAIN))
            return
        self._rest(endpoint, max(wait, _LEAST), str(error), is_told=is_new)

    def _rest(self, endpoint: Endpoint, wait: float, why: str, *, is_told: bool = True) -> None:
        endpoint.paused_until = max(endpoint.paused_until, _now() + wait)
        if self.on_pause is not None and is_told:
            self.on_pause(wait, why)

    def _stop(self, endpoint: Endpoint, why: TiebreakError) -> None:
        if endpoint.stopped is None:
            endpoint.stopped = why
            if self.on_stop is not None and self.stopped is None:
                self.on_stop(endpoint.address, why)


def _client_of(trip: Trip) -> Asks:
    assert trip.endpoint.client is not None, "a judge that asks nobody has nobody to ask"
    trip.requests += 1
    return trip.endpoint.client


def _load(endpoint: Endpoint, now: float) -> float:
    """How full an endpoint is; those that take no call now come last."""
    return endpoint.under_way / endpoint.window if endpoint.room(now) else float("inf")


def _now() -> float:
    return asyncio.get_running_loop().time()
