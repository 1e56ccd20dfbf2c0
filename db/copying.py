"""Whole copies of a study, made while others vote: all of the file, of one moment, or no file.

A copy is made with SQLite's online backup, inside one read transaction. In a write-ahead log a
reader holds up no writer, so a vote never waits for a backup; and since the transaction fixes the
moment, the copy need not start again when somebody votes meanwhile, as a backup in steps does
without one. ``VACUUM INTO`` would do the same to voters, but it writes the pages anew: slower, in
another journal mode, and without what a damaged index says. Here the pages are those of the study,
and the ends of the logs are read in the same transaction, so that the copy is held against them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import StudyBroken, StudyUnavailable
from db import chain
from db.connection import in_words
from db.read_only import beside, connect_read_only
from db.store import Store

_PAGES_AT_ONCE = 1024
"""Pages copied and sent to the disk in one go: 4 MiB, so that a vote's own wait for the disk stays
short beside a large backup's."""

_LONGEST_REST = 0.25
"""Seconds between two steps at most."""

_SPARE = 1 << 20
"""Bytes that stay free beside a copy."""

Heads = dict[str, tuple[int, str]]
"""For each log its length and its last hash."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that is whole and on the disk."""

    path: Path
    size: int
    heads: Heads


def back_up(store: Store, target: Path, *, overwrite: bool = False) -> Copied:
    """Copy a study as it stands at this moment, verified, under a name that appears at the end.

    Args:
        store: open for reading at least.
        overwrite: replace a file of that name.

    Raises:
        StudyUnavailable: if the target is there already, or cannot be written.
        StudyBroken: if what was copied is damaged; the target stays as it was.
    """
    _refuse_target(store.path, target, overwrite)
    with disk_in_words(target), unfinished(target) as (copy, descriptor):
        heads = copy_pages(store, copy, descriptor, target)
        check_copy(copy, heads, store.path)
        take_mode(descriptor, store.path.stat())
        _refuse_target(store.path, target, overwrite)  # it took a while
        finish(copy, descriptor, target)
    return Copied(target, target.stat().st_size, heads)


def _refuse_target(study: Path, target: Path, overwrite: bool) -> None:
    if target.exists():
        if target.samefile(study):
            raise StudyUnavailable(f"{target}: this is the study itself", "give another path")
        if not overwrite:
            raise StudyUnavailable(
                f"{target}: there is a file of this name already",
                "give another name, or --overwrite to replace it",
            )
    wal = beside(target, "-wal")
    if wal.exists():
        # SQLite would take what is in it for a part of the new file.
        raise StudyUnavailable(
            f"{wal}: somebody has {target.name} open, or did not close it",
            "end what uses it, or move that file away",
        )


def copy_pages(store: Store, copy: Path, descriptor: int, target: Path) -> Heads:
    """Copy a study's pages into an empty file.

    Args:
        copy: the file, open under ``descriptor`` too.
        target: what the copy is for, as messages name it.

    Returns:
        The ends of the logs at the moment of the copy.
    """
    with store.read() as source:
        heads = {log: chain.head(source, log) for log in chain.LOGS}
        pages, size = (
            source.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "page_size")
        )
        refuse_full(target, pages * size)
        with in_words(str(target)), closing(sqlite3.connect(copy, isolation_level=None)) as into:
            # Nobody reads it before it is whole, and what is not whole is thrown away.
            into.execute("PRAGMA journal_mode = OFF")
            into.execute("PRAGMA synchronous = OFF")
            source.backup(into, pages=_PAGES_AT_ONCE, progress=_in_turns(descriptor))
    return heads


def _in_turns(descriptor: int) -> Callable[[int, int, int], None]:
    """After each step: send it to the disk, and leave disk and processor to others as long."""
    began = time.monotonic()

    def rest(status: int, left: int, total: int) -> None:
        nonlocal began
        os.fdatasync(descriptor)
        if left:
            time.sleep(min(time.monotonic() - began, _LONGEST_REST))
        began = time.monotonic()

    return rest


