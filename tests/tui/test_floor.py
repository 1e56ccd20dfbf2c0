"""The floor on the lead's screen and from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from core.errors import StudyUnavailable
from core.records import Role, Seen
from db.floor import Floor, FloorFeed
from db.seats import Seat
from db.store import Store
from tests.studies import make_study, rows, serve, vote
from tests.tui.test_cli import Done
from tests.waiting import comes
from tui.app import TiebreakApp, Who
from tui.cli import run
from tui.screens.floor import FloorScreen
from tui.widgets.answer_view import AnswerView
from tui.widgets.confirm import Confirm
from tui.widgets.people_list import PeopleList
from tui.widgets.reader import Reader

SIZES = [(80, 24), (120, 40), (200, 50)]
HOSTILE = "a[red]\u202en"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Thirty pairs; one person of two always takes the left side, in no time."""
    path = make_study(tmp_path / "study.db", questions=30, overlap=3)
    with Store(path) as store:
        ann, bob = store.annotator("ann"), store.annotator("bob")
        for number in range(28):
            vote(store, ann, serve(store, ann), Seen.LEFT, active_seconds=0.1)
            seen = (Seen.RIGHT, Seen.LEFT, Seen.TIE)[number % 3]
            vote(store, bob, serve(store, bob), seen, active_seconds=40.0)
        serve(store, bob)
    return path


@pytest.fixture
def tiebreak(capsys: pytest.CaptureFixture[str], study: Path) -> Any:
    def call(*arguments: object) -> Done:
        code = run(["--db", str(study), *map(str, arguments)])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


def floor_app(study: Path) -> TiebreakApp:
    return TiebreakApp(study, Who("lea", "local:lea", is_lead=True), first="floor")


def text(pilot: Pilot[None], name: str) -> str:
    return str(pilot.app.screen.query_one(f"#{name}", Static).content)


def painted(pilot: Pilot[None]) -> str:
    """All that is on the screen, as text."""
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], wanted: str) -> None:
    await pilot.pause(0.02)
    await comes(
        pilot,
        lambda: wanted in painted(pilot),
        lambda: f"{wanted!r} was never painted:\n{painted(pilot)}",
    )


async def choose(pilot: Pilot[None], name: str) -> None:
    people = pilot.app.screen.query_one(PeopleList)
    for _ in range(5):
        if people.chosen == name:
            return
        await pilot.press("j")
    await pilot.press(*"kkkkk")
    while people.chosen != name:
        await pilot.press("j")


@pytest.mark.parametrize("size", SIZES)
async def test_the_floor_moves_by_itself_and_gives_its_reasons(
    study: Path, size: tuple[int, int]
) -> None:
    app = floor_app(study)
    async with app.run_test(size=size) as pilot:
        await until(pilot, "30 pairs")
        assert "34 votes wanted yet" in text(pilot, "floor-summary")
        await choose(pilot, "ann")
        await until(pilot, "left answer in 28 of 28 pairs")
        assert "words a minute" in text(pilot, "floor-why")
        assert "p = " in text(pilot, "floor-why")
        await choose(pilot, "bob")
        assert "left answer" not in text(pilot, "floor-why")
        before = painted(pilot)
        seat = Seat(study, 1)
        await until(pilot, "2 of 3 here")
        seat.leave()
        await until(pilot, "1 of 3 here")
        assert before != painted(pilot)
        with Store(study) as store:
            cleo = store.annotator("cleo")
            vote(store, cleo, serve(store, cleo), Seen.TIE)
        await until(pilot, "cleo")
        assert pilot.app.screen.query_one(PeopleList).chosen == "bob"
    app.store.close()


