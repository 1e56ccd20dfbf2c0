"""Whatever a terminal sends, the session goes on."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import constants, events

from tests.terminal import terminal
from tests.tui.test_terminal import annotate, make_study
from tui.keyboard import Keyboard

_NUMBERS = st.one_of(st.integers(0, 200), st.sampled_from([55296, 57344, 1114112, 2**32, 10**25]))
_GROUPS = st.lists(
    st.lists(_NUMBERS.map(str) | st.just(""), min_size=1, max_size=3).map(":".join), max_size=6
).map(";".join)
_SEQUENCES = st.builds(
    lambda begin, groups, end: f"\x1b[{begin}{groups}{end}".encode(),
    st.sampled_from(["", "<", "?", "48;", ">"]),
    _GROUPS,
    st.sampled_from([*"uABCDEFHPQRStyMm~IO", "$y"]),
)
_SENT = st.lists(
    st.one_of(st.binary(min_size=1, max_size=8), _SEQUENCES, st.just(b"\x1b[M\xe9!!")),
    min_size=1,
    max_size=12,
)


@given(_SENT)
def test_nothing_that_is_sent_is_an_error_and_what_follows_is_read(sent: list[bytes]) -> None:
    keyboard = Keyboard()
    for data in sent:
        for event in keyboard.feed(data):
            if isinstance(event, events.Key | events.Paste):
                str(getattr(event, "character", "") or getattr(event, "text", "")).encode()
    # A sequence or a paste that was left open swallows what ends it, and no more.
    ends = b"\x1b[201~" + b" " * 40 + b"\x1b[201~ j"
    assert [e.key for e in keyboard.feed(ends) if isinstance(e, events.Key)][-1:] == ["j"]


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"f\xfcr", ["f", "\ufffd", "r"]),
        ("für".encode(), ["f", "ü", "r"]),
        (b"\x1b[97;1:1u", ["a"]),
        (b"\x1b[97;1:2u", ["a"]),
        (b"\x1b[97;1:3u", []),
        (b"\x1b[97:65;2;65u", ["A"]),
        (b"\x1b[1;1:1A", ["up"]),
        (b"\x1b[1;1:3A", []),
        (b"\x1b[97;5:1u", ["ctrl+a"]),
        (b"\x1b[97;5u", ["ctrl+a"]),
        (b"\x1b[1114112u", []),
        (b"\x1b[55296u", []),
    ],
)
def test_keys_are_read_as_they_were_pressed(sent: bytes, keys: list[str]) -> None:
    read = [event for event in Keyboard().feed(sent) if isinstance(event, events.Key)]
    assert [
        event.character if len(event.key) > 1 and event.character else event.key for event in read
    ] == keys


def test_a_click_after_a_size_of_no_pixels_is_dropped_and_one_after_a_size_is_not() -> None:
    keyboard = Keyboard()
    click = b"\x1b[<0;50;60M"
    assert len(list(keyboard.feed(b"\x1b[48;30;100;0;0t" + click))) == 1
    told = list(keyboard.feed(b"\x1b[48;30;100;600;1000t" + click))
    assert [type(event) for event in told] == [events.Resize, events.MouseDown]
    assert (told[1].x, told[1].y) == (4, 2)  # type: ignore[attr-defined]


def test_a_session_outlives_whatever_its_terminal_sends(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", 2)
    random = Random(34)
    with terminal(annotate(study)) as seat:
        seat.shows("0 done")
        seat.send("n")
        seat.shows("Note on this pair")
        for sent in (b"f\xfcr", b"\xe9t\xe9 ", b"\x1b[97;1:1u", b"\x1b[1114112u", b"\x1b[55296u"):
            seat.send(sent)
        for sent in (
            b"\x1b[48;0;0;0;0t",
            b"\x1b[48;24;80;0;0t",
            b"\x1b[<35;5;5M",
            b"\x1b[<0;5;5M",
            b"\x1b[M\xe9!!",
        ):
            seat.send(sent)
        seat.shows("f\ufffdr\ufffdt\ufffd a")
        for _ in range(30):
            # Neither Ctrl+Q, which would end it as asked, nor the begin of a sequence.
            seat.send(bytes(byte for byte in random.randbytes(40) if byte not in b"\x11\x1b"))
        seat.send("\x1b")
        seat.until(lambda: "Note on this pair" not in seat.text())
        seat.shows("✎ note")
        seat.send("\x11")
        assert seat.wait() == 0


_WHOLE = [b"\x1b[<0;41;12M", b"\x1b[<0;41;12m", b"\x1b[48;24;80;400;800t", b"\x1b[1;5A", b"\x1b[A"]


def read(parts: list[bytes], pause: float) -> list[str]:
    """What is read of parts between which a line stalls."""
    now = 0.0
    keyboard = Keyboard(clock=lambda: now)
    found = []
    for part in parts:
        found += list(keyboard.feed(part))
        now += pause
        found += list(keyboard.tick())
    return [one.key if isinstance(one, events.Key) else type(one).__name__ for one in found]


@pytest.mark.parametrize("whole", _WHOLE)
def test_a_sequence_that_a_slow_line_cut_in_two_is_no_keys(
    whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ESCAPE_DELAY", 0)  # of the parser: it gives up at once
    expected = read([whole], 1)
    for place in range(1, len(whole)):
        came = read([whole[:place], whole[place:]], 1)
        # What came first looked like the key Esc.
        assert came == (["escape"] if place == 1 else []) + expected
        first, second, third = whole[:place], whole[place : place + 1], whole[place + 1 :]
        if third and place > 1:
            assert read([first, second, third], 1) == expected


def test_a_sequence_that_broke_off_swallows_nothing_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "ESCAPE_DELAY", 0)
    assert read([b"\x1b[<0;4", b"1"], 3) == ["1"]
    assert read([b"\x1b", b"[", b"1"], 1) == ["escape", "left_square_bracket", "1"]
    assert read([b"\x1b", b"[1"], 3) == ["escape", "left_square_bracket", "1"]
