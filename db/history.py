"""An annotator's own votes, newest first: to look through, to search, and to come back to.

Only votes on pairs that were served here are found: an imported vote has no assignment, so nobody
knows how its pair was shown. Nothing here reads a model's name.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.records import Seen
from core.saying import said_of
from core.seeking import Wanted
from db.serving import Draft

if TYPE_CHECKING:
    from db.store import Store

STANDS, CHANGED, TAKEN_BACK = "stands", "changed", "taken back"
"""What became of a vote."""

_PAGE = 64
"""Votes that one read transaction takes while looking through all of them."""

_HEAD = 400
"""Characters of a question that a list of votes has use for."""


@dataclass(frozen=True, slots=True)
class Past:
    """One vote of one's own.

    Attributes:
        seen: None where the annotator could not judge; ``cannot_judge`` says why then.
        draft: the note and the flag that were saved with it.
        category: the question's.
        question: how the question's turn begins.
        turns: how many turns the question has.
        became: :data:`STANDS`, :data:`CHANGED` or :data:`TAKEN_BACK`.
    """

    seq: int
    id: str
    assignment: int
    turn: int
    seen: Seen | None
    cannot_judge: str
    draft: Draft
    at: str
    category: str | None
    question: str
    turns: int
    became: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """The vote that another one took the place of.

    Attributes:
        seen: None where it was the word that one cannot judge.
    """

    id: str
    seen: Seen | None


@dataclass(frozen=True, slots=True)
class Deed:
    """A vote that undo can take back.

    Attributes:
        seq: its place in the log when it was cast, whatever was undone since.
    """

    seq: int
    id: str


@dataclass(frozen=True, slots=True)
class _Text:
    """A turn of a question or of an answer, by the hash of what it says."""

    hash: str
    of: str
    owner: int
    turn: int


class History:
    """One's own votes in one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def sift(
        self,
        annotator_id: int,
        wanted: Wanted,
        *,
        every: bool = False,
        is_ended: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[int, bool]]:
        """Look through an annotator's votes, the newest first.

        Words are looked for in the question and both answers up to the turn of the vote, in its
        note and flag, in the category, and in what :func:`core.saying.said_of` says of it. A text
        that several votes share is read once. In a study with hidden repeats, votes on a
        question of which a pair is open are passed over, but for those on that very assignment:
        a repeat that could be looked up would measure nothing, and one whose own pair alone were
        missing would be told by that.

        Args:
            every: votes that were changed or taken back since, too.
            is_ended: asked between any two texts; once true, no more is yielded.

        Yields:
            Each vote's ``seq``, and whether all words are found in it.
        """
        known: dict[str, int] = {}
        before = 1 << 62
        while page := self._page(annotator_id, before, every):
            texts = self._texts([row[0] for row in page]) if wanted else {}
            for seq, *said in page:
                found = wanted.found_in(_said(*said)) if wanted else 0
                for text in texts.get(seq, ()):
                    if found == wanted.all or is_ended():
                        break
                    if text.hash not in known:
                        known[text.hash] = wanted.found_in(self._body(text))
                    found |= known[text.hash]
                if is_ended():
                    return
                yield seq, found == wanted.all
            before = page[-1][0]

    def look_up(self, annotator_id: int, seqs: Sequence[int]) -> dict[int, Past]:
        """Some of an annotator's votes, by ``seq``."""
        with self.store.read() as connection:
            rows = connection.execute(_LOOK_UP, (json.dumps(list(seqs)), annotator_id)).fetchall()
        return {row[0]: _past(row) for row in rows}

    def standing(self, annotator_id: int, assignment: int, turn: int) -> Past | None:
        """The vote of an annotator's that stands on a turn; None where none does."""
        with self.store.read() as connection:
            row = connection.execute(_STANDING, (assignment, turn, annotator_id)).fetchone()
            rows = (
                []
                if row is None
                else [*connection.execute(_LOOK_UP, (f"[{row[0]}]", annotator_id))]
            )
        return _past(rows[0]) if rows else None

    def superseded_by(self, vote_id: str) -> Superseded | None:
        """The vote that this one took the place of; None where there was none to be changed."""
        with self.store.read() as connection:
            row = connection.execute(
                "SELECT p.id, p.seen FROM vote v JOIN vote p ON p.id = v.supersedes "
                "WHERE v.id = ? AND (p.seen IS NOT NULL OR p.cannot_judge IS NOT NULL)",
                (vote_id,),
            ).fetchone()
        if row is None:
            return None
        return Superseded(row[0], None if row[1] is None else Seen(row[1]))

    def _page(self, annotator_id: int, before: int, every: bool) -> list[tuple[Any, ...]]:
        repeats = self.store.settings()["repeat_percent"] > 0
        with self.store.read() as connection:
            opened = connection.execute(_OPEN, (annotator_id, repeats)).fetchall()
            questions, assignments = (json.dumps([row[at] for row in opened]) for at in (0, 1))
            return connection.execute(
                _OWN, (annotator_id, before, every, _PAGE, questions, assignments)
            ).fetchall()

    def _texts(self, seqs: Sequence[int]) -> dict[int, list[_Text]]:
        """The texts that each vote was cast on, the question's first."""
        found: dict[int, list[_Text]] = {}
        with self.store.read() as connection:
            for seq, *text in connection.execute(_TEXTS, (json.dumps(list(seqs)),)):
                found.setdefault(seq, []).append(_Text(*text))
        return found

    def _body(self, text: _Text) -> str:
        with self.store.in_words():
            row = self.store.connection.execute(
                _BODIES[text.of], (text.owner, text.turn)
            ).fetchone()
        return str(row[0])


