"""Where "both bad" is said: by category, by the answers' length, and as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.stats.background import COUNTED
from core.stats.by_question import kept_by_question, near_questions, pairs_of, summed
from core.stats.clustered import (
    BOTH,
    FALSE_DISCOVERIES,
    FEWEST_CLUSTERS,
    Both,
    Moments,
    Told,
    both_of,
    both_terms,
    change,
    change_over,
    wilson_over,
)
from core.stats.collapsed import (
    Columns,
    choices,
    collapsed,
    collapsed_pairs,
    derived,
    pair_rows,
    raters_in,
)
from core.stats.intervals import Interval, clustered_wilson
from core.stats.ledger import Floats
from core.stats.nearby import Parts
from core.stats.observed import NO_TEXTS
from core.stats.rater_bias import stands_out
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD
from core.stats.view import View
from core.text import many

Longs = NDArray[np.int64]
Sums = tuple[Longs, Longs]
"""Both bad, and all choices, by pair of answers."""

ALL, SHARE, LESS = "all", "share", "less the rest"
_THIRDS = ("short", "middle", "long")
_SORTS = len(_THIRDS) + 1
"""Thirds of length, and where the texts are not known."""

_CATEGORY = (2,)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Items that are set against the others of their sort.

    Attributes:
        category: their category; None for all.
        thirds: their places among the columns of :func:`_thirds`.
    """

    name: str
    category: int | None
    thirds: slice

    def of(self, categories: Longs, columns: Longs, known: Longs) -> tuple[Longs, Longs]:
        """Sums over the items of this kind and over the rest, of some pairs of answers.

        Args:
            categories: of each.
            columns: of each, by third of length.
            known: the categories that have a name.
        """
        if self.category is None:
            mine = _across(columns[:, self.thirds])
            return mine, _across(columns[:, : len(_THIRDS)]) - mine
        told = _across(columns) * np.isin(categories, known)
        mine = told * (categories == self.category)
        return mine, told - mine


def _across(columns: Longs) -> Longs:
    """The sum of each row, column by column: numpy is slow to reduce rows of four."""
    return reduce(np.add, columns.T)


def _lengths(view: View, items: Longs) -> Longs:
    """Characters of both answers together, shape (items,); −1 where a text is not known."""
    tally = view.tally
    about = tally.pair_table[tally.item_pair[items]].astype(np.int64)
    turn, column = tally.item_turn[items].astype(np.int64), COUNTED.index("characters")
    one, two = (
        tally.background.counts(tally.questions, tally.models, (about[:, 3], about[:, model], turn))
        for model in (0, 1)
    )
    return np.where(one[1] & two[1], one[0][:, column] + two[0][:, column], -1)


