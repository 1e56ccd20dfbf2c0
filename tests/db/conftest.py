"""A study of four pairs, two votes wanted on each, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from db.store import Store
from tests.studies import FakeClock, make_study


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def study(tmp_path: Path, clock: FakeClock) -> Path:
    return make_study(tmp_path / "study.db", questions=4, overlap=2, clock=clock)


@pytest.fixture
def store(study: Path, clock: FakeClock) -> Iterator[Store]:
    with Store(study, clock=clock) as opened:
        yield opened
