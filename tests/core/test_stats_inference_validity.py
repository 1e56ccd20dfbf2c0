"""Planted effects come back: coverage, false stops, power and tiers in seeded simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.stats import alt_test
from core.stats.alt_test import more_items, rejected
from core.stats.both_bad import Bad, fit_bad
from core.stats.bradley_terry import Games, fit
from core.stats.davidson import Matches, chances, davidson
from core.stats.duels import Fought, added_up, terms
from core.stats.intervals import student_quantile
from core.stats.planning import Crowd, plan_agreement, plan_kappa, plan_ranking, plan_win_rate
from core.stats.prediction_powered import powered_mean
from core.stats.ranking import tiers
from core.stats.results import Estimate
from core.stats.stopping import Streams, sequence
from tests.core.stats_oracle import Rows, find, result_of

pytestmark = pytest.mark.slow


# --- PPI++ ------------------------------------------------------------------------------


def outcomes(size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Win or not by people, the judge's word (½ where it ties), and whether the pair is hard."""
    hard = rng.random(size) < 0.3
    y = np.where(hard, rng.random(size) < 0.3, rng.random(size) < 0.65).astype(float)
    agrees = rng.random(size) < 0.85
    f = np.where(hard, 0.5, np.where(agrees, y, 1 - y))
    return y, f, hard


TRUTH = 0.3 * 0.3 + 0.7 * 0.65


def covered(found: float, error: float, freedom: int) -> bool:
    return abs(found - TRUTH) <= student_quantile(0.95, freedom) * error


@pytest.mark.parametrize(("voted", "rest"), [(30, 600), (60, 60), (200, 5000)])
def test_ppi_covers_and_is_narrower(voted: int, rest: int) -> None:
    rng, hits, widths, alone = np.random.default_rng(voted), 0, 0.0, 0.0
    studies = 2000
    for _ in range(studies):
        y, f, _ = outcomes(voted + rest, rng)
        found = powered_mean(y[:voted], f[:voted], f[voted:])
        hits += covered(found.value, found.error, voted - 2)
        widths, alone = widths + found.error, alone + found.alone_error
    assert 0.93 <= hits / studies <= 0.97
    assert widths < 0.97 * alone


def test_weights_restore_what_unequal_sampling_takes() -> None:
    rng, hits, plain = np.random.default_rng(1), 0, 0
    studies = 2000
    for _ in range(studies):
        y, f, hard = outcomes(3000, rng)
        probability = np.where(hard, 0.2, 0.04)
        voted = rng.random(3000) < probability
        found = powered_mean(y[voted], f[voted], f[~voted], 1 / probability[voted])
        other = powered_mean(y[voted], f[voted], f[~voted])
        freedom = int(voted.sum()) - 2
        hits += covered(found.value, found.error, freedom)
        plain += covered(other.value, other.error, freedom)
    assert 0.93 <= hits / studies <= 0.97
    assert plain / studies < 0.9


# --- the alt-test -----------------------------------------------------------------------


def duels_of(items: int, lag: float, rng: np.random.Generator, people: int = 3) -> Fought:
    """Duels of each annotator with P(behind) − P(ahead) = lag, half of them draws."""
    size = items * people
    fate = rng.choice([0, 1, 2], size, p=[0.25 - lag / 2, 0.5, 0.25 + lag / 2])
    place = np.arange(size)
    ahead, behind, one = fate <= 1, fate >= 1, np.ones(size)
    values = np.stack([behind.astype(float) - ahead, ahead, one, one], axis=1)
    return added_up(place % people, terms(values))


def test_a_judge_that_is_epsilon_behind_is_rarely_let_in() -> None:
    rng, passed = np.random.default_rng(2), 0
    for _ in range(2000):
        every = alt_test.tested(duels_of(60, 0.2, rng), 0.2)
        passed += int(rejected(np.array([each.p for each in every]), 0.05).mean() >= 0.5)
    assert passed / 2000 <= 0.05


def test_the_advantage_of_a_judge_is_covered() -> None:
    """Four annotators and a judge on the same items, so that their duels depend on each other."""

    def said(items: int, seed: int) -> Estimate:
        rng, rows = np.random.default_rng(seed), Rows()
        right = rng.integers(1, 4, items)
        other = rng.integers(1, 4, (items, 5))
        hard = rng.random((items, 1))
        words = np.where(rng.random((items, 5)) < hard, other, right[:, None])
        for number, (*votes, verdict) in enumerate(words.tolist()):
            pair = rows.pair(f"q{number}", "a", "b")
            for annotator, choice in enumerate(votes):
                rows.vote(pair, f"ann{annotator}", choice)
            rows.verdict(pair, "judge", verdict)
        return find(result_of(rows.tally(), "alt_test").estimates, measure="ρ", annotator="")

    truth, hits, studies = said(40_000, 10**6).value, 0, 600
    assert truth is not None
    for seed in range(studies):
        row = said(60, seed)
        assert row.low is not None
        assert row.high is not None
        hits += row.low <= truth <= row.high
    assert 0.93 <= hits / studies <= 0.97


