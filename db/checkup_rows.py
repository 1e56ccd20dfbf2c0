"""What is in a study: whole, in step with itself, and in step with this host's clock."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta

from core.text import many
from db import chain
from db.connection import write_ahead
from db.copying import mebibytes
from db.findings import Check, State
from db.schema import LATEST
from db.store import Store
from db.texts import TURNS_OF_PAIR

_QUICK = 64 << 20
"""Bytes of a study up to which its pages are looked at without being asked: well under a second."""

_LAST_ROWS = 1000
"""Rows at the end of each log that are looked at without being asked."""

_CLOCK_MAY_DIFFER = timedelta(seconds=5)

_RESTORE = "keep a copy of the file, and restore the last backup: tiebreak restore"

_LATE = "SELECT count(*), min(lease_until) FROM assignment WHERE state = 'open' AND lease_until < ?"

_OUT_OF_STEP = """
    WITH held AS (
        SELECT pair_id, count(*) AS number, count(iif(left = 1, 1, NULL)) AS number_1
        FROM assignment WHERE state IN ('open', 'done') AND repeat = 0 GROUP BY pair_id
    )
    SELECT q.pair_id, coalesce(h.number, 0), coalesce(h.number_1, 0)
    FROM queue q LEFT JOIN held h ON h.pair_id = q.pair_id
    WHERE (q.load, q.load_1) != (coalesce(h.number, 0), coalesce(h.number_1, 0))
"""

_STRATA = (
    "SELECT load, category, block, disputed, count(*), sum(load < overlap) "
    "FROM queue GROUP BY load, category, block, disputed"
)
_KEPT = "SELECT load, category, block, disputed, pairs, wanting FROM stratum WHERE pairs > 0"
_GROUPS = (
    'SELECT a."group", s.pair_id, count(*) FROM assignment s '
    "JOIN annotator a ON a.id = s.annotator_id "
    "WHERE s.state IN ('open', 'done') AND s.repeat = 0 GROUP BY 1, 2"
)
_KEPT_GROUPS = 'SELECT "group", pair_id, load FROM group_load WHERE load > 0'
_MISCOUNTED = "SELECT " + " + ".join(
    f"(SELECT count(*) FROM ({these} EXCEPT {those}))"
    for these, those in (
        (_STRATA, _KEPT),
        (_KEPT, _STRATA),
        (_GROUPS, _KEPT_GROUPS),
        (_KEPT_GROUPS, _GROUPS),
    )
)

_WITHOUT_TEXTS = f"""
    SELECT v.here, sum(v.number) FROM (
        SELECT pair_id, assignment_id IS NOT NULL AS here, max(turn) AS turn, count(*) AS number
        FROM vote GROUP BY 1, 2
    ) v JOIN pair p ON p.id = v.pair_id
    WHERE {TURNS_OF_PAIR} < max(v.turn, 1) GROUP BY v.here
