"""The store: one study file, opened, with one typed method for each thing that happens.

The parts below it each do one job on the same connection: :mod:`db.serving` serves pairs,
:mod:`db.voting` takes votes, :mod:`db.history` finds one's own again, :mod:`db.practising` takes
trials on lessons, :mod:`db.lessons` keeps the lessons, :mod:`db.ingest` takes imported records,
:mod:`db.judging` keeps judges and their verdicts, :mod:`db.judge_queue` what they have yet to do,
:mod:`db.panels` the panels of judges, :mod:`db.reading` reads what gold and exports need and
:mod:`db.feed` what statistics need, :mod:`db.people` knows who may log in.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import settings
from core.errors import Conflict, NotForAnnotators, StudyBusy, StudyUnavailable
from core.records import Annotator
from core.times import stamp
from db import chain
from db.blind import open_doors
from db.connection import connect, in_words
from db.read_only import Unchanged, beside, connect_read_only, is_writable
from db.schema import altered

if TYPE_CHECKING:
    from types import TracebackType

    from db.endpoints import Endpoints
    from db.history import History
    from db.ingest import Ingest
    from db.judging import Judging
    from db.lessons import Lessons
    from db.panels import Panels
    from db.people import People
    from db.practising import Practising
    from db.reading import Reading
    from db.serving import Serving
    from db.voting import Voting

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time on this host's clock, in UTC."""
    return datetime.now(UTC)


