"""Lessons as leads keep them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Conflict, TiebreakError
from core.records import (
    Choice,
    Lesson,
    LessonUse,
    Pair,
    Ruling,
    RulingChoice,
    RulingStage,
    Seen,
)
from db.practising import Trial
from db.store import Store
from tests.studies import FakeClock, as_lines, located, make_study, rows

PRACTICE, QUALIFICATION = LessonUse
PAIR = Pair("q1", "ant", "bee")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    path = make_study(tmp_path / "study.db", questions=5, turns=2)
    with Store(path, clock=FakeClock()) as opened:
        yield opened


def test_a_lesson_needs_no_pair_that_was_made(store: Store) -> None:
    store.connection.execute("DELETE FROM queue")
    store.connection.execute("DELETE FROM pair")
    assert store.lessons.add(Lesson(PAIR, 2, Choice.TIE, "Both are fine."))
    assert rows(store.path, "SELECT key FROM pair") == [(PAIR.key,)]
    assert not store.lessons.add(Lesson(PAIR, 2, Choice.TIE, "Both are fine."))
    assert store.verify() == []
    (kept,) = store.lessons.all()
    assert (kept.lesson.choice, kept.annotators, kept.queued, kept.shown) == (
        *(Choice.TIE, 0, False, True),
    )


@pytest.mark.parametrize(
    ("pair", "turn", "said"),
    [
        (Pair("q9", "ant", "bee"), 1, "no question is called 'q9'"),
        (Pair("q1", "ant", "wasp"), 1, "'wasp' has no answer to 'q1'"),
        (PAIR, 0, "turns 1 to 2"),
        (PAIR, 3, "turns 1 to 2"),
    ],
)
def test_what_cannot_be_shown_is_no_lesson(store: Store, pair: Pair, turn: int, said: str) -> None:
    with pytest.raises(TiebreakError, match=said):
        store.lessons.add(Lesson(pair, turn, Choice.TIE))
    assert store.lessons.all() == []


def test_a_study_of_conversations_has_lessons_on_conversations(tmp_path: Path) -> None:
    path = make_study(tmp_path / "study.db", turns=2, vote_per="conversation")
    with Store(path) as store:
        with pytest.raises(TiebreakError, match="turn 0"):
            store.lessons.add(Lesson(PAIR, 1, Choice.TIE))
        assert store.lessons.add(Lesson(PAIR, 0, Choice.TIE))
        one = store.practising.serve(store.annotator("ann"), PRACTICE, 1)
        assert one is not None
        assert (one.turn, one.served.turns) == (0, (0,))


@pytest.mark.parametrize("why", ["the Bee is right", "(ant) errs", "ant"])
def test_a_reason_that_names_a_model_is_refused(store: Store, why: str) -> None:
    with pytest.raises(Conflict, match="names the model"):
        store.lessons.add(Lesson(PAIR, 1, Choice.TIE, why))
    with pytest.raises(Conflict, match="names the model"):
        store.ingest.take(located([Lesson(PAIR, 1, Choice.TIE, why)]))
    assert store.lessons.add(Lesson(PAIR, 1, Choice.TIE, "important, and has been said"))


def test_what_contradicts_is_refused_and_names_how_to_mend_it(store: Store) -> None:
    store.lessons.add(Lesson(PAIR, 1, Choice.TIE))
    with pytest.raises(Conflict, match="says otherwise"):
        store.lessons.add(Lesson(PAIR, 1, Choice.BOTH_BAD))
    with pytest.raises(Conflict, match="is a practice lesson already"):
        store.lessons.add(Lesson(PAIR, 1, Choice.TIE, use=QUALIFICATION))
    store.lessons.add(Lesson(PAIR, 2, Choice.TIE, use=QUALIFICATION))


def test_a_lesson_with_trials_goes_only_if_that_is_meant(store: Store) -> None:
    store.lessons.add(Lesson(PAIR, 1, Choice.TIE))
    ann = store.annotator("ann")
    one = store.practising.serve(ann, PRACTICE, 1)
    assert one is not None
    store.practising.record(ann, "local", Trial("t", one.served.assignment, 1, Seen.TIE))
    with pytest.raises(Conflict, match="1 time,"):
        store.lessons.remove(PAIR, 1, PRACTICE)
    with pytest.raises(TiebreakError, match="no qualification lesson"):
        store.lessons.remove(PAIR, 1, QUALIFICATION)
    assert store.lessons.remove(PAIR, 1, PRACTICE, with_trials=True) == 1
    assert store.lessons.all() == []
    assert rows(store.path, "SELECT 1 FROM trial") == []


def test_rulings_become_lessons_and_what_does_not_is_told(store: Store) -> None:
    def ruling(id: str, question: int, choice: str, reason: str, **more: object) -> Ruling:
        pair = Pair(f"q{question}", "ant", "bee")
        return Ruling(
            id,
            pair,
            1,
            "lea",
            RulingStage.BLIND,
            RulingChoice(choice),
            reason,
            **more,  # type: ignore[arg-type]
        )

    store.ingest.take(
        located(
            [
                ruling("r1", 1, "model_1", "wrong at first"),
                ruling("r2", 1, "both_bad", "neither adds up", supersedes="r1"),
                ruling("r3", 2, "not_decidable", "who knows"),
                ruling("r4", 3, "tie", "the bee is as good"),
                ruling("r5", 4, "model_2", "complete"),
                ruling("r6", 5, "tie", "alike"),
            ]
        )
    )
    store.lessons.add(Lesson(Pair("q5", "ant", "bee"), 1, Choice.MODEL_1, "not alike"))
    taken = store.lessons.from_rulings(PRACTICE)
    assert (taken.new, taken.unchanged) == (2, 0)
    assert [line.split(":")[0] for line in taken.left_out] == [
        f"'q{question}', turn 1" for question in (2, 3, 5)
    ]
    kept = {one.lesson.pair.question: one.lesson for one in store.lessons.all()}
    assert (kept["q1"].choice, kept["q1"].why) == (Choice.BOTH_BAD, "neither adds up")
    assert kept["q4"].choice is Choice.MODEL_2
    assert kept["q5"].why == "not alike"
    again = store.lessons.from_rulings(PRACTICE)
    assert (again.new, again.unchanged) == (0, 2)


def test_how_people_do_is_listed_by_name(store: Store) -> None:
    store.lessons.add(Lesson(PAIR, 1, Choice.TIE))
    store.lessons.add(Lesson(Pair("q2", "ant", "bee"), 1, Choice.TIE))
    ann = store.annotator("ann")
    store.annotator("bob")
    store.annotator("sim", simulated=True)
    for seen in (Seen.TIE, None):
        one = store.practising.serve(ann, PRACTICE, 1)
        assert one is not None
        trial = Trial(f"t{seen}", one.served.assignment, 1, seen)
        store.practising.record(ann, "local", trial)
    first, second = store.lessons.learners()
    assert (first.name, first.to_practise) == ("ann", 0)
    assert [trial.is_right for trial in first.of(PRACTICE)] == [True, False]
    assert (second.name, second.to_practise, second.trials) == ("bob", 2, [])


def test_how_somebody_was_let_in_leaves_with_the_study(store: Store, tmp_path: Path) -> None:
    store.practising.let_in(store.annotator("ann"), "local:lea")
    records = list(store.reading.records())
    (line,) = [json.loads(x) for x in as_lines(records).splitlines() if '"annotator"' in x]
    assert line["attributes"]["onboarding"]["let_in"]["by"] == "local:lea"
    with Store(tmp_path / "second.db", create=True) as second:
        second.ingest.take(located(records))
        assert second.practising.standing(second.annotator("ann")).is_in
