"""Verdicts stored a second against a server of fixed latency, their cost, and voting meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.records import Seen
from db.store import Store
from db.voting import Cast
from judges.models import new_judge
from tests.benchmarks.fixed_server import FixedServer
from tests.benchmarks.measure import Row, make_study, p50_p95, python
from tests.terminal import ROOT

LOADS = ((64, 0.05, 8_000), (256, 0.5, 8_000))
"""Calls at once, the server's seconds, and how many calls."""

PEERS = "TIEBREAK_PEERS"
"""The environment variable that names a Python in which lm-evaluation-harness is installed."""

VERDICTS_A_QUESTION = 12
VOTES = 300


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop: calls a second, CPU milliseconds a call, and peak MiB."""

    rate: float
    cpu: float
    peak: float


def rows(*, full: bool = False) -> Iterator[Row]:
    """The judges' rows of the table.

    Args:
        full: memory over 100,000 verdicts in place of 20,000.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for load in LOADS:
            yield from _rates(folder, *load)
        yield from _memory(folder, 100_000 if full else 20_000)
        yield from _voting(folder)


def _rates(folder: Path, at_once: int, delay: float, count: int) -> Iterator[Row]:
    where = f"{at_once} × {delay * 1000:.0f} ms"
    with FixedServer(delay) as server:
        study = _study(folder, server.url, count)
        loops = {
            kind: _loop(kind, server.url, at_once, count, study)
            for kind in ("ours", "aiohttp", "openai")
        }
        if with_lm_eval := _has_lm_eval():
            loops["lm-eval"] = _loop("lm-eval", server.url, at_once, count, study)
    ours = loops["ours"]
    ideal = at_once / delay
    yield Row(f"verdicts stored, {where}", ours.rate, ideal, "calls/s", "ideal")
    titles = {"aiohttp": "bare aiohttp", "openai": "bare openai[aiohttp]"}
    if with_lm_eval:
        titles["lm-eval"] = "lm-evaluation-harness"
    for kind, title in titles.items():
        yield Row(f"  beside {title}", ours.rate, loops[kind].rate, "calls/s", title)
        yield Row(f"  CPU beside {title}", ours.cpu, loops[kind].cpu, "ms/call", title)


def _memory(folder: Path, count: int) -> Iterator[Row]:
    with FixedServer(0.0) as server:
        few = _loop("ours", server.url, 64, count // 10, _study(folder, server.url, count // 10))
        many = _loop("ours", server.url, 64, count, _study(folder, server.url, count))
    title = f"peak memory, {count:,} verdicts"
    yield Row(title, many.peak, few.peak, "MiB", f"{count // 10:,} verdicts")


def _voting(folder: Path) -> Iterator[Row]:
    with FixedServer(0.05) as server:
        study = _study(folder, server.url, 60_000)
        calm = _cast(study)
        with _at_work(study):
            busy = _cast(study)
    for part, now, then in zip(("p50", "p95"), p50_p95(busy), p50_p95(calm), strict=True):
        yield Row(
            f"a vote while judges work, {part}", now * 1000, then * 1000, "ms", "without judges"
        )


def _cast(study: Path) -> list[float]:
    """Seconds for each of some votes: from the key to what is safe, and the next pair."""
    times = []
    with Store(study) as store:
        annotator = store.annotator(uuid.uuid4().hex[:8])
        served = store.serving.serve(annotator)
        for _ in range(VOTES):
            assert served is not None
            began = time.perf_counter()
            cast = Cast(uuid.uuid4().hex, served.assignment, 1, Seen.TIE)
            store.voting.cast(annotator, "local:bench", cast)
            served = store.serving.serve(annotator)
            times.append(time.perf_counter() - began)
            time.sleep(0.01)
    return times


@contextmanager
def _at_work(study: Path) -> Iterator[None]:
    arguments = ["--db", str(study), "judge", "run", "bench", "--concurrency", "64"]
    with subprocess.Popen(
        python("-m", "tui", *arguments), cwd=ROOT, stderr=subprocess.DEVNULL
    ) as process:
        with Store(study) as store:
            while store.reading.counts()["verdicts"] < 500:
                time.sleep(0.1)
        yield
        assert process.poll() is None, "the judges were done before the votes"
        process.terminate()


def _study(folder: Path, url: str, verdicts: int) -> Path:
    """A study in which so many verdicts are wanted, from a judge at ``url``."""
    questions = -(-verdicts // VERDICTS_A_QUESTION)
    made = folder / f"{questions}.db"
    if not made.exists():
        make_study(made, questions, 1500, overlap=9)
    study = folder / "study.db"
    for old in folder.glob("study.db*"):
        old.unlink()
    shutil.copy(made, study)
    with Store(study) as store:
        store.judging.add(new_judge("bench", "openai", "m", endpoint=url))
    return study


@cache
def _has_lm_eval() -> bool:
    """Whether lm-evaluation-harness is at hand; says so on stderr if it is not."""
    found = os.environ.get(PEERS)
    tried = found and subprocess.run([found, "-c", "import lm_eval"], capture_output=True)
    if not tried or tried.returncode:
        why = f"{found} cannot import lm_eval" if found else f"{PEERS} is not set"
        print(f"without lm-evaluation-harness: {why}", file=sys.stderr)
        return False
    return True


def _loop(kind: str, url: str, at_once: int, count: int, study: Path) -> Loop:
    words = ("-m", "tests.benchmarks.judge_loops", kind, url, str(at_once), str(count), str(study))
    command = python(*words)
    if kind == "lm-eval":
        command[0] = os.environ[PEERS]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if kind == "lm-eval" else None,  # it paints a bar there
        check=True,
    )
    return Loop(*json.loads(done.stdout))
