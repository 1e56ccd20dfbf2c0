"""A study with judges at work: verdicts of every kind, a queue, calls, workers and addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from core.blinding import meant
from core.records import Judge, Pair, Question, Seen, Verdict, VerdictStatus
from core.times import stamp
from db.store import Store
from judges.tasks import Task, both_orders, verdict_id
from tests.studies import make_study

MOMENT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
"""When everything is looked at."""

FIRST = "host-1/4711/9/ab"
"""The worker that holds the jobs."""

ADDRESSES = ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8001/v1")

_SEEN = tuple(Seen)
_FAILURES = (
    (VerdictStatus.UNPARSED, "no verdict", "no verdict: nothing of the expected form"),
    (VerdictStatus.UNPARSED, "contradiction", "contradiction: [[A]] and [[B]] stand equal"),
    (VerdictStatus.FAILED, "timed out", "no answer in 60 s"),
    (VerdictStatus.TRUNCATED, "truncated", "the reply reached max_tokens"),
    (VerdictStatus.REFUSED, "refused", "the model refused: I would rather not"),
)


def watched_study(
    path: Path, *, questions: int = 40, judged: int = 60, ok_share: float = 0.9
) -> Path:
    """A study in which ``local`` is at work on its queue, ``strict`` is paused, ``longer`` is done.

    Args:
        judged: verdicts of ``local``; the study wants two for each question.
    """
    make_study(path, questions=questions)
    with Store(path) as store:
        for judge in judges():
            store.judging.add(judge)
        tasks = list(_tasks(store))
        store.judging.record(list(_verdicts("longer", tasks, 1.0, Random(1))))
        store.judging.record(list(_verdicts("strict", tasks[:9], 0.4, Random(2))))
        store.judging.record(list(_verdicts("local", tasks[:judged], ok_share, Random(3))))
        _at_work(store, tasks[judged : judged + 12])
    return path


def judges() -> list[Judge]:
    """A model behind two addresses, one that often fails, and a baseline."""
    return [
        Judge("longer", "baseline", "longer-answer"),
        Judge("local", "openai", "judge-7b", ADDRESSES[0], "pairwise", "a1" * 32),
        Judge("strict", "openai", "judge-70b", ADDRESSES[0], "pairwise-json", "b2" * 32),
    ]


def _tasks(store: Store) -> Iterator[Task]:
    for record in store.reading.records(logs=False):
        if isinstance(record, Pair):
            question = Question(record.question, ("?",))
            yield from both_orders(record, 1, question, ("x",), ("y",))


def _verdicts(judge: str, tasks: list[Task], ok: float, chance: Random) -> Iterator[Verdict]:
    (record,) = [one for one in judges() if one.name == judge]
    for place, task in enumerate(tasks):
        at = stamp(MOMENT - timedelta(seconds=(len(tasks) - place) * 1.5))
        known: dict[str, Any] = {
            "id": verdict_id(record, task),
            "pair": task.pair,
            "turn": task.turn,
            "judge": judge,
            "left": task.left,
            "prompt": record.prompt,
            "prompt_hash": record.prompt_hash,
            "attempts": 1,
            "at": at,
        }
        if record.endpoint:
            known |= {
                "latency": round(0.3 + chance.expovariate(3), 3),
                "tokens_in": 900 + chance.randrange(300),
                "tokens_out": 40,
                "cost": 0.0011,
                "endpoint": ADDRESSES[place % 2],
                "served_model": record.model,
                "sent_hash": "5e" * 32,
            }
        if chance.random() < ok:
            seen = chance.choice(_SEEN)
            yield Verdict(
                status=VerdictStatus.OK,
                choice=meant(seen, task.left),
                label="A" if seen is Seen.LEFT else "B",
                raw=f"The better one is clear. [[{'A' if seen is Seen.LEFT else 'B'}]]",
                reasoning="I compare both answers.",
                **known,
            )
        else:
            status, failure, error = chance.choice(_FAILURES)
            raw = None if status is VerdictStatus.FAILED else "I see merit in [[A]] and in [[B]]."
            yield Verdict(status=status, failure=failure, error=error, raw=raw, **known)


def _at_work(store: Store, tasks: list[Task]) -> None:
    """Put the rest of ``local`` in the queue, with two workers, calls and a second address."""
    begun = stamp(MOMENT - timedelta(minutes=4))
    with store.write() as connection:
        rows = dict(connection.execute("SELECT name, id FROM judge").fetchall())
        local, strict = rows["local"], rows["strict"]
        pairs = dict(connection.execute("SELECT key, id FROM pair").fetchall())
        (record,) = [one for one in judges() if one.name == "local"]
        for place, task in enumerate(tasks):
            key, is_leased = verdict_id(record, task), place < 5
            connection.execute(
                "INSERT INTO job (key, judge_id, pair_id, turn, left, repeat, call, rank, state, "
                "owner, lease_until) VALUES (?, ?, ?, ?, ?, 0, ?, 0, ?, ?, ?)",
                (
                    key,
                    local,
                    pairs[task.pair.key],
                    task.turn,
                    task.left,
                    key,
                    "leased" if is_leased else "waiting",
                    FIRST if is_leased else None,
                    stamp(MOMENT + timedelta(minutes=5)) if is_leased else None,
                ),
            )
            if is_leased:
                connection.execute(
                    "INSERT INTO attempt (call, judge_id, owner, endpoint, begun_at) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (key, local, FIRST, ADDRESSES[0], stamp(MOMENT)),
                )
        for place in range(30):
            connection.execute(
                "INSERT INTO attempt (call, judge_id, owner, endpoint, begun_at, ended_at, "
                "outcome, detail, latency) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0.5)",
                (
                    f"earlier {place}",
                    local,
                    FIRST,
                    ADDRESSES[place % 2],
                    begun,
                    begun,
                    "rate limited" if place % 2 and place > 20 else "ok",
                    "wait 2 s" if place % 2 and place > 20 else "",
                ),
            )
        connection.executemany(
            "INSERT OR IGNORE INTO endpoint VALUES (?, ?, ?, NULL, NULL, NULL)",
            [(local, address, begun) for address in ADDRESSES],
        )
        connection.execute(
            "UPDATE endpoint SET checked_at = ?, found = ? WHERE address = ?",
            (begun, json.dumps({"models": ["judge-7b"]}), ADDRESSES[0]),
        )
        for owner, pid in ((FIRST, 4711), ("host-1/4712/9/cd", 4712)):
            connection.execute(
                "INSERT INTO judge_worker (owner, judge_id, pid, host, started_at, seen_at, "
                "window, under_way, verdicts) VALUES (?, ?, ?, 'host-1', ?, ?, 8, 5, 30)",
                (owner, local, pid, begun, stamp(MOMENT)),
            )
        connection.execute(
            "INSERT INTO judge_control (judge_id, price_in, price_out, budget_cost, spent_cost) "
            "VALUES (?, 1.0, 2.0, 5.0, 0.066)",
            (local,),
        )
        connection.execute(
            "INSERT INTO judge_control (judge_id, paused_at) VALUES (?, ?)", (strict, begun)
        )
