"""An OpenAI-compatible server that does as it is told, and misbehaves as it is told.

It speaks just enough HTTP/1.1 on a loopback socket, so that tests run the real client.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Scripted:
    """One answer.

    Attributes:
        delay: seconds before anything is sent.
        cut_after: bytes of the answer after which the connection is dropped; None sends it all.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut_after: int | None = None


def completion(
    content: str | None,
    *,
    finish: str | None = "stop",
    delay: float = 0.0,
    model: str = "stub",
    **message: Any,
) -> Scripted:
    """A chat completion as servers send it."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": finish,
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }
    return Scripted(body=json.dumps(body).encode(), delay=delay)


def failure(status: int, body: Any = None, **headers: str) -> Scripted:
    """An error status; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, json.dumps(body if body is not None else {}).encode(), named)


class StubServer:
    """Answers with what was enqueued, in order, and then by ``answer``.

    Attributes:
        answer: makes the answer to a request once the queue is empty.
        requests: all that came in, in order.
        under_way: requests being answered right now, and the most there ever were at once.
    """

    def __init__(self, answer: Callable[[Request], Scripted] | None = None) -> None:
        self.answer = answer or (lambda _request: completion("Fine.\n\n[[A]]"))
        self.requests: list[Request] = []
        self.under_way = 0
        self.most_under_way = 0
        self._queue: deque[Scripted] = deque()
        self._connections: set[asyncio.Task[None]] = set()

    def enqueue(self, *answers: Scripted) -> None:
        self._queue.extend(answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        self._connections.add(me)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client hung up, or the test is over
        finally:
            self._connections.discard(me)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(head[0].split()[1], headers, json.loads(body) if body else None)
        self.requests.append(request)
        scripted = self._queue.popleft() if self._queue else self.answer(request)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(scripted.delay)
        finally:
            self.under_way -= 1
        sent = {
            "content-type": "application/json",
            "content-length": str(len(scripted.body)),
            **scripted.headers,
        }
        lines = [f"HTTP/1.1 {scripted.status} Scripted", *(f"{k}: {v}" for k, v in sent.items())]
        whole = "\r\n".join([*lines, "", ""]).encode("latin-1") + scripted.body
        writer.write(whole[: scripted.cut_after])
        await writer.drain()
        return scripted.cut_after is None
