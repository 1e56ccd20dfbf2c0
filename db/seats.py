"""Who sits at the voting screen now, and who works behind it: locks, which the kernel gives back.

A heartbeat would be a write for each annotator every few seconds, and a dropped line would stay
for some of them. A lock costs two system calls for a whole session, and is gone in the moment its
process is, however that ended. Locks are on bytes of a file of their own beside the study, which
stays empty: closing a second descriptor of the study itself would take SQLite's locks away.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_FLOCK = "hhqqi4x"
"""C's ``struct flock`` on Linux: type, whence, start, length, process."""

_OPEN_FILE = getattr(fcntl, "F_OFD_SETLK", None)
"""Locks that belong to a descriptor and not to a process; Linux has them."""


def seats_file(study: Path) -> Path:
    """The file whose bytes are the seats, one for each annotator's row."""
    return study.with_name(f"{study.name}-seats")


class Seat:
    """One annotator's seat, taken until it is left or its process ends.

    Two windows of one person share a seat. Where the file system or the platform has no such
    locks nobody is seen to sit, and nothing else changes.
    """

    def __init__(self, study: Path, annotator_id: int) -> None:
        self._descriptor: int | None = None
        if _OPEN_FILE is None:
            return
        try:
            mode = study.stat().st_mode & 0o666
            descriptor = os.open(
                seats_file(study), os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, mode
            )
        except OSError:
            return  # a folder in which nothing can be made is told of when a vote is to be saved
        try:
            fcntl.fcntl(descriptor, _OPEN_FILE, _lock(fcntl.F_RDLCK, annotator_id))
        except OSError:
            os.close(descriptor)  # a file system without locks, on which SQLite refuses first
            return
        self._descriptor = descriptor

    def leave(self) -> None:
        """Give the seat back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Seats:
    """Looks which seats are taken; costs a system call for each annotator asked about."""

    def __init__(self, study: Path) -> None:
        self._study = study
        self._descriptor: int | None = None

    def taken(self, annotators: Iterable[int]) -> frozenset[int] | None:
        """Those of the annotators who sit at a voting screen; None where nobody can tell."""
        if _OPEN_FILE is None:
            return None
        if self._descriptor is None:
            try:
                self._descriptor = os.open(
                    seats_file(self._study), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
                )
            except FileNotFoundError:
                return frozenset()
            except OSError:
                return None
        return frozenset(number for number in annotators if self._is_taken(number))

    def _is_taken(self, annotator_id: int) -> bool:
        assert self._descriptor is not None
        asked = _lock(fcntl.F_WRLCK, annotator_id)
        told = fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, asked)
        return bool(struct.unpack(_FLOCK, told)[0] != fcntl.F_UNLCK)

    def close(self) -> None:
        """Look no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class BehindTheScreens:
    """The one place, on this host, of a process that lets a study's judges judge behind a screen.

    Any number of processes may share a queue; a screen starts one more only where none is there.
    """

    def __init__(self, study: Path) -> None:
        self._study = study
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the place until :meth:`leave` or the process's end; whether it was free.

        Where the platform, the file system or the file's rights allow no such lock it always is.
        """
        if _OPEN_FILE is None or self._descriptor is not None:
            return True
        try:
            mode = self._study.stat().st_mode & 0o666
            descriptor = os.open(
                seats_file(self._study), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, mode
            )
        except OSError:
            return True  # what the study itself cannot be written for is said when that is tried
        try:
            fcntl.fcntl(descriptor, _OPEN_FILE, _lock(fcntl.F_WRLCK, _BEHIND))
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            return True
        self._descriptor = descriptor
        return True

    def leave(self) -> None:
        """Give the place back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_BEHIND = 1 << 40
"""A byte that is nobody's seat."""


def _lock(kind: int, annotator_id: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, annotator_id, 1, 0)
