"""Answers' texts are counted once, kept, and never by whoever votes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import StudyUnavailable
from core.records import Answer, Judge, Question
from core.stats import Tally, compute
from core.stats.background import COUNTED
from core.text import length_features
from db import background
from db.feed import Feed
from db.store import Store
from tests.studies import located, make_study


def fed(store: Store) -> Tally:
    tally = Tally()
    Feed(store, tally).catch_up()
    return tally


def counts(tally: Tally, question: str, model: str, turn: int) -> list[int] | None:
    zero, turns = np.zeros(1, np.int64), np.array([turn])
    found, known = tally.background.counts((question,), (model,), (zero, zero, turns))
    return found[0].tolist() if known[0] else None


def expected(text: str) -> list[int]:
    return [getattr(length_features(text), name) for name in COUNTED]


@pytest.fixture
def texts_counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were counted so far."""
    seen: list[str] = []

    def watched(text: str) -> object:
        seen.append(text)
        return length_features(text)

    monkeypatch.setattr(background, "length_features", watched)
    return seen


def test_each_text_is_counted_once_for_all_processes(study: Path, texts_counted: list[str]) -> None:
    with Store(study) as store:
        feed = Feed(store, tally := Tally())
        feed.catch_up()
        assert counts(tally, "q1", "ant", 1) == expected("ant on q1, turn 1")
        assert len(texts_counted) == 8
        feed.catch_up()
        fed(store)
    with Store(study) as again:
        assert counts(fed(again), "q2", "bee", 1) == expected("bee on q2, turn 1")
    assert len(texts_counted) == 8


def test_what_is_imported_later_is_counted_then(store: Store, texts_counted: list[str]) -> None:
    feed = Feed(store, tally := Tally())
    feed.catch_up()
    assert counts(tally, "q9", "ant", 1) is None
    text = "# A title\n\n- **one**\n- two\n"
    answers = [Answer("q9", "ant", (text, "and then")), Answer("q9", "bee", (text, "no"))]
    question = Question("q9", ("One?", "Two?"), None, ("Reference", None))
    store.ingest.take(located([question, *answers]))
    del texts_counted[:]
    feed.catch_up()
    assert sorted(texts_counted) == sorted([text, "and then", "no"])
    assert counts(tally, "q9", "bee", 1) == expected(text)
    whole = [one + two for one, two in zip(expected(text), expected("and then"), strict=True)]
    assert counts(tally, "q9", "ant", 0) == whole
    assert tally.background.referenced == {"q9"}


def test_other_rules_count_again(
    study: Path, texts_counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(study) as store:
        fed(store)
        monkeypatch.setattr(background, "COUNTED_BY", 99)
        fed(store)
        assert len(texts_counted) == 16
        versions = store.connection.execute("SELECT DISTINCT counted_by FROM text_count").fetchall()
        assert versions == [(99,)]


def test_who_may_only_read_has_the_same_numbers(study: Path) -> None:
    with Store(study, untouched=True) as store:
        assert counts(fed(store), "q1", "ant", 1) == expected("ant on q1, turn 1")
        assert not store.connection.execute("SELECT 1 FROM text_count").fetchall()


def test_a_study_that_is_locked_has_the_same_numbers(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StudyUnavailable("database is locked")

    monkeypatch.setattr(background, "_insert", refuse)
    tally = fed(store)
    assert counts(tally, "q1", "ant", 1) == expected("ant on q1, turn 1")
    monkeypatch.undo()
    assert not store.connection.execute("SELECT 1 FROM text_count").fetchall()
    fed(store)
    assert len(store.connection.execute("SELECT 1 FROM text_count").fetchall()) == 8


def test_judges_are_described_as_they_come(store: Store) -> None:
    feed = Feed(store, tally := Tally())
    feed.catch_up()
    assert tally.background.judges == {}
    judge = Judge("j", "openai", "ant-9", prompt="pairwise")
    store.judging.add(judge)
    feed.catch_up()
    assert tally.background.judges == {"j": judge}


def test_tables_of_bias_come_from_the_study_itself(tmp_path: Path) -> None:
    with Store(make_study(tmp_path / "s.db", questions=2)) as store:
        (style,) = compute(fed(store), only={"style"})
    assert style.notes == ("there are no votes and no verdicts yet",)
