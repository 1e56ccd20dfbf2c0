"""The help that a screen shows, made from the same table as its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.text import one_line
from tui.actions import Action, key_name
from tui.preferences import Notice
from tui.screens import ScreenSpec

_ASKED = (
    "- The vote keys answer for each criterion, digits for the rest; reasons come and go.",
    "- `Enter` — Go on with what is marked ✓; with reasons `Space` does too.",
    "- `Esc` — Go a step back; at the first, the vote is withdrawn.",
    "- Nothing is saved before the last answer; reading, note and flag keys work meanwhile.",
)


def help_text(
    actions: Sequence[Action],
    screens: Sequence[ScreenSpec],
    settings: Mapping[str, Any] | None = None,
    notices: Sequence[Notice] = (),
) -> str:
    """Keys by group, as Markdown, and the study's guidelines if there are any.

    Args:
        actions: with the keys in effect.
        screens: those that this person can go to.
        notices: preferences that were not taken, told first.
    """
    parts: list[str] = []
    if notices:
        # A fence keeps what is quoted as it is; no line of it can close the fence.
        told = (f"• {one_line(str(notice), 600)}" for notice in notices)
        parts += ["# Settings not taken", "````", *told, "````", ""]
    parts.append("# Keys")
    for group in dict.fromkeys(action.group for action in actions):
        parts.append(f"\n## {group}\n")
        parts += [
            f"- `{action.shown_keys()}` — {action.help}"
            for action in actions
            if action.group == group
        ]
    if settings and (settings["criteria"] or settings["confidence"] or settings["tags"]):
        parts += ["\n## What is asked after a vote\n", *_ASKED]
    others = [f"- `{key_name(screen.key)}` — {screen.title}" for screen in screens]
    parts += ["\n## Screens\n", *others]
    if settings and settings["guidelines"]:
        # Last: a fence that they leave open, or a heading of theirs, takes nothing of ours along.
        parts += ["\n# What to judge by\n", settings["guidelines"]]
    return "\n".join(parts)
