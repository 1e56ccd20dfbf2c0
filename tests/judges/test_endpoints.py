"""Endpoints share the load, back off when they are overrun, and grow back."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from core.errors import TiebreakError
from core.records import Judge, Seen, Verdict, VerdictStatus
from judges.endpoints import Closed, EndpointPool
from judges.outcomes import JobFatal, RateLimited, Reply, TimedOut, Transient
from judges.policy import Policy
from judges.tasks import NOTHING, Size, Task, verdict
from tests.judges.running import MemoryKeeper, at_once, judge_all
from tests.judges.samples import many

T = TypeVar("T")
REPLY = Reply("[[A]]", None, "stop", VerdictStatus.OK, "", 1, 1, 0.0)


class Server:
    """A client whose server has so many places, and turns away whoever finds none.

    Attributes:
        fails: what a call ends with, told its number and the time; None for a reply.
    """

    def __init__(
        self,
        places: int = 1000,
        takes: float = 1.0,
        fails: Callable[[int, float], Exception | None] = lambda *_: None,
    ) -> None:
        self.places, self.takes, self.fails = places, takes, fails
        self.calls: list[float] = []
        self.under_way = self.most = self.replies = 0
        self.is_closed = False
        self.address = ""

    async def ask(
        self, messages: Sequence[Any], parameters: Mapping[str, Any], *, wanted: Any = None
    ) -> Reply:
        now = asyncio.get_running_loop().time()
        self.calls.append(now)
        number = len(self.calls)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.under_way > self.places:
                raise RateLimited("too many at once", None)
            await asyncio.sleep(self.takes)
            if (error := self.fails(number, now)) is not None:
                raise error
        finally:
            self.under_way -= 1
        self.replies += 1
        return replace(REPLY, endpoint=self.address)

    async def post(self, path: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], str, float]:
        raise NotImplementedError

    async def close(self) -> None:
        self.is_closed = True


class Asking:
    """A judge that asks a pool."""

    def __init__(self, pool: EndpointPool) -> None:
        self.record = Judge("asking", "openai", "m", "http://h/v1")
        self.pool = pool

    async def judge(self, task: Task) -> Verdict:
        reply = await self.pool.ask([], {})
        return verdict(self.record, task, VerdictStatus.OK, Seen.LEFT, endpoint=reply.endpoint)

    def failed(self, task: Task, error: str) -> Verdict:
        return verdict(self.record, task, VerdictStatus.FAILED, error=error)

    def size(self, tasks: Sequence[Task]) -> Size:
        return NOTHING

    async def close(self) -> None:
        await self.pool.close()


def pool_of(*servers: Server, most: int = 16, policy: Policy | None = None) -> EndpointPool:
    clients = {f"http://s{number}/v1": server for number, server in enumerate(servers)}
    for address, server in clients.items():
        server.address = address
    return EndpointPool(clients, most, policy or Policy(), random.Random(1))


async def judged(pool: EndpointPool, count: int) -> tuple[MemoryKeeper, float]:
    keeper = MemoryKeeper(many(count))
    await judge_all(Asking(pool), [], pool=pool, keeper=keeper)
    return keeper, asyncio.get_running_loop().time()


def in_time(coroutine: Coroutine[Any, Any, T]) -> T:
    return at_once(coroutine)


def test_a_window_is_full_and_never_over_full() -> None:
    server = Server()
    keeper, seconds = in_time(judged(pool_of(server, most=16), 160))
    assert len(keeper.verdicts) == 160
    assert server.most == 16
    assert seconds == pytest.approx(10, abs=1)


def test_several_endpoints_share_what_is_to_do() -> None:
    servers = [Server(), Server(), Server()]
    pool = pool_of(*servers, most=12)
    keeper, _ = in_time(judged(pool, 300))
    assert [len(one.calls) for one in servers] == [100] * 3
    assert Counter(v.endpoint for v in keeper.verdicts) == {
        one.address: 100 for one in pool.endpoints
    }


def test_a_slow_endpoint_gets_less_and_delays_nobody() -> None:
    fast, slow = Server(takes=0.1), Server(takes=10.0)
    _, seconds = in_time(judged(pool_of(fast, slow, most=16), 400))
    assert len(fast.calls) > 10 * len(slow.calls)
    assert seconds < 30


def test_an_overrun_server_is_found_its_measure() -> None:
    """It takes 8 at once and is offered 64: few are turned away, and it is kept busy."""
    server = Server(places=8)
    pool = pool_of(server, most=64)
    keeper, seconds = in_time(judged(pool, 400))
    assert [v.status for v in keeper.verdicts] == [VerdictStatus.OK] * 400
    assert pool.window <= 16
    turned_away = len(server.calls) - 400
    assert turned_away < 200
    assert seconds < 2.5 * 400 / 8


def test_a_window_halves_once_for_a_burst_and_grows_back() -> None:
    def fails(_: int, now: float) -> Exception | None:
        return Transient("503") if now < 1 else None

    pool = pool_of(Server(fails=fails), most=32, policy=Policy(trips=1000))
    widths: list[int] = []

    async def run() -> None:
        judging = asyncio.create_task(judged(pool, 3000))
        await asyncio.sleep(1.5)
        widths.append(pool.window)
        await asyncio.sleep(40)
        widths.append(pool.window)
        await judging

    in_time(run())
    assert widths == [16, 32]


@pytest.mark.parametrize("asked", [0.0, 3.0, 40.0])
def test_a_pause_that_is_asked_for_is_kept(asked: float) -> None:
    def fails(number: int, _: float) -> Exception | None:
        return RateLimited("slow down", asked) if number == 4 else None

    server = Server(fails=fails)
    in_time(judged(pool_of(server, most=4), 60))
    begun = sorted(server.calls)
    refused_at = begun[3] + 1.0
    assert not [time for time in begun if refused_at < time < refused_at + asked]


def test_one_endpoint_s_pause_is_not_another_s() -> None:
    busy = Server(fails=lambda *_: RateLimited("slow down", 600.0))
    calm = Server()
    keeper, seconds = in_time(judged(pool_of(busy, calm, most=8), 100))
    assert len(keeper.verdicts) == 100
    assert len(busy.calls) == 4
    assert seconds < 60


def test_an_endpoint_that_keeps_failing_is_left_alone_then_tried_with_one_call() -> None:
    sick = Server(takes=0.1, fails=lambda _, now: Transient("502") if now < 60 else None)
    well = Server(takes=0.1)
    pool = pool_of(sick, well, most=16)
    keeper, seconds = in_time(judged(pool, 16_000))
    assert {v.status for v in keeper.verdicts} == {VerdictStatus.OK}
    early = [time for time in sick.calls if time < 60]
    assert len(early) < 60, "most of the work went elsewhere"
    assert seconds > 60
    assert len(sick.calls) > 1000, "and it is back"


def test_a_refused_key_stops_that_endpoint_alone() -> None:
    refusing = Server(fails=lambda *_: JobFatal("401: no", "check MY_KEY"))
    fine = Server()
    keeper, _ = in_time(judged(pool_of(refusing, fine, most=8), 100))
    assert len(keeper.verdicts) == 100
    assert len(refusing.calls) == 4


def test_without_an_endpoint_left_the_job_stops_and_the_queue_stays() -> None:
    first = Server(fails=lambda *_: JobFatal("401: no", "check MY_KEY"))
    second = Server(fails=lambda number, _: JobFatal("no quota", "pay") if number > 20 else None)
    pool = pool_of(first, second, most=8)
    keeper = MemoryKeeper(many(100))
    with pytest.raises(TiebreakError, match="no quota"):
        in_time(judge_all(Asking(pool), [], pool=pool, keeper=keeper))
    assert len(keeper.verdicts) == 20
    assert {v.status for v in keeper.verdicts} == {VerdictStatus.OK}
    assert keeper.drawn == len(keeper.verdicts) + len(keeper.back)
    assert keeper.open == set()


def test_what_may_be_charged_is_said_of_each_attempt() -> None:
    errors = [TimedOut("slow"), RateLimited("429", 0.1), Transient("cut", possibly_charged=True)]

    def fails(number: int, _: float) -> Exception | None:
        return errors[number - 1] if number <= 3 else None

    keeper, _ = in_time(judged(pool_of(Server(fails=fails), most=1), 1))
    assert [(one.outcome, one.may_be_charged) for one in keeper.ended] == [
        ("timed out", True),
        ("rate limited", False),
        ("server error", True),
        ("ok", False),
    ]
    assert keeper.verdicts[0].attempts == 4


async def test_asking_outside_a_run_takes_a_slot_of_its_own() -> None:
    server = Server(takes=0.01)
    pool = pool_of(server, most=2)
    await asyncio.gather(*(pool.ask([], {}) for _ in range(10)))
    assert (server.most, server.replies, pool.under_way) == (2, 10, 0)


async def test_whoever_waits_when_the_pool_is_shut_is_told() -> None:
    pool = pool_of(Server(takes=0.05), most=1)
    waiting = [asyncio.create_task(pool.ask([], {})) for _ in range(3)]
    await asyncio.sleep(0.01)
    pool.shut()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in outcomes] == [Reply, Closed, Closed]
    assert pool.under_way == 0


async def test_a_waiter_that_is_cancelled_holds_no_slot() -> None:
    pool = pool_of(Server(takes=0.02), most=1)
    first = asyncio.create_task(pool.ask([], {}))
    await asyncio.sleep(0)
    second = asyncio.create_task(pool.ask([], {}))
    await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert pool.under_way == 0
    await pool.ask([], {})


def test_endpoints_come_and_go_while_calls_are_made() -> None:
    """Calls under way on one that goes are waited for, and its connections closed after them."""
    first, second = Server(), Server()

    async def change(pool: EndpointPool) -> None:
        await asyncio.sleep(3.5)
        second.address = "http://s1/v1"
        await pool.change({"http://s1/v1": second}, [])
        await asyncio.sleep(5.0)
        await pool.change({}, ["http://s0/v1"])
        assert first.under_way
        assert not first.is_closed
        await asyncio.sleep(1.5)
        await pool.change({}, ["http://s1/v1"])  # the last one stays
        assert first.is_closed

    async def both() -> tuple[MemoryKeeper, float]:
        pool = pool_of(first, most=8)
        changing = asyncio.create_task(change(pool))
        done = await judged(pool, 200)
        await changing
        return done

    keeper, _ = in_time(both())
    assert len(keeper.verdicts) == 200
    assert min(second.calls) == pytest.approx(4, abs=0.6)
    assert max(first.calls) < 9
    assert not second.under_way
    assert max(first.most, second.most) <= 8
    assert len(first.calls) + len(second.calls) == 200, "nothing was asked twice"
