"""What an annotator's connection may see and do. SQLite refuses it everything else.

A statement names tables as ever. On a blind connection a temporary view of the same name stands
before each table whose rows are not all one's own: ``vote`` is one's own votes there. SQLite's
authorizer, asked whenever a statement is prepared, denies every table, column, function and kind of
statement that is not listed here, so that a new column is hidden until somebody lists it. Writes
name the table itself (``main.vote``); triggers look at each row that is written.

What the authorizer can tell of a view is its name alone, and any common table expression may bear
that name. So what reads behind the views bears a name that is drawn anew for each connection. The
study's own triggers, which keep what draws count on, have names that everybody knows: they may read
and write only in statements that name none of them.

``tests/db/test_blind.py`` tries each table and column.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from core.errors import NotForAnnotators

DOORS = {
    "question_text": "SELECT t.question_id, t.turn, x.body "
    "FROM main.question_turn t JOIN main.text x ON x.hash = t.text_hash",
    "reference_text": "SELECT t.question_id, t.turn, x.body "
    "FROM main.reference_turn t JOIN main.text x ON x.hash = t.text_hash",
    "answer_text": "SELECT t.answer_id, t.turn, x.body "
    "FROM main.answer_turn t JOIN main.text x ON x.hash = t.text_hash",
    # Everybody frees what others left lying; a hidden repeat keeps nobody waiting.
    "lapsed": "SELECT id, pair_id, annotator_id, left, lease_until FROM main.assignment "
    "WHERE state = 'open' AND repeat = 0",
}
"""Temporary views that every connection has: what annotators may know of tables closed to them.

``text`` holds the replies of judges and the models' system prompts too, hence the first three.
"""

# The plus keeps SQLite from looking through all of one's own rows where a better index is there.
_OWN = {
    "annotator": "SELECT * FROM main.annotator WHERE id = {me}",
    "assignment": "SELECT * FROM main.assignment WHERE +annotator_id = {me}",
    "chain_head": "SELECT * FROM main.chain_head WHERE log = 'vote'",
    "draft": "SELECT * FROM main.draft d WHERE EXISTS (SELECT 1 FROM main.assignment a "
    "WHERE a.id = d.assignment_id AND a.annotator_id = {me})",
    # What is right is told after the trial.
    "lesson": "SELECT l.id, l.pair_id, l.turn, l.use, iif({tried}, l.choice, NULL) AS choice, "
    "iif({tried}, l.why, NULL) AS why FROM main.lesson l",
    "preference": "SELECT * FROM main.preference WHERE +annotator_id = {me}",
    "ssh_key": "SELECT * FROM main.ssh_key WHERE annotator_id = {me}",
    "trial": "SELECT * FROM main.trial WHERE +annotator_id = {me}",
    "vote": "SELECT * FROM main.vote WHERE +annotator_id = {me}",
}
"""Temporary views that stand before tables: ``{me}`` is the annotator's row."""

_TRIED = "EXISTS (SELECT 1 FROM main.trial t WHERE t.lesson_id = l.id AND t.annotator_id = {me})"

READABLE: Mapping[str, Mapping[str, str]] = {
    "temp": {
        "annotator": "id name group attributes paused_at retired_at",
        "assignment": "id uid pair_id annotator_id repeat left policy policy_version probability "
        "lease_until state closed_at skipped_after",
        "chain_head": "log seq hash",
        "draft": "assignment_id turn note flag",
        "lesson": "id pair_id turn use choice why",
        "preference": "annotator_id chosen",
        # So that a session ends when its key is removed.
        "ssh_key": "fingerprint removed_at",
        "trial": "id lesson_id annotator_id round seen choice",
        "vote": "seq id pair_id turn annotator_id assignment_id left seen choice cannot_judge "
        "supersedes confidence tags criteria note flag active_seconds at",
        "question_text": "question_id turn body",
        "reference_text": "question_id turn body",
        "answer_text": "answer_id turn body",
        "lapsed": "id pair_id annotator_id left lease_until",
    },
    "main": {
        # The seed is among the settings: it says which side, and names nobody.
        "study": "key value",
        "pair": "id key question_id answer_1 answer_2",
        "question": "id category",
        "question_turn": "question_id turn text_hash",
        "answer_turn": "answer_id turn text_hash",
        # A block is a number: which models it stands for is in a table that is not here.
        "queue": "pair_id overlap extra load load_1 question_id category block disputed",
        "stratum": "load category block disputed pairs wanting",
        "group_load": "group pair_id load",
        "json_each": "value",
        # What an UPDATE or a DELETE finds its row by.
        "annotator": "id",
        "assignment": "id",
        "chain_head": "log",
        "draft": "assignment_id turn",
    },
}
"""Schema → table or view → the columns that statements may read."""

