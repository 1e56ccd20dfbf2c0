"""How a verdict came about, where a judge is reached, and panels of judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.migrations.scripts import run_script

if TYPE_CHECKING:
    from sqlite_utils import Database

# failure names why there is no choice, in one word or two; error stays the whole sentence.
# sent_hash covers the messages and parameters as they were sent. probabilities is an object
# from outcome as the judge saw it to its share. served_model is what the server said it is.
VERDICT = """
ALTER TABLE verdict ADD COLUMN failure TEXT CHECK (failure <> '');
ALTER TABLE verdict ADD COLUMN sent_hash TEXT CHECK (sent_hash <> '');
ALTER TABLE verdict ADD COLUMN probabilities TEXT CHECK (json_type(probabilities) = 'object');
ALTER TABLE verdict ADD COLUMN endpoint TEXT CHECK (endpoint <> '');
ALTER TABLE verdict ADD COLUMN served_model TEXT CHECK (served_model <> '');
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

# Who comes over SSH has no settings file on this host. chosen is what that file would hold.
PREFERENCE = """
CREATE TABLE preference (
    annotator_id INTEGER PRIMARY KEY NOT NULL REFERENCES annotator (id),
    chosen TEXT NOT NULL CHECK (json_type(chosen) = 'object')
) STRICT, WITHOUT ROWID;
"""


def m005_judging(db: Database) -> None:
    """Let verdicts say how they came about; make the tables of endpoints, panels, preferences."""
    run_script(db, VERDICT + ENDPOINT + PANEL + PREFERENCE)
