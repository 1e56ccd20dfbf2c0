"""What a tally knows besides votes and verdicts: what answers look like, how judges are set up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.records import WHOLE_CONVERSATION, Judge
from core.stats.log import Names

Longs = NDArray[np.int64]

COUNTED: Final = ("characters", "tokens", "headers", "list_items", "bold")
"""What is known of a turn of an answer, in this order (see :class:`core.text.LengthFeatures`)."""

_TURN_BITS = 16


class Background:
    """What bias is measured against.

    Attributes:
        judges: judges' configurations by name; whoever feeds the tally replaces them.
        referenced: keys of the questions with a reference answer; the same.
        version: moves when what is counted in answers was told anew.
    """

    def __init__(self) -> None:
        self.judges: Mapping[str, Judge] = {}
        self.referenced: frozenset[str] = frozenset()
        self.version = 0
        self._questions, self._models = Names(), Names()
        self._known: dict[str, tuple[tuple[str, ...], int, Longs]] = {}
        self._keys = np.zeros(0, np.int64)
        self._counts = np.zeros((0, len(COUNTED)), np.int64)

    def set_answers(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take what is counted in all answers: (question_key, model, turn, *COUNTED).

        What was told before is replaced. A whole conversation has the sum of its turns.
        """
        self.version += 1
        places: list[tuple[int, int, int]] = []
        counts: list[tuple[int, ...]] = []
        for question, model, turn, *counted in rows:
            number = self._questions.number(question), self._models.number(model)
            places.append((*number, turn))
            counts.append(tuple(counted))
        if not places:
            self._keys, self._counts = self._keys[:0], self._counts[:0]
            return
        question_number, model_number, turn_number = np.array(places, np.int64).T
        table = np.array(counts, np.int64)
        base = self._base(question_number, model_number)
        whole, place = np.unique(base, return_inverse=True)
        sums = np.zeros((len(whole), len(COUNTED)), np.int64)
        np.add.at(sums, place, table)
        keys = np.concatenate([base + turn_number, whole + WHOLE_CONVERSATION])
        order = np.argsort(keys)
        self._keys = keys[order]
        self._counts = np.concatenate([table, sums])[order]

    def _base(self, question: Longs, model: Longs) -> Longs:
        return np.asarray((question * len(self._models.texts) + model) << _TURN_BITS)

    def counts(
        self,
        questions: tuple[str, ...],
        models: tuple[str, ...],
        answers: tuple[Longs, Longs, Longs],
    ) -> tuple[Longs, NDArray[np.bool_]]:
        """What is counted in some answers.

        Args:
            questions: question keys by number.
            models: model names by number.
            answers: of each answer, the numbers of its question and model, and a turn.

        Returns:
            Counts, shape (answers, COUNTED), and whether they are known.
        """
        found = np.zeros((len(answers[0]), len(COUNTED)), np.int64)
        if not self._keys.size:
            return found, np.zeros(len(found), np.bool_)
        question = self._own_numbers("question", self._questions, questions)[answers[0]]
        model = self._own_numbers("model", self._models, models)[answers[1]]
        keys = self._base(question, model) + answers[2]
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        known = (self._keys[place] == keys) & (question >= 0) & (model >= 0)
        found[known] = self._counts[place[known]]
        return found, known

    def _own_numbers(self, what: str, names: Names, texts: tuple[str, ...]) -> Longs:
        told, version, known = self._known.get(what, ((), -1, np.zeros(0, np.int64)))
        # Many ask about a few answers of the same many questions.
        if version == self.version and (told is texts or told == texts):
            return known
        own = {text: number for number, text in enumerate(names.texts)}
        known = np.array([own.get(text, -1) for text in texts], np.int64)
        self._known[what] = texts, self.version, known
        return known