INSERTABLE = frozenset({"assignment", "draft", "preference", "trial", "vote"})
DELETABLE = frozenset({"draft"})
UPDATABLE: Mapping[str, str] = {
    "annotator": "attributes",
    "assignment": "state closed_at reason lease_until skipped_after",
    "chain_head": "seq hash",
    "queue": "load load_1",
}
"""Table → the columns that statements may change."""

FUNCTIONS = frozenset(
    "coalesce count group_concat iif json_each max min substr sum".split()
)  # fmt: skip

KEEPERS = frozenset(
    "assignment_made assignment_taken assignment_freed queue_moves vote_settles "
    "disputed_pair standing_vote standing_verdict".split()
)
"""The study's own triggers that what annotators do sets off, and the views that these read."""

GUARDED = "this row is not for this annotator to write"
"""What a guard says; what is refused by one is a mistake of ours."""

_IS_MINE = (
    "EXISTS (SELECT 1 FROM main.assignment s "
    "WHERE s.id = {row}.assignment_id AND s.annotator_id = {{me}}{more})"
)
_DRAFT_IS_MINE = _IS_MINE.format(row="new", more="")

# Each says when a row is refused. They stand in for foreign keys as well: to check one of those,
# a statement must be allowed to read the key of every row that may be named.
_GUARDS = {
    ("INSERT", "assignment"): "new.annotator_id IS NOT {me} "
    "OR NOT EXISTS (SELECT 1 FROM main.queue q WHERE q.pair_id = new.pair_id)",
    ("UPDATE", "assignment"): "old.annotator_id IS NOT {me} AND NOT (old.state = 'open' "
    "AND new.state = 'expired' AND old.lease_until < new.closed_at "
    "AND new.lease_until = old.lease_until AND new.reason = old.reason "
    "AND new.skipped_after IS old.skipped_after)",
    ("INSERT", "vote"): "new.annotator_id IS NOT {me} OR new.source_id IS NOT NULL OR NOT "
    + _IS_MINE.format(row="new", more=" AND s.pair_id = new.pair_id")
    + " OR (new.supersedes IS NOT NULL AND NOT EXISTS (SELECT 1 FROM main.vote w "
    "WHERE w.id = new.supersedes AND w.assignment_id = new.assignment_id AND w.turn = new.turn))",
    ("INSERT", "trial"): "new.annotator_id IS NOT {me} "
    "OR NOT EXISTS (SELECT 1 FROM main.lesson l WHERE l.id = new.lesson_id)",
    ("INSERT", "preference"): "new.annotator_id IS NOT {me}",
    ("INSERT", "draft"): f"NOT {_DRAFT_IS_MINE}",
    ("DELETE", "draft"): "NOT " + _IS_MINE.format(row="old", more=""),
    ("UPDATE", "annotator"): "old.id IS NOT {me}",
    ("UPDATE", "chain_head"): "old.log <> 'vote' OR new.seq <= old.seq",
}  # fmt: skip

# Column "" is that of a table of which nothing but the rows is wanted; its schema is then the one
# that the statement wrote, if any.
_LOOKED_AT = frozenset(
    [
        *(
            (schema, table, column)
            for schema, tables in READABLE.items()
            for table, columns in tables.items()
            for column in columns.split()
        ),
        *((None, table, "") for tables in READABLE.values() for table in tables),
        *(("main", table, "") for table in (*READABLE["main"], "lesson")),
    ]
)
_CHANGES = {(table, column) for table, names in UPDATABLE.items() for column in names.split()}


@dataclass(slots=True)
class _Trust:
    """Whether what bears a keeper's name now is that keeper: within a statement that names none."""

    is_given: bool = False


@lru_cache(maxsize=1024)
def _names_a_keeper(statement: str) -> bool:
    """Whether anything in a statement may bear a keeper's name; SQL spells a name one way only."""
    lowered = statement.lower()
    return any(keeper in lowered for keeper in KEEPERS)


