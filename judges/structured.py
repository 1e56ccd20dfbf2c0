"""Which answers are allowed, said in the way that each server understands.

A prompt declares what it wants (:class:`Wanted`), a probe finds what a server takes
(:class:`Support`), and :func:`constrained` puts the one into a request for the other. The ways:

    structured_outputs  vLLM: choice, regex, grammar or json, exactly one, never beside
                        response_format
    grammar             llama.cpp: GBNF
    json_schema         OpenAI: response_format with a strict schema
    json_object         llama-cpp-python: response_format json_object with a schema

A server that knows none of them is left to the prompt. Some servers ignore what they do not
know and answer 200, so a reply is believed to be enforced only if it is one of those allowed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.records import Seen
from judges.forms import Form
from judges.patterns import flat, grammar, one_of

WAYS = ("structured_outputs", "grammar", "json_schema", "json_object")
"""How a reply can be enforced, in the order in which a probe tries them: with a schema alone,
weak models fill the space between its parts until their tokens are used up."""

TEXTS = WAYS[:2]
"""The ways that take any text, not objects alone."""

KINDS = ("choice", "json", "form")
"""What can be enforced: one of some labels, an object of a schema, reasons with a verdict."""

MOST_LOGPROBS = 20
"""Alternatives asked for at each token: what servers give at most."""

LABEL = "verdict"
"""The property that carries the label where a server takes schemas only."""

_OWN = frozenset({"response_format", "structured_outputs", "grammar", "json_schema", "tools"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reply may be.

    Attributes:
        choices: the labels of which the reply is to be one, whole.
        schema: the JSON schema that the reply is to follow.
        form: what the whole reply looks like, reasons and verdict. Only one of these is given.
        logprobs: whether the label's probabilities are wanted. Labels that are single letters
            are single tokens for every tokenizer; longer ones share their first tokens.
    """

    choices: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    form: Form | None = None
    logprobs: bool = False

    def __post_init__(self) -> None:
        if (bool(self.choices), self.schema is not None, self.form is not None).count(True) > 1:
            raise ValueError("a reply is either a label, an object of a schema, or of a form")


@dataclass(frozen=True, slots=True)
class Support:
    """What a server was found to take; all of it is empty for one that was never asked.

    Attributes:
        choice: the way in :data:`WAYS` by which it keeps to labels.
        json: the way in :data:`WAYS` by which it keeps to a schema.
        logprobs: alternatives that it gives at each token; 0 if it gives none.
        form: the way by which it keeps to reasons with a verdict at their end; where it takes
            schemas only, as an object that holds both.
    """

    choice: str = ""
    json: str = ""
    logprobs: int = 0
    form: str = ""

    @property
    def enforces(self) -> bool:
        """Whether it keeps to anything at all."""
        return bool(self.choice or self.json or self.form)

    @classmethod
    def of(cls, found: Mapping[str, Any] | None) -> Support:
        """What ``endpoint.found`` says, as far as it is understood here."""
        told = (found or {}).get("structured")
        ways = told if isinstance(told, dict) else {}
        count = (found or {}).get("logprobs")
        known = {kind: ways[kind] for kind in KINDS if ways.get(kind) in WAYS}
        if (found or {}).get("reasoning") == "inline":
            known.pop("form", None)  # what it thinks aloud would be forbidden
        return cls(
            **known,
            logprobs=count if isinstance(count, int) and not isinstance(count, bool) else 0,
        )


def disbelieved(found: Mapping[str, Any], words: str) -> dict[str, Any]:
    """What was found, less that the server enforces anything, and with why."""
    notes = [note for note in found.get("notes", []) if note != words]
    return {**found, "structured": dict.fromkeys(KINDS, ""), "notes": [*notes, words]}


