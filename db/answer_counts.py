"""What baselines count in answers, read once per answer and kept for as long as a tally lives.

Nothing of it is stored: it follows from the texts, and a study that somebody only reads has its
baselines too.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from core.baselines import COUNTED
from core.records import WHOLE_CONVERSATION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.stats.tally import Tally

Counts = dict[int, tuple[int, ...]]
"""Turn → what each baseline of :data:`core.baselines.COUNTED` counts there; no turns: no text."""

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
        import numpy as np

        wanted = tally.baselines.wanted(tally.judged_after(judged_until))
        (imports,) = connection.execute("SELECT coalesce(max(id), 0) FROM source").fetchone()
        if imports != self._imports:
            self._imports = imports
            wanted = np.union1d(wanted, tally.baselines.look_again()).astype(np.int64)
            self._known = {answer: counts for answer, counts in self._known.items() if counts}
        if wanted.size:
            words = self._words(connection, tally.pair_ids(wanted), tally.item_turn[wanted])
            tally.baselines.tell(wanted, words)

    def _words(
        self, connection: sqlite3.Connection, pairs: NDArray[Any], turns: NDArray[Any]
    ) -> NDArray[np.int8]:
        """What each baseline says on these pairs and turns, shape (items, baselines)."""
        import numpy as np

        from core.stats.beside import TEXT_UNKNOWN
        from core.stats.tally import MODEL_1, MODEL_2, TIE

        distinct, place = np.unique(pairs, return_inverse=True)
        answers = np.array(
            connection.execute(
                "SELECT p.answer_1, p.answer_2 FROM json_each(?) i JOIN pair p ON p.id = i.value "
                "ORDER BY p.id",
                (json.dumps(distinct.tolist()),),
            ).fetchall(),
            np.int64,
        )
        numbers, entry = np.unique(answers, return_inverse=True)
        self._read(connection, [number for number in numbers.tolist() if number not in self._known])
        table = np.full((len(numbers), int(turns.max()) + 1, len(COUNTED)), -1, np.int64)
        for row, number in enumerate(numbers.tolist()):
            for turn, counts in self._known[number].items():
                if turn < table.shape[1]:
                    table[row, turn] = counts
        one, two = (table[rows, turns] for rows in entry.reshape(answers.shape)[place].T)
        words = np.where(one > two, MODEL_1, np.where(one < two, MODEL_2, TIE))
        return np.where((one < 0) | (two < 0), TEXT_UNKNOWN, words).astype(np.int8)

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
