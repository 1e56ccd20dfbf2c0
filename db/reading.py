"""Reading a study as it stands: for gold, exports and whoever counts what it holds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import Conflict
from core.items import Item as Item
from core.items import Served as Served
from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Lesson,
    LessonUse,
    Pair,
    Record,
    Role,
    Ruling,
    RulingChoice,
    RulingStage,
    Setting,
    Verdict,
    VerdictStatus,
    Vote,
    Wording,
)
from db.details import criteria_of, tags_of
from db.panels import panels_of
from db.reading_beside import beside_in
from db.scores import scores_of
from db.texts import Shown, answer_turns, question_of, shown

if TYPE_CHECKING:
    from db.store import Store


_QUEUED = {
    "pairs_queued": "SELECT count(*) FROM queue",
    "pairs_complete": "SELECT count(*) FROM (SELECT 1 FROM queue q JOIN assignment a "
    "ON a.pair_id = q.pair_id AND a.state = 'done' AND a.repeat = 0 GROUP BY q.pair_id "
    "HAVING count(*) >= q.overlap)",
}


class Reading:
    """What statistics, gold and exports read of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def counts(self) -> dict[str, int]:
        """How much of everything the study holds, votes and verdicts as they stand."""
        current = "WHERE NOT EXISTS (SELECT 1 FROM {0} w WHERE w.supersedes = v.id)"
        queries = {
            "questions": "SELECT count(*) FROM question",
            "models": "SELECT count(*) FROM model",
            "answers": "SELECT count(*) FROM answer",
            "pairs": "SELECT count(*) FROM pair",
            **_QUEUED,
            "annotators": "SELECT count(*) FROM annotator WHERE NOT simulated",
            "simulated_annotators": "SELECT count(*) FROM annotator WHERE simulated",
            "votes": f"SELECT count(*) FROM vote v {current.format('vote')} "
            "AND v.choice IS NOT NULL AND v.repeat = 0",
            "votes_with_details": f"SELECT count(*) FROM vote v {current.format('vote')} "
            "AND v.choice IS NOT NULL AND coalesce(v.confidence, v.tags, v.criteria) IS NOT NULL",
            "cannot_judge": f"SELECT count(*) FROM vote v {current.format('vote')} "
            "AND v.cannot_judge IS NOT NULL",
            "hidden_repeats": f"SELECT count(*) FROM vote v {current.format('vote')} "
            "AND v.choice IS NOT NULL AND v.repeat > 0",
            "vote_log_rows": "SELECT count(*) FROM vote",
            "flags": f"SELECT count(*) FROM vote v {current.format('vote')} AND v.flag != ''",
            "judges": "SELECT count(*) FROM judge",
            "verdicts": f"SELECT count(*) FROM verdict v {current.format('verdict')}",
            "verdict_failures": f"SELECT count(*) FROM verdict v {current.format('verdict')} "
            "AND v.status != 'ok'",
            "rulings": f"SELECT count(*) FROM ruling v {current.format('ruling')} "
            "AND v.choice IS NOT NULL",
            "scores": "SELECT count(*) FROM score",
            "open_assignments": "SELECT count(*) FROM assignment WHERE state = 'open'",
        }
        with self.store.read() as connection:
            return {
                name: connection.execute(query).fetchone()[0] for name, query in queries.items()
            }

    def queued(self) -> dict[str, int]:
        """``pairs_queued`` and ``pairs_complete`` of :meth:`counts`; reads the whole queue."""
        with self.store.read() as connection:
            return {key: connection.execute(sql).fetchone()[0] for key, sql in _QUEUED.items()}

    def pair_texts(self, pair_id: int, left: int) -> Shown:
        """A pair's texts; no turns where they are not known.

        Args:
            left: 1 or 2, which of the pair's models stands left.

        Raises:
            Conflict: if there is no such pair.
        """
        with self.store.read() as connection:
            row = connection.execute(
                "SELECT question_id, answer_1, answer_2 FROM pair WHERE id = ?", (pair_id,)
            ).fetchone()
            if row is None:
                raise Conflict("this pair is not in the study any more", "look at the numbers anew")
            return shown(connection, row[0], (row[1], row[2]), left)

    def items(self) -> Iterator[Item]:
        """Every pair and turn that somebody said something about, in a stable order."""
        from db.said import items_in

        with self.store.read() as connection:
            yield from (item for item, _ in items_in(connection))

    def groups(self) -> dict[str, str]:
        """Each annotator's group."""
        with self.store.read() as connection:
            return dict(connection.execute('SELECT name, "group" FROM annotator').fetchall())

    def voters(self) -> list[tuple[bool, str]]:
        """For each annotator with a vote: whether simulated, and the group."""
        with self.store.read() as connection:
            rows = connection.execute(
                'SELECT simulated, "group" FROM annotator a '
                "WHERE EXISTS (SELECT 1 FROM vote v WHERE v.annotator_id = a.id)"
            ).fetchall()
        return [(bool(simulated), group) for simulated, group in rows]

    def voters_count(self) -> int:
        """How many people have a row in the vote log."""
        with self.store.read() as connection:
            sql = "SELECT count(DISTINCT annotator_id) FROM vote"
            return int(connection.execute(sql).fetchone()[0])

    def undated_votes(self) -> int:
        """How many rows of the vote log carry no time."""
        with self.store.read() as connection:
            sql = "SELECT count(*) FROM vote WHERE at = ''"
            return int(connection.execute(sql).fetchone()[0])

    def simulated(self) -> frozenset[str]:
        """The names of the simulated annotators."""
        with self.store.read() as connection:
            rows = connection.execute("SELECT name FROM annotator WHERE simulated").fetchall()
        return frozenset(row[0] for row in rows)

    def retired(self) -> frozenset[str]:
        """The names of those who vote no more."""
        with self.store.read() as connection:
            rows = connection.execute("SELECT name FROM annotator WHERE retired_at IS NOT NULL")
            return frozenset(row[0] for row in rows)

    def votes(self) -> Iterator[tuple[Vote, Served]]:
        """The votes that stand, in the order they were cast."""
        yield from ((vote, how) for vote, how in self.said() if vote.choice is not None)

    def said(self) -> Iterator[tuple[Vote, Served]]:
        """The votes that stand, and between them the word of those who cannot judge."""
        with self.store.read() as connection:
            yield from votes_in(connection, _STANDING)

    def verdicts_of(self, judge: str) -> Iterator[Verdict]:
        """A judge's standing verdicts, with their raw replies, in the order of the log."""
        with self.store.read() as connection:
            yield from verdicts_in(connection, _STANDING, judge=judge)

    def verdict(self, key: str) -> Verdict:
        """One verdict with all its texts, whether it stands or not.

        Args:
            key: its id, or the beginning of one.

        Raises:
            Conflict: if no verdict's id begins so, or more than one.
        """
        with self.store.read() as connection:
            # What sorts between a text and itself with the last character there is begins with it.
            found = connection.execute(
                "SELECT id FROM verdict WHERE id = :key OR (id > :key AND id < :key || :last) "
                "ORDER BY id LIMIT 2",
                {"key": key, "last": "\U0010ffff"},
            ).fetchall()
            if not found or (len(found) > 1 and found[0][0] != key):
                raise Conflict(
                    f"{'no' if not found else 'more than one'} verdict's id begins with {key!r}",
                    "`tiebreak judge failures` lists the ids of what failed",
                )
            (verdict,) = verdicts_in(connection, _ALL, only=found[0][0])
        return verdict

    def records(self, *, logs: bool = True) -> Generator[Record, None, None]:
        """The whole study as records, histories included: what the native format writes.

        Args:
            logs: with votes, verdicts and rulings; without them it is what these are about.
        """
        with self.store.read() as connection:
            yield from records_in(connection, logs=logs)


