"""What a study holds beside its logs: what was queued, whose names were seen, who was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.records import Pair


@dataclass(frozen=True, slots=True)
class Queued:
    """A pair in the queue.

    Attributes:
        probability: with which it came into the queue; statistics weigh by it. None where
            nobody knows.
        overlap: votes wanted, with the extra ones.
        extra: of these, the ones that rulings asked for.
    """

    pair: Pair
    probability: float | None
    overlap: int
    extra: int = 0


@dataclass(frozen=True, slots=True)
class Unmasking:
    """That a lead saw who is who on one pair and turn: what they rule from then on is not blind."""

    pair: Pair
    turn: int
    lead: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """A lead's wish that another lead rule on one pair and turn, too.

    Attributes:
        id: made by the client; asking it again asks nothing more.
        lead: who asked.
        answered_by: the ruling that answered it; None while none has.
    """

    id: str
    pair: Pair
    turn: int
    lead: str
    why: str
    at: str = ""
    answered_by: str | None = None
