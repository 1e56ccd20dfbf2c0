"""Taking votes, and taking them back.

A vote is turned back into model space by the side that its assignment recorded; nothing here
reads a model's name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from core.asked import Asked, Details
from core.blinding import meant
from core.errors import Conflict
from core.records import Seen
from db.admission import admit
from db.chain import head
from db.details import stored_criteria, stored_tags
from db.serving import Serving, change_load, set_open, storable
from db.undoing import Undoer, Undone, Window, undo
from db.vote_rows import SAID, append_vote

if TYPE_CHECKING:
    from db.store import Store


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote as it leaves the screen.

    Attributes:
        id: made by the client; casting it again records nothing.
        confidence: the level's number, lowest first, from 1.
        active_seconds: time on the pair without idle time, in seconds.
        tags: reasons out of the study's list.
        criteria: criterion → what was better in it.
    """

    id: str
    assignment: int
    turn: int
    seen: Seen
    note: str = ""
    flag: str = ""
    confidence: int | None = None
    active_seconds: float | None = None
    tags: tuple[str, ...] = ()
    criteria: Mapping[str, Seen] = field(default_factory=dict)

    @property
    def details(self) -> Details:
        """What was said beyond the outcome."""
        return Details(self.criteria, self.confidence, self.tags)


@dataclass(frozen=True, slots=True)
class Declined:
    """The word that an annotator cannot judge a pair, as it leaves the screen.

    Attributes:
        id: made by the client; offering it again records nothing.
        turn: the turn that was to be voted on; votes on earlier turns stand.
        reason: one of the study's own.
        active_seconds: time on the pair without idle time, in seconds.
    """

    id: str
    assignment: int
    turn: int
    reason: str
    note: str = ""
    flag: str = ""
    active_seconds: float | None = None


