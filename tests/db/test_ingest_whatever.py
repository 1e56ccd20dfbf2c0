"""Whatever comes: generated lines are taken or refused, and whole studies survive a journey."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadInput, Conflict
from core.formats import named
from core.records import (
    Annotator,
    Record,
)
from db.store import Store
from tests.core.test_formats_native import WHOLE, lines
from tests.studies import (
    FILES,
    FakeClock,
    as_lines,
    dump,
    every_record,
    located,
    since_version_2,
    since_version_7,
    studies,
    write_lines,
)
from tui.importing import import_path

BEFORE = [
    {"type": "judge", "name": "j"},
    *({**WHOLE["vote"], "type": "vote", "id": key, "supersedes": None} for key in "vu"),
    *({**WHOLE["verdict"], "type": "verdict", "id": key, "supersedes": None} for key in "wx"),
    *({**WHOLE["ruling"], "type": "ruling", "id": key, "supersedes": None} for key in "rs"),
]
"""What the generated lines may meet: what they supersede, repeat, or contradict."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "study.db", create=True, clock=FakeClock()) as opened:
        yield opened


def take(store: Store, *records: Record) -> None:
    store.ingest.take(located(records), FILES)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    study = folder / "template.db"
    import_path(study, write_lines(folder / "first.jsonl", *BEFORE))
    return study


def refused(store: Store, path: Path) -> BadInput | Conflict | None:
    """Why a file is refused, if it is; nothing else may happen."""
    try:
        store.ingest.take(named("native").read(path))
    except (BadInput, Conflict) as refusal:
        return refusal
    return None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(given_lines=st.lists(lines(), min_size=1, max_size=3))
def test_no_file_raises_anything_but_what_a_person_can_read(
    template: Path, given_lines: list[dict[str, Any]]
) -> None:
    """Refused, it changes nothing; taken, the study is sound, and can be exported and read."""
    study = template.with_name("fuzzed.db")
    copyfile(template, study)
    path = write_lines(template.with_name("fuzz.jsonl"), *given_lines)
    with Store(study) as store:
        before = list(store.connection.iterdump())
        refusal = refused(store, path)
        if refusal is not None:
            assert list(store.connection.iterdump()) == before
            assert refusal.message.startswith(str(path))
            return
        assert store.verify() == []
        text = as_lines(store.reading.records())
        again = write_lines(template.with_name("again.jsonl"), *text.splitlines(keepends=False))
        assert len(list(named("native").read(again))) == text.count("\n")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(study=studies())
def test_an_exported_study_is_the_same_study_when_it_is_imported(
    study: list[Record], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("round")
    with Store(folder / "first.db", create=True) as first:
        first.ingest.take(located(study), FILES)
        text = as_lines(first.reading.records())
    path = folder / "exported.jsonl"
    path.write_text(text, encoding="utf-8", newline="")
    import_path(folder / "second.db", path)
    with Store(folder / "second.db") as second:
        assert as_lines(second.reading.records()) == text
        assert second.verify() == []
    before = dump(folder / "second.db")
    import_path(folder / "second.db", path)
    assert dump(folder / "second.db") == before


def test_the_whole_example_survives_two_journeys(store: Store, tmp_path: Path) -> None:
    take(store, *every_record())
    text = as_lines(store.reading.records())
    assert json.loads(text.splitlines()[0]) == {"type": "study", "dwell_ms": 0}
    for name in ("second", "third"):
        path = tmp_path / f"{name}.jsonl"
        path.write_text(text, encoding="utf-8", newline="")
        import_path(tmp_path / f"{name}.db", path)
        with Store(tmp_path / f"{name}.db") as again:
            assert as_lines(again.reading.records()) == text


def test_every_field_of_a_whole_line_reaches_the_study_and_comes_back(store: Store) -> None:
    """Nothing that the format takes is lost on the way; keys are those of the format."""
    later = [*since_version_2(), *since_version_7()]
    take(store, *every_record(), *later, Annotator("rita", retired=True))
    seen: dict[str, set[str]] = {}
    for line in as_lines(store.reading.records()).splitlines():
        fields = json.loads(line)
        seen.setdefault(fields.pop("type"), set()).update(fields)
    for kind, fields in WHOLE.items():
        assert seen[kind] >= set(fields), kind
