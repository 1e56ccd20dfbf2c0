"""Fewer bytes, the same picture: a terminal that gets the short form shows what it should."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.style import Style
from textual.strip import Strip

from tui.wire import frugal

COLUMNS, ROWS = 30, 6
COLOURS = ("default", "red", "color(9)", "color(130)", "#102030", None)
STYLES = st.builds(
    Style,
    color=st.sampled_from(COLOURS),
    bgcolor=st.sampled_from(COLOURS),
    **{name: st.none() | st.booleans() for name in ("bold", "dim", "italic", "underline")},
    reverse=st.none() | st.booleans(),
    strike=st.none() | st.booleans(),
)
MOVES = st.builds("\x1b[{};{}H".format, st.integers(1, ROWS), st.integers(1, COLUMNS))
ERASURES = st.sampled_from(["\x1b[K", "\x1b[J", "\x1b[2K"])
PIECES = st.lists(
    MOVES | ERASURES | st.tuples(STYLES, st.sampled_from(["   ", "text", " a b ", "│ ", "界"])),
    max_size=25,
)
SYSTEMS = st.sampled_from([ColorSystem.STANDARD, ColorSystem.EIGHT_BIT, ColorSystem.TRUECOLOR])


def picture(data: str) -> list[list[tuple[object, ...]]]:
    """Every cell as it looks; a space shows no ink, and no weight."""
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(screen).feed(data + "\x1b[6;30Hz")  # the last must be unstyled again
    cells = [[screen.buffer[y][x] for x in range(COLUMNS)] for y in range(ROWS)]
    return [[look(cell) for cell in line] for line in cells]


def look(cell: pyte.screens.Char) -> tuple[object, ...]:
    if cell.data == " " and not (cell.underscore or cell.reverse or cell.strikethrough):
        return (" ", cell.bg)
    return tuple(cell)


@given(PIECES, SYSTEMS)
def test_the_short_form_paints_the_same_picture(
    pieces: list[str | tuple[Style, str]], system: ColorSystem
) -> None:
    data = ""
    for piece in pieces:
        if isinstance(piece, str):
            data += piece
        else:
            style, text = piece
            style._ansi = None
            data += Strip.render_style(style, text, system)
    short = frugal(data)
    assert picture(short) == picture(data)
    assert len(short) <= len(data)


def test_what_stays_is_not_said_again() -> None:
    style = Style(color="red", bgcolor="blue")
    line = Strip.render_style(style, "one", ColorSystem.STANDARD)
    more = Strip.render_style(style + Style(bold=True), "two", ColorSystem.STANDARD)
    assert frugal(line + "\x1b[2;1H" + line + more) == (
        "\x1b[31;44mone\x1b[2;1Hone\x1b[1mtwo\x1b[0m"
    )


def test_control_sequences_alone_pass_as_they_are() -> None:
    for data in ("\x1b[?2026h", "\x1b[?1049l", "\x1b[2;3H", "plain", ""):
        assert frugal(data) == data
