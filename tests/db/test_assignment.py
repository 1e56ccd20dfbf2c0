"""Who gets which pair by which policy, against a plain count of what the study holds."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from core.policies import POLICIES
from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Pair,
    Question,
    Record,
    Seen,
    Verdict,
    VerdictStatus,
    Vote,
)
from db.pairs import make
from db.serving import Served
from db.store import Store
from tests.studies import located, rows, serve, vote

MODELS = ("ant", "bee", "cow")
CATEGORIES = ("maths", "writing", "law")


def study(
    path: Path, questions: int = 6, *, others: tuple[Record, ...] = (), models: Any = MODELS,
    **settings: Any,
) -> Store:  # fmt: skip
    """Questions of three categories in turn, three models, and whatever else is imported."""
    store = Store(path / "study.db", create=True)
    store.fix_seed("a fixed seed")
    store.set(settings)
    records: list[Record] = []
    for number in range(questions):
        records.append(Question(f"q{number}", (f"q{number}?",), CATEGORIES[number % 3]))
        records += [Answer(f"q{number}", model, (f"{model} on {number}",)) for model in models]
    store.ingest.take(located([*records, *others]))
    make(store)
    return store


def drawn(store: Store, served: Served) -> tuple[Any, ...]:
    """Pair, question, category, block, probability, policy and side of an assignment."""
    (row,) = store.connection.execute(
        "SELECT a.pair_id, p.question_id, q.category, p.model_1 || p.model_2, a.probability, "
        "a.policy || '/' || a.policy_version, a.left FROM assignment a JOIN pair p "
        "ON p.id = a.pair_id JOIN question q ON q.id = p.question_id WHERE a.id = ?",
        (served.assignment,),
    )
    return tuple(row)


def go_through(store: Store, name: str, most: int = 10**6) -> list[tuple[Any, ...]]:
    """Vote on everything one annotator gets."""
    person, found = store.annotator(name), []
    while len(found) < most and (served := store.serving.serve(person)) is not None:
        found.append(drawn(store, served))
        vote(store, person, served, Seen.LEFT)
    return found


@pytest.mark.parametrize("policy", POLICIES)
def test_no_question_follows_itself_and_all_comes_once(tmp_path: Path, policy: str) -> None:
    quota = {"maths": 1, "writing": 2}
    with study(tmp_path, policy=policy, category_quota=quota, overlap=2) as store:
        for name in ("ann", "bob"):
            draws = go_through(store, name)
            assert len({draw[0] for draw in draws}) == len(draws) == 18
            for number, (draw, after) in enumerate(pairwise(draws)):
                others = {one[1] for one in draws[number + 1 :]} - {draw[1]}
                assert after[1] != draw[1] or not others
            assert {draw[5] for draw in draws} == {f"{policy}/{POLICIES[policy].version}"}
        assert store.serving.serve(store.annotator("cat")) is None


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_seed_gives_the_same_draws(tmp_path: Path, policy: str) -> None:
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        with study(tmp_path / name, policy=policy, category_quota={"law": 1}) as store:
            runs.append(go_through(store, "ann"))
    assert runs[0] == runs[1]


def test_models_are_balanced_to_one_while_pairs_are_left(tmp_path: Path) -> None:
    with study(tmp_path, questions=9, overlap=2) as store:
        served: Counter[str] = Counter(dict.fromkeys(("antbee", "antcow", "beecow"), 0))
        people = [store.annotator(name) for name in ("ann", "bob", "cat")]
        for turn in range(27):
            one = serve(store, people[turn % 3])
            served[drawn(store, one)[3]] += 1
            vote(store, people[turn % 3], one, Seen.TIE)
            assert max(served.values()) - min(served.values()) <= 1


def test_each_pair_is_shown_in_both_orders_equally_often(tmp_path: Path) -> None:
    with study(tmp_path, questions=4, overlap=7) as store:
        orders: Counter[tuple[int, int]] = Counter()
        for name in "abcdefg":
            for draw in go_through(store, name):
                orders[draw[0], draw[6]] += 1
                assert abs(orders[draw[0], 1] - orders[draw[0], 2]) <= 1
        assert orders.total() == 4 * 3 * 7
        first = rows(store.path, "SELECT left, count(*) FROM assignment WHERE id <= 12 GROUP BY 1")
        assert {side for side, _ in first} == {1, 2}


def test_a_pair_given_back_leaves_its_order_to_the_next(tmp_path: Path) -> None:
    with study(tmp_path, questions=1, models=("ant", "bee"), overlap=4) as store:
        a, b, c = (store.annotator(name) for name in "abc")
        first = serve(store, a)
        side = drawn(store, first)[6]
        assert drawn(store, serve(store, b))[6] == 3 - side
        store.voting.skip(a, first.assignment)
        assert drawn(store, serve(store, c))[6] == side


def test_what_comes_back_does_not_follow_its_own_question(tmp_path: Path) -> None:
    with study(tmp_path, 3, policy="round-robin") as store:
        ann, bob = store.annotator("ann"), store.annotator("bob")
        first = serve(store, ann)
        store.serving.release(ann, first.assignment)
        taken = serve(store, bob)
        assert taken.question == first.question
        vote(store, ann, serve(store, ann), Seen.TIE)
        here = serve(store, ann)
        assert here.question == first.question, "another pair of it, by the order of the queue"
        store.serving.release(bob, taken.assignment)
        after = store.serving.serve(ann, beyond=here.assignment)
        assert after is not None
        assert after.question != here.question
        vote(store, ann, here, Seen.TIE)
        vote(store, ann, after, Seen.TIE)
        assert serve(store, ann).assignment == first.assignment, "then it comes"


def test_round_robin_goes_by_the_queue(tmp_path: Path) -> None:
    with study(tmp_path, policy="round-robin", models=("ant", "bee"), overlap=2) as store:
        for name in ("ann", "bob"):
            draws = go_through(store, name)
            assert [draw[0] for draw in draws] == sorted(draw[0] for draw in draws)
            assert {draw[4] for draw in draws} == {1.0}


def test_a_quota_is_kept_for_each_annotator(tmp_path: Path) -> None:
    quota = {"maths": 2, "writing": 1}
    with study(
        tmp_path, 60, policy="category-quota", category_quota=quota, models=("ant", "bee"),
        overlap=3,
    ) as store:  # fmt: skip
        for name in ("ann", "bob", "cat"):
            had = Counter(draw[2] for draw in go_through(store, name, most=15))
            assert had == {"maths": 10, "writing": 5}


def test_a_pair_wants_so_many_votes_of_each_group(tmp_path: Path) -> None:
    groups = {"expert": 1, "crowd": 2}
    with study(tmp_path, 2, overlap_by_group=groups) as store:
        assert rows(store.path, "SELECT DISTINCT overlap FROM queue") == [(3,)]
        for name, group in [("e1", "expert"), ("c1", "crowd"), ("c2", "crowd"), ("x", "")]:
            store.annotator(name, group=group)
        assert len(go_through(store, "c1")) == len(go_through(store, "c2")) == 6
        store.annotator("c3", group="crowd")
        assert go_through(store, "c3") == go_through(store, "x") == []
        e1, e2 = store.annotator("e1"), store.annotator("e2", group="expert")
        mine = serve(store, e1)
        assert store.serving.progress(e2).left == 5
        store.voting.skip(e1, mine.assignment)
        assert len(go_through(store, "e2")) == 6
        assert store.serving.serve_skipped(e1) is None
        assert rows(store.path, "SELECT DISTINCT load FROM queue") == [(3,)]


def test_a_category_has_its_own_overlap(tmp_path: Path) -> None:
    with study(tmp_path, overlap=2, overlap_by_category={"law": 3}) as store:
        wanted = dict(rows(store.path, "SELECT category, overlap FROM queue GROUP BY category"))
        assert wanted == {"maths": 2, "writing": 2, "law": 3}


def test_a_category_is_only_for_whom_its_rule_fits(tmp_path: Path) -> None:
    with study(tmp_path, only_for="law: expertise=law", overlap=3) as store:
        store.annotator("ann", attributes={"expertise": "law"})
        ann, bob = (len(go_through(store, name)) for name in ("ann", "bob"))
        assert (ann, bob) == (18, 12)
        assert store.serving.progress(store.annotator("bob")).left == 0


# ── disputes ────────────────────────────────────────────────────────────────


def disputed(store: Store) -> set[str]:
    return {
        key
        for (key,) in store.connection.execute(
            "SELECT q.key FROM queue u JOIN question q ON q.id = u.question_id WHERE u.disputed"
        )
    }


def of(number: int) -> Pair:
    return Pair(f"q{number}", "ant", "bee")


def verdict(id: str, number: int, choice: Choice, left: int) -> Verdict:
    return Verdict(id, of(number), 1, "j", VerdictStatus.OK, choice, left)


def contradictions() -> tuple[Record, ...]:
    """Disputed are 0 (two people), 2 (the judge); not 1 (a flip), 3 (they agree), 4, 5 (alone)."""
    ant, bee = Choice.MODEL_1, Choice.MODEL_2
    return (
        Annotator("eva"), Annotator("fay"), Judge("j", "imported"),
        Vote("v0", of(0), 1, "eva", ant), Vote("w0", of(0), 1, "fay", Choice.TIE),
        Vote("v1", of(1), 1, "eva", ant), Vote("v2", of(2), 1, "eva", ant),
        Vote("v3", of(3), 1, "eva", ant), Vote("w3", of(3), 1, "fay", ant),
        verdict("a", 1, ant, 1), verdict("b", 1, bee, 2), verdict("c", 2, bee, 1),
        verdict("d", 2, Choice.TIE, 2), verdict("e", 3, ant, 1), verdict("f", 5, bee, 1),
    )  # fmt: skip


def test_disputes_are_known_whatever_comes_first(tmp_path: Path) -> None:
    with study(tmp_path, others=contradictions(), models=("ant", "bee"), overlap=9) as store:
        assert disputed(store) == {"q0", "q2"}
        # … an import on queued pairs, a vote cast here, and its withdrawal.
        store.ingest.take(located([Vote("x", of(4), 1, "eva", Choice.MODEL_2)]))
        store.ingest.take(located([Vote("y", of(4), 1, "fay", Choice.BOTH_BAD)]))
        assert disputed(store) == {"q0", "q2", "q4"}
        ann = store.annotator("ann")
        while (served := serve(store, ann)).question != ("q3?",):
            store.voting.skip(ann, served.assignment)
        vote(store, ann, served, Seen.TIE)
        assert disputed(store) == {"q0", "q2", "q3", "q4"}
        store.voting.undo(ann, "local:ann", "u")
        assert disputed(store) == {"q0", "q2", "q4"}


def test_disagreement_first_gives_disputed_pairs_their_probability(tmp_path: Path) -> None:
    with study(
        tmp_path, others=contradictions(), models=("ant", "bee"), overlap=99,
        policy="disagreement-first", uniform_floor=0.3,
    ) as store:  # fmt: skip
        hits = Counter[bool]()
        for number in range(90):
            person = store.annotator(f"n{number}")
            served = serve(store, person)
            is_disputed = served.question in (("q0?",), ("q2?",))
            expected = 0.3 / 6 + is_disputed * 0.7 / 2
            assert drawn(store, served)[4] == pytest.approx(expected)
            hits[is_disputed] += 1
        assert 60 < hits[True] < 84  # 0.8 of 90, three standard deviations to either side


def test_recorded_probabilities_undo_what_the_policy_prefers(tmp_path: Path) -> None:
    """Des Raj's estimator; left wins where it is disputed, and seldom elsewhere."""
    others = tuple(
        record
        for number in range(6)
        for record in (
            Vote(f"v{number}", of(number), 1, "eva", Choice.MODEL_1),
            Vote(f"w{number}", of(number), 1, "fay", Choice.TIE),
        )
    )
    with study(
        tmp_path, 24, others=others, models=("ant", "bee"), overlap=99,
        policy="disagreement-first",
    ) as store:  # fmt: skip
        plain: list[float] = []
        weighted: list[float] = []
        for number in range(99):
            person = store.annotator(f"n{number}")
            before = 0.0
            for _ in range(5):
                served = serve(store, person)
                probability = drawn(store, served)[4]
                y = float(int(served.question[0][1:-1]) < 6)  # 6 of 24
                plain.append(y)
                weighted.append((before + y / probability) / 24)
                before += y
                store.voting.skip(person, served.assignment)
    assert sum(plain) / len(plain) > 0.6
    assert sum(weighted) / len(weighted) == pytest.approx(6 / 24, abs=0.03)
