"""A search goes through everything that may be read now, and comes back to where it began."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Where
from core.records import Answer, Question, Record, Setting
from db.pairs import make
from db.store import Store
from tests.tui.test_annotate import LONG, SIZES, Seat, sit
from tests.tui.test_reading import idle
from tui.widgets.find_line import FindLine


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.db"
    records: list[Record] = [Setting("dwell_ms", 0)]
    records.append(Question("q1", ("Why an otter?", "And then?", "A later otter?")))
    for model in ("m1", "m2"):
        turns = (f"{LONG}\n\nAn otter.", f"{LONG}\n\nNo such animal.", "The last otter.")
        records.append(Answer("q1", model, turns))
    with Store(path, create=True) as store:
        store.ingest.take((Where("test", n), record) for n, record in enumerate(records))
        make(store)
    return path


async def find(seat: Seat, needle: str) -> str:
    await seat.press("slash", *needle)
    await idle(seat)
    return str(seat.screen.query_one(FindLine).content)


@pytest.mark.parametrize("size", SIZES)
async def test_the_question_is_searched_after_the_answers(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        assert "3 found: 1 in A, 1 in B, 1 in question" in await find(seat, "otter")
        await seat.press("enter")
        await idle(seat)
        assert "1 of 3, in A" in seat.text("said")
        await seat.press("enter", "enter")
        await idle(seat)
        assert "3 of 3, in the question" in seat.text("said")
        assert "▸Why an otter?" in seat.everything()


async def test_earlier_turns_are_searched_and_later_ones_are_not(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("1", "space", "j")
        place = seat.view("left").top
        assert place > 0
        said = await find(seat, "otter")
        assert "/ otter▏  “otter”: 3 found: 3 in turn 1" in said
        assert seat.view("left").top == place
        await seat.press("enter")
        await idle(seat)
        assert "1 of 3, in A of turn 1" in seat.text("said")
        assert seat.view("question").text == "Why an otter?"
        assert "you are voting on turn 2" in seat.text("question-title")
        assert "▸An otter." in seat.everything()
        await seat.press("escape")
        await idle(seat)
        assert seat.view("question").text == "And then?"
        assert seat.view("left").top == place
        await find(seat, "otter")
        await seat.press("enter", "2")
        assert [turn for turn, _ in seat.standing()] == [1, 2]
        assert seat.view("question").text == "A later otter?"
