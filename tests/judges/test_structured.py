"""What is wanted, as each server is told it, and what of a reply is believed."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Choice, Seen
from judges.client import ChatClient
from judges.models import make_judge
from judges.parsing import Grammar, parse
from judges.patterns import Part, flat
from judges.prompting import Message
from judges.structured import (
    WAYS,
    Support,
    Wanted,
    constrained,
    is_allowed,
    label_in,
    label_logprobs,
    label_schema,
    label_shares,
    preference,
)
from tests.judges.samples import judge_at, orders
from tests.judges.stub_server import Request, Scripted, StubServer, completion

LABELS = ("A", "B", "C")
LABEL_SCHEMA = label_schema(LABELS)
FLAT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": ["A", "B", 't"ie']},
        "sure": {"type": "integer", "minimum": 1, "maximum": 3},
        "close": {"type": "boolean"},
        "why": {"type": "string"},
    },
    "required": ["verdict", "sure", "close", "why"],
    "additionalProperties": False,
}
PLAIN = flat(FLAT) or Part("", "")
NESTED = {"type": "object", "properties": {"all": {"type": "array", "items": {"type": "string"}}}}


def sent(wanted: Wanted | None, support: Support, **parameters: Any) -> tuple[dict[str, Any], bool]:
    return constrained(parameters, wanted, support)


def test_a_choice_is_told_in_each_servers_way() -> None:
    wanted = Wanted(choices=LABELS)
    assert sent(wanted, Support(choice="structured_outputs"), temperature=0) == (
        {"temperature": 0, "structured_outputs": {"choice": ["A", "B", "C"]}},
        True,
    )
    grammar = {"grammar": 'root ::= ("A" | "B" | "C")'}
    assert sent(wanted, Support(choice="grammar")) == (grammar, True)
    strict = {"name": "verdict", "strict": True, "schema": LABEL_SCHEMA}
    by_schema = {"response_format": {"type": "json_schema", "json_schema": strict}}
    assert sent(wanted, Support(choice="json_schema")) == (by_schema, True)
    by_object = {"response_format": {"type": "json_object", "schema": LABEL_SCHEMA}}
    assert sent(wanted, Support(choice="json_object")) == (by_object, True)
    assert sent(wanted, Support(json="json_schema"), top_p=1) == ({"top_p": 1}, False)
    assert sent(None, Support(choice="grammar"), top_p=1) == ({"top_p": 1}, False)


def test_vllm_is_told_one_kind_and_never_beside_another() -> None:
    support = Support("structured_outputs", "structured_outputs", 20)
    for wanted in (Wanted(LABELS, logprobs=True), Wanted(schema=FLAT), Wanted(schema=NESTED)):
        told, enforces = sent(wanted, support)
        assert enforces
        assert len(told["structured_outputs"]) == 1
        assert "response_format" not in told
    assert "json" in sent(Wanted(schema=NESTED), support)[0]["structured_outputs"]
    own = {"response_format": {"type": "json_object"}}
    assert sent(Wanted(LABELS), support, **own) == (own, False), "the judge's own word stands"


def test_log_probabilities_are_asked_for_where_they_are_to_be_had() -> None:
    wanted = Wanted(LABELS, logprobs=True)
    assert sent(wanted, Support(logprobs=5))[0] == {"logprobs": True, "top_logprobs": 5}
    assert sent(wanted, Support(logprobs=100))[0]["top_logprobs"] == 20
    assert sent(wanted, Support(logprobs=20), top_logprobs=2)[0]["top_logprobs"] == 2
    assert sent(wanted, Support())[0] == {}
    assert sent(Wanted(LABELS), Support(logprobs=20))[0] == {}


def test_what_was_found_is_read_as_far_as_it_is_understood() -> None:
    found = {"structured": {"choice": "grammar", "json": "telepathy"}, "logprobs": 20}
    assert Support.of(found) == Support("grammar", "", 20)
    for nothing in (None, {}, {"structured": None}, {"structured": [], "logprobs": "many"}):
        assert Support.of(nothing) == Support()  # type: ignore[arg-type]


def test_a_schema_and_labels_are_not_wanted_at_once() -> None:
    with pytest.raises(ValueError, match="either"):
        Wanted(choices=LABELS, schema=LABEL_SCHEMA)


@given(
    verdict=st.sampled_from(["A", "B", 't"ie']),
    sure=st.integers(1, 3),
    close=st.booleans(),
    why=st.text("abc .,;é{}", max_size=30),
)
def test_a_plain_schemas_pattern_takes_what_the_schema_allows(
    verdict: str, sure: int, close: bool, why: str
) -> None:
    body = {"verdict": verdict, "sure": sure, "close": close, "why": why}
    text = json.dumps(body, ensure_ascii=False)
    assert re.fullmatch(PLAIN.regex, text)
    assert is_allowed(text, Wanted(schema=FLAT))


@pytest.mark.parametrize(
    "change", [{"verdict": "D"}, {"sure": 4}, {"sure": True}, {"close": None}, {"more": 1}]
)
def test_and_nothing_else(change: dict[str, Any]) -> None:
    body = {"verdict": "A", "sure": 1, "close": True, "why": ""} | change
    assert not re.fullmatch(PLAIN.regex, json.dumps(body))
    assert not is_allowed(json.dumps(body), Wanted(schema=FLAT))


def test_a_schema_that_is_not_plain_has_no_pattern() -> None:
    unbounded = {"type": "object", "properties": {"n": {"type": "integer"}}}
    for schema in (NESTED, unbounded, {"type": "object"}, {"type": "string"}):
        assert flat(schema) is None


def test_an_enforced_object_is_read_whatever_its_text_holds() -> None:
    text = '{"why": "a\x85b\u2028c\x7f", "verdict": "A"}'
    read = parse("json", text, Grammar({"A": Seen.LEFT, "B": Seen.RIGHT}))
    assert (read.label, read.seen) == ("A", Seen.LEFT)


def test_signs_of_a_pattern_in_a_label_are_plain() -> None:
    odd = ("[[A]]", "A>>B", "A+B", "(.*)", "\\x")
    pattern = flat(label_schema(odd))
    assert pattern is not None
    for label in odd:
        assert re.fullmatch(pattern.regex, json.dumps({"verdict": label}))
    assert not re.fullmatch(pattern.regex, '{"verdict": "anything"}')


@pytest.mark.parametrize(
    ("content", "label"),
    [
        ("A", "A"),
        ("  B\n", "B"),
        ('{"verdict": "C"}', "C"),
        ('{ "verdict" :\n"C" }', "C"),
        ("D", None),
        ("a", None),
        ("A.", None),
        ("A or B", None),
        ("[[A]]", None),
        ('{"verdict": "D"}', None),
        ('{"verdict": ["A"]}', None),
        ('{"verdict": "A", "sure": 1}', None),
        ('{"verdict": "A"', None),
        ("{" * 100_000, None),
        ("", None),
    ],
)
def test_a_label_is_the_whole_reply_or_none(content: str, label: str | None) -> None:
    assert label_in(content, LABELS) == label


# ── log-probabilities ────────────────────────────────────────────────────────


def entry(token: str, logprob: float = -0.1, **others: float) -> dict[str, Any]:
    top = [{"token": name, "logprob": value} for name, value in others.items()]
    return {"token": token, "logprob": logprob, "top_logprobs": top}


def found_in(*entries: dict[str, Any], wanted: Wanted) -> dict[str, float] | None:
    return label_logprobs({"logprobs": {"content": list(entries)}}, wanted)


def test_the_labels_token_is_found_after_reasoning_and_before_the_end() -> None:
    wanted = Wanted(LABELS, logprobs=True)
    told = entry("B", -1.0, A=-0.5, C=-3.0)
    want = {"B": -1.0, "A": -0.5, "C": -3.0}
    assert found_in(told, wanted=wanted) == want
    assert found_in(told, entry(""), wanted=wanted) == want, "llama.cpp reports the end, too"
    thought = [entry("B"), entry(" is"), entry(" better"), entry(".\n\n")]
    assert found_in(*thought, told, wanted=wanted) == want
    assert found_in(entry("AB"), wanted=wanted) is None, "no label stands alone"
    assert found_in(entry("x"), wanted=wanted) is None
    assert found_in(wanted=wanted) is None


def test_the_labels_token_is_found_in_json() -> None:
    wanted = Wanted(schema=FLAT, logprobs=True)
    told = entry("B", -1.0, A=-0.5)
    parts = [entry('{"'), entry("verdict"), entry('": "'), told, entry('", "sure": 1, …}')]
    assert found_in(*parts, wanted=wanted) == {"B": -1.0, "A": -0.5}
    glued = [entry('{"verdict":'), entry(' "B', -2.0), entry('", "sure": 1}')]
    assert found_in(*glued, wanted=wanted) == {' "B': -2.0}
    lost = [entry('{"verdict": "B"'), entry(', "sure": 1}')]
    assert found_in(*lost, wanted=wanted) is None, "what stood before the label decided with it"


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"logprobs": None},
        {"logprobs": {"content": None}},
        {"logprobs": {"content": [1, {"token": 2}]}},
        {"logprobs": {"content": [{"token": "A"}]}},
        {"logprobs": {"content": [{"token": "A", "logprob": float("nan")}]}},
        {"logprobs": {"content": [{"token": "A", "logprob": "low", "top_logprobs": 3}]}},
    ],
)
def test_odd_log_probabilities_are_none(choice: dict[str, Any]) -> None:
    assert label_logprobs(choice, Wanted(LABELS)) is None


def test_shares_are_of_what_falls_on_labels() -> None:
    logs = {"A": math.log(0.3), " B": math.log(0.1), "a": math.log(0.1), "x": math.log(0.4)}
    shares = label_shares(logs, LABELS)
    assert shares == pytest.approx({"A": 0.8, "B": 0.2, "C": 0.0})
    renormalised = {"A": math.log(0.8), "B": math.log(0.2), "C": -9999.0}
    assert label_shares(renormalised, LABELS) == pytest.approx(shares)
    assert label_shares({"x": -0.1}, LABELS) == {}
    assert label_shares({}, LABELS) == {}


def test_a_token_that_begins_two_labels_counts_for_neither() -> None:
    labels = ("A>B", "A>>B", "tie")
    assert label_shares({"A": -0.1, "t": -1.0}, labels) == {"A>B": 0, "A>>B": 0, "tie": 1}
    assert label_shares({"A": -0.1, "AB": -0.1}, ("A", "AB")) == {"A": 0.5, "AB": 0.5}


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda parts: sum(parts) > 0.01))
def test_the_preference_mirrors_when_the_sides_do(parts: list[float]) -> None:
    shares = [part / sum(parts) for part in parts]
    left, right, tie, bad = shares
    one = preference({Seen.LEFT: left, Seen.RIGHT: right, Seen.TIE: tie, Seen.BOTH_BAD: bad})
    other = preference({Seen.LEFT: right, Seen.RIGHT: left, Seen.TIE: tie, Seen.BOTH_BAD: bad})
    assert one + other == pytest.approx(1)
    assert one - other == pytest.approx(left - right, abs=1e-9)


# ── and through the client ───────────────────────────────────────────────────


def obedient(request: Request) -> Scripted:
    told = request.body.get("structured_outputs", {}).get("choice")
    return completion(told[-1] if told else "I cannot say.")


FOUND = {"structured": {"choice": "structured_outputs", "json": ""}, "logprobs": 0}


async def test_an_enforced_reply_says_so_and_a_failure_is_none() -> None:
    async with StubServer(obedient) as stub:
        client = ChatClient(stub.url, "m", found=FOUND)
        ask = [Message("user", "Which?")]
        reply = await client.ask(ask, {}, wanted=Wanted(LABELS))
        assert (reply.content, reply.enforced) == ("C", True)
        stub.enqueue(completion("A", finish="length"))
        assert not (await client.ask(ask, {}, wanted=Wanted(LABELS))).enforced
        assert client.support.choice, "a reply that was cut off proves nothing"
        assert not (await client.ask(ask, {})).enforced
        await client.close()


async def test_a_server_that_ignores_it_is_told_of_once_and_no_longer_asked() -> None:
    notes: list[str] = []
    async with StubServer(lambda _: completion("I think A.")) as stub:
        client = ChatClient(stub.url, "m", found=FOUND, on_note=notes.append)
        for _ in range(3):
            reply = await client.ask([Message("user", "Which?")], {}, wanted=Wanted(LABELS))
            assert (reply.content, reply.enforced) == ("I think A.", False)
        await client.close()
        assert ["structured_outputs" in request.body for request in stub.requests] == [1, 0, 0]
    assert len(notes) == 1
    assert "does not keep to the answers" in notes[0]


async def test_one_slip_after_many_good_replies_is_only_that() -> None:
    async with StubServer(obedient) as stub:
        client = ChatClient(stub.url, "m", found=FOUND)
        for number in range(12):
            if number == 7:
                stub.enqueue(completion("Hm."))
            reply = await client.ask([Message("user", "Which?")], {}, wanted=Wanted(LABELS))
            assert reply.enforced == (number != 7)
        await client.close()
        assert all("structured_outputs" in request.body for request in stub.requests)


async def test_log_probabilities_come_with_the_reply() -> None:
    logprobs = {"content": [entry("A", -0.2, B=-2.0)]}
    async with StubServer(lambda _: completion("A", logprobs=logprobs)) as stub:
        client = ChatClient(stub.url, "m", found=FOUND | {"logprobs": 20})
        ask = [Message("user", "Which?")]
        reply = await client.ask(ask, {}, wanted=Wanted(LABELS, logprobs=True))
        assert reply.token_logprobs == {"A": -0.2, "B": -2.0}
        assert (await client.ask(ask, {}, wanted=Wanted(LABELS))).token_logprobs is None
        await client.close()


async def test_a_verdict_carries_the_judges_preference() -> None:
    logprobs = {"content": [entry("A", math.log(0.6), B=math.log(0.1), C=math.log(0.2))]}
    async with StubServer(lambda _: completion("A", logprobs=logprobs)) as stub:
        judge = make_judge(judge_at(stub.url, "pairwise-choice"))
        one, other = [await judge.judge(task) for task in orders()]
        await judge.close()
    assert (one.choice, other.choice) == (Choice.MODEL_1, Choice.MODEL_2)
    shares = {outcome: share for outcome, share in one.probabilities.items() if share}
    assert shares == pytest.approx({"left": 6 / 9, "right": 1 / 9, "tie": 2 / 9})
    assert one.preference == other.preference == pytest.approx(6 / 9 + 1 / 9), "as it saw them"


def test_every_way_is_one_that_can_be_told() -> None:
    for way in WAYS:
        assert sent(Wanted(LABELS), Support(choice=way))[1]
        assert sent(Wanted(schema=FLAT), Support(json=way))[1]
        assert sent(Wanted(schema=NESTED), Support(json=way))[1]
