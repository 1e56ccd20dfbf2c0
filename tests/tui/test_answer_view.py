"""The pane an answer is read in: it keeps the place, works ahead quietly, and runs nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.filter import LineFilter
from textual.pilot import Pilot

from tests.waiting import comes
from tui.inert import Inert
from tui.rendering import Rendered
from tui.widgets.answer_view import AnswerView

SIZES = [(80, 24), (120, 40)]
LONG = "\n\n".join(
    f"Paragraph {n} " + " ".join(f"word{n}x{m}" for m in range(n % 40 + 10)) for n in range(300)
)
MIB = 1 << 20


class Reader(App[None]):
    """Two views side by side, and what they reported."""

    ENABLE_COMMAND_PALETTE = False
    CSS = "Horizontal { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.scrolled: list[tuple[str | None, int, bool]] = []

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield AnswerView(id="left")
            yield AnswerView(id="right")

    def get_line_filters(self) -> list[LineFilter]:
        return [Inert(), *super().get_line_filters()]

    def on_answer_view_scrolled(self, message: AnswerView.Scrolled) -> None:
        self.scrolled.append((message.view.id, message.offset, message.at_end))

    @property
    def left(self) -> AnswerView:
        return self.query_one("#left", AnswerView)


def seen(view: AnswerView) -> list[str]:
    """What the pane shows, without its edge."""
    lines = [view.render_line(y).text for y in range(view.size.height)]
    assert all(line.startswith("│ ") for line in lines)
    return [line[2:].rstrip() for line in lines]


async def settled(pilot: Pilot[None], view: AnswerView) -> None:
    """Wait until the view has nothing left to lay out."""
    await pilot.pause(0.01)
    await comes(
        pilot,
        lambda: view._coming is None and view._has_enough(),
        "the view did not finish its layout",
    )


@pytest.mark.parametrize("size", SIZES)
async def test_a_text_is_shown_from_its_start_in_strips_that_fill_the_pane(
    size: tuple[int, int],
) -> None:
    app = Reader()
    async with app.run_test(size=size) as pilot:
        app.left.show("# Hello\n\nsome **bold** words")
        await pilot.pause()
        assert seen(app.left)[:3] == ["# Hello", "", "some bold words"]
        assert set(seen(app.left)[3:]) == {""}
        for y in range(app.left.size.height):
            assert app.left.render_line(y).cell_length == app.left.size.width == size[0] // 2
        assert app.left.text == "# Hello\n\nsome **bold** words"
        assert (app.left.position, app.left.at_end) == ("end", True)
        assert app.scrolled[-1] == ("left", 0, True)


async def test_scrolling_goes_where_it_is_sent_and_no_further() -> None:
    app = Reader()
    async with app.run_test(size=(80, 24)) as pilot:
        view = app.left
        view.show(LONG)
        first = seen(view)
        assert view.position == "0%"
        view.scroll_by(3)
        assert seen(view)[:21] == first[3:]
        view.page(1)
        assert view.top == 3 + 22
        view.page(-1)
        view.scroll_by(-100)
        assert view.top == 0
        await settled(pilot, view)
        view._rendered.ensure(10_000)  # all of it: how long that takes is no matter here
        app.scrolled.clear()
        view.to_end()
        assert view.top == view._rendered.height - 24
        assert seen(view)[-1].endswith("word299x28")
        assert view.position == "end"
        view.scroll_by(5)
        view.page(1)
        assert view.top == view._rendered.height - 24
        view.scroll_by(-1)
        assert (view.at_end, view.position) == (False, "99%")
        view.to_start()
        assert seen(view) == first
        await pilot.pause()
        end = view._rendered.height - 24
        assert app.scrolled == [("left", end, True), ("left", end - 1, False), ("left", 0, False)]


async def test_scrolling_does_not_animate() -> None:
    app = Reader()
    async with app.run_test(size=(80, 24)) as pilot:
        app.left.show(LONG)
        await pilot.pause()
        for move in (app.left.to_end, lambda: app.left.page(-1), app.left.to_start):
            move()
            assert not app.animator.is_being_animated(app.left, "top")
            assert not app.animator.is_being_animated(app.left, "scroll_y")
        assert not app.left.show_vertical_scrollbar
        assert app.left.virtual_size == app.left.size


async def test_the_wheel_scrolls_the_view_under_it() -> None:
    app = Reader()
    async with app.run_test(size=(80, 24)) as pilot:
        for view in app.query(AnswerView):
            view.show(LONG)
        await pilot.pause()
        await pilot._post_mouse_events([events.MouseScrollDown], "#right", times=2)
        assert [view.top for view in app.query(AnswerView)] == [0, 6]
        await pilot._post_mouse_events([events.MouseScrollUp], "#right")
        assert [view.top for view in app.query(AnswerView)] == [0, 3]


async def test_a_resize_keeps_the_place() -> None:
    app = Reader()
    async with app.run_test(size=(120, 40)) as pilot:
        view = app.left
        view.show(LONG)
        view.scroll_by(500)
        await settled(pilot, view)
        before = seen(view)
        word = before[0].split()[0]
        for width, height in ((80, 24), (200, 50), (60, 20), (120, 40)):
            await pilot.resize_terminal(width, height)
            await settled(pilot, view)
            assert word in seen(view)[0].split()
        assert seen(view) == before


async def test_a_resize_at_the_start_and_at_the_end_stays_inside_the_text() -> None:
    app = Reader()
    async with app.run_test(size=(60, 20)) as pilot:
        view = app.left
        view.show(LONG)
        await settled(pilot, view)
        view.to_end()
        await pilot.resize_terminal(160, 50)
        await settled(pilot, view)
        assert view.at_end
        assert seen(view)[-1].endswith("word299x28")
        view.to_start()
        await pilot.resize_terminal(60, 20)
        assert view.top == 0


async def test_the_source_is_one_call_away_at_the_same_place() -> None:
    text = LONG + "\n\n## A **late** heading\n\n" + LONG
    app = Reader()
    async with app.run_test(size=(80, 24)) as pilot:
        view = app.left
        view.show(text)
        await settled(pilot, view)
        at = next(y for y in range(9999) if "late" in view._rendered.line(y).text)
        view.scroll_by(at)
        assert seen(view)[0] == "## A late heading"
        view.toggle_raw()
        await settled(pilot, view)
        assert seen(view)[0] == "## A **late** heading"
        view.toggle_raw()
        await settled(pilot, view)
        assert seen(view)[0] == "## A late heading"


async def test_the_first_screen_of_a_megabyte_needs_no_more_work_than_it_shows() -> None:
    app = Reader()
    async with app.run_test(size=(120, 40)) as pilot:
        coming = app.left.prepare((LONG * 30)[:MIB])
        app.left.show(coming)
        assert coming.blocks <= 41
        assert coming.height == 41
        assert not coming.complete
        assert app.left.position == "0%"
        assert seen(app.left)[0].startswith("Paragraph 0")
        await pilot.pause()


async def test_the_rest_is_laid_out_while_nothing_else_happens_and_paints_nothing() -> None:
    app = Reader()
    async with app.run_test(size=(80, 24)) as pilot:
        view = app.left
        view.show(LONG)
        await pilot.pause()
        painted = 0
        paint = view.render_line

        def count(y: int) -> object:
            nonlocal painted
            painted += 1
            return paint(y)

        view.render_line = count  # type: ignore[assignment, method-assign]
        await settled(pilot, view)
        assert painted == 0
        view.refresh()
        await pilot.pause()
        assert painted == 24


async def test_the_end_of_a_long_text_is_reached_as_soon_as_it_is_laid_out() -> None:
    app = Reader()
    async with app.run_test(size=(80, 24)) as pilot:
        view = app.left
        view.show(LONG * 6 + "\n\nthe last line")
        view.to_end()
        await settled(pilot, view)
        await comes(pilot, lambda: view.at_end)
        assert seen(view)[-1] == "the last line"


async def test_a_rendering_made_ahead_is_shown_as_it_is_or_made_anew() -> None:
    app = Reader()
    async with app.run_test(size=(80, 24)) as pilot:
        ahead = app.left.prepare(LONG)
        while not ahead.advance(1):
            pass
        app.left.scroll_by(9)
        app.left.show(ahead)
        assert app.left._rendered is ahead
        assert app.left.top == 0
        other = Rendered("of another width", 11)
        app.left.show(other)
        assert seen(app.left)[0] == "of another width"
        await pilot.pause()


async def test_a_text_can_be_shown_before_the_view_has_a_size() -> None:
    class Early(Reader):
        def compose(self) -> ComposeResult:
            view = AnswerView(id="left")
            view.show("early *text* " + "that is wider than ten cells")
            yield view

    app = Early()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert seen(app.left)[0] == "early text that is wider than ten cells"


@pytest.mark.parametrize("size", [(80, 24), (12, 3), (5, 1)])
@pytest.mark.parametrize(
    "text",
    [
        "[@click=app.quit]quit[/] [bold]b[/bold] [/INST] [docs](http://evil)",
        "\x1b[2J\x1b]52;c;aGk=\x07\x9b31m \u202eevil\u202c \ud800",
        "```\n\x1b]0;t\x07[@click=app.quit]x[/]\n```",
        "",
    ],
)
async def test_a_hostile_text_runs_nothing_at_any_size(text: str, size: tuple[int, int]) -> None:
    app = Reader()
    async with app.run_test(size=size) as pilot:
        app.left.show(text)
        await pilot.pause()
        await pilot.click("#left", offset=(3, 0))
        await pilot.pause()
        assert app.is_running
        screen = "".join(seen(app.left))
        assert not [c for c in screen if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c == "\u202e"]
        for y in range(app.left.size.height):
            for _, style, _ in app.left.render_line(y):
                assert style is None or (not style.link and "@click" not in style.meta)
        if size == (80, 24) and text.startswith("["):
            assert "".join(screen.split()).startswith(
                "[@click=app.quit]quit[/][bold]b[/bold][/INST]"
            )


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark"])
async def test_a_theme_changes_the_styles_and_not_the_layout(theme: str) -> None:
    app = Reader()
    async with app.run_test(size=(80, 24)) as pilot:
        app.theme = "nord"
        app.left.show("# Head\n\n**bold** `code`\n\n```python\nreturn 1\n```")
        await pilot.pause()
        before, styles = seen(app.left), [list(app.left.render_line(y)) for y in range(6)]
        app.theme = theme
        await pilot.pause()
        assert seen(app.left) == before
        assert [list(app.left.render_line(y)) for y in range(6)] != styles
        bold = {t: s for y in range(6) for t, s, _ in app.left.render_line(y)}["bold"]
        assert bold is not None
        assert bold.bold


async def test_without_colour_every_kind_of_block_can_still_be_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Reader()
    async with app.run_test(size=(80, 24)) as pilot:
        app.left.show("# Head\n\n> quote\n\n- item\n\n```\ncode\n```\n\n`x` ~~y~~ [t](u)")
        await pilot.pause()
        text = [line for line in seen(app.left) if line]
        assert text == ["# Head", "▌ quote", "• item", "│ code", "`x` ~~y~~ [t](u)"]


async def test_real_answers_are_shown_whole() -> None:
    path = Path(__file__).parents[2] / "../shared/data/mt_bench/model_answer/gpt-4.jsonl"
    if not path.exists():
        pytest.skip(f"no MT-bench answers at {path}")
    app = Reader()
    async with app.run_test(size=(120, 40)) as pilot:
        for line in path.read_text("utf-8").splitlines():
            for text in json.loads(line)["choices"][0]["turns"]:
                rendered = app.left.prepare(text)
                while not rendered.advance(1):
                    pass
                shown = "".join(rendered.line(y).text for y in range(rendered.height))
                assert "".join(filter(str.isalnum, text)) == "".join(filter(str.isalnum, shown))
        await pilot.pause()


STRUCTURED = "\n\n".join(
    f"## Part {n}\n\nSome **bold** prose of part {n} with `code`, and words that go on.\n\n"
    f"- item *one*\n- item two\n\n| a | b |\n|---|---|\n| {n} | x |\n\n"
    f"```python\ndef f_{n}(x):\n\n    return x + {n}\n```"
    for n in range(1200)
)


def whole(view: AnswerView) -> list[str]:
    """All rows of the view's text at its width, laid out from the beginning."""
    rendered = Rendered(view.text, view.size.width - 3)
    rendered.ensure(10**9)
    return [rendered.line(y).text.rstrip() for y in range(rendered.height)]


