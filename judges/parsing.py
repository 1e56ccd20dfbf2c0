"""A judge's reply → what it says, or an explicit failure; never a default, never a tie.

Each parser knows one grammar and the place where its verdict belongs. What stands elsewhere
(a label quoted from an answer, a list of the options, a label that is weighed and dropped) is
a mention and decides nothing. Reasoning is set apart first; the last verdict at its place
counts, and verdicts of equal standing that differ are a contradiction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from judges.forms import unwrapped
from judges.json_replies import json_object
from judges.labels import choice, double_brackets
from judges.rankings import ranking
from judges.readings import Failure, Grammar, Labels, Parsed
from judges.replies import REFUSAL, plain, split_reasoning
from judges.scores import compare_grades, score_pair, single_grade

__all__ = [
    "PARSERS",
    "Failure",
    "Grammar",
    "Labels",
    "Parsed",
    "compare_grades",
    "parse",
    "split_reasoning",
]

PARSERS: Mapping[str, Callable[[str, Grammar], Parsed]] = {
    "bracket": double_brackets,
    "five_level": double_brackets,
    "score_pair": score_pair,
    "single_grade": single_grade,
    "json": json_object,
    "choice": choice,
    "ranking": ranking,
}
"""Every grammar by the name that a prompt file gives it."""

_WRAPPED = PARSERS.keys() - {"json", "choice"}
"""Grammars whose verdict may come in an object, from servers that can keep to nothing else."""


def parse(name: str, reply: str, grammar: Grammar) -> Parsed:
    """Read one reply by the named grammar.

    Never raises on account of the reply, however broken it is.

    Raises:
        KeyError: no parser has this name.
    """
    parser = PARSERS[name]
    _, content, ended = split_reasoning(reply)
    text = plain(content, is_json=name == "json")
    if not ended:
        return Parsed(failure=Failure.UNFINISHED_REASONING)
    if not text:
        return Parsed(failure=Failure.EMPTY)
    held = unwrapped(text) if name in _WRAPPED else None
    if held is not None and (name == "score_pair" or "[[" in held):
        return parser(held, grammar)
    parsed = parser(text, grammar)
    if parsed.failure is Failure.NO_VERDICT and REFUSAL.match(text):
        return Parsed(failure=Failure.REFUSAL)
    return parsed
