"""One's own history: how soon a screen of it is there, and how long a search of all of it takes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from core.seeking import Wanted
from db import chain
from db.store import Store
from tests.benchmarks.measure import Row, interleaved, make_study

VOTES = 20_000
NOWHERE = "nowhere"
"""A word that no text holds: the search that takes longest."""


def rows() -> Iterator[Row]:
    """The history's rows of the table."""
    with tempfile.TemporaryDirectory() as name:
        yield from _on(Path(name) / "short.db", VOTES // 6 + 1, 2000, "2 KB")
        yield from _on(Path(name) / "long.db", 24, 1 << 20, "1 MiB")


def _on(study: Path, questions: int, size: int, answers: str) -> Iterator[Row]:
    make_study(study, questions, size)
    with Store(study) as store:
        who = _cast_many(store)
        votes = f"{VOTES:,} own votes, {answers}"

        def first_screen() -> None:
            seqs = [seq for seq, _ in islice(store.history.sift(who, Wanted("")), 40)]
            store.history.look_up(who, seqs)

        def all_of_them() -> None:
            assert sum(fits for _, fits in store.history.sift(who, Wanted(""))) == VOTES

        def search() -> None:
            assert not any(fits for _, fits in store.history.sift(who, Wanted(NOWHERE)))

        def bare_list() -> None:
            query = "SELECT seq, seen, note FROM vote WHERE annotator_id = ? ORDER BY seq DESC"
            assert len(store.connection.execute(query, (who,)).fetchall()) == VOTES

        def bare_search() -> None:
            query = "SELECT sum(instr(lower(body), ?)) FROM text"
            assert store.connection.execute(query, (NOWHERE,)).fetchone() == (0,)

        bare = "one SELECT of all"
        yield _row(f"first of {votes}", first_screen, bare_list, bare)
        yield _row(f"list {votes}", all_of_them, bare_list, bare)
        yield _row(f"search {votes}", search, bare_search, "SQL instr, each text once")


def _row(what: str, ours: Callable[[], None], baseline: Callable[[], None], name: str) -> Row:
    mine, its = interleaved(3, lambda: _timed(ours), lambda: _timed(baseline))
    return Row(what, 1000 * min(mine), 1000 * min(its), "ms", name)


def _timed(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _cast_many(store: Store) -> int:
    """Votes by one annotator on the study's pairs, round and round, in one transaction."""
    who = store.annotator("bench")
    pairs = store.connection.execute("SELECT id, key FROM pair ORDER BY id").fetchall()
    now = store.now()
    votes = []
    with store.write() as connection:
        for number in range(VOTES):
            pair_id, key = pairs[number % len(pairs)]
            (assignment,) = connection.execute(
                "INSERT INTO assignment (uid, pair_id, annotator_id, left, policy, policy_version, "
                "seed, probability, served_at, lease_until, state) "
                "VALUES (?, ?, ?, 1, 'bench', 1, '', 1, ?, ?, 'done') RETURNING id",
                (f"a{number}", pair_id, who, now, now),
            ).fetchone()
            votes.append(_vote(number, pair_id, key, who, assignment, now))
        chain.append(connection, "vote", votes)
    return who


def _vote(
    number: int, pair_id: int, key: str, who: int, assignment: int, now: str
) -> dict[str, object]:
    return {
        "id": f"v{number}", "pair": key, "pair_id": pair_id, "turn": 1, "annotator": "bench",
        "annotator_id": who, "identity": "", "assignment": f"a{number}",
        "assignment_id": assignment, "repeat": 0, "left": 1, "seen": "tie", "choice": "tie",
        "cannot_judge": None, "supersedes": None, "confidence": None, "tags": None,
        "criteria": None, "note": "", "flag": "", "active_seconds": 1.0,
        "policy": "bench/1", "probability": 1.0, "shown": "", "at": now, "source": None,
        "source_id": None,
    }  # fmt: skip
