"""What a judge's server can do, found out by asking it: a list and a few calls of some tokens.

Nothing that a server says of itself is believed where a call can show it: some ignore a
constraint that they do not know and answer 200, some answer to any model's name.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from core.errors import TiebreakError
from core.records import Judge, VerdictStatus
from judges.client import TIMEOUT, ChatClient
from judges.decisions import APIS, tiny_request
from judges.forms import Form
from judges.outcomes import Answer, CallError, JobFatal, RateLimited, Rejected, Reply, said
from judges.patterns import one_of, row
from judges.policy import Policy
from judges.prompting import Message
from judges.refusals import retry_after
from judges.structured import (
    KINDS,
    MOST_LOGPROBS,
    TEXTS,
    WAYS,
    Support,
    Wanted,
    label_schema,
)
from judges.tasks import sent_parameters

LISTING = 10.0
"""Seconds that a server has to list its models."""

LONGEST = 60.0
"""Seconds that it has for each small call."""

PATIENCE = 30.0
"""Seconds, in all, for which a server that is busy is waited for: busy is not down."""

OnWait = Callable[[float, str], None]
"""Told when a server is waited for: for how many seconds, and why."""

_MOST_MODELS = 50
_TALK = [Message("user", "Say hello in one short sentence.")]
_LABELS = ("quince", "medlar")
"""What nobody would answer who was not held to it."""

_CHOICE = Wanted(choices=_LABELS)
_SCHEMA = Wanted(
    schema={
        **label_schema(_LABELS),
        "properties": {
            **label_schema(_LABELS)["properties"],
            "sure": {"type": "integer", "minimum": 1, "maximum": 3},
        },
        "required": ["verdict", "sure"],
    }
)
_FORM = Wanted(
    form=Form(
        row(one_of(["[["]), one_of(_LABELS), one_of(["]]"])),
        tuple(f"[[{label}]]" for label in _LABELS),
        explain="after",
        most=12,
    )
)
_SHORT, _WITH_THOUGHTS = 64, 2048
"""Tokens of a reply; a model that thinks first needs room for it."""

_UNCHECKED = "or leave the check out: --no-check"


_T = TypeVar("_T")


async def probe(
    record: Judge,
    address: str,
    *,
    environ: Mapping[str, str] | None = None,
    on_wait: OnWait | None = None,
    patience: float = PATIENCE,
) -> dict[str, Any]:
    """Check one server of a judge.

    Args:
        record: says the model, the parameters and the name of the key's variable.
        environ: where the key is looked up; by default the process's environment.
        on_wait: told when the server asks for a pause, which is kept.
        patience: seconds that such pauses may take in all.

    Returns:
        What was found, as ``endpoint.found`` keeps it: ``server`` (who it says owns the
        model), ``models``, ``context`` in tokens or None, ``structured`` (``choice``, ``json``
        and ``form``: how each is enforced, or ""), ``logprobs`` (alternatives at each token),
        ``reasoning`` (``apart``, ``inline``, ``hidden`` or ""), ``limit`` (the parameter that
        limits a reply), ``decisions`` (the decision endpoint that answers, or ""), and
        ``notes``.

    Raises:
        TiebreakError: the server cannot be reached, refuses the key, does not serve the model,
            does not take the judge's parameters, or lets nobody in for longer than is waited.
    """
    timeout = min(LONGEST, float(record.parameters.get("timeout", TIMEOUT)))
    variable = str(record.parameters.get("api_key_env", ""))
    client = ChatClient(
        address, record.model, key_variable=variable, timeout=timeout, environ=environ
    )
    try:
        return await _Probe(client, record, on_wait, patience).all()
    except JobFatal as error:
        raise TiebreakError(str(error), f"{error.hint}; {_UNCHECKED}") from None
    except RateLimited as error:
        asks = "" if error.wait is None else f" and asks to wait {error.wait:,.0f} s"
        hint = f"try again later, {_UNCHECKED}: a run waits for it"
        raise TiebreakError(f"{address} is busy{asks}: {error}", hint) from None
    except Rejected as error:
        hint = f"look at the judge's parameters (--set) and at the model, {_UNCHECKED}"
        raise TiebreakError(f"{address} refuses a short request: {error}", hint) from None
    except CallError as error:
        hint = f"check that the server runs and is done loading, {_UNCHECKED}"
        raise TiebreakError(f"{address} gives no answer: {error}", hint) from None
    finally:
        await client.close()


class _Probe:
    """One server being asked; what is found gathers in ``found``."""

    def __init__(
        self, client: ChatClient, record: Judge, on_wait: OnWait | None, patience: float
    ) -> None:
        self._client = client
        self._on_wait = on_wait
        self._patience = patience
        self._chance = random.Random()
        self._is_decision = record.kind == "decision"
        self._parameters = sent_parameters(record.parameters)
        self._limit = "max_tokens"
        self._room = _SHORT
        self.found: dict[str, Any] = {
            "server": "",
            "models": [],
            "context": None,
            "structured": dict.fromkeys(KINDS, ""),
            "logprobs": 0,
            "reasoning": "",
            "limit": self._limit,
            "decisions": "",
            "notes": [],
        }

    async def all(self) -> dict[str, Any]:
        await self._list_models()
        if not self._is_decision:
            await self._talk()
            by_schema = await self._way(_SCHEMA, "json")
            self.found["structured"] = {
                "choice": await self._way(_CHOICE, "choice"),
                "json": by_schema,
                "form": await self._way(_FORM, "form", TEXTS) or by_schema,
            }
            self.found["logprobs"] = await self._logprobs()
        self.found["decisions"] = await self._decisions()
        if self._is_decision and not self.found["decisions"]:
            raise JobFatal(
                f"{self._client.base_url} has no decision endpoint for {self._client.model!r}",
                "add it as a model that writes: leave --decisions out",
            )
        return self.found

    async def _list_models(self) -> None:
        """What the server lists; some list nothing and serve all the same."""
        status, body = await self._patiently(lambda: listed(self._client))
        entries = body.get("data") if isinstance(body, dict) else None
        models = [
            entry
            for entry in (entries if isinstance(entries, list) else [])
            if isinstance(entry, dict) and isinstance(entry.get("id"), str)
        ]
        self.found["models"] = [
            self._client.redacted(entry["id"]) for entry in models[:_MOST_MODELS]
        ]
        mine = [entry for entry in models if entry["id"] == self._client.model]
        if not models:
            self.found["notes"].append(f"it lists no models ({status})")
        elif not mine:
            names = ", ".join(self.found["models"][:8])
            self.found["notes"].append(f"it does not list {self._client.model!r}, but: {names}")
        for entry in mine:
            self.found["server"] = self._client.redacted(str(entry.get("owned_by") or ""))
            told = entry.get("meta")
            size = told.get("n_ctx") if isinstance(told, dict) else None  # llama.cpp
            sizes = (entry.get("max_model_len"), entry.get("context_length"), size)
            known = [size for size in sizes if isinstance(size, int) and size > 0]
            self.found["context"] = known[0] if known else None

    async def _talk(self) -> None:
        """A first reply: whether there is one at all, and where its reasoning stands."""
        try:
            reply = await self._ask()
        except JobFatal as error:
            if "max_completion_tokens" not in str(error):
                raise
            self._limit = self.found["limit"] = "max_completion_tokens"
            reply = await self._ask()
        if reply.reasoning:
            self.found["reasoning"] = "apart"
        elif reply.content.lstrip().startswith(("<think", "<|channel|>analysis")):
            self.found["reasoning"] = "inline"
        elif reply.status is VerdictStatus.TRUNCATED and not reply.content:
            self.found["reasoning"] = "hidden"
        if self.found["reasoning"]:
            self._room = _WITH_THOUGHTS
            if reply.status is not VerdictStatus.OK:
                reply = await self._ask()
        is_long = reply.status is VerdictStatus.TRUNCATED and reply.content.strip()
        if reply.status is not VerdictStatus.OK and not is_long:
            words = self._client.redacted(reply.problem)
            self.found["notes"].append(f"asked to say hello, it gave nothing to read: {words}")
        if reply.served_model and reply.served_model != self._client.model:
            self.found["notes"].append(f"it answers as {reply.served_model!r}")

    async def _way(self, wanted: Wanted, kind: str, ways: Sequence[str] = WAYS) -> str:
        """The first way by which the server keeps to what is wanted; "" if there is none."""
        for way in ways:
            self._client.support = Support.of({"structured": {kind: way}})
            try:
                reply = await self._ask(wanted)
            except CallError as error:
                if not isinstance(error, Rejected | JobFatal) and "500" not in str(error):
                    self._failed(f"{kind} by {way}", error)
                continue
            if reply.enforced:
                return way
        return ""

    async def _logprobs(self) -> int:
        """How many alternatives it gives at each token."""
        for count in (MOST_LOGPROBS, 5):
            body = self._body() | {"logprobs": True, "top_logprobs": count}
            try:
                answer = await self._post("/chat/completions", body)
            except (Rejected, JobFatal):
                continue
            except CallError as error:
                self._failed("log-probabilities", error)
                return 0
            return _alternatives(answer.body)
        return 0

    async def _decisions(self) -> str:
        """The decision endpoint that answers for this model."""
        for api in APIS:
            try:
                answer = await self._post(f"/{api}", tiny_request(api, self._client.model))
            except CallError:
                continue
            if answer.body.get("answers"):
                return api
        return ""

    async def _ask(self, wanted: Wanted | None = None) -> Reply:
        return await self._patiently(
            lambda: self._client.ask(_TALK, self._limited(), wanted=wanted)
        )

    async def _post(self, path: str, body: Mapping[str, Any]) -> Answer:
        return await self._patiently(lambda: self._client.post(path, body))

    async def _patiently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Make a call; where the server asks for a pause, again after it."""
        tries = 0
        while True:
            try:
                return await call()
            except RateLimited as error:
                tries += 1
                wait = error.wait
                if wait is None:
                    wait = Policy().back_off(tries, self._chance)
                if wait > self._patience:
                    raise
                self._patience -= wait
                if self._on_wait is not None:
                    self._on_wait(wait, str(error))
                await asyncio.sleep(wait)

    def _limited(self) -> dict[str, Any]:
        limits = ("max_tokens", "max_completion_tokens")
        kept = {name: value for name, value in self._parameters.items() if name not in limits}
        return kept | {self._limit: self._room}

    def _body(self) -> dict[str, Any]:
        messages = [{"role": m.role, "content": m.content} for m in _TALK]
        return {"model": self._client.model, "messages": messages, **self._limited()}

    def _failed(self, what: str, error: CallError) -> None:
        self.found["notes"].append(f"{what} could not be tried: {error}")


