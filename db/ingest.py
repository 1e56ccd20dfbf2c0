"""Taking imported records into a study: all of them or none, and nothing twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from core import settings
from core.beside_logs import Queued, SecondOpinion, Unmasking
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
from db.ingest_beside import (
    refuse_textless,
    take_queued,
    take_second_opinion,
    take_unmasking,
)
from db.ingest_subjects import File as File
from db.ingest_subjects import Subjects
from db.ingest_subjects import Summary as Summary
from db.judging import add_judge, as_float, keep_wording, verdict_row
from db.lessons import add_lesson
from db.log_batches import LogBatches
from db.panels import add_panel
from db.scores import add_score
from db.store import add_annotator

if TYPE_CHECKING:
    from db.store import Store


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
        self.summary = summary
        self._subjects = Subjects(connection, now, files, summary)
        self._annotators: dict[str, int] = {}
        self._implied: set[int] = set()
        self._judges: dict[str, tuple[int, str]] = {}
        self._queue: dict[int, Where] = {}
        self._logs = LogBatches(connection, self.summary.new, self.summary.unchanged)
        self._take: dict[type, Callable[[Where, Any], None]] = {
            Setting: self._setting,
            Question: self._subjects.question,
            Answer: self._subjects.answer,
            Pair: self._subjects.pair_record,
            Annotator: self._annotator_record,
            Lesson: self._lesson,
            Judge: self._judge_record,
            Wording: self._wording,
            Panel: self._panel,
            Vote: self._vote,
            Verdict: self._verdict,
            Ruling: self._ruling,
            Score: self._score,
            Queued: self._queued,
            Unmasking: self._unmasking,
            SecondOpinion: self._second_opinion,
        }

    def take(self, where: Where, record: Record) -> None:
        self._take[type(record)](where, record)

    def finish(self) -> None:
        self._logs.flush()
        for pair_id, where in self._queue.items():
            refuse_textless(self.connection, pair_id, where)
        if any(self.summary.new[kind] for kind in ("votes", "verdicts", "queued pairs")):
            settle_disputes(self.connection)

    def _setting(self, where: Where, setting: Setting) -> None:
        try:
            value = json.dumps(settings.checked(setting.key, setting.value))
        except TiebreakError as error:
            raise BadInput(where, setting.key, error.message, error.hint) from error
        row = self.connection.execute(
            "SELECT value FROM study WHERE key = ?", (setting.key,)
        ).fetchone()
        self.summary.count("settings", row is None)
        if row is None:
            self.connection.execute("INSERT INTO study VALUES (?, ?)", (setting.key, value))

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
        self.summary.count("annotators", row is None)
        if row is None:
            self._annotators[annotator.name] = add_annotator(self.connection, annotator, self.now)
        elif row[1:] != (annotator.role, annotator.group, int(annotator.simulated)):
            raise Conflict(
                f"{where}: annotator {annotator.name!r} has another role or group in the study",
                "make the two agree (`tiebreak annotator change`), or give this one another name",
            )

    def _judge_record(self, where: Where, judge: Judge) -> None:
        is_new = add_judge(self.connection, judge, self.now, str(where))
        self.summary.count("judges", is_new)

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
        self.summary.count("prompts", kept is None)

    def _panel(self, where: Where, panel: Panel) -> None:
        for member in panel.members:
            self._judge_row(where, member)
        self.summary.count("panels", add_panel(self.connection, panel, self.now, str(where)))

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
        pair_id, _ = self._subjects.pair(where, lesson.pair)
        is_new = add_lesson(
            self.connection,
            pair_id,
            lesson,
            self.now,
            place=str(where),
            source_id=self._subjects.source_id(where, lesson.source),
        )
        self.summary.count("lessons", is_new)

    def _score(self, where: Where, score: Score) -> None:
        source_id = self._subjects.source_id(where, score.source)
        is_new = add_score(self.connection, score, self.now, str(where), source_id)
        self.summary.count("scores", is_new)

    # ── beside the logs ─────────────────────────────────────────────────────

    def _queued(self, where: Where, queued: Queued) -> None:
        pair_id, _ = self._subjects.pair(where, queued.pair)
        self._queue[pair_id] = where
        take_queued(self.connection, pair_id, queued, self.now, self.summary)

    def _unmasking(self, where: Where, unmasking: Unmasking) -> None:
        pair_id, _ = self._subjects.pair(where, unmasking.pair)
        lead_id = self._annotator_id(unmasking.lead)
        take_unmasking(self.connection, pair_id, lead_id, unmasking, self.summary)

    def _second_opinion(self, where: Where, wish: SecondOpinion) -> None:
        self._logs.flush()  # the ruling that answers it stands before it
        pair_id, _ = self._subjects.pair(where, wish.pair)
        lead_id = self._annotator_id(wish.lead)
        take_second_opinion(self.connection, pair_id, lead_id, wish, where, self.summary)

    # ── the three logs ──────────────────────────────────────────────────────

    def _vote(self, where: Where, vote: Vote) -> None:
        pair_id, key = self._subjects.pair(where, vote.pair)
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
            | self._subjects.sourced(where),
        )

    def _verdict(self, where: Where, verdict: Verdict) -> None:
        pair_id, key = self._subjects.pair(where, verdict.pair)
        judge = self._judge_row(where, verdict.judge)
        self._logs.add(
            "verdict",
            where,
            verdict_row(verdict, pair_id, key, judge, self._subjects.text)
            | self._subjects.sourced(where),
        )

    def _ruling(self, where: Where, ruling: Ruling) -> None:
        pair_id, key = self._subjects.pair(where, ruling.pair)
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
                "final": int(ruling.final),
                "at": ruling.at,
            }
            | self._subjects.sourced(where),
        )
