"""Leads on two hosts: what contradicts is listed, what does not is merged once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.adjudication.case import RulingSeen
from core.records import Annotator, Choice, Lesson, LessonUse, Pair, Role, Score, Vote
from db.merging import Merged, merge
from db.ruling_queue import RulingQueue
from db.store import Store
from tests.db.test_merging import copy_of, events
from tests.studies import FakeClock, located, make_study, rows

BESIDE = (
    "SELECT pair_id, turn, lead_id, at FROM unmasking ORDER BY 1, 2, 3",
    "SELECT uid, pair_id, asked_by, why, answered_by FROM second_opinion ORDER BY 1",
    "SELECT benchmark, model, score FROM score ORDER BY 1, 2",
    "SELECT pair_id, turn, use, choice, why FROM lesson ORDER BY 1, 2, 3",
)
KEY = Pair("q1", "ant", "bee").key


@pytest.fixture
def hosts(tmp_path: Path) -> tuple[Path, Path]:
    """A study with disputes and two leads, copied to a second host before anybody ruled."""
    here = make_study(tmp_path / "here.db", questions=3)
    with Store(here, clock=FakeClock()) as store:
        store.ingest.take(
            located(
                Vote(f"{question}{who}", Pair(question, "ant", "bee"), 1, who, choice)
                for question in ("q1", "q2", "q3")
                for who, choice in (("ann", Choice.MODEL_1), ("bob", Choice.TIE))
            )
        )
        for name in ("lea", "max"):
            store.people.add(Annotator(name, Role.LEAD), [])
    return here, copy_of(here, tmp_path / "there.db")


def rule(path: Path, lead: str, choice: str, question: str = "q1", *, final: bool = False) -> str:
    """A lead rules on one host; ``choice`` in model space."""
    key = f"{Pair(question, 'ant', 'bee').key}/1"
    with Store(path, clock=FakeClock()) as store:
        queue = RulingQueue(store, lead)
        left = queue.take(key).left
        models = {"ant": "model_1", "bee": "model_2"}
        stands = models[left[0].split()[0]]
        seen = {stands: RulingSeen.LEFT, "tie": RulingSeen.TIE}.get(choice, RulingSeen.RIGHT)
        queue.rule(key, seen, "because", id=f"{path.stem}-{lead}-{question}", final=final)
    return key


def merged(into: Path, other: Path, **options: bool) -> Merged:
    with Store(into, clock=FakeClock()) as store:
        done = merge(store, other, **options)
        assert store.verify() == []
    return done


def beside(path: Path) -> list[Any]:
    return [rows(path, query) for query in BESIDE]


@pytest.mark.parametrize("there_says", ["tie", "model_1"])
def test_one_lead_who_ruled_on_one_case_on_both_hosts_is_a_conflict(
    hosts: tuple[Path, Path], there_says: str
) -> None:
    here, there = hosts
    rule(here, "lea", "model_1")
    rule(there, "lea", there_says)
    rule(there, "max", "tie", "q2")
    before = events(here, "ruling")
    done = merged(here, there)
    assert not done.is_done
    assert done.conflicts == [
        f"'lea' ruled on one pair on both hosts (pair {KEY[:12]}…, turn 1): "
        f"model_1 here, {there_says} there"
    ]
    assert events(here, "ruling") == before
    for _ in range(2):
        done = merged(here, there, leave_out_conflicts=True)
        assert done.left_out == {"rulings": 1}
        assert events(here, "ruling").keys() == {"here-lea-q1", "there-max-q2"}


def test_what_was_taken_back_on_one_host_contradicts_nothing(hosts: tuple[Path, Path]) -> None:
    here, there = hosts
    rule(here, "lea", "model_1")
    with Store(here) as store:
        RulingQueue(store, "lea").undo(id="u1")
    rule(there, "lea", "tie")
    assert merged(here, there).is_done
    rule(there, "max", "tie", "q2")
    assert not merged(here, there).conflicts
    merged(there, here)
    assert events(here, "ruling") == events(there, "ruling")


def test_two_leads_who_disagree_are_named_and_both_rulings_kept(hosts: tuple[Path, Path]) -> None:
    here, there = hosts
    for question in ("q1", "q2"):
        rule(here, "lea", "model_1", question)
        rule(there, "max", "tie" if question == "q1" else "model_1", question)
    done = merged(here, there)
    assert done.is_done
    assert done.notes == [
        f"leads disagree (pair {KEY[:12]}…, turn 1): lea, max; it is unresolved until one of them "
        "rules as final"
    ]
    assert len(events(here, "ruling")) == 4
    again = merged(here, there)
    assert not any(again.new.values())
    assert not again.notes
    assert not again.conflicts


def test_two_final_rulings_that_differ_are_a_conflict(hosts: tuple[Path, Path]) -> None:
    here, there = hosts
    rule(here, "lea", "model_1", final=True)
    rule(there, "max", "tie", final=True)
    rule(here, "lea", "model_1", "q2", final=True)
    rule(there, "max", "model_1", "q2", final=True)
    for one, other, said in (
        (here, there, "'lea' model_1 here, 'max' tie there"),
        (there, here, "'max' tie here, 'lea' model_1 there"),
    ):
        done = merged(one, other, dry_run=True)
        assert done.conflicts == [
            f"two leads ruled as final on one pair (pair {KEY[:12]}…, turn 1): {said}"
        ]
    merged(here, there, leave_out_conflicts=True)
    assert events(here, "ruling").keys() == {"here-lea-q1", "here-lea-q2", "there-max-q2"}


def test_what_stands_beside_the_logs_is_merged_once(hosts: tuple[Path, Path]) -> None:
    here, there = hosts
    lessons = {here: LessonUse.PRACTICE, there: LessonUse.QUALIFICATION}
    for path, lead, question in ((here, "lea", "q1"), (there, "max", "q2")):
        key = rule(path, lead, "model_1", question)
        with Store(path, clock=FakeClock()) as store:
            queue = RulingQueue(store, lead)
            queue.unmask(key)
            queue.ask_second(key, f"{lead} is not sure", id=f"s-{lead}")
            store.lessons.add(
                Lesson(Pair(question, "ant", "bee"), 1, Choice.MODEL_1, "so", lessons[path])
            )
            store.ingest.take(located([Score(f"exam {question}", "ant", 1.0)]))
    copies = copy_of(here, here.with_name("one.db")), copy_of(there, there.with_name("other.db"))
    done = merged(here, there)
    for kind in ("rulings", "unmaskings", "second opinions asked", "scores", "lessons"):
        assert done.new[kind] == 1, kind
    merged(copies[1], copies[0])
    assert beside(here) == beside(copies[1])
    before = beside(here)
    again = merged(here, there)
    assert not any(again.new.values())
    assert again.unchanged["unmaskings"] == again.unchanged["second opinions asked"] == 1
    assert beside(here) == before


def test_a_second_opinion_that_was_taken_back_is_wanted_again(hosts: tuple[Path, Path]) -> None:
    here, there = hosts
    key = rule(here, "lea", "model_1")
    with Store(here) as store:
        RulingQueue(store, "lea").ask_second(key, "sure?", id="s1")
    merged(there, here)
    rule(there, "max", "tie")
    merged(here, there)
    answered = "SELECT answered_by FROM second_opinion"
    assert rows(here, answered) == [("there-max-q1",)]
    with Store(there) as store:
        RulingQueue(store, "max").undo(id="u1")
    merged(here, there)
    assert rows(here, answered) == rows(there, answered) == [(None,)]


def test_scores_lessons_and_wishes_that_say_otherwise_are_listed(hosts: tuple[Path, Path]) -> None:
    here, there = hosts
    for path, score, choice in ((here, 1.0, Choice.TIE), (there, 2.0, Choice.MODEL_1)):
        key = rule(path, "lea", "model_1", "q2" if path == here else "q1")
        with Store(path) as store:
            store.ingest.take(located([Score("exam", "ant", score)]))
            store.lessons.add(Lesson(Pair("q3", "ant", "bee"), 1, choice))
            RulingQueue(store, "lea").ask_second(key, "sure?", id="s1")
    done = merged(here, there)
    assert not done.is_done
    assert len(done.conflicts) == 3
    for word in ("exam", "practice pair", "'s1'"):
        assert any(word in line for line in done.conflicts), word
