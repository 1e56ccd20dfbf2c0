"""Takes the pictures in ``docs/images`` anew: ``python -m tests.screenshots [NAME]...``.

Each is the real app on the sample study, driven by its own keys. The votes in them are cast by
simulated annotators, whose draws are seeded, so the same code gives the same pictures. Every state
is taken at three sizes; ``docs/screens.md`` shows them all.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from textual.widgets import Static

from core.records import LessonUse
from db.store import Store
from tests.waiting import PATIENCE
from tests.watching import watched_study
from tui.app import TiebreakApp, Who
from tui.demo import prepare, simulated_annotators
from tui.importing import import_path
from tui.judging import work
from tui.session import Session
from tui.widgets.reader import Reader

IMAGES = Path(__file__).parent.parent / "docs" / "images"
SAMPLE = IMAGES.parent.parent / "sample_data"
SIZES = ((80, 24), (120, 40), (200, 50))
FONTS = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"

MOMENT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
"""When every picture is taken."""
ASKED = {
    "criteria": "helpfulness, accuracy",
    "confidence": "guess, fairly sure, certain",
    "tags": "clear, correct, complete, short",
}

PAUSE = 0.3
"""Seconds after a key in which a machine that is not busy paints all that comes of it."""

CELL = 12.2
"""Units of the picture that one cell is wide."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One state of a screen: what is pressed on which.

    Attributes:
        asks: whether the study asks for more than a vote.
    """

    name: str
    keys: Sequence[str] = ()
    screen: str = "annotate"
    asks: bool = False
    lessons: LessonUse | None = None


PICTURES = (
    Picture("vote"),
    Picture("saved", ("2",)),
    Picture("taken-back", ("2", "u")),
    Picture("differences", ("d",)),
    Picture("find", ("slash", *"the", "enter")),
    Picture("zoom", ("z",)),
    Picture("stacked", ("y",)),
    Picture("reference", ("v",)),
    Picture("note", ("n", *"Both are right.")),
    Picture("pause", ("p",)),
    Picture("history", (*"123413", "h", *"jj")),
    Picture("reopened", (*"12", "h", "enter")),
    Picture("asked", ("1", "2"), asks=True),
    Picture("cannot-judge", ("c",)),
    Picture("help", ("question_mark", "space")),
    Picture("lead", screen="lead"),
    Picture("lead-agreement", ("tab",), screen="lead"),
    Picture("lead-number", ("tab", "j", "enter"), screen="lead"),
    Picture("floor", ("j",), screen="floor"),
    Picture("judges", ("j", "tab"), screen="judges"),
    Picture("judges-failures", ("j", "tab", "enter"), screen="judges"),
    Picture("judges-reply", ("j", "tab", "enter", "enter"), screen="judges"),
    Picture("adjudicate", ("j", "j"), screen="adjudicate"),
    Picture("ruling", ("enter",), screen="adjudicate"),
    Picture("ruling-reason", ("enter", "2", *"A has wrong dates."), screen="adjudicate"),
    Picture(
        "unmasked",
        ("enter", "2", *"A has wrong dates.", "escape", "7"),
        screen="adjudicate",
    ),
    Picture("practice", ("escape", "4"), lessons=LessonUse.PRACTICE),
    Picture("not-passed", ("escape", "escape", *"44444"), lessons=LessonUse.QUALIFICATION),
)


def voted_study(folder: Path) -> Path:
    """The sample study with every baseline verdict, and two simulated annotators' votes."""
    study = folder / "sample.db"
    prepare(study)
    with Store(study) as store:
        store.set({"dwell_ms": 0})
        for judge in store.judging.judges():
            asyncio.run(work(store.path, judge))
        for one in simulated_annotators(2):
            session = Session(store, store.annotator(one.name, simulated=True), "simulated")
            session.open()
            while session.current is not None:
                session.vote(one.choose(session.current, session.turn))
    return study


