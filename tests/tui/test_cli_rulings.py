"""The rulings commands: a whole case from the command line, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.records import Annotator, Choice, Pair, Role, Vote
from db.store import Store
from tests.docs import said
from tests.studies import located, make_study

MODELS = ("antfarm-7b", "beeline-2")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = make_study(tmp_path / "study.db", questions=3, models=MODELS)
    votes = [
        Vote(
            f"q{n}-{who}", Pair(f"q{n}", *MODELS), 1, who, choice, left=1, tags=("clear",),
            note=f"\x1b[31mantfarm-7b, says {who}",
        )
        for n in (1, 2, 3)
        for who, choice in (("walter", Choice.MODEL_1), ("xenia", Choice.BOTH_BAD))
    ]  # fmt: skip
    with Store(path) as store:
        store.ingest.take(located(votes))
        store.set({"ruling_sample_conflicts": 0.0})
        for name in ("lea", "max"):
            store.people.add(Annotator(name, Role.LEAD), [])
    return path


def rulings(study: Path, *words: str, lead: str = "lea") -> tuple[int, str]:
    return said(["--db", str(study), "rulings", words[0], *words[1:], "--as", lead])


def as_json(study: Path, *words: str, lead: str = "lea") -> Any:
    code, output = rulings(study, *words, "--json", lead=lead)
    assert code == 0, output
    return json.loads(output)


def test_a_case_from_the_queue_to_a_lesson(study: Path) -> None:
    listed = as_json(study, "queue", "--reason", "human_split")
    assert listed["waiting"]["human_split"] == 3
    case = as_json(study, "next")
    key = case["case"]
    assert key in [row["case"] for row in listed["cases"]]
    assert {each["seen"] for each in case["opinions"]} <= {"left", "right", "both_bad"}
    blind = json.dumps([listed, {**case, "left": "", "right": ""}])
    assert not any(name in blind for name in (*MODELS, "walter", "xenia"))
    assert as_json(study, "next", lead="max")["case"] != key
    assert rulings(study, "take", key, lead="max")[0] == 1
    assert rulings(study, "rule", key, "--choice", "left", "--reason", "It adds up.")[0] == 0
    (made,) = as_json(study, "list")
    assert (made["stage"], made["choice"], made["left"]) == ("blind", "left", None)
    told = as_json(study, "unmask", key)
    assert {each["name"] for each in told["opinions"]} == {"walter", "xenia"}
    assert {told["left"], told["right"]} == set(MODELS)
    code, output = rulings(study, "revise", key, "--choice", "tie", "--reason", "Both add up.")
    assert (code, output) == (0, "revised; what you ruled blind is kept\n")
    assert rulings(study, "second", key, "--why", "sure?")[0] == 0
    assert as_json(study, "take", key, lead="max")["asked"] == "sure?"
    assert rulings(study, "release", key, lead="max")[0] == 0
    assert "a lesson now" in rulings(study, "teach", key)[1]
    assert key in rulings(study, "undo")[1]
    assert as_json(study, "unmask", key)["stands"] == "left"
    themes = {one["name"]: one for one in as_json(study, "themes")["themes"]}
    assert (themes["clear"]["count"], themes["clear"]["disputed"]) == (6, 6)


def test_more_votes_are_said_to_be_wanted(study: Path) -> None:
    key = as_json(study, "next")["case"]
    code, output = rulings(study, "rule", key, "--choice", "more_votes", "--reason", "few")
    assert code == 0
    assert "2 more votes wanted; 2 who could give one" in output


def test_what_is_printed_is_inert_and_names_nobody(study: Path) -> None:
    printed = rulings(study, "queue")[1]
    code, shown = rulings(study, "next")
    assert code == 0
    assert "\x1b" not in shown
    assert "opinion 1" in shown
    opinions = shown[shown.index("── opinion 1") :]
    for name in (*MODELS, "walter", "xenia"):
        assert name not in printed + opinions
    assert "[name hidden]" in opinions


@pytest.mark.parametrize("command", [
    "queue", "next", "list", "undo", "themes", "take {key}", "release {key}", "unmask {key}",
    "teach {key}", "second {key} --why so", "rule {key} --choice tie --reason so",
    "revise {key} --choice tie --reason so",
])  # fmt: skip
def test_only_a_lead_may(study: Path, command: str) -> None:
    key = as_json(study, "queue")["cases"][0]["case"]
    code, output = rulings(study, *command.format(key=key).split(), lead="walter")
    assert code == 1
    assert "'walter' is no lead of this study" in output
    assert "--role lead" in output


@pytest.mark.parametrize(("words", "problem"), [
    (["take", "nothing"], "no case is called 'nothing'"),
    (["take", "nothing/1"], "no case is called 'nothing/1'"),
    (["unmask", "{key}"], "you have not ruled on this case"),
    (["rule", "{key}", "--choice", "tie", "--reason", " "], "no reason is given"),
    (["revise", "{key}", "--choice", "tie", "--reason", "so"], "you have not ruled"),
    (["teach", "{key}"], "you have not ruled"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_words(study: Path, words: list[str], problem: str) -> None:
    key = as_json(study, "queue")["cases"][0]["case"]
    code, output = rulings(study, *(word.format(key=key) for word in words))
    assert code == 1
    assert problem in output
    assert len(output.splitlines()) == 2  # the reason, and how to mend it


@pytest.mark.parametrize("command", ["queue", "next"])
def test_a_filter_that_names_nothing_is_refused(study: Path, command: str) -> None:
    code, output = rulings(study, command, "--category", "nobody")
    assert code == 2
    assert "no category is called 'nobody'" in output
    code, output = rulings(study, command, "--turn", "99")
    assert code == 2
    assert "nothing was said of turn 99" in output
    assert rulings(study, command, "--turn", "1")[0] == 0


def test_a_turn_is_shown_without_what_came_after_it(tmp_path: Path) -> None:
    path = make_study(tmp_path / "turns.db", questions=1, models=MODELS, turns=2)
    votes = [
        Vote(f"{turn}{who}", Pair("q1", *MODELS), turn, who, choice)
        for turn in (1, 2)
        for who, choice in (("walter", Choice.MODEL_1), ("xenia", Choice.TIE))
    ]
    with Store(path) as store:
        store.ingest.take(located(votes))
        store.people.add(Annotator("lea", Role.LEAD), [])
    for row in as_json(path, "queue")["cases"]:
        shown = rulings(path, "take", row["case"])[1]
        assert "q1, turn 1" in shown
        assert ("q1, turn 2" in shown) == (row["turn"] == 2)


def test_nothing_left_is_said(study: Path) -> None:
    for number in range(3):
        key = as_json(study, "next")["case"]
        said_so = rulings(study, "rule", key, "--choice", "not_decidable", "--reason", str(number))
        assert said_so[0] == 0
    assert rulings(study, "next") == (0, "nothing waits to be ruled on\n")
    assert as_json(study, "queue")["cases"] == []
