"""Serving and voting, one case at a time; ``test_serving_machine`` mixes them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.blinding import left_side
from core.errors import Conflict, StudyUnavailable, UsageError
from core.records import Answer, Question, Role, Seen
from db.pairs import make
from db.serving import Draft, Progress, storable
from db.store import Store, local_identity
from db.voting import Cast, Undone
from tests.db.workers import at_once, vote_all
from tests.studies import FakeClock, located, make_study, rows, serve, vote


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def study(tmp_path: Path, clock: FakeClock) -> Path:
    return make_study(tmp_path / "study.db", questions=4, overlap=2, clock=clock)


@pytest.fixture
def store(study: Path, clock: FakeClock) -> Iterator[Store]:
    with Store(study, clock=clock) as opened:
        yield opened


def state(store: Store, assignment: int) -> str:
    query = "SELECT state FROM assignment WHERE id = ?"
    return str(store.connection.execute(query, (assignment,)).fetchone()[0])


def load(store: Store, assignment: int) -> int:
    query = "SELECT load FROM queue JOIN assignment USING (pair_id) WHERE id = ?"
    return int(store.connection.execute(query, (assignment,)).fetchone()[0])


# ── which pair, in which order ──────────────────────────────────────────────


def test_the_same_pair_in_the_same_order_after_coming_back(study: Path, clock: FakeClock) -> None:
    with Store(study, clock=clock) as first:
        ann = first.annotator("ann")
        served = serve(first, ann)
    for hours in (0, 5, 500):
        clock.forward(hours=hours)
        with Store(study, clock=clock) as again:
            assert again.annotator("ann") == ann
            assert serve(again, ann) == served


def test_what_is_served_names_no_model(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    with Store(path, create=True) as store:
        answers = [Answer("q", model, ("same text",)) for model in ("zebra-9b", "aardvark-70b")]
        store.ingest.take(located([Question("q", ("Why?",), "maths", ("ref",)), *answers]))
        make(store)
        served = serve(store, store.annotator("ann"))
    assert "zebra" not in repr(served)
    assert "aardvark" not in repr(served)
    assert (served.question, served.references, served.category) == (("Why?",), ("ref",), "maths")


def test_what_is_left_is_what_is_recorded_as_left(store: Store) -> None:
    ann = store.annotator("ann")
    while served := store.serving.serve(ann):
        left, model_1, model_2, key = store.connection.execute(
            "SELECT s.left, p.model_1, p.model_2, p.key FROM assignment s "
            "JOIN pair p ON p.id = s.pair_id WHERE s.id = ?",
            (served.assignment,),
        ).fetchone()
        assert served.left[0].startswith(model_1 if left == 1 else model_2)
        assert served.right[0].startswith(model_2 if left == 1 else model_1)
        assert left == left_side(store.seed, key, "ann")
        vote(store, ann, served, Seen.TIE)


@pytest.mark.parametrize(
    ("seen", "on_left"), [(Seen.LEFT, True), (Seen.RIGHT, False), (Seen.TIE, None)]
)
def test_a_vote_is_for_the_answer_that_was_seen(
    store: Store, seen: Seen, on_left: bool | None
) -> None:
    ann = store.annotator("ann")
    while served := store.serving.serve(ann):
        vote(store, ann, served, seen)
        chosen = {True: served.left[0], False: served.right[0], None: ""}[on_left]
        (cast, how) = list(store.reading.votes())[-1]
        models = {"model_1": cast.pair.model_1, "model_2": cast.pair.model_2}
        assert cast.choice is not None
        assert chosen.startswith(models.get(cast.choice, ""))
        assert (cast.choice == "tie") is (on_left is None)
        assert how.policy == "least-voted/1"


def test_the_fewest_voted_come_first_each_with_its_probability(tmp_path: Path) -> None:
    with Store(make_study(tmp_path / "s.db", questions=5, overlap=3)) as store:
        people = [store.annotator(f"n{number}") for number in range(5)]
        for turn in range(15):
            person = people[turn % 5]
            loads = store.connection.execute(
                "SELECT load, count(*) FROM queue q WHERE load < overlap AND NOT EXISTS "
                "(SELECT 1 FROM assignment a WHERE a.pair_id = q.pair_id AND a.annotator_id = ?) "
                "GROUP BY load ORDER BY load LIMIT 1",
                (person,),
            ).fetchone()
            served = store.serving.serve(person)
            if loads is None:
                assert served is None
                continue
            assert served is not None
            assert load(store, served.assignment) == loads[0] + 1
            probability = store.connection.execute(
                "SELECT probability FROM assignment WHERE id = ?", (served.assignment,)
            ).fetchone()[0]
            assert probability == pytest.approx(1 / loads[1])
            vote(store, person, served, Seen.TIE)


def test_nobody_gets_a_pair_twice_and_none_is_voted_on_more_than_wanted(store: Store) -> None:
    people = [store.annotator(name) for name in ("ann", "bob", "cat")]
    got: Counter[int] = Counter()
    while any(served := [(p, store.serving.serve(p)) for p in people]):
        if all(one is None for _, one in served):
            break
        for person, one in served:
            if one is not None:
                vote(store, person, one, Seen.TIE)
                got[person] += 1
    assert got.total() == 8
    each = rows(store.path, "SELECT pair_id, count(DISTINCT annotator_id), count(*) FROM vote "
                            "GROUP BY pair_id")  # fmt: skip
    assert [row[1:] for row in each] == [(2, 2)] * 4


# ── leases ──────────────────────────────────────────────────────────────────


def test_a_lease_that_ran_out_gives_the_pair_to_another(tmp_path: Path, clock: FakeClock) -> None:
    with Store(make_study(tmp_path / "s.db", questions=1, clock=clock), clock=clock) as store:
        ann, bob = store.annotator("ann"), store.annotator("bob")
        anns = serve(store, ann)
        assert store.serving.serve(bob) is None
        clock.forward(minutes=61)
        assert serve(store, bob).question == anns.question
        assert state(store, anns.assignment) == "expired"
        assert store.serving.serve(ann) is None


def test_one_s_own_pair_is_kept_for_one_s_return(store: Store, clock: FakeClock) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    clock.forward(days=30)
    assert serve(store, ann) == served
    assert state(store, served.assignment) == "open"
    # … and the return renews its lease.
    clock.forward(minutes=59)
    store.serving.serve(store.annotator("bob"))
    assert state(store, served.assignment) == "open"


def test_an_expired_pair_comes_back_while_it_is_still_wanted(
    store: Store, clock: FakeClock
) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    served = serve(store, ann)
    clock.forward(minutes=61)
    store.serving.serve(bob)
    assert state(store, served.assignment) == "expired"
    assert serve(store, ann).assignment == served.assignment


def test_a_vote_that_comes_late_is_kept(tmp_path: Path, clock: FakeClock) -> None:
    with Store(make_study(tmp_path / "s.db", questions=1, clock=clock), clock=clock) as store:
        ann, bob = store.annotator("ann"), store.annotator("bob")
        anns = serve(store, ann)
        clock.forward(minutes=61)
        bobs = serve(store, bob)
        vote(store, bob, bobs, Seen.LEFT)
        vote(store, ann, anns, Seen.BOTH_BAD)
        assert [v.annotator for v, _ in store.reading.votes()] == ["bob", "ann"]
        assert state(store, anns.assignment) == "done"
        assert load(store, anns.assignment) == 2


def test_a_late_vote_on_the_first_turn_holds_the_pair_for_the_second(
    tmp_path: Path, clock: FakeClock
) -> None:
    path = make_study(tmp_path / "s.db", questions=1, turns=2, clock=clock)
    with Store(path, clock=clock) as store:
        ann, bob = store.annotator("ann"), store.annotator("bob")
        anns = serve(store, ann)
        clock.forward(minutes=61)
        bobs = serve(store, bob)
        vote(store, ann, anns, Seen.LEFT, turn=1)
        clock.forward(minutes=30)
        store.serving.serve(bob)
        assert (state(store, anns.assignment), load(store, bobs.assignment)) == ("open", 2)


def test_a_prepared_pair_is_given_back_unless_something_is_on_it(store: Store) -> None:
    ann = store.annotator("ann")
    first = serve(store, ann)
    second = store.serving.serve(ann, beyond=first.assignment)
    assert second is not None
    assert second.assignment != first.assignment
    assert store.serving.serve(ann, beyond=first.assignment) == second
    store.serving.release(ann, second.assignment)
    assert (state(store, second.assignment), load(store, second.assignment)) == ("released", 0)
    assert store.serving.serve(ann, beyond=first.assignment) == second
    store.serving.keep_draft(second.assignment, 1, Draft("typed"))
    store.serving.release(ann, second.assignment)
    assert state(store, second.assignment) == "open"
    store.serving.release(store.annotator("bob"), first.assignment)
    assert state(store, first.assignment) == "open"


def test_what_is_prepared_is_never_the_pair_on_the_screen(tmp_path: Path, clock: FakeClock) -> None:
    """Not even when its lease ran out while it was read, and another came by."""
    with Store(make_study(tmp_path / "s.db", questions=1, clock=clock), clock=clock) as store:
        ann = store.annotator("ann")
        served = serve(store, ann)
        clock.forward(minutes=61)
        store.serving.serve_skipped(store.annotator("bob"))
        assert state(store, served.assignment) == "expired"
        assert store.serving.serve(ann, beyond=served.assignment) is None
        assert serve(store, ann) == served


def test_progress_counts_what_is_done_skipped_and_left(store: Store) -> None:
    ann = store.annotator("ann")
    assert store.serving.progress(ann) == Progress(0, 0, 4)
    first = serve(store, ann)
    assert store.serving.progress(ann) == Progress(0, 0, 4)
    vote(store, ann, first, Seen.TIE)
    second = serve(store, ann)
    store.voting.skip(ann, second.assignment)
    assert store.serving.progress(ann) == Progress(1, 1, 2)
    third = serve(store, ann)
    prepared = store.serving.serve(ann, beyond=third.assignment)
    assert prepared is not None
    assert store.serving.progress(ann) == Progress(1, 1, 2)
    # What was prepared and given back is still to come.
    store.serving.release(ann, prepared.assignment)
    assert store.serving.progress(ann) == Progress(1, 1, 2)


# ── votes ───────────────────────────────────────────────────────────────────


def test_one_id_is_one_vote_and_says_one_thing(store: Store) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    served = serve(store, ann)
    assert vote(store, ann, served, Seen.LEFT, id="v") is True
    assert vote(store, ann, served, Seen.LEFT, id="v") is False
    with pytest.raises(Conflict, match="says otherwise"):
        vote(store, ann, served, Seen.RIGHT, id="v")
    with pytest.raises(Conflict, match="says otherwise"):
        vote(store, bob, serve(store, bob), Seen.LEFT, id="v")
    assert store.reading.counts()["vote_log_rows"] == 1


def test_another_person_s_pair_and_a_turn_that_is_not_there_are_refused(store: Store) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    served = serve(store, ann)
    with pytest.raises(Conflict, match="not served to this annotator"):
        vote(store, bob, served, Seen.LEFT)
    with pytest.raises(Conflict, match="not served"):
        store.voting.cast(ann, "local:ann", Cast("v", 999, 1, Seen.LEFT))
    for turn in (0, 2, -1):
        with pytest.raises(Conflict, match=f"no turn {turn}"):
            vote(store, ann, served, Seen.LEFT, turn=turn)
    assert store.reading.counts()["vote_log_rows"] == 0
    store.voting.skip(bob, served.assignment)
    assert state(store, served.assignment) == "open"


def test_a_second_vote_supersedes_the_first(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    for number, seen in enumerate((Seen.LEFT, Seen.TIE, Seen.BOTH_BAD)):
        vote(store, ann, served, seen, id=f"v{number}")
    log = rows(store.path, "SELECT id, supersedes FROM vote ORDER BY seq")
    assert log == [("v0", None), ("v1", "v0"), ("v2", "v1")]
    assert [v.choice for v, _ in store.reading.votes()] == ["both_bad"]
    assert load(store, served.assignment) == 1


def test_a_pair_is_done_when_every_turn_has_its_vote(tmp_path: Path) -> None:
    with Store(make_study(tmp_path / "s.db", questions=2, turns=2)) as store:
        ann = store.annotator("ann")
        served = serve(store, ann)
        assert served.turns == (1, 2)
        vote(store, ann, served, Seen.LEFT, turn=2, id="v2")
        assert serve(store, ann).voted == {2: Seen.LEFT}
        assert serve(store, ann).next_turn == 1
        vote(store, ann, served, Seen.TIE, turn=1, id="v1")
        assert state(store, served.assignment) == "done"
        assert serve(store, ann).assignment != served.assignment


def test_one_vote_for_a_whole_conversation(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=1, turns=2, vote_per="conversation")
    with Store(path) as store:
        ann = store.annotator("ann")
        served = serve(store, ann)
        assert served.turns == (0,)
        assert len(served.left) == 2
        vote(store, ann, served, Seen.LEFT)
        assert [v.turn for v, _ in store.reading.votes()] == [0]
        assert store.serving.serve(ann) is None


def test_everything_that_is_said_with_a_vote_is_kept(store: Store, clock: FakeClock) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    store.serving.keep_draft(served.assignment, 1, Draft("half a th", "flagged"))
    assert serve(store, ann).drafts == {1: Draft("half a th", "flagged")}
    vote(
        store, ann, served, Seen.LEFT, note="half \ud83d a thought\x00", flag="\udc00!",
        confidence=80, active_seconds=4,
    )  # fmt: skip
    ((cast, _),) = store.reading.votes()
    assert (cast.note, cast.flag) == ("half \ufffd a thought\x00", "\ufffd!")
    assert (cast.confidence, cast.active_seconds) == (80, 4.0)
    assert (cast.identity, cast.annotator) == (f"local:{ann}", "ann")
    assert cast.at == "2024-03-01T09:00:00.000Z"
    assert store.serving.look_again(served.assignment).drafts == {}
    assert store.verify() == []


def test_halves_of_a_character_come_together_or_become_a_stand_in() -> None:
    assert storable("a\ud83d\ude00b") == "a😀b"
    assert storable("\ud83d") == storable("\ude00") == "\ufffd"
    assert storable("é😀\x00") == "é😀\x00"


# ── undo and skip ───────────────────────────────────────────────────────────


def test_undo_takes_back_the_last_vote_with_its_note(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    vote(store, ann, served, Seen.RIGHT, note="why", flag="flagged", id="v")
    following = serve(store, ann)
    undone = store.voting.undo(ann, "local:ann", "u")
    assert undone == Undone(served.assignment, 1, Seen.RIGHT)
    again = store.serving.look_again(served.assignment)
    assert (again.voted, again.drafts) == ({}, {1: Draft("why", "flagged")})
    assert list(store.reading.votes()) == []
    assert rows(store.path, "SELECT id, choice, supersedes FROM vote WHERE seq = 2") == [
        ("u", None, "v")
    ]
    assert store.voting.undo(ann, "local:ann", "u2") is None
    assert {state(store, one.assignment) for one in (served, following)} == {"open"}
    assert store.verify() == []


def test_one_undo_offered_twice_takes_back_one_vote(store: Store) -> None:
    ann = store.annotator("ann")
    votes = []
    for _ in range(2):
        served = serve(store, ann)
        vote(store, ann, served, Seen.LEFT)
        votes.append(served.assignment)
    first = store.voting.undo(ann, "local:ann", "u")
    assert first == store.voting.undo(ann, "local:ann", "u")
    assert first == Undone(votes[1], 1, Seen.LEFT)
    assert store.reading.counts()["votes"] == 1


@pytest.mark.parametrize("step", [0, 60, -3600], ids=["at once", "later", "clock set back"])
def test_undo_goes_back_through_votes_and_skips_in_turn(
    store: Store, clock: FakeClock, step: float
) -> None:
    """By what came last, whatever the clock did meanwhile."""
    ann = store.annotator("ann")
    expected = []
    for number, skipped in enumerate([False, True, False, True]):
        served = serve(store, ann)
        if skipped:
            store.voting.skip(ann, served.assignment, "hard")
        else:
            vote(store, ann, served, Seen.TIE)
        expected.append(Undone(served.assignment, 1, None if skipped else Seen.TIE))
        clock.forward(seconds=step)
        assert number < 4
    for undone in reversed(expected):
        assert store.voting.undo(ann, "local:ann", f"u{undone.assignment}") == undone
        assert state(store, undone.assignment) == "open"
        clock.forward(seconds=step)
    assert store.voting.undo(ann, "local:ann", "u") is None


def test_undo_reaches_only_one_s_own(store: Store) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    vote(store, ann, serve(store, ann), Seen.TIE)
    assert store.voting.undo(bob, "local:bob", "u") is None
    assert store.reading.counts()["votes"] == 1


def test_a_skipped_pair_goes_to_others_and_comes_back_at_the_end(store: Store) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    served = serve(store, ann)
    store.serving.keep_draft(served.assignment, 1, Draft("hm"))
    store.voting.skip(ann, served.assignment, "hard \ud800")
    assert load(store, served.assignment) == 0
    while one := store.serving.serve(ann):
        assert one.assignment != served.assignment
        vote(store, ann, one, Seen.TIE)
    again = store.serving.serve_skipped(ann)
    assert again is not None
    assert again.assignment == served.assignment
    assert again.drafts == {1: Draft("hm")}
    store.voting.skip(ann, served.assignment)
    for _ in range(4):
        vote(store, bob, serve(store, bob), Seen.TIE)
    assert store.serving.serve_skipped(ann) is not None


def test_a_skipped_pair_that_others_have_filled_does_not_come_back(tmp_path: Path) -> None:
    with Store(make_study(tmp_path / "s.db", questions=1)) as store:
        ann, bob = store.annotator("ann"), store.annotator("bob")
        store.voting.skip(ann, serve(store, ann).assignment)
        vote(store, bob, serve(store, bob), Seen.TIE)
        assert store.serving.serve_skipped(ann) is None
        # Undo is the annotator's own act: it goes before the count of votes wanted.
        undone = store.voting.undo(ann, "local:ann", "u")
        assert undone is not None
        assert load(store, undone.assignment) == 2


# ── people, settings, seeds ─────────────────────────────────────────────────


def test_people_are_added_once_with_their_attributes(store: Store) -> None:
    lea = store.annotator("lea", role=Role.LEAD, group="owners")
    ann = store.annotator("ann")
    assert (store.annotator("lea"), store.annotator("ann")) == (lea, ann)
    assert [store.is_lead(one) for one in (lea, ann, 999)] == [True, False, False]
    assert store.reading.groups() == {"lea": "owners", "ann": ""}


def test_settings_are_checked_when_they_are_set(store: Store) -> None:
    with pytest.raises(UsageError, match="no setting is called"):
        store.set({"overlap": 2, "colour": "red"})
    assert store.settings()["overlap"] == 1
    store.set({"overlap": "7", "show_reference": "no"})
    assert (store.settings()["overlap"], store.settings()["show_reference"]) == (7, False)


def test_the_seed_is_fixed_before_the_first_pair_is_served(store: Store) -> None:
    store.fix_seed("another")
    assert store.seed == "another"
    store.fix_seed("ignored", keep=True)
    assert store.seed == "another"
    serve(store, store.annotator("ann"))
    with pytest.raises(StudyUnavailable, match="served already"):
        store.fix_seed("too late")
    assert store.seed == "another"


def test_a_person_has_a_name_and_an_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "dora")
    assert local_identity() == ("dora", "local:dora")
    monkeypatch.delenv("SUDO_USER")
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    assert local_identity() == ("uid4000000000", "local:uid4000000000")


# ── many at once ────────────────────────────────────────────────────────────


def test_eight_processes_vote_at_once_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", questions=80, overlap=3)
    acknowledged = at_once(8, vote_all, study, 30)
    assert all(isinstance(one, list) for one in acknowledged), "\n".join(map(str, acknowledged))
    stored = [row[0] for row in rows(study, "SELECT id FROM vote ORDER BY seq")]
    assert sorted(stored) == sorted(key for one in acknowledged for key in one)
    assert len(stored) == 240
    assert rows(study, "SELECT DISTINCT load FROM queue") == [(3,)]
    assert rows(
        study, "SELECT pair_id FROM vote GROUP BY pair_id, annotator_id HAVING count(*) > 1"
    ) == []  # fmt: skip
    with Store(study) as store:
        assert store.verify() == []


def test_a_thread_of_its_own_needs_a_store_of_its_own(store: Store) -> None:
    import threading

    found: list[BaseException] = []

    def read() -> None:
        try:
            store.settings()
        except sqlite3.ProgrammingError as error:
            found.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert len(found) == 1
