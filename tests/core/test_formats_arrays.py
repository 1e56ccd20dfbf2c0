"""Files of one JSON array: each object with its line, and every mistake in one line of words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.formats import sniffed
from core.formats.arrays import json_array
from core.formats.lines import is_json_array
from core.formats.mt_bench import FORMAT, read
from core.records import Annotator, Vote

VOTE = {"judge": "expert_1", "model_a": "a", "model_b": "b", "winner": "tie", "turn": 1}
OBJECTS = st.lists(st.dictionaries(st.text(max_size=5), st.text() | st.integers(), max_size=3))


@given(objects=OBJECTS, indent=st.sampled_from([None, 0, 2]))
def test_an_array_is_read_as_json_reads_it(
    objects: list[dict[str, object]], indent: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "array.json"
    text = json.dumps(objects, indent=indent)
    path.write_text(text, "utf-8")
    assert is_json_array(path)
    rows = list(json_array(path))
    assert [row.fields for row in rows] == objects
    lines = text.split("\n")
    assert all(lines[row.where.line - 1].lstrip(" [").startswith("{") for row in rows)


@pytest.mark.parametrize(
    ("said", "line", "problem"),
    [
        (b'[\n{"a": 1},\n{"b" 2}\n]', 3, "is not JSON from here on"),
        (b'[\n{"a": 1}\n{"b": 2}]', 2, "what follows is no comma"),
        (b'[{"a": 1},', 1, "is not JSON from here on"),
        (b"[", 1, "is not JSON from here on"),
        (b"[1]", 1, "is a number, not an object"),
        (b'[{"a": NaN}]', 1, "holds a number that cannot be stored"),
        (b"[]\n[]", 1, "goes on after its array"),
        (b'["\xff"]', 0, "byte 3 is not UTF-8"),
        (b"[" * 100_000, 1, "is not JSON from here on"),
        (b'[{"a":' + b"[" * 80 + b"]" * 80 + b"}]", 1, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, said: bytes, line: int, problem: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(said)
    with pytest.raises(BadInput, match=problem) as refused:
        list(json_array(path))
    assert refused.value.where.line == line


def test_votes_in_an_array_are_found_by_themselves(tmp_path: Path) -> None:
    path = tmp_path / "human_judgments.json"
    votes = [VOTE | {"question_id": 81}, VOTE | {"question_id": 82, "judge": "simulated_x"}]
    path.write_text("\ufeff \n" + json.dumps(votes), "utf-8")
    assert sniffed(path) is FORMAT
    found = [record for _, record in read(path)]
    assert [one.annotator for one in found if isinstance(one, Vote)] == ["expert_1", "simulated_x"]
    people = [one for one in found if isinstance(one, Annotator)]
    assert [(one.group, one.simulated) for one in people] == [("expert", False), ("", True)]


def test_an_array_of_something_else_is_in_no_known_format(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('[{"a": 1}]')
    with pytest.raises(BadInput, match="in no format that Tiebreak knows"):
        sniffed(path)
