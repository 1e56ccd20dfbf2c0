"""Votes helped by verdicts, judges set against annotators, and looking as often as one likes."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.stats import Options, Result, Tally, compute
from core.stats.alt_test import Tested as Row
from core.stats.alt_test import more_items, rejected
from core.stats.duels import FEWEST_ITEMS
from core.stats.prediction_powered import powered_mean, weights_of
from core.stats.stopping import Streams, bets, sequence
from tests.core.stats_oracle import Rows, find, live_votes, mt_bench, outcome_of, result_of, studies

NEW = {"ppi", "alt_test", "stopping", "ranking_ties", "ranking_fit", "elo"}

# --- everything that is registered ------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(studies(), st.booleans())
def test_any_small_study_gives_numbers_or_reasons(rows: Rows, merged: bool) -> None:
    for result in compute(rows.tally(), Options(replicates=100, merge_both_bad=merged), NEW):
        assert result.estimates or result.notes, f"{result.id} says nothing at all"
        for row in result.estimates:
            assert row.reason or row.value is not None
            if row.low is not None and row.high is not None and row.value is not None:
                assert row.low <= row.value <= row.high


def test_an_empty_study_says_that_it_is_empty() -> None:
    for result in compute(Tally(), only=NEW):
        assert not result.estimates
        assert any("no vote" in note or "no verdict" in note for note in result.notes), result.id


def one_vote() -> Rows:
    rows = Rows()
    rows.vote(rows.pair("q", "a", "b"), "ann", 1)
    rows.verdict(1, "judge", 1)
    return rows


@pytest.mark.parametrize(
    ("id", "reason"),
    [
        ("ppi", "1 of its pairs have votes and a verdict; 10 are needed"),
        (
            "alt_test",
            "items shared with another and the judge: 0 of 1 annotator; 3 are needed",
        ),
        ("ranking_ties", "it never lost a point"),
    ],
)
def test_one_vote_is_refused_in_words(id: str, reason: str) -> None:
    result = result_of(one_vote().tally(), id)
    assert any(reason in row.reason for row in result.estimates)
    assert all(row.value is None for row in result.estimates)


# --- PPI++ ------------------------------------------------------------------------------


def by_the_paper(y: np.ndarray, f: np.ndarray, rest: np.ndarray) -> tuple[float, float, float]:
    """Point, λ and variance as equations (2), (6) and section 6 of PPI++ state them."""
    n, more = len(y), len(rest)
    covariance = sum((y[i] - y.mean()) * (f[i] - f.mean()) for i in range(n)) / n
    variance = np.var(np.append(f, rest), ddof=1)
    tuning = min(max(covariance / ((1 + n / more) * variance), 0), 1)
    point = sum(tuning * each for each in rest) / more + sum(y - tuning * f) / n
    spread = np.var(y - tuning * f) / (n - 2) + tuning**2 * np.var(rest) / more
    return point, tuning, spread


@pytest.mark.parametrize("seed", range(5))
def test_ppi_is_the_closed_form_of_the_paper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, more = int(rng.integers(10, 80)), int(rng.integers(5, 900))
    truth = rng.random(n + more)
    f = np.clip(truth + rng.normal(0, 0.3, n + more), 0, 1)
    found = powered_mean(truth[:n], f[:n], f[n:])
    point, tuning, variance = by_the_paper(truth[:n], f[:n], f[n:])
    assert found.value == pytest.approx(point, abs=1e-12)
    assert found.tuning == pytest.approx(tuning, abs=1e-12)
    assert found.error**2 == pytest.approx(variance, rel=1e-12)
    assert found.worth == pytest.approx(n * found.alone_error**2 / variance, rel=1e-12)


def test_a_judge_that_is_no_help_is_not_trusted() -> None:
    rng = np.random.default_rng(1)
    y = (rng.random(60) < 0.6).astype(float)
    for f in (np.full(500, 0.5), np.append(1 - y, rng.random(440) < 0.4)):
        found = powered_mean(y, f[:60], f[60:])
        assert found.tuning == 0
        assert found.value == found.alone
        assert found.error == pytest.approx(found.alone_error, rel=1e-12)


def test_a_perfect_judge_makes_every_verdict_a_vote() -> None:
    rng = np.random.default_rng(2)
    f = (rng.random(1000) < 0.6).astype(float)
    found = powered_mean(f[:50], f[:50], f[50:])
    assert found.value == pytest.approx(f.mean(), abs=0.005)
    assert 900 < found.worth < 1100


def test_equal_weights_change_nothing_but_the_form_of_the_error() -> None:
    rng = np.random.default_rng(3)
    y, f = (rng.random((2, 2000)) < 0.5).astype(float)
    f = np.where(rng.random(2000) < 0.7, y, f)
    plain = powered_mean(y[:300], f[:300], f[300:])
    weighed = powered_mean(y[:300], f[:300], f[300:], np.full(300, 7.0))
    assert weighed.value == pytest.approx(plain.value, abs=1e-12)
    assert weighed.error == pytest.approx(plain.error, rel=0.02)


@pytest.mark.parametrize(
    ("probability", "weights", "reason"),
    [
        ([0.0, 0.0], None, ""),
        ([0.2, 0.2, 0.0], None, ""),
        ([0.2, 1.0], [5.0, 1.0], ""),
        ([0.2, 1.0, 0.0], None, "1 of the voted pairs came in with no probability on record"),
    ],
)
def test_weights_are_one_over_probability(
    probability: list[float], weights: list[float] | None, reason: str
) -> None:
    found, why = weights_of(np.array(probability))
    assert (None if found is None else found.tolist()) == weights
    assert why.startswith(reason)
    assert bool(why) == bool(reason)


def helped(accuracy: float, voted: int = 200, questions: int = 1500) -> Rows:
    """Two models; a judge that says what people would with this probability."""
    rng, rows = np.random.default_rng(4), Rows()
    for number in range(questions):
        pair = rows.pair(f"q{number}", "a", "b")
        choice = int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))
        said = choice if rng.random() < accuracy else int(rng.integers(1, 4))
        rows.verdict(pair, "judge", said)
        if number < voted:
            rows.vote(pair, "ann", choice)
    return rows


def test_ppi_from_a_study_says_what_the_verdicts_are_worth() -> None:
    rows = helped(0.8)
    result = result_of(rows.tally(), "ppi")
    votes = find(result.estimates, model="a", measure="votes")
    both = find(result.estimates, model="a", measure="with verdicts")
    worth = find(result.estimates, model="a", measure="worth in pairs")
    y = np.array([float(row[4] == 1) for row in rows.votes])
    f = np.array([float(row[4] == 1) for row in rows.verdicts])
    point, tuning, _ = by_the_paper(y, f[:200], f[200:])
    assert votes.value == pytest.approx(y.mean(), abs=1e-12)
    assert both.value == pytest.approx(point, abs=1e-12)
    assert f"λ = {tuning:.2f}" in both.method
    assert (votes.n, both.n, worth.n) == (200, 1500, 200)
    assert both.high - both.low < votes.high - votes.low
    assert worth.value > 300


def test_unequal_sampling_is_weighed_and_said() -> None:
    rows = helped(0.8)
    tally = rows.tally()
    tally.set_probabilities((pair, 0.1 if pair % 2 else 0.5) for pair in range(1, 1501))
    found = find(result_of(tally, "ppi").estimates, model="a", measure="votes")
    y = np.array([row[4] == 1 for row in rows.votes], float)
    w = np.array([10.0 if row[1] % 2 else 2.0 for row in rows.votes])
    assert found.value == pytest.approx((w @ y) / w.sum(), abs=1e-12)
    assert "weighted by 1 / probability" in found.method
    warning = "pairs came into the queue with unequal probability"
    assert warning in str(result_of(tally, "win_rate").assumptions)
    assert warning not in str(result_of(rows.tally(), "win_rate").assumptions)
    alike = find(result_of(tally, "ppi", weights="none").estimates, model="a", measure="votes")
    assert alike.value == pytest.approx(y.mean(), abs=1e-12)


def test_ppi_refuses_what_it_cannot_know() -> None:
    every = result_of(helped(0.8, voted=50, questions=50).tally(), "ppi")
    assert (
        "the verdicts add nothing"
        in find(every.estimates, model="a", measure="with verdicts").reason
    )
    rows = Rows()
    for number in range(40):
        pair = rows.pair(f"q{number}", "a", "b")
        rows.verdict(pair, "judge", 1 + number % 2)
        if number < 20:
            rows.vote(pair, "ann", 1)
    for row in result_of(rows.tally(), "ppi").estimates:
        assert "shows no spread" in row.reason
    bent = result_of(helped(0.8).tally(), "ppi", policy="disagreement-first")
    assert any("no random part of it" in note for note in bent.notes)


# --- the alt-test -----------------------------------------------------------------------


def naive_alt_test(rows: Rows, judge: int, epsilon: float) -> dict[int, tuple[int, float, float]]:
    """Per annotator with two items or more: n, p, advantage; one duel at a time."""
    said: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for vote in live_votes(rows):
        said[vote.pair, vote.turn][vote.annotator] = vote.choice
    differences, ahead = defaultdict(list), defaultdict(list)
    for (pair, turn), votes in said.items():
        word = outcome_of(rows, judge, pair, turn)
        if word is None or len(votes) < 2:
            continue
        for annotator, choice in votes.items():
            others = [other for who, other in votes.items() if who != annotator]
            human = sum(other == choice for other in others) / len(others)
            machine = sum(other == word for other in others) / len(others)
            differences[annotator].append(int(human >= machine) - int(machine >= human))
            ahead[annotator].append(int(machine >= human))
    found = {}
    for annotator, values in differences.items():
        p = stats.ttest_1samp(values, epsilon, alternative="less").pvalue
        found[annotator] = (len(values), float(p), float(np.mean(ahead[annotator])))
    return found


def crowd(items: int, *, skill: float, judge_skill: float, people: int = 4, seed: int = 0) -> Rows:
    rng, rows = np.random.default_rng(seed), Rows()
    for number in range(items):
        pair = rows.pair(f"q{number}", "a", "b")
        right = int(rng.integers(1, 4))
        for annotator in range(people):
            choice = right if rng.random() < skill else int(rng.integers(1, 4))
            rows.vote(pair, f"ann{annotator}", choice)
        said = right if rng.random() < judge_skill else int(rng.integers(1, 4))
        rows.verdict(pair, "judge", said)
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_the_alt_test_is_the_authors_procedure(seed: int) -> None:
    rows = crowd(80, skill=0.7, judge_skill=0.75, seed=seed)
    slow = naive_alt_test(rows, 1, 0.2)
    result = result_of(rows.tally(), "alt_test")
    p = np.array([slow[number][1] for number in sorted(slow)])
    order, bars = np.sort(p), 0.05 * np.arange(1, 5) / (4 * (1 + 1 / 2 + 1 / 3 + 1 / 4))
    won = max((k + 1 for k in range(4) if order[k] <= bars[k]), default=0)
    omega = find(result.estimates, measure="ω")
    assert (omega.k, omega.n) == (won, 4)
    rho = find(result.estimates, measure="ρ", annotator="")
    assert rho.value == pytest.approx(np.mean([each[2] for each in slow.values()]), abs=1e-12)
    for number, (n, p_value, advantage) in slow.items():
        row = find(result.estimates, measure="ρ", annotator=f"ann{number - 1}")
        assert row.value == pytest.approx(advantage, abs=1e-12)
        assert row.n == n
        assert f"p = {p_value:.2g} " in row.method


def test_benjamini_yekutieli_is_that_of_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(5)
    for size in (1, 3, 20):
        for _ in range(20):
            p = rng.random(size) ** 3
            assert rejected(p, 0.05).tolist() == multipletests(p, 0.05, "fdr_by")[0].tolist()
    assert rejected(np.zeros(0), 0.05).size == 0


def test_epsilon_follows_the_kind_of_annotators() -> None:
    tally = crowd(150, skill=0.7, judge_skill=0.65).tally()
    found = {}
    for kind, epsilon in (("expert", "0.2"), ("skilled", "0.15"), ("crowd", "0.1")):
        result = result_of(tally, "alt_test", annotator_kind=kind)
        found[kind] = find(result.estimates, measure="ω").k
        assert any(f"{kind}: ε = {epsilon}" in each for each in result.assumptions)
    assert found["expert"] > found["crowd"]
    with pytest.raises(ValueError, match="annotator_kind is 'robot'"):
        Options(annotator_kind="robot")


def test_the_alt_test_wants_three_annotators_and_thirty_items() -> None:
    two = result_of(crowd(60, skill=0.7, judge_skill=0.7, people=2).tally(), "alt_test")
    (row,) = two.estimates
    assert "2 of 2 annotators" in row.reason
    few = result_of(crowd(20, skill=0.9, judge_skill=0.9).tally(), "alt_test")
    assert (
        "30 items with another and the judge: 0 of 4 annotators"
        in find(few.estimates, measure="ω").reason
    )
    assert "10 more are needed" in find(few.estimates, annotator="ann0").reason
    assert find(few.estimates, measure="more items").value >= 10


def test_without_overlap_nobody_is_set_against_a_judge() -> None:
    rows = Rows()
    for number in range(90):
        rows.vote(rows.pair(f"q{number}", "a", "b"), f"ann{number % 3}", 1)
        rows.verdict(number + 1, "judge", 1)
    (row,) = result_of(rows.tally(), "alt_test").estimates
    assert row.reason == (
        "items shared with another and the judge: 0 of 3 annotators; 3 are needed"
    )


def test_a_judge_that_passes_needs_no_more_items() -> None:
    result = result_of(crowd(150, skill=0.6, judge_skill=0.95).tally(), "alt_test")
    assert find(result.estimates, measure="ω").value == 1
    assert find(result.estimates, measure="more items").value == 0


def test_no_number_of_items_helps_a_judge_that_is_behind() -> None:
    result = result_of(crowd(200, skill=0.95, judge_skill=0.0).tally(), "alt_test")
    assert find(result.estimates, measure="ω").value == 0
    assert "would not change the answer" in find(result.estimates, measure="more items").reason


def test_a_judge_that_always_says_what_all_say_is_tested_without_a_spread() -> None:
    result = result_of(crowd(40, skill=1.0, judge_skill=1.0).tally(), "alt_test")
    assert find(result.estimates, measure="ω").value == 1
    assert f"p = {0.8**40:.2g} " in find(result.estimates, annotator="ann0").method


def test_categories_are_tested_by_themselves() -> None:
    rows = crowd(80, skill=0.8, judge_skill=0.8)
    for number in range(80):
        rows.categories[f"q{number}"] = "maths" if number % 2 else None
    result = result_of(rows.tally(), "alt_test")
    alone = result_of(rows.tally(), "alt_test", category="maths")
    inside = find(result.estimates, category="maths", measure="ρ")
    assert inside.value == find(alone.estimates, measure="ρ", annotator="").value
    assert find(result.estimates, category="no category", measure="ω").n == 4


def test_more_items_is_what_the_normal_approximation_says() -> None:
    row = Row(0, 40, 0.05, 0.6, 0.1, 0.8)
    bar = 0.05 * 2 / (3 * (1 + 1 / 2 + 1 / 3))
    wanted = ((stats.norm.ppf(1 - bar) + stats.norm.ppf(0.8)) * 0.6 / 0.15) ** 2
    assert more_items(row, 0.2, 3) == math.ceil(wanted) - 40
    assert more_items(Row(0, 400, 0.05, 0.6, 0.1, 0.8), 0.2, 3) == 0
    assert more_items(Row(0, 12, -0.5, 0.6, 0.1, 0.8), 0.2, 3) == FEWEST_ITEMS - 12
    assert math.isinf(more_items(Row(0, 40, 0.2, 0.6, 0.9, 0.8), 0.2, 3))


# --- the stopping rule ------------------------------------------------------------------


def naive_end(values: list[float], alpha: float, m: float) -> float:
    """The largest log capital that betting on more than m ever reached, step by step."""
    capital, best = 0.0, -math.inf
    mean_sum, spread_sum, before = 0.5, 0.25, 0.25
    for t, x in enumerate(values, 1):
        stake = math.sqrt(2 * math.log(2 / alpha) / (before * t * math.log(t + 1)))
        capital += math.log(1 + min(stake, 0.5 / m) * (x - m))
        best = max(best, capital)
        mean_sum += x
        spread_sum += (x - mean_sum / (t + 1)) ** 2
        before = spread_sum / (t + 1)
    return best


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from((0.0, 0.5, 1.0)), min_size=1, max_size=60),
        min_size=1,
        max_size=4,
    )
)
def test_the_sequence_is_where_the_capital_breaks_the_bank(parts: list[list[float]]) -> None:
    sizes = [len(part) for part in parts]
    start = np.cumsum([0, *sizes[:-1]])
    streams = Streams(np.concatenate([np.array(part) for part in parts]), start)
    bar = math.log(2 / 0.05)
    for part, low, high in zip(parts, *sequence(streams, 0.05), strict=True):
        for end, values in ((low, part), (1 - high, [1 - x for x in part])):
            if end > 1e-6:
                assert naive_end(values, 0.05, end * (1 - 1e-6)) >= bar
            assert naive_end(values, 0.05, min(end + 1e-6, 1.0)) < bar


def test_bets_are_made_before_the_observation_is_seen() -> None:
    rng = np.random.default_rng(6)
    values = rng.random(30)
    changed = values.copy()
    changed[20:] = 0
    everything = np.ones((1, 30), np.bool_)
    one, two = (bets(each[None], everything, 0.05)[0] for each in (values, changed))
    assert (one[:21] == two[:21]).all()
    assert one[21] != two[21]


def test_the_first_vote_of_each_pair_is_the_observation() -> None:
    rows = Rows()
    for number in range(60):
        pair = rows.pair(f"q{number}", "a", "b")
        rows.vote(pair, "ann", 2 if number % 4 == 3 else 1)
    for number in range(60):
        rows.vote(number + 1, "bob", 2)
    result = result_of(rows.tally(), "stopping")
    (row,) = result.estimates
    assert row.value == 0.75
    assert row.n == 60
    assert row.labels["settled"] == "with all"
    assert 0.5 < row.low < 0.75 < row.high


def test_a_win_rate_that_drifts_is_told() -> None:
    rows = Rows()
    for number in range(400):
        rows.vote(rows.pair(f"q{number}", "a", "b"), "ann", 1 if number < 200 else 2)
    (row,) = result_of(rows.tally(), "stopping").estimates
    assert "no one win rate fits" in row.reason


@pytest.mark.parametrize("votes", [20, 24])
def test_settled_says_what_the_printed_interval_says(votes: int) -> None:
    """Ten wins, then losses: the sequence lies above all that was won, the interval does not."""
    rows = Rows()
    for number in range(votes):
        rows.vote(rows.pair(f"q{number}", "a", "b"), "ann", 1 if number < 10 else 2)
    (row,) = result_of(rows.tally(), "stopping").estimates
    assert row.low is not None
    assert row.high is not None
    assert row.low <= min(0.5, row.value)
    assert row.high > 0.8
    assert row.labels["settled"] == "not yet"


@pytest.mark.parametrize("id", ["elo", "stopping"])
def test_an_order_of_votes_is_called_what_it_is(id: str) -> None:
    rows = Rows()
    rows.vote(rows.pair("q", "a", "b"), "ann", 1)
    told = " ".join(result_of(rows.tally(), id).assumptions)
    assert "in the order in which votes were cast" in told
    assert "a vote without a time comes after all before it in the log" in told


def test_all_twos_at_once_are_harder_to_settle_than_one() -> None:
    def settled(models: int) -> Counter[str]:
        rows, rng = Rows(), np.random.default_rng(7)
        names = [f"m{number:02}" for number in range(models)]
        for question in range(40):
            for one in range(models):
                for two in range(one + 1, models):
                    pair = rows.pair(f"q{question}", names[one], names[two])
                    rows.vote(pair, "ann", 1 if rng.random() < 0.85 else 2)
        result: Result = result_of(rows.tally(), "stopping")
        return Counter(str(row.labels["settled"]) for row in result.estimates)

    assert settled(2)["with all"] == 1
    many = settled(8)
    assert many["alone"] > 0
    assert sum(many.values()) == 28


def test_models_without_votes_yet_count_among_all() -> None:
    rows = Rows()
    for number in range(14):
        rows.vote(rows.pair(f"q{number}", "a", "b"), "ann", 1)
    (alone,) = result_of(rows.tally(), "stopping").estimates
    assert alone.labels["settled"] == "with all"
    for other in "cdefghijklmnop":
        rows.pair("q0", "a", other)
    (among,) = result_of(rows.tally(), "stopping").estimates
    assert among.labels["settled"] == "alone"
    assert (among.low, among.high) == (alone.low, alone.high)


def test_mt_bench_settles_the_best_against_the_worst() -> None:
    rows = result_of(mt_bench().tally(), "stopping").estimates
    best = find(rows, model_1="gpt-4", model_2="llama-13b")
    assert best.labels["settled"] == "with all"
