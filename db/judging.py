"""Judges, what they still have to judge, and their verdicts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.blinding import as_seen
from core.errors import Conflict, TiebreakError
from core.records import Judge, Pair, Question, Verdict, VerdictStatus
from db import chain
from db.chain import text_hash
from db.details import stored_object
from db.texts import answers_turns, questions_of, store_text

if TYPE_CHECKING:
    from db.store import Store

_COLUMNS = "kind, model, endpoint, prompt, prompt_hash, parameters, revision"


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing a judge has yet to judge: a pair's turn in one order.

    Attributes:
        left: 1 or 2, which model of the pair is shown first.
        left_turns: the turns of the answer shown first.
    """

    pair: Pair
    turn: int
    left: int
    question: Question
    left_turns: tuple[str, ...]
    right_turns: tuple[str, ...]


class Judging:
    """Judges and verdicts of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, judge: Judge, wording: str = "") -> bool:
        """Add a judge; whether it is new.

        Args:
            wording: all of its prompt as one text, kept with it.

        Raises:
            Conflict: if a judge of that name stands there in another configuration.
        """
        with self.store.write() as connection:
            is_new = add_judge(connection, judge, self.store.now(), str(self.store.path))
            if wording:
                keep_wording(connection, judge.name, wording)
            return is_new

    def wording(self, judge: str) -> str:
        """All of a judge's prompt as it was when it was added; empty if it was not kept."""
        with self.store.read() as connection:
            row = connection.execute(
                "SELECT t.body FROM judge_prompt p JOIN judge j ON j.id = p.judge_id "
                "JOIN text t ON t.hash = p.text_hash WHERE j.name = ?",
                (judge,),
            ).fetchone()
        return row[0] if row else ""

    def judges(self) -> list[Judge]:
        """Every judge of the study, in the order they were added."""
        with self.store.read() as connection:
            rows = connection.execute(f"SELECT name, {_COLUMNS} FROM judge ORDER BY id").fetchall()
        return [
            Judge(name, kind, model, endpoint, prompt, digest, json.loads(parameters), revision)
            for name, kind, model, endpoint, prompt, digest, parameters, revision in rows
        ]

    def judge(self, name: str) -> Judge:
        """The judge of that name.

        Raises:
            TiebreakError: if there is none.
        """
        found = [judge for judge in self.judges() if judge.name == name]
        if not found:
            raise no_judge(name, [judge.name for judge in self.judges()])
        return found[0]

    def record(self, verdicts: Sequence[Verdict]) -> int:
        """Record verdicts, each once; how many were new.

        Raises:
            StudyUnavailable: if they cannot be written; none of them is recorded then.
        """
        with self.store.write() as connection:
            return write_verdicts(connection, verdicts)


def write_verdicts(connection: sqlite3.Connection, verdicts: Sequence[Verdict]) -> int:
    """Record verdicts, each once, within the caller's transaction; how many were new.

    A retry is passed over, too, where the failure was tried again elsewhere already.
    """
    if not verdicts:
        return 0
    there = _recorded(connection, verdicts)
    pairs = {
        key: (pair_id, shown)
        for key, pair_id, shown in connection.execute(
            f"SELECT p.key, p.id, {chain.SHOWN} FROM pair p "
            "WHERE p.key IN (SELECT value FROM json_each(?))",
            (json.dumps(list({verdict.pair.key for verdict in verdicts})),),
        )
    }
    judges = {
        name: (judge_id, told)
        for name, judge_id, told in connection.execute(
            f"SELECT j.name, j.id, {chain.JUDGE} FROM judge j "
            "WHERE j.name IN (SELECT value FROM json_each(?))",
            (json.dumps(list({verdict.judge for verdict in verdicts})),),
        )
    }
    texts: dict[str, str] = {}
    rows: dict[str, dict[str, Any]] = {}

    def keep(body: str) -> str:
        digest = text_hash(body)
        texts[digest] = body
        return digest

    for verdict in verdicts:
        if verdict.id in rows or there & {verdict.id, verdict.supersedes}:
            continue
        key = verdict.pair.key
        pair_id, shown = pairs[key]
        row = verdict_row(verdict, pair_id, key, judges[verdict.judge], keep)
        row["shown"] = shown
        rows[verdict.id] = row
        if verdict.supersedes is not None:
            there.add(verdict.supersedes)
    connection.executemany("INSERT OR IGNORE INTO text VALUES (?, ?)", texts.items())
    chain.append(connection, "verdict", list(rows.values()))
    return len(rows)


def _recorded(connection: sqlite3.Connection, verdicts: Sequence[Verdict]) -> set[str | None]:
    """The ids among verdicts that are recorded, and the failures that were tried again."""
    ids = json.dumps([verdict.id for verdict in verdicts])
    retried = json.dumps([one.supersedes for one in verdicts if one.supersedes is not None])
    found = connection.execute(
        "SELECT id FROM verdict WHERE id IN (SELECT value FROM json_each(?)) "
        "UNION ALL SELECT supersedes FROM verdict WHERE supersedes IS NOT NULL "
        "AND supersedes IN (SELECT value FROM json_each(?))",
        (ids, retried),
    )
    return {row[0] for row in found}


