"""Looking a study over: what of it, or around it, may cost a vote, and how to mend that.

:mod:`db.checkup_file` looks at the file and where it lies, :mod:`db.checkup_rows` at what is in it.
"""

from __future__ import annotations

from pathlib import Path

from core.errors import StudyUnavailable, TiebreakError
from db import checkup_file, checkup_rows
from db.connection import refuse_missing
from db.findings import Check, State
from db.store import Clock, Store, utc_now


def examine(
    path: Path, *, deep: bool = False, mend: bool = False, clock: Clock = utc_now
) -> list[Check]:
    """Look a study over.

    Args:
        deep: walk the whole file and every log, however long that takes.
        mend: first mend what can be mended without losing or changing anything that was said.

    Raises:
        StudyUnavailable: if there is no study, or it is to be mended and cannot be written.
    """
    refuse_missing(path)
    # Opening a study makes files beside it: how they are owned is looked at before.
    around = checkup_file.checks(path)
    try:
        with Store(path, reading=True, clock=clock) as store:
            mended = _mend(store) if mend else {}
            within = checkup_rows.checks(store, deep=deep)
    except TiebreakError as error:
        if mend:
            raise
        return [*around, Check("study", State.PROBLEM, error.message, error.hint)]
    return [
        *around,
        *(check.mended(mended[check.name]) if check.name in mended else check for check in within),
    ]


def _mend(store: Store) -> dict[str, str]:
    if store.is_read_only:
        raise StudyUnavailable(
            f"{store.path}: nothing can be mended, because it is read-only",
            "do so as a user who may write the file and its folder",
        )
    return checkup_rows.mend(store)
