"""The stub itself: a test that stands on it must be able to trust it."""

from __future__ import annotations

import asyncio
import json

import pytest

from core.records import VerdictStatus
from judges.client import ChatClient
from judges.outcomes import CallError, Reply
from judges.prompting import Message
from tests.judges.stub_process import FAULTS, Faulty, StubProcess
from tests.judges.stub_server import StubServer
from tests.waiting import PATIENCE

ENDS = {
    "429": "rate limited",
    "429 seconds": "rate limited",
    "429 date": "rate limited",
    "500": "server error",
    "503": "server error",
    "slow": "timed out",
    "cut": "server error",
    "cut at once": "server error",
    "hangs": "timed out",
    "garbage": "garbled",
    "no HTTP": "garbled",
    "HTML": "garbled",
    "error as 200": "garbled",
    "empty": "empty",
    "empty body": "garbled",
    "wrong model": "",
    "context overflow": "too long",
    "content filter": "filtered",
    "refusal": "refused",
    "reasoning only": "truncated",
    "truncated": "truncated",
    "usage below 0": "",
    "usage beyond all": "",
}
"""What the client makes of each fault."""


async def outcome(client: ChatClient, text: str = "Which?") -> tuple[str, Reply | CallError]:
    try:
        reply = await client.ask([Message("user", text)], {})
    except CallError as error:
        return error.failure, error
    return reply.failure, reply


@pytest.mark.parametrize("name", FAULTS)
async def test_every_fault_is_met_and_named_by_the_client(name: str) -> None:
    async with StubServer(Faulty(script=(name, "fine"))) as stub:
        # Only what never comes is not waited for.
        never = ENDS[name] == "timed out"
        client = ChatClient(stub.url, "m", timeout=0.3 if never else PATIENCE)
        failure, told = await outcome(client)
        assert failure == ENDS[name], told
        failure, told = await outcome(client)
        while never and failure == "timed out":  # a busy machine is as slow as that
            failure, told = await outcome(client)
        assert failure == "", "the connection is fit for another call, or a new one is made"
        assert isinstance(told, Reply)
        assert told.status is VerdictStatus.OK
        await client.close()


def drawn(faulty: Faulty, texts: list[str]) -> list[int]:
    from tests.judges.stub_server import Request

    return [faulty(Request("POST", "/", b"", text.encode())).status for text in texts]


def test_chance_follows_its_seed_or_the_request() -> None:
    texts = [str(number) for number in range(400)]
    shares = {"500": 0.25, "429": 0.25}
    first = drawn(Faulty(shares, seed=1), texts)
    assert first == drawn(Faulty(shares, seed=1), texts)
    assert first != drawn(Faulty(shares, seed=2), texts)
    assert 60 < first.count(500) < 140
    assert 60 < first.count(429) < 140
    lasting = Faulty(shares, seed=1, persistent=True)
    once, again = drawn(lasting, texts), drawn(lasting, list(reversed(texts)))
    assert once == list(reversed(again))
    assert len(set(once)) == 3
    with pytest.raises(ValueError, match="unknown"):
        Faulty({"gremlins": 0.1})


async def test_its_own_process_counts_each_request() -> None:
    with StubProcess(faults={"500": 0.2}, seed=3, delay=0.01) as stub:
        client = ChatClient(stub.url, "m")
        asked = [outcome(client, str(number % 20)) for number in range(200)]
        ends = [failure for failure, _ in await asyncio.gather(*asked)]
        counts = stub.counts()
        await client.close()
    assert set(ends) == {"", "server error"}
    assert (counts["requests"], len(counts["seen"])) == (200, 20)
    assert set(counts["seen"].values()) == {10}
    assert counts["met"] == {"fine": ends.count(""), "500": ends.count("server error")}
    assert sum(counts["completed"].values()) == ends.count("")
    assert 1 < counts["most"] <= 200
    json.dumps(counts)
