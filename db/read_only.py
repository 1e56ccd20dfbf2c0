"""Reading a study that cannot be written: a file, folder or disk that is read-only.

In a write-ahead log even a reader writes: it takes its place among the others in ``-shm``, beside
the file. Where it cannot, there are two ways left, and which is right depends on what lies there.

- A ``-wal`` beside the file means that somebody has the study open, or had and did not end well:
  the newest votes may be in it. SQLite reads both read-only (``mode=ro``) if ``-shm`` is there too.
- No ``-wal``, or an empty one, means that all is in the file. SQLite may then take it for one that
  does not change (``immutable=1``) and needs nothing beside it. Another user may still be able to
  write it; so what was read counts only if the file is afterwards what it was before.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from core.errors import StudyBroken, StudyUnavailable
from db.blind import BlindConnection
from db.connection import BUSY_SECONDS, check_is_study, in_words, refuse_missing
from db.schema import LATEST


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What a file was when it was opened as one that does not change."""

    path: Path
    before: tuple[int, ...]

    @classmethod
    def now(cls, path: Path) -> Unchanged:
        """As the file stands at this moment."""
        return cls(path, _fingerprint(path))

    def check(self) -> None:
        """Make sure that what was read is of one moment.

        Raises:
            StudyUnavailable: if the file has changed since.
        """
        if _fingerprint(self.path) != self.before:
            raise StudyUnavailable(
                f"{self.path}: somebody wrote to it while it was read", "read it again"
            )


def _fingerprint(path: Path) -> tuple[int, ...]:
    try:
        now = path.stat()
        wal = beside(path, "-wal")
        unread = wal.stat().st_size if wal.exists() else 0
    except OSError:
        return ()
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, unread


def beside(path: Path, suffix: str) -> Path:
    """One of the files that SQLite keeps beside a study: ``-wal``, ``-shm`` or ``-journal``."""
    return path.with_name(path.name + suffix)


def is_writable(path: Path) -> bool:
    """Whether this user may write the file and, for what SQLite keeps beside it, its folder."""
    # A disk that is mounted read-only is not writable for root either, and access(2) knows it.
    return os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK | os.X_OK)


def connect_read_only(
    path: Path, *, older: bool = False
) -> tuple[BlindConnection, Unchanged | None]:
    """Open a study without writing anything, neither to it nor beside it.

    Args:
        older: take a study of an older version too; otherwise it is refused.

    Returns:
        The connection; and, where the file was taken for one that does not change, what says
        afterwards whether that was so.

    Raises:
        StudyUnavailable: if it cannot be read this way.
        StudyBroken: if it is not a study, or of a version that cannot be read as it is.
    """
    refuse_missing(path)
    wal = beside(path, "-wal")
    unchanged = Unchanged.now(path)
    if not wal.exists():
        return _open(path, "mode=ro&immutable=1", older), unchanged
    is_empty = wal.stat().st_size == 0
    try:
        return _open(path, "mode=ro", older), None
    except StudyUnavailable as error:
        if is_empty:
            return _open(path, "mode=ro&immutable=1", older), unchanged
        raise StudyUnavailable(
            f"{path}: its newest votes are in {wal.name}, which cannot be read from here",
            f"copy {path.name} and {wal.name} together into a folder that you can write, and read "
            "them there",
        ) from error


def _open(path: Path, how: str, older: bool) -> BlindConnection:
    address = f"{path.absolute().as_uri()}?{how}"
    with in_words(str(path)):
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, factory=BlindConnection
        )
        try:
            version = check_is_study(connection, path)
            if not version:
                raise StudyBroken(
                    f"{path}: this is a database, but nothing is in it",
                    "give the path of a study",
                )
            if version < LATEST and not older:
                raise StudyBroken(
                    f"{path}: made by an older Tiebreak (version {version}; now {LATEST}), and it "
                    "cannot be brought up to date here because it is read-only",
                    "copy it into a folder that you can write, and use the copy",
                )
        except BaseException:
            connection.close()
            raise
    return connection
