"""Battles of Chatbot Arena: one comparison a row, as an array, as lines, or as Parquet.

``model_a``, ``model_b``, ``winner`` and ``judge`` are needed. ``question_id``, ``turn``,
``tstamp``, ``anony`` and the texts (``conversation_a``, ``conversation_b``) are taken where they
are there; other fields, such as ``language`` or moderation, say nothing about a vote. ``model_a``
stood left, unless ``side_known`` is false, as an export says where nobody recorded it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.errors import BadInput, Where
from core.formats import Format, Located
from core.formats.arrays import json_array
from core.formats.lines import Row, content_id, is_json_array, is_json_lines, json_lines
from core.records import Annotator, Answer, Choice, Pair, Question, Record, Setting, Vote
from core.times import stamp

_NEEDED = {"model_a", "model_b", "winner"}
_MARKS = {"anony", "conversation_a"}
"""What battles have and an MT-bench folder's votes have not."""

_WINNER = {
    "model_a": Choice.MODEL_1,
    "model_b": Choice.MODEL_2,
    "tie": Choice.TIE,
    "tie (bothbad)": Choice.BOTH_BAD,
    "both_bad": Choice.BOTH_BAD,
}
_MAX_TURN = 64
_NAMED = "named"
"""The group of those who saw the models' names while they voted."""


class _Battles:
    """The battles of one file, on their way to records."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._times: Counter[tuple[object, ...]] = Counter()

    def records(self, row: Row) -> Iterator[Record]:
        """What a row says: texts where it has them, who voted, and the vote."""
        model_a, model_b = row.name("model_a"), row.name("model_b")
        if model_a == model_b:
            raise row.bad("model_b", f"is {model_b!r}, as is 'model_a'", "a battle has two models")
        choice = row.one_of("winner", _WINNER)
        at, who, group = _at(row), row.name("judge"), _group(row)
        talks = [_talk(row, side) for side in ("conversation_a", "conversation_b")]
        turn = row.whole("turn", 0, _MAX_TURN, default=max(1, len(talks[0][0])))
        content = (who, group, model_a, model_b, row.text("winner"), turn, at)
        if row.has("question_id"):
            question = row.name("question_id")
            key = self._key(question, *content)
        else:
            key = self._key(*content)
            question = f"battle-{key[:16]}"
        yield from self._texts(row, question, (model_a, model_b), talks)
        name = f"{who} ({_NAMED})" if group == _NAMED else who
        yield from self._person(name, group)
        pair, swapped = Pair.of(question, model_a, model_b)
        left = None if row.fields.get("side_known") is False else 2 if swapped else 1
        yield Vote(
            key, pair, turn, name, choice.exchanged() if swapped else choice, left=left, at=at
        )

    def _key(self, *content: object) -> str:
        """An id that follows from the content, and from how often just that stood before."""
        self._times[content] += 1
        return content_id("arena", *content, self._times[content])

    def _texts(
        self,
        row: Row,
        question: str,
        models: tuple[str, str],
        talks: Sequence[tuple[tuple[str, ...], tuple[str, ...]]],
    ) -> Iterator[Record]:
        (asked, said_a), (asked_b, said_b) = talks
        if asked != asked_b:
            problem = "asks something else than 'conversation_a'"
            raise row.bad("conversation_b", problem, "both models of a battle are asked the same")
        if asked:
            yield Question(question, asked)
            for model, said in zip(models, (said_a, said_b), strict=True):
                yield Answer(question, model, said)

    def _person(self, name: str, group: str) -> Iterator[Record]:
        if name in self._told:
            return
        self._told.add(name)
        if group == _NAMED and group not in self._told:
            self._told.add(group)
            # Who sees the models' names does not vote blind.
            yield Setting("exclude_groups", [group])
        yield Annotator(name, group=group, simulated=name.startswith("simulated_"))


def _group(row: Row) -> str:
    is_named = row.fields.get("anony") is not None and not row.yes_or_no("anony")
    return _NAMED if is_named else "author" if row.text("judge").startswith("author_") else ""


def _at(row: Row) -> str:
    seconds = row.number("tstamp", 0, 1e11, whole=False)
    if seconds is None or row.fields.get("time_known") is False:
        return ""
    return stamp(datetime.fromtimestamp(seconds, UTC))


def _talk(row: Row, field: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was asked and what was answered, turn by turn; two empty ones without a conversation."""
    messages = row.fields.get(field)
    if messages in (None, "", []):
        return (), ()
    told: dict[str, list[str]] = {"user": [], "assistant": []}
    if isinstance(messages, list):
        for message in messages:
            role = message.get("role") if isinstance(message, dict) else None
            if role == "system":
                continue
            is_asked = len(told["user"]) > len(told["assistant"])
            if role != ("assistant" if is_asked else "user"):
                break
            told[role].append(Row(row.where, message).text("content"))
        else:
            if len(told["user"]) == len(told["assistant"]):
                return tuple(told["user"]), tuple(told["assistant"])
    raise row.bad(
        field,
        "is no conversation in which a user and an assistant take turns",
        'such as [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]',
    )


