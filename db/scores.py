"""Scores on automatic benchmarks, as the study keeps them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.errors import Conflict, TiebreakError
from core.records import Score

if TYPE_CHECKING:
    from db.store import Store


def add_score(
    connection: sqlite3.Connection, score: Score, now: str, place: str, source_id: int | None
) -> bool:
    """Add a score within the caller's transaction; whether it is new.

    Args:
        place: where it was read, for messages.

    Raises:
        Conflict: if the study has another score of that model on that benchmark.
    """
    said = score.score, score.low, score.high
    stored = connection.execute(
        "SELECT score, low, high FROM score WHERE benchmark = ? AND model = ?",
        (score.benchmark, score.model),
    ).fetchone()
    if stored is None:
        connection.execute(
            "INSERT INTO score (benchmark, model, score, low, high, source_id, added_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (score.benchmark, score.model, *said, source_id, now),
        )
    elif stored != said:
        raise Conflict(
            f"{place}: {score.model!r} has {score.score:g} on {score.benchmark!r} here, but "
            f"{stored[0]:g} in the study, or another interval",
            f"take the old scores away first: tiebreak scores remove {score.benchmark!r}",
        )
    return stored is None


def scores_of(connection: sqlite3.Connection) -> Iterator[Score]:
    """The scores that a study holds, in the order they were added."""
    rows = connection.execute(
        "SELECT c.benchmark, c.model, c.score, c.low, c.high, s.name FROM score c "
        "LEFT JOIN source s ON s.id = c.source_id ORDER BY c.id"
    )
    for row in rows:
        yield Score(*row)


class Scores:
    """The scores of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def every(self) -> tuple[Score, ...]:
        """Every score, in the order they were added."""
        with self.store.read() as connection:
            return tuple(scores_of(connection))

    def remove(self, benchmark: str) -> int:
        """Take a benchmark's scores away; how many there were.

        Raises:
            TiebreakError: if there are none.
        """
        with self.store.write() as connection:
            gone = connection.execute("DELETE FROM score WHERE benchmark = ?", (benchmark,))
            if not gone.rowcount:
                known = connection.execute(
                    "SELECT DISTINCT benchmark FROM score ORDER BY benchmark"
                ).fetchall()
                names = ", ".join(name for (name,) in known) or "none yet"
                raise TiebreakError(
                    f"there are no scores on {benchmark!r}", f"benchmarks of this study: {names}"
                )
            return gone.rowcount
