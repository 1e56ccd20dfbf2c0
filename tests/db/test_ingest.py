"""An import is all or nothing, says where it stopped, and done twice it changes nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput, Conflict, TiebreakError
from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Pair,
    Question,
    Record,
    Role,
    Ruling,
    RulingChoice,
    RulingStage,
    Setting,
    Verdict,
    VerdictStatus,
    Vote,
)
from db.store import Store
from tests.studies import (
    FILE,
    FILES,
    SHARED,
    FakeClock,
    as_lines,
    dump,
    every_record,
    located,
    rows,
    write_lines,
)
from tui.importing import import_path

PAIR = Pair("q", "a", "b")
NAMED_PAIR = {"question": "q", "model_1": "a", "model_2": "b"}
VOTE = {"type": "vote", **NAMED_PAIR, "annotator": "n", "choice": "tie"}
VERDICT = {"type": "verdict", **NAMED_PAIR, "judge": "j", "choice": "tie"}
RULING = {
    "type": "ruling", **NAMED_PAIR, "lead": "l", "stage": "blind", "choice": "tie", "reason": "y",
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "study.db", create=True, clock=FakeClock()) as opened:
        yield opened


def take(store: Store, *records: Record) -> None:
    store.ingest.take(located(records), FILES)


# ── twice is once ───────────────────────────────────────────────────────────


def whole_file(path: Path) -> Path:
    path.write_text(as_lines(every_record()), encoding="utf-8")
    return path


def csv_file(path: Path) -> Path:
    path.write_text(
        "question_id,model_a,model_b,question,answer_a,answer_b,winner,annotator,left\n"
        "q,z,a,Why?,Because.,No.,model_a,ann,model_b\n"
        "q,z,a,,,,model_a,ann,model_b\n"
        "q,z,a,,,,both_bad,bob,\n"
        "p,a,z,,,,tie,bob,\n",
        encoding="utf-8",
    )
    return path


def unnamed_file(path: Path) -> Path:
    return write_lines(
        path, {"type": "judge", "name": "j"}, VOTE, VERDICT, RULING, {**VOTE, "turn": 2}
    )


def mt_bench(path: Path) -> Path:
    folder = SHARED / "mt_bench"
    if not folder.is_dir():
        pytest.skip("the published MT-bench data is absent")
    return folder


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (whole_file, "study.jsonl"),
        (unnamed_file, "study.jsonl"),
        (csv_file, "table.csv"),
        (mt_bench, ""),
    ],
)
def test_the_same_file_again_changes_nothing(tmp_path: Path, make: Any, name: str) -> None:
    study, path = tmp_path / "study.db", make(tmp_path / name)
    first = import_path(study, path)
    before = dump(study)
    again = import_path(study, path)
    assert dump(study) == before
    assert +again.summary.new == {}
    assert again.summary.unchanged.total() > 0
    assert again.summary.textless == first.summary.textless
    with Store(study) as store:
        assert store.verify() == []


def test_one_line_twice_in_a_file_is_one_record(tmp_path: Path) -> None:
    study = tmp_path / "study.db"
    line = {**VOTE, "id": "v"}
    import_path(study, write_lines(tmp_path / "votes.jsonl", line, line, line))
    assert rows(study, "SELECT id FROM vote") == [("v",)]


def test_a_longer_version_of_a_file_adds_what_is_new(tmp_path: Path) -> None:
    study, path = tmp_path / "study.db", tmp_path / "votes.jsonl"
    import_path(study, write_lines(path, {**VOTE, "id": "v1"}))
    heads = dump(study)
    done = import_path(study, write_lines(path, {**VOTE, "id": "v1"}, {**VOTE, "id": "v2"}))
    assert (done.summary.new["votes"], done.summary.unchanged["votes"]) == (1, 1)
    assert dump(study) != heads
    with Store(study) as store:
        assert store.verify() == []


def test_a_lead_s_own_setting_outlives_another_import(store: Store) -> None:
    take(store, Setting("overlap", 2))
    store.set({"overlap": 3})
    take(store, Setting("overlap", 2))
    assert store.settings()["overlap"] == 3


# ── all or nothing ──────────────────────────────────────────────────────────

LATE: dict[str, tuple[dict[str, Any], str]] = {
    "a broken field": ({**VOTE, "choice": "A"}, "field 'choice'"),
    "a vote that says otherwise": ({**VOTE, "id": "v", "choice": "model_1"}, "says otherwise"),
    "another person's vote": ({**VOTE, "id": "v", "annotator": "m"}, "says otherwise"),
    "another side": ({**VOTE, "id": "v", "left": "model_1"}, "says otherwise"),
    "another turn": ({**VOTE, "id": "v", "turn": 2}, "says otherwise"),
    "a verdict that says otherwise": ({**VERDICT, "id": "w", "left": "model_2"}, "says otherwise"),
    "another status": ({**VERDICT, "id": "w", "choice": None, "status": "failed"}, "otherwise"),
    "a ruling that says otherwise": ({**RULING, "id": "r", "stage": "unmasked"}, "says otherwise"),
    "another history": ({**VOTE, "id": "v", "supersedes": "v2"}, "says otherwise"),
    "a vote in no vote's place": ({**VOTE, "supersedes": "nothing"}, "is not in the study"),
    "a second vote in a vote's place": ({**VOTE, "id": "x", "supersedes": "v"}, "superseded"),
    "a vote in another person's place": ({**VOTE, "annotator": "m", "supersedes": "v2"}, "else"),
    "a vote in another turn's place": ({**VOTE, "turn": 2, "supersedes": "v2"}, "something else"),
    "a vote in another pair's place": ({**VOTE, "model_2": "c", "supersedes": "v2"}, "else"),
    "a verdict in another judge's place": ({**VERDICT, "judge": "k", "supersedes": "w"}, "else"),
    "a ruling in another turn's place": ({**RULING, "turn": 2, "supersedes": "r"}, "else"),
    "an unknown judge": ({**VERDICT, "judge": "nobody"}, "no judge is called 'nobody'"),
    "another configuration": ({"type": "judge", "name": "j", "model": "m"}, "configuration"),
    "another group": ({"type": "annotator", "name": "lea", "group": "x"}, "another role or group"),
    "another text": ({"type": "question", "id": "q", "turns": ["Two?"]}, "another text"),
    "another number of turns": (
        {"type": "answer", "question": "q", "model": "a", "turns": ["x", "y"]},
        "has 2 turns here, but 1",
    ),
    "another answer": ({"type": "answer", "question": "q", "model": "a", "turns": ["y"]}, "text"),
    "another system prompt": (
        {"type": "answer", "question": "q", "model": "a", "turns": ["x"], "system_prompt": "!"},
        "another system prompt or settings",
    ),
    "other settings": (
        {"type": "answer", "question": "q", "model": "a", "turns": ["x"], "settings": {"t": 1}},
        "another system prompt or settings",
    ),
    "another category": (
        {"type": "question", "id": "q", "turns": ["One?"], "category": "prose"},
        "of category 'prose' here, but of 'maths'",
    ),
    "another reference": (
        {"type": "question", "id": "q", "turns": ["One?"], "references": ["s"]},
        "the reference of question 'q' has another text",
    ),
    "too many references": (
        {"type": "question", "id": "q", "references": [None, "t"]},
        "references to more turns than it has",
    ),
    "an unknown setting": ({"type": "study", "colour": "red"}, "field 'colour'"),
    "a setting's wrong value": ({"type": "study", "overlap": "many"}, "field 'overlap'"),
    "half a surrogate pair in a setting": ({"type": "study", "name": "\ud800"}, "field 'name'"),
}
BEFORE = [
    {"type": "study", "name": "A study"},
    {"type": "question", "id": "q", "turns": ["One?"], "category": "maths", "references": ["r"]},
    {"type": "answer", "question": "q", "model": "a", "turns": ["x"], "system_prompt": "p",
     "settings": {"t": 0}},
    {"type": "annotator", "name": "lea", "role": "lead"},
    {"type": "judge", "name": "j"},
    {"type": "judge", "name": "k"},
    {**VOTE, "id": "v"},
    {**VOTE, "id": "v2", "supersedes": "v"},
    {**VERDICT, "id": "w"},
    {**RULING, "id": "r"},
]  # fmt: skip


@pytest.mark.parametrize("what", LATE)
@pytest.mark.parametrize("together", [True, False], ids=["in one file", "in a second file"])
def test_an_error_in_the_last_line_leaves_the_study_as_it_was(
    tmp_path: Path, what: str, together: bool
) -> None:
    study = tmp_path / "study.db"
    line, problem = LATE[what]
    good = [{**VOTE, "annotator": f"new {n}", "turn": 3} for n in range(3)]
    import_path(study, write_lines(tmp_path / "first.jsonl", *([] if together else BEFORE), VOTE))
    before = dump(study)
    path = write_lines(tmp_path / "last.jsonl", *(BEFORE if together else []), *good, "", line)
    with pytest.raises(TiebreakError) as refusal:
        import_path(study, path)
    assert isinstance(refusal.value, BadInput | Conflict)
    number = len(good) + 2 + (len(BEFORE) if together else 0)
    assert refusal.value.message.startswith(f"{path}:{number}")
    assert problem in refusal.value.message
    assert refusal.value.hint
    assert dump(study) == before


def test_a_new_study_is_unmade_when_its_import_fails(tmp_path: Path) -> None:
    study = tmp_path / "study.db"
    with pytest.raises(BadInput):
        import_path(study, write_lines(tmp_path / "votes.jsonl", VOTE, {**VOTE, "choice": "A"}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["votes.jsonl"]


def test_a_conflict_far_into_a_long_file_names_its_own_line(tmp_path: Path) -> None:
    """Rows are written in batches; the line is that of the row, not of its batch."""
    study = tmp_path / "study.db"
    many = [{**VOTE, "id": f"v{n}"} for n in range(4500)]
    many[3000]["supersedes"] = "v2500"
    many[4321]["supersedes"] = "v2500"
    path = write_lines(tmp_path / "votes.jsonl", *many)
    with pytest.raises(Conflict, match="was superseded already") as refusal:
        import_path(study, path)
    assert refusal.value.message.startswith(f"{path}:4322:")


def test_what_breaks_inside_a_file_of_a_folder_takes_the_whole_folder_back(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_lines(folder / "a.jsonl", VOTE)
    last = write_lines(folder / "b.jsonl", VOTE, {**VOTE, "turn": "first"})
    study = tmp_path / "study.db"
    with pytest.raises(BadInput) as refusal:
        import_path(study, folder)
    assert refusal.value.message.startswith(f"{last}:2, field 'turn'")
    assert not study.exists()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_an_empty_folder_and_an_unknown_format_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(TiebreakError, match="no format"):
        import_path(tmp_path / "study.db", tmp_path)
    (tmp_path / f"empty{suffix}").touch()
    with pytest.raises(TiebreakError, match="no format"):
        import_path(tmp_path / "study.db", tmp_path)
    with pytest.raises(TiebreakError, match="no file here"):
        import_path(tmp_path / "study.db", tmp_path / "nowhere", "native")
    assert not (tmp_path / "study.db").exists()


# ── order, placeholders, histories ──────────────────────────────────────────


def test_placeholders_are_filled_when_their_texts_come(store: Store) -> None:
    take(store, Vote("v", PAIR, 1, "n", Choice.TIE))
    assert store.ingest.take([]).textless == 1
    take(store, Question("q", ("One?",), "maths", (), "a book"), Answer("q", "a", ("x",)))
    assert store.ingest.take([]).textless == 1
    take(store, Answer("q", "b", ("y",), "Be brief.", {"t": 0}))
    assert store.ingest.take([]).textless == 0
    assert Answer("q", "b", ("y",), "Be brief.", {"t": 0}, FILE) in store.reading.records()
    assert store.verify() == []


def test_references_may_come_before_or_after_their_question(store: Store) -> None:
    take(store, Question("q", (), None, ("r1", "r2")), Question("q", ("1?", "2?"), "maths"))
    take(store, Question("p", ("1?", "2?")), Question("p", (), None, (None, "r2")))
    found = [r for r in store.reading.records() if isinstance(r, Question)]
    assert [(one.turns, one.category, one.references) for one in found] == [
        (("1?", "2?"), "maths", ("r1", "r2")),
        (("1?", "2?"), None, (None, "r2")),
    ]


def test_the_order_of_lines_is_no_matter_but_for_judges_and_histories(tmp_path: Path) -> None:
    def state(records: list[Record], name: str) -> list[str]:
        with Store(tmp_path / name, create=True) as store:
            take(store, *records)
            assert store.verify() == []
            return sorted(as_lines(store.reading.records()).splitlines())

    ordered = every_record()
    expected = state(ordered, "ordered.db")
    rng = random.Random(5)
    for number in range(12):
        shuffled = rng.sample(ordered, len(ordered))
        logs = [r for r in ordered if isinstance(r, Vote | Verdict | Ruling)]
        shuffled.sort(key=lambda record: not isinstance(record, Judge))
        following = iter(logs)
        mixed = [next(following) if isinstance(r, Vote | Verdict | Ruling) else r for r in shuffled]
        assert state(mixed, f"{number}.db") == expected


def test_a_person_may_vote_before_their_own_line_but_not_change_afterwards(store: Store) -> None:
    take(store, Vote("v", PAIR, 1, "n", Choice.TIE), Annotator("n", Role.LEAD, "x", True, {"y": 1}))
    assert Annotator("n", Role.LEAD, "x", True, {"y": 1}) in store.reading.records()
    with pytest.raises(Conflict, match="another role or group"):
        take(store, Annotator("n"))


def test_a_chain_of_changes_leaves_the_last_standing(store: Store) -> None:
    take(
        store,
        Vote("v1", PAIR, 1, "n", Choice.MODEL_1),
        Vote("v2", PAIR, 1, "n", None, supersedes="v1"),
        Vote("v3", PAIR, 1, "n", Choice.BOTH_BAD, supersedes="v2"),
        Vote("v4", PAIR, 1, "m", Choice.TIE),
        Vote("v5", PAIR, 1, "m", None, supersedes="v4"),
    )
    assert [vote.id for vote, _ in store.reading.votes()] == ["v3"]
    (item,) = store.reading.items()
    assert [vote.choice for vote, _ in item.votes] == [Choice.BOTH_BAD]
    assert store.reading.counts()["votes"] == 1
    assert store.reading.counts()["vote_log_rows"] == 5


def test_retried_verdicts_and_revised_rulings_leave_the_last_standing(store: Store) -> None:
    take(
        store,
        Judge("j", "imported"),
        Verdict("w1", PAIR, 1, "j", VerdictStatus.FAILED, left=1),
        Verdict("w2", PAIR, 1, "j", VerdictStatus.OK, Choice.TIE, left=1, supersedes="w1"),
        Verdict("w3", PAIR, 1, "j", VerdictStatus.REFUSED, left=2),
        Ruling("r1", PAIR, 1, "l", RulingStage.BLIND, RulingChoice.TIE, "y"),
        Ruling(
            "r2", PAIR, 1, "k", RulingStage.UNMASKED, RulingChoice.MODEL_1, "y", supersedes="r1"
        ),
    )
    (item,) = store.reading.items()
    assert [verdict.id for verdict in item.verdicts] == ["w2", "w3"]
    assert [ruling.id for ruling in item.rulings] == ["r2"]
    assert store.reading.counts()["verdict_failures"] == 1


def test_where_a_record_came_from_is_kept(store: Store) -> None:
    take(
        store,
        Question("q", ("One?",), source="a book"),
        Answer("q", "a", ("x",)),
        Vote("v", PAIR, 1, "n", Choice.TIE),
    )
    found = {type(record): record for record in store.reading.records()}
    assert getattr(found[Question], "source", None) == "a book"
    assert getattr(found[Answer], "source", None) == FILE
    assert getattr(found[Vote], "source", None) == FILE


TEXTS = [
    "a\x00b",
    "\r\n",
    "\u2028",
    "\ufeffx",
    "e\u0301",
    "\x1b[31m",
    "",
    " ",
    "x" * 1_000_000,
    "\U0010ffff",
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:6]))
def test_texts_are_kept_to_the_letter(store: Store, text: str) -> None:
    take(
        store,
        Question("q", (text,), None, (text,)),
        Answer("q", "a", (text,), text),
        Vote("v", PAIR, 1, "n", Choice.TIE, note=text, flag=text),
    )
    found = {type(record): record for record in store.reading.records()}
    assert found[Question] == Question("q", (text,), None, (text,), FILE)
    assert found[Answer] == Answer("q", "a", (text,), text, {}, FILE)
    vote = found[Vote]
    assert isinstance(vote, Vote)
    assert (vote.note, vote.flag) == (text, text)
    assert store.verify() == []


def test_a_negative_zero_is_stored_as_its_chain_says(store: Store) -> None:
    pair = Pair("q1", "ant", "bee")
    ok = VerdictStatus.OK
    take(
        store,
        Judge("j", "imported"),
        Verdict("w", pair, 1, "j", ok, Choice.TIE, 1, scores=(-0.0, 1.0), preference=-0.0),
        Vote("v", pair, 1, "ann", Choice.TIE, active_seconds=-0.0),
    )
    assert store.verify() == []
