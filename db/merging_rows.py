"""What a study being merged into holds, by the natural keys that events name things by."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from db import chain


class Rows:
    """This study's row numbers by natural keys, which events name things by."""

    def __init__(self, connection: sqlite3.Connection, theirs: sqlite3.Connection) -> None:
        self._connection = connection
        self._theirs = theirs
        self.pairs = self._by_key("SELECT key, id FROM pair")
        self.annotators = self._by_key("SELECT name, id FROM annotator")
        self.assignments = self._by_key("SELECT uid, id FROM assignment")
        # A pair that both hosts served to one person was drawn twice: what stands here counts.
        self._drawn = {
            uid: {"policy": policy, "probability": probability}
            for uid, policy, probability in connection.execute(
                f"SELECT s.uid, {chain.POLICY}, s.probability FROM assignment s"
            )
        }
        self.questions: dict[str, str] = dict(
            connection.execute(
                "SELECT p.key, q.key FROM pair p JOIN question q ON q.id = p.question_id"
            ).fetchall()
        )
        self.taken: dict[str, set[str]] = {log: set() for log in chain.LOGS}
        self._judges = self._by_key(f"SELECT {chain.JUDGE}, j.id FROM judge j")
        self._sources = self._by_key(f"SELECT {chain.SOURCE}, o.id FROM source o")

    def _by_key(self, query: str) -> dict[str, int]:
        return dict(self._connection.execute(query).fetchall())

    def has(self, log: str, key: str) -> bool:
        """Whether an event is in this study's log."""
        query = f"SELECT 1 FROM {log} WHERE id = ?"
        return self._connection.execute(query, (key,)).fetchone() is not None

    def resolved(self, log: str, row: dict[str, Any]) -> dict[str, Any]:
        """An event with this study's row numbers, as :func:`db.chain.append` takes it."""
        numbers: dict[str, Any] = {
            "pair_id": self.pairs[row["pair"]],
            "source_id": self._source(row["source"]),
        }
        if log == "vote":
            uid = row["assignment"]
            numbers["annotator_id"] = self.annotators[row["annotator"]]
            numbers["assignment_id"] = None if uid is None else self.assignments[uid]
            numbers |= self._drawn.get(uid, {})
        elif log == "ruling":
            numbers["lead_id"] = self.annotators[row["lead"]]
        else:
            numbers["judge_id"] = self._judges[row["judge"]]
        return {**row, **numbers, "repeat": row.get("repeat") or 0}

    def _source(self, covered: str | None) -> int | None:
        if covered is None:
            return None
        if covered not in self._sources:
            file = self._theirs.execute(
                f"SELECT name, format, sha256, imported_at FROM source o WHERE {chain.SOURCE} = ?",
                (covered,),
            ).fetchone()
            self._sources[covered] = self._connection.execute(
                "INSERT INTO source (name, format, sha256, imported_at) VALUES (?, ?, ?, ?) "
                "RETURNING id",
                file,
            ).fetchone()[0]
        return self._sources[covered]

    def store_texts(self, log: str, rows: Iterable[dict[str, Any]]) -> None:
        """Bring the replies that verdicts name by their hashes."""
        if log != "verdict":
            return
        hashes = {row[name] for row in rows for name in ("raw_hash", "reasoning_hash")} - {None}
        for digest in sorted(hashes):
            found = self._theirs.execute("SELECT hash, body FROM text WHERE hash = ?", (digest,))
            self._connection.execute("INSERT OR IGNORE INTO text VALUES (?, ?)", found.fetchone())
