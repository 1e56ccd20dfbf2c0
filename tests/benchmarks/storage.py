"""Import rate and memory, the rate of committed votes, and draws from a large queue."""

from __future__ import annotations

import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from core.records import Seen
from db.store import Store
from db.voting import Cast
from tests.benchmarks.measure import Row, child, make_study, python, write_votes

VOTES = 200_000
COMMITS = 500
QUESTIONS = 16_667
"""Of four answers each: 100,002 pairs."""
DRAWS = 50

_PLAIN = """
    SELECT q.pair_id FROM queue q WHERE q.load < q.overlap
      AND NOT EXISTS (SELECT 1 FROM assignment a WHERE a.annotator_id = ? AND a.pair_id = q.pair_id)
    ORDER BY random() LIMIT 1
"""
"""What one would write who knows nothing of strata or groups: uniform, without a probability."""


def rows() -> Iterator[Row]:
    """The storage's rows of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from _imports(folder)
        yield from _commits(folder)
        yield from _draws(folder)


def _imports(folder: Path) -> Iterator[Row]:
    source = write_votes(folder / "votes.jsonl", VOTES)
    study, table = folder / "study.db", folder / "table.db"
    base = child(python("-m", "sqlite_utils", "insert", str(table), "votes", str(source), "--nl"))
    ours = child(python("-m", "tui", "--db", str(study), "import", str(source)))
    name = "sqlite-utils insert"
    yield Row(
        f"import, {VOTES:,} votes", VOTES / ours.seconds, VOTES / base.seconds, "rows/s", name
    )
    yield Row("import, peak memory", ours.peak, base.peak, "MiB", name)
    again = child(python("-m", "tui", "--db", str(study), "import", str(source)))
    yield Row(
        "import again, nothing new", VOTES / again.seconds, VOTES / base.seconds, "rows/s", name
    )


def _commits(folder: Path) -> Iterator[Row]:
    study = make_study(folder / "commits.db", 100, 2000)
    with Store(study) as store:
        annotator = store.annotator("bench")
        votes = 0
        began = time.perf_counter()
        while votes < COMMITS:
            served = store.serving.serve(annotator)
            assert served is not None
            store.voting.cast(
                annotator, "local:bench", Cast(uuid.uuid4().hex, served.assignment, 1, Seen.TIE)
            )
            votes += 1
        ours = votes / (time.perf_counter() - began)
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE vote (id TEXT PRIMARY KEY, pair INTEGER, choice TEXT)"
    )
    began = time.perf_counter()
    for number in range(COMMITS):
        connection.execute("INSERT INTO vote VALUES (?, ?, 'tie')", (uuid.uuid4().hex, number))
    bare = COMMITS / (time.perf_counter() - began)
    connection.close()
    yield Row("serve and commit a vote", ours, bare, "votes/s", "one bare INSERT, same pragmas")


def _draws(folder: Path) -> Iterator[Row]:
    study = make_study(folder / "draws.db", QUESTIONS, 40, overlap=3)
    what, name = "draw from 100,000 pairs, median", "ORDER BY random(), unrecorded"
    with Store(study) as store:
        me = store.annotator("bench", group="expert")
        yield Row(what, _drawn(store, me), _plainly(store, me), "ms", name)
        _fill_half(store, store.annotator("other", group="expert"))
        store.set({"overlap_by_group": "expert=1, crowd=2"})
    with Store(study) as store:
        by_group = f"{what}, by group"
        yield Row(by_group, _drawn(store, me), _plainly(store, me), "ms", name)


def _fill_half(store: Store, other: int) -> None:
    """Let every second pair have the one vote that it wants of its group."""
    half = "WHERE pair_id % 2 = 0"
    with store.write() as connection:
        connection.execute(
            "INSERT INTO assignment (uid, pair_id, annotator_id, repeat, left, policy, "
            "policy_version, seed, probability, served_at, lease_until, state) "
            "SELECT pair_id, pair_id, ?, 0, 1, 'bench', 1, '', 1, '', '', 'done' "
            f"FROM queue {half}",
            (other,),
        )
        connection.execute(f"UPDATE queue SET load = load + 1, load_1 = load_1 + 1 {half}")


def _drawn(store: Store, annotator: int) -> float:
    """Milliseconds to serve a pair, its texts and its commit included."""
    took = []
    for _ in range(DRAWS):
        began = time.perf_counter()
        served = store.serving.serve(annotator)
        took.append(time.perf_counter() - began)
        assert served is not None
        store.voting.skip(annotator, served.assignment)
    return 1000 * median(took)


def _plainly(store: Store, annotator: int) -> float:
    """Milliseconds to find a pair, and no more."""
    took = []
    for _ in range(DRAWS):
        began = time.perf_counter()
        store.connection.execute(_PLAIN, (annotator,)).fetchall()
        took.append(time.perf_counter() - began)
    return 1000 * median(took)
