"""Pairs are made once, queued as asked for, and each with the probability it was chosen with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from core.errors import TiebreakError
from core.records import Answer, Choice, Pair, Question, Vote
from core.stats import Tally
from db.feed import Feed
from db.pairs import Made, make
from db.store import Store
from tests.studies import located, questions_and_answers

MODELS = ("ant", "bee", "cow", "dog")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "study.db", create=True) as opened:
        opened.fix_seed("a fixed seed")
        opened.ingest.take(located(questions_and_answers(5, MODELS)))
        yield opened


def queue(store: Store) -> dict[Pair, tuple[float, int]]:
    found = store.connection.execute(
        "SELECT q.key, p.model_1, p.model_2, u.probability, u.overlap FROM queue u "
        "JOIN pair p ON p.id = u.pair_id JOIN question q ON q.id = p.question_id"
    )
    return {Pair(*row[:3]): row[3:] for row in found}


ALL = {Pair(f"q{n}", a, b) for n in range(1, 6) for a, b in combinations(MODELS, 2)}


def test_all_pairs(store: Store) -> None:
    assert make(store) == Made(30, 30, 0, 1, 1.0)
    assert queue(store) == dict.fromkeys(ALL, (1.0, 1))
    assert store.verify() == []


def test_again_makes_nothing_new_and_keeps_the_larger_overlap(store: Store) -> None:
    make(store, overlap=3)
    assert make(store, overlap=2) == Made(30, 0, 30, 2, 1.0)
    assert queue(store) == dict.fromkeys(ALL, (1.0, 3))
    make(store, overlap=5)
    assert queue(store) == dict.fromkeys(ALL, (1.0, 5))
    assert len(store.connection.execute("SELECT * FROM design").fetchall()) == 3


def test_overlap_is_the_study_s_unless_it_is_said(store: Store) -> None:
    store.set({"overlap": 4})
    assert make(store).overlap == 4
    assert {overlap for _, overlap in queue(store).values()} == {4}


def test_against_a_baseline(store: Store) -> None:
    assert make(store, against="cow") == Made(15, 15, 0, 1, 1.0)
    assert set(queue(store)) == {pair for pair in ALL if "cow" in (pair.model_1, pair.model_2)}
    assert make(store) == Made(30, 15, 15, 1, 1.0)


def test_a_sample_has_its_probability(store: Store) -> None:
    assert make(store, sample=6) == Made(30, 6, 0, 1, 0.2)
    assert set(queue(store).values()) == {(0.2, 1)}
    assert make(store, sample=6) == Made(30, 0, 6, 1, 0.2)


def test_a_sample_follows_from_the_seed_alone(store: Store, tmp_path: Path) -> None:
    make(store, sample=6)
    chosen = set(queue(store))
    for seed, same in (("a fixed seed", True), ("another", False)):
        with Store(tmp_path / f"{seed}.db", create=True) as other:
            other.fix_seed(seed)
            # The order of import is no matter either.
            records = sorted(questions_and_answers(5, MODELS), key=repr, reverse=True)
            other.ingest.take(located(records))
            make(other, sample=6)
            assert (set(queue(other)) == chosen) is same


def test_a_sample_that_grows_is_still_one_sample(store: Store) -> None:
    """Drawn in steps, each pair's probability is that of the largest sample it came with."""
    make(store, sample=6)
    first = set(queue(store))
    make(store, sample=15)
    assert first < set(queue(store))
    assert set(queue(store).values()) == {(0.5, 1)}
    make(store, sample=6)
    assert set(queue(store).values()) == {(0.5, 1)}
    make(store)
    assert queue(store) == dict.fromkeys(ALL, (1.0, 1))


def test_a_whole_part_beside_a_sample(store: Store) -> None:
    make(store, sample=15)
    sampled = set(queue(store))
    make(store, against="ant")
    for pair, (probability, _) in queue(store).items():
        assert probability == (1.0 if pair.model_1 == "ant" else 0.5)
        assert pair in sampled or pair.model_1 == "ant"


def test_every_pair_is_as_likely_as_the_record_says(tmp_path: Path) -> None:
    """Over many seeds each pair is in a third of the samples: chi-square, 99.9%, 29 degrees."""
    with Store(tmp_path / "study.db", create=True) as store:
        store.ingest.take(located(questions_and_answers(5, MODELS)))
        hits = dict.fromkeys(ALL, 0)
        for seed in range(300):
            store.fix_seed(str(seed))
            make(store, sample=10)
            for pair in queue(store):
                hits[pair] += 1
            with store.write() as connection:
                connection.execute("DELETE FROM queue")
    expected = 300 * 10 / 30
    # Without replacement the counts vary less than independent ones by (1 - 1/3).
    chi = sum((count - expected) ** 2 for count in hits.values()) / (expected * (1 - 1 / 3))
    assert sum(hits.values()) == 3000
    assert 10 < chi < 58.3


def test_pairs_without_all_their_texts_are_not_queued(store: Store) -> None:
    store.ingest.take(
        located(
            [
                Vote("v", Pair("q9", "ant", "bee"), 1, "n", Choice.TIE),
                Question("q8", ("Eight?", "And?")),
                Answer("q8", "ant", ("x", "y")),
                Answer("q8", "bee", ("x",)),
                Answer("q7", "ant", ("x",)),
                Answer("q7", "bee", ("x",)),
            ]
        )
    )
    assert make(store).population == 31
    assert {pair.question for pair in queue(store)} == {*(f"q{n}" for n in range(1, 6)), "q8"}


def test_what_cannot_be_made_is_refused_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    for arguments, words in (
        ({"against": "emu"}, "no model is called 'emu'"),
        ({"sample": 31}, "there are 30 pairs"),
        ({"sample": 0}, "whole numbers from 1"),
        ({"sample": -1}, "whole numbers from 1"),
        ({"overlap": 0}, "whole numbers from 1"),
    ):
        with pytest.raises(TiebreakError, match=words):
            make(store, **arguments)
    assert queue(store) == {}
    assert store.reading.counts()["pairs"] == 0
    with (
        Store(tmp_path / "empty.db", create=True) as empty,
        pytest.raises(TiebreakError, match="nothing to pair"),
    ):
        make(empty)


def test_a_tally_knows_with_what_probability_each_pair_was_chosen(store: Store) -> None:
    make(store, sample=6)
    feed = Feed(store, Tally())
    feed.catch_up()
    first = feed.tally.pair_probability.tolist()
    assert sorted(first) == [0.0] * 24 + [0.2] * 6
    make(store, against="ant", sample=10)
    feed.catch_up()
    then = {pair: chance for pair, (chance, _) in queue(store).items()}
    found = feed.tally.pair_probability
    rows = store.connection.execute(
        "SELECT q.key, p.model_1, p.model_2 FROM pair p JOIN question q ON q.id = p.question_id "
        "ORDER BY p.id"
    ).fetchall()
    assert found.tolist() == [then.get(Pair(*row), 0.0) for row in rows]
    # Ant's pairs may have come by either draw, others by the first alone.
    assert sorted(set(found.tolist())) == pytest.approx([0.0, 0.2, 1 - 0.8 * 5 / 15])
