"""Who may log in with which key, and who is paused or retired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.migrations.scripts import run_script

if TYPE_CHECKING:
    from sqlite_utils import Database

# A key is never given to somebody else, even after it was removed: votes carry its fingerprint.
TABLES = """
CREATE TABLE ssh_key (
    fingerprint TEXT PRIMARY KEY NOT NULL CHECK (fingerprint GLOB 'SHA256:?*'),
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    comment TEXT NOT NULL DEFAULT '',
    annotator_id INTEGER NOT NULL REFERENCES annotator (id),
    added_at TEXT NOT NULL,
    removed_at TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX ssh_key_by_annotator ON ssh_key (annotator_id);
ALTER TABLE annotator ADD COLUMN paused_at TEXT;
ALTER TABLE annotator ADD COLUMN retired_at TEXT;
"""


def m003_people(db: Database) -> None:
    """Make the table of keys, and let annotators be paused and retired."""
    run_script(db, TABLES)
