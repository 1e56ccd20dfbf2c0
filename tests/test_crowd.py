"""A crowd over a real sshd, whose sessions are killed, cut off, frozen and come back."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from core.records import Seen
from db.store import Store, utc_now
from tests.benchmarks.measure import make_study, markdown
from tests.crowd import (
    Crowd,
    Member,
    Press,
    Script,
    admit,
    audit,
    compared,
    open_assignments,
    pause,
    wait,
    wrong_loads,
)
from tests.processes import cpu_seconds
from tests.sshd import MINDFUL, Relay, Sshd, missing
from tests.waiting import PATIENCE

MEMBERS = 12
SECONDS = 22.0
"""For which mishaps go on; opening and closing come on top."""

STARTING, A_KEY = 200, 15
"""What a session may take of the CPU to start, and for a key, in starts of Python with nothing in
it: how fast a machine is does not matter. What spins takes more."""


def _presses(*acknowledged: int, seen: str) -> list[Press]:
    choices = dict(zip("1234", Seen, strict=True))
    return [
        Press(choices[one], 0.0, acknowledged=bool(told))
        for one, told in zip(seen, acknowledged, strict=True)
    ]


@pytest.mark.parametrize(
    ("seen", "told", "log", "lost", "unknown"),
    [
        ("1234", (1, 1, 1, 1), "1234", 0, 0),
        ("1234", (1, 0, 1, 1), "134", 0, 0),
        ("1234", (1, 0, 1, 1), "1234", 0, 0),
        ("1234", (1, 1, 1, 1), "124", 1, 0),
        ("1234", (1, 1, 1, 0), "", 3, 0),
        ("12", (1, 1), "122", 0, 1),
        ("11", (0, 1), "1", 0, 0),
        ("", (), "3", 0, 1),
        ("12", (1, 1), "21", 1, 1),
    ],
)
def test_what_is_lost_and_what_nobody_pressed_is_told(
    seen: str, told: tuple[int, ...], log: str, lost: int, unknown: int
) -> None:
    choices = dict(zip("1234", Seen, strict=True))
    logged = [choices[one] for one in log]
    assert compared(_presses(*told, seen=seen), logged) == (lost, unknown)


def bare_python() -> float:
    """Seconds of CPU that Python takes to start and to do nothing, here and now."""
    took = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return max(0.02, *took)


class Mishaps:
    """What happens to a crowd: each member votes for a while, then something befalls them."""

    def __init__(self, crowd: Crowd, study: Path, until: float) -> None:
        self.crowd = crowd
        self.study = study
        self.until = until
        self.befell: dict[str, int] = {}
        self.notes: list[str] = []
        self.busy: dict[int, tuple[int, float]] = {}
        self._bare = bare_python()
        self._random = Random("mishaps")

    def is_kept(self, note: str) -> bool:
        """Whether the study has a note as a draft, read from outside."""
        with closing(sqlite3.connect(self.study, timeout=PATIENCE)) as connection:
            return bool(
                connection.execute("SELECT 1 FROM draft WHERE note = ?", (note,)).fetchone()
            )

    def life(self, member: Member) -> Script:
        """Vote at a person's pace, and come back after each mishap."""
        note = ""
        while True:
            yield from self.crowd.joins(member)
            if note:
                yield from self._returns_to(member, note)
                note = ""
            for _ in range(self._random.randint(2, 5)):
                yield from pause(self._random.uniform(0.4, 1.4))
                yield from member.votes()
            if time.perf_counter() > self.until:
                return
            name, happens = self._random.choice(self._kinds())
            self.befell[name] = self.befell.get(name, 0) + 1
            if self._random.random() < 0.4:
                note = f"{member.name} thinks {len(self.notes)}"
                self.notes.append(note)
                yield from self._types(member, note)
                if name == "killed":  # what is typed is kept soon, not at once
                    yield from self._is_kept_soon(note)
            elif self._random.random() < 0.7:
                member.press()  # under way when it happens
                yield from pause(self._random.uniform(0.0, 0.06))
            yield from happens(member)
            if note:
                yield from self._is_kept_soon(note)

    def _types(self, member: Member, note: str) -> Script:
        member.send("n")
        yield from wait(lambda: member.hears("Note on this pair"), "no note opens")
        member.send(note)
        yield from wait(lambda: member.hears(note), "what is typed is not shown")

    def _is_kept_soon(self, note: str) -> Script:
        yield from wait(lambda: self.is_kept(note), f"{note!r} is not kept")

    def _returns_to(self, member: Member, note: str) -> Script:
        yield from wait(lambda: member.hears("✎ note"), f"{note!r} is not there at return")
        member.send("n")
        yield from wait(lambda: member.hears(note) and member.is_quiet, f"{note!r} is another")
        member.send("\x1b")  # alone: a key right behind it would make it Alt and that key
        yield from wait(lambda: member.hears("A is better"), "the note does not close")

    def _kinds(self) -> list[tuple[str, Callable[[Member], Script]]]:
        return [
            ("killed", self._is_killed),
            ("cut", self._is_cut),
            ("frozen", self._is_frozen),
            ("client killed", self._loses_client),
        ]

    def _is_killed(self, member: Member) -> Script:
        self.crowd.kill(member)
        yield from wait(lambda: not member.is_here, "a killed session stays connected")

    def _is_cut(self, member: Member) -> Script:
        assert member.relay is not None
        member.relay.cut()
        yield from wait(lambda: not member.is_here, "a cut line stays connected")

    def _is_frozen(self, member: Member) -> Script:
        """Nothing is read, nothing is closed: sshd has to find out by itself."""
        assert member.relay is not None
        member.relay.freeze()
        yield from pause(self._random.uniform(0.2, 1.0))
        self.crowd.hang_up(member)
        yield from pause(self._random.uniform(0.2, 1.0))

    def _loses_client(self, member: Member) -> Script:
        self.crowd.hang_up(member)
        yield from pause(self._random.uniform(0.1, 0.8))

    def watched(self) -> Script:
        """No session takes more of the CPU than its keys are worth."""
        people = {member.public.fingerprint: member for member in self.crowd.members}
        while time.perf_counter() < self.until:
            for pid, fingerprint in self.crowd.sshd.sessions().items():
                member = people[fingerprint]
                try:
                    used = cpu_seconds(pid)
                except OSError:  # it has just ended
                    continue
                first, _ = self.busy.setdefault(pid, (member.sent, used))
                self.busy[pid] = (first, used)
                keys = member.sent - first
                most = self._bare * (STARTING + A_KEY * keys)
                assert used < most, f"{member.name}'s session spins"
            yield from pause(0.5)


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing() or "sshd is here")
def test_whatever_befalls_a_crowd_no_vote_is_lost_and_nothing_left_over(tmp_path: Path) -> None:
    study = make_study(tmp_path / "crowd.db", 40, 2000, body=markdown, overlap=3)
    with ExitStack() as stack:
        sshd = stack.enter_context(Sshd(tmp_path / "sshd", config=MINDFUL))
        relays = [stack.enter_context(Relay(sshd.port)) for _ in range(MEMBERS)]
        members = [
            Member(f"member-{number}", sshd.new_key(f"member-{number}"), relay)
            for number, relay in enumerate(relays)
        ]
        admit(sshd, study, members)
        crowd = stack.enter_context(Crowd(sshd, members))
        mishaps = Mishaps(crowd, study, time.perf_counter() + SECONDS)
        crowd.play([mishaps.watched(), *map(mishaps.life, members)])
        assert sum(mishaps.befell.values()) >= MEMBERS
        assert mishaps.notes

        leaving, killed, staying = members[:4], members[4:9], members[9:]
        crowd.play(map(crowd.leaves, leaving))
        for member in killed:
            crowd.kill(member)
        crowd.play(_ends(crowd, staying))
        _idle(crowd)
        later = timedelta(hours=2)
        with Store(study, clock=lambda: utc_now() + later) as store:
            assert open_assignments(store) > 0
            assert wrong_loads(store) == 0
            store.serving.expire_all()
            assert open_assignments(store) == 0, "a lease ran out and its pair is not free"
        crowd.play(member.votes() for member in staying)
        crowd.play(map(crowd.leaves, staying))
        crowd.play(_ends(crowd, []))
        _is_whole(study, members, mishaps.notes)


