"""The lead's dashboard: it follows the study, opens every number, and never waits for one."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from core.records import Role, Seen
from core.stats import registry
from core.stats.results import Result, count
from db.store import Store
from db.voting import Cast
from tests.adjudicating import disputed_study, disputes
from tests.studies import make_study
from tests.waiting import PATIENCE, comes
from tui.app import TiebreakApp, Who
from tui.cli import run
from tui.dashboard.pages import PAGES, Numbers
from tui.dashboard.pages import Seen as SeenByLead
from tui.filter_screen import FilterScreen, ValueScreen
from tui.number_screen import NumberScreen
from tui.screens.lead import LeadScreen
from tui.widgets.answer_view import AnswerView
from tui.widgets.reader import Reader
from tui.widgets.spot_list import SpotList

SIZES = [(80, 24), (120, 40), (200, 50)]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    models = ("ant-canary", "bee-canary")
    return make_study(tmp_path / "study.db", questions=6, models=models, overlap=2, dwell_ms=0)


def lead(study: Path) -> TiebreakApp:
    return TiebreakApp(study, Who("lead", "local:lead", is_lead=True), first="lead")


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
    seen = ""

    def is_there() -> bool:
        nonlocal seen
        screen = pilot.app.screen
        if isinstance(screen, LeadScreen) and screen.query("#said"):
            seen = read(screen, what)
        return wanted in seen

    await pilot.pause(0.02)
    await comes(pilot, is_there, lambda: f"{wanted!r} never came to {what}: {seen}")
    screen = pilot.app.screen
    assert isinstance(screen, LeadScreen)
    return screen


async def live(pilot: Pilot[None]) -> LeadScreen:
    return await until(pilot, "Live: moves", "said")


def read(screen: LeadScreen, what: str) -> str:
    if what == "numbers":
        return screen.query_one("#numbers", SpotList).text
    return str(screen.query_one(f"#{what}", Static).content)


def painted(pilot: Pilot[None]) -> list[str]:
    return [strip.text for strip in pilot.app.screen._compositor.render_strips()]


async def opened(pilot: Pilot[None], wanted: str) -> str:
    """All rows of the number screen, once they hold this."""
    text = ""

    def is_there() -> bool:
        nonlocal text
        if isinstance(pilot.app.screen, NumberScreen) and pilot.app.screen.query(SpotList):
            text = pilot.app.screen.query_one(SpotList).text
        return wanted in text

    await comes(pilot, is_there, lambda: f"{wanted!r} never came: {text}")
    return text


async def reads(pilot: Pilot[None]) -> str:
    """The pair that is open to be read, once it is."""

    def is_open() -> bool:
        screen = pilot.app.screen
        return isinstance(screen, Reader) and bool(screen.query(AnswerView))

    await comes(pilot, is_open, "no pair was opened")
    return pilot.app.screen.query_one(AnswerView).text


@pytest.mark.parametrize("size", SIZES)
async def test_a_vote_from_another_process_is_in_the_numbers_by_itself(
    study: Path, size: tuple[int, int]
) -> None:
    app = lead(study)
    async with app.run_test(size=size) as pilot:
        await until(pilot, "0 votes")
        vote(study, "ann", 3)
        screen = await until(pilot, "3 votes")
        assert "[Overview]" in read(screen, "pages")
        await until(pilot, "human", "numbers")
    app.store.close()


@pytest.mark.parametrize("size", SIZES)
async def test_every_page_fits_and_opens_its_first_number(
    study: Path, size: tuple[int, int]
) -> None:
    vote(study, "ann", 4)
    vote(study, "bob", 4)
    with Store(study) as store:
        store.annotator("robot", simulated=True)
    app = lead(study)
    async with app.run_test(size=size) as pilot:
        screen = await live(pilot)
        assert "SIMULATED" in read(screen, "status")
        shown = set()
        for page in PAGES:
            assert f"[{page.title}]" in read(screen, "pages")
            rows = screen.numbers.text
            assert rows.strip(), page.id
            shown.add(rows)
            assert max(map(len, rows.splitlines())) <= size[0] - 2, page.id
            if screen.numbers.chosen is not None:
                await pilot.press("enter")
                await opened(pilot, "behind it")
                await pilot.press("escape")
            await pilot.press("tab")
        assert len(shown) == len(PAGES)
        await pilot.press("shift+tab")
        assert f"[{PAGES[-1].title}]" in read(screen, "pages")
    app.store.close()


async def test_every_key(study: Path) -> None:
    vote(study, "ann", 4)
    app = lead(study)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await live(pilot)
        for _ in range(len(PAGES) - 1):
            await pilot.press("tab")
        numbers = screen.numbers
        first = numbers.chosen
        await pilot.press("j", "down")
        third = numbers.chosen
        assert third != first
        await pilot.press("k", "up")
        assert numbers.chosen == first
        await pilot.press("l", "right", "h", "left")
        assert numbers.chosen == first
        top = painted(pilot)
        await pilot.press("space")
        assert painted(pilot) != top
        assert numbers.chosen != first
        await pilot.press("w", "pagedown", "pageup")
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


async def test_new_numbers_keep_the_number_that_is_chosen(study: Path) -> None:
    vote(study, "ann", 2)
    app = lead(study)
    async with app.run_test(size=(80, 16)) as pilot:
        screen = await live(pilot)
        await pilot.press("shift+tab", "space", "j", "j")
        chosen = screen.numbers.chosen
        assert chosen is not None
        vote(study, "bob", 2)  # more rows come to stand above it
        await until(pilot, "4 votes")
        await live(pilot)
        assert screen.numbers.chosen == chosen
        marked = [row for row in painted(pilot) if row.strip()]
        assert any(dict(chosen[1]).get("rater", "") in row for row in marked)
    app.store.close()


async def test_a_number_opens_to_its_method_its_limits_and_its_pairs_unnamed(study: Path) -> None:
    vote(study, "zzcanary", 6)
    vote(study, "bob", 6)
    app = lead(study)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await live(pilot)
        await pilot.press("tab")
        await until(pilot, "Agreement, ", "numbers")
        await pilot.press("enter")
        text = await opened(pilot, "items behind it")
        for heading in ("How it came about", "Rests on", "What it does not mean"):
            assert heading in text
        items = text.partition("behind it")[2]
        assert "2 votes" in items
        assert "wins" not in items
        assert "zzcanary" not in items
        assert "-canary" not in items
        for _ in range(3):
            await pilot.press("j")
        await pilot.press("enter")
        shown = await reads(pilot)
        assert "One answer" in shown
        assert "The other answer" in shown
        assert "zzcanary" not in shown
        with Store(study) as store:
            assert not store.connection.execute("SELECT count(*) FROM unmasking").fetchone()[0]
        await pilot.press("escape", "escape")
        assert app.screen is screen
    app.store.close()


async def test_filters_apply_to_every_number_are_shown_and_go_again(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vote(study, "ann", 4)
    vote(study, "bob", 3)
    run(["--db", str(study), "stats", "coverage", "--annotator", "bob"])
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    wanted = [line for line in said if line[1:2] in (["votes"], ["both"])]
    assert len(wanted) >= 2
    app = lead(study)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await live(pilot)
        await pilot.press("f", *"jjjj", "enter")
        assert isinstance(app.screen, ValueScreen)
        await pilot.press(*"bo")
        await pilot.press("enter")
        assert isinstance(app.screen, FilterScreen)
        await pilot.press("escape")
        await until(pilot, "annotator bob", "filters")
        await pilot.press("shift+tab")

        def are_there() -> bool:  # what is said may still be of the numbers before
            rows = [line.split() for line in screen.numbers.text.splitlines()]
            return all(line in rows for line in wanted)

        await comes(pilot, are_there, lambda: screen.numbers.text)
        await pilot.press("f", "c", "escape")
        await until(pilot, "All votes and verdicts", "filters")
    app.store.close()


async def test_filters_that_cannot_be_are_refused_where_they_are_chosen(study: Path) -> None:
    app = lead(study)
    async with app.run_test(size=(80, 24)) as pilot:
        await live(pilot)
        await pilot.press("f", *("j",) * 7, "enter", *"soon", "enter")
        assert isinstance(app.screen, FilterScreen)
        said = str(app.screen.query_one("#filter-said", Static).content)
        assert "2026-11-22" in said
        await pilot.press("k", "k", "k", "k", "enter", "down", "enter")
        assert "another model first" in str(app.screen.query_one("#filter-said", Static).content)
        await pilot.press("escape")
        assert isinstance(app.screen, LeadScreen)
    app.store.close()


class Slow:
    """A statistic that takes until it is let go."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.runs = 0

    def __call__(self, view: Any) -> Result:
        self.runs += 1
        assert self.may_end.wait(PATIENCE), "nobody let it go"
        return Result("drag", "Slow", "It takes a while.", ("rater",), (count({"rater": "x"}, 1),))


