"""Forms beyond the pair, over a real socket: rankings, names, shares, and what a verdict keeps."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TiebreakError
from core.records import Choice, Judge, Pair, Question, Seen, Verdict, VerdictStatus
from judges.families import Family
from judges.lineups import Lineup
from judges.models import ModelJudge, make_judge, new_judge
from judges.prompt_files import load_prompts
from judges.prompting import list_label, list_of
from judges.rereading import differs, read_again, superseding
from judges.shares import left_over, outcome_shares
from judges.tasks import Task
from tests.judges.samples import ALPHA, BETA, judge_at, orders
from tests.judges.stub_server import Request, Scripted, StubServer, completion

MODELS = ("ash", "beech", "cedar", "dogwood")
QUESTION = Question("trees", ("Which tree?",))


@pytest.fixture
async def stub() -> AsyncIterator[StubServer]:
    async with StubServer() as server:
        yield server


def lineup(left: int, models: Sequence[str] = MODELS) -> list[Task]:
    """All pairs of a question's answers in one arrangement."""
    tasks = []
    for one, two in itertools.combinations(models, 2):
        sides = (one, two) if left == 1 else (two, one)
        texts = [(f"the answer of the {model} kind, which is long enough",) for model in sides]
        tasks.append(Task(Pair("trees", one, two), 1, left, 0, QUESTION, texts[0], texts[1]))
    return tasks


async def call(record: Judge, tasks: Sequence[Task], prompts: Any = None) -> list[Verdict]:
    judge = make_judge(record, prompts=prompts)
    assert isinstance(judge, ModelJudge)
    try:
        return list(await judge.judge_call(tasks))
    finally:
        await judge.close()


def ranks_by(order: Sequence[str], good: int = 9) -> Any:
    """A model that ranks answers in a fixed order of what they say, wherever they stand."""

    def answer(request: Request) -> Scripted:
        asked = request.body["messages"][-1]["content"]
        names = {
            kind: tag.upper()
            for tag, kind in re.findall(r"<candidate_(\w)>\nthe answer of the (\w+)", asked)
        }
        called = [names[kind] for kind in order if kind in names]
        text = " > ".join(called)
        if good < len(called):
            text = f"{' > '.join(called[:good])} | {' > '.join(called[good:])}"
        return completion(f"Compared.\n\n[[{text}]]")

    return answer


@pytest.mark.parametrize("left", [1, 2])
async def test_one_call_settles_all_pairs_of_a_question(stub: StubServer, left: int) -> None:
    order = ("cedar", "ash", "dogwood", "beech")
    stub.answer = ranks_by(order, good=2)
    tasks = lineup(left)
    found = await call(judge_at(stub.url, "ranking"), tasks)
    assert len(stub.requests) == 1
    assert len({verdict.id for verdict in found}) == len(tasks) == 6
    for task, verdict in zip(tasks, found, strict=True):
        places = order.index(task.pair.model_1), order.index(task.pair.model_2)
        expected = Choice.MODEL_1 if places[0] < places[1] else Choice.MODEL_2
        if min(places) >= 2:
            expected = Choice.BOTH_BAD
        assert (verdict.pair, verdict.left, verdict.choice) == (task.pair, left, expected)
    assert sum(verdict.tokens_in or 0 for verdict in found) == 11, "tokens are counted once"
    assert sum(verdict.tokens_out or 0 for verdict in found) == 7
    assert len({verdict.raw for verdict in found}) == 1
    assert {verdict.sent_hash for verdict in found} == {stub.requests[0].digest}


async def test_the_two_arrangements_show_each_pair_in_both_orders(stub: StubServer) -> None:
    stub.answer = ranks_by(MODELS)
    record = judge_at(stub.url, "ranking")
    for left in (1, 2):
        await call(record, lineup(left))
    shown = [
        re.findall(r"the answer of the (\w+)", request.body["messages"][-1]["content"])
        for request in stub.requests
    ]
    assert shown == [list(MODELS), list(reversed(MODELS))]
    assert "ash" not in json.dumps([request.body["messages"][0] for request in stub.requests])


