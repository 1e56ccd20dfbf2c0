"""Where a verdict belongs in a reply, and which of several labels is the verdict.

A label in a reply is one of three things:

- *declared*: it ends the reply, opens it, or is announced ("final verdict: …");
- *set apart*: alone on its line somewhere between, or what a sentence says the judge concludes;
- *mentioned*: anything else, such as a quotation, a list of the options, a label that is
  weighed and dropped. A mention decides nothing.

Declared labels come before labels set apart. Several declared labels must agree, unless only
the last of them is announced as final.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from core.records import Seen
from judges.readings import Ranking


@dataclass(frozen=True, slots=True)
class Token:
    """A label in a reply.

    Attributes:
        start: where it begins in the text, brackets included.
        end: where it ends.
        meaning: a choice, a grade, two scores or a ranking; None if the label is not allowed.
        modest: the label is also in common use for other things (a citation ``[1]``), so it
            must be announced or end the reply on a line of its own.
    """

    start: int
    end: int
    label: str
    meaning: Seen | float | tuple[float, float] | Ranking | None
    modest: bool = False


class _Standing(IntEnum):
    MENTIONED = 0
    APART = 1
    DECLARED = 2
    FINAL = 3


_WINDOW = 400
"""Characters of a line around a label that are looked at; keeps the work linear."""

_LEAD_IN = 80
"""Characters before a label that may announce it, or deny it."""

_FINAL_WORDS = (
    r"final\w*|finaal|endgültig\w*|abschließend\w*|définiti\w*|definitiv\w*|окончательн\w*|итогов\w*"
    r"|ostateczn\w*|nihai|最终|最終的?な?|最后|最後|최종|النهائي|अंतिम"
)
_VERDICT_WORDS = (
    r"verdict|ranking|decision|judge?ment|conclusion|choice|winner|ratings?|scores?|grades?|outcome|assessment"
    r"|evaluation|opinion|result|preference"
    r"|urteil|rangfolge|ergebnis|classement|clasificación|classifica|рейтинг|排名|排序|順位|순위|entscheidung|bewertung(?:en)?|fazit|jugement|décision|notes?|veredicto|decisión|conclusión"
    r"|puntuación|puntuaciones|calificación|calificaciones|verdetto|giudizio|vot[oi]|veredito|decisão|notas?|oordeel|conclusie"
    r"|werdykt|ocen[ay]|karar|вердикт|решение|итог|оценк[аи]|вывод|结论|結論|判定|裁决|裁決|判断|判斷|结果|結果"
    r"|评分|評分|选择|選擇|評価|판정|결론|평가|결과|الحكم|النتيجة|القرار|التقييم|निर्णय|फैसला"
)
_IS_WORDS = (
    r"is|are|was|would|will|must|should|can|therefore|thus|only|be|that|a|an|the|to|for"
    r"|goes|as|follows|ist|lautet|est|es|è|é|dass|que"
)
_IS = rf"(?:(?:(?:{_IS_WORDS})\b|[:=]|为|為|是|は|는|은|है)\s*)+"
_CONCLUDES = re.compile(
    r"\b(?:i|we|i['’]d|i['’]ll|i['’]ve)\s+(?:(?!not\b|never\b|cannot\b)[a-z]+\s+){0,4}?"
    r"(?:concluded?|determined?|find|found|believe|think|feel|declare|choose|chose|pick|prefer"
    r"|select|favou?r|vote|go|judge|rate|consider|deem|give|award|assign|say|decided?)"
    r"(?:\s+(?:that|for|with|this|round|it|to|be|a|an|the|is|as|both|them|in|favou?r|of)\b)*"
    r"[\s*_`\"'“(:–—-]*\Z"
    r"|\b(?:i['’]m|we['’]re|i am) (?:choosing|picking|selecting|going (?:with|for)"
    r"|(?:giving|awarding) (?:it|this))(?: an?)?[\s*_`\"'“(:]*\Z"
    r"|\b(?:the (?:(?:better|best|stronger|right|winning) )?(?:one|answer|response|choice)"
    r" (?:is|would be)|it (?:has to|must) be|my pick(?: is)?|a tie|a draw)[\s*_`\"'“(:–—-]*\Z",
    re.IGNORECASE,
)
"""A sentence in which the judge says what it concludes: weaker than an announcement."""
_PREFERS = re.compile(
    r"[\s*_)]*(?:\(?(?:assistant|answer|response) \w\)?[\s,]*)?"
    r"(?:is|seems|appears|would be|performed|provide[sd]?|has|did|does)\b[^.!?\n]{0,60}"
    r"\b(?:better|superior|winner|best|stronger|preferable)\b"
    r"|[\s*_]*is what (?:i|we) (?:choose|pick|prefer|say)\b"
    r"|[\s*_]*(?:is|gets|has) my (?:choice|pick|vote|verdict)\b"
    r"|[\s*_]*wins\b|\s*(?:更好|较好|更优|胜出|获胜|を選|が優|の方が|[를을] 선택|[이가] 더)"
    r"|[\s*_]*it is\s*(?:[.!,;:]|\Z)",
    re.IGNORECASE,
)
"""What a sentence goes on to say of a label that it prefers."""
_SUPPOSES = re.compile(
    r"\b(?:if|unless)\b(?!\s+(?:i|we)\s+(?:had|have|must|were)\b).*\b(?:would|could|might)\b"
    r"|\b(?:would|could|might)\b.*\b(?:if|unless)\b(?!\s+(?:i|we)\s+(?:had|have|must|were)\b)"
    r"|\bwould have\b(?! to\b)|\b(?:wenn|falls)\b.*\bwürde|\bесли\b.*\bбы\b|如果|もし",
    re.IGNORECASE,
)
_ANNOUNCES = re.compile(
    rf"(?:(?P<final>\b(?:{_FINAL_WORDS})[\s*_]*(?:{_VERDICT_WORDS}|answer|antwort|réponse|respuesta|ответ|答案|回答)?"
    rf"|(?:{_VERDICT_WORDS})\s+(?:{_FINAL_WORDS}))|(?:\b|(?<=\w))(?:{_VERDICT_WORDS}))"
    rf"[\s*_`\"'“「『(:>#=–—-]*(?:{_IS}[\s*_`\"'“「『(:>–—-]*)?\Z",
    re.IGNORECASE,
)
_BETWEEN = " \t\n\r\v\f\x1c\x1d\x1e\x1f*_`\"'(:>#=-"
"""What of ASCII may stand between the words of an announcement and the label."""
_LAST_WORD = re.compile(r"\w+\Z")
_MAY_ANNOUNCE = re.compile(
    rf"\w*(?:{_VERDICT_WORDS})|{_FINAL_WORDS}|(?:{_FINAL_WORDS})?answer|antwort|{_IS_WORDS}",
    re.IGNORECASE,
)
"""The last word of what announces a verdict: far cheaper to look for than all that may precede."""
_DENIES = re.compile(
    r"(?:\b(?:not|cannot be|never|nor|neither|than|instead of|over|against|except"
    r"|nicht|kein\w*|pas|no(?!,)|non(?!,)|не)|n['’]t)[^\w.!?。;:]+(?:[^\W\d]+[^\w.!?。;:]+){0,2}\Z"
    r"|(?:不是|而非|而不是)\W*\Z",
    re.IGNORECASE,
)
_NOT = re.compile(r"(?:\b(?:not|nor|nicht|pas|no|non|не)|不是|而非)[\s*_`\"'“(]*\Z", re.IGNORECASE)
_BREAK = re.compile(r"[.!?。!?…;:](?=\W|\Z)|\n")
_BEGS = re.compile(
    r"\b(?:tells?|told|ask(?:s|ed)?|instruct(?:s|ed)?|order(?:s|ed)?|urge[sd]?|beg(?:s|ged)?|wants?)"
    r"\s+(?:me|us|you|(?:the )?(?:judge|grader|reader|evaluator)s?)\s+(?:to|for)\b[^.!?\n]{0,30}\Z",
    re.IGNORECASE,
)
"""What somebody asks of the judge, not what the judge says."""
_INSTANCE = re.compile(
    r"(?:\b(?:for (?:example|instance)|e\.\s?g\.|such as|zum beispiel|par exemple|por ejemplo"
    r"|per esempio|например)|例如|比如|例えば|예를 들어)[\s,:*_`\"'“‘「(]*\Z",
    re.IGNORECASE,
)
"""What says that a label is there to show the form."""
_REPORTS = re.compile(
    r"\b(?:says?|said|ends?|ended|wrote|writes|written|contains?|contained|asks?|include[sd]?|claims?"
    r"|reads?|adds?|begins?|starts?|states?|tells?|told|demands?|closes|prints?|quotes?|holds?)\b"
    r"|写着|写道|書かれ|пишет|schreibt|écrit|escribe|dice",
    re.IGNORECASE,
)
"""What a line says that goes on to quote somebody."""
_TOLD = re.compile(
    r"\b(?:answers?|assistants?|responses?|[AB]|it|text|line|sentence|paragraph)\b[^.!?;\n]{0,60}"
    r"\b(?:says?|said|states?|stated|writes?|wrote|claims?|claimed|asserts?|declares?"
    r"|concludes with"
    r"|ends? (?:with|in|by)"
    r"|(?:includes?|contains?|holds?|has) the (?:sentence|line|phrase|words?|text))"
    r"\b(?![^.!?;\n]*\b(?:my|i|we|our|so|therefore|thus|hence)\b)[^.!?;\n]*\Z",
    re.IGNORECASE,
)
"""What stands in one sentence with a label and gives it as somebody else's words."""
_PART = re.compile(
    r"(?:\A|[.;,!?]\s)\W*(?:and )?(?:for|in|on|regarding|as to) [^.;!?\n\[\]]{1,40}[\s*_`]*\Z",
    re.IGNORECASE,
)
"""What says that a label is about one part of the matter: "for turn one, …"."""
_OWN = re.compile(r"\b(?:my|i|here|our|below)\b", re.IGNORECASE)
_SAID_BY = re.compile(
    r"[\s*_`\"'”’)».,;:–—-]*\b(?:so )?(?:says?|said|writes?|wrote|claims?|demands?"
    r"|(?:is|was) what (?!i\b|we\b))",
    re.IGNORECASE,
)
"""What follows a label that somebody else is said to have uttered."""
_TITLED = re.compile(r"(?:[^\w\[\]]|_)*\w+(?: \w+){0,3}[\s*_]*:[\s*_`\"'(]*")
"""A line's title: one of several criteria, or of several turns."""
_CLOSES = re.compile(r"[\s*_`\"'”’)]*(?:[.!。,;:–—-]|because\b|since\b)", re.IGNORECASE)
"""What follows a verdict that opens a reply, rather than a sentence about a label."""
_GOES_ON = re.compile(r"[\s*_`\"'”’)]*\s[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ']* ")
"""Or a new sentence, which says why."""
_ANSWERS = re.compile(
    r"(?:[^\w\[\]]|_)*(?:(?:final )?answer|overall|in total|all in all)[\s*_]*:[\s*_`\"'(]*",
    re.IGNORECASE,
)
"""A line that opens with "Answer:" or "Overall:" announces what follows."""
_NOTHING = re.compile(r"(?:[^\w\[\]]|_)*\Z")
_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_QUOTES = (("“", "”"), ("«", "»"), ("「", "」"), ("『", "』"), ("‘", "’"), ("„", "“"))


