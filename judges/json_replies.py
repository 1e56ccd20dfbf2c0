"""A verdict in a JSON object: ``{"verdict": "A", …}``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from core.records import Seen
from judges.labels import label_key
from judges.places import Token, second_thought
from judges.readings import Failure, Grammar, Parsed
from judges.replies import signs
from judges.wordings import announces, bare, bidden, introduces_quote

_WINDOW = 400
"""Characters around an object that are looked at; keeps the work linear."""

_OBJECT = re.compile(r'\{\s{0,99}"')


class _DoubledKeyError(ValueError):
    """An object that names a key twice says two things."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _DoubledKeyError
    return found


def _objects(text: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Each outermost JSON object in a text, with where it begins and ends."""
    decoder = json.JSONDecoder(object_pairs_hook=_once)
    opening = _OBJECT.search(text)
    while opening:
        at = opening.start()
        try:
            value, end = decoder.raw_decode(text, at)
        except _DoubledKeyError:
            raise
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield at, end, value
        opening = _OBJECT.search(text, end)


def json_object(text: str, grammar: Grammar) -> Parsed:
    """``{"verdict": "A", …}``: an object on lines of its own, other keys are free."""
    parsed = _by_object(text, grammar)
    if parsed.failure in (Failure.NO_VERDICT, Failure.BROKEN_JSON) and not text.isascii():
        return _by_object(signs(text), grammar)  # full-width quotes and braces around it all
    return parsed


def _by_object(text: str, grammar: Grammar) -> Parsed:
    known = {label_key(label): (label, seen) for label, seen in grammar.labels.items()}
    standing: list[tuple[str, Seen] | None] = []
    tokens: list[Token] = []
    verdict: Token | None = None
    unread, at = [], 0
    try:
        for start, end, value in _objects(text):
            unread.append(text[at:start])
            at = end
            if "verdict" not in value:
                continue
            word = value["verdict"]
            read = known.get(label_key(signs(word))) if isinstance(word, str) else None
            label, seen = read or (str(word)[:60], None)
            tokens.append(Token(start, end, label, seen))
            if _stands(text, start, end):
                verdict = tokens[-1]
                standing.append(read)
    except _DoubledKeyError:
        return Parsed(failure=Failure.CONTRADICTION)
    if verdict is None:
        if tokens:
            return Parsed(failure=Failure.OUT_OF_PLACE)
        broken = any('"verdict"' in part for part in (*unread, text[at:]))
        return Parsed(failure=Failure.BROKEN_JSON if broken else Failure.NO_VERDICT)
    if len(set(standing)) > 1:
        return Parsed(failure=Failure.CONTRADICTION)
    if (last := standing[-1]) is None:
        return Parsed(label=verdict.label, failure=Failure.UNKNOWN_LABEL)
    if second := second_thought(text, tokens, verdict):
        return Parsed(label=f"{verdict.label} and {second.label}", failure=Failure.CONTRADICTION)
    return Parsed(seen=last[1], label=last[0])


def _stands(text: str, start: int, end: int) -> bool:
    """Whether an object stands for itself: on lines of its own, alone or in a list of objects."""
    begin = max(text.rfind("\n", 0, start) + 1, start - _WINDOW)
    stop = text.find("\n", end, end + _WINDOW)
    before = text[begin:start]
    after = text[end : stop if stop >= 0 else end + _WINDOW]
    if before.lstrip().startswith(">"):
        return False
    lead, rest = before.strip(" \t[,"), after.strip(" \t],")
    listed = lead.endswith("}") and before.lstrip()[:1] in ("[", "{")
    if not (bare(lead) or listed or announces(signs(before))):
        return False
    if not (bare(rest) or rest.startswith("{")):
        return False
    lines = text[max(0, begin - _WINDOW) : begin].split("\n")
    above = [
        line for line in lines if not bare(line) and not line.lstrip().startswith(("```", "~~~"))
    ]
    return not (above and introduces_quote(above[-1])) and not bidden(before, (above or [""])[-1])
