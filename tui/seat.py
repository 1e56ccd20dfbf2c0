"""What the voting screen shows and calls: votes that count, or lessons that do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from core.asked import Asked, Details
from core.records import Seen

if TYPE_CHECKING:
    from db.serving import Draft, Served
    from db.store import Store
    from db.undoing import Undone
    from tui.asking import Asking
    from tui.attention import ActiveTime
    from tui.reopening import Reopened
    from tui.session import Saved

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
        asked: what is asked with a vote here.
        asking: the vote that is on its way, while its details are asked.
        is_declining: whether the reason not to judge is asked.
        reopened: the earlier vote that may be changed now.
    """

    store: Store
    settings: Mapping[str, Any]
    active: ActiveTime
    current: Served | None
    turn: int
    draft: Draft
    counts: bool
    asked: Asked
    asking: Asking | None
    is_declining: bool
    reopened: Reopened | None

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

    def ask(self, seen: Seen) -> Asking | None:
        """Begin to ask what goes with a vote; None where that is nothing."""

    def withdraw(self) -> None:
        """Forget the vote that is on its way."""

    def vote(self, seen: Seen, details: Details | None = None) -> Saved | None:
        """Vote on the turn on screen; it is on the disk when this returns.

        Returns:
            What was saved; None where it was no vote.
        """

    def skip(self) -> None:
        """Put the pair aside."""

    def take_skipped(self) -> Served | None:
        """Go through the pairs that were put aside."""

    def undo(self) -> Undone | None:
        """Take back the last vote or skip."""

    def keep(self, *, note: str | None = None, flag: str | None = None) -> None:
        """Keep what is typed or marked on this turn."""

    @property
    def unsaved_note(self) -> str:
        """The note on this pair, if the store does not have it as it stands."""

    def typed(self, note: str) -> None:
        """Take over a note as it is typed."""

    def save_draft(self) -> None:
        """Store what is typed and marked, where it is not stored yet."""

    def close(self) -> None:
        """Give back what was prepared but never seen."""

    def drop(self) -> None:
        """Leave because the line is gone: what nobody works on goes back to the others."""
