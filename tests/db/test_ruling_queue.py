"""A lead's queue: blind opinions, one lead at a time, rulings that are kept, changed, undone."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from core.adjudication.case import Case, Filter, Order, Reason, RulingSeen, State
from core.blinding import case_name
from core.errors import Conflict, NotAdmitted, TiebreakError
from core.records import (
    Annotator,
    Choice,
    Judge,
    LessonUse,
    Pair,
    Role,
    RulingChoice,
    RulingStage,
    Seen,
    Verdict,
    VerdictStatus,
    Vote,
)
from db.merging import merge
from db.ruling_queue import RulingQueue
from db.ruling_reports import made_by, themes
from db.store import Store
from tests.adjudicating import disputed_study, disputes
from tests.core.stats_oracle import find, result_of
from tests.db.workers import at_once
from tests.studies import FILES, FakeClock, located, make_study, rows, serve, vote

MODELS = ("antfarm-7b", "beeline-2")
LEFT, RIGHT, TIE = RulingSeen.LEFT, RulingSeen.RIGHT, RulingSeen.TIE


def votes_on(question: str, *choices: Choice, note: str = "") -> list[Vote]:
    pair = Pair(question, *MODELS)
    return [
        Vote(f"{question}-{n}", pair, 1, f"person{n}", choice, left=1 + n % 2, note=note)
        for n, choice in enumerate(choices)
    ]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def study(tmp_path: Path, clock: FakeClock) -> Path:
    """Six questions: the first four are split, a judge differs on the fifth, nobody on the last."""
    path = make_study(
        tmp_path / "study.db", questions=6, models=MODELS, overlap=2, clock=clock,
        ruling_sample_agreements=0, ruling_sample_conflicts=0,
    )  # fmt: skip
    one, two = Choice.MODEL_1, Choice.MODEL_2
    records: list[object] = [Judge("strict-judge", "prompted", "acme/Antfarm-70b", prompt="pair")]
    for number in range(1, 5):
        records += votes_on(f"q{number}", one, two, note="I am person0; ANTFARM 7b wrote it")
    records += [*votes_on("q5", one, one), *votes_on("q6", one, one)]
    for left in (1, 2):
        records.append(
            Verdict(
                f"w{left}", Pair("q5", *MODELS), 1, "strict-judge", VerdictStatus.OK, two, left,
                reasoning=f"As strict-judge, order {left}: BeeLine is better", served_model="x",
            )
        )  # fmt: skip
    with Store(path, clock=clock) as store:
        store.ingest.take(located(records), FILES)  # type: ignore[arg-type]  # they are records
        for name in ("lea", "max"):
            store.people.add(Annotator(name, Role.LEAD), [])
    return path


@pytest.fixture
def store(study: Path, clock: FakeClock) -> Iterator[Store]:
    with Store(study, clock=clock) as opened:
        yield opened
        assert opened.verify() == []


@pytest.fixture
def lea(store: Store) -> RulingQueue:
    return RulingQueue(store, "lea", "ssh:key")


@pytest.fixture
def max_(study: Path, clock: FakeClock) -> Iterator[RulingQueue]:
    with Store(study, clock=clock) as other:
        yield RulingQueue(other, "max")


def opened(queue: RulingQueue) -> Case:
    case = queue.next()
    assert case is not None
    return case


def standing(study: Path) -> list[tuple[object, ...]]:
    return rows(
        study,
        "SELECT id, stage, choice FROM ruling v WHERE choice IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM ruling w WHERE w.supersedes = v.id) ORDER BY seq",
    )


def case_of(queue: RulingQueue, question: str) -> str:
    states = Filter(states=frozenset(State))
    return next(row.key for row in queue.cases(states) if row.question == question)


# ── what is in it and what is shown ─────────────────────────────────────────


def test_only_leads_have_a_queue(store: Store) -> None:
    for name in ("person0", "nobody"):
        with pytest.raises(NotAdmitted, match="no lead"):
            RulingQueue(store, name)
    store.people.pause("lea")
    with pytest.raises(NotAdmitted, match="paused"):
        RulingQueue(store, "lea")


def test_the_queue_holds_what_is_disputed_and_says_why(lea: RulingQueue) -> None:
    listed = lea.cases()
    assert {row.question: row.reasons for row in listed} == {
        "q5": (Reason.HUMAN_JUDGE,), **{f"q{n}": (Reason.HUMAN_SPLIT,) for n in range(1, 5)}
    }  # fmt: skip
    assert lea.counts()[Reason.HUMAN_SPLIT] == 4
    assert [row.question for row in lea.cases(order=Order.QUESTION)] == [
        f"q{n}" for n in range(1, 6)
    ]
    only = Filter(reasons=frozenset({Reason.HUMAN_JUDGE}))
    assert [row.question for row in lea.cases(only)] == ["q5"]


def test_nothing_blind_names_a_model_a_judge_or_a_person(lea: RulingQueue) -> None:
    blind = [repr(lea.cases()), repr(lea.counts())]
    for question in ("q1", "q5"):
        case = lea.take(case_of(lea, question))
        assert case.opinions
        # The answers' texts are what is ruled on, and stand as they are.
        blind.append(repr(dataclasses.replace(case, left=(), right=())))
        lea.release(case.key)
    for name in (*MODELS, "antfarm", "beeline", "strict", "acme", "person", "judge"):
        if name == "judge":
            blind = blind[1:]  # the list says why; a case does not
            blind = [each.replace("cannot_judge", "").replace("human_judge", "") for each in blind]
            blind = [each.replace("judge_judge", "").replace("judge_flip", "") for each in blind]
            blind = [each.replace("HUMAN_JUDGE", "").replace("CANNOT_JUDGE", "") for each in blind]
            blind = [each.replace("JUDGE_JUDGE", "").replace("JUDGE_FLIP", "") for each in blind]
        assert not any(name in each.lower() for each in blind), name
    assert "[name hidden]" in blind[-1]


def test_a_kind_is_told_only_where_the_study_says_so(lea: RulingQueue, store: Store) -> None:
    key = case_of(lea, "q5")
    assert {each.kind for each in lea.take(key).opinions} == {""}
    store.set({"ruling_shows_kind": True})
    case = lea.take(key)
    assert Counter(each.kind for each in case.opinions) == {"person": 2, "judge": 1}
    assert case.reasons == (Reason.HUMAN_JUDGE,)


def test_a_judges_opinion_is_of_the_order_shown(lea: RulingQueue, store: Store) -> None:
    case = lea.take(case_of(lea, "q5"))
    (judged,) = [each for each in case.opinions if each.text]
    assert not judged.is_turned
    assert judged.seen is (Seen.RIGHT if "antfarm" in case.left[0] else Seen.LEFT)
    for opinion in (each for each in case.opinions if not each.text):
        assert opinion.seen is (Seen.LEFT if "antfarm" in case.left[0] else Seen.RIGHT)


def test_a_lead_sees_their_own_earlier_vote_marked(store: Store) -> None:
    mine = Vote("mine", Pair("q1", *MODELS), 1, "lea", Choice.TIE, note="mine")
    store.ingest.take(located([mine]))
    queue = RulingQueue(store, "lea")
    opinions = queue.take(case_of(queue, "q1")).opinions
    assert [each.seen for each in opinions if each.is_own] == [Seen.TIE]
    other = RulingQueue(store, "max")
    queue.release(case_of(queue, "q1"))
    assert not any(each.is_own for each in other.take(case_of(other, "q1")).opinions)


def test_a_text_says_on_which_sides_it_was_written(store: Store, lea: RulingQueue) -> None:
    unsided = Vote("un", Pair("q2", *MODELS), 1, "zoe", Choice.TIE, note="A is odd")
    store.ingest.take(located([unsided]))
    case = lea.take(case_of(lea, "q2"))
    stands = 1 if "antfarm" in case.left[0] else 2
    told = {each.named.opinion.number: each.event for each in lea._desk.told(
        store.connection, lea.lead.place(store.connection, case.key)
    )}  # fmt: skip
    for opinion in case.opinions:
        left = {"q2-0": 1, "q2-1": 2, "un": None}[told[opinion.number]]
        assert opinion.is_unsided == (left is None)
        assert opinion.is_turned == (left == 3 - stands)


def test_the_order_of_opinions_says_nothing_of_who_gave_them(tmp_path: Path) -> None:
    first: Counter[str] = Counter()
    path = make_study(tmp_path / "many.db", questions=60, models=MODELS)
    records = [v for n in range(1, 61) for v in votes_on(f"q{n}", Choice.MODEL_1, Choice.MODEL_2)]
    with Store(path) as store:
        store.ingest.take(located(records))
        store.people.add(Annotator("lea", Role.LEAD), [])
        queue = RulingQueue(store, "lea")
        for row in queue.cases():
            queue.take(row.key)
            queue.rule(row.key, TIE, "so", id=row.key)
            first[queue.unmask(row.key).opinions[0].name] += 1
    assert 15 < first["person0"] < 45


# ── ruling ──────────────────────────────────────────────────────────────────


def test_a_ruling_is_stored_as_meant_with_all_that_was_before_the_lead(
    lea: RulingQueue, study: Path
) -> None:
    case = opened(lea)
    assert lea.rule(case.key, LEFT, "  it adds up ", id="r1") is None
    assert lea.rule(case.key, RIGHT, "again", id="r1") is None
    ((choice, left, reason, why, probability, identity, shown),) = rows(
        study,
        "SELECT choice, left, reason, queue_reason, queue_probability, identity, shown FROM ruling",
    )
    is_first = "antfarm" in case.left[0]
    assert choice == ("model_1" if is_first else "model_2")
    assert left == (1 if is_first else 2)
    assert (why, probability, identity) == ("human_split", None, "ssh:key")
    assert reason.strip() == "it adds up"
    assert len(json.loads(shown)["opinions"]) == len(case.opinions)
    assert case.key not in [row.key for row in lea.cases()]
    assert lea.look(case.key).left == case.left


def test_a_ruling_needs_a_reason(lea: RulingQueue) -> None:
    with pytest.raises(Conflict, match="no reason"):
        lea.rule(opened(lea).key, LEFT, " \n", id="r1")


def test_unmasking_comes_after_the_ruling_and_ends_the_blindness(
    lea: RulingQueue, study: Path
) -> None:
    case = opened(lea)
    with pytest.raises(Conflict, match="not ruled"):
        lea.unmask(case.key)
    lea.rule(case.key, LEFT, "first", id="r1")
    lea.rule(case.key, RIGHT, "better", id="r2")  # still blind: it takes the first one's place
    with pytest.raises(Conflict, match="not seen"):
        lea.revise(case.key, TIE, "no", id="r3")
    told = lea.unmask(case.key)
    assert {told.left, told.right} == set(MODELS)
    assert (told.left == MODELS[0]) == ("antfarm" in case.left[0])
    assert {each.name for each in told.opinions} == {"person0", "person1"}
    assert "person0" in told.opinions[0].opinion.text
    with pytest.raises(Conflict, match="no longer blind"):
        lea.rule(case.key, TIE, "sly", id="r4")
    lea.revise(case.key, TIE, "after all", id="r5")
    told = lea.unmask(case.key)
    assert (told.blind, told.stands) == (RIGHT, TIE)
    assert standing(study) == [("r5", "unmasked", "tie")]


def test_undo_walks_back_and_leaves_everything_in_the_log(lea: RulingQueue, study: Path) -> None:
    (first,) = [opened(lea)]
    lea.rule(first.key, LEFT, "one", id="r1")
    second = opened(lea)
    lea.rule(second.key, RIGHT, "two", id="r2")
    lea.unmask(first.key)
    lea.revise(first.key, TIE, "three", id="r3")
    assert lea.undo(id="u1") == first.key
    assert lea.undo(id="u1") == first.key  # offered again
    assert [row[1] for row in standing(study)] == ["blind", "blind"]
    assert lea.unmask(first.key).stands is LEFT
    assert lea.undo(id="u2") == second.key
    again = opened(lea)
    assert (again.key, again.draft) == (second.key, ("right", "two"))
    assert lea.undo(id="u3") == first.key
    assert lea.undo(id="u4") is None
    assert standing(study) == []
    assert len(rows(study, "SELECT 1 FROM ruling")) == 7
    lea.take(first.key)
    lea.rule(first.key, LEFT, "seen by now", id="r9")
    assert standing(study) == [("r9", "unmasked", rows(study, "SELECT choice FROM ruling WHERE "
                                                      "id = 'r1'")[0][0])]  # fmt: skip


def test_what_is_typed_survives(lea: RulingQueue, study: Path, clock: FakeClock) -> None:
    case = opened(lea)
    lea.keep_draft(case.key, RIGHT, "half a thou")
    with Store(study, clock=clock) as other:
        assert opened(RulingQueue(other, "lea")).draft == ("right", "half a thou")


# ── more votes, second opinions, families, lessons ──────────────────────────


def test_more_votes_are_really_asked_for(lea: RulingQueue, store: Store, study: Path) -> None:
    cleo, dora = (store.annotator(name) for name in ("cleo", "dora"))
    for who in (cleo, dora):
        while (served := store.serving.serve(who)) is not None:
            vote(store, who, served, Seen.TIE)
    late = store.annotator("late")
    assert store.serving.serve(late) is None
    key = case_of(lea, "q1")
    lea.take(key)
    asked = lea.rule(key, RulingSeen.MORE_VOTES, "two is too few", id="m1")
    assert asked is not None
    assert (asked.wanted, asked.people) == (2, 3)  # late, and the two imported persons
    with pytest.raises(Conflict, match="more votes"):
        lea.unmask(key)
    assert [r.state for r in lea.cases(Filter(states=frozenset({State.MORE_VOTES})))] == [
        State.MORE_VOTES
    ]
    served = serve(store, late)
    assert served.question == ("q1, turn 1?",)
    vote(store, late, served, Seen.TIE)
    assert key not in [row.key for row in lea.cases()]
    later = store.annotator("later")
    vote(store, later, serve(store, later), Seen.TIE)
    assert key in [row.key for row in lea.cases()]
    lea.take(key)
    lea.rule(key, TIE, "clear by now", id="r2")
    assert [row[0] for row in standing(study)] == ["r2"]


def test_undoing_takes_the_wish_for_more_votes_back(lea: RulingQueue, study: Path) -> None:
    before = rows(study, "SELECT pair_id, overlap, extra FROM queue")
    lea.rule(opened(lea).key, RulingSeen.MORE_VOTES, "few", id="m1")
    assert rows(study, "SELECT pair_id, overlap, extra FROM queue") != before
    lea.undo(id="u1")
    assert rows(study, "SELECT pair_id, overlap, extra FROM queue") == before


def test_more_votes_reach_groups_that_have_given_theirs(tmp_path: Path) -> None:
    path = make_study(
        tmp_path / "s.db", questions=1, models=MODELS, overlap=1, overlap_by_group={"expert": 1}
    )
    with Store(path) as store:
        store.people.add(Annotator("lea", Role.LEAD), [])
        one, two = (store.annotator(name, group="expert") for name in ("one", "two"))
        crowd = store.annotator("crowd", group="crowd")
        vote(store, one, serve(store, one), Seen.LEFT, flag="odd")
        assert store.serving.serve(two) is None
        queue = RulingQueue(store, "lea")
        queue.rule(opened(queue).key, RulingSeen.MORE_VOTES, "one is too few", id="m1")
        assert store.serving.serve(crowd) is None
        assert serve(store, two)


def test_a_second_opinion_is_given_by_another_lead_blind(
    lea: RulingQueue, max_: RulingQueue, study: Path
) -> None:
    key = case_of(lea, "q1")
    lea.take(key)
    lea.rule(key, LEFT, "mine", id="r1")
    with pytest.raises(Conflict, match="another lead has ruled"):
        max_.take(key)
    lea.ask_second(key, "person0 is of the trade", id="s1")
    lea.ask_second(key, "person0 is of the trade", id="s1")
    assert key not in [row.key for row in lea.cases()]
    assert max_.counts()[Reason.SECOND_OPINION] == 1
    case = max_.take(key)
    assert case.asked == "[name hidden] is of the trade"
    max_.rule(key, RulingSeen.NOT_DECIDABLE, "no", id="r2", final=True)
    assert [row[0] for row in standing(study)] == ["r1", "r2"]
    assert max_.counts()[Reason.SECOND_OPINION] == 0
    assert rows(study, "SELECT queue_reason, final FROM ruling WHERE id = 'r2'") == [
        ("second_opinion", 1)
    ]
    max_.undo(id="u1")
    assert max_.counts()[Reason.SECOND_OPINION] == 1


def test_nobody_is_asked_where_nobody_could_answer(lea: RulingQueue, store: Store) -> None:
    store.people.retire("max")
    with pytest.raises(Conflict, match="no other lead"):
        lea.ask_second(case_of(lea, "q1"), "hm", id="s1")


@pytest.mark.parametrize("families", ["antfarm", "other, ANTFARM", "beeline-2"])
def test_a_lead_gets_nothing_of_their_own_family(store: Store, families: str) -> None:
    store.people.add(Annotator("ida", Role.LEAD, attributes={"families": families}), [])
    queue = RulingQueue(store, "ida")
    assert queue.next() is None
    assert queue.cases() == []
    refused = queue.cases(Filter(states=frozenset({State.REFUSED})))
    assert {row.state for row in refused} == {State.REFUSED}
    with pytest.raises(Conflict, match="model family that you have an interest in") as told:
        queue.take(refused[0].key)
    assert not any(name in str(told.value).lower() for name in ("antfarm", "beeline"))
    store.set({"own_family": "allow"})
    assert RulingQueue(store, "ida").next() is not None


def test_a_ruling_becomes_a_lesson_with_its_reason(lea: RulingQueue, store: Store) -> None:
    case = opened(lea)
    with pytest.raises(Conflict, match="not ruled"):
        lea.teach(case.key, LessonUse.PRACTICE)
    lea.rule(case.key, TIE, "Both add up.", id="r1")
    assert lea.teach(case.key, LessonUse.QUALIFICATION)
    assert not lea.teach(case.key, LessonUse.QUALIFICATION)
    (kept,) = store.lessons.all()
    assert (kept.lesson.choice, kept.lesson.why) == (Choice.TIE, "Both add up.")
    other = opened(lea)
    lea.rule(other.key, LEFT, "antfarm-7b is right", id="r2")
    with pytest.raises(TiebreakError, match="names the model"):
        lea.teach(other.key, LessonUse.PRACTICE)
    with store.write() as connection:
        connection.execute("INSERT INTO model (name) VALUES ('cicada-13b')")
    with pytest.raises(TiebreakError, match="names the model 'cicada-13b'"):
        lea.teach(other.key, LessonUse.PRACTICE, "(CICADA-13b) would do better")
    assert lea.teach(other.key, LessonUse.PRACTICE, "The left one is.")


def test_reports_name_models_only_after_unmasking(lea: RulingQueue, store: Store) -> None:
    case = opened(lea)
    lea.rule(case.key, LEFT, "so", id="r1")
    with store.read() as connection:
        (made,) = made_by(connection, lea.lead)
    assert (made.models, made.choice, made.disagree) == (None, LEFT, None)
    lea.unmask(case.key)
    with store.read() as connection:
        (made,) = made_by(connection, lea.lead)
        (theme,) = themes(connection)
    assert made.models is not None
    assert set(made.models) == set(MODELS)
    assert (theme.name, theme.votes, theme.disputed) == ("human_split", 1, 0)


# ── several leads, other hosts ──────────────────────────────────────────────


def test_two_leads_never_have_one_case(lea: RulingQueue, max_: RulingQueue) -> None:
    first, second = opened(lea), opened(max_)
    assert first.key != second.key
    with pytest.raises(Conflict, match="another lead has this case open"):
        max_.take(first.key)
    with pytest.raises(Conflict, match="another lead"):
        max_.rule(first.key, LEFT, "typed at length", id="x")
    assert opened(lea).key == first.key  # what was left open comes back
    lea.release(first.key)
    assert max_.take(first.key).draft == ("left", "typed at length")


def test_a_lease_lapses_and_its_late_ruling_is_not_lost(
    lea: RulingQueue, max_: RulingQueue, clock: FakeClock
) -> None:
    case = opened(lea)
    clock.forward(minutes=20)
    assert lea.renew(case.key)
    clock.forward(minutes=20)
    assert case.key not in [row.key for row in max_.cases()]
    clock.forward(minutes=11)
    assert max_.take(case.key).key == case.key
    assert not lea.renew(case.key)
    with pytest.raises(Conflict, match="open"):
        lea.rule(case.key, LEFT, "too late", id="r1")
    max_.release(case.key)
    assert lea.take(case.key).draft == ("left", "too late")
    lea.rule(case.key, LEFT, "too late", id="r1")


def rule_all(number: int, barrier: Barrier, study: Path) -> list[str]:
    ruled = []
    with Store(study) as store:
        queue = RulingQueue(store, f"lead{number}")
        barrier.wait()
        while (case := queue.next()) is not None:
            queue.rule(case.key, LEFT, "raced", id=f"{number}-{len(ruled)}")
            ruled.append(case.key)
    return ruled


def contested(path: Path, leads: int) -> Path:
    make_study(path, questions=40, models=MODELS)
    records = [v for n in range(1, 41) for v in votes_on(f"q{n}", Choice.MODEL_1, Choice.MODEL_2)]
    with Store(path) as store:
        store.ingest.take(located(records))
        for number in range(leads):
            store.people.add(Annotator(f"lead{number}", Role.LEAD), [])
    return path


def test_racing_leads_rule_on_each_case_once(tmp_path: Path) -> None:
    study = contested(tmp_path / "race.db", 4)
    ruled = at_once(4, rule_all, study)
    assert all(isinstance(one, list) for one in ruled), "\n".join(map(str, ruled))
    assert max(Counter(key for one in ruled for key in one).values()) == 1
    assert sum(map(len, ruled)) == 40 == len(standing(study))
    with Store(study) as store:
        assert store.verify() == []


_LEAD = """
import sys, time
from db.ruling_queue import RulingQueue
from core.adjudication.case import RulingSeen
from db.store import Store
with Store(sys.argv[1]) as store:
    queue = RulingQueue(store, "lead0")
    number = 0
    while (case := queue.next()) is not None:
        print("open", case.key, flush=True)
        queue.rule(case.key, RulingSeen.LEFT, "typed", id=f"k{number}")
        print("ruled", case.key, flush=True)
        number += 1
        if number == 9:
            time.sleep(600)  # whoever is to kill it may be late, and is to find it at work
