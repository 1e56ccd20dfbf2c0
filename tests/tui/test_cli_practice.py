"""The practice commands: what they take, what they say, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.records import LessonUse, Seen
from db.practising import Trial
from db.store import Store
from tests.studies import make_study, rows
from tests.tui.test_cli import Done
from tui.cli import run

PAIR = ("q1", "bee", "ant")  # in the other order than the study stores it


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study.db", questions=3, turns=2)


@pytest.fixture
def practice(capsys: pytest.CaptureFixture[str], study: Path) -> Any:
    def call(*arguments: str) -> Done:
        code = run(["--db", str(study), "practice", *arguments])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


def answer(study: Path, name: str, use: LessonUse, seen: Seen | None) -> None:
    """Say the same to every lesson of the next round."""
    with Store(study) as store:
        who = store.annotator(name)
        round_ = len(store.practising.standing(who).attempts) + 1
        while (one := store.practising.serve(who, use, round_)) is not None:
            key = f"{name}-{round_}-{one.served.assignment}"
            trial = Trial(key, one.served.assignment, round_, seen)
            store.practising.record(who, f"local:{name}", trial)


def test_a_lesson_is_added_listed_and_removed(practice: Any, study: Path, tmp_path: Path) -> None:
    reason = tmp_path / "why.md"
    reason.write_text("It answers.\n\nThe other does not.", "utf-8")
    done = practice("add", *PAIR, "--choice", "bee", "--why", f"@{reason}", "--turn", "2")
    assert (done.code, done.out) == (0, "")
    assert "added: 1 practice lesson now" in done.err
    assert "queued too" in done.err
    assert (
        "there already"
        in practice(
            *("add", "q1", "ant", "bee", "--choice", "bee", "--why", f"@{reason}", "--turn", "2")
        ).err
    )
    (listed,) = practice("list", "--json").json
    assert listed == {
        "question": "q1",
        "model_1": "ant",
        "model_2": "bee",
        "turn": 2,
        "use": "practice",
        "choice": "model_2",
        "why": "It answers.\n\nThe other does not.",
        "annotators": 0,
        "queued": True,
        "shown": True,
    }
    assert "bee: It answers.⏎⏎The other does not." in practice("list").out
    answer(study, "ann", LessonUse.PRACTICE, Seen.TIE)
    refused = practice("remove", *PAIR, "--turn", "2")
    assert refused.code == 1
    assert "--with-trials" in refused.err
    assert practice("remove", *PAIR, "--turn", "2", "--with-trials").code == 0
    assert practice("list", "--json").json == []
    assert practice("list").out == ""


@pytest.mark.parametrize("choice", ["tie", "both_bad", "ant"])
def test_an_outcome_is_a_models_name_or_a_word(practice: Any, study: Path, choice: str) -> None:
    assert practice("add", *PAIR, "--choice", choice).code == 0
    stored = {"ant": "model_1"}.get(choice, choice)
    assert rows(study, "SELECT choice, turn FROM lesson") == [(stored, 1)]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("q1", "ant", "ant", "--choice", "tie"), 2, "named twice"),
        ((*PAIR, "--choice", "wasp"), 2, "ant, bee, tie, both_bad"),
        ((*PAIR, "--choice", "tie", "--turn", "3"), 1, "turns 1 to 2"),
        (("q7", "ant", "bee", "--choice", "tie"), 1, "no question is called 'q7'"),
        ((*PAIR, "--choice", "tie", "--why", "as the ant says"), 1, "names the model 'ant'"),
        ((*PAIR, "--choice", "tie", "--why", "@no-such-file"), 1, "No such file"),
        ((*PAIR,), 2, "--choice"),
    ],
)
def test_what_is_no_lesson_is_refused_in_words(
    practice: Any, study: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = practice("add", *arguments)
    assert done.code == code
    assert said in done.err
    assert rows(study, "SELECT 1 FROM lesson") == []


def test_results_say_who_may_vote_and_what_was_wrong(practice: Any, study: Path) -> None:
    practice("add", *PAIR, "--choice", "tie")
    assert (
        "set qualification_pass"
        in practice(*("add", "q2", "ant", "bee", "--choice", "bee", "--use", "qualification")).err
    )
    with Store(study) as store:
        store.annotator("bob")
        store.set({"qualification_pass": 1.0, "qualification_tries": 1})
    answer(study, "ann", LessonUse.PRACTICE, None)
    answer(study, "ann", LessonUse.QUALIFICATION, Seen.TIE)
    told = practice("results").out
    assert "practice 0 of 1 right, 0 not met; not qualified: 0 of 1 right in try 1" in told
    assert "practice, round 1: q1, turn 1: skipped, not tie" in told
    assert "qualification, round 1: q2, turn 1: tie, not bee" in told
    assert "practice 0 of 0 right, 1 not met; not qualified: no try finished" in told
    ann, bob = practice("results", "--json").json
    assert (ann["annotator"], ann["qualified"], ann["let_in"]) == ("ann", False, None)
    assert [trial["is_right"] for trial in ann["trials"]] == [False, False]
    assert (ann["attempts"][0]["passed"], bob["trials"], bob["to_practise"]) == (False, [], 1)

    assert practice("let-in", "nobody").code == 1
    assert practice("let-in", "ann").code == 0
    assert "before" in practice("let-in", "ann").err
    ann, _ = practice("results", "--json").json
    assert ann["qualified"] is True
    assert ann["let_in"]["by"].startswith("local:")
    assert "let in by local:" in practice("results").out


def test_a_bar_without_a_lesson_is_pointed_out(practice: Any, study: Path) -> None:
    with Store(study) as store:
        store.set({"qualification_pass": 0.5})
    assert "nobody is asked" in practice("results").err


def test_rulings_are_taken_over(practice: Any, study: Path, tmp_path: Path) -> None:
    lines = [
        '{"type": "ruling", "question": "q1", "model_1": "ant", "model_2": "bee", "turn": 1, '
        '"lead": "lea", "stage": "blind", "choice": "tie", "reason": "alike"}',
        '{"type": "ruling", "question": "q2", "model_1": "ant", "model_2": "bee", "turn": 1, '
        '"lead": "lea", "stage": "blind", "choice": "more_votes", "reason": "\\u001b[31msplit"}',
    ]
    file = tmp_path / "rulings.jsonl"
    file.write_text("\n".join(lines), "utf-8")
    assert run(["--db", str(study), "import", str(file)]) == 0
    done = practice("from-rulings", "--use", "qualification")
    assert "1 lesson added, 0 there already" in done.err
    assert "left out: 'q2', turn 1: ruled more_votes" in done.err
    (listed,) = practice("list", "--json").json
    assert (listed["use"], listed["why"]) == ("qualification", "alike")


def test_hostile_names_and_reasons_are_inert(practice: Any, study: Path) -> None:
    practice("add", *PAIR, "--choice", "tie", "--why", "\x1b]0;gone\x07 [/INST]")
    answer(study, "a\u202en", LessonUse.PRACTICE, Seen.LEFT)
    for command in ("list", "results"):
        told = practice(command).out
        assert told.strip()
        assert not {"\x1b", "\x07", "\u202e"} & set(told)