class BlindConnection(sqlite3.Connection):
    """A connection that can be blinded, and then refuses what goes round the authorizer."""

    _is_blind = False
    _trust: _Trust | None = None

    def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run a statement; on a blind connection it may set off the study's own triggers."""
        return self._trusting(super().execute, statement, parameters)

    def executemany(self, statement: str, parameters: Any, /) -> sqlite3.Cursor:
        """Run a statement for each row; the triggers as with :meth:`execute`."""
        return self._trusting(super().executemany, statement, parameters)

    def _trusting(
        self, run: Callable[[str, Any], sqlite3.Cursor], statement: str, parameters: Any
    ) -> sqlite3.Cursor:
        if self._trust is None:
            return run(statement, parameters)
        self._trust.is_given = not _names_a_keeper(statement)
        try:
            return run(statement, parameters)
        finally:
            self._trust.is_given = False

    def set_authorizer(self, *arguments: Any, **named: Any) -> None:
        """Set the authorizer; refused once it is set."""
        self._refuse_if_blind("set_authorizer")
        super().set_authorizer(*arguments, **named)

    def backup(self, *arguments: Any, **named: Any) -> None:
        """Copy the study; refused to the blind."""
        self._refuse_if_blind("backup")
        super().backup(*arguments, **named)

    def serialize(self, *arguments: Any, **named: Any) -> bytes:
        """The study as bytes; refused to the blind."""
        self._refuse_if_blind("serialize")
        return super().serialize(*arguments, **named)

    def deserialize(self, *arguments: Any, **named: Any) -> None:
        """Another study from bytes; refused to the blind."""
        self._refuse_if_blind("deserialize")
        super().deserialize(*arguments, **named)

    def blobopen(self, *arguments: Any, **named: Any) -> sqlite3.Blob:
        """A value as a file; refused to the blind."""
        self._refuse_if_blind("blobopen")
        return super().blobopen(*arguments, **named)

    def enable_load_extension(self, *arguments: Any) -> None:
        """Allow extensions; refused to the blind."""
        self._refuse_if_blind("enable_load_extension")
        super().enable_load_extension(*arguments)

    def load_extension(self, *arguments: Any, **named: Any) -> None:
        """Load an extension; refused to the blind."""
        self._refuse_if_blind("load_extension")
        super().load_extension(*arguments, **named)

    def _refuse_if_blind(self, what: str) -> None:
        if self._is_blind:
            refuse(what)

    def blind(self, annotator_id: int) -> None:
        """See and do from now on what this annotator may, and nothing else; for good."""
        name = f"own_{secrets.token_hex(16)}_"
        _stand_before(self, name, annotator_id)
        self._trust = _Trust()
        self.set_authorizer(_authorizer(name, self._trust))
        self._is_blind = True


def open_doors(connection: sqlite3.Connection) -> None:
    """Make the views that statements for annotators name, on a connection that sees everything."""
    for name, query in DOORS.items():
        connection.execute(f"CREATE TEMP VIEW {name} AS {query}")


def refuse(what: str) -> NoReturn:
    """Refuse something to an annotator's connection.

    Raises:
        NotForAnnotators: in any case.
    """
    raise NotForAnnotators(
        f"this screen asked the study for what it must not, and was refused ({what})",
        "nothing was shown and no vote is lost; tell your lead, it is a mistake of Tiebreak's",
    )


def _stand_before(connection: sqlite3.Connection, name: str, annotator_id: int) -> None:
    me = {"me": int(annotator_id)}
    views = DOORS | {
        table: query.format(tried=_TRIED.format(**me), **me) for table, query in _OWN.items()
    }
    connection.execute("PRAGMA temp_store = MEMORY")
    for view, query in views.items():
        connection.execute(f"CREATE TEMP VIEW {name}{view} AS {query}")
        connection.execute(f"CREATE TEMP VIEW {view} AS SELECT * FROM temp.{name}{view}")
    for (action, table), refused in _GUARDS.items():
        connection.execute(
            f"CREATE TEMP TRIGGER {name}{action}_{table} BEFORE {action} ON main.{table} BEGIN "
            f"SELECT RAISE(ABORT, '{GUARDED}') WHERE {refused.format(**me)}; END"
        )
    connection.execute("PRAGMA foreign_keys = OFF")  # see _GUARDS
    # SQLite makes this table when it is first named, which would look like a change of the schema.
    connection.execute("SELECT value FROM json_each('[]')").fetchall()


def _authorizer(
    own: str, trust: _Trust
) -> Callable[[int, str | None, str | None, str | None, str | None], int]:
    """What SQLite asks before it prepares a statement.

    Args:
        own: begins the names of the views and triggers that read behind the others.
        trust: whether keepers may do what they do.
    """
    allowed: dict[int, Callable[[str | None, str | None, str | None], bool]] = {
        sqlite3.SQLITE_SELECT: lambda one, two, schema: True,
        sqlite3.SQLITE_TRANSACTION: lambda one, two, schema: True,
        sqlite3.SQLITE_FUNCTION: lambda one, two, schema: two in FUNCTIONS,
        sqlite3.SQLITE_READ: lambda one, two, schema: (
            (schema, one, two) in _LOOKED_AT or (one or "").startswith(own)
        ),
        sqlite3.SQLITE_INSERT: lambda one, two, schema: schema == "main" and one in INSERTABLE,
        sqlite3.SQLITE_DELETE: lambda one, two, schema: schema == "main" and one in DELETABLE,
        sqlite3.SQLITE_UPDATE: lambda one, two, schema: schema == "main" and (one, two) in _CHANGES,
    }
    looks = (sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION)

    def authorize(
        action: int, one: str | None, two: str | None, schema: str | None, by: str | None
    ) -> int:
        if by is not None and action in looks and by.startswith(own):
            return sqlite3.SQLITE_OK
        if by in KEEPERS and trust.is_given:
            return sqlite3.SQLITE_OK
        may = allowed.get(action)
        return sqlite3.SQLITE_OK if may and may(one, two, schema) else sqlite3.SQLITE_DENY

    return authorize
