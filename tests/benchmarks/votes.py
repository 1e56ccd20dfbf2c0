"""Generated votes for the benchmark of statistics, as arrays that each program makes its own of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

MODELS, CATEGORIES, VOTES_EACH, ANNOTATORS = 20, 8, 3, 60
FAILED = 0.02


def write(path: Path, votes: int, seed: int = 7) -> Path:
    """Three votes an item, and a judge's verdicts in both orders, of which some failed.

    Models differ in strength, items in how they lean; choices are 1, 2, tie (3) and both bad (4).
    """
    rng = np.random.default_rng(seed)
    items = votes // VOTES_EACH
    one, two = np.triu_indices(MODELS, 1)
    match = np.arange(items) % len(one)
    one, two = one[match], two[match]
    strength = np.linspace(-1, 1, MODELS)
    gap = strength[one] - strength[two] + rng.normal(0, 1, items)

    def draw(gap: np.ndarray) -> np.ndarray:
        weights = np.stack([np.exp(gap / 2), np.exp(-gap / 2), 0.6 + 0 * gap, 0.2 + 0 * gap])
        bars = (weights / weights.sum(axis=0)).cumsum(axis=0)
        return ((rng.random(len(gap)) > bars).sum(axis=0).clip(0, 3) + 1).astype(np.int8)

    item = np.repeat(np.arange(items), VOTES_EACH)
    first = np.repeat(rng.integers(0, ANNOTATORS, items), VOTES_EACH)
    judged = np.repeat(np.arange(items), 2)
    verdict = draw(1.5 * gap[judged])
    verdict[rng.random(len(judged)) < FAILED] = 0
    np.savez(
        path,
        one=one,
        two=two,
        category=np.arange(items) // len(strength) % CATEGORIES,
        item=item,
        annotator=(first + np.tile(np.arange(VOTES_EACH), items)) % ANNOTATORS,
        choice=draw(gap[item]),
        left=rng.integers(1, 3, len(item)),
        judged=judged,
        verdict=verdict,
    )
    return path