async def test_a_person_opens_and_shows_what_the_numbers_rest_on(study: Path) -> None:
    app = floor_app(study)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "30 pairs")
        await choose(pilot, "ann")
        await pilot.press("enter")
        await until(pilot, "the newest first")
        reader = app.screen
        assert isinstance(reader, Reader)
        shown = reader.query_one("#reader-text", AnswerView).text
        assert "A 28 · B 0" in shown
        assert shown.count("A is better") == 28
        assert "ant" not in shown.split()
        await pilot.press("escape")
        assert isinstance(app.screen, FloorScreen)
    app.store.close()


async def test_nothing_is_done_before_it_is_confirmed(study: Path) -> None:
    def states() -> list[tuple[Any, ...]]:
        return rows(study, "SELECT paused_at IS NULL, retired_at IS NULL FROM annotator WHERE id=2")

    def open_pairs() -> int:
        (row,) = rows(study, "SELECT count(*) FROM assignment WHERE state='open'")
        return int(row[0])

    app = floor_app(study)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "30 pairs")
        await choose(pilot, "bob")
        for key in "prbx":
            await pilot.press(key)
            assert isinstance(app.screen, Confirm)
            assert "bob" in text(pilot, "confirm-question")
            await pilot.press("escape")
            assert "Nothing was done" in text(pilot, "said")
        assert (states(), open_pairs()) == ([(1, 1)], 1)
        await pilot.press("b", "y")
        assert text(pilot, "said") == "bob: 1 open pair given back."
        assert open_pairs() == 0
        await pilot.press("p", "y")
        assert states() == [(0, 1)]
        await until(pilot, "paused")
        await pilot.press("x", "y")
        assert states() == [(0, 0)]
        await pilot.press("p", "y")  # a retired person cannot be paused: the refusal is shown
        assert "is retired" in text(pilot, "said")
        await pilot.press("r", "y")
        assert states() == [(1, 1)]
    app.store.close()


async def test_a_lead_is_told_when_it_would_end_their_own_screen(study: Path) -> None:
    app = floor_app(study)
    with Store(study) as store:
        store.annotator(app.who.annotator, role=Role.LEAD)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app.who.annotator)
        for who, key, is_told in (
            ("bob", "x", False),
            (app.who.annotator, "x", True),
            (app.who.annotator, "p", True),
            (app.who.annotator, "b", False),
        ):
            await choose(pilot, who)
            await pilot.press(key)
            told = "That is you: this screen ends." in text(pilot, "confirm-question")
            assert told is is_told
            await pilot.press("escape")
    app.store.close()


async def test_a_hostile_name_is_shown_inert(study: Path) -> None:
    with Store(study) as store:
        store.annotator(HOSTILE)
    app = floor_app(study)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "a[red]")
        assert "\u202e" not in painted(pilot)
        await choose(pilot, HOSTILE)
        await pilot.press("x")
        assert "a[red]⟨202E⟩n" in text(pilot, "confirm-question")
        await pilot.press("escape", "question_mark", "escape", "space", "w")
    app.store.close()


async def test_no_annotator_gets_there(study: Path) -> None:
    app = TiebreakApp(study, Who("ann", "local:ann"))
    async with app.run_test() as pilot:
        await pilot.press("f4")
        assert not isinstance(app.screen, FloorScreen)
    app.store.close()


# ── from the command line ───────────────────────────────────────────────────


