"""The vocabulary: pairs are canonical, verdicts whole, and two orders make one word."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput, TiebreakError, UsageError, Where
from core.records import Choice, Combined, Pair, Seen, Verdict, VerdictStatus, combine


@given(first=st.text(), second=st.text())
def test_a_pair_is_sorted_and_says_whether_it_was_swapped(first: str, second: str) -> None:
    if first == second:
        with pytest.raises(ValueError, match="not canonical"):
            Pair.of("q", first, second)
        return
    pair, swapped = Pair.of("q", first, second)
    assert pair.model_1 < pair.model_2
    assert swapped is (first > second)
    assert Pair.of("q", second, first) == (pair, not swapped)
    with pytest.raises(ValueError, match="not canonical"):
        Pair("q", pair.model_2, pair.model_1)


def test_the_key_of_a_pair_is_the_same_on_every_host() -> None:
    """A frozen value: logs are chained and merged by it, so it may never change."""
    assert Pair("81", "alpaca-13b", "gpt-4").key == "878c41e893128faf99d2d57edbbd5cc3"
    assert len({Pair("q", a, b).key for a, b in (("a", "b"), ("a", "c"), ("b", "c"))}) == 3


def test_a_verdict_has_a_choice_exactly_when_it_is_ok() -> None:
    for status, choice in product(VerdictStatus, [None, *Choice]):
        if (choice is None) == (status is VerdictStatus.OK):
            with pytest.raises(ValueError, match="if and only if"):
                Verdict("w", Pair("q", "a", "b"), 1, "j", status, choice)
        else:
            assert Verdict("w", Pair("q", "a", "b"), 1, "j", status, choice).choice is choice


@pytest.mark.parametrize(
    ("first", "second", "kind", "choice"),
    [
        ("model_1", "model_1", "consistent", "model_1"),
        ("tie", "tie", "consistent", "tie"),
        ("both_bad", "both_bad", "consistent", "both_bad"),
        ("model_1", "model_2", "flip", "tie"),
        ("model_1", "tie", "half_flip", "tie"),
        ("tie", "both_bad", "half_flip", "tie"),
        ("both_bad", "model_2", "half_flip", "tie"),
        ("model_1", None, "failure", None),
        (None, None, "failure", None),
    ],
)
def test_two_orders_make_one_word(
    first: str | None, second: str | None, kind: str, choice: str | None
) -> None:
    one, other = (None if c is None else Choice(c) for c in (first, second))
    assert combine(one, other) == combine(other, one) == (Combined(kind), choice)


def test_there_are_four_outcomes_and_no_more() -> None:
    assert [choice.value for choice in Choice] == ["model_1", "model_2", "tie", "both_bad"]
    assert [seen.value for seen in Seen] == ["left", "right", "tie", "both_bad"]


def test_errors_name_the_place_and_the_mend() -> None:
    error = BadInput(Where("votes.csv", 3), "winner", "is 'A'", "it takes: tie")
    assert str(error) == error.message == "votes.csv:3, field 'winner': is 'A'"
    assert (error.hint, error.exit_code) == ("it takes: tie", 1)
    assert str(BadInput(Where("votes.csv"), "", "is empty")) == "votes.csv: is empty"
    assert isinstance(error, TiebreakError)
    assert UsageError("x").exit_code == 2
