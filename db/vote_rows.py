"""Rows of the vote log as they are added for what was served here."""

from __future__ import annotations

import sqlite3

from db import chain

SAID = ("seen", "choice", "cannot_judge", "confidence", "tags", "criteria")
"""The columns that tell two rows about one turn apart."""


def append_vote(connection: sqlite3.Connection, now: str, **row: object) -> None:
    """Add a row to the vote log; within the caller's transaction.

    Args:
        row: what the log stores and its hash covers, but for what follows from the assignment.
    """
    repeat, policy, probability, shown = connection.execute(
        f"SELECT s.repeat, {chain.POLICY}, s.probability, {chain.SHOWN} "
        "FROM assignment s JOIN pair p ON p.id = s.pair_id WHERE s.id = ?",
        (row["assignment_id"],),
    ).fetchone()
    rest = {
        "repeat": repeat,
        "policy": policy,
        "probability": probability,
        "shown": shown,
        "at": now,
        "source": None,
        "source_id": None,
    }
    chain.append(connection, "vote", [{**row, **rest}])
