"""Serving pairs: which one an annotator gets, in which order, under which lease.

Nothing here reads a model's name: what is served holds the texts in the order to be shown.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from core import sampling
from core.blinding import left_side
from core.records import WHOLE_CONVERSATION, Seen
from core.settings import PER_TURN
from core.times import stamp
from db.admission import admit
from db.texts import TURNS_OF_PAIR, answer_turns, question_of

if TYPE_CHECKING:
    from db.store import Store


@dataclass(frozen=True, slots=True)
class Draft:
    """What an annotator has typed or marked, but not voted yet."""

    note: str = ""
    flag: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """One pair as an annotator sees it: texts in the order shown, and no names.

    Attributes:
        assignment: names the assignment when a vote is cast.
        turns: the turns to vote on; ``(0,)`` for one vote on the whole conversation.
        voted: turn → what this annotator's vote on it was, as seen.
        drafts: turn → what is typed but not voted.
        question: the question's turns; ``references`` holds a text or None for each.
    """

    assignment: int
    turns: tuple[int, ...]
    voted: dict[int, Seen]
    drafts: dict[int, Draft]
    category: str | None
    question: tuple[str, ...]
    references: tuple[str | None, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]

    @property
    def next_turn(self) -> int | None:
        """The first turn without a vote; None where all have one."""
        return next((turn for turn in self.turns if turn not in self.voted), None)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one annotator is, in pairs.

    Attributes:
        left: pairs that may still be served to this annotator, the open one included.
    """

    done: int
    skipped: int
    left: int


