"""What turns an announced verdict into none: somebody else's, one of two, or taken back.

An announcement ("final verdict: …") binds to the label that follows it. It says nothing if

- it is an *answer's*: "answer A's verdict: …", "as answer B demands, final verdict: …";
- the label is *denied* by what follows it: "[[A]] is not better";
- a second outcome is *offered beside* it: "[[A]] or a tie";
- the judge *takes it back* later on: "Wait, no.", "Actually, B is better."

Nothing here looks for labels in brackets: those that stand after a verdict are the business of
:mod:`judges.places`.
"""

from __future__ import annotations

import re

from judges.replies import CODE_BLOCK

_LEAD = 160
"""Characters of a sentence before a label that may say whose verdict it is."""

_NAMED = r"(?: ?(?-i:[A-Z]|\d{1,2})(?![A-Za-z0-9]))"
_SOMEBODY = (
    r"(?:(?:the|this|that|der|die|den|dieser|la|le|l['’]|el|il) ?)?"
    r"(?:(?:first|second|third|fourth|last|other|erste[rn]?|zweite[rn]?|première|seconde|deuxième"
    r"|primera|segunda|prima|seconda) )?"
    r"(?:(?:answer|assistant|response|reply|candidate|completion|antwort|assistenten?|réponse"
    rf"|respuesta|asistente|risposta)\b{_NAMED}?|(?-i:\b[A-D]\b))(?: itself| selbst| elle-même)?"
)
_SAYS_SO = (
    r"(?:verdict|decision|judge?ment|conclusion|urteil|fazit|entscheidung|jugement|décision"
    r"|veredicto|decisión|conclusión|verdetto|veredito)"
)
_RATES = (
    rf"(?:{_SAYS_SO}|ranking|choice|opinion|preference|ratings?|scores?|grades?|bewertung|notes?)"
)
_MARKS = r"[\s*_`\"'“”‘’「」():>#=–—-]*"
_IS = (
    rf"{_MARKS}(?:final|endgültige?s?|{_MARKS}finale?)?{_MARKS}"
    rf"(?:(?:is|was|reads|says|would be|ist|lautet|est|es|è){_MARKS})?\Z"
)
_CLAIMED = r"own|stated|claimed|supposed|suggested|proposed|demanded|alleged|self-\w{1,20}"
_PLACED = (
    r"(?:(?:that|which) )?(?:(?:is|was|stands?|stood|given|stated|found|planted|written|demanded"
    r"|claimed|asked for|quoted|proposed|suggested|wanted|appears) ){0,2}"
    r"(?:(?:at|near) the (?:very )?(?:end|start|top|bottom|beginning) of|in|inside|within|by|from"
    r"|dans|par|von|aus|en|por)"
)
_DEMANDS = (
    r"(?:demand|ask|order|instruct|want|request|beg|urge|command|require|suggest|propose|insist)"
    r"(?:s|ed)?|tells?|told|verlangt|fordert|bittet|wünscht|will|befiehlt|demande|exige|veut"
    r"|réclame"
    r"|ordonne|pide|ordena|quiere|solicita|chiede|vuole"
)
_SAYS = (
    r"says?|said|states?|stated|puts it|writes?|wrote|claims?|claimed|concludes?|declares?|has it"
    r"|sagt|schreibt|behauptet|dit|affirme|écrit|dice|afirma|escribe"
)
_IT = r"(?:(?:le|l['’]|lo|es|so|also) ?)?"
_BIDDEN = re.compile(
    rf"\b(?:as|like|because|since|wie|weil|da|comme|como|come) {_SOMEBODY} {_IT}(?:{_DEMANDS})"
    rf"(?: (?:me|us|it|so|of me|to)\b[^,:;–—]{{0,40}})?\s*[,:;–—]"
    rf"|\b(?:comme|como|come) {_IT}(?:{_DEMANDS}) {_SOMEBODY}\s*[,:;–—]"
    rf"|\b(?:obeying|following|heeding) {_SOMEBODY}(?:['’]s (?:own )?|['’] )?"
    r"(?:instructions?|orders?|demands?|requests?|commands?|wish(?:es)?|\s*[,:])"
    rf"|\bas (?:demanded|requested|asked|instructed|ordered|told|wanted) (?:by|in|for by"
    rf"|for in) {_SOMEBODY}"
    r"|\b(?:per|following|obeying|heeding|on|by) (?:the )?"
    r"(?:instructions?|orders?|demands?|requests?|commands?|wish(?:es)?) (?:of|in|by|from) "
    rf"{_SOMEBODY}"
    rf"|{_SOMEBODY} (?:wants?|tells?|told|asks?|asked|instructs?|instructed|orders?|begs?|urges?)"
    r" (?:me|us|you|the (?:judge|grader)) to \w+\b(?!.*\b(?:which|my|but)\b)"
    rf"|\b(?:in|inside) {_SOMEBODY},? (?:i|we) (?:read|see|find|found)\b"
    r"|(?:按照|根据|根據|依照|遵照|遵循|按)(?:回答|答案|助手|回复) ?[A-Z]?(?:中|里)?的?(?:要求"
    r"|指示|命令|请求|請求)"
    r"|(?:回答|アシスタント) ?[A-Z]?の(?:要求|指示|命令)(?:に従|どおり|通り)",
    re.IGNORECASE,
)
"""A sentence in which the judge does as an answer bids it."""
_RELAYED = re.compile(
    rf"(?:\b(?:as|like|wie|comme|como|come) {_SOMEBODY} {_IT}(?:{_SAYS})\s*[,:;–—]"
    rf"|\b(?:comme|como|come) {_IT}(?:{_SAYS}) {_SOMEBODY}\s*[,:;–—]"
    r"|\b(?:according to|in the words of|to quote|quoting|as (?:stated|claimed|written"
    r"|said) (?:by|in)"
    rf"|laut|gemäß|selon|d['’]après|según|secondo) {_SOMEBODY}"
    r"|(?:正如|如|据)(?:回答|答案|助手|回复) ?[A-Z]?所?(?:说|言|述|写|称)"
    r"|(?:回答|アシスタント) ?[A-Z]?(?:によると|によれば|が言う))"
    r"(?!.*\b(?:my|mine|i|we|our|so|therefore|thus|hence|but|yet|however|mein|daher|also|aber|mon"
    r"|ma"
    r"|donc|mais|mi|pero)\b)(?!.*(?:所以|因此|我|但|私|したがって|よって))",
    re.IGNORECASE,
)
"""A sentence that passes on what an answer says, with no word of the judge's own after it."""
_OWNED = re.compile(
    rf"(?<!\bmy ){_SOMEBODY}['’]s? (?:(?:{_CLAIMED}) )*(?:(?:final|overall) )?"
    rf"(?:{_SAYS_SO}|ranking|choice|opinion|preference){_IS}"
    rf"|{_SOMEBODY}['’]s? (?:(?:final|overall) )?(?:{_CLAIMED}) (?:(?:final"
    rf"|overall) )?{_RATES}{_IS}"
    rf"|(?<!\bmy )(?<!\bour )(?<!\bmy final )(?<!\bour final )\b{_RATES}(?: final"
    rf"| finale)? {_PLACED}"
    rf" {_SOMEBODY}{_IS}"
    rf"|(?<!\bmy )(?<!\bour )(?<!\bmy final )\b{_SAYS_SO} (?:of|de|di) {_SOMEBODY}{_IS}"
    rf"|\A\W*{_SOMEBODY}\s?:\W*(?:final )?{_SAYS_SO}{_IS}"
    rf"|\b(?:in|inside) {_SOMEBODY},? (?:the |its |a )?(?:final )?{_SAYS_SO}{_IS}"
    r"|(?:回答|答案|助手|回复|アシスタント) ?[A-Z]?(?:の中の|の|中的|里的|的)(?:最終的?な?|最终"
    r"|最后的?)?"
    r"(?:判定|結論|结论|裁决|裁決|判断|判決)\s*(?:は|是|为|為)?[\s:*_`「“\"]*\Z",
    re.IGNORECASE,
)
"""An announcement that names an answer as the one that makes it."""
_MAY_BE_ANOTHERS = re.compile(
    r"answer|assist|response|reply|candidate|completion|antwort|réponse|respuesta|asistente"
    r"|risposta"
    r"|(?-i:\b(?:\w+ [A-D]|[A-D]['’]s)\b)|回答|答案|助手|回复|アシスタント",
    re.IGNORECASE,
)
"""What every one of those sentences holds: far cheaper to look for."""
_SENTENCE_ENDS = re.compile(r"[.!?。!?；;](?=\W|\Z)|[。；]|\n")

