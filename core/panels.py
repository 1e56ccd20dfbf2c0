"""Panels: several judges that vote, and whose vote stands beside the judges' own words.

A panel's word on an item follows from what its members say there, each with its orders combined
(a flip counts as a tie, as it does for the judge). It is worked out anew whenever it is read, in
:mod:`core.stats.voting`, and never stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.errors import UsageError
from core.text import name_problem


class PanelRule(StrEnum):
    """How members' votes count: alike, or by their weights."""

    MAJORITY = "majority"
    WEIGHTED = "weighted"


@dataclass(frozen=True, slots=True)
class Panel:
    """Several judges that vote.

    Attributes:
        name: of the panel; a judge may bear it too, reports say ``panel: NAME``.
        members: each judge's name with its weight; None where the weights of a weighted panel
            are fitted from how often each member agrees with people. A majority panel's are 1.

    Raises:
        UsageError: if it is no panel: no name, no members, a weight that is none, or weights
            under a rule that does not use them.
    """

    name: str
    rule: PanelRule
    members: Mapping[str, float | None]

    def __post_init__(self) -> None:
        if problem := name_problem(self.name):
            raise UsageError(f"{self.name!r} cannot name a panel: it {problem}")
        if not self.members:
            raise UsageError(f"panel {self.name!r} has no members", "give it judges: --member")
        given = [weight for weight in self.members.values() if weight is not None]
        for judge, weight in self.members.items():
            if weight is not None and not (math.isfinite(weight) and weight > 0):
                raise UsageError(
                    f"panel {self.name!r}: the weight of {judge!r} is {weight!r}",
                    "a weight is a number above 0; leave out a judge that is not to count",
                )
        if self.rule is PanelRule.MAJORITY and any(w != 1 for w in self.members.values()):
            raise UsageError(
                f"panel {self.name!r}: under the majority rule every member counts alike",
                "leave the weights out, or say --rule weighted",
            )
        if given and len(given) < len(self.members):
            raise UsageError(
                f"panel {self.name!r}: some of its members have a weight and some have none",
                "weights are given for all members, or fitted for all of them",
            )

    @property
    def is_fitted(self) -> bool:
        """Whether its weights are fitted from agreement with people."""
        return self.rule is PanelRule.WEIGHTED and None in self.members.values()
