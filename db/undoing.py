"""Taking back what an annotator did last. The log only grows by it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from core.errors import Conflict
from core.records import Seen
from db.history import Deed, again, deeds
from db.serving import Draft, Serving, change_load, set_open, store_draft
from db.vote_rows import SAID, append_vote


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo took back: a vote on a turn, a skip, or the word that one cannot judge.

    Attributes:
        seen: what the vote was; None for the other two.
        cannot_judge: the reason that was given; empty for the other two.
        restored: where a vote was changed by it, what that vote says: it stands again.
    """

    assignment: int
    turn: int
    seen: Seen | None
    cannot_judge: str = ""
    restored: Seen | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """What was done in one window, of which an annotator may have several open.

    Attributes:
        since: the vote log's last ``seq`` when it was opened: what is older is nobody else's.
        votes: the ids of what was said in it.
        skips: the assignments that were put aside in it.
    """

    since: int
    votes: set[str] = field(default_factory=set)
    skips: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Undoer:
    """Who undoes, the id that the client made for the withdrawal, and from which window."""

    annotator_id: int
    identity: str
    vote_id: str
    window: Window | None = None

    def check(self, is_own: bool, seq: int) -> None:
        """Refuse to take back what was done in another window while this one was open.

        Raises:
            Conflict: if it was.
        """
        if self.window is not None and seq > self.window.since and not is_own:
            raise Conflict(
                "what you did last, you did in another window",
                "take it back there, or change your vote from the list of your own",
            )


def undo(connection: sqlite3.Connection, serving: Serving, who: Undoer) -> Undone | None:
    """Take back a vote, a skip, or the word not to judge; within a write transaction.

    The vote stays in the log; a withdrawal that supersedes it is added. Its note and flag become
    the draft again. If the vote had changed an earlier one, that one stands again, as a new row
    behind the withdrawal: the pair is as done as it was, and nothing is a draft. It is the same
    where a vote had been changed to the word that one cannot judge.

    Args:
        who: offering the same withdrawal again takes nothing more back.

    Returns:
        What was taken back, or None where there is nothing.

    Raises:
        Conflict: if it was done in another window since this one was opened.
    """
    known = connection.execute(
        _WITHDRAWN, (who.vote_id, who.annotator_id, again(who.vote_id))
    ).fetchone()
    if known is not None:
        return _undone(*known)
    vote, last, earlier = _last_vote(connection, who.annotator_id)
    skip = connection.execute(_LAST_SKIP, (who.annotator_id,)).fetchone()
    own = who.window or Window(0)
    if skip and (vote is None or skip[1] >= last.seq):
        assignment, after = skip
        who.check(assignment in own.skips, after)
        set_open(connection, assignment, serving.lease())
        change_load(connection, assignment, 1)
        turns, voted = serving.turns(connection, assignment)
        return Undone(assignment, next(turn for turn in turns if turn not in voted), None)
    if vote is None:
        return None
    who.check(last.id in own.votes, last.seq)
    return _withdraw(connection, serving, who, vote, earlier)


def _withdraw(
    connection: sqlite3.Connection,
    serving: Serving,
    who: Undoer,
    vote: tuple[Any, ...],
    earlier: str | None,
) -> Undone:
    last, _, assignment, turn, seen, why, note, flag, state, pair_id, key, name, uid, left = vote
    same: dict[str, object] = {
        "pair": key,
        "pair_id": pair_id,
        "turn": turn,
        "annotator": name,
        "annotator_id": who.annotator_id,
        "identity": who.identity,
        "assignment": uid,
        "assignment_id": assignment,
        "left": left,
    }
    now = serving.store.now()
    append_vote(connection, now, id=who.vote_id, supersedes=last, **same, **_NOTHING_SAID)
    if earlier is not None:
        said = _said(connection, earlier)
        append_vote(connection, now, id=again(who.vote_id), supersedes=who.vote_id, **same, **said)
        if why is not None:
            _judge_again(connection, serving, assignment, state)
        return _undone(assignment, turn, seen, why, said["seen"])
    store_draft(connection, assignment, turn, Draft(note, flag))
    set_open(connection, assignment, serving.lease())
    if state not in ("done", "open"):
        change_load(connection, assignment, 1)
    return _undone(assignment, turn, seen, why, None)


