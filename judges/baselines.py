"""Judges that need no model: the floor that a real judge must beat.

Each is a function from a task to what it sees and the scores it compared. They answer in both
orders like any judge, so a report sets a judge beside them without a special case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.baselines import COIN, COUNTED
from core.errors import TiebreakError
from core.records import Judge, Seen, Verdict, VerdictStatus
from judges.tasks import NOTHING, Size, Task, verdict

Seeing = tuple[Seen, tuple[float, float] | None]


def longer_answer(task: Task, parameters: Mapping[str, Any]) -> Seeing:
    """The longer answer is better; equal lengths are a tie. Counts characters.

    ``margin`` characters of difference still count as a tie (default 0).
    """
    return _compare(task, COUNTED["longer-answer"], parameters)


def most_headings(task: Task, parameters: Mapping[str, Any]) -> Seeing:
    """The answer with more Markdown headings is better; equally many are a tie."""
    return _compare(task, COUNTED["most-headings"], parameters)


def coin(task: Task, parameters: Mapping[str, Any]) -> Seeing:
    """Left or right, each with probability ½, from ``seed``; each order is a toss of its own."""
    material = "\x1f".join(
        (str(parameters.get("seed", "")), task.pair.key, f"{task.turn}.{task.left}.{task.repeat}")
    )
    toss = hashlib.sha256(material.encode("utf-8", "surrogatepass")).digest()[0] & 1
    return (Seen.LEFT, Seen.RIGHT)[toss], None


def _compare(task: Task, count: Callable[[str], int], parameters: Mapping[str, Any]) -> Seeing:
    left = count(task.judged(task.left_answer))
    right = count(task.judged(task.right_answer))
    if abs(left - right) <= float(parameters.get("margin", 0)):
        seen = Seen.TIE
    else:
        seen = Seen.LEFT if left > right else Seen.RIGHT
    return seen, (float(left), float(right))


BASELINES: Mapping[str, tuple[Callable[[Task, Mapping[str, Any]], Seeing], frozenset[str]]] = {
    "longer-answer": (longer_answer, frozenset({"margin"})),
    COIN: (coin, frozenset({"seed"})),
    "most-headings": (most_headings, frozenset({"margin"})),
}
"""Each baseline by its name (a judge's ``model``), with the parameters that it takes."""


class BaselineJudge:
    """A baseline as a judge.

    Raises:
        TiebreakError: there is no such baseline, or it does not take a parameter.
    """

    def __init__(self, record: Judge) -> None:
        if record.model not in BASELINES:
            raise TiebreakError(
                f"there is no baseline {record.model!r}", f"choose one of: {', '.join(BASELINES)}"
            )
        self.record = record
        self._see, takes = BASELINES[record.model]
        if odd := sorted(set(record.parameters) - takes):
            raise TiebreakError(
                f"the baseline {record.model!r} takes no parameter {odd[0]!r}",
                f"it takes: {', '.join(sorted(takes))}",
            )
        margin = record.parameters.get("margin", 0)
        if isinstance(margin, bool) or not isinstance(margin, int | float) or not margin >= 0:
            raise TiebreakError(
                f"margin is {margin!r}, not a number of at least 0",
                "leave it out, or --set margin=50",
            )

    async def judge(self, task: Task) -> Verdict:
        """Give the verdict; it never fails and takes no time worth noting."""
        if problem := task.problem():
            return self.failed(task, problem)
        seen, scores = self._see(task, self.record.parameters)
        return verdict(self.record, task, VerdictStatus.OK, seen, label=seen.value, scores=scores)

    def failed(self, task: Task, error: str) -> Verdict:
        """A verdict that could not be had."""
        return verdict(self.record, task, VerdictStatus.FAILED, error=error)

    def size(self, tasks: Sequence[Task]) -> Size:
        """Nothing: nobody is asked."""
        return NOTHING

    async def close(self) -> None:
        """Nothing to let go of."""
