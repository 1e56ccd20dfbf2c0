"""The texts of one pair, and the places where they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conversation:
    """The texts of one pair, turn by turn, in the order to be shown."""

    question: Sequence[str]
    left: Sequence[str]
    right: Sequence[str]

    def texts(self, turn: int) -> dict[str, str]:
        """What each pane shows of a turn; an answer shorter than the question ends early."""
        by_pane = {"question": self.question, "left": self.left, "right": self.right}
        return {
            name: turns[turn - 1] if turn <= len(turns) else "" for name, turns in by_pane.items()
        }


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where one reads: which texts, which turn, and the place in each pane, by turn."""

    conversation: Conversation
    looking: int
    voting: int
    zoom: int
    places: Mapping[int, dict[str, int]]


def place_of(turn: int, name: str) -> str:
    """What a search calls a pane of a turn."""
    return f"{turn}/{name}"


def parts_of(place: str) -> tuple[int, str]:
    """The turn and the pane that :func:`place_of` put together."""
    turn, _, name = place.partition("/")
    return int(turn), name
