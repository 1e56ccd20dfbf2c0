"""What a check finds of servers of several kinds, each as the stub plays it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

from core.errors import TiebreakError
from core.records import Judge
from judges.probing import described, probe
from judges.structured import KINDS
from tests.judges.stub_server import Request, Scripted, StubServer, failure
from tests.judges.stub_server import completion as told

Answer = Callable[[Request], Scripted]


def models(*entries: dict[str, Any]) -> Scripted:
    return Scripted(body=json.dumps({"object": "list", "data": entries}).encode())


def completion(content: str | None, *, model: str = "m", **more: Any) -> Scripted:
    return told(content, model=model, **more)


UNSUPPORTED = {"message": "Unrecognized request argument", "code": "unknown_parameter"}
NOT_FOUND = failure(404, {"detail": "Not Found"})
CONSTRAINTS = {"structured_outputs", "grammar", "response_format"}


def first_enum(schema: dict[str, Any]) -> str:
    body = {
        name: one["enum"][0] if "enum" in one else one["minimum"]
        for name, one in schema["properties"].items()
    }
    return json.dumps(body)


def vllm(request: Request) -> Scripted:
    """Knows structured_outputs and decisions, ignores a grammar, refuses two kinds at once."""
    if request.path.endswith("/models"):
        return models({"id": "m", "owned_by": "vllm", "max_model_len": 8192})
    if request.path.endswith("/systemone"):
        return Scripted(body=b'{"answers": {"verdict": {"probabilities": {"A": 1, "B": 0}}}}')
    if not request.path.endswith("/chat/completions"):
        return NOT_FOUND
    body = request.body
    if "structured_outputs" in body:
        (kind, limits), *more = body["structured_outputs"].items()
        assert not more
        assert "response_format" not in body
        text = limits[0] if kind == "choice" else '{"verdict": "medlar", "sure": 2}'
        if kind == "regex" and not re.fullmatch(limits, text):
            text = "[[quince]]\nIt is so."
        assert kind != "regex" or re.fullmatch(limits, text)
        return completion(text)
    top = [{"token": str(n), "logprob": -n} for n in range(body.get("top_logprobs", 0))]
    logprobs = {"content": [{"token": "Hi", "logprob": -0.1, "top_logprobs": top}]}
    return completion("Hi.", logprobs=logprobs if body.get("logprobs") else None)


def openai(request: Request) -> Scripted:
    """Knows strict schemas only, refuses what it does not know, wants its own limit."""
    if request.path.endswith("/models"):
        return models({"id": "m", "owned_by": "system"}, {"id": "n", "owned_by": "system"})
    if not request.path.endswith("/chat/completions"):
        return NOT_FOUND
    body = request.body
    if "max_tokens" in body:
        words = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return failure(400, {"error": {"message": words, "code": "unsupported_parameter"}})
    if body.keys() & {"structured_outputs", "grammar"}:
        return failure(400, {"error": UNSUPPORTED})
    if body.get("top_logprobs", 0) > 5:
        return failure(400, {"error": {"message": "at most 5", "param": "top_logprobs"}})
    top = [{"token": str(n), "logprob": -n} for n in range(body.get("top_logprobs", 0))]
    logprobs = {"content": [{"token": "Hi", "logprob": -0.1, "top_logprobs": top}]}
    if "response_format" in body:
        schema = body["response_format"]["json_schema"]
        assert schema["strict"] is True
        return completion(first_enum(schema["schema"]), model="m-2026-11-01")
    return completion("Hi.", model="m-2026-11-01", logprobs=logprobs)


def deaf(request: Request) -> Scripted:
    """Transformers serve: ignores all it does not know, lists nothing, thinks in the reply."""
    if request.path.endswith("/models"):
        return failure(500)
    if not request.path.endswith("/chat/completions"):
        return NOT_FOUND
    if request.body.get("structured_outputs"):
        return failure(422, {"detail": [{"msg": "extra fields"}]})
    return completion("<think>Hm.</think> Hello.")


def thinker(request: Request) -> Scripted:
    """Thinks apart from its reply, and needs room for it."""
    if request.path.endswith("/models"):
        return models({"id": "m", "owned_by": "sglang", "context_length": 32768})
    if not request.path.endswith("/chat/completions"):
        return NOT_FOUND
    if request.body["max_tokens"] < 1000:
        return completion(None, finish="length", reasoning_content="Let me think")
    text = "quince" if "grammar" in request.body else "Hi."
    return completion(text, reasoning_content="Let me think.")


async def found_at(answer: Answer, **parameters: Any) -> tuple[dict[str, Any], list[Request]]:
    async with StubServer(answer) as stub:
        record = Judge("j", "openai", "m", stub.url, parameters=parameters)
        return await probe(record, stub.url), stub.requests


async def test_a_server_that_can_do_all() -> None:
    found, _ = await found_at(vllm)
    assert found == {
        "server": "vllm",
        "models": ["m"],
        "context": 8192,
        "structured": {
            "choice": "structured_outputs",
            "json": "structured_outputs",
            "form": "structured_outputs",
        },
        "logprobs": 20,
        "reasoning": "",
        "limit": "max_tokens",
        "decisions": "systemone",
        "notes": [],
    }
    assert described(found) == [
        "vllm, context 8,192 tokens",
        "verdicts can be enforced: labels by structured_outputs, JSON by structured_outputs, "
        "verdicts with reasons by structured_outputs",
        "log-probabilities: 20 alternatives at each token",
        "decision endpoint: systemone",
    ]


async def test_a_server_that_refuses_what_it_does_not_know() -> None:
    found, _ = await found_at(openai)
    assert found["structured"] == dict.fromkeys(KINDS, "json_schema")
    assert (found["limit"], found["logprobs"]) == ("max_completion_tokens", 5)
    assert found["notes"] == ["it answers as 'm-2026-11-01'"]
    assert "max_completion_tokens" in "\n".join(described(found))


async def test_a_server_that_ignores_what_it_does_not_know_is_not_believed() -> None:
    found, _ = await found_at(deaf)
    assert found["structured"] == dict.fromkeys(KINDS, "")
    assert (found["logprobs"], found["reasoning"], found["models"]) == (0, "inline", [])
    assert described(found) == [
        "a server that does not say what it is, context unknown",
        "verdicts cannot be enforced: the prompt alone asks for their form",
        "reasoning comes inside the reply and is set apart here",
        "it lists no models (500)",
    ]


async def test_a_model_that_thinks_is_given_room() -> None:
    found, requests = await found_at(thinker)
    assert (found["reasoning"], found["context"]) == ("apart", 32768)
    assert found["structured"]["choice"] == "grammar"
    constrained = [r for r in requests if r.raw and CONSTRAINTS & r.body.keys()]
    assert constrained
    assert {r.body["max_tokens"] for r in constrained} == {2048}


async def test_the_judges_own_parameters_are_sent_but_not_its_limit() -> None:
    _, requests = await found_at(vllm, temperature=0.5, max_tokens=9000, timeout=180)
    talks = [r.body for r in requests if r.path.endswith("/chat/completions")]
    assert {(body["temperature"], body["max_tokens"]) for body in talks} == {(0.5, 64)}
    assert not any("timeout" in body for body in talks)


async def test_another_name_in_the_list_is_said_and_a_refusal_of_it_ends_the_check() -> None:
    def lenient(request: Request) -> Scripted:
        if request.path.endswith("/models"):
            return models({"id": "other"})
        return completion("Hi.", model="other")

    found, _ = await found_at(lenient)
    assert found["notes"] == ["it does not list 'm', but: other", "it answers as 'other'"]

    def strict(request: Request) -> Scripted:
        if request.path.endswith("/models"):
            return models({"id": "other"})
        return failure(404, {"error": {"message": "The model `m` does not exist."}})

    with pytest.raises(TiebreakError, match="does not serve the model 'm'") as caught:
        await found_at(strict)
    assert "--no-check" in caught.value.hint


async def test_an_unreachable_server_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(TiebreakError, match=f"cannot reach {url}") as caught:
            await probe(Judge("j", "openai", "m", url), url)
    assert "\n" not in caught.value.message
    assert "--no-check" in caught.value.hint


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (failure(401, {"error": "Unauthorized"}), "refuses the key"),
        (failure(429, retry_after="3600"), "is busy and asks to wait 3,600 s: 429"),
        (failure(400, {"error": {"message": "no"}}), "refuses a short request: 400: no"),
        (Scripted(), "gives no answer: the answer is empty"),
        (failure(503), "lists no models|gives no answer: 503"),
        (Scripted(body=b"<html>It works!</html>"), "gives no answer: the answer is not JSON"),
        (Scripted(302, headers={"location": "https://elsewhere.example"}), "sends elsewhere"),
        (failure(400, {"error": {"message": "bad", "param": "top_q"}}), "not take a parameter"),
    ],
)
async def test_a_server_that_is_none_is_refused(answer: Scripted, words: str) -> None:
    with pytest.raises(TiebreakError, match=words) as caught:
        await found_at(lambda _: answer)
    assert "--no-check" in caught.value.hint


async def test_a_server_that_is_busy_is_waited_for() -> None:
    """Each call is limited once: the list, the first one, those that look for what it can do."""
    limited: set[bytes] = set()
    pauses: list[tuple[float, str]] = []

    def busy(request: Request) -> Scripted:
        if (asked := request.path.encode() + request.raw) in limited:
            return vllm(request)
        limited.add(asked)
        return failure(429, {"error": {"message": "slow down"}}, retry_after_ms="10")

    async with StubServer(busy) as stub:
        record = Judge("j", "openai", "m", stub.url)
        found = await probe(record, stub.url, on_wait=lambda *told: pauses.append(told))
    assert found == (await found_at(vllm))[0]
    assert set(pauses) == {(0.01, "429: slow down")}
    assert len(pauses) == len(limited) > 5


async def test_a_server_that_stays_busy_is_waited_for_no_longer_than_is_fit() -> None:
    pauses: list[float] = []

    def busy(_: Request) -> Scripted:
        return failure(429, {"error": {"message": "slow down"}}, retry_after_ms="20")

    async with StubServer(busy) as stub:
        record = Judge("j", "openai", "m", stub.url)
        with pytest.raises(TiebreakError, match="is busy and asks to wait") as caught:
            await probe(
                record, stub.url, on_wait=lambda wait, _: pauses.append(wait), patience=0.07
            )
    assert pauses == [0.02] * 3
    assert "a run waits for it" in caught.value.hint


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (completion(""), "empty: the reply holds no text"),
        (completion(None, refusal="Not me."), "the model refused: Not me."),
        (completion("Hi.", finish="content_filter"), "the server's content filter"),
        (completion(None, finish="length", reasoning="Hm"), "the reply reached max_tokens"),
    ],
)
async def test_a_server_that_gives_nothing_to_read_is_said_to(reply: Scripted, words: str) -> None:
    def mute(request: Request) -> Scripted:
        return reply if request.path.endswith("/chat/completions") else vllm(request)

    found, _ = await found_at(mute)
    (note,) = [one for one in described(found) if "nothing to read" in one]
    assert words in note
    talking, _ = await found_at(vllm)
    assert "nothing to read" not in "".join(described(talking))


async def test_the_key_is_sent_and_never_told() -> None:
    key = "very-secret-0123456789"

    def echo(request: Request) -> Scripted:
        return failure(401, {"error": {"message": f"wrong: {request.headers['authorization']}"}})

    async with StubServer(echo) as stub:
        record = Judge("j", "openai", "m", stub.url, parameters={"api_key_env": "MY_KEY"})
        with pytest.raises(TiebreakError, match="refuses the key") as caught:
            await probe(record, stub.url, environ={"MY_KEY": key})
        assert stub.requests[0].headers["authorization"] == f"Bearer {key}"
        assert key not in caught.value.message + caught.value.hint
        with pytest.raises(TiebreakError, match="MY_KEY is not set"):
            await probe(record, stub.url, environ={})


async def test_a_decision_judge_needs_the_endpoint_alone() -> None:
    async with StubServer(vllm) as stub:
        found = await probe(Judge("d", "decision", "m", stub.url), stub.url)
        assert found["decisions"] == "systemone"
        assert not [r for r in stub.requests if r.path.endswith("/chat/completions")]
    async with StubServer(deaf) as stub:
        with pytest.raises(TiebreakError, match="has no decision endpoint"):
            await probe(Judge("d", "decision", "m", stub.url), stub.url)
