"""Quadrants: the rule, that a pair's own votes never sort it, and planted kinds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from core.settings import BY_MODELS
from core.stats import Options, Tally
from core.stats.quadrants_kept import (
    BOTH,
    NEITHER,
    ONE,
    QUADRANTS,
    UNTOLD,
    Points,
    Said,
    by_votes,
    kinds_of,
)
from core.stats.view import View
from tests.core.stats_oracle import Rows, find, result_of


def kinds(rows: Rows, **options: object) -> dict[int, str]:
    """The kind of each pair, by its id."""
    tally = rows.tally()
    view = View(tally, Options(**options))  # type: ignore[arg-type]
    said = Said(view, view.items)
    acceptable = by_votes(said)
    if view.options.acceptable_by == BY_MODELS:
        points = Points()
        points.put(np.unique(said.question), said)
        acceptable = points.acceptable(said)
    places = kinds_of(acceptable)
    ids = tally.pair_ids(view.items)
    return {int(pair): QUADRANTS[place] for pair, place in zip(ids, places, strict=True)}


def test_the_votes_on_other_pairs_sort_a_pair() -> None:
    rows = Rows()
    ab, ac, bc = (rows.pair("q", *games) for games in (("a", "b"), ("a", "c"), ("b", "c")))
    rows.vote(ab, "ann", 4)  # both bad: would call a and b poor, elsewhere
    rows.vote(ac, "ann", 1)  # a is acceptable, nothing of c
    rows.vote(bc, "ann", 3)  # b and c are acceptable
    # ab by ac and bc: a good, b good. ac by ab and bc: a poor, c good. bc: b poor, c untold.
    assert kinds(rows) == {ab: BOTH, ac: ONE, bc: UNTOLD}
    rows.vote(ac, "bob", 4)
    rows.vote(ac, "cy", 4)
    # Now ac calls a and c poor: ab has a poor and b good; bc has b poor and c poor.
    assert kinds(rows) == {ab: ONE, ac: ONE, bc: NEITHER}
    assert kinds(rows, turn=1) == kinds(rows)


def test_another_question_or_turn_tells_nothing_by_votes() -> None:
    rows = Rows()
    pair, other = rows.pair("q1", "a", "b"), rows.pair("q2", "a", "b")
    rows.vote(pair, "ann", 1)
    rows.vote(pair, "ann", 3, turn=2)
    rows.vote(other, "ann", 4)
    assert set(kinds(rows).values()) == {UNTOLD}
    # By models, the other question does: both bad there leaves both without a point.
    assert kinds(rows, acceptable_by="models")[pair] == NEITHER
    assert kinds(rows, acceptable_by="models")[other] == ONE  # a won and tied, b only tied


def planted(seed: int, *, bad: bool) -> Tally:
    """Good and poor answers; of two poor ones people say both bad, if they can."""
    rng, rows = np.random.default_rng(seed), Rows()
    for question in range(60):
        poor = dict.fromkeys("abcdef", False) | {m: rng.random() < 0.5 for m in "bdf"}
        poor["e"] = True
        for one, two in combinations("abcdef", 2):
            pair = rows.pair(f"q{question}", one, two)
            for name in ("ann", "bob"):
                if poor[one] and poor[two]:
                    choice = 4 if bad else int(rng.integers(1, 3))
                elif poor[one] != poor[two]:
                    choice = 2 if poor[one] else 1
                else:
                    choice = 1 if rng.random() < 0.6 else 2
                rows.vote(pair, name, choice)
    return rows.tally()


def test_planted_kinds_come_back() -> None:
    rows = result_of(planted(0, bad=True), "quadrants").estimates
    shares = {
        str(row.labels["pair of answers"]): row.value
        for row in rows
        if row.labels["measure"] == "comparisons"
    }
    # a and c are good, e is poor, b, d and f each in half of the questions: 3.5 good answers.
    expected = {BOTH: 4.75 / 15, ONE: 8.0 / 15, NEITHER: 2.25 / 15}
    for name, share in expected.items():
        assert shares[name] == pytest.approx(share, abs=0.09), name
    assert shares.get(UNTOLD, 0) < 0.1
    poor = find(rows, **{"pair of answers": NEITHER, "measure": "prefer a model"})
    assert poor.value == 0
    mixed = find(rows, **{"pair of answers": ONE, "measure": "prefer a model"})
    assert mixed.value == 1


def test_shares_add_up_and_the_parts_have_rankings() -> None:
    rows = result_of(planted(1, bad=True), "quadrants").estimates
    shares = [row for row in rows if row.labels["measure"] == "comparisons"]
    assert sum(row.value or 0 for row in shares) == pytest.approx(1)
    both = find(rows, **{"pair of answers": BOTH, "measure": "Kendall τ-b with all"})
    assert both.value is None or -1 <= both.value <= 1


def test_where_nobody_can_say_both_bad_the_rule_by_votes_says_so() -> None:
    tally = planted(2, bad=False)
    (row,) = result_of(tally, "quadrants").estimates
    assert row.value is None
    assert "acceptable_by" in row.reason
    rows = result_of(tally, "quadrants", acceptable_by="models").estimates
    assert len(rows) > 4
    (row,) = result_of(planted(2, bad=True), "quadrants", merge_both_bad=True).estimates
    assert "counted as a tie" in row.reason
