"""Ties as ties, both bad apart, what ratings predict, and Elo vote by vote."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from core.stats import Options, Result, compute
from core.stats.both_bad import Bad, fit_bad
from core.stats.bradley_terry import Games, fit
from core.stats.davidson import Matches, chances, davidson, has_maximum
from core.stats.elo import online
from core.stats.options import Elo
from tests.core.stats_oracle import Rows, find, live_votes, llmfao, mt_bench, result_of


def drawn(seed: int, models: int = 5, clusters: int = 150, nu: float = 0.8) -> Matches:
    """Random matches by Davidson's model, each cluster with a leaning of its own."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(0, 1, models)
    games = np.array(list(combinations(range(models), 2)))
    one, two = games[rng.integers(0, len(games), clusters)].T
    gap = strength[one] - strength[two] + rng.normal(0, 0.7, clusters)
    shares = np.stack(chances(gap, float(np.log(nu))), axis=1)
    total = rng.integers(1, 6, clusters)
    fallen = np.array([rng.multinomial(n, p) for n, p in zip(total, shares, strict=True)])
    return Matches(one, two, fallen[:, :2].astype(float), fallen[:, 2].astype(float), models)


def negative_log_likelihood(free: np.ndarray, matches: Matches) -> float:
    """Straight from Davidson's three probabilities, one cluster at a time."""
    theta = np.append(free[:-1], -free[:-1].sum())
    nu, total = np.exp(free[-1]), 0.0
    for i, j, (w1, w2), t in zip(matches.one, matches.two, matches.wins, matches.ties, strict=True):
        a, b = np.exp(theta[i]), np.exp(theta[j])
        bottom = a + b + nu * np.sqrt(a * b)
        total += w1 * np.log(a / bottom) + w2 * np.log(b / bottom)
        total += t * np.log(nu * np.sqrt(a * b) / bottom)
    return -total


@pytest.mark.parametrize("seed", range(3))
def test_the_ratings_and_nu_maximise_the_likelihood(seed: int) -> None:
    matches = drawn(seed)
    slow = minimize(
        negative_log_likelihood,
        np.zeros(matches.models),
        (matches,),
        method="BFGS",
        options={"gtol": 1e-6},
    )
    found = davidson(matches)
    assert found.ratings[:-1] == pytest.approx(slow.x[:-1], abs=1e-5)
    assert found.log_nu == pytest.approx(slow.x[-1], abs=1e-5)
    assert found.ratings.sum() == pytest.approx(0, abs=1e-10)


def test_the_errors_are_those_of_a_jackknife_of_clusters() -> None:
    matches = drawn(9, models=4, clusters=250)
    left_out = []
    for drop in range(250):
        kept = np.arange(250) != drop
        rest = Matches(
            matches.one[kept], matches.two[kept], matches.wins[kept], matches.ties[kept], 4
        )
        found = davidson(rest)
        left_out.append([*found.ratings, found.log_nu])
    values = np.array(left_out)
    jackknife = np.sqrt(249 / 250 * ((values - values.mean(axis=0)) ** 2).sum(axis=0))
    found = davidson(matches)
    assert found.errors is not None
    assert [*found.errors, found.log_nu_error] == pytest.approx(jackknife, rel=0.05)


def test_without_ties_it_is_bradley_terry() -> None:
    matches = drawn(4)
    decisive = Matches(
        matches.one, matches.two, matches.wins, np.zeros(len(matches.one)), matches.models
    )
    played = decisive.total > 0
    games = Games(
        decisive.one[played],
        decisive.two[played],
        decisive.wins[played, 0],
        decisive.total[played],
        decisive.models,
    )
    kept = Matches(
        decisive.one[played],
        decisive.two[played],
        decisive.wins[played],
        decisive.ties[played],
        decisive.models,
    )
    found, other = davidson(kept), fit(games)
    assert found.ratings == pytest.approx(other.ratings, abs=1e-9)
    assert found.errors == pytest.approx(other.errors, rel=1e-6)
    assert found.log_nu == -np.inf


def test_two_models_have_their_closed_form() -> None:
    """θ₁ − θ₂ = log(w₁/w₂) and ν = t / √(w₁ w₂), whatever the ties."""
    for wins_1, wins_2, ties in ((30.0, 10.0, 5.0), (7.0, 9.0, 60.0)):
        one = Matches(
            np.array([0]), np.array([1]), np.array([[wins_1, wins_2]]), np.array([ties]), 2
        )
        found = davidson(one)
        assert found.ratings[0] - found.ratings[1] == pytest.approx(np.log(wins_1 / wins_2))
        assert np.exp(found.log_nu) == pytest.approx(ties / np.sqrt(wins_1 * wins_2))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(list(combinations(range(4), 2))), st.integers(1, 3)),
        min_size=3,
        max_size=9,
    )
)
def test_a_maximum_is_claimed_exactly_where_one_is(
    results: list[tuple[tuple[int, int], int]],
) -> None:
    """The oracle: whether the likelihood's recession cone holds more than moving all alike."""
    from scipy.optimize import linprog

    one, two = np.array([pair for pair, _ in results]).T
    outcome = np.array([choice for _, choice in results])
    if (outcome != 3).sum() == 0:
        return
    wins = np.stack([outcome == 1, outcome == 2], axis=1).astype(float)
    matches = Matches(one, two, wins, (outcome == 3).astype(float), 4)
    rows = []
    for (i, j), choice in results:
        gap = np.zeros(5)
        gap[i], gap[j] = 0.5, -0.5
        tie = np.array([0, 0, 0, 0, 1.0])
        said = {1: gap, 2: -gap, 3: tie}
        rows += [other - said[choice] for name, other in said.items() if name != choice]
    if not matches.ties.any():
        return
    # h = 1: ν grows, and nothing that was seen becomes less likely.
    cone = linprog(
        np.zeros(5), np.array(rows), np.zeros(len(rows)), bounds=[(None, None)] * 4 + [(1, 1)]
    )
    assert has_maximum(matches) == (cone.status == 2)


