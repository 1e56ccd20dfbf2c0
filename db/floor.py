"""What a lead sees of those at work: read as it grows, and at a cost that does not grow with it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.errors import Conflict
from core.records import Role, Seen
from core.stats.finish import WINDOW, Finish, finish
from core.stats.floor_log import Counts, FloorLog, Row
from core.stats.floor_warnings import Warned, warnings_of
from core.times import stamp
from db.seats import Seats
from db.sights import UNSEEN
from db.standing import Standing, read_standing

if TYPE_CHECKING:
    from db.store import Store

_SEEN = {"left": 1, "right": 2, "tie": 3, "both_bad": 4}
_CHOICE = {"model_1": 1, "model_2": 2, "tie": 3, "both_bad": 4}
_CANNOT_JUDGE = 5

_REST = 20
"""Assignments are counted anew only after so many times what the last count took: a large study
is counted less often, and no study keeps more than a twentieth of one core busy."""


@dataclass(frozen=True, slots=True)
class OnFloor:
    """One person as a lead sees them.

    Attributes:
        is_on: whether they sit at the voting screen now; None where nobody can tell.
        state: ``active``, ``paused`` or ``retired``.
        tried: votes on lessons.
        pairs: assignments they finished, hidden repeats left out.
        open: pairs that wait for their vote; ``skipped``: pairs that they put aside.
        votes: those that stand, hidden repeats included; ``today`` of them in the lead's day.
        cannot_judge: turns on which they said so.
        last_seen: when they were last served something or said something; "" if never.
        counts: how they vote, in numbers.
        warnings: what a lead should look at, the clearest first.
    """

    name: str
    role: Role
    group: str
    simulated: bool
    is_on: bool | None
    state: str
    standing: Standing
    tried: int
    pairs: int
    open: int
    skipped: int
    votes: int
    today: int
    cannot_judge: int
    flags: int
    last_seen: str
    counts: Counts
    warnings: tuple[Warned, ...]


@dataclass(frozen=True, slots=True)
class Floor:
    """Everybody, and how far the study is, as of one moment.

    Attributes:
        people: those at the screen first, then by the last time they were seen.
        reached: finished votes on a pair → how many pairs have so many; those that have all
            that is wanted, or more, are in ``complete`` alone.
        complete: pairs with all votes that are wanted.
        pairs: pairs in the queue.
        wanted: votes on pairs that are wanted yet, over all pairs.
        needs_qualification: whether nobody votes here who has not qualified.
        words_per_minute: the setting ``fastest_reading``.
    """

    people: tuple[OnFloor, ...]
    reached: Mapping[int, int]
    complete: int
    pairs: int
    wanted: int
    finish: Finish
    needs_qualification: bool
    words_per_minute: int
    at: datetime

    @property
    def on(self) -> int:
        """How many sit at the voting screen now."""
        return sum(bool(person.is_on) for person in self.people)


@dataclass(frozen=True, slots=True)
class LastVote:
    """One of somebody's votes, as their lead looks at it.

    Attributes:
        seen: None for a withdrawal, for who cannot judge, and where nobody recorded it.
        stands: whether it was neither changed nor taken back since.
        words: of both answers on that turn; None where a text is unknown.
        question: None where it is hidden, and the flag's text with it.
    """

    at: str
    question: str | None
    turn: int
    repeat: int
    seen: Seen | None
    cannot_judge: str
    seconds: float | None
    words: int | None
    flag: str
    stands: bool


@dataclass(slots=True)
class _Assigned:
    """One person's assignments by state, hidden repeats apart."""

    states: Counter[str] = field(default_factory=Counter)
    last: str = ""


