"""The words around a label that say what it is: announced, quoted, denied, only supposed."""

from __future__ import annotations

import re

from judges.second_thoughts import anothers

WINDOW = 400
"""Characters of a line around a label that are looked at; keeps the work linear."""

LEAD_IN = 80
"""Characters before a label that may announce it, or deny it."""

_FINAL_WORDS = (
    r"final\w*|finaal|endgültig\w*|abschließend\w*|définiti\w*|definitiv\w*|окончательн\w*"
    r"|итогов\w*"
    r"|ostateczn\w*|nihai|最终|最終的?な?|最后|最後|최종|النهائي|अंतिम"
)
_VERDICT_WORDS = (
    r"verdict|ranking|decision|judge?ment|conclusion|choice|winner|ratings?|scores?|grades?"
    r"|outcome|assessment"
    r"|evaluation|opinion|result|preference"
    r"|urteil|rangfolge|ergebnis|classement|clasificación|classifica|рейтинг|排名|排序|順位|순위"
    r"|entscheidung|bewertung(?:en)?|fazit|jugement|décision|notes?|veredicto|decisión|conclusión"
    r"|puntuación|puntuaciones|calificación|calificaciones|verdetto|giudizio|vot[oi]|veredito"
    r"|decisão|notas?|oordeel|conclusie"
    r"|werdykt|ocen[ay]|karar|вердикт|решение|итог|оценк[аи]|вывод|结论|結論|判定|裁决|裁決|判断"
    r"|判斷|结果|結果"
    r"|评分|評分|选择|選擇|評価|판정|결론|평가|결과|الحكم|النتيجة|القرار|التقييم|निर्णय|फैसला"
)
_IS_WORDS = (
    r"is|are|was|would|will|must|should|can|therefore|thus|only|be|that|a|an|the|to|for"
    r"|goes|as|follows|ist|lautet|est|es|è|é|dass|que"
)
_IS = rf"(?:(?:(?:{_IS_WORDS})\b|[:=]|为|為|是|は|는|은|है)\s*)+"
CONCLUDES = re.compile(
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
PREFERS = re.compile(
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
SUPPOSES = re.compile(
    r"\b(?:if|unless)\b(?!\s+(?:i|we)\s+(?:had|have|must|were)\b).*\b(?:would|could|might)\b"
    r"|\b(?:would|could|might)\b.*\b(?:if|unless)\b(?!\s+(?:i|we)\s+(?:had|have|must|were)\b)"
    r"|\bwould have\b(?! to\b)|\b(?:wenn|falls)\b.*\bwürde|\bесли\b.*\bбы\b|如果|もし",
    re.IGNORECASE,
)
_ANNOUNCES = re.compile(
    rf"(?:(?P<final>\b(?:{_FINAL_WORDS})[\s*_]*(?:{_VERDICT_WORDS}|answer|antwort|réponse"
    rf"|respuesta|ответ|答案|回答)?"
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
NOT_NOW = re.compile(
    r"(?:\b(?:not|cannot be|never|nor|neither|than|instead of|over|against|except|nicht|kein\w*"
    r"|pas|no"
    r"|non|не)|n['’]t)[\s*_`\"'“(\[]+(?:[^\W\d]+[\s*_`\"'“(]+){0,2}\Z|(?:不是|而非|而不是)\W*\Z",
    re.IGNORECASE,
)
"""The same in one breath: "wait, no – [[B]]" denies what came before it, not the label."""
WEIGHED = re.compile(r"[\s*_`\"'”’)]*(?:would|could|might|may)\b", re.IGNORECASE)
"""What a sentence goes on to say of a label that it only considers."""
NOT = re.compile(r"(?:\b(?:not|nor|nicht|pas|no|non|не)|不是|而非)[\s*_`\"'“(]*\Z", re.IGNORECASE)
_BREAK = re.compile(r"[.!?。!?…;:](?=\W|\Z)|\n")
_BEGS = re.compile(
    r"\b(?:tells?|told|ask(?:s|ed)?|instruct(?:s|ed)?|order(?:s|ed)?|urge[sd]?|beg(?:s|ged)?"
    r"|wants?)"
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
    r"\b(?:says?|said|ends?|ended|wrote|writes|written|contains?|contained|asks?|include[sd]?"
    r"|claims?"
    r"|reads?|adds?|begins?|starts?|states?|tells?|told|demands?|closes|prints?|quotes?|holds?)\b"
    r"|写着|写道|書かれ|пишет|schreibt|écrit|escribe|dice",
    re.IGNORECASE,
)
"""What a line says that goes on to quote somebody."""
_TOLD = re.compile(
    r"\b(?:answers?|assistants?|responses?|[AB]|it|text|line|sentence|paragraph)\b[^.!?;\n]{0,60}"
    r"\b(?:says?|said|states?|stated|writes?|wrote|claims?|claimed|asserts?|declares?|insist(?:s|ed)?"
    r"|concludes with|closes (?:with|by)"
    r"|ends? (?:with|in|by)"
    r"|(?:includes?|contains?|holds?|has) the (?:sentence|line|phrase|words?|text))"
    r"\b(?![^.!?;\n]*\b(?:my|i|we|our|so|therefore|thus|hence)\b)[^.!?;\n]*\Z",
    re.IGNORECASE,
)
"""What stands in one sentence with a label and gives it as somebody else's words."""
PART = re.compile(
    r"(?:\A|[.;,!?]\s)\W*(?:and )?(?:for|in|on|regarding|as to) [^.;!?\n\[\]]{1,40}[\s*_`]*\Z",
    re.IGNORECASE,
)
"""What says that a label is about one part of the matter: "for turn one, …"."""
_OWN = re.compile(r"\b(?:my|i|here|our|below)\b", re.IGNORECASE)
SAID_BY = re.compile(
    r"[\s*_`\"'”’)».,;:–—-]*\b(?:so )?(?:says?|said|writes?|wrote|claims?|demands?"
    r"|(?:is|was) what (?!i\b|we\b))",
    re.IGNORECASE,
)
"""What follows a label that somebody else is said to have uttered."""
TITLED = re.compile(r"(?:[^\w\[\]]|_)*\w+(?: \w+){0,3}[\s*_]*:[\s*_`\"'(]*")
"""A line's title: one of several criteria, or of several turns."""
CLOSES = re.compile(r"[\s*_`\"'”’)]*(?:[.!。,;:–—-]|because\b|since\b)", re.IGNORECASE)
"""What follows a verdict that opens a reply, rather than a sentence about a label."""
GOES_ON = re.compile(r"[\s*_`\"'”’)]*\s[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ']* ")
"""Or a new sentence, which says why."""
ANSWERS = re.compile(
    r"(?:[^\w\[\]]|_)*(?:(?:final )?answer|overall|in total|all in all)[\s*_]*:[\s*_`\"'(]*",
    re.IGNORECASE,
)
"""A line that opens with "Answer:" or "Overall:" announces what follows."""
_NOTHING = re.compile(r"(?:[^\w\[\]]|_)*\Z")
_QUOTES = (("“", "”"), ("«", "»"), ("「", "」"), ("『", "』"), ("‘", "’"), ("„", "“"))


def bare(text: str) -> bool:
    """Whether a stretch holds nothing but punctuation and marks."""
    return _NOTHING.match(text) is not None


def announces(before: str) -> bool:
    """Whether a stretch ends in words that announce a verdict, such as "my verdict is"."""
    return announcement(before) is not None


def reported(before: str) -> bool:
    """Whether a sentence gives what follows as somebody else's words."""
    return _TOLD.search(before[-WINDOW:]) is not None


def bidden(before: str, above: str) -> bool:
    """Whether a verdict is given as an answer's own, or as what an answer bids the judge say.

    Args:
        before: what stands before it on its line.
        above: the last line with text above it, which tells if nothing stands before it.
    """
    if not bare(before):
        return anothers(before)
    above = above.rstrip(" \t\n*_`#")
    return (above.endswith((":", "：", ",")) or announces(above)) and anothers(above)


def introduces_quote(line: str) -> bool:
    """Whether a line ends in a colon after which somebody else's words stand."""
    ending = line.rstrip(" \t\n*_`#")
    sentence = re.split(r"[.!?。]\s", ending)[-1]
    if not ending.endswith((":", "：")) or _OWN.search(sentence) or announces(ending):
        return False
    return _REPORTS.search(sentence) is not None


def announcement(before: str) -> re.Match[str] | None:
    """The words that announce a verdict at the end of a stretch."""
    lead_in = before[-LEAD_IN:]
    if lead_in.isascii():
        last = _LAST_WORD.search(lead_in.rstrip(_BETWEEN))
        if last is None or _MAY_ANNOUNCE.fullmatch(last[0].strip("_")) is None:
            return None
    return _ANNOUNCES.search(lead_in)


def denied(before: str) -> bool:
    """Whether a stretch ends in words that say no to what follows: "not", "rather than"."""
    return _DENIES.search(before[-LEAD_IN:]) is not None


def is_aside(before: str) -> bool:
    """Whether a label is a remark in brackets, an instance, or what somebody begs for."""
    opened = before.rfind("(")
    remark = opened > before.rfind(")") and not bare(before[opened:])
    lead_in = before[-LEAD_IN:]
    return remark or any(words.search(lead_in) for words in (_BEGS, _INSTANCE))


def last_part(before: str) -> str:
    """What of a line before a label belongs to the label's sentence."""
    breaks = [found.end() for found in _BREAK.finditer(before)]
    return before[breaks[-1] :] if breaks else before


def first_part(after: str) -> str:
    """What of a line after a label belongs to the label's sentence."""
    stop = _BREAK.search(after)
    return after[: stop.start()] if stop else after


def sentence_around(before: str, after: str) -> str:
    """The sentence around a label, without the label."""
    return f"{last_part(before)} {first_part(after)}"


def inside_quotes(before: str, after: str) -> bool:
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
