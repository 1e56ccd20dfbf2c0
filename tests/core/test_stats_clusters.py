"""Intervals whose clusters are questions, worked out one question after the other.

Where each question has one pair of answers nothing is shared, and every number is what it is with
pairs as clusters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import t as student

from core.proofs import reading
from core.proofs.world import MODELS, OPTIONS, Study, draw
from core.stats import Estimate, compute
from core.stats.intervals import clustered_wilson, difference_of_shares
from core.stats.prediction_powered import powered_mean
from tests.core.stats_oracle import find

HUMAN = "human"


@pytest.fixture(scope="module")
def shared() -> Study:
    """Ten pairs a question."""
    return draw(14, 5)


def apart(study: Study) -> Study:
    """The same with every pair on a question of its own."""
    pairs = [(pair, f"{q}-{pair}", *rest) for pair, q, *rest in study.pairs]
    texts = [
        {(key, model): told[q, model] for pair, q, *two in study.pairs for model in two[1:]
         for key in [f"{q}-{pair}"]}
        for told in (study.characters, study.headers)
    ]  # fmt: skip
    return replace(study, pairs=pairs, characters=texts[0], headers=texts[1])


def rows_of(study: Study, id: str) -> tuple[Estimate, ...]:
    (result,) = compute(study.tally(), OPTIONS, {id})
    return result.estimates


def question_of(study: Study) -> dict[int, str]:
    return {pair: question for pair, question, *_ in study.pairs}


Comparison = tuple[int, bool]
"""The pair, and whether the two agree."""


def judged(study: Study, judge: str) -> list[Comparison]:
    said = reading.words(study, judge)
    return [(v.pair, v.choice == said[v.pair]) for v in reading.votes(study) if v.pair in said]


def among_people(study: Study) -> list[Comparison]:
    voted = reading.by_pair(study)
    return [(pair, a.choice == b.choice) for pair in voted for a, b in combinations(voted[pair], 2)]


def by_question(study: Study, found: list[Comparison]) -> tuple[np.ndarray, np.ndarray]:
    """What agrees and what is compared, of each question."""
    of = question_of(study)
    names = sorted(set(of.values()))
    part, whole = np.zeros(len(names), int), np.zeros(len(names), int)
    for pair, is_same in found:
        part[names.index(of[pair])] += is_same
        whole[names.index(of[pair])] += 1
    return part, whole


def test_agreement_is_wilson_at_the_size_that_questions_leave(shared: Study) -> None:
    rows = rows_of(shared, "agreement")
    judge = {"kind": "judge-human", "rater_1": "plain", "rater_2": HUMAN, "setup": "S1"}
    people = {"kind": "human-human", "rater_1": HUMAN, "rater_2": HUMAN, "setup": "S1"}
    for labels, found in ((judge, judged(shared, "plain")), (people, among_people(shared))):
        told = clustered_wilson(*by_question(shared, found), 0.95, "comparisons", "questions")
        row = find(rows, **labels)
        assert told is not None
        assert (row.value, row.low, row.high) == pytest.approx((told.value, told.low, told.high))
        assert row.method == told.method
        assert "in 14 questions" in row.method
        # The very number of the tables beside it.
        if labels is judge:
            added = [
                each
                for each in rows_of(shared, "added")
                if each.labels.get("rater") == "plain" and each.labels["measure"] == "agreement"
            ]
            assert (added[0].low, added[0].high) == (row.low, row.high)


def test_agreement_within_a_category_is_the_same_on_its_questions(shared: Study) -> None:
    rows = rows_of(shared, "agreement_by_category")
    category = {pair: name for pair, _, name, *_ in shared.pairs}
    for name in set(category.values()):
        mine = [each for each in judged(shared, "other") if category[each[0]] == name]
        part, whole = by_question(shared, mine)
        told = clustered_wilson(part, whole, 0.95, "comparisons", "questions")
        row = find(rows, category=name, setup="S1", rater_1="other", rater_2=HUMAN)
        assert told is not None
        assert (row.low, row.high) == pytest.approx((told.low, told.high))


def test_what_a_judge_adds_is_paired_over_questions(shared: Study) -> None:
    rows = rows_of(shared, "added")
    said, longer = reading.words(shared, "plain"), {}
    for pair, question, _, one, two in shared.pairs:
        gap = shared.characters[question, one] - shared.characters[question, two]
        longer[pair] = 1 if gap > 0 else 2 if gap < 0 else 3
    votes = [v for v in reading.votes(shared) if v.pair in said]
    mine = by_question(shared, [(v.pair, v.choice == said[v.pair]) for v in votes])
    theirs = by_question(shared, [(v.pair, v.choice == longer[v.pair]) for v in votes])
    told = difference_of_shares(mine, theirs, 0.95)
    labels = {"rater": "plain", "setup": "S1", "against": "(longer)"}
    row = find(rows, **labels, measure="difference")
    assert told is not None
    assert (row.value, row.low, row.high) == pytest.approx((told.value, told.low, told.high))
    share = clustered_wilson(*theirs, 0.95, "comparisons", "questions")
    row = find(rows, **labels, measure="theirs")
    assert share is not None
    assert (row.low, row.high) == pytest.approx((share.low, share.high))


def results_of(study: Study, model: str) -> Iterator[tuple[str, int, str, bool]]:
    """Question, pair, opponent and win of every vote on a model's pairs."""
    of, models = question_of(study), reading.models_of(study)
    for vote in reading.votes(study):
        if model in models[vote.pair]:
            place = models[vote.pair].index(model)
            other = models[vote.pair][1 - place]
            yield of[vote.pair], vote.pair, other, vote.choice == place + 1


