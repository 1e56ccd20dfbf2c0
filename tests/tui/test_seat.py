"""What makes a long day at the screen bearable: own keys, themes, mouse, pace, breaks, resizing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.color import ColorType
from rich.style import Style
from textual.color import Color
from textual.events import Key, MouseScrollDown
from textual.widgets import Static, TextArea

from core.errors import Where
from core.records import Answer, Question, Record, Setting
from db.pairs import make
from db.store import Store
from tests.studies import rows
from tests.tui.test_annotate import LONG, SIZES, Seat, begun, make_study
from tui.actions import ANNOTATE
from tui.app import TiebreakApp, Who
from tui.attention import IDLE_AFTER
from tui.keymap import LAYOUTS
from tui.preferences import load
from tui.rendering import STYLES
from tui.status import fitted, forms_of
from tui.themes import THEMES
from tui.widgets.find_line import FindLine
from tui.widgets.pause import Paused
from tui.widgets.reader import Reader
from tui.widgets.too_small import TooSmall


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study.db")


@asynccontextmanager
async def sit(study: Path, size: tuple[int, int] = (120, 40), **stored: Any) -> AsyncIterator[Seat]:
    preferences = load(stored=stored, environ={})
    app = TiebreakApp(study, Who("ann", "local:ann"), preferences=preferences)
    async with app.run_test(size=size) as pilot:
        seat = Seat(app, pilot)
        await begun(seat)
        await seat.settle()
        yield seat
    app.store.close()


def one_turn_study(
    path: Path, answer: str, pairs: int = 30, question: str = "Why?", **settings: object
) -> Path:
    records: list[Record] = [Setting(k, v) for k, v in {"dwell_ms": 0, **settings}.items()]
    for number in range(pairs):
        records.append(Question(f"q{number}", (question,), "prose"))
        records += [Answer(f"q{number}", model, (answer,)) for model in ("m1", "m2")]
    with Store(path, create=True) as store:
        store.ingest.take((Where("test", n), record) for n, record in enumerate(records))
        make(store)
    return path


# ── keys ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", SIZES)
async def test_chosen_keys_vote_and_stand_in_footer_help_and_messages(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size, layout="left-hand", keys={"pair.undo": "y"}) as seat:
        shown = seat.everything()
        for words in ("q A is better", "r both bad", "y undo", "c note", "F1 help"):
            assert words in shown
        assert "Press F1 for help" in shown
        await seat.press("1", "a", "x")
        assert seat.standing() == []
        await seat.press("r")
        assert [choice for _, choice in seat.standing()] == ["both_bad"]
        assert "y takes it back" in seat.text("said")
        await seat.press("y")
        assert seat.standing() == []
        await seat.press("f1")
        assert isinstance(seat.app.screen, Reader)
        for action in seat.app.preferences.keymap.table(ANNOTATE):
            assert f"`{action.shown_keys()}`" in seat.app.screen._text
        await seat.press("q")
        assert seat.app.screen is seat.screen


@pytest.mark.parametrize("size", SIZES)
async def test_the_search_opens_on_the_chosen_key_and_takes_every_other(
    study: Path, size: tuple[int, int]
) -> None:
    chosen = {"read.find": "o", "read.next_match": ["0", "enter"], "read.end_find": "9"}
    async with sit(study, size, layout="left-hand", keys=chosen) as seat:
        await seat.press("0")
        assert "o begins" in seat.text("said")
        for key in ("o", *"qwer4F"):
            seat.app.post_message(Key(key, key))
        await seat.settle()
        line = seat.screen.query_one(FindLine)
        assert line.value == "qwer4F"
        await seat.press("ctrl+u", *"paragraph", "enter")
        await seat.says("0 next · Z previous · 9 back")
        assert not line.display
        before = seat.text("said")
        await seat.press("0")
        assert seat.text("said") != before
        await seat.press("9")
        assert "Back where you were" in seat.text("said")
        await seat.press("slash")
        assert not line.display
        assert seat.standing() == []


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_every_reading_key_of_a_layout_does_what_it_says(study: Path, layout: str) -> None:
    async with sit(study, layout=layout) as seat:
        keymap = seat.app.preferences.keymap
        says = {
            "read.differences": "only in",
            "read.arrange": "stacked",
            "read.lock": "Free: scrolling A alone; Tab goes on",
            "read.guidelines": "no guidelines",
            "read.next_match": "Nothing is searched for",
            "read.previous_heading": "no further heading",
            "read.previous_code": "no further code",
        }
        for action, words in says.items():
            await seat.press(keymap.bound[action].keys[0])
            await seat.says(words)
        assert seat.standing() == []


@pytest.mark.parametrize("size", SIZES)
async def test_settings_not_taken_are_told_at_the_start_and_in_full_in_the_help(
    study: Path, size: tuple[int, int]
) -> None:
    chosen = {"theme": "[@click=app.quit]x[/]", "keys": {"vote.a": "ctrl+m"}}
    async with sit(study, size, **chosen) as seat:
        said = seat.text("said")
        assert "no theme is called" in said
        assert said.endswith("? shows all")
        assert len(said) <= size[0] - 2
        assert seat.screen.query_one("#said").has_class("-warning")
        await seat.press("question_mark")
        text = seat.everything()
        assert "[@click=app.quit]x[/]" in text
        assert "cannot tell it" in text
        await seat.press("escape", "1")
        assert len(seat.standing()) == 1


# ── themes ──────────────────────────────────────────────────────────────────


def painted(seat: Seat) -> list[Style]:
    """Every style that is painted now, after all filters."""
    strips = seat.app.screen._compositor.render_strips()
    return [segment.style for strip in strips for segment in strip if segment.style is not None]


def contrast(style: Style) -> float:
    assert style.color is not None
    assert style.bgcolor is not None
    fore, back = (Color.from_rich_color(color) for color in (style.color, style.bgcolor))
    light, dark = sorted((_luminance(fore), _luminance(back)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized
    )
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), channels, strict=True))


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_every_style_of_an_answer_is_readable_in(study: Path, theme: str) -> None:
    async with sit(study, theme=theme) as seat:
        assert seat.app.theme == theme
        assert _luminance(seat.screen.background_colors[1]) < 0.1 or theme == "light"
        assert _luminance(seat.screen.background_colors[1]) > 0.6 or theme == "dark"
        view = seat.view("left")
        await seat.press("j")
        base = view.palette.base
        for name in STYLES:
            style = base + view._component(name)
            least = 3.0 if name in ("bar", "bullet") else 4.5
            assert contrast(style) >= least, f"{name}: {contrast(style):.1f}"
        await seat.press("f", "1", "tab")
        for strip in seat.app.screen._compositor.render_strips():
            for text, style, _ in strip:
                if style is not None and text.strip(" │"):
                    assert contrast(style) >= 4.5, text


async def test_the_ansi_theme_paints_with_16_colours_only(study: Path) -> None:
    answer = "# Head\n\n**bold** `code` [link](u) > q\n\n```python\nx = 'a'  # 1\n```\n\n- a\n\n$x$"
    study = one_turn_study(study.with_name("ansi.db"), answer)
    async with sit(study, theme="ansi") as seat:
        await seat.press("f", "n", "x", "escape")
        colours = [c for s in painted(seat) for c in (s.color, s.bgcolor) if c is not None]
        assert {c.type for c in colours} <= {ColorType.DEFAULT, ColorType.STANDARD}
        assert ColorType.STANDARD in {c.type for c in colours}


@pytest.mark.parametrize("size", SIZES)
async def test_one_key_takes_the_next_theme_for_the_session(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        seen, texts = [seat.app.theme], {seat.view("left").text}
        grounds = {str(seat.view("left").rich_style.bgcolor)}
        for _ in THEMES:
            await seat.press("comma")
            assert f"Theme: {seat.app.theme}" in seat.everything()
            seen.append(seat.app.theme)
            grounds.add(str(seat.view("left").rich_style.bgcolor))
            texts.add(seat.view("left").text)
        assert seen == ["dark", "light", "ansi", "dark"]
        assert len(grounds) == 3
        assert len(texts) == 1
        await seat.press("comma", "1")
        assert seat.app.theme == "light"


@pytest.mark.parametrize(("said", "size"), [("", SIZES[0]), ("1", SIZES[1])])
async def test_no_color_paints_no_colour_and_every_state_is_readable(
    study: Path, said: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", said)
    study = make_study(study.with_name("slow.db"), dwell_ms=10_000)
    async with sit_hastily(study, size) as seat:
        states = [("tab", "▸ A"), ("f", "⚑ flagged"), ("1", "Not saved"), ("comma", "NO_COLOR")]
        for key, words in states:
            await seat.pilot.press(key)
            await seat.pilot.pause(0.02)
            assert words in seat.everything()
            for style in painted(seat):
                for colour in (style.color, style.bgcolor):
                    assert colour is None or colour.type is ColorType.DEFAULT
        assert "  B" in seat.text("right-title")
        await seat.pilot.press("1")
        await seat.pilot.pause(0.02)
        assert any(style.reverse for style in painted(seat)), "a warning stands out by its shape"
        seat.screen.session._quiet_until = 0.0
        await seat.pilot.press("1")
        await seat.pilot.pause(0.02)
        assert "✓ Saved" in seat.everything()
        assert not any(style.reverse for style in painted(seat))
        await seat.pilot.press("n", "x")
        await seat.pilot.pause(0.05)
        seat.app.screen.query_one(TextArea).cursor_blink = False
        await seat.pilot.pause(0.02)
        assert any(style.reverse for style in painted(seat)), "the cursor is seen"


@asynccontextmanager
async def sit_hastily(study: Path, size: tuple[int, int]) -> AsyncIterator[Seat]:
    """Sit where every vote is too early until a test says otherwise."""
    app = TiebreakApp(study, Who("ann", "local:ann"))
    async with app.run_test(size=size) as pilot:
        seat = Seat(app, pilot)
        await begun(seat)
        yield seat
    app.store.close()


# ── mouse ───────────────────────────────────────────────────────────────────


def place(seat: Seat, widget: str, words: str) -> tuple[int, int]:
    """Where words stand in a one-line widget, from its corner."""
    return 1 + seat.text(widget).index(words), 0


@pytest.mark.parametrize("size", [*SIZES, (40, 12)])
async def test_a_click_on_a_vote_votes(study: Path, size: tuple[int, int]) -> None:
    async with sit(study, size) as seat:
        for number, seen in ((1, "left"), (2, "right"), (3, "tie"), (4, "both_bad")):
            await seat.pilot.click("#votes", offset=place(seat, "votes", f"{number} "))
            await seat.settle()
            query = "SELECT seen FROM vote ORDER BY seq DESC"
            assert rows(study, query)[0] == (seen,)
        assert len(seat.standing()) == 4


@pytest.mark.parametrize("size", SIZES)
async def test_a_click_between_two_votes_votes_for_neither(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        end = place(seat, "votes", "2 ")[0] - 1
        await seat.pilot.click("#votes", offset=(end, 0))
        await seat.pilot.click("#votes", offset=(size[0] - 1, 0))
        assert seat.standing() == []


@pytest.mark.parametrize("size", SIZES)
async def test_a_click_aims_at_a_pane_and_the_footer_acts(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        for widget, title in (("left", "left"), ("right-title", "right"), ("question", "question")):
            await seat.pilot.click(f"#{widget}")
            aimed = [n for n in ("question", "left", "right") if "▸" in seat.text(f"{n}-title")]
            assert aimed == [title]
        await seat.pilot.click("#question")
        assert "▸" in seat.text("left-title")
        assert "▸" in seat.text("right-title")
        await seat.pilot.click("#keys", offset=place(seat, "keys", "f flag"))
        assert "⚑ flagged" in seat.text("status")
        await seat.pilot.click("#keys", offset=place(seat, "keys", "? help"))
        await seat.pilot.pause(0.05)
        assert isinstance(seat.app.screen, Reader)
        bar = seat.app.screen.query("KeyBar").first(Static)
        await seat.pilot.click(bar, offset=(1, 0))
        await seat.pilot.pause(0.05)
        assert seat.app.screen is seat.screen


@pytest.mark.parametrize("size", SIZES)
async def test_a_vote_clicked_during_a_search_ends_it(study: Path, size: tuple[int, int]) -> None:
    async with sit(study, size) as seat:
        await seat.press("slash", "p")
        await seat.pilot.click("#votes", offset=place(seat, "votes", "1 "))
        await seat.settle()
        assert not seat.screen.query_one(FindLine).display
        assert "✓ Saved" in seat.text("said")
        assert len(seat.standing()) == 1
        await seat.press("2")
        assert len(seat.standing()) == 2


async def test_nothing_in_a_foreign_text_can_be_clicked(study: Path) -> None:
    hostile = "[@click=app.quit]quit[/]\n\n[link](http://x.example)\n\n<http://x.example>\n\n" * 9
    study = one_turn_study(study.with_name("hostile.db"), hostile, name="[@click=app.quit]study[/]")
    async with sit(study) as seat:
        for widget in ("#left", "#status"):
            for y in range(min(5, seat.screen.query_one(widget).size.height)):
                for x in (3, 8):
                    await seat.pilot.click(widget, offset=(x, y))
        assert not seat.app._exit
        assert seat.standing() == []
        metas = [meta for style in painted(seat) for meta in style.meta]
        assert not [meta for meta in metas if meta.startswith("@")]
        assert not [style for style in painted(seat) if style.link]


# ── pace and breaks ─────────────────────────────────────────────────────────


def test_progress_in_words() -> None:
    with_pace = forms_of(progress(12, 72), 45.0)
    assert with_pace[0] == "12 done, 72 left · 45 s each · about 54 min"
    assert with_pace[1:] == ("12 done, 72 left · about 54 min", "12 done, 72 left")
    assert forms_of(progress(0, 9), None) == ("0 done, 9 left",)
    assert forms_of(progress(9, 0), 45.0) == ("9 done, 0 left",)
    assert "150.0 s" not in (long := forms_of(progress(3, 100), 150.0)[0])
    assert long.endswith("2.5 min each · about 4 h 10 min")
    assert forms_of(progress(1, 2000), 60.0)[0].endswith("about 33 h")


def progress(done: int, left: int) -> Any:
    from db.serving import Progress

    return Progress(done, 0, left)


def test_a_line_gives_up_what_matters_least_first() -> None:
    parts = {"a": ["aaaa", "aa"], "b": ["bbbb", ""], "c": ["cc"]}
    assert fitted(parts, ("b", "a"), 99) == "aaaa  │  bbbb  │  cc"
    assert fitted(parts, ("b", "a"), 12) == "aaaa  │  cc"
    assert fitted(parts, ("b", "a"), 10) == "aa  │  cc"
    assert fitted(parts, ("b", "a"), 1) == "aa  │  cc"


@pytest.mark.parametrize("size", SIZES)
async def test_the_pace_follows_active_seconds(study: Path, size: tuple[int, int]) -> None:
    study = one_turn_study(study.with_name("pace.db"), "Short.")
    async with sit(study, size) as seat:
        now = 1000.0
        seat.screen.session.active._monotonic = lambda: now
        for seconds in (20.0, 40.0, 60.0):
            assert "each" not in seat.text("status")
            seat.screen.session.active.restart()
            now += seconds
            await seat.press("1")
        assert "3 done, 27 left · 40 s each · about 18 min" in seat.text("status")
        seat.screen.session.active.restart()
        await seat.press("u")
        assert "each" not in seat.text("status")


@pytest.mark.parametrize("size", SIZES)
async def test_a_pause_hides_the_pair_and_stops_the_clock(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        session = seat.screen.session
        now = 1000.0
        session.active._monotonic = lambda: now
        session.active.restart()
        now += 30
        await seat.press("p")
        assert isinstance(seat.app.screen, Paused)
        shown = seat.everything()
        assert "Paused: the clock is stopped" in shown
        assert "Paragraph" not in shown
        assert "only one" not in shown.lower()
        now += 50_000
        await seat.press("1")
        assert seat.app.screen is seat.screen
        assert seat.standing() == []
        now += 10
        await seat.press("1")
        with Store(study) as store:
            ((vote, _),) = store.reading.votes()
        assert vote.active_seconds == pytest.approx(40.0)


async def test_keys_pasted_into_a_pause_vote_for_nothing(study: Path) -> None:
    study = make_study(study.with_name("slow.db"), dwell_ms=400)
    async with sit(study) as seat:
        seat.screen.session._monotonic = lambda: 1e9  # all of this happens within a moment
        await seat.press("p")
        await seat.pilot.press("x", "1", "1")
        assert seat.standing() == []
        assert "Not saved" in seat.text("said")
        await seat.pilot.press("p")
        assert isinstance(seat.app.screen, Paused)
        await seat.pilot.click(offset=(5, 5))
        assert seat.app.screen is seat.screen


async def test_idle_time_is_no_active_time(study: Path) -> None:
    study = one_turn_study(study.with_name("long.db"), LONG)
    async with sit(study) as seat:
        now = 1000.0
        active = seat.screen.session.active
        active._monotonic = lambda: now
        active.restart()
        now += 10_000
        await seat.pilot.click("#left")
        now += 50
        await seat.pilot._post_mouse_events([MouseScrollDown], "#left")
        now += 50
        assert active.seconds() == pytest.approx(IDLE_AFTER + 100)


# ── resizing ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", SIZES)
async def test_any_size_at_any_moment(study: Path, size: tuple[int, int]) -> None:
    study = one_turn_study(study.with_name("long.db"), LONG, name="A study with a long name")
    async with sit(study, size) as seat:
        await seat.press("space", "space", "f")
        before = seat.view("left").position
        await resize(seat, 40, 12)
        shown = seat.everything()
        for words in ("0 done, 30 left", "⚑ flagged", "1 A", "4 bad", "? help", "Ctrl+Q quit"):
            assert words in shown
        assert seat.view("left").size.height >= 2
        await seat.press("n")
        await resize(seat, 30, 8)
        assert isinstance(seat.app.screen, TooSmall)
        assert "Too small: 30×8" in seat.everything()
        await seat.press("1", "escape", "2")
        assert seat.standing() == []
        await resize(seat, *size)
        assert not isinstance(seat.app.screen, TooSmall)
        await seat.press("h", "i", "escape")
        assert seat.screen.session.draft.note == "hi"
        await seat.settle()
        assert seat.view("left").position == before
        assert seat.screen.size == size
        await seat.press("1")
        assert len(seat.standing()) == 1


async def test_a_window_that_is_too_small_from_the_start_says_so(study: Path) -> None:
    async with sit_hastily(study, (30, 8)) as seat:
        assert isinstance(seat.app.screen, TooSmall)
        await resize(seat, 80, 24)
        assert "A is better" in seat.everything()
        await seat.settle()
        await seat.press("1")
        assert len(seat.standing()) == 1


async def resize(seat: Seat, columns: int, rows: int) -> None:
    await seat.pilot.resize_terminal(columns, rows)
    await seat.pilot.pause(0.15)
