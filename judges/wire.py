"""Requests to one server over HTTP/1.1, on connections that are used again.

A call to a judge is one POST and one JSON answer. No redirects, cookies, proxies or streams come
into it, and no header differs from the call before; so there is little to do for each. A client
for everything takes 0.15 ms more a call, which is half of what a verdict costs in all.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections import deque
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from judges.http_reading import Answered, CutOff, NotHttp, Reading

_SAFE = "/%:@!$&'()*+,;=~-._"
"""What stands in a path as it is."""


class NotReached(Exception):
    """No connection could be made."""


class Wire:
    """Connections to one server, as many as requests are under way.

    Args:
        root: the API root, an address that :func:`judges.client.check_address` lets pass.
        headers: sent with each request.
        timeout: seconds for a request, from asking for a connection to the last byte.
        connecting: seconds for a connection to be made.
        kept_alive: seconds for which an idle connection is used again.
        most: bytes that an answer's body may have.
    """

    def __init__(
        self,
        root: str,
        headers: Mapping[str, str],
        *,
        timeout: float,
        connecting: float,
        kept_alive: float,
        most: int,
    ) -> None:
        parts = urlsplit(root)
        self._host = parts.hostname or ""
        is_secure = parts.scheme == "https"
        usual = 443 if is_secure else 80
        self._port = parts.port or usual
        self._path = quote(parts.path.rstrip("/"), safe=_SAFE)
        named = _host_named(self._host)
        lines = {"Host": named if self._port == usual else f"{named}:{self._port}", **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._heads: dict[str, bytes] = {}
        self._tls = ssl.create_default_context() if is_secure else None
        self._timeout = timeout
        self._connecting = connecting
        self._kept_alive = kept_alive
        self._most = most
        self._idle: deque[tuple[float, _Connection]] = deque()
        self._open: set[_Connection] = set()

    async def post(self, path: str, data: bytes) -> Answered:
        """Send one request and wait for the whole answer.

        Args:
            path: beneath the API root, with its slash.

        Raises:
            NotReached: no connection could be made.
            TimeoutError: the answer did not come in time.
            CutOff: the connection ended first; the request may have been taken.
            NotHttp: what came cannot be understood.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        connection = self._take(loop.time()) or await self._connect(until)
        try:
            answered = await connection.ask(self._head(path) % len(data), data, until)
        except BaseException:
            connection.drop()
            raise
        if answered.is_last or connection.is_sending:
            connection.drop()
        else:
            self._idle.append((loop.time(), connection))
        return answered

    async def close(self) -> None:
        """Close all connections."""
        self._idle.clear()
        for connection in list(self._open):
            connection.drop()
        await asyncio.sleep(0)  # in which they are closed

    def _head(self, path: str) -> bytes:
        head = self._heads.get(path)
        if head is None:
            where = self._path + quote(path, safe=_SAFE)
            text = f"POST {where} HTTP/1.1\r\n{self._headers}".replace("%", "%%")
            head = self._heads[path] = f"{text}Content-Length: %d\r\n\r\n".encode("ascii")
        return head

    def _take(self, now: float) -> _Connection | None:
        """The connection that was used last, if any is still good."""
        while self._idle and now - self._idle[0][0] > self._kept_alive:
            self._idle.popleft()[1].drop()
        while self._idle:
            connection = self._idle.pop()[1]
            if connection.is_open:
                return connection
        return None

    async def _connect(self, until: float) -> _Connection:
        loop = asyncio.get_running_loop()
        left = until - loop.time()
        try:
            async with asyncio.timeout(min(left, self._connecting)):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self._open, self._most),
                    self._host,
                    self._port,
                    ssl=self._tls,
                    happy_eyeballs_delay=0.25,
                )
        except TimeoutError:
            if left <= self._connecting:
                raise
            raise NotReached("it does not answer") from None
        except (OSError, UnicodeError) as error:
            raise NotReached(str(error) or type(error).__name__) from error
        return connection


class _Connection(asyncio.Protocol):
    """One connection: a request, its answer, then the next.

    Args:
        all_open: where it is while it is open.
    """

    def __init__(self, all_open: set[_Connection], most: int) -> None:
        self._all_open = all_open
        self._most = most
        self._reading: Reading | None = None
        self._answer: asyncio.Future[Answered] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return self in self._all_open and not self._transport.is_closing()

    @property
    def is_sending(self) -> bool:
        """Whether a request is not all sent yet, though it may have been answered."""
        return self._transport.get_write_buffer_size() > 0

    async def ask(self, head: bytes, data: bytes, until: float) -> Answered:
        """Send a request.

        Args:
            until: when it is given up, by the loop's clock.

        Raises:
            TimeoutError, CutOff, NotHttp: as :meth:`Wire.post`.
        """
        self._answer = asyncio.get_running_loop().create_future()
        self._reading = Reading(self._most)
        self._until = until
        if self._timer is None:
            self._watch()
        self._transport.write(head + data)
        return await self._answer

    def drop(self) -> None:
        """Close it, and forget what might still come."""
        self._all_open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._reading = None
        self._transport.abort()

    def _watch(self) -> None:
        """Give up in time. One timer serves many requests: it is set anew when it fires."""
        loop = asyncio.get_running_loop()
        self._timer = None
        if self._reading is None:
            return
        if loop.time() < self._until:
            self._timer = loop.call_at(self._until, self._watch)
        else:
            self._fail(TimeoutError())

    # ── what the loop tells ─────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._all_open.add(self)

    def data_received(self, data: bytes) -> None:
        if self._reading is None:
            self.drop()  # nothing was asked
            return
        try:
            answered = self._reading.feed(data)
        except NotHttp as error:
            self._fail(error)
            return
        if answered is not None:
            self._end(answered)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all_open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reading is None:
            return
        if exc is not None:
            self._fail(CutOff(str(exc) or type(exc).__name__))
            return
        try:
            answered = self._reading.end()
        except CutOff as error:
            self._fail(error)
        else:
            self._end(answered)

    def _end(self, answered: Answered) -> None:
        self._reading = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answered)

    def _fail(self, error: Exception) -> None:
        self._reading = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def _host_named(host: str) -> str:
    """A host as the header says it."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        pass
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return "invalid"  # and so the connection will say
