"""A real terminal for tests: a process in a pty, its screen as pyte sees it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pyte

from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent

_WIDEST, _TALLEST = 300, 100
"""What the screen follows of a larger window."""

HASTY = "Not saved: that was at once"
"""Begins what is said of a key that came before the screen it is about was painted."""


class Reader(Protocol):
    """What is fed with the bytes that a process sends."""

    def feed(self, data: bytes) -> None: ...


class Terminal:
    """One process, its pty and its screen.

    Attributes:
        raw: every byte that came.
        stream: reads them; pyte, for the screen, unless a test puts something else here.
    """

    def __init__(self, pid: int, master: int, columns: int, rows: int) -> None:
        self.pid = pid
        self.master = master
        self.raw = bytearray()
        self.screen = pyte.Screen(columns, rows)
        self.stream: Reader = pyte.ByteStream(self.screen)
        self.status: int | None = None
        self.is_watched = True  # whether the screen follows what is read, which takes its time
        self.last_read = 0.0  # by :func:`time.perf_counter`

    def send(self, keys: str | bytes) -> None:
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def read(self, seconds: float = 0.02) -> bool:
        """Take what is there; whether there was anything."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:  # the other side is gone
            return False
        self.last_read = time.perf_counter()
        self.raw += data
        if self.is_watched:
            self.stream.feed(data)
        return bool(data)

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def until(self, true: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Read until something is true of the screen."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"never came true; the screen was:\n{self.text()}")
            self.read()

    def shows(self, wanted: str, seconds: float = PATIENCE) -> None:
        self.until(lambda: wanted in self.text(), seconds)

    def decides(self, key: str, came: str | Callable[[], bool]) -> None:
        """Press a key that votes or rules until something came of it.

        A text is on the screen a moment before the app may be told what to make of it: a key that
        is said to have come too soon has done nothing, and is pressed again.
        """
        for _ in range(9):
            if self._presses(key, came if callable(came) else lambda: came in self.text()):
                return
            self.drain()
        raise AssertionError(f"nothing came of {key!r}; the screen was:\n{self.text()}")

    def _presses(self, key: str, came: Callable[[], bool]) -> bool:
        """Press a key and wait for what comes of it; False where it is said to be too soon."""
        # What is said already is not painted again: then only silence tells.
        is_said = HASTY in self.text()
        silent = time.monotonic() + 20
        self.send(key)
        self.until(
            lambda: came() or (time.monotonic() > silent if is_said else HASTY in self.text())
        )
        return came()

    def drain(self) -> None:
        while self.read(0.05):
            pass

    def ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is not None

    def wait(self, seconds: float = PATIENCE) -> int:
        """The exit code, negative for a signal."""
        self.until(self.ended, seconds)
        assert self.status is not None
        return os.waitstatus_to_exitcode(self.status)

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)


@contextmanager
def terminal(
    arguments: Sequence[str] = (),
    *,
    columns: int = 80,
    rows: int = 24,
    term: str = "xterm-256color",
    python: Sequence[str] | None = None,
    command: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """Run ``tiebreak`` with these arguments in a pty of that size.

    Args:
        python: arguments for the interpreter itself, to run something else.
        command: another program and its arguments.
        environment: variables to add.
    """
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "TERM": term,
        "COLUMNS": "",
        "LINES": "",
        "LANG": "C.UTF-8",
        "XDG_CONFIG_HOME": os.devnull,  # nobody's own settings
        **(environment or {}),
    }
    ours = [sys.executable, *(python or ["-m", "tui", *arguments])]
    with in_pty(command or ours, variables, columns, rows) as one:
        yield one


@contextmanager
def in_pty(
    command: Sequence[str], environment: Mapping[str, str], columns: int, rows: int
) -> Iterator[Terminal]:
    """Run a command in a pty of that size, with these variables and no others."""
    pid, master = pty.fork()
    if pid == 0:
        # Here and not from outside, so that it is there before anybody asks for it.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.chdir(ROOT)
        os.execvpe(command[0], list(command), dict(environment))
    one = Terminal(pid, master, min(columns, _WIDEST), min(rows, _TALLEST))
    try:
        yield one
    finally:
        if not one.ended():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(master)