def constrained(
    parameters: Mapping[str, Any], wanted: Wanted | None, support: Support
) -> tuple[dict[str, Any], bool]:
    """A request's parameters with what is wanted, and whether they enforce it.

    What the judge's own parameters say stands: they are never overruled or doubled, since vLLM
    refuses two constraints at once.
    """
    sent = dict(parameters)
    if wanted is None:
        return sent, False
    if wanted.logprobs and support.logprobs:
        sent.setdefault("logprobs", True)
        sent.setdefault("top_logprobs", min(MOST_LOGPROBS, support.logprobs))
    if sent.keys() & _OWN:
        return sent, False
    if wanted.choices and support.choice:
        sent |= choice_parameters(wanted.choices, support.choice)
        return sent, True
    if wanted.schema is not None and support.json:
        sent |= schema_parameters(wanted.schema, support.json)
        return sent, True
    if wanted.form is not None and support.form:
        sent |= form_parameters(wanted.form, support.form)
        return sent, True
    return sent, False


def choice_parameters(choices: Sequence[str], way: str) -> dict[str, Any]:
    """What keeps a reply to one of some labels."""
    if way == "structured_outputs":
        return {"structured_outputs": {"choice": list(choices)}}
    if way == "grammar":
        return {"grammar": grammar(one_of(choices))}
    return schema_parameters(label_schema(choices), way)


def schema_parameters(schema: Mapping[str, Any], way: str) -> dict[str, Any]:
    """What keeps a reply to an object of a schema.

    A schema whose values are plain goes to vLLM and llama.cpp as a pattern without spaces
    between its parts: with a schema, weak models write spaces until their tokens are used up.
    """
    if way == "structured_outputs":
        plain = flat(schema)
        return {"structured_outputs": {"regex": plain.regex} if plain else {"json": dict(schema)}}
    if way == "grammar" and (plain := flat(schema)):
        return {"grammar": grammar(plain)}
    if way == "json_schema":
        named = {"name": "verdict", "strict": True, "schema": dict(schema)}
        return {"response_format": {"type": "json_schema", "json_schema": named}}
    return {"response_format": {"type": "json_object", "schema": dict(schema)}}


def form_parameters(form: Form, way: str) -> dict[str, Any]:
    """What keeps a reply to reasons and one verdict, or to an object that holds them."""
    if way == "structured_outputs":
        told = {"regex": form.regex} if form.regex else {"grammar": form.gbnf}
        return {"structured_outputs": told}
    if way == "grammar":
        return {"grammar": form.gbnf}
    return schema_parameters(form.schema, way)


def label_schema(choices: Sequence[str]) -> dict[str, Any]:
    """An object that holds one of some labels and nothing else."""
    return {
        "type": "object",
        "properties": {LABEL: {"type": "string", "enum": list(choices)}},
        "required": [LABEL],
        "additionalProperties": False,
    }


def is_allowed(content: str, wanted: Wanted) -> bool:
    """Whether a whole reply is one of those that were allowed."""
    if wanted.choices:
        return label_in(content, wanted.choices) is not None
    if wanted.form is not None:
        return wanted.form.takes(content)
    if wanted.schema is None:
        return False
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return _fits(body, wanted.schema)


def label_in(content: str, choices: Sequence[str]) -> str | None:
    """The label that is the whole of a reply: bare, or in the object that carries it."""
    text = content.strip()
    if text in choices:
        return text
    if text.startswith("{"):
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if isinstance(body, dict) and body.keys() == {LABEL} and body[LABEL] in choices:
            return str(body[LABEL])
    return None


def _fits(value: object, schema: Mapping[str, Any]) -> bool:
    """Whether a value is of a schema, as far as judges' schemas go."""
    if "enum" in schema:
        return value in schema["enum"]
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        return (
            isinstance(value, dict)
            and set(schema.get("required", ())) <= value.keys()
            and (schema.get("additionalProperties") is not False or value.keys() <= set(properties))
            and all(_fits(value[key], properties[key]) for key in value.keys() & set(properties))
        )
    if kind in ("integer", "number"):
        number = isinstance(value, int if kind == "integer" else int | float)
        if not number or isinstance(value, bool):
            return False
        low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        return bool(low <= value <= high)
    if kind == "array":
        return isinstance(value, list) and all(_fits(v, schema.get("items", {})) for v in value)
    types = {"string": str, "boolean": bool}
    return isinstance(value, types[kind]) if kind in types else True


