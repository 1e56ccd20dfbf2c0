"""The client against a server that misbehaves: each outcome has one class."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.errors import TiebreakError
from core.records import VerdictStatus
from judges.client import GARBLED_CHARACTERS, MOST_BYTES, ChatClient, check_address
from judges.outcomes import (
    CallError,
    Garbled,
    JobFatal,
    RateLimited,
    Rejected,
    Reply,
    TimedOut,
    TooLong,
    Transient,
    Unreachable,
    without_surrogates,
)
from judges.prompting import Message
from judges.refusals import retry_after
from tests.judges.stub_server import Scripted, StubServer, completion, failure
from tests.waiting import PATIENCE

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
async def stub() -> AsyncIterator[StubServer]:
    async with StubServer() as server:
        yield server


async def ask(stub: StubServer, *answers: Scripted, timeout: float = PATIENCE) -> Reply:
    stub.enqueue(*answers)
    client = ChatClient(stub.url, "m", timeout=timeout, now=lambda: NOON)
    try:
        return await client.ask([Message("user", "Which?")], {"temperature": 0})
    finally:
        await client.close()


async def test_a_reply_and_what_was_sent(stub: StubServer) -> None:
    reply = await ask(stub, completion("[[A]]", reasoning_content="hm"))
    assert (reply.content, reply.reasoning, reply.status) == ("[[A]]", "hm", VerdictStatus.OK)
    assert (reply.tokens_in, reply.tokens_out, reply.served_model) == (11, 7, "stub")
    assert reply.latency > 0
    (request,) = stub.requests
    assert reply.sent_hash == hashlib.sha256(request.raw).hexdigest()
    assert (reply.endpoint, reply.enforced, reply.token_logprobs) == (stub.url, False, None)
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Which?"}],
        "temperature": 0,
    }


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (completion(None), VerdictStatus.UNPARSED),
        (completion(""), VerdictStatus.UNPARSED),
        (completion(None, reasoning="thought"), VerdictStatus.UNPARSED),
        (completion(None, finish="length", reasoning="thought"), VerdictStatus.TRUNCATED),
        (completion("[[A]] and", finish="length"), VerdictStatus.TRUNCATED),
        (completion("[[A]]", finish="content_filter"), VerdictStatus.FILTERED),
        (completion(None, refusal="No."), VerdictStatus.REFUSED),
        (completion("[[A]]", finish="tool_calls"), VerdictStatus.UNPARSED),
        (completion("[[A]]", finish=None), VerdictStatus.OK),
    ],
)
async def test_a_reply_without_a_usable_text(
    stub: StubServer, answer: Scripted, status: VerdictStatus
) -> None:
    reply = await ask(stub, answer)
    assert reply.status is status
    assert bool(reply.problem) == (status is not VerdictStatus.OK)


OVERFLOW = "This model's maximum context length is 4096 tokens, you asked for 5000."


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (failure(429, {"error": {"message": "slow down"}}), RateLimited, "slow down"),
        (failure(429, {"error": {"message": "x", "code": "insufficient_quota"}}), JobFatal, "429"),
        (failure(500, {"error": {"message": "boom"}}), Transient, "boom"),
        (failure(503), Transient, "503"),
        (failure(408), Transient, "408"),
        (failure(409), Transient, "409"),
        (failure(401, {"error": "Unauthorized"}), JobFatal, "Unauthorized"),
        (failure(403), JobFatal, "403"),
        (failure(404, {"error": {"message": "The model `m` does not exist."}}), JobFatal, "'m'"),
        (failure(400, {"detail": "unknown model m"}), JobFatal, "does not serve"),
        (failure(400, {"error": {"message": OVERFLOW, "param": "input_tokens"}}), TooLong, "5000"),
        (failure(400, {"error": {"message": "x", "code": "context_length_exceeded"}}), TooLong, ""),
        (failure(400, {"error": {"message": "bad", "param": "top_q"}}), JobFatal, "parameter"),
        (failure(400, {"error": {"message": "bad", "param": "messages[0]"}}), Rejected, "bad"),
        (failure(400, {"error": {"message": "something odd"}}), Rejected, "something odd"),
        (failure(422, {"detail": [{"msg": "odd"}]}), Rejected, "odd"),
        (Scripted(body=b"{not json"), Garbled, "not JSON"),
        (Scripted(body=b" "), Garbled, "the answer is empty"),
        (Scripted(body=b"<html>", headers={"content-type": "text/html"}), Garbled, "<html>"),
        (Scripted(body=b'{"error": {"message": "later"}}'), Garbled, "later"),
        (Scripted(body=b'{"choices": []}'), Garbled, "no choice"),
        (Scripted(body=b"[1]"), Garbled, "no choice"),
        (Scripted(body=b'{"choices": [{"message": null}]}'), Garbled, "no choice"),
        (Scripted(body=b"\xff\xfe"), Garbled, "not JSON"),
        (Scripted(body=b"[" * 100_000), Garbled, "not JSON"),
        (Scripted(body=b"x" * (MOST_BYTES + 1)), Garbled, "longer than 16 MiB"),
        (Scripted(whole=b"what?\r\n\r\n"), Garbled, "not HTTP"),
        (Scripted(302, headers={"location": "http://127.0.0.1:9/v1"}), JobFatal, "127.0.0.1:9"),
        (Scripted(307), JobFatal, "elsewhere"),
        (failure(400, {"message": "odd", "object": "error", "code": 400}), Rejected, "odd"),
        (Scripted(502, b"<html>Bad gateway</html>"), Transient, "Bad gateway"),
        (Scripted(body=b"x" * 500, cut_after=0), Transient, "lost"),
        (Scripted(body=b"x" * 500, cut_after=200), Transient, "lost: the answer broke off"),
    ],
)
async def test_each_failure_has_its_class(
    stub: StubServer, answer: Scripted, kind: type[CallError], words: str
) -> None:
    with pytest.raises(CallError) as caught:
        await ask(stub, answer)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert len(stub.requests) == 1, "the client itself never sends twice"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"<html>[[A]] of very-secret/0123</html>", "<html>[[A]] of …</html>"),
        (b'{"said": "very-secret\\/0123"', '{"said": "…"'),
        (b"\xff\xfe\x00 [[A]]", "\ufffd\ufffd\x00 [[A]]"),
        (b"", ""),
        ("é".encode() * GARBLED_CHARACTERS + b"x", "é" * GARBLED_CHARACTERS),
        (b"x" * (MOST_BYTES + 1), "x" * GARBLED_CHARACTERS),
    ],
)
async def test_an_answer_that_is_none_is_kept_as_text_and_without_the_key(
    stub: StubServer, sent: bytes, kept: str
) -> None:
    stub.answer = lambda _: Scripted(body=sent)
    client = ChatClient(
        stub.url, "m", key_variable="MY_KEY", environ={"MY_KEY": "very-secret/0123"}
    )
    for call in (client.ask([Message("user", "x")], {}), client.post("/systemone", {})):
        with pytest.raises(Garbled) as caught:
            await call
        assert caught.value.body == kept
    await client.close()


async def test_a_slow_server_is_a_time_out(stub: StubServer) -> None:
    with pytest.raises(TimedOut, match=r"0\.1 s"):
        await ask(stub, completion("[[A]]", delay=5), timeout=0.1)


async def test_a_server_that_never_stops_writing_is_a_time_out(stub: StubServer) -> None:
    with pytest.raises(TimedOut, match=r"0\.2 s"):
        await ask(stub, Scripted(body=b"x" * 500, cut_after=200, hangs=True), timeout=0.2)


@pytest.mark.parametrize(
    ("error", "failure_name", "charged"),
    [
        (Transient("503"), "server error", False),
        (Transient("lost", possibly_charged=True), "server error", True),
        (Unreachable("refused"), "unreachable", False),
        (TimedOut("slow"), "timed out", True),
        (Garbled("html"), "garbled", True),
        (RateLimited("429", 1.0), "rate limited", False),
        (TooLong("4097"), "too long", False),
        (Rejected("400"), "rejected", False),
    ],
)
def test_each_class_has_a_name_and_says_whether_it_may_cost(
    error: CallError, failure_name: str, charged: bool
) -> None:
    assert (error.failure, error.possibly_charged) == (failure_name, charged)


async def test_a_connection_is_used_again_and_what_is_sent_is_the_same_each_time(
    stub: StubServer,
) -> None:
    client = ChatClient(f"{stub.url}/", "m")
    for _ in range(20):
        await client.ask([Message("user", "Which? 😀")], {"temperature": 0})
    await client.close()
    assert stub.connections_made == 1
    assert {request.raw for request in stub.requests} == {stub.requests[0].raw}
    assert {request.path for request in stub.requests} == {"/v1/chat/completions"}


async def test_a_very_long_request_arrives_whole(stub: StubServer) -> None:
    client = ChatClient(stub.url, "m")
    await client.ask([Message("user", "é" * 2**20)], {})
    await client.close()
    assert stub.requests[0].body["messages"][0]["content"] == "é" * 2**20


async def test_a_proxy_and_cookies_are_left_alone(
    stub: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client = ChatClient(stub.url, "m")
    stub.enqueue(replace(completion("[[A]]"), headers={"set-cookie": "who=me"}))
    for _ in range(2):
        await client.ask([Message("user", "x")], {})
    await client.close()
    assert not any("cookie" in request.headers for request in stub.requests)


def several(*choices: dict[str, object]) -> Scripted:
    return Scripted(body=json.dumps({"model": "stub", "choices": choices}).encode())


def called(*arguments: str, finish: str = "tool_calls") -> dict[str, object]:
    calls = [{"function": {"name": "f", "arguments": one}} for one in arguments]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    return {"index": 0, "message": message, "finish_reason": finish}


async def test_of_several_choices_the_first_by_index_counts(stub: StubServer) -> None:
    one, two = ({"index": n, "message": {"content": f"[[{x}]]"}} for n, x in ((1, "B"), (0, "A")))
    assert (await ask(stub, several(one, two))).content == "[[A]]"


@pytest.mark.parametrize(
    ("choice", "content", "status"),
    [
        (called('{"verdict": "A"}'), '{"verdict": "A"}', VerdictStatus.OK),
        (called('{"verdict": "A"}', finish="stop"), '{"verdict": "A"}', VerdictStatus.OK),
        (called('{"verdict": "A', finish="length"), '{"verdict": "A', VerdictStatus.TRUNCATED),
        (called('{"verdict": "A"}', '{"verdict": "B"}'), "", VerdictStatus.UNPARSED),
        (called(), "", VerdictStatus.UNPARSED),
    ],
)
async def test_the_arguments_of_a_lone_tool_call_are_the_text(
    stub: StubServer, choice: dict[str, object], content: str, status: VerdictStatus
) -> None:
    reply = await ask(stub, several(choice))
    assert (reply.content, reply.status) == (content, status)


async def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = ChatClient(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "m")
        with pytest.raises(Unreachable, match="cannot reach"):
            await client.ask([Message("user", "x")], {})
        await client.close()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"x-ratelimit-reset": "12"}, 12),
        ({"x-ratelimit-reset": str((NOON + timedelta(seconds=90)).timestamp())}, 90),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"x-ratelimit-reset-tokens": "250ms"}, 0.25),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset": "whenever"}, None),
        ({"retry-after": "4", "x-ratelimit-reset": "99"}, 4),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOON) == seconds


async def test_a_pause_asked_for_reaches_the_error(stub: StubServer) -> None:
    with pytest.raises(RateLimited) as caught:
        await ask(stub, failure(429, retry_after="Thu, 01 Jan 2026 12:00:03 GMT"))
    assert caught.value.wait == 3


async def test_the_key_is_named_read_late_and_never_told(
    stub: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "very-secret-0123456789"
    environ: dict[str, str] = {}
    client = ChatClient(stub.url, "m", key_variable="MY_KEY", environ=environ)
    with pytest.raises(TiebreakError, match="MY_KEY is not set"):
        await client.ask([Message("user", "x")], {})
    environ["MY_KEY"] = key
    echo = f"Incorrect API key provided: {key}. Or was it sk-abc**********wxyz?"
    stub.enqueue(failure(401, {"error": {"message": echo}}))
    with pytest.raises(JobFatal) as caught:
        await client.ask([Message("user", "x")], {})
    await client.close()
    assert stub.requests[0].headers["authorization"] == f"Bearer {key}"
    told = f"{caught.value} {caught.value.hint} {caught.value!r} {caplog.text} {vars(caught.value)}"
    assert key not in told
    assert "wxyz" not in told
    assert "MY_KEY" in caught.value.hint


@pytest.mark.parametrize("key", ["sec\r\nret: 1", "sécret", "sec\x00ret"])
async def test_a_key_that_is_none_is_refused_untold(stub: StubServer, key: str) -> None:
    client = ChatClient(stub.url, "m", key_variable="MY_KEY", environ={"MY_KEY": key})
    with pytest.raises(TiebreakError, match="MY_KEY holds no key") as caught:
        await client.ask([Message("user", "x")], {})
    assert "ret" not in f"{caught.value!r}".replace("printable", "")
    assert not stub.requests


async def test_nothing_of_the_environment_is_told_to_a_server(
    stub: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", "from-the-environment")
    await ask(stub, completion("[[A]]"))
    assert "from-the-environment" not in str(stub.requests[0].headers)


async def test_lone_surrogates_neither_break_the_call_nor_come_back(stub: StubServer) -> None:
    stub.enqueue(completion("broken \ud83d, whole \ud83d\ude00"))
    client = ChatClient(stub.url, "m")
    reply = await client.ask([Message("user", "x\udfff")], {})
    await client.close()
    assert stub.requests[0].body["messages"][0]["content"] == "x\ufffd"
    assert reply.content == "broken \ufffd, whole 😀"
    assert without_surrogates("é😀") == "é😀"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "not the address"),
        ("localhost:8000", "not the address"),
        ("ftp://x/v1", "not the address"),
        ("http://[::1", "not the address"),
        ("http://x:99999/v1", "not the address"),
        ("https://me:hunter2@x/v1", "more than an address"),
        ("https://x/v1?key=hunter2", "more than an address"),
    ],
)
def test_addresses_that_are_none(address: str, words: str) -> None:
    with pytest.raises(TiebreakError, match=re.escape(words)) as caught:
        check_address(address)
    assert "hunter2" not in caught.value.message + caught.value.hint


ECHO = "sk-SECRET/0123456789"


async def test_a_key_that_a_reply_repeats_is_not_in_what_is_stored(stub: StubServer) -> None:
    """Escaped in the JSON or not, in the text, the thoughts or the model's name."""
    client = ChatClient(stub.url, "m", key_variable="K", environ={"K": ECHO})
    said = f" Your key  is Bearer {ECHO}.\n[[A]]"
    plain = completion(said, model=ECHO, reasoning_content=f"({ECHO})")
    escaped = Scripted(body=plain.body.replace(ECHO.encode(), ECHO.replace("/", "\\/").encode()))
    stub.enqueue(plain, escaped)
    for _ in range(2):
        reply = await client.ask([Message("user", "x")], {})
        assert ECHO not in repr(reply)
        assert reply.content == " Your key  is Bearer ….\n[[A]]"
    stub.enqueue(Scripted(body=b"x" * 70 + ECHO.encode()))
    with pytest.raises(Garbled) as caught:
        await client.ask([Message("user", "x")], {})
    assert "sk-SEC" not in str(caught.value)
    stub.enqueue(Scripted(500, b"x" * 190 + ECHO.encode()))
    with pytest.raises(Transient) as failed:
        await client.ask([Message("user", "x")], {})
    assert "sk-SEC" not in str(failed.value)
    await client.close()


