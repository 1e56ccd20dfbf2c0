"""Start to first paint, and keypress to the next pair painted, in a real pty."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.benchmarks.measure import Row, interleaved, make_study, p50_p95, until_quiet
from tests.terminal import Terminal, terminal

SIZE = (120, 40)
SCREENFUL = 4000
"""Bytes of a first screen, at the least."""

STARTS = 9
KEYS = 60
BARE = ("-m", "tests.benchmarks.bare_app")


def _open(python: Sequence[str]) -> AbstractContextManager[Terminal]:
    return terminal(python=python, columns=SIZE[0], rows=SIZE[1])


def _start(python: Sequence[str]) -> float:
    began = time.perf_counter()
    with _open(python) as seat:
        return until_quiet(seat, began, SCREENFUL)


def _keys(python: Sequence[str]) -> tuple[list[float], float]:
    """Seconds from each key to the last byte, and the bytes of one."""
    with _open(python) as seat:
        until_quiet(seat, time.perf_counter(), SCREENFUL)
        time.sleep(0.3)
        times: list[float] = []
        before = 0
        for number in range(KEYS + 5):
            if number == 5:  # the first few warm the process up
                times, before = [], len(seat.raw)
            began = time.perf_counter()
            seat.send("1")
            times.append(until_quiet(seat, began))
            time.sleep(0.1)
        return times, (len(seat.raw) - before) / KEYS


def rows() -> Iterator[Row]:
    """The screen's rows of the table."""
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(Path(folder) / "start.db", 30, 2000)
        ours_command = ("-m", "tui", "--db", str(study), "annotate", "--as", "bench")
        ours, bare = interleaved(STARTS, lambda: _start(ours_command), lambda: _start(BARE))
        ours_p50, bare_p50 = sorted(ours)[STARTS // 2], sorted(bare)[STARTS // 2]
        yield Row("cold start to first paint, p50", ours_p50 * 1e3, bare_p50 * 1e3, "ms", "bare")
        bare_times, bare_bytes = _keys(BARE)
        bare_p = p50_p95(bare_times)
        for size in (2_000, 20_000, 100_000):
            study = make_study(Path(folder) / f"keys{size}.db", 30, size)
            command = ("-m", "tui", "--db", str(study), "annotate", "--as", "bench")
            times, sent = _keys(command)
            p = p50_p95(times)
            what = f"keypress to next pair, {size // 1000} KB answers"
            yield Row(f"{what}, p50", p[0] * 1e3, bare_p[0] * 1e3, "ms", "bare, 2 KB")
            yield Row(f"{what}, p95", p[1] * 1e3, bare_p[1] * 1e3, "ms", "bare, 2 KB")
            yield Row(f"{what}, bytes", sent / 1e3, bare_bytes / 1e3, "kB", "bare, 2 KB")