@pytest.mark.parametrize("columns", ["80", "120", "200"])
def test_the_table_fits_its_terminal(
    tiebreak: Any, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    done = tiebreak("floor")
    assert done.code == 0
    assert all(len(line) <= int(columns) for line in done.out.splitlines())
    assert "left answer in 28 of 28" in " ".join(done.out.split())


def test_the_floor_as_json(tiebreak: Any) -> None:
    floor = tiebreak("floor", "--json").json
    assert (floor["pairs"], floor["pairs_complete"]) == (30, 0)
    people = {person["name"]: person for person in floor["people"]}
    assert people["ann"]["chosen"] == {"left": 28, "right": 0, "tie": 0, "both_bad": 0}
    assert people["ann"]["on"] is False
    kinds = {warning["kind"] for warning in people["ann"]["warnings"]}
    assert {"one side", "fast"} <= kinds
    assert people["bob"]["warnings"] == []
    ann = tiebreak("floor", "ann", "--json").json
    assert len(ann["last_votes"]) == 28
    assert ann["last_votes"][0]["seen"] == "left"


def test_what_somebody_chose_fits_the_votes_below_it(tiebreak: Any, tmp_path: Path) -> None:
    path = make_study(tmp_path / "turns.db", questions=4, turns=2)
    with Store(path) as store:
        ann = store.annotator("ann")
        for number in range(3):
            served = serve(store, ann)
            vote(store, ann, served, Seen.LEFT, turn=1)
            vote(store, ann, served, Seen.RIGHT, turn=2, id=f"second-{number}")
        vote(store, ann, serve(store, ann), Seen.LEFT, turn=1)
        store.voting.undo(ann, "local:ann", "u1")
        vote(store, ann, serve(store, ann), Seen.TIE, turn=1, id="anew")
    said = tiebreak("--db", path, "floor", "ann").out
    for wanted in (
        "3 pairs done on all turns, 7 votes",
        "chosen      A 3 · B 3 · tie 1 · both bad 0",
        "first turn  A 3 · B 0 · tie 1 · both bad 0",
        "Of each pair one vote, that on its first turn",
        "Last 8 votes, the newest first, 1 of them changed or taken back",
    ):
        assert wanted in said
    assert said.count("B is better") == 3
    person = tiebreak("--db", path, "floor", "ann", "--json").json
    assert person["chosen"] == {"left": 3, "right": 0, "tie": 1, "both_bad": 0}
    assert person["chosen_on_all_turns"] == {"left": 3, "right": 3, "tie": 1, "both_bad": 0}


def test_one_person_and_nobody(tiebreak: Any) -> None:
    assert "Nothing to look at" in tiebreak("floor", "bob").out
    nobody = tiebreak("floor", "zoe")
    assert (nobody.code, "nobody here is called 'zoe'" in nobody.err) == (1, True)


def test_reassigning_from_the_command_line(tiebreak: Any) -> None:
    assert "1 open pair given back" in tiebreak("annotator", "reassign", "bob").err
    assert "0 open pairs given back" in tiebreak("annotator", "reassign", "bob").err
    assert tiebreak("annotator", "reassign", "zoe").code == 1


class _Seldom:
    """What a floor's feed does when its study cannot be read the first times."""

    def __init__(self, errors: list[Exception], look: Any) -> None:
        self.errors = errors
        self.look = look

    def __call__(self, feed: FloorFeed) -> Floor:
        first = self.errors[:1]
        del self.errors[:1]  # which may have been cleared meanwhile
        if first:
            raise first[0]
        floor: Floor = self.look(feed)
        return floor


async def test_a_study_that_is_held_for_a_while_is_followed_on(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Held until that has been seen.
    held = [StudyUnavailable("study.db: another process holds it", "wait") for _ in range(9999)]
    seldom = _Seldom(held, FloorFeed.look)
    monkeypatch.setattr(FloorFeed, "look", lambda feed: seldom(feed))
    monkeypatch.setattr("tui.background._AGAIN_AFTER", 0.1)
    async with floor_app(study).run_test(size=(120, 40)) as pilot:
        await until(pilot, "another process holds it")
        held.clear()
        await until(pilot, "Live: moves within a second")


async def test_a_mistake_of_ours_in_the_thread_ends_the_app_and_is_not_kept_quiet(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seldom = _Seldom([KeyError("ours")], FloorFeed.look)
    monkeypatch.setattr(FloorFeed, "look", lambda feed: seldom(feed))
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    with pytest.raises(KeyError, match="ours"):
        async with floor_app(study).run_test(size=(120, 40)) as pilot:
            await until(pilot, "Live")
