"""Judges behind a decision endpoint: probabilities of the outcomes in place of a text.

Two forms of the same thing: ``/systemone`` (vLLM, llama.cpp, transformers and others) takes a
state and named questions, ``/decisions`` (OpenAI, SGLang) an input and a list of questions. Both
answer with a probability for each option, so there is nothing to parse. Their ``confidence`` is
computed differently everywhere; only the probabilities are kept.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import TiebreakError
from core.records import WHOLE_CONVERSATION, Judge, Seen, Verdict, VerdictStatus
from judges.asking import Asks
from judges.client import GARBLED_CHARACTERS, encoded
from judges.outcomes import Answer, Garbled, said, without_surrogates
from judges.structured import preference
from judges.tasks import Size, Task, sent_parameters, verdict
from judges.usage import counted, counted_in

APIS = ("systemone", "decisions")
"""The decision endpoints, by their paths beneath the API root."""

PROMPT = "decision"
"""What a decision judge's record names as its prompt: the wording below."""

_NAME = "verdict"
_INSTRUCTIONS = {
    "turn": "Which assistant answered the user's last question better? Go by correctness, "
    "helpfulness and depth; neither the order of the answers nor their length is a merit.",
    "whole": "Which assistant served the user better in the whole conversation? Go by "
    "correctness, helpfulness and depth; neither the order of the answers nor their length is "
    "a merit.",
}
_OPTIONS: Mapping[str, tuple[Seen, str]] = {
    "A": (Seen.LEFT, "the answer of assistant A is better"),
    "B": (Seen.RIGHT, "the answer of assistant B is better"),
    "tie": (Seen.TIE, "both answers are equally good"),
    "bad": (Seen.BOTH_BAD, "both answers are bad"),
}
_SLACK = 1e-3
"""How far from 1 the sum of probabilities may be: servers round them."""

_MOST_OUT = 4096
"""Tokens: a decision is no longer, thoughts included."""


def wording_hash() -> str:
    """A name for the wording: SHA-256, 64 hex digits."""
    material = [_INSTRUCTIONS, {label: words for label, (_, words) in _OPTIONS.items()}]
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()


