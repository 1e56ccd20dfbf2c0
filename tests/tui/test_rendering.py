"""Answers as rows: nothing live, nothing hidden, nothing too wide, and no work before its time."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from core.text import displayable
from tui import rendering_markdown
from tui.inert import Inert
from tui.rendering import Palette, Rendered
from tui.rendering_source import LARGEST_BLOCK, LARGEST_LINE, Kind, Lines, blocks

ROOT = Path(__file__).parents[2]
MIB = 1 << 20

PAYLOADS = {
    "C0": ("\x00\x01\x08\x0b\x0c", "␀␁␈␋␌"),
    "CSI": ("\x1b[2J\x1b[31m", "␛[2J␛[31m"),
    "OSC 0": ("\x1b]0;owned\x07", "␛]0;owned␇"),
    "OSC 8": ("\x1b]8;;http://evil\x1b\\go\x1b]8;;\x1b\\", "␛]8;;http://evil"),
    "OSC 52": ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
    "DCS": ("\x1bP+q544e\x1b\\", "␛P+q544e␛"),
    "C1": ("\x9b31m\x9d0;x\x9c", "⟨009B⟩31m⟨009D⟩0;x⟨009C⟩"),
    "bidi": ("abc\u202edef\u2066", "abc⟨202E⟩def⟨2066⟩"),
    "zero-width": ("a\u200bb\u2060c", "a⟨200B⟩b⟨2060⟩c"),
    "surrogates": ("a\ud800b", "a�b"),
    "instruction": ("[/INST]", "[/INST]"),
    "action": ("[@click=app.quit]x[/]", "[@click=app.quit]x[/]"),
    "markup": ("[bold]x[/bold]", "[bold]x[/bold]"),
    "link": ("[docs](http://evil/a_b_c)", "[docs](http://evil/a_b_c)"),
    "think": ("<think>secret</think>", "<think>secret</think>"),
    "comment": ("<!-- hidden -->", "<!-- hidden -->"),
}
PLACES = [
    "{}",
    "# {}",
    "- a\n  - {}",
    "3. {}",
    "> {}",
    "`` {} ``",
    "```\n{}\n```",
    "```python\n{}\n```",
    "```{}\ncode\n```",
    "    {}",
    "| a | b |\n|---|---|\n| {} | x |",
    "**{}**",
    "text {} text",
    "$$\n{}\n$$",
]


def rows_of(rendered: Rendered) -> list[str]:
    while not rendered.advance(1):
        pass
    return [rendered.line(y).text.rstrip() for y in range(rendered.height)]


def rows(text: str, width: int = 78, *, raw: bool = False) -> list[str]:
    return rows_of(Rendered(text, width, raw=raw))


def shown(text: str, width: int = 78, *, raw: bool = False) -> str:
    return "\n".join(rows(text, width, raw=raw))


def letters(text: str) -> Counter[str]:
    """What rendering may never take away: letters, digits and symbols beyond ASCII."""
    return Counter(c for c in text if c.isalnum() or (ord(c) > 127 and not c.isspace()))


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_hostile_text_is_inert_and_visible_wherever_it_stands(
    payload: str, place: str, raw: bool
) -> None:
    hostile, visible = PAYLOADS[payload]
    text = shown(place.format(hostile), raw=raw)
    assert visible in text
    assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\n"]


def test_no_row_carries_a_link_or_an_action() -> None:
    rendered = Rendered("[a](http://x) <http://y> [@click=app.quit]z[/] http://w", 40)
    rows_of(rendered)
    for y in range(rendered.height):
        assert all(
            not style or (not style.link and not style.meta) for _, style, _ in rendered.line(y)
        )


@pytest.mark.parametrize(
    "text",
    [
        "List<T> and <div class='x'>tags</div><br>",
        "[ref]: http://example.com 'its title'",
        "[^1]: the body of a footnote",
        'see [text](http://example.com/a?b=1&c=2 "title")',
        "![the alt text](http://example.com/i.png)",
        "<http://example.com/auto>",
        "&lt;b&gt; &#x202e; &nbsp;",
        "~~struck~~ and `code` stay marked",
        "| a | b |\n|---|---|\n| 1 | 2 | extra | cells |",
        "| a | b |\n|---|---|\n1 | 2 | :-",
        ">>>>",
        "[x](y 'its title') [z](<a b>)",
        "javascript: [x](javascript:alert(1))",
        r"\(a_1 + b_2\) and \[c*d*e\] and $f_1 * g_1$ cost $5 or $10",
        "\\[\nx = \\frac{1}{2}\n+ y \\\\\n\\]",
    ],
)
def test_what_markdown_would_hide_stays_as_it_is_written(text: str) -> None:
    for line in text.split("\n"):
        assert line in shown(text)


@pytest.mark.parametrize("depth", [25, 200])
@pytest.mark.parametrize("mark", ["> ", "- ", "1. "])
def test_nesting_beyond_what_the_parser_follows_is_shown_as_source(mark: str, depth: int) -> None:
    assert "deep down" in " ".join(rows(mark * depth + "deep down"))
    assert "!?" in " ".join(rows(mark * depth + "!?"))


def test_markdown_reads_well() -> None:
    text = (
        "# Head *ing*\nverse one\nverse two\n\n- a\n- b\n  - c\n    1. d\n\n2. two\n2. again\n"
        "> quoted\n> > twice\n\n```python\ndef f():\n\n    return 1\n```\nend\n***\n\ttabbed"
    )
    assert rows(text, 20) == [
        "# Head ing",
        "",
        "verse one",
        "verse two",
        "",
        "• a",
        "• b",
        "  ◦ c",
        "    1. d",
        "",
        "2. two",
        "2. again",
        "▌ quoted",
        "▌ ▌ twice",
        "",
        "│ python",
        "│ def f():",
        "│",
        "│     return 1",
        "",
        "end",
        "",
        "─" * 20,
        "",
        "│ tabbed",
    ]


def test_raw_shows_the_source_and_wraps_it() -> None:
    text = "# **Head**\n\n  indented `x`\n\n\n- item that is wider than the pane\n"
    assert rows(text, 20, raw=True) == [
        "# **Head**",
        "",
        "  indented `x`",
        "",
        "",
        "- item that is wider",
        "than the pane",
    ]


def test_a_table_has_columns_as_wide_as_there_is_room_for() -> None:
    table = "| name | n |\n|:--|--:|\n| one | 1 |\n| a *longer* one | 22 |"
    assert rows(table, 40) == [
        "name         │  n",
        "─────────────┼───",
        "one          │  1",
        "a longer one │ 22",
    ]
    assert rows(table, 13) == [
        "name     │  n",
        "─────────┼───",
        "one      │  1",
        "─────────┼───",
        "a longer │ 22",
        "one      │",
    ]
    assert rows("|a|b|c|d|\n|-|-|-|-|\n|one more|two more|three more|four more|", 14)[:4] == [
        "a",
        "b",
        "c",
        "d",
    ]


def test_wide_characters_break_where_their_typesetting_allows() -> None:
    assert rows("漢字漢字漢字。漢字", 12) == ["漢字漢字漢", "字。漢字"]
    assert rows("word 漢字 word", 10) == ["word 漢字", "word"]


def test_code_keeps_its_spaces_and_marks_where_it_goes_on() -> None:
    assert rows("```\n    a = 1  +  2\n" + "x" * 25 + "\n```", 20) == [
        "│     a = 1  +  2",
        "│ " + "x" * 18,
        "│›" + "x" * 7,
    ]


def test_an_empty_answer_says_so() -> None:
    assert rows("") == rows(" \n\n\t\n") == ["(empty)"]


MARKDOWN = st.lists(
    st.sampled_from(
        [
            *"ab漢字é👩❤🇨🇭1 \n\t*_`~[]()<>#|\\-+>$&;:!='\"\x1b\u202e\u200d\u0301\r",
            *["\n\n", "\n- ", "\n  ", "\n1. ", "\n> ", "\n```\n", "\n~~~py\n", "\n    ", "\n---\n"],
            *["| a | b |\n|---|---|\n", "\n| ", "[x](y)", "![", "**", "$$", "\\(", "<!--", "\n# "],
            *["wordy words ", "longunbreakableword" * 3, "漢字仮名交じり文。"],
        ]
    ),
    max_size=60,
).map("".join)


@given(MARKDOWN, st.integers(10, 120), st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_text_at_any_width_fits_and_loses_no_letter(text: str, width: int, raw: bool) -> None:
    rendered = Rendered(text, width, raw=raw)
    seen = "".join(rows_of(rendered))
    assert all(rendered.line(y).cell_length <= width for y in range(rendered.height))
    assert letters(displayable(text)) <= letters(seen)
    assert not [c for c in seen if unicodedata.category(c) in ("Cc", "Cs")]


@given(MARKDOWN, st.integers(10, 120))
@settings(max_examples=100, deadline=None)
def test_a_hanging_text_fits_and_loses_no_letter(text: str, width: int) -> None:
    rendered = Rendered(text, width, raw=True, hanging=True)
    seen = "".join(rows_of(rendered))
    assert all(rendered.line(y).cell_length <= width for y in range(rendered.height))
    assert letters(displayable(text)) <= letters(seen)
    offsets = [rendered.offset_of(y) for y in range(rendered.height)]
    assert offsets == sorted(offsets)


def test_further_rows_of_a_hanging_line_stand_below_its_words() -> None:
    words = "it is shorter and says what was asked"
    text = f"3  A is better  ·  judge of a name that is long\n   {words}\nplain {words}"
    hung = [row.rstrip() for row in rows_of(Rendered(text, 24, raw=True, hanging=True))]
    plain = hung.index(next(row for row in hung if row.startswith("plain")))
    assert hung[0].startswith("3  A")
    assert all(row.startswith("   ") and row[3] != " " for row in hung[1:plain])
    assert " ".join(" ".join(hung[:plain]).split()) == " ".join(text.partition("plain")[0].split())
    assert not any(row.startswith(" ") for row in hung[plain:])


@given(MARKDOWN, st.integers(10, 120))
@settings(max_examples=100, deadline=None)
def test_rows_follow_the_source(text: str, width: int) -> None:
    rendered = Rendered(text, width)
    rows_of(rendered)
    offsets = [rendered.offset_of(y) for y in range(rendered.height)]
    assert offsets == sorted(offsets)
    assert all(0 <= offset <= len(text) for offset in offsets)
    for y, offset in enumerate(offsets):
        found = rendered.row_of(offset)
        assert found <= y
        assert offsets[found] == offset


@given(st.lists(st.text("abcé漢", min_size=1, max_size=9), min_size=1), st.integers(20, 60))
def test_plain_words_stay_whole_and_in_order(words: list[str], width: int) -> None:
    narrow = [word for word in words if "漢" not in word] or ["word"]
    assert " ".join(rows(" ".join(narrow), width)).split() == narrow


def test_a_row_of_a_paragraph_remembers_where_it_begins() -> None:
    text = "intro\n\n" + "one two three four five six seven eight nine ten"
    rendered = Rendered(text, 20)
    seen = rows_of(rendered)
    for y in range(2, rendered.height):
        assert text[rendered.offset_of(y) :].startswith(seen[y])


PROSE = "Some **words** about `it`, and a [link](http://x).\n\n- item one\n- item two\n\n"
LARGE = {
    "prose": PROSE * (MIB // len(PROSE)),
    "lines": "a line of a verse\n" * (MIB // 18),
    "one line": "lorem ipsum " * (MIB // 12),
    "no space": "x" * MIB,
    "fence": "```python\n" + "x = 1  # one\n" * (MIB // 13) + "```",
    "one-line fence": "```json\n" + '{"a": [1, 2]},' * (MIB // 14) + "\n```",
    "table": "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * (MIB // 10),
    "list": "- item with **words**\n" * (MIB // 22),
    "quote": "> quoted\n" * (MIB // 9),
    "blank": "\n" * MIB + "end",
    "blank CRLF": "\r\n" * (MIB // 2) + "end",
    "escapes": "\x1b[31m" * (MIB // 5),
    "brackets": "[" * MIB,
    "stars": "*a_ " * (MIB // 4),
}


@pytest.mark.parametrize("kind", LARGE)
def test_the_first_screen_of_a_megabyte_costs_what_that_of_a_page_costs(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in work, not in time: characters made displayable, characters parsed."""
    made: list[int] = []
    parsed: list[int] = []
    parser = rendering_markdown._parser()
    parse = parser.parse

    def count_made(text: str) -> str:
        made.append(len(text))
        return displayable(text)

    monkeypatch.setattr("tui.rendering_source.displayable", count_made)
    monkeypatch.setattr(parser, "parse", lambda text: parsed.append(len(text)) or parse(text))
    rendered = Rendered(LARGE[kind], 58)
    rendered.ensure(40)
    for y in range(40):
        assert rendered.line(y).cell_length <= 58
    assert rendered.height <= 40
    assert rendered.complete == (kind.startswith("blank"))
    assert rendered.blocks <= 40
    assert sum(made) <= LARGEST_BLOCK * 4
    assert sum(parsed) <= LARGEST_BLOCK * 2


