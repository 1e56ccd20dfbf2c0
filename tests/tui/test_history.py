"""One's own history on the screen: looking through it, reopening a pair, changing a vote."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Static, TextArea

from core.records import Seen
from core.text import displayable
from db.store import Store
from tests.tui.test_annotate import MODELS, SIZES, Seat, make_study, sit
from tests.waiting import PATIENCE, comes
from tui.screens.history import HistoryScreen
from tui.session import Session
from tui.widgets.find_line import FindLine

HOSTILE = "\x1b]52;c;aGk=\x07 [@click=app.quit]x[/] [/INST] \u202egnp\u200b \x9b31m"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study.db")


def history(seat: Seat) -> HistoryScreen:
    screen = seat.app.screen
    assert isinstance(screen, HistoryScreen)
    return screen


async def look(seat: Seat, *keys: str) -> HistoryScreen:
    """Open the history, or go on in it, and wait until all is looked through."""
    if not isinstance(seat.app.screen, HistoryScreen):
        await seat.pilot.press("h")
        await seat.pilot.pause()
        await looked(seat)
    screen = history(seat)
    for key in keys:
        await seat.pilot.press(key)
    await seat.pilot.pause()
    if seat.app.screen is screen:
        await looked(seat)
    else:
        await seat.settle()
    return screen


async def looked(seat: Seat) -> None:
    screen = history(seat)

    def has_ended() -> bool:
        line = screen.query_one(FindLine)
        is_current = not line.display or line.value == screen._typed
        return screen._sifting is None and not screen._is_fresh and is_current

    await seat.pilot.pause(0.01)
    await comes(seat.pilot, has_ended, "the search never ended")


def rows_of(screen: HistoryScreen) -> list[str]:
    view = screen.votes
    lines = [view.render_line(y).text.rstrip() for y in range(view.size.height)]
    return [line for line in lines if line] if view.display else []


def text(screen: HistoryScreen, name: str) -> str:
    return str(screen.query_one(name, Static).content)


def log(study: Path) -> list[tuple[str | None, str]]:
    """What each row of the log says, as seen, with its note."""
    with Store(study) as store:
        return store.connection.execute("SELECT seen, note FROM vote ORDER BY seq").fetchall()


async def vote_on_all_turns(seat: Seat, keys: str) -> None:
    for key in keys:
        await seat.press(key)


# ── the list ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", SIZES)
async def test_votes_are_listed_newest_first_in_words_and_blind(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        before = seat.screen.session.current
        await vote_on_all_turns(seat, "1")
        await seat.press("n", "h", "m", "escape", "f")
        await vote_on_all_turns(seat, "43")
        screen = await look(seat)
        lines = rows_of(screen)
        assert len(lines) == 3
        assert lines[0].startswith("▸ just now")
        assert "tie" in lines[0]
        assert "both bad" in lines[1]
        assert "⚑✎" in lines[1]
        assert "A is better" in lines[2]
        assert before is not None
        assert before.question[0] in lines[2]
        assert "3 votes" in text(screen, "#history-status")
        await look(seat, "j")
        assert "✎ hm" in text(screen, "#history-detail")
        assert rows_of(screen)[1].startswith("▸")
        shown = seat.everything()
        assert not [model for model in MODELS if model in shown]
        for words in ("Enter open", "/ search", "Esc back"):
            assert words in shown
        await seat.press("q")
        assert seat.app.screen is seat.screen


async def test_where_there_is_nothing_the_list_says_so_and_why(study: Path) -> None:
    async with sit(study, (80, 24)) as seat:
        screen = await look(seat)
        assert "No vote of yours stands here yet" in text(screen, "#history-empty")
        await seat.pilot.press("enter", "j", "G", "space")
        await seat.pilot.press("escape")
        await seat.press("3")
        screen = await look(seat, "slash", *"xyz", "enter")
        assert "None of 1 vote has “xyz”" in text(screen, "#history-empty")
        assert "No vote" not in seat.everything()
        await look(seat, "escape")
        assert len(rows_of(screen)) == 1


async def test_search_finds_words_as_they_are_typed_and_esc_goes_back_in_steps(
    study: Path,
) -> None:
    async with sit(study) as seat:
        await vote_on_all_turns(seat, "1")
        await seat.press("n", *"odd", "escape")
        await vote_on_all_turns(seat, "23")
        screen = await look(seat, "slash", *"1 odd")
        assert [line.split()[3:6] for line in rows_of(screen)] == [["B", "is", "better"]]
        assert seat.standing() != []
        assert "1 of 3" in text(screen, "#history-status")
        await look(seat, "enter")
        assert len(rows_of(screen)) == 1
        assert not screen.query_one(FindLine).display
        await look(seat, "escape")
        assert len(rows_of(screen)) == 3
        await look(seat, "slash", *"tie")
        assert len(rows_of(screen)) == 1
        await look(seat, "escape")
        assert len(rows_of(screen)) == 3
        await seat.press("escape")
        assert seat.app.screen is seat.screen
        assert len(seat.standing()) == 3


async def test_a_search_that_takes_long_can_be_stopped(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui import sifting

    async with sit(study) as seat:
        await vote_on_all_turns(seat, "123")
        screen = await look(seat)
        monkeypatch.setattr(sifting.Sifting, "work", lambda self, _: self.ended.wait(PATIENCE))
        await seat.pilot.press("slash", *"tie", "enter")
        await comes(seat.pilot, lambda: "…" in text(screen, "#history-status"))
        searching = screen._sifting
        assert searching is not None
        await seat.pilot.press("escape")
        searching.join(PATIENCE)
        assert not searching.is_alive()
        assert "so far" in text(screen, "#history-status")
        assert "Stopped" in text(screen, "#said")


async def test_a_study_that_cannot_be_read_is_told_in_the_list(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("3")
        there = study.rename(study.with_name("elsewhere.db"))
        screen = await look(seat)
        assert "there is no study here" in text(screen, "#said")
        there.rename(study)


async def test_changed_and_taken_back_votes_are_one_key_away(study: Path) -> None:
    async with sit(study, (80, 24)) as seat:
        await vote_on_all_turns(seat, "13")
        await seat.press("u")
        await look(seat, "enter")
        await seat.press("2")
        screen = await look(seat, "tab")
        words = [" ".join(line.split()[2:]) for line in rows_of(screen)]
        assert ["B is better" in words[0], "tie (taken back)" in words[1]] == [True, True]
        assert "A is better (changed)" in words[2]
        await look(seat, "j", "enter")
        assert history(seat) is screen
        assert "comes to you again" in text(screen, "#said")
        await look(seat, "tab")
        assert len(rows_of(screen)) == 1


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_texts_are_inert_in_the_list(tmp_path: Path, size: tuple[int, int]) -> None:
    study = make_study(tmp_path / "study.db", name=HOSTILE)
    async with sit(study, size) as seat:
        seat.screen.session.keep(note=HOSTILE, flag=HOSTILE)
        await seat.press("1")
        screen = await look(seat, "slash")
        seat.app.screen.query_one(FindLine).paste(HOSTILE)
        screen._search_soon()
        await looked(seat)
        assert len(rows_of(screen)) == 1
        shown = seat.everything()
        assert "[@click=app.quit]" in text(screen, "#history-detail")
        for payload in ("\x1b", "\x07", "\u202e", "\u200b", "\x9b"):
            assert payload not in shown
        assert displayable("\x1b]52;") in shown
        await look(seat, "enter", "enter")
        assert "\x1b" not in seat.everything()
        assert log(study) == [("left", HOSTILE)]


# ── reopening ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", SIZES)
async def test_a_vote_is_changed_and_one_is_back_at_the_same_place_with_the_draft(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        first = seat.screen.session.current
        await seat.press("3")
        while "Paragraph" not in seat.view("left").text:
            await seat.press("1")
        votes = len(log(study))
        await seat.press("n", *"half", "escape", "space", "space", "j")
        before = seat.screen.session.current
        place = seat.view("left").top
        assert place > 0
        await look(seat, "G", "enter")
        now = seat.screen.session.current
        assert first is not None
        assert now is not None
        assert (now.left, now.right) == (first.left, first.right)
        assert "You voted: tie, just now. Vote to change it; Esc leaves" in seat.text("said")
        assert "Reopened: you voted “tie”" in seat.text("status")
        assert len(log(study)) == votes
        await seat.press("1")
        assert "✓ Changed: tie → A is better" in seat.text("said")
        assert seat.screen.session.current == before
        assert seat.view("left").top == place
        assert seat.screen.session.draft.note == "half"
        assert "Reopened" not in seat.text("status")
        assert log(study)[votes:] == [("left", "")]
        await seat.press("u")
        assert "“tie” → “A is better”. “tie” stands again" in seat.text("said")
        assert seat.screen.session.current == before
        assert seat.view("left").top == place
        assert [seen for seen, _ in log(study)[votes:]] == ["left", None, "tie"]
        await seat.press("2")
        assert seat.standing()[-1][0] == 1


@pytest.mark.parametrize("key", ["escape", "s", "3"])
async def test_leaving_a_reopened_pair_writes_nothing(study: Path, key: str) -> None:
    async with sit(study) as seat:
        await seat.press("3")
        before = seat.screen.session.current
        await look(seat, "enter")
        await seat.press(key)
        assert "Left as it was: tie" in seat.text("said")
        assert seat.screen.session.current == before
        assert log(study) == [("tie", "")]
        await seat.press("s")
        assert "Put aside" in seat.text("said")


async def test_esc_ends_a_search_in_the_reopened_pair_first(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("3")
        await look(seat, "enter")
        await seat.press("slash", "q", "enter", "slash", "escape")
        assert seat.screen.session.reopened is not None
        await seat.press("slash", "escape")
        assert seat.screen.session.reopened is not None
        await seat.press("u")
        assert "Esc goes back first" in seat.text("said")
        await seat.press("escape")
        assert seat.screen.session.reopened is None


async def test_note_and_flag_alone_are_changed_by_voting_the_same_again(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("n", *"old", "escape", "3")
        await look(seat, "enter")
        await seat.press("n")
        assert seat.app.screen.query_one(TextArea).text == "old"
        await seat.press("e", "r", "escape")
        assert "Not saved yet: vote again, tie too; Esc leaves all as it was" in seat.text("said")
        await seat.press("f")
        assert "Not saved yet" in seat.text("said")
        await seat.press("3")
        assert "✓ Saved: still tie, with what you changed" in seat.text("said")
        assert log(study) == [("tie", "old"), ("tie", "older")]
        await look(seat, "enter")
        await seat.press("n", "x", "escape", "escape")
        with Store(study) as store:
            assert store.connection.execute("SELECT * FROM draft").fetchall() == []
        await look(seat, "enter")
        assert seat.screen.session.draft.note == "older"


async def test_the_turn_that_was_chosen_is_the_one_that_is_asked(study: Path) -> None:
    async with sit(study) as seat:
        while len(seat.screen.session.current.turns) == 1:  # type: ignore[union-attr]
            await seat.press("3")
        votes = len(log(study))
        await seat.press("3", "4")
        await look(seat, "j", "enter")
        assert seat.screen.session.turn == 1
        assert seat.view("question").text == "First?"
        await seat.press("right_square_bracket")
        assert "comes after your vote" in seat.text("said")
        await seat.press("2")
        with Store(study) as store:
            log_rows = store.connection.execute("SELECT turn, seen FROM vote").fetchall()
        assert log_rows[votes:] == [(1, "tie"), (2, "both_bad"), (1, "right")]


async def test_a_turn_of_the_pair_on_the_screen_is_changed_and_the_next_still_asked(
    study: Path,
) -> None:
    async with sit(study) as seat:
        while len(seat.screen.session.current.turns) == 1:  # type: ignore[union-attr]
            await seat.press("3")
        await seat.press("3")
        assert seat.screen.session.turn == 2
        await look(seat, "enter")
        await seat.press("1")
        session = seat.screen.session
        assert session.turn == 2
        assert session.current is not None
        assert session.current.voted == {1: Seen.LEFT}
        await seat.press("u")
        assert session.current.voted == {1: Seen.TIE}
        assert session.turn == 2


async def test_at_the_end_of_the_queue_the_history_is_open_still(study: Path) -> None:
    async with sit(study) as seat:
        while seat.screen.session.current is not None:
            await seat.press("3")
        await look(seat, "enter")
        await seat.press("1")
        assert "Changed" in seat.text("said")
        assert "Nothing is left" in seat.text("finished")


async def test_undo_brings_back_a_vote_that_was_changed_to_cannot_judge(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("3")
        while "Paragraph" not in seat.view("left").text:
            await seat.press("1")
        before = seat.screen.session.current
        await look(seat, "G", "enter")
        await seat.press("c", "2")
        assert "You cannot judge it" in seat.text("said")
        await seat.press("u")
        assert "“tie” stands again" in seat.text("said")
        assert seat.screen.session.current == before
        assert [seen for seen, _ in log(study)[-3:]] == [None, None, "tie"]


async def test_a_vote_from_another_window_that_is_superseded_is_told(study: Path) -> None:
    async with sit(study) as seat:
        with Store(study) as store:
            other = Session(store, store.annotator("ann"), "local:ann")
            other.open()
            other.vote(Seen.TIE)
            other.close()
        await seat.press("1")
        said = "This pair had your vote “tie” from another window; it now says “A is better”."
        assert said in seat.text("said")
        assert [seen for seen, _ in log(study)] == ["tie", "left"]
        await look(seat, "enter")
        with Store(study) as store:
            Session(store, store.annotator("ann"), "local:ann").undo()
        await seat.press("2")
        assert "“tie” from another window; it now says “B is better”" in seat.text("said")
        await seat.press("3")
        assert "✓ Saved" in seat.text("said")


async def test_a_vote_tells_that_it_replaces_a_cannot_judge_of_another_window(study: Path) -> None:
    async with sit(study) as seat:
        with Store(study) as store:
            other = Session(store, store.annotator("ann"), "local:ann")
            other.open()
            other.decline(store.voting.asked.cannot_judge_reasons[0])
            other.close()
        await seat.press("3")
        said = "“cannot judge” from another window; it now says “tie”."
        assert said in seat.text("said")
        assert [seen for seen, _ in log(study)] == [None, "tie"]


async def test_a_cannot_judge_tells_that_it_replaces_a_vote_of_another_window(study: Path) -> None:
    async with sit(study) as seat:
        with Store(study) as store:
            other = Session(store, store.annotator("ann"), "local:ann")
            other.open()
            other.vote(Seen.LEFT)
            other.close()
        await seat.press("c", "2")
        said = "“A is better” from another window; it now says “cannot judge”."
        assert said in seat.text("said")
        assert [seen for seen, _ in log(study)] == ["left", None]


async def test_undo_says_that_what_was_done_last_was_done_in_another_window(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("1")
        with Store(study) as store:
            other = Session(store, store.annotator("ann"), "local:ann")
            other.open()
            other.vote(Seen.TIE)
            other.close()
        await seat.press("u")
        assert "Not taken back: what you did last, you did in another window." in seat.text("said")
        assert [seen for seen, _ in log(study)] == ["left", "tie"]


async def test_a_change_that_cannot_be_written_leaves_all_as_it_is(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("3")
        await look(seat, "enter")
        there = study.rename(study.with_name("elsewhere.db"))
        await seat.press("1")
        assert "Not saved" in seat.text("said")
        assert seat.screen.session.reopened is not None
        there.rename(study)
        await seat.press("1")
        assert "Changed" in seat.text("said")
        assert len(log(study)) == 2