def deeds(connection: sqlite3.Connection, assignment: int, turn: int) -> list[Deed]:
    """The votes on a turn of an assignment that undo can still take back, the last at the end.

    Undo withdraws a vote; where that vote had changed an earlier one, a row that says the same
    as the earlier one follows the withdrawal, and stands in its place: :func:`again` names it. Any
    other row that follows a withdrawal is a first vote. The word that one cannot judge changes a
    vote as another vote does, but is none: what comes after it is a first vote, too.
    """
    return fold(
        connection.execute(
            "SELECT seq, id, choice, cannot_judge, supersedes FROM vote "
            "WHERE assignment_id = ? AND turn = ? ORDER BY seq",
            (assignment, turn),
        )
    )


def fold(rows: Iterable[tuple[int, str, str | None, str | None, str | None]]) -> list[Deed]:
    """What :func:`deeds` finds in a turn's rows, oldest first.

    Args:
        rows: seq, id, choice, cannot_judge, supersedes.
    """
    stack: list[Deed] = []
    is_first = True
    for seq, id, choice, cannot_judge, supersedes in rows:
        if choice is None and cannot_judge is None:
            stack = stack[:-1]
            is_first = True
        elif supersedes is not None and id == again(supersedes):
            is_first = False
        else:
            stack = [*([] if is_first else stack), Deed(seq, id)]
            is_first = cannot_judge is not None
    return stack


def again(withdrawal: str) -> str:
    """The id of the row by which an earlier vote stands again, behind a withdrawal's own."""
    return f"{withdrawal}-restored"


def _said(seen: str | None, cannot_judge: str | None, note: str, flag: str, category: str) -> str:
    """What was said with a vote and of its question, one thing a line."""
    words = said_of(Seen(seen) if seen else None)
    return "\n".join((words, cannot_judge or "", note, flag, category))


def _past(row: tuple[Any, ...]) -> Past:
    seq, id, assignment, turn, seen, why, note, flag, at, category, turns, question, *later = row
    became = STANDS if later[0] is None else CHANGED if later[1] else TAKEN_BACK
    return Past(
        seq, id, assignment, turn, Seen(seen) if seen else None, why or "", Draft(note, flag),
        at, category, question or "", turns, became,
    )  # fmt: skip


_IS_VOTE = "(v.choice IS NOT NULL OR v.cannot_judge IS NOT NULL)"
_STANDS = "NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)"

_OPEN = """
    SELECT p.question_id, o.id FROM assignment o JOIN pair p ON p.id = o.pair_id
    WHERE o.annotator_id = ?1 AND o.state = 'open' AND (?2 OR EXISTS (
        SELECT 1 FROM assignment r WHERE r.annotator_id = ?1 AND r.repeat > 0))
"""

_OWN = f"""
    SELECT v.seq, v.seen, v.cannot_judge, v.note, v.flag, coalesce(q.category, '')
    FROM vote v CROSS JOIN pair p ON p.id = v.pair_id CROSS JOIN question q ON q.id = p.question_id
    WHERE v.annotator_id = ?1 AND v.seq < ?2 AND v.assignment_id IS NOT NULL AND {_IS_VOTE}
      AND (?3 OR {_STANDS}) AND (q.id NOT IN (SELECT value FROM json_each(?5))
        OR v.assignment_id IN (SELECT value FROM json_each(?6)))
    ORDER BY v.seq DESC LIMIT ?4
"""

_LOOK_UP = f"""
    SELECT v.seq, v.id, v.assignment_id, v.turn, v.seen, v.cannot_judge, v.note, v.flag, v.at,
           q.category, (SELECT count(*) FROM question_turn t WHERE t.question_id = q.id),
           (SELECT substr(t.body, 1, {_HEAD}) FROM question_text t
            WHERE t.question_id = q.id AND t.turn = max(v.turn, 1)),
           w.seq, w.choice IS NOT NULL OR w.cannot_judge IS NOT NULL
    FROM json_each(?1) j CROSS JOIN vote v ON v.seq = j.value
    CROSS JOIN pair p ON p.id = v.pair_id CROSS JOIN question q ON q.id = p.question_id
    LEFT JOIN vote w ON w.supersedes = v.id
    WHERE v.annotator_id = ?2
"""

_STANDING = f"""
    SELECT v.seq FROM vote v WHERE v.assignment_id = ?1 AND v.turn = ?2 AND v.annotator_id = ?3
      AND {_IS_VOTE} AND {_STANDS}
"""

_TURNS_OF = """
    SELECT v.seq, t.text_hash, '{of}', t.{of}, t.turn
    FROM json_each(?1) j CROSS JOIN vote v ON v.seq = j.value
    CROSS JOIN pair p ON p.id = v.pair_id CROSS JOIN {turns} t ON t.{of} = p.{which}
    WHERE v.turn = 0 OR t.turn <= v.turn
"""
_TEXTS = " UNION ALL ".join(
    _TURNS_OF.format(turns=turns, of=of, which=which)
    for turns, of, which in (
        ("question_turn", "question_id", "question_id"),
        ("answer_turn", "answer_id", "answer_1"),
        ("answer_turn", "answer_id", "answer_2"),
    )
)
_BODIES = {
    "question_id": "SELECT body FROM question_text WHERE question_id = ? AND turn = ?",
    "answer_id": "SELECT body FROM answer_text WHERE answer_id = ? AND turn = ?",
}
