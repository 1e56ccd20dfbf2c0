"""First paint, keypress to the next pair, bytes and memory, each against a bare app."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks.keys import BARE, SCREENFUL, ours, press, resident, sessions
from tests.benchmarks.measure import Row, interleaved, make_study, markdown, prose, until_quiet
from tests.terminal import terminal

SIZES = ((120, 40), (200, 50))
LENGTHS = {"2 KB": 2_000, "20 KB": 20_000, "100 KB": 100_000, "1 MiB": 1 << 20}

HEAVY = "100 KB"

STARTS = 15
VOTES = 50
SCROLLS = 20

LINE, PAGE = 8.0, 13.0
"""What scrolling by a line and by a page may send at 120×40, in kB."""


def _start(python: Sequence[str]) -> float:
    began = time.perf_counter()
    with terminal(python=python, columns=SIZES[0][0], rows=SIZES[0][1]) as seat:
        seat.is_watched = False
        return until_quiet(seat, began, SCREENFUL)


def rows() -> Iterator[Row]:
    """The screen's rows of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from _first_paint(folder)
        # Six pairs a question: enough for every key of both sizes, warm-up included.
        studies = {
            label: make_study(folder / f"{length}.db", 20, length, body=markdown)
            for label, length in LENGTHS.items()
        }
        for size in SIZES:
            yield from _at(studies, size)


def _first_paint(folder: Path) -> Iterator[Row]:
    for kind, body in {"prose": prose, "Markdown": markdown}.items():
        study = make_study(folder / f"{kind}.db", 3, 2000, body=body)
        times = interleaved(STARTS, lambda: _start(ours(study)), lambda: _start(BARE))  # noqa: B023
        p50, bare = (median(some) * 1e3 for some in times)
        yield Row(f"start to first paint, {kind}, p50", p50, bare, "ms", "bare")


def _at(studies: dict[str, Path], size: tuple[int, int]) -> Iterator[Row]:
    commands = {"bare": BARE, **{label: ours(study) for label, study in studies.items()}}
    where = f"{size[0]}×{size[1]}"
    with sessions(commands, size) as seats:
        votes = press(seats, "1", VOTES)
        bare = votes["bare"]
        for label in studies:
            for quantile, mine, theirs in zip(
                ("p50", "p95"), votes[label].milliseconds, bare.milliseconds, strict=True
            ):
                yield Row(f"vote to next pair, {where}, {label}, {quantile}", mine, theirs, "ms",
                          "bare, 2 KB")  # fmt: skip
            yield Row(f"vote to next pair, {where}, {label}, bytes", votes[label].kilobytes,
                      bare.kilobytes, "kB", "bare, 2 KB")  # fmt: skip
        memory = {label: resident(seats[label]) for label in ("bare", HEAVY)}
        yield Row(f"memory, {where}, {HEAVY} and the next", memory[HEAVY], memory["bare"], "MiB",
                  "bare, 2 KB")  # fmt: skip
        seat = {HEAVY: seats[HEAVY]}
        line = press(seat, "j", SCROLLS)[HEAVY].kilobytes
        page = press(seat, " ", SCROLLS)[HEAVY].kilobytes
        if size == SIZES[0]:
            yield Row(f"scroll by a line, {where}, bytes", line, LINE, "kB", "target")
            yield Row(f"scroll by a page, {where}, bytes", page, PAGE, "kB", "target")
        yield Row(f"scroll by a line, {where}, bytes", line, bare.kilobytes, "kB", "bare's swap")
        yield Row(f"scroll by a page, {where}, bytes", page, bare.kilobytes, "kB", "bare's swap")
