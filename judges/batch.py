"""Judging by files in the OpenAI Batch format, which that API and ``vllm run-batch`` take.

A judge is played to: a recorder notes what it would ask, and later a replayer answers it from
the results. So whatever a prompt asks, in however many requests, goes through a file as well.

A request's ``custom_id`` is the call's name in the queue, the number of the request within it,
and the beginning of the SHA-256 of its body: a result is taken only for exactly what was asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.records import Verdict, VerdictStatus
from judges.client import chat_body, encoded
from judges.models import ModelJudge
from judges.outcomes import Answer, Garbled, Reply, Transient, first_choice, read_completion
from judges.refusals import classified
from judges.structured import Support, Wanted, constrained, is_allowed, label_logprobs
from judges.tasks import Task
from judges.templates import Message
from judges.usage import limit_of

URL = "/v1/chat/completions"
MOST_LINES = 50_000
MOST_BYTES = 200_000_000
"""What one file may hold."""

_NOTHING = Reply("", None, "", VerdictStatus.UNPARSED, "not asked yet", None, None, 0.0)
_GONE = ("expired", "cancelled", "canceled")


class Unanswered(Exception):
    """The results hold nothing for a request."""


class _Play:
    """What recorder and replayer share: the requests of the call at hand, numbered.

    Args:
        support: what the server that is to work on the file was found to take.
    """

    def __init__(self, model: str, support: Support) -> None:
        self.model = model
        self.support = support
        self.call = ""
        self.number = 0

    def begin(self, call: str) -> None:
        """From here on the requests are of this call."""
        self.call, self.number = call, 0

    def request(
        self, messages: Sequence[Message], parameters: Mapping[str, Any], wanted: Wanted | None
    ) -> tuple[str, dict[str, Any], str, bool]:
        """A request's custom_id, body and whole SHA-256, and whether it enforces what is wanted."""
        sent, enforces = constrained(parameters, wanted, self.support)
        body = chat_body(self.model, messages, sent)
        digest = hashlib.sha256(encoded(body)).hexdigest()
        custom_id = f"{self.call}-{self.number}-{digest[:12]}"
        self.number += 1
        return custom_id, body, digest, enforces

    async def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Refused: a file holds chat completions alone."""
        raise ValueError(f"a batch file holds no requests for {path}")

    async def close(self) -> None:
        """Nothing is open."""


class Recorder(_Play):
    """Notes what a judge asks; see :class:`judges.asking.Asks`.

    Attributes:
        lines: what was asked since :meth:`begin`, as lines of a batch file.
    """

    def begin(self, call: str) -> None:
        """From here on the requests are of this call."""
        super().begin(call)
        self.lines: list[bytes] = []

    async def ask(
        self,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        *,
        wanted: Wanted | None = None,
    ) -> Reply:
        """Note a request; what is said in return says nothing."""
        custom_id, body, _, _ = self.request(messages, parameters, wanted)
        line = {"custom_id": custom_id, "method": "POST", "url": URL, "body": body}
        self.lines.append(encoded(line) + b"\n")
        return _NOTHING


class Replayer(_Play):
    """Answers a judge from results; see :class:`judges.asking.Asks`.

    Args:
        result: custom_id → the result's line; None where there is none.
        now: the time of day.
    """

    def __init__(
        self,
        model: str,
        support: Support,
        result: Callable[[str], Mapping[str, Any] | None],
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(model, support)
        self._result = result
        self._now = now

    async def ask(
        self,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        *,
        wanted: Wanted | None = None,
    ) -> Reply:
        """Give the reply that the results hold for this request.

        Raises:
            Unanswered: they hold none.
            CallError: they hold a failure.
        """
        custom_id, body, digest, enforces = self.request(messages, parameters, wanted)
        line = self._result(custom_id)
        if line is None:
            raise Unanswered(custom_id)
        reply, choice = self._read(line, len(encoded(body)), limit_of(parameters))
        kept = wanted is not None and enforces and reply.status is VerdictStatus.OK
        return replace(
            reply,
            sent_hash=digest,
            enforced=kept and wanted is not None and is_allowed(reply.content, wanted),
            token_logprobs=label_logprobs(choice, wanted) if wanted and wanted.logprobs else None,
        )

    def _read(
        self, line: Mapping[str, Any], sent: int, limit: int | None
    ) -> tuple[Reply, Mapping[str, Any]]:
        """A line's reply.

        Raises:
            CallError: the line says that there is none, in either of the shapes that errors have.
        """
        body, status, error = parts(line)
        if is_good(line):
            reply = read_completion(body, 0.0, sent=sent, limit=limit)
            return reply, first_choice(body) or {}
        told = error or body
        code = str(told.get("code") or "")
        if status is None:
            inner = told.get("error")
            code = str((inner if isinstance(inner, dict) else told).get("code") or code)
            status = int(code) if code.isdigit() and 400 <= int(code) < 600 else None
        if status is None or any(word in code for word in _GONE):
            raise Transient(f"the batch gave no answer: {code or 'no reason given'}")
        if status < 300:
            raise Garbled("the batch's answer holds no choice")
        asked = ("the batch", self.model, "")
        raise classified(status, {}, json.dumps(told).encode(), self._now(), asked, _plain)


def parts(line: Mapping[str, Any]) -> tuple[Mapping[str, Any], int | None, Mapping[str, Any]]:
    """A result's body, status and error, each empty where there is none."""
    response = line.get("response")
    told = response if isinstance(response, dict) else {}
    body, status, error = told.get("body"), told.get("status_code"), line.get("error")
    return (
        body if isinstance(body, dict) else {},
        status if isinstance(status, int) else None,
        error if isinstance(error, dict) else {},
    )


