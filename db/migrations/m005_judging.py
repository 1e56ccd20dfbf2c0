"""How a verdict came about, where a judge is reached, panels of judges, and their work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.migrations.scripts import run_script

if TYPE_CHECKING:
    from sqlite_utils import Database

# failure names why there is no choice, in one word or two; error stays the whole sentence.
# sent_hash covers the messages and parameters as they were sent. probabilities is an object
# from outcome as the judge saw it to its share. served_model is what the server said it is.
# The index holds failures only: a lead looks for a few of them in a log of any length.
VERDICT = """
ALTER TABLE verdict ADD COLUMN failure TEXT CHECK (failure <> '');
ALTER TABLE verdict ADD COLUMN sent_hash TEXT CHECK (sent_hash <> '');
ALTER TABLE verdict ADD COLUMN probabilities TEXT CHECK (json_type(probabilities) = 'object');
ALTER TABLE verdict ADD COLUMN endpoint TEXT CHECK (endpoint <> '');
ALTER TABLE verdict ADD COLUMN served_model TEXT CHECK (served_model <> '');
CREATE INDEX verdict_failed ON verdict (seq) WHERE status <> 'ok';
"""

# One judge may be served from several addresses, which changes no verdict: the judge's own row
# keeps the first. found is what the last check said of the server.
ENDPOINT = """
CREATE TABLE endpoint (
    judge_id INTEGER NOT NULL REFERENCES judge (id),
    address TEXT NOT NULL CHECK (address <> ''),
    added_at TEXT NOT NULL,
    removed_at TEXT,
    found TEXT CHECK (json_type(found) = 'object'),
    checked_at TEXT,
    PRIMARY KEY (judge_id, address)
) STRICT, WITHOUT ROWID;
INSERT INTO endpoint (judge_id, address, added_at)
    SELECT id, endpoint, added_at FROM judge WHERE endpoint <> '';
"""

# A panel's word follows from its members' standing verdicts, so none of it is stored. members
# is an object from a judge's name to its weight.
PANEL = """
CREATE TABLE panel (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    rule TEXT NOT NULL CHECK (rule IN ('majority', 'weighted')),
    members TEXT NOT NULL CHECK (json_type(members) = 'object'),
    added_at TEXT NOT NULL
) STRICT;
"""

# What is counted in a text of an answer follows from the text; it is kept because counting takes
# longer than everything else a lead waits for. counted_by is the version of the rules.
TEXT_COUNT = """
CREATE TABLE text_count (
    text_hash TEXT PRIMARY KEY NOT NULL REFERENCES text (hash),
    counted_by INTEGER NOT NULL,
    characters INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    headers INTEGER NOT NULL,
    list_items INTEGER NOT NULL,
    bold INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

# Who comes over SSH has no settings file on this host. chosen is what that file would hold.
PREFERENCE = """
CREATE TABLE preference (
    annotator_id INTEGER PRIMARY KEY NOT NULL REFERENCES annotator (id),
    chosen TEXT NOT NULL CHECK (json_type(chosen) = 'object')
) STRICT, WITHOUT ROWID;
"""

# A job is one verdict that is wanted, and is named by that verdict's id. Jobs are made in
# portions and leave with their verdict, so the table stays small and needs one index only.
# call names what one reply settles: the job's own key, or what several jobs share. rank puts
# pairs that people voted on first. An owner holds a job until lease_until; without an owner it
# waits. attempts counts the calls that were begun.
JOB = """
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE CHECK (key <> ''),
    judge_id INTEGER NOT NULL REFERENCES judge (id),
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    turn INTEGER NOT NULL CHECK (turn >= 0),
    left INTEGER NOT NULL CHECK (left IN (1, 2)),
    repeat INTEGER NOT NULL DEFAULT 0 CHECK (repeat >= 0),
    call TEXT NOT NULL CHECK (call <> ''),
    supersedes TEXT REFERENCES verdict (id),
    rank INTEGER NOT NULL CHECK (rank BETWEEN 0 AND 4),
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'leased')),
    owner TEXT,
    lease_until TEXT,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    not_before TEXT NOT NULL DEFAULT '',
    CHECK ((state = 'leased') = (owner IS NOT NULL)),
    CHECK ((owner IS NULL) = (lease_until IS NULL))
) STRICT;
CREATE INDEX job_waiting ON job (judge_id, rank, id) WHERE state = 'waiting';
"""

# A call is written down before it is sent and ended once; while it has no outcome its tokens
# and cost are what it may take at most, and then what it took. requests is how many were sent.
# The indexes hold what is under way and what went wrong, which is little.
ATTEMPT = """
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    call TEXT NOT NULL,
    judge_id INTEGER NOT NULL REFERENCES judge (id),
    owner TEXT NOT NULL,
    endpoint TEXT NOT NULL DEFAULT '',
    begun_at TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT CHECK (outcome <> ''),
    detail TEXT NOT NULL DEFAULT '',
    requests INTEGER NOT NULL DEFAULT 1 CHECK (requests >= 0),
    tokens_in INTEGER,
    tokens_out INTEGER,
    cost REAL,
    latency REAL,
    may_be_charged INTEGER NOT NULL DEFAULT 0 CHECK (may_be_charged IN (0, 1)),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;
CREATE INDEX attempt_open ON attempt (judge_id) WHERE outcome IS NULL;
CREATE INDEX attempt_failed ON attempt (judge_id, outcome) WHERE outcome <> 'ok';
CREATE TRIGGER attempt_ends_once BEFORE UPDATE ON attempt WHEN OLD.outcome IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'an attempt ends once'); END;
CREATE TRIGGER attempt_no_delete BEFORE DELETE ON attempt BEGIN
    SELECT RAISE(ABORT, 'attempts are history'); END;
"""

# What a lead says of a judge's work, and what it has used. Prices are for a million tokens.
# spent counts what may have been charged as charged; charges beyond doubt are in attempt.
CONTROL = """
CREATE TABLE judge_control (
    judge_id INTEGER PRIMARY KEY REFERENCES judge (id),
    paused_at TEXT,
    cancelled_at TEXT,
    cancels INTEGER NOT NULL DEFAULT 0,
    price_in REAL CHECK (price_in >= 0),
    price_out REAL CHECK (price_out >= 0),
    budget_cost REAL CHECK (budget_cost >= 0),
    budget_tokens INTEGER CHECK (budget_tokens >= 0),
    spent_cost REAL NOT NULL DEFAULT 0,
    spent_tokens INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE judge_worker (
    owner TEXT PRIMARY KEY NOT NULL,
    judge_id INTEGER NOT NULL REFERENCES judge (id),
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    started_at TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    ended_at TEXT,
    window INTEGER NOT NULL DEFAULT 0,
    under_way INTEGER NOT NULL DEFAULT 0,
    verdicts INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
"""

# The wording that a judge was added with, as one text: a prompt file that changes or is lost
# then changes no judge. The judge's own row has its hash.
PROMPT = """
CREATE TABLE judge_prompt (
    judge_id INTEGER PRIMARY KEY REFERENCES judge (id),
    text_hash TEXT NOT NULL REFERENCES text (hash)
) STRICT;
"""


def m005_judging(db: Database) -> None:
    """Let verdicts say how they came about; make the tables of endpoints, panels and work.

    Preferences of annotators and counts of texts come with them.
    """
    script = VERDICT + ENDPOINT + PANEL + JOB + ATTEMPT + CONTROL + PROMPT + PREFERENCE
    run_script(db, script + TEXT_COUNT)
