"""A newcomer's way to the first vote, key by key, and what survives of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.errors import StudyUnavailable
from core.records import Choice, Lesson, LessonUse, Pair, Seen
from db.store import Store
from tests.studies import rows
from tests.terminal import terminal
from tests.tui.test_annotate import MODELS, SIZES, Seat, begun, make_study
from tui.app import TiebreakApp, Who
from tui.lesson import LessonSession, seat_for
from tui.session import Session
from tui.widgets.note import NoteModal
from tui.widgets.reader import Reader

AARDVARK, MARMOT, ZEBRA = sorted(MODELS)
WHY = "\n\n".join(f"Reason {n}: one of them is longer." for n in range(40))
PRACTICE, QUALIFICATION = LessonUse


def lessons(path: Path, use: LessonUse = PRACTICE, **settings: object) -> Path:
    """A study with three lessons on two pairs; whoever comes first by name is right."""
    make_study(path, **settings)
    with Store(path) as store:
        for question, turn in (("q1", 1), ("q1", 2), ("q2", 1)):
            pair = Pair(question, AARDVARK, ZEBRA)
            store.lessons.add(Lesson(pair, turn, Choice.MODEL_1, WHY, use))
    return path


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return lessons(tmp_path / "study.db")


@asynccontextmanager
async def come(
    study: Path, size: tuple[int, int] = (80, 24), *, practises: bool = False
) -> AsyncIterator[Seat]:
    """A newcomer sits down, as the annotate command would have it."""
    app = TiebreakApp(study, Who("ann", "local:ann"), onboards=True, practises=practises)
    async with app.run_test(size=size) as pilot:
        seat = Seat(app, pilot)
        await begun(seat)
        await pilot.pause(0.01)
        yield seat
    app.store.close()


def reading(seat: Seat) -> str:
    """The text that is open over the screen; empty if none is."""
    screen = seat.app.screen
    return screen._text if isinstance(screen, Reader) else ""


def right_key(seat: Seat) -> str:
    """The key for what the leads say: the aardvark's answers end in a."""
    served = seat.screen.session.current
    assert served is not None
    return "1" if served.left[0].endswith(" a") else "2"


async def press(seat: Seat, *keys: str) -> None:
    for key in keys:
        await seat.pilot.press(key)
        await seat.pilot.pause(0.05)


def trials(study: Path) -> list[tuple[object, ...]]:
    return rows(study, "SELECT lesson_id, round, seen FROM trial ORDER BY seq")


