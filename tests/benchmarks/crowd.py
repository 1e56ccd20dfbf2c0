"""Fifty people at once through a real sshd, against one alone in the same run.

Not among the parts that run by default: it takes minutes, and wants the machine for itself.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from core.records import Seen
from db.store import Store
from tests.benchmarks.keys import BARE, WARM_UP
from tests.benchmarks.measure import Row, make_study, markdown, p50_p95
from tests.crowd import Crowd, Member, Script, admit, audit, pause, wrong_loads
from tests.processes import (
    busy_seconds,
    cpu_seconds,
    family,
    processes,
    proportional_memory,
)
from tests.sshd import MINDFUL, Sshd, authorized, missing

MANY, FEWER = 50, 20
SIZE = (120, 40)
LENGTH = 2000

ALONE = 30
"""Votes of a single session, before the crowd and again after it."""

SETTLING = 2.0
"""Seconds after which a session has done what it does once, behind its first screen."""


class BareMember(Member):
    """Somebody at the bare app, where a key swaps two texts and nothing is said."""

    greeting = b"swap"

    def key_for(self, seen: Seen) -> str:
        """The only one there is."""
        return "1"

    def acknowledges(self, seen: Seen) -> bool:
        """Whether anything came."""
        return bool(self.heard)


@dataclass(slots=True)
class Phase:
    """What some members' votes cost while all of them voted at one pace.

    Attributes:
        seconds: from each key to its last byte.
        took: the whole phase, in seconds.
        cpu: seconds of all sessions' processes.
        memory: MiB of each session's process, its part of what is shared included.
    """

    seconds: list[float] = field(default_factory=list)
    took: float = 0.0
    cpu: float = 0.0
    memory: list[float] = field(default_factory=list)

    @property
    def milliseconds(self) -> tuple[float, float]:
        """The median and the 95th percentile."""
        p50, p95 = p50_p95(self.seconds)
        return p50 * 1e3, p95 * 1e3

    @property
    def cpu_of_a_vote(self) -> float:
        """Milliseconds, what a session does between two votes included."""
        return self.cpu / len(self.seconds) * 1e3


def rows(*, full: bool = False) -> Iterator[Row]:
    """The rows of the table; none, with the reason, where there is no sshd.

    Args:
        full: votes of fifty people at a vote per ten seconds for five minutes, not for one.
    """
    if reason := missing():
        print(f"crowd: left out, {reason}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        sshd = stack.enter_context(Sshd(folder / "sshd", config=MINDFUL))
        bare = _voting(sshd, _bare(sshd, MANY), pace=10.0, seconds=30.0)
        study = make_study(folder / "crowd.db", 80, LENGTH, body=markdown, overlap=MANY)
        members = [Member(f"m{n}", sshd.new_key(f"m{n}")) for n in range(MANY)]
        admit(sshd, study, members)
        crowd = stack.enter_context(Crowd(sshd, members, size=SIZE))
        alone = Phase()
        _alone(crowd, alone)
        crowd.play(map(crowd.joins, members))
        crowd.play([pause(SETTLING)])
        phases = {
            f"{MANY} at a vote per 10 s": _phase(crowd, members, 10.0, 300.0 if full else 60.0),
            f"{MANY} as fast as they can": _phase(crowd, members, 0.0, 20.0),
            f"{FEWER} at a vote a second": _fewer(crowd),
        }
        crowd.play(map(crowd.leaves, members[:FEWER]))
        _alone(crowd, alone)
        yield from _times(alone, phases)
        yield from _costs(phases, bare)
        yield from _mistakes(study, members)


def _bare(sshd: Sshd, count: int) -> list[BareMember]:
    members = [BareMember(f"b{n}", sshd.new_key(f"b{n}")) for n in range(count)]
    command = f'command="exec {shlex.join([str(sshd.python), *BARE])}"'
    sshd.authorize(*(authorized(member.key, "restrict", "pty", command) for member in members))
    return members


def _voting(sshd: Sshd, members: Sequence[Member], *, pace: float, seconds: float) -> Phase:
    """A crowd that comes, votes and leaves."""
    with Crowd(sshd, members, size=SIZE) as crowd:
        crowd.play(map(crowd.joins, members))
        crowd.play([pause(SETTLING)])
        phase = _phase(crowd, members, pace, seconds)
        crowd.play(map(crowd.leaves, members))
    return phase


def _fewer(crowd: Crowd) -> Phase:
    crowd.play(map(crowd.leaves, crowd.members[FEWER:]))
    return _phase(crowd, crowd.members[:FEWER], 1.0, 30.0)


def _alone(crowd: Crowd, phase: Phase) -> None:
    """Add what votes cost somebody who has the machine alone."""
    member = crowd.members[0]
    crowd.play([crowd.joins(member)])
    crowd.play([pause(SETTLING)])
    before = len(member.presses)
    for _ in range(WARM_UP + ALONE):
        crowd.play([member.votes()])
        crowd.play([pause(0.3)])
    _told("1 alone")
    phase.seconds += [press.seconds for press in member.presses[before + WARM_UP :]]
    crowd.play([crowd.leaves(member)])


def _phase(crowd: Crowd, members: Sequence[Member], pace: float, seconds: float) -> Phase:
    """Let members vote, each ``pace`` seconds after their last vote or at once."""
    before = {member.name: len(member.presses) for member in members}
    used = _used(crowd.sshd)
    busy, own = busy_seconds(), _of_this_benchmark()
    began = time.perf_counter()
    until = began + seconds
    crowd.play(_paced(member, pace, until, Random(member.name)) for member in members)
    phase = Phase(took=time.perf_counter() - began)
    others = (busy_seconds() - busy) - (_of_this_benchmark() - own)
    crowd.play([pause(0.5)])
    now = _used(crowd.sshd)
    phase.cpu = sum(now[pid] - used.get(pid, 0.0) for pid in now)
    phase.memory = [proportional_memory(pid) for pid in now]
    for member in members:
        phase.seconds += [press.seconds for press in member.presses[before[member.name] :]]
    rate = len(phase.seconds) / phase.took
    taken = max(others, 0.0) / phase.took
    _told(f"{len(members)} at {pace:g} s: {rate:.1f} votes/s; other work took {taken:.1f} cores")
    return phase


def _paced(member: Member, pace: float, until: float, random: Random) -> Script:
    due = time.perf_counter() + random.uniform(0.0, pace)  # they did not all begin at once
    while True:
        now = time.perf_counter()
        if max(due, now) >= until:
            return
        yield from pause(due - now)
        yield from member.votes()
        assert member.is_here, f"{member.name}'s session ended: {bytes(member.heard[-300:])!r}"
        due = max(time.perf_counter(), due + pace * random.uniform(0.8, 1.2))


def _used(sshd: Sshd) -> dict[int, float]:
    """Seconds of CPU of every session of this sshd's, ours or bare."""
    python = f"{sshd.python}\0".encode()
    return {pid: cpu_seconds(pid) for pid, line in processes() if line.startswith(python)}