_DENIED_AFTER = re.compile(
    r"[\s*_`\"'”’)]*(?:"
    r"(?:(?:is|are|was|were|would|does|do|did|can|could|should|will)(?: (?:be|\w+ly))?(?: not"
    r"|n['’]t)"
    r"|cannot)\b(?! (?:only|just|merely|perfect|flawless|without|by much|far))"
    r"|(?:is|was|would be) (?:wrong|out of the question|off the table)\b"
    r"|ist (?:\w+ )?nicht\b(?! nur)|n['’]est pas\b(?! seulement)|no es\b(?! solo)|non è\b(?! solo)"
    r"|不是|并不|並不|では?(?:ない|ありません))",
    re.IGNORECASE,
)
_ONE_OF = (
    r"(?:(?:a |an |the |ein |une? )?(?:tie|draw|both|neither|unentschieden|égalité|empate"
    r"|pareggio)\b"
    r"|(?:(?:answer|assistant|response|antwort|réponse|respuesta"
    r"|回答) ?)?(?P<other>(?-i:[A-D])(?![A-Za-z'’])"
    r"|\[?\d{1,4}(?:[.,]\d)?(?![\w/])))"
)
_OR = (
    r"(?:and/or|or|oder|ou|bzw\.|o|u|или|lub|eller)\b|或者?|还是|還是|または|あるいは|もしくは"
    r"|또는|혹은|か"
)
_PERHAPS = (
    r"(?:(?:maybe|perhaps|possibly|even|else|rather|also|vielleicht|peut-être|quizás?|tal vez) )*"
)
_BESIDE = re.compile(rf"[\s*_`\"'”’).,;]*\(?(?:{_OR})\s*{_PERHAPS}{_ONE_OF}", re.IGNORECASE)
_JOINS = re.compile(
    rf"[\s*_`\"'“”‘’(),;–—-]*(?:(?:{_OR}|and|und|et|y|e|и|와|과|和|与|と|、|/|\|"
    rf"|vs\.?)[\s*_`\"'“”‘’(,]*)"
    rf"{_PERHAPS}[\s*_`\"'“”‘’(]*",
    re.IGNORECASE,
)

