"""A session without a screen: what each key does to the study, and what survives trouble."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from core.errors import Conflict, StudyUnavailable
from core.records import Seen
from db.serving import Draft, Served
from db.store import Store
from db.undoing import Undone
from tests.studies import FakeClock, make_study, rows, vote
from tui.attention import IDLE_AFTER, ActiveTime
from tui.session import LAST_CHANCE, Saved, Session, new_id


class Seconds:
    """A clock for durations that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    path = make_study(tmp_path / "study.db", questions=4, turns=2, overlap=2, clock=clock)
    with Store(path, clock=clock) as opened:
        yield opened


@pytest.fixture
def session(store: Store, seconds: Seconds) -> Session:
    return begin(store, seconds)


def begin(store: Store, seconds: Seconds | None = None) -> Session:
    ids = (f"id-{number}" for number in count(len(rows(store.path, "SELECT 1 FROM vote"))))
    return Session(
        store,
        store.annotator("ann"),
        "local:ann",
        make_id=lambda: next(ids),
        monotonic=seconds or Seconds(),
    )


def states(store: Store) -> list[str]:
    return [row[0] for row in rows(store.path, "SELECT state FROM assignment ORDER BY id")]


def on_screen(session: Session) -> Served:
    assert session.current is not None
    return session.current


def test_a_pair_is_voted_on_turn_by_turn_and_then_the_next_is_there(session: Session) -> None:
    first = session.open()
    assert first is not None
    assert session.turn == 1
    assert session.vote(Seen.LEFT) == Saved(Seen.LEFT, 1, False)
    assert (on_screen(session).assignment, session.turn) == (first.assignment, 2)
    assert session.vote(Seen.BOTH_BAD) == Saved(Seen.BOTH_BAD, 2, True)
    assert on_screen(session).assignment != first.assignment
    assert session.turn == 1
    assert session.progress().done == 1
    votes = rows(session.store.path, "SELECT id, turn, seen, identity FROM vote")
    assert votes == [("id-0", 1, "left", "local:ann"), ("id-1", 2, "both_bad", "local:ann")]


def test_to_the_end_and_nothing_more(session: Session) -> None:
    session.open()
    voted = 0
    while session.current is not None:
        session.prepare()
        session.vote(Seen.TIE)
        voted += 1
    assert voted == 8
    assert session.prepare() is None
    assert session.open() is None
    assert session.store.verify() == []


def test_an_empty_queue_is_told_from_one_that_others_hold(tmp_path: Path) -> None:
    with Store(make_study(tmp_path / "study.db", questions=1)) as store:
        store.serving.serve(store.annotator("bob"))
        session = begin(store)
        assert session.open() is None
        assert session.nothing_left(str)[0].startswith("No pair is free for you now.")
    empty = tmp_path / "empty.db"
    with Store(empty, create=True) as store:
        session = begin(store)
        assert session.open() is None
        assert "tiebreak pairs make" in session.nothing_left(str)[0]


@pytest.mark.parametrize("closes", [True, False], ids=["quit", "line dropped"])
def test_coming_back_lands_on_the_same_pair_turn_and_note(store: Store, closes: bool) -> None:
    session = begin(store)
    session.open()
    session.vote(Seen.RIGHT)
    session.keep(note="half a tho", flag="flagged")
    session.prepare()
    before = on_screen(session)
    if closes:
        session.close()
    again = begin(store)
    assert again.open() is not None
    assert (on_screen(again).left, on_screen(again).right) == (before.left, before.right)
    assert (on_screen(again).assignment, again.turn) == (before.assignment, 2)
    assert again.draft == Draft("half a tho", "flagged")


def test_what_was_prepared_keeps_no_slot_after_quitting(session: Session) -> None:
    session.open()
    prepared = session.prepare()
    assert prepared is not None
    assert session.prepare() is prepared
    session.close()
    session.close()
    assert states(session.store) == ["open", "released"]


def test_what_was_prepared_comes_next_also_after_a_skip(session: Session) -> None:
    session.open()
    prepared = session.prepare()
    session.skip()
    assert session.current is prepared
    assert states(session.store) == ["skipped", "open"]


def test_what_was_prepared_and_is_somebody_elses_now_does_not_come(
    store: Store, clock: FakeClock
) -> None:
    """With an overlap of two: ann thinks for so long that three others are served meanwhile."""
    session = begin(store)
    session.open()
    prepared = session.prepare()
    assert prepared is not None
    clock.forward(minutes=61)
    for name in ("bob", "cleo"):
        other = store.annotator(name)
        while (served := store.serving.serve(other)) is not None:
            for turn in served.turns:
                vote(
                    store,
                    other,
                    served,
                    Seen.TIE,
                    turn=turn,
                    id=f"{name} {served.assignment} {turn}",
                )
    session.skip()
    assert session.current is None, "both votes that each pair wants are there"
    assert max(count for (count,) in rows(store.path, "SELECT load FROM queue")) == 2


