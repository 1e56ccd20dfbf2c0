"""Dawid–Skene: against a slow reading of its formulas, and against crowd-kit."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.records import Choice, Pair
from core.stats import Options
from core.stats.dawid_skene import Ballots, Fit, Rules, fit, made_up
from core.stats.gold_kept import posteriors
from tests.core.stats_oracle import Rows

FROZEN = Path(__file__).parent / "frozen" / "crowd_kit_dawid_skene.json"
NEVER = -math.inf
LEAST = 1e-10


def ballots(
    rows: list[tuple[int, int, int, int]],
    items: int,
    raters: int,
    classes: int = 4,
    truth: dict[int, int] | None = None,
) -> Ballots:
    """Rows are item, rater, class said in model space, and which model stood left."""
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    fixed = np.full(items, -1, np.int64)
    for item, known in (truth or {}).items():
        fixed[item] = known
    return Ballots(*columns, items, raters, classes, fixed)


def other(label: int) -> int:
    return {0: 1, 1: 0}.get(label, label)


def slow(data: Ballots, rules: Rules) -> list[list[float]]:
    """The posterior after some steps of EM, one vote at a time."""
    classes = range(data.classes)
    votes = list(
        zip(*(each.tolist() for each in (data.item, data.rater, data.said, data.left)), strict=True)
    )
    fixed = data.truth.tolist()
    posterior = []
    for item in range(data.items):
        mine = [said for its, _, said, _ in votes if its == item]
        shares = [mine.count(c) / len(mine) if mine else 1 / data.classes for c in classes]
        posterior.append([float(c == fixed[item]) for c in classes] if fixed[item] >= 0 else shares)
    confusion = np.full((data.raters, data.classes, data.classes), 1 / data.classes)
    for _ in range(rules.steps):
        counts = np.tile(made_up(data.classes, rules.prior_votes), (data.raters, 1, 1))
        for item, rater, said, left in votes:
            for true in classes:
                weight = posterior[item][true]
                upright = confusion[rater, true, said]
                turned = confusion[rater, other(true), other(said)]
                share = upright / (upright + turned) if left == 0 else float(left == 1)
                counts[rater, true, said] += weight * share
                counts[rater, other(true), other(said)] += weight * (1 - share)
        counts = np.maximum(counts, LEAST)
        confusion = counts / counts.sum(axis=2, keepdims=True)
        prior = [sum(row[c] for row in posterior) / data.items for c in classes]
        if rules.is_symmetric:
            prior[0] = prior[1] = (prior[0] + prior[1]) / 2
        for item in range(data.items):
            if fixed[item] >= 0:
                continue
            joint = [max(p, LEAST) for p in prior]
            for its, rater, said, left in votes:
                if its == item:
                    for true in classes:
                        upright = confusion[rater, true, said]
                        turned = confusion[rater, other(true), other(said)]
                        joint[true] *= ((upright + turned) / 2, upright, turned)[left]
            posterior[item] = [p / sum(joint) for p in joint]
    return posterior


@st.composite
def any_ballots(draw: st.DrawFn) -> Ballots:
    items, raters, classes = (
        draw(st.integers(1, 6)),
        draw(st.integers(1, 4)),
        draw(st.sampled_from((3, 4))),
    )
    row = st.tuples(
        st.integers(0, items - 1),
        st.integers(0, raters - 1),
        st.integers(0, classes - 1),
        st.integers(0, 2),
    )
    truth = draw(
        st.dictionaries(st.integers(0, items - 1), st.integers(0, classes - 1), max_size=2)
    )
    return ballots(draw(st.lists(row, max_size=20)), items, raters, classes, truth)


@settings(max_examples=80, deadline=None)
@given(any_ballots(), st.integers(1, 6), st.booleans())
def test_it_is_what_a_slow_reading_gives(data: Ballots, steps: int, is_symmetric: bool) -> None:
    rules = Rules(4.0, is_symmetric, steps, NEVER)
    found = fit(data, rules)
    assert found.steps == steps
    assert found.posterior == pytest.approx(np.array(slow(data, rules)), abs=1e-9)
    assert found.confusion.sum(axis=2) == pytest.approx(1.0)


@settings(max_examples=60, deadline=None)
@given(any_ballots())
def test_em_never_goes_down_and_ends(data: Ballots) -> None:
    found = fit(data, Rules(is_symmetric=False))
    assert found.converged
    # A class that dies out counts as the least that there is, as if the classes summed to more.
    assert np.all(np.diff(found.objective) > -1e-9 - data.classes * LEAST * data.items)


@pytest.mark.parametrize("name", ["posterior", "clamped"])
def test_it_is_what_crowd_kit_gives(name: str) -> None:
    """Maximum likelihood without sides, made by crowd-kit 1.4.2; it floors at 1e-10."""
    frozen: dict[str, Any] = json.loads(FROZEN.read_text("utf-8"))
    truth = {int(item): label for item, label in frozen["true_labels"].items()}
    data = ballots(
        [(*row, 1) for row in frozen["votes"]], 30, 5, truth=truth if name == "clamped" else None
    )
    found = fit(data, Rules(0.0, is_symmetric=False, steps=frozen["steps"], close=NEVER))
    assert found.posterior == pytest.approx(np.array(frozen[name]), abs=2e-10)


def renamed(data: Ballots) -> Ballots:
    """The same study with the two models' names exchanged in every pair."""

    def turn(labels: np.ndarray[Any, Any]) -> Any:
        return np.where((labels == 0) | (labels == 1), 1 - labels, labels)

    left = np.where(data.left > 0, 3 - data.left, 0)
    return replace(data, said=turn(data.said), truth=turn(data.truth), left=left)


