"""Judges at work: the store says what is left, judges judge it, the store keeps it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from core.records import Judge, Verdict
from db.judging import Asked
from db.store import Store
from judges.runner import Task, make_judge, run
from tui.background import Background
from tui.judge_prompts import prompts_of

_PORTION = 1000
"""Tasks asked of the store at a time, texts included."""

_BATCH = 64
_HOLD = 0.05
"""Verdicts are committed together when this many, or this many seconds, have gathered."""


class _Keeper:
    """Commits verdicts in small batches, and tells of each once it is on the disk."""

    def __init__(self, store: Store, on_verdict: Callable[[Verdict], None] | None) -> None:
        self._store = store
        self._on_verdict = on_verdict
        self._waiting: list[Verdict] = []
        self._since = time.monotonic()
        self.kept = 0

    def take(self, verdict: Verdict, *, at_once: bool) -> None:
        self._waiting.append(verdict)
        is_late = time.monotonic() - self._since > _HOLD
        if at_once or is_late or len(self._waiting) >= _BATCH:
            self.keep()

    def keep(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.kept += self._store.judging.record(waiting)
        self._since = time.monotonic()
        if self._on_verdict is not None:
            for verdict in waiting:
                self._on_verdict(verdict)


async def work(
    store: Store,
    record: Judge,
    *,
    concurrency: int = 8,
    limit: int | None = None,
    pace: float = 0.0,
    retry_failed: bool = False,
    stop: asyncio.Event | None = None,
    on_verdict: Callable[[Verdict], None] | None = None,
    on_pause: Callable[[float, str], None] | None = None,
) -> int:
    """Let a judge judge what it has not judged yet, until nothing is left.

    Args:
        limit: at most this many verdicts.
        pace: seconds to wait between verdicts; for showing the work, not for doing it.
        retry_failed: try once more, first, what failed in an earlier run.
        on_verdict: told of each verdict once it is on the disk.

    Returns:
        How many verdicts were recorded.

    Raises:
        TiebreakError: if the judge cannot go on; what it said until then is recorded.
    """
    judge = make_judge(record, prompts=prompts_of(store, record))
    keeper = _Keeper(store, on_verdict)
    try:
        for asked in _portions(store, record.name, keeper, limit, retry_failed):
            if stop is not None and stop.is_set():
                break
            failures = {(a.pair, a.turn, a.left): a.supersedes for a in asked if a.supersedes}
            verdicts = run(
                judge, map(task_of, asked), concurrency=concurrency, stop=stop, on_pause=on_pause
            )
            async with contextlib.aclosing(verdicts) as coming:
                try:
                    async for verdict in coming:
                        failure = failures.get((verdict.pair, verdict.turn, verdict.left or 0))
                        if failure is not None:
                            verdict = _again(verdict, failure)
                        keeper.take(verdict, at_once=pace > 0)
                        await asyncio.sleep(pace)
                finally:
                    keeper.keep()
    finally:
        await judge.close()
    return keeper.kept


def _portions(
    store: Store, judge: str, keeper: _Keeper, limit: int | None, retry_failed: bool
) -> Iterator[list[Asked]]:
    """What there is to judge: failures once, if wanted, then all that was never judged."""
    if retry_failed and (failed := store.judging.failed(judge)[:limit]):
        yield failed
    while limit is None or keeper.kept < limit:
        wanted = _PORTION if limit is None else min(_PORTION, limit - keeper.kept)
        asked = store.judging.left_to_judge(judge, limit=wanted)
        if not asked:
            return
        yield asked


def _again(verdict: Verdict, failure: str) -> Verdict:
    """A verdict that takes a failure's place; both stay in the log."""
    key = hashlib.sha256(f"{failure} again".encode()).hexdigest()[:32]
    return replace(verdict, id=key, supersedes=failure)


def task_of(asked: Asked) -> Task:
    """What the store asks, as judges take it."""
    return Task(
        asked.pair,
        asked.turn,
        asked.left,
        0,
        asked.question,
        asked.left_turns,
        asked.right_turns,
    )


class BackgroundJudges(Background):
    """Judges that work while people vote, until nothing is left for them.

    Args:
        pace: seconds between verdicts.
    """

    def __init__(self, study: Path, *, pace: float) -> None:
        super().__init__(study, "judges")
        self._pace = pace

    def work(self, store: Store) -> None:
        """Let every judge of the study finish what is left for it."""
        asyncio.run(self._work(store))

    async def _work(self, store: Store) -> None:
        stop = asyncio.Event()

        def look(_: Verdict) -> None:
            if self.ended.is_set():
                stop.set()

        for record in store.judging.judges():
            if record.kind != "imported" and not self.ended.is_set():
                await work(
                    store, record, concurrency=1, pace=self._pace, stop=stop, on_verdict=look
                )
