"""Plans: closed forms where there are some, power and size that undo each other, refusals."""

from __future__ import annotations

import json
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from core.stats.planning import Crowd, Plan, plan_agreement, plan_kappa, plan_ranking, plan_win_rate

CERTAIN = Crowd(1, ties=0, agreement=1)


def test_single_votes_without_ties_are_a_textbook_binomial() -> None:
    z, b = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(0.8)
    plan = plan_win_rate(0.6, CERTAIN)
    assert plan.pairs == math.ceil((z + b) ** 2 * 0.6 * 0.4 / 0.1**2 + z * z / 2)
    assert (plan.votes, plan.questions, plan.width) == (plan.pairs, None, None)


def test_votes_on_one_pair_are_worth_less_the_more_they_agree() -> None:
    pairs = {
        (overlap, agreement): plan_win_rate(0.6, Crowd(overlap, 0.2, agreement)).pairs
        for overlap in (1, 4)
        for agreement in (0.55, 0.99)
    }
    assert pairs[1, 0.55] == pairs[1, 0.99]
    assert pairs[4, 0.55] < 0.4 * pairs[1, 0.55]
    assert pairs[4, 0.99] > 0.75 * pairs[1, 0.99]


@given(
    st.integers(1, 9),
    st.floats(0, 0.9),
    st.floats(0.5, 1),
    st.floats(0.5, 1, exclude_min=True, exclude_max=True),
)
def test_the_variance_of_a_score_is_one_that_a_score_can_have(
    overlap: int, ties: float, agreement: float, points: float
) -> None:
    variance = Crowd(overlap, ties, agreement).score_variance(points)
    single = Crowd(1, ties, agreement).score_variance(points)
    assert 0 <= single / overlap <= variance + 1e-12 <= single + 2e-12
    assert single <= points * (1 - points) + 1e-12


CROWDS = [Crowd(1), Crowd(3, 0.3, 0.7), Crowd(2, 0, 0.95)]


@pytest.mark.parametrize("crowd", CROWDS)
def test_size_and_power_undo_each_other(crowd: Crowd) -> None:
    for power in (0.7, 0.9):
        size = plan_win_rate(0.57, crowd, power)
        assert plan_win_rate(0.57, crowd, pairs=size.pairs).power == pytest.approx(power, abs=0.01)
        ladder = plan_ranking(5, 0.57, crowd, power)
        back = plan_ranking(5, 0.57, crowd, questions=ladder.questions)
        assert back.power == pytest.approx(power, abs=0.02)
        assert back.power >= power
        assert ladder.questions is not None
        assert (ladder.pairs, ladder.votes) == (
            ladder.questions * 10,
            ladder.questions * 10 * crowd.overlap,
        )


def test_width_and_pairs_undo_each_other() -> None:
    for plan in (
        plan_agreement(Crowd(3), 0.08),
        plan_kappa(0.5, Crowd(2), 0.08),
    ):
        assert plan.width is not None
        assert 0.0795 <= plan.width <= 0.08
        assert plan.power is None
    assert plan_agreement(Crowd(3), None, pairs=100).width == pytest.approx(
        plan_agreement(Crowd(3), None, pairs=400).width * 2  # type: ignore[operator]
    )


def test_two_votes_on_a_pair_are_one_comparison_each() -> None:
    """With overlap 2 and no ties S2 is a plain share of pairs."""
    z = NormalDist().inv_cdf(0.975)
    plan = plan_agreement(Crowd(2, ties=0, agreement=0.75), 0.1)
    assert plan.pairs == math.ceil((2 * z / 0.1) ** 2 * 0.75 * 0.25)
    with_ties = plan_agreement(Crowd(2, ties=0.5, agreement=0.75), 0.1)
    assert with_ties.pairs == pytest.approx(4 * plan.pairs, abs=4)


