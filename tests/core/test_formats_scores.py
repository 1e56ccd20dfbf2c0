"""Tables of benchmark scores: taken whole, or refused with the line and the field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import BadInput
from core.formats import native, scores, sniffed
from core.records import Score

GOOD = "model,benchmark,score,low,high\na,MMLU,71.5,70,73\nb,MMLU,-3,,\nb,GSM8K,1e-3,,\n"
READ = [
    Score("MMLU", "a", 71.5, 70.0, 73.0),
    Score("MMLU", "b", -3.0),
    Score("GSM8K", "b", 0.001),
]


def table(folder: Path, text: str, name: str = "scores.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_table_is_sniffed_and_read_as_csv_and_as_lines(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD)
    assert sniffed(path).id == "scores"
    assert [record for _, record in scores.read(path)] == READ
    lines = [
        {"model": one.model, "benchmark": one.benchmark, "score": one.score, "low": one.low,
         "high": one.high} for one in READ
    ]  # fmt: skip
    path = table(tmp_path, "\n".join(map(json.dumps, lines)), "scores.jsonl")
    assert sniffed(path).id == "scores"
    assert [record for _, record in scores.read(path)] == READ
    assert sniffed(tmp_path).id == "scores"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model,benchmark,score\na,M,high\n", "scores.csv:2, field 'score': is 'high'"),
        ("model,benchmark,score\na,M,\n", "field 'score': is missing"),
        ("model,benchmark,score\na,M,nan\n", "field 'score': is 'nan'"),
        ("model,benchmark,score\na,M,inf\n", "field 'score': is 'inf'"),
        ("model,benchmark,score\na,,1\n", "field 'benchmark'"),
        ("model,benchmark,score\n,M,1\n", "field 'model'"),
        ("model,benchmark,score,low,high\na,M,1,0,\n", "field 'high': is missing"),
        ("model,benchmark,score,low,high\na,M,1,2,3\n", "outside of its interval from 2 to 3"),
        ("model,benchmark,score,low,high\na,M,1,3,0\n", "outside of its interval"),
        ("model,benchmark,score\na,M,1\na,M,2\n", "scores.csv:3, field 'model'"),
        ("model,benchmark,score,shots\na,M,1,5\n", "scores.csv:1, field 'shots'"),
        ("model,benchmark\na,M\n", "field 'score': is no column"),
        ("model,benchmark,score,score\na,M,1,2\n", "names a column twice"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        list(scores.read(table(tmp_path, text)))
    assert said in refused.value.message
    assert "\n" not in refused.value.message
    assert refused.value.hint


def test_a_line_with_a_type_is_not_taken_for_a_table(tmp_path: Path) -> None:
    line = {"type": "score", "model": "a", "benchmark": "M", "score": 2}
    path = table(tmp_path, json.dumps(line), "x.jsonl")
    assert not scores.sniff(path)
    assert [record for _, record in native.read(path)] == [Score("M", "a", 2.0)]


@pytest.mark.parametrize("ends", [(1.0, None), (None, 1.0), (2.0, 3.0), (0.0, 0.5)])
def test_a_score_lies_in_its_interval(ends: tuple[float | None, float | None]) -> None:
    with pytest.raises(ValueError, match="interval"):
        Score("M", "a", 1.0, *ends)
