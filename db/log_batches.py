"""Imported rows of the vote, verdict and ruling logs on their way into a study, in batches."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

from core.errors import Conflict, TiebreakError, Where
from db import chain

_BATCH = 2000
"""Log rows written at once: large enough to be quick, small enough to stay out of memory."""

_SAME = {
    "vote": ("pair_id", "turn", "annotator_id", "repeat"),
    "verdict": ("pair_id", "turn", "judge_id"),
    "ruling": ("pair_id", "turn"),
}
"""What a row has in common with the one that it supersedes."""

_MEANING = {
    "vote": (
        "pair_id",
        "turn",
        "annotator_id",
        "choice",
        "left",
        "repeat",
        "cannot_judge",
        "supersedes",
    ),
    "verdict": ("pair_id", "turn", "judge_id", "choice", "left", "repeat", "status", "supersedes"),
    "ruling": ("pair_id", "turn", "lead_id", "choice", "left", "stage", "final", "supersedes"),
}
"""What two rows of one id must agree in to be the same; notes and texts may be left out, and so
may the last: exported votes come without their histories."""


class LogBatches:
    """The rows of one import, written at the ends of their logs, each id once.

    Args:
        connection: within a write transaction.
        new: counts the rows that were written, by kind.
        unchanged: counts those that the study held already.
    """

    def __init__(
        self, connection: sqlite3.Connection, new: Counter[str], unchanged: Counter[str]
    ) -> None:
        self._connection = connection
        self._new = new
        self._unchanged = unchanged
        self._batches: dict[str, list[tuple[Where, dict[str, Any]]]] = {
            log: [] for log in chain.LOGS
        }

    def add(self, log: str, where: Where, row: dict[str, Any]) -> None:
        """Add a row, as :func:`db.chain.append` takes it, to those that wait.

        Raises:
            Conflict: if it, or one before it, contradicts what the study holds.
        """
        self._batches[log].append((where, row))
        if len(self._batches[log]) >= _BATCH:
            self._flush_log(log)

    def flush(self) -> None:
        """Write what waits.

        Raises:
            Conflict: as :meth:`add` does.
        """
        for log in chain.LOGS:
            self._flush_log(log)

    def _flush_log(self, log: str) -> None:
        waiting, self._batches[log] = self._batches[log], []
        if not waiting:
            return
        stored = self._stored(log, [row["id"] for _, row in waiting])
        fresh: list[dict[str, Any]] = []
        for where, row in waiting:
            meaning = _meaning(log, row)
            known = stored.setdefault(row["id"], meaning)
            if known is meaning:
                fresh.append(row)
            elif known[:-1] != meaning[:-1] or meaning[-1] not in (None, known[-1]):
                raise Conflict(
                    f"{where}: {log} {row['id']!r} is already in the study and says otherwise",
                    f"give this {log} an id of its own, or make the two agree",
                )
        try:
            chain.append(self._connection, log, fresh)
        except sqlite3.IntegrityError as error:
            raise self._refusal(log, waiting, error) from error
        self._check_superseded(log, waiting)
        self._new[log + "s"] += len(fresh)
        self._unchanged[log + "s"] += len(waiting) - len(fresh)

    def _stored(self, log: str, ids: list[str]) -> dict[str, tuple[Any, ...]]:
        rows = self._connection.execute(
            f"SELECT id, {', '.join(_MEANING[log])} FROM {log} "
            f"WHERE id IN ({', '.join('?' * len(ids))})",
            ids,
        )
        return {row[0]: tuple(row[1:]) for row in rows}

    def _check_superseded(self, log: str, waiting: list[tuple[Where, dict[str, Any]]]) -> None:
        """Refuse a row that takes the place of another's: of another item, or of another person."""
        same = " AND ".join(f"v.{column} = s.{column}" for column in _SAME[log])
        for where, row in waiting:
            if row["supersedes"] is None:
                continue
            if not self._connection.execute(
                f"SELECT {same} FROM {log} v JOIN {log} s ON s.id = v.supersedes WHERE v.id = ?",
                (row["id"],),
            ).fetchone()[0]:
                raise Conflict(
                    f"{where}: {log} {row['supersedes']!r}, which this one supersedes, is about "
                    "something else",
                    f"a {log} supersedes one on the same pair and turn, by the same hand",
                )

    def _refusal(
        self, log: str, waiting: list[tuple[Where, dict[str, Any]]], error: sqlite3.Error
    ) -> TiebreakError:
        """Say which line broke a rule of the log; found by its ``supersedes``, the one link."""
        for where, row in waiting:
            target = row["supersedes"]
            if target is not None:
                found = self._connection.execute(
                    f"SELECT (SELECT count(*) FROM {log} WHERE id = ?), "
                    f"(SELECT count(*) FROM {log} WHERE supersedes = ? AND id != ?)",
                    (target, target, row["id"]),
                ).fetchone()
                if found[0] == 0 or found[1] > 0:
                    problem = "is not in the study" if found[0] == 0 else "was superseded already"
                    return Conflict(
                        f"{where}: {log} {target!r}, which this one supersedes, {problem}",
                        "import the file that has it first, and each history once",
                    )
        return Conflict(f"{waiting[0][0]}: the {log}s from here on break a rule: {error}")


def _meaning(log: str, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column] for column in _MEANING[log])
