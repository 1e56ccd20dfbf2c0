"""A server of fixed latency in a process of its own: ``python -m tests.benchmarks.fixed_server``.

It reads no more of a request than where it ends, so that what is measured is the client. Its
argument is the latency in seconds; the first line that it prints is its API root, each line that
it reads is answered with how many requests it has answered, and it ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.terminal import ROOT

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_BODY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "stub",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Both answers say what was asked. " * 12 + "\n\n[[A]]",
                },
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 90, "total_tokens": 1090},
    }
).encode()
_REPLY = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_BODY)
) + _BODY


class _Connection(asyncio.Protocol):
    answered = 0

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._wanted = 0
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._wanted:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            found = _LENGTH.search(self._head, 0, end)
            assert found is not None
            self._wanted = end + 4 + int(found[1]) - len(self._head)
            self._head = b""
        else:
            self._wanted -= len(data)
        if not self._wanted:
            asyncio.get_running_loop().call_later(self._delay, self._answer)

    def _answer(self) -> None:
        _Connection.answered += 1
        if not self._transport.is_closing():
            self._transport.write(_REPLY)


class FixedServer:
    """The server, started and ended.

    Args:
        delay: seconds until each answer.

    Attributes:
        url: its API root.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.fixed_server", str(self._delay)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def answered(self) -> int:
        """How many requests it has answered."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=10)


async def _serve(delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(delay), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(_Connection.answered, flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
