"""Scores: ``[[7]]`` for one answer, ``8 7`` or ``[[8, 7]]`` for two."""

from __future__ import annotations

import re

from judges.labels import label_key, reading
from judges.places import Token
from judges.readings import Failure, Grammar, Parsed, by_scores
from judges.replies import signs
from judges.second_thoughts import RETHINKS, anothers, taken_back, without_quotes
from judges.wordings import introduces_quote, reported

_ANY_BRACKET = re.compile(r"\[[ \t]*\[([^\[\]\n]{0,60})\][ \t]*\]|\[([^\[\]\n]{0,60})\]")
_GRADE = re.compile(r"(?:rating|score|grade)?[:=]?(\d{1,4}(?:[.,]\d{1,6})?)(?:/(\d{1,4}))?")
_OUT_OF = re.compile(r" ?/ ?(\d{1,4})(?!\d)")
_NUMBER = r"(\d{1,4}(?:\.\d{1,6})?)(?:\s?/\s?(\d{1,4}))?"
_TWO = re.compile(rf"{_NUMBER}(?:\s*[,;、|&]\s*|\s+){_NUMBER}")
_ANEW = re.compile(
    rf"(?:\b(?:(?:{RETHINKS})|wait|sorry|correction|or|final(?:ly)?|change|make (?:it|that)"
    rf"|i mean"
    r"|(?:my|the) (?:final |own )?(?:scores?|ratings?|grades?)|verdict|oder|nein|ou|non|o)\b"
    r"|\bno(?=\s?[,.:;!–—-])|\bno wait\b|或者?|不对"
    r"|または|いや)"
    rf"[^\d\n.!?]{{0,40}}[\n\s:：,]{_NUMBER}(?:\s*[,;、|&/]\s*|\s+){_NUMBER}"
    r"(?=[\s*_)]*(?:\Z|\n|[.!?,;](?!\d)|[^\x00-\u2fff]|(?:since|because|as|for|is|are)\b))",
    re.IGNORECASE,
)
"""Two scores that are given once more, with a word that says so."""
_SCORE_WORD = re.compile(
    r"(?:the )?(?:final |overall )?(?:scores?|ratings?|grades?|评分|評分|点数|점수)\s*:\s*", re.I
)
_INSIDE = r"(-?\d{1,9}(?:\.\d{0,6})?)(?: ?/ ?(\d{1,4}))?"
_SCORES = re.compile(
    rf"(?:(?:ratings?|scores?|grades?) ?[:=]? ?)?{_INSIDE}(?: ?[,;、،|&] ?| ){_INSIDE}"
)
_BY_NAME = r"(?:(?:assistant|answer|response|rating|score|grade) ?)?{} ?[:=] ?"
_NAMED_SCORES = re.compile(
    rf"{_BY_NAME.format('a')}{_INSIDE} ?[,;、،|&] ?{_BY_NAME.format('b')}{_INSIDE}"
)
_DECIMAL_COMMAS = re.compile(r"(\d{1,4},\d{1,6})() ?[;|] ?(\d{1,4},\d{1,6})()")
_SCORES_FOLLOW = re.compile(
    r"(?:scores?|ratings?|grades?|verdict|bewertung(?:en)?|notes?|puntuaci[oó]n(?:es)?|оценк[аи]"
    r"|评分|評分|評価|점수|평가)[\s*_`\"'“「(:=–—-]*(?:(?:is|are|ist|sind)\b[\s*_`:]*)?\Z",
    re.IGNORECASE,
)
_BEFORE = 40
"""Characters before single brackets that may say that they hold scores."""
_FIELD = r"(?:rating|score|grade|number|[abnxy])(?: ?[abxy12])?"
_FIELDS = re.compile(rf"{_FIELD} ?[,;、،|&] ?{_FIELD}")
"""What stands in the instructions where two scores belong, and may be repeated."""
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
    return titled and not introduces_quote(line) and not anothers(line.rstrip(" *_"))


def _is_anothers(line: str) -> bool:
    """Whether scores on the line below are an answer's, or its bidding."""
    return introduces_quote(line) or (line.rstrip(" *_").endswith((":", ",")) and anothers(line))


