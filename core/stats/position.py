"""Whether the side an answer stands on moves the choice.

Judges: the table of the MT-bench paper (its table 2), from both orders of each item. People:
how often the left answer is chosen.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.stats.cells import ABSENT, FAILED
from core.stats.collapsed import cells as cells_of
from core.stats.collapsed import collapsed, collapsed_pairs, turns, votes
from core.stats.intervals import clustered_wilson, wilson
from core.stats.outcomes import UNDECIDED_CELL
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD, CHOICES, COUNTED_LEFT, COUNTED_RIGHT, MODEL_1, MODEL_2, TIE
from core.stats.view import View
from core.text import many

Bools = NDArray[np.bool_]

ALL = "all"
OUTCOMES = ("consistent", "first", "second", "error", "flip", "half_flip")
LEFT_SHARE = "left"

_BOTH_ORDERS = slice(1, 3)


def _outcomes_of(first: int, second: int) -> list[bool]:
    """Which of :data:`OUTCOMES` the words in the two orders fall under, none of them absent."""
    if FAILED in (first, second):
        return [outcome == "error" for outcome in OUTCOMES]
    wins = {MODEL_1 + 1, MODEL_2 + 1}
    # With model 1 left the first answer is model 1's, with model 2 left model 2's.
    shown_first = (first == MODEL_1 + 1) + (second == MODEL_2 + 1)
    shown_second = (first == MODEL_2 + 1) + (second == MODEL_1 + 1)
    found = {
        "consistent": shown_first == shown_second,
        "first": shown_first > shown_second,
        "second": shown_first < shown_second,
        "flip": first != second and {first, second} <= wins,
        "half_flip": first != second and not {first, second} <= wins,
    }
    return [found.get(outcome, False) for outcome in OUTCOMES]


@cache
def _tables() -> tuple[Bools, Bools]:
    """For each two cells the outcomes there are, and those there could be; (cells², outcomes)."""
    cells, said = range(CHOICES + 2), range(FAILED + 1, FAILED + 1 + CHOICES)
    real, possible = [], []
    for two in product(cells, repeat=2):
        real.append(_outcomes_of(*two))
        completed = product(*(said if cell == FAILED else [cell] for cell in two))
        possible.append(np.any([_outcomes_of(*each) for each in completed], axis=0).tolist())
    return np.array(real), np.array(possible)


def position_outcomes(cells: NDArray[Any]) -> tuple[Bools, Bools]:
    """Which items fall under each of :data:`OUTCOMES`, and under which they could; (items, 6).

    An order in which the answer shown first wins counts +1, the one shown second −1, a tie or
    both bad 0. A sum of 0 is consistent, above 0 favours the first, below 0 the second.

    Args:
        cells: words in both orders (model_1 left, model_2 left), shape (items, 2), none absent.
    """
    real, possible = _tables()
    codes = cells[:, 0].astype(np.int64) * (CHOICES + 2) + cells[:, 1]
    return real[codes], possible[codes]


def _judge_rows(view: View, judge: int, name: str) -> list[Estimate]:
    (turn, cells), times = collapsed(view, turns(view), cells_of(view, judge))
    turn, cells = turn[:, 0], cells[:, _BOTH_ORDERS]
    if view.options.merge_both_bad:
        cells = np.where(cells == BOTH_BAD + 1, TIE + 1, cells)
    both = ((cells != ABSENT) & (cells != UNDECIDED_CELL)).all(axis=1)
    waiting = times * ((cells != ABSENT).any(axis=1) & (cells == ABSENT).any(axis=1))
    if not both.any():
        recorded = bool((cells != ABSENT).any())
        reason = (
            "no item has both of its orders"
            if recorded
            else "its verdicts came without the order the answers were shown in"
        )
        labels: dict[str, Label] = {"rater": name, "turn": ALL, "outcome": "consistent"}
        return [Estimate(labels, None, reason=reason, pending=int(waiting.sum()))]
    real, possible = position_outcomes(cells[both])
    alike = times[both]
    has_failed = real[:, OUTCOMES.index("error")]
    rows = []
    for label, here in _by_turn(turn[both]):
        n, failed = int(alike @ here), int(alike @ (has_failed & here))
        pending = int(waiting.sum() if label == ALL else waiting[turn == label].sum())
        for place, outcome in enumerate(OUTCOMES):
            k = int(alike @ (real[:, place] & here))
            low, high = wilson(k, n, view.options.level)
            could = int(alike @ (possible[:, place] & has_failed & here))
            bounded = failed and outcome != "error"
            rows.append(
                Estimate(
                    {"rater": name, "turn": label, "outcome": outcome},
                    k / n,
                    low,
                    high,
                    view.options.level,
                    n=n,
                    k=k,
                    method=f"Wilson over {many(n, 'item')}",
                    lowest=k / n if bounded else None,
                    highest=(k + could) / n if bounded else None,
                    failed=failed,
                    pending=pending,
                )
            )
    return rows


def _by_turn(turn: NDArray[np.int64]) -> list[tuple[Label, Bools]]:
    """Each turn that occurs, and all of them together where there are several."""
    each: list[tuple[Label, Bools]] = [(int(t), turn == t) for t in np.unique(turn)]
    return each if len(each) == 1 else [*each, (ALL, np.ones(len(turn), np.bool_))]


def _human_row(view: View, population: str) -> Estimate:
    labels: dict[str, Label] = {"rater": population, "turn": ALL, "outcome": LEFT_SHARE}
    (_, counts), times = collapsed_pairs(view, (), votes(view, population, sides=True))
    left, right = counts[:, COUNTED_LEFT], counts[:, COUNTED_RIGHT]
    # The very interval that position_lean has: it is the same number.
    level = view.options.level
    found = clustered_wilson(left, left + right, level, "choices", "pairs", times)
    if found is None:
        prefer = bool(counts[:, :2].any())
        reason = (
            "nobody recorded which answer stood left" if prefer else "no vote prefers a model yet"
        )
        return Estimate(labels, None, reason=reason)
    return Estimate(
        labels,
        found.value,
        found.low,
        found.high,
        level,
        n=int(times @ (left + right)),
        k=int(times @ left),
        method=found.method,
        chance=1 / 2,
    )


@statistic(
    "position",
    "Position bias",
    order=60,
    limits=(
        "Consistency is not freedom from bias: a coin is inconsistent and leans nowhere. The "
        "share of left votes is bias only if sides were assigned at random."
    ),
    follows=True,
)
def position(view: View) -> Result:
    """Consistent, first, second and error per judge; the left answer's share for people."""
    estimates = [_human_row(view, population) for population in view.populations]
    for name, number in view.present.items():
        estimates += _judge_rows(view, number, name)
    for name in view.panels():
        labels: dict[str, Label] = {"rater": name, "turn": ALL, "outcome": "consistent"}
        reason = "a panel votes with words that join both orders; see its members"
        estimates.append(Estimate(labels, None, reason=reason))
    return Result(
        "position",
        "Position bias",
        "What a judge does when the answers change places, and how often people choose the left.",
        ("rater", "turn", "outcome"),
        tuple(estimates),
        (),
        view.assumptions(
            "judges: items with both orders; first + second + consistent + error is all of them",
            "error: a call failed in either order; failures could make it: the value if the failed "
            "calls had gone against it, or for it, the other order being as it is",
            "a shift between tie and win counts as first or second; "
            "tie against both bad favours neither side and counts as consistent",
            "flip: the same side wins both times; half_flip: any other difference of the orders",
            "consistency alone mixes noise with bias: compare first with second",
            "people: votes that prefer a model, with the side recorded; blind to position is 1/2",
            "people's interval is clustered by pair",
        ),
    )