@pytest.mark.parametrize("kind", LARGE)
def test_no_block_is_larger_than_what_a_slice_of_time_can_take(kind: str) -> None:
    for count, block in enumerate(blocks(LARGE[kind])):
        size = sum(len(line) + 1 for _, line in block.lines)
        if block.kind is Kind.MARKDOWN:
            assert size <= LARGEST_BLOCK
        assert size <= 3 * LARGEST_LINE
        if count > 200:
            break


def test_blocks_too_large_or_too_lavish_for_the_parser_are_shown_whole_as_source() -> None:
    table = "| head | two |\n|---|---|\n" + "| **1** | 2 |\n" * 1000
    assert rows(table, 40) == table.strip().split("\n")
    lavish = "[a](b) *c* " * 500
    assert " ".join(rows(lavish, 40)).split() == lavish.split()


def test_a_long_list_looks_the_same_in_parts() -> None:
    items = [f"- item {number} with **some** words" for number in range(200)]
    assert rows("\n".join(items)) == ["• " + item[2:].replace("**", "") for item in items]
    loose = rows("\n\n".join(f"{n}. item {n} has words" for n in range(1, 201)))
    assert loose[::2] == [f"{n}. item {n} has words" for n in range(1, 201)]
    assert set(loose[1::2]) == {""}


