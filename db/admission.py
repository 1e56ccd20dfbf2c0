"""Whether a person may vote at this moment: what serving and voting ask first."""

from __future__ import annotations

import sqlite3

from core.errors import NotAdmitted


def admit(connection: sqlite3.Connection, annotator_id: int) -> None:
    """Refuse a paused or retired person; within the caller's transaction.

    Raises:
        NotAdmitted: with the words for that person.
    """
    paused_at, retired_at = connection.execute(
        "SELECT paused_at, retired_at FROM annotator WHERE id = ?", (annotator_id,)
    ).fetchone()
    kept = "every vote that you cast is kept"
    if retired_at:
        raise NotAdmitted(f"your part in this study has ended; {kept}. Thank you", "")
    if paused_at:
        raise NotAdmitted(
            f"your lead has paused your voting; {kept}", "ask your lead when it goes on"
        )
