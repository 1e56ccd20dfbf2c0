"""The pane an answer is read in: a window over rows that are laid out as they are needed.

One widget whatever the length, painted line by line, with an offset of its own: no scrollbar,
no virtual size, no children and no animation, because each of these repaints the whole pane a
second time. The parent draws the title and asks for :attr:`AnswerView.position`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from time import perf_counter

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.timer import Timer

from tui.finding import Match
from tui.glimpse import glimpse
from tui.marking import Marks
from tui.rendering import NARROWEST, Palette, Rendered
from tui.widgets.inked import Inked

_EDGE = "│"
_MARGIN = len(_EDGE) + 2
"""Cells that the view takes for itself: its left edge, the gutter for marks, one at the right."""

_WHEEL = 3
"""Rows for one notch of the mouse wheel."""

_AT_ONCE = 0.05
"""Seconds that a resize may take to find the place again before it does so in the background."""

_AHEAD = 4
"""Screens laid out below the one that is read; the rest of a text waits for its reader."""

_WAITED_FOR = 0.03
"""Seconds of layout at a time while somebody waits for it; keys come in between."""

_SLICE = 0.008
_PAUSE = 0.016
"""Seconds of layout at a time while nothing else happens, and between two of them."""


class AnswerView(Inked, inherit_bindings=False):
    """Shows one foreign text and keeps the place it is read at.

    Rows are counted from the text's own first; what stands at the top is :attr:`top`. The
    place is remembered as an offset in the source, so that it survives another width and the
    switch between Markdown and source.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    AnswerView {
        width: 1fr;
        height: 1fr;
        overflow: hidden hidden;
    }
    """

    top: reactive[int] = reactive(0, init=False)
    """The row at the top of the pane."""

    raw: reactive[bool] = reactive(False, init=False, repaint=False)
    """Whether the source is shown as it is."""

    hanging = False
    """Whether further rows of a line of the source are indented as its first."""

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

    class Wheeled(Message):
        """The mouse wheel moved the pane by so many rows."""

        def __init__(self, view: AnswerView, lines: int) -> None:
            super().__init__()
            self.view = view
            self.lines = lines

    class NothingFurther(Message):
        """There is no such landmark in the direction that was asked for."""

        def __init__(self, view: AnswerView, kind: str) -> None:
            super().__init__()
            self.view = view
            self.kind = kind

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
        # Takes over once it has reached the anchor; until then a glimpse is shown, if it can be.
        self._coming: Rendered | None = None
        self._anchor = 0  # the offset in the source that is being read
        self._wanted: int | None = None  # the offset that somebody is on the way to
        self._match: Match | None = None  # the match that somebody is on the way to
        self._sought = ""  # the landmark that somebody is on the way down to
        self._landmark: int | None = None  # the row of the one that was jumped to last
        self._marks = Marks()
        self._expected: int | None = None  # the width that a layout to come will give
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
        """How far the text is read, for a title: ``63%``, or ``end`` with its last row in sight.

        On the way to a place that is not laid out yet, it says so.
        """
        if self._is_waited_for:
            return "on the way …"
        if self.at_end:
            return "end"
        offset = self._rendered.offset_of(self.top + self.size.height)
        return f"{min(99, 100 * offset // max(1, len(self.text)))}%"

    def prepare(self, text: str, width: int | None = None) -> Rendered:
        """Make a rendering that fits this view, to be advanced ahead of time and shown later.

        Args:
            width: cells the view will have then, if not those it has now.
        """
        room = self._room if width is None else width - _MARGIN
        return Rendered(text, room, raw=self.raw, hanging=self.hanging)

    def expect(self, width: int) -> None:
        """Take what is shown from now on for a view of this width, until it is resized.

        A view that was hidden, or whose neighbour was, keeps its size until the next layout.
        """
        self._expected = width

    @property
    def place(self) -> int:
        """The offset in the source that is being read, or that somebody is on the way to."""
        return self._anchor if self._wanted is None else self._wanted

    def show(self, content: Rendered | str, place: int = 0) -> None:
        """Show a text from its beginning, without marks.

        Args:
            place: the offset in the source to show instead of the beginning.
            content: what :meth:`prepare` made, or a text. A rendering of another width than
                this view has now is made anew.
        """
        if isinstance(content, Rendered) and self._fits(content):
            self._rendered = content
        else:
            self._rendered = self.prepare(content if isinstance(content, str) else content.text)
        self._coming = None
        self._marks = Marks()
        self._stay()
        self._anchor = 0
        self._rendered.ensure(self.size.height + 1)
        if self.top:
            self.top = 0
        else:
            self._tell()
        if place:
            self.go_to(place)
        self._go_on()
        self.refresh()

    def mark(self, marks: Marks) -> None:
        """Paint these marks from now on; nothing moves."""
        if marks != self._marks:
            self._marks = marks
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
        if self._rendered.begin and self._coming is not None:
            self._rendered, self._coming = self._coming, None
            self.refresh()
        self._go_to(0)

    def to_end(self) -> None:
        """Move to the last row: at once if all is laid out, else as soon as it is."""
        self.go_to(len(self.text))

    def go_to(self, place: int) -> None:
        """Move to an offset of the source: at once if it is near, else as soon as laid out."""
        self._stay()
        self._wanted = place
        self._approach(_AT_ONCE)

    def go_to_match(self, match: Match) -> None:
        """Move to a match, which is the current one of the marks, if it is not in sight."""
        self._stay()
        self._wanted, self._match = match.offset, match
        self._approach(_AT_ONCE)

    def jump(self, kind: str, direction: int) -> None:
        """Move to the next landmark of a kind (1) or to the previous one (-1)."""
        here = self._here()
        self._stay()
        if direction > 0:
            self._landmark, self._sought = here, kind
            self._approach(_AT_ONCE)
            return
        deadline = perf_counter() + _AT_ONCE
        before = bisect_left(self._rendered.landmarks[kind], here)
        while not before and perf_counter() < deadline and (more := self._reach_back()):
            here += more
            before = bisect_left(self._rendered.landmarks[kind], here)
        if before:
            self._go_to_landmark(self._rendered.landmarks[kind][before - 1])
        elif self._rendered.begin:  # as far as there was time for: the next press goes on
            self._go_to(0)
        else:
            self.post_message(self.NothingFurther(self, kind))

    def validate_top(self, top: int) -> int:
        """Keep the offset within what is laid out."""
        return max(0, min(top, self._last_top()))

    def watch_top(self) -> None:
        """Tell the parent."""
        self._tell()

    def watch_raw(self) -> None:
        """Lay the text out anew."""
        self._lay_out_anew()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Paint lines, of the width that the view has: a paint may overtake the resize."""
        self._expected = None
        coming = self._coming
        if not self._fits(self._rendered) and (coming is None or not self._fits(coming)):
            self._lay_out_anew()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Paint one line: the edge, which every line draws anew, and the row behind it.

        A terminal that gives a character another width than it was laid out with shifts the
        rest of its line only.
        """
        base = self._paint().base
        width = self.size.width
        row = self.top + y
        if row < self._rendered.height or not self._rendered.complete:
            line = self._rendered.line(row)
            edge = Segment(_EDGE + self._rendered.gutter(row), self.edge_style)
            strip = Strip([edge, *line])
        else:
            strip = Strip([Segment(f"{_EDGE} ", self.edge_style)])
        return strip.adjust_cell_length(width, base)

    def on_mount(self) -> None:
        """Begin to lay out the rest of the text whenever there is time."""
        self._idle = self.set_interval(_PAUSE, self._advance, pause=True)

    def on_resize(self) -> None:
        """Keep the place that is being read."""
        self._expected = None
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
        self.post_message(self.Wheeled(self, _WHEEL))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move up."""
        event.stop()
        event.prevent_default()
        self.scroll_by(-_WHEEL)
        self.post_message(self.Wheeled(self, -_WHEEL))

    @property
    def _room(self) -> int:
        """Cells for the text."""
        return (self._expected or self.size.width) - _MARGIN

    def _fits(self, rendered: Rendered) -> bool:
        return rendered.raw == self.raw and rendered.width == max(self._room, NARROWEST)

    def _paint(self) -> Palette:
        """The styles as the theme has them now, given to what is on screen with the marks."""
        palette = self.palette
        self._rendered.restyle(palette)
        self._rendered.mark(self._marks)
        return palette

    def _last_top(self) -> int:
        return max(0, self._rendered.height - self.size.height)

    def _go_to(self, top: int) -> None:
        """Scroll because somebody wants to, which moves the anchor."""
        self._stay()
        if top < 0:
            top += self._reach_back()
        self._rendered.ensure(top + self.size.height + 1)
        self.top = top
        self._anchor = self._rendered.offset_of(self.top)
        self._go_on()

    def _stay(self) -> None:
        """Forget where somebody was on the way to."""
        self._wanted = self._match = self._landmark = None
        self._sought = ""

    def _approach(self, budget: float) -> None:
        """Lay out up to where somebody wants to be, and go there if that is enough."""
        if self._sought:
            self._seek_landmark(budget)
        elif self._wanted is not None and self._brings(self._wanted, budget):
            self._arrive(self._wanted, self._match)
        if self._is_waited_for:
            self._tell()
        self._go_on()

    @property
    def _is_waited_for(self) -> bool:
        """Whether somebody waits for a place that is not laid out yet."""
        return self._wanted is not None or bool(self._sought)

    def _brings(self, place: int, budget: float) -> bool:
        """Have a rendering on screen that reaches a place, or be on the way to it."""
        shown, coming = self._rendered, self._coming
        if coming is not None and not self._fits(shown):
            return False
        if shown.begin <= place and shown.seek(place, budget):
            return True
        whole = coming or shown
        if whole.reached(place):
            self._rendered, self._coming = whole, None
            return True
        if not self._looks_at(place):
            # Nothing can be shown before all that stands above is laid out.
            self._rendered, self._coming = whole, None
            return False
        self._coming = whole
        # Whoever arrives decides where on the screen the place stands.
        self.set_reactive(AnswerView.top, 0)
        self._anchor = self._rendered.offset_of(0)
        return True

    def _looks_at(self, place: int) -> bool:
        """Show the surroundings of a place at once; whether that can be."""
        found = glimpse(self.text, self._room, place, self.size.height, raw=self.raw)
        if found is None:
            return False
        self._rendered = found
        row = found.row_of(place)
        found.ensure(row + self.size.height + 1)
        self.set_reactive(AnswerView.top, self.validate_top(row))
        self._tell()
        self.refresh()
        return True

    def _reach_back(self) -> int:
        """Lay out more above a glimpse; how many rows there are now before its first."""
        shown = self._rendered
        if not shown.begin:
            return 0
        until = shown.offset_of(self.top + self.size.height)
        found = glimpse(self.text, self._room, shown.begin, self.size.height, raw=self.raw)
        if found is None:
            return 0
        more = found.row_of(shown.begin)
        while not found.reached(until):
            found.ensure(found.height + 1)
        self._rendered = found
        self.set_reactive(AnswerView.top, self.validate_top(self.top + more))
        self.refresh()
        return more

    def _arrive(self, place: int, match: Match | None) -> None:
        height = self.size.height
        if match is not None:
            self._rendered.mark(self._marks)
            row = self._rendered.row_of_current(match.line, place)
            if self.top <= row < self.top + height:
                self._stay()
            else:
                self._go_to(row - height // 3)
            return
        at_end = place >= len(self.text)
        self._go_to(self._last_top() if at_end else self._rendered.row_of(place))
        if not at_end:
            self._anchor = place

    def _here(self) -> int:
        """The row to look for landmarks from: the end of a text may keep one from the top."""
        row = self._landmark
        return row if row is not None and self.validate_top(row) == self.top else self.top

    def _go_to_landmark(self, row: int) -> None:
        self._go_to(row)
        self._landmark = row

    def _seek_landmark(self, budget: float) -> None:
        """Lay out down to the next landmark and go there, or say that there is none."""
        rows, here = self._rendered.landmarks[self._sought], self._here()
        deadline = perf_counter() + budget
        while not self._rendered.complete and not (rows and rows[-1] > here):
            if perf_counter() > deadline:
                return
            self._rendered.ensure(self._rendered.height + 1)
        after = bisect_right(rows, here)
        if after < len(rows):
            self._go_to_landmark(rows[after])
        else:
            self.post_message(self.NothingFurther(self, self._sought))
            self._sought = ""

    def _lay_out_anew(self) -> None:
        """Lay out for another width or form, and find the place that was being read.

        Where that takes long, the surroundings of the place are laid out first.
        """
        if not self.is_attached:
            return
        self._coming = self.prepare(self.text)
        self._seek(_AT_ONCE)
        if self._coming is not None:
            self._looks_at(self._anchor)
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
            if self._fits(self._rendered):  # a glimpse: what is read stays where it stands
                row += self.top - self._rendered.row_of(self._anchor)
            coming.ensure(row + self.size.height + 1)
            if self._landmark is not None:
                self._landmark += row - self.top
            self._rendered, self._coming = coming, None
            self.set_reactive(AnswerView.top, self.validate_top(row))
            self._tell()
            self.refresh()

    def _advance(self) -> None:
        """One slice of layout while nothing else happens. It paints nothing by itself."""
        if self._coming is not None:
            self._seek(_SLICE if self._fits(self._rendered) else _WAITED_FOR)
        if self._is_waited_for:
            self._approach(_WAITED_FOR)
        elif self._coming is not None:
            return
        else:
            self._rendered.advance(_SLICE)
        if self._coming is None and self._has_enough() and self._idle is not None:
            self._idle.pause()

    def _has_enough(self) -> bool:
        """Whether nothing more needs to be laid out until somebody scrolls on."""
        rendered = self._rendered
        ahead = rendered.height - self.top - self.size.height
        return rendered.complete or (not self._is_waited_for and ahead >= _AHEAD * self.size.height)

    def _go_on(self) -> None:
        if self._idle is not None and (self._coming is not None or not self._has_enough()):
            # Started anew, so that the first slice comes after what has changed is painted.
            self._idle.reset()
            self._idle.resume()

    def _tell(self) -> None:
        if self.is_attached:
            self.post_message(self.Scrolled(self, self.top, self.at_end))
