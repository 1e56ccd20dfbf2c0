"""A study that cannot be written is read where SQLite can, and nothing is left beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import StudyBroken, StudyUnavailable
from db import read_only
from db.schema import APPLICATION_ID
from db.store import Store
from tests.studies import dump, full_study, rows


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return full_study(tmp_path / "study.db")


@pytest.fixture(autouse=True)
def unwritable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user who may not write; root may, so rights alone would not show it."""
    monkeypatch.setattr("db.store.is_writable", lambda path: False)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_all_that_reads_works_and_nothing_is_left(study: Path) -> None:
    with Store(study) as store:
        said = (store.reading.counts(), store.settings(), list(store.reading.records()))
        heads = store.heads()
    before = study.read_bytes()
    with Store(study, reading=True) as store:
        assert store.is_read_only
        assert (store.reading.counts(), store.settings(), list(store.reading.records())) == said
        assert (store.verify(), store.heads()) == ([], heads)
        assert names(study.parent) == {"study.db"}
        with pytest.raises(StudyUnavailable, match="read-only"):
            store.annotator("new")
    assert study.read_bytes() == before


@pytest.fixture
def crashed(study: Path) -> Path:
    """A copy of a study as a crash leaves it: the newest rows are in the log alone."""
    crashed = study.parent / "crashed"
    crashed.mkdir()
    with Store(study) as store:
        store.annotator("newest")
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(f"{study}{suffix}", crashed / f"study.db{suffix}")
    return crashed / "study.db"


def test_rows_that_are_in_the_log_alone_are_read_too(crashed: Path) -> None:
    with Store(crashed, reading=True) as store:
        assert "newest" in store.reading.groups()
        assert store.verify() == []


def test_a_log_that_cannot_be_read_is_not_passed_over(crashed: Path) -> None:
    """Without the log the study would look whole, and lack its newest votes."""
    crashed.with_name("study.db-shm").unlink()
    folder = crashed.parent
    folder.chmod(0o555)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("root may write everywhere; tests of a read-only disk show this too")
        with pytest.raises(StudyUnavailable, match=r"newest votes are in study\.db-wal") as refusal:
            Store(crashed, reading=True)
        assert "copy study.db and study.db-wal together" in refusal.value.hint
    finally:
        folder.chmod(0o755)


def test_an_open_session_of_somebody_else_s_is_read_as_it_goes_on(study: Path) -> None:
    with closing(sqlite3.connect(study, isolation_level=None)) as other:
        other.execute("INSERT INTO model (name) VALUES ('first')")
        with Store(study, reading=True) as store:
            count = "SELECT count(*) FROM model"
            with store.read() as connection:
                before = connection.execute(count).fetchone()[0]
                other.execute("INSERT INTO model (name) VALUES ('second')")
                assert connection.execute(count).fetchone()[0] == before
            with store.read() as connection:
                assert connection.execute(count).fetchone()[0] == before + 1


@pytest.mark.parametrize("checkpointed", [True, False])
def test_what_was_read_while_somebody_wrote_does_not_count(study: Path, checkpointed: bool) -> None:
    with Store(study, reading=True) as store:
        assert not store.verify()
        with closing(sqlite3.connect(study, isolation_level=None)) as other:
            reading = store.read()
            reading.__enter__()
            other.execute("INSERT INTO model (name) VALUES ('meanwhile')")
            if checkpointed:
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with pytest.raises(StudyUnavailable, match="wrote to it while"):
                reading.__exit__(None, None, None)


def test_an_older_version_is_not_upgraded_where_it_cannot_be(study: Path) -> None:
    with closing(sqlite3.connect(study)) as raw:
        raw.execute("PRAGMA user_version = 0")
    before = dump(study)
    with pytest.raises(StudyBroken):
        Store(study, reading=True)
    assert dump(study) == before


def test_a_version_between_is_named(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_only, "LATEST", 99)
    with pytest.raises(StudyBroken, match="older Tiebreak") as refusal:
        Store(study, reading=True)
    assert "copy it into a folder that you can write" in refusal.value.hint
    assert rows(study, "PRAGMA application_id") == [(APPLICATION_ID,)]


@pytest.fixture
def odd(study: Path) -> Path:
    return study.rename(study.with_name("50% of #1?&mode=rwc.db"))


def test_a_path_is_a_path_and_no_address(odd: Path) -> None:
    with Store(odd, reading=True) as store:
        assert store.verify() == []
    assert names(odd.parent) == {odd.name}
