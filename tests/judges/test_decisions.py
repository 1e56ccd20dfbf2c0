"""Judges that decide: both forms of the endpoint, and nothing taken that is no probability."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.errors import TiebreakError
from core.records import Choice, Judge, Verdict, VerdictStatus
from judges.decisions import wording_hash
from judges.models import make_judge, new_judge
from judges.outcomes import CallError, Garbled, JobFatal
from tests.judges.samples import ALPHA, BETA, orders
from tests.judges.stub_server import Scripted, StubServer, failure

SHARES = {"A": 0.6, "B": 0.1, "tie": 0.25, "bad": 0.05}


def decided(shares: dict[str, Any], **more: Any) -> Scripted:
    answer = {"type": "choice", "choice": "A", "confidence": 0.4, "probabilities": shares, **more}
    usage = {"input_tokens": 90, "output_tokens": 1}
    body = {"model": "m-2026", "answers": {"verdict": answer}, "usage": usage}
    return Scripted(body=json.dumps(body).encode())


def as_list(shares: dict[str, Any]) -> Scripted:
    told = [{"value": value, "probability": share} for value, share in shares.items()]
    answer = {"type": "choice", "name": "verdict", "choice": "A", "probabilities": told}
    body = {"model": "m-2026", "answers": [{**answer, "confidence": 0.9}], "usage": None}
    return Scripted(body=json.dumps(body).encode())


def judge_of(url: str, **parameters: Any) -> Judge:
    return new_judge("d", "decision", "m", endpoint=url, parameters=parameters)


async def give(answer: Scripted, *, order: int = 0, turn: int = 1, **parameters: Any) -> Any:
    async with StubServer(lambda _: answer) as stub:
        judge = make_judge(judge_of(stub.url, **parameters))
        try:
            return await judge.judge(orders(turn)[order]), stub.requests[0]
        finally:
            await judge.close()


async def test_probabilities_are_the_verdict() -> None:
    verdict, request = await give(decided(SHARES))
    assert isinstance(verdict, Verdict)
    assert (verdict.status, verdict.choice, verdict.label) == ("ok", Choice.MODEL_1, "A")
    assert verdict.probabilities == pytest.approx(
        {"left": 0.6, "right": 0.1, "tie": 0.25, "both_bad": 0.05}
    )
    assert verdict.preference == pytest.approx(0.6 + 0.25 / 2 + 0.05 / 2)
    assert (verdict.tokens_in, verdict.tokens_out, verdict.served_model) == (90, 1, "m-2026")
    assert (verdict.prompt_hash, verdict.sent_hash) == (wording_hash(), request.digest)
    assert json.loads(verdict.raw or "")["probabilities"] == SHARES


async def test_what_is_asked_by_systemone() -> None:
    _, request = await give(decided(SHARES), turn=2, seed=7)
    assert request.path == "/v1/systemone"
    assert request.body.keys() == {"model", "state", "questions", "seed"}
    (question,) = request.body["questions"].values()
    assert (question["type"], set(question["criteria"])) == ("choice", set(SHARES))
    state = json.loads(request.body["state"])
    assert (state["assistant A"], state["assistant B"]) == (list(ALPHA), list(BETA))
    assert "secret" not in str(request.body), "no model's name is told"


async def test_the_other_order_turns_the_sides_and_not_the_models() -> None:
    verdict, request = await give(decided(SHARES), order=1)
    state = json.loads(request.body["state"])
    assert (state["assistant A"], state["assistant B"]) == ([BETA[0]], [ALPHA[0]])
    assert (verdict.choice, verdict.left) == (Choice.MODEL_2, 2)


async def test_the_other_form_of_the_endpoint() -> None:
    verdict, request = await give(as_list(SHARES), api="decisions")
    assert request.path == "/v1/decisions"
    assert request.body.keys() == {"model", "input", "questions"}
    (question,) = request.body["questions"]
    assert [choice["value"] for choice in question["choices"]] == list(SHARES)
    assert verdict.choice is Choice.MODEL_1
    assert verdict.tokens_in is None


@pytest.mark.parametrize(
    ("shares", "choice"),
    [
        ({"A": 0.1, "B": 0.7, "tie": 0.1, "bad": 0.1}, Choice.MODEL_2),
        ({"A": 0.4, "B": 0.4, "tie": 0.2, "bad": 0.0}, Choice.TIE),
        ({"A": 0.1, "B": 0.1, "tie": 0.1, "bad": 0.7}, Choice.BOTH_BAD),
        ({"A": 0.25, "B": 0.25, "tie": 0.25, "bad": 0.25}, Choice.TIE),
        ({"A": 0.3333, "B": 0.6667, "tie": 0, "bad": 0.0005}, Choice.MODEL_2),
    ],
)
async def test_the_greatest_share_decides_and_equal_sides_are_a_tie(
    shares: dict[str, float], choice: Choice
) -> None:
    verdict, _ = await give(decided(shares))
    assert verdict.choice is choice
    assert sum(verdict.probabilities.values()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    "shares",
    [
        {},
        {"A": 0.5, "B": 0.5},
        {**SHARES, "C": 0.0},
        {**SHARES, "A": None},
        {**SHARES, "A": True},
        {**SHARES, "A": "0.6"},
        {**SHARES, "A": 1.4, "B": -0.7},
        {**SHARES, "A": 0.9},
        {**SHARES, "A": float("nan")},
        {**SHARES, "A": 0.5},
    ],
)
async def test_what_are_no_probabilities_of_the_options_is_garbled(shares: dict[str, Any]) -> None:
    for answer in (decided(shares), as_list(shares)):
        with pytest.raises(Garbled):
            await give(answer)


async def test_a_refusal_is_no_verdict_and_no_answer_is_garbled() -> None:
    verdict, _ = await give(decided({}, type="refusal"))
    assert (verdict.status, verdict.failure) == (VerdictStatus.REFUSED, "refused")
    assert verdict.choice is None
    for body in (b"{}", b'{"answers": []}', b'{"answers": {"other": {}}}', b"[]", b"<html>"):
        with pytest.raises(Garbled):
            await give(Scripted(body=body))


async def test_what_utf_8_cannot_carry_is_replaced_and_an_odd_answer_kept() -> None:
    body = json.loads(decided(SHARES, why="\ud800!").body) | {"model": "m\ud800"}
    verdict, _ = await give(Scripted(body=json.dumps(body).encode()))
    assert (verdict.served_model, json.loads(verdict.raw)["why"]) == ("m\ufffd", "\ufffd!")
    body["answers"]["verdict"]["probabilities"] = {}
    with pytest.raises(Garbled) as caught:
        await give(Scripted(body=json.dumps(body).encode()))
    assert caught.value.body is not None
    assert json.loads(caught.value.body)["answers"]["verdict"]["why"] == "\ufffd!"


async def test_a_model_that_cannot_decide_stops_the_job() -> None:
    with pytest.raises(CallError) as caught:
        await give(failure(404, {"detail": "Not Found"}))
    assert isinstance(caught.value, JobFatal)


async def test_what_cannot_be_is_refused_when_it_is_added() -> None:
    with pytest.raises(TiebreakError, match="no decision endpoint"):
        judge_of("http://127.0.0.1:1/v1", api="oracle")
    record = judge_of("http://127.0.0.1:1/v1")
    assert (record.parameters, record.prompt) == ({"api": "systemone"}, "decision")
    changed = Judge("d", "decision", "m", record.endpoint, "decision", "abc", record.parameters)
    with pytest.raises(TiebreakError, match="has changed"):
        make_judge(changed)


async def test_a_task_that_cannot_be_put_is_not_sent() -> None:
    async with StubServer() as stub:
        judge = make_judge(judge_of(stub.url))
        verdict = await judge.judge(orders(7)[0])
        await judge.close()
        assert (verdict.status, verdict.choice) == (VerdictStatus.FAILED, None)
        assert stub.requests == []