def _ends(crowd: Crowd, staying: Sequence[Member]) -> Iterator[Script]:
    """Nothing runs but for those who are still there."""
    keys = sorted(member.public.fingerprint for member in staying)
    sshd = crowd.sshd
    yield wait(lambda: sorted(sshd.sessions().values()) == keys, "a session is left over")
    yield wait(lambda: len(sshd.connections()) == len(keys), "a connection is left over")


def _idle(crowd: Crowd) -> None:
    """Those who are there and press nothing cost next to nothing."""
    deadline = time.perf_counter() + PATIENCE
    busy = True
    while busy:  # what is fetched ahead behind the last key comes to its end
        assert time.perf_counter() < deadline, "an idle session is busy"
        before = {pid: cpu_seconds(pid) for pid in crowd.sshd.sessions()}
        assert before
        crowd.play([pause(3)])
        busy = any(cpu_seconds(pid) - used >= 0.3 for pid, used in before.items())


def _is_whole(study: Path, members: list[Member], notes: list[str]) -> None:
    with Store(study) as store:
        found = audit(store, members)
        assert found.acknowledged > 3 * MEMBERS
        assert (found.lost, found.doubled, found.unknown) == (0, 0, 0)
        assert store.verify() == []
        assert wrong_loads(store) == 0
        kept = [
            note
            for (note,) in store.connection.execute(
                "SELECT note FROM vote WHERE note != '' UNION ALL "
                "SELECT note FROM draft WHERE note != ''"
            )
        ]
        assert sorted(kept) == sorted(notes)
