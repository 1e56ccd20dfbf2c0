"""Scores in a study: once, unchanged, carried along, and nothing for annotators."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from core.errors import Conflict, NotForAnnotators, TiebreakError
from core.records import Annotator, Score
from core.stats import Tally
from db.feed import Feed
from db.merging import merge
from db.scores import Scores
from db.store import Store
from tests.studies import located, make_study

HERE = Score("exam", "ant", 1.5, 1.0, 2.0)
OTHER = Score("exam", "bee", 7.0)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study.db", questions=2)


def test_scores_are_kept_once_and_never_turned(study: Path) -> None:
    with Store(study) as store:
        assert store.ingest.take(located([HERE, OTHER])).new["scores"] == 2
        again = store.ingest.take(located([OTHER, HERE]))
        assert (again.new["scores"], again.unchanged["scores"]) == (0, 2)
        fresh = Score("exam", "cat", 2.0)
        for other in (Score("exam", "ant", 1.6), Score("exam", "ant", 1.5)):
            with pytest.raises(Conflict, match=r"'ant' has 1\.[56] on 'exam' here, but 1\.5"):
                store.ingest.take(located([fresh, other]))
        assert Scores(store).every() == (HERE, OTHER)
        assert Scores(store).remove("exam") == 2
        with pytest.raises(TiebreakError, match="no scores on 'exam'"):
            Scores(store).remove("exam")
        assert not Scores(store).every()


def test_a_tally_follows_scores_as_they_come_and_go(study: Path) -> None:
    with Store(study) as store, Store(study) as other:
        feed = Feed(store, Tally())
        feed.catch_up()
        assert feed.tally.scores == ()
        other.ingest.take(located([HERE]))
        assert feed.stale()
        assert feed.catch_up()
        assert [one.model for one in feed.tally.scores] == ["ant"]
        Scores(other).remove("exam")
        assert feed.catch_up()
        assert feed.tally.scores == ()


def test_a_merge_brings_scores_and_lists_what_contradicts(study: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_bytes(study.read_bytes())
    with Store(study) as store:
        store.ingest.take(located([HERE]))
    with Store(there) as store:
        store.ingest.take(located([OTHER, Score("exam", "ant", 9.0)]))
    with Store(study) as store:
        refused = merge(store, there)
        assert not refused.is_done
        assert any("'ant' has 9 on 'exam' here, but 1.5" in each for each in refused.conflicts)
        assert Scores(store).every() == (HERE,)
        assert merge(store, there, leave_out_conflicts=True).is_done
        said = {(one.model, one.score) for one in Scores(store).every()}
    assert said == {("ant", 1.5), ("bee", 7.0)}


@pytest.mark.parametrize(
    "statement",
    ["SELECT model FROM score", "SELECT count(*) FROM score", "DELETE FROM score",
     "INSERT INTO score (benchmark, model, score, added_at) VALUES ('b', 'm', 1, '')"],
)  # fmt: skip
def test_an_annotators_connection_knows_no_scores(study: Path, statement: str) -> None:
    with Store(study) as store:
        store.ingest.take(located([HERE]))
    refused = pytest.raises((sqlite3.DatabaseError, NotForAnnotators))
    with Store(study, blind_for=Annotator("ann")) as store, refused:
        store.connection.execute(statement).fetchall()