class Store:
    """One open study. Use it in the thread that opened it, and close it.

    Args:
        path: the study file.
        create: make the study where there is none.
        reading: for reading alone. A study that this user cannot write is then opened
            read-only, see :mod:`db.read_only`; one that can be written is opened as ever.
        untouched: for reading alone, read-only in any case, and of an older version too.
        blind_for: whose screen this is for, added if there is no such annotator: from here on
            nothing can be read or written but what :mod:`db.blind` allows them.
        clock: tells the time; tests hand in their own.

    Attributes:
        on_busy: asked, while another process writes for some seconds on end, whether to go on
            waiting; by default not.

    Raises:
        StudyUnavailable: if the file cannot be opened, read or locked.
        StudyBroken: if it is not a study, or of a newer version.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        create: bool = False,
        reading: bool = False,
        untouched: bool = False,
        blind_for: Annotator | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.path = Path(path)
        self.clock = clock
        self._unchanged: Unchanged | None = None
        unwritable = reading and self.path.exists() and not is_writable(self.path)
        self.is_read_only = untouched or unwritable
        if self.is_read_only:
            self.connection, self._unchanged = connect_read_only(self.path, older=untouched)
        else:
            self.connection = connect(self.path, create=create)
        self.on_refusal: Callable[[NotForAnnotators], None] = lambda refusal: None
        self.on_busy: Callable[[], bool] = lambda: False
        opened = self.path.stat()
        self._file = (opened.st_dev, opened.st_ino)
        try:
            with self.in_words():
                if not self.is_read_only:
                    self._ensure_seed()
                if blind_for is None:
                    open_doors(self.connection)
                else:
                    self.connection.blind(self._row_of(blind_for))
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. What was committed is safe without it."""
        self.connection.close()

    @cached_property
    def serving(self) -> Serving:
        """Serving pairs to annotators."""
        return self.voting.serving

    @cached_property
    def voting(self) -> Voting:
        """Taking votes."""
        from db.voting import Voting

        return Voting(self)

    @cached_property
    def history(self) -> History:
        """One's own votes, to be looked through."""
        from db.history import History

        return History(self)

    @cached_property
    def ingest(self) -> Ingest:
        """Taking imported records."""
        from db.ingest import Ingest

        return Ingest(self)

    @cached_property
    def judging(self) -> Judging:
        """Judges, what they still have to judge, and their verdicts."""
        from db.judging import Judging

        return Judging(self)

    @cached_property
    def panels(self) -> Panels:
        """Panels of judges."""
        from db.panels import Panels

        return Panels(self)

    @cached_property
    def endpoints(self) -> Endpoints:
        """Where judges are reached."""
        from db.endpoints import Endpoints

        return Endpoints(self)

    @cached_property
    def lessons(self) -> Lessons:
        """Lessons as leads keep them, and how annotators do on them."""
        from db.lessons import Lessons

        return Lessons(self)

    @cached_property
    def practising(self) -> Practising:
        """Lessons as annotators get them."""
        from db.practising import Practising

        return Practising(self)

    @cached_property
    def people(self) -> People:
        """Who may log in, and who is paused or retired."""
        from db.people import People

        return People(self)

    @cached_property
    def reading(self) -> Reading:
        """What statistics, gold and exports read."""
        from db.reading import Reading

        return Reading(self)

    @contextmanager
    def in_words(self) -> Iterator[None]:
        """Say in words what SQLite refuses, see :func:`db.connection.in_words`.

        What was refused to an annotator is handed to :attr:`on_refusal` first.
        """
        try:
            with in_words(str(self.path)):
                yield
        except NotForAnnotators as refusal:
            self.on_refusal(refusal)
            raise

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: all of it is committed when the block ends, or none of it.

        Raises:
            StudyUnavailable: if the file is locked for too long, read-only, or the disk is full.
        """
        with self.in_words():
            self._begin()
            try:
                yield self.connection
                self._check_still_there()
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk or an I/O error has already rolled back by itself.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def _begin(self) -> None:
        """Begin to write; while another process does, for as long as :attr:`on_busy` says."""
        while True:
            try:
                with self.in_words():
                    self.connection.execute("BEGIN IMMEDIATE")
                return
            except StudyBusy:
                if not self.on_busy():
                    raise

    def _check_still_there(self) -> None:
        """Refuse to save into a file that has no name any more, or another's."""
        try:
            now = self.path.stat()
        except OSError:
            now = None
        if now is None or (now.st_dev, now.st_ino) != self._file:
            raise StudyUnavailable(
                f"{self.path}: the study was moved or removed while it was open",
                "put it back, or leave and open it where it is now",
            )

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One read transaction: everything read in the block is of one moment.

        Raises:
            StudyUnavailable: if that cannot be had.
        """
        try:
            with self.in_words():
                self.connection.execute("BEGIN")
                try:
                    yield self.connection
                finally:
                    if self.connection.in_transaction:
                        self.connection.execute("COMMIT")
        finally:
            # Also after an error: a file that changes under its reader looks damaged to it.
            if self._unchanged is not None:
                self._unchanged.check()

    def now(self) -> str:
        """The current time as stored."""
        return stamp(self.clock())

    def data_version(self) -> int:
        """A number that changes whenever another process has committed; costs microseconds."""
        with self.in_words():
            return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def settings(self) -> dict[str, Any]:
        """Every setting of the study, the defaults filled in."""
        with self.in_words():
            rows = self.connection.execute("SELECT key, value FROM study").fetchall()
        stored = {key: json.loads(value) for key, value in rows}
        return {key: stored.get(key, known.default) for key, known in settings.KNOWN.items()}

    def set(self, values: Mapping[str, Any]) -> None:
        """Change settings of the study.

        Raises:
            UsageError: for a setting that is not known, or a value that it does not take.
        """
        rows = [(key, json.dumps(settings.checked(key, value))) for key, value in values.items()]
        with self.write() as connection:
            if (
                values.get("vote_per", self.settings()["vote_per"]) != self.settings()["vote_per"]
                and connection.execute("SELECT 1 FROM assignment").fetchone()
            ):
                raise Conflict(
                    "vote_per stays as it is: pairs were served already",
                    "choose before the first pair is served, or make a study of its own",
                )
            connection.executemany("INSERT OR REPLACE INTO study VALUES (?, ?)", rows)

    @cached_property
    def seed(self) -> str:
        """The study's secret seed: sides and draws follow from it."""
        with self.in_words():
            row = self.connection.execute("SELECT value FROM study WHERE key = 'seed'").fetchone()
        return str(json.loads(row[0]))

    def _ensure_seed(self) -> None:
        if self.connection.execute("SELECT 1 FROM study WHERE key = 'seed'").fetchone():
            return
        self.fix_seed(secrets.token_hex(16), keep=True)

    def fix_seed(self, seed: str, *, keep: bool = False) -> None:
        """Give the study its seed.

        Args:
            keep: leave a seed that is there already; otherwise refuse once a pair was served.
        """
        with self.write() as connection:
            if not keep and connection.execute("SELECT 1 FROM assignment").fetchone():
                raise StudyUnavailable(
                    f"{self.path}: pairs were served already, so the seed stays as it is",
                    "set the seed right after the import",
                )
            verb = "INSERT OR IGNORE" if keep else "INSERT OR REPLACE"
            connection.execute(f"{verb} INTO study VALUES ('seed', ?)", (json.dumps(seed),))
        self.__dict__.pop("seed", None)

    def annotator(self, name: str, **attributes: Any) -> int:
        """The row of an annotator, added with these attributes if there is none.

        Args:
            attributes: fields of :class:`core.records.Annotator`.
        """
        return self._row_of(Annotator(name, **attributes))

    def _row_of(self, annotator: Annotator) -> int:
        find = "SELECT id FROM annotator WHERE name = ?"
        with self.in_words():
            row = self.connection.execute(find, (annotator.name,)).fetchone()
        if row is None:
            with self.write() as connection:
                # Another process may have added this one since.
                row = connection.execute(find, (annotator.name,)).fetchone()
                if row is None:
                    return add_annotator(connection, annotator, self.now())
        return int(row[0])

    def verify(self, heads: Mapping[str, str] | None = None) -> list[chain.Finding]:
        """Look for rows that were changed, removed, added or moved outside Tiebreak.

        Args:
            heads: log → a hash that the lead wrote down earlier; the log must contain it.
        """
        with self.read() as connection, _any_bytes(connection):
            findings = [chain.Finding("schema", 0, what) for what in altered(connection)]
            if any(finding.problem.startswith("the table") for finding in findings):
                return findings  # the rows of a table that is not what it was cannot be walked
            for log in chain.LOGS:
                findings += chain.verify_log(connection, log)
                expected = (heads or {}).get(log)
                if expected and not chain.has_link(connection, log, expected):
                    findings.append(
                        chain.Finding(log, 0, f"never stood at {expected[:12]}…, as it should have")
                    )
            findings += chain.verify_pairs(connection)
            findings += chain.verify_texts(connection)
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
                findings.append(chain.Finding(table, row or 0, f"names a missing {parent}"))
            for (problem,) in connection.execute("PRAGMA integrity_check"):
                if problem != "ok":
                    findings.append(chain.Finding("file", 0, str(problem)))
        return findings

    def heads(self) -> dict[str, tuple[int, str]]:
        """For each log its length and its last hash: what a lead writes down elsewhere."""
        with self.read() as connection:
            return {log: chain.head(connection, log) for log in chain.LOGS}

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        wal = beside(self.path, "-wal")
        return self.path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)


@contextmanager
def _any_bytes(connection: sqlite3.Connection) -> Iterator[None]:
    """Read texts that were made invalid as well, so that they are found and do not stop us."""
    before = connection.text_factory
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        yield
    finally:
        connection.text_factory = before


def add_annotator(connection: sqlite3.Connection, annotator: Annotator, now: str) -> int:
    """Insert an annotator; within the caller's transaction.

    Returns:
        The new row's number.
    """
    cursor = connection.execute(
        'INSERT INTO annotator (name, role, "group", simulated, attributes, added_at, '
        "retired_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            annotator.name,
            annotator.role.value,
            annotator.group,
            int(annotator.simulated),
            json.dumps(dict(annotator.attributes)),
            now,
            now if annotator.retired else None,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def local_identity() -> tuple[str, str]:
    """Who sits at this process: (login name, identity as stored with each vote)."""
    # Anybody can set a variable; only root, who may be anybody anyway, is believed.
    said = os.environ.get("SUDO_USER") if os.getuid() == 0 else None
    try:
        name = said or _login_of(os.getuid())
    except KeyError:
        name = f"uid{os.getuid()}"
    return name, f"local:{name}"


def _login_of(uid: int) -> str:
    import pwd

    return pwd.getpwuid(uid).pw_name