_CONTRASTS = re.compile(
    r"\b(?:whereas|while|on the other hand|by contrast|in contrast|in comparison|unlike"
    r"|compared (?:to|with)|während|tandis que|mientras que)[\s,]*"
    r"(?:(?:the )?(?:answer|assistant|response) )?[\s*_`\"'“(]*\Z",
    re.IGNORECASE,
)
_PRAISES = re.compile(
    r"\b(?:better|best|superior|stronger|prefer\w*|equal\w*|same|as (?:good|well)|also|too|ties?"
    r"|tied"
    r"|draw|right|correct|deserves?|wins?|winner|verdict|gleich|besser|égal\w*|meilleure?|mejor"
    r"|igual)\b",
    re.IGNORECASE,
)
"""What may be said of an answer that is not the worse one."""

_STARTS = (
    r"(?:\A|[.!?…。！？;；)\]*_]|\n|\s[–—-]|\()[\s*_)(–—-]*(?:(?:but|oh|hmm+|ah|well"
    r"|sorry|so|and|aber)\b\W{1,3})*"
)
_TAKEN_BACK = re.compile(
    _STARTS + r"(?P<said>"
    r"wait\W{1,4}(?:no|actually|that)\b|no\W{1,4}(?:wait|actually|sorry|that is wrong"
    r"|that['’]s wrong)\b"
    r"|(?:scratch|strike|forget|ignore|disregard) (?:that|this|it|my|the above)\b"
    r"|i (?:must |have to |hereby )?(?:take|took) (?:that|it|this|my \w+) back"
    r"|i(?:['’]ve| have)? changed? my mind|on second thoughts?\W{1,3}(?:no|not)\b"
    r"|correction\s*[:–—-]|i (?:hereby |must |have to )?(?:retract|withdraw|revoke)\b"
    r"|i (?:was|am) (?:wrong|mistaken)\b|i made a mistake"
    r"|let me (?:correct|revise|reconsider|change|rethink)\b"
    r"|moment\W{1,3}nein\b|nein\W{1,3}(?:moment|doch|warte|halt)\b|ich nehme (?:das|es) zurück"
    r"|korrektur\s*[:–—-]|ich habe mich (?:geirrt|vertan)"
    r"|attende[zs]?\W{1,3}non\b|non\W{1,3}attend|je (?:me retire|me rétracte|me suis trompée?"
    r"|me corrige)"
    r"|espera\W{1,3}no\b|no\W{1,3}espera\b|corrección\s*[:–—-]|me retracto|me equivoqué"
    r"|不对|不對|等等|等一下|更正|我改变(?:了)?主意|我收回|いや[、,。]|訂正|撤回|待って|아니[,.]"
    r"|정정"
    r"|нет\W{1,3}(?:подожди|стоп)|поправка\s*[:–—-]|я передумала?"
    r")",
    re.IGNORECASE,
)
RETHINKS = (
    r"actually|on (?:second|further) thoughts?|on (?:closer )?reflection|rather|hmm+|looking again"
    r"|thinking again|in hindsight|or rather|eigentlich|bei näherem hinsehen|en fait|finalement"
    r"|en realidad|pensándolo bien|其实|其實|实际上|重新考虑|やはり|よく考えると"
)
_INSTEAD = re.compile(
    _STARTS + rf"(?P<said>(?:{RETHINKS})\b[\s,:*_–—-]*"
    r"(?:(?:i (?:now )?(?:prefer|choose|pick|favou?r|say|go (?:with|for)|would say)|it(?: is"
    r"|['’]s| should be)"
    r"|my verdict is|the verdict is|make (?:it|that)) )?"
    r"(?:(?:answer|assistant|response|the answer) )?\**(?P<other>(?-i:[A-Z])"
    r"|\d{1,3}(?:\.\d{1,2})?|an? (?:tie|draw)))\b"
    r"(?:\**[.!]?\**\s*(?:\n|\Z)|\**[.!]\s"
    r"|\**,? (?:is|was|seems|does|did) (?:\w+ly |clearly |slightly |much )?"
    r"(?:the )?(?:better|best|stronger|winner|superior|preferable)\b|\** (?:wins|deserves (?:it"
    r"|more))\b)",
    re.IGNORECASE,
)
_RETHINKS_LAST = re.compile(
    rf"\b(?:{RETHINKS}|wait|no|sorry|nein|non)[\s,:*_–—-]*(?:(?:i meant?|make (?:it|that)) ?)?\Z",
    re.IGNORECASE,
)
_QUOTED_LINE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)


