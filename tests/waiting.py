"""Waiting for what surely comes, however slow the machine is: for a thing, and never for time.

How long something takes says nothing about whether it is right. So a test waits until it sees what
it is about, and gives up only where a person would.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.pilot import Pilot

PATIENCE = 180.0
"""Seconds for what takes a fraction of one: other processes may have the machine meanwhile."""

Said = str | Callable[[], str]
"""What to say where something never came, made only then if it is to be made."""


def until(true: Callable[[], object], otherwise: Said = "it never came true") -> None:
    """Wait until something is true of files or of other processes.

    Raises:
        AssertionError: if it never is.
    """
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, _words(otherwise)
        time.sleep(0.01)


async def comes(
    pilot: Pilot[Any], true: Callable[[], object], otherwise: Said = "it never came true"
) -> None:
    """Let a screen work until something is true of it.

    Raises:
        AssertionError: if it never is.
    """
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, _words(otherwise)
        await pilot.pause(0.01)


def _words(said: Said) -> str:
    return said if isinstance(said, str) else said()
