"""What follows from a seed is uniform, and the same again."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sampling import chance, simple_sample


@pytest.mark.parametrize(("size", "limit"), [(2, 10.8), (7, 22.5), (12, 31.3)])
def test_draws_are_uniform_over_seeds_and_over_draws(size: int, limit: float) -> None:
    """Chi-square at 99.9% with size - 1 degrees of freedom; the seeds are fixed."""
    for sources in (
        [chance(str(seed), "ann", 0) for seed in range(3000)],
        [chance("seed", "ann", nth) for nth in range(3000)],
        [chance("seed", f"person {n}", 0) for n in range(3000)],
    ):
        counts = Counter(source.randrange(size) for source in sources)
        expected = 3000 / size
        chi = sum((counts[place] - expected) ** 2 for place in range(size)) / expected
        assert set(counts) == set(range(size))
        assert chi < limit


def test_the_same_arguments_give_the_same_chance() -> None:
    assert chance("s", "a", 1).random() == chance("s", "a", 1).random()
    of = (("s", "a", 1), ("s", "a", 2), ("s", "b", 1), ("t", "a", 1))
    assert len({chance(*arguments).random() for arguments in of}) == 4


@given(population=st.integers(0, 60), data=st.data())
def test_a_sample_is_of_its_size_sorted_and_within_a_larger_one(
    population: int, data: st.DataObject
) -> None:
    size = data.draw(st.integers(0, population))
    larger = data.draw(st.integers(size, population))
    sample = simple_sample(population, size, "seed")
    assert len(sample) == len(set(sample)) == size
    assert sample == sorted(sample)
    assert set(sample) <= set(simple_sample(population, larger, "seed")) <= set(range(population))


def test_each_place_is_sampled_alike() -> None:
    counts: Counter[int] = Counter()
    for seed in range(2000):
        counts.update(simple_sample(20, 5, str(seed)))
    expected = 2000 * 5 / 20
    chi = sum((counts[place] - expected) ** 2 for place in range(20)) / (expected * (1 - 5 / 20))
    assert chi < 43.8  # 99.9%, 19 degrees of freedom


@pytest.mark.parametrize("size", [-1, 4])
def test_a_sample_that_cannot_be_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="cannot choose"):
        simple_sample(3, size, "seed")
