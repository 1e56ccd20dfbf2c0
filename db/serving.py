"""Serving pairs: which one an annotator gets, in which order, under which lease.

Nothing here reads a model's name: what is served holds the texts in the order to be shown.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from core import sampling
from core.asked import Details
from core.blinding import balanced_side, left_side
from core.records import WHOLE_CONVERSATION, Seen
from core.settings import PER_TURN
from core.times import stamp
from db.admission import admit
from db.details import said_in
from db.drawing import HAS_ROOM, Chosen, Drawing, question_of
from db.repeats import Repeats
from db.texts import TURNS_OF_PAIR, shown

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
        said: turn → what this annotator last said with a vote on it beyond its outcome, whether
            that vote stands or was taken back.
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
    said: Mapping[int, Details] = field(default_factory=dict)

    @property
    def next_turn(self) -> int | None:
        """The first turn without a vote; None where all have one."""
        return next((turn for turn in self.turns if turn not in self.voted), None)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one annotator is, in pairs.

    Attributes:
        left: pairs that may still be served to this annotator, the open one included.
        declined: pairs that this annotator could not judge.
    """

    done: int
    skipped: int
    left: int
    declined: int = 0


class Serving:
    """Serving pairs in one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        settings = store.settings()
        self._per_turn = settings["vote_per"] == PER_TURN
        percent, gap = int(settings["repeat_percent"]), int(settings["repeat_gap"])
        self._repeats = Repeats(store, percent, gap)
        self._drawing = Drawing(settings)
        # Whether a closed ``assignment a`` of a pair in ``queue q`` may be opened again.
        self._may_return = f"CASE WHEN a.repeat = 0 THEN {HAS_ROOM} ELSE {self._repeats.due} END"

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
            back = ("expired", "released")
            # What comes back of the question that is on the screen waits until another is there.
            assignment = (
                self._open(connection, annotator_id, beyond)
                or self._reopen(
                    connection, annotator_id, beyond, *back, of_another=beyond is not None
                )
                or self._draw(connection, annotator_id, beyond)
                or self._reopen(connection, annotator_id, beyond, *back)
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
                "UPDATE main.assignment SET state = 'released', closed_at = ? WHERE id IN ("
                "SELECT id FROM assignment a WHERE id = ? AND annotator_id = ? AND state = 'open' "
                "AND NOT EXISTS (SELECT 1 FROM vote v WHERE v.assignment_id = a.id) "
                "AND NOT EXISTS (SELECT 1 FROM draft d WHERE d.assignment_id = a.id)) "
                "RETURNING id",
                (self.store.now(), assignment, annotator_id),
            ).fetchall()
            for (released,) in freed:
                change_load(connection, released, -1)

    def expire_all(self) -> None:
        """Free every pair that was left open beyond its lease, whoever left it."""
        with self.store.write() as connection:
            self._expire(connection, _NOBODY)

    def look_again(self, assignment: int) -> Served:
        """An assignment of this annotator's as it now stands."""
        with self.store.read() as connection:
            return self.served(connection, assignment)

    def lease(self, share: float = 1.0) -> str:
        """Until when what is served now waits for its vote; or for a share of that time."""
        minutes = int(self.store.settings()["lease_minutes"])
        return stamp(self.store.clock() + timedelta(minutes=minutes * share))

    def holds(self, assignment: int) -> bool:
        """Whether a pair that was served is still its annotator's, for half a lease at least.

        What was prepared a while ago may have lapsed or been given back since, and be others' now.
        """
        with self.store.read() as connection:
            row = connection.execute(
                "SELECT 1 FROM assignment WHERE id = ? AND state = 'open' AND lease_until >= ?",
                (assignment, self.lease(0.5)),
            ).fetchone()
        return row is not None

    def renew(self, annotator_id: int, assignment: int) -> bool:
        """Hold a pair that its annotator is at for one lease from now.

        One whose lease ran out, and that still wants a vote of this annotator's, is held again.

        Returns:
            False where the lease ran out and others have got the pair since.
        """
        with self.store.write() as connection:
            state, may_return = connection.execute(
                f"SELECT a.state, {self._may_return} FROM assignment a "
                "JOIN queue q ON q.pair_id = a.pair_id "
                "WHERE a.id = :assignment AND a.annotator_id = :annotator",
                {
                    **self._drawing.access(connection, annotator_id).values(),
                    "assignment": assignment,
                    "annotator": annotator_id,
                },
            ).fetchone()
            if state == "open" or (state == "expired" and may_return):
                set_open(connection, assignment, self.lease())
                if state == "expired":
                    change_load(connection, assignment, 1)
                return True
            return bool(state != "expired")

    def is_beyond(self, assignment: int) -> bool:
        """Whether more votes are given or under way on an assignment's pair than it wants."""
        with self.store.read() as connection:
            row = connection.execute(
                "SELECT 1 FROM assignment a JOIN queue q ON q.pair_id = a.pair_id "
                "WHERE a.id = ? AND a.repeat = 0 AND q.load > q.overlap",
                (assignment,),
            ).fetchone()
        return row is not None

    def is_queued(self) -> bool:
        """Whether any pair is queued, be it for this annotator or not, free or held."""
        with self.store.read() as connection:
            return connection.execute("SELECT 1 FROM queue LIMIT 1").fetchone() is not None

    def _expire(self, connection: sqlite3.Connection, annotator_id: int) -> None:
        """Free what others left lying beyond its lease; one's own is kept for the return.

        A hidden repeat keeps nobody waiting, and stays open.
        """
        now = self.store.now()
        lapsed = connection.execute(
            "SELECT id, pair_id, left = 1 FROM lapsed WHERE lease_until < ? AND annotator_id != ?",
            (now, annotator_id),
        ).fetchall()
        for assignment, pair_id, is_1 in lapsed:
            connection.execute(
                "UPDATE main.assignment SET state = 'expired', closed_at = ? WHERE id = ?",
                (now, assignment),
            )
            connection.execute(
                "UPDATE queue SET load = load - 1, load_1 = load_1 - ? WHERE pair_id = ?",
                (is_1, pair_id),
            )

    def _open(
        self, connection: sqlite3.Connection, annotator_id: int, beyond: int | None
    ) -> int | None:
        row = connection.execute(
            "SELECT id FROM assignment a WHERE annotator_id = ? AND state = 'open' "
            f"AND id IS NOT ? AND (repeat = 0 OR {self._repeats.due}) ORDER BY id LIMIT 1",
            (annotator_id, beyond),
        ).fetchone()
        if row is not None:
            connection.execute(
                "UPDATE main.assignment SET lease_until = ? WHERE id = ?", (self.lease(), row[0])
            )
        return row[0] if row else None

    def _reopen(
        self,
        connection: sqlite3.Connection,
        annotator_id: int,
        beyond: int | None,
        *states: str,
        of_another: bool = False,
    ) -> int | None:
        row = connection.execute(
            "SELECT a.id FROM assignment a JOIN queue q ON q.pair_id = a.pair_id "
            "WHERE a.annotator_id = :annotator "
            "AND a.state IN (SELECT value FROM json_each(:states)) "
            f"AND {self._may_return} AND a.id IS NOT :beyond "
            "AND (NOT :of_another OR q.question_id IS NOT :question) "
            "ORDER BY q.question_id IS :question, a.id LIMIT 1",
            {
                **self._drawing.access(connection, annotator_id).values(),
                "annotator": annotator_id,
                "states": json.dumps(states),
                "beyond": beyond,
                "question": question_of(connection, annotator_id, beyond),
                "of_another": of_another,
            },
        ).fetchone()
        if row is None:
            return None
        set_open(connection, row[0], self.lease())
        change_load(connection, row[0], 1)
        return int(row[0])

    def _draw(
        self, connection: sqlite3.Connection, annotator_id: int, beyond: int | None
    ) -> int | None:
        name, nth = connection.execute(
            "SELECT name, (SELECT count(*) FROM assignment WHERE annotator_id = a.id) "
            "FROM annotator a WHERE id = ?",
            (annotator_id,),
        ).fetchone()
        question = question_of(connection, annotator_id, beyond)
        # A repeat has its place among fresh pairs: where none is left, none comes by itself.
        random = sampling.chance(self.store.seed, name, nth)
        fresh = self._drawing.fresh(connection, annotator_id, question, random)
        if fresh is None:
            return None
        chosen = self._repeats.draw(connection, annotator_id, name, nth, question) or fresh
        material = "\x1f".join((self.store.seed, chosen.key, name, str(chosen.repeat)))
        (assignment,) = connection.execute(
            "INSERT INTO main.assignment (uid, pair_id, annotator_id, repeat, left, policy, "
            "policy_version, seed, probability, served_at, lease_until, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open') RETURNING id",
            (
                hashlib.sha256(material.encode()).hexdigest()[:32],
                chosen.pair_id,
                annotator_id,
                chosen.repeat,
                self._left(connection, annotator_id, name, chosen),
                chosen.policy,
                chosen.version,
                f"{self.store.seed}:{nth}",
                chosen.probability,
                self.store.now(),
                self.lease(),
            ),
        ).fetchone()
        change_load(connection, assignment, 1)
        return int(assignment)

    def _left(
        self, connection: sqlite3.Connection, annotator_id: int, name: str, chosen: Chosen
    ) -> int:
        """Which model stands left: in a repeat the other one, else whichever did so less often."""
        if chosen.repeat:
            (first,) = connection.execute(
                "SELECT left FROM assignment WHERE annotator_id = ? AND pair_id = ? AND repeat = 0",
                (annotator_id, chosen.pair_id),
            ).fetchone()
            return 3 - int(first)
        load, load_1 = connection.execute(
            "SELECT load, load_1 FROM queue WHERE pair_id = ?", (chosen.pair_id,)
        ).fetchone()
        coin = left_side(self.store.seed, chosen.key, name)
        return balanced_side(load_1, load - load_1, coin)

    def served(self, connection: sqlite3.Connection, assignment: int) -> Served:
        """What an assignment shows, and what has been done on it; in the caller's transaction."""
        question_id, first, second, left = connection.execute(
            "SELECT p.question_id, p.answer_1, p.answer_2, a.left "
            "FROM assignment a JOIN pair p ON p.id = a.pair_id WHERE a.id = ?",
            (assignment,),
        ).fetchone()
        texts = shown(connection, question_id, (first, second), left)
        turns, voted = self.turns(connection, assignment)
        drafts = connection.execute(
            "SELECT turn, note, flag FROM draft WHERE assignment_id = ?", (assignment,)
        )
        return Served(
            assignment,
            turns,
            voted,
            {turn: Draft(note, flag) for turn, note, flag in drafts},
            texts.category,
            texts.question,
            texts.references,
            texts.left,
            texts.right,
            said_in(connection, assignment),
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

    def keep_draft(
        self, assignment: int, turn: int, draft: Draft, known: Draft | None = None
    ) -> Draft:
        """Save what is typed or marked on a turn before its vote.

        Args:
            known: the draft that this one began from: where the two say the same, what another
                window has stored since stays. Without it, all of ``draft`` is written.

        Returns:
            The draft as it is stored now.
        """
        with self.store.write() as connection:
            if known is not None:
                row = connection.execute(
                    "SELECT note, flag FROM draft WHERE assignment_id = ? AND turn = ?",
                    (assignment, turn),
                ).fetchone()
                note, flag = row or ("", "")
                draft = Draft(
                    note if draft.note == known.note else draft.note,
                    flag if draft.flag == known.flag else draft.flag,
                )
            store_draft(connection, assignment, turn, draft)
        return draft

    def progress(self, annotator_id: int) -> Progress:
        """How far an annotator is."""
        with self.store.read() as connection:
            states: dict[str, int] = dict(
                connection.execute(
                    "SELECT state, count(*) FROM assignment a WHERE annotator_id = ? "
                    f"AND (repeat = 0 OR state != 'open' OR {self._repeats.due}) GROUP BY state",
                    (annotator_id,),
                ).fetchall()
            )
            fresh = self._drawing.left(connection, annotator_id)
            (returning,) = connection.execute(
                "SELECT count(*) FROM assignment a JOIN queue q ON q.pair_id = a.pair_id "
                "WHERE a.annotator_id = :annotator AND a.state IN ('expired', 'released') "
                f"AND {self._may_return}",
                {
                    **self._drawing.access(connection, annotator_id).values(),
                    "annotator": annotator_id,
                },
            ).fetchone()
            # Counted in, so that no pair is told by what it does to the progress.
            repeats = self._repeats.ahead(connection, annotator_id, fresh)
        return Progress(
            states.get("done", 0),
            states.get("skipped", 0),
            fresh + repeats + returning + states.get("open", 0),
            states.get("declined", 0),
        )


_NOBODY = 0
"""No annotator's row."""

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
    -- The plus has it look by pair: a view, which vote may be, takes no INDEXED BY.
    JOIN vote v ON v.pair_id = a.pair_id AND +v.assignment_id = a.id
    WHERE v.choice IS NOT NULL AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)
    GROUP BY a.id HAVING count(v.active_seconds) = count(*)
