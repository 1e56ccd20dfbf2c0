"""Warnings: each test against an oracle, all of them against people who were made up."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise, permutations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from core.stats.floor_log import Agreed, Counts, FloorLog
from core.stats.floor_warnings import (
    LEVEL,
    ONE_CHOICE,
    OTHERS,
    QUICK,
    RUNS,
    SELF,
    SIDE,
    Warned,
    at_least,
    benjamini_hochberg,
    expected_runs,
    warnings_of,
)
from tests.core.floor_simulation import FAST, RANDOM, STRAIGHT, WORDS_PER_MINUTE, simulated

ORDINARY = Counts(
    (40, 40, 15, 5), 70, 4, 1, 100, 5, 240.0, 20, 16, 60.0, Agreed(100, 60.0, 48.0, 120, 200)
)


def looked_at(one: Counts, others: int = 19) -> dict[str, Warned]:
    """The warnings of one person among ordinary ones, by kind."""
    people = {0: one} | {number: ORDINARY for number in range(1, others + 1)}
    found = warnings_of(people, 600)
    assert set(found) <= {0}
    return {each.kind: each for each in found.get(0, ())}


@given(st.integers(1, 60), st.data(), st.floats(0.01, 0.99))
def test_the_exact_binomial_is_the_sum_of_its_terms(n: int, data: st.DataObject, p: float) -> None:
    k = data.draw(st.integers(0, n))
    wanted = sum(comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1))
    assert at_least(k, n, p) == pytest.approx(min(wanted, 1.0), rel=1e-9, abs=1e-12)
    assert (at_least(n, n, 0.0), at_least(0, n, 0.0), at_least(n, n, 1.0)) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize("counts", [(3, 3), (4, 2, 1), (2, 2, 2), (5, 1, 1), (1, 1)])
def test_runs_of_a_random_order_are_those_of_all_orders(counts: tuple[int, ...]) -> None:
    values = [code for code, count in enumerate(counts) for _ in range(count)]
    runs = [1 + sum(a != b for a, b in pairwise(order)) for order in permutations(values)]
    mean, deviation = expected_runs(counts)
    assert (mean, deviation) == pytest.approx((np.mean(runs), np.std(runs)))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_correction_is_that_of_statsmodels(p: list[float]) -> None:
    wanted = multipletests(p, method="fdr_bh")[1]
    assert benjamini_hochberg(p) == pytest.approx(list(wanted))


def with_(**fields: object) -> Counts:
    from dataclasses import replace

    return replace(ORDINARY, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "one", "n", "says"),
    [
        (ONE_CHOICE, with_(seen=(5, 5, 85, 5)), 100, "tie in 85 of 100 pairs, 85%; the others 15%"),
        (RUNS, with_(runs=8, longest=30), 100, "8 stretches"),
        (QUICK, with_(quick=90, speed=2000.0), 100, "90 of 100 pairs, 90%, in less time"),
        (SIDE, with_(seen=(4, 76, 15, 5)), 80, "the right answer in 76 of 80 pairs"),
        (SELF, with_(repeats=20, same=4), 20, "the same as before in 4 of 20 hidden repeats, 20%"),
        (OTHERS, with_(agreed=Agreed(100, 25.0, 18.0, 50, 200)), 100, "25% agreement"),
    ],
)
def test_each_warning_carries_its_evidence(kind: str, one: Counts, n: int, says: str) -> None:
    found = looked_at(one)[kind]
    assert found.n == n
    assert says in found.says
    assert 0 <= found.p <= found.adjusted <= LEVEL
    if found.low is not None and found.high is not None:
        assert found.low <= found.figure <= found.high
        assert not found.low <= found.allowed <= found.high


@pytest.mark.parametrize(
    "one",
    [
        Counts(),
        with_(seen=(19, 0, 0, 0), runs=1, timed=19, quick=19, repeats=9, same=0,
              agreed=Agreed(19, 0.0, 0.0, 0, 19)),
        with_(seen=(58, 22, 15, 5)),  # a lean that the margin covers
        with_(quick=30),
    ],
)  # fmt: skip
def test_too_few_pairs_and_what_is_within_the_margin_warn_of_nothing(one: Counts) -> None:
    assert looked_at(one) == {}


def test_alone_nobody_is_compared() -> None:
    kinds = {each.kind for each in warnings_of({0: with_(seen=(100, 0, 0, 0))}, 600)[0]}
    assert kinds == {SIDE}


def test_strangers_neither_warn_nor_are_the_measure() -> None:
    odd = with_(seen=(5, 5, 85, 5), quick=100)
    people = {0: odd, 1: ORDINARY} | {number: ORDINARY for number in range(2, 20)}
    assert set(warnings_of(people, 600, frozenset({0}))) == set()
    alone = {0: odd, 1: ORDINARY}
    kinds = {each.kind for each in warnings_of(alone, 600, frozenset({1})).get(0, ())}
    assert ONE_CHOICE not in kinds


def test_no_warning_calls_anybody_anything() -> None:
    people = {0: with_(seen=(95, 2, 2, 1), runs=3, quick=99, same=0)}
    people |= {number: ORDINARY for number in range(1, 20)}
    said = json.dumps([each.says for each in warnings_of(people, 600)[0]]).lower()
    assert not any(word in said for word in ("cheat", "fraud", "lazy", "bad faith", "suspect"))


def everybody(log: FloorLog) -> dict[int, tuple[Warned, ...]]:
    return warnings_of({who: log.counts(who) for who in log.people}, WORDS_PER_MINUTE)


def test_the_planted_are_found_and_the_honest_are_not() -> None:
    """One study of the slow proof below, so that a mistake shows at once."""
    log = simulated(np.random.default_rng(1), each=90, planted=(STRAIGHT, FAST, RANDOM))
    found = {who: {each.kind for each in warned} for who, warned in everybody(log).items()}
    assert {who for who in found if who < 20} == set()
    assert {ONE_CHOICE, SIDE} <= found[20]
    assert QUICK in found[21]
    assert OTHERS in found[22]


@pytest.mark.slow
def test_false_warnings_come_no_more_often_than_stated() -> None:
    """The rates in docs/statistics.md: at one look, over a whole study, and how many are found."""
    studies, at_the_end, ever = 200, 0, 0
    found: Counter[str] = Counter()
    beside = 0
    for seed in range(studies):
        looks: list[bool] = []
        log = simulated(
            np.random.default_rng(seed),
            look=lambda log, looks=looks: looks.append(bool(everybody(log))),  # type: ignore[misc]
        )
        at_the_end += bool(everybody(log))
        ever += any(looks)
        planted = (STRAIGHT, FAST, RANDOM)
        log = simulated(np.random.default_rng(10_000 + seed), each=90, planted=planted)
        warned = everybody(log)
        found.update(kind for place, kind in enumerate(planted, 20) if place in warned)
        beside += sum(who < 20 for who in warned)
    print(f"at the end {at_the_end}, ever {ever}, found {found}, beside {beside} of {studies}")
    assert at_the_end / studies <= LEVEL
    assert ever / studies <= 2 * LEVEL
    assert found[STRAIGHT] == found[FAST] == studies
    assert found[RANDOM] / studies >= 0.75
    assert beside / (sum(found.values()) + beside) <= LEVEL
