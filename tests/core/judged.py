"""Studies with several judges in both orders, as rows, and slow readings of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from hypothesis import strategies as st

from core.panels import Panel, PanelRule
from core.records import Choice, combine
from core.stats import Tally
from tests.core.stats_oracle import Rows

JUDGES = ("j1", "j2", "j3", "j4")
_CHOICE = (None, *Choice)


@st.composite
def judged(draw: st.DrawFn, failures: int = 99, *, complete: bool = False) -> Rows:
    """Votes on some pairs, and judges' verdicts in both orders.

    Args:
        failures: at most this many.
        complete: every judge has both orders of every item, or none.
    """
    rows = Rows()
    pairs = [
        rows.pair(f"q{number}", *draw(st.sampled_from([("a", "b"), ("b", "c"), ("a", "c")])))
        for number in range(draw(st.integers(1, 4)))
    ]
    for pair in pairs:
        for name in draw(st.lists(st.sampled_from(["ann", "bob", "cat"]), max_size=3, unique=True)):
            rows.vote(pair, name, draw(st.integers(1, 4)))
    for judge in JUDGES[: draw(st.integers(1, 4))]:
        for pair in pairs:
            if complete and not draw(st.integers(0, 3)):
                continue
            for left in (1, 2):
                if not complete and not draw(st.integers(0, 3)):
                    continue
                low = 0 if sum(row[4] == 0 for row in rows.verdicts) < failures else 1
                rows.verdict(pair, judge, draw(st.integers(low, 4)), left=left)
    return rows


def with_panels(rows: Rows, panels: Mapping[str, Mapping[str, float | None]]) -> Tally:
    """The rows' tally with weighted panels; members that judged nothing are left out."""
    tally = rows.tally()
    tally.panels = tuple(
        Panel(name, PanelRule.WEIGHTED, dict(members)) for name, members in panels.items()
    )
    return tally


def slow_word(rows: Rows, judge: str, pair: int) -> str | int | None:
    """A judge's word on a pair: 1–4, ``failure``, ``pending``, or None; only ever both orders."""
    number = rows.judges[judge]
    said = {row[5]: row[4] for row in rows.verdicts if row[1] == pair and row[3] == number}
    if not said:
        return None
    if 0 in said.values():
        return "failure"
    if len(said) < 2:
        return "pending"
    _, choice = combine(_CHOICE[said[1]], _CHOICE[said[2]])
    return _CHOICE.index(choice)


def slow_vote(words: Sequence[str | int | None], weights: Sequence[float]) -> str | int | None:
    """A panel's word by the rules as docs/judges.md states them."""
    if all(word is None for word in words):
        return None
    if None in words or "pending" in words:
        return "pending"
    lost = sum(w for word, w in zip(words, weights, strict=True) if word == "failure")
    if lost and lost >= sum(weights) / 2 - 1e-9:
        return "failure"
    cast = {
        choice: sum(w for word, w in zip(words, weights, strict=True) if word == choice)
        for choice in (1, 2, 3, 4)
    }
    top = max(cast.values())
    first = [choice for choice, weight in cast.items() if abs(weight - top) < 1e-9]
    return first[0] if len(first) == 1 else "undecided"


def completions(rows: Rows) -> list[Rows]:
    """The study with every failed verdict turned into each choice it could have been."""
    failed = [place for place, row in enumerate(rows.verdicts) if row[4] == 0]
    found = []
    for choices in product((1, 2, 3, 4), repeat=len(failed)):
        verdicts = list(rows.verdicts)
        for place, choice in zip(failed, choices, strict=True):
            row = verdicts[place]
            verdicts[place] = (*row[:4], choice, *row[5:])  # type: ignore[assignment]
        found.append(
            Rows(rows.pairs, rows.categories, rows.annotators, rows.judges, rows.votes, verdicts)
        )
    return found
