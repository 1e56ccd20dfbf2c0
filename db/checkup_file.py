"""A study's file and the place where it lies: rights, owner, disk, file system, SQLite itself."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import sqlite3
import stat
from pathlib import Path

from db.copying import mebibytes
from db.findings import Check, State
from db.read_only import beside

_MOUNTS = Path("/proc/self/mountinfo")
_SHARED = frozenset(
    "nfs nfs4 cifs smb3 smbfs ncpfs afs 9p ceph lustre glusterfs gpfs beegfs ocfs2 gfs2 davfs "
    "vboxsf fuse.sshfs fuse.glusterfs fuse.ceph fuse.s3fs fuse.rclone fuse.davfs2".split()
)
"""File systems that several hosts use at once, beyond which the log's shared memory ends."""

_LITTLE, _SCARCE = 16 << 20, 256 << 20
"""Bytes free on the disk below which voting is about to end, and below which it is time to look."""

_LONG_LOG = 64 << 20
"""Bytes of write-ahead log that only a reader who holds on to the past brings about: SQLite begins
it anew after 4 MiB wherever it can."""


def checks(path: Path) -> list[Check]:
    """Everything about a study's file that can be told without opening it."""
    return [
        _folder(path),
        _rights(path),
        _owner(path),
        _file_system(path),
        _disk(path),
        _log(path),
        sqlite_version(sqlite3.sqlite_version_info),
    ]


def _folder(path: Path) -> Check:
    folder = path.absolute().parent
    name = "folder"
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return Check(
            name,
            State.PROBLEM,
            f"{folder} is on a disk that is mounted read-only, so nobody can vote",
            "mount it for writing; a disk that turned read-only by itself is failing",
        )
    if not os.access(folder, os.W_OK | os.X_OK) or not os.access(path, os.W_OK):
        what = "the file" if os.access(folder, os.W_OK | os.X_OK) else "the folder"
        return Check(
            name,
            State.WARNING,
            f"you may read this study, but not vote in it: {what} is not writable for you",
            "who votes must be able to write both: SQLite keeps two files beside the study",
        )
    here, there = path.stat(), folder.stat()
    if here.st_uid and not _may_write(there, here):
        return Check(
            name,
            State.WARNING,
            f"{_user(here.st_uid)} owns the study, but may not write {folder}",
            f"chown {_user(here.st_uid)} {shlex.quote(str(folder))}",
        )
    if there.st_mode & stat.S_IWOTH:
        is_sticky = bool(there.st_mode & stat.S_ISVTX)
        return Check(
            name,
            State.WARNING if is_sticky else State.PROBLEM,
            f"every user of this host may {'add files to' if is_sticky else 'rename files in'} "
            f"{folder}",
            "move the study to a folder of its own, or take the right away: "
            f"chmod o-w {shlex.quote(str(folder))}",
        )
    return Check(name, State.OK, f"{folder} is writable")


def _may_write(folder: os.stat_result, file: os.stat_result) -> bool:
    if folder.st_uid == file.st_uid:
        return bool(folder.st_mode & stat.S_IWUSR)
    if folder.st_gid == file.st_gid:
        return bool(folder.st_mode & stat.S_IWGRP)
    return bool(folder.st_mode & stat.S_IWOTH)


def _rights(path: Path) -> Check:
    mode = stat.S_IMODE(path.stat().st_mode)
    folder = path.absolute().parent
    if mode & (stat.S_IROTH | stat.S_IWOTH) and not folder.stat().st_mode & stat.S_IXOTH:
        return Check("rights", State.OK, f"nobody else on this host may enter {folder}")
    mend = f"chmod o-rwx {shlex.quote(str(path))}*"
    if mode & stat.S_IWOTH:
        return Check(
            "rights", State.PROBLEM, f"every user of this host may write it (mode {mode:04o})", mend
        )
    if mode & stat.S_IROTH:
        said = (
            f"every user of this host may read it (mode {mode:04o}): models, names, notes, the seed"
        )
        return Check("rights", State.WARNING, said, mend)
    return Check("rights", State.OK, f"nobody else on this host may read it (mode {mode:04o})")


