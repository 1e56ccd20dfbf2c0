"""Judges, what is left for them, and their verdicts, each recorded once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import Conflict, TiebreakError
from core.records import Choice, Judge, Pair, Seen, Verdict, VerdictStatus
from core.stats.tally import Tally
from db.feed import Feed
from db.judge_left import Scope, count_left
from db.judge_queue import JudgeQueue
from db.judging import Asked, asked_of
from db.processes import process_name
from db.store import Store
from tests.studies import located, make_study, serve, vote

JUDGE = Judge("j", "prompted", "m", "http://j", "pairwise", "abc", {"seed": 0}, "r1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(make_study(tmp_path / "study.db", questions=2, turns=2)) as opened:
        opened.judging.add(JUDGE)
        yield opened


def names(pair: str, turn: int, left: int, repeat: int) -> str:
    return f"{pair}.{turn}.{left}" if not repeat else f"{pair}.{turn}.{left}.{repeat}"


def left_to_judge(store: Store, scope: Scope | None = None) -> list[Asked]:
    """All that is left for the judge, in the order in which it is wanted."""
    queue = JudgeQueue(store, "j", process_name())
    asked: dict[str, Asked] = {}
    for portion in queue.frontier(scope or Scope(), names).portions():
        with store.read() as connection:
            found = asked_of(connection, [(one.pair_id, one.turn, one.left) for one in portion])
        for wanted, one in zip(portion, found, strict=True):
            asked.setdefault(wanted.key, one)
    return list(asked.values())


def verdict(asked: Asked, **fields: object) -> Verdict:
    key = f"{asked.pair.key}.{asked.turn}.{asked.left}"
    plain = Verdict(key, asked.pair, asked.turn, "j", VerdictStatus.OK, Choice.TIE, asked.left)
    return replace(plain, **fields)  # type: ignore[arg-type]


def test_a_judge_is_one_configuration(store: Store) -> None:
    assert store.judging.add(JUDGE) is False
    others = (
        replace(JUDGE, model="n"),
        replace(JUDGE, prompt_hash="d"),
        replace(JUDGE, parameters={}),
        replace(JUDGE, revision="r2"),
    )
    for other in others:
        with pytest.raises(Conflict, match="another configuration"):
            store.judging.add(other)
    assert store.judging.judges() == [JUDGE]
    assert store.judging.judge("j") == JUDGE
    with pytest.raises(TiebreakError, match="no judge is called 'k'"):
        store.judging.judge("k")


def test_every_turn_of_every_pair_is_asked_in_both_orders(store: Store) -> None:
    asked = left_to_judge(store)
    assert len(asked) == len(set((a.pair, a.turn, a.left) for a in asked)) == 2 * 2 * 2
    for one in asked:
        first, second = one.pair.model_1, one.pair.model_2
        if one.left == 2:
            first, second = second, first
        assert [text.split()[0] for text in one.left_turns] == [first, first]
        assert [text.split()[0] for text in one.right_turns] == [second, second]
    assert count_left(store, "j", Scope()) == 8


def test_pairs_that_people_voted_on_come_first(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    vote(store, ann, served, Seen.TIE)
    asked = left_to_judge(store)
    assert [one.question.turns == served.question for one in asked] == [True] * 4 + [False] * 4


def test_what_is_judged_is_not_asked_again_failures_included(store: Store) -> None:
    first, second, *others = left_to_judge(store)
    failed = verdict(second, status=VerdictStatus.REFUSED, choice=None)
    assert store.judging.record([verdict(first), failed]) == 2
    assert left_to_judge(store) == others
    retried = verdict(second, id="retry", supersedes=failed.id)
    assert store.judging.record([retried]) == 1
    (standing,) = [
        v for item in store.reading.items() for v in item.verdicts if v.left == second.left
    ]
    assert standing.choice is Choice.TIE
    assert store.verify() == []


def test_one_id_is_one_verdict(store: Store) -> None:
    first, second, *_ = left_to_judge(store)
    one, other = verdict(first), verdict(second)
    assert store.judging.record([one, one]) == 1
    assert store.judging.record([one, other, other]) == 1
    assert store.reading.counts()["verdicts"] == 2
    assert store.verify() == []


def test_a_verdict_is_kept_whole(store: Store) -> None:
    asked = left_to_judge(store)[1]
    given = verdict(
        asked, choice=Choice.MODEL_2, scores=(1, 9), preference=1, prompt="pairwise",
        prompt_hash="abc", label="[[B]]", raw="I say \x00 [[B]]", reasoning="", tokens_in=0,
        tokens_out=2**40, latency=2, cost=0, attempts=3, at="2024",
    )  # fmt: skip
    store.judging.record([given])
    (item,) = store.reading.items()
    assert item.verdicts == [given]
    assert item.pair == asked.pair
    assert isinstance(item.pair, Pair)
    seen = store.connection.execute("SELECT seen FROM verdict").fetchone()[0]
    assert seen == ("right" if asked.left == 1 else "left")
    assert store.verify() == []


def test_whole_conversations_are_asked_once(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=2, turns=2, vote_per="conversation")
    with Store(path) as store:
        store.judging.add(JUDGE)
        asked = left_to_judge(store)
        assert {one.turn for one in asked} == {0}
        assert len(asked) == 4


def test_a_judge_s_repeat_keeps_its_outcome_and_is_no_failure(store: Store) -> None:
    pair = Pair("q1", "ant", "bee")
    verdicts = [
        Verdict(f"w{n}", pair, 1, "k", VerdictStatus.OK, Choice.TIE, left=1, repeat=n)
        for n in range(3)
    ]
    store.ingest.take(located([Judge("k", "imported"), *verdicts]))
    tally = Tally()
    Feed(store, tally).catch_up()
    assert tally.verdict_calls(tally.judges.index("k")) == (3, 0)
