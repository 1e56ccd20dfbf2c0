"""A study file: made once, upgraded from every older version, and never mistaken for another."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils

from core.errors import StudyBroken, StudyUnavailable
from core.settings import KNOWN
from db.blind import BlindConnection
from db.chain import LOGS
from db.migrations import migrations
from db.schema import APPLICATION_ID, LATEST, upgrade
from db.store import Store
from tests.db.workers import at_once, open_new
from tests.studies import full_study, rows

MIGRATIONS = [one.name for one in migrations().pending(sqlite_utils.Database(memory=True))]


def shape(path: Path) -> list[tuple[str, str]]:
    """The tables, indexes and triggers of a file."""
    return rows(path, "SELECT name, sql FROM sqlite_master ORDER BY name")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return full_study(tmp_path / "study.db")


def test_the_latest_version_is_the_number_of_migrations() -> None:
    assert len(MIGRATIONS) == LATEST


def test_a_fresh_study_is_marked_and_empty(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with Store(path, create=True) as store:
        assert store.verify() == []
        assert store.settings() == {key: known.default for key, known in KNOWN.items()}
        assert store.heads() == {log: (0, "") for log in LOGS}
        assert set(store.reading.counts().values()) == {0}
    assert rows(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert rows(path, "PRAGMA user_version") == [(LATEST,)]
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("stop", MIGRATIONS)
def test_every_older_version_is_upgraded(tmp_path: Path, stop: str) -> None:
    fresh, older = tmp_path / "fresh.db", tmp_path / "older.db"
    Store(fresh, create=True).close()
    with closing(sqlite3.connect(older, isolation_level=None)) as connection:
        upgrade(connection, stop_before=stop)
    assert rows(older, "PRAGMA user_version") == [(MIGRATIONS.index(stop),)]
    with Store(older) as store:
        assert store.verify() == []
    assert rows(older, "PRAGMA user_version") == [(LATEST,)]
    assert rows(older, "PRAGMA journal_mode") == [("wal",)]
    assert shape(older) == shape(fresh)


def written_by_version(path: Path, stop: str, newer: Path) -> Path:
    """What an older version would have written: the rows of a newer file in its own columns."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        upgrade(connection, stop_before=stop)
        tables = [
            name
            for _, name, kind, *_ in connection.execute("PRAGMA table_list").fetchall()
            if kind == "table" and not name.startswith(("sqlite_", "_sqlite_"))
        ]
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:  # the rows come as a whole, with what triggers made of them
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("ATTACH ? AS newer", (str(newer),))
        for table in tables:
            columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
            names = ", ".join(f'"{column}"' for column in columns)
            connection.execute(f"DELETE FROM main.{table}")
            connection.execute(
                f"INSERT INTO main.{table} ({names}) SELECT {names} FROM newer.{table}"
            )
        for _, trigger in triggers:
            connection.execute(trigger)
    return path


@pytest.mark.parametrize("stop", MIGRATIONS[1:])
def test_what_an_older_version_holds_is_kept_whole(tmp_path: Path, stop: str) -> None:
    study = full_study(tmp_path / "study.db", version=MIGRATIONS.index(stop))
    older = written_by_version(tmp_path / "older.db", stop, study)
    with Store(study) as now, Store(older) as upgraded:
        assert upgraded.verify() == []
        assert upgraded.heads() == now.heads()
        assert list(upgraded.reading.records()) == list(now.reading.records())
        assert upgraded.reading.counts() == now.reading.counts()
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            upgraded.connection.execute("DELETE FROM vote")
    assert shape(older) == shape(study)


def test_an_upgrade_that_would_leave_a_reference_dangling_is_refused(tmp_path: Path) -> None:
    study = full_study(tmp_path / "study.db", version=1)
    older = written_by_version(tmp_path / "older.db", MIGRATIONS[1], study)
    with closing(sqlite3.connect(older)) as connection:
        connection.execute("DELETE FROM assignment")
        connection.commit()
        before = list(connection.iterdump())
    with pytest.raises(StudyBroken, match="names a missing assignment"):
        Store(older)
    with closing(sqlite3.connect(older)) as connection:
        assert list(connection.iterdump()) == before
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE ruling (mine)")
        before = list(connection.iterdump())
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            upgrade(connection)
        assert not connection.in_transaction
        assert list(connection.iterdump()) == before
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)


def test_opening_again_changes_nothing(study: Path) -> None:
    before = study.read_bytes()
    for _ in range(2):
        with Store(study) as store:
            assert store.verify() == []
    assert study.read_bytes() == before


def test_eight_processes_open_a_new_study_at_the_same_moment(tmp_path: Path) -> None:
    rounds = 6
    seeds = at_once(8, open_new, tmp_path, rounds)
    assert all(isinstance(one, list) for one in seeds), "\n".join(map(str, seeds))
    assert all(one == seeds[0] for one in seeds)
    assert len(set(seeds[0])) == rounds
    for turn in range(rounds):
        with Store(tmp_path / f"{turn}.db") as store:
            assert store.verify() == []
            assert store.reading.counts()["annotators"] == 1