def refuse_full(target: Path, size: int) -> None:
    """Make sure that there is room for so many bytes.

    Raises:
        StudyUnavailable: if there is not.
    """
    free = shutil.disk_usage(target.absolute().parent).free
    if free < size + _SPARE:
        raise StudyUnavailable(
            f"{target}: the copy needs {mebibytes(size)}, and {mebibytes(free)} are free there",
            "make room on that disk, or give a path on another",
        )


@contextmanager
def disk_in_words(target: Path) -> Iterator[None]:
    """Turn what the system says of a file that cannot be written into a refusal that names it."""
    try:
        yield
    except OSError as error:
        raise StudyUnavailable(
            f"{target}: {error.strerror or error}",
            "look at that folder: whether it is there, who may write it, and what room is left",
        ) from error


def mebibytes(size: int) -> str:
    """A size as people read it."""
    return f"{size / 2**20:,.1f} MiB"


def check_copy(copy: Path, heads: Heads, of: Path) -> None:
    """Read a copy back: every page, and the ends of its logs.

    Raises:
        StudyBroken: if it is not what it should be.
    """
    connection, _ = connect_read_only(copy, older=True)
    with closing(connection), in_words(str(copy)):
        pages = [
            " ".join(row[0].split()) for row in connection.execute("PRAGMA integrity_check(3)")
        ]
        problems = [problem for problem in pages if problem != "ok"]
        for log, head in heads.items():
            last = connection.execute(f"SELECT seq, hash FROM {log} ORDER BY seq DESC").fetchone()
            if chain.head(connection, log) != head or (last or (0, "")) != head:
                problems.append(f"the {log} log does not end where it should")
    if problems:
        raise StudyBroken(
            f"{of}: its copy is damaged, so the study itself may be: {problems[0]}",
            "no backup was written, and older ones were left; look at it: tiebreak doctor --deep",
        )


@contextmanager
def unfinished(target: Path) -> Iterator[tuple[Path, int]]:
    """A new file beside the target, for this process alone, that is gone when the block ends.

    The name is always the same, so that what a killed process left is used again and does not
    pile up; a lock tells it from the file of a process that is still at work.

    Yields:
        The path, and a descriptor that is open for writing.

    Raises:
        StudyUnavailable: if another process is writing the same target.
    """
    copy = target.with_name(f".{target.name}.unfinished")
    descriptor = _lock(copy, target)
    try:
        os.fchmod(descriptor, 0o600)
        os.ftruncate(descriptor, 0)
        _remove_beside(copy)
        yield copy, descriptor
    finally:
        _remove_beside(copy)
        if _is_at(descriptor, copy):
            copy.unlink()
        os.close(descriptor)


def _lock(copy: Path, target: Path) -> int:
    while True:
        descriptor = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StudyUnavailable(
                f"{target}: another process is writing it at this moment",
                "let it end, or give another name",
            ) from error
        # Whoever held the lock may have given the file its name since.
        if _is_at(descriptor, copy):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _remove_beside(path: Path) -> None:
    for suffix in ("-wal", "-shm", "-journal"):
        beside(path, suffix).unlink(missing_ok=True)


def take_mode(descriptor: int, study: os.stat_result, *, masked: bool = True) -> None:
    """Let nobody read a copy who could not read the study.

    Args:
        masked: take away what this process gives to nobody (its umask) as well.
    """
    mode = study.st_mode & 0o666
    if masked:
        mask = os.umask(0o077)
        os.umask(mask)
        mode &= ~mask
    if os.fstat(descriptor).st_gid != study.st_gid:
        try:
            os.fchown(descriptor, -1, study.st_gid)
        except PermissionError:
            mode &= ~0o070  # the same bits would speak of another group
    os.fchmod(descriptor, mode)


def finish(copy: Path, descriptor: int, target: Path) -> None:
    """Give an unfinished file its name, so that it is there whole after a power cut too."""
    os.fsync(descriptor)
    copy.replace(target)
    sync_folder(target)


def sync_folder(path: Path) -> None:
    """Send the folder's entry of a file to the disk."""
    folder = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
