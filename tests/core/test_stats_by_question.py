"""Rankings whose clusters are questions: against statsmodels, and where answers are shared."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import t

from core.stats.sandwich import FEW_QUESTIONS
from core.stats.tally import Tally
from tests.core.stats_oracle import result_of

MODELS = ("a", "b", "c", "d", "e")
STRENGTH = np.array([0.9, 0.4, 0.0, -0.4, -0.9])
COUPLES = np.array(list(combinations(range(len(MODELS)), 2)))


Cast = list[tuple[int, int, int]]
"""Of each vote: its question, its couple of models, its choice."""


def study(seed: int, questions: int, quality: float, kept: float = 1.0) -> tuple[Tally, Cast]:
    """One vote on each couple of answers; an answer is as much better on all of its pairs.

    Args:
        quality: standard deviation of an answer's own quality, in log-odds.
        kept: share of the pairs that are there.
    """
    rng, tally = np.random.default_rng(seed), Tally()
    own = STRENGTH + rng.normal(0, quality, (questions, len(MODELS)))
    gap = own[:, COUPLES[:, 0]] - own[:, COUPLES[:, 1]]
    ties = rng.random(gap.shape) < 0.15
    choice = np.where(ties, 3, np.where(rng.random(gap.shape) < 1 / (1 + np.exp(-gap)), 1, 2))
    there = [
        (question, couple)
        for question in range(questions)
        for couple in range(len(COUPLES))
        if rng.random() < kept
    ]
    cast = [(question, couple, int(choice[question, couple])) for question, couple in there]
    tally.add_pairs(
        (n + 1, f"q{question}", None, MODELS[COUPLES[couple, 0]], MODELS[COUPLES[couple, 1]])
        for n, (question, couple) in enumerate(there)
    )
    tally.add_annotators([(1, "ann", "")])
    tally.add_votes((n + 1, n + 1, 1, 1, said, 1, 0) for n, (_, _, said) in enumerate(cast))
    return tally, cast


def halves(tally: Tally) -> dict[str, tuple[float, float]]:
    """By model: rating, and half the interval's width."""
    rows = result_of(tally, "ranking").estimates
    found = {}
    for row in rows:
        assert row.value is not None
        assert row.high is not None
        found[str(row.labels["model"])] = (row.value, row.high - row.value)
    return found


def by_hand(cast: Cast) -> np.ndarray:
    """Errors from statsmodels, one row for each vote, clustered by question, gauge mean 0."""
    groups = np.array([question for question, _, _ in cast])
    design = np.zeros((len(cast), len(MODELS)))
    share = np.zeros(len(cast))
    for row, (_, couple, choice) in enumerate(cast):
        design[row, COUPLES[couple]] = 1, -1
        share[row] = {1: 1.0, 2: 0.0, 3: 0.5}[choice]
    model = sm.GLM(share, design[:, 1:], family=sm.families.Binomial())
    done = model.fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}, tol=1e-13
    )
    centre = np.eye(len(MODELS)) - 1 / len(MODELS)
    covariance = np.zeros((len(MODELS), len(MODELS)))
    covariance[1:, 1:] = done.cov_params()
    questions = len(np.unique(groups))
    errors = np.sqrt(np.diag(centre @ covariance @ centre.T))
    return np.asarray(errors * np.sqrt(questions / (questions - 1)))


@pytest.mark.parametrize("kept", [1.0, 0.6])
def test_the_sandwich_over_questions_equals_statsmodels(kept: float) -> None:
    tally, cast = study(3, 40, 1.0, kept)
    errors = by_hand(cast)
    found = halves(tally)
    for model, error in zip(MODELS, errors, strict=True):
        assert found[model][1] == pytest.approx(error * t.ppf(0.975, 39), rel=1e-6)


def davidson_by_hand(cast: Cast, ratings: np.ndarray, log_nu: float) -> np.ndarray:
    """Errors of the ratings and of log ν, by differences of a log-likelihood written out."""
    question, couple, choice = (np.array(column) for column in zip(*cast, strict=True))

    def by_question(free: np.ndarray) -> np.ndarray:
        theta = np.append(free[:-1], -free[:-1].sum())
        gap = theta[COUPLES[couple, 0]] - theta[COUPLES[couple, 1]]
        logs = np.stack([gap / 2, -gap / 2, np.full_like(gap, free[-1])])
        said = logs[choice - 1, np.arange(len(gap))] - np.log(np.exp(logs).sum(axis=0))
        return np.bincount(question, weights=said)

    at, step = np.append(ratings[:-1], log_nu), 1e-4
    moves = np.eye(len(at)) * step
    scores = np.array([by_question(at + m) - by_question(at - m) for m in moves]).T / (2 * step)
    curvature = np.array(
        [
            [
                sum(a * b * by_question(at + a * m + b * n).sum() for a in (1, -1) for b in (1, -1))
                for n in moves
            ]
            for m in moves
        ]
    ) / (4 * step**2)
    bread = np.linalg.inv(-curvature)
    count = len(np.unique(question))
    return np.sqrt(np.diag(bread @ scores.T @ scores @ bread) * count / (count - 1))


def test_so_does_that_of_ties_as_ties() -> None:
    tally, cast = study(4, 40, 1.0, 0.7)
    rows = result_of(tally, "ranking_ties").estimates
    ratings = {
        str(row.labels["model"]): row
        for row in rows
        if row.labels["raters"] == "human" and row.labels.get("measure") == "rating"
    }
    (ties,) = (row for row in rows if row.labels.get("measure") == "ties")
    assert ties.value is not None
    assert ties.high is not None
    log_nu = np.log(2 * ties.value / (1 - ties.value))
    values = np.array([ratings[model].value for model in MODELS], float)
    errors = davidson_by_hand(cast, values, float(log_nu))
    quantile = t.ppf(0.975, 39)
    for model, error in zip(MODELS[:-1], errors[:-1], strict=True):
        row = ratings[model]
        assert row.value is not None
        assert row.high is not None
        assert row.high - row.value == pytest.approx(quantile * error, rel=1e-4)
        assert row.method.endswith("clustered by question")
    upper = np.log(2 * ties.high / (1 - ties.high))
    assert upper - log_nu == pytest.approx(quantile * errors[-1], rel=1e-4)


def test_on_few_questions_it_is_no_narrower_than_over_pairs() -> None:
    few, _ = study(5, FEW_QUESTIONS - 1, 0.0)
    assert all("whichever is wider" in row.method for row in result_of(few, "ranking").estimates)
    enough, _ = study(5, FEW_QUESTIONS + 1, 0.0)
    methods = [row.method for row in result_of(enough, "ranking").estimates]
    assert all(method.endswith("clustered by question") for method in methods)


@pytest.mark.slow
@pytest.mark.parametrize("quality", [0.0, 1.0, 2.0])
def test_it_covers_where_the_pairs_of_a_question_share_answers(quality: float) -> None:
    truth = {model: value for model, (value, _) in halves(study(10**6, 20_000, quality)[0]).items()}
    hits = [
        abs(value - truth[model]) <= half
        for seed in range(300)
        for model, (value, half) in halves(study(seed, 40, quality)[0]).items()
    ]
    assert 0.93 <= np.mean(hits) <= 0.97
