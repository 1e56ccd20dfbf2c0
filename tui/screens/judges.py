"""The judges' screen is offered here, and made where a lead opens the app.

What it shows, and what it reads that with, is not for the voting process to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.screens import ScreenSpec

if TYPE_CHECKING:
    from tui.app import TiebreakApp
    from tui.judge_screen import JudgesScreen


def _make(app: TiebreakApp) -> JudgesScreen:
    from tui.judge_screen import JudgesScreen

    return JudgesScreen(app.banner)


SCREEN = ScreenSpec("judges", "Watch the judges", "f5", leads_only=True, make=_make)
