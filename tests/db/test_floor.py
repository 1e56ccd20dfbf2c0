"""The floor as it is read from a study: what is counted, and who is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from core.errors import Conflict
from core.records import Choice, Pair, Role, Seen, Vote
from db.floor import Floor, FloorFeed, OnFloor, last_votes
from db.seats import Seat, Seats, seats_file
from db.sights import know_names
from db.store import Store
from db.voting import Declined
from tests.studies import FakeClock, load, located, make_study, rows, serve, state, vote

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    study = make_study(tmp_path / "study.db", questions=12, turns=2, overlap=2, clock=clock)
    with Store(study, clock=clock) as store:
        yield store


_NUMBERS = count()


def look(store: Store) -> Floor:
    feed = FloorFeed(store)
    try:
        return feed.look()
    finally:
        feed.close()


def one(floor: Floor, name: str) -> OnFloor:
    (found,) = [person for person in floor.people if person.name == name]
    return found


def whole(store: Store, row: int, *, seen: Seen = Seen.LEFT, flag: str = "") -> int:
    """Vote on every turn of the next pair; its assignment."""
    served = serve(store, row)
    for turn in served.turns:
        fields = {"turn": turn, "id": f"v{next(_NUMBERS)}", "flag": flag, "active_seconds": 2.0}
        vote(store, row, served, seen, **fields)
    return served.assignment


# ── what is counted ─────────────────────────────────────────────────────────


def test_everything_that_was_done_is_on_the_floor(store: Store, clock: FakeClock) -> None:
    ann, bob = store.annotator("ann", group="expert"), store.annotator("bob")
    for _ in range(4):
        whole(store, ann)
        clock.forward(seconds=30)
    whole(store, ann, flag="odd")
    store.voting.skip(ann, serve(store, ann).assignment)
    served = serve(store, ann)
    store.voting.decline(
        ann, "local:ann", Declined("d1", served.assignment, 1, "not my field", active_seconds=1.0)
    )
    serve(store, ann)
    clock.forward(days=1)
    whole(store, bob)
    floor = look(store)
    assert [person.name for person in floor.people] == ["bob", "ann"]
    mine = one(floor, "ann")
    # What was left open for a day has gone to others meanwhile.
    assert (mine.pairs, mine.open, mine.skipped, mine.cannot_judge) == (5, 0, 1, 1)
    assert one(look(store), "bob").open == 0
    assert (mine.votes, mine.today, mine.flags, mine.group) == (10, 0, 2, "expert")
    assert mine.counts.pace == 4.0
    assert mine.last_seen.startswith("2024-03-01T09:02")
    theirs = one(floor, "bob")
    assert (theirs.votes, theirs.today, theirs.pairs, theirs.is_on) == (2, 2, 1, False)
    done = Counter(pair for (pair,) in rows(
        store.path, "SELECT pair_id FROM assignment WHERE state = 'done' AND repeat = 0"
    ))  # fmt: skip
    by_votes = Counter(done.values())
    assert floor.complete == by_votes[2]
    assert floor.reached == {
        number: pairs
        for number, pairs in ((0, 12 - len(done)), (1, by_votes[1]))
        if pairs
    }  # fmt: skip
    assert floor.wanted == 24 - 6
    assert "fewer than" in floor.finish.reason


def test_a_feed_that_follows_says_what_a_new_one_says(store: Store, clock: FakeClock) -> None:
    people = [store.annotator(name) for name in ("ann", "bob", "cleo")]
    with Store(store.path, clock=clock) as reader:
        feed = FloorFeed(reader)
        feed.look()
        for step in range(20):
            who = people[step % 3]
            if step % 7 == 3:
                store.voting.undo(who, "local", f"undo-{step}")
            elif store.serving.progress(who).left:
                whole(store, who, seen=Seen.TIE if step % 4 else Seen.RIGHT)
            clock.forward(seconds=40)
            assert feed.stale()
            feed._next_count = 0.0  # counting anew is put off; here it is not
            assert feed.look() == look(reader)
            assert not feed.stale()
        feed.close()


def test_looking_again_reads_no_old_vote(store: Store) -> None:
    ann = store.annotator("ann")
    whole(store, ann)
    feed = FloorFeed(store)
    feed.look()
    whole(store, ann)
    statements: list[str] = []
    store.connection.set_trace_callback(statements.append)
    feed._next_count = float("inf")
    feed.look()
    store.connection.set_trace_callback(None)
    feed.close()
    plans = [
        str(row[3])
        for statement in statements
        if statement.lstrip().startswith("SELECT")
        for row in store.connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert plans
    assert not [plan for plan in plans if plan.startswith(("SCAN v", "SCAN assignment", "SCAN q"))]


def test_excluded_groups_are_nobodys_measure(store: Store) -> None:
    store.set({"exclude_groups": "author"})
    ann, ada = store.annotator("ann"), store.annotator("ada", group="author")
    for _ in range(10):
        whole(store, ann)
        whole(store, ada)
    assert one(look(store), "ann").counts.agreed.compared == 0
    store.set({"exclude_groups": ""})
    assert one(look(store), "ann").counts.agreed.compared > 0


def test_imported_votes_without_sides_or_times_are_counted_as_votes(store: Store) -> None:
    pair = Pair("q1", "ant", "bee")
    records = [Vote("i1", pair, 1, "eve", Choice.TIE), Vote("i2", pair, 1, "eve", Choice.TIE,
               supersedes="i1", at="2023")]  # fmt: skip
    store.ingest.take(located(records))
    eve = one(look(store), "eve")
    assert (eve.votes, eve.today, eve.counts.seen, eve.last_seen) == (1, 0, (0, 0, 0, 0), "")


def test_a_qualification_says_who_is_not_through(store: Store) -> None:
    store.annotator("ann")
    store.practising.let_in(store.annotator("bob"), "local:lea")
    floor = look(store)
    assert not floor.needs_qualification
    assert one(floor, "bob").standing.let_in is not None
    assert one(floor, "ann").standing.let_in is None


def test_the_last_votes_name_no_model(store: Store) -> None:
    ann = store.annotator("ann")
    assignment = whole(store, ann, flag="look")
    store.voting.undo(ann, "local:ann", "u1")
    votes = last_votes(store, "ann", 10)
    assert [(each.turn, each.seen, each.stands) for each in votes] == [
        (2, Seen.LEFT, False),
        (1, Seen.LEFT, True),
    ]
    assert votes[0].words == len("ant on q1, turn 2".split()) * 2
    assert (votes[0].seconds, votes[0].flag) == (2.0, "look")
    assert assignment
    assert "ant" not in repr(votes)
    assert "bee" not in repr(votes)
    with pytest.raises(Conflict, match="nobody here"):
        last_votes(store, "zoe", 10)


def test_a_lead_is_not_told_on_what_somebody_voted_so_before_they_rule(store: Store) -> None:
    ann = store.annotator("ann")
    store.annotator("lea", role=Role.LEAD)
    whole(store, ann, flag="look")
    hidden = last_votes(store, "ann", 10, hidden_from="lea")
    assert {(each.question, each.seen) for each in hidden} == {(None, Seen.LEFT)}
    assert "look" not in repr(hidden)
    assert all(each.question for each in last_votes(store, "ann", 10, hidden_from="ann"))
    (pair,) = {pair for (pair,) in store.connection.execute("SELECT pair_id FROM vote")}
    know_names(store, pair, 2, "lea")
    told = last_votes(store, "ann", 10, hidden_from="lea")
    assert [each.question is None for each in told] == [each.turn == 1 for each in told]


# ── giving back ─────────────────────────────────────────────────────────────


def test_reassigned_pairs_go_to_others_and_a_late_vote_still_counts(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    assert load(store, served.assignment) == 1
    assert store.people.reassign("ann") == 1
    assert (state(store, served.assignment), load(store, served.assignment)) == ("released", 0)
    assert store.people.reassign("ann") == 0
    for turn in served.turns:
        vote(store, ann, served, Seen.TIE, turn=turn, id=f"late-{turn}")
    assert (state(store, served.assignment), load(store, served.assignment)) == ("done", 1)
    with pytest.raises(Conflict, match="nobody here"):
        store.people.reassign("zoe")


# ── who is there ────────────────────────────────────────────────────────────

SIT = """
import sys
from pathlib import Path
from db.seats import Seat
seat = Seat(Path(sys.argv[1]), int(sys.argv[2]))
print("sat", flush=True)
sys.stdin.read()
"""


def sitting(study: Path, number: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SIT, str(study), str(number)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "sat\n"
    return process


def test_a_killed_process_leaves_no_seat_taken(store: Store) -> None:
    numbers = [store.annotator(name) for name in ("ann", "bob", "cleo")]
    feed = FloorFeed(store)
    assert feed.look().on == 0
    with sitting(store.path, numbers[1]) as process:
        assert feed.stale()
        floor = feed.look()
        assert [person.name for person in floor.people if person.is_on] == ["bob"]
        assert floor.people[0].name == "bob"
        assert not feed.stale()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert feed.stale()
        assert feed.look().on == 0
    feed.close()


def test_two_windows_share_a_seat(tmp_path: Path) -> None:
    study = tmp_path / "study.db"
    study.touch()
    seats, first, second = Seats(study), Seat(study, 7), Seat(study, 7)
    assert seats.taken(range(1, 10)) == {7}
    first.leave()
    assert seats.taken(range(1, 10)) == {7}
    second.leave()
    second.leave()
    assert seats.taken(range(1, 10)) == set()
    seats.close()
    assert seats_file(study).stat().st_size == 0


def test_where_no_seat_can_be_taken_voting_goes_on(tmp_path: Path) -> None:
    seat = Seat(tmp_path / "gone" / "study.db", 1)
    seat.leave()
    link = tmp_path / "study.db"
    link.touch()
    target = tmp_path / "elsewhere"
    seats_file(link).symlink_to(target)
    Seat(link, 1).leave()
    assert not target.exists()
    assert Seats(link).taken([1]) is None


def test_a_lead_is_told_apart(store: Store) -> None:
    store.annotator("lea", role=Role.LEAD)
    assert one(look(store), "lea").role is Role.LEAD