class FloorFeed:
    """Follows one study's floor. Close it when nobody looks any more."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._seats = Seats(store.path)
        self._log: FloorLog | None = None
        self._made_of: tuple[int, frozenset[int]] | None = None
        self._words: dict[int, dict[int, int]] = {}
        self._assigned: dict[int, _Assigned] = {}
        self._queue: Counter[tuple[int, int]] = Counter()
        self._tried: dict[int, int] = {}
        self._next_count = 0.0
        self._counted_at: int | None = None
        self._seen_version: int | None = None
        self._seen_on: frozenset[int] | None = frozenset()
        self._ids: list[int] = []

    def close(self) -> None:
        """Look no more."""
        self._seats.close()

    def stale(self) -> bool:
        """Whether somebody sat down or left, or anything was committed and is to be counted."""
        if self.store.data_version() != self._seen_version:
            return True
        if self._counted_at != self._seen_version and time.monotonic() >= self._next_count:
            return True
        return self._seats.taken(self._ids) != self._seen_on

    def look(self) -> Floor:
        """The floor as it is now: reads what is new since the last time."""
        self._seen_version = version = self.store.data_version()
        settings = self.store.settings()
        speed = int(settings["fastest_reading"])
        excluded = set(settings["exclude_groups"])
        with self.store.read() as connection:
            people = connection.execute(
                'SELECT id, name, role, "group", simulated, attributes, paused_at, retired_at '
                "FROM annotator ORDER BY id"
            ).fetchall()
            strangers = frozenset(row[0] for row in people if row[3] in excluded)
            if self._log is None or self._made_of != (speed, strangers):
                self._log = FloorLog(speed, strangers, keep=WINDOW)
                self._made_of = (speed, strangers)
            log = self._log
            self._take(connection, log)
            if self._counted_at != version and time.monotonic() >= self._next_count:
                self._count(connection)
                self._counted_at = version
            (needs,) = connection.execute(
                "SELECT EXISTS (SELECT 1 FROM lesson WHERE use = 'qualification')"
            ).fetchone()
        self._ids = [row[0] for row in people]
        self._seen_on = self._seats.taken(self._ids)
        now = self.store.clock()
        return self._floor(
            people, log, bool(needs and settings["qualification_pass"] > 0), speed, now
        )

    # ── reading what is new ─────────────────────────────────────────────────

    def _take(self, connection: sqlite3.Connection, log: FloorLog) -> None:
        rows = connection.execute(
            "SELECT v.seq, v.annotator_id, v.pair_id, v.turn, v.repeat, v.choice, v.seen, "
            "v.cannot_judge IS NOT NULL, v.active_seconds, v.at, v.flag != '', p.answer_1, "
            "p.answer_2 FROM vote v JOIN pair p ON p.id = v.pair_id WHERE v.seq > ? "
            "ORDER BY v.seq",
            (log.last_seq,),
        )
        for seq, person, pair, turn, repeat, choice, seen, cannot, seconds, at, flag, *both in rows:
            if not log.knows(pair):
                log.add_pair(pair, self._words_of(connection, *both))
            moment = _moment(at)
            log.add(
                Row(
                    seq,
                    person,
                    pair,
                    turn,
                    repeat,
                    _CANNOT_JUDGE if cannot else _CHOICE.get(choice, 0),
                    _SEEN.get(seen, 0),
                    seconds,
                    None if moment is None else moment.timestamp(),
                    0 if moment is None else moment.astimezone().toordinal(),
                    bool(flag),
                )
            )

    def _words_of(self, connection: sqlite3.Connection, first: int, second: int) -> list[int]:
        """Words of two answers together, turn by turn, as far as both are known."""
        one, two = (self._answer_words(connection, answer) for answer in (first, second))
        return [one[turn] + two[turn] for turn in sorted(one.keys() & two.keys())]

    def _answer_words(self, connection: sqlite3.Connection, answer: int) -> dict[int, int]:
        if answer not in self._words:
            self._words[answer] = {
                turn: len(body.split())
                for turn, body in connection.execute(
                    "SELECT t.turn, x.body FROM answer_turn t JOIN text x ON x.hash = t.text_hash "
                    "WHERE t.answer_id = ?",
                    (answer,),
                )
            }
        return self._words[answer]

    def _count(self, connection: sqlite3.Connection) -> None:
        """Count what no log tells: assignments by state, the queue, and trials."""
        began = time.monotonic()
        assigned: dict[int, _Assigned] = {}
        for number, state, repeat, count, served, closed in connection.execute(
            "SELECT annotator_id, state, repeat > 0, count(*), max(served_at), "
            "coalesce(max(closed_at), '') FROM assignment GROUP BY 1, 2, 3"
        ):
            mine = assigned.setdefault(number, _Assigned())
            mine.states[f"repeat {state}" if repeat else state] += count
            # What expired was closed by somebody else.
            seen = served if state in ("expired", "released") else max(served, closed)
            mine.last = max(mine.last, seen)
        queue: Counter[tuple[int, int]] = Counter(
            {
                (load, overlap): count
                for load, overlap, count in connection.execute(
                    "SELECT load, overlap, count(*) FROM queue GROUP BY load, overlap"
                )
            }
        )
        # A pair's load counts those at work on it too: what they have not finished is taken off.
        for load, overlap, at_work in connection.execute(
            "SELECT q.load, q.overlap, count(*) FROM assignment a "
            "JOIN queue q ON q.pair_id = a.pair_id "
            "WHERE a.state = 'open' AND a.repeat = 0 GROUP BY a.pair_id"
        ):
            queue[load, overlap] -= 1
            queue[load - at_work, overlap] += 1
        self._assigned, self._queue = assigned, queue
        self._tried = dict(
            connection.execute("SELECT annotator_id, count(*) FROM trial GROUP BY annotator_id")
        )
        ended = time.monotonic()
        self._next_count = ended + _REST * (ended - began)

    # ── what it comes to ────────────────────────────────────────────────────

    def _floor(
        self,
        people: Sequence[tuple[object, ...]],
        log: FloorLog,
        needs_qualification: bool,
        speed: int,
        now: datetime,
    ) -> Floor:
        counts = {number: log.counts(number) for number in log.people}
        warned = warnings_of(counts, speed, log.strangers)
        today = now.astimezone().toordinal()
        found = [self._person(row, log, warned, today) for row in people]
        found.sort(key=lambda person: person.last_seen, reverse=True)
        found.sort(key=lambda person: not person.is_on)
        complete = sum(n for (done, overlap), n in self._queue.items() if done >= overlap)
        reached: Counter[int] = Counter()
        for (done, overlap), n in self._queue.items():
            reached[done] += n if done < overlap else 0
        wanted = sum(max(0, overlap - done) * n for (done, overlap), n in self._queue.items())
        moment = now.timestamp()
        recent = [at for at in log.finished_since(moment - WINDOW) if at <= moment]
        return Floor(
            tuple(found),
            {done: n for done, n in sorted(reached.items()) if n},
            complete,
            sum(self._queue.values()),
            wanted,
            finish(wanted, recent, moment),
            needs_qualification,
            speed,
            now,
        )

    def _person(
        self,
        row: Sequence[object],
        log: FloorLog,
        warned: Mapping[int, tuple[Warned, ...]],
        today: int,
    ) -> OnFloor:
        number, name, role, group, simulated, attributes, paused, retired = row
        assert isinstance(number, int)
        assigned = self._assigned.get(number, _Assigned())
        states = assigned.states
        on = None if self._seen_on is None else number in self._seen_on
        return OnFloor(
            str(name),
            Role(str(role)),
            str(group),
            bool(simulated),
            on,
            "retired" if retired else "paused" if paused else "active",
            read_standing(json.loads(str(attributes))),
            self._tried.get(number, 0),
            states["done"],
            states["open"] + states["repeat open"],
            states["skipped"] + states["repeat skipped"],
            log.votes(number),
            log.votes(number, today),
            log.declined(number),
            log.flags(number),
            _later(assigned.last, log.last_at(number)),
            log.counts(number),
            warned.get(number, ()),
        )


def last_votes(
    store: Store, name: str, most: int, *, hidden_from: str | None = None
) -> list[LastVote]:
    """Somebody's last rows in the vote log, the newest first; withdrawals left out.

    Args:
        hidden_from: a lead who is not told on what somebody else voted so where they may still
            rule blind.

    Raises:
        Conflict: if there is no such person.
    """
    with store.read() as connection:
        row = connection.execute("SELECT id FROM annotator WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise Conflict(
                f"nobody here is called {name!r}", "`tiebreak annotator list` shows who is here"
            )
        by = hidden_from if hidden_from != name else None
        asked = {"id": row[0], "most": most, "hidden_from": by}
        rows = connection.execute(_LAST, asked).fetchall()
        found = []
        for at, question, turn, repeat, seen, why, seconds, flag, stands, first, second in rows:
            words = _words_on(connection, turn, first, second)
            cast = Seen(seen) if seen else None
            if question is None and flag:
                flag = "…"
            found.append(
                LastVote(at, question, turn, repeat, cast, why, seconds, words, flag, bool(stands))
            )
    return found


def _words_on(connection: sqlite3.Connection, turn: int, first: int, second: int) -> int | None:
    """Words of two answers on a turn, or on all of them; None where one has no such text."""
    counted = [
        [
            len(body.split())
            for (body,) in connection.execute(
                "SELECT x.body FROM answer_turn t JOIN text x ON x.hash = t.text_hash "
                "WHERE t.answer_id = ? AND ?2 IN (0, t.turn)",
                (answer, turn),
            )
        ]
        for answer in (first, second)
    ]
    return sum(map(sum, counted)) if all(counted) else None


_LAST = f"""
    SELECT v.at, CASE WHEN :hidden_from IS NULL OR NOT {UNSEEN}
           THEN q.key END, v.turn, v.repeat, v.seen, coalesce(v.cannot_judge, ''), v.active_seconds,
           v.flag, NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id),
           p.answer_1, p.answer_2
    FROM vote v JOIN pair p ON p.id = v.pair_id JOIN question q ON q.id = p.question_id
    WHERE v.annotator_id = :id AND (v.choice IS NOT NULL OR v.cannot_judge IS NOT NULL)
    ORDER BY v.seq DESC LIMIT :most
"""


def _moment(at: str) -> datetime | None:
    """A stored moment; None where it is none, as an import may bring it."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _later(stored: str, at: float | None) -> str:
    """The later of a stored moment and one in seconds since the epoch, as stored."""
    said = "" if at is None else stamp(datetime.fromtimestamp(at, UTC))
    return max(stored, said)
