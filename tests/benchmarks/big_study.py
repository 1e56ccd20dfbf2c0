"""A study with as many votes as one likes, made in seconds: rows are written past the store.

Its chain of hashes is empty, and no answer has a text; what counts votes reads it as any other.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import combinations
from pathlib import Path

from db.store import Store

MODELS = tuple(f"model-{number:02}" for number in range(12))
CATEGORIES = (
    "coding",
    "extraction",
    "humanities",
    "math",
    "reasoning",
    "roleplay",
    "stem",
    "writing",
)
VOTES_A_PAIR = 3
_ANNOTATORS = 60
_PAIRS = tuple(combinations(MODELS, 2))
_OUTCOMES = ("model_1", "model_2", "tie", "both_bad")


def write(path: Path, votes: int, seed: int = 1) -> Path:
    """A study of so many votes by sixty people; a judge judged a third of the pairs."""
    Store(path, create=True).close()
    chance = random.Random(seed)
    pairs = votes // VOTES_A_PAIR
    questions = -(-pairs // len(_PAIRS))
    with closing(sqlite3.connect(path)) as connection, connection:
        many = connection.executemany
        many("INSERT INTO model (name) VALUES (?)", ((name,) for name in MODELS))
        many(
            "INSERT INTO question (id, key, category) VALUES (?, ?, ?)",
            ((n, f"q{n}", CATEGORIES[n % 8]) for n in range(1, questions + 1)),
        )
        many(
            "INSERT INTO answer (id, question_id, model) VALUES (?, ?, ?)",
            (
                (12 * (n - 1) + place + 1, n, model)
                for n in range(1, questions + 1)
                for place, model in enumerate(MODELS)
            ),
        )
        many(
            "INSERT INTO pair (id, key, question_id, model_1, model_2, answer_1, answer_2) "
            "VALUES (?, ?, ?, ?, ?, 1, 2)",
            ((n + 1, f"{n:032x}", n // 66 + 1, *_PAIRS[n % 66]) for n in range(pairs)),
        )
        many(
            "INSERT INTO annotator (id, name, role, added_at) VALUES (?, ?, 'annotator', '')",
            ((n + 1, f"person-{n:02}") for n in range(_ANNOTATORS)),
        )
        many(
            "INSERT INTO vote (id, pair_id, turn, annotator_id, identity, left, seen, choice, at, "
            "hash) VALUES (?, ?, 1, ?, '', ?, ?, ?, ?, '')",
            _votes(pairs, chance),
        )
        connection.execute(
            "INSERT INTO judge VALUES (1, 'judge', 'llm', 'm', '', '', '', '{}', '', '')"
        )
        many(
            "INSERT INTO verdict (id, pair_id, turn, judge_id, left, status, seen, choice, "
            "attempts, at, hash) VALUES (?, ?, 1, 1, ?, 'ok', ?, ?, 1, '', '')",
            _verdicts(pairs, chance),
        )
    return path


def add_vote(path: Path, number: int) -> None:
    """One more vote on the first pair, as another process would commit it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO vote (id, pair_id, turn, annotator_id, identity, left, seen, choice, at, "
            "hash) VALUES (?, 1, 1, ?, '', 1, 'left', 'model_1', '2026-03-01T00:00:00Z', '')",
            (f"more-{number}", number % _ANNOTATORS + 1),
        )


def _outcome(pair: int, chance: random.Random) -> str:
    """A model with a higher number is better, and a few pairs are ties or both bad."""
    one, two = divmod(pair, 66)[1], 0
    first, second = _PAIRS[one]
    gap = (MODELS.index(second) - MODELS.index(first)) / 12 + two
    if chance.random() < 0.2:
        return "tie" if chance.random() < 0.75 else "both_bad"
    return "model_2" if chance.random() < 0.5 + gap / 2.5 else "model_1"


def _seen(choice: str, left: int) -> str:
    if choice in ("tie", "both_bad"):
        return choice
    return "left" if choice == f"model_{left}" else "right"


def _votes(pairs: int, chance: random.Random) -> Iterator[tuple[object, ...]]:
    for pair in range(pairs):
        first = chance.randrange(_ANNOTATORS)
        for place in range(VOTES_A_PAIR):
            left, choice = chance.randint(1, 2), _outcome(pair, chance)
            day = 1 + (27 * pair) // pairs
            yield (
                f"v{pair}-{place}",
                pair + 1,
                (first + 7 * place) % _ANNOTATORS + 1,
                left,
                _seen(choice, left),
                choice,
                f"2026-02-{day:02}T12:00:00Z",
            )


def _verdicts(pairs: int, chance: random.Random) -> Iterator[tuple[object, ...]]:
    for pair in range(0, pairs, 3):
        for left in (1, 2):
            choice = _outcome(pair, chance)
            yield f"j{pair}-{left}", pair + 1, left, _seen(choice, left), choice
