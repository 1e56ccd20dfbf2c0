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
from db import chain
from db.details import stored_criteria, stored_tags
from db.serving import Draft, Serving, add_load, set_open, storable, store_draft

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


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo took back: a vote on a turn, a skip, or the word that one cannot judge.

    Attributes:
        seen: what the vote was; None for the other two.
        cannot_judge: the reason that was given; empty for the other two.
    """

    assignment: int
    turn: int
    seen: Seen | None
    cannot_judge: str = ""


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

        A second vote on the same turn supersedes the first; both stay in the log.

        Returns:
            Whether it was new: False for a vote id that is recorded already.

        Raises:
            StudyUnavailable: if it cannot be written; nothing is recorded then.
            Conflict: if the assignment is not this annotator's, has no such turn, the id is that
                of another vote, or something is said that the study does not ask.
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
            if not self._say(connection, identity, served, cast, said):
                return False
            turns, voted = self.serving.turns(connection, cast.assignment)
            is_done = set(turns) <= {*voted, cast.turn}
            self._settle(connection, cast.assignment, served.state, served.pair_id, is_done)
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
                "UPDATE assignment SET state = 'declined', closed_at = ? WHERE id = ?",
                (self.store.now(), declined.assignment),
            )
            if served.state in ("open", "done"):
                add_load(connection, served.pair_id, -1)
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
            again = (one.assignment, one.turn, *(said.get(name) for name in _SAID))
            if known != again:
                raise Conflict(f"vote {one.id!r} is already in the study and says otherwise")
            return False
        turns, _ = self.serving.turns(connection, one.assignment)
        if one.turn not in turns:
            raise Conflict(f"this pair has no turn {one.turn} to vote on")
        self._append(
            connection,
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
            **{name: said.get(name) for name in _SAID},
        )
        connection.execute(
            "DELETE FROM draft WHERE assignment_id = ? AND turn = ?", (one.assignment, one.turn)
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
        """Take back what this annotator did last: a vote, a skip, or the word not to judge.

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
                return _undone(*known)
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
            last, _, assignment, turn, seen, why, note, flag, state, pair_id, *rest = vote
            key, name, uid, left = rest
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
            return _undone(assignment, turn, seen, why)

    def _reopen(self, connection: sqlite3.Connection, assignment: int, pair_id: int) -> None:
        set_open(connection, assignment, self.serving.lease())
        add_load(connection, pair_id, 1)


_LAST_VOTE = """
    SELECT v.id, v.seq, v.assignment_id, v.turn, v.seen, v.cannot_judge, v.note, v.flag,
           s.state, v.pair_id, p.key, a.name, s.uid, v.left
    FROM vote v JOIN assignment s ON s.id = v.assignment_id JOIN pair p ON p.id = v.pair_id
    JOIN annotator a ON a.id = v.annotator_id
    WHERE v.annotator_id = ? AND (v.choice IS NOT NULL OR v.cannot_judge IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)
    ORDER BY v.seq DESC LIMIT 1
"""


_WITHDRAWN = """
    SELECT w.assignment_id, w.turn, v.seen, v.cannot_judge
    FROM vote w JOIN vote v ON v.id = w.supersedes
    WHERE w.id = ? AND w.annotator_id = ? AND w.choice IS NULL AND w.cannot_judge IS NULL
"""

_SAID = ("seen", "choice", "cannot_judge", "confidence", "tags", "criteria")
"""The columns that tell two rows about one turn apart."""

_KNOWN = f"SELECT assignment_id, turn, {', '.join(_SAID)} FROM vote WHERE id = ?"


def _undone(assignment: int, turn: int, seen: str | None, cannot_judge: str | None) -> Undone:
    return Undone(assignment, turn, None if seen is None else Seen(seen), cannot_judge or "")


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
