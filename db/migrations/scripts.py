"""What migrations share."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def append_only(log: str) -> str:
    """The triggers that refuse changes to a log.

    They fire on changes alone, so an insert pays nothing for them.
    """
    return "".join(
        f"CREATE TRIGGER {log}_no_{action.lower()} BEFORE {action} ON {log} BEGIN "
        f"SELECT RAISE(ABORT, 'the {log} log is append-only'); END;\n"
        for action in ("UPDATE", "DELETE")
    )


def run_script(db: Database, script: str) -> None:
    """Run statements one by one: ``executescript`` would commit the migration's transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.conn.execute(statement)
            statement = ""
