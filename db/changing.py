"""Changing who somebody is in a study: role, group, attributes; nothing that they voted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.errors import Conflict, UsageError
from core.records import Role
from core.text import one_line
from db.standing import ONBOARDING

if TYPE_CHECKING:
    from db.store import Store


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be changed.

    Attributes:
        role: None leaves it as it is.
        group: None leaves it; "" takes it away.
        attributes: these are set.
        without: attributes that are taken away.
    """

    role: Role | None = None
    group: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    without: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """What was changed.

    Attributes:
        lines: one for each thing that is another now, in words; empty where nothing is.
        role: the new one, if it is new.
        votes: how many of this person's votes the study has.
        regrouped: whether the group is another now.
        leads: how many leads there are now.
    """

    lines: tuple[str, ...]
    role: Role | None
    votes: int
    regrouped: bool
    leads: int


def change(store: Store, name: str, wanted: Wanted) -> Changed:
    """Change a person's role, group or attributes, all of it or nothing.

    Raises:
        Conflict: if there is no such person, or an attribute to take away is not theirs.
        UsageError: if one attribute is to be set and taken away, or is Tiebreak's own.
    """
    _refuse_contradiction(wanted)
    with store.write() as connection:
        row = connection.execute(
            'SELECT id, role, "group", attributes FROM annotator WHERE name = ?', (name,)
        ).fetchone()
        if row is None:
            raise Conflict(
                f"nobody here is called {name!r}", "`tiebreak annotator list` shows who is here"
            )
        number, role, group, before = row[0], Role(row[1]), str(row[2]), json.loads(row[3])
        absent = [key for key in wanted.without if key not in before]
        if absent:
            raise Conflict(
                f"{name!r} has no attribute {absent[0]!r}",
                "`tiebreak annotator list --json` shows the attributes",
            )
        after = {key: value for key, value in before.items() if key not in wanted.without}
        after |= wanted.attributes
        now_role = wanted.role or role
        now_group = group if wanted.group is None else wanted.group
        connection.execute(
            'UPDATE annotator SET role = ?, "group" = ?, attributes = ? WHERE id = ?',
            (now_role.value, now_group, json.dumps(after), number),
        )
        if now_group != group:
            _move_loads(connection, number, group, now_group)
        (votes,) = connection.execute(
            "SELECT count(*) FROM vote WHERE annotator_id = ?", (number,)
        ).fetchone()
        (leads,) = connection.execute(
            "SELECT count(*) FROM annotator WHERE role = 'lead' AND retired_at IS NULL"
        ).fetchone()
    lines = []
    if now_role is not role:
        lines.append(f"role: {role.value} → {now_role.value}")
    if now_group != group:
        lines.append(f"group: {_said(group)} → {_said(now_group)}")
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            was, now = _said(before.get(key, "")), _said(after.get(key, ""))
            lines.append(f"attribute {one_line(key, 40)}: {was} → {now}")
    is_new = now_role if now_role is not role else None
    return Changed(tuple(lines), is_new, votes, now_group != group, leads)


def _refuse_contradiction(wanted: Wanted) -> None:
    for key in wanted.without:
        if key in wanted.attributes:
            raise UsageError(
                f"the attribute {key!r} is to be set and taken away", "say one of the two"
            )
    if ONBOARDING in wanted.attributes or ONBOARDING in wanted.without:
        raise UsageError(
            f"the attribute {ONBOARDING!r} is how Tiebreak remembers who has qualified",
            "to let somebody in: tiebreak practice let-in NAME",
        )


def _said(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return one_line(text, 40) or "none"


def _move_loads(connection: sqlite3.Connection, annotator_id: int, old: str, new: str) -> None:
    """Count the slots that somebody holds for their new group.

    They would otherwise be given back for a group that never took them.
    """
    held = (
        "SELECT pair_id FROM assignment "
        "WHERE annotator_id = ? AND state IN ('open', 'done') AND repeat = 0"
    )
    connection.execute(
        f'UPDATE group_load SET load = load - 1 WHERE "group" = ? AND pair_id IN ({held})',
        (old, annotator_id),
    )
    connection.execute(
        f'INSERT INTO group_load ("group", pair_id, load) SELECT ?, pair_id, 1 FROM ({held}) '
        "WHERE true ON CONFLICT DO UPDATE SET load = load + 1",
        (new, annotator_id),
    )
