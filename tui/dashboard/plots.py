"""Curves, drawn by plotext in characters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from tui.dashboard.rows import Row, head, quiet

_HEIGHT = 12


def plot(title: str, days: Sequence[tuple[str, int]], width: int) -> list[Row]:
    """Counts a day, added up, as a curve over time.

    Args:
        days: ISO dates with counts, in order; days without any may be left out.
    """
    from datetime import date

    import plotext

    first = date.fromisoformat(days[0][0])
    x = [(date.fromisoformat(day) - first).days for day, _ in days]
    y = list(accumulate(count for _, count in days))
    plotext.clear_figure()
    plotext.plot_size(max(30, min(100, width)), _HEIGHT)
    plotext.theme("clear")
    plotext.plot(x, y, marker="braille")
    ends = sorted({0, len(days) // 2, len(days) - 1})
    plotext.xticks([x[end] for end in ends], [days[end][0] for end in ends])
    plotext.ylim(0, y[-1])
    drawn = plotext.uncolorize(plotext.build())
    rows = [head(title)]
    rows += [Row(line.rstrip()) for line in drawn.splitlines()]
    rows.append(quiet(f"{y[-1]:,} by {days[-1][0]}"))
    return rows
