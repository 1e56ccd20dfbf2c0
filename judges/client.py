"""A client for OpenAI-compatible chat servers, which classifies every outcome once.

What can come of a call stands in :mod:`judges.outcomes`. Nothing is retried here: that is the
runner's part. aiohttp is imported when the first call is made.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.errors import TiebreakError
from core.records import VerdictStatus
from judges.outcomes import (
    Answer,
    CallError,
    Garbled,
    Reply,
    TimedOut,
    Transient,
    Unreachable,
    first_choice,
    read_completion,
    read_json,
    without_surrogates,
)
from judges.prompting import Message
from judges.refusals import classified
from judges.structured import Support, Wanted, constrained, is_allowed, label_logprobs
from judges.usage import limit_of

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

TIMEOUT = 120.0
"""Seconds until a call is given up, from sending to the last byte."""

CONNECTING = 15.0
"""Seconds until a server that does not take the connection counts as unreachable."""

KEPT_ALIVE = 4.0
"""Seconds for which an idle connection is used again. uvicorn, beneath vLLM and others, closes
them after 5 and a request sent into that would be lost, perhaps charged."""

_SECRET = 8
"""A key of fewer characters is no secret (``none``, ``EMPTY``), but may well be a reply's word."""

MOST_BYTES = 16 * 2**20
"""An answer longer than this is no verdict."""

GARBLED_CHARACTERS = 2**16
"""Of an answer that is no chat completion so much is kept."""


