"""Tables as rows: columns as wide as they need, or as wide as there is room for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from tui.rendering_wrap import Row, Run, cells_of, wrap

Cell = Sequence[Run]

_NARROWEST = 6
_BETWEEN = " │ "


def table_rows(
    table: Sequence[Sequence[Cell]], aligns: Sequence[str], width: int
) -> Iterator[tuple[int, Row]]:
    """Lay out a table whose first row is its head.

    Args:
        table: rows of cells; every row as long as the first.
        aligns: ``left``, ``right``, ``center`` or nothing for each column.
        width: cells. Where the columns cannot stand side by side, each cell gets a line.

    Yields:
        The line of the source, counted from the head's, and a row.
    """
    widths = _widths(table, width)
    if not widths:
        yield from _stacked(table, width)
        return
    rule = "─┼─".join("─" * cells for cells in widths)
    tall = any(
        cells_of(cell) > cells for row in table for cell, cells in zip(row, widths, strict=True)
    )
    for number, row in enumerate(table):
        if number == 1 or (number and tall):
            yield number, ((rule, "label"),)
        wrapped = [
            [piece for _, piece in wrap(cell or [("", "text")], cells)]
            for cell, cells in zip(row, widths, strict=True)
        ]
        for pieces in zip_longest(*wrapped, fillvalue=()):
            yield number + (number > 0), tuple(_line(pieces, widths, aligns))


def _line(pieces: Sequence[Row], widths: Sequence[int], aligns: Sequence[str]) -> Iterator[Run]:
    for column, (piece, cells) in enumerate(zip(pieces, widths, strict=True)):
        if column:
            yield _BETWEEN, "label"
        spare = max(cells - cells_of(piece), 0)
        before = {"right": spare, "center": spare // 2}.get(aligns[column], 0)
        if before:
            yield " " * before, "text"
        yield from piece
        if spare - before and column < len(widths) - 1:
            yield " " * (spare - before), "text"


def _widths(table: Sequence[Sequence[Cell]], width: int) -> list[int]:
    """Widths of the columns, the widest made narrower until all fit; empty if they cannot."""
    widths = [max(map(cells_of, column), default=1) or 1 for column in zip(*table, strict=True)]
    room = width - len(_BETWEEN) * (len(widths) - 1)
    while (excess := sum(widths) - room) > 0:
        widest = max(widths)
        if widest <= _NARROWEST:
            return []
        second = max((cells for cells in widths if cells < widest), default=0)
        ties = widths.count(widest)
        step = max(min(widest - max(second, _NARROWEST), -(-excess // ties)), 1)
        for column, cells in enumerate(widths):
            if cells == widest and excess > 0:
                widths[column] -= step
                excess -= step
    return widths


def _stacked(table: Sequence[Sequence[Cell]], width: int) -> Iterator[tuple[int, Row]]:
    for number, row in enumerate(table):
        if number:
            yield number, (("─" * min(width, 12), "label"),)
        for cell in row:
            for _, piece in wrap([*cell] or [("", "text")], width):
                yield number + (number > 0), piece
