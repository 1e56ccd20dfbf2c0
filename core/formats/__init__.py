"""File formats: one module each, found by itself.

A format module defines ``FORMAT``, a :class:`Format`. Nothing else has to be touched for
``tiebreak import`` to sniff and read it, or for ``tiebreak export`` to write it.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from core.errors import BadInput, UsageError, Where
from core.records import Record

Located = tuple[Where, Record]


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    Attributes:
        sniff: whether a file or folder looks like this format; reads its first lines at most.
        files: the files to read of a path that was sniffed, in the order to read them.
        read: the records of one file; raises :class:`core.errors.BadInput` at the first line
            that cannot be taken.
        write: writes records to a text stream; None where the format is only read.
    """

    id: str
    title: str
    sniff: Callable[[Path], bool]
    files: Callable[[Path], Sequence[Path]]
    read: Callable[[Path], Iterator[Located]]
    write: Callable[[Iterable[Record], IO[str]], None] | None = None


@cache
def formats() -> tuple[Format, ...]:
    """Every format, by id."""
    found = [
        module.FORMAT
        for info in pkgutil.iter_modules(__path__)
        if hasattr(module := importlib.import_module(f"{__name__}.{info.name}"), "FORMAT")
    ]
    return tuple(sorted(found, key=lambda one: one.id))


def named(name: str) -> Format:
    """The format of that id.

    Raises:
        UsageError: if there is none.
    """
    for one in formats():
        if one.id == name:
            return one
    raise UsageError(
        f"no format is called {name!r}", f"there are: {', '.join(f.id for f in formats())}"
    )


def sniffed(path: Path) -> Format:
    """The format that a file or folder is in.

    Raises:
        BadInput: if it is in none that is known, or is not there.
    """
    where = Where(str(path))
    if not path.exists():
        raise BadInput(where, "", "there is no such file or folder", "look at the path")
    if path.is_file() and not path.stat().st_size:
        raise BadInput(where, "", "the file is empty", "look whether it was written completely")
    found = [one for one in formats() if one.sniff(path)]
    if len(found) > 1:
        raise BadInput(
            where,
            "",
            f"this folder holds files of several formats: {', '.join(one.id for one in found)}",
            "import its files one by one, or say --format NAME and leave the others out",
        )
    if found:
        return found[0]
    _say_what_is_wrong(path)
    raise BadInput(
        where,
        "",
        "this is in no format that Tiebreak knows",
        f"docs/formats.md describes them ({', '.join(f.id for f in formats())}); "
        "--format NAME says which one it is meant to be",
    )


def _say_what_is_wrong(path: Path) -> None:
    """Where a file is nearly in a format, let that format name the field it trips over.

    Raises:
        BadInput: that names the place.
    """
    from core.formats.lines import first_object, is_csv, is_json_lines

    if is_csv(path):
        next(named("csv").read(path), None)
    elif is_json_lines(path) and "type" in first_object(path):
        next(named("native").read(path), None)


def fingerprint(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