def _told_anew(after: str, values: tuple[float, float]) -> str:
    """Other scores, or words that take the scores back, in the lines that say why."""
    told = without_quotes(after)
    for found in _ANEW.finditer(told):
        before = told[told.rfind("\n", 0, found.start()) + 1 : found.start(1)]
        is_own = not (reported(before) or anothers(before))
        if is_own and (float(found[1]), float(found[3])) != values:
            return found[0].strip()
    return taken_back(told, "")


def score_pair(text: str, grammar: Grammar) -> Parsed:
    """Line one holds two scores, ``8 7``, left first; the lines after it say why.

    Where the grammar has them last, they stand on the last line instead.
    """
    lines = [line for line in signs(text).split("\n") if line.strip(" \t`~")]
    if len(lines) > 1 and _is_heading(lines[0]):
        del lines[0]
    if grammar.scores_last and len(lines) > 1 and _is_anothers(lines[-2]):
        return Parsed(failure=Failure.OUT_OF_PLACE)
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
    anew = found[-1][0] if values[0] != values[-1] else ""
    if not grammar.scores_last:
        anew = anew or _told_anew("\n".join(lines[1:]), values[0])
    if anew:
        return Parsed(label=f"{found[0][0]} and {anew}", failure=Failure.CONTRADICTION)
    return by_scores(found[place][0], values[0])


def score_brackets(text: str, grammar: Grammar) -> Parsed:
    """``[[8, 7]]``: two scores in double brackets, left first, as FastChat's judges give them.

    ``[8, 7]`` counts where it stands as a verdict; beside scores in double brackets, where a
    list is far more likely than a second verdict, only if it is announced as scores.
    """
    text = signs(text)
    tokens = []
    for found in _ANY_BRACKET.finditer(text):
        single = found[1] is None
        label = (found[2] if single else found[1]).strip()
        pair = _scores_inside(label)
        if single and not pair:
            continue
        of = _OUT_OF.match(text, found.end())
        scores = _both_in_scale(pair, of[1] if of else None, grammar.scale) if pair else None
        tokens.append(
            Token(found.start(), of.end() if of else found.end(), label, scores, modest=single)
        )
    if any(token.meaning is not None and not token.modest for token in tokens):
        tokens = [
            token
            for token in tokens
            if (not token.modest or _said_to_be_scores(text, token.start))
            and not _FIELDS.fullmatch(_inside_key(token.label))
        ]
    parsed = reading(text, tokens, Failure.UNKNOWN_LABEL)
    if parsed.failure is Failure.UNKNOWN_LABEL and _scores_inside(parsed.label):
        return Parsed(label=parsed.label, failure=Failure.OUT_OF_SCALE)
    return parsed


def _said_to_be_scores(text: str, start: int) -> bool:
    return _SCORES_FOLLOW.search(text[max(0, start - _BEFORE) : start]) is not None


def _inside_key(label: str) -> str:
    """What stands in brackets as it is compared: ``**Rating_A**: 8`` is ``rating a: 8``."""
    bare_label = re.sub(r"[*`\"'“”‘’]", "", label).replace("_", " ")
    return " ".join(bare_label.split()).rstrip("!").casefold()


def _scores_inside(label: str) -> re.Match[str] | None:
    """Two numbers and nothing else; whether they lie in the scale is another question."""
    key = _inside_key(label)
    for pattern in (_SCORES, _NAMED_SCORES, _DECIMAL_COMMAS):
        if found := pattern.fullmatch(key):
            return found
    return None


def _both_in_scale(
    pair: re.Match[str], out_of: str | None, scale: tuple[float, float]
) -> tuple[float, float] | None:
    left = _in_scale(pair[1], pair[2] or out_of, scale)
    right = _in_scale(pair[3], pair[4] or out_of, scale)
    return None if left is None or right is None else (left, right)


def compare_grades(left: Parsed, right: Parsed) -> Parsed:
    """A pair's verdict from two answers graded one by one; a failed grade fails the pair."""
    for graded in (left, right):
        if graded.failure is not None:
            return graded
    if left.grade is None or right.grade is None:
        raise ValueError("both readings must be grades")
    return by_scores(f"{left.label} {right.label}", (left.grade, right.grade))
