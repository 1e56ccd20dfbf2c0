"""What the benchmarks share: rows of the table, child processes, studies of a given size."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import quantiles

from core.errors import Where
from core.records import Answer, Question, Record, Setting
from db.pairs import make
from db.store import Store
from tests.terminal import Terminal

MODELS = ("alpha", "beta", "gamma", "delta")
WORDS = "the answer goes on about what was asked and then says a little more of it".split()
QUIET = 0.08
"""Seconds without a byte after which a screen counts as painted."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, ours, the baseline's, and their ratio."""

    what: str
    ours: float
    baseline: float
    unit: str
    baseline_name: str

    @property
    def ratio(self) -> float:
        return self.ours / self.baseline


@dataclass(frozen=True, slots=True)
class Finished:
    """A child process: seconds and peak memory in MiB."""

    seconds: float
    peak: float


def p50_p95(values: Sequence[float]) -> tuple[float, float]:
    cut = quantiles(values, n=20)
    return cut[9], cut[18]


_WATCH = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps([done.returncode, seconds, peak, done.stderr.decode()]))
"""


def child(arguments: Sequence[str]) -> Finished:
    """Run a child to its end.

    It is started by a small process of its own: a child's peak memory counts from that of the
    process it was forked from, and this one is large.
    """
    watcher = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _WATCH, *arguments],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    status, seconds, peak, said = json.loads(watcher.stdout)
    if status:
        raise RuntimeError(said)
    return Finished(seconds, peak)


def interleaved(times: int, *runs: Callable[[], float]) -> list[list[float]]:
    """Run each in turn, A B A B …, so that a drift of the machine meets them alike."""
    values: list[list[float]] = [[] for _ in runs]
    for _ in range(times):
        for place, run in enumerate(runs):
            values[place].append(run())
    return values


def until_quiet(seat: Terminal, began: float, at_least: int = 1) -> float:
    """Seconds from ``began`` to the last byte before the terminal fell silent.

    Args:
        at_least: bytes before which no silence counts: a terminal is set up long before
            anything is painted.
    """
    last = 0.0
    before = len(seat.raw)
    while True:
        if seat.read(QUIET):
            last = seat.last_read
        elif last and len(seat.raw) - before >= at_least:
            return last - began
        elif time.perf_counter() - began > 20:
            raise RuntimeError(f"nothing was painted; the screen was:\n{seat.text()}")


def make_study(
    path: Path,
    questions: int,
    answer_size: int,
    *,
    body: Callable[[Random, int], str] | None = None,
    overlap: int = 1,
) -> Path:
    """Questions with four answers of about ``answer_size`` characters each.

    Args:
        body: makes an answer of a length; prose if not given.
        overlap: how many people vote on a pair.
    """
    records: list[Record] = [Setting("dwell_ms", 0)]
    for number in range(questions):
        records.append(Question(f"q{number}", (f"Question {number}: what is it?",), "general"))
        for model in MODELS:
            random = Random(f"{number} {model}")
            text = (body or prose)(random, answer_size)
            records.append(Answer(f"q{number}", model, (text,)))
    with Store(path, create=True) as store:
        store.ingest.take((Where("bench", n), record) for n, record in enumerate(records))
        make(store, overlap=overlap)
    return path


def prose(random: Random, size: int) -> str:
    """Paragraphs without any markup."""
    return "".join(f"{_sentence(random, 400)}\n\n" for _ in range(max(1, size // 400)))


def markdown(random: Random, size: int) -> str:
    """An answer as models write them: headings, a list, words in bold, a fence of code."""
    parts: list[str] = []
    length = 0
    while length < size:
        part = (
            f"## {_sentence(random, 30)}\n\n{_sentence(random, 500)}\n\n"
            f"- **{_sentence(random, 20)}** {_sentence(random, 100)}\n"
            f"- {_sentence(random, 60)} `{_sentence(random, 12)}`\n\n"
            f"{_sentence(random, 700)}\n\n"
            f"```python\nfor one in range({length}):\n    print(one, 'more')  # and so on\n```\n\n"
        )
        parts.append(part)
        length += len(part)
    return "".join(parts)[:size]


def _sentence(random: Random, size: int) -> str:
    return " ".join(random.choices(WORDS, k=size // 4))[:size].strip()


def write_votes(path: Path, count: int) -> Path:
    """A native file of votes by 50 annotators on 5,000 questions of 6 models."""
    choices = ("model_1", "model_2", "tie", "both_bad")
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            line = {
                "type": "vote",
                "id": f"v{number:09}",
                "question": f"q{number % 5000}",
                "model_1": f"m{number % 3}",
                "model_2": f"m{3 + number // 5000 % 3}",
                "turn": 1,
                "annotator": f"a{number % 50}",
                "choice": choices[number * 7919 % 4],
                "left": "model_1" if number % 2 else "model_2",
                "at": "2026-01-01T00:00:00.000Z",
            }
            stream.write(json.dumps(line) + "\n")
    return path


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]