def test_what_was_prepared_long_ago_is_held_anew_when_it_comes(
    session: Session, store: Store, clock: FakeClock
) -> None:
    session.open()
    prepared = session.prepare()
    assert prepared is not None
    clock.forward(minutes=45)
    session.skip()
    assert on_screen(session).assignment == prepared.assignment
    clock.forward(minutes=45)
    bob = store.annotator("bob")
    store.serving.serve(bob)
    assert "expired" not in states(store)


def test_what_was_given_back_for_somebody_is_held_again_when_they_go_on(
    session: Session, store: Store
) -> None:
    session.open()
    prepared = session.prepare()
    assert prepared is not None
    assert store.people.reassign("ann") == 2
    session.skip()
    assert states(store).count("open") == 1


def test_undo_shows_the_pair_again_and_gives_back_what_was_prepared(session: Session) -> None:
    first = session.open()
    assert first is not None
    session.keep(note="why")
    session.vote(Seen.LEFT)
    session.vote(Seen.TIE)
    second = on_screen(session)
    session.prepare()
    assert session.undo() == Undone(first.assignment, 2, Seen.TIE)
    assert (on_screen(session).assignment, session.turn) == (first.assignment, 2)
    assert states(session.store) == ["open", "open", "released"]
    assert session.undo() == Undone(first.assignment, 1, Seen.LEFT)
    assert (session.turn, session.draft) == (1, Draft("why"))
    assert on_screen(session).voted == {}
    assert session.undo() is None
    assert on_screen(session).assignment == first.assignment
    session.vote(Seen.LEFT)
    session.vote(Seen.LEFT)
    assert on_screen(session).assignment == second.assignment
    session.close()
    assert states(session.store) == ["done", "open", "released"]


def test_a_skipped_pair_comes_back_when_it_is_asked_for(session: Session) -> None:
    first = session.open()
    assert first is not None
    session.keep(note="hard")
    session.skip()
    assert on_screen(session).assignment != first.assignment
    again = session.take_skipped()
    assert again is not None
    assert (again.assignment, session.draft) == (first.assignment, Draft("hard"))
    session.skip()
    assert session.undo() == Undone(first.assignment, 1, None)
    assert on_screen(session).assignment == first.assignment


def test_notes_and_flags_are_kept_apart_and_per_turn(session: Session) -> None:
    session.open()
    session.keep(note="a note")
    session.keep(flag="flagged")
    assert session.draft == Draft("a note", "flagged")
    session.keep(flag="")
    assert session.draft == Draft("a note")
    session.vote(Seen.LEFT)
    assert session.draft == Draft()
    session.keep(note="another")
    session.vote(Seen.LEFT)
    assert rows(session.store.path, "SELECT note, flag FROM vote") == [
        ("a note", ""),
        ("another", ""),
    ]
    assert rows(session.store.path, "SELECT * FROM draft") == []


# ── trouble ─────────────────────────────────────────────────────────────────


def fail_once(monkeypatch: pytest.MonkeyPatch, part: object, name: str, *, after: bool) -> None:
    """Refuse the next call, before it does anything or after it did it all."""
    real = getattr(part, name)
    calls: list[object] = []

    def failing(*given: object, **named: object) -> object:
        calls.append(given)
        if len(calls) == 1:
            if after:
                real(*given, **named)
            raise StudyUnavailable("the disk reports an error", "look at the disk")
        return real(*given, **named)

    monkeypatch.setattr(part, name, failing)


