"""Reading files line by line and field by field, so that what is wrong is named exactly."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from reprlib import repr as shortened
from typing import IO, Any

from core.errors import BadInput, Where
from core.text import name_problem

_MISSING = object()
_TEXTUAL = (str, int, float)

_DEEPEST = 64
"""How far a line's lists and objects may be nested; SQLite and Python give up further down."""


class Row:
    """One line's fields. Each getter raises :class:`BadInput` that names the field."""

    def __init__(self, where: Where, fields: Mapping[str, Any]) -> None:
        self.where = where
        self.fields = fields

    def bad(self, field: str, problem: str, hint: str = "") -> BadInput:
        """An error at this line and field."""
        return BadInput(self.where, field, problem, hint)

    def _get(self, field: str, default: Any) -> Any:
        value = self.fields.get(field, default)
        if value is _MISSING:
            raise self.bad(field, "is missing", f"give the line a {field!r}")
        return value

    def has(self, field: str) -> bool:
        """Whether the field is there and says something."""
        return self.fields.get(field) not in (None, "")

    def text(self, field: str, default: Any = _MISSING) -> str:
        """A text that can be stored; numbers count as text, since ids often are."""
        return self._text(field, self._get(field, default))

    def name(self, field: str) -> str:
        """A text that can be a name: not empty, and of one line without control characters."""
        value = self.text(field)
        if problem := name_problem(value):
            hint = "take it out" if value.strip() else f"give the line a {field!r}"
            raise self.bad(field, problem, hint)
        return value

    def filled(self, field: str) -> str:
        """A text that is not empty."""
        value = self.text(field)
        if not value.strip():
            raise self.bad(field, "is empty", f"give the line a {field!r}")
        return value

    def optional(self, field: str) -> str | None:
        """A text, or None where the field is absent, null or empty."""
        return self.text(field) if self.has(field) else None

    def _text(self, field: str, value: Any) -> str:
        if type(value) is str and value.isascii():
            return value  # nearly every field of a large file
        if isinstance(value, bool) or not isinstance(value, _TEXTUAL):
            raise self.bad(field, f"is {_kind(value)}, not text", "put it in quotes")
        return self._encodable(field, str(value))

    def _encodable(self, field: str, text: str) -> str:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise self.bad(
                field,
                f"has half a surrogate pair, U+{ord(text[error.start]):04X}, which is no character",
                "replace it with the character that was meant, or with U+FFFD",
            ) from error
        return text

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of at least one text; a bare text counts as a list of one."""
        values = self._list(field)
        return tuple(self._text(field, value) for value in values)

    def texts_or_none(self, field: str) -> tuple[str | None, ...]:
        """A list of texts and nulls; empty where the field is absent."""
        if not self.has(field):
            return ()
        return tuple(
            None if value is None else self._text(field, value) for value in self._list(field)
        )

    def _list(self, field: str) -> Sequence[Any]:
        value = self._get(field, _MISSING)
        if isinstance(value, str):
            return [value]
        if not isinstance(value, list) or not value:
            kind = "an empty list" if value == [] else _kind(value)
            raise self.bad(field, f"is {kind}, not a list of texts", "one text per turn")
        return value

    def number(self, field: str, low: float, high: float, *, whole: bool = True) -> float | None:
        """A number within bounds, or None where the field is absent, null or empty."""
        if not self.has(field):
            return None
        value = self.fields[field]
        try:
            number = float(value) if not isinstance(value, bool) else math.nan
        except (TypeError, ValueError, OverflowError):
            number = math.nan  # within no bounds
        if not low <= number <= high or (whole and number != int(number)):
            kind = "a whole number" if whole else "a number"
            raise self.bad(
                field, f"is {shortened(value)}", f"it takes {kind} from {low:g} to {high:g}"
            )
        return number

    def whole(self, field: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number within bounds."""
        number = self.number(field, low, high)
        if number is None:
            if default is None:
                raise self.bad(field, "is missing", f"it takes a whole number from {low} to {high}")
            return default
        return int(number)

    def mapping(self, field: str) -> Mapping[str, Any]:
        """An object; empty where the field is absent or null."""
        value = self.fields.get(field)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.bad(field, f"is {_kind(value)}, not an object", 'such as {"a": 1}')
        self._encodable(field, json.dumps(value, ensure_ascii=False))
        return value

    def yes_or_no(self, field: str) -> bool:
        """True or false; false where the field is absent or null."""
        value = self.fields.get(field)
        if not isinstance(value, bool | None):
            raise self.bad(field, f"is {_kind(value)}", "it takes true or false, without quotes")
        return bool(value)

    def one_of(self, field: str, allowed: Mapping[str, Any]) -> Any:
        """What a label stands for. An unknown label is an error, never a default."""
        value = self.text(field)
        if value not in allowed:
            raise self.bad(
                field,
                f"is {shortened(value)}, which is no known label",
                f"it takes: {', '.join(allowed)}",
            )
        return allowed[value]


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
    if value is _MISSING:
        return "missing"
    return names.get(type(value), "a number" if isinstance(value, int | float) else "text")


