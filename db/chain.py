"""The hash chain over the vote, verdict and ruling logs.

Each row's hash covers its content and the hash before it, so a row that was changed, removed,
inserted or moved no longer fits. Content is named by natural keys, never by row numbers of
other tables, so that the same row hashes alike on every host. Whoever can rewrite a whole log
can rewrite its chain as well: a head that the lead wrote down elsewhere is what proves that
this did not happen (``tiebreak verify --head``).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import StudyBroken
from core.records import Pair

LOGS = ("vote", "verdict", "ruling")

JUDGE = (
    "json_array(j.name, j.kind, j.model, j.endpoint, j.prompt, j.prompt_hash, j.parameters, "
    "j.revision)"
)
"""SQL: what a verdict's hash covers of ``judge j``: its whole configuration."""

SOURCE = "o.format || '/' || o.sha256 || '/' || o.name"
"""SQL: what a row's hash covers of ``source o``, the file that it was imported from."""

POLICY = "s.policy || '/' || s.policy_version"
"""SQL: the policy by which ``assignment s`` was drawn, with its version."""

_TURNS = "(SELECT group_concat(h, ' ') FROM (SELECT text_hash AS h FROM {} ORDER BY turn))"
SHOWN = " || ' / ' || ".join(
    _TURNS.format(turns)
    for turns in (
        "question_turn WHERE question_id = p.question_id",
        "answer_turn WHERE answer_id = p.answer_1",
        "answer_turn WHERE answer_id = p.answer_2",
    )
)
"""SQL: the hashes of the texts of ``pair p``: what an annotator had before them."""


@dataclass(frozen=True, slots=True)
class _Log:
    """One log: what a row's hash covers (name → how it is read back) and what a row stores.

    What came ``later`` is covered with its name, and only where it says something: the hashes
    of the rows before it stay as they were.
    """

    covers: dict[str, str]
    later: dict[str, str]
    joins: str
    stores: tuple[str, ...]

    def content(self, values: Sequence[Any]) -> list[Any]:
        """What a row's hash covers, from the values of ``covers`` and then of ``later``."""
        always = len(self.covers)
        later = zip(self.later, values[always:], strict=True)
        said = ([name, value] for name, value in later if value not in (None, 0))
        return [*values[:always], *said]

    def rows(self, log: str, where: str = "") -> str:
        """The query that reads the log back to be verified."""
        columns = ", ".join([*self.covers.values(), *self.later.values()])
        return f"SELECT v.hash, {columns} FROM {log} v {self.joins} {where} ORDER BY v.seq"

    def insert(self, log: str) -> str:
        """The statement that adds a row given by name."""
        names = ", ".join(f'"{name}"' for name in self.stores)
        values = ", ".join(f":{name}" for name in self.stores)
        return f"INSERT INTO main.{log} ({names}) VALUES ({values})"


def _log(own: str, named: dict[str, str], joins: str, unhashed: str, later: str = "") -> _Log:
    covers = {name: f"v.{name}" for name in own.split()} | named | {"source": SOURCE}
    added = {name: f"v.{name}" for name in later.split()}
    joins += " LEFT JOIN source o ON o.id = v.source_id"
    return _Log(
        covers, added, joins, (*own.split(), *added, *unhashed.split(), "source_id", "hash")
    )


