"""What can come of one call to a judge: a reply, or an error whose class says what to do.

    CallError              one attempt gave no reply
    ├── RateLimited        429: the endpoint pauses, for as long as it says
    ├── Transient          5xx, 408, 409, a cut connection: again later
    │   └── Unreachable    no connection could be made: again, and give up soon
    ├── TimedOut           no answer in time: again, a few times
    ├── Garbled            an answer that is not a chat completion: again once
    ├── Rejected           this request cannot be served: not again
    │   └── TooLong        the texts exceed the model's context
    └── JobFatal           401, 403, an unknown model, no quota: stop, nothing can be judged

A reply without usable text (refused, filtered, truncated, empty) is no error but a
:class:`Reply` whose status says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from core.records import VerdictStatus
from judges.usage import counted, counted_in, counted_out


class CallError(Exception):
    """One attempt that gave no reply.

    Attributes:
        failure: its name in a word or two, as a verdict stores it.
        possibly_charged: whether the server may have worked on the request all the same.
    """

    failure: ClassVar[str] = "rejected"
    possibly_charged: bool = False


class RateLimited(CallError):
    """The endpoint asks for a pause.

    Attributes:
        wait: seconds, as the server said; None if it said nothing.
    """

    failure = "rate limited"

    def __init__(self, message: str, wait: float | None) -> None:
        super().__init__(message)
        self.wait = wait


class Transient(CallError):
    """The server failed in a way that may pass."""

    failure = "server error"

    def __init__(self, message: str, *, possibly_charged: bool = False) -> None:
        super().__init__(message)
        self.possibly_charged = possibly_charged


class Unreachable(Transient):
    """No connection to the server could be made."""

    failure = "unreachable"


class TimedOut(CallError):
    """The call took longer than allowed."""

    failure = "timed out"
    possibly_charged = True


class Garbled(CallError):
    """The server answered with something that is not a chat completion.

    Attributes:
        body: the beginning of the answer as text, for whoever looks into it; None if nobody
            kept it.
    """

    failure = "garbled"
    possibly_charged = True
    body: str | None = None


class Rejected(CallError):
    """The server refuses this request; sending it again changes nothing."""


class TooLong(Rejected):
    """The request does not fit the model's context."""

    failure = "too long"


class JobFatal(CallError):
    """No request of this job can succeed until somebody changes something.

    Attributes:
        hint: how to mend it.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from one call.

    Attributes:
        content: the text, as it came, or a lone tool call's arguments; empty if there was none.
        reasoning: what the server itself set apart as reasoning; None if nothing.
        status: ``ok`` says only that there is a text to read.
        problem: for any other status, what was wrong, in words.
        failure: and the same in a word or two, as a verdict stores it.
        latency: seconds.
        served_model: the model as the server calls it.
        endpoint: the address of the server that replied.
        sent_hash: SHA-256 of the request's body, byte for byte, as hex digits.
        enforced: whether the server was told which answers are allowed, and this is one.
        token_logprobs: natural log-probabilities of the tokens that could have stood where the
            label begins, by token; None if they were not wanted or not to be had.
    """

    content: str
    reasoning: str | None
    finish_reason: str
    status: VerdictStatus
    problem: str
    tokens_in: int | None
    tokens_out: int | None
    latency: float
    failure: str = ""
    served_model: str = ""
    endpoint: str = ""
    sent_hash: str = ""
    enforced: bool = False
    token_logprobs: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a call that was not for a chat completion.

    Attributes:
        body: the JSON object.
        sent_hash: SHA-256 of the request's body, byte for byte, as hex digits.
        latency: seconds.
        endpoint: the address of the server that answered.
        sent: how many bytes the request's body has.
    """

    body: Mapping[str, Any]
    sent_hash: str
    latency: float
    endpoint: str
    sent: int | None = None


def without_surrogates(text: str) -> str:
    """The text with surrogate pairs joined and lone ones replaced: what UTF-8 can carry."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def said(body: object) -> str:
    """A server's own words out of the several shapes that errors have."""
    while isinstance(body, dict):
        body = body.get("message") or body.get("error") or body.get("detail") or ""
    return body if isinstance(body, str) else json.dumps(body) if body else ""


