"""Lessons: pairs whose right outcome is settled, to practise on or to be let in by.

This is the leads' side, with models' names; :mod:`db.practising` is the annotators'.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import Conflict, TiebreakError
from core.records import Choice, Lesson, LessonUse, Pair, Role, RulingChoice
from core.settings import PER_TURN
from core.text import many
from db.standing import Standing, standing_of
from db.texts import TURNS_OF_PAIR

if TYPE_CHECKING:
    from db.store import Store


@dataclass(frozen=True, slots=True)
class Kept:
    """A lesson as the study keeps it.

    Attributes:
        annotators: how many voted on it or skipped it.
        queued: whether the pair is to be voted on too: not by those who met it as a lesson.
        shown: False where a text is missing, so that nobody gets it.
    """

    lesson: Lesson
    annotators: int
    queued: bool
    shown: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """What somebody said to a lesson; ``choice`` is None where they skipped it."""

    lesson: Lesson
    round: int
    choice: Choice | None

    @property
    def is_right(self) -> bool:
        """Whether they said what the leads say."""
        return self.choice is self.lesson.choice


@dataclass(frozen=True, slots=True)
class Learner:
    """How one annotator does on the lessons.

    Attributes:
        to_practise: practice lessons that were never shown to them.
        trials: oldest first.
    """

    name: str
    standing: Standing
    to_practise: int
    trials: list[Tried] = field(default_factory=list)

    def of(self, use: LessonUse) -> list[Tried]:
        """The trials of one use."""
        return [trial for trial in self.trials if trial.lesson.use is use]


@dataclass(slots=True)
class Taken:
    """What came of turning rulings into lessons; ``left_out`` holds a reason for each other one."""

    new: int = 0
    unchanged: int = 0
    left_out: list[str] = field(default_factory=list)


class Lessons:
    """Lessons of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, lesson: Lesson) -> bool:
        """Add a lesson on a pair whose texts the study holds; whether it is new.

        Raises:
            TiebreakError: if there is no such pair or turn.
            Conflict: if the study says otherwise, or the reason would tell who wrote an answer.
        """
        with self.store.write() as connection:
            return self._add(connection, lesson)

    def _add(self, connection: sqlite3.Connection, lesson: Lesson) -> bool:
        pair_id = _pair_row(connection, lesson.pair)
        (turns,) = connection.execute(
            f"SELECT {TURNS_OF_PAIR} FROM pair p WHERE p.id = ?", (pair_id,)
        ).fetchone()
        is_per_turn = self.store.settings()["vote_per"] == PER_TURN
        low, high = (1, turns) if is_per_turn else (0, 0)
        if not low <= lesson.turn <= high:
            asked = f"turns 1 to {turns}" if is_per_turn else "whole conversations, which is turn 0"
            raise TiebreakError(
                f"this study votes on {asked} here, so there is no lesson on turn {lesson.turn}",
                "name one of these with --turn",
            )
        place = f"{lesson.pair.question!r}, turn {lesson.turn}"
        named = connection.execute("SELECT name FROM model WHERE length(name) > 1 ORDER BY name")
        _need_unnamed([name for (name,) in named], lesson.why, place)
        return add_lesson(connection, pair_id, lesson, self.store.now(), place=place)

    def from_rulings(self, use: LessonUse) -> Taken:
        """Make a lesson of every pair and turn whose last standing ruling names an outcome."""
        taken = Taken()
        rulings = [item.rulings[-1] for item in self.store.reading.items() if item.rulings]
        with self.store.write() as connection:
            for ruling in rulings:
                pair, place = ruling.pair, f"{ruling.pair.question!r}, turn {ruling.turn}"
                if ruling.choice is None or ruling.choice in _WITHOUT_OUTCOME:
                    taken.left_out.append(f"{place}: ruled {ruling.choice}")
                    continue
                lesson = Lesson(pair, ruling.turn, Choice(ruling.choice), ruling.reason, use)
                try:
                    is_new = self._add(connection, lesson)
                except TiebreakError as error:
                    said = error.message
                    taken.left_out.append(said if said.startswith(place) else f"{place}: {said}")
                    continue
                taken.new += is_new
                taken.unchanged += not is_new
        return taken

    def all(self) -> list[Kept]:
        """Every lesson, in the order they were added."""
        with self.store.read() as connection:
            return [kept for _, kept in _lessons(connection)]

    def remove(self, pair: Pair, turn: int, use: LessonUse, *, with_trials: bool = False) -> int:
        """Take a lesson away.

        Args:
            with_trials: and what annotators said to it.

        Returns:
            How many trials went with it.

        Raises:
            TiebreakError: if there is no such lesson.
            Conflict: if it has trials that are not to go.
        """
        with self.store.write() as connection:
            row = connection.execute(
                "SELECT l.id, (SELECT count(*) FROM trial t WHERE t.lesson_id = l.id) "
                "FROM lesson l JOIN pair p ON p.id = l.pair_id "
                "WHERE p.key = ? AND l.turn = ? AND l.use = ?",
                (pair.key, turn, use),
            ).fetchone()
            if row is None:
                raise TiebreakError(
                    f"there is no {use} lesson on {pair.question!r}, turn {turn}, "
                    f"{pair.model_1!r} and {pair.model_2!r}",
                    "the ones there are: tiebreak practice list",
                )
            if row[1] and not with_trials:
                raise Conflict(
                    f"annotators voted on this lesson {many(row[1], 'time')}, which would be lost",
                    "if that is meant: --with-trials",
                )
            connection.execute("DELETE FROM trial WHERE lesson_id = ?", row[:1])
            connection.execute("DELETE FROM lesson WHERE id = ?", row[:1])
        return int(row[1])

    def learners(self) -> list[Learner]:
        """Every person who votes here, and whoever tried a lesson, by name."""
        with self.store.read() as connection:
            lessons = {row: kept.lesson for row, kept in _lessons(connection)}
            people = connection.execute(
                "SELECT id, name, (SELECT count(*) FROM lesson l WHERE l.use = ?1 "
                "AND NOT EXISTS (SELECT 1 FROM trial t "
                "WHERE t.lesson_id = l.id AND t.annotator_id = a.id)) FROM annotator a "
                "WHERE role = ?2 AND NOT simulated "
                "OR EXISTS (SELECT 1 FROM trial t WHERE t.annotator_id = a.id) ORDER BY name",
                (LessonUse.PRACTICE, Role.ANNOTATOR),
            ).fetchall()
            found = []
            for annotator_id, name, to_practise in people:
                rows = connection.execute(
                    "SELECT lesson_id, round, choice FROM trial WHERE annotator_id = ? "
                    "ORDER BY seq",
                    (annotator_id,),
                )
                trials = [
                    Tried(lessons[row], round_, Choice(choice) if choice else None)
                    for row, round_, choice in rows
                ]
                standing = standing_of(connection, annotator_id)
                found.append(Learner(name, standing, to_practise, trials))
        return found

    def annotator(self, name: str) -> int:
        """The row of an annotator who has been here.

        Raises:
            TiebreakError: if nobody of that name has.
        """
        with self.store.read() as connection:
            row = connection.execute("SELECT id FROM annotator WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise TiebreakError(
                f"no annotator is called {name!r}",
                "whoever started tiebreak annotate once is listed by: tiebreak practice results",
            )
        return int(row[0])


