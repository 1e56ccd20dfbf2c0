"""Cases as lines of text: in the list, and the opinions beside the two answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor, log, log10

from core.adjudication.case import (
    REASON_WORDS,
    Case,
    LeadSaid,
    Named,
    Opinion,
    Order,
    Reason,
    Row,
    RulingSeen,
    State,
    Unmasked,
)
from core.records import Seen
from core.saying import SAID, said_of
from core.text import cell_width, many, one_line

SAID_RULING: Mapping[RulingSeen, str] = {
    **{RulingSeen(seen.value): words for seen, words in SAID.items()},
    RulingSeen.NOT_DECIDABLE: "not decidable",
    RulingSeen.MORE_VOTES: "more votes",
}
"""A ruling in the words of its key."""

NOT_WEIGHED = "It was not queued: if it had no votes, its new ones end design weights."
"""Said where a pair beside a draw is sent for more votes."""

SHORT_REASON: Mapping[Reason, str] = {
    Reason.SECOND_OPINION: "2nd opinion",
    Reason.HUMAN_SPLIT: "people split",
    Reason.HUMAN_JUDGE: "judge ≠ people",
    Reason.BOTH_BAD_OR_WIN: "bad or win",
    Reason.JUDGE_JUDGE: "judges split",
    Reason.JUDGE_FLIP: "judge flips",
    Reason.FLAGGED: "flagged",
    Reason.CANNOT_JUDGE: "can't judge",
    Reason.LOW_CONFIDENCE: "unsure",
    Reason.AGREEMENT_SAMPLE: "random sample",
    Reason.BY_HAND: "by hand",
}
"""Why a case is in the queue, in a column of the list."""

WAITS = (State.MINE, State.WAITING)
"""What this lead can rule on now, what they left open first."""

_STATES: Mapping[State, str] = {
    State.WAITING: "open",
    State.MINE: "yours",
    State.TAKEN: "taken",
    State.RULED: "ruled",
    State.MORE_VOTES: "sent",
    State.REFUSED: "closed",
}

STATE_WORDS: Mapping[State, str] = {
    State.WAITING: "waits for a ruling",
    State.MINE: "open on your screen",
    State.TAKEN: "another lead has it open",
    State.RULED: "ruled on",
    State.MORE_VOTES: "waits for the votes that were asked for",
    State.REFUSED: "not for you: one of its answers is of a model family of yours",
}
"""What became of a case, for the line below the list."""

SHORT_ORDER: Mapping[Order, str] = {
    Order.RANKING: "± Elo",
    Order.AGREEMENT: "± agr.",
    Order.OPINIONS: "opinions",
    Order.SPREAD: "spread",
}
"""The same where there is little room, where it is not short anyway."""

ORDER_WORDS: Mapping[Order, str] = {
    Order.RANKING: "effect on the ranking",
    Order.AGREEMENT: "effect on the judges' agreement",
    Order.REASON: "reason",
    Order.QUESTION: "question",
    Order.CATEGORY: "category",
    Order.TURN: "turn",
    Order.OPINIONS: "number of opinions",
    Order.SPREAD: "how evenly opinions are split",
    Order.RANDOM: "chance",
}
"""By what the list is ordered, in words."""

_ELO = 400 / log(10)
"""Elo points to a unit of log-odds: 400 of them make the odds ten times as high."""

_GAP = "  "
_WIDE = 100
_OWN = "yours, earlier"
_LEAST = 0.0001
"""An effect below it is not told from others."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the list; those of one order are marked where the list is in it."""

    title: str
    width: int
    cell: Callable[[Row], str]
    orders: tuple[Order, ...] = ()
    is_number: bool = False
    wants: int = 0


