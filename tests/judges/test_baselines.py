"""Judges that need no model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import TiebreakError
from core.records import Choice, Verdict, VerdictStatus
from judges.models import make_judge, new_judge
from judges.tasks import Task, both_orders
from tests.judges.running import judge_all
from tests.judges.samples import PAIR, QUESTION, many, orders


async def verdicts(model: str, tasks: list[Task], **parameters: object) -> list[Verdict]:
    judge = make_judge(new_judge(model, "baseline", model, parameters=parameters))
    return await judge_all(judge, tasks, concurrency=4)


async def test_the_longer_answer_wins_in_either_order() -> None:
    for turn in (1, 2, 0):
        tasks = list(orders(turn))
        one, two = await verdicts("longer-answer", tasks)
        assert [one.choice, two.choice] == [Choice.MODEL_1 if turn == 1 else Choice.MODEL_2] * 2
        assert one.scores is not None
        assert two.scores == one.scores[::-1]
        assert (one.label, two.label) in {("left", "right"), ("right", "left")}
        assert one.left == 1
        assert two.left == 2
        assert one.id != two.id


async def test_equal_lengths_and_small_gaps_are_ties() -> None:
    tasks = list(both_orders(PAIR, 1, QUESTION, ("abcd",), ("abcdefg",)))
    assert {v.choice for v in await verdicts("longer-answer", tasks)} == {Choice.MODEL_2}
    assert {v.choice for v in await verdicts("longer-answer", tasks, margin=2)} == {Choice.MODEL_2}
    assert {v.choice for v in await verdicts("longer-answer", tasks, margin=3)} == {Choice.TIE}


async def test_headings_are_counted() -> None:
    assert {v.choice for v in await verdicts("most-headings", list(orders()))} == {Choice.MODEL_2}
    plain = list(both_orders(PAIR, 1, QUESTION, ("a much longer text",), ("b",)))
    assert {v.choice for v in await verdicts("most-headings", plain)} == {Choice.TIE}


async def test_the_coin_is_fair_repeatable_and_tossed_for_each_order() -> None:
    first = many(400)
    tasks = [*first, *(replace(task, left=2) for task in first)]
    tossed = {v.id: v.choice for v in await verdicts("coin", tasks, seed="s")}
    assert tossed == {v.id: v.choice for v in await verdicts("coin", tasks[::-1], seed="s")}
    assert set(tossed.values()) == {Choice.MODEL_1, Choice.MODEL_2}
    for choice in set(tossed.values()):
        # 800 tosses: five standard deviations are 71.
        assert abs(list(tossed.values()).count(choice) - 400) < 71
    other = {v.id: v.choice for v in await verdicts("coin", tasks, seed="t")}
    assert list(other.values()) != list(tossed.values())
    same = sum(
        one.choice == two.choice
        for one, two in zip(
            sorted(await verdicts("coin", first, seed="s"), key=lambda v: v.pair),
            sorted(await verdicts("coin", tasks[400:], seed="s"), key=lambda v: v.pair),
            strict=True,
        )
    )
    assert 150 < same < 250, "the two orders are independent"


async def test_a_task_without_its_turn_is_a_failure_in_words() -> None:
    (short,) = await verdicts(
        "longer-answer", [Task(PAIR, 2, 1, 0, QUESTION, ("only one",), ("a", "b"))]
    )
    assert short.status is VerdictStatus.FAILED
    assert short.error == "the left answer has no turn 2"
    (beyond,) = await verdicts("coin", [Task(PAIR, 3, 1, 0, QUESTION, ("a",) * 3, ("b",) * 3)])
    assert beyond.error == "the question has no turn 3"


def test_refusals() -> None:
    with pytest.raises(TiebreakError, match="no baseline 'dice'") as caught:
        new_judge("x", "baseline", "dice")
    assert "coin" in caught.value.hint
    with pytest.raises(TiebreakError, match="takes no parameter 'margin'"):
        new_judge("x", "baseline", "coin", parameters={"margin": 1})
    with pytest.raises(TiebreakError, match="margin is -1"):
        new_judge("x", "baseline", "longer-answer", parameters={"margin": -1})
    with pytest.raises(ValueError, match="not 1 or 2"):
        Task(PAIR, 1, 3, 0, QUESTION, ("a",), ("b",))
