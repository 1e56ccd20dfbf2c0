"""Rows of a page, and the numbers in them that can be opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.stats.results import Estimate, Result

Key = tuple[str, tuple[tuple[str, str], ...], str]
"""What names a number wherever it is shown, and whatever it is now: statistic, labels, unit."""

_CAME_OUT = frozenset({"tier", "stands out", "leans", "settled", "predicted"})
"""Labels that say what came out and may change while somebody looks."""


def key_of(result: Result, estimate: Estimate) -> Key:
    """The name of one number."""
    labels = tuple(
        sorted(
            (name, str(value)) for name, value in estimate.labels.items() if name not in _CAME_OUT
        )
    )
    return result.id, labels, estimate.unit


@dataclass(frozen=True, slots=True)
class Spot:
    """Cells of a row that stand for a number, from ``start`` up to ``end``."""

    start: int
    end: int
    key: Key


@dataclass(frozen=True, slots=True)
class Shade:
    """Cells that are coloured by how high a number is, 0 to 1; the number says the same."""

    start: int
    end: int
    depth: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a page.

    Attributes:
        text: made safe to show; no wider than the page.
        look: ``head`` for a heading, ``quiet`` for what is said beside, "" otherwise.
    """

    text: str
    look: str = ""
    spots: tuple[Spot, ...] = ()
    shades: tuple[Shade, ...] = ()


def head(text: str) -> Row:
    """A heading."""
    return Row(text, "head")


def quiet(text: str) -> Row:
    """Something that is said beside the numbers."""
    return Row(text, "quiet")


def blank() -> Row:
    """An empty line."""
    return Row("")


class Numbers:
    """The results of a page by id.

    Args:
        results: as computed; a statistic that is not there yet is None when asked for.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self.by_id: Mapping[str, Result] = {result.id: result for result in results}

    def get(self, id: str) -> Result | None:
        """A statistic's result, if it is there."""
        return self.by_id.get(id)

    def find(self, key: Key) -> tuple[Result, Estimate] | None:
        """The number of that name, as it is now; None if it is gone."""
        result = self.by_id.get(key[0])
        if result is None:
            return None
        for estimate in result.estimates:
            if key_of(result, estimate) == key:
                return result, estimate
        return None
