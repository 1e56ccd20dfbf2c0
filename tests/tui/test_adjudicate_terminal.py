"""Leads in real terminals: two at once, killed, hung up, and a hundred rulings on MT-bench."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from db.store import Store
from tests.adjudicating import (
    ESCAPE,
    F6,
    WORDS,
    chooses,
    disputed_study,
    disputes,
    opens_the_list,
    rules,
    rulings,
    sits_down,
)
from tests.studies import rows
from tests.terminal import terminal
from tui.cli import run


def standing(study: Path) -> list[tuple[str, str]]:
    """Case and lead of each ruling that stands."""
    return rows(
        study,
        "SELECT p.key || '/' || v.turn, a.name FROM ruling v JOIN pair p ON p.id = v.pair_id "
        "JOIN annotator a ON a.id = v.lead_id WHERE v.choice IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM ruling w WHERE w.supersedes = v.id) ORDER BY v.seq",
    )


def kept(study: Path) -> list[str]:
    """The reasons that are begun and not given yet."""
    return [reason for (reason,) in rows(study, "SELECT reason FROM ruling_draft")]


def test_two_leads_at_once_never_rule_on_one_case(tmp_path: Path) -> None:
    study = disputed_study(tmp_path / "study.db", disputes(12))
    with (
        terminal(sits_down(study, "lea"), columns=120, rows=40) as lea,
        terminal(sits_down(study, "leo")) as leo,
    ):
        for seat in (lea, leo):
            opens_the_list(seat)
        for number in range(6):
            key = "1234"[number % 4]
            for seat in (lea, leo):
                chooses(seat, key)  # both have a case open, and the text area too
            for seat in (lea, leo):
                seat.send(f"so {number}")
            for seat in (lea, leo):
                seat.shows(f"so {number}")
            for seat in (lea, leo):
                seat.send(ESCAPE)
            for seat in (lea, leo):
                seat.shows(f"✓ Ruled: {WORDS[key]}.")
        for seat in (lea, leo):
            seat.shows("Every case of this list is ruled on")
            seat.send("\x11")
            assert seat.wait() == 0
    cases = standing(study)
    assert len(cases) == len({case for case, _ in cases}) == 12
    assert {lead for _, lead in cases} == {"lea", "leo"}
    with Store(study) as store:
        assert store.verify() == []


def test_killed_amid_a_ruling_nothing_that_was_said_to_be_ruled_is_lost(tmp_path: Path) -> None:
    study = disputed_study(tmp_path / "study.db")
    with terminal(sits_down(study, "lea")) as seat:
        opens_the_list(seat)
        rules(seat, "3", "one")
        rules(seat, "4", "two")
        chooses(seat, "1")
        seat.send("half a thought")
        seat.until(lambda: kept(study) == ["half a thought"])
        seat.kill(signal.SIGKILL)
        seat.wait()
    assert [reason for (reason,) in rows(study, "SELECT reason FROM ruling")] == ["one", "two"]
    with terminal(sits_down(study, "lea")) as seat:
        seat.shows("Ctrl+Q")
        seat.send(F6)
        seat.shows("2 ruled, 4 left")
        seat.shows("yours")
        seat.shows("open on your screen")
        seat.send("\r")
        seat.shows("The reason that you began is here")
        seat.decides("1", "✓ Ruled: A is better.")
    assert [reason for (reason,) in rows(study, "SELECT reason FROM ruling")] == [
        "one",
        "two",
        "half a thought",
    ]
    with Store(study) as store:
        assert store.verify() == []


@pytest.mark.parametrize("wait", [0.12, 0.13, 0.15, 0.18])
def test_killed_in_the_moment_of_a_ruling_it_is_there_whole_or_not_at_all(
    tmp_path: Path, wait: float
) -> None:
    study = disputed_study(tmp_path / "study.db")
    with terminal(sits_down(study, "lea")) as seat:
        opens_the_list(seat)
        chooses(seat, "3")
        seat.send("so far")
        seat.until(lambda: kept(study) == ["so far"])
        seat.send(ESCAPE)
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            seat.read(0.005)
        seat.kill(signal.SIGKILL)
        seat.drain()
        is_said = "✓ Ruled" in seat.text()
        seat.wait()
    reasons = [reason for (reason,) in rows(study, "SELECT reason FROM ruling")]
    # Either it is ruled, or the reason still waits for its ruling.
    assert (reasons, kept(study)) in ((["so far"], []), ([], ["so far"]))
    assert reasons or not is_said
    with Store(study) as store:
        assert store.verify() == []


def test_a_dropped_line_frees_the_case_and_keeps_the_reason_to_the_last_letter(
    tmp_path: Path,
) -> None:
    study = disputed_study(tmp_path / "study.db")
    with terminal(sits_down(study, "lea")) as seat:
        opens_the_list(seat)
        assert rows(study, "SELECT count(*) FROM ruling_lease") == [(1,)]
        seat.send("n")
        seat.shows("Reason for your ruling")
        seat.send("half a tho")
        seat.shows("half a tho")
        seat.kill(signal.SIGHUP)
        seat.wait()
    assert rows(study, "SELECT count(*) FROM ruling_lease") == [(0,)]
    assert kept(study) == ["half a tho"]
    assert rulings(study) == 0


def test_only_the_owner_says_as_whom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = disputed_study(tmp_path / "study.db", disputes(1))
    assert run(["--db", str(study), "lead", "--as", "no\nname"]) == 2
    assert "name" in capsys.readouterr().err
