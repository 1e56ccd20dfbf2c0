"""What judges that need no model look at: the floor that a real judge must beat.

A judge that runs as a baseline and the baselines that every report shows beside the judges count
the same things, here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.text import headings

COIN = "coin"
"""The baseline that looks at nothing."""


def characters(text: str) -> int:
    """How long an answer is, in code points."""
    return len(text)


Counts = Mapping[int, tuple[int, ...]]
"""Of one answer: turn → what each baseline of :data:`COUNTED` counts there; empty without texts."""

COUNTED: Mapping[str, Callable[[str], int]] = {
    "longer-answer": characters,
    "most-headings": headings,
}
"""Baselines that prefer the answer with more of something; equally much is a tie."""
