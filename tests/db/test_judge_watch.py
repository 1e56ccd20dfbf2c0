"""What a lead sees of the judges: right against an oracle, and cheap however long the log is."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.blinding import meant
from core.errors import Conflict, NotForAnnotators
from core.records import (
    Annotator,
    Choice,
    Combined,
    Judge,
    Pair,
    Seen,
    Verdict,
    VerdictStatus,
    combine,
)
from core.times import stamp
from db.judge_control import JudgeControl
from db.judge_counts import TOGETHER, Pace, Told, VerdictCounts, quantile
from db.judge_horizon import horizon
from db.judge_left import Scope
from db.judge_lists import calls_of, failures_by_class, last_verdicts, successor
from db.judge_queue import JudgeQueue
from db.judge_watch import JudgeFeed, queue_failed
from db.judge_work import Begin, End, Work
from db.processes import process_name
from db.store import Store
from tests.studies import FakeClock, make_study
from tests.watching import ADDRESSES, MOMENT, watched_study

NAMES = ("j", "k")
PAIRS = (Pair("q1", "ant", "bee"), Pair("q2", "ant", "bee"))
FAILURES = ("", "timed out", "no verdict")


def counted(store: Store, counts: VerdictCounts, name: str) -> Told:
    with store.read() as connection:
        counts.catch_up(connection, 0.0)
        (number,) = connection.execute("SELECT id FROM judge WHERE name = ?", (name,)).fetchone()
    return counts.told(number, store.clock(), None)


# ── against an oracle ───────────────────────────────────────────────────────

_SAID = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(PAIRS),
    st.integers(0, 2),  # turn
    st.sampled_from([1, 2]),  # left
    st.integers(0, 1),  # repeat
    st.none() | st.sampled_from(Seen),
    st.sampled_from(FAILURES),
)


def expected(store: Store, name: str) -> tuple[int, dict[str, int], int, dict[Combined, int]]:
    """Verdicts with a choice, failures by class, replaced ones, and what both orders say."""
    mine = [
        record
        for record in store.reading.records()
        if isinstance(record, Verdict) and record.judge == name
    ]
    replaced = {verdict.supersedes for verdict in mine} - {None}
    standing = [verdict for verdict in mine if verdict.id not in replaced]
    failures = Counter(
        verdict.failure or verdict.status.value for verdict in standing if verdict.choice is None
    )
    cells = {
        (verdict.pair, verdict.turn, verdict.left): verdict.choice
        for verdict in standing
        if verdict.repeat == 0 and verdict.choice is not None
    }
    orders = Counter(
        combine(choice, cells[pair, turn, 2])[0]
        for (pair, turn, left), choice in cells.items()
        if left == 1 and (pair, turn, 2) in cells
    )
    return (
        sum(verdict.choice is not None for verdict in standing),
        dict(failures),
        len(replaced),
        {kind: orders[kind] for kind in TOGETHER},
    )


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(_SAID, max_size=6), max_size=5))
def test_counting_what_is_new_comes_to_the_same_as_counting_all(
    tmp_path_factory: pytest.TempPathFactory, portions: list[list[tuple[object, ...]]]
) -> None:
    study = make_study(tmp_path_factory.mktemp("study") / "study.db")
    with Store(study) as store:
        for name in NAMES:
            store.judging.add(Judge(name, "openai", "m"))
        step_by_step = VerdictCounts()
        last: dict[tuple[object, ...], str] = {}
        number = 0
        for portion in portions:
            verdicts = []
            for judge, pair, turn, left, repeat, seen, failure in portion:
                number += 1
                cell = (judge, pair, turn, left, repeat)
                is_ok = seen is not None
                verdicts.append(
                    Verdict(
                        f"v{number}",
                        pair,
                        turn,
                        judge,
                        VerdictStatus.OK if is_ok else VerdictStatus.FAILED,
                        meant(seen, left) if is_ok else None,
                        left,
                        repeat,
                        failure="" if is_ok else failure,
                        supersedes=last.get(cell),
                        at=store.now(),
                    )
                )
                last[cell] = f"v{number}"
            store.judging.record(verdicts)
            for name in NAMES:
                ok, failures, replaced, orders = expected(store, name)
                for counts in (step_by_step, VerdictCounts()):
                    told = counted(store, counts, name)
                    assert (told.ok, dict(told.failures), told.superseded) == (
                        ok,
                        failures,
                        replaced,
                    )
                    assert told.orders == orders


# ── what it costs ───────────────────────────────────────────────────────────


@contextmanager
def steps(connection: sqlite3.Connection) -> Iterator[list[int]]:
    """How much SQLite does in the block, in hundreds of its virtual machine's instructions."""
    done = [0]

    def count() -> int:
        done[0] += 1
        return 0

    connection.set_progress_handler(count, 100)
    try:
        yield done
    finally:
        connection.set_progress_handler(None, 0)