def records_in(
    connection: sqlite3.Connection,
    *,
    logs: bool = True,
    last: Mapping[str, int] | None = None,
    until: str | None = None,
) -> Iterator[Record]:
    """The whole study as records, histories included, within the caller's transaction.

    Args:
        logs: with votes, verdicts, rulings, and what stands beside these; without them it is what
            they are about.
        last: log → the number of its last row that counts.
        until: the moment up to which what stands beside the logs counts.
    """
    for key, value in connection.execute("SELECT key, value FROM study ORDER BY key"):
        if key != "seed":
            yield Setting(key, json.loads(value))
    for (question_id,) in connection.execute("SELECT id FROM question ORDER BY id"):
        question = question_of(connection, question_id)
        # What has no text follows from the pairs that name it.
        if question.turns or question.references:
            yield question
    yield from _answers(connection)
    for row in connection.execute(
        "SELECT q.key, p.model_1, p.model_2 FROM pair p "
        "JOIN question q ON q.id = p.question_id ORDER BY p.id"
    ):
        yield Pair(*row)
    for question, model_1, model_2, turn, choice, why, use, source in connection.execute(
        "SELECT q.key, p.model_1, p.model_2, l.turn, l.choice, l.why, l.use, s.name "
        "FROM lesson l JOIN pair p ON p.id = l.pair_id "
        "JOIN question q ON q.id = p.question_id "
        "LEFT JOIN source s ON s.id = l.source_id ORDER BY l.id"
    ):
        pair = Pair(question, model_1, model_2)
        yield Lesson(pair, turn, Choice(choice), why, LessonUse(use), source)
    for name, role, group, simulated, attributes, is_retired in connection.execute(
        'SELECT name, role, "group", simulated, attributes, retired_at IS NOT NULL '
        "FROM annotator ORDER BY id"
    ):
        known = json.loads(attributes)
        yield Annotator(name, Role(role), group, bool(simulated), known, bool(is_retired))
    for (
        name,
        kind,
        model,
        endpoint,
        prompt,
        digest,
        parameters,
        revision,
    ) in connection.execute(
        "SELECT name, kind, model, endpoint, prompt, prompt_hash, parameters, "
        "revision FROM judge ORDER BY id"
    ):
        yield Judge(name, kind, model, endpoint, prompt, digest, json.loads(parameters), revision)
    for name, text in connection.execute(
        "SELECT j.name, t.body FROM judge_prompt p JOIN judge j ON j.id = p.judge_id "
        "JOIN text t ON t.hash = p.text_hash ORDER BY j.id"
    ):
        yield Wording(name, text)
    yield from panels_of(connection)
    yield from scores_of(connection)
    if not logs:
        return
    whole = Part(standing=False, last=last)
    for vote, _ in votes_in(connection, whole):
        yield vote
    yield from verdicts_in(connection, whole)
    yield from rulings_in(connection, whole)
    rulings = None if last is None else last["ruling"]
    yield from beside_in(connection, rulings=rulings, until=until)


