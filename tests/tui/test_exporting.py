"""What leaves a study: pseudonyms and no notes unless asked for, and nothing a sheet would run."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from core.gold import GoldRule
from core.layouts.rows import Options
from core.records import (
    Annotator,
    Choice,
    Judge,
    Pair,
    Question,
    Ruling,
    RulingChoice,
    RulingStage,
    Seen,
    Setting,
    Verdict,
    VerdictStatus,
    Vote,
)
from db.pairs import make
from db.store import Store
from db.voting import Declined
from tests.docs import said
from tests.studies import FakeClock, full_study, located, make_study, serve, vote
from tui.cli import run
from tui.exporting import gold_rows, write
from tui.importing import import_path

SECRET = "the annotator's private note"
ASKED: dict[str, Any] = {"confidence": "guess, sure", "tags": "clear", "criteria": "accuracy"}
PEOPLE = ("dora@example.org", "emil", "fay")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    path = make_study(tmp_path / "study.db", questions=2, overlap=3, clock=FakeClock(), **ASKED)
    with Store(path, clock=FakeClock()) as opened:
        for number, name in enumerate(PEOPLE):
            person = opened.annotator(name)
            for turn in range(2):
                served = serve(opened, person)
                choice = Seen.BOTH_BAD if served.question[0].startswith("q1") else Seen.TIE
                vote(
                    opened, person, served, choice if number else Seen.LEFT,
                    note=SECRET, flag="rude" if turn else "", confidence=2, active_seconds=2.5,
                    tags=("clear",), criteria={"accuracy": Seen.LEFT},
                )  # fmt: skip
        yield opened


def exported(store: Store, what: str, format_name: str = "jsonl", **options: Any) -> str:
    stream = io.StringIO(newline="")
    count = write(store, what, format_name, Options(**options), stream).count
    text = stream.getvalue()
    if format_name == "jsonl":
        assert text.count("\n") == count
    return text


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


# ── who and what ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
@pytest.mark.parametrize("what", ["gold", "votes"])
def test_nobody_is_named_and_no_note_leaves_unless_asked_for(
    store: Store, what: str, format_name: str
) -> None:
    text = exported(store, what, format_name)
    for private in (*PEOPLE, SECRET, "rude", "local:", "a fixed seed"):
        assert private not in text
    assert exported(store, what, format_name) == text


def test_pseudonyms_are_the_same_in_every_export_and_differ_between_studies(
    store: Store, tmp_path: Path
) -> None:
    votes = {line["annotator"] for line in objects(exported(store, "votes"))}
    gold = {v["annotator"] for row in objects(exported(store, "gold")) for v in row["votes"]}
    sheet = {row["annotator"] for row in table(exported(store, "votes", "csv"))}
    assert votes == gold == sheet
    assert len(votes) == 3
    with Store(tmp_path / "other.db", create=True) as other:
        name = PEOPLE[0]
        other.ingest.take(located([Vote("v", Pair("q", "a", "b"), 1, name, Choice.TIE)]))
        assert objects(exported(other, "votes"))[0]["annotator"] not in votes


def test_names_and_notes_leave_when_they_are_asked_for(store: Store) -> None:
    named = objects(exported(store, "votes", names=True))
    assert {line["annotator"] for line in named} == set(PEOPLE)
    assert all("note" not in line for line in named)
    noted = objects(exported(store, "votes", notes=True))
    assert {line["note"] for line in noted} == {SECRET}
    assert not {line["annotator"] for line in noted} & set(PEOPLE)
    both = objects(exported(store, "gold", names=True, notes=True))
    trail = [v for row in both for v in row["votes"]]
    assert {v["annotator"] for v in trail} == set(PEOPLE)
    assert {v["note"] for v in trail} == {SECRET}
    assert {v["flag"] for v in trail} == {"", "rude"}


def test_that_a_vote_is_flagged_is_no_secret_but_why_is(store: Store) -> None:
    flags = [line.get("flag") for line in objects(exported(store, "votes"))]
    assert sorted(flags, key=str) == [None] * 3 + ["flagged"] * 3
    assert {v["flagged"] for row in objects(exported(store, "gold")) for v in row["votes"]} == {
        True,
        False,
    }
    noted = objects(exported(store, "votes", notes=True))
    assert sum(line.get("flag") == "rude" for line in noted) == 3


def test_leads_are_pseudonyms_too(store: Store) -> None:
    pair = Pair("q1", "ant", "bee")
    store.ingest.take(
        located([Ruling("r", pair, 1, "lea", RulingStage.BLIND, RulingChoice.MODEL_1, "clear")])
    )
    rulings = [r for row in objects(exported(store, "gold")) for r in row["rulings"]]
    assert [r["choice"] for r in rulings] == ["model_1"]
    assert "lea" not in json.dumps([r["lead"] for r in rulings])


# ── gold ────────────────────────────────────────────────────────────────────


def test_gold_says_what_it_rests_on(store: Store) -> None:
    pair = Pair("q1", "ant", "bee")
    store.ingest.take(
        located(
            [
                Judge("j", "imported"),
                Verdict("w1", pair, 1, "j", VerdictStatus.OK, Choice.TIE, 2, scores=(1.0, 2.0),
                        prompt="p", prompt_hash="h", label="C"),
                Verdict("w2", pair, 1, "j", VerdictStatus.FAILED, left=1, error="503"),
            ]
        )
    )  # fmt: skip
    first, second = gold_rows(store, Options())
    assert (first["question"], first["label"], first["decided_by"]) == (
        "q1", "both_bad", "majority",
    )  # fmt: skip
    assert (second["question"], second["label"]) == ("q2", "tie")
    assert sum(first["counts"].values()) == 3
    assert first["counts"]["both_bad"] == 2
    assert first["why"] == "2 of 3 votes"
    for cast in first["votes"]:
        assert cast["policy"] == "least-voted/2"
        assert 0 < cast["probability"] <= 1
        assert cast["left"] in ("model_1", "model_2")
        assert (cast["confidence"], cast["active_seconds"]) == (2, 2.5)
        assert (cast["tags"], cast["criteria"]) == (["clear"], {"accuracy": cast["left"]})
    assert [
        (v["id"], v["left"], v["status"], v["choice"], v["prompt_hash"], v["error"])
        for v in first["verdicts"]
    ] == [
        ("w1", "model_2", "ok", "tie", "h", None),
        ("w2", "model_1", "failed", None, "", "503"),
    ]
    assert second["verdicts"] == second["rulings"] == []


def test_who_cannot_judge_stands_in_the_trail_and_counts_for_nothing(store: Store) -> None:
    before = list(gold_rows(store, Options()))
    gus, hal = store.annotator("gus"), store.annotator("hal")
    make(store, overlap=5)
    for person in (gus, hal):
        served = serve(store, person)
        store.voting.decline(
            person, "local", Declined(f"d{person}", served.assignment, 1, "not my field", SECRET)
        )
    after = list(gold_rows(store, Options()))
    found = [one for row in after for one in row.pop("cannot_judge")]
    assert [row.pop("cannot_judge") for row in before] == [[], []]
    assert after == before
    assert [(one["reason"], one["simulated"]) for one in found] == [("not my field", False)] * 2
    assert not {"gus", "hal"} & {one["annotator"] for one in found}
    lines = [json.loads(line) for line in exported(store, "votes").splitlines()]
    assert sorted(line.get("cannot_judge", "") for line in lines)[-2:] == ["not my field"] * 2
    assert len(lines) == 8
    assert SECRET not in exported(store, "votes") + exported(store, "gold")
    assert SECRET in exported(store, "gold", notes=True)
    assert len(table(exported(store, "votes", "csv"))) == 6


def test_the_rule_and_the_excluded_groups_hold(store: Store) -> None:
    pair = Pair("q1", "ant", "bee")
    crowd = [Annotator(f"c{n}", group="crowd") for n in range(5)]
    cast = [Vote(f"x{n}", pair, 1, f"c{n}", Choice.MODEL_1) for n in range(5)]
    store.ingest.take(located([*crowd, *cast]))
    label = {row["question"]: row["label"] for row in gold_rows(store, Options())}
    assert label["q1"] == "model_1"
    strict = Options(rule=GoldRule(share=0.9))
    assert {row["label"] for row in gold_rows(store, strict)} == {None}
    store.set({"exclude_groups": "crowd"})
    (row,) = [row for row in gold_rows(store, Options()) if row["question"] == "q1"]
    assert (row["label"], sum(row["counts"].values()), len(row["votes"])) == ("both_bad", 3, 3)


def test_the_flat_table_has_a_row_for_each_pair_and_turn(store: Store) -> None:
    rows = table(exported(store, "gold", "csv"))
    assert [(row["question"], row["label"]) for row in rows] == [("q1", "both_bad"), ("q2", "tie")]
    assert [row["votes_both_bad"] for row in rows] == ["2", "0"]
    unresolved = table(exported(store, "gold", "csv", rule=GoldRule(min_votes=9)))
    assert {row["label"] for row in unresolved} == {""}


# ── hostile text ────────────────────────────────────────────────────────────

HOSTILE = ["=1+1", "+1", "-1", "@x", 'a,"b"\r\nc\rd', "\u2028,;\t", "'=1", "=cmd|' /C calc'!A0"]


def hostile_study(path: Path) -> Store:
    store = Store(path, create=True)
    store.ingest.take(
        located(
            [
                *(Question(text.replace("\r", " ").replace("\n", " ").replace("\t", " "), ("x",),
                           text) for text in HOSTILE),
                *(Vote(f"v{n}", Pair(text.replace("\r", " ").replace("\n", " ").replace("\t", " "),
                                     "-b", "=a"), 1, f"@{n}", Choice.BOTH_BAD, note=text, flag=text,
                       left=1) for n, text in enumerate(HOSTILE)),
            ]
        )
    )  # fmt: skip
    return store


@pytest.mark.parametrize("what", ["gold", "votes"])
def test_no_cell_of_a_table_is_a_formula(tmp_path: Path, what: str) -> None:
    with hostile_study(tmp_path / "study.db") as store:
        rows = list(csv.reader(io.StringIO(exported(store, what, "csv", names=True, notes=True),
                                           newline="")))  # fmt: skip
    assert len(rows) == 1 + len(HOSTILE)
    assert len({len(row) for row in rows}) == 1
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_table_of_votes_is_read_back_to_the_letter(tmp_path: Path) -> None:
    def said(store: Store) -> list[tuple[object, ...]]:
        return [
            (v.pair, v.turn, v.annotator, v.choice, v.left, v.note, v.flag)
            for v, _ in store.reading.votes()
        ]

    with hostile_study(tmp_path / "first.db") as first:
        expected = said(first)
        path = tmp_path / "votes.csv"
        path.write_text(
            exported(first, "votes", "csv", names=True, notes=True), encoding="utf-8", newline=""
        )
    import_path(tmp_path / "second.db", path)
    with Store(tmp_path / "second.db") as second:
        assert said(second) == expected
    assert [note for *_, note, _ in expected] == HOSTILE


# ── votes and studies to be read back ───────────────────────────────────────


def test_votes_are_read_back_with_what_they_say(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_text(exported(store, "votes"), encoding="utf-8")
    import_path(tmp_path / "second.db", path)
    with Store(tmp_path / "second.db") as second:
        items = {(i.pair, i.turn): [v.choice for v, _ in i.votes] for i in second.reading.items()}
    assert items == {
        (i.pair, i.turn): [v.choice for v, _ in i.votes] for i in store.reading.items()
    }


def test_a_whole_study_is_read_back_as_it_was(tmp_path: Path) -> None:
    with Store(full_study(tmp_path / "first.db")) as first:
        text = exported(first, "study")
        first.set({"overlap": 5})
        assert exported(first, "study") != text
        text = exported(first, "study")
    path = tmp_path / "study.jsonl"
    path.write_text(text, encoding="utf-8", newline="")
    import_path(tmp_path / "second.db", path)
    with Store(tmp_path / "second.db") as second:
        assert exported(second, "study") == text
        assert second.verify() == []


def test_the_seed_never_leaves(tmp_path: Path) -> None:
    with Store(full_study(tmp_path / "study.db")) as store:
        make(store)
        for what in ("gold", "votes", "study"):
            assert store.seed not in exported(store, what, names=True, notes=True)


def test_a_whole_study_is_no_flat_table(store: Store) -> None:
    with pytest.raises(UsageError, match="no flat table"):
        exported(store, "study", "csv")


@pytest.mark.parametrize("what", ["gold", "votes", "study"])
@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_an_empty_study_has_nothing_to_tell(tmp_path: Path, what: str, format_name: str) -> None:
    with Store(tmp_path / "study.db", create=True) as store:
        store.ingest.take(located([Setting("name", "x")]))
        if what == "study":
            assert objects(exported(store, what)) == [{"type": "study", "name": "x"}]
        else:
            assert len(exported(store, what, format_name).splitlines()) == (format_name == "csv")


def test_a_reader_that_hangs_up_leaves_the_study_usable(store: Store) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    for what in ("gold", "votes", "study"):
        with pytest.raises(BrokenPipeError):
            write(store, what, "jsonl", Options(), Closed())
        store.set({"overlap": 3})
    assert store.verify() == []


@pytest.mark.parametrize("words", [("export", "gold", "-o"), ("report", "--format", "html")])
def test_what_is_no_ordinary_file_is_refused_and_a_link_is_followed(
    store: Store, words: tuple[str, ...]
) -> None:
    folder = store.path.parent
    pipe, link, dangling = folder / "pipe", folder / "link", folder / "dangling"
    kept, new = folder / "kept", folder / "new"
    os.mkfifo(pipe)
    kept.write_text("old")
    link.symlink_to(kept.name)
    dangling.symlink_to(new.name)
    (folder / "to-pipe").symlink_to(pipe.name)
    listed = set(folder.iterdir())
    call = ["--db", str(store.path), *words]
    for name in (pipe, folder / "to-pipe"):
        code, told = said([*call, str(name)])
        assert code == 1
        assert f"{name}: is a device or a pipe, and no file" in told
    assert pipe.is_fifo()
    assert set(folder.iterdir()) == listed
    assert said([*call, str(link)])[0] == said([*call, str(dangling)])[0] == 0
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert kept.read_bytes()[:40] == new.read_bytes()[:40] != b"old"
    assert said([*call, str(kept)])[0] == 0, "an earlier file is replaced"
    if words[0] == "export":
        assert kept.with_name("kept.manifest.json").is_file()
        assert not link.with_name("link.manifest.json").exists()
        assert said(["--db", str(store.path), "verify", str(link)])[0] == 0


def test_a_dash_is_standard_output(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.path.parent)
    call = ["--db", str(store.path)]
    assert run([*call, "export", "gold", "-o", "-"]) == 0
    told = capsys.readouterr()
    assert told.out == exported(store, "gold")
    assert told.err.endswith("written to stdout\n")
    assert run([*call, "report", "-", "--only", "coverage"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("# Report on ")
    assert told.err == "1 section written to stdout\n"
    assert said([*call, "replay", "any.manifest.json", "--to", "-"])[0] == 2
    assert not Path("-").exists()


@pytest.mark.parametrize(
    ("option", "what"),
    [
        ("--model", "model"), ("--judge", "judge"), ("--category", "category"),
        ("--group", "annotator group"), ("--annotator", "annotator"),
    ],
)  # fmt: skip
def test_a_misspelt_filter_is_refused_and_nothing_is_written(
    store: Store, option: str, what: str
) -> None:
    output = store.path.with_name("gold.jsonl")
    words = ["--db", str(store.path), "export", "gold", "-o", str(output)]
    code, told = said([*words, option, "nobody"])
    assert code == 2
    assert f"no {what} is called 'nobody'" in told
    assert "there are: " in told
    assert not output.exists()
    names = {"--model": "ant", "--category": "maths", "--annotator": "emil"}
    if option in names:
        assert said([*words, option, names[option]])[0] == 0
        assert output.exists()
