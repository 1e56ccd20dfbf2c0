"""A server's refusals: what an error status and its body mean for the call and the job."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from judges.outcomes import CallError, JobFatal, RateLimited, Rejected, TooLong, Transient, said

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


def classified(
    status: int,
    headers: Mapping[str, str],
    content: bytes,
    now: datetime,
    asked: tuple[str, str, str],
    redacted: Callable[[str], str],
) -> CallError:
    """An answer that is no success → the error whose class says what to do.

    Args:
        headers: found whatever their case.
        now: to understand a Retry-After that is a date.
        asked: the server's address, the model, and the name of the key's variable.
        redacted: makes a server's words fit to be shown.
    """
    address, model, variable = asked
    error, words = _error_of(content, redacted)
    code = f"{error.get('code') or ''} {error.get('type') or ''}".lower()
    text = f"{status}: {words}" if words else f"{status}"
    if status == 429:
        if "insufficient_quota" in code or "quota exceeded" in words.lower():
            return JobFatal(text, "add credit to the account, or use another endpoint")
        return RateLimited(text, retry_after(headers, now))
    if status in (408, 409, 425) or status >= 500:
        return Transient(text)
    if status < 400:
        to = redacted(headers.get("location", "")) or "nowhere"
        return JobFatal(
            f"{address} sends elsewhere ({status}): to {to}",
            "a key is not taken along; if that address is right, add it as the endpoint",
        )
    if status in (401, 403):
        name = variable or "a key's name (parameter api_key_env)"
        return JobFatal(f"{address} refuses the key: {text}", f"check {name}")
    if _OVERFLOW.search(f"{code} {words}"):
        return TooLong(text)
    if status == 404 or _NO_MODEL.search(words):
        return JobFatal(
            f"{address} does not serve the model {model!r}: {text}",
            "check the judge's model and endpoint (it usually ends in /v1)",
        )
    param = str(error.get("param") or "messages").partition("[")[0]
    if param not in _CONTENT or _NO_PARAMETER.search(f"{code} {words}"):
        return JobFatal(
            f"{address} does not take a parameter: {text}",
            "add the judge again without that parameter",
        )
    return Rejected(text)


def _error_of(content: bytes, redacted: Callable[[str], str]) -> tuple[Mapping[str, Any], str]:
    """The error object of a body, and its words; a page in place of one gives its beginning."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}, redacted(content[:4096].decode("utf-8", "replace"))[:200]
    if not isinstance(body, dict):
        return {}, redacted(json.dumps(body))[:200]
    error = body.get("error")
    return error if isinstance(error, dict) else body, redacted(said(body))


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
