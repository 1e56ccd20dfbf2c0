"""How far a run of a judge is, as one line."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import click

from core.text import many, one_line
from judges.calls import Ended


@dataclass(slots=True)
class Progress:
    """How far a run is, how fast, at what cost, and how much longer it takes."""

    judge: str
    statuses: Counter[str] = field(default_factory=Counter)
    cost: float = 0.0
    left: int | None = None
    began: float = field(default_factory=time.monotonic)
    recent: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=64))
    said_at: float = 0.0

    @property
    def failed(self) -> int:
        """How many verdicts could not be had so far."""
        return self.statuses.total() - self.statuses["ok"]

    def take(self, ended: Sequence[Ended]) -> None:
        """Count what ended, and say how it stands now and then."""
        for one in ended:
            for verdict in one.verdicts:
                self.statuses[verdict.status.value] += 1
                self.cost += verdict.cost or 0.0
        now = time.monotonic()
        is_terminal = sys.stderr.isatty()
        if now - self.said_at > (0.5 if is_terminal else 5.0):
            if self.said_at or now - self.began > 5.0 or is_terminal:
                self._say(is_terminal)
                self.recent.append((now, self.statuses.total()))
            self.said_at = now

    def close(self) -> None:
        """Leave the line that is written over and over."""
        if self.said_at and sys.stderr.isatty():
            click.echo("", err=True)

    def _say(self, is_terminal: bool) -> None:
        if is_terminal:
            click.echo(f"\r\x1b[K{self.line()}", err=True, nl=False)
        else:
            click.echo(self.line(), err=True)

    def line(self) -> str:
        """One line of it."""
        done = self.statuses.total()
        then, before = self.recent[0] if len(self.recent) > 1 else (self.began, 0)
        rate = (done - before) / max(1e-9, time.monotonic() - then)
        parts = [f"  {self.judge}: {many(done, 'verdict')}", f"{rate:,.1f}/s"]
        if self.cost:
            parts.append(f"cost {self.cost:,.4f}")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.left is not None and rate > 0:
            left = max(0, self.left - done)
            parts.append(f"{left:,} left, {_span(left / rate)}")
        return one_line(" · ".join(parts), 200)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.0f} s"
    minutes = seconds / 60
    return f"about {minutes:.0f} min" if minutes < 90 else f"about {minutes / 60:.1f} h"
