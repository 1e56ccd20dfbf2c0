"""Whoever changes, removes, adds or moves a row of a study outside Tiebreak is found out."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.errors import StudyBroken
from core.records import Seen
from db import chain
from db.chain import LOGS
from db.schema import upgrade
from db.store import Store
from tests.studies import FakeClock, full_study, rows, serve, vote


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_study(tmp_path_factory.mktemp("chain") / "study.db")


@pytest.fixture
def study(original: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "study.db"
    copy.write_bytes(original.read_bytes())
    return copy


@contextmanager
def attack(study: Path) -> Iterator[sqlite3.Connection]:
    """Write past every guard (no triggers, no foreign keys, no checks) and put them back."""
    with closing(sqlite3.connect(study, isolation_level=None)) as connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        yield connection
        for _, made_by in triggers:
            connection.execute(made_by)


def found(study: Path, heads: dict[str, str] | None = None) -> list[str]:
    with Store(study) as store:
        return [str(finding) for finding in store.verify(heads)]


def test_a_study_that_was_left_alone_is_intact(study: Path) -> None:
    assert found(study) == []
    for log in LOGS:
        assert len(rows(study, f"SELECT * FROM {log}")) >= 3


def columns(log: str) -> list[str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        upgrade(connection)
        return [row[1] for row in connection.execute(f"PRAGMA table_info({log})")]


def other_values(
    connection: sqlite3.Connection, column: str, kind: str, value: object
) -> Iterator[object]:
    """Values that would tell another story, for each column and what it holds."""
    tables = {"annotator_id": "annotator", "lead_id": "annotator", "source_id": "source"}
    if column.endswith("_id"):
        table = tables.get(column, column.removesuffix("_id"))
        for (number,) in connection.execute(f"SELECT id FROM {table}").fetchall():
            yield number
        yield 10_000
    elif kind == "TEXT":
        yield "tampered"
        yield "model_1"
        yield ""
    else:
        yield 1
        yield 2
        yield 0.125 if kind == "REAL" else 99
    yield None


CELLS = [(log, column) for log in LOGS for column in columns(log)]


@pytest.mark.parametrize(("log", "column"), CELLS)
def test_every_single_cell_that_is_changed_is_found(study: Path, log: str, column: str) -> None:
    changed = 0
    with attack(study) as connection:
        kind = next(r[2] for r in connection.execute(f"PRAGMA table_info({log})") if r[1] == column)
        cells = connection.execute(f'SELECT seq, "{column}" FROM {log}').fetchall()
        for seq, before in cells:
            for value in other_values(connection, column, kind, before):
                if value == before and type(value) is type(before):
                    continue
                connection.execute("SAVEPOINT cell")
                try:
                    connection.execute(
                        f'UPDATE {log} SET "{column}" = ? WHERE seq = ?', (value, seq)
                    )
                except sqlite3.IntegrityError:
                    connection.execute("ROLLBACK TO cell")  # NOT NULL, UNIQUE: no way to do it
                else:
                    stored = connection.execute(
                        f'SELECT "{column}" FROM {log} ORDER BY abs(seq - ?) LIMIT 1', (seq,)
                    ).fetchone()[0]
                    if stored != before or column == "seq":
                        changed += 1
                        findings = list(chain.verify_log(connection, log))
                        orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
                        assert findings or orphans, f"row {seq}: {before!r} became {value!r}"
                    connection.execute("ROLLBACK TO cell")
                connection.execute("RELEASE cell")
    assert changed >= len(cells)


MOVES = {
    "a row in the middle is deleted": "DELETE FROM {0} WHERE seq = 2",
    "the first row is deleted": "DELETE FROM {0} WHERE seq = 1",
    "the last row is deleted": "DELETE FROM {0} WHERE seq = (SELECT max(seq) FROM {0})",
    "all rows are deleted": "DELETE FROM {0}",
    "two rows change places": "UPDATE {0} SET seq = CASE seq WHEN 1 THEN -2 ELSE -1 END "
    "WHERE seq IN (1, 2); UPDATE {0} SET seq = -seq WHERE seq < 0",
    "rows close the gap of one that is deleted": "DELETE FROM {0} WHERE seq = 1; "
    "UPDATE {0} SET seq = seq - 1",
    "the end is cut off and said to be there": "DELETE FROM {0} WHERE seq = 3; "
    "UPDATE chain_head SET seq = 2 WHERE log = '{0}'",
    "the end is moved": "UPDATE chain_head SET hash = 'x' WHERE log = '{0}'",
    "the end is removed": "DELETE FROM chain_head WHERE log = '{0}'",
}


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("move", MOVES)
def test_rows_that_are_removed_or_moved_are_found(study: Path, log: str, move: str) -> None:
    with attack(study) as connection:
        connection.executescript(MOVES[move].format(log))
    assert any(finding.startswith(log) for finding in found(study))


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("place", ["at the end", "in a gap"])
def test_a_row_that_is_added_is_found(study: Path, log: str, place: str) -> None:
    names = ", ".join(f'"{name}"' for name in columns(log))
    where = "(SELECT max(seq) + 1 FROM {0})" if place == "at the end" else "-1"
    values = names.replace('"seq"', where.format(log)).replace('"id"', "'forged'")
    values = values.replace('"supersedes"', "NULL")
    with attack(study) as connection:
        connection.execute(f"INSERT INTO {log} ({names}) SELECT {values} FROM {log} WHERE seq = 1")
    assert any(finding.startswith(log) for finding in found(study))


NAMED = {
    "an answer's text": "UPDATE text SET body = body || ' really' "
    "WHERE hash = (SELECT text_hash FROM answer_turn LIMIT 1)",
    "a reply's text": "UPDATE text SET body = '[[A]]' WHERE body = 'I say [[B]]'",
    "a text's hash": "UPDATE text SET hash = hash || '0' WHERE body = 'I say [[B]]'",
    "a text, to bytes that are none": "UPDATE text SET body = CAST(x'ff' AS TEXT) "
    "WHERE body = 'I say [[B]]'",
    "a pair's first model": "UPDATE pair SET model_1 = 'aa'",
    "a pair's second model": "UPDATE pair SET model_2 = 'zz'",
    "a pair's models, both ways round": "UPDATE pair SET model_1 = model_2, model_2 = model_1",
    "a pair's question": "UPDATE pair SET question_id = 3 WHERE question_id = 1",
    "a pair's answers": "UPDATE pair SET answer_1 = answer_2, answer_2 = answer_1",
    "a pair's key": "UPDATE pair SET key = key || '0'",
    "a question's key": "UPDATE question SET key = key || '0'",
    "an answer's model": "UPDATE answer SET model = 'cow' WHERE model = 'ant'",
    "an annotator's name": "UPDATE annotator SET name = 'somebody' WHERE name = 'ann'",
    "an annotator's name, to bytes that are none": "UPDATE annotator "
    "SET name = CAST(x'ff' AS TEXT) WHERE name = 'ann'",
    "a lead's name": "UPDATE annotator SET name = 'somebody' WHERE name = 'lea'",
    "two annotators' names": "UPDATE annotator SET name = name || '?' WHERE name IN ('ann', 'bob');"
    "UPDATE annotator SET name = 'bob' WHERE name = 'ann?';"
    "UPDATE annotator SET name = 'ann' WHERE name = 'bob?'",
    "a judge's name": "UPDATE judge SET name = 'another' WHERE name = 'j'",
    "a judge's model": "UPDATE judge SET model = 'm-2' WHERE name = 'j'",
    "a judge's prompt": "UPDATE judge SET prompt_hash = 'def' WHERE name = 'j'",
    "a judge's parameters": "UPDATE judge SET parameters = '{\"seed\": 1}' WHERE name = 'j'",
    "an assignment's uid": "UPDATE assignment SET uid = uid || '0'",
    "an assignment's probability": "UPDATE assignment SET probability = 0.123",
    "an assignment's policy": "UPDATE assignment SET policy = 'another'",
    "which text an answer has": "UPDATE answer_turn SET text_hash = (SELECT max(hash) FROM text)",
    "which text a question has": "UPDATE question_turn SET text_hash = "
    "(SELECT max(hash) FROM text)",
    "how many turns an answer has": "DELETE FROM answer_turn WHERE turn = 1",
    "the file that rows came from": "UPDATE source SET sha256 = 'f'",
}


@pytest.mark.parametrize("what", NAMED)
def test_what_the_rows_are_about_cannot_be_changed_unseen(study: Path, what: str) -> None:
    with attack(study) as connection:
        connection.executescript(NAMED[what])
    assert found(study)


def test_a_row_that_names_something_missing_is_found(study: Path) -> None:
    with attack(study) as connection:
        connection.execute("DELETE FROM annotator WHERE name = 'ann'")
    assert any("missing annotator" in finding for finding in found(study))


def test_a_damaged_page_is_found_or_refused(study: Path) -> None:
    raw = bytearray(study.read_bytes())
    raw[-4096:] = bytes(4096)
    study.write_bytes(raw)
    try:
        findings = found(study)
    except StudyBroken:
        return
    assert findings


def test_an_older_head_proves_that_nothing_was_rewritten(study: Path) -> None:
    with Store(study, clock=FakeClock()) as store:
        noted = {log: digest for log, (_, digest) in store.heads().items()}
        dan = store.annotator("dan")
        vote(store, dan, serve(store, dan), Seen.TIE)
        assert store.verify(noted) == []
        assert store.heads()["vote"][1] != noted["vote"]


def test_a_chain_that_was_written_anew_does_not_meet_the_noted_head(study: Path) -> None:
    """Whoever rewrites a whole log consistently is found by the head that the lead wrote down."""
    with Store(study) as store:
        noted = {log: digest for log, (_, digest) in store.heads().items()}
    with attack(study) as connection:
        connection.execute("UPDATE vote SET note = 'rewritten' WHERE seq = 1")
        previous = ""
        log = chain._LOGS["vote"]
        for _, *content in connection.execute(log.rows("vote")).fetchall():
            previous = chain.link(previous, log.content(content))
            connection.execute("UPDATE vote SET hash = ? WHERE seq = ?", (previous, content[0]))
        connection.execute("UPDATE chain_head SET hash = ? WHERE log = 'vote'", (previous,))
    assert found(study) == []
    assert any("never stood at" in finding for finding in found(study, noted))


def test_a_cut_end_is_found_by_the_noted_head_alone(study: Path) -> None:
    with Store(study) as store:
        noted = {"vote": store.heads()["vote"][1]}
    with attack(study) as connection:
        connection.executescript(
            "DELETE FROM vote WHERE seq = (SELECT max(seq) FROM vote);"
            "UPDATE chain_head SET (seq, hash) = "
            "(SELECT seq, hash FROM vote ORDER BY seq DESC LIMIT 1) WHERE log = 'vote'"
        )
    assert found(study) == []
    assert any("never stood at" in finding for finding in found(study, noted))


def test_nothing_is_appended_to_a_log_whose_end_is_gone(study: Path) -> None:
    with attack(study) as connection:
        connection.execute("DELETE FROM chain_head WHERE log = 'vote'")
    with Store(study) as store:
        dan = store.annotator("dan")
        served = serve(store, dan)
        with pytest.raises(StudyBroken, match="no longer says where its vote log ends"):
            vote(store, dan, served, Seen.TIE)


def test_the_hash_of_a_row_depends_on_all_before_it() -> None:
    assert chain.link("", ["a", 1]) != chain.link("x", ["a", 1])
    assert chain.link("", ["a", 1]) != chain.link("", ["a1"])
    assert chain.link("", [1, None]) != chain.link("", [1, ""])
    assert chain.link("", [1]) != chain.link("", [1.0])


def test_a_vote_that_says_nothing_new_hashes_as_it_always_did(study: Path) -> None:
    """Version 1 covered these fields, in this order; its files must stay intact."""
    covered = (
        "seq id turn identity left seen choice supersedes confidence note flag active_seconds at "
        "pair annotator assignment policy probability shown source"
    ).split()
    with Store(study) as store:
        row = next(r for r in chain.read(store.connection, "vote") if r["assignment"])
        before = store.connection.execute(
            "SELECT hash FROM vote WHERE seq = ?", (row["seq"] - 1,)
        ).fetchone()
        assert (row["repeat"], row["tags"], row["criteria"], row["cannot_judge"]) == (
            0,
            *[None] * 3,
        )
        payload = json.dumps([row[name] for name in covered], separators=(",", ":"))
        digest = hashlib.sha256(f"{before[0]}\n{payload}".encode()).hexdigest()
        stored = store.connection.execute("SELECT hash FROM vote WHERE seq = ?", (row["seq"],))
        assert stored.fetchone() == (digest,)