def _answers(connection: sqlite3.Connection) -> Iterator[Answer]:
    rows = connection.execute(
        "SELECT a.id, q.key, a.model, x.body, a.settings, s.name FROM answer a "
        "JOIN question q ON q.id = a.question_id LEFT JOIN text x ON x.hash = a.system_prompt_hash "
        "LEFT JOIN source s ON s.id = a.source_id ORDER BY a.id"
    )
    for number, question, model, prompt, settings, source in rows:
        turns = answer_turns(connection, number)
        if turns:
            yield Answer(question, model, turns, prompt, json.loads(settings), source)


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of the logs is read.

    Attributes:
        standing: only what is neither withdrawn nor superseded.
        last: log → the number of the last row that counts, as if none had come since.
        pairs: only of these rows of pairs.
        texts: verdicts with their raw replies and reasoning.
    """

    standing: bool = True
    last: Mapping[str, int] | None = None
    pairs: Sequence[int] | None = None
    texts: bool = True

    def where(self, log: str) -> str:
        """SQL: the condition on ``log v``; its values are in :meth:`values`."""
        found = ["1"]
        if self.standing:
            seen = " AND w.seq <= :last" if self.last is not None else ""
            found.append(f"NOT EXISTS (SELECT 1 FROM {log} w WHERE w.supersedes = v.id{seen})")
        if self.last is not None:
            found.append("v.seq <= :last")
        if self.pairs is not None:
            if log == "verdict":  # whose only index over pairs begins with the judge
                found.append("v.judge_id IN (SELECT id FROM judge)")
            found.append("v.pair_id IN (SELECT value FROM json_each(:pairs))")
        return "WHERE " + " AND ".join(found)

    def values(self, log: str) -> dict[str, Any]:
        """What the condition names."""
        found: dict[str, Any] = {}
        if self.last is not None:
            found["last"] = self.last[log]
        if self.pairs is not None:
            found["pairs"] = json.dumps(list(self.pairs))
        return found


_ALL = Part(standing=False)
_STANDING = Part()


def votes_in(connection: sqlite3.Connection, part: Part) -> Iterator[tuple[Vote, Served]]:
    """Votes in the order of the log, each with how its pair was served."""
    only = part.where("vote")
    if part.standing:
        only += " AND (v.choice IS NOT NULL OR v.cannot_judge IS NOT NULL)"
    rows = connection.execute(
        "SELECT q.key, p.model_1, p.model_2, v.id, v.turn, a.name, v.choice, v.identity, v.left, "
        "v.supersedes, v.confidence, v.note, v.flag, v.active_seconds, v.at, s.name, v.repeat, "
        "coalesce(v.cannot_judge, ''), v.tags, v.criteria, "
        "g.policy || '/' || g.policy_version, g.probability "
        "FROM vote v JOIN pair p ON p.id = v.pair_id JOIN question q ON q.id = p.question_id "
        "JOIN annotator a ON a.id = v.annotator_id LEFT JOIN source s ON s.id = v.source_id "
        f"LEFT JOIN assignment g ON g.id = v.assignment_id {only} ORDER BY v.seq",
        part.values("vote"),
    )
    for question, model_1, model_2, key, turn, name, choice, *rest in rows:
        *rest, tags, criteria, policy, probability = rest
        rest += tags_of(tags), criteria_of(criteria)
        yield (
            Vote(
                key,
                Pair(question, model_1, model_2),
                turn,
                name,
                None if choice is None else Choice(choice),
                *rest,
            ),
            Served(policy or "", probability),
        )


def verdicts_in(
    connection: sqlite3.Connection, part: Part, *, only: str | None = None, judge: str = ""
) -> Iterator[Verdict]:
    """Verdicts in the order of the log, or the one whose id is ``only``, or a judge's."""
    chosen = "" if only is None else "AND v.id = :only "
    if judge:
        chosen += "AND j.name = :judge "
    bodies, joins = "NULL, NULL", ""
    if part.texts:
        bodies = "raw.body, why.body"
        joins = (
            "LEFT JOIN text raw ON raw.hash = v.raw_hash "
            "LEFT JOIN text why ON why.hash = v.reasoning_hash "
        )
    rows = connection.execute(
        "SELECT q.key, p.model_1, p.model_2, v.id, v.turn, j.name, v.status, v.choice, v.left, "
        "v.repeat, v.score_left, v.score_right, v.preference, v.prompt, v.prompt_hash, v.label, "
        f"{bodies}, v.error, v.tokens_in, v.tokens_out, v.latency, v.cost, v.attempts, "
        "v.supersedes, v.at, s.name, v.failure, v.sent_hash, v.probabilities, v.endpoint, "
        "v.served_model FROM verdict v JOIN pair p ON p.id = v.pair_id "
        "JOIN question q ON q.id = p.question_id "
        "JOIN judge j ON j.id = v.judge_id LEFT JOIN source s ON s.id = v.source_id "
        f"{joins}{part.where('verdict')} {chosen}ORDER BY v.seq",
        {"only": only, "judge": judge, **part.values("verdict")},
    )
    for question, model_1, model_2, key, turn, judge, status, choice, left, repeat, *rest in rows:
        score_left, score_right, *rest = rest
        *rest, failure, sent_hash, shares, endpoint, served_model = rest
        yield Verdict(
            key,
            Pair(question, model_1, model_2),
            turn,
            judge,
            VerdictStatus(status),
            None if choice is None else Choice(choice),
            left,
            repeat,
            None if score_left is None else (score_left, score_right),
            *rest,  # type: ignore[misc]  # the columns, in the record's own order
            failure=failure or "",
            sent_hash=sent_hash or "",
            probabilities=json.loads(shares) if shares else {},
            endpoint=endpoint or "",
            served_model=served_model or "",
        )


