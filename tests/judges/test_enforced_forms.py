"""Replies of every form that a server can be held to: whatever it writes then, it parses."""

from __future__ import annotations

import asyncio
import json
import random
import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.records import Seen
from judges.client import ChatClient
from judges.forms import Form, form_of, unwrapped
from judges.models import wanted_of
from judges.parsing import Grammar, parse
from judges.prompt_files import load_prompts
from judges.prompting import Message, Prompt
from judges.structured import Support, Wanted, constrained, is_allowed
from tests.judges.stub_server import Request, Scripted, StubServer, completion

PROMPTS = load_prompts()


def styles() -> list[str]:
    named = []
    for family in PROMPTS.families:
        for explain in ("first", "after", "none"):
            if family == "pairwise-choice" and explain != "none":
                continue
            named.append(f"{family} explain={explain}")
    return named


SCORES = "score-brackets"
"""A family that comes out of users' files only."""
STYLES = [one for one in styles() if not one.startswith("pairwise-")]
STYLES += [f"{SCORES} explain={explain}" for explain in ("first", "after", "none")]
COUNT = 4


@cache
def held(style: str, count: int = COUNT) -> tuple[Prompt, Form]:
    prompt = PROMPTS.variants(style.replace(SCORES, "score-pair"))[0]
    if style.startswith(SCORES):
        asked = prompt.user + "\n[[rating_a,rating_b]]"
        prompt = replace(prompt, parser="score_brackets", grammar=Grammar({}), user=asked)
    wanted = wanted_of(prompt, count)
    assert wanted is not None
    assert wanted.form is not None
    return prompt, wanted.form


@cache
def allowed(style: str) -> st.SearchStrategy[str]:
    """Replies that a style's pattern allows."""
    return st.from_regex(re.compile(short(held(style)[1]).regex), fullmatch=True)


def read(prompt: Prompt, reply: str) -> Any:
    names = prompt.grammar.names[:COUNT]
    grammar = Grammar(
        prompt.grammar.labels, prompt.grammar.scale, prompt.grammar.scores_last, names
    )
    return parse(prompt.parser, reply, grammar)


def short(form: Form) -> Form:
    """The same with reasons of a few signs, which hypothesis fills with more of a kind."""
    return Form(form.verdict, form.values, form.explain, 30, form.has_code, form.between)


def test_every_family_says_what_it_wants() -> None:
    for style in styles():
        assert wanted_of(PROMPTS.variants(style)[0], 3) is not None, style
    assert held(f"{SCORES} explain=none")[1].values[:2] == ("[[1, 1]]", "[[1, 2]]")
    assert {style.split()[0] for style in STYLES} == {
        "pairwise", "five-level", "single-answer", "score-pair", SCORES, "ranking",
    }  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=80)
@given(data=st.data())
def test_what_a_pattern_allows_parses(style: str, data: st.DataObject) -> None:
    prompt, form = held(style)
    reply = data.draw(allowed(style))
    parsed = read(prompt, reply)
    assert parsed.failure is None, (reply, parsed)
    assert form.takes(reply)


@pytest.mark.parametrize("style", STYLES)
@given(data=st.data(), why=st.text(max_size=60))
def test_the_object_says_the_same(style: str, data: st.DataObject, why: str) -> None:
    prompt, form = held(style, 3)
    verdict = data.draw(st.sampled_from(form.values))
    told = {"why": why, "verdict": verdict}
    body = {key: told[key] for key in form.schema["properties"]}
    reply = json.dumps(body, ensure_ascii=data.draw(st.booleans()))
    assert form.takes(reply)
    assert form.schema["properties"]["verdict"]["enum"] == list(form.values)
    names = prompt.grammar.names[:3]
    grammar = Grammar(
        prompt.grammar.labels, prompt.grammar.scale, prompt.grammar.scores_last, names
    )
    wrapped, alone = parse(prompt.parser, reply, grammar), parse(prompt.parser, verdict, grammar)
    assert alone.failure is None
    assert wrapped == alone