# ── log-probabilities ────────────────────────────────────────────────────────


def label_logprobs(choice: Mapping[str, Any], wanted: Wanted) -> dict[str, float] | None:
    """What could have stood where the label begins, out of one choice of a completion.

    Args:
        choice: an entry of the completion's ``choices``.

    Returns:
        Log-probability by token; None if the server sent none, or the label is not found.
    """
    told = choice.get("logprobs")
    entries = told.get("content") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        return None
    proper = [e for e in entries if isinstance(e, dict) and isinstance(e.get("token"), str)]
    tokens = [entry["token"] for entry in proper]
    at = _label_at("".join(tokens), wanted)
    if at is None:
        return None
    end = 0
    for entry, token in zip(proper, tokens, strict=True):
        end += len(token)
        # The label's first character lies in this token, and nothing of note before it.
        if end > at:
            inside = token[: len(token) - (end - at)]
            return None if inside.strip(' \t\r\n"') else _alternatives(entry)
    return None


def _label_at(text: str, wanted: Wanted) -> int | None:
    """Where the label's first character stands in all that was generated."""
    labels = wanted.choices or _enum_of(wanted.schema or {})
    whole = text.rstrip()
    for label in sorted(labels, key=len, reverse=True):
        if wanted.choices and whole.endswith(label):
            before = whole[: len(whole) - len(label)]
            if not before[-1:].isalnum():
                return len(before)
    pattern = rf'"\s*:\s*"?({"|".join(map(re.escape, sorted(labels, key=len, reverse=True)))})"?'
    found = list(re.finditer(pattern, text)) if labels else []
    return found[-1].start(1) if found else None


def _enum_of(schema: Mapping[str, Any]) -> list[str]:
    """The labels that a schema's first closed list of texts allows."""
    for one in schema.get("properties", {}).values():
        if "enum" in one and all(isinstance(value, str) for value in one["enum"]):
            return list(one["enum"])
    return []


def _alternatives(entry: Mapping[str, Any]) -> dict[str, float] | None:
    found: dict[str, float] = {}
    others = entry.get("top_logprobs")
    for one in [entry, *(others if isinstance(others, list) else [])]:
        value = one.get("logprob") if isinstance(one, dict) else None
        # NaN, which some servers write for what cannot be, is no number to count with.
        if isinstance(value, int | float) and value == value and isinstance(one.get("token"), str):
            found.setdefault(one["token"], float(value))
    return found or None


def label_shares(token_logprobs: Mapping[str, float], labels: Sequence[str]) -> dict[str, float]:
    """The share of each label in the probability that falls on labels at all.

    A token counts for a label if it is the label's beginning and no other label's; spaces and
    quotation marks around it and its case do not matter. Renormalising is what a server that
    enforces the labels has done already; it makes the two alike.

    Returns:
        Shares that sum to 1, by label; empty if no token is any label's.
    """
    sums = dict.fromkeys(labels, 0.0)
    for token, logprob in token_logprobs.items():
        text = token.strip(' \t\r\n"').casefold()
        meant = [label for label in labels if text and label.casefold().startswith(text)]
        exact = [label for label in meant if label.casefold() == text]
        if len(exact or meant) == 1:
            sums[(exact or meant)[0]] += math.exp(min(0.0, logprob))
    total = sum(sums.values())
    return {label: value / total for label, value in sums.items()} if total > 0 else {}


def preference(shares: Mapping[str, float]) -> float:
    """How far the left answer is preferred, from 0 to 1: P(left) + ½ P(tie) + ½ P(both bad).

    What prefers neither side counts half for each, so ½ is no preference and the two orders of
    a judge without position bias sum to 1.

    Args:
        shares: by outcome, as :class:`core.records.Seen` names it.
    """
    neither = shares.get(Seen.TIE, 0.0) + shares.get(Seen.BOTH_BAD, 0.0)
    return min(1.0, max(0.0, shares.get(Seen.LEFT, 0.0) + neither / 2))
