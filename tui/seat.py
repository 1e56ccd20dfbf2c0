"""What the voting screen shows and calls: votes that count, or lessons that do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from core.records import Seen

if TYPE_CHECKING:
    from db.serving import Draft, Served
    from db.store import Store
    from db.voting import Undone
    from tui.session import ActiveTime

SAID = {
    Seen.LEFT: "A is better",
    Seen.RIGHT: "B is better",
    Seen.TIE: "tie",
    Seen.BOTH_BAD: "both bad",
}
"""What a vote says, in the words of its key."""

KeyOf = Callable[[str], str]
"""Names the key that does an action, by the action's id."""


@dataclass(frozen=True, slots=True)
class Page:
    """A text to be read before what comes next, as Markdown."""

    title: str
    text: str


class Seat(Protocol):
    """One annotator at work: all that is kept between two keys, and what a key does.

    Attributes:
        current: the pair on the screen; None where there is none.
        turn: the one to vote on.
        counts: whether votes here are votes; if not, notes and flags have nothing to go with.
    """

    store: Store
    settings: Mapping[str, Any]
    active: ActiveTime
    current: Served | None
    turn: int
    draft: Draft
    counts: bool

    def open(self) -> Served | None:
        """The pair to vote on now."""

    def how_far(self) -> Sequence[str]:
        """How far this annotator is, the fullest form first."""

    def greeting(self, key: KeyOf) -> str:
        """What is said first."""

    def nothing_left(self, key: KeyOf) -> list[str]:
        """What is said, a paragraph each, where no pair is on the screen."""

    def page(self) -> Page | None:
        """What is to be read before the next pair; it is handed out once."""

    def following(self) -> Seat:
        """Where this annotator sits from now on: here, or elsewhere once this is over."""

    def prepare(self) -> Served | None:
        """Fetch the pair after this one."""

    def pause(self) -> None:
        """Stop the clock."""

    def go_on(self) -> None:
        """Let the clock run again."""

    def shown(self) -> None:
        """The pair has just been painted."""

    def is_hasty(self) -> bool:
        """Whether a vote now would come before anybody could have looked."""

    def vote(self, seen: Seen) -> object:
        """Vote on the turn on screen; it is on the disk when this returns."""

    def skip(self) -> None:
        """Put the pair aside."""

    def take_skipped(self) -> Served | None:
        """Go through the pairs that were put aside."""

    def undo(self) -> Undone | None:
        """Take back the last vote or skip."""

    def keep(self, *, note: str | None = None, flag: str | None = None) -> None:
        """Keep what is typed or marked on this turn."""

    def close(self) -> None:
        """Give back what was prepared but never seen."""
