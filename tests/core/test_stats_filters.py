"""A filtered number is the number of a study that holds nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from core.stats import Options, Tally, compute
from tests.core.stats_oracle import Rows, find, live_votes, result_of, studies

COMPARED = {"coverage", "agreement", "reliability", "ranking", "elo", "win_rate", "consistency"}
DAY = 86_400


def people_only(rows: Rows, kept: set[int] | None = None) -> Tally:
    """A tally of standing votes, each on a row of its own; all or those of some seqs."""
    tally = Tally()
    tally.add_pairs(
        (number, question, rows.categories.get(question), one, two)
        for (question, one, two), number in rows.pairs.items()
    )
    tally.add_annotators((number, name, group) for name, (number, group) in rows.annotators.items())
    tally.add_votes(
        (vote.seq, vote.pair, vote.turn, vote.annotator, vote.choice, vote.left, 0)
        for vote in live_votes(rows)
        if kept is None or vote.seq in kept
    )
    return tally


def numbers(tally: Tally, **options: Any) -> list[dict[str, Any]]:
    results = compute(tally, Options(replicates=100, **options), COMPARED)
    rows = [estimate.to_json() for result in results for estimate in result.estimates]
    # How many items there are is the study's; everything else is of those looked at.
    # So is which groups are listed beside everybody.
    return [
        row | ({"n": 0} if row["labels"].get("measure") == "items voted on" else {})
        for row in rows
        if row["value"] is not None and "human: " not in str(row["labels"])
    ]


@settings(max_examples=60, deadline=None)
@given(studies(), st.data())
def test_a_filter_leaves_what_a_study_of_nothing_else_holds(
    rows: Rows, data: st.DataObject
) -> None:
    votes = live_votes(rows)
    if not votes:
        return
    by_pair = {number: set(key[1:]) for key, number in rows.pairs.items()}
    at = {vote.seq: data.draw(st.integers(1, 9)) * DAY for vote in votes}
    one, two = data.draw(st.sampled_from([("a", "b"), ("c", "a"), ("b", "c")]))
    name = data.draw(st.sampled_from(sorted(rows.annotators)))
    since, until = sorted(data.draw(st.sets(st.integers(1, 9), min_size=2, max_size=2)))
    filters: list[tuple[dict[str, Any], set[int]]] = [
        ({"model": one}, {v.seq for v in votes if one in by_pair[v.pair]}),
        ({"models": (one, two)}, {v.seq for v in votes if by_pair[v.pair] == {one, two}}),
        ({"annotator": name}, {v.seq for v in votes if v.annotator == rows.annotators[name][0]}),
        (
            {"since": f"1970-01-{1 + since:02}", "until": f"1970-01-{1 + until:02}T00:00:00Z"},
            {v.seq for v in votes if since * DAY <= at[v.seq] < until * DAY},
        ),
    ]
    for options, kept in filters:
        whole, alone = people_only(rows), people_only(rows, kept)
        for tally in (whole, alone):
            tally.times.add((seq, 1000 * at[seq]) for seq in sorted(at))
        is_group = "annotator" not in options and data.draw(st.booleans())
        groups = {"exclude_groups": ("expert",)} if is_group else {}
        assert numbers(whole, **options, **groups) == numbers(alone, **groups)


def test_only_the_judge_or_panel_that_was_asked_for_is_listed() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    rows.vote(pair, "ann", 1)
    rows.verdict(pair, "gpt", 1)
    rows.verdict(pair, "llama", 2)
    result = result_of(rows.tally(), "agreement", judge="llama")
    names = {row.labels["rater_1"] for row in result.estimates}
    assert "llama" in names
    assert "gpt" not in names
    assert "judges: only 'llama'" in result.assumptions


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "z"}, "no model is called 'z'"),
        ({"models": ("a", "z")}, "no model is called 'z'"),
        ({"annotator": "zoe"}, "no annotator is called 'zoe'"),
        ({"judge": "zed"}, "no judge is called 'zed'"),
        ({"since": "yesterday"}, "since: 'yesterday' is no time"),
        ({"since": "2026-01-02", "until": "2026-01-02"}, "no vote is cast from"),
    ],
)
def test_what_does_not_exist_is_refused_in_words(options: dict[str, Any], said: str) -> None:
    rows = Rows()
    rows.vote(rows.pair("q", "a", "b"), "ann", 1)
    with pytest.raises(UsageError, match=said):
        result_of(rows.tally(), "agreement", **options)


def test_votes_without_a_time_are_left_out_and_counted() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    for name in ("ann", "bob", "cat"):
        rows.vote(pair, name, 1)
    tally = rows.tally()
    with pytest.raises(ValueError, match="times of votes were not told"):
        result_of(tally, "coverage", since="2026-01-01")
    tally.times.add([(1, 0), (2, 1_790_000_000_000), (3, 1_790_000_000_000)])
    result = result_of(tally, "coverage", since="2026-01-01")
    assert find(result.estimates, measure="votes").value == 2
    assert "1 vote left out, with no time on record" in result.assumptions


@pytest.mark.parametrize("id", ["ranking", "ranking_ties", "ranking_fit", "win_rate", "elo"])
def test_what_a_filter_leaves_out_is_not_said_to_be_missing(id: str) -> None:
    rows = Rows()
    rows.vote(rows.pair("q", "a", "b"), "ann", 1)
    filtered = result_of(rows.tally(), id, turn=2)
    assert any(note.endswith("under this filter") for note in filtered.notes), filtered.notes
    assert not any("yet" in note for note in filtered.notes)
    rows = Rows()
    rows.pair("q", "a", "b")
    assert any(note.endswith(" yet") for note in result_of(rows.tally(), id, turn=2).notes)