@pytest.mark.parametrize("after", [False, True], ids=["not written", "written all the same"])
def test_a_vote_that_was_refused_is_recorded_once_when_it_is_cast_again(
    session: Session, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    session.open()
    before = on_screen(session)
    fail_once(monkeypatch, session.store.voting, "cast", after=after)
    with pytest.raises(StudyUnavailable):
        session.vote(Seen.LEFT)
    assert (session.current, session.turn) == (before, 1)
    session.vote(Seen.LEFT)
    assert session.turn == 2
    assert rows(session.store.path, "SELECT id, turn FROM vote") == [("id-0", 1)]


def test_another_choice_after_a_refused_vote_stands_for_it(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.open()
    fail_once(monkeypatch, session.store.voting, "cast", after=True)
    with pytest.raises(StudyUnavailable):
        session.vote(Seen.LEFT)
    session.vote(Seen.RIGHT)
    assert rows(session.store.path, "SELECT seen, supersedes FROM vote") == [
        ("left", None),
        ("right", "id-0"),
    ]


def test_a_vote_is_recorded_once_when_only_the_next_pair_could_not_be_had(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.open()
    session.vote(Seen.LEFT)
    fail_once(monkeypatch, session.store.serving, "serve", after=False)
    with pytest.raises(StudyUnavailable):
        session.vote(Seen.TIE)
    assert session.vote(Seen.TIE).pair_done
    assert session.turn == 1
    assert len(rows(session.store.path, "SELECT * FROM vote")) == 2


def test_a_flag_that_was_refused_is_not_set_and_the_same_key_sets_it(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.open()
    session.typed("half a tho")
    fail_once(monkeypatch, session.store.serving, "keep_draft", after=False)
    with pytest.raises(StudyUnavailable):
        session.keep(flag="flagged")
    assert session.draft == Draft("half a tho", "")
    assert session.unsaved_note == "half a tho"
    session.keep(flag="flagged")
    fail_once(monkeypatch, session.store.serving, "keep_draft", after=False)
    with pytest.raises(StudyUnavailable):
        session.keep(flag="")
    session.vote(Seen.LEFT)
    assert rows(session.store.path, "SELECT note, flag FROM vote") == [("half a tho", "flagged")]


def test_an_undo_that_was_refused_takes_back_one_vote_when_it_is_tried_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.open()
    for _ in range(2):
        session.vote(Seen.LEFT)
    fail_once(monkeypatch, session.store.voting, "undo", after=True)
    with pytest.raises(StudyUnavailable):
        session.undo()
    undone = session.undo()
    assert undone is not None
    assert undone.turn == 2
    assert session.store.reading.counts()["votes"] == 1
    # The next undo is another one.
    assert session.undo() == Undone(undone.assignment, 1, Seen.LEFT)


# ── time ────────────────────────────────────────────────────────────────────


def test_time_without_a_key_counts_up_to_a_limit(seconds: Seconds) -> None:
    active = ActiveTime(seconds)
    seconds.now += 10
    assert active.seconds() == 10
    seconds.now += 30
    active.touch()
    seconds.now += 3600
    assert active.seconds() == 40 + IDLE_AFTER
    active.restart()
    assert active.seconds() == 0


def test_active_seconds_are_those_of_one_turn(session: Session, seconds: Seconds) -> None:
    session.open()
    seconds.now += 12.5
    session.vote(Seen.LEFT)
    seconds.now += 7200
    session.vote(Seen.LEFT)
    found = rows(session.store.path, "SELECT active_seconds FROM vote")
    assert found == [(12.5,), (IDLE_AFTER,)]


def test_a_key_before_anything_was_painted_is_hasty(session: Session, seconds: Seconds) -> None:
    session.open()
    seconds.now += 3600
    assert session.is_hasty()
    session.shown()
    assert session.is_hasty()
    seconds.now += 0.499
    assert session.is_hasty()
    seconds.now += 0.002
    assert not session.is_hasty()
    session.vote(Seen.LEFT)
    assert session.is_hasty()


def test_no_dwell_asks_for_none(store: Store, seconds: Seconds) -> None:
    store.set({"dwell_ms": 0})
    session = begin(store, seconds)
    session.open()
    assert session.is_hasty()
    session.shown()
    assert not session.is_hasty()


def test_ids_are_never_the_same() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000


def test_a_note_that_could_not_be_saved_is_saved_before_its_pair_is_left(
    session: Session,
) -> None:
    """By a skip, by an undo and by leaving; and while it cannot be, the pair is not left."""
    kept = "SELECT note FROM draft ORDER BY assignment_id"
    session.open()
    session.vote(Seen.LEFT)
    session.store.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StudyUnavailable):
        session.keep(note="of the first")
    before = session.current
    assert session.unsaved_note == "of the first"
    for leave in (session.skip, session.undo, session.close):
        with pytest.raises(StudyUnavailable):
            leave()
        assert (session.current, session.unsaved_note) == (before, "of the first")
    session.store.connection.execute("PRAGMA query_only = OFF")
    session.skip()
    assert session.unsaved_note == ""
    assert rows(session.store.path, kept) == [("of the first",)]
    session.typed("of the second")
    assert session.unsaved_note == "of the second"
    assert rows(session.store.path, kept) == [("of the first",)]
    session.undo()
    assert rows(session.store.path, kept) == [("of the first",), ("of the second",)]
    assert session.draft == Draft("of the first")
    session.typed("of the first, and more")
    session.close()
    assert rows(session.store.path, kept)[0] == ("of the first, and more",)


def test_a_note_as_typed_goes_with_the_vote(session: Session) -> None:
    session.open()
    session.typed("at once")
    session.vote(Seen.TIE)
    assert session.unsaved_note == ""
    assert rows(session.store.path, "SELECT note FROM vote") == [("at once",)]
    assert rows(session.store.path, "SELECT count(*) FROM draft") == [(0,)]


def test_nothing_in_the_progress_tells_a_repeat(tmp_path: Path, clock: FakeClock) -> None:
    """One pair more is done and one fewer left after each, whether fresh or not."""
    path = make_study(
        tmp_path / "often.db", questions=60, clock=clock, repeat_percent=30, repeat_gap=3
    )
    with Store(path, clock=clock) as store:
        session = begin(store)
        session.open()
        session.prepare()
        total = session.progress().left
        done = 0
        while session.current is not None:
            session.prepare()
            progress = session.progress()
            assert (progress.done, progress.left) == (done, total - done)
            session.vote(Seen.TIE)
            done += 1
        ((repeats,),) = rows(path, "SELECT count(*) FROM assignment WHERE repeat")
        assert (done, session.progress().left) == (60 + repeats, 0)
        assert repeats > 10


def test_a_flag_in_one_window_keeps_the_note_of_another(store: Store) -> None:
    first, second = begin(store), begin(store)
    pair = first.open()
    assert pair is not None
    first.keep(note="early")
    assert second.open() == store.serving.look_again(pair.assignment)
    first.keep(note="late")
    second.keep(flag="flagged")
    assert second.draft == Draft("late", "flagged")
    first.keep(note="latest")
    assert store.serving.look_again(pair.assignment).drafts == {1: Draft("latest", "flagged")}
    second.keep(flag="")
    first.keep(note="")
    assert store.serving.look_again(pair.assignment).drafts == {}


@contextmanager
def locked(store: Store) -> Iterator[sqlite3.Connection]:
    """Another process writes, and nobody waits long for it."""
    store.connection.execute("PRAGMA busy_timeout = 10")
    with closing(
        sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def test_a_note_waits_for_a_locked_study_when_the_line_drops(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = begin(store)
    session.open()
    session.typed("half a tho")
    asked = count()

    def monotonic() -> float:
        if next(asked) == 3:  # it has been found locked, and was waited for
            other.execute("ROLLBACK")
        return 0.0

    monkeypatch.setattr(session, "_monotonic", monotonic)
    with locked(store) as other:
        session.drop()
    assert next(asked) > 3
    assert rows(store.path, "SELECT note FROM draft") == [("half a tho",)]


@pytest.mark.parametrize(("note", "waits"), [("half a tho", True), ("", False)])
def test_a_line_that_drops_waits_no_longer_than_it_must(
    store: Store,
    seconds: Seconds,
    monkeypatch: pytest.MonkeyPatch,
    note: str,
    waits: bool,
) -> None:
    session = begin(store, seconds)
    session.open()
    session.prepare()  # which is to be given back
    session.typed(note)
    begun = seconds.now
    for_ever = begun + 10 * LAST_CHANCE

    def running() -> float:
        seconds.now += 60
        assert seconds.now < for_ever
        return seconds.now

    monkeypatch.setattr(session, "_monotonic", running)
    with locked(store), pytest.raises(StudyUnavailable):
        session.drop()
    assert (seconds.now - begun > LAST_CHANCE) is waits


def windows(store: Store) -> tuple[Session, Session]:
    """Two of one person, on the same pair."""
    first, second = (Session(store, store.annotator("ann"), "local:ann") for _ in range(2))
    assert first.open() == second.open()
    return first, second


def test_undo_leaves_alone_what_was_done_in_another_window(store: Store) -> None:
    first, second = windows(store)
    first.vote(Seen.LEFT)
    second.vote(Seen.RIGHT)
    with pytest.raises(Conflict, match="in another window"):
        first.undo()
    undone = second.undo()
    assert undone is not None
    assert (undone.seen, undone.restored) == (Seen.RIGHT, Seen.LEFT)
    # The first window's own vote stands again, and it alone may take it back now.
    with pytest.raises(Conflict, match="in another window"):
        second.undo()
    undone = first.undo()
    assert undone is not None
    assert undone.seen is Seen.LEFT


def test_undo_leaves_alone_what_was_put_aside_in_another_window(store: Store) -> None:
    first, second = windows(store)
    first.vote(Seen.LEFT)
    second.skip()
    with pytest.raises(Conflict, match="in another window"):
        first.undo()
    assert second.undo() is not None
    assert first.undo() is not None


def test_undo_takes_back_what_was_done_before_this_window_was_opened(store: Store) -> None:
    first = begin(store)
    first.open()
    first.vote(Seen.LEFT)
    first.close()
    undone = Session(store, store.annotator("ann"), "local:ann").undo()
    assert undone is not None
    assert undone.seen is Seen.LEFT
    assert first.undo() is None


def test_a_vote_that_was_refused_and_written_all_the_same_is_this_window_s_own(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.open()
    fail_once(monkeypatch, session.store.voting, "cast", after=True)
    with pytest.raises(StudyUnavailable):
        session.vote(Seen.LEFT)
    assert session.undo() is not None
