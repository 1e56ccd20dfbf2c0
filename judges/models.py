"""A model as a judge, and how a judge's record becomes a judge that can be asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.errors import TiebreakError
from core.records import Judge, Seen, Verdict, VerdictStatus
from core.secrets import secret_in
from judges.asking import Asks
from judges.baselines import BaselineJudge
from judges.client import TIMEOUT, ChatClient, check_address
from judges.decisions import APIS, PROMPT, DecisionJudge, wording_hash
from judges.families import Family, Prompts, family_of
from judges.forms import form_of
from judges.lineups import Lineup, sides_of
from judges.outcomes import Reply
from judges.parsing import Parsed, split_reasoning
from judges.prompt_files import load_prompts
from judges.prompting import Prompt, list_label
from judges.shares import outcome_shares
from judges.structured import Wanted, preference
from judges.tasks import KINDS, NOTHING, JudgeLike, Shown, Size, Task, sent_parameters, verdict
from judges.usage import LIMITS

_OURS = frozenset({"model", "messages", "stream", "n", "tools"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class ModelJudge:
    """A model that reads a prompt and answers in a grammar.

    Args:
        prompts: where the judge's prompts are, or they themselves.
        client: where to ask; it is closed with the judge.

    Raises:
        TiebreakError: the wording is no longer the one that the judge was added with.
    """

    def __init__(self, record: Judge, prompts: Prompts | Family, client: Asks) -> None:
        self.family = family_of(record, prompts)
        self.record = record
        self._client = client
        self._wanted: dict[tuple[str, int], Wanted | None] = {}

    @property
    def calls_by(self) -> str:
        """What one call settles: a pair, or all pairs of a question in one arrangement."""
        return "question" if self.family.form == "list" else "pair"

    def requests(self, tasks: Sequence[Task]) -> int:
        """How many requests one call for these tasks sends."""
        return 2 if self.family.form == "single" and tasks else 1

    async def judge(self, task: Task) -> Verdict:
        """Ask once, or once per answer where answers are graded one by one.

        Raises:
            CallError: an attempt gave no reply.
            TiebreakError: the key is missing.
        """
        (verdict,) = await self.judge_call([task])
        return verdict

    async def judge_call(self, tasks: Sequence[Task], *, room: int = 1) -> Sequence[Verdict]:
        """Settle tasks that share a call: one pair, or all pairs of a question's answers.

        Args:
            tasks: of one question, turn, order and repeat; one alone unless the judge ranks.
            room: how many times as many tokens as usual the reply may have.

        Returns:
            A verdict for each task, in their order.

        Raises:
            CallError: an attempt gave no reply.
            TiebreakError: the key is missing, or a ranking has more answers than names.
        """
        return (await self.ask_call(tasks, room=room))()

    async def ask_call(
        self, tasks: Sequence[Task], *, room: int = 1
    ) -> Callable[[], Sequence[Verdict]]:
        """The first half of :meth:`judge_call`: ask, and leave what was replied to be read.

        Returns:
            What reads it. Nothing waits for it but the verdicts: the server is done.
        """
        if self.family.form == "list":
            return await self._rank(tasks, room)
        reads = [await self._compare(task, room) for task in tasks]
        return lambda: [read() for read in reads]

    def failed(self, task: Task, error: str, failure: str = "") -> Verdict:
        """A verdict that could not be had."""
        asked: dict[str, Any] = {}
        if not self._problem(task)[0]:
            prompt = self.family.pick(task)
            asked = {"prompt": prompt.id, "prompt_hash": prompt.hash}
        return verdict(
            self.record, task, VerdictStatus.FAILED, error=error, failure=failure, **asked
        )

    def size(self, tasks: Sequence[Task]) -> Size:
        """How much the call sends that settles these tasks: the prompt as it would be sent."""
        fit = [task for task in tasks if not self._problem(task)[0]]
        if not fit:
            return NOTHING
        shown = Lineup.of(fit).shown if self.family.form == "list" else fit[0].shown
        prompt = self.family.pick(shown)
        given = self.record.parameters
        limit = given.get("max_completion_tokens") or given.get("max_tokens") or prompt.max_tokens
        sent = sum(
            len(message.content.encode("utf-8", "surrogatepass"))
            for side in prompt.sides
            for message in prompt.render(shown, side)
        )
        return Size(len(prompt.sides), sent, len(prompt.sides) * int(limit))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _problem(self, task: Task) -> tuple[str, str]:
        """Why a task cannot be put to this judge, in words and in short; empty if it can."""
        if problem := task.problem():
            return problem, "no such turn"
        try:
            self.family.pick(task.shown)
        except TiebreakError as error:
            # Of this task alone: a prompt for single turns judges those of a study that has both.
            return str(error), "no prompt"
        return "", ""

    async def _ask(self, prompt: Prompt, shown: Shown, side: Seen, room: int) -> Reply:
        parameters = sent_parameters(self.record.parameters)
        if "max_completion_tokens" not in parameters:
            parameters.setdefault("max_tokens", prompt.max_tokens)
        if room > 1:
            parameters |= {key: room * parameters[key] for key in LIMITS & parameters.keys()}
        place = (prompt.id, len(shown.answers))
        if place not in self._wanted:
            self._wanted[place] = wanted_of(prompt, len(shown.answers))
        return await self._client.ask(
            prompt.render(shown, side), parameters, wanted=self._wanted[place]
        )

    async def _compare(self, task: Task, room: int) -> Callable[[], Verdict]:
        words, failure = self._problem(task)
        if failure:
            return lambda: self.failed(task, words, failure)
        shown = task.shown
        prompt = self.family.pick(shown)
        replies = [await self._ask(prompt, shown, side, room) for side in prompt.sides]
        return lambda: self._compared(task, prompt, replies)

    def _compared(self, task: Task, prompt: Prompt, replies: Sequence[Reply]) -> Verdict:
        told = _told(prompt, replies) | {"raw": prompt.pack([r.content for r in replies])}
        for reply in replies:
            if reply.status is not VerdictStatus.OK:
                return self._unread(task, reply, told)
        shares = outcome_shares(replies[0].token_logprobs, prompt.grammar.labels)
        soft = {"probabilities": shares, "preference": preference(shares) if shares else None}
        return self._read(task, prompt.read(told["raw"]), {**told, **soft})

    async def _rank(self, tasks: Sequence[Task], room: int) -> Callable[[], list[Verdict]]:
        problems = {task: self._problem(task) for task in tasks}
        fit = [task for task in tasks if not problems[task][1]]
        verdicts = {
            task: self.failed(task, words, failure)
            for task, (words, failure) in problems.items()
            if failure
        }
        if not fit:
            return lambda: [verdicts[task] for task in tasks]
        lineup = Lineup.of(fit)
        prompt = self.family.pick(lineup.shown)
        called = dict(zip(lineup.models, _names(prompt, lineup), strict=True))
        reply = await self._ask(prompt, lineup.shown, Seen.LEFT, room)

        def read() -> list[Verdict]:
            given = verdicts | self._ranked(fit, prompt, called, reply)
            return [given[task] for task in tasks]

        return read

    def _ranked(
        self, fit: Sequence[Task], prompt: Prompt, called: Mapping[str, str], reply: Reply
    ) -> dict[Task, Verdict]:
        """What a ranking says of each pair.

        Args:
            called: what each model's answer was called.
        """
        verdicts = {}
        shared = _told(prompt, [reply]) | {"raw": reply.content}
        for task, used in zip(fit, _shared_out(reply, len(fit)), strict=True):
            left, right = (called[model] for model in sides_of(task))
            told = {**shared, **used}
            if reply.status is not VerdictStatus.OK:
                told["label"] = list_label(left, right, len(called), None)
                verdicts[task] = self._unread(task, reply, told)
                continue
            read = prompt.read_list(reply.content, len(called), left, right)
            verdicts[task] = self._read(task, read, told, list_of=(left, right, len(called)))
        return verdicts

    def _unread(self, task: Task, reply: Reply, told: Mapping[str, Any]) -> Verdict:
        """A verdict on a reply that the server itself did not finish or give."""
        return verdict(
            self.record, task, reply.status, error=reply.problem, failure=reply.failure, **told
        )

    def _read(
        self,
        task: Task,
        read: Parsed,
        told: Mapping[str, Any],
        list_of: tuple[str, str, int] | None = None,
    ) -> Verdict:
        label = read.label
        if list_of is not None and read.seen is None:
            label = list_label(*list_of, None)
        return verdict(
            self.record, task, read.status, **{**told, **read_fields(read), "label": label}
        )


def read_fields(read: Parsed) -> dict[str, Any]:
    """What a reading says of a verdict."""
    return {
        "seen": read.seen,
        "label": read.label,
        "scores": read.scores,
        "error": read.reason,
        "failure": str(read.failure or ""),
    }


def wanted_of(prompt: Prompt, count: int = 2) -> Wanted | None:
    """What a server is asked to allow as a reply; None if it is left to the prompt.

    Args:
        count: how many answers are shown.
    """
    if prompt.structured in ("choice", "json"):
        return Wanted(prompt.choices, prompt.schema, logprobs=True)
    if prompt.structured:
        return None
    wording = f"{prompt.system}\n{prompt.user}"
    form = form_of(prompt.parser, prompt.grammar, prompt.explain, wording, prompt.max_tokens, count)
    return None if form is None else Wanted(form=form)


def _names(prompt: Prompt, lineup: Lineup) -> Sequence[str]:
    names = prompt.grammar.names
    if len(lineup.models) > len(names):
        raise TiebreakError(
            f"the prompt {prompt.id!r} has names for {len(names)} answers, and the question "
            f"{lineup.shown.question.key!r} has {len(lineup.models)}",
            "add the judge again with as many names, or compare pairs instead",
        )
    return names[: len(lineup.models)]


def _told(prompt: Prompt, replies: Sequence[Reply]) -> dict[str, Any]:
    """What is kept of the replies to one call, whatever they say."""
    thoughts = [reply.reasoning or split_reasoning(reply.content)[0] for reply in replies]
    return {
        "prompt": prompt.id,
        "prompt_hash": prompt.hash,
        "reasoning": prompt.pack(thoughts) if any(thoughts) else None,
        "tokens_in": _sum([reply.tokens_in for reply in replies]),
        "tokens_out": _sum([reply.tokens_out for reply in replies]),
        "latency": sum(reply.latency for reply in replies),
        "sent_hash": joint_hash([reply.sent_hash for reply in replies]),
        "endpoint": replies[0].endpoint,
        "served_model": replies[0].served_model,
    }


def joint_hash(hashes: Sequence[str]) -> str:
    """One hash for what was sent: the request's own, or one over those of several requests."""
    if len(hashes) == 1 or not all(hashes):
        return hashes[0]
    return hashlib.sha256(" ".join(hashes).encode("ascii")).hexdigest()


