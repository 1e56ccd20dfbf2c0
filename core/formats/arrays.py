"""Reading files that hold one JSON array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from core.errors import BadInput, Where
from core.formats.lines import Row, decoded


def json_array(path: Path) -> Iterator[Row]:
    """The objects of an array; a row's line is the one that it begins at.

    Raises:
        BadInput: where the file is not UTF-8, not an array, or holds what is no object.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            Where(str(path)), "", f"byte {error.start + 1} is not UTF-8", "save the file as UTF-8"
        ) from error
    at, line, counted = _after(text, 0, "["), 1, 0
    while True:
        at = _blank(text, at)
        line, counted = line + text.count("\n", counted, at), at
        where = Where(str(path), line)
        if text[at : at + 1] == "]":
            break
        try:
            _, end = _SCANNER.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            raise BadInput(
                where, "", "is not JSON from here on", "look for a missing quote or comma"
            ) from error
        yield decoded(text[at:end], where)
        at = _blank(text, end)
        if text[at : at + 1] == ",":
            at += 1
        elif text[at : at + 1] != "]":
            raise BadInput(where, "", "is not JSON: what follows is no comma", "add it")
    if text[at + 1 :].strip():
        raise BadInput(where, "", "goes on after its array", "one array is the whole file")


_SCANNER = json.JSONDecoder()


def _after(text: str, at: int, sign: str) -> int:
    return text.index(sign, at) + 1


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
