"""Agreement and reliability against slow references and independent libraries."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa
from statsmodels.stats.proportion import proportion_confint

from core.stats import Options, compute
from core.stats.intervals import clustered_share, collapse, resampled_sums, wilson
from tests.core.stats_oracle import (
    Rows,
    find,
    live_votes,
    naive_agreement,
    outcome_of,
    result_of,
    studies,
)


def expected_agreement(rows: Rows, merge: bool) -> dict[tuple[object, ...], tuple[int, int]]:
    """(turn, setup, kind, rater_1, rater_2) → (agreeing, compared), by brute force."""

    def said(choice: int) -> int:
        return 3 if merge and choice == 4 else choice

    votes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for vote in live_votes(rows):
        votes[vote.pair, vote.turn].append(said(vote.choice))
    judged: dict[str, dict[tuple[int, int], int]] = {}
    for judge, number in rows.judges.items():
        items = {(row[1], row[2]) for row in rows.verdicts if row[3] == number}
        found = {item: outcome_of(rows, number, *item) for item in items}
        judged[judge] = {item: said(choice) for item, choice in found.items() if choice}
    table = {}
    for turn in (1, 2):
        here = {item: choices for item, choices in votes.items() if item[1] == turn}
        kinds = {
            ("human-human", "human", "human"): [
                c for choices in here.values() for c in combinations(choices, 2)
            ]
        }
        for judge, words in judged.items():
            kinds["judge-human", judge, "human"] = [
                (words[item], choice)
                for item, choices in here.items()
                if item in words
                for choice in choices
            ]
        for one, two in combinations(sorted(judged), 2):
            kinds["judge-judge", one, two] = [
                (judged[one][item], judged[two][item])
                for item in judged[one].keys() & judged[two].keys()
                if item[1] == turn
            ]
        for setup in ("S1", "S2"):
            for labels, comparisons in kinds.items():
                table[turn, setup, *labels] = naive_agreement(comparisons, setup)
    return {labels: counts for labels, counts in table.items() if counts[1]}


@pytest.mark.parametrize("merge", [False, True])
@settings(max_examples=60, deadline=None)
@given(rows=studies())
def test_agreement_equals_one_comparison_at_a_time(merge: bool, rows: Rows) -> None:
    options = Options(replicates=100, merge_both_bad=merge)
    (result,) = compute(rows.tally(), options, {"agreement"})
    found = {}
    for row in result.estimates:
        labels = tuple(row.labels[column] for column in result.columns)
        if any(str(label).startswith("human: ") for label in labels):
            continue
        if row.value is None:
            assert row.reason
            continue
        if row.labels["kind"] == "baseline-human":
            continue  # see test_stats_added
        assert row.k is not None
        assert row.value == row.k / row.n
        found[labels] = (row.k, row.n)
    assert found == expected_agreement(rows, merge)


def two_raters(choices: list[tuple[int, int]]) -> Rows:
    rows = Rows()
    for number, (one, two) in enumerate(choices):
        pair = rows.pair(f"q{number}", "a", "b")
        rows.vote(pair, "ann", one)
        rows.vote(pair, "bob", two)
    return rows


def test_both_bad_is_a_class_and_the_chance_level_names_it() -> None:
    rows = two_raters([(4, 4), (4, 3), (1, 1), (1, 2)])
    four = result_of(rows.tally(), "agreement")
    s1 = find(four.estimates, setup="S1")
    assert (s1.k, s1.n, s1.chance) == (2, 4, 1 / 4)
    s2 = find(four.estimates, setup="S2")
    assert (s2.k, s2.n, s2.chance) == (1, 2, 1 / 2)
    three = result_of(rows.tally(), "agreement", merge_both_bad=True)
    s1 = find(three.estimates, setup="S1")
    assert (s1.k, s1.n, s1.chance) == (3, 4, 1 / 3)
    assert "both bad is counted as a tie (three classes)" in three.assumptions
    assert not any("three classes" in each for each in four.assumptions)


def test_agreement_without_spread_uses_wilson_over_items_and_says_so() -> None:
    rows = two_raters([(1, 1)] * 8)
    found = find(result_of(rows.tally(), "agreement").estimates, setup="S1")
    assert found.value == 1
    assert (found.low, found.high) == pytest.approx(proportion_confint(8, 8, method="wilson"))
    assert found.method.startswith("Wilson over 8 items")


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ([(3, 3)], "has two votes that prefer a model"),
        ([(1, 4)], "has two votes that prefer a model"),
    ],
)
def test_undefined_agreement_is_a_reason(choices: list[tuple[int, int]], says: str) -> None:
    found = find(result_of(two_raters(choices).tally(), "agreement").estimates, setup="S2")
    assert found.value is None
    assert says in found.reason


def test_a_judge_and_people_that_never_met_are_named() -> None:
    rows = two_raters([(1, 1)])
    rows.verdict(rows.pair("q9", "a", "b"), "gpt", 1)
    found = find(result_of(rows.tally(), "agreement").estimates, kind="judge-human", setup="S1")
    assert found.value is None
    assert found.reason == "no item was rated by both"


def test_failures_and_missing_orders_are_left_out_and_counted() -> None:
    rows = two_raters([(1, 1)] * 4)
    for pair, words in ((1, (1, 1)), (2, (1, 0)), (3, (1, None)), (4, (1, 2))):
        for left, choice in zip((1, 2), words, strict=True):
            if choice is not None:
                rows.verdict(pair, "gpt", choice, left=left)
    result = result_of(rows.tally(), "agreement")
    found = find(result.estimates, kind="judge-human", setup="S1")
    assert (found.k, found.n) == (2, 4)
    assert any("gpt: 1 item left out, a call failed" in note for note in result.notes)
    assert any("gpt: 1 item left out, one of two orders" in note for note in result.notes)


# --- reliability ------------------------------------------------------------------------


def reliability_matrix(rows: Rows) -> np.ndarray:
    """Annotators × items (both turns of a pair in a row), NaN where there is no vote."""
    matrix = np.full((len(rows.annotators), 2 * len(rows.pairs)), np.nan)
    for vote in live_votes(rows):
        matrix[vote.annotator - 1, 2 * (vote.pair - 1) + vote.turn - 1] = vote.choice
    return matrix


EVEN, SKEWED = (0.25, 0.25, 0.25, 0.25), (0.75, 0.15, 0.05, 0.05)


def random_study(seed: int, items: int = 60, labels: tuple[float, ...] = EVEN) -> Rows:
    """Four annotators who follow a hidden truth most of the time, on a part of the items."""
    rng, rows = np.random.default_rng(seed), Rows()
    for item in range(items):
        pair = rows.pair(f"q{item}", "a", "b")
        for turn in (1, 2):
            truth = int(rng.choice(4, p=labels)) + 1
            for annotator in range(4):
                if rng.random() < 0.7:
                    other = int(rng.choice(4, p=labels)) + 1
                    choice = truth if rng.random() < 0.6 else other
                    rows.vote(pair, f"ann{annotator}", choice, turn)
    return rows


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_alpha_equals_krippendorff(seed: int, merge: bool) -> None:
    rows = random_study(seed)
    matrix = reliability_matrix(rows)
    if merge:
        matrix[matrix == 4] = 3
    expected = krippendorff.alpha(matrix, level_of_measurement="nominal")
    result = result_of(rows.tally(), "reliability", merge_both_bad=merge)
    found = find(result.estimates, measure="Krippendorff α", raters="human")
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.labels["classes"] == (3 if merge else 4)
    assert found.low is not None
    assert found.high is not None
    assert found.low < expected < found.high


def fleiss_table(rows: Rows, merge: bool) -> np.ndarray:
    """Votes by class of each item with two votes or more."""
    items: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * 4)
    for vote in live_votes(rows):
        items[vote.pair, vote.turn][2 if merge and vote.choice == 4 else vote.choice - 1] += 1
    table = np.array(list(items.values()))
    return table[table.sum(axis=1) >= 2]


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("raters", [2, 5])
def test_fleiss_equals_statsmodels_where_items_have_as_many_votes(raters: int, merge: bool) -> None:
    rng, rows = np.random.default_rng(raters), Rows()
    for item in range(80):
        pair = rows.pair(f"q{item}", "a", "b")
        truth = rng.dirichlet([0.6] * 4)
        for annotator in range(raters):
            rows.vote(pair, f"ann{annotator}", int(rng.choice(4, p=truth)) + 1)
    expected = fleiss_kappa(fleiss_table(rows, merge))
    result = result_of(rows.tally(), "reliability", merge_both_bad=merge)
    found = find(result.estimates, measure="Fleiss κ", raters="human")
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.n == 80 * raters
    assert found.low is not None
    assert found.high is not None
    assert found.low < expected < found.high


@pytest.mark.parametrize("merge", [False, True])
def test_fleiss_of_unequal_numbers_of_votes_is_the_mean_over_classes(merge: bool) -> None:
    """By class, as Fleiss, Levin & Paik write it (18.3), each weighed by p (1 − p)."""
    rows = random_study(3)
    table = fleiss_table(rows, merge)
    votes, items = table.sum(axis=1), len(table)
    kappas, weights = [], []
    for x in table.T[: 3 if merge else 4]:
        p = x.sum() / votes.sum()
        within = (x * (votes - x) / votes).sum() / (items * (votes.mean() - 1))
        kappas.append(1 - within / (p * (1 - p)))
        weights.append(p * (1 - p))
    result = result_of(rows.tally(), "reliability", merge_both_bad=merge)
    found = find(result.estimates, measure="Fleiss κ", raters="human")
    assert found.value == pytest.approx(np.average(kappas, weights=weights), abs=1e-12)
    assert len(set(votes.tolist())) > 1


def test_the_interval_of_fleiss_is_that_of_a_bootstrap_of_pairs() -> None:
    rows = Rows()
    rng = np.random.default_rng(11)
    for item in range(100):
        pair, truth = rows.pair(f"q{item}", "a", "b"), rng.dirichlet([0.6] * 4)
        for turn in (1, 2):
            for annotator in range(3):
                rows.vote(pair, f"ann{annotator}", int(rng.choice(4, p=truth)) + 1, turn)
    found = find(result_of(rows.tally(), "reliability").estimates, measure="Fleiss κ")
    assert found.low is not None
    assert found.high is not None
    by_pair = fleiss_table(rows, False).reshape(100, 2, 4)
    replicates = [
        fleiss_kappa(by_pair[rng.integers(0, 100, 100)].reshape(-1, 4)) for _ in range(2000)
    ]
    low, high = np.quantile(replicates, [0.025, 0.975])
    width = high - low
    assert found.low == pytest.approx(low, abs=0.12 * width)
    assert found.high == pytest.approx(high, abs=0.12 * width)


def test_kappas_equal_scikit_learn_and_their_mean_is_plain() -> None:
    rows = random_study(5)
    matrix, names = reliability_matrix(rows), list(rows.annotators)
    expected = {}
    for one, two in combinations(range(len(names)), 2):
        both = ~np.isnan(matrix[one]) & ~np.isnan(matrix[two])
        key = frozenset((names[one], names[two]))
        expected[key] = (cohen_kappa_score(matrix[one, both], matrix[two, both]), both.sum())
    tally = rows.tally()
    pairs = result_of(tally, "annotator_kappa").estimates
    found = {frozenset(map(str, row.labels.values())): (row.value, row.n) for row in pairs}
    assert found.keys() == expected.keys()
    for key, (kappa, shared) in expected.items():
        assert found[key] == (pytest.approx(kappa, abs=1e-12), shared)
    mean = find(result_of(tally, "reliability").estimates, measure="mean Cohen κ")
    assert mean.value == pytest.approx(
        np.mean([kappa for kappa, _ in expected.values()]), abs=1e-12
    )


def test_the_interval_of_mean_kappa_is_that_of_a_bootstrap_of_pairs() -> None:
    rows = random_study(7, items=150, labels=SKEWED)
    mean = find(result_of(rows.tally(), "reliability").estimates, measure="mean Cohen κ")
    assert mean.low is not None
    assert mean.high is not None
    matrix = np.nan_to_num(reliability_matrix(rows)).reshape(len(rows.annotators), -1, 2)
    rng, replicates = np.random.default_rng(1), []
    for _ in range(400):
        drawn = matrix[:, rng.integers(0, matrix.shape[1], matrix.shape[1])].reshape(
            len(matrix), -1
        )
        replicates.append(np.mean([plain_kappa(one, two) for one, two in combinations(drawn, 2)]))
    assert (mean.high - mean.low) / (2 * 1.96) == pytest.approx(np.std(replicates), rel=0.12)


def test_kappa_takes_an_annotators_last_vote_on_an_item() -> None:
    rows = two_raters([(1, 1), (2, 2)] * 6)
    rows.vote(rows.pair("q0", "a", "b"), "ann", 2)
    found = result_of(rows.tally(), "annotator_kappa").estimates[0]
    assert (found.k, found.n) == (11, 12)


def plain_kappa(one: np.ndarray, two: np.ndarray) -> float:
    both = (one > 0) & (two > 0)
    one, two = one[both], two[both]
    expected = sum(np.mean(one == label) * np.mean(two == label) for label in range(1, 5))
    return float((np.mean(one == two) - expected) / (1 - expected))


@pytest.mark.parametrize(
    ("choices", "alpha_says", "kappa_says"),
    [
        ([], "no item has two votes", "no two annotators voted on the same item"),
        ([(1, 1)] * 12, "all votes are the same", "one same label throughout"),
        ([(1, 1), (2, 2)], None, "no two annotators share 10 items; the most is 2"),
    ],
)
def test_undefined_reliability_is_a_reason(
    choices: list[tuple[int, int]], alpha_says: str | None, kappa_says: str
) -> None:
    rows = two_raters(choices)
    rows.vote(rows.pair("alone", "a", "b"), "ann", 1)
    estimates = result_of(rows.tally(), "reliability").estimates
    alpha = find(estimates, measure="Krippendorff α")
    if alpha_says is None:
        assert alpha.value == 1
        assert alpha.low is None
    else:
        assert alpha.value is None
        assert alpha_says in alpha.reason
    assert kappa_says in find(estimates, measure="mean Cohen κ").reason


# --- intervals --------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "n"), [(0, 5), (3, 7), (40, 40), (711, 1200)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_equals_statsmodels(k: int, n: int, level: float) -> None:
    expected = proportion_confint(k, n, alpha=1 - level, method="wilson")
    assert wilson(k, n, level) == pytest.approx(expected, abs=1e-12)


def test_collapse_keeps_every_row_by_either_path() -> None:
    rng = np.random.default_rng(0)
    for top in (3, 400, 2**40):
        rows = rng.integers(0, top, (500, 4))
        rows[250:] = rows[:250]
        patterns, weights = collapse(rows)
        rebuilt = np.repeat(patterns, weights, axis=0)
        assert sorted(map(tuple, rebuilt.tolist())) == sorted(map(tuple, rows.tolist()))
        assert len(np.unique(patterns, axis=0)) == len(patterns)


def test_resampling_patterns_is_resampling_items() -> None:
    """Means and covariances of the sums, exact draws and their normal limit alike."""
    rng = np.random.default_rng(3)
    for items in (600, 6000):
        rows = rng.integers(0, 2**20, (items, 2))
        sums = resampled_sums(rows, np.ones(items, np.int64), 4000, rng)
        assert sums.mean(axis=0) == pytest.approx(rows.sum(axis=0), rel=0.01)
        expected = np.cov(rows.T, ddof=0) * items
        assert np.cov(sums.T)[np.diag_indices(2)] == pytest.approx(np.diag(expected), rel=0.1)


def test_a_share_of_nothing_has_no_interval() -> None:
    nothing = np.zeros(3, np.int64)
    assert clustered_share(nothing, nothing, 0.95, 100, np.random.default_rng(0)) is None
    with pytest.raises(ValueError, match="nothing"):
        wilson(0, 0, 0.95)


def test_the_same_seed_gives_the_same_numbers_whatever_else_is_computed() -> None:
    tally = random_study(1).tally()
    alone = result_of(tally, "agreement", seed=4)
    among = next(r for r in compute(tally, Options(seed=4)) if r.id == "agreement")
    assert alone.to_json() == among.to_json()
    other = result_of(tally, "agreement", seed=5)
    assert [row.value for row in other.estimates] == [row.value for row in alone.estimates]
    assert [row.low for row in other.estimates] != [row.low for row in alone.estimates]


def test_a_number_in_two_tables_has_one_interval() -> None:
    rng, rows = np.random.default_rng(4), Rows()
    for item in range(70):
        pair = rows.pair(f"q{item}", "a", "b")
        for annotator in range(4):
            choice = int(rng.choice(4, p=(0.4, 0.3, 0.1, 0.2))) + 1
            rows.vote(pair, f"ann{annotator}", choice, left=int(rng.integers(1, 3)))
    tally = rows.tally()
    for (one, mine), (two, theirs) in (
        (("position", {"outcome": "left"}), ("position_lean", {"measure": "left"})),
        (
            ("coverage", {"measure": "both bad"}),
            ("both_bad_use", {"among": "all", "measure": "share"}),
        ),
    ):
        first = find(result_of(tally, one).estimates, rater="human", **mine)
        second = find(result_of(tally, two).estimates, rater="human", **theirs)
        assert first.low is not None
        told = [(each.value, each.low, each.high, each.n, each.k) for each in (first, second)]
        assert told[0] == told[1], (one, two)