async def test_every_verdict_of_a_failed_ranking_says_which_answers_it_is_about(
    stub: StubServer,
) -> None:
    replies = ("[[A > B > C]]", "[[A > B > C > E]]", "I cannot rank these.", "<think>hm")
    failures = ("incomplete ranking", "unknown label", "refusal", "unfinished reasoning")
    for reply, failure in zip(replies, failures, strict=True):
        stub.enqueue(completion(reply))
        found = await call(judge_at(stub.url, "ranking"), lineup(1))
        assert [verdict.failure for verdict in found] == [failure] * 6
        assert [verdict.label for verdict in found][-1] == "C ? D of 4"
        assert not any(verdict.choice for verdict in found)
    stub.enqueue(completion("[[A > B > C > D]]", finish="length"))
    (first, *_) = await call(judge_at(stub.url, "ranking"), lineup(1))
    assert (first.status, first.failure, first.label) == (
        VerdictStatus.TRUNCATED,
        "truncated",
        "A ? B of 4",
    )


async def test_some_of_a_questions_pairs_show_only_their_answers(stub: StubServer) -> None:
    stub.answer = ranks_by(MODELS)
    found = await call(judge_at(stub.url, "ranking"), lineup(2)[:2])  # ash-beech and ash-cedar
    assert "dogwood" not in stub.requests[0].body["messages"][-1]["content"]
    assert {verdict.label[-4:] for verdict in found} == {"of 3"}


async def test_more_answers_than_names_are_refused(stub: StubServer) -> None:
    prompts = load_prompts()
    record = judge_at(stub.url, "ranking names=Kim,Robin,Lee")
    with pytest.raises(TiebreakError, match="names for 3 answers"):
        await call(record, lineup(1), prompts)
    assert stub.requests == []


def test_tasks_of_two_calls_are_no_lineup() -> None:
    with pytest.raises(TiebreakError, match="several questions, turns or orders"):
        Lineup.of([lineup(1)[0], lineup(2)[0]])


@given(
    left=st.sampled_from("ABCD"), right=st.sampled_from("ABCD"), seen=st.sampled_from([*Seen, None])
)
def test_a_lists_label_says_which_answers_it_is_about(
    left: str, right: str, seen: Seen | None
) -> None:
    assert list_of(list_label(left, right, 4, seen)) == (left, right, 4)
    assert list_of("A>>B") is None
    assert list_of(left) is None


# ── what a verdict keeps ─────────────────────────────────────────────────────


async def test_a_verdict_keeps_the_hash_of_what_was_sent(stub: StubServer) -> None:
    (one,) = await call(judge_at(stub.url, temperature=0), [orders()[0]])
    (same,) = await call(judge_at(stub.url, temperature=0), [orders()[0]])
    (warmer,) = await call(judge_at(stub.url, temperature=1), [orders()[0]])
    (swapped,) = await call(judge_at(stub.url, temperature=0), [orders()[1]])
    assert one.sent_hash == same.sent_hash == stub.requests[0].digest
    assert len({one.sent_hash, warmer.sent_hash, swapped.sent_hash}) == 3
    assert (one.endpoint, one.served_model) == (stub.url, "stub")
    (graded,) = await call(judge_at(stub.url, "single-answer"), [orders()[0]])
    both = " ".join(request.digest for request in stub.requests[-2:])
    assert graded.sent_hash == hashlib.sha256(both.encode()).hexdigest()


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ("Both have merits.", "no verdict"),
        ("[[A]] or [[B]]", "contradiction"),
        ("[[E]]", "unknown label"),
        ("I'm sorry, I can't.", "refusal"),
        ("“[[A]]”, says answer A.", "out of place"),
    ],
)
async def test_a_failure_is_kept_by_its_name(stub: StubServer, reply: str, failure: str) -> None:
    stub.enqueue(completion(reply))
    (found,) = await call(judge_at(stub.url), [orders()[0]])
    assert (found.failure, found.choice) == (failure, None)
    assert found.error.startswith(failure)