def decide(text: str, tokens: list[Token]) -> list[Token] | None:
    """Pick the verdict out of the labels of a reply.

    Returns:
        One token, the verdict; several that contradict each other; or None if no label
        stands where a verdict belongs.
    """
    reply = _Reply(text, tokens)
    standings = [(token, reply.standing(token)) for token in tokens]
    declared = [(t, s) for t, s in standings if s >= _Standing.DECLARED]
    if declared:
        last, how = declared[-1]
        rivals = [(t, s) for t, s in declared if t.meaning != last.meaning]
        if how is _Standing.FINAL and all(s < _Standing.FINAL for _, s in rivals):
            return [last]
        clash = reply.clashing(last) if how < _Standing.FINAL else []
        against = [t for t, _ in rivals] + clash
        return [against[-1], last] if against else [last]
    apart = [token for token, standing in standings if standing is _Standing.APART]
    if not apart:
        return None
    rivals_apart = [token for token in apart if token.meaning != apart[-1].meaning]
    rivals_apart += reply.same_sentence(apart[-1])
    return [rivals_apart[-1], apart[-1]] if rivals_apart else [apart[-1]]


def bare(text: str) -> bool:
    """Whether a stretch holds nothing but punctuation and marks."""
    return _NOTHING.match(text) is not None


