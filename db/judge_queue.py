"""A judge's queue: any number of processes share it, and each verdict is recorded once.

A job is leased, its call is written down as an attempt before it is sent, and its verdict, the
attempt's end and the job's leaving are one transaction. What a process held when it died is
leased anew. So a call may be made twice, but nothing is recorded twice: a verdict is named by
what was asked.

All that a worker has to write goes into one short transaction at a time, see
:meth:`JudgeQueue.turn`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from core.times import stamp
from db.judge_control import Control, judge_row, read_control
from db.judge_left import Frontier, Key, Scope, Wanted
from db.judge_work import GONE, NO_ROOM, Begin, End, Job, Turned, Work
from db.judging import Asked, asked_of, write_verdicts
from db.leases import LEASE, Silence
from db.processes import is_gone

if TYPE_CHECKING:
    from db.store import Store


class JudgeQueue:
    """One judge's queue as one worker sees it. Use it in the thread that opened the store.

    Args:
        owner: the worker, see :func:`process_name`.
        lease: seconds that a lease lasts; :meth:`beat` renews it.
        silence: decides whose lapsed leases may be given to others; without it all may.

    Raises:
        TiebreakError: if there is no such judge.
    """

    def __init__(
        self,
        store: Store,
        judge: str,
        owner: str,
        *,
        lease: float = LEASE,
        silence: Silence | None = None,
    ) -> None:
        self.store = store
        self.judge = judge
        self.owner = owner
        self.lease = lease
        self._silence = silence
        with store.read() as connection:
            self._judge = judge_row(connection, judge)

    # ── the worker ──────────────────────────────────────────────────────────

    def control(self) -> Control:
        """How the work is to go on."""
        with self.store.read() as connection:
            return read_control(connection, self._judge)

    def enter(self) -> None:
        """Say that this worker is there, before it leases anything."""
        now = self.store.now()
        _, pid, _, _ = self.owner.rsplit("/", 3)
        with self.store.write() as connection:
            connection.execute(
                "INSERT INTO judge_worker (owner, judge_id, pid, host, started_at, seen_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (self.owner, self._judge, int(pid), self.owner.rsplit("/", 3)[0], now, now),
            )
            # Why the work stopped before is no longer so.
            connection.execute(
                "INSERT INTO judge_control (judge_id) VALUES (?) "
                "ON CONFLICT DO UPDATE SET note = ''",
                (self._judge,),
            )

    def beat(self, *, window: int, under_way: int, verdicts: int) -> Control:
        """Say that this worker goes on, renew its leases, and return what others let lapse."""
        with self.store.write() as connection:
            connection.execute(
                "UPDATE judge_worker SET seen_at = ?, window = ?, under_way = ?, verdicts = ? "
                "WHERE owner = ?",
                (self.store.now(), window, under_way, verdicts, self.owner),
            )
            connection.execute(
                "UPDATE job SET lease_until = ? WHERE owner = ?", (self._after(), self.owner)
            )
            self._return_lapsed(connection)
            return read_control(connection, self._judge)

    def leave(self, note: str = "") -> None:
        """Give back all that this worker holds, and say that it ended.

        Args:
            note: why, where it was not for want of work.
        """
        with self.store.write() as connection:
            self._return(connection, self.owner)
            connection.execute(
                "UPDATE judge_worker SET ended_at = ?, under_way = 0, note = ? WHERE owner = ?",
                (self.store.now(), note, self.owner),
            )
            if note:
                connection.execute(
                    "UPDATE judge_control SET note = ? WHERE judge_id = ?", (note, self._judge)
                )
            else:  # another may have stopped; where nothing is left that is of no concern
                connection.execute(
                    "UPDATE judge_control SET note = '' WHERE judge_id = ?1 "
                    "AND NOT EXISTS (SELECT 1 FROM job WHERE judge_id = ?1)",
                    (self._judge,),
                )

    def return_lost(self, gone: Callable[[str], bool] = is_gone) -> int:
        """Take back the jobs of workers that died on this host; how many jobs."""
        with self.store.read() as connection:
            rows = connection.execute(
                "SELECT owner FROM judge_worker WHERE judge_id = ? AND ended_at IS NULL",
                (self._judge,),
            ).fetchall()
        lost = [owner for (owner,) in rows if owner != self.owner and gone(owner)]
        if not lost:
            return 0
        with self.store.write() as connection:
            count = 0
            for owner in lost:
                count += self._return(connection, owner)
                connection.execute(
                    "UPDATE judge_worker SET ended_at = seen_at, under_way = 0, note = 'died' "
                    "WHERE owner = ? AND ended_at IS NULL",
                    (owner,),
                )
        return count

    # ── the jobs ────────────────────────────────────────────────────────────

    def frontier(self, scope: Scope, key: Key) -> Frontier:
        """What is left to judge, for :meth:`fill`."""
        return Frontier(self.store, self._judge, scope, key)

    def fill(self, wanted: Sequence[Wanted]) -> int:
        """Put jobs into the queue; how many are new or come sooner now.

        What has its verdict is passed over.
        """
        if not wanted:
            return 0
        with self.store.write() as connection:
            before = connection.total_changes
            connection.executemany(
                "INSERT INTO job "
                "(key, judge_id, pair_id, turn, left, repeat, call, rank, supersedes) "
                "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 "
                "WHERE NOT EXISTS (SELECT 1 FROM verdict WHERE id = ?1) "
                # Somebody voted on it meanwhile: it comes sooner.
                "ON CONFLICT (key) DO UPDATE SET rank = excluded.rank WHERE excluded.rank < rank",
                [
                    (
                        w.key,
                        self._judge,
                        w.pair_id,
                        w.turn,
                        w.left,
                        w.repeat,
                        w.call,
                        w.rank,
                        w.supersedes,
                    )
                    for w in wanted
                ],
            )
            return connection.total_changes - before

    def asked(self, jobs: Sequence[Job]) -> list[Asked]:
        """What each job asks, texts included."""
        with self.store.read() as connection:
            return asked_of(connection, [(job.pair_id, job.turn, job.left) for job in jobs])

    def counts(self) -> tuple[int, int]:
        """Jobs that wait, and jobs that a worker holds, this one's too."""
        with self.store.read() as connection:
            row = connection.execute(
                "SELECT count(*) FILTER (WHERE state = 'waiting'), "
                "count(*) FILTER (WHERE state = 'leased') FROM job WHERE judge_id = ?",
                (self._judge,),
            ).fetchone()
        return int(row[0]), int(row[1])

    def turn(self, work: Work) -> Turned:
        """Write down all of a worker's work, and hand it more, in one transaction.

        Keep it to some dozens of verdicts: people vote between two of these.

        Raises:
            StudyUnavailable: if it cannot be written; then nothing of it is.
        """
        with self.store.write() as connection:
            recorded = write_verdicts(connection, work.verdicts)
            if work.verdicts:
                connection.execute(
                    "DELETE FROM job WHERE key IN (SELECT value FROM json_each(?))",
                    (json.dumps([verdict.id for verdict in work.verdicts]),),
                )
            control = read_control(connection, self._judge, held=False)
            self._end(connection, work.ends, control)
            for job, wait in work.returned:
                connection.execute(
                    "UPDATE job SET state = 'waiting', owner = NULL, lease_until = NULL, "
                    "not_before = ? WHERE id = ? AND owner = ?",
                    (self._after(wait) if wait else "", job, self.owner),
                )
            control = read_control(connection, self._judge, held=bool(work.begins))
            begun = [] if control.paused else self._begin(connection, work.begins, control)
            leased = [] if control.paused else self._lease(connection, work.want)
        return Turned(recorded, begun or [NO_ROOM] * len(work.begins), leased, control)

    # ── within a transaction ────────────────────────────────────────────────

    def _begin(
        self, connection: sqlite3.Connection, begins: Iterable[Begin], control: Control
    ) -> list[int]:
        begins = list(begins)
        if not begins:
            return []
        jobs = json.dumps([job for one in begins for job in one.jobs])
        held = {
            row[0]
            for row in connection.execute(
                "SELECT id FROM job WHERE owner = ? AND id IN (SELECT value FROM json_each(?))",
                (self.owner, jobs),
            )
        }
        cost = control.spent_cost + control.held_cost
        tokens = control.spent_tokens + control.held_tokens
        last = connection.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()[0]
        now, begun, rows = self.store.now(), [], []
        for one in begins:
            may_cost = control.cost(one.tokens_in, one.tokens_out)
            then = (cost + (may_cost or 0.0), tokens + (one.tokens_in or 0) + (one.tokens_out or 0))
            if not control.may_use(*then, is_known=one.tokens_in is not None, cost=may_cost):
                begun.append(NO_ROOM)  # what might exceed the budget is not sent
                continue
            if not held.intersection(one.jobs):
                begun.append(GONE)
                continue
            cost, tokens = then
            last += 1
            begun.append(last)
            told = (one.call, one.endpoint, one.requests, one.tokens_in, one.tokens_out)
            rows.append([last, *told, may_cost, one.jobs])
        connection.execute(_BEGIN, (self._judge, self.owner, now, json.dumps(rows)))
        connection.execute(
            "UPDATE job SET attempts = attempts + 1, lease_until = ?1 WHERE owner = ?2 AND id IN "
            "(SELECT j.value FROM json_each(?3) r, json_each(r.value, '$[7]') j)",
            (self._after(), self.owner, json.dumps(rows)),
        )
        return begun

    def _end(self, connection: sqlite3.Connection, ends: Sequence[End], control: Control) -> None:
        if not ends:
            return
        # Those that were taken for lost meanwhile are counted as that, and not again.
        held = {
            number: told
            for number, *told in connection.execute(
                "SELECT id, tokens_in, tokens_out, cost FROM attempt WHERE outcome IS NULL "
                "AND id IN (SELECT value FROM json_each(?))",
                (json.dumps([end.attempt for end in ends]),),
            )
        }
        cost, tokens, rows = 0.0, 0, []
        for end in ends:
            if (held_for := held.get(end.attempt)) is None:
                continue
            spent = control.cost(end.tokens_in, end.tokens_out)
            detail = end.detail.replace("\x00", "\ufffd")  # which would end a text within JSON
            used = (end.requests, end.tokens_in, end.tokens_out, spent, end.latency)
            rows.append(
                [end.attempt, end.outcome, detail, end.endpoint, *used, int(end.may_be_charged)]
            )
            if not end.counts_in_full:
                cost += spent or 0.0
                tokens += (end.tokens_in or 0) + (end.tokens_out or 0)
            elif held_for[0] is None and end.at_most is not None:
                tokens += sum(end.at_most)
                cost += control.cost(*end.at_most) or 0.0
            else:
                tokens += (held_for[0] or 0) + (held_for[1] or 0)
                cost += held_for[2] or 0.0
        connection.execute(_END, (self.store.now(), json.dumps(rows)))
        self._spend(connection, cost, tokens)

    def _spend(self, connection: sqlite3.Connection, cost: float, tokens: int) -> None:
        if cost or tokens:
            connection.execute(
                "UPDATE judge_control SET spent_cost = spent_cost + ?, "
                "spent_tokens = spent_tokens + ? WHERE judge_id = ?",
                (cost, tokens, self._judge),
            )

    def _lease(self, connection: sqlite3.Connection, want: int) -> list[Job]:
        if want <= 0:
            return []
        now, until = self.store.now(), self._after()
        rows = connection.execute(
            _LEASE.format(
                "id IN (SELECT id FROM job WHERE judge_id = ? AND state = 'waiting' "
                "AND not_before <= ? ORDER BY rank, id LIMIT ?)"
            ),
            (self.owner, until, self._judge, now, want),
        ).fetchall()
        jobs = sorted((Job(*row) for row in rows), key=lambda job: (job.rank, job.id))
        return self._whole(connection, jobs, want, until)

    def _whole(
        self, connection: sqlite3.Connection, jobs: list[Job], want: int, until: str
    ) -> list[Job]:
        """Complete calls that settle several jobs, the first ones, until there are enough."""
        shared = dict.fromkeys(job.call for job in jobs if job.call != job.key)
        if not shared:
            return jobs
        whole = [job for job in jobs if job.call not in shared]
        for call in shared:
            if len(whole) >= want:
                connection.executemany(
                    "UPDATE job SET state = 'waiting', owner = NULL, lease_until = NULL "
                    "WHERE id = ?",
                    [(job.id,) for job in jobs if job.call == call],
                )
                continue
            whole += [job for job in jobs if job.call == call]
            rest = connection.execute(
                _LEASE.format("judge_id = ? AND state = 'waiting' AND call = ?"),
                (self.owner, until, self._judge, call),
            )
            whole += [Job(*row) for row in rest.fetchall()]
        return sorted(whole, key=lambda job: (job.rank, job.id))

    def _return_lapsed(self, connection: sqlite3.Connection) -> None:
        """Take back what lapsed; whoever held it may still bring its verdict."""
        now = self.store.clock()
        if self._silence is not None:
            signs = connection.execute(
                "SELECT owner, seen_at FROM judge_worker "
                "WHERE judge_id = ? AND ended_at IS NULL AND owner <> ?",
                (self._judge, self.owner),
            )
            self._silence.listen(signs, now)
        rows = connection.execute(
            "SELECT DISTINCT owner, call, lease_until FROM job "
            "WHERE judge_id = ? AND state = 'leased' AND lease_until < ?",
            (self._judge, stamp(now)),
        ).fetchall()
        for owner, call, until in rows:
            if self._silence is None or self._silence.is_over(owner, until, now):
                self._return(connection, owner, call)

    def _return(self, connection: sqlite3.Connection, owner: str, call: str | None = None) -> int:
        """Let an owner's jobs wait again, and end the calls that it had under way for them.

        Args:
            call: only this one; otherwise all.
        """
        values = {"judge": self._judge, "owner": owner, "call": call, "now": self.store.now()}
        which = "judge_id = :judge AND owner = :owner AND (:call IS NULL OR call = :call)"
        returned = connection.execute(
            "UPDATE job SET state = 'waiting', owner = NULL, lease_until = NULL "
            f"WHERE {which} AND state = 'leased'",
            values,
        ).rowcount
        held = connection.execute(
            "SELECT coalesce(sum(cost), 0.0), coalesce(sum(tokens_in), 0) "
            f"+ coalesce(sum(tokens_out), 0) FROM attempt WHERE {which} AND outcome IS NULL",
            values,
        ).fetchone()
        connection.execute(
            "UPDATE attempt SET ended_at = :now, outcome = 'lost', may_be_charged = 1, "
            "detail = 'the worker ended before the reply was recorded', tokens_in = NULL, "
            f"tokens_out = NULL, cost = NULL WHERE {which} AND outcome IS NULL",
            values,
        )
        self._spend(connection, *held)
        return returned

    def _after(self, seconds: float | None = None) -> str:
        wait = self.lease if seconds is None else seconds
        return stamp(self.store.clock() + timedelta(seconds=wait))


# One statement for many rows: each statement lets another thread of the process go first.
_BEGIN = """
    INSERT INTO attempt (id, call, judge_id, owner, endpoint, begun_at, requests, tokens_in,
        tokens_out, cost)
    SELECT r.value ->> 0, r.value ->> 1, ?1, ?2, r.value ->> 2, ?3, r.value ->> 3, r.value ->> 4,
        r.value ->> 5, CAST(r.value ->> 6 AS REAL)
    FROM json_each(?4) r
"""

_END = """
    UPDATE attempt SET ended_at = ?1, outcome = r.value ->> 1, detail = r.value ->> 2,
        endpoint = r.value ->> 3, requests = r.value ->> 4, tokens_in = r.value ->> 5,
        tokens_out = r.value ->> 6, cost = CAST(r.value ->> 7 AS REAL),
        latency = CAST(r.value ->> 8 AS REAL), may_be_charged = r.value ->> 9
    FROM json_each(?2) r WHERE attempt.id = r.value ->> 0
"""

_LEASE = (
    "UPDATE job SET state = 'leased', owner = ?, lease_until = ? WHERE {} "
    "RETURNING id, key, call, pair_id, turn, left, repeat, rank, attempts, supersedes"
)
