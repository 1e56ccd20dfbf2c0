"""The second line of defence: nothing that a terminal obeys leaves this program as text.

The first is :func:`core.text.displayable`, applied before layout. This filter sees every
segment of every surface on its way out, ours and Textual's own, and takes out what is left.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_DELETED = dict.fromkeys(
    [
        *range(0x20),
        *range(0x7F, 0xA0),
        0x061C,
        *range(0x200B, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
        0xFEFF,
        *range(0xE0000, 0xE0080),
    ]
)
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_TABLE: dict[int, str | None] = {**_DELETED, **_SURROGATES}


class Inert(LineFilter):
    """Deletes control characters, bidirectional controls and hyperlinks from every line.

    What is deleted measures no cells, so the line keeps its width; lone surrogates, which a
    terminal's encoder refuses, become U+FFFD. Hand it out first in ``App.get_line_filters``.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without anything a terminal would act on."""
        if all(
            text.isprintable() and (style is None or style.link is None)
            for text, style, _ in segments
        ):
            return segments
        return [
            Segment(
                text if text.isprintable() else text.translate(_TABLE),
                style.update_link(None) if style is not None and style.link else style,
                control,
            )
            for text, style, control in segments
        ]
