"""Foreign text becomes inert and stays visible; lengths are measured in cells and counted."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size

from core.text import (
    MOST_MARKS,
    LengthFeatures,
    cell_width,
    displayable,
    headings,
    hidden,
    inert_json,
    length_features,
    one_line,
)

HOSTILE = st.sampled_from(
    [
        *map(chr, range(0x20)),
        *map(chr, range(0x7F, 0xA0)),
        *"\r\n\t\xad\u034f\u061c\u200b\u200c\u200d\u200e\u2028\u202a\u202e\u2066\ufeff\ufe0e\ufe0f",
        *"\ud800\udfff\u3164\ufff9\uffff\U0001f3fb\U0001f3ff\U000e0041\U000e01ef",
        *"a1#é漢👩💻❤\u0301\u0489\u0e47\u064b⟨⟩␛",
        "\r\n",
        "\x1b[31m",
        "\x1b]52;c;aGk=\x07",
        "👩🏽\u200d💻",
        "\u0301" * 9,
    ]
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.lists(HOSTILE).map("".join),
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nand lines", "plain\ttext\nand lines"),
        ("\x00\x07\x08\x0b\x0c\x7f", "␀␇␈␋␌␡"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]8;;http://x\x1b\\link", "␛]8;;http://x␛\\link"),
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x1bP1$r\x1b\\", "␛P1$r␛\\"),
        ("\x9b31m\x85\x80", "⟨009B⟩31m⟨0085⟩⟨0080⟩"),
        ("a\u202eb\u2066c\u200fd", "a⟨202E⟩b⟨2066⟩c⟨200F⟩d"),
        ("a\u200bb\ufeffc\xadd\u2060", "a⟨200B⟩b⟨FEFF⟩c⟨00AD⟩d⟨2060⟩"),
        ("line\u2028para\u2029", "line⟨2028⟩para⟨2029⟩"),
        ("\U000e0068\U000e0069", "⟨E0068⟩⟨E0069⟩"),
        ("a\ufe0fb\U000e0100", "a⟨FE0F⟩b⟨E0100⟩"),
        ("\ud83d\udc00é", "��é"),
        ("one\r\ntwo", "one\ntwo"),
        ("10%\r20%", "10%␍\n20%"),
        ("é\r\né\ré", "é\né␍\né"),
        ("\u200b" * 40, "⟨200B×40⟩"),
        ("\u200b\u200b", "⟨200B⟩⟨200B⟩"),
        ("👩🏽\u200d💻 ❤\ufe0f 👍🏿 1\ufe0f\u20e3", "👩💻 ❤ 👍 1\u20e3"),
        ("🏽", "⟨1F3FD⟩"),
        ("👍\ufe0f\ufe0f", "👍⟨FE0F⟩"),
        ("می\u200cخواهم", "می⟨200C⟩خواهم"),
    ],
)
def test_each_kind_of_hidden_text_has_a_stand_in(text: str, shown: str) -> None:
    assert displayable(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "[/INST] [bold]x[/bold] [@click=app.quit]y[/] <think>z</think>",
        "He said “don’t” — naïve café… 25 €",
        "春天来了，花儿开了。",
        "यह एक परीक्षण है",
        "שלום עולם العربية",
        "བསྒྲུབས།",
        "│ ├── box ─────────┐",
        "🇨🇭 🎉 ♥♥♥♥♥♥♥♥",
        "nbsp\u00a0and\u3000wide space",
    ],
)
def test_text_that_hides_nothing_is_shown_as_it_is(text: str) -> None:
    assert displayable(text) == text


def test_marks_beyond_what_a_language_needs_are_counted_not_painted() -> None:
    marks = "".join(chr(0x300 + index % 40) for index in range(100))
    assert displayable(f"a{marks}b{marks}") == (
        f"a{marks[:MOST_MARKS]}⟨+{100 - MOST_MARKS}⟩b{marks[:MOST_MARKS]}⟨+{100 - MOST_MARKS}⟩"
    )
    assert displayable("ก" + "\u0e47" * 7 + "ก") == "ก" + "\u0e47" * 5 + "⟨+2⟩ก"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\ufffe\U0001fffe\U0010ffff", "a⟨FFFE⟩⟨1FFFE⟩⟨10FFFF⟩"),
        ("\u1100" + "\u1161" * 40, "\u1100" + "\u1161" * 5 + "⟨+35⟩"),
        ("b" + "\u1acf" * 9, "b" + "\u1acf" * 5 + "⟨+4⟩"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "\u1112\u1161\u11ab\u1100\u1173\u11af"),
    ],
    ids=["noncharacters", "jamo", "marks of a newer Unicode", "Korean in parts"],
)
def test_what_older_tables_do_not_know_is_not_hidden_either(text: str, shown: str) -> None:
    assert displayable(text) == shown


@given(TEXTS)
def test_hidden_places_are_those_that_are_not_shown(text: str) -> None:
    places = set(hidden(text))
    if not places and "\r" not in text:
        assert displayable(text) == text


@given(st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_inert_json_is_the_same_data(value: object) -> None:
    shown = inert_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(shown) == json.loads(json.dumps(value))
    assert not list(hidden(shown))


@given(TEXTS)
def test_what_is_shown_is_inert_and_stays_so(text: str) -> None:
    shown = displayable(text)
    for character in shown:
        assert unicodedata.category(character) not in ("Cc", "Cs") or character in "\n\t"
        assert character not in "\u200b\u200d\u202e\u2066\ufeff\ufe0f"
    assert displayable(shown) == shown


@given(TEXTS)
def test_nothing_visible_is_lost(text: str) -> None:
    letters = [c for c in text if unicodedata.category(c)[0] in "LNP" and displayable(c) == c]
    shown = iter(displayable(text))
    assert all(letter in shown for letter in letters)


@given(TEXTS)
def test_stand_ins_grow_a_text_by_a_bounded_factor(text: str) -> None:
    assert len(displayable(text)) <= 7 * len(text)


def test_a_width_is_never_less_than_the_screen_measures() -> None:
    ranges = (range(0x20, 0x3400), range(0xA000, 0xFFFF, 5), range(0x10000, 0x40000, 3))
    for code in (code for some in ranges for code in some):
        character = chr(code)
        if displayable(character) == character:
            assert cell_width(character) >= get_character_cell_size(character), hex(code)


@pytest.mark.parametrize(
    ("text", "width", "line"),
    [
        ("short", 10, "short"),
        ("exactly 10", 10, "exactly 10"),
        ("a bit too long", 10, "a bit too…"),
        ("two\nlines\tand\r\nmore", 40, "two⏎lines and⏎more"),
        ("漢字漢字", 8, "漢字漢字"),
        ("漢字漢字", 7, "漢字漢…"),
        ("漢字漢字", 6, "漢字…"),
        ("\x1b[2J[bold]", 20, "␛[2J[bold]"),
        ("x", 0, ""),
        ("xy", 1, "…"),
        ("", 5, ""),
    ],
)
def test_one_line(text: str, width: int, line: str) -> None:
    assert one_line(text, width) == line


@given(TEXTS, st.integers(1, 60))
def test_one_line_fits(text: str, width: int) -> None:
    line = one_line(text, width)
    assert cell_len(line) <= width
    assert "\n" not in line
    assert "\t" not in line


def test_one_line_looks_only_at_what_can_be_seen() -> None:
    class Counting(str):
        looked_at = 0

        def __getitem__(self, key: object) -> str:
            piece = str.__getitem__(self, key)  # type: ignore[index]
            Counting.looked_at += len(piece)
            return piece

    line = one_line(Counting("\u0301" * (1 << 20)), 20)
    assert line.endswith("…") or len(line) <= 20
    assert 0 < Counting.looked_at < 4000


def test_length_features_count_what_dresses_an_answer() -> None:
    text = (
        "# Title\n\nSome **bold words** and __more__, not ** this ** nor `**code**`.\n"
        "#hashtag\n- one\n* two\n  + three\n10. four\n1990 was a year\n"
        "```python\n# not a header\n- not an item\n```\n## Second\n~~~\nopen **fence**\n"
    )
    counted = length_features(text)
    assert (counted.headers, counted.list_items, counted.bold, counted.code_blocks) == (2, 4, 2, 2)
    assert counted.characters == len(text)
    assert counted.words == len(text.split())
    assert counted.tokens == -(-len(text) // 4)


def test_length_features_of_nothing() -> None:
    assert length_features("") == LengthFeatures(0, 0, 0, 0, 0, 0, 0)


@given(TEXTS)
def test_length_features_take_any_text(text: str) -> None:
    counted = length_features(text)
    assert counted.characters == len(text)
    assert counted.tokens >= len(text) / 4
    assert counted.bold * 5 <= len(text)
    assert counted.list_items + counted.headers <= text.count("\n") + text.count("\r") + 1


@given(
    st.lists(
        st.sampled_from(["# a", "#", "##b", "   ## c", "    # d", "`x` # e", "```", "~~~", "e"])
        | st.text(max_size=8)
    ).map("\n".join)
)
def test_headings_alone_are_those_of_all_features(text: str) -> None:
    assert headings(text) == length_features(text).headers
