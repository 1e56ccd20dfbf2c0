"""The help that a screen shows, made from the same table as its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tui.actions import Action, key_name
from tui.screens import ScreenSpec


def help_text(
    actions: Sequence[Action],
    screens: Sequence[ScreenSpec],
    settings: Mapping[str, Any] | None = None,
) -> str:
    """Keys by group, as Markdown, after the study's guidelines if there are any.

    Args:
        screens: those that this person can go to.
    """
    parts: list[str] = []
    if settings and settings["guidelines"]:
        parts += ["# What to judge by", settings["guidelines"], ""]
    parts.append("# Keys")
    for group in dict.fromkeys(action.group for action in actions):
        parts.append(f"\n## {group}\n")
        parts += [
            f"- `{action.shown_keys()}` — {action.help}"
            for action in actions
            if action.group == group
        ]
    others = [f"- `{key_name(screen.key)}` — {screen.title}" for screen in screens]
    return "\n".join([*parts, "\n## Screens\n", *others])
