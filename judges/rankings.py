"""Several answers in order: ``[[B > A = C]]``, ``[[B > A | C]]`` where C is bad."""

from __future__ import annotations

import re

from judges.labels import label_key, reading
from judges.places import Token
from judges.readings import Failure, Grammar, Parsed, Ranking
from judges.replies import signs

_RANKED = re.compile(r"\[[ \t]*\[([^\[\]\n]{0,400})\][ \t]*\]")
_BETWEEN = re.compile(r"\s*(?:(>+)|(<+)|(=+)|(\|))\s*")
_LIKE_BETWEEN = str.maketrans({"≻": ">", "≺": "<", "≈": "=", "～": "=", "≃": "=", "∣": "|"})


def ranking(text: str, grammar: Grammar) -> Parsed:
    """All answers by name in double brackets, best first.

    ``>`` stands before a worse answer, ``=`` between equally good ones, and ``|`` before the
    first one that is bad. ``<`` throughout is a ranking read from its other end.
    """
    text = signs(text)
    tokens = []
    for found in _RANKED.finditer(text):
        ranked, _ = _read(found[1], grammar.names)
        tokens.append(Token(found.start(), found.end(), found[1].strip(), ranked))
    parsed = reading(text, tokens, Failure.UNKNOWN_LABEL)
    if parsed.failure is Failure.UNKNOWN_LABEL:
        why = _read(parsed.label, grammar.names)[1]
        return Parsed(label=parsed.label[:120], failure=why)
    return parsed


def _read(inside: str, names: tuple[str, ...]) -> tuple[Ranking | None, Failure]:
    """What stands in the brackets as a ranking, or why it is none."""
    known = {label_key(name): name for name in names}
    places = {name: place for place, name in enumerate(names)}
    words, signs_between = _split(inside.translate(_LIKE_BETWEEN))
    found = [known.get(label_key(word)) for word in words]
    told = [name for name in found if name is not None]
    kinds = set(signs_between)
    if not told or signs_between[0] not in ("", "|"):
        return None, Failure.UNKNOWN_LABEL
    if len(told) < len(found) or {"<", ">"} <= kinds or ("|" in kinds and "<" in kinds):
        return None, Failure.UNKNOWN_LABEL
    if sorted(told, key=places.__getitem__) != list(names) or signs_between.count("|") > 1:
        return None, Failure.INCOMPLETE
    tiers: list[list[str]] = []
    good = None
    for sign, name in zip(signs_between, told, strict=True):
        if sign == "|":
            good = len(tiers)
        if sign == "=" and tiers:
            tiers[-1].append(name)
        else:
            tiers.append([name])
    if "<" in kinds:
        tiers.reverse()
    in_order = tuple(tuple(sorted(tier, key=places.__getitem__)) for tier in tiers)
    return Ranking(in_order, len(tiers) if good is None else good), Failure.INCOMPLETE


def _split(inside: str) -> tuple[list[str], list[str]]:
    """The names in the brackets, and the sign that stands before each: none is the first's."""
    inside = inside.strip()
    words: list[str] = []
    before: list[str] = []
    sign, at = "", 0
    for found in _BETWEEN.finditer(inside):
        if word := inside[at : found.start()].strip():
            words.append(word)
            before.append(sign)
            sign = ""
        mark = found[0].strip()[0]
        if sign and "|" not in (mark, sign):
            words.append("")  # two signs, such as >=, say two things
            before.append(sign)
        sign = "|" if "|" in (mark, sign) else mark
        at = found.end()
    if word := inside[at:].strip():
        words.append(word)
        before.append(sign)
        sign = ""
    if sign:
        words.append("")  # a sign with nothing after it is no ranking
        before.append(sign)
    return words, before
