"""What version a study file is of, and how it is brought up to the latest.

``LATEST`` is what a study file must be at; it is kept in ``PRAGMA user_version`` too, so that
a process that finds a file up to date never loads sqlite-utils.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import cache

from core.errors import StudyBroken

APPLICATION_ID = 0x7469_6272  # "tibr": how `file` and we tell a study from any other database
LATEST = 6


def upgrade(connection: sqlite3.Connection, *, stop_before: str | None = None) -> None:
    """Bring a study up to ``LATEST``, in one transaction, whoever else opens it meanwhile.

    Args:
        connection: in autocommit mode (``isolation_level=None``).
        stop_before: the name of a migration to stop before; for tests of older versions.
    """
    from sqlite_utils import Database

    from db.migrations import migrations

    database = Database(connection)
    ordered = migrations()
    # A table that others name cannot be made anew while its references are watched; they are
    # checked before the end instead. SQLite takes this switch outside of transactions only.
    watched = connection.execute("PRAGMA foreign_keys").fetchone()[0]
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    try:
        ordered.apply(database, stop_before=stop_before)
        version = len(ordered.applied(database))
        if dangling := connection.execute("PRAGMA foreign_key_check").fetchall():
            table, row, parent, _ = dangling[0]
            raise StudyBroken(
                f"row {row} of {table} names a missing {parent}, so the study is not upgraded",
                "keep a copy of the file, and restore the last backup",
            )
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute(f"PRAGMA foreign_keys = {watched}")


def altered(connection: sqlite3.Connection) -> list[str]:
    """What of the schema is not as the migrations made it: tables, indexes and triggers."""
    made, found = _made(), _schema(connection)
    missing = [f"the {kind} {name} is missing" for kind, name in sorted(made.keys() - found.keys())]
    added = [f"the {kind} {name} was added" for kind, name in sorted(found.keys() - made.keys())]
    both = sorted(made.keys() & found.keys())
    changed = [
        f"the {kind} {name} was changed"
        for kind, name in both
        if made[kind, name] != found[kind, name]
    ]
    return missing + added + changed


@cache
def _made() -> Mapping[tuple[str, str], str]:
    """The schema of a study that was made a moment ago; it takes all the migrations to know."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        upgrade(fresh)
        return _schema(fresh)


def _schema(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    query = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    return {(kind, name): sql for kind, name, sql in connection.execute(query)}