def _owner(path: Path) -> Check:
    owner = path.stat().st_uid
    for suffix in ("-wal", "-shm"):
        file = beside(path, suffix)
        try:
            found = file.stat()
        except FileNotFoundError:
            continue
        if found.st_uid != owner and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return Check(
                "owner",
                State.PROBLEM,
                f"{file.name} belongs to {_user(found.st_uid)}, the study to {_user(owner)}, who "
                "cannot vote",
                f"chown {_user(owner)} {shlex.quote(str(path))}-*",
            )
    return Check("owner", State.OK, f"it and what lies beside it belong to {_user(owner)}")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _file_system(path: Path) -> Check:
    name = "file system"
    kind = file_system_of(path, _MOUNTS.read_text("utf-8", "replace")) if _MOUNTS.exists() else None
    if kind is None:
        return Check(
            name,
            State.WARNING,
            "it cannot be told here whether this is a local disk",
            "make sure that it is: several hosts must not share the file",
        )
    if kind in _SHARED:
        return Check(
            name,
            State.PROBLEM,
            f"{kind} is shared between hosts, where a write-ahead log loses votes and does damage",
            "move the study to a local disk; back up to this one",
        )
    if kind.startswith("fuse"):
        return Check(
            name,
            State.WARNING,
            f"{kind} may not lock files or share memory as a local disk does",
            "move the study to a local disk unless you know that it does",
        )
    return Check(name, State.OK, f"{kind}, a local disk")


def file_system_of(path: Path, mounts: str) -> str | None:
    """The type of the file system that a file lies on; None where it cannot be told.

    Args:
        mounts: the text of Linux's ``/proc/self/mountinfo``.
    """
    whole = path.resolve()
    best, found = -1, None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4]))
        # Of two mounts on one point, the later covers the earlier.
        if whole.is_relative_to(point) and len(point.parts) >= best:
            best, found = len(point.parts), right.split(" ")[0]
    return found


def _disk(path: Path) -> Check:
    folder = path.absolute().parent
    free, size = shutil.disk_usage(folder).free, path.stat().st_size
    said = f"{mebibytes(free)} are free, the study has {mebibytes(size)}"
    mend = "make room on that disk; votes are refused once it is full, and none is lost"
    slots = os.statvfs(folder)
    if slots.f_files and not slots.f_favail:
        return Check("disk", State.PROBLEM, "no more files can be made there (no free inode)", mend)
    if free < _LITTLE:
        return Check("disk", State.PROBLEM, said, mend)
    if free < max(_SCARCE, 2 * size):
        return Check("disk", State.WARNING, said, mend)
    return Check("disk", State.OK, said)


def _log(path: Path) -> Check:
    wal = beside(path, "-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size > _LONG_LOG:
        return Check(
            "write-ahead log",
            State.WARNING,
            f"{wal.name} has grown to {mebibytes(size)}: somebody has been reading since long ago",
            "end commands that hang; the log goes once the last session has left",
        )
    return Check("write-ahead log", State.OK, f"{mebibytes(size)} beside the file")


def sqlite_version(version: tuple[int, ...]) -> Check:
    """Whether this SQLite is one to keep votes in.

    Before 3.51.3, 3.50.7 and 3.44.6, two checkpoints and a commit at one instant could lose what
    was committed (https://sqlite.org/wal.html, "The WAL-Reset Bug").
    """
    said = "SQLite " + ".".join(map(str, version[:3]))
    mended_in = {(3, 44): (3, 44, 6), (3, 50): (3, 50, 7)}
    fixed = mended_in.get((version[0], version[1]), (3, 51, 3))
    if version[:3] < fixed:
        return Check(
            "sqlite",
            State.WARNING,
            f"{said} has a very rare fault that can lose votes when many write at one instant",
            "update to 3.51.3 or newer (3.50.7 and 3.44.6 have it mended too); until then back up "
            "often, and use doctor --deep",
        )
    return Check("sqlite", State.OK, said)
