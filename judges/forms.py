"""What a whole reply of each grammar looks like: reasons, and one verdict at its place.

A :class:`Form` says it in the three ways that servers understand: as a pattern, as a grammar of
llama.cpp, and as the schema of an object that holds the same (``why`` and ``verdict``). It allows
less than the parser reads: one verdict, as the wording asks for it, and nothing around it that
could be taken for a second one. What a reply says is still for the parser to tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from typing import Any

from core.records import Seen
from judges.patterns import Part, grammar, literal, maybe, one_of, quoted, repeated, row
from judges.readings import Grammar

VERDICT, WHY = "verdict", "why"
"""The keys of the object, where a server takes schemas only."""

_MOST_VALUES = 250
"""Values that a schema lists: OpenAI takes few long lists, others compile them slowly."""

_MOST_RANKED = 6
"""Answers of which each ranking is one of those allowed; with more, names may come twice."""

_LONGEST_PATTERN = 20_000
"""Characters of a pattern; a longer one is told as a grammar, in which parts have names."""

_AROUND = 48
"""Characters of a reply that are left for what stands around the reasons."""

# What could open a second verdict, a code block or hidden reasoning stands in no reason, nor do
# signs that a parser takes for those, or does not see.
_NEVER = (
    r"\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\uff3b-\uff3d\uff40\uff5e"
    r"\u3010\u3011\u3014-\u3017\u27e6\u27e7\u301a\u301b\u25c1\u25b7"
)
_PLAIN = rf"[^\x00-\x08\x0b-\x1f\x7f`~<\\\[{_NEVER}]"
_NEXT = rf"[^\x00-\x08\x0b-\x1f\x7f`~<\\\[/{_NEVER}]"
_FIRST = rf"[^\x00-\x20\x7f`~<\\\[{_NEVER}]"
_PROSE = rf"{_PLAIN}|[`~<]{_NEXT}"
_CODE = rf"{_PROSE}|\[[A-Za-z0-9_'-]|\\[ac-zA-Z]"


def _reasons(has_code: bool, most: int) -> Part:
    """Reasons of so many signs at most, a dangerous one and the next counted as one."""
    ways = f"{_PLAIN} | [`~<] {_NEXT}"
    if has_code:
        ways += ' | "[" [A-Za-z0-9_\'-] | "\\\\" [ac-zA-Z]'
    sign = Part(_CODE if has_code else _PROSE, "sign", (f"sign ::= {ways}",))
    return row(Part(_FIRST, _FIRST), repeated(sign, 0, most))


_ON_ITS_OWN = re.compile(r"\bline\s+of\s+its\s+own\b|\bown\s+line\b", re.IGNORECASE)
_LINE = ("\n",)
_LINE_OR_COLON = ("\n", ": ", ":** ")
"""What stands between the reasons and a verdict that ends the reply."""


@dataclass(frozen=True)
class Form:
    """What a whole reply may be.

    Attributes:
        verdict: the verdict, as the grammar writes it.
        values: every verdict, where they can be listed.
        explain: where the reasons stand: ``first``, ``after`` or ``none``.
        most: characters that the reasons may have.
        has_code: whether reasons may hold single brackets and backslashes, as code does.
        between: what stands between reasons and a verdict that comes last, one of these.
    """

    verdict: Part
    values: tuple[str, ...] = ()
    explain: str = "first"
    most: int = 2000
    has_code: bool = True
    between: tuple[str, ...] = _LINE

    @cached_property
    def _whole(self) -> Part:
        if self.explain == "none":
            return self.verdict
        text = _reasons(self.has_code, self.most)
        if self.explain == "after":
            return row(self.verdict, maybe(row(one_of(_LINE), text)))
        return row(maybe(row(text, one_of(self.between))), self.verdict)

    @property
    def regex(self) -> str:
        """The reply as a regular expression; empty if that would be too long."""
        return self._whole.regex if len(self._whole.regex) <= _LONGEST_PATTERN else ""

    @cached_property
    def gbnf(self) -> str:
        """The reply as a grammar of llama.cpp."""
        return grammar(self._whole)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The same as an object: the reasons, and the verdict in the grammar's own writing."""
        verdict: dict[str, Any] = {"type": "string"}
        if 0 < len(self.values) <= _MOST_VALUES:
            verdict["enum"] = list(self.values)
        why = {} if self.explain == "none" else {WHY: {"type": "string"}}
        told = {VERDICT: verdict}
        keys = {**told, **why} if self.explain == "after" else {**why, **told}
        return {
            "type": "object",
            "properties": keys,
            "required": list(keys),
            "additionalProperties": False,
        }

    def takes(self, reply: str) -> bool:
        """Whether a reply is of this form, as text or as the object.

        Of the reasons it only looks for a second verdict: servers tell broken bytes as signs
        that no pattern has.
        """
        content = reply.strip()
        inside = unwrapped(content)
        if inside is not None:
            return self._is_verdict(inside)
        if self.explain == "after":
            verdict, _, why = content.partition("\n")
            return self._is_verdict(verdict.rstrip()) and "[[" not in why
        if self._is_verdict(content):
            return True
        if self.explain == "none":
            return False
        # The last place from which on there is a verdict and nothing else.
        at = max((content.rfind(sign) + len(sign), sign) for sign in self.between)
        before = content[: at[0] - len(at[1])]
        return "[[" not in before and self._is_verdict(content[at[0] :])

    @cached_property
    def _verdicts(self) -> re.Pattern[str]:
        return re.compile(self.verdict.regex)

    def _is_verdict(self, text: str) -> bool:
        return self._verdicts.fullmatch(text) is not None


