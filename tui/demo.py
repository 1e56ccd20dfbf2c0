"""The demo: the main job on the sample study, with a person or without one.

Without a person, simulated annotators press the keys of the real screen. They are called
simulated in the study, on their screens and in the report.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import sample_data
from core.errors import TiebreakError
from core.layouts.rows import Options
from core.records import Seen
from db.pairs import make
from db.serving import Served
from db.store import Store
from judges.models import new_judge
from tui.app import TiebreakApp, Who
from tui.background import Background
from tui.exporting import gold_rows
from tui.importing import import_path
from tui.judging import work
from tui.live import options_of
from tui.session import Session
from tui.tables import report_lines

if TYPE_CHECKING:
    from textual.pilot import Pilot

BASELINES = ("longer-answer", "most-headings", "coin")
SEED = "the sample study"
PAIRS = 30
OVERLAP = 3
BANNER = "SAMPLE STUDY  │  F2 vote, F3 numbers"

_BAD = 4.0
_EQUAL = 1.0
"""Quality, from 0 to 10, at which an answer is bad, and a difference nobody would notice."""

_PATIENCE = 60.0
"""Seconds after which a screen that shows nothing new takes no votes any more."""

_FOLDER = Path(sample_data.__file__).parent
_KEYS = {Seen.LEFT: "1", Seen.RIGHT: "2", Seen.TIE: "3", Seen.BOTH_BAD: "4"}


def check_is_sample(study: Path) -> None:
    """Make sure that a study is the demo's own: simulated votes cannot be taken out again.

    Raises:
        TiebreakError: if it is somebody's study.
    """
    with Store(study) as store:
        is_sample = store.seed == SEED
    if not is_sample:
        raise TiebreakError(
            f"{study}: this study was not made by the demo, which would add simulated votes to it",
            "give --study the path of a new file",
        )


def prepare(study: Path) -> None:
    """Make the study: import the sample, queue a sample of pairs, add the baseline judges."""
    import_path(study, _FOLDER / "study.jsonl")
    with Store(study) as store:
        store.fix_seed(SEED)
        make(store, sample=PAIRS, overlap=OVERLAP)
        for baseline in BASELINES:
            store.judging.add(new_judge(f"baseline: {baseline}", "baseline", baseline))


class SimulatedAnnotator:
    """Votes by the sample's stated qualities, seen through noise.

    Args:
        noise: the standard deviation of what this one takes a quality for.
    """

    def __init__(self, name: str, noise: float) -> None:
        self.name = name
        self._noise = noise
        self._random = Random(name)
        self._quality = dict(_qualities())

    def choose(self, served: Served, turn: int) -> Seen:
        """What this one would vote, from the texts on the screen alone."""
        left, right = (
            self._quality[texts[turn - 1]] + self._random.gauss(0, self._noise)
            for texts in (served.left, served.right)
        )
        if max(left, right) <= _BAD:
            return Seen.BOTH_BAD
        if abs(left - right) < _EQUAL:
            return Seen.TIE
        return Seen.LEFT if left > right else Seen.RIGHT


def _qualities() -> Iterator[tuple[str, float]]:
    """Each answer's text with its stated quality."""
    stated = json.loads((_FOLDER / "quality.json").read_text("utf-8"))["quality"]
    for line in (_FOLDER / "study.jsonl").read_text("utf-8").splitlines():
        record = json.loads(line)
        if record["type"] == "answer":
            for turn, text in enumerate(record["turns"], 1):
                yield text, stated[record["question"]][str(turn)][record["model"]]


def simulated_annotators(count: int) -> list[SimulatedAnnotator]:
    """Annotators of different care, the most careful first."""
    return [SimulatedAnnotator(f"simulated-{n + 1}", 0.6 + 0.5 * n) for n in range(count)]