def test_a_study_that_appears_while_it_is_opened_is_not_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks at the file another process makes the study."""
    path = tmp_path / "study.db"
    path.touch()
    real = sqlite3.connect

    interruptions: list[str] = []

    class Interrupted(BlindConnection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if "sqlite_master" in sql and not interruptions:
                interruptions.append(sql)
                with (
                    closing(real(path, isolation_level=None, timeout=0.1)) as other,
                    suppress(sqlite3.OperationalError),  # where it had to wait for us
                ):
                    upgrade(other)
            return super().execute(sql, *values)

    monkeypatch.setattr(
        "db.connection.sqlite3.connect",
        lambda *given, **named: real(*given, **{**named, "factory": Interrupted}),
    )
    with Store(path, create=True) as store:
        assert store.seed
    assert interruptions


def test_a_newer_version_is_refused(study: Path) -> None:
    with closing(sqlite3.connect(study)) as connection:
        connection.execute(f"PRAGMA user_version = {LATEST + 1}")
    before = study.read_bytes()
    with pytest.raises(StudyBroken, match="newer Tiebreak") as refusal:
        Store(study)
    assert "update" in refusal.value.hint
    assert study.read_bytes() == before


@pytest.mark.parametrize("marked", [0, 42])
def test_another_database_is_refused_and_left_alone(tmp_path: Path, marked: int) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title)")
        connection.execute(f"PRAGMA application_id = {marked}")
    before = path.read_bytes()
    with pytest.raises(StudyBroken, match="not a study"):
        Store(path, create=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"just a note, and no database at all\n" * 40, b"\x00" * 4096])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes(content)
    with pytest.raises(StudyBroken, match="not a study"):
        Store(path, create=True)
    assert path.read_bytes() == content


def test_a_damaged_study_is_named(study: Path) -> None:
    whole = bytearray(study.read_bytes())
    whole[4096:] = b"\xa5" * (len(whole) - 4096)
    study.write_bytes(whole)
    with pytest.raises(StudyBroken, match="damaged"):
        Store(study)


def test_what_is_not_there_or_cannot_be_opened_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(StudyUnavailable, match="no study here"):
        Store(tmp_path / "absent.db")
    assert not (tmp_path / "absent.db").exists()
    with pytest.raises(StudyUnavailable, match="cannot be opened"):
        Store(tmp_path / "no folder" / "new.db", create=True)
    with pytest.raises(StudyUnavailable, match="cannot be opened"):
        Store(tmp_path, create=True)


def test_every_table_of_ours_is_strict(study: Path) -> None:
    tables = [
        (name, strict)
        for _, name, kind, _, _, strict in rows(study, "PRAGMA table_list")
        if kind == "table" and not name.startswith(("sqlite_", "_sqlite_"))
    ]
    assert len(tables) >= 17
    assert [name for name, strict in tables if not strict] == []


def test_every_connection_is_careful(study: Path) -> None:
    with Store(study) as store:
        expected = {"foreign_keys": 1, "synchronous": 2, "journal_mode": "wal"}
        for pragma, value in expected.items():
            assert store.connection.execute(f"PRAGMA {pragma}").fetchone() == (value,), pragma
        with pytest.raises(sqlite3.IntegrityError), store.write() as connection:
            connection.execute("INSERT INTO queue (pair_id, design_id) VALUES (999, 999)")


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {0} SET turn = turn",
        "UPDATE {0} SET hash = 'x' WHERE seq = 1",
        "DELETE FROM {0}",
        "DELETE FROM {0} WHERE seq = (SELECT max(seq) FROM {0})",
        "INSERT OR REPLACE INTO {0} SELECT * FROM {0} WHERE seq = 1",
    ],
)
def test_the_logs_take_no_change(study: Path, log: str, statement: str) -> None:
    with Store(study) as store:
        before = store.heads()
        with (
            pytest.raises(sqlite3.IntegrityError, match=f"the {log} log is append-only"),
            store.write() as connection,
        ):
            connection.execute(statement.format(log))
        assert store.heads() == before
        assert store.verify() == []


def test_a_text_names_no_column_of_a_log_by_mistake() -> None:
    """Each log keeps its rows by natural keys too: an id, and no row number that may be reused."""
    from db.migrations.m001_first import TABLES

    for log in LOGS:
        table = re.search(rf"CREATE TABLE {log} \((.*?)\) STRICT", TABLES, re.S)
        assert table
        assert "seq INTEGER PRIMARY KEY AUTOINCREMENT" in table[1]
        assert "id TEXT NOT NULL UNIQUE" in table[1]