def _edges(view: View) -> tuple[int, ...]:
    """The lengths up to which answers are short and middle; none where no text is known."""
    version = view.tally.background.version

    def rows(items: Longs) -> Longs:
        return _lengths(view, items)[:, None] + 1

    (found,), times = collapsed(view, Columns(("length", version), 1, rows))
    known = found[:, 0] > 0
    total, upto = found[known, 0] - 1, times[known].cumsum()
    if not total.size:
        return ()
    # Linear between two neighbours, as numpy's quantile is; lengths are whole numbers.
    edges = []
    for third in (1, 2):
        place, rest = divmod(third * (int(upto[-1]) - 1), 3)
        low, high = (
            int(total[np.searchsorted(upto, min(each, upto[-1] - 1), side="right")])
            for each in (place, place + 1)
        )
        edges.append(low + (high - low) * rest // 3)
    return tuple(edges)


def _thirds(view: View, edges: tuple[int, ...], items: Longs) -> Longs:
    """By item, its third of length; 3 where its texts are not known."""
    total = _lengths(view, items)
    third = np.searchsorted(edges, total, side="left")
    return np.where((total < 0) | (not edges), len(_THIRDS), third)


def _by_third(view: View, edges: tuple[int, ...], of: Columns) -> Columns:
    """Each of some columns by third of length: all thirds of the first, then of the second."""

    def rows(items: Longs) -> Longs:
        here = _thirds(view, edges, items)[:, None] == np.arange(_SORTS)
        told = np.asarray(of.rows(items), np.int64)
        apart = told[:, :, None] * here[:, None, :]
        return np.asarray(apart.reshape(len(items), of.width * _SORTS))

    key = ("by third", edges, view.tally.background.version, of.key)
    return Columns(key, of.width * _SORTS, rows, of.follows)


def share_of_all(view: View, rater: str) -> Interval | None:
    """How often a rater says both bad, over all of its choices."""
    used = derived(choices(view, rater), "both bad", 2, _used)
    (_, sums), times = collapsed_pairs(view, (), used)

    def parts(questions: Longs) -> Parts:
        here = near_questions(view, questions)
        owner, values = summed(here.pair, used.rows(here.items))
        nothing = np.zeros((len(owner), 2), np.int64)
        return owner, nothing[:, 0], np.concatenate([nothing, values], axis=1).astype(np.float64)

    name = "share of both bad", used.key
    _, found = kept_by_question(view, name, 4, _terms, parts, used.follows, np.int32).sums()
    return _interval(view, (sums[:, 0], sums[:, 1]), times, both_of(found.sum(axis=0)).two)


def _used(rows: NDArray[Any]) -> Longs:
    """Both bad, and all choices."""
    return np.stack([rows[:, BOTH_BAD - 1], rows.sum(axis=1)], axis=1).astype(np.int64)


def _kinds(view: View, edges: tuple[int, ...], known: Longs) -> list[_Kind]:
    """Each kind of items that there are."""
    one = Columns(("one",), 1, lambda items: np.ones((len(items), 1), np.int64))
    (category, items), _ = collapsed_pairs(view, _CATEGORY, _by_third(view, edges, one))
    names = view.tally.categories
    every = slice(0, _SORTS)
    kinds = []
    if len(known) > 1:
        there = set(category[:, 0].tolist())
        for number in sorted(known.tolist(), key=lambda each: str(names[each])):
            if number in there:
                kinds.append(_Kind(f"category: {names[number]}", number, every))
    for number, name in enumerate(_THIRDS):
        if items[:, number].any():
            kinds.append(_Kind(f"length: {name}", None, slice(number, number + 1)))
    return kinds


_ALL_KINDS = _Kind(ALL, None, slice(0, _SORTS))


def _by_question(view: View, kinds: list[_Kind], columns: Columns, known: Longs) -> list[Both]:
    """Of each kind, both bad among the rest and among these, summed by question.

    Args:
        columns: both bad by third of length, then all choices.
    """

    def parts(questions: Longs) -> Parts:
        pairs, owner = pairs_of(view, questions)
        rows, has_items = pair_rows(view, _CATEGORY, (columns,), pairs)
        rows, owner = rows[has_items].astype(np.int64), owner[has_items]
        bad, every = rows[:, 1 : 1 + _SORTS], rows[:, 1 + _SORTS :]
        found = []
        for kind in kinds:
            part, whole = (kind.of(rows[:, 0], each, known) for each in (bad, every))
            found += [part[1], whole[1], part[0], whole[0]]
        owner, values = summed(owner, np.stack(found, axis=1))
        return owner, np.zeros(len(owner), np.int64), values.astype(np.float64)

    name = "both bad use", tuple(each.name for each in kinds), tuple(known.tolist()), columns.key
    width = 4 * len(kinds)
    kept = kept_by_question(view, name, width, _terms, parts, columns.follows, np.int32)
    _, sums = kept.sums()
    table = sums.sum(axis=0).reshape(len(kinds), BOTH)
    return [both_of(each) for each in table]


def _terms(values: Floats) -> Longs:
    told = values.astype(np.int64)
    found = [
        both_terms((each[:, 0], each[:, 1]), (each[:, 2], each[:, 3]))
        for each in np.split(told, told.shape[1] // 4, axis=1)
    ]
    return np.concatenate(found, axis=1)


def _share(
    view: View, labels: dict[str, Label], sums: Sums, times: Longs, shared: Moments
) -> Estimate:
    level, (part, whole) = view.options.level, sums
    found = _interval(view, sums, times, shared)
    if found is None:
        return Estimate(labels, None, reason="nothing was voted on or judged here")
    n, k = int(times @ whole), int(times @ part)
    return Estimate(
        labels, found.value, found.low, found.high, level, n=n, k=k, method=found.method
    )


def _interval(view: View, sums: Sums, times: Longs, shared: Moments) -> Interval | None:
    """Clustered by question, which is by pair where each question has one."""
    level, (part, whole) = view.options.level, sums
    if shared.count < int(times[whole > 0].sum()):
        return wilson_over(shared, level, "comparisons", "questions")
    return clustered_wilson(part, whole, level, "comparisons", "pairs", times)


def _told(view: View, mine: Sums, rest: Sums, times: Longs, shared: Both) -> Told | str:
    """How much more often both are bad among some items than among the rest, or why not."""
    data = []
    for part, whole in (rest, mine):
        seen = whole > 0
        pairs = int(times[seen].sum())
        if pairs < FEWEST_CLUSTERS:
            which = "of this kind" if whole is mine[1] else "of other kinds"
            return f"{many(pairs, 'pair')} {which}; {FEWEST_CLUSTERS} are needed"
        sums = whole, part, whole**2, part**2, part * whole
        data.append(Moments(pairs, *(int(times @ each) for each in sums)))
    if (shared.one.count, shared.two.count) != (data[0].count, data[1].count):
        return change_over(shared, view.options.level)
    return change(data[0], data[1], view.options.level)


def _difference(view: View, labels: dict[str, Label], told: Told | str, n: int) -> Estimate:
    if isinstance(told, str):
        return Estimate(labels, None, n=n, unit="difference", reason=told)
    method = f"Welch's t over questions, p = {told.p:.2g} before the correction"
    ends = told.low, told.high, view.options.level
    return Estimate(labels, told.value, *ends, n, unit="difference", method=method)


@statistic(
    "both_bad_use",
    "Where both bad is said",
    order=69,
    follows=True,
    limits=(
        "Saying both bad more often than others may be the stricter eye or the harder "
        "questions; nobody is wrong by it."
    ),
)
def both_bad_use(view: View) -> Result:
    """The share of both bad by people, judges and panels, by category and by length."""
    rows: list[tuple[dict[str, Label], Estimate | None, Told | str, int]] = []
    named = [number for number, name in enumerate(view.tally.categories) if name is not None]
    edges, known = _edges(view), np.array(named, np.int64)
    kinds = _kinds(view, edges, known)
    silent = []
    for rater in raters_in(view):
        used = derived(choices(view, rater), "both bad", 2, _used)
        by_third = _by_third(view, edges, used)
        (about, said), times = collapsed_pairs(view, _CATEGORY, by_third)
        category = about[:, 0]
        bad, every = said[:, :_SORTS], said[:, _SORTS:]
        labels: dict[str, Label] = {"rater": rater, "among": ALL, "measure": SHARE}
        sums = bad.sum(axis=1), every.sum(axis=1)
        shared = _by_question(view, [_ALL_KINDS, *kinds], by_third, known)
        rows.append((labels, _share(view, labels, sums, times, shared[0].two), "", 0))
        if not bad.any():
            silent.append(rater)
            continue
        for kind, of_kind in zip(kinds, shared[1:], strict=True):
            part, whole = (kind.of(category, each, known) for each in (bad, every))
            labels = {"rater": rater, "among": kind.name, "measure": SHARE}
            here = part[0], whole[0]
            rows.append((labels, _share(view, labels, here, times, of_kind.two), "", 0))
            told = _told(view, here, (part[1], whole[1]), times, of_kind)
            rows.append(({**labels, "measure": LESS}, None, told, int(times @ whole[0])))
    tests = [row for row in rows if row[1] is None]
    words = iter(stands_out([None if isinstance(row[2], str) else row[2].p for row in tests]))
    estimates = [
        done or _difference(view, {**labels, "stands out": next(words)}, told, n)
        for labels, done, told, n in rows
    ]
    notes = [f"{name}: never says both bad" for name in silent]
    if rows and not edges:
        notes.append(f"nothing by length: {NO_TEXTS}")
    if not rows:
        notes.append(view.none_of("votes and no verdicts"))
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
            "turns are pooled; intervals are clustered by question",
        ),
    )
