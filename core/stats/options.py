"""What a lead may choose about the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from core.errors import UsageError
from core.settings import ACCEPTABLE, BY_VOTES, REPEATS
from core.times import epoch

FIRST, MAJORITY = REPEATS

EPSILON: Mapping[str, float] = MappingProxyType({"expert": 0.2, "skilled": 0.15, "crowd": 0.1})
"""How much worse than an annotator of each kind a judge may be in the alt-test (Calderon et al.
2025, section 3.3): the dearer the annotators, the more a judge is worth."""

_END = 1 << 62
"""A time after all others."""


@dataclass(frozen=True, slots=True)
class Elo:
    """How online Elo counts.

    Attributes:
        k: how far one vote moves a rating at most.
        start: the rating of a model that nobody voted on.
        scale: the lead that takes ten points to one.
        tie: what a tie gives to model_1, as a share of a win; the other gets the rest.
    """

    k: float = 4.0
    start: float = 1000.0
    scale: float = 400.0
    tie: float = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """Choices that change numbers; every result names those that are not the default.

    Attributes:
        seed: of the resampling; the same seed and data give the same interval.
        replicates: resamples per interval.
        level: nominal coverage of the intervals, between 0 and 1.
        merge_both_bad: count both bad as a tie (three classes instead of four).
        people: what the rows of votes are called; not ``human`` where simulated annotators voted.
        group: use only votes of annotators in this group; None for all.
        exclude_groups: leave out the votes of annotators in these groups, unless ``group``
            names one of them.
        category: use only questions of this category; None for all.
        turn: use only this turn; None for all. 0 is the whole conversation.
        model: use only pairs with this model's answers; None for all.
        models: use only pairs of these two models, in either order; None for all.
        annotator: use only this annotator's votes, whatever their group; None for all.
        judge: use only this judge's verdicts, or this panel's; None for all.
        since: use only votes cast at this time or later, as ISO 8601; UTC where it names no
            offset, and to the second. Votes without a time are left out then. None for all.
        until: use only votes cast before this time; the same.
        repeats: ``first``: a judge's word in an order is its first verdict; ``majority``: what
            most of its repeats say.
        acceptable_by: what makes an answer acceptable in quadrants, see :mod:`core.settings`.
        min_shared: items two annotators must share before their κ is given.
        annotator_kind: a key of :data:`EPSILON`, the head start that the alt-test gives a judge.
        elo: of the online Elo ratings.
        policy: how the study serves pairs; named where it bends what was voted on first.
        families: beginnings of models' names → family, see :func:`core.families.family_of`.

    Raises:
        ValueError: if a number makes no sense.
        UsageError: if a time cannot be read, or none lies between the two.
    """

    seed: int = 0
    replicates: int = 1000
    level: float = 0.95
    merge_both_bad: bool = False
    people: str = "human"
    group: str | None = None
    exclude_groups: tuple[str, ...] = ()
    category: str | None = None
    turn: int | None = None
    min_shared: int = 10
    annotator_kind: str = "expert"
    elo: Elo = Elo()
    policy: str = ""
    families: Mapping[str, str] = field(default_factory=dict)
    repeats: str = FIRST
    model: str | None = None
    models: tuple[str, str] | None = None
    annotator: str | None = None
    judge: str | None = None
    since: str | None = None
    until: str | None = None
    acceptable_by: str = BY_VOTES

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"level is {self.level}, not between 0 and 1")
        if self.replicates < 100:
            raise ValueError(f"replicates is {self.replicates}; at least 100 are needed")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}, below 0")
        if self.min_shared < 1:
            raise ValueError(f"min_shared is {self.min_shared}, below 1")
        if self.annotator_kind not in EPSILON:
            raise ValueError(f"annotator_kind is {self.annotator_kind!r}, none of {set(EPSILON)}")
        if self.repeats not in REPEATS:
            raise ValueError(f"repeats is {self.repeats!r}, not {FIRST} or {MAJORITY}")
        if self.acceptable_by not in ACCEPTABLE:
            raise ValueError(f"acceptable_by is {self.acceptable_by!r}, none of {ACCEPTABLE}")
        if self.is_timed and self.window[0] >= self.window[1]:
            raise UsageError(
                f"no vote is cast from {self.since} on and before {self.until}",
                "let the first time be the earlier one",
            )

    @property
    def is_timed(self) -> bool:
        """Whether votes' times matter, so that whoever feeds the tally has to tell them."""
        return self.since is not None or self.until is not None

    @property
    def window(self) -> tuple[int, int]:
        """Seconds since the epoch from which votes count, and before which."""
        start = 1 if self.since is None else _seconds("since", self.since)
        return start, _END if self.until is None else _seconds("until", self.until)


def _seconds(what: str, text: str) -> int:
    try:
        return math.floor(epoch(text))
    except ValueError:
        raise UsageError(
            f"{what}: {text!r} is no time", "write it as 2026-11-22 or 2026-11-22T15:00:00Z"
        ) from None
