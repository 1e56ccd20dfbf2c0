"""A judge's work as batch files: what is left goes out, and what came back is recorded."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Literal

from core.errors import BadInput, TiebreakError, Where
from core.records import Judge, Verdict, VerdictStatus
from core.times import stamp
from db.judge_control import JudgeControl
from db.judge_left import Frontier, Scope, Wanted
from db.judge_queue import JudgeQueue
from db.judge_watch import ALIVE
from db.judging import asked_of
from db.store import Store
from judges.batch import (
    Files,
    Recorder,
    Replayer,
    Unanswered,
    call_of,
    is_good,
    recorded,
    replayed,
)
from judges.models import ModelJudge
from judges.outcomes import CallError, Rejected
from judges.prompt_files import load_prompts
from judges.structured import Support
from judges.tasks import Task, verdict_names
from tui.judge_prompts import prompts_of

_TOGETHER = 200
"""Verdicts recorded in one transaction: people vote between two."""


@dataclass(slots=True)
class Imported:
    """What became of a batch's results.

    Attributes:
        recorded: verdicts recorded, by status.
        again: calls left in the queue because of how they failed, by the failure's name.
        changed: calls whose request would be another one today.
        doubled: lines beside another of the same custom_id.
        passed_over: results that nothing was wanted of: recorded before, or of another judge.
        broken: lines that are no results.
        uncounted: calls of whose tokens the results say nothing that can be; they count with
            the most that they may have taken.
    """

    recorded: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    doubled: int = 0
    passed_over: int = 0
    broken: int = 0
    uncounted: int = 0


# ── out ─────────────────────────────────────────────────────────────────────


def export_batch(
    study: Path, name: str, out: Path, *, limit: int | None = None, retry_failed: bool = False
) -> list[tuple[Path, int]]:
    """Write what a judge has left to judge, as many files as it needs.

    Args:
        out: the first file; the others are numbered beside it.
        limit: at most this many calls.

    Returns:
        Each file with its number of requests; none if nothing is left.

    Raises:
        TiebreakError: the judge takes no batches, a run is asking the same at this moment, or a
            file stands there already.
    """
    with Store(study, reading=True) as store, ExitStack() as files:
        record, support = _batched(store, name)
        _refuse_beside_a_run(store, name)
        recorder = Recorder(record.model, support)
        judge = ModelJudge(record, prompts_of(store, record) or load_prompts(), recorder)
        loop = files.enter_context(asyncio.Runner())
        deal = Files()
        opened: list[tuple[Path, IO[bytes]]] = []
        counts: Counter[int] = Counter()
        calls = 0
        for call, wanted in _calls(store, judge, retry_failed):
            if limit is not None and calls >= limit:
                break
            lines = loop.run(recorded(judge, recorder, call, _tasks(store, wanted)))
            calls += bool(lines)
            for number, line in deal.place(lines):
                if number == len(opened):
                    path = _numbered(out, number)
                    opened.append((path, files.enter_context(_new(path))))
                opened[number][1].write(line)
                counts[number] += 1
        return [(path, counts[number]) for number, (path, _) in enumerate(opened)]


def _refuse_beside_a_run(store: Store, name: str) -> None:
    """Refuse to write down what a run is about to ask: it would be asked, and paid for, twice."""
    status = JudgeControl(store).status(name)
    since = stamp(store.clock() - timedelta(seconds=ALIVE))
    alive = [worker for worker in status.workers if worker.seen_at >= since]
    if alive and not status.control.paused:
        where = f"process {alive[0].pid} on {alive[0].host}"
        raise TiebreakError(
            f"the judge {name!r} is at work ({where}) and would ask the same as the file",
            f"pause it until the results are in: tiebreak judge pause {name}",
        )


def _new(path: Path) -> IO[bytes]:
    try:
        return path.open("xb")
    except FileExistsError:
        raise TiebreakError(
            f"{path} is there already", "name another file, or take that one away"
        ) from None


def _numbered(out: Path, number: int) -> Path:
    return out if number == 0 else out.with_name(f"{out.stem}-{number + 1}{out.suffix}")


# ── back ────────────────────────────────────────────────────────────────────


def import_batch(study: Path, name: str, results: Sequence[Path]) -> Imported:
    """Record what results say, each verdict once; what they do not say is left to judge.

    The same file again changes nothing, lines may come in any order, and the results of one
    export may lie in several files, those of failures among them.

    Raises:
        TiebreakError: the judge takes no batches, or a file holds no results at all.
    """
    done = Imported()
    with Store(study) as store, ExitStack() as files:
        record, support = _batched(store, name)
        control = JudgeControl(store).read(name)
        found = _Results([files.enter_context(path.open("rb")) for path in results], done)
        if not found.places:
            where = Where(str(results[0]))
            raise BadInput(where, "", "holds no results of a batch", "give the output file")
        replayer = Replayer(record.model, support, found.line, store.clock)
        judge = ModelJudge(record, prompts_of(store, record) or load_prompts(), replayer)
        loop = files.enter_context(asyncio.Runner())
        known = {call_of(custom_id) for custom_id in found.places}
        waiting: list[Verdict] = []
        at_most = (0, 0)
        met: set[str] = set()
        for call, wanted in _calls(store, judge, retry_failed=True):
            if call not in known:
                continue
            met.add(call)
            verdicts = loop.run(_replay(store, judge, replayer, call, wanted, done))
            at = stamp(store.clock())
            waiting += [
                replace(one, at=at, cost=control.cost(one.tokens_in, one.tokens_out))
                for one in verdicts
            ]
            if any(map(_is_uncounted, verdicts)):
                size = judge.size(_tasks(store, wanted))
                at_most = (at_most[0] + size.at_most, at_most[1] + size.max_tokens)
                done.uncounted += 1
            if len(waiting) >= _TOGETHER:
                _record(store, name, waiting, at_most, done)
                at_most = (0, 0)
        _record(store, name, waiting, at_most, done)
        done.passed_over = sum(call_of(custom_id) not in met for custom_id in found.places)
    return done


async def _replay(
    store: Store,
    judge: ModelJudge,
    replayer: Replayer,
    call: str,
    wanted: Sequence[Wanted],
    done: Imported,
) -> list[Verdict]:
    """The verdicts of one call; none if it is to be tried again."""
    tasks = _tasks(store, wanted)
    try:
        verdicts = await replayed(judge, replayer, call, tasks)
    except Unanswered:
        done.changed += 1
        return []
    except Rejected as error:
        verdicts = [judge.failed(task, str(error), error.failure) for task in tasks]
    except CallError as error:
        done.again[error.failure] += 1
        return []
    return [
        replace(verdict, id=one.key, supersedes=one.supersedes)
        for verdict, one in zip(verdicts, wanted, strict=True)
    ]


def _is_uncounted(verdict: Verdict) -> bool:
    """Whether a reply took tokens that nobody counted."""
    was_asked = verdict.status is not VerdictStatus.FAILED
    return was_asked and (verdict.tokens_in is None or verdict.tokens_out is None)


def _record(
    store: Store, judge: str, waiting: list[Verdict], at_most: tuple[int, int], done: Imported
) -> None:
    JudgeControl(store).take_in(judge, waiting, at_most)
    done.recorded.update(verdict.status.value for verdict in waiting)
    waiting.clear()


class _Results:
    """Results as they lie in their files: where each line is, so that none is held in memory.

    Attributes:
        places: custom_id → file and offset; of doubled ids the first that is a completion,
            else the first.
    """

    def __init__(self, files: Sequence[IO[bytes]], done: Imported) -> None:
        self._files = files
        self.places: dict[str, tuple[int, int]] = {}
        good: set[str] = set()
        for number, file in enumerate(files):
            offset = 0
            for raw in file:
                line = _object(raw)
                custom_id = line.get("custom_id") if line else None
                # A line with a method is a request: the file that was sent, not what came back.
                if not isinstance(custom_id, str) or (line and "method" in line):
                    done.broken += bool(raw.strip())
                else:
                    done.doubled += custom_id in self.places
                    if custom_id not in self.places or (is_good(line) and custom_id not in good):
                        self.places[custom_id] = (number, offset)
                    if is_good(line):
                        good.add(custom_id)
                offset += len(raw)

    def line(self, custom_id: str) -> Mapping[str, Any] | None:
        """One result."""
        if (place := self.places.get(custom_id)) is None:
            return None
        file = self._files[place[0]]
        file.seek(place[1])
        return _object(file.readline())


def _object(raw: bytes) -> dict[str, Any]:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}


# ── both ────────────────────────────────────────────────────────────────────


def _batched(store: Store, name: str) -> tuple[Judge, Support]:
    record = store.judging.judge(name)
    if record.kind != "openai":
        raise TiebreakError(
            f"the judge {name!r} takes no batches: it is of the kind {record.kind!r}",
            "batch files hold chat completions, for judges added with --model",
        )
    servers = store.endpoints.of(name)
    return record, Support.of(servers[0].found if servers else None)


def _calls(
    store: Store, judge: ModelJudge, retry_failed: bool
) -> Iterator[tuple[str, list[Wanted]]]:
    """What is left, call by call, the most wanted first, each call once."""
    queue = JudgeQueue(store, judge.record.name, "batch")
    calls_by: Literal["pair", "question"] = "question" if judge.calls_by == "question" else "pair"
    scope = Scope(calls_by=calls_by, retry_failed=retry_failed)
    frontier: Frontier = queue.frontier(scope, verdict_names(judge.record))
    seen: set[str] = set()
    for portion in frontier.portions():
        together: dict[str, list[Wanted]] = {}
        for one in portion:
            if one.call not in seen:
                together.setdefault(one.call, []).append(one)
        seen |= together.keys()
        yield from together.items()


def _tasks(store: Store, wanted: Sequence[Wanted]) -> list[Task]:
    with store.read() as connection:
        asked = asked_of(connection, [(one.pair_id, one.turn, one.left) for one in wanted])
    return [
        Task(
            told.pair,
            told.turn,
            told.left,
            one.repeat,
            told.question,
            told.left_turns,
            told.right_turns,
        )
        for one, told in zip(wanted, asked, strict=True)
    ]
