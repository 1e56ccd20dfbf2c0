"""A note holds what was typed, pasted or kept; the screen shows each character of it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual import events
from textual.app import App, ComposeResult

from tui.widgets.verbatim_area import HIDDEN, VerbatimArea

TEXTS = st.text(
    st.sampled_from(
        "ab \n\r\t\x00\x0b\x1b\x7f\x85\x9b\u200b\u202e\u2028\ufe0f\u0301👩🏽▯␛\U000e0041"
    ),
    max_size=60,
)


class Host(App[None]):
    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        yield VerbatimArea(self._text, id="area")


async def edited(text: str, *pasted: str, keys: tuple[str, ...] = ()) -> tuple[str, str]:
    """What an area holds after some pastes at its end and some keys, and what it shows."""
    app = Host(text)
    async with app.run_test() as pilot:
        area = app.query_one(VerbatimArea)
        area.focus()
        area.move_cursor(area.document.end)
        for one in pasted:
            app.post_message(events.Paste(one))
            await pilot.pause()
        await pilot.press(*keys)
        lines = [area.get_line(n).plain for n in range(area.document.line_count)]
        return area.verbatim, "\n".join(lines)


@settings(max_examples=15)
@given(TEXTS, TEXTS)
def test_what_was_kept_and_pasted_stays_as_it_is(kept: str, pasted: str) -> None:
    verbatim, shown = asyncio.run(edited(kept, pasted))
    assert verbatim == kept + pasted.replace("\r\n", "\n").replace("\r", "\n")
    assert all(character.isprintable() or character in "\n\t" for character in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a␛[2Jb"),
        ("a\u202eb\u2028c", f"a{HIDDEN}b{HIDDEN}c"),
        ("kept\rgone", "kept␍gone"),
        ("z" + "\u0301" * 7, "z" + "\u0301" * 5 + HIDDEN * 2),
    ],
)
async def test_each_hidden_character_is_one_cell(text: str, shown: str) -> None:
    assert await edited(text) == (text, shown)


async def test_a_hidden_character_is_deleted_and_brought_back_by_one_key() -> None:
    assert await edited("a\u202e", keys=("backspace",)) == ("a", "a")
    assert (await edited("a\u202e", keys=("backspace", "ctrl+z")))[0] == "a\u202e"
