"""What the verdict log says of each judge, counted as it grows, at a cost that stays the same.

Catching up reads the verdicts that were recorded since the last time, and nothing of those before
them but what the new ones replace or complete.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.records import Choice, Combined, combine
from core.times import stamp

MINUTE = 60.0
"""Seconds that the present rate is taken over."""

_RECENT = 500
"""Verdicts that latencies are taken from, for each judge."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The last failure of a judge.

    Attributes:
        id: the verdict's.
        kind: its class, as :attr:`Told.failures` counts it.
    """

    id: str
    kind: str
    error: str
    at: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the verdict log says of one judge.

    Attributes:
        ok: verdicts with a choice that stand.
        failures: class of failure → how many stand, the most frequent first. The class is the
            verdict's ``failure``, or its status where that is empty.
        superseded: verdicts that another one took the place of.
        answered: orders of pairs and turns on which the judge said anything, repeats left out.
        per_second: verdicts recorded a second, over the last minute or since ``since`` if that is
            shorter; None where nobody is at work and nothing came in that minute.
        overall: verdicts recorded a second since the oldest worker that is at work began.
        median: of the latency of recent verdicts, in seconds; ``p95`` its 95th percentile.
        cost: of all verdicts, those that stand no more included.
        orders: how many pairs and turns are judged in both orders, by what the two say together:
            ``consistent``, ``flip`` and ``half_flip``.
    """

    ok: int
    failures: Mapping[str, int]
    superseded: int
    answered: int
    per_second: float | None
    overall: float | None
    median: float | None
    p95: float | None
    tokens_in: int
    tokens_out: int
    cost: float
    orders: Mapping[Combined, int]
    last_failure: Failed | None

    @property
    def failed(self) -> int:
        """Failures that stand."""
        return sum(self.failures.values())


class Pace:
    """How many verdicts came in each second, as far back as somebody wants to know."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, int]] = deque()
        self._total = 0
        self._forgotten = float("-inf")

    def add(self, second: int, count: int) -> None:
        """Count verdicts; seconds come in no strict order, since several processes record."""
        self._seconds.append((second, count))
        self._total += count

    def forget(self, before: float) -> None:
        """Forget what came before a second."""
        self._forgotten = before
        while self._seconds and self._seconds[0][0] < before:
            self._total -= self._seconds.popleft()[1]

    def since(self, moment: float) -> int:
        """How many came from a second on; at most from the last one that was not forgotten."""
        if moment <= self._forgotten:
            return self._total
        count = 0
        for second, number in reversed(self._seconds):
            # Verdicts of several processes are at most some seconds out of order.
            if second < moment - MINUTE:
                break
            count += number if second >= moment else 0
        return count


@dataclass(slots=True)
class _Judge:
    """What was counted of one judge until now."""

    standing: Counter[tuple[bool, str]] = field(default_factory=Counter)
    superseded: int = 0
    answered: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    orders: Counter[Combined] = field(default_factory=Counter)
    pace: Pace = field(default_factory=Pace)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))
    last_failure: Failed | None = None


class VerdictCounts:
    """Counts a study's verdicts by judge, each once.

    Attributes:
        seq: the last row of the log that is counted.
    """

    def __init__(self) -> None:
        self.seq = 0
        self._judges: dict[int, _Judge] = {}

    def catch_up(self, connection: sqlite3.Connection, since: float) -> None:
        """Count what is new in the log.

        Args:
            connection: within a read transaction.
            since: the oldest moment, in seconds since 1970, whose pace anybody asks for.
        """
        last = int(connection.execute("SELECT coalesce(max(seq), 0) FROM verdict").fetchone()[0])
        for judge in self._judges.values():
            judge.pace.forget(since)
        if last == self.seq:
            return
        new = {"low": self.seq, "high": last}
        self._count(connection, new)
        self._combine(connection, new)
        self._time(connection, new, since)
        self.seq = last

    def _of(self, number: int) -> _Judge:
        return self._judges.setdefault(number, _Judge())

    def _count(self, connection: sqlite3.Connection, new: Mapping[str, int]) -> None:
        for number, is_ok, kind, count, answered, tokens_in, tokens_out, cost in connection.execute(
            _NEW, new
        ):
            judge = self._of(number)
            judge.standing[bool(is_ok), kind] += count
            judge.answered += answered
            judge.tokens_in += tokens_in
            judge.tokens_out += tokens_out
            judge.cost += cost
        for number, is_ok, kind, count in connection.execute(_REPLACED, new):
            judge = self._of(number)
            judge.standing[bool(is_ok), kind] -= count
            judge.superseded += count
        for number, seq in connection.execute(_FAILED, new).fetchall():
            row = connection.execute(
                f"SELECT id, {KIND.format('v')}, error, at FROM verdict v WHERE seq = ?", (seq,)
            ).fetchone()
            self._of(number).last_failure = Failed(*row)

    def _combine(self, connection: sqlite3.Connection, new: Mapping[str, int]) -> None:
        """Count what both orders say together, where either of them is new."""
        moments = [("high", 1)]
        if new["low"]:
            moments.append(("low", -1))
        for moment, sign in moments:
            for number, first, second, count in connection.execute(
                _ORDERS.format(moment=moment), new
            ):
                kind, _ = combine(Choice(first), Choice(second))
                self._of(number).orders[kind] += sign * count

    def _time(self, connection: sqlite3.Connection, new: Mapping[str, int], since: float) -> None:
        after = stamp(datetime.fromtimestamp(since, UTC))
        for number, second, count in connection.execute(_SECONDS, {**new, "since": after}):
            moment = _moment(second)
            if moment is not None:
                self._of(number).pace.add(int(moment), count)
        for number, latency in connection.execute(_LATENCIES, {**new, "most": _RECENT}):
            self._of(number).latencies.append(latency)

    def told(self, number: int, now: datetime, began: float | None) -> Told:
        """What is known of one judge.

        Args:
            number: its row.
            began: when the oldest worker that is at work began, in seconds since 1970.
        """
        judge = self._judges.get(number) or _Judge()
        failures = {
            kind: count
            for (is_ok, kind), count in judge.standing.most_common()
            if count and not is_ok
        }
        per_second, overall = _rates(judge.pace, now.timestamp(), began)
        latencies = sorted(judge.latencies)
        return Told(
            ok=sum(count for (is_ok, _), count in judge.standing.items() if is_ok),
            failures=failures,
            superseded=judge.superseded,
            answered=judge.answered,
            per_second=per_second,
            overall=overall,
            median=quantile(latencies, 0.5),
            p95=quantile(latencies, 0.95),
            tokens_in=judge.tokens_in,
            tokens_out=judge.tokens_out,
            cost=judge.cost,
            orders={kind: judge.orders[kind] for kind in TOGETHER},
            last_failure=judge.last_failure,
        )


TOGETHER = (Combined.CONSISTENT, Combined.FLIP, Combined.HALF_FLIP)
"""What two verdicts on one pair and turn, one in each order, can say together."""


def _rates(pace: Pace, now: float, began: float | None) -> tuple[float | None, float | None]:
    """Verdicts a second over the last minute, and since somebody at work began."""
    recent = pace.since(now - MINUTE)
    if began is None:
        return (recent / MINUTE if recent else None), None
    elapsed = max(1.0, now - began)
    overall = pace.since(began) / elapsed
    return (overall if elapsed < MINUTE else recent / MINUTE), overall


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank quantile of sorted values; None where there are none."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _moment(at: str) -> float | None:
    """Seconds since 1970; None for what is no time, which an import may bring."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC).timestamp()