def test_kappa_of_two_equal_classes_has_its_closed_form() -> None:
    """With margins of ½ each, κ = 2 p_o − 1 and its variance that of 4 p_o (1 − p_o)."""
    z = NormalDist().inv_cdf(0.975)
    agreeing = (1 + 0.4) / 2
    plan = plan_kappa(0.4, Crowd(2, ties=0), 0.2)
    assert plan.pairs == math.ceil((2 * z / 0.2) ** 2 * 4 * agreeing * (1 - agreeing) - 1e-6)


def test_two_models_in_a_ranking_part_like_their_two_intervals() -> None:
    """Each rating's error is half of the difference's, so that tiers ask for 1 z as the test."""
    gap = math.log(0.6 / 0.4)
    z, b = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(0.8)
    difference = math.sqrt(0.24) / 0.24
    plan = plan_ranking(2, 0.6, CERTAIN)
    assert plan.questions == math.ceil(((z + b) * difference / gap) ** 2)


def test_more_models_need_fewer_questions_and_more_pairs() -> None:
    few, many = plan_ranking(3, 0.6, Crowd(2)), plan_ranking(8, 0.6, Crowd(2))
    assert few.questions is not None
    assert many.questions is not None
    assert many.questions < few.questions
    assert many.pairs > few.pairs


def test_a_plan_of_any_ladder_is_finite() -> None:
    for models in (2, 30, 200):
        plan = plan_ranking(models, 0.99, Crowd(1, 0.6), questions=50)
        assert plan.power is not None
        assert np.isfinite(plan.power)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (lambda: plan_win_rate(0.5, Crowd()), "the win rate to find is 0.5"),
        (lambda: plan_win_rate(1.2, Crowd()), "the win rate to find is 1.2"),
        (lambda: plan_win_rate(float("nan"), Crowd()), "the win rate to find is nan"),
        (lambda: plan_win_rate(0.50001, Crowd()), "more than 10,000,000 pairs"),
        (lambda: plan_ranking(1, 0.6, Crowd()), "1 model cannot be ranked"),
        (lambda: plan_agreement(Crowd(1), 0.1), "takes two votes on a pair"),
        (lambda: plan_agreement(Crowd(2), None), "a width between 0 and 2"),
        (lambda: plan_agreement(Crowd(2), 0.0), "a width between 0 and 2"),
        (lambda: plan_agreement(Crowd(2, 0.2, 1.0), 0.1), "always agree"),
        (lambda: plan_kappa(1.0, Crowd(2), 0.1), "κ is 1"),
        (lambda: Crowd(0), "overlap is 0"),
        (lambda: Crowd(1, ties=1), "ties is 1"),
        (lambda: Crowd(1, agreement=0.4), "agreement is 0.4"),
    ],
)
def test_what_cannot_be_planned_is_refused(plan: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan()  # type: ignore[operator]


def test_a_plan_says_what_it_rests_on() -> None:
    plan: Plan = plan_win_rate(0.6, Crowd(3, 0.3, 0.75))
    said = json.loads(json.dumps(plan.to_json()))
    assert set(said) == {
        "goal",
        "pairs",
        "votes",
        "questions",
        "power",
        "width",
        "assumptions",
    }
    assert any("3 votes on each pair; 30% of votes" in each for each in said["assumptions"])
    assert any("agree 75% of the time" in each for each in said["assumptions"])


@pytest.mark.parametrize("points", [0.8, 0.9, 0.97])
def test_where_the_least_number_is_more_than_was_needed_the_power_is_that_of_so_many(
    points: float,
) -> None:
    crowd = Crowd(2, 0.25, 0.8)
    for planned, asked in (
        (plan_win_rate(points, crowd), plan_win_rate(points, crowd, pairs=10)),
        (plan_ranking(4, points, crowd), plan_ranking(4, points, crowd, questions=5)),
    ):
        if planned.pairs == asked.pairs:
            assert planned.power == asked.power
            assert planned.power is not None
            assert planned.power > 0.81
        else:
            assert planned.power == 0.8
    assert plan_win_rate(0.97, crowd).pairs == 10