class Voting:
    """Votes in one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.serving = Serving(store)

    @cached_property
    def asked(self) -> Asked:
        """What this study asks with a vote, as it stood when this was first looked at.

        It stays so while the store is open: what an annotator was asked is never refused.
        """
        return Asked.of(self.store.settings())

    def cast(self, annotator_id: int, identity: str, cast: Cast) -> bool:
        """Record a vote; when this returns, it is on the disk.

        A second vote on the same turn supersedes the first; both stay in the log, and what became
        of the assignment stays as it is.

        Returns:
            Whether it was new: False for a vote id that is recorded already.

        Raises:
            StudyUnavailable: if it cannot be written; nothing is recorded then.
            Conflict: if the assignment is not this annotator's, has no such turn, the id is that
                of another vote, or something is said that the study does not ask.
            NotAdmitted: if this annotator is paused or retired.
        """
        if problem := self.asked.problem(cast.details):
            raise Conflict(problem, "what a study asks is among its settings: tiebreak study show")
        with self.store.write() as connection:
            served = _served(connection, cast.assignment, annotator_id)
            meanings = {name: meant(seen, served.left) for name, seen in cast.criteria.items()}
            said = {
                "seen": cast.seen,
                "choice": meant(cast.seen, served.left),
                "confidence": cast.confidence,
                "tags": stored_tags(cast.tags),
                "criteria": stored_criteria(meanings),
            }
            turns, voted = self.serving.turns(connection, cast.assignment)
            if not self._say(connection, identity, served, cast, said):
                return False
            if cast.turn not in voted:
                is_done = set(turns) <= {*voted, cast.turn}
                self._settle(connection, cast.assignment, served.state, is_done)
        return True

    def decline(self, annotator_id: int, identity: str, declined: Declined) -> bool:
        """Record that an annotator cannot judge a pair, and close it for them for good.

        Its slot goes to somebody else. Votes on other turns stand; one on this turn is superseded.

        Returns:
            Whether it was new: False for an id that is recorded already.

        Raises:
            StudyUnavailable: if it cannot be written; nothing is recorded then.
            Conflict: as for :meth:`cast`, and for a reason that the study does not have.
        """
        if declined.reason not in self.asked.cannot_judge_reasons:
            raise Conflict(
                f"this study has no reason {declined.reason!r} not to judge",
                "they are among its settings: tiebreak study show",
            )
        with self.store.write() as connection:
            served = _served(connection, declined.assignment, annotator_id)
            said = {"cannot_judge": declined.reason}
            if not self._say(connection, identity, served, declined, said):
                return False
            connection.execute(
                "UPDATE main.assignment SET state = 'declined', closed_at = ? WHERE id = ?",
                (self.store.now(), declined.assignment),
            )
            if served.state in ("open", "done"):
                change_load(connection, declined.assignment, -1)
        return True

    def _say(
        self,
        connection: sqlite3.Connection,
        identity: str,
        served: _Served,
        one: Cast | Declined,
        said: Mapping[str, object],
    ) -> bool:
        """Add a row to the log about a turn, and forget its draft; whether it was new."""
        known = connection.execute(_KNOWN, (one.id,)).fetchone()
        if known is not None:
            again = (one.assignment, one.turn, *(said.get(name) for name in SAID))
            if known != again:
                raise Conflict(f"vote {one.id!r} is already in the study and says otherwise")
            return False
        admit(connection, served.annotator_id)
        turns, _ = self.serving.turns(connection, one.assignment)
        if one.turn not in turns:
            raise Conflict(f"this pair has no turn {one.turn} to vote on")
        append_vote(
            connection,
            self.store.now(),
            id=one.id,
            pair=served.pair,
            pair_id=served.pair_id,
            turn=one.turn,
            annotator=served.annotator,
            annotator_id=served.annotator_id,
            identity=identity,
            assignment=served.uid,
            assignment_id=one.assignment,
            left=served.left,
            supersedes=_current(connection, one.assignment, one.turn),
            note=storable(one.note),
            flag=storable(one.flag),
            active_seconds=None if one.active_seconds is None else float(one.active_seconds),
            **{name: said.get(name) for name in SAID},
        )
        connection.execute(
            "DELETE FROM main.draft WHERE assignment_id = ? AND turn = ?",
            (one.assignment, one.turn),
        )
        return True

    def _settle(
        self,
        connection: sqlite3.Connection,
        assignment: int,
        state: str,
        is_done: bool,
    ) -> None:
        if state in ("expired", "released", "skipped", "declined"):
            # The vote came after its slot was given away: it counts, and the slot is taken again.
            change_load(connection, assignment, 1)
        if is_done:
            connection.execute(
                "UPDATE main.assignment SET state = 'done', closed_at = ? WHERE id = ?",
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
                "UPDATE main.assignment SET state = 'skipped', closed_at = ?, reason = ?, "
                "skipped_after = (SELECT seq FROM chain_head WHERE log = 'vote') "
                "WHERE id IN (SELECT id FROM assignment WHERE id = ? AND annotator_id = ? "
                "AND state = 'open') RETURNING id",
                (self.store.now(), storable(reason), assignment, annotator_id),
            ).fetchall()
            for (skipped,) in freed:
                change_load(connection, skipped, -1)

    def window(self) -> Window:
        """A window that is opened now, in which nothing was done yet."""
        with self.store.read() as connection:
            return Window(head(connection, "vote")[0])

    def undo(
        self, annotator_id: int, identity: str, vote_id: str, window: Window | None = None
    ) -> Undone | None:
        """Take back what this annotator did last: see :func:`db.undoing.undo`.

        Args:
            window: where it is undone; None takes back whatever was last, wherever it was done.

        Raises:
            NotAdmitted: if this annotator is paused or retired.
            Conflict: if it was done in another window since this one was opened.
        """
        with self.store.write() as connection:
            admit(connection, annotator_id)
            return undo(connection, self.serving, Undoer(annotator_id, identity, vote_id, window))


_KNOWN = f"SELECT assignment_id, turn, {', '.join(SAID)} FROM vote WHERE id = ?"


@dataclass(frozen=True, slots=True)
class _Served:
    """An assignment, as a row of the log names it."""

    left: int
    uid: str
    pair_id: int
    pair: str
    annotator_id: int
    annotator: str
    state: str


def _served(connection: sqlite3.Connection, assignment: int, annotator_id: int) -> _Served:
    """An assignment of this annotator's.

    Raises:
        Conflict: if there is none.
    """
    row = connection.execute(
        "SELECT s.left, s.uid, s.pair_id, p.key, a.id, a.name, s.state FROM assignment s "
        "JOIN pair p ON p.id = s.pair_id JOIN annotator a ON a.id = s.annotator_id "
        "WHERE s.id = ? AND s.annotator_id = ?",
        (assignment, annotator_id),
    ).fetchone()
    if row is None:
        raise Conflict("this pair was not served to this annotator")
    return _Served(*row)


def _current(connection: sqlite3.Connection, assignment: int, turn: int) -> str | None:
    """The vote that stands on a turn of an assignment, if there is one."""
    row = connection.execute(
        "SELECT id FROM vote v WHERE assignment_id = ? AND turn = ? "
        "AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)",
        (assignment, turn),
    ).fetchone()
    return row[0] if row else None
