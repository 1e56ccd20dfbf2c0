"""What a lead sees of the judges: what is done, what waits, who works on it, and what failed.

A look costs what is new in the verdict log, see :mod:`db.judge_counts`, and what the queue holds
now. What grows with the study is counted anew only as often as its cost allows.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from core.times import stamp
from db.judge_control import Control, Worker, calls_under_way, read_control
from db.judge_counts import MINUTE, Told, VerdictCounts
from db.judge_left import Scope
from db.judge_queue import JudgeQueue
from db.processes import is_gone
from db.texts import TURNS_OF_PAIR

if TYPE_CHECKING:
    from db.store import Store

ALIVE = 30.0
"""Seconds after which a worker of another host that was not seen is taken for gone."""

_REST = 20
"""Pairs are counted anew only after so many times what the last count took."""

_LAST_CALLS = 500
"""Calls from which is told how each address is doing."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that a judge is reached at.

    Attributes:
        under_way: calls that were sent there and have no outcome yet.
        outcomes: of the study's last calls those that went there, by outcome.
        failing: how many calls to it failed, one after another, until now.
        found: what the last check said of the server.
    """

    address: str
    checked_at: str
    found: Mapping[str, object]
    under_way: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    failing: int = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """One judge as a lead sees it.

    Attributes:
        waiting: jobs in the queue that nobody holds; ``leased``: those that a worker holds.
        todo: orders of pairs and turns that are neither judged nor in the queue.
        workers: those that are alive.
    """

    name: str
    kind: str
    model: str
    prompt: str
    told: Told
    control: Control
    todo: int
    waiting: int
    leased: int
    workers: tuple[Worker, ...]
    endpoints: tuple[Endpoint, ...]

    @property
    def left(self) -> int:
        """What is still to be judged, whether it is in the queue or not."""
        return self.todo + self.waiting + self.leased

    @property
    def state(self) -> str:
        """What the judge is doing, in a word or two."""
        if self.kind == "imported":
            return "imported"
        if self.control.paused:
            return "paused"
        if self.workers:
            return "at work" if self.left else "waiting"
        if not self.left:
            return "done"
        return "stopped" if self.control.note else "idle"

    @property
    def seconds_left(self) -> float | None:
        """Until all is judged, if it goes on as in the last minute; None where nobody can tell."""
        if not self.workers or self.control.paused or not self.told.per_second:
            return None
        return self.left / self.told.per_second

    @property
    def cost_left(self) -> float | None:
        """What may still be spent, calls under way taken as spent; None without a limit."""
        control = self.control
        if control.budget_cost is None:
            return None
        return max(0.0, control.budget_cost - control.spent_cost - control.held_cost)

    @property
    def tokens_left(self) -> int | None:
        """The same in tokens."""
        control = self.control
        if control.budget_tokens is None:
            return None
        return max(0, control.budget_tokens - control.spent_tokens - control.held_tokens)


@dataclass(frozen=True, slots=True)
class Watch:
    """Every judge of a study, as of one moment, in the order in which they were added."""

    judges: tuple[Watched, ...]
    at: datetime

    @property
    def is_busy(self) -> bool:
        """Whether anybody works on anything."""
        return any(judge.workers for judge in self.judges)


class JudgeFeed:
    """Follows the judges of one study."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._counts = VerdictCounts()
        self._wanted = 0
        self._wanted_of: int | None = None
        self._next_count = 0.0
        self._seen_version: int | None = None

    def stale(self) -> bool:
        """Whether anything was committed since the last look."""
        return self.store.data_version() != self._seen_version

    def look(self) -> Watch:
        """The judges as they are now: reads what is new since the last time."""
        self._seen_version = self.store.data_version()
        per_turn = self.store.settings()["vote_per"] == "turn"
        now = self.store.clock()
        with self.store.read() as connection:
            workers = _workers(connection, now)
            began = {judge: min(map(_started, alive)) for judge, alive in workers.items() if alive}
            self._counts.catch_up(connection, min([now.timestamp() - MINUTE, *began.values()]))
            self._count_wanted(connection, per_turn=per_turn)
            jobs = _jobs(connection)
            endpoints = _endpoints(connection)
            judges = tuple(
                self._watched(
                    connection, row, workers[row[0]], jobs[row[0]], endpoints[row[0]], now
                )
                for row in connection.execute(
                    "SELECT id, name, kind, model, prompt FROM judge ORDER BY id"
                ).fetchall()
            )
        return Watch(judges, now)

    def _watched(
        self,
        connection: sqlite3.Connection,
        row: tuple[int, str, str, str, str],
        workers: list[Worker],
        jobs: Counter[str],
        endpoints: list[Endpoint],
        now: datetime,
    ) -> Watched:
        number, name, kind, model, prompt = row
        began = min(map(_started, workers)) if workers else None
        told = self._counts.told(number, now, began)
        waiting, leased = jobs["waiting"], jobs["leased"]
        todo = 0
        if kind != "imported":
            todo = max(
                0, self._wanted - told.answered - jobs["first waiting"] - jobs["first leased"]
            )
        return Watched(
            name,
            kind,
            model,
            prompt,
            told,
            read_control(connection, number),
            todo,
            waiting,
            leased,
            tuple(workers),
            tuple(endpoints),
        )

    def _count_wanted(self, connection: sqlite3.Connection, *, per_turn: bool) -> None:
        """Count what each judge is to judge: every turn of every pair with texts, both orders."""
        if self._wanted_of == self._seen_version or time.monotonic() < self._next_count:
            return
        began = time.monotonic()
        turns = f"sum({TURNS_OF_PAIR})" if per_turn else f"count(nullif({TURNS_OF_PAIR}, 0))"
        (count,) = connection.execute(f"SELECT coalesce({turns}, 0) FROM pair p").fetchone()
        self._wanted = 2 * count
        self._wanted_of = self._seen_version
        ended = time.monotonic()
        self._next_count = ended + _REST * (ended - began)


