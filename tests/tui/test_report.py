"""The report command: what it writes, whom it names, what it is set beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.records import Role, Seen
from db.store import Store
from tests.studies import FakeClock, make_study, serve, vote, write_lines
from tests.tui.test_cli import Done
from tui.cli import run

CANARY = "zzcanaryannotator"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def study(tmp_path: Path, clock: FakeClock) -> Path:
    """Twelve pairs of three models; two people voted on the first day."""
    path = make_study(
        tmp_path / "study.db", questions=12, models=("ant", "bee", "cat"), overlap=3, clock=clock
    )
    cast(path, clock, f"{CANARY}-1", 30)
    cast(path, clock, f"{CANARY}-2", 30)
    return path


def cast(path: Path, clock: FakeClock, name: str, votes: int) -> None:
    with Store(path, clock=clock) as store:
        person = store.annotator(name)
        for number in range(votes):
            clock.forward(seconds=30)
            seen = (Seen.LEFT, Seen.RIGHT, Seen.TIE, Seen.LEFT)[number % 4]
            vote(store, person, serve(store, person), seen)


@pytest.fixture
def tiebreak(capsys: pytest.CaptureFixture[str], study: Path) -> Any:
    def call(*arguments: object) -> Done:
        code = run(["--db", str(study), *map(str, arguments)])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


def test_the_name_of_the_file_says_what_is_written(tiebreak: Any, tmp_path: Path) -> None:
    page, text = tmp_path / "out.html", tmp_path / "out.md"
    assert tiebreak("report", page).code == tiebreak("report", text).code == 0
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert text.read_text("utf-8").startswith("# Report on study\n")
    done = tiebreak("report", "-", "--format", "markdown")
    assert done.out.splitlines()[8:] == text.read_text("utf-8").splitlines()[8:]
    assert "sections written" in done.err
    odd = tiebreak("report", tmp_path / "out.pdf")
    assert odd.code == 2
    assert "name it .html or .md" in odd.err
    assert not (tmp_path / "out.pdf").exists()


def test_every_number_of_stats_stands_in_the_report(tiebreak: Any, tmp_path: Path) -> None:
    from core.numbers import value_text

    tiebreak("report", tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text("utf-8")
    for one in tiebreak("stats", "--json").json["statistics"]:
        _, _, section = text.partition(f'<h2 id="{one["id"]}">')
        section = section.partition("<h2")[0]
        assert section, one["id"]
        for each in one["estimates"]:
            shown = each["reason"] or value_text(each["value"], each["unit"])
            assert shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in section


def test_people_are_pseudonyms_unless_names_are_asked_for(tiebreak: Any, tmp_path: Path) -> None:
    for name in ("out.html", "out.md"):
        tiebreak("report", tmp_path / name)
        assert CANARY not in (tmp_path / name).read_text("utf-8")
        tiebreak("report", tmp_path / name, "--names")
        assert f"{CANARY}-1" in (tmp_path / name).read_text("utf-8")


def test_beside_a_date_stands_what_the_numbers_were_then(
    tiebreak: Any, study: Path, clock: FakeClock, tmp_path: Path
) -> None:
    before = {one["id"]: one["estimates"] for one in tiebreak("stats", "--json").json["statistics"]}
    day = clock().date().isoformat()
    clock.forward(days=2)
    cast(study, clock, "late", 36)
    tiebreak("report", tmp_path / "out.md", "--against", day, "--only", "coverage")
    text = (tmp_path / "out.md").read_text("utf-8")
    assert before["coverage"][0]["value"] == 60
    assert "| human | votes | 96 | 60 | +36 |" in text


def test_a_vote_that_was_taken_back_later_counts_as_of_then(
    tiebreak: Any, study: Path, clock: FakeClock, tmp_path: Path
) -> None:
    day = clock().date().isoformat()
    clock.forward(days=2)
    with Store(study, clock=clock) as store:
        person = store.annotator(f"{CANARY}-2")
        for number in range(3):
            assert store.voting.undo(person, "local:x", f"undone-{number}") is not None
    tiebreak("report", tmp_path / "out.md", "--against", day, "--only", "coverage")
    assert "| human | votes | 57 | 60 | -3 |" in (tmp_path / "out.md").read_text("utf-8")


def test_two_studies_stand_beside_each_other(tiebreak: Any, study: Path, tmp_path: Path) -> None:
    other = make_study(tmp_path / "other.db", questions=4, models=("ant", "bee", "cat"))
    tiebreak("report", tmp_path / "out.md", "--against", other)
    text = (tmp_path / "out.md").read_text("utf-8")
    assert "## Beside other" in text
    assert "in errors" in text


@pytest.mark.parametrize(
    ("against", "why"),
    [
        ("nowhere.db", "no such study"),
        ("2026-13-45", "no date"),
        ("9999-12-31T23:59:59-12:00", "no date"),
        ("README.md", "not a study"),
    ],
)
def test_what_cannot_be_set_beside_is_refused_and_nothing_written(
    tiebreak: Any, tmp_path: Path, against: str, why: str
) -> None:
    out = tmp_path / "out.html"
    out.write_text("the last report", "utf-8")
    if why == "not a study":
        (tmp_path / against).write_text("hello " * 100, "utf-8")
        against = str(tmp_path / against)
    done = tiebreak("report", out, "--against", against)
    assert done.code != 0
    assert why in done.err
    assert out.read_text("utf-8") == "the last report"
    assert not list(tmp_path.glob(".out*"))


def test_an_empty_study_has_a_report_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "empty.db"
    Store(path, create=True).close()
    assert run(["--db", str(path), "report", str(tmp_path / "out.html")]) == 0
    assert "nothing to say yet" in (tmp_path / "out.html").read_text("utf-8")
    assert "nan" not in (tmp_path / "out.html").read_text("utf-8").lower().split()
    capsys.readouterr()


@pytest.mark.parametrize(
    "words",
    [
        ("report", "--format", "html"),
        ("export", "gold", "-o"),
        ("export", "votes", "--format", "csv", "-o"),
        ("export", "study", "-o"),
    ],
)
def test_nothing_is_written_over_a_study(
    tiebreak: Any, study: Path, words: tuple[str, ...]
) -> None:
    with Store(study) as store:
        before = store.heads()
    done = tiebreak(*words, study)
    assert done.code == 1
    assert "is a database, perhaps a study" in done.err
    with Store(study) as store:
        assert store.heads() == before


def test_who_only_leads_is_no_annotator_and_undated_votes_are_told_of(
    tiebreak: Any, study: Path, tmp_path: Path
) -> None:
    with Store(study) as store:
        store.annotator("lea", role=Role.LEAD)
    tiebreak("report", tmp_path / "out.md", "--against", "2020-01-01", "--only", "coverage")
    text = (tmp_path / "out.md").read_text("utf-8")
    assert "| Votes | 60 by 2 annotators |" in text
    assert "without a time" not in text
    table = write_lines(
        tmp_path / "undated.jsonl",
        {"type": "annotator", "name": "old"},
        {"type": "vote", "question": "q1", "model_1": "ant", "model_2": "bee", "turn": 1,
         "annotator": "old", "choice": "tie", "id": "old-1"},
    )  # fmt: skip
    assert tiebreak("import", table).code == 0
    tiebreak("report", tmp_path / "out.md", "--against", "2020-01-01", "--only", "coverage")
    text = (tmp_path / "out.md").read_text("utf-8")
    assert "| Votes without a time | 1, counted as cast before any date |" in text
