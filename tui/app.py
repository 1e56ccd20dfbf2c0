"""The app: opens a study, shows screens, and keeps the terminal and the study apart."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from textual.app import App
from textual.binding import Binding
from textual.filter import LineFilter

from core.errors import TiebreakError
from core.records import Role
from db.store import Store
from tui.inert import Inert
from tui.screens import ScreenSpec, screens

_SETTLED_AFTER = 1.0
"""Seconds after which all that lives as long as the app has been made."""


def _spare_the_collector() -> None:
    """Take what stays anyway out of the garbage collector's rounds, which a keypress waits for."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)


@dataclass(frozen=True, slots=True)
class Who:
    """The person at the terminal.

    Attributes:
        identity: how they proved it, as stored with each vote.
        is_lead: whether they may see what annotators must not.
        simulated: whether this is no person at all, which every screen then says.
    """

    annotator: str
    identity: str
    is_lead: bool = False
    simulated: bool = False


class TiebreakApp(App[None]):
    """One person in one study.

    Args:
        study: the study file; it must exist.
        first: the id of the screen to begin with.
        banner: said on every screen's status line, such as that a study is a sample.
    """

    BINDINGS = [Binding("ctrl+q", "quit", "quit", show=False, priority=True)]
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    CSS_PATH = "app.tcss"
    TITLE = "Tiebreak"

    def __init__(self, study: Path, who: Who, *, first: str = "annotate", banner: str = "") -> None:
        super().__init__()
        self.animation_level = "none"
        self.study = study
        self.who = who
        self.first = first
        self.banner = banner
        self.store = Store(study)
        self.crash: BaseException | None = None
        self.refusal: TiebreakError | None = None

    @cached_property
    def annotator_id(self) -> int:
        """This person's row in the study, added when they first vote."""
        role = Role.LEAD if self.who.is_lead else Role.ANNOTATOR
        return self.store.annotator(self.who.annotator, role=role, simulated=self.who.simulated)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Ours first: what comes out of it is safe for every other filter and the terminal."""
        return [Inert(), *super().get_line_filters()]

    def on_mount(self) -> None:
        for spec in self.offered():
            self.install_screen(spec.make(self), spec.id)
            self.bind(spec.key, f"show('{spec.id}')", description=spec.title, show=False)
        self._on_hangup()
        self.push_screen(self.first)
        self.set_timer(_SETTLED_AFTER, _spare_the_collector)

    def offered(self) -> list[ScreenSpec]:
        """The screens that this person may see."""
        return [spec for spec in screens() if self.who.is_lead or not spec.leads_only]

    def _on_hangup(self) -> None:
        # Without a terminal Textual would spin for ever, so a dropped line ends the process at
        # once: every acknowledged vote and every draft is in the study already.
        def end() -> NoReturn:
            self.store.close()
            os._exit(128 + signal.SIGHUP)

        try:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, end)
        except (NotImplementedError, RuntimeError, ValueError):
            # Signals belong to the main thread alone; in a test's thread there is no terminal.
            return

    def action_show(self, name: str) -> None:
        """Show a screen by its id, if this person may see it and no question is open."""
        if self.screen.is_modal or not self.is_screen_installed(name):
            return
        self.switch_screen(name)

    def refuse(self, error: TiebreakError) -> None:
        """Leave with a refusal, which the command prints."""
        self.refusal = error
        self.exit(return_code=error.exit_code)

    def _fatal_error(self) -> None:
        # Textual would print every local variable of every frame, answers and paths included.
        self.crash = self._exception
        self._close_messages_no_wait()

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        """Open nothing: the browser would run on the server."""

    def copy_to_clipboard(self, text: str) -> None:
        """Copy nothing: the terminal's clipboard is not ours to write."""

    def action_suspend_process(self) -> None:
        """Stay: a suspended session would leave its user in the server's shell."""
