"""Merging another host's study into this one: each event once, conflicts listed.

Votes, verdicts and rulings are events with ids of their own. An event that both files hold is
left as it is; one that only the other holds is appended, content unchanged, at the end of the
log here. So merging twice changes nothing, and merging either way gives the same events.

What contradicts is never settled here: it is listed, and nothing is merged unless the lead says
that the rest shall be.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from core.errors import Conflict, StudyUnavailable, Where
from core.panels import Panel
from core.records import Annotator, Answer, Judge, Question, Record, Setting, Wording
from db import chain
from db.copying import back_up
from db.drawing import settle_disputes
from db.inclusion import settle_probabilities
from db.ingest import File
from db.judging import keep_wording
from db.merging_clashes import clashes, disagreeing
from db.merging_rows import Rows
from db.merging_rulings import merge_beside_rulings
from db.panels import add_panel
from db.store import Store

_BATCH = 2000

_MEANING = {
    "vote": ("pair", "turn", "annotator", "choice", "left", "repeat", "cannot_judge"),
    "verdict": ("pair", "turn", "judge", "choice", "left", "repeat", "status"),
    "ruling": ("pair", "turn", "lead", "choice", "left", "stage", "final"),
}
"""What two events of one id must agree in to be the same."""


@dataclass(slots=True)
class Merged:
    """What a merge did, or would do.

    Attributes:
        new, unchanged: counts by kind of record.
        conflicts: one line each: what, what it says here, what there.
        left_out: events that were not taken because of a conflict, by log.
        notes: settings that differ (this study's own stay), and what leads now disagree about.
        is_done: False where nothing was merged.
    """

    new: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    conflicts: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    is_done: bool = False


class _NotWanted(Exception):
    """Rolls a merge back that was only to be looked at."""


def merge(
    store: Store, other: Path, *, leave_out_conflicts: bool = False, dry_run: bool = False
) -> Merged:
    """Merge another study's file into this one, in one transaction; the other is not changed.

    Args:
        other: may be in use meanwhile: what it held at one moment is merged.
        leave_out_conflicts: merge what contradicts nothing; otherwise a conflict stops it all.
        dry_run: only say what would be done.

    Raises:
        StudyUnavailable: if either file cannot be read, or both are the same.
        Conflict: if the two cannot be one study at all.
    """
    if other.exists() and other.samefile(store.path):
        raise StudyUnavailable(f"{other}: is the study itself", "name another host's file")
    with _snapshot(other) as copy, Store(copy, clock=store.clock) as theirs:
        merging = _Merging(store, theirs, other.name)
        try:
            with store.write() as connection:
                merging.run(connection)
                if dry_run or (merging.merged.conflicts and not leave_out_conflicts):
                    raise _NotWanted
        except _NotWanted:
            return merging.merged
    merging.merged.is_done = True
    return merging.merged


@contextmanager
def _snapshot(path: Path) -> Iterator[Path]:
    """A copy of a study as it stands at one moment, whole, for this user alone."""
    with tempfile.TemporaryDirectory(prefix="tiebreak-") as folder:
        with Store(path, untouched=True) as source:
            copy = back_up(source, Path(folder) / path.name).path
        yield copy


class _Merging:
    """One merge, on its way."""

    def __init__(self, store: Store, theirs: Store, name: str) -> None:
        self.store = store
        self.theirs = theirs
        self.merged = Merged()
        self._name = name
        self._refused: dict[str, set[str]] = {"question": set(), "annotator": set(), "judge": set()}

    def run(self, connection: sqlite3.Connection) -> None:
        """Merge all that fits; within a write transaction."""
        self._settings()
        self._what_it_is_about(connection)
        self._wordings(connection)
        self._panels(connection)
        rows = Rows(connection, self.theirs.connection)
        self._queue(connection, rows)
        self._assignments(connection, rows)
        for log in chain.LOGS:
            self._log(connection, log, rows)
        self._trials(connection, rows)
        refused = self._refused["annotator"]
        merge_beside_rulings(connection, self.theirs.connection, rows, refused, self.merged)
        self.merged.notes += disagreeing(connection, rows.taken["ruling"])
        connection.execute(
            "UPDATE queue SET (load, load_1) = "
            "(SELECT count(*), count(iif(a.left = 1, 1, NULL)) FROM assignment a "
            "WHERE a.repeat = 0 AND a.pair_id = queue.pair_id AND a.state IN ('open', 'done'))"
        )
        settle_disputes(connection)
        settle_probabilities(connection)

    # ── what votes are about ────────────────────────────────────────────────

    def _settings(self) -> None:
        ours, theirs = self.store.settings(), self.theirs.settings()
        if ours["vote_per"] != theirs["vote_per"]:
            raise Conflict(
                f"{self._name}: asks for one vote per {theirs['vote_per']}, "
                f"this study for one per {ours['vote_per']}",
                "these are two studies: export votes from each instead",
            )
        self.merged.notes = [
            f"setting {key!r} differs; this study's own stays"
            for key in ours
            if ours[key] != theirs[key]
        ]

    def _what_it_is_about(self, connection: sqlite3.Connection) -> None:
        where = Where(self._name)
        head = chain.head(self.theirs.connection, "vote")[1]
        records = (
            (where, record)
            for record in self.theirs.reading.records(logs=False)
            if not isinstance(record, Setting | Wording | Panel)
        )
        files = {self._name: File(self._name, "study", head)}
        summary, refused = self.store.ingest.take_what_fits(connection, records, files)
        self.merged.new, self.merged.unchanged = summary.new, summary.unchanged
        for record, conflict in refused:
            self.merged.conflicts.append(conflict.message.removeprefix(f"{self._name}: "))
            kind, key = _owner(record)
            if kind:
                self._refused[kind].add(key)

    def _wordings(self, connection: sqlite3.Connection) -> None:
        """Take the prompts of judges that the other had, as they were when added there."""
        kept = self.theirs.connection.execute(
            "SELECT j.name, t.body FROM judge_prompt p JOIN judge j ON j.id = p.judge_id "
            "JOIN text t ON t.hash = p.text_hash"
        )
        for name, wording in kept.fetchall():
            if name not in self._refused["judge"]:
                keep_wording(connection, name, wording)

    def _panels(self, connection: sqlite3.Connection) -> None:
        """Take the other's panels, but those with a member that is another judge here."""
        for panel in self.theirs.panels.every():
            if self._refused["judge"] & panel.members.keys():
                self.merged.left_out["panels"] += 1
                continue
            try:
                is_new = add_panel(connection, panel, self.store.now(), self._name)
            except Conflict as conflict:
                self.merged.conflicts.append(conflict.message.removeprefix(f"{self._name}: "))
                self.merged.left_out["panels"] += 1
                continue
            (self.merged.new if is_new else self.merged.unchanged)["panels"] += 1

    def _queue(self, connection: sqlite3.Connection, rows: Rows) -> None:
        """Queue what only the other had queued, by the design it was drawn with."""
        designs: dict[int, int] = {}
        queued = self.theirs.connection.execute(
            "SELECT p.key, q.probability, q.overlap, q.extra, d.id, d.method, d.arguments, d.seed, "
            "d.population, d.made_at FROM queue q JOIN pair p ON p.id = q.pair_id "
            "JOIN design d ON d.id = q.design_id ORDER BY q.pair_id"
        )
        for key, probability, overlap, extra, number, *design in queued.fetchall():
            pair_id = rows.pairs.get(key)
            if pair_id is None:
                continue
            if number not in designs:
                designs[number] = _design(connection, design)
            added = connection.execute(
                "INSERT OR IGNORE INTO queue (pair_id, design_id, probability, overlap, extra) "
                "VALUES (?, ?, ?, ?, ?)",
                (pair_id, designs[number], probability, overlap, extra),
            ).rowcount
            if extra:  # a lead there sent it for more votes
                connection.execute(
                    "UPDATE queue SET overlap = overlap + ?1 - extra, extra = ?1 "
                    "WHERE pair_id = ?2 AND extra < ?1",
                    (extra, pair_id),
                )
            (self.merged.new if added else self.merged.unchanged)["queued pairs"] += 1

    def _assignments(self, connection: sqlite3.Connection, rows: Rows) -> None:
        """Take how each pair was served; a pair that waits for its vote there keeps no slot."""
        columns = (
            "s.uid, p.key, a.name, s.repeat, s.left, s.policy, s.policy_version, s.seed, "
            "s.probability, s.served_at, s.lease_until, "
            "CASE s.state WHEN 'open' THEN 'expired' ELSE s.state END, s.reason, s.closed_at"
        )
        served = self.theirs.connection.execute(
            f"SELECT {columns} FROM assignment s JOIN pair p ON p.id = s.pair_id "
            "JOIN annotator a ON a.id = s.annotator_id WHERE s.state NOT IN ('open', 'released') "
            "OR EXISTS (SELECT 1 FROM vote v WHERE v.assignment_id = s.id) ORDER BY s.id"
        )
        for uid, key, name, *rest in served.fetchall():
            if uid in rows.assignments:
                connection.execute(
                    "UPDATE assignment SET state = 'done', closed_at = ? "
                    "WHERE id = ? AND state IN ('open', 'expired', 'released') AND ? = 'done'",
                    (rest[-1], rows.assignments[uid], rest[-3]),
                )
                continue
            if key not in rows.pairs or name in self._refused["annotator"]:
                continue
            rows.assignments[uid] = connection.execute(
                "INSERT INTO assignment (uid, pair_id, annotator_id, repeat, left, policy, "
                "policy_version, seed, probability, served_at, lease_until, state, reason, "
                "closed_at, skipped_after) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) "
                "RETURNING id",
                (uid, rows.pairs[key], rows.annotators[name], *rest),
            ).fetchone()[0]

    # ── the three logs ──────────────────────────────────────────────────────

    def _log(self, connection: sqlite3.Connection, log: str, rows: Rows) -> None:
        superseded = dict(
            connection.execute(
                f"SELECT supersedes, id FROM {log} WHERE supersedes IS NOT NULL"
            ).fetchall()
        )
        clashing = clashes(connection, self.theirs.connection, log)
        reasons: Counter[str] = Counter()
        for batch in _batches(chain.read(self.theirs.connection, log)):
            known = _known(connection, log, [row["id"] for row in batch])
            fresh = []
            for row in batch:
                if row["id"] in known:
                    self._compare(log, row, known[row["id"]])
                    continue
                who = row.get("annotator") or row.get("lead") or ""
                item = (row["pair"], row["turn"], who, row.get("repeat") or 0)
                if item in clashing:
                    reasons[clashing[item]] += 1
                    self.merged.left_out[f"{log}s"] += 1
                elif self._is_taken(log, row, superseded, rows):
                    fresh.append(rows.resolved(log, row))
                    rows.taken[log].add(row["id"])
                else:
                    self.merged.left_out[f"{log}s"] += 1
            rows.store_texts(log, fresh)
            chain.append(connection, log, fresh)
            self.merged.new[f"{log}s"] += len(fresh)
        self.merged.conflicts += sorted(reasons)

    def _compare(self, log: str, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
        """Say so if an event that both hold is not the same; ours stays as it is."""
        differs = [name for name in _MEANING[log] if theirs[name] != ours[name]]
        self.merged.unchanged[f"{log}s"] += not differs
        if differs:
            told = ", ".join(
                f"{name} {ours[name]!r} here, {theirs[name]!r} there" for name in differs
            )
            self.merged.conflicts.append(f"{log} {theirs['id']!r} says {told}")

    def _is_taken(
        self, log: str, row: dict[str, Any], superseded: dict[str, str], rows: Rows
    ) -> bool:
        who = row.get("annotator") or row.get("lead")
        if (
            row["pair"] not in rows.pairs
            or rows.questions[row["pair"]] in self._refused["question"]
            or who in self._refused["annotator"]
            or (log == "verdict" and _judge_name(row) in self._refused["judge"])
        ):
            return False
        before = row["supersedes"]
        if before is None:
            return True
        if before in superseded:
            self.merged.conflicts.append(
                f"{log} {before!r} is superseded by {superseded[before]!r} here, "
                f"by {row['id']!r} there"
            )
            return False
        return before in rows.taken[log] or rows.has(log, before)

    def _trials(self, connection: sqlite3.Connection, rows: Rows) -> None:
        lessons = {
            (key, turn, use): number
            for number, key, turn, use in connection.execute(
                "SELECT l.id, p.key, l.turn, l.use FROM lesson l JOIN pair p ON p.id = l.pair_id"
            )
        }
        trials = self.theirs.connection.execute(
            "SELECT p.key, l.turn, l.use, a.name, t.id, t.identity, t.round, t.left, t.seen, "
            "t.choice, t.active_seconds, t.at FROM trial t JOIN lesson l ON l.id = t.lesson_id "
            "JOIN pair p ON p.id = l.pair_id JOIN annotator a ON a.id = t.annotator_id "
            "ORDER BY t.seq"
        )
        for key, turn, use, name, *rest in trials.fetchall():
            lesson = lessons.get((key, turn, use))
            if lesson is None or name in self._refused["annotator"]:
                continue
            added = connection.execute(
                "INSERT OR IGNORE INTO trial (lesson_id, annotator_id, id, identity, round, left, "
                "seen, choice, active_seconds, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (lesson, rows.annotators[name], *rest),
            ).rowcount
            (self.merged.new if added else self.merged.unchanged)["trials"] += 1


def _owner(record: Record) -> tuple[str, str]:
    """Whose events cannot be taken if this record is not: (kind, key), or two empty texts."""
    if isinstance(record, Question):
        return "question", record.key
    if isinstance(record, Answer):
        return "question", record.question
    if isinstance(record, Annotator):
        return "annotator", record.name
    if isinstance(record, Judge):
        return "judge", record.name
    return "", ""


def _judge_name(row: dict[str, Any]) -> str:
    return str(json.loads(row["judge"])[0])


def _design(connection: sqlite3.Connection, design: list[Any]) -> int:
    """The row of a design, added if it is new here."""
    known = connection.execute(
        "SELECT id FROM design WHERE (method, arguments, seed, population, made_at) "
        "= (?, ?, ?, ?, ?)",
        design,
    ).fetchone()
    if known is None:
        known = connection.execute(
            "INSERT INTO design (method, arguments, seed, population, made_at) "
            "VALUES (?, ?, ?, ?, ?) RETURNING id",
            design,
        ).fetchone()
    return int(known[0])


def _known(connection: sqlite3.Connection, log: str, ids: list[str]) -> dict[str, dict[str, Any]]:
    """The events of these ids that the log holds, by what they mean."""
    who = {"vote": "a.name", "verdict": chain.JUDGE, "ruling": "a.name"}[log]
    join = {
        "vote": "JOIN annotator a ON a.id = v.annotator_id",
        "verdict": "JOIN judge j ON j.id = v.judge_id",
        "ruling": "JOIN annotator a ON a.id = v.lead_id",
    }[log]
    columns = [
        {"pair": "p.key", "annotator": who, "lead": who, "judge": who}.get(name, f"v.{name}")
        for name in _MEANING[log]
    ]
    rows = connection.execute(
        f"SELECT v.id, {', '.join(columns)} FROM {log} v JOIN pair p ON p.id = v.pair_id {join} "
        "WHERE v.id IN (SELECT value FROM json_each(?))",
        (json.dumps(ids),),
    )
    return {key: dict(zip(_MEANING[log], values, strict=True)) for key, *values in rows}


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch
