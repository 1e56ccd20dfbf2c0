"""The three themes: dark, light, and one in the terminal's own 16 colours."""

from __future__ import annotations

import os
from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

THEMES: tuple[Theme, ...] = (
    replace(BUILTIN_THEMES["textual-dark"], name="dark"),
    replace(BUILTIN_THEMES["textual-light"], name="light"),
    # Whether the terminal's ground is dark or light is not known here: what is read has its own
    # colours, and only those of the 16 mark anything that stand out from black and from white.
    Theme(
        "ansi",
        ansi=True,
        primary="ansi_cyan",
        secondary="ansi_magenta",
        accent="ansi_magenta",
        success="ansi_green",
        warning="ansi_magenta",
        error="ansi_red",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        variables={
            "input-cursor-foreground": "ansi_default",
            "input-cursor-background": "ansi_default",
            "input-cursor-text-style": "reverse",
        },
    ),
)


def without_colour() -> bool:
    """Whether the person wants no colour at all: NO_COLOR is set, even to nothing."""
    return "NO_COLOR" in os.environ
