"""Drawing a pair that an annotator has not had: who may get which, and what the policy makes of it.

All that a draw reads about pairs lies in ``queue``, which ``stratum`` counts; nothing here reads a
model's name, or a vote.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.policies import POLICIES, Situation, Stratum, closed_to, draw

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class Chosen:
    """A pair that was drawn for an annotator.

    Attributes:
        probability: of this pair among those of its kind, fresh pairs or repeats.
        repeat: 1 for a hidden repeat, 0 for a fresh pair.
    """

    pair_id: int
    key: str
    probability: float
    policy: str
    version: int
    repeat: int


@dataclass(frozen=True, slots=True)
class Access:
    """What one annotator may get at all.

    Attributes:
        group: whose votes theirs are among.
        wanted: votes that each pair wants from that group; None where groups do not matter.
        closed: categories that are not for them, as a JSON list.
    """

    group: str
    wanted: int | None
    closed: str

    def values(self) -> dict[str, object]:
        """The named parameters of :data:`HAS_ROOM`."""
        return {"group": self.group, "wanted": self.wanted, "closed": self.closed}

    def is_filled(self) -> str:
        """SQL: whether the pair of ``queue q`` has all votes that it wants from the group."""
        return "0" if self.wanted is None else _IS_FILLED


HAS_ROOM = """(
    q.load < q.overlap
    AND (q.category IS NULL OR q.category NOT IN (SELECT value FROM json_each(:closed)))
    AND (:wanted IS NULL OR (:wanted > 0 AND :wanted + q.extra > coalesce((
         SELECT g.load FROM group_load g
         WHERE g."group" = :group AND g.pair_id = q.pair_id), 0))))"""
"""SQL: whether the pair of ``queue q`` wants a vote of this annotator's."""


@dataclass(frozen=True, slots=True)
class Eligible:
    """The pairs that an annotator may get next.

    Attributes:
        sizes: how many of each stratum.
        without: pairs of these strata that are not among them, besides those of which the
            annotator's group has had its votes.
        all: how many there are, those that are put off because of their question included.
        only: all of them where they are few, by stratum; None otherwise.
        served: loads of all pairs of a block in the queue, added up.
    """

    sizes: Mapping[Stratum, int]
    without: Mapping[Stratum, list[int]]
    all: int
    only: Mapping[Stratum, list[int]] | None
    served: Mapping[int, int]
    access: Access