def test_a_win_rate_is_linearised_question_by_question(shared: Study) -> None:
    rows = rows_of(shared, "win_rate")
    for model in MODELS:
        found = list(results_of(shared, model))
        met = sorted({other for _, _, other, _ in found})
        wins = {o: [won for *_, other, won in found if other == o] for o in met}
        share = {o: float(np.mean(wins[o])) for o in met}
        score: dict[tuple[str, str], float] = defaultdict(float)
        for question, _, other, won in found:
            score[question, other] += (won - share[other]) / len(wins[other]) / len(met)
        on = {o: {q for q, other in score if other == o} for o in met}
        questions = {q for q, _ in score}
        several = len(questions)
        # Each opponent's own spread over its pairs, and what opponents have in common.
        variance = sum(
            v**2 * len(on[o]) / (len(on[o]) - 1) for (_, o), v in score.items()
        ) + several / (several - 1) * sum(
            score[q, a] * score[q, b] for q in questions for a in met for b in met
            if a != b and (q, a) in score and (q, b) in score
        )  # fmt: skip
        row = find(rows, raters=HUMAN, category="all", model=model)
        freedom = min(sum(map(len, on.values())) - len(met), several - 1)
        half = student.ppf(0.975, freedom) * np.sqrt(variance)
        assert row.value == pytest.approx(np.mean(list(share.values())))
        assert (row.high or 0) - (row.value or 0) == pytest.approx(half)
        assert row.method.endswith(f"clustered by {several} questions")


def test_both_bad_is_summed_by_question(shared: Study) -> None:
    said = [(v.pair, v.choice == 4) for v in reading.votes(shared)]
    told = clustered_wilson(*by_question(shared, said), 0.95, "comparisons", "questions")
    assert told is not None
    for id in ("both_bad_use", "coverage"):
        labels = {"among": "all", "measure": "share"} if id != "coverage" else {}
        rows = rows_of(shared, id)
        row = find(rows, rater=HUMAN, **(labels or {"measure": "both bad"}))
        assert (row.low, row.high) == pytest.approx((told.low, told.high))


def test_a_models_part_in_both_bad_is_statsmodels_by_question(shared: Study) -> None:
    models, of = reading.models_of(shared), question_of(shared)
    votes = reading.votes(shared)
    design = np.array([[name in models[v.pair] for name in MODELS] for v in votes], float)
    bad = np.array([v.choice == 4 for v in votes], float)
    _, groups = np.unique([of[v.pair] for v in votes], return_inverse=True)
    cluster = {"groups": groups, "use_correction": False}
    fit = sm.GLM(bad, design, family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds=cluster, tol=1e-13
    )
    several = len(set(groups.tolist()))
    errors = np.sqrt(np.diag(fit.cov_params()) * several / (several - 1))
    rows = rows_of(shared, "ranking_ties")
    for number, model in enumerate(MODELS):
        row = find(rows, raters=HUMAN, model=model, measure="both bad")
        upper = fit.params[number] + student.ppf(0.975, several - 1) * errors[number]
        assert row.high == pytest.approx(1 / (1 + np.exp(-2 * upper)), rel=1e-6)
        assert row.method.endswith("clustered by question")