def unwrapped(text: str) -> str | None:
    """The verdict out of the object that carries it and its reasons; None if it is none."""
    if not text.startswith("{"):
        return None
    try:
        pairs = json.loads(text, object_pairs_hook=list, strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list) or not all(isinstance(one, tuple) for one in pairs):
        return None
    keys = [key for key, _ in pairs]
    told = dict(pairs)
    if len(keys) > len(told) or not {VERDICT} <= set(keys) <= {VERDICT, WHY}:
        return None
    return told[VERDICT] if all(isinstance(value, str) for value in told.values()) else None


def form_of(
    parser: str, rules: Grammar, explain: str, wording: str, max_tokens: int, count: int = 2
) -> Form | None:
    """What a whole reply to a prompt looks like; None where its grammar says nothing of it.

    Args:
        explain: where the reasons stand.
        wording: all that is sent, to see which of the labels it offers.
        max_tokens: the limit of the reply, in which the reasons have to end.
        count: how many answers are shown, for a ranking.
    """
    has_code = True
    if parser in ("bracket", "five_level"):
        values = [f"[[{label}]]" for label in _offered(rules.labels, wording)]
        verdict = row(one_of(["[["]), one_of([value[2:-2] for value in values]), one_of(["]]"]))
    elif parser in ("single_grade", "score_pair", "score_brackets"):
        numbers = _integers(rules.scale)
        if numbers is None:
            return None
        has_code = False
        verdict, values = _scores(parser, numbers)
    elif parser == "ranking":
        verdict, values = _rankings(rules.names[:count])
    else:
        return None
    most = 2 * max_tokens - _AROUND
    if parser == "score_pair" and explain != "none":
        explain = "first" if rules.scores_last else "after"
    if most <= 0:
        explain = "none"
    is_alone = parser == "score_pair" or _ON_ITS_OWN.search(wording)
    between = _LINE if is_alone else _LINE_OR_COLON
    return Form(verdict, tuple(values), explain, most, has_code, between)


def _offered(labels: Mapping[str, Seen], wording: str) -> list[str]:
    """The labels that a wording names in brackets; all, if it does not name both sides."""
    named = {label: seen for label, seen in labels.items() if f"[[{label}]]" in wording}
    whole = {Seen.LEFT, Seen.RIGHT} <= set(named.values())
    return list(dict.fromkeys(named if whole else labels))


