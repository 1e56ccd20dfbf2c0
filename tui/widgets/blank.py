"""Surfaces that only hold others.

The compositor asks every widget for every line, also where others cover it. A line that is the
same object each time is filtered, cut and joined once instead of once for each row of the screen:
that is a third of the work of a repaint, and of the memory of what is painted.
"""

from __future__ import annotations

from textual.containers import Container
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class Blank(Widget):
    """Mixed into a widget without content, border or padding of its own: its lines are one."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Paint one line, and use it for all of them."""
        x, y, width, height = crop
        return super().render_lines(Region(x, y, width, min(height, 1))) * height


class BlankContainer(Blank, Container):
    """Holds widgets, laid out as its style says."""
