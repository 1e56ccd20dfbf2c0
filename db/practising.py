"""Lessons as annotators get them: practice with feedback, and qualification without.

A trial is a vote on a lesson. It lies apart from votes: no number counts it. Nothing here reads
a model's name, and nothing says what is right before the trial is on the disk.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from core.blinding import as_seen, left_side, meant
from core.errors import Conflict
from core.records import Choice, LessonUse, Seen
from db.serving import Served
from db.standing import Attempt, Standing, as_stored, needed_of, note, standing_of
from db.texts import TURNS_OF_PAIR, shown

if TYPE_CHECKING:
    from db.store import Store


class Phase(StrEnum):
    """What an annotator sits down to."""

    PRACTICE = "practice"
    QUALIFICATION = "qualification"
    CLOSED = "closed"
    VOTING = "voting"


@dataclass(frozen=True, slots=True)
class ServedLesson:
    """A lesson as an annotator sees it.

    Attributes:
        served: texts in the order shown; its ``assignment`` is the lesson's number.
        turn: the one to vote on.
        round: counts from 1 for each use.
        number: this lesson's place in the round, from 1.
        of: lessons in the round.
    """

    served: Served
    turn: int
    use: LessonUse
    round: int
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A vote on a lesson as it leaves the screen.

    Attributes:
        id: made by the client; recording it again records nothing.
        seen: None to skip the pair, with all its turns that are still open.
        active_seconds: without idle time, in seconds.
    """

    id: str
    lesson: int
    round: int
    seen: Seen | None
    active_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a practice trial brings back: sides as this annotator saw them."""

    seen: Seen | None
    right: Seen
    why: str


class Practising:
    """Lessons and trials of one store's annotators."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def phase(self, annotator_id: int) -> Phase:
        """What this annotator has to do next, by the study's settings as they are now.

        Practice is for newcomers: who has voted is none. Qualification is for everybody who
        neither passed nor was let in; a pass stays a pass when the bar moves later.
        """
        settings = self.store.settings()
        with self.store.read() as connection:
            standing = standing_of(connection, annotator_id)
            if standing.let_in is not None:
                return Phase.VOTING
            if (
                settings["practice"]
                and not _has_voted(connection, annotator_id)
                and self._left(connection, annotator_id, LessonUse.PRACTICE, None)
            ):
                return Phase.PRACTICE
            if standing.is_in or not needs_qualification(connection, settings):
                return Phase.VOTING
            tried = len(standing.attempts)
            if tried >= settings["qualification_tries"]:
                return Phase.CLOSED
            lessons = self._lessons(connection, annotator_id, LessonUse.QUALIFICATION, tried + 1)
            return Phase.QUALIFICATION if lessons else Phase.CLOSED

    def is_new(self, annotator_id: int) -> bool:
        """Whether this annotator was never shown a pair, neither to vote on nor to learn from."""
        with self.store.read() as connection:
            known = connection.execute(
                "SELECT EXISTS (SELECT 1 FROM assignment WHERE annotator_id = ?1) "
                "OR EXISTS (SELECT 1 FROM trial WHERE annotator_id = ?1)",
                (annotator_id,),
            ).fetchone()[0]
        return not known

    def standing(self, annotator_id: int) -> Standing:
        """How far this annotator has got."""
        with self.store.read() as connection:
            return standing_of(connection, annotator_id)

    def practice_round(self, annotator_id: int) -> int:
        """The round to practise in when asked to: the one that was left, or a new one."""
        with self.store.read() as connection:
            (last,) = connection.execute(
                "SELECT coalesce(max(t.round), 1) FROM trial t JOIN lesson l ON l.id = t.lesson_id "
                "WHERE t.annotator_id = ? AND l.use = ?",
                (annotator_id, LessonUse.PRACTICE),
            ).fetchone()
            is_left = self._left(connection, annotator_id, LessonUse.PRACTICE, last)
        return int(last) if is_left else int(last) + 1

    def serve(self, annotator_id: int, use: LessonUse, round_: int) -> ServedLesson | None:
        """The lesson to vote on now: the first of the round without a trial.

        The order is this annotator's own, drawn anew each round. Turns of a pair follow each
        other. Pairs that this annotator was served to vote on are left out. Nothing is served for
        a qualification that is over, because a lead let this annotator in or took tries away.
        """
        with self.store.read() as connection:
            if use is LessonUse.QUALIFICATION and self._is_over(connection, annotator_id):
                return None
            lessons = self._lessons(connection, annotator_id, use, round_)
            row = next((lesson for lesson in lessons if lesson.trial is None), None)
            if row is None:
                return None
            tried = sum(lesson.trial is not None for lesson in lessons)
            served = self._shown(connection, annotator_id, row, lessons, round_)
            return ServedLesson(served, row.turn, use, round_, tried + 1, len(lessons))

    def record(self, annotator_id: int, identity: str, trial: Trial) -> Feedback | None:
        """Record a trial; when this returns, it is on the disk.

        Returns:
            What the leads say of a practice pair; None in a qualification.

        Raises:
            StudyUnavailable: if it cannot be written; nothing is recorded then.
            Conflict: if the lesson is gone, or this round has a trial on it, or is over.
        """
        with self.store.write() as connection:
            lesson = connection.execute(
                "SELECT l.use, p.key, a.name FROM lesson l "
                "JOIN pair p ON p.id = l.pair_id JOIN annotator a ON a.id = ? WHERE l.id = ?",
                (annotator_id, trial.lesson),
            ).fetchone()
            if lesson is None:
                raise Conflict("a lead has taken this pair away meanwhile", "go on from here")
            use, key, name = lesson
            left = self._left_side(key, name, use, trial.round)
            known = connection.execute(
                "SELECT lesson_id, annotator_id, round, seen FROM trial WHERE id = ?", (trial.id,)
            ).fetchone()
            if known is None:
                self._check(connection, annotator_id, LessonUse(use), trial)
                self._insert(connection, annotator_id, identity, trial, left)
                self._settle(connection, annotator_id)
            elif known != (trial.lesson, annotator_id, trial.round, trial.seen):
                raise Conflict(f"trial {trial.id!r} is already in the study and says otherwise")
            # An annotator may read what is right from here on: the trial is there.
            choice, why = connection.execute(
                "SELECT choice, why FROM lesson WHERE id = ?", (trial.lesson,)
            ).fetchone()
        if use == LessonUse.QUALIFICATION:
            return None
        return Feedback(trial.seen, as_seen(Choice(choice), left), why)

    def settle(self, annotator_id: int) -> None:
        """Close a qualification round whose last open lessons were taken away meanwhile."""
        with self.store.write() as connection:
            self._settle(connection, annotator_id)

    def let_in(self, annotator_id: int, by: str) -> bool:
        """Let somebody vote without practice and without passing; whether that is new.

        Args:
            by: the identity of the lead who does.
        """
        with self.store.write() as connection:
            if standing_of(connection, annotator_id).let_in is not None:
                return False
            note(connection, annotator_id, {"let_in": {"by": by, "at": self.store.now()}})
        return True

    # ── in the caller's transaction ─────────────────────────────────────────

    def _lessons(
        self, connection: sqlite3.Connection, annotator_id: int, use: LessonUse, round_: int | None
    ) -> Sequence[_Row]:
        rows = connection.execute(_LESSONS, (annotator_id, use, round_)).fetchall()
        name = _name(connection, annotator_id)

        def place(row: _Row) -> tuple[bytes, int]:
            drawn = "\x1f".join((self.store.seed, use, name, str(round_), row.key))
            return hashlib.sha256(drawn.encode("utf-8", "surrogatepass")).digest(), row.turn

        return sorted((_Row(*row) for row in rows), key=place)

    def _left(
        self, connection: sqlite3.Connection, annotator_id: int, use: LessonUse, round_: int | None
    ) -> bool:
        """Whether the round has a lesson without a trial; None: whether one has none at all."""
        lessons = self._lessons(connection, annotator_id, use, round_)
        return any(lesson.trial is None for lesson in lessons)

    def _left_side(self, key: str, name: str, use: str, round_: int) -> int:
        # Another coin than the one for votes: the side here tells nothing about the side there.
        return left_side(f"{self.store.seed}\x1f{use}", key, name, round_ - 1)

    def _shown(
        self,
        connection: sqlite3.Connection,
        annotator_id: int,
        row: _Row,
        lessons: Sequence[_Row],
        round_: int,
    ) -> Served:
        name = _name(connection, annotator_id)
        left = self._left_side(row.key, name, row.use, round_)
        texts = shown(connection, row.question_id, (row.answer_1, row.answer_2), left)
        return Served(
            assignment=row.id,
            turns=tuple(lesson.turn for lesson in lessons if lesson.key == row.key),
            voted={
                lesson.turn: Seen(lesson.trial)
                for lesson in lessons
                if lesson.key == row.key and lesson.trial
            },
            drafts={},
            category=texts.category,
            question=texts.question,
            references=texts.references,
            left=texts.left,
            right=texts.right,
        )

    def _insert(
        self,
        connection: sqlite3.Connection,
        annotator_id: int,
        identity: str,
        trial: Trial,
        left: int,
    ) -> None:
        """Add a trial; a skip is one on each turn of the pair that is still open."""
        choice = None if trial.seen is None else meant(trial.seen, left)
        lessons = {trial.id: trial.lesson}
        if trial.seen is None:
            others = connection.execute(_OTHER_TURNS, (trial.lesson, annotator_id, trial.round))
            lessons.update({f"{trial.id}/{turn}": lesson for lesson, turn in others})
        connection.executemany(
            "INSERT INTO main.trial (id, lesson_id, annotator_id, identity, round, left, seen, "
            "choice, active_seconds, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(key, lesson, annotator_id, identity, trial.round, left),
                    *(trial.seen, choice, trial.active_seconds, self.store.now()),
                )
                for key, lesson in lessons.items()
            ],
        )

    def _check(
        self, connection: sqlite3.Connection, annotator_id: int, use: LessonUse, trial: Trial
    ) -> None:
        if connection.execute(
            "SELECT 1 FROM trial WHERE lesson_id = ? AND annotator_id = ? AND round = ?",
            (trial.lesson, annotator_id, trial.round),
        ).fetchone():
            raise Conflict("this pair was answered in another window", "go on from here")
        if use is LessonUse.PRACTICE:
            return
        if trial.seen is None:
            raise Conflict("a qualification pair cannot be skipped", "vote as well as you can")
        tried = len(standing_of(connection, annotator_id).attempts)
        if trial.round != tried + 1 or self._is_over(connection, annotator_id):
            raise Conflict("this qualification is over", "go on from here")

    def _is_over(self, connection: sqlite3.Connection, annotator_id: int) -> bool:
        """Whether no try is open to this annotator any more."""
        standing = standing_of(connection, annotator_id)
        tries = self.store.settings()["qualification_tries"]
        return standing.is_in or len(standing.attempts) >= tries

    def _settle(self, connection: sqlite3.Connection, annotator_id: int) -> None:
        """Write down what a qualification round came to, once nothing of it is open."""
        standing = standing_of(connection, annotator_id)
        round_ = len(standing.attempts) + 1
        if standing.is_in or self._left(connection, annotator_id, LessonUse.QUALIFICATION, round_):
            return
        right, of = connection.execute(
            "SELECT coalesce(sum(t.choice IS l.choice), 0), count(*) FROM trial t "
            "JOIN lesson l ON l.id = t.lesson_id "
            "WHERE t.annotator_id = ? AND l.use = ? AND t.round = ?",
            (annotator_id, LessonUse.QUALIFICATION, round_),
        ).fetchone()
        if of:
            share = self.store.settings()["qualification_pass"]
            attempt = Attempt(round_, right, of, needed_of(share, of), self.store.now())
            attempts = [*map(as_stored, standing.attempts), as_stored(attempt)]
            note(connection, annotator_id, {"attempts": attempts})


