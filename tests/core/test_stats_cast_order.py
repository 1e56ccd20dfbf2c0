"""Elo and the stopping rule go by when votes were cast, in whatever order these came in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.stats import Options, Tally, compute
from core.stats import elo as elos
from tests.core.stats_oracle import Rows, live_votes, result_of, studies

BY_ORDER = {"elo", "stopping"}
DAY = 86_400_000
VOTES, TIMES = "votes", "times"


def empty(rows: Rows) -> Tally:
    votes, rows.votes = rows.votes, []
    tally = rows.tally()
    rows.votes = votes
    return tally


def numbers(tally: Tally, **options: Any) -> list[dict[str, Any]]:
    found = compute(tally, Options(replicates=100, **options), BY_ORDER)
    return [row.to_json() for result in found for row in result.estimates]


def as_cast(rows: Rows, at: dict[int, int]) -> list[int]:
    """The seqs of the log in order, one after the other: each goes behind what is not after it."""
    order: list[tuple[int, int]] = []
    for seq, *_ in rows.votes:
        moment = at.get(seq, 0) or max((each for each, _ in order), default=0)
        place = sum(each <= moment for each, _ in order)
        order.insert(place, (moment, seq))
    return [seq for _, seq in order]


def ratings_by_hand(rows: Rows, order: Iterable[int], k: float) -> dict[str, float]:
    models = {number: key[1:] for key, number in rows.pairs.items()}
    votes = {vote.seq: vote for vote in live_votes(rows)}
    rating: dict[str, float] = {}
    for seq in order:
        if seq not in votes or votes[seq].choice == 4:
            continue
        one, two = models[votes[seq].pair]
        lead = rating.get(one, 1000.0) - rating.get(two, 1000.0)
        taken = k * ({1: 1.0, 2: 0.0, 3: 0.5}[votes[seq].choice] - 1 / (1 + 10 ** (-lead / 400)))
        rating[one] = rating.get(one, 1000.0) + taken
        rating[two] = rating.get(two, 1000.0) - taken
    return rating


@st.composite
def comings(draw: st.DrawFn) -> tuple[Rows, dict[int, int], int]:
    """A study, when its votes were cast as far as that is known, and how many come at once."""
    rows = draw(studies())
    moments = st.sampled_from((0, DAY, DAY + 1, 2 * DAY, 3 * DAY))
    at = {seq: draw(moments) for seq, *_ in rows.votes}
    return rows, at, draw(st.integers(1, 9))


@settings(max_examples=60, deadline=None)
@given(comings())
def test_votes_are_put_where_they_were_cast_however_they_come(
    told: tuple[Rows, dict[int, int], int],
) -> None:
    rows, at, portion = told
    watched, unwatched = empty(rows), empty(rows)
    for start in range(0, len(rows.votes), portion):
        came = rows.votes[start : start + portion]
        watched.add_votes(came)
        watched.times.add((row[0], at[row[0]]) for row in came)
        numbers(watched)
    unwatched.add_votes(rows.votes)
    unwatched.times.add((row[0], at[row[0]]) for row in rows.votes)
    order = as_cast(rows, at)
    for tally in (watched, unwatched):
        assert (tally.cast.rows_from(0) + 1).tolist() == order
        assert tally.cast.is_log_order is (order == sorted(order))
        for place, seq in enumerate(order):
            assert tally.cast.first_place(np.array([seq - 1])) == place
    for chosen in ({}, {"since": "1970-01-03"}, {"turn": 1, "until": "1970-01-03"}):
        assert numbers(watched, **chosen) == numbers(unwatched, **chosen)
    by_hand = ratings_by_hand(rows, order, 4)
    found = {
        str(row.labels["model"]): row.value
        for row in result_of(watched, "elo").estimates
        if row.labels["raters"] == "human"
    }
    assert found == pytest.approx(by_hand, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(30)), st.lists(st.integers(1, 4), min_size=30, max_size=30))
def test_a_shuffled_file_gives_the_numbers_of_a_sorted_one(
    shuffled: list[int], choices: list[int]
) -> None:
    """Two votes on each pair, of which the first counts for the stopping rule."""
    found = []
    for order in (sorted(shuffled), shuffled):
        rows = Rows()
        for number in range(15):
            rows.pair(f"q{number}", "a", "bc"[number % 2])
        at = {}
        for number in order:
            at[rows.vote(number // 2 + 1, f"p{number % 2}", choices[number])] = DAY + number
        for name in ("p0", "p1"):
            rows.annotators.setdefault(name, (len(rows.annotators) + 1, ""))
        tally = rows.tally()
        tally.times.add(sorted(at.items()))
        found.append(numbers(tally))
    assert found[0] == found[1]
    assert found[0]


def test_times_that_are_told_late_count_as_if_told_at_once() -> None:
    rows = Rows()
    for number, choice in enumerate((1, 1, 2, 2, 3, 1)):
        rows.vote(rows.pair(f"q{number}", "a", "bc"[number % 2]), "ann", choice)
    at = [(seq, (7 - seq) * DAY) for seq, *_ in rows.votes]
    late, known = rows.tally(), rows.tally()
    known.times.add(at)
    assert numbers(late) != numbers(known)
    late.times.add(at[:3])
    numbers(late)
    late.times.add(at[3:])
    assert numbers(late) == numbers(known)


def test_what_comes_late_is_played_from_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what comes in order costs one game, however many there were."""
    rng, rows = np.random.default_rng(5), Rows()
    for number in range(60):
        rows.vote(rows.pair(f"q{number}", "a", "b"), "ann", int(rng.integers(1, 4)))
    rows.vote(60, "ann", 0, supersedes=60)
    tally, games = empty(rows), [0]
    online = elos.online

    def counted(every: Iterable[tuple[int, int, int]], *rest: Any) -> list[float]:
        played = list(every)
        games[0] += len(played)
        return online(played, *rest)

    def cost(seq: int, at: int) -> int:
        tally.add_votes([rows.votes[seq - 1]])
        tally.times.add([(seq, at)])
        games[0] = 0
        result_of(tally, "elo")
        return games[0]

    monkeypatch.setattr(elos, "online", counted)
    assert {cost(seq, DAY + seq * 10) for seq in range(1, 58)} == {1}
    assert cost(58, DAY + 570 - 5) == 2
    assert cost(59, 0) == 1
    assert cost(60, DAY + 15) == 59
    assert cost(61, DAY + 620) <= 58