def asked_of(connection: sqlite3.Connection, rows: Sequence[tuple[int, int, int]]) -> list[Asked]:
    """What is asked of pairs, each row (pair, turn, left); texts are read for all at once."""
    found = {
        pair_id: told
        for pair_id, *told in connection.execute(
            "SELECT id, question_id, model_1, model_2, answer_1, answer_2 FROM pair "
            "WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list({row[0] for row in rows})),),
        )
    }
    questions = questions_of(connection, {told[0] for told in found.values()})
    answers = answers_turns(connection, {answer for told in found.values() for answer in told[3:]})
    asked = []
    for pair_id, turn, left in rows:
        question_id, model_1, model_2, *sides = found[pair_id]
        first, second = sides if left == 1 else sides[::-1]
        question = questions[question_id]
        asked.append(
            Asked(
                Pair(question.key, model_1, model_2),
                turn,
                left,
                question,
                answers[first],
                answers[second],
            )
        )
    return asked


def keep_wording(connection: sqlite3.Connection, judge: str, wording: str) -> None:
    """Keep a judge's prompt, unless one is kept already; within a write transaction."""
    connection.execute(
        "INSERT OR IGNORE INTO judge_prompt (judge_id, text_hash) "
        "SELECT id, ? FROM judge WHERE name = ?",
        (store_text(connection, wording), judge),
    )


def as_float(value: float | None) -> float | None:
    """A number as SQLite's REAL columns give it back, which is what the chain covers.

    They store -0.0 as 0.0.
    """
    return None if value is None else float(value) + 0.0


def no_judge(name: str, known: Sequence[str]) -> TiebreakError:
    """What is said where a judge is named that the study does not have."""
    names = ", ".join(known) or "none yet"
    return TiebreakError(f"no judge is called {name!r}", f"judges of this study: {names}")


def add_judge(connection: sqlite3.Connection, judge: Judge, now: str, where: str) -> bool:
    """Add a judge; whether it is new.

    Raises:
        Conflict: if a judge of that name stands there in another configuration.
    """
    values = (
        judge.kind,
        judge.model,
        judge.endpoint,
        judge.prompt,
        judge.prompt_hash,
        json.dumps(dict(judge.parameters), sort_keys=True),
        judge.revision,
    )
    row = connection.execute(
        "SELECT kind, model, endpoint, prompt, prompt_hash, parameters, revision "
        "FROM judge WHERE name = ?",
        (judge.name,),
    ).fetchone()
    if row is None:
        added = connection.execute(
            "INSERT INTO judge (name, kind, model, endpoint, prompt, prompt_hash, parameters, "
            "revision, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (judge.name, *values, now),
        )
        if judge.endpoint:
            connection.execute(
                "INSERT INTO endpoint (judge_id, address, added_at) VALUES (?, ?, ?)",
                (added.lastrowid, judge.endpoint, now),
            )
        return True
    if tuple(row) != values:
        raise Conflict(
            f"{where}: judge {judge.name!r} is in the study in another configuration",
            "another prompt, model or parameter is another judge: give it another name",
        )
    return False


def verdict_row(
    verdict: Verdict,
    pair_id: int,
    pair_key: str,
    judge: tuple[int, str],
    text: Callable[[str], str],
) -> dict[str, Any]:
    """A verdict as the log stores it.

    Args:
        judge: its row, and what :data:`db.chain.JUDGE` says of it.
        text: stores a text and returns its hash.
    """
    scores = verdict.scores or (None, None)
    return {
        "id": verdict.id,
        "pair": pair_key,
        "pair_id": pair_id,
        "turn": verdict.turn,
        "judge": judge[1],
        "judge_id": judge[0],
        "left": verdict.left,
        "repeat": verdict.repeat,
        "status": VerdictStatus(verdict.status).value,
        "seen": as_seen(verdict.choice, verdict.left) if verdict.choice and verdict.left else None,
        "choice": verdict.choice,
        "score_left": as_float(scores[0]),
        "score_right": as_float(scores[1]),
        "preference": as_float(verdict.preference),
        "prompt": verdict.prompt,
        "prompt_hash": verdict.prompt_hash,
        "label": verdict.label,
        "raw_hash": None if verdict.raw is None else text(verdict.raw),
        "reasoning_hash": None if verdict.reasoning is None else text(verdict.reasoning),
        "error": verdict.error,
        "tokens_in": verdict.tokens_in,
        "tokens_out": verdict.tokens_out,
        "latency": as_float(verdict.latency),
        "cost": as_float(verdict.cost),
        "attempts": verdict.attempts,
        "supersedes": verdict.supersedes,
        "at": verdict.at,
        "failure": verdict.failure or None,
        "sent_hash": verdict.sent_hash or None,
        "probabilities": stored_object(verdict.probabilities),
        "endpoint": verdict.endpoint or None,
        "served_model": verdict.served_model or None,
        "source": None,
        "source_id": None,
        "shown": None,
    }