KIND = "CASE WHEN {0}.status = 'ok' THEN 'ok' ELSE coalesce({0}.failure, {0}.status) END"
"""SQL: the class of a verdict, ``ok`` or what failed; the verdict's table is filled in."""

_IN_NEW = "{0}.seq > :low AND {0}.seq <= :high"

# A verdict that was imported without its order answers both.
_NEW = f"""
    SELECT v.judge_id, v.status = 'ok', {KIND.format("v")}, count(*),
           sum(CASE WHEN v.repeat > 0 OR v.supersedes IS NOT NULL THEN 0
                    WHEN v.left IS NULL THEN 2 ELSE 1 END),
           coalesce(sum(v.tokens_in), 0), coalesce(sum(v.tokens_out), 0),
           coalesce(sum(v.cost), 0.0)
    FROM verdict v WHERE {_IN_NEW.format("v")} GROUP BY 1, 2, 3
"""
_REPLACED = f"""
    SELECT w.judge_id, w.status = 'ok', {KIND.format("w")}, count(*)
    FROM verdict v JOIN verdict w ON w.id = v.supersedes
    WHERE {_IN_NEW.format("v")} GROUP BY 1, 2, 3
"""
_FAILED = f"""
    SELECT v.judge_id, max(v.seq) FROM verdict v
    WHERE {_IN_NEW.format("v")} AND v.status <> 'ok' GROUP BY 1
"""
_SECONDS = f"""
    SELECT v.judge_id, substr(v.at, 1, 19), count(*) FROM verdict v
    WHERE {_IN_NEW.format("v")} AND v.source_id IS NULL AND v.at >= :since
    GROUP BY 1, 2 ORDER BY 2
"""
_LATENCIES = f"""
    SELECT judge_id, latency FROM (
        SELECT v.judge_id, v.latency, v.seq,
               row_number() OVER (PARTITION BY v.judge_id ORDER BY v.seq DESC) AS place
        FROM verdict v WHERE {_IN_NEW.format("v")} AND v.latency IS NOT NULL)
    WHERE place <= :most ORDER BY seq
"""

# As the log stood at a row: {moment} is low or high. Only what the new rows are about is looked at.
_STOOD = (
    "{0}.status = 'ok' AND {0}.seq <= :{{moment}} AND NOT EXISTS (SELECT 1 FROM verdict w "
    "WHERE w.supersedes = {0}.id AND w.seq <= :{{moment}})"
)
_CELL = (
    "{0}.judge_id = c.judge_id AND {0}.pair_id = c.pair_id AND {0}.turn = c.turn "
    "AND {0}.left = {1} AND {0}.repeat = 0"
)
_ORDERS = f"""
    WITH c AS MATERIALIZED (
        SELECT DISTINCT v.judge_id, v.pair_id, v.turn FROM verdict v
        WHERE {_IN_NEW.format("v")} AND v.left IS NOT NULL AND v.repeat = 0)
    SELECT c.judge_id, a.choice, b.choice, count(*)
    FROM c CROSS JOIN verdict a CROSS JOIN verdict b
    WHERE {_CELL.format("a", 1)} AND {_STOOD.format("a")}
      AND {_CELL.format("b", 2)} AND {_STOOD.format("b")}
    GROUP BY 1, 2, 3
"""