def add_lesson(
    connection: sqlite3.Connection,
    pair_id: int,
    lesson: Lesson,
    now: str,
    *,
    place: str,
    source_id: int | None = None,
) -> bool:
    """Add a lesson; within the caller's transaction.

    Args:
        place: where it comes from, as a refusal names it.

    Returns:
        Whether it is new.

    Raises:
        Conflict: if the study holds it with another outcome or another reason, or for the other
            use, or if its reason names a model of the pair: annotators read it.
    """
    _need_unnamed((lesson.pair.model_1, lesson.pair.model_2), lesson.why, place)
    rows = connection.execute(
        "SELECT use, choice, why FROM lesson WHERE pair_id = ? AND turn = ?",
        (pair_id, lesson.turn),
    ).fetchall()
    for use, *known in rows:
        if use != lesson.use:
            raise Conflict(
                f"{place}: this pair and turn is a {use} lesson already",
                "who practised on it would know the answer: take that one away first",
            )
        if known != [lesson.choice, lesson.why]:
            raise Conflict(
                f"{place}: this {lesson.use} pair is already in the study and says otherwise",
                "make the two agree, or take the old one away first",
            )
        return False
    connection.execute(
        "INSERT INTO lesson (pair_id, turn, use, choice, why, added_at, source_id) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (pair_id, lesson.turn, lesson.use, lesson.choice, lesson.why, now, source_id),
    )
    return True


