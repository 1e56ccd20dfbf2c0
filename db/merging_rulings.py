"""What stands beside rulings when studies are merged: who saw names, who was asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import TYPE_CHECKING

from db.merging_rows import Rows

if TYPE_CHECKING:
    from db.merging import Merged


def merge_beside_rulings(
    connection: sqlite3.Connection,
    theirs: sqlite3.Connection,
    rows: Rows,
    refused: Collection[str],
    merged: Merged,
) -> None:
    """Take whose names were seen, and wishes for second opinions; within a write transaction.

    Who has a case open there, and what is typed there, stays there.

    Args:
        refused: annotators whose events are not taken.
        merged: counts what is new here, by kind, and lists what contradicts.
    """
    seen = theirs.execute(
        "SELECT p.key, u.turn, a.name, u.at FROM unmasking u JOIN pair p ON p.id = u.pair_id "
        "JOIN annotator a ON a.id = u.lead_id ORDER BY u.at, p.key, u.turn"
    )
    for key, turn, name, at in seen.fetchall():
        if key in rows.pairs and name not in refused:
            added = connection.execute(
                "INSERT OR IGNORE INTO unmasking VALUES (?, ?, ?, ?)",
                (rows.pairs[key], turn, rows.annotators[name], at),
            ).rowcount
            (merged.new if added else merged.unchanged)["unmaskings"] += 1
    asked = theirs.execute(
        "SELECT o.uid, p.key, o.turn, a.name, o.why, o.asked_at, o.answered_by "
        "FROM second_opinion o JOIN pair p ON p.id = o.pair_id "
        "JOIN annotator a ON a.id = o.asked_by ORDER BY o.id"
    )
    for uid, key, turn, name, why, at, answer in asked.fetchall():
        if key not in rows.pairs or name in refused:
            continue
        answered_by = answer if answer is not None and rows.has("ruling", answer) else None
        about = (rows.pairs[key], turn, rows.annotators[name], why)
        known = connection.execute(
            "SELECT pair_id, turn, asked_by, why FROM second_opinion WHERE uid = ?", (uid,)
        ).fetchone()
        if known not in (None, about):
            merged.conflicts.append(f"second opinion {uid!r} is asked otherwise here than there")
            continue
        connection.execute(
            "INSERT INTO second_opinion (uid, pair_id, turn, asked_by, why, asked_at, "
            "answered_by) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO UPDATE SET "
            "answered_by = coalesce(answered_by, excluded.answered_by)",
            (uid, *about, at, answered_by),
        )
        counts = merged.new if known is None else merged.unchanged
        counts["second opinions asked"] += 1
    # An answer that was taken back on either host is none, as where it was taken back.
    connection.execute(
        "UPDATE second_opinion SET answered_by = NULL WHERE EXISTS (SELECT 1 FROM ruling w "
        "WHERE w.supersedes = second_opinion.answered_by AND w.choice IS NULL)"
    )
