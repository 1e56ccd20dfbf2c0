"""Sessions side by side, each in a pty of its own, and what a key in each costs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.measure import p50_p95, until_quiet
from tests.terminal import Terminal, terminal

SCREENFUL = 4000
"""Bytes of a first screen, at the least."""

WARM_UP = 5
"""Keys before any is counted."""

_PAUSE = 0.05
_SETTLED = 1.3
"""Seconds after which a session has done what it does once, behind its first screen."""

BARE = ("-m", "tests.benchmarks.bare_app")


def bare_filling(size: tuple[int, int]) -> tuple[str, ...]:
    """The bare app with texts that fill as much of a screen as 2 KB fill of 120×40."""
    return (*BARE, str(2000 * size[0] * size[1] // (120 * 40)))


def ours(study: Path) -> tuple[str, ...]:
    """Arguments for an interpreter to vote in a study."""
    return ("-m", "tui", "--db", str(study), "annotate", "--as", "bench")


@dataclass(slots=True)
class Measured:
    """What a key cost: seconds to its last byte, and bytes, one for each press."""

    seconds: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    @property
    def milliseconds(self) -> tuple[float, float]:
        """The median and the 95th percentile."""
        p50, p95 = p50_p95(self.seconds)
        return p50 * 1e3, p95 * 1e3

    @property
    def kilobytes(self) -> float:
        """The mean."""
        return sum(self.sizes) / len(self.sizes) / 1e3


@contextmanager
def sessions(
    commands: Mapping[str, Sequence[str]], size: tuple[int, int]
) -> Iterator[dict[str, Terminal]]:
    """Open a session for each interpreter's command line, painted and settled."""
    opened = {
        name: terminal(python=python, columns=size[0], rows=size[1])
        for name, python in commands.items()
    }
    with painted(opened) as seats:
        yield seats


@contextmanager
def painted(
    opened: Mapping[str, AbstractContextManager[Terminal]],
) -> Iterator[dict[str, Terminal]]:
    """Enter these, until each has painted its first screen and settled."""
    with ExitStack() as stack:
        seats = {name: stack.enter_context(one) for name, one in opened.items()}
        for seat in seats.values():
            seat.is_watched = False
            until_quiet(seat, time.perf_counter(), SCREENFUL)
        time.sleep(_SETTLED)
        yield seats


def press(seats: Mapping[str, Terminal], key: str, times: int) -> dict[str, Measured]:
    """Press a key in each session in turn, A B A B …, so that a drift meets them alike."""
    measured = {name: Measured() for name in seats}
    for number in range(times + WARM_UP):
        for name, seat in seats.items():
            seat.drain()
            before = len(seat.raw)
            began = time.perf_counter()
            seat.send(key)
            took = until_quiet(seat, began)
            time.sleep(_PAUSE)
            if number >= WARM_UP:
                measured[name].seconds.append(took)
                measured[name].sizes.append(len(seat.raw) - before)
    return measured


def resident(seat: Terminal) -> float:
    """Resident memory of a session, in MiB."""
    lines = Path(f"/proc/{seat.pid}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(kilobytes) / 1024
