"""Jobs go to another only when their owner is gone, whatever clocks and disks do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.times import stamp
from db.judge_queue import JudgeQueue
from db.judge_work import GONE, Work
from db.leases import LEASE, Silence
from tests.db.test_judge_queue import fill, one_each, study
from tests.studies import FakeClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FAR, NEAR = "far/7/1/a", "near/7/1/a"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def silence(gone: Callable[[str], bool] = lambda _: False) -> Silence:
    return Silence(240, gone=gone, here=lambda owner: owner.startswith("near/"))


def follow(watch: Silence, seen_at: Callable[[int], str], seconds: int, start: int = 0) -> None:
    for now in range(start, start + seconds + 1):
        watch.listen([(FAR, seen_at(now))], at(now))


def test_a_host_that_is_silent_loses_its_jobs_after_a_lease() -> None:
    watch = silence()
    follow(watch, lambda _: "seen once", 59)
    assert not watch.is_over(FAR, stamp(at(1)), at(59))
    follow(watch, lambda _: "seen once", 2, 60)
    assert watch.is_over(FAR, stamp(at(1)), at(61))


def test_a_sign_of_life_keeps_them_however_wrong_its_clock() -> None:
    watch = silence()
    follow(watch, lambda now: stamp(at(now - 200)), 230)
    assert not watch.is_over(FAR, stamp(at(30)), at(230)), "its clock is minutes behind"


def test_who_slept_himself_hears_anew() -> None:
    watch = silence()
    follow(watch, lambda _: "seen once", 50)
    follow(watch, lambda _: "seen once", 30, 90)  # the disk was busy, or this host suspended
    assert not watch.is_over(FAR, stamp(at(60)), at(120))
    follow(watch, lambda _: "seen once", 31, 120)
    assert watch.is_over(FAR, stamp(at(60)), at(151))


def test_a_clock_that_was_set_back_hears_anew() -> None:
    watch = silence()
    follow(watch, lambda _: "seen once", 50)
    follow(watch, lambda _: "seen once", 50)
    assert not watch.is_over(FAR, stamp(at(-30)), at(50))


def test_on_this_host_a_process_is_known_to_live() -> None:
    for gone in (False, True):
        watch = silence(lambda _, gone=gone: gone)  # type: ignore[misc]
        watch.listen([(NEAR, "long ago")], at(0))
        assert watch.is_over(NEAR, stamp(at(-100)), at(0)) is gone
        assert watch.is_over(NEAR, stamp(at(-241)), at(0)), "one that hangs"


def test_what_lapsed_long_ago_is_free_at_once() -> None:
    assert silence().is_over(FAR, stamp(at(-241)), at(0))
    assert not silence().is_over(FAR, stamp(at(-239)), at(0))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_call_under_way_stays_with_a_live_worker_and_goes_on_when_it_is_gone(
    tmp_path: Path, clock: FakeClock
) -> None:
    store = study(tmp_path / "study.db", clock, questions=4)
    holder = JudgeQueue(store, "j", FAR, silence=silence())
    other = JudgeQueue(store, "j", "far/8/1/b", silence=silence())
    for queue in (holder, other):
        queue.enter()
    fill(holder)
    leased = holder.turn(Work(want=3)).leased
    holder.turn(Work(begins=one_each(leased)))

    def beats(queue: JudgeQueue, seconds: int) -> None:
        for _ in range(seconds):
            clock.forward(seconds=1)
            queue.beat(window=1, under_way=0, verdicts=0)

    for _ in range(400):  # a call that takes longer than any lease
        beats(other, 1)
        holder.beat(window=1, under_way=3, verdicts=0)
    held = "SELECT count(*) FROM job WHERE owner = ?"
    assert store.connection.execute(held, (FAR,)).fetchone()[0] == 3
    clock.forward(seconds=90)  # both wait for the disk; the other is the first to go on
    beats(other, 1)
    assert store.connection.execute(held, (FAR,)).fetchone()[0] == 3
    holder.beat(window=1, under_way=3, verdicts=0)
    beats(other, int(LEASE) - 1)
    assert store.connection.execute(held, (FAR,)).fetchone()[0] == 3
    beats(other, 4)
    assert store.connection.execute(held, (FAR,)).fetchone()[0] == 0, "it is dead for a minute"
    assert len(other.turn(Work(want=99)).leased) == 8
    assert holder.turn(Work(begins=one_each(leased))).begun == [GONE] * 3
