"""One-line widgets that change while somebody reads."""

from __future__ import annotations

from textual.widgets import Static


def put(line: Static, text: str) -> None:
    """Change one line in place, painting nothing where it says the same already."""
    if line.content != text:
        line.update(text, layout=False)
