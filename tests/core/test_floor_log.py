"""The floor's counts, against counting everything anew from the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.stats.floor_log import Counts, FloorLog, Row

WORDS = {1: (100,), 2: (50, 30), 3: ()}
SPEED = 600


@st.composite
def logs(draw: st.DrawFn) -> list[Row]:
    """Rows that vote, change, take back and decline, on pairs of one, two and unknown turns."""
    rows = []
    for seq in range(1, draw(st.integers(0, 40)) + 1):
        pair = draw(st.sampled_from([1, 2, 3]))
        turn = draw(st.integers(1, max(1, len(WORDS[pair]))))
        choice = draw(st.integers(0, 5))
        is_vote = 1 <= choice <= 4
        rows.append(
            Row(
                seq,
                draw(st.integers(1, 3)),
                pair,
                turn,
                draw(st.integers(0, 1)),
                choice,
                draw(st.integers(0, 4)) if is_vote else 0,
                draw(st.none() | st.integers(0, 40).map(float)),
                float(seq),
                draw(st.integers(1, 2)),
                is_vote and draw(st.booleans()),
            )
        )
    return rows


def fed(rows: list[Row], **options: float) -> FloorLog:
    log = FloorLog(SPEED, **options)  # type: ignore[arg-type]
    for pair, words in WORDS.items():
        log.add_pair(pair, words)
    for row in rows:
        log.add(row)
    return log


def standing(rows: list[Row]) -> dict[tuple[int, int, int, int], Row]:
    """The last row of everybody on each turn, where it is a vote."""
    last = {(row.annotator, row.pair, row.repeat, row.turn): row for row in rows}
    return {key: row for key, row in last.items() if 1 <= row.choice <= 4}


@given(logs())
def test_what_stands_is_counted_once(rows: list[Row]) -> None:
    log, votes = fed(rows), standing(rows)
    for who in (1, 2, 3):
        mine = [row for row in votes.values() if row.annotator == who]
        assert log.votes(who) == len(mine)
        assert log.votes(who, 2) == sum(row.day == 2 for row in mine)
        assert log.flags(who) == sum(row.flagged for row in mine)
        last = {(row.pair, row.repeat, row.turn): row for row in rows if row.annotator == who}
        assert log.declined(who) == sum(row.choice == 5 for row in last.values())
        seen = Counter(row.seen for row in mine if row.turn == 1)
        assert log.counts(who).seen == (seen[1], seen[2], seen[3], seen[4])


@given(logs())
def test_agreement_is_that_of_comparing_everybody_with_everybody(rows: list[Row]) -> None:
    log = fed(rows)
    items: dict[int, dict[int, int]] = defaultdict(dict)
    for row in standing(rows).values():
        if row.turn == 1 and not row.repeat:
            items[row.pair][row.annotator] = row.choice
    for who in (1, 2, 3):
        shares, same, compared = [], 0, 0
        for said in items.values():
            others = [choice for other, choice in said.items() if other != who]
            if who in said and others:
                shares.append(sum(choice == said[who] for choice in others) / len(others))
                same += sum(choice == said[who] for choice in others)
                compared += len(others)
        agreed = log.counts(who).agreed
        assert (agreed.items, agreed.same, agreed.compared) == (len(shares), same, compared)
        assert agreed.share == pytest.approx(sum(shares))
        assert agreed.squares == pytest.approx(sum(share**2 for share in shares))


@given(logs())
def test_repeats_and_speed_are_those_of_a_count_anew(rows: list[Row]) -> None:
    log, votes = fed(rows), standing(rows)
    spent: Counter[tuple[int, int, int, int]] = Counter()
    timed = set()
    for row in rows:
        key = (row.annotator, row.pair, row.repeat, row.turn)
        if row.seconds is not None:
            spent[key] += row.seconds  # type: ignore[assignment]
            timed.add(key)
    for who in (1, 2, 3):
        again = [key for key in votes if key[0] == who and key[2] == 1 and key[3] == 1]
        both = [(votes[key], votes.get((who, key[1], 0, 1))) for key in again]
        known = [(one.choice, first.choice) for one, first in both if first is not None]
        counts = log.counts(who)
        assert (counts.repeats, counts.same) == (len(known), sum(a == b for a, b in known))
        speeds = []
        for pair, repeat in {key[1:3] for key in votes if key[0] == who}:
            keys = [key for key in votes if key[:3] == (who, pair, repeat)]
            if pair != 3 and all(key in timed for key in keys):
                words = sum(WORDS[pair][key[3] - 1] for key in keys)
                speeds.append(60 * words / max(sum(spent[key] for key in keys), 1e-3))
        assert (counts.timed, counts.quick) == (len(speeds), sum(s > SPEED for s in speeds))
        assert counts.speed == (pytest.approx(median(speeds)) if speeds else None)


@given(st.lists(st.integers(1, 4), max_size=30))
def test_stretches_are_those_of_the_sequence(seen: list[int]) -> None:
    log = FloorLog(SPEED)
    for number, code in enumerate(seen, 1):
        log.add_pair(number, ())
        log.add(Row(number, 1, number, 1, 0, 3, code, None, None, 0, False))
    lengths = [(len(list(group)), code) for code, group in groupby(seen)]
    counts = log.counts(1)
    assert counts.runs == len(lengths)
    if lengths:
        assert (counts.longest, counts.longest_of) in lengths
        assert counts.longest == max(length for length, _ in lengths)


def test_a_pair_is_finished_once_and_not_after_it_was_taken_back() -> None:
    def row(seq: int, turn: int, choice: int, at: float, pair: int = 2) -> Row:
        return Row(seq, 1, pair, turn, 0, choice, 0, None, at, 0, False)

    log = fed([row(1, 1, 1, 10.0)])
    assert log.finished_since(0) == []
    log.add(row(2, 2, 2, 20.0))
    assert log.finished_since(0) == [20.0]
    log.add(row(3, 2, 3, 30.0))  # changed: finished when it first was
    assert log.finished_since(0) == [20.0]
    log.add(row(4, 2, 0, 40.0))
    assert log.finished_since(0) == []
    log.add(row(5, 2, 1, 50.0))
    log.add(row(6, 1, 1, 60.0, pair=1))
    assert log.finished_since(0) == [50.0, 60.0]
    assert log.finished_since(55.0) == [60.0]
    log.add(row(7, 1, 1, 5000.0, pair=3))
    assert log.finished_since(0) == [5000.0]


def test_strangers_are_compared_with_nobody() -> None:
    rows = [Row(n, n, 1, 1, 0, 1, 1, None, None, 0, False) for n in (1, 2, 3)]
    log = fed(rows, strangers=frozenset({3}))
    assert log.counts(1).agreed.compared == 1
    assert log.counts(3).agreed.compared == 0
    assert log.counts(9) == Counts()


def test_rows_out_of_order_and_unknown_pairs_are_refused() -> None:
    log = fed([Row(2, 1, 1, 1, 0, 1, 1, None, None, 0, False)])
    with pytest.raises(ValueError, match="comes after"):
        log.add(Row(2, 1, 1, 1, 0, 1, 1, None, None, 0, False))
    with pytest.raises(ValueError, match="not told"):
        log.add(Row(3, 1, 9, 1, 0, 1, 1, None, None, 0, False))
