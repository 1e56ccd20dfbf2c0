"""Nominal 95% intervals cover 93–97% where the votes on one item depend on each other.

Each study is drawn from one process: every pair of answers has its own leaning, from which its
people and its judge draw. The true value of a number is what a very large study gives.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from core.stats import Tally
from core.stats.intervals import wilson
from tests.core.stats_oracle import result_of

MODELS = ("a", "b", "c", "d", "e")
STRENGTH = np.array([0.9, 0.5, 0.0, -0.4, -1.0])
STUDIES = 600


def draw(choices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One choice (1–4) per row of probabilities."""
    edges = choices.cumsum(axis=-1)
    return 1 + (rng.random((*choices.shape[:-1], 1)) > edges[..., :-1]).sum(axis=-1)


def study(questions: int, seed: int) -> Tally:
    """All pairs of five models on each question, 1–7 people and a judge on each pair."""
    rng, tally = np.random.default_rng(seed), Tally()
    games = np.array(list(combinations(range(len(MODELS)), 2)))
    pair = np.arange(questions * len(games))
    one, two = games[pair % len(games)].T
    lean = 1 / (1 + np.exp(STRENGTH[two] - STRENGTH[one] - rng.normal(0, 1.2, len(pair))))
    tie, bad = rng.beta(1, 4, len(pair)), rng.beta(1, 9, len(pair))
    rest = (1 - tie) * (1 - bad)
    chances = np.stack([rest * lean, rest * (1 - lean), (1 - bad) * tie, bad], axis=1)
    tally.add_pairs(
        (int(n) + 1, f"q{n // len(games)}", None, MODELS[i], MODELS[j])
        for n, i, j in zip(pair, one, two, strict=True)
    )
    tally.add_annotators((n + 1, f"ann{n}", "") for n in range(7))
    tally.add_judges([(1, "judge", "llm")])
    votes = rng.integers(1, 8, len(pair))
    item = np.repeat(pair, votes)
    annotator = np.concatenate([rng.permutation(7)[:k] for k in votes])
    rows = np.zeros((len(item), 7), np.int64)
    rows[:, :5] = np.stack(
        [
            np.arange(1, len(item) + 1),
            item + 1,
            np.ones_like(item),
            annotator + 1,
            draw(chances[item], rng),
        ],
        axis=1,
    )
    tally.add_votes(map(tuple, rows.tolist()))  # type: ignore[arg-type]
    said = draw(chances, rng)
    tally.add_verdicts(
        (int(n) + 1, int(n) + 1, 1, 1, int(c), 0, 0, 0) for n, c in zip(pair, said, strict=True)
    )
    return tally


STATISTICS = {
    "agreement": (20, ("kind", "setup")),
    "ranking": (20, ("raters", "model")),
    "win_rate": (20, ("raters", "model")),
    "reliability": (60, ("measure",)),
}
"""Questions per study (ten pairs each), and the labels that name a number.

α and κ are ratios whose intervals come a little short in small studies: over 4,000 studies of 20
questions they covered .934 and .930, of 60 questions .945 and .943.
"""


@pytest.mark.slow
@pytest.mark.parametrize("id", STATISTICS)
def test_intervals_cover_what_they_promise(id: str) -> None:
    questions, labels = STATISTICS[id]

    def numbers(tally: Tally) -> dict[tuple[object, ...], tuple[float, float, float]]:
        found = {}
        for row in result_of(tally, id, replicates=1000).estimates:
            if row.labels.get("kind") == "baseline-human":
                continue  # the coin of this study without texts is exact, not estimated
            assert row.value is not None, row.reason
            assert row.low is not None, row.method
            assert row.high is not None
            found[tuple(row.labels[each] for each in labels)] = (row.value, row.low, row.high)
        return found

    truth = numbers(study(20_000, seed=10**6))
    hits: dict[tuple[object, ...], int] = dict.fromkeys(truth, 0)
    for seed in range(STUDIES):
        for key, (_, low, high) in numbers(study(questions, seed)).items():
            hits[key] += low <= truth[key][0] <= high
    coverage = {key: count / STUDIES for key, count in hits.items()}
    # The mean over a statistic's numbers must hold the promise; each single one may stray by
    # what STUDIES coin tosses stray.
    assert 0.93 <= np.mean(list(coverage.values())) <= 0.97, coverage
    assert all(0.92 <= each <= 0.98 for each in coverage.values()), coverage


@pytest.mark.slow
def test_counting_votes_as_independent_would_not_cover() -> None:
    """The simulation can tell: a binomial interval over comparisons is far too narrow."""
    rows = result_of(study(20_000, seed=10**6), "agreement").estimates
    wanted = [
        row for row in rows if row.labels["kind"] == "human-human" and row.labels["setup"] == "S1"
    ]
    truth, hits = wanted[0].value, 0
    assert truth is not None
    for seed in range(200):
        rows = result_of(study(20, seed), "agreement", replicates=100).estimates
        (row,) = (
            r for r in rows if r.labels["kind"] == "human-human" and r.labels["setup"] == "S1"
        )
        low, high = wilson(row.k or 0, row.n, 0.95)
        hits += low <= truth <= high
    assert hits / 200 < 0.85
