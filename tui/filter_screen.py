"""Choosing what the numbers are about: which dimension, then which value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from core.errors import TiebreakError
from core.text import one_line
from tui.actions import FILTERS, PICK
from tui.dashboard.filters import DIMENSIONS, Dimension, as_chosen, as_options
from tui.screens import take_keys
from tui.widgets.key_bar import KeyBar
from tui.widgets.named_list import NamedList
from tui.widgets.once import Once

_ANY = "any"


class DimensionList(NamedList, inherit_bindings=False):
    """What can be chosen."""

    class Moved(NamedList.Moved):
        """Another line is the chosen one."""

    class Picked(NamedList.Picked):
        """The chosen line was clicked."""


class ValueList(NamedList, inherit_bindings=False):
    """The values of one dimension."""

    class Moved(NamedList.Moved):
        """Another line is the chosen one."""

    class Picked(NamedList.Picked):
        """The chosen line was clicked."""


class FilterScreen(ModalScreen[Mapping[str, Any] | None], Once[Mapping[str, Any] | None]):
    """Shows every dimension with what is chosen; hands back the options, or None."""

    DEFAULT_CSS = """
    FilterScreen {
        align: center middle;
        background: $background;
        #filter-title { height: 1; padding: 0 1; background: $panel; text-style: bold; }
        #filter-list { width: 100%; max-width: 90; padding: 0 1; background: $surface; }
    }
    """

    def __init__(self, chosen: Mapping[str, Any], choices: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self._values = as_chosen(chosen)
        self._choices = choices

    def compose(self) -> ComposeResult:
        table = take_keys(self, FILTERS)
        yield Static("What the numbers are about", id="filter-title", markup=False)
        yield DimensionList(id="filter-list")
        yield Static(classes="said", id="filter-said", markup=False)
        yield KeyBar(table)

    @property
    def dimensions(self) -> DimensionList:
        """The list."""
        return self.query_one(DimensionList)

    def on_mount(self) -> None:
        self._show()

    def _show(self) -> None:
        room = max(len(each.title) for each in DIMENSIONS)
        self.dimensions.show(
            [
                (each.id, f"{each.title:{room}}   {one_line(self._values.get(each.id, _ANY), 60)}")
                for each in DIMENSIONS
            ]
        )

    def _say(self, message: str) -> None:
        line = self.query_one("#filter-said", Static)
        line.update(one_line(message, 200))
        line.set_class(True, "-warning")

    def action_scroll(self, lines: int) -> None:
        """Choose the dimension further down or up."""
        self.dimensions.go(lines)

    def on_dimension_list_picked(self, message: DimensionList.Picked) -> None:
        message.stop()
        self.action_open()

    def action_open(self) -> None:
        """Choose this dimension's value."""
        chosen = next(each for each in DIMENSIONS if each.id == self.dimensions.chosen)
        values = self._choices.get(chosen.choices, ())
        now = self._values.get(chosen.id, "")
        self.app.push_screen(ValueScreen(chosen, values, now), partial(self._take, chosen))

    def _take(self, dimension: Dimension, value: str | None) -> None:
        if value is None:
            return
        before = self._values
        self._values = {**before, dimension.id: value}
        if not value:
            del self._values[dimension.id]
        try:
            as_options(self._values)
        except TiebreakError as error:
            self._values = before
            self._say(f"{error.message}: {error.hint}.")
        self._show()

    def action_clear(self) -> None:
        """Choose everything again."""
        self._values = {}
        self._show()

    def action_close(self) -> None:
        """Take what is chosen, and go back."""
        self.dismiss(as_options(self._values))


class ValueScreen(ModalScreen[str | None], Once[str | None]):
    """One dimension's values; what is typed narrows them, or is the value where there are none."""

    DEFAULT_CSS = """
    ValueScreen {
        align: center middle;
        background: $background;
        #value-title { height: 1; padding: 0 1; background: $panel; text-style: bold; }
        #value-typed { border: none; height: 1; padding: 0 1; }
        #value-list { width: 100%; max-width: 90; padding: 0 1; background: $surface; }
    }
    """

    def __init__(self, dimension: Dimension, values: Sequence[str], now: str) -> None:
        super().__init__()
        self._dimension = dimension
        self._values = values
        self._now = now

    def compose(self) -> ComposeResult:
        table = take_keys(self, PICK)
        yield Static(f"Only which {self._dimension.title}?", id="value-title", markup=False)
        if self._dimension.choices:
            yield Input(placeholder="type to find", id="value-typed")
            yield ValueList(id="value-list")
        else:
            hint = "2026-11-22 or 2026-11-22T15:00, UTC unless it says otherwise; empty: any time"
            yield Input(self._now, placeholder=hint, id="value-typed")
        yield KeyBar(table)

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._narrow("")

    def on_input_changed(self, event: Input.Changed) -> None:
        self._narrow(event.value)

    def _narrow(self, typed: str) -> None:
        if not self._dimension.choices:
            return
        wanted = typed.casefold()
        values = [one for one in self._values if wanted in one.casefold()]
        shown = [(one, one_line(one or "(no name)", 80)) for one in values]
        self.query_one(ValueList).show([*([("", _ANY)] if not typed else []), *shown])

    def on_value_list_picked(self, message: ValueList.Picked) -> None:
        message.stop()
        self.action_take()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_take()

    def on_key(self, event: events.Key) -> None:
        """Let arrows move the list while the line is typed in."""
        if event.key in ("down", "up") and self._dimension.choices:
            event.stop()
            self.query_one(ValueList).go(1 if event.key == "down" else -1)

    def action_take(self) -> None:
        """Take the chosen value."""
        if not self._dimension.choices:
            self.dismiss(self.query_one(Input).value.strip())
            return
        chosen = self.query_one(ValueList).chosen
        if chosen is not None:
            self.dismiss(chosen)

    def action_close(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)