def test_a_fence_inside_a_list_belongs_to_its_item() -> None:
    text = "1. first\n   ```python\n   x = 1\n\n   y = 2\n   ```\n\n   more\n2. second"
    assert rows(text) == [
        "1. first",
        "   │ python",
        "   │ x = 1",
        "   │",
        "   │ y = 2",
        "",
        "   more",
        "2. second",
    ]


def test_advancing_in_slices_gives_the_same_rows_as_all_at_once() -> None:
    text = PROSE * 50
    slices = Rendered(text, 40)
    assert not slices.advance(0)
    assert slices.height == 0
    while not slices.complete:
        slices.ensure(slices.height + 1)
    assert rows_of(slices) == rows(text, 40)


def test_lines_are_read_whole_with_their_offsets() -> None:
    text = "one\r\n\ttwo\rthree\n\n" + "x" * (LARGEST_LINE + 10)
    lines = list(Lines(text))
    assert lines[:4] == [(0, "one"), (5, "    two␍"), (5, "three"), (16, "")]
    assert "".join(line for _, line in lines[4:]) == "x" * (LARGEST_LINE + 10)


def test_a_palette_mixes_the_styles_that_a_run_carries() -> None:
    palette = Palette(
        Style(color="red"), {"strong": Style(bold=True), "link": Style(underline=True)}
    )
    rendered = Rendered("**[x](y)** z", 20, palette=palette)
    styles = {text: style for text, style, _ in rendered.line(0)}
    assert styles["x"] == Style(color="red", bold=True, underline=True)
    assert styles[" z"] == Style(color="red")
    rendered.restyle(Palette(Style(color="blue"), {}))
    assert {style for _, style, _ in rendered.line(0)} == {Style(color="blue")}


