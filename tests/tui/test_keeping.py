"""Signs of life keep a pair its annotator's; after long silence it is said whose it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.records import Seen
from db.store import Store
from tests.studies import FakeClock, load, make_study, rows, serve, state, vote
from tests.tui.test_annotate import Seat
from tests.tui.test_seat import one_turn_study, sit
from tui.keeping import Held, Keeping

LEASE = 3600.0
_PATIENCE = 6000
"""Looks, a hundredth of a second apart."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Store:
    study = make_study(tmp_path / "s.db", questions=1, clock=clock)
    return Store(study, clock=clock)


# ── what renewing does ──────────────────────────────────────────────────────


def test_a_renewed_pair_stays_its_annotators(store: Store, clock: FakeClock) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    served = serve(store, ann)
    for _ in range(3):
        clock.forward(minutes=50)
        assert store.serving.renew(ann, served.assignment)
        assert store.serving.serve(bob) is None


def test_a_pair_that_lapsed_and_went_to_nobody_is_held_again(
    store: Store, clock: FakeClock
) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    served = serve(store, ann)
    clock.forward(minutes=61)
    store.serving.expire_all()
    assert (state(store, served.assignment), load(store, served.assignment)) == ("expired", 0)
    assert store.serving.renew(ann, served.assignment)
    assert (state(store, served.assignment), load(store, served.assignment)) == ("open", 1)
    assert store.serving.serve(bob) is None


def test_a_pair_that_is_somebody_elses_by_now_is_not_held_by_two(
    store: Store, clock: FakeClock
) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    anns = serve(store, ann)
    clock.forward(minutes=61)
    bobs = serve(store, bob)
    assert not store.serving.renew(ann, anns.assignment)
    assert (state(store, anns.assignment), load(store, anns.assignment)) == ("expired", 1)
    vote(store, bob, bobs, Seen.LEFT)
    assert not store.serving.is_beyond(bobs.assignment)
    vote(store, ann, anns, Seen.LEFT)
    assert store.serving.is_beyond(anns.assignment)
    assert store.serving.renew(ann, anns.assignment), "what is done is not lost"
    assert state(store, anns.assignment) == "done"


# ── when it is renewed ──────────────────────────────────────────────────────


class Times:
    """A clock for durations that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def keeping(study: Path, held: Callable[[], Held | None], times: Times) -> Keeping:
    return Keeping(study, 1, LEASE, held, lambda _: None, times)


def test_signs_of_life_renew_now_and_then(tmp_path: Path) -> None:
    study = make_study(tmp_path / "s.db", questions=2)
    with Store(study) as store:
        served = serve(store, store.annotator("ann"))
    times, renewed = Times(), 0
    keeper = keeping(study, lambda: Held(served.assignment, 0.0), times)
    for second in range(int(LEASE)):
        times.now = float(second)
        before = keeper.renewing
        keeper.alive()
        if keeper.renewing is not before and keeper.renewing is not None:
            keeper.renewing.join()
            renewed += 1
    assert renewed == 7
    nothing = keeping(study, lambda: None, times)
    nothing.alive()
    assert nothing.renewing is None


def test_no_sign_of_life_waits_for_a_locked_study(tmp_path: Path) -> None:
    study = make_study(tmp_path / "s.db", questions=1)
    with Store(study) as store:
        served = serve(store, store.annotator("ann"))
    (before,) = rows(study, "SELECT lease_until FROM assignment")
    times = Times()
    times.now = LEASE
    keeper = keeping(study, lambda: Held(served.assignment, 0.0), times)
    with closing(sqlite3.connect(study, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        keeper.alive()
        waits = keeper.renewing
        keeper.alive()
        assert waits is not None
        assert waits.is_alive()
        assert keeper.renewing is waits, "one at a time"
        other.execute("ROLLBACK")
    waits.join()
    assert waits.refusal is None
    assert rows(study, "SELECT lease_until FROM assignment") != [before]


# ── on the screen ───────────────────────────────────────────────────────────


async def until(seat: Seat, true: Callable[[], bool]) -> None:
    for _ in range(_PATIENCE):
        if true():
            return
        await seat.pilot.pause(0.01)
    raise AssertionError(f"never came true; the screen was:\n{seat.everything()}")


def silent(seat: Seat) -> None:
    """As if no key had been pressed for longer than a lease."""
    session = seat.app.screen.voting  # type: ignore[attr-defined]
    session._taken -= 2 * LEASE


async def test_a_key_in_a_note_renews_the_lease(tmp_path: Path) -> None:
    study = one_turn_study(tmp_path / "s.db", "Because.", pairs=1)
    async with sit(study) as seat:
        seat.app.store.connection.execute("UPDATE main.assignment SET lease_until = '2000'")
        silent(seat)
        await seat.pilot.press("n", "x")
        lease = "SELECT lease_until FROM assignment"
        await until(seat, lambda: rows(study, lease) != [("2000",)])


async def test_who_comes_back_too_late_is_told_and_the_vote_is_kept(tmp_path: Path) -> None:
    study = one_turn_study(tmp_path / "s.db", "Because.", pairs=1)
    async with sit(study) as seat:
        seat.app.store.connection.execute(
            "UPDATE main.assignment SET lease_until = '2000-01-01T00:00:00.000000Z'"
        )
        with Store(study) as other:
            bob = other.annotator("bob")
            vote(other, bob, serve(other, bob), Seen.LEFT)
        silent(seat)
        await seat.pilot.press("j")
        await until(seat, lambda: "went to somebody else" in seat.everything())
        await seat.pilot.press("1")
        await until(seat, lambda: "one vote more than wanted" in seat.everything())
    assert rows(study, "SELECT count(*) FROM vote") == [(2,)]
