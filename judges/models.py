"""A model as a judge, and how a judge's record becomes a judge that can be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import TiebreakError
from core.records import Judge, Verdict, VerdictStatus
from core.secrets import names_a_secret
from judges.baselines import BaselineJudge
from judges.client import TIMEOUT, ChatClient, check_address
from judges.decisions import APIS, PROMPT, DecisionJudge, wording_hash
from judges.outcomes import Reply
from judges.parsing import split_reasoning
from judges.prompt_files import load_prompts
from judges.prompting import Prompt, Prompts, check_unchanged
from judges.tasks import KINDS, JudgeLike, Task, sent_parameters, verdict

_OURS = frozenset({"model", "messages", "stream", "n", "tools"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class ModelJudge:
    """A model that reads a prompt and answers in a grammar.

    Args:
        client: where to ask; it is closed with the judge.
    """

    def __init__(self, record: Judge, prompts: Prompts, client: ChatClient) -> None:
        check_unchanged(prompts, record)
        self.record = record
        self._prompts = prompts
        self._client = client

    async def judge(self, task: Task) -> Verdict:
        """Ask once, or once per answer where answers are graded one by one.

        Raises:
            CallError: an attempt gave no reply.
            TiebreakError: the prompt takes no task like this, or the key is missing.
        """
        if problem := task.problem():
            return self.failed(task, problem)
        prompt = self._prompts.pick(self.record.prompt, task)
        parameters = sent_parameters(self.record.parameters)
        if "max_completion_tokens" not in parameters:
            parameters.setdefault("max_tokens", prompt.max_tokens)
        replies = [
            await self._client.ask(prompt.render(task, side), parameters) for side in prompt.sides
        ]
        return self._verdict(task, prompt, replies)

    def failed(self, task: Task, error: str) -> Verdict:
        """A verdict that could not be had."""
        asked: dict[str, Any] = {}
        if not task.problem():
            prompt = self._prompts.pick(self.record.prompt, task)
            asked = {"prompt": prompt.id, "prompt_hash": prompt.hash}
        return verdict(self.record, task, VerdictStatus.FAILED, error=error, **asked)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _verdict(self, task: Task, prompt: Prompt, replies: Sequence[Reply]) -> Verdict:
        raw = prompt.pack([reply.content for reply in replies])
        thoughts = [reply.reasoning or split_reasoning(reply.content)[0] for reply in replies]
        told: dict[str, Any] = {
            "prompt": prompt.id,
            "prompt_hash": prompt.hash,
            "raw": raw,
            "reasoning": prompt.pack(thoughts) if any(thoughts) else None,
            "tokens_in": _sum([reply.tokens_in for reply in replies]),
            "tokens_out": _sum([reply.tokens_out for reply in replies]),
            "latency": sum(reply.latency for reply in replies),
        }
        for reply in replies:
            if reply.status is not VerdictStatus.OK:
                return verdict(self.record, task, reply.status, error=reply.problem, **told)
        read = prompt.read(raw)
        return verdict(
            self.record,
            task,
            read.status,
            read.seen,
            label=read.label,
            scores=read.scores,
            error=read.reason,
            **told,
        )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def new_judge(
    name: str,
    kind: str,
    model: str,
    *,
    endpoint: str = "",
    prompt: str = "pairwise",
    parameters: Mapping[str, Any] | None = None,
    revision: str = "",
    prompts: Prompts | None = None,
) -> Judge:
    """The record of a judge, checked: what a study stores when a judge is added.

    Args:
        kind: ``openai``, ``decision`` or ``baseline``.
        model: the model as its server calls it, or the baseline's name.
        endpoint: the server's API root; not for ``baseline``.
        prompt: a family of prompts; for ``openai`` only.
        parameters: sent with each request, except ``api_key_env`` and ``timeout``.

    Raises:
        TiebreakError: saying which part cannot be, and what could.
    """
    given = dict(parameters or {})
    if not name.strip():
        raise TiebreakError("a judge needs a name")
    if kind == "baseline":
        record = Judge(name, kind, model, parameters=given, revision=revision)
        BaselineJudge(record)
        return record
    _check_kind(name, kind)
    if not model.strip():
        raise TiebreakError(f"the judge {name!r} names no model", "name it as its server does")
    check_address(endpoint)
    _check_parameters(given)
    if kind == "decision":
        given.setdefault("api", APIS[0])
        _check_api(given["api"])
        wording = (PROMPT, wording_hash())
        return Judge(name, kind, model, endpoint, *wording, parameters=given, revision=revision)
    known = prompts or load_prompts()
    return Judge(
        name, kind, model, endpoint, prompt, known.hash(prompt), parameters=given, revision=revision
    )


def make_judge(
    record: Judge,
    *,
    prompts: Prompts | None = None,
    environ: Mapping[str, str] | None = None,
) -> JudgeLike:
    """A judge that can be asked, from its record.

    Args:
        prompts: the prompts to choose from; by default those that come with Tiebreak.
        environ: where the key is looked up; by default the process's environment.

    Raises:
        TiebreakError: the kind is unknown, a parameter cannot be, or the prompt is missing or
            has changed since the judge was added.
    """
    if record.kind == "baseline":
        return BaselineJudge(record)
    _check_kind(record.name, record.kind)
    _check_parameters(record.parameters)
    client = ChatClient(
        record.endpoint,
        record.model,
        key_variable=record.parameters.get("api_key_env", ""),
        timeout=float(record.parameters.get("timeout", TIMEOUT)),
        environ=environ,
    )
    if record.kind == "decision":
        _check_api(record.parameters.get("api"))
        return DecisionJudge(record, client)
    return ModelJudge(record, prompts or load_prompts(), client)


def _check_kind(name: str, kind: str) -> None:
    if kind not in KINDS:
        hint = f"it can be asked if its kind is one of: {', '.join(KINDS)}"
        raise TiebreakError(
            f"the judge {name!r} is of the kind {kind!r}, which has no one to ask", hint
        )


def _check_api(api: object) -> None:
    if api not in APIS:
        raise TiebreakError(f"{api!r} is no decision endpoint", f"there are: {', '.join(APIS)}")


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    for key in parameters:
        if key in _OURS:
            raise TiebreakError(f"the parameter {key!r} is set by Tiebreak itself", "leave it out")
        if names_a_secret(key):
            raise TiebreakError(
                f"the parameter {key!r} would store a secret in the study",
                "put the key into an environment variable and name it: api_key_env",
            )
    variable = parameters.get("api_key_env", "")
    if variable != "" and not (isinstance(variable, str) and _VARIABLE.fullmatch(variable)):
        # Not repeated here: it may be the key itself.
        raise TiebreakError(
            "api_key_env is not the name of an environment variable",
            "it takes the variable's name, such as OPENAI_API_KEY, never the key",
        )
    timeout = parameters.get("timeout", TIMEOUT)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise TiebreakError(f"timeout is {timeout!r}, not a number of seconds above 0")