class Drawing:
    """Draws by the settings of one study."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._policy = POLICIES[settings["policy"]]
        self._settings = settings

    def access(self, connection: sqlite3.Connection, annotator_id: int) -> Access:
        """What an annotator may get at all."""
        group, attributes = connection.execute(
            'SELECT "group", attributes FROM annotator WHERE id = ?', (annotator_id,)
        ).fetchone()
        by_group = self._settings["overlap_by_group"]
        wanted = by_group.get(group, 0) if by_group else None
        closed = closed_to(json.loads(attributes), self._settings["only_for"])
        return Access(group, wanted, json.dumps(closed))

    def left(self, connection: sqlite3.Connection, annotator_id: int) -> int:
        """How many pairs an annotator has not had and may still get."""
        return self._eligible(connection, annotator_id, None).all

    def fresh(
        self,
        connection: sqlite3.Connection,
        annotator_id: int,
        question: int | None,
        random: Random,
    ) -> Chosen | None:
        """Draw a pair that an annotator has not had; None where there is none left.

        Args:
            question: the row of the question that they see now. Its other pairs come only where
                none of another question is left.
        """
        eligible = self._eligible(connection, annotator_id, question)
        if not eligible.sizes:
            return None
        if self._policy.likelihood is None:
            pair_id, probability = self._first(connection, eligible), 1.0
        else:
            had = self._had(connection, annotator_id)
            situation = Situation(
                eligible.sizes,
                eligible.served,
                had,
                self._settings["category_quota"],
                self._settings["uniform_floor"],
            )
            place = draw(self._policy.likelihood(situation), eligible.sizes, random)
            pair_id = _at(connection, eligible, place.stratum, place.index)
            probability = place.probability
        (key,) = connection.execute("SELECT key FROM pair WHERE id = ?", (pair_id,)).fetchone()
        return Chosen(pair_id, key, probability, self._policy.name, self._policy.version, repeat=0)

    def _had(self, connection: sqlite3.Connection, annotator_id: int) -> dict[str | None, int]:
        """How many pairs of each category an annotator was served, where the policy asks."""
        if self._policy.name != "category-quota":
            return {}
        return dict(
            connection.execute(
                "SELECT q.category, count(*) FROM assignment a JOIN queue q "
                "ON q.pair_id = a.pair_id WHERE a.annotator_id = ? AND a.repeat = 0 "
                "GROUP BY q.category",
                (annotator_id,),
            ).fetchall()
        )

    def _first(self, connection: sqlite3.Connection, eligible: Eligible) -> int:
        """What stands first in the queue among the pairs with the fewest votes."""
        least = min(stratum.load for stratum in eligible.sizes)
        return min(
            _at(connection, eligible, stratum, 0)
            for stratum in eligible.sizes
            if stratum.load == least
        )

    def _eligible(
        self, connection: sqlite3.Connection, annotator_id: int, question: int | None
    ) -> Eligible:
        access = self.access(connection, annotator_id)
        closed = set(json.loads(access.closed))
        sizes: Counter[Stratum] = Counter()
        served: Counter[int] = Counter()
        for *columns, count, wanting in connection.execute(_TALLY):
            stratum = Stratum(*columns)
            served[stratum.block] += stratum.load * count
            if wanting and stratum.category not in closed and access.wanted != 0:
                sizes[stratum] = wanting
        values = {**access.values(), "annotator": annotator_id, "question": question}
        if access.wanted is not None:
            # Counted where they lie: they may be nearly all pairs of a large study.
            for *columns, count in connection.execute(_FILLED, values):
                stratum = Stratum(*columns)
                if stratum in sizes:
                    sizes[stratum] -= count
        closed_by_group = access.is_filled()
        own = connection.execute(_CLOSED.format(filled=closed_by_group), values)
        without = _by_stratum(own, sizes)
        for stratum, pairs in without.items():
            sizes[stratum] -= len(pairs)
        total = sizes.total()
        of_question = connection.execute(_SAME.format(filled=closed_by_group), values)
        same = _by_stratum(of_question, sizes) if question else {}
        for stratum, pairs in same.items():
            taken = set(without.get(stratum, ()))
            same[stratum] = fresh = [pair for pair in pairs if pair not in taken]
            without.setdefault(stratum, []).extend(fresh)
            sizes[stratum] -= len(fresh)
        if total and not sizes.total():
            only = {stratum: pairs for stratum, pairs in same.items() if pairs}
            counts = {stratum: len(pairs) for stratum, pairs in only.items()}
            return Eligible(counts, {}, total, only, served, access)
        return Eligible(+sizes, without, total, None, served, access)


def question_of(
    connection: sqlite3.Connection, annotator_id: int, beyond: int | None
) -> int | None:
    """The question that an annotator sees now, or was served last; None before the first.

    Args:
        beyond: the assignment on their screen, where one is known to be.
    """
    row = connection.execute(
        "SELECT p.question_id FROM assignment a JOIN pair p ON p.id = a.pair_id WHERE a.id = "
        "coalesce(?2, (SELECT max(id) FROM assignment WHERE annotator_id = ?1))",
        (annotator_id, beyond),
    ).fetchone()
    return row[0] if row else None


def _by_stratum(rows: sqlite3.Cursor, known: Mapping[Stratum, int]) -> dict[Stratum, list[int]]:
    """Pairs by stratum; only of strata that are known."""
    found: dict[Stratum, list[int]] = {}
    for *columns, pair in rows:
        stratum = Stratum(*columns)
        if stratum in known:
            found.setdefault(stratum, []).append(pair)
    return found


def _at(connection: sqlite3.Connection, eligible: Eligible, stratum: Stratum, index: int) -> int:
    """The pair at a place of a stratum, in the order of the queue."""
    if eligible.only is not None:
        return eligible.only[stratum][index]
    (pair_id,) = connection.execute(
        _AT.format(filled=eligible.access.is_filled()),
        {
            **eligible.access.values(),
            "load": stratum.load,
            "category": stratum.category,
            "block": stratum.block,
            "disputed": stratum.is_disputed,
            "without": json.dumps(eligible.without.get(stratum, [])),
            "index": index,
        },
    ).fetchone()
    return int(pair_id)


_STRATUM = "q.load, q.category, q.block, q.disputed"

_IS_FILLED = """EXISTS (SELECT 1 FROM group_load g
    WHERE g."group" = :group AND g.pair_id = q.pair_id AND g.load >= :wanted + q.extra)"""

_FILLED = f"""
    SELECT {_STRATUM}, count(*) FROM group_load g CROSS JOIN queue q ON q.pair_id = g.pair_id
    WHERE g."group" = :group AND g.load >= :wanted AND g.load >= :wanted + q.extra
      AND q.load < q.overlap
    GROUP BY {_STRATUM}
"""

_TALLY = f"SELECT {_STRATUM}, q.pairs, q.wanting FROM stratum q WHERE q.pairs > 0"

# Pairs met as lessons were not served to vote on, but in two windows at once they may be.
_CLOSED = f"""
    SELECT {_STRATUM}, q.pair_id FROM (
        SELECT pair_id FROM assignment WHERE annotator_id = :annotator
        UNION SELECT l.pair_id FROM trial t JOIN lesson l ON l.id = t.lesson_id
            WHERE t.annotator_id = :annotator
    ) closed CROSS JOIN queue q ON q.pair_id = closed.pair_id
    WHERE q.load < q.overlap AND NOT {{filled}}
"""

_SAME = f"""
    SELECT {_STRATUM}, q.pair_id FROM queue q
    WHERE q.question_id = :question AND q.load < q.overlap AND NOT {{filled}} ORDER BY q.pair_id
"""

_AT = """
    SELECT q.pair_id FROM queue q
    WHERE q.load = :load AND q.category IS :category AND q.block = :block
      AND q.disputed = :disputed AND q.load < q.overlap
      AND q.pair_id NOT IN (SELECT value FROM json_each(:without)) AND NOT {filled}
    ORDER BY q.pair_id LIMIT 1 OFFSET :index
"""


def settle_disputes(connection: sqlite3.Connection) -> None:
    """Look anew which pairs of the queue are disputed; within the caller's transaction.

    Votes cast and verdicts given here keep that right by themselves; imported ones do not.
    """
    connection.execute(
        "UPDATE queue SET disputed = 1 - disputed "
        "WHERE disputed <> (pair_id IN (SELECT pair_id FROM disputed_pair))"
    )
