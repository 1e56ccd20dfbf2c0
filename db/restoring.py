"""Putting a backup where a study is, or was, with nothing lost on the way.

A backup goes *into* the file that is there, as one transaction: the file stays the same file, so
a process that opens it meanwhile waits and then finds the restored study. Renaming would leave such
a process with the old file and the new one's write-ahead log, which SQLite finds by name. Only a
file that SQLite cannot open at all is renamed: no session can go on with that.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.errors import Conflict, StudyBroken, StudyUnavailable
from core.text import many
from db import chain
from db.backups import moment
from db.connection import in_words
from db.copying import (
    Heads,
    copy_pages,
    disk_in_words,
    finish,
    refuse_full,
    sync_folder,
    take_mode,
    unfinished,
)
from db.read_only import beside
from db.schema import APPLICATION_ID
from db.store import Store

_PATIENCE = 0.5
"""Seconds in which a process that is just leaving may leave."""

_LOCK_BYTES = (0x4000_0000, 512)
"""Where every SQLite connection locks a database file: first byte and length."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A study that a backup was put in place of.

    Attributes:
        aside: where what was there before lies now; None where there was nothing.
        only_there: log → rows of what was there before that the backup has not; None where that
            file could not be read.
    """

    path: Path
    size: int
    heads: Heads
    aside: Path | None
    only_there: dict[str, int] | None


def restore(backup: Path, target: Path, *, replace: bool, now: datetime) -> Restored:
    """Put a backup in a study's place, once it has been verified from end to end.

    Args:
        replace: put it also where there is a study already, which is kept aside.
        now: names the file that is kept aside.

    Raises:
        StudyUnavailable: if something is there and is not to be replaced, somebody has it open,
            or it cannot be written.
        StudyBroken: if the backup is not a study, or not as Tiebreak wrote it.
    """
    if target.exists() and target.samefile(backup):
        raise StudyUnavailable(
            f"{backup}: this is the study itself", "give the path of a backup, and --db another"
        )
    aside = target.with_name(f"{target.stem}.replaced-{moment(now)}{target.suffix}")
    with disk_in_words(target), unfinished(target) as (copy, descriptor):
        with Store(backup, untouched=True) as source:
            copy_pages(source, copy, descriptor, target)
        heads = _check_backup(backup, copy)
        if not (target.exists() and target.stat().st_size):
            set_aside = _move_aside(target, aside)
            finish(copy, descriptor, target)
            return Restored(target, target.stat().st_size, heads, set_aside, {})
        only_there = _replace(copy, descriptor, target, aside, replace)
    return Restored(target, target.stat().st_size, heads, aside, only_there)


def _check_backup(backup: Path, copy: Path) -> Heads:
    """Bring the copy of a backup up to date, and read all of it."""
    with Store(copy) as store:
        findings = store.verify()
        if findings:
            raise StudyBroken(
                f"{backup}: not as Tiebreak wrote it: {findings[0]}"
                + (f", and {len(findings) - 1} more" if len(findings) > 1 else ""),
                f"nothing was changed; take another backup, and see: tiebreak --db {backup} verify",
            )
        return store.heads()


def _replace(
    copy: Path, descriptor: int, target: Path, aside: Path, replace: bool
) -> dict[str, int] | None:
    try:
        with _alone(target) as present:
            return _write_into(present, copy, target, aside, replace)
    except StudyBroken:
        # SQLite does not take it for a database, so that there are no rows to be told of.
        _refuse_unasked(target, None, replace)
        with _held(target):
            was = target.stat()
            _move_aside(target, aside)
            if os.geteuid() == 0:
                os.fchown(descriptor, was.st_uid, -1)
            take_mode(descriptor, was, masked=False)
            finish(copy, descriptor, target)
        return None


def _write_into(
    present: sqlite3.Connection, copy: Path, target: Path, aside: Path, replace: bool
) -> dict[str, int] | None:
    _refuse_stranger(present, target)
    only_there = _only_there(present, copy)
    _refuse_unasked(target, only_there, replace)
    # Beside the new file: the old one kept aside, and the new one once more in the log.
    refuse_full(target, target.stat().st_size + 2 * copy.stat().st_size)
    with unfinished(aside) as (old, descriptor):
        with closing(sqlite3.connect(old, isolation_level=None)) as into:
            into.execute("PRAGMA journal_mode = OFF")
            into.execute("PRAGMA synchronous = OFF")
            present.backup(into)
        take_mode(descriptor, target.stat())
        finish(old, descriptor, aside)
    present.execute("PRAGMA synchronous = FULL")
    with closing(sqlite3.connect(copy, isolation_level=None)) as source:
        source.backup(present)
    present.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return only_there


@contextmanager
def _alone(target: Path) -> Iterator[sqlite3.Connection]:
    """Open a study as the only one, and keep everybody out.

    Every connection to a write-ahead log holds a shared lock on the file for as long as it is
    open, also while it does nothing; so that an exclusive lock can be had says that nobody has it.
    """
    with (
        in_words(str(target)),
        closing(sqlite3.connect(target, timeout=_PATIENCE, isolation_level=None)) as present,
    ):
        present.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            present.execute("BEGIN EXCLUSIVE")
            present.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise _in_use(target) from error
        yield present


@contextmanager
def _held(target: Path) -> Iterator[None]:
    """Keep SQLite out of a file that is no database, as another connection of its own would."""
    with target.open("rb+") as stream:
        try:
            start, length = _LOCK_BYTES
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
        except OSError as error:
            raise _in_use(target) from error
        yield


def _in_use(target: Path) -> StudyUnavailable:
    return StudyUnavailable(
        f"{target}: others have this study open",
        "end their sessions, judges and screens first; nothing was changed",
    )


def _refuse_stranger(present: sqlite3.Connection, target: Path) -> None:
    (application,) = present.execute("PRAGMA application_id").fetchone()
    (tables,) = present.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise Conflict(
            f"{target}: this is a database, but not a study of Tiebreak's",
            "give --db the path where the study belongs",
        )


def _only_there(present: sqlite3.Connection, copy: Path) -> dict[str, int] | None:
    """Rows of each log that are not in the backup, by their ids."""
    present.execute("ATTACH ? AS backup", (str(copy),))
    try:
        return {
            log: int(
                present.execute(
                    f"SELECT count(*) FROM main.{log} WHERE id NOT IN (SELECT id FROM backup.{log})"
                ).fetchone()[0]
            )
            for log in chain.LOGS
        }
    except sqlite3.DatabaseError:
        return None  # damaged: that it cannot be told is what is told
    finally:
        present.execute("DETACH backup")


def _refuse_unasked(target: Path, only_there: dict[str, int] | None, replace: bool) -> None:
    if replace:
        return
    raise StudyUnavailable(
        f"{target}: there is a study here already; {said_of(only_there)}",
        "--replace puts the backup in its place, and keeps what is there aside",
    )


def said_of(only_there: dict[str, int] | None) -> str:
    """What is lost from sight with the file that a backup replaces."""
    if only_there is None:
        return "it is damaged, so nobody can say what it has that the backup has not"
    more = [many(count, log) for log, count in only_there.items() if count]
    return (
        f"it has {', '.join(more)} that the backup has not"
        if more
        else ("all its votes, verdicts and rulings are in the backup too")
    )


def _move_aside(target: Path, aside: Path) -> Path | None:
    """Rename a file and what SQLite kept beside it: a log left there would be the new file's.

    Returns:
        The file's new name; None where there was nothing.
    """
    moved = None
    for suffix in ("-wal", "-shm", "-journal", ""):
        path = beside(target, suffix)
        if path.exists():
            moved = aside
            path.replace(beside(aside, suffix))
    sync_folder(target)
    return moved
