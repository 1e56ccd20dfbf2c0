"""Gold labels, votes and whole studies on their way out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from core.blinding import pseudonym
from core.errors import TiebreakError, UsageError
from core.formats import named
from core.layouts import layout, layouts
from core.layouts.rows import Files, Layout, Options
from core.layouts.trail import trail
from core.records import Annotator, Record
from db.reading import records_in
from db.schema import LATEST
from db.store import Store
from tui.export_files import Stream, Written, writing
from tui.export_rows import Export
from tui.manifests import Manifest, Moment, Order

if TYPE_CHECKING:
    from judges.training import Training

_RECORDS = {"votes": ("jsonl", "csv"), "study": ("jsonl",)}
"""What is written as records rather than as rows of gold, and in which formats."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an export came to.

    Attributes:
        rows: by file, its name empty where there is one.
        left_out: rows that are in no file, by reason.
    """

    rows: Mapping[str, int]
    left_out: Mapping[str, int]
    prompts: Mapping[str, str] = field(default_factory=dict)
    moment: Moment | None = None

    @property
    def count(self) -> int:
        """Rows in all files."""
        return sum(self.rows.values())


def shape(order: Order) -> Layout | None:
    """The layout of an order; None where it is written as records.

    Raises:
        UsageError: for an order that cannot be.
    """
    if order.format in _RECORDS.get(order.what, ()):
        return None
    if order.what == "study":
        raise UsageError("a whole study is no flat table", "leave --format out")
    found = layout(order.format)
    if order.what not in found.what:
        known = [*_RECORDS.get(order.what, ()), *(x.id for x in layouts() if order.what in x.what)]
        raise UsageError(
            f"{order.what} are not written as {order.format}", f"choose one of: {', '.join(known)}"
        )
    found.check(order.options)
    if found.needs and find_spec(found.needs) is None:
        raise TiebreakError(
            f"the layout {found.id} needs {found.needs}, which is not installed",
            f"pip install 'tiebreak[{found.id}]'",
        )
    return found


def write(store: Store, what: str, format_name: str, options: Options, stream: IO[str]) -> Told:
    """Write ``gold``, ``votes`` or the whole ``study`` to a stream, in a layout of one file.

    Raises:
        UsageError: for an order that cannot be, or cannot be in one file.
    """
    order = Order(what, format_name, options)
    found = shape(order)
    if found is not None and (found.folder or found.binary):
        kind = "a folder" if found.folder else "no text"
        raise UsageError(f"the layout {found.id} is {kind}", "give --output")
    return fill(store, order, Stream(stream))


def write_files(store: Store, order: Order, output: Path) -> Told:
    """Write an export to a file or folder, with its manifest beside it: all of it or nothing.

    Raises:
        UsageError: for an order that cannot be.
        TiebreakError: if the disk refuses, or the folder holds something.
    """
    found = shape(order)
    is_folder = found is not None and found.folder
    with writing(output, is_folder=is_folder) as files:
        told = fill(store, order, files)
        manifest = _manifest(store, order, told, files.close(), files.output, is_folder=is_folder)
        files.keep(manifest.dump())
    return told


def fill(store: Store, order: Order, files: Files, then: Moment | None = None) -> Told:
    """Write an export into files, as of now or as of a manifest's moment."""
    found = shape(order)
    with store.read() as connection:
        export = Export(store, connection, order, then)
        told = _records(export, files) if found is None else _rows(export, found, files)
        return replace(told, moment=export.moment())


def _rows(export: Export, found: Layout, files: Files) -> Told:
    if found.is_asked:
        export.training = _training(export.options.prompt)
    found.refuse_unchosen(export.rows(found, texts=False), export.options)
    telling = export.telling()
    found.write(export.rows(found, left_out=telling.left_out), telling, files)
    written = {name: telling.written[name] for name in sorted(telling.written)}
    left_out = {reason: telling.left_out[reason] for reason in sorted(telling.left_out)}
    return Told(written, left_out, dict(sorted(telling.prompts.items())))


def _training(prompt: str) -> Training:
    from judges.prompt_files import load_prompts
    from judges.training import Training, check

    family = load_prompts().family(prompt)
    check(family)
    return Training(family)


def _manifest(
    store: Store,
    order: Order,
    told: Told,
    written: Iterable[Written],
    output: Path,
    *,
    is_folder: bool,
) -> Manifest:
    assert told.moment is not None
    annotator = order.options.annotator
    if annotator is not None and annotator not in (told.moment.annotators or {}):
        # A manifest names nobody; who counts is in it by pseudonym.
        hidden = pseudonym(store.seed, annotator)
        order = replace(order, options=replace(order.options, annotator=hidden))
    return Manifest(
        order,
        told.moment,
        version("tiebreak"),
        LATEST,
        {"id": study_id(store), "name": told.moment.title},
        store.now(),
        output.name,
        is_folder,
        [
            {"name": one.name, "rows": told.rows.get(one.name, 0)}
            | {"bytes": one.bytes, "sha256": one.sha256}
            for one in written
        ],
        told.left_out,
        told.prompts,
        needed(order),
    )


def needed(order: Order) -> dict[str, str]:
    """The modules that an order's bytes depend on, with their versions."""
    found = shape(order)
    return {found.needs: version(found.needs)} if found is not None and found.needs else {}


def study_id(store: Store) -> str:
    """A name of the study that is the same wherever it lies, and gives nothing away."""
    return pseudonym(store.seed, "\x1fthe study").removeprefix("annotator-")


# ── records ─────────────────────────────────────────────────────────────────


def _records(export: Export, files: Files) -> Told:
    rows: Counter[str] = Counter()
    order, stream, then = export.order, files.text(), export.then
    if order.what == "study":
        records: Iterable[Record] = records_in(
            export.connection, last=export.last, until=None if then is None else then.at
        )
        chosen = named("native")
    else:
        is_table = order.format == "csv"
        records = _votes(export, is_table=is_table)
        chosen = named("csv" if is_table else "native")
    assert chosen.write is not None

    def counting() -> Iterator[Record]:
        for record in records:
            rows[""] += 1
            yield record

    chosen.write(counting(), stream)
    return Told({"": rows[""]}, {})


def _votes(export: Export, *, is_table: bool) -> Iterator[Record]:
    options = export.options
    for one in sorted((export.simulated | export.retired) & export.counted):
        simulated, retired = one in export.simulated, one in export.retired
        yield Annotator(export.name(one), simulated=simulated, retired=retired)
    for vote, _ in export.votes():
        if is_table and vote.choice is None:
            continue  # a table of comparisons has no place for who made none
        yield replace(
            vote,
            annotator=export.name(vote.annotator),
            identity=vote.identity if options.names else "",
            note=export.scrubbed(vote.note) if options.notes else "",
            flag=export.scrubbed(vote.flag) if options.notes else "flagged" if vote.flag else "",
            cannot_judge=export.scrubbed(vote.cannot_judge),
            supersedes=None,
        )


def gold_rows(store: Store, options: Options) -> Iterator[dict[str, Any]]:
    """One row for each pair and turn, in a stable order: label, what decided it, its trail."""
    with store.read() as connection:
        export = Export(store, connection, Order("gold", "jsonl", options))
        telling = export.telling()
        for row in export.rows(layout("jsonl")):
            yield trail(row, telling)
