"""How often judges agree with themselves, what a vote over repeats changes, why calls failed."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.stats import Options, Tally, compute
from core.stats.observed import verdicts_of
from core.stats.view import View
from tests.core.stats_oracle import Rows, find, result_of


@st.composite
def repeated(draw: st.DrawFn) -> Rows:
    """A judge that is asked again and again, in both orders, with failures and retries."""
    rows = Rows()
    for number in range(draw(st.integers(1, 4))):
        pair = rows.pair(f"q{number}", "a", "b")
        rows.vote(pair, "ann", draw(st.integers(1, 4)))
        for left in (1, 2):
            for repeat in range(draw(st.integers(0, 4))):
                seq = rows.verdict(pair, "x", draw(st.integers(0, 4)), left=left, repeat=repeat)
                if draw(st.integers(0, 5)) == 0:
                    rows.verdict(
                        pair, "x", draw(st.integers(1, 4)), left=left, repeat=repeat, supersedes=seq
                    )
    return rows


def standing(rows: Rows) -> dict[tuple[int, int], dict[int, int]]:
    """By pair and order: repeat → choice, of orders asked again."""
    gone = {row[7] for row in rows.verdicts}
    said: dict[tuple[int, int], dict[int, int]] = {}
    for row in rows.verdicts:
        if row[0] not in gone:
            said.setdefault((row[1], row[5]), {})[row[6]] = row[4]
    return {key: told for key, told in said.items() if any(told)}


@settings(max_examples=150, deadline=None)
@given(repeated())
def test_couples_are_counted_one_by_one(rows: Rows) -> None:
    told = standing(rows)
    estimates = result_of(rows.tally(), "self_consistency").estimates
    if not told:
        assert estimates == ()
        return
    choices = {key: [c for c in said.values() if c] for key, said in told.items()}
    couples = [c for said in choices.values() for c in combinations(said, 2)]
    same = find(estimates, measure="same order")
    assert (same.k or 0, same.n) == (sum(a == b for a, b in couples), len(couples))
    across = [
        (a, b)
        for (pair, left), said in choices.items()
        if left == 1
        for a in said
        for b in choices.get((pair, 2), [])
    ]
    other = find(estimates, measure="other order")
    assert (other.k or 0, other.n) == (sum(a == b for a, b in across), len(across))
    modes = {}
    for key, said in choices.items():
        top = Counter(said).most_common(2)
        clear = len(top) == 1 or (len(top) == 2 and top[0][1] > top[1][1])
        modes[key] = top[0][0] if top and clear else None
    decided = [key for key, mode in modes.items() if mode and told[key].get(0)]
    changed = find(estimates, measure="majority says otherwise")
    assert (changed.k or 0, changed.n) == (
        sum(modes[key] != told[key][0] for key in decided),
        len(decided),
    )
    none = find(estimates, measure="no majority")
    assert (none.k or 0, none.n) == (
        sum(modes[key] is None for key in modes if choices[key]),
        sum(1 for key in modes if choices[key]),
    )


@settings(max_examples=80, deadline=None)
@given(repeated())
def test_the_majority_over_repeats_is_a_judge_that_said_it_once(rows: Rows) -> None:
    """Chosen as its word, it gives every number that a judge would have who says just that."""
    told = standing(rows)
    once = Rows(rows.pairs, rows.categories, rows.annotators, dict(rows.judges), rows.votes, [])
    gone = {row[7] for row in rows.verdicts}
    for row in rows.verdicts:
        if row[0] not in gone and (row[1], row[5]) not in told and row[6] == 0:
            once.verdict(row[1], "x", row[4], left=row[5])
    for (pair, left), said in told.items():
        choices = [choice for choice in said.values() if choice]
        top = Counter(choices).most_common(2)
        if not top:
            once.verdict(pair, "x", 0, left=left)
        elif len(top) == 1 or top[0][1] > top[1][1]:
            once.verdict(pair, "x", top[0][0], left=left)
        else:
            return  # no single verdict says that there is no majority
    ids = {"agreement", "position", "win_rate", "ranking"}
    chosen = compute(rows.tally(), Options(repeats="majority"), ids)
    plain = compute(once.tally(), Options(), ids)
    for mine, theirs in zip(chosen, plain, strict=True):
        assert [row.to_json() for row in mine.estimates] == [
            row.to_json() for row in theirs.estimates
        ]
        assert any("most of its repeats" in each for each in mine.assumptions)
        assert not any("repeats" in each for each in theirs.assumptions)


def test_an_order_without_a_majority_leaves_the_item_out_and_is_no_tie() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    rows.vote(pair, "ann", 3)
    for left, choices in ((1, (1, 2)), (2, (1, 1))):
        for repeat, choice in enumerate(choices):
            rows.verdict(pair, "x", choice, left=left, repeat=repeat)
    tally = rows.tally()
    first = result_of(tally, "coverage").estimates
    assert find(first, rater="x", measure="items: consistent").value == 1
    vote = result_of(tally, "coverage", repeats="majority").estimates
    assert find(vote, rater="x", measure="items: undecided").value == 1
    found = result_of(tally, "agreement", repeats="majority")
    assert not [row for row in found.estimates if row.labels["kind"] == "judge-human"]
    assert "x: 1 item left out, the vote of its repeats has no winner (no tie)" in found.notes
    # Single words are the same: that order has none.
    words = verdicts_of(View(tally, Options(repeats="majority")), 0)
    assert (words.choice.tolist(), words.left.tolist()) == ([1], [2])
    for each in ("confusion", "style", "rater_bias", "position_lean"):
        assert result_of(tally, each, repeats="majority").estimates


def test_what_repeats_count_for_is_named_either_way() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    rows.vote(pair, "ann", 1)
    for repeat in range(3):
        rows.verdict(pair, "x", 1, left=1, repeat=repeat)
    for chosen, words in (("first", "is the first verdict"), ("majority", "most repeats say")):
        notes = result_of(rows.tally(), "agreement", repeats=chosen).notes
        assert any("was asked repeatedly" in note and words in note for note in notes)
    with pytest.raises(ValueError, match="repeats is 'mean'"):
        Options(repeats="mean")


def test_failed_repeats_bound_the_consistency() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    for repeat, choice in enumerate((1, 1, 2, 0)):
        rows.verdict(pair, "x", choice, left=1, repeat=repeat)
    row = find(result_of(rows.tally(), "self_consistency").estimates, measure="same order")
    assert (row.k, row.n, row.failed) == (1, 3, 1)
    assert (row.lowest, row.highest) == (pytest.approx(1 / 6), pytest.approx(3 / 6))


# ── planted noise and position ──────────────────────────────────────────────


def noisy(seed: int, items: int, noise: float, lean: float, repeats: int = 3) -> Tally:
    """A judge that tosses a coin with ``noise`` and otherwise says what it holds of an item.

    That is the item's truth, or on a share ``lean`` of the items the answer shown first. How noisy
    an item is differs between pairs.
    """
    rng, tally = np.random.default_rng(seed), Tally()
    truth = rng.integers(1, 3, items)
    leans = rng.random(items) < lean
    mine = np.clip(noise + rng.normal(0, 0.1, items), 0, 1)
    tally.add_pairs((n + 1, f"q{n}", None, "a", "b") for n in range(items))
    tally.add_judges([(1, "x", "llm")])
    verdicts, seq = [], 0
    for left in (1, 2):
        for repeat in range(repeats):
            steady = np.where(leans, left, truth)
            tossed = rng.integers(1, 3, items)
            said = np.where(rng.random(items) < mine, tossed, steady)
            for item, choice in enumerate(said.tolist()):
                seq += 1
                verdicts.append((seq, item + 1, 1, 1, choice, left, repeat, 0))
    tally.add_verdicts(verdicts)
    return tally


MEASURES = ("same order", "other order", "same less other order")


def found_in(tally: Tally) -> dict[str, tuple[float, float, float]]:
    rows = result_of(tally, "self_consistency", replicates=100).estimates
    found = {}
    for measure in MEASURES:
        row = find(rows, measure=measure)
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
        found[measure] = row.value, row.low, row.high
    return found


def test_planted_noise_and_lean_come_apart() -> None:
    """Without noise repeats agree always; a lean shows between the orders only."""
    steady = found_in(noisy(1, 4000, 0.2, 0.3))
    none = found_in(noisy(2, 4000, 0.2, 0.0))
    assert abs(steady["same order"][0] - none["same order"][0]) < 0.02
    assert none["same less other order"][1] <= 0 <= none["same less other order"][2]
    # Of the items that lean, what agreed in one order disagrees over both: by 1 − 2 × noise share.
    keep = 1 - 0.2
    assert steady["same less other order"][0] == pytest.approx(0.3 * keep**2, abs=0.02)


@pytest.mark.slow
def test_intervals_of_consistency_cover_what_they_promise() -> None:
    truth = {key: value for key, (value, *_) in found_in(noisy(10**6, 60_000, 0.3, 0.2)).items()}
    studies, hits = 400, dict.fromkeys(MEASURES, 0)
    for seed in range(studies):
        for key, (_, low, high) in found_in(noisy(seed, 80, 0.3, 0.2)).items():
            hits[key] += low <= truth[key] <= high
    coverage = {key: count / studies for key, count in hits.items()}
    print(coverage)
    assert all(0.93 <= each <= 0.975 for each in coverage.values()), coverage


# ── failures by class ───────────────────────────────────────────────────────


def test_failures_are_counted_by_what_went_wrong() -> None:
    rows = Rows()
    pairs = [rows.pair(f"q{number}", "a", "b") for number in range(10)]
    named = {}
    for number, pair in enumerate(pairs):
        for left in (1, 2):
            choice = 0 if number in (3, 4) or (number, left) == (7, 1) else 1
            seq = rows.verdict(pair, "x", choice, left=left)
            if not choice:
                named[seq] = "timed out" if number == 7 else "garbled"
    again = rows.verdict(pairs[4], "x", 1, left=1, supersedes=min(s for s in named if s > 8))
    tally = rows.tally()
    tally.failures.add(sorted(named.items()))
    estimates = result_of(tally, "failures").estimates
    counted = {row.labels["failure"]: (row.k, row.n) for row in estimates}
    assert counted == {"any": (4, 20), "garbled": (3, 20), "timed out": (1, 20)}
    assert again == 21
    for row in estimates:
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
        assert row.low < row.value < row.high
    assert [row.labels["failure"] for row in estimates] == ["any", "garbled", "timed out"]
    apart = result_of(rows.tally(), "failures").estimates
    assert {row.labels["failure"] for row in apart} == {"any", "unnamed"}
