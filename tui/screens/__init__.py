"""The screens: one module each, found by itself.

A screen module defines ``SCREEN``, a :class:`ScreenSpec`. Nothing else has to be touched for the
app to offer it on its key. A module here is imported by the voting process too: what is heavy
is imported where it is used.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.screen import Screen

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
