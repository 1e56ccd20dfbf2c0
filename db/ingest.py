"""Taking imported records into a study: all of them or none, and nothing twice."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core import settings
from core.blinding import as_seen
from core.errors import BadInput, Conflict, TiebreakError, Where
from core.panels import Panel
from core.records import (
    Annotator,
    Answer,
    Judge,
    Lesson,
    Pair,
    Question,
    Record,
    Ruling,
    Score,
    Setting,
    Verdict,
    Vote,
    Wording,
)
from db import chain
from db.details import stored_criteria, stored_tags
from db.drawing import settle_disputes
from db.judging import add_judge, as_float, keep_wording, verdict_row
from db.lessons import add_lesson
from db.log_batches import LogBatches
from db.panels import add_panel
from db.scores import add_score
from db.store import add_annotator

if TYPE_CHECKING:
    from db.store import Store


@dataclass(slots=True)
class Summary:
    """What an import did: counts by kind of record.

    ``textless`` counts the pairs whose question or answers have no text yet.
    """

    new: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    textless: int = 0


@dataclass(frozen=True, slots=True)
class File:
    """An imported file, as the study remembers it."""

    name: str
    format: str
    sha256: str


class Ingest:
    """Imports into one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def take(
        self, records: Iterable[tuple[Where, Record]], files: Mapping[str, File] | None = None
    ) -> Summary:
        """Take every record in one transaction.

        Args:
            records: each with the place it was read from. Order does not matter, but that a
                judge stands before its verdicts, and what is superseded before what supersedes it.
            files: what to remember of each ``Where.path``.

        Raises:
            BadInput: raised by the reader, or for a setting; nothing is imported then.
            Conflict: if a record contradicts the study or another record; likewise.
        """
        with self.store.write() as connection:
            run = _Run(connection, self.store.now(), files or {}, Summary())
            for where, record in records:
                run.take(where, record)
            run.finish()
            run.summary.textless = connection.execute(_TEXTLESS).fetchone()[0]
        return run.summary

    def take_what_fits(
        self,
        connection: sqlite3.Connection,
        records: Iterable[tuple[Where, Record]],
        files: Mapping[str, File],
    ) -> tuple[Summary, list[tuple[Record, Conflict]]]:
        """Take the records that contradict nothing; within the caller's write transaction.

        Args:
            records: none of a log's.

        Returns:
            What was done, and each record that was not taken, with the reason.
        """
        run = _Run(connection, self.store.now(), files, Summary())
        refused: list[tuple[Record, Conflict]] = []
        for where, record in records:
            connection.execute("SAVEPOINT record")
            try:
                run.take(where, record)
            except Conflict as conflict:
                connection.execute("ROLLBACK TO record")
                refused.append((record, conflict))
                # What it remembers of rows may be of rows that are no more.
                run = _Run(connection, run.now, files, run.summary)
            connection.execute("RELEASE record")
        return run.summary, refused


_TEXTLESS = """
    SELECT count(*) FROM pair p
    WHERE NOT EXISTS (SELECT 1 FROM question_turn t WHERE t.question_id = p.question_id)
       OR NOT EXISTS (SELECT 1 FROM answer_turn t WHERE t.answer_id = p.answer_1)
       OR NOT EXISTS (SELECT 1 FROM answer_turn t WHERE t.answer_id = p.answer_2)
"""


_TOO_MANY_REFERENCES = """
    SELECT 1 FROM reference_turn r
    WHERE r.question_id = ?1 AND EXISTS (SELECT 1 FROM question_turn WHERE question_id = ?1)
      AND r.turn > (SELECT max(turn) FROM question_turn WHERE question_id = ?1)
"""


