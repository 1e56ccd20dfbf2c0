"""People: who may log in with which key, and who is paused or retired."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from core.errors import Conflict, NotAdmitted
from core.records import Annotator, Role
from core.ssh_keys import SshKey
from db.admission import admit
from db.serving import change_load
from db.standing import ONBOARDING
from db.store import add_annotator

if TYPE_CHECKING:
    from db.store import Store


@dataclass(frozen=True, slots=True)
class Person:
    """One annotator or lead as the study knows them.

    Attributes:
        keys: those that still open a session.
        votes: how many of their votes stand.
        paused_at: when they were paused, ISO 8601 in UTC; None while they may vote.
        retired_at: when they were retired; their votes stay.
        last_vote_at: empty where there is none, or nobody knows when it was.
    """

    name: str
    role: Role
    group: str
    simulated: bool
    attributes: Mapping[str, Any]
    added_at: str
    paused_at: str | None
    retired_at: str | None
    votes: int
    last_vote_at: str
    keys: tuple[SshKey, ...] = field(default=())

    @property
    def state(self) -> str:
        """``active``, ``paused`` or ``retired``."""
        return "retired" if self.retired_at else "paused" if self.paused_at else "active"


class People:
    """The people of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, annotator: Annotator, keys: Sequence[SshKey]) -> tuple[bool, int]:
        """Add a person with their keys; adding the same again changes nothing.

        Returns:
            Whether the person is new, and how many keys are.

        Raises:
            Conflict: if the person is there in another role or group or with other attributes,
                or a key is somebody else's. Nothing is added then.
        """
        with self.store.write() as connection:
            row = connection.execute(
                'SELECT id, role, "group", simulated, attributes FROM annotator WHERE name = ?',
                (annotator.name,),
            ).fetchone()
            if row is None:
                number = add_annotator(connection, annotator, self.store.now())
            else:
                number, *known, attributes = row
                same = [annotator.role, annotator.group, int(annotator.simulated)]
                theirs = json.loads(attributes)
                theirs.pop(ONBOARDING, None)  # not said by who adds them, but earned here
                if known != same or theirs != dict(annotator.attributes):
                    raise Conflict(
                        f"annotator {annotator.name!r} is in the study already, with another "
                        "role, group or attributes",
                        "`tiebreak annotator list --json` shows them; `annotator change` changes "
                        "them, `annotator add-key` adds a key; or give this one another name",
                    )
            return row is None, self._take_keys(connection, number, keys)

    def add_keys(self, name: str, keys: Sequence[SshKey]) -> int:
        """Give a person further keys.

        Returns:
            How many of them are new.

        Raises:
            Conflict: if there is no such person, or a key is somebody else's.
        """
        with self.store.write() as connection:
            return self._take_keys(connection, _number(connection, name), keys)

    def _take_keys(
        self, connection: sqlite3.Connection, annotator_id: int, keys: Sequence[SshKey]
    ) -> int:
        new = 0
        for key in keys:
            row = connection.execute(
                "SELECT k.annotator_id, a.name, k.removed_at FROM ssh_key k "
                "JOIN annotator a ON a.id = k.annotator_id WHERE k.fingerprint = ?",
                (key.fingerprint,),
            ).fetchone()
            if row is not None and row[0] != annotator_id:
                belongs = "belonged" if row[2] else "belongs"
                raise Conflict(
                    f"the key {key.fingerprint} {belongs} to {row[1]!r}, and names one person",
                    "ask for a key that only this person has",
                )
            new += row is None or row[2] is not None
            connection.execute(
                "INSERT INTO ssh_key (fingerprint, type, body, comment, annotator_id, added_at) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET removed_at = NULL",
                (
                    key.fingerprint,
                    key.type,
                    key.body,
                    key.comment,
                    annotator_id,
                    self.store.now(),
                ),
            )
        return new

    def remove_key(self, name: str, fingerprint: str) -> None:
        """Let a key open no session any more; what was voted with it stays as it is.

        Raises:
            Conflict: if there is no such person, or this is not a key of theirs.
        """
        with self.store.write() as connection:
            removed = connection.execute(
                "UPDATE ssh_key SET removed_at = ? WHERE fingerprint = ? AND annotator_id = ? "
                "AND removed_at IS NULL RETURNING 1",
                (self.store.now(), fingerprint, _number(connection, name)),
            ).fetchall()
            if not removed:
                raise Conflict(
                    f"{name!r} has no key {fingerprint}", "`tiebreak annotator list` shows the keys"
                )

    def pause(self, name: str) -> None:
        """Let a person have no pairs until they are resumed.

        Raises:
            Conflict: if there is no such person, or they are retired.
        """
        with self.store.write() as connection:
            number = _number(connection, name)
            paused = connection.execute(
                "UPDATE annotator SET paused_at = coalesce(paused_at, ?) "
                "WHERE id = ? AND retired_at IS NULL RETURNING 1",
                (self.store.now(), number),
            ).fetchall()
            if not paused:
                raise Conflict(f"{name!r} is retired", "tiebreak annotator resume brings them back")

    def resume(self, name: str) -> None:
        """Let a paused or retired person vote again.

        Raises:
            Conflict: if there is no such person.
        """
        with self.store.write() as connection:
            connection.execute(
                "UPDATE annotator SET paused_at = NULL, retired_at = NULL WHERE id = ?",
                (_number(connection, name),),
            )

    def retire(self, name: str) -> int:
        """Let a person go: their votes stay, their open pairs go back to the others.

        Returns:
            How many pairs were given back.

        Raises:
            Conflict: if there is no such person.
        """
        with self.store.write() as connection:
            number = _number(connection, name)
            now = self.store.now()
            connection.execute(
                "UPDATE annotator SET retired_at = coalesce(retired_at, ?) WHERE id = ?",
                (now, number),
            )
            freed = _free_open(connection, number, now)
        return freed

    def reassign(self, name: str) -> int:
        """Give a person's open pairs back to the others; the person may go on voting.

        What they put aside has given its slot back already. A vote that they cast on a pair
        after all counts, and takes its slot again; what they typed is kept.

        Returns:
            How many pairs were given back.

        Raises:
            Conflict: if there is no such person.
        """
        with self.store.write() as connection:
            return _free_open(connection, _number(connection, name), self.store.now())

    def listed(self) -> list[Person]:
        """Everybody, in the order they were added."""
        with self.store.read() as connection:
            keys: dict[int, list[SshKey]] = {}
            for number, *key in connection.execute(
                "SELECT annotator_id, type, body, comment FROM ssh_key WHERE removed_at IS NULL "
                "ORDER BY added_at, fingerprint"
            ):
                keys.setdefault(number, []).append(SshKey(*key))
            rows = connection.execute(
                'SELECT a.id, a.name, a.role, a."group", a.simulated, a.attributes, a.added_at, '
                "a.paused_at, a.retired_at, count(v.seq), coalesce(max(v.at), '') "
                "FROM annotator a LEFT JOIN vote v ON v.annotator_id = a.id "
                "AND v.choice IS NOT NULL "
                "AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id) "
                "GROUP BY a.id ORDER BY a.id"
            ).fetchall()
        return [
            Person(
                name,
                Role(role),
                group,
                bool(simulated),
                json.loads(attributes),
                added_at,
                paused_at,
                retired_at,
                votes,
                last,
                tuple(keys.get(number, ())),
            )
            for (
                number,
                name,
                role,
                group,
                simulated,
                attributes,
                added_at,
                paused_at,
                retired_at,
                votes,
                last,
            ) in rows
        ]

    def authorized(self, fingerprint: str | None = None) -> list[tuple[SshKey, str]]:
        """The keys that sshd should let in, each with its person's name; of nobody retired.

        Args:
            fingerprint: only this key.
        """
        with self.store.read() as connection:
            rows = connection.execute(
                "SELECT k.type, k.body, k.comment, a.name FROM ssh_key k "
                "JOIN annotator a ON a.id = k.annotator_id "
                "WHERE k.removed_at IS NULL AND a.retired_at IS NULL "
                "AND (?1 IS NULL OR k.fingerprint = ?1) ORDER BY a.id, k.added_at, k.fingerprint",
                (fingerprint,),
            ).fetchall()
        return [(SshKey(*key), name) for *key, name in rows]

    def holder(self, fingerprint: str) -> tuple[str, Role]:
        """Who logs in with a key.

        Returns:
            Name and role.

        Raises:
            NotAdmitted: if nobody does, or that person is paused or retired.
        """
        with self.store.read() as connection:
            row = connection.execute(
                "SELECT a.id, a.name, a.role FROM ssh_key k JOIN annotator a "
                "ON a.id = k.annotator_id WHERE k.fingerprint = ? AND k.removed_at IS NULL",
                (fingerprint,),
            ).fetchone()
            if row is None:
                _refuse_key("")
            admit(connection, row[0])
            return row[1], Role(row[2])

    def admit(self, name: str, fingerprint: str = "") -> None:
        """Refuse somebody who is paused or retired; anybody else may come in.

        Args:
            fingerprint: of the key that they came with, which must be theirs still.

        Raises:
            NotAdmitted: with the words for that person.
        """
        with self.store.read() as connection:
            row = connection.execute("SELECT id FROM annotator WHERE name = ?", (name,)).fetchone()
            if row is not None:
                admit(connection, row[0])
            if (
                fingerprint
                and not connection.execute(
                    "SELECT 1 FROM ssh_key WHERE fingerprint = ? AND removed_at IS NULL",
                    (fingerprint,),
                ).fetchone()
            ):
                _refuse_key("; every vote that you cast is kept")

    def admit_lead(self, name: str, fingerprint: str) -> None:
        """As :meth:`admit`, for a lead's screen: refuse also who is no lead any more.

        Raises:
            NotAdmitted: with the words for that person.
        """
        self.admit(name, fingerprint)
        with self.store.read() as connection:
            row = connection.execute(
                "SELECT role FROM annotator WHERE name = ?", (name,)
            ).fetchone()
        if row is not None and Role(row[0]) is not Role.LEAD:
            raise NotAdmitted("you are no lead of this study any more", "log in again to vote")


def _refuse_key(kept: str) -> NoReturn:
    raise NotAdmitted(
        f"this key opens nothing here any more{kept}", "ask your lead to add your key again"
    )


def _free_open(connection: sqlite3.Connection, annotator_id: int, now: str) -> int:
    """Release what waits for somebody's vote; within the caller's transaction.

    Returns:
        How many pairs that were.
    """
    freed = connection.execute(
        "UPDATE assignment SET state = 'released', closed_at = ? "
        "WHERE annotator_id = ? AND state = 'open' RETURNING id",
        (now, annotator_id),
    ).fetchall()
    for (assignment,) in freed:
        change_load(connection, assignment, -1)
    return len(freed)


def _number(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT id FROM annotator WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise Conflict(
            f"nobody here is called {name!r}", "`tiebreak annotator list` shows who is here"
        )
    return int(row[0])
