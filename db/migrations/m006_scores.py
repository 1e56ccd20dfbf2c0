"""Scores that models have on automatic benchmarks, to stand beside what people say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.migrations.scripts import run_script

if TYPE_CHECKING:
    from sqlite_utils import Database

# A benchmark may have scored models that answered nothing here, so model names no other table.
# low and high are the ends of the benchmark's own interval, of whatever level it is told with.
SCORE = """
CREATE TABLE score (
    id INTEGER PRIMARY KEY,
    benchmark TEXT NOT NULL CHECK (benchmark <> ''),
    model TEXT NOT NULL CHECK (model <> ''),
    score REAL NOT NULL,
    low REAL,
    high REAL,
    source_id INTEGER REFERENCES source (id),
    added_at TEXT NOT NULL,
    UNIQUE (benchmark, model),
    CHECK ((low IS NULL) = (high IS NULL)),
    CHECK (low <= score AND score <= high)
) STRICT;
"""


def m006_scores(db: Database) -> None:
    """Make the table of benchmark scores."""
    run_script(db, SCORE)
