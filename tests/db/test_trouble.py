"""A full disk, a locked or read-only file: said in words, and nothing is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.errors import StudyBroken, StudyUnavailable, TiebreakError
from core.records import Answer, Choice, Pair, Question, Seen, Vote
from db.connection import in_words
from db.serving import Draft
from db.store import Store
from tests.studies import FakeClock, dump, located, make_study, serve, vote


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = make_study(tmp_path / "study.db", questions=3, overlap=2)
    monkeypatch.setattr("db.connection.BUSY_SECONDS", 0.05)
    return path


@pytest.fixture
def store(study: Path) -> Iterator[Store]:
    with Store(study, clock=FakeClock()) as opened:
        yield opened


@contextmanager
def locked(store: Store) -> Iterator[None]:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def read_only(store: Store) -> Iterator[None]:
    store.connection.execute("PRAGMA query_only = ON")
    yield
    store.connection.execute("PRAGMA query_only = OFF")


@contextmanager
def full(store: Store) -> Iterator[None]:
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    yield
    store.connection.execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize(
    ("trouble", "words"),
    [(locked, "another process has been writing"), (read_only, "read-only")],
)
def test_a_vote_that_cannot_be_written_is_refused_and_can_be_cast_again(
    store: Store, trouble: Callable[[Store], object], words: str
) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    before = dump(store.path)
    deeds: list[Callable[[], object]] = [
        lambda: vote(store, ann, served, Seen.LEFT),
        lambda: store.voting.skip(ann, served.assignment),
        lambda: store.voting.undo(ann, "local:ann", "u"),
        lambda: store.serving.serve(ann),
        lambda: store.serving.keep_draft(served.assignment, 1, Draft("typed")),
        lambda: store.annotator("bob"),
        lambda: store.set({"overlap": 2}),
        lambda: store.ingest.take(located([Question("new", ("?",))])),
    ]
    with trouble(store):  # type: ignore[attr-defined]
        for deed in deeds:
            with pytest.raises(StudyUnavailable, match=words) as refusal:
                deed()
            assert str(store.path) in refusal.value.message
            assert refusal.value.hint
            assert not store.connection.in_transaction
        # Reading goes on meanwhile.
        assert store.reading.counts()["votes"] == 0
        assert store.verify() == []
    assert dump(store.path) == before
    assert vote(store, ann, served, Seen.LEFT) is True
    assert store.reading.counts()["votes"] == 1
    assert store.verify() == []


def test_opening_a_new_study_waits_for_its_lock_and_then_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.connection.BUSY_SECONDS", 0.05)
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StudyUnavailable, match="another process"):
            Store(path, create=True)
    with Store(path, create=True) as store:
        assert store.verify() == []


def test_a_full_disk_refuses_the_whole_import(store: Store) -> None:
    before = dump(store.path)
    large = [Answer(f"q{n}", "ant", (f"{n} " * 2000,)) for n in range(1000, 1200)]
    with full(store):
        with pytest.raises(StudyUnavailable, match="the disk is full"):
            store.ingest.take(located(large))
        assert not store.connection.in_transaction
        assert store.reading.counts()["questions"] == 3
    assert dump(store.path) == before
    store.ingest.take(located(large))
    assert store.reading.counts()["questions"] == 203
    assert store.verify() == []


def test_a_full_disk_keeps_every_vote_that_was_acknowledged(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    acknowledged = []
    with full(store):
        refused = 0
        for number in range(200):
            try:
                vote(store, ann, served, Seen.TIE, id=f"v{number}", note="x" * 3000)
            except StudyUnavailable:
                refused += 1
                assert not store.connection.in_transaction
                continue
            acknowledged.append(f"v{number}")
    assert refused > 100
    log = [row[0] for row in store.connection.execute("SELECT id FROM vote ORDER BY seq")]
    assert log == acknowledged
    assert store.verify() == []
    assert vote(store, ann, served, Seen.LEFT, id="at last")


def test_a_mistake_in_the_middle_of_a_write_takes_all_of_it_back(store: Store) -> None:
    before = dump(store.path)

    def fail() -> None:
        with store.write() as connection:
            connection.execute("UPDATE queue SET overlap = 9")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert dump(store.path) == before
    # Wrong SQL is a mistake of ours, not trouble with the file: it passes through.
    with pytest.raises(sqlite3.OperationalError), store.write() as connection:
        connection.execute("UPDATE nothing SET x = 1")
    assert not store.connection.in_transaction


def test_a_writer_that_died_in_the_middle_is_forgotten(study: Path) -> None:
    """The process is gone with its transaction open: nothing of it is there, and nobody waits."""
    before = dump(study)
    dead = sqlite3.connect(study, isolation_level=None)
    dead.execute("BEGIN IMMEDIATE")
    dead.execute("UPDATE queue SET overlap = 9")
    dead.close()
    assert dump(study) == before
    with Store(study) as store:
        store.annotator("ann")
        assert store.verify() == []


def test_readers_see_one_moment_while_others_write(store: Store) -> None:
    with Store(store.path) as other, other.read() as connection:
        count = "SELECT count(*) FROM vote"
        assert connection.execute(count).fetchone() == (0,)
        store.ingest.take(located([Vote("v", Pair("q1", "ant", "bee"), 1, "n", Choice.TIE)]))
        assert connection.execute(count).fetchone() == (0,)
    with other_again(store) as again:
        assert again.reading.counts()["votes"] == 1


@contextmanager
def other_again(store: Store) -> Iterator[Store]:
    with Store(store.path) as again:
        yield again


def test_another_s_commit_is_noticed(store: Store) -> None:
    before = store.data_version()
    assert store.data_version() == before
    with Store(store.path) as other:
        other.annotator("bob")
    assert store.data_version() != before


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StudyUnavailable, "another process"),
        (sqlite3.SQLITE_LOCKED_SHAREDCACHE, StudyUnavailable, "another part"),
        (sqlite3.SQLITE_FULL, StudyUnavailable, "disk is full"),
        (sqlite3.SQLITE_IOERR_FSYNC, StudyUnavailable, "disk reports an error"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, StudyUnavailable, "read-only"),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, StudyUnavailable, "cannot be opened"),
        (sqlite3.SQLITE_PROTOCOL, StudyUnavailable, "too many processes"),
        (sqlite3.SQLITE_CORRUPT_INDEX, StudyBroken, "damaged"),
        (sqlite3.SQLITE_NOTADB, StudyBroken, "not a study"),
    ],
)
def test_every_code_of_sqlite_s_has_its_words(
    code: int, kind: type[TiebreakError], words: str
) -> None:
    error = sqlite3.OperationalError("database says")
    error.sqlite_errorcode = code
    with pytest.raises(kind, match=words) as refusal, in_words("study.db"):
        raise error
    assert refusal.value.__cause__ is error
    assert refusal.value.message.startswith("study.db: ")
    assert refusal.value.hint
