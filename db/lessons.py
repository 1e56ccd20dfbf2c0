"""Lessons: pairs whose right outcome is settled, to practise on or to be let in by."""

from __future__ import annotations

import sqlite3

from core.errors import Conflict
from core.records import Lesson


def add_lesson(
    connection: sqlite3.Connection,
    pair_id: int,
    lesson: Lesson,
    now: str,
    *,
    place: str,
    source_id: int | None = None,
) -> bool:
    """Add a lesson; within the caller's transaction.

    Args:
        place: where it comes from, as a refusal names it.

    Returns:
        Whether it is new.

    Raises:
        Conflict: if the study holds it with another outcome or another reason.
    """
    known = connection.execute(
        "SELECT choice, why FROM lesson WHERE pair_id = ? AND turn = ? AND use = ?",
        (pair_id, lesson.turn, lesson.use),
    ).fetchone()
    if known is not None:
        if known != (lesson.choice, lesson.why):
            raise Conflict(
                f"{place}: this {lesson.use} pair is already in the study and says otherwise",
                "make the two agree, or take the old one away first",
            )
        return False
    connection.execute(
        "INSERT INTO lesson (pair_id, turn, use, choice, why, added_at, source_id) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (pair_id, lesson.turn, lesson.use, lesson.choice, lesson.why, now, source_id),
    )
    return True