def _judge_again(
    connection: sqlite3.Connection, serving: Serving, assignment: int, state: str
) -> None:
    """Bring an assignment back from a word not to judge, whose turn has its vote again."""
    if state == "declined" and connection.execute(_IS_DECLINED, (assignment,)).fetchone():
        return
    turns, voted = serving.turns(connection, assignment)
    if set(turns) <= set(voted):
        connection.execute(
            "UPDATE main.assignment SET state = 'done', closed_at = ? WHERE id = ?",
            (serving.store.now(), assignment),
        )
    else:
        set_open(connection, assignment, serving.lease())
    if state not in ("done", "open"):
        change_load(connection, assignment, 1)


_IS_DECLINED = """
    SELECT 1 FROM vote v WHERE v.assignment_id = ? AND v.cannot_judge IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)
"""


_SAYS = (*SAID, "note", "flag", "active_seconds")
"""What a vote says, as the log stores it."""

_NOTHING_SAID: dict[str, object] = {**dict.fromkeys(_SAYS), "note": "", "flag": ""}


def _said(connection: sqlite3.Connection, vote_id: str) -> dict[str, Any]:
    row = connection.execute(
        f"SELECT {', '.join(_SAYS)} FROM vote WHERE id = ?", (vote_id,)
    ).fetchone()
    return dict(zip(_SAYS, row, strict=True))


def _last_vote(
    connection: sqlite3.Connection, annotator_id: int
) -> tuple[tuple[Any, ...] | None, Deed, str | None]:
    """The vote to be taken back: the standing one that was cast last.

    A vote that stands again because its change was undone keeps the place in which it was cast,
    however late its row.

    Returns:
        Its row; how it was cast, which is its place; and the id of the vote that it had changed.
    """
    last, cast, earlier = None, Deed(0, ""), None
    for vote in connection.execute(_LAST_VOTE, (annotator_id,)):
        if vote[1] < cast.seq:
            break  # it was cast no later than its row
        *before, deed = deeds(connection, vote[2], vote[3])
        if deed.seq > cast.seq:
            last, cast, earlier = vote, deed, before[-1].id if before else None
    return last, cast, earlier


_LAST_VOTE = """
    SELECT v.id, v.seq, v.assignment_id, v.turn, v.seen, v.cannot_judge, v.note, v.flag,
           s.state, v.pair_id, p.key, a.name, s.uid, v.left
    FROM vote v JOIN assignment s ON s.id = v.assignment_id JOIN pair p ON p.id = v.pair_id
    JOIN annotator a ON a.id = v.annotator_id
    WHERE v.annotator_id = ? AND (v.choice IS NOT NULL OR v.cannot_judge IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)
    ORDER BY v.seq DESC
"""


_LAST_SKIP = """
    SELECT id, skipped_after FROM assignment
    WHERE annotator_id = ? AND state = 'skipped'
    ORDER BY skipped_after DESC, closed_at DESC, id DESC
"""

_WITHDRAWN = """
    SELECT w.assignment_id, w.turn, v.seen, v.cannot_judge, r.seen
    FROM vote w JOIN vote v ON v.id = w.supersedes
    LEFT JOIN vote r ON r.supersedes = w.id AND r.id = ?3
    WHERE w.id = ?1 AND w.annotator_id = ?2 AND w.choice IS NULL AND w.cannot_judge IS NULL
"""


def _undone(
    assignment: int, turn: int, seen: str | None, cannot_judge: str | None, restored: str | None
) -> Undone:
    return Undone(
        assignment,
        turn,
        Seen(seen) if seen else None,
        cannot_judge or "",
        Seen(restored) if restored else None,
    )
