"""People's lean to one side beside each judge's: the same measures for both."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from core.stats.collapsed import Columns, cells, collapsed, collapsed_pairs, derived
from core.stats.intervals import clustered_wilson, normal_quantile
from core.stats.observed import Longs, present_judges
from core.stats.outcomes import has_choice
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.style import beside, difference, effect, fits, full_fit, raters, style_work
from core.stats.tally import MODEL_1, MODEL_2
from core.stats.view import View
from core.text import many

SHARE, LOGIT, BOTH_ORDERS, SIGNED = "left", "log-odds", "both orders", "first − second"

_UNIT = "log-odds"


def _leaning(low: float | None, high: float | None, middle: float) -> str:
    if low is None or high is None:
        return ""
    if low > middle:
        return "first"
    return "second" if high < middle else "neither"


def _labelled(row: Estimate, middle: float = 0.0) -> Estimate:
    """The row with what its interval says in a word."""
    labels = {**row.labels, "leans": _leaning(row.low, row.high, middle)}
    return replace(row, labels=labels)


def _share(view: View, name: str, said: Columns) -> Estimate:
    labels: dict[str, Label] = {"rater": name, "measure": SHARE}

    def sided(rows: Longs) -> Longs:
        left = rows[:, 1] + rows[:, 5]
        return np.stack([left, left + rows[:, 2] + rows[:, 4], rows.sum(axis=1)], axis=1)

    (_, sums), times = collapsed_pairs(view, (), derived(said, "sided", 3, sided))
    part, whole, decisive = sums.T
    found = clustered_wilson(part, whole, view.options.level, "choices", "pairs", times)
    if found is None:
        return Estimate(labels, None, reason=_no_sides(bool(decisive.any())))
    return Estimate(
        labels,
        found.value,
        found.low,
        found.high,
        view.options.level,
        n=int(times @ whole),
        k=int(times @ part),
        method=found.method,
        chance=1 / 2,
    )


def _no_sides(decisive: bool) -> str:
    if not decisive:
        return "no choice prefers a model yet"
    return "nobody recorded which answer stood left"


def _both_orders(view: View, name: str, judge: int) -> list[Estimate]:
    """What the two orders of an item say with the item itself held still; judges only."""
    (rows,), times = collapsed(view, cells(view, judge))
    words = rows[:, 1:3]
    both = has_choice(words).all(axis=1)
    labels: dict[str, Label] = {"rater": name, "measure": BOTH_ORDERS}
    if not both.any():
        return [Estimate(labels, None, unit=_UNIT, reason="no item has both of its orders")]
    words, times = words[both], times[both]
    first = (words == np.array([MODEL_1 + 1, MODEL_2 + 1])).sum(axis=1)
    second = (words == np.array([MODEL_2 + 1, MODEL_1 + 1])).sum(axis=1)
    always_first, always_second = (int(times[each == 2].sum()) for each in (first, second))
    if always_first and always_second:
        # Given an item that follows its position, its own leaning cancels: McNemar's odds ratio
        # is the square of the odds that the first place gives.
        value = math.log(always_first / always_second) / 2
        error = math.sqrt(1 / always_first + 1 / always_second) / 2
        half = normal_quantile(view.options.level) * error
        odds = Estimate(
            labels,
            value,
            value - half,
            value + half,
            view.options.level,
            n=always_first + always_second,
            unit=_UNIT,
            method=f"½ log({always_first}/{always_second}), always first / always second",
        )
    else:
        reason = (
            f"{many(always_first, 'item')} where the first always won and {always_second} "
            "where the "
            "second did: the ratio has no finite logarithm"
        )
        odds = Estimate(labels, None, n=always_first + always_second, unit=_UNIT, reason=reason)
    return [odds, _signed(view, name, first - second, times)]


def _signed(view: View, name: str, lean: Longs, times: Longs) -> Estimate:
    """Share of items that favour the first less that of the second, with an exact sign test.

    Args:
        lean: above 0 where an item favours the first.
        times: how many items are alike.
    """
    from scipy.special import bdtr

    for_first, for_second = int(times[lean > 0].sum()), int(times[lean < 0].sum())
    n = int(times.sum())
    labels: dict[str, Label] = {"rater": name, "measure": SIGNED}
    moved = for_first + for_second
    p = min(1.0, 2 * float(bdtr(min(for_first, for_second), moved, 0.5))) if moved else 1.0
    # Bonett & Price 2012: paired shares, one made-up item on either side.
    more = [(for_first + 1) / (n + 2), (for_second + 1) / (n + 2)]
    middle = more[0] - more[1]
    half = normal_quantile(view.options.level) * math.sqrt((sum(more) - middle**2) / (n + 2))
    value = (for_first - for_second) / n
    return Estimate(
        labels,
        value,
        max(-1.0, min(value, middle - half)),
        min(1.0, max(value, middle + half)),
        view.options.level,
        n=n,
        unit="difference",
        method=f"{for_first} − {for_second}; exact sign test, p = {p:.2g}; Bonett–Price",
    )


@statistic(
    "position_lean",
    "First or second: people beside judges",
    order=61,
    limits=(
        "A lean is of these raters on these pairs; where pairs differ far beyond their models "
        "it is shrunk towards none."
    ),
    follows=True,
    work=style_work,
)
def position_lean(view: View) -> Result:
    """How far people and each judge lean to a side, by the same measures, and the difference."""
    fitted = fits(view)
    judges = present_judges(view)
    estimates: list[Estimate] = []
    for name, said in raters(view).items():
        estimates.append(_labelled(_share(view, name, said), 1 / 2))
        logit: dict[str, Label] = {"rater": name, "measure": LOGIT}
        estimates.append(_labelled(effect(view, logit, 0, fitted.fits[name])))
        if name in judges:
            estimates += map(_labelled, _both_orders(view, name, judges[name]))
    if fitted.people:
        people = fitted.people[0]
        for name in judges:
            labels: dict[str, Label] = {"rater": beside(name, people), "measure": LOGIT}
            row = difference(view, labels, 0, name, people)
            estimates += [_labelled(row)] if row else []
    notes = view.judge_notes() if estimates else (view.none_of("votes and no verdicts"),)
    return Result(
        "position_lean",
        "First or second: people beside judges",
        "The left answer is the one shown first; above the middle, the first is favoured.",
        ("rater", "measure", "leans"),
        tuple(estimates),
        notes,
        view.assumptions(
            "sides were assigned at random, or both orders asked for: otherwise a lean may be "
            "the better answers' place",
            f"{SHARE}: of choices that prefer a model, those for the left; 1/2 without a lean",
            f"{LOGIT}: what standing left adds, in the model of the table style",
            f"{BOTH_ORDERS}: half the log of always first / always second; of one judge, with each "
            "item held still, so it is not shrunk by how far items differ",
            f"{SIGNED}: share of items that favour the first less those that favour the second; a "
            "tie against a win counts for the side that wins",
            *full_fit(view),
            "leans: what the interval says by itself; many raters make some lean by chance, see "
            "rater_bias for the correction",
        ),
    )