def test_code_is_highlighted_in_languages_that_are_known() -> None:
    def styled(info: str) -> set[str]:
        names = ("keyword", "string", "comment", "number")
        palette = Palette(Style.null(), {name: Style(meta={"is": name}) for name in names})
        rendered = Rendered(f"```{info}\ndef f(): return 'a', 1  # c\n```", 60, palette=palette)
        rows_of(rendered)
        return {
            s.meta["is"]
            for y in range(rendered.height)
            for _, s, _ in rendered.line(y)
            if s and s.meta
        }

    assert styled("python") == styled('py title="x"') == {"keyword", "string", "comment", "number"}
    assert styled("nonsense") == styled("") == set()


@given(st.text("aB7 ,.;:'\"?!()%/-", max_size=60).map(lambda text: f"A{text}"))
@example("A 1. b")
@example("A - b -- c --- d...")
@example("Ab ")
@example("A  b")
def test_prose_is_shown_as_a_parser_would_have_it(text: str) -> None:
    (block,) = blocks(text)
    parsed = rendering_markdown.markdown_rows(block, 20)
    assert parsed is not None
    unparsed = Rendered(text, 20)
    unparsed.ensure(99)
    shown = ["".join(run for run, _ in row) for _, row in parsed]
    assert [unparsed.line(y).text for y in range(unparsed.height)] == shown