@settings(max_examples=60, deadline=None)
@given(any_ballots())
def test_a_models_name_changes_nothing(data: Ballots) -> None:
    one, two = fit(data), fit(renamed(data))
    order = [1, 0, *range(2, data.classes)]
    assert two.posterior[:, order] == pytest.approx(one.posterior, abs=1e-6)
    assert two.confusion == pytest.approx(one.confusion, abs=1e-6)


def planted(seed: int, lean: float, items: int = 3000) -> tuple[Ballots, Any, Any]:
    """Ten annotators of different care, who take right for left with probability ``lean``."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(4, items, p=(0.35, 0.35, 0.2, 0.1))
    confusion = np.zeros((10, 4, 4))
    for rater in range(10):
        right = 0.55 + 0.04 * rater
        confusion[rater] = (1 - right) / 3
        confusion[rater][np.diag_indices(4)] = right
        confusion[rater, 1, 0] += lean
        confusion[rater, 1, 1] -= lean
    item = np.repeat(np.arange(items), 5)
    rater = np.concatenate([rng.choice(10, 5, replace=False) for _ in range(items)])
    left = rng.integers(1, 3, len(item))

    def turn(labels: Any) -> Any:
        return np.where((left == 2) & (labels < 2), 1 - labels, labels)

    edges = confusion[rater, turn(truth[item])].cumsum(axis=1)[:, :3]
    seen = (rng.random(len(item))[:, None] > edges).sum(axis=1)
    rows = np.stack([item, rater, turn(seen), left], axis=1)
    return ballots(rows.tolist(), items, 10), truth, confusion


def test_planted_confusion_comes_back_and_a_lean_lands_in_it() -> None:
    data, truth, confusion = planted(1, lean=0.2)
    found = fit(data)
    assert found.converged
    assert np.abs(found.confusion - confusion).max() < 0.08
    lean = (found.confusion[:, 1, 0] - found.confusion[:, 0, 1]).mean()
    assert lean == pytest.approx(0.2, abs=0.03)
    votes = np.zeros((data.items, 4))
    np.add.at(votes, (data.item, data.said), 1)
    right = (found.posterior.argmax(axis=1) == truth).mean()
    assert right > (votes.argmax(axis=1) == truth).mean() + 0.02
    blind = fit(replace(data, left=np.zeros_like(data.left)))
    assert right > (blind.posterior.argmax(axis=1) == truth).mean()


def test_clamped_items_are_their_rulings_and_teach_about_annotators() -> None:
    """Two annotators who always disagree: only rulings say which of them is right."""
    rows = [
        (item, rater, item % 2 if rater else 1 - item % 2, 0)
        for item in range(40)
        for rater in (0, 1)
    ]
    open_ended = fit(ballots(rows, 40, 2))
    assert np.abs(open_ended.posterior[:, 0] - 0.5).max() < 1e-6
    truth = {item: item % 2 for item in range(20)}
    taught = fit(ballots(rows, 40, 2, truth=truth))
    expected = np.arange(40) % 2
    assert np.array_equal(taught.posterior.argmax(axis=1), expected)
    assert taught.posterior[np.arange(20), expected[:20]] == pytest.approx(1.0)


def test_nothing_is_made_of_nothing() -> None:
    empty: Fit = fit(ballots([], 0, 0))
    assert empty.posterior.shape == (0, 4)
    alone = fit(ballots([], 3, 0))
    assert alone.posterior == pytest.approx(0.25)


def test_posteriors_of_a_study_have_its_names_and_its_rulings() -> None:
    rows = Rows()
    pairs = [rows.pair(f"q{number}", "b", "a") for number in range(3)]
    for name in ("ann", "bob", "cat"):
        rows.vote(pairs[0], name, 1)
        rows.vote(pairs[1], name, 4)
    rows.vote(pairs[1], "author", 2, group="authors")
    tally = rows.tally()
    tally.add_rulings([(1, pairs[1], 1, 1, 0, 2, 0, None, "", "", 0, 0)])
    told = posteriors(tally, Options(exclude_groups=("authors",)))
    assert set(told) == {(Pair("q0", "a", "b"), 1), (Pair("q1", "a", "b"), 1)}
    assert told[Pair("q1", "a", "b"), 1] == {
        Choice.MODEL_1: 0.0, Choice.MODEL_2: 1.0, Choice.TIE: 0.0, Choice.BOTH_BAD: 0.0
    }  # fmt: skip
    first = told[Pair("q0", "a", "b"), 1]
    assert max(first, key=lambda choice: first[choice]) is Choice.MODEL_1
    assert sum(first.values()) == pytest.approx(1)
    merged = posteriors(tally, Options(merge_both_bad=True))
    assert Choice.BOTH_BAD not in merged[Pair("q0", "a", "b"), 1]
    tally.add_rulings([(2, pairs[1], 1, 2, 0, 1, 0, None, "", "", 0, 0)])
    disputed = posteriors(tally)[Pair("q1", "a", "b"), 1]
    assert 0 < disputed[Choice.MODEL_2] < 1
    tally.add_rulings([(3, pairs[1], 1, 1, 0, 3, 0, None, "", "", 1, 1)])
    assert posteriors(tally)[Pair("q1", "a", "b"), 1][Choice.TIE] == 1
