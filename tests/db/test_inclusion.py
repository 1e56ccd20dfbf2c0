"""However often pairs were drawn, each one's probability is that of being queued at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.adjudication.case import RulingSeen
from core.blinding import case_name
from core.formats import named
from core.records import Annotator, Choice, Pair, Role, Vote
from core.sampling import inclusion_probability
from core.stats import Options, Tally, compute
from core.stats.results import Result
from db.feed import Feed
from db.inclusion import NO_RECORD, UNKNOWN, probabilities
from db.more_votes import Asked
from db.pairs import make
from db.ruling_queue import RulingQueue
from db.store import Store
from tests.core.stats_oracle import find
from tests.studies import FILES, FakeClock, as_lines, located, questions_and_answers

MODELS = ("ant", "bee", "cow", "dog")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "study.db", create=True) as opened:
        opened.fix_seed("a fixed seed")
        opened.ingest.take(located(questions_and_answers(10, MODELS[:3])))
        yield opened


def bring_dog(store: Store, questions: int = 10) -> None:
    store.ingest.take(located(questions_and_answers(questions, MODELS)))


def forget(store: Store, seed: str) -> None:
    store.fix_seed(seed)
    with store.write() as connection:
        for table in ("queue", "design", "stratum"):
            connection.execute(f"DELETE FROM {table}")


def queue(store: Store) -> dict[Pair, float]:
    chances = dict(probabilities(store.connection))
    rows = store.connection.execute(
        "SELECT p.id, q.key, p.model_1, p.model_2 FROM pair p "
        "JOIN question q ON q.id = p.question_id"
    )
    return {Pair(*row[1:]): chances[row[0]] for row in rows if row[0] in chances}


def stored(store: Store) -> list[float]:
    rows = store.connection.execute("SELECT probability FROM queue ORDER BY pair_id")
    return [row[0] for row in rows]


@given(
    st.integers(1, 5).flatmap(
        lambda population: st.tuples(
            st.just(population),
            st.lists(st.integers(0, population), min_size=1, max_size=population),
        )
    )
)
def test_one_shuffle_for_several_samples_is_counted_out(case: tuple[int, list[int]]) -> None:
    """A pair at place 0 for the first sample, at place 1 for the second …: over every shuffle."""
    population, sizes = case
    shuffles = list(permutations(range(population)))
    hits = sum(any(ranks[place] < size for place, size in enumerate(sizes)) for ranks in shuffles)
    assert inclusion_probability(population, sizes) == pytest.approx(hits / len(shuffles))


def test_a_baseline_s_sample_and_one_of_all(store: Store) -> None:
    bring_dog(store)
    make(store, against="ant", sample=15)
    make(store, sample=6)
    for pair, chance in queue(store).items():
        assert chance == pytest.approx(1 - 0.5 * 0.9 if pair.model_1 == "ant" else 0.1)
    assert stored(store) == [chance for _, chance in probabilities(store.connection)]


def test_a_model_that_came_between_two_draws(store: Store) -> None:
    make(store, sample=15)
    bring_dog(store)
    assert make(store, sample=30).unknown == 0
    for pair, chance in queue(store).items():
        assert chance == pytest.approx(0.5 if "dog" in (pair.model_1, pair.model_2) else 0.75)
    make(store, sample=12)  # lies within the second draw
    assert set(queue(store).values()) == {0.5, 0.75}
    make(store, against="cow")
    for pair, chance in queue(store).items():
        assert (chance == 1) is ("cow" in (pair.model_1, pair.model_2))


def test_frames_of_one_size_share_one_shuffle(store: Store) -> None:
    """Over many seeds, pairs at two places of one shuffle are in the queue as often as is said."""
    said, seen, seeds = {}, dict.fromkeys(combinations(MODELS[:3], 2), 0), 200
    for seed in range(seeds):
        forget(store, str(seed))
        make(store, against="ant", sample=10)
        make(store, against="bee", sample=10)
        for pair, chance in queue(store).items():
            seen[pair.model_1, pair.model_2] += 1
            said.setdefault((pair.model_1, pair.model_2), set()).add(round(chance, 12))
    assert said["ant", "cow"] == said["bee", "cow"] == {0.5}
    (both,) = said["ant", "bee"] - {0.5}
    assert both == pytest.approx(1 - 10 / 20 * 9 / 19)
    inner = [*said["ant", "bee"]]
    assert max(inner) == both
    assert seen["ant", "cow"] / (10 * seeds) == pytest.approx(0.5, abs=0.03)


def test_weights_add_up_to_what_was_drawn_from(store: Store) -> None:
    """Σ 1/p over the queue estimates each part's size (Horvitz & Thompson 1952), over 150 seeds."""
    bring_dog(store)
    make(store)
    sums: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(150):
        forget(store, str(seed))
        make(store, against="ant", sample=15)
        make(store, sample=12)
        found = queue(store)
        for of_ant, kept in sums.items():
            kept.append(
                sum(1 / p for pair, p in found.items() if (pair.model_1 == "ant") is of_ant)
            )
    for kept in sums.values():
        error = np.std(kept) / np.sqrt(len(kept))
        assert abs(np.mean(kept) - 30) < 4 * error < 6


