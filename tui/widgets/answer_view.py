"""The pane an answer is read in: a window over rows that are laid out as they are needed.

One widget whatever the length, painted line by line, with an offset of its own: no scrollbar,
no virtual size, no children and no animation, because each of these repaints the whole pane a
second time. The parent draws the title and asks for :attr:`AnswerView.position`.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from tui.rendering import NARROWEST, STYLES, Palette, Rendered

_EDGE = "│ "
_MARGIN = len(_EDGE) + 1
"""Cells that the view takes for itself: its left edge, and one free at the right."""

_WHEEL = 3
"""Rows for one notch of the mouse wheel."""

_AT_ONCE = 0.05
"""Seconds that a resize may take to find the place again before it does so in the background."""

_AHEAD = 4
"""Screens laid out below the one that is read; the rest of a text waits for its reader."""

_SLICE = 0.008
_PAUSE = 0.016
"""Seconds of layout at a time while nothing else happens, and between two of them."""


class AnswerView(Widget, inherit_bindings=False):
    """Shows one foreign text and keeps the place it is read at.

    Rows are counted from the text's own first; what stands at the top is :attr:`top`. The
    place is remembered as an offset in the source, so that it survives another width and the
    switch between Markdown and source.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"answer-view--edge", *(f"answer-view--{name}" for name in STYLES)}
    DEFAULT_CSS = """
    AnswerView {
        width: 1fr;
        height: 1fr;
        overflow: hidden hidden;
        & > .answer-view--edge { color: $foreground 30%; }
        & > .answer-view--heading { color: $text-primary; text-style: bold; }
        & > .answer-view--strong { text-style: bold; }
        & > .answer-view--emphasis { text-style: italic; }
        & > .answer-view--strike { text-style: strike; }
        & > .answer-view--code { color: $text-accent; }
        & > .answer-view--math { color: $text-secondary; }
        & > .answer-view--link { text-style: underline; }
        & > .answer-view--label { color: $foreground 60%; }
        & > .answer-view--bullet { color: $text-primary; }
        & > .answer-view--quote { color: $text-secondary; }
        & > .answer-view--block { background: $foreground 5%; }
        & > .answer-view--bar { color: $foreground 50%; }
        & > .answer-view--keyword { color: $text-primary; text-style: bold; }
        & > .answer-view--string { color: $text-success; }
        & > .answer-view--comment { color: $foreground 65%; text-style: italic; }
        & > .answer-view--number { color: $text-warning; }
        & > .answer-view--name { color: $text-accent; }
        &:ansi {
            & > .answer-view--edge, & > .answer-view--label, & > .answer-view--bar {
                text-style: dim;
            }
            & > .answer-view--comment { text-style: dim italic; }
            & > .answer-view--block { background: transparent; }
        }
    }
    """

    top: reactive[int] = reactive(0, init=False)
    """The row at the top of the pane."""

    raw: reactive[bool] = reactive(False, init=False, repaint=False)
    """Whether the source is shown as it is."""

    class Scrolled(Message):
        """The pane came to show another part of its text."""

        def __init__(self, view: AnswerView, offset: int, at_end: bool) -> None:
            super().__init__()
            self.view = view
            self.offset = offset
            self.at_end = at_end

        @property
        def control(self) -> AnswerView:
            """The view that scrolled."""
            return self.view

    def __init__(
        self,
        text: str = "",
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes, markup=False)
        self._rendered = Rendered(text, 0)
        self._coming: Rendered | None = None  # takes over once it has reached the anchor
        self._anchor = 0  # the offset in the source that is being read
        self._to_end = False
        self._palette: Palette | None = None
        self._edge = Segment(_EDGE)
        self._idle: Timer | None = None

    @property
    def text(self) -> str:
        """The source, verbatim."""
        return self._rendered.text

    @property
    def at_end(self) -> bool:
        """Whether the last row of the text is in sight."""
        shown = self._rendered
        return shown.complete and self.top >= shown.height - self.size.height

    @property
    def position(self) -> str:
        """How far the text is read, for a title: ``63%``, or ``end`` with its last row in sight."""
        if self.at_end:
            return "end"
        offset = self._rendered.offset_of(self.top + self.size.height)
        return f"{min(99, 100 * offset // max(1, len(self.text)))}%"

    def prepare(self, text: str) -> Rendered:
        """Make a rendering that fits this view, to be advanced ahead of time and shown later."""
        return Rendered(text, self._room, raw=self.raw)

    def show(self, content: Rendered | str) -> None:
        """Show a text from its beginning.

        Args:
            content: what :meth:`prepare` made, or a text. A rendering of another width than
                this view has now is made anew.
        """
        if isinstance(content, Rendered) and self._fits(content):
            self._rendered = content
        else:
            self._rendered = self.prepare(content if isinstance(content, str) else content.text)
        self._coming = None
        self._to_end = False
        self._anchor = 0
        self._rendered.ensure(self.size.height + 1)
        if self.top:
            self.top = 0
        else:
            self._tell()
        self._go_on()
        self.refresh()

    def toggle_raw(self) -> None:
        """Switch between Markdown and the source, at the same place."""
        self.raw = not self.raw

    def scroll_by(self, lines: int) -> None:
        """Move by some rows, down if positive, as far as the text goes."""
        self._go_to(self.top + lines)

    def page(self, direction: int) -> None:
        """Move by a screen less two rows: 1 is down, -1 is up."""
        self._go_to(self.top + direction * max(1, self.size.height - 2))

    def to_start(self) -> None:
        """Move to the first row."""
        self._go_to(0)

    def to_end(self) -> None:
        """Move to the last row: at once if all is laid out, else as soon as it is."""
        if self._rendered.advance(_AT_ONCE):
            self._go_to(self._last_top())
        else:
            self._to_end = True
            self._go_on()

    def validate_top(self, top: int) -> int:
        """Keep the offset within what is laid out."""
        return max(0, min(top, self._last_top()))

    def watch_top(self) -> None:
        """Tell the parent."""
        self._tell()

    def watch_raw(self) -> None:
        """Lay the text out anew."""
        self._lay_out_anew()

    def notify_style_update(self) -> None:
        """Take up the colours of another theme; the layout stays."""
        super().notify_style_update()
        self._palette = None

    def render_line(self, y: int) -> Strip:
        """Paint one line: the edge, which every line draws anew, and the row behind it.

        A terminal that gives a character another width than it was laid out with shifts the
        rest of its line only.
        """
        base = self._colours().base
        width = self.size.width
        row = self.top + y
        if row < self._rendered.height or not self._rendered.complete:
            strip = Strip([self._edge, *self._rendered.line(row)])
        else:
            strip = Strip([self._edge])
        return strip.adjust_cell_length(width, base)

    def on_mount(self) -> None:
        """Begin to lay out the rest of the text whenever there is time."""
        self._idle = self.set_interval(_PAUSE, self._advance, pause=True)

    def on_resize(self) -> None:
        """Keep the place that is being read."""
        if self._fits(self._rendered):
            self._rendered.ensure(self.top + self.size.height + 1)
            self.top = self.validate_top(self.top)
            self._tell()
        else:
            self._lay_out_anew()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move down."""
        event.stop()
        event.prevent_default()
        self.scroll_by(_WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move up."""
        event.stop()
        event.prevent_default()
        self.scroll_by(-_WHEEL)

    @property
    def _room(self) -> int:
        """Cells for the text."""
        return self.size.width - _MARGIN

    def _fits(self, rendered: Rendered) -> bool:
        return rendered.raw == self.raw and rendered.width == max(self._room, NARROWEST)

    def _colours(self) -> Palette:
        """The styles as the theme has them now, given to what is on screen."""
        if self._palette is None:
            base = self.rich_style
            self._palette = Palette(base, {name: self._component(name) for name in STYLES})
            self._edge = Segment(_EDGE, base + self._component("edge"))
        self._rendered.restyle(self._palette)
        return self._palette

    def _component(self, name: str) -> Style:
        """A component's own style, its translucent colours mixed with what lies below."""
        styles = self.get_component_styles(f"answer-view--{name}")
        ground = self.background_colors[1]
        colour = behind = None
        if styles.has_rule("background") and styles.background.a:
            ground += styles.background
            behind = ground.rich_color
        if styles.has_rule("color"):
            colour = (ground + styles.color).rich_color
        return Style.from_color(colour, behind) + styles.text_style

    def _last_top(self) -> int:
        return max(0, self._rendered.height - self.size.height)

    def _go_to(self, top: int) -> None:
        """Scroll because somebody wants to, which moves the anchor."""
        self._to_end = False
        self._rendered.ensure(top + self.size.height + 1)
        self.top = top
        self._anchor = self._rendered.offset_of(self.top)
        self._go_on()

    def _lay_out_anew(self) -> None:
        """Lay out for another width or form, and find the place that was being read.

        What was on screen stays until the place is found, so nothing flickers.
        """
        if not self.is_attached:
            return
        self._coming = self.prepare(self.text)
        self._seek(_AT_ONCE)
        self._go_on()

    def _seek(self, budget: float) -> None:
        """Bring the coming rendering up to the anchor; put it on screen when it is there."""
        coming = self._coming
        if coming is None:
            return
        if not coming.reached(self._anchor):
            coming.advance(budget)
        if coming.reached(self._anchor):
            row = coming.row_of(self._anchor)
            coming.ensure(row + self.size.height + 1)
            self._rendered, self._coming = coming, None
            self.set_reactive(AnswerView.top, self.validate_top(row))
            self._tell()
            self.refresh()

    def _advance(self) -> None:
        """One slice of layout while nothing else happens. It paints nothing by itself."""
        if self._coming is not None:
            self._seek(_SLICE)
            return
        if self._rendered.advance(_SLICE) and self._to_end:
            self._go_to(self._last_top())
        if self._has_enough() and self._idle is not None:
            self._idle.pause()

    def _has_enough(self) -> bool:
        """Whether nothing more needs to be laid out until somebody scrolls on."""
        rendered = self._rendered
        ahead = rendered.height - self.top - self.size.height
        return rendered.complete or (not self._to_end and ahead >= _AHEAD * self.size.height)

    def _go_on(self) -> None:
        if self._idle is not None and (self._coming is not None or not self._has_enough()):
            # Started anew, so that the first slice comes after what has changed is painted.
            self._idle.reset()
            self._idle.resume()

    def _tell(self) -> None:
        if self.is_attached:
            self.post_message(self.Scrolled(self, self.top, self.at_end))
