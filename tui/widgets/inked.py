"""What the styles of laid-out text look like in each theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rich.style import Style
from textual.color import Color
from textual.widget import Widget

from tui.rendering import STYLES, Palette


class _Ink(NamedTuple):
    """A style's look: a colour of the theme, how much of it, and what else.

    ``shade`` is how much of the foreground its ground takes on. Where there are 16 colours, none
    can be mixed with its ground: what is ``quiet`` is dim there, and no ground has a shade.
    """

    colour: str = ""
    strength: float = 1.0
    look: str = ""
    shade: float = 0.0
    quiet: bool = False


_INKS: Mapping[str, _Ink] = {
    "edge": _Ink("foreground", 0.3, quiet=True),
    "heading": _Ink("text-primary", look="bold"),
    "strong": _Ink(look="bold"),
    "emphasis": _Ink(look="italic"),
    "strike": _Ink(look="strike"),
    "code": _Ink("text-accent"),
    "math": _Ink("text-secondary"),
    "link": _Ink(look="underline"),
    "label": _Ink("foreground", 0.6, quiet=True),
    "bullet": _Ink("text-primary"),
    "quote": _Ink("text-secondary"),
    "block": _Ink(shade=0.05),
    "bar": _Ink("foreground", 0.5, quiet=True),
    "keyword": _Ink("text-primary", look="bold"),
    "string": _Ink("text-success"),
    "comment": _Ink("foreground", 0.65, look="italic", quiet=True),
    "number": _Ink("text-warning"),
    "name": _Ink("text-accent"),
    "differs": _Ink(look="bold underline"),
    "found": _Ink(look="reverse"),
    "current": _Ink(look="bold underline reverse"),
}


class Inked(Widget):
    """A widget that paints laid-out text in the theme's colours.

    Its inks are no component classes: Textual works those out one by one for each widget, each
    time that a style sheet is applied, which took a quarter of the time to the first paint.
    """

    _palette: Palette | None = None
    edge_style = Style.null()
    """The style of a pane's left edge; known once :attr:`palette` was asked for."""

    def notify_style_update(self) -> None:
        """Take up the colours of another theme; the layout stays."""
        super().notify_style_update()
        self._palette = None

    @property
    def palette(self) -> Palette:
        """The styles as the theme has them now."""
        if self._palette is None:
            base = self.rich_style
            self._palette = Palette(base, {name: self._component(name) for name in STYLES})
            self.edge_style = base + self._component("edge")
        return self._palette

    def _component(self, name: str) -> Style:
        """An ink's own style, its translucent colours mixed with what lies below."""
        ink = _INKS[name]
        variables = self.app.theme_variables
        ground = self.background_colors[1]
        is_mixed = not self.app.ansi_color
        colour = behind = None
        if ink.shade and is_mixed:
            ground += Color.parse(variables["foreground"]).with_alpha(ink.shade)
            behind = ground.rich_color
        if ink.colour:
            mixed = Color.parse(variables[ink.colour])
            if is_mixed and ink.strength < 1:
                mixed = mixed.with_alpha(ink.strength)
            colour = (ground + mixed).rich_color
        look = Style.parse(ink.look) if ink.look else Style.null()
        if ink.quiet and not is_mixed:
            look += Style(dim=True)
        return Style.from_color(colour, behind) + look