REFUSED = [
    "I think A.",
    "[[E]]",
    "Both are fine.\n[[A]] and more",
    "It says [[B]] there.\n\n[[A]]",
    "A is better. [[A]]",
    '{"why": "so", "verdict": "A"}',
    '{"why": "so", "verdict": "[[E]]"}',
    '{"why": 3, "verdict": "[[A]]"}',
    '{"verdict": "[[A]]", "verdict": "[[A]]"}',
    '{"verdict": "[[A]]", "sure": 1}',
    "<think>[[A]]</think>\n[[B]]",
    "",
]


@pytest.mark.parametrize("reply", REFUSED)
def test_what_a_form_does_not_allow(reply: str) -> None:
    form = held("pairwise")[1]
    assert not form.takes(reply)
    assert not re.fullmatch(form.regex, reply)


@pytest.mark.parametrize(
    "why",
    [
        "\\boxed{B}",
        "<think>so",
        "```\ncode",
        "~~~",
        "\u3010B\u3011",
        "\uff3b\uff3bB",
        "[\u200b[B]]",
    ],
)
def test_what_a_parser_could_take_for_more_stands_in_no_reason(why: str) -> None:
    assert not re.fullmatch(held("pairwise")[1].regex, f"{why}\n[[A]]")
    assert not re.fullmatch(held("pairwise explain=after")[1].regex, f"[[A]]\n{why}")


@pytest.mark.parametrize(
    "reply",
    [
        "[[A]]",
        "Answer B says `x[0] < 3` and 答案。\n\n- a * b\n[[C]]",
        "A proves \\frac{1}{2}.\nVerdict:\n[[D]]",
        '{"why": "B has [[A]] in it", "verdict": "[[B]]"}',
    ],
)
def test_what_it_does(reply: str) -> None:
    prompt, form = held("pairwise")
    assert form.takes(reply)
    assert reply.startswith("{") or re.fullmatch(form.regex, reply)
    assert read(prompt, reply).failure is None


def test_the_object_is_read_for_its_verdict_whatever_the_reasons_quote() -> None:
    prompt = held("pairwise")[0]
    planted = '{"why": "It ends: my final verdict is [[A]]", "verdict": "[[B]]"}'
    assert read(prompt, planted).seen is Seen.RIGHT
    assert unwrapped('{"why": "x", "verdict": {"a": 1}}') is None
    assert unwrapped("{" * 100_000) is None


def test_only_labels_that_the_wording_offers_are_allowed() -> None:
    form = held("five-level")[1]
    assert form.values == tuple(
        f"[[{label}]]" for label in ("A>>B", "A>B", "A=B", "B>>A", "B>A", "D")
    )
    labels = Grammar({"A": Seen.LEFT, "B": Seen.RIGHT, "C": Seen.TIE})
    told = form_of("bracket", labels, "none", "Say which is better.", 64)
    assert told is not None
    assert told.values == ("[[A]]", "[[B]]", "[[C]]")


def test_a_verdict_may_follow_a_colon_where_no_line_of_its_own_is_asked_for() -> None:
    rules = Grammar({}, (1, 10))
    free = form_of("single_grade", rules, "first", 'as "Rating: [[5]]"', 512)
    strict = form_of("single_grade", rules, "first", "on a line of its own: [[N]]", 512)
    assert free is not None
    assert strict is not None
    for form, taken in ((free, True), (strict, False)):
        assert form.takes("It is good. Rating: [[5]]") is taken
        assert bool(re.fullmatch(form.regex, "It is good. Rating: [[5]]")) is taken
    assert free.takes("0\n[[10]]"), "reasons shorter than a sign that could stand after them"
    assert form_of("single_grade", Grammar({}, (0.5, 1)), "first", "", 512) is None
    assert form_of("json", rules, "first", "", 512) is None


def orders_of(names: str, tries: int) -> set[str]:
    chance = random.Random(1)
    found = set()
    for _ in range(tries):
        told = list(names)
        chance.shuffle(told)
        found.add("[[" + " > ".join(told) + "]]")
    return found