class BackgroundAnnotators(Background):
    """Simulated annotators who vote while a person does.

    Args:
        pace: seconds between their votes.
    """

    def __init__(self, study: Path, *, pace: float) -> None:
        super().__init__(study, "simulated annotators")
        self._pace = pace

    def work(self, store: Store) -> None:
        """Vote in turns until nothing is left."""
        working = []
        for one in simulated_annotators(OVERLAP - 1):
            row = store.annotator(one.name, simulated=True)
            session = Session(store, row, "simulated")
            if session.open():
                working.append((one, session))
        while working and not self.ended.wait(self._pace):
            one, session = working.pop(0)
            assert session.current is not None
            session.vote(one.choose(session.current, session.turn))
            if session.current is not None:
                working.append((one, session))


async def _until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    """Let the screen work until something is true of it, however slow the machine is.

    Raises:
        TiebreakError: if it never is.
    """
    deadline = time.monotonic() + _PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TiebreakError("the voting screen took no vote", "please report this")
        await pilot.pause(0.01)


async def vote_at_the_screen(study: Path, annotator: SimulatedAnnotator) -> int:
    """Let a simulated annotator press the keys of the real screen until nothing is left.

    Returns:
        How many votes were cast.

    Raises:
        TiebreakError: if the screen stops taking votes.
    """
    from tui.screens.annotate import AnnotateScreen

    app = TiebreakApp(study, Who(annotator.name, "simulated", simulated=True))
    cast = 0
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, AnnotateScreen)
        session = screen.session
        await _until(pilot, lambda: app.is_open and not (session.current and session.is_hasty()))
        while session.current is not None:
            before = (session.current.assignment, session.turn)

            def has_gone_on(before: tuple[int, int] = before) -> bool:
                now = session.current
                is_next = now is not None and before != (now.assignment, session.turn)
                return now is None or (is_next and not session.is_hasty())

            await pilot.press(_KEYS[annotator.choose(session.current, session.turn)])
            cast += 1
            await _until(pilot, has_gone_on)
        app.exit()
    app.store.close()
    return cast


def run_headless(study: Path) -> list[str]:
    """The whole job without a person: import, judges, votes at the screen, statistics, gold.

    Returns:
        The report's lines.
    """
    prepare(study)
    with Store(study) as store:
        # Nobody is there to misclick, and the screen still waits until it is painted.
        store.set({"dwell_ms": 0})
        verdicts = sum(asyncio.run(work(store.path, judge)) for judge in store.judging.judges())
        cast = {
            one.name: asyncio.run(vote_at_the_screen(study, one))
            for one in simulated_annotators(OVERLAP)
        }
        from core.stats import Tally, compute
        from db.feed import Feed

        feed = Feed(store, Tally())
        feed.catch_up(times=True)
        options = options_of(store)
        numbers = report_lines(compute(feed.tally, options), options.people)
        counts = store.reading.counts()
        gold = Counter(row["decided_by"].value for row in gold_rows(store, Options()))
        intact = not store.verify()
    return [*_job_lines(counts, cast, verdicts, gold, intact), "", *numbers]


def _job_lines(
    counts: dict[str, int],
    cast: dict[str, int],
    verdicts: int,
    gold: Counter[str],
    intact: bool,
) -> list[str]:
    rule = "─" * 78
    votes = ", ".join(f"{name} {count}" for name, count in cast.items())
    return [
        "Tiebreak demo: the sample study, from a file to gold labels",
        "The annotators are SIMULATED, and the judges are baselines that need no model.",
        rule,
        f"imported   {counts['questions']} questions, {counts['answers']} answers of "
        f"{counts['models']} models",
        f"queued     {counts['pairs_queued']} of {counts['pairs']} pairs, "
        f"{OVERLAP} votes wanted for each",
        f"verdicts   {verdicts} of {len(BASELINES)} baseline judges, in both orders",
        f"votes      {votes} (pressed at the voting screen)",
        f"gold       {', '.join(f'{count} {kind}' for kind, count in sorted(gold.items()))} "
        "(one label for each pair and turn voted on)",
        f"chain      {'intact' if intact else 'BROKEN'}",
        rule,
    ]
