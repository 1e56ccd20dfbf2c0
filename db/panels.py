"""Panels of judges, as the study keeps them: their words are worked out whenever they are read."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from core.errors import Conflict, TiebreakError
from core.panels import Panel, PanelRule

if TYPE_CHECKING:
    from db.store import Store


class Panels:
    """The panels of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, panel: Panel) -> bool:
        """Add a panel; whether it is new.

        Raises:
            TiebreakError: if a member is no judge of the study.
            Conflict: if a panel of that name has other members, weights or another rule.
        """
        with self.store.write() as connection:
            for member in panel.members:
                if problem := no_member(connection, member):
                    raise problem
            return add_panel(connection, panel, self.store.now(), str(self.store.path))

    def every(self) -> tuple[Panel, ...]:
        """Every panel of the study, in the order they were added."""
        with self.store.read() as connection:
            return panels_of(connection)

    def remove(self, name: str) -> None:
        """Take a panel away; its members and their verdicts stay.

        Raises:
            TiebreakError: if there is none of that name.
        """
        with self.store.write() as connection:
            names = [panel.name for panel in panels_of(connection)]
            if name not in names:
                raise TiebreakError(
                    f"no panel is called {name!r}",
                    f"panels of this study: {', '.join(names) or 'none yet'}",
                )
            connection.execute("DELETE FROM panel WHERE name = ?", (name,))


def no_member(connection: sqlite3.Connection, member: str) -> TiebreakError | None:
    """What is said of a member that is no judge of the study; None if it is one."""
    judges = [name for (name,) in connection.execute("SELECT name FROM judge ORDER BY id")]
    if member in judges:
        return None
    names = ", ".join(judges) or "none yet"
    return TiebreakError(f"no judge is called {member!r}", f"judges of this study: {names}")


def add_panel(connection: sqlite3.Connection, panel: Panel, now: str, where: str) -> bool:
    """Add a panel whose members are judges of the study; whether it is new.

    Raises:
        Conflict: if a panel of that name has other members, weights or another rule.
    """
    for known in panels_of(connection):
        if known.name == panel.name:
            if known == panel:
                return False
            raise Conflict(
                f"{where}: there is a panel {panel.name!r} with other members, "
                "weights or another rule",
                "give this one another name, or remove the other: judge panel remove",
            )
    connection.execute(
        "INSERT INTO panel (name, rule, members, added_at) VALUES (?, ?, ?, ?)",
        (panel.name, panel.rule.value, json.dumps(dict(panel.members)), now),
    )
    return True


def panels_of(connection: sqlite3.Connection) -> tuple[Panel, ...]:
    """The panels that a study holds."""
    rows = connection.execute("SELECT name, rule, members FROM panel ORDER BY id").fetchall()
    return tuple(Panel(name, PanelRule(rule), json.loads(members)) for name, rule, members in rows)
