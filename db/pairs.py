"""Making pairs and putting them in the queue, with the probability each was there with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import TiebreakError
from core.records import Pair
from core.sampling import simple_sample
from db.inclusion import NOT_KNOWN, settle_probabilities
from db.texts import TURNS_OF_PAIR

if TYPE_CHECKING:
    import sqlite3

    from db.store import Store


@dataclass(frozen=True, slots=True)
class Made:
    """What ``make`` did, in pairs.

    Attributes:
        population: pairs that could be chosen.
        queued: pairs newly put in the queue.
        already: chosen pairs that were in the queue before.
        overlap: votes wanted on each.
        probability: of each pair of the population to be chosen by this.
        unknown: queued pairs, old and new, of which nobody can work out how likely they were to be
            in the queue by all draws up to now.
    """

    population: int
    queued: int
    already: int
    overlap: int
    probability: float
    unknown: int = 0


def make(
    store: Store,
    *,
    against: str | None = None,
    sample: int | None = None,
    overlap: int | None = None,
) -> Made:
    """Pair the answers of each question and queue the pairs for voting.

    Each queued pair, old and new, then has the probability of being in the queue by all draws.

    Args:
        against: only pairs with this baseline model; all pairs otherwise.
        sample: this many of them, drawn uniformly without replacement by the study's seed.
        overlap: votes wanted per pair; otherwise what the study's settings say: for its category,
            from all groups together, or for all pairs. A pair that is in the queue already keeps
            the larger of the two.

    Raises:
        TiebreakError: if there is nothing to pair, no such model, or too few for the sample.
    """
    settings = store.settings()
    of_groups = sum(settings["overlap_by_group"].values())
    wanted = (of_groups or int(settings["overlap"])) if overlap is None else overlap
    by_category = settings["overlap_by_category"] if overlap is None else {}
    if wanted < 1 or (sample is not None and sample < 1):
        raise TiebreakError("a sample and its overlap are whole numbers from 1")
    method = "sample" if sample is not None else "baseline" if against else "all"
    with store.write() as connection:
        _check_model(connection, against)
        _make_rows(connection, against)
        rows = connection.execute(
            "SELECT p.id, q.category FROM pair p JOIN question q ON q.id = p.question_id "
            f"WHERE {TURNS_OF_PAIR} > 0 "
            "AND (?1 IS NULL OR ?1 IN (p.model_1, p.model_2)) ORDER BY p.key",
            (against,),
        ).fetchall()
        if not rows:
            raise TiebreakError(
                "there is nothing to pair: no question has answers of two models with their texts",
                "import questions and model answers first",
            )
        chosen = list(range(len(rows)))
        if sample is not None:
            if sample > len(rows):
                raise TiebreakError(
                    f"a sample of {sample} was asked for, but there are {len(rows)} pairs",
                    "ask for fewer, or leave --sample out to take all",
                )
            chosen = simple_sample(len(rows), sample, store.seed)
        probability = len(chosen) / len(rows)
        design = connection.execute(
            "INSERT INTO design (method, arguments, seed, population, made_at) "
            "VALUES (?, ?, ?, ?, ?) RETURNING id",
            (
                method,
                json.dumps({"against": against, "sample": sample, "overlap": wanted}),
                store.seed,
                len(rows),
                store.now(),
            ),
        ).fetchone()[0]
        before = connection.execute("SELECT count(*) FROM queue").fetchone()[0]
        connection.executemany(
            "INSERT INTO queue (pair_id, design_id, probability, overlap) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (pair_id) DO UPDATE SET overlap = max(overlap, excluded.overlap), "
            # What a lead queued by hand has no chance of its own, what came by a file may have
            # one that nobody knows; what is queued whole has 1.
            "design_id = iif(excluded.probability = 1 AND (SELECT d.method FROM design d "
            f"WHERE d.id = design_id) IN ('ruling', '{NOT_KNOWN}'), "
            "excluded.design_id, design_id), "
            "probability = max(probability, excluded.probability)",
            [
                (pair_id, design, probability, by_category.get(category, wanted))
                for pair_id, category in (rows[place] for place in chosen)
            ],
        )
        queued = connection.execute("SELECT count(*) FROM queue").fetchone()[0] - before
        unknown = settle_probabilities(connection)
    return Made(len(rows), queued, len(chosen) - queued, wanted, probability, unknown)


def _check_model(connection: sqlite3.Connection, model: str | None) -> None:
    models = [row[0] for row in connection.execute("SELECT name FROM model ORDER BY name")]
    if model is not None and model not in models:
        raise TiebreakError(
            f"no model is called {model!r}", f"models of this study: {', '.join(models) or 'none'}"
        )


def _make_rows(connection: sqlite3.Connection, against: str | None) -> None:
    """Add the pairs that are not there yet, of all answers that have a text."""
    connection.create_function("pair_key", 3, lambda q, a, b: Pair(q, a, b).key, deterministic=True)
    connection.execute(
        "INSERT OR IGNORE INTO pair (key, question_id, model_1, model_2, answer_1, answer_2) "
        "SELECT pair_key(q.key, a.model, b.model), q.id, a.model, b.model, a.id, b.id "
        "FROM question q JOIN answer a ON a.question_id = q.id "
        "JOIN answer b ON b.question_id = q.id AND a.model < b.model "
        "WHERE (?1 IS NULL OR ?1 IN (a.model, b.model)) "
        "AND EXISTS (SELECT 1 FROM answer_turn t WHERE t.answer_id = a.id) "
        "AND EXISTS (SELECT 1 FROM answer_turn t WHERE t.answer_id = b.id) "
        "AND EXISTS (SELECT 1 FROM question_turn t WHERE t.question_id = q.id)",
        (against,),
    )
