"""Scores: ``[[7]]`` for one answer, ``8 7`` for two."""

from __future__ import annotations

import re

from core.records import Seen
from judges.labels import label_key, reading
from judges.places import Token, introduces_quote
from judges.readings import Failure, Grammar, Parsed
from judges.replies import signs

_ANY_BRACKET = re.compile(r"\[[ \t]*\[([^\[\]\n]{0,60})\][ \t]*\]|\[([^\[\]\n]{0,60})\]")
_GRADE = re.compile(r"(?:rating|score|grade)?[:=]?(\d{1,4}(?:[.,]\d{1,6})?)(?:/(\d{1,4}))?")
_OUT_OF = re.compile(r" ?/ ?(\d{1,4})(?!\d)")
_NUMBER = r"(\d{1,4}(?:\.\d{1,6})?)(?:\s?/\s?(\d{1,4}))?"
_TWO = re.compile(rf"{_NUMBER}(?:\s*[,;、|&]\s*|\s+){_NUMBER}")
_SCORE_WORD = re.compile(
    r"(?:the )?(?:final |overall )?(?:scores?|ratings?|grades?|评分|評分|点数|점수)\s*:\s*", re.I
)
_PLACEHOLDERS = frozenset({"rating", "score", "grade", "n", "x", "number"})
"""What stands in the instructions where a grade belongs, and may be repeated."""
_AROUND = " \t*_`\"'“”‘’「」#()[]$."


def _in_scale(number: str, out_of: str | None, scale: tuple[float, float]) -> float | None:
    value = float(number.replace(",", "."))
    if out_of is not None and float(out_of) != scale[1]:
        return None
    return value if scale[0] <= value <= scale[1] else None


def single_grade(text: str, grammar: Grammar) -> Parsed:
    """``[[7]]`` for one answer; ``[7]`` where it stands as a verdict, not as a citation."""
    text = signs(text)
    tokens = []
    for found in _ANY_BRACKET.finditer(text):
        single = found[1] is None
        label = (found[2] if single else found[1]).strip()
        number = _GRADE.fullmatch(label_key(label))
        if single and not number:
            continue
        of = _OUT_OF.match(text, found.end())
        most = of[1] if of else number and number[2]
        value = _in_scale(number[1], most, grammar.scale) if number else None
        end = of.end() if of else found.end()
        tokens.append(Token(found.start(), end, label, value, modest=single))
    if any(token.meaning is not None for token in tokens):
        tokens = [token for token in tokens if label_key(token.label) not in _PLACEHOLDERS]
    numeric = any(character.isdigit() for token in tokens for character in token.label)
    return reading(text, tokens, Failure.OUT_OF_SCALE if numeric else Failure.UNKNOWN_LABEL)


def _two_scores(line: str) -> re.Match[str] | None:
    inside = re.sub(r"[*_`]", "", line).strip(_AROUND)
    if word := _SCORE_WORD.match(inside):
        inside = inside[word.end() :].strip(_AROUND)
    return _TWO.fullmatch(inside)


def _is_heading(line: str) -> bool:
    """Whether a line stands above the scores to say what they are: "My scores:"."""
    titled = len(line) <= 80 and re.fullmatch(r"[^\d]+:[\s*_]*", line) is not None
    return titled and not introduces_quote(line)


def score_pair(text: str, grammar: Grammar) -> Parsed:
    """Line one holds two scores, ``8 7``, left first; the lines after it say why.

    Where the grammar has them last, they stand on the last line instead.
    """
    lines = [line for line in signs(text).split("\n") if line.strip(" \t`~")]
    if len(lines) > 1 and _is_heading(lines[0]):
        del lines[0]
    if len(lines) > 2 and introduces_quote(lines[-2]) and not grammar.scores_last:
        del lines[-1]
    place = -1 if grammar.scores_last else 0
    if not lines or not _two_scores(lines[place]):
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
    return _by_scores(found[place][0], values[0])


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
