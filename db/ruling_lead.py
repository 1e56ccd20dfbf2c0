"""One lead: where they stand, what they may rule on, and what they have ruled already."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.blinding import case_name, pair_called
from core.errors import Conflict, NotAdmitted
from core.families import family_of
from core.records import Role, RulingChoice
from db import rulings
from db.admission import admit
from db.ruling_cases import Place, side

if TYPE_CHECKING:
    from db.rulings import Standing
    from db.store import Store

OWN_FAMILY = (
    "this pair has an answer of a model family that you have an interest in",
    "another lead rules on it; the setting own_family says so",
)
"""Why a lead may not rule on a case that concerns them, without saying which of the answers."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead of one study, at this process.

    Attributes:
        identity: as stored with each ruling, such as ``ssh:SHA256:…``.
    """

    store: Store
    id: int
    name: str
    identity: str

    @classmethod
    def of(cls, store: Store, name: str, identity: str) -> Lead:
        """The lead of this name.

        Raises:
            NotAdmitted: if this is no lead of the study, or paused or retired.
        """
        with store.read() as connection:
            row = connection.execute(
                "SELECT id, role FROM annotator WHERE name = ?", (name,)
            ).fetchone()
            if row is None or Role(row[1]) is not Role.LEAD:
                raise NotAdmitted(
                    f"{name!r} is no lead of this study, and only leads rule",
                    "tiebreak annotator change NAME --role lead makes one of somebody",
                )
            admit(connection, row[0])
        return cls(store, int(row[0]), name, identity or f"local:{name}")

    def admit(self, connection: sqlite3.Connection) -> None:
        """Refuse who is paused, retired, or no lead any more.

        Raises:
            NotAdmitted: with the words for that person.
        """
        admit(connection, self.id)
        (role,) = connection.execute(
            "SELECT role FROM annotator WHERE id = ?", (self.id,)
        ).fetchone()
        if Role(role) is not Role.LEAD:
            raise NotAdmitted("you are no lead of this study any more", "log in again to vote")

    # ── places ──────────────────────────────────────────────────────────────

    def place(self, connection: sqlite3.Connection, key: str) -> Place:
        """The pair and turn that a case's key names, or the key of its pair.

        That key can be worked out from the names of question and models.

        Raises:
            Conflict: if it names none.
        """
        said, _, turn = key.partition("/")
        if turn.isascii() and turn.isdecimal() and len(turn) < 6:
            for pair in (pair_called(self.store.seed, said), said):
                row = connection.execute("SELECT id FROM pair WHERE key = ?", (pair,)).fetchone()
                if row is not None:
                    return self._before(row[0], pair, int(turn), is_by_pair=pair == said)
        raise Conflict(f"no case is called {key!r}", "tiebreak rulings queue lists the keys")

    def place_of(self, connection: sqlite3.Connection, pair_id: int, turn: int) -> Place:
        """A pair and turn as this lead has them before them."""
        (pair,) = connection.execute("SELECT key FROM pair WHERE id = ?", (pair_id,)).fetchone()
        return self._before(pair_id, pair, turn)

    def _before(self, pair_id: int, pair: str, turn: int, *, is_by_pair: bool = False) -> Place:
        seed = self.store.seed
        left = side(seed, pair, self.name)
        return Place(pair_id, pair, case_name(seed, pair), turn, left, is_by_pair)

    # ── what this lead may ──────────────────────────────────────────────────

    def own_models(self, connection: sqlite3.Connection) -> frozenset[str]:
        """Models of a family that this lead has an interest in; none where the study allows it."""
        if self.store.settings()["own_family"] == "allow":
            return frozenset()
        (said,) = connection.execute(
            "SELECT attributes ->> 'families' FROM annotator WHERE id = ?", (self.id,)
        ).fetchone()
        own = _families(said)
        if not own:
            return frozenset()
        models = connection.execute("SELECT name, family FROM model").fetchall()
        return frozenset(
            name
            for name, family in models
            if own & {family.casefold(), family_of(name, {}), name.casefold()}
        )

    def why_not(self, connection: sqlite3.Connection, place: Place) -> tuple[str, str] | None:
        """Why this lead cannot rule on a case now, and what to do; None if they can."""
        own = self.own_models(connection)
        if own and own & set(models_of(connection, place)):
            return OWN_FAMILY
        held = connection.execute(
            "SELECT 1 FROM ruling_lease WHERE pair_id = ? AND turn = ? AND lead_id <> ? "
            "AND lease_until >= ?",
            (place.pair_id, place.turn, self.id, self.store.now()),
        ).fetchone()
        if held:
            return (
                "another lead has this case open",
                "take another one; it comes back if they leave it",
            )
        stand = rulings.on_place(connection, place)
        if any(one.lead_id == self.id for one in stand) or self.wants_second(connection, place):
            return None
        if all(one.choice is RulingChoice.MORE_VOTES for one in stand):
            return None
        return (
            "another lead has ruled on this case",
            "a second opinion has to be asked for: tiebreak rulings second",
        )

    def wants_second(self, connection: sqlite3.Connection, place: Place) -> bool:
        """Whether a second opinion is wanted that this lead could give."""
        return self.asked(connection, place) is not None

    def asked(self, connection: sqlite3.Connection, place: Place) -> str | None:
        """Why a second opinion is wanted that this lead could give; None where none is."""
        row = connection.execute(
            "SELECT why FROM second_opinion WHERE pair_id = ? AND turn = ? AND asked_by <> ? "
            "AND answered_by IS NULL ORDER BY id DESC",
            (place.pair_id, place.turn, self.id),
        ).fetchone()
        return None if row is None else str(row[0])

    def has_seen(self, connection: sqlite3.Connection, place: Place) -> bool:
        """Whether this lead has seen who is who in a case."""
        row = connection.execute(
            "SELECT 1 FROM unmasking WHERE pair_id = ? AND turn = ? AND lead_id = ?",
            (place.pair_id, place.turn, self.id),
        ).fetchone()
        return row is not None

    def see(self, connection: sqlite3.Connection, place: Place) -> None:
        """Record that this lead may know who is who in a case from now on."""
        connection.execute(
            "INSERT OR IGNORE INTO unmasking VALUES (?, ?, ?, ?)",
            (place.pair_id, place.turn, self.id, self.store.now()),
        )

    # ── what this lead has ruled ────────────────────────────────────────────

    def own_ruling(self, connection: sqlite3.Connection, place: Place) -> Standing | None:
        """This lead's ruling on a case."""
        mine = [one for one in rulings.on_place(connection, place) if one.lead_id == self.id]
        return mine[-1] if mine else None

    def mine(self, connection: sqlite3.Connection, place: Place) -> Standing:
        """This lead's ruling on a case.

        Raises:
            Conflict: if there is none.
        """
        found = self.own_ruling(connection, place)
        if found is None:
            raise Conflict("you have not ruled on this case", "rule on it first")
        return found

    def replaced(self, connection: sqlite3.Connection, place: Place) -> Standing | None:
        """What a new ruling takes the place of: one's own, or another's wish for more votes."""
        stand = rulings.on_place(connection, place)
        waited = [one for one in stand if one.choice is RulingChoice.MORE_VOTES]
        return self.own_ruling(connection, place) or (waited[-1] if waited else None)


def models_of(connection: sqlite3.Connection, place: Place) -> tuple[str, str]:
    """The models of a case, as their answers stand."""
    first, second = connection.execute(
        "SELECT model_1, model_2 FROM pair WHERE id = ?", (place.pair_id,)
    ).fetchone()
    return (first, second) if place.left == 1 else (second, first)


def _families(said: str | None) -> set[str]:
    """Model families as an annotator's attribute names them: a list, or one text with commas."""
    if said is None:
        return set()
    several = json.loads(said) if said.startswith("[") else said.split(",")
    return {str(each).strip().casefold() for each in several if str(each).strip()}
