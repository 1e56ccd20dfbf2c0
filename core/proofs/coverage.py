"""Whether nominal 95% intervals hold what they promise, for every statistic that has intervals.

What a number of a small study estimates is that number in a very large study of the same process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from core.proofs.world import OPTIONS, draw
from core.stats.registry import compute
from core.stats.results import Estimate, Label

QUESTIONS = 40
LARGE = 2500
"""Questions of the large study, whose own error is then an eighth of a small one's."""

LOWEST, HIGHEST = 0.93, 0.97
_SURE = 3.0
"""Standard errors of the simulation that a coverage may lie outside of the band: there are some
thirty statistics, and none shall fail by chance."""

_VOLATILE = ("tier", "stands out", "leans", "settled", "predicted", "by people",
             "mistaken for")  # fmt: skip
"""Labels that say what was found, and not what the number is about."""

Key = frozenset[tuple[str, Label]]


def key_of(row: Estimate) -> Key:
    """What a number is about."""
    return frozenset((name, said) for name, said in row.labels.items() if name not in _VOLATILE)


@dataclass(slots=True)
class Covered:
    """How often the intervals of one statistic held the truth.

    Attributes:
        held, told: intervals that did, and all of them, by study.
        numbers: held and told by number.
    """

    held: list[int] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    numbers: dict[Key, tuple[int, int]] = field(default_factory=dict)

    def add(self, rows: Collection[Estimate], truth: dict[Key, float]) -> None:
        """Take one study."""
        held = told = 0
        for row in rows:
            if row.low is None or row.high is None or key_of(row) not in truth:
                continue
            is_held = row.low - 1e-12 <= truth[key_of(row)] <= row.high + 1e-12
            before = self.numbers.get(key_of(row), (0, 0))
            self.numbers[key_of(row)] = before[0] + is_held, before[1] + 1
            held, told = held + is_held, told + 1
        self.held.append(held)
        self.told.append(told)

    @property
    def coverage(self) -> float | None:
        """The share of all intervals that held the truth; None without any."""
        return sum(self.held) / sum(self.told) if sum(self.told) else None

    @property
    def error(self) -> float:
        """The simulation's own standard error: studies are independent, their numbers are not."""
        share, total = self.coverage or 0.0, sum(self.told)
        apart = sum(
            (held - share * told) ** 2 for held, told in zip(self.held, self.told, strict=True)
        )
        studies = len(self.told)
        between = math.sqrt(apart * studies / max(studies - 1, 1)) / max(total, 1)
        return max(between, math.sqrt(OPTIONS.level * (1 - OPTIONS.level) / max(total, 1)))

    def is_kept(self, at_least: bool) -> bool:
        """Whether the coverage lies in the band, or no further off than chance brings about.

        Args:
            at_least: intervals that promise 95% or more, so that only the lower end counts.
        """
        share = self.coverage
        if share is None:
            return True
        room = _SURE * self.error
        return share >= LOWEST - room and (at_least or share <= HIGHEST + room)


def truths(only: Collection[str] | None = None) -> dict[str, dict[Key, float]]:
    """Every number of a very large study, by statistic."""
    every = compute(draw(LARGE, seed=1 << 40).tally(), OPTIONS, only)
    return {
        result.id: {key_of(row): row.value for row in result.estimates if row.value is not None}
        for result in every
    }


def cover(
    studies: int,
    seed: int,
    only: Collection[str] | None = None,
    tell: Callable[[int], None] = lambda done: None,
    *,
    known: Mapping[str, dict[Key, float]] | None = None,
    sampled: Mapping[str, Mapping[str, Label]] | None = None,
) -> dict[str, Covered]:
    """Draw studies and count.

    Args:
        studies: how many.
        seed: of the first; the others follow.
        only: ids of the statistics wanted; None for all.
        tell: called with the number of studies done.
        known: what :func:`truths` told; asked again if left out.
        sampled: pairs are drawn unequally, and of each statistic the rows with these labels are
            counted. What they are to hold is the number of a study of all pairs.
    """
    known = truths(only) if known is None else known
    found: dict[str, Covered] = {}
    for number in range(studies):
        study = draw(QUESTIONS, seed * 1_000_003 + number, sampled=sampled is not None)
        for result in compute(study.tally(), OPTIONS, only):
            labels = {} if sampled is None else sampled[result.id]
            rows = [row for row in result.estimates if labels.items() <= dict(row.labels).items()]
            found.setdefault(result.id, Covered()).add(rows, known[result.id])
        tell(number + 1)
    return found
