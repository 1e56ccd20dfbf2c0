"""Having a pair served to further annotators because a lead sent it for more votes."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import Conflict
from db.ruling_cases import Place
from db.texts import TURNS_OF_PAIR

if TYPE_CHECKING:
    from db.store import Store


@dataclass(frozen=True, slots=True)
class Asked:
    """What a wish for more votes came to.

    Attributes:
        wanted: votes that the pair wants beyond those it has or is about to get.
        people: active annotators who have not had the pair; with none of them nothing comes.
        is_new: whether the pair came into the queue by it.
        may_end_weights: whether others were drawn besides: if nobody had voted on this one, no vote
            can be weighed once somebody has. Which of both is not said, since it would tell that
            all opinions on it are judges'.
    """

    wanted: int
    people: int
    is_new: bool = False
    may_end_weights: bool = False

    @property
    def told(self) -> dict[str, object]:
        """What the ruling keeps of it."""
        told: dict[str, object] = {"more_votes": self.wanted}
        return told | {"queued": True} if self.is_new else told


def ask_more(store: Store, connection: sqlite3.Connection, place: Place) -> Asked:
    """Raise how many votes a pair wants; within the caller's transaction.

    A pair that was imported and never queued comes into the queue by it, by a design of its own.

    Raises:
        Conflict: if its texts are not known, so that nobody can be shown it.
    """
    more = int(store.settings()["ruling_more_votes"])
    (turns,) = connection.execute(
        f"SELECT {TURNS_OF_PAIR} FROM pair p WHERE p.id = ?", (place.pair_id,)
    ).fetchone()
    if not turns:
        raise Conflict(
            "nobody can be shown this pair: the study lacks a text of it",
            "import its question and answers first, or say that it is not decidable",
        )
    queued = connection.execute(
        "UPDATE queue SET overlap = max(overlap, load) + ?1, extra = extra + ?1 "
        "WHERE pair_id = ?2 RETURNING 1",
        (more, place.pair_id),
    ).fetchall()
    if not queued:
        _queue(store, connection, place, more)
    (people,) = connection.execute(
        "SELECT count(*) FROM annotator a WHERE a.role = 'annotator' AND NOT a.simulated "
        "AND coalesce(a.retired_at, a.paused_at) IS NULL AND NOT EXISTS (SELECT 1 "
        "FROM assignment s WHERE s.annotator_id = a.id AND s.pair_id = ?)",
        (place.pair_id,),
    ).fetchone()
    return Asked(more, int(people), not queued, not queued and _has_draws(connection))


def _has_draws(connection: sqlite3.Connection) -> bool:
    """Whether pairs came into the queue by a draw."""
    drawn = "SELECT EXISTS (SELECT 1 FROM queue WHERE probability < 1)"
    return bool(connection.execute(drawn).fetchone()[0])


def _queue(store: Store, connection: sqlite3.Connection, place: Place, more: int) -> None:
    """Queue a pair that nobody had queued."""
    design = connection.execute(
        "SELECT id FROM design WHERE method = 'ruling' ORDER BY id LIMIT 1"
    ).fetchone()
    if design is None:
        design = connection.execute(
            "INSERT INTO design (method, arguments, seed, population, made_at) "
            "SELECT 'ruling', '{}', '', count(*), ? FROM pair RETURNING id",
            (store.now(),),
        ).fetchone()
    connection.execute(
        "INSERT INTO queue (pair_id, design_id, probability, overlap, extra) "
        "VALUES (?, ?, 1, ?, ?)",
        (place.pair_id, design[0], more, more),
    )


def ask_no_more(connection: sqlite3.Connection, place: Place, wanted: int) -> None:
    """Take a wish for more votes back; votes that came by it stay."""
    if wanted:
        connection.execute(
            "UPDATE queue SET overlap = max(overlap - ?1, 1), extra = max(extra - ?1, 0) "
            "WHERE pair_id = ?2",
            (wanted, place.pair_id),
        )
