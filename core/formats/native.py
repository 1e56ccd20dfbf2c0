"""Tiebreak's own JSON Lines: one record a line, told apart by ``type``.

``study`` · ``question`` · ``answer`` · ``pair`` · ``lesson`` · ``annotator`` · ``judge`` ·
``prompt`` · ``panel`` · ``vote`` · ``verdict`` · ``ruling`` · ``score`` · ``queued`` ·
``unmasking`` · ``second_opinion``. A line may name its two models in either order: choices and
sides are turned with them. What is written can be read back, and gives the same study.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from core.beside_logs import Queued, SecondOpinion, Unmasking
from core.formats import Format, Located
from core.formats.lines import first_object, is_json_lines, json_lines
from core.formats.native_rows import READERS
from core.panels import Panel
from core.records import (
    Annotator,
    Answer,
    Judge,
    Lesson,
    Pair,
    Question,
    Record,
    Ruling,
    Score,
    Setting,
    Verdict,
    Vote,
    Wording,
)

_EVENT = "id question model_1 model_2 turn left "
_FIELDS: Mapping[str, tuple[str, ...]] = {
    kind: tuple(names.split())
    for kind, names in {
        "question": "id turns category references source",
        "answer": "question model turns system_prompt settings source",
        "pair": "question model_1 model_2",
        "lesson": "question model_1 model_2 turn use choice why",
        "annotator": "name role group simulated attributes retired",
        "judge": "name kind model endpoint prompt prompt_hash parameters revision",
        "prompt": "judge wording",
        "panel": "name rule members",
        "vote": f"{_EVENT} annotator choice identity supersedes confidence note flag "
        "active_seconds repeat cannot_judge tags criteria at",
        "verdict": f"{_EVENT} judge status choice repeat scores preference prompt prompt_hash "
        "label raw reasoning error tokens_in tokens_out latency cost attempts supersedes at "
        "failure sent_hash probabilities endpoint served_model",
        "ruling": f"{_EVENT} lead stage choice reason shown queue_reason queue_probability "
        "supersedes identity at final",
        "score": "benchmark model score low high source",
        "queued": "question model_1 model_2 probability overlap extra",
        "unmasking": "question model_1 model_2 turn lead at",
        "second_opinion": "id question model_1 model_2 turn lead why answered_by at",
    }.items()
}
"""Every field of each type but ``type`` itself; ``study`` takes the settings' own names."""

_KINDS: Mapping[type, str] = {
    Question: "question",
    Answer: "answer",
    Pair: "pair",
    Lesson: "lesson",
    Annotator: "annotator",
    Judge: "judge",
    Wording: "prompt",
    Panel: "panel",
    Vote: "vote",
    Verdict: "verdict",
    Ruling: "ruling",
    Score: "score",
    Queued: "queued",
    Unmasking: "unmasking",
    SecondOpinion: "second_opinion",
}


def read(path: Path) -> Iterator[Located]:
    """The records of one file, in its order.

    Raises:
        BadInput: at the first line that cannot be taken. A field that is not known is an error:
            a misspelt one would otherwise be lost without a word.
    """
    known = {kind: {"type", *names} for kind, names in _FIELDS.items()}
    for row in json_lines(path):
        reader = row.one_of("type", READERS)
        kind = row.text("type")
        if kind in known and (unknown := row.fields.keys() - known[kind]):
            raise row.bad(
                sorted(unknown)[0],
                f"is no field of a line of type {kind!r}",
                f"it takes: {', '.join(_FIELDS[kind])}",
            )
        for record in reader(row):
            yield row.where, record


def _as_line(record: Record) -> dict[str, Any]:
    """A record as an object, every field named; see :func:`write`, which drops empty ones."""
    if isinstance(record, Setting):
        return {"type": "study", record.key: record.value}
    kind = _KINDS[type(record)]
    return {"type": kind} | {name: _value(record, name) for name in _FIELDS[kind]}


_OF_A_PAIR = (Lesson, Vote, Verdict, Ruling, Queued, Unmasking, SecondOpinion)


def _value(record: Record, name: str) -> Any:
    if isinstance(record, Question) and name == "id":
        return record.key
    if isinstance(record, _OF_A_PAIR) and name in ("question", "model_1", "model_2"):
        return getattr(record.pair, name)
    if isinstance(record, Vote | Verdict | Ruling) and name == "left":
        return None if record.left is None else f"model_{record.left}"
    if isinstance(record, Wording) and name == "wording":
        return json.loads(record.text)
    value = getattr(record, name)
    return dict(value) if isinstance(value, Mapping) else value


def write(records: Iterable[Record], stream: IO[str]) -> None:
    """Write records, one a line; a field that says nothing is left out."""
    for record in records:
        line = _as_line(record)
        told = {"probability"} if isinstance(record, Queued) else set()  # null: nobody knows it
        kept = {k: v for k, v in line.items() if k in told or not _says_nothing(v)}
        if isinstance(record, Setting):
            kept = line
        elif _withdraws(record):
            kept["choice"] = None
        stream.write(json.dumps(kept, ensure_ascii=False) + "\n")


def _withdraws(record: Record) -> bool:
    if isinstance(record, Vote):
        return record.choice is None and not record.cannot_judge
    return isinstance(record, Ruling) and record.choice is None


def _says_nothing(value: object) -> bool:
    """Whether a field may be left out; 0 may not, it says something."""
    return value is None or value is False or value in ("", (), {})


def files(path: Path) -> Sequence[Path]:
    """A file itself; of a folder every ``.jsonl``, by name."""
    return [path] if path.is_file() else sorted(path.glob("*.jsonl"))


def sniff(path: Path) -> bool:
    """A file whose first line has a known ``type``, or a folder that holds only such files."""
    found = files(path) if path.exists() else []
    return bool(found) and all(
        is_json_lines(file) and first_object(file).get("type") in (*READERS,) for file in found
    )


FORMAT = Format("native", "Tiebreak's own JSON Lines", sniff, files, read, write)
