"""A whole study: imported, judged, ruled on at the keyboard, exported, replayed, recomputed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.records import RulingChoice, RulingStage
from core.stats import Tally
from db.feed import Feed
from db.store import Store
from tests.adjudicating import MT_BENCH, Played, played_study
from tests.core.stats_oracle import find, result_of
from tests.studies import rows as rows_in
from tests.tui.test_fastchat_export import agreement, by_item
from tui.cli import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MT_BENCH.exists(), reason="the published votes are not here"),
]


def tiebreak(study: Path, *words: object) -> None:
    assert run(["--db", str(study), *map(str, words)]) == 0, words


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def hundred_rulings(study: Path, done: Played) -> None:
    assert (done.standing, done.unmasked, done.revised, done.undone) == (100, 10, 5, 4)
    assert rows_in(study, "SELECT count(*) FROM unmasking") == [(10,)]
    with Store(study) as store:
        assert store.verify() == []
        found = [one for item in store.reading.items() for one in item.rulings]
    assert len({(one.pair, one.turn) for one in found}) == 100
    stages = [one.stage for one in found]
    assert (stages.count(RulingStage.UNMASKED), stages.count(RulingStage.BLIND)) == (5, 95)
    assert all(one.reason.startswith("reason ") and one.queue_reason for one in found)


def gold_comes_back_to_the_byte(study: Path, tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    tiebreak(study, "export", "gold", "-o", gold)
    with Store(study) as store:
        ruled = {
            (item.pair.question, item.pair.model_1, item.pair.model_2, item.turn): item.rulings[-1]
            for item in store.reading.items()
            if item.rulings
        }
    assert len(ruled) == 100
    found = 0
    for row in rows(gold):
        ruling = ruled.get((row["question"], row["model_1"], row["model_2"], row["turn"]))
        if ruling is None:
            assert row["decided_by"] != "ruling"
            continue
        found += 1
        if ruling.choice in (RulingChoice.NOT_DECIDABLE, RulingChoice.MORE_VOTES):
            assert (row["label"], row["decided_by"]) == (None, "unresolved")
        else:
            assert (row["label"], row["decided_by"]) == (ruling.choice, "ruling")
        assert ruling.reason in [one["reason"] for one in row["rulings"]]
    assert found == 100
    # What comes later changes nothing of it.
    tiebreak(study, "rulings", "undo", "--as", "lea")
    again = tmp_path / "again.jsonl"
    tiebreak(study, "replay", f"{gold}.manifest.json", "--to", again)
    assert again.read_bytes() == gold.read_bytes()
    tiebreak(study, "verify", gold)
    later = tmp_path / "later.jsonl"
    tiebreak(study, "export", "gold", "-o", later)
    assert later.read_bytes() != gold.read_bytes()


def the_published_convention_gives_the_same_table(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "votes"
    tiebreak(study, "export", "votes", "--format", "mt_bench", "-o", out)
    items = by_item(out / "human_judgments.json", out / "gpt4_pair_judgments.json")
    with Store(study) as store:
        feed = Feed(store, Tally())
        feed.catch_up()
    for turn in (1, 2):
        table = result_of(
            feed.tally, "agreement", turn=turn, replicates=100, exclude_groups=("author",)
        ).estimates
        for setup, ties in (("S1", True), ("S2", False)):
            for rater, name in (("gpt4_pair", "gpt-4"), ("human", "human")):
                here = find(table, rater_1=rater, rater_2="human", turn=turn, setup=setup)
                assert agreement(items[turn], name, "human", ties=ties) == (here.k, here.n)


def the_report_names_no_annotator(study: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    tiebreak(study, "report", page)
    text = page.read_text("utf-8")
    assert '<h2 id="deference">' in text
    with Store(study) as store:
        people = [name for name in store.reading.groups() if name.startswith("expert")]
    assert people
    assert not [name for name in people if name in text]


def test_a_study_is_played_through(tmp_path: Path) -> None:
    """One test, so that the hundred rulings are made once, whoever runs it."""
    study = tmp_path / "mt.db"
    hundred_rulings(study, played_study(study))
    the_published_convention_gives_the_same_table(study, tmp_path)
    the_report_names_no_annotator(study, tmp_path)
    gold_comes_back_to_the_byte(study, tmp_path)
