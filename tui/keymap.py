"""Which key does what for one person: the defaults, a layout, and what they chose themselves."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tui.actions import TABLES, Action, key_name

DEFAULT_LAYOUT = "default"
LAYOUTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    DEFAULT_LAYOUT: {},
    "left-hand": {
        "vote.a": ("q",),
        "vote.b": ("w",),
        "vote.tie": ("e",),
        "vote.both_bad": ("r",),
        "read.line_up": ("a", "up"),
        "read.page_up": ("s", "pageup"),
        "read.page_down": ("space", "d", "pagedown"),
        "read.line_down": ("f", "down"),
        "read.find": ("F", "slash"),
        "read.previous_match": ("Z", "less_than_sign"),
        "read.next_match": ("X", "greater_than_sign", "enter"),
        "read.differences": ("D",),
        "read.previous_heading": ("A", "left_curly_bracket"),
        "read.next_heading": ("S", "right_curly_bracket"),
        "read.previous_code": ("C", "left_parenthesis"),
        "read.next_code": ("V", "right_parenthesis"),
        "read.lock": ("shift+tab",),
        "read.arrange": ("6",),
        "read.guidelines": ("T",),
        "read.zoom": ("z",),
        "read.raw": ("x",),
        "read.turn_before": ("1",),
        "read.turn_after": ("2",),
        "pair.note": ("c",),
        "pair.flag": ("t",),
        "pair.undo": ("b",),
        "pair.skip": ("3",),
        "pair.cannot_judge": ("B",),
        "pause": ("4",),
        "theme": ("5",),
        "history": ("7",),
        "votes.open": ("e", "enter"),
        "lead.open": ("e", "enter"),
        "lead.filter": ("t",),
        "pick.take": ("tab", "enter"),
        "lead.left": ("w", "left"),
        "lead.right": ("r", "right"),
        "floor.open": ("e", "enter"),
        "floor.pause": ("w",),
        "judges.open": ("e", "enter"),
        "judges.pause": ("w",),
        "queue.open": ("e", "enter"),
        "queue.teach": ("4",),
        "queue.order": ("w",),
        "queue.reason": ("r",),
        "queue.category": ("c",),
        "rule.not_decidable": ("B",),
        "rule.more_votes": ("4",),
        "rule.unmask": ("5",),
        "rule.teach": ("5",),
        "rule.final": ("4",),
        "teach.practice": ("1",),
        "teach.check": ("2",),
        "confirm.yes": ("e",),
        "confirm.no": ("q", "escape"),
        "help": ("f1", "question_mark"),
        "back": ("escape", "q"),
    },
}
"""Layouts by name: what each moves. ``left-hand`` needs one hand, no arrows, and keeps the rows
of the keyboard apart: the upper one votes, the middle one reads, the lower one and the digits do
the rest. With Shift the lower two search, compare and jump, and ``B``, which undoes without it,
says that one cannot judge; no key of the upper row does anything with Shift that would be a vote
without it."""

FIXED = {"quit"}
"""Actions whose key stays: nobody may lock themselves in."""

_PLAIN = frozenset(
    "space tab shift+tab enter escape backspace insert delete home end pageup pagedown "
    "up down left right f1 slash backslash minus plus at underscore".split()
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SAME_AS = {
    "ctrl+m": "Enter",
    "ctrl+j": "Enter",
    "ctrl+i": "Tab",
    "ctrl+h": "Backspace",
    "ctrl+left_square_bracket": "Esc",
    "ctrl+[": "Esc",
}
_RENAMED = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
"""Unicode's name of a character where Textual's name for its key is another."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The keys of an action, and where they come from."""

    keys: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A choice that was not taken.

    Attributes:
        why: completes "the choice for this action …".
        mend: what to do about it; a sentence without its full stop.
    """

    action: str
    why: str
    mend: str


class Keymap:
    """The keys in effect.

    Args:
        bound: every action's id with its keys.
    """

    def __init__(self, bound: Mapping[str, Bound]) -> None:
        self.bound = bound

    def table(self, actions: Sequence[Action]) -> tuple[Action, ...]:
        """A screen's table with the keys in effect."""
        return tuple(replace(action, keys=self.bound[action.id].keys) for action in actions)

    def first(self, action: str) -> str:
        """The key that a message names for an action, as people read it."""
        return key_name(self.bound[action].keys[0])


def known_actions() -> dict[str, Action]:
    """Every action by its id, in the order of the tables."""
    found: dict[str, Action] = {}
    for table in TABLES.values():
        for action in table:
            found.setdefault(action.id, action)
    return found


def key_of(written: str) -> str:
    """Textual's name of a key, from the character it writes or the name that a person gave.

    Raises:
        ValueError: with the reason, if no terminal can be relied on to send that key.
    """
    if len(written) == 1 and written.isprintable() and not written.isspace():
        if written.isalnum():
            return written
        name = unicodedata.name(written, "").lower().replace("-", "_").replace(" ", "_")
        return _RENAMED.get(name, name)
    name = "space" if written == " " else written.lower().replace(" ", "")
    if name in _SAME_AS:
        raise ValueError(f"a terminal cannot tell it from {_SAME_AS[name]}")
    if name == "ctrl+q":
        raise ValueError("it always quits")
    if name[:1] == "f" and name[1:].isdecimal() and name != "f1":
        raise ValueError("F2 and above belong to the screens")
    is_control = name.startswith("ctrl+") and len(name) == 6 and name[5] in _LETTERS
    if name not in _PLAIN and not is_control and len(key_name(name)) > 1:
        raise ValueError("it is no key that every terminal sends")
    return name


def make_keymap(
    layout: str = DEFAULT_LAYOUT,
    chosen: Mapping[str, tuple[str, ...]] | None = None,
    source: str = "",
) -> tuple[Keymap, list[Refused]]:
    """The keys in effect, and the choices that could not be taken.

    A choice is taken whole or not at all. It may take a key from another action only if that
    action is moved away from it by a choice too; of two choices of one key neither is taken.

    Args:
        layout: one of :data:`LAYOUTS`.
        chosen: action id → key names; every id and name is known.
        source: where the choices come from.
    """
    moved = LAYOUTS[layout]
    base = {
        action.id: Bound(moved[action.id], f"layout {layout}")
        if action.id in moved
        else Bound(action.keys, "default")
        for action in known_actions().values()
    }
    taken = {id: Bound(keys, source) for id, keys in (chosen or {}).items()}
    refused: list[Refused] = []
    while clashes := [
        (key, owners)
        for key, owners in _shared({**base, **taken})
        if any(owner in taken for owner in owners)
    ]:
        for key, owners in clashes:
            for owner in owners:
                if taken.pop(owner, None) is not None:
                    other = next(one for one in owners if one != owner)
                    refused.append(
                        Refused(
                            owner,
                            f"{key_name(key)!r} is {other}'s key too",
                            f"move {other} as well",
                        )
                    )
    return Keymap({**base, **taken}), refused


def _shared(bound: Mapping[str, Bound]) -> Iterator[tuple[str, list[str]]]:
    """Each key that does two things on one screen, with the actions."""
    for table in TABLES.values():
        owners: dict[str, list[str]] = defaultdict(list)
        for action in table:
            for key in dict.fromkeys(bound[action.id].keys):
                owners[key].append(action.id)
        yield from ((key, ids) for key, ids in owners.items() if len(ids) > 1)