_COLUMNS: Sequence[_Column] = (
    _Column("± Elo", 7, lambda row: elo(row.effect), (Order.RANKING,), is_number=True),
    _Column(
        "± agr.",
        7,
        lambda row: points(row.agreement_effect),
        (Order.AGREEMENT,),
        is_number=True,
        wants=_WIDE,
    ),
    _Column("reason", 14, lambda row: _reasons(row), (Order.REASON,)),
    _Column("state", 6, lambda row: "differ" if row.is_disputed else _STATES[row.state]),
    _Column("says", 6, lambda row: spread(row), (Order.OPINIONS, Order.SPREAD)),
    _Column("turn", 4, lambda row: str(row.turn or "all"), (Order.TURN,), is_number=True),
    _Column("category", 12, lambda row: row.category or "·", (Order.CATEGORY,), wants=_WIDE),
    _Column("question", 0, lambda row: row.question, (Order.QUESTION,)),
)


def header(order: Order, width: int) -> str:
    """The line above the cases; ``▾`` stands at the column that they are ordered by."""
    cells = []
    for each in _columns(order, width):
        mark = "▾" if order in each.orders else ""
        cells.append(_cell(each.title[: each.width - len(mark) or None] + mark, each))
    return _GAP.join(cells).rstrip()


def row_line(row: Row, question: str, order: Order, width: int) -> str:
    """One case in a line, the question's own words last."""
    *columns, last = _columns(order, width)
    cells = [_cell(each.cell(row), each) for each in columns]
    return _GAP.join([*cells, _cell(question, last)]).rstrip()


def _columns(order: Order, width: int) -> list[_Column]:
    """Those that there is room for, and the one that the list is ordered by."""
    shown = [each for each in _COLUMNS if width >= each.wants or order in each.orders]
    free = width - sum(each.width for each in shown) - len(_GAP) * (len(shown) - 1)
    return [
        each if each.width else _Column(each.title, max(6, free), each.cell, each.orders)
        for each in shown
    ]


def _cell(text: str, column: _Column) -> str:
    text = one_line(text, column.width)
    space = " " * (column.width - sum(map(cell_width, text)))
    return space + text if column.is_number else text + space


def elo(effect: float) -> str:
    """A move of the ratings, given in log-odds, as Elo points."""
    return _two_digits(_ELO * effect)


def points(share: float) -> str:
    """A share as percentage points."""
    return _two_digits(100 * share)


def _two_digits(value: float) -> str:
    """A number above 0 to two digits that count: ``31``, ``0.52``, ``0.0058``."""
    if value <= 0:
        return "·"
    if value < _LEAST:
        return f"<{_LEAST:.4f}"
    return f"{value:,.{max(0, 1 - floor(log10(value)))}f}"


def _reasons(row: Row) -> str:
    more = f" +{len(row.reasons) - 1}" if len(row.reasons) > 1 else ""
    first = SHORT_REASON[row.reasons[0]] if row.reasons else "·"
    return first if len(first) + len(more) > 14 else first + more


def spread(row: Row) -> str:
    """How many opinions say the same, without what: ``2:1``; ``·`` where it is not said."""
    if row.is_blank:
        return "·"
    return ":".join(map(str, row.spread)) or "none"


_BLANK = "whether anybody disputes it is not said before you rule"


def row_facts(row: Row) -> list[str]:
    """What the list has no room for, of the chosen case."""
    state = (
        "leads disagree, nobody's ruling is final" if row.is_disputed else STATE_WORDS[row.state]
    )
    facts = [state]
    if not row.is_blank:
        facts.append(f"{many(row.opinions, 'opinion')}: {spread(row)}")
    if row.category is not None:
        facts.insert(0, row.category)
    if row.rulings:
        facts.append(many(row.rulings, "ruling"))
    if row.probability is not None:
        facts.append(f"drawn at random with probability {row.probability:g}")
    why = "; ".join(REASON_WORDS[reason] for reason in row.reasons)
    return ["  │  ".join(facts), why, _BLANK if row.is_blank else _would_move(row)]


def _would_move(row: Row) -> str:
    """What a ruling is expected to change."""
    moved = []
    if row.effect > 0:
        moved.append(f"ratings ± {elo(row.effect)} Elo")
    if row.agreement_effect > 0:
        moved.append(f"judges' agreement ± {points(row.agreement_effect)} points")
    return f"expected of a ruling: {', '.join(moved) or 'nothing that is measured moves'}"


