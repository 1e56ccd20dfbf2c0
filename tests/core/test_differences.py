"""Word-level differences: a longest common subsequence, against a plain table on small texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import core.differences
from core.differences import Comparison, words

WORDS = st.lists(st.sampled_from(["the", "a", "cat", "dog", "sat", "5"]), max_size=40)


def compared(a: list[str], b: list[str]) -> Comparison:
    comparison = Comparison(a, b)
    while not comparison.step():
        pass
    return comparison


def table_length(a: list[str], b: list[str]) -> int:
    """The length of a longest common subsequence, cell by cell."""
    row = [0] * (len(b) + 1)
    for word in a:
        diagonal = 0
        for column, other in enumerate(b, start=1):
            above = row[column]
            row[column] = diagonal + 1 if word == other else max(above, row[column - 1])
            diagonal = above
    return row[-1]


@given(WORDS, WORDS)
def test_what_is_not_marked_is_a_longest_common_subsequence(a: list[str], b: list[str]) -> None:
    comparison = compared(a, b)
    assert (len(comparison.only_a), len(comparison.only_b)) == (len(a), len(b))
    common_a = [word for word, only in zip(a, comparison.only_a, strict=True) if not only]
    common_b = [word for word, only in zip(b, comparison.only_b, strict=True) if not only]
    assert common_a == common_b
    assert len(common_a) == comparison.common == table_length(a, b)


@given(WORDS, WORDS)
def test_marks_are_as_many_from_either_side(a: list[str], b: list[str]) -> None:
    there, back = compared(a, b), compared(b, a)
    assert (sum(there.only_a), sum(there.only_b)) == (sum(back.only_b), sum(back.only_a))


@given(WORDS)
def test_a_text_does_not_differ_from_itself(a: list[str]) -> None:
    comparison = compared(a, a)
    assert not any(comparison.only_a)
    assert not any(comparison.only_b)


def test_long_texts_are_compared_in_steps_through_many_kept_rows() -> None:
    a = [f"w{number * number % 97}" for number in range(3000)]
    b = [f"w{number * 31 % 89}" for number in range(2500)]
    comparison = Comparison(a, b)
    steps = 0
    while not comparison.step():
        steps += 1
    assert steps > 20
    assert comparison.common == table_length(a, b)


def test_too_much_work_is_refused_and_nothing_is_called_common(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core.differences, "MOST_WORK", 99)
    a = [str(number) for number in range(10)]
    assert compared(a, a[::-1]).too_long
    assert compared(a, a).common == 10
    monkeypatch.setattr(core.differences, "MOST_WORK", 100)
    assert not compared(a, a[::-1]).too_long


@given(st.text(max_size=200))
def test_words_stand_in_order_and_apart_and_no_letter_is_in_none(text: str) -> None:
    spans = list(words(text))
    at = 0
    for start, end in spans:
        assert at <= start < end
        at = end
    inside = {index for start, end in spans for index in range(start, end)}
    for index, character in enumerate(text):
        if character.isascii() and character.isalnum():
            assert index in inside


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't stop, ever.", ["don't", "stop", "ever"]),
        ("3.14 is 1,000 x_y", ["3.14", "is", "1,000", "x_y"]),
        ("a <= b; c = -5", ["a", "<=", "b", "c", "=", "-", "5"]),
        ("- **bold** `code`!", ["bold", "code"]),
        ("日本語 ok", ["日", "本", "語", "ok"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
    ],
)
def test_what_a_word_is(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in words(text)] == expected
