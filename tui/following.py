"""Judges that go on: when nothing is left they wait for new pairs, votes and judges."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from core.errors import TiebreakError
from core.records import Judge, Verdict
from db.store import Store
from judges.calls import Ended
from tui.judge_desk import Order
from tui.judging import work

LOOK_EVERY = 1.0
"""Seconds between two looks at whether anything was committed."""

_REST = 20
"""Looking for what is left waits so many times what it took the last time, if nothing was left."""

_AGAIN_AFTER = 300.0
"""Seconds until a judge that could not go on is tried again."""

_GRACE = 5.0
"""Seconds that calls under way get to be recorded once it is to end."""


@dataclass(frozen=True, slots=True)
class Following:
    """How judges go on.

    Attributes:
        names: these judges only; all that can work if empty.
        concurrency: calls at once, for each judge.
        pace: seconds between verdicts; for showing the work, not for doing it.
        on_verdict: told of each verdict once it is on the disk.
        on_refusal: told once why a judge cannot go on; it is tried again later.
    """

    store: Store
    stop: asyncio.Event
    names: Collection[str] = ()
    concurrency: int = 8
    pace: float = 0.0
    on_verdict: Callable[[Verdict], None] | None = None
    on_refusal: Callable[[Judge, TiebreakError], None] | None = None

    async def run(self) -> None:
        """Let judges judge until ``stop`` is set; then wait a little for calls under way.

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
                await asyncio.wait(working.values(), timeout=_GRACE)
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
        """Let one judge judge whatever comes."""
        told = ""
        while not self.stop.is_set():
            version, began = self.store.data_version(), time.monotonic()
            count = 0
            try:
                count = await work(
                    self.store.path,
                    judge,
                    Order(concurrency=self.concurrency, pace=self.pace),
                    stop=self.stop,
                    on_ended=self._tell,
                )
            except TiebreakError as error:
                if self.on_refusal is not None and error.message != told:
                    self.on_refusal(judge, error)
                told = error.message
                await self._wait(_AGAIN_AFTER)
                continue
            if not count:
                await self._wait(_REST * (time.monotonic() - began))
            while not self.stop.is_set() and self.store.data_version() == version:
                await self._wait(LOOK_EVERY)

    def _tell(self, ended: Sequence[Ended]) -> None:
        if self.on_verdict is not None:
            for one in ended:
                for verdict in one.verdicts:
                    self.on_verdict(verdict)

    async def _wait(self, seconds: float) -> None:
        """Wait, or until it is to end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)
