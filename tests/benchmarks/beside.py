"""A vote while judges work behind a screen on the same study, against one while none does."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from db.store import Store
from judges.models import new_judge
from tests.benchmarks.keys import Measured, ours, press, sessions
from tests.benchmarks.measure import Row, make_study
from tui.background_judges import BackgroundJudges

_QUESTIONS = 3000
"""Six pairs each, twelve verdicts for each judge: more than are given meanwhile."""

_VOTES = 15
_BLOCKS = 6
_AT_WORK = 50
"""Verdicts after which the judges are taken to be at work."""


def rows() -> Iterator[Row]:
    """Keypress to the next pair, both ways in turn, and how fast verdicts came meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        study = make_study(Path(name) / "study.db", _QUESTIONS, 2000)
        with Store(study) as store:
            for baseline in ("longer-answer", "most-headings", "coin"):
                store.judging.add(new_judge(baseline, "baseline", baseline))
            alone, beside = Measured(), Measured()
            given = seconds = 0.0
            with sessions({"": ours(study)}, (120, 40)) as seats:
                for _ in range(_BLOCKS):
                    _add(alone, press(seats, "1", _VOTES)[""])
                    work = BackgroundJudges(study)
                    work.start()
                    before = _verdicts(store)
                    while _verdicts(store) < before + _AT_WORK:
                        time.sleep(0.02)
                    before, began = _verdicts(store), time.perf_counter()
                    _add(beside, press(seats, "1", _VOTES)[""])
                    given += _verdicts(store) - before
                    seconds += time.perf_counter() - began
                    work.end()
                    work.join(10)
        for place, quantile in enumerate(("p50", "p95")):
            yield Row(
                f"vote to next pair, judges at work, {quantile}",
                beside.milliseconds[place],
                alone.milliseconds[place],
                "ms",
                "no judge at work",
            )
        yield Row("verdicts recorded meanwhile", given / seconds, 1.0, "1/s", "one a second")


def _add(to: Measured, measured: Measured) -> None:
    to.seconds += measured.seconds
    to.sizes += measured.sizes


def _verdicts(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute("SELECT max(seq) FROM verdict").fetchone()[0] or 0)