def announces(before: str) -> bool:
    """Whether a stretch ends in words that announce a verdict, such as "my verdict is"."""
    return _announcement(before) is not None


def introduces_quote(line: str) -> bool:
    """Whether a line ends in a colon after which somebody else's words stand."""
    ending = line.rstrip(" \t\n*_`#")
    sentence = re.split(r"[.!?。]\s", ending)[-1]
    if not ending.endswith((":", "：")) or _OWN.search(sentence) or announces(ending):
        return False
    return _REPORTS.search(sentence) is not None


def _announcement(before: str) -> re.Match[str] | None:
    lead_in = before[-_LEAD_IN:]
    if lead_in.isascii():
        last = _LAST_WORD.search(lead_in.rstrip(_BETWEEN))
        if last is None or _MAY_ANNOUNCE.fullmatch(last[0].strip("_")) is None:
            return None
    return _ANNOUNCES.search(lead_in)


def _denied(before: str) -> bool:
    return _DENIES.search(before[-_LEAD_IN:]) is not None


def _beside(before: str) -> bool:
    """Whether a label is a remark in brackets, an instance, or what somebody begs for."""
    opened = before.rfind("(")
    remark = opened > before.rfind(")") and not bare(before[opened:])
    lead_in = before[-_LEAD_IN:]
    return remark or any(words.search(lead_in) for words in (_BEGS, _INSTANCE))


