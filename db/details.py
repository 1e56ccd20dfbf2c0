"""Reason tags and per-criterion outcomes, as the vote log stores them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from core.asked import Details
from core.blinding import as_seen
from core.records import Choice


def stored_tags(tags: Sequence[str]) -> str | None:
    """Reason tags as stored: a JSON list, or None where there are none."""
    return json.dumps(list(tags), ensure_ascii=False) if tags else None


def stored_criteria(criteria: Mapping[str, Choice]) -> str | None:
    """Outcomes by criterion as stored."""
    return stored_object(criteria)


def stored_object(value: Mapping[str, Any]) -> str | None:
    """A JSON object in a fixed order, or None where it is empty."""
    return json.dumps(dict(value), ensure_ascii=False, sort_keys=True) if value else None


def tags_of(stored: str | None) -> tuple[str, ...]:
    """Reason tags as :func:`stored_tags` stored them."""
    return tuple(json.loads(stored)) if stored else ()


def criteria_of(stored: str | None) -> dict[str, Choice]:
    """Outcomes by criterion as :func:`stored_criteria` stored them, in model space."""
    found = json.loads(stored) if stored else {}
    return {criterion: Choice(choice) for criterion, choice in found.items()}


def said_in(connection: sqlite3.Connection, assignment: int) -> dict[int, Details]:
    """What was last said on each turn beyond the outcome, as the pair stood on the screen."""
    rows = connection.execute(
        "SELECT turn, left, confidence, tags, criteria FROM vote "
        "WHERE assignment_id = ? AND choice IS NOT NULL ORDER BY seq",
        (assignment,),
    )
    said = {
        turn: Details(
            {name: as_seen(choice, left) for name, choice in criteria_of(criteria).items()},
            confidence,
            tags_of(tags),
        )
        for turn, left, confidence, tags, criteria in rows
    }
    return {turn: details for turn, details in said.items() if details != Details()}