def agreement(store: Store) -> Result:
    feed = Feed(store, Tally())
    feed.catch_up()
    (result,) = compute(feed.tally, Options(replicates=200), {"agreement"})
    return result


def vote_on_all(store: Store, seed: int) -> None:
    """Two people on every queued pair: of one mind on .9 of ant's pairs and .1 of the others."""
    rng = np.random.default_rng(seed)
    votes = []
    for number, pair in enumerate(queue(store)):
        same = (pair.model_1 == "ant") == (rng.random() < 0.9)
        said = Choice.MODEL_1 if same else Choice.MODEL_2
        votes.append(Vote(f"{seed}a{number}", pair, 1, "ann", Choice.MODEL_1))
        votes.append(Vote(f"{seed}b{number}", pair, 1, "bob", said))
    store.ingest.take(located(votes))


@pytest.mark.parametrize("undo", ["hand", "frame", "elsewhere"])
def test_what_nobody_can_work_out_weighs_nothing_and_says_so(
    store: Store, undo: str, tmp_path: Path
) -> None:
    make(store, sample=10)
    bring_dog(store)
    make(store, sample=20)
    with store.write() as connection:
        if undo == "hand":
            design = "INSERT INTO design VALUES (9, 'ruling', '{}', '', 60, '')"
            connection.execute(design)
            connection.execute(
                "INSERT INTO queue (pair_id, design_id, probability, overlap) SELECT id, 9, 1, 1 "
                "FROM pair WHERE id NOT IN (SELECT pair_id FROM queue) LIMIT 1"
            )
        elif undo == "frame":
            connection.execute("UPDATE design SET seed = 'another' WHERE id = 1")
        else:
            connection.execute("INSERT INTO design VALUES (9, 'import', '{}', '', 60, '')")
            connection.execute(
                "UPDATE queue SET design_id = 9 WHERE pair_id = (SELECT max(pair_id) FROM queue)"
            )
    unknown = sum(chance == UNKNOWN for chance in queue(store).values())
    assert unknown == (1 if undo == "hand" else len(queue(store)))
    vote_on_all(store, 1)
    result = agreement(store)
    assert any(
        f"votes are not weighed: {unknown} of the voted pairs" in said
        for said in result.assumptions
    )
    human = find(result.estimates, setup="S1", kind="human-human")
    assert human.value == human.k / human.n
    with moved(store, tmp_path) as there:
        assert queue(there) == queue(store)
        assert agreement(there).assumptions == result.assumptions
        with moved(there, tmp_path / "again") as farther:
            assert queue(farther) == queue(store)
        made_whole(there)
    assert make(store, sample=5).unknown == unknown
    made_whole(store)


def wishes(store: Store, pair: Pair, key: str) -> Asked | None:
    """A lead has more votes asked for on a pair."""
    store.people.add(Annotator("lea", Role.LEAD), [])
    queue_of_lea = RulingQueue(store, "lea")
    name = case_name(store.seed, pair.key)
    queue_of_lea.take(f"{name}/1")
    return queue_of_lea.rule(f"{name}/1", RulingSeen.MORE_VOTES, "too few", id=key)