def add_verdicts(study: Path, turns: range, fails: int = 9) -> None:
    """Two orders for each of 200 pairs on each of these turns; one of ``fails`` failed."""
    with sqlite3.connect(study) as connection:
        connection.execute(
            "WITH RECURSIVE t (turn) AS (SELECT :first UNION ALL SELECT turn + 1 FROM t "
            "WHERE turn + 1 < :end) "
            "INSERT INTO verdict (id, pair_id, turn, judge_id, left, status, seen, choice, "
            "failure, latency, tokens_in, attempts, at, hash) "
            "SELECT p.id || '.' || turn || '.' || value, p.id, turn, 1, value, "
            "iif((p.id + turn) % :fails, 'ok', 'failed'), "
            "iif((p.id + turn) % :fails, 'tie', NULL), iif((p.id + turn) % :fails, 'tie', NULL), "
            "iif((p.id + turn) % :fails, NULL, 'timed out'), "
            "0.5, 10, 1, '2024-03-01T09:00:00.000Z', 'x' "
            "FROM t JOIN pair p JOIN json_each('[1,2]') WHERE p.id <= 200",
            {"first": turns.start, "end": turns.stop, "fails": fails},
        )
    connection.close()


def test_a_look_at_a_long_log_reads_what_is_new(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", questions=200)
    with Store(study, clock=FakeClock()) as store:
        store.judging.add(Judge("j", "openai", "m"))
        add_verdicts(study, range(1, 501))
        feed = JudgeFeed(store)
        with steps(store.connection) as first:
            told = feed.look().judges[0].told
        assert told.ok + told.failed == 200_000
        assert told.orders[Combined.CONSISTENT] * 2 == told.ok
        add_verdicts(study, range(501, 502))
        assert feed.stale()
        feed._next_count = math.inf  # the pairs of a large study are counted rarely
        with steps(store.connection) as second:
            told = feed.look().judges[0].told
        assert told.ok + told.failed == 200_400
        assert not feed.stale()
        with steps(store.connection) as third:
            feed.look()
        # 400 of 200,000 verdicts are new: a 500th part of the work, and next to none without.
        assert second[0] < first[0] / 100
        assert third[0] < 50
        assert first[0] > 10_000


# ── pace ────────────────────────────────────────────────────────────────────


def test_the_pace_is_that_of_the_last_minute_or_of_a_run_that_is_younger() -> None:
    pace = Pace()
    for second in range(200):
        pace.add(1000 + second, 2)
    assert pace.since(1140) == 120
    assert pace.since(1000) == 400
    pace.forget(1100)
    assert pace.since(1000) == 200  # as far back as it is known
    assert pace.since(1199) == 2


def test_seconds_that_come_in_another_order_are_counted() -> None:
    pace = Pace()
    for second in (1010, 1005, 1012, 1003, 1011):
        pace.add(second, 1)
    assert pace.since(1005) == 4
    assert pace.since(1011) == 2


def test_rates_and_latencies(tmp_path: Path) -> None:
    clock = FakeClock()
    study = make_study(tmp_path / "study.db", questions=30, clock=clock)
    with Store(study, clock=clock) as store:
        store.judging.add(Judge("j", "openai", "m"))
        store.judging.record(
            [
                Verdict(
                    f"v{n}", Pair(f"q{n % 30 + 1}", "ant", "bee"), 1 + n // 30, "j",
                    VerdictStatus.OK, meant(Seen.TIE, 1), 1, latency=n / 100, cost=0.5,
                    tokens_in=10, tokens_out=2, at=stamp(clock.moment - timedelta(seconds=100 - n)),
                )
                for n in range(100)
            ]
        )  # fmt: skip
        counts = VerdictCounts()
        now = clock.moment.timestamp()
        with store.read() as connection:
            counts.catch_up(connection, now - 100)
        idle, young, old = (
            counts.told(1, clock.moment, began) for began in (None, now - 20, now - 100)
        )
    assert idle.per_second == pytest.approx(1.0, abs=0.02)
    assert idle.overall is None
    assert young.per_second == young.overall == pytest.approx(1.0, abs=0.06)
    assert (old.per_second, old.overall) == (pytest.approx(1.0, abs=0.02), pytest.approx(1.0))
    assert (idle.median, idle.p95) == (0.5, 0.95)
    assert (idle.tokens_in, idle.tokens_out, idle.cost) == (1000, 200, 50.0)


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert quantile([], 0.5) is None
    assert quantile([3.0], 0.95) == 3.0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0


# ── the whole view ──────────────────────────────────────────────────────────


def test_a_judge_at_work_is_seen_with_its_queue_workers_and_addresses(tmp_path: Path) -> None:
    study = watched_study(tmp_path / "study.db")
    with Store(study, clock=lambda: MOMENT) as store:
        watch = JudgeFeed(store).look()
        assert [judge.name for judge in watch.judges] == ["longer", "local", "strict"]
        longer, local, strict = watch.judges
        assert watch.is_busy
        assert (longer.state, longer.left, longer.told.ok) == ("done", 0, 80)
        assert (local.state, local.leased, local.waiting, local.todo) == ("at work", 5, 7, 8)
        assert local.left == 80 - 60
        assert [worker.pid for worker in local.workers] == [4711, 4712]
        assert local.told.ok + local.told.failed == 60
        assert local.cost_left == pytest.approx(5.0 - 0.066)
        assert local.seconds_left is not None
        assert strict.state == "paused"
        assert strict.seconds_left is None
        first, second = local.endpoints
        assert (first.address, second.address) == ADDRESSES
        assert (first.under_way, first.failing) == (5, 0)
        assert (second.under_way, second.failing) == (0, 5)
        assert first.found == {"models": ["judge-7b"]}
        assert strict.endpoints[0].address == ADDRESSES[0]


def test_a_worker_that_died_or_was_not_seen_any_more_works_no_more(tmp_path: Path) -> None:
    study = watched_study(tmp_path / "study.db")
    later = MOMENT + timedelta(minutes=1)
    with Store(study, clock=lambda: later) as store:
        feed = JudgeFeed(store)
        assert not feed.look().is_busy
        JudgeQueue(store, "strict", process_name()).enter()
        host, pid, _, chance = process_name().rsplit("/", 3)
        JudgeQueue(
            store, "local", f"{host}/{pid}/1/{chance}"
        ).enter()  # one before this of that pid
        watch = feed.look()
        assert [len(judge.workers) for judge in watch.judges] == [0, 0, 1]


def test_an_imported_judge_has_nothing_left(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db")
    with Store(study) as store:
        store.judging.add(Judge("j", "imported"))
        (judge,) = JudgeFeed(store).look().judges
    assert (judge.state, judge.left) == ("imported", 0)


def test_nothing_is_written_by_looking(tmp_path: Path) -> None:
    study = watched_study(tmp_path / "study.db")
    with Store(study, untouched=True) as store:
        assert JudgeFeed(store).look().judges[1].told.ok > 40


def test_an_annotators_connection_reads_nothing_of_it(tmp_path: Path) -> None:
    study = watched_study(tmp_path / "study.db")
    looks: list[Callable[[Store], object]] = [
        lambda store: JudgeFeed(store).look(),
        lambda store: last_verdicts(store, "local", None, 1),
        lambda store: failures_by_class(store, None),
        lambda store: calls_of(store, "earlier 1"),
        lambda store: store.reading.verdict("0"),
        lambda store: horizon(store, "local"),
    ]
    with Store(study, blind_for=Annotator("ann")) as store:
        for look in looks:
            with pytest.raises(NotForAnnotators):
                look(store)


# ── what is behind a number ─────────────────────────────────────────────────


def test_failures_are_listed_newest_first_and_leave_with_their_successor(tmp_path: Path) -> None:
    study = watched_study(tmp_path / "study.db")
    with Store(study) as store:
        counts = failures_by_class(store, "local")
        told = JudgeFeed(store).look().judges[1].told
        assert counts == dict(told.failures)
        kind = next(iter(counts))
        listed = last_verdicts(store, "local", kind, 100)
        assert len(listed) == counts[kind]
        assert [one.at for one in listed] == sorted((one.at for one in listed), reverse=True)
        assert len(last_verdicts(store, "local", None, 2)) == 2
        whole = store.reading.verdict(listed[0].id)
        assert whole.failure == kind
        assert store.reading.verdict(listed[0].id[:9]) == whole
        again = Verdict(
            "again", whole.pair, whole.turn, "local", VerdictStatus.OK, meant(Seen.TIE, 1),
            whole.left, supersedes=whole.id, at=whole.at,
        )  # fmt: skip
        assert successor(store, whole.id) is None
        store.judging.record([again])
        assert successor(store, whole.id) == "again"
        assert whole.id not in [one.id for one in last_verdicts(store, "local", None, 100)]
        assert (
            failures_by_class(store, "local")[kind] == counts[kind] - 1 if counts[kind] > 1 else 1
        )
        with pytest.raises(Conflict, match="no verdict's id begins"):
            store.reading.verdict("nothing like it")
        with pytest.raises(Conflict, match="more than one"):
            store.reading.verdict("")


def test_the_calls_of_a_verdict(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=2)
    with Store(path) as store:
        store.judging.add(Judge("j", "openai", "m"))
        given = [
            Verdict(name, Pair("q1", "ant", "bee"), 1, "j", VerdictStatus.OK, Choice.TIE, left=1,
                    repeat=repeat, attempts=2, latency=900.0, at=stamp(MOMENT))
            for repeat, name in enumerate(("asked", "batch"))
        ]  # fmt: skip
        store.judging.record(given)
        store.judging.record([replace(given[0], id="reread", attempts=0, supersedes="asked")])
        days = {-3 * 86_400: "rate limited", -900: "ok", 1: "other"}
        with store.write() as connection:
            for seconds, outcome in days.items():
                connection.execute(
                    "INSERT INTO attempt (call, judge_id, owner, begun_at, ended_at, outcome) "
                    "SELECT ?1, id, 'o', ?2, ?2, ?3 FROM judge WHERE name = 'j'",
                    (
                        "else" if outcome == "other" else "asked",
                        stamp(MOMENT + timedelta(seconds=seconds)),
                        outcome,
                    ),
                )
        assert [call.outcome for call in calls_of(store, "asked")] == ["rate limited", "ok"]
        assert calls_of(store, "batch") == calls_of(store, "reread") == []
        assert calls_of(store, "no such") == []


def test_a_verdict_that_shares_its_call_shows_it(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=2, models=("ant", "bee", "cow"))
    with Store(path) as store:
        store.judging.add(Judge("j", "openai", "m", prompt="ranking explain=none"))
        queue = JudgeQueue(store, "j", process_name())
        queue.enter()
        for portion in queue.frontier(Scope(calls_by="question"), _named).portions():
            queue.fill(portion)
        leased = queue.turn(Work(want=3)).leased
        (begun,) = queue.turn(
            Work(begins=[Begin(leased[0].call, tuple(job.id for job in leased), "http://a/v1")])
        ).begun
        verdicts = [
            Verdict(job.key, asked.pair, job.turn, "j", VerdictStatus.FAILED, left=job.left)
            for job, asked in zip(leased, queue.asked(leased), strict=True)
        ]
        queue.turn(Work(verdicts=verdicts, ends=[End(begun, "no ranking")]))
        for one in verdicts:
            assert [call.outcome for call in calls_of(store, one.id)] == ["no ranking"]
        (line,) = last_verdicts(store, "j", None, 20)
        assert (line.pairs, line.id) == (3, verdicts[-1].id), "one call, one line"
        assert failures_by_class(store, "j") == {"failed": 3}


def test_pairs_of_one_question_that_failed_alike_are_lines_of_their_own(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=1, models=("ant", "bee", "cow"))
    with Store(path) as store:
        store.judging.add(Judge("j", "openai", "m", prompt="pairwise"))
        store.judging.record(
            [
                Verdict(f"{one}{two}", Pair("q1", one, two), 1, "j", VerdictStatus.FAILED, left=1)
                for one, two in (("ant", "bee"), ("ant", "cow"), ("bee", "cow"))
            ]
        )
        assert [one.pairs for one in last_verdicts(store, "j", None, 20)] == [1, 1, 1]


def test_calls_are_found_without_reading_all_that_were_ever_made(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=2)
    moment = MOMENT
    with Store(path) as store:
        store.judging.add(Judge("j", "openai", "m"))
        rows = [
            (f"call {n}", stamp(moment + timedelta(seconds=n / 10)), "ok" if n % 9 else "lost")
            for n in range(40_000)
        ]
        with store.write() as connection:
            connection.executemany(
                "INSERT INTO attempt (call, judge_id, owner, begun_at, ended_at, outcome) "
                "SELECT ?1, id, 'o', ?2, ?2, ?3 FROM judge WHERE name = 'j'",
                rows,
            )
        given = [
            Verdict(
                f"call {n}", Pair("q1", "ant", "bee"), 1, "j", VerdictStatus.FAILED, left=1,
                repeat=n, attempts=1, at=stamp(moment + timedelta(seconds=n / 10 + 3)),
            )
            for n in (50, 20_000, 39_000)
        ]  # fmt: skip
        older = replace(given[2], id="call 9", repeat=8)  # its call, lost, is hours older than it
        batch = replace(given[2], id="by file", repeat=9, attempts=3)  # its calls are in no log
        store.judging.record([*given, older, batch])
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 100
            return 0

        store.connection.set_progress_handler(count, 100)
        took = {}
        for one in (*given, older, batch):
            steps = 0
            assert len(calls_of(store, one.id)) == (one.id != "by file"), one.id
            took[one.id] = steps
        steps = 0
        store.connection.execute("SELECT count(*) FROM attempt WHERE call IN ('x', 'y')").fetchone()
        whole = steps
        store.connection.set_progress_handler(None, 0)
    assert max(took["call 50"], took["call 20000"], took["call 39000"]) < whole / 4
    assert max(took["call 9"], took["by file"]) < whole * 0.75, "failed ones, and a few more"


def test_what_a_dead_process_held_waits(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=3)
    with Store(path) as store:
        store.judging.add(Judge("j", "openai", "m"))
        host, pid, _, chance = process_name().rsplit("/", 3)
        queue = JudgeQueue(store, "j", f"{host}/{pid}/1/{chance}")
        queue.enter()
        for portion in queue.frontier(Scope(), _named).portions():
            queue.fill(portion)
        queue.turn(Work(want=4))
        (judge,) = JudgeFeed(store).look().judges
        assert (judge.waiting, judge.leased, judge.state) == (6, 0, "idle")
        assert JudgeControl(store).status("j").workers == []


def test_few_failures_are_found_without_reading_the_log(tmp_path: Path) -> None:
    study = watched_study(tmp_path / "study.db")
    add_verdicts(study, range(10, 120), fails=10**6)
    with Store(study) as store, steps(store.connection) as taken:
        last_verdicts(store, "local", None, 20)
        failures_by_class(store, "local")
        before = sum(taken)
    add_verdicts(study, range(120, 1200), fails=10**6)
    with Store(study) as store, steps(store.connection) as taken:
        last_verdicts(store, "local", None, 20)
        failures_by_class(store, "local")
        assert sum(taken) < 2 * before + 10


def _named(pair: str, turn: int, left: int, repeat: int) -> str:
    return f"{pair}.{turn}.{left}.{repeat}"


def test_what_failed_is_put_in_the_queue_once(tmp_path: Path) -> None:
    study = watched_study(tmp_path / "study.db")
    with Store(study) as store:
        failed = sum(failures_by_class(store, "local").values())
        assert queue_failed(store, "local") == failed > 0
        assert queue_failed(store, "local") == 0
        judge = JudgeFeed(store).look().judges[1]
        assert judge.waiting == 7 + failed
        assert judge.todo == 8  # what is tried again was judged already
        assert JudgeControl(store).cancel("local") == 7 + failed
