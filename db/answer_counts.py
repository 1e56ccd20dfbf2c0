"""What baselines count in answers, read once per answer and kept for as long as a tally lives.

Nothing of it is stored: it follows from the texts, and a study that somebody only reads has its
baselines too.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from core.baselines import COUNTED, Counts
from core.records import WHOLE_CONVERSATION

if TYPE_CHECKING:
    from core.stats.tally import Tally

_PORTION = 5000
"""Answers whose texts are read at once."""


class AnswerCounts:
    """The counts of every answer that was looked at."""

    def __init__(self) -> None:
        self._known: dict[int, Counts] = {}
        self._imports = 0

    def tell(self, connection: sqlite3.Connection, tally: Tally, judged_until: int) -> None:
        """Tell a tally what baselines say on items that judges judged since a watermark.

        Items whose answers were unknown are looked at again after each import.
        """
        (imports,) = connection.execute("SELECT coalesce(max(id), 0) FROM source").fetchone()
        again = imports != self._imports
        if again:
            self._imports = imports
            self._known = {answer: counts for answer, counts in self._known.items() if counts}
        items = tally.without_baselines(judged_until, again=again)
        pairs = set(tally.pair_ids(items).tolist())
        if not pairs:
            return
        answers = connection.execute(
            "SELECT p.id, p.answer_1, p.answer_2 FROM json_each(?) i JOIN pair p ON p.id = i.value",
            (json.dumps(sorted(pairs)),),
        ).fetchall()
        every = {answer for _, *both in answers for answer in both}
        self._read(connection, sorted(every - self._known.keys()))
        tally.tell_baselines(items, answers, {answer: self._known[answer] for answer in every})

    def _read(self, connection: sqlite3.Connection, answers: list[int]) -> None:
        for start in range(0, len(answers), _PORTION):
            portion = answers[start : start + _PORTION]
            texts: dict[int, list[str]] = {answer: [] for answer in portion}
            for answer, body in connection.execute(
                "SELECT a.answer_id, a.body FROM json_each(?) i "
                "JOIN answer_text a ON a.answer_id = i.value ORDER BY a.answer_id, a.turn",
                (json.dumps(portion),),
            ):
                texts[answer].append(body)
            for answer, turns in texts.items():
                self._known[answer] = _counted(turns)


def _counted(turns: list[str]) -> Counts:
    """What is counted in each turn of an answer, and in the whole conversation."""
    counts = {
        turn: tuple(count(text) for count in COUNTED.values()) for turn, text in enumerate(turns, 1)
    }
    if turns:
        whole = "\n\n".join(turns)
        counts[WHOLE_CONVERSATION] = (
            tuple(count(whole) for count in COUNTED.values()) if len(turns) > 1 else counts[1]
        )
    return counts
