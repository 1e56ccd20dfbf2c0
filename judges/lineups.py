"""Several answers to one question in a row: what one request shows where all are ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import TiebreakError
from judges.tasks import Shown, Task


@dataclass(frozen=True, slots=True)
class Lineup:
    """All answers that some tasks are about, each once, so that every task's left comes first.

    Models are in canonical order where left is 1 and in reverse where it is 2, so each pair is
    seen in both orders. Their names are here to tell the answers apart and are never sent.
    """

    models: tuple[str, ...]
    shown: Shown

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> Lineup:
        """The answers of tasks on one question, turn, order and repeat.

        Raises:
            TiebreakError: the tasks are not of one call.
        """
        first = tasks[0]
        places = {(t.pair.question, t.turn, t.left, t.repeat) for t in tasks}
        if len(places) > 1:
            raise TiebreakError("a call was given tasks of several questions, turns or orders")
        answers: dict[str, tuple[str, ...]] = {}
        for task in tasks:
            left, right = sides_of(task)
            answers[left] = task.left_answer
            answers[right] = task.right_answer
        models = tuple(sorted(answers, reverse=first.left == 2))
        told = tuple(answers[model] for model in models)
        return cls(models, Shown(first.question, first.turn, told))


def sides_of(task: Task) -> tuple[str, str]:
    """The models whose answers stand left and right."""
    models = (task.pair.model_1, task.pair.model_2)
    return models if task.left == 1 else (models[1], models[0])