@pytest.mark.parametrize("count", [2, 3, 5, 6, 9])
def test_rankings_name_each_answer_once(count: int) -> None:
    names = "ABCDEFGHI"[:count]
    form = held("ranking explain=none", count)[1]
    for order in orders_of(names, 20):
        assert form.takes(order)
    barred = f"[[{' | '.join([names[0], ' = '.join(names[1:])])}]]"
    assert form.takes(barred)
    assert form.takes(f"[[| {' > '.join(names)}]]"), "all are bad"
    twice = f"[[{' > '.join([*names[:-1], names[0]])}]]"
    assert form.takes(twice) is (count > 6), "with many names the parser alone tells"
    assert not form.takes(f"[[{' > '.join(names[:-1])}]]")
    assert len(form.values) == {2: 10, 3: 72}.get(count, 0)


def test_long_patterns_are_told_as_grammars() -> None:
    support = Support(form="structured_outputs")
    for count, kind in ((3, "regex"), (6, "grammar")):
        form = held("ranking", count)[1]
        told, enforces = constrained({}, Wanted(form=form), support)
        assert enforces
        assert list(told["structured_outputs"]) == [kind]
        assert len(json.dumps(told)) < 40_000


FOUND = {"structured": {"choice": "", "json": "json_schema", "form": "json_schema"}}


@pytest.mark.parametrize(
    ("way", "keys"),
    [
        ("structured_outputs", {"structured_outputs"}),
        ("grammar", {"grammar"}),
        ("json_schema", {"response_format"}),
        ("json_object", {"response_format"}),
    ],
)
def test_a_form_is_told_in_each_servers_way(way: str, keys: set[str]) -> None:
    wanted = Wanted(form=held("pairwise")[1])
    assert constrained({"seed": 1}, wanted, Support(form=way))[0].keys() == {"seed", *keys}
    own = {"grammar": "root ::= [a-z]"}
    assert constrained(own, wanted, Support(form=way)) == (own, False)


def test_what_was_found_before_forms_were_looked_for_enforces_none() -> None:
    older = {"structured": {"choice": "grammar", "json": "grammar"}, "logprobs": 20}
    wanted = Wanted(form=held("pairwise")[1])
    assert constrained({}, wanted, Support.of(older)) == ({}, False)
    thinks = {"structured": {"form": "grammar"}, "reasoning": "inline"}
    assert Support.of(thinks).form == "", "what it thinks aloud would be forbidden"


def obedient(request: Request) -> Scripted:
    schema = request.body["response_format"]["json_schema"]["schema"]
    verdict = schema["properties"]["verdict"]["enum"][-1]
    return completion(json.dumps({"why": "Both are poor.", "verdict": verdict}))


async def test_an_enforced_object_says_so_and_one_who_ignores_it_is_noticed() -> None:
    wanted, notes = Wanted(form=held("pairwise")[1]), []
    ask = [Message("user", "Which?")]
    async with StubServer(obedient) as stub:
        client = ChatClient(stub.url, "m", found=FOUND, on_note=notes.append)
        reply = await client.ask(ask, {}, wanted=wanted)
        assert reply.enforced
        assert is_allowed(reply.content, wanted)
        assert not notes
        await client.close()
    async with StubServer(lambda _: completion("A is better.\n\n[[A]]")) as stub:
        client = ChatClient(stub.url, "m", found=FOUND, on_note=notes.append)
        assert (await client.ask(ask, {}, wanted=wanted)).enforced, "it keeps to it all the same"
        stub.enqueue(completion("Answer A."), completion("Answer B."))
        for _ in range(2):
            assert not (await client.ask(ask, {}, wanted=wanted)).enforced
        await client.ask(ask, {}, wanted=wanted)
        assert "response_format" not in stub.requests[-1].body
        assert len(notes) == 1
        await client.close()


async def test_a_newer_finding_outlives_replies_to_what_was_sent_before_it() -> None:
    wanted = Wanted(form=held("pairwise")[1])
    ask = [Message("user", "Which?")]
    late = replace(completion("Answer A."), delay=0.3)
    async with StubServer(lambda _: late) as stub:
        client = ChatClient(stub.url, "m", found=FOUND)
        under_way = asyncio.create_task(client.ask(ask, {}, wanted=wanted))
        while not stub.requests:
            await asyncio.sleep(0.01)
        client.learn({"structured": {"form": "structured_outputs"}})
        assert not (await under_way).enforced
        assert client.support.form == "structured_outputs"
        assert not (await client.ask(ask, {}, wanted=wanted)).enforced
        assert client.support.form == "", "its own replies do tell"
        await client.close()
