"""Which rows of a file are not the ones that they should be, said one by one."""

from __future__ import annotations

import csv
import io
import json
from collections import deque
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from core.text import many, one_line

_AHEAD = 1000
"""Rows that are looked ahead for where two files meet again."""

_COUNTED = 1000
"""Rows beyond the listed ones that are counted; whoever changed more changed the file."""

_MAGIC = b"PAR1"
"""What a Parquet file begins with."""

_NO_TEXT = {
    _MAGIC: "Parquet",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zX": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
"""What a file begins with that somebody may have put in the place of text."""

_NAMES = ("question", "question_id", "model_1", "model_a", "model_2", "model_b", "turn", "id")


def differences(found: Path, meant: Path, *, most: int) -> list[str]:
    """How a file differs from what it should be, row by row.

    Args:
        most: rows that are listed at most; then it says how many more there are.
    """
    is_parquet = _is_parquet(meant)
    rows = _parquet if is_parquet else _lines
    if problem := _unreadable(found, is_parquet=is_parquet):
        count = sum(1 for _ in rows(meant))
        unit = "row" if is_parquet else "line"
        return [f"{found}: {problem}; {many(count, unit)} should be in it"]
    told = _pairs(rows(found), rows(meant))
    if not is_parquet and _is_otherwise_ended(found, meant):
        return [f"{found}: its lines are the same, but not how they end"]
    listed = [f"{found}, {problem}" for problem in islice(told, most)]
    if is_parquet and not listed:
        return [f"{found}: its rows are the same, but not its bytes"]
    if more := sum(1 for _ in islice(told, _COUNTED + 1)):
        number = f"more than {_COUNTED:,} more rows" if more > _COUNTED else many(more, "more row")
        listed.append(f"{found}: and {number}")
    return listed


def _is_otherwise_ended(found: Path, meant: Path) -> bool:
    """Whether two files of text differ in their line ends alone."""
    pairs = zip_longest(_lines(found), _lines(meant))
    return all(
        one is not None and other is not None and one.rstrip("\r\n") == other.rstrip("\r\n")
        for one, other in pairs
    )


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == _MAGIC


def _unreadable(path: Path, *, is_parquet: bool) -> str:
    """Why nothing can be said of a file's rows one by one; empty if it can."""
    if not path.stat().st_size:
        return "is empty"
    if not is_parquet:
        with path.open("rb") as stream:
            head = stream.read(4)
        kind = next((name for magic, name in _NO_TEXT.items() if head.startswith(magic)), "")
        return f"is {kind}, and was written as text" if kind else ""
    if not _is_parquet(path):
        return "is no Parquet file"
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1000):
                batch.validate(full=True)  # of texts in which a byte is wrong it says so
                batch.to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        return f"can no longer be read as Parquet ({one_line(str(error).strip(), 100)})"
    return ""


def _lines(path: Path) -> Iterator[str]:
    # Whatever bytes a changed file holds, its lines can be told apart.
    with path.open(encoding="utf-8", errors="backslashreplace", newline="\n") as lines:
        yield from lines


def _parquet(path: Path) -> Iterator[str]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(1000):
            for row in batch.to_pylist():
                # A damaged column may hold bytes, or times, that JSON has no word for.
                yield json.dumps(row, ensure_ascii=False, default=repr)


def _pairs(found: Iterator[str], meant: Iterator[str]) -> Iterator[str]:
    """Walk both side by side; after a difference, go on where they meet again."""
    ours, theirs = _Ahead(found), _Ahead(meant)
    while True:
        one, other = ours.peek(), theirs.peek()
        if one is None and other is None:
            return
        if one == other:
            ours.take()
            theirs.take()
            continue
        extra, missing = ours.until(other), theirs.until(one)
        if other is not None and missing is not None and (extra is None or missing <= extra):
            yield f"before line {ours.line}: a row is missing{_named(other)}"
            theirs.take()
        elif one is not None and (extra is not None or other is None):
            yield f"line {ours.line}: is a row too many{_named(one)}"
            ours.take()
        elif one is None:
            yield f"at its end: a row is missing{_named(other)}"
            theirs.take()
        else:
            yield f"line {ours.line}: was changed{_named(other)}{_fields(one, other)}"
            ours.take()
            theirs.take()


class _Ahead:
    """Lines that can be looked at before they are taken."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._held: deque[str] = deque()
        self.line = 1

    def peek(self) -> str | None:
        """The next line; None at the end."""
        self._hold(1)
        return self._held[0] if self._held else None

    def take(self) -> None:
        """Go on to the next line."""
        self._held.popleft()
        self.line += 1

    def until(self, wanted: str | None) -> int | None:
        """How many lines stand before one; None if it is not near."""
        if wanted is None:
            return None
        self._hold(_AHEAD)
        try:
            return self._held.index(wanted)
        except ValueError:
            return None

    def _hold(self, count: int) -> None:
        self._held.extend(islice(self._lines, max(0, count - len(self._held))))


def _object(line: str | None) -> dict[str, Any]:
    try:
        value = json.loads((line or "").strip().rstrip(","))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _named(line: str | None) -> str:
    """What a row is about, in brackets."""
    fields = _object(line)
    told = [f"{name} {fields[name]!r}" for name in _NAMES if name in fields]
    if not fields and line:
        try:
            cells = next(csv.reader(io.StringIO(line)), [])
        except csv.Error:
            cells = []
        told = [repr(cell) for cell in cells[:5]]
    return f" ({', '.join(told)})" if told else ""


def _fields(found: str | None, meant: str | None) -> str:
    """Which fields of a row differ."""
    one, other = _object(found), _object(meant)
    if not one or not other:
        return ""
    names = [name for name in {**other, **one} if one.get(name) != other.get(name)]
    return f": {', '.join(names[:8])}" if names else ""
