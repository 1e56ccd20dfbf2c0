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
from importlib.util import find_spec
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
"""The environment variable that names a Python in which lm-evaluation-harness, FastChat, or both
are installed. The latter: ``pip install --no-deps fschat 'openai<1'``; of the models that it could
run itself nothing is needed."""

_TITLES = {
    "aiohttp": "bare aiohttp",
    "openai": "bare openai[aiohttp]",
    "aiohttp+uvloop": "bare aiohttp on uvloop",
    "openai+uvloop": "bare openai on uvloop",
    "lm-eval": "lm-evaluation-harness",
    "fastchat": "FastChat",
}
_NEEDS = {"lm-eval": "lm_eval", "fastchat": "fastchat.conversation, openai, aiohttp"}
"""What a peer's Python must be able to import."""

VERDICTS_A_QUESTION = 12
VOTES = 100
_BLOCKS = 3
"""Votes in a row with judges and without, and how often each."""


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
    kinds = ["ours", "aiohttp", "openai"]
    if find_spec("uvloop") is not None:
        kinds += ["aiohttp+uvloop", "openai+uvloop"]
    kinds += [peer for peer in _NEEDS if _has(peer)]
    with FixedServer(delay) as server:
        loops = {
            kind: _loop(kind, server.url, at_once, count, _study(folder, server.url, count))
            for kind in kinds
        }
    ours = loops.pop("ours")
    ideal = at_once / delay
    on = "uvloop" if "aiohttp+uvloop" in loops else "asyncio"
    yield Row(f"verdicts stored, {where}, on {on}", ours.rate, ideal, "calls/s", "ideal")
    for kind, loop in loops.items():
        title = _TITLES[kind]
        yield Row(f"  beside {title}", ours.rate, loop.rate, "calls/s", title)
        yield Row(f"  CPU beside {title}", ours.cpu, loop.cpu, "ms/call", title)


def _memory(folder: Path, count: int) -> Iterator[Row]:
    with FixedServer(0.0) as server:
        few = _loop("ours", server.url, 64, count // 10, _study(folder, server.url, count // 10))
        many = _loop("ours", server.url, 64, count, _study(folder, server.url, count))
    title = f"peak memory, {count:,} verdicts"
    yield Row(title, many.peak, few.peak, "MiB", f"{count // 10:,} verdicts")


def _voting(folder: Path) -> Iterator[Row]:
    with FixedServer(0.05) as fast, FixedServer(0.5) as slow:
        study = _study(folder, fast.url, 60_000)
        with Store(study) as store:
            store.judging.add(new_judge("slow", "openai", "m", endpoint=slow.url))
        times: dict[str, list[float]] = {"without judges": [], "usual": [], "at their most": []}
        for _ in range(_BLOCKS):
            times["without judges"] += _cast(study)
            with _at_work(study, "slow", 8):
                times["usual"] += _cast(study)
            with _at_work(study, "bench", 64):
                times["at their most"] += _cast(study)
    calm = p50_p95(times["without judges"])
    for how, title in (("usual", "8 × 500 ms"), ("at their most", "64 × 50 ms")):
        for part, now, then in zip(("p50", "p95"), p50_p95(times[how]), calm, strict=True):
            what = f"a vote while judges work, {title}, {part}"
            yield Row(what, now * 1000, then * 1000, "ms", "without judges")


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
def _at_work(study: Path, judge: str, at_once: int) -> Iterator[None]:
    arguments = ["--db", str(study), "judge", "run", judge, "--concurrency", str(at_once)]
    with Store(study) as store:
        enough = _verdicts(store) + 3 * at_once
        with subprocess.Popen(
            python("-m", "tui", *arguments), cwd=ROOT, stderr=subprocess.DEVNULL
        ) as process:
            while _verdicts(store) < enough:
                assert process.poll() is None, "the judges ended before they were at work"
                time.sleep(0.05)
            yield
            assert process.poll() is None, "the judges were done before the votes"
            process.terminate()


def _verdicts(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute("SELECT max(seq) FROM verdict").fetchone()[0] or 0)


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
def _has(peer: str) -> bool:
    """Whether a peer is at hand; says why on stderr if it is not."""
    if found := os.environ.get(PEERS):
        command = [found, "-c", f"import {_NEEDS[peer]}"]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return True
        why = f"{found}: {(tried.stderr.splitlines() or ['it fails'])[-1]}"
    else:
        why = f"{PEERS} is not set"
    print(f"without {_TITLES[peer]}: {why}", file=sys.stderr)
    return False


def _loop(kind: str, url: str, at_once: int, count: int, study: Path) -> Loop:
    words = ("-m", "tests.benchmarks.judge_loops", kind, url, str(at_once), str(count), str(study))
    command = python(*words)
    if kind in _NEEDS:
        command[0] = os.environ[PEERS]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if kind in _NEEDS else None,  # one paints a bar there
        check=True,
    )
    return Loop(*json.loads(done.stdout))
