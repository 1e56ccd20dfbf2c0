"""Refusals for people who vote: no paths of the host, and nothing that only its owner could do."""

from __future__ import annotations

from pathlib import Path

from core.errors import TiebreakError

_ANNOTATORS_HINT = "Try again; if it stays so, tell a lead"


def plainly(error: TiebreakError, study: Path) -> tuple[str, str]:
    """What a refusal says, and what whoever votes can do about it.

    Args:
        study: the file whose name and place are nobody's business.

    Returns:
        The message, and a hint that begins with a capital; the hint may be empty.
    """
    message = error.message.removeprefix(f"{study}: ")
    if message != error.message:
        return message, _ANNOTATORS_HINT
    return message, error.hint[:1].upper() + error.hint[1:]