async def test_the_end_of_a_structured_text_is_seen_at_once_and_read_back_from() -> None:
    app = Reader()
    async with app.run_test(size=(120, 40)) as pilot:
        view = app.left
        assert len(STRUCTURED) > 180_000
        view.show(STRUCTURED)
        rows = whole(view)
        view.to_end()
        assert (view.position, view.at_end) == ("end", True)
        assert seen(view) == rows[-40:]
        view.jump("heading", -1)
        assert seen(view)[0].startswith("## Part 119")
        for pages in range(1, 12):
            view.to_end()
            for _ in range(pages):
                view.page(-1)
            end = len(rows) - 38 * pages
            assert seen(view) == rows[end - 40 : end]
        assert view._coming is not None  # all of that before the rest was laid out
        view._coming.ensure(10**9)
        before = seen(view)
        view._advance()
        assert view._coming is None
        assert seen(view) == before
        assert view.top == len(rows) - 38 * 11 - 40
        view.to_end()
        view.to_start()
        assert seen(view)[0] == "## Part 0"
        await pilot.pause()


async def test_the_start_is_a_key_away_from_the_end_of_a_text_that_is_not_laid_out() -> None:
    app = Reader()
    async with app.run_test(size=(120, 40)) as pilot:
        app.left.show(STRUCTURED)
        first = seen(app.left)
        app.left.to_end()
        assert app.left._coming is not None
        app.left.to_start()
        assert seen(app.left) == first
        assert app.left._coming is None
        await pilot.pause()


async def test_a_resize_deep_in_a_structured_text_shows_the_place_at_the_new_width(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # However fast the machine is, the whole is not laid out by then.
    for budget in ("_AT_ONCE", "_SLICE", "_WAITED_FOR"):
        monkeypatch.setattr(f"tui.widgets.answer_view.{budget}", 0.0)
    app = Reader()
    async with app.run_test(size=(160, 40)) as pilot:
        view = app.left
        view.show(STRUCTURED)
        view.go_to(STRUCTURED.index("Some **bold** prose of part 1000"))
        assert seen(view)[0].startswith("Some bold prose of part 1000")
        await pilot.resize_terminal(90, 30)
        await pilot.pause()
        assert view._coming is not None
        assert not view._coming.complete
        assert view._rendered.width == view.size.width - 3
        rows = whole(view)
        at = rows.index("## Part 1000") + 2
        assert seen(view) == rows[at : at + 30]