_LOGS = {
    "vote": _log(
        "seq id turn identity left seen choice supersedes confidence note flag active_seconds at",
        {
            "pair": "p.key",
            "annotator": "a.name",
            "assignment": "s.uid",
            "policy": POLICY,
            "probability": "s.probability",
            # An imported vote was cast on texts that nobody here can vouch for.
            "shown": f"CASE WHEN v.assignment_id IS NOT NULL THEN {SHOWN} END",
        },
        "JOIN pair p ON p.id = v.pair_id JOIN annotator a ON a.id = v.annotator_id "
        "LEFT JOIN assignment s ON s.id = v.assignment_id",
        "pair_id annotator_id assignment_id",
        later="repeat cannot_judge tags criteria",
    ),
    "verdict": _log(
        "seq id turn left repeat status seen choice score_left score_right preference prompt "
        "prompt_hash label raw_hash reasoning_hash error tokens_in tokens_out latency cost "
        "attempts supersedes at",
        {
            "pair": "p.key",
            "judge": JUDGE,
            "shown": f"CASE WHEN v.source_id IS NULL THEN {SHOWN} END",
        },
        "JOIN pair p ON p.id = v.pair_id JOIN judge j ON j.id = v.judge_id",
        "pair_id judge_id",
        later="failure sent_hash probabilities endpoint served_model",
    ),
    "ruling": _log(
        "seq id turn identity stage left choice reason shown queue_reason queue_probability "
        "supersedes at",
        {"pair": "p.key", "lead": "a.name"},
        "JOIN pair p ON p.id = v.pair_id JOIN annotator a ON a.id = v.lead_id",
        "pair_id lead_id",
        later="final",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that ``verify`` found wrong."""

    log: str
    seq: int
    problem: str

    def __str__(self) -> str:
        return (
            f"{self.log} {self.seq}: {self.problem}" if self.seq else f"{self.log}: {self.problem}"
        )


def link(previous: str, content: Sequence[Any]) -> str:
    """The hash of a row that follows ``previous``.

    Args:
        content: what the row says, as SQLite gives it back (REAL columns as floats).
    """
    payload = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{payload}".encode()).hexdigest()


def head(connection: sqlite3.Connection, log: str) -> tuple[int, str]:
    """The last row's number and hash; (0, '') for an empty log.

    Raises:
        StudyBroken: if somebody removed what should say so.
    """
    row = connection.execute("SELECT seq, hash FROM chain_head WHERE log = ?", (log,)).fetchone()
    if row is None:
        raise StudyBroken(
            f"the study no longer says where its {log} log ends: its end was removed",
            "keep a copy of the file, and restore the last backup",
        )
    return int(row[0]), str(row[1])


def append(connection: sqlite3.Connection, log: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows at the end of a log, chained; within the caller's write transaction.

    Args:
        rows: each holds by name all that the log stores and all that its hash covers, but for
            ``seq`` and ``hash``, which are set here. REAL columns must be floats or None.
    """
    shape = _LOGS[log]
    seq, digest = head(connection, log)
    for row in rows:
        seq += 1
        row["seq"] = seq
        said = [row[name] for name in (*shape.covers, *shape.later)]
        digest = row["hash"] = link(digest, shape.content(said))
    connection.executemany(shape.insert(log), rows)
    connection.execute(
        "UPDATE main.chain_head SET seq = ?, hash = ? WHERE log = ?", (seq, digest, log)
    )


def read(connection: sqlite3.Connection, log: str) -> Iterator[dict[str, Any]]:
    """Every row of a log, oldest first, as :func:`append` takes it back but for row numbers."""
    shape = _LOGS[log]
    names = (*shape.covers, *shape.later)
    for _, *content in connection.execute(shape.rows(log)):
        yield dict(zip(names, content, strict=True))


def verify_log(
    connection: sqlite3.Connection, log: str, *, last: int | None = None
) -> Iterator[Finding]:
    """Walk one log and yield what does not fit, with no more than one finding a row.

    Args:
        last: only so many rows at its end; all of it otherwise.
    """
    shape = _LOGS[log]
    previous, expected, query = "", 1, shape.rows(log)
    if last is not None:
        before = connection.execute(
            f"SELECT hash, seq FROM {log} ORDER BY seq DESC LIMIT 1 OFFSET ?", (last,)
        ).fetchone()
        if before is not None:
            previous, expected = before[0], before[1] + 1
            query = shape.rows(log, f"WHERE v.seq >= {expected:d}")
    for digest, seq, *content in connection.execute(query):
        if seq != expected:
            missing = f"row {expected}" if seq == expected + 1 else f"rows {expected} to {seq - 1}"
            yield Finding(log, seq, f"{missing} before it missing")
        elif link(previous, shape.content([seq, *content])) != digest:
            yield Finding(log, seq, "does not fit the chain: it, or what it names, was changed")
        previous, expected = digest, seq + 1
    try:
        end, digest = head(connection, log)
    except StudyBroken as error:
        yield Finding(log, 0, error.message)
        return
    if end != expected - 1:
        yield Finding(log, end, f"the log should end at row {end}, but ends at {expected - 1}")
    elif digest != previous:
        yield Finding(log, end, "the last row is not the one that was written")


def verify_texts(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Yield the texts whose content no longer has the hash they are stored under."""
    for number, digest, body in connection.execute("SELECT rowid, hash, body FROM text"):
        if text_hash(body) != digest:
            yield Finding("text", number, f"was changed: it is no longer {digest[:12]}…")


def verify_pairs(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Yield the pairs whose question or models are no longer those that their key names."""
    rows = connection.execute(
        "SELECT p.id, p.key, q.key, p.model_1, p.model_2, a.model, b.model, "
        "a.question_id = q.id AND b.question_id = q.id "
        "FROM pair p JOIN question q ON q.id = p.question_id "
        "JOIN answer a ON a.id = p.answer_1 JOIN answer b ON b.id = p.answer_2"
    )
    for number, key, question, model_1, model_2, first, second, same_question in rows:
        fits = model_1 < model_2 and Pair(question, model_1, model_2).key == key
        if not (fits and same_question and (first, second) == (model_1, model_2)):
            yield Finding(
                "pair", number, "was changed: it is no longer the pair that its key names"
            )


def has_link(connection: sqlite3.Connection, log: str, digest: str) -> bool:
    """Whether a log ever stood at this hash."""
    row = connection.execute(f"SELECT 1 FROM {log} WHERE hash = ?", (digest,)).fetchone()
    return row is not None


def text_hash(body: str) -> str:
    """The name a text is stored under: SHA-256 of its UTF-8 bytes, in hex."""
    return hashlib.sha256(body.encode("utf-8")).hexdigest()
