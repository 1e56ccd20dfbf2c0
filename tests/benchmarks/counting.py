"""Times our statistics: ``python -m tests.benchmarks.counting VOTES.npz``.

Prints one line of JSON. Votes come one by one at the end, and after each a statistic is computed
that was computed before: what a lead waits for.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import numpy as np

from core.stats import Options, Tally
from core.stats.registry import Statistic, registered
from core.stats.reliability import alpha_rows
from core.stats.results import Result
from core.stats.view import View

LATE = 40
"""Votes that come one by one."""

_TIMES = {True: 5, False: 2}
"""Refreshes timed of a statistic that follows, and of one that does not."""

_BLOCK = 1 << 18


def _alpha(view: View) -> Result:
    rows = tuple(alpha_rows(view))
    return Result("alpha", "", "", ("raters", "measure", "classes"), rows)


def _rows(*columns: Any) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(columns[0]), _BLOCK):
        table = np.stack([column[start : start + _BLOCK] for column in columns], axis=1)
        yield from map(tuple, table.tolist())


def _votes(data: dict[str, Any], start: int, end: int | None) -> Iterator[tuple[int, ...]]:
    part = slice(start, end)
    item = data["item"][part]
    seq = np.arange(len(data["item"]))[part] + 1
    nothing = np.zeros_like(item)
    columns = data["annotator"][part] + 1, data["choice"][part], data["left"][part]
    return _rows(seq, item + 1, nothing + 1, *columns, nothing)


def _pairs(data: dict[str, Any]) -> Iterator[tuple[int, str, str | None, str, str]]:
    table = zip(data["one"].tolist(), data["two"].tolist(), data["category"].tolist(), strict=True)
    for number, (one, two, category) in enumerate(table):
        names = f"model-{one:02}", f"model-{two:02}"
        yield number + 1, f"q{number // 190}", f"category {category}", *names


def _verdicts(data: dict[str, Any]) -> Iterator[tuple[int, ...]]:
    judged = data["judged"]
    nothing, seq = np.zeros_like(judged), np.arange(len(judged))
    turn_and_judge = nothing + 1, nothing + 1
    order = (data["verdict"], seq % 2 + 1)
    return _rows(seq + 1, judged + 1, *turn_and_judge, *order, nothing, nothing)


def _loaded(data: dict[str, Any]) -> Tally:
    tally = Tally()
    tally.add_pairs(_pairs(data))
    people = range(int(data["annotator"].max()) + 1)
    tally.add_annotators((number + 1, f"a{number}", "") for number in people)
    tally.add_judges([(1, "judge", "llm")])
    tally.add_votes(_votes(data, 0, -LATE))
    tally.add_verdicts(_verdicts(data))
    return tally


def _seconds(tally: Tally, statistic: Statistic) -> float:
    began = time.perf_counter()
    statistic.run(View(tally, Options()))
    return time.perf_counter() - began


def _worked(tally: Tally, statistic: Statistic) -> tuple[float, float]:
    """Seconds of the long work behind a statistic, and of the longest part of it."""
    began, longest = time.perf_counter(), 0.0
    view = View(tally, Options())
    while statistic.work is not None and (work := statistic.work(view)) is not None:
        while True:
            before = time.perf_counter()
            is_done = work.go_on()
            longest = max(longest, time.perf_counter() - before)
            if is_done:
                break
    return time.perf_counter() - began, longest


def main() -> None:
    with np.load(sys.argv[1]) as stored:
        data = {key: stored[key] for key in stored.files}
    every = [*registered(), Statistic("alpha", "", 0, _alpha, "", follows=True)]
    began = time.perf_counter()
    tally = _loaded(data)
    found: dict[str, Any] = {"load": time.perf_counter() - began}
    follow = {each.id: each.follows for each in every}
    found["work"] = {each.id: _worked(tally, each) for each in every if each.work is not None}
    first = {each.id: _seconds(tally, each) for each in every}
    refreshed: dict[str, list[float]] = {each.id: [] for each in every}
    catching = []
    for turn, vote in enumerate(range(len(data["item"]) - LATE, len(data["item"]))):
        began = time.perf_counter()
        tally.add_votes(_votes(data, vote, vote + 1 or None))
        catching.append(time.perf_counter() - began)
        for each in every:
            if turn < _TIMES[each.follows]:
                refreshed[each.id].append(_seconds(tally, each))
    refresh = {id: median(seconds) for id, seconds in refreshed.items()}
    found |= {"follows": follow, "first": first, "refresh": refresh}
    print(json.dumps({**found, "catching": median(catching)}))


if __name__ == "__main__":
    main()