def is_good(line: Mapping[str, Any]) -> bool:
    """Whether a result holds a completion, however little that may say."""
    body, status, _ = parts(line)
    choices = body.get("choices")
    return status in (None, 200) and isinstance(choices, list) and bool(choices)


def _plain(text: str) -> str:
    return " ".join(text.split())[:500]


async def recorded(
    judge: ModelJudge, recorder: Recorder, call: str, tasks: Sequence[Task]
) -> list[bytes]:
    """The lines that ask what one call asks; none where the tasks cannot be put to anybody."""
    recorder.begin(call)
    await judge.judge_call(tasks)
    return recorder.lines


async def replayed(
    judge: ModelJudge, replayer: Replayer, call: str, tasks: Sequence[Task]
) -> list[Verdict]:
    """The verdicts that the results give on one call.

    Raises:
        Unanswered: the results do not hold all that it asks.
        CallError: they hold a failure.
    """
    replayer.begin(call)
    given = await judge.judge_call(tasks)
    # What a file took is no latency; 0 s would be one.
    return [replace(verdict, latency=None) for verdict in given]


def call_of(custom_id: str) -> str:
    """The name of the call that a custom_id belongs to; empty if it is none of ours."""
    call, _, rest = custom_id.partition("-")
    return call if rest else ""


class Files:
    """Lines dealt out to as many files as they need.

    Args:
        most_lines: lines that one file takes.
        most_bytes: bytes that one file takes.
    """

    def __init__(self, most_lines: int = MOST_LINES, most_bytes: int = MOST_BYTES) -> None:
        self._most = (most_lines, most_bytes)
        self._file = 0
        self._lines = self._bytes = 0

    def place(self, lines: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Each line with the number of the file, from 0, in which it belongs.

        A call's lines stay together, so that each file can be worked on alone.
        """
        size = sum(map(len, lines))
        if self._lines and (
            self._lines + len(lines) > self._most[0] or self._bytes + size > self._most[1]
        ):
            self._file += 1
            self._lines = self._bytes = 0
        self._lines += len(lines)
        self._bytes += size
        for line in lines:
            yield self._file, line
