"""A judge's reply → what it says, or an explicit failure; never a default, never a tie.

Each parser knows one grammar and the place where its verdict belongs. What stands elsewhere
(a label quoted from an answer, a list of the options, a label that is weighed and dropped) is
a mention and decides nothing. Reasoning is set apart first; the last verdict at its place
counts, and verdicts of equal standing that differ are a contradiction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.records import Seen, VerdictStatus
from judges.places import Token, announces, bare, decide

Labels = Mapping[str, Seen]


class Failure(StrEnum):
    """Why a reply holds no verdict."""

    EMPTY = "empty"
    NO_VERDICT = "no verdict"
    OUT_OF_PLACE = "out of place"
    UNKNOWN_LABEL = "unknown label"
    CONTRADICTION = "contradiction"
    OUT_OF_SCALE = "out of scale"
    BROKEN_JSON = "broken JSON"
    UNFINISHED_REASONING = "unfinished reasoning"
    REFUSAL = "refusal"


_MEANS = {
    Failure.EMPTY: "the reply is empty",
    Failure.NO_VERDICT: "the reply holds nothing of the expected form",
    Failure.OUT_OF_PLACE: "labels are mentioned, but none stands where a verdict belongs",
    Failure.UNKNOWN_LABEL: "the verdict is none of the allowed labels",
    Failure.CONTRADICTION: "the reply gives verdicts that differ",
    Failure.OUT_OF_SCALE: "a score lies outside the scale",
    Failure.BROKEN_JSON: "the JSON object cannot be read",
    Failure.UNFINISHED_REASONING: "the reply ends inside its reasoning",
    Failure.REFUSAL: "the judge declines to judge",
}
_STATUS = {
    Failure.REFUSAL: VerdictStatus.REFUSED,
    Failure.UNFINISHED_REASONING: VerdictStatus.TRUNCATED,
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was read from one reply.

    Attributes:
        seen: the choice, as the judge saw it; None for a failure and for a single grade.
        label: the verdict in the judge's own words; for some failures what stood in its place.
        scores: (left, right), for grammars with scores.
        grade: one answer's grade, for the grammar that grades a single answer.
        failure: why there is no verdict; None if there is one.
    """

    seen: Seen | None = None
    label: str = ""
    scores: tuple[float, float] | None = None
    grade: float | None = None
    failure: Failure | None = None

    def __post_init__(self) -> None:
        if (self.failure is None) == (self.seen is None and self.grade is None):
            raise ValueError("a reading is either a verdict or a failure")

    @property
    def status(self) -> VerdictStatus:
        """The status that a verdict with this reading has."""
        if self.failure is None:
            return VerdictStatus.OK
        return _STATUS.get(self.failure, VerdictStatus.UNPARSED)

    @property
    def reason(self) -> str:
        """Why there is no verdict, as one line that begins with the failure's name."""
        if self.failure is None:
            return ""
        got = f": {self.label!r}" if self.label else ""
        return f"{self.failure}: {_MEANS[self.failure]}{got}"


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a prompt allows as an answer.

    Attributes:
        labels: for grammars with labels, each allowed label and what it means.
        scale: for grammars with scores, the lowest and the highest.
    """

    labels: Labels
    scale: tuple[float, float] = (1.0, 10.0)


# ── What every grammar shares ────────────────────────────────────────────────────────────────

_REASONING = re.compile(
    r"<(think|thinking|thought|reasoning|seed:think)>|\[(THINK)\]|◁(think)▷", re.IGNORECASE
)
_REASONING_ENDS = re.compile(
    r"</(?:think|thinking|thought|reasoning|seed:think)>|\[/THINK\]|◁/think▷"
    r"|<\|channel\|>final<\|message\|>",
    re.IGNORECASE,
)
_SPECIAL = re.compile(r"(?:<\|\w{1,20}\|>|</s>|<eos>|<end_of_turn>)\Z")
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_LIKE_ASCII = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    ord(sign): plain
    for sign, plain in {
        "【": "[", "】": "]", "〖": "[", "〗": "]", "〔": "[", "〕": "]",
        "⟦": "[[", "⟧": "]]", "〚": "[[", "〛": "]]", "≫": ">>", "≪": "<<", "\u3000": " ",
    }.items()
}  # fmt: skip
_FENCE = re.compile(r"\s*(`{3,}|~{3,})[^`]*\Z")
_BOXED = re.compile(
    r"\\boxed ?\{ {0,4}(?:\\text\w{0,9} ?\{ {0,4})?([^{}\n]{1,60}?) {0,4}(?:\} {0,4})?\}"
)
_REFUSAL = re.compile(
    r"\W{0,4}(?:i['’]?m (?:really |very |so )?sorry|i am sorry|sorry\b|i apologi[sz]e"
    r"|i (?:can ?not|can['’]t|won['’]t|am unable|am not able|must decline|decline)"
    r"|i['’]m (?:unable|not able)"
    r"|as an ai|unfortunately, i|es tut mir leid|ich kann (?:dabei|das|diese)|lo siento"
    r"|je suis désolée?|désolée?\b|mi dispiace|sinto muito|desculpe|извините|к сожалению"
    r"|抱歉|对不起|對不起|很遗憾|我无法|申し訳|すみません|죄송|عذر|آسف|क्षमा|माफ)",
    re.IGNORECASE,
)


def split_reasoning(reply: str) -> tuple[str, str, bool]:
    """Set apart what a model thought aloud before it answered.

    Only what opens the reply counts as reasoning, and it ends at the *last* closing mark, so
    that a verdict weighed while thinking is never read as the answer.

    Returns:
        The reasoning, the answer, and whether the reasoning ended.
    """
    opened = _REASONING.match(reply.lstrip())
    closing = list(_REASONING_ENDS.finditer(reply))
    if closing:
        begin = len(reply) - len(reply.lstrip()) + opened.end() if opened else 0
        return reply[begin : closing[-1].start()].strip(), reply[closing[-1].end() :].strip(), True
    if opened:
        return reply.lstrip()[opened.end() :].strip(), "", False
    return "", reply.strip(), True


def _plain(content: str) -> str:
    """Nothing invisible, no end-of-turn marks, no fence around it all."""
    text = _INVISIBLE.sub("", content).rstrip()
    while ended := _SPECIAL.search(text, max(0, len(text) - 24)):
        text = text[: ended.start()].rstrip()
    lines = text.strip().splitlines()
    if len(lines) > 1 and (fence := _FENCE.match(lines[0])):
        inside = lines[1:-1]
        if lines[-1].strip() == fence[1] and not any(fence[1] in line for line in inside):
            lines = inside
    return "\n".join(lines).strip()


def _signs(text: str) -> str:
    """Full-width and mathematical signs, and LaTeX boxes, as plain brackets and ASCII."""
    text = text.translate(_LIKE_ASCII).replace("\\gg", ">>").replace("&gt;", ">")
    return _BOXED.sub(lambda m: m[1] if m[1].startswith("[[") else f"[[{m[1]}]]", text)


# ── Labels in double brackets: [[A]], [[A>>B]] ───────────────────────────────────────────────

_DOUBLE = re.compile(r"\[[ \t]*\[([^\[\]\n]{0,60})\][ \t]*\]")


_NOUN = re.compile(r"^(?:assistant|answer|response)(?=.)")


def _label_key(label: str) -> str:
    """A label as it is compared: ``[[ **Assistant A** ]]`` is ``a``."""
    bare_label = re.sub(r"[\s*_`\"'“”‘’]", "", label).rstrip(".!").casefold()
    return _NOUN.sub("", bare_label)


def double_brackets(text: str, grammar: Grammar) -> Parsed:
    """One allowed label in double brackets, explanation first: ``[[A]]``, ``[[A>>B]]``."""
    known = {_label_key(label): (label, seen) for label, seen in grammar.labels.items()}
    text = _signs(text)
    tokens = []
    for found in _DOUBLE.finditer(text):
        label, seen = known.get(_label_key(found[1]), (found[1].strip(), None))
        tokens.append(Token(found.start(), found.end(), label, seen))
    return _reading(text, tokens, Failure.UNKNOWN_LABEL)


def _reading(text: str, tokens: list[Token], unknown: Failure) -> Parsed:
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
    return Parsed(grade=token.meaning, label=token.label)


# ── Scores ───────────────────────────────────────────────────────────────────────────────────

_ANY_BRACKET = re.compile(r"\[[ \t]*\[([^\[\]\n]{0,60})\][ \t]*\]|\[([^\[\]\n]{0,60})\]")
_GRADE = re.compile(r"(?:rating|score|grade)?[:=]?(\d{1,4}(?:[.,]\d{1,6})?)(?:/(\d{1,4}))?")
_NUMBER = r"(\d{1,4}(?:\.\d{1,6})?)(?:\s?/\s?(\d{1,4}))?"
_TWO = re.compile(rf"{_NUMBER}(?:\s*[,;、|&]\s*|\s+){_NUMBER}")
_SCORE_WORD = re.compile(
    r"(?:the )?(?:final |overall )?(?:scores?|ratings?|grades?|评分|評分|点数|점수)\s*:\s*", re.I
)
_AROUND = " \t*_`\"'#()[]$."


def _in_scale(number: str, out_of: str | None, scale: tuple[float, float]) -> float | None:
    value = float(number.replace(",", "."))
    if out_of is not None and float(out_of) != scale[1]:
        return None
    return value if scale[0] <= value <= scale[1] else None


def single_grade(text: str, grammar: Grammar) -> Parsed:
    """``[[7]]`` for one answer; ``[7]`` where it stands as a verdict, not as a citation."""
    text = _signs(text)
    tokens = []
    for found in _ANY_BRACKET.finditer(text):
        single = found[1] is None
        label = (found[2] if single else found[1]).strip()
        number = _GRADE.fullmatch(_label_key(label))
        if single and not number:
            continue
        value = _in_scale(number[1], number[2], grammar.scale) if number else None
        tokens.append(Token(found.start(), found.end(), label, value, modest=single))
    numeric = any(character.isdigit() for token in tokens for character in token.label)
    return _reading(text, tokens, Failure.OUT_OF_SCALE if numeric else Failure.UNKNOWN_LABEL)


def _two_scores(line: str) -> re.Match[str] | None:
    bare = line.strip(_AROUND)
    if word := _SCORE_WORD.match(bare):
        bare = bare[word.end() :].strip(_AROUND)
    return _TWO.fullmatch(bare)


def score_pair(text: str, grammar: Grammar) -> Parsed:
    """Line one holds two scores, ``8 7``, left first; the lines after it say why."""
    lines = [line for line in _signs(text).split("\n") if line.strip(" \t`~")]
    if len(lines) > 1 and len(lines[0]) <= 80 and re.fullmatch(r"[^\d]+:[\s*_]*", lines[0]):
        del lines[0]  # "My scores:" above the scores
    if not lines or not _two_scores(lines[0]):
        stray = any(_two_scores(line) for line in lines)
        return Parsed(failure=Failure.OUT_OF_PLACE if stray else Failure.NO_VERDICT)
    found = [pair for line in (lines[0], lines[-1]) if (pair := _two_scores(line))]
    values = []
    for pair in found:
        left = _in_scale(pair[1], pair[2], grammar.scale)
        right = _in_scale(pair[3], pair[4], grammar.scale)
        if left is None or right is None:
            return Parsed(label=pair[0], failure=Failure.OUT_OF_SCALE)
        values.append((left, right))
    if values[0] != values[-1]:
        both = f"{found[0][0]} and {found[-1][0]}"
        return Parsed(label=both, failure=Failure.CONTRADICTION)
    return _by_scores(found[0][0], values[0])


def _by_scores(label: str, scores: tuple[float, float]) -> Parsed:
    left, right = scores
    seen = Seen.TIE if left == right else Seen.LEFT if left > right else Seen.RIGHT
    return Parsed(seen=seen, label=label, scores=scores)


def compare_grades(left: Parsed, right: Parsed) -> Parsed:
    """A pair's verdict from two answers graded one by one; a failed grade fails the pair."""
    for graded in (left, right):
        if graded.failure is not None:
            return graded
    if left.grade is None or right.grade is None:
        raise ValueError("both readings must be grades")
    return _by_scores(f"{left.label} {right.label}", (left.grade, right.grade))


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────


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
        return _by_object(_signs(text), grammar)  # full-width quotes and braces around it all
    return parsed


