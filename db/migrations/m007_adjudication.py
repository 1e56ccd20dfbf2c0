"""Rulings that are withdrawn or final, who has which case open, who saw names, second opinions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.migrations.scripts import append_only, run_script

if TYPE_CHECKING:
    from sqlite_utils import Database

_OUTCOMES = "'model_1', 'model_2', 'tie', 'both_bad', 'not_decidable', 'more_votes'"

# A ruling without a choice withdraws the one that it supersedes. A final one settles what leads
# disagree about.
RULING = f"""
CREATE TABLE ruling_new (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    turn INTEGER NOT NULL CHECK (turn >= 0),
    lead_id INTEGER NOT NULL REFERENCES annotator (id),
    identity TEXT NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('blind', 'unmasked')),
    left INTEGER CHECK (left IN (1, 2)),
    choice TEXT CHECK (choice IN ({_OUTCOMES})),
    final INTEGER NOT NULL DEFAULT 0 CHECK (final IN (0, 1)),
    reason TEXT NOT NULL,
    shown TEXT NOT NULL CHECK (json_valid(shown)),
    queue_reason TEXT NOT NULL,
    queue_probability REAL CHECK (queue_probability > 0 AND queue_probability <= 1),
    supersedes TEXT REFERENCES ruling_new (id),
    at TEXT NOT NULL,
    source_id INTEGER REFERENCES source (id),
    hash TEXT NOT NULL,
    CHECK (choice IS NOT NULL OR supersedes IS NOT NULL)
) STRICT;
INSERT INTO ruling_new (seq, id, pair_id, turn, lead_id, identity, stage, left, choice, reason,
    shown, queue_reason, queue_probability, supersedes, at, source_id, hash)
    SELECT seq, id, pair_id, turn, lead_id, identity, stage, left, choice, reason,
    shown, queue_reason, queue_probability, supersedes, at, source_id, hash
    FROM ruling ORDER BY seq;
DROP TABLE ruling;
ALTER TABLE ruling_new RENAME TO ruling;
CREATE UNIQUE INDEX ruling_supersedes ON ruling (supersedes) WHERE supersedes IS NOT NULL;
CREATE INDEX ruling_by_pair ON ruling (pair_id, turn);
CREATE INDEX ruling_by_lead ON ruling (lead_id, seq);
"""

# A case is open with one lead at a time: the key sees to that. A draft is a lead's own, and
# outlives the lease. Who saw the names of a case rules on it unmasked from then on. A request for
# a second opinion is open until answered_by names the ruling.
TABLES = f"""
CREATE TABLE ruling_lease (
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    turn INTEGER NOT NULL CHECK (turn >= 0),
    lead_id INTEGER NOT NULL REFERENCES annotator (id),
    leased_at TEXT NOT NULL,
    lease_until TEXT NOT NULL,
    PRIMARY KEY (pair_id, turn)
) STRICT, WITHOUT ROWID;
CREATE INDEX ruling_lease_by_lead ON ruling_lease (lead_id);

CREATE TABLE ruling_draft (
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    turn INTEGER NOT NULL CHECK (turn >= 0),
    lead_id INTEGER NOT NULL REFERENCES annotator (id),
    choice TEXT CHECK (choice IN ({_OUTCOMES})),
    reason TEXT NOT NULL,
    PRIMARY KEY (pair_id, turn, lead_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE unmasking (
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    turn INTEGER NOT NULL CHECK (turn >= 0),
    lead_id INTEGER NOT NULL REFERENCES annotator (id),
    at TEXT NOT NULL,
    PRIMARY KEY (pair_id, turn, lead_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE second_opinion (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    turn INTEGER NOT NULL CHECK (turn >= 0),
    asked_by INTEGER NOT NULL REFERENCES annotator (id),
    why TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    answered_by TEXT REFERENCES ruling (id)
) STRICT;
CREATE INDEX second_opinion_by_pair ON second_opinion (pair_id, turn);
"""

# What a queue of disagreements looks for and no count holds: rare rows, found without reading all.
# extra is how many votes beyond its share each group may give on a pair, because a ruling asked.
INDEXES = """
CREATE INDEX vote_marked ON vote (seq) WHERE flag <> '' OR confidence <= 1;
ALTER TABLE queue ADD COLUMN extra INTEGER NOT NULL DEFAULT 0 CHECK (extra >= 0);
"""


def m007_adjudication(db: Database) -> None:
    """Make ``ruling`` anew with more to say, and the tables of the leads' work."""
    run_script(db, RULING)
    run_script(db, append_only("ruling"))
    run_script(db, TABLES + INDEXES)
