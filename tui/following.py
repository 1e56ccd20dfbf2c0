"""Judges that go on: when nothing is left they wait for new pairs, votes and judges."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

from core.errors import TiebreakError
from core.records import Judge
from db.judge_control import JudgeControl
from db.judge_horizon import horizon
from db.store import Store
from tui.judge_desk import Order
from tui.judging import Told, work

LOOK_EVERY = 1.0
"""Seconds between two looks at whether there may be something new."""

_AGAIN_AFTER = 300.0
"""Seconds until a judge that could not go on is tried again."""


@dataclass(frozen=True, slots=True)
class Following:
    """How judges go on.

    Attributes:
        stop: once set, no call begins any more.
        order: what each judge is to do; with a limit it is not to go on.
        names: these judges only; all that can work if empty.
        grace: seconds that calls under way get once it is to end; None for as long as they take.
        on_ended: told of each call that ended, once it is on the disk.
        on_pause: told when an endpoint pauses: for how many seconds, and why.
        on_refusal: told once why a judge cannot go on; it is tried again later.
        on_note: told of what else happens to a judge's work, in a line: another process holds
            the study, a server does otherwise than was found of it.
    """

    store: Store
    stop: asyncio.Event
    order: Order
    names: Collection[str] = ()
    grace: float | None = None
    on_ended: Told | None = None
    on_pause: Callable[[float, str], None] | None = None
    on_refusal: Callable[[Judge, TiebreakError], None] | None = None
    on_note: Callable[[Judge, str], None] | None = None

    async def run(self) -> None:
        """Let judges judge until ``stop`` is set; then wait for the calls under way.

        Raises:
            StudyUnavailable: if the study cannot be read or written any more.
        """
        working: dict[str, asyncio.Task[None]] = {}
        try:
            version = None
            while not self.stop.is_set():
                if version != (version := self.store.data_version()):
                    for judge in self._judges():
                        if judge.name not in working:
                            working[judge.name] = asyncio.create_task(self._follow(judge))
                for task in working.values():
                    if task.done():
                        task.result()  # a study that is gone ends all
                await self._wait(LOOK_EVERY)
            if working:
                await asyncio.wait(working.values(), timeout=self.grace)
        finally:
            for task in working.values():
                task.cancel()
            await asyncio.gather(*working.values(), return_exceptions=True)

    def _judges(self) -> list[Judge]:
        return [
            judge
            for judge in self.store.judging.judges()
            if judge.kind != "imported" and (not self.names or judge.name in self.names)
        ]

    async def _follow(self, judge: Judge) -> None:
        """Let one judge judge whatever comes, until its work is cancelled."""
        control, order, told = JudgeControl(self.store), self.order, ""
        cancels = control.read(judge.name).cancels
        on_note = None if self.on_note is None else partial(self.on_note, judge)
        while not self.stop.is_set():
            seen = horizon(self.store, judge.name)
            try:
                await work(
                    self.store.path,
                    judge,
                    order,
                    stop=self.stop,
                    on_ended=self.on_ended,
                    on_pause=self.on_pause,
                    on_note=on_note,
                )
            except TiebreakError as error:
                if self.on_refusal is not None and error.message != told:
                    self.on_refusal(judge, error)
                told = error.message
                await self._wait_for_mending(control, judge.name)
                continue
            if control.read(judge.name).cancels != cancels:
                return
            order = replace(order, retry_failed=False)  # what fails again is not tried for ever
            by_votes = order.orders == "as-shown"
            while not self.stop.is_set():
                await self._wait(LOOK_EVERY)
                if horizon(self.store, judge.name).is_beyond(seen, by_votes=by_votes):
                    break

    async def _wait_for_mending(self, control: JudgeControl, judge: str) -> None:
        """Wait until a lead said that a judge may go on, or where, or some minutes have passed."""
        until = time.monotonic() + _AGAIN_AFTER
        servers = self._servers(judge)
        while time.monotonic() < until and not self.stop.is_set() and control.read(judge).note:
            await self._wait(LOOK_EVERY)
            if self._servers(judge) - servers:
                return

    def _servers(self, judge: str) -> set[str]:
        return {one.address for one in self.store.endpoints.of(judge)}

    async def _wait(self, seconds: float) -> None:
        """Wait, or until it is to end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)
