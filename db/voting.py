"""Taking votes, and taking them back.

A vote is turned back into model space by the side that its assignment recorded; nothing here
reads a model's name.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.blinding import meant
from core.errors import Conflict
from core.records import Seen
from db import chain
from db.history import deeds
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
    """What an undo took back: a vote on a turn, or a skip (``seen`` is None).

    Attributes:
        restored: where the vote had changed an earlier one, what that one says: it stands again.
    """

    assignment: int
    turn: int
    seen: Seen | None
    restored: Seen | None = None


class Voting:
    """Votes in one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.serving = Serving(store)

    def cast(self, annotator_id: int, identity: str, cast: Cast) -> bool:
        """Record a vote; when this returns, it is on the disk.

        A second vote on the same turn supersedes the first; both stay in the log, and what became
        of the assignment stays as it is.

        Returns:
            Whether it was new: False for a vote id that is recorded already.

        Raises:
            StudyUnavailable: if it cannot be written; nothing is recorded then.
            Conflict: if the assignment is not this annotator's, has no such turn, or the id is
                that of another vote.
        """
        with self.store.write() as connection:
            known = connection.execute(
                "SELECT assignment_id, turn, seen FROM vote WHERE id = ?", (cast.id,)
            ).fetchone()
            if known is not None:
                if known != (cast.assignment, cast.turn, cast.seen):
                    raise Conflict(f"vote {cast.id!r} is already in the study and says otherwise")
                return False
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
            if cast.turn not in voted:
                is_done = set(turns) <= {*voted, cast.turn}
                self._settle(connection, cast.assignment, state, pair_id, is_done)
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
        if state in ("expired", "released", "skipped", "declined"):
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
        become the draft again. If the vote had changed an earlier one, that one stands again, as
        a new row behind the withdrawal: the pair is as done as it was, and nothing is a draft.

        Args:
            vote_id: the id for the withdrawal, made by the client; offering it again takes
                nothing more back.

        Returns:
            What was taken back, or None where there is nothing.
        """
        with self.store.write() as connection:
            known = connection.execute(_WITHDRAWN, (vote_id, annotator_id)).fetchone()
            if known is not None:
                assignment, turn, seen, restored = known
                return Undone(assignment, turn, Seen(seen), Seen(restored) if restored else None)
            vote, order, earlier = _last_vote(connection, annotator_id)
            skip = connection.execute(
                "SELECT id, pair_id, skipped_after FROM assignment "
                "WHERE annotator_id = ? AND state = 'skipped' "
                "ORDER BY skipped_after DESC, closed_at DESC, id DESC",
                (annotator_id,),
            ).fetchone()
            if skip and (vote is None or skip[2] >= order):
                self._reopen(connection, skip[0], skip[1])
                turns, voted = self.serving.turns(connection, skip[0])
                return Undone(skip[0], next(t for t in turns if t not in voted), None)
            if vote is None:
                return None
            last, _, assignment, turn, seen, note, flag, state, pair_id, key, name, uid, left = vote
            same: dict[str, object] = {
                "pair": key,
                "pair_id": pair_id,
                "turn": turn,
                "annotator": name,
                "annotator_id": annotator_id,
                "identity": identity,
                "assignment": uid,
                "assignment_id": assignment,
                "left": left,
            }
            self._append(connection, id=vote_id, supersedes=last, **same, **_NOTHING_SAID)
            if earlier is not None:
                said = _said(connection, earlier)
                again = vote_id + _RESTORED
                self._append(connection, id=again, supersedes=vote_id, **same, **said)
                return Undone(assignment, turn, Seen(seen), Seen(said["seen"]))
            store_draft(connection, assignment, turn, Draft(note, flag))
            if state in ("done", "open"):
                set_open(connection, assignment, self.serving.lease())
            else:
                self._reopen(connection, assignment, pair_id)
            return Undone(assignment, turn, Seen(seen))

    def _reopen(self, connection: sqlite3.Connection, assignment: int, pair_id: int) -> None:
        set_open(connection, assignment, self.serving.lease())
        add_load(connection, pair_id, 1)


_SAYS = (
    "seen", "choice", "cannot_judge", "confidence", "tags", "criteria", "note", "flag",
    "active_seconds",
)  # fmt: skip
"""What a vote says, as the log stores it."""

_NOTHING_SAID: dict[str, object] = {**dict.fromkeys(_SAYS), "note": "", "flag": ""}

_RESTORED = "-restored"
"""Ends the id of the row by which an earlier vote stands again, behind its withdrawal's own."""


def _said(connection: sqlite3.Connection, vote_id: str) -> dict[str, Any]:
    row = connection.execute(
        f"SELECT {', '.join(_SAYS)} FROM vote WHERE id = ?", (vote_id,)
    ).fetchone()
    return dict(zip(_SAYS, row, strict=True))


def _last_vote(
    connection: sqlite3.Connection, annotator_id: int
) -> tuple[tuple[Any, ...] | None, int, str | None]:
    """The vote to be taken back: the standing one that was cast last.

    A vote that stands again because its change was undone keeps the place in which it was cast,
    however late its row.

    Returns:
        Its row; its place among what can be undone; and the id of the vote that it had changed.
    """
    last, order, earlier = None, 0, None
    for vote in connection.execute(_LAST_VOTE, (annotator_id,)):
        if vote[1] < order:
            break  # it was cast no later than its row
        *before, deed = deeds(connection, vote[2], vote[3])
        if deed.seq > order:
            last, order, earlier = vote, deed.seq, before[-1].id if before else None
    return last, order, earlier


_LAST_VOTE = """
    SELECT v.id, v.seq, v.assignment_id, v.turn, v.seen, v.note, v.flag, s.state, v.pair_id,
           p.key, a.name, s.uid, v.left
    FROM vote v JOIN assignment s ON s.id = v.assignment_id JOIN pair p ON p.id = v.pair_id
    JOIN annotator a ON a.id = v.annotator_id
    WHERE v.annotator_id = ? AND v.choice IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)
    ORDER BY v.seq DESC
"""


_WITHDRAWN = f"""
    SELECT w.assignment_id, w.turn, v.seen, r.seen
    FROM vote w JOIN vote v ON v.id = w.supersedes
    LEFT JOIN vote r ON r.supersedes = w.id AND r.id = w.id || '{_RESTORED}'
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