def request(api: str, model: str, task: Task, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The request that puts a task to a decision endpoint."""
    instructions = _INSTRUCTIONS["whole" if task.turn == WHOLE_CONVERSATION else "turn"]
    options = {label: words for label, (_, words) in _OPTIONS.items()}
    return _request(api, model, _state(task), instructions, options) | dict(parameters)


def tiny_request(api: str, model: str) -> dict[str, Any]:
    """The smallest request there is, to see whether anybody answers."""
    return _request(api, model, "2 + 2 = 5", "Is this right?", {"A": "right", "B": "wrong"})


def _request(
    api: str, model: str, state: str, instructions: str, options: Mapping[str, str]
) -> dict[str, Any]:
    question: dict[str, Any] = {"type": "choice", "instructions": instructions}
    if api == "systemone":
        question["criteria"] = dict(options)
        return {"model": model, "state": state, "questions": {_NAME: question}}
    question["name"] = _NAME
    question["choices"] = [{"value": k, "description": words} for k, words in options.items()]
    return {"model": model, "input": state, "questions": [question]}


def _state(task: Task) -> str:
    """What is judged, as JSON: quoting keeps an answer from passing for anything else."""
    upto = task.last_turn
    state: dict[str, Any] = {"user": list(task.question.turns[:upto])}
    if any(reference is not None for reference in task.question.references[:upto]):
        state["reference answer"] = list(task.question.references[:upto])
    state["assistant A"] = list(task.left_answer[:upto])
    state["assistant B"] = list(task.right_answer[:upto])
    return json.dumps(state, ensure_ascii=False, indent=1)


_ASKED = {"prompt": PROMPT, "prompt_hash": wording_hash()}


class DecisionJudge:
    """A model that decides in place of writing.

    Args:
        client: where to ask; it is closed with the judge.

    Raises:
        TiebreakError: the wording has changed since the judge was added.
    """

    def __init__(self, record: Judge, client: Asks) -> None:
        if record.prompt_hash and record.prompt_hash != wording_hash():
            raise TiebreakError(
                f"the wording of decisions has changed since the judge {record.name!r} was added",
                "add it under another name, so that old and new verdicts stay apart",
            )
        self.record = record
        self._client = client
        self._parameters = sent_parameters(record.parameters)
        self._api = str(self._parameters.pop("api", APIS[0]))

    async def judge(self, task: Task) -> Verdict:
        """Ask once.

        Raises:
            CallError: the attempt gave no reply.
            TiebreakError: the key is missing.
        """
        if problem := task.problem():
            return self.failed(task, problem, "no such turn")
        body = request(self._api, self.record.model, task, self._parameters)
        answer = await self._client.post(f"/{self._api}", body)
        try:
            return self._verdict(task, answer)
        except Garbled as error:
            told = without_surrogates(json.dumps(dict(answer.body), ensure_ascii=False))
            error.body = told[:GARBLED_CHARACTERS]
            raise

    async def judge_call(self, tasks: Sequence[Task]) -> Sequence[Verdict]:
        """The verdicts that one call settles: for pairs, one."""
        return [await self.judge(task) for task in tasks]

    def failed(self, task: Task, error: str, failure: str = "") -> Verdict:
        """A verdict that could not be had."""
        told: dict[str, Any] = {"error": error, "failure": failure, **_ASKED}
        return verdict(self.record, task, VerdictStatus.FAILED, **told)

    def size(self, tasks: Sequence[Task]) -> Size:
        """How much the call sends that settles these tasks; a decision comes back as one token."""
        fit = [task for task in tasks if not task.problem()]
        bodies = [
            encoded(request(self._api, self.record.model, task, self._parameters)) for task in fit
        ]
        return Size(len(fit), sum(map(len, bodies)), len(fit))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _verdict(self, task: Task, answer: Answer) -> Verdict:
        given = answer.body.get("usage")
        usage = given if isinstance(given, dict) else {}
        told: dict[str, Any] = {
            **_ASKED,
            "latency": answer.latency,
            "sent_hash": answer.sent_hash,
            "endpoint": answer.endpoint,
            "served_model": without_surrogates(str(answer.body.get("model") or "")),
            "tokens_in": counted_in(
                usage.get("input_tokens", usage.get("prompt_tokens")), answer.sent
            ),
            "tokens_out": counted(
                usage.get("output_tokens", usage.get("completion_tokens")), _MOST_OUT
            ),
        }
        one = _answer(answer.body)
        told["raw"] = without_surrogates(json.dumps(one, ensure_ascii=False, sort_keys=True))
        if one.get("type") == "refusal":
            words = "the model declined to decide"
            return verdict(
                self.record, task, VerdictStatus.REFUSED, error=words, failure="refused", **told
            )
        shares = _shares(one)
        best = max(shares.values())
        ahead = [seen for seen, share in shares.items() if share == best]
        # Equal shares of both sides are no preference; the options' order must not make one.
        seen = ahead[0] if len(ahead) == 1 else Seen.TIE
        told_shares = {seen.value: share for seen, share in shares.items()}
        label = next(label for label, (meant, _) in _OPTIONS.items() if meant is seen)
        return verdict(
            self.record,
            task,
            VerdictStatus.OK,
            seen,
            label=label,
            probabilities=told_shares,
            preference=preference(told_shares),
            **told,
        )


def _answer(body: Mapping[str, Any]) -> dict[str, Any]:
    """The one question's answer, out of either form.

    Raises:
        Garbled: there is none.
    """
    answers = body.get("answers")
    if isinstance(answers, list) and answers:
        answers = {_NAME: answers[0]}
    one = answers.get(_NAME) if isinstance(answers, dict) else None
    if not isinstance(one, dict):
        words = said(body)
        raise Garbled(f"the answer holds no decision{': ' + words[:200] if words else ''}")
    return one


def _shares(answer: Mapping[str, Any]) -> dict[Seen, float]:
    """The share of each outcome.

    Raises:
        Garbled: they are no probabilities of the options that were given.
    """
    told = answer.get("probabilities")
    if isinstance(told, list):
        told = {one.get("value"): one.get("probability") for one in told if isinstance(one, dict)}
    if not isinstance(told, dict) or told.keys() != _OPTIONS.keys():
        raise Garbled("the decision does not weigh the options that it was given")
    shares = {}
    for label, (seen, _) in _OPTIONS.items():
        value = told[label]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not -_SLACK <= value <= 1 + _SLACK:
            raise Garbled(f"the decision gives {label} a probability of {str(value)[:40]}")
        shares[seen] = min(1.0, max(0.0, float(value)))
    total = math.fsum(shares.values())
    if abs(total - 1) > len(_OPTIONS) * _SLACK:
        raise Garbled(f"the decision's probabilities sum to {total:.4g}, not to 1")
    return {seen: share / total for seen, share in shares.items()}
