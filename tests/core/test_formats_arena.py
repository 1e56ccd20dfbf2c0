"""Battles of Chatbot Arena, as they are published: arrays, lines and Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from core.formats import named, sniffed
from core.records import Annotator, Answer, Choice, Question, Setting, Vote
from tests.studies import write_lines

BARE: dict[str, Any] = {
    "model_a": "vicuna-13b", "model_b": "alpaca-13b", "winner": "model_a", "judge": "arena_user_1",
    "turn": 1, "anony": True, "language": "English", "tstamp": 1682351591.1322,
}  # fmt: skip
"""A line of the battles that the Elo notebook reads."""


def talk(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


WITH_TEXT: dict[str, Any] = {
    **BARE, "question_id": "58210e39b3fd4441a2bd4a518bb44c2d", "turn": 2,
    "conversation_a": talk("Hi", "Hello", "And?", "So."),
    "conversation_b": talk("Hi", "Yo", "And?", "No."),
    "openai_moderation": {"flagged": False}, "toxic_chat_tag": {"roberta-large": {}},
}  # fmt: skip
"""A line of the conversations with the models' answers."""


def read(path: Path) -> list[Any]:
    assert sniffed(path).id == "arena"
    return [record for _, record in named("arena").read(path)]


def array(path: Path, *battles: dict[str, Any]) -> Path:
    path.write_text(json.dumps(battles, indent=1), "utf-8")
    return path


def parquet(path: Path, *battles: dict[str, Any]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    kept = [{k: v for k, v in one.items() if k != "toxic_chat_tag"} for one in battles]
    parquet.write_table(pyarrow.Table.from_pylist(kept), path)
    return path


def test_bare_battles_are_votes_on_questions_that_nobody_wrote_down(tmp_path: Path) -> None:
    labels = ["model_a", "model_b", "tie", "tie (bothbad)"]
    battles = [BARE | {"winner": label} for label in labels]
    found = read(array(tmp_path / "battles.json", *battles, BARE))
    person, *votes = found
    assert person == Annotator("arena_user_1")
    assert all(isinstance(one, Vote) for one in votes)
    assert [one.choice for one in votes] == [
        Choice.MODEL_2, Choice.MODEL_1, Choice.TIE, Choice.BOTH_BAD, Choice.MODEL_2,
    ]  # fmt: skip
    # alpaca is the first of the two by name, so vicuna, which stood left, is the second.
    assert {(one.pair.model_1, one.left, one.turn) for one in votes} == {("alpaca-13b", 2, 1)}
    assert votes[0].at == "2023-04-24T15:53:11.132Z"
    assert len({one.id for one in votes}) == len({one.pair.question for one in votes}) == 5
    # A longer version of the file says of the same battles what this one said.
    longer = read(array(tmp_path / "longer.json", *battles, BARE, BARE))
    assert longer[: len(found)] == found


@pytest.mark.parametrize("kind", ["json", "jsonl", "parquet"])
def test_conversations_are_questions_and_answers_of_several_turns(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"battles.{kind}"
    if kind == "jsonl":
        write_lines(path, WITH_TEXT)
    else:
        (array if kind == "json" else parquet)(path, WITH_TEXT)
    question, one, other, person, vote = read(path)
    key = WITH_TEXT["question_id"]
    assert question == Question(key, ("Hi", "And?"))
    assert one == Answer(key, "vicuna-13b", ("Hello", "So."))
    assert other == Answer(key, "alpaca-13b", ("Yo", "No."))
    assert (vote.pair.question, vote.turn, vote.choice, vote.left) == (key, 2, Choice.MODEL_2, 2)
    assert person.name == vote.annotator == "arena_user_1"


def test_who_saw_the_names_does_not_count_unless_the_lead_says_so(tmp_path: Path) -> None:
    found = read(array(tmp_path / "b.json", BARE, BARE | {"anony": False}, BARE | {"judge": "x"}))
    assert Setting("exclude_groups", ["named"]) in found
    people = {one.name: one.group for one in found if isinstance(one, Annotator)}
    assert people == {"arena_user_1": "", "arena_user_1 (named)": "named", "x": ""}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"winner": "draw"}, "'winner': is 'draw', which is no known label"),
        ({"winner": None}, "'winner': is null"),
        ({"judge": ["gpt-4", "pair"]}, "'judge': is a list"),
        ({"model_b": "vicuna-13b"}, "'model_b': is 'vicuna-13b', as is 'model_a'"),
        ({"turn": -1}, "'turn': is -1"),
        ({"tstamp": "yesterday"}, "'tstamp': is 'yesterday'"),
        ({"anony": "yes"}, "'anony': is text"),
        ({"conversation_a": talk("Hi")}, "'conversation_a': is no conversation"),
        ({"conversation_a": ["Hi", "Hello"]}, "'conversation_a': is no conversation"),
        ({"conversation_b": talk("Ho", "Yo", "And?", "No.")}, "'conversation_b': asks something"),
        ({"conversation_b": [{"role": "user", "content": [1]}] * 2}, "'content': is a list"),
    ],
)
def test_a_bad_battle_is_one_clear_line(
    tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    path = write_lines(tmp_path / "battles.jsonl", WITH_TEXT, WITH_TEXT | change)
    with pytest.raises(BadInput) as refused:
        read(path)
    assert refused.value.message.startswith(f"{path}:2, field ")
    assert problem in refused.value.message
    assert refused.value.hint or "null" in problem


def test_damaged_parquet_and_parquet_without_its_reader_are_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path / "battles.parquet", BARE)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        read(path)
    path.write_bytes(whole)
    assert len(read(path)) == 2
    monkeypatch.setattr("core.formats.arena.find_spec", lambda name: None)
    with pytest.raises(BadInput, match="needs pyarrow") as refused:
        read(path)
    assert refused.value.hint == "pip install 'tiebreak[parquet]'"


def test_an_mt_bench_file_is_none_of_battles(tmp_path: Path) -> None:
    line = {name: BARE[name] for name in ("model_a", "model_b", "winner", "turn")}
    path = write_lines(tmp_path / "votes.jsonl", {**line, "question_id": 81, "judge": "expert_1"})
    assert sniffed(path).id == "mt_bench"
