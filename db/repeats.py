"""Hidden repeats: a pair that an annotator has voted on, shown once more with the sides exchanged.

They say how steady an annotator is, and nothing about the pair: they take no slot of its overlap.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from core.sampling import (
    REPEAT_POLICY,
    REPEAT_POLICY_VERSION,
    chance,
    repeats_ahead,
    repeats_wanted,
)
from db.drawing import Chosen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db.store import Store


class Repeats:
    """Which of an annotator's own pairs come again, and when.

    Args:
        percent: draws of a hundred that are to be repeats.
        gap: other pairs that must have been finished since the first vote, at least.

    Attributes:
        due: SQL: whether ``assignment a``, a repeat, may be served. The undoing of votes may have
            brought it too close to its first vote, or taken that vote away.
    """

    def __init__(self, store: Store, percent: int, gap: int) -> None:
        self._store = store
        self._percent = percent
        self._gap = gap
        self.due = _DUE.format(gap=gap)

    def draw(
        self,
        connection: sqlite3.Connection,
        annotator_id: int,
        name: str,
        nth: int,
        question: int | None,
    ) -> Chosen | None:
        """The pair to repeat at an annotator's nth draw.

        Args:
            question: the row of the question that they see now: its pairs come only where no pair
                of another may be repeated.

        Returns:
            None where this draw is to be a fresh pair, or no pair may be repeated yet.
        """
        if not self._percent or not next(self._wanted(name, nth)):
            return None
        recent = json.dumps([number for number, _ in self._recent(connection, annotator_id)])
        for put_off in (question, None):
            (eligible,) = connection.execute(
                f"SELECT count(*) {_ELIGIBLE} {_OTHER}", (annotator_id, recent, put_off)
            ).fetchone()
            if eligible:
                index = chance(self._store.seed, name, nth).randrange(eligible)
                pair_id, key = connection.execute(
                    "SELECT p.id, p.key FROM pair p WHERE p.id = (SELECT a.pair_id "
                    f"{_ELIGIBLE} {_OTHER} ORDER BY a.pair_id LIMIT 1 OFFSET ?4)",
                    (annotator_id, recent, put_off, index),
                ).fetchone()
                return Chosen(
                    pair_id, key, 1 / eligible, REPEAT_POLICY, REPEAT_POLICY_VERSION, repeat=1
                )
        return None

    def ahead(self, connection: sqlite3.Connection, annotator_id: int, fresh: int) -> int:
        """How many repeats this annotator will get before the last of so many fresh pairs."""
        if not self._percent or not fresh:
            return 0
        name, nth = connection.execute(
            "SELECT name, (SELECT count(*) FROM assignment WHERE annotator_id = a.id) "
            "FROM annotator a WHERE id = ?",
            (annotator_id,),
        ).fetchone()
        recent = self._recent(connection, annotator_id)
        (eligible,) = connection.execute(
            f"SELECT count(*) {_ELIGIBLE}",
            (annotator_id, json.dumps([number for number, _ in recent])),
        ).fetchone()
        unfinished = connection.execute(
            f"SELECT {_UNREPEATED} FROM assignment a "
            "WHERE a.annotator_id = ? AND a.state = 'open' ORDER BY a.id",
            (annotator_id,),
        )
        line = [may for _, may in reversed(recent)] + [bool(may) for (may,) in unfinished]
        return repeats_ahead(fresh, eligible, line, self._gap, self._wanted(name, nth))

    def _wanted(self, name: str, nth: int) -> Iterator[bool]:
        return repeats_wanted(self._store.seed, name, nth, self._percent)

    def _recent(self, connection: sqlite3.Connection, annotator_id: int) -> list[tuple[int, bool]]:
        """The last ``gap`` assignments that were finished, the latest first.

        Returns:
            Each with whether its pair may be repeated one day.
        """
        found: dict[int, bool] = {}
        for assignment, may in connection.execute(_FINISHED, (annotator_id,)):
            found.setdefault(assignment, bool(may))
            if len(found) == self._gap:
                break
        return list(found.items())


_UNREPEATED = (
    "a.repeat = 0 AND NOT EXISTS (SELECT 1 FROM assignment r "
    "WHERE r.annotator_id = a.annotator_id AND r.pair_id = a.pair_id AND r.repeat > 0)"
)

# The log and not the clock says what came last: clocks jump.
_FINISHED = f"""
    SELECT a.id, {_UNREPEATED} FROM vote v JOIN assignment a ON a.id = v.assignment_id
    WHERE v.annotator_id = ? AND a.state = 'done' ORDER BY v.seq DESC
"""

_ELIGIBLE = (
    "FROM assignment a WHERE a.annotator_id = ?1 AND a.state = 'done' "
    f"AND a.id NOT IN (SELECT value FROM json_each(?2)) AND {_UNREPEATED}"
)

_OTHER = "AND NOT EXISTS (SELECT 1 FROM pair o WHERE o.id = a.pair_id AND o.question_id IS ?3)"

_DUE = """EXISTS (
    SELECT 1 FROM assignment f WHERE f.annotator_id = a.annotator_id AND f.pair_id = a.pair_id
    AND f.repeat = 0 AND f.state = 'done' AND {gap} = (
        SELECT count(*) FROM (
            SELECT DISTINCT v.assignment_id FROM vote v JOIN assignment o ON o.id = v.assignment_id
            WHERE v.annotator_id = f.annotator_id AND o.state = 'done'
              AND v.seq > (SELECT max(w.seq) FROM vote w WHERE w.assignment_id = f.id)
            LIMIT {gap})))"""
