"""Backups under the time they were made at, in one folder, the oldest of which are let go."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from core.errors import TiebreakError
from db.read_only import beside, connect_read_only
from db.store import Store


def moment(now: datetime) -> str:
    """A moment as part of a file's name: ``20240301T090000.000Z``, which sorts as it should."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"


def timestamped(study: Path, folder: Path, now: datetime) -> Path:
    """The path of a study's backup of this moment."""
    return folder / f"{study.stem}-{moment(now)}{study.suffix}"


def let_go(store: Store, folder: Path, keep: int, newest: Path) -> list[Path]:
    """Remove the oldest backups of this study from a folder.

    Only files named by :func:`timestamped` that hold this very study, by its seed, are counted
    and removed; one that somebody has open is left.

    Args:
        keep: how many stay, ``newest`` among them.
        newest: the backup that was just made, which stays whatever its name says.

    Returns:
        What was removed, oldest first.
    """
    study = store.path
    name = re.compile(
        re.escape(f"{study.stem}-") + r"\d{8}T\d{6}\.\d{3}Z" + re.escape(study.suffix)
    )
    older = sorted(
        path
        for path in folder.iterdir()
        if name.fullmatch(path.name) and path != newest and _seed(path) == json.dumps(store.seed)
    )
    removed = older[: max(len(older) - (keep - 1), 0)]
    for path in removed:
        path.unlink()
    return removed


def _seed(path: Path) -> str | None:
    """The seed of the study in a file, as it is stored; None where nobody can say."""
    if beside(path, "-wal").exists() or not path.is_file():
        return None
    try:
        connection, _ = connect_read_only(path, older=True)
    except TiebreakError:
        return None
    with closing(connection):
        row = connection.execute("SELECT value FROM study WHERE key = 'seed'").fetchone()
    return None if row is None else str(row[0])
