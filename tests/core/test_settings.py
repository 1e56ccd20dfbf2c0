"""What a lead can set: every value is checked, from the command line and from a file alike."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from core.settings import KNOWN, checked

TAKEN: dict[str, list[tuple[Any, Any]]] = {
    "name": [("A study", "A study"), ("", "")],
    "guidelines": [("# Read\n\nboth", "# Read\n\nboth")],
    "vote_per": [("turn", "turn"), ("conversation", "conversation")],
    "overlap": [(1, 1), ("99", 99), (" 7 ", 7)],
    "exclude_groups": [("", []), ("a", ["a"]), ("a, b ,", ["a", "b"]), (["a"], ["a"]), ([], [])],
    "judge_repeats": [("first", "first"), ("majority", "majority")],
    "lease_minutes": [(1, 1), ("10080", 10080)],
    "show_reference": [(True, True), ("no", False), ("ON", True), ("False", False)],
    "dwell_ms": [(0, 0), ("300", 300)],
    "criteria": [
        ("a, b", ["a", "b"]),
        ("", []),
        (" ", []),
        ([], []),
        ([" größer "], ["größer"]),
        ("1,2,3,4,5,6,7,8,9", list("123456789")),
        ("x" * 40, ["x" * 40]),
        (["a, or b"], ["a, or b"]),
    ],
    "confidence": [("no, yes", ["no", "yes"]), ("", [])],
    "tags": [("clear", ["clear"]), ([], [])],
    "cannot_judge_reasons": [("", []), (["not my field"], ["not my field"])],
    "repeat_percent": [(0, 0), ("50", 50)],
    "repeat_gap": [(1, 1), ("1000", 1000)],
    "practice": [(True, True), ("no", False)],
    "qualification_pass": [(0, 0.0), ("0.8", 0.8), (1, 1.0), (" 1 ", 1.0)],
    "qualification_tries": [(1, 1), ("99", 99)],
    "fastest_reading": [(100, 100), ("9999", 9999)],
    "policy": [("least-voted", "least-voted"), ("uniform", "uniform")],
    "category_quota": [
        ("maths=2, writing = 1", {"maths": 2, "writing": 1}),
        ("a=b=3", {"a=b": 3}),
        ('{"one, two": 2}', {"one, two": 2}),
        ({"größer": 99}, {"größer": 99}),
        ("", {}),
        ({}, {}),
    ],
    "uniform_floor": [("0.01", 0.01), (1, 1.0), (0.2, 0.2)],
    "overlap_by_category": [("maths=3", {"maths": 3})],
    "overlap_by_group": [("expert=2, crowd=3", {"expert": 2, "crowd": 3})],
    "only_for": [
        ("medicine: expertise=medicine", {"medicine": {"expertise": ["medicine"]}}),
        (
            "german: language=de | at, years=3; x: y=z;",
            {"german": {"language": ["de", "at"], "years": ["3"]}, "x": {"y": ["z"]}},
        ),
        ('{"a: b": {"c": "d|e"}}', {"a: b": {"c": ["d", "e"]}}),
        ({"a": {"b": ["c"]}}, {"a": {"b": ["c"]}}),
        ("", {}),
    ],
    "acceptable_by": [("models", "models"), ("votes", "votes")],
    "annotator_kind": [("expert", "expert"), ("crowd", "crowd")],
    "elo_k": [("32", 32.0), (4, 4.0), (0.01, 0.01)],
    "elo_start": [(0, 0.0), ("1500", 1500.0)],
    "elo_scale": [(400, 400.0), ("173.7", 173.7)],
    "elo_tie": [(0, 0.0), ("0.5", 0.5), (1, 1.0)],
}
REFUSED: dict[str, list[Any]] = {
    "name": [5, None, [], {}, True, "\ud800"],
    "guidelines": [5, None, "a\udfffb"],
    "vote_per": ["turns", "", None, 1, [], ["turn"]],
    "overlap": [0, 100, "many", "", None, 1.5, True, [], {}, "9" * 5000, 10**400],
    "exclude_groups": [5, None, [1], [["a"]], {"a": 1}, "\ud800", ["\ud800"]],
    "judge_repeats": ["all", "", None, 1, ["first"]],
    "lease_minutes": [0, 10081, "an hour", None, [1]],
    "show_reference": ["maybe", "", None, 1, 0, [], "\ud800"],
    "dwell_ms": [-1, 10001, "slow", None, 0.5],
    "criteria": [
        "a,,b",
        "a,",
        "a, a",
        list("abcdefghij"),
        ["a", ""],
        ["a\nb"],
        "x" * 41,
        [1],
        None,
        0,
        {},
        ["\ud800"],
        [["a"]],
    ],
    "confidence": ["sure", ["sure"], "a, a", list("abcdefghij")],
    "tags": [5, [None], "\x1b[31mred"],
    "cannot_judge_reasons": [False, ["a", "a"]],
    "repeat_percent": [-1, 51, "10%", None, 0.1],
    "repeat_gap": [0, 1001, "", None, 2.5],
    "practice": ["maybe", None, 1, []],
    "qualification_pass": [-0.1, 1.01, "nan", "inf", "80%", "", None, True, [0.5], 10**400],
    "qualification_tries": [0, 100, "some", None, 0.5],
    "fastest_reading": [99, 10000, "fast", None, 600.5],
    "policy": ["fair", "", None, 1],
    "category_quota": ["maths", "=2", "a=0", "a=-1", "a=1.5", "a=x", "a=1, a=2", "{", 5, None],
    "uniform_floor": [0, 0.009, 1.1, "nan", None],
    "overlap_by_category": ["maths=100", ["maths"], {"": 1}, {"a": True}, {"a\nb": 1}],
    "overlap_by_group": ["expert", {" a": 1, "a ": 2}, {"a": [1]}, "{" + "x" * 500, "x" * 500],
    "only_for": [
        "medicine",
        "a:",
        "a: b",
        "a: b=",
        "a: b=c; a: d=e",
        "a: =c",
        {"a": {}},
        [],
        1,
        {"a": {"b": []}},
        {"a": {"b": [1]}},
        {"a": 1},
        {"\x1b": {"b": "c"}},
    ],
    "acceptable_by": ["grades", "", 1],
    "annotator_kind": ["layman", "", None, 1],
    "elo_k": [0, 401, "nan", "inf", "fast", None, True, [4], 10**400],
    "elo_start": [-1, 1e7, "", None],
    "elo_scale": [0, "wide", None, {}],
    "elo_tie": [-0.1, 1.1, "half", None],
}


def test_every_setting_is_covered_here() -> None:
    assert set(TAKEN) == set(REFUSED) == set(KNOWN)


@pytest.mark.parametrize(
    ("key", "value", "stored"), [(key, *pair) for key in TAKEN for pair in TAKEN[key]]
)
def test_good_values_are_taken(key: str, value: Any, stored: Any) -> None:
    assert checked(key, value) == stored
    assert type(checked(key, value)) is type(stored)
    # What is stored may be imported again.
    assert checked(key, json.loads(json.dumps(stored))) == stored


@pytest.mark.parametrize("key", KNOWN)
def test_a_default_is_a_good_value(key: str) -> None:
    assert checked(key, KNOWN[key].default) == KNOWN[key].default


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key in REFUSED for value in REFUSED[key]]
)
def test_wrong_values_are_refused_in_words(key: str, value: Any) -> None:
    with pytest.raises(UsageError) as refusal:
        checked(key, value)
    assert refusal.value.message.startswith(f"setting {key!r} takes ")
    assert refusal.value.hint
    assert refusal.value.exit_code == 2
    assert len(refusal.value.message.encode()) < 200


def test_an_unknown_setting_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="no setting is called 'colour'") as refusal:
        checked("colour", "red")
    assert "overlap" in refusal.value.hint


@given(
    key=st.sampled_from(sorted(KNOWN)),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=4,
    ),
)
def test_whatever_comes_is_taken_or_refused(key: str, value: Any) -> None:
    try:
        stored = checked(key, value)
    except UsageError:
        return
    assert json.loads(json.dumps(stored)) == stored
