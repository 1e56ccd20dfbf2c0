"""A client for OpenAI-compatible chat servers, which classifies every outcome once.

What can come of a call stands in :mod:`judges.outcomes`. Nothing is retried here: that is the
runner's part. openai is imported when the first call is made.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.errors import TiebreakError
from judges.outcomes import (
    CallError,
    JobFatal,
    RateLimited,
    Rejected,
    Reply,
    TimedOut,
    TooLong,
    Transient,
    Unreachable,
    read_completion,
    said,
    without_surrogates,
)
from judges.prompting import Message

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

NO_KEY = "no-key"
"""What is sent where a server wants no key; most refuse an empty one."""

TIMEOUT = 120.0
"""Seconds until a call is given up, from sending to the last byte."""


class ChatClient:
    """One model behind one server.

    Args:
        base_url: the server's API root, such as ``http://127.0.0.1:8000/v1``.
        key_variable: the *name* of the environment variable that holds the key; empty for a
            server that wants none. The key itself is read when the first call is made and
            appears in no record, message or log line.
        timeout: seconds for a whole call.
        http_client: a client for openai to send with, in place of its aiohttp one.
        environ: where the key is looked up.
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
        http_client: Any = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        check_address(base_url)
        self.base_url = base_url
        self.model = model
        self._key_variable = key_variable
        self._timeout = timeout
        self._http_client = http_client
        self._environ = os.environ if environ is None else environ
        self._clock = clock
        self._now = now
        self._openai: AsyncOpenAI | None = None
        self._key = ""

    async def ask(
        self, messages: Sequence[Message], parameters: Mapping[str, Any], *, wanted: Any = None
    ) -> Reply:
        """Send one request and read what comes back.

        Args:
            parameters: sent as they are, beside model and messages.
            wanted: which answers are allowed; nothing is made of it yet.

        Raises:
            CallError: no reply; its class says what to do.
            TiebreakError: the key's environment variable is not set.
        """
        client = self._connected()
        body = [{"role": m.role, "content": without_surrogates(m.content)} for m in messages]
        begun = self._clock()
        try:
            async with asyncio.timeout(self._timeout):
                response = await client.chat.completions.with_raw_response.create(
                    model=self.model,
                    messages=body,  # type: ignore[arg-type]
                    extra_body=dict(parameters),
                )
        except TimeoutError:
            raise TimedOut(f"no answer within {self._timeout:g} s") from None
        except Exception as error:  # noqa: BLE001 - each becomes a CallError, or goes on
            raise self._classified(error) from None
        return read_completion(response.content, self._clock() - begun, self._redacted)

    async def close(self) -> None:
        """Close the connections."""
        if self._openai is not None:
            await self._openai.close()
            self._openai = None

    def _connected(self) -> AsyncOpenAI:
        if self._openai is None:
            from openai import AsyncOpenAI, DefaultAioHttpClient

            self._key = self._read_key()
            self._openai = AsyncOpenAI(
                api_key=self._key or NO_KEY,
                base_url=self.base_url,
                max_retries=0,
                timeout=self._timeout,
                http_client=self._http_client or DefaultAioHttpClient(timeout=self._timeout),
            )
            # Otherwise taken from the environment and told to any server that one talks to.
            self._openai.organization = self._openai.project = self._openai.admin_api_key = None
        return self._openai

    def _read_key(self) -> str:
        if not self._key_variable:
            return ""
        key = self._environ.get(self._key_variable, "").strip()
        if not key:
            raise TiebreakError(
                f"the environment variable {self._key_variable} is not set; "
                f"the judge's server {self.base_url} wants a key",
                f"export {self._key_variable}=… and start again",
            )
        return key

    def _redacted(self, text: str) -> str:
        """A server's words without the key, should it repeat it, as one line."""
        if self._key:
            text = text.replace(self._key, "…")
        text = re.sub(r"\b(sk|key|pk)-[\w*.-]{4,}", r"\1-…", text)
        return " ".join(without_surrogates(text).split())[:500]

    def _classified(self, error: Exception) -> Exception:
        import openai

        if isinstance(error, openai.APIStatusError):
            return self._by_status(error)
        if not isinstance(error, openai.APIError):
            return error
        causes = _causes(error)
        words = self._redacted(str(causes[-1]) or type(causes[-1]).__name__)
        # openai reports every lost aiohttp connection as a time-out: what lies beneath tells.
        names = {base.__name__ for cause in causes for base in type(cause).__mro__}
        if names & {"ClientConnectorError", "ConnectError"}:
            return Unreachable(f"cannot reach {self.base_url}: {words}")
        if "ServerTimeoutError" in names or "ReadTimeout" in names:
            return TimedOut(f"no answer within {self._timeout:g} s")
        return Transient(f"the connection was lost: {words}")

    def _by_status(self, error: APIStatusError) -> CallError:
        status, code = error.status_code, f"{error.code or ''} {error.type or ''}".lower()
        words = self._redacted(said(error.body) or error.message)
        text = f"{status}: {words}"
        if status == 429:
            if "insufficient_quota" in code or "quota exceeded" in words.lower():
                return JobFatal(text, "add credit to the account, or use another endpoint")
            return RateLimited(text, retry_after(error.response.headers, self._now()))
        if status in (408, 409, 425) or status >= 500:
            return Transient(text)
        if status in (401, 403):
            name = self._key_variable or "a key's name (parameter api_key_env)"
            return JobFatal(f"{self.base_url} refuses the key: {text}", f"check {name}")
        if _OVERFLOW.search(f"{code} {words}"):
            return TooLong(text)
        if status == 404 or _NO_MODEL.search(words):
            return JobFatal(
                f"{self.base_url} does not serve the model {self.model!r}: {text}",
                "check the judge's model and endpoint (it usually ends in /v1)",
            )
        if (error.param or "messages").partition("[")[0] not in _CONTENT or _NO_PARAMETER.search(
            f"{code} {words}"
        ):
            return JobFatal(
                f"{self.base_url} does not take a parameter: {text}",
                "add the judge again without that parameter",
            )
        return Rejected(text)


