"""The lead's eye on the floor: who is at work, how far they are, and what to look at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from core.errors import TiebreakError
from core.text import many, one_line
from tui.actions import FLOOR, Action
from tui.floor_lines import header, person_line, person_text, summary_lines, warning_words
from tui.flooring import LiveFloor
from tui.screens import ScreenSpec, take_keys
from tui.widgets.confirm import Confirm
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import put
from tui.widgets.people_list import PeopleList
from tui.widgets.reader import Reader

if TYPE_CHECKING:
    from db.floor import Floor, OnFloor
    from tui.app import TiebreakApp

_LAST_VOTES = 200
"""Votes that a person's page lists."""

_QUESTIONS = {
    "pause": "Pause {name}? They get no pairs, and an open screen of theirs ends within seconds.",
    "resume": "Let {name} vote again?",
    "reassign": "Give {open} of {name} back to the others?",
    "retire": "Retire {name}? Their votes stay and are marked; {open} given back to the others.",
}

_ENDING = ("pause", "retire")
"""What ends the screens of whom it is done to."""


class FloorScreen(Screen[None]):
    """Lists everybody and follows the study; acts on one person after a question."""

    DEFAULT_CSS = """
    FloorScreen {
        #floor-summary { height: 2; padding: 0 1; background: $surface; }
        #floor-head { height: 1; padding: 0 1 0 2; color: $text-muted; background: $panel; }
        #floor-people { padding: 0 1; }
        #floor-why { height: auto; max-height: 9; padding: 0 1; background: $surface; }
    }
    """

    class FloorChanged(Message):
        """The floor, or why it cannot be read, came from the thread."""

        def __init__(self, floor: Floor | Exception) -> None:
            super().__init__()
            self.floor = floor

    def __init__(self, banner: str) -> None:
        super().__init__()
        self._banner = banner
        self._live: LiveFloor | None = None
        self._floor: Floor | None = None
        self._is_away = True
        self._table: tuple[Action, ...] = ()

    def compose(self) -> ComposeResult:
        self._table = take_keys(self, FLOOR)
        yield Static(classes="status", id="status", markup=False)
        yield Static(id="floor-summary", markup=False)
        yield Static(id="floor-head", markup=False)
        yield PeopleList(id="floor-people")
        yield Static(id="floor-why", markup=False)
        yield Static(classes="said", id="said", markup=False)
        yield KeyBar(self._table)

    @property
    def people(self) -> PeopleList:
        """The list."""
        return self.query_one(PeopleList)

    def on_mount(self) -> None:
        self._say("Looking …")
        app: TiebreakApp = self.app  # type: ignore[assignment]
        self._live = LiveFloor(app.study, self._tell, app.store.clock)
        self._live.start()

    def on_unmount(self) -> None:
        if self._live is not None:
            self._live.end()

    def _tell(self, floor: Floor | Exception) -> None:
        self.post_message(self.FloorChanged(floor))

    def on_floor_screen_floor_changed(self, message: FloorChanged) -> None:
        if isinstance(message.floor, TiebreakError):
            self._is_away = True
            self._refuse(message.floor)
            return
        if isinstance(message.floor, Exception):
            raise message.floor
        is_back, self._is_away = self._is_away, False
        self._floor = message.floor
        self._show()
        if is_back:
            app: TiebreakApp = self.app  # type: ignore[assignment]
            said, is_warning = app.opening("Live: moves within a second. ● is here now.")
            self._say(said, warning=is_warning)

    def on_resize(self) -> None:
        app: TiebreakApp = self.app  # type: ignore[assignment]
        app.call_later(app.opened)
        self._show()

    # ── showing ─────────────────────────────────────────────────────────────

    def _show(self) -> None:
        floor = self._floor
        if floor is None:
            return
        width = self.size.width - 3
        put(self.query_one("#floor-summary", Static), "\n".join(summary_lines(floor, width + 1)))
        put(self.query_one("#floor-head", Static), header(floor, width))
        self.people.show(
            [(person.name, person_line(floor, person, width)) for person in floor.people]
        )
        to_look_at = sum(bool(person.warnings) for person in floor.people)
        parts = [
            "Floor",
            f"{floor.on:,} of {len(floor.people):,} here",
            f"{to_look_at:,} to look at",
        ]
        if self._banner:
            parts.append(self._banner)
        put(self.query_one("#status", Static), "  │  ".join(parts))
        self._show_why()

    def _show_why(self) -> None:
        """The warnings about the chosen person, in words."""
        person = self._chosen()
        lines = [f"⚠ {warning_words(each)}" for each in person.warnings] if person else []
        why = self.query_one("#floor-why", Static)
        why.display = bool(lines)
        text = "\n".join(lines)
        if why.content != text:
            why.update(text)

    def _chosen(self) -> OnFloor | None:
        if self._floor is None:
            return None
        name = self.people.chosen
        return next((person for person in self._floor.people if person.name == name), None)

    def on_people_list_moved(self, message: PeopleList.Moved) -> None:
        message.stop()
        self._show_why()

    def _say(self, message: str, *, warning: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.update(one_line(message, 400 if warning else 200))
        line.set_class(warning, "-warning")

    def _refuse(self, error: TiebreakError) -> None:
        self._say(f"{error.message}. {error.hint}.", warning=True)

    # ── keys ────────────────────────────────────────────────────────────────

    def action_scroll(self, lines: int) -> None:
        """Choose the next person or the one before."""
        self.people.go(lines)

    def action_page(self, direction: int) -> None:
        """Choose the person a page further."""
        self.people.page(direction)

    def on_people_list_picked(self, message: PeopleList.Picked) -> None:
        message.stop()
        self.action_open()

    def action_open(self) -> None:
        """Show what the chosen person's numbers rest on."""
        from db.floor import last_votes

        app: TiebreakApp = self.app  # type: ignore[assignment]
        person = self._chosen()
        if person is None or self._floor is None:
            return
        try:
            votes = last_votes(app.store, person.name, _LAST_VOTES, hidden_from=app.who.annotator)
        except TiebreakError as error:
            self._refuse(error)
            return
        width = min(self.size.width, 110) - 4
        text = person_text(self._floor, person, votes, width)
        self.app.push_screen(Reader(one_line(person.name, 60), text, is_raw=True))

    def action_ask(self, deed: str) -> None:
        """Ask whether something is to be done about the chosen person, then do it."""
        person = self._chosen()
        if person is None:
            return
        question = _QUESTIONS[deed].format(
            name=one_line(person.name, 40), open=many(person.open, "open pair")
        )
        app: TiebreakApp = self.app  # type: ignore[assignment]
        if deed in _ENDING and person.name == app.who.annotator:
            question += " That is you: this screen ends."
        self.app.push_screen(Confirm(question), partial(self._answered, deed, person.name))

    def _answered(self, deed: str, name: str, is_yes: bool | None) -> None:
        if not is_yes:
            self._say("Nothing was done.")
            return
        app: TiebreakApp = self.app  # type: ignore[assignment]
        people = app.store.people
        deeds: dict[str, tuple[Callable[[str], int | None], str]] = {
            "pause": (people.pause, "paused"),
            "resume": (people.resume, "may vote"),
            "reassign": (people.reassign, ""),
            "retire": (people.retire, "retired"),
        }
        do, done = deeds[deed]
        try:
            count = do(name)
        except TiebreakError as error:
            self._refuse(error)
            return
        freed = "" if count is None else f"{many(count, 'open pair')} given back"
        self._say(f"{one_line(name, 60)}: {', '.join(filter(None, (done, freed)))}.")

    def action_help(self) -> None:
        """Show the keys."""
        from tui.help import help_text

        app: TiebreakApp = self.app  # type: ignore[assignment]
        notices = app.preferences.notices
        app.push_screen(Reader("Help", help_text(self._table, app.offered(), notices=notices)))


def _make(app: TiebreakApp) -> FloorScreen:
    return FloorScreen(app.banner)


SCREEN = ScreenSpec("floor", "Watch the floor", "f4", leads_only=True, make=_make)
