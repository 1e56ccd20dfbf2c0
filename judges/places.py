"""Where a verdict belongs in a reply, and which of several labels is the verdict.

A label in a reply is one of three things:

- *declared*: it ends the reply, opens it, or is announced ("final verdict: …");
- *set apart*: alone on its line somewhere between, or what a sentence says the judge concludes;
- *mentioned*: anything else, such as a quotation, a list of the options, a label that is
  weighed and dropped. A mention decides nothing.

Declared labels come before labels set apart. Several declared labels must agree, unless only
the last of them is announced as final.

Then the verdict must stand: another label in its sentence or anywhere after it, unless somebody
else says it or the judge says that it is not the verdict, contradicts it, as do words that take
it back (:mod:`judges.second_thoughts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from core.records import Seen
from judges.readings import Ranking
from judges.replies import CODE_BLOCK
from judges.second_thoughts import (
    beside,
    contrasts,
    denied_after,
    joins,
    praises,
    rethinks,
    taken_back,
)
from judges.wordings import (
    ANSWERS,
    CLOSES,
    CONCLUDES,
    GOES_ON,
    LEAD_IN,
    NOT,
    NOT_NOW,
    PART,
    PREFERS,
    SAID_BY,
    SUPPOSES,
    TITLED,
    WEIGHED,
    WINDOW,
    announcement,
    announces,
    bare,
    bidden,
    denied,
    first_part,
    inside_quotes,
    introduces_quote,
    is_aside,
    last_part,
    reported,
    sentence_around,
)


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


def decide(text: str, tokens: list[Token]) -> list[Token] | None:
    """Pick the verdict out of the labels of a reply.

    Returns:
        One token, the verdict; several that contradict each other; or None if no label
        stands where a verdict belongs.
    """
    reply = _Reply(text, tokens)
    standings = [(token, reply.standing(token)) for token in tokens]
    standing = [(t, s) for t, s in standings if s >= _Standing.DECLARED]
    standing = standing or [(t, s) for t, s in standings if s is _Standing.APART]
    if not standing:
        return None
    last, how = standing[-1]
    rivals = [(t, s) for t, s in standing if t.meaning != last.meaning]
    if how is _Standing.FINAL and all(s < _Standing.FINAL for _, s in rivals):
        against = []
    else:
        clash = reply.same_sentence(last) if how is _Standing.APART else []
        clash = reply.clashing(last) if how is _Standing.DECLARED else clash
        if rethinks(reply.line(last)[0][-LEAD_IN:]):
            clash += [
                t for t, s in standings if s > _Standing.MENTIONED and t.meaning != last.meaning
            ]
        against = [t for t, _ in rivals] + clash
    if against:
        return [against[-1], last]
    second = reply.second_thought(last)
    return [last, second] if second else [last]


def second_thought(text: str, tokens: list[Token], verdict: Token) -> Token | None:
    """What of a reply contradicts a verdict after it has been given.

    Args:
        tokens: all that could be a verdict, in the order of the text.
        verdict: the one of them that stands where it belongs.
    """
    return _Reply(text, tokens).second_thought(verdict)


class _Reply:
    """One reply with its labels, and where each of them stands."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.fences = [
            (f.start(), f.end(), f.start(2), f.end(2)) for f in CODE_BLOCK.finditer(text)
        ]
        first, last = tokens[0], tokens[-1]
        self.opening = first if bare(text[: first.start]) else None
        self.ending = last if bare(text[last.end :]) else None
        self.unanimous = len({t.meaning for t in tokens if not t.modest}) == 1
        self._above: dict[int, str] = {}

    def line(self, token: Token) -> tuple[str, str]:
        """What stands before and after a label on its line, as far as it is looked at."""
        begin = max(self.text.rfind("\n", 0, token.start) + 1, token.start - WINDOW)
        end = self.text.find("\n", token.end, token.end + WINDOW)
        return self.text[begin : token.start], self.text[
            token.end : end if end >= 0 else token.end + WINDOW
        ]

    def standing(self, token: Token) -> _Standing:
        before, after = self.line(token)
        alone = bare(before) and bare(after)
        if self._quoted(token, before, after, alone) or SAID_BY.match(after):
            return _Standing.MENTIONED
        above = self._line_above(token) if bare(before) else ""
        if bidden(before, above) or denied_after(after):
            return _Standing.MENTIONED
        if (announced := self._announced(token, before, after)) is not None:
            return announced
        edge = token is self.ending or token is self.opening
        if token.meaning is None or token.modest:
            return _Standing.DECLARED if edge and alone else _Standing.MENTIONED
        if denied(before) or self._supposed(before, after) or is_aside(before):
            return _Standing.MENTIONED
        follows = CLOSES.match(after) or GOES_ON.match(after)
        opens = token is self.opening and (alone or (self.unanimous and follows))
        if token is self.ending or opens:
            return _Standing.DECLARED
        concluded = CONCLUDES.search(before[-LEAD_IN:]) is not None
        concluded = concluded or (self.unanimous and PREFERS.match(after) is not None)
        return _Standing.APART if alone or concluded else _Standing.MENTIONED

    def _supposed(self, before: str, after: str) -> bool:
        """Whether the sentence around a label says what would be, rather than what is."""
        return SUPPOSES.search(sentence_around(before, after)) is not None

    def same_sentence(self, token: Token) -> list[Token]:
        """Other labels, of another meaning, in the sentence that a label stands in."""
        before, after = self.line(token)
        begin = token.start - len(last_part(before))
        end = token.end + len(first_part(after))
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
        summed_up = announcement(before) or ANSWERS.fullmatch(before[-LEAD_IN:])
        if self._is_titled(token) and not summed_up:
            rivals += [
                other
                for other in self.tokens
                if other.meaning != token.meaning and self._is_titled(other)
            ]
        if PART.search(before):
            rivals += [
                other
                for other in self.tokens
                if other.meaning != token.meaning and PART.search(self.line(other)[0])
            ]
        return rivals

    def second_thought(self, verdict: Token) -> Token | None:
        """What contradicts a verdict after it: another label, or words that take it back."""
        for other in self.tokens:
            if other.start < verdict.end or other.meaning == verdict.meaning:
                continue
            if joins(self.text[verdict.end : other.start]) or self._is_said_anew(other):
                return other
        words = beside(self.line(verdict)[1], verdict.label)
        after = self.text[verdict.end :]
        words = words or taken_back(after, verdict.label, is_tie=verdict.meaning is Seen.TIE)
        return Token(verdict.end, len(self.text), words, None) if words else None

    def _is_said_anew(self, token: Token) -> bool:
        """Whether a label after the verdict is the judge's own word, and not merely a mention."""
        before, after = self.line(token)
        if token.modest or token.meaning is None:
            return rethinks(before[-LEAD_IN:])
        above = self._line_above(token)
        quoted = self._quoted(token, before, after, alone=False) or introduces_quote(above)
        if quoted or SAID_BY.match(after) or bidden(before, above):
            return False
        denied = NOT_NOW.search(before[-LEAD_IN:]) or denied_after(after)
        weighed = self._supposed(before, after) or WEIGHED.match(after) is not None
        against = contrasts(before[-LEAD_IN:], first_part(after))
        remark = is_aside(before) and not praises(first_part(after))
        return not (denied or weighed or against or remark)

    def _is_titled(self, token: Token) -> bool:
        before, after = self.line(token)
        return TITLED.fullmatch(before) is not None and bare(after)

    def _aside(self, token: Token, other: Token) -> bool:
        """Whether a label is only said not to be the verdict, or stands in brackets after it."""
        before = self.line(other)[0]
        between = self.text[token.end : other.start]
        return NOT.search(before[-LEAD_IN:]) is not None or between.rfind("(") > between.rfind(")")

    def _announced(self, token: Token, before: str, after: str) -> _Standing | None:
        if bare(before):
            before = self._line_above(token).rstrip(" \t\n*_#`")
        if ANSWERS.fullmatch(before[-LEAD_IN:]) and not self._supposed(before, after):
            return _Standing.DECLARED
        found = announcement(before)
        if found is None or denied(before[: len(before) - len(found[0])]):
            return None
        if self._supposed(before, after):
            return None
        return _Standing.FINAL if found["final"] else _Standing.DECLARED

    def _line_above(self, token: Token) -> str:
        """The last line with text above a label, code fences left out."""
        if token.start in self._above:
            return self._above[token.start]
        above = self.text[max(0, token.start - WINDOW) : token.start].split("\n")[:-1]
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
        if introduces_quote(self._line_above(token)) or reported(before):
            return True
        if token is self.ending and alone:
            return False
        if before.lstrip().startswith(">"):
            return True
        if alone:
            above = self._line_above(token).rstrip(" \t*_`")
            return above.endswith(":") and not announces(above)
        return inside_quotes(before, after)
