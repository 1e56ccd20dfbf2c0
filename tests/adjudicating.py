"""Studies with something to rule on, and a lead at the screen, as a test drives it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static

from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Pair,
    Question,
    Record,
    Role,
    Setting,
    Verdict,
    VerdictStatus,
    Vote,
)
from db.store import Store
from tests.studies import FILES, SHARED, located, rows
from tests.terminal import Terminal, terminal
from tests.waiting import comes
from tui.adjudicate_screen import AdjudicateScreen
from tui.app import TiebreakApp, Who
from tui.cli import run
from tui.ruling_screen import RulingScreen
from tui.widgets.case_list import CaseList

MODELS = ("zebra-9b", "aardvark-70b")
PEOPLE = ("ann", "bob")
JUDGES = ("strict", "lenient")


def disputes(
    cases: int,
    *,
    models: tuple[str, str] = MODELS,
    people: tuple[str, ...] = PEOPLE,
    judges: tuple[str, ...] = JUDGES,
    note: str = "Shorter.",
    why: str = "The other rambles.",
    **settings: object,
) -> Iterator[Record]:
    """Questions on which two people differ and two judges do, each with its reason."""
    for key, value in {"dwell_ms": 0, "name": "Disputed", **settings}.items():
        yield Setting(key, value)
    yield from (Annotator(name, group="expert") for name in people)
    yield Annotator("lea", Role.LEAD)
    yield Annotator("leo", Role.LEAD)
    yield from (Judge(name, "imported", f"{name}-model") for name in judges)
    outcomes = (Choice.MODEL_1, Choice.MODEL_2, Choice.TIE, Choice.BOTH_BAD)
    for number in range(cases):
        key = f"q{number}"
        yield Question(key, (f"Question number {number}?",), "maths" if number % 2 else "prose")
        for model in models:
            yield Answer(key, model, (f"An answer of {len(model)} letters to {key}.",))
        pair, _ = Pair.of(key, *models)
        yield pair
        for place, name in enumerate(people):
            choice = outcomes[(number + place) % 4]
            yield Vote(f"v{number}.{place}", pair, 1, name, choice, left=1 + place % 2, note=note)
        for place, name in enumerate(judges):
            yield Verdict(
                f"w{number}.{place}", pair, 1, name, VerdictStatus.OK,
                outcomes[(number + place + 1) % 4], left=1, reasoning=why,
            )  # fmt: skip


def disputed_study(path: Path, records: Iterator[Record] | None = None) -> Path:
    """A study of these records; six disputed cases if none are given."""
    with Store(path, create=True) as store:
        store.fix_seed("a fixed seed")
        store.ingest.take(located(records or disputes(6)), FILES)
    return path


class Lead:
    """A lead at the screen."""

    def __init__(self, app: TiebreakApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def list(self) -> AdjudicateScreen:
        screen = self.app.screen_stack[1]
        assert isinstance(screen, AdjudicateScreen)
        return screen

    @property
    def case(self) -> RulingScreen:
        screen = self.app.screen_stack[2]
        assert isinstance(screen, RulingScreen)
        return screen

    @property
    def cases(self) -> CaseList:
        return self.list.query_one(CaseList)

    @property
    def said(self) -> str:
        return str(self.app.screen.query_one("#said", Static).content)

    @property
    def status(self) -> str:
        return str(self.app.screen.query_one("#status", Static).content)

    def painted(self) -> str:
        """All that is painted now, as text."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in strips)

    async def press(self, *keys: str) -> None:
        """Press keys, each once what the one before began is done and painted."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def type(self, text: str) -> None:
        """Write a text and close the modal that it is written in."""
        await self.pilot.press(*("space" if letter == " " else letter for letter in text))
        await self.press("escape")

    async def settle(self) -> None:
        """Wait until a key has been dealt with and what came of it is painted."""

        def is_settled() -> bool:
            desk = self.list.desk
            waits = isinstance(self.app.screen, RulingScreen) and desk.case is not None
            return not desk.is_busy and not (waits and desk.is_hasty())

        await self.pilot.pause(0.005)
        await comes(self.pilot, is_settled, lambda: f"nothing came of it:\n{self.painted()}")

    async def until(self, wanted: str) -> None:
        await comes(
            self.pilot,
            lambda: wanted in self.painted(),
            lambda: f"{wanted!r} was never painted:\n{self.painted()}",
        )

    async def rule(self, key: str, reason: str = "so") -> None:
        """Rule with a key and a reason."""
        await self.press(key)
        await self.type(reason)


@asynccontextmanager
async def lead(
    study: Path, size: tuple[int, int] = (120, 40), name: str = "lea"
) -> AsyncIterator[Lead]:
    """A lead before the list of cases."""
    app = TiebreakApp(study, Who(name, f"local:{name}", is_lead=True), first="adjudicate")
    async with app.run_test(size=size) as pilot:
        one = Lead(app, pilot)
        await one.until("Live. Cases open blind")
        yield one
    app.store.close()


# ── a real terminal ─────────────────────────────────────────────────────────

MT_BENCH = SHARED / "mt_bench"
F6 = "\x1b[17~"
ESCAPE = "\x1b"
TAKES_AGAIN = "\x14"
"""Ctrl+T."""
WORDS: Mapping[str, str] = {
    "1": "A is better",
    "2": "B is better",
    "3": "tie",
    "4": "both bad",
    "5": "not decidable",
}
"""What is said of a ruling, by its key."""


def sits_down(study: Path, name: str) -> list[str]:
    """The command of a lead at the terminal."""
    return ["--db", str(study), "lead", "--as", name]


def rulings(study: Path) -> int:
    """How many rows the ruling log has."""
    return int(rows(study, "SELECT count(*) FROM ruling")[0][0])


def opens_the_list(seat: Terminal) -> None:
    """Go to the list of cases and open the first."""
    seat.shows("Ctrl+Q")
    seat.send(F6)
    seat.shows("listed by")
    seat.send("\r")
    # Whoever was killed amid a reason is told of that in place of the first.
    seat.until(
        lambda: "Blind: no names" in seat.text() or "The reason that you began" in seat.text()
    )


def chooses(seat: Terminal, key: str) -> None:
    """Press a ruling's key until it is asked why."""
    seat.decides(key, f"Why “{WORDS[key]}”?")


