"""A real server with a random model: what it is held to, it keeps to, and every verdict reads."""

from __future__ import annotations

import asyncio
import importlib.util
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from core.records import Judge, Pair, Question, Verdict, VerdictStatus
from judges.client import ChatClient
from judges.models import ModelJudge, make_client, make_judge
from judges.outcomes import TooLong
from judges.probing import probe
from judges.prompt_files import load_prompts
from judges.prompting import Message
from judges.structured import Wanted, is_allowed, label_in, label_shares
from judges.tasks import Task
from tests.judges.real_server import MODEL, SLOTS, real_server
from tests.judges.samples import judge_at, many
from tests.judges.tiny_llama import CONTEXT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None,
        reason="xllamacpp (llama.cpp's own server as a wheel) is not installed",
    ),
]

LABELS = ("A", "B", "C")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": ["A", "B", "tie"]},
        "score": {"type": "integer", "minimum": 1, "maximum": 10},
    },
    "required": ["verdict", "score"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_server(tmp_path_factory.mktemp("real")) as address:
        yield address


def checked(url: str) -> dict[str, Any]:
    return asyncio.run(probe(Judge("j", "openai", MODEL, url), url))


def test_what_a_check_finds(url: str) -> None:
    found = checked(url)
    assert found["server"] == "llamacpp"
    assert found["models"] == [MODEL]
    assert found["context"] == CONTEXT
    assert found["structured"] == {"choice": "grammar", "json": "grammar", "form": "grammar"}
    assert found["logprobs"] == 20
    assert found["decisions"] == "", "a random Llama is no decision model: 501"


async def ask_all(url: str, found: dict[str, Any], wanted: Wanted, count: int) -> list[Any]:
    client = ChatClient(url, MODEL, found=found)
    slots = asyncio.Semaphore(SLOTS)

    async def ask(number: int) -> Any:
        async with slots:
            parameters = {"temperature": 1.5, "seed": number, "max_tokens": 48}
            text = f"Question {number}: which is better? Reply in no way at all."
            return await client.ask([Message("user", text)], parameters, wanted=wanted)

    replies = await asyncio.gather(*map(ask, range(count)))
    await client.close()
    return replies


def test_every_choice_is_a_label(url: str) -> None:
    found = checked(url)
    replies = asyncio.run(ask_all(url, found, Wanted(LABELS, logprobs=True), 300))
    assert all(reply.enforced for reply in replies)
    labels = Counter(label_in(reply.content, LABELS) for reply in replies)
    assert set(labels) == set(LABELS), "chance gives each, and nothing else"
    shares = [label_shares(reply.token_logprobs or {}, LABELS) for reply in replies]
    assert all(sum(one.values()) == pytest.approx(1) for one in shares)


@pytest.mark.parametrize("way", ["grammar", "json_schema", "json_object"])
def test_every_object_is_of_its_schema(url: str, way: str) -> None:
    found = {"structured": {"json": way}}
    replies = asyncio.run(ask_all(url, found, Wanted(schema=SCHEMA), 60))
    whole = [reply for reply in replies if reply.finish_reason != "length"]
    assert whole
    assert all(is_allowed(reply.content, Wanted(schema=SCHEMA)) for reply in whole)
    if way == "grammar":
        assert len(whole) == len(replies), "no room is left for endless spaces"


MODELS = ("m1", "m2", "m3", "m4", "m5", "m6")


def lineups(count: int) -> list[list[Task]]:
    """All pairs of six answers to each question, in one arrangement."""
    answers = {model: (f"{model} says so",) for model in MODELS}
    return [
        [
            Task(Pair(f"q{n}", one, other), 1, 1, 0, asked, answers[one], answers[other])
            for one, other in combinations(MODELS, 2)
        ]
        for n in range(count)
        for asked in [Question(f"q{n}", (f"{n}?",))]
    ]


async def judged(
    url: str, prompt: str, found: dict[str, Any], max_tokens: int = 5000, count: int = 12
) -> list[Verdict]:
    record = judge_at(url, prompt, temperature=1.5, seed=7, max_tokens=max_tokens)
    record = replace(record, model=MODEL)
    judge = make_judge(record, asks=make_client(record, found=found))
    assert isinstance(judge, ModelJudge)
    slots = asyncio.Semaphore(SLOTS)

    async def give(tasks: list[Task]) -> Sequence[Verdict]:
        async with slots:
            return await judge.judge_call(tasks)

    calls = lineups(count) if judge.family.form == "list" else [[task] for task in many(count)]
    verdicts = await asyncio.gather(*map(give, calls))
    await judge.close()
    return [verdict for call in verdicts for verdict in call]


FAMILIES = load_prompts().families
STYLES = [
    f"{family} explain={explain}"
    for family in FAMILIES
    for explain in ("first", "after", "none")
    if (family, explain) not in {("pairwise-choice", "first"), ("pairwise-choice", "after")}
]


@pytest.mark.parametrize("style", STYLES)
def test_every_verdict_of_every_form_parses(url: str, style: str) -> None:
    count = 12 if style.endswith("none") else 4  # reasons go on to their limit: 1,200 tokens
    verdicts = asyncio.run(judged(url, style, checked(url), count=count))
    assert Counter(verdict.status for verdict in verdicts) == {VerdictStatus.OK: len(verdicts)}
    assert {verdict.endpoint for verdict in verdicts} == {url}


# Six answers have more rankings than a schema lists: there the parser alone tells.
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "ranking"])
def test_every_object_that_stands_for_a_form_parses(url: str, family: str) -> None:
    """Where a server takes schemas only; llama.cpp does, too."""
    found = {"structured": {"choice": "json_schema", "json": "json_schema", "form": "json_schema"}}
    verdicts = asyncio.run(judged(url, f"{family} explain=none", found, max_tokens=400))
    assert Counter(verdict.status for verdict in verdicts) == {VerdictStatus.OK: len(verdicts)}


@pytest.mark.parametrize("family", FAMILIES)
def test_left_to_the_prompt_few_parse(url: str, family: str) -> None:
    verdicts = asyncio.run(judged(url, family, {}, max_tokens=64))
    assert Counter(verdict.status for verdict in verdicts)[VerdictStatus.OK] < len(verdicts) / 2


def test_without_it_nothing_parses(url: str) -> None:
    replies = asyncio.run(ask_all(url, {}, Wanted(LABELS), 60))
    assert not any(reply.enforced for reply in replies)
    read = [label_in(reply.content, LABELS) for reply in replies]
    assert read.count(None) > 50, "so it was the server that kept order above"


def test_a_context_that_is_too_long_is_named(url: str) -> None:
    async def ask() -> None:
        client = ChatClient(url, MODEL)
        try:
            await client.ask([Message("user", "word " * 9000)], {})
        finally:
            await client.close()

    with pytest.raises(TooLong, match="context"):
        asyncio.run(ask())
