"""The lead's screen on a large study beside a small one: opening, filtering, refreshing, keys."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static

from tests.adjudicating import sits_down
from tests.benchmarks import big_study
from tests.benchmarks.measure import Row, p50_p95
from tests.terminal import terminal
from tui.app import TiebreakApp, Who
from tui.number_screen import NumberScreen
from tui.screens.lead import LeadScreen
from tui.widgets.spot_list import SpotList

SIZES = (10_000, 1_000_000)
_PATIENCE = 600.0
_PRESSES = 60


def rows() -> Iterator[Row]:
    """What a lead waits for with a million votes, beside the same with ten thousand."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TIEBREAK_BENCH_FOLDER")) as folder:
        studies = [big_study.write(Path(folder) / f"{size}.db", size) for size in SIZES]
        few, many = (_at_the_keyboard(study) | asyncio.run(_measured(study)) for study in studies)
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
        begun = time.perf_counter()
        await pilot.press("enter")
        await _until(pilot, lambda: _is_opened(pilot))
        found["a number opened"] = time.perf_counter() - begun
    app.store.close()
    return found


def _is_opened(pilot: Pilot[None]) -> bool:
    screen = pilot.app.screen
    return isinstance(screen, NumberScreen) and "behind it" in screen.query_one(SpotList).text


def _at_the_keyboard(path: Path) -> dict[str, float]:
    """Seconds from a key to what it paints while statistics are computed, and to leave then.

    In a real terminal: a pilot waits until the whole process is idle, which it is not.
    """
    times = []
    with terminal(sits_down(path, "lea"), columns=120, rows=40) as seat:
        seat.shows("Ranking by", _PATIENCE)
        while len(times) < _PRESSES:
            seat.drain()
            key = "j" if len(times) % 2 else "k"
            begun = time.perf_counter()
            seat.send(key)
            while not seat.read():
                assert time.perf_counter() < begun + _PATIENCE, "a key painted nothing"
            times.append(seat.last_read - begun)
        begun = time.perf_counter()
        seat.send("\x11")
        assert seat.wait(_PATIENCE) == 0
        left = time.perf_counter() - begun
    p50, p95 = p50_p95(times)
    return {
        "a key while numbers are computed, p50": p50,
        "a key while numbers are computed, p95": p95,
        "a key while numbers are computed, worst": max(times),
        "left while numbers are computed": left,
    }


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
