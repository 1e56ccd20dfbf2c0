"""The voting screen, key by key, at the two sizes it must work at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static, TextArea

from core.errors import Where
from core.records import Answer, Question, Record, Seen, Setting
from db.pairs import make
from db.store import Store
from tests.studies import allow_no_growth
from tests.waiting import comes
from tui.actions import ANNOTATE
from tui.app import TiebreakApp, Who
from tui.screens.annotate import AnnotateScreen
from tui.widgets.answer_view import AnswerView
from tui.widgets.note import NoteModal
from tui.widgets.reader import Reader

SIZES = [(80, 24), (120, 40)]
MODELS = ("zebra-9b", "aardvark-70b", "marmot-1b")
LONG = "\n\n".join(f"Paragraph {n} of an answer that goes on." for n in range(80))


def make_study(path: Path, **settings: object) -> Path:
    """Two questions, the first with two turns and references; three models; no dwell."""
    chosen = {"dwell_ms": 0, "name": "A study", **settings}
    records: list[Record] = [Setting(key, value) for key, value in chosen.items()]
    records.append(Question("q1", ("First?", "And then?"), "maths", ("Reference one", None)))
    records.append(Question("q2", ("Only one?",), "prose"))
    for model in MODELS:
        records.append(Answer("q1", model, (f"{LONG}\n\nq1 t1 {model[0]}", f"q1 t2 {model[0]}")))
        records.append(Answer("q2", model, (f"q2 t1 {model[0]}",)))
    with Store(path, create=True) as store:
        store.fix_seed("a fixed seed")
        store.ingest.take((Where("test", n), record) for n, record in enumerate(records))
        make(store, overlap=1)
    return path


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study.db")


class Seat:
    """An annotator at the screen, as a test drives it."""

    def __init__(self, app: TiebreakApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> AnnotateScreen:
        screen = self.app.screen_stack[1]
        assert isinstance(screen, AnnotateScreen)
        return screen

    def text(self, name: str) -> str:
        return str(self.screen.query_one(f"#{name}", Static).content)

    def view(self, name: str) -> AnswerView:
        return self.screen.query_one(f"#{name}", AnswerView)

    def everything(self) -> str:
        """All that is painted now, as text."""
        compositor = self.app.screen._compositor
        strips = compositor.render_strips()
        return "\n".join(strip.text for strip in strips)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def settle(self) -> None:
        """Wait until the pair that is there now has been painted."""

        def is_painted() -> bool:
            session = self.screen.session
            return session.current is None or not session.is_hasty()

        await self.pilot.pause(0.005)
        await comes(self.pilot, is_painted, "the screen was never painted")

    async def says(self, wanted: str, *, of: str = "said") -> None:
        """Wait until a line of the screen says something."""
        await comes(
            self.pilot,
            lambda: wanted in self.text(of),
            lambda: f"{wanted!r} was never said, but {self.text(of)!r}",
        )

    def standing(self) -> list[tuple[int, str | None]]:
        """Turn and choice of each vote that stands, in the order they were cast."""
        with Store(self.app.study) as store:
            return [(vote.turn, vote.choice) for vote, _ in store.reading.votes()]


@asynccontextmanager
async def sit(
    study: Path, size: tuple[int, int] = (120, 40), name: str = "ann"
) -> AsyncIterator[Seat]:
    app = TiebreakApp(study, Who(name, f"local:{name}"))
    async with app.run_test(size=size) as pilot:
        seat = Seat(app, pilot)
        await begun(seat)
        await seat.settle()
        yield seat
    app.store.close()


async def begun(seat: Seat) -> None:
    """Wait until the voting screen is there, and the pair that it begins with, if there is one."""

    def has_begun() -> bool:
        stack = seat.app.screen_stack
        is_there = len(stack) > 1 and isinstance(stack[1], AnnotateScreen) and stack[1]._begun
        return is_there and seat.app.is_open

    await comes(seat.pilot, has_begun, "the screen never began")


VOTES = [
    ("1", Seen.LEFT),
    ("a", Seen.LEFT),
    ("2", Seen.RIGHT),
    ("b", Seen.RIGHT),
    ("3", Seen.TIE),
    ("t", Seen.TIE),
    ("4", Seen.BOTH_BAD),
    ("x", Seen.BOTH_BAD),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("key", "seen"), VOTES)
async def test_a_vote_is_one_key_and_means_what_was_seen(
    study: Path, size: tuple[int, int], key: str, seen: Seen
) -> None:
    async with sit(study, size) as seat:
        served = seat.screen.session.current
        assert served is not None
        left, right = served.left[0][-1], served.right[0][-1]
        await seat.press(key)
        with Store(study) as store:
            ((vote, how),) = store.reading.votes()
        initials = {"model_1": vote.pair.model_1[0], "model_2": vote.pair.model_2[0]}
        said = {Seen.LEFT: left, Seen.RIGHT: right}.get(seen)
        assert vote.choice is not None
        assert initials.get(vote.choice.value, vote.choice.value) == (said or seen.value)
        assert vote.turn == 1
        assert how.policy == "least-voted/2"
        assert how.probability == pytest.approx(1 / 6)
        assert "✓ Saved" in seat.text("said")


@pytest.mark.parametrize("size", SIZES)
async def test_question_and_both_answers_are_on_the_screen(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        shown = seat.everything()
        assert "Question" in shown
        assert "▸ A" in shown
        assert "▸ B" in shown
        for key, label in (("1", "A is better"), ("3", "tie"), ("4", "both bad"), ("?", "help")):
            assert f"{key} {label}" in shown


@pytest.mark.parametrize("size", SIZES)
async def test_no_model_is_named_anywhere_on_the_way_through_the_study(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        seen = [seat.everything(), seat.app.title, str(seat.app.sub_title)]
        while seat.screen.session.current is not None:
            await seat.press("f", "n")
            seen.append(seat.everything())
            await seat.press("escape", "question_mark")
            seen.append(seat.everything())
            await seat.press("escape", "v", "escape", "r", "z", "1")
            seen.append(seat.everything())
        for text in seen:
            assert not [model for model in MODELS if model in text]


async def test_turns_are_voted_one_by_one_and_the_next_is_not_shown_before(study: Path) -> None:
    async with sit(study) as seat:
        while len(seat.screen.session.current.turns) == 1:  # type: ignore[union-attr]
            await seat.press("1")
        before = len(seat.standing())
        assert "voting on turn 1 of 2" in seat.text("status")
        await seat.press("right_square_bracket")
        assert "comes after your vote" in seat.text("said")
        assert seat.view("left").text.startswith("Paragraph 0")
        await seat.press("2")
        assert "voting on turn 2 of 2" in seat.text("status")
        assert seat.view("question").text == "And then?"
        await seat.press("left_square_bracket")
        assert seat.view("question").text == "First?"
        assert "you are voting on turn 2" in seat.text("question-title")
        await seat.press("4")
        turns = [turn for turn, _ in seat.standing()[before:]]
        assert turns == [1, 2]
        assert seat.standing()[-1] == (2, "both_bad")


async def test_a_study_may_want_one_vote_for_the_conversation(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", vote_per="conversation")
    async with sit(study) as seat:
        while len(seat.screen.session.current.question) == 1:  # type: ignore[union-attr]
            await seat.press("1")
        assert "one vote for all 2 turns" in seat.text("status")
        await seat.press("right_square_bracket")
        assert seat.view("question").text == "And then?"
        await seat.press("3")
        assert seat.standing()[-1] == (0, "tie")


@pytest.mark.parametrize("size", SIZES)
async def test_scrolling_moves_what_is_aimed_at(study: Path, size: tuple[int, int]) -> None:
    async with sit(study, size) as seat:
        while len(seat.screen.session.current.turns) == 1:  # type: ignore[union-attr]
            await seat.press("1")
        left, right = seat.view("left"), seat.view("right")
        for key, forth, back in (("j", 1, "k"), ("down", 1, "up"), ("space", None, "w")):
            await seat.press(key)
            assert left.top == right.top
            assert left.top == forth if forth else left.top > 1
            await seat.press(back)
            assert left.top == right.top == 0
        await seat.press("pagedown")
        paged = left.top
        assert paged == right.top > 1
        await seat.press("pageup", "G")
        assert left.at_end
        assert right.at_end
        await seat.press("g", "end", "home")
        assert left.top == right.top == 0
        await seat.press("tab", "j")
        assert (left.top, right.top) == (1, 0)
        assert seat.text("left-title").startswith("▸ A")
        assert seat.text("right-title").startswith("  B")
        await seat.press("tab", "j")
        assert (left.top, right.top) == (1, 1)
        await seat.press("tab", "j", "tab", "g")
        assert (left.top, right.top) == (0, 0)


@pytest.mark.parametrize("size", SIZES)
async def test_zoom_shows_one_answer_at_full_width(study: Path, size: tuple[int, int]) -> None:
    async with sit(study, size) as seat:
        half = seat.view("left").size.width
        await seat.press("z")
        assert seat.view("left").size.width == size[0] > 1.9 * half
        assert not seat.screen.query_one("#right-side").display
        await seat.press("z")
        assert not seat.screen.query_one("#left-side").display
        await seat.press("z")
        assert seat.view("left").size.width == seat.view("right").size.width == half


async def test_raw_shows_the_source(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("r")
        assert all(seat.view(name).raw for name in ("question", "left", "right"))
        await seat.press("r")
        assert not seat.view("left").raw


async def test_reference_is_one_key_away_unless_the_study_hides_it(tmp_path: Path) -> None:
    shown = make_study(tmp_path / "shown.db")
    async with sit(shown) as seat:
        while len(seat.screen.session.current.turns) == 1:  # type: ignore[union-attr]
            await seat.press("v")
            assert "no reference" in seat.text("said")
            await seat.press("1")
        await seat.press("v")
        assert isinstance(seat.app.screen, Reader)
        assert "Reference one" in seat.everything()
        await seat.press("escape")
        assert seat.app.screen is seat.screen
    hidden = make_study(tmp_path / "hidden.db", show_reference=False)
    async with sit(hidden) as seat:
        while len(seat.screen.session.current.turns) == 1:  # type: ignore[union-attr]
            await seat.press("1")
        await seat.press("v")
        assert seat.app.screen is seat.screen


@pytest.mark.parametrize("size", SIZES)
async def test_a_note_swallows_keys_and_is_saved_with_the_vote(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        await seat.press("n")
        assert isinstance(seat.app.screen, NoteModal)
        await seat.press("1", "space", "u", "s")
        assert seat.app.screen.query_one(TextArea).text == "1 us"
        await seat.press("escape")
        assert "✎ note" in seat.text("status")
        assert seat.standing() == []
        await seat.press("1")
        with Store(study) as store:
            ((vote, _),) = store.reading.votes()
        assert vote.note == "1 us"
        assert "✎ note" not in seat.text("status")


async def test_a_flag_goes_on_and_off_and_is_saved_with_the_vote(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("f")
        assert "⚑ flagged" in seat.text("status")
        await seat.press("f")
        assert "⚑ flagged" not in seat.text("status")
        await seat.press("f", "3")
        with Store(study) as store:
            ((vote, _),) = store.reading.votes()
        assert vote.flag == "flagged"


@pytest.mark.parametrize("size", SIZES)
async def test_undo_goes_back_through_the_whole_session(study: Path, size: tuple[int, int]) -> None:
    async with sit(study, size) as seat:
        first = seat.screen.session.current
        assert first is not None
        await seat.press("1", "2", "3", "s")
        await seat.press("u")
        assert "the skip" in seat.text("said")
        for said in ("tie", "B is better", "A is better"):
            await seat.press("u")
            assert f"“{said}”" in seat.text("said")
        assert seat.standing() == []
        assert seat.screen.session.current.assignment == first.assignment  # type: ignore[union-attr]
        await seat.press("u")
        assert "nothing to take back" in seat.text("said")
        with Store(study) as store:
            assert store.reading.counts()["vote_log_rows"] == 6
            assert store.verify() == []


@pytest.mark.parametrize("size", SIZES)
async def test_a_skipped_pair_comes_back_at_the_end(study: Path, size: tuple[int, int]) -> None:
    async with sit(study, size) as seat:
        skipped = seat.screen.session.current
        assert skipped is not None
        await seat.press("s")
        while seat.screen.session.current is not None:
            assert seat.screen.session.current.assignment != skipped.assignment
            await seat.press("1")
        assert "1 put aside" in seat.text("finished")
        await seat.press("s")
        assert seat.screen.session.current.assignment == skipped.assignment  # type: ignore[union-attr]
        while seat.screen.session.current is not None:
            await seat.press("1")
        assert len(seat.standing()) == 9
        await seat.press("1", "f", "n", "j", "v", "z", "tab", "r")
        assert len(seat.standing()) == 9


async def test_help_names_every_key_of_the_screen(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("question_mark")
        assert isinstance(seat.app.screen, Reader)
        text = seat.app.screen._text
        for action in ANNOTATE:
            assert f"`{action.shown_keys()}`" in text
        await seat.press("escape", "f1")
        assert isinstance(seat.app.screen, Reader)


@pytest.mark.parametrize("size", SIZES)
async def test_quit_and_return_lands_on_the_same_pair_in_the_same_order(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        await seat.press("1")
        while len(seat.screen.session.current.turns) == 1:  # type: ignore[union-attr]
            await seat.press("1")
        if seat.screen.session.turn == 1:
            await seat.press("1")
        await seat.press("n", "h", "i", "escape", "f")
        left_at = (seat.screen.session.current, seat.screen.session.turn)
        await seat.press("ctrl+q")
        assert seat.app._exit
    async with sit(study, size) as seat:
        assert (seat.screen.session.current, seat.screen.session.turn) == left_at
        assert seat.screen.session.draft.note == "hi"
        assert "⚑ flagged" in seat.text("status")


async def test_a_hasty_vote_asks_again_and_a_pasted_run_of_keys_casts_one(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", dwell_ms=300)
    async with sit(study) as seat:
        now = 1e9
        seat.screen.session._monotonic = lambda: now
        now += 0.31
        await seat.pilot.press("1", "1", "1", "1")
        await seat.pilot.pause(0.05)
        assert len(seat.standing()) == 1
        assert "Not saved" in seat.text("said")
        now += 0.31
        await seat.pilot.press("1")
        assert len(seat.standing()) == 2


async def test_a_vote_that_cannot_be_written_says_so_and_stays(study: Path) -> None:
    async with sit(study) as seat:
        connection = seat.app.store.connection
        before = seat.screen.session.current
        seat.screen.session.keep(note="long " * 20_000)
        allow_no_growth(connection)
        await seat.press("1")
        assert "Not saved" in seat.text("said")
        assert "disk is full" in seat.text("said")
        assert seat.screen.session.current is not None
        assert before is not None
        assert seat.screen.session.current.assignment == before.assignment
        assert seat.standing() == []
        connection.execute("PRAGMA max_page_count = 1000000")
        await seat.press("1")
        assert "✓ Saved" in seat.text("said")
        assert len(seat.standing()) == 1


async def test_annotators_have_no_way_to_the_leads_view(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("f3")
        assert seat.app.screen is seat.screen
        assert not seat.app.is_screen_installed("lead")


async def test_what_is_simulated_says_so(study: Path) -> None:
    app = TiebreakApp(study, Who("robot", "simulated", simulated=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await Seat(app, pilot).says("SIMULATED robot", of="status")
    app.store.close()


async def test_newly_queued_pairs_appear_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.annotate._LOOK_AGAIN", 0.05)
    study = make_study(tmp_path / "study.db")
    async with sit(study) as seat:
        while seat.screen.session.current is not None:
            await seat.press("1")
        with Store(study) as store:
            store.ingest.take(
                [
                    (Where("more"), Question("q3", ("A new one?",))),
                    *((Where("more"), Answer("q3", model, ("new",))) for model in MODELS),
                ]
            )
            make(store, overlap=2)
        await seat.says("new pairs")


async def test_a_warning_is_told_to_its_end_at_80_columns(study: Path) -> None:
    async with sit(study, (80, 24)) as seat:
        seat.screen.say("Not saved: " + "a long reason " * 12 + "and how to mend it.", warning=True)
        await seat.pilot.pause()
        assert "how to mend it" in " ".join(seat.everything().split())
        seat.screen.say("Fine.")
        await seat.pilot.pause()
        assert seat.screen.query_one("#said").size.height == 1


@pytest.mark.parametrize("opens", ["p", "n"])
async def test_keys_that_come_at_once_close_one_screen_and_not_what_lies_beneath(
    study: Path, opens: str
) -> None:
    async with sit(study) as seat:
        await seat.press(opens)
        above = seat.app.screen
        assert above is not seat.screen
        for _ in range(4):
            above.post_message(events.Key("escape", "\x1b"))
        await seat.pilot.pause()
        await seat.settle()
        assert seat.app.screen is seat.screen
        await seat.press("1")
        assert "✓ Saved" in seat.text("said")
