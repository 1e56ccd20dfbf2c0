"""What a lead says of a judge's work (pause, cancel, budget, prices), and how it stands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import TiebreakError
from core.records import Verdict
from db.judging import write_verdicts
from db.processes import is_gone

if TYPE_CHECKING:
    from db.store import Store

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Control:
    """How a judge's work is to go on, and what it has used.

    Attributes:
        paused: whether no call may begin.
        cancels: how often the work was cancelled; a worker ends when this has grown.
        price_in: the price of a million tokens sent, None if it is not known.
        price_out: the price of a million tokens received.
        budget_cost: what may be spent in all, in the unit of the prices; None for no limit.
        budget_tokens: how many tokens may be used in all, both ways.
        spent_cost: what was spent; calls that may have been charged count in full.
        spent_tokens: the same in tokens.
        held_cost: what calls under way may take at most, in all processes together.
        held_tokens: the same in tokens.
        held_unknown: calls under way of which nobody knows what they may take.
        note: why the work last stopped by itself.
    """

    paused: bool = False
    cancels: int = 0
    price_in: float | None = None
    price_out: float | None = None
    budget_cost: float | None = None
    budget_tokens: int | None = None
    spent_cost: float = 0.0
    spent_tokens: int = 0
    held_cost: float = 0.0
    held_tokens: int = 0
    held_unknown: int = 0
    note: str = ""

    @property
    def has_budget(self) -> bool:
        """Whether there is any limit to what may be used."""
        return self.budget_cost is not None or self.budget_tokens is not None

    def cost(self, tokens_in: int | None, tokens_out: int | None) -> float | None:
        """What tokens cost; None if prices or tokens are not known."""
        if self.price_in is None or self.price_out is None:
            return None
        if tokens_in is None or tokens_out is None:
            return None
        return (tokens_in * self.price_in + tokens_out * self.price_out) / MILLION

    def may_use(
        self, cost_then: float, tokens_then: int, *, is_known: bool, cost: float | None
    ) -> bool:
        """Whether the budget has room for one more call.

        Args:
            cost_then: what would be spent and held in all with this call, at most.
            tokens_then: the same in tokens.
            is_known: whether it is known what the call may use.
            cost: what the call may cost, None if that is not known.
        """
        if not self.has_budget:
            return True
        if self.held_unknown or not is_known:
            return False
        if self.budget_cost is not None and (cost is None or cost_then > self.budget_cost):
            return False
        return self.budget_tokens is None or tokens_then <= self.budget_tokens


@dataclass(frozen=True, slots=True)
class Worker:
    """One process that works, or worked, on a judge's queue.

    Attributes:
        window: how many calls it would have under way at once right now.
        verdicts: how many it has recorded.
    """

    owner: str
    pid: int
    host: str
    started_at: str
    seen_at: str
    ended_at: str | None
    window: int
    under_way: int
    verdicts: int
    note: str


@dataclass(frozen=True, slots=True)
class Status:
    """How a judge's work stands.

    Attributes:
        verdicts: how many stand or stood, by status.
        waiting: jobs in the queue that nobody holds; more are made from what is left to judge.
        leased: jobs that a worker holds.
        attempts_open: calls under way, of workers that live as far as this host knows.
        failures: attempts that gave no verdict, by outcome.
        may_be_charged: attempts without a reply that may have been charged.
        uncounted: verdicts on replies of which nobody knows how many tokens they took.
        workers: those that have not ended, as far as this host knows, newest first.
    """

    judge: str
    control: Control
    verdicts: dict[str, int]
    waiting: int
    leased: int
    attempts_open: int
    failures: dict[str, int]
    may_be_charged: int
    uncounted: int
    workers: list[Worker]


def read_control(connection: sqlite3.Connection, judge_id: int, *, held: bool = True) -> Control:
    """How a judge's work is to go on.

    Args:
        held: also add up what calls under way may take.
    """
    row = connection.execute(
        "SELECT paused_at IS NOT NULL, cancels, price_in, price_out, budget_cost, budget_tokens, "
        "spent_cost, spent_tokens, note FROM judge_control WHERE judge_id = ?",
        (judge_id,),
    ).fetchone()
    if row is None:
        return Control()
    under_way = (0.0, 0, 0)
    if held:
        under_way = connection.execute(
            "SELECT coalesce(sum(cost), 0.0), "
            "coalesce(sum(tokens_in), 0) + coalesce(sum(tokens_out), 0), "
            "count(*) FILTER (WHERE tokens_in IS NULL) "
            "FROM attempt WHERE judge_id = ? AND outcome IS NULL",
            (judge_id,),
        ).fetchone()
    told: list[Any] = [bool(row[0]), *row[1:8], *under_way, row[8]]
    return Control(*told)


def calls_under_way(connection: sqlite3.Connection, judge_id: int) -> dict[str, int]:
    """How many calls are on their way to each address (empty where a judge has several).

    What a worker has written down ahead of its turn is not under way, and what one that died
    left behind is nowhere any more.
    """
    found: dict[str, int] = {}
    for owner, most, endpoint, count in connection.execute(
        "SELECT a.owner, coalesce(max(w.window, w.under_way), 0), a.endpoint, count(*) "
        "FROM attempt a LEFT JOIN judge_worker w ON w.owner = a.owner "
        "WHERE a.judge_id = ? AND a.outcome IS NULL GROUP BY a.owner, a.endpoint",
        (judge_id,),
    ):
        if not is_gone(owner):
            found[endpoint] = found.get(endpoint, 0) + min(count, most)
    return found


class JudgeControl:
    """A lead's word on the judges of one store. Workers follow it within a second."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def read(self, judge: str) -> Control:
        """How a judge's work is to go on.

        Raises:
            TiebreakError: if there is no such judge.
        """
        with self.store.read() as connection:
            return read_control(connection, judge_row(connection, judge))

    def pause(self, judge: str) -> None:
        """Let no call begin until :meth:`resume`; calls under way are recorded."""
        self._change(judge, "paused_at = coalesce(paused_at, :now)")

    def resume(self, judge: str) -> None:
        """Let calls begin again."""
        self._change(judge, "paused_at = NULL, note = ''")

    def cancel(self, judge: str) -> int:
        """End the work of all workers and empty the queue; how many waiting jobs were dropped.

        Calls under way are recorded. A run that starts later begins anew.
        """
        with self._changing(judge, "cancels = cancels + 1, cancelled_at = :now") as (
            connection,
            judge_id,
        ):
            return connection.execute(
                "DELETE FROM job WHERE judge_id = ? AND state = 'waiting'", (judge_id,)
            ).rowcount

    def set_prices(self, judge: str, price_in: float, price_out: float) -> None:
        """Say what a million tokens cost, sent and received."""
        self._change(
            judge,
            "price_in = :price_in, price_out = :price_out",
            price_in=float(price_in),
            price_out=float(price_out),
        )

    def set_budget(
        self, judge: str, *, cost: float | None = None, tokens: int | None = None
    ) -> None:
        """Limit what a judge may use in all; None for no limit."""
        self._change(
            judge,
            "budget_cost = :cost, budget_tokens = :tokens, note = ''",
            cost=None if cost is None else float(cost),
            tokens=tokens,
        )

    def take_in(
        self, judge: str, verdicts: Sequence[Verdict], at_most: tuple[int, int] = (0, 0)
    ) -> int:
        """Record verdicts that came by another way than the queue; how many were new.

        What they used counts as spent, and what the queue held for them leaves it.

        Args:
            at_most: tokens sent and received that count as spent beside, for those of which
                nobody knows what they took.

        Raises:
            StudyUnavailable: if they cannot be written; then nothing of it is.
        """
        known = [
            one for one in verdicts if one.tokens_in is not None and one.tokens_out is not None
        ]
        with self._changing(
            judge,
            "spent_cost = spent_cost + :cost, spent_tokens = spent_tokens + :tokens",
            cost=sum(one.cost or 0.0 for one in known),
            tokens=sum(at_most)
            + sum((one.tokens_in or 0) + (one.tokens_out or 0) for one in known),
        ) as (connection, judge_id):
            if spent := read_control(connection, judge_id, held=False).cost(*at_most):
                connection.execute(
                    "UPDATE judge_control SET spent_cost = spent_cost + ? WHERE judge_id = ?",
                    (spent, judge_id),
                )
            recorded = write_verdicts(connection, verdicts)
            connection.executemany(
                "DELETE FROM job WHERE key = ?", [(verdict.id,) for verdict in verdicts]
            )
        return recorded

    def status(self, judge: str) -> Status:
        """How a judge's work stands.

        Raises:
            TiebreakError: if there is no such judge.
        """
        with self.store.read() as connection:
            judge_id = judge_row(connection, judge)
            verdicts = connection.execute(
                "SELECT status, count(*) FROM verdict WHERE judge_id = ? GROUP BY status",
                (judge_id,),
            ).fetchall()
            states = dict(
                connection.execute(
                    "SELECT state, count(*) FROM job WHERE judge_id = ? GROUP BY state", (judge_id,)
                ).fetchall()
            )
            under_way = calls_under_way(connection, judge_id)
            failures = connection.execute(
                "SELECT outcome, count(*), sum(may_be_charged) FROM attempt "
                "WHERE judge_id = ? AND outcome <> 'ok' GROUP BY outcome",
                (judge_id,),
            ).fetchall()
            (uncounted,) = connection.execute(
                "SELECT count(*) FROM verdict WHERE judge_id = ? AND status <> 'failed' "
                "AND raw_hash IS NOT NULL AND attempts > 0 "
                "AND (tokens_in IS NULL OR tokens_out IS NULL)",
                (judge_id,),
            ).fetchone()
            workers = connection.execute(
                "SELECT owner, pid, host, started_at, seen_at, ended_at, window, under_way, "
                "verdicts, note FROM judge_worker WHERE judge_id = ? AND ended_at IS NULL "
                "ORDER BY started_at DESC",
                (judge_id,),
            ).fetchall()
            return Status(
                judge,
                read_control(connection, judge_id),
                dict(verdicts),
                states.get("waiting", 0),
                states.get("leased", 0),
                sum(under_way.values()),
                {outcome: count for outcome, count, _ in failures},
                sum(charged for _, _, charged in failures),
                uncounted,
                [Worker(*row) for row in workers if not is_gone(row[0])],
            )

    def _change(self, judge: str, change: str, **values: Any) -> None:
        with self._changing(judge, change, **values):
            pass

    @contextmanager
    def _changing(
        self, judge: str, change: str, **values: Any
    ) -> Iterator[tuple[sqlite3.Connection, int]]:
        with self.store.write() as connection:
            judge_id = judge_row(connection, judge)
            connection.execute(
                "INSERT OR IGNORE INTO judge_control (judge_id) VALUES (?)", (judge_id,)
            )
            connection.execute(
                f"UPDATE judge_control SET {change} WHERE judge_id = :judge",
                {"judge": judge_id, "now": self.store.now(), **values},
            )
            yield connection, judge_id


def judge_row(connection: sqlite3.Connection, judge: str) -> int:
    """The row of a judge.

    Raises:
        TiebreakError: if there is none of that name.
    """
    row = connection.execute("SELECT id FROM judge WHERE name = ?", (judge,)).fetchone()
    if row is None:
        raise TiebreakError(
            f"no judge is called {judge!r}", "see those of the study: tiebreak judge list"
        )
    return int(row[0])
