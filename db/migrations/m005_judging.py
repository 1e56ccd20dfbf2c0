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


def m005_judging(db: Database) -> None:
    """Let verdicts say how they came about; make the tables of endpoints, panels and counts."""
    run_script(db, VERDICT + ENDPOINT + PANEL + TEXT_COUNT)
