"""From a path to a study: formats read, the store takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import TiebreakError
from core.formats import Located, fingerprint, named, sniffed
from db.ingest import File, Summary
from db.store import Store


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    format: str
    files: list[Path]
    summary: Summary


def import_path(study: Path, path: Path, format_name: str | None = None) -> Imported:
    """Import a file or folder; the study is made if there is none, and unmade if this fails.

    Raises:
        TiebreakError: what is wrong and where; nothing is imported then.
    """
    chosen = sniffed(path) if format_name is None else named(format_name)
    files = list(chosen.files(path))
    if not files:
        raise TiebreakError(
            f"{path}: no file here is of format {chosen.id!r}", "look at the path and the format"
        )
    known = {
        # A name that is not UTF-8 is kept as far as it can be read.
        str(file): File(
            file.name.encode("utf-8", "replace").decode("utf-8"), chosen.id, fingerprint(file)
        )
        for file in files
    }

    def records() -> Iterator[Located]:
        for file in files:
            yield from chosen.read(file)

    is_new = not study.exists()
    try:
        with Store(study, create=True) as store:
            summary = store.ingest.take(records(), known)
            if not summary.new.total() + summary.unchanged.total():
                raise TiebreakError(
                    f"{path}: there is nothing in it to import", "look whether it is complete"
                )
    except BaseException:
        if is_new:
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    study.with_name(study.name + suffix).unlink()
        raise
    return Imported(chosen.id, files, summary)
