"""What a judge has yet to judge, found portion by portion in the order in which it is wanted.

First what failed, where it is to be tried again; then pairs that people voted on, as they vote;
then pairs that somebody has before them; then the queue; then all others. A frontier remembers
how far it has looked, so a study of a million pairs is gone through once in a run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.blinding import left_side
from db.texts import TURNS_OF_PAIR

if TYPE_CHECKING:
    import sqlite3

    from db.store import Store

Key = Callable[[str, int, int, int], str]
"""(pair's key, turn, left, repeat) → the id of the verdict."""

AGAIN, VOTED, OPEN, QUEUED, OTHER = range(5)
"""Ranks of jobs, the most wanted first."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One verdict that is wanted: what becomes a job."""

    key: str
    pair_id: int
    turn: int
    left: int
    repeat: int
    call: str
    rank: int
    supersedes: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What verdicts a run wants.

    Attributes:
        repeats: how often each question is put, from 1.
        orders: ``both``, or ``as-shown``: the orders that people voted on, and where nobody
            did the one that the study's seed gives.
        calls_by: ``pair``, or ``question`` where one call settles all pairs of a question: its
            answers in the models' order (left = 1) or in the reverse.
        retry_failed: once more what failed before, too.
    """

    repeats: int = 1
    orders: Literal["both", "as-shown"] = "both"
    calls_by: Literal["pair", "question"] = "pair"
    retry_failed: bool = False


def again(failure: str) -> str:
    """The id of the verdict that takes a failure's place."""
    return hashlib.sha256(f"{failure} again".encode()).hexdigest()[:32]


class Frontier:
    """How far one run has looked for what is left to judge.

    Args:
        key: names a verdict.
    """

    def __init__(self, store: Store, judge_id: int, scope: Scope, key: Key) -> None:
        self._store = store
        self._judge = judge_id
        self._scope = scope
        self._key = key
        self._per_turn = store.settings()["vote_per"] == "turn"
        self._vote = self._queued = self._pair = self._failure = 0
        with store.read() as connection:
            row = connection.execute("SELECT max(seq) FROM verdict").fetchone()
        # What fails from here on is this run's own failure, and is not tried again in it.
        self._last_failure = (row[0] or 0) if scope.retry_failed else 0

    def portions(self) -> Iterator[list[Wanted]]:
        """What is wanted, some hundred verdicts at a time, until nothing more is.

        Begin anew at any time: what was looked at is passed over, and votes cast meanwhile
        come first.
        """
        yield from self.failed()
        yield from self.voted()
        with self._store.read() as connection:
            rows = connection.execute(
                "SELECT DISTINCT pair_id FROM assignment WHERE state = 'open'"
            ).fetchall()
        for start in range(0, len(rows), self._chunk):
            yield self._lacking([row[0] for row in rows[start : start + self._chunk]], OPEN)
        while pairs := self._next("pair_id", "queue", self._queued):
            self._queued = pairs[-1]
            yield self._lacking(pairs, QUEUED)
        while pairs := self._next("id", "pair", self._pair):
            self._pair = pairs[-1]
            yield self._lacking(pairs, OTHER)

    def voted(self) -> Iterator[list[Wanted]]:
        """What is wanted on pairs that were voted on since this was asked last."""
        while True:
            with self._store.read() as connection:
                rows = connection.execute(
                    "SELECT seq, pair_id FROM vote WHERE seq > ? ORDER BY seq LIMIT ?",
                    (self._vote, self._chunk),
                ).fetchall()
            if not rows:
                return
            self._vote = rows[-1][0]
            yield self._lacking(list(dict.fromkeys(row[1] for row in rows)), VOTED)

    @property
    def _chunk(self) -> int:
        """Pairs looked at together: as many as make some hundred verdicts."""
        return max(1, 100 // self._scope.repeats)

    def _next(self, column: str, table: str, after: int) -> list[int]:
        with self._store.read() as connection:
            rows = connection.execute(
                f"SELECT {column} FROM {table} WHERE {column} > ? ORDER BY {column} LIMIT ?",
                (after, self._chunk),
            ).fetchall()
        return [row[0] for row in rows]

    def failed(self) -> Iterator[list[Wanted]]:
        """What failed before this run, to be tried again; nothing where that is not wanted."""
        while self._failure < self._last_failure:
            upto = self._failure + 2000
            with self._store.read() as connection:
                rows = connection.execute(
                    _FAILED, (self._failure, min(upto, self._last_failure), self._judge)
                ).fetchall()
            self._failure = upto
            yield [
                Wanted(key := again(failure), pair, turn, left, repeat, key, AGAIN, failure)
                for failure, pair, turn, left, repeat in rows
            ]

    def _lacking(self, pairs: Sequence[int], rank: int) -> list[Wanted]:
        """What has no verdict yet of these pairs, and of their questions' where those go along."""
        scope = self._scope
        query = _LACKING.format(among=_PAIRS if scope.calls_by == "pair" else _SIBLINGS)
        with self._store.read() as connection:
            rows = connection.execute(
                query,
                {
                    "pairs": json.dumps(pairs),
                    "per_turn": self._per_turn,
                    "repeats": scope.repeats,
                    "judge": self._judge,
                },
            ).fetchall()
            if scope.orders == "as-shown":
                shown = {pair: self._shown(connection, pair, key) for pair, key, *_ in rows}
                rows = [row for row in rows if row[4] in shown[row[0]]]
        wanted = []
        for pair_id, pair, question, turn, left, repeat in rows:
            key = self._key(pair, turn, left, repeat)
            call = key
            if scope.calls_by == "question":
                call = together(self._judge, question, turn, left, repeat)
            wanted.append(Wanted(key, pair_id, turn, left, repeat, call, rank))
        return wanted

    def _shown(self, connection: sqlite3.Connection, pair_id: int, key: str) -> set[int]:
        """The orders in which people saw a pair; else the one that the seed gives."""
        rows = connection.execute(
            "SELECT DISTINCT left FROM vote WHERE pair_id = ? AND left IS NOT NULL", (pair_id,)
        )
        return {row[0] for row in rows} or {left_side(self._store.seed, key, "")}


def together(judge: int, question: int, turn: int, left: int, repeat: int) -> str:
    """The name of the call that settles all pairs of a question in one order.

    Args:
        judge: its row.
        question: its row.
    """
    material = f"{judge} {question} {turn} {left} {repeat}"
    return "q" + hashlib.sha256(material.encode()).hexdigest()[:31]


def count_left(store: Store, judge: str, scope: Scope) -> int:
    """How many verdicts a judge has yet to give, about: it counts, and looks at no pair.

    It reads every pair, which takes a second for some hundred thousand.
    """
    per_turn = store.settings()["vote_per"] == "turn"
    orders = 2 if scope.orders == "both" else 1
    with store.read() as connection:
        turns, given = connection.execute(
            f"SELECT (SELECT sum(CASE WHEN ? THEN n ELSE min(n, 1) END) FROM "
            f"(SELECT {TURNS_OF_PAIR} AS n FROM pair p)), (SELECT count(*) FROM verdict v "
            "JOIN judge j ON j.id = v.judge_id WHERE j.name = ? AND v.repeat < ? "
            "AND v.supersedes IS NULL)",
            (per_turn, judge, scope.repeats),
        ).fetchone()
    return max(0, int(turns or 0) * orders * scope.repeats - int(given))


_PAIRS = "SELECT value FROM json_each(:pairs)"
_SIBLINGS = (
    "SELECT DISTINCT s.id FROM pair t JOIN pair s ON s.question_id = t.question_id "
    f"WHERE t.id IN ({_PAIRS})"
)

# A verdict that was imported without its orders says it all; nothing is asked beside it.
_LACKING = f"""
    WITH RECURSIVE turns AS (
        SELECT p.id AS pair_id, {TURNS_OF_PAIR} AS n FROM pair p WHERE p.id IN ({{among}})),
    turn (pair_id, turn, n) AS (
        SELECT pair_id, CASE WHEN :per_turn THEN 1 ELSE 0 END, n FROM turns WHERE n > 0
        UNION ALL
        SELECT pair_id, turn + 1, n FROM turn WHERE turn BETWEEN 1 AND n - 1),
    repeat (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM repeat WHERE n + 1 < :repeats)
    SELECT a.pair_id, p.key, p.question_id, a.turn, o.value, r.n
    FROM turn a JOIN pair p ON p.id = a.pair_id JOIN json_each('[1,2]') o JOIN repeat r
    WHERE NOT EXISTS (SELECT 1 FROM verdict v WHERE v.judge_id = :judge AND v.pair_id = a.pair_id
        AND v.turn = a.turn AND v.left = o.value AND v.repeat = r.n)
      AND NOT EXISTS (SELECT 1 FROM verdict v WHERE v.judge_id = :judge AND v.pair_id = a.pair_id
        AND v.turn = a.turn AND v.left IS NULL)
    ORDER BY r.n, a.pair_id, a.turn, o.value
"""

_FAILED = """
    SELECT v.id, v.pair_id, v.turn, v.left, v.repeat FROM verdict v
    WHERE v.seq > ? AND v.seq <= ? AND v.judge_id = ? AND v.status <> 'ok'
      AND v.left IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM verdict w WHERE w.supersedes = v.id)
    ORDER BY v.seq
"""