class ChatClient:
    """One model behind one server.

    Args:
        base_url: the server's API root, such as ``http://127.0.0.1:8000/v1``.
        key_variable: the *name* of the environment variable that holds the key; empty for a
            server that wants none. The key itself is read when the first call is made and
            appears in no record, message or log line.
        timeout: seconds for a whole call.
        found: what a probe found of the server; decides how wanted answers are enforced.
        on_note: told, once, in a line, of what the server does otherwise than was found.
        environ: where the key is looked up. No proxy or credentials are taken from there.
        clock: seconds, for latencies.
        now: the time of day, to understand a Retry-After that is a date.

    Raises:
        TiebreakError: the address is not one, or carries credentials.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        key_variable: str = "",
        timeout: float = TIMEOUT,
        found: Mapping[str, Any] | None = None,
        on_note: Callable[[str], None] | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        check_address(base_url)
        self.base_url = base_url
        self.model = model
        self.learn(found or {})
        self._root = base_url.rstrip("/")
        self._key_variable = key_variable
        self._timeout = timeout
        self._on_note = on_note
        self._environ = os.environ if environ is None else environ
        self._clock = clock
        self._now = now
        self._session: ClientSession | None = None
        self._key = ""

    def learn(self, found: Mapping[str, Any]) -> None:
        """Go by what was found of the server from the next request on, and by nothing older."""
        self.found = found
        self.support = Support.of(found)
        self._kept = self._broken = 0

    async def ask(
        self,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        *,
        wanted: Wanted | None = None,
    ) -> Reply:
        """Send one request and read what comes back.

        Args:
            parameters: sent as they are, beside model and messages.
            wanted: which replies are allowed; enforced if the server can.

        Raises:
            CallError: no reply; its class says what to do.
            TiebreakError: the key's environment variable is not set.
        """
        support = self.support
        sent, enforces = constrained(parameters, wanted, support)
        data = encoded(chat_body(self.model, messages, sent))
        begun = self._clock()
        content = await self._post("/chat/completions", data)
        try:
            body = self._without_key(read_json(content, self.redacted))
            reply = read_completion(
                body,
                self._clock() - begun,
                self.redacted,
                endpoint=self.base_url,
                sent_hash=hashlib.sha256(data).hexdigest(),
                sent=len(data),
                limit=limit_of(parameters),
            )
        except Garbled as error:
            error.body = self._kept_of(content)
            raise
        if wanted is None or not (enforces or wanted.logprobs):
            return reply
        choice = first_choice(body) or {}
        return replace(
            reply,
            enforced=enforces and self._kept_to(reply, wanted, support),
            token_logprobs=label_logprobs(choice, wanted) if wanted.logprobs else None,
        )

    async def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Send any other request of this server's API.

        Args:
            path: beneath the API root, with its slash.

        Raises:
            CallError: no answer, or none that is a JSON object; its class says what to do.
        """
        data = encoded(body)
        begun = self._clock()
        content = await self._post(path, data)
        try:
            answer = self._without_key(read_json(content, self.redacted))
        except Garbled as error:
            error.body = self._kept_of(content)
            raise
        sent = hashlib.sha256(data).hexdigest()
        return Answer(answer, sent, self._clock() - begun, self.base_url, len(data))

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def redacted(self, text: str) -> str:
        """A server's words without the key, should it repeat it, as one line."""
        if self._key:
            text = text.replace(self._key, "…")
        text = re.sub(r"\b(sk|key|pk)-[\w*.-]{4,}", r"\1-…", text)
        return " ".join(without_surrogates(text).split())[:500]

    def _without_key(self, body: dict[str, Any]) -> dict[str, Any]:
        """An answer without the key, should it repeat it: it is stored as it comes."""
        if len(self._key) < _SECRET:
            return body
        masked: dict[str, Any] = _masked(body, self._key)
        return masked

    def _kept_of(self, content: bytes) -> str:
        """What is kept of an answer that is none, without the key; � for what is no text."""
        text = content.decode("utf-8", "replace")
        if len(self._key) >= _SECRET:
            text = text.replace(self._key, "…").replace(self._key.replace("/", r"\/"), "…")
        return text[:GARBLED_CHARACTERS]

    def _kept_to(self, reply: Reply, wanted: Wanted | None, support: Support) -> bool:
        """Whether an enforced reply is allowed.

        A server whose replies mostly are not, which shows at the first, knows no such thing and
        is no longer asked for it. What was sent by an older finding says nothing of a newer one.
        """
        if reply.status is not VerdictStatus.OK or wanted is None:
            return False
        is_kept = is_allowed(reply.content, wanted)
        if support is not self.support:
            return is_kept
        if is_kept:
            self._kept += 1
            return True
        self._broken += 1
        if self._broken > self._kept and self.support.enforces:
            self.support = Support(logprobs=self.support.logprobs)
            if self._on_note is not None:
                self._on_note(
                    f"{self.base_url} does not keep to the answers that it was told to allow; "
                    "replies are read as they come"
                )
        return False

    async def _post(self, path: str, data: bytes) -> bytes:
        import aiohttp

        session = self._connected()
        try:
            # aiohttp warns of long bytes, which it would send in one piece.
            whole = data if len(data) <= 2**20 else io.BytesIO(data)
            async with session.post(
                self._root + path, data=whole, allow_redirects=False
            ) as response:
                content = await self._read(response)
        except TimeoutError as error:
            if isinstance(error, aiohttp.ConnectionTimeoutError):
                raise Unreachable(f"cannot reach {self.base_url}: it does not answer") from None
            raise TimedOut(f"no answer within {self._timeout:g} s") from None
        except aiohttp.ClientError as error:
            raise self._lost(error) from None
        if 200 <= response.status < 300:
            return content
        raise classified(
            response.status, response.headers, content, self._now(), self._told(), self.redacted
        )

    async def _read(self, response: ClientResponse) -> bytes:
        """The whole body, unless it is too long: a server might never stop."""
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > MOST_BYTES:
                error = Garbled(f"the answer is longer than {MOST_BYTES // 2**20} MiB")
                error.body = self._kept_of(b"".join(chunks))
                raise error
            chunks.append(chunk)
        return b"".join(chunks)

    def _told(self) -> tuple[str, str, str]:
        return self.base_url, self.model, self._key_variable

    def _lost(self, error: Exception) -> CallError:
        import aiohttp

        if isinstance(error, aiohttp.ClientConnectorError) and (error.os_error.errno or 0) > 0:
            words = os.strerror(error.os_error.errno or 0)
            return Unreachable(f"cannot reach {self.base_url}: {words}")
        if isinstance(error, aiohttp.ClientPayloadError):
            return Transient("the connection was lost: the answer broke off", possibly_charged=True)
        words = self.redacted(str(error) or type(error).__name__)
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
            return Unreachable(f"cannot reach {self.base_url}: {words}")
        if isinstance(error, aiohttp.ClientResponseError):
            return Garbled(f"the answer is not HTTP: {self.redacted(error.message)}")
        return Transient(f"the connection was lost: {words}", possibly_charged=True)

    def _connected(self) -> ClientSession:
        if self._session is None:
            import aiohttp

            key = self.key()
            headers = {
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                "User-Agent": "tiebreak",
            }
            if key:
                headers["Authorization"] = f"Bearer {key}"
            self._session = aiohttp.ClientSession(
                # How many calls are made at once is decided above.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_ALIVE),
                timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=CONNECTING),
                headers=headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    def key(self) -> str:
        """The key, read now and redacted from here on; empty if the server wants none.

        Raises:
            TiebreakError: its environment variable is not set, or holds no key.
        """
        if not self._key_variable:
            return ""
        key = self._environ.get(self._key_variable, "").strip()
        if not key:
            raise TiebreakError(
                f"the environment variable {self._key_variable} is not set; "
                f"the judge's server {self.base_url} wants a key",
                f"export {self._key_variable}=… and start again",
            )
        if not (key.isascii() and key.isprintable()):
            raise TiebreakError(
                f"the environment variable {self._key_variable} holds no key: a key is of "
                "printable ASCII characters on one line",
                f"export {self._key_variable}=… with the key alone, and start again",
            )
        self._key = key
        return key


def _masked(value: Any, secret: str) -> Any:
    if isinstance(value, str):
        return value.replace(secret, "…")
    if isinstance(value, list):
        return [_masked(each, secret) for each in value]
    if isinstance(value, dict):
        return {_masked(name, secret): _masked(each, secret) for name, each in value.items()}
    return value


def chat_body(
    model: str, messages: Sequence[Message], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of a chat completion's request."""
    written = [{"role": m.role, "content": m.content} for m in messages]
    return {"model": model, "messages": written, **parameters}


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def encoded(body: Mapping[str, Any]) -> bytes:
    """A request's body as it is sent and hashed: JSON in UTF-8, the same for the same request."""
    text = _JSON.encode(body)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return without_surrogates(text).encode()


def check_address(base_url: str) -> None:
    """Refuse what is not the address of a server.

    Raises:
        TiebreakError: saying why. An address with credentials is refused because it would be
            stored and shown with the judge.
    """
    hint = "it looks like http://127.0.0.1:8000/v1"
    try:
        parts = urlsplit(base_url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise TiebreakError(f"{base_url!r} is not the address of a judge's server", hint)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise TiebreakError(
            f"the address of the server at {parts.hostname} carries more than an address",
            "leave user, password and query out; a key is named by api_key_env",
        )