def _need_unnamed(models: Iterable[str], why: str, place: str) -> None:
    """Refuse a reason that tells who wrote an answer, or who others take for its author.

    Raises:
        Conflict: naming the model.
    """
    for model in models:
        if re.search(rf"(?<!\w){re.escape(model)}(?!\w)", why, re.IGNORECASE):
            raise Conflict(
                f"{place}: the reason names the model {model!r}, and annotators read it",
                "say what the answer does, not who wrote it",
            )


def _lessons(connection: sqlite3.Connection) -> Iterator[tuple[int, Kept]]:
    rows = connection.execute(
        "SELECT l.id, q.key, p.model_1, p.model_2, l.turn, l.choice, l.why, l.use, s.name, "
        "(SELECT count(DISTINCT t.annotator_id) FROM trial t WHERE t.lesson_id = l.id), "
        "EXISTS (SELECT 1 FROM queue u WHERE u.pair_id = p.id), "
        f"{TURNS_OF_PAIR} >= max(l.turn, 1) "
        "FROM lesson l JOIN pair p ON p.id = l.pair_id JOIN question q ON q.id = p.question_id "
        "LEFT JOIN source s ON s.id = l.source_id ORDER BY l.id"
    )
    for row, question, model_1, model_2, turn, choice, why, use, source, tried, *is_ in rows:
        pair = Pair(question, model_1, model_2)
        lesson = Lesson(pair, turn, Choice(choice), why, LessonUse(use), source)
        yield row, Kept(lesson, tried, *map(bool, is_))


def _pair_row(connection: sqlite3.Connection, pair: Pair) -> int:
    """The row of a pair whose answers the study holds; made where nobody has paired them yet."""
    row = connection.execute("SELECT id FROM pair WHERE key = ?", (pair.key,)).fetchone()
    if row is None:
        question, first, second = (
            connection.execute(query, values).fetchone()
            for query, values in (
                ("SELECT id FROM question WHERE key = ?", (pair.question,)),
                (_ANSWER, (pair.question, pair.model_1)),
                (_ANSWER, (pair.question, pair.model_2)),
            )
        )
        if question is None:
            raise TiebreakError(
                f"no question is called {pair.question!r}", "import it first; names are exact"
            )
        for model, answer in ((pair.model_1, first), (pair.model_2, second)):
            if answer is None:
                raise TiebreakError(
                    f"{model!r} has no answer to {pair.question!r}",
                    "import it first; names are exact",
                )
        row = connection.execute(
            "INSERT INTO pair (key, question_id, model_1, model_2, answer_1, answer_2) "
            "VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (pair.key, question[0], pair.model_1, pair.model_2, first[0], second[0]),
        ).fetchone()
    return int(row[0])


_WITHOUT_OUTCOME = (RulingChoice.NOT_DECIDABLE, RulingChoice.MORE_VOTES)

_ANSWER = (
    "SELECT a.id FROM answer a JOIN question q ON q.id = a.question_id "
    "WHERE q.key = ? AND a.model = ?"
)
