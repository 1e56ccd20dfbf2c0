"""Reading a study as it grows: what the statistics count, brought to them as it comes."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from db.answer_counts import AnswerCounts
from db.background import BackgroundFeed
from db.inclusion import probabilities

if TYPE_CHECKING:
    from core.stats.tally import Tally
    from db.store import Store

_CHOICE = (
    "CASE WHEN v.choice = 'model_1' THEN 1 WHEN v.choice = 'model_2' THEN 2 "
    "WHEN v.choice = 'tie' THEN 3 WHEN v.choice = 'both_bad' THEN 4"
)
_VOTE_CODE = f"{_CHOICE} WHEN v.cannot_judge IS NOT NULL THEN 5 ELSE 0 END"
_VERDICT_CODE = f"{_CHOICE} ELSE 0 END"
"""What the tally calls an outcome."""

_BY_THEN = "(? IS NULL OR v.at = '' OR datetime(v.at) <= datetime(?))"
"""Whether something was said by a moment, if there is one."""

_MILLISECONDS = "CAST(round((julianday(v.at) - 2440587.5) * 86400000) AS INTEGER)"
"""When something was said, since the epoch; NULL where that cannot be read."""

_RULING_CODE = (
    f"{_CHOICE} WHEN v.choice = 'not_decidable' THEN 5 WHEN v.choice = 'more_votes' THEN 6 "
    "ELSE 0 END"
)


class Feed:
    """Keeps a tally in step with a study, reading only what is new.

    Args:
        tally: an empty one, which nothing else feeds.
        until: leave out what was said after this moment (ISO 8601), as if it were not yet; what
            came without its time was there before.
    """

    def __init__(self, store: Store, tally: Tally, until: str | None = None) -> None:
        self.store = store
        self.tally = tally
        self._until = until
        self._background = BackgroundFeed(store, tally.background)
        self._known = {"pair": 0, "judge": 0}
        self._people: set[tuple[int, str, str]] = set()
        self._queued: tuple[int, int] | None = None
        self._answers = AnswerCounts()
        self._seen_version: int | None = None
        self._times = False

    def catch_up(self, *, times: bool = False) -> bool:
        """Read what was committed since the last time; whether there was anything.

        Args:
            times: read when votes were cast, too, from now on; see
                :func:`core.stats.registry.needs_times`.
        """
        from core.stats.tally import REPEAT

        version = self.store.data_version()
        is_new_background = self._background.catch_up()
        before = self._watermarks()
        with self.store.read() as connection:
            is_other = self._tell_people(connection)
            self._new(connection, "judge", "SELECT id, name, kind FROM judge")
            self._new(
                connection,
                "pair",
                "SELECT p.id, q.key, q.category, p.model_1, p.model_2 "
                "FROM pair p JOIN question q ON q.id = p.question_id",
            )
            is_requeued = self._new_probabilities(connection)
            self.tally.add_votes(
                connection.execute(
                    "SELECT v.seq, v.pair_id, v.turn, v.annotator_id, "
                    f"{_VOTE_CODE} + {REPEAT} * v.repeat, "
                    "coalesce(v.left, 0), coalesce(s.seq, 0) "
                    "FROM vote v LEFT JOIN vote s ON s.id = v.supersedes "
                    f"WHERE v.seq > ? AND {_BY_THEN} ORDER BY v.seq",
                    (self.tally.last_vote_seq, self._until, self._until),
                )
            )
            self.tally.add_verdicts(
                connection.execute(
                    f"SELECT v.seq, v.pair_id, v.turn, v.judge_id, {_VERDICT_CODE}, "
                    "coalesce(v.left, 0), v.repeat, coalesce(s.seq, 0) "
                    "FROM verdict v LEFT JOIN verdict s ON s.id = v.supersedes "
                    f"WHERE v.seq > ? AND {_BY_THEN} ORDER BY v.seq",
                    (self.tally.last_verdict_seq, self._until, self._until),
                )
            )
            self._new_rulings(connection)
            self._times = self._times or times
            if self._times:
                self._new_times(connection)
            self._beside(connection, judged_until=before[1])
        self._seen_version = version
        beside = is_other or is_new_background or is_requeued
        return beside or self._watermarks() != before

    def _watermarks(self) -> tuple[Any, ...]:
        tally = self.tally
        logs = tally.last_vote_seq, tally.last_verdict_seq, tally.rulings.last_seq
        return *logs, tally.panels, tally.scores, tally.unmasked, *self._known.values()

    def _new_rulings(self, connection: sqlite3.Connection) -> None:
        self.tally.add_rulings(
            connection.execute(
                "SELECT v.seq, v.pair_id, v.turn, v.lead_id, v.stage = 'unmasked', "
                f"{_RULING_CODE}, coalesce(v.left, 0), v.queue_probability, "
                "v.queue_reason, v.at, coalesce(s.seq, 0), v.final "
                "FROM ruling v LEFT JOIN ruling s ON s.id = v.supersedes "
                f"WHERE v.seq > ? AND {_BY_THEN} ORDER BY v.seq",
                (self.tally.rulings.last_seq, self._until, self._until),
            )
        )
        self.tally.tell_unmasked(connection.execute("SELECT pair_id, turn, lead_id FROM unmasking"))

    def _new_times(self, connection: sqlite3.Connection) -> None:
        times = self.tally.times
        times.add(
            connection.execute(
                f"SELECT seq, coalesce({_MILLISECONDS}, 0) FROM vote v "
                f"WHERE seq > ? AND {_BY_THEN} ORDER BY seq",
                (times.last_seq, self._until, self._until),
            )
        )

    def _beside(self, connection: sqlite3.Connection, judged_until: int) -> None:
        """Read what stands beside the logs: panels, why calls failed, what baselines would say.

        Args:
            judged_until: the watermark of the verdicts that were read before.
        """
        from db.panels import panels_of
        from db.scores import scores_of

        self.tally.panels = panels_of(connection)
        self.tally.scores = tuple(scores_of(connection))
        self.tally.failures.add(
            connection.execute(
                "SELECT seq, coalesce(failure, status) FROM verdict v "
                f"WHERE seq > ? AND status != 'ok' AND {_BY_THEN} ORDER BY seq",
                (judged_until, self._until, self._until),
            )
        )
        self._answers.tell(connection, self.tally, judged_until)

    def stale(self) -> bool:
        """Whether another process has committed since the last ``catch_up``."""
        return self.store.data_version() != self._seen_version

    def _new_probabilities(self, connection: sqlite3.Connection) -> bool:
        """Read the queue again when pairs were made, which may change what it says of old ones."""
        queued = connection.execute(
            "SELECT (SELECT coalesce(max(id), 0) FROM design), count(*) FROM queue"
        ).fetchone()
        if queued == self._queued:
            return False
        self.tally.set_probabilities(probabilities(connection))
        self._queued = queued
        return True

    def _tell_people(self, connection: sqlite3.Connection) -> bool:
        """Tell of everybody who is new or in another group; whether there is somebody."""
        people = set(connection.execute('SELECT id, name, "group" FROM annotator'))
        others = sorted(people - self._people)
        self.tally.add_annotators(others)
        self._people = people
        return bool(others)

    def _new(self, connection: sqlite3.Connection, table: str, select: str) -> None:
        alias = "p." if table == "pair" else ""
        rows = connection.execute(
            f"{select} WHERE {alias}id > ? ORDER BY {alias}id", (self._known[table],)
        ).fetchall()
        if not rows:
            return
        if table == "pair":
            self.tally.add_pairs(rows)
        else:
            self.tally.add_judges(rows)
        self._known[table] = rows[-1][0]