class _Run:
    """One import: the caches and batches of a single transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        now: str,
        files: Mapping[str, File],
        summary: Summary,
    ) -> None:
        self.connection = connection
        self.now = now
        self.files = files
        self.summary = summary
        self._sources: dict[tuple[str, str | None], tuple[int, str] | None] = {}
        self._texts: set[str] = set()
        self._questions: dict[str, int] = {}
        self._answers: dict[tuple[str, str], int] = {}
        self._pairs: dict[Pair, tuple[int, str]] = {}
        self._annotators: dict[str, int] = {}
        self._implied: set[int] = set()
        self._judges: dict[str, tuple[int, str]] = {}
        self._logs = LogBatches(connection, self.summary.new, self.summary.unchanged)
        self._take: dict[type, Callable[[Where, Any], None]] = {
            Setting: self._setting,
            Question: self._question,
            Answer: self._answer,
            Pair: self._pair_record,
            Annotator: self._annotator_record,
            Lesson: self._lesson,
            Judge: self._judge_record,
            Wording: self._wording,
            Panel: self._panel,
            Vote: self._vote,
            Verdict: self._verdict,
            Ruling: self._ruling,
            Score: self._score,
        }

    def take(self, where: Where, record: Record) -> None:
        self._take[type(record)](where, record)

    def finish(self) -> None:
        self._logs.flush()
        if self.summary.new["votes"] or self.summary.new["verdicts"]:
            settle_disputes(self.connection)

    def _count(self, kind: str, is_new: bool) -> None:
        (self.summary.new if is_new else self.summary.unchanged)[kind] += 1

    # ── what votes are about ────────────────────────────────────────────────

    def _setting(self, where: Where, setting: Setting) -> None:
        try:
            value = json.dumps(settings.checked(setting.key, setting.value))
        except TiebreakError as error:
            raise BadInput(where, setting.key, error.message, error.hint) from error
        row = self.connection.execute(
            "SELECT value FROM study WHERE key = ?", (setting.key,)
        ).fetchone()
        self._count("settings", row is None)
        if row is None:
            self.connection.execute("INSERT INTO study VALUES (?, ?)", (setting.key, value))

    def _source(self, where: Where, name: str | None = None) -> tuple[int, str] | None:
        """The row of the file a record came from, and what the chain covers of it.

        Args:
            name: where the file itself says that the record is from, if it does.
        """
        if (where.path, name) not in self._sources:
            file = self.files.get(where.path)
            if file is None and name is None:
                self._sources[where.path, name] = None
            else:
                known = file or File("", "", "")
                values = (name or known.name, known.format, known.sha256)
                self.connection.execute(
                    "INSERT OR IGNORE INTO source (name, format, sha256, imported_at) "
                    "VALUES (?, ?, ?, ?)",
                    (*values, self.now),
                )
                self._sources[where.path, name] = self.connection.execute(
                    f"SELECT o.id, {chain.SOURCE} FROM source o "
                    "WHERE (o.name, o.format, o.sha256) = (?, ?, ?)",
                    values,
                ).fetchone()
        return self._sources[where.path, name]

    def _source_id(self, where: Where, name: str | None = None) -> int | None:
        source = self._source(where, name)
        return None if source is None else source[0]

    def _sourced(self, where: Where) -> dict[str, Any]:
        number, covered = self._source(where) or (None, None)
        return {"source_id": number, "source": covered}

    def _text(self, body: str) -> str:
        digest = chain.text_hash(body)
        if digest not in self._texts:
            self.connection.execute("INSERT OR IGNORE INTO text VALUES (?, ?)", (digest, body))
            self._texts.add(digest)
        return digest

    def _question_id(self, where: Where, key: str) -> int:
        if key not in self._questions:
            row = self.connection.execute(
                "SELECT id FROM question WHERE key = ?", (key,)
            ).fetchone()
            if row is None:
                row = self.connection.execute(
                    "INSERT INTO question (key, source_id) VALUES (?, ?) RETURNING id",
                    (key, self._source_id(where)),
                ).fetchone()
            self._questions[key] = row[0]
        return self._questions[key]

    def _turns(
        self, where: Where, table: str, owner: int, turns: Iterable[str | None], what: str
    ) -> bool:
        """Store turns that are new, compare those that are there; whether any was new."""
        column = "answer_id" if table == "answer_turn" else "question_id"
        stored: dict[int, str] = dict(
            self.connection.execute(
                f"SELECT turn, text_hash FROM {table} WHERE {column} = ?", (owner,)
            ).fetchall()
        )
        offered = {n: self._text(t) for n, t in enumerate(turns, 1) if t is not None}
        if stored and offered and table != "reference_turn" and len(stored) != len(offered):
            raise Conflict(
                f"{where}: {what} has {len(offered)} turns here, but {len(stored)} in the study",
                "import it under another id, or into a study of its own",
            )
        is_new = False
        for turn, digest in offered.items():
            if turn not in stored:
                self.connection.execute(
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
        self.connection.execute(
            f"UPDATE {table} SET source_id = ? WHERE id = ?",
            (self._source_id(where, source), owner),
        )

    def _question(self, where: Where, question: Question) -> None:
        owner = self._question_id(where, question.key)
        what = f"question {question.key!r}"
        is_new = self._turns(where, "question_turn", owner, question.turns, what)
        if is_new:
            self._came_from(where, "question", owner, question.source)
        is_new |= self._turns(
            where, "reference_turn", owner, question.references, f"the reference of {what}"
        )
        if self.connection.execute(_TOO_MANY_REFERENCES, (owner,)).fetchone():
            raise Conflict(
                f"{where}: {what} has references to more turns than it has",
                "give one reference, or null, for each turn",
            )
        if question.category is not None:
            stored = self.connection.execute(
                "SELECT category FROM question WHERE id = ?", (owner,)
            ).fetchone()[0]
            if stored is None:
                self.connection.execute(
                    "UPDATE question SET category = ? WHERE id = ?", (question.category, owner)
                )
            elif stored != question.category:
                raise Conflict(
                    f"{where}: {what} is of category {question.category!r} here, "
                    f"but of {stored!r} in the study",
                    "make the two agree",
                )
        self._count("questions" if question.turns else "references", is_new)

    def _answer_id(self, where: Where, question: str, model: str) -> int:
        key = (question, model)
        if key not in self._answers:
            owner = self._question_id(where, question)
            self.connection.execute("INSERT OR IGNORE INTO model (name) VALUES (?)", (model,))
            row = self.connection.execute(
                "SELECT id FROM answer WHERE question_id = ? AND model = ?", (owner, model)
            ).fetchone()
            if row is None:
                row = self.connection.execute(
                    "INSERT INTO answer (question_id, model, source_id) VALUES (?, ?, ?) "
                    "RETURNING id",
                    (owner, model, self._source_id(where)),
                ).fetchone()
            self._answers[key] = row[0]
        return self._answers[key]

    def _answer(self, where: Where, answer: Answer) -> None:
        owner = self._answer_id(where, answer.question, answer.model)
        what = f"the answer of {answer.model!r} to question {answer.question!r}"
        is_new = self._turns(where, "answer_turn", owner, answer.turns, what)
        if is_new:
            self._came_from(where, "answer", owner, answer.source)
        is_new |= self._made_with(where, owner, answer, what)
        self._count("answers", is_new)

    def _made_with(self, where: Where, owner: int, answer: Answer, what: str) -> bool:
        """Store how an answer was made, or compare it; whether any of it was new."""
        stored = self.connection.execute(
            "SELECT system_prompt_hash, nullif(settings, '{}') FROM answer WHERE id = ?", (owner,)
        ).fetchone()
        prompt = answer.system_prompt
        offered = (
            None if prompt is None else self._text(prompt),
            json.dumps(dict(answer.settings), sort_keys=True) if answer.settings else None,
        )
        is_new = False
        for column, new, old in zip(
            ("system_prompt_hash", "settings"), offered, stored, strict=True
        ):
            if new is not None and old is None:
                self.connection.execute(
                    f"UPDATE answer SET {column} = ? WHERE id = ?", (new, owner)
                )
                is_new = True
            elif new not in (None, old):
                raise Conflict(
                    f"{where}: {what} has another system prompt or settings in the study",
                    "make the two agree, or import it into a study of its own",
                )
        return is_new

    def _pair(self, where: Where, pair: Pair) -> tuple[int, str]:
        """The pair's row and key; the pair is made where there is none."""
        if pair not in self._pairs:
            key = pair.key
            row = self.connection.execute("SELECT id FROM pair WHERE key = ?", (key,)).fetchone()
            if row is None:
                row = self.connection.execute(
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
                self.summary.new["pairs"] += 1
            self._pairs[pair] = (row[0], key)
        return self._pairs[pair]

    def _pair_record(self, where: Where, pair: Pair) -> None:
        before = self.summary.new["pairs"]
        self._pair(where, pair)
        self.summary.unchanged["pairs"] += self.summary.new["pairs"] == before

    # ── people and judges ───────────────────────────────────────────────────

    def _annotator_id(self, name: str) -> int:
        if name not in self._annotators:
            row = self.connection.execute(
                "SELECT id FROM annotator WHERE name = ?", (name,)
            ).fetchone()
            if row is None:
                self._annotators[name] = add_annotator(self.connection, Annotator(name), self.now)
                self._implied.add(self._annotators[name])
                self.summary.new["annotators"] += 1
            else:
                self._annotators[name] = row[0]
        return self._annotators[name]

    def _annotator_record(self, where: Where, annotator: Annotator) -> None:
        row = self.connection.execute(
            'SELECT id, role, "group", simulated FROM annotator WHERE name = ?', (annotator.name,)
        ).fetchone()
        if row is not None and row[0] in self._implied:
            # A vote further up in the same import named this person already.
            self._implied.remove(row[0])
            self.connection.execute(
                'UPDATE annotator SET role = ?, "group" = ?, simulated = ?, attributes = ?, '
                "retired_at = ? WHERE id = ?",
                (
                    annotator.role.value,
                    annotator.group,
                    int(annotator.simulated),
                    json.dumps(dict(annotator.attributes)),
                    self.now if annotator.retired else None,
                    row[0],
                ),
            )
            return
        self._count("annotators", row is None)
        if row is None:
            self._annotators[annotator.name] = add_annotator(self.connection, annotator, self.now)
        elif row[1:] != (annotator.role, annotator.group, int(annotator.simulated)):
            raise Conflict(
                f"{where}: annotator {annotator.name!r} has another role or group in the study",
                "make the two agree (`tiebreak annotator change`), or give this one another name",
            )

    def _judge_record(self, where: Where, judge: Judge) -> None:
        is_new = add_judge(self.connection, judge, self.now, str(where))
        self._count("judges", is_new)

    def _wording(self, where: Where, wording: Wording) -> None:
        judge, _ = self._judge_row(where, wording.judge)
        kept = self.connection.execute(
            "SELECT t.body FROM judge_prompt p JOIN text t ON t.hash = p.text_hash "
            "WHERE p.judge_id = ?",
            (judge,),
        ).fetchone()
        if kept is not None and json.loads(kept[0]) != json.loads(wording.text):
            raise Conflict(
                f"{where}: the judge {wording.judge!r} has another prompt in the study",
                "give this one another name",
            )
        keep_wording(self.connection, wording.judge, wording.text)
        self._count("prompts", kept is None)

    def _panel(self, where: Where, panel: Panel) -> None:
        for member in panel.members:
            self._judge_row(where, member)
        self._count("panels", add_panel(self.connection, panel, self.now, str(where)))

    def _judge_row(self, where: Where, name: str) -> tuple[int, str]:
        if name not in self._judges:
            row = self.connection.execute(
                f"SELECT j.id, {chain.JUDGE} FROM judge j WHERE j.name = ?", (name,)
            ).fetchone()
            if row is None:
                raise Conflict(
                    f"{where}: no judge is called {name!r}",
                    "put the judge's own line before what names it",
                )
            self._judges[name] = row
        return self._judges[name]

    def _lesson(self, where: Where, lesson: Lesson) -> None:
        pair_id, _ = self._pair(where, lesson.pair)
        is_new = add_lesson(
            self.connection,
            pair_id,
            lesson,
            self.now,
            place=str(where),
            source_id=self._source_id(where, lesson.source),
        )
        self._count("lessons", is_new)

    def _score(self, where: Where, score: Score) -> None:
        source_id = self._source_id(where, score.source)
        is_new = add_score(self.connection, score, self.now, str(where), source_id)
        self._count("scores", is_new)

    # ── the three logs ──────────────────────────────────────────────────────

    def _vote(self, where: Where, vote: Vote) -> None:
        pair_id, key = self._pair(where, vote.pair)
        self._logs.add(
            "vote",
            where,
            {
                "id": vote.id,
                "pair": key,
                "pair_id": pair_id,
                "turn": vote.turn,
                "annotator": vote.annotator,
                "annotator_id": self._annotator_id(vote.annotator),
                "assignment": None,
                "policy": None,
                "probability": None,
                "shown": None,
                "assignment_id": None,
                "identity": vote.identity or "imported",
                "left": vote.left,
                "seen": as_seen(vote.choice, vote.left) if vote.choice and vote.left else None,
                "repeat": vote.repeat,
                "choice": vote.choice,
                "cannot_judge": vote.cannot_judge or None,
                "supersedes": vote.supersedes,
                "confidence": vote.confidence,
                "tags": stored_tags(vote.tags),
                "criteria": stored_criteria(vote.criteria),
                "note": vote.note,
                "flag": vote.flag,
                "active_seconds": as_float(vote.active_seconds),
                "at": vote.at,
            }
            | self._sourced(where),
        )

    def _verdict(self, where: Where, verdict: Verdict) -> None:
        pair_id, key = self._pair(where, verdict.pair)
        judge = self._judge_row(where, verdict.judge)
        self._logs.add(
            "verdict",
            where,
            verdict_row(verdict, pair_id, key, judge, self._text) | self._sourced(where),
        )

    def _ruling(self, where: Where, ruling: Ruling) -> None:
        pair_id, key = self._pair(where, ruling.pair)
        self._logs.add(
            "ruling",
            where,
            {
                "id": ruling.id,
                "pair": key,
                "pair_id": pair_id,
                "turn": ruling.turn,
                "lead": ruling.lead,
                "lead_id": self._annotator_id(ruling.lead),
                "identity": ruling.identity or "imported",
                "stage": ruling.stage,
                "left": ruling.left,
                "choice": ruling.choice,
                "reason": ruling.reason,
                "shown": json.dumps(dict(ruling.shown), sort_keys=True),
                "queue_reason": ruling.queue_reason,
                "queue_probability": as_float(ruling.queue_probability),
                "supersedes": ruling.supersedes,
                "at": ruling.at,
            }
            | self._sourced(where),
        )