"""


def checks(store: Store, *, deep: bool) -> list[Check]:
    """Everything about what is in a study.

    Args:
        deep: walk all of it.
    """
    found = [_journal(store)]
    found += _deep(store) if deep else [_schema(), _pages(store), _ends(store)]
    looks: list[Callable[[sqlite3.Connection], Check]] = [
        lambda connection: _leases(connection, store.now()),
        _queue,
        _texts,
        lambda connection: _clock(connection, store.clock()),
    ]
    with store.read() as connection:
        return [*found, *(look(connection) for look in looks)]


def mend(store: Store) -> dict[str, str]:
    """Mend what can be mended without losing or changing anything that was said.

    Returns:
        For each check that something was done about, what was done.
    """
    done = {}
    with store.read() as connection:
        late, _ = connection.execute(_LATE, (store.now(),)).fetchone()
    if late:
        store.serving.expire_all()
        done["leases"] = f"{many(late, 'pair')} given back"
    with store.write() as connection:
        wrong = connection.execute(_OUT_OF_STEP).fetchall()
        connection.executemany(
            "UPDATE queue SET load = ?2, load_1 = ?3 WHERE pair_id = ?1",
            wrong,
        )
        (miscounted,) = connection.execute(_MISCOUNTED).fetchone()
        if miscounted:
            connection.execute("DELETE FROM stratum")
            connection.execute(f"INSERT INTO stratum {_STRATA}")
            connection.execute("DELETE FROM group_load")
            connection.execute(f"INSERT INTO group_load {_GROUPS}")
    if wrong or miscounted:
        done["queue"] = f"{many(len(wrong), 'pair')} counted anew"
    if _journal(store).state is not State.OK:
        write_ahead(store.connection)
        done["journal"] = "switched to a write-ahead log"
    return done


def _journal(store: Store) -> Check:
    if store.is_read_only:
        return Check("journal", State.OK, "not looked at, because the study is read-only here")
    (mode,) = store.connection.execute("PRAGMA journal_mode").fetchone()
    if mode == "wal":
        return Check("journal", State.OK, "a write-ahead log: readers and voters do not wait")
    return Check(
        "journal",
        State.PROBLEM,
        f"journal mode is {mode!r}, in which whoever reads makes voters wait",
        "--mend switches it, while nobody else has the study open",
    )


def _schema() -> Check:
    return Check("schema", State.OK, f"version {LATEST}, the one that this Tiebreak knows")


def _pages(store: Store) -> Check:
    size = store.size()
    if size > _QUICK:
        return Check("integrity", State.OK, f"not looked at: {mebibytes(size)}; --deep does")
    with store.read() as connection:
        (problem,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        said = f"the file is damaged: {' '.join(problem.split())}"
        return Check("integrity", State.PROBLEM, said, _RESTORE)
    return Check("integrity", State.OK, "every page is whole")


def _ends(store: Store) -> Check:
    with store.read() as connection:
        findings = [
            finding
            for log in chain.LOGS
            for finding in chain.verify_log(connection, log, last=_LAST_ROWS)
        ]
    return _chain(findings, f"the last {_LAST_ROWS:,} rows of each log fit; --deep walks them all")


def _deep(store: Store) -> list[Check]:
    findings = store.verify()
    shape = [finding for finding in findings if finding.log == "schema"]
    pages = [finding for finding in findings if finding.log == "file"]
    rest = [finding for finding in findings if finding.log not in ("schema", "file")]
    said = f"version {LATEST}, every table, index and trigger as it was made"
    return [
        Check("schema", State.PROBLEM, _first(shape), _RESTORE)
        if shape
        else Check("schema", State.OK, said),
        Check("integrity", State.PROBLEM, _first(pages), _RESTORE)
        if pages
        else Check("integrity", State.OK, "every page and index is whole"),
        _chain(rest, "every row of each log fits, and so do all texts and pairs"),
    ]


def _chain(findings: list[chain.Finding], otherwise: str) -> Check:
    if not findings:
        return Check("chain", State.OK, otherwise)
    return Check(
        "chain",
        State.PROBLEM,
        f"changed outside Tiebreak: {_first(findings)}",
        "see all: tiebreak verify; compare with the last backup",
    )


def _first(findings: list[chain.Finding]) -> str:
    more = f", and {len(findings) - 1:,} more" if len(findings) > 1 else ""
    return " ".join(str(findings[0]).split()) + more


def _leases(connection: sqlite3.Connection, now: str) -> Check:
    count, oldest = connection.execute(_LATE, (now,)).fetchone()
    if not count:
        return Check("leases", State.OK, "no pair is held beyond its lease")
    return Check(
        "leases",
        State.WARNING,
        f"{many(count, 'pair')} left open beyond the lease, the first since {oldest[:16]}Z",
        "the next pair served to anybody else frees them; --mend does so now",
    )


def _queue(connection: sqlite3.Connection) -> Check:
    wrong = len(connection.execute(_OUT_OF_STEP).fetchall())
    (miscounted,) = connection.execute(_MISCOUNTED).fetchone()
    if miscounted and not wrong:
        return Check(
            "queue",
            State.PROBLEM,
            "what draws count on is not what is in the queue",
            "--mend counts anew; otherwise some pairs may never be served",
        )
    if not wrong:
        return Check("queue", State.OK, "slots taken and assignments agree")
    return Check(
        "queue",
        State.PROBLEM,
        f"{many(wrong, 'pair')} with another number of slots taken than of assignments",
        "--mend counts anew; otherwise they are served too often or too seldom",
    )


def _texts(connection: sqlite3.Connection) -> Check:
    number: dict[int, int] = dict(connection.execute(_WITHOUT_TEXTS).fetchall())
    imported = f"; {many(number[0], 'imported vote')} on pairs without texts" if 0 in number else ""
    if 1 in number:
        return Check(
            "texts",
            State.PROBLEM,
            f"{many(number[1], 'vote')} cast here on texts that are no longer in the study",
            "import the questions and answers again, or restore a backup",
        )
    return Check("texts", State.OK, f"every vote cast here has its texts{imported}")


def _clock(connection: sqlite3.Connection, now: datetime) -> Check:
    row = connection.execute(
        "SELECT at FROM vote WHERE source_id IS NULL ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    behind = datetime.fromisoformat(row[0]) - now if row else timedelta()
    if behind > _CLOCK_MAY_DIFFER:
        return Check(
            "clock",
            State.WARNING,
            f"this host's clock is {behind.total_seconds():,.0f} s behind the last vote",
            "set the clock, best by NTP: leases and the times of votes go by it",
        )
    return Check("clock", State.OK, "not behind the last vote")