def json_lines(path: Path) -> Iterator[Row]:
    """The objects of a JSON Lines file; blank lines are passed over.

    Raises:
        BadInput: at a line that is not UTF-8, not JSON, or not an object.
    """
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            raw = raw.strip()
            if not raw:
                continue
            where = Where(str(path), number)
            try:
                fields = _object(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError as error:
                raise BadInput(
                    where, "", f"byte {error.start + 1} is not UTF-8", "save the file as UTF-8"
                ) from error
            except json.JSONDecodeError as error:
                raise BadInput(
                    where,
                    "",
                    f"is not JSON: {error.msg} at column {error.colno}",
                    "each line holds one JSON object; look for a missing quote or comma",
                ) from error
            except RecursionError as error:
                raise BadInput(where, "", "is nested too deeply", "flatten it") from error
            except ValueError as error:
                raise BadInput(
                    where,
                    "",
                    "holds a number that cannot be stored, such as NaN or one beyond 1e308",
                    "leave it out, or write it as text, in quotes",
                ) from error
            if not isinstance(fields, dict):
                raise BadInput(
                    where, "", f"is {_kind(fields)}, not an object", "each line is one {…}"
                )
            yield Row(where, fields)


def _object(line: str) -> Any:
    """What a line of JSON says.

    Raises:
        ValueError: if it is not JSON, or holds a number that no JSON and no database knows.
        RecursionError: if it is nested further than ``_DEEPEST``.
    """
    value = _DECODER.decode(line)
    if line.count("[") + line.count("{") > _DEEPEST and not _is_shallow(value, _DEEPEST):
        raise RecursionError
    return value


def _is_shallow(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_shallow(one, depth - 1) for one in inner)


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(f"not finite: {literal:.20}")
    return number


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def csv_rows(path: Path) -> Iterator[Row]:
    """The rows of a CSV file with a header; a row's line is the one that it starts at.

    Raises:
        BadInput: at a line that is not UTF-8, or has more or fewer fields than the header.
    """
    _take_long_fields()
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        line = 1
        try:
            header = next(reader, [])
            line = reader.line_num + 1
            for values in reader:
                where = Where(str(path), line)
                line = reader.line_num + 1
                if not values:
                    continue
                if len(values) != len(header):
                    raise BadInput(
                        where,
                        "",
                        f"has {len(values)} fields, but the header has {len(header)}",
                        "look for a missing comma or an unclosed quote",
                    )
                yield Row(where, dict(zip(header, values, strict=True)))
        except csv.Error as error:
            raise BadInput(
                Where(str(path), line), "", f"is not CSV: {error}", "look for an unclosed quote"
            ) from error
        except UnicodeDecodeError as error:
            raise _not_utf8(path) from error


def _take_long_fields() -> None:
    csv.field_size_limit(1 << 30)  # an answer may be long; the default refuses 128 KiB


def _not_utf8(path: Path) -> BadInput:
    """Name the line itself: files are decoded in blocks, ahead of the row that is read."""
    line, problem = 0, "is not UTF-8"
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError as error:
                line, problem = number, f"byte {error.start + 1} is not UTF-8"
                break
    return BadInput(Where(str(path), line), "", problem, "save the file as UTF-8")


def first_object(path: Path) -> Mapping[str, Any]:
    """The first object of a JSON Lines file; empty where it has none.

    Raises:
        BadInput: if that line is broken.
    """
    return next((row.fields for row in json_lines(path)), {})


def is_json_lines(path: Path) -> bool:
    """Whether a file is called like a JSON Lines file."""
    return path.is_file() and path.suffix in (".jsonl", ".ndjson", ".json")


def is_csv(path: Path) -> bool:
    """Whether a file is called like a CSV file."""
    return path.is_file() and path.suffix == ".csv"


def csv_writer(stream: IO[str]) -> Any:
    """A writer whose rows end as RFC 4180 has it, and whose line breaks in cells are quoted."""
    # With "\n" alone as the end of a row, Python 3.11 leaves a bare "\r" in a cell unquoted.
    return csv.writer(stream, lineterminator="\r\n")


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: such a one gets an apostrophe before it."""
    return "'" + cell if cell.lstrip("'").startswith(_FORMULA) else cell


def written_cell(cell: str) -> str:
    """What :func:`safe_cell` was given."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'").startswith(_FORMULA) else cell


def header(path: Path) -> list[str]:
    """The column names of a CSV file.

    Raises:
        BadInput: if its first line is broken.
    """
    _take_long_fields()
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        try:
            return next(csv.reader(stream, strict=True), [])
        except csv.Error as error:
            raise BadInput(
                Where(str(path), 1), "", f"is not CSV: {error}", "look for an unclosed quote"
            ) from error


def content_id(*parts: object) -> str:
    """An id that follows from content, so that the same line read twice is the same record."""
    joined = "\x1f".join("" if part is None else str(part) for part in parts)
    return hashlib.sha256(joined.encode("utf-8")).hexdigest()[:32]