class Serving:
    """Serving pairs in one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._per_turn = store.settings()["vote_per"] == PER_TURN

    def serve(self, annotator_id: int, *, beyond: int | None = None) -> Served | None:
        """The pair to vote on now: the one left open, or a newly drawn one.

        Args:
            beyond: serve what comes after this open assignment, so that it can be prepared
                while the annotator still reads.

        Returns:
            The pair, or None where nothing is left for this annotator.

        Raises:
            NotAdmitted: if this annotator is paused or retired.
        """
        with self.store.write() as connection:
            admit(connection, annotator_id)
            self._expire(connection, annotator_id)
            assignment = (
                self._open(connection, annotator_id, beyond)
                or self._reopen(connection, annotator_id, beyond, "expired", "released")
                or self._draw(connection, annotator_id)
            )
            return None if assignment is None else self.served(connection, assignment)

    def serve_skipped(self, annotator_id: int) -> Served | None:
        """A pair that this annotator skipped and nobody else has filled since, again."""
        with self.store.write() as connection:
            self._expire(connection, annotator_id)
            assignment = self._reopen(connection, annotator_id, None, "skipped")
            return None if assignment is None else self.served(connection, assignment)

    def release(self, annotator_id: int, assignment: int) -> None:
        """Give back a pair that was prepared but never seen, so that it keeps no slot."""
        with self.store.write() as connection:
            freed = connection.execute(
                "UPDATE assignment SET state = 'released', closed_at = ? "
                "WHERE id = ? AND annotator_id = ? AND state = 'open' "
                "AND NOT EXISTS (SELECT 1 FROM vote v WHERE v.assignment_id = assignment.id) "
                "AND NOT EXISTS (SELECT 1 FROM draft d WHERE d.assignment_id = assignment.id) "
                "RETURNING pair_id",
                (self.store.now(), assignment, annotator_id),
            ).fetchall()
            for (pair_id,) in freed:
                add_load(connection, pair_id, -1)

    def look_again(self, assignment: int) -> Served:
        """An assignment of this annotator's as it now stands."""
        with self.store.read() as connection:
            return self.served(connection, assignment)

    def lease(self) -> str:
        """Until when what is served now waits for its vote."""
        minutes = int(self.store.settings()["lease_minutes"])
        return stamp(self.store.clock() + timedelta(minutes=minutes))

    def _expire(self, connection: sqlite3.Connection, annotator_id: int) -> None:
        """Free what others left lying beyond its lease; one's own is kept for the return."""
        freed = connection.execute(
            "UPDATE assignment SET state = 'expired', closed_at = ?1 "
            "WHERE state = 'open' AND lease_until < ?1 AND annotator_id != ?2 RETURNING pair_id",
            (self.store.now(), annotator_id),
        ).fetchall()
        for (pair_id,) in freed:
            add_load(connection, pair_id, -1)

    def _open(
        self, connection: sqlite3.Connection, annotator_id: int, beyond: int | None
    ) -> int | None:
        row = connection.execute(
            "SELECT id FROM assignment WHERE annotator_id = ? AND state = 'open' "
            "AND id IS NOT ? ORDER BY id LIMIT 1",
            (annotator_id, beyond),
        ).fetchone()
        if row is not None:
            connection.execute(
                "UPDATE assignment SET lease_until = ? WHERE id = ?", (self.lease(), row[0])
            )
        return row[0] if row else None

    def _reopen(
        self, connection: sqlite3.Connection, annotator_id: int, beyond: int | None, *states: str
    ) -> int | None:
        row = connection.execute(
            "SELECT a.id, a.pair_id FROM assignment a JOIN queue q ON q.pair_id = a.pair_id "
            "WHERE a.annotator_id = ? AND a.state IN (SELECT value FROM json_each(?)) "
            "AND q.load < q.overlap AND a.id IS NOT ? ORDER BY a.id LIMIT 1",
            (annotator_id, json.dumps(states), beyond),
        ).fetchone()
        if row is None:
            return None
        set_open(connection, row[0], self.lease())
        add_load(connection, row[1], 1)
        return int(row[0])

    def _draw(self, connection: sqlite3.Connection, annotator_id: int) -> int | None:
        name, nth = connection.execute(
            "SELECT name, (SELECT count(*) FROM assignment WHERE annotator_id = a.id) "
            "FROM annotator a WHERE id = ?",
            (annotator_id,),
        ).fetchone()
        tiers = _tiers(connection, annotator_id)
        random = sampling.chance(self.store.seed, name, nth)
        drawn = sampling.least_voted([size for _, size in tiers], random)
        if drawn is None:
            return None
        pair_id, key = connection.execute(
            "SELECT p.id, p.key FROM queue q JOIN pair p ON p.id = q.pair_id "
            "WHERE q.load = ?1 AND q.load < q.overlap AND NOT EXISTS "
            "(SELECT 1 FROM assignment a WHERE a.annotator_id = ?2 AND a.pair_id = q.pair_id) "
            "ORDER BY q.pair_id LIMIT 1 OFFSET ?3",
            (tiers[drawn.tier][0], annotator_id, drawn.index),
        ).fetchone()
        add_load(connection, pair_id, 1)
        uid = hashlib.sha256(f"{self.store.seed}\x1f{key}\x1f{name}\x1f0".encode()).hexdigest()[:32]
        row = connection.execute(
            "INSERT INTO assignment (uid, pair_id, annotator_id, repeat, left, policy, "
            "policy_version, seed, probability, served_at, lease_until, state) "
            "VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, 'open') RETURNING id",
            (
                uid,
                pair_id,
                annotator_id,
                left_side(self.store.seed, key, name),
                sampling.POLICY,
                sampling.POLICY_VERSION,
                f"{self.store.seed}:{nth}",
                drawn.probability,
                self.store.now(),
                self.lease(),
            ),
        ).fetchone()
        return int(row[0])

    def served(self, connection: sqlite3.Connection, assignment: int) -> Served:
        """What an assignment shows, and what has been done on it; in the caller's transaction."""
        question_id, first, second, left = connection.execute(
            "SELECT p.question_id, p.answer_1, p.answer_2, a.left "
            "FROM assignment a JOIN pair p ON p.id = a.pair_id WHERE a.id = ?",
            (assignment,),
        ).fetchone()
        if left == 2:
            first, second = second, first
        question = question_of(connection, question_id)
        left_turns = answer_turns(connection, first)
        right_turns = answer_turns(connection, second)
        turns, voted = self.turns(connection, assignment)
        drafts = connection.execute(
            "SELECT turn, note, flag FROM draft WHERE assignment_id = ?", (assignment,)
        )
        return Served(
            assignment,
            turns,
            voted,
            {turn: Draft(note, flag) for turn, note, flag in drafts},
            question.category,
            question.turns,
            question.references,
            left_turns,
            right_turns,
        )

    def turns(
        self, connection: sqlite3.Connection, assignment: int
    ) -> tuple[tuple[int, ...], dict[int, Seen]]:
        """The turns of an assignment to vote on, and the votes that stand; reads no text."""
        voted = connection.execute(
            "SELECT turn, seen FROM vote v WHERE assignment_id = ? AND choice IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)",
            (assignment,),
        )
        standing = {turn: Seen(seen) for turn, seen in voted}
        if not self._per_turn:
            return (WHOLE_CONVERSATION,), standing
        (last,) = connection.execute(
            f"SELECT {TURNS_OF_PAIR} FROM assignment a JOIN pair p ON p.id = a.pair_id "
            "WHERE a.id = ?",
            (assignment,),
        ).fetchone()
        return tuple(range(1, last + 1)), standing

    def pace(self, annotator_id: int) -> float | None:
        """Active seconds that an annotator usually takes for a pair, all its turns together.

        Returns:
            The median over the pairs that their last 20 votes finished; None below three pairs.
        """
        with self.store.read() as connection:
            rows = connection.execute(_PACE, (annotator_id, _VOTES_FOR_PACE)).fetchall()
        seconds: list[float] = sorted(took for (took,) in rows)
        middle, is_odd = divmod(len(seconds), 2)
        if len(seconds) < _PAIRS_FOR_PACE:
            return None
        return seconds[middle] if is_odd else (seconds[middle - 1] + seconds[middle]) / 2

    def keep_draft(self, assignment: int, turn: int, draft: Draft) -> None:
        """Save what is typed or marked on a turn before its vote."""
        with self.store.write() as connection:
            store_draft(connection, assignment, turn, draft)

    def progress(self, annotator_id: int) -> Progress:
        """How far an annotator is."""
        with self.store.read() as connection:
            states: dict[str, int] = dict(
                connection.execute(
                    "SELECT state, count(*) FROM assignment WHERE annotator_id = ? GROUP BY state",
                    (annotator_id,),
                ).fetchall()
            )
            fresh = sum(size for _, size in _tiers(connection, annotator_id))
            (returning,) = connection.execute(
                "SELECT count(*) FROM assignment a JOIN queue q ON q.pair_id = a.pair_id "
                "WHERE a.annotator_id = ? AND a.state IN ('expired', 'released') "
                "AND q.load < q.overlap",
                (annotator_id,),
            ).fetchone()
        return Progress(
            states.get("done", 0),
            states.get("skipped", 0),
            fresh + returning + states.get("open", 0),
        )