def _shared_out(reply: Reply, count: int) -> list[dict[str, int | None]]:
    """A call's tokens among the verdicts that it settled, so that their sum stays right."""
    shares: list[dict[str, int | None]] = [{} for _ in range(count)]
    for key, total in (("tokens_in", reply.tokens_in), ("tokens_out", reply.tokens_out)):
        for place, share in enumerate(shares):
            share[key] = None if total is None else total // count + (place < total % count)
    return shares


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
        raise TiebreakError("a judge needs a name", "name it as reports are to call it")
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
    prompts: Prompts | Family | None = None,
    environ: Mapping[str, str] | None = None,
    asks: Asks | None = None,
) -> JudgeLike:
    """A judge that can be asked, from its record.

    Args:
        prompts: the prompts to choose from, or the judge's own; by default those that come
            with Tiebreak.
        environ: where the key is looked up; by default the process's environment.
        asks: what is asked in place of a client of its own, such as a pool of several.

    Raises:
        TiebreakError: the kind is unknown, a parameter cannot be, or the prompt is missing or
            has changed since the judge was added.
    """
    if record.kind == "baseline":
        return BaselineJudge(record)
    _check_kind(record.name, record.kind)
    _check_parameters(record.parameters)
    asked = asks or make_client(record, environ=environ)
    if record.kind == "decision":
        _check_api(record.parameters.get("api"))
        return DecisionJudge(record, asked)
    return ModelJudge(record, prompts or load_prompts(), asked)


def make_client(
    record: Judge,
    address: str = "",
    *,
    found: Mapping[str, Any] | None = None,
    on_note: Callable[[str], None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> ChatClient:
    """The client that asks a judge's model.

    Args:
        address: where, if not at the judge's own endpoint.
        found: what was found out of the server there, see :mod:`judges.probing`.
        on_note: told of what the server does otherwise than was found.
        environ: where the key is looked up; by default the process's environment.
    """
    return ChatClient(
        address or record.endpoint,
        record.model,
        key_variable=record.parameters.get("api_key_env", ""),
        timeout=float(record.parameters.get("timeout", TIMEOUT)),
        found=found,
        on_note=on_note,
        environ=environ,
    )


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
    if held := secret_in(parameters):
        raise TiebreakError(
            f"the parameter {held!r} would store a secret in the study",
            "put the key into an environment variable and name it: api_key_env",
        )
    for key in LIMITS & parameters.keys():
        limit = parameters[key]
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise TiebreakError(
                f"{key} is {limit!r}, not a whole number above 0",
                f"leave it out, or --set {key}=512",
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
        raise TiebreakError(
            f"timeout is {timeout!r}, not a number of seconds above 0",
            f"leave it out, or --set timeout={TIMEOUT:.0f}",
        )
