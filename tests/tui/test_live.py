"""Numbers that follow a study: what a vote changes comes at once, what takes long after."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.stats import Tally, registered
from db.feed import Feed
from db.store import Store
from tests.tui.test_annotate import make_study
from tests.tui.test_lead import vote
from tests.waiting import PATIENCE
from tui.live import Moment, Numbers, Refresher, follow, options_of

QUICK = {each.id for each in registered() if each.follows}
SLOW = {each.id for each in registered() if not each.follows}
FITTED = {"gold_models", "confusion"}
"""What cannot be told before a full fit, in a study of a few items without rulings."""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study.db")


@contextmanager
def refreshing(study: Path, *only: str, **chosen: Any) -> Iterator[Refresher]:
    with Store(study) as store:
        yield Refresher(Feed(store, Tally()), lambda: options_of(store, **chosen), only)


def in_full(refresher: Refresher) -> Numbers:
    told = refresher.catch_up()
    while refresher.due:
        told = refresher.step()
    return told


def test_what_a_vote_changes_is_told_before_what_takes_long(study: Path) -> None:
    vote(study, "ann", 2)
    with refreshing(study) as refresher:
        told = refresher.catch_up()
        assert set(told.changed) == QUICK - FITTED
        assert {result.id for result in told.results} == QUICK - FITTED
        assert set(told.as_of.values()) == {told.now} == {Moment(2, 0)}
        complete = in_full(refresher)
        assert [result.id for result in complete.results] == [each.id for each in registered()]
        vote(study, "bob", 1)
        assert refresher.feed.stale()
        told = refresher.catch_up()
        assert told.now == Moment(3, 0)
        assert {told.as_of[id] for id in QUICK} == {Moment(3, 0)}
        assert {told.as_of[id] for id in SLOW} == {Moment(2, 0)}
        first = refresher.step()
        (changed,) = first.changed
        assert first.as_of[changed] == Moment(3, 0)


def test_a_full_fit_is_made_in_parts_and_stepped_along_meanwhile(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.live._AT_A_TIME", 0.0)
    vote(study, "ann", 2)
    with refreshing(study, "gold_models", "coverage") as refresher:

        def said() -> str:
            lines = refresher.results["gold_models"].assumptions
            (found,) = (line for line in lines if "full fit" in line)
            return found

        assert refresher.catch_up().changed == ("coverage",)
        assert refresher.step().changed == ()  # a part of the fit
        vote(study, "bob", 1)
        # What is new is told before the fit is there, and the fit goes on where it was.
        assert refresher.catch_up().changed == ("coverage",)
        parts = 0
        while "gold_models" not in refresher.step().changed:
            parts += 1
        assert parts > 1
        assert said() == "dawid-skene: full fit at vote 3"
        vote(study, "cat", 1)
        told = refresher.catch_up()
        assert set(told.changed) == {"coverage", "gold_models"}
        assert told.as_of["gold_models"] == told.now
        assert said() == "dawid-skene: full fit at vote 3; 1 item has been stepped in since"
        assert refresher.due == ("gold_models",)
        in_full(refresher)
        assert said() == "dawid-skene: full fit at vote 4"


def test_a_steady_stream_of_votes_starves_no_statistic(study: Path) -> None:
    slow = ("ppi", "audits", "failures")
    with refreshing(study, "coverage", *slow) as refresher:
        in_full(refresher)
        for number in range(len(slow)):
            vote(study, f"ann{number}", 1)
            refresher.catch_up()
            told = refresher.step()
        assert {told.as_of[id].vote for id in slow} == {1, 2, 3}


@pytest.mark.parametrize("chosen", [{}, {"annotator": "ann"}, {"model": "zebra-9b"}])
def test_kept_numbers_are_those_of_a_study_read_anew(study: Path, chosen: dict[str, Any]) -> None:
    vote(study, "ann", 2)
    with refreshing(study, **chosen) as refresher:
        in_full(refresher)
        vote(study, "ann", 1)
        vote(study, "bob", 3)
        kept = in_full(refresher)
    with refreshing(study, **chosen) as afresh:
        assert in_full(afresh).results == kept.results


def test_nothing_is_computed_where_nothing_came(study: Path) -> None:
    with refreshing(study, "agreement", "ppi") as refresher:
        in_full(refresher)
        assert refresher.catch_up().changed == ()
        assert not refresher.due
        # A setting changes numbers as a vote does.
        with Store(study) as store:
            store.set({"elo_k": 8})
        assert refresher.catch_up().changed == ("agreement",)
        assert refresher.due == ("ppi",)


def test_following_tells_what_changed_until_told_to_end(study: Path) -> None:
    told: list[tuple[str, ...]] = []
    waits = 0

    def wait(seconds: float) -> bool:
        nonlocal waits
        if seconds:
            waits += 1
            if waits == 1:
                vote(study, "ann", 1)
        return waits > 1

    with refreshing(study, "coverage", "ppi") as refresher:
        follow(refresher, lambda numbers: told.append(numbers.changed), wait)
    assert told == [("coverage",), ("ppi",), ("coverage",), ("ppi",)]


def test_the_command_prints_a_line_for_each_change_and_ends_when_interrupted(study: Path) -> None:
    command = [sys.executable, "-m", "tui", "--db", str(study), "stats", "coverage", "elo"]
    child = subprocess.Popen(
        [*command, "--follow", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert child.stdout is not None
        first = json.loads(child.stdout.readline())
        vote(study, "ann", 2)
        # Somebody who came is a change, too.
        second = next(line for line in map(json.loads, child.stdout) if line["as_of"]["vote"] == 2)
        child.send_signal(signal.SIGINT)
        rest, said = child.communicate(timeout=PATIENCE)
    finally:
        child.kill()
    assert first["as_of"] == {"vote": 0, "verdict": 0}
    assert [each["id"] for each in second["statistics"]] == ["coverage", "elo"]
    assert (child.returncode, said) == (0, "")
    assert all(json.loads(line)["format"] == 1 for line in rest.splitlines())