async def listed(client: ChatClient) -> tuple[int, object]:
    """The status and the body of a server's list of models.

    Raises:
        RateLimited: it asks for a pause.
        TiebreakError: the server cannot be reached, or refuses the key.
    """
    import httpx

    key = client.key()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    address = client.base_url.rstrip("/")
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=LISTING, headers=headers) as asking:
            response = await asking.get(f"{address}/models")
    except httpx.HTTPError as error:
        words = client.redacted(str(error) or type(error).__name__)
        raise TiebreakError(
            f"cannot reach {client.base_url}: {words}",
            f"start the server, look at the address, {_UNCHECKED}",
        ) from None
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    if response.status_code == 429:
        words = f"429: {client.redacted(said(body))}"
        raise RateLimited(words, retry_after(response.headers, datetime.now(UTC)))
    if response.status_code in (401, 403):
        words = client.redacted(said(body))
        raise TiebreakError(
            f"{client.base_url} refuses the key: {response.status_code} {words}".rstrip(),
            f"name the variable that holds it: --api-key-env; {_UNCHECKED}",
        )
    return response.status_code, body


def _alternatives(answer: Mapping[str, Any]) -> int:
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    told = first.get("logprobs") if isinstance(first, dict) else None
    content = told.get("content") if isinstance(told, dict) else None
    if not isinstance(content, list) or not content or not isinstance(content[0], dict):
        return 0
    others = content[0].get("top_logprobs")
    return len(others) if isinstance(others, list) else 0


