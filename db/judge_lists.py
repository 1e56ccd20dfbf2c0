"""What is behind a number about judges: verdicts in a line each, and the calls on their way."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from core.times import stamp
from db.judge_counts import KIND
from db.judge_left import together

if TYPE_CHECKING:
    from db.store import Store

_PORTION = 2000
"""Calls looked through at a time."""

_APART = 60.0
"""Seconds by which hosts' clocks may differ."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A verdict that stands, in a line.

    Attributes:
        kind: its class of failure, or ``ok``.
        left: which model of the pair stood left; None where nobody recorded it.
        said: its label where there is one, else why there is none.
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
    said: str
    pairs: int = 1


def last_verdicts(store: Store, judge: str | None, kind: str | None, most: int) -> list[Listed]:
    """The verdicts that stand, the newest first; failures that one call left are one line.

    Args:
        judge: of this judge only.
        kind: ``ok``, a class of failure, or None for all failures.
    """
    only = "v.status = 'ok'" if kind == "ok" else "v.status <> 'ok'"
    found: list[Listed] = []
    places: dict[tuple[Any, ...], int] = {}
    with store.read() as connection:
        ranking = _ranking_judges(connection) if kind != "ok" else set()
        rows = connection.execute(
            f"SELECT v.id, v.at, q.key, v.turn, v.left, v.repeat, {KIND.format('v')}, v.attempts, "
            "CASE WHEN v.status = 'ok' THEN v.label ELSE v.error END, v.judge_id, v.raw_hash "
            "FROM verdict v "
            "JOIN judge j ON j.id = v.judge_id JOIN pair p ON p.id = v.pair_id "
            f"JOIN question q ON q.id = p.question_id WHERE {only} "
            "AND (:judge IS NULL OR j.name = :judge) "
            f"AND (:kind IS NULL OR {KIND.format('v')} = :kind) "
            "AND NOT EXISTS (SELECT 1 FROM verdict w WHERE w.supersedes = v.id) "
            "ORDER BY v.seq DESC",
            {"judge": judge, "kind": kind},
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


def _ranking_judges(connection: sqlite3.Connection) -> set[int]:
    """The judges one call of which settles all pairs of a question."""
    kept = connection.execute(
        "SELECT p.judge_id FROM judge_prompt p JOIN text t ON t.hash = p.text_hash "
        "WHERE t.body ->> '$.variants[0].form' = 'list' "
        # Those without wording of their own have one of those that come with Tiebreak.
        "UNION SELECT id FROM judge WHERE prompt = 'ranking' OR prompt LIKE 'ranking %'"
    )
    return {judge for (judge,) in kept}


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

    The log of calls has no index by what they are for, which each call would pay for. They began
    before the verdict was given, mostly just before, so they are looked for from there back until
    there are as many as the verdict counts.
    """
    with store.read() as connection:
        row = connection.execute(
            "SELECT v.at, v.attempts, v.left IS NOT NULL AND v.supersedes IS NULL, v.judge_id, "
            "p.question_id, v.turn, v.left, v.repeat FROM verdict v "
            "JOIN pair p ON p.id = v.pair_id WHERE v.id = ?",
            (verdict,),
        ).fetchone()
        if row is None:
            at, wanted, names = "", 0, (verdict, verdict)
        else:
            at, wanted, is_first, *place = row
            names = (verdict, together(*place) if is_first else verdict)
        last = _last_begun(connection, at)
        found: list[Any] = []
        while last > 0 and not 0 < wanted <= len(found):
            portion = connection.execute(
                "SELECT begun_at, endpoint, coalesce(outcome, ''), detail, latency FROM attempt "
                "WHERE id BETWEEN ? AND ? AND call IN (?, ?) ORDER BY id",
                (last - _PORTION + 1, last, *names),
            ).fetchall()
            found = portion + found
            last -= _PORTION
    return [Call(*row) for row in found]


def _last_begun(connection: sqlite3.Connection, at: str) -> int:
    """The row of the last call that began some seconds after a moment at the latest."""
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()
    try:
        upto = stamp(datetime.fromisoformat(at) + timedelta(seconds=_APART))
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
