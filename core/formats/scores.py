"""Tables of automatic benchmark scores: CSV, or one JSON object a line.

``model``, ``benchmark`` and ``score`` are needed, higher is better; ``low`` and ``high`` are the
benchmark's own 95% interval, both or neither. ``source`` may say where a score is from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import BadInput, Where
from core.formats import Format, Located
from core.formats.lines import (
    Row,
    csv_rows,
    first_object,
    header,
    is_csv,
    is_json_lines,
    json_lines,
    written_cell,
)
from core.records import Record, Score

_NEEDED = {"model", "benchmark", "score"}
KNOWN = ("model", "benchmark", "score", "low", "high", "source")
_LARGEST = 1e300


def _number(row: Row, field: str) -> float | None:
    return row.number(field, -_LARGEST, _LARGEST, whole=False)


def score_of(row: Row) -> Iterator[Record]:
    """The score that a line gives."""
    score, low, high = (_number(row, field) for field in ("score", "low", "high"))
    if score is None:
        raise row.bad("score", "is missing", "give the line a 'score', higher being better")
    if (low is None) != (high is None):
        absent = "low" if low is None else "high"
        raise row.bad(absent, "is missing", "an interval has two ends: give both, or neither")
    if low is not None and high is not None and not low <= score <= high:
        raise row.bad(
            "score",
            f"is {score:g}, outside of its interval from {low:g} to {high:g}",
            "look whether low and high are exchanged, or of another benchmark",
        )
    yield Score(row.name("benchmark"), row.name("model"), score, low, high, row.optional("source"))


def read(path: Path) -> Iterator[Located]:
    """The scores of one file, in its order.

    Raises:
        BadInput: for a column that is missing or unknown, a row that cannot be taken, or a model
            that a benchmark scores twice.
    """
    seen: dict[tuple[str, str], int] = {}
    for row in _csv(path) if is_csv(path) else json_lines(path):
        if unknown := row.fields.keys() - set(KNOWN):
            raise _unknown(row.where, sorted(unknown)[0])
        for record in score_of(row):
            assert isinstance(record, Score)
            key = record.benchmark, record.model
            if key in seen:
                raise row.bad(
                    "model",
                    f"is {record.model!r}, which {record.benchmark!r} scores in line "
                    f"{seen[key]} already",
                    "leave one line for each model and benchmark",
                )
            seen[key] = row.where.line or 0
            yield row.where, record


def _unknown(where: Where, field: str) -> BadInput:
    hint = f"rename it or leave it out; it knows: {', '.join(KNOWN)}"
    return BadInput(where, field, "is nothing that a table of scores holds", hint)


def _csv(path: Path) -> Iterator[Row]:
    columns, where = header(path), Where(str(path), 1)
    if missing := _NEEDED - set(columns):
        raise BadInput(where, sorted(missing)[0], "is no column of this table", "add the column")
    if unknown := set(columns) - set(KNOWN):
        raise _unknown(where, sorted(unknown)[0])
    if len(set(columns)) != len(columns):
        raise BadInput(where, "", "names a column twice", "give each column one name")
    texts = ("model", "benchmark", "source")
    for row in csv_rows(path):
        # A negative score is a number here, whatever a spreadsheet would make of it.
        cells = {
            name: written_cell(cell) if name in texts else cell.strip()
            for name, cell in row.fields.items()
        }
        yield Row(row.where, cells)


def files(path: Path) -> Sequence[Path]:
    """A file itself; of a folder every ``.csv`` and ``.jsonl``, by name."""
    return [path] if path.is_file() else sorted([*path.glob("*.csv"), *path.glob("*.jsonl")])


def _is_one(path: Path) -> bool:
    if is_csv(path):
        return set(header(path)) >= _NEEDED
    if not is_json_lines(path):
        return False
    fields = first_object(path).keys()
    return fields >= _NEEDED and "type" not in fields


def sniff(path: Path) -> bool:
    """A file with the needed columns or fields, or a folder that holds nothing but such files."""
    found = files(path) if path.exists() else []
    return bool(found) and all(_is_one(file) for file in found)


FORMAT = Format("scores", "a table of automatic benchmark scores", sniff, files, read)
