"""Where both bad is said: planted categories and lengths come out, and nothing else does."""

from __future__ import annotations

import numpy as np

from core.stats import Tally
from core.stats.background import COUNTED
from tests.core.stats_oracle import Rows, find, result_of


def study(seed: int, *, hard: float = 0.1, long: float = 0.1) -> Tally:
    """150 pairs; both bad in a tenth, but where a category or long answers make it more."""
    rng, rows = np.random.default_rng(seed), Rows()
    answers = []
    for question in range(150):
        key = f"q{question}"
        rows.categories[key] = ("hard", "easy", "plain")[question % 3]
        pair = rows.pair(key, "a", "b")
        length = int(rng.integers(100, 1000))
        chance = max(hard if question % 3 == 0 else 0.1, long if length > 700 else 0.1)
        for name in ("ann", "bob"):
            rows.vote(pair, name, 4 if rng.random() < chance else 1 + int(rng.integers(3)))
        counted = [0] * len(COUNTED)
        counted[COUNTED.index("characters")] = length
        answers += [(key, model, 1, *counted) for model in "ab"]
    tally = rows.tally()
    tally.background.set_answers(answers)
    return tally


def test_a_category_with_more_both_bad_stands_out() -> None:
    rows = result_of(study(0, hard=0.5), "both_bad_use").estimates
    found = find(rows, among="category: hard", measure="less the rest")
    assert found.labels["stands out"] == "corrected"
    assert found.value is not None
    assert found.low is not None
    assert found.low > 0
    share = find(rows, among="category: hard", measure="share")
    assert share.value is not None
    assert share.low is not None
    assert share.high is not None
    assert share.low < 0.5 < share.high


def test_long_answers_with_more_both_bad_stand_out() -> None:
    rows = result_of(study(1, long=0.5), "both_bad_use").estimates
    assert find(rows, among="length: long", measure="less the rest").labels["stands out"] == (
        "corrected"
    )
    less = find(rows, among="length: short", measure="less the rest").value
    assert less is not None
    assert less < 0


def test_without_an_effect_little_stands_out() -> None:
    """Six tests a study at a false-discovery rate of 5%: one study in twenty at most."""
    alarmed = 0
    for seed in range(60):
        rows = result_of(study(seed + 10), "both_bad_use").estimates
        alarmed += any(row.labels.get("stands out") == "corrected" for row in rows)
    assert alarmed <= 8


def test_who_never_says_it_has_a_share_and_a_note_only() -> None:
    rows = Rows()
    for question in range(5):
        rows.vote(rows.pair(f"q{question}", "a", "b"), "ann", 1)
    result = result_of(rows.tally(), "both_bad_use")
    (row,) = result.estimates
    assert (row.value, row.k, row.n) == (0, 0, 5)
    assert any("never says both bad" in note for note in result.notes)
    assert any("texts" in note for note in result.notes)
