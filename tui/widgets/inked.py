"""What the styles of laid-out text look like in each theme."""

from __future__ import annotations

from rich.style import Style
from textual.widget import Widget

from tui.rendering import STYLES, Palette


class Inked(Widget):
    """A widget that paints laid-out text in the theme's colours."""

    COMPONENT_CLASSES = {"inked--edge", *(f"inked--{name}" for name in STYLES)}
    DEFAULT_CSS = """
    Inked {
        & > .inked--edge { color: $foreground 30%; }
        & > .inked--heading { color: $text-primary; text-style: bold; }
        & > .inked--strong { text-style: bold; }
        & > .inked--emphasis { text-style: italic; }
        & > .inked--strike { text-style: strike; }
        & > .inked--code { color: $text-accent; }
        & > .inked--math { color: $text-secondary; }
        & > .inked--link { text-style: underline; }
        & > .inked--label { color: $foreground 60%; }
        & > .inked--bullet { color: $text-primary; }
        & > .inked--quote { color: $text-secondary; }
        & > .inked--block { background: $foreground 5%; }
        & > .inked--bar { color: $foreground 50%; }
        & > .inked--keyword { color: $text-primary; text-style: bold; }
        & > .inked--string { color: $text-success; }
        & > .inked--comment { color: $foreground 65%; text-style: italic; }
        & > .inked--number { color: $text-warning; }
        & > .inked--name { color: $text-accent; }
        & > .inked--differs { text-style: bold underline; }
        & > .inked--found { text-style: reverse; }
        & > .inked--current { text-style: bold underline reverse; }
        &:ansi {
            & > .inked--edge, & > .inked--label, & > .inked--bar {
                text-style: dim;
            }
            & > .inked--comment { text-style: dim italic; }
            & > .inked--block { background: transparent; }
        }
    }
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
        """A component's own style, its translucent colours mixed with what lies below."""
        styles = self.get_component_styles(f"inked--{name}")
        ground = self.background_colors[1]
        colour = behind = None
        if styles.has_rule("background") and styles.background.a:
            ground += styles.background
            behind = ground.rich_color
        if styles.has_rule("color"):
            colour = (ground + styles.color).rich_color
        return Style.from_color(colour, behind) + styles.text_style
