"""What takes a full fit, kept by selection: made in parts, then followed, then made anew.

A full fit looks at everything. It is made from the votes alone, and from nothing that was kept: two
who read the same log have the same fit, whenever and however often they looked before. In between,
what changed is stepped in (:mod:`core.stats.dawid_skene_kept`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable
from typing import Any, Final, Generic, Protocol, TypeVar

from core.stats.tally import Tally
from core.stats.view import View

_KEPT: Final = 4
"""What is kept at once; what nobody asked for longest makes room."""

STEPPED: Final = 1000
"""A full fit is due once one in so many of its items has been stepped in."""

FURTHEST: Final = 1 << 12
"""Changed items beyond which stepping them in takes longer than a full fit is worth waiting for."""


class Following(Protocol):
    """What can be brought up to date."""

    def follow(self, view: View) -> bool:
        """Step in what changed; False if too much did, or what is no longer known."""

    def is_worn(self, view: View) -> bool:
        """Whether enough was stepped in for a full fit."""


S = TypeVar("S", bound=Following)
Making = Generator[None, None, S]


class Line(Generic[S]):
    """One kept thing: what there is of it, and what is being made in its place.

    Args:
        make: makes it of a view, from everything; what it reads, it reads before the first pause.
    """

    def __init__(self, make: Callable[[View], Making[S]]) -> None:
        self._make = make
        self._state: S | None = None
        self._epoch = -1
        self._making: Making[S] | None = None
        self._making_epoch = -1

    def _ready(self, view: View) -> S | None:
        state = self._state
        if state is not None and self._epoch == view.tally.epoch and state.follow(view):
            return state
        self._state = None
        return None

    def current(self, view: View) -> S:
        """What there is, up to date; made now if there is nothing."""
        while (state := self._ready(view)) is None:
            self.go_on(view)
        return state

    def is_due(self, view: View) -> bool | None:
        """Whether it has to be made at all (True) or anew (False); None if neither."""
        state = self._ready(view)
        if state is None:
            return True
        return False if state.is_worn(view) else None

    def go_on(self, view: View) -> bool:
        """Make the next part; whether that was the last."""
        epoch = view.tally.epoch
        if self._making is None or self._making_epoch != epoch:
            self._making, self._making_epoch = self._make(view), epoch
        try:
            next(self._making)
        except StopIteration as done:
            self._state, self._epoch, self._making = done.value, epoch, None
            return True
        return False


class LineWork(Generic[S]):
    """What is to be done on a line; see :class:`core.stats.registry.Work`."""

    def __init__(self, line: Line[S], view: View, is_needed: bool) -> None:
        self._line, self._view = line, view
        self.is_needed = is_needed

    def go_on(self) -> bool:
        """Do the next part; whether that was the last."""
        return self._line.go_on(self._view)


def line_of(
    view: View, about: Hashable, name: Hashable, make: Callable[[View], Making[S]]
) -> Line[S]:
    """The line of a tally with a name; a new one if there is none.

    Args:
        about: which items and votes it rests on. Room is made by dropping all lines of one of
            these: they rest on each other, so that to drop one would have the rest made anew.
    """
    lines = _lines(view.tally)
    mine = lines.setdefault(about, {})
    lines.move_to_end(about)
    if len(lines) > _KEPT:
        lines.popitem(last=False)
    found: Line[S] = mine.setdefault(name, Line(make))
    return found


def _lines(tally: Tally) -> OrderedDict[Hashable, dict[Hashable, Line[Any]]]:
    lines = tally.memo.get(("lines",))
    if lines is None:
        lines = OrderedDict()
        tally.memo.keep(("lines",), lines)
    found: OrderedDict[Hashable, dict[Hashable, Line[Any]]] = lines
    return found