def _last_part(before: str) -> str:
    """What of a line before a label belongs to the label's sentence."""
    breaks = [found.end() for found in _BREAK.finditer(before)]
    return before[breaks[-1] :] if breaks else before


def _first_part(after: str) -> str:
    stop = _BREAK.search(after)
    return after[: stop.start()] if stop else after


def _sentence(before: str, after: str) -> str:
    return f"{_last_part(before)} {_first_part(after)}"


class _Reply:
    """One reply with its labels, and where each of them stands."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.fences = [(f.start(), f.end(), f.start(2), f.end(2)) for f in _FENCE.finditer(text)]
        first, last = tokens[0], tokens[-1]
        self.opening = first if bare(text[: first.start]) else None
        self.ending = last if bare(text[last.end :]) else None
        self.unanimous = len({t.meaning for t in tokens if not t.modest}) == 1
        self._above: dict[int, str] = {}

    def line(self, token: Token) -> tuple[str, str]:
        """What stands before and after a label on its line, as far as it is looked at."""
        begin = max(self.text.rfind("\n", 0, token.start) + 1, token.start - _WINDOW)
        end = self.text.find("\n", token.end, token.end + _WINDOW)
        return self.text[begin : token.start], self.text[
            token.end : end if end >= 0 else token.end + _WINDOW
        ]

    def standing(self, token: Token) -> _Standing:
        before, after = self.line(token)
        alone = bare(before) and bare(after)
        if self._quoted(token, before, after, alone) or _SAID_BY.match(after):
            return _Standing.MENTIONED
        if (announced := self._announced(token, before, after)) is not None:
            return announced
        edge = token is self.ending or token is self.opening
        if token.meaning is None or token.modest:
            return _Standing.DECLARED if edge and alone else _Standing.MENTIONED
        if _denied(before) or self._supposed(before, after) or _beside(before):
            return _Standing.MENTIONED
        follows = _CLOSES.match(after) or _GOES_ON.match(after)
        opens = token is self.opening and (alone or (self.unanimous and follows))
        if token is self.ending or opens:
            return _Standing.DECLARED
        concluded = _CONCLUDES.search(before[-_LEAD_IN:]) is not None
        concluded = concluded or (self.unanimous and _PREFERS.match(after) is not None)
        return _Standing.APART if alone or concluded else _Standing.MENTIONED

    def _supposed(self, before: str, after: str) -> bool:
        """Whether the sentence around a label says what would be, rather than what is."""
        return _SUPPOSES.search(_sentence(before, after)) is not None

    def same_sentence(self, token: Token) -> list[Token]:
        """Other labels, of another meaning, in the sentence that a label stands in."""
        before, after = self.line(token)
        begin = token.start - len(_last_part(before))
        end = token.end + len(_first_part(after))
        return [
            other
            for other in self.tokens
            if begin <= other.start < end
            and not other.modest
            and other.meaning is not None
            and other.meaning != token.meaning
            and not self._aside(token, other)
        ]

    def clashing(self, token: Token) -> list[Token]:
        """Labels of another meaning that stand as this one does, though nothing announces them."""
        rivals = self.same_sentence(token)
        before, _ = self.line(token)
        summed_up = _announcement(before) or _ANSWERS.fullmatch(before[-_LEAD_IN:])
        if self._is_titled(token) and not summed_up:
            rivals += [
                other
                for other in self.tokens
                if other.meaning != token.meaning and self._is_titled(other)
            ]
        if _PART.search(before):
            rivals += [
                other
                for other in self.tokens
                if other.meaning != token.meaning and _PART.search(self.line(other)[0])
            ]
        return rivals

    def _is_titled(self, token: Token) -> bool:
        before, after = self.line(token)
        return _TITLED.fullmatch(before) is not None and bare(after)

    def _aside(self, token: Token, other: Token) -> bool:
        """Whether a label is only said not to be the verdict, or stands in brackets after it."""
        before = self.line(other)[0]
        between = self.text[token.end : other.start]
        return _NOT.search(before[-_LEAD_IN:]) is not None or between.rfind("(") > between.rfind(
            ")"
        )

    def _announced(self, token: Token, before: str, after: str) -> _Standing | None:
        if bare(before):
            before = self._line_above(token).rstrip(" \t\n*_#`")
        if _ANSWERS.fullmatch(before[-_LEAD_IN:]) and not self._supposed(before, after):
            return _Standing.DECLARED
        found = _announcement(before)
        if found is None or _denied(before[: len(before) - len(found[0])]):
            return None
        if self._supposed(before, after):
            return None
        return _Standing.FINAL if found["final"] else _Standing.DECLARED

    def _line_above(self, token: Token) -> str:
        """The last line with text above a label, code fences left out."""
        if token.start in self._above:
            return self._above[token.start]
        above = self.text[max(0, token.start - _WINDOW) : token.start].split("\n")[:-1]
        found = next((line for line in reversed(above) if not bare(line)), "")
        self._above[token.start] = found
        return found

    def _quoted(self, token: Token, before: str, after: str, alone: bool) -> bool:
        """Whether a label stands in what somebody else is said to have written."""
        for _, _, begin, end in self.fences:
            if begin <= token.start < end:
                inside = self.text[begin : token.start] + self.text[token.end : end]
                if not bare(inside):
                    return True
        if introduces_quote(self._line_above(token)) or _TOLD.search(before[-_WINDOW:]):
            return True
        if token is self.ending and alone:
            return False
        if before.lstrip().startswith(">"):
            return True
        if alone:
            above = self._line_above(token).rstrip(" \t*_`")
            return above.endswith(":") and not announces(above)
        return _inside_quotes(before, after)


def _inside_quotes(before: str, after: str) -> bool:
    """Whether a quotation that holds more than the label is open around it."""
    for opening, closing in _QUOTES:
        opened = before.rfind(opening)
        if opened > before.rfind(closing) and closing in after:
            rest = before[opened + 1 :] + after[: after.find(closing)]
            if not bare(rest):
                return True
    for mark in ('"', "`"):
        if before.count(mark) % 2 and mark in after:
            rest = before[before.rfind(mark) + 1 :] + after[: after.find(mark)]
            if not bare(rest):
                return True
    return False