def test_a_wish_for_more_votes_takes_no_weights_from_what_had_votes(
    store: Store, tmp_path: Path
) -> None:
    """A pair that was voted on before anybody asked counts as if nobody had."""
    make(store)
    pairs = [*queue(store)]
    forget(store, "a fixed seed")
    store.ingest.take(
        located([Vote(f"i{n}", pair, 1, "zoe", Choice.TIE) for n, pair in enumerate(pairs)])
    )
    make(store, sample=10)
    before, said = queue(store), agreement(store).assumptions
    wanted = next(pair for pair in pairs if pair not in before)
    asked = wishes(store, wanted, "m1")
    assert asked is not None
    assert asked.may_end_weights  # as below: what is said tells no judge from a person
    assert queue(store) == {**before, wanted: NO_RECORD}
    store.ingest.take(located([Vote("late", wanted, 1, "bob", Choice.TIE)]))
    assert agreement(store).assumptions == said
    with moved(store, tmp_path) as there:
        assert agreement(there).assumptions == said
    for size in range(11, 31):  # until it is drawn, as the others are
        make(store, sample=size)
        others = {chance for pair, chance in queue(store).items() if pair != wanted}
        assert others == {size / 30}
        if queue(store)[wanted] != NO_RECORD:
            break
    assert queue(store)[wanted] == size / 30


def test_a_wish_for_votes_on_what_had_none_leaves_its_probability_unknown(store: Store) -> None:
    make(store)
    pairs = [*queue(store)]
    forget(store, "a fixed seed")
    make(store, sample=10)
    wanted = next(pair for pair in pairs if pair not in queue(store))
    asked = wishes(store, wanted, "m1")
    assert asked is not None
    assert asked.may_end_weights
    assert queue(store)[wanted] == UNKNOWN


def made_whole(store: Store) -> None:
    """What is queued whole has probability 1, however it came."""
    make(store)
    assert set(queue(store).values()) == {1.0}
    assert json.dumps(agreement(store).to_json()).count("not weighed") == 0


@contextmanager
def moved(store: Store, folder: Path) -> Iterator[Store]:
    """The study in a new file, by way of native lines."""
    folder.mkdir(exist_ok=True)
    lines = folder / "study.jsonl"
    lines.write_text(as_lines(store.reading.records()), encoding="utf-8")
    with Store(folder / "moved.db", create=True) as opened:
        opened.ingest.take(named("native").read(lines), FILES)
        yield opened


def test_what_was_drawn_later_takes_no_probability_back(store: Store) -> None:
    """As of a moment, only what was drawn by then counts."""
    clock = FakeClock()
    store.clock = clock
    make(store, sample=10)
    first, then = queue(store), store.now()
    clock.forward(seconds=5)
    with store.write() as connection:
        elsewhere = (store.now(),)
        connection.execute("INSERT INTO design VALUES (9, 'import', '{}', '', 60, ?)", elsewhere)
        connection.execute(
            "INSERT INTO queue (pair_id, design_id, probability, overlap) SELECT id, 9, 0.5, 1 "
            "FROM pair WHERE id NOT IN (SELECT pair_id FROM queue) LIMIT 1"
        )
    assert set(queue(store).values()) == {UNKNOWN}
    assert [chance for _, chance in probabilities(store.connection, then)] == [*first.values()]


@pytest.mark.slow
@pytest.mark.parametrize("comes_later", [False, True])
def test_intervals_hold_the_whole_s_agreement_over_two_draws(
    tmp_path: Path, comes_later: bool
) -> None:
    """Half of all pairs agree in .9, half in .1; of 60 studies nominal 95% intervals hold .5."""
    held, studies, questions = 0, 60, 60
    for seed in range(studies):
        with Store(tmp_path / f"{seed}.db", create=True) as store:
            store.fix_seed(str(seed))
            # Ant's pairs are half of all: it comes with the others, or when they were drawn from.
            first = MODELS[1:] if comes_later else MODELS
            store.ingest.take(located(questions_and_answers(questions, first)))
            if comes_later:
                make(store, sample=60)
                bring_dog(store, questions)
                make(store, sample=120)
            else:
                make(store, against="ant", sample=90)
                make(store, sample=60)
            vote_on_all(store, seed)
            human = find(agreement(store).estimates, setup="S1", kind="human-human")
            assert human.low is not None
            assert human.high is not None
            held += human.low <= 0.5 <= human.high
    assert held >= 0.87 * studies
