"""Reading on the voting screen: jumps, search, differences, lock and layout, at both sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.strip import Strip

from core.errors import Where
from core.records import Answer, Question, Record, Setting
from db.pairs import make
from db.store import Store
from tests.tui.test_annotate import SIZES, Seat, sit
from tests.waiting import comes
from tui.widgets.answer_view import AnswerView
from tui.widgets.find_line import FindLine
from tui.widgets.reader import Reader

PLACES = ("question", "left", "right")


def answer(name: str, filler: str) -> str:
    """Five parts, each a heading, prose of some screens and code."""
    parts = []
    for part in range(1, 6):
        prose = "\n\n".join(f"{filler} sentence {n} of part {part}." for n in range(30))
        parts.append(f"## Part {part} {name}\n\n{prose}\n\n```python\ncode_{part} = {part}\n```")
    return "\n\n".join(parts)


def make_study(path: Path, **settings: object) -> Path:
    """One question of two turns, one pair: ``left`` and ``right`` differ in one word a line."""
    records: list[Record] = [
        Setting(key, value) for key, value in {"dwell_ms": 0, **settings}.items()
    ]
    records.append(Question("q1", ("First?", "And then?"), "maths"))
    for model, filler in (("zebra-9b", "Striped"), ("marmot-1b", "Furry")):
        records.append(Answer("q1", model, (answer(model[0], filler), f"Second {filler}.")))
    with Store(path, create=True) as store:
        store.fix_seed("a fixed seed")
        store.ingest.take((Where("test", n), record) for n, record in enumerate(records))
        make(store, overlap=1)
    return path


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study.db")


def first_line(seat: Seat, name: str) -> str:
    return seat.view(name).render_line(0).text[2:].strip()


def places(seat: Seat) -> list[int]:
    return [seat.view(name).top for name in PLACES]


async def idle(seat: Seat) -> None:
    """Wait until nothing is on its way any more."""
    panes = seat.screen.panes

    def is_idle() -> bool:
        finding, differences = panes._finding, panes._differences
        return (
            (finding is None or finding.complete)
            and (differences is None or differences.complete)
            and all(seat.view(n)._wanted is None and not seat.view(n)._sought for n in PLACES)
            and all(seat.view(n)._coming is None for n in PLACES)
        )

    await seat.pilot.pause(0.01)
    await comes(seat.pilot, is_idle, "still at work")
    await seat.pilot.pause()


async def type_needle(seat: Seat, needle: str) -> None:
    await seat.press("slash", *needle)


@pytest.mark.parametrize("size", SIZES)
async def test_headings_and_code_are_jumped_to_and_back(study: Path, size: tuple[int, int]) -> None:
    async with sit(study, size) as seat:
        for part in (2, 3, 4):
            await seat.press("right_curly_bracket")
            await idle(seat)
            for name in ("left", "right"):
                assert first_line(seat, name).startswith(f"## Part {part}")
        await seat.press("left_curly_bracket")
        assert first_line(seat, "left").startswith("## Part 3")
        await seat.press("j", "left_curly_bracket")
        assert first_line(seat, "left").startswith("## Part 3")
        await seat.press("right_parenthesis")
        assert "python" in first_line(seat, "left")
        await seat.press("right_parenthesis", "left_parenthesis", "left_parenthesis")
        assert "python" in first_line(seat, "right")
        await seat.press("g", "left_parenthesis")
        assert "no further code" in seat.text("said")
        assert places(seat) == [0, 0, 0]
        for _ in range(6):
            await seat.press("right_curly_bracket")
            await idle(seat)
        assert "no further heading" in seat.text("said")
        await seat.press("r", "g", "right_curly_bracket")
        await idle(seat)
        assert first_line(seat, "left").startswith("## Part 2")


async def test_a_jump_moves_only_what_is_aimed_at(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("tab", "right_curly_bracket")
        await idle(seat)
        assert seat.view("left").top > 0
        assert seat.view("right").top == 0


@pytest.mark.parametrize("size", SIZES)
async def test_find_counts_marks_and_goes_round_and_esc_goes_back(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        await seat.press("j", "j", "j")
        before = places(seat)
        await type_needle(seat, "code_2")
        await idle(seat)
        line = seat.screen.query_one(FindLine)
        assert "/ code_2▏" in str(line.content)
        assert "2 found" in str(line.content)
        assert places(seat) == before
        assert seat.standing() == []
        await seat.press("enter")
        await idle(seat)
        assert not line.display
        assert "“code_2”: 1 of 2, in A" in seat.text("said")
        assert "▸│ code_2 = 2" in seat.everything()
        assert seat.view("right").top == before[2]
        await seat.press("greater_than_sign")
        await idle(seat)
        assert "2 of 2, in B" in seat.text("said")
        await seat.press("greater_than_sign")
        assert "1 of 2, in A" in seat.text("said")
        await seat.press("less_than_sign", "enter")
        assert "1 of 2, in A" in seat.text("said")
        await seat.press("escape")
        assert places(seat) == before
        assert "▸│" not in seat.everything()
        await seat.press("greater_than_sign")
        assert "Nothing is searched for" in seat.text("said")


async def test_capitals_in_the_needle_match_capitals_only(study: Path) -> None:
    async with sit(study) as seat:
        await type_needle(seat, "part")
        await idle(seat)
        line = seat.screen.query_one(FindLine)
        assert "310 found" in str(line.content)
        await seat.press("ctrl+u", "P", "a", "r", "t")
        await idle(seat)
        assert "10 found" in str(line.content)
        await seat.press("backspace", "ctrl+w", "escape")
        assert not line.display
        assert seat.text("said") == "Back where you were."


@pytest.mark.parametrize("size", SIZES)
async def test_what_votes_elsewhere_is_typed_and_what_is_pasted_is_inert(
    study: Path, size: tuple[int, int]
) -> None:
    hostile = "1a[/INST][@click=app.quit]\x1b]0;t\x07\u202e\x9b"
    async with sit(study, size) as seat:
        await seat.press("slash", "1", "x", "u", "tab", "f3")
        line = seat.screen.query_one(FindLine)
        assert line.value == "1xu"
        await seat.press("ctrl+u")
        seat.app.post_message(events.Paste(f"{hostile}\nmore"))
        await idle(seat)
        assert line.value == hostile
        shown = seat.everything()
        assert "␛]0;t␇⟨202E⟩⟨009B⟩▏" in shown
        await seat.press("enter")
        shown += seat.everything()
        assert "no found" in seat.text("said")
        assert not [c for c in shown if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0]
        assert "\u202e" not in shown
        assert seat.standing() == []
        assert seat.app.is_running


async def test_keys_behind_the_one_that_opens_the_search_never_vote(study: Path) -> None:
    async with sit(study) as seat:
        for key in ("slash", "1", "r", "n", "2"):
            character = "/" if key == "slash" else key
            seat.app.post_message(events.Key(key, character))
        await seat.settle()
        await idle(seat)
        assert seat.screen.query_one(FindLine).value == "1rn2"
        for key in ("escape", "j"):
            seat.app.post_message(events.Key(key, None))
        await seat.settle()
        assert not seat.screen.query_one(FindLine).display
        assert places(seat) == [0, 1, 1]
        assert not seat.view("left").raw
        assert seat.standing() == []


@pytest.mark.parametrize("size", SIZES)
async def test_differences_are_underlined_and_marked_at_the_edge(
    study: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with sit(study, size) as seat:
        before = places(seat)
        await seat.press("d")
        await idle(seat)
        assert "words only in A" in seat.text("said")
        lines = [seat.view("left").render_line(y) for y in range(seat.view("left").size.height)]
        underlined = {
            text for line in lines for text, style, _ in line if style and style.underline
        }
        assert len(underlined) == 2
        assert underlined < {"z", "m", "Striped", "Furry"}
        for line in lines:
            has_mark = any(word in line.text for word in ("Striped", "Furry", "## Part"))
            assert line.text.startswith("│+") == has_mark
        await seat.press("r")
        await idle(seat)
        assert "│+" in seat.everything()
        await seat.press("r", "d")
        await idle(seat)
        assert "│+" not in seat.everything()
        assert places(seat) == before


async def test_differences_too_long_to_mark_are_said_to_be(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.differences.MOST_WORK", 3)
    async with sit(study) as seat:
        await seat.press("d")
        await idle(seat)
        assert "Too long and too different" in seat.text("said")
        assert "│+" not in seat.everything()


@pytest.mark.parametrize("size", SIZES)
async def test_lock_scrolls_together_and_free_scrolls_alone(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        await seat.pilot._post_mouse_events([events.MouseScrollDown], "#right")
        await seat.pilot.pause()
        assert places(seat) == [0, 3, 3]
        await seat.press("l")
        assert "scrolling A alone" in seat.text("said")
        await seat.press("j")
        assert places(seat) == [0, 4, 3]
        await seat.pilot._post_mouse_events([events.MouseScrollDown], "#right")
        await seat.pilot.pause()
        assert places(seat) == [0, 4, 6]
        await seat.press("l", "j")
        assert "Locked" in seat.text("said")
        assert places(seat) == [0, 5, 7]


@pytest.mark.parametrize("size", SIZES)
async def test_layout_goes_from_side_by_side_to_stacked_to_one_at_a_time(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        half = seat.view("left").size.width
        await seat.press("space")
        at = seat.view("left").place
        await seat.press("y")
        await idle(seat)
        assert "stacked" in seat.text("said")
        left, right = seat.view("left").region, seat.view("right").region
        assert left.width == right.width == size[0]
        assert right.y > left.y
        assert abs(left.height - right.height) <= 1
        await seat.press("y")
        await idle(seat)
        assert "one at a time" in seat.text("said")
        assert seat.screen.query_one("#left-side").display
        assert not seat.screen.query_one("#right-side").display
        await seat.press("z")
        assert "Shown: B" in seat.text("said")
        assert not seat.screen.query_one("#left-side").display
        await seat.press("z", "y")
        await idle(seat)
        assert seat.view("left").size.width == seat.view("right").size.width == half
        assert seat.view("left").place == at


async def test_a_narrow_terminal_stacks_until_somebody_chooses(study: Path) -> None:
    async with sit(study, (60, 24)) as seat:
        assert seat.view("left").size.width == seat.view("right").size.width == 60
        await seat.pilot.resize_terminal(100, 30)
        await seat.pilot.pause()
        assert seat.view("left").size.width == 50
        await seat.press("y", "y")
        await seat.pilot.resize_terminal(60, 24)
        await seat.pilot.pause()
        assert not seat.screen.query_one("#right-side").display


@pytest.mark.parametrize("size", SIZES)
async def test_a_match_out_of_sight_is_brought_into_it(study: Path, size: tuple[int, int]) -> None:
    async with sit(study, size) as seat:
        await seat.press("z", "z")
        await type_needle(seat, "code_4")
        await seat.press("enter")
        await idle(seat)
        assert seat.screen.query_one("#left-side").display
        assert "▸│ code_4 = 4" in seat.everything()


@pytest.mark.parametrize("size", SIZES)
async def test_the_place_survives_turns_modals_search_and_resize(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    study = make_study(tmp_path / "study.db", vote_per="conversation", guidelines="# Be *fair*")
    async with sit(study, size) as seat:
        await seat.press("space", "space", "j")
        before = places(seat)
        await seat.press("e")
        assert isinstance(seat.app.screen, Reader)
        assert "# Be fair" in seat.everything()
        await seat.press("escape", "question_mark", "escape")
        assert places(seat) == before
        await seat.press("right_square_bracket")
        assert seat.view("question").text == "And then?"
        assert places(seat) == [0, 0, 0]
        await seat.press("left_square_bracket")
        assert places(seat) == before
        await type_needle(seat, "code_5")
        await seat.press("enter")
        await idle(seat)
        assert places(seat) != before
        await seat.press("right_square_bracket", "left_square_bracket")
        await idle(seat)
        assert places(seat) == before
        line = first_line(seat, "left")
        await seat.pilot.resize_terminal(size[0] + 20, size[1])
        await idle(seat)
        await seat.pilot.resize_terminal(*size)
        await idle(seat)
        assert first_line(seat, "left") == line


async def test_no_guidelines_are_said_to_be_none(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("e")
        assert "no guidelines" in seat.text("said")


async def test_a_vote_shows_the_next_turn_unmarked_from_its_start(study: Path) -> None:
    async with sit(study) as seat:
        await type_needle(seat, "code_3")
        await seat.press("enter", "d", "1")
        await idle(seat)
        assert places(seat) == [0, 0, 0]
        assert seat.view("question").text == "And then?"
        assert "✓ Saved" in seat.text("said")
        assert "│+" not in seat.everything()
        await seat.press("left_square_bracket")
        assert places(seat) == [0, 0, 0]
        assert "▸│ code_3" not in seat.everything()
        assert len(seat.standing()) == 1


async def test_a_megabyte_is_searched_without_holding_up_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.db"
    long = ("some words of an answer that is long\n\n" * (1 << 15))[: 1 << 20] + "\n\nneedle"
    records: list[Record] = [Setting("dwell_ms", 0), Question("q1", ("First?",))]
    records += [Answer("q1", model, (long,)) for model in ("zebra-9b", "marmot-1b")]
    with Store(path, create=True) as store:
        store.fix_seed("a fixed seed")
        store.ingest.take((Where("test", n), record) for n, record in enumerate(records))
        make(store, overlap=1)
    counts: list[str] = []
    tell = FindLine.tell

    def told(line: FindLine, count: str) -> None:
        counts.append(count)
        tell(line, count)

    monkeypatch.setattr(FindLine, "tell", told)
    async with sit(path) as seat:
        await seat.press("slash")
        seat.app.post_message(events.Paste("words of"))
        await idle(seat)
        numbers = [int(count.split(": ")[1].split()[0].replace("no", "0")) for count in counts]
        assert len(numbers) > 5
        assert numbers == sorted(numbers)
        assert numbers[-1] == 2 * long.count("words of")
        assert [count.endswith("…") for count in counts] == [True] * (len(counts) - 1) + [False]
        await seat.press("enter", "less_than_sign")
        assert f"{numbers[-1]} of {numbers[-1]}, in B" in seat.text("said")
        await seat.press("escape")
        assert places(seat) == [0, 0, 0]


@pytest.mark.parametrize("size", [(80, 24), (121, 40)])
@pytest.mark.parametrize("zooms", [1, 2])
async def test_no_frame_of_the_next_pair_is_laid_out_for_the_zoomed_pane(
    tmp_path: Path, size: tuple[int, int], zooms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[Record] = [Setting("dwell_ms", 0)]
    for number in range(3):
        records.append(Question(f"q{number}", (f"Number {number}?",)))
        records += [Answer(f"q{number}", m, (answer(m, "Furry " * 40),)) for m in ("z", "m")]
    with Store(tmp_path / "study.db", create=True) as store:
        store.ingest.take((Where("test", n), record) for n, record in enumerate(records))
        make(store, overlap=1)
    wrong: list[tuple[str | None, int, int]] = []
    paint = AnswerView.render_line

    def watched(view: AnswerView, y: int) -> Strip:
        shown, fitting = view._rendered.width, view.size.width - 3
        if shown != fitting:
            wrong.append((view.id, shown, fitting))
        return paint(view, y)

    monkeypatch.setattr(AnswerView, "render_line", watched)
    async with sit(tmp_path / "study.db", size) as seat:
        await seat.press(*["z"] * zooms)
        await idle(seat)
        coming = dict(seat.screen._coming)
        assert set(coming) == set(PLACES)
        await seat.press("1")
        await idle(seat)
        assert len(seat.standing()) == 1
        for name in ("left", "right"):
            assert seat.view(name)._rendered is coming[name]
        assert [view.size.width for view in map(seat.view, ("left", "right"))] == [
            size[0] // 2,
            size[0] - size[0] // 2,
        ]
        assert wrong == []