def read_json(content: bytes, redacted: Callable[[str], str] = str) -> dict[str, Any]:
    """A body that should be a JSON object.

    Raises:
        Garbled: it is not one.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        if not content.strip():
            raise Garbled("the answer is empty") from None
        # What is hidden is hidden before the rest is cut off.
        start = redacted(content[:4096].decode("utf-8", "replace"))[:80]
        raise Garbled(f"the answer is not JSON: {start!r}") from None
    if not isinstance(body, dict):
        raise Garbled("the answer holds no choice: it is no JSON object")
    return body


def read_completion(
    body: Mapping[str, Any],
    latency: float,
    redacted: Callable[[str], str] = str,
    *,
    endpoint: str = "",
    sent_hash: str = "",
    sent: int | None = None,
    limit: int | None = None,
) -> Reply:
    """A chat completion → a reply. Of several choices it is the one with the lowest index.

    Args:
        latency: seconds.
        redacted: makes a server's words fit to be shown.
        endpoint: where it comes from.
        sent_hash: what was asked.
        sent: how many bytes were sent, and ``limit``, how many tokens the reply may have: what
            the server counted is taken no further than these.

    Raises:
        Garbled: it is not one.
    """
    first = first_choice(body)
    message = first.get("message") if first else None
    if first is None or not isinstance(message, dict):
        words = redacted(said(body))
        raise Garbled(f"the answer holds no choice{': ' + words if words else ''}")
    given = body.get("usage")
    usage = given if isinstance(given, dict) else {}
    text, finish = _text(message.get("content")), str(first.get("finish_reason") or "")
    if not text.strip() and (arguments := _tool_arguments(message)):
        text, finish = arguments, "stop" if finish in ("tool_calls", "function_call") else finish
    status, failure, problem = _outcome(text, finish, _text(message.get("refusal")))
    reasoning = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    return Reply(
        content=text,
        reasoning=reasoning or None,
        finish_reason=finish,
        status=status,
        problem=problem,
        tokens_in=counted_in(usage.get("prompt_tokens"), sent),
        tokens_out=counted_out(usage.get("completion_tokens"), limit, text, reasoning),
        latency=latency,
        failure=failure,
        served_model=without_surrogates(str(body.get("model") or "")),
        endpoint=endpoint,
        sent_hash=sent_hash,
    )


def first_choice(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """A completion's choice of the lowest index: several may come in any order."""
    choices = body.get("choices")
    if not isinstance(choices, list):
        return None
    proper = [choice for choice in choices if isinstance(choice, dict)]
    return min(proper, key=lambda choice: counted(choice.get("index")) or 0, default=None)


def _tool_arguments(message: Mapping[str, Any]) -> str:
    """The arguments of a message's only tool call; empty if there is none, or several."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list) or not calls:
        calls = [{"function": message.get("function_call")}]
    called = calls[0].get("function") if isinstance(calls[0], dict) else None
    if len(calls) != 1 or not isinstance(called, dict):
        return ""
    return _text(called.get("arguments"))


def _text(value: object) -> str:
    """A message's text, whether it is one string or a list of text parts."""
    if isinstance(value, list):
        value = "".join(str(p.get("text") or "") for p in value if isinstance(p, dict))
    return without_surrogates(value) if isinstance(value, str) else ""


def _outcome(text: str, finish: str, refusal: str) -> tuple[VerdictStatus, str, str]:
    """A reply's status, its failure's name, and the failure in words."""
    if finish == "content_filter":
        problem = "the server's content filter stopped the reply"
        return VerdictStatus.FILTERED, "filtered", problem
    if refusal:
        return VerdictStatus.REFUSED, "refused", f"the model refused: {refusal[:200]}"
    if finish == "length":
        return VerdictStatus.TRUNCATED, "truncated", "the reply reached max_tokens"
    if finish not in ("stop", "eos", "eos_token", "stop_sequence", ""):
        problem = f"the reply ended for an unknown reason: {finish[:40]}"
        return VerdictStatus.UNPARSED, "unknown ending", problem
    if not text.strip():
        return VerdictStatus.UNPARSED, "empty", "empty: the reply holds no text"
    return VerdictStatus.OK, "", ""
