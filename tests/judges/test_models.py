"""A model as a judge: the whole way from a task to a verdict, over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import TiebreakError
from core.records import Choice, Judge, Verdict, VerdictStatus
from judges.models import make_judge, new_judge
from judges.policy import Policy
from judges.prompt_files import load_prompts
from judges.tasks import Task, verdict_id
from tests.judges.running import judge_all
from tests.judges.samples import BETA, QUESTION, judge_at, many, orders
from tests.judges.stub_server import Request, Scripted, StubServer, completion, failure

QUICK = Policy(first_delay=0.001, longest_delay=0.01)


@pytest.fixture
async def stub() -> AsyncIterator[StubServer]:
    async with StubServer() as server:
        yield server


async def verdicts(record: Judge, tasks: list[Task], concurrency: int = 1) -> list[Verdict]:
    judge = make_judge(record)
    try:
        return await judge_all(judge, tasks, concurrency=concurrency, policy=QUICK)
    finally:
        await judge.close()


def favour(text: str) -> Any:
    """A model that prefers the answer that holds some text, wherever it stands."""

    def answer(request: Request) -> Scripted:
        shown = request.body["messages"][-1]["content"]
        first = shown.index(text) < shown.index("<answer_b>")
        return completion("It is the better one.\n\n" + ("[[A]]" if first else "[[B]]"))

    return answer


async def test_both_orders_say_the_same_in_model_space(stub: StubServer) -> None:
    stub.answer = favour(BETA[0])
    one, two = await verdicts(judge_at(stub.url), list(orders()))
    assert (one.left, one.label, one.choice) == (1, "B", Choice.MODEL_2)
    assert (two.left, two.label, two.choice) == (2, "A", Choice.MODEL_2)
    assert one.raw == "It is the better one.\n\n[[B]]"
    assert (one.tokens_in, one.tokens_out, one.attempts) == (11, 7, 1)
    assert one.latency is not None
    assert one.latency > 0
    assert one.error == ""


async def test_a_position_biased_model_flips(stub: StubServer) -> None:
    one, two = await verdicts(judge_at(stub.url), list(orders()))
    assert (one.choice, two.choice) == (Choice.MODEL_1, Choice.MODEL_2)


async def test_no_models_name_is_sent(stub: StubServer) -> None:
    for turn in (1, 2, 0):
        await verdicts(judge_at(stub.url), list(orders(turn)))
    assert len(stub.requests) == 6
    assert all("secret" not in f"{r.path} {r.headers} {r.body}" for r in stub.requests)


async def test_each_turn_gets_its_prompt_and_the_verdict_names_it(stub: StubServer) -> None:
    tasks = [orders(turn)[0] for turn in (1, 2)]
    bare = replace(QUESTION, references=())
    tasks += [orders(turn, bare)[0] for turn in (1, 2)]
    found = await verdicts(judge_at(stub.url), tasks)
    names = ["pairwise-reference", "pairwise-multi-reference", "pairwise", "pairwise-multi"]
    assert [v.prompt for v in found] == names
    prompts = load_prompts()
    assert [v.prompt_hash for v in found] == [prompts.by_id[name].hash for name in names]


async def test_parameters_are_sent_and_the_clients_own_are_not(stub: StubServer) -> None:
    await verdicts(judge_at(stub.url, temperature=0.5, seed=3, timeout=9), [orders()[0]])
    body = stub.requests[-1].body
    assert body.keys() == {"model", "messages", "temperature", "seed", "max_tokens"}
    assert (body["temperature"], body["seed"], body["max_tokens"]) == (0.5, 3, 1024)
    await verdicts(judge_at(stub.url, max_completion_tokens=50), [orders()[0]])
    assert "max_tokens" not in stub.requests[-1].body
    assert stub.requests[-1].body["max_completion_tokens"] == 50


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (completion("Both have merits."), VerdictStatus.UNPARSED, "no verdict"),
        (completion("[[A]] or [[B]]"), VerdictStatus.UNPARSED, "contradiction"),
        (completion("I'm sorry, I can't."), VerdictStatus.REFUSED, "refusal"),
        (completion("<think>hm"), VerdictStatus.TRUNCATED, "unfinished reasoning"),
        (completion("[[A]]", finish="length"), VerdictStatus.TRUNCATED, "max_tokens"),
        (completion("[[A]]", finish="content_filter"), VerdictStatus.FILTERED, "filter"),
        (completion(None), VerdictStatus.UNPARSED, "empty"),
    ],
)
async def test_a_reply_without_a_verdict_keeps_its_raw_text(
    stub: StubServer, answer: Scripted, status: VerdictStatus, error: str
) -> None:
    stub.answer = lambda _request: answer
    (found,) = await verdicts(judge_at(stub.url), [orders()[0]])
    assert (found.status, found.choice) == (status, None)
    assert error in found.error
    assert found.raw is not None
    assert found.tokens_out == 7


def cut_below(limit: int) -> Any:
    """A model whose replies are cut off unless they may have so many tokens."""

    def answer(request: Request) -> Scripted:
        if request.body["max_tokens"] < limit:
            return completion("Both are [[A]] and", finish="length")
        return completion("[[B]]")

    return answer


@pytest.mark.parametrize("given", [{}, {"max_tokens": 100}], ids=["the prompt's", "the judge's"])
async def test_a_reply_that_was_cut_off_gets_twice_the_tokens_once(
    stub: StubServer, given: dict[str, Any]
) -> None:
    usual = given.get("max_tokens", 1024)
    stub.answer = cut_below(usual + 1)
    (found,) = await verdicts(judge_at(stub.url, **given), [orders()[0]])
    assert [r.body["max_tokens"] for r in stub.requests] == [usual, 2 * usual]
    assert (found.status, found.label, found.attempts) == (VerdictStatus.OK, "B", 2)
    assert found.sent_hash == stub.requests[1].digest

    stub.answer, stub.requests[:] = cut_below(10**6), []
    (found,) = await verdicts(judge_at(stub.url, **given), [orders()[1]])
    assert len(stub.requests) == 2
    assert (found.failure, found.attempts) == ("truncated", 2)


async def test_both_grades_get_more_tokens_where_one_was_cut_off(stub: StubServer) -> None:
    stub.enqueue(completion("[[7]]"), completion("I am", finish="length"))
    stub.enqueue(completion("[[7]]"), completion("[[3]]"))
    (found,) = await verdicts(judge_at(stub.url, "single-answer"), [orders()[0]])
    assert found.scores == (7.0, 3.0)
    assert [r.body["max_tokens"] for r in stub.requests] == [1024, 1024, 2048, 2048]


async def test_a_cut_reply_stands_where_no_longer_one_is_to_be_had(stub: StubServer) -> None:
    words = "This model's maximum context length is 1500 tokens, you asked for 2100."
    stub.enqueue(completion("Both are [[A]] and", finish="length"))
    stub.enqueue(failure(400, {"error": {"message": words, "code": "context_length_exceeded"}}))
    (found,) = await verdicts(judge_at(stub.url), [orders()[0]])
    assert (found.failure, found.raw, found.attempts) == ("truncated", "Both are [[A]] and", 2)
    assert found.sent_hash == stub.requests[0].digest


async def test_a_prompt_that_takes_no_conversations_judges_the_rest(
    stub: StubServer, tmp_path: Path
) -> None:
    text = "{question}\n1: {answer_a}\n2: {answer_b}\n[[A]], [[B]] or [[C]]?"
    (tmp_path / "own.txt").write_text(text)
    prompts = load_prompts(tmp_path)
    record = new_judge("j", "openai", "m", endpoint=stub.url, prompt="own", prompts=prompts)
    judge = make_judge(record, prompts=prompts)
    second, first = orders(2)[0], orders(1)[0]
    failed, had = await judge_all(judge, [second, first], concurrency=1, policy=QUICK)
    await judge.close()
    assert (failed.status, failed.failure) == (VerdictStatus.FAILED, "no prompt")
    assert "no variant for conversations" in failed.error
    assert (had.status, had.label) == (VerdictStatus.OK, "A")
    assert len(stub.requests) == 1
    assert judge.size([second]).requests == 0


async def test_reasoning_is_kept_apart(stub: StubServer) -> None:
    stub.enqueue(
        completion("<think>Maybe [[B]].</think>[[A]]"),
        completion("[[A]]", reasoning_content="Maybe [[B]]."),
    )
    inline, apart = await verdicts(judge_at(stub.url), list(orders()))
    assert inline.raw == "<think>Maybe [[B]].</think>[[A]]"
    assert inline.reasoning == apart.reasoning == "Maybe [[B]]."
    assert inline.label == apart.label == "A"


async def test_grades_of_two_calls_make_one_verdict(stub: StubServer) -> None:
    def grade(request: Request) -> Scripted:
        good = BETA[0] in request.body["messages"][-1]["content"]
        return completion(f"Fine.\n\n[[{9 if good else 4}]]")

    stub.answer = grade
    record = judge_at(stub.url, "single-answer")
    one, two = await verdicts(record, list(orders()))
    assert one.scores == (4, 9)
    assert two.scores == (9, 4)
    assert one.choice is two.choice is Choice.MODEL_2
    assert (one.tokens_in, one.tokens_out) == (22, 14)
    assert len(stub.requests) == 4
    prompt = load_prompts().owner(one.prompt)
    assert one.raw is not None
    assert prompt.read(one.raw).scores == (4, 9), "a stored reply can be read again"


async def test_one_failed_grade_fails_the_verdict(stub: StubServer) -> None:
    stub.enqueue(completion("[[7]]"), completion("No idea."))
    (found,) = await verdicts(judge_at(stub.url, "single-answer"), [orders()[0]])
    assert (found.status, found.choice, found.scores) == (VerdictStatus.UNPARSED, None, None)


async def test_equal_scores_are_a_tie_and_scores_are_left_first(stub: StubServer) -> None:
    stub.enqueue(completion("8 8\nEqual."), completion("3 9\nRight."))
    one, two = await verdicts(judge_at(stub.url, "score-pair"), list(orders()))
    assert (one.choice, one.scores) == (Choice.TIE, (8, 8))
    assert (two.choice, two.scores, two.left) == (Choice.MODEL_1, (3, 9), 2)


async def test_trouble_on_the_way_is_counted_and_overcome(stub: StubServer) -> None:
    stub.enqueue(
        failure(500),
        failure(429, retry_after="0"),
        Scripted(body=b"<html>"),
        Scripted(body=b"x", cut_after=0),
    )
    (found,) = await verdicts(judge_at(stub.url), [orders()[0]])
    assert (found.status, found.attempts) == (VerdictStatus.OK, 5)


async def test_a_misbehaving_server_under_load_loses_and_doubles_nothing(stub: StubServer) -> None:
    good = completion("Right.\n\n[[A]]", delay=0.001)
    cycle = [
        good,
        good,
        failure(500),
        good,
        completion("none"),
        failure(429, retry_after="0.01"),
        good,
        Scripted(body=b"<html>"),
        completion(None),
        good,
        Scripted(body=b"x" * 90, cut_after=20),
        good,
    ]
    stub.answer = lambda _request: cycle[len(stub.requests) % len(cycle)]
    tasks = many(400)
    record = judge_at(stub.url)
    found = await verdicts(record, tasks, concurrency=32)
    assert sorted(v.id for v in found) == sorted(verdict_id(record, task) for task in tasks)
    assert sum(v.attempts for v in found) == len(stub.requests)
    assert stub.most_under_way <= 32
    for one in found:
        assert (one.choice is Choice.MODEL_1) == (one.raw == "Right.\n\n[[A]]")


async def test_an_unknown_model_stops_with_words(stub: StubServer) -> None:
    stub.answer = lambda _: failure(404, {"error": {"message": "The model does not exist."}})
    with pytest.raises(TiebreakError, match="does not serve the model 'stub-model'") as caught:
        await verdicts(judge_at(stub.url), many(20), concurrency=4)
    assert "endpoint" in caught.value.hint
    assert len(stub.requests) <= 4


async def test_a_task_without_its_turn_calls_nobody(stub: StubServer) -> None:
    short = replace(orders(2)[0], right_answer=("only one",))
    (found,) = await verdicts(judge_at(stub.url), [short])
    assert (found.status, found.error) == (VerdictStatus.FAILED, "the right answer has no turn 2")
    assert stub.requests == []


def test_the_name_of_a_verdict_follows_from_judge_and_task() -> None:
    record = judge_at("http://127.0.0.1:1/v1", temperature=0)
    one, two = orders()
    first = verdict_id(record, one)
    assert first == verdict_id(replace(record, parameters={"timeout": 5, "temperature": 0}), one)
    assert first == f"{int(first, 16):032x}"
    others = [
        verdict_id(record, two),
        verdict_id(record, replace(one, repeat=1)),
        verdict_id(record, orders(2)[0]),
        verdict_id(record, many(1)[0]),
        verdict_id(replace(record, name="other"), one),
        verdict_id(replace(record, prompt_hash="other"), one),
        verdict_id(replace(record, model="other"), one),
        verdict_id(replace(record, parameters={"temperature": 1}), one),
    ]
    assert len({first, *others}) == len(others) + 1


def test_a_changed_prompt_is_another_judge() -> None:
    record = judge_at("http://127.0.0.1:1/v1")
    make_judge(record)
    with pytest.raises(TiebreakError, match="has changed since"):
        make_judge(replace(record, prompt_hash="old"))


@pytest.mark.parametrize(
    ("kind", "model", "endpoint", "prompt", "parameters", "words"),
    [
        ("gpt", "m", "http://x/v1", "pairwise", {}, "of the kind 'gpt'"),
        ("openai", "", "http://x/v1", "pairwise", {}, "names no model"),
        ("openai", "m", "x", "pairwise", {}, "not the address"),
        ("openai", "m", "http://x/v1", "nope", {}, "no prompt 'nope'"),
        ("openai", "m", "http://x/v1", "pairwise", {"stream": True}, "set by Tiebreak"),
        ("openai", "m", "http://x/v1", "pairwise", {"api_key": "sk-1"}, "store a secret"),
        ("openai", "m", "http://x/v1", "pairwise", {"extra_headers": {}}, "store a secret"),
        ("openai", "m", "http://x/v1", "pairwise", {"meta": {"api_key": "sk-1"}}, "meta.api_key"),
        ("openai", "m", "http://x/v1", "pairwise", {"user": "sk-1abcdefgh"}, "store a secret"),
        ("openai", "m", "http://x/v1", "pairwise", {"a": [{"b": "Bearer sk-1"}]}, "'a.b'"),
        ("openai", "m", "http://x/v1", "pairwise", {"api_key_env": "sk-1"}, "not the name of"),
        ("openai", "m", "http://x/v1", "pairwise", {"timeout": 0}, "timeout is 0"),
        ("openai", "m", "http://x/v1", "pairwise", {"max_tokens": "abc"}, "not a whole number"),
        ("openai", "m", "http://x/v1", "pairwise", {"max_completion_tokens": 0}, "above 0"),
    ],
)
def test_judges_that_cannot_be(
    kind: str, model: str, endpoint: str, prompt: str, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(TiebreakError) as caught:
        new_judge("j", kind, model, endpoint=endpoint, prompt=prompt, parameters=parameters)
    assert words in caught.value.message
    assert "sk-1" not in caught.value.message + caught.value.hint


def test_a_schema_may_speak_of_headers_and_passwords() -> None:
    schema = {"properties": {"header": {"type": "string"}, "password": {"type": "string"}}}
    given = {"response_format": {"json_schema": schema}, "stop": ["sk-"]}
    record = new_judge("j", "openai", "m", endpoint="http://x/v1", parameters=given)
    assert record.parameters == given


def test_a_judge_needs_a_name() -> None:
    with pytest.raises(TiebreakError, match="needs a name"):
        new_judge(" ", "baseline", "coin")
