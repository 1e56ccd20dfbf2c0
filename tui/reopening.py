"""An earlier pair of one's own, open once more, and the pair that waits meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.records import Seen
from db.history import Past
from db.serving import Draft, Served

if TYPE_CHECKING:
    from tui.attention import ActiveTime


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one was at before a pair was reopened: all that it takes to go on with it."""

    served: Served | None
    turn: int
    draft: Draft
    active: ActiveTime

    def after(self, assignment: int, turn: int, seen: Seen) -> Served | None:
        """The pair that waits, as it is once a turn that may be its own has another vote."""
        if self.served is None or self.served.assignment != assignment:
            return self.served
        return replace(self.served, voted={**self.served.voted, turn: seen})


@dataclass(frozen=True, slots=True)
class Reopened:
    """The vote that may be changed now, and what waits."""

    was: Past
    waiting: Waiting
