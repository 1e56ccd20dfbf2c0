"""The judges and their verdicts as JSON, for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from core.times import stamp
from tui.judge_lines import endpoint_state

if TYPE_CHECKING:
    from core.records import Verdict
    from db.judge_lists import Call, Listed
    from db.judge_watch import Watch, Watched


def watch_json(watch: Watch) -> dict[str, Any]:
    """Every judge with its numbers; seconds, and money in the unit of the prices."""
    return {"at": stamp(watch.at), "judges": [_judge_json(judge) for judge in watch.judges]}


def _judge_json(judge: Watched) -> dict[str, Any]:
    told, last = judge.told, judge.told.last_failure
    return {
        "name": judge.name,
        "kind": judge.kind,
        "model": judge.model,
        "prompt": judge.prompt,
        "state": judge.state,
        "ok": told.ok,
        "failures": dict(told.failures),
        "superseded": told.superseded,
        "to_queue": judge.todo,
        "waiting": judge.waiting,
        "leased": judge.leased,
        "per_second": _rounded(told.per_second),
        "per_second_since_start": _rounded(told.overall),
        "seconds_left": _rounded(judge.seconds_left),
        "latency": {"median": _rounded(told.median), "p95": _rounded(told.p95)},
        "tokens_in": told.tokens_in,
        "tokens_out": told.tokens_out,
        "cost": _rounded(told.cost),
        "cost_left": _rounded(judge.cost_left),
        "tokens_left": judge.tokens_left,
        "orders": {kind.value: count for kind, count in told.orders.items()},
        "note": judge.control.note,
        "last_failure": None
        if last is None
        else {"id": last.id, "class": last.kind, "error": last.error, "at": last.at},
        "workers": [
            {
                "host": worker.host,
                "pid": worker.pid,
                "started_at": worker.started_at,
                "seen_at": worker.seen_at,
                "window": worker.window,
                "under_way": worker.under_way,
                "verdicts": worker.verdicts,
            }
            for worker in judge.workers
        ],
        "endpoints": [
            {
                "address": endpoint.address,
                "state": endpoint_state(endpoint),
                "under_way": endpoint.under_way,
                "last_calls": dict(endpoint.outcomes),
                "checked_at": endpoint.checked_at,
                "found": dict(endpoint.found),
            }
            for endpoint in judge.endpoints
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def listed_json(listed: Listed) -> dict[str, Any]:
    """A verdict in a line, as JSON."""
    return {
        "id": listed.id,
        "judge": listed.judge,
        "at": listed.at,
        "question": listed.question,
        "turn": listed.turn,
        "left": listed.left,
        "repeat": listed.repeat,
        "class": listed.kind,
        "attempts": listed.attempts,
        "error": listed.said,
        "pairs": listed.pairs,
    }


def verdict_json(
    verdict: Verdict, calls: Sequence[Call], replaced_by: str | None
) -> dict[str, Any]:
    """A verdict with every field it has, letter by letter."""
    fields = asdict(verdict)
    fields["pair"] = {
        "question": verdict.pair.question,
        "model_1": verdict.pair.model_1,
        "model_2": verdict.pair.model_2,
    }
    fields["status"] = verdict.status.value
    fields["choice"] = None if verdict.choice is None else verdict.choice.value
    fields["replaced_by"] = replaced_by
    fields["calls"] = [asdict(call) for call in calls]
    return fields