@dataclass(frozen=True, slots=True)
class _Row:
    """A lesson of a round; ``trial`` is None while it is open, and "" where it was skipped."""

    id: int
    use: str
    turn: int
    key: str
    question_id: int
    answer_1: int
    answer_2: int
    trial: str | None


_LESSONS = f"""
    SELECT l.id, l.use, l.turn, p.key, p.question_id, p.answer_1, p.answer_2,
           iif(t.id IS NULL, NULL, coalesce(t.seen, ''))
    FROM lesson l JOIN pair p ON p.id = l.pair_id
    LEFT JOIN trial t ON t.lesson_id = l.id AND t.annotator_id = ?1
        AND (?3 IS NULL OR t.round = ?3)
    WHERE l.use = ?2 AND {TURNS_OF_PAIR} >= max(l.turn, 1) AND (t.id IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM assignment a WHERE a.annotator_id = ?1 AND a.pair_id = l.pair_id))
"""


_OTHER_TURNS = """
    SELECT o.id, o.turn FROM lesson l
    JOIN lesson o ON o.pair_id = l.pair_id AND o.use = l.use AND o.id != l.id
    WHERE l.id = ?1 AND NOT EXISTS (SELECT 1 FROM trial t
        WHERE t.lesson_id = o.id AND t.annotator_id = ?2 AND t.round = ?3)
"""


def needs_qualification(connection: sqlite3.Connection, settings: Mapping[str, Any]) -> bool:
    """Whether the lead set a qualification and gave it lessons that can be shown."""
    return settings["qualification_pass"] > 0 and bool(
        connection.execute(
            "SELECT EXISTS (SELECT 1 FROM lesson l JOIN pair p ON p.id = l.pair_id "
            f"WHERE l.use = ? AND {TURNS_OF_PAIR} >= max(l.turn, 1))",
            (LessonUse.QUALIFICATION,),
        ).fetchone()[0]
    )


def _name(connection: sqlite3.Connection, annotator_id: int) -> str:
    row = connection.execute("SELECT name FROM annotator WHERE id = ?", (annotator_id,)).fetchone()
    return str(row[0])


def _has_voted(connection: sqlite3.Connection, annotator_id: int) -> bool:
    row = connection.execute("SELECT 1 FROM vote WHERE annotator_id = ? LIMIT 1", (annotator_id,))
    return row.fetchone() is not None
