"""How far, how fast and how much longer, in words that fit one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from core.saying import said_of
from core.text import one_line
from core.times import ago
from db.serving import Progress

if TYPE_CHECKING:
    from tui.app import Who
    from tui.seat import Seat

_BETWEEN = "  │  "


def status_line(session: Seat, who: Who, banner: str, width: int) -> str:
    """Where an annotator is: progress first, then what one can do without on a narrow screen.

    Args:
        banner: what the app says of itself on every screen; may be empty.
        width: cells.
    """
    name = session.settings["name"] or session.store.path.stem
    served = session.current
    turn, category = [""], ""
    if served is not None:
        category = one_line(served.category or "", 20)
        if served.turns == (0,) and len(served.question) > 1:
            turn = [f"one vote for all {len(served.question)} turns"]
        elif len(served.turns) > 1:
            where = f"turn {session.turn} of {len(served.turns)}"
            turn = [f"voting on {where}", where]
    reopened = session.reopened
    earlier = [""]
    if reopened is not None:
        voted = f"Reopened: you voted “{said_of(reopened.was.seen)}”"
        earlier = [f"{voted}, {ago(reopened.was.at, session.store.clock())}", voted]
    parts = {
        "simulated": [f"SIMULATED {one_line(who.annotator, 40)}" if who.simulated else ""],
        "reopened": earlier,
        "progress": session.how_far(),
        "flag": ["⚑ flagged" if session.draft.flag else ""],
        "note": ["✎ note" if session.draft.note else ""],
        "turn": turn,
        "banner": [banner, ""],
        "name": [one_line(name, 40), one_line(name, 16), ""],
        "category": [category, ""],
    }
    order = (
        "category",
        "name",
        "name",
        "progress",
        "turn",
        "banner",
        "progress",
        *["reopened"] * 2,
    )
    return fitted(parts, order, width)


def forms_of(progress: Progress, seconds: float | None) -> tuple[str, ...]:
    """An annotator's progress, the fullest form first.

    Args:
        seconds: what a pair usually takes; None where that is not known yet.
    """
    plain = f"{progress.done} done, {progress.left} left"
    if seconds is None or not progress.left:
        return (plain,)
    longer = f"about {_rounded(seconds * progress.left)}"
    return (f"{plain} · {_each(seconds)} each · {longer}", f"{plain} · {longer}", plain)


def _each(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _rounded(seconds: float) -> str:
    """A time to come, no finer than it can be known."""
    minutes = max(1, round(seconds / 60))
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(5 * round(minutes / 5), 60)
    return f"{hours} h {rest} min" if rest and hours < 10 else f"{round(minutes / 60)} h"


def fitted(parts: Mapping[str, Sequence[str]], order: Sequence[str], width: int) -> str:
    """Parts side by side, shortened one after the other until they fit.

    Args:
        parts: each by its name in its forms, the fullest first; an empty form leaves the part out.
        order: which part to shorten first, next and so on; a part may come again.
        width: cells.
    """
    said = {name: forms[0] for name, forms in parts.items()}
    times = dict.fromkeys(parts, 0)
    for name in (*order, ""):
        line = _BETWEEN.join(part for part in said.values() if part)
        if cell_len(line) <= width or not name:
            break
        times[name] += 1
        said[name] = parts[name][min(times[name], len(parts[name]) - 1)]
    return line
