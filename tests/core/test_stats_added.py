"""What a judge adds over baselines is the difference on the same votes, and its interval holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.stats import Tally
from core.stats.beside import TEXT_UNKNOWN
from core.stats.intervals import difference_of_shares
from tests.core.judged import with_panels
from tests.core.stats_oracle import Rows, find, result_of

COIN = {1: 0.25, 2: 0.25, 3: 0.5, 4: 0.0}


def tell(tally: Tally, words: list[tuple[int, int]]) -> Tally:
    """Let the baselines say this on the pairs, in order of their ids."""
    ids = tally.pair_ids(np.arange(len(tally.item_turn))) - 1
    items = np.arange(len(ids))
    tally.baselines.tell(items, np.array(words, np.int8)[ids])
    return tally


@st.composite
def told(draw: st.DrawFn) -> tuple[Rows, list[tuple[int, int]]]:
    rows, words = Rows(), []
    for number in range(draw(st.integers(1, 7))):
        pair = rows.pair(f"q{number}", "a", "b")
        for name in draw(st.lists(st.sampled_from(["ann", "bob", "cat"]), max_size=3, unique=True)):
            rows.vote(pair, name, draw(st.integers(1, 4)))
        if draw(st.integers(0, 4)):
            rows.verdict(pair, "judge", draw(st.integers(0, 4)))
        word = draw(st.sampled_from([(1, 1), (1, 2), (2, 3), (3, 2), (TEXT_UNKNOWN,) * 2]))
        words.append(word)
    return rows, words


def slow(rows: Rows, words: list[tuple[int, int]], against: str, setup: str) -> Any:
    """Agreement of judge and other, one vote at a time: (mine, theirs, n), or None."""
    judge = {row[1]: row[4] for row in rows.verdicts if row[4]}
    mine = theirs = n = 0.0
    for vote in rows.votes:
        said, choice = judge.get(vote[1]), vote[4]
        if said is None or (setup == "S2" and not {said, choice} <= {1, 2}):
            continue
        if against == "(coin)":
            share = COIN[choice] if setup == "S1" else 0.5
        else:
            word = words[vote[1] - 1][("(longer)", "(headings)").index(against)]
            if word == TEXT_UNKNOWN or (setup == "S2" and word == 3):
                continue
            share = float(word == choice)
        mine, theirs, n = mine + (said == choice), theirs + share, n + 1
    return (mine / n, theirs / n, n) if n else None


@settings(max_examples=120, deadline=None)
@given(told())
def test_a_difference_is_taken_vote_by_vote(study: tuple[Rows, list[tuple[int, int]]]) -> None:
    rows, words = study
    tally = rows.tally()
    if not len(tally.item_turn):
        return
    result = result_of(tell(tally, words), "added", replicates=100)
    for row in result.estimates:
        against = str(row.labels.get("against"))
        if against not in ("(longer)", "(headings)", "(coin)"):
            continue
        expected = slow(rows, words, against, str(row.labels["setup"]))
        if row.value is None:
            assert expected is None
            assert row.reason
            continue
        mine, theirs, n = expected
        wanted = theirs if row.labels["measure"] == "theirs" else mine - theirs
        assert (row.value, row.n) == (pytest.approx(wanted), n)
    for setup in ("S1", "S2"):
        rows_here = [row for row in result.estimates if row.labels["setup"] == setup]
        over = [
            row.value
            for row in rows_here
            if row.labels["measure"] == "difference"
            and row.labels.get("against") in ("(longer)", "(headings)", "(coin)")
            and row.value is not None
        ]
        best = [row for row in rows_here if row.labels.get("against") == "best baseline"]
        assert [row.value for row in best] == ([min(over)] if over else [])


def test_the_ceiling_is_of_the_items_that_the_judge_judged() -> None:
    rows = Rows()
    for number, (one, two, judge) in enumerate([(1, 1, 1), (1, 2, 1), (2, 2, None), (1, None, 2)]):
        pair = rows.pair(f"q{number}", "a", "b")
        for name, choice in (("ann", one), ("bob", two)):
            if choice:
                rows.vote(pair, name, choice)
        if judge:
            rows.verdict(pair, "judge", judge)
    found = result_of(tell(rows.tally(), [(1, 1)] * 4), "added").estimates
    ceiling = find(found, against="each other", setup="S1", measure="theirs")
    assert (ceiling.k, ceiling.n) == (1, 2)
    own = find(found, against="each other", setup="S1", measure="difference")
    assert own.value == pytest.approx(3 / 4 - 1 / 2)
    assert ceiling.chance == pytest.approx(1 / 3)


def test_baselines_stand_beside_judges_without_being_asked_and_not_beside_baselines() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    rows.vote(pair, "ann", 1)
    rows.verdict(pair, "longer", 1)
    tally = rows.tally()
    assert any(row.labels["rater_1"] == "(coin)" for row in result_of(tally, "agreement").estimates)
    tally.add_judges([(1, "longer", "baseline")])
    assert not any(
        row.labels["kind"] == "baseline-human" for row in result_of(tally, "agreement").estimates
    )
    assert result_of(tally, "added").estimates == ()
    assert "apart from baselines" in " ".join(result_of(tally, "added").notes)


def test_without_texts_the_reason_says_so() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    rows.vote(pair, "ann", 1)
    rows.verdict(pair, "judge", 1)
    found = result_of(tell(rows.tally(), [(TEXT_UNKNOWN,) * 2]), "added").estimates
    row = find(found, against="(longer)", setup="S1")
    assert (row.value, row.reason) == (None, "the study does not hold the answers' texts")
    coin = find(found, against="(coin)", setup="S1", measure="difference")
    assert coin.value == pytest.approx(0.75)
    assert (coin.low, coin.method) == (None, "no interval, there is one item")


def test_a_paired_difference_is_that_of_a_regression_on_the_items() -> None:
    """With one vote an item it is the paired t interval, as scipy gives it."""
    from scipy import stats

    rng = np.random.default_rng(4)
    one, two = rng.integers(0, 2, (2, 80))
    whole = np.ones(80, np.int64)
    found = difference_of_shares((one, whole), (two, whole), 0.95)
    expected = stats.ttest_rel(one, two).confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


# ── planted effects ─────────────────────────────────────────────────────────


def planted(seed: int, items: int, baselines: tuple[float, float]) -> Tally:
    """People agree with an item's truth to .8, a judge to .75, baselines to the shares given.

    Items differ in how hard they are for all of them, so that their errors go together.
    """
    rng, tally = np.random.default_rng(seed), Tally()
    hard = rng.normal(0, 0.12, items)
    truth = rng.integers(1, 3, items)

    def say(share: float, which: np.ndarray) -> np.ndarray:
        right = rng.random(len(which)) < np.clip(share - hard[which], 0, 1)
        return np.where(right, truth[which], 3 - truth[which])

    every = np.arange(items)
    item = np.repeat(every, rng.integers(1, 5, items))
    tally.add_pairs((int(n) + 1, f"q{n}", None, "a", "b") for n in every)
    tally.add_annotators((n + 1, f"ann{n}", "") for n in range(4))
    tally.add_judges([(1, "judge", "llm")])
    annotator = 1 + np.arange(len(item)) % 4
    tally.add_votes(
        (n + 1, int(i) + 1, 1, int(a), int(c), 0, 0)
        for n, (i, a, c) in enumerate(zip(item, annotator, say(0.8, item), strict=True))
    )
    tally.add_verdicts(
        (int(n) + 1, int(n) + 1, 1, 1, int(c), 0, 0, 0)
        for n, c in zip(every, say(0.75, every), strict=True)
    )
    order = tally.pair_ids(every) - 1
    words = np.stack([say(share, every) for share in baselines], axis=1)[order]
    tally.baselines.tell(every, words.astype(np.int8))
    return tally


AGAINST = ("(longer)", "(headings)", "best baseline", "each other")


def differences(tally: Tally) -> dict[str, tuple[float, float, float]]:
    found = {}
    estimates = result_of(tally, "added", replicates=100).estimates
    for against in AGAINST:
        row = find(estimates, against=against, setup="S1", measure="difference")
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
        found[against] = row.value, row.low, row.high
    return found


def test_a_planted_advantage_is_recovered() -> None:
    """Judge .75 against .6: among votes right to .8, agreement differs by .15 × (2 × .8 − 1)."""
    found = differences(planted(1, 40_000, (0.6, 0.5)))
    for against, gap in (("(longer)", 0.15), ("(headings)", 0.25), ("best baseline", 0.15)):
        value, low, high = found[against]
        assert abs(value - 0.6 * gap) < 0.01
        assert low <= 0.6 * gap <= high


@pytest.mark.slow
@pytest.mark.parametrize("baselines", [(0.6, 0.5), (0.6, 0.6)], ids=["one is best", "both alike"])
def test_intervals_of_differences_cover_what_they_promise(baselines: tuple[float, float]) -> None:
    studies = 600
    truth = {
        key: value for key, (value, *_) in differences(planted(10**6, 400_000, baselines)).items()
    }
    hits = dict.fromkeys(AGAINST, 0)
    for seed in range(studies):
        for key, (_, low, high) in differences(planted(seed, 150, baselines)).items():
            hits[key] += low <= truth[key] <= high
    coverage = {key: count / studies for key, count in hits.items()}
    print(baselines, coverage)
    assert all(0.93 <= coverage[key] <= 0.97 for key in AGAINST if key != "best baseline"), coverage
    # The best of two that are alike is picked for being lucky; the interval must not be fooled.
    assert coverage["best baseline"] >= 0.93, coverage


def test_panels_are_set_against_baselines_too() -> None:
    rows = Rows()
    for number in range(6):
        pair = rows.pair(f"q{number}", "a", "b")
        rows.vote(pair, "ann", 1)
        rows.verdict(pair, "x", 1 + number % 2)
        rows.verdict(pair, "y", 1)
        rows.verdict(pair, "z", 1)
    tally = tell(with_panels(rows, {"p": {"x": 1, "y": 1, "z": 1}}), [(2, 3)] * 6)
    row = find(
        result_of(tally, "added").estimates,
        rater="panel: p",
        setup="S1",
        against="(longer)",
        measure="difference",
    )
    assert (row.value, row.n) == (1.0, 6)
