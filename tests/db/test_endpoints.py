"""A judge's servers: added, removed, found, and never none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import TiebreakError
from core.records import Judge
from db.endpoints import Endpoint
from db.store import Store
from tests.studies import make_study

FIRST, SECOND = "http://127.0.0.1:8000/v1", "http://127.0.0.1:8001/v1"
JUDGE = Judge("j", "openai", "m", FIRST, "pairwise", "abc")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(make_study(tmp_path / "study.db", questions=1)) as opened:
        opened.judging.add(JUDGE)
        opened.judging.add(Judge("floor", "baseline", "coin"))
        yield opened


def addresses(store: Store) -> list[str]:
    return [one.address for one in store.endpoints.of("j")]


def test_a_judge_starts_with_the_address_that_it_was_added_with(store: Store) -> None:
    (one,) = store.endpoints.of("j")
    assert one == Endpoint(FIRST, one.added_at)
    assert one.added_at
    assert store.endpoints.of("floor") == []


def test_addresses_come_and_go_and_the_record_stays(store: Store, tmp_path: Path) -> None:
    assert store.endpoints.add("j", SECOND) is True
    assert store.endpoints.add("j", SECOND) is False
    assert addresses(store) == [FIRST, SECOND]
    store.endpoints.remove("j", FIRST)
    assert addresses(store) == [SECOND]
    assert store.judging.judge("j") == JUDGE
    assert store.judging.add(JUDGE) is False, "adding the judge again brings no address back"
    with Store(tmp_path / "study.db") as again:
        assert [one.address for one in again.endpoints.of("j")] == [SECOND]
    assert store.endpoints.add("j", FIRST) is True
    assert sorted(addresses(store)) == [FIRST, SECOND]


def test_what_was_found_is_kept_with_its_time(store: Store) -> None:
    store.endpoints.keep_found("j", FIRST, {"structured": {"choice": "grammar"}, "models": ["é"]})
    (one,) = store.endpoints.of("j")
    assert one.found == {"structured": {"choice": "grammar"}, "models": ["é"]}
    assert one.checked_at
    store.endpoints.keep_found("j", FIRST, {})
    assert store.endpoints.of("j")[0].found == {}


def test_what_cannot_be_is_refused_in_a_line(store: Store) -> None:
    with pytest.raises(TiebreakError, match="no judge is called 'k'") as caught:
        store.endpoints.of("k")
    assert caught.value.hint == "judges of this study: j, floor"
    with pytest.raises(TiebreakError, match="is not at http://nowhere"):
        store.endpoints.remove("j", "http://nowhere")
    with pytest.raises(TiebreakError, match="is the only address"):
        store.endpoints.remove("j", FIRST)
    with pytest.raises(TiebreakError, match="needs no server"):
        store.endpoints.add("floor", FIRST)
    assert addresses(store) == [FIRST]
