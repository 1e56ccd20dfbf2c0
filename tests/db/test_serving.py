"""Serving pairs, one case at a time; ``test_serving_machine`` mixes them with votes."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from core.blinding import left_side
from core.errors import StudyUnavailable, UsageError
from core.records import Answer, Question, Role, Seen
from db.pairs import make
from db.serving import Draft, Progress
from db.store import Store, local_identity
from tests.db.workers import at_once, vote_all
from tests.studies import FakeClock, load, located, make_study, rows, serve, state, vote

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
        assert how.policy == "least-voted/2"


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


# ── people, settings, seeds ─────────────────────────────────────────────────


def test_people_are_added_once_with_their_attributes(store: Store) -> None:
    lea = store.annotator("lea", role=Role.LEAD, group="owners")
    ann = store.annotator("ann")
    assert (store.annotator("lea"), store.annotator("ann")) == (lea, ann)
    assert rows(store.path, "SELECT name, role FROM annotator ORDER BY id") == [
        ("lea", "lead"),
        ("ann", "annotator"),
    ]
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
    acknowledged = at_once(8, vote_all, study)
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


@pytest.mark.slow
def test_fifty_processes_race_for_pairs_and_none_is_given_out_too_often(tmp_path: Path) -> None:
    study = make_study(
        tmp_path / "study.db", questions=40, models=("ant", "bee", "cow"), overlap=3
    )  # fmt: skip
    acknowledged = at_once(50, vote_all, study, 0.05, patience=300)
    assert all(isinstance(one, list) for one in acknowledged), "\n".join(map(str, acknowledged))
    assert sum(map(len, acknowledged)) == 40 * 3 * 3
    assert sum(bool(one) for one in acknowledged) > 10, "hardly anybody raced"
    served = rows(study, "SELECT pair_id, annotator_id, left FROM assignment")
    assert len({row[:2] for row in served}) == len(served)
    assert {state for (state,) in rows(study, "SELECT state FROM assignment")} == {"done"}
    orders = Counter((pair, left) for pair, _, left in served)
    for pair in {pair for pair, _, _ in served}:
        assert sorted((orders[pair, 1], orders[pair, 2])) == [1, 2]
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
