"""Whether the side an answer stands on moves the choice.

Judges: the table of the MT-bench paper (its table 2), from both orders of each item. People:
how often the left answer is chosen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.records import Combined
from core.stats.intervals import clustered_share, wilson
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import ABSENT, COUNTED_LEFT, COUNTED_RIGHT, FAILED, MODEL_1, MODEL_2
from core.stats.view import Outcomes, View

Bools = NDArray[np.bool_]

ALL = "all"
OUTCOMES = ("consistent", "first", "second", "error", "flip", "half_flip")
LEFT_SHARE = "left"

_BOTH_ORDERS = slice(1, 3)


def position_outcomes(cells: NDArray[np.int8], kinds: Outcomes) -> dict[str, Bools]:
    """Which items fall under each outcome of the table.

    An order in which the answer shown first wins counts +1, the one shown second −1, a tie or
    both bad 0. A sum of 0 is consistent, above 0 favours the first, below 0 the second.

    Args:
        cells: words in both orders (model_1 left, model_2 left), shape (items, 2), none absent.
        kinds: the combined outcomes of the same items.
    """
    failed = (cells == FAILED).any(axis=1)
    first = (cells == np.array([MODEL_1 + 1, MODEL_2 + 1])).sum(axis=1)
    second = (cells == np.array([MODEL_2 + 1, MODEL_1 + 1])).sum(axis=1)
    return {
        "consistent": ~failed & (first == second),
        "first": ~failed & (first > second),
        "second": ~failed & (first < second),
        "error": failed,
        "flip": kinds.is_kind(Combined.FLIP),
        "half_flip": kinds.is_kind(Combined.HALF_FLIP),
    }


def _judge_rows(view: View, judge: int, name: str) -> list[Estimate]:
    cells = view.tally.judge_cells(judge)[view.items, _BOTH_ORDERS]
    both = (cells != ABSENT).all(axis=1)
    if not both.any():
        recorded = bool((cells != ABSENT).any())
        reason = (
            "no item has both of its orders"
            if recorded
            else "its verdicts came without the order the answers were shown in"
        )
        labels: dict[str, Label] = {"rater": name, "turn": ALL, "outcome": "consistent"}
        return [Estimate(labels, None, reason=reason)]
    kinds = view.outcomes(judge)
    mine = Outcomes(kinds.choice[both], kinds.kind[both], kinds.one_order)
    found = position_outcomes(cells[both], mine)
    turn = view.turn[both]
    rows = []
    for label, here in _by_turn(turn):
        n = int(here.sum())
        for outcome in OUTCOMES:
            k = int((found[outcome] & here).sum())
            low, high = wilson(k, n, view.options.level)
            rows.append(
                Estimate(
                    {"rater": name, "turn": label, "outcome": outcome},
                    k / n,
                    low,
                    high,
                    view.options.level,
                    n=n,
                    k=k,
                    method=f"Wilson over {n} items",
                )
            )
    return rows


def _by_turn(turn: NDArray[np.int32]) -> list[tuple[Label, Bools]]:
    """Each turn that occurs, and all of them together where there are several."""
    each: list[tuple[Label, Bools]] = [(int(t), turn == t) for t in np.unique(turn)]
    return each if len(each) == 1 else [*each, (ALL, np.ones(len(turn), np.bool_))]


def _human_row(view: View, population: str) -> Estimate:
    labels: dict[str, Label] = {"rater": population, "turn": ALL, "outcome": LEFT_SHARE}
    counts = view.sided_counts(population)
    left = view.pair_sums(counts[:, COUNTED_LEFT])
    right = view.pair_sums(counts[:, COUNTED_RIGHT])
    options = view.options
    rng = view.rng("position", population)
    found = clustered_share(left, left + right, options.level, options.replicates, rng)
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
        options.level,
        n=int((left + right).sum()),
        k=int(left.sum()),
        method=found.method,
        chance=1 / 2,
    )


@statistic("position", "Position bias", order=60)
def position(view: View) -> Result:
    """Consistent, first, second and error per judge; the left answer's share for people."""
    estimates = [_human_row(view, population) for population in view.populations]
    names = view.tally.judges
    present = view.judges()
    numbers = {name: number for number, name in enumerate(names)}
    for name in present:
        estimates += _judge_rows(view, numbers[name], name)
    return Result(
        "position",
        "Position bias",
        "What a judge does when the answers change places, and how often people choose the left.",
        ("rater", "turn", "outcome"),
        tuple(estimates),
        (),
        view.assumptions(
            "judges: items with both orders; first + second + consistent + error is all of them",
            "error: a call failed in either order",
            "a shift between tie and win counts as first or second; "
            "tie against both bad favours neither side and counts as consistent",
            "flip: the same side wins both times; half_flip: any other difference of the orders",
            "consistency alone mixes noise with bias: compare first with second",
            "people: votes that prefer a model, with the side recorded; blind to position is 1/2",
            "people's interval is clustered by pair",
        ),
    )