# --- both bad ---------------------------------------------------------------------------


def test_parts_in_both_bad_maximise_their_likelihood() -> None:
    rng = np.random.default_rng(8)
    games = np.array(list(combinations(range(4), 2)))
    one, two = games[rng.integers(0, 6, 300)].T
    part = np.array([-1.5, -0.8, -0.3, 0.4])
    total = rng.integers(1, 5, 300).astype(float)
    bad = rng.binomial(total.astype(int), 1 / (1 + np.exp(-(part[one] + part[two])))).astype(float)

    def negative(beta: np.ndarray) -> float:
        p = 1 / (1 + np.exp(-(beta[one] + beta[two])))
        return -float((bad * np.log(p) + (total - bad) * np.log(1 - p)).sum())

    found = fit_bad(Bad(one, two, bad, total, 4))
    slow = minimize(negative, np.zeros(4), method="BFGS", options={"gtol": 1e-6})
    assert found.parts == pytest.approx(slow.x, abs=1e-5)
    assert found.errors is not None
    assert found.parts == pytest.approx(part, abs=4 * float(found.errors.max()))


def test_a_part_in_both_bad_that_has_no_end_is_refused() -> None:
    two = Bad(np.array([0]), np.array([1]), np.array([3.0]), np.array([9.0]), 2)
    assert "too few models met in a ring" in fit_bad(two).reason
    square = np.array([[0, 1], [1, 2], [2, 3], [0, 3]]).T
    found = fit_bad(Bad(*square, np.array([1.0, 2, 3, 1]), np.full(4, 9.0), 4))
    assert "too few models met in a ring" in found.reason
    ring = np.array([[0, 1], [1, 2], [0, 2], [0, 3]]).T
    found = fit_bad(Bad(*ring, np.array([1.0, 2, 3, 0]), np.full(4, 9.0), 4))
    assert found.members.tolist() == [0, 1, 2]


# --- what a lead reads ------------------------------------------------------------------


def played(results: list[tuple[str, str, tuple[int, int, int, int]]]) -> Rows:
    """(model_1, model_2, how often each of the four choices), every vote on its own question."""
    rows = Rows()
    for one, two, counts in results:
        for choice, times in enumerate(counts, 1):
            for _ in range(times):
                rows.vote(rows.pair(f"q{len(rows.pairs)}", one, two), "ann", choice)
    return rows


RING = [
    ("a", "b", (12, 4, 6, 3)),
    ("b", "c", (10, 5, 8, 6)),
    ("a", "c", (15, 2, 3, 2)),
]


def test_both_bad_moves_no_rating() -> None:
    with_bad = result_of(played(RING).tally(), "ranking_ties").estimates
    without = [(one, two, (*counts[:3], 0)) for one, two, counts in RING]
    alone = result_of(played(without).tally(), "ranking_ties").estimates
    for model in "abc":
        one, two = (find(rows, model=model, measure="rating") for rows in (with_bad, alone))
        assert one.value == pytest.approx(two.value, abs=1e-9)
        assert (one.low, one.n) == (pytest.approx(two.low), two.n)
    assert find(with_bad, model="c", measure="both bad").k == 8
    assert not [row for row in alone if row.labels["measure"] == "both bad"]


def test_merged_both_bad_is_a_tie() -> None:
    merged = result_of(played(RING).tally(), "ranking_ties", merge_both_bad=True)
    assert find(merged.estimates, measure="ties").k == 6 + 8 + 3 + 3 + 6 + 2


def test_predicted_wins_add_up_to_observed_ones() -> None:
    """The likelihood's own equations: each model's wins less losses are fitted exactly."""
    rows = result_of(played(RING).tally(), "ranking_fit").estimates
    ratings = {
        str(row.labels["model"]): row.value
        for row in result_of(played(RING).tally(), "ranking_ties").estimates
        if row.labels["measure"] == "rating"
    }
    tie = find(result_of(played(RING).tally(), "ranking_ties").estimates, measure="ties")
    nu = 2 * tie.value / (1 - tie.value)
    balance = 0.0
    for row in rows:
        a, b = (np.exp(ratings[str(row.labels[name])]) for name in ("model_1", "model_2"))
        bottom = a + b + nu * np.sqrt(a * b)
        assert float(str(row.labels["predicted"])) == pytest.approx(a / bottom, abs=6e-4)
        wins, losses = next(
            c[:2]
            for one, two, c in RING
            if one == row.labels["model_1"] and two == row.labels["model_2"]
        )
        assert (row.k, row.value) == (wins, pytest.approx(wins / row.n))
        if row.labels["model_1"] == "a":
            balance += wins - losses - row.n * (a - b) / bottom
    assert balance == pytest.approx(0, abs=1e-6)