def test_the_items_that_are_said_to_be_needed_give_the_power() -> None:
    lag, epsilon, people = 0.05, 0.2, 4
    spread = math.sqrt(0.5 - lag**2)
    wanted = 30 + more_items(alt_test.Tested(0, 30, lag, spread, 0.5, 0.7), epsilon, people)
    rng, found = np.random.default_rng(3), []
    bar = 0.05 * 2 / (4 * (1 + 1 / 2 + 1 / 3 + 1 / 4))
    for _ in range(1000):
        found += [
            each.p <= bar for each in alt_test.tested(duels_of(int(wanted), lag, rng, people), 0.2)
        ]
    assert 0.77 <= np.mean(found) <= 0.83


# --- the stopping rule ------------------------------------------------------------------


@pytest.mark.parametrize("shares", [(0.5, 0.0, 0.5), (0.3, 0.4, 0.3), (0.05, 0.9, 0.05)])
def test_looking_after_every_vote_stops_falsely_in_one_of_twenty_at_most(
    shares: tuple[float, float, float],
) -> None:
    """No difference, 1,000 looks each: a fixed interval looked at as often errs far more."""
    rng, length, studies = np.random.default_rng(4), 1000, 2000
    values = rng.choice([0.0, 0.5, 1.0], (studies, length), p=shares)
    low, high = sequence(Streams(values.ravel(), np.arange(studies) * length), 0.05)
    assert ((low > 0.5) | (high < 0.5)).mean() <= 0.05
    n = np.arange(1, length + 1)
    mean = values.cumsum(axis=1) / n
    error = np.sqrt((0.25 * (1 - shares[1])) / n)
    naive = (np.abs(mean - 0.5) > 1.96 * error)[:, 29:].any(axis=1).mean()
    assert naive > 0.25


def test_a_real_difference_is_settled_in_the_end() -> None:
    rng = np.random.default_rng(5)
    values = rng.choice([0.0, 0.5, 1.0], (500, 1000), p=(0.3, 0.2, 0.5))
    low, high = sequence(Streams(values.ravel(), np.arange(500) * 1000), 0.05)
    assert (low > 0.5).mean() > 0.95
    assert ((low <= 0.6) & (high >= 0.6)).mean() >= 0.95


# --- ties as ties -----------------------------------------------------------------------

STRENGTH = np.array([0.9, 0.3, 0.0, -0.4, -0.8])
BAD_PART = np.array([-1.6, -1.2, -1.0, -0.8, -0.5])
GAMES = np.array([(i, j) for i in range(5) for j in range(i + 1, 5)])


def league(clusters: int, rng: np.random.Generator) -> tuple[Matches, Bad]:
    """Votes whose leanings differ by pair: all votes of a pair share a shift of their own."""
    one, two = GAMES[np.arange(clusters) % 10].T
    gap = STRENGTH[one] - STRENGTH[two] + rng.normal(0, 1.0, clusters)
    shares = np.stack(chances(gap, math.log(0.9)), axis=1)
    total = rng.integers(1, 6, clusters)
    bad = 1 / (1 + np.exp(-(BAD_PART[one] + BAD_PART[two] + rng.normal(0, 0.8, clusters))))
    said_bad = rng.binomial(total, bad)
    fallen = np.array(
        [rng.multinomial(n, p) for n, p in zip(total - said_bad, shares, strict=True)]
    ).astype(float)
    kept = fallen.sum(axis=1) > 0
    matches = Matches(one[kept], two[kept], fallen[kept, :2], fallen[kept, 2], 5)
    return matches, Bad(one, two, said_bad.astype(float), total.astype(float), 5)


def test_davidson_and_both_bad_cover_what_a_large_study_gives() -> None:
    large, large_bad = league(200_000, np.random.default_rng(10**6))
    truth, bad_truth = davidson(large), fit_bad(large_bad)
    wanted = np.append(truth.ratings, truth.log_nu)
    rng, hits, bad_hits, studies = np.random.default_rng(6), np.zeros(6), np.zeros(5), 600
    for _ in range(studies):
        matches, games = league(200, rng)
        found, bad = davidson(matches), fit_bad(games)
        assert found.errors is not None
        assert bad.errors is not None
        values = np.append(found.ratings, found.log_nu)
        errors = np.append(found.errors, found.log_nu_error)
        hits += np.abs(values - wanted) <= student_quantile(0.95, found.freedom) * errors
        bad_hits += np.abs(bad.parts - bad_truth.parts) <= (
            student_quantile(0.95, bad.freedom) * bad.errors
        )
    assert 0.93 <= (hits / studies).mean() <= 0.97, hits / studies
    assert 0.93 <= (bad_hits / studies).mean() <= 0.97, bad_hits / studies