# ── files ───────────────────────────────────────────────────────────────────


def _is_parquet(path: Path) -> bool:
    return path.is_file() and path.suffix == ".parquet"


def _rows(path: Path) -> Iterator[Row]:
    if _is_parquet(path):
        return _parquet(path)
    return json_array(path) if is_json_array(path) else json_lines(path)


def _parquet(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file; a row's line is its number.

    Raises:
        BadInput: if it cannot be read, or what reads it is not installed.
    """
    where = Where(str(path))
    if find_spec("pyarrow") is None:
        problem = "is Parquet, which needs pyarrow, and that is not installed"
        raise BadInput(where, "", problem, "pip install 'tiebreak[parquet]'")
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            known = [name for name in file.schema_arrow.names if name in _TAKEN]
            for batch in file.iter_batches(1000, columns=known):
                for fields in batch.to_pylist():
                    number += 1
                    yield Row(Where(str(path), number), _plain(fields))
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        problem = "cannot be read as Parquet: it is damaged, cut off, or something else"
        raise BadInput(where, "", problem, "fetch it again, whole") from error


_TAKEN = {*_NEEDED, *_MARKS, "conversation_b", "question_id", "judge", "turn", "tstamp"} | {
    "side_known",
    "time_known",
}


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A row of Parquet as JSON would have it: no number that is none, times as seconds."""
    found = {}
    for name, value in fields.items():
        if isinstance(value, float) and math.isnan(value):
            value = None
        found[name] = value.timestamp() if isinstance(value, datetime) else value
    return found


def read(path: Path) -> Iterator[Located]:
    """The records of one file of battles.

    Raises:
        BadInput: at the first row that cannot be taken.
    """
    battles = _Battles()
    for row in _rows(path):
        for record in battles.records(row):
            yield row.where, record


def files(path: Path) -> Sequence[Path]:
    """A file itself; of a folder every JSON, JSON Lines and Parquet file, by name."""
    if path.is_file():
        return [path]
    return sorted(one for kind in ("json", "jsonl", "parquet") for one in path.glob(f"*.{kind}"))


def is_battle(fields: Mapping[str, Any]) -> bool:
    """Whether a row is one of the Arena's, and not a vote of an MT-bench folder."""
    is_marked = bool(_MARKS & fields.keys()) or "question_id" not in fields
    return fields.keys() >= _NEEDED and is_marked and "type" not in fields


def sniff(path: Path) -> bool:
    """A file whose first row is a battle; a Parquet file that cannot be read is taken for one."""
    if not (_is_parquet(path) or is_json_lines(path) or is_json_array(path)):
        return False
    try:
        first = next(_rows(path), None)
    except BadInput:
        if _is_parquet(path):
            return True  # reading it says what is wrong with it
        raise
    return first is not None and is_battle(first.fields)


FORMAT = Format("arena", "battles of Chatbot Arena", sniff, files, read)
