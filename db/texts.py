"""Texts, stored once under their hash, and the turns that are made of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from core.records import Question
from db.chain import text_hash

TURNS_OF_PAIR = """min(
    (SELECT count(*) FROM question_turn t WHERE t.question_id = p.question_id),
    (SELECT count(*) FROM answer_turn t WHERE t.answer_id = p.answer_1),
    (SELECT count(*) FROM answer_turn t WHERE t.answer_id = p.answer_2))"""
"""SQL: how many turns of ``pair p`` have all their texts; 0 where one of them is unknown."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A pair's texts in the order to be shown; ``references`` holds a text or None for each."""

    category: str | None
    question: tuple[str, ...]
    references: tuple[str | None, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]


def store_text(connection: sqlite3.Connection, body: str) -> str:
    """Store a text if it is new; within the caller's write transaction.

    Returns:
        Its hash.
    """
    digest = text_hash(body)
    connection.execute("INSERT OR IGNORE INTO text VALUES (?, ?)", (digest, body))
    return digest


def answer_turns(connection: sqlite3.Connection, answer_id: int) -> tuple[str, ...]:
    """The turns of an answer, oldest first; none where its text is unknown."""
    rows = connection.execute(
        "SELECT body FROM answer_text WHERE answer_id = ? ORDER BY turn", (answer_id,)
    )
    return tuple(row[0] for row in rows)


def answers_turns(
    connection: sqlite3.Connection, answers: Collection[int]
) -> dict[int, tuple[str, ...]]:
    """The turns of many answers, each as :func:`answer_turns` gives them."""
    turns: dict[int, list[str]] = {answer: [] for answer in answers}
    for answer, body in connection.execute(
        "SELECT answer_id, body FROM answer_text "
        "WHERE answer_id IN (SELECT value FROM json_each(?)) ORDER BY answer_id, turn",
        (json.dumps(list(turns)),),
    ):
        turns[answer].append(body)
    return {answer: tuple(bodies) for answer, bodies in turns.items()}


def questions_of(connection: sqlite3.Connection, questions: Collection[int]) -> dict[int, Question]:
    """Many questions, each as :func:`question_of` gives it."""
    wanted = json.dumps(list(questions))
    among = "question_id IN (SELECT value FROM json_each(?))"
    turns: dict[int, list[str]] = {question: [] for question in questions}
    references: dict[int, dict[int, str]] = {question: {} for question in questions}
    for question, body in connection.execute(
        f"SELECT question_id, body FROM question_text WHERE {among} ORDER BY question_id, turn",
        (wanted,),
    ):
        turns[question].append(body)
    for question, turn, body in connection.execute(
        f"SELECT question_id, turn, body FROM reference_text WHERE {among}", (wanted,)
    ):
        references[question][turn] = body
    return {
        number: Question(
            key, tuple(turns[number]), category, _filled(turns[number], references[number]), source
        )
        for number, key, category, source in connection.execute(
            "SELECT q.id, q.key, q.category, s.name FROM question q LEFT JOIN source s "
            "ON s.id = q.source_id WHERE q.id IN (SELECT value FROM json_each(?))",
            (wanted,),
        )
    }


def _filled(turns: Collection[str], references: dict[int, str]) -> tuple[str | None, ...]:
    """A question's references by turn, None where there is none; empty if there is none at all."""
    length = max([len(turns), *references]) if references else 0
    return tuple(references.get(turn) for turn in range(1, length + 1))


def question_of(connection: sqlite3.Connection, question_id: int) -> Question:
    """A question with its turns and references."""
    key, category, source = connection.execute(
        "SELECT q.key, q.category, s.name FROM question q "
        "LEFT JOIN source s ON s.id = q.source_id WHERE q.id = ?",
        (question_id,),
    ).fetchone()
    turns, references = _asked(connection, question_id)
    return Question(key, turns, category, references, source)


def _asked(
    connection: sqlite3.Connection, question_id: int
) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """The turns of a question, oldest first, and for each its reference, if there is any."""
    turns = connection.execute(
        "SELECT body FROM question_text WHERE question_id = ? ORDER BY turn", (question_id,)
    ).fetchall()
    references: dict[int, str] = dict(
        connection.execute(
            "SELECT turn, body FROM reference_text WHERE question_id = ?", (question_id,)
        ).fetchall()
    )
    return tuple(body for (body,) in turns), _filled(turns, references)


def shown(
    connection: sqlite3.Connection, question_id: int, answers: tuple[int, int], left: int
) -> Shown:
    """What an annotator sees of a pair.

    Args:
        answers: the rows of the pair's answers, in canonical order.
        left: 1 or 2, which of them stands left.
    """
    (category,) = connection.execute(
        "SELECT category FROM question WHERE id = ?", (question_id,)
    ).fetchone()
    first, second = answers if left == 1 else answers[::-1]
    return Shown(
        category,
        *_asked(connection, question_id),
        answer_turns(connection, first),
        answer_turns(connection, second),
    )