"""


def set_open(connection: sqlite3.Connection, assignment: int, lease_until: str) -> None:
    """Open an assignment again; the caller keeps the queue's load right."""
    connection.execute(
        "UPDATE main.assignment SET state = 'open', closed_at = NULL, reason = '', lease_until = ? "
        "WHERE id = ?",
        (lease_until, assignment),
    )


def change_load(connection: sqlite3.Connection, assignment: int, change: int) -> None:
    """Change how many assignments of a pair count as open or done.

    A hidden repeat is no further vote on its pair: it takes no slot and frees none.
    """
    connection.execute(
        "UPDATE queue SET load = load + ?1, load_1 = load_1 + iif(a.left = 1, ?1, 0) "
        "FROM (SELECT pair_id, left FROM assignment WHERE id = ?2 AND repeat = 0) a "
        "WHERE queue.pair_id = a.pair_id",
        (change, assignment),
    )


def store_draft(connection: sqlite3.Connection, assignment: int, turn: int, draft: Draft) -> None:
    """Keep a draft, or forget it where it is empty; within the caller's transaction."""
    if draft == Draft():
        connection.execute(
            "DELETE FROM main.draft WHERE assignment_id = ? AND turn = ?", (assignment, turn)
        )
        return
    connection.execute(
        "INSERT OR REPLACE INTO main.draft VALUES (?, ?, ?, ?)",
        (assignment, turn, storable(draft.note), storable(draft.flag)),
    )


def storable(typed: str) -> str:
    """Typed or pasted text as UTF-8 can hold it: half a surrogate pair becomes U+FFFD."""
    return typed.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