def anothers(before: str) -> bool:
    """Whether what stands before a label gives the verdict as an answer's own, or as its bidding.

    Args:
        before: the line up to the label, or the line above if nothing stands before it.
    """
    ends = [found.end() for found in _SENTENCE_ENDS.finditer(before)]
    sentence = before[ends[-1] if ends else 0 :][-_LEAD:]
    if _MAY_BE_ANOTHERS.search(sentence) is None:
        return False
    return any(words.search(sentence) is not None for words in (_BIDDEN, _RELAYED, _OWNED))


def denied_after(after: str) -> bool:
    """Whether a sentence goes on to say that the label before it is not the verdict."""
    return _DENIED_AFTER.match(after) is not None


def beside(after: str, label: str) -> str:
    """A second outcome, in no brackets, that is offered along with the label before it."""
    found = _BESIDE.match(after)
    if found is None or (found["other"] and _same(label, found["other"])):
        return ""
    return found[0].strip(" ,.;")


def contrasts(before: str, after: str) -> bool:
    """Whether a label names the answer that the verdict is against: "whereas [[B]] only …"."""
    return _CONTRASTS.search(before) is not None and not praises(after)


def praises(after: str) -> bool:
    """Whether a sentence goes on to say of a label what is said of no answer that has lost."""
    return _PRAISES.search(after) is not None


def _same(label: str, other: str) -> bool:
    return label.casefold().startswith(other.strip("[").casefold())


def joins(between: str) -> bool:
    """Whether two labels are offered together: only "or", "and" or a slash stands between them."""
    return _JOINS.fullmatch(between) is not None


def rethinks(before: str) -> bool:
    """Whether a stretch ends in a word with which one corrects oneself."""
    return _RETHINKS_LAST.search(before) is not None


def without_quotes(text: str) -> str:
    """A text without its code blocks and quoted lines."""
    return _QUOTED_LINE.sub("", CODE_BLOCK.sub("", text))


def taken_back(after: str, label: str, *, is_tie: bool = False) -> str:
    """The words with which the judge takes back what it said, in all that it says afterwards.

    Args:
        after: the reply from the verdict on; quoted lines in it are not the judge's.
        label: the verdict; a correction that comes to the same is none.
        is_tie: whether the verdict is a tie.
    """
    if not after.strip(" \t\n.*_`"):
        return ""
    told = without_quotes(after)
    if found := _TAKEN_BACK.search(told):
        return found["said"]
    for found in _INSTEAD.finditer(told):
        other = found["other"]
        same = is_tie if "tie" in other or "draw" in other else _same(label, other)
        if not same:
            return found["said"]
    return ""
