"""The leads' adjudication is offered here, and made where a lead opens the app.

What it shows, and what it reads that with, is not for the voting process to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.screens import ScreenSpec

if TYPE_CHECKING:
    from tui.adjudicate_screen import AdjudicateScreen
    from tui.app import TiebreakApp


def _make(app: TiebreakApp) -> AdjudicateScreen:
    from tui.adjudicate_screen import AdjudicateScreen

    return AdjudicateScreen(app.banner)


SCREEN = ScreenSpec("adjudicate", "Rule on disagreements", "f6", leads_only=True, make=_make)