def _of_this_benchmark() -> float:
    """Seconds of CPU of everything that runs for it: clients, servers, sessions."""
    total = 0.0
    for pid in family(os.getpid()):
        with contextlib.suppress(OSError):
            total += cpu_seconds(pid)
    return total


def _told(what: str) -> None:
    load = os.getloadavg()[0]
    print(f"crowd: {what}; load average {load:.1f} on {os.cpu_count()} cores", file=sys.stderr)


def _times(alone: Phase, phases: dict[str, Phase]) -> Iterator[Row]:
    for name, phase in phases.items():
        for place, quantile in enumerate(("p50", "p95")):
            here, base = phase.milliseconds[place], alone.milliseconds[place]
            yield Row(f"key to last byte, {name}, {quantile}", here, base, "ms", "1 session alone")
        rate = len(phase.seconds) / phase.took
        yield Row(f"votes, {name}", rate, 1e3 / alone.milliseconds[0], "votes/s", "1, no pause")


def _costs(phases: dict[str, Phase], bare: Phase) -> Iterator[Row]:
    name = f"bare, {MANY} at a key per 10 s"
    calm = next(iter(phases.values()))
    mine, theirs = (sum(phase.memory) / len(phase.memory) for phase in (calm, bare))
    yield Row(f"memory of each of {MANY} sessions, PSS", mine, theirs, "MiB", name)
    for pace, phase in phases.items():
        yield Row(f"CPU of a vote, {pace}", phase.cpu_of_a_vote, bare.cpu_of_a_vote, "ms", name)
    for place, quantile in enumerate(("p50", "p95")):
        here, there = calm.milliseconds[place], bare.milliseconds[place]
        yield Row(
            f"key to last byte, {MANY} at a vote per 10 s, {quantile}", here, there, "ms", name
        )


def _mistakes(study: Path, members: Sequence[Member]) -> Iterator[Row]:
    with Store(study) as store:
        found = audit(store, members)
        broken = len(store.verify()) + wrong_loads(store)
    name = "said to be saved"
    told = float(found.acknowledged)
    yield Row("votes lost", found.lost, told, "votes", name)
    yield Row("votes doubled", found.doubled, told, "votes", name)
    yield Row("votes nobody cast", found.unknown, told, "votes", name)
    yield Row("breaks of the chain, wrong loads", broken, told, "", name)
    refused = sum(member.refused for member in members)
    yield Row("votes refused, tried again", refused, told, "votes", name)
