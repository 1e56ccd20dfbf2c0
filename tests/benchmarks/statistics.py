"""The statistics beside peers on the same generated votes, from ten thousand votes to five million.

Peers are looked for in the virtual environment that ``TIEBREAK_PEERS`` names, or else in ours.
Each program runs in a process of its own, with BLAS on one thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Row
from tests.benchmarks.peers import PEERS
from tests.benchmarks.votes import write

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
PATIENCE = 150.0
"""Seconds that a peer may take over one size."""

PARTNER = {"evalica": "ranking", "arena-rank": "ranking", "crowd-kit": "ranking"}
"""Our statistic that a peer's is set beside; α for the rest."""

_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_HERE = Path(__file__).parent
_LEAST = 1e-6


def rows(*, sizes: Sequence[int] = SIZES) -> Iterator[Row]:
    """For each size: every statistic after one vote, then what peers take for theirs.

    Args:
        sizes: votes, the fewest first: what a vote costs with more of them is set beside these.
    """
    first: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = write(Path(folder) / "votes.npz", size)
            ours = _run([sys.executable, "-m", "tests.benchmarks.counting", str(path)], None)
            first = first or ours
            yield from _own(size, ours, first["refresh"], sizes[0])
            yield from _work(size, ours, first["work"])
            for peer in PEERS:
                yield from _beside(peer, size, path, ours)


def _own(size: int, ours: dict[str, Any], first: dict[str, float], smallest: int) -> Iterator[Row]:
    """Our refreshes; the baseline is the same with the fewest votes, so that 1 is flat."""
    fewest = f"the same at {_many(smallest)}"
    for follows in (True, False):
        for id, seconds in ours["refresh"].items():
            if ours["follows"][id] == follows and max(seconds, first[id]) > _LEAST:
                what = f"{_many(size)} votes, 1 more: {id}{'' if follows else ' *'}"
                yield Row(what, 1000 * seconds, 1000 * first[id], "ms", fewest)


def _work(size: int, ours: dict[str, Any], first: dict[str, Any]) -> Iterator[Row]:
    """Full fits, which no refresh waits for, and the longest that a look at new votes waits."""
    fewest = f"the same at {_many(SIZES[0])}"
    for id, seconds in ours["work"].items():
        for what, mine, baseline in zip(
            ("full fit", "longest part"), seconds, first[id], strict=True
        ):
            yield Row(
                f"{_many(size)} votes, {id}: {what}", 1000 * mine, 1000 * baseline, "ms", fewest
            )


def _beside(peer: str, size: int, path: Path, ours: dict[str, Any]) -> Iterator[Row]:
    program = [_python(), str(_HERE / "peers.py"), peer, str(path)]
    try:
        its = _run(program, PATIENCE)
    except subprocess.TimeoutExpired:
        its = {"absent": f"took over {PATIENCE:.0f} s"}
    except RuntimeError as failed:
        its = {"absent": str(failed)}
    if why := its.get("absent"):
        print(f"{_many(size)} votes, {peer}: {why}", file=sys.stderr)
        return
    partner = PARTNER.get(peer, "alpha")
    what = f"{_many(size)} votes, {'Bradley–Terry' if partner == 'ranking' else 'α'}"
    name = f"{peer} {its['version']}"
    noted = f"{name}, {its['note']}"
    yield Row(f"{what}: first load", 1000 * ours["load"], 1000 * its["load"], "ms", name)
    # Nothing of it is looked up: a vote came, so that point and interval are worked out again.
    mine = 1000 * ours["refresh"][partner]
    if "point" in its:
        yield Row(f"{what}: point (ours with interval)", mine, 1000 * its["point"], "ms", name)
    if "both" in its:
        yield Row(f"{what}: point and interval", mine, 1000 * its["both"], "ms", noted)
    refreshed = mine + 1000 * ours["catching"]
    yield Row(f"{what}: after 1 more vote", refreshed, 1000 * its["refresh"], "ms", noted)


def _run(program: list[str], patience: float | None) -> dict[str, Any]:
    done = subprocess.run(
        program,
        capture_output=True,
        text=True,
        timeout=patience,
        cwd=_HERE.parents[1],
        env={**os.environ, **_ONE_THREAD},
        check=False,
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["it failed"])[-1])
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _python() -> str:
    peers = os.environ.get("TIEBREAK_PEERS")
    return str(Path(peers) / "bin" / "python") if peers else sys.executable


def _many(votes: int) -> str:
    return f"{votes // 1_000_000} M" if votes >= 1_000_000 else f"{votes // 1000} k"
