"""Imported lines on their way beside the logs: the queue, unmaskings, second opinions."""

from __future__ import annotations

import sqlite3

from core.beside_logs import Queued, SecondOpinion, Unmasking
from core.errors import Conflict, Where
from db.inclusion import NOT_KNOWN
from db.ingest_subjects import Summary
from db.texts import TURNS_OF_PAIR


def take_queued(
    connection: sqlite3.Connection, pair_id: int, queued: Queued, now: str, summary: Summary
) -> None:
    """Queue a pair as it was queued elsewhere; one that is queued here stays as it is."""
    is_known = queued.probability is not None
    design = _design(connection, "import" if is_known else NOT_KNOWN, now)
    added = connection.execute(
        "INSERT OR IGNORE INTO queue (pair_id, design_id, probability, overlap, extra) "
        "VALUES (?, ?, coalesce(?, 1), ?, ?)",
        (pair_id, design, queued.probability, queued.overlap, queued.extra),
    ).rowcount
    summary.count("queued pairs", bool(added))


def _design(connection: sqlite3.Connection, method: str, now: str) -> int:
    """The row that says that pairs were queued by an import; made where there is none."""
    known = connection.execute(
        "SELECT id FROM design WHERE method = ? ORDER BY id LIMIT 1", (method,)
    ).fetchone()
    if known is None:
        known = connection.execute(
            "INSERT INTO design (method, arguments, seed, population, made_at) "
            "SELECT ?, '{}', '', count(*), ? FROM pair RETURNING id",
            (method, now),
        ).fetchone()
    return int(known[0])


def refuse_textless(connection: sqlite3.Connection, pair_id: int, where: Where) -> None:
    """Refuse a queued pair that nobody can be shown; once all texts are in.

    Raises:
        Conflict: if the study lacks a text of it.
    """
    (turns,) = connection.execute(
        f"SELECT {TURNS_OF_PAIR} FROM pair p WHERE p.id = ?", (pair_id,)
    ).fetchone()
    if not turns:
        raise Conflict(
            f"{where}: nobody can be shown this pair: the study lacks a text of it",
            "import its question and answers with it, or leave the line out",
        )


def take_unmasking(
    connection: sqlite3.Connection,
    pair_id: int,
    lead_id: int,
    unmasking: Unmasking,
    summary: Summary,
) -> None:
    """Note that a lead saw who is who; what the study knows of it stays."""
    added = connection.execute(
        "INSERT OR IGNORE INTO unmasking VALUES (?, ?, ?, ?)",
        (pair_id, unmasking.turn, lead_id, unmasking.at),
    ).rowcount
    summary.count("unmaskings", bool(added))


def take_second_opinion(
    connection: sqlite3.Connection,
    pair_id: int,
    lead_id: int,
    wish: SecondOpinion,
    where: Where,
    summary: Summary,
) -> None:
    """Take a wish for a second opinion; one that was answered meanwhile stays answered.

    Args:
        where: the line, for messages.

    Raises:
        Conflict: if the study has another wish of that id, or not the ruling that answers it.
    """
    about = (pair_id, wish.turn)
    if wish.answered_by is not None:
        answer = connection.execute(
            "SELECT pair_id, turn FROM ruling WHERE id = ?", (wish.answered_by,)
        ).fetchone()
        if answer != about:
            problem = "is not in the study" if answer is None else "is about something else"
            raise Conflict(
                f"{where}: ruling {wish.answered_by!r}, which answers this wish, {problem}",
                "put the ruling before what names it",
            )
    known = connection.execute(
        "SELECT pair_id, turn, asked_by FROM second_opinion WHERE uid = ?", (wish.id,)
    ).fetchone()
    if known not in (None, (*about, lead_id)):
        raise Conflict(
            f"{where}: second_opinion {wish.id!r} is already in the study and says otherwise",
            "give this one an id of its own, or make the two agree",
        )
    connection.execute(
        "INSERT INTO second_opinion (uid, pair_id, turn, asked_by, why, asked_at, answered_by) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO UPDATE SET "
        "answered_by = coalesce(answered_by, excluded.answered_by)",
        (wish.id, *about, lead_id, wish.why, wish.at, wish.answered_by),
    )
    summary.count("second opinions asked", known is None)