def test_ppi_sums_what_each_pair_moves_it_by(shared: Study) -> None:
    rng = np.random.default_rng(1)
    outcomes, predicted, rest = rng.random(30), rng.random(30), rng.random(50)
    cluster = np.concatenate([np.arange(30) // 3, np.arange(50) % 12])
    alone = powered_mean(outcomes, predicted, rest)
    found = powered_mean(outcomes, predicted, rest, None, cluster)
    assert (found.value, found.tuning) == (alone.value, alone.tuning)
    residual = outcomes - found.tuning * predicted
    moved = np.bincount(cluster[:30], residual - residual.mean(), minlength=12) / 30
    drift = np.bincount(cluster[30:], rest - rest.mean(), minlength=12) * found.tuning / 50
    # Ten clusters with outcomes, and λ was fitted to thirty of these.
    stretch = 10 / 9 * 29 / 28
    assert found.error == pytest.approx(np.linalg.norm(moved * np.sqrt(stretch) + drift))
    assert found.freedom == 9
    each = powered_mean(outcomes, predicted, rest, None, np.arange(80))
    assert (each.error, each.freedom) == (alone.error, 28)


@pytest.mark.parametrize("measure", ["Krippendorff α", "Fleiss κ"])
def test_what_leaving_out_each_pair_does_is_the_error_of_reliability(measure: str) -> None:
    study = draw(3, 2)
    of = {"raters": HUMAN, "measure": measure}
    row = find(rows_of(study, "reliability"), **of)
    voted = reading.by_pair(study)
    pairs = sorted(pair for pair in voted if len(voted[pair]) > 1)
    without = [
        find(rows_of(replace(study, votes=[v for v in study.votes if v[1] != pair]), "reliability"),
             **of).value
        for pair in pairs
    ]  # fmt: skip
    error = np.std(np.array(without, float)) * np.sqrt(len(pairs) - 1)
    half = student.ppf(0.975, len(pairs) - 1) * error
    assert (row.value or 0) - (row.low or 0) == pytest.approx(half)
    assert row.method.endswith("jackknife of pairs")


TOLD = ("agreement", "agreement_by_category", "added", "win_rate", "both_bad_use", "ppi",
        "self_enhancement", "style")  # fmt: skip


def test_with_one_pair_a_question_pairs_are_the_clusters(shared: Study) -> None:
    study = apart(shared)
    agreement = rows_of(study, "agreement")
    assert {row.method.split()[0] for row in agreement if row.method} <= {"bootstrap", "exact,"}
    for id in TOLD:
        for row in rows_of(study, id):
            assert "clustered by question" not in row.method or id == "style"
            assert "questions" not in row.method or "over questions" in row.method, row.method
    found = list(results_of(study, "ant-1"))
    met = sorted({other for *_, other, _ in found})
    variance = freedom = 0.0
    for other in met:
        won: dict[int, list[bool]] = defaultdict(list)
        for _, pair, opponent, is_won in found:
            if opponent == other:
                won[pair].append(is_won)
        every = [each for of in won.values() for each in of]
        moved = np.array([sum(of) - np.mean(every) * len(of) for of in won.values()]) / len(every)
        variance += moved @ moved * len(won) / (len(won) - 1) / len(met) ** 2
        freedom += len(won) - 1
    row = find(rows_of(study, "win_rate"), raters=HUMAN, category="all", model="ant-1")
    half = student.ppf(0.975, freedom) * np.sqrt(variance)
    assert (row.high or 0) - (row.value or 0) == pytest.approx(half, rel=1e-12)


def test_a_question_alone_says_little_about_others() -> None:
    study = draw(1, 3)
    for row in rows_of(study, "agreement"):
        if row.n > 1 and row.low is not None and row.high is not None:
            assert row.high - row.low > 0.5


def covered(id: str, questions: int, studies: int, quality: float) -> float:
    large = draw(1500, 1 << 41, quality)
    truth = {frozenset(r.labels.items()): r.value for r in rows_of(large, id)}
    held = [
        row.low <= known <= row.high
        for seed in range(studies)
        for row in rows_of(draw(questions, seed, quality), id)
        if row.low is not None
        and row.high is not None
        and (known := truth.get(frozenset(row.labels.items()))) is not None
    ]
    return float(np.mean(held))


@pytest.mark.slow
@pytest.mark.parametrize("id", ["win_rate", "ppi", "self_enhancement"])
@pytest.mark.parametrize("quality", [0.0, 2.0])
def test_they_cover_where_answers_are_shared_and_where_they_are_not(
    id: str, quality: float
) -> None:
    assert 0.925 <= covered(id, 40, 120, quality) <= 0.98
