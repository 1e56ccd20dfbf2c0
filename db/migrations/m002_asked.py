"""What can be asked beyond the four outcomes, marked repeats, practice and qualification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.migrations.scripts import append_only, run_script

if TYPE_CHECKING:
    from sqlite_utils import Database

_OUTCOMES = "'model_1', 'model_2', 'tie', 'both_bad'"
_SEEN = "'left', 'right', 'tie', 'both_bad'"

# SQLite changes no CHECK in place: the table is made anew and takes the old one's name.
ASSIGNMENT = """
CREATE TABLE assignment_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    annotator_id INTEGER NOT NULL REFERENCES annotator (id),
    repeat INTEGER NOT NULL DEFAULT 0 CHECK (repeat >= 0),
    left INTEGER NOT NULL CHECK (left IN (1, 2)),
    policy TEXT NOT NULL,
    policy_version INTEGER NOT NULL,
    seed TEXT NOT NULL,
    probability REAL NOT NULL CHECK (probability > 0 AND probability <= 1),
    served_at TEXT NOT NULL,
    lease_until TEXT NOT NULL,
    state TEXT NOT NULL CHECK (
        state IN ('open', 'done', 'skipped', 'declined', 'expired', 'released')),
    reason TEXT NOT NULL DEFAULT '',
    closed_at TEXT,
    skipped_after INTEGER
) STRICT;
INSERT INTO assignment_new SELECT id, uid, pair_id, annotator_id, repeat, left, policy,
    policy_version, seed, probability, served_at, lease_until, state, reason, closed_at,
    skipped_after FROM assignment;
DROP TABLE assignment;
ALTER TABLE assignment_new RENAME TO assignment;
CREATE INDEX assignment_by_annotator ON assignment (annotator_id, pair_id, repeat);
CREATE INDEX assignment_open ON assignment (annotator_id, id) WHERE state = 'open';
CREATE INDEX assignment_lease ON assignment (lease_until) WHERE state = 'open';
"""

# cannot_judge holds why the annotator gave none of the four outcomes; criteria is an object
# from criterion to outcome, tags a list of texts.
VOTE = f"""
CREATE TABLE vote_new (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    turn INTEGER NOT NULL CHECK (turn >= 0),
    annotator_id INTEGER NOT NULL REFERENCES annotator (id),
    identity TEXT NOT NULL,
    assignment_id INTEGER REFERENCES assignment (id),
    repeat INTEGER NOT NULL DEFAULT 0 CHECK (repeat >= 0),
    left INTEGER CHECK (left IN (1, 2)),
    seen TEXT CHECK (seen IN ({_SEEN})),
    choice TEXT CHECK (choice IN ({_OUTCOMES})),
    cannot_judge TEXT CHECK (cannot_judge <> ''),
    supersedes TEXT REFERENCES vote_new (id),
    confidence INTEGER,
    tags TEXT CHECK (json_type(tags) = 'array'),
    criteria TEXT CHECK (json_type(criteria) = 'object'),
    note TEXT NOT NULL DEFAULT '',
    flag TEXT NOT NULL DEFAULT '',
    active_seconds REAL CHECK (active_seconds >= 0),
    at TEXT NOT NULL,
    source_id INTEGER REFERENCES source (id),
    hash TEXT NOT NULL,
    CHECK (choice IS NOT NULL OR supersedes IS NOT NULL OR cannot_judge IS NOT NULL),
    CHECK (choice IS NULL OR cannot_judge IS NULL),
    CHECK ((seen IS NULL) = (choice IS NULL OR left IS NULL))
) STRICT;
INSERT INTO vote_new (seq, id, pair_id, turn, annotator_id, identity, assignment_id, left, seen,
    choice, supersedes, confidence, note, flag, active_seconds, at, source_id, hash)
    SELECT seq, id, pair_id, turn, annotator_id, identity, assignment_id, left, seen,
    choice, supersedes, confidence, note, flag, active_seconds, at, source_id, hash
    FROM vote ORDER BY seq;
DROP TABLE vote;
ALTER TABLE vote_new RENAME TO vote;
CREATE UNIQUE INDEX vote_supersedes ON vote (supersedes) WHERE supersedes IS NOT NULL;
CREATE INDEX vote_by_pair ON vote (pair_id, turn);
CREATE INDEX vote_by_annotator ON vote (annotator_id, seq);
CREATE INDEX vote_by_assignment ON vote (assignment_id, turn) WHERE assignment_id IS NOT NULL;
"""

# A trial is a vote on a lesson: it lies apart from votes, so that no number can count it.
LESSONS = f"""
CREATE TABLE lesson (
    id INTEGER PRIMARY KEY,
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    turn INTEGER NOT NULL CHECK (turn >= 0),
    use TEXT NOT NULL CHECK (use IN ('practice', 'qualification')),
    choice TEXT NOT NULL CHECK (choice IN ({_OUTCOMES})),
    why TEXT NOT NULL DEFAULT '',
    added_at TEXT NOT NULL,
    source_id INTEGER REFERENCES source (id),
    UNIQUE (pair_id, turn, use)
) STRICT;

CREATE TABLE trial (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    lesson_id INTEGER NOT NULL REFERENCES lesson (id),
    annotator_id INTEGER NOT NULL REFERENCES annotator (id),
    identity TEXT NOT NULL,
    round INTEGER NOT NULL CHECK (round >= 1),
    left INTEGER NOT NULL CHECK (left IN (1, 2)),
    seen TEXT CHECK (seen IN ({_SEEN})),
    choice TEXT CHECK (choice IN ({_OUTCOMES})),
    active_seconds REAL CHECK (active_seconds >= 0),
    at TEXT NOT NULL,
    CHECK ((seen IS NULL) = (choice IS NULL)),
    UNIQUE (lesson_id, annotator_id, round)
) STRICT;
CREATE INDEX trial_by_annotator ON trial (annotator_id, round, lesson_id);
"""


def m002_asked(db: Database) -> None:
    """Make ``assignment`` and ``vote`` anew with more to say, and the tables of lessons."""
    run_script(db, ASSIGNMENT)
    run_script(db, VOTE)
    run_script(db, append_only("vote"))
    run_script(db, LESSONS)
