"""Reading what bias is measured against: counts of answers' texts, and how judges are set up.

What is counted in a text is kept in ``text_count``, so that each answer is counted once and not
whenever a lead looks. It is counted when numbers are read, never by whoever votes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.errors import StudyUnavailable
from core.text import COUNTED_BY, length_features

if TYPE_CHECKING:
    from core.stats.background import Background
    from db.store import Store

_PORTION = 1000
"""Texts that are read, counted and kept at once: votes wait for a portion, not for them all."""

_UNCOUNTED = """
    SELECT DISTINCT t.text_hash FROM answer_turn t
    LEFT JOIN text_count c ON c.text_hash = t.text_hash AND c.counted_by = ?
    WHERE c.text_hash IS NULL
"""
_BODIES = "SELECT x.hash, x.body FROM json_each(?) i JOIN text x ON x.hash = i.value"
_ANSWERS = """
    SELECT t.text_hash, q.key, a.model, t.turn,
        c.characters, c.tokens, c.headers, c.list_items, c.bold
    FROM answer_turn t JOIN answer a ON a.id = t.answer_id JOIN question q ON q.id = a.question_id
    LEFT JOIN text_count c ON c.text_hash = t.text_hash AND c.counted_by = ?
"""
_STATE = """
    SELECT (SELECT coalesce(max(id), 0) FROM source), (SELECT coalesce(max(id), 0) FROM answer),
        (SELECT coalesce(max(id), 0) FROM judge)
"""

Counts = tuple[int, int, int, int, int]


class BackgroundFeed:
    """Keeps a tally's background in step with a study."""

    def __init__(self, store: Store, background: Background) -> None:
        self.store = store
        self.background = background
        self._state: tuple[int, ...] | None = None
        self._unkept: dict[str, Counts] = {}

    def catch_up(self) -> bool:
        """Read all of it again if answers or judges came since the last time; whether they did."""
        with self.store.read() as connection:
            state = connection.execute(_STATE).fetchone()
        if state == self._state:
            return False
        self._count()
        self.background.judges = {judge.name: judge for judge in self.store.judging.judges()}
        with self.store.read() as connection:
            self.background.set_answers(self._answers(connection))
            keys = connection.execute(
                "SELECT key FROM question WHERE id IN (SELECT question_id FROM reference_turn)"
            )
            self.background.referenced = frozenset(key for (key,) in keys)
        self._state = state
        return True

    def _answers(self, connection: sqlite3.Connection) -> Iterator[tuple[str | int, ...]]:
        """Question, model, turn and counts of every turn of an answer."""
        for digest, question, model, turn, *counts in connection.execute(_ANSWERS, (COUNTED_BY,)):
            # What was imported since is counted the next time.
            known = self._unkept.get(digest) if counts[0] is None else counts
            if known is not None:
                yield (question, model, turn, *known)

    def _count(self) -> None:
        """Count every text that nobody counted yet, and keep the counts where that can be done."""
        with self.store.read() as connection:
            rows = connection.execute(_UNCOUNTED, (COUNTED_BY,)).fetchall()
        hashes = [digest for (digest,) in rows if digest not in self._unkept]
        for start in range(0, len(hashes), _PORTION):
            portion = json.dumps(hashes[start : start + _PORTION])
            with self.store.read() as connection:
                bodies = connection.execute(_BODIES, (portion,)).fetchall()
            counted = {digest: _counts(body) for digest, body in bodies}
            if not self._keep(counted):
                self._unkept |= counted

    def _keep(self, counted: dict[str, Counts]) -> bool:
        """Write counts down; whether it could be done.

        A study that cannot be written now still has its numbers: they are counted again by
        whoever reads it next.
        """
        if self.store.is_read_only:
            return False
        try:
            with self.store.write() as connection:
                _insert(connection, counted)
        except StudyUnavailable:
            return False
        return True


def _insert(connection: sqlite3.Connection, counted: dict[str, Counts]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO text_count (text_hash, counted_by, characters, tokens, headers, "
        "list_items, bold) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(digest, COUNTED_BY, *counts) for digest, counts in counted.items()],
    )


def _counts(body: str) -> Counts:
    """What :data:`core.stats.background.COUNTED` names, in its order."""
    found = length_features(body)
    return found.characters, found.tokens, found.headers, found.list_items, found.bold
