"""What other processes do in the tests of a study that several open at once.

They are started anew (``spawn``), as annotators' processes are, so nothing is shared but the file.
"""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Callable
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import db.connection
from core.errors import StudyUnavailable
from core.records import Seen
from db.store import Store
from db.voting import Cast
from tests.waiting import PATIENCE


def at_once(
    count: int, work: Callable[..., Any], *arguments: object, patience: float = PATIENCE
) -> list[Any]:
    """Run ``work(n, *arguments)`` in so many processes at the same moment.

    Args:
        patience: seconds after which a process that does not answer has hung.

    Returns:
        What each returned; a traceback where it raised.
    """
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(count, timeout=patience), context.Queue()
    running = [
        context.Process(target=_answer, args=(barrier, answers, work, number, arguments))
        for number in range(count)
    ]
    for process in running:
        process.start()
    try:
        return [answers.get(timeout=patience) for _ in running]
    finally:
        for process in running:
            process.join(timeout=PATIENCE)
            process.close()
        answers.close()


def _answer(
    barrier: Barrier, answers: Any, work: Callable[..., Any], number: int, arguments: Any
) -> None:
    # Whoever waits for the others waits to the end: that each gets its turn is what is shown.
    db.connection.BUSY_SECONDS = PATIENCE
    try:
        answers.put(work(number, barrier, *arguments))
    except BaseException:  # noqa: BLE001 - whatever it is, the test prints it
        barrier.abort()
        answers.put(traceback.format_exc())


def open_new(number: int, barrier: Barrier, folder: Path, rounds: int) -> list[str]:
    """Open one new study after another; each round all processes at the same moment.

    Returns:
        The seed that each study had.
    """
    seeds = []
    for turn in range(rounds):
        barrier.wait()
        with Store(folder / f"{turn}.db", create=True) as store:
            seeds.append(store.seed)
            store.annotator("the same person")
    return seeds


def vote_all(number: int, barrier: Barrier, study: Path, pause: float = 0.0) -> list[str]:
    """Vote until there is nothing left.

    Args:
        pause: seconds before each vote, in which others get their turn.

    Returns:
        The ids of the votes that were acknowledged.
    """
    acknowledged: list[str] = []
    with Store(study) as store:
        me = store.annotator(f"annotator {number}")
        barrier.wait()
        while (served := store.serving.serve(me)) is not None:
            time.sleep(pause)
            key = f"{number}.{len(acknowledged)}"
            cast = Cast(key, served.assignment, served.turns[0], Seen.LEFT)
            assert store.voting.cast(me, "local:me", cast)
            acknowledged.append(key)
    return acknowledged


def vote_until_told(number: int, study: Path, ended: Event, acknowledged: Any) -> None:
    """Vote, and take back what was voted where nothing is left, until told to end.

    Puts the ids of all that was acknowledged into the queue.
    """
    cast: list[str] = []
    with Store(study) as store:
        me = store.annotator(f"annotator {number}")
        while not ended.is_set():
            key = f"{number}.{len(cast)}"
            try:
                _vote_or_undo(store, me, key)
            except StudyUnavailable:
                continue  # not acknowledged: the same vote again
            cast.append(key)
            time.sleep(0.01)
    acknowledged.put(cast)


def _vote_or_undo(store: Store, me: int, key: str) -> None:
    served = store.serving.serve(me)
    if served is None:
        assert store.voting.undo(me, "local:me", key)
    else:
        cast = Cast(key, served.assignment, served.turns[0], Seen.LEFT)
        assert store.voting.cast(me, "local:me", cast)
