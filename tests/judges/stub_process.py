"""The stub server in a process of its own, with faults as scripted or drawn by a seed.

    python -m tests.judges.stub_process --delay 0.05 --faults '{"429": 0.05, "cut": 0.02}' --seed 7

The first line on standard output is its address; each line that it reads is answered by one
line of JSON with its counts; it ends when its input does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from subprocess import PIPE, Popen
from types import TracebackType
from typing import Any, Self

from tests.judges.stub_server import (
    FINE,
    Request,
    Scripted,
    StubServer,
    completion,
    failure,
)
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


def _overflow() -> Scripted:
    words = "This model's maximum context length is 4096 tokens, you asked for 5000."
    return failure(400, {"error": {"message": words, "code": "context_length_exceeded"}})


def _limited_until() -> Scripted:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    return failure(429, {"error": {"message": "too many requests"}}, retry_after=until)


def _counting(sent: int, received: int) -> Scripted:
    usage = {"prompt_tokens": sent, "completion_tokens": received}
    return Scripted(body=json.dumps(json.loads(FINE.body) | {"usage": usage}).encode())


FAULTS: Mapping[str, Callable[[], Scripted]] = {
    "429": lambda: failure(429, {"error": {"message": "too many requests"}}),
    "429 seconds": lambda: failure(429, {"error": {"message": "slow down"}}, retry_after="0.2"),
    "429 date": _limited_until,
    "500": lambda: failure(500, {"error": {"message": "boom"}}),
    "503": lambda: failure(503),
    "slow": lambda: replace(FINE, delay=30.0),
    "cut": lambda: replace(FINE, cut_after=180),
    "cut at once": lambda: replace(FINE, cut_after=0),
    "hangs": lambda: replace(FINE, cut_after=180, hangs=True),
    "garbage": lambda: Scripted(body=b'{"choices": [{"mess'),
    "no HTTP": lambda: Scripted(whole=b"\x00\x01\x02\r\n\r\n"),
    "HTML": lambda: Scripted(body=b"<html>Hi</html>", headers={"content-type": "text/html"}),
    "error as 200": lambda: Scripted(body=b'{"error": {"message": "later"}}'),
    "empty": lambda: completion(""),
    "empty body": lambda: Scripted(),
    "wrong model": lambda: completion("[[A]]", model="another-model"),
    "context overflow": _overflow,
    "content filter": lambda: completion("[[A]]", finish="content_filter"),
    "refusal": lambda: completion(None, refusal="I cannot judge this."),
    "reasoning only": lambda: completion(None, finish="length", reasoning="Let me see"),
    "usage below 0": lambda: _counting(-500_000, 7),
    "usage beyond all": lambda: _counting(-5, 10**30),
    "truncated": lambda: completion("Both are [[A]] and", finish="length"),
}
"""Every way to misbehave, by name."""


class Faulty:
    """Answers well, or badly: as scripted first, then by chance.

    Args:
        faults: the share of requests that each fault befalls, by its name; at most 1 in all.
        script: names of faults, or "fine", for the first requests in order.
        seed: of the chance. Which request meets which fault depends on their order too.
        persistent: whether a fault follows the request's content instead: the same request
            then meets the same fault each time.
    """

    def __init__(
        self,
        faults: Mapping[str, float] | None = None,
        *,
        script: tuple[str, ...] = (),
        seed: int = 0,
        delay: float = 0.0,
        persistent: bool = False,
        fine: Scripted = FINE,
    ) -> None:
        self._faults = dict(faults or {})
        unknown = [name for name in {*self._faults, *script} - {"fine"} if name not in FAULTS]
        if unknown or sum(self._faults.values()) > 1:
            raise ValueError(f"unknown faults {unknown}, or shares of more than 1 in all")
        self._script = list(reversed(script))
        self._chance = random.Random(seed)
        self._seed = seed
        self._persistent = persistent
        self._fine = replace(fine, delay=delay)
        self.met: dict[str, int] = {}

    def __call__(self, request: Request) -> Scripted:
        name = self._script.pop() if self._script else self._drawn(request)
        self.met[name] = self.met.get(name, 0) + 1
        return self._fine if name == "fine" else FAULTS[name]()

    def _drawn(self, request: Request) -> str:
        if not self._faults:
            return "fine"
        chance = self._chance
        if self._persistent:
            chance = random.Random(f"{self._seed} {request.digest}")
        at = chance.random()
        for name, share in self._faults.items():
            if (at := at - share) < 0:
                return name
        return "fine"


class StubProcess:
    """The stub in its own process, for runs whose processor time is measured, or killed.

    Attributes:
        url: the API root.
        pid: the process.
    """

    def __init__(self, **options: Any) -> None:
        self._arguments = [
            word
            for name, value in options.items()
            for word in (
                f"--{name}",
                value if isinstance(value, str) else json.dumps(value),
            )
        ]

    def __enter__(self) -> Self:
        self._process = Popen(
            [sys.executable, "-m", "tests.judges.stub_process", *self._arguments],
            cwd=ROOT,
            stdin=PIPE,
            stdout=PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self.pid = self._process.pid
        return self

    def counts(self) -> dict[str, Any]:
        """What was served so far.

        ``requests``, the ``most`` under way at once, ``connections``, the faults ``met`` by
        name, and each request by its hash, how often it was ``seen`` and ``completed``.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("counts\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        assert isinstance(told, dict)
        return told

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()


async def _serve(options: argparse.Namespace) -> None:
    faulty = Faulty(
        json.loads(options.faults),
        script=tuple(json.loads(options.script)),
        seed=options.seed,
        delay=options.delay,
        persistent=options.persistent == "true",
        fine=completion(options.content),
    )
    stub = StubServer(faulty, keep=False)
    await stub.start(options.port)
    print(stub.url, flush=True)
    asked = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    while await asked.readline():
        told = {
            "requests": stub.seen.total(),
            "most": stub.most_under_way,
            "connections": stub.connections_made,
            "met": faulty.met,
            "seen": stub.seen,
            "completed": stub.completed,
        }
        print(json.dumps(told), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each good answer")
    parser.add_argument("--faults", default="{}", help=f"shares by name: {', '.join(FAULTS)}")
    parser.add_argument("--script", default="[]", help="faults, or fine, of the first requests")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--persistent", default="false", choices=["true", "false"])
    parser.add_argument("--content", default="Fine.\n\n[[A]]")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