def test_what_rendering_loads_it_loads_when_needed() -> None:
    code = """
import sys
import tui.widgets.answer_view
from tui.rendering import Rendered
def new(*names): return [name for name in names if name in sys.modules]
assert not new("markdown_it", "pygments", "rich.markdown", "rich.syntax"), new
Rendered("```\\nplain\\n```", 40, raw=True).ensure(9)
Rendered("```nonsense\\ncode\\n```", 40).ensure(9)
assert not new("markdown_it", "pygments")
Rendered("Prose, without a mark: it's read as it stands (100%).", 40).ensure(9)
assert not new("markdown_it", "pygments")
Rendered("*text*", 40).ensure(9)
assert new("markdown_it", "pygments") == ["markdown_it"]
Rendered("```python\\ncode\\n```", 40).ensure(9)
assert new("pygments")
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_filter_takes_out_what_a_terminal_obeys() -> None:
    live = [
        Segment("a\x1b[31mb\x07\x9b\u202e\u200b", Style(bold=True)),
        Segment("c\ud800", None),
        Segment("link", Style(link="http://evil", bold=True)),
    ]
    out = Inert().apply(live, Color.parse("black"))
    assert [text for text, _, _ in out] == ["a[31mb", "c\ufffd", "link"]
    assert [style.link if style else None for _, style, _ in out] == [None, None, None]
    assert out[2].style is not None
    assert out[2].style.bold


def test_the_filter_leaves_other_text_alone() -> None:
    plain = [Segment("naïve 漢字 ⟨202E⟩ │", Style(bold=True)), Segment("nbsp\xa0", None)]
    out = Inert().apply(plain, Color.parse("black"))
    assert out == plain
    clean = plain[:1]
    assert Inert().apply(clean, Color.parse("black")) is clean


def test_the_filter_takes_out_what_any_surface_lets_through() -> None:
    text = "".join(hostile for hostile, _ in PAYLOADS.values())
    out = Inert().apply([Segment(text, None)], Color.parse("black"))[0].text
    assert not [c for c in out if unicodedata.category(c) in ("Cc", "Cs", "Cf")]
    assert "[/INST]" in out
