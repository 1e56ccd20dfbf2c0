"""Where a judge is reached: its servers' addresses, and what the last check found of each."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from core.errors import TiebreakError
from db.judging import no_judge

if TYPE_CHECKING:
    from db.store import Store


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a judge.

    Attributes:
        found: what the last check said, see :mod:`judges.probing`; empty if there was none.
        checked_at: when that was; empty if it never was.
    """

    address: str
    added_at: str
    found: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    checked_at: str = ""


class Endpoints:
    """The servers of a study's judges. The judge's own record keeps the first address."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def of(self, judge: str) -> list[Endpoint]:
        """A judge's addresses in the order in which they were added, without removed ones.

        Raises:
            TiebreakError: there is no such judge.
        """
        with self.store.read() as connection:
            rows = connection.execute(
                "SELECT address, added_at, found, checked_at FROM endpoint "
                "WHERE judge_id = ? AND removed_at IS NULL ORDER BY added_at, address",
                (self._judge(connection, judge),),
            ).fetchall()
        return [
            Endpoint(address, added_at, json.loads(found or "{}"), checked_at or "")
            for address, added_at, found, checked_at in rows
        ]

    def add(self, judge: str, address: str) -> bool:
        """Let a judge be asked at one more address; whether it was not before.

        Raises:
            TiebreakError: there is no such judge, or it has no server at all.
        """
        with self.store.write() as connection:
            judge_id = self._judge(connection, judge)
            if not _first_address(connection, judge_id):
                raise TiebreakError(
                    f"the judge {judge!r} needs no server", "it gives its verdicts by itself"
                )
            return add_endpoint(connection, judge_id, address, self.store.now())

    def remove(self, judge: str, address: str) -> None:
        """Let a judge no longer be asked at an address. Verdicts had from there stay.

        Raises:
            TiebreakError: the judge has no such address, or no other.
        """
        others = [one.address for one in self.of(judge)]
        if address not in others:
            listed = ", ".join(others) or "none"
            raise TiebreakError(f"the judge {judge!r} is not at {address}", f"it is at: {listed}")
        if len(others) == 1:
            raise TiebreakError(
                f"{address} is the only address of the judge {judge!r}",
                f"add another first: tiebreak judge endpoint add {judge} URL",
            )
        with self.store.write() as connection:
            connection.execute(
                "UPDATE endpoint SET removed_at = ? WHERE judge_id = ? AND address = ?",
                (self.store.now(), self._judge(connection, judge), address),
            )

    def keep_found(self, judge: str, address: str, found: Mapping[str, Any]) -> None:
        """Store what a check found of one address.

        Raises:
            TiebreakError: there is no such judge.
        """
        with self.store.write() as connection:
            connection.execute(
                "UPDATE endpoint SET found = ?, checked_at = ? WHERE judge_id = ? AND address = ?",
                (
                    json.dumps(dict(found), ensure_ascii=False, sort_keys=True),
                    self.store.now(),
                    self._judge(connection, judge),
                    address,
                ),
            )

    @staticmethod
    def _judge(connection: sqlite3.Connection, name: str) -> int:
        row = connection.execute("SELECT id FROM judge WHERE name = ?", (name,)).fetchone()
        if row is None:
            known = connection.execute("SELECT name FROM judge ORDER BY id")
            raise no_judge(name, [row[0] for row in known])
        return int(row[0])


def _first_address(connection: sqlite3.Connection, judge_id: int) -> str:
    row = connection.execute("SELECT endpoint FROM judge WHERE id = ?", (judge_id,)).fetchone()
    return str(row[0])


def add_endpoint(connection: sqlite3.Connection, judge_id: int, address: str, now: str) -> bool:
    """Add an address, or one that was removed anew; whether it was not there."""
    changed = connection.execute(
        "INSERT INTO endpoint (judge_id, address, added_at) VALUES (?, ?, ?) "
        "ON CONFLICT (judge_id, address) DO UPDATE SET removed_at = NULL, "
        "added_at = excluded.added_at WHERE removed_at IS NOT NULL",
        (judge_id, address, now),
    )
    return changed.rowcount > 0