def _workers(connection: sqlite3.Connection, now: datetime) -> defaultdict[int, list[Worker]]:
    """The workers that are alive, by judge, the oldest first."""
    found: defaultdict[int, list[Worker]] = defaultdict(list)
    for judge, *row in connection.execute(
        "SELECT judge_id, owner, pid, host, started_at, seen_at, ended_at, window, under_way, "
        "verdicts, note FROM judge_worker WHERE ended_at IS NULL AND seen_at >= ? "
        "ORDER BY started_at, owner",
        (stamp(now - timedelta(seconds=ALIVE)),),
    ):
        worker = Worker(*row)
        if not is_gone(worker.owner):
            found[judge].append(worker)
    return found


def _started(worker: Worker) -> float:
    return datetime.fromisoformat(worker.started_at).astimezone(UTC).timestamp()


def _jobs(connection: sqlite3.Connection) -> defaultdict[int, Counter[str]]:
    """Jobs in the queue by judge and state; ``first`` ones are on what has no verdict yet.

    What a process held that died on this host waits: the next one takes it at once.
    """
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for judge, owner, is_first, count in connection.execute(
        "SELECT judge_id, owner, repeat = 0 AND supersedes IS NULL, count(*) FROM job "
        "GROUP BY 1, 2, 3"
    ):
        state = "waiting" if owner is None or is_gone(owner) else "leased"
        found[judge][state] += count
        if is_first:
            found[judge][f"first {state}"] += count
    return found


def _endpoints(connection: sqlite3.Connection) -> defaultdict[int, list[Endpoint]]:
    """The addresses in use by judge, and how each is doing by the last calls."""
    outcomes: defaultdict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    failing: Counter[tuple[int, str]] = Counter()
    answered = set()
    for judge, address, outcome in connection.execute(
        "SELECT judge_id, endpoint, outcome FROM attempt ORDER BY id DESC LIMIT ?", (_LAST_CALLS,)
    ):
        place = (judge, address)
        if outcome is None:
            continue
        outcomes[place][outcome] += 1
        if outcome == "ok":
            answered.add(place)
        elif place not in answered:
            failing[place] += 1
    under_way = {
        (judge, address): count
        for (judge,) in connection.execute("SELECT id FROM judge").fetchall()
        for address, count in calls_under_way(connection, judge).items()
    }
    found: defaultdict[int, list[Endpoint]] = defaultdict(list)
    for judge, address, checked_at, known in connection.execute(
        "SELECT judge_id, address, checked_at, found FROM endpoint WHERE removed_at IS NULL "
        # What was added before a judge could have several addresses, or is imported, has its own.
        "UNION ALL SELECT id, endpoint, NULL, NULL FROM judge j WHERE endpoint <> '' "
        "AND NOT EXISTS (SELECT 1 FROM endpoint e WHERE e.judge_id = j.id) ORDER BY 1, 2"
    ):
        place = (judge, address)
        found[judge].append(
            Endpoint(
                address,
                checked_at or "",
                json.loads(known or "{}"),
                under_way.get(place, 0),
                dict(outcomes[place].most_common()),
                failing[place],
            )
        )
    return found


def queue_failed(store: Store, judge: str) -> int:
    """Put all that a judge failed on in its queue once more; how many jobs that makes.

    Raises:
        TiebreakError: if there is no such judge.
    """
    queue = JudgeQueue(store, judge, "")
    # What is to replace a failure is named after it, so nothing has to be named here.
    frontier = queue.frontier(Scope(retry_failed=True), lambda *_: "")
    return sum(map(queue.fill, frontier.failed()))