def _integers(scale: tuple[float, float]) -> tuple[int, int] | None:
    low, high = scale
    if low != int(low) or high != int(high) or not 0 <= low < high <= 1000:
        return None
    return int(low), int(high)


def _scores(parser: str, scale: tuple[int, int]) -> tuple[Part, list[str]]:
    """A score or two: whole numbers, or with one decimal below the highest."""
    whole = [str(number) for number in range(scale[0], scale[1] + 1)]
    below = one_of(whole[:-1])
    number = Part(
        rf"({below.regex}(\.[0-9])?|{whole[-1]})",
        f'({below.gbnf} ("." [0-9])? | {quoted(whole[-1])})',
    )
    opened, between, closed = {
        "single_grade": ("[[", "", "]]"),
        "score_pair": ("", " ", ""),
        "score_brackets": ("[[", ", ", "]]"),
    }[parser]
    parts = [number] if parser == "single_grade" else [number, one_of([between]), number]
    if opened:
        parts = [one_of([opened]), *parts, one_of([closed])]
    if parser == "single_grade":
        return row(*parts), [f"{opened}{one}{closed}" for one in whole]
    pairs = [f"{opened}{one}{between}{other}{closed}" for one, other in product(whole, whole)]
    return row(*parts), pairs


def _rankings(names: Sequence[str]) -> tuple[Part, list[str]]:
    """Every answer once, best first; each ranking where there are few enough names."""
    if len(names) > _MOST_RANKED:
        name = one_of(names)
        more = row(one_of([" > ", " = ", " | "]), name)
        rest = repeated(more, len(names) - 1, len(names) - 1)
        return row(one_of(["[["]), maybe(one_of(["| "])), name, rest, one_of(["]]"])), []
    values = [] if len(names) > 3 else list(_each_ranking(names))
    everything = frozenset(range(len(names)))
    rules: dict[str, str] = {}
    # A bar before the first of them says that all are bad.
    some, none = (_rule(names, everything, may_bar, rules) for may_bar in (True, False))
    told = tuple(f"{name} ::= {body}" for name, body in rules.items())
    regex = rf"({_regex(names, everything, True)}|\| {_regex(names, everything, False)})"
    return Part(rf"\[\[{regex}\]\]", f'"[[" ({some} | "| " {none}) "]]"', told), values


def _each_ranking(names: Sequence[str]) -> Iterator[str]:
    for order in permutations(names):
        for signs in product(("", "| "), *[(" > ", " = ", " | ")] * (len(names) - 1)):
            if sum("|" in sign for sign in signs) < 2:
                told = "".join(sign + name for sign, name in zip(signs, order, strict=True))
                yield f"[[{told}]]"


def _rule(names: Sequence[str], left: frozenset[int], may_bar: bool, rules: dict[str, str]) -> str:
    """The name of the rule for a ranking of those that are left, made if there is none yet."""
    called = "r" + "".join(f"{n}x" for n in sorted(left)) + ("b" if may_bar else "")
    if called not in rules:
        rules[called] = ""
        ways = []
        for one in sorted(left):
            rest = left - {one}
            way = quoted(names[one])
            if rest:
                goes_on = [f'(" > " | " = ") {_rule(names, rest, may_bar, rules)}']
                if may_bar:
                    goes_on.append(f'" | " {_rule(names, rest, False, rules)}')
                way += f" ({' | '.join(goes_on)})"
            ways.append(way)
        rules[called] = " | ".join(ways)
    return called


def _regex(names: Sequence[str], left: frozenset[int], may_bar: bool) -> str:
    ways = []
    for one in sorted(left):
        rest = left - {one}
        way = literal(names[one])
        if rest:
            goes_on = [f"( > | = ){_regex(names, rest, may_bar)}"]
            if may_bar:
                goes_on.append(rf" \| {_regex(names, rest, False)}")
            way += f"({'|'.join(goes_on)})" if len(goes_on) > 1 else goes_on[0]
        ways.append(way)
    return f"({'|'.join(ways)})"