async def test_renamed_answers_are_asked_and_read_by_their_names(stub: StubServer) -> None:
    stub.answer = lambda _: completion("Robin is right.\n\n[[Robin]]")
    one, two = [
        (await call(judge_at(stub.url, "pairwise names=Kim,Robin"), [task]))[0] for task in orders()
    ]
    assert (one.choice, two.choice) == (Choice.MODEL_2, Choice.MODEL_1)
    assert one.label == "Robin"
    assert one.prompt == "pairwise-reference-renamed"
    asked = stub.requests[0].body["messages"]
    assert "[[Kim]] if answer Kim is better" in asked[0]["content"]
    assert asked[1]["content"].index(ALPHA[0]) < asked[1]["content"].index(BETA[0])


async def test_examples_go_before_the_request(stub: StubServer) -> None:
    await call(judge_at(stub.url, "pairwise examples=own explain=none"), [orders()[0]])
    body = stub.requests[0].body
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["system", *["user", "assistant"] * 3, "user"]
    assert body["max_tokens"] == 32
    assert BETA[0] in body["messages"][-1]["content"]


async def test_a_prompt_that_was_kept_asks_the_same(stub: StubServer) -> None:
    record = judge_at(stub.url, "five-level explain=after names=Kim,Robin")
    await call(record, [orders()[0]])
    kept = Family.load(load_prompts().family(record.prompt).dump())
    await call(record, [orders()[0]], kept)
    assert stub.requests[0].raw == stub.requests[1].raw
    with pytest.raises(TiebreakError, match="has changed"):
        make_judge(replace(record, prompt_hash="x"), prompts=kept)


# ── shares ───────────────────────────────────────────────────────────────────

LABELS = {"A": Seen.LEFT, "B": Seen.RIGHT, "C": Seen.TIE, "D": Seen.BOTH_BAD}


def test_shares_are_of_what_falls_on_labels() -> None:
    tokens = {"A": math.log(0.6), " B": math.log(0.2), "The": math.log(0.1)}
    shares = outcome_shares(tokens, LABELS)
    assert shares["left"] == pytest.approx(0.75)
    assert shares["right"] == pytest.approx(0.25)
    assert left_over(tokens, LABELS) == pytest.approx(0.2)
    assert outcome_shares({"The": -0.1, "A": -5.0}, LABELS) == {}, "hardly anything is on a label"
    assert outcome_shares(None, LABELS) == {}
    assert outcome_shares({}, LABELS) == {}


def test_two_labels_of_one_meaning_share() -> None:
    labels = {"A": Seen.LEFT, "X": Seen.LEFT, "B": Seen.RIGHT}
    shares = outcome_shares({"A": math.log(0.3), "X": math.log(0.3), "B": math.log(0.4)}, labels)
    assert shares["left"] == pytest.approx(0.6)


@given(
    st.dictionaries(
        st.sampled_from(["A", "B", "C", "D", " A", '"B', "a", "The", "[["]), st.floats(-30, 0)
    )
)
def test_shares_sum_to_one_or_are_not_there(tokens: dict[str, float]) -> None:
    shares = outcome_shares(tokens, LABELS)
    assert not shares or sum(shares.values()) == pytest.approx(1)
    assert all(0 <= share <= 1 for share in shares.values())
    assert 0 <= left_over(tokens, LABELS) <= 1


# ── read again ───────────────────────────────────────────────────────────────


def one_of(replies: Sequence[str], chance: random.Random) -> Any:
    return lambda _: completion(chance.choice(replies))


