"""Questions as a list shows them: a first line of each, and their categories."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.store import Store

_LONGEST = 400
"""Characters of a question that are read; a line of a list shows fewer."""


def categories(store: Store) -> tuple[str, ...]:
    """The categories that questions have, in order."""
    with store.read() as connection:
        rows = connection.execute(
            "SELECT DISTINCT category FROM question WHERE category IS NOT NULL ORDER BY category"
        ).fetchall()
    return tuple(row[0] for row in rows)


def first_lines(store: Store, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """How questions begin, by key and turn.

    Args:
        wanted: each question's key, and a turn; of turn 0, all of it, the first is told.
    """
    places = [[key, turn, max(turn, 1)] for key, turn in wanted]
    with store.read() as connection:
        rows = connection.execute(
            "SELECT w.value ->> 0, w.value ->> 1, substr(t.body, 1, ?) FROM json_each(?) w "
            "JOIN question q ON q.key = w.value ->> 0 "
            "JOIN question_text t ON t.question_id = q.id AND t.turn = w.value ->> 2",
            (_LONGEST, json.dumps(places)),
        ).fetchall()
    return {(key, turn): body.lstrip().partition("\n")[0] for key, turn, body in rows}
