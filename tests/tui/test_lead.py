"""The lead's view: it follows the study, and keeps the place that is being read."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from core.records import Seen
from db.store import Store
from db.voting import Cast
from tests.tui.test_annotate import make_study
from tui.app import TiebreakApp, Who
from tui.screens.lead import LeadScreen
from tui.widgets.answer_view import AnswerView
from tui.widgets.reader import Reader


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study.db")


def vote(study: Path, name: str, count: int) -> None:
    with Store(study) as store:
        row = store.annotator(name)
        for _ in range(count):
            served = store.serving.serve(row)
            assert served is not None
            assert served.next_turn is not None
            cast = Cast(
                f"{name}-{served.assignment}-{served.next_turn}",
                served.assignment,
                served.next_turn,
                Seen.LEFT,
            )
            store.voting.cast(row, f"local:{name}", cast)


async def until(pilot: Pilot[None], wanted: str, what: str = "status") -> LeadScreen:
    for _ in range(400):
        await pilot.pause(0.02)
        screen = pilot.app.screen
        if isinstance(screen, LeadScreen) and wanted in read(screen, what):
            return screen
    raise AssertionError(f"{wanted!r} never came to {what}")


def read(screen: LeadScreen, what: str) -> str:
    if what == "numbers":
        return screen.query_one("#numbers", AnswerView).text
    return str(screen.query_one(f"#{what}", Static).content)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_a_vote_from_another_process_is_in_the_numbers_by_itself(
    study: Path, size: tuple[int, int]
) -> None:
    app = TiebreakApp(study, Who("lead", "local:lead", is_lead=True), first="lead")
    async with app.run_test(size=size) as pilot:
        await until(pilot, "0 votes")
        vote(study, "ann", 3)
        screen = await until(pilot, "3 votes")
        assert "[agreement]" in read(screen, "statistics")
        assert "human-human" in read(screen, "numbers")
    app.store.close()


async def test_every_key(study: Path) -> None:
    vote(study, "ann", 4)
    app = TiebreakApp(study, Who("lead", "local:lead", is_lead=True), first="lead")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await until(pilot, "4 votes")
        first = read(screen, "numbers")
        await pilot.press("tab")
        second = read(screen, "numbers")
        assert second != first
        await pilot.press("shift+tab")
        assert read(screen, "numbers") == first
        view = screen.query_one("#numbers", AnswerView)
        view.show("\n".join(str(n) for n in range(100)))
        await pilot.press("j", "down")
        assert view.top == 2
        await pilot.press("k", "up", "space")
        paged = view.top
        assert paged > 2
        await pilot.press("w", "pagedown", "pageup")
        assert view.top == 0
        await pilot.press("question_mark")
        assert isinstance(app.screen, Reader)
        await pilot.press("q", "f1")
        assert isinstance(app.screen, Reader)
        await pilot.press("escape", "f2")
        assert app.screen.__class__.__name__ == "AnnotateScreen"
        await pilot.press("f3")
        await until(pilot, "4 votes")
        await pilot.press("ctrl+q")
    app.store.close()


async def test_new_numbers_keep_the_place_that_is_read(study: Path) -> None:
    app = TiebreakApp(study, Who("lead", "local:lead", is_lead=True), first="lead")
    async with app.run_test(size=(80, 12)) as pilot:
        screen = await until(pilot, "0 votes")
        view = screen.query_one("#numbers", AnswerView)
        await pilot.press("j", "j", "j")
        assert view.top == 3
        vote(study, "ann", 2)
        await until(pilot, "2 votes")
        assert view.top == 3
    app.store.close()


async def test_simulated_annotators_are_called_so(study: Path) -> None:
    with Store(study) as store:
        store.annotator("robot", simulated=True)
    app = TiebreakApp(study, Who("lead", "local:lead", is_lead=True), first="lead")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "SIMULATED")
    app.store.close()