def _by_object(text: str, grammar: Grammar) -> Parsed:
    known = {_label_key(label): (label, seen) for label, seen in grammar.labels.items()}
    standing: list[Any] = []
    mentioned = False
    try:
        for start, end, value in _objects(text):
            if "verdict" not in value:
                continue
            before = text[text.rfind("\n", 0, start) + 1 : start]
            after = text[end:].split("\n", 1)[0]
            prose = not (bare(before) or announces(_signs(before))) or not bare(after)
            if prose or before.lstrip().startswith(">"):
                mentioned = True
            else:
                standing.append(value["verdict"])
    except _DoubledKeyError:
        return Parsed(failure=Failure.CONTRADICTION)
    if not standing:
        if mentioned:
            return Parsed(failure=Failure.OUT_OF_PLACE)
        broken = '"verdict"' in text
        return Parsed(failure=Failure.BROKEN_JSON if broken else Failure.NO_VERDICT)
    said = [
        known.get(_label_key(_signs(word))) if isinstance(word, str) else None for word in standing
    ]
    if len(set(said)) > 1:
        return Parsed(failure=Failure.CONTRADICTION)
    if (last := said[-1]) is None:
        return Parsed(label=str(standing[-1])[:60], failure=Failure.UNKNOWN_LABEL)
    return Parsed(seen=last[1], label=last[0])


PARSERS: Mapping[str, Callable[[str, Grammar], Parsed]] = {
    "bracket": double_brackets,
    "five_level": double_brackets,
    "score_pair": score_pair,
    "single_grade": single_grade,
    "json": json_object,
}
"""Every grammar by the name that a prompt file gives it."""


def parse(name: str, reply: str, grammar: Grammar) -> Parsed:
    """Read one reply by the named grammar.

    Never raises on account of the reply, however broken it is.

    Raises:
        KeyError: no parser has this name.
    """
    parser = PARSERS[name]
    _, content, ended = split_reasoning(reply)
    text = _plain(content)
    if not ended:
        return Parsed(failure=Failure.UNFINISHED_REASONING)
    if not text:
        return Parsed(failure=Failure.EMPTY)
    parsed = parser(text, grammar)
    if parsed.failure is Failure.NO_VERDICT and _REFUSAL.match(text):
        return Parsed(failure=Failure.REFUSAL)
    return parsed
