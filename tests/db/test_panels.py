"""Panels are kept, and a tally that follows a study knows them, failures and baselines at once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import Conflict, TiebreakError
from core.panels import Panel, PanelRule
from core.records import (
    Answer,
    Choice,
    Judge,
    Pair,
    Question,
    Record,
    Verdict,
    VerdictStatus,
    Vote,
)
from core.stats import Tally
from core.stats.beside import TEXT_UNKNOWN
from db.feed import Feed
from db.ingest import File
from db.store import Store
from judges.baselines import BaselineJudge
from judges.tasks import both_orders
from tests.core.stats_oracle import find, result_of
from tests.studies import SHARED, located
from tui.importing import import_path

TEXTS = {
    "q1": {"ant": ("short", "# Title\nlong enough"), "bee": ("much longer", "# A\n# B\nx")},
    "q2": {"ant": ("```\n# no heading\n```", "b"), "bee": ("## yes", "c")},
    "q3": {"ant": ("same", "same"), "bee": ("size", "size")},
}


def records() -> list[Record]:
    found: list[Record] = [Judge("x", "imported"), Judge("y", "imported"), Judge("z", "imported")]
    for key, answers in TEXTS.items():
        found.append(Question(key, ("one?", "two?")))
        found += [Answer(key, model, texts) for model, texts in answers.items()]
    for key in TEXTS:
        pair = Pair(key, "ant", "bee")
        for turn in (0, 1, 2):
            found.append(Vote(f"v{key}{turn}", pair, turn, "ann", Choice.MODEL_1))
            found.append(
                Verdict(f"w{key}{turn}", pair, turn, "x", VerdictStatus.OK, Choice.MODEL_2)
            )
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "s.db", create=True)
    store.ingest.take(located(records()))
    return store


def test_a_panel_is_kept_listed_and_removed(store: Store, tmp_path: Path) -> None:
    panel = Panel("three", PanelRule.WEIGHTED, {"x": 2.0, "y": 0.5})
    fitted = Panel("fit", PanelRule.WEIGHTED, {"x": None, "z": None})
    assert store.panels.add(panel)
    assert store.panels.add(fitted)
    assert not store.panels.add(panel)
    with pytest.raises(Conflict, match="other members"):
        store.panels.add(Panel("three", PanelRule.MAJORITY, {"x": 1.0, "y": 1.0}))
    with pytest.raises(TiebreakError, match="no judge is called 'nobody'"):
        store.panels.add(Panel("p", PanelRule.MAJORITY, {"nobody": 1.0}))
    with Store(tmp_path / "s.db", reading=True) as again:
        assert again.panels.every() == (panel, fitted)
    store.panels.remove("three")
    assert store.panels.every() == (fitted,)
    with pytest.raises(TiebreakError, match="no panel is called 'three'"):
        store.panels.remove("three")


def test_a_tally_follows_panels_as_they_come_and_go(store: Store, tmp_path: Path) -> None:
    feed = Feed(store, Tally())
    assert feed.catch_up()
    assert not feed.catch_up()
    with Store(tmp_path / "s.db") as other:
        other.panels.add(Panel("p", PanelRule.MAJORITY, {"x": 1.0}))
    assert feed.stale()
    assert feed.catch_up()
    assert find(
        result_of(feed.tally, "agreement").estimates, kind="panel-human", turn=1, setup="S1"
    ).n
    with Store(tmp_path / "s.db") as other:
        other.panels.remove("p")
    assert feed.catch_up()
    assert not result_of(feed.tally, "panels").estimates


async def said(model: str, key: str, turn: int) -> int:
    """What the baseline judge itself says: 1–3, its two orders being one."""
    judge = BaselineJudge(Judge("b", "baseline", model))
    one, two = TEXTS[key]["ant"], TEXTS[key]["bee"]
    tasks = both_orders(Pair(key, "ant", "bee"), turn, Question(key, ("one?", "two?")), one, two)
    words = {(await judge.judge(task)).choice for task in tasks}
    (choice,) = words
    assert choice is not None
    return 1 + list(Choice).index(choice)


async def all_said() -> dict[tuple[str, int], list[int]]:
    return {
        (key, turn): [await said(model, key, turn) for model in ("longer-answer", "most-headings")]
        for key in TEXTS
        for turn in (0, 1, 2)
    }


def test_the_baselines_of_a_report_say_what_baseline_judges_say(store: Store) -> None:
    feed = Feed(store, Tally())
    feed.catch_up()
    tally = feed.tally
    expected = asyncio.run(all_said())
    keys = dict(
        store.connection.execute(
            "SELECT p.id, q.key FROM pair p JOIN question q ON q.id = p.question_id"
        )
    )
    items = np.arange(len(tally.item_turn))
    found = {
        (keys[pair], turn): words
        for pair, turn, words in zip(
            tally.pair_ids(items).tolist(),
            tally.item_turn.tolist(),
            tally.baselines.rows(len(items)).tolist(),
            strict=True,
        )
    }
    assert found == expected
    assert {word for words in found.values() for word in words} == {1, 2, 3}


def test_baselines_need_the_texts_and_come_with_them(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db", create=True) as store:
        texts = [each for each in records() if isinstance(each, Question | Answer)]
        store.ingest.take(located([each for each in records() if each not in texts]))
        feed = Feed(store, Tally())
        feed.catch_up()
        items = len(feed.tally.item_turn)
        assert (feed.tally.baselines.rows(items) == TEXT_UNKNOWN).all()
        store.ingest.take(
            located(texts, "texts.jsonl"), {"texts.jsonl": File("texts.jsonl", "native", "1" * 64)}
        )
        feed.catch_up()
        assert (feed.tally.baselines.rows(items) > 0).all()


def test_only_items_with_verdicts_are_looked_at_and_each_once(store: Store) -> None:
    feed = Feed(store, Tally())
    feed.catch_up()
    looked: list[str] = []
    store.connection.set_trace_callback(looked.append)
    pair = Pair("q1", "ant", "bee")
    store.ingest.take(located([Verdict("new", pair, 1, "y", VerdictStatus.OK, Choice.TIE)]))
    feed.catch_up()
    store.connection.set_trace_callback(None)
    assert any("FROM verdict" in each for each in looked)
    assert not [each for each in looked if "answer_text" in each]


def test_failures_bring_their_names_and_a_retry_takes_them_away(store: Store) -> None:
    pair, other = Pair("q1", "ant", "bee"), Pair("q2", "ant", "bee")
    feed = Feed(store, Tally())
    feed.catch_up()
    store.ingest.take(
        located(
            [
                Verdict("f1", pair, 1, "y", VerdictStatus.FAILED, left=1, failure="timed out"),
                Verdict("f2", pair, 1, "y", VerdictStatus.UNPARSED, left=2, failure="no verdict"),
                Verdict("f3", other, 1, "y", VerdictStatus.REFUSED, left=2),
            ]
        )
    )
    feed.catch_up()
    counted = {
        row.labels["failure"]: row.k
        for row in result_of(feed.tally, "failures").estimates
        if row.labels["rater"] == "y"
    }
    assert counted == {"any": 3, "timed out": 1, "no verdict": 1, "refused": 1}
    store.ingest.take(
        located([Verdict("f4", pair, 1, "y", VerdictStatus.OK, Choice.TIE, 1, supersedes="f1")])
    )
    feed.catch_up()
    rows = result_of(feed.tally, "failures").estimates
    assert find(rows, rater="y", failure="any").k == 2
    assert not [row for row in rows if row.labels["failure"] == "timed out"]


def test_the_longer_answer_of_mt_bench_is_the_one_of_the_raw_files(tmp_path: Path) -> None:
    """Experts' votes against lengths, counted from the published files alone."""
    folder = SHARED / "mt_bench"
    if not folder.exists():
        pytest.skip("published data not there: mt_bench")

    def lines(path: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    length = {
        (answer["question_id"], path.stem, turn): len(text)
        for path in sorted((folder / "model_answer").glob("*.jsonl"))
        for answer in lines(path)
        for turn, text in enumerate(answer["choices"][0]["turns"], 1)
    }
    counted: Counter[tuple[int, bool]] = Counter()
    far: Counter[bool] = Counter()
    for vote in lines(folder / "human.jsonl"):
        winner = vote["winner"].split(" ")[0]
        sides = (vote["model_a"], vote["model_b"])
        a, b = (length[vote["question_id"], model, vote["turn"]] for model in sides)
        if vote["judge"].startswith("expert"):
            word = "tie" if a == b else "model_a" if a > b else "model_b"
            counted[vote["turn"], word == winner] += 1
        if winner != "tie" and abs(a - b) > 50:
            far[(a > b) == (winner == "model_a")] += 1
    with Store(tmp_path / "mt.db", create=True) as store:
        import_path(store.path, folder)
        feed = Feed(store, Tally())
        feed.catch_up()
        rows = result_of(feed.tally, "agreement", exclude_groups=("author",)).estimates
    for turn in (1, 2):
        row = find(rows, turn=turn, setup="S1", rater_1="(longer)", rater_2="human")
        agreeing, other = counted[turn, True], counted[turn, False]
        assert (row.k, row.n) == (agreeing, agreeing + other)
    # What the field has published of the same files, by any human and from 50 characters on.
    assert far.total() == 2306
    assert round(far[True] / far.total(), 3) == 0.711
