"""Many annotators at once: each with a key of their own, in a pty, through a real sshd.

One process reads all their terminals as bytes, without drawing a screen, so that what is measured
is the sessions and not who watches them. What each member does is a script: a generator that
yields while it waits.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Self

from core.records import Annotator, Seen
from core.saying import SAID
from core.ssh_keys import read_keys
from db.store import Store
from tests.sshd import Relay, Sshd
from tests.terminal import Terminal
from tests.waiting import PATIENCE

Script = Generator[None, None, None]

QUIET = 0.08
"""Seconds without a byte after which a screen counts as painted."""

_AFTERWARDS = 0.5
"""Seconds of silence after which a byte is no longer what a key brought about."""

_KEYS = {Seen.LEFT: "1", Seen.RIGHT: "2", Seen.TIE: "3", Seen.BOTH_BAD: "4"}


@dataclass(slots=True)
class Press:
    """A vote key: when it was pressed, whether its vote was said to be saved, the last byte."""

    seen: Seen
    at: float
    acknowledged: bool = False
    last: float = 0.0

    @property
    def seconds(self) -> float:
        """From the key to the last byte that it brought."""
        return self.last - self.at


class Member:
    """One annotator, over all their logins.

    Attributes:
        heard: what came since the last key.
        presses: every vote key of every login, in order.
        sent: how many keys of any kind.
        refused: votes that were said not to be saved.
    """

    greeting = b"saved as you cast them"
    """What the first screen ends with."""

    def __init__(self, name: str, key: Path, relay: Relay | None = None) -> None:
        self.name = name
        self.key = key
        (public,) = read_keys(key.with_suffix(".pub").read_bytes(), name)
        self.public = public
        self.relay = relay
        self.terminal: Terminal | None = None
        self.heard = bytearray()
        self.heard_at = 0.0
        self.presses: list[Press] = []
        self.sent = 0
        self.refused = 0
        self._choices = cycle(_KEYS)
        self._seat = ExitStack()

    @property
    def is_here(self) -> bool:
        """Whether the connection stands, as far as can be told from this side."""
        return self.terminal is not None

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came for a while."""
        return time.perf_counter() - self.heard_at > QUIET

    def hears(self, wanted: str) -> bool:
        """Whether this came since the last key."""
        return wanted.encode() in self.heard

    def send(self, keys: str) -> None:
        """Press keys; what came before them is forgotten."""
        self.heard.clear()
        self.sent += len(keys)
        if self.terminal is not None:
            with contextlib.suppress(OSError):  # it is gone; reading will say so
                self.terminal.send(keys)

    def press(self) -> Press:
        """Press the next vote key: each outcome in turn, so that no two messages are the same."""
        one = Press(next(self._choices), time.perf_counter())
        self.presses.append(one)
        self.send(self.key_for(one.seen))
        return one

    def key_for(self, seen: Seen) -> str:
        """The key that votes so."""
        return _KEYS[seen]

    def acknowledges(self, seen: Seen) -> bool:
        """Whether what came says that this vote is saved."""
        return self.hears(f"Saved: {SAID[seen]}")

    def sit_down(self, terminal: Terminal, seat: ExitStack) -> None:
        """Begin a login."""
        self.heard.clear()
        self.terminal, self._seat = terminal, seat

    def take(self, data: bytes) -> None:
        """Listen."""
        self.heard += data
        now = time.perf_counter()
        if self.presses:
            press = self.presses[-1]
            if not press.acknowledged or now - press.last < _AFTERWARDS:
                press.last = now
            press.acknowledged = press.acknowledged or self.acknowledges(press.seen)
        self.heard_at = now

    def stand_up(self) -> None:
        """End the client, if it has not ended, and its terminal."""
        self.terminal = None
        self._seat.close()

    # ── scripts ─────────────────────────────────────────────────────────────

    def votes(self) -> Script:
        """Vote once, and wait for the whole of what comes next, or until the line is gone."""

        def is_answered() -> bool:
            is_told = self.presses[-1].acknowledged and self.is_quiet
            return is_told or self.hears("Not saved") or not self.is_here

        while True:
            self.press()
            try:
                yield from wait(is_answered, f"{self.name} hears nothing about a vote")
            except AssertionError as error:
                error.add_note(f"but: {bytes(self.heard[-2000:])!r}")
                raise
            if self.presses[-1].acknowledged or not self.is_here:
                return
            self.refused += 1