def test_the_predictions_that_miss_are_counted_as_the_intervals_say() -> None:
    result = result_of(mt_bench().tally(), "ranking_fit")
    for rater, note in zip(("human", "gpt-4"), (result.notes[0], result.notes[3]), strict=True):
        rows = [row for row in result.estimates if row.labels["raters"] == rater]
        missed = [
            row
            for row in rows
            if not row.low <= float(str(row.labels["predicted"])) <= row.high  # type: ignore[operator]
        ]
        assert len(rows) == 15
        assert note.startswith(f"{rater}: of 15 predictions, {len(missed)} lie outside")
        assert rows[: len(missed)] == missed


@pytest.mark.parametrize(
    ("results", "reasons"),
    [
        ([("a", "b", (5, 0, 0, 0))], {"a": "never lost a point", "b": "never took a point"}),
        ([("a", "b", (5, 0, 2, 0))], {"a": "nobody ever won back", "b": "nobody ever won back"}),
        ([("a", "b", (0, 0, 9, 0))], {"a": "every comparison is a tie"}),
        (
            [("a", "b", (3, 3, 1, 0)), ("c", "d", (2, 2, 1, 0))],
            {"a": "never compared, directly or through others", "d": "never compared"},
        ),
    ],
)
def test_what_cannot_be_rated_says_why(
    results: list[tuple[str, str, tuple[int, int, int, int]]], reasons: dict[str, str]
) -> None:
    rows = result_of(played(results).tally(), "ranking_ties").estimates
    for model, reason in reasons.items():
        assert reason in find(rows, model=model, measure="rating").reason
    fit = result_of(played(results).tally(), "ranking_fit")
    assert not fit.estimates
    assert "nobody is rated" in fit.notes[0]


def test_a_model_that_never_loses_is_set_apart() -> None:
    rows = result_of(played([*RING, ("a", "best", (0, 6, 0, 0))]).tally(), "ranking_ties").estimates
    assert "never lost a point" in find(rows, model="best", measure="rating").reason
    alone = result_of(played(RING).tally(), "ranking_ties").estimates
    for model in "abc":
        assert find(rows, model=model, measure="rating").value == pytest.approx(
            find(alone, model=model, measure="rating").value, abs=1e-9
        )


def test_only_both_bad_ranks_nobody() -> None:
    result = result_of(played([("a", "b", (0, 0, 0, 4))]).tally(), "ranking_ties")
    assert result.notes == ("human: every comparison says both bad, which ranks nobody",)


# --- Elo --------------------------------------------------------------------------------


def naive_elo(rows: Rows, k: float, start: float, scale: float, tie: float) -> dict[str, float]:
    names = {number: key for key, number in rows.pairs.items()}
    ratings: dict[str, float] = {}
    for vote in live_votes(rows):
        if vote.choice == 4:
            continue
        _, one, two = names[vote.pair]
        a, b = ratings.get(one, start), ratings.get(two, start)
        expected = 1 / (1 + 10 ** ((b - a) / scale))
        score = {1: 1.0, 2: 0.0, 3: tie}[vote.choice]
        ratings[one] = a + k * (score - expected)
        ratings[two] = b + k * ((1 - score) - (1 - expected))
    return ratings


@pytest.mark.parametrize("elo", [Elo(), Elo(32, 1500, 200, 0.25)])
@pytest.mark.parametrize("study", [mt_bench, llmfao])
def test_elo_is_a_walk_through_the_votes(study: object, elo: Elo) -> None:
    rows = study()  # type: ignore[operator]
    slow = naive_elo(rows, elo.k, elo.start, elo.scale, elo.tie)
    result: Result = compute(rows.tally(), Options(elo=elo), {"elo"})[0]
    found = {
        str(row.labels["model"]): row.value
        for row in result.estimates
        if row.labels["raters"] == "human"
    }
    assert found == pytest.approx(slow, abs=1e-9)


def test_elo_depends_on_the_order_and_keeps_its_sum() -> None:
    games = [(0, 1, 1), (0, 1, 2), (1, 2, 3), (0, 2, 1)] * 5
    one, two = online(games, 3, Elo(k=64)), online(games[::-1], 3, Elo(k=64))
    assert one != pytest.approx(two, abs=0.1)
    assert sum(one) == pytest.approx(3000)


def test_elo_survives_absurd_settings() -> None:
    assert np.isfinite(online([(0, 1, 1)] * 500, 2, Elo(k=400, scale=1))).all()
