"""Imported questions, answers and pairs on their way into a study, and where they came from."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import Conflict, Where
from core.records import Answer, Pair, Question
from db import chain


@dataclass(slots=True)
class Summary:
    """What an import did: counts by kind of record.

    ``textless`` counts the pairs whose question or answers have no text yet.
    """

    new: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    textless: int = 0

    def count(self, kind: str, is_new: bool) -> None:
        """Count a record of a kind."""
        (self.new if is_new else self.unchanged)[kind] += 1


@dataclass(frozen=True, slots=True)
class File:
    """An imported file, as the study remembers it."""

    name: str
    format: str
    sha256: str


_TOO_MANY_REFERENCES = """
    SELECT 1 FROM reference_turn r
    WHERE r.question_id = ?1 AND EXISTS (SELECT 1 FROM question_turn WHERE question_id = ?1)
      AND r.turn > (SELECT max(turn) FROM question_turn WHERE question_id = ?1)
"""


class Subjects:
    """What the votes of one import are about, and the files that it came from.

    Args:
        connection: within a write transaction.
        files: what to remember of each ``Where.path``.
        summary: counts what is taken.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        now: str,
        files: Mapping[str, File],
        summary: Summary,
    ) -> None:
        self._connection = connection
        self._now = now
        self._files = files
        self._summary = summary
        self._sources: dict[tuple[str, str | None], tuple[int, str] | None] = {}
        self._texts: set[str] = set()
        self._questions: dict[str, int] = {}
        self._answers: dict[tuple[str, str], int] = {}
        self._pairs: dict[Pair, tuple[int, str]] = {}

    def _source(self, where: Where, name: str | None = None) -> tuple[int, str] | None:
        """The row of the file a record came from, and what the chain covers of it.

        Args:
            name: where the file itself says that the record is from, if it does.
        """
        if (where.path, name) not in self._sources:
            file = self._files.get(where.path)
            if file is None and name is None:
                self._sources[where.path, name] = None
            else:
                known = file or File("", "", "")
                values = (name or known.name, known.format, known.sha256)
                self._connection.execute(
                    "INSERT OR IGNORE INTO source (name, format, sha256, imported_at) "
                    "VALUES (?, ?, ?, ?)",
                    (*values, self._now),
                )
                self._sources[where.path, name] = self._connection.execute(
                    f"SELECT o.id, {chain.SOURCE} FROM source o "
                    "WHERE (o.name, o.format, o.sha256) = (?, ?, ?)",
                    values,
                ).fetchone()
        return self._sources[where.path, name]

    def source_id(self, where: Where, name: str | None = None) -> int | None:
        """The row of the file that a record came from; None where nothing is known of it."""
        source = self._source(where, name)
        return None if source is None else source[0]

    def sourced(self, where: Where) -> dict[str, Any]:
        """What a log stores, and what its chain covers, of where a row came from."""
        number, covered = self._source(where) or (None, None)
        return {"source_id": number, "source": covered}

    def text(self, body: str) -> str:
        """Store a text once; the hash that it is stored under."""
        digest = chain.text_hash(body)
        if digest not in self._texts:
            self._connection.execute("INSERT OR IGNORE INTO text VALUES (?, ?)", (digest, body))
            self._texts.add(digest)
        return digest

    def _question_id(self, where: Where, key: str) -> int:
        if key not in self._questions:
            row = self._connection.execute(
                "SELECT id FROM question WHERE key = ?", (key,)
            ).fetchone()
            if row is None:
                row = self._connection.execute(
                    "INSERT INTO question (key, source_id) VALUES (?, ?) RETURNING id",
                    (key, self.source_id(where)),
                ).fetchone()
            self._questions[key] = row[0]
        return self._questions[key]

    def _turns(
        self, where: Where, table: str, owner: int, turns: Iterable[str | None], what: str
    ) -> bool:
        """Store turns that are new, compare those that are there; whether any was new."""
        column = "answer_id" if table == "answer_turn" else "question_id"
        stored: dict[int, str] = dict(
            self._connection.execute(
                f"SELECT turn, text_hash FROM {table} WHERE {column} = ?", (owner,)
            ).fetchall()
        )
        offered = {n: self.text(t) for n, t in enumerate(turns, 1) if t is not None}
        if stored and offered and table != "reference_turn" and len(stored) != len(offered):
            raise Conflict(
                f"{where}: {what} has {len(offered)} turns here, but {len(stored)} in the study",
                "import it under another id, or into a study of its own",
            )
        is_new = False
        for turn, digest in offered.items():
            if turn not in stored:
                self._connection.execute(
                    f"INSERT INTO {table} VALUES (?, ?, ?)", (owner, turn, digest)
                )
                is_new = True
            elif stored[turn] != digest:
                raise Conflict(
                    f"{where}: {what} has another text in the study (turn {turn})",
                    "import it under another id, or into a study of its own",
                )
        return is_new

    def _came_from(self, where: Where, table: str, owner: int, source: str | None) -> None:
        """Note where a text came from; a pair may have named its owner before."""
        self._connection.execute(
            f"UPDATE {table} SET source_id = ? WHERE id = ?",
            (self.source_id(where, source), owner),
        )

    def question(self, where: Where, question: Question) -> None:
        """Take a question, its references and its category.

        Raises:
            Conflict: if the study knows it otherwise.
        """
        owner = self._question_id(where, question.key)
        what = f"question {question.key!r}"
        is_new = self._turns(where, "question_turn", owner, question.turns, what)
        if is_new:
            self._came_from(where, "question", owner, question.source)
        is_new |= self._turns(
            where, "reference_turn", owner, question.references, f"the reference of {what}"
        )
        if self._connection.execute(_TOO_MANY_REFERENCES, (owner,)).fetchone():
            raise Conflict(
                f"{where}: {what} has references to more turns than it has",
                "give one reference, or null, for each turn",
            )
        if question.category is not None:
            stored = self._connection.execute(
                "SELECT category FROM question WHERE id = ?", (owner,)
            ).fetchone()[0]
            if stored is None:
                self._connection.execute(
                    "UPDATE question SET category = ? WHERE id = ?", (question.category, owner)
                )
            elif stored != question.category:
                raise Conflict(
                    f"{where}: {what} is of category {question.category!r} here, "
                    f"but of {stored!r} in the study",
                    "make the two agree",
                )
        self._summary.count("questions" if question.turns else "references", is_new)

    def _answer_id(self, where: Where, question: str, model: str) -> int:
        key = (question, model)
        if key not in self._answers:
            owner = self._question_id(where, question)
            self._connection.execute("INSERT OR IGNORE INTO model (name) VALUES (?)", (model,))
            row = self._connection.execute(
                "SELECT id FROM answer WHERE question_id = ? AND model = ?", (owner, model)
            ).fetchone()
            if row is None:
                row = self._connection.execute(
                    "INSERT INTO answer (question_id, model, source_id) VALUES (?, ?, ?) "
                    "RETURNING id",
                    (owner, model, self.source_id(where)),
                ).fetchone()
            self._answers[key] = row[0]
        return self._answers[key]

    def answer(self, where: Where, answer: Answer) -> None:
        """Take an answer.

        Raises:
            Conflict: if the study knows it otherwise.
        """
        owner = self._answer_id(where, answer.question, answer.model)
        what = f"the answer of {answer.model!r} to question {answer.question!r}"
        is_new = self._turns(where, "answer_turn", owner, answer.turns, what)
        if is_new:
            self._came_from(where, "answer", owner, answer.source)
        is_new |= self._made_with(where, owner, answer, what)
        self._summary.count("answers", is_new)

    def _made_with(self, where: Where, owner: int, answer: Answer, what: str) -> bool:
        """Store how an answer was made, or compare it; whether any of it was new."""
        stored = self._connection.execute(
            "SELECT system_prompt_hash, nullif(settings, '{}') FROM answer WHERE id = ?", (owner,)
        ).fetchone()
        prompt = answer.system_prompt
        offered = (
            None if prompt is None else self.text(prompt),
            json.dumps(dict(answer.settings), sort_keys=True) if answer.settings else None,
        )
        is_new = False
        for column, new, old in zip(
            ("system_prompt_hash", "settings"), offered, stored, strict=True
        ):
            if new is not None and old is None:
                self._connection.execute(
                    f"UPDATE answer SET {column} = ? WHERE id = ?", (new, owner)
                )
                is_new = True
            elif new not in (None, old):
                raise Conflict(
                    f"{where}: {what} has another system prompt or settings in the study",
                    "make the two agree, or import it into a study of its own",
                )
        return is_new

    def pair(self, where: Where, pair: Pair) -> tuple[int, str]:
        """The pair's row and key; the pair is made where there is none."""
        if pair not in self._pairs:
            key = pair.key
            row = self._connection.execute("SELECT id FROM pair WHERE key = ?", (key,)).fetchone()
            if row is None:
                row = self._connection.execute(
                    "INSERT INTO pair (key, question_id, model_1, model_2, answer_1, answer_2) "
                    "VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
                    (
                        key,
                        self._question_id(where, pair.question),
                        pair.model_1,
                        pair.model_2,
                        self._answer_id(where, pair.question, pair.model_1),
                        self._answer_id(where, pair.question, pair.model_2),
                    ),
                ).fetchone()
                self._summary.new["pairs"] += 1
            self._pairs[pair] = (row[0], key)
        return self._pairs[pair]

    def pair_record(self, where: Where, pair: Pair) -> None:
        """Take a pair that is only named."""
        before = self._summary.new["pairs"]
        self.pair(where, pair)
        self._summary.unchanged["pairs"] += self._summary.new["pairs"] == before
