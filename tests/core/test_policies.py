"""Each policy against what it promises, in situations that are made up."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.policies import POLICIES, Likelihood, Policy, Situation, Stratum, closed_to, draw

STRATA = st.builds(
    Stratum,
    st.integers(0, 2),
    st.sampled_from([None, "maths", "writing"]),
    st.integers(1, 3),
    st.integers(0, 1),
)
SITUATIONS = st.builds(
    Situation,
    st.dictionaries(STRATA, st.integers(1, 5), min_size=1, max_size=8),
    st.dictionaries(st.integers(1, 3), st.integers(0, 9)),
    st.dictionaries(st.sampled_from([None, "maths", "writing"]), st.integers(0, 9)),
    st.dictionaries(st.sampled_from(["maths", "writing", "law"]), st.integers(1, 3)),
    st.floats(0.01, 1),
)
BY_CHANCE = [policy for policy in POLICIES.values() if policy.likelihood]


def likelihood(policy: str, situation: Situation) -> Likelihood:
    """How likely each pair is by a policy that leaves something to chance."""
    chances = POLICIES[policy].likelihood
    assert chances is not None
    return chances(situation)


@pytest.mark.parametrize("policy", BY_CHANCE, ids=lambda policy: policy.name)
@given(situation=SITUATIONS)
def test_the_chances_of_all_eligible_pairs_add_up_to_one(
    policy: Policy, situation: Situation
) -> None:
    likely = likelihood(policy.name, situation)
    assert set(likely) <= set(situation.eligible)
    assert sum(likely[one] * situation.eligible[one] for one in likely) == pytest.approx(1)
    assert all(0 < each <= 1 for each in likely.values())
    if policy.name in ("uniform", "disagreement-first"):
        assert set(likely) == set(situation.eligible)


@given(situation=SITUATIONS)
def test_the_fewest_voted_of_the_models_served_least_come_first(situation: Situation) -> None:
    likely = likelihood("least-voted", situation)
    fewest = min(one.load for one in situation.eligible)
    tier = [one for one in situation.eligible if one.load == fewest]
    least = min(situation.served_by_block.get(one.block, 0) for one in tier)
    assert set(likely) == {
        one for one in tier if situation.served_by_block.get(one.block, 0) == least
    }
    assert len(set(likely.values())) == 1


def test_a_quota_gives_each_annotator_the_shares_that_were_set() -> None:
    sizes = {Stratum(0, name, 1, 0): 60 for name in ("maths", "writing", "law")}
    had: Counter[str | None] = Counter()
    order = []
    for _ in range(90):
        likely = likelihood("category-quota", Situation(sizes, {}, had, {"maths": 2, "writing": 1}))
        chosen = draw(likely, sizes, Random(len(order))).stratum
        sizes[chosen] -= 1
        sizes = {one: size for one, size in sizes.items() if size}
        had[chosen.category] += 1
        order.append(chosen.category)
        assert abs(had["maths"] - 2 * had["writing"]) <= 2
    assert had == {"maths": 60, "writing": 30}
    # … and what has no share comes when nothing else is left.
    rest = {Stratum(0, "law", 1, 0): 60}
    assert likelihood("category-quota", Situation(rest, {}, had, {"maths": 2})) == {
        Stratum(0, "law", 1, 0): 1 / 60
    }


def test_a_disputed_pair_is_likelier_and_none_is_left_out() -> None:
    quiet, loud = Stratum(0, None, 1, 0), Stratum(1, None, 1, 1)
    likely = likelihood("disagreement-first", Situation({quiet: 16, loud: 4}, floor=0.2))
    assert likely == {quiet: pytest.approx(0.2 / 20), loud: pytest.approx(0.8 / 4 + 0.2 / 20)}


@pytest.mark.parametrize("policy", BY_CHANCE, ids=lambda policy: policy.name)
def test_pairs_come_as_often_as_their_recorded_probability_says(policy: Policy) -> None:
    """Chi-square at 99.9% over every single pair; the seeds are fixed."""
    sizes = {
        Stratum(0, "maths", 1, 0): 3,
        Stratum(0, "maths", 2, 1): 2,
        Stratum(0, "writing", 1, 1): 1,
        Stratum(1, "maths", 1, 0): 4,
    }
    likely = likelihood(policy.name, Situation(sizes, {}, {}, {"maths": 1}, 0.3))
    counts: Counter[tuple[Stratum, int]] = Counter()
    for seed in range(4000):
        place = draw(likely, sizes, Random(seed))
        assert place.probability == likely[place.stratum]
        counts[place.stratum, place.index] += 1
    cells = [(one, index) for one in likely for index in range(sizes[one])]
    assert set(counts) == set(cells)
    chi = sum((counts[cell] - 4000 * likely[cell[0]]) ** 2 / (4000 * likely[cell[0]])
              for cell in cells)  # fmt: skip
    assert chi < 29.6  # nine degrees of freedom at most
    assert draw(likely, sizes, Random(7)) == draw(likely, sizes, Random(7))


@pytest.mark.parametrize(
    ("attributes", "closed"),
    [
        ({}, ["medicine", "german"]),
        ({"expertise": "medicine"}, ["german"]),
        ({"language": "at"}, ["medicine", "german"]),
        ({"language": "at", "years": 3}, ["medicine"]),
        ({"language": ["en", "de"], "years": "3", "expertise": "law"}, ["medicine"]),
        ({"language": None, "years": 3, "expertise": ["medicine"]}, ["german"]),
    ],
)
def test_a_category_is_closed_to_whom_its_rule_does_not_fit(
    attributes: dict[str, object], closed: list[str]
) -> None:
    rules = {
        "medicine": {"expertise": ["medicine"]},
        "german": {"language": ["de", "at"], "years": ["3"]},
    }
    assert closed_to(attributes, rules) == closed
