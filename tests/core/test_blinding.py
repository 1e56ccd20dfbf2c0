"""Sides come from the seed alone, are balanced, and lead back to the models exactly."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.blinding import as_seen, case_name, left_side, meant, pair_called, pseudonym
from core.records import Choice, Pair, Seen


def test_what_each_choice_means_on_each_side() -> None:
    assert {(seen.value, left): meant(seen, left).value for seen in Seen for left in (1, 2)} == {
        ("left", 1): "model_1",
        ("left", 2): "model_2",
        ("right", 1): "model_2",
        ("right", 2): "model_1",
        ("tie", 1): "tie",
        ("tie", 2): "tie",
        ("both_bad", 1): "both_bad",
        ("both_bad", 2): "both_bad",
    }


@pytest.mark.parametrize("left", [1, 2])
def test_the_way_back_is_the_way_there(left: int) -> None:
    assert [as_seen(meant(seen, left), left) for seen in Seen] == list(Seen)
    assert [meant(as_seen(choice, left), left) for choice in Choice] == list(Choice)


@pytest.mark.parametrize("left", [0, 3, -1])
def test_a_side_that_is_none_is_refused(left: int) -> None:
    with pytest.raises(ValueError, match="not 1 or 2"):
        meant(Seen.TIE, left)
    with pytest.raises(ValueError, match="not 1 or 2"):
        as_seen(Choice.TIE, left)


@given(seed=st.text(), key=st.text(), annotator=st.text(), repeat=st.integers(0, 9))
def test_a_side_is_the_same_each_time_and_the_other_in_a_repeat(
    seed: str, key: str, annotator: str, repeat: int
) -> None:
    side = left_side(seed, key, annotator, repeat)
    assert side in (1, 2)
    assert left_side(seed, key, annotator, repeat) == side
    assert left_side(seed, key, annotator, repeat + 1) == 3 - side


def test_sides_are_balanced_for_every_pair_annotator_and_seed() -> None:
    """Counts of 4,000 fair coins stay within 4 standard deviations; so do runs of one person."""
    keys = [Pair(f"q{n}", "a", "b").key for n in range(100)]
    sides = {
        (seed, key, person): left_side(str(seed), key, f"person {person}")
        for seed in range(4)
        for key in keys
        for person in range(10)
    }
    assert abs(sum(side == 1 for side in sides.values()) - 2000) < 4 * math.sqrt(1000)
    for person in range(10):
        mine = [side for (_, _, who), side in sides.items() if who == person]
        assert abs(mine.count(1) - 200) < 4 * math.sqrt(100)
    # Two people see a pair alike about half of the time: no one's side follows from another's.
    alike = sum(sides[s, k, 0] == sides[s, k, 1] for s in range(4) for k in keys)
    assert abs(alike - 200) < 4 * math.sqrt(100)


def test_parts_of_the_material_do_not_run_together() -> None:
    first = [left_side("s", f"k{n}", "1a") for n in range(64)]
    assert first != [left_side("s", f"k{n}1", "a") for n in range(64)]


def test_pseudonyms_are_stable_and_need_the_seed() -> None:
    names = [f"person {n}" for n in range(2000)]
    first = [pseudonym("seed", name) for name in names]
    assert first == [pseudonym("seed", name) for name in names]
    assert len(set(first)) == len(names)
    assert not set(first) & {pseudonym("another", name) for name in names}
    assert pseudonym("seed", "dora@example.org").startswith("annotator-")
    assert "dora" not in pseudonym("seed", "dora@example.org")


@given(seed=st.text(max_size=8), key=st.integers(0, 2**128 - 1).map("{:032x}".format))
def test_the_name_of_a_case_leads_back_to_its_pair_with_the_seed_alone(seed: str, key: str) -> None:
    name = case_name(seed, key)
    assert len(name) == 32
    assert pair_called(seed, name) == key
    assert pair_called(f"{seed}.", name) != key
    assert case_name(f"{seed}.", key) != name


def test_names_of_cases_are_spread_evenly_and_what_is_none_calls_no_pair() -> None:
    names = {case_name("a seed", f"{number:032x}") for number in range(2000)}
    assert len(names) == 2000
    digits = Counter("".join(names))
    assert all(3700 < digits[digit] < 4300 for digit in "0123456789abcdef")
    assert {pair_called("a seed", odd) for odd in ("", "x" * 32, "0" * 31, "\u0660" * 32)} == {""}
