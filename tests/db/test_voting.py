"""Votes, changes, undo and skip, one case at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Conflict
from core.records import Seen
from db.serving import Draft, storable
from db.store import Store
from db.undoing import Undone
from db.voting import Cast
from tests.studies import FakeClock, load, make_study, rows, serve, state, vote

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
    store.set({"confidence": "guess, sure"})
    ann = store.annotator("ann")
    served = serve(store, ann)
    store.serving.keep_draft(served.assignment, 1, Draft("half a th", "flagged"))
    assert serve(store, ann).drafts == {1: Draft("half a th", "flagged")}
    vote(
        store, ann, served, Seen.LEFT, note="half \ud83d a thought\x00", flag="\udc00!",
        confidence=2, active_seconds=4,
    )  # fmt: skip
    ((cast, _),) = store.reading.votes()
    assert (cast.note, cast.flag) == ("half \ufffd a thought\x00", "\ufffd!")
    assert (cast.confidence, cast.active_seconds) == (2, 4.0)
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