_VOTES_FOR_PACE = 20
_PAIRS_FOR_PACE = 3
"""Finished pairs below which a pace would be a guess."""

_PACE = """
    WITH recent AS (
        SELECT DISTINCT assignment_id AS id FROM (
            SELECT assignment_id FROM vote v
            WHERE annotator_id = ?1 AND assignment_id IS NOT NULL AND choice IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)
            ORDER BY seq DESC LIMIT ?2
        )
    )
    SELECT sum(v.active_seconds)
    FROM recent r JOIN assignment a ON a.id = r.id AND a.state = 'done'
    JOIN vote v INDEXED BY vote_by_pair ON v.pair_id = a.pair_id AND v.assignment_id = a.id
    WHERE v.choice IS NOT NULL AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)
    GROUP BY a.id HAVING count(v.active_seconds) = count(*)
"""


def set_open(connection: sqlite3.Connection, assignment: int, lease_until: str) -> None:
    """Open an assignment again; the caller keeps the queue's load right."""
    connection.execute(
        "UPDATE assignment SET state = 'open', closed_at = NULL, reason = '', lease_until = ? "
        "WHERE id = ?",
        (lease_until, assignment),
    )


def add_load(connection: sqlite3.Connection, pair_id: int, change: int) -> None:
    """Change how many assignments of a pair count as open or done."""
    connection.execute("UPDATE queue SET load = load + ? WHERE pair_id = ?", (change, pair_id))


def store_draft(connection: sqlite3.Connection, assignment: int, turn: int, draft: Draft) -> None:
    """Keep a draft, or forget it where it is empty; within the caller's transaction."""
    if draft == Draft():
        connection.execute(
            "DELETE FROM draft WHERE assignment_id = ? AND turn = ?", (assignment, turn)
        )
        return
    connection.execute(
        "INSERT OR REPLACE INTO draft VALUES (?, ?, ?, ?)",
        (assignment, turn, storable(draft.note), storable(draft.flag)),
    )


def storable(typed: str) -> str:
    """Typed or pasted text as UTF-8 can hold it: half a surrogate pair becomes U+FFFD."""
    return typed.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _tiers(connection: sqlite3.Connection, annotator_id: int) -> list[tuple[int, int]]:
    """For each number of votes so far: how many pairs with it this annotator may get."""
    open_tiers: dict[int, int] = dict(
        connection.execute(
            "SELECT load, count(*) FROM queue WHERE load < overlap GROUP BY load"
        ).fetchall()
    )
    mine = connection.execute(
        "SELECT q.load, count(DISTINCT a.pair_id) FROM assignment a "
        "JOIN queue q ON q.pair_id = a.pair_id "
        "WHERE a.annotator_id = ? AND q.load < q.overlap GROUP BY q.load",
        (annotator_id,),
    )
    for load, count in mine:
        open_tiers[load] -= count
    return sorted(open_tiers.items())
