"""What ``judge run --follow`` does: judges that wait for what comes until they are interrupted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from core.text import many, one_line
from tui.cli import say

if TYPE_CHECKING:
    from core.errors import TiebreakError
    from core.records import Judge
    from db.store import Store
    from judges.calls import Ended
    from tui.judge_desk import Order

_SAY_EVERY = 5.0
"""Seconds between two lines that say how far it is."""


class Follower:
    """Judges that go on, and what they have given until now.

    Attributes:
        given: (judge, status) → how many verdicts.
    """

    def __init__(self) -> None:
        self.given: Counter[tuple[str, str]] = Counter()
        self._said = 0.0

    async def run(
        self, store: Store, names: Collection[str], order: Order, stop: asyncio.Event
    ) -> None:
        """Let judges judge until ``stop`` is set."""
        from tui.following import Following

        say("judges follow what comes; interrupt to end")
        following = Following(
            store,
            stop,
            order,
            names,
            on_ended=self._take,
            on_pause=lambda seconds, why: say(f"  waits {seconds:.1f} s: {one_line(why, 200)}"),
            on_refusal=_refused,
            on_note=lambda judge, words: say(f"  {judge.name}: {one_line(words, 300)}"),
        )
        await following.run()
        say(f"{many(self.given.total(), 'verdict')} given")

    def _take(self, ended: Sequence[Ended]) -> None:
        for one in ended:
            self.given.update((verdict.judge, verdict.status.value) for verdict in one.verdicts)
        if time.monotonic() - self._said > _SAY_EVERY:
            self._said = time.monotonic()
            say(f"  {many(self.given.total(), 'verdict')} so far")


def _refused(judge: Judge, error: TiebreakError) -> None:
    say(f"  {judge.name} cannot go on: {one_line(error.message, 300)}")
    say(f"    {one_line(error.hint, 300)}; then: tiebreak judge resume {judge.name}")