def rules(seat: Terminal, key: str, reason: str) -> None:
    """Rule with a key and a reason, and wait until it is said to be on the disk."""
    is_other = f": {WORDS[key]}." not in seat.text()
    chooses(seat, key)
    seat.send(reason)
    seat.shows(reason)
    seat.send(ESCAPE)
    assert is_other, "two in a row are to be told apart"
    seat.until(lambda: f"✓ Ruled: {WORDS[key]}." in seat.text() and "Why “" not in seat.text())


@dataclass(frozen=True, slots=True)
class Played:
    """What was done to a study.

    Attributes:
        standing: rulings that stand.
        revised, unmasked, undone: how many of them were, or were taken back and made again.
        seconds: that the rulings took, from the first key to the last.
    """

    standing: int
    unmasked: int
    revised: int
    undone: int
    seconds: float


def played_study(path: Path, *, count: int = 100, columns: int = 120, rows: int = 40) -> Played:
    """MT-bench, judged by the baselines, with blind rulings made at the keyboard of a real app.

    Every tenth ruling is unmasked, every twentieth revised then, and every twenty-fifth taken back
    and made again.
    """
    db = ["--db", str(path)]
    for command in (
        ["import", str(MT_BENCH)],
        ["study", "set", "dwell_ms", "0"],
        ["judge", "add", "longer", "--baseline", "longer-answer"],
        ["judge", "add", "coin", "--baseline", "coin"],
        ["judge", "run"],
    ):
        assert run([*db, *command]) == 0, command
    unmasked = revised = undone = 0
    with terminal(sits_down(path, "lea"), columns=columns, rows=rows) as seat:
        opens_the_list(seat)
        began = time.monotonic()
        for number in range(1, count + 1):
            key = "12345"[number % 5]
            rules(seat, key, f"reason {number}")
            if number % 25 == 0:
                seat.send("u")
                seat.shows("↶ Taken back")
                seat.decides(key, f"✓ Ruled: {WORDS[key]}.")  # its reason is there again
                undone += 1
            if number % 10 == 0:
                seat.send("7")
                seat.shows("NAMES SHOWN")
                unmasked += 1
                if number % 20 == 0:
                    chooses(seat, "4")
                    seat.shows("Your reason before")
                    seat.send(TAKES_AGAIN + ESCAPE)
                    seat.shows("✓ Revised: both bad.")
                    revised += 1
                else:
                    seat.send("s")
                    seat.shows("It stands as it is")
        seconds = time.monotonic() - began
        seat.send("\x11")
        assert seat.wait() == 0, seat.raw[-2000:].decode("utf-8", "replace")
    return Played(count, unmasked, revised, undone, seconds)
