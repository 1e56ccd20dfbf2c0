"""Judges behind the screen: a process of its own, so that no key waits for a judge's work.

It gives way to people, see :mod:`tui.giving_way`, is one for each study and host, and ends with
the app that started it, however that ends: what it reads from is a pipe that the kernel closes
then. What it had under way is in the queue again for whoever works next.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from core.errors import TiebreakError
from core.text import one_line

_ROOT = Path(__file__).parent.parent

# Isolated, an interpreter finds what is installed; and this very program, wherever it lies.
_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from tui.background_judges import main; main(*sys.argv[1:])"
)

_LOWER = 10
"""Steps of ``nice`` by which it gives way to who started it, and to others."""

_GRACE = 4.0
"""Seconds that calls under way get to be recorded once it is to end."""

_TURN = 0.05
"""Seconds between two transactions of a judge. A vote waits for the one before it: with the usual
8 ms, and the processors busy, votes took twice as long while judges worked."""

_PIECE = 2**16
_LONGEST = 300
"""Characters: of two texts as JSON a pipe takes 4,096 bytes whole or not at all."""

_SECOND = 75
"""The exit code where its place is taken."""


class BackgroundJudges:
    """Judges that work while people vote, and wait for more when nothing is left for them.

    Args:
        concurrency: calls at once, for each judge.
        pace: seconds between verdicts; for showing the work, not for doing it.

    Attributes:
        refusal: what ended it before its time, if anything did; known once it has ended.
        is_second: whether it ended at once, because judges work behind another screen already.
    """

    def __init__(self, study: Path, *, concurrency: int = 8, pace: float = 0.0) -> None:
        self._arguments = [str(study.absolute()), str(concurrency), str(pace)]
        self._process: subprocess.Popen[bytes] | None = None
        self._coming = b""
        self._news = ""
        self.refusal: TiebreakError | None = None
        self.is_second = False

    def start(self) -> None:
        """Start the process; it says nothing on the terminal."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, str(_ROOT), *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # what is typed at the terminal is not for it
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    @property
    def pid(self) -> int | None:
        """The process; None before :meth:`start`."""
        return None if self._process is None else self._process.pid

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end."""
        stdin = None if self._process is None else self._process.stdin
        return stdin is not None and stdin.closed

    def is_alive(self) -> bool:
        """Whether it is still there; if not, and nobody told it to end, the attributes say why."""
        if self._process is None or self._process.poll() is None:
            return self._process is not None
        self._learn()
        return False

    def end(self) -> None:
        """Stop soon: no call begins any more, and those under way get some seconds."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended; kill it where it was told to end and does not.

        Args:
            timeout: seconds.
        """
        if self._process is None:
            return
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            if not self.is_ending:
                return
            self._process.kill()  # what it had under way is in the queue
            self._process.wait()
        self._learn()

    def news(self) -> str:
        """What it said last since this was asked before; empty if nothing."""
        self._listen()
        news, self._news = self._news, ""
        return news

    def _learn(self) -> None:
        """Take over what it said last."""
        assert self._process is not None
        self.is_second = self._process.returncode == _SECOND
        self._listen()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _listen(self) -> None:
        """Take in what it said until now: a line with its news, or with its refusal."""
        stdout = None if self._process is None else self._process.stdout
        if stdout is None or stdout.closed:
            return
        while said := stdout.read(_PIECE):  # None where there is nothing at this moment
            self._coming += said
        *lines, self._coming = self._coming.split(b"\n")
        for line in lines:
            words = json.loads(line)
            if len(words) == 1:
                self._news = words[0]
            else:
                self.refusal = TiebreakError(*words)


def main(study: str, concurrency: str, pace: str) -> None:
    """What the process does; each line that it says is JSON: its news, or why it ends."""
    from judges.loops import run
    from tui.giving_way import give_way

    give_way(_LOWER)
    os.set_blocking(sys.stdout.fileno(), False)
    try:
        run(_work(Path(study), int(concurrency), float(pace)))
    except TiebreakError as error:
        _say(error.message, error.hint)
        sys.exit(error.exit_code)


def _say(*words: str) -> None:
    """Say something to whoever started this process; not if nobody has listened for long.

    A line is short enough to be written whole or not at all.
    """
    line = json.dumps([one_line(each, _LONGEST) for each in words], ensure_ascii=False)
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(sys.stdout.fileno(), f"{line}\n".encode("utf-8", "replace"))


async def _work(study: Path, concurrency: int, pace: float) -> None:
    from db.seats import BehindTheScreens
    from db.store import Store
    from tui.following import Following
    from tui.judge_desk import Order

    place = BehindTheScreens(study)
    if not place.take():
        sys.exit(_SECOND)
    stop = asyncio.Event()
    _watch_over(stop)
    with Store(study) as store:
        await Following(
            store,
            stop,
            Order(concurrency=concurrency, pace=pace, turn=_TURN),
            grace=_GRACE,
            on_note=lambda judge, words: _say(f"{judge.name}: {words}"),
        ).run()


def _watch_over(stop: asyncio.Event) -> None:
    """Set ``stop`` once whoever started this process closed the pipe, or is gone."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, name="the other end", daemon=True).start()
