"""What a study asks besides a vote, at the screen: the strip, its keys, and what is saved when."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core.records import Vote
from db.store import Store
from tests.studies import allow_no_growth, lift_guard
from tests.terminal import terminal
from tests.tui.test_annotate import SIZES, Seat
from tests.tui.test_seat import one_turn_study, sit
from tests.waiting import PATIENCE
from tui.keymap import LAYOUTS
from tui.widgets.asking_strip import AskingStrip
from tui.widgets.note import NoteModal

ASKS: dict[str, Any] = {
    "criteria": "accuracy, style",
    "confidence": "guess, fairly sure, certain",
    "tags": "clear, correct, short",
}
REASONS = ["not my field", "question unclear", "answer broken or cut off", "rather not say"]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return one_turn_study(tmp_path / "study.db", "An answer.\n\n" * 90, pairs=5, **ASKS)


def votes(study: Path) -> list[Vote]:
    with Store(study) as store:
        return [vote for vote, _ in store.reading.said()]


def strip(seat: Seat) -> str:
    return str(seat.screen.query_one(AskingStrip).content)


def as_seen(seat: Seat, vote: Vote) -> dict[str, str]:
    left = {"model_1": "left", "model_2": "right"}
    right = {"model_1": "right", "model_2": "left"}
    sides = left if vote.left == 1 else right
    return {name: sides.get(choice, choice.value) for name, choice in vote.criteria.items()}


@pytest.mark.parametrize("size", SIZES)
async def test_every_step_is_asked_in_the_strip_and_all_is_saved_at_once(
    study: Path, size: tuple[int, int]
) -> None:
    async with sit(study, size) as seat:
        for key, asks, said in (
            ("2", "accuracy (1/4)?", "Not saved yet: B is better"),
            ("1", "style (2/4)?", "accuracy: A is better"),
            ("t", "How sure (3/4)?", "style: tie"),
            ("3", "Reasons (4/4)?", "How sure: certain"),
        ):
            await seat.press(key)
            assert asks in strip(seat)
            assert said in seat.text("said")
            assert "Not saved yet" in seat.everything()
            assert votes(study) == []
        await seat.press("1", "3", "1")
        assert "·clear" in strip(seat)
        assert "✓short" in strip(seat)
        await seat.press("enter")
        assert "✓ Saved: B is better" in seat.text("said")
        assert "1 A is better" in strip(seat)
        (vote,) = votes(study)
        assert (vote.confidence, vote.tags) == (3, ("short",))
        assert as_seen(seat, vote) == {"accuracy": "left", "style": "tie"}
        assert seat.screen.query_one("#keys").size.height == 1


async def test_esc_goes_back_step_by_step_and_withdraws_at_the_first(study: Path) -> None:
    async with sit(study) as seat:
        before = seat.screen.session.current
        await seat.press("1", "2", "3", "escape")
        assert "style (2/4)?" in strip(seat)
        assert "✓tie" in strip(seat)
        await seat.press("escape", "escape")
        assert "Withdrawn: nothing was saved" in seat.text("said")
        assert "1 A is better" in strip(seat)
        await seat.press("2", "4", "u")
        assert "Withdrawn" in seat.text("said")
        assert seat.screen.session.current is before
        assert votes(study) == []


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_reading_notes_and_flags_go_on_while_something_is_asked(
    study: Path, layout: str
) -> None:
    async with sit(study, layout=layout) as seat:
        keymap = seat.app.preferences.keymap

        def key(action: str) -> str:
            return keymap.bound[action].keys[0]

        await seat.press(key("vote.a"))
        await seat.press(key("read.page_down"), key("read.line_down"))
        assert seat.view("left").top > 1
        await seat.press(key("read.zoom"), key("pair.flag"), key("read.differences"))
        assert "Not saved yet." in seat.text("said")
        assert "⚑ flagged" in seat.text("status")
        await seat.press(key("read.find"), *"answer", "1", "backspace", "enter")
        assert "accuracy (1/4)?" in strip(seat)
        await seat.press(key("pair.note"))
        assert isinstance(seat.app.screen, NoteModal)
        await seat.press("h", "1", "escape")
        assert "accuracy (1/4)?" in strip(seat)
        await seat.press(key("vote.b"), key("vote.both_bad"))
        top = seat.view("left").top
        await seat.press("space")
        assert seat.view("left").top > top
        await seat.press("2", "2")
        top = seat.view("left").top
        await seat.press("space")
        assert seat.view("left").top > top
        assert votes(study) == []
        await seat.press("enter")
        (vote,) = votes(study)
        assert (vote.note, vote.flag, vote.confidence, vote.tags) == (
            "h1", "flagged", 2, ("correct",),
        )  # fmt: skip
        assert as_seen(seat, vote) == {"accuracy": "right", "style": "both_bad"}


async def test_undo_brings_the_pair_back_with_its_answers(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("1", "2", "3", "1", "2", "enter", "u")
        assert "Taken back" in seat.text("said")
        await seat.press("1")
        assert "✓B is better" in strip(seat) or "✓B" in strip(seat)
        await seat.press("enter", "enter", "enter")
        assert "✓correct" in strip(seat)
        await seat.press("enter")
        (vote,) = votes(study)
        assert (vote.confidence, vote.tags) == (1, ("correct",))
        assert as_seen(seat, vote) == {"accuracy": "right", "style": "tie"}


@pytest.mark.parametrize("size", SIZES)
async def test_the_mouse_answers_too(study: Path, size: tuple[int, int]) -> None:
    async with sit(study, size) as seat:
        bar = seat.screen.query_one(AskingStrip)

        async def click(words: str) -> None:
            lines = str(bar.content).splitlines()
            row = next(n for n, line in enumerate(lines) if words in line)
            await seat.pilot.click(AskingStrip, offset=(lines[row].index(words) + 2, row))
            await seat.settle()

        for words in ("2 B is better", "1 A", "4 both bad" if size[0] > 80 else "4 b", "2 fairly"):
            await click(words)
        for words in ("1 ·clear", "3 ·short", "1 ✓clear", "Enter saves"):
            await click(words)
        (vote,) = votes(study)
        assert (vote.confidence, vote.tags) == (2, ("short",))
        assert as_seen(seat, vote) == {"accuracy": "left", "style": "both_bad"}


async def test_a_key_that_answers_nothing_says_what_does_and_moves_nothing(study: Path) -> None:
    async with sit(study, layout="left-hand") as seat:
        await seat.press("q", "q", "q")
        assert "How sure" in strip(seat)
        for key in ("4", "9", "q", "r"):
            await seat.press(key)
            assert "answered with 1 to 3" in seat.text("said")
        await seat.press("3", "1", "9")
        assert "Reasons" in strip(seat)
        await seat.press("enter")
        assert len(votes(study)) == 1


async def test_only_the_first_key_is_guarded_by_the_dwell(tmp_path: Path) -> None:
    study = one_turn_study(tmp_path / "s.db", "x", dwell_ms=300, criteria="accuracy", tags="a, b")
    async with sit(study) as seat:
        now = 1e9
        seat.screen.session._monotonic = lambda: now
        seat.screen.session.shown()
        await seat.pilot.press("1")
        assert "Not saved: that was at once" in seat.text("said")
        assert seat.screen.session.asking is None
        now += 1
        await seat.pilot.press("1", "2", "2", "enter")
        await seat.pilot.pause(0.05)
        (vote,) = votes(study)
        assert (as_seen(seat, vote), vote.tags) == ({"accuracy": "right"}, ("b",))
        await seat.pilot.press("1")
        assert "Not saved: that was at once" in seat.text("said")


async def test_keys_from_before_a_failed_save_was_told_answer_nothing(tmp_path: Path) -> None:
    study = one_turn_study(tmp_path / "s.db", "x", dwell_ms=300, criteria="accuracy")
    async with sit(study) as seat:
        now = 1e9
        seat.screen.session._monotonic = lambda: now
        seat.screen.session.shown()
        now += 1
        connection = seat.app.store.connection
        lift_guard(connection)
        connection.execute("PRAGMA query_only = ON")
        await seat.pilot.press("1", "3")
        told = seat.text("said")
        assert "Not saved: " in told
        assert "Try again; if it stays so, tell a lead." in told
        assert str(study) not in told
        connection.execute("PRAGMA query_only = OFF")
        await seat.pilot.press("1", "2", "enter")
        assert votes(study) == []
        await seat.pilot.press("z")
        assert "Not saved: " in seat.text("said")
        assert "Shown: A" in seat.text("said")
        now += 1
        await seat.pilot.press("enter")
        (vote,) = votes(study)
        assert as_seen(seat, vote) == {"accuracy": "tie"}
        assert "Not saved" not in seat.text("said")


async def test_another_key_between_two_wishes_to_leave_has_the_note_tried_again(
    study: Path,
) -> None:
    async with sit(study) as seat:
        connection = seat.app.store.connection
        lift_guard(connection)
        connection.execute("PRAGMA query_only = ON")
        seat.screen.session.typed("half")
        assert not seat.screen.may_quit()
        assert "Ctrl+Q again leaves without your note" in seat.text("said")
        await seat.press("j")
        assert not seat.screen.may_quit()
        assert seat.screen.may_quit()  # at once again
        await seat.press("j")
        connection.execute("PRAGMA query_only = OFF")
        assert seat.screen.may_quit()
        assert seat.screen.session.unsaved_note == ""


@pytest.mark.parametrize("last", ["tags", "confidence", "criteria"])
async def test_a_vote_that_cannot_be_written_stays_with_its_answers(
    tmp_path: Path, last: str
) -> None:
    names = list(ASKS)
    asks = {name: ASKS[name] for name in names[: names.index(last) + 1]}
    keys = {"tags": ("1", "2", "3", "2", "1", "enter"), "confidence": ("1", "2", "3", "2")}
    study = one_turn_study(tmp_path / "s.db", "x", **asks)
    async with sit(study) as seat:
        connection = seat.app.store.connection
        seat.screen.session.keep(note="long " * 20_000)
        allow_no_growth(connection)
        await seat.press(*keys.get(last, ("1", "2", "3")))
        assert "disk is full" in seat.text("said")
        assert {"tags": "✓clear", "confidence": "✓fairly", "criteria": "✓tie"}[last] in strip(seat)
        assert votes(study) == []
        connection.execute("PRAGMA max_page_count = 1000000")
        await seat.press("enter")
        assert "✓ Saved" in seat.text("said")
        (vote,) = votes(study)
        assert as_seen(seat, vote) == {"accuracy": "right", "style": "tie"}
        assert vote.confidence == (None if last == "criteria" else 2)


async def test_per_turn_votes_are_asked_per_turn(tmp_path: Path) -> None:
    from tests.tui.test_annotate import make_study

    study = make_study(tmp_path / "s.db", confidence="no, yes")
    async with sit(study) as seat:
        while len(seat.screen.session.current.turns) == 1:  # type: ignore[union-attr]
            await seat.press("1", "1")
        await seat.press("1", "2")
        assert "voting on turn 2 of 2" in seat.text("status")
        await seat.press("3", "1")
        assert [(vote.turn, vote.confidence) for vote in votes(study)[-2:]] == [(1, 2), (2, 1)]


@pytest.mark.parametrize("size", [(40, 12), *SIZES, (200, 50)])
async def test_long_and_hostile_names_are_shown_inert_and_fit(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    names = [f"{n} [@click=app.quit]\u202ee[/INST] 漢字 {'x' * 8}"[:40] for n in range(9)]
    study = one_turn_study(tmp_path / "s.db", "x", criteria=names[:1], confidence=names, tags=names)
    async with sit(study, size) as seat:
        for key in ("1", "2", "9"):
            await seat.press(key)
            bar = seat.screen.query_one(AskingStrip)
            assert bar.rows <= 3
            assert "\u202e" not in seat.everything()
            assert "[@" in strip(seat) or size[0] == 40
            await seat.pilot.pause()
            painted = seat.everything().splitlines()
            for line in strip(seat).splitlines():
                assert any(line.rstrip() in row for row in painted), line
            assert "Esc" in strip(seat)
        await seat.press("9", "enter")
        (vote,) = votes(study)
        assert vote.tags == (names[8],)


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (80, 24)])
async def test_names_that_begin_alike_can_be_told_apart_at_any_size(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    begins = "the answer is in its substance factually"
    names = [f"{begins[: 38 - n]} {n}" for n in range(9)]
    study = one_turn_study(tmp_path / "s.db", "x", confidence=names, tags=names)
    async with sit(study, size) as seat:
        bar = seat.screen.query_one(AskingStrip)
        for key in ("1", "2"):
            await seat.press(key)
            shown = [one.text[2:].lstrip("·") for one in bar._places if one.text[:1].isdigit()]
            assert len(set(shown)) == len(names), strip(seat)
            assert "Esc" in strip(seat)
        before = strip(seat)
        await seat.press("3")
        assert strip(seat) == before.replace("3 ·", "3 ✓"), "nothing moves by a mark"


@pytest.mark.parametrize("key", ["c", "1"])
@pytest.mark.parametrize("size", [(40, 12), (60, 14), (72, 13)])
async def test_in_the_smallest_window_both_answers_keep_a_row_while_something_is_asked(
    tmp_path: Path, size: tuple[int, int], key: str
) -> None:
    asked = "guess, fairly sure, as sure as can be, and beyond that, certain without a doubt"
    study = one_turn_study(tmp_path / "s.db", "x", question="Why?\n\n" * 9, confidence=asked)
    async with sit(study, size) as seat:
        await seat.press(key)
        assert seat.screen.query_one(AskingStrip).rows >= 2
        await seat.pilot.pause()
        lines = seat.everything().splitlines()
        for title in ("Question", "▸ A", "▸ B"):
            (row,) = (n for n, line in enumerate(lines) if title in line)
            assert lines[row + 1].startswith("│"), "\n".join(lines)


# ── who cannot judge ────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("layout", "key", "undo"), [("default", "c", "u"), ("left-hand", "B", "b")]
)
async def test_who_cannot_judge_says_why_and_gets_the_next_pair(
    tmp_path: Path, size: tuple[int, int], layout: str, key: str, undo: str
) -> None:
    study = one_turn_study(tmp_path / "s.db", "x", pairs=2)
    async with sit(study, size, layout=layout) as seat:
        first = seat.screen.session.current
        assert first is not None
        await seat.press(key)
        for reason in REASONS:
            assert reason in strip(seat)
        await seat.press("escape")
        assert "Not declined" in seat.text("said")
        assert votes(study) == []
        await seat.press(key, "9")
        assert "answered with 1 to 4" in seat.text("said")
        await seat.press("2")
        assert "cannot judge it: question unclear" in seat.text("said")
        assert "0 done, 1 left" in seat.text("status")
        assert [vote.cannot_judge for vote in votes(study)] == ["question unclear"]
        await seat.press(undo)
        assert "that you cannot judge" in seat.text("said")
        assert seat.screen.session.current.assignment == first.assignment  # type: ignore[union-attr]
        await seat.press(key, "1", key, "4")
        assert "0 pairs done, 2 you could not judge" in seat.text("finished")
        assert [vote.cannot_judge for vote in votes(study)] == [REASONS[0], REASONS[3]]


async def test_a_vote_on_its_way_waits_while_one_thinks_of_not_judging(study: Path) -> None:
    async with sit(study) as seat:
        await seat.press("1", "2", "c", "a", "escape")
        assert "style (2/4)?" in strip(seat)
        await seat.press("c", "1")
        (said,) = votes(study)
        assert (said.choice, said.criteria) == (None, {})
        assert seat.screen.session.asking is None


async def test_without_reasons_the_key_is_not_offered(tmp_path: Path) -> None:
    study = one_turn_study(tmp_path / "s.db", "x", cannot_judge_reasons="")
    async with sit(study) as seat:
        assert "judge" not in seat.text("keys")
        await seat.press("c", "question_mark")
        assert "cannot judge" not in seat.app.screen._text  # type: ignore[attr-defined]
        await seat.press("escape", "1")
        assert [vote.choice is None for vote in votes(study)] == [False]


# ── whatever is pressed ─────────────────────────────────────────────────────


class Model:
    """What a person would say is on the screen and in the log, kept in plain words."""

    def __init__(self) -> None:
        self.log: list[tuple[str, tuple[str, ...], int, tuple[str, ...]]] = []
        self.seen = ""
        self.at = -1  # no vote is on its way
        self.answers: dict[int, Any] = {}
        self.tags: set[str] = set()
        self.why = False

    def press(self, key: str) -> None:
        if key == "u":
            self.at, self.why = -1, False
        elif self.why:
            self.say_why(key)
        elif key == "c":
            self.why = True
        elif key == "escape":
            self.at = max(self.at - 1, -1)
        elif self.at < 2:
            self.say_outcome(key)
        elif self.at == 2:
            self.say_level(key)
        elif key in ("1", "2", "3"):
            self.tags ^= {key}
        elif key == "enter":
            names = {"1": "clear", "2": "correct", "3": "short"}
            tags = tuple(names[tag] for tag in sorted(self.tags))
            self.save((self.seen, (self.answers[0], self.answers[1]), self.answers[2], tags))

    def say_why(self, key: str) -> None:
        if key in ("1", "2", "3", "4"):
            self.save((REASONS[int(key) - 1], (), 0, ()))
        elif key in ("escape", "c"):
            self.why = False

    def say_level(self, key: str) -> None:
        if key in ("1", "2", "3") or (key == "enter" and 2 in self.answers):
            self.answers[2] = self.answers[2] if key == "enter" else int(key)
            self.at += 1

    def say_outcome(self, key: str) -> None:
        said = {"1": "left", "2": "right", "3": "tie", "4": "both_bad", "b": "right"}.get(key)
        if key == "enter":
            said = self.answers.get(self.at)
        if said is None:
            return
        if self.at < 0:
            self.seen, self.answers, self.tags = said, {}, set()
        else:
            self.answers[self.at] = said
        self.at += 1

    def save(self, row: tuple[str, tuple[str, ...], int, tuple[str, ...]]) -> None:
        self.log.append(row)
        self.at, self.why = -1, False


KEYS = ("1", "2", "3", "4", "b", "enter", "space", "escape", "c", "j", "f", "9")


@pytest.mark.parametrize("seed", range(2))
async def test_random_keys_save_what_a_simple_model_says(tmp_path: Path, seed: int) -> None:
    study = one_turn_study(tmp_path / "s.db", "A word.", pairs=60, **ASKS)
    random, model = Random(seed), Model()
    async with sit(study) as seat:
        for _ in range(70):
            # Undo of what is saved is another test's: here it only takes back what is not.
            keys = (*KEYS, "u") if model.at >= 0 else KEYS
            key = random.choice(keys)
            model.press(key)
            await seat.press(key)
            assert (seat.screen.session.asking is not None) is (model.at >= 0)
        found = []
        for vote in votes(study):
            said = as_seen(seat, vote)
            criteria = tuple(said[name] for name in ("accuracy", "style") if name in said)
            overall = {"model_1": 1, "model_2": 2}.get(vote.choice or "", 0)
            seen = {0: str(vote.choice)}.get(overall, "left" if overall == vote.left else "right")
            found.append((vote.cannot_judge or seen, criteria, vote.confidence or 0, vote.tags))
    assert found == model.log
    assert len(found) >= 3


def killed(study: Path, random: Random) -> None:
    """Vote with every detail as fast as it goes, and kill -9 somewhere behind a finished pair."""

    def done() -> int:
        found = re.search(r"(\d+) done", seat.text())
        return int(found[1]) if found else -1

    with terminal(["--db", str(study), "annotate", "--as", "ann"]) as seat:
        seat.until(lambda: done() >= 0)
        wanted, rest = done() + random.randint(1, 3), random.randint(0, 20)
        deadline = time.monotonic() + PATIENCE
        while rest:
            assert time.monotonic() < deadline, seat.text()
            rest -= done() >= wanted
            seat.send(random.choice("1231231231\r\r\rfc"))
            seat.read(0.002)
        os.kill(seat.pid, signal.SIGKILL)
        seat.drain()


def killed_often(study: Path, times: int, seed: int) -> None:
    random = Random(seed)
    for _ in range(times):
        killed(study, random)
    with Store(study) as store:
        assert store.verify() == []
        said = [vote for vote, _ in store.reading.said()]
        loads = store.connection.execute(
            "SELECT q.load, (SELECT count(*) FROM assignment a WHERE a.pair_id = q.pair_id "
            "AND a.state IN ('open', 'done')) FROM queue q"
        ).fetchall()
    assert all(load == held for load, held in loads)
    whole = [vote for vote in said if not vote.cannot_judge]
    assert len(whole) >= times
    for vote in whole:
        assert set(vote.criteria) == {"accuracy", "style"}
        assert vote.confidence in (1, 2, 3)
    for vote in said:
        if vote.cannot_judge:
            assert (vote.choice, vote.confidence, vote.tags) == (None, None, ())
    assert len({vote.pair for vote in said}) == len(said)


def test_kill_9_leaves_whole_votes_or_none(tmp_path: Path) -> None:
    killed_often(one_turn_study(tmp_path / "s.db", "A word.", pairs=150, **ASKS), 3, seed=3)


@pytest.mark.slow
def test_kill_9_leaves_whole_votes_or_none_thirty_times(tmp_path: Path) -> None:
    killed_often(one_turn_study(tmp_path / "s.db", "A word.", pairs=900, **ASKS), 30, seed=4)
