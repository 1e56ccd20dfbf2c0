"""Pairs that were not all equally likely to be voted on, and agreement within slices."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings

from core.stats import Options, Tally, compute
from core.stats.results import Estimate
from tests.core.stats_oracle import (
    Rows,
    find,
    live_votes,
    mt_bench,
    naive_agreement,
    outcome_of,
    result_of,
    studies,
)

HARD, DRAWN_HARD, DRAWN_EASY = 0.4, 0.8, 0.15
"""Pairs that people and judge see differently are drawn five times as often as the others."""

WINS_HARD, WINS_EASY = 0.35, 0.8
SAME_HARD, SAME_EASY = 0.5, 0.9


def disputed_first(seed: int, pairs: int = 700) -> Tally:
    """Two models and a judge; hard pairs come into the queue far more often than easy ones."""
    rng = np.random.default_rng(seed)
    hard = rng.random(pairs) < HARD
    probability = np.where(hard, DRAWN_HARD, DRAWN_EASY)
    drawn = np.flatnonzero(rng.random(pairs) < probability)
    won = rng.random(pairs) < np.where(hard, WINS_HARD, WINS_EASY)
    agrees = rng.random(pairs) < np.where(hard, SAME_HARD, SAME_EASY)
    again = rng.random(pairs) < np.where(hard, SAME_HARD, SAME_EASY)
    choice = np.where(won, 1, 2)
    tally = Tally()
    tally.add_pairs((number, f"q{number}", None, "a", "b") for number in range(pairs))
    tally.set_probabilities((int(each), float(probability[each])) for each in drawn)
    tally.add_annotators([(1, "ann", ""), (2, "bob", "")])
    tally.add_judges([(1, "gpt", "llm")])
    rows = [
        (2 * place + who, int(each), 1, who, int(said[each]), 0, 0)
        for place, each in enumerate(drawn)
        for who, said in ((1, choice), (2, np.where(again, choice, 3 - choice)))
    ]
    tally.add_votes(rows)
    tally.add_verdicts(
        (place + 1, place, 1, 1, int(c if a else 3 - c), 0, 0, 0)
        for place, (c, a) in enumerate(zip(choice, agrees, strict=True))
    )
    return tally


def mix(hard: float, easy: float) -> float:
    return HARD * hard + (1 - HARD) * easy


def truths() -> dict[str, float]:
    # bob says what ann says on hard pairs half of the time, so that he is a coin there.
    ann = mix(WINS_HARD, WINS_EASY)
    bob = mix(0.5, SAME_EASY * WINS_EASY + (1 - SAME_EASY) * (1 - WINS_EASY))
    wins = (ann + bob) / 2
    judge = mix(0.5, SAME_EASY**2 + (1 - SAME_EASY) ** 2)
    return {
        "judge–human": (mix(SAME_HARD, SAME_EASY) + judge) / 2,
        "human–human": mix(SAME_HARD, SAME_EASY),
        "win rate": wins,
        "ranking": math.log(wins / (1 - wins)) / 2,
    }


def told(tally: Tally, weights: str) -> dict[str, Estimate]:
    options = Options(weights=weights, replicates=200)
    results = compute(tally, options, {"agreement", "win_rate", "ranking"})
    agreement, ranking, win_rate = (
        next(each for each in results if each.id == id)
        for id in ("agreement", "ranking", "win_rate")
    )
    return {
        "judge–human": find(agreement.estimates, setup="S1", kind="judge-human"),
        "human–human": find(agreement.estimates, setup="S1", kind="human-human"),
        "win rate": find(win_rate.estimates, raters="human", model="a"),
        "ranking": find(ranking.estimates, raters="human", model="a"),
    }


def hajek(tally: Tally, per_pair: dict[int, tuple[float, float]]) -> float:
    """Σ part / p over Σ whole / p, one pair at a time."""
    probability = tally.pair_probability.tolist()
    part = sum(found / probability[pair] for pair, (found, _) in per_pair.items())
    return part / sum(looked / probability[pair] for pair, (_, looked) in per_pair.items())


def test_the_weighted_points_are_hajeks() -> None:
    tally = disputed_first(1)
    item, _, choice = tally.votes
    said: dict[int, list[int]] = {}
    for place, each in zip(tally.item_pair[item].tolist(), choice.tolist(), strict=True):
        said.setdefault(place, []).append(each)
    wins = hajek(tally, {pair: (each.count(1), len(each)) for pair, each in said.items()})
    same = hajek(tally, {pair: (float(each[0] == each[1]), 1) for pair, each in said.items()})
    found = told(tally, "auto")
    assert found["win rate"].value == pytest.approx(wins, abs=1e-12)
    assert found["human–human"].value == pytest.approx(same, abs=1e-12)
    assert found["ranking"].value == pytest.approx(math.log(wins / (1 - wins)) / 2, abs=1e-9)
    votes = sum(map(len, said.values()))
    assert {found[name].n for name in ("win rate", "ranking", "judge–human")} == {votes}
    assert found["human–human"].n == len(said)
    slices = result_of(tally, "agreement_by_pair")
    whole = find(slices.estimates, setup="S1", kind="human-human")
    assert whole.value == pytest.approx(same, abs=1e-12)


def test_what_votes_weigh_is_named_and_can_be_left_off() -> None:
    tally = disputed_first(2)
    unequal = "pairs came into the queue with unequal probability"
    named = [each for each in result_of(tally, "ranking").assumptions if unequal in each]
    assert len(named) == 1
    assert "are worth" in named[0]
    off = result_of(tally, "ranking", weights="none")
    assert any("as was chosen" in each for each in off.assumptions)
    alike = disputed_first(2)
    alike.set_probabilities((number, 0.5) for number in range(700))
    plain = told(alike, "auto")
    for name, estimate in told(tally, "none").items():
        assert estimate.to_json() == plain[name].to_json()
    assert unequal not in str(result_of(alike, "ranking").assumptions)


def test_pairs_without_a_probability_among_others_weigh_nothing_and_say_so() -> None:
    tally = disputed_first(3)
    first = int(tally.item_pair[0])
    tally.set_probabilities([(first, 0.0)])
    result = result_of(tally, "win_rate")
    assert any("1 of the voted pairs came in with no probability" in a for a in result.assumptions)
    plain = result_of(tally, "win_rate", weights="none")
    assert result.estimates == plain.estimates


@pytest.mark.slow
def test_weighted_intervals_cover_where_disputed_pairs_come_first() -> None:
    trials, truth = 400, truths()
    hits = {weights: dict.fromkeys(truth, 0) for weights in ("auto", "none")}
    for seed in range(trials):
        tally = disputed_first(10_000 + seed)
        for weights, counted in hits.items():
            for name, estimate in told(tally, weights).items():
                assert estimate.low is not None
                assert estimate.high is not None
                counted[name] += estimate.low <= truth[name] <= estimate.high
    for name in truth:
        assert 0.93 <= hits["auto"][name] / trials <= 0.97, (name, hits)
        assert hits["none"][name] / trials < 0.9, (name, hits)


# ── slices ──────────────────────────────────────────────────────────────────


@settings(max_examples=40, deadline=None)
@given(studies())
def test_slices_count_what_a_slow_reading_counts(rows: Rows) -> None:
    votes = live_votes(rows)
    by_pair = {number: key for key, number in rows.pairs.items()}
    tally = rows.tally()
    for id, of in (
        (
            "agreement_by_category",
            lambda key: {"category": rows.categories[key[0]] or "no category"},
        ),
        ("agreement_by_pair", lambda key: {"model_1": key[1], "model_2": key[2]}),
    ):
        for row in result_of(tally, id).estimates:
            labels = dict(row.labels)
            if str(labels["rater_1"]).startswith(("(", "human: ")):
                continue
            mine = [v for v in votes if of(by_pair[v.pair]).items() <= labels.items()]
            pairs: list[tuple[int, int]] = []
            for one, two in combinations(mine, 2):
                if labels["rater_1"] == "human" and (one.pair, one.turn) == (two.pair, two.turn):
                    pairs.append((one.choice, two.choice))
            for vote in mine if labels["rater_1"] != "human" else ():
                said = outcome_of(rows, rows.judges[str(labels["rater_1"])], vote.pair, vote.turn)
                pairs += [(said, vote.choice)] if said else []
            k, n = naive_agreement(pairs, str(labels["setup"]))
            assert row.n == n
            assert row.k in (k, None)
            assert (row.value is None) == (row.k is None)


def test_groups_are_compared_with_each_other_as_in_the_papers_table() -> None:
    """Experts beside authors: one vote of each on an item is one comparison."""
    rows = mt_bench()
    said: dict[tuple[int, int], dict[str, list[int]]] = {}
    groups = {number: group for number, group in rows.annotators.values()}
    for vote in live_votes(rows):
        of = said.setdefault((vote.pair, vote.turn), {})
        of.setdefault(groups[vote.annotator], []).append(vote.choice)
    result = result_of(rows.tally(), "agreement", replicates=100)
    for turn in (1, 2):
        crossed = [
            (one, two)
            for (_, its_turn), by in said.items()
            if its_turn == turn
            for one in by.get("author", ())
            for two in by.get("expert", ())
        ]
        for setup in ("S1", "S2"):
            row = find(
                result.estimates,
                turn=turn,
                setup=setup,
                rater_1="human: author",
                rater_2="human: expert",
            )
            assert (row.k, row.n) == naive_agreement(crossed, setup)


def test_the_published_win_rates_by_category_stand_beside_their_agreement() -> None:
    rows = mt_bench()
    tally = rows.tally()
    options = {"exclude_groups": ("author",)}
    result = result_of(tally, "win_rate", **options)
    published = {
        "writing": 61.2, "roleplay": 67.9, "reasoning": 49.3, "math": 66.1, "coding": 56.3,
        "extraction": 66.2, "stem": 76.6, "humanities": 72.2,
    }  # fmt: skip
    for category, percent in published.items():
        row = find(result.estimates, raters="human", category=category, model="gpt-4")
        assert row.value == pytest.approx(percent / 100, abs=0.0006)
    by_category = result_of(tally, "agreement_by_category", **options)
    rows_of = [row for row in by_category.estimates if row.labels["rater_1"] == "gpt-4"]
    s1 = [row for row in rows_of if row.labels["setup"] == "S1"]
    assert len(s1) == len(published)
    assert (sum(row.k or 0 for row in s1), sum(row.n for row in s1)) == (886 + 871, 1343 + 1325)
    by_pair = result_of(tally, "agreement_by_pair", **options)
    human = [
        row
        for row in by_pair.estimates
        if (row.labels["setup"], row.labels["rater_1"]) == ("S2", "human")
    ]
    assert len(human) == 15
    assert (sum(row.k or 0 for row in human), sum(row.n for row in human)) == (776, 479 + 474)


def test_thin_slices_say_what_is_missing() -> None:
    rows = Rows()
    for number in range(3):
        pair = rows.pair(f"q{number}", "a", "b")
        rows.vote(pair, "ann", 1)
        rows.vote(pair, "bob", 1)
    row = find(result_of(rows.tally(), "agreement_by_pair").estimates, setup="S1")
    assert row.value is None
    assert row.reason == "3 pairs of answers with something to compare; 5 are needed"