# ── opinions ────────────────────────────────────────────────────────────────


def tally(opinions: Sequence[Opinion]) -> str:
    """How the opinions fall, one's own earlier vote among them: ``3 opinions: A is better 2``."""
    counts = Counter(one.seen for one in opinions)
    said = " · ".join(f"{said_of(seen)} {counts[seen]}" for seen in (*Seen, None) if counts[seen])
    return f"{many(len(opinions), 'opinion')}: {said}" if opinions else "no opinions"


def opinions_text(case: Case) -> str:
    """The unnamed opinions, each in its paragraph."""
    parts = [f"Second opinion asked for: {case.asked}\n"] if case.asked else []
    parts += [*_paragraphs((one, one.kind) for one in case.opinions)]
    return "\n".join(parts) or "Nobody has said anything about this."


def models(unmasked: Unmasked) -> str:
    """Who wrote the two answers."""
    return f"A: {one_line(unmasked.left, 60)} · B: {one_line(unmasked.right, 60)}"


def unmasked_text(unmasked: Unmasked, *, is_final: bool = False) -> str:
    """Who said what, and what was ruled before that was known.

    Args:
        is_final: whether this lead's own ruling is final.
    """
    stands = f"Ruled{', final' * is_final}: {SAID_RULING[unmasked.stands]}"
    if unmasked.stands is not unmasked.blind:
        stands += f"; before the names were shown: {SAID_RULING[unmasked.blind]}"
    parts = [f"{stands}\n{unmasked.reason}"]
    parts[0] += "".join(f"\n{_other(one)}" for one in unmasked.others)
    if len({unmasked.stands, *(one.seen for one in unmasked.others)}) > 1:
        finals = any(one.is_final for one in unmasked.others) or is_final
        parts[0] += "\nLeads disagree" + (
            "; a final ruling settles it" if finals else ": a final ruling would settle it"
        )
    if unmasked.reasons:
        parts[0] += "\nHere because " + "; ".join(REASON_WORDS[one] for one in unmasked.reasons)
    parts.append("\n".join(_paragraphs((one.opinion, _who(one)) for one in unmasked.opinions)))
    return "\n\n".join(parts)


def _other(said: LeadSaid) -> str:
    final = ", final" if said.is_final else ""
    return f"Lead {said.name} ruled{final}: {SAID_RULING[said.seen]}\n   {said.reason}"


def _paragraphs(opinions: Iterable[tuple[Opinion, str]]) -> Iterator[str]:
    """Each opinion; those that say more than an outcome stand apart."""
    was_long = False
    for number, (one, who) in enumerate(opinions):
        lines = [*_opinion(one, who)]
        is_long = len(lines) > 1
        yield "\n" * (number > 0 and (is_long or was_long)) + "\n".join(lines)
        was_long = is_long


def _who(named: Named) -> str:
    detail = f" ({named.detail})" if named.detail else ""
    return f"{named.kind} {named.name}{detail}"


def _opinion(one: Opinion, who: str) -> Iterator[str]:
    """One opinion: its outcome in the first line, what was said with it below."""
    head = [f"{one.number}  {said_of(one.seen)}"]
    if one.is_own:
        head.append(_OWN)
    head += [who] if who else []
    if one.confidence is not None:
        head.append(f"confidence {one.confidence}")
    yield "  ·  ".join(head)
    if one.cannot_judge:
        yield f"   cannot judge: {one.cannot_judge}"
    if one.criteria:
        yield "   " + ", ".join(f"{name}: {SAID[seen]}" for name, seen in one.criteria.items())
    if one.tags:
        yield "   " + ", ".join(one.tags)
    if one.flag:
        yield f"   ⚑ {one.flag}"
    if one.text:
        if one.is_turned:
            yield "   (written with A and B the other way round: its A is your B)"
        elif one.is_unsided:
            yield "   (which answer it calls A or B was not recorded)"
        yield from (f"   {line}" for line in one.text.splitlines())
