"""An annotator's connection sees one's own and nothing else: each way in is tried on it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from core.errors import Conflict, NotForAnnotators
from core.records import Annotator, Choice, Lesson, Pair, Seen
from core.ssh_keys import read_keys
from db.blind import INSERTABLE, KEEPERS, READABLE
from db.practising import Trial
from db.preferring import prefer, preferred
from db.serving import Draft
from db.store import Store
from db.voting import Cast
from tests.core.test_ssh_keys import GOOD
from tests.db.test_plans import scans
from tests.studies import FakeClock, full_study, located, make_study, rows, serve, vote

OWN = {"annotator", "assignment", "draft", "preference", "trial", "vote"}
"""Tables of which one reads one's own rows."""

SEEN_BY_ALL = {
    "study": {"key", "value"},
    "pair": {"id", "key", "question_id", "answer_1", "answer_2"},
    "question": {"id", "category"},
    "question_turn": {"question_id", "turn", "text_hash"},
    "answer_turn": {"answer_id", "turn", "text_hash"},
    "queue": {
        "pair_id", "overlap", "extra", "load", "load_1", "question_id", "category", "block",
        "disputed",
    },
    "stratum": {"load", "category", "block", "disputed", "pairs", "wanting"},
    "group_load": {"group", "pair_id", "load"},
    "chain_head": {"log", "seq", "hash"},
    "lesson": {"id", "pair_id", "turn", "use", "choice", "why"},
}  # fmt: skip
"""What may be read of tables that belong to nobody: a new column is not here."""

SEEN_OF_OWN = {
    "annotator": {"id", "name", "group", "attributes", "paused_at", "retired_at"},
    "assignment": {
        "id", "uid", "pair_id", "annotator_id", "repeat", "left", "policy", "policy_version",
        "probability", "lease_until", "state", "closed_at", "skipped_after",
    },
    "draft": {"assignment_id", "turn", "note", "flag"},
    "preference": {"annotator_id", "chosen"},
    "ssh_key": {"fingerprint", "removed_at"},
    "trial": {"id", "lesson_id", "annotator_id", "round", "seen", "choice"},
    "vote": {
        "seq", "id", "pair_id", "turn", "annotator_id", "assignment_id", "left", "seen", "choice",
        "cannot_judge", "supersedes", "confidence", "tags", "criteria", "note", "flag",
        "active_seconds", "at",
    },
}  # fmt: skip

REFUSED = (
    "prohibited|authoriz|no such (column|function)|because it is a view"
    "|(view|table) \\w+ may not be|views may not be"
)
"""How SQLite says that something is not to be had; any other error fails a test."""

