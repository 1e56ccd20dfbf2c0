"""Opening a study file, and saying in words what SQLite says in codes."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StudyBroken, StudyBusy, StudyUnavailable, TiebreakError
from db.blind import GUARDED, BlindConnection, refuse
from db.schema import APPLICATION_ID, LATEST, upgrade

BUSY_SECONDS = 5.0

_PAGE = 32_768
"""Bytes that SQLite asks for to open a study: its index of the log, and more."""

_REFUSALS: dict[int, tuple[type[TiebreakError], str, str]] = {
    sqlite3.SQLITE_BUSY: (
        StudyBusy,
        f"another process has been writing to it for over {BUSY_SECONDS:.0f} s",
        "try again; if it stays so, find the process that holds the file",
    ),
    sqlite3.SQLITE_LOCKED: (
        StudyUnavailable,
        "another part of this process is writing to it",
        "try again",
    ),
    sqlite3.SQLITE_PROTOCOL: (
        StudyUnavailable,
        "too many processes opened it at the same moment",
        "try again",
    ),
    sqlite3.SQLITE_FULL: (
        StudyUnavailable,
        "the disk is full, so nothing more can be saved",
        "make room on that disk, then go on; what was acknowledged is safe",
    ),
    sqlite3.SQLITE_READONLY: (
        StudyUnavailable,
        "the file or its folder is read-only",
        "make the file and its folder writable for this user",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        StudyUnavailable,
        "the file cannot be opened",
        "look whether its folder exists and this user may read and write there",
    ),
    sqlite3.SQLITE_IOERR: (
        StudyUnavailable,
        "the disk reports an error",
        "look at the disk, its quota and its mount; what was acknowledged is safe",
    ),
    sqlite3.SQLITE_CORRUPT: (
        StudyBroken,
        "the file is damaged",
        "keep a copy of it, and restore the last backup",
    ),
    sqlite3.SQLITE_NOTADB: (
        StudyBroken,
        "the file is not a study",
        "give --db the path of a study, or of a new file",
    ),
}


@contextmanager
def in_words(path: str) -> Iterator[None]:
    """Turn SQLite's errors into a :class:`TiebreakError` that names the file and the mend.

    Errors that only a mistake of ours can cause (wrong SQL, a broken constraint) pass through.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        if str(error).startswith("no such "):
            raise StudyBroken(
                f"{path}: the study's tables are not as Tiebreak made them ({error})",
                "keep a copy of the file, and restore the last backup",
            ) from error
        code = getattr(error, "sqlite_errorcode", None)
        said = str(error)
        # A function that is not allowed has no code of its own.
        if code == sqlite3.SQLITE_AUTH or said == GUARDED or said.startswith("not authorized"):
            refuse(said)
        if code == sqlite3.SQLITE_CANTOPEN and _lacks_its_folder(Path(path)):
            code = sqlite3.SQLITE_READONLY
        if code is not None and code & 0xFF == sqlite3.SQLITE_IOERR and _has_no_room(Path(path)):
            code = sqlite3.SQLITE_FULL  # what a study needs to be opened at all is an I/O error
        refusal = _REFUSALS.get(code & 0xFF) if code is not None else None
        if refusal is None:
            raise
        kind, problem, hint = refusal
        raise kind(f"{path}: {problem}", hint) from error


def _lacks_its_folder(path: Path) -> bool:
    """Whether a file is there to be read, but nothing can be kept beside it."""
    return os.access(path, os.R_OK) and not os.access(path.absolute().parent, os.W_OK)


def _has_no_room(path: Path) -> bool:
    """Whether the disk has no room for one more page of a study."""
    try:
        disk = os.statvfs(path.absolute().parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _PAGE


def connect(path: Path, *, create: bool) -> BlindConnection:
    """Open a study: write-ahead log, full synchronisation, foreign keys, migrated to now.

    Args:
        create: make the study if there is none; otherwise a missing file is refused.

    Raises:
        StudyUnavailable: if the file cannot be opened, read or locked.
        StudyBroken: if it is not a study, or of a newer version than this one knows.
    """
    if not create:
        refuse_missing(path)
    with in_words(str(path)):
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, factory=BlindConnection
        )
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def refuse_missing(path: Path) -> None:
    """Refuse a path where there is nothing to open.

    Raises:
        StudyUnavailable: if there is no file, or an empty one.
    """
    if not (path.exists() and path.stat().st_size):
        there = "the file is empty" if path.exists() else "there is no study here"
        raise StudyUnavailable(
            f"{path}: {there}",
            f"make one: tiebreak --db {path} import PATH",
        )


def check_is_study(connection: sqlite3.Connection, path: Path) -> int:
    """Make sure that a database is a study, or nothing yet.

    Returns:
        Its version; 0 where nothing is in it.

    Raises:
        StudyBroken: if it is another database, or of a newer version than this one knows.
    """
    # Read at one moment: another process may be making the study meanwhile.
    connection.execute("BEGIN")
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    connection.execute("COMMIT")
    if application != APPLICATION_ID and (tables or application):
        raise StudyBroken(
            f"{path}: this is a database, but not a study of Tiebreak's",
            "give --db the path of a study, or of a new file",
        )
    if version > LATEST:
        raise StudyBroken(
            f"{path}: made by a newer Tiebreak (version {version}; this one knows {LATEST})",
            "update Tiebreak on this host",
        )
    return int(version)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version = check_is_study(connection, path)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    # Without it, INSERT OR REPLACE deletes past the triggers that keep the logs append-only.
    connection.execute("PRAGMA recursive_triggers = ON")
    if version < LATEST:
        write_ahead(connection)
        upgrade(connection)


def write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; for this one lock SQLite does not wait by itself."""
    patience = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
        time.sleep(0.01)
