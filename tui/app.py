"""The app: opens a study, shows screens, and keeps the terminal and the study apart."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App
from textual.binding import Binding
from textual.filter import LineFilter
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

from core.errors import NotAdmitted, StudyUnavailable, TiebreakError
from core.records import Annotator, Role
from core.text import one_line
from db.seats import Seat
from db.store import Store
from tui import collector
from tui.hangup import end_with_terminal
from tui.inert import Inert
from tui.preferences import Preferences
from tui.screens import ScreenSpec, screens
from tui.themes import ANSI, THEMES, without_colour
from tui.widgets.too_small import TooSmall, is_too_small
from tui.wire import FrugalDriver

_HERE = Path(__file__).parent

_SETTLED_AFTER = 1.0
"""Seconds after which all that lives as long as the app has been made."""

_LOOK_AROUND = 2.0
"""Seconds between two looks whether this person is still wanted."""

_STDIN = 0


_OPENED_AFTER = 0.25
"""Seconds after which the first screen is painted though it never said that it is complete."""


class _Ground(Screen[None]):
    """Lies under every screen and is never seen, so nothing about it is worth a repaint."""

    def _compositor_refresh(self) -> None:
        """Do nothing: Textual would paint the screen above anew as well."""


class UnreadableInput(Exception):
    """The terminal sent what no terminal sends."""


@dataclass(frozen=True, slots=True)
class Who:
    """The person at the terminal.

    Attributes:
        identity: how they proved it, as stored with each vote.
        is_lead: whether they may see what annotators must not.
        simulated: whether this is no person at all, which every screen then says.
        key: the fingerprint of the key that they came with; empty without one.
    """

    annotator: str
    identity: str
    is_lead: bool = False
    simulated: bool = False
    key: str = ""


class TiebreakApp(App[None]):
    """One person in one study.

    Args:
        study: the study file; it must exist.
        first: the id of the screen to begin with.
        banner: said on every screen's status line, such as that a study is a sample.
        preferences: this person's theme and keys; the defaults if not given.
        onboards: whether a newcomer reads the guidelines, practises and qualifies before voting.
        practises: whether this person asked for the practice round, again if need be.
    """

    BINDINGS = [Binding("ctrl+q", "quit", "quit", show=False, priority=True)]
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    TITLE = "Tiebreak"

    def __init__(
        self,
        study: Path,
        who: Who,
        *,
        first: str = "annotate",
        banner: str = "",
        preferences: Preferences | None = None,
        onboards: bool = False,
        practises: bool = False,
    ) -> None:
        self.preferences = preferences or Preferences()
        # Without colour the 16-colour theme's shapes are kept and its colours taken out; Textual
        # would paint greys in any other.
        theme = ANSI if without_colour() else self.preferences.theme
        sheets = (_HERE / "app.tcss", _HERE / "screens" / f"{first}.tcss")
        super().__init__(
            # The first screen's own is read with the app's: after it, all would be read again.
            driver_class=FrugalDriver,
            css_path=[sheet for sheet in sheets if sheet.exists()],
            ansi_color=theme == ANSI,
        )
        for one in THEMES:
            self.register_theme(one)
        # Before the style sheet is read, so that it is not read twice.
        self.set_reactive(App.theme, theme)
        self.stylesheet.set_variables(self.get_css_variables())
        self.animation_level = "none"
        self.study = study
        self.who = who
        self.first = first
        self.banner = banner
        self.onboards = onboards
        self.practises = practises
        blind_for = None if who.is_lead else Annotator(who.annotator, simulated=who.simulated)
        self.store = Store(study, blind_for=blind_for)
        self.seat: Seat | None = None  # what leads see while this person is at the voting screen
        self.before_leaving: list[Callable[[], None]] = []
        self.before_quitting: list[Callable[[], bool]] = []
        self.signs_of_life: list[Callable[[], None]] = []  # what a key, click or wheel is told to
        self.unsaved_note = ""
        self.crash: BaseException | None = None
        self.refusal: TiebreakError | None = None
        self.is_open = False  # whether the first screen was complete, so that it may be painted
        self._opening = contextlib.ExitStack()

    @cached_property
    def annotator_id(self) -> int:
        """This person's row in the study, added when they first vote; asking for it sits down."""
        role = Role.LEAD if self.who.is_lead else Role.ANNOTATOR
        row = self.store.annotator(self.who.annotator, role=role, simulated=self.who.simulated)
        self.seat = Seat(self.study, row)
        return row

    def on_unmount(self) -> None:
        if self.seat is not None:
            self.seat.leave()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Ours first: what comes out of it is safe for every other filter and the terminal."""
        return [Inert(), *super().get_line_filters()]

    def on_mount(self) -> None:
        for spec in self.offered():
            self.install_screen(spec.make(self), spec.id)
            self.bind(spec.key, f"show('{spec.id}')", description=spec.title, show=False)
        self._mind_the_line()
        # What a screen shows first comes in several steps; only the last of them is painted.
        self._opening.enter_context(self.batch_update())
        self.set_timer(_OPENED_AFTER, self.opened)
        self.push_screen(self.first)
        self._mind_the_size(self.size)
        self.set_timer(_SETTLED_AFTER, collector.settle)

    def get_default_screen(self) -> Screen[None]:
        return _Ground(id="_default")

    def opened(self) -> None:
        """The first screen is complete: paint it."""
        if not self.is_open:
            self.is_open = True
            self._opening.close()
            self.screen.refresh()

    def offered(self) -> list[ScreenSpec]:
        """The screens that this person may see."""
        return [spec for spec in screens() if self.who.is_lead or not spec.leads_only]

    def _mind_the_line(self) -> None:
        """End when the terminal is gone or somebody says so, and when this person is let go."""
        try:
            end_with_terminal(self._leave, None if self.is_headless else _STDIN)
            # Told to stop while the terminal is there: give the terminal back as it was.
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        except (NotImplementedError, RuntimeError, ValueError):
            # Signals belong to the main thread alone; in a test's thread there is no terminal.
            return
        self.set_interval(_LOOK_AROUND, self._mind_who_is_wanted)

    def _leave(self) -> None:
        """Every acknowledged vote and every draft is in the study already; give back the rest."""
        for leave in self.before_leaving:
            with contextlib.suppress(TiebreakError):
                leave()
        self.store.close()

    def _mind_who_is_wanted(self) -> None:
        """Leave once a lead has paused or retired this person, or taken their key or role away."""
        people = self.store.people
        try:
            # Without a key, whoever may read the file may watch it, whatever their role.
            if self.who.key and self.who.is_lead:
                people.admit_lead(self.who.annotator, self.who.key)
            else:
                people.admit(self.who.annotator, self.who.key)
        except NotAdmitted as error:
            self.refuse(error)
        except StudyUnavailable:
            return  # a vote or a refresh will say so, with what to do

    async def on_event(self, event: events.Event) -> None:
        # Here and not in a screen: whoever writes a note or searches is there as well.
        if isinstance(event, events.InputEvent):
            for told in self.signs_of_life:
                told()
        await super().on_event(event)

    def on_resize(self, event: events.Resize) -> None:
        self._mind_the_size(event.size)

    def _mind_the_size(self, size: Size) -> None:
        """Cover every screen while the window is too small for it."""
        if len(self.screen_stack) < 2:  # the first screen is not there yet
            return
        is_covered = isinstance(self.screen, TooSmall)
        if is_too_small(size) and not is_covered:
            self.push_screen(TooSmall())
        elif is_covered and not is_too_small(size):
            self.pop_screen()

    def opening(self, otherwise: str) -> tuple[str, bool]:
        """What a screen says first, and whether it is a warning: preferences not taken, if any."""
        notices = self.preferences.notices
        if not notices:
            return otherwise, False
        room = self.size.width - 2
        said = one_line(str(notices[0]), room)
        if len(notices) > 1 or said.endswith("…"):
            more = f"  {self.preferences.keymap.first('help')} shows all"
            said = one_line(str(notices[0]), room - len(more)) + more
        return said, True

    def action_next_theme(self) -> None:
        """Take the next theme: until the app ends, or for good where it is kept in the study."""
        names = [theme.name for theme in THEMES]
        said = "No colour, because NO_COLOR is set."
        if not without_colour():
            following = names[(names.index(self.theme) + 1) % len(names)]
            self.ansi_color = following == ANSI
            self.theme = following
            said = f"Theme: {self.theme}.{self._keep_theme()}"
        for line in self.screen.query(".said").results(Static):
            line.update(said)
            line.set_class(False, "-warning")

    def _keep_theme(self) -> str:
        """Keep the theme for the next login of somebody who has no settings file here.

        Returns:
            What is to be said of it; empty where nothing is.
        """
        if not self.who.key:
            return ""
        from db.preferring import prefer, preferred

        try:
            kept = preferred(self.store, self.who.annotator)
            prefer(self.store, self.who.annotator, {**kept, "theme": self.theme})
        except StudyUnavailable as error:
            return f" Not kept for your next login: {error.message}."
        return " Kept for your next login."

    def action_show(self, name: str) -> None:
        """Show a screen by its id, if this person may see it and no question is open."""
        if self.screen.is_modal or not self.is_screen_installed(name):
            return
        self.switch_screen(name)

    async def action_quit(self) -> None:
        """Leave, unless a screen asks to stay because something would be lost."""
        if all(may_quit() for may_quit in self.before_quitting):
            self.exit()

    def refuse(self, error: TiebreakError) -> None:
        """Leave with a refusal, which the command prints."""
        self.refusal = error
        self.exit(return_code=error.exit_code)

    def panic(self, *_: Any) -> None:
        """Stop, since what the terminal sent could not be read."""
        # Textual would show its own source and where it lies on this host.
        self.crash = self.crash or UnreadableInput()
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        # Textual would print every local variable of every frame, answers and paths included.
        self.crash = self._exception
        self._close_messages_no_wait()

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        """Open nothing: the browser would run on the server."""

    def deliver_text(self, *_: Any, **__: Any) -> None:
        """Write nothing: a file would be written on the server."""

    def deliver_binary(self, *_: Any, **__: Any) -> None:
        """Write nothing: a file would be written on the server."""

    def action_screenshot(self, *_: Any, **__: Any) -> None:
        """Write nothing: a file would be written on the server."""

    def copy_to_clipboard(self, text: str) -> None:
        """Copy nothing: the terminal's clipboard is not ours to write."""

    def action_suspend_process(self) -> None:
        """Stay: a suspended session would leave its user in the server's shell."""