_OVERFLOW = re.compile(
    r"context_length_exceeded|(?:maximum|exceeds?|max)[\w ']{0,40} context"
    r"|context (?:length|window|size)|prompt is too long|too many (?:input )?tokens|exceed_context",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"\bmodel\b.{0,120}\b(?:not found|does(?: not|n't) exist|not (?:a )?valid|unknown"
    r"|not supported)|\bunknown model\b|is not a valid model",
    re.IGNORECASE,
)
_CONTENT = ("messages", "prompt", "input")
_NO_PARAMETER = re.compile(
    r"unsupported_(?:parameter|value)|unknown_parameter|unrecognized request argument",
    re.IGNORECASE,
)


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


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long a server asks to wait: seconds, or None if it does not say.

    Understands Retry-After as seconds and as a date, retry-after-ms, and x-ratelimit-reset
    (with -requests and -tokens) as ``1m30s``, as seconds and as a time of day since 1970.
    """
    if (value := headers.get("retry-after-ms")) and _NUMBER.fullmatch(value.strip()):
        return float(value) / 1000
    if value := headers.get("retry-after"):
        if _NUMBER.fullmatch(value.strip()):
            return float(value)
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        aware = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(0.0, (aware - now).total_seconds())
    resets = [headers.get(f"x-ratelimit-reset{kind}") for kind in ("", "-requests", "-tokens")]
    waits = [_reset(value.strip(), now) for value in resets if value]
    return max((wait for wait in waits if wait is not None), default=None)


_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,6})?")
_SPAN = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,6}(?:\.\d+)?)s)?(?:(\d{1,9})ms)?")


def _reset(value: str, now: datetime) -> float | None:
    if _NUMBER.fullmatch(value):
        number = float(value)
        return max(0.0, number - now.timestamp()) if number > 1e9 else number
    if value and (span := _SPAN.fullmatch(value)):
        hours, minutes, seconds, millis = (float(part or 0) for part in span.groups())
        return hours * 3600 + minutes * 60 + seconds + millis / 1000
    return None


def _causes(error: BaseException) -> list[BaseException]:
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    return chain
