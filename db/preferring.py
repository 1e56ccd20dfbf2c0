"""What each person prefers on their screen, for those who have no settings file on this host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.errors import Conflict

if TYPE_CHECKING:
    from db.store import Store


def preferred(store: Store, name: str) -> dict[str, Any]:
    """What is kept for somebody, as a settings file would hold it; empty if nothing is."""
    with store.read() as connection:
        row = connection.execute(
            "SELECT p.chosen FROM preference p JOIN annotator a ON a.id = p.annotator_id "
            "WHERE a.name = ?",
            (name,),
        ).fetchone()
    return dict(json.loads(row[0])) if row else {}


def prefer(store: Store, name: str, chosen: Mapping[str, Any]) -> None:
    """Keep this for somebody, in place of what was kept before.

    Raises:
        Conflict: if there is no such person.
        StudyUnavailable: if it cannot be written.
    """
    with store.write() as connection:
        row = connection.execute("SELECT id FROM annotator WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise Conflict(
                f"nobody here is called {name!r}", "`tiebreak annotator list` shows who is here"
            )
        connection.execute(
            "INSERT OR REPLACE INTO main.preference (annotator_id, chosen) VALUES (?, ?)",
            (row[0], json.dumps(dict(chosen))),
        )