"""


def test_a_killed_lead_loses_nothing_that_was_said_to_be_ruled(tmp_path: Path) -> None:
    study = contested(tmp_path / "kill.db", 2)
    lead = subprocess.Popen(
        [sys.executable, "-c", _LEAD, str(study)], stdout=subprocess.PIPE, text=True
    )
    assert lead.stdout is not None
    said = [lead.stdout.readline().split() for _ in range(9)]
    os.kill(lead.pid, signal.SIGKILL)
    said += [line.split() for line in lead.stdout]
    lead.wait()
    lead.stdout.close()
    opened_, ruled = ([key for what, key in said if what == each] for each in ("open", "ruled"))
    with Store(study) as store:
        assert store.verify() == []
        kept = {f"{case_name(store.seed, pair)}/{turn}" for pair, turn in rows(
            study, "SELECT p.key, v.turn FROM ruling v JOIN pair p ON p.id = v.pair_id"
        )}  # fmt: skip
        assert set(ruled) <= kept <= set(opened_)
        other = RulingQueue(store, "lead1").next()
        assert other is not None
        assert other.key not in opened_
        mine = RulingQueue(store, "lead0").next()
        assert mine is not None
        assert mine.key not in kept


def test_rulings_travel_between_hosts(
    lea: RulingQueue, store: Store, study: Path, tmp_path: Path, clock: FakeClock
) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as copy:
        store.connection.backup(copy)
    copy.close()
    with Store(other, clock=clock) as theirs:
        queue = RulingQueue(theirs, "max")
        keys = [row.key for row in queue.cases(order=Order.QUESTION)]
        queue.take(keys[0])
        queue.rule(keys[0], LEFT, "there", id="t1", final=True)
        queue.unmask(keys[0])
        queue.revise(keys[0], TIE, "there too", id="t2")
        queue.undo(id="t3")
        queue.ask_second(keys[0], "sure?", id="s1")
        queue.take(keys[1])
        queue.rule(keys[1], RulingSeen.MORE_VOTES, "few", id="t4")
    for _ in range(2):
        assert merge(store, other).is_done
    with Store(other) as theirs:
        assert [r for r in store.reading.records() if type(r).__name__ == "Ruling"] == [
            r for r in theirs.reading.records() if type(r).__name__ == "Ruling"
        ]
    for query in (
        "SELECT pair_id, turn, at FROM unmasking",
        "SELECT uid, why, answered_by FROM second_opinion",
        "SELECT pair_id, overlap, extra FROM queue ORDER BY pair_id",
    ):
        assert rows(study, query) == rows(other, query)
    assert lea.counts()[Reason.SECOND_OPINION] == 1


def test_what_stands_is_read_without_withdrawals(lea: RulingQueue, store: Store) -> None:
    case = opened(lea)
    lea.rule(case.key, LEFT, "one", id="r1")
    lea.undo(id="u1")
    assert not any(item.rulings for item in store.reading.items())
    assert store.reading.counts()["rulings"] == 0
    lea.rule(case.key, LEFT, "two", id="r2", final=True)
    (ruling,) = [one for item in store.reading.items() for one in item.rulings]
    assert (ruling.stage, ruling.final) == (RulingStage.BLIND, True)
    assert ruling.choice in (RulingChoice.MODEL_1, RulingChoice.MODEL_2)


def test_a_flag_that_is_taken_back_leaves_the_queue(store: Store) -> None:
    queue = RulingQueue(store, "lea")
    flagged = store.annotator("flags")
    served = serve(store, flagged)
    vote(store, flagged, served, Seen.TIE, flag="odd", id="f1")
    assert queue.counts()[Reason.FLAGGED] == 1
    store.voting.undo(flagged, "local:flags", "f2")
    assert queue.counts()[Reason.FLAGGED] == 0


def test_looking_again_costs_little_where_nothing_changed(lea: RulingQueue) -> None:
    lea.cases()
    before = lea.listed._listing
    lea.cases()
    assert lea.listed._listing is before


def test_the_statistics_read_what_was_ruled_here(lea: RulingQueue, store: Store) -> None:
    from core.stats import Tally
    from db.feed import Feed

    store.set({"ruling_sample_agreements": 1.0, "ruling_sample_conflicts": 1.0})
    keys = {row.question: row.key for row in lea.cases()}
    assert set(keys) == {f"q{n}" for n in range(1, 7)}
    for question, key in keys.items():
        first = "antfarm" in lea.take(key).left[0]
        wrong = question == "q6"
        lea.rule(key, LEFT if first != wrong else RIGHT, "so", id=f"r-{question}")
    lea.unmask(keys["q1"])
    lea.unmask(keys["q6"])
    lea.revise(keys["q6"], TIE, "on seeing it", id="r-again")
    feed = Feed(store, Tally())
    feed.catch_up()
    revised = find(result_of(feed.tally, "deference").estimates, what="revised after unmasking")
    assert (revised.k, revised.n) == (1, 2)
    everything = find(result_of(feed.tally, "gold_error").estimates, of="all items")
    assert (everything.k, everything.n) == (1, 2)  # q5 and q6 have a majority, q6 is overturned


def test_a_list_kept_up_is_a_list_made_anew(
    lea: RulingQueue, store: Store, max_: RulingQueue
) -> None:
    def same() -> None:
        for lead, queue in (("lea", lea), ("max", max_)):
            every = Filter(states=frozenset(State))
            fresh = RulingQueue(store, lead)
            assert queue.cases(every) == fresh.cases(every)
            assert queue.counts() == fresh.counts()

    same()
    first = opened(lea)
    same()
    lea.rule(first.key, LEFT, "so", id="r1")
    same()
    lea.ask_second(first.key, "sure?", id="s1")
    same()
    voter = store.annotator("voter")
    vote(store, voter, serve(store, voter), Seen.BOTH_BAD, flag="odd", id="v1")
    same()
    max_.take(first.key)
    max_.rule(first.key, RIGHT, "no", id="r2")
    same()
    store.voting.undo(voter, "local:voter", "v2")
    lea.undo(id="u1")
    store.set({"ruling_sample_agreements": 1.0})
    same()


def contested_and_drawn(path: Path, clock: FakeClock) -> Path:
    """Sixty questions with a split each, three in ten of them of the random sample."""
    make_study(
        path, questions=60, models=MODELS, overlap=2, clock=clock,
        ruling_sample_agreements=0, ruling_sample_conflicts=0.3,
    )  # fmt: skip
    records: list[object] = []
    for number in range(1, 61):
        records += votes_on(f"q{number}", Choice.MODEL_1, Choice.MODEL_2)
    with Store(path, clock=clock) as store:
        store.ingest.take(located(records), FILES)  # type: ignore[arg-type]  # they are records
        for name in ("lea", "max"):
            store.people.add(Annotator(name, Role.LEAD), [])
    return path


def drawn(study: Path) -> list[int]:
    """Whether each ruling that stands, in order, was of the random sample."""
    return [row[0] for row in rows(
        study, "SELECT queue_probability IS NOT NULL FROM ruling v WHERE choice IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM ruling w WHERE w.supersedes = v.id) ORDER BY seq",
    )]  # fmt: skip


def test_one_in_five_of_what_is_served_is_of_the_sample(tmp_path: Path, clock: FakeClock) -> None:
    study = contested_and_drawn(tmp_path / "study.db", clock)
    for number in range(20):
        with Store(study, clock=clock) as store:  # as a command does: nothing is kept between
            queue = RulingQueue(store, "lea")
            listed = queue.cases(limit=1)[0]
            case = opened(queue)
            assert (case.key, number % 5 == 4) == (listed.key, listed.is_blank)
            queue.rule(case.key, (LEFT, RIGHT, TIE)[number % 3], "so", id=f"r{number}")
            if number % 7 == 3:  # no case more
                queue.unmask(case.key)
                queue.revise(case.key, TIE, "seen", id=f"v{number}")
            if number % 7 == 6:  # neither is what is taken back and ruled again
                assert queue.undo(id=f"u{number}") == case.key
                assert opened(queue).key == case.key
                queue.rule(case.key, TIE, "again", id=f"a{number}")
    assert drawn(study) == [0, 0, 0, 0, 1] * 4
    assert set(rows(study, "SELECT queue_probability FROM ruling WHERE choice IS NOT NULL")) == {
        (None,), (0.3,)
    }  # fmt: skip
    with Store(study, clock=clock) as store:  # each lead has a count of their own
        assert [row.is_blank for row in RulingQueue(store, "max").cases(limit=5)] == [
            False, False, False, False, True
        ]  # fmt: skip


# ── the names of cases ──────────────────────────────────────────────────────


def test_a_case_has_a_name_that_follows_from_no_model_and_no_number(tmp_path: Path) -> None:
    models = ("antfarm-7b", "zebra-70b")
    told = []
    for study in ("one", "two"):
        with Store(tmp_path / study, create=True) as store:
            store.fix_seed(f"seed {study}")
            store.ingest.take(located(disputes(6, models=models)), FILES)
            queue = RulingQueue(store, "lea")
            case = queue.next()
            assert case is not None
            names = {row.question: row.key for row in queue.cases()}
            told.append(names)
            for question, key in names.items():
                pair, _ = Pair.of(question, *models)
                assert pair.key not in f"{key} {case}"
                assert key == f"{case_name(store.seed, pair.key)}/{key.partition('/')[2]}"
    assert not set(told[0].values()) & set(told[1].values()), "another study has other names"
    assert sorted(told[0]) == sorted(told[1])


def test_a_case_opened_by_a_key_that_its_names_make_is_not_blind(tmp_path: Path) -> None:
    models = ("antfarm-7b", "zebra-70b")
    with Store(disputed_study(tmp_path / "study.db", disputes(2, models=models))) as store:
        queue = RulingQueue(store, "lea")
        (blind, seen) = queue.cases()[:2]
        pair, _ = Pair.of(seen.question, *models)
        assert not queue.take(blind.key).is_unmasked
        case = queue.take(f"{pair.key}/{seen.turn}")
        assert case.is_unmasked
        assert case.key == seen.key
        queue.rule(seen.key, LEFT, "so", id="r1")
        queue.rule(blind.key, LEFT, "so", id="r2")
    stages = dict(rows(tmp_path / "study.db", "SELECT id, stage FROM ruling"))
    assert stages == {"r1": "unmasked", "r2": "blind"}
