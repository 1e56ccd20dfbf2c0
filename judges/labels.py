"""Labels in double brackets: ``[[A]]``, ``[[A>>B]]``; and a label that stands alone."""

from __future__ import annotations

import re

from core.records import Seen
from judges.places import Token, decide
from judges.readings import Failure, Grammar, Parsed, Ranking
from judges.replies import signs

_DOUBLE = re.compile(r"\[[ \t]*\[([^\[\]\n]{0,60})\][ \t]*\]")

_AROUND = " \t*_`\"'“”‘’()[]{}#>.:"
_NOUN = re.compile(r"^(?:assistant|answer|response)(?=.)")


def label_key(label: str) -> str:
    """A label as it is compared: ``[[ **Assistant A** ]]`` is ``a``."""
    bare_label = re.sub(r"[\s*_`\"'“”‘’]", "", label).rstrip(".!").casefold()
    return _NOUN.sub("", bare_label)


def double_brackets(text: str, grammar: Grammar) -> Parsed:
    """One allowed label in double brackets, explanation first: ``[[A]]``, ``[[A>>B]]``."""
    known = {label_key(label): (label, seen) for label, seen in grammar.labels.items()}
    text = signs(text)
    tokens = []
    for found in _DOUBLE.finditer(text):
        label, seen = known.get(label_key(found[1]), (found[1].strip(), None))
        tokens.append(Token(found.start(), found.end(), label, seen))
    return reading(text, tokens, Failure.UNKNOWN_LABEL)


def choice(text: str, grammar: Grammar) -> Parsed:
    """One allowed label and nothing else, with or without brackets around it."""
    known = {label_key(label): (label, seen) for label, seen in grammar.labels.items()}
    lines = [line.strip(_AROUND) for line in signs(text).split("\n")]
    lines = [line for line in lines if line]
    if not lines:
        return Parsed(failure=Failure.NO_VERDICT)
    if len(lines) == 1:
        if found := known.get(label_key(lines[0])):
            return Parsed(seen=found[1], label=found[0])
        if len(lines[0].split()) == 1:
            return Parsed(label=lines[0][:60], failure=Failure.UNKNOWN_LABEL)
    stray = any(label_key(line) in known for line in lines)
    return Parsed(failure=Failure.OUT_OF_PLACE if stray else Failure.NO_VERDICT)


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
    return Parsed(grade=token.meaning, label=token.label)
