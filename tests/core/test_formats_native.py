"""Tiebreak's own JSON Lines: every wrong field is named, and what is written reads back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.beside_logs import SecondOpinion
from core.errors import BadInput, UsageError
from core.formats import fingerprint, formats, named, sniffed
from core.formats.native import FORMAT
from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Lesson,
    LessonUse,
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
from tests.studies import as_lines, every_record, since_version_2, studies, write_lines

PAIR = {"question": "q", "model_1": "a", "model_2": "b"}
WHOLE: dict[str, dict[str, Any]] = {
    "question": {
        "id": "q", "turns": ["One?", "Two?"], "category": "c", "references": ["r", None],
        "source": "s",
    },
    "answer": {
        "question": "q", "model": "a", "turns": ["x"], "system_prompt": "p",
        "settings": {"temperature": 0.5}, "source": "s",
    },
    "pair": PAIR,
    "annotator": {
        "name": "n", "role": "lead", "group": "g", "simulated": True, "attributes": {"y": 1},
        "retired": True,
    },
    "lesson": {
        **PAIR, "turn": 2, "use": "qualification", "choice": "both_bad", "why": "y",
    },
    "judge": {
        "name": "j", "kind": "prompted", "model": "m", "endpoint": "e", "prompt": "p",
        "prompt_hash": "h", "parameters": {"seed": 0}, "revision": "r",
    },
    "vote": {
        "id": "v", **PAIR, "turn": 1, "annotator": "n", "choice": "tie", "identity": "i",
        "left": "model_2", "supersedes": "u", "confidence": 50, "note": "n", "flag": "f",
        "active_seconds": 1.5, "at": "2024", "repeat": 1, "tags": ["clear"],
        "criteria": {"accuracy": "tie"},
    },
    "verdict": {
        "id": "w", **PAIR, "turn": 2, "judge": "j", "status": "ok", "choice": "model_1",
        "left": "model_1", "repeat": 1, "scores": [1, 2.5], "preference": 0.5, "prompt": "p",
        "prompt_hash": "h", "label": "A", "raw": "[[A]]", "reasoning": "y", "error": "e",
        "tokens_in": 1, "tokens_out": 2, "latency": 0.5, "cost": 0.1, "attempts": 2,
        "supersedes": "x", "at": "2024",
    },
    "ruling": {
        "id": "r", **PAIR, "turn": 0, "lead": "l", "stage": "blind", "choice": "not_decidable",
        "reason": "y", "left": "model_1", "shown": {"votes": 2}, "queue_reason": "q",
        "queue_probability": 0.5, "supersedes": "s", "identity": "i", "at": "2024",
    },
    "queued": {**PAIR, "probability": 0.5, "overlap": 2, "extra": 1},
    "unmasking": {**PAIR, "turn": 2, "lead": "l", "at": "2024"},
    "second_opinion": {
        "id": "o", **PAIR, "turn": 0, "lead": "l", "why": "y", "at": "2024", "answered_by": "r",
    },
}  # fmt: skip
"""One line of each type with every field it knows."""

NO_TEXT = [True, False, [], ["x"], {}, {"a": 1}]
NO_NAME = [*NO_TEXT, "", "  ", "a\nb", "a\x00b", "a\x1bb", "\x9b"]
NO_NUMBER = [True, "x", [], [1], {}, -1, math.nan, math.inf, 10**400, "nan", "1e999"]
NO_LABEL = [True, 7, [], {}, "Model_1", "A", "tie (bothbad)"]
NO_MAPPING = [True, False, 0, 1, "", "x", [], [1], {"a": "\ud800"}, {"\udfff": 1}]
NO_TEXTS = [True, False, 5, {}, {"a": 1}, [], [True], [["x"]], [{}], ["\ud83d"]]
LONE = ["\ud800", "a\udfffb"]
WRONG: dict[str, list[Any]] = {
    **dict.fromkeys("id question model_1 model_2 model name annotator judge lead".split(), NO_NAME),
    **dict.fromkeys(["turns", "references"], NO_TEXTS),
    **{key: [*NO_NUMBER, 0.5, 1e9] for key in ["turn", "repeat", "attempts"]},
    **{key: [*NO_NUMBER, 0.5, 1e13] for key in ["tokens_in", "tokens_out"]},
    **{key: [*NO_NUMBER, 1e13] for key in ["active_seconds", "latency", "cost"]},
    "confidence": [*NO_NUMBER, 0.5, 101],
    "preference": [*NO_NUMBER, 1.1],
    **{key: [*NO_NUMBER, 1.1, 0, 0.0] for key in ["probability", "queue_probability"]},
    "overlap": [*NO_NUMBER, 0.5, 0, 1e9],
    "extra": [*NO_NUMBER, 0.5, 3],
    **dict.fromkeys(["choice", "left", "role", "status", "stage", "use"], NO_LABEL),
    **dict.fromkeys(["settings", "attributes", "parameters", "shown"], NO_MAPPING),
    "tags": [*NO_TEXTS, [""]],
    "criteria": [*NO_MAPPING, {"accuracy": "A"}, {"accuracy": None}, {"accuracy": ["tie"]}],
    "scores": [True, 5, "x", [], [1], [1, 2, 3], [1, "2"], [1, None], [True, 1], [10**400, 1]],
    "simulated": ["no", "yes", 0, 1, [], {}],
    "retired": ["no", "yes", 0, 1, [], {}],
    "reason": [*NO_TEXT, "", " "],
}
CASES = [pytest.param(kind, field, id=f"{kind}-{field}") for kind in WHOLE for field in WHOLE[kind]]


def wrong_values(kind: str, field: str) -> list[Any]:
    # A judge's model is a label; an answer's is a name.
    optional = kind == "judge" and field == "model"
    values = NO_TEXT if optional else WRONG.get(field, NO_TEXT)
    texts = values in (NO_TEXT, NO_NAME) or field == "reason"
    values = values + LONE if texts else values
    if field == "id" and kind in ("vote", "verdict", "ruling", "second_opinion"):
        return [value for value in values if value != ""]  # then an id is made
    return values


def records(path: Path) -> list[Record]:
    return [record for _, record in FORMAT.read(path)]


def taken(path: Path) -> tuple[list[Record], BadInput | None]:
    """What is read of a file, or why it is refused; nothing else may happen."""
    try:
        return records(path), None
    except BadInput as refusal:
        return [], refusal


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_line_is_read(tmp_path: Path, kind: str) -> None:
    path = write_lines(tmp_path / "study.jsonl", {"type": kind, **WHOLE[kind]})
    assert len(records(path)) == 1


def test_a_line_turns_its_criteria_and_its_lesson_with_its_models(tmp_path: Path) -> None:
    models = {"question": "q", "model_1": "zeta", "model_2": "alpha"}
    path = write_lines(
        tmp_path / "study.jsonl",
        {
            "type": "vote", **models, "annotator": "n", "choice": "tie",
            "criteria": {"accuracy": "model_1", "style": "model_2", "length": "tie"},
        },
        {"type": "lesson", **models, "choice": "model_1"},
    )  # fmt: skip
    vote, lesson = records(path)
    assert isinstance(vote, Vote)
    assert isinstance(lesson, Lesson)
    assert vote.criteria == {
        "accuracy": Choice.MODEL_2, "style": Choice.MODEL_1, "length": Choice.TIE,
    }  # fmt: skip
    assert (lesson.choice, lesson.use) == (Choice.MODEL_2, LessonUse.PRACTICE)


def test_who_cannot_judge_gives_no_choice(tmp_path: Path) -> None:
    said = {"type": "vote", **WHOLE["pair"], "annotator": "n", "cannot_judge": "not my language"}
    (vote,) = records(write_lines(tmp_path / "study.jsonl", said))
    assert isinstance(vote, Vote)
    assert (vote.choice, vote.cannot_judge) == (None, "not my language")
    path = write_lines(tmp_path / "both.jsonl", {**said, "choice": "tie"})
    refusal = taken(path)[1]
    assert refusal is not None
    assert refusal.field == "choice"


@pytest.mark.parametrize(("kind", "field"), CASES)
def test_a_wrong_value_names_its_line_and_field(tmp_path: Path, kind: str, field: str) -> None:
    good = {"type": "pair", **PAIR}
    for value in wrong_values(kind, field):
        line = {"type": kind, **WHOLE[kind], field: value}
        path = write_lines(tmp_path / "study.jsonl", good, "", line)
        reading = FORMAT.read(path)
        next(reading)
        with pytest.raises(BadInput) as refusal:
            next(reading)
        assert refusal.value.where.line == 3, value
        whole_line = isinstance(value, float) and not math.isfinite(value)
        assert refusal.value.field == ("" if whole_line else field), value
        assert refusal.value.hint, value
        assert "\n" not in refusal.value.message
        assert f"{path}:3" in refusal.value.message
        refusal.value.message.encode()


REQUIRED = {
    "question": ["id", "turns"],
    "answer": ["question", "model", "turns"],
    "pair": ["question", "model_1", "model_2"],
    "lesson": ["question", "model_1", "model_2", "choice"],
    "annotator": ["name"],
    "judge": ["name"],
    "vote": ["question", "model_1", "model_2", "annotator", "choice"],
    "verdict": ["question", "model_1", "model_2", "judge", "choice"],
    "ruling": ["question", "model_1", "model_2", "lead", "stage", "choice", "reason"],
    "queued": ["question", "model_1", "model_2", "probability", "overlap"],
    "unmasking": ["question", "model_1", "model_2", "lead"],
    "second_opinion": ["question", "model_1", "model_2", "lead", "why"],
}


@pytest.mark.parametrize(
    ("kind", "field", "absent"),
    [
        (kind, field, absent)
        for kind in REQUIRED
        for field in REQUIRED[kind]
        for absent in (True, False)
        if (field, absent) != ("probability", False)  # null there says that nobody knows
    ],
)
def test_what_is_needed_and_missing_or_null_is_named(
    tmp_path: Path, kind: str, field: str, absent: bool
) -> None:
    fields = {k: v for k, v in WHOLE[kind].items() if k not in ("references", "supersedes", field)}
    line = {"type": kind, **fields} | ({} if absent else {field: None})
    with pytest.raises(BadInput) as refusal:
        records(write_lines(tmp_path / "study.jsonl", line))
    assert (refusal.value.field, refusal.value.where.line) == (field, 1)


@pytest.mark.parametrize("kind", WHOLE)
def test_what_is_not_needed_may_be_absent_or_null(tmp_path: Path, kind: str) -> None:
    needed = {k: v for k, v in WHOLE[kind].items() if k in REQUIRED[kind]}
    nulls = {k: None for k in WHOLE[kind] if k not in needed}
    path = write_lines(
        tmp_path / "study.jsonl", {"type": kind, **needed}, {"type": kind, **needed, **nulls}
    )
    first, second = records(path)
    if isinstance(first, Vote | Verdict | Ruling):
        assert isinstance(second, type(first))
        assert (first.pair, first.turn, first.choice) == (second.pair, second.turn, second.choice)
    elif isinstance(first, SecondOpinion):  # its id is made from the line
        assert isinstance(second, SecondOpinion)
        assert replace(first, id="") == replace(second, id="")
    else:
        assert first == second


LINES: dict[str, tuple[Any, str]] = {
    "no JSON": ('{"type": "pair",', "not JSON"),
    "two objects": ("{} {}", "not JSON"),
    "a list": ([1], "is a list, not an object"),
    "a number": (7, "is a number, not an object"),
    "null": ("null", "is null, not an object"),
    "not UTF-8": (b'{"type": "pair", "question": "\xff"}', "byte 31 is not UTF-8"),
    "UTF-16": ('{"type": "pair"}'.encode("utf-16"), "is not UTF-8"),
    "NaN": ('{"type": "study", "name": NaN}', "number that cannot be stored"),
    "-Infinity": ('{"type": "study", "x": {"y": [-Infinity]}}', "number that cannot be stored"),
    "a float too large": ('{"type": "study", "x": 1e999}', "number that cannot be stored"),
    "an integer of 5000 digits": (
        '{"type": "pair", "question": ' + "9" * 5000 + "}",
        "number that cannot be stored",
    ),
    "deep lists": ('{"type": "study", "x": ' + "[" * 80 + "]" * 80 + "}", "nested too deeply"),
    "very deep lists": ("[" * 100_000, "nested too deeply"),
    "deep objects": ('{"a":' * 5000 + "1" + "}" * 5000, "nested too deeply"),
    "no type": ({"id": "q"}, "field 'type': is missing"),
    "an unknown type": ({"type": "votes"}, "'votes', which is no known label"),
    "a type that is a list": ({"type": ["vote"]}, "field 'type': is a list, not text"),
    "a misspelt field": ({"type": "pair", **PAIR, "qestion": "q"}, "field 'qestion'"),
    "equal models": ({"type": "pair", **PAIR, "model_2": "a"}, "field 'model_2'"),
    "a choice of a failure": (
        {"type": "verdict", **PAIR, "judge": "j", "status": "failed", "choice": "tie"},
        "a failure has no choice",
    ),
    "a withdrawal of nothing": (
        {"type": "vote", **PAIR, "annotator": "n", "choice": None},
        "field 'choice'",
    ),
    "a vote in its own place": (
        {"type": "vote", **PAIR, "annotator": "n", "choice": "tie", "id": "v", "supersedes": "v"},
        "this line itself",
    ),
    "more references than turns": (
        {"type": "question", "id": "q", "turns": ["x"], "references": ["a", "b"]},
        "field 'references'",
    ),
    "references that say nothing": (
        {"type": "question", "id": "q", "references": [None]},
        "field 'turns'",
    ),
    "empty turns": ({"type": "question", "id": "q", "turns": ""}, "field 'turns'"),
}


@pytest.mark.parametrize("what", LINES)
def test_a_broken_line_is_named(tmp_path: Path, what: str) -> None:
    line, problem = LINES[what]
    path = write_lines(tmp_path / "study.jsonl", {"type": "pair", **PAIR}, line)
    with pytest.raises(BadInput) as refusal:
        records(path)
    assert refusal.value.where.line == 2
    assert problem in f"{refusal.value.message} {refusal.value.hint}"
    assert len(refusal.value.message) < 400


def test_a_byte_order_mark_windows_line_ends_and_blank_lines_are_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    line = json.dumps({"type": "pair", **PAIR}).encode()
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n  \r\n" + line)
    assert [(where.line, record) for where, record in FORMAT.read(path)] == [
        (1, Pair("q", "a", "b")),
        (4, Pair("q", "a", "b")),
    ]
    assert sniffed(path) is FORMAT


def test_a_line_of_a_megabyte_and_many_brackets_in_a_text_are_no_matter(tmp_path: Path) -> None:
    text = "[{" * 500_000
    line = {"type": "answer", "question": "q", "model": "a", "turns": [text]}
    assert records(write_lines(tmp_path / "study.jsonl", line)) == [Answer("q", "a", (text,))]


def test_numbers_count_as_text_where_ids_are_wanted(tmp_path: Path) -> None:
    line = {"type": "question", "id": 2**70, "turns": [1, 2.5]}
    assert records(write_lines(tmp_path / "study.jsonl", line)) == [
        Question(str(2**70), ("1", "2.5"))
    ]


def test_models_in_either_order_turn_choices_and_sides_with_them(tmp_path: Path) -> None:
    swapped = {"question": "q", "model_1": "b", "model_2": "a"}
    lines = [
        {"type": "pair", **swapped},
        {"type": "vote", **swapped, "annotator": "n", "choice": "model_1", "left": "model_1"},
        {"type": "vote", **swapped, "annotator": "n", "choice": "both_bad", "left": "model_2"},
        {"type": "verdict", **swapped, "judge": "j", "choice": "model_2", "left": "model_2"},
        {"type": "ruling", **swapped, "lead": "l", "stage": "blind", "choice": "model_1",
         "reason": "y", "left": "model_2"},
        {"type": "ruling", **swapped, "lead": "l", "stage": "blind", "choice": "more_votes",
         "reason": "y"},
    ]  # fmt: skip
    pair, *events = records(write_lines(tmp_path / "study.jsonl", *lines))
    assert pair == Pair("q", "a", "b")
    told = [
        (e.pair, e.choice.value if e.choice else None, e.left)
        for e in events
        if isinstance(e, Vote | Verdict | Ruling)
    ]
    assert told == [
        (pair, "model_2", 2),
        (pair, "both_bad", 1),
        (pair, "model_1", 1),
        (pair, "model_2", 1),
        (pair, "more_votes", None),
    ]


def test_an_id_that_is_not_given_follows_from_the_line(tmp_path: Path) -> None:
    line = {"type": "vote", **PAIR, "annotator": "n", "choice": "tie"}
    turned = dict(reversed(line.items()))
    first, again, other = (
        record.id
        for record in records(
            write_lines(tmp_path / "study.jsonl", line, turned, {**line, "turn": 2})
        )
        if isinstance(record, Vote)
    )
    assert first == again != other


def test_every_kind_of_record_reads_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    whole = [*every_record(), *since_version_2()]
    path.write_text(as_lines(whole), encoding="utf-8")
    assert records(path) == whole


def test_nothing_that_says_something_is_left_out(tmp_path: Path) -> None:
    """A zero, a false setting and an empty list say something; nothing else may be dropped."""
    pair = Pair("q", "a", "b")
    zeros: list[Record] = [
        Setting("overlap", 0),
        Setting("show_reference", False),
        Setting("exclude_groups", []),
        Setting("name", ""),
        Vote("v", pair, 0, "n", Choice.TIE, confidence=0, active_seconds=0.0),
        Verdict(
            "w", pair, 0, "j", VerdictStatus.OK, Choice.TIE, scores=(0.0, 0.0), preference=0.0,
            tokens_in=0, tokens_out=0, latency=0.0, cost=0.0, attempts=0,
        ),
    ]  # fmt: skip
    path = tmp_path / "study.jsonl"
    path.write_text(as_lines(zeros), encoding="utf-8")
    assert records(path) == zeros


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(study=studies())
def test_generated_studies_read_back_as_they_were(
    study: list[Record], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "generated.jsonl"
    path.write_text(as_lines(study), encoding="utf-8", newline="")
    assert records(path) == study


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    """Any object, or a good line with some of its fields gone wrong."""
    kind = draw(st.sampled_from([*WHOLE, "study"]))
    fields = {"type": kind, **WHOLE.get(kind, {})}
    for field in draw(st.lists(st.sampled_from([*fields, "more"]), max_size=4)):
        fields[field] = draw(JSON)
    return draw(st.sampled_from([fields, draw(st.dictionaries(st.text(), JSON))]))


@settings(max_examples=300, deadline=None)
@given(line=lines())
def test_no_line_raises_anything_but_bad_input(
    line: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_lines(tmp_path_factory.getbasetemp() / "fuzz.jsonl", line)
    found, refusal = taken(path)
    if refusal is not None:
        assert refusal.where.line == 1
        assert refusal.message.encode()
    else:
        assert as_lines(found).count("\n") == len(found)


@settings(max_examples=150, deadline=None)
@given(raw=st.binary(max_size=80))
def test_no_bytes_raise_anything_but_bad_input(
    raw: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.jsonl"
    path.write_bytes(raw)
    found, refusal = taken(path)
    assert refusal is None or str(path) in refusal.message
    assert all(isinstance(record, Record) for record in found)
    with suppress(BadInput):
        assert sniffed(path) in formats()


def told(path: Path) -> Iterator[Any]:
    for record in records(path):
        yield type(record)


def test_the_sniffer_takes_its_own_and_nothing_else(tmp_path: Path) -> None:
    own = write_lines(tmp_path / "a.jsonl", {"type": "pair", **PAIR})
    assert FORMAT.sniff(own)
    assert FORMAT.sniff(tmp_path)
    assert sniffed(tmp_path) is FORMAT
    write_lines(tmp_path / "b.jsonl", {"type": ["pair"]})
    assert not FORMAT.sniff(tmp_path)
    for name, content, words in (
        ("note.txt", "hello, world\n", "in no format"),
        ("table.csv", "hello, world\n", "is no column"),
        ("blank.jsonl", "\n", "in no format"),
        ("empty.jsonl", "", "empty"),
    ):
        other = tmp_path / name
        other.write_text(content)
        assert not FORMAT.sniff(other)
        with pytest.raises(BadInput, match=words):
            sniffed(other)
    with pytest.raises(BadInput, match="no such file"):
        sniffed(tmp_path / "absent")


def test_a_file_of_another_name_can_be_read_when_the_format_is_said(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "study.txt", {"type": "pair", **PAIR})
    assert list(told(path)) == [Pair]
    votes = write_lines(
        tmp_path / "votes.txt",
        {"question_id": 1, "model_a": "a", "model_b": "b", "winner": "tie", "judge": "expert_1",
         "turn": 1},
    )  # fmt: skip
    assert [type(record) for _, record in named("mt_bench").read(votes)] == [Annotator, Vote]


def test_formats_are_found_by_name() -> None:
    assert [one.id for one in formats()] == sorted(one.id for one in formats())
    assert {"csv", "mt_bench", "native"} <= {one.id for one in formats()}
    assert named("native") is FORMAT
    with pytest.raises(UsageError, match="no format is called"):
        named("excel")


def test_a_fingerprint_is_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert fingerprint(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_roles_and_kinds_have_their_defaults(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "study.jsonl", {"type": "annotator", "name": "n"}, {"type": "judge", "name": "j"}
    )
    assert records(path) == [Annotator("n", Role.ANNOTATOR), Judge("j", "imported")]


def test_withdrawn_and_final_rulings_come_back_as_they_were(tmp_path: Path) -> None:
    pair = Pair("q1", "ant", "bee")
    blind, settled = RulingStage.BLIND, RulingChoice.NOT_DECIDABLE
    kept = [
        Ruling("r1", pair, 1, "lea", blind, RulingChoice.MODEL_2, "so"),
        Ruling("r2", pair, 1, "lea", blind, None, "", supersedes="r1"),
        Ruling("r3", pair, 1, "max", blind, settled, "no", final=True),
    ]
    path = tmp_path / "rulings.jsonl"
    path.write_text(as_lines(kept), "utf-8")
    assert records(path) == kept
    without = {"type": "ruling", "question": "q1", "model_1": "ant", "model_2": "bee"}
    told = {**without, "lead": "lea", "stage": "blind", "reason": "so", "choice": None}
    with pytest.raises(BadInput, match="choice"):
        records(write_lines(tmp_path / "none.jsonl", told))
