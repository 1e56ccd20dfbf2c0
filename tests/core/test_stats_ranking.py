"""Bradley–Terry, tiers and win rates against slow maximisers, statsmodels and resampling."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize

from core.stats import Result
from core.stats.bradley_terry import Games, fit, ratings
from core.stats.mean_shares import mean_share
from core.stats.ranking import tiers
from tests.core.stats_oracle import Rows, find, mt_bench, result_of


def random_games(seed: int, models: int = 5, clusters: int = 120) -> Games:
    rng = np.random.default_rng(seed)
    strength = rng.normal(size=models)
    one = rng.integers(0, models, clusters)
    two = (one + rng.integers(1, models, clusters)) % models
    total = rng.integers(1, 6, clusters)
    chance = 1 / (1 + np.exp(strength[two] - strength[one] + rng.normal(size=clusters)))
    points = rng.binomial(2 * total, chance) / 2
    return Games(one, two, points, total.astype(float), models)


def log_likelihood(theta: np.ndarray, games: Games) -> float:
    """Straight from the model, one cluster at a time."""
    total = 0.0
    for i, j, points, played in zip(games.one, games.two, games.points, games.total, strict=True):
        total += points * (theta[i] - np.logaddexp(theta[i], theta[j]))
        total += (played - points) * (theta[j] - np.logaddexp(theta[i], theta[j]))
    return total


@pytest.mark.parametrize("seed", range(4))
def test_ratings_maximise_the_likelihood(seed: int) -> None:
    games = random_games(seed)
    slow = minimize(
        lambda theta: -log_likelihood(np.append(theta, -theta.sum()), games),
        np.zeros(games.models - 1),
        method="BFGS",
        options={"gtol": 1e-7},
    )
    found = ratings(games.table())
    assert found == pytest.approx(np.append(slow.x, -slow.x.sum()), abs=1e-5)
    assert found.sum() == pytest.approx(0, abs=1e-12)


def test_newton_survives_a_landslide() -> None:
    table = np.array([[0.0, 1e6, 0.0], [1.0, 0.0, 1e6], [1.0, 1.0, 0.0]])
    found = ratings(table)
    expected = 1 / (1 + np.exp(found[None, :] - found[:, None]))
    games = table + table.T
    assert (games * expected).sum(axis=1) == pytest.approx(table.sum(axis=1), rel=1e-9)


def clustered_glm(games: Games) -> tuple[np.ndarray, np.ndarray]:
    """Ratings and mean-0 errors from statsmodels: one row per game, cluster-robust."""
    groups = np.repeat(np.arange(len(games.total)), games.total.astype(int))
    design = np.zeros((len(groups), games.models))
    design[np.arange(len(design)), games.one[groups]] = 1
    design[np.arange(len(design)), games.two[groups]] = -1
    share = (games.points / games.total)[groups]
    model = sm.GLM(share, design[:, 1:], family=sm.families.Binomial())
    clustered = {"groups": groups, "use_correction": False}
    done = model.fit(cov_type="cluster", cov_kwds=clustered, tol=1e-13)
    centre = np.eye(games.models) - 1 / games.models
    theta = centre @ np.append(0, done.params)
    covariance = np.zeros((games.models, games.models))
    covariance[1:, 1:] = done.cov_params()
    return theta, np.sqrt(np.diag(centre @ covariance @ centre.T))


@pytest.mark.parametrize("seed", range(3))
def test_the_sandwich_equals_statsmodels(seed: int) -> None:
    games = random_games(seed)
    found = fit(games)
    theta, errors = clustered_glm(games)
    correction = np.sqrt(len(games.total) / (len(games.total) - games.models + 1))
    assert found.errors is not None
    assert found.ratings == pytest.approx(theta, abs=1e-8)
    assert found.errors == pytest.approx(errors * correction, rel=1e-6)


def test_the_sandwich_agrees_with_a_jackknife_of_clusters() -> None:
    games = random_games(11, models=4, clusters=200)
    clusters = len(games.total)
    left_out = np.array(
        [
            ratings(
                Games(
                    *(
                        np.delete(each, drop)
                        for each in (games.one, games.two, games.points, games.total)
                    ),
                    models=games.models,
                ).table()
            )
            for drop in range(clusters)
        ]
    )
    jackknife = np.sqrt(
        (clusters - 1) / clusters * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    )
    found = fit(games)
    assert found.errors == pytest.approx(jackknife, rel=0.05)


def played(results: list[tuple[str, str, int, int]]) -> Rows:
    """(model_1, model_2, wins of model_1, wins of model_2), each vote on its own question."""
    rows = Rows()
    for one, two, wins_1, wins_2 in results:
        for choice in [1] * wins_1 + [2] * wins_2:
            rows.vote(rows.pair(f"q{len(rows.pairs)}", one, two), "ann", choice)
    return rows


def ranking(results: list[tuple[str, str, int, int]]) -> Result:
    return result_of(played(results).tally(), "ranking")


def test_two_models_have_the_log_odds_of_their_wins() -> None:
    result = ranking([("a", "b", 30, 10)])
    values = {row.labels["model"]: row.value for row in result.estimates}
    assert values["a"] == pytest.approx(np.log(3) / 2, abs=1e-9)
    assert values["b"] == pytest.approx(-np.log(3) / 2, abs=1e-9)
    assert [row.labels["tier"] for row in result.estimates] == [1, 2]
    assert [row.n for row in result.estimates] == [40, 40]


def test_a_tie_is_half_a_win_and_both_bad_is_no_game() -> None:
    rows = played([("a", "b", 10, 5)])
    for choice, times in ((3, 10), (4, 7)):
        for _ in range(times):
            rows.vote(rows.pair(f"q{len(rows.pairs)}", "a", "b"), "ann", choice)
    result = result_of(rows.tally(), "ranking")
    best = find(result.estimates, model="a")
    assert best.value == pytest.approx(np.log(15 / 10) / 2, abs=1e-9)
    assert best.n == 25
    assert "human: 7 comparisons left out, both bad" in result.notes
    merged = result_of(rows.tally(), "ranking", merge_both_bad=True)
    assert find(merged.estimates, model="a").value == pytest.approx(
        np.log(18.5 / 13.5) / 2, abs=1e-9
    )


@pytest.mark.parametrize(
    ("results", "reasons"),
    [
        (
            [("a", "b", 5, 0)],
            {"a": "never lost a point", "b": "never took a point"},
        ),
        (
            [("a", "b", 3, 3), ("c", "d", 2, 2)],
            {model: "never compared, directly or through others" for model in "abcd"},
        ),
        (
            [("a", "b", 3, 3), ("c", "d", 2, 2), ("a", "c", 4, 0)],
            {"a": "never lost a point in games with the group of c", "d": "never took a point"},
        ),
        (
            [("a", "b", 3, 0), ("b", "c", 3, 0)],
            {"a": "never lost", "b": "the group of a", "c": "never took"},
        ),
    ],
)
def test_no_rating_without_a_common_scale(
    results: list[tuple[str, str, int, int]], reasons: dict[str, str]
) -> None:
    result = ranking(results)
    assert all(row.value is None for row in result.estimates)
    for model, reason in reasons.items():
        assert reason in find(result.estimates, model=model).reason


def test_a_model_that_never_loses_is_set_apart_and_the_rest_is_rated() -> None:
    result = ranking(
        [("a", "b", 6, 4), ("b", "c", 6, 4), ("best", "c", 5, 0), ("b", "worst", 4, 0)]
    )
    assert "never lost a point" in find(result.estimates, model="best").reason
    assert "never took a point" in find(result.estimates, model="worst").reason
    rest = [row.value for row in result.estimates if row.value is not None]
    assert len(rest) == 3
    assert sum(rest) == pytest.approx(0, abs=1e-9)
    assert any("rated without best, worst" in note for note in result.notes)


def test_one_vote_ranks_nobody() -> None:
    assert [row.value for row in ranking([("a", "b", 1, 0)]).estimates] == [None, None]


def test_votes_on_one_pair_of_answers_show_no_spread() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    for annotator, choice in enumerate((1, 1, 2)):
        rows.vote(pair, f"ann{annotator}", choice)
    for row in result_of(rows.tally(), "ranking").estimates:
        assert row.value is None
        assert "too few pairs of answers" in row.reason


def test_a_model_that_hangs_on_one_pair_is_set_apart_and_moves_nobody() -> None:
    games = [("a", "b", 6, 4), ("b", "c", 6, 4)]
    without = ranking(games).estimates
    rows = played(games)
    pair = rows.pair("hanging", "a", "new")
    rows.vote(pair, "ann", 3)
    found = result_of(rows.tally(), "ranking").estimates
    assert "too few pairs of answers" in find(found, model="new").reason
    for row in without:
        same = find(found, model=str(row.labels["model"]))
        assert (same.value, same.low, same.high) == (row.value, row.low, row.high)


def test_two_groups_that_hang_on_one_pair_get_no_interval() -> None:
    rows = played([("a", "b", 6, 4), ("c", "d", 6, 4)])
    bridge = rows.pair("bridge", "b", "c")
    rows.vote(bridge, "ann", 1)
    rows.vote(bridge, "bob", 2)
    for row in result_of(rows.tally(), "ranking").estimates:
        assert row.value is not None
        assert row.low is None
        assert "no interval" in row.method


def test_tiers_pass_overlap_on() -> None:
    assert tiers([2.0, 1.5, 0.9, -1.0], [3.0, 2.2, 1.6, 0.0]) == [1, 1, 1, 2]
    assert tiers([2.0, 0.0], [3.0, 1.0]) == [1, 2]
    assert tiers([0.0, 2.0, -5.0], [1.0, 3.0, 9.0]) == [1, 1, 1]
    assert tiers([], []) == []


# --- win rates --------------------------------------------------------------------------


def test_win_rates_weigh_opponents_and_not_votes() -> None:
    rows = played([("a", "b", 9, 1), ("a", "c", 1, 1)])
    found = find(result_of(rows.tally(), "win_rate").estimates, model="a")
    assert found.value == pytest.approx((0.9 + 0.5) / 2)
    assert (found.k, found.n) == (10, 12)


def test_ties_and_both_bad_are_comparisons_that_nobody_wins() -> None:
    rows = played([("a", "b", 1, 0)])
    for choice in (3, 4, 4):
        rows.vote(rows.pair(f"q{len(rows.pairs)}", "a", "b"), "ann", choice)
    estimates = result_of(rows.tally(), "win_rate").estimates
    assert [find(estimates, model=model).value for model in "ab"] == [0.25, 0]


def test_the_error_of_a_win_rate_is_that_of_a_bootstrap_within_opponents() -> None:
    rng = np.random.default_rng(2)
    stratum = np.repeat(np.arange(4), 50)
    total = rng.integers(1, 6, 200)
    wins = rng.binomial(total, rng.beta(1, 1, 200))
    found = mean_share(wins, total, stratum)
    assert found is not None
    assert found.error is not None
    replicates = []
    for _ in range(2000):
        drawn = rng.integers(0, 50, (4, 50)) + 50 * np.arange(4)[:, None]
        replicates.append(np.mean(wins[drawn].sum(axis=1) / total[drawn].sum(axis=1)))
    assert found.error == pytest.approx(np.std(replicates), rel=0.08)


def test_an_opponent_met_on_one_pair_adds_the_spread_of_a_single_draw() -> None:
    found = mean_share(np.array([1, 0]), np.array([1, 1]), np.array([0, 1]))
    assert found is not None
    assert found.value == 0.5
    assert found.error == pytest.approx(np.sqrt(0.25 + 0.25) / 2)


def test_a_model_that_always_wins_has_an_interval_all_the_same() -> None:
    found = find(result_of(played([("a", "b", 4, 0)]).tally(), "win_rate").estimates, model="a")
    assert found.value == 1
    assert found.low is not None
    assert 0.4 < found.low < 0.6
    assert "Wilson" in found.method


def test_gpt_4_is_the_best_of_mt_bench_by_people_and_by_judge() -> None:
    rows = result_of(mt_bench().tally(), "ranking").estimates
    for rater in ("human: expert", "gpt-4"):
        best = [row.labels["model"] for row in rows if row.labels["raters"] == rater]
        assert best[0] == "gpt-4"
        assert best[-1] == "llama-13b"
