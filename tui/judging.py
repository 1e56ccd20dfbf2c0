"""Judges at work: the queue hands out jobs, judges judge them, the queue keeps the verdicts."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from core.errors import TiebreakError
from core.records import Judge
from db.store import Store
from judges.calls import Ended
from judges.endpoints import EndpointPool
from judges.models import make_judge
from judges.policy import Policy
from judges.runner import Runner
from tui.judge_desk import Desk, Order
from tui.judge_prompts import prompts_of
from tui.judge_servers import clients_of, follow_servers

USUAL = Order()

Told = Callable[[Sequence[Ended]], None]


async def work(
    study: Path,
    record: Judge,
    order: Order = USUAL,
    *,
    policy: Policy | None = None,
    stop: asyncio.Event | None = None,
    on_ended: Told | None = None,
    on_pause: Callable[[float, str], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> int:
    """Let a judge judge what is left for it, beside any other process that does.

    Args:
        policy: how often and how long to try.
        stop: once set, no call begins any more; calls under way are waited for.
        on_ended: told of each call that ended, once it is on the disk.
        on_pause: told when an endpoint pauses: for how many seconds, and why.
        on_note: told of a server that does otherwise than was found of it.

    Returns:
        How many verdicts were recorded here.

    Raises:
        TiebreakError: if the judge cannot go on; what it said until then is recorded.
    """
    with Store(study) as store:
        prompts = prompts_of(store, record)
    pool = EndpointPool(
        clients_of(study, record, on_note),
        order.concurrency,
        policy or Policy(unread=order.unread),
        on_pause=on_pause,
        on_stop=None if on_note is None else partial(_left, on_note),
    )
    judge = make_judge(record, prompts=prompts, asks=pool)
    desk = Desk(study, judge, order, on_note)
    following: asyncio.Task[None] | None = None
    note = "interrupted"
    # The desk's thread lets go of the interpreter at each statement; by default it would then
    # wait 5 ms for the loop to give it back.
    sys.setswitchinterval(0.0005)
    # A verdict leaves no cycles behind, so there is little to look for.
    gc.set_threshold(10_000)
    try:
        await desk.open()
        if record.endpoint:
            following = asyncio.create_task(follow_servers(study, record, pool, on_note))
        runner = Runner(judge, desk, pool, stop=stop, on_ended=on_ended, pace=order.pace)
        await runner.run()
        note = ""
    except TiebreakError as error:
        note = error.message
        raise
    finally:
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        try:
            await desk.close(note)
        finally:
            await judge.close()
    return desk.recorded


def _left(on_note: Callable[[str], None], address: str, why: TiebreakError) -> None:
    on_note(f"{address} gets no more calls: {why.message}")
