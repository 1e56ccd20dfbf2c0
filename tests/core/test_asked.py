"""What a study asks, and what may be said to it."""

from __future__ import annotations

import pytest

from core.asked import Asked, Details
from core.records import Seen
from core.settings import KNOWN

ASKED = Asked(("accuracy", "style"), ("guess", "sure"), ("clear", "short"))


def test_by_default_nothing_is_asked_but_reasons_are_there_not_to_judge() -> None:
    asked = Asked.of({key: known.default for key, known in KNOWN.items()})
    assert (asked.criteria, asked.confidence, asked.tags) == ((), (), ())
    assert len(asked.cannot_judge_reasons) >= 3
    assert asked.problem(Details()) == ""


@pytest.mark.parametrize(
    "said",
    [
        Details(),
        Details({"style": Seen.TIE}),
        Details({"accuracy": Seen.LEFT, "style": Seen.BOTH_BAD}, 2, ("short", "clear")),
        Details(confidence=1),
    ],
)
def test_what_is_asked_may_be_said(said: Details) -> None:
    assert ASKED.problem(said) == ""


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (Details({"tone": Seen.TIE}), "no criterion 'tone'"),
        (Details(tags=("clear", "long")), "no reason tag 'long'"),
        (Details(tags=("clear", "clear")), "twice"),
        (Details(confidence=0), "no confidence level 0"),
        (Details(confidence=3), "no confidence level 3"),
    ],
)
def test_what_is_not_asked_is_named(said: Details, problem: str) -> None:
    assert problem in ASKED.problem(said)
    assert Asked().problem(said)