class Crowd:
    """Members in one study, and their terminals, all read here.

    Args:
        size: of each terminal, columns and rows.
    """

    def __init__(
        self, sshd: Sshd, members: Sequence[Member], *, size: tuple[int, int] = (120, 40)
    ) -> None:
        self.sshd = sshd
        self.members = list(members)
        self._size = size
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for member in self.members:
            self.hang_up(member)
        self._selector.close()

    def play(self, scripts: Iterable[Script]) -> None:
        """Play scripts side by side to their ends, and read all that comes meanwhile."""
        left = list(scripts)
        while left:
            self._read(0.01)
            left = [script for script in left if next(script, _OVER) is not _OVER]

    def _read(self, seconds: float) -> None:
        for selected, _ in self._selector.select(seconds):
            member: Member = selected.data
            try:
                data = os.read(selected.fd, 1 << 16)
            except OSError:  # the other side is gone
                data = b""
            if data:
                member.take(data)
            else:
                self.hang_up(member)

    def joins(self, member: Member) -> Script:
        """Log in, and wait for the first screen."""
        assert not member.is_here
        columns, rows = self._size
        port = member.relay.port if member.relay is not None else None
        seat = ExitStack()
        terminal = seat.enter_context(
            self.sshd.connect(member.key, port=port, columns=columns, rows=rows)
        )
        member.sit_down(terminal, seat)
        self._selector.register(terminal.master, selectors.EVENT_READ, member)
        yield from wait(
            lambda: (member.greeting in member.heard and member.is_quiet) or not member.is_here,
            f"{member.name} sees no first screen",
        )
        assert member.is_here, f"{member.name} was not let in: {bytes(member.heard[-300:])!r}"

    def leaves(self, member: Member) -> Script:
        """Leave as one should, and wait for the end of it."""
        member.send("\x11")
        yield from wait(lambda: not member.is_here, f"{member.name} cannot leave")

    def hang_up(self, member: Member) -> None:
        """End a member's client at once, if it still runs."""
        if member.terminal is not None:
            self._selector.unregister(member.terminal.master)
            member.stand_up()

    def kill(self, member: Member) -> None:
        """Kill the processes of a member's sessions, wherever they are in their work."""
        for pid, fingerprint in self.sshd.sessions().items():
            if fingerprint == member.public.fingerprint:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


_OVER = object()


def pause(seconds: float) -> Script:
    """Do nothing for a while."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        yield


def wait(true: Callable[[], bool], otherwise: str, seconds: float = PATIENCE) -> Script:
    """Do nothing until something is true.

    Raises:
        AssertionError: if that takes too long.
    """
    until = time.perf_counter() + seconds
    while not true():
        assert time.perf_counter() < until, otherwise
        yield


def admit(sshd: Sshd, study: Path, members: Sequence[Member]) -> None:
    """Let members of a study in, each into a session of their own."""
    with Store(study) as store:
        for member in members:
            store.people.add(Annotator(member.name), [member.public])
    command = [str(sshd.python), "-I", "-m", "tui", "--db", str(study), "ssh", "authorized-keys"]
    sshd.authorize(subprocess.check_output(command, text=True))


@dataclass(frozen=True, slots=True)
class Audit:
    """What the log says of what members were told.

    Attributes:
        votes: in the log.
        acknowledged: said to be saved.
        lost: said to be saved, and not there.
        doubled: a second one for the same key.
        unknown: there, though nobody pressed for it, or not under the key of who did.
    """

    votes: int
    acknowledged: int
    lost: int
    doubled: int
    unknown: int


def audit(store: Store, members: Sequence[Member]) -> Audit:
    """Compare the log with what each member pressed and was told.

    A member's votes must be their vote keys in order, without some that were not acknowledged.
    """
    lost = doubled = unknown = votes = 0
    for member in members:
        rows = store.connection.execute(
            "SELECT seen, assignment_id, turn, identity FROM vote WHERE annotator_id = "
            "(SELECT id FROM annotator WHERE name = ?) ORDER BY seq",
            (member.name,),
        ).fetchall()
        votes += len(rows)
        doubled += len(rows) - len({(assignment, turn) for _, assignment, turn, _ in rows})
        unknown += sum(who != f"ssh:{member.public.fingerprint}" for *_, who in rows)
        missed, invented = compared(member.presses, [seen for seen, *_ in rows])
        lost += missed
        unknown += invented
    told = sum(press.acknowledged for member in members for press in member.presses)
    return Audit(votes, told, lost, doubled, unknown)


def compared(presses: Sequence[Press], log: Sequence[str]) -> tuple[int, int]:
    """How many acknowledged presses a log lacks, and how much of it nobody pressed, at the least.

    An edit distance in which leaving out a press that nobody acknowledged is free.
    """
    row = [(n, 0, n) for n in range(len(log) + 1)]  # edits, acknowledged left out, invented
    for press in presses:
        cost = int(press.acknowledged)
        before, row = row, [(row[0][0] + cost, row[0][1] + cost, row[0][2])]
        for place, seen in enumerate(log, 1):
            skipped, invented = before[place], row[place - 1]
            options = [
                (skipped[0] + cost, skipped[1] + cost, skipped[2]),
                (invented[0] + 1, invented[1], invented[2] + 1),
            ]
            if press.seen == seen:
                options.append(before[place - 1])
            row.append(min(options))
    return row[-1][1], row[-1][2]


def wrong_loads(store: Store) -> int:
    """Pairs whose load is not what their assignments say."""
    (count,) = store.connection.execute(
        "SELECT count(*) FROM queue q WHERE load != (SELECT count(*) FROM assignment a "
        "WHERE a.pair_id = q.pair_id AND repeat = 0 AND state IN ('open', 'done'))"
    ).fetchone()
    return int(count)


def open_assignments(store: Store) -> int:
    """Assignments that hold a slot without a vote."""
    (count,) = store.connection.execute(
        "SELECT count(*) FROM assignment WHERE state = 'open'"
    ).fetchone()
    return int(count)
