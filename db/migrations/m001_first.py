"""The first tables of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.migrations.scripts import append_only, run_script

if TYPE_CHECKING:
    from sqlite_utils import Database

_OUTCOMES = "'model_1', 'model_2', 'tie', 'both_bad'"
_SEEN = "'left', 'right', 'tie', 'both_bad'"

TABLES = f"""
CREATE TABLE study (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT, WITHOUT ROWID;

CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    format TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    imported_at TEXT NOT NULL,
    UNIQUE (name, format, sha256)
) STRICT;

CREATE TABLE text (
    hash TEXT PRIMARY KEY NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE model (
    name TEXT PRIMARY KEY NOT NULL,
    family TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE question (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    category TEXT,
    source_id INTEGER REFERENCES source (id)
) STRICT;

CREATE TABLE question_turn (
    question_id INTEGER NOT NULL REFERENCES question (id),
    turn INTEGER NOT NULL CHECK (turn >= 1),
    text_hash TEXT NOT NULL REFERENCES text (hash),
    PRIMARY KEY (question_id, turn)
) STRICT, WITHOUT ROWID;

CREATE TABLE reference_turn (
    question_id INTEGER NOT NULL REFERENCES question (id),
    turn INTEGER NOT NULL CHECK (turn >= 1),
    text_hash TEXT NOT NULL REFERENCES text (hash),
    PRIMARY KEY (question_id, turn)
) STRICT, WITHOUT ROWID;

CREATE TABLE answer (
    id INTEGER PRIMARY KEY,
    question_id INTEGER NOT NULL REFERENCES question (id),
    model TEXT NOT NULL REFERENCES model (name),
    system_prompt_hash TEXT REFERENCES text (hash),
    settings TEXT NOT NULL DEFAULT '{{}}' CHECK (json_valid(settings)),
    source_id INTEGER REFERENCES source (id),
    UNIQUE (question_id, model)
) STRICT;

CREATE TABLE answer_turn (
    answer_id INTEGER NOT NULL REFERENCES answer (id),
    turn INTEGER NOT NULL CHECK (turn >= 1),
    text_hash TEXT NOT NULL REFERENCES text (hash),
    PRIMARY KEY (answer_id, turn)
) STRICT, WITHOUT ROWID;

-- key names the pair on every host without naming a model: votes are chained and merged by it.
CREATE TABLE pair (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    question_id INTEGER NOT NULL REFERENCES question (id),
    model_1 TEXT NOT NULL,
    model_2 TEXT NOT NULL,
    answer_1 INTEGER NOT NULL REFERENCES answer (id),
    answer_2 INTEGER NOT NULL REFERENCES answer (id),
    CHECK (model_1 < model_2),
    UNIQUE (question_id, model_1, model_2)
) STRICT;

-- How pairs were chosen for voting, so that a sample can be weighted back to its population.
CREATE TABLE design (
    id INTEGER PRIMARY KEY,
    method TEXT NOT NULL,
    arguments TEXT NOT NULL CHECK (json_valid(arguments)),
    seed TEXT NOT NULL,
    population INTEGER NOT NULL,
    made_at TEXT NOT NULL
) STRICT;

-- load counts the assignments of a pair that are open or done; overlap is how many are wanted.
CREATE TABLE queue (
    pair_id INTEGER PRIMARY KEY REFERENCES pair (id),
    design_id INTEGER NOT NULL REFERENCES design (id),
    probability REAL NOT NULL CHECK (probability > 0 AND probability <= 1),
    overlap INTEGER NOT NULL CHECK (overlap >= 1),
    load INTEGER NOT NULL DEFAULT 0 CHECK (load >= 0)
) STRICT;
CREATE INDEX queue_by_load ON queue (load, overlap, pair_id);

CREATE TABLE annotator (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('annotator', 'lead')),
    "group" TEXT NOT NULL DEFAULT '',
    simulated INTEGER NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1)),
    attributes TEXT NOT NULL DEFAULT '{{}}' CHECK (json_valid(attributes)),
    added_at TEXT NOT NULL
) STRICT;

-- skipped_after: the vote log's length at a skip; undo takes back what came last, and clocks jump.
CREATE TABLE assignment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    annotator_id INTEGER NOT NULL REFERENCES annotator (id),
    repeat INTEGER NOT NULL DEFAULT 0,
    left INTEGER NOT NULL CHECK (left IN (1, 2)),
    policy TEXT NOT NULL,
    policy_version INTEGER NOT NULL,
    seed TEXT NOT NULL,
    probability REAL NOT NULL CHECK (probability > 0 AND probability <= 1),
    served_at TEXT NOT NULL,
    lease_until TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'skipped', 'expired', 'released')),
    reason TEXT NOT NULL DEFAULT '',
    closed_at TEXT,
    skipped_after INTEGER
) STRICT;
CREATE INDEX assignment_by_annotator ON assignment (annotator_id, pair_id, repeat);
CREATE INDEX assignment_open ON assignment (annotator_id, id) WHERE state = 'open';
CREATE INDEX assignment_lease ON assignment (lease_until) WHERE state = 'open';