def teach(study: Path, use: LessonUse) -> None:
    """Give the study its lessons for one use, and everybody one try."""
    import_path(study, SAMPLE / "practice.jsonl")
    with Store(study) as store:
        lessons = [one.lesson for one in store.lessons.all()]
        for lesson in lessons if use is not LessonUse.PRACTICE else []:
            store.lessons.remove(lesson.pair, lesson.turn, lesson.use)
            store.lessons.add(replace(lesson, use=use))
        store.set({"qualification_pass": 0.8, "qualification_tries": 1})


async def take(study: Path, picture: Picture, size: tuple[int, int], pause: float = PAUSE) -> str:
    """The picture as SVG.

    Args:
        pause: seconds after each key, for what is read or counted behind the screen.
    """
    if picture.asks:
        with Store(study) as store:
            store.set(ASKED)
    who = Who("ann", "local", is_lead=picture.screen != "annotate")
    if picture.lessons is not None:
        teach(study, picture.lessons)
    onboards = picture.lessons is not None
    app = TiebreakApp(study, who, first=picture.screen, onboards=onboards)
    app.store.clock = lambda: MOMENT
    async with app.run_test(size=size) as pilot:
        await _painted(app, pause)
        for key in picture.keys:
            await pilot.press(key)
            await pilot.pause(pause)
        svg = app.export_screenshot(title="tiebreak")
        app.exit()
    app.store.close()
    return offline(svg)


async def _painted(app: TiebreakApp, pause: float) -> None:
    """Wait until the screen says that it is there, and for what it lays out after that."""
    said = ""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        if isinstance(app.screen, Reader):
            await asyncio.sleep(pause)
            return
        said = str(app.screen.query_one("#said", Static).content)
        if said.startswith(("Press", "Live")):
            await asyncio.sleep(pause)
            return
    raise AssertionError(f"the screen never came up: it said {said!r}")


_TEXT = re.compile(
    r'(?P<open><text[^>]*?) x="(?P<x>[\d.]+)"(?P<y>[^>]*?) textLength="(?P<width>[\d.]+)"'
    r"(?P<rest>[^>]*)>(?P<before>(?:&#160;)*)(?P<text>.*?)(?P<after>(?:&#160;)*)</text>"
)


def offline(svg: str) -> str:
    """The picture without fonts from the network, and without ids that change each time."""
    svg = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: (?:Fira Code, monospace|arial)", f"font-family: {FONTS}", svg)
    svg = _TEXT.sub(_placed, re.sub(r"terminal-\d+", "terminal", svg))
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def _placed(match: re.Match[str]) -> str:
    """A text without the spaces around it, at its own place: some viewers drop leading spaces."""
    if not match["text"]:
        return ""
    before, after = (len(match[name]) // len("&#160;") for name in ("before", "after"))
    x = float(match["x"]) + before * CELL
    width = float(match["width"]) - (before + after) * CELL
    return (
        f'{match["open"]} x="{x:g}"{match["y"]} textLength="{width:g}"{match["rest"]}>'
        f"{match['text']}</text>"
    )


def main(folder: Path = IMAGES, names: Sequence[str] = (), pause: float = PAUSE) -> None:
    """Write every picture, or those of these names.

    Args:
        pause: as for :func:`take`.
    """
    pictures = [one for one in PICTURES if not names or one.name in names]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        voted = voted_study(Path(scratch))
        for number, (picture, (width, height)) in enumerate(product(pictures, SIZES)):
            # Never the same path twice: a thread of the app before, closing its connection late,
            # would remove the write-ahead log of this one.
            study = Path(scratch) / str(number) / voted.name
            study.parent.mkdir()
            if picture.screen == "judges":
                watched_study(study, questions=120, judged=150)
            else:
                shutil.copy(voted, study)
            svg = asyncio.run(take(study, picture, (width, height), pause))
            name = f"{picture.name}-{width}x{height}.svg"
            (folder / name).write_text(svg, "utf-8")
            print(f"{name}  {len(svg) / 1000:.0f} kB", file=sys.stderr)


if __name__ == "__main__":
    main(names=sys.argv[1:])
