"""What a look at a study comes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """How bad it is: a problem costs votes or trust, a warning may do so some day."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        said: what was found, in one line.
        mend: what to do about it, in one line; empty where there is nothing to do.
    """

    name: str
    state: State
    said: str
    mend: str = ""

    def mended(self, what: str) -> Check:
        """The same, with what was just done about it."""
        return replace(self, said=f"{what}; now: {self.said}")