@pytest.mark.parametrize(
    ("prompt", "completed", "counts"),
    [
        (11, 7, (11, 7)),
        (-5, 7, (None, 7)),
        (0, 0, (None, None)),
        (11, -1, (11, None)),
        (10**30, 10**30, (None, None)),
        (10**6, 10**6, (None, None)),
        ("11", 7.0, (None, None)),
        (True, None, (None, None)),
        (11, 116, (11, 116)),
        (11, 117, (11, None)),
    ],
)
async def test_counts_that_cannot_be_are_none(
    stub: StubServer, prompt: object, completed: object, counts: tuple[int | None, int | None]
) -> None:
    body = json.loads(completion("[[A]]").body)
    body["usage"] = {"prompt_tokens": prompt, "completion_tokens": completed}
    stub.enqueue(Scripted(body=json.dumps(body).encode()))
    client = ChatClient(stub.url, "m")
    reply = await client.ask([Message("user", "Which?")], {"max_tokens": 100})
    await client.close()
    assert (reply.tokens_in, reply.tokens_out) == counts


async def test_a_server_that_ignores_its_limit_is_believed_what_its_text_shows(
    stub: StubServer,
) -> None:
    body = json.loads(completion("x" * 500).body)
    body["usage"]["completion_tokens"] = 400
    stub.enqueue(Scripted(body=json.dumps(body).encode()))
    client = ChatClient(stub.url, "m")
    assert (await client.ask([Message("user", "x")], {"max_tokens": 100})).tokens_out == 400
    await client.close()
