"""What is behind a number about judges: verdicts in a line each, and the calls on their way."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from core.times import stamp
from db.judge_counts import KIND
from db.judge_left import together
from db.sights import UNSEEN, ranking_judges

if TYPE_CHECKING:
    from db.store import Store

_PORTION = 2000
"""Calls looked through at a time."""

_APART = 60.0
"""Seconds by which hosts' clocks may differ."""

_BEYOND = 5 * _PORTION
"""Calls looked through beyond the time that a verdict's own took: it may have waited."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A verdict that stands, in a line.

    Attributes:
        kind: its class of failure, or ``ok``.
        left: which model of the pair stood left; None where nobody recorded it.
        said: its label where there is one, else why there is none; None where it is hidden.
        pairs: how many pairs the same call was about, where a judge ranks all answers at once.
    """

    id: str
    at: str
    question: str
    turn: int
    left: int | None
    repeat: int
    kind: str
    attempts: int
    said: str | None
    judge: str
    pairs: int = 1


def last_verdicts(
    store: Store, judge: str | None, kind: str | None, most: int, *, hidden_from: str | None = None
) -> list[Listed]:
    """The verdicts that stand, the newest first; failures that one call left are one line.

    Args:
        judge: of this judge only.
        kind: ``ok``, a class of failure, or None for all failures.
        hidden_from: a lead who is not told what a verdict came to where they may rule blind.
    """
    only = "v.status = 'ok'" if kind == "ok" else "v.status <> 'ok'"
    found: list[Listed] = []
    places: dict[tuple[Any, ...], int] = {}
    with store.read() as connection:
        ranking = ranking_judges(connection) if kind != "ok" else set()
        rows = connection.execute(
            f"SELECT v.id, v.at, q.key, v.turn, v.left, v.repeat, {KIND.format('v')}, v.attempts, "
            "CASE WHEN v.status <> 'ok' THEN v.error "
            f"WHEN :hidden_from IS NOT NULL AND {UNSEEN} THEN NULL ELSE v.label END, j.name, "
            "v.judge_id, v.raw_hash "
            "FROM verdict v "
            "JOIN judge j ON j.id = v.judge_id JOIN pair p ON p.id = v.pair_id "
            f"JOIN question q ON q.id = p.question_id WHERE {only} "
            "AND (:judge IS NULL OR j.name = :judge) "
            f"AND (:kind IS NULL OR {KIND.format('v')} = :kind) "
            "AND NOT EXISTS (SELECT 1 FROM verdict w WHERE w.supersedes = v.id) "
            "ORDER BY v.seq DESC",
            {"judge": judge, "kind": kind, "hidden_from": hidden_from},
        )
        for *told, number, raw in rows:
            one = Listed(*told)
            if number in ranking:
                call = (number, raw, one.question, one.turn, one.left, one.repeat, one.said)
                if (at := places.get(call)) is not None:
                    found[at] = replace(found[at], pairs=found[at].pairs + 1)
                    continue
                places[call] = len(found)
            if len(found) == most:
                break
            found.append(one)
    return found


def failures_by_class(store: Store, judge: str | None) -> dict[str, int]:
    """How many failures of each class stand, the most frequent first.

    Args:
        judge: of this judge only.
    """
    with store.read() as connection:
        return dict(
            connection.execute(
                f"SELECT {KIND.format('v')}, count(*) FROM verdict v "
                "JOIN judge j ON j.id = v.judge_id WHERE v.status <> 'ok' "
                "AND (:judge IS NULL OR j.name = :judge) "
                "AND NOT EXISTS (SELECT 1 FROM verdict w WHERE w.supersedes = v.id) "
                "GROUP BY 1 ORDER BY 2 DESC, 1",
                {"judge": judge},
            ).fetchall()
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One call on the way to a verdict."""

    begun_at: str
    endpoint: str
    outcome: str
    detail: str
    latency: float | None


def calls_of(store: Store, verdict: str) -> list[Call]:
    """The calls that were made for a verdict, the oldest first; others' too that it came with.

    The log of calls has no index by what they are for, which each call would pay for. The call
    that gave the verdict began before it by as long as it took, so that it is looked for from
    there back; calls that failed before may be days older, and are among those listed as failed.
    A verdict may count calls that are in no log here: those of a batch, or of another host.
    """
    with store.read() as connection:
        row = connection.execute(
            "SELECT v.at, coalesce(v.latency, 0), v.attempts, "
            "v.left IS NOT NULL AND v.supersedes IS NULL, v.judge_id, "
            "p.question_id, v.turn, v.left, v.repeat FROM verdict v "
            "JOIN pair p ON p.id = v.pair_id WHERE v.id = ?",
            (verdict,),
        ).fetchone()
        if row is None or row[2] == 0:
            return []
        at, latency, wanted, is_first, judge, *place = row
        names = (verdict, together(judge, *place) if is_first else verdict)
        last = _last_begun(connection, at, _APART)
        least = max(0, _last_begun(connection, at, -latency - _APART) - _BEYOND)
        found: list[Any] = []
        while last > least and len(found) < wanted:
            first = max(least, last - _PORTION)
            portion = connection.execute(
                f"{_CALL} WHERE id > ? AND id <= ? AND call IN (?, ?) ORDER BY id",
                (first, last, *names),
            ).fetchall()
            found, last = portion + found, first
        if len(found) < wanted:
            failed = connection.execute(
                f"{_CALL} INDEXED BY attempt_failed WHERE judge_id = ? AND outcome <> 'ok' "
                "AND id <= ? AND call IN (?, ?) ORDER BY id",
                (judge, last, *names),
            ).fetchall()
            found = failed + found
    return [Call(*row) for row in found]


_CALL = "SELECT begun_at, endpoint, coalesce(outcome, ''), detail, latency FROM attempt"


def _last_begun(connection: sqlite3.Connection, at: str, seconds: float) -> int:
    """The row of the last call that began so long after a moment at the latest."""
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()
    try:
        upto = stamp(datetime.fromisoformat(at) + timedelta(seconds=seconds))
    except (ValueError, OverflowError):  # an imported verdict may say anything, or nothing
        return int(last)
    first = 0
    while first < last:  # rows are numbered as calls begin
        middle = (first + last + 1) // 2
        row = connection.execute("SELECT begun_at FROM attempt WHERE id = ?", (middle,)).fetchone()
        if row is None or row[0] <= upto:
            first = middle
        else:
            last = middle - 1
    return int(first)


def successor(store: Store, verdict: str) -> str | None:
    """The id of the verdict that took this one's place, if any did."""
    with store.read() as connection:
        row = connection.execute(
            "SELECT id FROM verdict WHERE supersedes = ?", (verdict,)
        ).fetchone()
    return None if row is None else str(row[0])
