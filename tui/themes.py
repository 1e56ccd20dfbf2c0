"""The three themes: dark, light, and one in the terminal's own 16 colours."""

from __future__ import annotations

import os
from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

ANSI = "ansi"
_ANSI = BUILTIN_THEMES["ansi-dark"]

THEMES: tuple[Theme, ...] = (
    replace(BUILTIN_THEMES["textual-dark"], name="dark"),
    # Darker than the built-in one: its orange and green are not readable on its grey.
    replace(
        BUILTIN_THEMES["textual-light"],
        name="light",
        background="#f4f4f4",
        surface="#e8e8e8",
        panel="#dcdcdc",
        secondary="#0a5c99",
        accent="#a04a00",
        warning="#8a5a00",
        success="#1f7a3d",
    ),
    # Whether the terminal's ground is dark or light is not known here: what is read has its own
    # colours, and only those of the 16 mark anything that stand out from black and from white.
    replace(
        _ANSI,
        name=ANSI,
        primary="ansi_cyan",
        secondary="ansi_magenta",
        warning="ansi_magenta",
        accent="ansi_magenta",
        variables={
            **_ANSI.variables,
            "input-cursor-foreground": "ansi_default",
            "input-cursor-background": "ansi_default",
            "input-cursor-text-style": "reverse",
        },
    ),
)


def without_colour() -> bool:
    """Whether the person wants no colour at all: NO_COLOR is set, even to nothing."""
    return "NO_COLOR" in os.environ
