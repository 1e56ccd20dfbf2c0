"""Names that are cut and still differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.shortening import told_apart
from core.text import cell_width, one_line


@pytest.mark.parametrize(
    ("names", "width", "shown"),
    [
        (["clear", "correct"], 16, ["clear", "correct"]),
        (["a long name", "another"], 6, ["a lon…", "anoth…"]),
        (
            ["answer is factually wrong", "answer is factually incomplete", "rude"],
            16,
            ["answer is …wrong", "answe…incomplete", "rude"],
        ),
        (["reason number 1", "reason number 2"], 4, ["re…1", "re…2"]),
        (["reason number", "reason number 2"], 8, ["reason …", "reaso… 2"]),
    ],
)
def test_names_are_cut_where_they_are_the_same(
    names: list[str], width: int, shown: list[str]
) -> None:
    assert told_apart(names, width) == shown


@given(
    st.lists(st.text("ab 漢", min_size=1, max_size=40), max_size=9),
    st.integers(3, 40),
)
def test_whatever_is_cut_fits_and_is_cut_at_the_end_where_that_tells_all(
    names: list[str], width: int
) -> None:
    shown = told_apart(names, width)
    assert all(sum(map(cell_width, text)) <= width for text in shown)
    plain = [one_line(name, width) for name in names]
    if len(set(plain)) == len(set(names)):
        assert shown == plain
    else:
        assert len(set(shown)) >= len(set(plain)), "less would be told than by cutting the end"


@given(st.text("abcdefgh ", max_size=38), st.permutations("123456789"), st.integers(3, 40))
def test_names_that_differ_in_their_last_letter_differ(
    same: str, ends: list[str], width: int
) -> None:
    assert len(set(told_apart([same + end for end in ends], width))) == 9
