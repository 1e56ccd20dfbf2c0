"""With what probability pairs are in the queue at all, over every draw that was made.

A draw keeps its own probability. A pair that missed one draw may come in by the next, and one that
was in two frames had two chances; votes weigh by the chance of being in the queue at all. It
follows from the draws: each shuffles the places of its frame by the study's seed and the frame's
size, and takes the first. Draws from frames of different size are therefore independent, those of
one size share one shuffle.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from core.sampling import inclusion_probability, simple_sample
from db.texts import TURNS_OF_PAIR

UNKNOWN = -1.0
"""Stands for the probability of a queued pair that nobody can work out."""

NO_RECORD = 0.0
"""Stands for the probability of a pair whose votes are there without any queue."""

NOT_KNOWN = "unknown"
"""The method of the design that imported pairs of unknown probability are queued by."""

_BY_HAND = "ruling"
"""That of the design by which a lead's wish for more votes queues what nobody had queued."""


class _Frame(NamedTuple):
    """Pairs that were drawn from, and how many of them at most."""

    seed: str
    population: int
    against: str | None
    size: int


def probabilities(
    connection: sqlite3.Connection, until: str | None = None
) -> list[tuple[int, float]]:
    """Each queued pair with the probability of being in the queue, ``UNKNOWN`` where none is known.

    A pair that was queued whole, not drawn, has 1 whatever else was drawn. Another's is unknown
    where a draw's frame cannot be found again, where it has votes only because a lead asked for
    them while others were drawn, where it was drawn here and elsewhere, or where the file that it
    came by said so. A pair that had votes before a lead asked for more is looked at for those, and
    counts as if nobody had asked: unless it was drawn besides, it has ``NO_RECORD``, as before.

    Args:
        until: the moment (ISO 8601) up to which draws count, as if none had come since.

    Returns:
        (pair_id, probability) in order of pair_id.
    """
    queued = connection.execute(
        "SELECT q.pair_id, q.probability, d.method FROM queue q "
        "JOIN design d ON d.id = q.design_id "
        "WHERE ?1 IS NULL OR d.made_at <= ?1 ORDER BY q.pair_id",
        (until,),
    ).fetchall()
    frames = _frames(connection, until)
    by_wish = [pair for pair, _, method in queued if method in (_BY_HAND, NOT_KNOWN)]
    had_votes = _had_votes(connection) & set(by_wish) if by_wish else set()
    is_drawn_elsewhere = any(
        (method == NOT_KNOWN and pair not in had_votes) or (p < 1 and method == "import")
        for pair, p, method in queued
    )
    if not frames and not is_drawn_elsewhere:
        return [
            (pair, NO_RECORD if pair in had_votes else probability)
            for pair, probability, _ in queued
        ]
    chances: Mapping[int, float] | None = {pair: p for pair, p, _ in queued}
    if frames and is_drawn_elsewhere:
        chances = None
    elif len(frames) > 1:
        chances = _over_draws(connection, frames, {pair for pair, _, _ in queued})
    anyway = _drawn(connection, frames) if had_votes else {}
    found = []
    for pair, recorded, method in queued:
        chance = (chances or {}).get(pair, UNKNOWN)
        if pair in had_votes:
            chance = anyway.get(pair, NO_RECORD)
        elif method in (_BY_HAND, NOT_KNOWN):
            chance = UNKNOWN
        elif recorded == 1:
            chance = 1.0
        found.append((pair, chance))
    return found


def _had_votes(connection: sqlite3.Connection) -> set[int]:
    """Pairs that a lead's wish for more votes brought into the queue, and that had votes then."""
    return {
        pair
        for (pair,) in connection.execute(
            "SELECT DISTINCT pair_id FROM ruling WHERE choice = 'more_votes' "
            "AND json_extract(shown, '$.queued') AND json_extract(shown, '$.votes') > 0"
        )
    }


def _drawn(connection: sqlite3.Connection, frames: list[_Frame]) -> dict[int, float]:
    """With what probability pairs were drawn, of those that were."""
    pairs = _with_texts(connection)
    drawn: set[int] = set()
    for frame in frames:
        drawn_from = _frame_of(pairs, frame) or ()
        places = simple_sample(frame.population, frame.size, frame.seed) if drawn_from else ()
        drawn.update(drawn_from[place] for place in places)
    chances = _over_draws(connection, frames, drawn)
    return {pair: chances[pair] if chances else UNKNOWN for pair in drawn}


def _with_texts(connection: sqlite3.Connection) -> list[tuple[int, str, str, str]]:
    """All pairs that can be queued, in the order they came."""
    return connection.execute(
        "SELECT p.id, p.key, p.model_1, p.model_2 FROM pair p "
        f"WHERE {TURNS_OF_PAIR} > 0 ORDER BY p.id"
    ).fetchall()


def settle_probabilities(connection: sqlite3.Connection) -> int:
    """Set what is on record of queued pairs to what all draws up to now make of it.

    What cannot be worked out stays as it was recorded.

    Returns:
        How many queued pairs have a probability that nobody can work out.
    """
    found = probabilities(connection)
    connection.executemany(
        "UPDATE queue SET probability = ?2 WHERE pair_id = ?1 AND probability != ?2",
        ((pair, probability) for pair, probability in found if probability > 0),
    )
    return sum(probability == UNKNOWN for _, probability in found)


def _frames(connection: sqlite3.Connection, until: str | None) -> list[_Frame]:
    """The frames of all samples, each with its largest sample.

    Pairs and their texts never leave a study: of one baseline, or of none, a frame only grows, and
    its size tells it.
    """
    return [
        _Frame(*row)
        for row in connection.execute(
            "SELECT seed, population, json_extract(arguments, '$.against') AS against, "
            "max(json_extract(arguments, '$.sample')) FROM design "
            "WHERE json_extract(arguments, '$.sample') IS NOT NULL "
            "AND (?1 IS NULL OR made_at <= ?1) "
            "GROUP BY seed, population, against ORDER BY seed, population, against",
            (until,),
        )
    ]


def _over_draws(
    connection: sqlite3.Connection, frames: Iterable[_Frame], queued: set[int]
) -> dict[int, float] | None:
    """The probability of every pair of any frame; None where a frame cannot be found again."""
    pairs = _with_texts(connection)
    chances: dict[int, float] = defaultdict(float)
    for (seed, population), same in groupby(frames, key=lambda frame: frame[:2]):
        # place in the shared shuffle → the largest sample that it was offered to, by pair
        places: dict[int, dict[int, int]] = defaultdict(dict)
        for frame in same:
            drawn_from = _frame_of(pairs, frame)
            if drawn_from is None:
                return None
            chosen = simple_sample(population, frame.size, seed)
            if any(drawn_from[place] not in queued for place in chosen):
                return None  # so it was another frame: what was drawn is queued for good
            for place, pair in enumerate(drawn_from):
                places[pair][place] = max(frame.size, places[pair].get(place, 0))
        for pair, sizes in places.items():
            chances[pair] += (1 - chances[pair]) * inclusion_probability(population, sizes.values())
    return chances


def _frame_of(pairs: Iterable[tuple[int, str, str, str]], frame: _Frame) -> list[int] | None:
    """The pairs of a frame in the order they were drawn by: those that were there first."""
    there = [
        (key, pair)
        for pair, key, *models in pairs
        if frame.against is None or frame.against in models
    ][: frame.population]
    if len(there) < frame.population:
        return None
    return [pair for _, pair in sorted(there)]
