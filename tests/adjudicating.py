"""Studies with something to rule on, and a lead at the screen, as a test drives it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
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
from tests.studies import FILES, located
from tui.adjudicate_screen import AdjudicateScreen
from tui.app import TiebreakApp, Who
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
        for _ in range(400):
            await self.pilot.pause(0.005)
            desk = self.list.desk
            waits = isinstance(self.app.screen, RulingScreen) and desk.case is not None
            if not desk.is_busy and not (waits and desk.is_hasty()):
                return
        raise AssertionError(f"nothing came of it:\n{self.painted()}")

    async def until(self, wanted: str) -> None:
        for _ in range(400):
            if wanted in self.painted():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"{wanted!r} was never painted:\n{self.painted()}")

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
