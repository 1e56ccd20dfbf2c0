"""An OpenAI-compatible server that does as it is told, and misbehaves as it is told.

It speaks just enough HTTP/1.1 on a loopback socket, on a bare asyncio protocol: several
thousand requests a second, so that what a benchmark measures is the client. In a test it runs
beside the client (:class:`StubServer`); :mod:`tests.judges.stub_process` runs it in a process
of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    head: bytes
    raw: bytes

    @cached_property
    def headers(self) -> Mapping[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        parts = (line.partition(":") for line in lines if line)
        return {name.lower(): value.strip() for name, _, value in parts}

    @cached_property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the body: the same for the same request."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True)
class Scripted:
    """One answer.

    Attributes:
        delay: seconds before anything is sent.
        cut_after: bytes of the answer after which the connection is dropped; None sends it all.
        hangs: whether the connection stays open, silent, after ``cut_after``.
        whole: what is sent in place of an HTTP answer, byte for byte.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut_after: int | None = None
    hangs: bool = False
    whole: bytes | None = None

    @cached_property
    def wire(self) -> bytes:
        """The answer as it goes over the wire."""
        if self.whole is not None:
            return self.whole
        sent = {
            "content-type": "application/json",
            "content-length": str(len(self.body)),
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{k}: {v}" for k, v in sent.items())]
        return ("\r\n".join([*lines, "", ""]).encode("latin-1") + self.body)[: self.cut_after]

    @property
    def is_last(self) -> bool:
        """Whether the connection ends with it."""
        return (self.cut_after is not None or self.whole is not None) and not self.hangs


def completion(
    content: str | None,
    *,
    finish: str | None = "stop",
    delay: float = 0.0,
    model: str = "stub",
    logprobs: Any = None,
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
                "logprobs": logprobs,
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }
    return Scripted(body=json.dumps(body).encode(), delay=delay)


def failure(status: int, body: Any = None, **headers: str) -> Scripted:
    """An error status; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, json.dumps(body if body is not None else {}).encode(), named)


FINE = completion("Fine.\n\n[[A]]")


class StubServer:
    """Answers with what was enqueued, in order, and then by ``answer``.

    Args:
        keep: whether ``requests`` is kept; a long benchmark would fill the memory.

    Attributes:
        answer: makes the answer to a request once the queue is empty.
        requests: all that came in, in order.
        seen: how often each request came in, by its body's SHA-256 as hex digits.
        completed: how often each was answered with a whole, proper completion.
        under_way: requests being answered right now, and the most there ever were at once.
        connections_made: connections that clients have opened.
    """

    def __init__(
        self, answer: Callable[[Request], Scripted] | None = None, *, keep: bool = True
    ) -> None:
        self.answer = answer or (lambda _request: FINE)
        self.requests: list[Request] = []
        self.seen: Counter[str] = Counter()
        self.completed: Counter[str] = Counter()
        self.under_way = 0
        self.most_under_way = 0
        self.connections_made = 0
        self._keep = keep
        self._queue: deque[Scripted] = deque()
        self._open: set[asyncio.Transport] = set()

    def enqueue(self, *answers: Scripted) -> None:
        self._queue.extend(answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", port, backlog=2048
        )
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for transport in list(self._open):
            transport.abort()
        await self._server.wait_closed()

    def take(self, request: Request) -> Scripted:
        """Note a request and choose its answer."""
        self.seen[request.digest] += 1
        if self._keep:
            self.requests.append(request)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        return self._queue.popleft() if self._queue else self.answer(request)


class _Connection(asyncio.Protocol):
    """One client's connection: requests one after another, each answered before the next."""

    def __init__(self, stub: StubServer) -> None:
        self._stub = stub
        self._coming = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._stub.connections_made += 1
        self._stub._open.add(transport)
        self._loop = asyncio.get_running_loop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stub._open.discard(self._transport)
        if self._timer is not None:
            self._timer.cancel()
        self._over()

    def data_received(self, data: bytes) -> None:
        self._coming += data
        if not self._answering:
            self._next()

    def _next(self) -> None:
        """Answer the next request, if all of it has come."""
        head_ends = self._coming.find(b"\r\n\r\n")
        if head_ends < 0:
            return
        head = bytes(self._coming[:head_ends])
        lower = head.lower()
        at = lower.find(b"\r\ncontent-length:")
        length = int(lower[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        ends = head_ends + 4 + length
        if len(self._coming) < ends:
            return
        raw = bytes(self._coming[head_ends + 4 : ends])
        del self._coming[:ends]
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        request = Request(method, path, head, raw)
        self._answering = True
        scripted = self._stub.take(request)
        if scripted.delay > 0:
            self._timer = self._loop.call_later(scripted.delay, self._send, request, scripted)
        else:
            self._send(request, scripted)

    def _send(self, request: Request, scripted: Scripted) -> None:
        self._timer = None
        self._over()
        if self._transport.is_closing():
            return
        self._transport.write(scripted.wire)
        if scripted.is_last:
            self._transport.close()
        elif not scripted.hangs:
            if scripted.status == 200:
                self._stub.completed[request.digest] += 1
            self._next()

    def _over(self) -> None:
        if self._answering:
            self._answering = False
            self._stub.under_way -= 1
