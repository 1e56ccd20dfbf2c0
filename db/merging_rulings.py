"""What stands beside rulings when studies are merged: who saw names, who was asked."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection

from db.merging_rows import Rows


def merge_beside_rulings(
    connection: sqlite3.Connection,
    theirs: sqlite3.Connection,
    rows: Rows,
    refused: Collection[str],
    new: Counter[str],
) -> None:
    """Take whose names were seen, and wishes for second opinions; within a write transaction.

    Who has a case open there, and what is typed there, stays there.

    Args:
        refused: annotators whose events are not taken.
        new: counts what is new here, by kind.
    """
    seen = theirs.execute(
        "SELECT p.key, u.turn, a.name, u.at FROM unmasking u JOIN pair p ON p.id = u.pair_id "
        "JOIN annotator a ON a.id = u.lead_id ORDER BY u.at, p.key, u.turn"
    )
    for key, turn, name, at in seen.fetchall():
        if key in rows.pairs and name not in refused:
            connection.execute(
                "INSERT OR IGNORE INTO unmasking VALUES (?, ?, ?, ?)",
                (rows.pairs[key], turn, rows.annotators[name], at),
            )
    asked = theirs.execute(
        "SELECT o.uid, p.key, o.turn, a.name, o.why, o.asked_at, o.answered_by "
        "FROM second_opinion o JOIN pair p ON p.id = o.pair_id "
        "JOIN annotator a ON a.id = o.asked_by ORDER BY o.id"
    )
    for uid, key, turn, name, why, at, answer in asked.fetchall():
        if key not in rows.pairs or name in refused:
            continue
        answered_by = answer if answer is not None and rows.has("ruling", answer) else None
        known = connection.execute("SELECT 1 FROM second_opinion WHERE uid = ?", (uid,)).fetchone()
        connection.execute(
            "INSERT INTO second_opinion (uid, pair_id, turn, asked_by, why, asked_at, "
            "answered_by) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO UPDATE SET "
            "answered_by = coalesce(answered_by, excluded.answered_by)",
            (uid, rows.pairs[key], turn, rows.annotators[name], why, at, answered_by),
        )
        new["second opinions asked"] += known is None
