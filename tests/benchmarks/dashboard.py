"""The lead's screen on a large study beside a small one: opening, filtering, refreshing, keys."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static

from tests.benchmarks import big_study
from tests.benchmarks.measure import Row
from tui.app import TiebreakApp, Who
from tui.number_screen import NumberScreen
from tui.screens.lead import LeadScreen
from tui.widgets.spot_list import SpotList

SIZES = (10_000, 1_000_000)
_PATIENCE = 120.0
_PRESSES = 30


def rows() -> Iterator[Row]:
    """What a lead waits for with a million votes, beside the same with ten thousand."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TIEBREAK_BENCH_FOLDER")) as folder:
        few, many = (
            asyncio.run(_measured(big_study.write(Path(folder) / f"{size}.db", size)))
            for size in SIZES
        )
    for what, seconds in many.items():
        name = f"dashboard, 1 M votes: {what}"
        yield Row(name, 1000 * seconds, 1000 * few[what], "ms", "the same with 10 k votes")


async def _measured(path: Path) -> dict[str, float]:
    """Seconds for each thing, by its name."""
    found: dict[str, float] = {}
    app = TiebreakApp(path, Who("lea", "local:lea", is_lead=True), first="lead")
    begun = time.perf_counter()
    async with app.run_test(size=(120, 40)) as pilot:
        await _until(pilot, lambda: "Ranking by" in _text(pilot))
        found["opened, first chart"] = time.perf_counter() - begun
        presses = await _presses(pilot)
        found["a key while numbers are computed, p50"] = statistics.median(presses)
        found["a key while numbers are computed, p95"] = sorted(presses)[int(0.95 * len(presses))]
        await _until(pilot, lambda: "Live" in _said(pilot))
        found["opened, every statistic"] = time.perf_counter() - begun
        for _ in range(2):  # the second time nothing is made for the first time
            wanted = _votes(pilot) + 1
            begun = time.perf_counter()
            big_study.add_vote(path, wanted)
            await _until(pilot, lambda wanted=wanted: _votes(pilot, of_page=True) == wanted)
            found["one more vote, on the page"] = time.perf_counter() - begun
            await _until(pilot, lambda wanted=wanted: _votes(pilot, of_all=True) == wanted)
            found["one more vote, in every statistic"] = time.perf_counter() - begun
        begun = time.perf_counter()
        await pilot.press("f", "enter", *"math", "enter", "escape")
        await _until(pilot, lambda: "category math" in _filters(pilot) and "Live" in _said(pilot))
        found["filtered, every statistic"] = time.perf_counter() - begun
        await pilot.press("enter")
        begun = time.perf_counter()
        await _until(pilot, lambda: _is_opened(pilot))
        found["a number opened"] = time.perf_counter() - begun
    app.store.close()
    return found


def _is_opened(pilot: Pilot[None]) -> bool:
    screen = pilot.app.screen
    return isinstance(screen, NumberScreen) and "behind it" in screen.query_one(SpotList).text


async def _presses(pilot: Pilot[None]) -> list[float]:
    times = []
    for number in range(_PRESSES):
        begun = time.perf_counter()
        await pilot.press("j" if number % 2 else "k")
        times.append(time.perf_counter() - begun)
    return times


def _screen(pilot: Pilot[None]) -> LeadScreen | None:
    screen = pilot.app.screen
    return screen if isinstance(screen, LeadScreen) and screen.query("#said") else None


def _text(pilot: Pilot[None]) -> str:
    screen = _screen(pilot)
    return screen.numbers.text if screen else ""


def _votes(pilot: Pilot[None], *, of_page: bool = False, of_all: bool = False) -> int:
    """Votes that the shown numbers are of; 0 while the page's, or any, are of before."""
    screen = _screen(pilot)
    if screen is None or screen.board is None:
        return 0
    waiting = set(screen.board.waiting)
    if (of_all and waiting) or (of_page and waiting & set(screen.page.ids)):
        return 0
    return screen.board.counts["votes"]


def _said(pilot: Pilot[None]) -> str:
    screen = _screen(pilot)
    return str(screen.query_one("#said", Static).content) if screen else ""


def _filters(pilot: Pilot[None]) -> str:
    screen = _screen(pilot)
    return str(screen.query_one("#filters", Static).content) if screen else ""


async def _until(pilot: Pilot[None], reached: object) -> None:
    assert callable(reached)
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if reached():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError(f"the screen never came so far: {_said(pilot)}")