def with_slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow()
    known = registry.registered()
    one = replace(known[0], id="drag", title="Slow", order=0, run=slow, follows=False)
    two = replace(one, id="later")
    monkeypatch.setattr(registry, "registered", lambda: (*known, one, two))
    return slow


async def test_what_is_slow_is_named_and_can_be_cancelled(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = with_slow(monkeypatch)
    app = lead(study)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "Computing drag", "said")
        await pilot.press("x")
        slow.may_end.set()
        screen = await until(pilot, "Left out: 1 statistic", "said")
        assert slow.runs == 1
        vote(study, "ann", 1)
        await until(pilot, "1 vote ", "status")
        await live(pilot)
        assert slow.runs == 3
        assert screen.numbers.chosen is not None
    app.store.close()


async def test_no_key_waits_for_a_statistic(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = with_slow(monkeypatch)
    vote(study, "ann", 2)
    app = lead(study)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await until(pilot, "Computing drag", "said")
        await pilot.press("tab", "tab", "shift+tab", "j", "enter", "escape")
        # The keys were done while it was at work.
        assert "[Agreement]" in read(screen, "pages")
        assert "Computing drag" in read(screen, "said")
        slow.may_end.set()
    app.store.close()


async def test_a_pair_read_from_a_list_that_tells_whose_it_is_counts_as_unmasked(
    study: Path,
) -> None:
    vote(study, "ann", 6)
    with Store(study) as store:
        store.annotator("lead", role=Role.LEAD)
    app = lead(study)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await live(pilot)
        await pilot.press("tab", "tab")
        await until(pilot, "ant-canary", "numbers")
        assert screen.numbers.chosen is not None
        await pilot.press("enter")
        text = await opened(pilot, "kept as ruled after unmasking")
        assert "what was voted is not said" in text
        assert "wins" not in text.partition("behind it")[2]
        await pilot.press("enter")
        await reads(pilot)
        await pilot.press("escape")
        assert (await opened(pilot, "wins 1–0")).count("wins") == 1
    app.store.close()
    with Store(study) as store:
        found = store.connection.execute(
            "SELECT a.name FROM unmasking u JOIN annotator a ON a.id = u.lead_id"
        ).fetchall()
    assert [tuple(row) for row in found] == [("lead",)]


async def test_a_pair_read_behind_what_a_judge_said_counts_as_unmasked(tmp_path: Path) -> None:
    path = disputed_study(tmp_path / "judged.db", disputes(3, judges=("strict", "lenient")))
    app = TiebreakApp(path, Who("lea", "local:lea", is_lead=True), first="lead")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await live(pilot)
        await pilot.press("tab")
        await until(pilot, "strict", "numbers")
        for _ in range(20):
            chosen = screen.numbers.chosen
            if chosen is not None and "strict" in dict(chosen[1]).values():
                break
            await pilot.press("j")
        await pilot.press("enter")
        text = await opened(pilot, "kept as ruled after unmasking")
        assert "strict said something" in text
        assert text.count("2 votes") == 3
        assert not re.search("they (differ|agree)|% agree", text)
        await pilot.press("tab", "enter")
        await reads(pilot)
        await pilot.press("escape")
        text = await opened(pilot, "50% agree")
        assert len(re.findall("they (?:differ|agree)|% agree", text)) == 1
        ((name,),) = app.store.connection.execute(
            "SELECT a.name FROM unmasking u JOIN annotator a ON a.id = u.lead_id"
        ).fetchall()
        assert name == "lea"
    app.store.close()


def test_before_anything_is_counted_the_overview_does_not_say_that_there_is_nothing() -> None:
    def told(waiting: frozenset[str]) -> str:
        return "\n".join(row.text for row in PAGES[0].rows(SeenByLead(NONE, waiting=waiting), 80))

    assert "Counting …" in told(frozenset({"agreement"}))
    assert "no votes" not in told(frozenset({"agreement"}))
    assert "no votes and no verdicts" in told(frozenset())


NONE = Numbers([])
