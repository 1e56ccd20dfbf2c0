"""First paint, keypress to the next pair, bytes and memory, each against a bare app."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks.keys import (
    BARE,
    SCREENFUL,
    Measured,
    bare_filling,
    ours,
    press,
    resident,
    sessions,
)
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
    baselines = {"bare": "bare, 2 KB"}
    if size != SIZES[0]:  # there, 2 KB leave more than half of the screen empty
        commands["filled"] = bare_filling(size)
        baselines["filled"] = "bare, as full"
    where = f"{size[0]}×{size[1]}"
    with sessions(commands, size) as seats:
        votes = press(seats, "1", VOTES)
        for label in studies:
            for baseline, called in baselines.items():
                yield from _votes(f"vote to next pair, {where}, {label}", votes[label],
                                  votes[baseline], called)  # fmt: skip
        mine, theirs = resident(seats[HEAVY]), resident(seats["bare"])
        yield Row(f"memory, {where}, {HEAVY} and the next", mine, theirs, "MiB", "bare, 2 KB")
        seat = {HEAVY: seats[HEAVY]}
        for what, key, most in (("line", "j", LINE), ("page", " ", PAGE)):
            sent = press(seat, key, SCROLLS)[HEAVY].kilobytes
            said = f"scroll by a {what}, {where}, bytes"
            if size == SIZES[0]:
                yield Row(said, sent, most, "kB", "target")
            for baseline, called in baselines.items():
                yield Row(said, sent, votes[baseline].kilobytes, "kB", called)


def _votes(what: str, mine: Measured, theirs: Measured, called: str) -> Iterator[Row]:
    for place, quantile in enumerate(("p50", "p95")):
        ours, bare = mine.milliseconds[place], theirs.milliseconds[place]
        yield Row(f"{what}, {quantile}", ours, bare, "ms", called)
    yield Row(f"{what}, bytes", mine.kilobytes, theirs.kilobytes, "kB", called)