def rulings_in(connection: sqlite3.Connection, part: Part) -> Iterator[Ruling]:
    """Rulings in the order of the log."""
    rows = connection.execute(
        "SELECT q.key, p.model_1, p.model_2, v.id, v.turn, a.name, v.stage, v.choice, v.reason, "
        "v.left, v.shown, v.queue_reason, v.queue_probability, v.supersedes, v.identity, v.at, "
        "s.name, v.final FROM ruling v JOIN pair p ON p.id = v.pair_id "
        "JOIN question q ON q.id = p.question_id JOIN annotator a ON a.id = v.lead_id "
        f"LEFT JOIN source s ON s.id = v.source_id {part.where('ruling')} "
        f"{'AND v.choice IS NOT NULL ' if part.standing else ''}ORDER BY v.seq",
        part.values("ruling"),
    )
    for question, model_1, model_2, key, turn, lead, stage, choice, reason, left, *more in rows:
        shown, why, probability, supersedes, identity, at, source, final = more
        yield Ruling(
            key,
            Pair(question, model_1, model_2),
            turn,
            lead,
            RulingStage(stage),
            None if choice is None else RulingChoice(choice),
            reason,
            left,
            json.loads(shown),
            why,
            probability,
            supersedes,
            identity,
            at,
            source,
            bool(final),
        )