FOUND_BY = {
    ("annotator", "id"), ("assignment", "id"), ("chain_head", "log"), ("draft", "assignment_id"),
    ("draft", "turn"),
}  # fmt: skip
"""What an UPDATE or DELETE finds its row by, in whoever's row: numbers, and no word."""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Every kind of record; cleo has voted, skipped and begun a note, and ann comes in anew."""
    path = full_study(tmp_path / "study.db")
    with Store(path) as store:
        store.ingest.take(located([Lesson(Pair("q2", "ant", "bee"), 0, Choice.TIE, "why so")]))
        dora = store.annotator("dora")
        store.practising.record(dora, "d", Trial("t1", 1, 1, Seen.LEFT))
        served = serve(store, dora)
        store.serving.keep_draft(served.assignment, served.turns[0], Draft("dora's"))
        store.people.add_keys("dora", read_keys(GOOD.encode(), "dora.pub"))
        prefer(store, "dora", {"theme": "light"})
    return path


@pytest.fixture
def blind(study: Path) -> Iterator[Store]:
    with Store(study, blind_for=Annotator("eve")) as store:
        yield store


def columns(path: Path) -> list[tuple[str, str]]:
    tables = [name for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [
        (table, column)
        for table in tables
        for (column,) in rows(path, "SELECT name FROM pragma_table_xinfo(?)", table)
    ]


def refused(connection: sqlite3.Connection, statement: str) -> bool:
    try:
        connection.execute(statement).fetchall()
    except sqlite3.DatabaseError as error:
        return re.search(REFUSED, str(error)) is not None
    return False


def test_each_column_is_refused_or_listed_or_ones_own(study: Path, blind: Store) -> None:
    listed = {(t, c) for seen in (SEEN_BY_ALL, SEEN_OF_OWN) for t, cs in seen.items() for c in cs}
    found = columns(study)
    assert len(found) > 100
    for table, column in found:
        may = not refused(blind.connection, f"SELECT [{column}] FROM [{table}]")
        assert may == ((table, column) in listed), (table, column)
        if table in OWN or table in ("lesson", "chain_head", "ssh_key"):
            may = not refused(blind.connection, f"SELECT [{column}] FROM main.[{table}]")
            assert may == ((table, column) in FOUND_BY), (table, column)


@pytest.mark.parametrize("shape", [
    'SELECT max([{column}]) FROM main.[{table}]',
    'SELECT 1 FROM main.[{table}] WHERE [{column}] IS NOT NULL',
    'SELECT (SELECT [{column}] FROM main.[{table}] LIMIT 1)',
    'SELECT * FROM (SELECT [{column}] AS x FROM main.[{table}]) AS vote',
    'SELECT count(*) FROM queue q JOIN main.[{table}] z ON z.[{column}] = q.pair_id',
    'SELECT pair_id FROM queue ORDER BY (SELECT min([{column}]) FROM main.[{table}])',
    'WITH x AS (SELECT [{column}] FROM main.[{table}]) SELECT * FROM x',
    'WITH vote AS (SELECT [{column}] AS seen FROM main.[{table}]) SELECT seen FROM vote',
    'WITH [{table}] AS (SELECT [{column}] FROM main.[{table}]) SELECT * FROM [{table}]',
    'WITH vote_no_update AS (SELECT [{column}] FROM main.[{table}]) SELECT * FROM vote_no_update',
    'WITH standing_vote AS (SELECT [{column}] FROM main.[{table}]) SELECT * FROM standing_vote',
    'WITH "queue_moves" AS (SELECT [{column}] FROM main.[{table}]) SELECT * FROM queue_moves',
    'WITH vote_settles AS (SELECT [{column}] AS x FROM main.[{table}]) '
    'UPDATE queue SET load = 1 WHERE pair_id IN (SELECT x FROM vote_settles)',
    'UPDATE queue SET load = load RETURNING (SELECT max([{column}]) FROM main.[{table}])',
    'UPDATE queue SET load = 1 FROM main.[{table}] z WHERE z.[{column}] = queue.pair_id',
    'INSERT INTO main.draft (assignment_id, turn) SELECT 1, [{column}] FROM main.[{table}]',
    'DELETE FROM main.draft WHERE note IN (SELECT [{column}] FROM main.[{table}])',
    'SELECT pair_id FROM queue UNION ALL SELECT [{column}] FROM main.[{table}]',
])  # fmt: skip
def test_no_kind_of_statement_reaches_what_is_hidden(study: Path, blind: Store, shape: str) -> None:
    shown = {(t, c) for t, names in READABLE["main"].items() for c in names.split()}
    hidden = [one for one in columns(study) if one not in shown]
    assert {("vote", "seen"), ("verdict", "choice"), ("pair", "model_1"), ("text", "body"),
            ("ruling", "choice"), ("ssh_key", "body")} <= set(hidden)  # fmt: skip
    for table, column in hidden:
        assert refused(blind.connection, shape.format(table=table, column=column)), (table, column)


@pytest.mark.parametrize("statement", [
    "SELECT count(*) FROM main.vote", "SELECT 1 FROM verdict", "SELECT rowid FROM verdict",
    "SELECT sql FROM sqlite_master", "SELECT name FROM sqlite_temp_master",
    "SELECT name FROM sqlite_schema", "SELECT * FROM sqlite_sequence",
    "UPDATE sqlite_master SET sql = ''", "PRAGMA writable_schema = ON", "PRAGMA table_info(vote)",
    "SELECT * FROM pragma_table_info('vote')", "PRAGMA foreign_keys = ON", "PRAGMA database_list",
    "PRAGMA temp_store_directory = '/'", "ATTACH ':memory:' AS other", "ATTACH 'study.db' AS again",
    "VACUUM", "VACUUM INTO 'copy.db'", "SELECT load_extension('x')", "SELECT readfile('x')",
    "SELECT writefile('x', 'y')", "SELECT randomblob(9)", "CREATE TEMP TABLE t (a)",
    "CREATE TABLE t (a)", "CREATE TEMP VIEW v AS SELECT seen FROM main.vote",
    "CREATE VIEW v AS SELECT seen FROM vote", "DROP VIEW temp.vote", "DROP TABLE vote",
    "CREATE TEMP TRIGGER t AFTER INSERT ON main.vote BEGIN SELECT 1; END",
    "ALTER TABLE vote RENAME TO v", "CREATE INDEX i ON vote (seen)", "REINDEX", "ANALYZE",
    "CREATE VIRTUAL TABLE temp.v USING fts5(a)", "SAVEPOINT s", "DETACH temp",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r LIMIT 3",
    "DELETE FROM main.vote", "DELETE FROM main.assignment", "DELETE FROM queue",
    "DELETE FROM chain_head", "UPDATE main.vote SET note = ''", "UPDATE queue SET overlap = 9",
    "UPDATE study SET value = '0'", "INSERT INTO study VALUES ('a', '0')",
    "UPDATE main.annotator SET role = 'lead'", "UPDATE main.annotator SET paused_at = NULL",
    "UPDATE main.assignment SET left = 1", "UPDATE main.assignment SET annotator_id = 1",
    "INSERT INTO main.annotator (name, role, added_at) VALUES ('x', 'lead', '')",
    "SELECT pair_id FROM disputed_pair", "SELECT 1 FROM Disputed_Pair",
    "SELECT choice FROM main.standing_vote", "SELECT x.choice FROM STANDING_VERDICT x",
    "SELECT model_1 FROM block", "UPDATE queue SET disputed = 1", "UPDATE stratum SET pairs = 0",
    "UPDATE group_load SET load = 0", "DELETE FROM stratum",
    "INSERT INTO group_load VALUES ('', 1, 0)", "INSERT INTO stratum VALUES (0, '', 1, 0, 0, 0)",
    "WITH queue_moves AS (SELECT 1) UPDATE stratum SET pairs = 0",
    "INSERT INTO main.lesson (pair_id, turn, use, choice) VALUES (1, 0, 'practice', 'tie')",
])  # fmt: skip
def test_everything_else_is_refused(study: Path, blind: Store, statement: str) -> None:
    before = rows(study, "SELECT * FROM chain_head"), rows(study, "SELECT * FROM assignment")
    assert refused(blind.connection, statement)
    assert before == (
        rows(study, "SELECT * FROM chain_head"), rows(study, "SELECT * FROM assignment")
    )  # fmt: skip


def test_ways_round_sql_are_refused(blind: Store, tmp_path: Path) -> None:
    connection = blind.connection
    with sqlite3.connect(":memory:") as other:
        for way in (
            lambda: connection.backup(other),
            lambda: connection.serialize(),
            lambda: connection.deserialize(b""),
            lambda: connection.blobopen("text", "body", 1),
            lambda: connection.enable_load_extension(True),
            lambda: connection.load_extension("x"),
            lambda: connection.set_authorizer(None),
        ):
            with pytest.raises(NotForAnnotators):
                way()
        assert other.execute("SELECT * FROM sqlite_master").fetchall() == []
    other.close()
    for reads in (
        lambda: list(connection.iterdump()),
        lambda: Database(connection).table_names(),
        lambda: list(Database(connection)["vote"].rows),
        lambda: list(Database(connection).query("SELECT choice FROM verdict")),
        lambda: connection.executescript("SELECT choice FROM verdict;"),
    ):
        with pytest.raises(sqlite3.DatabaseError, match=r"prohibited|authoriz|malformed"):
            reads()


def test_no_cursor_passes_for_the_studys_triggers(study: Path, blind: Store) -> None:
    forged = "WITH {0} AS (SELECT choice FROM main.verdict) SELECT * FROM {0}"
    for keeper in KEEPERS:
        for cursor in (blind.connection.cursor(), sqlite3.Cursor(blind.connection)):
            with pytest.raises(sqlite3.DatabaseError, match="prohibited"):
                cursor.execute(forged.format(keeper))
    assert {
        name for (name,) in rows(study, "SELECT name FROM sqlite_master WHERE type <> 'table'")
    } >= KEEPERS


def test_ones_own_and_nobody_elses(study: Path) -> None:
    with Store(study, blind_for=Annotator("cleo")) as store:
        cleo = store.annotator("cleo")
        for table in OWN - {"annotator", "draft"}:
            found = store.connection.execute(f"SELECT annotator_id FROM {table}").fetchall()
            assert set(found) <= {(cleo,)}, table
        assert store.connection.execute("SELECT name FROM annotator").fetchall() == [("cleo",)]
        votes = store.connection.execute("SELECT id FROM vote ORDER BY seq").fetchall()
        assert votes == rows(study, "SELECT id FROM vote WHERE annotator_id = ? ORDER BY seq", cleo)
        assert len(votes) == 3
    with Store(study, blind_for=Annotator("dora")) as store:
        assert store.connection.execute("SELECT note FROM draft").fetchall() == [("dora's",)]
        assert store.connection.execute("SELECT id FROM trial").fetchall() == [("t1",)]
        assert store.connection.execute("SELECT removed_at FROM ssh_key").fetchall() == [(None,)]
        assert preferred(store, "dora") == {"theme": "light"}
    with Store(study, blind_for=Annotator("eve")) as store:
        for table in {*OWN, "ssh_key"} - {"annotator"}:
            assert store.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_judges_replies_and_system_prompts_are_among_no_texts(study: Path, blind: Store) -> None:
    secret = {"I say [[B]]", "because", "Be brief."}
    assert secret <= {body for (body,) in rows(study, "SELECT body FROM text")}
    read = {
        body
        for door in ("question_text", "reference_text", "answer_text")
        for (body,) in blind.connection.execute(f"SELECT body FROM {door}")
    }
    assert "a1" in read
    assert not secret & read


def test_what_is_right_is_told_after_the_trial(blind: Store) -> None:
    eve = blind.annotator("eve")
    query = "SELECT choice, why FROM lesson WHERE id = 3"
    others = "SELECT choice, why FROM lesson WHERE id <> 3"
    assert blind.connection.execute(query).fetchall() == [(None, None)]
    feedback = blind.practising.record(eve, "e", Trial("t2", 3, 1, Seen.LEFT))
    assert feedback is not None
    assert (feedback.right, feedback.why) == (Seen.TIE, "why so")
    assert blind.connection.execute(query).fetchall() == [(feedback.right, "why so")]
    assert set(blind.connection.execute(others)) == {(None, None)}


def test_nothing_is_written_in_anothers_name(study: Path, blind: Store) -> None:
    eve = blind.annotator("eve")
    ((cleo,),) = rows(study, "SELECT id FROM annotator WHERE name = 'cleo'")
    ((pair,),) = rows(study, "SELECT pair_id FROM queue LIMIT 1")
    ((theirs, on),) = rows(
        study, "SELECT id, pair_id FROM assignment WHERE annotator_id = ? LIMIT 1", cleo
    )
    mine = serve(blind, eve)
    log = rows(study, "SELECT * FROM vote ORDER BY seq")
    assignments = rows(study, "SELECT * FROM assignment")
    drafts = rows(study, "SELECT * FROM draft")
    insert = (
        "INSERT INTO main.vote (seq, id, pair_id, turn, annotator_id, identity, assignment_id, "
        "left, seen, choice, supersedes, at, hash) VALUES (99, 'x', ?, 1, ?, '', ?, 1, 'tie', "
        "'tie', ?, '', '')"
    )
    tries: list[tuple[str, tuple[Any, ...]]] = [
        (insert, (on, cleo, theirs, None)),
        (insert, (on, eve, theirs, None)),
        (insert, (on, eve, None, None)),
        (insert, (pair, eve, mine.assignment, "c3")),
        ("UPDATE main.assignment SET state = 'done' WHERE id = ?", (theirs,)),
        ("UPDATE main.assignment SET state = 'expired' WHERE id = ?", (theirs,)),
        ("INSERT INTO main.draft VALUES (?, 1, 'x', '')", (theirs,)),
        ("DELETE FROM main.draft WHERE assignment_id <> ?", (mine.assignment,)),
        ("UPDATE main.annotator SET attributes = '{}' WHERE id = ?", (cleo,)),
        ("INSERT OR REPLACE INTO main.preference VALUES (?, '{}')", (cleo,)),
        ("UPDATE main.chain_head SET seq = 0, hash = ''", ()),
        (
            "INSERT INTO main.trial (id, lesson_id, annotator_id, identity, round, left, at) "
            "VALUES ('x', 1, ?, '', 1, 1, '')",
            (cleo,),
        ),
    ]
    for statement, values in tries:
        with pytest.raises(NotForAnnotators), blind.write() as connection:
            connection.execute(statement, values)
    with pytest.raises(Conflict):
        blind.voting.cast(eve, "local:eve", Cast("x", theirs, 1, Seen.TIE))
    with pytest.raises(NotForAnnotators):
        blind.annotator("somebody new")
    assert rows(study, "SELECT * FROM vote ORDER BY seq") == log
    assert rows(study, "SELECT * FROM assignment") == assignments
    assert rows(study, "SELECT * FROM draft") == drafts


def test_guards_stand_in_for_every_foreign_key(study: Path) -> None:
    """Foreign keys are off on a blind connection: one that is new here wants a guard first."""
    named = {
        (table, column)
        for table in INSERTABLE
        for (column,) in rows(study, 'SELECT "from" FROM pragma_foreign_key_list(?)', table)
    }
    assert named == {
        ("assignment", "annotator_id"), ("assignment", "pair_id"), ("draft", "assignment_id"),
        ("preference", "annotator_id"), ("trial", "annotator_id"), ("trial", "lesson_id"),
        ("vote", "annotator_id"), ("vote", "assignment_id"), ("vote", "pair_id"),
        ("vote", "source_id"), ("vote", "supersedes"),
    }  # fmt: skip


def test_a_lapsed_lease_is_freed_and_a_running_one_is_not(tmp_path: Path) -> None:
    clock = FakeClock()
    study = make_study(tmp_path / "s.db", questions=1, overlap=1, clock=clock)
    with (
        Store(study, clock=clock, blind_for=Annotator("ann")) as ann,
        Store(study, clock=clock, blind_for=Annotator("bob")) as bob,
    ):
        first = serve(ann, ann.annotator("ann"))
        assert bob.serving.serve(bob.annotator("bob")) is None
        clock.forward(days=2)
        serve(bob, bob.annotator("bob"))
        states = rows(study, "SELECT state FROM assignment ORDER BY id")
        assert (states, rows(study, "SELECT load FROM queue")) == (
            [("expired",), ("open",)],
            [(1,)],
        )
        vote(ann, ann.annotator("ann"), first, Seen.LEFT)  # it counts, late as it is
    with Store(study) as store:
        assert store.verify() == []


def test_a_vote_reads_no_table_whole_here_either(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", questions=3, overlap=2)
    with Store(study, blind_for=Annotator("me")) as store:
        me = store.annotator("me")
        served = serve(store, me)
        statements: list[str] = []
        store.connection.set_trace_callback(statements.append)
        vote(store, me, served, Seen.TIE, id="v1")
        store.voting.undo(me, "local:me", "u1")
        store.serving.serve(me, beyond=served.assignment)
        store.voting.skip(me, served.assignment)
        store.serving.serve_skipped(me)
        store.serving.progress(me)
        store.serving.pace(me)
        store.history.standing(me, served.assignment, 1)
        store.connection.set_trace_callback(None)
        assert len(statements) > 20
        assert scans(store, statements) == []


def test_a_refusal_is_told_and_rolls_back(study: Path, blind: Store) -> None:
    told: list[NotForAnnotators] = []
    blind.on_refusal = told.append
    eve = blind.annotator("eve")
    served = serve(blind, eve)
    prohibited = r"access to verdict\.choice is prohibited"

    def leak() -> None:
        with blind.write() as connection:
            connection.execute("UPDATE queue SET load = 0, load_1 = 0")
            connection.execute("SELECT choice FROM verdict")

    with pytest.raises(NotForAnnotators, match=prohibited):
        leak()
    assert [str(one) for one in told] == [told[0].message]
    assert rows(study, "SELECT max(load) FROM queue") != [(0,)]
    assert vote(blind, eve, served, Seen.TIE)
