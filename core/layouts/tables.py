"""Gold as a flat table: CSV for people, Parquet for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from core.formats.lines import csv_writer, safe_cell
from core.layouts.rows import Files, Layout, Row, Telling
from core.records import Choice

_SAID = (
    "question",
    "category",
    "model_1",
    "model_2",
    "turn",
    "label",
    "decided_by",
    "why",
    "simulated_votes",
)
_COUNTS = tuple(f"votes_{choice}" for choice in Choice)
_NUMBERS = {"turn", "simulated_votes", *_COUNTS}
COLUMNS = (*_SAID, *_COUNTS)

_GROUP = 10_000
"""Rows that a Parquet file holds together, and that are in memory at a time."""


def flat(row: Row, telling: Telling) -> dict[str, Any]:
    """A row's cells by column; None where there is nothing to say."""
    item, gold = row.item, row.gold
    return {
        "question": item.pair.question,
        "category": item.category,
        "model_1": item.pair.model_1,
        "model_2": item.pair.model_2,
        "turn": item.turn,
        "label": None if gold.label is None else gold.label.value,
        "decided_by": gold.decided_by.value,
        "why": gold.why,
        "simulated_votes": sum(vote.annotator in telling.simulated for vote, _ in item.votes),
    } | {f"votes_{choice}": gold.counts[choice] for choice in Choice}


def _csv(rows: Iterable[Row], telling: Telling, files: Files) -> None:
    table = csv_writer(files.text())
    table.writerow(COLUMNS)
    for row in rows:
        cells = flat(row, telling)
        table.writerow(
            "" if cells[name] is None else safe_cell(str(cells[name])) for name in COLUMNS
        )
        telling.written[""] += 1


def _parquet(rows: Iterable[Row], telling: Telling, files: Files) -> None:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema(
        [(name, pyarrow.int32() if name in _NUMBERS else pyarrow.string()) for name in COLUMNS]
    )
    # Uncompressed and without statistics of the writer's own making: the same bytes every time.
    with pyarrow.parquet.ParquetWriter(
        files.binary(), schema, compression="none", store_schema=False
    ) as writer:
        for group in _grouped(rows):
            cells = [flat(row, telling) for row in group]
            writer.write_table(pyarrow.Table.from_pylist(cells, schema))
            telling.written[""] += len(group)


def _grouped(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while group := list(islice(left, _GROUP)):
        yield group


LAYOUTS = (
    Layout("csv", "a flat table", _csv),
    Layout("parquet", "a flat table for programs", _parquet, binary=True, needs="pyarrow"),
)
