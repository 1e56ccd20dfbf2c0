"""A pilot that goes on when a screen is at rest, however busy the machine is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from typing import Any

import pytest
import textual.app
import textual.pilot
from textual.app import App
from textual.pilot import Pilot

from tests.waiting import PATIENCE

_ROUNDS = 100
"""Times that a screen may find something further to do before it counts as always at work."""


async def _nothing_is_left() -> None:
    """Wait until the loop has nothing that it could do now: only time, or a thread, brings more."""
    loop: Any = asyncio.get_running_loop()
    deadline = time.monotonic() + PATIENCE
    await asyncio.sleep(0)
    while loop._ready and time.monotonic() < deadline:
        await asyncio.sleep(0)


async def _is_painted(app: App[Any]) -> None:
    """Wait until a screen has done, laid out and painted all that it has been asked for."""
    await _nothing_is_left()
    for _ in range(_ROUNDS):
        if not app.is_running or not app._screen_stack:
            return
        screen = app.screen
        if not (
            screen._dirty_widgets
            or screen._layout_required
            or screen._repaint_required
            or screen._scroll_required
            or screen._callbacks
        ):
            return
        screen._on_timer_update()
        await _nothing_is_left()


@contextmanager
def screens_at_rest() -> Iterator[None]:
    """Have a pilot go on when a screen is at rest.

    Textual takes a process for idle that has used little of the CPU for a moment, and on a busy
    machine that is so in the middle of its work.
    """
    idle, press, pause = textual.pilot.wait_for_idle, Pilot.press, Pilot.pause
    # Textual itself gives up after 30 s.
    wait_for_screen = partialmethod(Pilot._wait_for_screen, timeout=PATIENCE)

    async def wait_for_idle(min_sleep: float = 1 / 50, max_sleep: float = 1) -> None:
        await idle(min_sleep, max_sleep)
        await _nothing_is_left()

    async def press_and_rest(self: Pilot[Any], *keys: str) -> None:
        await press(self, *keys)
        await _is_painted(self.app)

    async def pause_and_rest(self: Pilot[Any], delay: float | None = None) -> None:
        await pause(self, delay)
        await _is_painted(self.app)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textual.app, "wait_for_idle", wait_for_idle)
        patch.setattr(textual.pilot, "wait_for_idle", wait_for_idle)
        patch.setattr(Pilot, "_wait_for_screen", wait_for_screen)
        patch.setattr(Pilot, "press", press_and_rest)
        patch.setattr(Pilot, "pause", pause_and_rest)
        yield
