"""Layouts in which gold leaves a study: one module each, found by itself.

A layout module defines ``LAYOUT``, a :class:`core.layouts.rows.Layout`, or ``LAYOUTS``, several.
Nothing else has to be touched for ``tiebreak export gold --format`` to write it, for the manifest
to name its files, and for ``tiebreak replay`` to write the same bytes again.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from core.errors import UsageError
from core.layouts.rows import Layout


@cache
def layouts() -> tuple[Layout, ...]:
    """Every layout, by id."""
    found: list[Layout] = []
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        found += getattr(module, "LAYOUTS", ())
        found += [module.LAYOUT] if hasattr(module, "LAYOUT") else []
    return tuple(sorted(found, key=lambda one: one.id))


def layout(name: str) -> Layout:
    """The layout of that id.

    Raises:
        UsageError: if there is none.
    """
    for one in layouts():
        if one.id == name:
            return one
    raise UsageError(
        f"no layout is called {name!r}", f"there are: {', '.join(one.id for one in layouts())}"
    )