@pytest.mark.parametrize("size", SIZES)
async def test_guidelines_then_practice_with_feedback_then_votes(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    study = lessons(tmp_path / "study.db", guidelines="Judge *kindly*.")
    async with come(study, size) as seat:
        assert reading(seat) == "Judge *kindly*."
        assert "Esc go on" in seat.everything()
        await press(seat, "1")
        assert trials(study) == []
        await press(seat, "escape")
        shown = seat.everything()
        assert "Practice 1 of 3, not counted" in shown
        assert not [name for name in MODELS if name in shown]
        assert "Reason" not in shown
        for number in (1, 2, 3):
            assert f"Practice {number} of 3, not counted" in seat.text("status")
            key = right_key(seat)
            wrong = {"1": "2", "2": "1"}[key]
            await press(seat, key if number == 1 else wrong)
            text = reading(seat)
            assert (
                f"You said: **{'A' if (key == '1') == (number == 1) else 'B'} is better**" in text
            )
            assert f"The leads say: **{'A' if key == '1' else 'B'} is better**" in text
            assert ("say the same" in text) is (number == 1)
            assert ("That was the last practice pair." in text) is (number == 3)
            assert f"Practice {number} of 3, not counted" in seat.everything()
            assert "Reason 39" not in seat.everything()
            await press(seat, *["space"] * 8)
            seat.screen._look_for_more()  # which may come while this is read, and waits
            await seat.pilot.pause(0.05)
            assert "Reason 39" in seat.everything()
            await press(seat, "3")  # no vote key votes while it is read
            await press(seat, "q" if number == 2 else "escape")
            assert ("your votes count" in reading(seat)) is (number == 3)
        await press(seat, "1")  # meant for one more practice pair
        await press(seat, "escape")
        assert isinstance(seat.screen.session, Session)
        assert "0 done" in seat.text("status")
        assert seat.standing() == []
        await press(seat, "1")
        assert len(seat.standing()) == 1
    assert len(trials(study)) == 3
    with Store(study) as store:
        assert store.verify() == []


async def test_the_guidelines_are_opened_once(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", guidelines="Judge *kindly*.")
    for expected in ("Judge *kindly*.", ""):
        async with come(study) as seat:
            assert reading(seat) == expected
            await press(seat, "escape")
            assert isinstance(seat.screen.session, Session)
            assert seat.screen.session.current is not None


async def test_practice_has_skips_but_no_undo_notes_or_flags(study: Path) -> None:
    async with come(study) as seat:
        await press(seat, "f")
        assert "no vote here for a flag" in seat.text("said")
        await press(seat, "n")
        assert not isinstance(seat.app.screen, NoteModal)
        await press(seat, "u")
        assert "nothing to take back" in seat.text("said")
        await press(seat, "s")
        assert reading(seat) == ""
        assert "Skipped." in seat.text("said")
        while isinstance(seat.screen.session, LessonSession):
            await press(seat, "s")
        assert "your votes count" in reading(seat)
        await press(seat, "1", "escape")
        assert seat.standing() == []
        assert {seen for _, _, seen in trials(study)} == {None}
        assert len(trials(study)) == 3
        await press(seat, "u")
        assert "nothing to take back" in seat.text("said")
    assert rows(study, "SELECT 1 FROM vote") == []


@pytest.mark.parametrize("practises", [True, False])
async def test_who_left_returns_to_the_same_place(study: Path, practises: bool) -> None:
    async with come(study, practises=practises) as seat:
        await press(seat, "3", "escape")
        before = seat.screen.session.current, seat.text("status")
        assert "Practice 2 of 3" in before[1]
    async with come(study, practises=practises) as seat:
        assert (seat.screen.session.current, seat.text("status")) == before


async def test_the_round_can_be_taken_again_and_says_so_where_it_cannot(study: Path) -> None:
    for round_ in (1, 2):
        async with come(study, practises=True) as seat:
            await press(seat, *["3", "escape"] * 3)
            assert isinstance(seat.screen.session, Session)
            assert {one for _, one, _ in trials(study)} == set(range(1, round_ + 1))
    with Store(study) as store:
        for one in store.lessons.all():
            lesson = one.lesson
            store.lessons.remove(lesson.pair, lesson.turn, PRACTICE, with_trials=True)
    async with come(study, practises=True) as seat:
        assert "There is no practice pair for you" in reading(seat)
        await press(seat, "escape")
        assert isinstance(seat.screen.session, Session)
        assert seat.screen.session.current is not None


@pytest.mark.parametrize("size", SIZES)
async def test_the_qualification_tells_nothing_before_its_end_and_closes_the_queue(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    study = lessons(tmp_path / "s.db", QUALIFICATION, qualification_pass=0.6)
    for try_ in (1, 2):
        async with come(study, size) as seat:
            assert "**2 of 3** have to be right" in reading(seat)
            assert f"This is try {try_} of 2" in reading(seat)
            await press(seat, "escape", "s")
            assert "cannot be skipped" in seat.text("said")
            for number in (1, 2, 3):
                assert f"Qualification {number} of 3, not counted" in seat.text("status")
                assert reading(seat) == ""
                key = right_key(seat)
                await press(seat, key if number == 1 else "4")
            if try_ == 1:
                assert "Not passed: 1 of 3 right, 2 needed." in reading(seat)
                assert "1 try is left" in reading(seat)
                await press(seat, "escape")
                assert "This is try 2 of 2" in reading(seat)
            else:
                assert reading(seat) == ""
                assert "Not passed: 1 of 3 right, 2 needed." in seat.everything()
    async with come(study, size) as seat:
        shown = seat.everything()
        for words in ("Voting is closed to you", "1 of 3 right", "ask the lead", "Ctrl+Q"):
            assert words in shown
        await press(seat, "1", "s", "u", "n", "f", "p", "v")
        assert rows(study, "SELECT 1 FROM vote") == rows(study, "SELECT 1 FROM assignment") == []
        with Store(study) as store:
            store.practising.let_in(store.annotator("ann"), "local:lea")
        seat.screen._look_for_more()
        await seat.pilot.pause(0.1)
        assert isinstance(seat.screen.session, Session)
        assert "A lead has let you in" in reading(seat)
        await press(seat, "1", "escape", "1")
        assert len(seat.standing()) == 1


async def test_who_passes_is_told_and_votes(tmp_path: Path) -> None:
    study = lessons(tmp_path / "s.db", QUALIFICATION, qualification_pass=1.0)
    async with come(study) as seat:
        await press(seat, "escape")
        for _ in range(3):
            await press(seat, right_key(seat))
        assert "**Passed: 3 of 3 right, 3 needed.**" in reading(seat)
        await press(seat, "escape")
        assert isinstance(seat.screen.session, Session)
        assert reading(seat) == ""


async def test_a_lesson_taken_away_meanwhile_is_told_and_gone_beyond(study: Path) -> None:
    async with come(study) as seat:
        served = seat.screen.session.current
        assert served is not None
        with Store(study) as store, store.write() as connection:
            connection.execute("DELETE FROM lesson WHERE id = ?", (served.assignment,))
        await press(seat, "1")
        assert "A lead has taken this pair away" in reading(seat)
        await press(seat, "escape")
        assert "Practice 1 of 2" in seat.text("status")
        assert "Not recorded" in seat.text("said")


async def test_a_qualification_taken_away_meanwhile_never_turns_into_votes_unsaid(
    tmp_path: Path,
) -> None:
    study = lessons(tmp_path / "s.db", QUALIFICATION, qualification_pass=1.0)
    async with come(study) as seat:
        await press(seat, "escape")
        with Store(study) as store, store.write() as connection:
            connection.execute("DELETE FROM lesson")
        await press(seat, "1")
        assert "A lead has taken this pair away" in reading(seat)
        await press(seat, "1", "escape")
        assert "no qualification any more" in reading(seat)
        assert "your votes count" in reading(seat)
        await press(seat, "1", "escape")
        assert rows(study, "SELECT 1 FROM vote") == []
        assert "Recorded" not in seat.text("said")
        await press(seat, "1")
        assert len(seat.standing()) == 1


def test_a_lesson_session_holds_nothing_of_what_is_right(study: Path) -> None:
    with Store(study) as store:
        seat = seat_for(store, store.annotator("ann"), "local:ann")
        assert isinstance(seat, LessonSession)
        seat.open()
        told = repr({name: value for name, value in vars(seat).items() if name != "store"})
        assert " t1 " in told
        for secret in ("Reason", "model_1", AARDVARK, ZEBRA):
            assert secret not in told


def test_a_trial_whose_writing_failed_is_recorded_once(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(study) as store:
        seat = seat_for(store, store.annotator("ann"), "local:ann")
        seat.open()
        record = store.practising.record

        def lost(*arguments: object) -> None:
            """The write reaches the disk, but not its acknowledgement."""
            record(*arguments)  # type: ignore[arg-type]
            raise StudyUnavailable("the disk went away")

        monkeypatch.setattr(store.practising, "record", lost)
        with pytest.raises(StudyUnavailable):
            seat.vote(Seen.TIE)
        monkeypatch.setattr(store.practising, "record", record)
        seat.vote(Seen.TIE)
        page = seat.page()
        assert page is not None
        assert "You said: **tie**" in page.text
        assert seat.page() is None
    assert len(trials(study)) == 1


def test_kill_9_loses_no_acknowledged_trial_and_makes_none_twice(study: Path) -> None:
    arguments = ["--db", str(study), "annotate", "--as", "ann"]
    for number in (1, 2, 3):
        with terminal(arguments) as one:
            one.shows(f"Practice {number} of 3")
            one.shows("both bad")
            one.decides("3", "You said")
            assert len(trials(study)) == number
            one.kill()
    with terminal(arguments) as one:
        one.shows("0 done")
        one.shows("both bad")
        one.decides("3", "✓ Saved")
        one.kill()
    assert len({lesson for lesson, _, _ in trials(study)}) == 3
    assert len(rows(study, "SELECT 1 FROM vote")) == 1
    with terminal([*arguments, "--practice"]) as one:
        one.shows("Practice 1 of ")
        one.kill()


async def test_who_is_let_in_midway_goes_on_to_votes(tmp_path: Path) -> None:
    study = lessons(tmp_path / "s.db", QUALIFICATION, qualification_pass=1.0)
    async with come(study) as seat:
        await press(seat, "escape", "3")
        with Store(study) as store:
            store.practising.let_in(store.annotator("ann"), "local:lea")
        await press(seat, "3")
        assert "This qualification is over" in reading(seat)
        await press(seat, "escape")
        assert "A lead has let you in" in reading(seat)
        await press(seat, "escape", "1")
        assert len(seat.standing()) == len(trials(study)) == 1


async def test_the_footer_offers_only_what_is_done_here(study: Path, tmp_path: Path) -> None:
    votes_only = ("n note", "f flag", "u undo", "h history")
    strict = lessons(tmp_path / "strict.db", QUALIFICATION, qualification_pass=1.0)
    for path, keys, skips in ((study, ("3", "escape"), True), (strict, ("3",), False)):
        async with come(path, (200, 50)) as seat:
            await press(seat, "escape")
            footer = seat.text("keys")
            assert not [words for words in votes_only if words in footer]
            assert ("s skip" in footer) is skips
            assert "page" in footer
            while isinstance(seat.screen.session, LessonSession) and seat.screen.session.current:
                await press(seat, *keys)
            await press(seat, "escape")
            voted = isinstance(seat.screen.session, Session)
            assert voted is skips  # ties pass no qualification
            if voted:
                footer = seat.text("keys")
                assert not [words for words in (*votes_only, "s skip") if words not in footer]


async def test_what_is_typed_after_a_refused_note_is_no_vote(tmp_path: Path) -> None:
    study = lessons(tmp_path / "s.db", QUALIFICATION, qualification_pass=1.0, dwell_ms=300)
    async with come(study) as seat:
        now = 1e9
        await press(seat, "escape")
        seat.screen.session._monotonic = lambda: now
        seat.screen.session.shown()
        now += 0.31
        await press(seat, "n", "a", "b", "t")
        assert trials(study) == []
        now += 0.31
        await press(seat, "3")
        assert len(trials(study)) == 1
