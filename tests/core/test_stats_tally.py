"""The tally counts what counts, whatever the order and size of the portions it is fed in."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.stats import Options, Tally, compute
from core.stats.log import blocks
from tests.core.stats_oracle import Rows, find, live_votes, result_of, studies, word_of


def small() -> Rows:
    rows = Rows()
    rows.pair("q1", "a", "b")
    rows.pair("q2", "a", "b")
    return rows


@settings(max_examples=60, deadline=None)
@given(studies(), st.integers(1, 5))
def test_counts_equal_a_recount_however_the_log_is_portioned(rows: Rows, portion: int) -> None:
    votes, verdicts = rows.votes, rows.verdicts
    whole = rows.tally()
    rows.votes, rows.verdicts = [], []
    pieces = rows.tally()
    for start in range(0, max(len(votes), len(verdicts)), portion):
        pieces.add_votes(votes[start : start + portion])
        pieces.add_verdicts(verdicts[start : start + portion])
    rows.votes, rows.verdicts = votes, verdicts
    for tally in (whole, pieces):
        pairs = {number: key for key, number in rows.pairs.items()}
        by_pair_number = list(pairs)
        items = [
            (by_pair_number[pair], int(turn))
            for pair, turn in zip(tally.item_pair, tally.item_turn, strict=True)
        ]
        expected: Counter[tuple[int, int, int]] = Counter()
        for vote in live_votes(rows):
            expected[vote.pair, vote.turn, vote.choice - 1] += 1
            if vote.left and vote.choice <= 2:
                expected[vote.pair, vote.turn, 4 if vote.choice == vote.left else 5] += 1
        counted = {
            (*items[item], int(column)): int(tally.vote_counts()[item, column])
            for item, column in zip(*np.nonzero(tally.vote_counts()), strict=True)
        }
        assert counted == dict(expected)
        groups = sum(tally.vote_counts(group) for group in set(tally.annotator_groups))
        assert np.array_equal(groups, tally.vote_counts()) or not rows.annotators
    assert pieces.last_vote_seq == len(votes)
    assert pieces.last_verdict_seq == len(verdicts)
    assert [r.to_json() for r in compute(whole, Options(replicates=100), {"coverage"})] == [
        r.to_json() for r in compute(pieces, Options(replicates=100), {"coverage"})
    ]


@settings(max_examples=60, deadline=None)
@given(studies())
def test_judges_words_equal_a_reading_of_the_log(rows: Rows) -> None:
    tally = rows.tally()
    for judge, number in rows.judges.items():
        cells = tally.judge_cells(tally.judges.index(judge))
        for item, (pair, turn) in enumerate(zip(tally.item_pair, tally.item_turn, strict=True)):
            pair_id = list(rows.pairs.values())[pair]
            for left in (0, 1, 2):
                said = word_of(rows, number, pair_id, int(turn), left)
                assert cells[item, left] == (0 if said is None else said + 1)


def test_a_revision_and_a_withdrawal_leave_no_trace() -> None:
    rows = small()
    first = rows.vote(1, "ann", 1, left=1)
    second = rows.vote(1, "ann", 2, left=1, supersedes=first)
    tally = rows.tally()
    assert tally.vote_counts().tolist() == [[0, 1, 0, 0, 0, 1]]
    tally.add_votes([(3, 1, 1, 1, 0, 0, second)])
    assert not tally.vote_counts().any()
    assert find(result_of(tally, "coverage").estimates, rater="human", measure="votes").value == 0


def test_who_cannot_judge_gives_no_vote_and_is_counted_apart() -> None:
    rows = small()
    first = rows.vote(1, "ann", 1)
    second = rows.vote(1, "ann", 5, supersedes=first)
    rows.vote(2, "bob", 5, group="crowd")
    tally = rows.tally()

    def said(rater: str, measure: str) -> float | None:
        return find(result_of(tally, "coverage").estimates, rater=rater, measure=measure).value

    assert not tally.vote_counts().any()
    assert (said("human", "votes"), said("human", "cannot judge")) == (0, 2)
    assert said("human", "annotators") == 0
    tally.add_votes([(4, 1, 1, 1, 0, 0, second), (5, 1, 1, 1, 2, 0, 0)])
    assert (said("human", "votes"), said("human", "cannot judge")) == (1, 1)
    estimates = result_of(tally, "coverage", group="crowd").estimates
    assert find(estimates, measure="cannot judge").value == 1


def test_a_vote_superseded_twice_is_uncounted_once() -> None:
    rows = small()
    first = rows.vote(1, "ann", 1)
    tally = rows.tally()
    tally.add_votes([(2, 1, 1, 1, 2, 0, first)])
    tally.add_votes([(3, 1, 1, 1, 3, 0, first)])
    assert tally.vote_counts()[0, :4].tolist() == [0, 1, 1, 0]


def test_duplicate_votes_that_do_not_supersede_both_count() -> None:
    rows = small()
    rows.vote(1, "ann", 1)
    rows.vote(1, "ann", 1)
    assert rows.tally().vote_counts()[0, 0] == 2


def test_changing_a_group_moves_the_votes_that_were_counted() -> None:
    rows = small()
    rows.vote(1, "ann", 1, group="crowd")
    rows.vote(2, "bob", 2, group="crowd")
    tally = rows.tally()
    tally.add_annotators([(1, "Ann", "expert")])
    assert tally.vote_counts("expert")[:, :4].tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]
    assert tally.vote_counts("crowd")[:, :4].tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]
    assert tally.annotators == ("Ann", "bob")


def test_a_corrected_category_and_judges_of_one_name() -> None:
    rows = small()
    rows.vote(1, "ann", 1)
    tally = rows.tally()
    tally.add_pairs([(1, "q1", "maths", "a", "b")])
    found = find(result_of(tally, "coverage", category="maths").estimates, measure="votes")
    assert found.value == 1
    tally.add_judges([(7, "gpt", "llm"), (9, "gpt", "llm")])
    assert tally.judges == ("gpt #7", "gpt #9")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((1, 1, 1, 1, 1, 0, 0), "rising order"),
        ((3, 9, 1, 1, 1, 0, 0), "pair 9"),
        ((3, 1, 1, 9, 1, 0, 0), "annotator 9"),
        ((3, 1, 1, 1, 6, 0, 0), "choice"),
        ((3, 1, 1, 1, 1, 3, 0), "left"),
        ((3, 1, -1, 1, 1, 0, 0), "turn"),
        ((3, 1, 1, 1, 1, 0, 3), "no earlier row"),
        ((5, 1, 1, 1, 1, 0, 4), "no earlier row"),
    ],
)
def test_a_faulty_row_is_refused_and_changes_nothing(row: tuple[int, ...], says: str) -> None:
    rows = small()
    rows.vote(1, "ann", 1)
    rows.vote(2, "ann", 2)
    tally = rows.tally()
    before = tally.vote_counts().copy()
    with pytest.raises(ValueError, match=says):
        tally.add_votes([row])  # type: ignore[list-item]
    assert np.array_equal(tally.vote_counts(), before)
    assert tally.last_vote_seq == 2
    tally.add_votes([(3, 1, 1, 1, 1, 0, 0)])
    assert tally.vote_counts().sum() == 3


def test_rows_of_the_wrong_width_are_refused() -> None:
    with pytest.raises(ValueError, match="7 numbers"):
        list(blocks([(1, 2, 3)], 7))


def test_a_log_longer_than_a_block_is_counted_whole() -> None:
    size = 300_000
    tally = Tally()
    tally.add_pairs((n, f"q{n}", None, "a", "b") for n in range(1, 101))
    tally.add_annotators([(1, "ann", "")])
    # Every second row supersedes the row before it, across the edges of blocks too.
    tally.add_votes(
        (n, n % 100 + 1, 1, 1, 1 + n % 4, 0, n - 1 if n % 2 == 0 else 0) for n in range(1, size + 1)
    )
    assert tally.vote_counts().sum() == size // 2
    assert tally.votes[0].size == size // 2


def test_importing_the_statistics_is_light() -> None:
    code = "import sys, core.stats; print(*(m for m in sys.modules if m.startswith('scipy')))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
