"""The screens: one module each, found by itself.

A screen module defines ``SCREEN``, a :class:`ScreenSpec`. Nothing else has to be touched for the
app to offer it on its key. A module here is imported by the voting process too: what is heavy
is imported where it is used.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from textual.binding import Binding, BindingsMap

if TYPE_CHECKING:
    from textual.screen import Screen

    from tui.actions import Action
    from tui.app import TiebreakApp


@dataclass(frozen=True, slots=True)
class ScreenSpec:
    """A screen that the app can show.

    Attributes:
        key: shows it from any other screen.
        leads_only: whether annotators never get to it.
    """

    id: str
    title: str
    key: str
    leads_only: bool
    make: Callable[[TiebreakApp], Screen[Any]]


@cache
def screens() -> tuple[ScreenSpec, ...]:
    """Every screen, by key."""
    found = [
        module.SCREEN
        for info in pkgutil.iter_modules(__path__)
        if hasattr(module := importlib.import_module(f"{__name__}.{info.name}"), "SCREEN")
    ]
    return tuple(sorted(found, key=lambda spec: spec.key))


def take_keys(screen: Screen[Any], actions: Sequence[Action]) -> tuple[Action, ...]:
    """Give a screen the keys that are in effect for this person.

    Returns:
        The screen's table with these keys, for its footer, help and messages.
    """
    app: TiebreakApp = screen.app  # type: ignore[assignment]
    table = app.preferences.keymap.table(actions)
    # Textual reads a class's own BINDINGS once, for everybody; its keymap is applied anew on each
    # keypress, which a vote would wait for.
    screen._bindings = BindingsMap(
        Binding(",".join(one.keys), one.do, one.label or one.help, show=False) for one in table
    )
    return table
