"""Files that take their names only when all of them are complete, the manifest last."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.errors import TiebreakError, UsageError
from core.formats import fingerprint

SUFFIX = ".manifest.json"
"""What a manifest's name ends with; it begins with the name of what it is of."""


def manifest_of(output: Path) -> Path:
    """Where the manifest of a file or folder stands."""
    return output.with_name(output.name + SUFFIX)


@dataclass(frozen=True, slots=True)
class Written:
    """One finished file: its name in the folder (empty for a lone file) and what is in it."""

    name: str
    bytes: int
    sha256: str


class Stream:
    """One stream that is there already, such as standard output."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def text(self, name: str = "") -> IO[str]:
        """The stream; there is no second one."""
        assert not name
        return self._stream

    def binary(self, name: str = "") -> IO[bytes]:
        """Bytes have no place on a terminal."""
        raise UsageError("this layout is no text", "give --output FILE")


class Unfinished:
    """Files that are being written under a hidden name, beside where they are to stand.

    Args:
        output: the file, or the folder.
        is_folder: whether names are of files in a folder.
    """

    def __init__(self, output: Path, *, is_folder: bool) -> None:
        self.output = output
        self.is_folder = is_folder
        self.place = output.with_name(f".{output.name}.{os.getpid()}")
        self._open: dict[str, IO[str] | IO[bytes]] = {}
        if is_folder:
            self.place.mkdir()

    def text(self, name: str = "") -> IO[str]:
        """A file of text, UTF-8, with line ends as they are written."""
        stream = self._path(name).open("w", encoding="utf-8", newline="")
        self._open[name] = stream
        return stream

    def binary(self, name: str = "") -> IO[bytes]:
        """A file of bytes."""
        stream = self._path(name).open("wb")
        self._open[name] = stream
        return stream

    def _path(self, name: str) -> Path:
        assert bool(name) == self.is_folder
        if not name:
            return self.place
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def close(self) -> list[Written]:
        """Close every file, safe on disk; what is in each."""
        for stream in self._open.values():
            if not stream.closed:
                stream.flush()
                os.fsync(stream.fileno())
                stream.close()
        found = {name: self.place / name if name else self.place for name in sorted(self._open)}
        return [
            Written(name, path.stat().st_size, fingerprint(path)) for name, path in found.items()
        ]

    def keep(self, manifest: str | None) -> None:
        """Give everything its name.

        An old manifest goes first and the new one comes last, so that at no moment a manifest
        stands beside what it does not describe.
        """
        beside = manifest_of(self.output)
        note = self.place.with_name(self.place.name + SUFFIX)
        try:
            if manifest is not None:
                with note.open("w", encoding="utf-8", newline="") as stream:
                    stream.write(manifest)
                    stream.flush()
                    os.fsync(stream.fileno())
            if manifest is not None:
                beside.unlink(missing_ok=True)
            if self.is_folder and self.output.exists():
                self.output.rmdir()  # an empty one, see `writing`
            self.place.replace(self.output)
            if manifest is not None:
                note.replace(beside)
        finally:
            note.unlink(missing_ok=True)

    def drop(self) -> None:
        """Let go of everything that has no name yet."""
        for stream in self._open.values():
            with suppress(OSError):  # what cannot be written is not wanted any more
                stream.close()
        if self.is_folder:
            shutil.rmtree(self.place, ignore_errors=True)
        else:
            self.place.unlink(missing_ok=True)


def _is_database(path: Path) -> bool:
    """Whether a file is SQLite's: votes cannot be got back, an export can."""
    with suppress(OSError), path.open("rb") as stream:
        return stream.read(16) == b"SQLite format 3\0"
    return False


def followed(path: Path) -> Path:
    """Where a file or folder of this name really stands: what a link points to, or the name."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _kind(path: Path) -> int:
    """What is at a name, following links, as of ``stat.S_IFMT``; 0 where nothing is yet.

    Raises:
        TiebreakError: if it cannot be looked at.
    """
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        raise TiebreakError(
            f"{path}: {why}", "nothing was written; look at the path and its rights"
        ) from error


def _need_replaceable(path: Path) -> None:
    """Refuse a name whose file would not be written into but taken away.

    Raises:
        TiebreakError: for a device, a pipe or a socket.
    """
    if _kind(path) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise TiebreakError(
            f"{path}: is a device or a pipe, and no file",
            "name a file, or - for standard output; nothing was written",
        )


@contextmanager
def writing(output: Path, *, is_folder: bool) -> Iterator[Unfinished]:
    """Files to write; what was not kept when the block ends is gone.

    A link is followed: what it points to is written, and the manifest stands beside that.

    Raises:
        TiebreakError: if the folder holds something already, the file is a database, a device or
            a pipe, or the disk refuses.
    """
    _need_replaceable(output)
    if not output.name:  # where one stands, or the root: nothing can stand beside it
        raise TiebreakError(
            f"{output}: is a folder", f"name a {'new folder' if is_folder else 'file'}"
        )
    output = followed(output)
    _need_replaceable(manifest_of(output))
    if is_folder and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise TiebreakError(
            f"{output}: there is something already", "name a folder that is new or empty"
        )
    if not is_folder and output.is_dir():
        raise TiebreakError(f"{output}: is a folder", "name a file")
    if output.is_file() and _is_database(output):
        raise TiebreakError(
            f"{output}: is a database, perhaps a study", "name a new file; nothing was written"
        )
    try:
        files = Unfinished(output, is_folder=is_folder)
        try:
            yield files
        finally:
            files.drop()
    except OSError as error:
        raise TiebreakError(
            f"{output}: {error.strerror or error}",
            "nothing was written; look at the path, its rights and the room on its disk",
        ) from error
