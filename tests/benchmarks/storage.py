"""Import rate and memory, and the rate of committed votes."""

from __future__ import annotations

import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from core.records import Seen
from db.store import Store
from db.voting import Cast
from tests.benchmarks.measure import Row, child, make_study, python, write_votes

VOTES = 200_000
COMMITS = 500


def rows() -> Iterator[Row]:
    """The storage's rows of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from _imports(folder)
        yield from _commits(folder)


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