_ENFORCED = {
    "structured_outputs": "structured_outputs",
    "grammar": "a grammar",
    "json_schema": "a JSON schema",
    "json_object": "a JSON object's schema",
}
_REASONING = {
    "apart": "reasoning comes apart from the reply",
    "inline": "reasoning comes inside the reply and is set apart here",
    "hidden": "reasoning is not shown but takes tokens of the reply's limit",
}


def described(found: Mapping[str, Any]) -> list[str]:
    """What a check found, in a few lines for a person."""
    support = Support.of(found)
    server = found.get("server") or "a server that does not say what it is"
    context = found.get("context")
    lines = [f"{server}, context {context:,} tokens" if context else f"{server}, context unknown"]
    ways = [
        f"{what} by {_ENFORCED[way]}"
        for what, way in (("labels", support.choice), ("JSON", support.json))
        if way
    ]
    if support.form:
        wrapped = "" if support.form in TEXTS else ", in an object"
        ways.append(f"verdicts with reasons by {_ENFORCED[support.form]}{wrapped}")
    if ways:
        lines.append(f"verdicts can be enforced: {', '.join(ways)}")
    elif not found.get("decisions"):
        lines.append("verdicts cannot be enforced: the prompt alone asks for their form")
    if support.logprobs:
        lines.append(f"log-probabilities: {support.logprobs} alternatives at each token")
    if found.get("decisions"):
        lines.append(f"decision endpoint: {found['decisions']}")
    if found.get("reasoning") in _REASONING:
        lines.append(_REASONING[found["reasoning"]])
    if found.get("limit") == "max_completion_tokens":
        lines.append("it takes max_completion_tokens, not max_tokens: --set it")
    return [*lines, *map(str, found.get("notes", []))]
