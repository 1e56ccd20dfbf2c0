"""Practice and qualification in the store: apart from votes, blind, and recorded once."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.blinding import as_seen, meant
from core.errors import Conflict
from core.records import Answer, Choice, Lesson, LessonUse, Pair, Question, Seen
from db.practising import Phase, ServedLesson, Trial
from db.standing import Standing, needed_of, read_standing
from db.store import Store
from tests.studies import FakeClock, dump, located, make_study, rows, vote

PRACTICE, QUALIFICATION = LessonUse
WHY = "Only one of them answers what was asked."
IDS = count()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    path = make_study(tmp_path / "study.db", questions=6, turns=2, overlap=9)
    with Store(path, clock=FakeClock()) as opened:
        yield opened


def lesson(question: int, turn: int = 1, use: LessonUse = PRACTICE) -> Lesson:
    return Lesson(Pair(f"q{question}", "ant", "bee"), turn, Choice.MODEL_2, WHY, use)


def add(store: Store, use: LessonUse, *questions: int) -> None:
    for question in questions:
        store.lessons.add(lesson(question, use=use))


def served(store: Store, who: int, use: LessonUse, round_: int = 1) -> ServedLesson:
    found = store.practising.serve(who, use, round_)
    assert found is not None
    return found


def right_of(one: ServedLesson) -> Seen:
    """What the leads say, worked out from the texts alone: the bee is always right."""
    return Seen.LEFT if one.served.left[0].startswith("bee") else Seen.RIGHT


def say(store: Store, who: int, one: ServedLesson, seen: Seen | None, id: str = "") -> Trial:
    trial = Trial(id or f"t{next(IDS)}", one.served.assignment, one.round, seen, 1.5)
    store.practising.record(who, "local:ann", trial)
    return trial


def go_through(store: Store, who: int, use: LessonUse, round_: int = 1, wrong: int = 0) -> int:
    """Answer a whole round, the first ``wrong`` of it wrongly; how many there were."""
    for number in count():
        one = store.practising.serve(who, use, round_)
        if one is None:
            return number
        right = right_of(one)
        say(store, who, one, Seen.TIE if number < wrong else right)
    raise AssertionError("unreachable")


# ── what is served ──────────────────────────────────────────────────────────


def test_a_served_lesson_tells_neither_what_is_right_nor_who_wrote(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db", create=True) as store:
        for number in range(6):
            texts = {"ant": (f"first words {number}",), "bee": (f"other words {number}",)}
            question = Question(f"q{number}", (f"{number}?",))
            answers = [Answer(f"q{number}", model, text) for model, text in texts.items()]
            store.ingest.take(located([question, *answers]))
        add(store, PRACTICE, 0, 1, 2)
        add(store, QUALIFICATION, 3, 4, 5)
        for use in LessonUse:
            one = served(store, store.annotator("paul"), use)
            told = json.dumps(asdict(one)).lower()
            assert "first words" in told
            for secret in ("ant", "bee", "model", "choice", "why", WHY.lower()):
                assert secret not in told, secret


def test_both_sides_occur_and_each_is_turned_in_the_next_round(store: Store) -> None:
    add(store, PRACTICE, 1, 2, 3, 4, 5, 6)
    sides: Counter[Seen] = Counter()
    for name in range(20):
        who = store.annotator(f"ann{name}")
        by_round = []
        for round_ in (1, 2):
            seen = {}
            while (one := store.practising.serve(who, PRACTICE, round_)) is not None:
                seen[one.served.assignment] = right_of(one)
                say(store, who, one, Seen.TIE)
            by_round.append(seen)
        assert by_round[0].keys() == by_round[1].keys()
        assert all(by_round[0][key] is not by_round[1][key] for key in by_round[0])
        sides.update(by_round[0].values())
    # 120 coins: outside of this one time in a hundred thousand, and always the same by the seed.
    assert 36 <= sides[Seen.LEFT] <= 84


def test_the_side_here_says_nothing_of_the_side_in_voting(store: Store) -> None:
    add(store, PRACTICE, 1)
    equal = Counter(
        right_of(served(store, who, PRACTICE)) is voting_side(store, who)
        for who in (store.annotator(f"ann{n}") for n in range(60))
    )
    assert 12 <= equal[True] <= 48


def voting_side(store: Store, who: int) -> Seen:
    from core.blinding import left_side

    ((name,),) = rows(store.path, "SELECT name FROM annotator WHERE id = ?", who)
    return as_seen(Choice.MODEL_2, left_side(store.seed, Pair("q1", "ant", "bee").key, name))


def test_turns_of_a_pair_follow_each_other_and_a_skip_takes_them_all(store: Store) -> None:
    for turn in (2, 1):
        for question in (1, 2, 3):
            store.lessons.add(lesson(question, turn))
    ann = store.annotator("ann")
    first = served(store, ann, PRACTICE)
    assert (first.turn, first.served.turns, first.number, first.of) == (1, (1, 2), 1, 6)
    say(store, ann, first, Seen.TIE)
    second = served(store, ann, PRACTICE)
    assert (second.turn, second.number) == (2, 2)
    assert (second.served.question, second.served.left) == (
        first.served.question,
        first.served.left,
    )
    assert second.served.voted == {1: Seen.TIE}
    say(store, ann, second, Seen.TIE)
    third = served(store, ann, PRACTICE)
    say(store, ann, third, None)
    fifth = served(store, ann, PRACTICE)
    assert (fifth.turn, fifth.number) == (1, 5)
    assert fifth.served.question != third.served.question


def test_pairs_served_to_vote_on_are_no_lessons_and_lessons_are_not_served(store: Store) -> None:
    ann = store.annotator("ann")
    mine = store.serving.serve(ann)
    assert mine is not None
    question = int(mine.question[0][1])
    add(store, PRACTICE, 1, 2, 3, 4, 5, 6)
    assert served(store, ann, PRACTICE).of == 5
    one = served(store, ann, PRACTICE)
    say(store, ann, one, None)  # a skipped one was met as well
    assert store.serving.progress(ann).left == 5
    questions = {mine.question[0]}
    while (following := store.serving.serve(ann)) is not None:
        questions.add(following.question[0])
        for turn in following.turns:
            vote(store, ann, following, Seen.TIE, turn=turn, id=f"v{following.assignment}.{turn}")
    assert len(questions) == 5
    assert one.served.question[0] not in questions
    assert f"q{question}, turn 1?" in questions
    assert store.serving.progress(ann).left == 0


def test_a_pair_met_in_two_windows_at_once_is_counted_once(store: Store) -> None:
    ann = store.annotator("ann")
    add(store, PRACTICE, 1, 2, 3, 4, 5, 6)
    in_one_window = served(store, ann, PRACTICE)
    while (pair := store.serving.serve(ann)) is not None:  # in another, every pair
        store.voting.skip(ann, pair.assignment)
    say(store, ann, in_one_window, Seen.TIE)
    assert store.serving.progress(ann).left == 0
    assert store.serving.serve(ann) is None


def test_a_lesson_without_texts_is_served_to_nobody(store: Store) -> None:
    add(store, PRACTICE, 1)
    store.connection.execute("UPDATE lesson SET turn = 5")
    ann = store.annotator("ann")
    assert store.practising.serve(ann, PRACTICE, 1) is None
    assert store.practising.phase(ann) is Phase.VOTING
    assert [one.shown for one in store.lessons.all()] == [False]


# ── what is recorded ────────────────────────────────────────────────────────


@pytest.mark.parametrize("seen", Seen)
def test_feedback_comes_back_as_this_annotator_saw_it(store: Store, seen: Seen) -> None:
    add(store, PRACTICE, 1, 2, 3, 4, 5, 6)
    ann = store.annotator("ann")
    for number in range(6):
        one = served(store, ann, PRACTICE)
        trial = Trial(f"f{number}", one.served.assignment, 1, seen)
        feedback = store.practising.record(ann, "local:ann", trial)
        assert feedback is not None
        assert (feedback.seen, feedback.right, feedback.why) == (seen, right_of(one), WHY)
    for left, was_seen, choice in rows(store.path, "SELECT left, seen, choice FROM trial"):
        assert meant(Seen(was_seen), left) == choice


def test_a_trial_is_recorded_once_and_another_window_is_told(store: Store) -> None:
    add(store, PRACTICE, 1)
    ann, bob = store.annotator("ann"), store.annotator("bob")
    one = served(store, ann, PRACTICE)
    trial = say(store, ann, one, Seen.TIE, "same")
    again = store.practising.record(ann, "local:ann", trial)
    assert again is not None
    assert again.right is right_of(one)
    with pytest.raises(Conflict, match="says otherwise"):
        say(store, ann, one, Seen.LEFT, "same")
    with pytest.raises(Conflict, match="says otherwise"):
        say(store, bob, one, Seen.TIE, "same")
    with pytest.raises(Conflict, match="another window"):
        say(store, ann, one, Seen.LEFT, "other")
    assert rows(store.path, "SELECT id, seen FROM trial") == [("same", "tie")]
    store.lessons.remove(lesson(1).pair, 1, PRACTICE, with_trials=True)
    with pytest.raises(Conflict, match="taken this pair away"):
        say(store, bob, one, Seen.LEFT)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["vote", "lesson", "skip lesson", "again", "qualify"]),
        st.sampled_from(["ann", "bob"]),
        st.sampled_from(Seen),
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(acts=ACTS, practice=st.sets(st.integers(1, 4)), bar=st.sampled_from([0.0, 0.5, 1.0]))
def test_whatever_is_practised_no_vote_and_no_number_moves(
    acts: list[tuple[str, str, Seen]], practice: set[int], bar: float
) -> None:
    """Lessons and votes in any order, against a plain list of what was acknowledged."""
    with tempfile.TemporaryDirectory() as folder:
        path = make_study(Path(folder) / "s.db", questions=4, turns=1, overlap=2)
        with Store(path, clock=FakeClock()) as store:
            store.set({"qualification_pass": bar})
            add(store, PRACTICE, *practice)
            add(store, QUALIFICATION, *{1, 2, 3, 4} - practice)
            met: dict[str, set[str]] = {"ann": set(), "bob": set()}
            voted: dict[str, set[str]] = {"ann": set(), "bob": set()}
            trials = 0
            for act, name, seen in acts:
                who = store.annotator(name)
                if act == "vote":
                    pair = store.serving.serve(who)
                    if pair is None:
                        assert not store.serving.progress(who).left
                        continue
                    assert pair.question[0] not in met[name]
                    vote(store, who, pair, seen, id=f"v{next(IDS)}")
                    voted[name].add(pair.question[0])
                    continue
                before = store.heads(), store.reading.counts(), assignments(path)
                use = QUALIFICATION if act == "qualify" else PRACTICE
                standing = store.practising.standing(who)
                round_ = len(standing.attempts) + 1 if use is QUALIFICATION else 1
                if act == "again":
                    round_ = store.practising.practice_round(who)
                one = store.practising.serve(who, use, round_)
                if one is None:
                    continue
                assert one.served.question[0] not in voted[name]
                try:
                    say(store, who, one, None if act == "skip lesson" else seen)
                except Conflict:
                    assert use is QUALIFICATION
                    assert standing.is_in or len(standing.attempts) == 2
                    continue
                trials += 1
                met[name].add(one.served.question[0])
                assert (store.heads(), store.reading.counts(), assignments(path)) == before
            assert rows(path, "SELECT count(*) FROM trial") == [(trials,)]
            assert store.verify() == []


def assignments(path: Path) -> list[tuple[object, ...]]:
    return rows(path, "SELECT * FROM assignment ORDER BY id") + rows(path, "SELECT * FROM queue")


# ── who may vote ────────────────────────────────────────────────────────────


def test_a_newcomer_practises_qualifies_and_then_votes(store: Store) -> None:
    store.set({"qualification_pass": 0.5})
    add(store, PRACTICE, 1, 2)
    add(store, QUALIFICATION, 3, 4, 5)
    ann = store.annotator("ann")
    assert store.practising.is_new(ann)
    assert store.practising.phase(ann) is Phase.PRACTICE
    assert go_through(store, ann, PRACTICE, wrong=2) == 2  # practice asks for nothing to be right
    assert not store.practising.is_new(ann)
    assert store.practising.phase(ann) is Phase.QUALIFICATION
    go_through(store, ann, QUALIFICATION, wrong=1)
    assert store.practising.phase(ann) is Phase.VOTING
    (attempt,) = store.practising.standing(ann).attempts
    assert (attempt.right, attempt.of, attempt.needed, attempt.passed) == (2, 3, 2, True)
    store.set({"qualification_pass": 1.0})  # a pass stays a pass
    add(store, QUALIFICATION, 6)
    assert store.practising.phase(ann) is Phase.VOTING
    assert store.practising.phase(store.annotator("bob")) is Phase.PRACTICE


def test_no_try_left_closes_the_queue_until_a_lead_lets_them_in(store: Store) -> None:
    store.set({"qualification_pass": 1.0, "qualification_tries": 2})
    add(store, QUALIFICATION, 1, 2)
    ann = store.annotator("ann", attributes={"years": 3})
    for round_ in (1, 2):
        assert store.practising.phase(ann) is Phase.QUALIFICATION
        go_through(store, ann, QUALIFICATION, round_, wrong=1)
    assert store.practising.phase(ann) is Phase.CLOSED
    assert store.practising.serve(ann, QUALIFICATION, 3) is None
    ((any_lesson,),) = rows(store.path, "SELECT min(id) FROM lesson")
    with pytest.raises(Conflict, match="is over"):
        store.practising.record(ann, "local:ann", Trial("late", any_lesson, 3, Seen.LEFT, 1.5))
    assert store.practising.let_in(ann, "local:lea")
    assert not store.practising.let_in(ann, "local:bob")
    assert store.practising.phase(ann) is Phase.VOTING
    assert store.practising.standing(ann).let_in == {"by": "local:lea", "at": store.now()}
    ((attributes,),) = rows(store.path, "SELECT attributes FROM annotator WHERE id = ?", ann)
    assert json.loads(attributes)["years"] == 3
    assert len(json.loads(attributes)["onboarding"]["attempts"]) == 2


def test_a_qualification_pair_cannot_be_skipped(store: Store) -> None:
    store.set({"qualification_pass": 1.0})
    add(store, QUALIFICATION, 1)
    ann = store.annotator("ann")
    with pytest.raises(Conflict, match="cannot be skipped"):
        say(store, ann, served(store, ann, QUALIFICATION), None)
    assert rows(store.path, "SELECT 1 FROM trial") == []


def test_a_round_whose_open_lessons_are_taken_away_comes_to_its_end(store: Store) -> None:
    store.set({"qualification_pass": 1.0})
    add(store, QUALIFICATION, 1, 2)
    ann = store.annotator("ann")
    one = served(store, ann, QUALIFICATION)
    say(store, ann, one, right_of(one))
    other = 2 if one.served.question[0].startswith("q1") else 1
    store.lessons.remove(lesson(other).pair, 1, QUALIFICATION)
    store.practising.settle(ann)
    assert store.practising.phase(ann) is Phase.VOTING
    store.practising.settle(ann)
    assert len(store.practising.standing(ann).attempts) == 1


def test_practice_is_for_newcomers_and_can_be_switched_off(store: Store) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    pair = store.serving.serve(ann)
    assert pair is not None
    vote(store, ann, pair, Seen.TIE)
    add(store, PRACTICE, 1, 2, 3)
    assert store.practising.phase(ann) is Phase.VOTING
    assert store.practising.phase(bob) is Phase.PRACTICE
    store.set({"practice": False})
    assert store.practising.phase(bob) is Phase.VOTING


def test_a_bar_without_lessons_asks_nobody(store: Store) -> None:
    store.set({"qualification_pass": 0.9})
    assert store.practising.phase(store.annotator("ann")) is Phase.VOTING


def test_who_has_had_every_qualification_pair_to_vote_on_needs_a_lead(store: Store) -> None:
    ann = store.annotator("ann")
    while (pair := store.serving.serve(ann)) is not None:
        store.voting.skip(ann, pair.assignment)
    store.set({"qualification_pass": 0.5})
    add(store, QUALIFICATION, 1, 2)
    assert store.practising.phase(ann) is Phase.CLOSED


def test_practising_again_goes_on_where_it_was_left(store: Store) -> None:
    add(store, PRACTICE, 1, 2)
    ann = store.annotator("ann")
    assert store.practising.practice_round(ann) == 1
    go_through(store, ann, PRACTICE, 1)
    assert store.practising.practice_round(ann) == 2
    say(store, ann, served(store, ann, PRACTICE, 2), Seen.TIE)
    assert store.practising.practice_round(ann) == 2
    assert store.practising.phase(ann) is Phase.VOTING  # once is enough


@pytest.mark.parametrize(
    ("share", "of", "needed"), [(0.5, 5, 3), (0.8, 5, 4), (1.0, 3, 3), (0.1, 3, 1), (0.7, 10, 7)]
)
def test_how_many_must_be_right(share: float, of: int, needed: int) -> None:
    assert needed_of(share, of) == needed


@given(st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.lists(
    inner, max_size=3) | st.dictionaries(st.sampled_from(["attempts", "let_in", "by", "at", "round",
    "right", "of", "needed"]), inner, max_size=5)))  # fmt: skip
def test_attributes_from_a_file_let_nobody_in_by_accident(stored: object) -> None:
    standing = read_standing({"onboarding": stored})
    assert standing == Standing() or standing.let_in or standing.attempts
    assert read_standing({"onboarding": {"let_in": True, "attempts": [stored]}}).is_in is False


def test_trials_leave_every_other_table_as_it_was(store: Store) -> None:
    add(store, PRACTICE, 1, 2)
    ann = store.annotator("ann")
    before = [line for line in dump(store.path).splitlines() if '"trial"' not in line]
    go_through(store, ann, PRACTICE)
    after = [line for line in dump(store.path).splitlines() if '"trial"' not in line]
    assert [x for x in after if "sqlite_sequence" not in x] == [
        x for x in before if "sqlite_sequence" not in x
    ]
