"""Taking votes, and taking them back.

A vote is turned back into model space by the side that its assignment recorded; nothing here
reads a model's name.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.blinding import meant
from core.errors import Conflict
from core.records import Seen
from db import chain
from db.admission import admit
from db.serving import Draft, Serving, add_load, set_open, storable, store_draft

if TYPE_CHECKING:
    from db.store import Store


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote as it leaves the screen.

    Attributes:
        id: made by the client; casting it again records nothing.
        active_seconds: time on the pair without idle time, in seconds.
    """

    id: str
    assignment: int
    turn: int
    seen: Seen
    note: str = ""
    flag: str = ""
    confidence: int | None = None
    active_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo took back: a vote on a turn, or a skip (``seen`` is None)."""

    assignment: int
    turn: int
    seen: Seen | None


class Voting:
    """Votes in one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.serving = Serving(store)

    def cast(self, annotator_id: int, identity: str, cast: Cast) -> bool:
        """Record a vote; when this returns, it is on the disk.

        A second vote on the same turn supersedes the first; both stay in the log.

        Returns:
            Whether it was new: False for a vote id that is recorded already.

        Raises:
            StudyUnavailable: if it cannot be written; nothing is recorded then.
            Conflict: if the assignment is not this annotator's, has no such turn, or the id is
                that of another vote.
            NotAdmitted: if this annotator is paused or retired.
        """
        with self.store.write() as connection:
            known = connection.execute(
                "SELECT assignment_id, turn, seen FROM vote WHERE id = ?", (cast.id,)
            ).fetchone()
            if known is not None:
                if known != (cast.assignment, cast.turn, cast.seen):
                    raise Conflict(f"vote {cast.id!r} is already in the study and says otherwise")
                return False
            admit(connection, annotator_id)
            row = connection.execute(
                "SELECT s.left, s.uid, s.pair_id, p.key, a.name, s.state FROM assignment s "
                "JOIN pair p ON p.id = s.pair_id JOIN annotator a ON a.id = s.annotator_id "
                "WHERE s.id = ? AND s.annotator_id = ?",
                (cast.assignment, annotator_id),
            ).fetchone()
            if row is None:
                raise Conflict("this pair was not served to this annotator")
            left, uid, pair_id, key, name, state = row
            turns, voted = self.serving.turns(connection, cast.assignment)
            if cast.turn not in turns:
                raise Conflict(f"this pair has no turn {cast.turn} to vote on")
            previous = _current(connection, cast.assignment, cast.turn)
            self._append(
                connection,
                id=cast.id,
                pair=key,
                pair_id=pair_id,
                turn=cast.turn,
                annotator=name,
                annotator_id=annotator_id,
                identity=identity,
                assignment=uid,
                assignment_id=cast.assignment,
                left=left,
                seen=cast.seen,
                choice=meant(cast.seen, left),
                cannot_judge=None,
                supersedes=previous,
                confidence=cast.confidence,
                tags=None,
                criteria=None,
                note=storable(cast.note),
                flag=storable(cast.flag),
                active_seconds=None if cast.active_seconds is None else float(cast.active_seconds),
            )
            connection.execute(
                "DELETE FROM draft WHERE assignment_id = ? AND turn = ?",
                (cast.assignment, cast.turn),
            )
            self._settle(
                connection, cast.assignment, state, pair_id, set(turns) <= {*voted, cast.turn}
            )
        return True

    def _append(self, connection: sqlite3.Connection, **row: object) -> None:
        repeat, policy, probability, shown = connection.execute(
            f"SELECT s.repeat, {chain.POLICY}, s.probability, {chain.SHOWN} "
            "FROM assignment s JOIN pair p ON p.id = s.pair_id WHERE s.id = ?",
            (row["assignment_id"],),
        ).fetchone()
        rest = {
            "repeat": repeat,
            "policy": policy,
            "probability": probability,
            "shown": shown,
            "at": self.store.now(),
            "source": None,
            "source_id": None,
        }
        chain.append(connection, "vote", [{**row, **rest}])

    def _settle(
        self,
        connection: sqlite3.Connection,
        assignment: int,
        state: str,
        pair_id: int,
        is_done: bool,
    ) -> None:
        if state in ("expired", "released", "skipped"):
            # The vote came after its slot was given away: it counts, and the slot is taken again.
            add_load(connection, pair_id, 1)
        if is_done:
            connection.execute(
                "UPDATE assignment SET state = 'done', closed_at = ? WHERE id = ?",
                (self.store.now(), assignment),
            )
        else:
            set_open(connection, assignment, self.serving.lease())

    def skip(self, annotator_id: int, assignment: int, reason: str = "") -> None:
        """Put a pair back for others, and at the end for this annotator again.

        Drafts are kept. A pair with a vote on an earlier turn may be skipped too: the vote stays.
        """
        with self.store.write() as connection:
            freed = connection.execute(
                "UPDATE assignment SET state = 'skipped', closed_at = ?, reason = ?, "
                "skipped_after = (SELECT seq FROM chain_head WHERE log = 'vote') "
                "WHERE id = ? AND annotator_id = ? AND state = 'open' RETURNING pair_id",
                (self.store.now(), storable(reason), assignment, annotator_id),
            ).fetchall()
            for (pair_id,) in freed:
                add_load(connection, pair_id, -1)

    def undo(self, annotator_id: int, identity: str, vote_id: str) -> Undone | None:
        """Take back this annotator's last vote or skip, whichever came later.

        The vote stays in the log; a withdrawal that supersedes it is added. Its note and flag
        become the draft again.

        Args:
            vote_id: the id for the withdrawal, made by the client; offering it again takes
                nothing more back.

        Returns:
            What was taken back, or None where there is nothing.
        """
        with self.store.write() as connection:
            known = connection.execute(_WITHDRAWN, (vote_id, annotator_id)).fetchone()
            if known is not None:
                return Undone(known[0], known[1], Seen(known[2]))
            vote = connection.execute(_LAST_VOTE, (annotator_id,)).fetchone()
            skip = connection.execute(
                "SELECT id, pair_id, skipped_after FROM assignment "
                "WHERE annotator_id = ? AND state = 'skipped' "
                "ORDER BY skipped_after DESC, closed_at DESC, id DESC",
                (annotator_id,),
            ).fetchone()
            if skip and (vote is None or skip[2] >= vote[1]):
                self._reopen(connection, skip[0], skip[1])
                turns, voted = self.serving.turns(connection, skip[0])
                return Undone(skip[0], next(t for t in turns if t not in voted), None)
            if vote is None:
                return None
            last, _, assignment, turn, seen, note, flag, state, pair_id, key, name, uid, left = vote
            self._append(
                connection,
                id=vote_id,
                pair=key,
                pair_id=pair_id,
                turn=turn,
                annotator=name,
                annotator_id=annotator_id,
                identity=identity,
                assignment=uid,
                assignment_id=assignment,
                left=left,
                seen=None,
                choice=None,
                cannot_judge=None,
                supersedes=last,
                confidence=None,
                tags=None,
                criteria=None,
                note="",
                flag="",
                active_seconds=None,
            )
            store_draft(connection, assignment, turn, Draft(note, flag))
            if state in ("done", "open"):
                set_open(connection, assignment, self.serving.lease())
            else:
                self._reopen(connection, assignment, pair_id)
            return Undone(assignment, turn, Seen(seen))

    def _reopen(self, connection: sqlite3.Connection, assignment: int, pair_id: int) -> None:
        set_open(connection, assignment, self.serving.lease())
        add_load(connection, pair_id, 1)


_LAST_VOTE = """
    SELECT v.id, v.seq, v.assignment_id, v.turn, v.seen, v.note, v.flag, s.state, v.pair_id,
           p.key, a.name, s.uid, v.left
    FROM vote v JOIN assignment s ON s.id = v.assignment_id JOIN pair p ON p.id = v.pair_id
    JOIN annotator a ON a.id = v.annotator_id
    WHERE v.annotator_id = ? AND v.choice IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)
    ORDER BY v.seq DESC LIMIT 1
"""


_WITHDRAWN = """
    SELECT w.assignment_id, w.turn, v.seen FROM vote w JOIN vote v ON v.id = w.supersedes
    WHERE w.id = ? AND w.annotator_id = ? AND w.choice IS NULL
"""


def _current(connection: sqlite3.Connection, assignment: int, turn: int) -> str | None:
    """The vote that stands on a turn of an assignment, if there is one."""
    row = connection.execute(
        "SELECT id FROM vote v WHERE assignment_id = ? AND turn = ? "
        "AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)",
        (assignment, turn),
    ).fetchone()
    return row[0] if row else None