-- What is typed but not yet voted, so that a dropped line loses no note.
CREATE TABLE draft (
    assignment_id INTEGER NOT NULL REFERENCES assignment (id),
    turn INTEGER NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    flag TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (assignment_id, turn)
) STRICT, WITHOUT ROWID;

CREATE TABLE vote (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    turn INTEGER NOT NULL CHECK (turn >= 0),
    annotator_id INTEGER NOT NULL REFERENCES annotator (id),
    identity TEXT NOT NULL,
    assignment_id INTEGER REFERENCES assignment (id),
    left INTEGER CHECK (left IN (1, 2)),
    seen TEXT CHECK (seen IN ({_SEEN})),
    choice TEXT CHECK (choice IN ({_OUTCOMES})),
    supersedes TEXT REFERENCES vote (id),
    confidence INTEGER,
    note TEXT NOT NULL DEFAULT '',
    flag TEXT NOT NULL DEFAULT '',
    active_seconds REAL CHECK (active_seconds >= 0),
    at TEXT NOT NULL,
    source_id INTEGER REFERENCES source (id),
    hash TEXT NOT NULL,
    CHECK (choice IS NOT NULL OR supersedes IS NOT NULL),
    CHECK ((seen IS NULL) = (choice IS NULL OR left IS NULL))
) STRICT;
CREATE UNIQUE INDEX vote_supersedes ON vote (supersedes) WHERE supersedes IS NOT NULL;
CREATE INDEX vote_by_pair ON vote (pair_id, turn);
CREATE INDEX vote_by_annotator ON vote (annotator_id, seq);
CREATE INDEX vote_by_assignment ON vote (assignment_id, turn) WHERE assignment_id IS NOT NULL;

CREATE TABLE judge (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    model TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    prompt TEXT NOT NULL,
    prompt_hash TEXT NOT NULL,
    parameters TEXT NOT NULL CHECK (json_valid(parameters)),
    revision TEXT NOT NULL,
    added_at TEXT NOT NULL
) STRICT;

CREATE TABLE verdict (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    turn INTEGER NOT NULL CHECK (turn >= 0),
    judge_id INTEGER NOT NULL REFERENCES judge (id),
    left INTEGER CHECK (left IN (1, 2)),
    repeat INTEGER NOT NULL DEFAULT 0 CHECK (repeat >= 0),
    status TEXT NOT NULL CHECK (
        status IN ('ok', 'unparsed', 'refused', 'truncated', 'filtered', 'failed')),
    seen TEXT CHECK (seen IN ({_SEEN})),
    choice TEXT CHECK (choice IN ({_OUTCOMES})),
    score_left REAL,
    score_right REAL,
    preference REAL CHECK (preference BETWEEN 0 AND 1),
    prompt TEXT NOT NULL DEFAULT '',
    prompt_hash TEXT NOT NULL DEFAULT '',
    label TEXT NOT NULL DEFAULT '',
    raw_hash TEXT REFERENCES text (hash),
    reasoning_hash TEXT REFERENCES text (hash),
    error TEXT NOT NULL DEFAULT '',
    tokens_in INTEGER,
    tokens_out INTEGER,
    latency REAL,
    cost REAL,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    supersedes TEXT REFERENCES verdict (id),
    at TEXT NOT NULL,
    source_id INTEGER REFERENCES source (id),
    hash TEXT NOT NULL,
    CHECK ((status = 'ok') = (choice IS NOT NULL)),
    CHECK ((seen IS NULL) = (choice IS NULL OR left IS NULL))
) STRICT;
CREATE UNIQUE INDEX verdict_supersedes ON verdict (supersedes) WHERE supersedes IS NOT NULL;
CREATE INDEX verdict_by_pair ON verdict (judge_id, pair_id, turn, left, repeat);

CREATE TABLE ruling (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    turn INTEGER NOT NULL CHECK (turn >= 0),
    lead_id INTEGER NOT NULL REFERENCES annotator (id),
    identity TEXT NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('blind', 'unmasked')),
    left INTEGER CHECK (left IN (1, 2)),
    choice TEXT NOT NULL CHECK (choice IN ({_OUTCOMES}, 'not_decidable', 'more_votes')),
    reason TEXT NOT NULL,
    shown TEXT NOT NULL CHECK (json_valid(shown)),
    queue_reason TEXT NOT NULL,
    queue_probability REAL CHECK (queue_probability > 0 AND queue_probability <= 1),
    supersedes TEXT REFERENCES ruling (id),
    at TEXT NOT NULL,
    source_id INTEGER REFERENCES source (id),
    hash TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX ruling_supersedes ON ruling (supersedes) WHERE supersedes IS NOT NULL;
CREATE INDEX ruling_by_pair ON ruling (pair_id, turn);

-- The end of each log: a log whose last rows were cut off no longer meets it.
CREATE TABLE chain_head (
    log TEXT PRIMARY KEY CHECK (log IN ('vote', 'verdict', 'ruling')),
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO chain_head VALUES ('vote', 0, ''), ('verdict', 0, ''), ('ruling', 0, '');
"""


def m001_first(db: Database) -> None:
    """Make the tables."""
    run_script(db, TABLES)
    for log in ("vote", "verdict", "ruling"):
        run_script(db, append_only(log))