async def test_what_was_read_is_read_alike_again(stub: StubServer) -> None:
    chance = random.Random(3)
    for named, replies in {
        "pairwise": ["[[A]]", "[[C]]", "no", "I'm sorry, I can't."],
        "single-answer": ["[[7]]", "[[11]]", "[[8]]"],
        "score-pair explain=first": ["so\n8 7", "8 7\nso"],
        "pairwise-json": ['{"verdict": "B"}', "{"],
    }.items():
        stub.answer = one_of(replies, chance)
        record = judge_at(stub.url, named)
        family = load_prompts().family(record.prompt)
        for _ in range(12):
            (verdict,) = await call(record, [orders()[0]])
            read = read_again(family, verdict)
            assert read is not None
            assert not differs(verdict, read)
    stub.answer = ranks_by(("beech", "dogwood", "ash", "cedar"), good=3)
    record = judge_at(stub.url, "ranking")
    for verdict in await call(record, lineup(2)):
        read = read_again(load_prompts().family("ranking"), verdict)
        assert read is not None
        assert not differs(verdict, read)


async def test_scores_in_brackets_are_kept_and_read_alike_again(
    stub: StubServer, tmp_path: Path
) -> None:
    (tmp_path / "rated.txt").write_text(
        "{question} {answer_a} {answer_b}\nRate both from 1 to 10: [[rating_a,rating_b]]"
    )
    known = load_prompts(tmp_path)
    record = new_judge(
        "stub", "openai", "stub-model", endpoint=stub.url, prompt="rated", prompts=known
    )
    family = known.family("rated")
    replies = ["B errs.\n\n[[8.5, 4]]", "[[3,9]]", "[[7,7]]", "[[0,11]]", "[[A]]", "8 7"]
    for reply in replies:
        stub.enqueue(completion(reply))
    given = [(await call(record, [orders()[1]], known))[0] for _ in replies]
    assert [(verdict.choice, verdict.scores, verdict.failure) for verdict in given] == [
        (Choice.MODEL_2, (8.5, 4), ""),
        (Choice.MODEL_1, (3, 9), ""),
        (Choice.TIE, (7, 7), ""),
        (None, None, "out of scale"),
        (None, None, "unknown label"),
        (None, None, "no verdict"),
    ]
    for verdict in given:
        read = read_again(family, verdict)
        assert read is not None
        assert not differs(verdict, read)
    mistaken = read_again(family, replace(given[0], scores=(4.0, 8.5), choice=Choice.MODEL_1))
    assert mistaken is not None
    fresh = superseding(replace(given[0], choice=Choice.MODEL_1), mistaken, "2026-01-01T00:00:00Z")
    assert (fresh.choice, fresh.scores) == (Choice.MODEL_2, (8.5, 4))


async def test_a_reading_that_differs_supersedes(stub: StubServer) -> None:
    stub.enqueue(completion("So it is [[B]]."))
    (right,) = await call(judge_at(stub.url), [orders()[1]])
    wrong = replace(
        right, status=VerdictStatus.UNPARSED, choice=None, label="", error="no verdict: …"
    )
    read = read_again(load_prompts().family("pairwise"), wrong)
    assert read is not None
    assert differs(wrong, read)
    fresh = superseding(wrong, read, "2026-01-01T00:00:00Z")
    assert (fresh.choice, fresh.label, fresh.supersedes) == (right.choice, "B", wrong.id)
    assert fresh.id not in (right.id, wrong.id)
    assert (fresh.attempts, fresh.tokens_in, fresh.cost) == (0, None, None), "it made no call"
    assert (fresh.raw, fresh.sent_hash) == (right.raw, right.sent_hash)
    assert not differs(fresh, read)


async def test_what_the_server_cut_off_is_not_read(stub: StubServer) -> None:
    stub.enqueue(completion("[[A]]", finish="length"), completion("[[A]]", finish="content_filter"))
    for _ in range(2):
        (verdict,) = await call(judge_at(stub.url), [orders()[0]])
        assert read_again(load_prompts().family("pairwise"), verdict) is None
