"""How somebody was let in: attempts at the qualification, or a lead's word.

It is written down when it happens, among the annotator's attributes, so that it stays what it was
when lessons or settings change later, and leaves with the study.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ONBOARDING = "onboarding"
"""The attribute that holds it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One finished round of qualification.

    Attributes:
        right: lessons answered as the leads do, of ``of``.
        needed: how many had to be right, by the study's setting at that moment.
        at: ISO 8601, UTC.
    """

    round: int
    right: int
    of: int
    needed: int
    at: str

    @property
    def passed(self) -> bool:
        """Whether it was enough."""
        return self.right >= self.needed


@dataclass(frozen=True, slots=True)
class Standing:
    """How far somebody has got towards voting.

    Attributes:
        attempts: finished rounds of qualification, oldest first.
        let_in: who let them in without passing, and when (``by``, ``at``); None if nobody did.
    """

    attempts: tuple[Attempt, ...] = ()
    let_in: Mapping[str, str] | None = None

    @property
    def is_in(self) -> bool:
        """Whether nothing more is asked of them before they vote."""
        return self.let_in is not None or any(attempt.passed for attempt in self.attempts)


def needed_of(share: float, of: int) -> int:
    """How many lessons of ``of`` have to be right for a share of them."""
    return math.ceil(round(share * of, 6))


def standing_of(connection: sqlite3.Connection, annotator_id: int) -> Standing:
    """How far an annotator has got; in the caller's transaction."""
    (attributes,) = connection.execute(
        "SELECT attributes FROM annotator WHERE id = ?", (annotator_id,)
    ).fetchone()
    return read_standing(json.loads(attributes))


def read_standing(attributes: Mapping[str, Any]) -> Standing:
    """The standing among an annotator's attributes; what a file brought and is none counts not."""
    noted = attributes.get(ONBOARDING)
    if not isinstance(noted, dict):
        return Standing()
    attempts = noted.get("attempts", [])
    let_in = noted.get("let_in")
    is_sound = isinstance(attempts, list) and all(map(_is_attempt, attempts))
    return Standing(
        tuple(Attempt(**attempt) for attempt in attempts) if is_sound else (),
        let_in if _is_let_in(let_in) else None,
    )


_COUNTS = ("round", "right", "of", "needed")


def _is_let_in(stored: object) -> bool:
    return (
        isinstance(stored, dict)
        and stored.keys() == {"by", "at"}
        and all(isinstance(text, str) for text in stored.values())
    )


def _is_attempt(stored: object) -> bool:
    return (
        isinstance(stored, dict)
        and stored.keys() == {*_COUNTS, "at"}
        and all(type(stored[name]) is int for name in _COUNTS)
        and isinstance(stored["at"], str)
    )


def as_stored(attempt: Attempt) -> dict[str, Any]:
    """An attempt as an annotator's attributes hold it."""
    return {**{name: getattr(attempt, name) for name in _COUNTS}, "at": attempt.at}


def note(connection: sqlite3.Connection, annotator_id: int, noted: Mapping[str, Any]) -> None:
    """Write into an annotator's standing, and leave their other attributes as they are."""
    (stored,) = connection.execute(
        "SELECT attributes FROM annotator WHERE id = ?", (annotator_id,)
    ).fetchone()
    attributes = json.loads(stored)
    before = attributes.get(ONBOARDING)
    attributes[ONBOARDING] = {**(before if isinstance(before, dict) else {}), **noted}
    connection.execute(
        "UPDATE main.annotator SET attributes = ? WHERE id = ?",
        (json.dumps(attributes), annotator_id),
    )
