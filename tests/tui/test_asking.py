"""The steps after a vote key, without a screen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.asked import Asked, Details
from core.records import Seen
from tui.asking import Asking, Kind, steps_of

ALL = Asked(("accuracy", "style"), ("guess", "fairly sure", "sure"), ("clear", "short"))
SEEN = st.sampled_from(Seen)


def test_what_is_off_is_no_step() -> None:
    assert steps_of(Asked(cannot_judge_reasons=("why",))) == ()
    assert [step.kind for step in steps_of(ALL)] == ["criterion", "criterion", "confidence", "tags"]
    assert [step.name for step in steps_of(Asked(criteria=("accuracy",)))] == ["accuracy"]


def test_from_the_first_step_to_the_last() -> None:
    asking = Asking(steps_of(ALL), Seen.LEFT)
    assert asking.vote(Seen.TIE)
    assert asking.vote(Seen.RIGHT)
    assert not asking.vote(Seen.LEFT)
    assert not asking.digit(4)
    assert not asking.confirm()
    assert asking.digit(2)
    assert asking.digit(2)
    assert asking.digit(1)
    assert asking.digit(2)
    assert asking.answered() == [
        "A is better", "accuracy: tie", "style: B is better", "How sure: fairly sure",
    ]  # fmt: skip
    assert asking.confirm()
    assert asking.step is None
    assert asking.answered()[-1] == "Reasons: clear"
    assert asking.details() == Details({"accuracy": Seen.TIE, "style": Seen.RIGHT}, 2, ("clear",))


def test_no_reason_is_an_answer_too() -> None:
    asking = Asking(steps_of(Asked(tags=("clear",))), Seen.TIE)
    assert asking.confirm()
    assert asking.details() == Details()
    assert asking.answered() == ["tie", "Reasons: none"]


def test_going_back_keeps_what_was_said_and_ends_in_a_withdrawal() -> None:
    asking = Asking(steps_of(ALL), Seen.LEFT)
    asking.vote(Seen.TIE)
    assert asking.back()
    assert asking.marked() == {Seen.TIE}
    assert asking.details() == Details()
    assert not asking.back()
    assert asking.confirm()
    assert asking.details().criteria == {"accuracy": Seen.TIE}


def test_an_earlier_vote_s_answers_are_offered_and_kept_one_by_one() -> None:
    before = Details({"accuracy": Seen.LEFT, "gone": Seen.TIE}, 3, ("short", "dropped"))
    asking = Asking(steps_of(ALL), Seen.RIGHT, before)
    assert asking.confirm()
    assert not asking.confirm(), "style was never answered"
    assert asking.vote(Seen.BOTH_BAD)
    assert asking.marked() == {3}
    assert asking.confirm()
    assert asking.marked() == {2}
    assert asking.confirm()
    assert asking.details() == Details(
        {"accuracy": Seen.LEFT, "style": Seen.BOTH_BAD}, 3, ("short",)
    )


def test_an_earlier_level_that_is_no_more_is_not_offered() -> None:
    for level in (0, 4, 100):
        asking = Asking(steps_of(Asked(confidence=("no", "yes"))), Seen.TIE, Details({}, level))
        assert asking.marked() == set()
        assert not asking.confirm()


KEYS = st.one_of(
    SEEN.map(lambda seen: ("vote", seen)),
    st.integers(0, 9).map(lambda number: ("digit", number)),
    st.just(("confirm", None)),
    st.just(("back", None)),
)


@given(
    asked=st.builds(
        Asked,
        criteria=st.sampled_from([(), ("a",), ("a", "b")]),
        confidence=st.sampled_from([(), ("x", "y"), tuple("123456789")]),
        tags=st.sampled_from([(), ("t",), tuple("tuv")]),
    ).filter(lambda asked: bool(steps_of(asked))),
    keys=st.lists(KEYS, max_size=25),
)
def test_whatever_is_pressed_only_whole_and_valid_answers_end_it(
    asked: Asked, keys: list[tuple[str, object]]
) -> None:
    """Against a model that keeps one answer for each step, and a place among them."""
    steps = steps_of(asked)
    asking = Asking(steps, Seen.TIE)
    answers: dict[int, object] = {}
    tags: set[int] = set()
    at = 0
    for name, value in keys:
        if at == len(steps):
            break
        kind = steps[at].kind
        moved = getattr(asking, name)(*([] if value is None else [value]))
        if name == "back":
            assert moved is (at > 0)
            at -= moved
        elif name == "confirm":
            assert moved is (kind is Kind.TAGS or at in answers)
            at += moved
        elif name == "vote":
            assert moved is (kind is Kind.CRITERION)
            if moved:
                answers[at] = value
                at += 1
        else:
            assert isinstance(value, int)
            assert moved is (1 <= value <= len(steps[at].options))
            if moved and kind is Kind.TAGS:
                tags ^= {value}
            elif moved:
                answers[at] = value
                at += 1
        assert asking.at == at
    said = asking.details()
    assert asked.problem(said) == ""
    assert len(asking.answered()) == at + 1
    if at == len(steps):
        kinds = [step.kind for step in steps]
        assert list(said.criteria) == list(asked.criteria)
        assert list(said.criteria.values()) == [
            answers[n] for n, kind in enumerate(kinds) if kind is Kind.CRITERION
        ]
        assert (said.confidence is None) is (Kind.CONFIDENCE not in kinds)
        assert said.tags == tuple(asked.tags[n - 1] for n in sorted(tags))
