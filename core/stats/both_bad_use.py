"""Where "both bad" is said: by category, by the answers' length, and as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.stats.background import COUNTED
from core.stats.clustered import (
    FALSE_DISCOVERIES,
    FEWEST_CLUSTERS,
    Told,
    change,
    clusters_of,
)
from core.stats.intervals import clustered_wilson
from core.stats.observed import NO_TEXTS
from core.stats.rater_bias import stands_out
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD
from core.stats.view import View
from core.text import many

Bools = NDArray[np.bool_]
Longs = NDArray[np.int64]

ALL, SHARE, LESS = "all", "share", "less the rest"
_THIRDS = ("short", "middle", "long")


def lengths(view: View) -> Longs:
    """Characters of both answers together, shape (items,); −1 where a text is not known."""
    tally = view.tally
    question = tally.pair_table[view.pair, 3].astype(np.int64)
    turn, column = view.turn.astype(np.int64), COUNTED.index("characters")
    total = np.zeros(len(view.items), np.int64)
    known = np.ones(len(view.items), np.bool_)
    for model in (view.model_1, view.model_2):
        counted, found = tally.background.counts(
            tally.questions, tally.models, (question, model.astype(np.int64), turn)
        )
        total += counted[:, column]
        known &= found
    return np.where(known, total, -1)


def _kinds(view: View) -> Iterator[tuple[str, Bools, Bools]]:
    """Each kind of items with what it is set against: a name, the items, and the rest."""
    names = view.tally.categories
    known = [number for number, name in enumerate(names) if name is not None]
    told = np.isin(view.category, known)
    if len(known) > 1:
        for number in sorted(known, key=lambda each: str(names[each])):
            mine = view.category == number
            if mine.any():
                yield f"category: {names[number]}", mine, told & ~mine
    total = lengths(view)
    told = total >= 0
    if told.any():
        edges = np.quantile(total[told], [1 / 3, 2 / 3])
        third = np.searchsorted(edges, total, side="left")
        for number, name in enumerate(_THIRDS):
            mine = told & (third == number)
            if mine.any():
                yield f"length: {name}", mine, told & ~mine


def _share(view: View, labels: dict[str, Label], bad: Longs, every: Longs) -> Estimate:
    part, whole = view.pair_sums(bad), view.pair_sums(every)
    level = view.options.level
    found = clustered_wilson(part, whole, level, "comparisons", "pairs")
    if found is None:
        return Estimate(labels, None, reason="nothing was voted on or judged here")
    n, k = int(whole.sum()), int(part.sum())
    return Estimate(
        labels, found.value, found.low, found.high, level, n=n, k=k, method=found.method
    )


def _told(view: View, bad: Longs, every: Longs, mine: Bools, rest: Bools) -> Told | str:
    """How much more often both are bad among some items than among the rest, or why not."""
    sums = []
    for here in (rest, mine):
        part, whole = view.pair_sums(bad * here), view.pair_sums(every * here)
        seen = whole > 0
        if seen.sum() < FEWEST_CLUSTERS:
            which = "of this kind" if here is mine else "of other kinds"
            return f"{many(int(seen.sum()), 'pair')} {which}; {FEWEST_CLUSTERS} are needed"
        values = np.concatenate([np.ones(int(part.sum())), np.zeros(int((whole - part).sum()))])
        place = np.arange(len(whole))
        cluster = np.concatenate([np.repeat(place, part), np.repeat(place, whole - part)])
        sums.append(clusters_of(values, cluster))
    return change(sums[0], sums[1], view.options.level)


def _difference(view: View, labels: dict[str, Label], told: Told | str, n: int) -> Estimate:
    if isinstance(told, str):
        return Estimate(labels, None, n=n, unit="difference", reason=told)
    method = f"Welch's t over pairs, p = {told.p:.2g} before the correction"
    ends = told.low, told.high, view.options.level
    return Estimate(labels, told.value, *ends, n, unit="difference", method=method)


@statistic(
    "both_bad_use",
    "Where both bad is said",
    order=69,
    limits=(
        "Saying both bad more often than others may be the stricter eye or the harder "
        "questions; nobody is wrong by it."
    ),
)
def both_bad_use(view: View) -> Result:
    """The share of both bad by people, judges and panels, by category and by length."""
    rows: list[tuple[dict[str, Label], Estimate | None, Told | str, int]] = []
    kinds = list(_kinds(view))
    silent = []
    for rater, counts in view.raters().items():
        bad, every = (
            each.astype(np.int64) for each in (counts[:, BOTH_BAD - 1], counts.sum(axis=1))
        )
        labels: dict[str, Label] = {"rater": rater, "among": ALL, "measure": SHARE}
        rows.append((labels, _share(view, labels, bad, every), "", 0))
        if not bad.any():
            silent.append(rater)
            continue
        for name, mine, rest in kinds:
            labels = {"rater": rater, "among": name, "measure": SHARE}
            rows.append((labels, _share(view, labels, bad * mine, every * mine), "", 0))
            told, n = _told(view, bad, every, mine, rest), int((every * mine).sum())
            rows.append(({**labels, "measure": LESS}, None, told, n))
    tests = [row for row in rows if row[1] is None]
    words = iter(stands_out([None if isinstance(row[2], str) else row[2].p for row in tests]))
    estimates = [
        done or _difference(view, {**labels, "stands out": next(words)}, told, n)
        for labels, done, told, n in rows
    ]
    notes = [f"{name}: never says both bad" for name in silent]
    if rows and not (lengths(view) >= 0).any():
        notes.append(f"nothing by length: {NO_TEXTS}")
    if not rows:
        notes.append("there are no votes and no verdicts yet")
    return Result(
        "both_bad_use",
        "Where both bad is said",
        "How often both answers are called bad, and where more or less often than elsewhere.",
        ("rater", "among", "measure", "stands out"),
        tuple(estimates),
        (*notes, *view.judge_notes()),
        view.assumptions(
            f"{LESS}: the share among these less the share among all others of that sort",
            "length: both answers' characters together, in thirds of this study's items",
            f"stands out: corrected is a false-discovery rate of {FALSE_DISCOVERIES:.0%} over the "
            "table (Benjamini–Yekutieli); alone: only taken by itself",
            "who says it more often than others on the same items is in rater_bias",
            "turns are pooled; intervals are clustered by pair",
        ),
    )