def test_davidson_finds_planted_ratings_where_half_points_shrink_them() -> None:
    rng = np.random.default_rng(7)
    one, two = GAMES[np.arange(60_000) % 10].T
    shares = np.stack(chances(STRENGTH[one] - STRENGTH[two], math.log(1.5)), axis=1)
    said = (rng.random((60_000, 1)) > shares.cumsum(axis=1)[:, :-1]).sum(axis=1)
    wins = np.stack([said == 0, said == 1], axis=1).astype(float)
    ties = (said == 2).astype(float)
    found = davidson(Matches(one, two, wins, ties, 5))
    assert found.ratings == pytest.approx(STRENGTH, abs=0.05)
    assert math.exp(found.log_nu) == pytest.approx(1.5, rel=0.03)
    half = fit(Games(one, two, wins[:, 0] + ties / 2, np.ones(60_000), 5))
    assert half.ratings[0] < 0.7 * STRENGTH[0]


# --- plans ------------------------------------------------------------------------------


def votes_on(pairs: int, points: float, crowd: Crowd, rng: np.random.Generator) -> np.ndarray:
    """Points of each vote on each pair, shape (pairs, overlap), from Beta leanings."""
    decisive = 1 - crowd.ties * 4 * points * (1 - points)
    mean = 0.5 + (points - 0.5) / decisive
    spread = max((crowd.agreement - 1 + 2 * mean) / 2 - mean**2, 1e-9)
    size = mean * (1 - mean) / spread - 1
    lean = rng.beta(mean * size, (1 - mean) * size, (pairs, 1))
    won = rng.random((pairs, crowd.overlap)) < lean
    tied = rng.random((pairs, crowd.overlap)) >= decisive
    return np.where(tied, 0.5, won.astype(float))


@pytest.mark.parametrize(
    ("points", "crowd"),
    [(0.6, Crowd(1)), (0.6, Crowd(3)), (0.7, Crowd(2, 0.4, 0.9)), (0.55, Crowd(5, 0.1, 0.7))],
)
def test_a_planned_win_rate_has_its_power(points: float, crowd: Crowd) -> None:
    plan = plan_win_rate(points, crowd)
    rng, found = np.random.default_rng(8), 0
    quantile = student_quantile(0.95, plan.pairs - 1)
    for _ in range(2000):
        means = votes_on(plan.pairs, points, crowd, rng).mean(axis=1)
        error = means.std(ddof=1) / math.sqrt(plan.pairs)
        found += int(means.mean() - quantile * error > 0.5)
    assert found / 2000 == pytest.approx(0.8, abs=0.035)


@pytest.mark.parametrize("crowd", [Crowd(2), Crowd(4, 0.2, 0.75)])
def test_a_planned_agreement_is_as_narrow_as_planned(crowd: Crowd) -> None:
    plan = plan_agreement(crowd, 0.1)
    rng, values = np.random.default_rng(9), []
    for _ in range(2000):
        said = votes_on(plan.pairs, 0.5, crowd, rng)
        one, two = (said == 1).sum(axis=1), (said == 0).sum(axis=1)
        couples = (one + two) * (one + two - 1)
        values.append((one * (one - 1) + two * (two - 1)).sum() / couples.sum())
    assert np.mean(values) == pytest.approx(crowd.agreement, abs=0.01)
    assert 2 * 1.96 * np.std(values) == pytest.approx(0.1, rel=0.06)


def test_a_planned_kappa_is_as_narrow_as_planned() -> None:
    plan = plan_kappa(0.45, Crowd(2, 0.25), 0.15)
    rng, values = np.random.default_rng(11), []
    margin = np.array([0.375, 0.375, 0.25])
    for _ in range(2000):
        one = rng.choice(3, plan.pairs, p=margin)
        two = np.where(rng.random(plan.pairs) < 0.45, one, rng.choice(3, plan.pairs, p=margin))
        expected = sum((one == c).mean() * (two == c).mean() for c in range(3))
        values.append(((one == two).mean() - expected) / (1 - expected))
    assert 2 * 1.96 * np.std(values) == pytest.approx(0.15, rel=0.06)


@pytest.mark.parametrize(("models", "crowd"), [(4, Crowd(1)), (6, Crowd(3, 0.3, 0.75))])
def test_a_planned_ranking_parts_neighbours(models: int, crowd: Crowd) -> None:
    plan = plan_ranking(models, 0.65, crowd)
    assert plan.questions is not None
    rng, parted, studies = np.random.default_rng(12), np.zeros(models - 1), 1000
    games = np.array([(i, j) for i in range(models) for j in range(i + 1, models)])
    gap = math.log(0.65 / 0.35)
    for _ in range(studies):
        ones, twos, points = [], [], []
        for i, j in games:
            expected = 1 / (1 + math.exp(-gap * (j - i)))
            said = votes_on(plan.questions, expected, crowd, rng)
            ones += [i] * plan.questions
            twos += [j] * plan.questions
            points.append(said.sum(axis=1))
        total = np.full(len(ones), float(crowd.overlap))
        found = fit(Games(np.array(ones), np.array(twos), np.concatenate(points), total, models))
        assert found.errors is not None
        half = student_quantile(0.95, found.freedom) * found.errors
        low, high = found.ratings - half, found.ratings + half
        apart = low[:-1] > high[1:]
        parted += apart
        if apart.all():
            assert tiers(low.tolist(), high.tolist()) == list(range(1, models + 1))
    assert (parted / studies).min() == pytest.approx(0.8, abs=0.05)
