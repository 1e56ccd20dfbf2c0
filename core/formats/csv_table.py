"""Tables of comparisons as CSV: what people have in a spreadsheet.

One row is one comparison. ``question_id, model_a, model_b`` are needed; the rest is taken where
its column is there: ``question, category, reference, answer_a, answer_b`` (texts of one turn),
``winner`` with ``annotator`` (a vote), ``turn``, ``left`` (model_a or model_b), ``note``,
``repeat`` (1 for the marked repeat of a pair).

A spreadsheet takes a cell that starts with ``=``, ``+``, ``-`` or ``@`` for a formula, and runs it.
What is written here has an apostrophe before such a cell, which reading takes off again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from core.errors import BadInput, Where
from core.formats import Format, Located
from core.formats.lines import (
    Row,
    content_id,
    csv_rows,
    csv_writer,
    header,
    is_csv,
    safe_cell,
    written_cell,
)
from core.records import Answer, Choice, Pair, Question, Record, Vote

_NEEDED = {"question_id", "model_a", "model_b"}
_KNOWN = _NEEDED | {
    "question",
    "category",
    "reference",
    "answer_a",
    "answer_b",
    "winner",
    "annotator",
    "turn",
    "left",
    "note",
    "flag",
    "at",
    "repeat",
}
_WINNER = {
    "model_a": Choice.MODEL_1,
    "model_b": Choice.MODEL_2,
    "tie": Choice.TIE,
    "both_bad": Choice.BOTH_BAD,
}
_WRITTEN = (
    "question_id",
    "model_a",
    "model_b",
    "turn",
    "annotator",
    "winner",
    "left",
    "note",
    "flag",
    "at",
    "repeat",
)


def read(path: Path) -> Iterator[Located]:
    """The records of one table, in its order.

    Raises:
        BadInput: for a column that is missing or unknown, or a row that cannot be taken.
    """
    columns = header(path)
    where = Where(str(path), 1)
    if missing := _NEEDED - set(columns):
        raise BadInput(where, sorted(missing)[0], "is no column of this table", "add the column")
    if unknown := set(columns) - _KNOWN:
        raise BadInput(
            where,
            sorted(unknown)[0],
            "is no column that Tiebreak knows",
            f"rename it or leave it out; it knows: {', '.join(sorted(_KNOWN))}",
        )
    if len(set(columns)) != len(columns):
        raise BadInput(where, "", "names a column twice", "give each column one name")
    times: Counter[tuple[object, ...]] = Counter()
    for row in csv_rows(path):
        yield from _records(_unguarded(row), times)


def _unguarded(row: Row) -> Row:
    cells = {column: written_cell(cell) for column, cell in row.fields.items()}
    return Row(row.where, cells)


def _records(row: Row, times: Counter[tuple[object, ...]]) -> Iterator[Located]:
    question, first, second = row.name("question_id"), row.name("model_a"), row.name("model_b")
    if first == second:
        raise row.bad("model_b", f"is {second!r}, as is 'model_a'", "a pair has two models")
    pair, swapped = Pair.of(question, first, second)
    turn = row.whole("turn", 0, 64, default=1)
    if row.has("question"):
        reference = (row.text("reference"),) if row.has("reference") else ()
        yield (
            row.where,
            Question(question, (row.text("question"),), row.optional("category"), reference),
        )
    for model, field in ((first, "answer_a"), (second, "answer_b")):
        if row.has(field):
            yield row.where, Answer(question, model, (row.text(field),))
    yield row.where, pair
    if not row.has("winner"):
        return
    choice = row.one_of("winner", _WINNER)
    sides = {"model_a": 1, "model_b": 2}
    left = row.one_of("left", sides) if row.has("left") else None
    if swapped:
        choice, left = choice.exchanged(), None if left is None else 3 - left
    repeat = row.whole("repeat", 0, 10**6, default=0)
    content = (
        *(pair.key, turn, row.name("annotator"), choice, left, row.optional("at")),
        *([f"repeat {repeat}"] if repeat else []),
    )
    times[content] += 1
    yield (
        row.where,
        Vote(
            content_id("csv", *content, times[content]),
            pair,
            turn,
            row.name("annotator"),
            choice,
            left=left,
            note=row.optional("note") or "",
            flag=row.optional("flag") or "",
            at=row.optional("at") or "",
            repeat=repeat,
        ),
    )


def write(records: Iterable[Record], stream: IO[str]) -> None:
    """Write the votes among the records; other records have no place in this table."""
    table = csv_writer(stream)
    table.writerow(_WRITTEN)
    winner = {choice: label for label, choice in _WINNER.items()}
    for vote in records:
        if not isinstance(vote, Vote) or vote.choice is None:
            continue
        pair, sides = vote.pair, {None: "", 1: "model_a", 2: "model_b"}
        table.writerow(
            safe_cell(cell)
            for cell in (
                pair.question,
                pair.model_1,
                pair.model_2,
                str(vote.turn),
                vote.annotator,
                winner[vote.choice],
                sides[vote.left],
                vote.note,
                vote.flag,
                vote.at,
                str(vote.repeat or ""),
            )
        )


def files(path: Path) -> Sequence[Path]:
    """A file itself; of a folder every ``.csv``, by name."""
    return [path] if path.is_file() else sorted(path.glob("*.csv"))


def sniff(path: Path) -> bool:
    """A CSV file with the needed columns, or a folder that holds only such files."""
    found = files(path) if path.exists() else []
    return bool(found) and all(is_csv(file) and set(header(file)) >= _NEEDED for file in found)


FORMAT = Format("csv", "a table of comparisons as CSV", sniff, files, read, write)
