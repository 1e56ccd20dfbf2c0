"""Labels in double brackets: ``[[A]]``, ``[[A>>B]]``; and a label that stands alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache

from core.records import Seen
from judges.places import Token, decide
from judges.readings import Failure, Grammar, Parsed, Ranking, by_scores
from judges.replies import REFUSAL, signs

_DOUBLE = re.compile(r"\[[ \t]*\[([^\[\]\n]{0,60})\][ \t]*\]")

_AROUND = " \t*_`\"'“”‘’「」『』()[]#>.:。!$"
_WORD = 16
"""Characters of what may be a label that is not allowed, rather than a sentence."""
_NOUN = re.compile(r"(^|[<>=|])(?:assistant|answer|response)(?=.)")


def label_key(label: str) -> str:
    """A label as it is compared: ``[[ **Assistant A** ]]`` is ``a``."""
    bare_label = re.sub(r"[\s*_`\"'“”‘’]", "", label).rstrip(".!").casefold()
    return _NOUN.sub(r"\1", bare_label)


@lru_cache(64)
def _by_key(labels: tuple[tuple[str, Seen], ...]) -> Mapping[str, tuple[str, Seen]]:
    """A grammar's labels as they are compared; the same few for thousands of replies."""
    return {label_key(label): (label, seen) for label, seen in labels}


def double_brackets(text: str, grammar: Grammar) -> Parsed:
    """One allowed label in double brackets, explanation first: ``[[A]]``, ``[[A>>B]]``."""
    known = _by_key(tuple(grammar.labels.items()))
    text = signs(text)
    tokens = []
    for found in _DOUBLE.finditer(text):
        label, seen = known.get(label_key(found[1]), (found[1].strip(), None))
        tokens.append(Token(found.start(), found.end(), label, seen))
    return reading(text, tokens, Failure.UNKNOWN_LABEL)


def choice(text: str, grammar: Grammar) -> Parsed:
    """One allowed label and nothing else, with or without brackets around it.

    A server that can keep to a schema only wraps it: ``{"verdict": "A"}``.
    """
    known = _by_key(tuple(grammar.labels.items()))
    whole = _unwrapped(text)
    if whole is None:
        return Parsed(failure=Failure.CONTRADICTION)
    lines = [line.strip(_AROUND) for line in signs(whole).split("\n")]
    lines = [line for line in lines if line]
    if len(lines) == 1 and (found := known.get(label_key(lines[0]))):
        return Parsed(seen=found[1], label=found[0])
    if any(label_key(line) in known for line in lines):
        return Parsed(failure=Failure.OUT_OF_PLACE)
    is_word = len(lines) == 1 and len(lines[0]) <= _WORD and len(lines[0].split()) == 1
    if is_word and not text.startswith("{") and not REFUSAL.match(text):
        return Parsed(label=lines[0], failure=Failure.UNKNOWN_LABEL)
    return Parsed(failure=Failure.NO_VERDICT)


def _unwrapped(text: str) -> str | None:
    """The label out of the object that carries it, or the text; None if it is there twice."""
    if not text.startswith("{"):
        return text
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return text
    if [key for key, _ in pairs] == ["verdict"] and isinstance(pairs[0][1], str):
        return pairs[0][1]
    return None if len({key for key, _ in pairs}) < len(pairs) else text


def reading(text: str, tokens: list[Token], unknown: Failure) -> Parsed:
    """What a reply with these labels says.

    Args:
        unknown: the failure for a verdict that is not allowed.
    """
    if not tokens:
        return Parsed(failure=Failure.NO_VERDICT)
    decided = decide(text, tokens)
    if decided is None:
        if all(token.meaning is None for token in tokens):
            return Parsed(label=tokens[-1].label, failure=unknown)
        return Parsed(failure=Failure.OUT_OF_PLACE)
    if len(decided) > 1:
        both = " and ".join(token.label for token in decided)
        return Parsed(label=both, failure=Failure.CONTRADICTION)
    token = decided[0]
    if token.meaning is None:
        return Parsed(label=token.label, failure=unknown)
    if isinstance(token.meaning, Seen):
        return Parsed(seen=token.meaning, label=token.label)
    if isinstance(token.meaning, Ranking):
        return Parsed(ranking=token.meaning, label=str(token.meaning))
    if isinstance(token.meaning, tuple):
        return by_scores(token.label, token.meaning)
    return Parsed(grade=token.meaning, label=token.label)
